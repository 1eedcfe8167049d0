/* test_open.c: when a presign run is opened and when not, what an opening shows, and what is left of a run that was. */
#include <stdlib.h>
#include "../lib/test.h"
#include "../lib/dealer.h"
#include "base/hash.h"
#include "base/secret.h"
#include "proto/presign_impl.h"

#define SET(n) ((uint32_t)(((uint64_t)1 << (n)) - 1))
#define EVIL 2
#define MAJORITY KM_PRESIGN_MAJORITY
#define ANY KM_PRESIGN_ANY

static void make(struct group *g, unsigned engine, uint64_t seed)
{
	if (engine == ANY)
		group_init_any(g, seed, SET(3), SET(3), 1);
	else
		group_init(g, seed, SET(5), 3, SET(5), 3, 0);
}

static unsigned wire(unsigned engine, unsigned round)
{
	return round + (engine == ANY);
}

/* ---- a corrupt peer: its machine as it is, something else done when a job is back */

static const struct km_machine_ops *honest_ops;
static unsigned evil_job;
static int (*evil_act)(struct km_presign *s, struct km_outs *outs);   /* 1: instead of what follows, 0: before it */

static int evil_worked(struct km_machine *m, struct km_job *job, struct km_outs *outs)
{
	if (job->what == evil_job && !m->open) {
		int err = evil_act(m->state, outs);

		if (err)
			return err == 1 ? KM_OK : err;
	}
	return honest_ops->worked(m, job, outs);
}

static void corrupt(struct group *g, struct km_machine_ops *ops, unsigned job, int (*act)(struct km_presign *s, struct km_outs *outs))
{
	honest_ops = g->m[EVIL]->ops;
	*ops = *honest_ops;
	ops->worked = evil_worked;
	g->m[EVIL]->ops = ops;
	evil_job = job;
	evil_act = act;
}

static int zero(const void *p, size_t n)
{
	const uint8_t *b = p;

	while (n && !*b) {
		b++;
		n--;
	}
	return !n;
}

/* Nothing secret is left, neither of the run nor of the key. */
static void assert_wiped(const struct km_machine *m)
{
	const struct km_presign *s = m->state;

	assert_true(zero(s->arena, s->early_len));
	assert_true(zero(&m->rng, sizeof(m->rng)));
	assert_null(s->any);
	assert_null(s->deal);
	for (unsigned o = 0; o < s->own; o++)
		assert_true(zero(&s->a[o], sizeof(s->a[o])) && zero(&s->v[o], sizeof(s->v[o])) && zero(&s->c[o], sizeof(s->c[o])));
	assert_true(zero(s->x_i, sizeof(*s->x_i)));
	for (unsigned r = 0; r <= KM_MAX_ROUNDS; r++)
		for (unsigned i = 0; i <= KM_MAX_PEERS; i++)
			assert_null(m->priv[r][i].raw);
}

/* ---- what goes over the wire */

struct watch {
	struct group *g;
	unsigned engine;
	unsigned opened;             /* messages that open */
	uint32_t openers;
	unsigned muted;              /* openings of this peer are lost ... */
	uint32_t muted_to;           /* ... on the way to these */
	unsigned lost_round, lost;   /* this round's broadcast of EVIL to `lost` (0: to all) */
};

static enum net_verdict watch(void *ctx, uint8_t from, uint8_t to, uint8_t **raw, size_t *len)
{
	struct watch *w = ctx;
	struct km_msg m;

	assert_int_equal(km_msg_parse(&m, *raw, *len), KM_OK);
	if (from == EVIL && m.round == w->lost_round && !m.recipient && (!w->lost || w->lost == to))
		return NET_DROP;
	if (km_open_kind(w->engine, km_set_size(w->g->participants), &m) == KM_OPEN_NONE)
		return NET_PASS;
	w->opened++;
	w->openers |= km_set_bit(from);
	/* what was not shown is gone before anybody sees what was */
	if (from != EVIL && !w->g->m[from]->busy)
		assert_wiped(w->g->m[from]);
	return from == w->muted && km_set_has(w->muted_to, to) ? NET_DROP : NET_PASS;
}

/* Every honest peer ends with this: convicted, suspected. */
static void assert_blame(const struct group *g, uint32_t convicted, uint32_t suspected)
{
	for (unsigned i = km_set_next(g->participants, 0); i; i = km_set_next(g->participants, i)) {
		const struct net_party *p = net_party(g->net, (uint8_t)i);

		if (i == EVIL)
			continue;
		assert_true(p->dropped && !p->done);
		assert_int_equal(p->convicted, convicted);
		assert_int_equal(p->suspected, suspected);
		if (convicted)
			assert_int_equal(p->evidence_kind, KM_EV_OPENED);
		assert_wiped(g->m[i]);
	}
}

/* ---- never without a cause */

static void test_honest(void **state)
{
	for (unsigned engine = MAJORITY; engine <= ANY; engine++)
		for (uint64_t seed = 300; seed < 305; seed++) {
			struct group g;
			struct watch w = { .g = &g, .engine = engine };

			make(&g, engine, seed);
			net_tap(g.net, watch, &w);
			net_run(g.net, 1);
			assert_int_equal(w.opened, 0);
			for (unsigned i = km_set_next(g.participants, 0); i; i = km_set_next(g.participants, i)) {
				const struct net_party *p = net_party(g.net, (uint8_t)i);

				assert_true(p->done);
				assert_int_equal(p->convicted | p->suspected, 0);
			}
			group_clear(&g);
		}
	assert_int_equal(km_secret_in_use(), 0);
}

/* Silence in any round: dropped at the deadline, and nobody opens. */
static void test_timeout(void **state)
{
	for (unsigned engine = MAJORITY; engine <= ANY; engine++)
		for (unsigned round = KM_PRESIGN_M2; round <= KM_PRESIGN_PASS; round++) {
			struct group g;
			struct watch w = { .g = &g, .engine = engine, .lost_round = wire(engine, round) };

			make(&g, engine, 310);
			net_tap(g.net, watch, &w);
			net_run(g.net, 1);
			assert_int_equal(w.opened, 0);
			for (unsigned i = km_set_next(g.participants, 0); i; i = km_set_next(g.participants, i)) {
				const struct net_party *p = net_party(g.net, (uint8_t)i);

				if (i == EVIL)
					continue;
				assert_true(p->dropped);
				assert_int_equal(p->drop_code, KM_E_DEADLINE);
				assert_int_equal(p->convicted, 0);
			}
			group_clear(&g);
		}
}

/* ---- openings that nothing calls for */

static int fail_for_nothing(struct km_presign *s, struct km_outs *outs)
{
	km_presign_fail(s, KM_E_VERIFY, KM_CHECK_OLE, 7);
	return 0;
}

static int open_for_nothing(struct km_presign *s, struct km_outs *outs)
{
	int err = km_open_open(s, outs);

	return err ? err : 1;
}

static void test_without_cause(void **state)
{
	static const unsigned jobs[][5] = {
		{ KM_JOB_DEAL, KM_JOB_EXTRACT, KM_JOB_OPEN, KM_JOB_POINTS, KM_JOB_CERTIFY },
		{ KM_JOB_ANY_BASE, KM_JOB_ANY_PAYLOAD, KM_JOB_ANY_SHARES, KM_JOB_POINTS, KM_JOB_CERTIFY },
	};

	for (unsigned engine = MAJORITY; engine <= ANY; engine++)
		for (unsigned i = 0; i < 10; i++) {
			struct km_machine_ops ops;
			struct group g;
			struct watch w = { .g = &g, .engine = engine };

			make(&g, engine, 320 + i);
			net_tap(g.net, watch, &w);
			corrupt(&g, &ops, jobs[engine - MAJORITY][i % 5], i < 5 ? fail_for_nothing : open_for_nothing);
			net_run(g.net, 1);
			assert_int_equal(w.openers, g.participants);
			assert_blame(&g, km_set_bit(EVIL), 0);
			group_clear(&g);
		}
	assert_int_equal(km_secret_in_use(), 0);
}

/* Its seed is not the one it played by: what it said first convicts it, however it fails the run. */
static int other_seed(struct km_presign *s, struct km_outs *outs)
{
	s->early->seed[3] ^= 1;
	km_presign_fail(s, KM_E_VERIFY, KM_CHECK_SUMS, 0);
	return 0;
}

static void test_false_seed(void **state)
{
	for (unsigned engine = MAJORITY; engine <= ANY; engine++) {
		struct km_machine_ops ops;
		struct group g;

		make(&g, engine, 330);
		corrupt(&g, &ops, KM_JOB_POINTS, other_seed);
		net_run(g.net, 1);
		assert_blame(&g, km_set_bit(EVIL), 0);
		group_clear(&g);
	}
}

/* ---- who does not open */

/* A wrong w share, certified by nobody. */
static int wrong_w(struct km_presign *s, struct km_outs *outs)
{
	size_t at = s->engine == &km_engine_any ? 2 * KM_HASH_SIZE : 2 * KM_HASH_SIZE + KM_KINDS * s->ss;

	if (s->body)
		s->body[at + s->ss - 1] ^= 1;
	return 0;
}

static unsigned open_job(unsigned engine)
{
	return engine == ANY ? KM_JOB_ANY_SHARES : KM_JOB_OPEN;
}

static void test_missing(void **state)
{
	for (unsigned engine = MAJORITY; engine <= ANY; engine++) {
		struct km_machine_ops ops;
		struct group g;
		struct watch w = { .g = &g, .engine = engine, .muted = EVIL, .muted_to = SET(5) };
		uint64_t before;

		/* all open: convicted */
		make(&g, engine, 340);
		corrupt(&g, &ops, open_job(engine), wrong_w);
		before = net_now(g.net);
		net_run(g.net, 1);
		assert_true(net_now(g.net) < before + 10000);
		assert_blame(&g, km_set_bit(EVIL), 0);
		group_clear(&g);
		/* the culprit does not: suspected, after ten seconds */
		make(&g, engine, 340);
		corrupt(&g, &ops, open_job(engine), wrong_w);
		net_tap(g.net, watch, &w);
		before = net_now(g.net);
		net_run(g.net, 1);
		assert_int_equal(net_now(g.net), before + 10000);
		assert_blame(&g, 0, km_set_bit(EVIL));
		group_clear(&g);
	}
}

/* FAIL told to one peer only: it convicts, the others open because it did and suspect who did not. */
static void test_told_to_one(void **state)
{
	for (unsigned engine = MAJORITY; engine <= ANY; engine++) {
		struct km_machine_ops ops;
		struct group g;
		struct watch w = { .g = &g, .engine = engine, .muted = EVIL, .muted_to = SET(5) & ~km_set_bit(1) };

		make(&g, engine, 350);
		corrupt(&g, &ops, KM_JOB_POINTS, fail_for_nothing);
		net_tap(g.net, watch, &w);
		net_run(g.net, 1);
		assert_int_equal(w.openers, g.participants);
		assert_int_equal(net_party(g.net, 1)->convicted, km_set_bit(EVIL));
		assert_int_equal(net_party(g.net, 3)->convicted, 0);
		assert_int_equal(net_party(g.net, 3)->suspected, km_set_bit(EVIL));
		/* who waits may ask under one number for whatever opened a peer's run */
		assert_true(g.m[1]->open_round == wire(engine, KM_PRESIGN_OK));
		assert_true(km_machine_find(g.m[1], g.m[1]->open_round, EVIL) == &g.m[1]->bcast[wire(engine, KM_PRESIGN_OK)][EVIL]);
		assert_true(km_machine_find(g.m[1], g.m[1]->open_round, 3) == &g.m[1]->bcast[wire(engine, KM_PRESIGN_PASS)][3]);
		assert_null(km_machine_find(g.m[3], g.m[3]->open_round, EVIL));
		group_clear(&g);
	}
}

/* ---- after PASS */

/* An opening by EVIL, made from its state before that is wiped: kept to be sent later. */
static uint8_t *kept;
static size_t kept_len;

static int keep_opening(struct km_presign *s, struct km_outs *outs)
{
	struct km_shape shape = km_open_shape(s->engine->number, s->n, evil_job == KM_JOB_CERTIFY ? KM_OPEN_FAIL : KM_OPEN_OPEN);
	unsigned round = wire(s->engine->number, evil_job == KM_JOB_CERTIFY ? KM_PRESIGN_OK : KM_PRESIGN_PASS);
	uint8_t *body = calloc(1, (size_t)km_shape_size(&shape));
	struct km_buf b;

	km_buf_init(&b);
	assert_non_null(body);
	memcpy(body, s->early->seed, KM_SEED_SIZE);
	assert_int_equal(km_msg_build(&b, s->m->ops->proto, (uint8_t)round, EVIL, 0, s->m->sid, &shape, body, &s->m->id), KM_OK);
	kept = km_buf_take(&b, &kept_len);
	free(body);
	return 0;
}

/* Whoever has PASSED holds OK of everybody: a FAIL after it convicts its author (two verdicts), and opens nobody. */
static void test_fail_after_pass(void **state)
{
	for (unsigned engine = MAJORITY; engine <= ANY; engine++) {
		struct km_machine_ops ops;
		struct km_outs outs;
		struct group g;
		struct watch w = { .g = &g, .engine = engine, .lost_round = wire(engine, KM_PRESIGN_PASS) };

		make(&g, engine, 360);
		corrupt(&g, &ops, KM_JOB_CERTIFY, keep_opening);
		net_tap(g.net, watch, &w);
		net_run(g.net, 0);
		for (unsigned i = km_set_next(g.participants, 0); i; i = km_set_next(g.participants, i)) {
			if (i == EVIL)
				continue;
			assert_true(((const struct km_presign *)g.m[i]->state)->passed);
			net_inject(g.net, EVIL, (uint8_t)i, kept, kept_len);
		}
		net_run(g.net, 1);
		km_outs_init(&outs);
		assert_int_equal(w.opened, 0);
		for (unsigned i = km_set_next(g.participants, 0); i; i = km_set_next(g.participants, i)) {
			if (i == EVIL)
				continue;
			assert_true(net_party(g.net, (uint8_t)i)->dropped);
			assert_int_equal(net_party(g.net, (uint8_t)i)->convicted, km_set_bit(EVIL));
			assert_int_equal(net_party(g.net, (uint8_t)i)->evidence_kind, KM_EV_EQUIVOCATION);
			assert_null(km_machine_find(g.m[i], wire(engine, KM_PRESIGN_C4), i));
		}
		free(kept);
		group_clear(&g);
	}
}

/* OK is withheld from peer 3, which is told a FAIL: it opens. Who has PASSED by then does not, who has not does; what 3 shows convicts
 * who said both. */
static enum net_verdict two_verdicts(void *ctx, uint8_t from, uint8_t to, uint8_t **raw, size_t *len)
{
	struct watch *w = ctx;

	if (from != EVIL || to != 3 || (*raw)[3] != wire(w->engine, KM_PRESIGN_OK))
		return watch(ctx, from, to, raw, len);
	free(*raw);
	*raw = malloc(kept_len);
	memcpy(*raw, kept, kept_len);
	*len = kept_len;
	return NET_PASS;
}

static void test_two_verdicts(void **state)
{
	unsigned passed = 0;

	for (unsigned engine = MAJORITY; engine <= ANY; engine++) {
		struct km_machine_ops ops;
		struct group g;
		struct watch w = { .g = &g, .engine = engine };

		make(&g, engine, 370);
		corrupt(&g, &ops, KM_JOB_CERTIFY, keep_opening);
		net_tap(g.net, two_verdicts, &w);
		net_run(g.net, 1);
		for (unsigned i = km_set_next(g.participants, 0); i; i = km_set_next(g.participants, i)) {
			if (i == EVIL)
				continue;
			assert_true(net_party(g.net, (uint8_t)i)->dropped);
			assert_int_equal(net_party(g.net, (uint8_t)i)->convicted & ~km_set_bit(EVIL), 0);
			assert_null(km_machine_find(g.m[i], wire(engine, KM_PRESIGN_C4), i));
			/* PASSED never opens, opened never PASSes */
			assert_false(km_set_has(w.openers, i) && ((const struct km_presign *)g.m[i]->state)->passed);
			if (i != 3)
				assert_int_equal(net_party(g.net, (uint8_t)i)->convicted, km_set_bit(EVIL));
			passed += (unsigned)((const struct km_presign *)g.m[i]->state)->passed;
		}
		free(kept);
		group_clear(&g);
	}
	assert_true(passed);
}

/* ---- while a job is out */

static struct km_out *pop(struct km_outs *outs, enum km_out_kind kind)
{
	struct km_out *out;

	while ((out = km_outs_pop(outs)) && out->kind != kind)
		km_out_free(out);
	return out;
}

/* The opening goes out at once, secrets go when the job is back, what the job made is not sent. */
static void test_job_out(void **state)
{
	struct km_outs outs, evil;
	struct km_out *job, *open, *out;
	struct group g;

	make(&g, MAJORITY, 380);
	km_outs_init(&outs);
	km_outs_init(&evil);
	assert_int_equal(km_machine_start(g.m[1], 5, &outs), KM_OK);
	job = pop(&outs, KM_OUT_JOB);
	assert_int_equal(km_machine_start(g.m[EVIL], 5, &evil), KM_OK);
	out = pop(&evil, KM_OUT_JOB);
	out->job->run(out->job);
	km_out_free(out);
	km_presign_fail(g.m[EVIL]->state, KM_E_VERIFY, 0, 0);
	assert_int_equal(km_machine_worked(g.m[EVIL], 5, &evil), KM_OK);
	open = pop(&evil, KM_OUT_SEND);
	assert_int_equal(open->data[3], KM_PRESIGN_OK);

	assert_int_equal(km_machine_message(g.m[1], 7, EVIL, 0, open->data, open->len, &outs), KM_OK);
	out = pop(&outs, KM_OUT_SEND);
	assert_int_equal(out->data[3], KM_PRESIGN_PASS);
	km_out_free(out);
	assert_null(outs.head);
	assert_int_equal(km_machine_missing(g.m[1]), SET(5) & ~3u);
	assert_int_equal(km_machine_deadline(g.m[1]), UINT64_MAX);
	/* the same again, and anything else, changes nothing */
	assert_int_equal(km_machine_message(g.m[1], 7, EVIL, 0, open->data, open->len, &outs), KM_E_DUPLICATE);
	job->job->run(job->job);
	assert_int_equal(km_machine_worked(g.m[1], 9, &outs), KM_OK);
	assert_null(outs.head);
	assert_wiped(g.m[1]);
	assert_int_equal(km_machine_deadline(g.m[1]), 7 + 10000);
	/* nobody else opens: judged at the deadline by a job */
	assert_int_equal(km_machine_tick(g.m[1], 7 + 9999, &outs), KM_OK);
	assert_null(outs.head);
	assert_int_equal(km_machine_tick(g.m[1], 7 + 10000, &outs), KM_OK);
	km_out_free(job);
	job = pop(&outs, KM_OUT_JOB);
	assert_non_null(job);
	/* too late for anybody now */
	g.m[1]->bcast[KM_PRESIGN_OK][EVIL].msg.digest[0] ^= 1;
	assert_int_equal(km_machine_message(g.m[1], 20000, EVIL, 0, open->data, open->len, &outs), KM_E_STALE);
	g.m[1]->bcast[KM_PRESIGN_OK][EVIL].msg.digest[0] ^= 1;
	job->job->run(job->job);
	assert_int_equal(km_machine_worked(g.m[1], 20000, &outs), KM_OK);
	out = km_outs_pop(&outs);
	assert_int_equal(out->kind, KM_OUT_SUSPECT);
	assert_int_equal(out->set, SET(5) & ~3u);
	km_out_free(out);
	out = km_outs_pop(&outs);
	assert_int_equal(out->kind, KM_OUT_DROP);
	km_out_free(out);
	km_out_free(job);
	km_out_free(open);
	km_outs_clear(&outs);
	km_outs_clear(&evil);
	group_clear(&g);
	assert_int_equal(km_secret_in_use(), 0);
}

/* A job owns the state of its run while it is out: whatever is heard meanwhile, no byte of it changes under its hands. */
static struct group *heard_in;
static unsigned nth_job, heard;

static void hear(struct km_machine *m, unsigned from, enum km_open_kind kind)
{
	const struct km_presign *s = m->state;
	struct km_shape shape = km_open_shape(s->engine->number, s->n, kind);
	uint8_t *body = calloc(1, (size_t)km_shape_size(&shape));
	struct km_outs outs;
	struct km_buf b;

	km_outs_init(&outs);
	km_buf_init(&b);
	assert_non_null(body);
	assert_int_equal(km_msg_build(&b, m->ops->proto, (uint8_t)wire(s->engine->number, kind == KM_OPEN_FAIL ? KM_PRESIGN_OK : KM_PRESIGN_PASS),
				      (uint8_t)from, 0, m->sid, &shape, body, &heard_in->m[from]->id), KM_OK);
	int err = km_machine_message(m, net_now(heard_in->net), (uint8_t)from, 0, b.data, b.len, &outs);
	assert_true(err == KM_OK || err == KM_E_STALE);
	heard += err == KM_OK;
	km_outs_clear(&outs);
	km_buf_clear(&b);
	free(body);
}

static void with_news(struct km_machine *m, struct km_job *job)
{
	struct km_presign *s = m->state, *was = malloc(sizeof(*was));
	uint8_t *arena = malloc(s->early_len);

	assert_true(was && arena);
	if (m->self == 1 && !nth_job--) {
		*was = *s;
		memcpy(arena, s->arena, s->early_len);
		hear(m, EVIL, KM_OPEN_FAIL);
		hear(m, 3, KM_OPEN_OPEN);
		assert_memory_equal(s, was, sizeof(*s));
		assert_memory_equal(s->arena, arena, s->early_len);
		assert_true(m->busy && job == &m->job);
	}
	free(was);
	free(arena);
	job->run(job);
}

static void test_job_owns_the_run(void **state)
{
	for (unsigned engine = MAJORITY; engine <= ANY; engine++) {
		unsigned last;

		heard = 0;
		for (unsigned nth = 0; nth == 0 || last; nth++) {
			struct group g;

			make(&g, engine, 385);
			heard_in = &g;
			nth_job = nth;
			last = heard;
			net_jobs(g.net, with_news);
			net_run(g.net, 1);
			last = heard - last;
			if (last) {
				/* where OK was there already it was dropped when it heard FAIL too: what it said then is not on the net */
				assert_true(g.m[1]->ended);
				if (net_party(g.net, 1)->dropped)
					assert_int_equal(net_party(g.net, 1)->drop_code, KM_E_VERIFY);
				assert_wiped(g.m[1]);
			}
			group_clear(&g);
		}
		/* all jobs before PASS */
		assert_true(heard >= (engine == ANY ? 2 * 8 : 2 * 5));
	}
}

/* ---- what they look like */

static void test_places(void **state)
{
	static const unsigned kinds[] = { 7, 8 };
	uint32_t set = 1 << 1 | 1 << 4 | 1u << 31;   /* 2, 5, 32 */

	for (unsigned engine = MAJORITY; engine <= ANY; engine++) {
		unsigned n = km_open_rows(engine, 3), seen = 0;
		struct km_open_place at, last = { 0 };

		assert_int_equal(n, 3 * kinds[engine - MAJORITY]);
		for (unsigned i = 0; i < n; i++) {
			km_open_place(engine, set, 5, i, &at);
			assert_true(at.round >= 1 && at.round <= wire(engine, KM_PRESIGN_PASS));
			assert_true(km_set_has(set, at.sender) && (at.recipient == 0 || at.recipient == 5));
			/* by round, broadcasts first, by sender */
			if (i)
				assert_true(last.round < at.round ||
					    (last.round == at.round && (last.recipient < at.recipient ||
									(last.recipient == at.recipient && last.sender < at.sender))));
			last = at;
			seen += at.recipient != 0;
		}
		assert_int_equal(seen, engine == ANY ? 9 : 3);
	}
}

/* No FAIL has the length of an OK, no OPEN that of a PASS. */
static void test_lengths(void **state)
{
	for (unsigned engine = MAJORITY; engine <= ANY; engine++)
		for (unsigned n = 2; n <= KM_MAX_PEERS; n++) {
			struct km_shape fail = km_open_shape(engine, n, KM_OPEN_FAIL), open = km_open_shape(engine, n, KM_OPEN_OPEN);
			uint32_t ok = (engine == ANY ? 3 : 4) * n * KM_HASH_SIZE;
			struct km_msg m = { .round = (uint8_t)wire(engine, KM_PRESIGN_OK), .body_len = ok };

			assert_int_equal(km_open_kind(engine, n, &m), KM_OPEN_NONE);
			m.body_len = (uint32_t)km_shape_size(&fail);
			assert_int_equal(km_open_kind(engine, n, &m), KM_OPEN_FAIL);
			m.recipient = 1;
			assert_int_equal(km_open_kind(engine, n, &m), KM_OPEN_NONE);
			m.recipient = 0;
			m.round++;
			assert_int_equal(km_open_kind(engine, n, &m), KM_OPEN_NONE);
			m.body_len = (uint32_t)km_shape_size(&open);
			assert_int_equal(km_open_kind(engine, n, &m), KM_OPEN_OPEN);
			m.body_len = KM_HASH_SIZE;
			assert_int_equal(km_open_kind(engine, n, &m), KM_OPEN_NONE);
		}
}

/* FAIL: seed, check, index, then the header of every message received, byte for byte. */
static void test_body(void **state)
{
	for (unsigned engine = MAJORITY; engine <= ANY; engine++) {
		const struct km_stored *held;
		struct km_machine_ops ops;
		struct km_open_place at;
		struct group g;
		unsigned full = 0;

		make(&g, engine, 390);
		corrupt(&g, &ops, KM_JOB_POINTS, fail_for_nothing);
		net_run(g.net, 1);
		held = &g.m[1]->bcast[wire(engine, KM_PRESIGN_OK)][EVIL];
		assert_int_equal(km_open_kind(engine, km_set_size(g.participants), &held->msg), KM_OPEN_FAIL);
		{
			struct km_machine_params p;
			uint8_t keys[KM_MAX_PEERS + 1][KM_IDKEY_SIZE];

			net_params(&p, keys, 390, g.d.curve, EVIL, g.participants);
			assert_memory_equal(held->msg.body, p.seed, KM_SEED_SIZE);
		}
		assert_int_equal(held->msg.body[KM_SEED_SIZE], KM_CHECK_OLE);
		assert_int_equal(held->msg.body[KM_SEED_SIZE + 2], 7);
		for (unsigned i = 0; i < km_open_rows(engine, km_set_size(g.participants)); i++) {
			const uint8_t *row = km_open_row(&held->msg, KM_OPEN_FAIL, i);
			const struct km_stored *mine;

			km_open_place(engine, g.participants, EVIL, i, &at);
			mine = at.recipient ? NULL : &g.m[1]->bcast[at.round][at.sender];
			if (at.round >= wire(engine, KM_PRESIGN_C3) || (at.recipient && at.sender == EVIL)) {
				/* what others sent early may be there */
				assert_true(at.sender != EVIL || zero(row, KM_MSG_HEAD));
				continue;
			}
			assert_false(zero(row, KM_MSG_HEAD));
			if (mine)
				assert_memory_equal(row, mine->raw, KM_MSG_HEAD);
			full++;
		}
		assert_int_equal(full, engine == ANY ? 2 * 3 + 3 * 2 : 3 * 5 + 4);
		group_clear(&g);
	}
}

KM_TESTS(cmocka_unit_test(test_honest), cmocka_unit_test(test_timeout), cmocka_unit_test(test_without_cause), cmocka_unit_test(test_false_seed),
	 cmocka_unit_test(test_missing), cmocka_unit_test(test_told_to_one), cmocka_unit_test(test_fail_after_pass),
	 cmocka_unit_test(test_two_verdicts), cmocka_unit_test(test_job_out),
	 cmocka_unit_test(test_job_owns_the_run), cmocka_unit_test(test_places), cmocka_unit_test(test_lengths),
	 cmocka_unit_test(test_body))
