#!/bin/sh
# ctime.sh: no secret decides a branch or an address (valgrind's memcheck over secrets marked undefined; see ctime.h), except in
# Nettle's own asserts, and each of those is shown to be one. TAP.
here=$top_srcdir/tests/ctime
prog=$top_builddir/tests/ctime/ctime
supp=$here/nettle.supp

skip()
{
	echo "1..0 # SKIP CONSTANT TIME WAS NOT TESTED: $1"
	exit 0
}

command -v valgrind >/dev/null || skip "valgrind is missing (Debian: apt-get install valgrind)"
command -v objdump >/dev/null || skip "objdump is missing (Debian: apt-get install binutils)"
[ -x "$prog" ] || skip "built without valgrind/memcheck.h (Debian: apt-get install valgrind)"
why=$("$prog" usable) || skip "$why"

tmp=$(mktemp -d) || exit 99
trap 'rm -rf "$tmp"' EXIT
n=0
result()
{
	n=$((n + 1))
	echo "$1 $n - $2"
}
check()
{
	if [ "$1" -eq 0 ]; then
		result ok "$2"
	else
		result "not ok" "$2"
	fi
}

memcheck()
{
	valgrind -q --error-exitcode=9 --error-limit=no --suppressions="$supp" --log-file="$tmp/log" "$prog" "$@" >"$tmp/out"
}

# Every case, with nothing but the asserts suppressed.
memcheck all
status=$?
grep -v '^base ' "$tmp/out" >"$tmp/cases"
while read -r verdict name; do
	[ "$verdict" = ok ]
	check $? "$name: $verdict"
done <"$tmp/cases"
[ -s "$tmp/cases" ] && [ "$status" -eq 0 ]
check $? "memcheck has nothing to report"
[ "$status" -eq 0 ] || head -n 200 "$tmp/log" | sed 's/^/# /'

# The deliberate leaks, with the same suppressions: every one must be seen.
memcheck control
[ $? -eq 9 ]
check $? "memcheck reports the deliberate leaks"
grep -v '^base ' "$tmp/out" >"$tmp/cases"
while read -r verdict name; do
	[ "$verdict" = leak ]
	check $? "seen: $name: $verdict"
done <"$tmp/cases"

# The list of suppressions: only conditions whose innermost frame is a function of Nettle's internal name space, or one without
# a name in libhogweed that such a function calls.
awk '
	/^#/ || /^$/ { next }
	/^\{$/ { line = unnamed = 0; bad += open; open = 1; next }
	/^\}$/ { bad += !open || line != 3 + unnamed; open = 0; entries++; next }
	{ line++ }
	line == 2 && $0 !~ /^ *Memcheck:Cond$/ { bad++ }
	line == 3 && /^ *obj:\*\/libhogweed\.so\*$/ { unnamed = 1; next }
	line >= 3 && $0 !~ /^ *fun:_nettle_[a-z0-9_]+$/ { bad++ }
	END { exit bad || open || !entries }' "$supp"
check $? "the suppressions name conditions in Nettle's functions and nothing else"

# Where the suppressed reports come from: the same run without suppressions, the innermost frame of each report.
valgrind -q --xml=yes --xml-file="$tmp/xml" --error-limit=no --num-callers=2 "$prog" all >"$tmp/out"
awk '
	function hex(s,    i, v) {
		s = tolower(s)
		sub(/^0x/, "", s)
		for (v = 0; s != ""; s = substr(s, 2))
			v = 16 * v + index("0123456789abcdef", substr(s, 1, 1)) - 1
		return v
	}
	function value(s) { sub(/^[^>]*>/, "", s); sub(/<.*/, "", s); return s }
	$1 == "base" && match($3, /lib(hogweed|nettle)\.so/) { base[substr($3, RSTART, RLENGTH)] = hex($2); next }
	/<error>/ { inner = 1; kind = ""; obj = "none"; fn = "(unnamed)" }
	/<kind>/ { kind = value($0) }
	inner && /<ip>/ { ip = value($0) }
	inner && /<obj>/ { obj = value($0) }
	inner && /<fn>/ { fn = value($0) }
	inner && /<\/frame>/ {
		inner = 0
		lib = match(obj, /lib(hogweed|nettle)\.so/) ? substr(obj, RSTART, RLENGTH) : "none"
		line = kind " " obj " " (lib in base ? sprintf("%x", hex(ip) - base[lib]) : ip) " " fn
		if (!(line in seen))
			print line
		seen[line] = 1
	}' "$tmp/out" "$tmp/xml" >"$tmp/reports"
[ -s "$tmp/reports" ]
check $? "Nettle's asserts are reported when nothing is suppressed"
for lib in $(awk '{ print $2 }' "$tmp/reports" | sort -u); do
	awk -v lib="$lib" '$2 == lib { print "branch", $3, $4 }' "$tmp/reports" >"$tmp/branches"
	objdump -d --no-show-raw-insn "$lib" >"$tmp/code"
	awk -f "$here/asserts.awk" "$tmp/branches" "$tmp/code" >"$tmp/verdicts"
	while read -r verdict address fn; do
		[ "$verdict" = assert ]
		check $? "$fn at $address in ${lib##*/} is an assert"
	done <"$tmp/verdicts"
	[ "$(wc -l <"$tmp/branches")" -eq "$(wc -l <"$tmp/verdicts")" ]
	check $? "every report in ${lib##*/} was looked at"
done

# The proof itself must be able to say no: a branch that no assert stands behind.
printf 'branch 10 leak\nbranch 20 ends\n 10:\tje     18 <f>\n 12:\tadd    %%rax,%%rax\n 14:\tret\n 18:\tret\n' >"$tmp/fake"
printf ' 20:\tjne    28 <f>\n 22:\tret\n 28:\tlea    0x1,%%rdi\n 2c:\tcall   9 <__assert_fail@plt>\n' >>"$tmp/fake"
[ "$(awk -f "$here/asserts.awk" "$tmp/fake" | tr '\n' ' ')" = "other 10 leak assert 20 ends " ]
check $? "a branch without an assert is told apart"
echo "1..$n"
