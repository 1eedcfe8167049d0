/* test_presign.c: presign runs among honest peers, and with single faults. */
#include <stdio.h>
#include <stdlib.h>
#include "../lib/test.h"
#include "../lib/dealer.h"
#include "base/secret.h"
#include "proto/presign_impl.h"

#define SET(n) ((uint32_t)(((uint64_t)1 << (n)) - 1))

static void assert_all_done(struct group *g)
{
	for (unsigned i = km_set_next(g->participants, 0); i; i = km_set_next(g->participants, i)) {
		const struct net_party *p = net_party(g->net, (uint8_t)i);

		assert_true(p->done);
		assert_false(p->dropped);
		assert_int_equal(p->convicted | p->disputed, 0);
		assert_int_equal(p->err, 0);
	}
}

/* sum alpha = 1/k and sum beta = x/k, seen without k: sum alpha R = G, sum beta R = X. */
static void assert_presignature(struct group *g, unsigned l)
{
	const struct km_curve *c = g->d.curve;
	uint32_t quorum = g->rows[l].quorum;
	struct km_secret alpha, beta;
	struct km_point a, b, gen;
	const struct km_presig *p = NULL;

	km_secret_zero(&alpha);
	km_secret_zero(&beta);
	for (unsigned i = km_set_next(quorum, 0); i; i = km_set_next(quorum, i)) {
		const struct km_presig *q = group_presig(g, i, l);

		assert_non_null(q);
		assert_int_equal(q->owner, g->rows[l].owner);
		assert_int_equal(q->self, i);
		assert_int_equal(q->quorum, quorum);
		assert_int_equal(q->n, g->d.table.threshold);
		if (p) {
			assert_true(km_point_equal_var(c, &p->r, &q->r));
			assert_true(km_scalar_equal(&p->epsilon, &q->epsilon) && km_scalar_equal(&p->w, &q->w));
			assert_memory_equal(p->member_enc, q->member_enc, q->n * 2 * km_curve_point_size(c));
		}
		p = q;
		km_secret_add(c, &alpha, &alpha, &q->alpha);
		km_secret_add(c, &beta, &beta, &q->beta);
	}
	km_point_mul(c, &a, &alpha, &p->r);
	km_point_mul(c, &b, &beta, &p->r);
	km_point_generator(c, &gen);
	assert_true(km_point_equal_var(c, &a, &gen));
	assert_true(km_point_equal_var(c, &b, &g->d.table.x));
}

static void honest(uint64_t seed, uint32_t members, unsigned threshold, uint32_t participants, unsigned batch)
{
	struct group g;
	struct km_sign_input in;
	struct km_scalar r, s;
	char text[32];
	size_t held = 0;

	group_init(&g, seed, members, threshold, participants, batch, 0);
	net_run(g.net, 0);
	assert_all_done(&g);
	group_take(&g);
	for (unsigned i = 1; i <= KM_MAX_PEERS; i++)
		held += g.nps[i];
	assert_int_equal(held, (size_t)batch * threshold);
	for (unsigned l = 0; l < batch; l++) {
		assert_presignature(&g, l);
		snprintf(text, sizeof(text), "message %u", l);
		group_input(&g, &in, text);
		assert_int_equal(group_sign(&g, l, &in, &r, &s), KM_OK);
		/* spent: nothing is left to sign with */
		assert_int_equal(group_sign(&g, l, &in, &r, &s), KM_E_DEGENERATE);
	}
	group_clear(&g);
}

static void test_three_two(void **state)
{
	for (unsigned batch = 1; batch <= 5; batch++)
		honest(10 + batch, SET(3), 2, SET(3), batch);
}

static void test_five_three(void **state)
{
	honest(20, SET(5), 3, SET(5), 1);
	honest(21, SET(5), 3, SET(5), 23);
}

/* n' > 2T-1: there is redundancy, so the degree checks bite. */
static void test_six_three(void **state)
{
	honest(30, SET(6), 3, SET(6), 7);
	honest(31, SET(4), 2, SET(4), 6);
}

/* Participants are a part of the table's members; ids with gaps, up to 32. */
static void test_gaps(void **state)
{
	uint32_t p = km_set_bit(2) | km_set_bit(7) | km_set_bit(31) | km_set_bit(32);

	honest(40, p | km_set_bit(1) | km_set_bit(9), 2, p, 6);
}

static void test_larger(void **state)
{
	honest(50, SET(9), 5, SET(9), 3);
}

static void test_full_batch(void **state)
{
	honest(60, SET(3), 2, SET(3), KM_MAX_BATCH);
}

/* Two runs of one seed send the same bytes: order of delivery decides nothing. */
static enum net_verdict digest_tap(void *ctx, uint8_t from, uint8_t to, uint8_t **raw, size_t *len)
{
	uint8_t (*sum)[KM_HASH_SIZE] = ctx;
	uint8_t d[KM_HASH_SIZE];
	struct km_hash h;

	km_hash_init(&h, "tap");
	km_hash_u8(&h, from);
	km_hash_u8(&h, to);
	km_hash_field(&h, *raw, *len);
	km_hash_final(&h, d);
	for (unsigned i = 0; i < sizeof(d); i++)
		(*sum)[i] ^= d[i];               /* whatever the order */
	return NET_PASS;
}

static void test_order(void **state)
{
	uint8_t sum[2][KM_HASH_SIZE] = { { 0 } };
	struct group g;

	for (unsigned i = 0; i < 2; i++) {
		group_init(&g, 70, SET(5), 3, SET(5), 4, 0);
		net_free(g.net);
		g.net = net_new(1000 + i);       /* another order of delivery */
		for (unsigned j = 1; j <= 5; j++)
			net_add(g.net, (uint8_t)j, g.m[j]);
		net_tap(g.net, digest_tap, &sum[i]);
		net_run(g.net, 0);
		assert_all_done(&g);
		group_clear(&g);
	}
	assert_memory_equal(sum[0], sum[1], KM_HASH_SIZE);
}

/* ---- faults on the way */

struct lose {
	uint8_t round, from, to;             /* to = 0: everybody */
};

static enum net_verdict lose_tap(void *ctx, uint8_t from, uint8_t to, uint8_t **raw, size_t *len)
{
	const struct lose *l = ctx;

	return (*raw)[3] == l->round && from == l->from && (!l->to || l->to == to) ? NET_DROP : NET_PASS;
}

/* A message lost in any round up to PASS drops the run at whoever waits, convicts nobody, and leaves no secret. */
static void test_silence(void **state)
{
	for (uint8_t round = KM_PRESIGN_M1; round <= KM_PRESIGN_PASS; round++) {
		struct lose l = { round, 2, 0 };
		struct group g;

		group_init(&g, 80 + round, SET(5), 3, SET(5), 4, 0);
		net_tap(g.net, lose_tap, &l);
		net_run(g.net, 1);
		for (unsigned i = 1; i <= 5; i++) {
			const struct net_party *p = net_party(g.net, (uint8_t)i);
			const struct km_presign *s = g.m[i]->state;

			assert_int_equal(p->convicted | p->disputed, 0);
			if (i == 2 && round == KM_PRESIGN_PASS)
				continue;            /* it has PASS of all and goes on alone */
			assert_true(p->dropped);
			assert_int_equal(p->drop_code, KM_E_DEADLINE);
			if (i != 2)
				assert_int_equal(p->waited_for, km_set_bit(2));
			for (size_t b = 0; b < s->early_len; b++)
				assert_int_equal(s->arena[b], 0);
			assert_int_equal(s->x_i->l[0], 0);
			for (unsigned o = 0; o < s->own; o++)
				assert_int_equal(s->a[o].l[0] | s->v[o].l[0] | s->c[o].l[0], 0);
		}
		group_clear(&g);
	}
}

/* C4 of one peer missing: tuples whose whole quorum answered are kept, the others go. */
static void test_partial_c4(void **state)
{
	struct lose l = { KM_PRESIGN_C4, 2, 0 };
	struct km_sign_input in;
	struct km_scalar r, s;
	struct group g;

	group_init(&g, 90, SET(5), 3, SET(5), 10, 0);
	net_tap(g.net, lose_tap, &l);
	net_run(g.net, 1);
	assert_all_done(&g);
	/* who keeps it back is not asked for ever */
	for (unsigned i = 1; i <= 5; i++)
		assert_int_equal(net_party(g.net, i)->suspected, i == 2 ? 0 : km_set_bit(2));
	group_take(&g);
	group_input(&g, &in, "hello");
	for (unsigned k = 0; k < g.batch; k++) {
		if (km_set_has(g.rows[k].quorum, 2)) {
			for (unsigned i = 1; i <= 5; i++)
				if (i != 2)
					assert_null(group_presig(&g, i, k));
		} else {
			assert_int_equal(group_sign(&g, k, &in, &r, &s), KM_OK);
		}
	}
	group_clear(&g);
}

/* Before PASS goes out, seed, pair seeds and all foreign shares are gone; after C4 v_i is gone. */
static enum net_verdict wipe_tap(void *ctx, uint8_t from, uint8_t to, uint8_t **raw, size_t *len)
{
	struct group *g = ctx;
	const struct km_presign *s = g->m[from]->state;

	if ((*raw)[3] == KM_PRESIGN_PASS) {
		for (size_t b = 0; b < s->early_len; b++)
			assert_int_equal(s->arena[b], 0);
		assert_null(s->deal);
		for (unsigned j = 1; j <= KM_MAX_PEERS; j++)
			assert_null(g->m[from]->priv[KM_PRESIGN_M1][j].raw);
		assert_int_not_equal(s->x_i->l[0], 0);
	}
	if ((*raw)[3] == KM_PRESIGN_C4) {
		static const struct km_secret zero;

		for (unsigned o = 0; o < s->own; o++)
			assert_memory_equal(&s->v[o], &zero, sizeof(zero));
		assert_memory_equal(s->x_i, &zero, sizeof(zero));
	}
	return NET_PASS;
}

static void test_wiped(void **state)
{
	struct group g;

	group_init(&g, 100, SET(5), 3, SET(5), 6, 0);
	net_tap(g.net, wipe_tap, &g);
	net_run(g.net, 0);
	assert_all_done(&g);
	group_clear(&g);
	assert_int_equal(km_secret_in_use(), 0);
}

/* ---- faults of a peer that signs what it sends. Messages made by a job are changed before they are signed (so that the author's own
 * view has them, too), the others on the way. */

struct forge {
	struct group *g;
	uint8_t round, from;
	int private;
	size_t offset;       /* of the byte to change, in the body */
	uint8_t value;       /* xor */
};

static enum net_verdict forge_tap(void *ctx, uint8_t from, uint8_t to, uint8_t **raw, size_t *len)
{
	const struct forge *f = ctx;
	struct km_shape shape;
	uint8_t *again;
	struct km_identity id;
	int err;

	if ((*raw)[3] != f->round || from != f->from || ((*raw)[5] != 0) != f->private || (!f->private && f->round <= KM_PRESIGN_C3))
		return NET_PASS;
	err = km_presign_shape(f->g->m[from]->state, f->round, from, (*raw)[5], &shape);
	assert_int_equal(err, 0);
	(*raw)[KM_MSG_HEAD + f->offset] ^= f->value;
	net_identity(f->g->d.seed, from, &id);
	again = net_resign(&id, *raw, *len, &shape, len);
	free(*raw);
	*raw = again;
	return NET_PASS;
}

static const struct forge *forging;
static const struct km_machine_ops *honest_ops;

static int forge_worked(struct km_machine *m, struct km_job *job, struct km_outs *outs)
{
	struct km_presign *s = m->state;

	if (!forging->private && job->what == forging->round && job->what <= KM_JOB_POINTS && s->body)   /* jobs 1..4 make rounds 1..4 */
		s->body[forging->offset] ^= forging->value;
	return honest_ops->worked(m, job, outs);
}

static void forge_start(struct group *g, struct forge *f, struct km_machine_ops *ops)
{
	f->g = g;
	f->from = 3;
	forging = f;
	honest_ops = g->m[3]->ops;
	*ops = *honest_ops;
	ops->worked = forge_worked;
	g->m[3]->ops = ops;
	net_tap(g->net, forge_tap, f);
}

/* Runs N=5, T=3 with one changed byte of peer 3, which every honest peer convicts: by evidence of this kind, or by what all opened. */
static void forged(uint64_t seed, struct forge f, int kind, int code)
{
	struct km_machine_ops ops;
	struct group g;
	int seen = 0;

	group_init(&g, seed, SET(5), 3, SET(5), 4, 7);
	forge_start(&g, &f, &ops);
	net_run(g.net, 1);
	for (unsigned i = 1; i <= 5; i++) {
		const struct net_party *p = net_party(g.net, (uint8_t)i);

		if (i == 3)
			continue;
		/* where no message alone proves it, the opened run does */
		assert_int_equal(p->convicted, km_set_bit(3));
		assert_false(p->done);
		if (kind && p->evidence_kind == kind)
			seen |= 1;
		else
			assert_int_equal(p->evidence_kind, KM_EV_OPENED);
		if (p->drop_code == code)
			seen |= 2;
	}
	assert_int_equal(seen, kind ? 3 : 2);
	group_clear(&g);
}

static void test_forged(void **state)
{
	/* M1p: a scalar above q; a pair seed where there is none; a root that is not in the list */
	forged(110, (struct forge){ .round = 1, .private = 1, .offset = KM_SEED_SIZE + 5, .value = 1 }, KM_EV_LIST_ROOT, KM_E_VERIFY);
	/* M1 list: another root than was dealt */
	forged(111, (struct forge){ .round = 1, .offset = 0, .value = 1 }, KM_EV_LIST_ROOT, KM_E_VERIFY);
	/* M2: C0 to something else; the opening does not fit */
	forged(112, (struct forge){ .round = 2, .offset = KM_HASH_SIZE, .value = 1 }, KM_EV_OPENING, KM_E_VERIFY);
	/* M3: another R_3, then a non-canonical scalar, then a blind that opens nothing */
	forged(113, (struct forge){ .round = 3, .offset = 2 * KM_HASH_SIZE + 6 * 32 + 64, .value = 1 }, KM_EV_OPENING, KM_E_VERIFY);
	forged(114, (struct forge){ .round = 3, .offset = KM_HASH_SIZE, .value = 1 }, KM_EV_OPENING, KM_E_VERIFY);
	/* a changed w share: no redundancy at n' = 2T-1, the certification sees it */
	forged(115, (struct forge){ .round = 3, .offset = 2 * KM_HASH_SIZE + 6 * 32 + 31, .value = 1 }, 0, KM_E_VERIFY);
	/* a changed share of the dealing check: z(0) != 0 */
	forged(116, (struct forge){ .round = 3, .offset = 2 * KM_HASH_SIZE + 5 * 32 + 31, .value = 1 }, 0, KM_E_VERIFY);
	/* C3: the response of V's proof, of a tuple's proof */
	forged(117, (struct forge){ .round = 4, .offset = KM_HASH_SIZE + 33 + 31, .value = 1 }, KM_EV_C3_PROOF, KM_E_VERIFY);
	forged(118, (struct forge){ .round = 4, .offset = KM_HASH_SIZE + 65 + 4 * 33 + 31, .value = 1 }, KM_EV_C3_PROOF, KM_E_VERIFY);
	/* C3: prefix 0 instead of 2 or 3 */
	forged(119, (struct forge){ .round = 4, .offset = KM_HASH_SIZE + 65, .value = 4 }, KM_EV_ENCODING, KM_E_VERIFY);
	/* prev of M2, M3, C3 changed: another view than that of what it was sent */
	for (uint8_t r = 2; r <= 4; r++)
		forged(120 + r, (struct forge){ .round = r, .offset = 0, .value = 1 }, 0, KM_E_MISMATCH);
	/* another OK list */
	forged(130, (struct forge){ .round = 5, .offset = 40, .value = 1 }, 0, KM_E_MISMATCH);
}

/* Another PASS: everybody else has PASSED and opens nothing; the links to its author suffer. */
static void test_forged_pass(void **state)
{
	struct group g;
	struct forge f = { .g = &g, .round = KM_PRESIGN_PASS, .from = 3, .offset = 7, .value = 1 };

	group_init(&g, 131, SET(5), 3, SET(5), 4, 7);
	net_tap(g.net, forge_tap, &f);
	net_run(g.net, 1);
	for (unsigned i = 1; i <= 5; i++) {
		const struct net_party *p = net_party(g.net, (uint8_t)i);

		if (i == 3)
			continue;
		assert_int_equal(p->drop_code, KM_E_MISMATCH);
		assert_int_equal(p->convicted, 0);
		assert_int_equal(p->suspected, km_set_bit(3));
	}
	group_clear(&g);
}

/* A wrong epsilon convicts its author (E4) and costs that tuple only. */
static void test_forged_c4(void **state)
{
	struct km_sign_input in;
	struct km_scalar r, s;
	struct group g;
	struct forge f = { .g = &g, .round = KM_PRESIGN_C4, .from = 3, .offset = KM_HASH_SIZE + 32 + 31, .value = 1 };

	group_init(&g, 140, SET(5), 3, SET(5), 4, 7);
	net_tap(g.net, forge_tap, &f);
	net_run(g.net, 1);
	for (unsigned i = 1; i <= 2; i++) {
		const struct net_party *p = net_party(g.net, (uint8_t)i);

		assert_true(p->done);
		assert_int_equal(p->convicted, km_set_bit(3));
		assert_int_equal(p->evidence_kind, KM_EV_EPSILON);
	}
	group_take(&g);
	group_input(&g, &in, "hello");
	assert_null(group_presig(&g, 1, 1));
	assert_null(group_presig(&g, 2, 1));
	assert_int_equal(group_sign(&g, 0, &in, &r, &s), KM_OK);
	assert_int_equal(group_sign(&g, 2, &in, &r, &s), KM_OK);
	group_clear(&g);
}

/* A C4 over another list is nobody's fault in our view: its author's tuples are dropped. */
static void test_c4_other_view(void **state)
{
	struct group g;
	struct forge f = { .g = &g, .round = KM_PRESIGN_C4, .from = 3, .offset = 0, .value = 1 };

	group_init(&g, 141, SET(5), 3, SET(5), 10, 0);
	net_tap(g.net, forge_tap, &f);
	net_run(g.net, 1);
	group_take(&g);
	assert_int_equal(net_party(g.net, 1)->convicted, 0);
	assert_int_equal(net_party(g.net, 1)->suspected, km_set_bit(3));
	for (unsigned l = 0; l < 10; l++)
		assert_int_equal(km_set_has(g.rows[l].quorum, 1) && !km_set_has(g.rows[l].quorum, 3), group_presig(&g, 1, l) != NULL);
	group_clear(&g);
}

/* ---- parameters */

static void test_params(void **state)
{
	struct dealer d;
	uint8_t keys[KM_MAX_PEERS + 1][KM_IDKEY_SIZE];
	struct km_machine *m;
	struct km_presign_row row = { 1, 7 }, bad;
	struct km_presign_params p = { .table = &d.table, .batch = 1, .rows = &row }, q;

	dealer_init(&d, 1, km_curve_p256(), SET(6), 3);
	net_params(&p.machine, keys, 1, d.curve, 1, SET(5));
	p.x_i = &d.share[1];
	assert_int_equal(km_presign_new(&m, &p), KM_OK);
	km_machine_free(m);
#define REFUSED(change)                                                      \
	do {                                                                 \
		q = p;                                                       \
		bad = row;                                                   \
		change;                                                      \
		assert_int_equal(km_presign_new(&m, &q), KM_E_INVAL);        \
		assert_null(m);                                              \
	} while (0)
	REFUSED(q.machine.participants = SET(4));                    /* fewer than 2T-1 */
	REFUSED(q.machine.participants = SET(4) | km_set_bit(9));    /* not a member */
	REFUSED(q.machine.self = 6);
	REFUSED(q.x_i = &d.share[2]);                                /* not the share the table names */
	REFUSED(q.batch = 0);
	REFUSED(q.batch = KM_MAX_BATCH + 1);
	REFUSED(q.rows = &bad; bad.quorum = 3);                      /* not T members */
	REFUSED(q.rows = &bad; bad.quorum = 15);
	REFUSED(q.rows = &bad; bad.quorum = 3 | km_set_bit(6));      /* outside P */
	REFUSED(q.rows = &bad; bad.owner = 4);                       /* owner outside S */
	REFUSED(q.rows = &bad; bad.owner = 0);
}

KM_TESTS(cmocka_unit_test(test_three_two), cmocka_unit_test(test_five_three), cmocka_unit_test(test_six_three), cmocka_unit_test(test_gaps),
	 cmocka_unit_test(test_larger), cmocka_unit_test(test_full_batch), cmocka_unit_test(test_order), cmocka_unit_test(test_silence),
	 cmocka_unit_test(test_partial_c4), cmocka_unit_test(test_wiped), cmocka_unit_test(test_forged), cmocka_unit_test(test_forged_pass),
	 cmocka_unit_test(test_forged_c4),
	 cmocka_unit_test(test_c4_other_view), cmocka_unit_test(test_params))
