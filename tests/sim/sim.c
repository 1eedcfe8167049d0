/* sim.c: the event loop of a simulation, and the faults that come by the clock. */
#include "sim_impl.h"

#include <stdlib.h>
#include <string.h>

/* ---- the heap */

static int before(const struct sim_item *a, const struct sim_item *b)
{
	return a->at_us != b->at_us ? a->at_us < b->at_us : a->seq < b->seq;
}

void sim_push(struct sim *s, const struct sim_item *item)
{
	s->heap = sim_grow(s->heap, s->n_heap, &s->cap_heap, sizeof(*s->heap));
	size_t i = s->n_heap++;
	struct sim_item it = *item;

	it.seq = s->seq++;
	for (; i && before(&it, &s->heap[(i - 1) / 2]); i = (i - 1) / 2)
		s->heap[i] = s->heap[(i - 1) / 2];
	s->heap[i] = it;
}

static struct sim_item pop(struct sim *s)
{
	struct sim_item top = s->heap[0], last = s->heap[--s->n_heap];
	size_t i = 0;

	for (size_t c = 1; c < s->n_heap; i = c, c = 2 * i + 1) {
		if (c + 1 < s->n_heap && before(&s->heap[c + 1], &s->heap[c]))
			c++;
		if (!before(&s->heap[c], &last))
			break;
		s->heap[i] = s->heap[c];
	}
	s->heap[i] = last;
	return top;
}

uint64_t sim_between(struct sim *s, uint64_t lo, uint64_t hi)
{
	return hi > lo ? lo + km_rng_below(&s->rng, hi - lo + 1) : lo;
}

int sim_chance(struct sim *s, unsigned per_mille)
{
	return !s->calm && per_mille && km_rng_below(&s->rng, 1000) < per_mille;
}

/* ---- faults by the clock */

static void plan(struct sim *s, enum sim_what what, uint32_t mean_ms)
{
	if (mean_ms && !s->calm)
		sim_push(s, &(struct sim_item){.at_us = s->now_us + sim_between(s, 1, 2000ull * mean_ms), .what = what});
}

static unsigned peers_in_run(struct sim *s, uint32_t side)
{
	unsigned n = 0;

	for (unsigned i = 1; i <= s->opt.n; i++)
		if (km_set_has(side, i) && s->peers[i].alive && sim_runs_active(&s->peers[i]))
			n++;
	return n;
}

void sim_partition(struct sim *s, uint32_t side)
{
	uint32_t old = s->side, all = s->opt.n == 32 ? UINT32_MAX : ((uint32_t)1 << s->opt.n) - 1;

	s->side = side & all;
	s->partition_no++;
	sim_trace(s, "partition", (struct km_addr){0, 0}, s->side, NULL, 0);
	if (s->side && s->side != all) {
		s->count.partitions++;
		if (peers_in_run(s, s->side) && peers_in_run(s, ~s->side))
			s->count.partitions_in_run++;
	}
	/* channels that were cut come back as new ones */
	for (unsigned a = 1; old && a <= s->opt.n; a++)
		for (unsigned b = a + 1; b <= s->opt.n; b++)
			if (km_set_has(old, a) != km_set_has(old, b) && km_set_has(s->side, a) == km_set_has(s->side, b))
				sim_connect(s, &s->peers[a], &s->peers[b]);
}

static void kill_random(struct sim *s)
{
	struct sim_node *node = sim_nth(s, 1 + (unsigned)km_rng_below(&s->rng, sim_nodes(s)));

	if (node->alive)
		sim_crash(s, s->clone.alive && s->clone.addr.kind == node->addr.kind && s->clone.addr.id == node->addr.id &&
				       km_rng_below(&s->rng, 2) ? &s->clone : node);
	plan(s, SIM_KILL_RANDOM, s->opt.faults.crash_every_ms);
}

static void partition_random(struct sim *s)
{
	sim_partition(s, (uint32_t)km_rng_below(&s->rng, (uint64_t)1 << s->opt.n));
	sim_push(s, &(struct sim_item){
			.at_us = s->now_us + 1000ull * s->opt.faults.partition_ms, .what = SIM_HEAL, .token = s->partition_no});
	plan(s, SIM_PARTITION, s->opt.faults.partition_every_ms);
}

static void step_clock(struct sim *s)
{
	struct sim_node *node = sim_nth(s, 1 + (unsigned)km_rng_below(&s->rng, sim_nodes(s)));
	uint64_t skew = s->opt.faults.skew_ms;

	node->clock_skew_ms = (int64_t)sim_between(s, 0, 2 * skew) - (int64_t)skew;
	s->count.clock_steps++;
	sim_trace(s, "clock", node->addr, (uint64_t)node->clock_skew_ms, NULL, 0);
	plan(s, SIM_CLOCK_STEP, s->opt.faults.clock_step_every_ms);
}

static void rollback_random(struct sim *s)
{
	struct sim_node *node = &s->peers[1 + km_rng_below(&s->rng, s->opt.n)];
	struct km_event ev = {.kind = KM_EVENT_ROLLBACK};

	if (node->alive) {
		s->count.rollbacks++;
		node->era++;
		sim_trace_event(s, node, &ev);
		sim_step(s, node, &ev);
		sim_check_life(s, node);
	}
	plan(s, SIM_ROLLBACK, s->opt.faults.rollback_every_ms);
}

/* ---- the loop */

static void note_order(struct sim *s, struct sim_node *node, const struct sim_item *it)
{
	unsigned kind = it->from.kind == KM_ADDR_FRONTEND;

	if (!it->token || it->from.id > KM_MAX_PEERS || sim_is_clone(s, node))
		return;
	if (it->token < node->heard[kind][it->from.id])
		s->count.reordered++;
	else
		node->heard[kind][it->from.id] = it->token;
}

/* 1 when the item is an event of this node, filled in. */
static int event_of(struct sim *s, struct sim_node *node, const struct sim_item *it, struct km_event *ev)
{
	if (it->what == SIM_PACKET) {
		note_order(s, node, it);
		ev->kind = KM_EVENT_MESSAGE;
		ev->data = it->data;
		ev->len = it->len;
		return 1;
	}
	/* news of a channel are for both instances of a peer */
	if (node->life != it->life && !(sim_is_clone(s, node) && (it->what == SIM_UP || it->what == SIM_DOWN)))
		return 0;
	switch (it->what) {
	case SIM_TICK:
		if (node->tick_at_us == it->at_us)
			node->tick_at_us = UINT64_MAX;
		ev->kind = KM_EVENT_TICK;
		return 1;
	case SIM_PERSISTED:
		ev->kind = KM_EVENT_PERSISTED;
		ev->err = it->err;
		return 1;
	case SIM_WORKED:
		ev->kind = KM_EVENT_WORKED;
		ev->job = it->job;
		s->count.late_jobs += (uint64_t)sim_job_late(node, it->job);
		return 1;
	case SIM_UP:
	case SIM_DOWN:
		ev->kind = it->what == SIM_UP ? KM_EVENT_UP : KM_EVENT_DOWN;
		return it->what == SIM_DOWN || !sim_cut(s, it->to, it->from);
	case SIM_LOG:
	case SIM_PROOF:
		sim_log_event(s, node, it, ev);
		return 1;
	default:
		return 0;
	}
}

static void give(struct sim *s, struct sim_node *node, const struct sim_item *it)
{
	struct km_event ev = {.from = it->from, .token = it->token};

	if (!node->alive || !event_of(s, node, it, &ev))
		return;
	sim_trace_event(s, node, &ev);
	(void)sim_step_twin(s, node, &ev, it->twin_job);
}

static void one(struct sim *s, struct sim_item *it)
{
	struct sim_node *node = it->clone ? &s->clone : sim_node(s, it->to);

	switch (it->what) {
	case SIM_KILL_RANDOM:
		if (!s->calm)
			kill_random(s);
		return;
	case SIM_PARTITION:
		if (!s->calm)
			partition_random(s);
		return;
	case SIM_HEAL:
		if (s->partition_no == it->token)
			sim_partition(s, 0);
		return;
	case SIM_CLOCK_STEP:
		if (!s->calm)
			step_clock(s);
		return;
	case SIM_ROLLBACK:
		if (!s->calm)
			rollback_random(s);
		return;
	case SIM_CLONE:
		if (!s->calm)
			sim_clone_split(s);
		return;
	case SIM_RESTART:
		if (node->life == it->life)
			sim_restart(s, it->to.kind, it->to.id);
		return;
	default: {
		unsigned readers = it->clone ? 1 : sim_clone_readers(s, it);

		if (readers & 1)
			give(s, node, it);
		if (readers & 2)
			give(s, &s->clone, it);
	}
	}
}

int sim_run(struct sim *s, uint64_t for_us, int (*until)(struct sim *s, void *ctx), void *ctx)
{
	uint64_t start = s->now_us, end = start + for_us;
	int held = until && until(s, ctx);

	while (!held && s->n_heap && s->heap[0].at_us <= end && !s->broken[0]) {
		struct sim_item it = pop(s);

		s->now_us = it.at_us;
		s->count.events++;
		one(s, &it);
		free(it.data);
		held = until && until(s, ctx);
	}
	if (!held && !s->broken[0])
		s->now_us = end;
	s->count.simulated_us += s->now_us - start;
	return held;
}

void sim_start(struct sim *s)
{
	const struct sim_faults *f = &s->opt.faults;

	for (unsigned i = 1; i <= sim_nodes(s); i++)
		sim_birth(s, sim_nth(s, i));
	plan(s, SIM_KILL_RANDOM, f->crash_every_ms);
	plan(s, SIM_PARTITION, f->partition_every_ms);
	plan(s, SIM_CLOCK_STEP, f->clock_step_every_ms);
	plan(s, SIM_ROLLBACK, f->rollback_every_ms);
	if (f->clone_peer)
		sim_clone_plan(s, f->clone_after_ms);
}

void sim_calm(struct sim *s)
{
	s->calm = 1;
	sim_clone_end(s);
	sim_partition(s, 0);
	for (unsigned i = 1; i <= sim_nodes(s); i++)
		if (!sim_nth(s, i)->alive)
			sim_restart(s, sim_nth(s, i)->addr.kind, sim_nth(s, i)->addr.id);
	/* what was lost on a channel was lost with the channel */
	for (unsigned a = 1; a <= sim_nodes(s); a++)
		for (unsigned b = a + 1; b <= sim_nodes(s); b++)
			sim_connect(s, sim_nth(s, a), sim_nth(s, b));
}
