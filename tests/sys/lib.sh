# lib.sh: what the system tests share. Source it first:  . "$top_srcdir/tests/sys/lib.sh"
#
# TAP:        plan N | check "name" command... | nocheck "name" command... | skip "name" why | skip_all why | diag text
# Processes:  keep PID (ended by pid at the end) | end PID | wait_port PORT PID | wait_socket PATH PID
# Network:    free_port  (sets PORT) | free_ports N (sets PORTS)
# Packages:   unpack_deb PACKAGE...  (sets DEB_ROOT; fails when offline and not cached) | deb_program NAME
# Servers:    start_gnutls_serv | start_lighttpd | start_exim    each with CERT KEY; set PORT and PID (exim: PORT and PORT_TLS)
# Clients:    handshake_openssl, handshake_gnutls, handshake_curl PORT CA
# Plugin:     KM_PLUGIN is its file; servers are started with $PRELOAD and $SERVER_ENV ("" for none)
#
# Everything lives in the private directory $T, which goes with the processes when the test ends; KM_KEEP=1 leaves it.

: "${top_srcdir:=.}" "${top_builddir:=.}"
T=$(mktemp -d "${TMPDIR:-/tmp}/keymesh-test.XXXXXX") || exit 99
chmod 755 "$T"
KM_PIDS=
KM_TESTS=0
KM_FAILED=0
TOOL=$top_builddir/tests/sys/net_tool
KM_PLUGIN=$top_builddir/.libs/libgnutls-keymesh.so
PRELOAD=$KM_PLUGIN
SERVER_ENV=
DEB_ROOT=

# A sanitizer's runtime must be first among the libraries.
case $(nm -D "$KM_PLUGIN" 2>/dev/null) in
*__asan_init*)
	KM_ASAN=$(${CC:-gcc} -print-file-name=libasan.so)
	ASAN_OPTIONS=detect_leaks=0:${ASAN_OPTIONS:-}
	export ASAN_OPTIONS
	PRELOAD="$KM_ASAN $KM_PLUGIN" ;;
esac

km_finish() {
	km_status=$?
	trap - EXIT
	for km_pid in $KM_PIDS; do
		kill "$km_pid" 2>/dev/null
	done
	for km_pid in $KM_PIDS; do
		km_tries=0
		while kill -0 "$km_pid" 2>/dev/null && [ $km_tries -lt 100 ]; do
			km_tries=$((km_tries + 1))
			sleep 0.05
		done
		kill -9 "$km_pid" 2>/dev/null
	done
	if [ $KM_FAILED -gt 0 ]; then
		for km_log in "$T"/*.log; do
			[ -s "$km_log" ] && echo "# ---- ${km_log##*/}" && tail -n 40 "$km_log" | cut -c1-200 | sed 's/^/# /'
		done
	fi
	[ -n "$KM_KEEP" ] && echo "# left in $T" || rm -rf "$T"
	exit $km_status
}
trap km_finish EXIT
trap 'exit 99' INT TERM HUP

# ---- TAP

plan() { echo "1..$1"; }
diag() { echo "# $*"; }

km_result() {
	KM_TESTS=$((KM_TESTS + 1))
	if [ "$1" = 0 ]; then
		echo "ok $KM_TESTS - $2"
	else
		KM_FAILED=$((KM_FAILED + 1))
		echo "not ok $KM_TESTS - $2"
	fi
}

# The command's output is shown when it fails.
check() {
	km_name=$1
	shift
	"$@" >"$T/check.out" 2>&1
	km_ret=$?
	[ $km_ret -ne 0 ] && sed 's/^/# /' "$T/check.out"
	km_result $km_ret "$km_name"
}

# Must fail.
nocheck() {
	km_name=$1
	shift
	if "$@" >"$T/check.out" 2>&1; then
		sed 's/^/# /' "$T/check.out"
		km_result 1 "$km_name"
	else
		km_result 0 "$km_name"
	fi
}

skip() {
	KM_TESTS=$((KM_TESTS + 1))
	echo "ok $KM_TESTS - $1 # SKIP $2"
}

skip_all() {
	echo "1..0 # SKIP $*"
	echo "$0: SKIPPED: $*" >&2
	exit 0
}

need_program() {
	for km_program in "$@"; do
		command -v "$km_program" >/dev/null 2>&1 || skip_all "$km_program is not installed"
	done
}

# Waits (bounded) for a condition that has no event to wait for.  eventually SECONDS command...
eventually() {
	km_end=$(($(date +%s) + $1))
	shift
	until "$@" >/dev/null 2>&1; do
		[ "$(date +%s)" -gt "$km_end" ] && return 1
		sleep 0.05
	done
}

# ---- processes and ports

keep() { KM_PIDS="$KM_PIDS $1"; }

end() {
	kill "$1" 2>/dev/null
	wait "$1" 2>/dev/null
	return 0
}

free_port() { PORT=$("$TOOL" port); }
free_ports() { PORTS=$("$TOOL" port "$1"); }
wait_port() { "$TOOL" wait "$1" 10000 "$2"; }
wait_socket() { "$TOOL" wait "$1" 10000 "$2"; }

# Runs a server with the plugin: in_server LOG command...; sets PID. A session of its own, because lighttpd with workers ends
# by a signal to its whole process group; started in the background, setsid does not fork and PID is the server's.
in_server() {
	km_log=$1
	shift
	# shellcheck disable=SC2086
	setsid env ${PRELOAD:+LD_PRELOAD="$PRELOAD"} $SERVER_ENV "$@" >>"$T/$km_log.log" 2>&1 </dev/null &
	PID=$!
	keep $PID
}

# ---- packages: fetched once, unpacked here, never installed

KM_DEB_CACHE=${KM_DEB_CACHE:-$top_builddir/deb-cache}

km_apt() {
	km_tool=$1
	shift
	"$km_tool" -o Debug::NoLocking=true -o APT::Sandbox::User="$(id -un)" $KM_APT_LISTS "$@"
}

# These packages, also if installed (so that their files are in one place), and those they need and this machine lacks.
km_wanted_packages() {
	{
		printf '%s\n' "$@"
		km_apt apt-get -s install --no-install-recommends "$@" 2>/dev/null | awk '/^Inst / { print $2 }'
	} | sort -u
}

# A machine without package lists gets lists of its own in the cache; the machine's are left alone.
km_private_lists() {
	mkdir -p "$KM_DEB_CACHE/lists/partial" "$KM_DEB_CACHE/archives/partial" || return 1
	KM_APT_LISTS="-o Dir::State::lists=$KM_DEB_CACHE/lists -o Dir::Cache=$KM_DEB_CACHE"
	km_apt apt-get update >/dev/null 2>&1
}

km_download() {
	(cd "$1" && shift && km_apt apt-get download "$@" >/dev/null 2>&1)
}

# Unpacks the packages and what they need into a directory of the cache that is complete or absent.
unpack_deb() {
	DEB_ROOT=$KM_DEB_CACHE/$(echo "$*" | tr ' ' '+')
	mkdir -p "$KM_DEB_CACHE" || return 1
	(
		flock 9 || exit 1
		[ -d "$DEB_ROOT" ] && exit 0
		command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null || exit 1
		rm -rf "$DEB_ROOT.new"
		mkdir -p "$DEB_ROOT.new/debs" || exit 1
		KM_APT_LISTS=
		km_download "$DEB_ROOT.new/debs" $(km_wanted_packages "$@") || {
			km_private_lists && km_download "$DEB_ROOT.new/debs" $(km_wanted_packages "$@")
		} || exit 1
		for km_deb in "$DEB_ROOT.new"/debs/*.deb; do
			[ -f "$km_deb" ] || continue
			dpkg-deb -x "$km_deb" "$DEB_ROOT.new" || exit 1
		done
		rm -rf "$DEB_ROOT.new/debs"
		mv "$DEB_ROOT.new" "$DEB_ROOT"
	) 9>"$KM_DEB_CACHE/lock" || return 1
	DEB_LIBS=$(echo "$DEB_ROOT"/usr/lib/*-linux-gnu* "$DEB_ROOT"/lib/*-linux-gnu* | tr ' ' ':')
}

deb_program() {
	for km_dir in "$DEB_ROOT/usr/sbin" "$DEB_ROOT/usr/bin" /usr/sbin /usr/bin; do
		[ -x "$km_dir/$1" ] && echo "$km_dir/$1" && return
	done
	return 1
}

# Stable for tests that cannot run without them.
need_deb() {
	unpack_deb "$@" || skip_all "the packages $* are not in $KM_DEB_CACHE and cannot be fetched (offline?)"
}

# ---- keys and certificates

# An ordinary key and its certificate: make_pair NAME -> $T/NAME-key.pem, $T/NAME-cert.pem
make_pair() {
	openssl ecparam -name "${2:-prime256v1}" -genkey -noout 2>/dev/null | openssl pkcs8 -topk8 -nocrypt -out "$T/$1-key.pem" &&
		make_cert "$1" "$T/$1-key.pem"
}

make_cert() {
	openssl req -x509 -new -key "$2" -subj /CN=localhost -addext subjectAltName=DNS:localhost,IP:127.0.0.1 -days 30 \
		-out "$T/$1-cert.pem" 2>/dev/null
}

# ---- the stand-in daemon: start_fake KEYFILE, with $FAKE_OPTIONS; socket $T/km.sock and $ABSTRACT, log $T/fake.log, stub $T/stub.pem

FAKE_SOCKET=$T/km.sock
ABSTRACT=@keymesh-test-$$
FAKE_LOG=$T/fake.log

start_fake() {
	"$top_builddir/tests/sys/fake_daemon" --key "$1" --name web --socket "$FAKE_SOCKET" --socket "$ABSTRACT" --log "$FAKE_LOG" \
		--stub "$T/stub.pem" $FAKE_OPTIONS &
	FAKE_PID=$!
	keep $FAKE_PID
	wait_socket "$FAKE_SOCKET" $FAKE_PID
	chmod 777 "$FAKE_SOCKET"
}

stop_fake() { end "$FAKE_PID"; }

# signatures CONTEXT: how many were made
signatures() { grep -c "^SIGN $1 .* ok" "$FAKE_LOG"; }

# ---- servers

start_gnutls_serv() {
	free_port
	in_server gnutls-serv gnutls-serv -p "$PORT" --x509certfile "$1" --x509keyfile "$2" --http
	wait_port "$PORT" "$PID"
}

# start_lighttpd CERT KEY [lines of configuration]
start_lighttpd() {
	free_port
	mkdir -p "$T/www"
	echo "hello from lighttpd" >"$T/www/index.html"
	km_modules=$DEB_ROOT/usr/lib/lighttpd
	[ -d "$km_modules" ] || km_modules=/usr/lib/lighttpd
	cat >"$T/lighttpd.conf" <<-END
		server.modules = ("mod_gnutls")
		server.document-root = "$T/www"
		server.bind = "127.0.0.1"
		server.port = $PORT
		index-file.names = ("index.html")
		ssl.engine = "enable"
		ssl.pemfile = "$1"
		ssl.privkey = "$2"
		$3
	END
	in_server lighttpd env LD_LIBRARY_PATH="$DEB_LIBS" "$(deb_program lighttpd)" -D -f "$T/lighttpd.conf" -m "$km_modules"
	wait_port "$PORT" "$PID"
}

# start_exim CERT KEY: STARTTLS on PORT, TLS from the start on PORT_TLS; runs as EXIM_UID
start_exim() {
	free_ports 2
	PORT=${PORTS% *}
	PORT_TLS=${PORTS#* }
	[ "$(id -u)" = 0 ] && EXIM_UID=65534 || EXIM_UID=$(id -u)
	[ "$(id -u)" = 0 ] && EXIM_GID=65534 || EXIM_GID=$(id -g)
	mkdir -p "$T/exim/spool"
	cat >"$T/exim/exim.conf" <<-END
		primary_hostname = localhost
		exim_path = $(deb_program exim4)
		spool_directory = $T/exim/spool
		log_file_path = $T/exim/log-%s
		pid_file_path = $T/exim/pid
		daemon_smtp_ports = $PORT : $PORT_TLS
		tls_on_connect_ports = $PORT_TLS
		local_interfaces = 127.0.0.1
		tls_advertise_hosts = *
		tls_certificate = $1
		tls_privatekey = $2
		tls_dhparam = none
		keep_environment =
		queue_only = true
		acl_smtp_rcpt = acl_rcpt
		begin acl
		acl_rcpt:
		  accept
		begin routers
		hole:
		  driver = redirect
		  data = :blackhole:
	END
	[ "$(id -u)" = 0 ] && chown -R $EXIM_UID:$EXIM_GID "$T/exim/spool" && chown $EXIM_UID "$T/exim"
	km_preload=$PRELOAD
	PRELOAD="$PRELOAD $top_builddir/tests/sys/.libs/libexim_user.so"
	in_server exim env LD_LIBRARY_PATH="$DEB_LIBS" EXIM_TEST_UID=$EXIM_UID EXIM_TEST_GID=$EXIM_GID \
		"$(deb_program exim4)" -C "$T/exim/exim.conf" -bdf
	PRELOAD=$km_preload
	wait_port "$PORT" "$PID"
}

# ---- clients: verify the certificate, print what was negotiated

# handshake_openssl PORT CA [options]
handshake_openssl() {
	km_port=$1
	km_ca=$2
	shift 2
	timeout 20 openssl s_client -connect "127.0.0.1:$km_port" -servername localhost -CAfile "$km_ca" -verify_return_error "$@" </dev/null
}

handshake_gnutls() {
	# by address: a bare machine may not know the name localhost
	timeout 20 gnutls-cli --x509cafile "$2" -p "$1" --priority "${3:-NORMAL}" --sni-hostname localhost --verify-hostname localhost 127.0.0.1 </dev/null
}

handshake_curl() {
	km_port=$1
	km_ca=$2
	shift 2
	timeout 20 curl -sS -f --noproxy '*' --resolve "localhost:$km_port:127.0.0.1" --cacert "$km_ca" "$@" "https://localhost:$km_port/"
}
