/* toy.c: see toy.h. Compiled for tests only.
 *
 * How they were found. toy-63: p = 2^63 - 25, the largest prime below 2^63 that is 3 modulo 4; b the least for which the number
 * of points (counted by baby steps and giant steps in Hasse's interval) is a prime of 63 bits. tiny-q: by counting the points
 * of every b for p = 23, 43, 59; two with q < p, so that x mod q reduces, and two with q > p. The generator has the least
 * abscissa from 1 on, and the even ordinate. q >= 17, so that the odd multiples P, 3P, ... 15P of a sum's table are none of
 * them the identity. tests/exhaustive/test_group.c counts and proves all of it again. */
#include <string.h>
#include "toy.h"
#include "jacobian.h"

static const struct km_curve curves[] = {
	{
		.id = KM_CURVE_TOY, .name = "toy-63", .bits = 63, .n = 1, .size = 8,
		.p = { .n = 1, .minv = 0x0f5c28f5c28f5c29, .m = { 0x7fffffffffffffe7 }, .one = { 0x32 }, .rr = { 0x9c4 } },
		.q = { .n = 1, .minv = 0x732dbcf4e4d5b791, .m = { 0x7ffffffee558168f }, .one = { 0x00000002354fd2e2 },
		       .rr = { 0x605971c7591ac47d } },
		.b = { 0x352 }, .gx = { 0x32 }, .gy = { 0x71c796baca353c24 },
	},
	{
		.id = KM_CURVE_TINY17, .name = "tiny-17", .bits = 5, .n = 1, .size = 1,
		.p = { .n = 1, .minv = 0x2c8590b21642c859, .m = { 23 }, .one = { 6 }, .rr = { 13 } },
		.q = { .n = 1, .minv = 0x0f0f0f0f0f0f0f0f, .m = { 17 }, .one = { 1 }, .rr = { 1 } },
		.b = { 21 }, .gx = { 6 }, .gy = { 13 },
	},
	{
		.id = KM_CURVE_TINY31, .name = "tiny-31", .bits = 5, .n = 1, .size = 1,
		.p = { .n = 1, .minv = 0x2c8590b21642c859, .m = { 23 }, .one = { 6 }, .rr = { 13 } },
		.q = { .n = 1, .minv = 0x1084210842108421, .m = { 31 }, .one = { 16 }, .rr = { 8 } },
		.b = { 2 }, .gx = { 6 }, .gy = { 3 },
	},
	{
		.id = KM_CURVE_TINY37, .name = "tiny-37", .bits = 6, .n = 1, .size = 1,
		.p = { .n = 1, .minv = 0x7d05f417d05f417d, .m = { 43 }, .one = { 41 }, .rr = { 4 } },
		.q = { .n = 1, .minv = 0xeb3e45306eb3e453, .m = { 37 }, .one = { 12 }, .rr = { 33 } },
		.b = { 23 }, .gx = { 31 }, .gy = { 31 },
	},
	{
		.id = KM_CURVE_TINY61, .name = "tiny-61", .bits = 6, .n = 1, .size = 1,
		.p = { .n = 1, .minv = 0x34115b1e5f75270d, .m = { 59 }, .one = { 5 }, .rr = { 25 } },
		.q = { .n = 1, .minv = 0xb04325c53ef368eb, .m = { 61 }, .one = { 16 }, .rr = { 12 } },
		.b = { 45 }, .gx = { 5 }, .gy = { 23 },
	},
};

const struct km_curve *km_toy_by_id(unsigned id)
{
	for (size_t i = 0; i < sizeof(curves) / sizeof(curves[0]); i++)
		if (curves[i].id == id)
			return &curves[i];
	return NULL;
}

mp_limb_t km_toy_reduce(const struct km_mod *m, const uint8_t *in, size_t len)
{
	km_u128 v = 0;

	/* eight bytes at a time, what is left over first */
	for (size_t take = len % 8 ? len % 8 : 8; len; in += take, len -= take, take = 8) {
		mp_limb_t chunk;

		km_limbs_from_bytes(&chunk, 1, in, take);
		v = (v << 64 | chunk) % m->m[0];
	}
	return (mp_limb_t)v;
}

#define WINDOWS 16

/* (X, Y, Z), Jacobian, is (XZ : Y : Z^3) */
static void from_jacobian(const struct km_curve *c, struct km_point *r, const mp_limb_t *jac)
{
	km_point_identity(c, r);
	if (!jac[2])
		return;
	km_f_mul(c, r->x, jac, jac + 2, 1);
	r->y[0] = jac[1];
	km_f_sqr(c, r->z, jac + 2, 1);
	km_f_mul(c, r->z, r->z, jac + 2, 1);
}

/* t[u] = uP for u = 0..15; P = (X : Y : Z) is (XZ, YZ^2, Z). */
static void multiples(const struct km_curve *c, mp_limb_t (*t)[3], const struct km_point *p)
{
	memset(t[0], 0, sizeof(t[0]));
	km_f_mul(c, &t[1][0], p->x, p->z, 1);
	km_f_sqr(c, &t[1][2], p->z, 1);
	km_f_mul(c, &t[1][1], p->y, &t[1][2], 1);
	t[1][2] = p->z[0];
	for (unsigned u = 2; u < 16; u++)
		km_jac_add(c, t[u], t[u - 1], t[1]);
}

void km_toy_mul(const struct km_curve *c, struct km_point *r, mp_limb_t k, const struct km_point *p)
{
	mp_limb_t t[16][3], acc[3] = { 0 };

	multiples(c, t, p);
	for (unsigned i = (c->bits + 3) / 4; i-- > 0;) {
		for (unsigned j = 0; j < 4; j++)
			km_jac_double(c, acc, acc);
		km_jac_add(c, acc, acc, t[k >> 4 * i & 15]);
	}
	from_jacobian(c, r, acc);
}

void km_toy_mul_g(const struct km_curve *c, struct km_point *r, mp_limb_t k)
{
	/* u 16^i G of every curve, made when first asked for */
	static mp_limb_t table[sizeof(curves) / sizeof(curves[0])][WINDOWS][16][3];
	mp_limb_t (*t)[16][3] = table[c - curves], acc[3] = { 0 };
	struct km_point p;

	if (!t[0][1][2]) {
		km_point_generator(c, &p);
		for (unsigned i = 0; i < WINDOWS; i++) {
			multiples(c, t[i], &p);
			km_toy_mul(c, &p, 16, &p);
		}
	}
	for (unsigned i = 0; i < WINDOWS; i++)
		km_jac_add(c, acc, acc, t[i][k >> 4 * i & 15]);
	from_jacobian(c, r, acc);
}

int km_toy_is_tiny(const struct km_curve *c)
{
	return c->bits < 32;
}

unsigned km_toy_minus_z(const struct km_curve *c, mp_limb_t *root)
{
	static const struct {
		unsigned minus_z;
		mp_limb_t root;
	} z[] = { { 2, 3689348813882916854 }, { 16, 4 }, { 18, 8 }, { 10, 15 }, { 4, 57 } };
	size_t i = (size_t)(c - curves);

	*root = z[i].root;
	return z[i].minus_z;
}
