# book.awk: reads tests/attack/book.
#	awk -f book.awk -v mode=print BOOK      the list for `make attack-list`; ends with counts
#	awk -f book.awk -v mode=table BOOK      a line "ID kind what" for each row and thing: row, test, rule (what = test rule), none, bad
function show(  i) {
	if (mode != "print" || id == "")
		return
	printf "%-4s %s\n", id, text
	for (i = 1; i <= n; i++)
		printf "     %s\n", line[i]
}
BEGIN { id = ""; n = rows = tests = bare = 0 }
/^#/ || /^$/ { next }
/^[AB][0-9]+: / {
	show()
	id = $1; sub(/:$/, "", id)
	text = $0; sub(/^[^ ]* /, "", text)
	n = 0; rows++
	if (mode == "table")
		print id, "row", "-"
	next
}
/^\ttests\/[a-z]+\/[a-z0-9_.]+(: [a-z0-9_ ]+)?$/ && id != "" {
	test = $1; sub(/:$/, "", test)
	rules = ""
	tests++
	if (mode == "table")
		print id, "test", test
	for (i = 2; i <= NF; i++) {
		rules = rules (rules == "" ? "" : ", ") $i
		if (mode == "table")
			print id, "rule", test, "km_rule_" $i
	}
	line[++n] = test (rules == "" ? "" : ", without " rules)
	next
}
/^\tnone: ./ && id != "" {
	why = $0; sub(/^\tnone: /, "", why)
	bare++
	if (mode == "table")
		print id, "none", why
	line[++n] = "no test of its own: " why
	next
}
mode == "table" { print "-", "bad", $0 }
mode == "print" { print "not understood: " $0; rc = 1 }
END {
	show()
	if (mode == "print")
		printf "%d rows, %d tests, %d reasons for having none\n", rows, tests, bare
	exit rc
}
