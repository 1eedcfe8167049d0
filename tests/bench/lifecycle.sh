#!/bin/sh
# make lifecycle: all that an operator does to a running mesh in its life, under 50 requests a second: how many were made in each
# step, and how many failed. It fails if one failed.
. "$top_srcdir/tests/sys/lib.sh"
. "$top_srcdir/tests/sys/mesh_lib.sh"
. "$top_srcdir/tests/sys/epoch_lib.sh"
MESH_POOL="target = 40; low = 30; batch = 64;"
WRONG=0

fail() {
	echo "lifecycle: $1" >&2
	[ ! -s "$T/step.out" ] || sed 's/^/    /' "$T/step.out" >&2
	exit 1
}

# step "name" COMMAND...: what it does, and what became of the requests meanwhile
step() {
	km_name=$1
	shift
	# rounds that began before belong to the step before
	load_more || fail "no requests are answered"
	km_before=$(load_sum)
	km_start=$(date +%s%N)
	"$@" >"$T/step.out" 2>&1 || fail "$km_name: failed"
	km_ms=$((($(date +%s%N) - km_start) / 1000000))
	load_more || fail "no requests are answered after: $km_name"
	set -- $km_before $(load_sum)
	printf '  %-52s %9d %9d %8d.%d s\n' "$km_name" $(($3 - $1)) $(($4 - $2)) $((km_ms / 1000)) $((km_ms % 1000 / 100))
	[ "$4" = "$2" ] || WRONG=1
}

# The frontend is never restarted, nor are the servers behind it: it knows four peers and the threshold of the beginning, and learns
# the rest from its peers.
live() {
	for km_node in $MEMBERS; do
		eventually 30 km_live_one "$km_node" $(($1 - 1)) || return 1
	done
}
taken_over() { eventually 30 newer "$E" $MEMBERS && eventually 90 one_share $MEMBERS; }
rolling() { restart $MEMBERS; }
refresh() { E=$(json p1 peer.keys.epoch) && on p1 refresh www && taken_over; }
reshare() { E=$(json p1 peer.keys.epoch) && on p1 reshare www && taken_over; }
more_files() { rosters 2 p1 p2 p3 p4 p5 && restart p1 p2 p3 p4 && mesh_start p5 && live 5; }
recover() {
	E=$(json p1 peer.keys.epoch)
	mesh_end p3 && rm -rf "$M/p3/state/sealed" && mesh_start p3 && live 5 && on p1 recover www --peer p3 && taken_over
}
fewer_files() { REMOVED=p5 && rosters 2 p1 p2 p3 p4 && restart p1 p2 p3 p4 p5; }
fewer() { reshare && eventually 60 no_share p5 && mesh_end p5; }
threshold_files() { REMOVED= && rosters 3 p1 p2 p3 p4 && restart p1 p2 p3 p4; }
higher() { reshare && eventually 20 serves_threshold 3; }
rotate_once() {
	on fe rotate www --dns localhost --dir "$T" --peer-socket "$M/p1/sock" >"$T/step.out" 2>&1 && [ -s "$T/next.key" ] && [ -s "$T/next.csr" ]
}
signs_next() { on fe selfsign next --dns localhost -o "$T/next.pem"; }
rotate() { eventually 60 rotate_once && eventually 60 signs_next && mesh_pool 60 60 4; }
# What servers do that are given the new certificate.
change_over() {
	load_pause
	LOAD_KEY=next
	load_go_on
	load_more
}
retire() {
	for km_p in $MEMBERS; do
		on "$km_p" retire www --force || return 1
	done
}

NEXT=next REMOVED= LIVE=4
{ mesh_make 5 2 && rosters 2 p1 p2 p3 p4 && mesh_start p1 p2 p3 p4 fe && live 4; } >"$T/step.out" 2>&1 || fail "the mesh does not start"
on p1 keygen www --threshold 2 >"$T/step.out" 2>&1 && mesh_pool 60 60 4 || fail "the key is not made"
ID=$(json p1 peer.keys.key_id)
load_start
printf '\n  %-52s %9s %9s %10s\n' "four peers, threshold 2, 50 requests a second" requests failures time
step "rolling restart of all peers" rolling
step "refresh" refresh
step "a fifth peer: files, restarts one by one" more_files
step "a fifth peer: reshare, old shares wiped" reshare
step "a peer whose disk is lost: recovery" recover
step "a peer less: files, restarts one by one" fewer_files
step "a peer less: reshare, it has wiped its share" fewer
step "threshold 3: files, restarts one by one" threshold_files
step "threshold 3: reshare" higher
[ "$(json p1 peer.keys.key_id)" = "$ID" ] || fail "the key has become another"
step "rotation: the next key, stub and request" rotate
step "rotation: the servers change over" change_over
step "rotation: the old key is retired" retire
load_pause
set -- $(load_sum)
printf '  %-52s %9d %9d\n\n' "together" "$1" "$2"
[ ! -s "$T/load.err" ] || { cat "$T/load.err" >&2; WRONG=1; }
[ "$2" = 0 ] && [ $WRONG = 0 ] || fail "requests failed"
