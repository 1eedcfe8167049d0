/* faultfs.c: see faultfs.h. */
#include "config.h"
#include "lib/faultfs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_DIRS 4
#define MAX_FILES 512
#define MAX_NAMES 64
#define MAX_BYTES 8192
#define MAX_FDS 256

struct file {
	uint8_t now[MAX_BYTES], safe[MAX_BYTES];
	size_t now_len, safe_len;
};
struct entry {
	int dir, file; /* file -1: unused */
	char name[128];
};
struct change {
	enum { MAKE, RENAME, UNLINK } what;
	struct entry from, to;
};

static struct {
	char path[MAX_DIRS][256];
	struct stat st[MAX_DIRS];
	int n_dirs, n_files, n_changes;
	struct entry now[MAX_NAMES], safe[MAX_NAMES];
	struct change change[MAX_NAMES];
	int fd_file[MAX_FDS]; /* file + 1 */
	enum ffs_fault fault;
	unsigned at, step;
	int hit;
} m;
static struct file files[MAX_FILES];

int __real_openat(int dirfd, const char *name, int flags, mode_t mode);
ssize_t __real_write(int fd, const void *p, size_t n);
int __real_fsync(int fd);
int __real_renameat(int fd1, const char *a, int fd2, const char *b);
int __real_unlinkat(int fd, const char *name, int flags);
int __real_close(int fd);
int __wrap_openat(int dirfd, const char *name, int flags, ...);
ssize_t __wrap_write(int fd, const void *p, size_t n);
int __wrap_fsync(int fd);
int __wrap_renameat(int fd1, const char *a, int fd2, const char *b);
int __wrap_unlinkat(int fd, const char *name, int flags);
int __wrap_close(int fd);

static void must(int good, const char *what)
{
	if (good)
		return;
	fprintf(stderr, "faultfs: %s\n", what);
	abort();
}

static struct entry *find(struct entry *list, int dir, const char *name)
{
	for (int i = 0; i < MAX_NAMES; i++)
		if (list[i].file >= 0 && list[i].dir == dir && !strcmp(list[i].name, name))
			return &list[i];
	return NULL;
}

static struct entry make_entry(int dir, int file, const char *name)
{
	struct entry e = {.dir = dir, .file = file};

	must(strlen(name) < sizeof(e.name), "long name");
	strcpy(e.name, name);
	return e;
}

static void put_entry(struct entry *list, const struct entry *e)
{
	struct entry *at = find(list, e->dir, e->name);

	for (int i = 0; !at && i < MAX_NAMES; i++)
		if (list[i].file < 0)
			at = &list[i];
	must(at != NULL, "too many names");
	*at = *e;
}

static void drop_entry(struct entry *list, const struct entry *e)
{
	struct entry *at = find(list, e->dir, e->name);

	if (at && at->file == e->file)
		at->file = -1;
}

static void apply(struct entry *list, const struct change *c)
{
	if (c->what == UNLINK)
		drop_entry(list, &c->from);
	else
		put_entry(list, &c->to);
	if (c->what == RENAME)
		drop_entry(list, &c->from);
}

static int dir_of(int fd)
{
	struct stat st;

	if (fstat(fd, &st))
		return -1;
	for (int i = 0; i < m.n_dirs; i++)
		if (m.st[i].st_dev == st.st_dev && m.st[i].st_ino == st.st_ino)
			return i;
	return -1;
}

void ffs_reset(void)
{
	memset(&m, 0, sizeof(m));
	memset(files, 0, sizeof(files));
	for (int i = 0; i < MAX_NAMES; i++)
		m.now[i].file = m.safe[i].file = -1;
}

void ffs_watch(const char *path)
{
	int d = m.n_dirs++;
	struct dirent *e;
	DIR *dir = opendir(path);

	must(dir && d < MAX_DIRS, "no such directory");
	snprintf(m.path[d], sizeof(m.path[d]), "%s", path);
	must(stat(path, &m.st[d]) == 0, "stat");
	while ((e = readdir(dir))) {
		int fd = __real_openat(dirfd(dir), e->d_name, O_RDONLY, 0), i = m.n_files;
		struct stat st;
		struct entry made;

		if (fd < 0 || fstat(fd, &st) || !S_ISREG(st.st_mode)) {
			__real_close(fd);
			continue;
		}
		must(i < MAX_FILES, "too many files");
		m.n_files++;
		files[i].now_len = files[i].safe_len = (size_t)read(fd, files[i].now, MAX_BYTES);
		memcpy(files[i].safe, files[i].now, MAX_BYTES);
		made = make_entry(d, i, e->d_name);
		put_entry(m.now, &made);
		put_entry(m.safe, &made);
		__real_close(fd);
	}
	closedir(dir);
}

void ffs_arm(enum ffs_fault fault, unsigned n)
{
	m.fault = fault;
	m.at = n;
	m.step = 0;
	m.hit = 0;
}

unsigned ffs_steps(void)
{
	return m.step;
}

int ffs_hit(void)
{
	return m.hit;
}

unsigned ffs_unsafe_names(void)
{
	return (unsigned)m.n_changes;
}

/* 1: this step fails. */
static int fails(void)
{
	unsigned step = m.step++;

	if (m.hit && m.fault == FFS_CUT)
		return errno = EIO;
	if (m.fault == FFS_NONE || step != m.at)
		return 0;
	m.hit = 1;
	return errno = EIO;
}

static void change(int what, const struct entry *from, const struct entry *to)
{
	struct change *c = &m.change[m.n_changes++];

	must(m.n_changes < MAX_NAMES, "too many unsafe names");
	memset(c, 0, sizeof(*c));
	c->what = what;
	if (from)
		c->from = *from;
	if (to)
		c->to = *to;
	apply(m.now, c);
}

int __wrap_openat(int dirfd, const char *name, int flags, ...)
{
	int fd, d = dir_of(dirfd), step = (flags & (O_CREAT | O_TRUNC)) != 0;
	struct entry *e;
	mode_t mode = 0;
	va_list ap;

	va_start(ap, flags);
	if (flags & O_CREAT)
		mode = (mode_t)va_arg(ap, int);
	va_end(ap);
	if (d >= 0 && step && fails())
		return -1;
	fd = __real_openat(dirfd, name, flags, mode);
	if (fd < 0 || d < 0 || (flags & O_ACCMODE) == O_RDONLY)
		return fd;
	e = find(m.now, d, name);
	if (!e) {
		struct entry made = make_entry(d, m.n_files++, name);

		must(m.n_files <= MAX_FILES, "too many files");
		change(MAKE, NULL, &made);
		e = find(m.now, d, name);
	}
	if (flags & O_TRUNC)
		files[e->file].now_len = 0;
	must(fd < MAX_FDS, "many descriptors");
	m.fd_file[fd] = e->file + 1;
	return fd;
}

ssize_t __wrap_write(int fd, const void *p, size_t n)
{
	struct file *f = fd >= 0 && fd < MAX_FDS && m.fd_file[fd] ? &files[m.fd_file[fd] - 1] : NULL;
	size_t at = f ? (size_t)lseek(fd, 0, SEEK_CUR) : 0, put = n;
	int was_hit = m.hit, bad = f && fails();

	if (bad && (was_hit || m.fault == FFS_REFUSE))
		return -1;
	if (bad)
		put = n / 2;
	if (f) {
		must(at + put <= MAX_BYTES, "a large file");
		memcpy(f->now + at, p, put);
		if (at + put > f->now_len)
			f->now_len = at + put;
	}
	if (!bad)
		return __real_write(fd, p, n);
	errno = EIO;
	return -1;
}

/* Not for real: the medium is the model's. */
int __wrap_fsync(int fd)
{
	int d = dir_of(fd), i = fd >= 0 && fd < MAX_FDS ? m.fd_file[fd] : 0, n = 0;

	if ((d >= 0 || i) && fails())
		return -1;
	if (i) {
		memcpy(files[i - 1].safe, files[i - 1].now, MAX_BYTES);
		files[i - 1].safe_len = files[i - 1].now_len;
	}
	if (d < 0)
		return 0;
	for (int k = 0; k < m.n_changes; k++) {
		struct change *c = &m.change[k];

		if ((c->what == UNLINK ? c->from.dir : c->to.dir) == d)
			apply(m.safe, c);
		else
			m.change[n++] = *c;
	}
	m.n_changes = n;
	return 0;
}

int __wrap_renameat(int fd1, const char *a, int fd2, const char *b)
{
	int d1 = dir_of(fd1), d2 = dir_of(fd2);
	struct entry *e = d1 >= 0 ? find(m.now, d1, a) : NULL, from, to;

	if (d1 >= 0 && fails())
		return -1;
	if (__real_renameat(fd1, a, fd2, b))
		return -1;
	if (e) {
		must(d2 == d1, "a rename over directories");
		from = *e;
		to = make_entry(d2, e->file, b);
		change(RENAME, &from, &to);
	}
	return 0;
}

int __wrap_unlinkat(int fd, const char *name, int flags)
{
	int d = dir_of(fd);
	struct entry *e = d >= 0 ? find(m.now, d, name) : NULL, from;

	if (d >= 0 && fails())
		return -1;
	if (__real_unlinkat(fd, name, flags))
		return -1;
	if (e) {
		from = *e;
		change(UNLINK, &from, NULL);
	}
	return 0;
}

int __wrap_close(int fd)
{
	if (fd >= 0 && fd < MAX_FDS)
		m.fd_file[fd] = 0;
	return __real_close(fd);
}

static void empty(const char *path)
{
	DIR *dir = opendir(path);
	struct dirent *e;

	must(dir != NULL, "directory is gone");
	while ((e = readdir(dir)))
		if (e->d_type == DT_REG)
			(void)__real_unlinkat(dirfd(dir), e->d_name, 0);
	closedir(dir);
}

static void lay_down(const struct entry *e, enum ffs_bytes bytes)
{
	const struct file *f = &files[e->file];
	uint8_t torn[MAX_BYTES];
	size_t n = f->now_len > f->safe_len ? f->now_len : f->safe_len;
	char path[400];
	int fd;

	memcpy(torn, f->safe, sizeof(torn));
	memcpy(torn, f->now, f->now_len / 2);
	snprintf(path, sizeof(path), "%s/%s", m.path[e->dir], e->name);
	fd = __real_openat(AT_FDCWD, path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	must(fd >= 0, "cannot lay down");
	if (bytes == FFS_BYTES_SAFE)
		must(__real_write(fd, f->safe, f->safe_len) == (ssize_t)f->safe_len, "write");
	else if (bytes == FFS_BYTES_ALL)
		must(__real_write(fd, f->now, f->now_len) == (ssize_t)f->now_len, "write");
	else
		must(__real_write(fd, torn, n) == (ssize_t)n, "write");
	__real_close(fd);
}

void ffs_disk(unsigned names, enum ffs_bytes bytes)
{
	struct entry list[MAX_NAMES];

	memcpy(list, m.safe, sizeof(list));
	for (int i = 0; i < m.n_changes; i++)
		if (names >> i & 1)
			apply(list, &m.change[i]);
	for (int i = 0; i < m.n_dirs; i++)
		empty(m.path[i]);
	for (int i = 0; i < MAX_NAMES; i++)
		if (list[i].file >= 0)
			lay_down(&list[i], bytes);
}

int ffs_on_medium(const void *p, size_t n)
{
	for (int i = 0; i < m.n_files; i++)
		if (memmem(files[i].safe, files[i].safe_len, p, n))
			return 1;
	return 0;
}
