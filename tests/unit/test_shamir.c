/* Sharing: evaluation, interpolation, the degree check and commitments in the exponent, on all three curves. */
#include "ec_help.h"
#include "ec/shamir.h"

/* f(x) the plain way */
static void eval(const struct km_curve *c, struct km_scalar *r, const struct km_scalar *coef, unsigned degree, uint32_t x)
{
	struct km_scalar power, xs, t;

	km_scalar_set_u32(&power, 1);
	km_scalar_set_u32(&xs, x);
	km_scalar_zero(r);
	for (unsigned l = 0; l <= degree; l++) {
		km_scalar_mul(c, &t, &coef[l], &power);
		km_scalar_add(c, r, r, &t);
		km_scalar_mul(c, &power, &power, &xs);
	}
}

static void random_polynomial(const struct km_curve *c, struct km_scalar *coef, unsigned degree, struct km_rng *rng)
{
	for (unsigned l = 0; l <= degree; l++)
		ec_random(c, &coef[l], rng);
}

/* Sets to try: the first ones, the last ones, gaps, all. */
static const uint32_t sets[] = { 0x1, 0x80000000, 0x3, 0x1f, 0xc0000001, 0x15, 0x80000001, 0xaaaaaaaa, 0xfffffffe, 0xffffffff };
#define SETS (sizeof(sets) / sizeof(sets[0]))

static void values(const struct km_curve *c, struct km_scalar *v, const struct km_scalar *coef, unsigned degree, uint32_t set)
{
	unsigned n = 0;

	for (unsigned id = km_set_next(set, 0); id; id = km_set_next(set, id))
		eval(c, &v[n++], coef, degree, id);
	assert_int_equal(n, km_set_size(set));
}

static void test_sets(void **state)
{
	(void)state;
	assert_int_equal(km_set_bit(0), 0);
	assert_int_equal(km_set_bit(1), 1);
	assert_int_equal(km_set_bit(32), 0x80000000);
	assert_int_equal(km_set_bit(33), 0);
	assert_false(km_set_has(0xffffffff, 0));
	assert_false(km_set_has(0xffffffff, 33));
	assert_int_equal(km_set_next(0x80000001, 0), 1);
	assert_int_equal(km_set_next(0x80000001, 1), 32);
	assert_int_equal(km_set_next(0x80000001, 32), 0);
	assert_int_equal(km_set_pos(0x80000101, 32), 2);
	assert_int_equal(km_set_pos(0x80000101, 1), 0);
}

static void test_eval(void **state)
{
	static const uint32_t xs[] = { 1, 2, 3, 31, 32, 33, 1000003, 0xffffffff };

	(void)state;
	EC_EACH_CURVE(c) {
		struct km_scalar coef[32], want;
		struct km_secret s[32], got;
		struct km_rng rng;

		ec_rng(&rng, "eval");
		for (unsigned degree = 0; degree < 32; degree++) {
			random_polynomial(c, coef, degree, &rng);
			if (degree == 5)
				for (unsigned l = 0; l <= degree; l++)
					ec_minus(c, &coef[l], 1);
			for (unsigned l = 0; l <= degree; l++)
				km_secret_from_public(&s[l], &coef[l]);
			for (unsigned i = 0; i < sizeof(xs) / sizeof(xs[0]); i++) {
				eval(c, &want, coef, degree, xs[i]);
				km_shamir_eval(c, &got, s, degree, xs[i]);
				assert_memory_equal(&got, &want, sizeof(want));
			}
			/* on top of the coefficients */
			km_shamir_eval(c, &s[0], s, degree, 7);
			eval(c, &want, coef, degree, 7);
			assert_memory_equal(&s[0], &want, sizeof(want));
		}
	}
}

static void test_lagrange(void **state)
{
	static const uint32_t x0s[] = { 0, 1, 5, 32, 33, 77777, 0xffffffff };

	(void)state;
	EC_EACH_CURVE(c) {
		struct km_scalar coef[32], v[32], lambda[32], one, got, want, t;
		struct km_rng rng;

		ec_rng(&rng, "lagrange");
		for (unsigned s = 0; s < SETS; s++) {
			unsigned n = km_set_size(sets[s]);

			random_polynomial(c, coef, n - 1, &rng);
			values(c, v, coef, n - 1, sets[s]);
			assert_int_equal(km_shamir_degree_check(c, v, sets[s], 0xffffffff), KM_OK);
			assert_int_equal(km_shamir_degree_check(c, v, 0, 0), KM_OK);
			for (unsigned i = 0; i < sizeof(x0s) / sizeof(x0s[0]); i++) {
				eval(c, &want, coef, n - 1, x0s[i]);
				km_shamir_interpolate(c, &got, v, sets[s], x0s[i]);
				assert_true(km_scalar_equal(&got, &want));
				km_shamir_lagrange_all(c, lambda, sets[s], x0s[i]);
				km_scalar_zero(&got);
				for (unsigned id = km_set_next(sets[s], 0), j = 0; id; id = km_set_next(sets[s], id), j++) {
					km_shamir_lagrange(c, &one, sets[s], id, x0s[i]);
					assert_true(km_scalar_equal(&one, &lambda[j]));
					/* at a member the weights are one and zeros */
					if (km_set_has(sets[s], x0s[i])) {
						km_scalar_set_u32(&t, id == x0s[i]);
						assert_true(km_scalar_equal(&one, &t));
					}
					km_scalar_add(c, &got, &got, &one);
				}
				/* the constant polynomial 1: the weights add up to one */
				km_scalar_set_u32(&t, 1);
				assert_true(km_scalar_equal(&got, &t));
			}
		}
	}
}

static void test_degree_check(void **state)
{
	(void)state;
	EC_EACH_CURVE(c) {
		struct km_scalar coef[32], v[32], keep;
		struct km_rng rng;

		ec_rng(&rng, "degree");
		for (unsigned s = 0; s < SETS; s++) {
			unsigned n = km_set_size(sets[s]);

			for (unsigned degree = 0; degree < n; degree = degree * 2 + 1) {
				random_polynomial(c, coef, degree, &rng);
				values(c, v, coef, degree, sets[s]);
				assert_int_equal(km_shamir_degree_check(c, v, sets[s], degree), KM_OK);
				/* a polynomial of lower degree is fine too, one of higher degree is not */
				assert_int_equal(km_shamir_degree_check(c, v, sets[s], degree + 1), KM_OK);
				if (degree > 0 && n > degree)
					assert_int_equal(km_shamir_degree_check(c, v, sets[s], degree - 1), KM_E_VERIFY);
				for (unsigned i = 0; i < n; i++) {
					keep = v[i];
					km_scalar_add(c, &v[i], &v[i], &(struct km_scalar){ { 1 } });
					assert_int_equal(km_shamir_degree_check(c, v, sets[s], degree),
							 n <= degree + 1 ? KM_OK : KM_E_VERIFY);
					v[i] = keep;
				}
			}
		}
	}
}

static void test_feldman(void **state)
{
	(void)state;
	EC_EACH_CURVE(c) {
		struct km_scalar coef[17], want;
		struct km_point commit[17], g, r, w;
		struct km_rng rng;

		ec_rng(&rng, "feldman");
		km_point_generator(c, &g);
		for (unsigned degree = 0; degree < 17; degree += 4) {
			random_polynomial(c, coef, degree, &rng);
			/* degenerate commitments: equal, opposite, the identity */
			if (degree == 8) {
				coef[3] = coef[2];
				km_scalar_neg(c, &coef[4], &coef[3]);
				km_scalar_zero(&coef[8]);
				km_scalar_zero(&coef[0]);
			}
			for (unsigned l = 0; l <= degree; l++)
				ec_mul_slow(c, &commit[l], &coef[l], &g);
			for (uint32_t x = 0; x <= 33; x++) {
				eval(c, &want, coef, degree, x);
				ec_mul_slow(c, &w, &want, &g);
				assert_int_equal(km_feldman_eval_var(c, &r, commit, degree, x), KM_OK);
				assert_point_equal(c, &r, &w);
			}
		}
	}
}

KM_TESTS(cmocka_unit_test(test_sets), cmocka_unit_test(test_eval), cmocka_unit_test(test_lagrange),
	 cmocka_unit_test(test_degree_check), cmocka_unit_test(test_feldman))
