#!/usr/bin/env bash
# run.sh TOP BUILD [NAME...]: plants each bug of the catalogue in a copy of the source, builds and runs the tests that can see it: the
# likely killers first, then every unit and attack program and a batch of the simulator. A table at the end; fails for a survivor.
#
# The copy and its objects live in BUILD/mutants and are kept: a second run begins where the first ended.
set -uo pipefail
top=$(cd "$1" && pwd) build=$(mkdir -p "$2/mutants" && cd "$2/mutants" && pwd)
shift 2
src=$build/src obj=$build/obj log=$build/log
cat=$src/tests/mutants/catalogue awk=$src/tests/mutants/mutant.awk
seeds=${KM_MUTANT_SEEDS:-1-60}
limit=${KM_MUTANT_TIMEOUT:-120}
# KM_MUTANT_QUICK=1: only the tests that the catalogue names, taken for good as they are
quick=${KM_MUTANT_QUICK:-}
mkdir -p "$obj" "$log" "$src"

copy_source() {
	# what is newer or other there goes over; what a mutant left behind with it
	(cd "$top" && tar -cf - --exclude=.git --exclude=./build --exclude=autom4te.cache --exclude='*.o' --exclude='*.lo' .) | tar -C "$build" -xf - --one-top-level=new || return 1
	local f changed=0
	while IFS= read -r f; do
		cmp -s "$build/new/$f" "$src/$f" && continue
		mkdir -p "$src/$(dirname "$f")" && cp -p "$build/new/$f" "$src/$f" && touch "$src/$f" && changed=1
	done < <(cd "$build/new" && find . -type f)
	# in this order, so that make takes what autotools made for newer than what it was made from
	if [ $changed = 1 ]; then
		for f in aclocal.m4 configure config.h.in Makefile.in; do
			sleep 0.02 && touch "$src/$f"
		done
	fi
	rm -rf "$build/new"
}

configure_copy() {
	[ -f "$obj/Makefile" ] && return 0
	local cc=${CC:-gcc}
	command -v ccache >/dev/null && cc="ccache $cc"
	(cd "$obj" && "$src/configure" -q CC="$cc" >"$log/configure" 2>&1)
}

# run TEST: 0 when it passes
run() {
	case $1 in
	sim) set -- tests/sim/sim --seeds "$seeds" ;;
	esac
	(cd "$obj" && top_srcdir=$src top_builddir=$obj timeout "$limit" "$@") >"$log/run" 2>&1
}
target() {
	[ "$1" = sim ] && echo tests/sim/sim || echo "$1"
}
build() {
	local targets=() t
	for t in "$@"; do targets+=("$(target "$t")"); done
	make -C "$obj" -s "-j${KM_MUTANT_JOBS:-$(nproc)}" "${targets[@]}" >"$log/make" 2>&1
}

# judge NAME KILLERS...: prints "killed TEST (case)", "survived" or "broken WHY"
judge() {
	local name=$1 t rest=()
	shift
	for t in "$@"; do
		case $useless in *" $t "*) continue ;; esac
		if ! build "$t"; then
			echo "broken: does not build, see $log/make"
			return
		fi
		if ! run "$t"; then
			echo "killed by $t$(sed -n 's/^not ok [0-9]* - */: /p' "$log/run" | head -n 1)"
			return
		fi
	done
	[ -z "$quick" ] || { echo "survived $*"; return; }
	for t in "${all[@]}"; do
		case " $*$useless" in *" $t "*) ;; *) rest+=("$t") ;; esac
	done
	build "${rest[@]}" || { echo "broken: does not build, see $log/make"; return; }
	for t in "${rest[@]}"; do
		if ! run "$t"; then
			echo "killed by $t$(sed -n 's/^not ok [0-9]* - */: /p' "$log/run" | head -n 1), which the catalogue does not name"
			return
		fi
	done
	echo survived
}

copy_source && configure_copy || { echo "cannot prepare $build"; exit 99; }
mapfile -t all < <(make -s --no-print-directory -C "$obj" print-tests | tr ' ' '\n' | grep -E '^tests/(unit/test_|attack/attack_)' | grep -v '\.sh$')
all+=(sim)
mapfile -t entries < <("${AWK:-awk}" -f "$awk" -v mode=list "$cat")
chosen=()
for e in "${entries[@]}"; do
	[ $# -eq 0 ] && { chosen+=("$e"); continue; }
	for name in "$@"; do [ "${e%% *}" = "$name" ] && chosen+=("$e"); done
done
[ ${#chosen[@]} -gt 0 ] || { echo "no such mutant"; exit 99; }

# A test that fails without a mutation would kill everything: it counts for nothing, and the whole fails.
mapfile -t killers < <(printf '%s\n' "${chosen[@]}" | cut -d' ' -f3- | tr ' ' '\n' | sort -u | grep .)
[ -z "$quick" ] || killers=()
[ ${#killers[@]} -eq 0 ] || build "${killers[@]}" || { echo "the source itself does not build, see $log/make"; exit 99; }
useless=' '
for t in "${killers[@]}"; do
	run "$t" && continue
	echo "$t fails without any mutation"
	useless="$useless$t "
done

n=0 killed=0 bad=0 t0=$SECONDS
: >"$build/table"
for e in "${chosen[@]}"; do
	n=$((n + 1)) t1=$SECONDS
	read -r name file kill <<<"$e"
	cp -p "$src/$file" "$build/original"
	if "${AWK:-awk}" -f "$awk" -v mode=apply -v name="$name" -v file="$build/original" "$cat" >"$build/mutated" 2>"$log/apply"; then
		cp "$build/mutated" "$src/$file"
		# shellcheck disable=SC2086
		verdict=$(judge "$name" $kill)
		cp "$build/original" "$src/$file"
	else
		verdict="broken: $(cat "$log/apply")"
	fi
	case $verdict in killed*) killed=$((killed + 1)) ;; *) bad=$((bad + 1)) ;; esac
	printf '%-30s %s\n' "$name" "$verdict" >>"$build/table"
	printf '[%d/%d] %s: %s (%d s)\n' $n ${#chosen[@]} "$name" "$verdict" $((SECONDS - t1))
done
printf '\n'
cat "$build/table"
printf '%d mutants: %d killed, %d not; %d s\n' $n $killed $bad $((SECONDS - t0))
[ $bad -eq 0 ] && [ "$useless" = ' ' ]
