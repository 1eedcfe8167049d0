#!/bin/sh
# keymesh evidence: files of every kind are judged and explained; what is wrong with a file is said; nothing crashes.
. "$top_srcdir/tests/sys/lib.sh"
KEYMESH=${KEYMESH:-$top_builddir/keymesh}
D=$T/state/evidence
mkdir -p "$D" "$T/cut"
"$top_builddir/tests/sys/evidence_tool" "$D" >"$T/names" || exit 99
mkdir "$T/side"
mv "$D"/*.roster "$D"/*.raw "$D"/*.void "$T/side/"
KINDS=$(wc -l <"$T/names")
plan $((4 * KINDS + 22))

# gives STATUS TEXT ARGUMENTS...: keymesh evidence ends with this status and says this
gives() {
	km_want=$1 km_text=$2
	shift 2
	"$KEYMESH" evidence "$@" >"$T/gives.out" 2>&1
	km_got=$?
	cat "$T/gives.out"
	[ $km_got = "$km_want" ] && grep -q -- "$km_text" "$T/gives.out"
}
# named NAME: with the roster, the culprit has its name, its rule and its time
named() {
	gives 0 "proved: peer 3 (carol) has cheated" verify "$D/$1" --roster "$T/side/$1.roster" || return 1
	km_rule=$(echo "$1" | sed 's/-.*//; s/^e/E/')
	grep -q "^what: .*($km_rule)" "$T/gives.out" || return 1
	grep -q "peer 3 (carol)  [0-9a-f]\{64\}  as in the roster" "$T/gives.out" || return 1
	case $1 in
	e1-*) ;;
	e5-*) grep -q "2023-11-14 22:13:21 UTC" "$T/gives.out" ;;
	*) grep -q "2023-11-14 22:13:20 UTC" "$T/gives.out" ;;
	esac
}
# void NAME: nobody is convicted of what was right; of some kinds there is nothing right to show
honest() {
	[ -f "$T/side/$1.void" ] || return 0
	gives 1 "^void: this proves nothing" verify "$T/side/$1.void"
}
# Cut off at some lengths, and with some bytes changed: a clear error or void, never another verdict.
damaged() {
	km_len=$(wc -c <"$D/$1")
	for km_at in 1 18 19 22 23 24 58 60 100 $((km_len / 2)) $((km_len - 1)); do
		head -c $km_at "$D/$1" >"$T/cut/$1"
		gives 3 "keymesh: .*\(cut off\|damaged\|no evidence\)" verify "$T/cut/$1" || return 1
	done
	for km_at in 24 40 70 100 300 $((km_len / 2)) $((km_len / 3)); do
		cp "$D/$1" "$T/cut/$1"
		printf '\377\001\200' | dd of="$T/cut/$1" bs=1 seek=$km_at conv=notrunc 2>/dev/null
		"$KEYMESH" evidence verify "$T/cut/$1" >"$T/gives.out" 2>&1
		km_got=$?
		cat "$T/gives.out"
		[ $km_got = 1 ] || [ $km_got = 3 ] || [ $km_got = 0 ] && ! grep -q "peer [12] has cheated" "$T/gives.out" || return 1
	done
}

while read -r name; do
	check "$name: proved by the file alone" gives 0 "proved: peer 3 has cheated" verify "$D/$name"
	check "$name: with a roster it has a name, a rule, a time" named "$name"
	check "$name: shown of who did nothing wrong it is void" honest "$name"
	check "$name: damaged" damaged "$name"
done <"$T/names"

check "a reader is told what to trust" gives 0 "This holds if the identities below are those of your mesh" verify "$D/e4-majority"
check "the key and its table are named" gives 0 "^key: *test, 2 of 3, table [0-9a-f]\{64\}" verify "$D/e4-majority"
check "standard input" sh -c '"$1" evidence verify - <"$2" | grep -q "peer 3 has cheated"' sh "$KEYMESH" "$D/e6-majority"
check "another roster: the culprit is somebody else here" gives 1 "identity is not the one of this roster" \
	verify "$D/e4-majority" --roster "$T/side/e6-majority.roster"
check "a key generation under another roster" gives 1 "signature in it is not" verify "$D/e7-dkg" --roster "$T/side/e6-majority.roster"
sed '/id = 2;/d' "$T/side/e4-majority.roster" >"$T/less.roster"
check "a bystander has left the roster" gives 0 "not in the roster" verify "$D/e4-majority" --roster "$T/less.roster"
check "bare evidence needs a table" gives 1 "a table is needed" verify "$T/side/e4-majority.raw"
check "... which another file brings" gives 0 "peer 3 has cheated" verify "$T/side/e4-majority.raw" --table "$D/e4-majority"
check "... of the same key" gives 1 "not the one the evidence names" verify "$T/side/e4-majority.raw" --table "$D/e6-majority"
check "bare evidence of a key generation needs a roster" gives 1 "identities are needed" verify "$T/side/e7b-dkg.raw"
check "... which proves" gives 0 "peer 3 (carol)" verify "$T/side/e7b-dkg.raw" --roster "$T/side/e7b-dkg.roster"
head -c 5000 /dev/urandom >"$T/garbage"
check "garbage" gives 3 "is no evidence file" verify "$T/garbage"
: >"$T/empty"
check "an empty file" gives 3 "is empty" verify "$T/empty"
check "no file" gives 3 "No such file" verify "$T/nothing"
check "a directory" gives 3 "is a directory" verify "$D"
head -c 5000000 /dev/zero >"$T/long"
check "too long" gives 3 "too long" verify "$T/long"
check "a roster that is none" gives 3 "garbage" verify "$D/e4-majority" --roster "$T/garbage"
check "a roster without peers" sh -c 'echo "x = 1;" >"$1/none"; "$2" evidence verify "$3" --roster "$1/none" 2>&1 | grep -q "no list of peers"' \
	sh "$T" "$KEYMESH" "$D/e4-majority"
check "a table that is none" gives 3 "is no table" verify "$D/e4-majority" --table "$T/garbage"
check "wrong usage" sh -c 'for a in "" verify "verify a b" "list x" judge "verify --nothing a"; do "$1" evidence $a >/dev/null 2>&1; [ $? = 2 ] || exit 1; done' \
	sh "$KEYMESH"
check "list" sh -c '[ "$("$1" evidence list --state "$2" | grep -c "E[0-9b]* *peer 3: ")" = "$3" ]' sh "$KEYMESH" "$T/state" "$KINDS"
check "list of nothing" gives 3 "No such file" list --state "$T/nowhere"
