/* rush.c: a corrupt member on top of the real machine. */
#include "rush.h"

#include <stdlib.h>
#include <string.h>
#include "base/hash.h"
#include "proto/any_impl.h"
#include "zk/dlog.h"

static struct rush *rush_of(const struct km_machine *m)
{
	return (struct rush *)(uintptr_t)m->ops;
}

static int release(struct rush *r, struct km_machine *m, struct km_job *job, struct km_outs *outs)
{
	struct km_presign *s = m->state;

	if (job->what <= KM_JOB_LAST && r->change[job->what] && !job->err && !s->fail && !m->open)
		r->change[job->what](r->ctx, s);
	/* what was changed is signed as it is now */
	if (!job->err && !s->fail && !m->open && km_any_seal(s, job->what))
		return KM_E_NOMEM;
	return r->honest->worked(m, job, outs);
}

static int rush_worked(struct km_machine *m, struct km_job *job, struct km_outs *outs)
{
	struct rush *r = rush_of(m);

	if (r->hold && job->what == r->hold) {
		r->job = *job;
		return KM_OK;                   /* not yet */
	}
	return release(r, m, job, outs);
}

/* The corrupt machine's own deadline is the first to pass: by then everybody else has spoken. */
static int rush_timeout(struct km_machine *m, unsigned round, uint32_t have, struct km_outs *outs)
{
	struct rush *r = rush_of(m);

	if (r->hold && r->job.what == r->hold) {
		r->hold = 0;
		return release(r, m, &r->job, outs);
	}
	return r->honest->timeout(m, round, have, outs);
}

void rush_attach(struct rush *r, struct km_machine *m)
{
	r->honest = m->ops;
	r->ops = *m->ops;
	r->ops.worked = rush_worked;
	r->ops.timeout = rush_timeout;
	for (unsigned i = 1; i <= r->ops.rounds; i++)
		r->ops.deadline_ms[i] = 10;
	m->ops = &r->ops;
}

void rush_run(struct group *g)
{
	net_run(g->net, 1);
}

int rush_said_ok(const struct km_machine *m, unsigned peer)
{
	const struct km_presign *s = m->state;
	const struct km_stored *held = &m->bcast[km_presign_wire(s, KM_PRESIGN_OK)][peer];

	return held->raw && !m->ops->opens(m, &held->msg);
}

int rush_evidence(const struct net_party *p, int kind)
{
	return p->evidence_kind == kind || p->evidence_kind == KM_EV_OPENED;
}

void rush_lagrange0(const struct km_curve *c, struct km_scalar *r, uint32_t set, unsigned at, unsigned x)
{
	struct km_scalar num, den, a, b;

	km_scalar_set_u32(&num, 1);
	km_scalar_set_u32(&den, 1);
	for (unsigned j = 0; j <= KM_MAX_PEERS; j++) {
		if (j == at || (j && !km_set_has(set, j)))
			continue;
		km_scalar_set_u32(&a, x);
		km_scalar_set_u32(&b, j);
		km_scalar_sub(c, &a, &a, &b);
		km_scalar_mul(c, &num, &num, &a);
		km_scalar_set_u32(&a, at);
		km_scalar_sub(c, &a, &a, &b);
		km_scalar_mul(c, &den, &den, &a);
	}
	km_scalar_inv(c, &den, &den);
	km_scalar_mul(c, r, &num, &den);
}

struct km_scalar rush_see(const struct km_secret *x)
{
	struct km_scalar r;

	km_secret_declassify(&r, x);
	return r;
}

uint8_t *rush_m3_share(const struct km_presign *s, uint8_t *body, unsigned l, unsigned which)
{
	return body + 2 * KM_HASH_SIZE + KM_KINDS * s->ss + l * (2 * s->ss + s->ps) + which * s->ss;
}

void rush_opened(const struct km_presign *s, unsigned l, unsigned which, struct km_scalar *out)
{
	struct km_scalar v[KM_MAX_PEERS];
	uint32_t set = s->m->participants;

	for (unsigned j = km_set_next(set, 0), at = 0; j; j = km_set_next(set, j), at++) {
		int err = km_scalar_decode(s->curve, &v[at], rush_m3_share(s, (uint8_t *)(uintptr_t)km_presign_body(s, KM_PRESIGN_M3, j), l, which));

		KM_ASSERT(!err);
	}
	km_shamir_interpolate(s->curve, out, v, set, 0);
}

uint8_t *rush_c3_row(const struct km_presign *s, unsigned o)
{
	return s->body + KM_HASH_SIZE + s->ps + s->ss + o * (4 * s->ps + s->ss);
}

void rush_prove_v(struct km_presign *s)
{
	uint8_t *column = malloc(s->own * s->ps), seed[KM_SEED_SIZE] = { 9 };
	struct km_dlog_proof proof;
	struct km_hash h;
	struct km_rng rng;
	int err;

	for (unsigned o = 0; o < s->own; o++)
		memcpy(column + o * s->ps, rush_c3_row(s, o) + 2 * s->ps, s->ps);
	km_hash_init(&h, "c3v");
	km_hash_field(&h, s->m->sid, KM_HASH_SIZE);
	km_hash_u8(&h, s->m->self);
	km_rng_init(&rng, seed, "attack", NULL, 0);
	err = km_dlog_prove_batch(s->curve, &proof, s->v, column, s->own, &h, &rng);
	KM_ASSERT(!err);
	err = km_dlog_encode(s->curve, s->body + KM_HASH_SIZE, &proof);
	KM_ASSERT(!err);
	free(column);
}
