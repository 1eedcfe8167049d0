/* auditfile.c: see auditfile.h. */
#include "config.h"
#include "mesh/auditfile.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define FLUSH_NS 50000000
#define MAX_ENTRY (1024 * 1024)

struct owed {
	struct owed *next;
	size_t len;
	uint8_t data[];
};

struct kmd_auditfile {
	char *path;
	int fd;
	struct owed *owed, **owed_tail;
	int lost; /* an entry could not even be kept */
	uint64_t size;
	pthread_t flusher;
	int running;
	pthread_mutex_t lock; /* over what follows */
	pthread_cond_t wake;
	int dirty, stopping, sync_fd; /* sync_fd: a second descriptor of the same file, the flusher's own */
};

/* Sleeps while nothing is written, and after each write for a while, so that many entries share one flush. */
static void *flush_main(void *arg)
{
	struct kmd_auditfile *a = arg;
	struct timespec pause = {.tv_nsec = FLUSH_NS};
	int fd;

	pthread_mutex_lock(&a->lock);
	while (!a->stopping) {
		if (!a->dirty) {
			pthread_cond_wait(&a->wake, &a->lock);
			continue;
		}
		pthread_mutex_unlock(&a->lock);
		nanosleep(&pause, NULL);
		pthread_mutex_lock(&a->lock);
		a->dirty = 0;
		/* WHY a descriptor of its own: the file may be reopened in the meantime. */
		fd = dup(a->sync_fd);
		pthread_mutex_unlock(&a->lock);
		if (fd >= 0) {
			(void)fdatasync(fd);
			close(fd);
		}
		pthread_mutex_lock(&a->lock);
	}
	pthread_mutex_unlock(&a->lock);
	return NULL;
}

/* The length of the whole entries; what comes after them is the half of one. */
static int whole_entries(int fd, uint64_t size, uint64_t *whole)
{
	uint8_t head[4];
	uint32_t len;

	*whole = 0;
	while (size - *whole >= sizeof(head)) {
		if (pread(fd, head, sizeof(head), (off_t)*whole) != (ssize_t)sizeof(head))
			return KM_E_IO;
		len = (uint32_t)head[0] << 24 | (uint32_t)head[1] << 16 | (uint32_t)head[2] << 8 | head[3];
		if (len > MAX_ENTRY)
			return KM_E_ENCODING;
		if (len > size - *whole - sizeof(head))
			break;
		*whole += sizeof(head) + len;
	}
	return KM_OK;
}

static int open_file(const char *path, uint64_t *size, struct kmd_fail *f)
{
	int fd = open(path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600), err;
	struct stat st;

	if (fd < 0)
		return kmd_fail(f, KM_E_IO, "%s cannot be opened: %s", path, strerror(errno));
	if (fstat(fd, &st) || !S_ISREG(st.st_mode)) {
		close(fd);
		return kmd_fail(f, KM_E_IO, "%s is no regular file", path);
	}
	err = whole_entries(fd, (uint64_t)st.st_size, size);
	if (!err && *size < (uint64_t)st.st_size && ftruncate(fd, (off_t)*size))
		err = KM_E_IO;
	if (!err)
		return fd;
	close(fd);
	return kmd_fail(f, err, "%s cannot be continued: %s; move it away, a new one is begun", path,
			err == KM_E_ENCODING ? "it is damaged" : strerror(errno));
}

static int start_flusher(struct kmd_auditfile *a, struct kmd_fail *f)
{
	sigset_t all, old;
	int err;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	err = pthread_create(&a->flusher, NULL, flush_main, a);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	a->running = !err;
	return err ? kmd_fail(f, KM_E_NOMEM, "no thread for %s", a->path) : KM_OK;
}

int kmd_auditfile_open(struct kmd_auditfile **out, const char *path, struct kmd_fail *f)
{
	struct kmd_auditfile *a = calloc(1, sizeof(*a));
	int err;

	*out = NULL;
	if (!a)
		return kmd_fail(f, KM_E_NOMEM, "out of memory");
	pthread_mutex_init(&a->lock, NULL);
	pthread_cond_init(&a->wake, NULL);
	a->fd = a->sync_fd = -1;
	a->owed_tail = &a->owed;
	a->path = strdup(path);
	err = a->fd = a->path ? open_file(path, &a->size, f) : kmd_fail(f, KM_E_NOMEM, "out of memory");
	if (err >= 0) {
		a->sync_fd = a->fd;
		err = start_flusher(a, f);
	}
	if (err)
		kmd_auditfile_close(a);
	else
		*out = a;
	return err;
}

int kmd_auditfile_append(struct kmd_auditfile *a, const void *entry, size_t len, struct kmd_fail *f)
{
	uint8_t head[4] = {(uint8_t)(len >> 24), (uint8_t)(len >> 16), (uint8_t)(len >> 8), (uint8_t)len};
	struct iovec v[2] = {{head, sizeof(head)}, {(void *)(uintptr_t)entry, len}};
	ssize_t n;

	if (len > MAX_ENTRY)
		return kmd_fail(f, KM_E_LIMIT, "an entry of %zu bytes", len);
	do
		n = writev(a->fd, v, 2);
	while (n < 0 && errno == EINTR);
	if (n != (ssize_t)(sizeof(head) + len)) {
		(void)kmd_fail(f, KM_E_IO, "%s cannot be written: %s", a->path, n < 0 ? strerror(errno) : "no space left");
		/* WHY: half an entry would make all that follow unreadable. */
		if (n > 0 && ftruncate(a->fd, (off_t)a->size))
			return KM_E_IO;
		return KM_E_IO;
	}
	a->size += sizeof(head) + len;
	pthread_mutex_lock(&a->lock);
	if (!a->dirty) {
		a->dirty = 1;
		pthread_cond_signal(&a->wake);
	}
	pthread_mutex_unlock(&a->lock);
	return KM_OK;
}

void kmd_auditfile_owe(struct kmd_auditfile *a, const void *entry, size_t len)
{
	struct owed *o = malloc(sizeof(*o) + len);

	if (!o) {
		a->lost = 1;
		return;
	}
	o->next = NULL;
	o->len = len;
	memcpy(o->data, entry, len);
	*a->owed_tail = o;
	a->owed_tail = &o->next;
}

static void owed_out(struct kmd_auditfile *a)
{
	struct owed *o = a->owed;

	a->owed = o->next;
	if (!a->owed)
		a->owed_tail = &a->owed;
	free(o);
}

int kmd_auditfile_settle(struct kmd_auditfile *a, struct kmd_fail *f)
{
	int err = KM_OK;

	while (a->owed && !err) {
		err = kmd_auditfile_append(a, a->owed->data, a->owed->len, f);
		if (!err)
			owed_out(a);
	}
	return !err && a->lost ? kmd_fail(f, KM_E_NOMEM, "%s: an entry was lost for want of memory; restart keymeshd", a->path) : err;
}

int kmd_auditfile_reopen(struct kmd_auditfile *a, struct kmd_fail *f)
{
	uint64_t size;
	int fd = open_file(a->path, &size, f);

	if (fd < 0)
		return fd;
	(void)fdatasync(a->fd);
	pthread_mutex_lock(&a->lock);
	a->sync_fd = fd;
	pthread_mutex_unlock(&a->lock);
	close(a->fd);
	a->fd = fd;
	a->size = size;
	return KM_OK;
}

uint64_t kmd_auditfile_size(const struct kmd_auditfile *a)
{
	return a->size;
}

void kmd_auditfile_close(struct kmd_auditfile *a)
{
	if (!a)
		return;
	if (a->running) {
		pthread_mutex_lock(&a->lock);
		a->stopping = 1;
		pthread_cond_signal(&a->wake);
		pthread_mutex_unlock(&a->lock);
		pthread_join(a->flusher, NULL);
	}
	if (a->fd >= 0) {
		struct kmd_fail f;

		(void)!kmd_auditfile_settle(a, &f);
		(void)fdatasync(a->fd);
		close(a->fd);
	}
	while (a->owed)
		owed_out(a);
	pthread_cond_destroy(&a->wake);
	pthread_mutex_destroy(&a->lock);
	free(a->path);
	free(a);
}
