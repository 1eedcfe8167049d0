/* files.c: see files.h. */
#include "config.h"
#include "mesh/files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/secret.h"

void kmd_random(void *out, size_t n)
{
	uint8_t *p = out;

	while (n) {
		ssize_t got = getrandom(p, n, 0);

		if (got < 0 && errno == EINTR)
			continue;
		KM_ASSERT(got > 0);
		p += got;
		n -= (size_t)got;
	}
}

/* WHY arithmetic and no table, here and below: the digits may be those of a secret key. */
static char hex_char(unsigned v)
{
	return (char)('0' + v + (((9 - v) >> 8) & ('a' - '0' - 10)));
}

void kmd_hex_encode(char *out, const uint8_t *p, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++) {
		out[2 * i] = hex_char(p[i] >> 4);
		out[2 * i + 1] = hex_char(p[i] & 15);
	}
	out[2 * n] = '\0';
}

/* Returns > 15 for no digit. */
static unsigned hex_digit(unsigned c)
{
	unsigned num = c - '0', let = (c | 0x20) - 'a';
	unsigned is_num = (unsigned)-(int)(num < 10), is_let = (unsigned)-(int)(let < 6);

	return (is_num & num) | (is_let & (let + 10)) | (~(is_num | is_let) & 0x100);
}

int kmd_hex_decode(uint8_t *out, size_t n, const char *hex, size_t len)
{
	unsigned bad = 0;
	size_t i;

	if (len != 2 * n) {
		memset(out, 0, n);
		return KM_E_ENCODING;
	}
	for (i = 0; i < n; i++) {
		unsigned hi = hex_digit((uint8_t)hex[2 * i]), lo = hex_digit((uint8_t)hex[2 * i + 1]);

		bad |= (hi | lo) >> 8;
		out[i] = (uint8_t)(hi << 4 | lo);
	}
	km_declassify(&bad, sizeof(bad));
	if (bad) {
		km_wipe(out, n);
		return KM_E_ENCODING;
	}
	return KM_OK;
}

static int check_stat(const char *path, const struct stat *st, unsigned flags, size_t max, struct kmd_fail *f)
{
	if (!S_ISREG(st->st_mode))
		return kmd_fail(f, KM_E_IO, "%s is not a regular file", path);
	if ((flags & KMD_FILE_PRIVATE) && (st->st_mode & 077))
		return kmd_fail(f, KM_E_RIGHTS,
				"%s holds a secret and its mode is %04o: others may get at it; chmod 600 %s, and make a new "
				"secret if they did",
				path, (unsigned)(st->st_mode & 07777), path);
	if (st->st_size < 1)
		return kmd_fail(f, KM_E_TRUNCATED, "%s is empty", path);
	if ((uint64_t)st->st_size > max)
		return kmd_fail(f, KM_E_LIMIT, "%s has %lld bytes, more than the %zu that make sense here", path,
				(long long)st->st_size, max);
	return KM_OK;
}

int kmd_file_read(const char *path, unsigned flags, size_t max, uint8_t **out, size_t *len, struct kmd_fail *f)
{
	int err, fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	uint8_t *data = NULL;
	struct stat st;
	size_t have = 0;

	*out = NULL;
	*len = 0;
	if (fd < 0) {
		if (errno == ENOENT)
			return kmd_fail(f, KM_E_NOTFOUND, "%s does not exist", path);
		return kmd_fail(f, errno == EACCES ? KM_E_RIGHTS : KM_E_IO, "%s cannot be read: %s", path, strerror(errno));
	}
	if (fstat(fd, &st)) {
		err = kmd_fail(f, KM_E_IO, "%s: %s", path, strerror(errno));
		goto out;
	}
	err = check_stat(path, &st, flags, max, f);
	if (err)
		goto out;
	data = km_secret_alloc((size_t)st.st_size + 1);
	if (!data) {
		err = kmd_fail(f, KM_E_NOMEM,
			       "%s: no memory for its %lld bytes (is the limit of locked memory too low? see ulimit -l)", path,
			       (long long)st.st_size);
		goto out;
	}
	while (have < (size_t)st.st_size) {
		ssize_t got = read(fd, data + have, (size_t)st.st_size - have);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0) {
			err = kmd_fail(f, KM_E_IO, "%s: %s", path, got ? strerror(errno) : "it became shorter while it was read");
			goto out;
		}
		have += (size_t)got;
	}
	*out = data;
	*len = have;
	data = NULL;
out:
	km_secret_free(data);
	close(fd);
	return err;
}

static int write_all(int fd, const uint8_t *p, size_t n)
{
	while (n) {
		ssize_t put = write(fd, p, n);

		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0)
			return -1;
		p += put;
		n -= (size_t)put;
	}
	return 0;
}

/* As far as the file system lets us: one that writes elsewhere keeps the old blocks. WHY random bytes: zeros may become a hole. */
static void overwrite(int fd)
{
	uint8_t block[4096];
	struct stat st;
	off_t at;

	kmd_random(block, sizeof(block));
	if (fstat(fd, &st) || lseek(fd, 0, SEEK_SET))
		return;
	for (at = 0; at < st.st_size; at += (off_t)sizeof(block)) {
		size_t n = st.st_size - at < (off_t)sizeof(block) ? (size_t)(st.st_size - at) : sizeof(block);

		if (write_all(fd, block, n))
			return;
	}
	(void)fsync(fd);
}

static int replace(int dirfd, const char *name, const void *data, size_t len, int erase, struct kmd_fail *f)
{
	int err = KM_OK, fd, old = erase ? openat(dirfd, name, O_WRONLY | O_CLOEXEC | O_NOFOLLOW) : -1;
	char tmp[256];

	/* WHY a fixed name: what a crash leaves is overwritten by the next write, it never piles up. */
	if (snprintf(tmp, sizeof(tmp), ".tmp-%s", name) >= (int)sizeof(tmp)) {
		err = kmd_fail(f, KM_E_LIMIT, "file name %s is too long", name);
		goto out;
	}
	fd = openat(dirfd, tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0) {
		err = kmd_fail(f, KM_E_IO, "%s cannot be made: %s", tmp, strerror(errno));
		goto out;
	}
	if (fchmod(fd, 0600) || write_all(fd, data, len) || fsync(fd))
		err = kmd_fail(f, KM_E_IO, "%s cannot be written: %s", tmp, strerror(errno));
	if (close(fd) && !err)
		err = kmd_fail(f, KM_E_IO, "%s cannot be written: %s", tmp, strerror(errno));
	/* WHY fsync before and after: the bytes must be down before the name points at them, the name before we say so. */
	if (!err && (renameat(dirfd, tmp, dirfd, name) || fsync(dirfd)))
		err = kmd_fail(f, KM_E_IO, "%s cannot be put in place: %s", name, strerror(errno));
	if (err)
		(void)unlinkat(dirfd, tmp, 0);
	/* WHY only now: until the new name is down, a power cut brings the old file back. */
	else if (old >= 0)
		overwrite(old);
out:
	if (old >= 0)
		close(old);
	return err;
}

int kmd_file_replace(int dirfd, const char *name, const void *data, size_t len, struct kmd_fail *f)
{
	return replace(dirfd, name, data, len, 0, f);
}

int kmd_file_replace_secret(int dirfd, const char *name, const void *data, size_t len, struct kmd_fail *f)
{
	return replace(dirfd, name, data, len, 1, f);
}

int kmd_file_erase(int dirfd, const char *name, struct kmd_fail *f)
{
	char gone[256];
	int fd;

	if (snprintf(gone, sizeof(gone), "%s%s", name[0] == '.' ? "" : ".gone-", name) >= (int)sizeof(gone))
		return kmd_fail(f, KM_E_LIMIT, "file name %s is too long", name);
	/* WHY another name first: a crash after half of it was overwritten must not leave a damaged file under the old one. */
	if (strcmp(gone, name) && (renameat(dirfd, name, dirfd, gone) || fsync(dirfd)))
		return errno == ENOENT ? KM_OK : kmd_fail(f, KM_E_IO, "%s cannot be removed: %s", name, strerror(errno));
	fd = openat(dirfd, gone, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd >= 0) {
		overwrite(fd);
		close(fd);
	}
	if ((unlinkat(dirfd, gone, 0) && errno != ENOENT) || fsync(dirfd))
		return kmd_fail(f, KM_E_IO, "%s cannot be removed: %s", name, strerror(errno));
	return KM_OK;
}

int kmd_file_create(const char *path, unsigned mode, const void *data, size_t len, struct kmd_fail *f)
{
	int err = KM_OK, fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);

	if (fd < 0 && errno == EEXIST)
		return kmd_fail(f, KM_E_EXISTS, "%s exists already; it is not overwritten", path);
	if (fd < 0)
		return kmd_fail(f, KM_E_IO, "%s cannot be made: %s", path, strerror(errno));
	if (write_all(fd, data, len) || fsync(fd))
		err = kmd_fail(f, KM_E_IO, "%s cannot be written: %s", path, strerror(errno));
	close(fd);
	if (err)
		(void)unlink(path);
	return err;
}

int kmd_dir_open(const char *path, struct kmd_fail *f)
{
	struct stat st;
	int fd, err;

	if (mkdir(path, 0700) && errno != EEXIST)
		return kmd_fail(f, KM_E_IO, "%s cannot be made: %s; make it for the user of keymeshd (mode 0700)", path,
				strerror(errno));
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return kmd_fail(f, KM_E_IO, "%s cannot be opened: %s", path, strerror(errno));
	if (fstat(fd, &st))
		err = kmd_fail(f, KM_E_IO, "%s: %s", path, strerror(errno));
	else if (st.st_mode & 077)
		err = kmd_fail(f, KM_E_RIGHTS, "%s has mode %04o: it keeps the key shares, nobody else may look in; chmod 700 %s",
			       path, (unsigned)(st.st_mode & 07777), path);
	else
		return fd;
	close(fd);
	return err;
}
