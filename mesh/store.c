/* store.c: see store.h. */
#include "config.h"
#include "mesh/store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
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
	int lock_fd, dir_fd, sealed_fd, evidence_fd;
	pthread_mutex_t mutex; /* of key and old_key, held during each file's reading or writing */
	uint8_t *key;	       /* all is written under this one */
	uint8_t *old_key;      /* NULL, or some files may still be under this one */
};

#define RESEAL "reseal"

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

static int take_up_reseal(struct kmd_store *s, struct kmd_fail *f);

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

/* They may hold shares, sealed under a key of before. */
static int erase_leftovers(const char *path, int fd, struct kmd_fail *f)
{
	DIR *d = opendir(path);
	int err = KM_OK;
	struct dirent *e;

	if (!d)
		return kmd_fail(f, KM_E_IO, "%s cannot be read: %s", path, strerror(errno));
	while (!err && (e = readdir(d)))
		if (!strncmp(e->d_name, ".tmp-", 5) || !strncmp(e->d_name, ".gone-", 6))
			err = kmd_file_erase(fd, e->d_name, f);
	closedir(d);
	return err;
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

static int load_old_key(struct kmd_store *s, struct kmd_fail *f);

static int start(struct kmd_store *s, const char *state_dir, const uint8_t key[32], int lock, struct kmd_fail *f)
{
	int err;

	s->lock_fd = s->dir_fd = s->sealed_fd = s->evidence_fd = -1;
	pthread_mutex_init(&s->mutex, NULL);
	err = s->dir_fd = kmd_dir_open(state_dir, f);
	if (err < 0)
		return err;
	err = lock ? take_lock(s, state_dir, f) : KM_OK;
	if (err)
		return err;
	s->dir = strdup(state_dir);
	s->key = km_secret_alloc(32);
	if (!s->dir || !s->key)
		return kmd_fail(f, KM_E_NOMEM, "out of memory");
	memcpy(s->key, key, 32);
	err = s->sealed_fd = open_sub(state_dir, "sealed", &s->sealed, f);
	if (err < 0)
		return err;
	err = s->evidence_fd = open_sub(state_dir, "evidence", NULL, f);
	return err < 0 ? err : KM_OK;
}

int kmd_store_open(struct kmd_store **out, const char *state_dir, const uint8_t key[32], struct kmd_fail *f)
{
	struct kmd_store *s = *out = calloc(1, sizeof(*s));
	int err;

	if (!s)
		return kmd_fail(f, KM_E_NOMEM, "out of memory");
	err = start(s, state_dir, key, 1, f);
	if (!err)
		err = erase_leftovers(s->sealed, s->sealed_fd, f);
	if (!err)
		err = erase_leftovers(s->dir, s->dir_fd, f);
	if (!err)
		err = take_up_reseal(s, f);
	if (err) {
		kmd_store_close(s);
		*out = NULL;
	}
	return err;
}

int kmd_store_open_reader(struct kmd_store **out, const char *state_dir, const uint8_t key[32], struct kmd_fail *f)
{
	struct kmd_store *s = *out = calloc(1, sizeof(*s));
	int err;

	if (!s)
		return kmd_fail(f, KM_E_NOMEM, "out of memory");
	err = start(s, state_dir, key, 0, f);
	if (!err)
		err = load_old_key(s, f);
	if (err) {
		kmd_store_close(s);
		*out = NULL;
	}
	return err;
}

void kmd_store_close(struct kmd_store *s)
{
	if (!s)
		return;
	if (s->lock_fd >= 0)
		close(s->lock_fd);
	if (s->dir_fd >= 0)
		close(s->dir_fd);
	if (s->sealed_fd >= 0)
		close(s->sealed_fd);
	if (s->evidence_fd >= 0)
		close(s->evidence_fd);
	km_secret_free(s->key);
	km_secret_free(s->old_key);
	pthread_mutex_destroy(&s->mutex);
	free(s->dir);
	free(s->sealed);
	free(s);
}

/* ---- one file; the mutex is held */

static int put_sealed(struct kmd_store *s, int dirfd, const char *name, const uint8_t key[32], const void *data, size_t len,
		      struct kmd_fail *f)
{
	const char *dir = dirfd == s->dir_fd ? s->dir : s->sealed;
	struct kmd_fail why = {""};
	struct km_buf b;
	uint8_t nonce[12];
	int err;

	kmd_random(nonce, sizeof(nonce));
	km_buf_init(&b);
	err = kmd_seal(&b, key, name, nonce, data, len);
	if (err)
		kmd_fail(f, err, "%s/%s: %s", dir, name, km_strerror(err));
	else if ((err = kmd_file_replace_secret(dirfd, name, b.data, b.len, &why)))
		kmd_fail(f, err, "%s: %s", dir, why.text);
	km_buf_clear(&b);
	return err;
}

/* *old: it was sealed under the old key. */
static int get_sealed(struct kmd_store *s, const char *dir, const char *name, uint8_t **data, size_t *len, int *old,
		      struct kmd_fail *f)
{
	struct kmd_fail why = {""};
	uint8_t *raw = NULL;
	char path[4096];
	size_t n;
	int err;

	*data = NULL;
	*len = 0;
	snprintf(path, sizeof(path), "%s/%s", dir, name);
	err = kmd_file_read(path, KMD_FILE_PRIVATE, KMD_SEAL_MAX + KMD_SEAL_OVERHEAD, &raw, &n, f);
	if (err == KM_E_TRUNCATED)
		err = kmd_fail(f, KM_E_SEAL, "%s is truncated: it is empty; restore it from a backup", path);
	*old = !err && s->old_key && kmd_seal_is_under(raw, n, s->old_key);
	if (!err && (err = kmd_unseal(data, len, *old ? s->old_key : s->key, name, raw, n, &why)))
		kmd_fail(f, err, "in %s: %s", dir, why.text);
	km_secret_free(raw);
	return err;
}

int kmd_store_put(struct kmd_store *s, const char *name, const void *data, size_t len, struct kmd_fail *f)
{
	struct kmd_fail why = {""};
	int err;

	if (!name_valid(name))
		return kmd_fail(f, KM_E_INVAL, "\"%s\" is no name of a sealed file", name);
	pthread_mutex_lock(&s->mutex);
	if (data)
		err = put_sealed(s, s->sealed_fd, name, s->key, data, len, f);
	else if ((err = kmd_file_erase(s->sealed_fd, name, &why)))
		kmd_fail(f, err, "%s: %s", s->sealed, why.text);
	pthread_mutex_unlock(&s->mutex);
	return err;
}

int kmd_store_get(struct kmd_store *s, const char *name, uint8_t **data, size_t *len, struct kmd_fail *f)
{
	int err, old;

	*data = NULL;
	*len = 0;
	if (!name_valid(name))
		return kmd_fail(f, KM_E_INVAL, "\"%s\" is no name of a sealed file", name);
	pthread_mutex_lock(&s->mutex);
	err = get_sealed(s, s->sealed, name, data, len, &old, f);
	pthread_mutex_unlock(&s->mutex);
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

/* ---- another sealing key
 *
 *	1  "reseal" := the old key, sealed under the new one; durable
 *	2  each file that is under the old key := the same under the new one
 *	3  "reseal" is erased
 *
 * WHY this way round: before 1 the old key opens all. After it the new one does, for it opens "reseal"; the old one opens nothing
 * of what is new, also for whoever has stolen it. */

static int reseal_one(struct kmd_store *s, const char *name, unsigned *n, struct kmd_fail *f)
{
	uint8_t *data = NULL;
	size_t len;
	int err, old;

	pthread_mutex_lock(&s->mutex);
	err = get_sealed(s, s->sealed, name, &data, &len, &old, f);
	if (!err && old) {
		err = put_sealed(s, s->sealed_fd, name, s->key, data, len, f);
		*n += !err;
	}
	pthread_mutex_unlock(&s->mutex);
	km_secret_free(data);
	return err == KM_E_NOTFOUND ? KM_OK : err; /* removed since the list was made */
}

static int reseal_finish(struct kmd_store *s, unsigned *n, struct kmd_fail *f)
{
	struct dirent **list = NULL;
	int i, count = scandir(s->sealed, &list, not_hidden, alphasort), err = KM_OK;

	if (count < 0)
		return kmd_fail(f, KM_E_IO, "%s cannot be read: %s", s->sealed, strerror(errno));
	for (i = 0; i < count; i++) {
		if (!err)
			err = reseal_one(s, list[i]->d_name, n, f);
		free(list[i]);
	}
	free(list);
	if (err)
		return err;
	pthread_mutex_lock(&s->mutex);
	err = kmd_file_erase(s->dir_fd, RESEAL, f);
	if (!err) {
		km_secret_free(s->old_key);
		s->old_key = NULL;
	}
	pthread_mutex_unlock(&s->mutex);
	return err;
}

static int load_old_key(struct kmd_store *s, struct kmd_fail *f)
{
	struct kmd_fail why = {""};
	size_t len;
	int err, old;

	err = get_sealed(s, s->dir, RESEAL, &s->old_key, &len, &old, &why);
	if (err == KM_E_NOTFOUND)
		return KM_OK;
	if (err)
		return kmd_fail(f, err, "a change of the sealing key was under way, which only the new key can finish: %s", why.text);
	return len == 32 ? KM_OK : kmd_fail(f, KM_E_SEAL, "%s/%s is of another version of keymesh", s->dir, RESEAL);
}

/* At the start: what a crash stopped half-way. */
static int take_up_reseal(struct kmd_store *s, struct kmd_fail *f)
{
	unsigned n = 0;
	int err = load_old_key(s, f);

	return err || !s->old_key ? err : reseal_finish(s, &n, f);
}

int kmd_store_reseal(struct kmd_store *s, const uint8_t key[32], unsigned *n, struct kmd_fail *f)
{
	uint8_t *fresh;
	int same = km_equal_ct(s->key, key, 32), err = KM_OK;

	*n = 0;
	if (s->old_key && (err = reseal_finish(s, n, f)))
		return err;
	if (same)
		return *n ? KM_OK : kmd_fail(f, KM_E_EXISTS, "all is sealed under this key already");
	fresh = km_secret_alloc(32);
	if (!fresh)
		return kmd_fail(f, KM_E_NOMEM, "no locked memory for the sealing key (see ulimit -l)");
	memcpy(fresh, key, 32);
	pthread_mutex_lock(&s->mutex);
	err = put_sealed(s, s->dir_fd, RESEAL, fresh, s->key, 32, f);
	if (!err) {
		s->old_key = s->key;
		s->key = fresh;
	}
	pthread_mutex_unlock(&s->mutex);
	if (err) {
		km_secret_free(fresh);
		/* WHY: it may be there all the same; nothing is under the new key yet, so the old one is to go on opening it. */
		(void)unlinkat(s->dir_fd, RESEAL, 0);
		(void)fsync(s->dir_fd);
		return err;
	}
	return reseal_finish(s, n, f);
}

void kmd_store_key_tag(struct kmd_store *s, char out[17])
{
	uint8_t tag[KMD_SEAL_TAG];

	pthread_mutex_lock(&s->mutex);
	kmd_seal_key_tag(tag, s->key);
	pthread_mutex_unlock(&s->mutex);
	kmd_hex_encode(out, tag, sizeof(tag));
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
