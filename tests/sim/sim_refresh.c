/* sim_refresh.c: operators who refresh and recover in the midst of everything, and what has to come of it when all is calm. */
#include "config.h"
#include "sim_swarm_impl.h"

#include <string.h>
#include "node/peer_impl.h"
#include "sim_impl.h"

#define CALM_MS 600000u
#define STEP_US 250000u

static unsigned draw(struct swarm *w, unsigned lo, unsigned hi)
{
	return lo + (unsigned)km_rng_below(&w->epochs.rng, hi - lo + 1);
}

void swarm_epochs_draw(struct swarm *w, const uint8_t seed[KM_SEED_SIZE])
{
	/* draws of its own: what else a seed is stays what it is */
	km_rng_init(&w->epochs.rng, seed, "epochs", NULL, 0);
	w->epochs.left = draw(w, 0, 2) ? 0 : draw(w, 1, 3);
	w->epochs.on = w->epochs.left != 0;
}

/* Operators write the id of the key into every file, so that who has no share can take one. */
static void pin(struct swarm *w)
{
	struct km_key_policy *policy = sim_policy(w->s);

	for (unsigned i = 1; i <= sim_opt(w->s)->frontends && !policy->pinned; i++) {
		const struct km_table *t = sim_frontend(w->s, i) ? km_frontend_key_by_name(sim_frontend(w->s, i), "www") : NULL;

		if (!t)
			continue;
		memcpy(policy->pin, t->key_id, KM_HASH_SIZE);
		policy->pinned = 1;
	}
}

/* One request of an operator at a peer that may know nothing of another operator's. */
static uint64_t ask(struct swarm *w, unsigned at)
{
	struct km_request rq = {.kind = KM_REQUEST_REFRESH, .name = "www"};

	if (draw(w, 0, 3) == 0) {
		rq.kind = KM_REQUEST_RECOVER;
		rq.peer = (uint8_t)draw(w, 1, sim_opt(w->s)->n);
	} else if (draw(w, 0, 1)) {
		/* also of a key that a part of the roster has made */
		rq.kind = KM_REQUEST_RESHARE;
	}
	sim_count(w->s)->reshares++;
	return sim_operate(w->s, at, &rq);
}

static void look(struct swarm *w)
{
	for (unsigned i = 1; i <= sim_opt(w->s)->n; i++) {
		const struct km_peer *p = sim_peer(w->s, i);
		unsigned usable = 0;

		for (const struct km_key *k = p ? p->keys : NULL; k; k = k->next) {
			usable += k->share->usable;
			if (k->holder && !k->wiped && !k->share->usable && k->cert.proto == KM_PROTO_RESHARE && p->now.wall_ms > k->made_ms + 5000)
				sim_count(w->s)->candidates_stuck++;
		}
		sim_count(w->s)->epochs_together += usable > 1;
	}
}

void swarm_epochs_step(struct swarm *w)
{
	if (!w->epochs.on)
		return;
	look(w);
	if (!w->epochs.left || !swarm_usable_somewhere(w->s) || draw(w, 0, 5))
		return;
	unsigned at = draw(w, 1, sim_opt(w->s)->n);
	pin(w);
	if (!sim_peer(w->s, at))
		return;
	w->epochs.left--;
	ask(w, at);
	if (draw(w, 0, 2) == 0)
		ask(w, draw(w, 1, sim_opt(w->s)->n));
}

/* ---- when all is calm */

/* Everybody holds one epoch, the same, and nothing else of the key. */
static int at_one(struct swarm *w)
{
	const struct km_key *first = NULL;

	for (unsigned i = 1; i <= sim_opt(w->s)->n; i++) {
		const struct km_key *own = NULL;

		for (const struct km_key *k = sim_peer(w->s, i)->keys; k; k = k->next) {
			if (k->wiped || strcmp(k->share->table.name, "www") != 0)
				continue;
			if (own || !k->holder || !k->share->usable)
				return 0;
			own = k;
		}
		if (!own || (first && memcmp(own->share->table.hash, first->share->table.hash, KM_HASH_SIZE) != 0))
			return 0;
		first = own;
	}
	return first && first->share->table.number > w->epochs.above;
}

static uint64_t highest(struct swarm *w)
{
	uint64_t n = 0;

	for (unsigned i = 1; i <= sim_opt(w->s)->n; i++)
		for (const struct km_key *k = sim_peer(w->s, i)->keys; k; k = k->next)
			if (k->share->usable && k->share->table.number > n)
				n = k->share->table.number;
	return n;
}

/* A refresh that all members take part in: whatever was left of former ones ends by it, and requests are served all the while. */
void swarm_epochs_calm(struct swarm *w, void (*serve)(struct swarm *w))
{
	struct km_request rq = {.kind = KM_REQUEST_RESHARE, .name = "www"};
	uint64_t token = 0;

	if (!w->epochs.on)
		return;
	w->phase = "refresh";
	pin(w);
	w->epochs.above = highest(w);
	for (unsigned ms = 0, n = 0; ms < CALM_MS && !sim_broken(w->s); ms += STEP_US / 1000, n++) {
		const struct sim_result *r = token ? sim_result(w->s, token) : NULL;

		look(w);
		if (r && r->done && r->err)
			sim_count(w->s)->reshares_failed++;
		if (!r || (r->done && r->err)) {
			/* those that cannot take part are asked in turn: one may hold nothing to deal with */
			sim_run(w->s, 1000000, NULL, NULL);
			sim_count(w->s)->reshares++;
			token = sim_operate(w->s, draw(w, 1, sim_opt(w->s)->n), &rq);
		} else if (r->done && at_one(w)) {
			sim_count(w->s)->shares_recovered++;
			return;
		} else if (r->done && n % 400 == 399) {
			token = 0; /* somebody was left out: once more */
		}
		if (n % 8 == 0)
			serve(w);
		sim_run(w->s, STEP_US, NULL, NULL);
	}
	if (!sim_broken(w->s))
		sim_break(w->s, "invariant 8 (%s): no epoch that all hold alone after %u s: %s", w->phase, CALM_MS / 1000,
			  token ? sim_result(w->s, token)->text : "nobody was asked");
}
