#!/bin/sh
# A whole rotation under continuous handshakes: two servers go from one key to the next, and no client notices.
. "$top_srcdir/tests/sys/lib.sh"
. "$top_srcdir/tests/sys/mesh_lib.sh"
need_program openssl certtool
unpack_deb lighttpd lighttpd-mod-gnutls exim4-daemon-light || skip_all "the servers cannot be fetched"
HANDSHAKES=$top_builddir/tests/bench/handshakes
MESH_POOL="target = 128; low = 96; batch = 256;"
plan 32

successor() {
	sed -i 's/{ name = "spare";/{ name = "spare"; replaces = "www";/' "$M"/*/roster.conf
	# Exim is another user, who cannot reach the directory of the test
	sed -i "s/^listen = {/listen = { abstract = \"keymesh-test-$$\"; local_users = [ \"65534\" ];/" "$M/fe/keymesh.conf"
}
check "three peers and a frontend are configured" mesh_make 3 2
successor
check "with a key that replaces another" sh -c "for d in $M/p* $M/fe; do $KEYMESHD --check --config \$d/keymesh.conf || exit 1; done"
check "the daemons start" mesh_start
check "all are live for each other" mesh_ready
check "the old key is made" on p1 keygen www --threshold 2
check "its certificate" on fe selfsign www --dns localhost -o "$T/old.pem"
check "its stub" on fe stub www -o "$T/old.key"
check "presignatures are made" mesh_pool 60 64 3

certtool --generate-privkey --ecc --outfile "$T/ca.key" >/dev/null 2>&1
printf 'cn = "authority"\nca\ncert_signing_key\nexpiration_days = 2\n' >"$T/ca.tmpl"
certtool --generate-self-signed --load-privkey "$T/ca.key" --template "$T/ca.tmpl" --outfile "$T/ca.pem" >/dev/null 2>&1
cat "$T/old.pem" "$T/ca.pem" >"$T/trust.pem"

# ---- servers, and clients that never pause

# put WHICH: the files that both servers read; the key first, as a server that watches them looks at the certificate
put() { # a rename, so that nobody reads half a file
	cp "$T/$1.key" "$T/live/key.new" && cp "$T/$1.pem" "$T/live/cert.new" && chmod 644 "$T/live/key.new" "$T/live/cert.new" &&
		mv "$T/live/key.new" "$T/live/key.pem" && mv "$T/live/cert.new" "$T/live/cert.pem"
}
mkdir "$T/live" && put old
SERVER_ENV="KEYMESH_SOCKET=@keymesh-test-$$"
check "lighttpd starts with the old key" start_lighttpd "$T/live/cert.pem" "$T/live/key.pem"
WEB=$PORT WEB_PID=$PID
check "Exim starts with the old key" start_exim "$T/live/cert.pem" "$T/live/key.pem"
MAIL=$PORT_TLS MAIL_PID=$PID

# Handshakes until $T/stop is there: a line for each round.
forever() { # NAME PORT
	until [ -e "$T/stop" ]; do
		"$HANDSHAKES" --port "$2" --ca "$T/trust.pem" --count 20 --parallel 2 >>"$T/$1.rounds" 2>&1
	done
}
forever web "$WEB" &
WEB_CLIENT=$!
forever mail "$MAIL" &
MAIL_CLIENT=$!
keep $WEB_CLIENT
keep $MAIL_CLIENT
rounds() { [ "$(grep -c '^count' "$T/$1.rounds")" -ge "$2" ]; }
check "clients of both are at work" eventually 20 rounds web 2
check "without a failure" eventually 20 rounds mail 2

# ---- the rotation, while they go on

rotate() { on fe rotate www --peer-socket "$M/p1/sock" --dir "$T" "$@" >"$T/rotate.out" 2>"$T/rotate.err"; }
said() { grep -q "$1" "$T/rotate.out" || { cat "$T/rotate.out" "$T/rotate.err"; return 1; }; }
check "rotate makes the new key" rotate
check "and asks for the names of the certificate" said '^to do .*--dns HOST'
check "rotate again makes the request" rotate --dns localhost
check "and asks for a certificate" said '^to do have .*spare.csr signed'
check "openssl verifies the request" openssl req -in "$T/spare.csr" -noout -verify
printf 'cn = "localhost"\ndns_name = "localhost"\nsigning_key\ntls_www_server\nexpiration_days = 2\n' >"$T/new.tmpl"
certtool --generate-certificate --load-request "$T/spare.csr" --load-ca-certificate "$T/ca.pem" --load-ca-privkey "$T/ca.key" --template "$T/new.tmpl" \
	--outfile "$T/new.pem" >/dev/null 2>&1
cp "$T/spare.key" "$T/new.key"
nocheck "another key's certificate is refused" rotate --certificate "$T/old.pem"
check "the right one is taken" rotate --certificate "$T/new.pem"
check "and nobody uses it yet" said '^to do reload the servers'
check "presignatures of the new key" eventually 60 has p1 peer.keys.ready 32 2

served() { # PORT: the certificate there is the new one
	openssl s_client -connect "127.0.0.1:$1" -CAfile "$T/ca.pem" -verify_return_error </dev/null 2>/dev/null | grep -q 'Verification: OK'
}
put new
kill -USR1 "$WEB_PID"
check "lighttpd, reloaded, serves the new certificate" eventually 20 served "$WEB"
# Exim watches the files and asks for no reload
check "Exim serves the new certificate" eventually 20 served "$MAIL"
km_web=$(grep -c '^count' "$T/web.rounds") km_mail=$(grep -c '^count' "$T/mail.rounds")
check "clients go on with it" eventually 20 rounds web $((km_web + 3))
eventually 20 rounds mail $((km_mail + 3))
: >"$T/stop"
wait $WEB_CLIENT $MAIL_CLIENT
none_failed() { diag "$(awk '{ n += $2 } END { print n }' "$T/$1.rounds") handshakes"; ! grep -v ' failed 0 ' "$T/$1.rounds"; }
check "not one handshake with lighttpd failed" none_failed web
check "not one handshake with Exim failed" none_failed mail
use() { rotate --certificate "$T/new.pem" && said 'servers still use www'; }
check "rotate says that the old key was in use until now" use

# ---- the end of the old key: each operator for his own peer

nocheck "a key that was just used is not retired" on p1 retire www
gone() { for km_p in p1 p2 p3; do on $km_p retire www --force || return 1; done; }
check "by force it is, at every peer" gone
no_share() { [ "$(json p2 peer.keys.name)" = spare ] && [ "$(ls "$M/p2/state/sealed" | grep -c '\.share$')" = 1 ]; }
check "its shares are off the disk" no_share
tls13_bytes >"$T/tbs"
nocheck "nothing is signed with it" on fe sign www --context tls13-server <"$T/tbs"
check "the new key goes on" served "$WEB"
end "$MAIL_PID"
end "$WEB_PID"
