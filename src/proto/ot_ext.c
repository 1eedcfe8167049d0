/* ot_ext.c: OT extension, see ot_ext.h. */
#include <stdlib.h>
#include <string.h>
#include <nettle/chacha.h>
#include "ot_ext.h"
#include "gf128.h"
#include "../base/rules.h"
#include "../base/secret.h"

/* p ^= the stream of a key that is used for nothing else */
static void add_stream(uint8_t *p, const uint8_t key[KM_OT_KEY_SIZE], size_t len)
{
	static const uint8_t nonce[CHACHA_NONCE_SIZE];
	struct chacha_ctx ctx;

	chacha_set_key(&ctx, key);
	chacha_set_nonce(&ctx, nonce);
	chacha_crypt(&ctx, len, p, p);
	km_wipe(&ctx, sizeof(ctx));
}

static void add_bytes(uint8_t *r, const uint8_t *a, uint8_t mask, size_t n)
{
	for (size_t i = 0; i < n; i++)
		r[i] ^= a[i] & mask;
}

void km_ot_ext_bob(uint8_t *t, uint8_t *u, const uint8_t (*keys)[2][KM_OT_KEY_SIZE], const uint8_t *beta, size_t len)
{
	for (unsigned q = 0; q < KM_OT_KAPPA; q++, t += len) {
		memset(t, 0, len);
		add_stream(t, keys[q][0], len);
		if (!u)
			continue;
		memcpy(u, t, len);
		add_bytes(u, beta, 0xff, len);
		add_stream(u, keys[q][1], len);
		/* sent: hidden by the key that Alice does not know */
		km_declassify(u, len);
		u += len;
	}
}

void km_ot_ext_alice(uint8_t *q, const uint8_t (*keys)[KM_OT_KEY_SIZE], const uint8_t delta[KM_OT_DELTA_SIZE], const uint8_t *u,
		     size_t len)
{
	for (unsigned i = 0; i < KM_OT_KAPPA; i++, q += len, u += len) {
		uint8_t mask = (uint8_t)-km_ot_bit(delta, i);

		memset(q, 0, len);
		__asm__("" : "+r"(mask));
		add_bytes(q, u, mask, len);
		add_stream(q, keys[i], len);
	}
}

/* ---- the check */

struct km_gf128 *km_ot_ext_challenge(const struct km_ot_pair *pair, const uint8_t y1[2][KM_HASH_SIZE], const uint8_t *u,
				     size_t len)
{
	size_t n = len / KM_OT_BLOCK;
	struct km_gf128 *chi = calloc(n, sizeof(*chi));
	uint8_t seed[KM_SEED_SIZE], b[KM_GF128_SIZE];
	struct km_hash h;
	struct km_rng rng;

	if (!chi)
		return NULL;
	km_hash_init(&h, "ot-check");
	km_hash_field(&h, pair->sid, KM_HASH_SIZE);
	km_hash_u8(&h, pair->alice);
	km_hash_u8(&h, pair->bob);
	km_hash_field(&h, y1[0], KM_HASH_SIZE);
	km_hash_field(&h, y1[1], KM_HASH_SIZE);
	km_hash_field(&h, u, KM_OT_KAPPA * len);
	km_hash_final(&h, seed);
	km_rng_init(&rng, seed, "ot-check", NULL, 0);
	for (size_t i = 0; i + 1 < n; i++) {
		km_rng_bytes(&rng, b, sizeof(b));
		chi[i] = km_gf128_load(b);
	}
	chi[n - 1] = (struct km_gf128){ 1, 0 };
	return chi;
}

void km_ot_ext_prove(uint8_t out[KM_OT_CHECK_SIZE], const struct km_gf128 *chi, const uint8_t *t, const uint8_t *beta, size_t len)
{
	size_t n = len / KM_OT_BLOCK;

	km_gf128_store(out, km_gf128_dot(chi, beta, n));
	for (unsigned q = 0; q < KM_OT_KAPPA; q++)
		km_gf128_store(out + (1 + q) * KM_OT_BLOCK, km_gf128_dot(chi, t + q * len, n));
	/* the last block of each column hides the rest */
	km_declassify(out, KM_OT_CHECK_SIZE);
}

int km_ot_ext_check(const uint8_t in[KM_OT_CHECK_SIZE], const struct km_gf128 *chi, const uint8_t *q,
		    const uint8_t delta[KM_OT_DELTA_SIZE], size_t len)
{
	struct km_gf128 x = km_gf128_load(in), f, t;
	uint64_t diff = 0, mask;
	int bad;

	/* WHY: columns of different choice vectors show the bits of Delta where they differ (B3) */
	if (!KM_RULE(km_rule_ot_check))
		return KM_OK;
	for (unsigned i = 0; i < KM_OT_KAPPA; i++) {
		mask = -(uint64_t)km_ot_bit(delta, i);
		f = km_gf128_dot(chi, q + i * len, len / KM_OT_BLOCK);
		t = km_gf128_load(in + (1 + i) * KM_OT_BLOCK);
		diff |= f.lo ^ t.lo ^ (x.lo & mask);
		diff |= f.hi ^ t.hi ^ (x.hi & mask);
	}
	/* whether it passes is all that Bob learns */
	bad = (int)((diff | -diff) >> 63);
	km_declassify(&bad, sizeof(bad));
	return bad ? KM_E_VERIFY : KM_OK;
}

/* ---- columns to rows */

static uint64_t load64(const uint8_t *in)
{
	uint64_t v = 0;

#pragma GCC unroll 8
	for (unsigned i = 0; i < 8; i++)
		v |= (uint64_t)in[i] << (8 * i);
	return v;
}

static void store64(uint8_t *out, uint64_t v)
{
#pragma GCC unroll 8
	for (unsigned i = 0; i < 8; i++)
		out[i] = (uint8_t)(v >> (8 * i));
}

/* a[i] bit j <-> a[j] bit i, by exchanging halves, quarters, ... (Warren, Hacker's Delight). */
static void transpose64(uint64_t a[64])
{
	uint64_t m = 0xffffffff;

	for (unsigned j = 32; j; j >>= 1, m ^= m << j)
		for (unsigned k = 0; k < 64; k = ((k | j) + 1) & ~j) {
			uint64_t t = (a[k] >> j ^ a[k | j]) & m;

			a[k | j] ^= t;
			a[k] ^= t << j;
		}
}

void km_ot_transpose(uint8_t *rows, const uint8_t *cols, size_t len)
{
	uint64_t a[64];

	/* 64 rows of 64 columns at a time */
	for (size_t at = 0; at < len; at += 8)
		for (unsigned half = 0; half < 2; half++) {
			for (unsigned q = 0; q < 64; q++)
				a[q] = load64(cols + (64 * half + q) * len + at);
			transpose64(a);
			for (unsigned j = 0; j < 64; j++)
				store64(rows + (8 * at + j) * KM_OT_BLOCK + 8 * half, a[j]);
		}
	km_wipe(a, sizeof(a));
}

/* ---- pads */

void km_ot_pads_init(struct km_ot_pads *p, const struct km_ot_pair *pair)
{
	km_hash_init(&p->prefix, "ot-pad");
	km_hash_field(&p->prefix, pair->sid, KM_HASH_SIZE);
	km_hash_u8(&p->prefix, pair->alice);
	km_hash_u8(&p->prefix, pair->bob);
}

void km_ot_pad(const struct km_ot_pads *p, uint8_t *out, size_t n, const uint32_t row[KM_OT_PADS],
	       const uint8_t (*q)[KM_OT_BLOCK])
{
	uint8_t keys[KM_OT_PADS][KM_HASH_SIZE];

	KM_ASSERT(n <= KM_OT_PAD_STRIDE);
	for (unsigned i = 0; i < KM_OT_PADS; i++) {
		struct km_hash h = p->prefix;

		km_hash_u32(&h, row[i]);
		km_hash_field(&h, q[i], KM_OT_BLOCK);
		km_hash_final(&h, keys[i]);
	}
	km_chacha8(out, KM_OT_PAD_STRIDE, (n + KM_CHACHA8_BLOCK - 1) / KM_CHACHA8_BLOCK, (const uint8_t(*)[KM_HASH_SIZE])keys);
	km_wipe(keys, sizeof(keys));
}
