/* scalar.h: arithmetic modulo the group order q.
 *
 * Two C types for one kind of number: struct km_scalar is public, struct km_secret is secret. The only way from
 * secret to public is km_secret_declassify. Values are always reduced (0 <= v < q), little-endian limbs, limbs
 * above the curve's size are zero. Outputs may be the same object as inputs. All functions here run in constant
 * time in the values unless their name ends in _var. */
#ifndef KM_EC_SCALAR_H
#define KM_EC_SCALAR_H

#include "curve.h"
#include "../base/rng.h"
#include "../base/hash.h"

struct km_scalar { mp_limb_t l[KM_LIMBS_MAX]; };
struct km_secret { mp_limb_t l[KM_LIMBS_MAX]; };

/* ---- public scalars */
void km_scalar_zero(struct km_scalar *r);
void km_scalar_set_u32(struct km_scalar *r, uint32_t v);
/* Big endian, exactly scalar_size bytes; KM_E_ENCODING when >= q (r is then zero). */
int km_scalar_decode(const struct km_curve *c, struct km_scalar *r, const uint8_t *in) KM_MUST;
void km_scalar_encode(const struct km_curve *c, uint8_t *out, const struct km_scalar *a);
/* r = big-endian integer of n bytes mod q, n <= 2*scalar_size. */
void km_scalar_reduce(const struct km_curve *c, struct km_scalar *r, const uint8_t *in, size_t n);
/* Ends the hash and reduces bits(q)+128 bits of it: the HS(...) of the protocol. */
void km_scalar_from_hash(const struct km_curve *c, struct km_scalar *r, struct km_hash *h);
/* 128 random bits, never zero: the verifier's private randomisers of batch checks. */
void km_scalar_random128(const struct km_curve *c, struct km_scalar *r, struct km_rng *rng);
void km_scalar_add(const struct km_curve *c, struct km_scalar *r, const struct km_scalar *a, const struct km_scalar *b);
void km_scalar_sub(const struct km_curve *c, struct km_scalar *r, const struct km_scalar *a, const struct km_scalar *b);
void km_scalar_neg(const struct km_curve *c, struct km_scalar *r, const struct km_scalar *a);
void km_scalar_mul(const struct km_curve *c, struct km_scalar *r, const struct km_scalar *a, const struct km_scalar *b);
/* r = a^-1; a must not be zero (KM_ASSERT). */
void km_scalar_inv(const struct km_curve *c, struct km_scalar *r, const struct km_scalar *a);
/* All n inverses for one inversion (Montgomery's trick); none may be zero. r and a may be the same array. n >= 1.
 * KM_E_NOMEM. */
int km_scalar_inv_batch(const struct km_curve *c, struct km_scalar *r, const struct km_scalar *a, size_t n) KM_MUST;
int km_scalar_is_zero(const struct km_scalar *a);
int km_scalar_equal(const struct km_scalar *a, const struct km_scalar *b);
/* 1 if a > q/2 (the high half that low-s forbids). Public. */
int km_scalar_is_high(const struct km_curve *c, const struct km_scalar *a);

/* ---- secret scalars */
void km_secret_zero(struct km_secret *r);
int km_secret_decode(const struct km_curve *c, struct km_secret *r, const uint8_t *in) KM_MUST;
void km_secret_encode(const struct km_curve *c, uint8_t *out, const struct km_secret *a);  /* out is as secret as a */
void km_secret_reduce(const struct km_curve *c, struct km_secret *r, const uint8_t *in, size_t n);
/* Wide reduction of wide_size bytes of the stream. */
void km_secret_random(const struct km_curve *c, struct km_secret *r, struct km_rng *rng);
void km_secret_from_hash(const struct km_curve *c, struct km_secret *r, struct km_hash *h);
void km_secret_add(const struct km_curve *c, struct km_secret *r, const struct km_secret *a, const struct km_secret *b);
void km_secret_sub(const struct km_curve *c, struct km_secret *r, const struct km_secret *a, const struct km_secret *b);
void km_secret_neg(const struct km_curve *c, struct km_secret *r, const struct km_secret *a);
void km_secret_mul(const struct km_curve *c, struct km_secret *r, const struct km_secret *a, const struct km_secret *b);
/* secret times public, public plus or minus secret */
void km_secret_mul_pub(const struct km_curve *c, struct km_secret *r, const struct km_secret *a, const struct km_scalar *b);
void km_secret_add_pub(const struct km_curve *c, struct km_secret *r, const struct km_secret *a, const struct km_scalar *b);
void km_secret_pub_sub(const struct km_curve *c, struct km_secret *r, const struct km_scalar *a, const struct km_secret *b);
/* r += a*b, b public: the inner step of interpolation. */
void km_secret_addmul_pub(const struct km_curve *c, struct km_secret *r, const struct km_secret *a, const struct km_scalar *b);
/* Constant-time inverse; zero gives zero. */
void km_secret_inv(const struct km_curve *c, struct km_secret *r, const struct km_secret *a);
/* The one named door from secret to public. */
void km_secret_declassify(struct km_scalar *out, const struct km_secret *a);
void km_secret_from_public(struct km_secret *out, const struct km_scalar *a);
void km_secret_wipe(struct km_secret *a);         /* also usable with KM_CLEANUP */

#endif
