/* Chaum-Pedersen proofs: what is true verifies, anything changed does not. */
#include "tests/lib/test.h"
#include "tests/unit/ec_help.h"

#include "zk/dleq.h"

struct stage {
	struct km_rng rng;
	struct km_hash prefix;
	struct km_secret x;
	struct km_point p, y, d;   /* y = xG, d = xP */
	struct km_dleq_proof pf;
};

static void set_stage(struct stage *s, const struct km_curve *c)
{
	memset(s, 0, sizeof(*s));
	ec_rng(&s->rng, "dleq");
	km_hash_init(&s->prefix, "test");
	km_hash_str(&s->prefix, "sid");
	km_secret_random(c, &s->x, &s->rng);
	ec_random_point(c, &s->p, &s->rng);
	km_point_mul_g(c, &s->y, &s->x);
	km_point_mul(c, &s->d, &s->x, &s->p);
	assert_int_equal(km_dleq_prove(c, &s->pf, &s->x, &s->p, &s->y, &s->d, &s->prefix, &s->rng), KM_OK);
}

static int check(const struct km_curve *c, const struct stage *s)
{
	return km_dleq_verify_var(c, &s->pf, &s->p, &s->y, &s->d, &s->prefix);
}

static void test_complete(void **state)
{
	(void)state;
	EC_EACH_CURVE(c)
	{
		uint8_t enc[2 * KM_POINT_MAX + KM_SCALAR_MAX], again[sizeof(enc)];
		struct stage s;

		set_stage(&s, c);
		assert_int_equal(check(c, &s), KM_OK);
		assert_int_equal(km_dleq_encode(c, enc, &s.pf), KM_OK);
		memset(&s.pf, 0, sizeof(s.pf));
		assert_int_equal(km_dleq_decode(c, &s.pf, enc), KM_OK);
		assert_int_equal(check(c, &s), KM_OK);
		assert_int_equal(km_dleq_encode(c, again, &s.pf), KM_OK);
		assert_memory_equal(enc, again, km_dleq_size(c));
		/* P = G is a statement like any other */
		km_point_generator(c, &s.p);
		assert_int_equal(km_dleq_prove(c, &s.pf, &s.x, &s.p, &s.y, &s.y, &s.prefix, &s.rng), KM_OK);
		s.d = s.y;
		assert_int_equal(check(c, &s), KM_OK);
	}
	assert_int_equal(km_dleq_size(km_curve_p256()), 98);
}

static void put_point(const struct km_curve *c, struct km_hash *h, const struct km_point *p)
{
	uint8_t enc[KM_POINT_MAX];

	assert_int_equal(km_point_encode_var(c, enc, p), KM_OK);
	km_hash_field(h, enc, km_curve_point_size(c));
}

/* The challenge, made again: it covers statement and both commitments. Were U2 not in it, it could be solved for last. */
static void test_challenge(void **state)
{
	(void)state;
	EC_EACH_CURVE(c)
	{
		struct km_point left, right, g;
		struct km_scalar e;
		struct km_hash h;
		struct stage s;

		set_stage(&s, c);
		h = s.prefix;
		km_hash_str(&h, "dleq");
		km_hash_u8(&h, (uint8_t)km_curve_id(c));
		put_point(c, &h, &s.p);
		put_point(c, &h, &s.y);
		put_point(c, &h, &s.d);
		put_point(c, &h, &s.pf.u1);
		put_point(c, &h, &s.pf.u2);
		km_scalar_from_hash(c, &e, &h);
		km_point_generator(c, &g);
		km_point_mul_var(c, &left, &s.pf.z, &g);
		km_point_mul_var(c, &right, &e, &s.y);
		km_point_add(c, &right, &right, &s.pf.u1);
		assert_true(km_point_equal_var(c, &left, &right));
		km_point_mul_var(c, &left, &s.pf.z, &s.p);
		km_point_mul_var(c, &right, &e, &s.d);
		km_point_add(c, &right, &right, &s.pf.u2);
		assert_true(km_point_equal_var(c, &left, &right));
	}
}

static void test_every_bit_counts(void **state)
{
	(void)state;
	EC_EACH_CURVE(c)
	{
		unsigned step = km_curve_id(c) == KM_CURVE_P256 ? 1 : 11;
		uint8_t enc[2 * KM_POINT_MAX + KM_SCALAR_MAX];
		struct stage s;

		set_stage(&s, c);
		assert_int_equal(km_dleq_encode(c, enc, &s.pf), KM_OK);
		for (unsigned i = 0; i < 8 * km_dleq_size(c); i += step) {
			enc[i / 8] ^= (uint8_t)(1 << i % 8);
			if (!km_dleq_decode(c, &s.pf, enc))
				assert_int_equal(check(c, &s), KM_E_VERIFY);
			enc[i / 8] ^= (uint8_t)(1 << i % 8);
		}
		assert_int_equal(km_dleq_decode(c, &s.pf, enc), KM_OK);
		assert_int_equal(check(c, &s), KM_OK);
	}
}

static void test_other_statement_or_prefix(void **state)
{
	(void)state;
	EC_EACH_CURVE(c)
	{
		struct stage good, s;

		set_stage(&good, c);
		s = good;
		km_point_add(c, &s.p, &s.p, &s.y);
		assert_int_equal(check(c, &s), KM_E_VERIFY);
		s = good;
		km_point_neg(c, &s.y, &s.y);
		assert_int_equal(check(c, &s), KM_E_VERIFY);
		s = good;
		km_point_add(c, &s.d, &s.d, &s.d);
		assert_int_equal(check(c, &s), KM_E_VERIFY);
		s = good;
		s.y = good.d;
		s.d = good.y;
		assert_int_equal(check(c, &s), KM_E_VERIFY);
		s = good;
		s.pf.u1 = good.pf.u2;
		s.pf.u2 = good.pf.u1;
		assert_int_equal(check(c, &s), KM_E_VERIFY);
		s = good;
		km_hash_u8(&s.prefix, 0);
		assert_int_equal(check(c, &s), KM_E_VERIFY);
	}
}

/* A prover who knows x makes the honest proof for a wrong D, or a wrong Y: each equation is checked by itself. */
static void test_false_statements(void **state)
{
	(void)state;
	EC_EACH_CURVE(c)
	{
		struct stage s;
		struct km_secret other;

		set_stage(&s, c);
		km_secret_random(c, &other, &s.rng);
		km_point_mul(c, &s.d, &other, &s.p);
		assert_int_equal(km_dleq_prove(c, &s.pf, &s.x, &s.p, &s.y, &s.d, &s.prefix, &s.rng), KM_OK);
		assert_int_equal(check(c, &s), KM_E_VERIFY);
		assert_int_equal(km_dleq_prove(c, &s.pf, &other, &s.p, &s.y, &s.d, &s.prefix, &s.rng), KM_OK);
		assert_int_equal(check(c, &s), KM_E_VERIFY);
	}
}

static void test_identity(void **state)
{
	(void)state;
	EC_EACH_CURVE(c)
	{
		static const struct km_dleq_proof none;
		struct stage good;

		set_stage(&good, c);
		for (unsigned i = 0; i < 5; i++) {
			struct stage s = good;
			struct km_point *at[] = { &s.p, &s.y, &s.d, &s.pf.u1, &s.pf.u2 };

			km_point_identity(c, at[i]);
			assert_int_equal(check(c, &s), KM_E_VERIFY);
			if (i > 2)
				continue;
			assert_int_equal(km_dleq_prove(c, &s.pf, &s.x, &s.p, &s.y, &s.d, &s.prefix, &s.rng), KM_E_IDENTITY);
			assert_memory_equal(&s.pf, &none, sizeof(none));
		}
	}
}

static void test_codec_is_canonical(void **state)
{
	(void)state;
	EC_EACH_CURVE(c)
	{
		static const struct km_dleq_proof none;
		size_t point = km_curve_point_size(c);
		uint8_t enc[2 * KM_POINT_MAX + KM_SCALAR_MAX], bad[sizeof(enc)], zero[sizeof(enc)] = { 0 };
		struct km_dleq_proof pf;
		struct stage s;
		mpz_t q;

		set_stage(&s, c);
		mpz_init(q);
		ec_order(c, q);
		assert_int_equal(km_dleq_encode(c, enc, &s.pf), KM_OK);
		for (unsigned i = 0; i < 3; i++) {
			memcpy(bad, enc, sizeof(bad));
			if (i < 2)
				bad[i * point] = 0;
			else
				ec_bytes(bad + 2 * point, km_curve_scalar_size(c), q);
			memset(&pf, 0xee, sizeof(pf));
			assert_int_equal(km_dleq_decode(c, &pf, bad), KM_E_ENCODING);
			assert_memory_equal(&pf, &none, sizeof(none));
		}
		mpz_clear(q);
		km_point_identity(c, &s.pf.u2);
		assert_int_equal(km_dleq_encode(c, enc, &s.pf), KM_E_IDENTITY);
		assert_memory_equal(enc, zero, km_dleq_size(c));
	}
}

static void test_nonce_is_hedged(void **state)
{
	(void)state;
	EC_EACH_CURVE(c)
	{
		struct stage s;
		struct km_rng one, two;
		struct km_dleq_proof a, b;
		struct km_point other;

		set_stage(&s, c);
		one = two = s.rng;
		assert_int_equal(km_dleq_prove(c, &a, &s.x, &s.p, &s.y, &s.d, &s.prefix, &one), KM_OK);
		assert_int_equal(km_dleq_prove(c, &b, &s.x, &s.p, &s.y, &s.d, &s.prefix, &two), KM_OK);
		assert_point_equal(c, &a.u1, &b.u1);
		two = s.rng;
		km_point_add(c, &other, &s.d, &s.p);
		assert_int_equal(km_dleq_prove(c, &b, &s.x, &s.p, &s.y, &other, &s.prefix, &two), KM_OK);
		assert_point_differs(c, &a.u1, &b.u1);
	}
}

KM_TESTS(cmocka_unit_test(test_complete), cmocka_unit_test(test_challenge), cmocka_unit_test(test_every_bit_counts), cmocka_unit_test(test_other_statement_or_prefix),
	 cmocka_unit_test(test_false_statements), cmocka_unit_test(test_identity), cmocka_unit_test(test_codec_is_canonical),
	 cmocka_unit_test(test_nonce_is_hedged))
