# mesh_lib.sh: a mesh of real daemons on loopback for the system tests. Source it after lib.sh.
#
#	mesh_make 5 3          directories $M/p1 .. $M/p5 and $M/fe, a roster for them, keys www and spare with threshold 3
#	mesh_start p1 ...      starts nodes (all without arguments); their pid is in $M/NODE/pid, their log in $T/NODE.log
#	mesh_ready             until all peers are live for each other and the frontend
#	on NODE COMMAND ...    keymesh COMMAND ... at the socket of NODE
#	mesh_end NODE, mesh_kill NODE      by SIGTERM (status in $STATUS), by SIGKILL
#	json NODE PATH         values of the node's status, one a line, such as json p1 peer.peers.live

M=$T/mesh
KEYMESHD=${KEYMESHD:-$top_builddir/keymeshd}
KEYMESH=${KEYMESH:-$top_builddir/keymesh}
MESH_POOL=${MESH_POOL:-target = 16; low = 12; batch = 64;}

# An entry needs commas between it and the next, but none after the last.
mesh_join() {
	km_first=1
	for km_entry in "$@"; do
		[ $km_first = 1 ] || echo ,
		cat "$km_entry"
		km_first=0
	done
}

mesh_roster() {
	echo "peers = ("
	mesh_join "$M"/p[0-9]*/peer.entry
	echo "); frontends = ("
	cat "$M/fe/frontend.entry"
	echo "); keys = ("
	for km_key in www spare; do
		[ $km_key = www ] || echo ,
		echo "{ name = \"$km_key\"; threshold = $1; contexts = [ \"tls13-server\", \"tls12-server\", \"csr\", \"x509-self\" ]; frontends = [ \"fe\" ]; }"
	done
	echo ");"
}

# Where the skeleton has a line of the user's to change, tests change it with sed.
mesh_make() {
	km_n=$1
	mkdir -p "$M" && chmod 755 "$M"
	free_ports $((2 * km_n))
	set -- "$2" $PORTS
	km_threshold=$1
	shift
	km_i=1
	while [ $km_i -le "$km_n" ]; do
		"$KEYMESH" init --dir "$M/p$km_i" --name "p$km_i" --peer-id $km_i --address "127.0.0.1:$1" --frontend-address "127.0.0.1:$2" \
			--local "$M/p$km_i/sock" >/dev/null || return 1
		shift 2
		km_i=$((km_i + 1))
	done
	"$KEYMESH" init --dir "$M/fe" --name fe --frontend-id 1 --local "$M/fe/sock" >/dev/null || return 1
	mesh_roster "$km_threshold" >"$M/roster"
	for km_dir in "$M"/p[0-9]* "$M/fe"; do
		cp "$M/roster" "$km_dir/roster.conf"
		sed -i "s/^pool = {/pool = { $MESH_POOL/" "$km_dir/keymesh.conf"
	done
	MESH_NODES=$(cd "$M" && echo p[0-9]* fe)
}

mesh_start() {
	for km_node in ${*:-$MESH_NODES}; do
		"$KEYMESHD" --config "$M/$km_node/keymesh.conf" >>"$T/$km_node.log" 2>&1 </dev/null &
		echo $! >"$M/$km_node/pid"
		keep $!
	done
	for km_node in ${*:-$MESH_NODES}; do
		wait_socket "$M/$km_node/sock" "$(cat "$M/$km_node/pid")" || return 1
	done
}

mesh_pid() { cat "$M/$1/pid"; }

mesh_end() {
	kill -TERM "$(mesh_pid "$1")"
	wait "$(mesh_pid "$1")"
	STATUS=$?
}

mesh_kill() {
	kill -KILL "$(mesh_pid "$1")"
	wait "$(mesh_pid "$1")" 2>/dev/null
	return 0
}

on() {
	km_at=$1 km_command=$2
	shift 2
	KEYMESH_SOCKET=$M/$km_at/sock "$KEYMESH" "$km_command" "$@"
}

json() { on "$1" status --json | "$top_builddir/tests/sys/json_tool" "$2"; }

# At least COUNT of the values at PATH are VALUE, or are numbers of at least VALUE.   has NODE PATH VALUE COUNT
has() {
	[ "$(json "$1" "$2" | awk -v v="$3" '($0 == v) || ($0 ~ /^[0-9.]+$/ && v ~ /^[0-9.]+$/ && $0 >= v + 0) { n++ } END { print n + 0 }')" -ge "$4" ]
}

mesh_ready() {
	km_peers=$(echo "$MESH_NODES" | tr ' ' '\n' | grep -c '^p')
	for km_node in $MESH_NODES; do
		case $km_node in
		fe) eventually 20 has fe frontend.peers.live true "$km_peers" ;;
		*) eventually 20 has "$km_node" peer.peers.live true $((km_peers - 1)) ;;
		esac || return 1
	done
}

# COUNT peers have at least N presignatures that the frontend can use.   mesh_pool SECONDS N COUNT
mesh_pool() { eventually "$1" has fe frontend.peers.ready "$2" "$3"; }

# What a TLS 1.3 server signs, with a hash of our own: on standard output.
tls13_bytes() {
	printf '%64s' ''
	printf 'TLS 1.3, server CertificateVerify\0'
	head -c 32 /dev/urandom
}
