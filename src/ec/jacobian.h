/* jacobian.h: variable-time group arithmetic for sums of public points; private to src/ec.
 *
 * Coordinates are flat limbs in Montgomery form: affine x|y, Jacobian X|Y|Z with x = X/Z^2, y = Y/Z^3 and Z = 0 the
 * identity. In the inline functions n is the limb count: the constant 4 gives code for P-256, anything else is looked up
 * at run time.
 * Formulas: dbl-2001-b, add-1998-cmo-2 and its mixed form of the Explicit-Formulas Database, made complete by
 * branches on their exceptional cases. */
#ifndef KM_EC_JACOBIAN_H
#define KM_EC_JACOBIAN_H

#include <string.h>
#include "curve_impl.h"
#include "toy.h"

KM_INLINE void km_f_mul(const struct km_curve *c, mp_limb_t *r, const mp_limb_t *a, const mp_limb_t *b, const unsigned n)
{
	if (n == 4)
		km_p256_mul(r, a, b);
	else if (KM_TOY_LIMBS(n))
		km_fe_mul_n(r, a, b, &c->p, 1);
	else
		km_mod_mul(&c->p, r, a, b);
}

KM_INLINE void km_f_sqr(const struct km_curve *c, mp_limb_t *r, const mp_limb_t *a, const unsigned n)
{
	if (n == 4)
		km_p256_sqr(r, a);
	else if (KM_TOY_LIMBS(n))
		km_fe_mul_n(r, a, a, &c->p, 1);
	else
		km_mod_sqr(&c->p, r, a);
}

KM_INLINE void km_f_add(const struct km_curve *c, mp_limb_t *r, const mp_limb_t *a, const mp_limb_t *b, const unsigned n)
{
	if (n == 4)
		km_fe_add_n(r, a, b, km_p256_m, 4);
	else if (KM_TOY_LIMBS(n))
		km_fe_add_n(r, a, b, c->p.m, 1);
	else
		km_mod_add(&c->p, r, a, b);
}

KM_INLINE void km_f_sub(const struct km_curve *c, mp_limb_t *r, const mp_limb_t *a, const mp_limb_t *b, const unsigned n)
{
	if (n == 4)
		km_fe_sub_n(r, a, b, km_p256_m, 4);
	else if (KM_TOY_LIMBS(n))
		km_fe_sub_n(r, a, b, c->p.m, 1);
	else
		km_mod_sub(&c->p, r, a, b);
}

KM_INLINE int km_f_is_zero(const mp_limb_t *a, const unsigned n)
{
	mp_limb_t v = 0;

	for (unsigned i = 0; i < n; i++)
		v |= a[i];
	return v == 0;
}

KM_INLINE void km_f_copy(mp_limb_t *r, const mp_limb_t *a, const unsigned n)
{
	memcpy(r, a, n * sizeof(*r));
}

/* r = 2a */
void km_jac_double(const struct km_curve *c, mp_limb_t *r, const mp_limb_t *a);
/* r = a + b, b affine (x and y apart, so that the caller can hand in -y) */
void km_jac_add_affine(const struct km_curve *c, mp_limb_t *r, const mp_limb_t *a, const mp_limb_t *bx, const mp_limb_t *by);
/* r = a + b */
void km_jac_add(const struct km_curve *c, mp_limb_t *r, const mp_limb_t *a, const mp_limb_t *b);

#endif
