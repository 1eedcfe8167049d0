/* attack_b17.c: degenerate values: w = 0, R = 0, k = 0, s = 0. A rushing member picks its share so that they come about.
 * Stopped by: a clean stop that convicts nobody; without it honest members go on with them, or a worthless signature is released.
 * (r = 0 would need delta with delta R of abscissa 0: delta is a hash of R. m = 0 is no degenerate case and signs.) */
#include "attack.h"
#include "rush.h"

#define CORRUPT 2
#define QUORUM 3u

static struct km_scalar share_of(struct km_presign *s, unsigned j)
{
	uint8_t *body = j == CORRUPT ? s->body : s->m->bcast[KM_PRESIGN_M3][j].raw + KM_MSG_HEAD;
	struct km_scalar v;

	assert_int_equal(km_scalar_decode(s->curve, &v, rush_m3_share(s, body, 0, 0)), KM_OK);
	return v;
}

/* Own w share := what makes w = 0. */
static void zero_w(void *ctx, struct km_presign *s)
{
	const struct km_curve *c = s->curve;
	struct km_scalar v[3], w, l;

	for (unsigned j = 1; j <= 3; j++)
		v[j - 1] = share_of(s, j);
	km_shamir_interpolate(c, &w, v, 7, 0);
	km_shamir_lagrange(c, &l, 7, CORRUPT, 0);
	km_scalar_inv(c, &l, &l);
	km_scalar_mul(c, &w, &w, &l);
	km_scalar_sub(c, &w, &v[CORRUPT - 1], &w);
	km_scalar_encode(c, rush_m3_share(s, s->body, 0, 0), &w);
}

/* Own R_j := minus the others' (with C0 switched off: C0 alone would stop it). */
static void zero_r(void *ctx, struct km_presign *s)
{
	struct km_point p;

	assert_int_equal(km_point_decode_var(s->curve, &p, rush_m3_share(s, s->m->bcast[KM_PRESIGN_M3][1].raw + KM_MSG_HEAD, 0, 2)), KM_OK);
	km_point_neg(s->curve, &p, &p);
	assert_int_equal(km_point_encode_var(s->curve, rush_m3_share(s, s->body, 0, 2), &p), KM_OK);
}

static void mount(struct group *g, struct rush *r, rush_fn change)
{
	*r = (struct rush){ .hold = KM_JOB_OPEN, .change = { [KM_JOB_OPEN] = change } };
	group_init(g, 17, 7, 2, 7, 1, QUORUM);
	rush_attach(r, g->m[CORRUPT]);
	rush_run(g);
}

static void assert_clean_stop(const struct group *g)
{
	const struct net_party *p = net_party(g->net, 1);

	assert_true(p->dropped && !p->done);
	assert_int_equal(p->drop_code, KM_E_DEGENERATE);
	/* nobody is guilty of a zero; who made it by its last word is, as what all opened shows */
	for (unsigned i = 1; i <= 3; i++)
		if (i != CORRUPT)
			assert_int_equal(net_party(g->net, (uint8_t)i)->convicted, km_set_bit(CORRUPT));
	assert_null(g->m[1]->bcast[KM_PRESIGN_C3][1].raw);
}

static void test_stopped_w(void **state)
{
	struct group g;
	struct rush r;

	rules_all();
	mount(&g, &r, zero_w);
	assert_clean_stop(&g);
	group_clear(&g);
}

static void test_stopped_r(void **state)
{
	struct group g;
	struct rush r;

	rules_all();
	rule_off(km_rule_c0);
	mount(&g, &r, zero_r);
	assert_clean_stop(&g);
	group_clear(&g);
}

/* k = 0 of one member: R_i has no encoding, so it cannot be opened; it stops at its own door. */
static void zero_k(void *ctx, struct km_presign *s)
{
	memset(rush_m3_share(s, s->body, 0, 2), 0, s->ps);
}

static void test_stopped_k(void **state)
{
	struct group g;
	struct rush r;

	rules_all();
	rule_off(km_rule_c0);
	mount(&g, &r, zero_k);
	assert_true(net_party(g.net, 1)->dropped);
	assert_int_equal(net_party(g.net, 1)->convicted, km_set_bit(CORRUPT));
	assert_int_equal(net_party(g.net, 1)->evidence_kind, KM_EV_ENCODING);
	group_clear(&g);
}

static void test_without_rule_w(void **state)
{
	struct group g;
	struct rush r;

	rules_all();
	rule_off(km_rule_degenerate);
	mount(&g, &r, zero_w);
	/* honest 1 goes on and publishes the points of a worthless tuple */
	assert_non_null(g.m[1]->bcast[KM_PRESIGN_C3][1].raw);
	group_clear(&g);
}

static int release_zero(void)
{
	const struct km_curve *c = km_curve_p256();
	struct km_scalar sh[2], s;

	km_scalar_set_u32(&sh[0], 5);
	km_scalar_neg(c, &sh[1], &sh[0]);
	return km_sign_combine(c, &s, sh, 2);
}

static void test_zero_s(void **state)
{
	rules_all();
	assert_int_equal(release_zero(), KM_E_DEGENERATE);
	rule_off(km_rule_degenerate);
	assert_int_equal(release_zero(), KM_OK);   /* (r, 0) goes out as a signature */
}

KM_TESTS(cmocka_unit_test(test_stopped_w), cmocka_unit_test(test_stopped_r), cmocka_unit_test(test_stopped_k), cmocka_unit_test(test_without_rule_w),
	 cmocka_unit_test(test_zero_s))
