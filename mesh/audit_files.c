/* audit_files.c: see audit_files.h. */
#include "config.h"
#include "mesh/audit_files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAGIC "keymesh-audit 2\n"
#define MAGIC_LEN 16
#define SLURP_MAX ((size_t)256 * 1024 * 1024)

void kmd_audit_seg_name(char name[KMD_AUDIT_NAME], uint64_t seg, const char *ending)
{
	snprintf(name, KMD_AUDIT_NAME, "%010llu.%s", (unsigned long long)seg % 10000000000ull, ending);
}

void kmd_audit_seg_head(uint8_t out[KMD_AUDIT_SEG_HEAD], const struct kmd_audit_seg *s)
{
	struct km_buf b;

	km_buf_init_fixed(&b, out, KMD_AUDIT_SEG_HEAD);
	km_put_bytes(&b, MAGIC, MAGIC_LEN);
	km_put_u64(&b, s->bits);
	km_put_u64(&b, s->first);
	km_put_bytes(&b, s->prev, KM_HASH_SIZE);
	KM_ASSERT(!b.err && b.len == KMD_AUDIT_SEG_HEAD);
}

int kmd_audit_seg_parse(struct kmd_audit_seg *s, const uint8_t *p, size_t n)
{
	struct km_reader r;
	uint8_t magic[MAGIC_LEN];
	uint64_t bits;

	memset(s, 0, sizeof(*s));
	km_reader_init(&r, p, n);
	km_get_bytes(&r, magic, sizeof(magic));
	bits = km_get_u64(&r);
	s->first = km_get_u64(&r);
	km_get_bytes(&r, s->prev, KM_HASH_SIZE);
	if (r.err)
		return r.err;
	if (memcmp(magic, MAGIC, MAGIC_LEN) != 0)
		return KM_E_VERSION;
	if (bits < 1 || bits > 20)
		return KM_E_RANGE;
	s->bits = (unsigned)bits;
	return KM_OK;
}

int kmd_audit_slurp(int dirfd, const char *name, uint8_t **data, size_t *len, struct kmd_fail *f)
{
	int fd = openat(dirfd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK), err = KM_OK;
	struct stat st;

	*data = NULL;
	*len = 0;
	if (fd < 0)
		return kmd_fail(f, errno == ENOENT ? KM_E_NOTFOUND : KM_E_IO, "%s cannot be opened: %s", name, strerror(errno));
	if (fstat(fd, &st) || !S_ISREG(st.st_mode) || (uint64_t)st.st_size > SLURP_MAX) {
		close(fd);
		return kmd_fail(f, KM_E_IO, "%s is no file of an audit log", name);
	}
	*data = malloc((size_t)st.st_size + 1);
	if (!*data)
		err = kmd_fail(f, KM_E_NOMEM, "no memory for the %lld bytes of %s", (long long)st.st_size, name);
	while (!err && *len < (size_t)st.st_size) {
		ssize_t got = read(fd, *data + *len, (size_t)st.st_size - *len);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			err = kmd_fail(f, KM_E_IO, "%s cannot be read: %s", name, strerror(errno));
		if (got <= 0)
			break;
		*len += (size_t)got;
	}
	close(fd);
	if (err) {
		free(*data);
		*data = NULL;
		*len = 0;
	}
	return err;
}

int kmd_audit_dir(const char *path, struct kmd_fail *f)
{
	struct stat st;
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd >= 0)
		return fd;
	if (errno == ENOTDIR && !stat(path, &st) && S_ISREG(st.st_mode))
		return kmd_fail(f, KM_E_VERSION,
				"%s is an audit log of an earlier version of keymesh, which this one does not read; move it away", path);
	return kmd_fail(f, errno == ENOENT ? KM_E_NOTFOUND : KM_E_IO, "%s cannot be opened: %s", path, strerror(errno));
}

/* ---- the tree */

int kmd_audit_view_init(struct kmd_audit_view *v, int dirfd, unsigned bits)
{
	memset(v, 0, sizeof(*v));
	v->dirfd = dirfd;
	v->bits = bits;
	km_tree_init(&v->tree);
	v->nodes = malloc(km_tree_stored_total((uint64_t)1 << bits) * KM_HASH_SIZE);
	return v->nodes ? KM_OK : KM_E_NOMEM;
}

void kmd_audit_view_clear(struct kmd_audit_view *v)
{
	if (v->nodes && v->dirfd >= 0)
		close(v->dirfd);
	free(v->nodes);
	free(v->upper);
	memset(v, 0, sizeof(*v));
	v->dirfd = -1;
}

int kmd_audit_view_reserve(struct kmd_audit_view *v)
{
	size_t need = km_tree_stored_total(v->full + 1) * KM_HASH_SIZE, cap = v->upper_cap ? v->upper_cap : 4096;
	uint8_t *p;

	if (need <= v->upper_cap)
		return KM_OK;
	while (cap < need)
		cap *= 2;
	p = realloc(v->upper, cap);
	if (!p)
		return KM_E_NOMEM;
	v->upper = p;
	v->upper_cap = cap;
	return KM_OK;
}

int kmd_audit_view_add(struct kmd_audit_view *v, const uint8_t leaf[KM_HASH_SIZE])
{
	uint8_t done[KM_TREE_LEVELS + 1][KM_HASH_SIZE];
	unsigned made = km_tree_add(&v->tree, leaf, done), low = made > v->bits + 1 ? v->bits + 1 : made;

	memcpy(v->nodes + km_tree_stored(0, v->tail) * KM_HASH_SIZE, done, low * KM_HASH_SIZE);
	v->tail++;
	if (made <= v->bits)
		return 0;
	memcpy(v->upper + km_tree_stored(0, v->full) * KM_HASH_SIZE, done[v->bits], (made - v->bits) * KM_HASH_SIZE);
	v->full++;
	v->tail = 0;
	return 1;
}

int kmd_audit_view_roots(struct kmd_audit_view *v, struct kmd_fail *f)
{
	uint8_t *data;
	size_t len;
	int err = kmd_audit_slurp(v->dirfd, "roots", &data, &len, f);

	if (err == KM_E_NOTFOUND)
		return KM_OK;
	if (err)
		return err;
	while (km_tree_stored_total(v->full + 1) * KM_HASH_SIZE <= len)
		v->full++;
	v->upper = data;
	v->upper_cap = len;
	/* the nodes looked up are in upper, all of them */
	err = km_tree_at(&v->tree, kmd_audit_view_look, v, v->full << v->bits);
	return err ? kmd_fail(f, err, "roots: %s", km_strerror(err)) : KM_OK;
}

int kmd_audit_view_look(void *view, unsigned level, uint64_t index, uint8_t out[KM_HASH_SIZE])
{
	const struct kmd_audit_view *v = view;
	uint64_t seg, at;
	char name[KMD_AUDIT_NAME];
	int fd;

	if (level >= v->bits) {
		if ((index + 1) << (level - v->bits) > v->full)
			return KM_E_RANGE;
		memcpy(out, v->upper + km_tree_stored(level - v->bits, index) * KM_HASH_SIZE, KM_HASH_SIZE);
		return KM_OK;
	}
	seg = index >> (v->bits - level);
	at = km_tree_stored(level, index - (seg << (v->bits - level)));
	if (seg > v->full || (seg == v->full && at >= km_tree_stored_total(v->tail)))
		return KM_E_RANGE;
	if (seg == v->full) {
		memcpy(out, v->nodes + at * KM_HASH_SIZE, KM_HASH_SIZE);
		return KM_OK;
	}
	kmd_audit_seg_name(name, seg, "tree");
	fd = openat(v->dirfd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return KM_E_NOTFOUND;
	ssize_t got = pread(fd, out, KM_HASH_SIZE, (off_t)(at * KM_HASH_SIZE));
	close(fd);
	return got == KM_HASH_SIZE ? KM_OK : KM_E_IO;
}

/* ---- walking */

int kmd_audit_seg_walk(const uint8_t *data, size_t len, unsigned bits, struct km_audit_chain *chain, kmd_audit_fn fn, void *ctx, size_t *good)
{
	uint64_t end = ((chain->seq >> bits) + 1) << bits;
	size_t at = KMD_AUDIT_SEG_HEAD;

	*good = at;
	while (at < len) {
		uint8_t leaf[KM_HASH_SIZE];
		size_t n;
		int err;

		if (chain->seq == end)
			return KM_E_TRAILING;
		if (len - at < 2)
			return KM_E_TRUNCATED;
		n = (size_t)data[at] << 8 | data[at + 1];
		if (n > KM_AUDIT_ENTRY_MAX)
			return KM_E_LIMIT;
		if (len - at - 2 < n)
			return KM_E_TRUNCATED;
		err = km_audit_chain_next(chain, data + at + 2, n, leaf);
		if (!err && fn)
			err = fn(ctx, chain->seq - 1, data + at + 2, n, leaf);
		if (err)
			return err;
		at += 2 + n;
		*good = at;
	}
	return KM_OK;
}

int kmd_audit_checkpoint_read(int dirfd, const uint8_t pub[KM_IDKEY_SIZE], struct km_checkpoint *c, struct km_note *note, uint8_t **data,
			      size_t *len, struct kmd_fail *f)
{
	int err = kmd_audit_slurp(dirfd, "checkpoint", data, len, f);

	memset(c, 0, sizeof(*c));
	if (err)
		return err;
	err = km_checkpoint_open(c, note, *data, *len, pub);
	if (!err)
		return KM_OK;
	free(*data);
	*data = NULL;
	*len = 0;
	return kmd_fail(f, err, "the checkpoint of this log is not one: %s", km_strerror(err));
}
