# demo.sh: the demonstration of ./quickstart; sourced by it (bash). Everything lives below a private directory and ends with it.

demo_build=$build/demo
demo_dir=

# Steps print their number, name and time.
demo_step_no=0
step() {
	demo_step_no=$((demo_step_no + 1))
	demo_step_t0=$EPOCHREALTIME
	printf '%2d. %-66s' "$demo_step_no" "$1"
}
done_step() {
	awk -v a="$demo_step_t0" -v b="$EPOCHREALTIME" 'BEGIN { printf "%7.2f s\n", b - a }'
	[ $# -eq 0 ] || printf '      %s\n' "$@"
}
fail_step() {
	printf 'failed\n'
	say "quickstart: $1" >&2
	[ -n "${2-}" ] && [ -s "$2" ] && tail -n 15 "$2" | sed 's/^/      | /' >&2
	KM_FAILED=1
	exit 1
}

# demo_handshakes PORT COUNT: sets HS to "count N failed F p50_us .. p99_us .."
demo_handshakes() {
	HS=$("$demo_build/tests/bench/handshakes" --port "$1" --ca "$T/cert.pem" --count "$2" 2>"$T/handshakes.log") ||
		fail_step "handshakes failed: $HS" "$T/handshakes.log"
}
figures() { awk '{ printf "%d handshakes, %d failed: p50 %.2f ms, p99 %.2f ms, %d a second one after another", $2, $4, $6 / 1000, $8 / 1000, $12 }' <<<"$HS"; }

demo_compile() {
	step 'building'
	configure_in "$demo_build" && make_in "$demo_build" build.log all tests/sys/net_tool tests/sys/json_tool tests/bench/handshakes ||
		fail_step 'keymesh could not be built'
	done_step
}

# The helpers of the system tests do the rest; they keep what they start and end it by pid when this script ends.
demo_helpers() {
	top_srcdir=$top top_builddir=$demo_build
	KM_DEB_CACHE=$build/deb-cache
	KM_KEEP=
	MESH_POOL='target = 32; low = 24;'
	set +eu
	. "$top/tests/sys/lib.sh"
	. "$top/tests/sys/mesh_lib.sh"
	chmod 700 "$T"
}

demo_mesh() {
	step 'five peers and a frontend on the loopback interface, any 3 of 5 sign'
	mesh_make 5 3 || fail_step 'the configuration could not be made'
	echo 'log_level = "info";' >>"$M/fe/keymesh.conf"
	mesh_start || fail_step 'a daemon did not start' "$T/p1.log"
	mesh_ready || fail_step 'the peers do not see each other' "$T/p1.log"
	done_step "private directory: $T"

	step 'key generation: no dealer, the key is never in one place'
	on p1 keygen www --threshold 3 2>"$T/keygen.log" >>"$T/keygen.log" || fail_step 'the key generation failed' "$T/keygen.log"
	on fe stub www -o "$T/key.pem" || fail_step 'the frontend does not know the key' "$T/fe.log"
	done_step "$(tail -n 1 "$T/keygen.log")" "the servers' key file is a stub without a secret: key.pem"

	step 'presignatures in the background'
	mesh_pool 60 150 5 || fail_step 'the pools did not fill' "$T/p1.log"
	done_step

	step 'a self-signed certificate, signed by the mesh'
	on fe selfsign www --dns localhost -o "$T/cert.pem" 2>"$T/selfsign.log" || fail_step 'no certificate' "$T/selfsign.log"
	done_step "$(openssl x509 -in "$T/cert.pem" -noout -fingerprint -sha256)"
}

# demo_server NAME PORT: one handshake by openssl with the certificate verified, and who signed it
demo_server() {
	step "$1: TLS 1.3 handshake by openssl s_client"
	handshake_openssl "$2" "$T/cert.pem" -tls1_3 >"$T/openssl.log" 2>&1 && grep -q 'Verify return code: 0' "$T/openssl.log" ||
		fail_step 'openssl could not connect' "$T/openssl.log"
	done_step "$(grep -o 'signed by peers.*' "$T/fe.log" | tail -n 1)" "$(grep -E '^New, ' "$T/openssl.log")"
}

demo_servers() {
	SERVER_ENV="KEYMESH_SOCKET=$M/fe/sock"
	step 'gnutls-serv with the stub, unmodified, under libgnutls-keymesh'
	start_gnutls_serv "$T/cert.pem" "$T/key.pem" || fail_step 'gnutls-serv did not start' "$T/gnutls-serv.log"
	PORT_GNUTLS=$PORT PID_GNUTLS=$PID
	done_step "https://localhost:$PORT_GNUTLS/"
	demo_server gnutls-serv "$PORT_GNUTLS"

	step 'lighttpd with the stub, unmodified, under libgnutls-keymesh'
	if unpack_deb lighttpd lighttpd-mod-gnutls; then
		start_lighttpd "$T/cert.pem" "$T/key.pem" || fail_step 'lighttpd did not start' "$T/lighttpd.log"
		PORT_WEB=$PORT
		done_step "https://localhost:$PORT_WEB/"
		demo_server lighttpd "$PORT_WEB"
	else
		PORT_WEB=$PORT_GNUTLS
		done_step 'SKIPPED: the packages lighttpd and lighttpd-mod-gnutls could not be fetched (offline?)'
	fi

	step '200 handshakes'
	demo_handshakes "$PORT_WEB" 200
	done_step "$(figures)"
}

demo_kill() {
	step 'kill -9 of peers 1 and 2; three of five are left'
	{ mesh_kill p1; mesh_kill p2; } 2>/dev/null
	done_step
	step '50 handshakes from the pool'
	demo_handshakes "$PORT_WEB" 50
	done_step "$(figures)" "$(grep -o 'signed by peers.*' "$T/fe.log" | tail -n 1)"
}

demo_keep() {
	step 'peers 1 and 2 again'
	mesh_start p1 p2 || fail_step 'they did not start' "$T/p1.log"
	mesh_ready || fail_step 'they do not come back' "$T/p1.log"
	done_step
	echo "$KM_PIDS" >"$T/pids"
	ln -sfn "$T" "$build/running"
	KM_PIDS=
	KM_KEEP=1
	cat <<TEXT

It is running, in $T:

  watch the mesh     KEYMESH_SOCKET=$M/fe/sock $demo_build/keymesh status --watch
  a peer's view      KEYMESH_SOCKET=$M/p1/sock $demo_build/keymesh status
  a request          curl --cacert $T/cert.pem https://localhost:$PORT_WEB/
  kill a peer        kill -9 \$(cat $M/p3/pid)
  logs               $T/*.log
  stop everything    ./quickstart --stop

TEXT
}

demo_stop() {
	local dir
	dir=$(readlink "$build/running" 2>/dev/null) || { say 'nothing is running'; return; }
	if [ -f "$dir/pids" ]; then
		local pid
		for pid in $(cat "$dir/pids" "$dir"/mesh/*/pid); do
			# only what is still ours: the process must have been started for this directory
			grep -qaF "$dir" "/proc/$pid/cmdline" 2>/dev/null && kill "$pid" 2>/dev/null
		done
	fi
	rm -rf "$dir" "$build/running"
	say "stopped and removed $dir"
}

demo_main() {
	if [ -L "$build/running" ]; then
		say 'an earlier ./quickstart --keep is running; stopping it first'
		demo_stop
	fi
	demo_compile
	demo_helpers
	demo_mesh
	demo_servers
	demo_kill
	if [ "${1-}" = --keep ]; then
		demo_keep
		return
	fi
	step 'stopping everything'
	done_step
	say
	say 'That was it: the key of this certificate was never in one place. ./quickstart --keep leaves it running.'
}
