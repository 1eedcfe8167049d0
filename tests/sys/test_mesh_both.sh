#!/bin/sh
# Nodes that are peer and frontend at once, local users, the abstract socket, systemd's ways, and the end under load.
. "$top_srcdir/tests/sys/lib.sh"
. "$top_srcdir/tests/sys/mesh_lib.sh"
plan 19

# Three nodes p1..p3, each with both roles.
both_make() {
	mkdir -p "$M" && chmod 755 "$M"
	free_ports 6
	set -- $PORTS
	for km_i in 1 2 3; do
		"$KEYMESH" init --dir "$M/p$km_i" --name "p$km_i" --peer-id $km_i --frontend-id $((10 + km_i)) --address "127.0.0.1:$1" \
			--frontend-address "127.0.0.1:$2" --local "$M/p$km_i/sock" >/dev/null || return 1
		shift 2
	done
	{
		echo "peers = ("
		mesh_join "$M"/p[1-3]/peer.entry
		echo "); frontends = ("
		mesh_join "$M"/p[1-3]/frontend.entry
		echo "); keys = ( { name = \"www\"; threshold = 2; contexts = [ \"tls13-server\", \"x509-self\" ]; frontends = [ \"p1\", \"p2\" ]; } );"
	} >"$M/roster"
	for km_i in 1 2 3; do
		cp "$M/roster" "$M/p$km_i/roster.conf"
		sed -i "s/^pool = {/pool = { target = 64; low = 48; batch = 128;/" "$M/p$km_i/keymesh.conf"
	done
	sed -i "s,# abstract = .*,abstract = \"keymesh-test-$$\"; local_users = [ \"nobody\" ];," "$M/p1/keymesh.conf"
	MESH_NODES="p1 p2 p3"
}

check "three nodes of both roles" both_make
check "they start" mesh_start
ready() { for km_n in p1 p2 p3; do has $km_n peer.peers.live true 2 && has $km_n frontend.peers.live true 3 || return 1; done; }
check "and find each other, and each its own peer" eventually 20 ready
check "keygen" on p1 keygen www --threshold 2
check "every frontend hears of the key" eventually 10 on p2 stub www
check "pools" eventually 60 has p1 frontend.peers.ready 60 3
check "signing through the own peer and others" on p1 bench www --clients 4 --rate 50 --seconds 2
used() { has p1 peer.signed_as_aggregator 10 1 && has p2 peer.signed_as_aggregator 10 1 && has p3 peer.signed_as_aggregator 10 1; }
check "every peer was asked" used
says() {
	km_text=$1
	shift
	if "$@" >"$T/says.out" 2>&1; then
		return 1
	fi
	cat "$T/says.out"
	grep -q -- "$km_text" "$T/says.out"
}
check "a frontend that the key's policy does not list is refused" says "not permitted\|refused\|may not\|rights" on p3 selfsign www --dns a.test

# ---- local users
if [ "$(id -u)" = 0 ] && command -v setpriv >/dev/null; then
	chmod 755 "$T" "$M" "$M/p1" "$M/p2"
	as_nobody() { setpriv --reuid=nobody --regid=nogroup --clear-groups env KEYMESH_SOCKET="$1" "$KEYMESH_BIN" "$2" www $3 $4; }
	KEYMESH_BIN=$KEYMESH
	[ -x "$top_builddir/.libs/keymesh" ] && KEYMESH_BIN=$top_builddir/.libs/keymesh
	cp "$KEYMESH_BIN" "$T/tool" && chmod 755 "$T/tool" && KEYMESH_BIN=$T/tool
	check "a listed user may ask for the key" as_nobody "$M/p1/sock" stub
	check "also over the abstract socket" as_nobody "@keymesh-test-$$" stub
	check "but not make keys" says "admin_users" as_nobody "$M/p1/sock" keygen --threshold 2
	check "a user who is not listed is refused" says "local_users" as_nobody "$M/p2/sock" stub
else
	for km_s in "a listed user" "abstract socket" "no keys" "not listed"; do skip "$km_s" "needs root and setpriv"; done
fi

# ---- the end under load
# without a rate: requests are in flight at any moment
on p1 bench www --clients 8 --seconds 3 >"$T/load" 2>&1 &
LOAD=$!
sleep 1
mesh_end p1
check "SIGTERM under load ends with status 0" [ "$STATUS" = 0 ]
wait $LOAD
check "its clients are told" grep -q "closed the connection\|connection to keymeshd broke" "$T/load"
check "the socket is gone" [ ! -e "$M/p1/sock" ]
check "nothing of it is left in the log but notices" sh -c "! grep -q ' error \|broken promise\|Sanitizer' '$T/p1.log'"

# ---- systemd: readiness, priorities of log lines, sealing key as a credential
mkdir -p "$T/creds"
cp "$M/p1/seal.key" "$T/creds/seal"
sed -i 's/^seal = .*/seal = { credential = "seal"; };/' "$M/p1/keymesh.conf"
"$top_builddir/tests/sys/mesh_tool" notified "$T/notify" >"$T/notified" &
NOTIFIED=$!
keep $NOTIFIED
eventually 5 test -S "$T/notify"
CREDENTIALS_DIRECTORY=$T/creds NOTIFY_SOCKET=$T/notify "$KEYMESHD" --config "$M/p1/keymesh.conf" >>"$T/p1.log" 2>&1 </dev/null &
echo $! >"$M/p1/pid"
keep $!
check "the sealing key may be a systemd credential" eventually 10 has p1 peer.keys.name www 1
mesh_end p1
eventually 5 grep -q STOPPING "$T/notified"
check "systemd is told of readiness and of the end" sh -c "grep -q READY=1 '$T/notified' && grep -q STOPPING=1 '$T/notified'"
