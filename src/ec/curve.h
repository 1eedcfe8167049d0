/* curve.h: the groups keymesh works in. Prime order q, cofactor 1, y^2 = x^3 - 3x + b over a prime p. */
#ifndef KM_EC_CURVE_H
#define KM_EC_CURVE_H

#include <stddef.h>
#include <stdint.h>
#include <gmp.h>
#include <nettle/ecc.h>
#include "../base/err.h"
#include "../base/limits.h"

enum km_curve_id { KM_CURVE_P256 = 1, KM_CURVE_P384 = 2, KM_CURVE_P521 = 3 };
#ifdef KM_TOY_CURVE
/* For tests, see toy.h: orders of 63 bits, 17, 31, 37, 61. */
#define KM_CURVE_TOY 0xf0
#define KM_CURVE_TINY17 0xf1
#define KM_CURVE_TINY31 0xf2
#define KM_CURVE_TINY37 0xf3
#define KM_CURVE_TINY61 0xf4
#endif

struct km_curve;   /* static table entry; fields in curve_impl.h, private to src/ec */

const struct km_curve *km_curve_p256(void);
/* NULL for an unknown id. Ids are wire values. */
const struct km_curve *km_curve_by_id(unsigned id);
unsigned km_curve_id(const struct km_curve *c);
const char *km_curve_name(const struct km_curve *c);      /* "P-256" */
unsigned km_curve_bits(const struct km_curve *c);          /* bits(q) */
size_t km_curve_scalar_size(const struct km_curve *c);     /* encoded, 32 for P-256 */
size_t km_curve_point_size(const struct km_curve *c);      /* compressed, 33 for P-256 */
/* Bytes to reduce for an unbiased scalar: ceil((bits(q)+128)/8). */
size_t km_curve_wide_size(const struct km_curve *c);
/* NULL only for a toy. */
const struct ecc_curve *km_curve_nettle(const struct km_curve *c);

#endif
