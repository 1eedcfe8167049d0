#!/bin/sh
# gnutls-serv with a stub and with keymesh:NAME, against openssl, gnutls-cli and curl.
. "$top_srcdir/tests/sys/lib.sh"
need_program openssl gnutls-serv gnutls-cli curl
plan 17
make_pair web
make_pair other
CA=$T/web-cert.pem
FAKE_OPTIONS=
start_fake "$T/web-key.pem"
SERVER_ENV="KEYMESH_SOCKET=$FAKE_SOCKET KEYMESH_LOG=stderr"

check "gnutls-serv starts with a stub" start_gnutls_serv "$CA" "$T/stub.pem"
check "openssl, TLS 1.3" handshake_openssl "$PORT" "$CA" -tls1_3
check "openssl, TLS 1.2" handshake_openssl "$PORT" "$CA" -tls1_2
# the client must list P-256 for the certificate's sake; what the daemon signs shows which group was used
for group in P-256:133 P-384:P-256:165 P-521:P-256:201 X25519:P-256:100; do
	handshake_openssl "$PORT" "$CA" -tls1_2 -groups "${group%:*}" >"$T/group.log" 2>&1
	check "openssl, TLS 1.2, groups ${group%:*}" grep -q "^SIGN tls12-server ${group##*:} ok" "$FAKE_LOG"
done
check "gnutls-cli, TLS 1.3" handshake_gnutls "$PORT" "$CA" NORMAL:-VERS-ALL:+VERS-TLS1.3
check "gnutls-cli, TLS 1.2" handshake_gnutls "$PORT" "$CA" NORMAL:-VERS-ALL:+VERS-TLS1.2
check "curl" handshake_curl "$PORT" "$CA"
check "a client that prefers SHA-384 still gets SHA-256" handshake_openssl "$PORT" "$CA" -tls1_2 -sigalgs ECDSA+SHA384:ECDSA+SHA256
nocheck "the certificate matters to the client" handshake_openssl "$PORT" "$T/other-cert.pem"
check "every signature was made by the daemon: 3 of TLS 1.3" test "$(signatures tls13-server)" -ge 3
check "and 7 of TLS 1.2" test "$(signatures tls12-server)" -ge 7
end "$PID"

check "gnutls-serv starts with keymesh:web" start_gnutls_serv "$CA" keymesh:web
check "openssl, TLS 1.3, keymesh:web" handshake_openssl "$PORT" "$CA" -tls1_3
end "$PID"
start_gnutls_serv "$T/other-cert.pem" "$T/stub.pem"
check "a stub with another key's certificate is refused at load" test $? -ne 0
