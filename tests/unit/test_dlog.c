/* Schnorr proofs: what is true verifies, anything changed does not (B14-B16, B28). */
#include "tests/lib/test.h"
#include "tests/unit/ec_help.h"

#include "base/hash.h"
#include "zk/dlog.h"

struct stage {
	const struct km_curve *c;
	struct km_rng rng;
	struct km_hash prefix;
	struct km_secret x;
	struct km_point y;
	struct km_dlog_proof pf;
};

static void set_prefix(struct km_hash *h, const char *role, unsigned author)
{
	km_hash_init(h, "test");
	km_hash_str(h, "sid");
	km_hash_str(h, role);
	km_hash_u8(h, (uint8_t)author);
}

static void set_stage(struct stage *s, const struct km_curve *c)
{
	memset(s, 0, sizeof(*s));
	s->c = c;
	ec_rng(&s->rng, "dlog");
	set_prefix(&s->prefix, "dealer", 1);
	km_secret_random(c, &s->x, &s->rng);
	km_point_mul_g(c, &s->y, &s->x);
	assert_int_equal(km_dlog_prove(c, &s->pf, &s->x, &s->y, &s->prefix, &s->rng), KM_OK);
}

static void test_complete(void **state)
{
	(void)state;
	EC_EACH_CURVE(c)
	{
		struct stage s;
		uint8_t enc[KM_POINT_MAX + KM_SCALAR_MAX], again[sizeof(enc)];
		struct km_dlog_proof back;

		set_stage(&s, c);
		for (unsigned i = 0; i < 5; i++) {
			km_secret_random(c, &s.x, &s.rng);
			km_point_mul_g(c, &s.y, &s.x);
			assert_int_equal(km_dlog_prove(c, &s.pf, &s.x, &s.y, &s.prefix, &s.rng), KM_OK);
			assert_int_equal(km_dlog_verify_var(c, &s.pf, &s.y, &s.prefix), KM_OK);
			assert_int_equal(km_dlog_encode(c, enc, &s.pf), KM_OK);
			assert_int_equal(km_dlog_decode(c, &back, enc), KM_OK);
			assert_int_equal(km_dlog_verify_var(c, &back, &s.y, &s.prefix), KM_OK);
			assert_int_equal(km_dlog_encode(c, again, &back), KM_OK);
			assert_memory_equal(enc, again, km_dlog_size(c));
		}
	}
	assert_int_equal(km_dlog_size(km_curve_p256()), 65);
}

static void test_edge_witnesses(void **state)
{
	(void)state;
	EC_EACH_CURVE(c)
	{
		struct stage s;
		struct km_scalar k;

		set_stage(&s, c);
		for (unsigned i = 1; i < 4; i++) {
			for (unsigned minus = 0; minus < 2; minus++) {
				if (minus)
					ec_minus(c, &k, i);
				else
					km_scalar_set_u32(&k, i);
				km_secret_from_public(&s.x, &k);
				km_point_mul_g(c, &s.y, &s.x);
				assert_int_equal(km_dlog_prove(c, &s.pf, &s.x, &s.y, &s.prefix, &s.rng), KM_OK);
				assert_int_equal(km_dlog_verify_var(c, &s.pf, &s.y, &s.prefix), KM_OK);
			}
		}
	}
}

static void test_every_bit_counts(void **state)
{
	(void)state;
	EC_EACH_CURVE(c)
	{
		unsigned step = km_curve_id(c) == KM_CURVE_P256 ? 1 : 7;
		uint8_t enc[KM_POINT_MAX + KM_SCALAR_MAX];
		struct km_dlog_proof pf;
		struct stage s;

		set_stage(&s, c);
		assert_int_equal(km_dlog_encode(c, enc, &s.pf), KM_OK);
		for (unsigned i = 0; i < 8 * km_dlog_size(c); i += step) {
			enc[i / 8] ^= (uint8_t)(1 << i % 8);
			if (!km_dlog_decode(c, &pf, enc))
				assert_int_equal(km_dlog_verify_var(c, &pf, &s.y, &s.prefix), KM_E_VERIFY);
			enc[i / 8] ^= (uint8_t)(1 << i % 8);
		}
		assert_int_equal(km_dlog_decode(c, &pf, enc), KM_OK);
		assert_int_equal(km_dlog_verify_var(c, &pf, &s.y, &s.prefix), KM_OK);
	}
}

static void test_other_statement_or_prefix(void **state)
{
	(void)state;
	EC_EACH_CURVE(c)
	{
		struct stage s;
		struct km_point other;
		struct km_hash h;

		set_stage(&s, c);
		km_point_add(c, &other, &s.y, &s.y);
		assert_int_equal(km_dlog_verify_var(c, &s.pf, &other, &s.prefix), KM_E_VERIFY);
		km_point_neg(c, &other, &s.y);
		assert_int_equal(km_dlog_verify_var(c, &s.pf, &other, &s.prefix), KM_E_VERIFY);
		set_prefix(&h, "dealer", 2);
		assert_int_equal(km_dlog_verify_var(c, &s.pf, &s.y, &h), KM_E_VERIFY);
		set_prefix(&h, "member", 1);
		assert_int_equal(km_dlog_verify_var(c, &s.pf, &s.y, &h), KM_E_VERIFY);
		h = s.prefix;
		km_hash_field(&h, NULL, 0);
		assert_int_equal(km_dlog_verify_var(c, &s.pf, &s.y, &h), KM_E_VERIFY);
	}
}

static void test_identity(void **state)
{
	(void)state;
	EC_EACH_CURVE(c)
	{
		static const struct km_dlog_proof none;
		struct stage s;
		struct km_point y;

		set_stage(&s, c);
		km_point_identity(c, &y);
		assert_int_equal(km_dlog_verify_var(c, &s.pf, &y, &s.prefix), KM_E_VERIFY);
		/* x = 0 has nothing to prove */
		km_secret_zero(&s.x);
		assert_int_equal(km_dlog_prove(c, &s.pf, &s.x, &y, &s.prefix, &s.rng), KM_E_IDENTITY);
		assert_memory_equal(&s.pf, &none, sizeof(none));
		/* U the identity: z = e x would verify and show x */
		set_stage(&s, c);
		km_point_identity(c, &s.pf.u);
		assert_int_equal(km_dlog_verify_var(c, &s.pf, &s.y, &s.prefix), KM_E_VERIFY);
		km_scalar_zero(&s.pf.z);
		assert_int_equal(km_dlog_verify_var(c, &s.pf, &y, &s.prefix), KM_E_VERIFY);
	}
}

static void test_codec_is_canonical(void **state)
{
	(void)state;
	EC_EACH_CURVE(c)
	{
		static const struct km_dlog_proof none;
		size_t point = km_curve_point_size(c), size = km_curve_scalar_size(c);
		uint8_t enc[KM_POINT_MAX + KM_SCALAR_MAX], zero[sizeof(enc)] = { 0 };
		struct km_dlog_proof pf;
		struct stage s;
		mpz_t z, q;

		set_stage(&s, c);
		mpz_inits(z, q, NULL);
		ec_order(c, q);
		assert_int_equal(km_dlog_encode(c, enc, &s.pf), KM_OK);
		/* z = q is z = 0 written in another way */
		ec_bytes(enc + point, size, q);
		memset(&pf, 0xee, sizeof(pf));
		assert_int_equal(km_dlog_decode(c, &pf, enc), KM_E_ENCODING);
		assert_memory_equal(&pf, &none, sizeof(none));
		mpz_sub_ui(z, q, 1);
		ec_bytes(enc + point, size, z);
		assert_int_equal(km_dlog_decode(c, &pf, enc), KM_OK);
		enc[0] = 4;
		memset(&pf, 0xee, sizeof(pf));
		assert_int_equal(km_dlog_decode(c, &pf, enc), KM_E_ENCODING);
		assert_memory_equal(&pf, &none, sizeof(none));
		km_point_identity(c, &s.pf.u);
		memset(enc, 0xee, sizeof(enc));
		assert_int_equal(km_dlog_encode(c, enc, &s.pf), KM_E_IDENTITY);
		assert_memory_equal(enc, zero, km_dlog_size(c));
		mpz_clears(z, q, NULL);
	}
}

/* The forgery against proofs that leave the statement out of the challenge (B16): fix U and a statement, take e, then solve for
 * another statement that the pair (U, z) satisfies. */
static void test_statement_is_in_the_challenge(void **state)
{
	(void)state;
	EC_EACH_CURVE(c)
	{
		struct stage s;
		struct km_hash h;
		struct km_scalar e, inverse;
		struct km_point g, forged, zg;
		uint8_t enc[KM_POINT_MAX];

		set_stage(&s, c);
		km_point_generator(c, &g);
		h = s.prefix;
		km_hash_str(&h, "dlog");
		km_hash_u8(&h, (uint8_t)km_curve_id(c));
		assert_int_equal(km_point_encode_var(c, enc, &s.y), KM_OK);
		km_hash_field(&h, enc, km_curve_point_size(c));
		assert_int_equal(km_point_encode_var(c, enc, &s.pf.u), KM_OK);
		km_hash_field(&h, enc, km_curve_point_size(c));
		km_scalar_from_hash(c, &e, &h);
		/* e is the real challenge: solving with the real z gives the real statement back */
		km_scalar_inv(c, &inverse, &e);
		km_point_mul_var(c, &zg, &s.pf.z, &g);
		km_point_sub(c, &forged, &zg, &s.pf.u);
		km_point_mul_var(c, &forged, &inverse, &forged);
		assert_point_equal(c, &forged, &s.y);
		/* with another z it gives a statement that is true for e, and for nothing else */
		km_scalar_add(c, &s.pf.z, &s.pf.z, &e);
		km_point_mul_var(c, &zg, &s.pf.z, &g);
		km_point_sub(c, &forged, &zg, &s.pf.u);
		km_point_mul_var(c, &forged, &inverse, &forged);
		assert_int_equal(km_dlog_verify_var(c, &s.pf, &forged, &s.prefix), KM_E_VERIFY);
	}
}

/* A stream played twice: the same for the same statement (blame replays it), another nonce for any other. */
static void test_nonce_is_hedged(void **state)
{
	(void)state;
	EC_EACH_CURVE(c)
	{
		struct stage s;
		struct km_rng one, two;
		struct km_dlog_proof a, b;
		struct km_hash h;
		struct km_secret x;
		struct km_point y;

		set_stage(&s, c);
		one = two = s.rng;
		assert_int_equal(km_dlog_prove(c, &a, &s.x, &s.y, &s.prefix, &one), KM_OK);
		assert_int_equal(km_dlog_prove(c, &b, &s.x, &s.y, &s.prefix, &two), KM_OK);
		assert_point_equal(c, &a.u, &b.u);
		assert_true(km_scalar_equal(&a.z, &b.z));
		/* the stream moved on */
		assert_int_equal(km_dlog_prove(c, &b, &s.x, &s.y, &s.prefix, &two), KM_OK);
		assert_point_differs(c, &a.u, &b.u);
		two = s.rng;
		set_prefix(&h, "dealer", 2);
		assert_int_equal(km_dlog_prove(c, &b, &s.x, &s.y, &h, &two), KM_OK);
		assert_point_differs(c, &a.u, &b.u);
		two = s.rng;
		km_secret_add(c, &x, &s.x, &s.x);
		km_point_mul_g(c, &y, &x);
		assert_int_equal(km_dlog_prove(c, &b, &x, &y, &s.prefix, &two), KM_OK);
		assert_point_differs(c, &a.u, &b.u);
		/* another witness under the same statement (a statement that is wrong for it) */
		two = s.rng;
		assert_int_equal(km_dlog_prove(c, &b, &x, &s.y, &s.prefix, &two), KM_OK);
		assert_point_differs(c, &a.u, &b.u);
		/* a wrong statement with the right one's stream must not share its nonce either */
		two = s.rng;
		assert_int_equal(km_dlog_prove(c, &b, &s.x, &y, &s.prefix, &two), KM_OK);
		assert_point_differs(c, &a.u, &b.u);
		assert_int_equal(km_dlog_verify_var(c, &b, &y, &s.prefix), KM_E_VERIFY);
	}
}

/* ---- one proof for many */

#define MANY 9

struct batch {
	struct stage s;
	struct km_secret v[MANY];
	struct km_point p[MANY];
	uint8_t enc[MANY * KM_POINT_MAX];
};

static void set_batch(struct batch *b, const struct km_curve *c)
{
	set_stage(&b->s, c);
	for (unsigned i = 0; i < MANY; i++) {
		km_secret_random(c, &b->v[i], &b->s.rng);
		km_point_mul_g(c, &b->p[i], &b->v[i]);
		assert_int_equal(km_point_encode_var(c, b->enc + i * km_curve_point_size(c), &b->p[i]), KM_OK);
	}
}

/* z G = U + sum e^l V_l, by the plain sum of the definition */
static int batch_holds(const struct km_curve *c, const struct km_dlog_proof *pf, const struct km_point *p, const uint8_t *enc, size_t n,
		       const struct km_hash *h)
{
	struct km_point sum = pf->u, t, g;
	struct km_scalar e, power;

	if (km_dlog_batch_challenge(c, &e, pf, enc, n, h))
		return 0;
	power = e;
	for (size_t l = 0; l < n; l++) {
		km_point_mul_var(c, &t, &power, &p[l]);
		km_point_add(c, &sum, &sum, &t);
		km_scalar_mul(c, &power, &power, &e);
	}
	km_point_generator(c, &g);
	km_point_mul_var(c, &t, &pf->z, &g);
	return km_point_equal_var(c, &t, &sum);
}

static void test_batch(void **state)
{
	(void)state;
	EC_EACH_CURVE(c)
	{
		size_t size = km_curve_point_size(c);
		struct km_dlog_proof pf, wrong;
		struct batch b;
		struct km_point swap;
		struct km_hash h;
		uint8_t t[KM_POINT_MAX];

		set_batch(&b, c);
		for (size_t n = 1; n <= MANY; n += 4) {
			assert_int_equal(km_dlog_prove_batch(c, &pf, b.v, b.enc, n, &b.s.prefix, &b.s.rng), KM_OK);
			assert_true(batch_holds(c, &pf, b.p, b.enc, n, &b.s.prefix));
			assert_false(batch_holds(c, &pf, b.p, b.enc, n - 1, &b.s.prefix));
		}
		set_prefix(&h, "dealer", 2);
		assert_false(batch_holds(c, &pf, b.p, b.enc, MANY, &h));
		wrong = pf;
		km_scalar_add(c, &wrong.z, &wrong.z, &wrong.z);
		assert_false(batch_holds(c, &wrong, b.p, b.enc, MANY, &b.s.prefix));
		wrong = pf;
		km_point_neg(c, &wrong.u, &wrong.u);
		assert_false(batch_holds(c, &wrong, b.p, b.enc, MANY, &b.s.prefix));
		/* two statements in each other's place, with and without their encodings */
		swap = b.p[2];
		b.p[2] = b.p[5];
		b.p[5] = swap;
		assert_false(batch_holds(c, &pf, b.p, b.enc, MANY, &b.s.prefix));
		memcpy(t, b.enc + 2 * size, size);
		memcpy(b.enc + 2 * size, b.enc + 5 * size, size);
		memcpy(b.enc + 5 * size, t, size);
		assert_false(batch_holds(c, &pf, b.p, b.enc, MANY, &b.s.prefix));
	}
}

/* Errors in two witnesses that cancel in a plain sum must not cancel under the powers of e (A11). */
static void test_batch_errors_do_not_cancel(void **state)
{
	(void)state;
	EC_EACH_CURVE(c)
	{
		struct km_dlog_proof pf;
		struct batch b;

		set_batch(&b, c);
		km_secret_add(c, &b.v[1], &b.v[1], &b.s.x);
		km_secret_sub(c, &b.v[2], &b.v[2], &b.s.x);
		assert_int_equal(km_dlog_prove_batch(c, &pf, b.v, b.enc, MANY, &b.s.prefix, &b.s.rng), KM_OK);
		assert_false(batch_holds(c, &pf, b.p, b.enc, MANY, &b.s.prefix));
	}
}

/* Every statement, the last one too, and how many there are. WHY: a V that is not in e is solved for after e is known (A11). */
static void test_batch_challenge_covers_all(void **state)
{
	(void)state;
	EC_EACH_CURVE(c)
	{
		struct km_scalar e, other;
		struct batch b;

		set_batch(&b, c);
		for (size_t n = 1; n < MANY; n++) {
			assert_int_equal(km_dlog_batch_challenge(c, &e, &b.s.pf, b.enc, n, &b.s.prefix), KM_OK);
			assert_int_equal(km_dlog_batch_challenge(c, &other, &b.s.pf, b.enc, n + 1, &b.s.prefix), KM_OK);
			assert_false(km_scalar_equal(&e, &other));
			for (size_t i = 0; i < n; i++) {
				b.enc[i * km_curve_point_size(c)] ^= 1;
				assert_int_equal(km_dlog_batch_challenge(c, &other, &b.s.pf, b.enc, n, &b.s.prefix), KM_OK);
				assert_false(km_scalar_equal(&e, &other));
				b.enc[i * km_curve_point_size(c)] ^= 1;
			}
		}
	}
}

static void test_batch_edges(void **state)
{
	(void)state;
	EC_EACH_CURVE(c)
	{
		static const struct km_dlog_proof none;
		struct km_dlog_proof pf;
		struct km_scalar e;
		struct batch b;

		set_batch(&b, c);
		memset(&pf, 0xee, sizeof(pf));
		assert_int_equal(km_dlog_prove_batch(c, &pf, b.v, b.enc, 0, &b.s.prefix, &b.s.rng), KM_E_INVAL);
		assert_memory_equal(&pf, &none, sizeof(none));
		assert_int_equal(km_dlog_batch_challenge(c, &e, &b.s.pf, b.enc, 0, &b.s.prefix), KM_E_INVAL);
		/* a batch of one is not a plain proof, nor the other way round */
		assert_int_equal(km_dlog_prove_batch(c, &pf, b.v, b.enc, 1, &b.s.prefix, &b.s.rng), KM_OK);
		assert_int_equal(km_dlog_verify_var(c, &pf, &b.p[0], &b.s.prefix), KM_E_VERIFY);
		assert_int_equal(km_dlog_prove(c, &pf, b.v, &b.p[0], &b.s.prefix, &b.s.rng), KM_OK);
		assert_false(batch_holds(c, &pf, b.p, b.enc, 1, &b.s.prefix));
		km_point_identity(c, &pf.u);
		assert_int_equal(km_dlog_batch_challenge(c, &e, &pf, b.enc, 1, &b.s.prefix), KM_E_IDENTITY);
	}
}

/* ---- B28 */

static void test_challenges_are_reduced_from_wide_bytes(void **state)
{
	(void)state;
	EC_EACH_CURVE(c)
	{
		size_t n = km_curve_wide_size(c);
		mpz_t wide, q, got;

		mpz_inits(wide, q, got, NULL);
		ec_order(c, q);
		assert_true(8 * n >= km_curve_bits(c) + 128);
		for (unsigned i = 0; i < 50; i++) {
			uint8_t b[KM_SCALAR_MAX + 17];
			struct km_hash h, copy;
			struct km_scalar k;

			km_hash_init(&h, "b28");
			km_hash_u32(&h, i);
			copy = h;
			km_scalar_from_hash(c, &k, &h);
			km_hash_final_wide(&copy, b, n);
			mpz_import(wide, n, 1, 1, 0, 0, b);
			mpz_mod(wide, wide, q);
			ec_mpz(c, got, &k);
			assert_int_equal(mpz_cmp(wide, got), 0);
		}
		mpz_clears(wide, q, got, NULL);
	}
}

/* The method on a toy order, 192: chi-square of `bytes` hashed bytes modulo 192. */
static double toy(unsigned bytes)
{
	enum { q = 192, per = 100 };
	unsigned count[q] = { 0 };
	double x = 0;

	for (uint32_t i = 0; i < q * per; i++) {
		uint8_t b[17];
		struct km_hash h;
		unsigned v = 0;

		km_hash_init(&h, "toy");
		km_hash_u32(&h, i);
		km_hash_final_wide(&h, b, bytes);
		for (unsigned k = 0; k < bytes; k++)
			v = (v << 8 | b[k]) % q;
		count[v]++;
	}
	for (unsigned v = 0; v < q; v++)
		x += ((double)count[v] - per) * ((double)count[v] - per) / per;
	return x;
}

static void test_wide_reduction_has_no_bias(void **state)
{
	(void)state;
	/* 191 degrees of freedom: mean 191, standard deviation 19.5. 64 of the 192 values twice as likely: thousands. */
	assert_true(toy(17) < 191 + 5 * 19.5);
	assert_true(toy(1) > 1000);
}

KM_TESTS(cmocka_unit_test(test_complete), cmocka_unit_test(test_edge_witnesses), cmocka_unit_test(test_every_bit_counts),
	 cmocka_unit_test(test_other_statement_or_prefix), cmocka_unit_test(test_identity), cmocka_unit_test(test_codec_is_canonical),
	 cmocka_unit_test(test_statement_is_in_the_challenge), cmocka_unit_test(test_nonce_is_hedged), cmocka_unit_test(test_batch),
	 cmocka_unit_test(test_batch_errors_do_not_cancel), cmocka_unit_test(test_batch_challenge_covers_all), cmocka_unit_test(test_batch_edges),
	 cmocka_unit_test(test_challenges_are_reduced_from_wide_bytes), cmocka_unit_test(test_wide_reduction_has_no_bias))
