/* sim_net.c: the simulated network, and the clients and operators at its edge. */
#include "sim_impl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "proto/sign.h"

/* ---- packets */

int sim_cut(const struct sim *s, struct km_addr a, struct km_addr b)
{
	if (!s->side || a.kind != KM_ADDR_PEER || b.kind != KM_ADDR_PEER)
		return 0;
	return km_set_has(s->side, a.id) != km_set_has(s->side, b.id);
}

static uint64_t delay(struct sim *s)
{
	const struct sim_faults *f = &s->opt.faults;
	uint64_t d = sim_between(s, f->delay_min_us, f->delay_max_us);

	if (sim_chance(s, f->slow)) {
		d *= 100;
		s->count.slowed++;
	}
	return d;
}

static uint8_t *copy_of(const uint8_t *data, size_t len)
{
	uint8_t *copy = malloc(len ? len : 1);

	KM_ASSERT(copy);
	if (len)
		memcpy(copy, data, len);
	return copy;
}

static void packet(struct sim *s, struct km_addr from, struct km_addr to, uint8_t *data, size_t len, uint64_t number)
{
	sim_push(s, &(struct sim_item){.at_us = s->now_us + delay(s),
				       .what = SIM_PACKET,
				       .to = to,
				       .from = from,
				       .data = data,
				       .len = len,
				       .token = number});
}

static void count_frame(struct sim *s, const uint8_t *data, size_t len)
{
	if (!len)
		return;
	s->count.stalls += data[0] == KM_FRAME_STALL;
	s->count.relays += data[0] == KM_FRAME_RELAY;
	s->count.aborts += data[0] == KM_FRAME_ABORT;
	s->count.refusals += data[0] == KM_FRAME_REFUSE;
}

static void lost(struct sim *s, struct sim_node *from, struct sim_node *to, const uint8_t *data, size_t len)
{
	s->count.dropped++;
	sim_trace_packet(s, "lost", from->addr, to->addr, data, len);
	if (len && data[0] == KM_FRAME_READY)
		s->count.ready_lost++;
	if (len && data[0] == KM_FRAME_SHARE)
		s->count.share_lost++;
	/* a stream loses nothing while it lives: half of the losses are those of a channel that broke and was made again */
	if (!sim_cut(s, from->addr, to->addr) && km_rng_below(&s->rng, 2))
		sim_connect(s, from, to);
}

/* WHY only these kinds: a replay needs the author's channel or a place in a RELAY; HELLO and HEALTH are neither signed nor handed
 * on, and the transport itself lets no byte of a channel be repeated. */
static int may_replay(const uint8_t *data, size_t len)
{
	return len && (data[0] == KM_FRAME_ENVELOPE || (data[0] >= KM_FRAME_SIGN && data[0] <= KM_FRAME_BADSIG));
}

static void replay(struct sim *s, struct km_addr from, struct km_addr to, const uint8_t *data, size_t len)
{
	unsigned k = (unsigned)km_rng_below(&s->rng, SIM_REPLAY);

	if (!may_replay(data, len) || !sim_chance(s, s->opt.faults.replay))
		return;
	if (s->replay[k].data) {
		/* what was kept goes out again now, perhaps into a later life of its reader */
		s->count.replayed++;
		packet(s, s->replay[k].from, s->replay[k].to, s->replay[k].data, s->replay[k].len, 0);
	}
	s->replay[k].from = from;
	s->replay[k].to = to;
	s->replay[k].data = copy_of(data, len);
	s->replay[k].len = len;
}

void sim_send(struct sim *s, struct sim_node *from, struct km_addr to, const uint8_t *data, size_t len)
{
	struct sim_node *node = sim_node(s, to);

	s->count.sent++;
	count_frame(s, data, len);
	sim_check_send(s, from, to, data, len);
	if (!node || to.id > KM_MAX_PEERS) {
		sim_break(s, "node %u sends to nobody (%u.%u)", from->addr.id, to.kind, to.id);
		return;
	}
	/* data of a secret effect lies in the arena: the network gets its own copy */
	uint8_t *copy = copy_of(data, len);
	if (s->filter && !s->filter(s->filter_ctx, s, from->addr, to, &copy, &len)) {
		s->count.dropped++;
		free(copy);
		return;
	}
	if (sim_cut(s, from->addr, to) || sim_chance(s, s->opt.faults.drop)) {
		lost(s, from, node, copy, len);
		free(copy);
		return;
	}
	/* numbers are of one instance: 0 is none */
	uint64_t number = sim_is_clone(s, from) ? 0 : ++from->sent[to.kind == KM_ADDR_FRONTEND][to.id];
	if (sim_chance(s, s->opt.faults.duplicate)) {
		s->count.duplicated++;
		packet(s, from->addr, to, copy_of(copy, len), len, 0);
	}
	replay(s, from->addr, to, copy, len);
	packet(s, from->addr, to, copy, len, number);
}

void sim_inject(struct sim *s, struct km_addr to, struct km_addr from, const uint8_t *data, size_t len)
{
	packet(s, from, to, copy_of(data, len), len, 0);
}

void sim_filter(struct sim *s, sim_filter_fn fn, void *ctx)
{
	s->filter = fn;
	s->filter_ctx = ctx;
}

void sim_after(struct sim *s, void (*fn)(void *ctx, struct sim *s, unsigned peer), void *ctx)
{
	s->after = fn;
	s->after_ctx = ctx;
}

/* ---- clients and operators */

static uint64_t new_result(struct sim *s, const struct sim_node *node, int sign)
{
	s->results = sim_grow(s->results, s->n_results, &s->cap_results, sizeof(*s->results));
	struct sim_result *r = &s->results[s->n_results++];

	memset(r, 0, sizeof(*r));
	r->asked_us = s->now_us;
	r->sign = sign;
	r->node = node->addr;
	r->life = node->life;
	return s->n_results;
}

struct sim_result *sim_answer(struct sim *s, uint64_t token)
{
	return token >= 1 && token <= s->n_results ? &s->results[token - 1] : NULL;
}

const struct sim_result *sim_result(struct sim *s, uint64_t token)
{
	return &s->results[token - 1];
}

int sim_result_owed(struct sim *s, uint64_t token)
{
	const struct sim_result *r = &s->results[token - 1];
	const struct sim_node *node = sim_node(s, r->node);

	return node->alive && node->life == r->life;
}

static void refuse(struct sim *s, uint64_t token, int err)
{
	s->results[token - 1].done = 1;
	s->results[token - 1].err = err;
	s->results[token - 1].done_us = s->now_us;
}

uint64_t sim_keygen(struct sim *s, unsigned peer, const char *name)
{
	struct km_request rq = {.kind = KM_REQUEST_KEYGEN, .threshold = (uint8_t)s->opt.threshold, .curve = s->policy.curve};

	snprintf(rq.name, sizeof(rq.name), "%s", name);
	return sim_operate(s, peer, &rq);
}

uint64_t sim_operate(struct sim *s, unsigned peer, const struct km_request *rq)
{
	uint64_t token = new_result(s, &s->peers[peer], 0);
	struct km_event ev = {.kind = KM_EVENT_REQUEST, .token = token, .request = rq};

	if (!s->peers[peer].alive) {
		refuse(s, token, KM_E_STATE);
		return token;
	}
	sim_trace_event(s, &s->peers[peer], &ev);
	int err = sim_step(s, &s->peers[peer], &ev);
	if (err && !s->results[token - 1].done)
		refuse(s, token, err);
	return token;
}

size_t sim_content(uint8_t *content, uint64_t nonce)
{
	static const char text[] = "TLS 1.3, server CertificateVerify"; /* its NUL is part of the content */
	struct km_hash h;

	memset(content, 0x20, 64);
	memcpy(content + 64, text, sizeof(text));
	km_hash_init(&h, "sim/content");
	km_hash_u64(&h, nonce);
	km_hash_final(&h, content + 64 + sizeof(text));
	return 64 + sizeof(text) + KM_HASH_SIZE;
}

uint64_t sim_sign(struct sim *s, unsigned frontend, const char *key, uint64_t nonce, uint32_t deadline_ms)
{
	uint8_t content[SIM_CONTENT_MAX];
	struct km_request rq = {
	    .kind = KM_REQUEST_SIGN, .context = KM_CTX_TLS13_SERVER, .deadline_ms = deadline_ms, .data = content};
	struct sim_node *node = &s->fronts[frontend];
	uint64_t token = new_result(s, node, 1);
	struct km_event ev = {.kind = KM_EVENT_REQUEST, .token = token, .request = &rq};

	s->count.requests++;
	if (!node->alive) {
		refuse(s, token, KM_E_STATE);
		return token;
	}
	const struct km_table *t = km_frontend_key_by_name(node->frontend, key);
	if (!t) {
		refuse(s, token, KM_E_NOTFOUND);
		return token;
	}
	rq.len = sim_content(content, nonce);
	memcpy(rq.key_id, t->key_id, sizeof(rq.key_id));
	memcpy(rq.random, content + rq.len - sizeof(rq.random), sizeof(rq.random));
	struct sim_result *r = sim_answer(s, token);
	memcpy(r->key_id, t->key_id, sizeof(r->key_id));
	int err = km_sign_hash_bytes(t->curve, &r->m, content, rq.len);
	KM_ASSERT(!err);
	sim_trace_event(s, node, &ev);
	err = sim_step(s, node, &ev);
	if (err && !s->results[token - 1].done)
		refuse(s, token, err);
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
