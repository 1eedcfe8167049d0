/* sim_cheat.c: lies inside the runs of a corrupt peer. Its machine is the real one; between a job and what follows from it (a message
 * is signed, a verdict given) the state is changed, so that the lie is one the peer itself believes: its views, its proofs and
 * its later messages go with it. */
#include "sim_evil.h"

#include <stdlib.h>
#include <string.h>
#include "proto/any_impl.h"
#include "proto/dkg_impl.h"

struct puppet {
	struct km_machine_ops ops;    /* first: found again by the machine's ops */
	const struct km_machine_ops *honest;
	struct evils *v;
	struct evil *e;
	struct puppet *next;
};

#define DOES(name) evil_does(v, e, EVIL_BIT_##name)

/* ---- presign runs */

/* Still canonical but for one case in 2^32 and more, which is a lie too. */
static void bend(uint8_t *scalar, size_t size)
{
	scalar[size - 1] ^= 1;
}

static unsigned any_row(struct evil *e, const struct km_presign *s)
{
	return (unsigned)km_rng_below(&e->rng, s->batch);
}

/* One share of one kind for one other: no polynomial of degree t any more (if more than t + 1 read it). */
static void deal(struct evils *v, struct evil *e, struct km_presign *s)
{
	size_t row = KM_KINDS * s->ss, size = KM_SEED_SIZE + s->groups * row;
	unsigned at = (unsigned)km_rng_below(&e->rng, s->n);

	if (!DOES(DEALS_BADLY) || !s->deal)
		return;
	bend(s->deal + at * size + KM_SEED_SIZE + km_rng_below(&e->rng, s->groups) * row + km_rng_below(&e->rng, KM_KINDS) * s->ss,
	     s->ss);
}

/* M3 and Y4 have w first in a row and R_i last. */
static void open_w(struct evils *v, struct evil *e, struct km_presign *s, size_t head, size_t row)
{
	uint8_t *at = s->body + head + any_row(e, s) * row;

	if (DOES(WRONG_W))
		bend(at, s->ss);
	if (s->batch > 1 && DOES(WRONG_R)) {
		uint8_t *first = s->body + head + row - s->ps, *second = first + row, t[KM_POINT_MAX];

		/* another point that decodes: who has none there (majority, not in the quorum) leaves the zeros */
		memcpy(t, first, s->ps);
		if (first[0] && second[0]) {
			memcpy(first, second, s->ps);
			memcpy(second, t, s->ps);
		}
	}
	if (s->own && DOES(OTHER_A))
		s->a[km_rng_below(&e->rng, s->own)] = s->v[0];
}

static void points(struct evils *v, struct evil *e, struct km_presign *s)
{
	size_t head = KM_HASH_SIZE + s->ps + s->ss, row = 4 * s->ps + s->ss;

	if (!s->own)
		return;
	uint8_t *at = s->body + head + km_rng_below(&e->rng, s->own) * row;
	if (DOES(WRONG_PROOF)) {
		if (km_rng_below(&e->rng, 2))
			bend(at + 4 * s->ps, s->ss);
		else
			memcpy(at, at + s->ps, s->ps);
	}
}

static void any_private(struct evils *v, struct evil *e, struct km_presign *s, unsigned what)
{
	struct km_shape shape;
	unsigned round = what == KM_JOB_ANY_BASE ? KM_ANY_Y1 : what == KM_JOB_ANY_EXTEND ? KM_ANY_Y2 : KM_ANY_Y3;

	if (!s->any || !s->any->body || s->engine->shape(s, round, s->m->self, s->any->at, &shape) != KM_OK)
		return;
	uint32_t size = km_shape_size(&shape);
	uint8_t *b = s->any->body;
	if (what == KM_JOB_ANY_BASE && DOES(ANY_BASE)) {
		/* a point in the place of another, or none */
		if (km_rng_below(&e->rng, 2))
			memcpy(b + s->ps, b + 2 * s->ps, s->ps);
		else
			b[km_rng_below(&e->rng, size)] ^= 0x10;
	}
	if (what == KM_JOB_ANY_EXTEND && DOES(ANY_COLUMNS))
		b[km_rng_below(&e->rng, 2) ? km_rng_below(&e->rng, shape.head) : shape.head + km_rng_below(&e->rng, size - shape.head)] ^= 1;
	if (what == KM_JOB_ANY_PAYLOAD && DOES(ANY_ROWS))
		bend(b + shape.head + km_rng_below(&e->rng, (size - shape.head) / s->ss) * s->ss, s->ss);
	/* without memory the lie goes out under the seal of the truth */
	int err = km_any_seal(s, what);
	KM_ASSERT(!err || err == KM_E_NOMEM);
}

static void lie_in_presign(struct evils *v, struct evil *e, struct km_presign *s, const struct km_job *job)
{
	int majority = s->engine == &km_engine_majority;

	switch (job->what) {
	case KM_JOB_DEAL:
		deal(v, e, s);
		break;
	case KM_JOB_EXTRACT:
		if (s->body && DOES(WRONG_C0))
			s->body[KM_HASH_SIZE] ^= 1;
		break;
	case KM_JOB_OPEN:
		if (s->body && majority)
			open_w(v, e, s, 2 * KM_HASH_SIZE + KM_KINDS * s->ss, 2 * s->ss + s->ps);
		break;
	case KM_JOB_ANY_SHARES:
		if (s->body)
			open_w(v, e, s, 2 * KM_HASH_SIZE, s->ss + s->ps);
		break;
	case KM_JOB_POINTS:
		if (s->body)
			points(v, e, s);
		break;
	case KM_JOB_CERTIFY:
		if (s->own && DOES(WRONG_EPSILON))
			s->v[0] = s->a[0];
		if (DOES(FALSE_FAIL))
			s->fail = KM_E_VERIFY;
		break;
	default:
		any_private(v, e, s, job->what);
	}
}

/* ---- key generations, and reshares: the same exchange, in which some do not deal and some do not receive */

/* z of the first proof of an opening: that of a_0, or of e when there is none. */
static uint8_t *first_z(struct km_dkg_state *st)
{
	size_t ps = km_curve_point_size(st->group.curve);
	unsigned points = km_dkg_deals(&st->group, st->m->self) ? st->group.threshold : 1;

	return st->g2 + KM_HASH_SIZE + points * ps + ps;
}

static void false_row(struct evil *e, struct km_dkg_state *st)
{
	struct km_shape shape;

	km_dkg_dealing_shape(&st->group, st->m->self, &shape);
	st->g4[shape.head + km_rng_below(&e->rng, (uint64_t)shape.row * shape.rows)] ^= 1;
}

/* Those of whom it has a row. */
static uint32_t dealt_to(const struct km_dkg_state *st)
{
	return km_dkg_receives(&st->group, st->m->self) ? km_dkg_dealers(&st->group) & ~km_set_bit(st->m->self) : 0;
}

static void complain(struct evil *e, struct km_dkg_state *st)
{
	uint32_t others = dealt_to(st);
	unsigned whom = 0;
	uint8_t dh[KM_POINT_MAX];
	struct km_point d;

	for (unsigned k = 1 + (unsigned)km_rng_below(&e->rng, km_set_size(others)); k; k--)
		whom = km_set_next(others, whom);
	if (km_dkg_dh(&st->group, &st->sec->e, &st->open[km_set_pos(st->group.participants, whom)].e, &d, dh) == KM_OK) {
		int err = km_dkg_make_complaint(st, whom, &d, dh);

		KM_ASSERT(!err);
	}
}

static void lie_in_dkg(struct evils *v, struct evil *e, struct km_dkg_state *st, const struct km_job *job)
{
	switch (job->what) {
	case KM_DKG_JOB_DEAL:
		if (DOES(DKG_PROOF))
			bend(first_z(st), km_curve_scalar_size(st->group.curve));
		break;
	case KM_DKG_JOB_SHARES:
		if ((km_dkg_receivers(&st->group) & ~km_set_bit(st->m->self)) && km_dkg_deals(&st->group, st->m->self) && DOES(DKG_SHARE))
			false_row(e, st);
		break;
	case KM_DKG_JOB_CHECK:
		if (dealt_to(st) && DOES(DKG_COMPLAINT))
			complain(e, st);
		break;
	}
}

/* ---- the machine's other mind */

static int puppet_worked(struct km_machine *m, struct km_job *job, struct km_outs *outs)
{
	struct puppet *p = (struct puppet *)(uintptr_t)m->ops;

	if (!job->err && p->v->active) {
		if (km_dkg_state(m))
			lie_in_dkg(p->v, p->e, m->state, job);
		else if (!((struct km_presign *)m->state)->fail)
			lie_in_presign(p->v, p->e, m->state, job);
	}
	return p->honest->worked(m, job, outs);
}

void evil_possess(struct evils *v, struct evil *e, struct km_machine *m)
{
	struct puppet *p;

	if (m->ops->worked == puppet_worked)
		return;
	p = calloc(1, sizeof(*p));
	KM_ASSERT(p);
	p->honest = m->ops;
	p->ops = *m->ops;
	p->ops.worked = puppet_worked;
	p->v = v;
	p->e = e;
	p->next = v->puppets;
	v->puppets = p;
	m->ops = &p->ops;
}

void evil_exorcise(struct evils *v)
{
	while (v->puppets) {
		struct puppet *p = v->puppets;

		v->puppets = p->next;
		free(p);
	}
}
