#!/bin/sh
# More bad input, beside test_mesh_bad.sh: files of the wrong owner, kind or place, keys that open a door, clocks, rosters and keys that
# differ, guests who never leave; and B29 on the running daemon. Clear error or counted drop, never a crash, never a blamed peer.
. "$top_srcdir/tests/sys/lib.sh"
. "$top_srcdir/tests/sys/mesh_lib.sh"
need_program openssl
POKE=$top_builddir/tests/sys/poke
MTOOL=$top_builddir/tests/sys/mesh_tool
SHIM=$top_builddir/tests/sys/.libs/libtest_shim.so
plan 65

# shimmed NODE VARIABLE=VALUE...: a node whose system tells it something else
shimmed() {
	km_node=$1
	shift
	env LD_PRELOAD="${KM_ASAN:+$KM_ASAN }$SHIM" "$@" "$KEYMESHD" --config "$M/$km_node/keymesh.conf" >>"$T/$km_node.log" 2>&1 </dev/null &
	echo $! >"$M/$km_node/pid"
	keep $!
	wait_socket "$M/$km_node/sock" "$(mesh_pid "$km_node")"
}
# refused NODE STATUS TEXT: the daemon does not start, with that exit status, and says so
refused() {
	timeout 10 "$KEYMESHD" --config "$M/$1/keymesh.conf" >"$T/refused.out" 2>&1 </dev/null
	km_status=$?
	cat "$T/refused.out"
	[ $km_status = "$2" ] && grep -q -- "$3" "$T/refused.out"
}
# with FILE SED STATUS TEXT: p1 with a changed file
with() {
	cp -p "$M/p1/$1" "$T/good"
	sed -i "$2" "$M/p1/$1"
	refused p1 "$3" "$4"
	km_with=$?
	cp -p "$T/good" "$M/p1/$1"
	return $km_with
}
field() { sed -n "s/.*[{;] $2 = \"\([^\"]*\)\".*/\1/p" "$M/$1/peer.entry"; }
blameless() {
	for km_node in p1 p2 p3; do
		[ "$(json $km_node peer.convictions) $(json $km_node peer.disputes)" = "0 0" ] || return 1
		has $km_node peer.peers.quarantined true 1 && return 1
	done
	return 0
}
signs() {
	tls13_bytes >"$T/tbs"
	on fe sign www --context tls13-server -o "$T/sig.$1" <"$T/tbs"
}
ZERO=0000000000000000000000000000000000000000000000000000000000000000
ONE=0100000000000000000000000000000000000000000000000000000000000000

# ---- files

check "three peers and a frontend are configured" mesh_make 3 2
chmod 640 "$M/p1/seal.key"
check "a group-readable sealing key" refused p1 78 'seal.key holds a secret and its mode is 0640.*chmod 600'
chmod 600 "$M/p1/seal.key"
check "a sealing key that is none" with seal.key 's/^./x/' 78 'seal.key is not 64 hex digits'
mv "$M/p1/identity.secret" "$T/aside" && mkdir "$M/p1/identity.secret"
check "a directory for a secret" refused p1 78 'identity.secret is not a regular file'
rmdir "$M/p1/identity.secret"
if [ "$(id -u)" = 0 ]; then
	skip "an unreadable secret" "root reads all"
else
	cp -p "$T/aside" "$M/p1/identity.secret" && chmod 000 "$M/p1/identity.secret"
	check "an unreadable secret" refused p1 78 'identity.secret cannot be read: Permission denied'
fi
rm -f "$M/p1/identity.secret" && mv "$T/aside" "$M/p1/identity.secret"
check "an identity cut short" with identity.secret '/^x25519/d' 78 'no keymesh identity: a line is missing'
mkdir -p "$M/p1/state" && chmod 755 "$M/p1/state"
check "a state directory that others can look into" refused p1 1 'state has mode 0755.*chmod 700'
chmod 700 "$M/p1/state"

# ---- keys that are as good as none: who knows nothing agrees with them (an open allow-list)

KEY2=$(field p2 channel)
FE=$(sed -n 's/.*channel = "\([^"]*\)".*/\1/p' "$M/fe/frontend.entry")
check "B29: a peer's channel key of zeros" with roster.conf "s/$KEY2/$ZERO/" 78 'channel is no X25519 public key\|roster is not usable'
check "B29: a peer's channel key of small order" with roster.conf "s/$KEY2/$ONE/" 78 'channel is no X25519 public key\|roster is not usable'
check "B29: a frontend's channel key of zeros" with roster.conf "s/$FE/$ZERO/" 78 'channel is no X25519 public key'
check "B29: a frontend's channel key of small order" with roster.conf "s/$FE/$ONE/" 78 'channel is no X25519 public key'

# ---- B29: the allow-list of the running daemon

TEST_ZAP=refuse
export TEST_ZAP
KEEP=$KEYMESHD
printf '#!/bin/sh\nexec env LD_PRELOAD="%s" "%s" "$@"\n' "${KM_ASAN:+$KM_ASAN }$SHIM" "$KEEP" >"$T/shimmed" && chmod +x "$T/shimmed"
KEYMESHD=$T/shimmed
check "B29: without its access handler the daemon does not start" refused p1 1 'the access handler cannot be started.*refusing to listen without it'
KEYMESHD=$KEEP
unset TEST_ZAP
nocheck "B29: and never listened" "$TOOL" wait "$(field p1 address | sed 's/.*://')" 100
check "B29: made to believe it has one" shimmed p1 TEST_ZAP=open
check "B29: it would let in a key that nobody knows, at the peers' socket" "$MTOOL" curve "$(field p1 address)" "$(field p1 channel)"
check "B29: and at the frontends' socket" "$MTOOL" curve "$(field p1 frontend_address)" "$(field p1 channel)"
mesh_end p1
check "all start" mesh_start
check "all are live for each other" mesh_ready
nocheck "B29: as it is, the unknown key is refused at the peers' socket" "$MTOOL" curve "$(field p1 address)" "$(field p1 channel)"
nocheck "B29: and at the frontends' socket" "$MTOOL" curve "$(field p1 frontend_address)" "$(field p1 channel)"
check "B29: both are counted" has p1 io.connections_refused 2 1
check "B29: and logged" grep -q 'refused a connection to the socket for .* is not in the configuration' "$T/p1.log"

# ---- the local socket

check "a key is made" on p1 keygen www --threshold 2
check "the pools fill" mesh_pool 30 10 3
check "it signs" signs 1
"$POKE" local "$M/fe/sock" >"$T/poke" 2>&1
diag "$(tr '\n' ';' <"$T/poke")"
for case in "text: cut" "length 0: cut" "length below a head: cut" "length 2^32-1: cut" "length over the limit: cut" "another version: cut" \
	"an unknown request: answer 69" "an answer as a request: answer 69" "a status with a tail: cut" "half a frame: waits"; do
	check "a local client sends ${case%:*}: ${case#*: }" grep -qx "$case" "$T/poke"
done
check "the malformed are counted" has fe io.clients_malformed 7 1
head -c 65537 /dev/zero >"$T/large"
too_large() {
	on fe sign www --context tls13-server <"$T/large" >"$T/large.out" 2>&1
	[ $? = 1 ] && cat "$T/large.out" && grep -q '65536 bytes' "$T/large.out"
}
check "a request over the limit is refused with the limit" too_large
IDLE=
for where in "$(field p1 address)" "$(field p1 frontend_address)" "$M/fe/sock"; do
	"$POKE" idle "$where" 200 >"$T/idle.$(echo "$where" | tr -c 'a-z0-9\n' _)" 2>&1 &
	IDLE="$IDLE $!"
	keep $!
done
there() { [ "$(cat "$T"/idle.* | grep -c there)" = 3 ]; }
check "600 guests who say nothing" eventually 10 there
check "it signs meanwhile" signs 2
for pid in $IDLE; do end "$pid"; done
gone() { [ "$(json fe io.clients)" -le 2 ]; }
check "they leave nothing behind" eventually 10 gone

# ---- clocks

mesh_end p3
check "a peer starts with a clock an hour ahead" shimmed p3 TEST_CLOCK_MS=3600000
check "the others see it" eventually 10 grep -q 'the clock of peer 3 (p3) is 3[56][0-9]* ms ahead of ours' "$T/p1.log"
check "it sees the others" eventually 10 grep -q 'the clock of peer 1 (p1) is 3[0-9]* ms behind of ours\|the clock of peer 1 (p1) is 3[0-9]* ms behind' "$T/p3.log"
no_key() {
	on p1 keygen spare --threshold 2 >"$T/spare.out" 2>&1
	[ $? = 1 ] && grep -q 'key spare was not made: peer 3 (p3) refuses: the clocks differ by 3[56][0-9][0-9] s' "$T/spare.out"
}
check "no key is made with it, and why" no_key
check "it signs without it" signs 3
check "nobody is blamed" blameless
mesh_end p3
mesh_start p3
check "with the right time it takes part again: the pools fill" mesh_pool 40 10 3
mesh_end fe
check "a frontend starts with a clock an hour behind" shimmed fe TEST_CLOCK_MS=-3600000
eventually 10 has fe frontend.peers.live true 3
stale() {
	signs 4 >"$T/stale.out" 2>&1
	[ $? = 1 ] && cat "$T/stale.out" && grep -qi 'clock\|stale\|time' "$T/stale.out"
}
check "its requests are refused, and it says why" stale
diag "$(cat "$T/stale.out")"
mesh_end fe
mesh_start fe
check "with the right time: it signs" eventually 10 signs 5

# ---- what operators say differs

mesh_end p3
"$KEYMESH" init --dir "$M/other" --name p2 --peer-id 2 --address 127.0.0.1:9 --frontend-address 127.0.0.1:10 >/dev/null
cp "$M/p3/roster.conf" "$T/roster.good"
sed -i "s/$(field p2 identity)/$(field other identity)/" "$M/p3/roster.conf"
mesh_start p3
check "a peer with another identity key for a neighbour" eventually 10 grep -q 'roster mismatch: peer 3 has another identity key for 2 (p2)' "$T/p1.log"
check "says so itself" eventually 10 grep -q 'roster mismatch: peer 1 has another identity key for 2 (p2)' "$T/p3.log"
check "status shows it" has p1 peer.peers.roster_mismatch true 1
mesh_end p3
sed "s/$KEY2/$(field other channel)/" "$T/roster.good" >"$M/p3/roster.conf"
mesh_start p3
check "a peer with another channel key for a neighbour" eventually 15 grep -q 'roster mismatch: peer 3 has another channel key for 2 (p2)' "$T/p1.log"
check "the neighbour is told where it fails" eventually 10 grep -q "refused a connection to the socket for peers\|refuses our channel key\|handshake with peer 3 (p3) failed" "$T/p2.log" "$T/p3.log"
check "nobody is blamed" blameless
mesh_end p3
sed 's/name = "fe"; channel/name = "other"; channel/; s/frontends = \[ "fe" \]/frontends = [ "other" ]/g' "$T/roster.good" >"$M/p3/roster.conf"
mesh_start p3
check "names differ: they are local, it takes part" mesh_pool 40 10 3
mesh_end p3
sed 's/"tls13-server", //' "$T/roster.good" >"$M/p3/roster.conf"
mesh_start p3
check "a peer whose operator allows less: the others go on" eventually 20 signs 6
check "nobody is blamed" blameless
cp "$T/roster.good" "$M/p3/roster.conf"

# ---- sealed files in the wrong place

mesh_end p3
mesh_end p1
ID=$(json p2 peer.keys.key_id | head -1 | cut -c1-16)
for SHARE in "$M"/p1/state/sealed/key-"$ID"-*.share; do break; done
cp -p "$SHARE" "$T/share"
: >"$SHARE"
check "an empty share" refused p1 1 'is truncated: it is empty; restore it from a backup'
cp -p "$T/share" "$SHARE"
OTHER=$(dirname "$SHARE")/key-00000000000000000000000000000000.share
cp -p "$T/share" "$OTHER"
check "a share under another name" refused p1 1 'does not authenticate: it is another file.s content or was forged'
rm "$OTHER"
cp -p "$M/p3/state/sealed/$(basename "$SHARE")" "$SHARE" && cp -p "$M/p1/seal.key" "$T/seal.key" && cp -p "$M/p3/seal.key" "$M/p1/seal.key"
check "another peer's share, with its sealing key" refused p1 1 'does not fit this peer\|sealed under another key'
cp -p "$T/seal.key" "$M/p1/seal.key"
cp -p "$T/share" "$SHARE"
check "put right, all start again" mesh_start p1 p3
check "and sign" eventually 20 signs 7
nocheck "no daemon failed an assertion" grep -i assert "$T/p1.log" "$T/p2.log" "$T/p3.log" "$T/fe.log"
