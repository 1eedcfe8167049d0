/* dlog.h: Schnorr proofs of knowledge (Fiat-Shamir with full-size scalar challenges; attacks B14-B16).
 *
 * Proof layout on the wire: U (point_size) | z (scalar_size). Domain separation: the caller gives a hash that already
 * holds purpose, sid, role, author; these functions add base, statement and U. */
#ifndef KM_ZK_DLOG_H
#define KM_ZK_DLOG_H

#include "../ec/point.h"

struct km_dlog_proof {
	struct km_point u;
	struct km_scalar z;
};

/* Proof of x with Y = xG: u random from rng, U = uG, e = HS(h, G-tag, Y, U), z = u + e x. Constant time in x.
 * h is consumed (a copy of the caller's prefix hash). */
int km_dlog_prove(const struct km_curve *c, struct km_dlog_proof *out, const struct km_secret *x, const struct km_point *y,
		  const struct km_hash *h, struct km_rng *rng) KM_MUST;
/* KM_OK or KM_E_VERIFY. */
int km_dlog_verify_var(const struct km_curve *c, const struct km_dlog_proof *p, const struct km_point *y, const struct km_hash *h) KM_MUST;
size_t km_dlog_size(const struct km_curve *c);
int km_dlog_encode(const struct km_curve *c, uint8_t *out, const struct km_dlog_proof *p) KM_MUST;
int km_dlog_decode(const struct km_curve *c, struct km_dlog_proof *p, const uint8_t *in) KM_MUST;

/* Batch over n statements V_l = v_l G with one proof: U = uG, z = u + sum_{l>=1} e^l v_l (protocol 2b, "c3v").
 * enc is the n encodings of V (point_size each), hashed as one field each. */
int km_dlog_prove_batch(const struct km_curve *c, struct km_dlog_proof *out, const struct km_secret *v, const uint8_t *enc, size_t n,
			const struct km_hash *h, struct km_rng *rng) KM_MUST;
/* The challenge e of a batch proof, for verifiers that fold it into one multi-scalar multiplication. */
int km_dlog_batch_challenge(const struct km_curve *c, struct km_scalar *e, const struct km_dlog_proof *p, const uint8_t *enc, size_t n,
			    const struct km_hash *h) KM_MUST;

#endif
