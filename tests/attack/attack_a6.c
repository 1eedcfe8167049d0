/* attack_a6.c: bad-degree dealing. N = 4, T = 2, so n' = 2t + 2: one share of redundancy. Corrupt 4 deals points of `a` that lie on no
 * line, waits for everybody's opened products, reads k and v out of their parity, repairs its own share so that the degree check
 * passes, and bends its own a and c so that certification passes, too. Then epsilon + v = x.
 * Stopped by: the dealing check. */
#include "attack.h"
#include "rush.h"

#define N 4
#define SELF 4
#define QUORUM (km_set_bit(1) | km_set_bit(4))
#define HONEST 7u

static struct {
	struct km_scalar off[N + 1];   /* added to a(1), a(2), a(3) */
	struct km_scalar k, v;         /* what leaked */
} at;

/* Adds the offsets to what is dealt in group 0 and makes the list of roots agree. Row 0 of the extraction is all ones: index 0 gets
 * exactly these. */
static void deal_badly(void *ctx, struct km_presign *s)
{
	size_t size = s->deal_len / s->n;
	struct km_shape shape;
	struct km_scalar v;

	for (unsigned j = 1; j <= 3; j++) {
		uint8_t *body = s->deal + (j - 1) * size, *share = body + KM_SEED_SIZE + KM_KIND_A * s->ss;

		km_scalar_set_u32(&at.off[j], 1000 + j * j * j);
		assert_int_equal(km_scalar_decode(s->curve, &v, share), KM_OK);
		km_scalar_add(s->curve, &v, &v, &at.off[j]);
		km_scalar_encode(s->curve, share, &v);
		assert_int_equal(km_presign_shape(s, KM_PRESIGN_M1, SELF, j, &shape), KM_OK);
		assert_int_equal(km_msg_root(s->body + (j - 1) * KM_HASH_SIZE, &shape, body), KM_OK);
	}
}

/* Coefficient of the value at i in the check "degree at most 2" over the points 1..4. */
static void parity(const struct km_curve *c, struct km_scalar *p, unsigned i)
{
	struct km_scalar a, b;

	km_scalar_set_u32(p, 1);
	for (unsigned j = 1; j <= N; j++) {
		if (j == i)
			continue;
		km_scalar_set_u32(&a, i);
		km_scalar_set_u32(&b, j);
		km_scalar_sub(c, &a, &a, &b);
		km_scalar_mul(c, p, p, &a);
	}
	km_scalar_inv(c, p, p);
}

/* K(i) = p0 K(0) + p4 K(4) on a line. */
static void on_line(const struct km_curve *c, unsigned i, struct km_scalar *p0, struct km_scalar *p4)
{
	rush_lagrange0(c, p0, km_set_bit(SELF), 0, i);
	rush_lagrange0(c, p4, km_set_bit(SELF), SELF, i);
}

/* One product: leaks the secret of K (k or v), rewrites the own share; shift = sum over 1..3 of L_i(0) off_i K(i), by which the opened
 * product is now wrong. */
static void leak(struct km_presign *s, unsigned which, const struct km_scalar *k4, struct km_scalar *secret, struct km_scalar *shift)
{
	const struct km_curve *c = s->curve;
	struct km_scalar p[N + 1], u[N + 1], p0, p4, sum, c0, c1, t, own;
	uint8_t *mine = rush_m3_share(s, s->body, 0, which);

	km_scalar_zero(&sum);
	km_scalar_zero(&c0);
	km_scalar_zero(&c1);
	for (unsigned i = 1; i <= N; i++) {
		uint8_t *body = i == SELF ? s->body : s->m->bcast[KM_PRESIGN_M3][i].raw + KM_MSG_HEAD;

		assert_int_equal(km_scalar_decode(c, &u[i], rush_m3_share(s, body, 0, which)), KM_OK);
		parity(c, &p[i], i);
		km_scalar_mul(c, &t, &p[i], &u[i]);
		km_scalar_add(c, &sum, &sum, &t);            /* = sum p_i off_i K(i) */
		if (i == SELF)
			continue;
		on_line(c, i, &p0, &p4);
		km_scalar_mul(c, &t, &p[i], &at.off[i]);
		km_scalar_mul(c, &p0, &p0, &t);
		km_scalar_add(c, &c0, &c0, &p0);
		km_scalar_mul(c, &p4, &p4, &t);
		km_scalar_add(c, &c1, &c1, &p4);
	}
	km_scalar_mul(c, &t, &c1, k4);
	km_scalar_sub(c, secret, &sum, &t);
	km_scalar_inv(c, &c0, &c0);
	km_scalar_mul(c, secret, secret, &c0);
	/* own share := what makes the parity vanish */
	km_scalar_mul(c, &t, &p[SELF], &u[SELF]);
	km_scalar_sub(c, &own, &t, &sum);
	km_scalar_inv(c, &t, &p[SELF]);
	km_scalar_mul(c, &own, &own, &t);
	km_scalar_encode(c, mine, &own);
	km_scalar_zero(shift);
	for (unsigned i = 1; i <= 3; i++) {
		on_line(c, i, &p0, &p4);
		km_scalar_mul(c, &p0, &p0, secret);
		km_scalar_mul(c, &p4, &p4, k4);
		km_scalar_add(c, &p0, &p0, &p4);
		km_shamir_lagrange(c, &t, HONEST, i, 0);
		km_scalar_mul(c, &t, &t, &at.off[i]);
		km_scalar_mul(c, &t, &t, &p0);
		km_scalar_add(c, shift, shift, &t);
	}
}

static void add_to(const struct km_curve *c, struct km_secret *x, const struct km_scalar *by)
{
	km_secret_add_pub(c, x, x, by);
}

/* k and v are known now; own a and c follow the products as they were opened: w = k (a + d), so sum a_i must be a + d. */
static void read_and_repair(void *ctx, struct km_presign *s)
{
	const struct km_curve *c = s->curve;
	struct km_scalar k4 = rush_see(&s->sh[KM_KIND_K][0]), v4 = rush_see(&s->sh[KM_KIND_V][0]), ws, cs, d, t, l;

	leak(s, 0, &k4, &at.k, &ws);
	leak(s, 1, &v4, &at.v, &cs);
	km_scalar_inv(c, &d, &at.k);
	km_scalar_mul(c, &d, &d, &ws);
	/* a_4 += d - lambda_1 off_1 */
	km_shamir_lagrange(c, &l, QUORUM, 1, 0);
	km_scalar_mul(c, &t, &l, &at.off[1]);
	km_scalar_sub(c, &t, &d, &t);
	add_to(c, &s->a[0], &t);
	/* c_4 += d v - cs, by way of rho_t(4): c_4 = lambda_4 (delta - rho_t) */
	km_scalar_mul(c, &t, &d, &at.v);
	km_scalar_sub(c, &t, &cs, &t);
	km_shamir_lagrange(c, &l, QUORUM, SELF, 0);
	km_scalar_inv(c, &l, &l);
	km_scalar_mul(c, &t, &t, &l);
	add_to(c, &s->sh[KM_KIND_RT][0], &t);
}

static void mount(struct group *g, struct rush *r)
{
	*r = (struct rush){ .hold = KM_JOB_OPEN, .change = { [KM_JOB_DEAL] = deal_badly, [KM_JOB_OPEN] = read_and_repair } };
	group_init(g, 6, 0xf, 2, 0xf, 1, QUORUM);
	rush_attach(r, g->m[SELF]);
	rush_run(g);
}

static void test_stopped(void **state)
{
	struct group g;
	struct rush r;

	rules_all();
	mount(&g, &r);
	for (unsigned i = 1; i <= 3; i++) {
		assert_true(net_party(g.net, (uint8_t)i)->dropped);
		assert_int_equal(net_party(g.net, (uint8_t)i)->drop_code, KM_E_VERIFY);
		/* what leaked is of a run that is never bound: no epsilon */
		assert_null(g.m[i]->bcast[KM_PRESIGN_C4][i].raw);
		assert_null(g.m[i]->bcast[KM_PRESIGN_C3][i].raw);
	}
	group_clear(&g);
}

static void test_without_rule(void **state)
{
	struct km_scalar x, want;
	struct group g;
	struct rush r;

	rules_all();
	rule_off(km_rule_dealing_check);
	mount(&g, &r);
	for (unsigned i = 1; i <= N; i++)
		assert_true(net_party(g.net, (uint8_t)i)->done);
	group_take(&g);
	km_scalar_add(g.d.curve, &x, &at.v, &group_presig(&g, 1, 0)->epsilon);
	want = rush_see(&g.d.x);
	assert_true(km_scalar_equal(&x, &want));
	group_clear(&g);
}

KM_TESTS(cmocka_unit_test(test_stopped), cmocka_unit_test(test_without_rule))
