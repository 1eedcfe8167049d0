#!/bin/sh
# The sealing key: its sources, its change under a running daemon, and what a peer with the wrong one says.
. "$top_srcdir/tests/sys/lib.sh"
. "$top_srcdir/tests/sys/mesh_lib.sh"
plan 43

tag() { json "$1" peer.sealed_under; }
sign() {
	tls13_bytes >"$T/tbs"
	on fe sign www --context tls13-server <"$T/tbs" >"$T/sig"
}
conf() { sed -i "s|^seal = .*|seal = { $2 };|" "$M/$1/keymesh.conf"; }
# The daemon of a node does not start; $T/said is why.
refuses() {
	timeout 20 "$KEYMESHD" --config "$M/$1/keymesh.conf" >"$T/said" 2>&1
	km_status=$?
	diag "$(cat "$T/said")"
	[ $km_status = 1 ] || [ $km_status = 78 ]
}
reseal() { on p1 reseal >"$T/said" 2>&1; }
said() { grep -q "$1" "$T/said"; }

check "a mesh of three is configured" mesh_make 3 2
check "its daemons start" mesh_start
check "all are live for each other" mesh_ready
check "a key is made" on p1 keygen www --threshold 2
check "the pools fill" mesh_pool 30 10 3
check "it signs" sign
FIRST=$(tag p1)
check "the status names the sealing key" test ${#FIRST} = 16
check "nothing to change" reseal
check "and it says so" said "already"

# to a command
cat >"$T/vault" <<'END'
#!/bin/sh
[ "$1 $2" = "get a key" ] || { echo "permission denied by policy" >&2; exit 2; }
echo 5a5a5a5a00112233445566778899aabbccddeeff00112233445566778899aabb
END
chmod 755 "$T/vault"
conf p1 "command = [ \"$T/vault\", \"forget\" ];"
nocheck "a command that fails changes nothing" reseal
check "what the command said is shown" said "status 2: permission denied by policy"
check "the key is the same" test "$(tag p1)" = "$FIRST"
conf p1 "command = [ \"$T/vault\", \"get\", \"a key\" ];"
check "the state is sealed under the key of a command" reseal
check "it says how many files" said "files are sealed under key"
SECOND=$(tag p1)
check "it is another key" test "$SECOND" != "$FIRST"
check "the change is over" test ! -e "$M/p1/state/reseal"
check "it signs" sign
mesh_kill p1
check "a peer is killed, and starts with the command" mesh_start p1
check "all are live for each other" mesh_ready

# a passphrase
mesh_kill p1
printf 'anchor velvet orbit maple tundra quartz\n' >"$T/pass"
chmod 600 "$T/pass"
conf p1 "passphrase_file = \"$T/pass\";"
check "the passphrase is not what the state was sealed with" refuses p1
check "it says why: without its salt a passphrase is nothing" said "kdf is missing, and there are sealed files"
conf p1 "command = [ \"$T/vault\", \"get\", \"a key\" ];"
check "back to the command" mesh_start p1
conf p1 "passphrase_file = \"$T/pass\";"
check "the state is sealed under a passphrase" reseal
THIRD=$(tag p1)
check "it is another key" test "$THIRD" != "$SECOND"
mesh_end p1
check "a peer is stopped, and starts with the passphrase" mesh_start p1
check "all are live for each other" mesh_ready
check "the pools fill" mesh_pool 30 10 3
check "it signs" sign

# a vault that takes its time: the peer goes on
mkfifo "$T/fifo"
cat >"$T/slow" <<'END'
#!/bin/sh
: >"$1.began"
read -r word <"$1" && echo "$word"
END
chmod 755 "$T/slow"
conf p1 "command = [ \"$T/slow\", \"$T/fifo\" ];"
on p1 reseal >"$T/slow.out" 2>&1 &
RESEAL=$!
keep $RESEAL
check "re-sealing has begun" eventually 10 test -e "$T/fifo.began"
BEFORE=$(json p1 peer.signed_as_aggregator)
# Who aggregates is drawn for each request.
sign_on_p1() {
	for km_try in $(seq 40); do
		sign || return 1
		[ "$(json p1 peer.signed_as_aggregator)" -gt "$BEFORE" ] && return 0
	done
	return 1
}
check "while it waits for its new key, p1 signs" sign_on_p1
nocheck "a second change has to wait" reseal
check "it says so" said "under way already"
echo 77777777777777777777777777777777777777777777777777777777777777aa >"$T/fifo"
wait $RESEAL
check "then it is done" test $? = 0
check "with another key" test "$(tag p1)" != "$THIRD"
conf p1 "passphrase_file = \"$T/pass\";"
check "and back" reseal

# the wrong one
mesh_end p1
conf p1 "key_file = \"seal.key\";"
check "the first key opens nothing any more" refuses p1
check "it is told which key is wanted" said "it wants key $THIRD, the one given is $FIRST"

# what stands beside
conf p1 "passphrase_file = \"$T/pass\";"
sed -i 's/orbit/orbits/' "$T/pass"
check "a wrong passphrase opens nothing" refuses p1
check "it is told which key is wanted" said "it wants key $THIRD"
sed -i 's/orbits/orbit/' "$T/pass"
printf 'x' >>"$M/p1/state/kdf"
check "a damaged salt is refused" refuses p1
check "it says so" said "kdf is damaged"
truncate -s -1 "$M/p1/state/kdf"
check "put right it starts" mesh_start p1
check "all are live for each other" mesh_ready
