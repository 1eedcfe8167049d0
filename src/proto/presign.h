/* presign.h: presign runs (protocol section 2; messages section 4) and the presignatures they make. */
#ifndef KM_PROTO_PRESIGN_H
#define KM_PROTO_PRESIGN_H

#include "machine.h"
#include "table.h"

struct km_replay_memo;

struct km_presign_row {
	uint8_t owner;
	uint32_t quorum;        /* S: exactly T members of P, owner among them */
};

/* How the tuples of a run are made. The numbers are those of the proposal that names a run. */
enum km_presign_engine {
	KM_PRESIGN_MAJORITY = 1, /* participants P, |P| >= 2T-1; also when the field is 0 */
	KM_PRESIGN_ANY = 2,      /* participants are exactly the T members of every quorum */
};

struct km_presign_params {
	struct km_machine_params machine;   /* participants = P; ops filled in */
	unsigned engine;                    /* enum km_presign_engine */
	const struct km_table *table;       /* copied as far as needed */
	const struct km_secret *x_i;        /* own share; copied into the arena, used at C4 only. NULL in a replay, which ends before */
	unsigned batch;                     /* B */
	const struct km_presign_row *rows;  /* B of them; fixed in the sid */
};

/* What a quorum holds of one presignature. Lives in the secret arena only, never on disk. Own members of the quorum in ascending
 * order index the per-member arrays. */
struct km_presig_member {
	struct km_point a, c;               /* A'_j, C'_j: for naming a bad share */
};
struct km_presig {
	uint8_t id[KM_HASH_SIZE];           /* H("presig", sid, index) */
	uint8_t owner, self;
	uint16_t index;                     /* in its run */
	uint32_t quorum;
	uint8_t table_hash[KM_HASH_SIZE];
	const struct km_curve *curve;
	struct km_point r;                  /* R, normalised */
	struct km_secret alpha, beta;       /* own alpha_i, beta_i: wiped when spent */
	struct km_scalar w, epsilon;
	uint64_t made_ms;                   /* set by the pool */
	unsigned n;
	uint8_t *member_enc;                /* n * 2 * point_size: A'_j | C'_j encoded; same allocation */
};

/* The largest batch of a run by engine any: what one member receives stays below 48 MiB, an envelope below 16 MiB. */
#define KM_PRESIGN_ANY_RECEIVED (48u * 1024 * 1024)
unsigned km_presign_any_batch_max(const struct km_curve *c, unsigned threshold);

int km_presign_new(struct km_machine **out, const struct km_presign_params *p) KM_MUST;
/* After KM_OUT_DONE: presignatures of the quorums this peer is in, complete ones only. The array is malloc'd, each entry from the
 * secret arena (km_presig_free); ownership passes to the caller, once. */
/* The judgement of an opened run, for whoever judges the evidence of it; NULL: there is none. */
const struct km_replay_memo *km_presign_judged(const struct km_machine *m);
int km_presign_take(struct km_machine *m, struct km_presig ***out, size_t *n) KM_MUST;
void km_presig_free(struct km_presig *p);
void km_presig_name(const uint8_t sid[KM_HASH_SIZE], unsigned index, uint8_t id[KM_HASH_SIZE]);

#endif
