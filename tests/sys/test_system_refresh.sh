#!/bin/sh
# The life of a key under 50 requests a second: refresh, a peer more, a peer less, another threshold, a disk that is lost. Not one
# request fails, and the public key stays.
. "$top_srcdir/tests/sys/lib.sh"
. "$top_srcdir/tests/sys/mesh_lib.sh"
. "$top_srcdir/tests/sys/epoch_lib.sh"
need_program openssl
MESH_POOL="target = 40; low = 30; batch = 64;"
plan 43

# A file changes everywhere, then every node restarts, one after the other.
grow() { rosters 2 p1 p2 p3 p4 p5 && LIVE=4 && restart p1 p2 p3 p4 fe; }
shrink() { REMOVED=p5 && rosters 2 p1 p2 p3 p4 && LIVE=4 && restart p1 p2 p3 p4 p5 fe; }
threshold() { REMOVED= && rosters "$1" p1 p2 p3 p4 && LIVE=4 && restart p1 p2 p3 p4 fe; }
wipe() { mesh_end "$1" && rm -rf "$M/$1/state/sealed" && mesh_start "$1" && live 5; }

stored_by() { json p1 peer.keys.epochs.stored | tr '\n' ' '; }
one_epoch() { [ "$(json p1 peer.keys.epochs.certified)" = true ] && [ "$(json p1 peer.keys.epochs.serves)" = true ] && [ "$(stored_by)" = "1 2 3 4 " ]; }
in_words() { on p1 status | grep -q 'epoch [0-9]* (2 of 1,2,3,4), made 0 min ago: serves$'; }

check "a mesh of five is configured" mesh_make 5 2
REMOVED=
check "four of them are one" rosters 2 p1 p2 p3 p4
check "the four start" mesh_start p1 p2 p3 p4 fe
check "they are live for each other" live 4
check "a key is made" on p1 keygen www --threshold 2
ID=$(json p1 peer.keys.key_id)
check "its certificate" eventually 20 certificate
check "presignatures are made" mesh_pool 30 60 4

load_start
check "requests are answered" eventually 20 load_rounds 2

# ---- refresh
nocheck "a key that does not exist is not refreshed" on p1 refresh nothing
nocheck "other members than configured are refused" on p1 reshare www --members p1,p2,p3
nocheck "an unknown peer is named" on p1 reshare www --members p1,p9
E1=$(json p1 peer.keys.epoch)
check "the shares are refreshed" on p1 refresh www
check "all peers have the new epoch" eventually 20 newer "$E1" p1 p2 p3 p4
check "the old shares are gone" eventually 30 one_share p1 p2 p3 p4
check "the status has one epoch, which serves and all have stored" eventually 10 one_epoch
check "and says so in words" in_words
check "not one request failed" load_good

# ---- a peer more
check "the files get a fifth peer, with restarts one by one" grow
check "the fifth starts" mesh_start p5
check "all five are live" live 5
E1=$(json p1 peer.keys.epoch)
check "the key is handed on to five" on p1 reshare www --members p1,p2,p3,p4,p5
check "the fifth has a share" eventually 20 newer "$E1" p1 p2 p3 p4 p5
check "the old shares are gone again" eventually 30 one_share p1 p2 p3 p4 p5
check "not one request failed" load_good

# ---- a disk that is lost
check "the third peer's disk is wiped" wipe p3
nocheck "a peer without a share recovers nobody" on p3 recover www --peer p4
E1=$(json p1 peer.keys.epoch)
check "it gets a share again" on p1 recover www --peer p3
check "and so do all" eventually 20 newer "$E1" p1 p2 p3 p4 p5
check "not one request failed" load_good

# ---- a peer less
check "the files lose the fifth peer" shrink
E1=$(json p1 peer.keys.epoch)
check "the key is handed on to four" on p1 reshare www
check "all four have the new epoch" eventually 20 newer "$E1" p1 p2 p3 p4
check "the removed peer has wiped its share" eventually 30 no_share p5
mesh_end p5
check "not one request failed" load_good

# ---- another threshold
check "the files say three" threshold 3
nocheck "that is no refresh" on p1 refresh www
E1=$(json p1 peer.keys.epoch)
check "the key is handed on to three of four" on p1 reshare www --threshold 3
check "all four have it" eventually 20 newer "$E1" p1 p2 p3 p4
check "the frontend serves from it" eventually 20 serves_threshold 3
check "requests go on" eventually 20 load_more
check "not one request failed, to the end" load_end

check "the key is what it was" [ "$(json p1 peer.keys.key_id)" = "$ID" ]
check "its certificate still fits" same_public_key
