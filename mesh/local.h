/* local.h: unix stream sockets for TLS servers (through the plugin) and for keymesh: frames of rpc/rpc.h, many clients, bounded.
 */
#ifndef KMD_LOCAL_H
#define KMD_LOCAL_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include "base/buf.h"
#include "mesh/fail.h"
#include "mesh/loop.h"
#include "rpc/rpc.h"

struct kmd_local;
struct kmd_client;

/* Bytes waiting for a client that does not read; above it is cut off. */
#define KMD_LOCAL_MAX_OUT (2u * 1024 * 1024)

struct kmd_local_ops {
	/* The user at the other end: 0 to let it in. Called once for each connection. */
	int (*admit)(void *ctx, uid_t uid);
	/* A whole frame, borrowed. Return < 0 to cut the client off. */
	int (*frame)(void *ctx, struct kmd_client *c, const struct km_rpc_frame *f);
	/* The client is gone: forget it. Not called for those that go in kmd_local_close. */
	void (*closed)(void *ctx, struct kmd_client *c);
};

struct kmd_local_params {
	const char *path;     /* NULL: none */
	const char *abstract; /* name without the zero byte before it; NULL: none */
	unsigned max_clients;
	const struct kmd_local_ops *ops;
	void *ctx;
};

struct kmd_local_stats {
	uint64_t accepted, refused, malformed, cut_off; /* refused: user not admitted, or too many */
	unsigned clients;
};

/* KM_E_BUSY when another process answers on the path, KM_E_IO; f says what to do. p is copied, its strings are borrowed. */
int kmd_local_open(struct kmd_local **out, const struct kmd_local_params *p, struct kmd_loop *loop, struct kmd_fail *f) KM_MUST;
void kmd_local_close(struct kmd_local *l);
void kmd_local_stats(const struct kmd_local *l, struct kmd_local_stats *out);

uid_t kmd_client_uid(const struct kmd_client *c);
pid_t kmd_client_pid(const struct kmd_client *c);
/* A number for whoever answers its requests: how many are in flight. */
unsigned *kmd_client_in_flight(struct kmd_client *c);
/* Sends what is in b (whole frames) now or when the client reads. May be called from frame(); closed() comes later. */
void kmd_client_send(struct kmd_client *c, const struct km_buf *b);

#endif
