/* attack_b6.c: two quorums without a common member spend one presignature. A run of engine majority among 1 to 4, T = 2, makes a
 * tuple for the quorum {1, 2}; 1 and 2 sign with it. 3 and 4 took part in the run and held Shamir shares of the same k^-1 and x/k:
 * with epsilon, which everybody hears, {3, 4} is a quorum as good as the first. 4 is corrupt and kept what it had; 3 is honest and
 * misled. Two signatures under one k are the key. Stopped by: whoever is not in the quorum of a tuple wipes its shares of it before
 * PASS, so that before epsilon is said the one quorum is all there is. */
#include "attack.h"
#include "rush.h"

#define QUORUM 3u
#define OTHERS (km_set_bit(3) | km_set_bit(4))
#define EVIL 4

static struct {
	struct group g;
	struct km_scalar a[5], c[5];   /* Shamir shares of a and c, as held when asked */
	struct km_scalar delta;
} at;

/* a(j) and c(j) = delta - rho_t(j), as they stand in the state of j. */
static void held(const struct km_presign *s)
{
	struct km_scalar rt = rush_see(&s->sh[KM_KIND_RT][0]);

	at.a[s->m->self] = rush_see(&s->sh[KM_KIND_A][0]);
	km_scalar_sub(s->curve, &at.c[s->m->self], &at.delta, &rt);
}

static void keep(void *ctx, struct km_presign *s)
{
	rush_opened(s, 0, 1, &at.delta);
	held(s);
}

/* y = m/k + r x/k by {3, 4}, from their shares and what 1 and 2 know in public. */
static void second(const struct km_presig *p, const struct km_sign_input *in, struct km_scalar *y, struct km_sign_nonce *nonce)
{
	const struct km_curve *c = p->curve;
	struct km_scalar alpha, beta, l, t;

	assert_int_equal(km_sign_nonce(p, in, nonce), KM_OK);
	km_scalar_zero(y);
	for (unsigned j = 3; j <= 4; j++) {
		/* alpha_j = lambda a_j / w, beta_j = lambda (epsilon a_j + c_j) / w */
		km_shamir_lagrange(c, &l, OTHERS, j, 0);
		km_scalar_inv(c, &t, &p->w);
		km_scalar_mul(c, &l, &l, &t);
		km_scalar_mul(c, &alpha, &l, &at.a[j]);
		km_scalar_mul(c, &beta, &p->epsilon, &at.a[j]);
		km_scalar_add(c, &beta, &beta, &at.c[j]);
		km_scalar_mul(c, &beta, &beta, &l);
		km_scalar_mul(c, &alpha, &alpha, &in->m);
		km_scalar_mul(c, &beta, &beta, &nonce->r);
		km_scalar_add(c, y, y, &alpha);
		km_scalar_add(c, y, y, &beta);
	}
}

/* y_i k = m_i + r_i x for i = 1, 2. */
static void solve(const struct km_curve *c, const struct km_scalar y[2], const struct km_scalar m[2], const struct km_scalar r[2],
		  struct km_scalar *x)
{
	struct km_scalar up, down, t;

	km_scalar_mul(c, &up, &y[1], &m[0]);
	km_scalar_mul(c, &t, &y[0], &m[1]);
	km_scalar_sub(c, &up, &up, &t);
	km_scalar_mul(c, &down, &y[0], &r[1]);
	km_scalar_mul(c, &t, &y[1], &r[0]);
	km_scalar_sub(c, &down, &down, &t);
	assert_false(km_scalar_is_zero(&down));
	km_scalar_inv(c, &down, &down);
	km_scalar_mul(c, x, &up, &down);
}

static int extracted(void)
{
	struct rush evil = {.change = {[KM_JOB_POINTS] = keep}};
	struct km_scalar y[2], m[2], r[2], x, is, share[2];
	struct km_sign_input in[2];
	struct km_sign_nonce n[2];
	const struct km_curve *c;
	struct km_presig *p;

	group_init(&at.g, 6, 15, 2, 15, 1, QUORUM);
	c = at.g.d.curve;
	rush_attach(&evil, at.g.m[EVIL]);
	rush_run(&at.g);
	for (unsigned i = 1; i <= 4; i++)
		assert_true(net_party(at.g.net, (uint8_t)i)->done);
	/* the corrupt one's are from before; the honest one is asked now, after the run */
	held(at.g.m[3]->state);
	group_take(&at.g);
	assert_null(group_presig(&at.g, 3, 0));
	p = group_presig(&at.g, 1, 0);
	group_input(&at.g, &in[0], "one");
	group_input(&at.g, &in[1], "two");
	second(p, &in[1], &y[1], &n[1]);
	assert_int_equal(group_shares(&at.g, 0, &in[0], &n[0], share), KM_OK);
	km_scalar_add(c, &y[0], &share[0], &share[1]);
	km_scalar_mul(c, &y[0], &y[0], &n[0].delta);
	for (unsigned i = 0; i < 2; i++) {
		m[i] = in[i].m;
		r[i] = n[i].r;
	}
	solve(c, y, m, r, &x);
	is = rush_see(&at.g.d.x);
	group_clear(&at.g);
	return km_scalar_equal(&x, &is);
}

static void test_stopped(void **state)
{
	rules_all();
	assert_false(extracted());
}

static void test_without_rule(void **state)
{
	rules_all();
	rule_off(km_rule_wipe_before_pass);
	assert_true(extracted());
	rules_all();
}

KM_TESTS(cmocka_unit_test(test_stopped), cmocka_unit_test(test_without_rule))
