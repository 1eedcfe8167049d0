/* scalar.c: arithmetic modulo q. Both types of scalar run through the same constant-time code on plain (not
 * Montgomery) limbs; a product is two Montgomery products, which is still less than a division. */
#include <stdlib.h>
#include <string.h>
#include "scalar.h"
#include "curve_impl.h"
#include "toy.h"
#include "../base/secret.h"

static void limbs_finish(const struct km_curve *c, mp_limb_t *r)
{
	for (unsigned i = c->n; i < KM_LIMBS_MAX; i++)
		r[i] = 0;
}

static void limbs_mul(const struct km_curve *c, mp_limb_t *r, const mp_limb_t *a, const mp_limb_t *b)
{
	km_mod_mul(&c->q, r, a, b);
	km_mod_to(&c->q, r, r);
	limbs_finish(c, r);
}

static void limbs_add(const struct km_curve *c, mp_limb_t *r, const mp_limb_t *a, const mp_limb_t *b)
{
	km_mod_add(&c->q, r, a, b);
	limbs_finish(c, r);
}

static void limbs_sub(const struct km_curve *c, mp_limb_t *r, const mp_limb_t *a, const mp_limb_t *b)
{
	km_mod_sub(&c->q, r, a, b);
	limbs_finish(c, r);
}

static void limbs_neg(const struct km_curve *c, mp_limb_t *r, const mp_limb_t *a)
{
	km_mod_neg(&c->q, r, a);
	limbs_finish(c, r);
}

static void limbs_inv(const struct km_curve *c, mp_limb_t *r, const mp_limb_t *a)
{
	km_mod_to(&c->q, r, a);
	km_mod_inv(&c->q, r, r);
	km_mod_from(&c->q, r, r);
	limbs_finish(c, r);
}

/* Whether the value was in range; r is zero when it was not. Only that one bit may become a branch. */
static int limbs_decode(const struct km_curve *c, mp_limb_t *r, const uint8_t *in)
{
	mp_limb_t ok, mask;

	km_limbs_from_bytes(r, c->n, in, c->size);
	limbs_finish(c, r);
	ok = km_mod_in_range(&c->q, r);
	mask = km_ct_mask(ok);
	for (unsigned i = 0; i < c->n; i++)
		r[i] &= mask;
	km_declassify(&ok, sizeof(ok));
	return ok ? KM_OK : KM_E_ENCODING;
}

/* value = hi*R + lo with both halves below R: (hi*R) + (lo*R)/R, three Montgomery products. */
static void limbs_reduce(const struct km_curve *c, mp_limb_t *r, const uint8_t *in, size_t len)
{
	mp_limb_t lo[KM_LIMBS_MAX], hi[KM_LIMBS_MAX];
	size_t half = 8 * (size_t)c->n, low = len < half ? len : half;

	if (KM_IS_TOY(c)) {
		r[0] = km_toy_reduce(&c->q, in, len);
		limbs_finish(c, r);
		return;
	}
	KM_ASSERT(len <= 2 * c->size);
	km_limbs_from_bytes(lo, c->n, in + (len - low), low);
	km_limbs_from_bytes(hi, c->n, in, len - low);
	km_mod_to(&c->q, lo, lo);
	km_mod_from(&c->q, lo, lo);
	km_mod_to(&c->q, hi, hi);
	km_mod_add(&c->q, r, lo, hi);
	limbs_finish(c, r);
	km_wipe(lo, sizeof(lo));
	km_wipe(hi, sizeof(hi));
}

static void limbs_from_hash(const struct km_curve *c, mp_limb_t *r, struct km_hash *h)
{
	uint8_t wide[KM_SCALAR_MAX + 17];
	size_t n = km_curve_wide_size(c);

	km_hash_final_wide(h, wide, n);
	limbs_reduce(c, r, wide, n);
	km_wipe(wide, sizeof(wide));
}

void km_scalar_zero(struct km_scalar *r)
{
	memset(r, 0, sizeof(*r));
}

void km_scalar_set_u32(struct km_scalar *r, uint32_t v)
{
	memset(r, 0, sizeof(*r));
	r->l[0] = v;
}

int km_scalar_decode(const struct km_curve *c, struct km_scalar *r, const uint8_t *in)
{
	return limbs_decode(c, r->l, in);
}

void km_scalar_encode(const struct km_curve *c, uint8_t *out, const struct km_scalar *a)
{
	km_limbs_to_bytes(out, c->size, a->l);
}

void km_scalar_reduce(const struct km_curve *c, struct km_scalar *r, const uint8_t *in, size_t n)
{
	limbs_reduce(c, r->l, in, n);
}

void km_scalar_from_hash(const struct km_curve *c, struct km_scalar *r, struct km_hash *h)
{
	limbs_from_hash(c, r->l, h);
}

void km_scalar_random128(const struct km_curve *c, struct km_scalar *r, struct km_rng *rng)
{
	uint8_t b[16];

	memset(r, 0, sizeof(*r));
	do {
		km_rng_bytes(rng, b, sizeof(b));
		if (KM_IS_TOY(c))
			r->l[0] = km_toy_reduce(&c->q, b, sizeof(b));
		else
			km_limbs_from_bytes(r->l, 2, b, sizeof(b));
	} while (km_scalar_is_zero(r));
	km_wipe(b, sizeof(b));
}

void km_scalar_add(const struct km_curve *c, struct km_scalar *r, const struct km_scalar *a, const struct km_scalar *b)
{
	limbs_add(c, r->l, a->l, b->l);
}

void km_scalar_sub(const struct km_curve *c, struct km_scalar *r, const struct km_scalar *a, const struct km_scalar *b)
{
	limbs_sub(c, r->l, a->l, b->l);
}

void km_scalar_neg(const struct km_curve *c, struct km_scalar *r, const struct km_scalar *a)
{
	limbs_neg(c, r->l, a->l);
}

void km_scalar_mul(const struct km_curve *c, struct km_scalar *r, const struct km_scalar *a, const struct km_scalar *b)
{
	limbs_mul(c, r->l, a->l, b->l);
}

void km_scalar_inv(const struct km_curve *c, struct km_scalar *r, const struct km_scalar *a)
{
	KM_ASSERT(!km_scalar_is_zero(a));
	limbs_inv(c, r->l, a->l);
}

int km_scalar_inv_batch(const struct km_curve *c, struct km_scalar *r, const struct km_scalar *a, size_t n)
{
	/* Montgomery's trick: pre[i] = a[0]...a[i]; from the inverse of the last, walk back. */
	struct km_scalar *pre, inv, t;

	KM_ASSERT(n >= 1);
	pre = calloc(n, sizeof(*pre));
	if (!pre)
		return KM_E_NOMEM;
	pre[0] = a[0];
	for (size_t i = 1; i < n; i++)
		km_scalar_mul(c, &pre[i], &pre[i - 1], &a[i]);
	km_scalar_inv(c, &inv, &pre[n - 1]);
	for (size_t i = n; i-- > 1;) {
		t = a[i];
		km_scalar_mul(c, &r[i], &inv, &pre[i - 1]);
		km_scalar_mul(c, &inv, &inv, &t);
	}
	r[0] = inv;
	free(pre);
	return KM_OK;
}

int km_scalar_is_zero(const struct km_scalar *a)
{
	mp_limb_t v = 0;

	for (unsigned i = 0; i < KM_LIMBS_MAX; i++)
		v |= a->l[i];
	return (int)(1 ^ ((v | -v) >> 63));
}

int km_scalar_equal(const struct km_scalar *a, const struct km_scalar *b)
{
	mp_limb_t v = 0;

	for (unsigned i = 0; i < KM_LIMBS_MAX; i++)
		v |= a->l[i] ^ b->l[i];
	return (int)(1 ^ ((v | -v) >> 63));
}

int km_scalar_is_high(const struct km_curve *c, const struct km_scalar *a)
{
	mp_limb_t half[KM_LIMBS_MAX];

	mpn_rshift(half, c->q.m, c->n, 1);
	return mpn_cmp(a->l, half, c->n) > 0;
}

void km_secret_zero(struct km_secret *r)
{
	memset(r, 0, sizeof(*r));
}

int km_secret_decode(const struct km_curve *c, struct km_secret *r, const uint8_t *in)
{
	return limbs_decode(c, r->l, in);
}

void km_secret_encode(const struct km_curve *c, uint8_t *out, const struct km_secret *a)
{
	km_limbs_to_bytes(out, c->size, a->l);
}

void km_secret_reduce(const struct km_curve *c, struct km_secret *r, const uint8_t *in, size_t n)
{
	limbs_reduce(c, r->l, in, n);
}

void km_secret_random(const struct km_curve *c, struct km_secret *r, struct km_rng *rng)
{
	uint8_t wide[KM_SCALAR_MAX + 17];
	size_t n = km_curve_wide_size(c);

	km_rng_bytes(rng, wide, n);
	limbs_reduce(c, r->l, wide, n);
	km_wipe(wide, sizeof(wide));
}

void km_secret_from_hash(const struct km_curve *c, struct km_secret *r, struct km_hash *h)
{
	limbs_from_hash(c, r->l, h);
}

void km_secret_add(const struct km_curve *c, struct km_secret *r, const struct km_secret *a, const struct km_secret *b)
{
	limbs_add(c, r->l, a->l, b->l);
}

void km_secret_sub(const struct km_curve *c, struct km_secret *r, const struct km_secret *a, const struct km_secret *b)
{
	limbs_sub(c, r->l, a->l, b->l);
}

void km_secret_neg(const struct km_curve *c, struct km_secret *r, const struct km_secret *a)
{
	limbs_neg(c, r->l, a->l);
}

void km_secret_mul(const struct km_curve *c, struct km_secret *r, const struct km_secret *a, const struct km_secret *b)
{
	limbs_mul(c, r->l, a->l, b->l);
}

void km_secret_mul_pub(const struct km_curve *c, struct km_secret *r, const struct km_secret *a, const struct km_scalar *b)
{
	limbs_mul(c, r->l, a->l, b->l);
}

void km_secret_add_pub(const struct km_curve *c, struct km_secret *r, const struct km_secret *a, const struct km_scalar *b)
{
	limbs_add(c, r->l, a->l, b->l);
}

void km_secret_pub_sub(const struct km_curve *c, struct km_secret *r, const struct km_scalar *a, const struct km_secret *b)
{
	limbs_sub(c, r->l, a->l, b->l);
}

void km_secret_addmul_pub(const struct km_curve *c, struct km_secret *r, const struct km_secret *a, const struct km_scalar *b)
{
	struct km_secret t;

	limbs_mul(c, t.l, a->l, b->l);
	limbs_add(c, r->l, r->l, t.l);
	km_wipe(&t, sizeof(t));
}

void km_secret_inv(const struct km_curve *c, struct km_secret *r, const struct km_secret *a)
{
	limbs_inv(c, r->l, a->l);
}

void km_secret_declassify(struct km_scalar *out, const struct km_secret *a)
{
	memcpy(out->l, a->l, sizeof(out->l));
	km_declassify(out, sizeof(*out));
}

void km_secret_from_public(struct km_secret *out, const struct km_scalar *a)
{
	memcpy(out->l, a->l, sizeof(out->l));
}

void km_secret_wipe(struct km_secret *a)
{
	km_wipe(a, sizeof(*a));
}
