/* attack_a7.c: the last speaker scales R. It waits for everybody's w share and R_i, then opens R_j + eR and a w share that makes
 * w(1 + e): all sums still hold, and R is a multiple of the honest R that it chose.
 * Stopped by: C0, the commitment to R_i before any w is opened. */
#include "attack.h"
#include "rush.h"

#define CORRUPT 2
#define SCALE 12345

static struct km_point honest_r;

static void scale(void *ctx, struct km_presign *s)
{
	const struct km_curve *c = s->curve;
	struct km_scalar v[3], w, e, k;
	struct km_point ri, sum;
	uint8_t *mine = rush_m3_share(s, s->body, 0, 0);

	/* R and w as they would be */
	km_point_identity(c, &sum);
	for (unsigned j = 1; j <= 3; j++) {
		uint8_t *body = j == CORRUPT ? s->body : s->m->bcast[KM_PRESIGN_M3][j].raw + KM_MSG_HEAD;

		assert_int_equal(km_scalar_decode(c, &v[j - 1], rush_m3_share(s, body, 0, 0)), KM_OK);
		if (!km_set_has(s->index[0].quorum, j))
			continue;
		assert_int_equal(km_point_decode_var(c, &ri, rush_m3_share(s, body, 0, 2)), KM_OK);
		km_point_add(c, &sum, &sum, &ri);
	}
	km_shamir_interpolate(c, &w, v, 7, 0);
	honest_r = sum;
	/* R_j += eR, w share += e w / lambda_j */
	km_scalar_set_u32(&e, SCALE);
	km_point_mul_var(c, &sum, &e, &sum);
	assert_int_equal(km_point_decode_var(c, &ri, rush_m3_share(s, s->body, 0, 2)), KM_OK);
	km_point_add(c, &ri, &ri, &sum);
	assert_int_equal(km_point_encode_var(c, rush_m3_share(s, s->body, 0, 2), &ri), KM_OK);
	km_shamir_lagrange(c, &k, 7, CORRUPT, 0);
	km_scalar_inv(c, &k, &k);
	km_scalar_mul(c, &k, &k, &w);
	km_scalar_mul(c, &k, &k, &e);
	km_scalar_add(c, &v[CORRUPT - 1], &v[CORRUPT - 1], &k);
	km_scalar_encode(c, mine, &v[CORRUPT - 1]);
}

static void mount(struct group *g, struct rush *r)
{
	*r = (struct rush){ .hold = KM_JOB_OPEN, .change = { [KM_JOB_OPEN] = scale } };
	group_init(g, 7, 7, 2, 7, 1, 3);
	rush_attach(r, g->m[CORRUPT]);
	rush_run(g);
}

static void test_stopped(void **state)
{
	struct group g;
	struct rush r;

	rules_all();
	mount(&g, &r);
	for (unsigned i = 1; i <= 3; i += 2) {
		const struct net_party *p = net_party(g.net, (uint8_t)i);

		assert_true(p->dropped && !p->done);
		assert_int_equal(p->convicted, km_set_bit(CORRUPT));
		assert_true(rush_evidence(p, KM_EV_OPENING));
		assert_null(g.m[i]->bcast[KM_PRESIGN_C3][i].raw);
	}
	group_clear(&g);
}

static void test_without_rule(void **state)
{
	struct km_sign_input in;
	struct km_scalar e, rr, ss;
	struct group g;
	struct rush r;

	rules_all();
	rule_off(km_rule_c0);
	mount(&g, &r);
	for (unsigned i = 1; i <= 3; i++)
		assert_true(net_party(g.net, (uint8_t)i)->done);
	group_take(&g);
	/* R = (1 + e) times what it would have been, e chosen with R in sight; and it signs */
	km_scalar_set_u32(&e, SCALE + 1);
	km_point_mul_var(g.d.curve, &honest_r, &e, &honest_r);
	assert_true(km_point_equal_var(g.d.curve, &honest_r, &group_presig(&g, 1, 0)->r));
	group_input(&g, &in, "signed with a chosen multiple");
	assert_int_equal(group_sign(&g, 0, &in, &rr, &ss), KM_OK);
	group_clear(&g);
}

KM_TESTS(cmocka_unit_test(test_stopped), cmocka_unit_test(test_without_rule))
