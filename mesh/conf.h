/* conf.h: keymesh.conf, read and checked whole before anything is started. */
#ifndef KMD_CONFIG_H
#define KMD_CONFIG_H

#include <sys/types.h>
#include "mesh/fail.h"
#include "node/settings.h"

struct kmd_strings {
	char **v;
	unsigned n;
};

struct kmd_conf_peer {
	unsigned id, removed;
	char *name, *address, *frontend_address, *identity, *channel;
	struct kmd_strings recipients;
};
struct kmd_conf_frontend {
	unsigned id;
	char *name, *channel;
};
struct kmd_conf_key {
	char *name, *curve, *replaces, *pin, *refresh;
	unsigned threshold, rate;
	struct kmd_strings contexts, frontends, members, excluded;
};

struct kmd_config {
	/* As the file says it (struct kmd_schema). */
	unsigned peer_id, frontend_id, workers, worker_nice, pool_target, pool_low, pool_batch, pool_max_age, dkg_min,
	    max_clients, seal_command_timeout, audit_max_mb, audit_checkpoint;
	struct kmd_strings roles, local_users, admin_users, seal_command, backup_recipients, backup_command;
	char *secret_file, *state_dir, *seal_key_file, *seal_credential, *seal_passphrase_file, *listen_peers, *listen_frontends,
	    *listen_local, *listen_abstract, *backup_directory, *state_counter, *log_level, *audit_mesh, *audit_sync, *audit_export_dir, *audit_publish_dir;
	struct kmd_conf_peer *peers;
	struct kmd_conf_frontend *frontends;
	struct kmd_conf_key *keys;
	unsigned n_peers, n_frontends, n_keys;

	/* Made of it. Paths are relative to the directory of the file. */
	char *file;
	int is_peer, is_frontend;
	char self_name[KM_MAX_NAME + 1];
	const char *address[KM_MAX_PEERS + 1], *frontend_address[KM_MAX_PEERS + 1]; /* by peer id; into peers */
	uid_t *local_uids, *admin_uids;
	unsigned n_local_uids, n_admin_uids;
	uint8_t *seal_key;  /* 32 bytes in the secret arena; only peers. NULL until kmd_keysource_derive when it is from a passphrase: */
	uint8_t *seal_pass; /* in the secret arena */
	struct km_settings settings;
	char warnings[1024]; /* lines the operator should see; "" = none */
};

/* The object lies in the secret arena (it holds the identity). f->text is "file:line: what is wrong; what to write instead".
 * KM_E_CONFIG for what the file says, KM_E_RIGHTS, KM_E_NOTFOUND, KM_E_IO for the files it names. */
int kmd_config_load(struct kmd_config **out, const char *path, struct kmd_fail *f) KM_MUST;
void kmd_config_free(struct kmd_config *c);

#endif
