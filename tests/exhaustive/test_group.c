/* test_group.c: the arithmetic of one limb, whole: in four groups of tiny order every sum, multiple, encoding and scalar
 * operation against schoolbook integers; the order of the toy curve of 63 bits, proved; its sums against the slowest way to
 * make them.
 *
 * What it shows of the real curves: the addition formulas, the tables, the signed windows, the buckets and the batch inversions
 * are the same code, and here every exceptional case (equal, opposite, identity) is met many times over. */
#include "tiny.h"

#include <gmp.h>
#include <stdlib.h>
#include "base/rng.h"
#include "ec/hash2curve.h"
#include "ec/msm.h"
#include "ec/mul_many.h"
#include "ec/ole_rows.h"

static void rng_for(struct km_rng *rng, const char *label)
{
	static const uint8_t seed[KM_SEED_SIZE] = { 9 };

	km_rng_init(rng, seed, label, NULL, 0);
}

static int is_prime(unsigned n)
{
	for (unsigned d = 2; d * d <= n; d++)
		if (n % d == 0)
			return 0;
	return n > 1;
}

static unsigned bits_of(mp_limb_t v)
{
	return 64 - (unsigned)__builtin_clzll(v);
}

static void check_modulus(const struct km_mod *m)
{
	assert_int_equal(m->n, 1);
	assert_true(m->m[0] * m->minv == UINT64_MAX);
	assert_true(m->one[0] == (mp_limb_t)(((km_u128)1 << 64) % m->m[0]));
	assert_true(m->rr[0] == (mp_limb_t)((km_u128)m->one[0] * m->one[0] % m->m[0]));
}

/* Orders, by counting. */
static void test_orders(void **state)
{
	struct tiny g;

	TINY_EACH(c) {
		unsigned points = 1;

		tiny_init(&g, c);
		check_modulus(&c->p);
		check_modulus(&c->q);
		for (unsigned x = 0; x < g.p; x++)
			for (unsigned y = 0; y < g.p; y++)
				points += (unsigned)tiny_on_curve(&g, x, y);
		assert_int_equal(points, g.q);
		assert_true(is_prime(g.q) && is_prime(g.p) && g.p % 4 == 3);
		assert_int_equal(bits_of(g.p), c->bits);
		assert_int_equal(bits_of(g.q), c->bits);
		/* its last multiple is -G: the order of G is q and no less */
		assert_int_equal(g.at[g.q - 1].x, g.at[1].x);
		assert_int_equal(g.at[g.q - 1].y, g.p - g.at[1].y);
	}
}

/* q is prime, qG = O and G is not O, so q divides the number of points; Hasse's interval holds one multiple of q. */
static void test_order_63(void **state)
{
	const struct km_curve *c = km_curve_by_id(KM_CURVE_TOY);
	struct km_point p, sum;
	struct km_secret k;
	mpz_t m, q, w;

	check_modulus(&c->p);
	check_modulus(&c->q);
	assert_int_equal(bits_of(c->p.m[0]), 63);
	assert_int_equal(bits_of(c->q.m[0]), 63);
	mpz_inits(m, q, w, NULL);
	mpz_import(m, 1, -1, sizeof(mp_limb_t), 0, 0, c->p.m);
	mpz_import(q, 1, -1, sizeof(mp_limb_t), 0, 0, c->q.m);
	assert_int_not_equal(mpz_probab_prime_p(m, 40), 0);
	assert_int_not_equal(mpz_probab_prime_p(q, 40), 0);
	mpz_sub(w, q, m);
	mpz_sub_ui(w, w, 1);
	mpz_mul(w, w, w);
	mpz_mul_ui(m, m, 4);
	assert_true(mpz_cmp(w, m) <= 0);         /* (q - p - 1)^2 <= 4p */
	mpz_clears(m, q, w, NULL);
	/* (q-1)G + G */
	km_secret_zero(&k);
	k.l[0] = c->q.m[0] - 1;
	km_point_mul_g(c, &p, &k);
	km_point_generator(c, &sum);
	assert_false(km_point_is_identity_var(c, &sum));
	km_point_add(c, &sum, &sum, &p);
	assert_true(km_point_is_identity_var(c, &sum));
}

/* The same point with another Z. */
static void rescale(const struct km_curve *c, struct km_point *p, unsigned z)
{
	mp_limb_t f[KM_LIMBS_MAX] = { z };

	km_mod_to(&c->p, f, f);
	km_mod_mul(&c->p, p->x, p->x, f);
	km_mod_mul(&c->p, p->y, p->y, f);
	km_mod_mul(&c->p, p->z, p->z, f);
}

static void test_sums(void **state)
{
	struct tiny g;
	struct km_point a, b, r;

	TINY_EACH(c) {
		tiny_init(&g, c);
		for (unsigned i = 0; i < g.q; i++)
			for (unsigned j = 0; j < g.q; j++)
				for (unsigned z = 1; z < g.p; z += 5) {
					a = g.pt[i];
					b = g.pt[j];
					rescale(c, &a, z);
					rescale(c, &b, z * 3 % g.p ? z * 3 % g.p : 1);
					assert_int_equal(km_point_equal_var(c, &a, &b), i == j);
					km_point_add(c, &r, &a, &b);
					assert_int_equal(tiny_log(&g, &r), (i + j) % g.q);
					km_point_sub(c, &r, &a, &b);
					assert_int_equal(tiny_log(&g, &r), (i + g.q - j) % g.q);
					km_point_neg(c, &a, &a);
					assert_int_equal(tiny_log(&g, &a), (g.q - i) % g.q);
				}
	}
}

static void test_multiples(void **state)
{
	struct km_secret many[TINY_Q_MAX];
	struct km_point r, out[TINY_Q_MAX];
	struct tiny g;

	TINY_EACH(c) {
		tiny_init(&g, c);
		for (unsigned k = 0; k < g.q; k++)
			many[k] = tiny_secret(k);
		for (unsigned i = 0; i < g.q; i++) {
			km_point_mul_many(c, out, many, g.q, &g.pt[i]);
			for (unsigned k = 0; k < g.q; k++) {
				struct km_scalar s = tiny_scalar(k);

				km_point_mul(c, &r, &many[k], &g.pt[i]);
				assert_int_equal(tiny_log(&g, &r), k * i % g.q);
				km_point_mul_var(c, &r, &s, &g.pt[i]);
				assert_int_equal(tiny_log(&g, &r), k * i % g.q);
				assert_int_equal(tiny_log(&g, &out[k]), k * i % g.q);
			}
			km_point_mul_g(c, &r, &many[i]);
			assert_int_equal(tiny_log(&g, &r), i);
		}
	}
}

/* Every pair of terms: all scalars, all points. */
static void test_sums_of_two(void **state)
{
	struct km_scalar k[2];
	struct km_point p[2], r;
	struct tiny g;

	tiny_init(&g, km_curve_by_id(KM_CURVE_TINY17));
	for (unsigned a = 0; a < g.q; a++)
		for (unsigned b = 0; b < g.q; b++)
			for (unsigned i = 0; i < g.q; i++)
				for (unsigned j = 0; j < g.q; j++) {
					k[0] = tiny_scalar(a);
					k[1] = tiny_scalar(b);
					p[0] = g.pt[i];
					p[1] = g.pt[j];
					assert_int_equal(km_msm_var(g.c, &r, k, p, 2), KM_OK);
					assert_int_equal(tiny_log(&g, &r), (a * i + b * j) % g.q);
				}
}

#define TERMS 3000

/* Long sums take the buckets; so few different points meet and cancel in all of them. */
static void test_long_sums(void **state)
{
	struct km_scalar *k = calloc(TERMS, sizeof(*k));
	struct km_point *p = calloc(TERMS, sizeof(*p)), r;
	struct km_rng rng;
	struct tiny g;

	assert_true(k && p);
	rng_for(&rng, "long");
	TINY_EACH(c) {
		tiny_init(&g, c);
		for (unsigned n = 1; n <= TERMS; n += n / 3 + 1) {
			unsigned want = 0;

			for (unsigned i = 0; i < n; i++) {
				unsigned a = (unsigned)km_rng_below(&rng, g.q), b = (unsigned)km_rng_below(&rng, g.q);

				k[i] = tiny_scalar(a);
				p[i] = g.pt[b];
				rescale(c, &p[i], 1 + (unsigned)km_rng_below(&rng, g.p - 1));
				want += a * b;
			}
			assert_int_equal(km_msm_var(c, &r, k, p, n), KM_OK);
			assert_int_equal(tiny_log(&g, &r), want % g.q);
		}
	}
	free(k);
	free(p);
}

static int is_valid(const struct tiny *g, unsigned sign, unsigned x)
{
	for (unsigned y = 0; y < g->p; y++)
		if (x < g->p && tiny_on_curve(g, x, y) && sign == 2 + (y & 1))
			return 1;
	return 0;
}

static void test_encodings(void **state)
{
	struct km_point p;
	struct tiny g;

	TINY_EACH(c) {
		uint8_t enc[3], back[3];

		tiny_init(&g, c);
		for (unsigned v = 0; v < 65536; v++) {
			enc[0] = (uint8_t)(v >> 8);
			enc[1] = (uint8_t)v;
			assert_int_equal(km_point_decode_var(c, &p, enc), is_valid(&g, enc[0], enc[1]) ? KM_OK : KM_E_ENCODING);
			if (is_valid(&g, enc[0], enc[1])) {
				assert_int_equal(km_point_encode_var(c, back, &p), KM_OK);
				assert_memory_equal(back, enc, 2);
			}
			enc[0] = 4;
			enc[1] = (uint8_t)(v >> 8);
			enc[2] = (uint8_t)v;
			int good = enc[1] < g.p && enc[2] < g.p && tiny_on_curve(&g, enc[1], enc[2]);
			assert_int_equal(km_point_decode_uncompressed_var(c, &p, enc), good ? KM_OK : KM_E_ENCODING);
			if (good) {
				assert_int_equal(km_point_encode_uncompressed_var(c, back, &p), KM_OK);
				assert_memory_equal(back, enc, 3);
			}
		}
		for (unsigned k = 1; k < g.q; k++) {
			struct km_scalar x;

			assert_int_equal(km_point_x_mod_q_var(c, &x, &g.pt[k]), KM_OK);
			assert_int_equal(tiny_value(&x), g.at[k].x % g.q);
			km_point_encode_secret(c, enc, &g.pt[k]);
			assert_memory_equal(enc, g.enc[k], 2);
		}
	}
}

static void test_scalars(void **state)
{
	struct km_scalar r;
	struct tiny g;
	uint8_t byte;

	TINY_EACH(c) {
		tiny_init(&g, c);
		for (unsigned v = 0; v < 256; v++) {
			byte = (uint8_t)v;
			assert_int_equal(km_scalar_decode(c, &r, &byte), v < g.q ? KM_OK : KM_E_ENCODING);
			assert_int_equal(tiny_value(&r), v < g.q ? v : 0);
			km_scalar_reduce(c, &r, &byte, 1);
			assert_int_equal(tiny_value(&r), v % g.q);
		}
		for (unsigned v = 0; v < 65536; v++) {
			uint8_t two[2] = { (uint8_t)(v >> 8), (uint8_t)v };

			km_scalar_reduce(c, &r, two, 2);
			assert_int_equal(tiny_value(&r), v % g.q);
		}
		for (unsigned a = 0; a < g.q; a++) {
			struct km_scalar x = tiny_scalar(a);

			assert_int_equal(km_scalar_is_high(c, &x), 2 * a > g.q);
			if (a) {
				km_scalar_inv(c, &r, &x);
				assert_int_equal(tiny_value(&r), tiny_inv(a, g.q));
			}
			for (unsigned b = 0; b < g.q; b++) {
				struct km_scalar y = tiny_scalar(b);

				km_scalar_add(c, &r, &x, &y);
				assert_int_equal(tiny_value(&r), (a + b) % g.q);
				km_scalar_sub(c, &r, &x, &y);
				assert_int_equal(tiny_value(&r), (a + g.q - b) % g.q);
				km_scalar_mul(c, &r, &x, &y);
				assert_int_equal(tiny_value(&r), a * b % g.q);
			}
		}
	}
}

/* What is hashed lies in the group, and anywhere in it. */
static void test_hash(void **state)
{
	struct km_point r;
	struct tiny g;

	TINY_EACH(c) {
		unsigned hits[TINY_Q_MAX] = { 0 };

		tiny_init(&g, c);
		for (unsigned i = 0; i < 40 * g.q; i++) {
			assert_int_equal(km_hash_to_curve(c, &r, &i, sizeof(i), "tiny", 4), KM_OK);
			hits[tiny_log(&g, &r)]++;
		}
		/* the two maps of a sum reach three eighths of the points each: in a field of 23 elements not every sum */
		unsigned missed = 0;
		for (unsigned k = 0; k < g.q; k++)
			missed += !hits[k];
		assert_true(g.p < 40 ? missed <= 2 : !missed);
	}
}

/* kP by nothing but complete additions. */
static void mul_slow(const struct km_curve *c, struct km_point *r, const struct km_scalar *k, const struct km_point *p)
{
	km_point_identity(c, r);
	for (unsigned i = 64; i-- > 0;) {
		km_point_add(c, r, r, r);
		if (k->l[0] >> i & 1)
			km_point_add(c, r, r, p);
	}
}

/* The toy of 63 bits: no case is exceptional by chance, so each way must agree with the plainest one. */
static void test_63(void **state)
{
	enum { N = 300 };
	const struct km_curve *c = km_curve_by_id(KM_CURVE_TOY);
	struct km_secret k[N];
	struct km_scalar pub[N];
	struct km_point p[N], many[N], slow, sum, acc;
	uint8_t enc[9];
	struct km_rng rng;

	rng_for(&rng, "63");
	km_point_identity(c, &acc);
	for (unsigned i = 0; i < N; i++) {
		km_secret_random(c, &k[i], &rng);
		km_secret_declassify(&pub[i], &k[i]);
		assert_int_equal(km_hash_to_curve(c, &p[i], &i, sizeof(i), "toy", 3), KM_OK);
		assert_int_equal(km_point_encode_var(c, enc, &p[i]), KM_OK);
		assert_int_equal(km_point_decode_var(c, &slow, enc), KM_OK);
		assert_true(km_point_equal_var(c, &slow, &p[i]));
		mul_slow(c, &slow, &pub[i], &p[i]);
		km_point_mul(c, &sum, &k[i], &p[i]);
		assert_true(km_point_equal_var(c, &slow, &sum));
		km_point_mul_var(c, &sum, &pub[i], &p[i]);
		assert_true(km_point_equal_var(c, &slow, &sum));
		km_point_generator(c, &many[0]);
		mul_slow(c, &many[1], &pub[i], &many[0]);
		km_point_mul_g(c, &sum, &k[i]);
		assert_true(km_point_equal_var(c, &many[1], &sum));
		km_point_add(c, &acc, &acc, &slow);
	}
	assert_int_equal(km_msm_var(c, &sum, pub, p, N), KM_OK);
	assert_true(km_point_equal_var(c, &sum, &acc));
	km_point_mul_many(c, many, k, N, &p[0]);
	for (unsigned i = 0; i < N; i++) {
		km_point_mul(c, &slow, &k[i], &p[0]);
		assert_true(km_point_equal_var(c, &slow, &many[i]));
	}
}

/* Pads of a row: three long numbers, each reduced; and the scalar operations against wider integers. */
static void test_63_scalars(void **state)
{
	const struct km_curve *c = km_curve_by_id(KM_CURVE_TOY);
	mp_limb_t q = c->q.m[0], row[KM_ROW_LIMBS_MAX];
	size_t size = km_curve_wide_size(c);
	struct km_scalar a, b, r;
	struct km_rng rng;
	mpz_t v;

	assert_int_equal(size, 24);
	rng_for(&rng, "63 scalars");
	mpz_init(v);
	for (unsigned i = 0; i < 2000; i++) {
		uint8_t wide[3 * 24];

		km_rng_bytes(&rng, wide, sizeof(wide));
		km_row_pad(c, row, wide);
		for (unsigned j = 0; j < 3; j++) {
			mpz_import(v, size, 1, 1, 0, 0, wide + j * size);
			assert_true(row[j] == mpz_fdiv_ui(v, q));
		}
		km_scalar_reduce(c, &a, wide, size);
		km_scalar_reduce(c, &b, wide + size, size);
		assert_true(a.l[0] == row[0] && b.l[0] == row[1]);
		km_scalar_mul(c, &r, &a, &b);
		assert_true(r.l[0] == (mp_limb_t)((km_u128)a.l[0] * b.l[0] % q));
		km_scalar_add(c, &r, &a, &b);
		assert_true(r.l[0] == (a.l[0] + b.l[0]) % q);
		km_scalar_inv(c, &r, &a);
		km_scalar_mul(c, &r, &r, &a);
		assert_true(r.l[0] == 1);
	}
	mpz_clear(v);
}

KM_TESTS(cmocka_unit_test(test_orders), cmocka_unit_test(test_order_63), cmocka_unit_test(test_sums),
	 cmocka_unit_test(test_multiples),
	 cmocka_unit_test(test_sums_of_two), cmocka_unit_test(test_long_sums), cmocka_unit_test(test_encodings),
	 cmocka_unit_test(test_scalars), cmocka_unit_test(test_hash), cmocka_unit_test(test_63),
	 cmocka_unit_test(test_63_scalars))
