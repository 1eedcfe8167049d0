/* local.c: see local.h. */
#include "config.h"
#include "mesh/local.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include "base/secret.h"
#include "mesh/log.h"

#define IN_START 4096
#define IN_MAX (KM_RPC_MAX_TO_DAEMON + 4u)

struct kmd_client {
	struct kmd_local *local;
	struct kmd_watch watch;
	struct ucred cred;
	uint8_t *in;
	size_t in_len, in_cap;
	struct km_buf out;
	size_t out_done;
	unsigned in_flight;
	int writing, doomed; /* doomed: to be closed by the next sweep */
	struct kmd_client *next, **prev;
};

struct kmd_local {
	struct kmd_local_params p;
	struct kmd_loop *loop;
	struct kmd_watch path_watch, abstract_watch, sweep_watch;
	int sweep_pipe[2];
	char *path;
	struct kmd_client *clients;
	struct kmd_local_stats stats;
};

/* ---- clients */

static void client_free(struct kmd_client *c)
{
	*c->prev = c->next;
	if (c->next)
		c->next->prev = c->prev;
	kmd_loop_remove(c->local->loop, &c->watch);
	close(c->watch.fd);
	c->local->stats.clients--;
	/* WHY: the bytes to be signed are the users' own affair. */
	if (c->in)
		km_wipe(c->in, c->in_cap);
	free(c->in);
	km_buf_clear(&c->out);
	free(c);
}

static void client_close(struct kmd_client *c)
{
	c->local->p.ops->closed(c->local->p.ctx, c);
	client_free(c);
}

/* WHY not at once: the daemon may be in the midst of something for this client. */
static void client_doom(struct kmd_client *c)
{
	if (c->doomed)
		return;
	c->doomed = 1;
	if (write(c->local->sweep_pipe[1], "", 1) < 0)
		return; /* full: a sweep is due anyway */
}

static void sweep_ready(struct kmd_watch *w, uint32_t events)
{
	struct kmd_local *l = w->ctx;
	struct kmd_client *c, *next;
	char scrap[64];

	while (read(w->fd, scrap, sizeof(scrap)) > 0)
		;
	for (c = l->clients; c; c = next) {
		next = c->next;
		if (c->doomed)
			client_close(c);
	}
}

/* Writes what the socket takes. */
static void client_flush(struct kmd_client *c)
{
	while (c->out_done < c->out.len) {
		ssize_t n = send(c->watch.fd, c->out.data + c->out_done, c->out.len - c->out_done, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			break;
		if (n <= 0) {
			client_doom(c);
			return;
		}
		c->out_done += (size_t)n;
	}
	if (c->out_done == c->out.len) {
		km_buf_reset(&c->out);
		c->out_done = 0;
	}
	if (c->writing != (c->out.len > 0)) {
		c->writing = c->out.len > 0;
		kmd_loop_change(c->local->loop, &c->watch, EPOLLIN | (c->writing ? (uint32_t)EPOLLOUT : 0));
	}
}

void kmd_client_send(struct kmd_client *c, const struct km_buf *b)
{
	if (c->doomed)
		return;
	if (c->out.len - c->out_done + b->len > KMD_LOCAL_MAX_OUT) {
		c->local->stats.cut_off++;
		kmd_log_limited(KM_LOG_WARN, "a local client (process %d) does not read its answers; cut off", (int)c->cred.pid);
		client_doom(c);
		return;
	}
	km_put_bytes(&c->out, b->data, b->len);
	if (b->err || c->out.err)
		client_doom(c);
	else
		client_flush(c);
}

uid_t kmd_client_uid(const struct kmd_client *c)
{
	return c->cred.uid;
}

pid_t kmd_client_pid(const struct kmd_client *c)
{
	return c->cred.pid;
}

unsigned *kmd_client_in_flight(struct kmd_client *c)
{
	return &c->in_flight;
}

/* Room for `want` bytes in all; the splitter has bounded it. */
static int in_room(struct kmd_client *c, size_t want)
{
	size_t cap = c->in_cap ? c->in_cap : IN_START;
	uint8_t *in;

	while (cap < want)
		cap *= 2;
	if (cap > IN_MAX)
		cap = IN_MAX;
	if (cap <= c->in_cap)
		return KM_OK;
	in = malloc(cap);
	if (!in)
		return KM_E_NOMEM;
	if (c->in) {
		memcpy(in, c->in, c->in_len);
		km_wipe(c->in, c->in_cap);
		free(c->in);
	}
	c->in = in;
	c->in_cap = cap;
	return KM_OK;
}

/* All whole frames of the buffer. */
static int client_frames(struct kmd_client *c)
{
	struct km_rpc_frame f;
	size_t used = 0, done = 0;
	int ret;

	while ((ret = km_rpc_frame_next(c->in + done, c->in_len - done, KM_RPC_MAX_TO_DAEMON, &used, &f)) > 0) {
		if (c->local->p.ops->frame(c->local->p.ctx, c, &f) < 0)
			return KM_E_ENCODING;
		done += used;
		if (c->doomed)
			return KM_OK;
	}
	if (ret < 0)
		return ret;
	memmove(c->in, c->in + done, c->in_len - done);
	c->in_len -= done;
	return in_room(c, used > IN_START ? used : IN_START);
}

static void client_read(struct kmd_client *c)
{
	ssize_t n;
	int err;

	n = recv(c->watch.fd, c->in + c->in_len, c->in_cap - c->in_len, MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
		return;
	if (n <= 0) {
		client_doom(c);
		return;
	}
	c->in_len += (size_t)n;
	err = client_frames(c);
	if (err) {
		c->local->stats.malformed++;
		kmd_log_limited(KM_LOG_WARN, "a local client (process %d, user %u) sent what is no keymesh frame (%s); cut off",
				(int)c->cred.pid, (unsigned)c->cred.uid, km_strerror(err));
		client_doom(c);
	}
}

static void client_ready(struct kmd_watch *w, uint32_t events)
{
	struct kmd_client *c = w->ctx;

	if (events & EPOLLOUT)
		client_flush(c);
	if (!c->doomed && (events & (EPOLLIN | EPOLLHUP | EPOLLERR)))
		client_read(c);
	if (c->doomed)
		client_close(c);
}

/* ---- accepting */

static struct kmd_client *client_new(struct kmd_local *l, int fd, const struct ucred *cred)
{
	struct kmd_client *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->local = l;
	c->cred = *cred;
	c->watch = (struct kmd_watch){.fd = fd, .ready = client_ready, .ctx = c};
	km_buf_init(&c->out);
	if (in_room(c, IN_START) || kmd_loop_add(l->loop, &c->watch, EPOLLIN)) {
		free(c->in);
		free(c);
		return NULL;
	}
	c->next = l->clients;
	c->prev = &l->clients;
	if (c->next)
		c->next->prev = &c->next;
	l->clients = c;
	l->stats.clients++;
	return c;
}

static void refuse(struct kmd_local *l, int fd, int err, const char *text)
{
	struct km_buf b;

	l->stats.refused++;
	km_buf_init(&b);
	/* One try: who is refused has no claim on a buffer. */
	if (km_rpc_encode_error(&b, 0, err, text) == KM_OK && send(fd, b.data, b.len, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		kmd_log_limited(KM_LOG_DEBUG, "a refused local client did not hear why");
	km_buf_clear(&b);
	close(fd);
}

static void listen_ready(struct kmd_watch *w, uint32_t events)
{
	struct kmd_local *l = w->ctx;
	struct ucred cred = {0};
	socklen_t size = sizeof(cred);
	int fd = accept4(w->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd < 0) {
		if (errno != EAGAIN && errno != ECONNABORTED && errno != EINTR)
			kmd_log_limited(KM_LOG_WARN, "a local client cannot be accepted: %s", strerror(errno));
		return;
	}
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &size)) {
		refuse(l, fd, KM_E_RIGHTS, "keymeshd cannot tell who you are");
	} else if (l->p.ops->admit(l->p.ctx, cred.uid)) {
		kmd_log_limited(KM_LOG_WARN, "refused a local client: user %u (process %d) is not in listen.local_users",
				(unsigned)cred.uid, (int)cred.pid);
		refuse(l, fd, KM_E_RIGHTS, "your user is not in listen.local_users of keymesh.conf");
	} else if (l->stats.clients >= l->p.max_clients) {
		kmd_log_limited(KM_LOG_WARN, "refused a local client: there are %u already (listen.max_clients)",
				l->stats.clients);
		refuse(l, fd, KM_E_BUSY, "too many clients (listen.max_clients of keymesh.conf)");
	} else if (!client_new(l, fd, &cred)) {
		refuse(l, fd, KM_E_NOMEM, NULL);
	} else {
		l->stats.accepted++;
	}
}

/* A socket left by a crash is removed, one that somebody answers on is not. */
static int clear_path(const char *path, const struct sockaddr_un *sa, socklen_t len, struct kmd_fail *f)
{
	struct stat st;
	int fd, alive;

	if (lstat(path, &st))
		return KM_OK;
	if (!S_ISSOCK(st.st_mode))
		return kmd_fail(f, KM_E_EXISTS, "listen.local: %s exists and is no socket; remove it or write another path",
				path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	alive = fd >= 0 && !connect(fd, (const struct sockaddr *)sa, len);
	if (fd >= 0)
		close(fd);
	if (alive)
		return kmd_fail(f, KM_E_BUSY,
				"listen.local: another keymeshd answers on %s; stop it first, or write another path", path);
	return unlink(path) ? kmd_fail(f, KM_E_IO, "listen.local: the old socket %s cannot be removed: %s", path, strerror(errno))
			    : KM_OK;
}

static int listen_on(struct kmd_local *l, const char *name, int abstract, struct kmd_watch *w, struct kmd_fail *f)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	size_t n = strlen(name);
	socklen_t len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n + 1);
	int err;

	if (n + 1 > sizeof(sa.sun_path))
		return kmd_fail(f, KM_E_LIMIT, "listen.%s: %s is longer than the %zu characters of a unix socket",
				abstract ? "abstract" : "local", name, sizeof(sa.sun_path) - 1);
	memcpy(sa.sun_path + abstract, name, n);
	err = abstract ? KM_OK : clear_path(name, &sa, len, f);
	if (err)
		return err;
	w->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	w->ready = listen_ready;
	w->ctx = l;
	if (w->fd < 0 || bind(w->fd, (struct sockaddr *)&sa, len))
		return kmd_fail(f, KM_E_IO,
				"listen.%s: %s cannot be bound: %s; does its directory exist, may this user write there?",
				abstract ? "abstract" : "local", name, strerror(errno));
	if (!abstract)
		l->path = strdup(name);
	/* WHY open to all: who may ask is decided by SO_PEERCRED, also for the abstract socket that has no mode. */
	if ((!abstract && (chmod(name, 0666) || !l->path)) || listen(w->fd, 512) || kmd_loop_add(l->loop, w, EPOLLIN))
		return kmd_fail(f, KM_E_IO, "listen.%s: %s: %s", abstract ? "abstract" : "local", name, strerror(errno));
	return KM_OK;
}

int kmd_local_open(struct kmd_local **out, const struct kmd_local_params *p, struct kmd_loop *loop, struct kmd_fail *f)
{
	struct kmd_local *l = calloc(1, sizeof(*l));
	int err = KM_OK;

	*out = NULL;
	if (!l)
		return kmd_fail(f, KM_E_NOMEM, "out of memory");
	l->p = *p;
	l->loop = loop;
	l->path_watch.fd = l->abstract_watch.fd = l->sweep_watch.fd = l->sweep_pipe[1] = -1;
	if (pipe2(l->sweep_pipe, O_CLOEXEC | O_NONBLOCK)) {
		err = kmd_fail(f, KM_E_IO, "no pipe: %s", strerror(errno));
		goto out;
	}
	l->sweep_watch = (struct kmd_watch){.fd = l->sweep_pipe[0], .ready = sweep_ready, .ctx = l};
	if (kmd_loop_add(loop, &l->sweep_watch, EPOLLIN))
		err = kmd_fail(f, KM_E_IO, "no watch: %s", strerror(errno));
	if (!err && p->path)
		err = listen_on(l, p->path, 0, &l->path_watch, f);
	if (!err && p->abstract)
		err = listen_on(l, p->abstract, 1, &l->abstract_watch, f);
out:
	if (err)
		kmd_local_close(l);
	else
		*out = l;
	return err;
}

static void close_watch(struct kmd_local *l, struct kmd_watch *w)
{
	if (w->fd < 0)
		return;
	kmd_loop_remove(l->loop, w);
	close(w->fd);
}

void kmd_local_close(struct kmd_local *l)
{
	if (!l)
		return;
	while (l->clients) {
		client_flush(l->clients);
		client_free(l->clients);
	}
	close_watch(l, &l->path_watch);
	close_watch(l, &l->abstract_watch);
	close_watch(l, &l->sweep_watch);
	if (l->sweep_pipe[1] >= 0)
		close(l->sweep_pipe[1]);
	if (l->path)
		(void)unlink(l->path);
	free(l->path);
	free(l);
}

void kmd_local_stats(const struct kmd_local *l, struct kmd_local_stats *out)
{
	*out = l->stats;
}
