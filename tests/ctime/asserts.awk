# asserts.awk: are these branches asserts?
#
# Input: lines "branch ADDRESS FUNCTION" (hexadecimal, no 0x), then the output of objdump -d.
# Output: a line "assert ADDRESS FUNCTION" for each branch of which exactly one side runs into __assert_fail,
# "other ADDRESS FUNCTION" for every other.

$1 == "branch" {
	address[++n] = $2
	name[n] = $3
	next
}

/^ *[0-9a-f]+:\t/ {
	at = $1
	sub(/:$/, "", at)
	text = $0
	sub(/^[^\t]*\t/, "", text)
	insn[at] = text
	if (last != "")
		after[last] = at
	last = at
}

function target(text,    part)
{
	split(text, part, / +/)
	return part[2]
}

# Straight on from here, through jumps that are always taken, to a call of __assert_fail; a return or another branch first: no.
function fails(at,    steps)
{
	for (steps = 0; steps < 16 && at in insn; steps++) {
		if (insn[at] ~ /^call .*<__assert_fail(@plt)?>/)
			return 1
		if (insn[at] ~ /^jmp /)
			at = target(insn[at])
		else if (insn[at] ~ /^(ret|j)/)
			return 0
		else
			at = after[at]
	}
	return 0
}

END {
	for (i = 1; i <= n; i++) {
		at = address[i]
		ok = at in insn && insn[at] ~ /^j[a-z]+ / && insn[at] !~ /^jmp/ && \
			fails(target(insn[at])) + fails(after[at]) == 1
		print (ok ? "assert" : "other"), at, name[i]
	}
}
