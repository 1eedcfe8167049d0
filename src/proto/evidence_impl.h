/* evidence_impl.h: evidence taken apart, and the judge's desk; private to src/proto (evidence.c, judge*.c, complaint.c). */
#ifndef KM_PROTO_EVIDENCE_IMPL_H
#define KM_PROTO_EVIDENCE_IMPL_H

#include "evidence.h"
#include "setup.h"

/* ---- items; all pointers borrow the evidence */
struct km_ev_item {
	enum km_evidence_form form;
	struct km_msg msg;         /* HEADER, WHOLE, ROWS; body only of WHOLE */
	unsigned n;                /* ROWS: leaves; DIGESTS: digests */
	const uint8_t *p;          /* ROWS: the encoded leaves; DIGESTS, BYTES: the bytes */
	size_t len;
};

struct km_ev_leaf {
	uint32_t leaf;
	const uint8_t *p, *path;
	size_t len;
	unsigned count;            /* digests of the path */
};

struct km_ev {
	enum km_evidence_kind kind;
	const uint8_t *context;    /* NULL in what a machine emitted */
	unsigned count;
	struct km_ev_item *item;   /* owned */
};

/* Strict. KM_E_ENCODING and the other errors of reading, KM_E_NOMEM; *ev is to be cleared after KM_OK only. */
int km_ev_read(struct km_ev *ev, const uint8_t *p, size_t len) KM_MUST;
/* The same for what a machine emits. */
int km_ev_read_machine(struct km_ev *ev, const uint8_t *p, size_t len) KM_MUST;
void km_ev_clear(struct km_ev *ev);
/* The k-th leaf of ROWS, k < n. */
void km_ev_leaf(const struct km_ev_item *it, unsigned k, struct km_ev_leaf *out);
/* The bytes of leaf `leaf` of ROWS, if they are there and, by their path, of the signed body; else NULL. */
const uint8_t *km_ev_shown(const struct km_ev_item *it, const struct km_shape *shape, uint32_t leaf);
/* Do the items from `at` on have these forms, and are there no others? Ends with 0. */
int km_ev_forms(const struct km_ev *ev, unsigned at, const uint8_t *forms);

/* ---- the desk: one piece of evidence, and what the judge found out about its run */
struct km_desk {
	const struct km_judge *j;
	const struct km_ev *ev;
	struct km_verdict *v;
	const uint8_t (*idkeys)[KM_IDKEY_SIZE];  /* signatures are checked under these */
	uint8_t people[KM_MAX_PEERS + 1][KM_IDKEY_SIZE]; /* a reshare's: of two tables */
	const struct km_curve *curve;
	const struct km_ev_item *item;           /* behind the set-up */
	unsigned n;
	/* kinds with set-up */
	uint8_t sid[KM_HASH_SIZE];
	struct km_proposal prop;
	struct km_presign_row rows[KM_MAX_BATCH];
};

/* Void, with the reason. Returns KM_OK, to be returned. */
int km_desk_void(struct km_desk *d, const char *why);
/* Proved. */
int km_desk_convict(struct km_desk *d, const struct km_msg *wrong, unsigned culprit, unsigned index, const char *why);

/* judge_dkg.c, judge_presign.c, judge_record.c, judge_opened.c: one kind each or a few; KM_OK with the verdict or KM_E_NOMEM. */
int km_judge_dkg(struct km_desk *d) KM_MUST;
int km_judge_reshare(struct km_desk *d) KM_MUST;
int km_judge_presign(struct km_desk *d) KM_MUST;
int km_judge_record(struct km_desk *d) KM_MUST;
int km_judge_opened(struct km_desk *d) KM_MUST;

#endif
