#!/bin/sh
# OpenSSL verifies signatures that a group of five made.
if ! command -v openssl >/dev/null; then
	echo '1..0 # SKIP no openssl'
	exit 0
fi
dir=$(mktemp -d) || exit 99
trap 'rm -rf "$dir"' EXIT
echo '1..7'
n=0
result() # command's status, name
{
	n=$((n + 1))
	if [ "$1" = 0 ]; then echo "ok $n - $2"; else echo "not ok $n - $2"; fi
}
"${top_builddir:-.}/tests/sys/make_signature" "$dir"
result $? 'a group signs'
for i in 0 1 2; do
	openssl dgst -sha256 -verify "$dir/key.der" -keyform DER -signature "$dir/$i.der" "$dir/$i.txt" >/dev/null 2>&1
	result $? "openssl verifies message $i"
	echo x >>"$dir/$i.txt"
	! openssl dgst -sha256 -verify "$dir/key.der" -keyform DER -signature "$dir/$i.der" "$dir/$i.txt" >/dev/null 2>&1
	result $? "openssl refuses another message $i"
done
