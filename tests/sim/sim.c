/* sim.c: the event loop of a simulation: nodes, their lives, disks and jobs. */
#include "sim_impl.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/sig.h"

#define WALL_START_MS 1800000000000u

static void *must(void *p)
{
	KM_ASSERT(p);
	return p;
}

struct sim_node *sim_node(struct sim *s, struct km_addr a)
{
	if (a.kind == KM_ADDR_PEER && a.id >= 1 && a.id <= s->opt.n)
		return &s->peers[a.id];
	if (a.kind == KM_ADDR_FRONTEND && a.id >= 1 && a.id <= s->opt.frontends)
		return &s->fronts[a.id];
	return NULL;
}

void sim_trace(struct sim *s, const char *what, struct km_addr a, uint64_t v, const void *data, size_t len)
{
	km_hash_str(&s->trace, what);
	km_hash_u64(&s->trace, s->now_us);
	km_hash_u32(&s->trace, (uint32_t)a.kind << 16 | a.id);
	km_hash_u64(&s->trace, v);
	km_hash_field(&s->trace, data, len);
	if (s->opt.verbose)
		printf("# %12.6f %c%-2u %s %llu (%zu bytes)\n", (double)s->now_us / 1e6, a.kind == KM_ADDR_PEER ? 'P' : 'F', a.id, what,
		       (unsigned long long)v, len);
}

/* ---- the heap */

static int before(const struct sim_item *a, const struct sim_item *b)
{
	return a->at_us != b->at_us ? a->at_us < b->at_us : a->seq < b->seq;
}

void sim_push(struct sim *s, const struct sim_item *item)
{
	if (s->n_heap == s->cap_heap) {
		s->cap_heap = s->cap_heap ? 2 * s->cap_heap : 1024;
		s->heap = must(realloc(s->heap, s->cap_heap * sizeof(*s->heap)));
	}
	size_t i = s->n_heap++;
	s->heap[i] = *item;
	s->heap[i].seq = s->seq++;
	while (i && before(&s->heap[i], &s->heap[(i - 1) / 2])) {
		struct sim_item t = s->heap[i];

		s->heap[i] = s->heap[(i - 1) / 2];
		s->heap[(i - 1) / 2] = t;
		i = (i - 1) / 2;
	}
}

static struct sim_item pop(struct sim *s)
{
	struct sim_item top = s->heap[0];
	size_t i = 0;

	s->heap[0] = s->heap[--s->n_heap];
	for (;;) {
		size_t c = 2 * i + 1;

		if (c >= s->n_heap)
			break;
		if (c + 1 < s->n_heap && before(&s->heap[c + 1], &s->heap[c]))
			c++;
		if (!before(&s->heap[c], &s->heap[i]))
			break;
		struct sim_item t = s->heap[i];
		s->heap[i] = s->heap[c];
		s->heap[c] = t;
		i = c;
	}
	return top;
}

/* ---- disks */

static struct sim_file *file(struct sim_node *node, const char *name, int make)
{
	for (size_t i = 0; i < node->n_files; i++)
		if (strcmp(node->files[i].name, name) == 0)
			return &node->files[i];
	if (!make)
		return NULL;
	node->files = must(realloc(node->files, (node->n_files + 1) * sizeof(*node->files)));
	memset(&node->files[node->n_files], 0, sizeof(*node->files));
	snprintf(node->files[node->n_files].name, sizeof(node->files[0].name), "%s", name);
	return &node->files[node->n_files++];
}

static void disk_write(struct sim_node *node, const char *name, const uint8_t *data, size_t len)
{
	struct sim_file *f = file(node, name, 1);

	free(f->data);
	f->data = NULL;
	f->len = len;
	if (data) {
		f->data = must(malloc(len ? len : 1));
		memcpy(f->data, data, len);
	}
}

/* ---- time of a node */

static struct km_time now_of(const struct sim *s, const struct sim_node *node)
{
	return (struct km_time){.mono_us = s->now_us + 1000000,
				.wall_ms = (uint64_t)((int64_t)(WALL_START_MS + s->now_us / 1000) + node->clock_skew_ms)};
}

static void arm(struct sim *s, struct sim_node *node)
{
	uint64_t at = UINT64_MAX;

	if (node->peer)
		at = km_peer_deadline(node->peer);
	else if (node->frontend)
		at = km_frontend_deadline(node->frontend);
	if (at == UINT64_MAX)
		return;
	at = at > 1000000 ? at - 1000000 : 0;
	if (at < s->now_us)
		at = s->now_us;
	if (at >= node->tick_at_us)
		return;
	node->tick_at_us = at;
	sim_push(s, &(struct sim_item){.at_us = at, .what = SIM_TICK, .to = node->addr, .life = node->life});
}

/* ---- carrying out effects */

static uint64_t between(struct sim *s, uint64_t lo, uint64_t hi)
{
	return hi > lo ? lo + km_rng_below(&s->rng, hi - lo + 1) : lo;
}

static int chance(struct sim *s, unsigned per_mille)
{
	return !s->calm && per_mille && km_rng_below(&s->rng, 1000) < per_mille;
}

static void crash(struct sim *s, struct sim_node *node)
{
	sim_kill(s, node->addr.kind, node->addr.id);
	sim_push(s, &(struct sim_item){.at_us = s->now_us + (uint64_t)s->opt.faults.restart_after_ms * 1000, .what = SIM_RESTART, .to = node->addr,
				       .life = node->life});
}

static void carry_persist(struct sim *s, struct sim_node *node, const struct km_effect *e)
{
	s->count.persists++;
	if (chance(s, s->opt.faults.crash_at_persist)) {
		if (km_rng_below(&s->rng, 2))
			disk_write(node, e->name, e->data, e->len);
		s->count.crashes_at_persist++;
		crash(s, node);
		return;
	}
	disk_write(node, e->name, e->data, e->len);
	sim_push(s, &(struct sim_item){.at_us = s->now_us + between(s, 1, s->opt.faults.persist_max_us), .what = SIM_PERSISTED, .to = node->addr,
				       .life = node->life, .token = e->token});
}

static void carry_result(struct sim *s, const struct km_effect *e)
{
	if (e->token < 1 || e->token > s->n_results)
		return;
	struct sim_result *r = &s->results[e->token - 1];
	if (r->done)
		sim_break(s, "request %u answered twice", (unsigned)e->token);
	r->done = 1;
	r->err = e->err;
	r->result = e->result;
	r->done_us = s->now_us;
	memcpy(r->text, e->text, sizeof(r->text));
	if (e->err)
		s->count.failed++;
	else
		s->count.signed_ok++;
}

/* Returns 0 when the node died of it. */
static int carry(struct sim *s, struct sim_node *node, struct km_effect *e)
{
	uint32_t life = node->life;

	switch (e->kind) {
	case KM_EFFECT_SEND:
		sim_send(s, node, e->to, e->data, e->len, 0);
		break;
	case KM_EFFECT_PERSIST:
		carry_persist(s, node, e);
		break;
	case KM_EFFECT_WORK:
		s->count.jobs++;
		e->job->run(e->job);
		sim_push(s, &(struct sim_item){.at_us = s->now_us + between(s, s->opt.faults.job_min_us, s->opt.faults.job_max_us), .what = SIM_WORKED,
					       .to = node->addr, .life = node->life, .token = e->token, .job = e->job});
		break;
	case KM_EFFECT_RESULT:
		carry_result(s, e);
		break;
	case KM_EFFECT_EVIDENCE:
		s->count.evidence++;
		sim_check_evidence(s, node, e->data, e->len, (uint8_t)e->to.id);
		break;
	case KM_EFFECT_LOG:
	case KM_EFFECT_PROGRESS:
		if (s->opt.verbose)
			printf("# %12.6f %c%-2u   %s\n", (double)s->now_us / 1e6, node->addr.kind == KM_ADDR_PEER ? 'P' : 'F', node->addr.id, e->text);
		break;
	case KM_EFFECT_AUDIT:
		break;
	}
	return node->alive && node->life == life;
}

void sim_step(struct sim *s, struct sim_node *node, struct km_event *ev)
{
	struct km_effect *e;
	uint32_t life = node->life;
	int alive = 1;

	if (!node->alive)
		return;
	ev->now = now_of(s, node);
	int err = node->peer ? km_peer_step(node->peer, ev, &s->fx) : km_frontend_step(node->frontend, ev, &s->fx);
	if (err)
		sim_trace(s, "error", node->addr, (uint64_t)-err, NULL, 0);
	while ((e = km_effects_pop(&s->fx))) {
		if (alive) {
			sim_trace(s, "effect", node->addr, e->kind, e->secret ? NULL : e->data, e->secret ? 0 : e->len);
			alive = carry(s, node, e);
		}
		km_effects_recycle(&s->fx, e);
	}
	if (alive && node->life == life)
		arm(s, node);
}

/* ---- lives */

static void announce(struct sim *s, struct sim_node *node)
{
	for (unsigned i = 1; i <= s->opt.n + s->opt.frontends; i++) {
		struct km_addr other = {i <= s->opt.n ? KM_ADDR_PEER : KM_ADDR_FRONTEND, (uint16_t)(i <= s->opt.n ? i : i - s->opt.n)};
		struct sim_node *peer = sim_node(s, other);

		if (peer == node || !peer->alive || (other.kind == KM_ADDR_FRONTEND && node->addr.kind == KM_ADDR_FRONTEND))
			continue;
		sim_push(s, &(struct sim_item){.at_us = s->now_us + 200, .what = SIM_UP, .to = node->addr, .from = other, .life = node->life});
		sim_push(s, &(struct sim_item){.at_us = s->now_us + 200, .what = SIM_UP, .to = other, .from = node->addr, .life = peer->life});
	}
}

static void birth(struct sim *s, struct sim_node *node)
{
	uint8_t seed[KM_SEED_SIZE];
	int err;

	km_rng_bytes(&s->rng, seed, sizeof(seed));
	node->life++;
	node->tick_at_us = UINT64_MAX;
	if (node->addr.kind == KM_ADDR_PEER)
		err = km_peer_new(&node->peer, &node->settings, seed);
	else
		err = km_frontend_new(&node->frontend, &node->settings, seed);
	KM_ASSERT(!err);
	node->alive = 1;
	for (size_t i = 0; node->peer && i < node->n_files; i++) {
		if (!node->files[i].data)
			continue;
		err = km_peer_load(node->peer, node->files[i].name, node->files[i].data, node->files[i].len);
		if (err)
			sim_break(s, "peer %u cannot load %s: %s", node->addr.id, node->files[i].name, km_strerror(err));
	}
	sim_trace(s, "start", node->addr, node->life, NULL, 0);
	struct km_event ev = {.kind = KM_EVENT_START};
	sim_step(s, node, &ev);
	announce(s, node);
}

void sim_kill(struct sim *s, enum km_addr_kind kind, unsigned id)
{
	struct sim_node *node = sim_node(s, (struct km_addr){kind, (uint16_t)id});

	if (!node->alive)
		return;
	sim_trace(s, "kill", node->addr, node->life, NULL, 0);
	s->count.crashes++;
	km_peer_free(node->peer);
	km_frontend_free(node->frontend);
	node->peer = NULL;
	node->frontend = NULL;
	node->alive = 0;
	node->life++;
	/* jobs that are out belong to machines that wait for them to be freed */
	for (size_t i = 0; i < s->n_heap; i++) {
		struct sim_item *it = &s->heap[i];

		if (it->what == SIM_WORKED && it->job && it->to.kind == kind && it->to.id == id) {
			km_job_orphan(it->job);
			it->job = NULL;
		}
	}
	for (unsigned i = 1; i <= s->opt.n; i++) {
		struct km_event ev = {.kind = KM_EVENT_DOWN, .from = node->addr};

		if (s->peers[i].alive)
			sim_step(s, &s->peers[i], &ev);
	}
}

void sim_restart(struct sim *s, enum km_addr_kind kind, unsigned id)
{
	struct sim_node *node = sim_node(s, (struct km_addr){kind, (uint16_t)id});

	if (node->alive)
		return;
	s->count.restarts++;
	birth(s, node);
}

void sim_partition(struct sim *s, uint32_t side)
{
	s->side = side;
	sim_trace(s, "partition", (struct km_addr){0, 0}, side, NULL, 0);
	if (side)
		s->count.partitions++;
}

/* ---- faults by the clock */

static void plan_kill(struct sim *s)
{
	if (s->opt.faults.crash_every_ms)
		sim_push(s, &(struct sim_item){.at_us = s->now_us + between(s, 1, 2000ull * s->opt.faults.crash_every_ms), .what = SIM_KILL_RANDOM});
}

static void plan_partition(struct sim *s)
{
	if (s->opt.faults.partition_every_ms)
		sim_push(s, &(struct sim_item){.at_us = s->now_us + between(s, 1, 2000ull * s->opt.faults.partition_every_ms), .what = SIM_PARTITION});
}

static void one(struct sim *s, struct sim_item *it)
{
	struct sim_node *node = sim_node(s, it->to);
	struct km_event ev = {.from = it->from, .token = it->token};

	switch (it->what) {
	case SIM_KILL_RANDOM: {
		if (s->calm)
			return;
		unsigned i = 1 + (unsigned)km_rng_below(&s->rng, s->opt.n + s->opt.frontends);
		node = i <= s->opt.n ? &s->peers[i] : &s->fronts[i - s->opt.n];
		if (node->alive)
			crash(s, node);
		plan_kill(s);
		return;
	}
	case SIM_PARTITION:
		if (s->calm)
			return;
		sim_partition(s, (uint32_t)km_rng_below(&s->rng, (uint64_t)1 << s->opt.n));
		sim_push(s, &(struct sim_item){.at_us = s->now_us + 1000ull * s->opt.faults.partition_ms, .what = SIM_HEAL});
		plan_partition(s);
		return;
	case SIM_HEAL:
		sim_partition(s, 0);
		return;
	case SIM_RESTART:
		sim_restart(s, it->to.kind, it->to.id);
		return;
	case SIM_TICK:
		if (node->life != it->life)
			return;
		if (node->tick_at_us == it->at_us)
			node->tick_at_us = UINT64_MAX;
		ev.kind = KM_EVENT_TICK;
		break;
	case SIM_PACKET:
		ev.kind = KM_EVENT_MESSAGE;
		ev.data = it->data;
		ev.len = it->len;
		break;
	case SIM_PERSISTED:
		ev.kind = KM_EVENT_PERSISTED;
		break;
	case SIM_WORKED:
		ev.kind = KM_EVENT_WORKED;
		ev.job = it->job;
		break;
	case SIM_UP:
		ev.kind = KM_EVENT_UP;
		break;
	}
	if (it->what != SIM_PACKET && node->life != it->life)
		return;
	sim_trace(s, "event", it->to, ev.kind, it->data, it->len);
	sim_step(s, node, &ev);
}

int sim_run(struct sim *s, uint64_t for_us, int (*until)(struct sim *s, void *ctx), void *ctx)
{
	uint64_t end = s->now_us + for_us;

	if (until && until(s, ctx))
		return 1;
	while (s->n_heap && s->heap[0].at_us <= end && !s->broken[0]) {
		struct sim_item it = pop(s);

		s->now_us = it.at_us;
		s->count.events++;
		one(s, &it);
		free(it.data);
		if (until && until(s, ctx))
			return 1;
	}
	s->count.simulated_us += end - s->now_us;
	if (!s->broken[0])
		s->now_us = end;
	return 0;
}

void sim_calm(struct sim *s)
{
	s->calm = 1;
	sim_partition(s, 0);
	for (unsigned i = 1; i <= s->opt.n; i++)
		if (!s->peers[i].alive)
			sim_restart(s, KM_ADDR_PEER, i);
	for (unsigned i = 1; i <= s->opt.frontends; i++)
		if (!s->fronts[i].alive)
			sim_restart(s, KM_ADDR_FRONTEND, i);
}

/* ---- making one */

static void derive(uint64_t seed, const char *what, unsigned id, uint8_t out[32])
{
	struct km_hash h;

	km_hash_init(&h, "sim");
	km_hash_u64(&h, seed);
	km_hash_str(&h, what);
	km_hash_u32(&h, id);
	km_hash_final(&h, out);
}

static void make_settings(struct sim *s)
{
	struct km_settings base;
	struct km_frontend_entry entries[SIM_MAX_FRONTENDS];
	uint8_t priv[32];

	memset(&base, 0, sizeof(base));
	km_settings_defaults(&base);
	for (unsigned i = 1; i <= s->opt.n; i++) {
		struct km_roster_peer *p = &base.roster.peer[i];

		p->id = (uint8_t)i;
		snprintf(p->name, sizeof(p->name), "p%u", i);
		derive(s->opt.seed, "identity", i, priv);
		km_ed25519_public(priv, p->identity);
		derive(s->opt.seed, "channel", i, priv);
		km_x25519_public(priv, p->channel);
	}
	int err = km_roster_finish(&base.roster);
	KM_ASSERT(!err);
	snprintf(s->policy.name, sizeof(s->policy.name), "www");
	s->policy.curve = KM_CURVE_P256;
	s->policy.threshold = (uint8_t)s->opt.threshold;
	s->policy.contexts = km_context_bit(KM_CTX_TLS13_SERVER) | km_context_bit(KM_CTX_TLS12_SERVER);
	memset(entries, 0, sizeof(entries));
	for (unsigned i = 1; i <= s->opt.frontends; i++) {
		entries[i - 1].id = (uint16_t)i;
		snprintf(entries[i - 1].name, sizeof(entries[0].name), "f%u", i);
		derive(s->opt.seed, "frontend", i, priv);
		km_x25519_public(priv, entries[i - 1].channel);
		km_policy_allow_frontend(&s->policy, (uint16_t)i);
	}
	base.keys = &s->policy;
	base.n_keys = 1;
	base.pool_target = s->opt.pool_target;
	base.pool_low = s->opt.pool_low;
	base.batch = s->opt.batch;
	for (unsigned i = 1; i <= s->opt.n + s->opt.frontends; i++) {
		struct sim_node *node = i <= s->opt.n ? &s->peers[i] : &s->fronts[i - s->opt.n];
		unsigned id = i <= s->opt.n ? i : i - s->opt.n;

		node->settings = base;
		memcpy(node->entries, entries, sizeof(entries));
		node->settings.frontends = node->entries;
		node->settings.n_frontends = s->opt.frontends;
		node->addr = (struct km_addr){i <= s->opt.n ? KM_ADDR_PEER : KM_ADDR_FRONTEND, (uint16_t)id};
		if (i <= s->opt.n) {
			node->settings.self_peer = (uint8_t)id;
			derive(s->opt.seed, "identity", id, node->settings.identity.priv);
			km_ed25519_public(node->settings.identity.priv, node->settings.identity.pub);
		} else {
			node->settings.self_frontend = (uint16_t)id;
		}
		derive(s->opt.seed, i <= s->opt.n ? "channel" : "frontend", id, node->settings.channel_priv);
	}
}

struct sim *sim_new(const struct sim_options *o)
{
	struct sim *s = must(calloc(1, sizeof(*s)));
	uint8_t seed[32];

	KM_ASSERT(o->n <= KM_MAX_PEERS && o->frontends <= SIM_MAX_FRONTENDS);
	s->opt = *o;
	derive(o->seed, "rng", 0, seed);
	km_rng_init(&s->rng, seed, "sim", NULL, 0);
	km_hash_init(&s->trace, "sim/trace");
	km_effects_init(&s->fx);
	make_settings(s);
	return s;
}

void sim_free(struct sim *s)
{
	for (unsigned i = 1; i <= s->opt.n; i++)
		sim_kill(s, KM_ADDR_PEER, i);
	for (unsigned i = 1; i <= s->opt.frontends; i++)
		sim_kill(s, KM_ADDR_FRONTEND, i);
	for (size_t i = 0; i < s->n_heap; i++)
		free(s->heap[i].data);
	for (unsigned i = 1; i <= s->opt.n; i++) {
		for (size_t k = 0; k < s->peers[i].n_files; k++)
			free(s->peers[i].files[k].data);
		free(s->peers[i].files);
	}
	km_effects_clear(&s->fx);
	free(s->heap);
	free(s->results);
	free(s->seen);
	free(s->asked);
	free(s);
}

void sim_start(struct sim *s)
{
	for (unsigned i = 1; i <= s->opt.n; i++)
		birth(s, &s->peers[i]);
	for (unsigned i = 1; i <= s->opt.frontends; i++)
		birth(s, &s->fronts[i]);
	plan_kill(s);
	plan_partition(s);
}

struct sim_options *sim_opt(struct sim *s) { return &s->opt; }
struct sim_counters *sim_count(struct sim *s) { return &s->count; }
uint64_t sim_now_us(const struct sim *s) { return s->now_us; }
struct km_rng *sim_rng(struct sim *s) { return &s->rng; }
struct km_peer *sim_peer(struct sim *s, unsigned id) { return s->peers[id].peer; }
struct km_frontend *sim_frontend(struct sim *s, unsigned id) { return s->fronts[id].frontend; }
struct km_settings *sim_peer_settings(struct sim *s, unsigned id) { return &s->peers[id].settings; }
struct km_settings *sim_frontend_settings(struct sim *s, unsigned id) { return &s->fronts[id].settings; }
const char *sim_broken(const struct sim *s) { return s->broken[0] ? s->broken : NULL; }
void sim_corrupt(struct sim *s, unsigned peer) { s->peers[peer].corrupt = 1; }

const uint8_t *sim_trace_hash(struct sim *s)
{
	struct km_hash h = s->trace;

	km_hash_final(&h, s->trace_out);
	return s->trace_out;
}

void sim_break(struct sim *s, const char *fmt, ...)
{
	va_list ap;

	if (s->broken[0])
		return;
	va_start(ap, fmt);
	vsnprintf(s->broken, sizeof(s->broken), fmt, ap);
	va_end(ap);
}
