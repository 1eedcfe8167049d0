/* sim_net.c: the simulated network, and the clients and operators at its edge. */
#include "sim_impl.h"

#include <stdlib.h>
#include <string.h>

static int cut(const struct sim *s, struct km_addr a, struct km_addr b)
{
	if (!s->side || a.kind != KM_ADDR_PEER || b.kind != KM_ADDR_PEER)
		return 0;
	return km_set_has(s->side, a.id) != km_set_has(s->side, b.id);
}

static uint64_t delay(struct sim *s)
{
	const struct sim_faults *f = &s->opt.faults;
	uint64_t d = f->delay_min_us;

	if (f->delay_max_us > f->delay_min_us)
		d += km_rng_below(&s->rng, f->delay_max_us - f->delay_min_us + 1);
	if (!s->calm && f->slow && km_rng_below(&s->rng, 1000) < f->slow)
		d *= 100;
	return d;
}

static void packet(struct sim *s, struct km_addr from, struct km_addr to, uint8_t *data, size_t len)
{
	sim_push(s, &(struct sim_item){.at_us = s->now_us + delay(s), .what = SIM_PACKET, .to = to, .from = from, .data = data, .len = len});
}

void sim_send(struct sim *s, struct sim_node *from, struct km_addr to, const uint8_t *data, size_t len, int filtered)
{
	const struct sim_faults *f = &s->opt.faults;
	struct sim_node *node = sim_node(s, to);

	/* data of a secret effect lies in the arena: the network gets its own copy */
	uint8_t *copy = malloc(len ? len : 1);
	KM_ASSERT(copy);
	memcpy(copy, data, len);
	if (!filtered)
		sim_check_send(s, from, to, copy, len);
	s->count.sent++;
	if (!node || (s->filter && !filtered && !s->filter(s->filter_ctx, s, from->addr, to, &copy, &len)) || cut(s, from->addr, to) ||
	    (!s->calm && f->drop && km_rng_below(&s->rng, 1000) < f->drop)) {
		s->count.dropped++;
		free(copy);
		return;
	}
	if (!s->calm && f->duplicate && km_rng_below(&s->rng, 1000) < f->duplicate) {
		uint8_t *twin = malloc(len ? len : 1);

		KM_ASSERT(twin);
		memcpy(twin, copy, len);
		s->count.duplicated++;
		packet(s, from->addr, to, twin, len);
	}
	packet(s, from->addr, to, copy, len);
}

void sim_inject(struct sim *s, struct km_addr to, struct km_addr from, const uint8_t *data, size_t len)
{
	uint8_t *copy = malloc(len ? len : 1);

	KM_ASSERT(copy);
	memcpy(copy, data, len);
	packet(s, from, to, copy, len);
}

void sim_filter(struct sim *s, sim_filter_fn fn, void *ctx)
{
	s->filter = fn;
	s->filter_ctx = ctx;
}

/* ---- clients and operators */

static uint64_t new_result(struct sim *s)
{
	if (s->n_results == s->cap_results) {
		s->cap_results = s->cap_results ? 2 * s->cap_results : 64;
		s->results = realloc(s->results, s->cap_results * sizeof(*s->results));
		KM_ASSERT(s->results);
	}
	memset(&s->results[s->n_results], 0, sizeof(*s->results));
	s->results[s->n_results].asked_us = s->now_us;
	return ++s->n_results;
}

const struct sim_result *sim_result(struct sim *s, uint64_t token)
{
	return &s->results[token - 1];
}

static void refuse(struct sim *s, uint64_t token, int err)
{
	s->results[token - 1].done = 1;
	s->results[token - 1].err = err;
	s->results[token - 1].done_us = s->now_us;
}

uint64_t sim_keygen(struct sim *s, unsigned peer, const char *name)
{
	struct km_request rq = {.kind = KM_REQUEST_KEYGEN, .threshold = (uint8_t)s->opt.threshold, .curve = KM_CURVE_P256};
	uint64_t token = new_result(s);
	struct km_event ev = {.kind = KM_EVENT_REQUEST, .token = token, .request = &rq};

	strncpy(rq.name, name, KM_MAX_NAME);
	if (!s->peers[peer].alive)
		refuse(s, token, KM_E_STATE);
	else
		sim_step(s, &s->peers[peer], &ev);
	return token;
}

uint64_t sim_sign(struct sim *s, unsigned frontend, const char *key, uint64_t nonce, uint32_t deadline_ms)
{
	static const char text[] = "TLS 1.3, server CertificateVerify"; /* its NUL is part of the content */
	uint8_t content[64 + sizeof(text) + 32];
	struct km_request rq = {.kind = KM_REQUEST_SIGN, .context = KM_CTX_TLS13_SERVER, .deadline_ms = deadline_ms, .data = content, .len = sizeof(content)};
	uint64_t token = new_result(s);
	struct km_event ev = {.kind = KM_EVENT_REQUEST, .token = token, .request = &rq};
	struct km_hash h;

	s->count.requests++;
	if (!s->fronts[frontend].alive) {
		refuse(s, token, KM_E_STATE);
		return token;
	}
	const struct km_table *t = km_frontend_key_by_name(s->fronts[frontend].frontend, key);
	if (!t) {
		refuse(s, token, KM_E_NOTFOUND);
		return token;
	}
	memcpy(rq.key_id, t->key_id, sizeof(rq.key_id));
	memset(content, 0x20, 64);
	memcpy(content + 64, text, sizeof(text));
	km_hash_init(&h, "sim/content");
	km_hash_u64(&h, nonce);
	km_hash_final(&h, content + 64 + sizeof(text));
	memcpy(rq.random, content + sizeof(content) - 16, sizeof(rq.random));
	sim_step(s, &s->fronts[frontend], &ev);
	return token;
}

struct setup {
	const char *name;
	unsigned ready;
};

static int all_ready(struct sim *s, void *ctx)
{
	const struct setup *want = ctx;

	for (unsigned i = 1; i <= s->opt.n; i++) {
		struct km_peer_status st;
		unsigned ready = 0, found = 0;

		if (!s->peers[i].alive)
			return 0;
		int err = km_peer_status(s->peers[i].peer, &st);
		KM_ASSERT(!err);
		for (unsigned k = 0; k < st.n_keys; k++) {
			if (strcmp(st.keys[k].name, want->name) == 0) {
				found = 1;
				ready = st.keys[k].ready;
			}
		}
		km_peer_status_clear(&st);
		if (!found || ready < want->ready)
			return 0;
	}
	for (unsigned i = 1; i <= s->opt.frontends; i++)
		if (!s->fronts[i].alive || !km_frontend_key_by_name(s->fronts[i].frontend, want->name))
			return 0;
	return 1;
}

int sim_setup_key(struct sim *s, const char *name, unsigned ready)
{
	struct setup want = {name, ready};

	/* status is not for free: ask every 50 ms of virtual time, not after every event */
	sim_run(s, 2000000, NULL, NULL);
	uint64_t token = sim_keygen(s, 1, name);
	for (int i = 0; i < 2400 && !s->broken[0]; i++) {
		if (all_ready(s, &want))
			return 1;
		if (sim_result(s, token)->done && sim_result(s, token)->err) {
			sim_run(s, 3000000, NULL, NULL);
			token = sim_keygen(s, 1, name);
		}
		sim_run(s, 50000, NULL, NULL);
	}
	return 0;
}
