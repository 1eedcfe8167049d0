/* Arithmetic modulo q against GMP, at the edges and at random, on all three curves. */
#include "ec_help.h"
#include <nettle/ecc.h>

#define EDGES 10

/* 0, 1, 2, q-1, q-2, floor(q/2), floor(q/2)+1, 2^128-1, 2^64, and a random value */
static void edge(const struct km_curve *c, struct km_scalar *r, unsigned i, struct km_rng *rng)
{
	mpz_t v;

	mpz_init(v);
	ec_order(c, v);
	switch (i) {
	case 0:
	case 1:
	case 2:
		mpz_set_ui(v, i);
		break;
	case 3:
	case 4:
		mpz_sub_ui(v, v, i - 2);
		break;
	case 5:
		mpz_fdiv_q_2exp(v, v, 1);
		break;
	case 6:
		mpz_fdiv_q_2exp(v, v, 1);
		mpz_add_ui(v, v, 1);
		break;
	case 7:
		mpz_set_ui(v, 1);
		mpz_mul_2exp(v, v, 128);
		mpz_sub_ui(v, v, 1);
		break;
	case 8:
		mpz_set_ui(v, 1);
		mpz_mul_2exp(v, v, 64);
		break;
	default:
		ec_random(c, r, rng);
		mpz_clear(v);
		return;
	}
	ec_scalar(c, r, v);
	mpz_clear(v);
}

static void test_order_is_nettles(void **state)
{
	(void)state;
	EC_EACH_CURVE(c) {
		struct ecc_scalar s;
		mpz_t q;

		mpz_init(q);
		ec_order(c, q);
		assert_int_equal(mpz_sizeinbase(q, 2), km_curve_bits(c));
		ecc_scalar_init(&s, km_curve_nettle(c));
		assert_false(ecc_scalar_set(&s, q));
		mpz_sub_ui(q, q, 1);
		assert_true(ecc_scalar_set(&s, q));
		ecc_scalar_clear(&s);
		mpz_clear(q);
	}
}

static void test_montgomery_constants(void **state)
{
	(void)state;
	EC_EACH_CURVE(c) {
		const struct km_mod *mods[2] = { &c->p, &c->q };

		for (unsigned i = 0; i < 2; i++) {
			const struct km_mod *m = mods[i];
			mpz_t v, w, r;

			mpz_inits(v, w, r, NULL);
			mpz_import(v, m->n, -1, 8, 0, 0, m->m);
			assert_int_equal(mpz_probab_prime_p(v, 20) != 0, 1);
			assert_true(m->m[0] * m->minv == (mp_limb_t)-1);
			mpz_set_ui(r, 1);
			mpz_mul_2exp(r, r, 64 * m->n);
			mpz_mod(r, r, v);
			mpz_import(w, m->n, -1, 8, 0, 0, m->one);
			assert_int_equal(mpz_cmp(r, w), 0);
			mpz_mul(r, r, r);
			mpz_mod(r, r, v);
			mpz_import(w, m->n, -1, 8, 0, 0, m->rr);
			assert_int_equal(mpz_cmp(r, w), 0);
			mpz_clears(v, w, r, NULL);
		}
	}
}

static void test_sizes(void **state)
{
	(void)state;
	assert_int_equal(km_curve_scalar_size(km_curve_p256()), 32);
	assert_int_equal(km_curve_point_size(km_curve_p256()), 33);
	assert_int_equal(km_curve_wide_size(km_curve_p256()), 48);
	assert_int_equal(km_curve_wide_size(km_curve_by_id(KM_CURVE_P384)), 64);
	assert_int_equal(km_curve_wide_size(km_curve_by_id(KM_CURVE_P521)), 82);
	assert_int_equal(km_curve_scalar_size(km_curve_by_id(KM_CURVE_P521)), KM_SCALAR_MAX);
	assert_int_equal(km_curve_point_size(km_curve_by_id(KM_CURVE_P521)), KM_POINT_MAX);
	assert_string_equal(km_curve_name(km_curve_by_id(KM_CURVE_P384)), "P-384");
	/* Ids are one byte on the wire. No toy curve of a test's is among them, nor anything else. */
	for (unsigned id = 0; id <= 257; id++)
		assert_int_equal(!km_curve_by_id(id), id < KM_CURVE_P256 || id > KM_CURVE_P521);
}

static void test_decode_range(void **state)
{
	(void)state;
	EC_EACH_CURVE(c) {
		uint8_t b[KM_SCALAR_MAX], back[KM_SCALAR_MAX];
		size_t n = km_curve_scalar_size(c);
		struct km_scalar s;
		struct km_secret x;
		mpz_t q, v;

		mpz_inits(q, v, NULL);
		ec_order(c, q);
		for (int d = -3; d <= 3; d++) {
			if (d < 0)
				mpz_sub_ui(v, q, (unsigned)-d);
			else
				mpz_add_ui(v, q, (unsigned)d);
			ec_bytes(b, n, v);
			memset(&s, 0xa5, sizeof(s));
			memset(&x, 0xa5, sizeof(x));
			assert_int_equal(km_scalar_decode(c, &s, b), d < 0 ? KM_OK : KM_E_ENCODING);
			assert_int_equal(km_secret_decode(c, &x, b), d < 0 ? KM_OK : KM_E_ENCODING);
			assert_memory_equal(&s, &x, sizeof(s));
			assert_int_equal(km_scalar_is_zero(&s), d >= 0);
			km_scalar_encode(c, back, &s);
			if (d < 0)
				assert_memory_equal(back, b, n);
			km_secret_encode(c, back, &x);
			if (d < 0)
				assert_memory_equal(back, b, n);
		}
		memset(b, 0xff, n);
		assert_int_equal(km_scalar_decode(c, &s, b), KM_E_ENCODING);
		memset(b, 0, n);
		assert_int_equal(km_scalar_decode(c, &s, b), KM_OK);
		assert_true(km_scalar_is_zero(&s));
		mpz_clears(q, v, NULL);
	}
}

/* One pair of values through every operation, public and secret. */
static void check_pair(const struct km_curve *c, const struct km_scalar *a, const struct km_scalar *b)
{
	struct km_secret sa, sb, sr, st;
	struct km_scalar r, t;
	mpz_t q, x, y, want, got;

	mpz_inits(q, x, y, want, got, NULL);
	ec_order(c, q);
	ec_mpz(c, x, a);
	ec_mpz(c, y, b);
	km_secret_from_public(&sa, a);
	km_secret_from_public(&sb, b);
#define CHECK_OP(expr, name)                                \
	do {                                                \
		expr;                                       \
		mpz_mod(want, want, q);                     \
		km_scalar_##name(c, &r, a, b);              \
		ec_mpz(c, got, &r);                         \
		assert_int_equal(mpz_cmp(want, got), 0);    \
		km_secret_##name(c, &sr, &sa, &sb);         \
		assert_memory_equal(&sr, &r, sizeof(r));    \
		t = *a;                                     \
		km_scalar_##name(c, &t, &t, b);             \
		assert_memory_equal(&t, &r, sizeof(r));     \
		t = *b;                                     \
		km_scalar_##name(c, &t, a, &t);             \
		assert_memory_equal(&t, &r, sizeof(r));     \
	} while (0)
	CHECK_OP(mpz_add(want, x, y), add);
	km_secret_add_pub(c, &st, &sa, b);
	assert_memory_equal(&st, &r, sizeof(r));
	CHECK_OP(mpz_sub(want, x, y), sub);
	km_secret_pub_sub(c, &st, a, &sb);
	assert_memory_equal(&st, &r, sizeof(r));
	CHECK_OP(mpz_mul(want, x, y), mul);
	km_secret_mul_pub(c, &st, &sa, b);
	assert_memory_equal(&st, &r, sizeof(r));
	km_secret_addmul_pub(c, &st, &sa, b);
	km_scalar_add(c, &t, &r, &r);
	assert_memory_equal(&st, &t, sizeof(t));
	mpz_clears(q, x, y, want, got, NULL);
}

static void check_one(const struct km_curve *c, const struct km_scalar *a)
{
	struct km_secret sa, sr;
	struct km_scalar r;
	mpz_t q, x, want, got;

	mpz_inits(q, x, want, got, NULL);
	ec_order(c, q);
	ec_mpz(c, x, a);
	km_secret_from_public(&sa, a);
	km_scalar_neg(c, &r, a);
	ec_mpz(c, got, &r);
	mpz_neg(want, x);
	mpz_mod(want, want, q);
	assert_int_equal(mpz_cmp(want, got), 0);
	km_secret_neg(c, &sr, &sa);
	assert_memory_equal(&sr, &r, sizeof(r));
	mpz_mul_2exp(want, x, 1);
	assert_int_equal(km_scalar_is_high(c, a), mpz_cmp(want, q) > 0);
	km_secret_inv(c, &sr, &sa);
	if (mpz_sgn(x)) {
		assert_true(mpz_invert(want, x, q));
		km_scalar_inv(c, &r, a);
		ec_mpz(c, got, &r);
		assert_int_equal(mpz_cmp(want, got), 0);
	} else {
		km_scalar_zero(&r);
	}
	assert_memory_equal(&sr, &r, sizeof(r));
	km_secret_declassify(&r, &sa);
	assert_true(km_scalar_equal(&r, a));
	mpz_clears(q, x, want, got, NULL);
}

static void test_arithmetic(void **state)
{
	(void)state;
	EC_EACH_CURVE(c) {
		struct km_scalar a, b;
		struct km_rng rng;

		ec_rng(&rng, "arithmetic");
		for (unsigned i = 0; i < EDGES + 20; i++) {
			edge(c, &a, i, &rng);
			check_one(c, &a);
			for (unsigned j = 0; j < EDGES + 20; j++) {
				edge(c, &b, j, &rng);
				check_pair(c, &a, &b);
			}
		}
	}
}

static void test_reduce(void **state)
{
	(void)state;
	EC_EACH_CURVE(c) {
		uint8_t b[2 * KM_SCALAR_MAX];
		struct km_rng rng;
		mpz_t q, want, got;

		mpz_inits(q, want, got, NULL);
		ec_order(c, q);
		ec_rng(&rng, "reduce");
		for (size_t n = 0; n <= 2 * km_curve_scalar_size(c); n++) {
			for (unsigned kind = 0; kind < 3; kind++) {
				struct km_scalar r;
				struct km_secret s;

				memset(b, kind == 0 ? 0xff : 0, sizeof(b));
				if (kind == 2)
					km_rng_bytes(&rng, b, n);
				mpz_import(want, n, 1, 1, 0, 0, b);
				mpz_mod(want, want, q);
				km_scalar_reduce(c, &r, b, n);
				ec_mpz(c, got, &r);
				assert_int_equal(mpz_cmp(want, got), 0);
				km_secret_reduce(c, &s, b, n);
				assert_memory_equal(&s, &r, sizeof(r));
			}
		}
		mpz_clears(q, want, got, NULL);
	}
}

static void test_from_hash(void **state)
{
	(void)state;
	EC_EACH_CURVE(c) {
		uint8_t wide[KM_SCALAR_MAX + 17];
		struct km_hash h, copy;
		struct km_scalar a, b;
		struct km_secret s;

		km_hash_init(&h, "test");
		km_hash_u32(&h, 7);
		copy = h;
		km_scalar_from_hash(c, &a, &copy);
		copy = h;
		km_secret_from_hash(c, &s, &copy);
		assert_memory_equal(&a, &s, sizeof(a));
		copy = h;
		km_hash_final_wide(&copy, wide, km_curve_wide_size(c));
		km_scalar_reduce(c, &b, wide, km_curve_wide_size(c));
		assert_true(km_scalar_equal(&a, &b));
		km_hash_u32(&h, 8);
		km_scalar_from_hash(c, &b, &h);
		assert_false(km_scalar_equal(&a, &b));
	}
}

static void test_random(void **state)
{
	(void)state;
	EC_EACH_CURVE(c) {
		struct km_rng rng, same;
		uint8_t wide[KM_SCALAR_MAX + 17];
		struct km_secret a, b, prev;
		struct km_scalar s;
		mp_limb_t seen = 0;

		ec_rng(&rng, "random");
		ec_rng(&same, "random");
		km_secret_zero(&prev);
		for (unsigned i = 0; i < 64; i++) {
			km_secret_random(c, &a, &rng);
			km_rng_bytes(&same, wide, km_curve_wide_size(c));
			km_secret_reduce(c, &b, wide, km_curve_wide_size(c));
			assert_memory_equal(&a, &b, sizeof(a));
			assert_memory_not_equal(&a, &prev, sizeof(a));
			prev = a;
			km_scalar_random128(c, &s, &rng);
			km_rng_bytes(&same, wide, 16);
			assert_false(km_scalar_is_zero(&s));
			for (unsigned l = 2; l < KM_LIMBS_MAX; l++)
				assert_true(s.l[l] == 0);
			seen |= s.l[1];
		}
		assert_true(seen >> 63);
	}
}

static void test_inv_batch(void **state)
{
	(void)state;
	EC_EACH_CURVE(c) {
		struct km_scalar a[17], r[17], one, t;
		struct km_rng rng;

		ec_rng(&rng, "batch");
		km_scalar_set_u32(&one, 1);
		for (size_t n = 1; n <= 17; n++) {
			for (size_t i = 0; i < n; i++)
				edge(c, &a[i], 1 + (unsigned)i, &rng);
			assert_int_equal(km_scalar_inv_batch(c, r, a, n), KM_OK);
			for (size_t i = 0; i < n; i++) {
				km_scalar_mul(c, &t, &a[i], &r[i]);
				assert_true(km_scalar_equal(&t, &one));
			}
			assert_int_equal(km_scalar_inv_batch(c, a, a, n), KM_OK);
			assert_memory_equal(a, r, n * sizeof(a[0]));
		}
	}
}

static void test_wipe(void **state)
{
	static const struct km_secret zero;
	struct km_secret s;

	(void)state;
	memset(&s, 0x5a, sizeof(s));
	km_secret_wipe(&s);
	assert_memory_equal(&s, &zero, sizeof(s));
}

KM_TESTS(cmocka_unit_test(test_order_is_nettles), cmocka_unit_test(test_montgomery_constants), cmocka_unit_test(test_sizes),
	 cmocka_unit_test(test_decode_range), cmocka_unit_test(test_arithmetic), cmocka_unit_test(test_reduce),
	 cmocka_unit_test(test_from_hash), cmocka_unit_test(test_random), cmocka_unit_test(test_inv_batch),
	 cmocka_unit_test(test_wipe))
