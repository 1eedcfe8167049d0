/* test_any.c: presign runs by engine any, among honest peers and with single faults. */
#include <stdio.h>
#include <stdlib.h>
#include "../lib/test.h"
#include "../lib/dealer.h"
#include "base/secret.h"
#include "proto/any_impl.h"

#define SET(n) ((uint32_t)(((uint64_t)1 << (n)) - 1))

static void assert_all_done(struct group *g)
{
	for (unsigned i = km_set_next(g->participants, 0); i; i = km_set_next(g->participants, i)) {
		const struct net_party *p = net_party(g->net, (uint8_t)i);

		assert_int_equal(p->drop_code, 0);
		assert_true(p->done);
		assert_int_equal(p->convicted | p->disputed, 0);
		assert_int_equal(p->err, 0);
	}
}

static void honest(uint64_t seed, uint32_t members, uint32_t quorum, unsigned batch)
{
	struct km_sign_input in;
	struct km_scalar r, s;
	struct group g;

	group_init_any(&g, seed, members, quorum, batch);
	net_run(g.net, 0);
	assert_all_done(&g);
	group_take(&g);
	for (unsigned i = km_set_next(quorum, 0); i; i = km_set_next(quorum, i))
		assert_int_equal(g.nps[i], batch);
	for (unsigned l = 0; l < batch; l++) {
		group_input(&g, &in, "message");
		assert_int_equal(group_sign(&g, l, &in, &r, &s), KM_OK);
		assert_int_equal(group_sign(&g, l, &in, &r, &s), KM_E_DEGENERATE);
	}
	group_clear(&g);
	assert_int_equal(km_secret_in_use(), 0);
}

static void test_two(void **state)
{
	honest(1, SET(2), SET(2), 1);
	honest(2, SET(2), SET(2), 5);
}

static void test_three(void **state)
{
	honest(3, SET(3), SET(3), 2);
	honest(4, SET(5), 1 | 4 | 16, 3);
}

static void test_five(void **state)
{
	honest(5, SET(6) | km_set_bit(32), SET(4) | km_set_bit(32), 2);
}

/* sum alpha R = G, sum beta R = X, and all members agree on the rest. */
static void test_presignature(void **state)
{
	const struct km_presig *p = NULL;
	struct km_secret alpha, beta;
	struct km_point a, b, gen;
	struct group g;

	group_init_any(&g, 6, SET(5), 2 | 8 | 16, 2);
	net_run(g.net, 0);
	assert_all_done(&g);
	group_take(&g);
	for (unsigned l = 0; l < 2; l++) {
		km_secret_zero(&alpha);
		km_secret_zero(&beta);
		p = NULL;
		for (unsigned i = km_set_next(g.participants, 0); i; i = km_set_next(g.participants, i)) {
			const struct km_presig *q = group_presig(&g, i, l);

			assert_non_null(q);
			assert_int_equal(q->owner, g.rows[l].owner);
			assert_int_equal(q->quorum, g.participants);
			assert_int_equal(q->n, 3);
			if (p) {
				assert_true(km_point_equal_var(g.d.curve, &p->r, &q->r));
				assert_true(km_scalar_equal(&p->epsilon, &q->epsilon) && km_scalar_equal(&p->w, &q->w));
				assert_memory_equal(p->member_enc, q->member_enc, q->n * 2 * km_curve_point_size(g.d.curve));
			}
			p = q;
			km_secret_add(g.d.curve, &alpha, &alpha, &q->alpha);
			km_secret_add(g.d.curve, &beta, &beta, &q->beta);
		}
		km_point_mul(g.d.curve, &a, &alpha, &p->r);
		km_point_mul(g.d.curve, &b, &beta, &p->r);
		km_point_generator(g.d.curve, &gen);
		assert_true(km_point_equal_var(g.d.curve, &a, &gen));
		assert_true(km_point_equal_var(g.d.curve, &b, &g.d.table.x));
	}
	group_clear(&g);
}

/* Two runs of one seed send the same bytes: order of delivery decides nothing. */
static enum net_verdict digest_tap(void *ctx, uint8_t from, uint8_t to, uint8_t **raw, size_t *len)
{
	uint8_t (*sum)[KM_HASH_SIZE] = ctx, d[KM_HASH_SIZE];
	struct km_hash h;

	km_hash_init(&h, "tap");
	km_hash_u8(&h, from);
	km_hash_u8(&h, to);
	km_hash_field(&h, *raw, *len);
	km_hash_final(&h, d);
	for (unsigned i = 0; i < sizeof(d); i++)
		(*sum)[i] ^= d[i];
	return NET_PASS;
}

static void test_order(void **state)
{
	uint8_t sum[2][KM_HASH_SIZE] = { { 0 } };
	struct group g;

	for (unsigned i = 0; i < 2; i++) {
		group_init_any(&g, 7, SET(3), SET(3), 1);
		net_free(g.net);
		g.net = net_new(1000 + i);
		for (unsigned j = 1; j <= 3; j++)
			net_add(g.net, (uint8_t)j, g.m[j]);
		net_tap(g.net, digest_tap, &sum[i]);
		net_run(g.net, 0);
		assert_all_done(&g);
		group_clear(&g);
	}
	assert_memory_equal(sum[0], sum[1], KM_HASH_SIZE);
}

/* The larger curves, whose scalars are not of whole limbs, and whose xi is no multiple of anything. */
static void test_other_curves(void **state)
{
	static const struct km_presign_row row = { 1, 3 };

	for (unsigned id = KM_CURVE_P384; id <= KM_CURVE_P521; id++) {
		const struct km_curve *c = km_curve_by_id(id);
		uint8_t keys[KM_MAX_PEERS + 1][KM_IDKEY_SIZE];
		struct km_sign_input in = { .context = KM_CTX_TLS13_SERVER };
		struct km_scalar shares[2], s;
		struct km_sign_nonce nonce;
		struct km_machine *m[3];
		struct net *net = net_new(id);
		struct dealer d;

		dealer_init(&d, id, c, 7, 2);
		for (unsigned i = 1; i <= 2; i++) {
			struct km_presign_params p = {
			    .table = &d.table, .x_i = &d.share[i], .engine = KM_PRESIGN_ANY, .batch = 1, .rows = &row};

			net_params(&p.machine, keys, id, c, (uint8_t)i, 3);
			assert_int_equal(km_presign_new(&m[i], &p), KM_OK);
			net_add(net, (uint8_t)i, m[i]);
		}
		net_run(net, 0);
		km_scalar_set_u32(&in.m, 12345);
		for (unsigned i = 1; i <= 2; i++) {
			struct km_presig **ps;
			size_t n;

			assert_true(net_party(net, (uint8_t)i)->done);
			assert_int_equal(km_presign_take(m[i], &ps, &n), KM_OK);
			assert_int_equal(n, 1);
			assert_int_equal(km_sign_nonce(ps[0], &in, &nonce), KM_OK);
			km_sign_share(ps[0], &in, &nonce, &shares[i - 1]);
			km_presig_free(ps[0]);
			free(ps);
			km_machine_free(m[i]);
		}
		assert_int_equal(km_sign_combine(c, &s, shares, 2), KM_OK);
		assert_int_equal(km_ecdsa_verify_var(c, &d.table.x, &in.m, &nonce.r, &s), KM_OK);
		net_free(net);
	}
	assert_int_equal(km_secret_in_use(), 0);
}

/* ---- faults on the way */

struct lose {
	uint8_t round, from, to;
	int private;
};

static enum net_verdict lose_tap(void *ctx, uint8_t from, uint8_t to, uint8_t **raw, size_t *len)
{
	const struct lose *l = ctx;

	(void)len;
	return (*raw)[3] == l->round && from == l->from && to == l->to && ((*raw)[5] != 0) == l->private ? NET_DROP : NET_PASS;
}

static void assert_no_secret(const struct km_machine *m)
{
	const struct km_presign *s = m->state;

	assert_null(s->any);
	for (size_t b = 0; b < s->early_len; b++)
		assert_int_equal(s->arena[b], 0);
	for (unsigned r = KM_ANY_Y1; r <= KM_ANY_Y3; r++)
		for (unsigned j = 0; j <= KM_MAX_PEERS; j++)
			assert_null(m->priv[r][j].raw);
}

/* A message lost in any round drops the run, convicts nobody, and leaves no secret. */
static void test_silence(void **state)
{
	for (uint8_t round = KM_ANY_Y1; round <= KM_PRESIGN_PASS + 1; round++)
		for (int private = 0; private < 2; private++) {
			struct lose l = { round, 2, 3, private };
			struct group g;

			if (private ? round > KM_ANY_Y3 : round < KM_ANY_Y3)
				continue;
			group_init_any(&g, 20 + round, SET(3), SET(3), 1);
			net_tap(g.net, lose_tap, &l);
			net_run(g.net, 1);
			for (unsigned i = 1; i <= 3; i++) {
				const struct net_party *p = net_party(g.net, (uint8_t)i);

				assert_int_equal(p->convicted | p->disputed, 0);
				if (round == KM_PRESIGN_PASS + 1 && i != 3)
					continue;      /* they hold PASS of all and wait for the C4 of 3 */
				assert_true(p->dropped);
				assert_int_equal(p->drop_code, KM_E_DEADLINE);
				if (i == 3)
					assert_int_equal(p->waited_for, km_set_bit(2));
				assert_no_secret(g.m[i]);
			}
			group_clear(&g);
			assert_int_equal(km_secret_in_use(), 0);
		}
}

/* Before PASS goes out everything of the OLE is gone, after C4 v_i. Bodies of Y2 and Y3 go as soon as their job is done. */
static enum net_verdict wipe_tap(void *ctx, uint8_t from, uint8_t to, uint8_t **raw, size_t *len)
{
	struct group *g = ctx;
	const struct km_machine *m = g->m[from];
	const struct km_presign *s = m->state;
	static const struct km_secret zero;

	(void)len;
	if ((*raw)[3] == KM_ANY_Y4 && to != from)
		for (unsigned j = 1; j <= 3; j++)
			if (j != from) {
				assert_non_null(m->priv[KM_ANY_Y2][j].raw);
				assert_null(m->priv[KM_ANY_Y2][j].msg.body);
				assert_null(m->priv[KM_ANY_Y3][j].msg.body);
			}
	if ((*raw)[3] == KM_PRESIGN_PASS + 1)
		assert_no_secret(m);
	if ((*raw)[3] == KM_PRESIGN_C4 + 1) {
		for (unsigned o = 0; o < s->own; o++)
			assert_memory_equal(&s->v[o], &zero, sizeof(zero));
		assert_memory_equal(s->x_i, &zero, sizeof(zero));
	}
	return NET_PASS;
}

static void test_wiped(void **state)
{
	struct group g;

	group_init_any(&g, 40, SET(3), SET(3), 2);
	net_tap(g.net, wipe_tap, &g);
	net_run(g.net, 0);
	assert_all_done(&g);
	group_clear(&g);
	assert_int_equal(km_secret_in_use(), 0);
}

/* A body that is not the one that was signed: found by the job that would use it, in dispute with whose channel it came over, and
 * the run is not opened for what nobody else saw. */
static enum net_verdict spoil_tap(void *ctx, uint8_t from, uint8_t to, uint8_t **raw, size_t *len)
{
	const uint8_t *round = ctx;

	if (from == 3 && to == 1 && (*raw)[3] == *round && (*raw)[5])
		(*raw)[*len - 1] ^= 1;
	/* nothing that opens */
	if ((*raw)[3] >= KM_PRESIGN_OK + 1)
		assert_int_not_equal(from, 1);
	return NET_PASS;
}

static void test_spoiled(void **state)
{
	for (uint8_t round = KM_ANY_Y1; round <= KM_ANY_Y3; round++) {
		const struct net_party *p;
		struct group g;

		group_init_any(&g, 45, SET(3), SET(3), 1);
		net_tap(g.net, spoil_tap, &round);
		net_run(g.net, 1);
		p = net_party(g.net, 1);
		assert_int_equal(p->disputed, km_set_bit(3));
		assert_int_equal(p->convicted | p->suspected, 0);
		assert_true(p->dropped);
		assert_int_equal(p->drop_code, KM_E_ENCODING);
		assert_no_secret(g.m[1]);
		for (unsigned i = 2; i <= 3; i++) {
			assert_int_equal(net_party(g.net, (uint8_t)i)->convicted | net_party(g.net, (uint8_t)i)->disputed, 0);
			assert_false(net_party(g.net, (uint8_t)i)->done);
		}
		group_clear(&g);
		assert_int_equal(km_secret_in_use(), 0);
	}
}

/* ---- faults of a peer that signs what it sends */

struct forge {
	uint8_t round;
	int private;
	size_t offset;       /* of the bytes to change, in the body */
	uint8_t value;       /* xor */
	unsigned times;      /* how many bytes on */
};

static const struct forge *forging;
static const struct km_machine_ops *honest_ops;

/* Bodies are changed before they are signed, so that the author's own view has them, too. */
static int forge_worked(struct km_machine *m, struct km_job *job, struct km_outs *outs)
{
	static const uint8_t round_of[KM_JOB_LAST + 1] = { [KM_JOB_POINTS] = 5, [KM_JOB_ANY_BASE] = 1, [KM_JOB_ANY_EXTEND] = 2,
							   [KM_JOB_ANY_PAYLOAD] = 3, [KM_JOB_ANY_SHARES] = 4 };
	struct km_presign *s = m->state;
	uint8_t *body = forging->private ? (s->any && s->any->at == 1 ? s->any->body : NULL) : s->body;

	for (unsigned i = 0; body && round_of[job->what] == forging->round && i < forging->times; i++)
		body[forging->offset + i] ^= forging->value;
	assert_int_equal(km_any_seal(s, job->what), KM_OK);
	return honest_ops->worked(m, job, outs);
}

/* N=3, T=3 with changed bytes of peer 3 (in what it sends to 1, when private). kind 0: no message alone convicts it, what it opens does. */
static void forged(uint64_t seed, struct forge f, int kind, int code)
{
	struct km_machine_ops ops;
	struct group g;
	int seen = 0;

	if (!f.times)
		f.times = 1;
	group_init_any(&g, seed, SET(3), SET(3), 1);
	forging = &f;
	honest_ops = g.m[3]->ops;
	ops = *honest_ops;
	ops.worked = forge_worked;
	g.m[3]->ops = &ops;
	net_run(g.net, 1);
	for (unsigned i = 1; i <= 2; i++) {
		const struct net_party *p = net_party(g.net, (uint8_t)i);

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
	if (seen != (kind ? 3 : 2))
		fail_msg("case %u: %d", (unsigned)seed, seen);
	group_clear(&g);
}

static void test_forged(void **state)
{
	size_t y2 = KM_OT_CHECK_SIZE + 32;

	/* Y1: no point; another A than the author computes with; another r */
	forged(50, (struct forge){ .round = 1, .private = 1, .offset = 0, .value = 4 }, KM_EV_ENCODING, KM_E_VERIFY);
	forged(51, (struct forge){ .round = 1, .private = 1, .offset = 0, .value = 1 }, 0, KM_E_VERIFY);
	forged(52, (struct forge){ .round = 1, .private = 1, .offset = 33, .value = 1 }, 0, KM_E_VERIFY);
	/* Y2: x; t^5; psi above q; psi off by one; a whole column of u */
	forged(53, (struct forge){ .round = 2, .private = 1, .offset = 3, .value = 1 }, 0, KM_E_VERIFY);
	forged(54, (struct forge){ .round = 2, .private = 1, .offset = 16 * 6, .value = 1 }, 0, KM_E_VERIFY);
	forged(55, (struct forge){.round = 2, .private = 1, .offset = KM_OT_CHECK_SIZE, .value = 0xff, .times = 32}, 0,
	       KM_E_VERIFY);
	forged(56, (struct forge){ .round = 2, .private = 1, .offset = y2 - 1, .value = 1 }, 0, KM_E_VERIFY);
	forged(57, (struct forge){ .round = 2, .private = 1, .offset = y2, .value = 0xa5, .times = 64 * 20 }, 0, KM_E_VERIFY);
	/* Y3: mu, eta, a row */
	forged(58, (struct forge){ .round = 3, .private = 1, .offset = 1, .value = 1 }, 0, KM_E_VERIFY);
	forged(59, (struct forge){ .round = 3, .private = 1, .offset = 63, .value = 1 }, 0, KM_E_VERIFY);
	forged(60, (struct forge){ .round = 3, .private = 1, .offset = 64 + 32 * 77 + 31, .value = 1 }, 0, KM_E_VERIFY);
	/* Y3: C0 to something else; prev */
	forged(61, (struct forge){ .round = 3, .offset = 32, .value = 1 }, KM_EV_OPENING, KM_E_VERIFY);
	forged(62, (struct forge){ .round = 3, .offset = 0, .value = 1 }, 0, KM_E_MISMATCH);
	/* Y4: blind; w; R; prev */
	forged(63, (struct forge){ .round = 4, .offset = 32, .value = 1 }, KM_EV_OPENING, KM_E_VERIFY);
	forged(64, (struct forge){ .round = 4, .offset = 64 + 31, .value = 1 }, 0, KM_E_VERIFY);
	forged(65, (struct forge){ .round = 4, .offset = 64 + 32, .value = 1 }, KM_EV_OPENING, KM_E_VERIFY);
	forged(66, (struct forge){ .round = 4, .offset = 0, .value = 1 }, 0, KM_E_MISMATCH);
	/* C3: a response, a prefix */
	forged(67, (struct forge){ .round = 5, .offset = 32 + 65 + 4 * 33 + 31, .value = 1 }, KM_EV_C3_PROOF, KM_E_VERIFY);
	forged(68, (struct forge){ .round = 5, .offset = 32 + 65, .value = 4 }, KM_EV_ENCODING, KM_E_VERIFY);
}

/* ---- parameters */

static void test_params(void **state)
{
	struct dealer d;
	uint8_t keys[KM_MAX_PEERS + 1][KM_IDKEY_SIZE];
	struct km_presign_row row = { 1, 7 }, other = { 1, 1 | 2 | 8 };
	struct km_presign_params p = { .table = &d.table, .engine = KM_PRESIGN_ANY, .batch = 1, .rows = &row };
	struct km_machine *m;

	dealer_init(&d, 1, km_curve_p256(), SET(5), 3);
	net_params(&p.machine, keys, 1, d.curve, 1, SET(3));
	p.x_i = &d.share[1];
	assert_int_equal(km_presign_new(&m, &p), KM_OK);
	km_machine_free(m);
	/* a quorum that is not the participants, too many or too few of them, an engine that does not exist */
	p.rows = &other;
	assert_int_equal(km_presign_new(&m, &p), KM_E_INVAL);
	p.rows = &row;
	p.engine = 3;
	assert_int_equal(km_presign_new(&m, &p), KM_E_INVAL);
	p.engine = KM_PRESIGN_ANY;
	p.machine.participants = SET(5);
	assert_int_equal(km_presign_new(&m, &p), KM_E_INVAL);
	p.machine.participants = SET(2);
	assert_int_equal(km_presign_new(&m, &p), KM_E_INVAL);
}

/* The sizes that bound a run's memory: what the documents say of them. */
static void test_bounds(void **state)
{
	const struct km_curve *c = km_curve_p256();

	assert_int_equal(km_any_largest(c, 256), 10231840);
	for (unsigned t = 2; t <= 5; t++)
		assert_int_equal(km_presign_any_batch_max(c, t), 256);
	assert_int_equal(km_presign_any_batch_max(c, 16), 71);
	assert_int_equal(km_presign_any_batch_max(c, 32), 34);
	for (unsigned t = 2; t <= KM_MAX_PEERS; t++) {
		unsigned b = km_presign_any_batch_max(c, t);

		assert_true(km_any_received(c, t, b) <= 48u << 20);
		assert_true(b == 256 || km_any_received(c, t, b + 1) > 48u << 20);
	}
	assert_int_equal(km_presign_any_batch_max(km_curve_by_id(KM_CURVE_P521), 2), 124);
}

KM_TESTS(cmocka_unit_test(test_two), cmocka_unit_test(test_three), cmocka_unit_test(test_five),
	 cmocka_unit_test(test_presignature), cmocka_unit_test(test_order), cmocka_unit_test(test_other_curves),
	 cmocka_unit_test(test_silence), cmocka_unit_test(test_wiped), cmocka_unit_test(test_spoiled), cmocka_unit_test(test_forged),
	 cmocka_unit_test(test_params), cmocka_unit_test(test_bounds))
