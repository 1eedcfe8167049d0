#!/usr/bin/env bash
# plant.sh NAME: plants one bug of the catalogue and runs the tests until one sees it; for run.sh, which has built the programs. The
# verdict is in mutants/NAME/verdict: "killed by TEST:CASE", "survived TEST..." or "broken: WHY".
set -uo pipefail
top=$KM_MUTANT_TOP build=$KM_MUTANT_BUILD
dir=$build/mutants awk=$top/tests/mutants/mutant.awk catalogue=$top/tests/mutants/catalogue
cpu_s=${KM_MUTANT_CPU_S:-90} wall_s=1800

# run PROGRAM TEST LOG: PROGRAM in the place of TEST, which may name one case. 0: it passed; 1: it failed; 2: neither, with the why in LOG
run() {
	local args=() case="" rc
	case $2 in
	sim) args=(--seeds "${KM_MUTANT_SEEDS:-1-60}") ;;
	*:*) case=${2#*:} ;;
	esac
	# the braces: a shell says of a program that aborts that it did
	{ (
		cd "$build" || exit 99
		ulimit -t $cpu_s -c 0
		export top_srcdir=$top top_builddir=$build
		[ -z "$case" ] || export KM_TEST_CASE=$case
		exec timeout $wall_s "$1" "${args[@]}"
	) >"$3" 2>&1; } 2>/dev/null
	rc=$?
	case $rc in
	0) [ "$2" = sim ] || grep -q '^ok ' "$3" || { echo "no such case" >"$3"; return 2; } ;;
	99 | 125 | 126 | 127) echo "it does not run ($rc)" >"$3"; return 2 ;;
	124) echo "no end in $wall_s s" >"$3"; return 2 ;;
	*) return 1 ;;
	esac
}
program() {
	[ "$1" = sim ] && echo tests/sim/sim || echo "${1%%:*}"
}

# sound TEST: does it pass without a bug? What fails as it is would kill everything. Found out once, for the tests that kill.
sound() {
	local known=$dir/sound/${1//\//_} rc
	if [ ! -f "$known" ]; then
		run "$(program "$1")" "$1" "$known.$name"
		rc=$?
		[ $rc -eq 0 ] || mv "$known.$name" "$known.log"
		rm -f "$known.$name"
		echo $rc >"$known"
		[ $rc -eq 0 ] || echo "$1 does not pass without any bug, see $known.log"
	fi
	[ "$(cat "$known")" = 0 ]
}

name=$1 t0=$SECONDS
own=$dir/$name
rm -rf "$own" && mkdir -p "$own" || exit 99

# judge TEST...: sets verdict when a test sees the bug, or cannot be made with it
judge() {
	local t rc case
	for t in "$@"; do
		rm -f "$own/program"
		if ! ${MAKE:-make} -s -C "$build" "mutants/$name/program" KM_MUTANT_FILE="$file" KM_MUTANT_TEST="$(program "$t")" >"$own/make" 2>&1; then
			verdict="broken: does not build, see $own/make"
			return
		fi
		run "$own/program" "$t" "$own/log"
		rc=$?
		case $rc in
		1)
			case=
			[ "$t" = sim ] || case=$(sed -n 's/^not ok [0-9]* - *\([A-Za-z0-9_]*\).*/\1/p' "$own/log" | head -n 1)
			# none is named by a program that aborts
			case=${case:+${t%%:*}:$case}
			sound "${case:-$t}" || continue
			verdict="killed by ${case:-$t}"
			return
			;;
		2) verdict="broken: $t: $(head -n 1 "$own/log")"; return ;;
		esac
	done
}

read -r _ file named < <(grep "^$name " "$dir/chosen")
verdict=
if ! "${AWK:-awk}" -f "$awk" -v mode=apply -v name="$name" -v file="$top/$file" "$catalogue" >"$own/mutated.c" 2>"$own/apply"; then
	verdict="broken: $(cat "$own/apply")"
fi
# shellcheck disable=SC2086
[ -n "$verdict" ] || judge $named
if [ -z "$verdict" ] && [ -s "$dir/others" ]; then
	mapfile -t rest < <(grep -vxF -f <(tr ' ' '\n' <<<"$named") "$dir/others")
	judge "${rest[@]}"
	case $verdict in killed*) verdict="$verdict, which the catalogue does not name" ;; esac
fi
[ -n "$verdict" ] || verdict="survived $named"
rm -f "$own"/*.o "$own/program"
printf '%s\n' "$verdict" >"$own/verdict"
printf '%s: %s (%d s)\n' "$name" "$verdict" $((SECONDS - t0))
