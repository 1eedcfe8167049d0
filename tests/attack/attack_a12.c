/* attack_a12.c: zero shares reused over the tuples of a run. 3 (in S, owner) and 4 (outside) are corrupt; eight times 3 sends different
 * requests to honest 1 and 2. The zero share of the pair (1, 2) is the only thing it does not know: one z_a and one z_c if the
 * summand is not fresh for every index. Every tuple gives P = 1/k and Q = x/k as affine functions of (z_a, z_c); P Q' = P' Q for any
 * two tuples is linear in the monomials of (z_a, z_c), and 28 pairs determine those. x = Q / P.
 * Stopped by: a fresh summand for every index and kind. */
#include "attack.h"
#include "rush.h"
#include "base/hash.h"

#define BAD (km_set_bit(3) | km_set_bit(4))
#define QUORUM 7u
#define TUPLES 8
#define UNKNOWNS 5

typedef struct km_scalar affine[3];    /* 1, z_a, z_c */

static struct {
	struct group g;
	const struct km_curve *c;
	struct km_scalar a[TUPLES][5], cc[TUPLES][5];  /* by tuple and corrupt peer */
	uint8_t seed[3][KM_SEED_SIZE];                 /* pair seeds of 3 with 1 and 2 */
	int reused;                                    /* what the attacker takes for the rule in force */
} at;

static void keep_shares(void *ctx, struct km_presign *s)
{
	for (unsigned l = 0; l < TUPLES; l++) {
		struct km_scalar delta, rt = rush_see(&s->sh[KM_KIND_RT][l]);

		rush_opened(s, l, 1, &delta);
		at.a[l][s->m->self] = rush_see(&s->sh[KM_KIND_A][l]);
		km_scalar_sub(s->curve, &at.cc[l][s->m->self], &delta, &rt);
	}
	for (unsigned h = 1; h <= 2 && s->m->self == 3; h++)
		memcpy(at.seed[h], s->early->pair[h], KM_SEED_SIZE);
}

/* The summand of the pair (h, 3) as 3 knows it. */
static void known_summand(struct km_scalar *z, unsigned h, unsigned l, unsigned kind)
{
	struct km_hash x;

	km_hash_init(&x, "zero-share");
	km_hash_field(&x, at.seed[h], KM_SEED_SIZE);
	km_hash_field(&x, at.g.m[3]->sid, KM_HASH_SIZE);
	km_hash_u32(&x, at.reused ? 0 : l);
	km_hash_u8(&x, (uint8_t)kind);
	km_hash_u8(&x, (uint8_t)h);
	km_hash_u8(&x, 3);
	km_scalar_from_hash(at.c, z, &x);
}

static void known_part(struct km_scalar *o, unsigned h, const struct km_scalar *share)
{
	struct km_scalar t;

	km_scalar_zero(o);
	for (unsigned j = 3; j <= 4; j++) {
		rush_lagrange0(at.c, &t, BAD, j, h);
		km_scalar_mul(at.c, &t, &t, &share[j]);
		km_scalar_add(at.c, o, o, &t);
	}
}

static void muladd(struct km_scalar *r, const struct km_scalar *a, const struct km_scalar *b)
{
	struct km_scalar t;

	km_scalar_mul(at.c, &t, a, b);
	km_scalar_add(at.c, r, r, &t);
}

/* y_h = m L pi P + r L pi Q + const +- ((m + r e)/w z_a + r/w z_c): coefficients of P and Q, and y_h - the rest as affine. */
static void one_answer(unsigned l, unsigned h, struct km_scalar *cp, struct km_scalar *cq, affine rest)
{
	const struct km_curve *c = at.c;
	struct km_presig *p = group_presig(&at.g, h, l);
	struct km_scalar y, pi, lam, oa, oc, ka, kc, w, mre, t;
	struct km_sign_input in;
	struct km_sign_nonce n;
	char text[16] = "request ";

	text[8] = (char)('a' + l);
	text[9] = (char)('0' + h);
	group_input(&at.g, &in, text);
	assert_int_equal(km_sign_nonce(p, &in, &n), KM_OK);
	km_sign_share(p, &in, &n, &y);
	km_scalar_mul(c, &y, &y, &n.delta);
	km_shamir_lagrange(c, &lam, QUORUM, h, 0);
	rush_lagrange0(c, &pi, BAD, 0, h);
	km_scalar_mul(c, &pi, &pi, &lam);
	km_scalar_mul(c, cp, &pi, &in.m);
	km_scalar_mul(c, cq, &pi, &n.r);
	known_part(&oa, h, at.a[l]);
	known_part(&oc, h, at.cc[l]);
	known_summand(&ka, h, l, KM_KIND_A);
	known_summand(&kc, h, l, KM_KIND_C);
	muladd(&ka, &lam, &oa);                       /* all of a_h but +-z_a */
	muladd(&kc, &lam, &oc);
	km_scalar_inv(c, &w, &p->w);
	mre = in.m;
	muladd(&mre, &n.r, &p->epsilon);              /* m + r e */
	km_scalar_mul(c, &mre, &mre, &w);
	km_scalar_mul(c, &w, &w, &n.r);               /* r / w */
	km_scalar_mul(c, &t, &mre, &ka);
	km_scalar_sub(c, &rest[0], &y, &t);
	km_scalar_mul(c, &t, &w, &kc);
	km_scalar_sub(c, &rest[0], &rest[0], &t);
	rest[1] = mre;
	rest[2] = w;
	if (h == 1) {                                 /* 1 has +z, 2 has -z */
		km_scalar_neg(c, &rest[1], &rest[1]);
		km_scalar_neg(c, &rest[2], &rest[2]);
	}
}

/* P and Q of a tuple as affine functions of (z_a, z_c). */
static void tuple(unsigned l, affine p, affine q)
{
	const struct km_curve *c = at.c;
	struct km_scalar a1, b1, a2, b2, det, t;
	affine v1, v2;

	one_answer(l, 1, &a1, &b1, v1);
	one_answer(l, 2, &a2, &b2, v2);
	km_scalar_mul(c, &det, &a1, &b2);
	km_scalar_mul(c, &t, &a2, &b1);
	km_scalar_sub(c, &det, &det, &t);
	km_scalar_inv(c, &det, &det);
	for (unsigned i = 0; i < 3; i++) {
		km_scalar_mul(c, &p[i], &v1[i], &b2);
		km_scalar_mul(c, &t, &v2[i], &b1);
		km_scalar_sub(c, &p[i], &p[i], &t);
		km_scalar_mul(c, &p[i], &p[i], &det);
		km_scalar_mul(c, &q[i], &v2[i], &a1);
		km_scalar_mul(c, &t, &v1[i], &a2);
		km_scalar_sub(c, &q[i], &q[i], &t);
		km_scalar_mul(c, &q[i], &q[i], &det);
	}
}

/* Gauss-Jordan; row = coefficients, then the right side. 0 when singular. */
static int solve(struct km_scalar m[][UNKNOWNS + 1], unsigned rows)
{
	struct km_scalar inv, f, t;

	for (unsigned col = 0; col < UNKNOWNS; col++) {
		unsigned pv = col;

		while (pv < rows && km_scalar_is_zero(&m[pv][col]))
			pv++;
		if (pv == rows)
			return 0;
		for (unsigned k = 0; k <= UNKNOWNS; k++) {
			t = m[pv][k];
			m[pv][k] = m[col][k];
			m[col][k] = t;
		}
		km_scalar_inv(at.c, &inv, &m[col][col]);
		for (unsigned k = 0; k <= UNKNOWNS; k++)
			km_scalar_mul(at.c, &m[col][k], &m[col][k], &inv);
		for (unsigned i = 0; i < rows; i++) {
			f = m[i][col];
			for (unsigned k = 0; k <= UNKNOWNS && i != col; k++) {
				km_scalar_mul(at.c, &t, &f, &m[col][k]);
				km_scalar_sub(at.c, &m[i][k], &m[i][k], &t);
			}
		}
	}
	return 1;
}

/* Q_i P_j - Q_j P_i, coefficient of monomial x*y. */
static void cross(struct km_scalar *r, affine qi, affine pj, affine qj, affine pi, unsigned x, unsigned y)
{
	struct km_scalar t;

	km_scalar_mul(at.c, r, &qi[x], &pj[y]);
	km_scalar_mul(at.c, &t, &qj[x], &pi[y]);
	km_scalar_sub(at.c, r, r, &t);
}

static void evaluate(struct km_scalar *r, affine v, const struct km_scalar *za, const struct km_scalar *zc)
{
	*r = v[0];
	muladd(r, &v[1], za);
	muladd(r, &v[2], zc);
}

static int solve_x(struct km_scalar *x)
{
	static affine p[TUPLES], q[TUPLES];
	static struct km_scalar m[TUPLES * (TUPLES - 1) / 2][UNKNOWNS + 1];
	/* monomials z_a^2, z_a z_c, z_c^2, z_a, z_c */
	static const unsigned mono[UNKNOWNS][2] = { { 1, 1 }, { 1, 2 }, { 2, 2 }, { 0, 1 }, { 0, 2 } };
	struct km_scalar t, num, den;
	unsigned rows = 0;

	for (unsigned l = 0; l < TUPLES; l++)
		tuple(l, p[l], q[l]);
	for (unsigned i = 0; i < TUPLES; i++)
		for (unsigned j = 0; j < i; j++, rows++) {
			for (unsigned k = 0; k < UNKNOWNS; k++) {
				cross(&m[rows][k], q[i], p[j], q[j], p[i], mono[k][0], mono[k][1]);
				if (mono[k][0] != mono[k][1]) {
					cross(&t, q[i], p[j], q[j], p[i], mono[k][1], mono[k][0]);
					km_scalar_add(at.c, &m[rows][k], &m[rows][k], &t);
				}
			}
			cross(&t, q[i], p[j], q[j], p[i], 0, 0);
			km_scalar_neg(at.c, &m[rows][UNKNOWNS], &t);
		}
	if (!solve(m, rows))
		return 0;
	evaluate(&num, q[0], &m[3][UNKNOWNS], &m[4][UNKNOWNS]);
	evaluate(&den, p[0], &m[3][UNKNOWNS], &m[4][UNKNOWNS]);
	if (km_scalar_is_zero(&den))
		return 0;
	km_scalar_inv(at.c, &den, &den);
	km_scalar_mul(at.c, x, &num, &den);
	return 1;
}

/* The honest peers answer once for each tuple: one attempt is one run. */
static int extracted(int reused)
{
	struct rush r[2] = { { .change = { [KM_JOB_POINTS] = keep_shares } }, { .change = { [KM_JOB_POINTS] = keep_shares } } };
	struct km_scalar x, want;
	int found;

	group_init(&at.g, 12, 0x1f, 3, 0x1f, TUPLES, QUORUM);
	at.c = at.g.d.curve;
	at.reused = reused;
	rush_attach(&r[0], at.g.m[3]);
	rush_attach(&r[1], at.g.m[4]);
	rush_run(&at.g);
	for (unsigned i = 1; i <= 5; i++)
		assert_true(net_party(at.g.net, (uint8_t)i)->done);
	group_take(&at.g);
	found = solve_x(&x);
	want = rush_see(&at.g.d.x);
	found = found && km_scalar_equal(&x, &want);
	group_clear(&at.g);
	return found;
}

static void test_stopped(void **state)
{
	rules_all();
	assert_false(extracted(0));
	assert_false(extracted(1));
}

static void test_without_rule(void **state)
{
	rules_all();
	rule_off(km_rule_zero_fresh);
	assert_true(extracted(1));
}

KM_TESTS(cmocka_unit_test(test_stopped), cmocka_unit_test(test_without_rule))
