/* recovery.c: what the daemon knows of backups and drills: the newest record of each kind, peer and epoch, in state_dir/recovery. Records are
 * public and prove themselves (record.h). */
#include "config.h"
#include "mesh/recovery.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/secret.h"
#include "mesh/files.h"
#include "mesh/log.h"

#define AHEAD_MS 600000
#define MAX_RECORDS (2 * KM_MAX_PEERS * KM_MAX_KEYS)

struct node {
	struct kmd_record r;
	struct node *next;
};

struct kmd_recovery {
	int dirfd;
	struct node *list;
	unsigned n;
};

static struct node *find(const struct kmd_recovery *v, unsigned kind, unsigned peer, const uint8_t table[KM_HASH_SIZE])
{
	struct node *n;

	for (n = v->list; n; n = n->next)
		if (n->r.kind == kind && n->r.peer == peer && !memcmp(n->r.table, table, KM_HASH_SIZE))
			return n;
	return NULL;
}

static int keep(struct kmd_recovery *v, const struct kmd_record *r)
{
	struct node *n = find(v, r->kind, r->peer, r->table);

	if (!n) {
		n = v->n < MAX_RECORDS ? calloc(1, sizeof(*n)) : NULL;
		if (!n)
			return KM_E_NOMEM;
		n->next = v->list;
		v->list = n;
		v->n++;
	}
	n->r = *r;
	return KM_OK;
}

static void file_name(char out[64], const struct kmd_record *r)
{
	char hex[33];

	kmd_hex_encode(hex, r->table, 16);
	snprintf(out, 64, "%s-%u-%s", kmd_record_kind(r->kind), r->peer, hex);
}

int kmd_recovery_open(struct kmd_recovery **out, const char *state_dir, struct kmd_fail *f)
{
	struct kmd_recovery *v = calloc(1, sizeof(*v));
	struct dirent *e;
	char path[4096];
	DIR *d;

	*out = NULL;
	if (!v)
		return kmd_fail(f, KM_E_NOMEM, "out of memory");
	snprintf(path, sizeof(path), "%s/recovery", state_dir);
	v->dirfd = kmd_dir_open(path, f);
	d = v->dirfd < 0 ? NULL : opendir(path);
	if (!d) {
		int err = v->dirfd < 0 ? v->dirfd : kmd_fail(f, KM_E_IO, "%s cannot be read: %s", path, strerror(errno));

		kmd_recovery_close(v);
		return err;
	}
	while ((e = readdir(d))) {
		struct kmd_record r;
		uint8_t *data = NULL;
		char name[4400];
		size_t len;

		snprintf(name, sizeof(name), "%s/%s", path, e->d_name);
		/* WHY what is damaged is passed over: it can be had again, and a peer that signs is worth more than it */
		if (e->d_name[0] != '.' && (kmd_file_read(name, 0, KMD_RECORD_MAX, &data, &len, NULL) || kmd_record_decode(&r, data, len) ||
					    keep(v, &r)))
			kmd_log(KM_LOG_WARN, "%s is no record of a backup or drill; it is not counted", name);
		km_secret_free(data);
	}
	closedir(d);
	*out = v;
	return KM_OK;
}

void kmd_recovery_close(struct kmd_recovery *v)
{
	struct node *n;

	if (!v)
		return;
	while ((n = v->list)) {
		v->list = n->next;
		free(n);
	}
	if (v->dirfd >= 0)
		close(v->dirfd);
	free(v);
}

static int store(struct kmd_recovery *v, const struct kmd_record *r, struct kmd_fail *f)
{
	uint8_t mem[KMD_RECORD_MAX];
	struct km_buf b;
	char name[64];

	km_buf_init_fixed(&b, mem, sizeof(mem));
	if (kmd_record_encode(r, &b))
		return kmd_fail(f, KM_E_INVAL, "the record cannot be kept");
	file_name(name, r);
	return kmd_file_replace(v->dirfd, name, b.data, b.len, f);
}

int kmd_recovery_take(struct kmd_recovery *v, const struct kmd_record *r, const struct km_table *t, uint64_t now_ms, struct kmd_fail *f)
{
	struct node *n;
	int err;

	if (!t)
		return kmd_fail(f, KM_E_NOTFOUND, "this peer has no epoch with that public table: the backup is of an epoch that is over, or of "
						  "another mesh");
	err = kmd_record_check(r, t);
	if (err)
		return kmd_fail(f, err, "the record does not prove that anybody had the share of peer %u: %s", r->peer, km_strerror(err));
	if (r->at_ms > now_ms + AHEAD_MS || r->backup_ms > r->at_ms + AHEAD_MS)
		return kmd_fail(f, KM_E_STALE, "the record is of the future: is a clock wrong?");
	n = find(v, r->kind, r->peer, r->table);
	if (n && n->r.at_ms >= r->at_ms)
		return kmd_fail(f, KM_E_DUPLICATE, "a %s of peer %u as new as this is known already", kmd_record_kind(r->kind), r->peer);
	err = store(v, r, f);
	return !err && keep(v, r) ? kmd_fail(f, KM_E_NOMEM, "out of memory") : err;
}

uint64_t kmd_recovery_at(const struct kmd_recovery *v, unsigned kind, unsigned peer, const uint8_t table[KM_HASH_SIZE])
{
	const struct node *n = find(v, kind, peer, table);

	return n ? n->r.at_ms : 0;
}

void kmd_recovery_forget(struct kmd_recovery *v, int (*known)(void *ctx, const uint8_t table[KM_HASH_SIZE]), void *ctx)
{
	struct node **at = &v->list, *n;
	char name[64];

	while ((n = *at)) {
		if (known(ctx, n->r.table)) {
			at = &n->next;
			continue;
		}
		file_name(name, &n->r);
		if (unlinkat(v->dirfd, name, 0) && errno != ENOENT)
			kmd_log(KM_LOG_WARN, "recovery/%s cannot be removed: %s", name, strerror(errno));
		*at = n->next;
		v->n--;
		free(n);
	}
}
