/* The group law, multiplication and the codec, with Nettle's own functions on public values as the second opinion. */
#include "ec_help.h"
#include <nettle/ecc.h>
#include <stdlib.h>

static void secret(struct km_secret *r, const struct km_scalar *a)
{
	km_secret_from_public(r, a);
}

/* kP (p != NULL) or kG by Nettle over mpz, as a point of ours. k != 0. */
static void nettle_mul(const struct km_curve *c, struct km_point *r, const struct km_scalar *k, const struct km_point *p)
{
	uint8_t b[1 + 2 * KM_SCALAR_MAX];
	size_t n = km_curve_scalar_size(c);
	struct ecc_scalar s;
	struct ecc_point in, out;
	mpz_t x, y, v;

	mpz_inits(x, y, v, NULL);
	ecc_scalar_init(&s, km_curve_nettle(c));
	ecc_point_init(&in, km_curve_nettle(c));
	ecc_point_init(&out, km_curve_nettle(c));
	ec_mpz(c, v, k);
	assert_true(ecc_scalar_set(&s, v));
	if (p) {
		assert_int_equal(km_point_encode_uncompressed_var(c, b, p), KM_OK);
		mpz_import(x, n, 1, 1, 0, 0, b + 1);
		mpz_import(y, n, 1, 1, 0, 0, b + 1 + n);
		assert_true(ecc_point_set(&in, x, y));
		ecc_point_mul(&out, &s, &in);
	} else {
		ecc_point_mul_g(&out, &s);
	}
	ecc_point_get(&out, x, y);
	b[0] = 4;
	ec_bytes(b + 1, n, x);
	ec_bytes(b + 1 + n, n, y);
	assert_int_equal(km_point_decode_uncompressed_var(c, r, b), KM_OK);
	ecc_scalar_clear(&s);
	ecc_point_clear(&in);
	ecc_point_clear(&out);
	mpz_clears(x, y, v, NULL);
}

static void test_small_multiples(void **state)
{
	(void)state;
	EC_EACH_CURVE(c) {
		struct km_point g, acc, want;
		struct km_scalar k;

		km_point_generator(c, &g);
		km_point_identity(c, &acc);
		for (uint32_t i = 1; i <= 40; i++) {
			km_scalar_set_u32(&k, i);
			km_point_add(c, &acc, &acc, &g);
			nettle_mul(c, &want, &k, NULL);
			assert_point_equal(c, &acc, &want);
			nettle_mul(c, &want, &k, &g);
			assert_point_equal(c, &acc, &want);
			assert_int_equal(km_point_equal_var(c, &acc, &g), i == 1);
		}
	}
}

static void test_addition_is_complete(void **state)
{
	(void)state;
	EC_EACH_CURVE(c) {
		struct km_point o, o2, p, p2, neg, r, dbl;
		struct km_scalar two;
		struct km_rng rng;

		ec_rng(&rng, "complete");
		km_point_identity(c, &o);
		o2 = o;
		ec_rescale(c, &o2, &rng);
		ec_random_point(c, &p, &rng);
		p2 = p;
		ec_rescale(c, &p2, &rng);
		km_point_neg(c, &neg, &p2);
		km_scalar_set_u32(&two, 2);
		nettle_mul(c, &dbl, &two, &p);

		km_point_add(c, &r, &o, &o2);
		assert_true(km_point_is_identity_var(c, &r));
		km_point_add(c, &r, &o2, &p);
		assert_point_equal(c, &r, &p);
		km_point_add(c, &r, &p, &o2);
		assert_point_equal(c, &r, &p);
		km_point_add(c, &r, &p, &p);
		assert_point_equal(c, &r, &dbl);
		km_point_add(c, &r, &p, &p2);
		assert_point_equal(c, &r, &dbl);
		km_point_add(c, &r, &p, &neg);
		assert_true(km_point_is_identity_var(c, &r));
		km_point_sub(c, &r, &p, &p2);
		assert_true(km_point_is_identity_var(c, &r));
		km_point_sub(c, &r, &p, &neg);
		assert_point_equal(c, &r, &dbl);
		km_point_neg(c, &r, &o2);
		assert_true(km_point_is_identity_var(c, &r));
		/* outputs on top of inputs */
		r = p;
		km_point_add(c, &r, &r, &r);
		assert_point_equal(c, &r, &dbl);
		r = p;
		km_point_add(c, &r, &o, &r);
		assert_point_equal(c, &r, &p);
		r = dbl;
		km_point_sub(c, &r, &r, &p);
		assert_point_equal(c, &r, &p);
		r = p;
		km_point_sub(c, &r, &dbl, &r);
		assert_point_equal(c, &r, &p2);
	}
}

static void test_group_laws(void **state)
{
	(void)state;
	EC_EACH_CURVE(c) {
		struct km_point p, q, s, l, r;
		struct km_rng rng;

		ec_rng(&rng, "laws");
		for (unsigned i = 0; i < 20; i++) {
			ec_random_point(c, &p, &rng);
			ec_random_point(c, &q, &rng);
			ec_random_point(c, &s, &rng);
			km_point_add(c, &l, &p, &q);
			km_point_add(c, &r, &q, &p);
			assert_point_equal(c, &l, &r);
			km_point_add(c, &l, &l, &s);
			km_point_add(c, &r, &q, &s);
			km_point_add(c, &r, &p, &r);
			assert_point_equal(c, &l, &r);
			assert_point_differs(c, &p, &q);
			km_point_neg(c, &q, &p);
			assert_point_differs(c, &p, &q);
		}
	}
}

/* All ways of multiplying agree on k. */
static void check_mul(const struct km_curve *c, const struct km_scalar *k, const struct km_point *p)
{
	struct km_point g, want, got;
	struct km_secret s;

	secret(&s, k);
	ec_mul_slow(c, &want, k, p);
	km_point_mul(c, &got, &s, p);
	assert_point_equal(c, &got, &want);
	km_point_mul_var(c, &got, k, p);
	assert_point_equal(c, &got, &want);
	if (!km_scalar_is_zero(k) && !km_point_is_identity_var(c, p)) {
		nettle_mul(c, &got, k, p);
		assert_point_equal(c, &got, &want);
	}
	got = *p;
	km_point_mul(c, &got, &s, &got);
	assert_point_equal(c, &got, &want);
	got = *p;
	km_point_mul_var(c, &got, k, &got);
	assert_point_equal(c, &got, &want);

	km_point_generator(c, &g);
	ec_mul_slow(c, &want, k, &g);
	km_point_mul_g(c, &got, &s);
	assert_point_equal(c, &got, &want);
	km_point_mul(c, &got, &s, &g);
	assert_point_equal(c, &got, &want);
	km_point_mul_var(c, &got, k, &g);
	assert_point_equal(c, &got, &want);
	for (unsigned i = c->n; i < KM_LIMBS_MAX; i++)
		assert_true(got.x[i] == 0 && got.y[i] == 0 && got.z[i] == 0);
}

static void test_mul(void **state)
{
	(void)state;
	EC_EACH_CURVE(c) {
		struct km_point p, o;
		struct km_scalar k;
		struct km_rng rng;

		ec_rng(&rng, "mul");
		km_point_identity(c, &o);
		for (uint32_t i = 0; i < 36; i++) {
			ec_random_point(c, &p, &rng);
			km_scalar_set_u32(&k, i);
			check_mul(c, &k, &p);
			ec_minus(c, &k, i);
			check_mul(c, &k, &p);
			/* a lone bit, and all bits below it */
			km_scalar_set_u32(&k, 0);
			k.l[i * c->bits / 36 / 64] = (mp_limb_t)1 << (i * c->bits / 36 % 64);
			check_mul(c, &k, &p);
			km_scalar_sub(c, &k, &k, &(struct km_scalar){ { 1 } });
			check_mul(c, &k, &p);
			ec_random(c, &k, &rng);
			check_mul(c, &k, &p);
			check_mul(c, &k, &o);
		}
	}
}

static void test_mul_zero_is_identity(void **state)
{
	(void)state;
	EC_EACH_CURVE(c) {
		struct km_point p, r;
		struct km_secret zero;
		struct km_rng rng;

		ec_rng(&rng, "zero");
		km_secret_zero(&zero);
		ec_random_point(c, &p, &rng);
		km_point_mul_g(c, &r, &zero);
		assert_true(km_point_is_identity_var(c, &r));
		km_point_add(c, &r, &r, &p);
		assert_point_equal(c, &r, &p);
		km_point_mul(c, &r, &zero, &p);
		assert_true(km_point_is_identity_var(c, &r));
		km_point_add(c, &r, &r, &p);
		assert_point_equal(c, &r, &p);
	}
}

static void test_codec_roundtrip(void **state)
{
	(void)state;
	EC_EACH_CURVE(c) {
		uint8_t b[KM_POINT_MAX], b2[KM_POINT_MAX], u[1 + 2 * KM_SCALAR_MAX];
		size_t n = km_curve_point_size(c);
		struct km_point p, r, neg;
		struct km_rng rng;

		ec_rng(&rng, "codec");
		for (unsigned i = 0; i < 20; i++) {
			ec_random_point(c, &p, &rng);
			assert_int_equal(km_point_encode_var(c, b, &p), KM_OK);
			assert_true(b[0] == 2 || b[0] == 3);
			assert_int_equal(km_point_decode_var(c, &r, b), KM_OK);
			assert_point_equal(c, &r, &p);
			assert_int_equal(km_point_encode_var(c, b2, &r), KM_OK);
			assert_memory_equal(b, b2, n);
			b[0] ^= 1;
			assert_int_equal(km_point_decode_var(c, &r, b), KM_OK);
			km_point_neg(c, &neg, &p);
			assert_point_equal(c, &r, &neg);
			assert_int_equal(km_point_encode_uncompressed_var(c, u, &p), KM_OK);
			assert_int_equal(u[0], 4);
			assert_memory_equal(u + 1, b + 1, n - 1);
			assert_int_equal(km_point_decode_uncompressed_var(c, &r, u), KM_OK);
			assert_point_equal(c, &r, &p);
		}
	}
}

static void test_codec_refuses(void **state)
{
	(void)state;
	EC_EACH_CURVE(c) {
		static const uint8_t zeros[1 + 2 * KM_SCALAR_MAX];
		uint8_t b[KM_POINT_MAX], u[1 + 2 * KM_SCALAR_MAX];
		size_t n = km_curve_point_size(c), on = 0, off = 0;
		struct km_point p, r;
		struct km_rng rng;
		mpz_t v;

		ec_rng(&rng, "refuse");
		mpz_init(v);
		km_point_identity(c, &p);
		memset(b, 0xa5, sizeof(b));
		memset(u, 0xa5, sizeof(u));
		assert_int_equal(km_point_encode_var(c, b, &p), KM_E_IDENTITY);
		assert_memory_equal(b, zeros, n);
		assert_int_equal(km_point_encode_uncompressed_var(c, u, &p), KM_E_IDENTITY);
		assert_memory_equal(u, zeros, 1 + 2 * (n - 1));
		assert_int_equal(km_point_decode_var(c, &r, zeros), KM_E_ENCODING);
		assert_int_equal(km_point_decode_uncompressed_var(c, &r, zeros), KM_E_ENCODING);

		ec_random_point(c, &p, &rng);
		assert_int_equal(km_point_encode_var(c, b, &p), KM_OK);
		assert_int_equal(km_point_encode_uncompressed_var(c, u, &p), KM_OK);
		for (unsigned first = 0; first < 256; first++) {
			b[0] = (uint8_t)first;
			assert_int_equal(km_point_decode_var(c, &r, b), first == 2 || first == 3 ? KM_OK : KM_E_ENCODING);
			u[0] = (uint8_t)first;
			assert_int_equal(km_point_decode_uncompressed_var(c, &r, u), first == 4 ? KM_OK : KM_E_ENCODING);
		}
		u[0] = 4;
		for (size_t i = 1; i < 1 + 2 * (n - 1); i += 5) {
			u[i] ^= 1;
			assert_int_equal(km_point_decode_uncompressed_var(c, &r, u), KM_E_ENCODING);
			assert_memory_equal(&r, &(struct km_point){ 0 }, sizeof(r));
			u[i] ^= 1;
		}
		/* x at and above p: each names a residue a second time; refused whether or not it lies on the curve */
		b[0] = 2;
		for (unsigned i = 0; i < 40; i++) {
			ec_prime(c, v);
			mpz_add_ui(v, v, i);
			ec_bytes(b + 1, n - 1, v);
			assert_int_equal(km_point_decode_var(c, &r, b), KM_E_ENCODING);
			mpz_set_ui(v, i);
			ec_bytes(b + 1, n - 1, v);
			if (km_point_decode_var(c, &r, b) == KM_OK)
				on++;
			else
				off++;
		}
		/* about half of all x are on the curve: both must have happened */
		assert_true(on > 5 && off > 5);
		memset(b + 1, 0xff, n - 1);
		assert_int_equal(km_point_decode_var(c, &r, b), KM_E_ENCODING);
		mpz_clear(v);
	}
}

static void test_encode_batch(void **state)
{
	(void)state;
	EC_EACH_CURVE(c) {
		enum { N = 12, STRIDE = KM_POINT_MAX + 5 };
		uint8_t out[N * STRIDE], one[KM_POINT_MAX];
		size_t n = km_curve_point_size(c);
		struct km_point p[N];
		struct km_rng rng;

		ec_rng(&rng, "batch");
		for (unsigned i = 0; i < N; i++)
			ec_random_point(c, &p[i], &rng);
		for (unsigned count = 0; count <= N; count++) {
			memset(out, 0x77, sizeof(out));
			assert_int_equal(km_point_encode_batch_var(c, out, STRIDE, p, count), KM_OK);
			for (unsigned i = 0; i < N; i++) {
				if (i < count)
					assert_int_equal(km_point_encode_var(c, one, &p[i]), KM_OK);
				else
					memset(one, 0x77, sizeof(one));
				assert_memory_equal(out + i * STRIDE, one, n);
				for (size_t j = n; j < STRIDE; j++)
					assert_int_equal(out[i * STRIDE + j], 0x77);
			}
		}
		km_point_identity(c, &p[5]);
		assert_int_equal(km_point_encode_batch_var(c, out, STRIDE, p, N), KM_E_IDENTITY);
		memset(one, 0, sizeof(one));
		for (unsigned i = 0; i < N; i++)
			assert_memory_equal(out + i * STRIDE, one, n);
	}
}

static void test_x_mod_q(void **state)
{
	(void)state;
	EC_EACH_CURVE(c) {
		uint8_t b[KM_POINT_MAX];
		size_t n = km_curve_point_size(c);
		struct km_point p;
		struct km_scalar r, want;
		struct km_rng rng;
		unsigned wrapped = 0;
		mpz_t v;

		ec_rng(&rng, "x");
		mpz_init(v);
		km_point_identity(c, &p);
		memset(&r, 0xa5, sizeof(r));
		assert_int_equal(km_point_x_mod_q_var(c, &r, &p), KM_E_IDENTITY);
		assert_true(km_scalar_is_zero(&r));
		for (unsigned i = 0; i < 10; i++) {
			ec_random_point(c, &p, &rng);
			assert_int_equal(km_point_encode_var(c, b, &p), KM_OK);
			km_scalar_reduce(c, &want, b + 1, n - 1);
			assert_int_equal(km_point_x_mod_q_var(c, &r, &p), KM_OK);
			assert_true(km_scalar_equal(&r, &want));
		}
		/* x between q and p, where the reduction does something */
		for (uint32_t i = 0; i < 40; i++) {
			ec_order(c, v);
			mpz_add_ui(v, v, i);
			b[0] = 3;
			ec_bytes(b + 1, n - 1, v);
			if (km_point_decode_var(c, &p, b))
				continue;
			ec_rescale(c, &p, &rng);
			assert_int_equal(km_point_x_mod_q_var(c, &r, &p), KM_OK);
			km_scalar_set_u32(&want, i);
			assert_true(km_scalar_equal(&r, &want));
			wrapped++;
		}
		assert_true(wrapped > 5);
		mpz_clear(v);
	}
}

KM_TESTS(cmocka_unit_test(test_small_multiples), cmocka_unit_test(test_addition_is_complete), cmocka_unit_test(test_group_laws),
	 cmocka_unit_test(test_mul), cmocka_unit_test(test_mul_zero_is_identity), cmocka_unit_test(test_codec_roundtrip),
	 cmocka_unit_test(test_codec_refuses), cmocka_unit_test(test_encode_batch), cmocka_unit_test(test_x_mod_q))
