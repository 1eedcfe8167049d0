#!/bin/sh
# Exim (a process per connection, forked after the key is loaded), STARTTLS and TLS from the start, from its Debian packages.
. "$top_srcdir/tests/sys/lib.sh"
need_program openssl curl
need_deb exim4-daemon-light
plan 12
make_pair web
make_pair other
CA=$T/web-cert.pem
FAKE_OPTIONS=
start_fake "$T/web-key.pem"
SERVER_ENV="KEYMESH_SOCKET=$FAKE_SOCKET KEYMESH_LOG=stderr"

check "Exim starts with a stub" start_exim "$CA" "$T/stub.pem"
check "STARTTLS, TLS 1.3" handshake_openssl "$PORT" "$CA" -starttls smtp -tls1_3
check "STARTTLS, TLS 1.2" handshake_openssl "$PORT" "$CA" -starttls smtp -tls1_2
check "TLS from the start, TLS 1.3" handshake_openssl "$PORT_TLS" "$CA" -tls1_3
check "TLS from the start, TLS 1.2" handshake_openssl "$PORT_TLS" "$CA" -tls1_2
check "one signature a connection, none for GnuTLS's test text" test "$(grep -c '^SIGN' "$FAKE_LOG")" = 4
check "each by a process and connection of its own, as Exim's user" \
	test "$(grep '^CONNECT' "$FAKE_LOG" | grep -c "uid=$EXIM_UID ")" -ge 4

at_once() {
	km_list=
	for km_i in 1 2 3 4 5 6 7 8; do
		handshake_openssl "$PORT_TLS" "$CA" >/dev/null 2>&1 &
		km_list="$km_list $!"
	done
	for km_pid in $km_list; do
		wait "$km_pid" || return 1
	done
}
check "eight clients at once" at_once
printf 'Subject: x\r\n\r\nhello\r\n' >"$T/mail"
# Debian's Exim itself reads beyond a block of its own there (a strlen in its store), which AddressSanitizer ends
if [ -n "$KM_ASAN" ]; then
	skip "a mail is taken over TLS" "not under AddressSanitizer"
else
	check "a mail is taken over TLS" timeout 20 curl -sS --noproxy '*' --ssl-reqd --cacert "$CA" --mail-from a@localhost \
		--mail-rcpt b@localhost -T "$T/mail" "smtp://localhost:$PORT"
fi
end "$PID"

check "Exim starts with keymesh::web" start_exim "$CA" keymesh::web
check "STARTTLS, keymesh::web" handshake_openssl "$PORT" "$CA" -starttls smtp
end "$PID"

PRELOAD=
start_exim "$CA" "$T/stub.pem"
nocheck "without the plugin no client gets through" handshake_openssl "$PORT_TLS" "$CA"
