/* jacobian.c: see jacobian.h. */
#include "jacobian.h"

/* r = 2a. Right for the identity too: Z = 0 gives Z = 0. */
KM_INLINE void double_n(const struct km_curve *c, mp_limb_t *r, const mp_limb_t *a, const unsigned n)
{
	const mp_limb_t *x = a, *y = a + n, *z = a + 2 * n;
	mp_limb_t delta[KM_LIMBS_MAX], gamma[KM_LIMBS_MAX], beta[KM_LIMBS_MAX], alpha[KM_LIMBS_MAX], t[KM_LIMBS_MAX];

	km_f_sqr(c, delta, z, n);
	km_f_sqr(c, gamma, y, n);
	km_f_mul(c, beta, x, gamma, n);
	km_f_sub(c, t, x, delta, n);
	km_f_add(c, alpha, x, delta, n);
	km_f_mul(c, alpha, alpha, t, n);
	km_f_add(c, t, alpha, alpha, n);
	km_f_add(c, alpha, t, alpha, n);
	/* Z3 = (Y+Z)^2 - gamma - delta */
	km_f_add(c, t, y, z, n);
	km_f_sqr(c, t, t, n);
	km_f_sub(c, t, t, gamma, n);
	km_f_sub(c, r + 2 * n, t, delta, n);
	/* X3 = alpha^2 - 8 beta */
	km_f_add(c, beta, beta, beta, n);
	km_f_add(c, beta, beta, beta, n);
	km_f_add(c, t, beta, beta, n);
	km_f_sqr(c, delta, alpha, n);
	km_f_sub(c, r, delta, t, n);
	/* Y3 = alpha (4 beta - X3) - 8 gamma^2 */
	km_f_sub(c, t, beta, r, n);
	km_f_mul(c, t, alpha, t, n);
	km_f_add(c, gamma, gamma, gamma, n);
	km_f_sqr(c, gamma, gamma, n);
	km_f_add(c, gamma, gamma, gamma, n);
	km_f_sub(c, r + n, t, gamma, n);
}

/* The common end of both additions: X3, Y3 from H, R and the first point brought to the common denominator. */
KM_INLINE void finish_n(const struct km_curve *c, mp_limb_t *r, const mp_limb_t *u1, const mp_limb_t *s1, const mp_limb_t *h,
			const mp_limb_t *rr, const unsigned n)
{
	mp_limb_t hh[KM_LIMBS_MAX], hhh[KM_LIMBS_MAX], v[KM_LIMBS_MAX], s[KM_LIMBS_MAX], t[KM_LIMBS_MAX];

	km_f_sqr(c, hh, h, n);
	km_f_mul(c, hhh, h, hh, n);
	km_f_mul(c, v, u1, hh, n);
	km_f_mul(c, s, s1, hhh, n);
	km_f_sqr(c, t, rr, n);
	km_f_sub(c, t, t, hhh, n);
	km_f_sub(c, t, t, v, n);
	km_f_sub(c, r, t, v, n);
	km_f_sub(c, t, v, r, n);
	km_f_mul(c, t, t, rr, n);
	km_f_sub(c, r + n, t, s, n);
}

/* r = a + b, b affine (x and y apart, so that the caller can hand in -y) */
KM_INLINE void add_affine_n(const struct km_curve *c, mp_limb_t *r, const mp_limb_t *a, const mp_limb_t *bx,
			  const mp_limb_t *by, const unsigned n)
{
	mp_limb_t zz[KM_LIMBS_MAX], h[KM_LIMBS_MAX], s[KM_LIMBS_MAX], u1[KM_LIMBS_MAX], s1[KM_LIMBS_MAX];

	if (km_f_is_zero(a + 2 * n, n)) {
		km_f_copy(r, bx, n);
		km_f_copy(r + n, by, n);
		km_f_copy(r + 2 * n, c->p.one, n);
		return;
	}
	km_f_sqr(c, zz, a + 2 * n, n);
	km_f_mul(c, h, bx, zz, n);
	km_f_mul(c, s, by, zz, n);
	km_f_mul(c, s, s, a + 2 * n, n);
	km_f_sub(c, h, h, a, n);
	km_f_sub(c, s, s, a + n, n);
	if (km_f_is_zero(h, n)) {
		if (km_f_is_zero(s, n))
			double_n(c, r, a, n);
		else
			memset(r, 0, 3 * n * sizeof(*r));
		return;
	}
	km_f_copy(u1, a, n);
	km_f_copy(s1, a + n, n);
	km_f_mul(c, r + 2 * n, a + 2 * n, h, n);
	finish_n(c, r, u1, s1, h, s, n);
}

/* r = a + b */
KM_INLINE void add_n(const struct km_curve *c, mp_limb_t *r, const mp_limb_t *a, const mp_limb_t *b, const unsigned n)
{
	mp_limb_t t[KM_LIMBS_MAX], u1[KM_LIMBS_MAX], s1[KM_LIMBS_MAX], h[KM_LIMBS_MAX], s[KM_LIMBS_MAX];

	if (km_f_is_zero(a + 2 * n, n) || km_f_is_zero(b + 2 * n, n)) {
		memmove(r, km_f_is_zero(a + 2 * n, n) ? b : a, 3 * n * sizeof(*r));
		return;
	}
	km_f_sqr(c, t, b + 2 * n, n);
	km_f_mul(c, u1, a, t, n);
	km_f_mul(c, s1, a + n, t, n);
	km_f_mul(c, s1, s1, b + 2 * n, n);
	km_f_sqr(c, t, a + 2 * n, n);
	km_f_mul(c, h, b, t, n);
	km_f_mul(c, s, b + n, t, n);
	km_f_mul(c, s, s, a + 2 * n, n);
	km_f_sub(c, h, h, u1, n);
	km_f_sub(c, s, s, s1, n);
	if (km_f_is_zero(h, n)) {
		if (km_f_is_zero(s, n))
			double_n(c, r, a, n);
		else
			memset(r, 0, 3 * n * sizeof(*r));
		return;
	}
	km_f_mul(c, t, a + 2 * n, b + 2 * n, n);
	km_f_mul(c, r + 2 * n, t, h, n);
	finish_n(c, r, u1, s1, h, s, n);
}

/* WHY every size is a function of its own that is never inlined: in a larger function gcc 12 keeps the carry chains' results
 * in memory, which costs a third of the speed. */
#define KM_NOINLINE static __attribute__((noinline))

KM_NOINLINE void double_4(const struct km_curve *c, mp_limb_t *r, const mp_limb_t *a)
{
	double_n(c, r, a, 4);
}

KM_NOINLINE void add_affine_4(const struct km_curve *c, mp_limb_t *r, const mp_limb_t *a, const mp_limb_t *bx,
			      const mp_limb_t *by)
{
	add_affine_n(c, r, a, bx, by, 4);
}

KM_NOINLINE void add_4(const struct km_curve *c, mp_limb_t *r, const mp_limb_t *a, const mp_limb_t *b)
{
	add_n(c, r, a, b, 4);
}

void km_jac_double(const struct km_curve *c, mp_limb_t *r, const mp_limb_t *a)
{
	if (c->n == 4)
		double_4(c, r, a);
	else if (KM_IS_TOY(c))
		double_n(c, r, a, 1);
	else
		double_n(c, r, a, c->n);
}

void km_jac_add_affine(const struct km_curve *c, mp_limb_t *r, const mp_limb_t *a, const mp_limb_t *bx, const mp_limb_t *by)
{
	if (c->n == 4)
		add_affine_4(c, r, a, bx, by);
	else if (KM_IS_TOY(c))
		add_affine_n(c, r, a, bx, by, 1);
	else
		add_affine_n(c, r, a, bx, by, c->n);
}

void km_jac_add(const struct km_curve *c, mp_limb_t *r, const mp_limb_t *a, const mp_limb_t *b)
{
	if (c->n == 4)
		add_4(c, r, a, b);
	else if (KM_IS_TOY(c))
		add_n(c, r, a, b, 1);
	else
		add_n(c, r, a, b, c->n);
}
