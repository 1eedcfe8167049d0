#!/bin/sh
# lighttpd (one loop, reads the key file itself, workers fork after loading, chroot), from its Debian packages.
. "$top_srcdir/tests/sys/lib.sh"
need_program openssl curl
need_deb lighttpd lighttpd-mod-gnutls
plan 14
make_pair web
make_pair other
CA=$T/web-cert.pem
FAKE_OPTIONS=
start_fake "$T/web-key.pem"
SERVER_ENV="KEYMESH_SOCKET=$FAKE_SOCKET KEYMESH_LOG=stderr"

check "lighttpd starts with a stub" start_lighttpd "$CA" "$T/stub.pem"
check "openssl, TLS 1.3" handshake_openssl "$PORT" "$CA" -tls1_3
check "openssl, TLS 1.2" handshake_openssl "$PORT" "$CA" -tls1_2
check "curl gets a page" sh -c "curl -sS --noproxy '*' --cacert '$CA' https://localhost:$PORT/ | grep -q 'hello from lighttpd'"
check "the daemon signed" test "$(signatures tls13-server)" -ge 2
end "$PID"

check "with two workers" start_lighttpd "$CA" "$T/stub.pem" 'server.max-worker = 2'
twenty() {
	km_i=0
	while [ $km_i -lt 20 ]; do
		handshake_openssl "$PORT" "$CA" >/dev/null 2>&1 || return 1
		km_i=$((km_i + 1))
	done
}
check "20 handshakes" twenty
end "$PID"

if [ "$(id -u)" = 0 ]; then
	mkdir -p "$T/jail$T/www" && echo jail >"$T/jail$T/www/index.html"
	chmod -R a+rX "$T/jail"
	jail='server.chroot = "'$T/jail'"
		server.username = "nobody"
		server.groupname = "nogroup"'
	check "in a chroot as nobody, by the connection made before" start_lighttpd "$CA" "$T/stub.pem" "$jail"
	check "a handshake" handshake_openssl "$PORT" "$CA"
	check "the connection is root's of before the chroot" sh -c "grep '^SIGN' '$FAKE_LOG' | tail -1 | grep -q uid=0"
	end "$PID"
	SERVER_ENV="KEYMESH_SOCKET=$ABSTRACT KEYMESH_LOG=stderr"
	start_lighttpd "$CA" "$T/stub.pem" "$jail
		server.max-worker = 2"
	check "in a chroot with workers, by the abstract socket" handshake_openssl "$PORT" "$CA"
	check "as nobody" sh -c "grep '^SIGN' '$FAKE_LOG' | tail -1 | grep -q uid=$(id -u nobody)"
	end "$PID"
else
	for name in "in a chroot as nobody, by the connection made before" "a handshake" "the connection is root's of before the chroot" \
		"in a chroot with workers, by the abstract socket" "as nobody"; do
		skip "$name" "needs root"
	done
fi

PRELOAD=
start_lighttpd "$CA" "$T/stub.pem"
check "without the plugin lighttpd does not start with a stub, or no client accepts it" sh -c "! (echo | timeout 20 openssl s_client -connect 127.0.0.1:$PORT -CAfile '$CA' -verify_return_error >/dev/null 2>&1)"
end "$PID"
PRELOAD=$KM_PLUGIN
start_lighttpd "$T/other-cert.pem" "$T/stub.pem"
check "a stub with another key's certificate serves nobody" sh -c "! (echo | timeout 20 openssl s_client -connect 127.0.0.1:$PORT -CAfile '$T/other-cert.pem' -verify_return_error >/dev/null 2>&1)"
