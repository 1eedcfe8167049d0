/* machine.h: what all protocol runs have in common.
 *
 * A run (a DKG, a presign run) is a deterministic state machine: seed, long-term inputs and the messages delivered decide
 * everything. This core does the plumbing once: acceptance of messages in the order of the protocol's table, duplicates,
 * equivocation, rounds, prev, timeouts, wiping. A protocol gives shapes and a handler per completed round.
 *
 * Step contract
 * - Nothing here blocks, reads a clock or sends: results are appended to a km_outs list that the caller carries out.
 * - Heavy computation is a job. While a job is out, the machine accepts and stores messages but calls no handler; the job owns
 *   what it touches (the protocol's state struct). A machine dropped meanwhile is freed when its job comes back.
 * - A negative return of these functions is an operating error (KM_E_NOMEM ...): the run is to be dropped. What another peer did
 *   wrong is never a return code: it is a KM_OUT_CONVICT, KM_OUT_DISPUTE or KM_OUT_DROP in the list. */
#ifndef KM_PROTO_MACHINE_H
#define KM_PROTO_MACHINE_H

#include "msg.h"
#include "../ec/shamir.h"

/* ---- outputs */

enum km_out_kind {
	KM_OUT_SEND = 1,  /* data = envelope, to peer (0 = every other participant) */
	KM_OUT_JOB,       /* job: run it anywhere, then km_machine_worked */
	KM_OUT_PERSIST,   /* data must be durable, then km_machine_persisted(code); secret bytes */
	KM_OUT_CONVICT,   /* peer is proved guilty; code = enum km_evidence_kind; data = kind u8 | count u16 | items (evidence.h) */
	KM_OUT_DISPUTE,   /* peer sent us on its own channel what only it and we saw; code = KM_E_* */
	KM_OUT_DONE,      /* the run ended well; take its results */
	KM_OUT_DROP,      /* the run ended without result; code = KM_E_*; set = peers it waited for (0 = none) */
	/* set = participants that did not open a failed run, or whose last message never came (code KM_E_DEADLINE): our links to them,
	 * never they, are to blame */
	KM_OUT_SUSPECT,
};

enum km_evidence_kind {
	KM_EV_EQUIVOCATION = 1,  /* E1 */
	KM_EV_ENCODING = 2,      /* E2 */
	KM_EV_C3_PROOF = 3,      /* E3 */
	KM_EV_EPSILON = 4,       /* E4 */
	KM_EV_RECORD = 5,        /* E5 */
	KM_EV_LIST_ROOT = 6,     /* E6 */
	KM_EV_OPENING = 7,       /* E7 */
	KM_EV_COMPLAINT = 8,     /* E7b: a true complaint convicts the dealer */
	KM_EV_FALSE_COMPLAINT = 9, /* E9 */
	KM_EV_OPENED = 10,       /* E8: an opened run, see replay.h */
};

struct km_job {
	void (*run)(struct km_job *job);   /* pure; any thread; leaves nothing secret on its stack */
	void (*work)(struct km_job *job);  /* what run calls: the protocol's computation */
	int err;                           /* KM_OK or KM_E_*, set by run */
	unsigned what;                     /* the protocol's own name of the job */
	uint64_t order;                    /* for whoever runs jobs: those with a smaller number first */
	int patient;                       /* a judgement: long, and nobody waits for it by the second */
	void *state;                       /* owned by the machine that made it, lent to the job while it is out */
};

struct km_out {
	enum km_out_kind kind;
	uint8_t peer;
	int code;
	uint32_t set;
	uint8_t *data;       /* owned by the out */
	size_t len;
	size_t room;         /* bytes of its allocation before data: SEND of a large message, for what a frame needs there */
	int secret;          /* data lies in the secret arena: a private message or a share to be sealed */
	struct km_job *job;  /* borrowed from the machine */
	struct km_out *next;
};

struct km_outs {             /* a queue, in order */
	struct km_out *head, **tail;
};
void km_outs_init(struct km_outs *o);
void km_outs_clear(struct km_outs *o);
/* Appends; data is copied. KM_E_NOMEM. */
int km_outs_add(struct km_outs *o, enum km_out_kind kind, uint8_t peer, int code, const void *data, size_t len) KM_MUST;
/* The same with data in the secret arena. */
int km_outs_add_secret(struct km_outs *o, enum km_out_kind kind, uint8_t peer, int code, const void *data, size_t len) KM_MUST;
/* Detaches the first, NULL when empty; km_out_free it. */
struct km_out *km_outs_pop(struct km_outs *o);
void km_out_free(struct km_out *out);

/* ---- the machine */

#define KM_MAX_ROUNDS 10

struct km_machine;

enum km_round_flags {
	KM_ROUND_BROADCAST = 1, /* every participant sends one message to all */
	KM_ROUND_PRIVATE = 2,   /* every participant sends one message to each other */
	KM_ROUND_PREV = 4,      /* the broadcast's head begins with prev = H("round", sid, digests of earlier broadcasts) */
	KM_ROUND_OKPREV = 8,    /* ... with H("oklist", own digest list): the protocol checks it itself */
	KM_ROUND_HEAP = 16,     /* the private messages hold nothing secret (and may be large): kept on the heap, and their bodies
				 * are compared with their roots by the job that uses them (km_machine_check_private) */
};

struct km_machine_ops {
	const char *name;
	uint8_t proto;
	uint8_t rounds;                          /* rounds are 1..rounds */
	uint8_t flags[KM_MAX_ROUNDS + 1];        /* enum km_round_flags by round */
	uint32_t deadline_ms[KM_MAX_ROUNDS + 1]; /* how long a round may wait for its last message; 0 = for ever */
	/* The exact shape of a message; body may be looked at for tagged bodies (body_len bytes, may be 0).
	 * Returns KM_E_ENCODING when no shape fits. recipient 0 = broadcast. Must not depend on secrets. */
	int (*shape)(const struct km_machine *m, unsigned round, unsigned sender, unsigned recipient, const uint8_t *body, uint32_t body_len,
		     struct km_shape *shape);
	/* First call, before any message: makes round 1 (directly or by a job). */
	int (*start)(struct km_machine *m, struct km_outs *outs);
	/* All messages of `round` are in, own included, and every prev equals ours. Ends the round: handler either emits messages of the
	 * next round (km_machine_send), a job (km_machine_job), a drop (km_machine_drop) or the end (km_machine_done). */
	int (*round_done)(struct km_machine *m, unsigned round, struct km_outs *outs);
	int (*worked)(struct km_machine *m, struct km_job *job, struct km_outs *outs);
	int (*persisted)(struct km_machine *m, int token, struct km_outs *outs);  /* may be NULL */
	/* The deadline of `round` passed; have = participants whose broadcast is in. NULL: drop with KM_E_DEADLINE. A protocol that can
	 * use a partial last round does so here and calls km_machine_done. */
	int (*timeout)(struct km_machine *m, unsigned round, uint32_t have, struct km_outs *outs);
	/* Whether a broadcast opens its author's run: such ones are accepted in any round. NULL: none do. */
	int (*opens)(const struct km_machine *m, const struct km_msg *msg);
	/* One of them is in. */
	int (*opened)(struct km_machine *m, unsigned round, unsigned sender, struct km_outs *outs);
	/* prev of `peer` in `round` differs from ours. NULL: drop with KM_E_MISMATCH. */
	int (*split)(struct km_machine *m, unsigned round, unsigned peer, struct km_outs *outs);
	/* The run has ended without result: whatever is secret in the state goes. Called once, when no job is out. May be NULL. */
	void (*wipe)(struct km_machine *m);
	void (*destroy)(struct km_machine *m);   /* wipes and frees the protocol's state, not m */
};

struct km_stored {       /* an accepted message, kept by the machine */
	uint8_t *raw;    /* owned; private ones in the secret arena */
	uint8_t *block;  /* the allocation that raw lies in, where that is not its beginning */
	struct km_msg msg;
};

/* A run that is opened for blame ends by its judgement: no round of it closes any more, nothing else is sent. */
enum km_machine_open {
	KM_MACHINE_CLOSED = 0,
	KM_MACHINE_OPEN,     /* own FAIL or OPEN is out, those of others are awaited */
	KM_MACHINE_JUDGED,   /* ... or no longer: no message is accepted */
};

struct km_machine {
	const struct km_machine_ops *ops;
	const struct km_curve *curve;
	uint8_t sid[KM_HASH_SIZE];
	uint8_t self;
	uint32_t participants;                       /* set, self included */
	unsigned n;                                  /* size of it */
	struct km_identity id;                       /* own signing key */
	uint8_t idkeys[KM_MAX_PEERS + 1][KM_IDKEY_SIZE]; /* by peer id */
	struct km_rng rng;                           /* all randomness of the run, from its seed */
	unsigned round;                              /* the round now being collected, 1.. */
	uint64_t round_since_ms, now_ms;             /* now_ms: of the last call */
	enum km_machine_open open;
	uint64_t open_until_ms;                      /* how long others' openings are awaited */
	unsigned open_round;                         /* under which openings are asked for by STALL */
	uint32_t open_have;                          /* participants whose opening is in */
	int ended;                                   /* DONE or DROP was emitted */
	int busy;                                    /* a job is out */
	int dying;                                   /* freed when the job comes back */
	struct km_stored bcast[KM_MAX_ROUNDS + 1][KM_MAX_PEERS + 1]; /* [round][sender] */
	struct km_stored priv[KM_MAX_ROUNDS + 1][KM_MAX_PEERS + 1];  /* received private, [round][sender] */
	uint8_t sent[KM_MAX_ROUNDS + 1][KM_MAX_PEERS + 1][KM_HASH_SIZE]; /* digests of own private messages, [round][recipient] */
	uint8_t prev[KM_MAX_ROUNDS + 2][KM_HASH_SIZE];  /* own view before round r, filled when r-1 completes */
	struct km_job job;
	void *state;                                 /* the protocol's own */
};

struct km_machine_params {
	const struct km_machine_ops *ops;
	const struct km_curve *curve;
	uint8_t sid[KM_HASH_SIZE];
	uint8_t self;
	uint32_t participants;
	struct km_identity id;
	const uint8_t (*idkeys)[KM_IDKEY_SIZE];  /* [KM_MAX_PEERS + 1], by peer id; copied */
	uint8_t seed[KM_SEED_SIZE];              /* fresh for this run; mixed with the sid */
};

/* Heap; state is the protocol's, owned by the machine from here on (also on failure: then ops->destroy is not called). */
int km_machine_new(struct km_machine **out, const struct km_machine_params *p, void *state) KM_MUST;
/* Frees now, or when the job that is out comes back. NULL is fine. */
void km_machine_free(struct km_machine *m);
int km_machine_start(struct km_machine *m, uint64_t now_ms, struct km_outs *outs) KM_MUST;
/* Delivers an envelope that came over the channel of peer `from` (for a relayed broadcast: relayed = 1, from = the relayer).
 * Steps 1-9 of the acceptance table; a message that is dropped is not an error: returns KM_OK, or KM_E_DUPLICATE / KM_E_STALE /
 * KM_E_AUTH / KM_E_ENCODING for the caller's counters only. */
int km_machine_message(struct km_machine *m, uint64_t now_ms, uint8_t from, int relayed, const uint8_t *raw, size_t len, struct km_outs *outs) KM_MUST;
/* The same. *block: NULL, or the malloc'd block that raw lies in: a large message is not copied but keeps it, and sets *block to NULL.
 * WHY: copies of ten megabytes would stop the thread that also signs. */
int km_machine_deliver(struct km_machine *m, uint64_t now_ms, uint8_t from, int relayed, const uint8_t *raw, size_t len, uint8_t **block,
		       struct km_outs *outs) KM_MUST;
/* A job came back. If the machine is dying it is freed here and 1 is returned: do not touch it again. */
int km_machine_worked(struct km_machine *m, uint64_t now_ms, struct km_outs *outs) KM_MUST;
int km_machine_persisted(struct km_machine *m, uint64_t now_ms, int token, struct km_outs *outs) KM_MUST;
/* When the present round must be complete (UINT64_MAX: never), and the call for when that has passed. */
uint64_t km_machine_deadline(const struct km_machine *m);
int km_machine_tick(struct km_machine *m, uint64_t now_ms, struct km_outs *outs) KM_MUST;
/* Participants whose message(s) of the present round are missing; of an opened run, whose opening is. */
uint32_t km_machine_missing(const struct km_machine *m);
/* The round that a STALL about this run names. */
unsigned km_machine_stalled(const struct km_machine *m);
/* An accepted broadcast, for RELAY; of an opened run, under the round above, the opening. NULL if not held. */
const struct km_stored *km_machine_find(const struct km_machine *m, unsigned round, unsigned sender);

/* For the protocols. */
/* Signs, stores as own, and emits a message of `round`. Head of the body must already hold prev where the flags say so
 * (km_machine_prev). recipient 0 = broadcast. */
int km_machine_send(struct km_machine *m, unsigned round, unsigned recipient, const struct km_shape *shape, const uint8_t *body, struct km_outs *outs) KM_MUST;
/* The same for private messages of KM_ROUND_HEAP rounds, in two steps. seal: in a job; block is KM_OUT_ROOM bytes, KM_MSG_HEAD bytes,
 * and the body. send_sealed: takes the block in every case.
 * WHY in a job: hashing ten megabytes would stop the thread that also signs. */
#define KM_OUT_ROOM 16
int km_machine_seal(const struct km_machine *m, unsigned round, unsigned recipient, const struct km_shape *shape, uint8_t *block) KM_MUST;
int km_machine_send_sealed(struct km_machine *m, unsigned round, unsigned recipient, const struct km_shape *shape, uint8_t *block,
			   struct km_outs *outs) KM_MUST;
/* Whether the private message of peer (of a KM_ROUND_HEAP round) has the body that it signed: step 7 of acceptance, which for these
 * waits for the job that needs them. KM_E_MISMATCH, KM_E_NOMEM. */
int km_machine_check_private(const struct km_machine *m, unsigned round, unsigned peer) KM_MUST;
/* prev for a message of `round`: hash of the broadcasts of all earlier rounds, as seen here. */
const uint8_t *km_machine_prev(const struct km_machine *m, unsigned round);
int km_machine_job(struct km_machine *m, unsigned what, void (*work)(struct km_job *), struct km_outs *outs) KM_MUST;
int km_machine_persist(struct km_machine *m, int token, const void *data, size_t len, struct km_outs *outs) KM_MUST;
/* Wiping on the way: the private messages received in `round`, and the run's randomness (after it no proof can be made). */
void km_machine_wipe_private(struct km_machine *m, unsigned round);
void km_machine_wipe_seed(struct km_machine *m);
/* Everything secret: what the end of a run without result does. No job may be out. */
void km_machine_wipe(struct km_machine *m);
/* From here on the run is open: only what opens others is accepted, until the deadline calls `timeout`. round: see open_round. */
void km_machine_open(struct km_machine *m, unsigned round, uint32_t wait_ms);
/* Frees the body of a peer's private message of a KM_ROUND_HEAP round; its signed header stays. */
void km_machine_trim_private(struct km_machine *m, unsigned round, unsigned peer);
/* Appends KM_OUT_CONVICT with what was begun by km_evidence_items_begin. */
int km_machine_convict_items(struct km_machine *m, unsigned peer, enum km_evidence_kind kind, const struct km_buf *items, struct km_outs *outs) KM_MUST;
/* The same for evidence made of messages alone: their headers for E1, whole ones for the rest. */
int km_machine_convict(struct km_machine *m, unsigned peer, enum km_evidence_kind kind, const struct km_msg *const *msgs, size_t n, struct km_outs *outs) KM_MUST;
/* Appends KM_OUT_SUSPECT. */
int km_machine_suspect(struct km_machine *m, uint32_t set, struct km_outs *outs) KM_MUST;
/* ... with code KM_E_DEADLINE: what is missing in the last round, which ends all the same. */
int km_machine_late(struct km_machine *m, uint32_t set, struct km_outs *outs) KM_MUST;
/* Ends the run without result and wipes it; while a job is out, when that comes back. */
int km_machine_drop(struct km_machine *m, int code, uint32_t waited_for, struct km_outs *outs) KM_MUST;
int km_machine_done(struct km_machine *m, struct km_outs *outs) KM_MUST;

/* For the replay of opened runs, where one pen writes everything: an envelope (malloc'd, taken) counts as accepted, unchecked; all
 * rounds before this one count as complete. */
int km_machine_feed(struct km_machine *m, uint8_t *raw, size_t len) KM_MUST;
void km_machine_enter(struct km_machine *m, unsigned round);

#endif
