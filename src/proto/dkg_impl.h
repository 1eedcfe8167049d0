/* dkg_impl.h: private to the DKG and the reshare (dkg*.c, reshare.c, complaint.c) and their tests: layouts, a dealer's arithmetic, the
 * state, the rounds. A reshare is the same exchange in which only Q deals, only J receives, and C_0 is given:
 *
 *	G1  h = H("dkg-com", sid, i, blind, C_0 .. sch(e))
 *	G2  prev | C_0..C_t | sch(a_0) | E | sch(e) | blind 32
 *	G3  prev
 *	G4  prev || per j != i: AEAD(f_i(j))
 *	G5  prev | ACK 1      or      prev | COMPLAINT 2 | accused u8 | D = e_j E_i | DLEQ | accused's G2 envelope | its G4
 *	G6  prev | number u64 | sid | table hash      (STORED)
 *
 * Reshare, R1 to R5: as G1 to G5, where who does not deal opens prev | E | sch(e) | blind and sends prev alone in G4, a dealer's rows are
 * for every j != i in J, and who does not receive sends ACK. */
#ifndef KM_PROTO_DKG_IMPL_H
#define KM_PROTO_DKG_IMPL_H

#include "complaint.h"
#include "dkg.h"
#include "../zk/dleq.h"

enum { KM_DKG_G1 = 1, KM_DKG_G2, KM_DKG_G3, KM_DKG_G4, KM_DKG_G5, KM_DKG_G6 };
enum { KM_DKG_ACK = 1, KM_DKG_COMPLAINT = 2 };

#define KM_DKG_BLIND 32
#define KM_DKG_STORED KM_STORED_BODY
#define KM_DKG_TAG 16  /* of the AEAD */
/* One more than T can be: attack builds accept one commitment too many. */
#define KM_DKG_COMMIT_MAX (KM_MAX_PEERS + 1)

/* ---- layouts: functions of (curve, T, n) only */
uint32_t km_dkg_g2_size(const struct km_curve *c, unsigned commitments);
void km_dkg_g4_shape(const struct km_curve *c, unsigned n, struct km_shape *s);
uint32_t km_dkg_complaint_size(const struct km_curve *c, unsigned threshold, unsigned n);
/* Row of recipient j in dealer i's G4. */
unsigned km_dkg_g4_row(uint32_t receivers, unsigned i, unsigned j);
/* The same by what the sid fixes: of sender i, of a complaint about `accused`. */
int km_dkg_deals(const struct km_dkg_group *g, unsigned i);
int km_dkg_receives(const struct km_dkg_group *g, unsigned i);
uint32_t km_dkg_dealers(const struct km_dkg_group *g);
uint32_t km_dkg_receivers(const struct km_dkg_group *g);
uint8_t km_dkg_proto(const struct km_dkg_group *g);
uint32_t km_dkg_opening_size(const struct km_dkg_group *g, unsigned i);
void km_dkg_dealing_shape(const struct km_dkg_group *g, unsigned i, struct km_shape *s);
uint32_t km_dkg_complaint_about(const struct km_dkg_group *g, unsigned accused);

/* ---- openings (dkg_open.c) */
struct km_dkg_opening {                /* what a G2 says */
	unsigned commitments;          /* T; 0: of one who does not deal */
	struct km_point c[KM_DKG_COMMIT_MAX], e;
	uint8_t e_enc[KM_POINT_MAX];
};
/* Points only. KM_E_ENCODING. */
int km_dkg_opening_decode(const struct km_dkg_group *g, const struct km_msg *g2, struct km_dkg_opening *out) KM_MUST;
/* The whole check of an author's G1 and G2: KM_E_ENCODING (evidence E2), KM_E_VERIFY (E7), KM_OK. */
int km_dkg_opening_check(const struct km_dkg_group *g, const struct km_msg *g1, const struct km_msg *g2,
			 struct km_dkg_opening *out) KM_MUST;
/* h of a G2 body by author i (prev is not covered: the author has none yet). */
void km_dkg_commitment(const struct km_dkg_group *g, unsigned i, const uint8_t *g2_body, uint32_t len, uint8_t out[KM_HASH_SIZE]);
/* Prefix hash of a proof: bound to sid, role and author. */
void km_dkg_proof_hash(struct km_hash *h, const struct km_dkg_group *g, const char *role, unsigned i);
/* Fills a G2 body (prev left zero) from f and e. */
int km_dkg_g2_make(const struct km_dkg_group *g, unsigned i, const struct km_secret *coef, unsigned commitments,
		   const struct km_secret *e, struct km_rng *rng, uint8_t *body) KM_MUST;

/* X, and X_i of all members (by id), that the openings of all n participants add up to. */
int km_dkg_add_up(const struct km_dkg_group *g, const struct km_dkg_opening *open, unsigned n, uint32_t members, struct km_point *x,
		  struct km_point *xi) KM_MUST;

/* ---- shares in transit (dkg_open.c): dealer i, recipient j */
struct km_dkg_link {
	unsigned i, j;
	const struct km_dkg_opening *oi, *oj;
};
/* The encoded DH point d = e_i E_j = e_j E_i; as secret as the share until a complaint shows it. KM_E_IDENTITY for e = 0. */
int km_dkg_dh(const struct km_dkg_group *g, const struct km_secret *e, const struct km_point *other, struct km_point *d,
	      uint8_t *enc) KM_MUST;
void km_dkg_share_seal(const struct km_dkg_group *g, const struct km_dkg_link *l, const uint8_t *dh, const struct km_secret *f,
		       uint8_t *row);
/* Opens, decodes, and checks f G = sum_l j^l C_{i,l}. KM_E_VERIFY if the dealer did not deal what it committed to. */
int km_dkg_share_open(const struct km_dkg_group *g, const struct km_dkg_link *l, const uint8_t *dh, const uint8_t *row,
		      struct km_secret *f) KM_MUST;

/* ---- complaints (complaint.c) */
void km_dkg_complaint_hash(struct km_hash *h, const struct km_dkg_group *g, unsigned author, unsigned accused);
/* A header of this run at this place, signed by whom it names. */
int km_dkg_check_header(const struct km_dkg_group *g, const struct km_msg *m, unsigned round, unsigned sender) KM_MUST;
/* Is the envelope what it must be at this place: proto, sid, round, sender, all; signed by sender; body of this shape? */
int km_dkg_check_envelope(const struct km_dkg_group *g, const struct km_msg *m, unsigned round, unsigned sender,
			  const struct km_shape *shape) KM_MUST;
/* Cuts the two envelopes out of a complaint's body (exact size). KM_E_ENCODING. */
int km_dkg_complaint_split(const struct km_dkg_group *g, const struct km_msg *complaint, struct km_msg *g2,
			   struct km_msg *g4) KM_MUST;

struct km_ev_item;
/* Items of one of this protocol's kinds of evidence. */
int km_dkg_judge_items(const struct km_dkg_group *g, int kind, const struct km_ev_item *it, unsigned n, unsigned *culprit) KM_MUST;

/* ---- the state of a run */
struct km_dkg_secrets {                /* one arena block */
	struct km_secret coef[KM_DKG_COMMIT_MAX], e, x;
	struct km_rng rng;
};

struct km_dkg_state {
	const struct km_machine *m;
	struct km_dkg_group group;
	struct km_dkg_over *over;          /* of a reshare; group points to it */
	uint32_t members;                  /* of the table to be made */
	char name[KM_MAX_NAME + 1];
	uint64_t number;
	struct km_dkg_secrets *sec;        /* NULL once wiped */
	struct km_dkg_opening *open;       /* [n], by position in participants */
	uint8_t *g2, *g4, *g5;             /* own bodies, made by jobs; prev filled in when sent */
	uint32_t g5_len;
	uint32_t bad_encoding, bad_opening;/* authors of a bad G2 */
	uint32_t convicted;
	struct km_share *share;            /* arena */
	int taken, stored_sent, persisted;
};

/* NULL if the machine is none of a DKG or reshare. */
const struct km_dkg_state *km_dkg_state(const struct km_machine *m);
/* What a reshare from this table among these fixes: X_i^Q = lambda_{i,Q}(0) X_i of all dealers. */
int km_reshare_over(struct km_dkg_over *o, const struct km_table *old, uint32_t dealers, uint32_t receivers) KM_MUST;
/* State of a run of n participants; curve and T as in p. NULL: no memory. */
struct km_dkg_state *km_dkg_state_new(const struct km_machine_params *p, unsigned threshold);
void km_dkg_state_free(struct km_dkg_state *st);
/* Identities of a set of peers: keys, and no two alike. KM_E_ENCODING, KM_E_EXISTS. */
int km_dkg_check_identities(uint32_t set, const uint8_t (*idkeys)[KM_IDKEY_SIZE]) KM_MUST;

/* ---- the rounds up to STORED (dkg_rounds.c): operations of both machines */
#define KM_DKG_ROUND_MS 10000
int km_dkg_shape(const struct km_machine *m, unsigned round, unsigned sender, unsigned recipient, const uint8_t *body,
		 uint32_t body_len, struct km_shape *shape) KM_MUST;
int km_dkg_start(struct km_machine *m, struct km_outs *outs) KM_MUST;
int km_dkg_round_done(struct km_machine *m, unsigned round, struct km_outs *outs) KM_MUST;
int km_dkg_worked(struct km_machine *m, struct km_job *job, struct km_outs *outs) KM_MUST;
int km_dkg_persisted(struct km_machine *m, int token, struct km_outs *outs) KM_MUST;
int km_dkg_timeout(struct km_machine *m, unsigned round, uint32_t have, struct km_outs *outs) KM_MUST;
int km_dkg_split(struct km_machine *m, unsigned round, unsigned peer, struct km_outs *outs) KM_MUST;
void km_dkg_wipe(struct km_machine *m);
void km_dkg_destroy(struct km_machine *m);

/* ---- jobs (dkg_jobs.c): job->state is the km_dkg_state, job->what one of these */
enum { KM_DKG_JOB_DEAL = 1, KM_DKG_JOB_OPENINGS, KM_DKG_JOB_SHARES, KM_DKG_JOB_CHECK, KM_DKG_JOB_FINISH };
void km_dkg_job_deal(struct km_job *job);      /* f, e, G2 */
void km_dkg_job_openings(struct km_job *job);  /* all G2: open, bad_* */
void km_dkg_job_shares(struct km_job *job);    /* G4 */
void km_dkg_job_check(struct km_job *job);     /* all G4: x, G5 */
/* G5 becomes a complaint; d, dh as km_dkg_dh gave them: they leave here for everybody to open the one row. */
int km_dkg_make_complaint(struct km_dkg_state *st, unsigned accused, struct km_point *d, const uint8_t *dh) KM_MUST;
void km_dkg_job_finish(struct km_job *job);    /* share and table */

#endif
