#!/bin/sh
# kill -9 of peers under a load of handshakes: none fails while a quorum is up and its pool lasts. They come back with their key and
# an empty pool.
. "$top_srcdir/tests/sys/lib.sh"
. "$top_srcdir/tests/sys/mesh_lib.sh"
. "$top_srcdir/tests/sys/system_lib.sh"
need_program openssl gnutls-serv
plan 30
system_start
ID=$(key_id p1)

# ---- two of five

start_load 60
load_at 10
mesh_kill p5
load_at 25
mesh_kill p4
check "kill -9 of two of five peers under load: no handshake fails" load_good
load_says
check "the two are seen to be gone" eventually 10 has fe frontend.peers.live false 2
check "the peer that made most is not one of them" test "$(json fe frontend.failed)" = 0

# ---- they come back, one after the other

mesh_start p4
check "the first is back" eventually 20 has p4 peer.peers.live true 3
check "with the key it had" test "$(key_id p4)" = "$ID"
# four peers presign, too, and at once
since_then() { [ "$(json p4 peer.keys.held)" -le "$(json p4 peer.presigned)" ]; }
check "with nothing in its pool that it did not make since" since_then
forgot() { ! on p1 status | grep -E 'quorum [0-9,]*4[0-9,]* +[1-9][0-9]* ready'; }
check "the others threw away what they had with it" eventually 10 forgot
check "meanwhile a handshake" handshake_openssl "$PORT" "$CA"
mesh_start p5
check "the second is back" mesh_ready
check "with the key it had" test "$(key_id p5)" = "$ID"
check "all pools fill up again" full
check "and handshakes go on" load 30

# ---- the aggregator in use

counts >"$T/before"
start_load 60
load_at 20
A=$(busiest)
mesh_kill "$A"
check "kill -9 of the peer that aggregates most: no handshake fails" load_good
diag "it was $A"
load_says
mesh_start "$A"
check "it is back" mesh_ready
check "with the key it had" test "$(key_id "$A")" = "$ID"
check "its pools fill up again" full
check "and handshakes go on" load 30
check "the server was never restarted" kill -0 "$SERVER"
check "no wrong answer ever" test "$(json fe frontend.bad_replies)" = 0
check "no link is suspected" unsuspected
nobody_is_blamed
