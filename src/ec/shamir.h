/* shamir.h: polynomials over Z_q, shares at the points 1..32, and Feldman's commitments.
 * Sources: Shamir 1979; Feldman 1987; Damgard-Nielsen 2007 for extraction by a Vandermonde matrix. */
#ifndef KM_EC_SHAMIR_H
#define KM_EC_SHAMIR_H

#include "point.h"

/* r = f(x), coef[0..degree], x >= 1. Constant time in the coefficients (Horner). */
void km_shamir_eval(const struct km_curve *c, struct km_secret *r, const struct km_secret *coef, unsigned degree, uint32_t x);
/* lambda of id in the set (bit i-1 = peer i) for interpolation at x0: prod_{j in set, j != id} (x0 - j)/(id - j).
 * id must be in the set. Public. */
void km_shamir_lagrange(const struct km_curve *c, struct km_scalar *r, uint32_t set, unsigned id, uint32_t x0);
/* out[0..n-1] for the n members of the set in ascending order. */
void km_shamir_lagrange_all(const struct km_curve *c, struct km_scalar *out, uint32_t set, uint32_t x0);
/* r = sum_l x^l C[l], l = 0..degree: the share's public point by Feldman's commitments. */
int km_feldman_eval_var(const struct km_curve *c, struct km_point *r, const struct km_point *commit, unsigned degree,
			uint32_t x) KM_MUST;
/* KM_OK if the public values v (n of them, ascending members of set) lie on a polynomial of at most this degree, else
 * KM_E_VERIFY. n <= degree+1 is always KM_OK. */
int km_shamir_degree_check(const struct km_curve *c, const struct km_scalar *v, uint32_t set, unsigned degree) KM_MUST;
/* out = value at x0 of the polynomial of degree (number of members of set)-1 through public values v. */
void km_shamir_interpolate(const struct km_curve *c, struct km_scalar *out, const struct km_scalar *v, uint32_t set, uint32_t x0);

/* Sets of peers as bit masks. */
static inline int km_set_has(uint32_t set, unsigned id) { return id >= 1 && id <= 32 && ((set >> (id - 1)) & 1); }
static inline uint32_t km_set_bit(unsigned id) { return id >= 1 && id <= 32 ? (uint32_t)1 << (id - 1) : 0; }
static inline unsigned km_set_size(uint32_t set) { return (unsigned)__builtin_popcount(set); }
/* The id after prev in ascending order, 0 at the end; start with 0. */
static inline unsigned km_set_next(uint32_t set, unsigned prev)
{
	for (unsigned i = prev + 1; i <= 32; i++)
		if (km_set_has(set, i))
			return i;
	return 0;
}
/* Position (0..) of id among the members in ascending order; id must be a member. */
static inline unsigned km_set_pos(uint32_t set, unsigned id) { return (unsigned)__builtin_popcount(set & (km_set_bit(id) - 1)); }

#endif
