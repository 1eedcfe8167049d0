/* evid.c: evidence of every kind, out of real runs. */
#include "evid.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/context.h"
#include "base/hash.h"
#include "dkg_help.h"
#include "proto/any_impl.h"
#include "proto/evidence_impl.h"
#include "proto/judge_presign.h"
#include "proto/ready.h"
#include "proto/request.h"

#define EVIL EVID_CULPRIT
#define WITNESS 1

enum how { XOR1, ONES };   /* one bit of one byte; a whole field of 0xff, which is neither scalar nor point */

struct recipe {
	const char *name;
	enum km_evidence_kind kind;
	unsigned engine;            /* 0: key generation */
	unsigned round;             /* on the wire */
	int secret;
	size_t at, len;             /* in the body */
	enum how how;
	unsigned wrong_round;       /* honest evidence: of which message, and ... */
	unsigned index;             /* ... of which index (batch: the proof of all V) */
};

#define BATCH 3
/* P-256, three participants, T = 2, quorums {1,2} {1,3} {2,3}; peer 3 is in indices 1 and 2. Engine any: {1, 3}. */
#define M3_HEAD (2 * 32 + 6 * 32)
#define C3_HEAD (32 + 33 + 32)
#define C3_Z (C3_HEAD + 4 * 33)

static const struct recipe presign[] = {
	{ "e2-majority-m1", KM_EV_ENCODING, KM_PRESIGN_MAJORITY, 1, 1, 0, 0, ONES, 1, 0 },
	{ "e2-majority-m3", KM_EV_ENCODING, KM_PRESIGN_MAJORITY, 3, 0, M3_HEAD, 32, ONES, 3, 0 },
	{ "e2-majority-c3", KM_EV_ENCODING, KM_PRESIGN_MAJORITY, 4, 0, C3_Z, 32, ONES, 4, 0 },
	{ "e2-majority-c4", KM_EV_ENCODING, KM_PRESIGN_MAJORITY, 7, 0, 32, 32, ONES, 7, 0 },
	{ "e3-majority-tuple", KM_EV_C3_PROOF, KM_PRESIGN_MAJORITY, 4, 0, C3_Z + 31, 1, XOR1, 4, 1 },
	{ "e3-majority-v", KM_EV_C3_PROOF, KM_PRESIGN_MAJORITY, 4, 0, C3_HEAD - 1, 1, XOR1, 4, BATCH },
	{ "e4-majority", KM_EV_EPSILON, KM_PRESIGN_MAJORITY, 7, 0, 63, 1, XOR1, 7, 1 },
	{ "e6-majority", KM_EV_LIST_ROOT, KM_PRESIGN_MAJORITY, 1, 1, 63, 1, XOR1, 1, 0 },
	{ "e7-majority", KM_EV_OPENING, KM_PRESIGN_MAJORITY, 3, 0, 32, 1, XOR1, 3, 0 },
	{ "e8-majority", KM_EV_OPENED, KM_PRESIGN_MAJORITY, 3, 0, M3_HEAD + 31, 1, XOR1, 0, 0 },
	{ "e2-any-y1", KM_EV_ENCODING, KM_PRESIGN_ANY, 1, 1, 0, 33, ONES, 1, 0 },
	{ "e2-any-y2", KM_EV_ENCODING, KM_PRESIGN_ANY, 2, 1, KM_OT_CHECK_SIZE, 32, ONES, 0, 0 },
	{ "e2-any-y3", KM_EV_ENCODING, KM_PRESIGN_ANY, 3, 1, 32, 32, ONES, 0, 0 },
	{ "e2-any-y4", KM_EV_ENCODING, KM_PRESIGN_ANY, 4, 0, 64, 32, ONES, 4, 0 },
	{ "e3-any-tuple", KM_EV_C3_PROOF, KM_PRESIGN_ANY, 5, 0, C3_Z + 31, 1, XOR1, 5, 0 },
	{ "e3-any-v", KM_EV_C3_PROOF, KM_PRESIGN_ANY, 5, 0, C3_HEAD - 1, 1, XOR1, 5, BATCH },
	{ "e4-any", KM_EV_EPSILON, KM_PRESIGN_ANY, 8, 0, 63, 1, XOR1, 8, 0 },
	{ "e7-any", KM_EV_OPENING, KM_PRESIGN_ANY, 4, 0, 32, 1, XOR1, 4, 0 },
	{ "e8-any", KM_EV_OPENED, KM_PRESIGN_ANY, 4, 0, 64 + 31, 1, XOR1, 0, 0 },
};
enum { E1_RUN, E1_READY, E1_RECORD, E5_SHARE, E5_NONCE, E5_REQUEST, SIGNED };
static const char *const signed_names[] = { "e1-run", "e1-ready", "e1-record", "e5-share", "e5-nonce", "e5-request" };
enum { DKG_EQUIVOCATION, DKG_ENCODING, DKG_OPENING, DKG_SHARE, DKG_COMPLAINT_FALSE, DKGS };
static const char *const dkg_names[] = { "e1-dkg", "e2-dkg", "e7-dkg", "e7b-dkg", "e9-dkg" };
#define PRESIGNS (sizeof(presign) / sizeof(presign[0]))

unsigned evid_count(void)
{
	return PRESIGNS + SIGNED + DKGS;
}

const char *evid_name(unsigned which)
{
	if (which < PRESIGNS)
		return presign[which].name;
	which -= PRESIGNS;
	return which < SIGNED ? signed_names[which] : dkg_names[which - SIGNED];
}

static void keep(struct evid *e, struct km_buf *b)
{
	KM_ASSERT(!b->err && !e->ev);
	e->ev = km_buf_take(b, &e->len);
	KM_ASSERT(e->ev);
}

/* ---- presign runs */

static const struct recipe *cheat;
static const struct km_machine_ops *honest_ops;
static uint64_t cheat_seed;
static int cheated;

static void spoil_body(uint8_t *raw, size_t len, const struct km_shape *shape)
{
	struct km_identity id;
	uint8_t *again;
	size_t n;

	for (size_t i = 0; i < cheat->len; i++)
		raw[KM_MSG_HEAD + cheat->at + i] = cheat->how == ONES ? 0xff : raw[KM_MSG_HEAD + cheat->at + i] ^ 1;
	net_identity(cheat_seed, EVIL, &id);
	again = net_resign(&id, raw, len, shape, &n);
	KM_ASSERT(n == len);
	memcpy(raw, again, len);
	free(again);
}

/* A private message is changed on its way to the witness. */
static enum net_verdict forge(void *ctx, uint8_t from, uint8_t to, uint8_t **raw, size_t *len)
{
	struct group *g = ctx;
	struct km_shape shape;

	/* afterwards it is silent: what it would say of the failed run is another matter (E8) */
	if (from == EVIL && (*raw)[3] > cheat->round && cheat->kind != KM_EV_OPENED)
		return NET_DROP;
	if (from != EVIL || !cheat->secret || !cheat->len || (*raw)[3] != cheat->round || (*raw)[5] != WITNESS || to != WITNESS)
		return NET_PASS;
	int err = km_presign_shape(g->m[from]->state, cheat->round, from, WITNESS, &shape);
	KM_ASSERT(!err);
	spoil_body(*raw, *len, &shape);
	return NET_PASS;
}

/* A broadcast in its author's own books, too: the same to all, and in its own view. */
static void forge_broadcast(struct km_machine *m, struct km_outs *outs)
{
	struct km_stored *st = &m->bcast[cheat->round][m->self];
	size_t len = KM_MSG_HEAD + (size_t)st->msg.body_len;
	struct km_shape shape;

	if (cheat->secret || cheated || !st->raw || !cheat->len)
		return;
	cheated = 1;
	int err = km_presign_shape(m->state, cheat->round, EVIL, 0, &shape);
	spoil_body(st->raw, len, &shape);
	if (!err)
		err = km_msg_parse(&st->msg, st->raw, len);
	KM_ASSERT(!err);
	for (struct km_out *out = outs->head; out; out = out->next)
		if (out->kind == KM_OUT_SEND && !out->peer && out->data[3] == cheat->round)
			memcpy(out->data, st->raw, len);
}

static int cheat_worked(struct km_machine *m, struct km_job *job, struct km_outs *outs)
{
	int err = honest_ops->worked(m, job, outs);

	forge_broadcast(m, outs);
	return err;
}

static int cheat_round_done(struct km_machine *m, unsigned round, struct km_outs *outs)
{
	int err = honest_ops->round_done(m, round, outs);

	forge_broadcast(m, outs);
	return err;
}

/* A dealing to the witness that is no scalar, and listed as it was sent. */
static int deal_worked(struct km_machine *m, struct km_job *job, struct km_outs *outs)
{
	struct km_presign *s = m->state;
	struct km_shape shape;

	if (job->what == KM_JOB_DEAL && s->deal && s->body) {
		int err = km_presign_shape(s, 1, EVIL, WITNESS, &shape);
		memset(s->deal + km_set_pos(m->participants, WITNESS) * km_shape_size(&shape) + shape.head, 0xff, 32);
		if (!err)
			err = km_msg_root(s->body, &shape, s->deal + km_set_pos(m->participants, WITNESS) * km_shape_size(&shape));
		KM_ASSERT(!err);
	}
	return honest_ops->worked(m, job, outs);
}

/* Sends a second, different M2 after the first. */
static enum net_verdict twice(void *ctx, uint8_t from, uint8_t to, uint8_t **raw, size_t *len)
{
	struct group *g = ctx;
	struct km_identity id;
	struct km_shape shape;
	uint8_t copy[KM_MSG_HEAD + 64], *again;
	size_t n;

	if (from != EVIL || to != WITNESS || (*raw)[3] != KM_PRESIGN_M2 || *len != sizeof(copy))
		return NET_PASS;
	memcpy(copy, *raw, *len);
	copy[KM_MSG_HEAD + 32] ^= 1;
	net_identity(g->d.seed, from, &id);
	int err = km_presign_shape(g->m[from]->state, KM_PRESIGN_M2, from, 0, &shape);
	KM_ASSERT(!err);
	again = net_resign(&id, copy, sizeof(copy), &shape, &n);
	net_tap(g->net, NULL, NULL);
	net_inject(g->net, from, to, again, n);
	free(again);
	return NET_PASS;
}

static void from_group(struct evid *e, const struct group *g)
{
	e->seed = g->d.seed;
	e->has_table = 1;
	e->table = g->d.table;
	memcpy(e->idkeys, g->d.table.idkeys, sizeof(e->idkeys));
}

/* What an accuser can put together of a run in which peer 3 did nothing wrong. */
static void accuse(struct group *g, const struct recipe *r, struct km_buf *b)
{
	struct km_presign *s = g->m[WITNESS]->state;
	struct km_out *out;
	struct km_outs outs;
	int err;

	km_outs_init(&outs);
	if (r->kind == KM_EV_ENCODING) {
		const struct km_msg *m = r->secret ? &g->m[WITNESS]->priv[r->round][EVIL].msg : &g->m[WITNESS]->bcast[r->round][EVIL].msg;
		struct km_shape shape;
		uint32_t leaf = 1;

		/* private ones are gone after PASS */
		if (!m->body)
			return;
		err = km_presign_shape(s, r->round, EVIL, m->recipient, &shape);
		KM_ASSERT(!err);
		km_evidence_begin(b, r->kind, g->d.table.hash, 1 + g->setup.n + 1);
		km_evidence_whole(b, &g->setup.propose);
		for (unsigned i = 0; i < g->setup.n; i++)
			km_evidence_whole(b, &g->setup.join[i]);
		km_evidence_rows(b, m, &shape, &leaf, 1);
		return;
	}
	if (r->secret || !r->wrong_round)
		return;
	err = km_presign_convict(s, EVIL, r->kind, r->wrong_round, r->index, &outs);
	KM_ASSERT(!err);
	out = km_outs_pop(&outs);
	group_wrap(g, out->data, out->len, b);
	km_out_free(out);
}

static void run_group(struct group *g, unsigned engine, uint64_t seed)
{
	if (engine == KM_PRESIGN_ANY)
		group_init_any(g, seed, 7, 5, BATCH);
	else
		group_init(g, seed, 7, 2, 7, BATCH, 0);
}

static void make_presign(struct evid *e, const struct recipe *r, uint64_t seed, int honest)
{
	struct km_machine_ops ops;
	struct group *g = calloc(1, sizeof(*g));
	struct km_buf b;

	KM_ASSERT(g);
	run_group(g, r->engine, seed);
	if (!honest) {
		cheat = r;
		cheat_seed = seed;
		cheated = 0;
		honest_ops = g->m[EVIL]->ops;
		ops = *honest_ops;
		ops.worked = r->len ? cheat_worked : deal_worked;
		ops.round_done = cheat_round_done;
		g->m[EVIL]->ops = &ops;
	}
	if (!honest)
		net_tap(g->net, forge, g);
	net_run(g->net, 1);
	km_buf_init(&b);
	if (honest) {
		KM_ASSERT(net_party(g->net, WITNESS)->done);
		accuse(g, r, &b);
	} else {
		struct net_party *p = net_party(g->net, WITNESS);

		/* who hears of the other's FAIL first checks no more */
		if (!p->convicted && r->engine == KM_PRESIGN_MAJORITY)
			p = net_party(g->net, 2);
		if (p->convicted != km_set_bit(EVIL) || p->evidence_kind != (int)r->kind)
			fprintf(stderr, "%s: convicted %x of kind %d, drop code %d\n", r->name, p->convicted, p->evidence_kind, p->drop_code);
		KM_ASSERT(p->convicted == km_set_bit(EVIL) && p->evidence_kind == (int)r->kind);
		group_wrap(g, p->evidence, p->evidence_len, &b);
	}
	if (b.len)
		keep(e, &b);
	km_buf_clear(&b);
	from_group(e, g);
	group_clear(g);
	free(g);
}

/* ---- what is signed after a run */

static void put_ready(struct km_buf *b, struct group *g, struct km_ready *ready, uint8_t *row)
{
	struct km_identity id;

	static uint8_t leaf[KM_HASH_SIZE];

	*ready = (struct km_ready){.leaf = leaf};
	memcpy(ready->table, g->d.table.hash, KM_HASH_SIZE);
	km_ready_set(ready->held, 1);
	km_ready_row_put(group_presig(g, EVIL, 1), EVIL, row);
	km_merkle_leaf(row, km_ready_row_size(g->d.curve), leaf);
	net_identity(g->d.seed, EVIL, &id);
	int err = km_ready_build(b, EVIL, g->setup.sid, ready, &id);
	KM_ASSERT(!err);
}

static void put_record(struct km_buf *b, struct group *g, const struct km_record_body *rec, unsigned to)
{
	struct km_identity id;

	net_identity(g->d.seed, EVIL, &id);
	int err = km_record_build(b, EVIL, (uint8_t)to, g->d.curve, rec, &id);
	KM_ASSERT(!err);
}

static void parsed(struct km_msg *m, const struct km_buf *b)
{
	int err = km_msg_parse(m, b->data, b->len);

	KM_ASSERT(!err);
}

struct answer {
	struct km_req req;
	struct km_record_body rec;
	struct km_sign_input in;
	struct km_sign_nonce nonce;
};

/* Peer 3 is asked to sign by index 1, whose members are 1 and 3. */
static void answer(struct group *g, struct answer *a)
{
	static const char text[] = "to be signed";
	struct km_scalar share[KM_MAX_PEERS];

	a->req = (struct km_req){ .version = KM_REQ_VERSION, .frontend = 1, .context = KM_CTX_TLS13_SERVER, .time_ms = 1700000001000,
				  .data = (const uint8_t *)text, .len = sizeof(text) - 1 };
	memcpy(a->req.key_id, g->d.table.key_id, KM_HASH_SIZE);
	a->in.context = a->req.context;
	km_req_id(&a->req, a->in.request_id);
	int err = km_req_scalar(g->d.curve, a->req.context, a->req.data, a->req.len, &a->in.m);
	if (!err)
		err = group_shares(g, 1, &a->in, &a->nonce, share);
	KM_ASSERT(!err);
	memcpy(a->rec.presig_id, group_presig(g, EVIL, 1)->id, KM_HASH_SIZE);
	memcpy(a->rec.request_id, a->in.request_id, KM_HASH_SIZE);
	a->rec.context = a->in.context;
	a->rec.m = a->in.m;
	a->rec.rr = a->nonce.rr;
	a->rec.s = share[1];
}

static void spoil(struct group *g, unsigned which, struct answer *a)
{
	struct km_scalar one;

	km_scalar_set_u32(&one, 1);
	if (which == E5_SHARE)
		km_scalar_add(g->d.curve, &a->rec.s, &a->rec.s, &one);
	else if (which == E5_NONCE)
		km_point_add(g->d.curve, &a->rec.rr, &a->rec.rr, &a->rec.rr);
	else if (which == E5_REQUEST)
		km_scalar_add(g->d.curve, &a->rec.m, &a->rec.m, &one);
}

static void make_record(struct evid *e, struct group *g, unsigned which, int honest)
{
	uint8_t row[KM_READY_ROW_MAX];
	struct km_buf ready_b, rec_b, req_b, b;
	struct km_msg ready_m, rec_m;
	struct km_ready ready;
	struct answer a;

	memset(&a, 0, sizeof(a));
	km_buf_init(&ready_b);
	km_buf_init(&rec_b);
	km_buf_init(&req_b);
	km_buf_init(&b);
	put_ready(&ready_b, g, &ready, row);
	answer(g, &a);
	if (!honest)
		spoil(g, which, &a);
	put_record(&rec_b, g, &a.rec, WITNESS);
	km_req_put(&req_b, &a.req);
	parsed(&ready_m, &ready_b);
	parsed(&rec_m, &rec_b);
	km_evidence_begin(&b, KM_EV_RECORD, g->d.table.hash, 4);
	km_evidence_whole(&b, &rec_m);
	km_evidence_whole(&b, &ready_m);
	km_evidence_bytes(&b, row, km_ready_row_size(g->d.curve));
	km_evidence_bytes(&b, req_b.data, req_b.len);
	keep(e, &b);
	km_buf_clear(&ready_b);
	km_buf_clear(&rec_b);
	km_buf_clear(&req_b);
}

/* Two headers; honest: twice the same message, or one asked for by two owners. */
static void make_twice(struct evid *e, struct group *g, unsigned which, int honest)
{
	uint8_t row[KM_READY_ROW_MAX];
	struct km_buf one, two, b;
	struct km_msg ma, mb;
	struct km_ready ready;
	struct km_identity id;
	struct answer a;

	memset(&a, 0, sizeof(a));
	km_buf_init(&one);
	km_buf_init(&two);
	km_buf_init(&b);
	if (which == E1_READY) {
		put_ready(&one, g, &ready, row);
		ready.table[0] ^= honest ? 0 : 1;
		net_identity(g->d.seed, EVIL, &id);
		int err = km_ready_build(&two, EVIL, g->setup.sid, &ready, &id);
		KM_ASSERT(!err);
	} else {
		answer(g, &a);
		put_record(&one, g, &a.rec, WITNESS);
		if (!honest)
			a.rec.request_id[0] ^= 1;
		put_record(&two, g, &a.rec, 2);
	}
	parsed(&ma, &one);
	parsed(&mb, &two);
	km_evidence_begin(&b, KM_EV_EQUIVOCATION, g->d.table.hash, 2);
	km_evidence_header(&b, &ma);
	km_evidence_header(&b, &mb);
	keep(e, &b);
	km_buf_clear(&one);
	km_buf_clear(&two);
}

static void make_signed(struct evid *e, unsigned which, uint64_t seed, int honest)
{
	struct group *g = calloc(1, sizeof(*g));
	struct km_buf b;

	KM_ASSERT(g);
	run_group(g, KM_PRESIGN_MAJORITY, seed);
	if (which == E1_RUN && !honest)
		net_tap(g->net, twice, g);
	net_run(g->net, 1);
	from_group(e, g);
	if (which != E1_RUN) {
		group_take(g);
		if (which < E5_SHARE)
			make_twice(e, g, which, honest);
		else
			make_record(e, g, which, honest);
	} else {
		struct net_party *p = net_party(g->net, WITNESS);

		km_buf_init(&b);
		if (honest) {
			/* two messages of different rounds */
			km_evidence_begin(&b, KM_EV_EQUIVOCATION, g->d.table.hash, 2);
			km_evidence_header(&b, &g->m[WITNESS]->bcast[2][EVIL].msg);
			km_evidence_header(&b, &g->m[WITNESS]->bcast[3][EVIL].msg);
		} else {
			KM_ASSERT(p->evidence_kind == KM_EV_EQUIVOCATION);
			group_wrap(g, p->evidence, p->evidence_len, &b);
		}
		keep(e, &b);
	}
	group_clear(g);
	free(g);
}

/* ---- key generations */

static void bad_share(struct km_machine *m, struct km_dkg_state *st, unsigned job)
{
	(void)m;
	if (job == KM_DKG_JOB_SHARES)
		st->g4[KM_HASH_SIZE + 3] ^= 1;
}

static void false_complaint(struct km_machine *m, struct km_dkg_state *st, unsigned job)
{
	uint8_t dh[KM_POINT_MAX];
	struct km_point d;

	(void)m;
	if (job != KM_DKG_JOB_CHECK)
		return;
	int err = km_dkg_dh(&st->group, &st->sec->e, &st->open[0].e, &d, dh);
	if (!err)
		err = km_dkg_make_complaint(st, 1, &d, dh);
	KM_ASSERT(!err);
}

static void bad_proof(struct km_machine *m, struct km_dkg_state *st, unsigned job)
{
	if (job == KM_DKG_JOB_DEAL)
		st->g2[KM_HASH_SIZE + 2 * km_curve_point_size(m->curve) + km_dlog_size(m->curve) - 1] ^= 1;
}

static void bad_point(struct km_machine *m, struct km_dkg_state *st, unsigned job)
{
	(void)m;
	if (job == KM_DKG_JOB_DEAL)
		st->g2[KM_HASH_SIZE] = 0;
}

static void wrap_dkg(const struct dkg *d, const uint8_t *p, size_t n, struct km_buf *b)
{
	int err = km_evidence_wrap(b, p, n, d->roster, &d->setup.propose, d->setup.join, d->setup.n);

	KM_ASSERT(!err);
}

/* Of an honest run: G1 and G2 of peer 3 as if they did not fit; two rounds as if they were one. A complaint there is none. */
static void accuse_dkg(const struct dkg *d, unsigned which, struct km_buf *b)
{
	const struct km_msg *g1 = &d->m[WITNESS]->bcast[KM_DKG_G1][EVIL].msg, *g2 = &d->m[WITNESS]->bcast[KM_DKG_G2][EVIL].msg;
	struct km_buf items;

	if (which >= DKG_SHARE)
		return;
	km_buf_init(&items);
	km_evidence_items_begin(&items, which == DKG_EQUIVOCATION ? KM_EV_EQUIVOCATION : which == DKG_ENCODING ? KM_EV_ENCODING : KM_EV_OPENING, 2);
	if (which == DKG_EQUIVOCATION) {
		km_evidence_header(&items, g1);
		km_evidence_header(&items, g2);
	} else {
		km_evidence_whole(&items, g1);
		km_evidence_whole(&items, g2);
	}
	KM_ASSERT(!items.err);
	wrap_dkg(d, items.data, items.len, b);
	km_buf_clear(&items);
}

static void equivocate(const struct dkg *d, struct km_buf *b)
{
	const struct km_msg *m = &d->m[WITNESS]->bcast[KM_DKG_G1][EVIL].msg;
	struct km_shape shape = { .head = KM_HASH_SIZE };
	uint8_t raw[KM_MSG_HEAD + KM_HASH_SIZE], *again;
	struct km_identity id;
	struct km_msg other;
	struct km_buf items;
	size_t n;

	memcpy(raw, m->raw, sizeof(raw));
	raw[KM_MSG_HEAD] ^= 1;
	net_identity(d->seed, EVIL, &id);
	again = net_resign(&id, raw, sizeof(raw), &shape, &n);
	int err = km_msg_parse(&other, again, n);
	KM_ASSERT(!err);
	km_buf_init(&items);
	km_evidence_items_begin(&items, KM_EV_EQUIVOCATION, 2);
	km_evidence_header(&items, m);
	km_evidence_header(&items, &other);
	wrap_dkg(d, items.data, items.len, b);
	km_buf_clear(&items);
	free(again);
}

static void make_dkg(struct evid *e, unsigned which, uint64_t seed, int honest)
{
	static const dkg_evil_fn evil[] = { NULL, bad_point, bad_proof, bad_share, false_complaint };
	struct dkg *d = calloc(1, sizeof(*d));
	struct km_buf b;

	KM_ASSERT(d);
	dkg_init(d, seed, 7, 2);
	if (!honest && evil[which])
		dkg_corrupt(d, EVIL, evil[which], NULL);
	dkg_run(d, 0);
	km_buf_init(&b);
	if (honest) {
		accuse_dkg(d, which, &b);
	} else if (which == DKG_EQUIVOCATION) {
		equivocate(d, &b);
	} else {
		struct net_party *p = dkg_party(d, WITNESS);

		KM_ASSERT(p->convicted == km_set_bit(EVIL));
		wrap_dkg(d, p->evidence, p->evidence_len, &b);
	}
	if (b.len)
		keep(e, &b);
	km_buf_clear(&b);
	e->seed = seed;
	memcpy(e->idkeys, d->keys, sizeof(e->idkeys));
	memcpy(e->roster, d->roster, sizeof(e->roster));
	dkg_clear(d);
	free(d);
}

/* ---- all of them */

void evid_make(struct evid *e, unsigned which, int honest)
{
	static const enum km_evidence_kind signed_kinds[] = { KM_EV_EQUIVOCATION, KM_EV_EQUIVOCATION, KM_EV_EQUIVOCATION,
							      KM_EV_RECORD, KM_EV_RECORD, KM_EV_RECORD };
	static const enum km_evidence_kind dkg_kinds[] = { KM_EV_EQUIVOCATION, KM_EV_ENCODING, KM_EV_OPENING, KM_EV_COMPLAINT,
							   KM_EV_FALSE_COMPLAINT };
	uint64_t seed = 900 + which;

	memset(e, 0, sizeof(*e));
	e->name = evid_name(which);
	if (which < PRESIGNS) {
		e->kind = presign[which].kind;
		make_presign(e, &presign[which], seed, honest);
	} else if (which < PRESIGNS + SIGNED) {
		e->kind = signed_kinds[which - PRESIGNS];
		make_signed(e, which - PRESIGNS, seed, honest);
	} else {
		e->kind = dkg_kinds[which - PRESIGNS - SIGNED];
		make_dkg(e, which - PRESIGNS - SIGNED, seed, honest);
	}
	KM_ASSERT(honest || e->ev);
}

void evid_clear(struct evid *e)
{
	free(e->ev);
	memset(e, 0, sizeof(*e));
}

void evid_judge(const struct evid *e, const uint8_t *ev, size_t len, struct km_verdict *v)
{
	struct km_judge j = { .idkeys = e->idkeys, .table = e->has_table ? &e->table : NULL, .roster = e->has_table ? NULL : e->roster };
	int err = km_evidence_judge(ev, len, &j, v);

	KM_ASSERT(!err);
}

unsigned evid_items(const uint8_t *ev, size_t len, size_t *at, unsigned max)
{
	struct km_ev e;
	size_t pos = KM_EVIDENCE_HEAD;
	unsigned n = 1;

	at[0] = 0;
	at[1] = pos;
	if (km_ev_read(&e, ev, len))
		return 0;
	for (unsigned i = 0; i < e.count && n + 1 < max; i++) {
		const struct km_ev_item *it = &e.item[i];

		switch (it->form) {
		case KM_FORM_HEADER:
			pos += 1 + KM_MSG_HEAD;
			break;
		case KM_FORM_WHOLE:
			pos += 1 + KM_MSG_HEAD + (size_t)it->msg.body_len;
			break;
		case KM_FORM_ROWS:
			pos += 1 + KM_MSG_HEAD + 2 + it->len;
			break;
		case KM_FORM_DIGESTS:
			pos += 1 + 2 + it->len;
			break;
		case KM_FORM_BYTES:
			pos += 1 + 4 + it->len;
			break;
		}
		at[++n] = pos;
	}
	KM_ASSERT(n + 1 >= max || pos == len);
	km_ev_clear(&e);
	return n;
}

void evid_file(const struct evid *e, struct km_buf *out)
{
	struct km_evidence_peer peer[KM_MAX_PEERS];
	unsigned n = 0;

	memset(peer, 0, sizeof(peer));
	for (unsigned i = 1; i <= 3; i++) {
		peer[n].id = (uint8_t)i;
		net_channel(e->seed, (uint8_t)i, peer[n].channel);
		memcpy(peer[n++].identity, e->idkeys[i], KM_IDKEY_SIZE);
	}
	int err = km_evidence_file_put(out, e->ev, e->len, e->has_table ? &e->table : NULL, peer, n);
	KM_ASSERT(!err);
}
