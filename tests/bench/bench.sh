#!/bin/sh
# bench.sh: every figure that keymesh is measured by, in one table (make bench).
#
#	BENCH_SECONDS=60   how long the sustained load lasts; other parts scale with it
#	BENCH_ROUNDS=4     echo and signing are measured in turns, this many each
#	BENCH_ONLY="latency sustained presign any two-dead any-background cheat handshakes memory dkg audit"
#
# Ratios compare what was measured in turns in this very run. Exit status: 0 all was measured (also when a target was missed),
# 1 something could not be measured.
. "$top_srcdir/tests/sys/lib.sh"
. "$top_srcdir/tests/sys/mesh_lib.sh"

BENCH_SECONDS=${BENCH_SECONDS:-60}
BENCH_ROUNDS=${BENCH_ROUNDS:-4}
BENCH_PARTS="latency sustained presign any two-dead any-background cheat handshakes memory dkg audit"
BENCH_ONLY=${BENCH_ONLY:-$BENCH_PARTS}
HZ=$(getconf CLK_TCK)
TABLE=$T/table
BAD=0
: >"$TABLE"

say() { echo "$*" >&2; }
cannot() { BAD=1; say "bench: cannot measure $*"; }
wanted() { case " $BENCH_ONLY " in *" $1 "*) return 0 ;; esac; return 1; }

# row FIGURE VALUE UNIT [OP LIMIT [AIM]]
row() { printf '%s|%s|%s|%s|%s|%s\n' "$1" "$2" "$3" "$4" "$5" "$6" >>"$TABLE"; }
head_row() { printf '#%s\n' "$1" >>"$TABLE"; }

calc() { awk "BEGIN { printf \"%.${2:-3}f\", $1 }"; }
# The middle of the numbers on standard input (of an even count, the upper of the two).
median() { sort -g | awk '{ v[NR] = $1 } END { print v[int(NR / 2) + 1] }'; }
largest() { sort -g | tail -n 1; }

# CPU ticks of processes, with those of their children that ended.
ticks() {
	for km_p in "$@"; do cat "/proc/$km_p/stat"; done | sed 's/^.*) //' | awk '{ n += $12 + $13 + $14 + $15 } END { print n + 0 }'
}
# CPU time of a process in ns: to the ns of its threads that live, by ticks of children that ended.
cpu_ns() {
	{
		cat /proc/"$1"/task/*/schedstat | cut -d' ' -f1
		sed 's/^.*) //' "/proc/$1/stat" | awk -v hz="$HZ" '{ printf "%.0f\n", ($14 + $15) * 1e9 / hz }'
	} | awk '{ n += $1 } END { printf "%.0f\n", n }'
}
# CPU ticks of the whole machine that went to somebody, ours or not.
busy() { awk '/^cpu / { print $2 + $3 + $4 + $7 + $8 + $9 }' /proc/stat; }
mesh_pids() { for km_node in $MESH_NODES; do mesh_pid "$km_node"; done; }
peer_pids() { for km_node in $MESH_NODES; do case $km_node in p*) mesh_pid "$km_node" ;; esac; done; }
# Of all daemons of both meshes.
all_ticks() { (use_mesh echo "$ECHO" && mesh_pids; use_mesh real "$REAL" && mesh_pids) >"$T/pids"; ticks $(cat "$T/pids"); }
rss_kb() { awk '/^VmRSS/ { print $2 }' "/proc/$1/status"; }

# use_mesh NAME DAEMON: the functions of mesh_lib.sh work on this mesh from now on.
use_mesh() { M=$T/$1 KEYMESHD=$2 MESH_NODES=$(cd "$T/$1" 2>/dev/null && echo p[0-9]* fe); }

# What only echoes has no peers to show.
up_wait() {
	case $1 in
	echo) eventually 20 has fe frontend.peers.live true "$2" ;;
	*) mesh_ready ;;
	esac
}

# up NAME DAEMON N T: makes and starts a mesh.
up() {
	mkdir -p "$T/$1"
	use_mesh "$1" "$2"
	mesh_make "$3" "$4" && mesh_start && up_wait "$1" "$3" || { cannot "anything with the mesh $1"; return 1; }
}

down() {
	use_mesh "$1" "$2"
	for km_node in $MESH_NODES; do end "$(mesh_pid "$km_node")"; done
}

# field FILE NAME: a number of keymesh bench --json
field() { sed -n "s/.*\"$2\": \([0-9.]*\).*/\1/p" "$1"; }

keygen() { on p1 keygen www --threshold "$1" >"$T/keygen.out" 2>&1; }

real_mesh() {
	[ -n "$REAL_UP" ] && { use_mesh real "$REAL"; return 0; }
	up real "$REAL" 5 3 && keygen 3 && mesh_pool 60 64 5 || { cannot "anything that needs a key"; return 1; }
	REAL_UP=1
}

REAL=$KEYMESHD
ECHO=$top_builddir/tests/bench/keymeshd_echo
MESH_POOL=${BENCH_POOL:-}

# ---- online signing, and the echo over the same hops

# one_round MESH DAEMON KEY: p50 and p99 to $T/MESH.p50 and .p99
one_round() {
	use_mesh "$1" "$2"
	on fe bench "$3" --rate 200 --seconds "$SECONDS_EACH" --json >"$T/round" 2>&1 || { cat "$T/round" >&2; return 1; }
	for km_f in p50_ms p99_ms failed; do field "$T/round" $km_f >>"$T/$1.$km_f"; done
	say "  $1: p50 $(field "$T/round" p50_ms) ms, p99 $(field "$T/round" p99_ms) ms"
}

bench_latency() {
	SECONDS_EACH=$(((BENCH_SECONDS + 2 * BENCH_ROUNDS - 1) / (2 * BENCH_ROUNDS)))
	[ $SECONDS_EACH -ge 4 ] || SECONDS_EACH=4
	say "online signing: $BENCH_ROUNDS rounds of $SECONDS_EACH s each of echo and signing"
	real_mesh && up echo "$ECHO" 5 3 || return
	# not counted: the peers of the echo cannot say when their channels are up
	one_round echo "$ECHO" echo >/dev/null
	one_round real "$REAL" www
	rm -f "$T"/echo.p* "$T"/real.p* "$T"/*.failed
	km_i=0 km_t0=$(all_ticks) km_b0=$(busy) km_s0=$(date +%s%N)
	while [ $km_i -lt "$BENCH_ROUNDS" ]; do
		one_round echo "$ECHO" echo && one_round real "$REAL" www || { cannot "online signing"; return; }
		km_i=$((km_i + 1))
	done
	km_t=$(($(all_ticks) - km_t0)) km_b=$(($(busy) - km_b0)) km_s=$((($(date +%s%N) - km_s0) / 1000000))
	down echo "$ECHO"
	head_row "Online signing, N=5 T=3, 200 requests/s, all on this machine (median of $BENCH_ROUNDS rounds of $SECONDS_EACH s)"
	row "p50" "$(median <"$T/real.p50_ms")" ms "<=" 1
	row "p99" "$(median <"$T/real.p99_ms")" ms "<=" 5
	row "p99, worst round" "$(largest <"$T/real.p99_ms")" ms
	row "empty echo over the same hops, p50" "$(median <"$T/echo.p50_ms")" ms
	row "empty echo over the same hops, p99" "$(median <"$T/echo.p99_ms")" ms
	row "p99, as a multiple of the echo's" "$(calc "$(median <"$T/real.p99_ms") / $(median <"$T/echo.p99_ms")" 2)" x
	row "p50, as a multiple of the echo's" "$(calc "$(median <"$T/real.p50_ms") / $(median <"$T/echo.p50_ms")" 2)" x "<=" 2.5 2
	row "cores taken by all else on this machine" "$(calc "($km_b - $km_t) * 1000 / $HZ / $km_s" 2)"
}

# ---- sustained signing

bench_sustained() {
	say "sustained signing: $BENCH_SECONDS s"
	real_mesh || return
	km_pids=$(mesh_pids)
	km_t0=$(ticks $km_pids) km_b0=$(busy)
	on fe bench www --rate 0 --clients "${BENCH_CLIENTS:-16}" --seconds "$BENCH_SECONDS" --json >"$T/round" || say "  $(cat "$T/round")"
	km_t=$(($(ticks $km_pids) - km_t0)) km_b=$(($(busy) - km_b0))
	km_n=$(field "$T/round" signatures)
	[ -n "$km_n" ] && [ "$km_n" -gt 0 ] || { cannot "sustained signing"; return; }
	head_row "Sustained signing, presigning included, five peers and the frontend on $(nproc) cores, $BENCH_SECONDS s, ${BENCH_CLIENTS:-16} clients"
	row "signatures/s" "$(field "$T/round" per_second)" /s ">=" 500 1000
	row "requests that failed" "$(field "$T/round" failed)" "" "<=" 0
	row "p50 under this load" "$(field "$T/round" p50_ms)" ms
	row "p99 under this load" "$(field "$T/round" p99_ms)" ms
	row "CPU of all daemons per signature, all included" "$(calc "$km_t * 1000 / $HZ / $km_n")" ms
	row "cores taken by the daemons" "$(calc "$km_t / $HZ / $BENCH_SECONDS" 2)" ""
	row "cores taken by all else on this machine" "$(calc "($km_b - $km_t) / $HZ / $BENCH_SECONDS" 2)" ""
}

# ---- presigning alone

bench_presign() {
	say "presigning, N=5 T=3 B=256, one thread"
	"$top_builddir/tests/bench/bench_presign" 5 3 256 5 >"$T/presign" || { cannot "presigning"; return; }
	head_row "Presigning, engine majority, N=5 T=3 B=256 (state machines alone, one thread, best of 5 runs)"
	row "CPU of the group per presignature" "$(sed -n 's/^presign_group_cpu_ms //p' "$T/presign")" ms "<=" 2.5 1.3
	row "bytes sent per presignature and peer" "$(sed -n '$!s/.* \([0-9]*\) B per peer.*/\1/p' "$T/presign" | median)" B "<=" 1536
}

# ---- handshakes of servers

# cpu_of PID COUNT: a TLS client does COUNT handshakes; prints ms of the server's CPU per handshake, and handshakes/s
cpu_of() {
	km_c0=$(cpu_ns "$1")
	"$top_builddir/tests/bench/handshakes" --port "$2" --ca "$3" --count "$4" --parallel 2 >"$T/hs" || { cat "$T/hs" >&2; return 1; }
	km_c1=$(cpu_ns "$1")
	echo "$(calc "($km_c1 - $km_c0) / 1000000 / $4") $(sed -n 's/.*per_s \([0-9]*\).*/\1/p' "$T/hs")"
}

# bench_server NAME STARTER: ordinary key and stub in turns
bench_server() {
	PRELOAD= SERVER_ENV=
	$2 "$T/web-cert.pem" "$T/web-key.pem" || { cannot "$1"; return; }
	km_plain=$PORT km_plain_pid=$PID
	PRELOAD=$KM_PRELOAD SERVER_ENV="KEYMESH_SOCKET=$T/real/fe/sock"
	$2 "$T/mesh-cert.pem" "$T/stub.pem" || { cannot "$1 with a stub"; return; }
	km_stub=$PORT km_stub_pid=$PID
	rm -f "$T/hs.plain" "$T/hs.stub"
	km_i=0
	while [ $km_i -le "$BENCH_ROUNDS" ]; do
		cpu_of "$km_plain_pid" "$km_plain" "$T/web-cert.pem" "$HANDSHAKES" >"$T/hs.a" &&
			cpu_of "$km_stub_pid" "$km_stub" "$T/mesh-cert.pem" "$HANDSHAKES" >"$T/hs.b" || { cannot "$1"; return; }
		# the first round warms up
		[ $km_i = 0 ] || { cat "$T/hs.a" >>"$T/hs.plain"; cat "$T/hs.b" >>"$T/hs.stub"; }
		km_i=$((km_i + 1))
	done
	end "$km_plain_pid"
	end "$km_stub_pid"
	km_a=$(cut -d' ' -f1 <"$T/hs.plain" | median) km_b=$(cut -d' ' -f1 <"$T/hs.stub" | median)
	row "$1, ordinary key: handshakes/s" "$(cut -d' ' -f2 <"$T/hs.plain" | median)" /s
	row "$1, stub: handshakes/s" "$(cut -d' ' -f2 <"$T/hs.stub" | median)" /s
	row "$1, ordinary key: CPU of the server per handshake" "$km_a" ms
	row "$1, stub: CPU of the server per handshake" "$km_b" ms
	row "$1: that CPU with the stub, as a multiple" "$(calc "$km_b / $km_a" 2)" x "<=" 1.3
}

bench_handshakes() {
	HANDSHAKES=${BENCH_HANDSHAKES:-$((BENCH_SECONDS * 10))}
	[ "$HANDSHAKES" -ge 100 ] || HANDSHAKES=100
	say "handshakes: $BENCH_ROUNDS rounds of $HANDSHAKES each"
	real_mesh && make_pair web && on fe stub www -o "$T/stub.pem" >/dev/null && on fe selfsign www --dns localhost -o "$T/mesh-cert.pem" 2>"$T/selfsign.log" ||
		{ cannot handshakes; return; }
	# peers need their pools back first
	mesh_pool 60 64 5
	KM_PRELOAD=$PRELOAD
	head_row "Full TLS 1.3 handshakes, 2 clients at a time on this machine (median of $BENCH_ROUNDS rounds of $HANDSHAKES)"
	if command -v gnutls-serv >/dev/null; then
		bench_server gnutls-serv start_gnutls_serv
	else
		say "  gnutls-serv is not installed: left out"
	fi
	if unpack_deb lighttpd lighttpd-mod-gnutls; then
		bench_server lighttpd start_lighttpd
	else
		say "  lighttpd cannot be fetched: left out"
	fi
	PRELOAD=$KM_PRELOAD SERVER_ENV=
}

# ---- memory

# filled NAME POOL: sets FILLED to "presignatures held by p1, its resident KB, its locked secret bytes" of a mesh with these pools, at rest
filled() {
	MESH_POOL=$2
	up "$1" "$REAL" 5 3 && keygen 3 || return 1
	eventually 120 has p1 peer.activity idle 1
	km_last=-1 km_now=$(json p1 peer.keys.held)
	while [ "$km_last" != "$km_now" ]; do
		sleep 3
		km_last=$km_now km_now=$(json p1 peer.keys.held)
	done
	FILLED="$km_now $(rss_kb "$(mesh_pid p1)") $(json p1 memory.secret_bytes)"
	MESH_POOL=${BENCH_POOL:-}
	down "$1" "$REAL"
}

bench_memory() {
	say "memory: pools of 64 and of 512 per quorum"
	filled small "target = 64; low = 48;" || { cannot memory; return; }
	km_small=$FILLED
	filled large "target = 512; low = 400;" || { cannot memory; return; }
	# shellcheck disable=SC2086
	set -- $km_small $FILLED
	say "  held $1: $2 KB resident, $3 B of secrets; held $4: $5 KB resident, $6 B of secrets"
	head_row "Memory of a peer (of pools of 64 and of 512 per quorum, at rest)"
	row "bytes per pooled presignature (by resident memory)" "$(calc "($5 - $2) * 1024 / ($4 - $1)" 0)" B "<=" 2048
	row "of them in locked memory" "$(calc "($6 - $3) / ($4 - $1)" 0)" B
	row "resident with $1 presignatures" "$(calc "$2 / 1024" 1)" MB "<=" 64
	row "resident with $4 presignatures" "$(calc "$5 / 1024" 1)" MB
}

# ---- key generation

# log_time PATTERN: when p1 last wrote such a line, in ns
log_time() { date -d "$(grep -E "$1" "$T/p1.log" | tail -n 1 | cut -d' ' -f1)" +%s%N; }

# dkg_ms N T: STORED_MS of real daemons, from the command to the stored share at the peer that was asked; THROUGH_MS until keygen is through, that
# is until first presignatures are made and signatures by quorums that together hold every peer were good.
dkg_ms() {
	: >"$T/p1.log"
	up "dkg$1" "$REAL" "$1" "$2" || return 1
	keygen "$2" &
	km_keygen=$!
	eventually 30 grep -q 'key www .* is usable' "$T/p1.log" || { cat "$T/keygen.out" >&2; return 1; }
	# many peers on few cores take their time to fill all their pools at once; that is no figure of key generation
	if [ "$1" -le 7 ]; then
		wait $km_keygen || { cat "$T/keygen.out" >&2; return 1; }
		km_through=$(log_time "key 'www' is ready")
	else
		km_through=
	fi
	km_asked=$(log_time 'key generation of www asked for')
	STORED_MS=$((($(log_time 'key www .* is usable') - km_asked) / 1000000))
	THROUGH_MS=${km_through:+$(((km_through - km_asked) / 1000000))}
	down "dkg$1" "$REAL"
}

bench_dkg() {
	say "key generation"
	head_row "Key generation (P-256)"
	for km_case in "3 2" "5 3" "7 4" "16 8"; do
		set -- $km_case
		dkg_ms "$1" "$2" || { cannot "key generation with N=$1"; continue; }
		km_limit=
		[ "$1" = 5 ] && km_limit=1
		row "N=$1 T=$2, real daemons: until the share is stored" "$(calc "$STORED_MS / 1000")" s ${km_limit:+"<=" $km_limit}
		[ -n "$THROUGH_MS" ] &&
			row "N=$1 T=$2, real daemons: with first presignatures and test signatures" "$(calc "$THROUGH_MS / 1000")" s
	done
	"$top_builddir/tests/bench/bench_dkg" >"$T/dkg" || { cannot "key generation alone"; return; }
	awk '$1 ~ /^[0-9]+$/ && $1 <= 16 { print $1, $2, $3, $4 }' "$T/dkg" >"$T/dkg.rows"
	while read -r km_n km_t km_one km_all; do
		row "N=$km_n T=$km_t, state machines alone: CPU of one peer" "$km_one" ms
		row "N=$km_n T=$km_t, state machines alone: CPU of the group" "$km_all" ms
	done <"$T/dkg.rows"
	head_row "Refresh (P-256)"
	awk '$1 == "refresh" && $2 ~ /^[0-9]+$/ && $2 <= 16 { print $2, $3, $4, $5, $7 }' "$T/dkg" >"$T/refresh.rows"
	while read -r km_n km_t km_one km_all km_kb; do
		row "N=$km_n T=$km_t, state machines alone: CPU of one peer" "$km_one" ms
		row "N=$km_n T=$km_t, state machines alone: CPU of the group" "$km_all" ms
		row "N=$km_n T=$km_t, state machines alone: sent by all" "$km_kb" kB
	done <"$T/refresh.rows"
}

# ---- the audit log

bench_audit() {
	say "audit log of a million entries"
	"$top_builddir/tests/bench/bench_audit" >"$T/audit" || { cannot "the audit log"; return; }
	km_of() { sed -n "s/^$1 //p" "$T/audit"; }
	head_row "Audit log (sync = batch), a million entries"
	row "CPU of one entry in the loop" "$(km_of append_loop_us)" us
	row "CPU of one entry, flushing and putting away included" "$(km_of append_all_us)" us
	# three shares and what came of them; against the CPU of a signature that the sustained part has measured
	km_cpu=$(sed -n 's/^CPU of all daemons per signature, all included|\([0-9.]*\)|.*/\1/p' "$TABLE")
	[ -n "$km_cpu" ] && row "part of a signature's CPU, T=3" "$(calc "4 * $(km_of append_all_us) / 1000 / $km_cpu * 100" 2)" % "<=" 10
	row "bytes for one signature in all logs, T=3" "$(calc "3 * $(km_of share_bytes) + $(km_of signature_bytes)" 0)" B
	row "bytes on the disk for one entry, tree included" "$(km_of disk_bytes_an_entry)" B
	row "start with this log" "$(km_of start_s)" s "<=" 2
	row "verification of all" "$(km_of verify_s)" s "<=" 30
	row "proof that it goes on from an older size" "$(km_of consistency_us)" us
}

# ---- engine any; peers that cheat

. "$top_srcdir/tests/bench/any.sh"
. "$top_srcdir/tests/bench/cheat.sh"

# ---- the table

show() {
	awk -F'|' '
	/^#/ { printf "\n%s\n", substr($0, 2); next }
	{
		met = ""
		if ($4 == "<=") met = $2 + 0 <= $5 + 0 ? "met" : "MISSED"
		if ($4 == ">=") met = $2 + 0 >= $5 + 0 ? "met" : "MISSED"
		if (met == "met" && $6 != "") met = ($4 == "<=" ? $2 + 0 <= $6 + 0 : $2 + 0 >= $6 + 0) ? "met, aim too" : "met, aim " $6 " not"
		printf "  %-72s %10s %-3s  %-8s %s\n", $1, $2, $3, $4 == "" ? "" : $4 " " $5, met
	}' "$TABLE"
}

echo "keymesh, $(date -u +%Y-%m-%d), $(nproc) cores, load $(cut -d' ' -f1 /proc/loadavg) at the start"
for km_part in $BENCH_PARTS; do
	wanted "$km_part" && "bench_$(echo "$km_part" | tr - _)"
done
show
exit $BAD
