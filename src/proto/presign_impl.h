/* presign_impl.h: the state of a presign run; private to src/proto (and to attack tests, which script a corrupt peer by it).
 *
 * An engine makes the tuples: tuple_majority.c in rounds M1, M2, M3, tuple_any.c in rounds Y1 to Y4. certify.c proves and checks their
 * points (C3), presign.c holds the run together: shapes, verdict, binding to the key. Only the engine knows how a tuple came to be.
 *
 * Naming: an *index* l = 0..batch-1 counts the presignatures of the run; `own` position o counts those whose quorum we are in.
 * Secrets of the run lie in one block of the secret arena, everything public on the heap. */
#ifndef KM_PROTO_PRESIGN_IMPL_H
#define KM_PROTO_PRESIGN_IMPL_H

#include "presign.h"
#include "replay.h"

/* Names of rounds; their numbers on the wire are those of the engine majority, km_presign_wire says the one of this run. */
enum km_presign_round {
	KM_PRESIGN_M1 = 1, /* deal: private M1p, broadcast list of their roots */
	KM_PRESIGN_M2,     /* C0; of engine any: Y3, with its private payload */
	KM_PRESIGN_M3,     /* open w, delta, R_i; of engine any: Y4 */
	KM_PRESIGN_C3,     /* points and proofs */
	KM_PRESIGN_OK,     /* verdict; shares its number with FAIL */
	KM_PRESIGN_PASS,   /* shares its number with OPEN */
	KM_PRESIGN_C4,     /* epsilon */
};

/* Rounds of the engine any on the wire, before it goes on like the other. */
enum km_any_round { KM_ANY_Y1 = 1, KM_ANY_Y2, KM_ANY_Y3, KM_ANY_Y4 };

/* Jobs of both engines. The KM_JOB_ANY_... run once for every partner. */
enum km_presign_job {
	KM_JOB_DEAL = 1,
	KM_JOB_EXTRACT,
	KM_JOB_OPEN,
	KM_JOB_POINTS,
	KM_JOB_CERTIFY,
	KM_JOB_BIND,
	KM_JOB_ANY_BASE,
	KM_JOB_ANY_EXTEND,
	KM_JOB_ANY_PAYLOAD,
	KM_JOB_ANY_SHARES,
	KM_JOB_JUDGE,        /* of an opened run */
	KM_JOB_LAST = KM_JOB_JUDGE,
};

/* What is shared; rho twice, in degree t and 2t. */
enum km_kind { KM_KIND_K, KM_KIND_A, KM_KIND_V, KM_KIND_RT, KM_KIND_R2, KM_KIND_Z, KM_KINDS };
/* Name of the zero share of c, which is no dealt kind. */
#define KM_KIND_C KM_KINDS

enum km_tuple_state {
	KM_TUPLE_RAW = 0,
	KM_TUPLE_CERTIFIED, /* OK over it was sent */
	KM_TUPLE_BOUND,     /* left the table: epsilon was made */
	KM_TUPLE_DROPPED,
	KM_TUPLE_READY,
};

struct km_presign_index {
	uint32_t quorum;
	uint8_t owner;
	uint16_t lambda;     /* first of the T Lagrange coefficients of this quorum in km_presign.lambda */
};

/* Wiped as a whole before PASS. */
struct km_presign_early {
	_Alignas(mp_limb_t) struct km_rng rng;            /* everything random of the run but the checks */
	uint8_t seed[KM_SEED_SIZE];                       /* of the run: what FAIL or OPEN shows */
	uint8_t blind[KM_HASH_SIZE];                      /* of C0 */
	uint8_t pair[KM_MAX_PEERS + 1][KM_SEED_SIZE];     /* pair seed shared with that peer */
};

struct km_presign;
struct km_any;

/* What the engines do differently. Rounds are those on the wire. */
struct km_engine {
	unsigned number;                     /* enum km_presign_engine */
	unsigned shift;                      /* rounds more than majority before C0 */
	unsigned last_private;               /* rounds 1 to this one have private messages */
	unsigned lists;                      /* rounds up to C3 that have broadcasts */
	/* shape of a message before C3 */
	int (*shape)(const struct km_presign *s, unsigned round, unsigned sender, unsigned recipient, struct km_shape *shape);
	int (*start)(struct km_presign *s, struct km_outs *outs);
	/* a round before that of w is complete; a job of the engine has run well */
	int (*round_done)(struct km_presign *s, unsigned round, struct km_outs *outs);
	int (*worked)(struct km_presign *s, unsigned what, struct km_outs *outs);
	int (*run)(struct km_presign *s, unsigned what);
	/* M3 or Y4 of everybody into w and c */
	int (*check)(struct km_presign *s);
	/* where R_i of index l, and the blind of C0, stand in what a member opened */
	const uint8_t *(*r_enc)(const struct km_presign *s, unsigned peer, unsigned l);
	const uint8_t *(*blind)(const struct km_presign *s, unsigned peer);
	/* what is wiped before PASS, beside the early part of the arena */
	void (*wipe)(struct km_presign *s);
};
extern const struct km_engine km_engine_majority, km_engine_any;

struct km_presign {
	struct km_machine *m;
	const struct km_engine *engine;
	struct km_any *any;                  /* engine any: its own state, NULL once wiped */
	size_t any_column;                   /* bytes of a column of its OT extension */
	const struct km_curve *curve;
	size_t ss, ps;                       /* encoded scalar, point */
	unsigned t, n;                       /* T-1; number of participants */
	unsigned batch, groups, extracted;   /* B; groups of n dealings; sharings extracted of each, n-t */
	/* the table this run is bound to by its sid */
	uint8_t table_hash[KM_HASH_SIZE];
	struct km_point xi[KM_MAX_PEERS + 1];
	/* who is in which index */
	struct km_presign_index *index;      /* [batch] */
	struct km_scalar *lambda;            /* T for each distinct quorum, at 0, members ascending */
	unsigned own_n[KM_MAX_PEERS + 1];    /* indices each participant is in */
	uint16_t (*own_pos)[KM_MAX_BATCH];   /* [peer][index]: its position among that peer's own */
	unsigned own;                        /* own_n[self] */
	uint16_t *own_index;                 /* [own] -> index */

	/* secret arena, one block: the early part, then what lives until the presignature is made */
	uint8_t *arena;
	size_t early_len;
	struct km_presign_early *early;
	struct km_secret *sh[KM_KINDS];      /* [batch + 1] Shamir shares; the last is the mask of the dealing check */
	struct km_secret *k;                 /* [own] additive shares over the quorum */
	struct km_secret *a, *v, *c;         /* [own], late */
	struct km_secret *x_i;               /* late */
	/* own dealing: n bodies of M1p by position of the recipient, own included; arena, until extraction */
	uint8_t *deal;
	size_t deal_len;
	struct km_rng *check;                /* arena: private randomisers of batch checks */

	/* public */
	struct km_scalar *vandermonde;       /* [extracted][n] */
	uint8_t *ri_enc;                     /* [own] own R_i */
	struct km_scalar *w;                 /* [own] */
	struct km_point *r;                  /* [own] R, normalised */
	uint8_t *r_enc;                      /* [own] */
	struct km_point *pa, *pc;            /* [own] own A', C' */
	struct km_point *pv;                 /* [own * T] V_j by own position, then position in the quorum */
	struct km_scalar *epsilon;           /* [own] own, later the sum */
	uint8_t *tuple;                      /* [own] enum km_tuple_state */
	struct km_presig **done;             /* [own], NULL where none came out */
	uint32_t c4_have;                    /* participants whose C4 is used */
	uint8_t oklist_hash[KM_HASH_SIZE];
	int passed;                          /* nothing is left to open */
	int replay;                          /* of an opened run: there is no key */
	struct km_replay_memo judged;        /* the opened run */

	/* results of a job */
	uint8_t *body;                       /* body of the message to send */
	uint8_t spoiled;                     /* whose private message had another body than it signed; 0 = nobody's */
	int fail;                            /* KM_OK, or why the run fails */
	uint8_t failed_check;                /* enum km_open_check */
	uint16_t failed_index;
	uint8_t guilty[KM_MAX_PEERS + 1];    /* enum km_evidence_kind by peer, 0 for none */
	uint8_t guilty_round[KM_MAX_PEERS + 1];
	uint32_t convicted;                  /* by a message of theirs alone */
	uint16_t guilty_index[KM_MAX_PEERS + 1]; /* what km_presign_blame_index was told */
};

extern const struct km_machine_ops km_presign_majority_ops, km_presign_any_ops;
void km_presign_free(struct km_presign *s);
/* Shape of a message of this run, by its round on the wire; recipient 0 for broadcasts. The functions below take a name. */
int km_presign_shape(const struct km_presign *s, unsigned wire, unsigned sender, unsigned recipient, struct km_shape *shape) KM_MUST;
/* Replaces s->body by zeroed room for the own message of this round. */
int km_presign_room(struct km_presign *s, unsigned round) KM_MUST;
/* A check of the run fails, whoever broke it. The first one counts. */
void km_presign_fail(struct km_presign *s, int code, enum km_open_check check, unsigned index);
void km_presign_blame(struct km_presign *s, unsigned peer, enum km_evidence_kind kind, unsigned round);
/* The same about one index; batch: about none (the proof of all V). */
void km_presign_blame_index(struct km_presign *s, unsigned peer, enum km_evidence_kind kind, unsigned round, unsigned index);
/* The same by the round on the wire. */
void km_presign_blame_wire(struct km_presign *s, unsigned peer, enum km_evidence_kind kind, unsigned wire);
/* Signs and sends s->body as the own message of this round. */
int km_presign_send(struct km_presign *s, unsigned round, struct km_outs *outs) KM_MUST;
int km_presign_job(struct km_presign *s, unsigned what, struct km_outs *outs) KM_MUST;
/* H("round", ...) as the head of own messages of this round has it. */
const uint8_t *km_presign_prev(const struct km_presign *s, unsigned round);

static inline unsigned km_presign_wire(const struct km_presign *s, unsigned round)
{
	return round == KM_PRESIGN_M1 ? round : round + s->engine->shift;
}
static inline const uint8_t *km_presign_body(const struct km_presign *s, unsigned round, unsigned peer)
{
	return s->m->bcast[km_presign_wire(s, round)][peer].msg.body;
}
/* Row of index l in peer's message of C3 or C4 (peer is in the quorum of l). */
static inline const uint8_t *km_presign_own_row(const struct km_presign *s, const uint8_t *body, size_t head, size_t row, unsigned peer, unsigned l)
{
	return body + head + row * s->own_pos[peer][l];
}
static inline const struct km_scalar *km_presign_lambda(const struct km_presign *s, unsigned l, unsigned peer)
{
	return &s->lambda[s->index[l].lambda + km_set_pos(s->index[l].quorum, peer)];
}

/* Opening (open.c). fail: our own check failed and OK was not sent; all: views differ after it. Both show the seed and wipe the rest.
 * heard: another's FAIL or OPEN is in. wait: judges when there is nothing to wait for. */
int km_open_fail(struct km_presign *s, struct km_outs *outs) KM_MUST;
int km_open_open(struct km_presign *s, struct km_outs *outs) KM_MUST;
int km_open_heard(struct km_presign *s, unsigned round, unsigned sender, struct km_outs *outs) KM_MUST;
int km_open_wait(struct km_presign *s, int late, struct km_outs *outs) KM_MUST;
int km_open_judge(struct km_presign *s) KM_MUST;                         /* the job */
int km_open_judged(struct km_presign *s, int err, struct km_outs *outs) KM_MUST;

/* Jobs of an engine return an operating error; what a peer did wrong goes to s->fail and s->guilty. */

/* Engine any: its state, made with the run. */
int km_any_new(struct km_presign *s) KM_MUST;
/* For the replay of an opened run, in this order: all that two members say to each other alone, for every pair in ascending order;
 * Y3's broadcast of everybody, fed to everybody; Y4 of everybody. made is shown every header. A member whose check fails (s->fail) ends
 * the replay. */
typedef void (*km_any_made_fn)(void *ctx, const uint8_t *header);
int km_any_replay_pair(struct km_presign *a, struct km_presign *b, km_any_made_fn made, void *ctx) KM_MUST;
int km_any_replay_commit(struct km_presign *s, struct km_outs *outs) KM_MUST;
int km_any_replay_open(struct km_presign *s, struct km_outs *outs) KM_MUST;
/* Bytes that one member receives in a run of this batch, and of its largest envelope. */
uint64_t km_any_received(const struct km_curve *c, unsigned threshold, unsigned batch);
uint64_t km_any_largest(const struct km_curve *c, unsigned batch);

/* Certify, for every engine. commit: C0 over the own R_i. open: checks 3, 4. points: the C3 body. check: checks 5, 6. */
void km_certify_commit(const struct km_presign *s, unsigned peer, const uint8_t blind[KM_HASH_SIZE], const uint8_t *r_enc, uint8_t c0[KM_HASH_SIZE]);
int km_certify_open(struct km_presign *s) KM_MUST;
/* What is hashed, for whoever checks without a run: C0 over len bytes of R_i; e of one tuple's proof (row begins with A' | C' | V | U); what
 * comes before the V in the challenge of their proof. */
void km_certify_c0(const uint8_t sid[KM_HASH_SIZE], unsigned peer, const uint8_t blind[KM_HASH_SIZE], const uint8_t *r_enc, size_t len,
		   uint8_t c0[KM_HASH_SIZE]);
void km_certify_challenge(const struct km_curve *c, struct km_scalar *e, const uint8_t sid[KM_HASH_SIZE], unsigned index, unsigned peer,
			  const uint8_t *r_enc, const uint8_t *w_enc, const uint8_t *row);
void km_certify_v_prefix(struct km_hash *h, const uint8_t sid[KM_HASH_SIZE], unsigned peer);
int km_certify_points(struct km_presign *s) KM_MUST;
int km_certify_check(struct km_presign *s) KM_MUST;

/* Bind. epsilon: own epsilon_i of every certified tuple (which leaves the table first), KM_E_STATE / KM_E_MISMATCH otherwise.
 * check: epsilon_j G = X_j^S - V_j for the members in s->c4_have. finish: alpha, beta into s->done. */
int km_bind_epsilon(struct km_presign *s, const uint8_t table_hash[KM_HASH_SIZE], const struct km_secret *x_i) KM_MUST;
int km_bind_check(struct km_presign *s) KM_MUST;
int km_bind_finish(struct km_presign *s) KM_MUST;

#endif
