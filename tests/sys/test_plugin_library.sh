#!/bin/sh
# The plugin as a library: what it exports and needs, that it notices where it cannot work, and that without it a stub fails closed.
. "$top_srcdir/tests/sys/lib.sh"
need_program nm readelf openssl gnutls-serv
plan 11

hooks=$(sed -n 's/^\t\(gnutls_[a-z0-9_]*\);$/\1/p' "$top_srcdir/gnutls-plugin/libgnutls-keymesh.map" | sort)
exported=$(nm -D --defined-only "$KM_PLUGIN" | awk '{ print $3 }' | sort)
check "the hooks are exported, and nothing else" test "$hooks" = "$exported"
check "there are hooks" test "$(echo "$hooks" | wc -l)" -ge 12

needed=$(readelf -d "$KM_PLUGIN" | sed -n 's/.*NEEDED.*\[\(.*\)\]/\1/p' | grep -Ev '^(libgnutls\.so\.|libc\.so\.|ld-linux|lib[a-z]*san\.so)')
check "it brings no library but libgnutls and libc" test -z "$needed"
diag "$needed"
check "no thread is ever started" sh -c "! nm -D --undefined-only '$KM_PLUGIN' | grep -E ' (pthread_create|clone|fork|system|popen|exec[a-z]*)(@|\$)'"

make_pair web
start_fake "$T/web-key.pem"
stop_fake

PRELOAD=${PRELOAD} SERVER_ENV="KEYMESH_LOG=stderr"
quiet() { env LD_PRELOAD="$PRELOAD" KEYMESH_LOG=stderr true 2>&1 | grep -v '^$' | (! grep .); }
check "a program without TLS hears nothing of it" quiet

# a copy of libgnutls that binds its own symbols first
gnutls=$(ldd "$KM_PLUGIN" | awk '/libgnutls\.so/ { print $3 }')
mkdir "$T/symbolic"
check "a -Bsymbolic libgnutls is made" "$top_builddir/tests/sys/mark_symbolic" "$gnutls" "$T/symbolic/${gnutls##*/}"
env LD_LIBRARY_PATH="$T/symbolic" LD_PRELOAD="$PRELOAD" KEYMESH_LOG=stderr true 2>"$T/symbolic.log"
check "a -Bsymbolic libgnutls is noticed at start" grep -q 'does not call through its own symbols' "$T/symbolic.log"

# another library in front of it
cat >"$T/front.c" <<'END'
int gnutls_privkey_sign_data2(void);
int gnutls_privkey_sign_data2(void) { return -1; }
END
if ${CC:-cc} -shared -fPIC -o "$T/front.so" "$T/front.c" 2>/dev/null; then
	env LD_PRELOAD="${KM_ASAN:-} $T/front.so $KM_PLUGIN" KEYMESH_LOG=stderr true 2>"$T/front.log"
	check "not being first is noticed at start" grep -q 'is not first among the libraries' "$T/front.log"
else
	skip "not being first is noticed at start" "no compiler"
fi

# without the plugin
PRELOAD=
free_port
in_server gnutls-serv gnutls-serv -p "$PORT" --x509certfile "$T/web-cert.pem" --x509keyfile "$T/stub.pem" --http
wait_port "$PORT" "$PID"
refused=$?
check "without the plugin gnutls-serv does not start with a stub" test $refused -ne 0
check "and says why" grep -qi 'do not match' "$T/gnutls-serv.log"
nocheck "no client gets through" handshake_openssl "$PORT" "$T/web-cert.pem"
