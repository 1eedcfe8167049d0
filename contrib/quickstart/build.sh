# build.sh: configuring and building, for ./quickstart and tests/run-all (bash; the current directory is the checkout).

# Everything configure and Makefile.in are made from, as one hash. WHY not times: a copied tree has all its times new.
autotools_inputs() {
	cat configure.ac Makefile.am autogen.sh m4/km_*.m4 $(find src mesh gnutls-plugin tests doc -name Makefile.inc | sort) | sha256sum
}

# run_autogen LOG
run_autogen() {
	local want
	want=$(autotools_inputs)
	[ -x configure ] && [ "$(cat build-aux/inputs 2>/dev/null)" = "$want" ] && return
	./autogen.sh >"$1" 2>&1 || { tail -n 20 "$1" >&2; echo "autogen.sh failed; the whole log is $1" >&2; return 1; }
	printf '%s\n' "$want" >build-aux/inputs
}

# configure_in DIR SWITCHES...: a build directory, configured once per set of switches.
configure_in() {
	local dir=$1 top=$PWD
	shift
	mkdir -p "$dir" && run_autogen "$dir/autogen.log" || return 1
	[ -f "$dir/Makefile" ] && [ "$(cat "$dir/.switches" 2>/dev/null)" = "$*" ] && [ ! configure -nt "$dir/config.status" ] && return
	(cd "$dir" && "$top/configure" --silent "$@") >"$dir/configure.log" 2>&1 || {
		tail -n 20 "$dir/configure.log" >&2
		echo "configure failed; the whole log is $dir/configure.log" >&2
		return 1
	}
	printf '%s' "$*" >"$dir/.switches"
}

# make_in DIR LOG TARGETS...
make_in() {
	local dir=$1 log=$1/$2
	shift 2
	make -C "$dir" -j"$(nproc)" "$@" >"$log" 2>&1 || {
		grep -nE '(error|Error|undefined reference)' "$log" | head -20 >&2
		echo "the build failed; the whole log is $log" >&2
		return 1
	}
}
