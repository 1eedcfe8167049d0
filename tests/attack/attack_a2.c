/* attack_a2.c: psi (or k, v, a) that differ from one partner to the next. A corrupt Bob uses a + D towards one Alice only: w is
 * off by D k of hers, which it does not know. What comes out is no presignature: it signs nothing, and everybody spent a run.
 * Stopped by: the sum checks of C3; and where it waits for all other C3 and bends A' and C' until the sums hold, by the
 * proof of (a, c). */
#include "attack.h"
#include "rush.h"
#include "proto/any_impl.h"

#define CORRUPT 3
#define VICTIM 2
#define D 1234567

static void other_psi(void *ctx, struct km_presign *s)
{
	uint8_t *psi = s->any->body + KM_OT_CHECK_SIZE;
	struct km_scalar x, d;

	if (s->any->at != VICTIM)
		return;
	km_scalar_set_u32(&d, D);
	assert_int_equal(km_scalar_decode(s->curve, &x, psi), KM_OK);
	km_scalar_add(s->curve, &x, &x, &d);
	km_scalar_encode(s->curve, psi, &x);
}

/* A'_3 = a_3 R + D R_2; C'_3 = wV - C'_1 - C'_2. */
static void bend(void *ctx, struct km_presign *s)
{
	const struct km_curve *c = s->curve;
	struct km_point p, v, sum;
	struct km_scalar d;
	uint8_t *row = rush_c3_row(s, 0);

	km_scalar_set_u32(&d, D);
	assert_int_equal(km_point_decode_var(c, &p, s->engine->r_enc(s, VICTIM, 0)), KM_OK);
	km_point_mul_var(c, &p, &d, &p);
	km_point_add(c, &s->pa[0], &s->pa[0], &p);
	assert_int_equal(km_point_encode_var(c, row, &s->pa[0]), KM_OK);
	v = s->pv[2];
	km_point_identity(c, &sum);
	for (unsigned j = 1; j <= 2; j++) {
		const uint8_t *other = km_presign_body(s, KM_PRESIGN_C3, j) + KM_HASH_SIZE + s->ps + s->ss;

		assert_int_equal(km_point_decode_var(c, &p, other + 2 * s->ps), KM_OK);
		km_point_add(c, &v, &v, &p);
		assert_int_equal(km_point_decode_var(c, &p, other + s->ps), KM_OK);
		km_point_add(c, &sum, &sum, &p);
	}
	km_point_mul_var(c, &v, &s->w[0], &v);
	km_point_sub(c, &s->pc[0], &v, &sum);
	assert_int_equal(km_point_encode_var(c, row + s->ps, &s->pc[0]), KM_OK);
}

static void mount(struct group *g, struct rush *r, int bending)
{
	*r = (struct rush){ .change = { [KM_JOB_ANY_EXTEND] = other_psi } };
	if (bending) {
		r->hold = KM_JOB_POINTS;
		r->change[KM_JOB_POINTS] = bend;
	}
	group_init_any(g, 21, 7, 7, 1);
	rush_attach(r, g->m[CORRUPT]);
	rush_run(g);
}

static void assert_stopped(struct group *g, int kind)
{
	for (unsigned i = 1; i <= 2; i++) {
		const struct net_party *p = net_party(g->net, (uint8_t)i);

		assert_true(p->dropped && !p->done);
		assert_int_equal(p->drop_code, KM_E_VERIFY);
		assert_int_equal(p->convicted, km_set_bit(CORRUPT));
		assert_true(rush_evidence(p, kind));
	}
	group_clear(g);
}

/* Certified, bound, and good for nothing. */
static void assert_useless(struct group *g)
{
	struct km_sign_input in;
	struct km_scalar r, s;

	for (unsigned i = 1; i <= 2; i++) {
		assert_true(net_party(g->net, (uint8_t)i)->done);
		assert_int_equal(net_party(g->net, (uint8_t)i)->convicted, 0);
	}
	group_take(g);
	group_input(g, &in, "spent for nothing");
	assert_int_equal(group_sign(g, 0, &in, &r, &s), KM_E_VERIFY);
	group_clear(g);
}

/* The sums do not say whose share was wrong, the opened run does. */
static void test_sums_stopped(void **state)
{
	struct group g;
	struct rush r;

	rules_all();
	mount(&g, &r, 0);
	assert_stopped(&g, KM_EV_OPENED);
}

static void test_sums_without_rule(void **state)
{
	struct group g;
	struct rush r;

	rules_all();
	rule_off(km_rule_c3_sums);
	mount(&g, &r, 0);
	assert_useless(&g);
}

static void test_proofs_stopped(void **state)
{
	struct group g;
	struct rush r;

	rules_all();
	mount(&g, &r, 1);
	assert_stopped(&g, KM_EV_C3_PROOF);
}

static void test_proofs_without_rule(void **state)
{
	struct group g;
	struct rush r;

	rules_all();
	rule_off(km_rule_c3_proofs);
	mount(&g, &r, 1);
	assert_useless(&g);
}

KM_TESTS(cmocka_unit_test(test_sums_stopped), cmocka_unit_test(test_sums_without_rule), cmocka_unit_test(test_proofs_stopped),
	 cmocka_unit_test(test_proofs_without_rule))
