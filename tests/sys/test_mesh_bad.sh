#!/bin/sh
# Bad input at the door: every mistake of an operator ends in a message that says what to do; garbage from outside is dropped.
. "$top_srcdir/tests/sys/lib.sh"
. "$top_srcdir/tests/sys/mesh_lib.sh"
MTOOL=$top_builddir/tests/sys/mesh_tool
plan 41

mesh_make 3 2 || exit 99

# says TEXT COMMAND...: fails, and says TEXT.
says() {
	km_text=$1
	shift
	if "$@" >"$T/says.out" 2>&1 </dev/null; then
		echo "it succeeded"
		return 1
	fi
	cat "$T/says.out"
	grep -q -- "$km_text" "$T/says.out"
}
start_p1() { timeout 10 "$KEYMESHD" --config "$M/p1/keymesh.conf"; }
# mistake NAME TEXT SED-EXPRESSION [FILE]: p1 with a changed file does not start.
mistake() {
	km_file=$M/p1/${4:-roster.conf}
	cp "$km_file" "$T/good"
	sed -i "$3" "$km_file"
	check "$1" says "$2" start_p1
	cp "$T/good" "$km_file"
}

mistake "unknown key" "keymesh.conf:[0-9]*: unknown key stat_dir; did you mean state_dir" 's/^state_dir/stat_dir/' keymesh.conf
mistake "own id not in the roster" "peer_id 9 is not in peers; add" 's/peer_id = 1/peer_id = 9/' keymesh.conf
mistake "id twice" "roster.conf:[0-9]*: peer id 1 is given to p1 already; write" 's/id = 2; name/id = 1; name/'
mistake "threshold over the peers" "threshold 4 is more than the 3 peers" 's/threshold = 2/threshold = 4/'
mistake "threshold 1" "threshold = 1 is out of bounds; write a number from 2" 's/threshold = 2/threshold = 1/'
chmod 640 "$M/p1/identity.secret"
check "group-readable secret" says "its mode is 0640.*chmod 600" start_p1
chmod 600 "$M/p1/identity.secret"
mv "$M/p1/identity.secret" "$T/aside"
check "missing secret" says "identity.secret does not exist" start_p1
cp "$M/p2/identity.secret" "$M/p1/identity.secret"
check "another node's secret" says "are not those of peer 1 (p1)" start_p1
mv "$T/aside" "$M/p1/identity.secret"
check "no configuration" says "does not exist\|cannot be read.*keymesh init" "$KEYMESHD" --config "$T/none.conf"
check "wrong usage" says "usage" "$KEYMESHD" --bogus
check "init does not overwrite" says "exists already" "$KEYMESH" init --dir "$M/p1" --name p1 --peer-id 1 --address a:1 --frontend-address a:2
check "the tool without a daemon" says "no keymeshd answers on" "$KEYMESH" status --socket "$T/nobody"
no_daemon_status() {
	"$KEYMESH" status --socket "$T/nobody"
	[ $? = 3 ]
}
check "and its exit status is 3" no_daemon_status

mesh_start || exit 99
mesh_ready || exit 99
check "two daemons on one state" says "another keymeshd works in" start_p1
cp -r "$M/p1" "$M/q1" && rm -rf "$M/q1/state" && sed -i "s,$M/p1/sock,$M/q1/sock," "$M/q1/keymesh.conf"
check "port in use" says "is in use by another program; stop that one" "$KEYMESHD" --config "$M/q1/keymesh.conf"
check "keygen" on p1 keygen www --threshold 2
check "presignatures" mesh_pool 30 5 3

server_key() { sed -n 's/.*channel = "\([0-9a-f]*\)".*/\1/p' "$M/$1/peer.entry"; }
address() { sed -n "s/.*[{;] $2 = \"\([^\"]*\)\".*/\1/p" "$M/$1/peer.entry"; }
P=$(address p1 address) F=$(address p1 frontend_address) K=$(server_key p1)
nocheck "peers' socket refuses no CURVE" "$MTOOL" null "$P"
nocheck "frontends' socket refuses no CURVE" "$MTOOL" null "$F"
nocheck "peers' socket refuses an unknown key (B29)" "$MTOOL" curve "$P" "$K"
nocheck "frontends' socket refuses an unknown key (B29)" "$MTOOL" curve "$F" "$K"
nocheck "peers' socket refuses a frontend's key" "$MTOOL" as "$M/fe/identity.secret" "$P" "$K" 1
nocheck "frontends' socket refuses a peer's key" "$MTOOL" as "$M/p2/identity.secret" "$F" "$K" 1
check "refusals are counted" has p1 io.connections_refused 4 1
check "a known key is let in, and sends garbage" "$MTOOL" as "$M/fe/identity.secret" "$F" "$K" 500
check "so does a peer" "$MTOOL" as "$M/p2/identity.secret" "$P" "$K" 500
check "garbage on the peers' socket" "$MTOOL" tcp-garbage "$P" 60
check "garbage on the frontends' socket" "$MTOOL" tcp-garbage "$F" 60
check "garbage on the unix socket" "$MTOOL" unix-garbage "$M/p1/sock" 200
check "garbage on the frontend's unix socket" "$MTOOL" unix-garbage "$M/fe/sock" 200
head -c 70000 /dev/zero >"$T/large"
check "a request over the limit" sh -c "! '$KEYMESH' sign www --context tls13-server --socket '$M/fe/sock' <'$T/large'"
blameless() { json p1 peer.convictions && [ "$(json p1 peer.convictions)" = 0 ] && [ "$(json p1 peer.peers.quarantined | grep -c true)" = 0 ]; }
check "nobody was blamed" blameless
alive() { on fe bench www --clients 2 --rate 20 --seconds 2 && on p1 status && on p3 status; }
check "and signing goes on" alive

# p3 comes back with a peer more in its roster than the others have.
mesh_end p3
"$KEYMESH" init --dir "$M/x4" --name x4 --peer-id 4 --address 127.0.0.1:9 --frontend-address 127.0.0.1:10 >/dev/null
sed "s/^peers = (/peers = ( $(cat "$M/x4/peer.entry"),/" "$M/roster" >"$M/p3/roster.conf"
mesh_start p3
check "another roster is noticed by the others" eventually 10 has p1 peer.peers.roster_mismatch true 1
check "and by itself, at every other peer" eventually 10 has p3 peer.peers.roster_mismatch true 2
named() { grep -q 'roster.*p3' "$T/p1.log" && grep -q 'roster.*4' "$T/p1.log"; }
check "the log names the peer, and what differs" eventually 10 named
check "nobody was blamed for it" blameless
check "no key is made with it, and it says why" says "roster" on p2 keygen spare --threshold 2

mesh_end p1
for km_file in "$M"/p1/state/sealed/key-*.share; do break; done
cp "$km_file" "$T/share"
head -c 100 "$T/share" >"$km_file"
check "truncated share" says "is truncated.*backup" start_p1
{ head -c 90 "$T/share"; tail -c +91 "$T/share" | head -c 1 | tr '\000-\377' '\001-\377\000'; tail -c +92 "$T/share"; } >"$km_file"
check "bit-flipped share" says "is damaged.*backup" start_p1
cp "$T/share" "$km_file"
cp "$M/p2/seal.key" "$M/p1/seal.key"
check "wrong sealing key" says "was sealed under another key" start_p1
