/* field.c: Montgomery arithmetic, see field.h. */
#include <string.h>
#include "field.h"
#include "../base/err.h"
#include "../base/secret.h"

/* One reduction step: t (5 limbs and the carry top) += t[0]*p, then t /= 2^64. As -1/p = 1 modulo 2^64 the
 * multiplier is t[0] itself; p = p[3]*2^192 + 2^96 - 1, so the low limb cancels and only p[3] needs a product. */
KM_INLINE void p256_step(mp_limb_t *t, mp_limb_t top)
{
	mp_limb_t k = t[0];
	km_u128 u, v = (km_u128)k * km_p256_m[3];

	u = (km_u128)t[1] + (k << 32);
	t[0] = (mp_limb_t)u;
	u = (km_u128)t[2] + (k >> 32) + (mp_limb_t)(u >> 64);
	t[1] = (mp_limb_t)u;
	u = (km_u128)t[3] + (mp_limb_t)v + (mp_limb_t)(u >> 64);
	t[2] = (mp_limb_t)u;
	u = (km_u128)t[4] + (mp_limb_t)(v >> 64) + (mp_limb_t)(u >> 64);
	t[3] = (mp_limb_t)u;
	t[4] = top + (mp_limb_t)(u >> 64);
}

void km_p256_mul(mp_limb_t *r, const mp_limb_t *a, const mp_limb_t *b)
{
	mp_limb_t t[5] = { 0 };

#pragma GCC unroll 4
	for (unsigned i = 0; i < 4; i++) {
		km_u128 u;
		mp_limb_t c = 0;

#pragma GCC unroll 4
		for (unsigned j = 0; j < 4; j++) {
			u = (km_u128)a[j] * b[i] + t[j] + c;
			t[j] = (mp_limb_t)u;
			c = (mp_limb_t)(u >> 64);
		}
		u = (km_u128)t[4] + c;
		t[4] = (mp_limb_t)u;
		p256_step(t, (mp_limb_t)(u >> 64));
	}
	km_fe_reduce_once_n(r, t[4], t, km_p256_m, 4);
}

void km_p256_sqr(mp_limb_t *r, const mp_limb_t *a)
{
	km_p256_mul(r, a, a);
}

/* One entry per limb count, so that each is unrolled. */
#define BY_SIZE(m, call4, call6, call9) \
	do {                            \
		switch ((m)->n) {       \
		case 4:                 \
			call4;          \
			break;          \
		case 6:                 \
			call6;          \
			break;          \
		default:                \
			call9;          \
		}                       \
	} while (0)

void km_mod_add(const struct km_mod *m, mp_limb_t *r, const mp_limb_t *a, const mp_limb_t *b)
{
	BY_SIZE(m, km_fe_add_n(r, a, b, m->m, 4), km_fe_add_n(r, a, b, m->m, 6), km_fe_add_n(r, a, b, m->m, 9));
}

void km_mod_sub(const struct km_mod *m, mp_limb_t *r, const mp_limb_t *a, const mp_limb_t *b)
{
	BY_SIZE(m, km_fe_sub_n(r, a, b, m->m, 4), km_fe_sub_n(r, a, b, m->m, 6), km_fe_sub_n(r, a, b, m->m, 9));
}

void km_mod_neg(const struct km_mod *m, mp_limb_t *r, const mp_limb_t *a)
{
	static const mp_limb_t zero[KM_LIMBS_MAX];

	km_mod_sub(m, r, zero, a);
}

void km_mod_mul(const struct km_mod *m, mp_limb_t *r, const mp_limb_t *a, const mp_limb_t *b)
{
	/* -1/m = 1 modulo 2^64: of the moduli of four limbs that is P-256's p alone. */
	if (m->n == 4 && m->minv == 1)
		km_p256_mul(r, a, b);
	else
		BY_SIZE(m, km_fe_mul_n(r, a, b, m, 4), km_fe_mul_n(r, a, b, m, 6), km_fe_mul_n(r, a, b, m, 9));
}

void km_mod_sqr(const struct km_mod *m, mp_limb_t *r, const mp_limb_t *a)
{
	km_mod_mul(m, r, a, a);
}

void km_mod_to(const struct km_mod *m, mp_limb_t *r, const mp_limb_t *a)
{
	km_mod_mul(m, r, a, m->rr);
}

void km_mod_from(const struct km_mod *m, mp_limb_t *r, const mp_limb_t *a)
{
	static const mp_limb_t one[KM_LIMBS_MAX] = { 1 };

	km_mod_mul(m, r, a, one);
}

void km_mod_pow(const struct km_mod *m, mp_limb_t *r, const mp_limb_t *a, const mp_limb_t *e)
{
	/* The exponent is public: windows of 4 bits, zero windows skipped, leading zeros not squared. */
	mp_limb_t table[16][KM_LIMBS_MAX], acc[KM_LIMBS_MAX];
	int started = 0;

	memcpy(table[0], m->one, sizeof(acc));
	memcpy(table[1], a, m->n * sizeof(a[0]));
	for (unsigned i = 2; i < 16; i++)
		km_mod_mul(m, table[i], table[i - 1], table[1]);
	memcpy(acc, m->one, sizeof(acc));
	for (unsigned i = 16 * m->n; i-- > 0;) {
		unsigned w = (unsigned)(e[i / 16] >> (4 * (i % 16))) & 15;

		for (unsigned j = 0; started && j < 4; j++)
			km_mod_sqr(m, acc, acc);
		if (w) {
			km_mod_mul(m, acc, acc, table[w]);
			started = 1;
		}
	}
	memcpy(r, acc, m->n * sizeof(r[0]));
	km_wipe(table, sizeof(table));
	km_wipe(acc, sizeof(acc));
}

void km_mod_inv(const struct km_mod *m, mp_limb_t *r, const mp_limb_t *a)
{
	mp_limb_t e[KM_LIMBS_MAX];

	mpn_sub_1(e, m->m, m->n, 2);
	km_mod_pow(m, r, a, e);
}

void km_mod_sqrt(const struct km_mod *m, mp_limb_t *r, const mp_limb_t *a)
{
	mp_limb_t e[KM_LIMBS_MAX];
	mp_limb_t carry = mpn_add_1(e, m->m, m->n, 1);

	KM_ASSERT(!carry && (e[0] & 3) == 0);
	mpn_rshift(e, e, m->n, 2);
	km_mod_pow(m, r, a, e);
}

mp_limb_t km_mod_is_zero(const struct km_mod *m, const mp_limb_t *a)
{
	mp_limb_t v = 0;

	for (unsigned i = 0; i < m->n; i++)
		v |= a[i];
	return 1 ^ ((v | -v) >> 63);
}

mp_limb_t km_mod_equal(const struct km_mod *m, const mp_limb_t *a, const mp_limb_t *b)
{
	mp_limb_t v = 0;

	for (unsigned i = 0; i < m->n; i++)
		v |= a[i] ^ b[i];
	return 1 ^ ((v | -v) >> 63);
}

mp_limb_t km_mod_in_range(const struct km_mod *m, const mp_limb_t *a)
{
	mp_limb_t borrow = 0;

	for (unsigned i = 0; i < m->n; i++) {
		km_u128 t = (km_u128)a[i] - m->m[i] - borrow;

		borrow = (mp_limb_t)(t >> 64) & 1;
	}
	return borrow;
}
