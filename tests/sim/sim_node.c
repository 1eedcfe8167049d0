/* sim_node.c: nodes in a simulation: lives, disks, and the effects they ask for. */
#include "sim_impl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "node/frontend_impl.h"
#include "node/peer_impl.h"

#define WALL_START_MS 1800000000000u
/* More effects than this from one step, or ticks at one moment, and something does not end. */
#define MAX_EFFECTS 16384
#define MAX_TICKS 64
#define CALM_JOB_US 20000u

/* ---- time of a node */

static struct km_time now_of(const struct sim *s, const struct sim_node *node)
{
	return (struct km_time){.mono_us = s->now_us + node->mono_base_us,
				.wall_ms = (uint64_t)((int64_t)(WALL_START_MS + s->now_us / 1000) + node->clock_skew_ms)};
}

void sim_arm(struct sim *s, struct sim_node *node)
{
	uint64_t at = node->peer ? km_peer_deadline(node->peer) : km_frontend_deadline(node->frontend);

	if (at == UINT64_MAX)
		return;
	at = at > node->mono_base_us ? at - node->mono_base_us : 0;
	if (at < s->now_us)
		at = s->now_us;
	if (at >= node->tick_at_us)
		return;
	node->tick_at_us = at;
	sim_push(s, &(struct sim_item){.at_us = at, .what = SIM_TICK, .to = node->addr, .life = node->life, .clone = sim_is_clone(s, node)});
}

/* ---- memory */

const struct sim_hooks *sim_hooks;

static void enter(struct sim *s, const struct sim_node *node)
{
	int refuse = s->opt.faults.alloc_every && !s->calm;

	if (sim_hooks)
		sim_hooks->enter(sim_number(s, node), refuse ? &s->alloc_left : NULL, s->opt.faults.alloc_more);
}

/* Returns whether memory was refused. */
static int leave(struct sim *s, const struct sim_node *node)
{
	unsigned refused = sim_hooks ? sim_hooks->leave() : 0;

	if (!refused)
		return 0;
	s->count.alloc_failures += refused;
	s->alloc_left = sim_between(s, 1, 2ull * s->opt.faults.alloc_every);
	sim_trace(s, "no memory", node->addr, refused, NULL, 0);
	return 1;
}

/* ---- carrying out effects */

static void carry_persist(struct sim *s, struct sim_node *node, const struct km_effect *e)
{
	s->count.persists++;
	if (sim_chance(s, s->opt.faults.crash_at_persist)) {
		s->count.crashes_at_persist++;
		if (km_rng_below(&s->rng, 2)) {
			/* durable, but nobody was told */
			sim_disk_write(node, e->name, e->data, e->len);
			s->count.torn_persists++;
		}
		sim_crash(s, node);
		return;
	}
	int err = sim_chance(s, s->opt.faults.disk_error) ? KM_E_IO : KM_OK;
	if (err)
		s->count.disk_errors++;
	else
		sim_disk_write(node, e->name, e->data, e->len);
	sim_push(s, &(struct sim_item){.at_us = s->now_us + sim_between(s, 1, s->opt.faults.persist_max_us),
				       .what = SIM_PERSISTED,
				       .to = node->addr,
				       .life = node->life,
				       .clone = sim_is_clone(s, node),
				       .token = e->token,
				       .err = err});
}

/* twin: the same of its shadow, or NULL */
static void carry_work(struct sim *s, struct sim_node *node, const struct km_effect *e, const struct km_effect *twin)
{
	uint64_t max = s->opt.faults.job_max_us;

	/* a machine that swaps or computes for others is slow for a while, not for ever */
	if (s->calm && max > CALM_JOB_US)
		max = CALM_JOB_US;
	s->count.jobs++;
	enter(s, node);
	e->job->run(e->job);
	if (twin)
		twin->job->run(twin->job);
	leave(s, node);
	sim_push(s, &(struct sim_item){.at_us = s->now_us + sim_between(s, s->opt.faults.job_min_us, max),
				       .what = SIM_WORKED,
				       .to = node->addr,
				       .life = node->life,
				       .clone = sim_is_clone(s, node),
				       .token = e->token,
				       .job = e->job,
				       .twin_job = twin ? twin->job : NULL});
}

static void carry_result(struct sim *s, const struct km_effect *e)
{
	struct sim_result *r = sim_answer(s, e->token);

	if (!r)
		return;
	if (r->done)
		sim_break(s, "request %u answered twice", (unsigned)e->token);
	r->done = 1;
	r->err = e->err;
	r->result = e->result;
	r->done_us = s->now_us;
	memcpy(r->text, e->text, sizeof(r->text));
	if (!r->sign)
		return;
	if (e->err)
		s->count.failed++;
	else
		s->count.signed_ok++;
	sim_check_result(s, r);
}

static void carry(struct sim *s, struct sim_node *node, struct km_effect *e, const struct km_effect *twin)
{
	switch (e->kind) {
	case KM_EFFECT_SEND:
		sim_send(s, node, e->to, e->data, e->len);
		break;
	case KM_EFFECT_PERSIST:
		carry_persist(s, node, e);
		break;
	case KM_EFFECT_WORK:
		carry_work(s, node, e, twin);
		break;
	case KM_EFFECT_RESULT:
		/* the operator talks to the machine he knows */
		if (!sim_is_clone(s, node))
			carry_result(s, e);
		break;
	case KM_EFFECT_AUDIT:
	case KM_EFFECT_CHECKPOINT:
	case KM_EFFECT_PROVE:
		sim_log_effect(s, node, e);
		break;
	default:
		break;
	}
}

int sim_step(struct sim *s, struct sim_node *node, struct km_event *ev)
{
	return sim_step_twin(s, node, ev, NULL);
}

/* Steps never nest: what another node learns of this one comes to it as an item of the heap. */
int sim_step_twin(struct sim *s, struct sim_node *node, struct km_event *ev, struct km_job *twin_job)
{
	struct km_effect *e;
	uint32_t life = node->life;
	unsigned effects = 0;

	if (!node->alive)
		return KM_E_STATE;
	ev->now = now_of(s, node);
	node->ticks_here = ev->kind == KM_EVENT_TICK && ev->now.mono_us == node->last_us ? node->ticks_here + 1 : 0;
	if (node->ticks_here > MAX_TICKS)
		sim_break(s, "%s %u spins: its deadline does not move", node->peer ? "peer" : "frontend", node->addr.id);
	node->last_us = ev->now.mono_us;
	enter(s, node);
	int err = node->peer ? km_peer_step(node->peer, ev, &s->fx) : km_frontend_step(node->frontend, ev, &s->fx);
	if (node->shadow)
		sim_shadow_step(s, node, ev, twin_job, err);
	leave(s, node);
	if (err)
		sim_trace(s, "error", node->addr, (uint64_t)-err, NULL, 0);
	while ((e = km_effects_pop(&s->fx))) {
		struct km_effect *twin = sim_shadow_effect(s, node, e);

		if (node->life == life) {
			sim_trace_effect(s, node, e);
			sim_check_effect(s, node, e);
			carry(s, node, e, twin);
		}
		if (twin)
			km_effects_recycle(&s->shadow_fx, twin);
		km_effects_recycle(&s->fx, e);
		if (++effects == MAX_EFFECTS)
			sim_break(s, "invariant 10: %u effects of one step", effects);
	}
	if (node->life == life)
		sim_arm(s, node);
	if (s->after && node->corrupt && node->peer)
		s->after(s->after_ctx, s, node->addr.id);
	return err;
}

/* ---- lives */

unsigned sim_runs_active(const struct sim_node *node)
{
	unsigned n = 0;

	for (const struct km_run *r = node->peer ? node->peer->runs : NULL; r; r = r->next)
		n += r->state == KM_RUN_ACTIVE;
	return n;
}

int sim_job_late(const struct sim_node *node, const struct km_job *job)
{
	for (const struct km_run *r = node->peer ? node->peer->runs : NULL; r; r = r->next)
		if (r->m && &r->m->job == job)
			return r->m->dying || r->m->ended;
	return 0;
}

void sim_harvest(struct sim *s, struct sim_node *node)
{
	struct sim_harvest now = {0, 0, 0, 0}, *old = &node->harvest;

	if (node->peer) {
		now.retries = node->peer->n_retries;
		now.dropped = node->peer->n_runs_dropped;
		now.finished = node->peer->n_runs_done;
	} else if (node->frontend) {
		now.hedged = node->frontend->hedged;
	}
	s->count.retries += now.retries - old->retries;
	s->count.runs_dropped += now.dropped - old->dropped;
	s->count.runs_finished += now.finished - old->finished;
	s->count.hedges += now.hedged - old->hedged;
	*old = now;
}

void sim_connect(struct sim *s, struct sim_node *a, struct sim_node *b)
{
	if (a == b || !a->alive || !b->alive || (a->frontend && b->frontend))
		return;
	sim_push(s,
		 &(struct sim_item){.at_us = s->now_us + 200, .what = SIM_UP, .to = a->addr, .from = b->addr, .life = a->life,
				    .clone = sim_is_clone(s, a)});
	sim_push(s,
		 &(struct sim_item){.at_us = s->now_us + 200, .what = SIM_UP, .to = b->addr, .from = a->addr, .life = b->life,
				    .clone = sim_is_clone(s, b)});
}

static int make(struct sim *s, struct sim_node *node)
{
	uint8_t seed[KM_SEED_SIZE];

	km_rng_bytes(&s->rng, seed, sizeof(seed));
	if (node->addr.kind == KM_ADDR_FRONTEND)
		return km_frontend_new(&node->frontend, &node->settings, seed);
	int err = km_peer_new(&node->peer, &node->settings, seed);
	if (!err && sim_has_shadow(s, node))
		err = km_peer_new(&node->shadow, &node->settings, seed);
	for (size_t i = 0; !err && i < node->n_files; i++) {
		if (!node->files[i].data)
			continue;
		err = km_peer_load(node->peer, node->files[i].name, node->files[i].data, node->files[i].len);
		if (!err && node->shadow)
			err = km_peer_load(node->shadow, node->files[i].name, node->files[i].data, node->files[i].len);
		if (err && err != KM_E_NOMEM)
			sim_break(s, "peer %u cannot load %s: %s", node->addr.id, node->files[i].name, km_strerror(err));
	}
	return err;
}

void sim_restart_later(struct sim *s, const struct sim_node *node)
{
	sim_push(s, &(struct sim_item){.at_us = s->now_us + sim_between(s, 1, 2000ull * s->opt.faults.restart_after_ms),
				       .what = SIM_RESTART,
				       .to = node->addr,
				       .life = node->life});
}

void sim_birth(struct sim *s, struct sim_node *node)
{
	struct km_event ev = {.kind = KM_EVENT_START};

	enter(s, node);
	int err = make(s, node);
	if (leave(s, node) && err == KM_E_NOMEM) {
		km_peer_free(node->peer);
		km_frontend_free(node->frontend);
		node->peer = NULL;
		node->frontend = NULL;
		sim_restart_later(s, node);
		return;
	}
	KM_ASSERT(!err || s->broken[0]);
	node->life++;
	node->era++;
	node->alive = 1;
	node->tick_at_us = UINT64_MAX;
	memset(&node->harvest, 0, sizeof(node->harvest));
	sim_trace(s, "start", node->addr, node->life, NULL, 0);
	sim_check_life(s, node);
	sim_step(s, node, &ev);
	sim_log_birth(s, node);
	for (unsigned i = 1; i <= sim_nodes(s); i++)
		sim_connect(s, node, sim_nth(s, i));
}

void sim_bury(struct sim *s, struct sim_node *node)
{
	if (!node->alive)
		return;
	sim_harvest(s, node);
	/* jobs that are out go with it, and so do their WORKED events: those are of an earlier life from here on */
	km_peer_free(node->peer);
	km_peer_free(node->shadow);
	km_frontend_free(node->frontend);
	node->peer = node->shadow = NULL;
	node->frontend = NULL;
	node->alive = 0;
	node->life++;
}

static void die(struct sim *s, struct sim_node *node, int silently)
{
	sim_trace(s, "kill", node->addr, node->life, NULL, 0);
	s->count.crashes++;
	s->count.silent_deaths += (uint64_t)silently;
	if (sim_runs_active(node)) {
		s->count.crashes_in_run++;
		s->count.crashes_in_dkg += km_run_count(node->peer, 0, KM_PURPOSE_DKG) != 0;
		s->count.crashes_in_reshare += km_run_count(node->peer, 0, KM_PURPOSE_RESHARE) != 0;
	}
	sim_bury(s, node);
	for (unsigned i = 1; !silently && i <= sim_nodes(s); i++) {
		struct sim_node *other = sim_nth(s, i);

		if (other->alive && (other->peer || node->addr.kind == KM_ADDR_PEER))
			sim_push(s, &(struct sim_item){.at_us = s->now_us + sim_between(s, 1, 500),
						       .what = SIM_DOWN,
						       .to = other->addr,
						       .from = node->addr,
						       .life = other->life});
	}
}

void sim_kill(struct sim *s, enum km_addr_kind kind, unsigned id)
{
	struct sim_node *node = sim_node(s, (struct km_addr){(uint8_t)kind, (uint16_t)id});

	if (node->alive)
		die(s, node, 0);
}

void sim_kill_silently(struct sim *s, enum km_addr_kind kind, unsigned id)
{
	struct sim_node *node = sim_node(s, (struct km_addr){(uint8_t)kind, (uint16_t)id});

	if (node->alive)
		die(s, node, 1);
}

void sim_crash(struct sim *s, struct sim_node *node)
{
	if (sim_is_clone(s, node)) {
		/* nobody starts it again */
		s->count.crashes++;
		sim_clone_end(s);
		return;
	}
	die(s, node, sim_chance(s, s->opt.faults.silent_death));
	sim_restart_later(s, node);
	if (!node->may_restore)
		return;
	if (node->old && sim_chance(s, s->opt.faults.old_disk))
		sim_disk_restore(s, node);
	else if (sim_chance(s, s->opt.faults.old_disk))
		sim_disk_remember(node);
}

void sim_restart(struct sim *s, enum km_addr_kind kind, unsigned id)
{
	struct sim_node *node = sim_node(s, (struct km_addr){(uint8_t)kind, (uint16_t)id});

	if (node->alive)
		return;
	s->count.restarts++;
	sim_birth(s, node);
}
