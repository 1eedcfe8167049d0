/* sign.h: online signing with a presignature (protocol section 3), pure functions. */
#ifndef KM_PROTO_SIGN_H
#define KM_PROTO_SIGN_H

#include "presign.h"
#include "../base/context.h"

/* What is signed, and for whom: every signer computes it for itself. */
struct km_sign_input {
	uint8_t context;                    /* enum km_context */
	uint8_t request_id[KM_HASH_SIZE];
	struct km_scalar m;                 /* the hash of the bytes as the curve takes it (leftmost bits, mod q) */
};

/* m of a digest: leftmost bits(q) bits, reduced (FIPS 186-5, 6.4). */
void km_ecdsa_digest_to_scalar(const struct km_curve *c, struct km_scalar *m, const uint8_t *digest, size_t len);
/* Hash a TLS or X.509 to-be-signed string as the curve's signature scheme wants it (SHA-256 for P-256, SHA-384 for P-384) into m. */
int km_sign_hash_bytes(const struct km_curve *c, struct km_scalar *m, const void *bytes, size_t len) KM_MUST;

/* delta = HS("rerandomise", table hash, presig id, S, R, context, m, request id), R' = delta R, r = x(R') mod q.
 * KM_E_DEGENERATE when r = 0 (burn the presignature). */
struct km_sign_nonce {
	struct km_scalar delta, delta_inv, r;
	struct km_point rr;                 /* R' */
};
int km_sign_nonce(const struct km_presig *p, const struct km_sign_input *in, struct km_sign_nonce *out) KM_MUST;
/* s_i = delta^-1 (alpha_i m + r beta_i), then alpha, beta are wiped in *p. Constant time in alpha and beta. */
void km_sign_share(struct km_presig *p, const struct km_sign_input *in, const struct km_sign_nonce *nonce, struct km_scalar *s_i);
/* s = sum of n shares, made low; KM_E_DEGENERATE when s = 0. */
int km_sign_combine(const struct km_curve *c, struct km_scalar *s, const struct km_scalar *shares, size_t n) KM_MUST;
/* The set of members of the quorum whose share fails s_j R' = m A_j + r B_j. shares by ascending member. */
int km_sign_culprits_var(const struct km_presig *p, const struct km_sign_input *in, const struct km_sign_nonce *nonce, const struct km_scalar *shares,
			 uint32_t *culprits) KM_MUST;
/* KM_OK or KM_E_VERIFY (KM_E_NOMEM): (r, s) is an ECDSA signature on m under X. Any 0 < r, s < q. */
int km_ecdsa_verify_var(const struct km_curve *c, const struct km_point *x, const struct km_scalar *m, const struct km_scalar *r, const struct km_scalar *s) KM_MUST;
/* DER SEQUENCE { r, s }; out has at least 2*scalar_size+9 bytes; returns its length. */
size_t km_ecdsa_der(const struct km_curve *c, uint8_t *out, const struct km_scalar *r, const struct km_scalar *s);

#endif
