#!/bin/sh
# A peer restarts in the middle of a key generation: the outcome is clear, a repeat works, nothing else suffers.
. "$top_srcdir/tests/sys/lib.sh"
. "$top_srcdir/tests/sys/mesh_lib.sh"
. "$top_srcdir/tests/sys/system_lib.sh"
need_program openssl gnutls-serv
KEYS=
for name in a b c d; do
	KEYS="$KEYS { name = \"$name\"; threshold = 3; contexts = [ \"tls13-server\" ]; frontends = [ \"fe\" ]; },"
done
plan 32
system_start "s/keys = (/keys = ($KEYS/"
ID=$(key_id p1)

start_keygen() {
	# before the shell in the background does, so that nobody reads there what was said of another key
	: >"$T/keygen.out" >"$T/keygen.err"
	on p1 keygen "$1" --threshold 3 >"$T/keygen.out" 2>"$T/keygen.err" &
	KEYGEN=$!
	keep $KEYGEN
}
# its outcome is a key or a reason
clear_outcome() {
	wait $KEYGEN
	km_wait=$?
	cat "$T/keygen.out" "$T/keygen.err"
	[ $km_wait = 0 ] && grep -q "^key '$1' is ready" "$T/keygen.out" || grep -q "^keymesh: key $1 was not made: .*[a-z]" "$T/keygen.err"
}
again() {
	on p2 keygen "$1" --threshold 3 >"$T/again.out" 2>&1
	km_wait=$?
	cat "$T/again.out"
	[ $km_wait = 0 ] || grep -q "there already is a key '$1'" "$T/again.out"
}
everywhere() {
	for km_node in p1 p2 p3 p4 p5; do
		json $km_node peer.keys.name | grep -qx "$1" || return 1
	done
}
signs() {
	tls13_bytes >"$T/tbs"
	on fe sign "$1" --context tls13-server >"$T/$1.sig" <"$T/tbs"
}
settles() {
	check "key $1: all are live again" mesh_ready
	check "key $1: once more: it is made, or is there" again "$1"
	check "key $1: all peers have it" eventually 15 everywhere "$1"
	check "key $1: it signs" eventually 20 signs "$1"
}

# hung from before the first round, then restarted: the others wait for it in the midst of theirs
kill -STOP "$(mesh_pid p3)"
start_keygen a
check "a key generation waits for a peer that hangs" eventually 10 grep -q 'asking peers' "$T/keygen.err"
mesh_kill p3
mesh_start p3
check "key a: the peer is restarted: a key, or a reason" clear_outcome a
settles a

# killed as soon as a round is seen; wherever that hits it
start_keygen b
eventually 10 grep -q 'round 1 of 6' "$T/keygen.err"
mesh_kill p4
mesh_start p4
check "key b: killed in the first rounds: a key, or a reason" clear_outcome b
settles b
start_keygen c
eventually 10 grep -q 'round 5 of 6' "$T/keygen.err"
mesh_kill p5
mesh_start p5
check "key c: killed in the last rounds: a key, or a reason" clear_outcome c
settles c

# the peer that was asked
start_keygen d
eventually 10 grep -q 'round 2 of 6' "$T/keygen.err"
mesh_kill p1
wait $KEYGEN
check "key d: the peer that was asked dies: keymesh says so" grep -q 'keymeshd closed the connection\|connection to keymeshd broke\|is ready' "$T/keygen.err" "$T/keygen.out"
mesh_start p1
settles d

check "the key of before is as it was" test "$(json p4 peer.keys.key_id | grep -cx "$ID")" = 1
nobody_is_blamed
