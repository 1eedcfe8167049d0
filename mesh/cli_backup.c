/* cli_backup.c: keymesh backup: this peer's shares, one file for each key, encrypted to the recovery recipients. */
#include "config.h"
#include "mesh/cli_recovery.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/hash.h"
#include "base/secret.h"
#include "mesh/clock.h"
#include "mesh/conf.h"
#include "mesh/files.h"
#include "mesh/keysource.h"
#include "mesh/secure.h"
#include "mesh/spawn.h"
#include "mesh/store.h"

#define DEFAULT_CONFIG "/etc/keymesh/keymesh.conf"

struct job {
	const char *config, *socket, *only;
	int keep_old;
	struct kmd_config *c;
	struct kmd_store *store;
	int dirfd;
	/* the newest usable epoch of each key */
	struct {
		char file[128];
		uint8_t key_id[KM_HASH_SIZE];
		uint64_t number;
	} found[KM_MAX_KEYS];
	unsigned n_found;
};

static int parse(struct job *j, int argc, char **argv)
{
	static const struct option options[] = {{"config", required_argument, NULL, 'c'},
						{"socket", required_argument, NULL, 's'},
						{"keep-old", no_argument, NULL, 'k'},
						{NULL, 0, NULL, 0}};
	int opt;

	while ((opt = getopt_long(argc, argv, "c:", options, NULL)) != -1) {
		if (opt == 'c')
			j->config = optarg;
		else if (opt == 's')
			j->socket = optarg;
		else if (opt == 'k')
			j->keep_old = 1;
		else
			return kmd_cli_usage("backup", "wrong option");
	}
	if (optind < argc)
		j->only = argv[optind++];
	return optind < argc ? kmd_cli_usage("backup", "what is %s?", argv[optind]) : KMD_EXIT_OK;
}

static int look(void *ctx, const char *name, const uint8_t *data, size_t len, struct kmd_fail *f)
{
	const char *dot = strrchr(name, '.');
	struct km_share *s;
	struct job *j = ctx;
	unsigned i;
	int err;

	if (!dot || strcmp(dot, ".share"))
		return KM_OK;
	s = km_secret_alloc(sizeof(*s));
	if (!s)
		return kmd_fail(f, KM_E_NOMEM, "no locked memory (see ulimit -l)");
	err = km_share_decode(s, data, len);
	if (err) {
		kmd_fail(f, err, "%s does not hold a share of this version: %s", name, km_strerror(err));
	} else if (s->usable && (!j->only || !strcmp(j->only, s->table.name))) {
		for (i = 0; i < j->n_found; i++)
			if (!memcmp(j->found[i].key_id, s->table.key_id, KM_HASH_SIZE))
				break;
		if (i == KM_MAX_KEYS) {
			err = kmd_fail(f, KM_E_LIMIT, "more than %d keys", KM_MAX_KEYS);
		} else if (i == j->n_found || s->table.number > j->found[i].number) {
			j->n_found += i == j->n_found;
			snprintf(j->found[i].file, sizeof(j->found[i].file), "%s", name);
			memcpy(j->found[i].key_id, s->table.key_id, KM_HASH_SIZE);
			j->found[i].number = s->table.number;
		}
	}
	km_share_wipe(s);
	km_secret_free(s);
	return err;
}

/* ---- the directory: what other peers' backups are there, and what older ones of this peer */

static int read_head(const struct job *j, const char *name, struct kmd_backup_head *h, uint8_t **raw)
{
	const uint8_t *payload;
	char path[4096];
	size_t n, len;
	int err;

	snprintf(path, sizeof(path), "%s/%s", j->c->backup_directory, name);
	err = kmd_file_read(path, 0, KMD_BACKUP_MAX, raw, &n, NULL);
	return err ? err : kmd_backup_parse(h, &payload, &len, *raw, n, NULL);
}

static int ends_well(const struct dirent *e)
{
	size_t n = strlen(e->d_name), k = strlen(KMD_BACKUP_ENDING);

	return e->d_name[0] != '.' && n > k && !strcmp(e->d_name + n - k, KMD_BACKUP_ENDING);
}

/* WHY: two shares in one custodian's hands are one custodian less to be needed. */
static int check_others(const struct job *j, const struct kmd_backup_head *own, struct kmd_fail *f)
{
	struct dirent **list = NULL;
	char who[80];
	int i, n = scandir(j->c->backup_directory, &list, ends_well, alphasort), err = KM_OK;

	for (i = 0; i < n; i++) {
		struct kmd_backup_head h;
		uint8_t *raw = NULL;

		if (!err && !read_head(j, list[i]->d_name, &h, &raw) && h.peer != own->peer &&
		    !memcmp(h.key_id, own->key_id, KM_HASH_SIZE) && kmd_backup_shared(&h, own, who, sizeof(who)))
			err = kmd_fail(f, KM_E_RIGHTS,
				       "recipient %s has the share of peer %u (%s) already, in %s: who has two shares is two custodians "
				       "in one; give each peer its own recipients",
				       who, h.peer, h.peer_name, list[i]->d_name);
		km_secret_free(raw);
		free(list[i]);
	}
	free(list);
	return err;
}

/* WHY: shares of an old epoch are wiped everywhere else; T of its backups are still the key. */
static void remove_older(const struct job *j, const struct kmd_backup_head *own)
{
	struct dirent **list = NULL;
	int i, n = scandir(j->c->backup_directory, &list, ends_well, alphasort);

	for (i = 0; i < n; i++) {
		struct kmd_backup_head h;
		struct kmd_fail f;
		uint8_t *raw = NULL;

		if (!read_head(j, list[i]->d_name, &h, &raw) && h.peer == own->peer && !memcmp(h.key_id, own->key_id, KM_HASH_SIZE) &&
		    h.number < own->number) {
			if (kmd_file_erase(j->dirfd, list[i]->d_name, &f))
				fprintf(stderr, "keymesh: %s\n", f.text);
			else
				printf("  %s of an older epoch was erased; erase its copies too\n", list[i]->d_name);
		}
		km_secret_free(raw);
		free(list[i]);
	}
	free(list);
}

/* ---- one file */

static void fill_head(const struct job *j, const struct km_share *s, struct kmd_backup_head *h)
{
	memset(h, 0, sizeof(*h));
	memcpy(h->mesh, j->c->settings.roster.hash, KM_HASH_SIZE);
	memcpy(h->key_id, s->table.key_id, KM_HASH_SIZE);
	memcpy(h->table, s->table.hash, KM_HASH_SIZE);
	h->peer = s->self;
	snprintf(h->peer_name, sizeof(h->peer_name), "%s", j->c->self_name);
	snprintf(h->key_name, sizeof(h->key_name), "%s", s->table.name);
	h->number = s->table.number;
	h->made_ms = kmd_now().wall_ms;
	h->n_recipients = j->c->backup_recipients.n;
	for (unsigned i = 0; i < h->n_recipients; i++) {
		h->recipient[i] = j->c->backup_recipients.v[i];
		h->recipient_len[i] = strlen(h->recipient[i]);
	}
}

static int encrypt(const struct job *j, const struct km_buf *plain, uint8_t **out, size_t *len, struct kmd_fail *f)
{
	static const char *const age[] = {"/usr/bin/age", "--encrypt"};
	const struct kmd_strings *own = &j->c->backup_command, *to = &j->c->backup_recipients;
	const char *argv[KMD_BACKUP_COMMAND + 2 * KMD_BACKUP_RECIPIENTS + 1];
	struct kmd_spawn s = {.argv = argv,
			      .in = plain->data,
			      .in_len = plain->len,
			      .max = 2 * KMD_BACKUP_PLAIN_MAX,
			      .timeout_s = KMD_TOOL_TIMEOUT_S};
	unsigned n = 0, i;
	int err;

	for (i = 0; i < (own->n ? own->n : 2) && i < KMD_BACKUP_COMMAND; i++)
		argv[n++] = own->n ? own->v[i] : age[i];
	for (i = 0; i < to->n; i++) {
		argv[n++] = "-r";
		argv[n++] = to->v[i];
	}
	argv[n] = NULL;
	err = kmd_spawn(&s, out, len, f);
	if (err == KM_E_NOTFOUND)
		return kmd_fail(f, err, "%s is not installed (Debian: apt-get install age)", argv[0]);
	/* WHY: a tool that passes on what it is given would write the share in clear */
	if (!err && memmem(*out, *len, plain->data, plain->len > 64 ? 64 : plain->len)) {
		km_secret_free(*out);
		*out = NULL;
		return kmd_fail(f, KM_E_STATE, "%s does not encrypt: its output has what it was given", argv[0]);
	}
	return err;
}

/* The certificate lies beside its share, under the same name with another ending. */
static int add_certificate(const struct job *j, const char *share_file, struct kmd_backup_plain *p, uint8_t **mem, struct kmd_fail *f)
{
	struct kmd_backup_file *file = &p->file[1];
	int err;

	snprintf(file->name, sizeof(file->name), "%.*s.cert", (int)(strlen(share_file) - strlen(".share")), share_file);
	err = kmd_store_get(j->store, file->name, mem, &file->len, f);
	file->data = *mem;
	p->n_files = err ? 1 : 2;
	return err == KM_E_NOTFOUND ? KM_OK : err;
}

static int make_plain(const struct job *j, const char *name, struct kmd_backup_head *h, struct km_share *share, struct km_buf *out,
		      struct kmd_fail *f)
{
	struct kmd_backup_plain *p = km_secret_alloc(sizeof(*p));
	uint8_t *data = NULL, *cert = NULL;
	struct km_buf head;
	size_t len;
	int err;

	km_buf_init(&head);
	if (!p) {
		err = kmd_fail(f, KM_E_NOMEM, "no locked memory (see ulimit -l)");
		goto out;
	}
	err = kmd_store_get(j->store, name, &data, &len, f);
	if (!err && (err = km_share_decode(share, data, len)))
		kmd_fail(f, err, "%s: %s", name, km_strerror(err));
	if (err)
		goto out;
	fill_head(j, share, h);
	err = kmd_backup_put_head(&head, h, 0);
	if (err) {
		kmd_fail(f, err, "a recipient of group backup cannot stand in a line of text");
		goto out;
	}
	memcpy(p->head, h->hash, KM_HASH_SIZE);
	memcpy(p->ed25519, j->c->settings.identity.priv, 32);
	memcpy(p->x25519, j->c->settings.channel_priv, 32);
	snprintf(p->file[0].name, sizeof(p->file[0].name), "%s", name);
	p->file[0].data = data;
	p->file[0].len = len;
	err = add_certificate(j, name, p, &cert, f);
	if (!err && (err = kmd_backup_plain_encode(out, p)))
		kmd_fail(f, err, "%s is too large for a backup", name);
out:
	km_secret_free(data);
	km_secret_free(cert);
	km_secret_free(p);
	km_buf_clear(&head);
	return err;
}

static void make_record(const struct job *j, const struct kmd_backup_head *h, const struct km_share *share, const struct km_buf *file)
{
	struct kmd_record r = {.kind = KMD_RECORD_BACKUP, .at_ms = h->made_ms, .backup_ms = h->made_ms};
	struct kmd_fail f;

	if (km_sha2(256, file->data, file->len, r.file) || kmd_record_prove(&r, share))
		return;
	if (!kmd_cli_hand_in(j->socket ? j->socket : j->c->listen_local, &r, &f))
		return;
	fprintf(stderr, "keymesh: the backup is made, but keymeshd does not know of it: %s\n", f.text);
	printf("  hand in this line with keymesh drill --report:\n");
	kmd_cli_put_record(stdout, &r);
}

static int write_backup(struct job *j, struct kmd_backup_head *h, const struct km_share *share, const struct km_buf *plain,
			struct kmd_fail *f)
{
	char name[2 * KM_MAX_NAME + 64];
	struct kmd_fail why = {""};
	uint8_t *payload = NULL;
	struct km_buf file;
	size_t len;
	int err = check_others(j, h, f);

	km_buf_init(&file);
	if (!err)
		err = encrypt(j, plain, &payload, &len, f);
	if (err)
		goto out;
	err = kmd_backup_put_head(&file, h, len);
	km_put_bytes(&file, payload, len);
	if (err || file.err) {
		err = kmd_fail(f, KM_E_NOMEM, "out of memory");
		goto out;
	}
	snprintf(name, sizeof(name), "%s-%s-%" PRIu64 KMD_BACKUP_ENDING, h->peer_name, h->key_name, h->number);
	err = kmd_file_replace(j->dirfd, name, file.data, file.len, &why);
	if (err) {
		kmd_fail(f, err, "%s: %s", j->c->backup_directory, why.text);
		goto out;
	}
	printf("%s/%s: share of peer %u (%s) of key %s, epoch %" PRIu64 ", for %u recipients\n", j->c->backup_directory, name, h->peer,
	       h->peer_name, h->key_name, h->number, h->n_recipients);
	make_record(j, h, share, &file);
	if (!j->keep_old)
		remove_older(j, h);
out:
	km_secret_free(payload);
	km_buf_clear(&file);
	return err;
}

static int one(struct job *j, const char *name, struct kmd_fail *f)
{
	struct km_share *share = km_secret_alloc(sizeof(*share));
	uint8_t *mem = km_secret_alloc(KMD_BACKUP_PLAIN_MAX);
	struct kmd_backup_head h;
	struct km_buf plain;
	int err;

	if (!share || !mem) {
		err = kmd_fail(f, KM_E_NOMEM, "no locked memory (see ulimit -l)");
		goto out;
	}
	km_buf_init_fixed(&plain, mem, KMD_BACKUP_PLAIN_MAX);
	err = make_plain(j, name, &h, share, &plain, f);
	if (!err)
		err = write_backup(j, &h, share, &plain, f);
	km_share_wipe(share);
out:
	km_secret_free(share);
	km_secret_free(mem);
	return err;
}

static int open_all(struct job *j, struct kmd_fail *f)
{
	int err = kmd_config_load(&j->c, j->config, f);
	struct stat st;

	if (err)
		return err;
	if (!j->c->is_peer)
		return kmd_fail(f, KM_E_CONFIG, "%s: this node is no peer; it has no shares", j->config);
	if (!j->c->backup_recipients.n || !j->c->backup_directory)
		return kmd_fail(f, KM_E_CONFIG,
				"%s: group backup has no %s; write backup = { recipients = [ \"age1...\" ]; directory = "
				"\"/var/backups/keymesh\"; }",
				j->config, j->c->backup_directory ? "recipients" : "directory");
	/* WHY: what another user makes here, the daemon could not read or replace later */
	if (!stat(j->c->state_dir, &st) && st.st_uid != geteuid())
		return kmd_fail(f, KM_E_RIGHTS, "%s belongs to user %u: run keymesh backup as that user (sudo -u)", j->c->state_dir,
				(unsigned)st.st_uid);
	(void)mkdir(j->c->backup_directory, 0700);
	j->dirfd = open(j->c->backup_directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (j->dirfd < 0)
		return kmd_fail(f, KM_E_STATE, "%s cannot be opened: %s", j->c->backup_directory, strerror(errno));
	err = kmd_keysource_derive(j->c, KMD_KEY_OF_STATE, f);
	if (!err)
		err = kmd_store_open_reader(&j->store, j->c->state_dir, j->c->seal_key, f);
	return err ? err : kmd_store_each(j->store, look, j, f);
}

int kmd_cmd_backup(int argc, char **argv)
{
	struct job *j = calloc(1, sizeof(*j));
	struct kmd_fail f;
	unsigned i;
	int status, err;

	if (!j)
		return kmd_cli_error(KM_E_NOMEM, "out of memory");
	j->config = DEFAULT_CONFIG;
	j->dirfd = -1;
	status = parse(j, argc, argv);
	if (status)
		goto out;
	err = kmd_secure_process(&f);
	if (!err)
		err = open_all(j, &f);
	for (i = 0; !err && i < j->n_found; i++)
		err = one(j, j->found[i].file, &f);
	if (!err && !j->n_found)
		err = kmd_fail(&f, KM_E_NOTFOUND, "there is no share of %s to back up in %s", j->only ? j->only : "any key", j->c->state_dir);
	if (err)
		status = kmd_cli_error(err == KM_E_IO ? KM_E_STATE : err, "%s", f.text);
out:
	kmd_store_close(j->store);
	if (j->dirfd >= 0)
		close(j->dirfd);
	kmd_config_free(j->c);
	free(j);
	return status;
}
