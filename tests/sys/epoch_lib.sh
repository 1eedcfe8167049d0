# epoch_lib.sh: committees that change under load. Source it after mesh_lib.sh. www is the key of these rosters, and $NEXT,
# if that is set, one that replaces it, with threshold 2.
#
#	rosters T p1 p2 ...    MEMBERS are these, in every file; $REMOVED (names) are marked removed
#	restart NODE ...       one by one, each live for the others before the next; the frontend last
#	load_start, load_good, load_end    50 requests a second in rounds of a second; fails if one failed

# An entry of the roster, marked if it is removed.
km_entry_of() {
	case " $REMOVED " in
	*" $1 "*) sed 's/{/{ removed = 1;/' "$M/$1/peer.entry" ;;
	*) cat "$M/$1/peer.entry" ;;
	esac
}

# What a removed peer's own file says: all lines as they were.
km_roster_of() { # NODE
	km_first=1
	echo "peers = ("
	for km_p in $MEMBERS $REMOVED; do
		[ $km_first = 1 ] || echo ,
		km_first=0
		case " $REMOVED " in
		*" $1 "*) cat "$M/$km_p/peer.entry" ;;
		*) km_entry_of "$km_p" ;;
		esac
	done
	echo "); frontends = ("
	cat "$M/fe/frontend.entry"
	km_names=$(echo "$MEMBERS" | sed 's/[^ ][^ ]*/"&"/g; s/ /, /g')
	km_may="members = [ $km_names ]; frontends = [ \"fe\" ]; contexts = [ \"tls13-server\", \"tls12-server\", \"csr\", \"x509-self\" ];"
	echo "); keys = ( { name = \"www\"; threshold = $THRESHOLD; $PIN $km_may }"
	[ -z "${NEXT:-}" ] || echo ", { name = \"$NEXT\"; replaces = \"www\"; threshold = 2; $km_may }"
	echo ");"
}

rosters() {
	THRESHOLD=$1
	shift
	MEMBERS=$*
	PIN=
	[ -z "${ID:-}" ] || PIN="pin = \"$ID\";"
	for km_node in $MEMBERS $REMOVED fe; do
		km_roster_of "$km_node" >"$M/$km_node/roster.conf"
		"$KEYMESHD" --check --config "$M/$km_node/keymesh.conf" >/dev/null || return 1
	done
}

# N peers are live for the frontend and each other.
km_live_one() { [ "$(json "$1" peer.peers.live | grep -c true)" -ge "$2" ]; }
live() {
	for km_node in $MEMBERS; do
		eventually 20 km_live_one "$km_node" $(($1 - 1)) || return 1
	done
	eventually 20 has fe frontend.peers.live true "$1"
}

# A peer is restarted when the others can do without it: all have presignatures. The only frontend of all clients cannot be done
# without: the load makes a pause for it.
restart() {
	for km_r in "$@"; do
		[ "$km_r" != fe ] || load_pause
		mesh_end "$km_r"
		[ $STATUS = 0 ] || return 1
		mesh_start "$km_r" || return 1
		case " $REMOVED " in
		*" $km_r "*) continue ;;
		esac
		eventually 20 has fe frontend.peers.live true "$LIVE" && mesh_pool 30 30 "$LIVE" || return 1
		[ "$km_r" != fe ] || load_go_on
	done
}

certificate() { on fe selfsign www --dns localhost -o "$T/cert.pem"; }
km_public() { openssl x509 -in "$1" -pubkey -noout; }
same_public_key() {
	on fe selfsign www --dns localhost -o "$T/last.pem" && [ "$(km_public "$T/cert.pem")" = "$(km_public "$T/last.pem")" ]
}

newer() {
	km_e=$1
	shift
	for km_node in "$@"; do
		[ "$(json "$km_node" peer.keys.epoch)" -gt "$km_e" ] || return 1
	done
}
km_shares() { ls "$M/$1/state/sealed" | grep -c '\.share$'; }
one_share() {
	for km_node in "$@"; do
		[ "$(km_shares "$km_node")" = 1 ] || return 1
	done
}
no_share() { [ "$(km_shares "$1")" = 0 ]; }
serves_threshold() { [ "$(json fe frontend.keys.threshold)" = "$1" ]; }

# ---- load: a line of JSON for each round
LOAD_KEY=www
load_start() {
	: >"$T/load.rounds"
	load_go_on
}
load_pause() {
	touch "$T/load.stop"
	wait "$LOAD" || true
}
load_go_on() {
	rm -f "$T/load.stop"
	(until [ -e "$T/load.stop" ]; do
		on fe bench "$LOAD_KEY" --clients 8 --rate 50 --seconds 1 --json >>"$T/load.rounds" 2>>"$T/load.err" || true
	done) &
	LOAD=$!
	keep $LOAD
}
load_rounds() { [ "$(grep -c requests "$T/load.rounds")" -ge "$1" ]; }
load_more() {
	km_n=$(grep -c requests "$T/load.rounds")
	eventually 20 load_rounds $((km_n + 2))
}
# Requests and failures so far.
load_sum() { awk -F'[:,]' '/requests/ { r += $2; f += $6 } END { print r + 0, f + 0 }' "$T/load.rounds"; }
km_no_failure() {
	cat "$T/load.err"
	set -- $(load_sum)
	[ "$1" -gt 0 ] && [ "$2" = 0 ] && [ ! -s "$T/load.err" ]
}
load_good() { load_more && km_no_failure; }
load_end() { load_pause && km_no_failure; }
