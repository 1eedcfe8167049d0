#!/bin/sh
# Presigning by engine any between real daemons: two of two peers make a key and sign; three of five go on when two are killed under
# load, from empty pools, and the other engine has its turn again when they are back.
. "$top_srcdir/tests/sys/lib.sh"
. "$top_srcdir/tests/sys/mesh_lib.sh"
MESH_POOL="target = 16; low = 12; batch = 256;"
. "$top_srcdir/tests/sys/system_lib.sh"
MESH_POOL="target = 16; low = 12; batch = 256;"
plan 27

# Every signature is checked by the frontend before it counts; the bench fails when one request fails.
bench() { on fe bench www --clients 4 --rate "$1" --seconds "$2" >"$T/bench.out" 2>&1; }
bench_says() { diag "$(cat "$T/bench.out")"; }

# ---- two of two

must "a mesh of two, both needed" mesh_make 2 2
check "that none may be down is said" sh -c "'$KEYMESHD' --config '$M/p1/keymesh.conf' --check 2>&1 | grep 'threshold 2 of 2 peers'"
must "the daemons start" mesh_start
must "all are live for each other" mesh_ready
must "a key is made" on p1 keygen www --threshold 2
check "presignatures are made" mesh_pool 30 12 2
check "signatures are made" bench 10 5
bench_says
# a pool is filled again below half its target
check "and presignatures again" mesh_pool 30 8 2
for km_node in $MESH_NODES; do
	mesh_end $km_node
	check "$km_node ends well" test "$STATUS" = 0
done
rm -rf "$M"

# ---- three of five, two are killed

must "a mesh of five" mesh_make 5 3
must "the daemons start" mesh_start
must "all are live for each other" mesh_ready
must "a key is made" on p1 keygen www --threshold 3
check "presignatures are made" mesh_pool 60 60 5
mesh_kill p4
mesh_kill p5
# 16 for each of three owners are left of the one quorum that lives: this spends them, and five times as many more
check "with two killed, signing goes on for longer than the pools last" bench 10 24
bench_says
made() { for km_node in p1 p2 p3; do has $km_node peer.presigned "$1" 1 || return 1; done; }
check "as presignatures are made by the three" made 260
check "no signature is missing" sh -c "[ \"\$1\" -ge 240 ]" x "$(json fe frontend.signatures)"
# all that is there is signed away at once: the pools are empty, and fill up again
bench 400 2
check "empty pools fill up again" mesh_pool 60 48 3
check "and signing goes on" bench 10 5
mesh_start p4 p5
check "the killed are back" mesh_ready
check "all pools fill up again" mesh_pool 60 60 5
check "and signing goes on with them" bench 10 5
nobody_is_blamed
