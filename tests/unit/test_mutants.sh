#!/bin/sh
# The catalogue of planted bugs fits the source: every entry names a file in which its text stands exactly once, changes it, says what
# it breaks, and names tests that exist. Whether they see the bug is for `make mutants`, which takes its time.
set -u
LC_ALL=C
export LC_ALL
: "${top_srcdir:=.}" "${top_builddir:=.}"

run=" $(MAKEFLAGS= make -s --no-print-directory -C "$top_builddir" print-tests | tr '\n' ' ') "
awk=$top_srcdir/tests/mutants/mutant.awk
catalogue=$top_srcdir/tests/mutants/catalogue
tmp=$(mktemp -d) || exit 99
trap 'rm -rf "$tmp"' EXIT
trap 'exit 99' HUP INT TERM
count=0
failed=0

result() { # name, fault
	count=$((count + 1))
	if [ -z "$2" ]; then
		echo "ok $count - $1"
	else
		failed=1
		echo "$2" | sed 's/^/# /'
		echo "not ok $count - $1"
	fi
}

# fault NAME FILE KILLERS: what is wrong with the entry
fault() {
	f_name=$1 f_file=$top_srcdir/$2
	shift 2
	[ -f "$f_file" ] || { echo "there is no $f_file"; return; }
	awk -f "$awk" -v mode=apply -v name="$f_name" -v file="$f_file" "$f_catalogue" >"$tmp/mutated" 2>"$tmp/err" || { cat "$tmp/err"; return; }
	cmp -s "$f_file" "$tmp/mutated" && echo "it changes nothing"
	[ -n "$(awk -f "$awk" -v mode=show -v name="$f_name" "$f_catalogue")" ] || echo "it does not say what it breaks"
	[ $# -gt 0 ] || echo "it names no test"
	for f_test in "$@"; do
		f_program=${f_test%%:*}
		case " sim $run" in *" $f_program "*) ;; *) echo "$f_program is in no TESTS"; continue ;; esac
		[ "$f_program" = "$f_test" ] || grep -qE "(\\(|, )${f_test#*:}[,)]" "$top_srcdir/$f_program.c" || echo "$f_program has no case ${f_test#*:}"
	done
}

# bad samples: an entry whose text is nowhere, more than once, without a test, with a case that is none, and one that is right
cat >"$tmp/sample" <<'END'
name: nowhere
file: tests/mutants/mutant.awk
breaks: x
kill: sim
-no such text stands there: "
+x
name: twice
file: tests/mutants/mutant.awk
breaks: x
kill: sim
-name
+x
name: untested
file: tests/mutants/mutant.awk
breaks: x
-BEGIN { is = "" }
+x
name: caseless
file: tests/mutants/mutant.awk
breaks: x
kill: tests/unit/test_err:test_nothing_of_the_kind
-BEGIN { is = "" }
+x
name: right
file: tests/mutants/mutant.awk
breaks: x
kill: sim
-BEGIN { is = "" }
+x
END
f_catalogue=$tmp/sample
for sample in nowhere twice untested caseless; do
	killer=sim
	[ $sample = caseless ] && killer=tests/unit/test_err:test_nothing_of_the_kind
	[ $sample = untested ] && killer=
	if [ -n "$(fault $sample tests/mutants/mutant.awk $killer)" ]; then
		result "bad sample: $sample" ""
	else
		result "bad sample: $sample" "not found"
	fi
done
result "good sample" "$(fault right tests/mutants/mutant.awk sim)"

f_catalogue=$catalogue
if awk -f "$awk" -v mode=list "$catalogue" >"$tmp/list" 2>"$tmp/err"; then
	result "the catalogue is understood" ""
else
	result "the catalogue is understood" "$(cat "$tmp/err")"
fi
result "no name twice" "$(cut -d' ' -f1 "$tmp/list" | sort | uniq -d)"
n=$(wc -l <"$tmp/list")
if [ "$n" -ge 60 ]; then
	result "$n entries" ""
else
	result "$n entries" "there were to be 60 at least"
fi
while read -r name file kill; do
	# shellcheck disable=SC2086
	result "$name" "$(fault "$name" "$file" $kill)"
done <"$tmp/list"
echo "1..$count"
exit $failed
