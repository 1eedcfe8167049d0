/* sim_swarm.c: what one seed does. */
#include "sim_swarm.h"
#include "sim_evil.h"

#include <stdio.h>
#include <string.h>

#define SETTLE_MS 300000u /* calm: how long a mesh may take to be ready again */
#define DEADLINE_MS 5000u /* of a request */
/* One dead peer costs a request at most one bounded retry: the wait for its SHARE or the hedge to the next aggregator, each at
 * most a second, then the answer of the others. */
#define ONE_RETRY_US 2500000u

struct swarm {
	struct sim *s;
	struct km_rng rng; /* of the load and the configuration; the simulation has its own */
	uint64_t nonce;
	uint64_t token[256];
	unsigned n_tokens;
	uint64_t keygen;
	struct evil evil; /* who = 0: everybody is honest */
	unsigned habits, evil_rate;
	const char *phase;
	char why[80]; /* not settled */
};

/* ---- configuration */

static unsigned pick(struct swarm *w, unsigned lo, unsigned hi)
{
	return lo + (unsigned)km_rng_below(&w->rng, hi - lo + 1);
}

/* A fault is off in half of the seeds: one that hides another must not be there always. */
static unsigned maybe(struct swarm *w, unsigned lo, unsigned hi)
{
	unsigned v = pick(w, lo, hi);

	return pick(w, 0, 1) ? v : 0;
}

static unsigned choose(unsigned n, unsigned k)
{
	unsigned r = 1;

	for (unsigned i = 1; i <= k; i++)
		r = r * (n - k + i) / i;
	return r;
}

static void draw_size(struct swarm *w, struct sim_options *o)
{
	/* N, T with N >= 2T-1; small ones more often, as they cost less */
	static const uint8_t sizes[][2] = {{3, 2}, {3, 2}, {3, 2}, {3, 2}, {3, 2}, {3, 2}, {3, 2}, {3, 2},
					   {4, 2}, {4, 2}, {4, 2}, {4, 2}, {5, 2}, {5, 2}, {5, 3}, {5, 3},
					   {5, 3}, {6, 2}, {6, 3}, {7, 2}, {7, 3}, {7, 4}};
	unsigned k = pick(w, 0, sizeof(sizes) / sizeof(sizes[0]) - 1);

	o->n = sizes[k][0];
	o->threshold = sizes[k][1];
	o->frontends = pick(w, 1, 2);
	/* an owner fills its pools in one to three runs: runs are what a seed costs */
	unsigned quorums = choose(o->n - 1, o->threshold - 1);
	o->pool_target = pick(w, 1, quorums > 8 ? 1 : quorums > 3 ? 2 : 3);
	o->pool_low = pick(w, 1, o->pool_target);
	unsigned least = (quorums * o->pool_target + 2) / 3;
	o->batch = pick(w, least < 4 ? 4 : least, 16);
	/* a key generation that may leave out silent peers, as long as enough for presigning remain */
	o->dkg_min = pick(w, 0, 2) ? 0 : pick(w, 2 * o->threshold - 1, o->n);
}

static void draw_faults(struct swarm *w, struct sim_faults *f)
{
	f->delay_min_us = pick(w, 20, 200);
	f->delay_max_us = f->delay_min_us + (pick(w, 0, 3) ? pick(w, 50, 2000) : pick(w, 5000, 40000));
	f->job_min_us = 100;
	f->job_max_us = pick(w, 0, 7) ? pick(w, 200, 20000) : pick(w, 1000000, 8000000);
	f->persist_max_us = pick(w, 100, 30000);
	f->drop = maybe(w, 1, 40);
	f->duplicate = maybe(w, 1, 100);
	f->slow = maybe(w, 1, 30);
	f->replay = maybe(w, 10, 200);
	f->crash_at_persist = maybe(w, 50, 400);
	f->crash_every_ms = maybe(w, 300, 4000);
	f->restart_after_ms = pick(w, 20, 1500);
	f->silent_death = maybe(w, 200, 1000);
	f->partition_every_ms = maybe(w, 500, 6000);
	f->partition_ms = pick(w, 100, 6000);
	f->skew_ms = maybe(w, 100, 14000);
	f->clock_step_every_ms = f->skew_ms ? maybe(w, 500, 5000) : 0;
	f->disk_error = maybe(w, 20, 300);
	f->rollback_every_ms = pick(w, 0, 3) ? 0 : pick(w, 500, 5000);
}

/* One peer in a quarter of the meshes. What blocks a key generation by itself begins when the key is there. */
static void draw_evil(struct swarm *w, const struct sim_options *o)
{
	if (pick(w, 0, 3))
		return;
	w->evil.who = pick(w, 1, o->n);
	w->habits = pick(w, 1, EVIL_HABITS - 1);
	/* often only one habit: one that is seen at once hides the others */
	if (pick(w, 0, 1))
		w->habits = 1u << pick(w, 0, 9);
	w->evil_rate = pick(w, 0, 1) ? 1000 : pick(w, 20, 500);
}

static void in_words(const struct swarm *w, const struct sim_options *o, char *out, size_t size)
{
	const struct sim_faults *f = &o->faults;

	int n = snprintf(out, size,
			 "N=%u T=%u min=%u B=%u pool=%u/%u drop=%u dup=%u slow=%u replay=%u persist=%u crash=%u part=%u skew=%u "
			 "disk=%u back=%u",
			 o->n, o->threshold, o->dkg_min, o->batch, o->pool_low, o->pool_target, f->drop, f->duplicate, f->slow,
			 f->replay, f->crash_at_persist, f->crash_every_ms, f->partition_every_ms, f->skew_ms, f->disk_error,
			 f->rollback_every_ms);
	if (w->evil.who && (size_t)n < size)
		snprintf(out + n, size - (size_t)n, " evil=%u habits=%#x rate=%u", w->evil.who, w->habits, w->evil_rate);
}

/* ---- load */

static void ask(struct swarm *w, unsigned frontend, uint32_t deadline_ms)
{
	if (w->n_tokens < sizeof(w->token) / sizeof(w->token[0]))
		w->token[w->n_tokens++] = sim_sign(w->s, frontend, "www", ++w->nonce, deadline_ms);
}

static int usable_somewhere(struct sim *s)
{
	for (unsigned i = 1; i <= sim_opt(s)->frontends; i++)
		if (sim_frontend(s, i) && km_frontend_key_by_name(sim_frontend(s, i), "www"))
			return 1;
	return 0;
}

/* The operator: as long as there is no key, ask a peer for one; not while an answer is owed. */
static void operate(struct swarm *w)
{
	const struct sim_result *r = w->keygen ? sim_result(w->s, w->keygen) : NULL;
	unsigned peer = pick(w, 1, sim_opt(w->s)->n);

	if (r && ((r->done && !r->err) || (!r->done && sim_result_owed(w->s, w->keygen))))
		return;
	if (sim_peer(w->s, peer))
		w->keygen = sim_keygen(w->s, peer, "www");
	/* two operators who do not know of each other */
	unsigned other = pick(w, 1, sim_opt(w->s)->n);
	if (other != peer && sim_peer(w->s, other) && pick(w, 0, 3) == 0)
		sim_keygen(w->s, other, "www");
}

/* Anything may happen here; only the invariants count. */
static void safety(struct swarm *w)
{
	unsigned steps = pick(w, 10, 60);

	for (unsigned i = 0; i < steps && !sim_broken(w->s); i++) {
		if (!usable_somewhere(w->s))
			operate(w);
		else
			w->evil.active = 1;
		for (unsigned k = pick(w, 0, 3); k; k--)
			ask(w, pick(w, 1, sim_opt(w->s)->frontends), pick(w, 200, 4000));
		sim_run(w->s, 1000ull * pick(w, 1, 400), NULL, NULL);
	}
}

/* ---- calm */

/* Own presignatures of the key that live members alone can use. */
static unsigned usable(const struct km_peer_status *st, uint32_t live, uint8_t key_id[KM_HASH_SIZE], unsigned *ready)
{
	unsigned found = 0;

	*ready = 0;
	for (unsigned k = 0; k < st->n_keys; k++) {
		if (strcmp(st->keys[k].name, "www") != 0)
			continue;
		found++;
		memcpy(key_id, st->keys[k].key_id, KM_HASH_SIZE);
		for (unsigned i = 0; i < st->keys[k].n_pools; i++)
			if (!(st->keys[k].pools[i].quorum & ~live))
				*ready += st->keys[k].pools[i].ready;
	}
	return found;
}

static uint32_t members_of(struct sim *s)
{
	for (unsigned i = 1; i <= sim_opt(s)->frontends; i++) {
		const struct km_table *t = sim_frontend(s, i) ? km_frontend_key_by_name(sim_frontend(s, i), "www") : NULL;

		if (t)
			return t->members;
	}
	return 0;
}

/* Returns 0, and remembers why for the message. */
static unsigned unready(struct swarm *w, unsigned who, const char *what)
{
	snprintf(w->why, sizeof(w->why), "%u %s", who, what);
	return 0;
}

/* Every live honest member holds the one usable key and presignatures that the live can use, no run is open, and frontends
 * believe it. total: those presignatures, of all. */
static int settled(struct swarm *w, unsigned *total)
{
	struct sim *s = w->s;

	uint8_t key_id[KM_HASH_SIZE], first[KM_HASH_SIZE];
	uint32_t live = 0, members = members_of(s);
	unsigned ready, seen = 0, good = 1;

	*total = 0;
	for (unsigned i = 1; i <= sim_opt(s)->n; i++)
		live |= sim_peer(s, i) && i != w->evil.who ? km_set_bit(i) : 0;
	for (unsigned i = km_set_next(live & members, 0); i; i = km_set_next(live & members, i)) {
		struct km_peer_status st;
		int err = km_peer_status(sim_peer(s, i), &st);

		KM_ASSERT(!err);
		unsigned keys = usable(&st, live, key_id, &ready);
		if (keys != 1)
			good = unready(w, i, keys ? "has two keys" : "has no key");
		else if (!ready)
			good = unready(w, i, "has no presignature that those left can use");
		else if (st.runs_active && !w->evil.who)
			good = unready(w, i, "is still in a run");
		km_peer_status_clear(&st);
		if (!seen++)
			memcpy(first, key_id, sizeof(first));
		if (memcmp(first, key_id, sizeof(first)) != 0)
			good = unready(w, i, "has another key than the first");
		*total += ready;
	}
	for (unsigned i = 1; i <= sim_opt(s)->frontends; i++)
		if (!km_frontend_key_by_name(sim_frontend(s, i), "www"))
			good = unready(w, i, "(a frontend) does not see the key");
	return seen && good;
}

static void settle(struct swarm *w)
{
	unsigned total;

	for (unsigned ms = 0; ms < SETTLE_MS && !sim_broken(w->s); ms += 250) {
		if (settled(w, &total))
			return;
		if (!usable_somewhere(w->s))
			operate(w);
		sim_run(w->s, 250000, NULL, NULL);
	}
	if (!sim_broken(w->s))
		sim_break(w->s, "invariant 8 (%s): not ready after %u s: %s", w->phase, SETTLE_MS / 1000, w->why);
}

/* n requests, every one served, and none slower than one retry allows. */
static void served(struct swarm *w, unsigned n)
{
	unsigned first = w->n_tokens;

	for (unsigned i = 0; i < n; i++) {
		ask(w, 1 + i % sim_opt(w->s)->frontends, DEADLINE_MS);
		sim_run(w->s, 20000, NULL, NULL);
	}
	sim_run(w->s, 1000ull * DEADLINE_MS + 100000, NULL, NULL);
	for (unsigned i = first; i < w->n_tokens && !sim_broken(w->s); i++) {
		const struct sim_result *r = sim_result(w->s, w->token[i]);

		if (!r->done)
			sim_break(w->s, "invariant 8 (%s): a request has no answer at its deadline", w->phase);
		else if (r->err)
			sim_break(w->s, "invariant 8 (%s): a request failed: %s", w->phase, km_strerror(r->err));
		else if (r->done_us - r->asked_us > ONE_RETRY_US)
			sim_break(w->s, "invariant 8 (%s): a request took %u ms", w->phase,
				  (unsigned)((r->done_us - r->asked_us) / 1000));
	}
}

/* One member dies without a word. What the others still share must do for the first request; and if enough are left to presign,
 * for all after it. */
static void one_dead(struct swarm *w)
{
	const struct sim_options *o = sim_opt(w->s);
	uint32_t members = members_of(w->s);
	unsigned who = 0, total;

	for (unsigned k = pick(w, 1, km_set_size(members)); k; k--)
		who = km_set_next(members, who);
	w->phase = "one dead";
	sim_kill_silently(w->s, KM_ADDR_PEER, who);
	settled(w, &total);
	if (km_set_size(members) > o->threshold && total)
		served(w, 1);
	if (km_set_size(members) < 2 * o->threshold || sim_broken(w->s))
		return;
	w->phase = "without the dead";
	settle(w);
	served(w, 4);
}

/* Every request ever made has its one answer by now, unless its frontend died. */
static void all_answered(struct swarm *w)
{
	for (unsigned i = 0; i < w->n_tokens && !sim_broken(w->s); i++)
		if (!sim_result(w->s, w->token[i])->done && sim_result_owed(w->s, w->token[i]))
			sim_break(w->s, "a request never got an answer");
}

static void liveness(struct swarm *w)
{
	w->phase = "calm";
	sim_calm(w->s);
	const struct sim_options *o = sim_opt(w->s);
	unsigned honest = (o->dkg_min ? o->dkg_min : o->n) - (w->evil.who != 0);
	if (honest >= 2 * o->threshold - 1) {
		settle(w);
		served(w, 4);
		if (!w->evil.who && !sim_broken(w->s))
			one_dead(w);
	} else {
		/* a corrupt peer can stop presigning here: whatever was asked must still get an answer */
		sim_run(w->s, 60000000, NULL, NULL);
	}
	all_answered(w);
	if (!sim_broken(w->s))
		sim_check_rest(w->s);
}

void swarm_run(uint64_t seed, unsigned curve, int verbose, struct swarm_outcome *out)
{
	struct swarm w;
	struct sim_options o;
	uint8_t key[KM_SEED_SIZE] = {0};

	memset(&w, 0, sizeof(w));
	memset(&o, 0, sizeof(o));
	memset(out, 0, sizeof(*out));
	for (unsigned i = 0; i < 8; i++)
		key[i] = (uint8_t)(seed >> (8 * i));
	km_rng_init(&w.rng, key, "swarm", NULL, 0);
	o.seed = seed;
	o.curve = curve;
	o.verbose = verbose;
	draw_size(&w, &o);
	draw_faults(&w, &o.faults);
	draw_evil(&w, &o);
	in_words(&w, &o, out->shape, sizeof(out->shape));
	w.s = sim_new(&o);
	if (w.evil.who)
		evil_init(&w.evil, w.s, w.evil.who, w.habits, w.evil_rate, key);
	sim_start(w.s);
	w.phase = "safety";
	safety(&w);
	if (!sim_broken(w.s))
		liveness(&w);
	if (sim_broken(w.s))
		snprintf(out->broken, sizeof(out->broken), "%s (at %.3f s)", sim_broken(w.s), (double)sim_now_us(w.s) / 1e6);
	out->count = *sim_count(w.s);
	out->count.evil_seeds = w.evil.deeds != 0;
	memcpy(out->trace, sim_trace_hash(w.s), KM_HASH_SIZE);
	sim_free(w.s);
	evil_clear(&w.evil);
}
