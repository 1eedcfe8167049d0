#!/bin/sh
# The attack book is whole and true: every row has a test or a reason, every test it names is run, switches off the rules it says,
# and no attack program and no rule is in no row.
#
# Every check is first shown a bad sample and has to find it.
set -u
LC_ALL=C
export LC_ALL
: "${top_srcdir:=.}" "${top_builddir:=.}"

run=" $(MAKEFLAGS= make -s --no-print-directory -C "$top_builddir" print-tests | tr '\n' ' ') "
rules=$(sed -n 's/^[	 ]*X(\(km_rule_[a-z0-9_]*\),.*/\1/p' "$top_srcdir/src/base/rules.h")
book=$top_srcdir/tests/attack/book
# rules without a program that shows what happens without them
pending=" "

# Each check reads a table (book.awk) on standard input and prints one line for each fault.

check_lines() {
	sed -n 's/^- bad /not understood: /p'
}
check_rows() {
	{
		i=0; while [ $i -lt 26 ]; do i=$((i + 1)); echo A$i; done
		i=0; while [ $i -lt 30 ]; do i=$((i + 1)); echo B$i; done
	} >"$tmp/want"
	sed -n 's/^\([^ ]*\) row .*/\1/p' >"$tmp/is"
	diff "$tmp/want" "$tmp/is"
}
check_filled() {
	awk '$2 == "row" { row[$1] = 1 } $2 == "test" || $2 == "none" { filled[$1] = 1 }
	END { for (id in row) if (!filled[id]) print id " has neither test nor reason" }'
}
check_run() {
	awk '$2 == "test" { print $3 }' | sort -u | while read -r test; do
		case $run in
		*" $test "*) ;;
		*) echo "$test is in no TESTS" ;;
		esac
	done
}
check_switched() {
	awk '$2 == "rule" { print $3, $4 }' | sort -u | while read -r test rule; do
		echo "$rules" | grep -qx "$rule" || echo "$rule is not in rules.h"
		grep -q "$rule" "$top_srcdir/$test.c" 2>/dev/null || echo "$test does not switch off $rule"
	done
}
check_programs() {
	awk '$2 == "test" { print $3 }' >"$tmp/named"
	for test in $run; do
		case $test in
		tests/attack/*) grep -qx "$test" "$tmp/named" || echo "$test is in no row" ;;
		esac
	done
}
check_rules() {
	awk '$2 == "rule" { print $4 }' >"$tmp/named"
	for rule in $rules; do
		case $pending in *" $rule "*) continue ;; esac
		grep -qx "$rule" "$tmp/named" || echo "$rule is in no row"
	done
}

tmp=$(mktemp -d) || exit 99
trap 'rm -rf "$tmp"' EXIT
trap 'exit 99' HUP INT TERM
count=0
failed=0

result() { # name, faults
	count=$((count + 1))
	if [ -z "$2" ]; then
		echo "ok $count - $1"
	else
		failed=1
		echo "$2" | sed 's/^/# /'
		echo "not ok $count - $1"
	fi
}
table() {
	awk -f "$top_srcdir/tests/attack/book.awk" -v mode=table "$1"
}
# spoilt CHECK NAME SED-SCRIPT: the check must find what the script does to the book
spoilt() {
	sed "$3" "$book" >"$tmp/book"
	cmp -s "$book" "$tmp/book" && { result "bad sample: $2" "the sample is the book itself"; return; }
	if [ -n "$(table "$tmp/book" | $1)" ]; then
		result "bad sample: $2" ""
	else
		result "bad sample: $2" "not found"
	fi
}

spoilt check_lines "a line of no form" 's|^	tests/attack/attack_a7:|	tests/attack/attack_a7 without|'
spoilt check_rows "a row left out" '/^A7:/d'
spoilt check_rows "a row twice" 's/^A8:/A7:/'
spoilt check_filled "a row without test and reason" '/attack_a7/d'
spoilt check_run "a test that does not exist" 's/attack_a7/attack_a77/'
spoilt check_switched "a rule that does not exist" 's/attack_a7: c0/attack_a7: c00/'
spoilt check_switched "a rule of another test" 's/attack_a7: c0/attack_a7: echo/'
spoilt check_programs "an attack program in no row" '/attack_a7/d'
spoilt check_rules "a rule in no row" 's/: bind_once//'

result "every line of the book is understood" "$(table "$book" | check_lines)"
result "it has the rows A1 to A26 and B1 to B30, in order" "$(table "$book" | check_rows)"
result "every row has a test or a reason" "$(table "$book" | check_filled)"
result "every test it names is run" "$(table "$book" | check_run)"
result "every test switches off the rules it is said to" "$(table "$book" | check_switched)"
result "every attack program is in a row" "$(table "$book" | check_programs)"
result "every rule is in a row" "$(table "$book" | check_rules)"
echo "1..$count"
exit $failed
