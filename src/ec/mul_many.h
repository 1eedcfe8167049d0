/* mul_many.h: several secret multiples of one public point. */
#ifndef KM_EC_MUL_MANY_H
#define KM_EC_MUL_MANY_H

#include "point.h"

/* r[i] = k[i] * P for n scalars. Constant time in the scalars, P public; P the identity or k[i] = 0 gives the identity. The r[i] are
 * public only after km_point_declassify. Cheaper than n calls of km_point_mul from n = 1 on: the doublings are shared
 * (fixed-base comb of Lim and Lee 1994, its table made for this P). */
void km_point_mul_many(const struct km_curve *c, struct km_point *r, const struct km_secret *k, size_t n, const struct km_point *p);

#endif
