/* field.c: Montgomery arithmetic, see field.h. */
#include <string.h>
#include "field.h"
#include "toy.h"
#include "../base/err.h"
#include "../base/secret.h"

/* hi:lo = a*b */
KM_INLINE mp_limb_t mul_wide(mp_limb_t *lo, mp_limb_t a, mp_limb_t b)
{
	km_u128 u = (km_u128)a * b;

	*lo = (mp_limb_t)u;
	return (mp_limb_t)(u >> 64);
}

/* One reduction step on four limbs: adds k*p for k = *t0, then drops the low limb, which has become zero; the new top limb takes
 * its place. As -1/p = 1 modulo 2^64, k is the low limb itself; p = p[3]*2^192 + 2^96 - 1, so the low limb cancels and
 * only p[3] needs a product. */
KM_INLINE void p256_step(mp_limb_t *t0, mp_limb_t *t1, mp_limb_t *t2, mp_limb_t *t3)
{
	mp_limb_t k = *t0, hi, lo, c;

	hi = mul_wide(&lo, k, km_p256_m[3]);
	c = km_addc(t1, *t1, k << 32, 0);
	c = km_addc(t2, *t2, k >> 32, c);
	c = km_addc(t3, *t3, lo, c);
	(void)km_addc(t0, hi, 0, c);
}

/* r = t/R mod p, t of eight limbs below p*R: the lower half is reduced to nothing, what that adds goes on the upper half. */
KM_INLINE void p256_reduce(mp_limb_t *r, mp_limb_t *t)
{
	mp_limb_t s[4], c;

	p256_step(&t[0], &t[1], &t[2], &t[3]);
	p256_step(&t[1], &t[2], &t[3], &t[0]);
	p256_step(&t[2], &t[3], &t[0], &t[1]);
	p256_step(&t[3], &t[0], &t[1], &t[2]);
	c = km_limbs_add_n(s, t, t + 4, 4);
	km_fe_reduce_once_n(r, c, s, km_p256_m, 4);
}

/* l[0..4] = a * b[0..3] */
KM_INLINE void mul_row(mp_limb_t *l, mp_limb_t a, const mp_limb_t *b)
{
	mp_limb_t h0, h1, h2, c;

	h0 = mul_wide(&l[0], a, b[0]);
	h1 = mul_wide(&l[1], a, b[1]);
	h2 = mul_wide(&l[2], a, b[2]);
	l[4] = mul_wide(&l[3], a, b[3]);
	c = km_addc(&l[1], l[1], h0, 0);
	c = km_addc(&l[2], l[2], h1, c);
	c = km_addc(&l[3], l[3], h2, c);
	l[4] += c;
}

void km_p256_mul(mp_limb_t *r, const mp_limb_t *a, const mp_limb_t *b)
{
	mp_limb_t t[8], l[5];

	mul_row(t, a[0], b);
#pragma GCC unroll 4
	for (unsigned i = 1; i < 4; i++) {
		mul_row(l, a[i], b);
		t[i + 4] = l[4] + km_limbs_add_n(t + i, t + i, l, 4);
	}
	p256_reduce(r, t);
}

void km_p256_sqr(mp_limb_t *r, const mp_limb_t *a)
{
	mp_limb_t t[8], h, l, c;

	/* the products of different limbs */
	t[2] = mul_wide(&t[1], a[0], a[1]);
	h = mul_wide(&l, a[0], a[2]);
	t[3] = h + km_addc(&t[2], t[2], l, 0);
	h = mul_wide(&l, a[0], a[3]);
	t[4] = h + km_addc(&t[3], t[3], l, 0);
	h = mul_wide(&l, a[1], a[2]);
	c = km_addc(&t[3], t[3], l, 0);
	t[5] = km_addc(&t[4], t[4], h, c);
	h = mul_wide(&l, a[1], a[3]);
	c = km_addc(&t[4], t[4], l, 0);
	(void)km_addc(&t[5], t[5], h, c);
	h = mul_wide(&l, a[2], a[3]);
	t[6] = h + km_addc(&t[5], t[5], l, 0);
	/* twice those, and the squares of the limbs */
	t[7] = km_limbs_add_n(t + 1, t + 1, t + 1, 6);
	h = mul_wide(&t[0], a[0], a[0]);
	c = km_addc(&t[1], t[1], h, 0);
#pragma GCC unroll 3
	for (unsigned i = 1; i < 4; i++) {
		h = mul_wide(&l, a[i], a[i]);
		c = km_addc(&t[2 * i], t[2 * i], l, c);
		c = km_addc(&t[2 * i + 1], t[2 * i + 1], h, c);
	}
	p256_reduce(r, t);
}

/* One entry per limb count, so that each is unrolled. */
#define BY_SIZE(m, call1, call4, call6, call9) \
	do {                            \
		switch ((m)->n) {       \
		KM_TOY_CASE(call1)      \
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
	BY_SIZE(m, km_fe_add_n(r, a, b, m->m, 1), km_fe_add_n(r, a, b, m->m, 4),
		km_fe_add_n(r, a, b, m->m, 6), km_fe_add_n(r, a, b, m->m, 9));
}

void km_mod_sub(const struct km_mod *m, mp_limb_t *r, const mp_limb_t *a, const mp_limb_t *b)
{
	BY_SIZE(m, km_fe_sub_n(r, a, b, m->m, 1), km_fe_sub_n(r, a, b, m->m, 4),
		km_fe_sub_n(r, a, b, m->m, 6), km_fe_sub_n(r, a, b, m->m, 9));
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
		BY_SIZE(m, km_fe_mul_n(r, a, b, m, 1), km_fe_mul_n(r, a, b, m, 4),
			km_fe_mul_n(r, a, b, m, 6), km_fe_mul_n(r, a, b, m, 9));
}

void km_mod_sqr(const struct km_mod *m, mp_limb_t *r, const mp_limb_t *a)
{
	if (m->n == 4 && m->minv == 1)
		km_p256_sqr(r, a);
	else
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
