/* loop.c: see loop.h. */
#include "config.h"
#include "mesh/loop.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#define BATCH 64

struct kmd_loop {
	int fd;
	struct epoll_event now[BATCH]; /* being called */
	int n;
};

int kmd_loop_new(struct kmd_loop **out)
{
	struct kmd_loop *l = calloc(1, sizeof(*l));

	*out = NULL;
	if (!l)
		return KM_E_NOMEM;
	l->fd = epoll_create1(EPOLL_CLOEXEC);
	if (l->fd < 0) {
		free(l);
		return KM_E_IO;
	}
	*out = l;
	return KM_OK;
}

void kmd_loop_free(struct kmd_loop *l)
{
	if (!l)
		return;
	close(l->fd);
	free(l);
}

int kmd_loop_add(struct kmd_loop *l, struct kmd_watch *w, uint32_t events)
{
	struct epoll_event ev = {.events = events, .data.ptr = w};

	return epoll_ctl(l->fd, EPOLL_CTL_ADD, w->fd, &ev) ? KM_E_IO : KM_OK;
}

void kmd_loop_change(struct kmd_loop *l, struct kmd_watch *w, uint32_t events)
{
	struct epoll_event ev = {.events = events, .data.ptr = w};

	KM_ASSERT(!epoll_ctl(l->fd, EPOLL_CTL_MOD, w->fd, &ev));
}

void kmd_loop_remove(struct kmd_loop *l, struct kmd_watch *w)
{
	int i;

	(void)epoll_ctl(l->fd, EPOLL_CTL_DEL, w->fd, NULL);
	/* WHY: its owner may be freed before the calls of this round are through. */
	for (i = 0; i < l->n; i++)
		if (l->now[i].data.ptr == w)
			l->now[i].data.ptr = NULL;
}

void kmd_loop_wait(struct kmd_loop *l, uint64_t timeout_us)
{
	uint64_t ms = timeout_us / 1000 + (timeout_us % 1000 != 0);
	int i, n;

	n = epoll_wait(l->fd, l->now, BATCH, ms > 60000 ? 60000 : (int)ms);
	if (n < 0) {
		KM_ASSERT(errno == EINTR);
		n = 0;
	}
	l->n = n;
	for (i = 0; i < n; i++) {
		struct kmd_watch *w = l->now[i].data.ptr;

		if (w)
			w->ready(w, l->now[i].events);
	}
	l->n = 0;
}
