#!/bin/sh
# Every file that looks like a test program is in TESTS: a block lost from a Makefile.inc must not go unnoticed.
: "${top_srcdir:=.}" "${top_builddir:=.}"
run=" $(MAKEFLAGS= make -s --no-print-directory -C "$top_builddir" print-tests | tr '\n' ' ') "
set --
for file in "$top_srcdir"/tests/*/test_*.c "$top_srcdir"/tests/*/test_*.sh "$top_srcdir"/tests/attack/attack_*.[ch] "$top_srcdir"/tests/fuzz/fuzz_*.c; do
	case $file in
	*.h | */fuzz_main.c | */fuzz_make.c | */test_shim.c) continue ;;
	esac
	set -- "$@" "$file"
done
echo "1..$(($# + 1))"
n=0
for file in "$@"; do
	n=$((n + 1))
	name=${file#"$top_srcdir"/}
	case $run in
	*" $name "* | *" ${name%.c} "*) echo "ok $n - $name is run" ;;
	*) echo "not ok $n - $name is in no TESTS" ;;
	esac
done
# and the check itself can fail
case $run in
*" tests/unit/test_no_such_thing "*) echo "not ok $((n + 1)) - a test that does not exist is not found" ;;
*) echo "ok $((n + 1)) - a test that does not exist is not found" ;;
esac
