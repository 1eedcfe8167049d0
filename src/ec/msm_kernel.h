/* msm_kernel.h: the two ways of summing multiples of public points, private to msm.c.
 *
 * Both take live terms: affine points that are not the identity, scalars 0 < k <= q/2 (the sign is in the point).
 * Straus: a table of odd multiples per point, one run of doublings. Good for few terms.
 * Pippenger: per window the points are sorted into buckets and each bucket is summed by a tree of affine additions;
 * one inversion serves a whole level of the trees of several windows (Montgomery's trick), so that an addition costs
 * six products instead of eleven. Sources: Straus 1964; Pippenger 1976; Bernstein, Doumen, Lange, Oosterwijk 2012. */
#ifndef KM_EC_MSM_KERNEL_H
#define KM_EC_MSM_KERNEL_H

#include "jacobian.h"

#define STRAUS_WINDOW 5
#define STRAUS_TABLE (1u << (STRAUS_WINDOW - 2))   /* P, 3P, ... 15P */

struct msm_terms {
	const struct km_curve *c;
	size_t n;
	mp_limb_t *aff;    /* n points x|y */
	mp_limb_t *k;      /* n scalars */
	unsigned bits;     /* of the longest scalar */
	size_t total_bits;
};

KM_INLINE mp_limb_t *at(mp_limb_t *base, size_t i, unsigned size)
{
	return base + i * size;
}

/* ---- Straus */

struct straus {
	mp_limb_t *table;  /* n * STRAUS_TABLE Jacobian points, made affine in place */
	mp_limb_t *pre;    /* n * STRAUS_TABLE field elements */
	int8_t *digit;     /* n * (bits + 1) */
};

/* Non-adjacent form with window w: odd digits below 2^(w-1) in magnitude, or zero; bits + 1 of them. */
static void wnaf(int8_t *digit, const mp_limb_t *k, unsigned limbs, unsigned bits)
{
	unsigned carry = 0, i = 0;

	memset(digit, 0, bits + 1);
	while (i <= bits) {
		unsigned l = i / 64, s = i % 64, v;
		mp_limb_t w = l < limbs ? k[l] >> s : 0;

		if (s && l + 1 < limbs)
			w |= k[l + 1] << (64 - s);
		v = (unsigned)(w & ((1u << STRAUS_WINDOW) - 1)) + carry;
		if (!(v & 1)) {
			i++;
			continue;
		}
		carry = v >> (STRAUS_WINDOW - 1);
		digit[i] = (int8_t)(carry ? (int)v - (1 << STRAUS_WINDOW) : (int)v);
		i += STRAUS_WINDOW;
	}
}

/* Jacobian points, none the identity, to affine ones in the same places. */
KM_INLINE void jac_normalize(const struct km_curve *c, mp_limb_t *jac, size_t count, mp_limb_t *pre, const unsigned n)
{
	mp_limb_t inv[KM_LIMBS_MAX], zi[KM_LIMBS_MAX], t[KM_LIMBS_MAX];

	km_f_copy(pre, jac + 2 * n, n);
	for (size_t i = 1; i < count; i++)
		km_f_mul(c, at(pre, i, n), at(pre, i - 1, n), at(jac, i, 3 * n) + 2 * n, n);
	km_mod_inv(&c->p, inv, at(pre, count - 1, n));
	for (size_t i = count; i-- > 0;) {
		mp_limb_t *p = at(jac, i, 3 * n);

		if (i > 0)
			km_f_mul(c, zi, inv, at(pre, i - 1, n), n);
		else
			km_f_copy(zi, inv, n);
		km_f_mul(c, inv, inv, p + 2 * n, n);
		km_f_sqr(c, t, zi, n);
		km_f_mul(c, p, p, t, n);
		km_f_mul(c, t, t, zi, n);
		km_f_mul(c, p + n, p + n, t, n);
	}
}

KM_INLINE void straus_table(const struct msm_terms *t, const struct straus *s, const unsigned n)
{
	mp_limb_t twice[3 * KM_LIMBS_MAX];

	for (size_t i = 0; i < t->n; i++) {
		mp_limb_t *row = at(s->table, i * STRAUS_TABLE, 3 * n);

		km_f_copy(row, at(t->aff, i, 2 * n), 2 * n);
		km_f_copy(row + 2 * n, t->c->p.one, n);
		km_jac_double(t->c, twice, row);
		for (unsigned j = 1; j < STRAUS_TABLE; j++)
			km_jac_add(t->c, row + j * 3 * n, row + (j - 1) * 3 * n, twice);
	}
	jac_normalize(t->c, s->table, t->n * STRAUS_TABLE, s->pre, n);
}

KM_INLINE void straus_sum(const struct msm_terms *t, const struct straus *s, mp_limb_t *acc, const unsigned n)
{
	static const mp_limb_t zero[KM_LIMBS_MAX];

	straus_table(t, s, n);
	for (size_t i = 0; i < t->n; i++)
		wnaf(s->digit + i * (t->bits + 1), at(t->k, i, n), n, t->bits);
	memset(acc, 0, 3 * n * sizeof(*acc));
	for (unsigned b = t->bits + 1; b-- > 0;) {
		km_jac_double(t->c, acc, acc);
		for (size_t i = 0; i < t->n; i++) {
			int d = s->digit[i * (t->bits + 1) + b];
			mp_limb_t *e, neg[KM_LIMBS_MAX];

			if (!d)
				continue;
			e = at(s->table, i * STRAUS_TABLE + (unsigned)(d < 0 ? -d : d) / 2, 3 * n);
			if (d < 0)
				km_f_sub(t->c, neg, zero, e + n, n);
			km_jac_add_affine(t->c, acc, acc, e, d < 0 ? neg : e + n);
		}
	}
}

/* ---- Pippenger */

struct pippenger {
	unsigned w, windows, group;  /* bits of a window, windows in all, windows handled at a time */
	int16_t *digit;              /* windows * n, a window's digits together */
	uint32_t *start;             /* group * buckets: where each bucket begins in pts */
	uint32_t *count;             /* group * buckets */
	mp_limb_t *pts;              /* group * n affine points */
	mp_limb_t *pre;              /* half as many field elements: one a pair */
	uint8_t *kind;               /* and for each pair, enum pair */
	mp_limb_t *sum;              /* windows Jacobian points */
};

enum pair { PAIR_ADD, PAIR_DOUBLE, PAIR_CANCEL };

static unsigned buckets(const struct pippenger *s)
{
	return 1u << (s->w - 1);
}

/* Signed digits -2^(w-1) < d <= 2^(w-1). As k <= q/2 the top window takes the last carry. */
static void signed_digits(const struct msm_terms *t, const struct pippenger *s, unsigned limbs)
{
	for (size_t i = 0; i < t->n; i++) {
		const mp_limb_t *k = t->k + i * limbs;
		int carry = 0;

		for (unsigned j = 0; j < s->windows; j++) {
			unsigned pos = j * s->w, l = pos / 64, sh = pos % 64;
			mp_limb_t v = l < limbs ? k[l] >> sh : 0;
			int d;

			if (sh && l + 1 < limbs)
				v |= k[l + 1] << (64 - sh);
			d = (int)(v & ((1u << s->w) - 1)) + carry;
			carry = d > 1 << (s->w - 1);
			s->digit[j * t->n + i] = (int16_t)(carry ? d - (1 << s->w) : d);
		}
	}
}

/* Sorts the points of windows first..first+group-1 into their buckets (counting sort), with their signs. */
KM_INLINE void fill_buckets(const struct msm_terms *t, const struct pippenger *s, unsigned first, unsigned group,
			    const unsigned n)
{
	static const mp_limb_t zero[KM_LIMBS_MAX];
	unsigned nb = buckets(s);
	uint32_t at_end = 0;

	memset(s->count, 0, (size_t)group * nb * sizeof(*s->count));
	for (unsigned g = 0; g < group; g++)
		for (size_t i = 0; i < t->n; i++) {
			int d = s->digit[(first + g) * t->n + i];

			if (d)
				s->count[g * nb + (unsigned)(d < 0 ? -d : d) - 1]++;
		}
	for (unsigned b = 0; b < group * nb; b++) {
		s->start[b] = at_end;
		at_end += s->count[b];
		s->count[b] = 0;
	}
	for (unsigned g = 0; g < group; g++)
		for (size_t i = 0; i < t->n; i++) {
			int d = s->digit[(first + g) * t->n + i];
			const mp_limb_t *p = at(t->aff, i, 2 * n);
			unsigned b;
			mp_limb_t *e;

			if (!d)
				continue;
			b = g * nb + (unsigned)(d < 0 ? -d : d) - 1;
			e = at(s->pts, s->start[b] + s->count[b]++, 2 * n);
			km_f_copy(e, p, n);
			if (d < 0)
				km_f_sub(t->c, e + n, zero, p + n, n);
			else
				km_f_copy(e + n, p + n, n);
		}
}

/* The denominator of a + b's slope, and which case it is. y = 0 does not occur: the order is odd. */
KM_INLINE enum pair pair_denominator(const struct km_curve *c, mp_limb_t *d, const mp_limb_t *a, const mp_limb_t *b,
				     const unsigned n)
{
	km_f_sub(c, d, b, a, n);
	if (!km_f_is_zero(d, n))
		return PAIR_ADD;
	if (memcmp(a + n, b + n, n * sizeof(*a)) != 0)
		return PAIR_CANCEL;
	km_f_add(c, d, a + n, a + n, n);
	return PAIR_DOUBLE;
}

/* r = a + b, given the inverse of that denominator. r may be a or b or lie before them. */
KM_INLINE void pair_add_n(const struct km_curve *c, mp_limb_t *r, const mp_limb_t *a, const mp_limb_t *b, const mp_limb_t *inv,
			  enum pair kind, const unsigned n)
{
	mp_limb_t l[KM_LIMBS_MAX], x[KM_LIMBS_MAX], t[KM_LIMBS_MAX];

	if (kind == PAIR_ADD) {
		km_f_sub(c, l, b + n, a + n, n);
	} else {
		/* 3x^2 - 3 */
		km_f_sqr(c, l, a, n);
		km_f_sub(c, l, l, c->p.one, n);
		km_f_add(c, t, l, l, n);
		km_f_add(c, l, l, t, n);
	}
	km_f_mul(c, l, l, inv, n);
	km_f_sqr(c, x, l, n);
	km_f_sub(c, x, x, a, n);
	km_f_sub(c, x, x, b, n);
	km_f_sub(c, t, a, x, n);
	km_f_mul(c, t, t, l, n);
	km_f_sub(c, r + n, t, a + n, n);
	km_f_copy(r, x, n);
}

/* A function of its own for the reason given in jacobian.c. */
static __attribute__((noinline)) void pair_add_4(const struct km_curve *c, mp_limb_t *r, const mp_limb_t *a, const mp_limb_t *b,
						 const mp_limb_t *inv, enum pair kind)
{
	pair_add_n(c, r, a, b, inv, kind, 4);
}

KM_INLINE void pair_add(const struct km_curve *c, mp_limb_t *r, const mp_limb_t *a, const mp_limb_t *b, const mp_limb_t *inv,
			enum pair kind, const unsigned n)
{
	if (n == 4)
		pair_add_4(c, r, a, b, inv, kind);
	else
		pair_add_n(c, r, a, b, inv, kind, n);
}

/* One level of all trees: each bucket's points 2i and 2i+1 become one. Returns whether a bucket still holds two.
 *
 * The products of the denominators are built from the last pair to the first and taken apart from the first to the
 * last: in this order a sum may be written to the front of its bucket without touching a pair still to be read. */
KM_INLINE int halve_buckets(const struct km_curve *c, const struct pippenger *s, unsigned total, const unsigned n)
{
	mp_limb_t inv[KM_LIMBS_MAX], d[KM_LIMBS_MAX], one_inv[KM_LIMBS_MAX];
	const mp_limb_t *prod = c->p.one;
	size_t pairs = 0;
	int more = 0;

	for (unsigned b = total; b-- > 0;)
		for (uint32_t i = s->count[b] / 2; i-- > 0; pairs++) {
			mp_limb_t *p = at(s->pts, s->start[b] + 2 * i, 2 * n);

			s->kind[pairs] = (uint8_t)pair_denominator(c, d, p, p + 2 * n, n);
			if (s->kind[pairs] == PAIR_CANCEL)
				km_f_copy(at(s->pre, pairs, n), prod, n);
			else
				km_f_mul(c, at(s->pre, pairs, n), prod, d, n);
			prod = at(s->pre, pairs, n);
		}
	if (!pairs)
		return 0;
	km_mod_inv(&c->p, inv, prod);
	for (unsigned b = 0; b < total; b++) {
		uint32_t count = s->count[b], out = 0;

		for (uint32_t i = 0; i + 1 < count; i += 2) {
			mp_limb_t *p = at(s->pts, s->start[b] + i, 2 * n);

			pairs--;
			if (s->kind[pairs] == PAIR_CANCEL)
				continue;
			km_f_mul(c, one_inv, inv, pairs ? at(s->pre, pairs - 1, n) : c->p.one, n);
			pair_denominator(c, d, p, p + 2 * n, n);
			km_f_mul(c, inv, inv, d, n);
			pair_add(c, at(s->pts, s->start[b] + out++, 2 * n), p, p + 2 * n, one_inv, s->kind[pairs], n);
		}
		if (count & 1)
			memmove(at(s->pts, s->start[b] + out++, 2 * n), at(s->pts, s->start[b] + count - 1, 2 * n),
				2 * n * sizeof(d[0]));
		s->count[b] = out;
		more |= out > 1;
	}
	return more;
}

/* r = sum of j * bucket[j], from running sums: the top bucket is in all of them. */
KM_INLINE void window_sum(const struct km_curve *c, const struct pippenger *s, mp_limb_t *r, unsigned g, const unsigned n)
{
	unsigned nb = buckets(s);
	mp_limb_t run[3 * KM_LIMBS_MAX] = { 0 };

	memset(r, 0, 3 * n * sizeof(*r));
	for (unsigned b = nb; b-- > 0;) {
		if (s->count[g * nb + b]) {
			const mp_limb_t *p = at(s->pts, s->start[g * nb + b], 2 * n);

			km_jac_add_affine(c, run, run, p, p + n);
		}
		km_jac_add(c, r, r, run);
	}
}

KM_INLINE void pippenger_sum(const struct msm_terms *t, const struct pippenger *s, mp_limb_t *acc, const unsigned n)
{
	signed_digits(t, s, n);
	for (unsigned first = 0; first < s->windows; first += s->group) {
		unsigned group = s->windows - first < s->group ? s->windows - first : s->group;

		fill_buckets(t, s, first, group, n);
		while (halve_buckets(t->c, s, group * buckets(s), n))
			;
		for (unsigned g = 0; g < group; g++)
			window_sum(t->c, s, at(s->sum, first + g, 3 * n), g, n);
	}
	memset(acc, 0, 3 * n * sizeof(*acc));
	for (unsigned j = s->windows; j-- > 0;) {
		for (unsigned i = 0; i < s->w; i++)
			km_jac_double(t->c, acc, acc);
		km_jac_add(t->c, acc, acc, at(s->sum, j, 3 * n));
	}
}

#endif
