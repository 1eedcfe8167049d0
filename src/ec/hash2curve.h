/* hash2curve.h: hashing to the group: the suites P256_XMD:SHA-256_SSWU_RO_, P384_XMD:SHA-384_SSWU_RO_ and
 * P521_XMD:SHA-512_SSWU_RO_ of RFC 9380. */
#ifndef KM_EC_HASH2CURVE_H
#define KM_EC_HASH2CURVE_H

#include "point.h"

#define KM_HASH2CURVE_MSG_MAX 1024
#define KM_HASH2CURVE_DST_MAX 255

/* r = hash_to_curve(msg) under the domain separation tag dst: uniform, nobody knows its logarithm. Constant time in msg, of given
 * length: no attempt is ever repeated. r is public only after km_point_declassify; it may be the identity (never by chance).
 * KM_E_LIMIT when msg or dst are too long or dst is empty. */
int km_hash_to_curve(const struct km_curve *c, struct km_point *r, const void *msg, size_t msg_len, const void *dst,
		     size_t dst_len) KM_MUST;

#endif
