#!/bin/sh
# What can go wrong behind the plugin: every way fails one handshake inside the deadline, with a line in the log, and recovers.
. "$top_srcdir/tests/sys/lib.sh"
need_program openssl gnutls-serv
plan 39
make_pair web
CA=$T/web-cert.pem
LOG=$T/gnutls-serv.log
FAKE_OPTIONS=
start_fake "$T/web-key.pem"
# Far apart, so that a busy machine does not make one look like the other: at once, inside the deadline, at the deadline.
AT_ONCE=2000 LATE=15000
SERVER_ENV="KEYMESH_SOCKET=$FAKE_SOCKET KEYMESH_LOG=stderr KEYMESH_DEADLINE_MS=3000 KEYMESH_RETRY_MS=2400"

# with_daemon [options]: the daemon again, differently
with_daemon() {
	stop_fake
	FAKE_OPTIONS=$*
	start_fake "$T/web-key.pem"
}

# The handshake fails; sets MS to how long the client waited.
failing_handshake() {
	{ "$TOOL" elapsed timeout 20 openssl s_client -connect "127.0.0.1:$PORT" -CAfile "$CA" -verify_return_error </dev/null \
		3>"$T/elapsed" >"$T/client.out" 2>&1; } && return 1
	MS=$(cat "$T/elapsed")
}

check "gnutls-serv starts" start_gnutls_serv "$CA" "$T/stub.pem"
check "a handshake" handshake_openssl "$PORT" "$CA"

with_daemon --mode hang
check "a daemon that hangs: the handshake fails" failing_handshake
diag "after $MS ms"
check "not before the deadline of 3 s" test "$MS" -ge 2900
check "nor long after it" test "$MS" -lt $LATE
check "the client gets internal_error" grep -qi 'alert internal error\|alert number 80' "$T/client.out"
check "the log says so" grep -q 'no tls13-server signature with key web after 3[0-9][0-9][0-9] ms: no answer in time' "$LOG"

with_daemon
check "the daemon is back: a handshake" handshake_openssl "$PORT" "$CA"

with_daemon --mode refuse
check "a daemon without quorum: the handshake fails" failing_handshake
check "at once" test "$MS" -lt $AT_ONCE
check "the log has the daemon's words" grep -q 'keymeshd: not enough live peers for a quorum (KM_E_NOQUORUM)' "$LOG"

with_daemon --mode garbage
check "garbage for an answer: the handshake fails" failing_handshake
check "the log says so" grep -q 'not an answer of keymeshd' "$LOG"

with_daemon --mode hangup
check "a daemon that hangs up: the handshake fails" failing_handshake
check "inside the deadline" test "$MS" -lt $LATE
check "the log says so" grep -q 'keymeshd hung up' "$LOG"

with_daemon --mode closed
check "a daemon that does not admit this user: the handshake fails" failing_handshake
check "at once" test "$MS" -lt $AT_ONCE
check "the log has the daemon's words" grep -q 'keymeshd: this user is not in listen.users (KM_E_RIGHTS)' "$LOG"

with_daemon --mode badsig
nocheck "a wrong signature: the client refuses it" handshake_openssl "$PORT" "$CA"

with_daemon --mode drip
check "an answer byte by byte: a handshake" handshake_openssl "$PORT" "$CA"

with_daemon --delay 300
check "a slow daemon: a handshake" handshake_openssl "$PORT" "$CA"

stop_fake
check "no daemon: the handshake fails" failing_handshake
check "inside the deadline" test "$MS" -lt $LATE
check "the log names the socket" grep -q "km.sock: No such file or directory" "$LOG"
check "no daemon still: the handshake fails" failing_handshake
check "now without waiting" test "$MS" -lt $AT_ONCE
FAKE_OPTIONS=
start_fake "$T/web-key.pem"
check "the daemon is back: a handshake" handshake_openssl "$PORT" "$CA"

# a daemon that comes back while a client waits
stop_fake
sleep 2.1 # the plugin does not wait for a daemon again for two seconds after it waited in vain
(
	sleep 0.15
	exec "$top_builddir/tests/sys/fake_daemon" --key "$T/web-key.pem" --name web --socket "$FAKE_SOCKET" --log "$FAKE_LOG"
) &
FAKE_PID=$!
keep $FAKE_PID
check "a daemon that restarts is waited for" handshake_openssl "$PORT" "$CA"
stop_fake

# another key behind the same socket
make_pair other
start_fake "$T/other-key.pem"
check "a daemon with another key: the handshake fails" failing_handshake
check "the log says that the daemon has no such key" grep -q 'keymeshd: not found (KM_E_NOTFOUND)' "$LOG"
check "and again: the key is asked for by its point" failing_handshake
check "the log has the daemon's words" grep -q 'no such key here' "$LOG"
stop_fake
end "$PID"

# a start without a daemon; the stub of the right key is wanted again
start_fake "$T/web-key.pem"
stop_fake
check "a server starts without a daemon" start_gnutls_serv "$CA" "$T/stub.pem"
check "and says that it cannot sign yet" grep -q 'cannot sign yet' "$LOG"
start_fake "$T/web-key.pem"
check "and signs when the daemon is there" handshake_openssl "$PORT" "$CA"
end "$PID"

: >"$LOG"
SERVER_ENV="KEYMESH_SOCKET=$FAKE_SOCKET KEYMESH_LOG=stderr KEYMESH_DAEMON_UID=$(($(id -u) + 12345))"
start_gnutls_serv "$CA" "$T/stub.pem"
check "a daemon of the wrong user: the handshake fails" failing_handshake
check "the log says so" grep -q 'km.sock: served by another user than daemon_uid' "$LOG"
end "$PID"

printf 'socket = %s\ndeadlinems = 3\n' "$FAKE_SOCKET" >"$T/bad.conf"
SERVER_ENV="KEYMESH_CONFIG=$T/bad.conf KEYMESH_LOG=stderr"
start_gnutls_serv "$CA" "$T/stub.pem"
failing_handshake
check "a mistake in the configuration: nothing is signed, file and line are named" \
	grep -q 'nothing will be signed.*bad.conf: line 2: unknown key "deadlinems"' "$LOG"
