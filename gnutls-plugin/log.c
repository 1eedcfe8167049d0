/* log.c: where a line can go in somebody else's process. */
#include "config.h"
#include "plugin.h"

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>

static struct {
	int usable; /* stderr was a place for text when the process began */
	dev_t dev;
	ino_t ino;
} start;

static struct {
	pthread_mutex_t lock;
	int64_t tokens_at; /* ms; the time at which the bucket would have been empty */
	unsigned left_out;
} bucket = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void after_fork_in_child(void)
{
	pthread_mutex_init(&bucket.lock, NULL);
}

/* WHY sockets are no place for text: under inetd, or in a child that serves a client, fd 2 is the client. The journal's
 * socket says so itself (JOURNAL_STREAM=device:inode). */
static int is_journal(const struct stat *st)
{
	const char *stream = secure_getenv("JOURNAL_STREAM");
	char own[64];

	snprintf(own, sizeof(own), "%ju:%ju", (uintmax_t)st->st_dev, (uintmax_t)st->st_ino);
	return stream && strcmp(stream, own) == 0;
}

void kmg_log_init(void)
{
	struct stat st;

	pthread_atfork(NULL, NULL, after_fork_in_child);
	if (fstat(STDERR_FILENO, &st) != 0)
		return;
	start.usable = S_ISREG(st.st_mode) || S_ISFIFO(st.st_mode) || (S_ISCHR(st.st_mode) && isatty(STDERR_FILENO)) ||
		       (S_ISSOCK(st.st_mode) && is_journal(&st));
	start.dev = st.st_dev;
	start.ino = st.st_ino;
}

static int stderr_is_as_at_start(void)
{
	struct stat st;

	return start.usable && fstat(STDERR_FILENO, &st) == 0 && st.st_dev == start.dev && st.st_ino == start.ino;
}

/* 1 and the number left out before, or 0 for a line over the rate. */
static int admit(unsigned *left_out)
{
	int64_t now = kmg_now_ms(), span = (int64_t)KMG_LOG_BURST * KMG_LOG_EVERY_MS;
	int ok;

	pthread_mutex_lock(&bucket.lock);
	if (bucket.tokens_at < now - span || bucket.tokens_at == 0)
		bucket.tokens_at = now - span;
	ok = bucket.tokens_at + KMG_LOG_EVERY_MS <= now;
	*left_out = bucket.left_out;
	if (ok) {
		bucket.tokens_at += KMG_LOG_EVERY_MS;
		bucket.left_out = 0;
	} else {
		bucket.left_out++;
	}
	pthread_mutex_unlock(&bucket.lock);
	return ok;
}

void kmg_log(const char *format, ...)
{
	char text[512], line[640];
	int saved = errno, n;
	unsigned left_out;
	va_list ap;

	if (!admit(&left_out)) {
		errno = saved;
		return;
	}
	va_start(ap, format);
	vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	if (left_out)
		n = snprintf(line, sizeof(line), "keymesh[%d]: %s (%u lines left out before)\n", (int)getpid(), text, left_out);
	else
		n = snprintf(line, sizeof(line), "keymesh[%d]: %s\n", (int)getpid(), text);
	if (kmg_settings.log == KMG_LOG_STDERR || (kmg_settings.log == KMG_LOG_AUTO && stderr_is_as_at_start())) {
		/* one write, so that lines of several processes do not mix; nothing to be done when it fails */
		if (write(STDERR_FILENO, line, (size_t)n) < 0)
			errno = saved;
	} else {
		syslog(LOG_AUTHPRIV | LOG_WARNING, "keymesh: %s", text);
	}
	errno = saved;
}
