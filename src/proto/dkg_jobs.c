/* dkg_jobs.c: the computations between the rounds of a DKG or reshare. Pure, on the state of the run; of the machine they read the
 * envelopes of completed rounds, which do not change any more. */
#include "dkg_impl.h"

#include <string.h>
#include "../base/rules.h"
#include "../base/secret.h"

/* Degree t dealer: f, e, and the opening that says so. In a reshare f(0) is there already. */
void km_dkg_job_deal(struct km_job *job)
{
	struct km_dkg_state *st = job->state;
	const struct km_dkg_group *g = &st->group;

	unsigned count = km_dkg_deals(g, st->m->self) ? g->threshold : 0;

	for (unsigned l = g->over ? 1 : 0; l < count; l++)
		km_secret_random(g->curve, &st->sec->coef[l], &st->sec->rng);
	km_secret_random(g->curve, &st->sec->e, &st->sec->rng);
	job->err = km_dkg_g2_make(g, st->m->self, st->sec->coef, count, &st->sec->e, &st->sec->rng, st->g2);
}

void km_dkg_job_openings(struct km_job *job)
{
	struct km_dkg_state *st = job->state;
	const struct km_machine *m = st->m;
	unsigned pos = 0;

	for (unsigned i = km_set_next(m->participants, 0); i; i = km_set_next(m->participants, i), pos++) {
		const struct km_msg *g2 = &m->bcast[KM_DKG_G2][i].msg;
		int err;

		if (i == m->self)
			err = km_dkg_opening_decode(&st->group, g2, &st->open[pos]);
		else
			err = km_dkg_opening_check(&st->group, &m->bcast[KM_DKG_G1][i].msg, g2, &st->open[pos]);
		if (err == KM_E_ENCODING)
			st->bad_encoding |= km_set_bit(i);
		else if (err == KM_E_VERIFY)
			st->bad_opening |= km_set_bit(i);
		else if (err)
			job->err = err;
	}
}

/* Rows of G4, and the own share of the own polynomial. */
void km_dkg_job_shares(struct km_job *job)
{
	struct km_dkg_state *st = job->state;
	const struct km_dkg_group *g = &st->group;
	unsigned self = st->m->self, me = km_set_pos(g->participants, self), pos = 0;
	struct km_shape shape;
	uint8_t dh[KM_POINT_MAX];
	struct km_secret f;
	struct km_point d;

	km_secret_zero(&st->sec->x);
	if (!km_dkg_deals(g, self))
		return;
	km_dkg_dealing_shape(g, self, &shape);
	if (km_dkg_receives(g, self))
		km_shamir_eval(g->curve, &st->sec->x, st->sec->coef, g->threshold - 1, self);
	for (unsigned j = km_set_next(g->participants, 0); j; j = km_set_next(g->participants, j), pos++) {
		struct km_dkg_link link = { self, j, &st->open[me], &st->open[pos] };
		uint8_t *row = st->g4 + shape.head + (size_t)shape.row * km_dkg_g4_row(km_dkg_receivers(g), self, j);

		if (j == self || !km_dkg_receives(g, j))
			continue;
		int err = km_dkg_dh(g, &st->sec->e, &st->open[pos].e, &d, dh);
		if (err) {
			job->err = err;
			break;
		}
		km_shamir_eval(g->curve, &f, st->sec->coef, g->threshold - 1, j);
		km_dkg_share_seal(g, &link, dh, &f, row);
	}
	km_secret_wipe(&f);
	km_wipe(dh, sizeof(dh));
	km_wipe(&d, sizeof(d));
}

int km_dkg_make_complaint(struct km_dkg_state *st, unsigned accused, struct km_point *d, const uint8_t *dh)
{
	const struct km_dkg_group *g = &st->group;
	const struct km_machine *m = st->m;
	size_t ps = km_curve_point_size(g->curve);
	const struct km_msg *g2 = &m->bcast[KM_DKG_G2][accused].msg, *g4 = &m->bcast[KM_DKG_G4][accused].msg;
	const struct km_dkg_opening *own = &st->open[km_set_pos(g->participants, m->self)];
	const struct km_dkg_opening *dealer = &st->open[km_set_pos(g->participants, accused)];
	uint8_t *p = st->g5 + KM_HASH_SIZE;
	struct km_dleq_proof pf;
	struct km_hash h;

	km_point_declassify(d);
	km_declassify(dh, ps);
	km_dkg_complaint_hash(&h, g, m->self, accused);
	int err = km_dleq_prove(g->curve, &pf, &st->sec->e, &dealer->e, &own->e, d, &h, &st->sec->rng);
	*p++ = KM_DKG_COMPLAINT;
	*p++ = (uint8_t)accused;
	memcpy(p, dh, ps);
	if (!err)
		err = km_dleq_encode(g->curve, p + ps, &pf);
	p += ps + km_dleq_size(g->curve);
	memcpy(p, g2->raw, KM_MSG_HEAD + g2->body_len);
	memcpy(p + KM_MSG_HEAD + g2->body_len, g4->raw, KM_MSG_HEAD + g4->body_len);
	st->g5_len = km_dkg_complaint_about(g, accused);
	return err;
}

/* Every dealer's share for this peer. The first bad one is complained about: a round has one message of each. */
void km_dkg_job_check(struct km_job *job)
{
	struct km_dkg_state *st = job->state;
	const struct km_dkg_group *g = &st->group;
	unsigned self = st->m->self, me = km_set_pos(g->participants, self), pos = 0;
	uint8_t dh[KM_POINT_MAX];
	struct km_shape shape;
	struct km_secret f;
	struct km_point d;
	int err = KM_OK;

	st->g5[KM_HASH_SIZE] = KM_DKG_ACK;
	st->g5_len = KM_HASH_SIZE + 1;
	for (unsigned i = km_set_next(g->participants, 0); !err && i; i = km_set_next(g->participants, i), pos++) {
		struct km_dkg_link link = { i, self, &st->open[pos], &st->open[me] };

		if (i == self || !km_dkg_deals(g, i) || !km_dkg_receives(g, self))
			continue;
		km_dkg_dealing_shape(g, i, &shape);
		const uint8_t *body = st->m->bcast[KM_DKG_G4][i].msg.body;
		err = km_dkg_dh(g, &st->sec->e, &st->open[pos].e, &d, dh);
		if (err)
			break;
		err = km_dkg_share_open(g, &link, dh,
					body + shape.head + (size_t)shape.row * km_dkg_g4_row(km_dkg_receivers(g), i, self), &f);
		if (err == KM_E_VERIFY) {
			err = km_dkg_make_complaint(st, i, &d, dh);
			break;
		}
		km_secret_add(g->curve, &st->sec->x, &st->sec->x, &f);
	}
	job->err = err;
	km_secret_wipe(&f);
	km_wipe(dh, sizeof(dh));
	km_wipe(&d, sizeof(d));
}

/* X and all X_i from the sum of the commitments. */
int km_dkg_add_up(const struct km_dkg_group *g, const struct km_dkg_opening *open, unsigned n, uint32_t members, struct km_point *x,
		  struct km_point *xi)
{
	struct km_point sum[KM_DKG_COMMIT_MAX];
	unsigned top = 0;

	for (unsigned l = 0; l < KM_DKG_COMMIT_MAX; l++)
		km_point_identity(g->curve, &sum[l]);
	for (unsigned pos = 0; pos < n; pos++) {
		for (unsigned l = 0; l < open[pos].commitments; l++)
			km_point_add(g->curve, &sum[l], &sum[l], &open[pos].c[l]);
		top = open[pos].commitments > top ? open[pos].commitments : top;
	}
	*x = sum[0];
	for (unsigned i = km_set_next(members, 0); i; i = km_set_next(members, i)) {
		int err = km_feldman_eval_var(g->curve, &xi[i], sum, top - 1, i);
		if (err)
			return err;
	}
	return KM_OK;
}

static int make_table(struct km_dkg_state *st, struct km_table *t)
{
	const struct km_dkg_group *g = &st->group;

	memset(t, 0, sizeof(*t));
	memcpy(t->name, st->name, sizeof(t->name));
	t->number = st->number;
	memcpy(t->sid, g->sid, sizeof(t->sid));
	t->curve = g->curve;
	t->threshold = g->threshold;
	t->members = st->members;
	for (unsigned i = km_set_next(t->members, 0); i; i = km_set_next(t->members, i))
		memcpy(t->idkeys[i], g->idkeys[i], KM_IDKEY_SIZE);
	int err = km_dkg_add_up(g, st->open, st->m->n, t->members, &t->x, t->xi);
	if (err)
		return err;
	/* the constants of all dealers are given, so this is only what a rule that is switched off lets through */
	if (g->over && KM_RULE(km_rule_reshare_constant) && !km_point_equal_var(g->curve, &t->x, &g->over->x))
		return KM_E_MISMATCH;
	return km_table_finish(t);
}

void km_dkg_job_finish(struct km_job *job)
{
	struct km_dkg_state *st = job->state;
	struct km_share *s = st->share;

	s->self = st->m->self;
	s->x_i = st->sec->x;
	job->err = make_table(st, &s->table);
}
