#!/bin/sh
# Makes configure from configure.ac.
set -e
cd "$(dirname "$0")"
for tool in autoreconf automake libtoolize pkg-config; do
	command -v "$tool" >/dev/null || {
		echo "autogen.sh: $tool is missing; Debian: apt-get install autoconf automake libtool pkg-config" >&2
		exit 1
	}
done
mkdir -p build-aux
tap=$(automake --print-libdir)/tap-driver.sh
cp "$tap" build-aux/tap-driver.sh
exec autoreconf --install --force "$@"
