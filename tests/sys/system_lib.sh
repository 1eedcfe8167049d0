# system_lib.sh: a mesh with a key, a server on it, and a load of handshakes, for the tests that break things. Source it after mesh_lib.sh.
#
#	system_start [SED...]    a mesh of five with key www, each SED edit made to every roster; gnutls-serv on $PORT; all pools full
#	load COUNT               that many handshakes in two clients at once; fails if one fails; the figures are in $T/load.out
#	start_load COUNT, load_at N, load_good    the same in the background: start, wait for N signatures of it, wait for the end
#	failing_handshake        fails if it succeeds; $MS is how long it took
#	all_peers PATH VALUE     every peer's status says so
#
# What a load may spend is bounded by what was in the pools before, not by time: each of a quorum's three peers owns 24 presignatures of
# it, 72 in all. While a peer is down, engine any refills, at a speed that a test on a busy machine must not count on.

MESH_POOL="target = 24; low = 20; batch = 64;"
CA=$T/cert.pem
LOG=$T/gnutls-serv.log
SERVER_ENV="KEYMESH_SOCKET=$M/fe/sock KEYMESH_LOG=stderr"

# What all later tests stand on.
must() {
	check "$@"
	[ $km_ret = 0 ] || exit 1
}

# Five peers, 6 quorums each, 20 to 24 of each.
full() { mesh_pool 60 120 5; }

system_make() {
	mesh_make 5 3 || return 1
	for km_edit in "$@"; do
		for km_node in $MESH_NODES; do
			sed -i "$km_edit" "$M/$km_node/roster.conf"
		done
	done
}

# A frontend hears of a new key with the next pings.
system_files() {
	on fe stub www -o "$T/stub.pem" && on fe selfsign www --dns localhost -o "$CA"
}

system_start() {
	must "a mesh of five is configured" system_make "$@"
	must "its daemons start" mesh_start
	must "all are live for each other" mesh_ready
	must "a key is made" on p1 keygen www --threshold 3
	must "its stub and certificate" system_files
	must "gnutls-serv starts" start_gnutls_serv "$CA" "$T/stub.pem"
	SERVER=$PID
	must "all pools are full" full
}

start_load() {
	LOAD0=$(json fe frontend.signatures)
	"$top_builddir/tests/bench/handshakes" --port "$PORT" --ca "$CA" --count "$1" --parallel 2 >"$T/load.out" 2>"$T/load.err" &
	LOAD=$!
	keep $LOAD
}

km_load_at() { [ "$(json fe frontend.signatures)" -ge $((LOAD0 + $1)) ]; }
load_at() { eventually 30 km_load_at "$1"; }

load_good() {
	wait "$LOAD"
	km_wait=$?
	cat "$T/load.out" "$T/load.err"
	return $km_wait
}

load() {
	start_load "$1"
	load_good
}

load_says() { diag "$(cat "$T/load.out")"; }

failing_handshake() {
	{ "$TOOL" elapsed timeout 20 openssl s_client -connect "127.0.0.1:$PORT" -CAfile "$CA" -verify_return_error </dev/null \
		3>"$T/elapsed" >"$T/client.out" 2>&1; } && return 1
	MS=$(cat "$T/elapsed")
}

# Who aggregated how much; and who most since that was written to $T/before.
counts() {
	for km_node in p1 p2 p3 p4 p5; do
		echo "$km_node $(json $km_node peer.signed_as_aggregator)"
	done
}
busiest() { counts | paste -d' ' - "$T/before" | awk '{ print $2 - $4, $1 }' | sort -rn | awk 'NR == 1 { print $2 }'; }

all_peers() {
	for km_node in p1 p2 p3 p4 p5; do
		[ "$(json $km_node "$1")" = "$2" ] || return 1
	done
}

key_id() { json "$1" peer.keys.key_id; }

# Scores from 512 on keep links out of quorums for ten minutes; a death is nobody's fault but the dead's.
unsuspected() {
	for km_node in p1 p2 p3 p4 p5; do
		has $km_node peer.peers.suspicion 512 1 && json $km_node peer.peers.suspicion && return 1
	done
	return 0
}

# The last three of every test.
nobody_is_blamed() {
	check "nobody is convicted" all_peers peer.convictions 0
	check "nothing is in dispute" all_peers peer.disputes 0
	check "no daemon failed an assertion" sh -c "! grep -il 'assert' '$T'/p?.log '$T/fe.log'"
}
