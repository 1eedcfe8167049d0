/* net.c: the in-process network of protocol machines. */
#define _GNU_SOURCE
#include "net.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "base/hash.h"
#include "base/secret.h"
#include "base/sig.h"

struct packet {
	uint8_t from, to;
	uint8_t *raw;
	size_t len;
};

struct net {
	struct net_party party[KM_MAX_PEERS + 1];
	struct packet *queue;
	size_t n, cap;
	struct km_rng rng;
	uint64_t now;
	net_tap_fn tap;
	void *tap_ctx;
	net_job_fn job;
};

static void seed_bytes(uint64_t seed, const char *what, uint8_t id, uint8_t out[KM_SEED_SIZE])
{
	struct km_hash h;

	km_hash_init(&h, "test/net");
	km_hash_u64(&h, seed);
	km_hash_str(&h, what);
	km_hash_u8(&h, id);
	km_hash_final(&h, out);
}

static uint64_t cpu_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

struct net *net_new(uint64_t seed)
{
	struct net *net = calloc(1, sizeof(*net));
	uint8_t s[KM_SEED_SIZE];

	KM_ASSERT(net);
	seed_bytes(seed, "order", 0, s);
	km_rng_init(&net->rng, s, "net", NULL, 0);
	net->now = 1000;
	return net;
}

void net_free(struct net *net)
{
	for (size_t i = 0; i < net->n; i++)
		free(net->queue[i].raw);
	for (unsigned i = 0; i <= KM_MAX_PEERS; i++) {
		free(net->party[i].evidence);
		km_secret_free(net->party[i].persisted);
	}
	free(net->queue);
	free(net);
}

void net_add(struct net *net, uint8_t id, struct km_machine *m)
{
	net->party[id].m = m;
	net->party[id].present = 1;
}

struct net_party *net_party(struct net *net, uint8_t id)
{
	return &net->party[id];
}

void net_tap(struct net *net, net_tap_fn fn, void *ctx)
{
	net->tap = fn;
	net->tap_ctx = ctx;
}

void net_jobs(struct net *net, net_job_fn fn)
{
	net->job = fn;
}

uint64_t net_now(const struct net *net)
{
	return net->now;
}

void net_inject(struct net *net, uint8_t from, uint8_t to, const uint8_t *raw, size_t len)
{
	if (net->n == net->cap) {
		net->cap = net->cap ? 2 * net->cap : 64;
		net->queue = realloc(net->queue, net->cap * sizeof(*net->queue));
		KM_ASSERT(net->queue);
	}
	struct packet p = {.from = from, .to = to, .raw = malloc(len), .len = len};
	KM_ASSERT(p.raw);
	memcpy(p.raw, raw, len);
	net->queue[net->n++] = p;
}

static void post(struct net *net, uint8_t from, uint8_t to, const struct km_out *out)
{
	if (!net->party[to].present)
		return;
	net_inject(net, from, to, out->data, out->len);
	net->party[from].sent++;
	net->party[from].sent_bytes += out->len;
	struct packet *p = &net->queue[net->n - 1];
	if (net->tap && net->tap(net->tap_ctx, from, to, &p->raw, &p->len) == NET_DROP) {
		free(p->raw);
		net->n--;
	}
}

static void keep(uint8_t **slot, size_t *slot_len, const struct km_out *out, int secret)
{
	if (secret)
		km_secret_free(*slot);
	else
		free(*slot);
	*slot = secret ? km_secret_alloc(out->len) : malloc(out->len);
	KM_ASSERT(*slot);
	memcpy(*slot, out->data, out->len);
	*slot_len = out->len;
}

static void carry_out(struct net *net, uint8_t id, struct km_outs *outs)
{
	struct net_party *p = &net->party[id];
	struct km_out *out;

	while ((out = km_outs_pop(outs))) {
		switch (out->kind) {
		case KM_OUT_SEND:
			for (unsigned j = km_set_next(p->m->participants, 0); j; j = km_set_next(p->m->participants, j))
				if (j != id && (out->peer == 0 || out->peer == j))
					post(net, id, (uint8_t)j, out);
			break;
		case KM_OUT_JOB: {
			p->jobs++;
			uint64_t t = cpu_now();
			if (net->job)
				net->job(p->m, out->job);
			else
				out->job->run(out->job);
			int err = km_machine_worked(p->m, net->now, outs);
			p->cpu_ns += cpu_now() - t;
			KM_ASSERT(err <= 0);
			if (err)
				p->err = err;
			break;
		}
		case KM_OUT_PERSIST:
			keep(&p->persisted, &p->persisted_len, out, 1);
			if (p->crash_at_persist) {
				p->present = 0;
				break;
			}
			int err = km_machine_persisted(p->m, net->now, out->code, outs);
			if (err)
				p->err = err;
			break;
		case KM_OUT_CONVICT:
			p->convicted |= km_set_bit(out->peer);
			p->evidence_kind = out->code;
			keep(&p->evidence, &p->evidence_len, out, 0);
			break;
		case KM_OUT_DISPUTE:
			p->disputed |= km_set_bit(out->peer);
			break;
		case KM_OUT_SUSPECT:
			p->suspected |= out->set;
			break;
		case KM_OUT_DONE:
			p->done = 1;
			break;
		case KM_OUT_DROP:
			p->dropped = 1;
			p->drop_code = out->code;
			p->waited_for = out->set;
			break;
		}
		km_out_free(out);
		if (!p->present) {
			km_outs_clear(outs);
			break;
		}
	}
}

static void step_all_queued(struct net *net)
{
	struct km_outs outs;

	km_outs_init(&outs);
	while (net->n) {
		size_t at = (size_t)km_rng_below(&net->rng, net->n);
		struct packet k = net->queue[at];
		struct net_party *p = &net->party[k.to];

		net->queue[at] = net->queue[--net->n];
		if (p->present) {
			uint64_t t = cpu_now();
			int err = km_machine_message(p->m, net->now, k.from, 0, k.raw, k.len, &outs);
			p->cpu_ns += cpu_now() - t;
			if (err == KM_E_NOMEM)
				p->err = err;
			carry_out(net, k.to, &outs);
		}
		free(k.raw);
	}
}

void net_run(struct net *net, int timeouts)
{
	struct km_outs outs;

	km_outs_init(&outs);
	for (unsigned i = 1; i <= KM_MAX_PEERS; i++) {
		if (!net->party[i].present || net->party[i].m->round)
			continue;
		uint64_t t = cpu_now();
		int err = km_machine_start(net->party[i].m, net->now, &outs);
		net->party[i].cpu_ns += cpu_now() - t;
		if (err)
			net->party[i].err = err;
		carry_out(net, (uint8_t)i, &outs);
	}
	step_all_queued(net);
	while (timeouts) {
		uint64_t next = UINT64_MAX;

		for (unsigned i = 1; i <= KM_MAX_PEERS; i++)
			if (net->party[i].present && km_machine_deadline(net->party[i].m) < next)
				next = km_machine_deadline(net->party[i].m);
		if (next == UINT64_MAX)
			break;
		net->now = next > net->now ? next : net->now;
		for (unsigned i = 1; i <= KM_MAX_PEERS; i++) {
			if (!net->party[i].present)
				continue;
			int err = km_machine_tick(net->party[i].m, net->now, &outs);
			if (err)
				net->party[i].err = err;
			carry_out(net, (uint8_t)i, &outs);
		}
		step_all_queued(net);
	}
}

/* ---- identities */

void net_identity(uint64_t seed, uint8_t id, struct km_identity *out)
{
	seed_bytes(seed, "identity", id, out->priv);
	km_ed25519_public(out->priv, out->pub);
}

void net_channel(uint64_t seed, uint8_t id, uint8_t pub[KM_CHANKEY_SIZE])
{
	uint8_t priv[KM_SEED_SIZE];

	seed_bytes(seed, "channel", id, priv);
	km_x25519_public(priv, pub);
}

void net_roster(uint64_t seed, uint32_t members, uint8_t hash[KM_HASH_SIZE])
{
	uint8_t channel[KM_CHANKEY_SIZE];
	struct km_identity id;
	struct km_hash h;

	km_hash_init(&h, "roster");
	for (unsigned i = km_set_next(members, 0); i; i = km_set_next(members, i)) {
		net_identity(seed, (uint8_t)i, &id);
		net_channel(seed, (uint8_t)i, channel);
		km_hash_u8(&h, (uint8_t)i);
		km_hash_field(&h, id.pub, KM_IDKEY_SIZE);
		km_hash_field(&h, channel, sizeof(channel));
	}
	km_hash_final(&h, hash);
}

void net_params(struct km_machine_params *params, uint8_t keys[KM_MAX_PEERS + 1][KM_IDKEY_SIZE], uint64_t seed, const struct km_curve *curve, uint8_t self,
		uint32_t participants)
{
	struct km_identity id;

	memset(params, 0, sizeof(*params));
	memset(keys, 0, (KM_MAX_PEERS + 1) * KM_IDKEY_SIZE);
	for (unsigned i = km_set_next(participants, 0); i; i = km_set_next(participants, i)) {
		net_identity(seed, (uint8_t)i, &id);
		memcpy(keys[i], id.pub, KM_IDKEY_SIZE);
	}
	params->curve = curve;
	seed_bytes(seed, "sid", 0, params->sid);
	seed_bytes(seed, "seed", self, params->seed);
	params->self = self;
	params->participants = participants;
	net_identity(seed, self, &params->id);
	params->idkeys = (const uint8_t(*)[KM_IDKEY_SIZE])keys;
}

static void setup_msg(struct km_msg *m, uint8_t *raw, size_t size, uint64_t seed, unsigned sender, unsigned round,
		      const uint8_t sid[KM_HASH_SIZE], const struct km_shape *shape, const uint8_t *body)
{
	struct km_identity id;
	struct km_buf b;

	net_identity(seed, (uint8_t)sender, &id);
	km_buf_init_fixed(&b, raw, size);
	int err = km_msg_build(&b, KM_PROTO_SETUP, (uint8_t)round, (uint8_t)sender, 0, sid, shape, body, &id);
	if (!err)
		err = km_msg_parse(m, raw, b.len);
	KM_ASSERT(!err);
}

void net_setup_make(struct net_setup *s, uint64_t seed, struct km_proposal *pr, const struct km_presign_row *rows)
{
	uint8_t body[KM_PROPOSE_MAX], sid[KM_HASH_SIZE], nonce[KM_SEED_SIZE], digest[KM_MAX_PEERS + 1][KM_HASH_SIZE] = { { 0 } };
	struct km_shape shape = km_setup_propose_shape(pr);
	struct km_buf b;

	s->n = 0;
	pr->time_ms = 1700000000000;
	seed_bytes(seed, "incarnation", 0, nonce);
	memcpy(pr->incarnation, nonce, KM_NONCE_SIZE);
	memcpy(pr->nonce, nonce + KM_NONCE_SIZE, KM_NONCE_SIZE);
	km_buf_init_fixed(&b, body, sizeof(body));
	km_setup_put(&b, pr, rows);
	KM_ASSERT(!b.err);
	km_setup_propose_sid(body, b.len, sid);
	setup_msg(&s->propose, s->raw, sizeof(s->raw), seed, km_set_next(pr->participants, 0), KM_SETUP_PROPOSE, sid, &shape, body);
	shape = km_setup_join_shape(pr->purpose);
	for (unsigned i = km_set_next(pr->participants, 0); i; i = km_set_next(pr->participants, i), s->n++) {
		seed_bytes(seed, "join", (uint8_t)i, nonce);
		km_setup_join_put(body, s->propose.digest, nonce, nonce + KM_NONCE_SIZE);
		if (pr->purpose == KM_PURPOSE_RESHARE)
			km_setup_join_put_epoch(body, &s->highest[i], NULL);
		km_setup_join_sid(body, sid);
		setup_msg(&s->join[s->n], s->join_raw[s->n], KM_JOIN_MAX, seed, i, KM_SETUP_JOIN, sid, &shape, body);
		memcpy(digest[i], s->join[s->n].digest, KM_HASH_SIZE);
	}
	km_setup_sid(s->propose.digest, pr->participants, (const uint8_t(*)[KM_HASH_SIZE])digest, s->sid);
}

uint8_t *net_resign(const struct km_identity *id, const uint8_t *raw, size_t len, const struct km_shape *shape, size_t *out_len)
{
	struct km_msg m;
	struct km_buf b;

	int err = km_msg_parse(&m, raw, len);
	KM_ASSERT(!err);
	km_buf_init(&b);
	err = km_msg_build(&b, m.proto, m.round, m.sender, m.recipient, m.sid, shape, m.body, id);
	KM_ASSERT(!err);
	return km_buf_take(&b, out_len);
}
