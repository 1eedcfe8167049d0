/* toy.h: groups of one limb for tests; private to src/ec.
 *
 * WHY they exist: in a group of order 17 all keys, nonces and messages can be tried, and in one of 63 bits a simulated second
 * costs a fraction. They are no secret to anybody, so nothing here runs in constant time. Only libraries compiled with
 * KM_TOY_CURVE know them; in every other build the macros are the constant 0, nothing of toy.c is linked, and no id of theirs
 * is a curve. */
#ifndef KM_EC_TOY_H
#define KM_EC_TOY_H

#include "curve.h"
#include "field.h"
#include "point.h"

#ifdef KM_TOY_CURVE
#define KM_IS_TOY(c) ((c)->n == 1)
#define KM_TOY_LIMBS(n) ((n) == 1)
#define KM_TOY_CASE(call1) \
	case 1:            \
		call1;     \
		break;
#else
#define KM_IS_TOY(c) 0
#define KM_TOY_LIMBS(n) 0
#define KM_TOY_CASE(call1)
#endif

/* NULL for an id that is none of theirs. */
const struct km_curve *km_toy_by_id(unsigned id);
/* Big-endian integer of any length modulo m. */
mp_limb_t km_toy_reduce(const struct km_mod *m, const uint8_t *in, size_t len);
/* r = kP and kG, four bits of k at a time, for any k and P. */
void km_toy_mul(const struct km_curve *c, struct km_point *r, mp_limb_t k, const struct km_point *p);
void km_toy_mul_g(const struct km_curve *c, struct km_point *r, mp_limb_t k);
/* 1 where an order is too small for what is argued of real ones: a table of small multiples holds the identity. */
int km_toy_is_tiny(const struct km_curve *c);
/* Parameters of hash_to_curve: -Z, and a square root of it. */
unsigned km_toy_minus_z(const struct km_curve *c, mp_limb_t *root);

#endif
