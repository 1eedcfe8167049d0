#!/bin/sh
# Five real daemons and a frontend on loopback: a key, certificates, signatures, deaths and restarts.
. "$top_srcdir/tests/sys/lib.sh"
. "$top_srcdir/tests/sys/mesh_lib.sh"
need_program openssl
# Enough for the one quorum that is left when two are dead: it cannot make more.
MESH_POOL="target = 64; low = 48; batch = 256;"
plan 29

check "init makes five peers and a frontend" mesh_make 5 3
check "every configuration passes --check" sh -c "for d in $M/p* $M/fe; do [ ! -f \$d/keymesh.conf ] || $KEYMESHD --check --config \$d/keymesh.conf || exit 1; done"
check "all start" mesh_start
check "all find each other" mesh_ready

check "no core dumps" awk '/core file size/ { exit !($5 == 0 && $6 == 0) }' "/proc/$(mesh_pid p1)/limits"
locked() { awk '/VmLck/ { exit !($2 > 0) }' "/proc/$(mesh_pid p1)/status"; }
if grep -q __asan_init "$KEYMESHD"; then
	skip "secrets are locked in memory" "AddressSanitizer does away with mlock"
else
	check "secrets are locked in memory" locked
fi
private() { [ "$(stat -c %a "$M/p1/state")" = 700 ] && [ "$(stat -c %a "$M/p1/identity.secret")" = 600 ]; }
check "state and secrets are private" private

check "keygen" on p1 keygen www --threshold 3
# The ceremony, for a third party.
check "the transcript is taken out of a peer's store" "$KEYMESH" transcript export www --config "$M/p2/keymesh.conf" -o "$T/ceremony"
transcript() { "$KEYMESH" transcript verify "$1" --roster "$M/p1/keymesh.conf" >"$T/said"; }
ceremony() { transcript "$T/ceremony" && grep -q '^it holds' "$T/said" && grep -q 'joined by all of them' "$T/said"; }
check "the transcript holds" ceremony
# in the middle of the rounds
spoilt() {
	head -c 3000 "$T/ceremony" >"$T/spoilt" && printf 'x' >>"$T/spoilt" && tail -c +3002 "$T/ceremony" >>"$T/spoilt"
	transcript "$T/spoilt"
	[ $? = 1 ] && grep -q '^it does not hold' "$T/said"
}
check "with one other byte it does not" spoilt
nocheck "a second key of the name is refused" on p2 keygen www --threshold 3
nocheck "a key that is not in the configuration is refused" on p1 keygen other --threshold 3
nocheck "another threshold than the configuration's is refused" on p1 keygen www --threshold 2
check "presignatures are made" mesh_pool 60 250 5

check "selfsign" on fe selfsign www --dns www.test --dns alt.test -o "$T/cert.pem"
check "openssl verifies the certificate" openssl verify -CAfile "$T/cert.pem" -verify_hostname alt.test "$T/cert.pem"
csr() { on fe csr www --dns www.test >"$T/csr.pem" && openssl req -in "$T/csr.pem" -noout -verify -text | grep -q 'DNS:www.test'; }
check "openssl verifies a certificate request" csr
stub() { on fe stub www -o "$T/stub.pem" && openssl pkey -in "$T/stub.pem" -noout && [ "$(stat -c %a "$T/stub.pem")" = 600 ]; }
check "the stub is a key file" stub
openssl x509 -in "$T/cert.pem" -noout -pubkey >"$T/pub.pem"
signed() {
	tls13_bytes >"$T/tbs" && on fe sign www --context tls13-server <"$T/tbs" >"$T/sig" &&
		openssl dgst -sha256 -verify "$T/pub.pem" -signature "$T/sig" "$T/tbs"
}
check "openssl verifies a signature" signed
nocheck "bytes that are not what the context says are refused" sh -c "echo hello | '$KEYMESH' sign www --context tls13-server --socket $M/fe/sock"

mesh_kill p2
mesh_kill p4
check "with two of five killed, signing goes on from the pool" on fe bench www --clients 4 --rate 20 --seconds 3
check "and signatures still verify" signed

mesh_end p3
mesh_end_status() { [ "$STATUS" = 0 ]; }
check "SIGTERM ends a peer with status 0" mesh_end_status
# Presignatures live in memory only: whoever held some has told no file of them.
nothing_else() { [ "$(ls "$M/p3/state/sealed" | grep -vc '^key-\|^archive-\|quarantine\|^counter$\|^witness.state$')" = 0 ]; }
check "nothing but shares and their archive is on the disk" nothing_else
check "it and the killed ones start again" mesh_start p2 p3 p4
same_key() { on fe selfsign www --dns www.test >"$T/cert2.pem" && openssl x509 -in "$T/cert2.pem" -noout -pubkey | cmp - "$T/pub.pem"; }
empty() { has p3 peer.keys.name www 1 && ! grep -q 'damaged\|sealed under' "$T/p3.log"; }
check "a restart keeps the key" empty
check "presignatures are made again" mesh_pool 30 5 5
check "certificates under the same key" eventually 20 same_key
