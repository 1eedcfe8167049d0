/* dkg_rounds.c: the rounds up to STORED of a run in which shares are dealt, a key generation or a reshare: what is sent when, what ends
 * the run, what is wiped (protocol 1 and 5, messages 8 and 9). A round's computation is a job on the state; between jobs the handlers
 * only fill in prev and send. */
#include "dkg_impl.h"
#include "evidence.h"

#include <stdlib.h>
#include <string.h>
#include "../base/hash.h"
#include "../base/rules.h"
#include "../base/secret.h"
#include "../base/sig.h"

static struct km_dkg_state *state_of(const struct km_machine *m)
{
	return m->state;
}

/* Polynomial, e, and what expands to them. Before the end of the run this also takes x; after it x is in the share. */
static void wipe_secrets(struct km_machine *m)
{
	struct km_dkg_state *st = state_of(m);

	km_secret_free(st->sec);
	st->sec = NULL;
	km_machine_wipe_seed(m);
}

/* The end of a run without a key. */
void km_dkg_wipe(struct km_machine *m)
{
	struct km_dkg_state *st = state_of(m);

	wipe_secrets(m);
	/* once STORED was sent, the share is on disk and may still become usable */
	km_secret_free(st->share);
	st->share = NULL;
}

/* ---- shapes */

int km_dkg_shape(const struct km_machine *m, unsigned round, unsigned sender, unsigned recipient, const uint8_t *body,
		 uint32_t body_len, struct km_shape *shape)
{
	const struct km_dkg_state *st = state_of(m);
	unsigned count = st->group.threshold;

	*shape = (struct km_shape){ .head = KM_HASH_SIZE };
	switch (round) {
	case KM_DKG_G1:
	case KM_DKG_G3:
		return KM_OK;
	case KM_DKG_G2:
		/* WHY exactly T: one more raises the threshold so that no quorum can sign, one less lowers it (attack B11) */
		if (!KM_RULE(km_rule_commit_count))
			for (count = KM_DKG_COMMIT_MAX; count > 1 && km_dkg_g2_size(m->curve, count) != body_len; count--)
				;
		shape->head = km_dkg_deals(&st->group, sender) ? km_dkg_g2_size(m->curve, count) : km_dkg_opening_size(&st->group, sender);
		return KM_OK;
	case KM_DKG_G4:
		km_dkg_dealing_shape(&st->group, sender, shape);
		return KM_OK;
	case KM_DKG_G5:
		if (body_len <= KM_HASH_SIZE)
			return KM_E_ENCODING;
		shape->head = KM_HASH_SIZE + 1;
		if (body[KM_HASH_SIZE] == KM_DKG_COMPLAINT)
			shape->head = km_dkg_complaint_about(&st->group, body_len > KM_HASH_SIZE + 1 ? body[KM_HASH_SIZE + 1] : 0);
		else if (body[KM_HASH_SIZE] != KM_DKG_ACK)
			return KM_E_ENCODING;
		return KM_OK;
	case KM_DKG_G6:
		shape->head = KM_DKG_STORED;
		return KM_OK;
	}
	return KM_E_ENCODING;
}

/* ---- sending */

static int send_body(struct km_machine *m, unsigned round, const struct km_shape *shape, uint8_t *body, struct km_outs *outs)
{
	memcpy(body, km_machine_prev(m, round), KM_HASH_SIZE);
	return km_machine_send(m, round, 0, shape, body, outs);
}

static int send_commit(struct km_machine *m, struct km_outs *outs)
{
	struct km_dkg_state *st = state_of(m);
	struct km_shape shape = { .head = KM_HASH_SIZE };
	uint8_t h[KM_HASH_SIZE];

	km_dkg_commitment(&st->group, m->self, st->g2, km_dkg_opening_size(&st->group, m->self), h);
	return km_machine_send(m, KM_DKG_G1, 0, &shape, h, outs);
}

static int send_echo(struct km_machine *m, struct km_outs *outs)
{
	struct km_shape shape = { .head = KM_HASH_SIZE };
	uint8_t prev[KM_HASH_SIZE];

	return send_body(m, KM_DKG_G3, &shape, prev, outs);
}

static void stored_body(struct km_machine *m, uint8_t body[KM_DKG_STORED])
{
	struct km_epoch e;

	km_epoch_of(&e, &state_of(m)->share->table);
	km_stored_put(body, km_machine_prev(m, KM_DKG_G6), &e);
}

/* What is said is what was made durable: Ed25519 is deterministic. */
static int say_stored(struct km_machine *m, struct km_outs *outs)
{
	struct km_dkg_state *st = state_of(m);
	struct km_shape shape = { .head = KM_DKG_STORED };
	uint8_t body[KM_DKG_STORED];

	st->stored_sent = 1;
	/* STORED of a reshare belongs to its candidate, not to the run: it may come long after */
	if (st->over)
		return km_outs_add(outs, KM_OUT_SEND, 0, 0, st->share->stored, st->share->stored_len);
	stored_body(m, body);
	int err = km_machine_send(m, KM_DKG_G6, 0, &shape, body, outs);
	if (!err)
		KM_ASSERT(memcmp(m->bcast[KM_DKG_G6][m->self].raw, st->share->stored, st->share->stored_len) == 0);
	return err;
}

/* Signs STORED and asks for the share to be durable with it. WHY signed before: after a crash the same bytes go out again. */
static int persist_share(struct km_machine *m, struct km_outs *outs)
{
	struct km_dkg_state *st = state_of(m);
	struct km_shape shape = { .head = KM_DKG_STORED };
	uint8_t body[KM_DKG_STORED], *mem;
	struct km_buf b;

	stored_body(m, body);
	km_buf_init_fixed(&b, st->share->stored, sizeof(st->share->stored));
	int err = km_msg_build(&b, m->ops->proto, KM_DKG_G6, m->self, 0, m->sid, &shape, body, &m->id);
	if (err)
		return err;
	st->share->stored_len = b.len;
	mem = km_secret_alloc(KM_SHARE_ENC_MAX);
	if (!mem)
		return KM_E_NOMEM;
	km_buf_init_fixed(&b, mem, KM_SHARE_ENC_MAX);
	err = km_share_encode(st->share, &b);
	/* WHY not now but when it is PERSISTED: the others use the key then, and a crash would leave it a share short (attack B10) */
	if (!err && !KM_RULE(km_rule_stored_durable))
		err = say_stored(m, outs);
	if (!err)
		err = km_machine_persist(m, KM_DKG_TOKEN_STORED, b.data, b.len, outs);
	km_secret_free(mem);
	return err;
}

int km_dkg_persisted(struct km_machine *m, int token, struct km_outs *outs)
{
	struct km_dkg_state *st = state_of(m);
	int err = KM_OK;

	if (token != KM_DKG_TOKEN_STORED || !st->share || !st->share->stored_len || st->persisted)
		return KM_OK;
	st->persisted = 1;
	if (!st->stored_sent)
		err = say_stored(m, outs);
	return !err && st->over ? km_machine_done(m, outs) : err;
}

/* ---- misbehaviour */

static int convict(struct km_machine *m, unsigned peer, enum km_evidence_kind kind, const struct km_msg *const *msgs, size_t n,
		   struct km_outs *outs)
{
	struct km_dkg_state *st = state_of(m);

	if (km_set_has(st->convicted, peer))
		return KM_OK;
	st->convicted |= km_set_bit(peer);
	return km_machine_convict(m, peer, kind, msgs, n, outs);
}

/* The embedded envelope is another than the one this peer got from the same author at the same place: E1. */
static int convict_if_split(struct km_machine *m, const struct km_msg *shown, struct km_outs *outs)
{
	struct km_dkg_state *st = state_of(m);
	const struct km_stored *held = km_machine_find(m, shown->round, shown->sender);

	if (!held || memcmp(shown->sid, m->sid, KM_HASH_SIZE) != 0 || shown->proto != m->ops->proto || shown->recipient != 0 ||
	    memcmp(held->msg.digest, shown->digest, KM_HASH_SIZE) == 0 ||
	    km_msg_verify_sig(shown, st->group.idkeys[shown->sender]) != KM_OK)
		return KM_OK;
	const struct km_msg *pair[2] = { &held->msg, shown };
	return convict(m, shown->sender, KM_EV_EQUIVOCATION, pair, 2, outs);
}

/* The complaint, the view it was judged in, and what its author had opened: nothing more decides it. */
static int convict_by_complaint(struct km_machine *m, unsigned author, enum km_dkg_verdict verdict, const struct km_dkg_view *view,
				struct km_outs *outs)
{
	const struct km_msg *complaint = &m->bcast[KM_DKG_G5][author].msg;
	unsigned peer = verdict == KM_DKG_DEALER ? complaint->body[KM_HASH_SIZE + 1] : author;
	enum km_evidence_kind kind = verdict == KM_DKG_DEALER ? KM_EV_COMPLAINT : KM_EV_FALSE_COMPLAINT;
	uint8_t digests[KM_DKG_VIEW_ROUNDS * KM_MAX_PEERS][KM_HASH_SIZE];
	struct km_dkg_state *st = state_of(m);
	struct km_buf b;

	if (km_set_has(st->convicted, peer))
		return KM_OK;
	st->convicted |= km_set_bit(peer);
	for (unsigned r = 0; r < KM_DKG_VIEW_ROUNDS; r++)
		memcpy(digests[r * m->n], view->digest[r], (size_t)m->n * KM_HASH_SIZE);
	km_buf_init(&b);
	km_evidence_items_begin(&b, kind, 3);
	km_evidence_whole(&b, complaint);
	km_evidence_digests(&b, (const uint8_t(*)[KM_HASH_SIZE])digests, KM_DKG_VIEW_ROUNDS * m->n);
	km_evidence_whole(&b, &m->bcast[KM_DKG_G2][author].msg);
	int err = km_machine_convict_items(m, peer, kind, &b, outs);
	km_buf_clear(&b);
	return err;
}

static int judge_one(struct km_machine *m, unsigned author, const struct km_dkg_view *view, struct km_outs *outs)
{
	struct km_dkg_state *st = state_of(m);
	const struct km_msg *complaint = &m->bcast[KM_DKG_G5][author].msg;
	enum km_dkg_verdict verdict;
	struct km_msg g2, g4;
	int err;

	if (km_dkg_complaint_split(&st->group, complaint, &g2, &g4) == KM_OK) {
		err = convict_if_split(m, &g2, outs);
		if (!err)
			err = convict_if_split(m, &g4, outs);
		if (err)
			return err;
	}
	err = km_dkg_judge_complaint(&st->group, complaint, &m->bcast[KM_DKG_G2][author].msg, view, &verdict);
	if (err || verdict == KM_DKG_VOID)
		return err;
	return convict_by_complaint(m, author, verdict, view, outs);
}

/* All complaints that are in. *any: there was one. */
static int judge_complaints(struct km_machine *m, int *any, struct km_outs *outs)
{
	struct km_dkg_view *view = calloc(1, sizeof(*view));
	int err = KM_OK;

	*any = 0;
	if (!view)
		return KM_E_NOMEM;
	for (unsigned r = KM_DKG_G1; r <= KM_DKG_VIEW_ROUNDS; r++) {
		unsigned pos = 0;
		for (unsigned i = km_set_next(m->participants, 0); i; i = km_set_next(m->participants, i))
			memcpy(view->digest[r - 1][pos++], m->bcast[r][i].msg.digest, KM_HASH_SIZE);
	}
	for (unsigned i = km_set_next(m->participants, 0); !err && i; i = km_set_next(m->participants, i)) {
		const struct km_stored *s = &m->bcast[KM_DKG_G5][i];
		if (!s->raw || s->msg.body[KM_HASH_SIZE] != KM_DKG_COMPLAINT)
			continue;
		*any = 1;
		err = judge_one(m, i, view, outs);
	}
	free(view);
	return err;
}

static int openings_judged(struct km_machine *m, struct km_outs *outs)
{
	struct km_dkg_state *st = state_of(m);
	uint32_t bad = st->bad_encoding | st->bad_opening;

	if (!bad)
		return send_echo(m, outs);
	for (unsigned i = km_set_next(bad, 0); i; i = km_set_next(bad, i)) {
		const struct km_msg *pair[2] = { &m->bcast[KM_DKG_G1][i].msg, &m->bcast[KM_DKG_G2][i].msg };
		enum km_evidence_kind kind = km_set_has(st->bad_encoding, i) ? KM_EV_ENCODING : KM_EV_OPENING;

		int err = convict(m, i, kind, pair, 2, outs);
		if (err)
			return err;
	}
	return km_machine_drop(m, KM_E_VERIFY, 0, outs);
}

/* ---- the rounds */

int km_dkg_start(struct km_machine *m, struct km_outs *outs)
{
	struct km_dkg_state *st = state_of(m);
	uint8_t seed[KM_SEED_SIZE];

	/* jobs draw from a stream of their own: the machine's is not theirs to touch */
	km_rng_bytes(&m->rng, seed, sizeof(seed));
	km_rng_init(&st->sec->rng, seed, "dkg", NULL, 0);
	km_wipe(seed, sizeof(seed));
	return km_machine_job(m, KM_DKG_JOB_DEAL, km_dkg_job_deal, outs);
}

/* All ACK: the share. A complaint: judged, and the run is over either way. */
static int acks_in(struct km_machine *m, struct km_outs *outs)
{
	struct km_dkg_state *st = state_of(m);
	int any;

	int err = judge_complaints(m, &any, outs);
	if (err)
		return err;
	if (any)
		return km_machine_drop(m, KM_E_VERIFY, 0, outs);
	st->share = km_secret_alloc(sizeof(*st->share));
	return st->share ? km_machine_job(m, KM_DKG_JOB_FINISH, km_dkg_job_finish, outs) : KM_E_NOMEM;
}

int km_dkg_round_done(struct km_machine *m, unsigned round, struct km_outs *outs)
{
	struct km_dkg_state *st = state_of(m);
	struct km_shape shape = { .head = km_dkg_opening_size(&st->group, m->self) };

	switch (round) {
	case KM_DKG_G1:
		return send_body(m, KM_DKG_G2, &shape, st->g2, outs);
	case KM_DKG_G2:
		return km_machine_job(m, KM_DKG_JOB_OPENINGS, km_dkg_job_openings, outs);
	case KM_DKG_G3:
		return km_machine_job(m, KM_DKG_JOB_SHARES, km_dkg_job_shares, outs);
	case KM_DKG_G4:
		return km_machine_job(m, KM_DKG_JOB_CHECK, km_dkg_job_check, outs);
	default:
		return acks_in(m, outs);
	}
}

int km_dkg_worked(struct km_machine *m, struct km_job *job, struct km_outs *outs)
{
	struct km_dkg_state *st = state_of(m);
	struct km_shape shape;

	/* only chance makes an identity here (2^-256), and nobody is to blame for it */
	if (job->err)
		return km_machine_drop(m, job->err == KM_E_IDENTITY ? KM_E_DEGENERATE : job->err, 0, outs);
	switch (job->what) {
	case KM_DKG_JOB_DEAL:
		return send_commit(m, outs);
	case KM_DKG_JOB_OPENINGS:
		return openings_judged(m, outs);
	case KM_DKG_JOB_SHARES:
		km_dkg_dealing_shape(&st->group, m->self, &shape);
		return send_body(m, KM_DKG_G4, &shape, st->g4, outs);
	case KM_DKG_JOB_CHECK:
		shape = (struct km_shape){ .head = st->g5_len };
		return send_body(m, KM_DKG_G5, &shape, st->g5, outs);
	default:
		/* own ACK and G4 are out and all ACKs are in: nobody can ask for f_i or e_i any more */
		wipe_secrets(m);
		return km_dkg_receives(&st->group, m->self) ? persist_share(m, outs) : km_machine_done(m, outs);
	}
}

/* What is in can still prove something, though the round is not complete or not of one view. */
static int end_early(struct km_machine *m, unsigned round, int code, uint32_t waited_for, struct km_outs *outs)
{
	int any = 0;

	if (round == KM_DKG_G5) {
		int err = judge_complaints(m, &any, outs);
		if (err)
			return err;
	}
	return km_machine_drop(m, any ? KM_E_VERIFY : code, waited_for, outs);
}

int km_dkg_timeout(struct km_machine *m, unsigned round, uint32_t have, struct km_outs *outs)
{
	return end_early(m, round, KM_E_DEADLINE, m->participants & ~have, outs);
}

int km_dkg_split(struct km_machine *m, unsigned round, unsigned peer, struct km_outs *outs)
{
	return end_early(m, round, KM_E_MISMATCH, 0, outs);
}

/* ---- the state */

void km_dkg_state_free(struct km_dkg_state *st)
{
	if (!st)
		return;
	km_secret_free(st->sec);
	km_secret_free(st->share);
	free(st->over);
	free(st->open);
	free(st->g2);
	free(st->g4);
	free(st->g5);
	free(st);
}

void km_dkg_destroy(struct km_machine *m)
{
	km_dkg_state_free(state_of(m));
	m->state = NULL;
}

const struct km_dkg_state *km_dkg_state(const struct km_machine *m)
{
	return m->ops->destroy == km_dkg_destroy ? state_of(m) : NULL;
}

struct km_dkg_state *km_dkg_state_new(const struct km_machine_params *p, unsigned threshold)
{
	unsigned n = km_set_size(p->participants);
	struct km_dkg_state *st = calloc(1, sizeof(*st));
	struct km_shape g4;

	if (!st)
		return NULL;
	/* the largest of each: of a dealer, with a row for every other participant */
	km_dkg_g4_shape(p->curve, n + 1, &g4);
	st->sec = km_secret_alloc(sizeof(*st->sec));
	st->open = calloc(n, sizeof(*st->open));
	st->g2 = calloc(1, km_dkg_g2_size(p->curve, threshold));
	st->g4 = calloc(1, (size_t)km_shape_size(&g4));
	st->g5 = calloc(1, km_dkg_complaint_size(p->curve, threshold, n + 1));
	if (!st->sec || !st->open || !st->g2 || !st->g4 || !st->g5) {
		km_dkg_state_free(st);
		return NULL;
	}
	return st;
}

int km_dkg_check_identities(uint32_t set, const uint8_t (*idkeys)[KM_IDKEY_SIZE])
{
	for (unsigned i = km_set_next(set, 0); i; i = km_set_next(set, i)) {
		if (km_ed25519_check_key(idkeys[i]) != KM_OK)
			return KM_E_ENCODING;
		/* WHY: one identity behind two ids would hold two shares of T (attack B13) */
		for (unsigned j = km_set_next(set, i); j; j = km_set_next(set, j))
			if (KM_RULE(km_rule_distinct_ids) && memcmp(idkeys[i], idkeys[j], KM_IDKEY_SIZE) == 0)
				return KM_E_EXISTS;
	}
	return KM_OK;
}
