/* shamir.c: see shamir.h. Peer ids are at most 32, so every denominator here is a product of small numbers, and the
 * inverse of a small number costs no inversion. */
#include <string.h>
#include "shamir.h"
#include "curve_impl.h"
#include "../base/secret.h"

/* r = 1/d mod q for 1 <= d < 2^32: (1 + q*u)/d, with u = -1/q modulo d, is an integer and below q. */
static void small_inverse(const struct km_curve *c, struct km_scalar *r, uint32_t d)
{
	mp_limb_t t[KM_LIMBS_MAX + 1];
	uint32_t qd = (uint32_t)mpn_mod_1(c->q.m, c->n, d), u = 0;

	/* d is at most 31: counting is the simplest inverse. */
	while (d > 1 && ((uint64_t)qd * u + 1) % d != 0)
		u++;
	t[c->n] = mpn_mul_1(t, c->q.m, c->n, u);
	mpn_add_1(t, t, c->n + 1, 1);
	km_scalar_zero(r);
	mpn_divrem_1(t, 0, t, c->n + 1, d);
	memcpy(r->l, t, c->n * sizeof(t[0]));
}

/* r = a - b for small public numbers */
static void small_difference(const struct km_curve *c, struct km_scalar *r, uint32_t a, uint32_t b)
{
	km_scalar_set_u32(r, a >= b ? a - b : b - a);
	if (a < b)
		km_scalar_neg(c, r, r);
}

void km_shamir_eval(const struct km_curve *c, struct km_secret *r, const struct km_secret *coef, unsigned degree, uint32_t x)
{
	struct km_secret acc = coef[degree];
	struct km_scalar xm;

	/* x*R stands ready, so that a step is one Montgomery product. */
	km_scalar_set_u32(&xm, x);
	km_mod_to(&c->q, xm.l, xm.l);
	for (unsigned l = degree; l-- > 0;) {
		km_mod_mul(&c->q, acc.l, acc.l, xm.l);
		km_mod_add(&c->q, acc.l, acc.l, coef[l].l);
	}
	*r = acc;
	km_secret_wipe(&acc);
}

/* inv[d] = 1/d * R for 1 <= d < 32 */
static void inverse_table(const struct km_curve *c, struct km_scalar inv[KM_MAX_PEERS], uint32_t set)
{
	unsigned top = set ? 32 - (unsigned)__builtin_clz(set) : 0;

	for (unsigned d = 1; d < top; d++) {
		small_inverse(c, &inv[d], d);
		km_mod_to(&c->q, inv[d].l, inv[d].l);
	}
}

static void lagrange_with(const struct km_curve *c, struct km_scalar *r, const struct km_scalar *inv, uint32_t set, unsigned id,
			  uint32_t x0)
{
	struct km_scalar acc, t;
	int negative = 0;

	km_scalar_set_u32(&acc, 1);
	for (unsigned j = km_set_next(set, 0); j; j = km_set_next(set, j)) {
		if (j == id)
			continue;
		small_difference(c, &t, x0, j);
		km_mod_mul(&c->q, t.l, t.l, inv[j < id ? id - j : j - id].l);
		km_scalar_mul(c, &acc, &acc, &t);
		negative ^= id < j;
	}
	if (negative)
		km_scalar_neg(c, &acc, &acc);
	*r = acc;
}

void km_shamir_lagrange(const struct km_curve *c, struct km_scalar *r, uint32_t set, unsigned id, uint32_t x0)
{
	struct km_scalar inv[KM_MAX_PEERS];

	KM_ASSERT(km_set_has(set, id));
	inverse_table(c, inv, set);
	lagrange_with(c, r, inv, set, id, x0);
}

void km_shamir_lagrange_all(const struct km_curve *c, struct km_scalar *out, uint32_t set, uint32_t x0)
{
	struct km_scalar inv[KM_MAX_PEERS];
	unsigned n = 0;

	inverse_table(c, inv, set);
	for (unsigned id = km_set_next(set, 0); id; id = km_set_next(set, id))
		lagrange_with(c, &out[n++], inv, set, id, x0);
}

int km_feldman_eval_var(const struct km_curve *c, struct km_point *r, const struct km_point *commit, unsigned degree, uint32_t x)
{
	struct km_point acc = commit[degree], t;

	/* Horner in the exponent; x is small, so a step is a few doublings. */
	for (unsigned l = degree; l-- > 0;) {
		km_point_identity(c, &t);
		for (unsigned i = x ? 32 - (unsigned)__builtin_clz(x) : 0; i-- > 0;) {
			km_point_add(c, &t, &t, &t);
			if ((x >> i) & 1)
				km_point_add(c, &t, &t, &acc);
		}
		km_point_add(c, &acc, &t, &commit[l]);
	}
	*r = acc;
	return KM_OK;
}

int km_shamir_degree_check(const struct km_curve *c, const struct km_scalar *v, uint32_t set, unsigned degree)
{
	/* Newton's divided differences: the values lie on a polynomial of at most this degree when every difference of
	 * order degree+1 is zero. */
	struct km_scalar d[KM_MAX_PEERS], inv[KM_MAX_PEERS];
	unsigned x[KM_MAX_PEERS], n = 0, left;

	for (unsigned id = km_set_next(set, 0); id; id = km_set_next(set, id)) {
		x[n] = id;
		d[n] = v[n];
		n++;
	}
	if (n == 0 || n - 1 <= degree)
		return KM_OK;
	inverse_table(c, inv, set);
	left = n;
	for (unsigned level = 1; level <= degree + 1; level++) {
		left--;
		for (unsigned i = 0; i < left; i++) {
			km_scalar_sub(c, &d[i], &d[i + 1], &d[i]);
			km_mod_mul(&c->q, d[i].l, d[i].l, inv[x[i + level] - x[i]].l);
		}
	}
	for (unsigned i = 0; i < left; i++)
		if (!km_scalar_is_zero(&d[i]))
			return KM_E_VERIFY;
	return KM_OK;
}

void km_shamir_interpolate(const struct km_curve *c, struct km_scalar *out, const struct km_scalar *v, uint32_t set, uint32_t x0)
{
	struct km_scalar lambda[KM_MAX_PEERS], acc, t;
	unsigned n = km_set_size(set);

	km_shamir_lagrange_all(c, lambda, set, x0);
	km_scalar_zero(&acc);
	for (unsigned i = 0; i < n; i++) {
		km_scalar_mul(c, &t, &lambda[i], &v[i]);
		km_scalar_add(c, &acc, &acc, &t);
	}
	*out = acc;
}
