/* attack_a5.c: two messages under one presignature, by a corrupt peer outside the quorum. 3 (in S) and 4 (outside) are corrupt; honest
 * 1 and 2 each sign once, but for different requests. Without zero shares alpha_i and beta_i are lambda_i times points of
 * polynomials of which 3 and 4 know two values: 1/k and x/k are two unknowns in two equations.
 * Stopped by: zero shares over the quorum at the hand-over. */
#include "attack.h"
#include "rush.h"

#define BAD (km_set_bit(3) | km_set_bit(4))
#define QUORUM 7u

static struct {
	struct group g;
	struct km_scalar a[KM_MAX_PEERS + 1], c[KM_MAX_PEERS + 1];  /* Shamir shares of the corrupt peers, kept from the wipe */
} at;

/* What 3 and 4 write down when M3 is complete: a(j) and c(j) = delta - rho_t(j). */
static void keep(void *ctx, struct km_presign *s)
{
	struct km_scalar delta, rt = rush_see(&s->sh[KM_KIND_RT][0]);

	rush_opened(s, 0, 1, &delta);
	at.a[s->m->self] = rush_see(&s->sh[KM_KIND_A][0]);
	km_scalar_sub(s->curve, &at.c[s->m->self], &delta, &rt);
}

/* The value at i of the polynomial of K, as pi K(0) + o with o known. */
static void line(const struct km_curve *c, unsigned i, const struct km_scalar *known, struct km_scalar *pi, struct km_scalar *o)
{
	struct km_scalar l;

	rush_lagrange0(c, pi, BAD, 0, i);
	km_scalar_zero(o);
	for (unsigned j = km_set_next(BAD, 0); j; j = km_set_next(BAD, j)) {
		rush_lagrange0(c, &l, BAD, j, i);
		km_scalar_mul(c, &l, &l, &known[j]);
		km_scalar_add(c, o, o, &l);
	}
}

/* y_i = alpha_i m + r beta_i = L pi m (1/k) + L pi r (x/k) + L (oa m + r (e oa + oc)) / w */
static void equation(const struct km_curve *c, unsigned i, const char *text, struct km_scalar row[3])
{
	struct km_presig *p = group_presig(&at.g, i, 0);
	struct km_scalar pi, oa, oc, l, k, y;
	struct km_sign_nonce nonce;
	struct km_sign_input in;

	group_input(&at.g, &in, text);
	assert_int_equal(km_sign_nonce(p, &in, &nonce), KM_OK);
	km_sign_share(p, &in, &nonce, &y);           /* the honest peer's one answer */
	km_scalar_mul(c, &y, &y, &nonce.delta);
	line(c, i, at.a, &pi, &oa);
	line(c, i, at.c, &pi, &oc);
	km_shamir_lagrange(c, &l, QUORUM, i, 0);
	km_scalar_mul(c, &pi, &pi, &l);
	km_scalar_mul(c, &row[0], &pi, &in.m);
	km_scalar_mul(c, &row[1], &pi, &nonce.r);
	km_scalar_mul(c, &k, &p->epsilon, &oa);
	km_scalar_add(c, &k, &k, &oc);
	km_scalar_mul(c, &k, &k, &nonce.r);
	km_scalar_mul(c, &oa, &oa, &in.m);
	km_scalar_add(c, &k, &k, &oa);
	km_scalar_mul(c, &k, &k, &l);
	km_scalar_inv(c, &l, &p->w);
	km_scalar_mul(c, &k, &k, &l);
	km_scalar_sub(c, &row[2], &y, &k);
}

static int extracted(void)
{
	struct km_scalar e1[3], e2[3], kinv, xk, t, x;
	struct rush r[2] = { { .change = { [KM_JOB_POINTS] = keep } }, { .change = { [KM_JOB_POINTS] = keep } } };
	const struct km_curve *c;
	int found;

	group_init(&at.g, 5, 0x1f, 3, 0x1f, 1, QUORUM);
	c = at.g.d.curve;
	rush_attach(&r[0], at.g.m[3]);
	rush_attach(&r[1], at.g.m[4]);
	rush_run(&at.g);
	for (unsigned i = 1; i <= 5; i++)
		assert_true(net_party(at.g.net, (uint8_t)i)->done);
	group_take(&at.g);
	equation(c, 1, "one", e1);
	equation(c, 2, "two", e2);
	/* Cramer; the determinant cancels in x = (x/k) / (1/k) */
	km_scalar_mul(c, &kinv, &e1[2], &e2[1]);
	km_scalar_mul(c, &t, &e2[2], &e1[1]);
	km_scalar_sub(c, &kinv, &kinv, &t);
	km_scalar_mul(c, &xk, &e1[0], &e2[2]);
	km_scalar_mul(c, &t, &e2[0], &e1[2]);
	km_scalar_sub(c, &xk, &xk, &t);
	assert_false(km_scalar_is_zero(&kinv));
	km_scalar_inv(c, &kinv, &kinv);
	km_scalar_mul(c, &x, &xk, &kinv);
	t = rush_see(&at.g.d.x);
	found = km_scalar_equal(&x, &t);
	group_clear(&at.g);
	return found;
}

static void test_stopped(void **state)
{
	rules_all();
	assert_false(extracted());
}

static void test_without_rule(void **state)
{
	rules_all();
	rule_off(km_rule_zero_shares);
	assert_true(extracted());
}

KM_TESTS(cmocka_unit_test(test_stopped), cmocka_unit_test(test_without_rule))
