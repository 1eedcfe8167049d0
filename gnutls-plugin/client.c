/* client.c: one request, one answer over a unix socket, inside a hard deadline.
 *
 * A connection serves one request at a time and is kept for the next: a chrooted server cannot connect again. Threads that
 * sign at once get connections of their own. The lock covers the table only, never a system call that waits.
 * A connection belongs to the process that made it: after fork it is closed, else two processes would read each other's
 * answers. */
#include "config.h"
#include "plugin.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define SLOTS 64
#define RECONNECT_MS 20	       /* between two tries to connect */
#define QUEUE_MS 2	       /* the same, to a daemon that is up but has many callers waiting */
#define DOWN_MS 2000	       /* a daemon that was waited for in vain is not waited for again so soon */
#define BROKEN_MAX (SLOTS + 4) /* stale connections tried for one request; a daemon that hangs up on each is broken */

enum slot_state { FREE, IDLE, BUSY };

static struct {
	pthread_mutex_t lock;
	struct slot {
		enum slot_state state;
		int fd;
		pid_t pid;
	} slots[SLOTS];
	_Atomic int64_t down_until;
} client = {.lock = PTHREAD_MUTEX_INITIALIZER};

struct conn {
	int fd, slot; /* slot -1: one more than the table holds, closed after use */
	int fresh;
};

int64_t kmg_now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* WHY held over the fork: a child that found the table half written would close descriptors that are not ours. */
static void before_fork(void)
{
	pthread_mutex_lock(&client.lock);
}

static void after_fork_in_parent(void)
{
	pthread_mutex_unlock(&client.lock);
}

/* The parent's connections, and those another thread was using at the fork. Only async-signal-safe calls. */
static void after_fork_in_child(void)
{
	pthread_mutex_init(&client.lock, NULL);
	for (int i = 0; i < SLOTS; i++) {
		if (client.slots[i].state != FREE)
			close(client.slots[i].fd);
		client.slots[i].state = FREE;
	}
}

void kmg_client_init(void)
{
	pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);
}

/* ---- the table ---- */

/* WHY pid is looked at though fork has a handler: a raw clone() runs none. */
static int take_idle(struct conn *c)
{
	pid_t self = getpid();
	int found = 0;

	pthread_mutex_lock(&client.lock);
	for (int i = 0; i < SLOTS && !found; i++) {
		struct slot *s = &client.slots[i];

		if (s->state != FREE && s->pid != self) {
			close(s->fd);
			s->state = FREE;
		}
		if (s->state == IDLE) {
			s->state = BUSY;
			c->fd = s->fd;
			c->slot = i;
			c->fresh = 0;
			found = 1;
		}
	}
	pthread_mutex_unlock(&client.lock);
	return found;
}

static void enter(struct conn *c)
{
	c->slot = -1;
	pthread_mutex_lock(&client.lock);
	for (int i = 0; i < SLOTS && c->slot < 0; i++) {
		if (client.slots[i].state == FREE) {
			client.slots[i] = (struct slot){BUSY, c->fd, getpid()};
			c->slot = i;
		}
	}
	pthread_mutex_unlock(&client.lock);
}

/* keep 0: the connection may still bring an answer nobody waits for, or is broken. */
static void leave(struct conn *c, int keep)
{
	if (c->slot < 0) {
		close(c->fd);
		return;
	}
	/* WHY closed under the lock: the number may be another file's at once, and a child forked in between would close that */
	pthread_mutex_lock(&client.lock);
	client.slots[c->slot].state = keep ? IDLE : FREE;
	if (!keep)
		close(c->fd);
	pthread_mutex_unlock(&client.lock);
}

/* ---- connecting ---- */

static socklen_t unix_address(struct sockaddr_un *sa, const char *name)
{
	size_t n = strlen(name);

	memset(sa, 0, sizeof(*sa));
	sa->sun_family = AF_UNIX;
	memcpy(sa->sun_path, name, n);
	if (name[0] != '@')
		return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n + 1);
	sa->sun_path[0] = '\0';
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n);
}

static int daemon_is_right(int fd)
{
	struct ucred cred;
	socklen_t len = sizeof(cred);

	if (kmg_settings.daemon_uid < 0)
		return 1;
	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) == 0 && (int64_t)cred.uid == kmg_settings.daemon_uid;
}

/* One try at every socket. KM_E_BUSY: a daemon is there, but its queue of callers is full. */
static int connect_once(struct conn *c, char *why, size_t why_size)
{
	struct sockaddr_un sa;
	size_t used = 0;
	int err = KM_E_IO;

	why[0] = '\0';
	for (unsigned i = 0; i < kmg_settings.socket_count; i++) {
		const char *name = kmg_settings.sockets[i];
		socklen_t len = unix_address(&sa, name);
		const char *problem;

		c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		if (c->fd < 0) {
			snprintf(why, why_size, "no socket: %s", strerror(errno));
			return KM_E_IO;
		}
		if (connect(c->fd, (struct sockaddr *)&sa, len) != 0) {
			problem = strerror(errno);
			if (errno == EAGAIN)
				err = KM_E_BUSY;
		} else if (!daemon_is_right(c->fd)) {
			problem = "served by another user than daemon_uid";
			err = KM_E_AUTH;
		} else {
			c->fresh = 1;
			enter(c);
			return KM_OK;
		}
		if (used < why_size)
			used += (size_t)snprintf(why + used, why_size - used, "%s%.108s: %s", i ? "; " : "", name, problem);
		close(c->fd);
	}
	return err;
}

static int wait_ms(int64_t until, int64_t step)
{
	int64_t left = until - kmg_now_ms();

	if (left <= 0)
		return 0;
	poll(NULL, 0, (int)(left < step ? left : step));
	return 1;
}

/* Waits for a daemon that restarts, but not when it was down a moment ago: a server with one loop would stand still for
 * every client. */
static int connect_until(struct conn *c, int patient, int64_t until, int64_t deadline, char *why, size_t why_size)
{
	int err;

	for (;;) {
		err = connect_once(c, why, why_size);
		if (err == KM_E_BUSY) {
			if (!wait_ms(deadline, QUEUE_MS))
				return KM_E_DEADLINE;
			continue;
		}
		if (err != KM_E_IO) {
			if (!err)
				atomic_store(&client.down_until, 0);
			return err;
		}
		if (!patient || kmg_now_ms() < atomic_load(&client.down_until))
			return err;
		if (!wait_ms(until, RECONNECT_MS)) {
			atomic_store(&client.down_until, kmg_now_ms() + DOWN_MS);
			return err;
		}
	}
}

/* ---- talking ---- */

static int wait_for(int fd, short events, int64_t deadline)
{
	struct pollfd p = {.fd = fd, .events = events};
	int64_t left;
	int n;

	for (;;) {
		left = deadline - kmg_now_ms();
		if (left <= 0)
			return KM_E_DEADLINE;
		n = poll(&p, 1, (int)left);
		if (n > 0)
			return KM_OK;
		if (n < 0 && errno != EINTR)
			return KM_E_IO;
	}
}

static int send_all(int fd, const uint8_t *p, size_t n, int64_t deadline)
{
	int err;

	while (n > 0) {
		ssize_t got = send(fd, p, n, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (got >= 0) {
			p += got;
			n -= (size_t)got;
		} else if (errno == EAGAIN || errno == EWOULDBLOCK) {
			err = wait_for(fd, POLLOUT, deadline);
			if (err)
				return err;
		} else if (errno != EINTR) {
			return KM_E_IO;
		}
	}
	return KM_OK;
}

/* KM_E_IO: the connection ended, and the request may be sent again on another (the random in it makes it the same request). */
static int receive(int fd, uint32_t seq, int64_t deadline, uint8_t *mem, size_t size, struct km_rpc_frame *frame)
{
	size_t have = 0, used;
	ssize_t got;
	int ret;

	for (;;) {
		ret = km_rpc_frame_next(mem, have, size - 4, &used, frame);
		if (ret < 0)
			return ret;
		if (ret > 0) {
			/* the daemon does not let us in, and says why */
			if (frame->type == KM_RPC_ERROR && frame->seq == 0)
				return KM_OK;
			/* one request at a time: any other number, or more than one answer, is not our daemon */
			if (frame->seq != seq || used != have)
				return KM_E_STALE;
			return KM_OK;
		}
		ret = wait_for(fd, POLLIN, deadline);
		if (ret)
			return ret;
		got = recv(fd, mem + have, size - have, MSG_DONTWAIT);
		if (got == 0 || (got < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR))
			return KM_E_IO;
		if (got > 0)
			have += (size_t)got;
	}
}

static int exchange(struct conn *c, const struct km_buf *request, uint32_t seq, int64_t deadline, uint8_t *mem, size_t size,
		    struct km_rpc_frame *frame)
{
	int err = send_all(c->fd, request->data, request->len, deadline);

	/* a daemon that hung up may have said why */
	return err && err != KM_E_IO ? err : receive(c->fd, seq, deadline, mem, size, frame);
}

int kmg_client_call(const struct km_buf *request, uint32_t seq, int64_t deadline, int patient, uint8_t *mem, size_t size,
		    struct km_rpc_frame *frame, char *why, size_t why_size)
{
	int64_t until = kmg_now_ms() + (patient ? (int64_t)kmg_settings.retry_ms : 0);
	struct conn c;
	int err, tries;

	if (until > deadline)
		until = deadline;
	memset(frame, 0, sizeof(*frame));
	for (tries = 0; tries < BROKEN_MAX; tries++) {
		if (!take_idle(&c)) {
			err = connect_until(&c, patient, until, deadline, why, why_size);
			if (err)
				return err;
		}
		err = exchange(&c, request, seq, deadline, mem, size, frame);
		leave(&c, err == KM_OK && frame->seq == seq);
		if (err != KM_E_IO) {
			if (err)
				snprintf(why, why_size,
					 err == KM_E_DEADLINE ? "no answer in time" : "not an answer of keymeshd: %s",
					 km_strerror(err));
			return err;
		}
		snprintf(why, why_size, "keymeshd hung up");
		if (c.fresh && !wait_ms(until, RECONNECT_MS))
			return KM_E_IO;
	}
	return KM_E_IO;
}
