/* store.c: see store.h. */
#include "config.h"
#include "mesh/store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/hash.h"
#include "base/secret.h"
#include "mesh/files.h"
#include "mesh/seal.h"

#define MAX_NAME 96

struct kmd_store {
	char *dir, *sealed;
	int lock_fd, sealed_fd, evidence_fd;
	uint8_t *key;
};

static int name_valid(const char *name)
{
	size_t i, n = strlen(name);

	if (n < 1 || n > MAX_NAME || name[0] == '.')
		return 0;
	for (i = 0; i < n; i++)
		if (!strchr("abcdefghijklmnopqrstuvwxyz0123456789._-", name[i]))
			return 0;
	return 1;
}

static int take_lock(struct kmd_store *s, const char *dir, struct kmd_fail *f)
{
	char path[4096];

	snprintf(path, sizeof(path), "%s/lock", dir);
	s->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (s->lock_fd < 0)
		return kmd_fail(f, KM_E_IO, "%s cannot be opened: %s", path, strerror(errno));
	/* WHY: two daemons over one state would spend presignatures of one peer twice over. */
	if (flock(s->lock_fd, LOCK_EX | LOCK_NB))
		return kmd_fail(f, KM_E_BUSY, "another keymeshd works in %s; stop it first, or give this one its own state_dir",
				dir);
	return KM_OK;
}

static void remove_leftovers(struct kmd_store *s)
{
	DIR *d = opendir(s->sealed);
	struct dirent *e;

	if (!d)
		return;
	while ((e = readdir(d)))
		if (!strncmp(e->d_name, ".tmp-", 5))
			(void)unlinkat(s->sealed_fd, e->d_name, 0);
	closedir(d);
}

static int open_sub(const char *dir, const char *sub, char **path, struct kmd_fail *f)
{
	char buf[4096];

	if (snprintf(buf, sizeof(buf), "%s/%s", dir, sub) >= (int)sizeof(buf))
		return kmd_fail(f, KM_E_LIMIT, "the path of state_dir is too long");
	if (path && !(*path = strdup(buf)))
		return kmd_fail(f, KM_E_NOMEM, "out of memory");
	return kmd_dir_open(buf, f);
}

int kmd_store_open(struct kmd_store **out, const char *state_dir, const uint8_t key[32], struct kmd_fail *f)
{
	struct kmd_store *s = calloc(1, sizeof(*s));
	int err = KM_E_NOMEM, fd;

	*out = NULL;
	if (!s)
		return kmd_fail(f, KM_E_NOMEM, "out of memory");
	s->lock_fd = s->sealed_fd = s->evidence_fd = -1;
	fd = kmd_dir_open(state_dir, f);
	if (fd < 0) {
		err = fd;
		goto out;
	}
	close(fd);
	err = take_lock(s, state_dir, f);
	if (err)
		goto out;
	s->dir = strdup(state_dir);
	s->key = km_secret_alloc(32);
	if (!s->dir || !s->key) {
		err = kmd_fail(f, KM_E_NOMEM, "out of memory");
		goto out;
	}
	memcpy(s->key, key, 32);
	err = s->sealed_fd = open_sub(state_dir, "sealed", &s->sealed, f);
	if (err < 0)
		goto out;
	err = s->evidence_fd = open_sub(state_dir, "evidence", NULL, f);
	if (err < 0)
		goto out;
	remove_leftovers(s);
	*out = s;
	return KM_OK;
out:
	kmd_store_close(s);
	return err;
}

void kmd_store_close(struct kmd_store *s)
{
	if (!s)
		return;
	if (s->lock_fd >= 0)
		close(s->lock_fd);
	if (s->sealed_fd >= 0)
		close(s->sealed_fd);
	if (s->evidence_fd >= 0)
		close(s->evidence_fd);
	km_secret_free(s->key);
	free(s->dir);
	free(s->sealed);
	free(s);
}

/* WHY overwritten first: a share that is to be gone should not lie in free blocks, as far as the file system lets us have it. */
static int put_remove(struct kmd_store *s, const char *name, struct kmd_fail *f)
{
	static const uint8_t zeros[4096];
	int fd = openat(s->sealed_fd, name, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
	struct stat st;
	off_t left;

	if (fd < 0)
		return errno == ENOENT ? KM_OK
				       : kmd_fail(f, KM_E_IO, "%s/%s cannot be removed: %s", s->sealed, name, strerror(errno));
	if (!fstat(fd, &st))
		for (left = st.st_size; left > 0; left -= (off_t)sizeof(zeros))
			if (write(fd, zeros, left < (off_t)sizeof(zeros) ? (size_t)left : sizeof(zeros)) < 0)
				break;
	(void)fsync(fd);
	close(fd);
	if ((unlinkat(s->sealed_fd, name, 0) && errno != ENOENT) || fsync(s->sealed_fd))
		return kmd_fail(f, KM_E_IO, "%s/%s cannot be removed: %s", s->sealed, name, strerror(errno));
	return KM_OK;
}

int kmd_store_put(struct kmd_store *s, const char *name, const void *data, size_t len, struct kmd_fail *f)
{
	struct kmd_fail why = {""};
	struct km_buf b;
	uint8_t nonce[12];
	int err;

	if (!name_valid(name))
		return kmd_fail(f, KM_E_INVAL, "\"%s\" is no name of a sealed file", name);
	if (!data)
		return put_remove(s, name, f);
	kmd_random(nonce, sizeof(nonce));
	km_buf_init(&b);
	err = kmd_seal(&b, s->key, name, nonce, data, len);
	if (err)
		kmd_fail(f, err, "%s/%s: %s", s->sealed, name, km_strerror(err));
	else if ((err = kmd_file_replace(s->sealed_fd, name, b.data, b.len, &why)))
		kmd_fail(f, err, "%s: %s", s->sealed, why.text);
	km_buf_clear(&b);
	return err;
}

int kmd_store_get(struct kmd_store *s, const char *name, uint8_t **data, size_t *len, struct kmd_fail *f)
{
	struct kmd_fail why = {""};
	uint8_t *raw = NULL;
	char path[4096];
	size_t n;
	int err;

	*data = NULL;
	*len = 0;
	if (!name_valid(name))
		return kmd_fail(f, KM_E_INVAL, "\"%s\" is no name of a sealed file", name);
	snprintf(path, sizeof(path), "%s/%s", s->sealed, name);
	err = kmd_file_read(path, KMD_FILE_PRIVATE, KMD_SEAL_MAX + KMD_SEAL_OVERHEAD, &raw, &n, f);
	if (err == KM_E_TRUNCATED)
		err = kmd_fail(f, KM_E_SEAL, "%s is truncated: it is empty; restore it from a backup", path);
	if (!err && (err = kmd_unseal(data, len, s->key, name, raw, n, &why)))
		kmd_fail(f, err, "in %s: %s", s->sealed, why.text);
	km_secret_free(raw);
	return err;
}

static int not_hidden(const struct dirent *e)
{
	return e->d_name[0] != '.';
}

int kmd_store_each(struct kmd_store *s,
		   int (*fn)(void *ctx, const char *name, const uint8_t *data, size_t len, struct kmd_fail *f), void *ctx,
		   struct kmd_fail *f)
{
	struct dirent **list = NULL;
	int i, n, err = KM_OK;

	n = scandir(s->sealed, &list, not_hidden, alphasort);
	if (n < 0)
		return kmd_fail(f, KM_E_IO, "%s cannot be read: %s", s->sealed, strerror(errno));
	for (i = 0; i < n; i++) {
		uint8_t *data = NULL;
		size_t len;

		if (!err)
			err = kmd_store_get(s, list[i]->d_name, &data, &len, f);
		if (!err)
			err = fn(ctx, list[i]->d_name, data, len, f);
		km_secret_free(data);
		free(list[i]);
	}
	free(list);
	return err;
}

int kmd_store_evidence(struct kmd_store *s, const uint8_t *data, size_t len, struct kmd_fail *f)
{
	uint8_t digest[32];
	char name[65];

	if (km_sha2(256, data, len, digest))
		return kmd_fail(f, KM_E_INVAL, "no hash");
	kmd_hex_encode(name, digest, sizeof(digest));
	return kmd_file_replace(s->evidence_fd, name, data, len, f);
}
