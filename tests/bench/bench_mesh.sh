#!/bin/sh
# Signing by real daemons on this machine, in one run beside an empty echo over the same hops (unix socket, frontend, aggregator, two
# signers and back, all over CURVE) by the same daemon code. Takes about two minutes; KM_BENCH_SECONDS shortens or lengthens it.
. "$top_srcdir/tests/sys/lib.sh"
. "$top_srcdir/tests/sys/mesh_lib.sh"
S=${KM_BENCH_SECONDS:-20}
RATE=${KM_BENCH_RATE:-200}
FAST=$((S > 10 ? 10 : S))

# One value of a line of keymesh bench --json.
value() { "$top_builddir/tests/sys/json_tool" "$1" <"$2"; }
ratio() { awk -v a="$1" -v b="$2" 'BEGIN { printf "%.2f", (b > 0 ? a / b : 0) }'; }
row() { printf '%-58s %s\n' "$1" "$2"; }
cpu_ticks() {
	for km_node in "$@"; do
		awk '{ print $14 + $15 }' "/proc/$(mesh_pid "$km_node")/stat"
	done | awk '{ s += $1 } END { print s }'
}

echo_part() {
	KEYMESHD=$top_builddir/tests/bench/keymeshd_echo
	M=$T/echo
	mesh_make 5 3 && mesh_start || exit 1
	eventually 10 has fe frontend.peers.live true 5 || exit 1
	sleep 1
	on fe bench echo --rate "$RATE" --seconds "$S" --json >"$T/echo.json"
	on fe bench echo --rate 0 --clients 16 --seconds "$FAST" --json >"$T/echo_max.json"
	for km_node in $MESH_NODES; do mesh_end "$km_node"; done
}

real_part() {
	KEYMESHD=$top_builddir/keymeshd
	M=$T/real
	MESH_POOL="target = 256; low = 192; batch = 256;"
	mesh_make 5 3 && mesh_start && mesh_ready || exit 1
	on p1 keygen www --threshold 3 2>/dev/null >"$T/keygen.out" || exit 1
	mesh_pool 120 1000 5 || echo "(the pools did not fill up)"
	sleep 2
	on fe bench www --rate "$RATE" --seconds "$S" --json >"$T/real.json"
	km_before=$(cpu_ticks p1 p2 p3 p4 p5) km_presigned=$(json p1 peer.presigned)
	on fe bench www --rate 0 --clients 16 --seconds "$((3 * S))" --json >"$T/real_max.json"
	for km_node in p1 p2 p3 p4 p5; do json "$km_node" memory.secret_bytes; done | sort -n | tail -1 >"$T/secret"
	awk '/VmRSS/ { print $2 }' "/proc/$(mesh_pid p1)/status" >"$T/rss"
	json fe frontend.hedged >"$T/hedged"
	for km_node in $MESH_NODES; do mesh_end "$km_node"; done
}

(echo_part) && (real_part) || { tail -n 3 "$T"/*.log; exit 1; }
row "" "p50 ms   p99 ms   failed"
for km_kind in echo real; do
	km_name="signing"
	[ $km_kind = echo ] && km_name="empty echo over the same hops"
	row "$km_name, $RATE requests/s, N=5, T=3" "$(value p50_ms "$T/$km_kind.json")    $(value p99_ms "$T/$km_kind.json")    $(value failed "$T/$km_kind.json")"
done
row "ratio of the p50 (wanted <= 2.5, aim 2)" "$(ratio "$(value p50_ms "$T/real.json")" "$(value p50_ms "$T/echo.json")")"
row "as fast as it goes: echo" "$(value per_second "$T/echo_max.json")/s"
row "as fast as it goes: signatures, presigning included, $((3 * S)) s" "$(value per_second "$T/real_max.json")/s, $(value failed "$T/real_max.json") failed"
row "resident memory of a peer" "$(cat "$T/rss") KB"
