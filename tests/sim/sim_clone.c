/* sim_clone.c: running memory that is copied: two instances of one peer live behind one identity.
 *
 * From its birth the peer has a shadow: a second km_peer from the same seed, given the same events, whose effects go nowhere and must be
 * the same. (A node is a function of its seed and its events; this is also tested by it.) At a drawn moment the shadow becomes the clone,
 * with a copy of the disk, and from then on packets go to one of the two or to both.
 *
 * Noticed: at least one of the two is told before it does anything else, as a driver does that sees a new generation of its machine. All
 * invariants hold then. Unnoticed: whatever both sign, they sign as a corrupt peer could, and the invariants hold for all others: a
 * presignature is spent once by each of them, so that no two messages complete under it. */
#include "sim_impl.h"

#include <stdlib.h>
#include <string.h>
#include "node/peer_impl.h"

#define AGAIN_MS 100
/* Eras of a clone that was told: those of no first instance. */
#define CLONE_ERA 0x100000u

int sim_is_clone(const struct sim *s, const struct sim_node *node)
{
	return node == &s->clone;
}

int sim_has_shadow(const struct sim *s, const struct sim_node *node)
{
	return node->addr.kind == KM_ADDR_PEER && node->addr.id == s->opt.faults.clone_peer && !s->cloned && !s->calm;
}

void sim_clone_plan(struct sim *s, uint32_t after_ms)
{
	sim_push(s, &(struct sim_item){.at_us = s->now_us + 1000ull * after_ms, .what = SIM_CLONE});
}

/* A share of a key that was made behind the other's back. WHY: one of two machines goes, and the operator keeps the one without which a
 * key would be lost; not one for the shares that the other has removed. */
static int has_more(const struct sim_node *a, const struct sim_node *b)
{
	for (size_t i = 0; i < a->n_files; i++) {
		int found = !a->files[i].data || !strstr(a->files[i].name, ".share");

		for (size_t k = 0; k < b->n_files && !found; k++)
			found = strcmp(a->files[i].name, b->files[k].name) == 0;
		if (!found)
			return 1;
	}
	return 0;
}

void sim_clone_end(struct sim *s)
{
	/* before it was copied: as if nothing had been planned */
	for (unsigned i = 1; i <= s->opt.n; i++) {
		km_peer_free(s->peers[i].shadow);
		s->peers[i].shadow = NULL;
	}
	if (!s->clone.alive)
		return;
	struct sim_node *first = &s->peers[s->clone.addr.id];
	sim_trace(s, "clone ends", s->clone.addr, s->clone.life, NULL, 0);
	if (has_more(&s->clone, first)) {
		if (first->alive)
			sim_bury(s, first);
		sim_disk_free(first);
		sim_disk_copy(first, &s->clone);
		sim_restart_later(s, first);
	}
	sim_bury(s, &s->clone);
	sim_disk_free(&s->clone);
}

/* ---- in step with the first */

void sim_shadow_step(struct sim *s, struct sim_node *node, const struct km_event *ev, struct km_job *job, int err)
{
	struct km_event same = *ev;

	if (ev->kind == KM_EVENT_WORKED) {
		KM_ASSERT(job);
		same.job = job;
	}
	if (km_peer_step(node->shadow, &same, &s->shadow_fx) != err)
		sim_break(s, "peer %u and its shadow differ in what a step returns", node->addr.id);
}

struct km_effect *sim_shadow_effect(struct sim *s, struct sim_node *node, const struct km_effect *e)
{
	struct km_effect *twin = km_effects_pop(&s->shadow_fx);

	if (!twin)
		return NULL;
	if (twin->kind != e->kind || twin->to.kind != e->to.kind || twin->to.id != e->to.id || twin->token != e->token || twin->len != e->len ||
	    !twin->data != !e->data || (e->data && memcmp(twin->data, e->data, e->len) != 0) || strcmp(twin->text, e->text) != 0)
		sim_break(s, "peer %u and its shadow differ: it does not depend on its seed and events alone", node->addr.id);
	if (twin->kind == e->kind)
		return twin;
	km_effects_recycle(&s->shadow_fx, twin);
	return NULL;
}

/* ---- apart */

/* What is on its way to the first instance from its own machine is so to the second: jobs, and answers of its disk. */
static void copy_items(struct sim *s, const struct sim_node *node)
{
	size_t n = s->n_heap;
	struct sim_item *all = malloc((n ? n : 1) * sizeof(*all));

	KM_ASSERT(all);
	memcpy(all, s->heap, n * sizeof(*all));
	for (size_t i = 0; i < n; i++) {
		struct sim_item it = all[i];

		if (it.clone || it.to.kind != KM_ADDR_PEER || it.to.id != node->addr.id || it.life != node->life ||
		    (it.what != SIM_WORKED && it.what != SIM_PERSISTED))
			continue;
		if (it.what == SIM_WORKED) {
			KM_ASSERT(it.twin_job);
			it.job = it.twin_job;
		}
		it.twin_job = NULL;
		it.clone = 1;
		it.life = s->clone.life;
		it.at_us = s->now_us + sim_between(s, 1, 2 * (it.at_us - s->now_us) + 1);
		sim_push(s, &it);
	}
	free(all);
}

static void tell(struct sim *s, struct sim_node *node, uint32_t era)
{
	uint8_t fresh[16];
	struct km_event ev = {.kind = KM_EVENT_ROLLBACK};

	/* without randomness of the driver's own it is the time at which each is told that parts them */
	if (km_rng_below(&s->rng, 2)) {
		km_rng_bytes(&s->rng, fresh, sizeof(fresh));
		ev.data = fresh;
		ev.len = sizeof(fresh);
	} else {
		node->mono_base_us += (sim_is_clone(s, node) ? 1 : 1001) + km_rng_below(&s->rng, 1000);
	}
	node->era = era;
	sim_trace_event(s, node, &ev);
	sim_step(s, node, &ev);
	sim_check_life(s, node);
}

/* Most often there should be something that can be spent twice. */
static int now_or_later(struct sim *s, const struct sim_node *node)
{
	return node->alive && node->shadow && (node->peer->n_held || km_rng_below(&s->rng, 64) == 0);
}

void sim_clone_split(struct sim *s)
{
	struct sim_node *node = &s->peers[s->opt.faults.clone_peer], *clone = &s->clone;

	if (s->cloned)
		return;
	if (!now_or_later(s, node)) {
		sim_clone_plan(s, AGAIN_MS);
		return;
	}
	sim_harvest(s, node);
	*clone = *node;
	clone->peer = node->shadow;
	node->shadow = clone->shadow = NULL;
	clone->may_restore = 0;
	clone->tick_at_us = UINT64_MAX;
	sim_disk_copy(clone, node);
	sim_trace(s, "clone", node->addr, node->life, NULL, 0);
	copy_items(s, node);
	sim_arm(s, clone);
	/* by sender, half of the time; else by packet */
	if (km_rng_below(&s->rng, 2)) {
		s->clone_route[0] = (uint32_t)km_rng_u64(&s->rng);
		s->clone_route[1] = (uint32_t)km_rng_u64(&s->rng) | 1;
	}
	/* WHY none with corrupt peers: a quorum of them and of both instances would have nobody who spends a presignature once */
	s->cloned = s->any_corrupt || km_rng_below(&s->rng, 3) == 0 ? SIM_CLONE_NOTICED : SIM_CLONE_UNNOTICED;
	if (s->cloned == SIM_CLONE_UNNOTICED) {
		s->count.clones_unnoticed++;
		return;
	}
	s->count.clones_noticed++;
	unsigned told = 1 + (unsigned)km_rng_below(&s->rng, 3);
	if (told & 1)
		tell(s, clone, CLONE_ERA);
	if (told & 2)
		tell(s, node, node->era + 1);
}

unsigned sim_clone_readers(struct sim *s, const struct sim_item *it)
{
	const struct sim_node *node = sim_node(s, it->to);
	unsigned kind = it->from.kind == KM_ADDR_FRONTEND;

	if (!s->clone.alive || it->to.kind != KM_ADDR_PEER || it->to.id != s->clone.addr.id)
		return 1;
	if (it->what == SIM_UP || it->what == SIM_DOWN)
		return 3;
	if (it->what != SIM_PACKET)
		return 1;
	if (!node->alive)
		return 2;
	if (s->clone_route[0] | s->clone_route[1])
		return km_set_has(s->clone_route[kind], it->from.id) ? 2 : 1;
	return 1 + (unsigned)km_rng_below(&s->rng, 3);
}
