#!/bin/sh
# A peer that hangs, a frontend that dies, and too few peers: handshakes go on, or fail clearly and in time, and come back.
. "$top_srcdir/tests/sys/lib.sh"
. "$top_srcdir/tests/sys/mesh_lib.sh"
. "$top_srcdir/tests/sys/system_lib.sh"
need_program openssl gnutls-serv
plan 33
system_start
ID=$(key_id p1)

# ---- a peer that hangs: its channels stay open, its answers stay out

counts >"$T/before"
start_load 60
load_at 20
A=$(busiest)
kill -STOP "$(mesh_pid "$A")"
check "the peer that aggregates most hangs: no handshake fails" load_good
diag "it was $A"
load_says
check "all inside the deadline of 2 s" sh -c "[ \$(sed 's/.*max_us \([0-9]*\).*/\1/' '$T/load.out') -lt 2000000 ]"
check "handshakes while it hangs" load 20
load_says
kill -CONT "$(mesh_pid "$A")"
check "it goes on" mesh_ready
check "with the key it had" test "$(key_id "$A")" = "$ID"
check "all pools fill up again" full
check "and handshakes go on" load 30

# ---- the frontend dies

mesh_kill fe
check "no frontend: the handshake fails" failing_handshake
diag "after $MS ms"
check "inside the deadline" test "$MS" -lt 3000
check "the server's log names the socket" grep -q 'fe/sock' "$LOG"
mesh_start fe
check "it is back" mesh_ready
check "the server finds it: a handshake" eventually 10 handshake_openssl "$PORT" "$CA"
check "and many" load 30

# ---- too few peers

for node in p1 p3 p5; do
	mesh_kill $node
done
check "two of five peers: the handshake fails" failing_handshake
diag "after $MS ms"
check "inside the deadline" test "$MS" -lt 3000
check "the client gets internal_error" grep -qi 'alert internal error\|alert number 80' "$T/client.out"
diag "$(tail -n 1 "$LOG")"
check "the server's log says why" grep -q 'no tls13-server signature with key www after .*2 of 5 peers alive' "$LOG"
tls13_bytes >"$T/tbs"
on fe sign www --context tls13-server <"$T/tbs" >"$T/none.out" 2>"$T/none.err"
check "keymesh sign says: try again later" test $? = 2
diag "$(cat "$T/none.err")"
mesh_start p1 p3 p5
check "all are back" mesh_ready
check "all pools fill up again" full
check "handshakes as before" load 30
check "the server was never restarted" kill -0 "$SERVER"
check "no wrong answer ever" test "$(json fe frontend.bad_replies)" = 0
nobody_is_blamed
