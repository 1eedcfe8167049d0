/* msm.c: sums of multiples of public points: what is common to both methods, the choice between them, and the
 * accumulator of batch checks. */
#include <stdlib.h>
#include <string.h>
#include "msm.h"
#include "msm_kernel.h"

/* One copy of the kernels with P-256's limb count built in, one for the other curves. */
static void straus_run(const struct msm_terms *t, const struct straus *s, mp_limb_t *acc)
{
	if (t->c->n == 4)
		straus_sum(t, s, acc, 4);
	else if (KM_IS_TOY(t->c))
		straus_sum(t, s, acc, 1);
	else
		straus_sum(t, s, acc, t->c->n);
}

static void pippenger_run(const struct msm_terms *t, const struct pippenger *s, mp_limb_t *acc)
{
	if (t->c->n == 4)
		pippenger_sum(t, s, acc, 4);
	else if (KM_IS_TOY(t->c))
		pippenger_sum(t, s, acc, 1);
	else
		pippenger_sum(t, s, acc, t->c->n);
}

static unsigned bit_length(const mp_limb_t *k, unsigned limbs)
{
	for (unsigned i = limbs; i-- > 0;)
		if (k[i])
			return 64 * i + 64 - (unsigned)__builtin_clzll(k[i]);
	return 0;
}

/* Takes in a term whose Z is 1, as |k| * (+-P): a scalar in the upper half is the negative of a shorter one. */
static void term_add(struct msm_terms *t, const struct km_scalar *k, const mp_limb_t *x, const mp_limb_t *y)
{
	const struct km_curve *c = t->c;
	unsigned n = c->n, bits;
	mp_limb_t *p = t->aff + t->n * 2 * n, *s = t->k + t->n * n;

	km_f_copy(p, x, n);
	km_f_copy(p + n, y, n);
	km_f_copy(s, k->l, n);
	if (km_scalar_is_high(c, k)) {
		km_mod_neg(&c->q, s, s);
		km_mod_neg(&c->p, p + n, p + n);
	}
	bits = bit_length(s, n);
	t->bits = bits > t->bits ? bits : t->bits;
	t->total_bits += bits;
	t->n++;
}

static int term_is_live(const struct km_curve *c, const struct km_scalar *k, const struct km_point *p)
{
	return !km_scalar_is_zero(k) && !km_point_is_identity_var(c, p);
}

/* All terms that count, with one inversion for the points that are not affine yet. */
static int terms_init(struct msm_terms *t, const struct km_curve *c, const struct km_scalar *k, const struct km_point *p,
		      size_t n)
{
	mp_limb_t inv[KM_LIMBS_MAX], zi[KM_LIMBS_MAX], x[KM_LIMBS_MAX], y[KM_LIMBS_MAX];
	unsigned l = c->n;
	size_t m = 0;
	mp_limb_t *pre;

	*t = (struct msm_terms){ .c = c };
	if (n == 0)
		return KM_OK;
	t->aff = calloc(n, 3 * l * sizeof(mp_limb_t));
	pre = calloc(n, l * sizeof(mp_limb_t));
	if (!t->aff || !pre) {
		free(t->aff);
		free(pre);
		t->aff = NULL;
		return KM_E_NOMEM;
	}
	t->k = t->aff + n * 2 * l;
	memcpy(inv, c->p.one, sizeof(inv));
	for (size_t i = 0; i < n; i++)
		if (term_is_live(c, &k[i], &p[i]) && !km_mod_equal(&c->p, p[i].z, c->p.one)) {
			km_f_copy(pre + m++ * l, inv, l);
			km_mod_mul(&c->p, inv, inv, p[i].z);
		}
	if (m)
		km_mod_inv(&c->p, inv, inv);
	for (size_t i = n; i-- > 0;) {
		if (!term_is_live(c, &k[i], &p[i]))
			continue;
		if (km_mod_equal(&c->p, p[i].z, c->p.one)) {
			term_add(t, &k[i], p[i].x, p[i].y);
			continue;
		}
		km_mod_mul(&c->p, zi, inv, pre + --m * l);
		km_mod_mul(&c->p, inv, inv, p[i].z);
		km_mod_mul(&c->p, x, p[i].x, zi);
		km_mod_mul(&c->p, y, p[i].y, zi);
		term_add(t, &k[i], x, y);
	}
	free(pre);
	return KM_OK;
}

/* (X/Z^2, Y/Z^3) is (XZ : Y : Z^3) in projective coordinates. */
static void from_jacobian(const struct km_curve *c, struct km_point *r, const mp_limb_t *jac)
{
	const mp_limb_t *z = jac + 2 * c->n;

	km_point_identity(c, r);
	if (km_mod_is_zero(&c->p, z))
		return;
	km_mod_mul(&c->p, r->x, jac, z);
	km_f_copy(r->y, jac + c->n, c->n);
	km_mod_sqr(&c->p, r->z, z);
	km_mod_mul(&c->p, r->z, r->z, z);
}

static int straus_msm(const struct msm_terms *t, mp_limb_t *acc)
{
	unsigned l = t->c->n;
	size_t entries = t->n * STRAUS_TABLE;
	struct straus s = {
		.table = calloc(entries, 3 * l * sizeof(mp_limb_t)),
		.pre = calloc(entries, l * sizeof(mp_limb_t)),
		.digit = calloc(t->n, t->bits + 1),
	};
	int err = KM_E_NOMEM;

	if (s.table && s.pre && s.digit) {
		straus_run(t, &s, acc);
		err = KM_OK;
	}
	free(s.table);
	free(s.pre);
	free(s.digit);
	return err;
}

/* Memory for the points of the windows handled together: as much as a second-level cache keeps. */
#define GROUP_BYTES ((size_t)512 * 1024)

static int pippenger_msm(const struct msm_terms *t, unsigned w, mp_limb_t *acc)
{
	unsigned l = t->c->n, nb = 1u << (w - 1);
	/* One bit more than the scalars have: the top window takes a carry. */
	struct pippenger s = { .w = w, .windows = (t->bits + w) / w };
	size_t fit = GROUP_BYTES / (t->n * 2 * l * sizeof(mp_limb_t)) + 1, total;
	int err = KM_E_NOMEM;

	s.group = fit < s.windows ? (unsigned)fit : s.windows;
	total = s.group * t->n;
	if (total >= UINT32_MAX)
		return KM_E_NOMEM;
	s.digit = calloc(s.windows, t->n * sizeof(*s.digit));
	s.start = calloc(s.group, nb * sizeof(*s.start));
	s.count = calloc(s.group, nb * sizeof(*s.count));
	s.pts = calloc(total, 2 * l * sizeof(mp_limb_t));
	s.pre = calloc(total / 2 + 1, l * sizeof(mp_limb_t));
	s.kind = calloc(total / 2 + 1, sizeof(*s.kind));
	s.sum = calloc(s.windows, 3 * l * sizeof(mp_limb_t));
	if (s.digit && s.start && s.count && s.pts && s.pre && s.kind && s.sum) {
		pippenger_run(t, &s, acc);
		err = KM_OK;
	}
	free(s.digit);
	free(s.start);
	free(s.count);
	free(s.pts);
	free(s.pre);
	free(s.kind);
	free(s.sum);
	return err;
}

/* The window size of the cheaper method, 0 for Straus. The weights are nanoseconds measured on P-256 (an affine tree
 * addition, a bucket's two additions, a Straus table and addition, an inversion); only their ratio matters. */
static unsigned choose_window(const struct msm_terms *t)
{
	size_t best = t->n * 3300 + t->total_bits * 37 + 5000;
	unsigned window = 0;

	for (unsigned w = 3; w <= 13; w++) {
		size_t load = (t->n >> (w - 1)) + 1, levels = 1, cost;

		for (; load > 1; load >>= 1)
			levels++;
		cost = (t->total_bits * 120 + (size_t)t->bits * (520u << (w - 1))) / w + levels * 10000;
		if (cost < best) {
			best = cost;
			window = w;
		}
	}
	return window;
}

int km_msm_var(const struct km_curve *c, struct km_point *r, const struct km_scalar *k, const struct km_point *p, size_t n)
{
	mp_limb_t acc[3 * KM_LIMBS_MAX] = { 0 };
	struct msm_terms t;
	unsigned w;
	int err = terms_init(&t, c, k, p, n);

	if (!err && t.n > 0) {
		w = choose_window(&t);
		err = w ? pippenger_msm(&t, w, acc) : straus_msm(&t, acc);
	}
	if (err)
		memset(acc, 0, sizeof(acc));
	from_jacobian(c, r, acc);
	free(t.aff);
	return err;
}

void km_point_mul_var(const struct km_curve *c, struct km_point *r, const struct km_scalar *k, const struct km_point *p)
{
	/* The sum of one term, in memory of its own, since this cannot fail. */
	mp_limb_t aff[2 * KM_LIMBS_MAX], kl[KM_LIMBS_MAX], zi[KM_LIMBS_MAX], acc[3 * KM_LIMBS_MAX] = { 0 };
	mp_limb_t table[STRAUS_TABLE * 3 * KM_LIMBS_MAX], pre[STRAUS_TABLE * KM_LIMBS_MAX];
	int8_t digit[64 * KM_LIMBS_MAX + 1];
	struct msm_terms t = { .c = c, .aff = aff, .k = kl };
	const struct straus s = { table, pre, digit };

	if (term_is_live(c, k, p)) {
		if (km_mod_equal(&c->p, p->z, c->p.one)) {
			term_add(&t, k, p->x, p->y);
		} else {
			km_mod_inv(&c->p, zi, p->z);
			km_mod_mul(&c->p, aff, p->x, zi);
			km_mod_mul(&c->p, aff + c->n, p->y, zi);
			term_add(&t, k, aff, aff + c->n);
		}
		straus_run(&t, &s, acc);
	}
	from_jacobian(c, r, acc);
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
