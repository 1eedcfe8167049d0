/* tiny.h: groups so small that everything in them can be tried, and a second opinion on them: plain integers, affine formulas and
 * a table of logarithms, made without any of our arithmetic but the curve's numbers. */
#ifndef KM_TEST_TINY_H
#define KM_TEST_TINY_H

#include "tests/lib/test.h"
#include "ec/curve_impl.h"
#include "ec/point.h"
#include "ec/shamir.h"

#ifndef KM_TOY_CURVE
#error "exhaustive tests are built with -DKM_TOY_CURVE"
#endif

#define TINY_UNUSED __attribute__((unused))
#define TINY_Q_MAX 61

/* Runs the body for every curve of tiny order. */
#define TINY_EACH(c) \
	for (const struct km_curve *c = km_curve_by_id(KM_CURVE_TINY17); c; c = km_curve_by_id(km_curve_id(c) + 1))

struct tiny {
	const struct km_curve *c;
	unsigned p, q, b;
	struct { unsigned x, y; } at[TINY_Q_MAX];   /* kG for k = 1..q-1 */
	struct km_point pt[TINY_Q_MAX];             /* the same as the library has it, and the identity for 0 */
	uint8_t enc[TINY_Q_MAX][2];
};

/* a modulo m, for negative a too */
TINY_UNUSED static unsigned tiny_mod(long a, unsigned m)
{
	long r = a % (long)m;

	return (unsigned)(r < 0 ? r + (long)m : r);
}

TINY_UNUSED static unsigned tiny_inv(unsigned a, unsigned m)
{
	for (unsigned i = 1; i < m; i++)
		if (a * i % m == 1)
			return i;
	return 0;
}

TINY_UNUSED static struct km_scalar tiny_scalar(unsigned v)
{
	struct km_scalar s;

	km_scalar_set_u32(&s, v);
	return s;
}

TINY_UNUSED static struct km_secret tiny_secret(unsigned v)
{
	struct km_scalar s = tiny_scalar(v);
	struct km_secret r;

	km_secret_from_public(&r, &s);
	return r;
}

TINY_UNUSED static unsigned tiny_value(const struct km_scalar *s)
{
	for (unsigned i = 1; i < KM_LIMBS_MAX; i++)
		assert_true(s->l[i] == 0);
	return (unsigned)s->l[0];
}

TINY_UNUSED static unsigned tiny_seen(const struct km_secret *s)
{
	struct km_scalar v;

	km_secret_declassify(&v, s);
	return tiny_value(&v);
}

TINY_UNUSED static unsigned tiny_plain(const struct km_mod *m, const mp_limb_t *a)
{
	mp_limb_t v[KM_LIMBS_MAX];

	km_mod_from(m, v, a);
	return (unsigned)v[0];
}

TINY_UNUSED static int tiny_on_curve(const struct tiny *g, unsigned x, unsigned y)
{
	return y * y % g->p == tiny_mod((long)(x * x * x) - 3 * (long)x + (long)g->b, g->p);
}

/* G, 2G, ... by the formulas of a schoolbook. */
TINY_UNUSED static void tiny_init(struct tiny *g, const struct km_curve *c)
{
	unsigned x, y;

	memset(g, 0, sizeof(*g));
	g->c = c;
	g->p = (unsigned)c->p.m[0];
	g->q = (unsigned)c->q.m[0];
	g->b = tiny_plain(&c->p, c->b);
	km_point_identity(c, &g->pt[0]);
	x = tiny_plain(&c->p, c->gx);
	y = tiny_plain(&c->p, c->gy);
	for (unsigned k = 1; k < g->q; k++) {
		unsigned gx = g->at[1].x, gy = g->at[1].y, l;

		assert_true(tiny_on_curve(g, x, y));
		g->at[k].x = x;
		g->at[k].y = y;
		g->enc[k][0] = (uint8_t)(2 + (y & 1));
		g->enc[k][1] = (uint8_t)x;
		assert_int_equal(km_point_decode_var(c, &g->pt[k], g->enc[k]), KM_OK);
		if (k + 1 == g->q)
			break;
		if (k == 1)
			l = tiny_mod((3 * (long)(x * x) - 3) * (long)tiny_inv(2 * y % g->p, g->p), g->p);
		else
			l = tiny_mod((long)(y + g->p - gy) * (long)tiny_inv((x + g->p - gx) % g->p, g->p), g->p);
		if (k == 1) {
			gx = x;
			gy = y;
		}
		unsigned nx = tiny_mod((long)(l * l) - (long)x - (long)gx, g->p);
		y = tiny_mod((long)l * ((long)gx - (long)nx) - (long)gy, g->p);
		x = nx;
	}
}

/* k with P = kG. */
TINY_UNUSED static unsigned tiny_log(const struct tiny *g, const struct km_point *p)
{
	uint8_t enc[2];

	if (km_point_encode_var(g->c, enc, p))
		return 0;
	for (unsigned k = 1; k < g->q; k++)
		if (memcmp(enc, g->enc[k], 2) == 0)
			return k;
	fail_msg("not in the group");
	return 0;
}

/* The next subset of the same size, 0 after the last. */
TINY_UNUSED static uint32_t tiny_next_subset(uint32_t set, unsigned n)
{
	uint32_t low = set & -set, up = set + low, next = up | ((set ^ up) / low >> 2);

	return next >> n ? 0 : next;
}

#endif
