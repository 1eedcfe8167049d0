/* sim_draw.c: what a seed of the swarm is: sizes, faults, corrupt peers. */
#include "sim_swarm_impl.h"

#include <stdio.h>
#include <string.h>

#define MAX_N 9

const int swarm_any_engine = 1;

unsigned swarm_pick(struct swarm *w, unsigned lo, unsigned hi)
{
	return lo + (unsigned)km_rng_below(&w->rng, hi - lo + 1);
}

/* A fault is off in half of the seeds: one that hides another must not be there always. */
static unsigned maybe(struct swarm *w, unsigned lo, unsigned hi)
{
	unsigned v = swarm_pick(w, lo, hi);

	return swarm_pick(w, 0, 1) ? v : 0;
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
	/* small ones more often, as they cost less; the last of each kind stands for every N and T */
	static const uint8_t sizes[][2] = {{2, 2}, {3, 2}, {3, 2}, {3, 2}, {3, 2}, {3, 2}, {3, 2}, {3, 3}, {4, 2},
					   {4, 2}, {4, 2}, {4, 3}, {5, 2}, {5, 3}, {5, 3}, {5, 3}, {5, 3}, {0, 0}};
	unsigned k = swarm_pick(w, 0, sizeof(sizes) / sizeof(sizes[0]) - 1);

	o->n = sizes[k][0];
	o->threshold = sizes[k][1];
	if (!o->n) {
		o->n = swarm_pick(w, swarm_any_engine ? 2 : 3, MAX_N);
		o->threshold = swarm_pick(w, 2, swarm_any_engine ? o->n : (o->n + 1) / 2);
	}
	o->frontends = swarm_pick(w, 1, 2);
	/* an owner fills its pools in one to three runs: runs are what a seed costs */
	unsigned quorums = choose(o->n - 1, o->threshold - 1);
	quorums = quorums > 32 ? o->n : quorums;
	o->pool_target = swarm_pick(w, 1, quorums > 8 ? 1 : quorums > 3 ? 2 : 3);
	o->pool_low = swarm_pick(w, 1, o->pool_target);
	unsigned least = (quorums * o->pool_target + 2) / 3;
	o->batch = swarm_pick(w, least < 4 ? 4 : least, 16);
}

static void draw_faults(struct swarm *w, struct sim_faults *f)
{
	f->delay_min_us = swarm_pick(w, 20, 200);
	f->delay_max_us =
	    f->delay_min_us + (swarm_pick(w, 0, 3) ? swarm_pick(w, 50, 2000) : swarm_pick(w, 5000, 40000));
	f->job_min_us = 100;
	f->job_max_us = swarm_pick(w, 0, 7) ? swarm_pick(w, 200, 20000) : swarm_pick(w, 1000000, 8000000);
	f->persist_max_us = swarm_pick(w, 100, 30000);
	f->drop = maybe(w, 1, 40);
	f->duplicate = maybe(w, 1, 100);
	f->slow = maybe(w, 1, 30);
	f->replay = maybe(w, 10, 200);
	f->crash_at_persist = maybe(w, 50, 400);
	f->crash_every_ms = maybe(w, 300, 4000);
	f->restart_after_ms = swarm_pick(w, 20, 1500);
	f->silent_death = maybe(w, 200, 1000);
	f->partition_every_ms = maybe(w, 500, 6000);
	f->partition_ms = swarm_pick(w, 100, 6000);
	f->skew_ms = maybe(w, 100, 14000);
	f->clock_step_every_ms = f->skew_ms ? maybe(w, 500, 5000) : 0;
	f->disk_error = maybe(w, 20, 300);
	f->rollback_every_ms = swarm_pick(w, 0, 3) ? 0 : swarm_pick(w, 500, 5000);
	if (!swarm_pick(w, 0, 2)) {
		f->alloc_every = swarm_pick(w, 0, 1) ? swarm_pick(w, 20, 500) : swarm_pick(w, 500, 20000);
		f->alloc_more = swarm_pick(w, 0, 1) ? 0 : swarm_pick(w, 1, 30);
	}
}

static unsigned draw_peer(struct swarm *w, const struct sim_options *o, uint32_t except)
{
	unsigned who;

	do
		who = swarm_pick(w, 1, o->n);
	while (km_set_has(except, who));
	return who;
}

/* Up to T-1 peers in a third of the meshes. */
static uint32_t draw_evil(struct swarm *w, const struct sim_options *o)
{
	uint32_t set = 0;

	if (swarm_pick(w, 0, 2))
		return 0;
	w->n_draft = swarm_pick(w, 0, 1) ? 1 : swarm_pick(w, 1, o->threshold - 1);
	w->evil_early = swarm_pick(w, 0, 2) == 0;
	for (unsigned i = 0; i < w->n_draft; i++) {
		unsigned habits = 0;

		/* often only one habit: one that is seen at once hides the others */
		if (swarm_pick(w, 0, 3))
			habits = 1u << swarm_pick(w, 0, EVIL_N_HABITS - 1);
		else
			for (unsigned k = swarm_pick(w, 2, EVIL_N_HABITS); k; k--)
				habits |= 1u << swarm_pick(w, 0, EVIL_N_HABITS - 1);
		w->draft[i].who = draw_peer(w, o, set);
		w->draft[i].habits = habits;
		w->draft[i].rate = swarm_pick(w, 0, 1) ? 1000 : swarm_pick(w, 20, 500);
		set |= km_set_bit(w->draft[i].who);
	}
	return set;
}

/* A key survives as many old disks as leave T honest shares. */
static void draw_old_disks(struct swarm *w, struct sim_options *o, uint32_t corrupt, unsigned members)
{
	unsigned n = km_set_size(corrupt) + o->threshold, most = members > n ? members - n : 0;

	if (!most || swarm_pick(w, 0, 3))
		return;
	o->faults.old_disk = swarm_pick(w, 100, 800);
	for (unsigned k = swarm_pick(w, 1, most); k; k--)
		w->restorable |= km_set_bit(draw_peer(w, o, corrupt | w->restorable));
}

/* Its own stream: what it draws changes nothing of the other seeds. Of peers that keep their disk and their word. */
static void draw_clone(struct swarm *w, struct sim_options *o, uint32_t corrupt)
{
	struct km_rng rng;
	uint8_t key[KM_SEED_SIZE] = {0};

	for (unsigned i = 0; i < 8; i++)
		key[i] = (uint8_t)(o->seed >> (8 * i));
	km_rng_init(&rng, key, "clone", NULL, 0);
	if (km_rng_below(&rng, 10))
		return;
	uint32_t able = (((uint32_t)1 << o->n) - 1) & ~corrupt & ~w->restorable;
	unsigned who = 0;
	for (unsigned k = able ? 1 + (unsigned)km_rng_below(&rng, km_set_size(able)) : 0; k; k--)
		who = km_set_next(able, who);
	o->faults.clone_peer = who;
	o->faults.clone_after_ms = 1 + (uint32_t)km_rng_below(&rng, 5000);
	if (who)
		o->faults.alloc_every = 0;
}

void swarm_draw(struct swarm *w, struct sim_options *o)
{
	draw_size(w, o);
	draw_faults(w, &o->faults);
	uint32_t corrupt = draw_evil(w, o);
	/* a key generation that may leave out silent peers, as long as enough for presigning remain */
	/* WHY not fewer: two key generations of different halves would each make a key of the one name */
	unsigned least = 2 * o->threshold - 1 < o->n ? 2 * o->threshold - 1 : o->n;
	o->dkg_min = swarm_pick(w, 0, 2) ? 0 : swarm_pick(w, least, o->n);
	/* ... nor with too few honest ones in both */
	if (o->dkg_min && 2 * o->dkg_min < o->n + o->threshold)
		o->dkg_min = (o->n + o->threshold + 1) / 2;
	draw_old_disks(w, o, corrupt, o->dkg_min ? o->dkg_min : o->n);
	draw_clone(w, o, corrupt);
	/* a toy group for volume, P-256 for fidelity */
	o->curve = swarm_pick(w, 0, 99) < (o->threshold == 2 ? 45u : o->threshold == 3 ? 12u : 2u) ? KM_CURVE_P256 : KM_CURVE_TOY;
	w->real_signatures = swarm_pick(w, 0, 7) == 0;
	w->real_ot = swarm_pick(w, 0, o->threshold == 2 ? 7 : o->threshold == 3 ? 31 : 255) == 0;
}

void swarm_in_words(const struct swarm *w, const struct sim_options *o, char *out, size_t size)
{
	const struct sim_faults *f = &o->faults;
	int n = snprintf(out, size,
			 "%s N=%u T=%u min=%u B=%u pool=%u/%u drop=%u dup=%u slow=%u replay=%u persist=%u crash=%u part=%u skew=%u "
			 "disk=%u back=%u memory=%u+%u old=%#x/%u clone=%u",
			 o->curve == KM_CURVE_P256 ? "P-256" : "toy", o->n, o->threshold, o->dkg_min, o->batch, o->pool_low, o->pool_target, f->drop, f->duplicate, f->slow,
			 f->replay, f->crash_at_persist, f->crash_every_ms, f->partition_every_ms, f->skew_ms, f->disk_error,
			 f->rollback_every_ms, f->alloc_every, f->alloc_more, (unsigned)w->restorable, f->old_disk, f->clone_peer);

	for (unsigned i = 0; i < w->n_draft && (size_t)n < size; i++)
		n += snprintf(out + n, size - (size_t)n, " %sevil=%u habits=%#x rate=%u", w->evil_early ? "early " : "",
			      w->draft[i].who, w->draft[i].habits, w->draft[i].rate);
}
