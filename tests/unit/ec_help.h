/* ec_help.h: what the unit tests of src/ec share: public test values as mpz, and Nettle as the second opinion. */
#ifndef KM_TESTS_EC_HELP_H
#define KM_TESTS_EC_HELP_H

#include "tests/lib/test.h"
#include <gmp.h>
#include "ec/curve_impl.h"
#include "ec/msm.h"
#include "ec/point.h"
#include "ec/scalar.h"
#include "base/rng.h"

#define EC_UNUSED __attribute__((unused))

/* Runs the body for every curve of the table. */
#define EC_EACH_CURVE(c) for (const struct km_curve *c = km_curve_p256(); c; c = km_curve_by_id(km_curve_id(c) + 1))

EC_UNUSED static void ec_rng(struct km_rng *rng, const char *label)
{
	static const uint8_t seed[KM_SEED_SIZE] = { 1, 2, 3 };

	km_rng_init(rng, seed, label, NULL, 0);
}

EC_UNUSED static void ec_order(const struct km_curve *c, mpz_t q)
{
	mpz_import(q, c->n, -1, sizeof(mp_limb_t), 0, 0, c->q.m);
}

EC_UNUSED static void ec_prime(const struct km_curve *c, mpz_t p)
{
	mpz_import(p, c->n, -1, sizeof(mp_limb_t), 0, 0, c->p.m);
}

/* Exactly n big-endian bytes. */
EC_UNUSED static void ec_bytes(uint8_t *out, size_t n, const mpz_t v)
{
	size_t used = (mpz_sizeinbase(v, 2) + 7) / 8;

	assert_true(mpz_sgn(v) >= 0);
	assert_true(mpz_sgn(v) == 0 || used <= n);
	memset(out, 0, n);
	if (mpz_sgn(v))
		mpz_export(out + n - used, NULL, 1, 1, 0, 0, v);
}

EC_UNUSED static void ec_scalar(const struct km_curve *c, struct km_scalar *r, const mpz_t v)
{
	uint8_t b[KM_SCALAR_MAX];

	ec_bytes(b, km_curve_scalar_size(c), v);
	assert_int_equal(km_scalar_decode(c, r, b), KM_OK);
}

EC_UNUSED static void ec_mpz(const struct km_curve *c, mpz_t r, const struct km_scalar *a)
{
	uint8_t b[KM_SCALAR_MAX];

	km_scalar_encode(c, b, a);
	mpz_import(r, km_curve_scalar_size(c), 1, 1, 0, 0, b);
	for (unsigned i = c->n; i < KM_LIMBS_MAX; i++)
		assert_true(a->l[i] == 0);
}

EC_UNUSED static void ec_random(const struct km_curve *c, struct km_scalar *r, struct km_rng *rng)
{
	uint8_t b[KM_SCALAR_MAX + 17];

	km_rng_bytes(rng, b, km_curve_wide_size(c));
	km_scalar_reduce(c, r, b, km_curve_wide_size(c));
}

/* v = minus a small number, modulo q */
EC_UNUSED static void ec_minus(const struct km_curve *c, struct km_scalar *r, uint32_t v)
{
	km_scalar_set_u32(r, v);
	km_scalar_neg(c, r, r);
}

/* kP by nothing but complete additions. */
EC_UNUSED static void ec_mul_slow(const struct km_curve *c, struct km_point *r, const struct km_scalar *k,
				  const struct km_point *p)
{
	struct km_point acc;

	km_point_identity(c, &acc);
	for (unsigned i = c->bits; i-- > 0;) {
		km_point_add(c, &acc, &acc, &acc);
		if ((k->l[i / 64] >> (i % 64)) & 1)
			km_point_add(c, &acc, &acc, p);
	}
	*r = acc;
}

/* The same point with another Z. */
EC_UNUSED static void ec_rescale(const struct km_curve *c, struct km_point *p, struct km_rng *rng)
{
	struct km_scalar z;

	do
		ec_random(c, &z, rng);
	while (km_scalar_is_zero(&z));
	km_mod_mul(&c->p, p->x, p->x, z.l);
	km_mod_mul(&c->p, p->y, p->y, z.l);
	km_mod_mul(&c->p, p->z, p->z, z.l);
}

/* A random point with a random Z. */
EC_UNUSED static void ec_random_point(const struct km_curve *c, struct km_point *p, struct km_rng *rng)
{
	struct km_scalar k;

	ec_random(c, &k, rng);
	km_point_generator(c, p);
	ec_mul_slow(c, p, &k, p);
	ec_rescale(c, p, rng);
}

#define assert_point_equal(c, a, b) assert_true(km_point_equal_var(c, a, b))
#define assert_point_differs(c, a, b) assert_false(km_point_equal_var(c, a, b))

#endif
