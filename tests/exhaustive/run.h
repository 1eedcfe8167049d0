/* run.h: presign runs of real machines in a tiny group: whatever a seed makes degenerate ends cleanly, another seed is taken. */
#ifndef KM_TEST_TINY_RUN_H
#define KM_TEST_TINY_RUN_H

#include "tiny.h"
#include "../lib/dealer.h"
#include "base/rules.h"
#include "proto/presign_impl.h"

/* What was done in a test, for the counts that must come out. */
struct tally {
	unsigned runs, done, degenerate;
	unsigned long trials, exact, named, dropped, many, slipped;
};

/* Called for every job before it runs. */
typedef void (*tiny_job_fn)(struct km_presign *s, unsigned what);
TINY_UNUSED static tiny_job_fn tiny_hook;

TINY_UNUSED static void tiny_job(struct km_machine *m, struct km_job *job)
{
	if (tiny_hook)
		tiny_hook(m->state, job->what);
	job->run(job);
}

/* A body that others sent, to be changed by whoever knows what it does. */
TINY_UNUSED static uint8_t *tiny_body(const struct km_presign *s, unsigned round, unsigned peer)
{
	return (uint8_t *)(uintptr_t)km_presign_body(s, round, peer);
}

/* Forgets what a check found. */
TINY_UNUSED static void tiny_forget(struct km_presign *s, enum km_tuple_state state)
{
	s->fail = KM_OK;
	memset(s->guilty, 0, sizeof(s->guilty));
	memset(s->guilty_round, 0, sizeof(s->guilty_round));
	for (unsigned o = 0; o < s->own; o++)
		s->tuple[o] = (uint8_t)state;
}

TINY_UNUSED static uint32_t tiny_guilty(const struct km_presign *s)
{
	uint32_t set = 0;

	for (unsigned j = 1; j <= KM_MAX_PEERS; j++)
		set |= s->guilty[j] ? km_set_bit(j) : 0;
	return set;
}

/* Whether all of this set ended with result. Where chance made a value zero, all stopped cleanly: nobody is convicted or
 * disputed. */
TINY_UNUSED static int tiny_ended(const struct group *g, struct tally *t)
{
	unsigned done = 0, zero = 0;

	for (unsigned i = km_set_next(g->participants, 0); i; i = km_set_next(g->participants, i)) {
		const struct net_party *p = net_party(g->net, (uint8_t)i);

		assert_int_equal(p->convicted | p->disputed, 0);
		assert_int_equal(p->err, 0);
		if (p->dropped)
			assert_true(p->drop_code == KM_E_DEGENERATE || p->drop_code == KM_E_VERIFY);
		zero += p->dropped && p->drop_code == KM_E_DEGENERATE;
		assert_true(p->done != p->dropped);
		done += (unsigned)p->done;
	}
	/* who fails opens, and the others with it: they saw nothing wrong themselves */
	assert_true(zero || done == km_set_size(g->participants));
	t->runs++;
	t->done += done == km_set_size(g->participants);
	t->degenerate += !done;
	return done == km_set_size(g->participants);
}

#endif
