/* dleq.h: Chaum-Pedersen proof that D = xP and Y = xG for one x.
 * Wire: U1 | U2 | z (98 bytes on P-256), U1 = uG, U2 = uP, e = HS(h, P, Y, D, U1, U2), z = u + e x. */
#ifndef KM_ZK_DLEQ_H
#define KM_ZK_DLEQ_H

#include "dlog.h"

struct km_dleq_proof {
	struct km_point u1, u2;
	struct km_scalar z;
};
int km_dleq_prove(const struct km_curve *c, struct km_dleq_proof *out, const struct km_secret *x, const struct km_point *p,
		  const struct km_point *y, const struct km_point *d, const struct km_hash *h, struct km_rng *rng) KM_MUST;
int km_dleq_verify_var(const struct km_curve *c, const struct km_dleq_proof *pf, const struct km_point *p, const struct km_point *y,
		       const struct km_point *d, const struct km_hash *h) KM_MUST;
size_t km_dleq_size(const struct km_curve *c);
int km_dleq_encode(const struct km_curve *c, uint8_t *out, const struct km_dleq_proof *p) KM_MUST;
int km_dleq_decode(const struct km_curve *c, struct km_dleq_proof *p, const uint8_t *in) KM_MUST;

#endif
