/* mul_many.c: see mul_many.h.
 *
 * 1. d = ceil(bits/5); a scalar is five rows (teeth) of d bits: k = sum_j t_j 2^(dj).
 * 2. Table T[u] = sum_j u_j 2^(dj) P for u = 1..31, affine. P is public: variable time.
 * 3. For each scalar: acc = O; for col = d-1..0: acc = 2 acc + T[bit col of every tooth]. Constant time, Jacobian.
 *
 * WHY the incomplete addition is enough: before a column, acc = 2m P with 2m + u = the integer sum_j (t_j >> col) 2^(dj) <= k < q. So 2m = u
 * modulo q, or 2m = -u, only as integers; 2m has a zero bit at every dj and u has bits nowhere else, so both are 0. The
 * two cases with a zero, acc = O and u = 0, are selected by mask. */
#include <string.h>
#include "mul_many.h"
#include "jacobian.h"
#include "../base/secret.h"

#define TEETH 5
#define TABLE (1 << TEETH)

struct comb {
	unsigned d;
	mp_limb_t t[TABLE][2 * KM_LIMBS_MAX];   /* affine x|y; [0] unused */
};

struct jac {
	mp_limb_t x[KM_LIMBS_MAX], y[KM_LIMBS_MAX], z[KM_LIMBS_MAX];
};

/* ---- the table, of public points */

/* Jacobian (flat) to affine, given 1/Z. */
static void to_affine(const struct km_curve *c, mp_limb_t *xy, const mp_limb_t *p, const mp_limb_t *zi)
{
	mp_limb_t t[KM_LIMBS_MAX];

	km_mod_sqr(&c->p, t, zi);
	km_mod_mul(&c->p, xy, p, t);
	km_mod_mul(&c->p, t, t, zi);
	km_mod_mul(&c->p, xy + c->n, p + c->n, t);
}

/* p is not the identity, and neither is any entry: 0 < sum_j u_j 2^(dj) < q. */
static void comb_init(const struct km_curve *c, struct comb *cb, const struct km_point *p)
{
	mp_limb_t jac[TABLE][3 * KM_LIMBS_MAX], pre[TABLE][KM_LIMBS_MAX], inv[KM_LIMBS_MAX], zi[KM_LIMBS_MAX];
	unsigned n = c->n;

	cb->d = (c->bits + TEETH - 1) / TEETH;
	/* projective (X : Y : Z) is Jacobian (XZ, YZ^2, Z) */
	km_mod_mul(&c->p, jac[1], p->x, p->z);
	km_mod_sqr(&c->p, zi, p->z);
	km_mod_mul(&c->p, jac[1] + n, p->y, zi);
	memcpy(jac[1] + 2 * n, p->z, n * sizeof(zi[0]));
	for (unsigned u = 2; u < TABLE; u++) {
		unsigned top = u & (u - 1);

		if (top) {                       /* another bit beside the lowest */
			km_jac_add(c, jac[u], jac[top], jac[u ^ top]);
			continue;
		}
		memcpy(jac[u], jac[u >> 1], 3 * n * sizeof(zi[0]));
		for (unsigned i = 0; i < cb->d; i++)
			km_jac_double(c, jac[u], jac[u]);
	}
	/* Montgomery's trick over the Z: pre[u] = Z[1]...Z[u] */
	memcpy(pre[1], jac[1] + 2 * n, n * sizeof(zi[0]));
	for (unsigned u = 2; u < TABLE; u++)
		km_mod_mul(&c->p, pre[u], pre[u - 1], jac[u] + 2 * n);
	km_mod_inv(&c->p, inv, pre[TABLE - 1]);
	for (unsigned u = TABLE - 1; u > 0; u--) {
		if (u > 1)
			km_mod_mul(&c->p, zi, inv, pre[u - 1]);
		else
			memcpy(zi, inv, sizeof(zi));
		km_mod_mul(&c->p, inv, inv, jac[u] + 2 * n);
		to_affine(c, cb->t[u], jac[u], zi);
	}
}

/* ---- one scalar, constant time */

/* dbl-2001-b; Z = 0 stays 0. */
KM_INLINE void jac_double(const struct km_curve *c, struct jac *p, const unsigned n)
{
	mp_limb_t delta[KM_LIMBS_MAX], gamma[KM_LIMBS_MAX], beta[KM_LIMBS_MAX], alpha[KM_LIMBS_MAX], t[KM_LIMBS_MAX];

	km_f_sqr(c, delta, p->z, n);
	km_f_sqr(c, gamma, p->y, n);
	km_f_mul(c, beta, p->x, gamma, n);
	km_f_sub(c, t, p->x, delta, n);
	km_f_add(c, alpha, p->x, delta, n);
	km_f_mul(c, t, t, alpha, n);
	km_f_add(c, alpha, t, t, n);
	km_f_add(c, alpha, alpha, t, n);         /* 3 (X - delta)(X + delta) */
	km_f_add(c, p->z, p->y, p->z, n);
	km_f_sqr(c, p->z, p->z, n);
	km_f_sub(c, p->z, p->z, gamma, n);
	km_f_sub(c, p->z, p->z, delta, n);       /* 2YZ */
	km_f_add(c, beta, beta, beta, n);
	km_f_add(c, beta, beta, beta, n);        /* 4 beta */
	km_f_sqr(c, p->x, alpha, n);
	km_f_sub(c, p->x, p->x, beta, n);
	km_f_sub(c, p->x, p->x, beta, n);
	km_f_sub(c, t, beta, p->x, n);
	km_f_mul(c, t, alpha, t, n);
	km_f_sqr(c, gamma, gamma, n);
	km_f_add(c, gamma, gamma, gamma, n);
	km_f_add(c, gamma, gamma, gamma, n);
	km_f_add(c, gamma, gamma, gamma, n);
	km_f_sub(c, p->y, t, gamma, n);
}

/* r = p + (x, y), for p and (x, y) neither equal, nor opposite, nor the identity; otherwise garbage. */
KM_INLINE void jac_add(const struct km_curve *c, struct jac *r, const struct jac *p, const mp_limb_t *x, const mp_limb_t *y, const unsigned n)
{
	mp_limb_t zz[KM_LIMBS_MAX], h[KM_LIMBS_MAX], s[KM_LIMBS_MAX], hh[KM_LIMBS_MAX], v[KM_LIMBS_MAX];

	km_f_sqr(c, zz, p->z, n);
	km_f_mul(c, h, x, zz, n);
	km_f_mul(c, s, zz, p->z, n);
	km_f_mul(c, s, s, y, n);
	km_f_sub(c, h, h, p->x, n);              /* H = U2 - X1 */
	km_f_sub(c, s, s, p->y, n);              /* S = S2 - Y1 */
	km_f_sqr(c, hh, h, n);
	km_f_mul(c, v, p->x, hh, n);
	km_f_mul(c, hh, hh, h, n);               /* H^3 */
	km_f_mul(c, r->z, p->z, h, n);
	km_f_sqr(c, r->x, s, n);
	km_f_sub(c, r->x, r->x, hh, n);
	km_f_sub(c, r->x, r->x, v, n);
	km_f_sub(c, r->x, r->x, v, n);
	km_f_sub(c, v, v, r->x, n);
	km_f_mul(c, v, v, s, n);
	km_f_mul(c, hh, hh, p->y, n);
	km_f_sub(c, r->y, v, hh, n);
}

KM_INLINE mp_limb_t mask_zero(mp_limb_t v)
{
	return km_ct_mask((~v & (v - 1)) >> 63);
}

/* xy = T[u], by looking at every entry. */
KM_INLINE void comb_select(mp_limb_t *xy, const struct comb *cb, mp_limb_t u, const unsigned n)
{
	memset(xy, 0, 2 * n * sizeof(*xy));
	for (unsigned i = 1; i < TABLE; i++) {
		mp_limb_t mask = mask_zero(u ^ i);

		for (unsigned l = 0; l < 2 * n; l++)
			xy[l] |= cb->t[i][l] & mask;
	}
}

KM_INLINE mp_limb_t column(const struct comb *cb, const struct km_secret *k, unsigned col, unsigned bits)
{
	mp_limb_t u = 0;

	for (unsigned j = 0; j < TEETH; j++) {
		unsigned at = j * cb->d + col;

		if (at < bits)
			u |= (k->l[at / 64] >> (at % 64) & 1) << j;
	}
	return u;
}

KM_INLINE void comb_mul(const struct km_curve *c, struct km_point *r, const struct comb *cb, const struct km_secret *k, const unsigned n)
{
	struct jac acc, sum;
	mp_limb_t xy[2 * KM_LIMBS_MAX], u, none, still, any;

	memset(&acc, 0, sizeof(acc));
	for (unsigned col = cb->d; col-- > 0;) {
		jac_double(c, &acc, n);
		u = column(cb, k, col, c->bits);
		comb_select(xy, cb, u, n);
		jac_add(c, &sum, &acc, xy, xy + n, n);
		any = 0;
		for (unsigned l = 0; l < n; l++)
			any |= acc.z[l];
		none = mask_zero(u);             /* nothing to add */
		still = mask_zero(any);          /* nothing to add to */
		km_fe_select_n(sum.x, still, xy, sum.x, n);
		km_fe_select_n(sum.y, still, xy + n, sum.y, n);
		km_fe_select_n(sum.z, still, c->p.one, sum.z, n);
		km_fe_select_n(acc.x, none, acc.x, sum.x, n);
		km_fe_select_n(acc.y, none, acc.y, sum.y, n);
		km_fe_select_n(acc.z, none, acc.z, sum.z, n);
	}
	/* Jacobian (X, Y, Z) is projective (XZ : Y : Z^3), and (0 : 1 : 0) for Z = 0 */
	any = 0;
	for (unsigned l = 0; l < n; l++)
		any |= acc.z[l];
	still = mask_zero(any);
	memset(r, 0, sizeof(*r));
	km_f_mul(c, r->x, acc.x, acc.z, n);
	km_fe_select_n(r->y, still, c->p.one, acc.y, n);
	km_f_sqr(c, sum.z, acc.z, n);
	km_f_mul(c, r->z, sum.z, acc.z, n);
	km_wipe(&acc, sizeof(acc));
	km_wipe(&sum, sizeof(sum));
	km_wipe(xy, sizeof(xy));
}

void km_point_mul_many(const struct km_curve *c, struct km_point *r, const struct km_secret *k, size_t n, const struct km_point *p)
{
	struct km_point base = *p;
	struct comb cb;

	if (KM_IS_TOY(c) && km_toy_is_tiny(c)) {
		for (size_t i = 0; i < n; i++)
			km_toy_mul(c, &r[i], k[i].l[0], &base);
		return;
	}
	if (!km_point_is_identity_var(c, &base))
		comb_init(c, &cb, &base);
	for (size_t i = 0; i < n; i++) {
		if (km_point_is_identity_var(c, &base))
			km_point_identity(c, &r[i]);
		else if (c->n == 4)
			comb_mul(c, &r[i], &cb, &k[i], 4);
		else if (KM_IS_TOY(c))
			comb_mul(c, &r[i], &cb, &k[i], 1);
		else
			comb_mul(c, &r[i], &cb, &k[i], c->n);
	}
}
