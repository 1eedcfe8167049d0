/* loop.h: waits for file descriptors (epoll, level-triggered). One thread. */
#ifndef KMD_LOOP_H
#define KMD_LOOP_H

#include <stdint.h>
#include "base/err.h"

struct kmd_loop;

/* Embedded in whatever owns the descriptor; stays where it is while it is watched. */
struct kmd_watch {
	int fd;
	void (*ready)(struct kmd_watch *w, uint32_t events); /* EPOLLIN, EPOLLOUT, EPOLLHUP, EPOLLERR */
	void *ctx;
};

int kmd_loop_new(struct kmd_loop **out) KM_MUST;
void kmd_loop_free(struct kmd_loop *l);
int kmd_loop_add(struct kmd_loop *l, struct kmd_watch *w, uint32_t events) KM_MUST;
void kmd_loop_change(struct kmd_loop *l, struct kmd_watch *w, uint32_t events);
/* Also from within a ready call, also of another watch: it will not be called any more. Does not close the descriptor. */
void kmd_loop_remove(struct kmd_loop *l, struct kmd_watch *w);
/* Waits at most timeout_us, then calls what is ready. */
void kmd_loop_wait(struct kmd_loop *l, uint64_t timeout_us);

#endif
