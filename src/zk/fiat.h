/* fiat.h: private to src/zk: what the proofs share: the statement in the hash, the hedged nonce, wire form. */
#ifndef KM_ZK_FIAT_H
#define KM_ZK_FIAT_H

#include "../ec/point.h"

/* Opens a statement: a copy of the caller's prefix, then the kind of proof and the curve. WHY the kind: two kinds of proof
 * under one prefix must never share a challenge. */
void km_fiat_start(const struct km_curve *c, struct km_hash *s, const struct km_hash *prefix, const char *kind);
/* Absorbs a point as a field. KM_E_IDENTITY. */
int km_fiat_point(const struct km_curve *c, struct km_hash *s, const struct km_point *p) KM_MUST;
/* u = HS("nonce", 32 bytes of rng, the n witnesses, the statement so far); s is not changed. WHY hedged: with a rng stuck or
 * replayed, another statement or witness still gives another u; two challenges under one u give the witness away. */
void km_fiat_nonce(const struct km_curve *c, struct km_secret *u, const struct km_secret *x, size_t n, const struct km_hash *s,
		   struct km_rng *rng);
/* KM_OK if z B = U + e Y. */
int km_fiat_check_var(const struct km_curve *c, const struct km_scalar *z, const struct km_point *b, const struct km_point *u,
		      const struct km_scalar *e, const struct km_point *y) KM_MUST;

#endif
