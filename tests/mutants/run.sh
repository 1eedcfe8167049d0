#!/usr/bin/env bash
# run.sh TOP BUILD [NAME...]: plants the bugs of the catalogue, each in a test program linked for it (plant.sh, Makefile.inc), and says
# which test saw which: first those that the entry names, then every other unit and attack program and a batch of the simulator. A table
# at the end, in BUILD/mutants/table too; fails for a bug that nothing saw, and for a test that fails without any. The sources must stay
# as they are while it runs.
#
#	KM_MUTANT_QUICK=1   only the tests that the entries name
#	KM_MUTANT_JOBS=N    that many bugs at a time; as many as there are cores, if unset
#	KM_MUTANT_SEEDS=A-B the batch of the simulator
#	KM_MUTANT_CPU_S=N   a program that takes more than that has seen the bug: it does not end
set -uo pipefail
top=$(cd "$1" && pwd) build=$(mkdir -p "$2/mutants" && cd "$2" && pwd)
shift 2
export KM_MUTANT_TOP=$top KM_MUTANT_BUILD=$build
catalogue=$top/tests/mutants/catalogue awk=$top/tests/mutants/mutant.awk plant=$top/tests/mutants/plant.sh
jobs=${KM_MUTANT_JOBS:-$(nproc)} quick=${KM_MUTANT_QUICK:-}
dir=$build/mutants

"${AWK:-awk}" -f "$awk" -v mode=list "$catalogue" >"$dir/list" || exit 99
if [ $# -gt 0 ]; then
	# shellcheck disable=SC2016
	printf '%s\n' "$@" | "${AWK:-awk}" 'NR == FNR { want[$1]; next } $1 in want' - "$dir/list" >"$dir/chosen"
else
	cp "$dir/list" "$dir/chosen"
fi
n=$(wc -l <"$dir/chosen")
[ "$n" -gt 0 ] || { echo "no such mutant"; exit 99; }

cut -d' ' -f3- "$dir/chosen" | tr ' ' '\n' | grep . | sort -u >"$dir/named"
programs() {
	sed 's/:.*//; s/^sim$/tests\/sim\/sim/' | sort -u
}
: >"$dir/others"
[ -n "$quick" ] || {
	${MAKE:-make} -s --no-print-directory -C "$build" print-tests | tr ' ' '\n' | grep -E '^tests/(unit/test_|attack/attack_)' | grep -v '\.sh$' >"$dir/others"
	echo sim >>"$dir/others"
}
t0=$SECONDS
mapfile -t built < <(cat "$dir/named" "$dir/others" | programs)
${MAKE:-make} -s -C "$build" "-j$jobs" "${built[@]}" || { echo "the source itself does not build"; exit 99; }
printf 'built in %d s\n' $((SECONDS - t0))

rm -rf "$dir/sound" && mkdir "$dir/sound"
find "$dir" -name verdict -delete
cut -d' ' -f1 "$dir/chosen" | xargs -P "$jobs" -n 1 "$plant"
printf '\n'
while read -r name _; do
	verdict=$(cat "$dir/$name/verdict" 2>/dev/null || echo 'broken: no verdict')
	printf '%-30s %s\n' "$name" "$verdict"
done <"$dir/chosen" >"$dir/table"
killed=$(grep -c '^[^ ]* *killed' "$dir/table")
cat "$dir/table"
printf '%d mutants: %d killed, %d not; %d s\n' "$n" "$killed" $((n - killed)) $((SECONDS - t0))
[ "$killed" -eq "$n" ] && [ -z "$(find "$dir/sound" -name '*.log')" ]
