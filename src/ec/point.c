/* point.c: group elements: the group law, scalar multiplication with secret scalars, the codec. */
#include <stdlib.h>
#include <string.h>
#include "point.h"
#include "msm.h"
#include "curve_impl.h"
#include "toy.h"
#include "../base/secret.h"

KM_INLINE void fmul(const struct km_curve *c, mp_limb_t *r, const mp_limb_t *a, const mp_limb_t *b, const unsigned n)
{
	/* A field of four limbs is P-256's. */
	if (n == 4)
		km_p256_mul(r, a, b);
	else if (KM_TOY_LIMBS(n))
		km_fe_mul_n(r, a, b, &c->p, 1);
	else
		km_mod_mul(&c->p, r, a, b);
}

/* Algorithm 4 of ePrint 2015/1060, step by step. */
KM_INLINE void point_add_n(const struct km_curve *c, struct km_point *r, const struct km_point *a, const struct km_point *b,
			   const unsigned n)
{
	const mp_limb_t *m = n == 4 ? km_p256_m : c->p.m;
	mp_limb_t t0[KM_LIMBS_MAX], t1[KM_LIMBS_MAX], t2[KM_LIMBS_MAX], t3[KM_LIMBS_MAX], t4[KM_LIMBS_MAX];
	mp_limb_t x3[KM_LIMBS_MAX], y3[KM_LIMBS_MAX], z3[KM_LIMBS_MAX];

	fmul(c, t0, a->x, b->x, n);
	fmul(c, t1, a->y, b->y, n);
	fmul(c, t2, a->z, b->z, n);
	km_fe_add_n(t3, a->x, a->y, m, n);
	km_fe_add_n(t4, b->x, b->y, m, n);
	fmul(c, t3, t3, t4, n);
	km_fe_add_n(t4, t0, t1, m, n);
	km_fe_sub_n(t3, t3, t4, m, n);
	km_fe_add_n(t4, a->y, a->z, m, n);
	km_fe_add_n(x3, b->y, b->z, m, n);
	fmul(c, t4, t4, x3, n);
	km_fe_add_n(x3, t1, t2, m, n);
	km_fe_sub_n(t4, t4, x3, m, n);
	km_fe_add_n(x3, a->x, a->z, m, n);
	km_fe_add_n(y3, b->x, b->z, m, n);
	fmul(c, x3, x3, y3, n);
	km_fe_add_n(y3, t0, t2, m, n);
	km_fe_sub_n(y3, x3, y3, m, n);
	fmul(c, z3, c->b, t2, n);
	km_fe_sub_n(x3, y3, z3, m, n);
	km_fe_add_n(z3, x3, x3, m, n);
	km_fe_add_n(x3, x3, z3, m, n);
	km_fe_sub_n(z3, t1, x3, m, n);
	km_fe_add_n(x3, t1, x3, m, n);
	fmul(c, y3, c->b, y3, n);
	km_fe_add_n(t1, t2, t2, m, n);
	km_fe_add_n(t2, t1, t2, m, n);
	km_fe_sub_n(y3, y3, t2, m, n);
	km_fe_sub_n(y3, y3, t0, m, n);
	km_fe_add_n(t1, y3, y3, m, n);
	km_fe_add_n(y3, t1, y3, m, n);
	km_fe_add_n(t1, t0, t0, m, n);
	km_fe_add_n(t0, t1, t0, m, n);
	km_fe_sub_n(t0, t0, t2, m, n);
	fmul(c, t1, t4, y3, n);
	fmul(c, t2, t0, y3, n);
	fmul(c, y3, x3, z3, n);
	km_fe_add_n(r->y, y3, t2, m, n);
	fmul(c, x3, t3, x3, n);
	km_fe_sub_n(r->x, x3, t1, m, n);
	fmul(c, z3, t4, z3, n);
	fmul(c, t1, t3, t0, n);
	km_fe_add_n(r->z, z3, t1, m, n);
}

/* Coordinates are always whole objects: limbs above the curve's are zero. */
static void point_clear(struct km_point *r)
{
	memset(r, 0, sizeof(*r));
}

static void point_finish(const struct km_curve *c, struct km_point *r)
{
	for (unsigned i = c->n; i < KM_LIMBS_MAX; i++)
		r->x[i] = r->y[i] = r->z[i] = 0;
}

void km_point_identity(const struct km_curve *c, struct km_point *r)
{
	point_clear(r);
	memcpy(r->y, c->p.one, sizeof(r->y));
}

void km_point_generator(const struct km_curve *c, struct km_point *r)
{
	memcpy(r->x, c->gx, sizeof(r->x));
	memcpy(r->y, c->gy, sizeof(r->y));
	memcpy(r->z, c->p.one, sizeof(r->z));
}

void km_point_add(const struct km_curve *c, struct km_point *r, const struct km_point *a, const struct km_point *b)
{
	switch (c->n) {
	KM_TOY_CASE(point_add_n(c, r, a, b, 1))
	case 4:
		point_add_n(c, r, a, b, 4);
		break;
	case 6:
		point_add_n(c, r, a, b, 6);
		break;
	default:
		point_add_n(c, r, a, b, 9);
	}
	point_finish(c, r);
}

void km_point_sub(const struct km_curve *c, struct km_point *r, const struct km_point *a, const struct km_point *b)
{
	struct km_point t;

	km_point_neg(c, &t, b);
	km_point_add(c, r, a, &t);
}

void km_point_neg(const struct km_curve *c, struct km_point *r, const struct km_point *a)
{
	*r = *a;
	km_mod_neg(&c->p, r->y, a->y);
}

void km_point_declassify(struct km_point *p)
{
	km_declassify(p, sizeof(*p));
}

/* ---- secret scalars: Nettle's multiplications, on our limbs so that no mpz ever holds a secret */

/* Nettle wants 0 < k < q: compute with 1 in place of 0 and let the caller replace the result. Returns the mask. */
static mp_limb_t nonzero_scalar(const struct km_curve *c, mp_limb_t *r, const struct km_secret *k)
{
	mp_limb_t zero = km_mod_is_zero(&c->q, k->l);

	memcpy(r, k->l, c->n * sizeof(r[0]));
	r[0] |= zero;
	return km_ct_mask(zero);
}

/* From Nettle's plain affine coordinates to ours; where the mask is set to the identity instead. */
static void from_nettle(const struct km_curve *c, struct km_point *r, const mp_limb_t *xy, mp_limb_t zero)
{
	static const mp_limb_t none[KM_LIMBS_MAX];

	km_mod_to(&c->p, r->x, xy);
	km_mod_to(&c->p, r->y, xy + c->n);
	km_fe_select_n(r->x, zero, none, r->x, c->n);
	km_fe_select_n(r->y, zero, c->p.one, r->y, c->n);
	km_fe_select_n(r->z, zero, none, c->p.one, c->n);
	point_finish(c, r);
}

void km_point_mul_g(const struct km_curve *c, struct km_point *r, const struct km_secret *k)
{
	mp_limb_t kl[KM_LIMBS_MAX], xy[2 * KM_LIMBS_MAX];
	const struct ecc_curve *ecc = km_curve_nettle(c);
	const struct ecc_scalar scalar = { ecc, kl };
	struct ecc_point out = { ecc, xy };
	mp_limb_t zero;

	if (KM_IS_TOY(c)) {
		km_toy_mul_g(c, r, k->l[0]);
		return;
	}
	zero = nonzero_scalar(c, kl, k);
	ecc_point_mul_g(&out, &scalar);
	from_nettle(c, r, xy, zero);
	km_wipe(kl, sizeof(kl));
	km_wipe(xy, sizeof(xy));
}

/* Affine coordinates in Montgomery form. P is public and not the identity. */
static void affine_var(const struct km_curve *c, mp_limb_t *x, mp_limb_t *y, const struct km_point *p)
{
	mp_limb_t zi[KM_LIMBS_MAX];

	if (km_mod_equal(&c->p, p->z, c->p.one)) {
		memcpy(x, p->x, c->n * sizeof(x[0]));
		memcpy(y, p->y, c->n * sizeof(y[0]));
		return;
	}
	km_mod_inv(&c->p, zi, p->z);
	km_mod_mul(&c->p, x, p->x, zi);
	km_mod_mul(&c->p, y, p->y, zi);
}

void km_point_mul(const struct km_curve *c, struct km_point *r, const struct km_secret *k, const struct km_point *p)
{
	mp_limb_t kl[KM_LIMBS_MAX], xy[2 * KM_LIMBS_MAX], pxy[2 * KM_LIMBS_MAX];
	const struct ecc_curve *ecc = km_curve_nettle(c);
	const struct ecc_scalar scalar = { ecc, kl };
	const struct ecc_point in = { ecc, pxy };
	struct ecc_point out = { ecc, xy };
	mp_limb_t zero;

	if (km_point_is_identity_var(c, p)) {
		km_point_identity(c, r);
		return;
	}
	if (KM_IS_TOY(c)) {
		km_toy_mul(c, r, k->l[0], p);
		return;
	}
	affine_var(c, pxy, pxy + c->n, p);
	km_mod_from(&c->p, pxy, pxy);
	km_mod_from(&c->p, pxy + c->n, pxy + c->n);
	zero = nonzero_scalar(c, kl, k);
	ecc_point_mul(&out, &scalar, &in);
	from_nettle(c, r, xy, zero);
	km_wipe(kl, sizeof(kl));
	km_wipe(xy, sizeof(xy));
}

/* ---- public points */

int km_point_is_identity_var(const struct km_curve *c, const struct km_point *a)
{
	return (int)km_mod_is_zero(&c->p, a->z);
}

int km_point_equal_var(const struct km_curve *c, const struct km_point *a, const struct km_point *b)
{
	/* (X1:Y1:Z1) = (X2:Y2:Z2) when the cross products agree; the identity has Z = 0 and Y != 0. */
	const struct km_mod *p = &c->p;
	mp_limb_t s[KM_LIMBS_MAX], t[KM_LIMBS_MAX];

	if (km_mod_is_zero(p, a->z) || km_mod_is_zero(p, b->z))
		return km_mod_is_zero(p, a->z) && km_mod_is_zero(p, b->z);
	km_mod_mul(p, s, a->x, b->z);
	km_mod_mul(p, t, b->x, a->z);
	if (!km_mod_equal(p, s, t))
		return 0;
	km_mod_mul(p, s, a->y, b->z);
	km_mod_mul(p, t, b->y, a->z);
	return (int)km_mod_equal(p, s, t);
}

/* y^2 = x^3 - 3x + b, all in Montgomery form. */
static void curve_rhs(const struct km_curve *c, mp_limb_t *r, const mp_limb_t *x)
{
	const struct km_mod *p = &c->p;
	mp_limb_t t[KM_LIMBS_MAX];

	km_mod_sqr(p, t, x);
	km_mod_mul(p, t, t, x);
	km_mod_sub(p, t, t, x);
	km_mod_sub(p, t, t, x);
	km_mod_sub(p, t, t, x);
	km_mod_add(p, r, t, c->b);
}

static void encode_affine(const struct km_curve *c, uint8_t *out, const mp_limb_t *x, const mp_limb_t *y)
{
	mp_limb_t t[KM_LIMBS_MAX];

	km_mod_from(&c->p, t, y);
	out[0] = 2 + (uint8_t)(t[0] & 1);
	km_mod_from(&c->p, t, x);
	km_limbs_to_bytes(out + 1, c->size, t);
}

void km_point_encode_secret(const struct km_curve *c, uint8_t *out, const struct km_point *a)
{
	mp_limb_t x[KM_LIMBS_MAX], y[KM_LIMBS_MAX], zi[KM_LIMBS_MAX];

	km_mod_inv(&c->p, zi, a->z);
	km_mod_mul(&c->p, x, a->x, zi);
	km_mod_mul(&c->p, y, a->y, zi);
	encode_affine(c, out, x, y);
	km_wipe(x, sizeof(x));
	km_wipe(y, sizeof(y));
	km_wipe(zi, sizeof(zi));
}

int km_point_encode_var(const struct km_curve *c, uint8_t *out, const struct km_point *a)
{
	mp_limb_t x[KM_LIMBS_MAX], y[KM_LIMBS_MAX];

	if (km_point_is_identity_var(c, a)) {
		memset(out, 0, c->size + 1);
		return KM_E_IDENTITY;
	}
	affine_var(c, x, y, a);
	encode_affine(c, out, x, y);
	return KM_OK;
}

/* A coordinate below p, into Montgomery form. */
static int coordinate_decode(const struct km_curve *c, mp_limb_t *r, const uint8_t *in)
{
	km_limbs_from_bytes(r, c->n, in, c->size);
	if (!km_mod_in_range(&c->p, r))
		return KM_E_ENCODING;
	km_mod_to(&c->p, r, r);
	return KM_OK;
}

int km_point_decode_var(const struct km_curve *c, struct km_point *r, const uint8_t *in)
{
	const struct km_mod *p = &c->p;
	mp_limb_t t[KM_LIMBS_MAX], plain[KM_LIMBS_MAX];

	point_clear(r);
	if (in[0] != 2 && in[0] != 3)
		return KM_E_ENCODING;
	if (coordinate_decode(c, r->x, in + 1))
		goto bad;
	curve_rhs(c, t, r->x);
	km_mod_sqrt(p, r->y, t);
	km_mod_sqr(p, plain, r->y);
	if (!km_mod_equal(p, plain, t))
		goto bad;
	/* y = 0 would be a point of order two; there is none on a curve of prime order, so both signs exist. */
	km_mod_from(p, plain, r->y);
	if ((plain[0] & 1) != (in[0] & 1u))
		km_mod_neg(p, r->y, r->y);
	memcpy(r->z, p->one, sizeof(r->z));
	return KM_OK;
bad:
	point_clear(r);
	return KM_E_ENCODING;
}

int km_point_encode_batch_var(const struct km_curve *c, uint8_t *out, size_t stride, const struct km_point *a, size_t n)
{
	/* Montgomery's trick over the Z coordinates: pre[i] = Z[0]...Z[i]. */
	const struct km_mod *p = &c->p;
	mp_limb_t (*pre)[KM_LIMBS_MAX], inv[KM_LIMBS_MAX], zi[KM_LIMBS_MAX], x[KM_LIMBS_MAX], y[KM_LIMBS_MAX];
	int err = KM_OK;

	if (n == 0)
		return KM_OK;
	pre = calloc(n, sizeof(*pre));
	if (!pre)
		err = KM_E_NOMEM;
	for (size_t i = 0; !err && i < n; i++)
		if (km_point_is_identity_var(c, &a[i]))
			err = KM_E_IDENTITY;
	if (err)
		goto out;
	memcpy(pre[0], a[0].z, sizeof(pre[0]));
	for (size_t i = 1; i < n; i++)
		km_mod_mul(p, pre[i], pre[i - 1], a[i].z);
	km_mod_inv(p, inv, pre[n - 1]);
	for (size_t i = n; i-- > 0;) {
		if (i > 0)
			km_mod_mul(p, zi, inv, pre[i - 1]);
		else
			memcpy(zi, inv, sizeof(zi));
		km_mod_mul(p, inv, inv, a[i].z);
		km_mod_mul(p, x, a[i].x, zi);
		km_mod_mul(p, y, a[i].y, zi);
		encode_affine(c, out + i * stride, x, y);
	}
out:
	for (size_t i = 0; err && i < n; i++)
		memset(out + i * stride, 0, c->size + 1);
	free(pre);
	return err;
}

int km_point_encode_uncompressed_var(const struct km_curve *c, uint8_t *out, const struct km_point *a)
{
	mp_limb_t x[KM_LIMBS_MAX], y[KM_LIMBS_MAX];

	if (km_point_is_identity_var(c, a)) {
		memset(out, 0, 1 + 2 * c->size);
		return KM_E_IDENTITY;
	}
	affine_var(c, x, y, a);
	km_mod_from(&c->p, x, x);
	km_mod_from(&c->p, y, y);
	out[0] = 4;
	km_limbs_to_bytes(out + 1, c->size, x);
	km_limbs_to_bytes(out + 1 + c->size, c->size, y);
	return KM_OK;
}

int km_point_decode_uncompressed_var(const struct km_curve *c, struct km_point *r, const uint8_t *in)
{
	mp_limb_t t[KM_LIMBS_MAX], y2[KM_LIMBS_MAX];

	point_clear(r);
	if (in[0] != 4 || coordinate_decode(c, r->x, in + 1) || coordinate_decode(c, r->y, in + 1 + c->size))
		goto bad;
	curve_rhs(c, t, r->x);
	km_mod_sqr(&c->p, y2, r->y);
	if (!km_mod_equal(&c->p, y2, t))
		goto bad;
	memcpy(r->z, c->p.one, sizeof(r->z));
	return KM_OK;
bad:
	point_clear(r);
	return KM_E_ENCODING;
}

int km_point_x_mod_q_var(const struct km_curve *c, struct km_scalar *r, const struct km_point *a)
{
	mp_limb_t x[KM_LIMBS_MAX], y[KM_LIMBS_MAX];

	km_scalar_zero(r);
	if (km_point_is_identity_var(c, a))
		return KM_E_IDENTITY;
	affine_var(c, x, y, a);
	km_mod_from(&c->p, x, x);
	/* p < 2q on every curve. */
	km_fe_reduce_once_n(r->l, 0, x, c->q.m, c->n);
	return KM_OK;
}
