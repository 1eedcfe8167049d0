# cheat.sh: how soon a peer that cheats is quarantined everywhere, and what requests feel of it, for bench.sh, which sources this.
#
#	BENCH_CHEATS="share w equivocate row"    which; see tests/sys/evil_daemon.c

EVIL=$top_builddir/tests/sys/evil_daemon

cheat_name() {
	case $1 in
	share) echo "wrong s_i" ;;
	w) echo "wrong share of w, engine majority" ;;
	row) echo "wrong OLE row, engine any" ;;
	equivocate) echo "two versions of a broadcast" ;;
	*) echo "$1" ;;
	esac
}

# cheat_mesh HABIT N: peers in $T/HABIT with a key; p3 is honest until $T/HABIT.now exists
cheat_mesh() {
	mkdir -p "$T/$1"
	use_mesh "$1" "$REAL"
	# the next run is never far. Engine any begins below half the target: with what an administrator has who sets nothing that is
	# after the requests of before
	MESH_POOL="target = 64; low = 60;" km_full=30
	[ "$1" != row ] || MESH_POOL= km_full=150
	mesh_make "$2" 3
	MESH_POOL=${BENCH_POOL:-}
	HONEST=$(echo "$MESH_NODES" | tr ' ' '\n' | grep '^p' | grep -vx p3 | tr '\n' ' ')
	# logs of their own
	rm -f "$T"/p?.log
	# shellcheck disable=SC2086
	mesh_start $HONEST fe || return 1
	KM_EVIL=$1 KM_EVIL_FILE=$T/$1.now "$EVIL" --config "$M/p3/keymesh.conf" >>"$T/p3.log" 2>&1 </dev/null &
	echo $! >"$M/p3/pid"
	keep $!
	wait_socket "$M/p3/sock" "$(mesh_pid p3)" && mesh_ready && keygen 3 && mesh_pool 60 $km_full "$2"
}

# Every honest peer has judged the evidence itself and says so in its log.
quarantined_by() { grep -l 'peer 3 (p3) is proved to have cheated' "$@" 2>/dev/null | wc -l; }
all_know() { for km_node in $HONEST; do [ "$(quarantined_by "$T/$km_node.log")" = 1 ] || return 1; done; }

# When a log says so, in ms
said_ms() { echo $(($(date -d "$(grep 'peer 3 (p3) is proved to have cheated' "$1" | head -n 1 | cut -d' ' -f1)" +%s%N) / 1000000)); }

# one_cheat HABIT N: sets CHEAT_MS (until all honest peers know), FIRST_MS (until the first does); figures of requests to $T/normal, $T/during
one_cheat() {
	cheat_mesh "$1" "$2" || return 1
	on fe bench www --rate "$km_rate" --seconds "$km_s" --json >"$T/normal" 2>&1
	[ "$(field "$T/normal" signatures)" -gt 0 ] 2>/dev/null || { cat "$T/normal" >&2; return 1; }
	in_background "$T/during" --rate "$km_rate" --seconds "$km_s"
	sleep 2
	: >"$T/$1.now"
	# it counts from the first cheat, and what comes within the load is what requests feel
	wait "$LOAD"
	eventually 20 all_know || { say "  $1: known to $(quarantined_by "$T"/p?.log) of $(echo "$HONEST" | wc -w)"; return 1; }
	km_at=$(sed -n 's/^evil: first cheat at //p' "$T/p3.log" | head -n 1)
	[ -n "$km_at" ] || return 1
	for km_node in $HONEST; do echo $(($(said_ms "$T/$km_node.log") - km_at)); done | sort -g >"$T/known"
	FIRST_MS=$(head -n 1 "$T/known") CHEAT_MS=$(tail -n 1 "$T/known")
}

cheat_rows() {
	km_a=$(field "$T/normal" p99_ms) km_b=$(field "$T/during" p99_ms)
	say "  $1: first known after $FIRST_MS ms, everywhere after $CHEAT_MS ms; p99 $km_a ms, then $km_b ms"
	km_name=$(cheat_name "$1")
	row "$km_name: until the first honest peer has proof" "$FIRST_MS" ms
	row "$km_name: until every honest peer has quarantined it" "$CHEAT_MS" ms
	row "$km_name: p99 of requests before" "$km_a" ms
	row "$km_name: p99 of requests during it" "$km_b" ms
	row "$km_name: during it, as a multiple" "$(calc "$km_b / $km_a" 2)" x "<=" 2
	row "$km_name: requests lost" "$(awk -v a="$(field "$T/during" requests)" -v b="$(field "$T/during" signatures)" 'BEGIN { print a - b }')" "" "<=" 0
}

bench_cheat() {
	km_s=${BENCH_CHEAT_SECONDS:-8}
	say "cheats: for each, $km_s s before and $km_s s with it"
	head_row "One of five (of four: engine any) begins to cheat, T=3; $km_s s of requests each before and with it, 100/s (engine any: 50/s)"
	for km_habit in ${BENCH_CHEATS:-share w equivocate row}; do
		km_rate=100 km_peers=5
		[ "$km_habit" != row ] || km_rate=50 km_peers=4
		if one_cheat "$km_habit" $km_peers; then
			cheat_rows "$km_habit"
		else
			cannot "a cheat: $(cheat_name "$km_habit")"
		fi
		down "$km_habit" "$REAL"
	done
}
