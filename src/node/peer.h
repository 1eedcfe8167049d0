/* peer.h: a signer of the mesh as one deterministic state machine. */
#ifndef KM_NODE_PEER_H
#define KM_NODE_PEER_H

#include "step.h"
#include "settings.h"
#include "../proto/dkg.h"
#include "../proto/sign.h"

struct km_peer;

/* settings are borrowed for the peer's life; seed: 32 fresh random bytes of this start. KM_E_NOMEM, KM_E_CONFIG. */
int km_peer_new(struct km_peer **out, const struct km_settings *s, const uint8_t seed[KM_SEED_SIZE]) KM_MUST;
/* No job of the peer may be running any more; jobs that are out and did not come back are freed with it. */
void km_peer_free(struct km_peer *p);
/* A stored file (name as in PERSIST), before START. KM_E_SEAL and the like are the caller's; here: KM_E_ENCODING, KM_E_MISMATCH. */
int km_peer_load(struct km_peer *p, const char *name, const uint8_t *data, size_t len) KM_MUST;
int km_peer_step(struct km_peer *p, const struct km_event *ev, struct km_effects *fx) KM_MUST;
/* When the peer wants a TICK at the latest (mono_us). */
uint64_t km_peer_deadline(const struct km_peer *p);

/* ---- what an operator sees */

struct km_status_peer {
	uint8_t id;
	char name[KM_MAX_NAME + 1];
	int live, roster_mismatch;
	int quarantined;              /* by a proof, or for some key by its accusers */
	uint32_t rtt_us;              /* smoothed, 0 = unknown */
	int64_t clock_offset_ms;
	uint32_t suspicion;           /* score of the link to it */
	int suspected;                /* ... high enough to be avoided */
	int convicted;                /* by a proof */
	char evidence[8];             /* its kind, "E5"; "" if there is none (any more) */
	uint8_t digest[KM_HASH_SIZE]; /* of the proof */
	uint64_t since_ms;            /* unix time of the quarantine, or of the first dispute; 0 = unknown */
	uint32_t accusers;            /* who accuses it */
	uint32_t parted;              /* with whom it shares no quorum for a dispute, by whoever of the two */
	char barred[KM_MAX_NAME + 1]; /* a key for which it has too many accusers; "" = none */
};
struct km_status_pool {
	uint32_t quorum;
	unsigned ready;               /* own presignatures of that quorum */
	int alive;                    /* all members live */
};
struct km_status_epoch {
	uint64_t number;              /* unix seconds of its making, or higher */
	uint8_t table[KM_HASH_SIZE];
	unsigned threshold;
	uint32_t members;
	uint32_t stored;              /* members whose promise is here */
	int share;                    /* this peer has its share */
	int certified;
	int serves;                   /* requests are served from it */
};
/* One key, as its highest usable epoch has it. */
struct km_status_key {
	char name[KM_MAX_NAME + 1];
	uint8_t key_id[KM_HASH_SIZE], table[KM_HASH_SIZE];
	uint64_t epoch;
	unsigned threshold;
	uint32_t members;
	const struct km_curve *curve;
	struct km_point x;
	unsigned ready, held;         /* own ready ones; all presignatures held as a member */
	unsigned n_pools;
	struct km_status_pool *pools; /* malloc'd; of all its epochs */
	unsigned n_epochs;
	struct km_status_epoch *epochs; /* malloc'd; highest first; those that are not certified too */
};
struct km_peer_status {
	uint8_t self;
	uint8_t incarnation[KM_NONCE_SIZE];
	uint8_t roster[KM_HASH_SIZE];
	unsigned n_peers;
	struct km_status_peer peers[KM_MAX_PEERS];
	unsigned n_keys;
	struct km_status_key *keys;   /* malloc'd */
	uint64_t signed_as_aggregator, signed_as_signer, presigned, runs_done, runs_dropped, refused, retries, convictions, disputes;
	uint64_t presigned_any;       /* of presigned: by engine any */
	uint64_t late_shares;         /* SHAREs that had not come in their time */
	uint64_t dropped_frames;      /* garbage counted by reason is in the log */
	unsigned runs_active;
	char activity[120];           /* what is going on: "presigning 2 runs", "key generation of www: round 4 of 6" */
};
/* The public table of an epoch this peer has a share of; NULL: none. Until the next step. */
const struct km_table *km_peer_table(const struct km_peer *p, const uint8_t table[KM_HASH_SIZE]);
int km_peer_status(const struct km_peer *p, struct km_peer_status *out) KM_MUST;
void km_peer_status_clear(struct km_peer_status *s);

#endif
