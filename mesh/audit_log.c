/* audit_log.c: see audit_log.h. Opening and appending; the thread is in audit_keep.c. */
#include "config.h"
#include "mesh/audit_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>
#include "mesh/files.h"

/* ---- appending */

static int write_whole(int fd, const uint8_t *p, size_t n)
{
	ssize_t put;

	do
		put = write(fd, p, n);
	while (put < 0 && errno == EINTR);
	return put == (ssize_t)n ? 0 : -1;
}

/* WHY: half an entry would make all that follow unreadable. */
static int take_back(struct kmd_audit *a, struct kmd_fail *f)
{
	a->torn = ftruncate(a->fd, (off_t)a->seg_bytes) != 0;
	return a->torn ? kmd_fail(f, KM_E_IO, "%s: half an entry cannot be taken back: %s", a->dir, strerror(errno)) : KM_OK;
}

/* The segment that the next entry goes to. */
static int begin_segment(struct kmd_audit *a, struct kmd_fail *f)
{
	struct kmd_audit_seg s = {.bits = a->view.bits, .first = a->chain.seq};
	uint8_t head[KMD_AUDIT_SEG_HEAD];
	char name[KMD_AUDIT_NAME];
	int fd;

	memcpy(s.prev, a->chain.prev, KM_HASH_SIZE);
	kmd_audit_seg_head(head, &s);
	kmd_audit_seg_name(name, a->view.full, "log");
	fd = openat(a->view.dirfd, name, O_RDWR | O_APPEND | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0 || write_whole(fd, head, sizeof(head))) {
		(void)kmd_fail(f, KM_E_IO, "%s/%s cannot be begun: %s", a->dir, name, fd < 0 ? strerror(errno) : "no space left");
		if (fd >= 0)
			close(fd);
		return KM_E_IO;
	}
	a->fd = fd;
	a->seg_bytes = sizeof(head);
	kmd_audit_current(a, fd);
	return KM_OK;
}

int kmd_audit_append(struct kmd_audit *a, const uint8_t *draft, size_t len, struct kmd_fail *f)
{
	uint8_t line[2 + KM_AUDIT_ENTRY_MAX], leaf[KM_HASH_SIZE];
	struct km_buf b;
	int err, full;

	km_buf_init_fixed(&b, line + 2, KM_AUDIT_ENTRY_MAX);
	err = km_audit_entry_make(&b, a->chain.seq, a->chain.prev, draft, len);
	if (err)
		return kmd_fail(f, err, "a draft of %zu bytes is no entry: %s", len, km_strerror(err));
	if (kmd_audit_view_reserve(&a->view))
		return kmd_fail(f, KM_E_NOMEM, "out of memory");
	if (a->torn && take_back(a, f))
		return KM_E_IO;
	if (a->fd < 0 && begin_segment(a, f))
		return KM_E_IO;
	line[0] = (uint8_t)(b.len >> 8);
	line[1] = (uint8_t)b.len;
	if (write_whole(a->fd, line, 2 + b.len)) {
		(void)kmd_fail(f, KM_E_IO, "%s cannot be written: %s", a->dir, errno ? strerror(errno) : "no space left");
		(void)!take_back(a, f);
		return KM_E_IO;
	}
	a->seg_bytes += 2 + b.len;
	err = km_audit_chain_next(&a->chain, b.data, b.len, leaf);
	KM_ASSERT(!err);
	full = kmd_audit_view_add(&a->view, leaf);
	kmd_audit_wrote(a, full);
	return KM_OK;
}

void kmd_audit_owe(struct kmd_audit *a, const uint8_t *draft, size_t len)
{
	struct kmd_audit_owed *o = malloc(sizeof(*o) + len);

	if (!o) {
		a->lost = 1;
		return;
	}
	o->next = NULL;
	o->len = len;
	memcpy(o->data, draft, len);
	*a->owed_tail = o;
	a->owed_tail = &o->next;
}

static void owed_out(struct kmd_audit *a)
{
	struct kmd_audit_owed *o = a->owed;

	a->owed = o->next;
	if (!a->owed)
		a->owed_tail = &a->owed;
	free(o);
}

int kmd_audit_settle(struct kmd_audit *a, struct kmd_fail *f)
{
	int err = KM_OK;

	while (a->owed && !err) {
		err = kmd_audit_append(a, a->owed->data, a->owed->len, f);
		if (!err)
			owed_out(a);
	}
	if (!err && a->lost)
		err = kmd_fail(f, KM_E_NOMEM, "%s: an entry was lost for want of memory; restart keymeshd", a->dir);
	/* WHY: after a failed flush nobody knows what is on the disk */
	if (!err && kmd_audit_flush_failed(a))
		err = kmd_fail(f, KM_E_IO, "%s could not be flushed to the disk; see to the disk and restart keymeshd", a->dir);
	return err;
}

/* ---- opening */

static int add_leaf(void *ctx, uint64_t seq, const uint8_t *entry, size_t len, const uint8_t leaf[KM_HASH_SIZE])
{
	struct kmd_audit *a = ctx;
	int err = kmd_audit_view_reserve(&a->view);

	if (!err && kmd_audit_view_add(&a->view, leaf))
		a->sealed_at_open = 1;
	return err;
}

/* The hash of the last entry of a full segment. */
static int last_leaf(struct kmd_audit *a, uint8_t out[KM_HASH_SIZE], struct kmd_fail *f)
{
	uint64_t n = a->view.full << a->view.bits;
	int err;

	memset(out, 0, KM_HASH_SIZE);
	if (!n)
		return KM_OK;
	err = kmd_audit_view_look(&a->view, 0, n - 1, out);
	return err ? kmd_fail(f, err, "%s: the tree of segment %llu is missing or damaged: %s; bring it back from an export", a->dir,
			      (unsigned long long)a->view.full - 1, km_strerror(err))
		   : KM_OK;
}

/* One segment behind the full ones. *more: it is full, another one may follow. */
static int open_segment(struct kmd_audit *a, size_t *cut, int *more, struct kmd_fail *f)
{
	char name[KMD_AUDIT_NAME];
	uint8_t *data, prev[KM_HASH_SIZE];
	size_t len, good = 0;
	struct kmd_audit_seg s;
	int err;

	*more = 0;
	err = last_leaf(a, prev, f);
	if (err)
		return err;
	memcpy(a->chain.prev, prev, KM_HASH_SIZE);
	a->chain.seq = a->view.full << a->view.bits;
	kmd_audit_seg_name(name, a->view.full, "log");
	err = kmd_audit_slurp(a->view.dirfd, name, &data, &len, f);
	if (err)
		return err == KM_E_NOTFOUND ? KM_OK : err;
	err = kmd_audit_seg_parse(&s, data, len);
	if (err == KM_E_TRUNCATED) {
		/* a crash while it was begun: nothing is in it */
		*cut += len;
		free(data);
		return KM_OK;
	}
	if (!err && (s.bits != a->view.bits || s.first != a->chain.seq || memcmp(s.prev, prev, KM_HASH_SIZE)))
		err = KM_E_MISMATCH;
	if (err) {
		free(data);
		return kmd_fail(f, err, "%s/%s does not continue the segment before it: %s", a->dir, name, km_strerror(err));
	}
	a->sealed_at_open = 0;
	/* WHY errors are a cut too: a crash of the machine may leave anything behind the last flush. That nothing which a checkpoint
	 * covers went with it is checked when all is read. */
	(void)!kmd_audit_seg_walk(data, len, a->view.bits, &a->chain, add_leaf, a, &good);
	free(data);
	*cut += len - good;
	a->fd = openat(a->view.dirfd, name, O_RDWR | O_APPEND | O_CLOEXEC | O_NOFOLLOW);
	a->seg_bytes = good;
	if (a->fd < 0 || (good < len && ftruncate(a->fd, (off_t)good)) || fdatasync(a->fd))
		return kmd_fail(f, KM_E_IO, "%s/%s cannot be continued: %s", a->dir, name, strerror(errno));
	if (!a->sealed_at_open)
		return KM_OK;
	*more = 1;
	close(a->fd);
	a->fd = -1;
	return kmd_audit_put_away_now(a, f);
}

/* What the last checkpoint says of this log is still true. */
static int check_checkpoint(struct kmd_audit *a, const uint8_t *pub, struct kmd_fail *f)
{
	uint8_t *data, root[KM_HASH_SIZE];
	struct km_checkpoint c;
	struct km_note note;
	struct km_tree t;
	size_t len;
	int err;

	if (!pub)
		return KM_OK;
	err = kmd_audit_checkpoint_read(a->view.dirfd, pub, &c, &note, &data, &len, f);
	if (err)
		return err == KM_E_NOTFOUND ? KM_OK : err;
	free(data);
	if (c.size > a->chain.seq)
		return kmd_fail(f, KM_E_MISMATCH,
				"%s has %llu readable entries and its checkpoint covers %llu: entries are gone or damaged; bring the log back, "
				"or move it away and tell the operators of the other peers",
				a->dir, (unsigned long long)a->chain.seq, (unsigned long long)c.size);
	err = km_tree_at(&t, kmd_audit_view_look, &a->view, c.size);
	if (err == KM_E_NOTFOUND)
		return KM_OK;
	km_tree_root(&t, root);
	if (err || memcmp(root, c.root, KM_HASH_SIZE))
		return kmd_fail(f, KM_E_MISMATCH, "%s was changed: its first %llu entries are not those of its checkpoint; bring the log back, "
				"or move it away and tell the operators of the other peers", a->dir, (unsigned long long)c.size);
	return KM_OK;
}

static int open_all(struct kmd_audit *a, const struct kmd_audit_params *p, size_t *cut, struct kmd_fail *f)
{
	struct stat st;
	int err, more = 1, fd;

	a->dir = strdup(p->dir);
	a->export_dir = p->export_dir ? strdup(p->export_dir) : NULL;
	a->publish_dir = p->publish_dir ? strdup(p->publish_dir) : NULL;
	a->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (!a->dir || (p->export_dir && !a->export_dir) || (p->publish_dir && !a->publish_dir) || a->event_fd < 0)
		return kmd_fail(f, KM_E_NOMEM, "out of memory");
	if (!stat(p->dir, &st) && S_ISREG(st.st_mode))
		return kmd_audit_dir(p->dir, f);
	fd = kmd_dir_open(p->dir, f);
	if (fd < 0)
		return fd;
	err = kmd_audit_view_init(&a->view, fd, p->bits ? p->bits : KMD_AUDIT_BITS);
	if (err) {
		close(fd);
		return kmd_fail(f, err, "out of memory");
	}
	err = kmd_audit_view_roots(&a->view, f);
	if (!err)
		err = kmd_audit_keep_open(a, f);
	while (!err && more)
		err = open_segment(a, cut, &more, f);
	if (!err)
		err = check_checkpoint(a, p->pub, f);
	return err ? err : kmd_audit_thread_start(a, f);
}

int kmd_audit_open(struct kmd_audit **out, const struct kmd_audit_params *p, size_t *cut, struct kmd_fail *f)
{
	struct kmd_audit *a = calloc(1, sizeof(*a));
	int err;

	*out = NULL;
	*cut = 0;
	if (!a)
		return kmd_fail(f, KM_E_NOMEM, "out of memory");
	a->fd = a->event_fd = a->roots_fd = -1;
	a->view.dirfd = -1;
	a->owed_tail = &a->owed;
	a->flush_ms = p->flush_ms;
	a->max_bytes = p->max_bytes;
	pthread_mutex_init(&a->lock, NULL);
	pthread_cond_init(&a->wake, NULL);
	err = open_all(a, p, cut, f);
	if (err)
		kmd_audit_close(a);
	else
		*out = a;
	return err;
}

void kmd_audit_close(struct kmd_audit *a)
{
	struct kmd_fail f;

	if (!a)
		return;
	if (a->running)
		(void)!kmd_audit_settle(a, &f);
	kmd_audit_thread_stop(a);
	if (a->fd >= 0)
		close(a->fd);
	while (a->owed)
		owed_out(a);
	kmd_audit_view_clear(&a->view);
	if (a->event_fd >= 0)
		close(a->event_fd);
	pthread_cond_destroy(&a->wake);
	pthread_mutex_destroy(&a->lock);
	free(a->dir);
	free(a->export_dir);
	free(a->publish_dir);
	free(a->note);
	free(a);
}

/* ---- what others want to know */

uint64_t kmd_audit_size(const struct kmd_audit *a)
{
	return a->chain.seq;
}

int kmd_audit_fd(const struct kmd_audit *a)
{
	return a->event_fd;
}

void kmd_audit_root(const struct kmd_audit *a, uint8_t root[KM_HASH_SIZE])
{
	km_tree_root(&a->view.tree, root);
}

int kmd_audit_prove(struct kmd_audit *a, uint64_t old, uint64_t size, struct km_tree_proof *p)
{
	memset(p, 0, sizeof(*p));
	if (size > a->chain.seq)
		return KM_E_RANGE;
	return km_tree_prove_consistent(p, kmd_audit_view_look, &a->view, old, size);
}
