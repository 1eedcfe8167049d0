/* cli_restore.c: keymesh restore: a decrypted share back into the state of its peer. */
#include "config.h"
#include "mesh/cli_recovery.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/secret.h"
#include "mesh/conf.h"
#include "mesh/files.h"
#include "mesh/identity.h"
#include "mesh/keysource.h"
#include "mesh/rollback.h"
#include "mesh/secure.h"
#include "mesh/store.h"

#define DEFAULT_CONFIG "/etc/keymesh/keymesh.conf"

struct job {
	const char *config, *file, *write_identity;
	struct kmd_opener how;
	struct kmd_opened b;
	struct kmd_config *c;
	struct kmd_store *store;
};

static int parse(struct job *j, int argc, char **argv)
{
	static const struct option options[] = {
	    {"config", required_argument, NULL, 'c'}, {"identity", required_argument, NULL, 'i'},
	    {"gpg", no_argument, NULL, 'g'},	      {"write-identity", required_argument, NULL, 'w'},
	    {NULL, 0, NULL, 0},
	};
	int opt;

	while ((opt = getopt_long(argc, argv, "c:i:", options, NULL)) != -1) {
		if (opt == 'c')
			j->config = optarg;
		else if (opt == 'i')
			j->how.identity = optarg;
		else if (opt == 'g')
			j->how.gpg = 1;
		else if (opt == 'w')
			j->write_identity = optarg;
		else
			return kmd_cli_usage("restore", "wrong option");
	}
	if (optind + 1 != argc)
		return kmd_cli_usage("restore", "one FILE is needed");
	j->file = argv[optind];
	return !j->how.gpg == !j->how.identity ? kmd_cli_usage("restore", "one of --identity FILE and --gpg is needed") : KMD_EXIT_OK;
}

static int write_identity(const struct job *j, struct kmd_fail *f)
{
	char text[KMD_IDENTITY_TEXT];
	struct kmd_identity id;
	int err;

	memset(&id, 0, sizeof(id));
	memcpy(id.sign.priv, j->b.plain->ed25519, 32);
	memcpy(id.channel_priv, j->b.plain->x25519, 32);
	err = kmd_file_create(j->write_identity, 0600, text, kmd_identity_format(text, &id), f);
	km_wipe(text, sizeof(text));
	kmd_identity_wipe(&id);
	if (!err)
		printf("%s: the secret file of peer %u (%s)\n", j->write_identity, j->b.head.peer, j->b.head.peer_name);
	return err;
}

/* What is there already: nothing newer, and no other state of the same epoch. */
static int compare(void *ctx, const char *name, const uint8_t *data, size_t len, struct kmd_fail *f)
{
	const struct job *j = ctx;
	const struct km_table *t = &j->b.share->table;
	const char *dot = strrchr(name, '.');
	struct km_share *s;
	int err;

	if (!dot || strcmp(dot, ".share"))
		return KM_OK;
	s = km_secret_alloc(sizeof(*s));
	if (!s)
		return kmd_fail(f, KM_E_NOMEM, "no locked memory (see ulimit -l)");
	err = km_share_decode(s, data, len);
	if (err)
		kmd_fail(f, err, "%s does not hold a share: %s", name, km_strerror(err));
	else if (!memcmp(s->table.key_id, t->key_id, KM_HASH_SIZE) && s->table.number > t->number)
		err = kmd_fail(f, KM_E_STALE,
			       "the state has epoch %" PRIu64 " of key %s, the backup has epoch %" PRIu64 ", an older one, which the mesh "
			       "has left or will leave: not restored",
			       s->table.number, t->name, t->number);
	else if (!memcmp(s->table.hash, t->hash, KM_HASH_SIZE))
		err = kmd_fail(f, KM_E_EXISTS, "the state has this share already: nothing to restore");
	km_share_wipe(s);
	km_secret_free(s);
	return err;
}

static int check(const struct job *j, struct kmd_fail *f)
{
	const struct km_share *s = j->b.share;
	const struct km_roster_peer *own = &j->c->settings.roster.peer[j->c->peer_id];

	if (!j->c->is_peer)
		return kmd_fail(f, KM_E_CONFIG, "%s: this node is no peer", j->config);
	if (s->self != j->c->peer_id)
		return kmd_fail(f, KM_E_MISMATCH, "this is the share of peer %u (%s), and this node is peer %u: each peer gets its own back",
				s->self, j->b.head.peer_name, j->c->peer_id);
	if (memcmp(s->table.idkeys[s->self], own->identity, KM_IDKEY_SIZE))
		return kmd_fail(f, KM_E_MISMATCH,
				"the share belongs to another identity of peer %u than the one in %s; restore that too, with "
				"--write-identity, and put its old line back into the rosters",
				s->self, j->config);
	if (!s->usable)
		return kmd_fail(f, KM_E_STATE, "the share was not in use when the backup was made; it is worth nothing");
	return KM_OK;
}

static int put_files(const struct job *j, struct kmd_fail *f)
{
	const struct kmd_backup_plain *p = j->b.plain;
	int err = KM_OK;

	/* the share last: with it all of it is there */
	for (unsigned i = p->n_files; i-- > 0 && !err;)
		err = kmd_store_put(j->store, p->file[i].name, p->file[i].data, p->file[i].len, f);
	return err ? err : kmd_rollback_accept(j->store, j->c, f);
}

static int restore(struct job *j, struct kmd_fail *f)
{
	int err = kmd_opened_read(&j->b, j->file, &j->how, f);

	if (!err && j->write_identity)
		err = write_identity(j, f);
	if (!err)
		err = kmd_config_load(&j->c, j->config, f);
	if (err == KM_E_NOTFOUND && !j->write_identity) {
		struct kmd_fail why = *f;

		kmd_fail(f, err, "%.400s (the backup has the peer's secret file: --write-identity FILE)", why.text);
	}
	if (!err)
		err = check(j, f);
	if (!err)
		err = kmd_keysource_derive(j->c, KMD_KEY_OF_STATE, f);
	if (!err)
		err = kmd_store_open(&j->store, j->c->state_dir, j->c->seal_key, f);
	if (!err)
		err = kmd_store_each(j->store, compare, j, f);
	return err ? err : put_files(j, f);
}

int kmd_cmd_restore(int argc, char **argv)
{
	struct job j = {.config = DEFAULT_CONFIG};
	struct kmd_fail f;
	int status = parse(&j, argc, argv), err;

	if (status)
		return status;
	err = kmd_secure_process(&f);
	if (!err)
		err = restore(&j, &f);
	if (err)
		status = kmd_cli_error(err == KM_E_IO ? KM_E_STATE : err, "%s", f.text);
	else
		printf("%s: the share of peer %u (%s) of key %s, epoch %" PRIu64 ", is in %s; start keymeshd\n", j.file, j.b.head.peer,
		       j.b.head.peer_name, j.b.head.key_name, j.b.head.number, j.c->state_dir);
	kmd_store_close(j.store);
	kmd_config_free(j.c);
	kmd_opened_clear(&j.b);
	return status;
}
