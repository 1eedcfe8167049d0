/* point.h: group elements. Internally projective coordinates in Montgomery form; the identity is a valid value
 * inside and is refused by the codec. */
#ifndef KM_EC_POINT_H
#define KM_EC_POINT_H

#include "scalar.h"

struct km_point { mp_limb_t x[KM_LIMBS_MAX], y[KM_LIMBS_MAX], z[KM_LIMBS_MAX]; };

void km_point_identity(const struct km_curve *c, struct km_point *r);
void km_point_generator(const struct km_curve *c, struct km_point *r);
/* Complete addition (Renes, Costello, Batina, ePrint 2015/1060, algorithm for a = -3): no exceptional case,
 * constant time. Outputs may alias inputs. */
void km_point_add(const struct km_curve *c, struct km_point *r, const struct km_point *a, const struct km_point *b);
void km_point_sub(const struct km_curve *c, struct km_point *r, const struct km_point *a, const struct km_point *b);
void km_point_neg(const struct km_curve *c, struct km_point *r, const struct km_point *a);
/* r = kG and r = kP, constant time in k; k = 0 gives the identity (without a branch on k), P public, P the identity
 * gives the identity. r is public only after km_point_declassify. */
void km_point_mul_g(const struct km_curve *c, struct km_point *r, const struct km_secret *k);
void km_point_mul(const struct km_curve *c, struct km_point *r, const struct km_secret *k, const struct km_point *p);
/* Public scalar, variable time. */
void km_point_mul_var(const struct km_curve *c, struct km_point *r, const struct km_scalar *k, const struct km_point *p);
void km_point_declassify(struct km_point *p);
/* Compressed SEC1 of a secret point, straight-line; the identity gives x = 0. out is as secret as a. */
void km_point_encode_secret(const struct km_curve *c, uint8_t *out, const struct km_point *a);

/* Public points only from here on. */
int km_point_is_identity_var(const struct km_curve *c, const struct km_point *a);
int km_point_equal_var(const struct km_curve *c, const struct km_point *a, const struct km_point *b);
/* Compressed SEC1, point_size bytes. encode: KM_E_IDENTITY for the identity (out zeroed).
 * decode: KM_E_ENCODING unless canonical and on the curve. */
int km_point_encode_var(const struct km_curve *c, uint8_t *out, const struct km_point *a) KM_MUST;
int km_point_decode_var(const struct km_curve *c, struct km_point *r, const uint8_t *in) KM_MUST;
/* n encodings with one inversion, written stride bytes apart. KM_E_IDENTITY if any is the identity, KM_E_NOMEM. */
int km_point_encode_batch_var(const struct km_curve *c, uint8_t *out, size_t stride, const struct km_point *a, size_t n) KM_MUST;
/* 65-byte style uncompressed SEC1 (0x04|x|y), 1+2*field bytes: for X.509. */
int km_point_encode_uncompressed_var(const struct km_curve *c, uint8_t *out, const struct km_point *a) KM_MUST;
int km_point_decode_uncompressed_var(const struct km_curve *c, struct km_point *r, const uint8_t *in) KM_MUST;
/* r = x(P) mod q: ECDSA's r. KM_E_IDENTITY. */
int km_point_x_mod_q_var(const struct km_curve *c, struct km_scalar *r, const struct km_point *a) KM_MUST;

#endif
