/* sim_evil.c: what a corrupt peer does to its packets. */
#include "sim_evil.h"

#include <stdlib.h>
#include <string.h>
#include "base/hash.h"
#include "proto/presign_impl.h"
#include "proto/ready.h"

static int does(struct evil *e, enum evil_habit habit)
{
	if (!(e->habits & habit) || km_rng_below(&e->rng, 1000) >= e->per_mille)
		return 0;
	e->deeds++;
	return 1;
}

static void replace(uint8_t **data, size_t *len, struct km_buf *b)
{
	free(*data);
	*data = km_buf_take(b, len);
	KM_ASSERT(*data);
}

static void send(struct sim *s, const struct evil *e, struct km_addr to, struct km_buf *b)
{
	sim_inject(s, to, (struct km_addr){KM_ADDR_PEER, (uint16_t)e->who}, b->data, b->len);
	km_buf_clear(b);
}

/* ---- signing */

static void bad_share(struct evil *e, uint8_t **data, size_t *len)
{
	struct km_share_msg m;
	struct km_buf b;

	if (km_share_msg_decode(&m, *data, *len) || m.status)
		return;
	if (does(e, EVIL_REFUSES)) {
		m.status = (uint8_t)(1 + km_rng_below(&e->rng, KM_STATUS_INTERNAL));
		m.n = 0;
	} else if (does(e, EVIL_BAD_SHARES)) {
		m.s[m.n - 1] ^= 1;
	} else {
		return;
	}
	km_buf_init(&b);
	km_share_msg_encode(&b, &m);
	replace(data, len, &b);
}

static void bad_reply(struct evil *e, uint8_t **data, size_t *len)
{
	struct km_reply m;
	struct km_buf b;

	if (km_reply_decode(&m, *data, *len) || m.status || !does(e, EVIL_BAD_REPLIES))
		return;
	if (km_rng_below(&e->rng, 2))
		m.r[m.n - 1] ^= 1;
	else
		m.s[m.n - 1] ^= 1;
	km_buf_init(&b);
	km_reply_encode(&b, &m);
	replace(data, len, &b);
}

/* ---- runs */

/* Says something else, under a good signature, to this reader. */
static void equivocate(struct evil *e, struct sim *s, const struct km_msg *m, uint8_t **data, size_t *len)
{
	struct km_shape shape = {.head = m->body_len};
	uint8_t sid[KM_HASH_SIZE];
	struct km_hash h;
	struct km_buf b;
	int join = m->proto == KM_PROTO_SETUP && m->round == 2;
	int headed = m->proto == KM_PROTO_MAJORITY &&
		     (m->round == KM_PRESIGN_M2 || m->round == KM_PRESIGN_OK || m->round == KM_PRESIGN_PASS);

	if ((!join && !headed) || !does(e, EVIL_EQUIVOCATES))
		return;
	uint8_t *body = malloc(m->body_len);
	KM_ASSERT(body);
	memcpy(body, m->body, m->body_len);
	body[m->body_len - 1 - km_rng_below(&e->rng, 8)] ^= (uint8_t)(1 + km_rng_below(&e->rng, 255));
	memcpy(sid, m->sid, sizeof(sid));
	if (join) {
		km_hash_init(&h, "join");
		km_hash_field(&h, body, KM_HASH_SIZE);
		km_hash_field(&h, body + KM_HASH_SIZE + KM_NONCE_SIZE, KM_NONCE_SIZE);
		km_hash_final(&h, sid);
	}
	km_buf_init(&b);
	km_put_u8(&b, KM_FRAME_ENVELOPE);
	int err = km_msg_build(&b, m->proto, m->round, m->sender, m->recipient, sid, &shape, body,
			       &sim_peer_settings(s, e->who)->identity);
	KM_ASSERT(!err);
	free(body);
	replace(data, len, &b);
}

static void lies_about_run(struct evil *e, struct sim *s, const struct km_msg *m, struct km_addr to)
{
	struct km_buf b;
	uint32_t others = (uint32_t)km_rng_below(&e->rng, (uint64_t)1 << sim_opt(s)->n);

	km_buf_init(&b);
	if (m->round < KM_PRESIGN_C4 && does(e, EVIL_EARLY_READY)) {
		struct km_ready r = {.held = {(uint8_t)others}};

		memcpy(r.table, m->root, KM_HASH_SIZE);
		km_put_u8(&b, KM_FRAME_READY);
		int err = km_ready_build(&b, (uint8_t)e->who, m->sid, &r, &sim_peer_settings(s, e->who)->identity);
		KM_ASSERT(!err);
		send(s, e, to, &b);
	}
	km_buf_init(&b);
	if (does(e, EVIL_ABORTS)) {
		km_put_u8(&b, KM_FRAME_ABORT);
		km_put_bytes(&b, m->sid, KM_HASH_SIZE);
		km_put_u8(&b, (uint8_t)-KM_E_DEADLINE);
		km_put_u32(&b, others);
		send(s, e, to, &b);
	}
	km_buf_init(&b);
	if (does(e, EVIL_LYING_STALLS)) {
		km_put_u8(&b, KM_FRAME_STALL);
		km_put_bytes(&b, m->sid, KM_HASH_SIZE);
		km_put_u8(&b, (uint8_t)km_rng_below(&e->rng, 9));
		km_put_u32(&b, others);
		send(s, e, to, &b);
	}
	km_buf_init(&b);
	if (e->old && does(e, EVIL_RELAYS_OLD)) {
		km_put_u8(&b, KM_FRAME_RELAY);
		km_put_u8(&b, 1);
		km_put_lbytes(&b, e->old, e->old_len);
		send(s, e, to, &b);
	}
}

static int own_packet(struct evil *e, struct sim *s, struct km_addr to, uint8_t **data, size_t *len)
{
	struct km_msg m;

	if (!*len)
		return 1;
	if ((*data)[0] != KM_FRAME_HELLO && does(e, EVIL_WITHHOLDS))
		return 0;
	if ((*data)[0] == KM_FRAME_SHARE)
		bad_share(e, data, len);
	else if ((*data)[0] == KM_FRAME_REPLY)
		bad_reply(e, data, len);
	if ((*data)[0] == KM_FRAME_ENVELOPE && km_msg_parse(&m, *data + 1, *len - 1) == KM_OK) {
		if (m.proto == KM_PROTO_SETUP && m.round == 2 && does(e, EVIL_REFUSES))
			return 0;
		if (m.proto == KM_PROTO_MAJORITY)
			lies_about_run(e, s, &m, to);
		equivocate(e, s, &m, data, len);
	}
	if (does(e, EVIL_GARBLES))
		(*data)[km_rng_below(&e->rng, *len)] ^= (uint8_t)(1 + km_rng_below(&e->rng, 255));
	return 1;
}

static int on_packet(void *ctx, struct sim *s, struct km_addr from, struct km_addr to, uint8_t **data, size_t *len)
{
	struct evil *e = ctx;

	if (!e->active)
		return 1;
	if (from.kind == KM_ADDR_PEER && from.id == e->who)
		return own_packet(e, s, to, data, len);
	/* what it reads, it may keep */
	if (to.kind == KM_ADDR_PEER && to.id == e->who && *len > 1 && (*data)[0] == KM_FRAME_ENVELOPE &&
	    km_rng_below(&e->rng, 16) == 0) {
		free(e->old);
		e->old_len = *len - 1;
		e->old = malloc(e->old_len);
		KM_ASSERT(e->old);
		memcpy(e->old, *data + 1, e->old_len);
	}
	return 1;
}

void evil_init(struct evil *e, struct sim *s, unsigned who, unsigned habits, unsigned per_mille, const uint8_t seed[KM_SEED_SIZE])
{
	memset(e, 0, sizeof(*e));
	e->who = who;
	e->habits = habits;
	e->per_mille = per_mille;
	km_rng_init(&e->rng, seed, "evil", NULL, 0);
	sim_corrupt(s, who);
	sim_filter(s, on_packet, e);
}

void evil_clear(struct evil *e)
{
	free(e->old);
}
