#!/bin/sh
# Every call the plugin stands in front of, from a program that uses GnuTLS as servers do: plugin_host speaks the TAP.
. "$top_srcdir/tests/sys/lib.sh"
need_program openssl
make_pair web
make_pair other
FAKE_OPTIONS=
start_fake "$T/web-key.pem"
env LD_PRELOAD="$PRELOAD" KEYMESH_SOCKET="$FAKE_SOCKET" KEYMESH_LOG=stderr "$top_builddir/tests/sys/plugin_host" \
	"$T/stub.pem" "$T/web-cert.pem" "$T/other-cert.pem" >"$T/host.tap" 2>"$T/host.log"
status=$?
stop_fake
FAKE_OPTIONS=--allow-digest
start_fake "$T/web-key.pem"
env LD_PRELOAD="$PRELOAD" KEYMESH_SOCKET="$ABSTRACT" KEYMESH_LOG=auto "$top_builddir/tests/sys/plugin_host" \
	"$T/stub.pem" "$T/web-cert.pem" "$T/other-cert.pem" allow-digest >"$T/digest.tap" 2>"$T/digest.log"
status2=$?
n=$(cat "$T/host.tap" "$T/digest.tap" | sed -n 's/^1\.\.//p' | awk '{ n += $1 } END { print n }')
plan $((n + 6))
grep -v '^1\.\.' "$T/host.tap"
sed -e '/^1\.\./d' -e 's/^\(\(not \)*ok\) [0-9]* - \(.*\)/\1 - \3 (abstract socket, digest allowed)/' "$T/digest.tap"
KM_TESTS=$n
check "both programs ended well" test "$status$status2" = 00
check "the log says that a hash was refused" grep -q 'only a hash is known' "$T/host.log"
check "the log says that certificate and key differ" grep -q 'the certificate is not of this key' "$T/host.log"
check "a line goes to stderr while it is the file it was at the start, and only then" \
	sh -c "grep -q '6 bytes to be signed' '$T/digest.log' && ! grep -q '7 bytes to be signed' '$T/digest.log'"
check "the log is rate-limited" sh -c "test \$(wc -l <'$T/host.log') -lt 40"
check "GnuTLS's test text was never sent" sh -c "! grep -q 'SIGN digest 9 \|SIGN ? ' '$FAKE_LOG'"
