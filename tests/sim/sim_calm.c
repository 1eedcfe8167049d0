/* sim_calm.c: the liveness phase. All is repaired but the corrupt peers; then a core of exactly T honest peers is left. Whatever is
 * asked must be served. */
#include "sim_swarm_impl.h"

#include <stdio.h>
#include <string.h>
#include "node/peer_impl.h"

#define SETTLE_MS 300000u     /* calm: how long a mesh may take to be ready again */
#define CORE_DEADLINE_MS 10000u
#define LAST_TRIES 30
/* One dead peer costs a request at most one bounded retry: the wait for its SHARE or the hedge to the next aggregator, each at
 * most a second, then the answer of the others. */
#define ONE_RETRY_US 2500000u
#define STEP_US 250000u

static void step(struct swarm *w, uint64_t us)
{
	sim_run(w->s, us, NULL, NULL);
	swarm_blame_poll(w);
}

/* ---- who can do what */

static const struct km_table *the_table(struct sim *s)
{
	for (unsigned i = 1; i <= sim_opt(s)->frontends; i++) {
		const struct km_table *t = sim_frontend(s, i) ? km_frontend_key_by_name(sim_frontend(s, i), "www") : NULL;

		if (t)
			return t;
	}
	return NULL;
}

/* Honest members whose share is not lost with an old disk. */
static uint32_t honest_members(struct swarm *w)
{
	const struct km_table *t = the_table(w->s);
	uint32_t set = t ? t->members & ~w->evil.set : 0;

	for (unsigned i = km_set_next(set, 0); i; i = km_set_next(set, i))
		if (sim_restored(w->s, i))
			set &= ~km_set_bit(i);
	return set;
}

/* Own presignatures of the key that these peers alone can use. */
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

/* Returns 0, and remembers why for the message. */
static unsigned unready(struct swarm *w, unsigned who, const char *what)
{
	snprintf(w->why, sizeof(w->why), "%u %s", who, what);
	return 0;
}

/* Every peer of the core holds the one usable key and presignatures of quorums inside `live`, no run is open, and frontends believe
 * it. WHY live and not the core: nobody knows of a corrupt peer that has only cheated elsewhere. */
static int settled(struct swarm *w, uint32_t core, uint32_t live)
{
	uint8_t key_id[KM_HASH_SIZE], first[KM_HASH_SIZE];
	unsigned ready, seen = 0, good = core != 0;
	struct sim *s = w->s;

	for (unsigned i = km_set_next(core, 0); i && good; i = km_set_next(core, i)) {
		struct km_peer_status st;

		if (!sim_peer(s, i))
			return (int)unready(w, i, "is down");
		int err = km_peer_status(sim_peer(s, i), &st);
		KM_ASSERT(!err);
		unsigned keys = usable(&st, live, key_id, &ready);
		if (keys != 1)
			good = unready(w, i, keys ? "has two keys" : "has no key");
		else if (!ready)
			good = unready(w, i, "has no presignature that those left can use");
		else if (st.runs_active && !w->evil.n)
			good = unready(w, i, "is still in a run");
		km_peer_status_clear(&st);
		if (!seen++)
			memcpy(first, key_id, sizeof(first));
		if (good && memcmp(first, key_id, sizeof(first)) != 0)
			good = unready(w, i, "has another key than the first");
	}
	for (unsigned i = 1; i <= sim_opt(s)->frontends; i++)
		if (!km_frontend_key_by_name(sim_frontend(s, i), "www"))
			good = unready(w, i, "(a frontend) does not see the key");
	return good;
}

/* core: as it was when it began, 0 = all honest members, once there are any. */
static void settle(struct swarm *w, uint32_t core, uint32_t corrupt)
{
	for (unsigned ms = 0; ms < SETTLE_MS && !sim_broken(w->s); ms += STEP_US / 1000) {
		uint32_t set = core ? core : honest_members(w), live = set | corrupt;

		/* WHY also one with an old disk: its share may be lost or not, but who holds presignatures with it can use them */
		for (unsigned i = 1; !core && i <= sim_opt(w->s)->n; i++)
			if (sim_peer(w->s, i))
				live |= km_set_bit(i);
		if (settled(w, set, live))
			return;
		if (!swarm_usable_somewhere(w->s))
			swarm_operate(w);
		step(w, STEP_US);
	}
	if (!sim_broken(w->s))
		sim_break(w->s, "invariant 8 (%s): not ready after %u s: %s", w->phase, SETTLE_MS / 1000, w->why);
}

/* ---- requests */

static int all_done(struct sim *s, void *ctx)
{
	struct swarm *w = ctx;

	for (unsigned i = w->n_tokens; i-- > 0;)
		if (!sim_result(s, w->token[i])->done && sim_result_owed(s, w->token[i]))
			return 0;
	return 1;
}

static void ask_some(struct swarm *w, unsigned n, uint32_t deadline_ms)
{
	for (unsigned i = 0; i < n; i++) {
		swarm_ask(w, 1 + i % sim_opt(w->s)->frontends, deadline_ms);
		sim_run(w->s, 20000, NULL, NULL);
	}
	for (unsigned ms = 0; ms < deadline_ms + 100 && !all_done(w->s, w) && !sim_broken(w->s); ms += 50)
		sim_run(w->s, 50000, NULL, NULL);
	swarm_blame_poll(w);
}

/* n requests, every one served, and none slower than max_us. */
static void served(struct swarm *w, unsigned n, uint32_t deadline_ms, uint64_t max_us)
{
	unsigned first = w->n_tokens;

	ask_some(w, n, deadline_ms);
	for (unsigned i = first; i < w->n_tokens && !sim_broken(w->s); i++) {
		const struct sim_result *r = sim_result(w->s, w->token[i]);

		if (!r->done)
			sim_break(w->s, "invariant 8 (%s): a request has no answer at its deadline", w->phase);
		else if (r->err)
			sim_break(w->s, "invariant 8 (%s): a request failed: %s", w->phase, km_strerror(r->err));
		else if (r->done_us - r->asked_us > max_us)
			sim_break(w->s, "invariant 8 (%s): a request took %u ms", w->phase,
				  (unsigned)((r->done_us - r->asked_us) / 1000));
	}
}

/* With corrupt peers about a request may fail, while honest ones learn whom to leave out; but not for good. */
static void served_at_last(struct swarm *w, unsigned n)
{
	for (unsigned tries = 0; tries < LAST_TRIES && !sim_broken(w->s); tries++) {
		unsigned first = w->n_tokens, good = 0;

		ask_some(w, n, CORE_DEADLINE_MS);
		for (unsigned i = first; i < w->n_tokens; i++)
			good += sim_result(w->s, w->token[i])->done && !sim_result(w->s, w->token[i])->err;
		if (good == n)
			return;
		for (unsigned i = 0; i < 20; i++)
			step(w, STEP_US);
	}
	if (!sim_broken(w->s))
		sim_break(w->s, "invariant 8 (%s): requests go on failing", w->phase);
}

/* Every request ever made has its one answer by now, unless its frontend died. */
static void all_answered(struct swarm *w)
{
	for (unsigned i = 0; i < w->n_tokens && !sim_broken(w->s); i++)
		if (!sim_result(w->s, w->token[i])->done && sim_result_owed(w->s, w->token[i]))
			sim_break(w->s, "a request never got an answer");
}

/* ---- the phases */

/* One member dies without a word. What the others still share must do for the first request; and if enough are left to presign,
 * for all after it. */
static void one_dead(struct swarm *w)
{
	const struct sim_options *o = sim_opt(w->s);
	uint32_t members = honest_members(w);
	unsigned who = 0, least = swarm_any_engine ? o->threshold : 2 * o->threshold - 1;

	for (unsigned k = swarm_pick(w, 1, km_set_size(members)); k; k--)
		who = km_set_next(members, who);
	w->phase = "one dead";
	sim_kill_silently(w->s, KM_ADDR_PEER, who);
	members &= ~km_set_bit(who);
	if (km_set_size(members) >= o->threshold && settled(w, members, members))
		served(w, 1, DEADLINE_MS, ONE_RETRY_US);
	w->phase = "without the dead";
	if (km_set_size(members) >= least && !sim_broken(w->s)) {
		settle(w, members, 0);
		served(w, 2, DEADLINE_MS, ONE_RETRY_US);
	}
	sim_restart(w->s, KM_ADDR_PEER, who);
}

/* Exactly so many honest peers as are needed can talk: the others are dead, or beyond a partition; the corrupt ones stay as they are, or
 * are dead too. */
static void core_only(struct swarm *w)
{
	const struct sim_options *o = sim_opt(w->s);
	uint32_t core = honest_members(w), side;
	unsigned need = swarm_any_engine ? o->threshold : 2 * o->threshold - 1;
	int corrupt_stay = (int)swarm_pick(w, 0, 1), dead = (int)swarm_pick(w, 0, 2);

	if (km_set_size(core) < need)
		return;
	w->phase = "core";
	while (km_set_size(core) > need) {
		unsigned out = swarm_pick(w, 1, o->n);

		core &= ~km_set_bit(out);
	}
	side = core | (corrupt_stay ? w->evil.set : 0);
	for (unsigned i = 1; i <= o->n; i++) {
		/* 0: all beyond the partition, 1: all dead, 2: some of each */
		if (km_set_has(side, i) || !(dead == 1 || (dead == 2 && swarm_pick(w, 0, 1))))
			continue;
		sim_kill_silently(w->s, KM_ADDR_PEER, i);
	}
	sim_partition(w->s, side);
	sim_count(w->s)->cores++;
	settle(w, core, side & w->evil.set);
	/* also when they are gone now: what they did just before may still be looked into */
	if (w->evil.n)
		served_at_last(w, 3);
	else
		served(w, 3, CORE_DEADLINE_MS, 1000ull * CORE_DEADLINE_MS);
}

static void serve_one(struct swarm *w)
{
	served(w, 1, DEADLINE_MS, ONE_RETRY_US);
}

/* Where those who cheat can stop the making of a key for good: with nobody to be left out, or where nobody proves anything. */
static int key_owed(struct swarm *w)
{
	unsigned cloned = sim_cloned(w->s);

	/* what two instances signed may have convicted them: then the mesh has one peer less, and may be too small for anything */
	for (unsigned i = 1; cloned && i <= sim_opt(w->s)->n; i++)
		if ((sim_peer(w->s, i)->quarantined | sim_peer(w->s, i)->disputed) & km_set_bit(cloned))
			return 0;
	if (swarm_usable_somewhere(w->s) || !w->evil.n)
		return 1;
	for (unsigned i = 1; i <= sim_opt(w->s)->n; i++)
		if (!km_set_has(w->evil.set, i) && (sim_peer(w->s, i)->quarantined | sim_peer(w->s, i)->disputed))
			return 0;
	/* as if they had come to their senses until there is one */
	w->evil.active = 0;
	return 1;
}

void swarm_liveness(struct swarm *w)
{
	const struct sim_options *o = sim_opt(w->s);
	unsigned need = swarm_any_engine ? o->threshold : 2 * o->threshold - 1;

	w->phase = "calm";
	sim_calm(w->s);
	unsigned honest = (o->dkg_min ? o->dkg_min : o->n) - w->evil.n - km_set_size(w->restorable);
	if ((int)honest >= (int)need && key_owed(w)) {
		if (!w->evil.active)
			settle(w, 0, w->evil.set);
		w->evil.active = w->evil.n != 0;
		swarm_blame_start(w);
		settle(w, 0, w->evil.set);
		if (w->evil.n)
			served_at_last(w, 4);
		else
			served(w, 4, DEADLINE_MS, ONE_RETRY_US);
		/* more than the pools may hold: these wait for the next run */
		if (!w->evil.n && o->curve == KM_CURVE_P256 && !sim_broken(w->s))
			served(w, 6, DEADLINE_MS, 1000ull * DEADLINE_MS);
		if (!w->evil.n && !w->restorable && !sim_broken(w->s))
			swarm_epochs_calm(w, serve_one);
		if (!w->evil.n && !w->restorable && !sim_broken(w->s) && !swarm_pick(w, 0, 1))
			one_dead(w);
		if (!sim_broken(w->s))
			core_only(w);
	} else {
		/* what was asked must still get an answer */
		w->evil.active = w->evil.n != 0;
		swarm_blame_start(w);
		for (unsigned i = 0; i < 100 && !sim_broken(w->s); i++)
			step(w, STEP_US);
	}
	all_answered(w);
	if (!sim_broken(w->s)) {
		swarm_check_corrupt(w);
		sim_check_rest(w->s);
	}
}
