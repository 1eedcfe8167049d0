/* attack_a11.c: unproved V in a one-round C3. A rushing member sees everybody's C3, invents C' = fR with a proof, and solves the sum
 * checks for a V whose logarithm it does not know. Everything passes; the honest members take C4 over it.
 * Stopped by: the batch proof of all v_i. */
#include "attack.h"
#include "rush.h"
#include "base/hash.h"

#define CORRUPT 2
#define QUORUM 3u

static void challenge(const struct km_presign *s, const uint8_t *row, struct km_scalar *e)
{
	uint8_t w[32];
	struct km_hash h;

	km_scalar_encode(s->curve, w, &s->w[0]);
	km_hash_init(&h, "c3");
	km_hash_field(&h, s->m->sid, KM_HASH_SIZE);
	km_hash_u32(&h, 0);
	km_hash_u8(&h, CORRUPT);
	km_hash_field(&h, s->r_enc, s->ps);
	km_hash_field(&h, w, 32);
	km_hash_field(&h, row + 2 * s->ps, s->ps);
	km_hash_field(&h, row, s->ps);
	km_hash_field(&h, row + s->ps, s->ps);
	km_hash_field(&h, row + 3 * s->ps, s->ps);
	km_scalar_from_hash(s->curve, e, &h);
}

static void solve_v(void *ctx, struct km_presign *s)
{
	const struct km_curve *c = s->curve;
	const uint8_t *other = km_presign_body(s, KM_PRESIGN_C3, 1) + KM_HASH_SIZE + s->ps + s->ss;
	uint8_t *row = rush_c3_row(s, 0);
	struct km_scalar f, u, e, z, t;
	struct km_point c1, v1, p;

	/* C' = fR */
	km_scalar_set_u32(&f, 4711);
	km_secret_from_public(&s->c[0], &f);
	km_point_mul_var(c, &s->pc[0], &f, &s->r[0]);
	assert_int_equal(km_point_encode_var(c, row + s->ps, &s->pc[0]), KM_OK);
	/* V = (C'_1 + C') / w - V_1 */
	assert_int_equal(km_point_decode_var(c, &c1, other + s->ps), KM_OK);
	assert_int_equal(km_point_decode_var(c, &v1, other + 2 * s->ps), KM_OK);
	km_point_add(c, &p, &c1, &s->pc[0]);
	km_scalar_inv(c, &t, &s->w[0]);
	km_point_mul_var(c, &p, &t, &p);
	km_point_sub(c, &p, &p, &v1);
	s->pv[1] = p;
	assert_int_equal(km_point_encode_var(c, row + 2 * s->ps, &p), KM_OK);
	/* a good proof of (a, f) */
	km_scalar_set_u32(&u, 99);
	km_point_mul_var(c, &p, &u, &s->r[0]);
	assert_int_equal(km_point_encode_var(c, row + 3 * s->ps, &p), KM_OK);
	challenge(s, row, &e);
	t = rush_see(&s->a[0]);
	km_scalar_mul(c, &z, &e, &f);
	km_scalar_add(c, &z, &z, &t);
	km_scalar_mul(c, &z, &z, &e);
	km_scalar_add(c, &z, &z, &u);
	km_scalar_encode(c, row + 4 * s->ps, &z);
}

static void mount(struct group *g, struct rush *r)
{
	*r = (struct rush){ .hold = KM_JOB_POINTS, .change = { [KM_JOB_POINTS] = solve_v } };
	group_init(g, 11, 7, 2, 7, 1, QUORUM);
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
		assert_true(net_party(g.net, (uint8_t)i)->dropped);
		assert_int_equal(net_party(g.net, (uint8_t)i)->convicted, km_set_bit(CORRUPT));
		assert_int_equal(net_party(g.net, (uint8_t)i)->evidence_kind, KM_EV_C3_PROOF);
		assert_null(g.m[i]->bcast[KM_PRESIGN_C4][i].raw);
	}
	group_clear(&g);
}

static void test_without_rule(void **state)
{
	struct group g;
	struct rush r;

	rules_all();
	rule_off(km_rule_v_proof);
	mount(&g, &r);
	/* the run was certified by everybody and key-dependent values went out; only C4 shows the cheat */
	assert_non_null(g.m[1]->bcast[KM_PRESIGN_PASS][1].raw);
	assert_non_null(g.m[1]->bcast[KM_PRESIGN_C4][1].raw);
	assert_true(net_party(g.net, 1)->done);
	assert_int_equal(net_party(g.net, 1)->evidence_kind, KM_EV_EPSILON);
	group_take(&g);
	assert_null(group_presig(&g, 1, 0));
	group_clear(&g);
}

KM_TESTS(cmocka_unit_test(test_stopped), cmocka_unit_test(test_without_rule))
