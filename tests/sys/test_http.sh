#!/bin/sh
# keymesh-http in front of real daemons: metrics, health, the page, and signatures over mutual TLS.
. "$top_srcdir/tests/sys/lib.sh"
. "$top_srcdir/tests/sys/mesh_lib.sh"
need_program openssl
need_program curl
need_program certtool
HTTP=${KEYMESH_HTTP:-$top_builddir/keymesh-http}
JSON=$top_builddir/tests/sys/json_tool
MESH_POOL="target = 64; low = 48; batch = 256;"
plan 43

# ---- certificates: an authority, the server, a known client, one that nobody knows, one of a stranger

ca() { # NAME
	certtool --generate-privkey --ecc --outfile "$T/$1.key" >/dev/null 2>&1 &&
		printf 'cn = "%s"\nca\ncert_signing_key\nexpiration_days = 2\n' "$1" >"$T/$1.tmpl" &&
		certtool --generate-self-signed --load-privkey "$T/$1.key" --template "$T/$1.tmpl" --outfile "$T/$1.pem" >/dev/null 2>&1
}
issue() { # NAME CA USE
	certtool --generate-privkey --ecc --outfile "$T/$1.key" >/dev/null 2>&1 &&
		printf 'cn = "%s"\ndns_name = "localhost"\nip_address = "127.0.0.1"\nsigning_key\n%s\nexpiration_days = 2\n' "$1" "$3" >"$T/$1.tmpl" &&
		certtool --generate-certificate --load-privkey "$T/$1.key" --load-ca-certificate "$T/$2.pem" --load-ca-privkey "$T/$2.key" \
			--template "$T/$1.tmpl" --outfile "$T/$1.pem" >/dev/null 2>&1
}
certificates() {
	ca ca && ca strange-ca && issue server ca tls_www_server && issue client ca tls_www_client && issue slow ca tls_www_client &&
		issue unknown ca tls_www_client && issue stranger strange-ca tls_www_client && chmod 600 "$T"/*.key
}
fingerprint() { openssl x509 -in "$T/$1.pem" -noout -pubkey | openssl pkey -pubin -outform DER | sha256sum | cut -d' ' -f1; }

configure() {
	free_ports 3
	set -- $PORTS
	PAGES=$1 SIGN=$2
	cat >"$T/http.conf" <<END
socket = "$M/fe/sock";
metrics = { listen = "127.0.0.1:$PAGES"; };
sign = {
	listen = "127.0.0.1:$SIGN";
	certificate = "$T/server.pem"; key = "$T/server.key"; client_ca = "$T/ca.pem";
	deadline_ms = 1500;
	clients = (
		{ name = "client"; fingerprint = "$(fingerprint client)"; keys = [ "www" ]; contexts = [ "tls13-server" ]; },
		{ name = "slow"; fingerprint = "$(fingerprint slow)"; keys = [ "www" ]; contexts = [ "tls13-server" ]; rate = 2; }
	);
};
END
}
start_http() {
	"$HTTP" --config "$T/http.conf" >>"$T/http.log" 2>&1 </dev/null &
	HTTP_PID=$!
	keep $HTTP_PID
	wait_port "$PAGES" $HTTP_PID && wait_port "$SIGN" $HTTP_PID
}

check "certificates" certificates
check "a mesh of five" mesh_make 5 3
configure
check "the configuration passes --check" "$HTTP" --check --config "$T/http.conf"
check "it starts before any daemon does" start_http

# get PATH STATUS: body in $T/body, headers in $T/head
get() { [ "$(curl -s -o "$T/body" -D "$T/head" -w '%{http_code}' "http://127.0.0.1:$PAGES$1")" = "$2" ]; }
says() { grep -q "$1" "$T/body"; }
ready_says() { get /readyz 503 && says "$1"; }
check "not ready without a daemon, and says so" ready_says 'no keymeshd answers'
check "nor alive" get /livez 503
nodaemon() { get /metrics 503 && says '"code":"NoDaemon"'; }
check "no metrics without a daemon" nodaemon
check "the mesh starts" mesh_start
check "all find each other" mesh_ready
check "alive" get /livez 200
check "not ready without a key, and says so" ready_says 'no key is known'
check "keygen" on p1 keygen www --threshold 3
check "presignatures are made" mesh_pool 60 64 5
check "ready" eventually 10 get /readyz 200

# ---- signing

post() { # CLIENT STATUS BODY [curl options]
	km_client=$1 km_status=$2 km_body=$3
	shift 3
	[ "$(curl -s -o "$T/body" -D "$T/head" -w '%{http_code}' --cacert "$T/ca.pem" --cert "$T/$km_client.pem" --key "$T/$km_client.key" \
		-H "Content-Type: ${km_type:-application/json}" --data-binary "$km_body" "$@" "https://127.0.0.1:$SIGN/v1/sign")" = "$km_status" ]
}
body() { printf '{"key":"%s","context":"%s","data":"%s"}' "$1" "$2" "$(base64 -w0 <"$3")"; }
tls13_bytes >"$T/tbs"
tls13_bytes >"$T/other"
GOOD=$(body www tls13-server "$T/tbs")
check "a client gets a signature" post client 200 "$GOOD"
on fe selfsign www --dns www.test -o "$T/cert.pem"
openssl x509 -in "$T/cert.pem" -noout -pubkey >"$T/pub.pem"
field() { "$JSON" "$1" <"$T/body"; }
verifies() { field der | base64 -d >"$T/sig" && openssl dgst -sha256 -verify "$T/pub.pem" -signature "$T/sig" "$T/tbs"; }
check "openssl verifies it" verifies
fields() { [ "$(field r | wc -c)" = 65 ] && [ "$(field s | wc -c)" = 65 ] && [ "$(field precompute_id | wc -c)" = 65 ] && [ "$(field quorum | wc -l)" = 3 ] && [ -n "$(field timestamp)" ]; }
check "the reply has r, s, quorum, precompute_id, timestamp" fields
pubkey() { [ "$(field pubkey)" = "$(openssl pkey -pubin -in "$T/pub.pem" -outform DER | tail -c 65 | od -An -v -tx1 | tr -d ' \n')" ]; }
check "and the public key" pubkey

problem() { grep -qi '^content-type: application/problem+json' "$T/head" && says "\"code\":\"$1\""; }
refused() { # NAME CODE CLIENT STATUS BODY [options]
	km_code=$2
	shift 2
	post "$@" && problem "$km_code"
}
check "other bytes than the context says" refused x ContextMismatch client 400 "$(printf '{"key":"www","context":"tls13-server","data":"aGVsbG8="}')"
check "a context the client has no right to" refused x Forbidden client 403 "$(body www csr "$T/tbs")"
check "a key the client has no right to" refused x Forbidden client 403 "$(body spare tls13-server "$T/tbs")"
check "a hash that is none" refused x InvalidHashFormat client 400 '{"key":"www","hash":"abc"}'
check "a hash where digest is not allowed" refused x Forbidden client 403 "$(printf '{"key":"www","hash":"%064d"}' 7)"
check "hash and data at once" refused x InvalidRequest client 400 '{"key":"www","hash":"00","data":"AA=="}'
check "an unknown member" refused x InvalidRequest client 400 '{"key":"www","nonce":"1","data":"AA=="}'
check "no JSON" refused x InvalidRequest client 400 '{'
check "a nonce policy that is none" refused x InvalidRequest client 400 '{"key":"www","nonce_policy":"mine","data":"AA==","context":"tls13-server"}'
km_type=text/plain
check "another content type" refused x UnsupportedMediaType client 415 "$GOOD"
km_type=
check "another method" refused x MethodNotAllowed client 405 "$GOOD" -X PUT
head -c 70000 /dev/zero | tr '\0' ' ' >"$T/long"
check "a body that is too long" refused x TooLarge client 413 "@$T/long"
check "a certificate nobody knows" refused x Forbidden unknown 403 "$GOOD"
# a server may also end the handshake over a certificate of another authority
stranger() { post stranger 401 "$GOOD" || ! [ -s "$T/head" ]; }
check "a certificate of another authority" stranger
bare() { [ "$(curl -s -o "$T/body" -w '%{http_code}' --cacert "$T/ca.pem" --data-binary "$GOOD" "https://127.0.0.1:$SIGN/v1/sign")" = 401 ]; }
check "no certificate at all" bare

idem() { post client 200 "$GOOD" -H 'Idempotency-Key: a1' && cp "$T/body" "$T/first" && post client 200 "$GOOD" -H 'Idempotency-Key: a1' && cmp "$T/body" "$T/first"; }
check "the same Idempotency-Key gives the same signature" idem
check "for another request it is refused" refused x IdempotencyMismatch client 422 "$(body www tls13-server "$T/other")" -H 'Idempotency-Key: a1'
fresh() { post client 200 "$GOOD" && ! cmp -s "$T/body" "$T/first"; }
check "without it signatures are fresh" fresh
burst() {
	km_limited=0
	for km_i in 1 2 3 4 5 6 7 8; do post slow 429 "$GOOD" && problem RateLimited && grep -qi '^retry-after:' "$T/head" && km_limited=$((km_limited + 1)); done
	[ $km_limited -ge 1 ]
}
check "a client over its rate is told to wait" burst

# ---- metrics

metric() { get /metrics 200 && awk -v n="$1" '$1 == n { v = $2 } END { exit !(v >= '"$2"') }' "$T/body"; }
check "signatures are counted" metric tls_threshold_sign_duration_ms_count 5
lint() {
	get /metrics 200 || return 1
	promtool check metrics <"$T/body" >"$T/lint" 2>&1
	# what the mission's own names are blamed for, and nothing else
	! grep -vE '^tls_threshold_(sign_duration_ms|abort_count|malicious_flagged|precompute_pool_depth|quorum_size) |^$' "$T/lint"
}
if command -v promtool >/dev/null; then
	check "promtool finds nothing beyond the allowed names" lint
else
	skip "promtool finds nothing beyond the allowed names" "promtool (package prometheus) is not installed"
fi
page() { get / 200 && grep -qi '^content-type: text/html' "$T/head" && says '<title>keymesh</title>' && ! grep -qE 'src=|href=|https?://[^w]' "$T/body"; }
check "the page has no external resource" page
status_json() { get /status.json 200 && [ "$(field name)" = fe ]; }
check "the status as JSON" status_json
for km_peer in p1 p2 p3; do mesh_kill $km_peer; done
check "not ready when too few peers answer" eventually 15 ready_says 'of the 3 peers'
quorum() { post client 409 "$GOOD" && problem QuorumInsufficient || { post client 503 "$GOOD" && problem Unavailable; }; }
check "signing says that too few answer" quorum
end $HTTP_PID
