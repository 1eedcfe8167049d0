/* edpoint.h: private to src/base: what an encoded Ed25519 point is, before anybody computes with it. All public. */
#ifndef KM_BASE_EDPOINT_H
#define KM_BASE_EDPOINT_H

#include <stdint.h>

/* 1 if the 32 bytes are the one canonical encoding of their coordinates: y < p, and no sign on x = 0. Says
 * nothing about being on the curve. */
int km_edpoint_canonical(const uint8_t enc[32]);
/* 1 if some x makes (x, y) a point of the curve. enc must be canonical. */
int km_edpoint_on_curve(const uint8_t enc[32]);
/* 1 if the order of the point divides 8. enc must be canonical and on the curve. */
int km_edpoint_small_order(const uint8_t enc[32]);
/* 1 if the 32 bytes (little endian) are below the group order L. */
int km_edscalar_canonical(const uint8_t enc[32]);

#endif
