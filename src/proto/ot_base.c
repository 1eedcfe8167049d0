/* ot_base.c: endemic OT, see ot_base.h. */
#include <stdlib.h>
#include <string.h>
#include "ot_base.h"
#include "../base/rules.h"
#include "../base/secret.h"
#include "../ec/hash2curve.h"
#include "../ec/mul_many.h"

static const char point_tag[] = "keymesh/1/ot-base";

/* H_e(r). WHY straight-line: one that tries again until a point comes out tells e, that is Alice's choice, by its time. */
static int hash_point(const struct km_curve *c, const struct km_ot_pair *pair, struct km_point *out, unsigned position,
		      unsigned e, const uint8_t *r_enc)
{
	uint8_t d[KM_HASH_SIZE];
	struct km_hash h;
	int err;

	/* WHY uniform: where the points are what Alice likes, she knows both keys (B2) */
	if (!KM_RULE(km_rule_ot_uniform)) {
		km_point_identity(c, out);
		return KM_OK;
	}
	km_hash_init(&h, "ot-point");
	km_hash_field(&h, pair->sid, KM_HASH_SIZE);
	km_hash_u8(&h, pair->alice);
	km_hash_u8(&h, pair->bob);
	km_hash_u8(&h, (uint8_t)position);
	km_hash_u8(&h, (uint8_t)e);
	km_hash_field(&h, r_enc, km_curve_point_size(c));
	km_hash_final(&h, d);
	err = km_hash_to_curve(c, out, d, sizeof(d), point_tag, sizeof(point_tag) - 1);
	km_wipe(d, sizeof(d));
	return err;
}

static void derive(const struct km_curve *c, const struct km_ot_pair *pair, uint8_t key[KM_OT_KEY_SIZE], unsigned position,
		   unsigned e, const uint8_t *a_enc, const uint8_t *r_enc, const struct km_point *shared)
{
	uint8_t enc[KM_POINT_MAX];
	struct km_hash h;

	km_point_encode_secret(c, enc, shared);
	km_hash_init(&h, "ot-key");
	km_hash_field(&h, pair->sid, KM_HASH_SIZE);
	km_hash_u8(&h, pair->alice);
	km_hash_u8(&h, pair->bob);
	km_hash_u8(&h, (uint8_t)position);
	km_hash_u8(&h, (uint8_t)e);
	km_hash_field(&h, a_enc, km_curve_point_size(c));
	km_hash_field(&h, r_enc, 2 * km_curve_point_size(c));
	km_hash_field(&h, enc, km_curve_point_size(c));
	km_hash_final(&h, key);
	km_wipe(enc, sizeof(enc));
}

int km_ot_base_offer(const struct km_curve *c, struct km_secret *y, uint8_t *a_enc, struct km_rng *rng)
{
	struct km_point a;

	km_secret_random(c, y, rng);
	km_point_mul_g(c, &a, y);
	km_point_declassify(&a);
	return km_point_encode_var(c, a_enc, &a);
}

/* Exchanges a and b where bit is 1. */
static void swap(struct km_point *a, struct km_point *b, unsigned bit)
{
	mp_limb_t *x = (mp_limb_t *)a, *y = (mp_limb_t *)b, mask = -(mp_limb_t)bit;

	__asm__("" : "+r"(mask));
	for (size_t i = 0; i < sizeof(*a) / sizeof(*x); i++) {
		mp_limb_t t = (x[i] ^ y[i]) & mask;

		x[i] ^= t;
		y[i] ^= t;
	}
}

/* r[0], r[1] and x of one position. */
static int choose_one(const struct km_curve *c, const struct km_ot_pair *pair, unsigned position, unsigned b, struct km_secret *x,
		      struct km_point r[2], struct km_rng *rng)
{
	uint8_t enc[KM_POINT_MAX];
	struct km_secret any;
	struct km_point h;
	int err;

	/* r_{1-b}: uniform; that it was made as a multiple of G is forgotten here */
	km_secret_random(c, &any, rng);
	km_point_mul_g(c, &r[1], &any);
	km_secret_wipe(&any);
	/* it will be sent; only which of the two it is stays secret */
	km_point_declassify(&r[1]);
	err = km_point_encode_var(c, enc, &r[1]);
	if (!err)
		err = hash_point(c, pair, &h, position, b, enc);
	if (err)
		return err;
	km_secret_random(c, x, rng);
	km_point_mul_g(c, &r[0], x);
	km_point_sub(c, &r[0], &r[0], &h);
	swap(&r[0], &r[1], b);
	km_point_declassify(&r[0]);
	km_point_declassify(&r[1]);
	km_wipe(&h, sizeof(h));
	return KM_OK;
}

int km_ot_base_choose(const struct km_curve *c, const struct km_ot_pair *pair, const uint8_t delta[KM_OT_DELTA_SIZE],
		      struct km_secret *x, uint8_t *r_enc, struct km_rng *rng)
{
	size_t ps = km_curve_point_size(c);
	struct km_point *r = calloc(2 * KM_OT_KAPPA, sizeof(*r));
	int err = r ? KM_OK : KM_E_NOMEM;

	for (unsigned p = 0; p < KM_OT_KAPPA && !err; p++)
		err = choose_one(c, pair, p, km_ot_bit(delta, p), &x[p], &r[2 * p], rng);
	if (!err)
		err = km_point_encode_batch_var(c, r_enc, ps, r, 2 * KM_OT_KAPPA);
	free(r);
	return err;
}

/* y (r_e + H_e(r_{1-e})) into a key. */
static int key_of(const struct km_curve *c, const struct km_ot_pair *pair, const struct km_secret *y, const uint8_t *a_enc,
		  const uint8_t *r_enc, const struct km_point r[2], unsigned position, unsigned e, uint8_t key[KM_OT_KEY_SIZE])
{
	struct km_point h;
	int err = hash_point(c, pair, &h, position, e, r_enc + (1 - e) * km_curve_point_size(c));

	if (err)
		return err;
	km_point_add(c, &h, &h, &r[e]);
	/* WHY: y times the identity is known to everybody (B2) */
	if (KM_RULE(km_rule_ot_identity) && km_point_is_identity_var(c, &h))
		return KM_E_VERIFY;
	km_point_mul(c, &h, y, &h);
	derive(c, pair, key, position, e, a_enc, r_enc, &h);
	km_wipe(&h, sizeof(h));
	return KM_OK;
}

int km_ot_base_keys_both(const struct km_curve *c, const struct km_ot_pair *pair, const struct km_secret *y, const uint8_t *a_enc,
			 const uint8_t *r_enc, uint8_t (*keys)[2][KM_OT_KEY_SIZE])
{
	size_t ps = km_curve_point_size(c);
	struct km_point r[2];

	for (unsigned p = 0; p < KM_OT_KAPPA; p++, r_enc += 2 * ps) {
		int err = km_point_decode_var(c, &r[0], r_enc);

		if (!err)
			err = km_point_decode_var(c, &r[1], r_enc + ps);
		for (unsigned e = 0; e < 2 && !err; e++)
			err = key_of(c, pair, y, a_enc, r_enc, r, p, e, keys[p][e]);
		if (err)
			return err;
	}
	return KM_OK;
}

int km_ot_base_keys_chosen(const struct km_curve *c, const struct km_ot_pair *pair, const struct km_secret *x,
			   const uint8_t delta[KM_OT_DELTA_SIZE], const uint8_t *a_enc, const uint8_t *r_enc,
			   uint8_t (*keys)[KM_OT_KEY_SIZE])
{
	size_t ps = km_curve_point_size(c);
	struct km_point a, *shared;
	int err = km_point_decode_var(c, &a, a_enc);

	if (err)
		return err;
	shared = km_secret_alloc(KM_OT_KAPPA * sizeof(*shared));
	if (!shared)
		return KM_E_NOMEM;
	km_point_mul_many(c, shared, x, KM_OT_KAPPA, &a);
	for (unsigned p = 0; p < KM_OT_KAPPA; p++, r_enc += 2 * ps)
		derive(c, pair, keys[p], p, km_ot_bit(delta, p), a_enc, r_enc, &shared[p]);
	km_secret_free(shared);
	return KM_OK;
}
