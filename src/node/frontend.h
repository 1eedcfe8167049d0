/* frontend.h: what stands between TLS servers and the mesh: makes authenticators, elects the aggregator, hedges, verifies the
 * signature exactly once, gives up at the deadline. Holds no share. */
#ifndef KM_NODE_FRONTEND_H
#define KM_NODE_FRONTEND_H

#include "step.h"
#include "settings.h"
#include "../proto/table.h"

struct km_frontend;

int km_frontend_new(struct km_frontend **out, const struct km_settings *s, const uint8_t seed[KM_SEED_SIZE]) KM_MUST;
void km_frontend_free(struct km_frontend *f);
int km_frontend_step(struct km_frontend *f, const struct km_event *ev, struct km_effects *fx) KM_MUST;
uint64_t km_frontend_deadline(const struct km_frontend *f);

/* Keys the frontend believes: the same table stated by at least its threshold of peers. NULL if unknown (yet). */
const struct km_table *km_frontend_key_by_id(const struct km_frontend *f, const uint8_t key_id[KM_HASH_SIZE]);
const struct km_table *km_frontend_key_by_name(const struct km_frontend *f, const char *name);
const struct km_table *km_frontend_key_by_point(const struct km_frontend *f, const struct km_point *x, const struct km_curve *c);

struct km_status_upstream {
	uint8_t id;
	char name[KM_MAX_NAME + 1];
	int live, roster_mismatch;
	uint32_t rtt_us, reply_us;    /* ping round trip; smoothed time to a signature */
	int64_t clock_offset_ms;
	uint32_t ready;               /* presignatures it could use now */
	uint32_t score;               /* suspicion of (frontend, aggregator) */
};
struct km_frontend_status {
	uint16_t self;
	unsigned n_peers, n_keys;
	struct km_status_upstream peers[KM_MAX_PEERS];
	const struct km_table **keys; /* malloc'd array of borrowed tables */
	uint64_t requests, signatures, failed, hedged, bad_replies;
	unsigned in_flight;
};
int km_frontend_status(const struct km_frontend *f, struct km_frontend_status *out) KM_MUST;
void km_frontend_status_clear(struct km_frontend_status *s);

#endif
