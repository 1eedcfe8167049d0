/* frontend.c: life and dispatch of the frontend. The work is in frontend_peers.c and frontend_sign.c. */
#include "config.h"
#include "node/frontend_impl.h"

#include <stdlib.h>
#include <string.h>
#include "base/secret.h"

static int peers_init(struct km_frontend *f)
{
	for (unsigned id = 1; id <= KM_MAX_PEERS; id++) {
		const struct km_roster_peer *p = &f->s->roster.peer[id];
		struct fe_peer *fp = &f->peer[id];

		if (!p->id)
			continue;
		fp->member = 1;
		fp->p99_us = FE_P99_START_US;
		fp->key = km_secret_alloc(32);
		if (!fp->key)
			return KM_E_NOMEM;
		if (km_auth_key(f->s->channel_priv, p->channel, f->s->self_frontend, (uint8_t)id, fp->key))
			return KM_E_CONFIG;
	}
	return KM_OK;
}

int km_frontend_new(struct km_frontend **out, const struct km_settings *s, const uint8_t seed[KM_SEED_SIZE])
{
	struct km_frontend *f;
	struct km_rng rng;
	uint64_t mult;
	int err;

	*out = NULL;
	if (s->self_frontend < 1 || s->self_frontend > KM_MAX_FRONTENDS || !s->roster.n)
		return KM_E_CONFIG;
	f = calloc(1, sizeof(*f));
	if (!f)
		return KM_E_NOMEM;
	f->s = s;
	f->record_tail = &f->record_head;
	km_rng_init(&rng, seed, "frontend", NULL, 0);
	mult = km_rng_u64(&rng);
	km_rng_clear(&rng);
	km_idmap_init(&f->tables, offsetof(struct fe_table, hash), mult);
	km_idmap_init(&f->keys, offsetof(struct fe_key, key_id), mult);
	km_idmap_init(&f->names, offsetof(struct fe_key, name_id), mult);
	km_idmap_init(&f->by_id, offsetof(struct fe_request, id), mult);
	km_idmap_init(&f->by_idem, offsetof(struct fe_request, idem), mult);
	km_idmap_init(&f->by_token, offsetof(struct fe_waiter, token_id), mult);
	km_idmap_init(&f->records, offsetof(struct fe_record, idem), mult);
	f->heap = calloc(FE_MAX_IN_FLIGHT, sizeof(struct fe_request *));
	err = f->heap ? peers_init(f) : KM_E_NOMEM;
	if (err) {
		km_frontend_free(f);
		return err;
	}
	*out = f;
	return KM_OK;
}

void km_frontend_free(struct km_frontend *f)
{
	if (!f)
		return;
	fe_requests_free(f);
	fe_peers_free(f);
	for (unsigned id = 1; id <= KM_MAX_PEERS; id++)
		km_secret_free(f->peer[id].key);
	free(f->heap);
	free(f);
}

/* ---- dispatch */

static unsigned roster_peer(const struct km_frontend *f, const struct km_addr *a)
{
	return a->kind == KM_ADDR_PEER && a->id >= 1 && a->id <= KM_MAX_PEERS && f->peer[a->id].member ? a->id : 0;
}

static int message(struct km_frontend *f, unsigned from, const uint8_t *p, size_t n, struct km_effects *fx)
{
	if (!n)
		return KM_OK;
	switch (p[0]) {
	case KM_FRAME_REPLY:
		return fe_reply(f, from, p, n, fx);
	case KM_FRAME_PONG:
		return fe_pong(f, from, p, n, fx);
	case KM_FRAME_TABLE:
		return fe_table_frame(f, from, p, n, fx);
	default:
		return KM_OK;
	}
}

static int request(struct km_frontend *f, const struct km_event *ev, struct km_effects *fx)
{
	struct km_effect *e;

	if (ev->request->kind == KM_REQUEST_SIGN)
		return fe_sign(f, ev->token, ev->request, fx);
	e = km_effects_add(fx, KM_EFFECT_RESULT);
	if (!e)
		return KM_E_NOMEM;
	e->token = ev->token;
	e->err = KM_E_INVAL;
	km_format(e->text, sizeof(e->text), "a frontend does not do that: ask a peer");
	return KM_OK;
}

static int stop(struct km_frontend *f, struct km_effects *fx)
{
	int err = fe_requests_stop(f, fx);

	if (err)
		return err;
	f->stopped = 1;
	for (unsigned id = 1; id <= KM_MAX_PEERS; id++)
		if (f->peer[id].key)
			km_wipe(f->peer[id].key, 32);
	return KM_OK;
}

static int handle(struct km_frontend *f, const struct km_event *ev, struct km_effects *fx)
{
	unsigned from = roster_peer(f, &ev->from);

	switch (ev->kind) {
	case KM_EVENT_START:
		f->started = 1;
		f->next_ping_us = f->now.mono_us;
		f->halve_us = f->now.mono_us;
		return KM_OK;
	case KM_EVENT_MESSAGE:
		return from ? message(f, from, ev->data, ev->len, fx) : KM_OK;
	case KM_EVENT_REQUEST:
		return request(f, ev, fx);
	case KM_EVENT_CANCEL:
		fe_cancel(f, ev->token);
		return KM_OK;
	case KM_EVENT_UP:
		if (from)
			fe_peer_up(f, from, fx);
		return KM_OK;
	case KM_EVENT_DOWN:
		if (!from)
			return KM_OK;
		fe_peer_down(f, from, fx);
		return fe_requests_lost(f, from, fx);
	case KM_EVENT_STOP:
		return stop(f, fx);
	default:
		return KM_OK; /* nothing here is stored, computed elsewhere or tied to a machine's past */
	}
}

int km_frontend_step(struct km_frontend *f, const struct km_event *ev, struct km_effects *fx)
{
	int err;

	if (f->stopped)
		return KM_OK;
	/* a clock that went back would make every wait of ours endless */
	if (ev->now.mono_us > f->now.mono_us)
		f->now.mono_us = ev->now.mono_us;
	f->now.wall_ms = ev->now.wall_ms;
	err = handle(f, ev, fx);
	if (err || f->stopped || !f->started)
		return err;
	fe_peers_tick(f, fx);
	return fe_requests_tick(f, fx);
}

uint64_t km_frontend_deadline(const struct km_frontend *f)
{
	const struct fe_request *r = fe_timer_first(f);

	if (f->stopped || !f->started)
		return UINT64_MAX;
	return r && r->next_us < f->next_ping_us ? r->next_us : f->next_ping_us;
}

/* ---- look-ups and status */

const struct km_table *km_frontend_key_by_id(const struct km_frontend *f, const uint8_t key_id[KM_HASH_SIZE])
{
	const struct fe_key *k = fe_key_find(f, key_id);

	return k ? k->table->t : NULL;
}

const struct km_table *km_frontend_key_by_name(const struct km_frontend *f, const char *name)
{
	uint8_t id[KM_HASH_SIZE];
	const uint8_t *at;

	fe_name_id(name, id);
	/* the map knows keys by the place of their name's hash inside them */
	at = km_idmap_find(&f->names, id);
	return at ? ((const struct fe_key *)at)->table->t : NULL;
}

const struct km_table *km_frontend_key_by_point(const struct km_frontend *f, const struct km_point *x, const struct km_curve *c)
{
	uint8_t id[KM_HASH_SIZE];

	km_key_id(c, x, id);
	return km_frontend_key_by_id(f, id);
}

static uint32_t ready_at(const struct km_frontend *f, unsigned id)
{
	uint64_t n = 0;

	for (const struct fe_table *t = f->table_list; t; t = t->next)
		if (t->believed)
			n += t->ready[id];
	return n < UINT32_MAX ? (uint32_t)n : UINT32_MAX;
}

int km_frontend_status(const struct km_frontend *f, struct km_frontend_status *out)
{
	memset(out, 0, sizeof(*out));
	out->keys = calloc(f->n_keys ? f->n_keys : 1, sizeof(const struct km_table *));
	if (!out->keys)
		return KM_E_NOMEM;
	for (const struct fe_key *k = f->key_list; k; k = k->next)
		out->keys[out->n_keys++] = k->table->t;
	out->self = f->s->self_frontend;
	for (unsigned id = 1; id <= KM_MAX_PEERS; id++) {
		const struct fe_peer *p = &f->peer[id];
		struct km_status_upstream *u = &out->peers[out->n_peers];

		if (!p->member)
			continue;
		out->n_peers++;
		u->id = (uint8_t)id;
		memcpy(u->name, f->s->roster.peer[id].name, sizeof(u->name));
		u->live = fe_live(f, id);
		u->roster_mismatch = p->roster_mismatch;
		u->rtt_us = p->rtt_us;
		u->reply_us = p->reply_us;
		u->clock_offset_ms = p->offset_ms;
		u->ready = ready_at(f, id);
		u->score = p->score;
	}
	out->requests = f->requests_seen;
	out->signatures = f->signatures;
	out->failed = f->failed;
	out->hedged = f->hedged;
	out->bad_replies = f->bad_replies;
	out->in_flight = f->in_flight;
	return KM_OK;
}

void km_frontend_status_clear(struct km_frontend_status *s)
{
	free(s->keys);
	memset(s, 0, sizeof(*s));
}
