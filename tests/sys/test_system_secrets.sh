#!/bin/sh
# No secret is in any file but its own: shares are on the disk only sealed, and nothing of them, of the sealing key and of the identity
# gets into logs (at level debug), status, answers, the audit log, evidence or what a crash leaves behind (attack B24, for one machine).
. "$top_srcdir/tests/sys/lib.sh"
. "$top_srcdir/tests/sys/mesh_lib.sh"
need_program openssl
SCAN=$top_builddir/tests/sys/byte_scan
plan 32

# ---- the life of a mesh, everything it says kept in $T

check "a mesh of three is configured" mesh_make 3 2
for node in $MESH_NODES; do
	sed -i 's/^identity = {/log_level = "debug"; identity = {/' "$M/$node/keymesh.conf"
done
check "its daemons start, at level debug" mesh_start
check "all are live for each other" mesh_ready
check "a key is made" on p1 keygen www --threshold 2
cp "$T/check.out" "$T/said.keygen"
check "the pools fill" mesh_pool 30 10 3
sign() {
	tls13_bytes >"$T/tbs"
	on fe sign www --context tls13-server -o "$T/said.sig.$1" <"$T/tbs" 2>"$T/said.sign.$1"
}
check "it signs" sign 1
check "its certificate" on fe selfsign www --dns localhost -o "$T/said.cert"
check "its stub" on fe stub www -o "$T/said.stub"
mesh_kill p2
check "a peer is killed and started" mesh_start p2
check "all are live for each other" mesh_ready
check "the pools fill" mesh_pool 30 10 3
check "it signs" sign 2
mesh_kill p3
head -c 300 /dev/urandom >>"$(echo "$M"/p3/state/sealed/key-*.share)"
timeout 10 "$KEYMESHD" --config "$M/p3/keymesh.conf" >"$T/said.damaged" 2>&1
check "a damaged share is refused" test $? = 1
for node in p1 p2 fe; do
	on $node status >"$T/said.status.$node" 2>&1
	on $node status --json >"$T/said.json.$node" 2>&1
done
check "a process may leave no core" awk '/core file size/ { exit !($5 == 0 && $6 == 0) }' "/proc/$(mesh_pid p1)/limits"
nocheck "the environment and the command line say nothing of secret files" grep -aq 'seal.key\|identity.secret' "/proc/$(mesh_pid p1)/environ" "/proc/$(mesh_pid p1)/cmdline"
kill -ABRT "$(mesh_pid p1)"
wait "$(mesh_pid p1)"
nocheck "not even when it aborts" sh -c "ls core* '$M'/p1/core* 2>/dev/null | grep ."
for node in p2 fe; do
	mesh_end $node
done

# ---- what there is to be found

all_secrets() {
	for km_node in p1 p2; do
		"$top_builddir/tests/sys/show_secrets" "$M/$km_node" || return 1
	done >"$T/secrets"
}
check "the secrets of two peers are read with their keys" all_secrets
check "a share, a sealing key and two private keys of each" test "$(cut -d' ' -f1 "$T/secrets" | sort | uniq -c | tr -d '\n' | tr -s ' ')" = " 2 ed25519 2 sealing-key 2 share 2 x25519"
check "the shares differ" test "$(grep ^share "$T/secrets" | sort -u | wc -l)" = 2

# the scanner finds what is there, in every form
SHARE=$(sed -n 's/^share //p' "$T/secrets" | head -1)
raw() { echo "$SHARE" | sed 's/../\\x&/g' | xargs -0 printf '%b' | head -c 32; }
printf 'noise %s noise' "$SHARE" >"$T/plant.hex"
printf 'noise %s' "$SHARE" | tr a-f A-F >"$T/plant.HEX"
{ printf 'noise' && raw && printf 'noise'; } >"$T/plant.raw"
raw | base64 -w0 >"$T/plant.base64"
{ printf x && raw; } | base64 -w0 >"$T/plant.base64.shifted"
printf '%s' "$SHARE" | cut -c 17-56 >"$T/plant.part"
for form in hex HEX raw base64 base64.shifted part; do
	nocheck "a share that lies about is found: $form" "$SCAN" "$T/secrets" "$T/plant.$form"
done
rm "$T"/plant.*
nocheck "a secret is found in its own file" "$SCAN" "$T/secrets" "$M/p1/identity.secret"

# ---- everywhere else

find "$T" -type f ! -name secrets ! -name identity.secret ! -name seal.key | sort >"$T/files"
diag "$(wc -l <"$T/files") files, $(xargs cat <"$T/files" | wc -c) bytes"
check "there are logs, sealed shares, archives and audit logs to look at" \
	sh -c "for f in '/p1.log' '/said.json.fe' 'sealed/key-.*share' 'state/audit' '/said.damaged'; do grep -q \"\$f\" '$T/files' || exit 1; done"
check "the logs are of level debug" grep -q ' debug ' "$T/p1.log"
check "no secret is in any of them" xargs "$SCAN" "$T/secrets" <"$T/files"
mode_of() { find "$M" -type f \( -path '*/state/*' -o -name '*.secret' -o -name seal.key \) ! -perm 600; find "$M" -type d -path '*/state*' ! -perm 700; }
check "state and secrets are the owner's only" test -z "$(mode_of)"
leftovers() { find "$M" -path '*/sealed/*' ! -name 'key-*.share' ! -name 'key-*.dkg' ! -name 'key-*.cert' ! -name quarantine \
	! -name witness.state; }
diag "$(leftovers)"
check "nothing but keys is kept" test -z "$(leftovers)"
check "and never a presignature" test "$(find "$M"/p2/state/sealed -type f | wc -l)" -le 5
