#!/bin/sh
# Backups of a mesh: each peer's share for its own custodian, drills that prove them, and a peer that comes back from its backup alone.
. "$top_srcdir/tests/sys/lib.sh"
. "$top_srcdir/tests/sys/mesh_lib.sh"
need_program age
need_program age-keygen
SCAN=$top_builddir/tests/sys/byte_scan
plan 80

B=$T/backups
for i in 1 2 3; do
	age-keygen -o "$T/custodian$i" 2>"$T/keygen.$i"
	R="$R $(sed -n 's/^Public key: //p' "$T/keygen.$i")"
done
recipient() { echo "$R" | awk -v n="$1" '{ print $n }'; }
# The backup group of a node.
conf() { sed -i "/^backup = /d; s|^identity = |backup = { $2 };\nidentity = |" "$M/$1/keymesh.conf"; }
# A command that must fail; $T/said is what it said, also after one that need not.
run() {
	"$@" >"$T/said" 2>&1
	km_status=$?
	diag "$(head -c 600 "$T/said")"
	return $km_status
}
said() { grep -q -- "$1" "$T/said"; }
backup() {
	km_at=$1
	shift
	run "$KEYMESH" backup --config "$M/$km_at/keymesh.conf" "$@"
}
restore() {
	km_at=$1
	shift
	run "$KEYMESH" restore --config "$M/$km_at/keymesh.conf" "$@"
}
drill() { KEYMESH_SOCKET=$M/$1/sock run "$KEYMESH" drill "$2" --identity "$3"; }
sign() {
	tls13_bytes >"$T/tbs"
	on fe sign www --context tls13-server <"$T/tbs" >"$T/sig"
}
file_of() { echo "$B/p$1-www-"*.keymesh-backup; }

# ---- backups

check "a mesh of three is configured" mesh_make 3 2
for i in 1 2 3; do
	conf p$i "recipients = [ \"$(recipient $i)\" ]; directory = \"$B\""
done
check "its daemons start" mesh_start
check "all are live for each other" mesh_ready
nocheck "without a key there is nothing to back up" backup p1
check "it says so" said "there is no share of any key"
check "a key is made" on p1 keygen www --threshold 2
check "the status knows of no backup" test false = "$(json p1 peer.keys.backup_age_s)"
check "p1 is backed up while it runs" backup p1
check "one file" test -f "$(file_of 1)"
check "nobody else may read it" test "$(stat -c %a "$(file_of 1)")" = 600
check "its head is in clear" grep -aq "^recipient $(recipient 1)\$" "$(file_of 1)"
check "the peer knows of its backup" test "$(json p1 peer.keys.backup_age_s)" -lt 600
check "the log says so" grep -q "backup of peer 1 (p1) of key www" "$T/p1.log"
check "no other key is" test "$(find "$B" -type f | wc -l)" = 1
check "and shows it to people" sh -c "KEYMESH_SOCKET=$M/p1/sock $KEYMESH status | grep -q 'backed up 0 min ago; all peers. backups drilled never'"

# custodians differ
conf p2 "recipients = [ \"$(recipient 2)\", \"$(recipient 1)\" ]; directory = \"$B\""
nocheck "a recipient of two peers is refused where both backups lie" backup p2
check "it names recipient and peer" said "recipient $(recipient 1) has the share of peer 1 (p1) already"
check "nothing is written" test "$(find "$B" -type f | wc -l)" = 1
sed -i "s|name = \"p1\";|name = \"p1\"; recipients = [ \"$(recipient 1)\" ];|" "$M/p2/roster.conf"
nocheck "and where the roster says so" backup p2
check "it says where" said "backup.recipients\|is a recipient of peer 1"
conf p2 "recipients = [ \"$(recipient 2)\" ]; directory = \"$B\""
check "with its own custodian p2 is backed up" backup p2
mesh_end p3
check "p3 is backed up while it is stopped" backup p3
check "the record is given out, to be handed in" said "^keymesh-record "
cp "$T/said" "$T/record.p3"
check "p3 starts" mesh_start p3
check "the record is handed in" on p3 drill --report "$T/record.p3"
check "the peer knows of its backup" test "$(json p3 peer.keys.backup_age_s)" -lt 600
nocheck "a tool that does not encrypt is refused" sh -c "
	sed 's|directory =|command = [ \"$T/copy\" ]; directory =|' $M/p1/keymesh.conf >$M/p1/copy.conf
	printf '#!/bin/sh\nexec cat\n' >$T/copy; chmod 755 $T/copy
	$KEYMESH backup --config $M/p1/copy.conf >$T/said 2>&1"
check "it says so" said "does not encrypt"

if [ "$(id -u)" = 0 ]; then
	chown 1 "$M/p1/state"
	nocheck "another user than the daemon's is sent away" backup p1
	check "it says who is to do it" said "belongs to user 1"
	chown 0 "$M/p1/state"
else
	skip "another user than the daemon's is sent away" "NOT ROOT: the state cannot be given to another user"
	skip "it says who is to do it" "NOT ROOT: the state cannot be given to another user"
fi

# ---- drills

nocheck "another custodian's identity opens nothing" drill p1 "$(file_of 1)" "$T/custodian2"
check "it shows what age says" said "no identity matched"
check "custodian 1 drills, at p1" drill p1 "$(file_of 1)" "$T/custodian1"
check "p1 takes the record" said "drill of peer 1 (p1) of key www.*known and proved"
check "the audit log says so" grep -raq "drill of peer 1 (p1) of key www" "$M/p1/state/audit"
check "a drill of one peer is none of all" test false = "$(json p1 peer.keys.drill_age_s)"
check "custodian 2 drills away from any mesh" run env KEYMESH_SOCKET="$T/nowhere" "$KEYMESH" drill "$(file_of 2)" --identity "$T/custodian2"
grep ^keymesh-record "$T/said" >"$T/record.2"
check "the record is a line of text" test "$(wc -l <"$T/record.2")" = 1
check "custodian 3 drills into a file" run "$KEYMESH" drill "$(file_of 3)" --identity "$T/custodian3" --record "$T/record.3"
sed 's/.$/0/; t' "$T/record.2" | sed 's/\(.*\)\(........\)$/\1deadbeef/' >"$T/record.forged"
nocheck "a record that was changed proves nothing" on p1 drill --report "$T/record.forged"
check "both are handed in at p1" on p1 drill --report "$T/record.2" "$T/record.3"
check "now all are drilled" test "$(json p1 peer.keys.drill_age_s)" -lt 600
mesh_end p1
check "p1 is started again" mesh_start p1
check "what it knows outlives it" test "$(json p1 peer.keys.drill_age_s)" -lt 600

# damage
cp "$(file_of 1)" "$T/bad"
printf X | dd of="$T/bad" bs=1 seek=$(($(stat -c %s "$T/bad") - 40)) conv=notrunc 2>/dev/null
nocheck "a damaged backup fails in the drill" drill p1 "$T/bad" "$T/custodian1"
sed 's/^key www/key bbb/' "$(file_of 1)" >"$T/bad"
nocheck "one with a changed head too" drill p1 "$T/bad" "$T/custodian1"
check "it says so" said "its head was changed"
head -c 600 "$(file_of 1)" >"$T/bad"
nocheck "one cut off too" drill p1 "$T/bad" "$T/custodian1"

# ---- restore

nocheck "not under a running daemon" restore p3 "$(file_of 3)" --identity "$T/custodian3"
check "it says so" said "another keymeshd works in"
mesh_kill p3
nocheck "not over the same share" restore p3 "$(file_of 3)" --identity "$T/custodian3"
check "it says so" said "has this share already"
for i in 1 2 3; do "$top_builddir/tests/sys/show_secrets" "$M/p3"; done >"$T/secrets"
cp -a "$M/p3" "$T/p3.lost"
rm -rf "$M/p3/state" "$M/p3/identity.secret" "$M/p3/seal.key"
head -c 32 /dev/urandom | od -An -tx1 | tr -d ' \n' >"$M/p3/seal.key"
chmod 600 "$M/p3/seal.key"
nocheck "the disk of p3 is lost, with its identity" restore p3 "$(file_of 3)" --identity "$T/custodian3"
check "it says how to have that too" said "--write-identity"
nocheck "the share of another peer is not p3's" restore p3 "$(file_of 2)" --identity "$T/custodian2" --write-identity "$T/id2"
rm -f "$T/id2"
check "p3 is restored" restore p3 "$(file_of 3)" --identity "$T/custodian3" --write-identity "$M/p3/identity.secret"
check "with the very same identity" cmp "$M/p3/identity.secret" "$T/p3.lost/identity.secret"
check "it starts" mesh_start p3
check "all are live for each other" mesh_ready
mesh_kill p1
check "with p1 gone, p2 and the restored p3 fill their pools" mesh_pool 40 10 2
check "and sign" sign

# ---- a disk that was put back to an earlier time

mesh_end p2
mkdir "$T/elsewhere"
sed -i "s|^identity = |state_counter = \"$T/elsewhere/p2\";\nidentity = |" "$M/p2/keymesh.conf"
check "p2 counts its starts elsewhere" mesh_start p2
mesh_end p2
cp -a "$M/p2/state" "$T/snapshot"
check "p2 starts again" mesh_start p2
mesh_end p2
rm -rf "$M/p2/state"
cp -a "$T/snapshot" "$M/p2/state"
nocheck "put back to before that, it refuses to start" run timeout 20 "$KEYMESHD" --config "$M/p2/keymesh.conf"
check "it says why" said "is older than it was: it counts 1"
check "and what to do" said "begin with an empty state_dir and keymesh restore"
rm -rf "$M/p2/state"
nocheck "an empty one is older too" run timeout 20 "$KEYMESHD" --config "$M/p2/keymesh.conf"
rm -rf "$M/p2/state"
check "restored from its backup" restore p2 "$(file_of 2)" --identity "$T/custodian2"
check "it starts" mesh_start p2
check "it fills its pools with p3" mesh_pool 40 10 2

# ---- all hosts lost (doc/recovery.md); p1 is down and stays so

mesh_end p2
mesh_end p3
for i in 2 3; do
	rm -rf "$M/p$i/state" "$M/p$i/identity.secret" "$M/p$i/seal.key"
	head -c 32 /dev/urandom | od -An -tx1 | tr -d ' \n' >"$M/p$i/seal.key"
	chmod 600 "$M/p$i/seal.key"
done
for i in 2 3; do
	check "custodian $i brings p$i back" restore p$i "$(file_of $i)" --identity "$T/custodian$i" --write-identity "$M/p$i/identity.secret"
done
check "they start" mesh_start p2 p3
check "they fill their pools" mesh_pool 40 10 2
check "and sign" sign

# ---- OpenPGP

if command -v gpg >/dev/null 2>&1; then
	export GNUPGHOME="$T/gpg"
	mkdir -m 700 "$GNUPGHOME"
	check "an OpenPGP custodian" gpg --batch --quiet --passphrase '' --quick-gen-key custodian4@example.org default default
	conf p3 "recipients = [ \"custodian4@example.org\" ]; directory = \"$B\"; command = [ \"$(command -v gpg)\", \"--batch\", \"--trust-model\", \"always\", \"--encrypt\" ]"
	check "p3 is backed up with gpg" backup p3
	check "and drilled with it" env KEYMESH_SOCKET="$M/p3/sock" "$KEYMESH" drill "$(file_of 3)" --gpg
	gpgconf --kill all
else
	for km_what in "an OpenPGP custodian" "p3 is backed up with gpg" "and drilled with it"; do
		skip "$km_what" "NO OPENPGP: gpg is not installed"
	done
fi

# ---- no secret in any of it

rm -rf "$T/p3.lost"
find "$T" -type f ! -name secrets ! -name identity.secret ! -name seal.key ! -name 'custodian*' | sort >"$T/files"
check "there are backups and records to look at" sh -c "for f in '/backups/p3-www' '/record.3' '/state/recovery/drill-2' '/p3.log'; do grep -q \"\$f\" '$T/files' || exit 1; done"
check "no secret of p3 is in any file" xargs "$SCAN" "$T/secrets" <"$T/files"
