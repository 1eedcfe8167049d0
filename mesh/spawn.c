/* spawn.c: see spawn.h. */
#include "config.h"
#include "mesh/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "base/secret.h"

extern char **environ;

enum { IN, OUT, ERR, N_PIPES };

struct child {
	pid_t pid;
	int pidfd;
	int fd[N_PIPES]; /* our ends; -1: closed */
	uint8_t *out;
	size_t out_len, max, in_at;
	char err[400];
	size_t err_len;
};

static void shut(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/* WHY all signals back to what they were: the daemon blocks some and ignores SIGPIPE. */
static int start(struct child *c, const char *const *argv, const int theirs[N_PIPES])
{
	posix_spawn_file_actions_t fa;
	posix_spawnattr_t at;
	sigset_t none, all;
	int err;

	sigemptyset(&none);
	sigfillset(&all);
	posix_spawn_file_actions_init(&fa);
	posix_spawnattr_init(&at);
	err = posix_spawn_file_actions_adddup2(&fa, theirs[IN], 0);
	if (!err)
		err = posix_spawn_file_actions_adddup2(&fa, theirs[OUT], 1);
	if (!err)
		err = posix_spawn_file_actions_adddup2(&fa, theirs[ERR], 2);
	posix_spawnattr_setsigmask(&at, &none);
	posix_spawnattr_setsigdefault(&at, &all);
	posix_spawnattr_setflags(&at, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	if (!err)
		err = posix_spawnp(&c->pid, argv[0], &fa, &at, (char *const *)(void *)argv, environ);
	posix_spawn_file_actions_destroy(&fa);
	posix_spawnattr_destroy(&at);
	c->pidfd = err ? -1 : pidfd_open(c->pid, 0);
	return err;
}

/* Their ends lie above the three standard ones, so that dup2 in the child has no order to mind. */
static int make_pipes(struct child *c, int theirs[N_PIPES])
{
	for (unsigned i = 0; i < N_PIPES; i++) {
		int two[2], own = i == IN;

		if (pipe2(two, O_CLOEXEC))
			return errno;
		c->fd[i] = two[own];
		theirs[i] = fcntl(two[!own], F_DUPFD_CLOEXEC, 3);
		close(two[!own]);
		if (theirs[i] < 0 || fcntl(c->fd[i], F_SETFL, O_NONBLOCK))
			return errno;
	}
	return 0;
}

static void feed(struct child *c, const struct kmd_spawn *s)
{
	ssize_t n = write(c->fd[IN], (const uint8_t *)s->in + c->in_at, s->in_len - c->in_at);

	if (n > 0)
		c->in_at += (size_t)n;
	else if (errno != EAGAIN && errno != EINTR)
		c->in_at = s->in_len; /* it does not want the rest */
	if (c->in_at == s->in_len)
		shut(&c->fd[IN]);
}

static int take_out(struct child *c)
{
	ssize_t n = read(c->fd[OUT], c->out + c->out_len, c->max + 1 - c->out_len);

	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
		shut(&c->fd[OUT]);
	if (n > 0)
		c->out_len += (size_t)n;
	return c->out_len > c->max ? KM_E_LIMIT : KM_OK;
}

/* The last of it tells most. */
static void take_err(struct child *c)
{
	char more[128];
	ssize_t n = read(c->fd[ERR], more, sizeof(more));
	size_t keep;

	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
		shut(&c->fd[ERR]);
	if (n <= 0)
		return;
	keep = sizeof(c->err) - 1 - (size_t)n;
	if (c->err_len > keep) {
		memmove(c->err, c->err + c->err_len - keep, keep);
		c->err_len = keep;
	}
	memcpy(c->err + c->err_len, more, (size_t)n);
	c->err_len += (size_t)n;
}

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static int converse(struct child *c, const struct kmd_spawn *s)
{
	int64_t end = now_ms() + (int64_t)s->timeout_s * 1000;
	int err = KM_OK, ended = 0;

	if (!s->in_len)
		shut(&c->fd[IN]);
	while (!err && (c->fd[OUT] >= 0 || c->fd[ERR] >= 0 || !ended)) {
		struct pollfd p[N_PIPES + 1] = {
		    {c->fd[IN], POLLOUT, 0}, {c->fd[OUT], POLLIN, 0}, {c->fd[ERR], POLLIN, 0}, {ended ? -1 : c->pidfd, POLLIN, 0}};
		int64_t left = end - now_ms();

		if (left <= 0)
			return KM_E_DEADLINE;
		if (poll(p, N_PIPES + 1, (int)left) < 0)
			continue;
		ended |= p[N_PIPES].revents != 0;
		if (p[IN].revents)
			feed(c, s);
		if (p[OUT].revents)
			err = take_out(c);
		if (p[ERR].revents)
			take_err(c);
	}
	return err;
}

/* What it said on standard error, as one line. */
static const char *said(struct child *c)
{
	c->err[c->err_len] = '\0';
	while (c->err_len && (unsigned char)c->err[c->err_len - 1] <= ' ')
		c->err[--c->err_len] = '\0';
	for (size_t i = 0; i < c->err_len; i++)
		if ((unsigned char)c->err[i] < ' ' || c->err[i] == 0x7f)
			c->err[i] = ' ';
	return c->err_len ? c->err : "it said nothing";
}

static int reap(struct child *c, const char *name, int err, const struct kmd_spawn *s, struct kmd_fail *f)
{
	int status = 0;

	if (err)
		kill(c->pid, SIGKILL);
	while (waitpid(c->pid, &status, 0) < 0 && errno == EINTR)
		;
	if (err == KM_E_DEADLINE)
		return kmd_fail(f, err, "%s was ended after %u s without result: %s", name, s->timeout_s, said(c));
	if (err == KM_E_LIMIT)
		return kmd_fail(f, err, "%s writes more than the %zu bytes that make sense here", name, s->max);
	if (WIFSIGNALED(status))
		return kmd_fail(f, KM_E_IO, "%s was ended by signal %d: %s", name, WTERMSIG(status), said(c));
	if (WEXITSTATUS(status))
		return kmd_fail(f, KM_E_IO, "%s failed with status %d: %s", name, WEXITSTATUS(status), said(c));
	return KM_OK;
}

int kmd_spawn(const struct kmd_spawn *s, uint8_t **out, size_t *len, struct kmd_fail *f)
{
	struct child c = {.pidfd = -1, .fd = {-1, -1, -1}, .max = s->max};
	int theirs[N_PIPES] = {-1, -1, -1}, err, why;
	const char *name = s->argv[0];

	*out = NULL;
	*len = 0;
	c.out = km_secret_alloc(s->max + 1);
	if (!c.out)
		return kmd_fail(f, KM_E_NOMEM, "no locked memory for what %s writes (see ulimit -l)", name);
	why = make_pipes(&c, theirs);
	if (!why)
		why = start(&c, s->argv, theirs);
	for (unsigned i = 0; i < N_PIPES; i++)
		shut(&theirs[i]);
	if (why)
		err = kmd_fail(f, why == ENOENT ? KM_E_NOTFOUND : KM_E_IO, "%s cannot be run: %s", name, strerror(why));
	else
		err = reap(&c, name, c.pidfd < 0 ? KM_E_IO : converse(&c, s), s, f);
	for (unsigned i = 0; i < N_PIPES; i++)
		shut(&c.fd[i]);
	shut(&c.pidfd);
	if (err) {
		km_secret_free(c.out);
		return err;
	}
	c.out[c.out_len] = '\0';
	*out = c.out;
	*len = c.out_len;
	return KM_OK;
}
