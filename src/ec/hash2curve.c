/* hash2curve.c: RFC 9380: expand_message_xmd, hash_to_field, the simplified SWU map (Brier et al. 2010, Wahby-Boneh 2019). */
#include <string.h>
#include "hash2curve.h"
#include "curve_impl.h"
#include "toy.h"
#include "../base/secret.h"

/* What differs between the suites (RFC 9380, 8.2 to 8.4). */
struct suite {
	unsigned hash;              /* bits of SHA-2 */
	size_t block;               /* its input block */
	size_t field;               /* L: bytes reduced to one field element */
	unsigned minus_z;           /* -Z */
	mp_limb_t root[KM_LIMBS_MAX]; /* a square root of -Z, plain */
};

static const struct suite suites[] = {
	[KM_CURVE_P256] = { 256, 64, 48, 10, { 0x2ccd3427e433c47f, 0x7b8d1ff84c55d5b6, 0xc978fc675180aab2, 0xda538e3be1d89b99 } },
	[KM_CURVE_P384] = { 384, 128, 72, 12,
			    { 0x14e2ec69f5a626b3, 0x3c0de1f8a80f7e19, 0x1f872fcb9ccb80c5, 0x7f98e383d68b5387,
			      0x71f0500e83da2fdd, 0x2accb4a656b0249c } },
	[KM_CURVE_P521] = { 512, 128, 98, 4, { 2 } },
};

#define EXPAND_MAX (2 * 98)

/* The suite of a curve; *toy is room for one that is in no table. */
static const struct suite *suite_of(const struct km_curve *c, struct suite *toy)
{
	if (!KM_IS_TOY(c))
		return &suites[c->id];
	*toy = (struct suite){ .hash = 256, .block = 64, .field = km_curve_wide_size(c) };
	toy->minus_z = km_toy_minus_z(c, toy->root);
	return toy;
}

/* expand_message_xmd (5.3.1). n <= EXPAND_MAX. */
static int expand(const struct suite *su, uint8_t *out, size_t n, const uint8_t *msg, size_t msg_len, const uint8_t *dst,
		  size_t dst_len)
{
	uint8_t in[128 + KM_HASH2CURVE_MSG_MAX + 3 + KM_HASH2CURVE_DST_MAX + 1], b0[64], b[64];
	size_t size = su->hash / 8, at = su->block;
	int err;

	memset(in, 0, su->block);
	if (msg_len)
		memcpy(in + at, msg, msg_len);
	at += msg_len;
	in[at++] = (uint8_t)(n >> 8);
	in[at++] = (uint8_t)n;
	in[at++] = 0;
	memcpy(in + at, dst, dst_len);
	at += dst_len;
	in[at++] = (uint8_t)dst_len;
	err = km_sha2(su->hash, in, at, b0);
	memset(b, 0, sizeof(b));
	for (uint8_t i = 1; n && !err; i++) {
		size_t take = n < size ? n : size;

		for (size_t k = 0; k < size; k++)
			in[k] = b0[k] ^ b[k];
		in[size] = i;
		memcpy(in + size + 1, dst, dst_len);
		in[size + 1 + dst_len] = (uint8_t)dst_len;
		err = km_sha2(su->hash, in, size + 2 + dst_len, b);
		memcpy(out, b, take);
		out += take;
		n -= take;
	}
	km_wipe(in, sizeof(in));
	km_wipe(b0, sizeof(b0));
	km_wipe(b, sizeof(b));
	return err;
}

/* An element of the field, in Montgomery form, from len bytes: hi*R + lo, each below R. */
static void to_field(const struct km_curve *c, mp_limb_t *r, const uint8_t *in, size_t len)
{
	mp_limb_t hi[KM_LIMBS_MAX], lo[KM_LIMBS_MAX];
	size_t low = 8 * (size_t)c->n;

	if (KM_IS_TOY(c)) {
		lo[0] = km_toy_reduce(&c->p, in, len);
		km_mod_to(&c->p, r, lo);
		return;
	}
	if (len < low)
		low = len;
	km_limbs_from_bytes(lo, c->n, in + (len - low), low);
	km_limbs_from_bytes(hi, c->n, in, len - low);
	km_mod_to(&c->p, hi, hi);
	km_mod_to(&c->p, hi, hi);
	km_mod_to(&c->p, lo, lo);
	km_mod_add(&c->p, r, hi, lo);
}

/* y = sqrt(u/v), returns 1; when u/v is no square, y = sqrt(Z u/v), returns 0 (F.2.1.2, p = 3 mod 4). v is not zero. */
static mp_limb_t sqrt_ratio(const struct km_curve *c, const struct suite *su, mp_limb_t *y, const mp_limb_t *u,
			    const mp_limb_t *v)
{
	const struct km_mod *p = &c->p;
	mp_limb_t t[KM_LIMBS_MAX], uv[KM_LIMBS_MAX], y2[KM_LIMBS_MAX], e[KM_LIMBS_MAX], square;

	/* (p - 3)/4 */
	mpn_rshift(e, p->m, c->n, 2);
	km_mod_sqr(p, t, v);
	km_mod_mul(p, uv, u, v);
	km_mod_mul(p, t, t, uv);
	km_mod_pow(p, y, t, e);
	km_mod_mul(p, y, y, uv);
	km_mod_to(p, y2, su->root);
	km_mod_mul(p, y2, y2, y);
	km_mod_sqr(p, t, y);
	km_mod_mul(p, t, t, v);
	square = km_mod_equal(p, t, u);
	km_fe_select_n(y, km_ct_mask(square), y, y2, c->n);
	return square;
}

static mp_limb_t parity(const struct km_curve *c, const mp_limb_t *a)
{
	mp_limb_t t[KM_LIMBS_MAX];

	km_mod_from(&c->p, t, a);
	return t[0] & 1;
}

/* The simplified SWU map (F.2), without its last division: the point is (x : y : z) in projective coordinates. */
static void map(const struct km_curve *c, const struct suite *su, struct km_point *r, const mp_limb_t *u)
{
	const struct km_mod *p = &c->p;
	mp_limb_t z[KM_LIMBS_MAX] = { su->minus_z }, a[KM_LIMBS_MAX] = { 3 };
	mp_limb_t t1[KM_LIMBS_MAX], t2[KM_LIMBS_MAX], t3[KM_LIMBS_MAX], t4[KM_LIMBS_MAX], t5[KM_LIMBS_MAX], t6[KM_LIMBS_MAX];
	mp_limb_t y1[KM_LIMBS_MAX], square;

	km_mod_neg(p, z, z);
	km_mod_to(p, z, z);
	km_mod_neg(p, a, a);
	km_mod_to(p, a, a);
	km_mod_sqr(p, t1, u);
	km_mod_mul(p, t1, z, t1);
	km_mod_sqr(p, t2, t1);
	km_mod_add(p, t2, t2, t1);
	km_mod_add(p, t3, t2, p->one);
	km_mod_mul(p, t3, c->b, t3);
	km_mod_neg(p, t4, t2);
	km_fe_select_n(t4, km_ct_mask(km_mod_is_zero(p, t2)), z, t4, c->n);
	km_mod_mul(p, t4, a, t4);
	km_mod_sqr(p, t2, t3);
	km_mod_sqr(p, t6, t4);
	km_mod_mul(p, t5, a, t6);
	km_mod_add(p, t2, t2, t5);
	km_mod_mul(p, t2, t2, t3);
	km_mod_mul(p, t6, t6, t4);
	km_mod_mul(p, t5, c->b, t6);
	km_mod_add(p, t2, t2, t5);
	km_mod_mul(p, r->x, t1, t3);
	square = km_ct_mask(sqrt_ratio(c, su, y1, t2, t6));
	km_mod_mul(p, r->y, t1, u);
	km_mod_mul(p, r->y, r->y, y1);
	km_fe_select_n(r->x, square, t3, r->x, c->n);
	km_fe_select_n(r->y, square, y1, r->y, c->n);
	km_mod_neg(p, t1, r->y);
	km_fe_select_n(r->y, km_ct_mask(parity(c, u) ^ parity(c, r->y)), t1, r->y, c->n);
	/* x/z, y: the same point with all three times z */
	km_mod_mul(p, r->y, r->y, t4);
	memcpy(r->z, t4, c->n * sizeof(t4[0]));
}

int km_hash_to_curve(const struct km_curve *c, struct km_point *r, const void *msg, size_t msg_len, const void *dst,
		     size_t dst_len)
{
	struct suite toy;
	const struct suite *su = suite_of(c, &toy);
	mp_limb_t u[KM_LIMBS_MAX];
	uint8_t wide[EXPAND_MAX];
	struct km_point q;
	int err;

	memset(r, 0, sizeof(*r));
	if (msg_len > KM_HASH2CURVE_MSG_MAX || !dst_len || dst_len > KM_HASH2CURVE_DST_MAX)
		return KM_E_LIMIT;
	err = expand(su, wide, 2 * su->field, msg, msg_len, dst, dst_len);
	if (err)
		return err;
	memset(&q, 0, sizeof(q));
	to_field(c, u, wide, su->field);
	map(c, su, r, u);
	to_field(c, u, wide + su->field, su->field);
	map(c, su, &q, u);
	/* no cofactor to clear */
	km_point_add(c, r, r, &q);
	km_wipe(wide, sizeof(wide));
	km_wipe(u, sizeof(u));
	km_wipe(&q, sizeof(q));
	return KM_OK;
}
