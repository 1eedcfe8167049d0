/* field.h: arithmetic modulo an odd prime in Montgomery form (R = 2^(64n)); private to src/ec.
 *
 * Everything runs in constant time in the values, all values are reduced, outputs may alias inputs, and n limbs are
 * read and written (limbs above n are left alone). The _n functions take the limb count as a compile-time constant, so
 * that the loops unroll; the others look it up. Source: Montgomery 1985, the CIOS form of Koc, Acar, Kaliski 1996. */
#ifndef KM_EC_FIELD_H
#define KM_EC_FIELD_H

#include <stddef.h>
#include <stdint.h>
#include <gmp.h>
#ifdef __x86_64__
#include <x86intrin.h>
#endif
#include "../base/limits.h"

_Static_assert(GMP_NUMB_BITS == 64, "limbs of 64 bits");

#define KM_INLINE static inline __attribute__((always_inline))

__extension__ typedef unsigned __int128 km_u128;

struct km_mod {
	unsigned n;                    /* limbs */
	mp_limb_t minv;                /* -1/m modulo 2^64 */
	mp_limb_t m[KM_LIMBS_MAX];
	mp_limb_t one[KM_LIMBS_MAX];   /* R mod m */
	mp_limb_t rr[KM_LIMBS_MAX];    /* R^2 mod m */
};

/* WHY: keeps the compiler from proving that a mask is 0 or ~0 and turning a selection back into a branch. */
KM_INLINE mp_limb_t km_ct_mask(mp_limb_t bit)
{
	mp_limb_t m = -bit;

	__asm__("" : "+r"(m));
	return m;
}

/* r = mask ? a : b */
KM_INLINE void km_fe_select_n(mp_limb_t *r, mp_limb_t mask, const mp_limb_t *a, const mp_limb_t *b, const unsigned n)
{
#pragma GCC unroll 9
	for (unsigned i = 0; i < n; i++)
		r[i] = (a[i] & mask) | (b[i] & ~mask);
}

/* Add and subtract with carry. WHY intrinsics: from the portable form gcc 12 makes three times the instructions. */
KM_INLINE mp_limb_t km_addc(mp_limb_t *r, mp_limb_t a, mp_limb_t b, mp_limb_t carry)
{
#ifdef __x86_64__
	unsigned long long t;

	carry = _addcarry_u64((unsigned char)carry, a, b, &t);
	*r = t;
	return carry;
#else
	km_u128 t = (km_u128)a + b + carry;

	*r = (mp_limb_t)t;
	return (mp_limb_t)(t >> 64);
#endif
}

KM_INLINE mp_limb_t km_subb(mp_limb_t *r, mp_limb_t a, mp_limb_t b, mp_limb_t borrow)
{
#ifdef __x86_64__
	unsigned long long t;

	borrow = _subborrow_u64((unsigned char)borrow, a, b, &t);
	*r = t;
	return borrow;
#else
	km_u128 t = (km_u128)a - b - borrow;

	*r = (mp_limb_t)t;
	return (mp_limb_t)(t >> 64) & 1;
#endif
}

/* r = a + b, returns the carry */
KM_INLINE mp_limb_t km_limbs_add_n(mp_limb_t *r, const mp_limb_t *a, const mp_limb_t *b, const unsigned n)
{
	mp_limb_t c = 0;

#pragma GCC unroll 9
	for (unsigned i = 0; i < n; i++)
		c = km_addc(&r[i], a[i], b[i], c);
	return c;
}

/* r = a - b, returns the borrow */
KM_INLINE mp_limb_t km_limbs_sub_n(mp_limb_t *r, const mp_limb_t *a, const mp_limb_t *b, const unsigned n)
{
	mp_limb_t c = 0;

#pragma GCC unroll 9
	for (unsigned i = 0; i < n; i++)
		c = km_subb(&r[i], a[i], b[i], c);
	return c;
}

/* r = (hi*2^(64n) + a) mod m, for a value below 2m */
KM_INLINE void km_fe_reduce_once_n(mp_limb_t *r, mp_limb_t hi, const mp_limb_t *a, const mp_limb_t *m, const unsigned n)
{
	mp_limb_t t[KM_LIMBS_MAX];
	mp_limb_t borrow = km_limbs_sub_n(t, a, m, n);

	km_fe_select_n(r, km_ct_mask(borrow & (hi ^ 1)), a, t, n);
}

KM_INLINE void km_fe_add_n(mp_limb_t *r, const mp_limb_t *a, const mp_limb_t *b, const mp_limb_t *m, const unsigned n)
{
	mp_limb_t t[KM_LIMBS_MAX];
	mp_limb_t c = km_limbs_add_n(t, a, b, n);

	km_fe_reduce_once_n(r, c, t, m, n);
}

KM_INLINE void km_fe_sub_n(mp_limb_t *r, const mp_limb_t *a, const mp_limb_t *b, const mp_limb_t *m, const unsigned n)
{
	mp_limb_t t[KM_LIMBS_MAX], u[KM_LIMBS_MAX];
	mp_limb_t mask = km_ct_mask(km_limbs_sub_n(t, a, b, n));

#pragma GCC unroll 9
	for (unsigned i = 0; i < n; i++)
		u[i] = m[i] & mask;
	(void)km_limbs_add_n(r, t, u, n);
}

/* r = a*b/R mod m; a may be any n limbs when b < m. */
KM_INLINE void km_fe_mul_n(mp_limb_t *r, const mp_limb_t *a, const mp_limb_t *b, const struct km_mod *m, const unsigned n)
{
	mp_limb_t t[KM_LIMBS_MAX + 1] = { 0 };

#pragma GCC unroll 9
	for (unsigned i = 0; i < n; i++) {
		km_u128 u;
		mp_limb_t c = 0, k, top;

#pragma GCC unroll 9
		for (unsigned j = 0; j < n; j++) {
			u = (km_u128)a[j] * b[i] + t[j] + c;
			t[j] = (mp_limb_t)u;
			c = (mp_limb_t)(u >> 64);
		}
		u = (km_u128)t[n] + c;
		t[n] = (mp_limb_t)u;
		top = (mp_limb_t)(u >> 64);
		k = t[0] * m->minv;
		u = (km_u128)k * m->m[0] + t[0];
		c = (mp_limb_t)(u >> 64);
#pragma GCC unroll 9
		for (unsigned j = 1; j < n; j++) {
			u = (km_u128)k * m->m[j] + t[j] + c;
			t[j - 1] = (mp_limb_t)u;
			c = (mp_limb_t)(u >> 64);
		}
		u = (km_u128)t[n] + c;
		t[n - 1] = (mp_limb_t)u;
		t[n] = top + (mp_limb_t)(u >> 64);
	}
	km_fe_reduce_once_n(r, t[n], t, m->m, n);
}

/* Modulo P-256's p = 2^256 - 2^224 + 2^192 + 2^96 - 1, whose shape saves three of the four products of a reduction step. Its
 * limbs are known to the compiler: sums and differences take them as immediate operands. */
static const mp_limb_t km_p256_m[4] = { 0xffffffffffffffff, 0x00000000ffffffff, 0x0000000000000000, 0xffffffff00000001 };
void km_p256_mul(mp_limb_t *r, const mp_limb_t *a, const mp_limb_t *b);
void km_p256_sqr(mp_limb_t *r, const mp_limb_t *a);

/* Modulo any m of 4, 6 or 9 limbs. */
void km_mod_add(const struct km_mod *m, mp_limb_t *r, const mp_limb_t *a, const mp_limb_t *b);
void km_mod_sub(const struct km_mod *m, mp_limb_t *r, const mp_limb_t *a, const mp_limb_t *b);
void km_mod_neg(const struct km_mod *m, mp_limb_t *r, const mp_limb_t *a);
void km_mod_mul(const struct km_mod *m, mp_limb_t *r, const mp_limb_t *a, const mp_limb_t *b);
void km_mod_sqr(const struct km_mod *m, mp_limb_t *r, const mp_limb_t *a);
/* Into Montgomery form (from any n limbs) and out of it. */
void km_mod_to(const struct km_mod *m, mp_limb_t *r, const mp_limb_t *a);
void km_mod_from(const struct km_mod *m, mp_limb_t *r, const mp_limb_t *a);
/* r = a^e, e public, n limbs. Wipes its table. */
void km_mod_pow(const struct km_mod *m, mp_limb_t *r, const mp_limb_t *a, const mp_limb_t *e);
/* r = 1/a, zero for zero (Fermat), in Montgomery form. */
void km_mod_inv(const struct km_mod *m, mp_limb_t *r, const mp_limb_t *a);
/* r = a^((m+1)/4): a square root, if there is one, for m = 3 mod 4. */
void km_mod_sqrt(const struct km_mod *m, mp_limb_t *r, const mp_limb_t *a);
/* 1 or 0, constant time. */
mp_limb_t km_mod_is_zero(const struct km_mod *m, const mp_limb_t *a);
mp_limb_t km_mod_equal(const struct km_mod *m, const mp_limb_t *a, const mp_limb_t *b);
/* 1 if a < m, as plain integers of n limbs. */
mp_limb_t km_mod_in_range(const struct km_mod *m, const mp_limb_t *a);

#endif
