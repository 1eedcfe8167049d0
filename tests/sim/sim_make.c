/* sim_make.c: settings of a simulated mesh; making, freeing and asking a simulation. */
#include "sim_impl.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/sig.h"

void *sim_grow(void *p, size_t n, size_t *cap, size_t size)
{
	if (n < *cap)
		return p;
	*cap = *cap ? 2 * *cap : 256;
	p = realloc(p, *cap * size);
	KM_ASSERT(p);
	return p;
}

/* ---- settings */

static void derive(uint64_t seed, const char *what, unsigned id, uint8_t out[32])
{
	struct km_hash h;

	km_hash_init(&h, "sim");
	km_hash_u64(&h, seed);
	km_hash_str(&h, what);
	km_hash_u32(&h, id);
	km_hash_final(&h, out);
}

static void make_roster(struct sim *s, struct km_settings *base)
{
	uint8_t priv[32];

	for (unsigned i = 1; i <= s->opt.n; i++) {
		struct km_roster_peer *p = &base->roster.peer[i];

		p->id = (uint8_t)i;
		snprintf(p->name, sizeof(p->name), "p%u", i);
		derive(s->opt.seed, "identity", i, priv);
		km_ed25519_public(priv, p->identity);
		derive(s->opt.seed, "channel", i, priv);
		km_x25519_public(priv, p->channel);
	}
	int err = km_roster_finish(&base->roster);
	KM_ASSERT(!err);
}

static void make_frontends(struct sim *s, struct km_frontend_entry *entries)
{
	uint8_t priv[32];

	for (unsigned i = 1; i <= s->opt.frontends; i++) {
		entries[i - 1].id = (uint16_t)i;
		snprintf(entries[i - 1].name, sizeof(entries[0].name), "f%u", i);
		derive(s->opt.seed, "frontend", i, priv);
		km_x25519_public(priv, entries[i - 1].channel);
		km_policy_allow_frontend(&s->policy, (uint16_t)i);
	}
}

static void make_node(struct sim *s, struct sim_node *node, struct km_addr addr, const struct km_settings *base,
		      const struct km_frontend_entry entries[SIM_MAX_FRONTENDS])
{
	int is_peer = addr.kind == KM_ADDR_PEER;
	uint64_t skew = s->opt.faults.skew_ms;

	node->addr = addr;
	node->settings = *base;
	memcpy(node->entries, entries, sizeof(node->entries));
	node->settings.frontends = node->entries;
	node->settings.n_frontends = s->opt.frontends;
	node->mono_base_us = 1000000 + km_rng_below(&s->rng, (uint64_t)1 << 40);
	node->clock_skew_ms = (int64_t)sim_between(s, 0, 2 * skew) - (int64_t)skew;
	derive(s->opt.seed, is_peer ? "channel" : "frontend", addr.id, node->settings.channel_priv);
	memcpy(node->secret[1], node->settings.channel_priv, 32);
	node->secret_len[1] = 32;
	if (!is_peer) {
		node->settings.self_frontend = addr.id;
		return;
	}
	node->settings.self_peer = (uint8_t)addr.id;
	derive(s->opt.seed, "identity", addr.id, node->settings.identity.priv);
	km_ed25519_public(node->settings.identity.priv, node->settings.identity.pub);
	memcpy(node->secret[0], node->settings.identity.priv, 32);
	node->secret_len[0] = 32;
}

static void make_settings(struct sim *s)
{
	struct km_settings base;
	struct km_frontend_entry entries[SIM_MAX_FRONTENDS];

	memset(&base, 0, sizeof(base));
	memset(entries, 0, sizeof(entries));
	km_settings_defaults(&base);
	make_roster(s, &base);
	snprintf(s->policy.name, sizeof(s->policy.name), "www");
	s->policy.curve = (uint8_t)(s->opt.curve ? s->opt.curve : KM_CURVE_P256);
	s->policy.threshold = (uint8_t)s->opt.threshold;
	s->policy.contexts = km_context_bit(KM_CTX_TLS13_SERVER) | km_context_bit(KM_CTX_TLS12_SERVER);
	make_frontends(s, entries);
	base.keys = &s->policy;
	base.n_keys = 1;
	base.pool_target = s->opt.pool_target;
	base.pool_low = s->opt.pool_low;
	base.batch = s->opt.batch;
	base.dkg_min = s->opt.dkg_min;
	for (unsigned i = 1; i <= s->opt.n; i++)
		make_node(s, &s->peers[i], (struct km_addr){KM_ADDR_PEER, (uint16_t)i}, &base, entries);
	for (unsigned i = 1; i <= s->opt.frontends; i++)
		make_node(s, &s->fronts[i], (struct km_addr){KM_ADDR_FRONTEND, (uint16_t)i}, &base, entries);
}

/* ---- life of a simulation */

struct sim *sim_new(const struct sim_options *o)
{
	struct sim *s = calloc(1, sizeof(*s));
	uint8_t seed[32];

	KM_ASSERT(s && o->n <= KM_MAX_PEERS && o->frontends <= SIM_MAX_FRONTENDS);
	s->opt = *o;
	s->alloc_left = 2ull * o->faults.alloc_every;
	derive(o->seed, "rng", 0, seed);
	km_rng_init(&s->rng, seed, "sim", NULL, 0);
	km_effects_init(&s->fx);
	km_effects_init(&s->shadow_fx);
	make_settings(s);
	return s;
}

void sim_free(struct sim *s)
{
	if (!s)
		return;
	sim_clone_end(s);
	for (unsigned i = 1; i <= sim_nodes(s); i++) {
		struct sim_node *node = sim_nth(s, i);

		sim_bury(s, node);
		sim_disk_free(node);
		sim_log_free(node);
	}
	for (size_t i = 0; i < s->n_heap; i++)
		free(s->heap[i].data);
	for (unsigned i = 0; i < SIM_REPLAY; i++)
		free(s->replay[i].data);
	sim_check_clear(s);
	km_effects_clear(&s->fx);
	km_effects_clear(&s->shadow_fx);
	free(s->heap);
	free(s->results);
	free(s);
}

/* ---- look-ups */

struct sim_node *sim_node(struct sim *s, struct km_addr a)
{
	if (a.kind == KM_ADDR_PEER && a.id >= 1 && a.id <= s->opt.n)
		return &s->peers[a.id];
	if (a.kind == KM_ADDR_FRONTEND && a.id >= 1 && a.id <= s->opt.frontends)
		return &s->fronts[a.id];
	return NULL;
}

unsigned sim_nodes(const struct sim *s)
{
	return s->opt.n + s->opt.frontends;
}

struct sim_node *sim_nth(struct sim *s, unsigned i)
{
	return i <= s->opt.n ? &s->peers[i] : &s->fronts[i - s->opt.n];
}

unsigned sim_number(const struct sim *s, const struct sim_node *node)
{
	return node->addr.kind == KM_ADDR_PEER ? node->addr.id : s->opt.n + node->addr.id;
}

struct sim_options *sim_opt(struct sim *s) { return &s->opt; }
uint64_t sim_now_us(const struct sim *s) { return s->now_us; }
struct km_rng *sim_rng(struct sim *s) { return &s->rng; }
struct km_peer *sim_peer(struct sim *s, unsigned id) { return s->peers[id].peer; }
struct km_frontend *sim_frontend(struct sim *s, unsigned id) { return s->fronts[id].frontend; }
struct km_settings *sim_peer_settings(struct sim *s, unsigned id) { return &s->peers[id].settings; }
struct km_settings *sim_frontend_settings(struct sim *s, unsigned id) { return &s->fronts[id].settings; }
struct km_key_policy *sim_policy(struct sim *s) { return &s->policy; }
const char *sim_broken(const struct sim *s) { return s->broken[0] ? s->broken : NULL; }

void sim_corrupt(struct sim *s, unsigned peer)
{
	s->peers[peer].corrupt = 1;
	s->any_corrupt = 1;
}

void sim_may_restore(struct sim *s, unsigned peer)
{
	s->peers[peer].may_restore = 1;
}

int sim_restored(struct sim *s, unsigned peer)
{
	return s->peers[peer].restored;
}

unsigned sim_cloned(const struct sim *s)
{
	return s->cloned == SIM_CLONE_UNNOTICED ? s->clone.addr.id : 0;
}

struct sim_counters *sim_count(struct sim *s)
{
	for (unsigned i = 1; i <= sim_nodes(s); i++)
		sim_harvest(s, sim_nth(s, i));
	if (s->clone.alive)
		sim_harvest(s, &s->clone);
	return &s->count;
}

const uint8_t *sim_trace_hash(struct sim *s)
{
	_Static_assert(sizeof(s->trace) == sizeof(s->trace_out), "a trace is as long as a hash");
	memcpy(s->trace_out, s->trace, sizeof(s->trace));
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
	if (s->opt.verbose)
		printf("# BROKEN: %s\n", s->broken);
}
