#!/bin/sh
# Holds src/ to its promises: who may include whom, which system headers, no secret in an mpz, no floating point, and no
# way to the outside (sockets, files, clocks, threads, stdio) among the undefined symbols of the libraries.
#
# Every check is first shown a bad sample and has to find it; a check that finds nothing there fails.
set -u
LC_ALL=C
export LC_ALL
: "${top_srcdir:=.}" "${top_builddir:=.}"

layers="base audit ec zk proto node rpc"

# What a layer may include besides itself: base <- ec <- zk <- proto <- node, base <- rpc, base <- audit <- node.
below() {
	case $1 in
	base) echo "" ;;
	audit | ec | rpc) echo "base" ;;
	zk) echo "base ec" ;;
	proto) echo "base ec zk" ;;
	node) echo "base audit ec zk proto" ;;
	esac
}

# System headers of the core; with a colon: in that file only.
system_headers="stddef.h stdint.h stdarg.h inttypes.h limits.h stdlib.h string.h gmp.h x86intrin.h:ec/field.h
	immintrin.h:proto/gf128.c stdatomic.h:base/arena.c sys/mman.h:base/arena.c valgrind/memcheck.h:base/secret.c"

# Symbols that lead out of a pure core. Anchored; _chk and 64 are the hardened and the large-file names of the same.
forbidden_symbols='socket|socketpair|connect|bind|listen|accept4?|send(to|msg|mmsg)?|recv(from|msg|mmsg)?|[gs]etsockopt|getaddrinfo'
forbidden_symbols="$forbidden_symbols|p?poll|p?select|epoll_.*|eventfd|timerfd_.*|signalfd|pipe2?|ioctl|fcntl"
forbidden_symbols="$forbidden_symbols|open|openat|creat|close|p?readv?|p?writev?|lseek|unlink(at)?|rename(at2?)?|mkdir|stat|fstat|lstat|f(data)?sync|ftruncate"
forbidden_symbols="$forbidden_symbols|f(open|close|read|write|puts|putc|gets|getc|printf|scanf|flush|seek|tell|dopen)|v?[sdf]?n?printf|v?[sf]?scanf|put(s|c|char)|perror|std(in|out|err)|getline"
forbidden_symbols="$forbidden_symbols|time|clock|clock_.*|gettimeofday|(nano|u)?sleep|localtime(_r)?|gmtime(_r)?|strftime|alarm|[gs]etitimer"
forbidden_symbols="$forbidden_symbols|getrandom|getentropy|arc4random.*|s?rand|s?random|[dlm]rand48"
forbidden_symbols="$forbidden_symbols|pthread_.*|thrd_.*|mtx_.*|cnd_.*|v?fork|clone|exec.*|posix_spawn.*|system|popen|wait(pid)?|kill|raise|signal|sigaction|_?exit|atexit"
forbidden_symbols="$forbidden_symbols|(secure_)?getenv|setenv|getpid|getuid|geteuid|sysconf|syscall|dlopen|dlsym|syslog|__assert_fail"
forbidden_symbols="$forbidden_symbols|str(cpy|cat)|stpcpy|alloca|setjmp|longjmp|zmq_.*|gnutls_.*|config_.*|json_.*|MHD_.*|__gmpz_.*|__gmpf_.*|__gmpq_.*"

# Text of a C file without comments and without what stands in string and character literals, lines kept.
code_of() {
	awk '
	{
		out = ""; n = length($0)
		for (i = 1; i <= n; i++) {
			c = substr($0, i, 1); two = substr($0, i, 2)
			if (comment) {
				if (two == "*/") { comment = 0; i++; out = out " " }
			} else if (quote != "") {
				if (c == "\\") i++
				else if (c == quote) { quote = ""; out = out c }
			} else if (two == "/*") { comment = 1; i++ }
			else if (two == "//") break
			else { if (c == "\"" || c == "\047") quote = c; out = out c }
		}
		quote = ""
		print out
	}' "$1"
}

sources_of() {
	find "$1" -name '*.[ch]' | sort
}

# Each check prints one line per violation, nothing when all is well.

check_includes() { # src layer
	for file in $(sources_of "$1/$2"); do
		sed -n 's/^[ 	]*#[ 	]*include[ 	]*//p' "$file" | while read -r what rest; do
			case $what in
			\"config.h\") continue ;;
			\"*\") ;;
			\<*\>) continue ;;
			*) echo "$file: include of $what cannot be judged"; continue ;;
			esac
			path=${what#\"}
			path=${path%\"}
			while :; do
				case $path in
				../* | ./*) path=${path#*/} ;;
				*) break ;;
				esac
			done
			path=${path#src/}
			case $path in
			*..*) echo "$file: include of $path cannot be judged" ;;
			*/*)
				to=${path%%/*}
				case " $2 $(below "$2") " in
				*" $to "*) ;;
				*) echo "$file: $2 must not include $path" ;;
				esac
				;;
			*) [ -f "${file%/*}/$path" ] || echo "$file: $path is not in its folder" ;;
			esac
		done
	done
}

check_system_headers() { # src layer
	for file in $(sources_of "$1/$2"); do
		sed -n 's/^[ 	]*#[ 	]*include[ 	]*<\([^>]*\)>.*/\1/p' "$file" | while read -r header; do
			case $header in
			nettle/*) continue ;;
			esac
			good=0
			for allowed in $system_headers; do
				[ "$allowed" = "$header" ] || [ "$allowed" = "$header:${file#"$1"/}" ] && good=1
			done
			[ $good = 1 ] || echo "$file: <$header>"
		done
	done
}

check_words() { # src layer words
	for file in $(sources_of "$1/$2"); do
		code_of "$file" | grep -nE "(^|[^A-Za-z0-9_])($3)" | sed "s|^|$file:|"
	done
}

check_mpz() {
	check_words "$1" "$2" 'mp[zqf]_'
}

check_float() {
	check_words "$1" "$2" '(float|double)([^A-Za-z0-9_]|$)'
}

check_symbols() { # output of nm -u on standard input
	sed -n 's/^ *U \([^@]*\).*/\1/p' | sort -u | while read -r symbol; do
		plain=$symbol
		case $plain in
		__*_chk) plain=${plain#__} plain=${plain%_chk} ;;
		__isoc99_*) plain=${plain#__isoc99_} ;;
		esac
		plain=${plain%64}
		if echo "$plain" | grep -qE "^($forbidden_symbols)\$" || echo "$symbol" | grep -qE "^($forbidden_symbols)\$"; then
			echo "undefined symbol $symbol"
		fi
	done
}

# Curves for tests (src/ec/toy.h) and rules that can be switched off are in no library that ships.
check_test_only() { # output of nm on standard input
	grep -E ' (km_toy_[a-z0-9_]*|km_rules_off)$' | sed 's/^.* /for tests only: /'
}

# ---- TAP

count=0
failed=0

result() { # name, violations
	count=$((count + 1))
	if [ -z "$2" ]; then
		echo "ok $count - $1"
	else
		failed=1
		echo "$2" | sed 's/^/# /'
		echo "not ok $count - $1"
	fi
}

# A sample that must be found, and one that must not.
must_find() { # name, violations
	if [ -n "$2" ]; then
		result "$1" ""
	else
		result "$1" "the bad sample was not found"
	fi
}

tmp=$(mktemp -d) || exit 99
trap 'rm -rf "$tmp"' EXIT
trap 'exit 99' HUP INT TERM

sample() { # layer, text: a tree with one file
	rm -rf "$tmp/src"
	for l in $layers; do
		mkdir -p "$tmp/src/$l"
	done
	printf '%s\n' "$2" >"$tmp/src/$1/sample.c"
}

sample_header() {
	sample base "#include <$1>"
	must_find "bad sample: <$1>" "$(check_system_headers "$tmp/src" base)"
}

sample_include() {
	sample "$1" "#include \"$2\""
	must_find "bad sample: $1 includes $2" "$(check_includes "$tmp/src" "$1")"
}

sample_include base ../ec/point.h
sample_include ec ../zk/dlog.h
sample_include zk proto/dkg.h
sample_include proto src/node/peer.h
sample_include proto ../../src/node/peer.h
sample_include node ../rpc/rpc.h
sample_include audit ../ec/point.h
sample_include proto ../audit/tree.h
sample_include rpc ../ec/scalar.h
sample_include node ../../mesh/loop.h
sample_include ec ../base/../node/peer.h
sample_include ec nowhere.h
sample zk '#include "../ec/point.h"
#include "base/err.h"'
result "good sample: zk includes ec and base" "$(check_includes "$tmp/src" zk)"

for header in stdio.h time.h sys/time.h sys/socket.h unistd.h fcntl.h pthread.h threads.h zmq.h gnutls/gnutls.h sys/mman.h math.h sys/random.h; do
	sample_header "$header"
done
sample base '#include <string.h>'
result "good sample: <string.h>" "$(check_system_headers "$tmp/src" base)"

sample ec '/* an mpz_t is
 * no home, mpz_add */
	x = "mpz_t"; /* mpz_add */ y = mpz_add(z); // mpz'
found=$(check_mpz "$tmp/src" ec)
must_find "bad sample: mpz_add between comments" "$found"
result "good sample: mpz in comments and strings" "$(echo "$found" | grep -v ':3:')"
sample node 'static double ratio;'
must_find "bad sample: double" "$(check_float "$tmp/src" node)"
sample node 'int double_sharing, redouble; /* double */'
result "good sample: a name with double in it" "$(check_float "$tmp/src" node)"

for symbol in socket open open64 read __read_chk write time clock_gettime getrandom pthread_create printf __fprintf_chk snprintf \
	stderr fork exit __gmpz_add zmq_send gnutls_init getenv __isoc99_sscanf strcpy; do
	must_find "bad sample: symbol $symbol" "$(printf '                 U %s\n' $symbol | check_symbols)"
done
result "good sample: symbols of a pure library" "$(printf '                 U %s\n' memcpy malloc free abort mmap mlock __gmpn_mul_n \
	nettle_sha256_update km_open km_reader_init __stack_chk_fail __memcpy_chk strlen qsort | check_symbols)"

must_find "bad sample: a toy curve called" "$(echo '                 U km_toy_by_id' | check_test_only)"
must_find "bad sample: a toy curve defined" "$(echo '0000000000000000 T km_toy_mul' | check_test_only)"
must_find "bad sample: rules in a mask" "$(echo '0000000000000000 B km_rules_off' | check_test_only)"
result "good sample: a curve" "$(echo '0000000000000000 T km_curve_by_id' | check_test_only)"

for layer in $layers; do
	result "src/$layer includes only what lies below it" "$(check_includes "$top_srcdir/src" $layer)"
	result "src/$layer includes no forbidden system header" "$(check_system_headers "$top_srcdir/src" $layer)"
	result "src/$layer has no mpz" "$(check_mpz "$top_srcdir/src" $layer)"
	result "src/$layer has no floating point" "$(check_float "$top_srcdir/src" $layer)"
	lib=$top_builddir/.libs/libkm$layer.a
	if [ -f "$lib" ]; then
		if nm -u "$lib" >"$tmp/symbols" 2>"$tmp/errors" && grep -q ' U ' "$tmp/symbols"; then
			result "libkm$layer has no way out" "$(check_symbols <"$tmp/symbols")"
			result "libkm$layer has nothing that is for tests only" "$(nm "$lib" | check_test_only)"
		else
			result "libkm$layer has no way out" "nm shows nothing of $lib: $(cat "$tmp/errors")"
		fi
	elif [ -f "$top_srcdir/src/$layer/Makefile.inc" ] && [ "$layer" = base ]; then
		result "libkm$layer has no way out" "$lib is not built"
	else
		count=$((count + 1))
		echo "ok $count - libkm$layer has no way out # SKIP $lib is not built"
	fi
done

echo "1..$count"
exit $failed
