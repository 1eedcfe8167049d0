/* any_impl.h: the state of the engine any; private to tuple_any.c and to attack tests, which script a corrupt peer by it.
 *
 * Memory of one member, all of it gone before PASS:
 *	links     (T-1) * (35 kB + B * xi / 8 bits of choice): keys and choices, secret, as long as the run needs them
 *	received  at most 48 MiB (km_presign_any_batch_max), heap; a body is freed as soon as its job is done
 *	one job   one body (at most 16 MiB, heap) and, secret, 96 * B * xi bytes of pads and twice 16 * B * xi of the bit matrix:
 *	          10.2 MB and 3.4 MB for B = 256 on P-256. One partner at a time. */
#ifndef KM_PROTO_ANY_IMPL_H
#define KM_PROTO_ANY_IMPL_H

#include "presign_impl.h"
#include "vole.h"

/* Both directions between us and one partner. One block of the secret arena. */
struct km_any_link {
	_Alignas(mp_limb_t) struct km_rng rng;
	/* as Alice (the partner is Bob) */
	struct km_secret x[KM_OT_KAPPA];
	uint8_t delta[KM_OT_DELTA_SIZE];
	uint8_t chosen[KM_OT_KAPPA][KM_OT_KEY_SIZE];
	uint8_t r_enc[KM_OT_KAPPA * 2 * KM_POINT_MAX];
	/* as Bob (the partner is Alice) */
	struct km_secret y;
	uint8_t a_enc[KM_POINT_MAX];
	uint8_t both[KM_OT_KAPPA][2][KM_OT_KEY_SIZE];
	uint8_t beta[];                             /* a column */
};

struct km_any {
	unsigned xi;
	size_t len;                                 /* of a column */
	unsigned at;                                /* partner of the job that is out */
	struct km_any_link *link[KM_MAX_PEERS + 1];
	struct km_secret *w;                        /* [batch] own w_i, as it grows; secret arena */
	mp_limb_t *gadget;
	uint8_t *block;                             /* of the private message for the partner: room, header, body; see km_machine_seal */
	uint8_t *body;                              /* in it */
};

/* Seals the private message that a job made, as the job itself does last; also for who scripts a corrupt peer and has changed the body.
 * KM_OK when that job makes none. */
int km_any_seal(struct km_presign *s, unsigned job) KM_MUST;

#endif
