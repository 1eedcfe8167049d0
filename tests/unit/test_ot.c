/* test_ot.c: GF(2^128), base OTs, the OT extension and its check. */
#include <stdlib.h>
#include <nettle/chacha.h>
#include "../lib/test.h"
#include "ec_help.h"
#include "base/secret.h"
#include "ec/hash2curve.h"
#include "proto/gf128.h"
#include "proto/ot_ext.h"

static uint8_t sid[KM_HASH_SIZE] = { 7, 8, 9 };
static const struct km_ot_pair pair = { sid, 1, 2 };

/* ---- GF(2^128) */

/* Bit by bit. */
static struct km_gf128 slow_mul(struct km_gf128 a, struct km_gf128 b)
{
	struct km_gf128 r = { 0, 0 };

	for (unsigned i = 0; i < 128; i++) {
		uint64_t top = a.hi >> 63;

		if ((i < 64 ? b.lo >> i : b.hi >> (i - 64)) & 1) {
			r.lo ^= a.lo;
			r.hi ^= a.hi;
		}
		a.hi = a.hi << 1 | a.lo >> 63;
		a.lo = a.lo << 1 ^ (top ? 0x87 : 0);
	}
	return r;
}

static struct km_gf128 random_gf(struct km_rng *rng)
{
	return (struct km_gf128){ km_rng_u64(rng), km_rng_u64(rng) };
}

static void test_gf128(void **state)
{
	static const uint64_t edge[] = { 0, 1, 2, (uint64_t)1 << 63, UINT64_MAX, 0x8765432112345678 };
	struct km_gf128 a[5], want = { 0, 0 }, got;
	uint8_t b[5 * KM_GF128_SIZE];
	struct km_rng rng;

	ec_rng(&rng, "gf128");
	for (unsigned i = 0; i < 6 * 6 * 6 * 6; i++) {
		struct km_gf128 x = { edge[i % 6], edge[i / 6 % 6] }, y = { edge[i / 36 % 6], edge[i / 216] };

		km_gf128_store(b, y);
		want = slow_mul(x, y);
		got = km_gf128_dot_portable(&x, b, 1);
		assert_true(got.lo == want.lo && got.hi == want.hi);
		got = km_gf128_dot(&x, b, 1);
		assert_true(got.lo == want.lo && got.hi == want.hi);
	}
	for (unsigned n = 0; n <= 5; n++) {
		want = (struct km_gf128){ 0, 0 };
		for (unsigned i = 0; i < n; i++) {
			struct km_gf128 y = random_gf(&rng), p;

			a[i] = random_gf(&rng);
			km_gf128_store(b + i * KM_GF128_SIZE, y);
			p = slow_mul(a[i], y);
			want.lo ^= p.lo;
			want.hi ^= p.hi;
		}
		got = km_gf128_dot_portable(a, b, n);
		assert_true(got.lo == want.lo && got.hi == want.hi);
		got = km_gf128_dot(a, b, n);
		assert_true(got.lo == want.lo && got.hi == want.hi);
	}
}

/* ---- base OT */

struct base {
	struct km_secret y, x[KM_OT_KAPPA];
	uint8_t delta[KM_OT_DELTA_SIZE], a[KM_POINT_MAX], r[2 * KM_OT_KAPPA * KM_POINT_MAX];
	uint8_t both[KM_OT_KAPPA][2][KM_OT_KEY_SIZE], chosen[KM_OT_KAPPA][KM_OT_KEY_SIZE];
};

static void base_flight(const struct km_curve *c, struct base *b)
{
	struct km_rng rng;

	ec_rng(&rng, "base");
	km_rng_bytes(&rng, b->delta, sizeof(b->delta));
	assert_int_equal(km_ot_base_offer(c, &b->y, b->a, &rng), KM_OK);
	assert_int_equal(km_ot_base_choose(c, &pair, b->delta, b->x, b->r, &rng), KM_OK);
}

static void base_keys(const struct km_curve *c, struct base *b)
{
	assert_int_equal(km_ot_base_keys_both(c, &pair, &b->y, b->a, b->r, b->both), KM_OK);
	assert_int_equal(km_ot_base_keys_chosen(c, &pair, b->x, b->delta, b->a, b->r, b->chosen), KM_OK);
}

static void test_base(void **state)
{
	static struct base b;

	EC_EACH_CURVE(c) {
		base_flight(c, &b);
		base_keys(c, &b);
		for (unsigned p = 0; p < KM_OT_KAPPA; p++) {
			unsigned e = km_ot_bit(b.delta, p);

			assert_memory_equal(b.chosen[p], b.both[p][e], KM_OT_KEY_SIZE);
			assert_memory_not_equal(b.chosen[p], b.both[p][1 - e], KM_OT_KEY_SIZE);
			for (unsigned o = 0; o < p; o++)
				assert_memory_not_equal(b.both[p][0], b.both[o][0], KM_OT_KEY_SIZE);
		}
	}
}

/* Other ids, another sid, another A: other keys. */
static void test_base_bound(void **state)
{
	static struct base b;
	uint8_t other_sid[KM_HASH_SIZE] = { 1 };
	const struct km_ot_pair others[] = { { other_sid, 1, 2 }, { sid, 2, 1 }, { sid, 1, 3 } };
	const struct km_curve *c = km_curve_p256();
	uint8_t keys[KM_OT_KAPPA][KM_OT_KEY_SIZE];

	base_flight(c, &b);
	base_keys(c, &b);
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(km_ot_base_keys_chosen(c, &others[i], b.x, b.delta, b.a, b.r, keys), KM_OK);
		for (unsigned p = 0; p < KM_OT_KAPPA; p++)
			assert_memory_not_equal(keys[p], b.chosen[p], KM_OT_KEY_SIZE);
	}
}

static void test_base_refused(void **state)
{
	static struct base b;
	const struct km_curve *c = km_curve_p256();
	size_t ps = km_curve_point_size(c);
	uint8_t keep, d[KM_HASH_SIZE];
	struct km_point h;
	struct km_hash hash;

	base_flight(c, &b);
	keep = b.r[17 * 2 * ps];
	b.r[17 * 2 * ps] = 5;
	assert_int_equal(km_ot_base_keys_both(c, &pair, &b.y, b.a, b.r, b.both), KM_E_ENCODING);
	b.r[17 * 2 * ps] = 0;                   /* the identity has no encoding */
	assert_int_equal(km_ot_base_keys_both(c, &pair, &b.y, b.a, b.r, b.both), KM_E_ENCODING);
	b.r[17 * 2 * ps] = keep;
	/* r_1 = -H_1(r_0): the key would be y times the identity */
	km_hash_init(&hash, "ot-point");
	km_hash_field(&hash, sid, KM_HASH_SIZE);
	km_hash_u8(&hash, 1);
	km_hash_u8(&hash, 2);
	km_hash_u8(&hash, 17);
	km_hash_u8(&hash, 1);
	km_hash_field(&hash, b.r + 17 * 2 * ps, ps);
	km_hash_final(&hash, d);
	assert_int_equal(km_hash_to_curve(c, &h, d, sizeof(d), "keymesh/1/ot-base", 17), KM_OK);
	km_point_neg(c, &h, &h);
	assert_int_equal(km_point_encode_var(c, b.r + (17 * 2 + 1) * ps, &h), KM_OK);
	assert_int_equal(km_ot_base_keys_both(c, &pair, &b.y, b.a, b.r, b.both), KM_E_VERIFY);
	b.a[0] = 0;
	assert_int_equal(km_ot_base_keys_chosen(c, &pair, b.x, b.delta, b.a, b.r, b.chosen), KM_E_ENCODING);
}

/* ---- extension */

#define M 300                                   /* transfers wanted: not a multiple of anything */

struct ext {
	size_t len;
	uint8_t both[KM_OT_KAPPA][2][KM_OT_KEY_SIZE], chosen[KM_OT_KAPPA][KM_OT_KEY_SIZE], delta[KM_OT_DELTA_SIZE],
	    y1[2][KM_HASH_SIZE];
	uint8_t *beta, *t, *u, *q, check[KM_OT_CHECK_SIZE];
};

static void ext_init(struct ext *e)
{
	struct km_rng rng;

	memset(e, 0, sizeof(*e));
	ec_rng(&rng, "ext");
	e->len = km_ot_column_size(M);
	assert_int_equal(e->len, 4 * 16);
	e->beta = malloc(e->len);
	e->t = malloc(KM_OT_KAPPA * e->len);
	e->u = malloc(KM_OT_KAPPA * e->len);
	e->q = malloc(KM_OT_KAPPA * e->len);
	km_rng_bytes(&rng, e->both, sizeof(e->both));
	km_rng_bytes(&rng, e->delta, sizeof(e->delta));
	km_rng_bytes(&rng, e->beta, e->len);
	for (unsigned p = 0; p < KM_OT_KAPPA; p++)
		memcpy(e->chosen[p], e->both[p][km_ot_bit(e->delta, p)], KM_OT_KEY_SIZE);
}

static void ext_free(struct ext *e)
{
	free(e->beta);
	free(e->t);
	free(e->u);
	free(e->q);
}

static int ext_check(struct ext *e)
{
	struct km_gf128 *chi = km_ot_ext_challenge(&pair, (const uint8_t(*)[KM_HASH_SIZE])e->y1, e->u, e->len);
	int err;

	km_ot_ext_prove(e->check, chi, e->t, e->beta, e->len);
	km_ot_ext_alice(e->q, (const uint8_t(*)[KM_OT_KEY_SIZE])e->chosen, e->delta, e->u, e->len);
	err = km_ot_ext_check(e->check, chi, e->q, e->delta, e->len);
	free(chi);
	return err;
}

static void test_extension(void **state)
{
	struct ext e;
	uint8_t *qr, *tr;

	ext_init(&e);
	km_ot_ext_bob(e.t, e.u, (const uint8_t(*)[2][KM_OT_KEY_SIZE])e.both, e.beta, e.len);
	assert_int_equal(ext_check(&e), KM_OK);
	qr = malloc(8 * e.len * KM_OT_BLOCK);
	tr = malloc(8 * e.len * KM_OT_BLOCK);
	km_ot_transpose(qr, e.q, e.len);
	km_ot_transpose(tr, e.t, e.len);
	for (size_t j = 0; j < 8 * e.len; j++)
		for (unsigned b = 0; b < KM_OT_BLOCK; b++)
			assert_int_equal(qr[j * KM_OT_BLOCK + b],
					 tr[j * KM_OT_BLOCK + b] ^ (km_ot_bit(e.beta, j) ? e.delta[b] : 0));
	/* and every bit in its place */
	for (size_t j = 0; j < 8 * e.len; j++)
		for (unsigned q = 0; q < KM_OT_KAPPA; q++)
			assert_int_equal(km_ot_bit(tr + j * KM_OT_BLOCK, q), km_ot_bit(e.t + q * e.len, j));
	free(qr);
	free(tr);
	ext_free(&e);
}

/* One bit of u off in one column: refused where Delta has that bit, unseen (and harmless) where not. Every row counts. */
static void test_extension_cheat(void **state)
{
	struct ext e;

	ext_init(&e);
	for (unsigned i = 0; i < 64; i++) {
		unsigned q = i * 2 + 1;
		size_t row = i * (8 * e.len - 1) / 63;

		km_ot_ext_bob(e.t, e.u, (const uint8_t(*)[2][KM_OT_KEY_SIZE])e.both, e.beta, e.len);
		e.u[q * e.len + row / 8] ^= (uint8_t)(1 << (row % 8));
		assert_int_equal(ext_check(&e), km_ot_bit(e.delta, q) ? KM_E_VERIFY : KM_OK);
	}
	ext_free(&e);
}

/* x or any t^q changed: refused, unless x is changed where Delta is all zero. */
static void test_extension_answer(void **state)
{
	struct km_gf128 *chi;
	struct ext e;

	ext_init(&e);
	km_ot_ext_bob(e.t, e.u, (const uint8_t(*)[2][KM_OT_KEY_SIZE])e.both, e.beta, e.len);
	assert_int_equal(ext_check(&e), KM_OK);
	chi = km_ot_ext_challenge(&pair, (const uint8_t(*)[KM_HASH_SIZE])e.y1, e.u, e.len);
	for (size_t b = 0; b < 8 * sizeof(e.check); b += 5) {
		e.check[b / 8] ^= (uint8_t)(1 << (b % 8));
		assert_int_equal(km_ot_ext_check(e.check, chi, e.q, e.delta, e.len), KM_E_VERIFY);
		e.check[b / 8] ^= (uint8_t)(1 << (b % 8));
	}
	free(chi);
	ext_free(&e);
}

/* The challenge depends on everything it must. */
static void test_challenge(void **state)
{
	const struct km_ot_pair other = { sid, 2, 1 };
	struct km_gf128 *a, *b;
	struct ext e;

	ext_init(&e);
	km_ot_ext_bob(e.t, e.u, (const uint8_t(*)[2][KM_OT_KEY_SIZE])e.both, e.beta, e.len);
	a = km_ot_ext_challenge(&pair, (const uint8_t(*)[KM_HASH_SIZE])e.y1, e.u, e.len);
	for (unsigned i = 0; i < 4; i++) {
		if (i == 1)
			e.y1[0][5] ^= 1;
		if (i == 2)
			e.y1[1][5] ^= 1;
		if (i == 3)
			e.u[KM_OT_KAPPA * e.len - 1] ^= 1;
		b = km_ot_ext_challenge(i ? &pair : &other, (const uint8_t(*)[KM_HASH_SIZE])e.y1, e.u, e.len);
		assert_memory_not_equal(a, b, sizeof(*a));
		assert_true(b[3].lo == 1 && b[3].hi == 0);
		free(b);
		/* one change at a time */
		if (i == 1)
			e.y1[0][5] ^= 1;
		if (i == 2)
			e.y1[1][5] ^= 1;
		if (i == 3)
			e.u[KM_OT_KAPPA * e.len - 1] ^= 1;
	}
	b = km_ot_ext_challenge(&pair, (const uint8_t(*)[KM_HASH_SIZE])e.y1, e.u, e.len);
	assert_memory_equal(a, b, sizeof(*a));
	free(b);
	free(a);
	ext_free(&e);
}

/* Against Nettle's, any number of blocks. */
static void test_chacha8(void **state)
{
	static const uint8_t nonce[CHACHA_NONCE_SIZE];
	uint8_t keys[KM_CHACHA8_LANES][32], out[KM_CHACHA8_LANES * 300], want[256];
	struct km_rng rng;

	ec_rng(&rng, "chacha8");
	for (size_t blocks = 1; blocks <= 4; blocks++) {
		km_rng_bytes(&rng, keys, sizeof(keys));
		memset(out, 0xaa, sizeof(out));
		km_chacha8(out, 300, blocks, (const uint8_t(*)[32])keys);
		for (unsigned lane = 0; lane < KM_CHACHA8_LANES; lane++) {
			struct chacha_ctx ctx;

			chacha_set_key(&ctx, keys[lane]);
			chacha_set_nonce(&ctx, nonce);
			memset(want, 0, sizeof(want));
			chacha_crypt(&ctx, 64 * blocks, want, want);
			assert_memory_equal(out + lane * 300, want, 64 * blocks);
			assert_int_equal(out[lane * 300 + 64 * blocks], 0xaa);
		}
	}
}

/* Each pad depends on its own row, number and pair, and on nothing else. */
static void test_pads(void **state)
{
	const struct km_ot_pair other = { sid, 2, 1 };
	uint8_t q[KM_OT_PADS][KM_OT_BLOCK] = { { 1 } }, a[KM_OT_PADS * KM_OT_PAD_STRIDE], b[sizeof(a)];
	uint32_t row[KM_OT_PADS] = { 5, 5, 5, 6, 7, 8, 9, 10 };
	struct km_ot_pads p, o;

	memset(a, 0, sizeof(a));
	memset(b, 0, sizeof(b));
	km_ot_pads_init(&p, &pair);
	km_ot_pads_init(&o, &other);
	km_ot_pad(&p, a, 200, row, (const uint8_t(*)[KM_OT_BLOCK])q);
	assert_memory_equal(a + KM_OT_PAD_STRIDE, a + 2 * KM_OT_PAD_STRIDE, 200);
	for (unsigned i = 1; i < KM_OT_PADS; i++)
		for (unsigned j = 0; j < i; j++)
			if (i != 2 || j != 1)
				assert_memory_not_equal(a + i * KM_OT_PAD_STRIDE, a + j * KM_OT_PAD_STRIDE, 16);
	km_ot_pad(&o, b, 200, row, (const uint8_t(*)[KM_OT_BLOCK])q);
	for (unsigned i = 0; i < KM_OT_PADS; i++)
		assert_memory_not_equal(a + i * KM_OT_PAD_STRIDE, b + i * KM_OT_PAD_STRIDE, 16);
	q[3][15] ^= 128;
	row[4]++;
	km_ot_pad(&p, b, 200, row, (const uint8_t(*)[KM_OT_BLOCK])q);
	for (unsigned i = 0; i < KM_OT_PADS; i++)
		assert_int_equal(memcmp(a + i * KM_OT_PAD_STRIDE, b + i * KM_OT_PAD_STRIDE, 16) != 0, i == 3 || i == 4);
}

KM_TESTS(cmocka_unit_test(test_gf128), cmocka_unit_test(test_base), cmocka_unit_test(test_base_bound),
	 cmocka_unit_test(test_base_refused), cmocka_unit_test(test_extension), cmocka_unit_test(test_extension_cheat),
	 cmocka_unit_test(test_extension_answer), cmocka_unit_test(test_challenge), cmocka_unit_test(test_chacha8),
	 cmocka_unit_test(test_pads))
