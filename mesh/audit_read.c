/* audit_read.c: see audit_read.h. */
#include "config.h"
#include "mesh/audit_read.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The lowest segment in the directory; 0 when there is none. */
static int lowest(int dirfd, uint64_t *seg)
{
	int fd = dup(dirfd), any = 0;
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *e;

	*seg = 0;
	if (!dir)
		return 0;
	rewinddir(dir);
	while ((e = readdir(dir))) {
		char *end;
		uint64_t v = strtoull(e->d_name, &end, 10);

		if (end != e->d_name + 10 || strcmp(end, ".log") || (any && v >= *seg))
			continue;
		any = 1;
		*seg = v;
	}
	closedir(dir);
	return any;
}

int kmd_audit_reader_open(struct kmd_audit_reader *r, const char *dir, struct kmd_fail *f)
{
	memset(r, 0, sizeof(*r));
	r->view.dirfd = kmd_audit_dir(dir, f);
	if (r->view.dirfd < 0)
		return r->view.dirfd;
	r->dir = strdup(dir);
	return r->dir ? KM_OK : kmd_fail(f, KM_E_NOMEM, "out of memory");
}

void kmd_audit_reader_close(struct kmd_audit_reader *r)
{
	int fd = r->view.nodes || r->view.dirfd <= 0 ? -1 : r->view.dirfd;

	kmd_audit_view_clear(&r->view);
	if (fd >= 0)
		close(fd);
	free(r->dir);
	memset(r, 0, sizeof(*r));
	r->view.dirfd = -1;
}

/* The head of the first segment says how long segments are, and what came before them. */
static int start(struct kmd_audit_reader *r, struct kmd_fail *f)
{
	char name[KMD_AUDIT_NAME];
	struct kmd_audit_seg s;
	uint8_t *data;
	size_t len;
	int fd = r->view.dirfd, err;

	if (!lowest(fd, &r->seg))
		return KM_E_NOTFOUND;
	kmd_audit_seg_name(name, r->seg, "log");
	err = kmd_audit_slurp(fd, name, &data, &len, f);
	if (err)
		return err;
	err = kmd_audit_seg_parse(&s, data, len);
	free(data);
	if (err == KM_E_TRUNCATED)
		return KM_E_NOTFOUND;
	if (!err && s.first != r->seg << s.bits)
		err = KM_E_MISMATCH;
	if (!err)
		err = kmd_audit_view_init(&r->view, fd, s.bits);
	if (err)
		return kmd_fail(f, err, "%s/%s is no segment: %s", r->dir, name, km_strerror(err));
	err = kmd_audit_view_roots(&r->view, f);
	if (err)
		return err;
	if (r->view.full < r->seg)
		return kmd_fail(f, KM_E_MISMATCH, "%s: segments before %s are gone, and roots does not reach it", r->dir, name);
	/* what is here is made anew, and held against what roots says */
	r->chain.seq = r->first = s.first;
	memcpy(r->chain.prev, s.prev, KM_HASH_SIZE);
	r->started = 1;
	return KM_OK;
}

struct walk {
	struct kmd_audit_reader *r;
	kmd_audit_fn fn;
	void *ctx;
};

static int on_entry(void *ctx, uint64_t seq, const uint8_t *entry, size_t len, const uint8_t leaf[KM_HASH_SIZE])
{
	struct walk *w = ctx;
	int err = kmd_audit_view_reserve(&w->r->view);

	if (!err)
		(void)kmd_audit_view_add(&w->r->view, leaf);
	return err || !w->fn ? err : w->fn(w->ctx, seq, entry, len, leaf);
}

/* Sets the tree back to the beginning of the segment. */
static int rewind_to(struct kmd_audit_reader *r, uint64_t seg)
{
	struct km_tree t;
	int err = km_tree_at(&t, kmd_audit_view_look, &r->view, seg << r->view.bits);

	if (err)
		return err;
	r->view.tree = t;
	r->view.full = seg;
	r->view.tail = 0;
	return KM_OK;
}

/* Checks a segment's head again, skips what was read, reads on. *more: it is full and another follows. */
static int read_segment(struct kmd_audit_reader *r, kmd_audit_fn fn, void *ctx, int *more, struct kmd_fail *f)
{
	struct walk w = {.r = r, .fn = fn, .ctx = ctx};
	char name[KMD_AUDIT_NAME];
	struct kmd_audit_seg s;
	uint8_t *data;
	size_t len, good = 0;
	int err;

	*more = 0;
	kmd_audit_seg_name(name, r->seg, "log");
	err = kmd_audit_slurp(r->view.dirfd, name, &data, &len, f);
	if (err)
		return err == KM_E_NOTFOUND ? KM_OK : err;
	err = kmd_audit_seg_parse(&s, data, len);
	if (err == KM_E_TRUNCATED) {
		free(data);
		return KM_OK;
	}
	if (!err && (s.bits != r->view.bits || s.first != r->seg << s.bits || (!r->at && memcmp(s.prev, r->chain.prev, KM_HASH_SIZE))))
		err = KM_E_MISMATCH;
	if (!err && len < r->at)
		err = KM_E_STALE;
	if (!err && r->at)
		/* the walk begins behind a head: the bytes before `at` stand for it */
		err = kmd_audit_seg_walk(data + r->at - KMD_AUDIT_SEG_HEAD, len - r->at + KMD_AUDIT_SEG_HEAD, r->view.bits, &r->chain, on_entry, &w, &good);
	else if (!err)
		err = kmd_audit_seg_walk(data, len, r->view.bits, &r->chain, on_entry, &w, &good);
	free(data);
	r->at = (r->at ? r->at - KMD_AUDIT_SEG_HEAD : 0) + good;
	if (err && err != KM_E_TRUNCATED)
		return kmd_fail(f, err, "%s/%s, entry %llu: %s: the log was changed or is damaged", r->dir, name, (unsigned long long)r->chain.seq,
				km_strerror(err));
	if (r->chain.seq == (r->seg + 1) << r->view.bits) {
		r->seg++;
		r->at = 0;
		*more = 1;
	}
	return KM_OK;
}

/* `roots` may have more than was read so far: then what is read now has to come to the same. */
static int read_all(struct kmd_audit_reader *r, kmd_audit_fn fn, void *ctx, struct kmd_fail *f)
{
	uint64_t claimed = r->view.full;
	uint8_t *kept = NULL;
	int err = KM_OK, more = 1;

	if (claimed > r->seg) {
		size_t n = km_tree_stored_total(claimed) * KM_HASH_SIZE;

		kept = malloc(n);
		if (!kept)
			return kmd_fail(f, KM_E_NOMEM, "out of memory");
		memcpy(kept, r->view.upper, n);
		err = rewind_to(r, r->seg);
	}
	while (!err && more)
		err = read_segment(r, fn, ctx, &more, f);
	if (!err && kept) {
		uint64_t both = r->view.full < claimed ? r->view.full : claimed;

		if (memcmp(kept, r->view.upper, km_tree_stored_total(both) * KM_HASH_SIZE))
			err = kmd_fail(f, KM_E_MISMATCH, "%s: the entries are not those that roots was made of: the log was changed", r->dir);
		else if (r->view.full < claimed)
			err = kmd_fail(f, KM_E_STALE, "%s: roots knows of %llu full segments, and %llu can be read: segments are gone", r->dir,
				       (unsigned long long)claimed, (unsigned long long)r->view.full);
	}
	free(kept);
	return err;
}

int kmd_audit_reader_go(struct kmd_audit_reader *r, kmd_audit_fn fn, void *ctx, struct kmd_fail *f)
{
	if (!r->started) {
		int err = start(r, f);

		if (err)
			return err == KM_E_NOTFOUND ? KM_OK : err;
	}
	return read_all(r, fn, ctx, f);
}

int kmd_audit_reader_checkpoint(struct kmd_audit_reader *r, const uint8_t pub[KM_IDKEY_SIZE], struct km_checkpoint *c, char *text, size_t *len,
				struct kmd_fail *f)
{
	uint8_t root[KM_HASH_SIZE], *data;
	struct km_note note;
	struct km_tree t;
	int err;

	*len = 0;
	err = kmd_audit_checkpoint_read(r->view.dirfd, pub, c, &note, &data, len, f);
	if (err)
		return err;
	memcpy(text, data, *len);
	free(data);
	if (c->size > r->chain.seq)
		return kmd_fail(f, KM_E_STALE, "%s: the checkpoint covers %llu entries and %llu are here: the log was cut, or is not whole yet", r->dir,
				(unsigned long long)c->size, (unsigned long long)r->chain.seq);
	if (!c->size)
		return KM_OK;
	if (!r->started)
		return kmd_fail(f, KM_E_STALE, "%s: there is a checkpoint and no log", r->dir);
	err = km_tree_at(&t, kmd_audit_view_look, &r->view, c->size);
	if (err)
		return kmd_fail(f, err, "%s: the tree at the checkpoint cannot be made: %s", r->dir, km_strerror(err));
	km_tree_root(&t, root);
	if (memcmp(root, c->root, KM_HASH_SIZE))
		return kmd_fail(f, KM_E_MISMATCH, "%s: the first %llu entries are not those of the checkpoint: the log was changed or forked", r->dir,
				(unsigned long long)c->size);
	return KM_OK;
}
