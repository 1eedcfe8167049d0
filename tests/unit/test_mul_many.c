/* test_mul_many.c: several multiples of one point, against one at a time. */
#include "ec_help.h"
#include "ec/mul_many.h"

#define MANY 40

/* What a comb could stumble over: 0, 1, q-1, q-2, single bits, all teeth alike, one tooth only, full and empty columns. */
static void awkward(const struct km_curve *c, struct km_secret *k, unsigned which, struct km_rng *rng)
{
	unsigned bits = km_curve_bits(c), d = (bits + 4) / 5;
	struct km_scalar v, two;

	km_scalar_zero(&v);
	km_scalar_set_u32(&two, 2);
	switch (which) {
	case 0:
		break;
	case 1:
	case 2:
	case 3:
		km_scalar_set_u32(&v, which);
		break;
	case 4:
	case 5:
		km_scalar_set_u32(&v, which - 3);
		km_scalar_neg(c, &v, &v);
		break;
	case 6:
	case 7:
	case 8:
	case 9:
	case 10:   /* the lowest bit of a tooth, alone */
		v.l[(which - 6) * d / 64] = (mp_limb_t)1 << ((which - 6) * d % 64);
		break;
	case 11:
	case 12:   /* the lowest bit of every tooth, or of all but the first: 2u and u */
		for (unsigned j = which - 11; j < 5; j++)
			v.l[j * d / 64] |= (mp_limb_t)1 << (j * d % 64);
		break;
	case 13:   /* twice the former: a column of ones above an empty one */
		for (unsigned j = 0; j < 5; j++)
			v.l[(j * d + 1) / 64] |= (mp_limb_t)1 << ((j * d + 1) % 64);
		break;
	case 14:   /* the highest bit below q's */
		v.l[(bits - 2) / 64] = (mp_limb_t)1 << ((bits - 2) % 64);
		break;
	case 15:   /* 1/2 */
		km_scalar_inv(c, &v, &two);
		break;
	default:
		km_secret_random(c, k, rng);
		return;
	}
	km_secret_from_public(k, &v);
}

static void agree(const struct km_curve *c, const struct km_point *p, struct km_rng *rng)
{
	struct km_secret k[MANY];
	struct km_point got[MANY], want;

	for (unsigned i = 0; i < MANY; i++)
		awkward(c, &k[i], i, rng);
	km_point_mul_many(c, got, k, MANY, p);
	for (unsigned i = 0; i < MANY; i++) {
		km_point_mul(c, &want, &k[i], p);
		assert_true(km_point_equal_var(c, &got[i], &want));
		assert_int_equal(km_point_is_identity_var(c, &got[i]), km_point_is_identity_var(c, &want));
		/* the result is a point the others can go on with */
		km_point_sub(c, &want, &got[i], &want);
		assert_true(km_point_is_identity_var(c, &want));
		/* also the identity itself: (0 : 0 : 0) would swallow whatever is added to it */
		km_point_add(c, &want, &want, p);
		km_point_add(c, &want, &want, &got[i]);
		km_point_sub(c, &want, &want, &got[i]);
		assert_true(km_point_equal_var(c, &want, p));
	}
}

static void test_agrees(void **state)
{
	struct km_rng rng;

	ec_rng(&rng, "mul-many");
	EC_EACH_CURVE(c) {
		struct km_secret k;
		struct km_point p;

		km_point_generator(c, &p);
		agree(c, &p, &rng);
		for (unsigned i = 0; i < 5; i++) {
			km_secret_random(c, &k, &rng);
			km_point_mul_g(c, &p, &k);
			agree(c, &p, &rng);
			km_point_add(c, &p, &p, &p);     /* not affine */
			agree(c, &p, &rng);
		}
	}
}

/* The only scalars whose last column could meet its own table entry: k = 2u and k = u for every entry. */
static void test_table_entries(void **state)
{
	EC_EACH_CURVE(c) {
		unsigned d = (km_curve_bits(c) + 4) / 5;
		struct km_secret k[2];
		struct km_point g, got[2], want;
		struct km_scalar v;

		km_point_generator(c, &g);
		for (unsigned u = 0; u < 32; u++) {
			km_scalar_zero(&v);
			for (unsigned j = 0; j < 5; j++)
				if (u >> j & 1)
					v.l[j * d / 64] |= (mp_limb_t)1 << (j * d % 64);
			km_secret_from_public(&k[0], &v);
			km_scalar_add(c, &v, &v, &v);
			km_secret_from_public(&k[1], &v);
			km_point_mul_many(c, got, k, 2, &g);
			for (unsigned i = 0; i < 2; i++) {
				km_point_mul_g(c, &want, &k[i]);
				assert_true(km_point_equal_var(c, &got[i], &want));
			}
		}
	}
}

static void test_edges(void **state)
{
	EC_EACH_CURVE(c) {
		struct km_secret k[3];
		struct km_point p, r[3];
		struct km_rng rng;

		ec_rng(&rng, "edges");
		for (unsigned i = 0; i < 3; i++)
			km_secret_random(c, &k[i], &rng);
		km_point_identity(c, &p);
		km_point_mul_many(c, r, k, 3, &p);
		for (unsigned i = 0; i < 3; i++)
			assert_true(km_point_is_identity_var(c, &r[i]));
		km_point_generator(c, &p);
		r[0] = p;
		km_point_mul_many(c, r, k, 0, &p);       /* n = 0 writes nothing */
		assert_true(km_point_equal_var(c, &r[0], &p));
		km_point_mul_many(c, &p, k, 1, &p);      /* the point may be the result */
		km_point_mul_g(c, &r[0], &k[0]);
		assert_true(km_point_equal_var(c, &r[0], &p));
	}
}

KM_TESTS(cmocka_unit_test(test_agrees), cmocka_unit_test(test_table_entries), cmocka_unit_test(test_edges))
