#!/bin/sh
# The whole way: five daemons make a key, sign its own certificate, and sign the handshakes of three real servers under the plugin.
. "$top_srcdir/tests/sys/lib.sh"
. "$top_srcdir/tests/sys/mesh_lib.sh"
need_program openssl gnutls-serv gnutls-cli curl
plan 52
CA=$T/cert.pem

# ---- the key

listens_too() {
	sed -i "s/^listen = {/listen = { abstract = \"${ABSTRACT#@}\"; local_users = [ \"65534\" ];/" "$M/fe/keymesh.conf"
}
check "five peers and a frontend are configured" mesh_make 5 3
listens_too
check "six daemons start" mesh_start
check "all are live for each other" mesh_ready
nocheck "there is no stub of a key that is not made" on fe stub www -o "$T/none.pem"
on p2 keygen www --threshold 3 >"$T/keygen.out" 2>"$T/keygen.err"
check "a key is made" test $? = 0
check "every round is shown" sh -c "test \$(grep -c '^round [1-6] of 6' '$T/keygen.err') = 6"
check "and test signatures by quorums" grep -q '^test signature by peers .* is good' "$T/keygen.err"
check "the last line is the result" grep -q "^key 'www' is ready: P-256, any 3 of 5 peers, epoch [0-9]*, id [0-9a-f]*\$" "$T/keygen.out"
nocheck "a key of that name is made once" on p3 keygen www --threshold 3
check "the peers presign in the background" mesh_pool 60 72 5

check "its self-signed certificate" on fe selfsign www --dns localhost -o "$CA"
check "verifies under itself" openssl verify -check_ss_sig -CAfile "$CA" "$CA"
check "is for localhost" sh -c "openssl x509 -in '$CA' -noout -checkhost localhost | grep -q 'does match'"
check "its stub" on fe stub www -o "$T/stub.pem"
openssl x509 -in "$CA" -noout -pubkey >"$T/pub.pem"
check "has the certificate's point" sh -c "openssl ec -in '$T/stub.pem' -pubout 2>/dev/null | cmp - '$T/pub.pem'"
nocheck "and no key" openssl pkey -in "$T/stub.pem" -check -noout
check "a certificate request" on fe csr www --dns localhost --dns www.example.org -o "$T/csr.pem"
check "verifies" openssl req -in "$T/csr.pem" -verify -noout
check "names both hosts" sh -c "openssl req -in '$T/csr.pem' -noout -text | grep -q 'DNS:localhost, DNS:www.example.org'"
check "is for the same key" sh -c "openssl req -in '$T/csr.pem' -noout -pubkey | cmp - '$T/pub.pem'"
tls13_bytes >"$T/tbs"
on fe sign www --context tls13-server -o "$T/sig" <"$T/tbs" 2>"$T/sign.err"
check "keymesh sign" test $? = 0
check "OpenSSL verifies what it wrote" openssl dgst -sha256 -verify "$T/pub.pem" -signature "$T/sig" "$T/tbs"
head -c 100 /dev/urandom >"$T/noise"
on fe sign www --context tls13-server -o "$T/sig2" <"$T/noise" 2>"$T/sign.err"
check "other bytes are not signed" test $? = 1
check "and the reason is given" grep -q 'tls13-server\|context' "$T/sign.err"

# ---- servers and clients

# frontend.signatures now, and what all peers signed as aggregators
signed() { json fe frontend.signatures; }
aggregated() {
	for km_node in p1 p2 p3 p4 p5; do
		json $km_node peer.signed_as_aggregator
	done | awk '{ n += $1 } END { print n }'
}
# tls VERSION PORT [options]: openssl's handshake in exactly that version, the certificate verified
tls() {
	km_version=$1
	km_at=$2
	shift 2
	handshake_openssl "$km_at" "$CA" "-tls$(echo "$km_version" | tr . _)" "$@" >"$T/tls.out" 2>&1 || {
		cat "$T/tls.out"
		return 1
	}
	grep -q "^New, TLSv$km_version, Cipher is .*" "$T/tls.out" && grep -q 'Verify return code: 0 (ok)' "$T/tls.out"
}
SERVER_ENV="KEYMESH_SOCKET=$M/fe/sock KEYMESH_LOG=stderr"
S0=$(signed) A0=$(aggregated)

check "gnutls-serv starts" start_gnutls_serv "$CA" "$T/stub.pem"
check "gnutls-serv: openssl, TLS 1.3" tls 1.3 "$PORT"
check "gnutls-serv: openssl, TLS 1.2" tls 1.2 "$PORT"
check "gnutls-serv: gnutls-cli, TLS 1.3" handshake_gnutls "$PORT" "$CA" NORMAL:-VERS-ALL:+VERS-TLS1.3
check "gnutls-serv: gnutls-cli, TLS 1.2" handshake_gnutls "$PORT" "$CA" NORMAL:-VERS-ALL:+VERS-TLS1.2
check "gnutls-serv: curl" handshake_curl "$PORT" "$CA"
make_pair other
nocheck "gnutls-serv: a client that trusts another certificate goes away" handshake_openssl "$PORT" "$T/other-cert.pem"
end "$PID"
check "gnutls-serv starts with keymesh:www" start_gnutls_serv "$CA" keymesh:www
check "gnutls-serv with keymesh:www: openssl, TLS 1.3" tls 1.3 "$PORT"
end "$PID"
check "seven signatures by the mesh" test $(($(signed) - S0)) -ge 7
check "each by a peer as aggregator" test $(($(aggregated) - A0)) -ge 7

if unpack_deb lighttpd lighttpd-mod-gnutls; then
	S0=$(signed)
	check "lighttpd starts" start_lighttpd "$CA" "$T/stub.pem"
	check "lighttpd: openssl, TLS 1.3" tls 1.3 "$PORT"
	check "lighttpd: openssl, TLS 1.2" tls 1.2 "$PORT"
	check "lighttpd: gnutls-cli" handshake_gnutls "$PORT" "$CA"
	check "lighttpd: curl gets a page" sh -c "curl -sS --noproxy '*' --cacert '$CA' https://localhost:$PORT/ | grep -q 'hello from lighttpd'"
	check "four signatures by the mesh" test $(($(signed) - S0)) = 4
	end "$PID"
else
	for name in starts "openssl, TLS 1.3" "openssl, TLS 1.2" gnutls-cli "curl gets a page" "four signatures"; do
		skip "lighttpd: $name" "its package cannot be fetched"
	done
fi

if unpack_deb exim4-daemon-light; then
	S0=$(signed)
	# as another user, who reads no file of ours and gets not through to the path; a stub holds no secret
	chmod 644 "$CA" "$T/stub.pem"
	SERVER_ENV="KEYMESH_SOCKET=$ABSTRACT KEYMESH_LOG=stderr"
	check "Exim starts" start_exim "$CA" "$T/stub.pem"
	check "Exim: STARTTLS, TLS 1.3" tls 1.3 "$PORT" -starttls smtp
	check "Exim: STARTTLS, TLS 1.2" tls 1.2 "$PORT" -starttls smtp
	check "Exim: TLS from the start, TLS 1.3" tls 1.3 "$PORT_TLS"
	check "Exim: TLS from the start, TLS 1.2" tls 1.2 "$PORT_TLS"
	check "four signatures by the mesh" test $(($(signed) - S0)) = 4
	end "$PID"
else
	for name in starts "STARTTLS, TLS 1.3" "STARTTLS, TLS 1.2" "TLS from the start, TLS 1.3" "TLS from the start, TLS 1.2" "four signatures"; do
		skip "Exim: $name" "its package cannot be fetched"
	done
fi

# ---- what is seen in the end

all_of() {
	for km_node in p1 p2 p3 p4 p5; do
		[ "$(json $km_node "$1")" = "$2" ] || return 1
	done
}
check "no signature was refused, none was bad" test "$(json fe frontend.bad_replies)" = 0
check "nobody is blamed" all_of peer.convictions 0
check "nothing is in dispute" all_of peer.disputes 0
end_all() {
	for km_node in $MESH_NODES; do
		mesh_end "$km_node"
		[ $STATUS = 0 ] || return 1
	done
}
check "all six daemons end well by SIGTERM" end_all
nocheck "and leave no socket" test -e "$M/p1/sock"
