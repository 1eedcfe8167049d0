/* msm.c: see msm.h. */
#include <stdlib.h>
#include <string.h>
#include "msm.h"
#include "curve_impl.h"

static unsigned digit(const struct km_scalar *k, unsigned pos, unsigned w)
{
	unsigned i = pos / 64, s = pos % 64;
	mp_limb_t v = k->l[i] >> s;

	if (s + w > 64 && i + 1 < KM_LIMBS_MAX)
		v |= k->l[i + 1] << (64 - s);
	return (unsigned)v & ((1u << w) - 1);
}

static unsigned window_for(size_t n)
{
	unsigned w = 2;

	while (w < 9 && ((size_t)6 << w) < n)
		w++;
	return w;
}

int km_msm_var(const struct km_curve *c, struct km_point *r, const struct km_scalar *k, const struct km_point *p, size_t n)
{
	unsigned w = window_for(n), windows = (c->bits + w - 1) / w;
	struct km_point *bucket = calloc((size_t)1 << w, sizeof(*bucket)), sum, acc, res;

	if (!bucket)
		return KM_E_NOMEM;
	km_point_identity(c, &res);
	for (unsigned i = windows; i-- > 0;) {
		for (unsigned j = 0; j < w; j++)
			km_point_add(c, &res, &res, &res);
		for (unsigned j = 0; j < 1u << w; j++)
			km_point_identity(c, &bucket[j]);
		for (size_t j = 0; j < n; j++) {
			unsigned d = digit(&k[j], i * w, w);

			if (d)
				km_point_add(c, &bucket[d], &bucket[d], &p[j]);
		}
		km_point_identity(c, &sum);
		km_point_identity(c, &acc);
		for (unsigned j = (1u << w) - 1; j > 0; j--) {
			km_point_add(c, &acc, &acc, &bucket[j]);
			km_point_add(c, &sum, &sum, &acc);
		}
		km_point_add(c, &res, &res, &sum);
	}
	free(bucket);
	*r = res;
	return KM_OK;
}

void km_point_mul_var(const struct km_curve *c, struct km_point *r, const struct km_scalar *k, const struct km_point *p)
{
	struct km_point acc;

	km_point_identity(c, &acc);
	for (unsigned i = c->bits; i-- > 0;) {
		km_point_add(c, &acc, &acc, &acc);
		if (digit(k, i, 1))
			km_point_add(c, &acc, &acc, p);
	}
	*r = acc;
}

void km_msm_init(struct km_msm *m)
{
	memset(m, 0, sizeof(*m));
}

void km_msm_clear(struct km_msm *m)
{
	free(m->k);
	free(m->p);
	memset(m, 0, sizeof(*m));
}

void km_msm_term(struct km_msm *m, const struct km_scalar *k, const struct km_point *p)
{
	if (m->err)
		return;
	if (m->n == m->cap) {
		size_t cap = m->cap ? 2 * m->cap : 32;
		struct km_scalar *nk = reallocarray(m->k, cap, sizeof(*nk));
		struct km_point *np;

		if (nk)
			m->k = nk;
		np = nk ? reallocarray(m->p, cap, sizeof(*np)) : NULL;
		if (np)
			m->p = np;
		if (!np) {
			m->err = KM_E_NOMEM;
			return;
		}
		m->cap = cap;
	}
	m->k[m->n] = *k;
	m->p[m->n] = *p;
	m->n++;
}

void km_msm_term_g(const struct km_curve *c, struct km_msm *m, const struct km_scalar *k)
{
	km_scalar_add(c, &m->g, &m->g, k);
}

int km_msm_check_var(const struct km_curve *c, struct km_msm *m)
{
	struct km_point g, sum;
	int err;

	/* The generator is a term for the time of this call only: the accumulator may grow afterwards. */
	km_point_generator(c, &g);
	km_msm_term(m, &m->g, &g);
	if (m->err)
		return m->err;
	err = km_msm_var(c, &sum, m->k, m->p, m->n);
	m->n--;
	if (err)
		return err;
	return km_point_is_identity_var(c, &sum) ? KM_OK : KM_E_VERIFY;
}
