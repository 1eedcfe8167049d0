/* attack_a8.c: one tuple bound to two keys (a cache of "key-independent" tuples). Two signatures under one k, with keys that differ by
 * a public number: both keys follow.
 * Stopped by: a tuple leaves the table before epsilon is made, and binds to the key in its sid only. */
#include <stdlib.h>
#include "attack.h"
#include "rush.h"

#define QUORUM 3u

static void start(struct group *g, struct dealer *second)
{
	group_init(g, 8, 7, 2, 7, 1, QUORUM);
	dealer_init(second, 88, g->d.curve, 7, 2);
	net_run(g->net, 0);
	for (unsigned i = 1; i <= 3; i++)
		assert_true(net_party(g->net, (uint8_t)i)->done);
	group_take(g);
}

static void test_stopped(void **state)
{
	static const struct km_secret zero;
	struct dealer second;
	struct group g;

	rules_all();
	start(&g, &second);
	for (unsigned i = 1; i <= 2; i++) {
		struct km_presign *s = g.m[i]->state;

		assert_int_equal(km_bind_epsilon(s, second.table.hash, &second.share[i]), KM_E_MISMATCH);
		assert_int_equal(km_bind_epsilon(s, g.d.table.hash, &g.d.share[i]), KM_E_STATE);
		assert_memory_equal(&s->v[0], &zero, sizeof(zero));
		assert_memory_equal(&s->a[0], &zero, sizeof(zero));
		assert_memory_equal(&s->c[0], &zero, sizeof(zero));
	}
	group_clear(&g);
}

/* y = m/k + r x/k, the signature before delta is divided out. */
static void sum_shares(const struct km_curve *c, struct km_presig *const p[2], const struct km_sign_input *in, struct km_scalar *y, struct km_scalar *r)
{
	struct km_sign_nonce nonce;
	struct km_scalar s;

	km_scalar_zero(y);
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(km_sign_nonce(p[i], in, &nonce), KM_OK);
		km_sign_share(p[i], in, &nonce, &s);
		km_scalar_add(c, y, y, &s);
	}
	km_scalar_mul(c, y, y, &nonce.delta);
	*r = nonce.r;
}

static void test_without_rule(void **state)
{
	struct km_presig *first[2], *other[2];
	struct km_scalar e1, e2, y1, y2, r1, r2, d, t, num, den, x;
	struct km_sign_input in1, in2;
	const struct km_curve *c;
	struct dealer second;
	struct group g;

	rules_all();
	rule_off(km_rule_bind_once);
	start(&g, &second);
	c = g.d.curve;
	km_scalar_zero(&e2);
	for (unsigned i = 1; i <= 2; i++) {
		struct km_presign *s = g.m[i]->state;

		first[i - 1] = group_presig(&g, i, 0);
		e1 = first[i - 1]->epsilon;
		assert_int_equal(km_bind_epsilon(s, second.table.hash, &second.share[i]), KM_OK);
		km_scalar_add(c, &e2, &e2, &s->epsilon[0]);
	}
	for (unsigned i = 1; i <= 2; i++) {
		struct km_presign *s = g.m[i]->state;

		s->epsilon[0] = e2;
		s->done = calloc(1, sizeof(*s->done));
		assert_non_null(s->done);
		assert_int_equal(km_bind_finish(s), KM_OK);
		other[i - 1] = s->done[0];
	}
	group_input(&g, &in1, "by the first key");
	group_input(&g, &in2, "by the second key");
	sum_shares(c, first, &in1, &y1, &r1);
	sum_shares(c, other, &in2, &y2, &r2);
	/* y1 k = m1 + r1 x1, y2 k = m2 + r2 x2, x2 = x1 + (e2 - e1) */
	km_scalar_sub(c, &d, &e2, &e1);
	km_scalar_mul(c, &t, &r2, &d);
	km_scalar_add(c, &t, &t, &in2.m);
	km_scalar_mul(c, &t, &t, &y1);
	km_scalar_mul(c, &num, &y2, &in1.m);
	km_scalar_sub(c, &num, &num, &t);
	km_scalar_mul(c, &den, &y1, &r2);
	km_scalar_mul(c, &t, &y2, &r1);
	km_scalar_sub(c, &den, &den, &t);
	km_scalar_inv(c, &den, &den);
	km_scalar_mul(c, &x, &num, &den);
	t = rush_see(&g.d.x);
	assert_true(km_scalar_equal(&x, &t));
	km_scalar_add(c, &x, &x, &d);
	t = rush_see(&second.x);
	assert_true(km_scalar_equal(&x, &t));
	group_clear(&g);
}

KM_TESTS(cmocka_unit_test(test_stopped), cmocka_unit_test(test_without_rule))
