/* schema.c: the table of schema.h. */
#include "config.h"
#include "mesh/schema.h"

#include <string.h>
#include "base/limits.h"
#include "mesh/conf.h"

#define TOP(member) offsetof(struct kmd_config, member)
#define PEER(member) offsetof(struct kmd_conf_peer, member)
#define FE(member) offsetof(struct kmd_conf_frontend, member)
#define KEY(member) offsetof(struct kmd_conf_key, member)
#define HEX 64
#define PATH 1000

/* clang-format off */
const struct kmd_schema kmd_schema[] = {
	{ "", "identity", KMD_KIND_GROUP, KMD_REQUIRED, 0, 0, NULL, 0, "which entry of the roster this node is, and its secret file" },
	{ "", "roles", KMD_KIND_STRINGS, KMD_REQUIRED, 4, 8, NULL, TOP(roles), "[\"peer\"], [\"frontend\"] or both" },
	{ "", "state_dir", KMD_KIND_STRING, 0, 1, PATH, NULL, TOP(state_dir), "a directory only this node uses, mode 0700; peers need one" },
	{ "", "state_counter", KMD_KIND_STRING, 0, 1, PATH, NULL, TOP(state_counter),
	  "a file that is never restored along with state_dir: it shows when that was put back to an earlier time" },
	{ "", "seal", KMD_KIND_GROUP, 0, 0, 0, NULL, 0, "where the key comes from that seals the shares on the disk; peers need one" },
	{ "", "backup", KMD_KIND_GROUP, 0, 0, 0, NULL, 0, "where keymesh backup writes this peer's shares, and who can open them" },
	{ "", "listen", KMD_KIND_GROUP, KMD_REQUIRED, 0, 0, NULL, 0, "the sockets of this node" },
	{ "", "peers", KMD_KIND_LIST, KMD_REQUIRED, 2, KM_MAX_PEERS, NULL, 0, "the roster, equal at all nodes: every peer's line as keymesh init prints it" },
	{ "", "frontends", KMD_KIND_LIST, 0, 0, KM_MAX_FRONTENDS, NULL, 0, "the frontends that peers accept requests from" },
	{ "", "keys", KMD_KIND_LIST, 0, 0, KM_MAX_KEYS, NULL, 0, "the keys that may be made and what each may sign" },
	{ "", "pool", KMD_KIND_GROUP, 0, 0, 0, NULL, 0, "presignatures kept ready" },
	{ "", "audit", KMD_KIND_GROUP, 0, 0, 0, NULL, 0, "the log of what this peer did, in state_dir/audit" },
	{ "", "workers", KMD_KIND_INT, 0, 1, 64, "1", TOP(workers), "threads for presigning, at low priority" },
	{ "", "worker_nice", KMD_KIND_INT, 0, 0, 19, "10", TOP(worker_nice),
	  "nice value of the worker threads: higher disturbs signing less, but on a machine busy with other work presigning starves" },
	{ "", "dkg_min", KMD_KIND_INT, 0, 0, KM_MAX_PEERS, "0", TOP(dkg_min), "peers that must take part in a key generation, 0 = all of the roster" },
	{ "", "log_level", KMD_KIND_STRING, 0, 1, 8, "notice", TOP(log_level), "error, warn, notice, info or debug" },

	{ "identity", "peer_id", KMD_KIND_INT, 0, 1, KM_MAX_PEERS, NULL, TOP(peer_id), "own id in peers; needed with role peer" },
	{ "identity", "frontend_id", KMD_KIND_INT, 0, 1, KM_MAX_FRONTENDS, NULL, TOP(frontend_id), "own id in frontends; needed with role frontend" },
	{ "identity", "secret_file", KMD_KIND_STRING, KMD_REQUIRED, 1, PATH, NULL, TOP(secret_file), "the file keymesh init made, mode 0600" },

	{ "seal", "key_file", KMD_KIND_STRING, 0, 1, PATH, NULL, TOP(seal_key_file), "a file of 64 hex digits, mode 0600" },
	{ "seal", "credential", KMD_KIND_STRING, 0, 1, 255, NULL, TOP(seal_credential),
	  "the name of a systemd credential of 64 hex digits (LoadCredentialEncrypted=), instead of key_file" },

	{ "seal", "passphrase_file", KMD_KIND_STRING, 0, 1, PATH, NULL, TOP(seal_passphrase_file),
	  "a file of mode 0600 with a passphrase in one line, instead of key_file; the key is made of it with Argon2id" },
	{ "seal", "command", KMD_KIND_STRINGS, 0, 1, PATH, NULL, TOP(seal_command),
	  "a program and its arguments, such as [\"/usr/bin/vault\", \"read\", ...], that writes 64 hex digits, instead of key_file" },
	{ "seal", "command_timeout", KMD_KIND_INT, 0, 1, 300, "20", TOP(seal_command_timeout), "seconds the command may take" },

	{ "backup", "recipients", KMD_KIND_STRINGS, 0, 1, 2000, "[]", TOP(backup_recipients),
	  "who can open the backups: recipients of age (age1..., ssh-ed25519 ...), or of what command is; each peer has its own" },
	{ "backup", "directory", KMD_KIND_STRING, 0, 1, PATH, NULL, TOP(backup_directory), "where the backups are written" },
	{ "backup", "command", KMD_KIND_STRINGS, 0, 1, PATH, "[]", TOP(backup_command),
	  "what encrypts, by default [\"/usr/bin/age\", \"--encrypt\"]; -r and each recipient are put after it" },

	{ "listen", "peers", KMD_KIND_STRING, 0, 3, 255, NULL, TOP(listen_peers), "host:port for the other peers, such as \"0.0.0.0:7100\"" },
	{ "listen", "frontends", KMD_KIND_STRING, 0, 3, 255, NULL, TOP(listen_frontends), "host:port for frontends, another port than peers" },
	{ "listen", "local", KMD_KIND_STRING, KMD_REQUIRED, 1, 107, NULL, TOP(listen_local),
	  "path of the unix socket for TLS servers and keymesh, such as \"/run/keymesh/keymesh.sock\"" },
	{ "listen", "abstract", KMD_KIND_STRING, 0, 1, 106, NULL, TOP(listen_abstract), "name of an abstract unix socket besides, for servers in a chroot" },
	{ "listen", "local_users", KMD_KIND_STRINGS, 0, 1, 32, "[]", TOP(local_users),
	  "users (names or numbers) whose processes may ask for signatures, besides root and keymeshd's own user" },
	{ "listen", "admin_users", KMD_KIND_STRINGS, 0, 1, 32, "[]", TOP(admin_users),
	  "users who may also make keys and see the status, besides root and keymeshd's own user" },
	{ "listen", "max_clients", KMD_KIND_INT, 0, 1, 16384, "1024", TOP(max_clients), "connections to the unix sockets at the same time" },

	{ "peers", "id", KMD_KIND_INT, KMD_REQUIRED, 1, KM_MAX_PEERS, NULL, PEER(id), "a number of its own, never given to another peer later" },
	{ "peers", "name", KMD_KIND_STRING, KMD_REQUIRED, 1, KM_MAX_NAME, NULL, PEER(name), "a short name for people, [a-z0-9._-]" },
	{ "peers", "address", KMD_KIND_STRING, KMD_REQUIRED, 3, 255, NULL, PEER(address), "host:port where other peers reach it" },
	{ "peers", "frontend_address", KMD_KIND_STRING, KMD_REQUIRED, 3, 255, NULL, PEER(frontend_address), "host:port where frontends reach it" },
	{ "peers", "identity", KMD_KIND_STRING, KMD_REQUIRED, HEX, HEX, NULL, PEER(identity), "its Ed25519 public key, 64 hex digits" },
	{ "peers", "channel", KMD_KIND_STRING, KMD_REQUIRED, HEX, HEX, NULL, PEER(channel), "its X25519 public key, 64 hex digits" },
	{ "peers", "recipients", KMD_KIND_STRINGS, 0, 1, 2000, "[]", PEER(recipients),
	  "its backup.recipients, for the others to compare: no recipient may be two peers'" },
	{ "peers", "removed", KMD_KIND_INT, 0, 0, 1, "0", PEER(removed),
	  "1: no peer of the mesh any more; it only hears which epoch is in force, so that it wipes its old shares" },

	{ "frontends", "id", KMD_KIND_INT, KMD_REQUIRED, 1, KM_MAX_FRONTENDS, NULL, FE(id), "a number of its own" },
	{ "frontends", "name", KMD_KIND_STRING, KMD_REQUIRED, 1, KM_MAX_NAME, NULL, FE(name), "a short name, [a-z0-9._-]" },
	{ "frontends", "channel", KMD_KIND_STRING, KMD_REQUIRED, HEX, HEX, NULL, FE(channel), "its X25519 public key, 64 hex digits" },

	{ "keys", "name", KMD_KIND_STRING, KMD_REQUIRED, 1, KM_MAX_NAME, NULL, KEY(name), "name of the key, [a-z0-9._-]" },
	{ "keys", "curve", KMD_KIND_STRING, 0, 1, 8, "P-256", KEY(curve), "P-256" },
	{ "keys", "threshold", KMD_KIND_INT, KMD_REQUIRED, KM_MIN_THRESHOLD, KM_MAX_PEERS, NULL, KEY(threshold),
	  "how many peers it takes to sign, at least 2 and at most the number of peers" },
	{ "keys", "contexts", KMD_KIND_STRINGS, KMD_REQUIRED, 1, 16, NULL, KEY(contexts),
	  "what may be signed: of tls13-server, tls12-server, csr, x509-self" },
	{ "keys", "frontends", KMD_KIND_STRINGS, KMD_REQUIRED, 1, KM_MAX_NAME, NULL, KEY(frontends), "names of the frontends that may ask" },
	{ "keys", "replaces", KMD_KIND_STRING, 0, 1, KM_MAX_NAME, NULL, KEY(replaces),
	  "name of the key whose place this one takes, for keymesh rotate; both are served until the old one is retired" },
	{ "keys", "members", KMD_KIND_STRINGS, 0, 1, KM_MAX_NAME, "[]", KEY(members),
	  "the peers that have shares of it, by name or id; [] = all of the roster" },
	{ "keys", "excluded", KMD_KIND_STRINGS, 0, 1, KM_MAX_NAME, "[]", KEY(excluded),
	  "members lost for good, by name or id: old shares are wiped without waiting for them" },
	{ "keys", "pin", KMD_KIND_STRING, 0, 64, 64, NULL, KEY(pin),
	  "the key's id, 64 hex digits, in the file of a peer that joins without a share of it" },
	{ "keys", "refresh", KMD_KIND_STRING, 0, 1, 16, NULL, KEY(refresh), "age at which all shares are made anew, such as \"7d\", \"12h\"; \"0\" = never" },
	{ "keys", "rate", KMD_KIND_INT, 0, 0, 1000000, "0", KEY(rate), "requests a second and frontend, 0 = no limit" },

	{ "pool", "target", KMD_KIND_INT, 0, 1, 10000, "64", TOP(pool_target), "presignatures wanted for each quorum of an own pool" },
	{ "pool", "low", KMD_KIND_INT, 0, 1, 10000, "48", TOP(pool_low), "refill begins below this; not more than target" },
	{ "pool", "batch", KMD_KIND_INT, 0, 1, KM_MAX_BATCH, "256", TOP(pool_batch), "presignatures made in one run" },
	{ "pool", "max_age", KMD_KIND_INT, 0, 10, 86400, "3600", TOP(pool_max_age), "seconds until an unused presignature is thrown away" },

	{ "audit", "mesh", KMD_KIND_STRING, 0, 1, KM_MAX_NAME, "mesh", TOP(audit_mesh), "the name of the mesh, [a-z0-9._-], the same at all peers: logs are named after it" },
	{ "audit", "sync", KMD_KIND_STRING, 0, 1, 8, "batch", TOP(audit_sync),
	  "batch: entries are forced to the disk together within a tenth of a second, a power cut may lose the last ones; always: no share leaves before" },
	{ "audit", "max_mb", KMD_KIND_INT, 0, 0, 100000000, "0", TOP(audit_max_mb), "exported segments are deleted when the log is larger; 0: never" },
	{ "audit", "checkpoint", KMD_KIND_INT, 0, 1, 86400, "3600", TOP(audit_checkpoint), "seconds between signed checkpoints, which other peers cosign" },
	{ "audit", "publish_dir", KMD_KIND_STRING, 0, 1, PATH, NULL, TOP(audit_publish_dir), "a directory for checkpoints: latest, and the first of each day" },
	{ "audit", "export_dir", KMD_KIND_STRING, 0, 1, PATH, NULL, TOP(audit_export_dir), "a directory that full segments are copied to" },
};
/* clang-format on */
const size_t kmd_schema_n = sizeof(kmd_schema) / sizeof(kmd_schema[0]);

const struct kmd_schema *kmd_schema_find(const char *section, const char *key)
{
	size_t i;

	for (i = 0; i < kmd_schema_n; i++)
		if (!strcmp(kmd_schema[i].section, section) && !strcmp(kmd_schema[i].key, key))
			return &kmd_schema[i];
	return NULL;
}

/* Levenshtein's distance of two words of at most 31 letters, 99 for longer ones. */
static unsigned distance(const char *a, const char *b)
{
	unsigned row[32], i, j, diagonal, above;
	size_t na = strlen(a), nb = strlen(b);

	if (na > 31 || nb > 31)
		return 99;
	for (j = 0; j <= nb; j++)
		row[j] = j;
	for (i = 1; i <= na; i++) {
		diagonal = row[0];
		row[0] = i;
		for (j = 1; j <= nb; j++) {
			unsigned best = diagonal + (a[i - 1] != b[j - 1]);

			above = row[j];
			if (above + 1 < best)
				best = above + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			diagonal = above;
			row[j] = best;
		}
	}
	return row[nb];
}

const char *kmd_schema_nearest(const char *section, const char *key)
{
	const char *best = NULL;
	unsigned best_d = 4;
	size_t i;

	for (i = 0; i < kmd_schema_n; i++) {
		unsigned d;

		if (strcmp(kmd_schema[i].section, section))
			continue;
		d = distance(key, kmd_schema[i].key);
		if (d < best_d && d < strlen(key)) {
			best_d = d;
			best = kmd_schema[i].key;
		}
	}
	return best;
}
