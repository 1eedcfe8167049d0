/* Sums of public multiples against plain additions. WHY so many strange inputs: the fast formulas inside have
 * exceptional cases, and whoever sends us points may choose them to hit one. */
#include "ec_help.h"
#include <stdlib.h>

#define MAX 600

struct input {
	struct km_scalar k[MAX];
	struct km_point p[MAX];
	size_t n;
};

static const size_t sizes[] = { 0, 1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 130, 300, 600 };

/* Large sizes are for the curve in use; the others take the same code with another limb count. */
static size_t limit(const struct km_curve *c)
{
	return km_curve_id(c) == KM_CURVE_P256 ? MAX : 130;
}

static struct input *input_new(void)
{
	struct input *in = calloc(1, sizeof(*in));

	assert_non_null(in);
	return in;
}

/* Every size is a prefix of the same terms, so the expected sum grows along. */
static void each_size(const struct km_curve *c, const struct input *in)
{
	struct km_point want, t, got;
	size_t n = 0;

	km_point_identity(c, &want);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]) && sizes[i] <= limit(c); i++) {
		for (; n < sizes[i]; n++) {
			ec_mul_slow(c, &t, &in->k[n], &in->p[n]);
			km_point_add(c, &want, &want, &t);
		}
		memset(&got, 0xa5, sizeof(got));
		assert_int_equal(km_msm_var(c, &got, in->k, in->p, n), KM_OK);
		assert_point_equal(c, &got, &want);
		for (unsigned l = c->n; l < KM_LIMBS_MAX; l++)
			assert_true(got.x[l] == 0 && got.y[l] == 0 && got.z[l] == 0);
	}
}

static void test_random_terms(void **state)
{
	(void)state;
	EC_EACH_CURVE(c) {
		struct input *in = input_new();
		struct km_rng rng;

		ec_rng(&rng, "terms");
		for (size_t i = 0; i < limit(c); i++) {
			ec_random(c, &in->k[i], &rng);
			if (i % 4 == 1)
				km_scalar_random128(c, &in->k[i], &rng);
			ec_random_point(c, &in->p[i], &rng);
		}
		each_size(c, in);
		free(in);
	}
}

static void edge_scalar(const struct km_curve *c, struct km_scalar *k, size_t i, struct km_rng *rng)
{
	switch (i % 8) {
	case 0:
		km_scalar_zero(k);
		break;
	case 1:
		ec_minus(c, k, 1);
		break;
	case 2:
		km_scalar_set_u32(k, 1);
		break;
	case 3:
		km_scalar_random128(c, k, rng);
		break;
	case 4:
		ec_minus(c, k, 2 + (uint32_t)i);
		break;
	case 5:
		km_scalar_zero(k);
		k->l[i % c->n] = (mp_limb_t)1 << (i % (c->bits % 64 ? c->bits % 64 : 64));
		if (!km_mod_in_range(&c->q, k->l))
			km_scalar_zero(k);
		break;
	case 6:
		/* windows full of ones, and of the digit at which signed windows carry */
		memset(k, i % 16 == 6 ? 0xff : 0x88, (size_t)8 * (c->n - 1));
		memset(k->l + c->n - 1, 0, 8 * (KM_LIMBS_MAX - c->n + 1));
		break;
	default:
		ec_random(c, k, rng);
	}
}

/* Few different points, both signs, the identity, one scalar over and over. */
static void test_adversarial_points(void **state)
{
	(void)state;
	EC_EACH_CURVE(c) {
		struct input *in = input_new();
		struct km_point base, neg, o, dbl;
		struct km_rng rng;

		ec_rng(&rng, "adversary");
		ec_random_point(c, &base, &rng);
		km_point_neg(c, &neg, &base);
		km_point_add(c, &dbl, &base, &base);
		km_point_identity(c, &o);
		for (unsigned kind = 0; kind < 7; kind++) {
			for (size_t i = 0; i < limit(c); i++) {
				const struct km_point *choice[] = { &base, &neg, &dbl, &o };

				edge_scalar(c, &in->k[i], i, &rng);
				if (kind == 1 || kind == 2 || kind == 3)
					in->k[i] = in->k[kind == 3 ? 1 : 7];
				in->p[i] = base;
				if (kind == 2 || kind == 5)
					in->p[i] = *choice[i % 2];
				if (kind == 4)
					in->p[i] = *choice[i % 4];
				if (kind == 6) {
					in->p[i] = *choice[i % 3];
					in->k[i] = in->k[7 - i % 2];
				}
				if (i % 3 == 0)
					ec_rescale(c, &in->p[i], &rng);
			}
			each_size(c, in);
		}
		free(in);
	}
}

/* Tables inside hold small multiples: points that are small multiples of each other collide with them. */
static void test_related_points(void **state)
{
	(void)state;
	EC_EACH_CURVE(c) {
		struct input *in = input_new();
		struct km_point g, acc;
		struct km_rng rng;

		ec_rng(&rng, "related");
		for (unsigned kind = 0; kind < 3; kind++) {
			km_point_generator(c, &g);
			acc = g;
			for (size_t i = 0; i < limit(c); i++) {
				in->p[i] = acc;
				if (kind == 0)
					km_point_add(c, &acc, &acc, &g);
				else
					km_point_add(c, &acc, &acc, &acc);
				if (kind == 2)
					ec_minus(c, &in->k[i], (uint32_t)(i % 7));
				else
					km_scalar_set_u32(&in->k[i], (uint32_t)(i % 37));
			}
			each_size(c, in);
		}
		free(in);
	}
}

/* sum k_i P_i - (sum k_i x_i) G = 0 with P_i = x_i G, for every size at which another method may take over. */
static void test_sum_to_identity(void **state)
{
	(void)state;
	EC_EACH_CURVE(c) {
		struct input *in = input_new();
		struct km_point g, r;
		struct km_scalar x, t, sum;
		struct km_rng rng;

		ec_rng(&rng, "identity");
		km_point_generator(c, &g);
		km_scalar_zero(&sum);
		for (size_t i = 0; i + 1 < limit(c) / 2; i++) {
			ec_random(c, &x, &rng);
			ec_mul_slow(c, &in->p[i], &x, &g);
			ec_random(c, &in->k[i], &rng);
			km_scalar_mul(c, &t, &x, &in->k[i]);
			km_scalar_add(c, &sum, &sum, &t);
			km_scalar_neg(c, &in->k[i + 1], &sum);
			in->p[i + 1] = g;
			assert_int_equal(km_msm_var(c, &r, in->k, in->p, i + 2), KM_OK);
			assert_true(km_point_is_identity_var(c, &r));
			km_scalar_sub(c, &in->k[i + 1], &in->k[i + 1], &(struct km_scalar){ { 1 } });
			assert_int_equal(km_msm_var(c, &r, in->k, in->p, i + 2), KM_OK);
			km_point_neg(c, &r, &r);
			assert_point_equal(c, &r, &g);
		}
		free(in);
	}
}

static void test_accumulator(void **state)
{
	(void)state;
	EC_EACH_CURVE(c) {
		struct km_point g, p;
		struct km_scalar x, k, t, one;
		struct km_rng rng;
		struct km_msm m;

		ec_rng(&rng, "accumulator");
		km_scalar_set_u32(&one, 1);
		km_point_generator(c, &g);
		km_msm_init(&m);
		assert_int_equal(km_msm_check_var(c, &m), KM_OK);
		for (unsigned i = 0; i < 70; i++) {
			ec_random(c, &x, &rng);
			ec_mul_slow(c, &p, &x, &g);
			km_scalar_random128(c, &k, &rng);
			km_msm_term(&m, &k, &p);
			if (i % 10 == 0)
				assert_int_equal(km_msm_check_var(c, &m), KM_E_VERIFY);
			km_scalar_mul(c, &t, &x, &k);
			km_scalar_neg(c, &t, &t);
			km_msm_term_g(c, &m, &t);
			if (i % 10 == 0)
				assert_int_equal(km_msm_check_var(c, &m), KM_OK);
		}
		assert_int_equal(m.n, 70);
		assert_int_equal(km_msm_check_var(c, &m), KM_OK);
		km_msm_term_g(c, &m, &one);
		assert_int_equal(km_msm_check_var(c, &m), KM_E_VERIFY);
		km_point_neg(c, &p, &g);
		km_msm_term(&m, &one, &p);
		assert_int_equal(km_msm_check_var(c, &m), KM_OK);
		m.err = KM_E_NOMEM;
		assert_int_equal(km_msm_check_var(c, &m), KM_E_NOMEM);
		km_msm_clear(&m);
		assert_null(m.k);
		assert_null(m.p);
		km_msm_clear(&m);
	}
}

KM_TESTS(cmocka_unit_test(test_random_terms), cmocka_unit_test(test_adversarial_points), cmocka_unit_test(test_related_points),
	 cmocka_unit_test(test_sum_to_identity), cmocka_unit_test(test_accumulator))
