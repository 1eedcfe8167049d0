/* test_sharing.c: Shamir's and Feldman's sharings over the field of 17 elements: every polynomial of degree T-1, shares for
 * every set of T of N peers.
 *
 * What it shows: any T shares give the secret, by the very coefficients that signing uses; any T-1 shares go with every secret
 * equally often (perfect secrecy, by exact count); a commitment tells a share by its point; one wrong value among more than T is
 * always seen, and no other one. */
#include "tiny.h"

#include <stdlib.h>

static struct tiny g;

struct poly {
	unsigned t, n;
	unsigned coef[5], share[8];   /* share[i] = f(i) */
};

/* The polynomial with this number: its coefficients are the digits to the base q. */
static void poly_set(struct poly *f, unsigned number)
{
	struct km_secret coef[5], y;

	for (unsigned l = 0; l <= f->t; l++, number /= g.q) {
		f->coef[l] = number % g.q;
		coef[l] = tiny_secret(f->coef[l]);
	}
	for (unsigned x = 1; x <= f->n; x++) {
		unsigned want = 0;

		for (unsigned l = f->t + 1; l-- > 0;)
			want = (want * x + f->coef[l]) % g.q;
		km_shamir_eval(g.c, &y, coef, f->t, x);
		f->share[x] = tiny_seen(&y);
		assert_int_equal(f->share[x], want);
	}
}

static unsigned power(unsigned q, unsigned e)
{
	return e ? q * power(q, e - 1) : 1;
}

static unsigned values(const struct poly *f, struct km_scalar *v, uint32_t set)
{
	unsigned n = 0;

	for (unsigned i = km_set_next(set, 0); i; i = km_set_next(set, i))
		v[n++] = tiny_scalar(f->share[i]);
	return n;
}

static void check_quorums(const struct poly *f, unsigned last)
{
	struct km_scalar v[8], out, lambda;

	for (uint32_t set = (1u << (f->t + 1)) - 1; set; set = tiny_next_subset(set, f->n)) {
		values(f, v, set);
		for (unsigned x0 = 0; x0 <= last; x0++) {
			km_shamir_interpolate(g.c, &out, v, set, x0);
			assert_int_equal(tiny_value(&out), x0 ? f->share[x0] : f->coef[0]);
		}
		/* additive shares over the quorum: sum of lambda_i x_i */
		unsigned sum = 0, at = 0;
		for (unsigned i = km_set_next(set, 0); i; i = km_set_next(set, i), at++) {
			km_shamir_lagrange(g.c, &lambda, set, i, 0);
			sum += tiny_value(&lambda) * f->share[i];
		}
		assert_int_equal(sum % g.q, f->coef[0]);
	}
}

static void each_polynomial(unsigned t, unsigned n, unsigned last)
{
	struct poly f = { .t = t, .n = n };

	for (unsigned number = 0; number < power(g.q, t + 1); number++) {
		poly_set(&f, number);
		check_quorums(&f, last);
	}
}

/* All secrets, all coefficients, all sets of T. */
static void test_quorums(void **state)
{
	tiny_init(&g, km_curve_by_id(KM_CURVE_TINY17));
	each_polynomial(1, 2, 2);
	each_polynomial(1, 6, 6);
	each_polynomial(2, 3, 3);
	each_polynomial(2, 5, 5);
	each_polynomial(3, 4, 0);
	each_polynomial(3, 5, 0);
}

/* For every set of T-1 peers: how often each vector of their shares goes with each secret. Exactly once, always. */
static void secrecy(unsigned t, unsigned n)
{
	struct poly f = { .t = t, .n = n };
	unsigned all = power(g.q, t), *count = calloc((size_t)all * g.q, sizeof(*count));

	assert_non_null(count);
	for (uint32_t set = (1u << t) - 1; set; set = tiny_next_subset(set, n)) {
		memset(count, 0, (size_t)all * g.q * sizeof(*count));
		for (unsigned number = 0; number < all * g.q; number++) {
			unsigned seen = 0;

			poly_set(&f, number);
			for (unsigned i = km_set_next(set, 0); i; i = km_set_next(set, i))
				seen = seen * g.q + f.share[i];
			count[seen * g.q + f.coef[0]]++;
		}
		for (unsigned k = 0; k < all * g.q; k++)
			assert_int_equal(count[k], 1);
	}
	free(count);
}

static void test_secrecy(void **state)
{
	tiny_init(&g, km_curve_by_id(KM_CURVE_TINY17));
	secrecy(1, 5);
	secrecy(2, 5);
	secrecy(3, 4);
}

/* Every dealing of degree 1 and 2, every recipient, every value it could be sent: the commitments accept the one. */
static void test_commitments(void **state)
{
	struct km_point commit[3], want;

	tiny_init(&g, km_curve_by_id(KM_CURVE_TINY17));
	for (unsigned t = 1; t <= 2; t++) {
		struct poly f = { .t = t, .n = 5 };

		for (unsigned number = 0; number < power(g.q, t + 1); number++) {
			poly_set(&f, number);
			for (unsigned l = 0; l <= t; l++)
				commit[l] = g.pt[f.coef[l]];
			for (unsigned x = 1; x <= f.n; x++) {
				assert_int_equal(km_feldman_eval_var(g.c, &want, commit, t, x), KM_OK);
				assert_int_equal(tiny_log(&g, &want), f.share[x]);
			}
		}
	}
}

/* N = 4 and 5, T = 2: every polynomial, every place, every other value in it. */
static void test_degree(void **state)
{
	struct km_scalar v[8];

	tiny_init(&g, km_curve_by_id(KM_CURVE_TINY17));
	for (unsigned n = 3; n <= 5; n++) {
		struct poly f = { .t = 1, .n = n };
		uint32_t set = (1u << n) - 1;

		for (unsigned number = 0; number < g.q * g.q; number++) {
			poly_set(&f, number);
			values(&f, v, set);
			assert_int_equal(km_shamir_degree_check(g.c, v, set, 1), KM_OK);
			for (unsigned at = 0; at < n; at++)
				for (unsigned d = 1; d < g.q; d++) {
					struct km_scalar good = v[at];

					v[at] = tiny_scalar((tiny_value(&good) + d) % g.q);
					assert_int_equal(km_shamir_degree_check(g.c, v, set, 1), KM_E_VERIFY);
					v[at] = good;
				}
		}
	}
}

/* All 17^4 vectors of four values: those of degree at most 0, 1, 2 are exactly 17, 17^2, 17^3. */
static void test_degree_count(void **state)
{
	struct km_scalar v[4];

	tiny_init(&g, km_curve_by_id(KM_CURVE_TINY17));
	for (unsigned degree = 0; degree <= 2; degree++) {
		unsigned good = 0;

		for (unsigned number = 0; number < power(g.q, 4); number++) {
			unsigned left = number;

			for (unsigned i = 0; i < 4; i++, left /= g.q)
				v[i] = tiny_scalar(left % g.q);
			good += km_shamir_degree_check(g.c, v, 0x1b, degree) == KM_OK;   /* peers 1, 2, 4, 5 */
		}
		assert_int_equal(good, power(g.q, degree + 1));
	}
}

KM_TESTS(cmocka_unit_test(test_quorums), cmocka_unit_test(test_secrecy), cmocka_unit_test(test_commitments),
	 cmocka_unit_test(test_degree),
	 cmocka_unit_test(test_degree_count))
