/* echo_node.c: nodes that compute nothing, in the place of the real ones: linked with the daemon's own code they make a mesh
 * whose requests take the same hops with frames of the same sizes (unix socket -> frontend -> aggregator -> T-1 signers and
 * back). What a signature costs beyond this echo is what keymesh itself costs. */
#include "config.h"

#include <stdlib.h>
#include <string.h>
#include "node/frontend.h"
#include "node/peer.h"

#define SIGNERS 2 /* T - 1 for T = 3 */
#define FLIGHTS 8192
#define SIGN_SIZE 283
#define SHARE_SIZE 97
#define REPLY_SIZE 141

enum frame { ECHO_REQ = 1, ECHO_SIGN, ECHO_SHARE, ECHO_REPLY };

struct flight {
	uint64_t token;
	uint16_t frontend;
	unsigned waiting;
};

struct km_peer {
	const struct km_settings *s;
	struct flight flight[FLIGHTS];
	uint64_t next, done;
};

struct km_frontend {
	const struct km_settings *s;
	struct km_table table;
	uint32_t live;
	unsigned turn;
	uint64_t requests, done;
};

static void put_u64(uint8_t *p, uint64_t v)
{
	memcpy(p, &v, sizeof(v));
}

static uint64_t get_u64(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

/* kind | token of the frontend | number of the aggregator's flight | padding */
static int send_frame(struct km_effects *fx, struct km_addr to, uint8_t kind, uint64_t token, uint64_t number, size_t size)
{
	uint8_t f[1024] = {kind};

	put_u64(f + 1, token);
	put_u64(f + 9, number);
	return km_effects_send(fx, to, f, size < sizeof(f) ? size : sizeof(f));
}

/* ---- peer */

int km_peer_new(struct km_peer **out, const struct km_settings *s, const uint8_t seed[KM_SEED_SIZE])
{
	*out = calloc(1, sizeof(**out));
	if (!*out)
		return KM_E_NOMEM;
	(*out)->s = s;
	return KM_OK;
}

void km_peer_free(struct km_peer *p)
{
	free(p);
}

int km_peer_load(struct km_peer *p, const char *name, const uint8_t *data, size_t len)
{
	return KM_OK;
}

uint64_t km_peer_deadline(const struct km_peer *p)
{
	return UINT64_MAX;
}

static int from_frontend(struct km_peer *p, const struct km_event *ev, struct km_effects *fx)
{
	uint64_t number = p->next++;
	struct flight *fl = &p->flight[number % FLIGHTS];
	unsigned i, id = p->s->self_peer;
	int err = KM_OK;

	*fl = (struct flight){.token = get_u64(ev->data + 1), .frontend = ev->from.id, .waiting = SIGNERS};
	for (i = 0; i < SIGNERS && !err; i++) {
		id = id % p->s->roster.n + 1;
		err = send_frame(fx, (struct km_addr){KM_ADDR_PEER, (uint16_t)id}, ECHO_SIGN, fl->token, number, SIGN_SIZE);
	}
	return err;
}

static int from_signer(struct km_peer *p, const struct km_event *ev, struct km_effects *fx)
{
	struct flight *fl = &p->flight[get_u64(ev->data + 9) % FLIGHTS];

	if (fl->token != get_u64(ev->data + 1) || !fl->waiting || --fl->waiting)
		return KM_OK;
	p->done++;
	return send_frame(fx, (struct km_addr){KM_ADDR_FRONTEND, fl->frontend}, ECHO_REPLY, fl->token, 0, REPLY_SIZE);
}

int km_peer_step(struct km_peer *p, const struct km_event *ev, struct km_effects *fx)
{
	struct km_effect *e;

	if (ev->kind == KM_EVENT_REQUEST) {
		e = km_effects_add(fx, KM_EFFECT_RESULT);
		if (!e)
			return KM_E_NOMEM;
		e->token = ev->token;
		return KM_OK;
	}
	if (ev->kind != KM_EVENT_MESSAGE || ev->len < 17)
		return KM_OK;
	if (ev->data[0] == ECHO_REQ)
		return from_frontend(p, ev, fx);
	if (ev->data[0] == ECHO_SIGN)
		return send_frame(fx, ev->from, ECHO_SHARE, get_u64(ev->data + 1), get_u64(ev->data + 9), SHARE_SIZE);
	return ev->data[0] == ECHO_SHARE ? from_signer(p, ev, fx) : KM_OK;
}

const struct km_table *km_peer_table(const struct km_peer *p, const uint8_t table[KM_HASH_SIZE])
{
	return NULL;
}

int km_peer_status(const struct km_peer *p, struct km_peer_status *out)
{
	memset(out, 0, sizeof(*out));
	out->self = p->s->self_peer;
	out->signed_as_aggregator = p->done;
	return KM_OK;
}

void km_peer_status_clear(struct km_peer_status *s)
{
	memset(s, 0, sizeof(*s));
}

/* ---- frontend */

int km_frontend_new(struct km_frontend **out, const struct km_settings *s, const uint8_t seed[KM_SEED_SIZE])
{
	struct km_frontend *f = calloc(1, sizeof(*f));

	*out = f;
	if (!f)
		return KM_E_NOMEM;
	f->s = s;
	strcpy(f->table.name, "echo");
	f->table.curve = km_curve_p256();
	f->table.threshold = SIGNERS + 1;
	f->table.members = s->roster.members;
	km_point_generator(f->table.curve, &f->table.x);
	return KM_OK;
}

void km_frontend_free(struct km_frontend *f)
{
	free(f);
}

uint64_t km_frontend_deadline(const struct km_frontend *f)
{
	return UINT64_MAX;
}

static int answer(struct km_effects *fx, uint64_t token, int err, unsigned aggregator)
{
	struct km_effect *e = km_effects_add(fx, KM_EFFECT_RESULT);

	if (!e)
		return KM_E_NOMEM;
	e->token = token;
	e->err = err;
	e->result.scalar_size = 32;
	e->result.r[31] = e->result.s[31] = 1;
	e->result.aggregator = (uint8_t)aggregator;
	return KM_OK;
}

static int request(struct km_frontend *f, const struct km_event *ev, struct km_effects *fx)
{
	unsigned i, id = 0;

	f->requests++;
	for (i = 0; i < KM_MAX_PEERS && !id; i++) {
		unsigned c = f->turn++ % KM_MAX_PEERS + 1;

		id = f->live >> (c - 1) & 1 ? c : 0;
	}
	if (!id)
		return answer(fx, ev->token, KM_E_NOQUORUM, 0);
	/* 70 bytes of fields, the bytes to be signed, an authenticator for each peer. */
	return send_frame(fx, (struct km_addr){KM_ADDR_PEER, (uint16_t)id}, ECHO_REQ, ev->token, 0,
			  70 + ev->request->len + 33 * f->s->roster.n);
}

int km_frontend_step(struct km_frontend *f, const struct km_event *ev, struct km_effects *fx)
{
	uint32_t bit = ev->from.id ? (uint32_t)1 << (ev->from.id - 1) : 0;

	switch (ev->kind) {
	case KM_EVENT_REQUEST:
		return request(f, ev, fx);
	case KM_EVENT_UP:
		f->live |= bit;
		return KM_OK;
	case KM_EVENT_DOWN:
		f->live &= ~bit;
		return KM_OK;
	case KM_EVENT_MESSAGE:
		if (ev->len < 17 || ev->data[0] != ECHO_REPLY)
			return KM_OK;
		f->done++;
		return answer(fx, get_u64(ev->data + 1), KM_OK, ev->from.id);
	default:
		return KM_OK;
	}
}

const struct km_table *km_frontend_key_by_id(const struct km_frontend *f, const uint8_t key_id[KM_HASH_SIZE])
{
	return &f->table;
}

const struct km_table *km_frontend_key_by_name(const struct km_frontend *f, const char *name)
{
	return strcmp(name, f->table.name) ? NULL : &f->table;
}

const struct km_table *km_frontend_key_by_point(const struct km_frontend *f, const struct km_point *x, const struct km_curve *c)
{
	return NULL;
}

int km_frontend_status(const struct km_frontend *f, struct km_frontend_status *out)
{
	unsigned i;

	memset(out, 0, sizeof(*out));
	out->self = f->s->self_frontend;
	out->requests = f->requests;
	out->signatures = f->done;
	for (i = 1; i <= KM_MAX_PEERS; i++)
		if (f->s->roster.peer[i].id) {
			struct km_status_upstream *u = &out->peers[out->n_peers++];

			u->id = (uint8_t)i;
			u->live = f->live >> (i - 1) & 1;
			memcpy(u->name, f->s->roster.peer[i].name, sizeof(u->name));
		}
	return KM_OK;
}

void km_frontend_status_clear(struct km_frontend_status *s)
{
	memset(s, 0, sizeof(*s));
}
