/* fakemesh.c: scripted peers around one frontend. */
#include "fakemesh.h"

#include <stdlib.h>
#include <string.h>
#include "base/hash.h"
#include "base/secret.h"
#include "base/sig.h"

static void make_settings(struct fake *m, unsigned n)
{
	struct km_roster *r = &m->s.roster;
	struct km_identity id;
	int err;

	km_settings_defaults(&m->s);
	m->s.self_frontend = 7;
	km_rng_bytes(&m->rng, m->s.channel_priv, 32);
	for (unsigned i = 1; i <= n; i++) {
		net_identity(m->dealer.seed, (uint8_t)i, &id);
		r->peer[i].id = (uint8_t)i;
		km_format(r->peer[i].name, sizeof(r->peer[i].name), "p%u", i);
		memcpy(r->peer[i].identity, id.pub, KM_IDKEY_SIZE);
		km_rng_bytes(&m->rng, m->chan_priv[i], 32);
		km_x25519_public(m->chan_priv[i], r->peer[i].channel);
		m->peer[i].ready = 10;
		m->peer[i].states = 1;
	}
	err = km_roster_finish(r);
	KM_ASSERT(!err);
}

void fake_init(struct fake *m, unsigned n, unsigned threshold)
{
	static const uint8_t seed[KM_SEED_SIZE] = { 77 };
	uint32_t members = n == 32 ? UINT32_MAX : ((uint32_t)1 << n) - 1;
	int err;

	memset(m, 0, sizeof(*m));
	km_rng_init(&m->rng, seed, "fakemesh", NULL, 0);
	dealer_init(&m->dealer, 42, km_curve_p256(), members, threshold);
	/* the same identities, another key */
	dealer_init(&m->other, 43, km_curve_p256(), members, threshold);
	memcpy(m->other.table.idkeys, m->dealer.table.idkeys, sizeof(m->other.table.idkeys));
	err = km_table_finish(&m->other.table);
	KM_ASSERT(!err);
	make_settings(m, n);
	m->frames = calloc(FAKE_FRAMES, sizeof(*m->frames));
	m->results = calloc(FAKE_RESULTS, sizeof(*m->results));
	KM_ASSERT(m->frames && m->results);
	m->way_us = 300;
	m->now.mono_us = 5000000;
	m->now.wall_ms = 1700000000000;
	km_effects_init(&m->fx);
	fake_restart(m);
}

static void drop_frames(struct fake *m)
{
	while (m->n_frames)
		free(m->frames[--m->n_frames].data);
}

void fake_clear(struct fake *m)
{
	km_frontend_free(m->f);
	km_effects_clear(&m->fx);
	drop_frames(m);
	free(m->frames);
	free(m->results);
}

void fake_restart(struct fake *m)
{
	static const uint8_t seed[KM_SEED_SIZE] = { 5 };
	struct km_event ev = { .kind = KM_EVENT_START };
	int err;

	km_frontend_free(m->f);
	drop_frames(m);
	err = km_frontend_new(&m->f, &m->s, seed);
	KM_ASSERT(!err);
	fake_event(m, &ev);
}

static void queue(struct fake *m, unsigned peer, int to_frontend, uint64_t at, const uint8_t *data, size_t len)
{
	struct fake_frame *f = &m->frames[m->n_frames];

	KM_ASSERT(m->n_frames < FAKE_FRAMES);
	f->data = malloc(len ? len : 1);
	KM_ASSERT(f->data);
	memcpy(f->data, data, len);
	f->len = len;
	f->peer = peer;
	f->to_frontend = to_frontend;
	f->at = at;
	m->n_frames++;
}

void fake_inject(struct fake *m, unsigned peer, const void *data, size_t len)
{
	queue(m, peer, 1, m->now.mono_us + m->way_us, data, len);
}

/* ---- the frontend's effects */

static void effects(struct fake *m)
{
	struct km_effect *e;
	struct fake_result *r;

	while ((e = km_effects_pop(&m->fx))) {
		switch (e->kind) {
		case KM_EFFECT_SEND:
			KM_ASSERT(e->to.kind == KM_ADDR_PEER);
			m->sent_reqs += e->data[0] == KM_FRAME_REQ;
			queue(m, e->to.id, 0, m->now.mono_us + m->way_us, e->data, e->len);
			break;
		case KM_EFFECT_RESULT:
			KM_ASSERT(m->n_results < FAKE_RESULTS);
			r = &m->results[m->n_results++];
			r->token = e->token;
			r->err = e->err;
			r->result = e->result;
			r->at_us = m->now.mono_us;
			memcpy(r->text, e->text, sizeof(r->text));
			break;
		case KM_EFFECT_LOG:
			if (m->log_len + sizeof(e->text) + 8 < sizeof(m->log)) {
				km_format(m->log + m->log_len, sizeof(e->text) + 8, "%u %s\n", (unsigned)e->level, e->text);
				m->log_len += strlen(m->log + m->log_len);
			}
			break;
		default:
			KM_ASSERT(!"an effect a frontend does not have");
		}
		km_effects_recycle(&m->fx, e);
	}
}

void fake_event(struct fake *m, struct km_event *ev)
{
	int err;

	ev->now = m->now;
	err = km_frontend_step(m->f, ev, &m->fx);
	KM_ASSERT(!err);
	effects(m);
}

/* ---- the scripted peers */

static void reply(struct fake *m, unsigned peer, const struct km_buf *b)
{
	KM_ASSERT(!b->err);
	queue(m, peer, 1, m->now.mono_us + m->way_us + m->peer[peer].delay_us, b->data, b->len);
}

static void on_ping(struct fake *m, unsigned peer, const struct fake_frame *fr)
{
	struct fake_peer *p = &m->peer[peer];
	const struct km_table *t = p->states == 2 ? &m->other.table : &m->dealer.table;
	struct km_pong_key key = { .ready = p->ready };
	struct km_pong pong = { .n_keys = p->states ? 1 : 0, .keys = &key };
	struct km_buf b;
	int err;

	p->pings++;
	err = km_ping_decode(&pong.echo_us, fr->data, fr->len);
	KM_ASSERT(!err);
	memcpy(pong.roster, m->s.roster.hash, KM_HASH_SIZE);
	pong.roster[0] ^= p->other_roster;
	pong.time_ms = m->now.wall_ms + (uint64_t)p->clock_ms;
	memcpy(key.key_id, t->key_id, KM_HASH_SIZE);
	memcpy(key.table, t->hash, KM_HASH_SIZE);
	memcpy(key.name, t->name, sizeof(key.name));
	km_buf_init(&b);
	km_pong_encode(&b, &pong);
	KM_ASSERT(!b.err);
	/* pings are answered without the delay of signing */
	queue(m, peer, 1, m->now.mono_us + m->way_us, b.data, b.len);
	km_buf_clear(&b);
}

static void on_table_ask(struct fake *m, unsigned peer, const struct fake_frame *fr)
{
	uint8_t hash[KM_HASH_SIZE];
	struct km_buf b;
	int err;

	m->peer[peer].table_asks++;
	err = km_table_ask_decode(hash, fr->data, fr->len);
	KM_ASSERT(!err);
	km_buf_init(&b);
	km_put_u8(&b, KM_FRAME_TABLE);
	err = km_table_encode(memcmp(hash, m->other.table.hash, KM_HASH_SIZE) ? &m->dealer.table : &m->other.table, &b);
	KM_ASSERT(!err);
	reply(m, peer, &b);
	km_buf_clear(&b);
}

void fake_ecdsa(struct fake *m, const struct dealer *d, const uint8_t *bytes, size_t len, struct km_reply *out)
{
	const struct km_curve *c = d->curve;
	struct km_scalar hash, r, s, inv;
	struct km_secret k, t;
	struct km_point rp;
	int err;

	err = km_sign_hash_bytes(c, &hash, bytes, len);
	KM_ASSERT(!err);
	km_secret_random(c, &k, &m->rng);
	km_point_mul_g(c, &rp, &k);
	err = km_point_x_mod_q_var(c, &r, &rp);
	KM_ASSERT(!err);
	km_secret_mul_pub(c, &t, &d->x, &r);
	km_secret_add_pub(c, &t, &t, &hash);
	km_secret_declassify(&s, &t);
	km_secret_declassify(&inv, &k);
	km_scalar_inv(c, &inv, &inv);
	km_scalar_mul(c, &s, &s, &inv);
	out->n = (uint8_t)km_curve_scalar_size(c);
	km_scalar_encode(c, out->r, &r);
	km_scalar_encode(c, out->s, &s);
	out->status = KM_STATUS_OK;
}

static void misbehave(struct fake *m, struct fake_peer *p, const struct km_req *req, struct km_reply *rep)
{
	static const uint8_t other[] = "bytes that nobody asked for";
	struct km_reply two = { 0 };

	switch (p->does) {
	case FAKE_WRONG_ONCE:
	case FAKE_WRONG:
		rep->s[20] ^= 1;
		break;
	case FAKE_SWAP_R:
		fake_ecdsa(m, &m->dealer, req->data, req->len, &two);
		memcpy(rep->r, two.r, sizeof(rep->r));
		break;
	case FAKE_INVENT:
		km_rng_bytes(&m->rng, rep->r + 4, 28);
		km_rng_bytes(&m->rng, rep->s + 4, 28);
		break;
	case FAKE_REPLAY:
		memcpy(rep->r, p->first.r, sizeof(rep->r));
		memcpy(rep->s, p->first.s, sizeof(rep->s));
		break;
	case FAKE_OTHER:
		fake_ecdsa(m, &m->dealer, other, sizeof(other), rep);
		break;
	case FAKE_ZERO:
		memset(rep->r, 0, sizeof(rep->r));
		memset(rep->s, 0, sizeof(rep->s));
		break;
	case FAKE_STATUS:
		rep->status = (uint8_t)p->status;
		rep->n = 0;
		break;
	default:
		break;
	}
}

static void send_reply(struct fake *m, unsigned peer, const struct km_reply *rep)
{
	struct km_buf b;

	km_buf_init(&b);
	km_reply_encode(&b, rep);
	reply(m, peer, &b);
	km_buf_clear(&b);
}

static void on_req(struct fake *m, unsigned peer, const struct fake_frame *fr)
{
	struct fake_peer *p = &m->peer[peer];
	struct km_req_macs *macs = calloc(1, sizeof(*macs));
	struct km_reply rep = { .quorum = 7, .time_ms = m->now.wall_ms }, good;
	struct km_req req;
	uint8_t pub[32], key[32];
	int err;

	KM_ASSERT(macs);
	err = km_req_decode(&req, macs, fr->data, fr->len);
	KM_ASSERT(!err);
	p->reqs++;
	km_req_id(&req, rep.request_id);
	km_x25519_public(m->s.channel_priv, pub);
	err = km_auth_key(m->chan_priv[peer], pub, req.frontend, (uint8_t)peer, key);
	KM_ASSERT(!err);
	if (!(macs->peers & km_set_bit(peer)) || km_auth_check(key, rep.request_id, (uint8_t)peer, macs->mac[peer]))
		p->bad_macs++;
	free(macs);
	if (p->does == FAKE_SILENT)
		return;
	rep.presig_id[0] = (uint8_t)p->reqs;
	rep.presig_id[1] = (uint8_t)peer;
	fake_ecdsa(m, &m->dealer, req.data, req.len, &rep);
	if (!p->has_first) {
		p->first = rep;
		p->has_first = 1;
	}
	good = rep;
	misbehave(m, p, &req, &rep);
	send_reply(m, peer, &rep);
	if (p->does != FAKE_WRONG_ONCE)
		return;
	p->delay_us += 500;
	send_reply(m, peer, &good);
	p->delay_us -= 500;
}

static void deliver(struct fake *m, const struct fake_frame *fr)
{
	if (m->peer[fr->peer].down)
		return;
	if (fr->to_frontend) {
		struct km_event ev = { .kind = KM_EVENT_MESSAGE, .from = { KM_ADDR_PEER, (uint16_t)fr->peer }, .data = fr->data, .len = fr->len };

		fake_event(m, &ev);
		return;
	}
	switch (fr->data[0]) {
	case KM_FRAME_PING:
		on_ping(m, fr->peer, fr);
		break;
	case KM_FRAME_TABLE_ASK:
		on_table_ask(m, fr->peer, fr);
		break;
	case KM_FRAME_REQ:
		on_req(m, fr->peer, fr);
		break;
	case KM_FRAME_BADSIG:
		m->peer[fr->peer].badsigs++;
		break;
	default:
		KM_ASSERT(!"a frame a frontend does not send");
	}
}

static void clock_to(struct fake *m, uint64_t at)
{
	if (at <= m->now.mono_us)
		return;
	m->now.wall_ms += at / 1000 - m->now.mono_us / 1000;
	m->now.mono_us = at;
}

void fake_run(struct fake *m, uint64_t ms)
{
	uint64_t until = m->now.mono_us + ms * 1000;

	for (;;) {
		uint64_t due = km_frontend_deadline(m->f);
		struct km_event tick = { .kind = KM_EVENT_TICK };
		struct fake_frame fr;
		size_t first = 0;

		for (size_t i = 1; i < m->n_frames; i++)
			if (m->frames[i].at < m->frames[first].at)
				first = i;
		if (m->n_frames && m->frames[first].at <= due) {
			if (m->frames[first].at > until)
				break;
			fr = m->frames[first];
			m->frames[first] = m->frames[--m->n_frames];
			clock_to(m, fr.at);
			deliver(m, &fr);
			free(fr.data);
			continue;
		}
		if (due > until)
			break;
		clock_to(m, due);
		fake_event(m, &tick);
		KM_ASSERT(km_frontend_deadline(m->f) > due);
	}
	clock_to(m, until);
}

/* ---- local clients */

size_t fake_tbs(uint8_t out[130], const char *text)
{
	memset(out, 0x20, 64);
	memcpy(out + 64, "TLS 1.3, server CertificateVerify", 34);
	km_merkle_leaf(text, strlen(text), out + 98);
	return 130;
}

static void fill_request(struct km_request *q, uint8_t tbs[130], const uint8_t key_id[KM_HASH_SIZE], const char *text, uint32_t deadline_ms)
{
	memset(q, 0, sizeof(*q));
	q->kind = KM_REQUEST_SIGN;
	memcpy(q->key_id, key_id, KM_HASH_SIZE);
	q->context = KM_CTX_TLS13_SERVER;
	q->deadline_ms = deadline_ms;
	q->len = fake_tbs(tbs, text);
	q->data = tbs;
	memcpy(q->random, tbs + 98, KM_NONCE_SIZE);
}

void fake_sign_key(struct fake *m, uint64_t token, const uint8_t key_id[KM_HASH_SIZE], const char *text, uint32_t deadline_ms)
{
	struct km_request q;
	struct km_event ev = { .kind = KM_EVENT_REQUEST, .token = token, .request = &q };
	uint8_t tbs[130];

	fill_request(&q, tbs, key_id, text, deadline_ms);
	fake_event(m, &ev);
}

void fake_sign(struct fake *m, uint64_t token, const char *text, uint32_t deadline_ms)
{
	fake_sign_key(m, token, m->dealer.table.key_id, text, deadline_ms);
}

const struct fake_result *fake_result(const struct fake *m, uint64_t token)
{
	for (size_t i = 0; i < m->n_results; i++)
		if (m->results[i].token == token)
			return &m->results[i];
	return NULL;
}

int fake_good(const struct fake *m, const struct fake_result *r, const char *text)
{
	const struct km_curve *c = m->dealer.curve;
	struct km_scalar hash, rr, ss;
	uint8_t tbs[130];
	size_t len = fake_tbs(tbs, text);

	return r && !r->err && r->result.scalar_size == km_curve_scalar_size(c) && !km_sign_hash_bytes(c, &hash, tbs, len) &&
	       !km_scalar_decode(c, &rr, r->result.r) && !km_scalar_decode(c, &ss, r->result.s) &&
	       !km_ecdsa_verify_var(c, &m->dealer.table.x, &hash, &rr, &ss);
}

unsigned fake_logged(const struct fake *m, const char *part)
{
	unsigned n = 0;

	for (const char *at = m->log; (at = strstr(at, part)); at++)
		n++;
	return n;
}

unsigned fake_order(const struct fake *m, const char *text, uint8_t *out)
{
	struct km_req req = { .version = KM_REQ_VERSION, .frontend = m->s.self_frontend, .context = KM_CTX_TLS13_SERVER, .time_ms = m->now.wall_ms };
	struct km_request q;
	uint8_t tbs[130], id[KM_HASH_SIZE];

	fill_request(&q, tbs, m->dealer.table.key_id, text, 1);
	memcpy(req.key_id, q.key_id, KM_HASH_SIZE);
	memcpy(req.random, q.random, KM_NONCE_SIZE);
	req.data = tbs;
	req.len = (uint32_t)q.len;
	km_req_id(&req, id);
	return km_elect_order(m->s.roster.hash, q.key_id, id, m->s.roster.members, out);
}
