# mutant.awk: reads tests/mutants/catalogue.
#	awk -f mutant.awk -v mode=list CATALOGUE                      "name file killers..." a line
#	awk -f mutant.awk -v mode=show -v name=N CATALOGUE            what it breaks
#	awk -f mutant.awk -v mode=apply -v name=N -v file=F CATALOGUE the text of F with the mutation; fails unless its text stands there once
function flush_entry() {
	if (is == "")
		return
	if (mode == "list")
		print is, path, kill
	else if (is == name) {
		found = 1
		if (mode == "show")
			print breaks
		else
			apply()
	}
	is = ""
}
function apply(  text, line, at, n) {
	text = ""
	while ((getline line < file) > 0)
		text = text line "\n"
	at = index(text, old)
	if (old == "" || !at || index(substr(text, at + 1), old)) {
		print name ": the text stands in " path (at ? " more than once" : " nowhere") > "/dev/stderr"
		rc = 1
		return
	}
	printf "%s%s%s", substr(text, 1, at - 1), new, substr(text, at + length(old))
}
BEGIN { is = "" }
/^#/ { next }
/^name: / { flush_entry(); is = $2; path = kill = breaks = old = new = ""; olds = news = 0; next }
/^file: / { path = $2; next }
/^breaks: / { breaks = substr($0, 9); next }
/^kill: / { kill = substr($0, 7); next }
/^-/ { old = old (olds++ ? "\n" : "") substr($0, 2); next }
/^\+/ { new = new (news++ ? "\n" : "") substr($0, 2); next }
/^$/ { next }
{ print "line " NR " is not understood: " $0 > "/dev/stderr"; rc = 1 }
END {
	flush_entry()
	if (mode != "list" && !found) {
		print "no mutant " name > "/dev/stderr"
		rc = 1
	}
	exit rc
}
