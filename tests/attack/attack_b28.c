/* attack_b28.c: modular bias of derived scalars. q of P-256 is 2^256 - 2^224 + ...: of 256 bits, one value in 2^32 is above q, and the
 * reduction folds all of those onto scalars below 2^224. The bias is too rare to wait for, so it is looked at where it lives: streams
 * that begin with 32 one bits (nonces of that kind are what lattice attacks collect).
 * Stopped by: 128 bits beyond bits(q) before the reduction. */
#include "attack.h"
#include "ec/scalar.h"

#define SAMPLES 4096
#define BINS 16

static const struct km_curve *c;

/* A scalar drawn from a stream whose next 32 bits are ones. */
static void draw(struct km_scalar *r, unsigned number)
{
	uint8_t seed[KM_SEED_SIZE] = { (uint8_t)number, (uint8_t)(number >> 8) }, first;
	struct km_secret s;
	struct km_rng rng;

	km_rng_init(&rng, seed, "bias", NULL, 0);
	km_rng_bytes(&rng, &first, 1);       /* fills the block */
	memset(rng.block + rng.used, 0xff, 4);
	km_secret_random(c, &s, &rng);
	km_secret_declassify(r, &s);
}

/* Pearson's statistic of the top four bits, times BINS/SAMPLES rounded down; 15 degrees of freedom: 37.7 at one in a thousand. */
static unsigned chi_square(void)
{
	unsigned bin[BINS] = { 0 };
	uint64_t sum = 0;

	for (unsigned i = 0; i < SAMPLES; i++) {
		struct km_scalar v;
		uint8_t b[KM_SCALAR_MAX];

		draw(&v, i);
		km_scalar_encode(c, b, &v);
		bin[b[0] >> 4]++;
	}
	for (unsigned i = 0; i < BINS; i++) {
		int64_t d = (int64_t)bin[i] - SAMPLES / BINS;

		sum += (uint64_t)(d * d);
	}
	return (unsigned)(sum / (SAMPLES / BINS));
}

static void test_stopped(void **state)
{
	c = km_curve_p256();
	rules_all();
	assert_in_range(chi_square(), 0, 37);
}

static void test_without_rule(void **state)
{
	c = km_curve_p256();
	rules_all();
	rule_off(km_rule_wide_scalars);
	assert_true(chi_square() > 10000);   /* every one of them is below 2^224 */
	rules_all();
}

/* Scalars of a hash (challenges, zero shares, delta) take the same width: exactly these bytes, reduced. */
static void test_hash(void **state)
{
	uint8_t wide[48];
	struct km_scalar got, want;
	struct km_hash h, copy;

	c = km_curve_p256();
	rules_all();
	assert_int_equal(km_curve_wide_size(c), sizeof(wide));
	for (unsigned i = 0; i < 100; i++) {
		km_hash_init(&h, "bias");
		km_hash_u32(&h, i);
		copy = h;
		km_hash_final_wide(&copy, wide, sizeof(wide));
		km_scalar_reduce(c, &want, wide, sizeof(wide));
		km_scalar_from_hash(c, &got, &h);
		assert_true(km_scalar_equal(&got, &want));
	}
}

KM_TESTS(cmocka_unit_test(test_stopped), cmocka_unit_test(test_without_rule), cmocka_unit_test(test_hash))
