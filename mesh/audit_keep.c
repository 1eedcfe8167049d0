/* audit_keep.c: the thread of an audit log: flushes, puts full segments away, exports and prunes them. */
#include "config.h"
#include "mesh/audit_impl.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include "mesh/files.h"

/* ---- from the loop's thread */

void kmd_audit_current(struct kmd_audit *a, int fd)
{
	pthread_mutex_lock(&a->lock);
	a->sync_fd = fd;
	a->new_name = 1;
	pthread_mutex_unlock(&a->lock);
}

static struct kmd_audit_full *full_new(struct kmd_audit *a)
{
	struct kmd_audit_full *job = calloc(1, sizeof(*job));
	uint8_t *fresh = job ? malloc(km_tree_stored_total((uint64_t)1 << a->view.bits) * KM_HASH_SIZE) : NULL;
	uint64_t from, to;

	if (!fresh) {
		free(job);
		return NULL;
	}
	job->seg = a->view.full - 1;
	job->fd = a->fd;
	job->nodes = a->view.nodes;
	a->view.nodes = fresh;
	from = km_tree_stored_total(job->seg);
	to = km_tree_stored_total(job->seg + 1);
	job->n_upper = (unsigned)(to - from);
	memcpy(job->upper, a->view.upper + from * KM_HASH_SIZE, (size_t)(to - from) * KM_HASH_SIZE);
	return job;
}

static void give_full(struct kmd_audit *a)
{
	struct kmd_audit_full *job = full_new(a);

	if (job) {
		*a->full_tail = job;
		a->full_tail = &job->next;
		a->fd = a->sync_fd = -1;
	} else {
		/* its tree is made again from the segment at the next start; until then nothing is called synced */
		a->failed = 1;
		close(a->fd);
		a->fd = a->sync_fd = -1;
	}
}

void kmd_audit_wrote(struct kmd_audit *a, int full)
{
	pthread_mutex_lock(&a->lock);
	if (full)
		give_full(a);
	a->written = a->chain.seq;
	a->tail_bytes = a->fd >= 0 ? a->seg_bytes : 0;
	if (!a->dirty) {
		a->dirty = 1;
		pthread_cond_signal(&a->wake);
	}
	pthread_mutex_unlock(&a->lock);
}

int kmd_audit_flush_failed(struct kmd_audit *a)
{
	pthread_mutex_lock(&a->lock);
	int failed = a->failed;
	pthread_mutex_unlock(&a->lock);
	return failed;
}

uint64_t kmd_audit_synced(struct kmd_audit *a)
{
	pthread_mutex_lock(&a->lock);
	uint64_t v = a->synced;
	pthread_mutex_unlock(&a->lock);
	return v;
}

uint64_t kmd_audit_bytes(struct kmd_audit *a)
{
	pthread_mutex_lock(&a->lock);
	uint64_t v = a->size_of_full + a->tail_bytes;
	pthread_mutex_unlock(&a->lock);
	return v;
}

uint64_t kmd_audit_first(struct kmd_audit *a)
{
	pthread_mutex_lock(&a->lock);
	uint64_t v = a->first_entry;
	pthread_mutex_unlock(&a->lock);
	return v;
}

int kmd_audit_complaint(struct kmd_audit *a, struct kmd_fail *f)
{
	pthread_mutex_lock(&a->lock);
	int any = a->complaint.text[0] != 0;
	*f = a->complaint;
	a->complaint.text[0] = 0;
	pthread_mutex_unlock(&a->lock);
	return any;
}

/* ---- from the log's own thread */

static void complain(struct kmd_audit *a, const struct kmd_fail *f)
{
	pthread_mutex_lock(&a->lock);
	a->complaint = *f;
	pthread_mutex_unlock(&a->lock);
}

static uint64_t size_of(const struct kmd_audit *a, uint64_t seg, const char *ending)
{
	char name[KMD_AUDIT_NAME];
	struct stat st;

	kmd_audit_seg_name(name, seg, ending);
	return fstatat(a->view.dirfd, name, &st, AT_SYMLINK_NOFOLLOW) ? 0 : (uint64_t)st.st_size;
}

static int add_roots(struct kmd_audit *a, uint64_t seg, const uint8_t *upper, unsigned n, struct kmd_fail *f)
{
	off_t at = (off_t)(km_tree_stored_total(seg) * KM_HASH_SIZE);
	size_t len = (size_t)n * KM_HASH_SIZE;

	if (pwrite(a->roots_fd, upper, len, at) != (ssize_t)len || fdatasync(a->roots_fd))
		return kmd_fail(f, KM_E_IO, "%s/roots cannot be written: %s", a->dir, strerror(errno));
	return KM_OK;
}

/* The order is that of what can be made again: the segment, its tree from it, the roots from that. */
static int put_away(struct kmd_audit *a, uint64_t seg, const uint8_t *nodes, const uint8_t *upper, unsigned n_upper, struct kmd_fail *f)
{
	char name[KMD_AUDIT_NAME];
	int err;

	kmd_audit_seg_name(name, seg, "tree");
	err = kmd_file_replace(a->view.dirfd, name, nodes, km_tree_stored_total((uint64_t)1 << a->view.bits) * KM_HASH_SIZE, f);
	if (!err)
		err = add_roots(a, seg, upper, n_upper, f);
	if (!err)
		a->bytes += size_of(a, seg, "log") + size_of(a, seg, "tree");
	return err;
}

int kmd_audit_put_away_now(struct kmd_audit *a, struct kmd_fail *f)
{
	uint64_t seg = a->view.full - 1, from = km_tree_stored_total(seg), to = km_tree_stored_total(seg + 1);

	return put_away(a, seg, a->view.nodes, a->view.upper + from * KM_HASH_SIZE, (unsigned)(to - from), f);
}

static int copy_file(struct kmd_audit *a, int to, const char *name, struct kmd_fail *f)
{
	uint8_t *data;
	size_t len;
	int err = kmd_audit_slurp(a->view.dirfd, name, &data, &len, f);

	if (!err)
		err = kmd_file_replace(to, name, data, len, f);
	free(data);
	return err;
}

static uint64_t exported(struct kmd_audit *a)
{
	struct kmd_fail f;
	uint8_t *data;
	size_t len;
	uint64_t n = 0;

	if (kmd_audit_slurp(a->view.dirfd, "exported", &data, &len, &f))
		return 0;
	data[len] = 0;
	n = strtoull((char *)data, NULL, 10);
	free(data);
	return n;
}

static int export_segment(struct kmd_audit *a, uint64_t seg, struct kmd_fail *f)
{
	char name[KMD_AUDIT_NAME], count[24];
	int to = open(a->export_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC), err;

	if (to < 0)
		return kmd_fail(f, KM_E_IO, "audit.export_dir %s cannot be opened: %s", a->export_dir, strerror(errno));
	kmd_audit_seg_name(name, seg, "log");
	err = copy_file(a, to, name, f);
	kmd_audit_seg_name(name, seg, "tree");
	if (!err)
		err = copy_file(a, to, name, f);
	if (!err)
		err = copy_file(a, to, "roots", f);
	close(to);
	snprintf(count, sizeof(count), "%llu\n", (unsigned long long)seg + 1);
	return err ? err : kmd_file_replace(a->view.dirfd, "exported", count, strlen(count), f);
}

static int prune_one(struct kmd_audit *a, uint64_t *first, const char *ending, uint64_t limit)
{
	char name[KMD_AUDIT_NAME];
	uint64_t n;

	if (*first >= limit)
		return 0;
	n = size_of(a, *first, ending);
	kmd_audit_seg_name(name, (*first)++, ending);
	(void)unlinkat(a->view.dirfd, name, 0);
	a->bytes -= n < a->bytes ? n : a->bytes;
	return 1;
}

/* Segments go before trees: these prove for old checkpoints, and are a quarter of the size. The last full one stays: the next start
 * takes the end of the chain from its tree. */
static void prune(struct kmd_audit *a, uint64_t full)
{
	uint64_t done = exported(a), limit = done < full - 1 ? done : full - 1;
	struct kmd_fail f;

	if (!a->max_bytes)
		return;
	while (a->bytes > a->max_bytes && (prune_one(a, &a->first_log, "log", limit) || prune_one(a, &a->first_tree, "tree", limit)))
		;
	if (a->bytes > a->max_bytes && done < full) {
		(void)kmd_fail(&f, KM_E_SPACE,
			       "%s has %llu bytes, more than audit.max_mb, and the rest has no copy elsewhere: run keymesh audit export, or set "
			       "audit.export_dir", a->dir, (unsigned long long)a->bytes);
		complain(a, &f);
	}
}

static void keep(struct kmd_audit *a, struct kmd_audit_full *job)
{
	struct kmd_fail f;
	int err = fdatasync(job->fd) ? kmd_fail(&f, KM_E_IO, "%s cannot be flushed: %s", a->dir, strerror(errno)) : KM_OK;

	if (!err)
		err = put_away(a, job->seg, job->nodes, job->upper[0], job->n_upper, &f);
	if (err) {
		pthread_mutex_lock(&a->lock);
		a->failed = 1;
		pthread_mutex_unlock(&a->lock);
	} else if (a->export_dir) {
		/* also those of before that could not be exported then */
		for (uint64_t seg = exported(a); !err && seg <= job->seg; seg++)
			err = export_segment(a, seg, &f);
	}
	if (err)
		complain(a, &f);
	prune(a, job->seg + 1);
	close(job->fd);
	free(job->nodes);
	free(job);
}

/* ---- checkpoints: three files at the most, each flushed: not for the loop */

static int put_into(const char *dir, const char *name, const void *note, size_t len, int once, struct kmd_fail *f)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC), err;

	if (fd < 0)
		return kmd_fail(f, KM_E_IO, "%s cannot be opened: %s", dir, strerror(errno));
	if (once && !faccessat(fd, name, F_OK, 0)) {
		close(fd);
		return KM_OK;
	}
	err = kmd_file_replace(fd, name, note, len, f);
	/* a checkpoint is for everybody */
	if (!err && fchmodat(fd, name, 0644, 0))
		err = kmd_fail(f, KM_E_IO, "%s/%s: %s", dir, name, strerror(errno));
	close(fd);
	return err;
}

static int put_checkpoint(struct kmd_audit *a, const uint8_t *note, size_t len, uint64_t now_ms, struct kmd_fail *f)
{
	time_t now = (time_t)(now_ms / 1000);
	struct tm tm;
	char day[32];
	int err = kmd_file_replace(a->view.dirfd, "checkpoint", note, len, f);

	if (!err && a->export_dir)
		err = put_into(a->export_dir, "checkpoint", note, len, 0, f);
	if (err || !a->publish_dir)
		return err;
	if (!gmtime_r(&now, &tm) || !strftime(day, sizeof(day), "checkpoint-%Y-%m-%d", &tm))
		return kmd_fail(f, KM_E_RANGE, "the clock shows no day");
	err = put_into(a->publish_dir, "latest", note, len, 0, f);
	return err ? err : put_into(a->publish_dir, day, note, len, 1, f);
}

static void keep_note(struct kmd_audit *a, uint8_t *note, size_t len, uint64_t now_ms)
{
	struct kmd_fail f;

	if (note && put_checkpoint(a, note, len, now_ms, &f))
		complain(a, &f);
	free(note);
}

int kmd_audit_put_checkpoint(struct kmd_audit *a, const void *note, size_t len, uint64_t now_ms)
{
	uint8_t *copy = malloc(len ? len : 1), *old;

	if (!copy)
		return KM_E_NOMEM;
	memcpy(copy, note, len);
	pthread_mutex_lock(&a->lock);
	old = a->note;
	a->note = copy;
	a->note_len = len;
	a->note_ms = now_ms;
	a->dirty = 1;
	pthread_cond_signal(&a->wake);
	pthread_mutex_unlock(&a->lock);
	free(old);
	return KM_OK;
}

/* One round: what was written until now is on the disk afterwards. Called and left with the lock held. */
static void flush(struct kmd_audit *a)
{
	struct kmd_audit_full *job = a->full, *next;
	uint64_t until = a->written, beat = 1;
	int fd = a->sync_fd >= 0 ? dup(a->sync_fd) : -1, bad = a->sync_fd >= 0 && fd < 0, new_name = a->new_name;

	uint8_t *note = a->note;
	size_t note_len = a->note_len;
	uint64_t note_ms = a->note_ms;

	a->note = NULL;
	a->new_name = 0;
	a->full = NULL;
	a->full_tail = &a->full;
	a->dirty = 0;
	pthread_mutex_unlock(&a->lock);
	for (; job; job = next) {
		next = job->next;
		keep(a, job);
	}
	if (fd >= 0) {
		bad |= fdatasync(fd) != 0;
		close(fd);
	}
	if (new_name)
		bad |= fsync(a->view.dirfd) != 0;
	keep_note(a, note, note_len, note_ms);
	pthread_mutex_lock(&a->lock);
	a->failed |= bad;
	if (!a->failed)
		a->synced = until;
	a->size_of_full = a->bytes;
	a->first_entry = a->first_log << a->view.bits;
	(void)!write(a->event_fd, &beat, sizeof(beat));
}

/* Sleeps while nothing is written, and after each write for a while, so that many entries share one flush. */
static void *thread_main(void *arg)
{
	struct kmd_audit *a = arg;
	struct timespec pause = {.tv_sec = a->flush_ms / 1000, .tv_nsec = (long)(a->flush_ms % 1000) * 1000000};

	pthread_mutex_lock(&a->lock);
	while (!a->stopping || a->dirty) {
		if (!a->dirty) {
			pthread_cond_wait(&a->wake, &a->lock);
			continue;
		}
		if (!a->stopping && a->flush_ms) {
			pthread_mutex_unlock(&a->lock);
			nanosleep(&pause, NULL);
			pthread_mutex_lock(&a->lock);
		}
		flush(a);
	}
	pthread_mutex_unlock(&a->lock);
	return NULL;
}

/* ---- opening */

/* The lowest segments that are here. */
static void find_first(struct kmd_audit *a)
{
	int fd = dup(a->view.dirfd);
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *e;

	a->first_log = a->first_tree = a->view.full;
	if (!dir) {
		if (fd >= 0)
			close(fd);
		return;
	}
	rewinddir(dir);
	while ((e = readdir(dir))) {
		char *end;
		uint64_t seg = strtoull(e->d_name, &end, 10);

		if (end != e->d_name + 10 || seg >= a->view.full)
			continue;
		if (!strcmp(end, ".log") && seg < a->first_log)
			a->first_log = seg;
		else if (!strcmp(end, ".tree") && seg < a->first_tree)
			a->first_tree = seg;
	}
	closedir(dir);
	for (uint64_t seg = a->first_tree < a->first_log ? a->first_tree : a->first_log; seg < a->view.full; seg++)
		a->bytes += size_of(a, seg, "log") + size_of(a, seg, "tree");
}

int kmd_audit_keep_open(struct kmd_audit *a, struct kmd_fail *f)
{
	a->full_tail = &a->full;
	a->sync_fd = -1;
	a->roots_fd = openat(a->view.dirfd, "roots", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (a->roots_fd < 0 || ftruncate(a->roots_fd, (off_t)(km_tree_stored_total(a->view.full) * KM_HASH_SIZE)))
		return kmd_fail(f, KM_E_IO, "%s/roots cannot be opened: %s", a->dir, strerror(errno));
	find_first(a);
	return KM_OK;
}

int kmd_audit_thread_start(struct kmd_audit *a, struct kmd_fail *f)
{
	sigset_t all, old;
	int err;

	a->written = a->synced = a->chain.seq;
	a->sync_fd = a->fd;
	a->tail_bytes = a->seg_bytes;
	a->size_of_full = a->bytes;
	a->first_entry = a->first_log << a->view.bits;
	/* WHY: what was read may lie in memory only, since a crash of the process */
	if (fsync(a->view.dirfd) || (a->fd >= 0 && fdatasync(a->fd)))
		return kmd_fail(f, KM_E_IO, "%s cannot be flushed: %s", a->dir, strerror(errno));
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	err = pthread_create(&a->thread, NULL, thread_main, a);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	a->running = !err;
	return err ? kmd_fail(f, KM_E_NOMEM, "no thread for %s", a->dir) : KM_OK;
}

void kmd_audit_thread_stop(struct kmd_audit *a)
{
	if (a->running) {
		pthread_mutex_lock(&a->lock);
		a->stopping = 1;
		pthread_cond_signal(&a->wake);
		pthread_mutex_unlock(&a->lock);
		pthread_join(a->thread, NULL);
		a->running = 0;
	}
	if (a->roots_fd >= 0)
		close(a->roots_fd);
	a->roots_fd = -1;
}
