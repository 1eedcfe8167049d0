#!/bin/sh
# The audit logs of three real daemons: cosigned checkpoints, verified and held against each other from their files alone; then an entry is
# edited, one log is cut and one is restored from a copy, and each is noticed (attack B30).
. "$top_srcdir/tests/sys/lib.sh"
. "$top_srcdir/tests/sys/mesh_lib.sh"
AUDITD=${AUDITD:-$top_builddir/keymesh-audit}
MESH_POOL="target = 64; low = 48; batch = 256;"
plan 38

check "init" mesh_make 3 2
mkdir -m 700 "$T/published" "$T/copy"
for node in p1 p2 p3; do
	echo "audit = { mesh = \"test\"; checkpoint = 1; };" >>"$M/$node/keymesh.conf"
done
sed -i "s|^audit = {|audit = { sync = \"always\"; publish_dir = \"$T/published\";|" "$M/p1/keymesh.conf"
check "all start" mesh_start
check "all find each other" mesh_ready
check "keygen" on p1 keygen www --threshold 2
check "presignatures are made" mesh_pool 60 60 3
check "signatures, with and without waiting for the disk" on fe bench www --clients 4 --rate 40 --seconds 3

log() { echo "$M/$1/state/audit"; }
audit() { "$KEYMESH" audit "$@"; }
# The log has a checkpoint that N others have cosigned.   cosigned NODE N
cosigned() { audit verify --dir "$(log "$1")" --roster "$M/roster" >"$T/verify.$1" 2>&1 && grep -q "  $2 other peer" "$T/verify.$1"; }
check "p1's checkpoint is cosigned by both others" eventually 20 cosigned p1 2
check "p2's too" eventually 20 cosigned p2 2
check "p3's too" eventually 20 cosigned p3 2
check "the log has its name" grep -q "checkpoint: of keymesh/test/p1, signed by peer 1 (p1)" "$T/verify.p1"
check "the checkpoint is published" grep -q '^keymesh/test/p1$' "$T/published/latest"
daily() { ls "$T/published" | grep -q '^checkpoint-20[0-9][0-9]-[01][0-9]-[0-3][0-9]$'; }
check "and the first of the day" daily

audit show --dir "$(log p1)" >"$T/show"
check "a share says what it is for" grep -q ' share context=tls13-server frontend=1 aggregator=[123] quorum=[123],[123] epoch=[0-9]* key=' "$T/show"
check "a signature says what came of it" grep -q ' signature request=.* r=[0-9a-f]\{64\} s=[0-9a-f]\{64\}$' "$T/show"
check "the key's making is there" grep -q ' epoch keygen usable name=www ' "$T/show"
check "and who asked for it" grep -q " operator keygen uid=$(id -u) text=\"www\"" "$T/show"
check "and the start" grep -q '^0 .* process start ' "$T/show"
check "one kind alone" sh -c "'$KEYMESH' audit show --dir '$(log p1)' --kind operator | grep -c . | grep -q '^1\$'"
check "an entry can be proved" sh -c "'$KEYMESH' audit prove 3 --dir '$(log p1)' | head -1 | grep -q '^c2sp.org/tlog-proof@v1\$'"
audit prove 3 --dir "$(log p1)" >"$T/proof"
check "and the proof checked without the log" sh -c "'$KEYMESH' audit check '$T/proof' --roster '$M/roster' | grep -q '^proved: entry 3 of the log keymesh/test/p1'"
sed 's/^index 3$/index 2/' "$T/proof" >"$T/proof.bad"
nocheck "not for another number" audit check "$T/proof.bad" --roster "$M/roster"
nocheck "nor under another key" audit check "$T/proof" --roster "$M/roster" --peer p2
nocheck "one that is not there cannot" audit prove 99999999 --dir "$(log p1)"

mesh_end p1
mesh_end p2
mesh_end p3
logs() { echo "p1=$(log p1) p2=$(log p2) p3=$(log p3)"; }
follow() { # shellcheck disable=SC2046
	"$AUDITD" --roster "$M/roster" --state "$T/watch" --once $(logs)
}
# shellcheck disable=SC2046
compare() { audit compare --roster "$M/roster" $(logs); }
check "the logs agree" compare
check "keymesh-audit finds nothing wrong" follow
cp -r "$(log p1)" "$T/whole.p1"
cp -r "$(log p3)" "$T/whole.p3"

# p1's operator takes the last 3,000 bytes off
seg=$(log p1)/0000000000.log
size=$(stat -c %s "$seg")
head -c $((size - 3000)) "$T/whole.p1/0000000000.log" >"$seg"
nocheck "verify sees a log that was cut" audit verify --dir "$(log p1)" --roster "$M/roster"
nocheck "keymesh-audit too" follow
nocheck "and the daemon does not start with it" mesh_start p1
check "it says why" grep -q "its checkpoint covers" "$T/p1.log"
# ... or changes a byte in the middle
cp "$T/whole.p1/0000000000.log" "$seg"
printf '\377' | dd of="$seg" bs=1 seek=$((size / 2)) conv=notrunc 2>/dev/null
nocheck "verify sees a changed byte" audit verify --dir "$(log p1)" --roster "$M/roster"
nocheck "compare too" compare
# ... with his checkpoint away, so that the daemon takes it for the end of a crash
rm "$(log p1)/checkpoint"
check "without its checkpoint it starts with a shorter log" mesh_start p1 p2
refused() { grep -q "AUDIT: the log of peer 1 (p1)" "$T/p2.log"; }
check "which another peer refuses to cosign" eventually 30 refused
told() { grep -q "has seen [0-9]* entries of our audit log" "$T/p1.log"; }
check "and its own operator is told" eventually 10 told
mesh_end p1
mesh_end p2
check "the witness has it in its log" sh -c "'$KEYMESH' audit show --dir '$(log p2)' --kind witness | grep -q 'peer=1 seen='"
follow >"$T/follow.out" 2>&1
check "keymesh-audit says all of it" sh -c "grep -q 'ALERT log-refused-by-a-peer peer=1 (p1)' '$T/follow.out' && grep -q 'ALERT fork peer=1 (p1)' '$T/follow.out' && grep -q 'ALERT missing-entry peer=1 (p1)' '$T/follow.out'"

check "an export of a log without a full segment is empty" sh -c "'$KEYMESH' audit export --dir '$T/whole.p3' --to '$T/copy' | grep -q '^0 segments'"
mv "$(log p2)" "$T/p2.dir" && echo old >"$(log p2)"
nocheck "a log of the format of before is refused" mesh_start p2
