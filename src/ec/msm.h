/* msm.h: variable-time multi-scalar multiplication of public points (Pippenger's buckets over signed windows). */
#ifndef KM_EC_MSM_H
#define KM_EC_MSM_H

#include "point.h"

/* r = sum_i k[i] * p[i], n >= 0 (0 gives the identity). Short scalars (128-bit randomisers) cost about half: windows
 * above the top bit of a scalar are skipped. KM_E_NOMEM. */
int km_msm_var(const struct km_curve *c, struct km_point *r, const struct km_scalar *k, const struct km_point *p,
	       size_t n) KM_MUST;

/* An accumulator for batch checks: collect terms, then ask if their sum is the identity. Terms on the generator are
 * merged into one. Owns its arrays. */
struct km_msm {
	struct km_scalar *k;
	struct km_point *p;
	size_t n, cap;
	struct km_scalar g;   /* coefficient of the generator */
	int err;              /* sticky KM_E_NOMEM */
};
void km_msm_init(struct km_msm *m);
void km_msm_clear(struct km_msm *m);
void km_msm_term(struct km_msm *m, const struct km_scalar *k, const struct km_point *p);
void km_msm_term_g(const struct km_curve *c, struct km_msm *m, const struct km_scalar *k);
/* KM_OK if the sum is the identity, KM_E_VERIFY if not, KM_E_NOMEM. */
int km_msm_check_var(const struct km_curve *c, struct km_msm *m) KM_MUST;

#endif
