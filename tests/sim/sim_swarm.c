/* sim_swarm.c: what one seed does. */
#include "sim_swarm_impl.h"
#include "sim_memo.h"

#include <stdio.h>
#include <string.h>

/* ---- load */

void swarm_ask(struct swarm *w, unsigned frontend, uint32_t deadline_ms)
{
	if (w->n_tokens < SWARM_TOKENS)
		w->token[w->n_tokens++] = sim_sign(w->s, frontend, "www", ++w->nonce, deadline_ms);
}

int swarm_usable_somewhere(struct sim *s)
{
	for (unsigned i = 1; i <= sim_opt(s)->frontends; i++)
		if (sim_frontend(s, i) && km_frontend_key_by_name(sim_frontend(s, i), "www"))
			return 1;
	return 0;
}

/* The operator: as long as there is no key, ask a peer for one; not while an answer is owed. */
void swarm_operate(struct swarm *w)
{
	const struct sim_result *r = w->keygen ? sim_result(w->s, w->keygen) : NULL;
	unsigned peer = swarm_pick(w, 1, sim_opt(w->s)->n);

	if (r && ((r->done && !r->err) || (!r->done && sim_result_owed(w->s, w->keygen))))
		return;
	if (sim_peer(w->s, peer))
		w->keygen = sim_keygen(w->s, peer, "www");
	/* two operators who do not know of each other */
	unsigned other = swarm_pick(w, 1, sim_opt(w->s)->n);
	if (other != peer && sim_peer(w->s, other) && swarm_pick(w, 0, 3) == 0)
		sim_keygen(w->s, other, "www");
}

/* Anything may happen here; only the invariants count. */
static void safety(struct swarm *w)
{
	unsigned steps = swarm_pick(w, 10, 60);

	w->evil.active = w->evil_early;
	for (unsigned i = 0; i < steps && !sim_broken(w->s); i++) {
		if (!swarm_usable_somewhere(w->s))
			swarm_operate(w);
		else
			w->evil.active = 1;
		for (unsigned k = swarm_pick(w, 0, 3); k; k--)
			swarm_ask(w, swarm_pick(w, 1, sim_opt(w->s)->frontends), swarm_pick(w, 200, 4000));
		sim_run(w->s, 1000ull * swarm_pick(w, 1, 400), NULL, NULL);
		swarm_epochs_step(w);
	}
}

/* ---- a seed */

static void note_counters(struct swarm *w, struct swarm_outcome *out)
{
	struct sim_counters *c = &out->count;

	*c = *sim_count(w->s);
	c->evil_deeds = evil_deeds(&w->evil);
	c->evil_seeds = c->evil_deeds != 0;
	c->evil_many = c->evil_seeds && w->evil.n > 1;
	c->evil_in_dkg = c->evil_seeds && w->evil_early;
	c->p256_signed = sim_opt(w->s)->curve == KM_CURVE_P256 ? c->signed_ok : 0;
	c->faults = c->dropped + c->duplicated + c->reordered + c->replayed + c->slowed + c->crashes + c->torn_persists +
		    c->partitions + c->clock_steps + c->disk_errors + c->rollbacks + c->alloc_failures + c->old_disks + c->clones_noticed +
		    c->clones_unnoticed + c->evil_deeds;
	for (unsigned i = 0; i < w->evil.n; i++)
		for (unsigned k = 0; k < EVIL_N_HABITS; k++)
			out->deeds[k] += w->evil.e[i].deeds[k];
}

void swarm_run(uint64_t seed, unsigned curve, int verbose, int again, struct swarm_outcome *out)
{
	static struct swarm w; /* large */
	struct sim_options o;
	uint8_t key[KM_SEED_SIZE] = {0};

	memset(&w, 0, sizeof(w));
	memset(&o, 0, sizeof(o));
	memset(out, 0, sizeof(*out));
	for (unsigned i = 0; i < 8; i++)
		key[i] = (uint8_t)(seed >> (8 * i));
	km_rng_init(&w.rng, key, "swarm", NULL, 0);
	o.seed = seed;
	o.verbose = verbose;
	swarm_draw(&w, &o);
	swarm_epochs_draw(&w, key);
	if (curve)
		o.curve = curve;
	swarm_in_words(&w, &o, out->shape, sizeof(out->shape));
	if (!again)
		sim_memo_begin(!w.real_signatures, o.curve == KM_CURVE_P256, !w.real_ot);
	w.s = sim_new(&o);
	for (unsigned i = 0; i < w.n_draft; i++)
		evil_add(&w.evil, w.s, w.draft[i].who, w.draft[i].habits, w.draft[i].rate, key);
	for (unsigned i = 1; i <= o.n; i++)
		if (km_set_has(w.restorable, i))
			sim_may_restore(w.s, i);
	sim_start(w.s);
	w.phase = "safety";
	safety(&w);
	if (!sim_broken(w.s))
		swarm_liveness(&w);
	if (sim_broken(w.s))
		snprintf(out->broken, sizeof(out->broken), "%s (at %.3f s)", sim_broken(w.s), (double)sim_now_us(w.s) / 1e6);
	note_counters(&w, out);
	memcpy(out->trace, sim_trace_hash(w.s), KM_HASH_SIZE);
	sim_free(w.s);
	evil_clear(&w.evil);
}
