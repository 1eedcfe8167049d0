/* transport.h: frames between nodes over ZeroMQ with CURVE on every socket.
 *
 * Frames of more than 64 KiB between peers go in pieces (pieces.h), but for secret ones, which are sharings of some 100 KiB at most.
 * So memory for a peer is bounded: 40 MiB of large frames that wait to go, one of at most 16 MiB that is coming, and what ZeroMQ
 * queues: 1000 frames of at most 256 KiB, of which an honest peer's are a few hundred bytes each, and 128 KiB of pieces.
 *
 * A peer binds one ROUTER for the other peers and one for frontends, so that neither can starve the other, and connects one
 * DEALER to the ROUTER of every other peer: a channel carries one direction. A frontend connects one DEALER to every peer's
 * frontend ROUTER; answers come back on it. Who sent a frame is what CURVE proved about its connection (ZAP's User-Id), never a
 * routing id. */
#ifndef KMD_TRANSPORT_H
#define KMD_TRANSPORT_H

#include <stddef.h>
#include <stdint.h>
#include "mesh/conf.h"
#include "mesh/fail.h"
#include "mesh/loop.h"
#include "node/step.h"

struct kmd_transport;

/* Which node of this daemon a channel belongs to. */
enum kmd_side { KMD_SIDE_PEER = 1, KMD_SIDE_FRONTEND = 2 };

struct kmd_transport_ops {
	/* data is borrowed, and wiped afterwards. */
	void (*message)(void *ctx, enum kmd_side side, struct km_addr from, const uint8_t *data, size_t len);
	/* The same for a frame that came in pieces; it lies at the beginning of *block, and who keeps it sets *block to NULL. */
	void (*large)(void *ctx, enum kmd_side side, struct km_addr from, size_t len, uint8_t **block);
	void (*up)(void *ctx, enum kmd_side side, struct km_addr from);
	void (*down)(void *ctx, enum kmd_side side, struct km_addr from);
};

struct kmd_transport_stats {
	uint64_t sent, received, not_sent; /* not_sent: no connection, or its queue was full */
	uint64_t malformed;		   /* more than one frame, no identity */
	uint64_t refused;		   /* keys not in the configuration */
	uint64_t failed_handshakes;	   /* garbage, other mechanisms, time-outs on the listening sockets */
};

/* Opens everything c->roles ask for. KM_E_IO (a port in use, an address not of this machine; f says what to do). c is borrowed.
 */
int kmd_transport_open(struct kmd_transport **out, const struct kmd_config *c, struct kmd_loop *loop,
		       const struct kmd_transport_ops *ops, void *ctx, struct kmd_fail *f) KM_MUST;
void kmd_transport_close(struct kmd_transport *t);
/* Sends or drops; never waits. secret: data lies in the secret arena and now belongs to the transport (freed there in any case).
 */
void kmd_transport_send(struct kmd_transport *t, enum kmd_side side, struct km_addr to, void *data, size_t len, int secret);
/* The same for a frame at data, in a malloc'd block that now belongs to the transport: to a peer in pieces (pieces.h) when it is a large one. */
void kmd_transport_send_block(struct kmd_transport *t, struct km_addr to, uint8_t *block, const uint8_t *data, size_t len);
/* Delivers what came in; at most a few frames of each socket. Returns 1 when there may be more at once. */
int kmd_transport_pump(struct kmd_transport *t);
void kmd_transport_stats(const struct kmd_transport *t, struct kmd_transport_stats *out);

#endif
