#!/bin/sh
# Real daemons, one of five a cheat: it is named by evidence that each peer judges, everybody quarantines it, no request is lost; what
# cannot be proved parts two peers and no more; an operator lists and clears.
. "$top_srcdir/tests/sys/lib.sh"
. "$top_srcdir/tests/sys/mesh_lib.sh"
MESH_POOL="target = 16; low = 12; batch = 64;"
. "$top_srcdir/tests/sys/system_lib.sh"
MESH_POOL="target = 16; low = 12; batch = 64;"
plan 41

EVIL=$top_builddir/tests/sys/evil_daemon
bench() { on fe bench www --clients 4 --rate "$1" --seconds "$2" >"$T/bench.out" 2>&1; }
bench_says() { diag "$(cat "$T/bench.out")"; }

# evil_start NODE HABIT: honest until the file $T/evil exists
evil_start() {
	KM_EVIL=$2 KM_EVIL_FILE=$T/evil "$EVIL" --config "$M/$1/keymesh.conf" >>"$T/$1.log" 2>&1 </dev/null &
	echo $! >"$M/$1/pid"
	keep $!
	wait_socket "$M/$1/sock" "$(cat "$M/$1/pid")"
}

# One mesh of five, p3 a cheat of that habit, with full pools.
mesh_with() {
	rm -f "$T/evil"
	must "a mesh of five" mesh_make 5 3
	must "four honest daemons start" mesh_start p1 p2 p4 p5 fe
	must "and one that will cheat ($1)" evil_start p3 "$1"
	must "all are live for each other" mesh_ready
	must "a key is made" on p1 keygen www --threshold 3
	must "presignatures are made" mesh_pool 60 60 5
}

mesh_over() {
	for km_node in p1 p2 p4 p5 fe; do
		mesh_end $km_node
		[ "$STATUS" = 0 ] || return 1
	done
	mesh_kill p3
	rm -rf "$M"
}

quarantined_at() {
	for km_at in "$@"; do
		on "$km_at" quarantine list --json >"$T/list.out" 2>"$T/list.err" || return 1
		"$top_builddir/tests/sys/json_tool" peers.id <"$T/list.out" | grep -qx 3 || return 1
		"$top_builddir/tests/sys/json_tool" peers.quarantined <"$T/list.out" | grep -qx true || return 1
	done
}
nobody_else() {
	for km_at in "$@"; do
		# being slow is no blame
		[ "$(on "$km_at" quarantine list | grep -v 'suspected\|^nobody' | grep -vc '^3 ')" = 0 ] || return 1
	done
}

# ---- wrong shares under a signed record

mesh_with share
: >"$T/evil"
check "every request is answered while it cheats" bench 20 6
bench_says
check "everybody has quarantined it" eventually 10 quarantined_at p1 p2 p4 p5
check "and nobody else" nobody_else p1 p2 p4 p5
check "the evidence is named" sh -c "grep -q 'E5' '$T/list.out'"
check "the list is for people too" sh -c "KEYMESH_SOCKET=$M/p1/sock '$KEYMESH' quarantine list | grep 'p3.*quarantined.*E5'"
check "its evidence convinces somebody without a mesh" sh -c "'$KEYMESH' evidence verify '$M/p4/state/evidence'/* --roster '$M/roster'"
check "the cheat is named in the log" sh -c "grep -q 'peer 3 (p3) is proved to have cheated' '$T/p1.log' '$T/p2.log'"
mesh_end p2
must "one that restarts" mesh_start p2
check "still knows" eventually 10 quarantined_at p2
on p2 quarantine clear p9 >"$T/out" 2>&1
check "nobody of that name" test $? != 0
on p2 quarantine clear p4 >"$T/out" 2>&1
check "nothing is held against p4" test $? != 0
check "an operator clears it, at his peer" on p2 quarantine clear p3
sleep 3
check "gossip does not bring it back" sh -c "! KEYMESH_SOCKET=$M/p2/sock '$KEYMESH' quarantine list | grep 'p3.*quarantined'"
check "the others go on without it" quarantined_at p1 p4 p5
check "all ends well" mesh_over

# ---- a run that fails

mesh_with w
: >"$T/evil"
check "every request is answered while it spoils runs" bench 20 8
bench_says
check "everybody has quarantined it" eventually 30 quarantined_at p1 p2 p4 p5
check "and nobody else" nobody_else p1 p2 p4 p5
check "all ends well" mesh_over

# ---- wrong shares, and no record

mesh_with silent
: >"$T/evil"
check "every request is answered while it cheats" bench 20 8
bench_says
parted() { on p1 quarantine list --json | "$top_builddir/tests/sys/json_tool" peers.accusers | grep -q .; }
check "it is accused, and that is known to all" eventually 10 parted
check "by nobody who could be wrong" nobody_else p1 p2 p4 p5
check "all ends well" mesh_over
