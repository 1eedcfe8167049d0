/* bind.c: certified tuples become presignatures of the run's key (protocol section 2c; message C4).
 *
 *	epsilon_i = x_i^S - v_i, public; alpha_i = a_i / w; beta_i = (epsilon a_i + c_i) / w with epsilon = sum epsilon_i = x - v
 *
 * so that sum alpha_i = 1/k and sum beta_i = x/k. */
#include <stdlib.h>
#include <string.h>
#include "presign_impl.h"
#include "../base/rules.h"
#include "../base/secret.h"
#include "../ec/msm.h"

int km_bind_epsilon(struct km_presign *s, const uint8_t table_hash[KM_HASH_SIZE], const struct km_secret *x_i)
{
	struct km_secret e;

	/* WHY: one tuple bound under two keys, or twice, gives both keys (A8). */
	if (KM_RULE(km_rule_bind_once) && memcmp(table_hash, s->table_hash, KM_HASH_SIZE) != 0)
		return KM_E_MISMATCH;
	for (unsigned o = 0; o < s->own; o++) {
		if (KM_RULE(km_rule_bind_once) && s->tuple[o] != KM_TUPLE_CERTIFIED)
			return KM_E_STATE;
		s->tuple[o] = KM_TUPLE_BOUND;    /* out of the table first */
		km_secret_mul_pub(s->curve, &e, x_i, km_presign_lambda(s, s->own_index[o], s->m->self));
		km_secret_sub(s->curve, &e, &e, &s->v[o]);
		km_secret_declassify(&s->epsilon[o], &e);
		if (KM_RULE(km_rule_bind_once))
			km_secret_wipe(&s->v[o]);
	}
	km_wipe(&e, sizeof(e));
	return KM_OK;
}

/* ---- what the members answered */

struct answers {
	struct km_scalar *e;    /* [own * T] epsilon_j by position in the quorum */
	uint8_t *in;            /* [own * T] 1 where there is one to check */
};

static const struct km_point *v_at(const struct km_presign *s, unsigned o, unsigned at)
{
	return &s->pv[o * (s->t + 1) + at];
}

static void decode_answers(struct km_presign *s, struct answers *an)
{
	for (unsigned o = 0; o < s->own; o++) {
		unsigned l = s->own_index[o], at = o * (s->t + 1);
		uint32_t quorum = s->index[l].quorum;

		if (s->tuple[o] != KM_TUPLE_BOUND)
			continue;
		for (unsigned j = km_set_next(quorum, 0); j; j = km_set_next(quorum, j), at++) {
			const uint8_t *row;

			if (!km_set_has(s->c4_have, j)) {
				s->tuple[o] = KM_TUPLE_DROPPED;  /* its quorum did not answer in full */
				continue;
			}
			row = km_presign_own_row(s, km_presign_body(s, KM_PRESIGN_C4, j), KM_HASH_SIZE, s->ss, j, l);
			if (km_scalar_decode(s->curve, &an->e[at], row)) {
				km_presign_blame(s, j, KM_EV_ENCODING, KM_PRESIGN_C4);
				s->tuple[o] = KM_TUPLE_DROPPED;
			} else {
				an->in[at] = j != s->m->self;
			}
		}
	}
}

/* rho (epsilon_j G - X_j^S + V_j); x collects the coefficient of X_j. */
static void terms_answer(const struct km_presign *s, struct km_msm *m, const struct answers *an, unsigned o, unsigned j, const struct km_scalar *rho,
			 struct km_scalar *x)
{
	unsigned pos = km_set_pos(s->index[s->own_index[o]].quorum, j);
	struct km_scalar k;

	km_msm_term(m, rho, v_at(s, o, pos));
	km_scalar_mul(s->curve, &k, rho, &an->e[o * (s->t + 1) + pos]);
	km_msm_term_g(s->curve, m, &k);
	km_scalar_mul(s->curve, &k, rho, km_presign_lambda(s, s->own_index[o], j));
	km_scalar_sub(s->curve, x, x, &k);
}

static int is_in(const struct km_presign *s, const struct answers *an, unsigned o, unsigned j)
{
	uint32_t quorum = s->index[s->own_index[o]].quorum;

	return km_set_has(quorum, j) && an->in[o * (s->t + 1) + km_set_pos(quorum, j)];
}

static int check_answers(const struct km_presign *s, const struct answers *an)
{
	uint32_t set = s->m->participants;
	struct km_scalar x, rho;
	struct km_msm m;
	int err;

	km_msm_init(&m);
	for (unsigned j = km_set_next(set, 0); j; j = km_set_next(set, j)) {
		km_scalar_zero(&x);
		for (unsigned o = 0; o < s->own; o++) {
			if (!is_in(s, an, o, j))
				continue;
			km_scalar_random128(s->curve, &rho, s->check);
			terms_answer(s, &m, an, o, j, &rho, &x);
		}
		km_msm_term(&m, &x, &s->xi[j]);
	}
	err = km_msm_check_var(s->curve, &m);
	km_msm_clear(&m);
	return err;
}

/* One by one: a wrong epsilon_j convicts its author (E4) and costs that tuple only. */
static int locate_answers(struct km_presign *s, const struct answers *an)
{
	uint32_t set = s->m->participants;
	struct km_scalar x, one;
	struct km_msm m;
	int err = KM_OK;

	km_scalar_set_u32(&one, 1);
	for (unsigned j = km_set_next(set, 0); j; j = km_set_next(set, j))
		for (unsigned o = 0; o < s->own; o++) {
			if (!is_in(s, an, o, j))
				continue;
			km_scalar_zero(&x);
			km_msm_init(&m);
			terms_answer(s, &m, an, o, j, &one, &x);
			km_msm_term(&m, &x, &s->xi[j]);
			err = km_msm_check_var(s->curve, &m);
			km_msm_clear(&m);
			if (err && err != KM_E_VERIFY)
				return err;
			if (err) {
				km_presign_blame_index(s, j, KM_EV_EPSILON, KM_PRESIGN_C4, s->own_index[o]);
				s->tuple[o] = KM_TUPLE_DROPPED;
			}
		}
	return KM_OK;
}

int km_bind_check(struct km_presign *s)
{
	size_t n = (size_t)s->own * (s->t + 1);
	struct answers an = { calloc(n + 1, sizeof(*an.e)), calloc(n + 1, 1) };
	int err = KM_E_NOMEM;

	if (!an.e || !an.in)
		goto out;
	decode_answers(s, &an);
	err = check_answers(s, &an);
	if (err == KM_E_VERIFY)
		err = locate_answers(s, &an);
	for (unsigned o = 0; o < s->own && !err; o++) {
		km_scalar_zero(&s->epsilon[o]);
		for (unsigned at = 0; at <= s->t; at++)
			km_scalar_add(s->curve, &s->epsilon[o], &s->epsilon[o], &an.e[o * (s->t + 1) + at]);
	}
out:
	free(an.e);
	free(an.in);
	return err;
}

/* ---- presignatures */

void km_presig_free(struct km_presig *p)
{
	km_secret_free(p);   /* wiped; member_enc lies in the same block */
}

void km_presig_name(const uint8_t sid[KM_HASH_SIZE], unsigned index, uint8_t id[KM_HASH_SIZE])
{
	struct km_hash h;

	km_hash_init(&h, "presig");
	km_hash_field(&h, sid, KM_HASH_SIZE);
	km_hash_u32(&h, index);
	km_hash_final(&h, id);
}

static struct km_presig *presig_new(const struct km_presign *s, unsigned o)
{
	unsigned l = s->own_index[o], at = 0;
	uint32_t quorum = s->index[l].quorum;
	struct km_presig *p = km_secret_alloc(sizeof(*p) + (size_t)(s->t + 1) * 2 * s->ps);

	if (!p)
		return NULL;
	km_presig_name(s->m->sid, l, p->id);
	p->index = (uint16_t)l;
	p->owner = s->index[l].owner;
	p->self = s->m->self;
	p->quorum = quorum;
	memcpy(p->table_hash, s->table_hash, KM_HASH_SIZE);
	p->curve = s->curve;
	p->r = s->r[o];
	p->w = s->w[o];
	p->epsilon = s->epsilon[o];
	p->n = s->t + 1;
	p->member_enc = (uint8_t *)(p + 1);
	for (unsigned j = km_set_next(quorum, 0); j; j = km_set_next(quorum, j), at++) {
		/* a C3 row begins with A' | C' */
		const uint8_t *row = km_presign_own_row(s, km_presign_body(s, KM_PRESIGN_C3, j), KM_HASH_SIZE + s->ps + s->ss,
							4 * s->ps + s->ss, j, l);

		memcpy(p->member_enc + at * 2 * s->ps, row, 2 * s->ps);
	}
	return p;
}

int km_bind_finish(struct km_presign *s)
{
	struct km_scalar *winv = calloc(s->own + 1, sizeof(*winv));
	int err = winv ? KM_OK : KM_E_NOMEM;

	if (!err && s->own)
		err = km_scalar_inv_batch(s->curve, winv, s->w, s->own);
	for (unsigned o = 0; o < s->own && !err; o++) {
		struct km_presig *p;

		if (s->tuple[o] == KM_TUPLE_BOUND) {
			p = s->done[o] = presig_new(s, o);
			if (!p) {
				err = KM_E_NOMEM;
				break;
			}
			km_secret_mul_pub(s->curve, &p->alpha, &s->a[o], &winv[o]);
			km_secret_mul_pub(s->curve, &p->beta, &s->a[o], &s->epsilon[o]);
			km_secret_add(s->curve, &p->beta, &p->beta, &s->c[o]);
			km_secret_mul_pub(s->curve, &p->beta, &p->beta, &winv[o]);
			s->tuple[o] = KM_TUPLE_READY;
		}
		if (KM_RULE(km_rule_bind_once)) {
			km_secret_wipe(&s->a[o]);
			km_secret_wipe(&s->c[o]);
		}
	}
	free(winv);
	return err;
}
