# any.sh: the figures of engine any, for bench.sh, which sources this.

# ---- engine any alone, and engine majority for the same threshold

# presign_figures N T ENGINE: sets MS (CPU of the whole group) and BYTES (sent by each member), both for one presignature
presign_figures() {
	"$top_builddir/tests/bench/bench_presign" "$1" "$2" 256 "${BENCH_RUNS:-2}" "$3" >"$T/presign" || return 1
	MS=$(sed -n 's/^presign_.*group_cpu_ms //p' "$T/presign")
	BYTES=$(sed -n 's/.* \([0-9]*\) B per peer.*/\1/p' "$T/presign" | median)
}

bench_any() {
	say "engine any and engine majority, T = 2, 3, 4, 5, B=256, one thread"
	head_row "Presigning by engine any (N=T) beside majority (N=2T-1), B=256 (state machines alone, one thread, best of ${BENCH_RUNS:-2} runs)"
	for km_t in 2 3 4 5; do
		presign_figures $km_t $km_t any || { cannot "presigning by engine any, T=$km_t"; continue; }
		km_ms=$MS km_bytes=$BYTES km_limit= km_most=
		presign_figures $((2 * km_t - 1)) $km_t majority || { cannot "presigning by engine majority, T=$km_t"; continue; }
		[ $km_t != 3 ] || km_limit=15 km_most=133120
		row "T=$km_t: CPU of the group per presignature, any" "$km_ms" ms ${km_limit:+"<=" $km_limit 8}
		row "T=$km_t: the same, majority" "$MS" ms
		row "T=$km_t: any, as a multiple of majority" "$(calc "$km_ms / $MS" 1)" x
		row "T=$km_t: bytes sent per presignature and member, any" "$km_bytes" B ${km_most:+"<=" $km_most}
		row "T=$km_t: the same, majority" "$BYTES" B
	done
}

# ---- sums over peers

# total COUNTER NODE...: the sum of peer.COUNTER of these nodes
total() {
	km_counter=$1
	shift
	for km_node in "$@"; do json "$km_node" "peer.$km_counter"; done | awk '{ n += $1 } END { print n + 0 }'
}

# N of these nodes see COUNT others live:   see_live COUNT NODE...
see_live() {
	km_count=$1
	shift
	for km_node in "$@"; do
		[ "$(json "$km_node" peer.peers.live | grep -c true)" = "$km_count" ] || return 1
	done
}
now_ms() { echo $(($(date +%s%N) / 1000000)); }

# in_background FILE OPTIONS...: keymesh bench at the frontend, its figures to FILE; sets LOAD
in_background() {
	km_file=$1
	shift
	on fe bench www --json "$@" >"$km_file" 2>&1 &
	LOAD=$!
	keep $LOAD
}

# What there is in the own pools of quorums that live.
usable_pools() { on "$1" status --json | tr -d ' \n' | grep -o '"ready":[0-9]*,"alive":true' | sed 's/[^0-9]//g'; }

# ---- two of five killed under load, pools empty

bench_two_dead() {
	km_s=${BENCH_DEAD_SECONDS:-20}
	say "two of five killed under load: 50/s for $((km_s + 8)) s, then as fast as it goes for $km_s s"
	up dead "$REAL" 5 3 && keygen 3 && mesh_pool 60 64 5 || { cannot "two dead of five"; return; }
	# WHY two loads: the one that counts asks 50 times a second from first to last, the other empties the pools before and while the two
	# die, which are full again within two seconds otherwise
	in_background "$T/steady" --rate 50 --clients 16 --seconds $((km_s + 8))
	km_steady=$LOAD
	sleep 2
	in_background "$T/burst" --rate 0 --clients 32 --seconds 3
	km_burst=$LOAD
	sleep 2
	mesh_kill p4
	mesh_kill p5
	wait $km_burst
	km_left=$(for km_node in p1 p2 p3; do usable_pools $km_node; done | awk '{ n += $1 } END { print n + 0 }')
	km_made=$(total presigned p1 p2 p3)
	wait $km_steady
	km_made=$((($(total presigned p1 p2 p3) - km_made) / 3))
	[ "$(field "$T/steady" signatures)" -gt 0 ] 2>/dev/null || { cat "$T/steady" >&2; cannot "two dead of five"; down_dead; return; }
	say "  50/s: $(cat "$T/steady")"
	head_row "Two of five killed (-9) while 50 signatures/s are asked for, pools emptied, T=3; $((km_s + 4)) s from the deaths on"
	row "presignatures left to the three when the pools were drained" "$km_left" ""
	row "requests" "$(field "$T/steady" requests)" ""
	row "requests lost" "$(awk -v a="$(field "$T/steady" requests)" -v b="$(field "$T/steady" signatures)" 'BEGIN { print a - b }')" "" "<=" 0
	row "signatures/s" "$(field "$T/steady" per_second)" /s ">=" 49.9
	row "p50" "$(field "$T/steady" p50_ms)" ms
	row "p99, draining and deaths included" "$(field "$T/steady" p99_ms)" ms
	row "longest" "$(field "$T/steady" max_ms)" ms
	row "presignatures made by engine any after the pools were drained" "$km_made" ""
	bench_two_dead_rate
	down_dead
}

down_dead() {
	for km_node in p1 p2 p3 fe; do end "$(mesh_pid $km_node)"; done
}

# From here on more is asked for than can be made: what is made is the rate of refill.
bench_two_dead_rate() {
	on fe bench www --rate 0 --clients 32 --seconds 4 --json >"$T/burst" 2>&1
	km_pids=$(for km_node in p1 p2 p3 fe; do mesh_pid $km_node; done)
	km_t0=$(ticks $km_pids) km_b0=$(busy) km_made=$(total presigned p1 p2 p3) km_from=$(now_ms)
	in_background "$T/fast" --rate 0 --clients 32 --seconds $km_s
	sleep $((km_s - 1))
	km_ms=$(($(now_ms) - km_from)) km_made=$((($(total presigned p1 p2 p3) - km_made) / 3))
	km_t=$(($(ticks $km_pids) - km_t0)) km_b=$(($(busy) - km_b0))
	wait $LOAD
	[ "$(field "$T/fast" signatures)" -gt 0 ] 2>/dev/null || { cat "$T/fast" >&2; cannot "refill by engine any"; return; }
	say "  as fast as it goes: $(cat "$T/fast")"
	head_row "The same three on $(nproc) cores, signing as fast as presignatures are made, 32 clients, $km_s s"
	row "presignatures/s by engine any" "$(calc "$km_made * 1000 / $km_ms" 1)" /s ">=" 100 200
	row "signatures/s" "$(field "$T/fast" per_second)" /s
	row "requests that failed (none within 5 s)" "$(awk -v a="$(field "$T/fast" requests)" -v b="$(field "$T/fast" signatures)" 'BEGIN { print a - b }')" ""
	row "p50 under this load" "$(field "$T/fast" p50_ms)" ms
	row "CPU of all daemons per signature, presigning included" "$(calc "$km_t * 1000 / $HZ / ($(field "$T/fast" per_second) * $km_ms / 1000)")" ms
	row "cores taken by all else on this machine" "$(calc "($km_b - $km_t) * 1000 / $HZ / $km_ms" 2)" ""
}

# ---- online latency while runs of engine any go on

# The same mesh idles and works in turns. While all five peers are there, engine majority has nothing to do: every pool has at least one. While two
# are dead the three that are left miss thousands, and run after run by engine any is made for them. The frontend knows the three alone: so
# it is always they who answer, out of the pools that engine any has filled.
background_mesh() {
	mkdir -p "$T/background"
	use_mesh background "$REAL"
	MESH_POOL="target = 10000; low = 1;"
	mesh_make 5 3 && sed -i 's/\(name = "p\([45]\)".*frontend_address = "\)[^"]*"/\1127.0.0.1:\2"/' "$M/fe/roster.conf" &&
		mesh_start && eventually 20 see_live 5 p1 p2 p3 p4 p5 && eventually 20 has fe frontend.peers.live true 3 && keygen 3
	km_made=$?
	MESH_POOL=${BENCH_POOL:-}
	return $km_made
}

still() {
	for km_node in p1 p2 p3 p4 p5; do
		[ "$(json $km_node peer.activity)" = idle ] || return 1
	done
}

full_again() {
	for km_node in p1 p2 p3 p4 p5; do
		[ "$(usable_pools $km_node | awk '$1 >= 16 { n++ } END { print n + 0 }')" = 6 ] || return 1
	done
	still
}
go_idle() { mesh_start p4 p5 && eventually 20 see_live 5 p1 p2 p3 && eventually 60 full_again; }
any_runs() { [ "$(total presigned p1 p2 p3)" -gt "$km_made" ]; }
go_busy() {
	mesh_kill p4
	mesh_kill p5
	eventually 20 see_live 3 p1 p2 p3 || return 1
	km_made=$(total presigned p1 p2 p3)
	eventually 30 any_runs
}

# one_load NAME: a round of requests; sets MADE to the presignatures made meanwhile
one_load() {
	km_made=$(total presigned p1 p2 p3)
	on fe bench www --rate "$km_rate" --seconds "$km_s" --json >"$T/round" 2>&1 || { cat "$T/round" >&2; return 1; }
	MADE=$((($(total presigned p1 p2 p3) - km_made) / 3))
	say "  $1: p50 $(field "$T/round" p50_ms) ms, p99 $(field "$T/round" p99_ms) ms, $MADE presignatures made meanwhile"
}

# Its p50 and p99 to $T/NAME.p50_ms and .p99_ms, presignatures made to $T/NAME.made
note_load() {
	for km_f in p50_ms p99_ms; do field "$T/round" $km_f >>"$T/$1.$km_f"; done
	echo "$MADE" >>"$T/$1.made"
}

# A round in which a pool ran dry (a quorum with p4 or p5 was faster for a moment) is no quiet one; it is full again for the next.
quiet_round() {
	for km_try in 1 2 3; do
		one_load quiet || return 1
		[ "$MADE" != 0 ] || break
		eventually 20 still
	done
	note_load quiet
}

background_rounds() {
	km_i=0
	while [ $km_i -lt "$BENCH_ROUNDS" ]; do
		go_busy && { [ $km_i -gt 0 ] || mesh_pool 60 $((km_s * km_rate)) 3; } && one_load busy && note_load busy || return 1
		# what the idle round takes must be there
		mesh_pool 60 $((km_s * km_rate / 2)) 3 && go_idle && quiet_round || return 1
		km_i=$((km_i + 1))
	done
}

background_state() {
	for km_node in p1 p2 p3 p4 p5; do
		say "  $km_node: $(json $km_node peer.activity); own pools $(usable_pools $km_node | tr '\n' ' '); runs done $(json $km_node peer.runs_done)," \
			"dropped $(json $km_node peer.runs_dropped); retries $(json $km_node peer.retries), suspicion $(json $km_node peer.peers.suspicion | tr '\n' ' ')"
	done
}

bench_any_background() {
	km_rate=${BENCH_RATE:-100} km_s=${BENCH_ROUND_SECONDS:-5}
	say "online latency while engine any works, $km_rate/s: $BENCH_ROUNDS rounds of $km_s s each with and without"
	background_mesh || { cannot "latency beside engine any"; return; }
	rm -f "$T"/busy.* "$T"/quiet.*
	background_rounds || { background_state; cannot "latency beside engine any"; }
	down background "$REAL"
	[ -s "$T/quiet.p99_ms" ] || return
	km_a=$(median <"$T/quiet.p99_ms") km_b=$(median <"$T/busy.p99_ms")
	head_row "Online signing, T=3, $km_rate requests/s, with runs of engine any all the time and without (median of $BENCH_ROUNDS rounds of $km_s s)"
	row "p50 without" "$(median <"$T/quiet.p50_ms")" ms
	row "p50 with" "$(median <"$T/busy.p50_ms")" ms
	row "p99 without" "$km_a" ms
	row "p99 with" "$km_b" ms
	row "p99 with, as a multiple of p99 without" "$(calc "$km_b / $km_a" 2)" x "<=" 1.5
	row "presignatures/s made in the rounds with" "$(awk -v s="$km_s" '{ n += $1 } END { printf "%.1f", n / NR / s }' "$T/busy.made")" /s
	row "presignatures made in the rounds without" "$(awk '{ n += $1 } END { print n + 0 }' "$T/quiet.made")" "" "<=" 0
}
