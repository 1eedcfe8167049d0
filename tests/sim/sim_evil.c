/* sim_evil.c: what a corrupt peer does to its packets. */
#include "sim_evil.h"

#include <stdlib.h>
#include <string.h>
#include "node/peer_impl.h"
#include "proto/evidence.h"
#include "proto/ready.h"

/* Rounds of a presign run on the wire, engine majority; engine any has one more before them. */
enum { PASS = 6, C4 = 7 };


struct evil *evil_of(struct evils *v, unsigned who)
{
	for (unsigned i = 0; i < v->n; i++)
		if (v->e[i].who == who)
			return &v->e[i];
	return NULL;
}

int evil_does(struct evils *v, struct evil *e, enum evil_bit habit)
{
	if (!v->active || !(e->habits >> habit & 1) || km_rng_below(&e->rng, 1000) >= e->per_mille)
		return 0;
	e->deeds[habit]++;
	return 1;
}

/* What follows names a habit by its bit and the peer by e, in one word. */
#define DOES(name) evil_does(v, e, EVIL_BIT_##name)

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

static void bad_share(struct evils *v, struct evil *e, uint8_t **data, size_t *len)
{
	struct km_share_msg m;
	struct km_buf b;

	if (km_share_msg_decode(&m, *data, *len) || m.status)
		return;
	if (DOES(REFUSES)) {
		m.status = (uint8_t)(1 + km_rng_below(&e->rng, KM_STATUS_INTERNAL));
		m.n = 0;
	} else if (DOES(BAD_SHARES)) {
		m.s[m.n - 1] ^= 1;
	} else {
		return;
	}
	km_buf_init(&b);
	km_share_msg_encode(&b, &m);
	replace(data, len, &b);
}

static void bad_reply(struct evils *v, struct evil *e, uint8_t **data, size_t *len)
{
	struct km_reply m;
	struct km_buf b;

	if (km_reply_decode(&m, *data, *len) || m.status || !DOES(BAD_REPLIES))
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

/* Signs another body in the place of m. */
static void say_instead(struct sim *s, const struct evil *e, const struct km_msg *m, const uint8_t *sid, const struct km_shape *shape,
			const uint8_t *body, uint8_t **data, size_t *len)
{
	struct km_buf b;

	km_buf_init(&b);
	km_put_u8(&b, KM_FRAME_ENVELOPE);
	int err = km_msg_build(&b, m->proto, m->round, m->sender, m->recipient, sid, shape, body,
			       &sim_peer_settings(s, e->who)->identity);
	KM_ASSERT(!err);
	replace(data, len, &b);
}

/* The shape of an own message of a run, by the run's own machine; 0 when that is gone. */
static int shape_of(struct sim *s, const struct evil *e, const struct km_msg *m, struct km_shape *shape)
{
	const struct km_run *run = sim_peer(s, e->who) ? km_run_by_sid(sim_peer(s, e->who), m->sid) : NULL;

	return run && run->m && run->m->ops->proto == m->proto &&
	       run->m->ops->shape(run->m, m->round, m->sender, m->recipient, m->body, m->body_len, shape) == KM_OK &&
	       km_shape_size(shape) == m->body_len;
}

/* Says something else, under a good signature, to this reader: a byte beyond prev, the last ones most often. */
static void equivocate(struct evils *v, struct evil *e, struct sim *s, const struct km_msg *m, uint8_t **data, size_t *len)
{
	struct km_shape shape = {.head = m->body_len};
	int join = m->proto == KM_PROTO_SETUP && m->round == KM_SETUP_JOIN;
	uint8_t sid[KM_HASH_SIZE];

	if (m->recipient || (!join && !shape_of(s, e, m, &shape)) || !DOES(EQUIVOCATES))
		return;
	uint8_t *body = malloc(m->body_len);
	KM_ASSERT(body);
	memcpy(body, m->body, m->body_len);
	uint32_t span = km_rng_below(&e->rng, 2) && m->body_len > 8 ? 8 : m->body_len;
	body[m->body_len - 1 - km_rng_below(&e->rng, span)] ^= (uint8_t)(1 + km_rng_below(&e->rng, 255));
	memcpy(sid, m->sid, sizeof(sid));
	if (join)
		km_setup_join_sid(body, sid);
	say_instead(s, e, m, sid, &shape, body, data, len);
	free(body);
}

/* OPEN has the round of PASS and begins with the seed; PASS is a hash and nothing else. */
static int is_open(const struct km_msg *m)
{
	unsigned pass = m->proto == KM_PROTO_ANY ? PASS + 1 : PASS;

	return (m->proto == KM_PROTO_MAJORITY || m->proto == KM_PROTO_ANY) && !m->recipient &&
	       (m->round == pass || m->round + 1u == pass) && m->body_len >= KM_SEED_SIZE + KM_MSG_HEAD;
}

static void false_open(struct evils *v, struct evil *e, struct sim *s, const struct km_msg *m, uint8_t **data, size_t *len)
{
	struct km_shape shape;

	if (!is_open(m) || !shape_of(s, e, m, &shape) || !DOES(FALSE_OPEN))
		return;
	uint8_t *body = malloc(m->body_len);
	KM_ASSERT(body);
	memcpy(body, m->body, m->body_len);
	body[km_rng_below(&e->rng, KM_SEED_SIZE)] ^= 1;
	say_instead(s, e, m, m->sid, &shape, body, data, len);
	free(body);
}

/* PASS over a list that nobody has yet. */
static void early_pass(struct evils *v, struct evil *e, struct sim *s, const struct km_msg *m, struct km_addr to)
{
	unsigned pass = m->proto == KM_PROTO_ANY ? PASS + 1 : PASS;
	struct km_shape shape = {.head = KM_HASH_SIZE};
	struct km_buf b;

	if (m->recipient || m->round + 2u < pass || m->round >= pass || !DOES(EARLY_PASS))
		return;
	km_buf_init(&b);
	km_put_u8(&b, KM_FRAME_ENVELOPE);
	int err = km_msg_build(&b, m->proto, (uint8_t)pass, m->sender, 0, m->sid, &shape, m->body,
			       &sim_peer_settings(s, e->who)->identity);
	KM_ASSERT(!err);
	send(s, e, to, &b);
}

/* It holds what nobody has made yet. */
static void early_ready(const struct evil *e, struct sim *s, const struct km_msg *m, struct km_buf *b)
{
	const struct km_run *run = km_run_by_sid(sim_peer(s, e->who), m->sid);
	static const uint8_t leaf[8][KM_HASH_SIZE] = {{1}};
	struct km_ready r = {.held = {0xff}, .leaf = leaf[0]};

	memcpy(r.table, run ? run->prop.hash : m->root, KM_HASH_SIZE);
	km_put_u8(b, KM_FRAME_READY);
	int err = km_ready_build(b, (uint8_t)e->who, m->sid, &r, &sim_peer_settings(s, e->who)->identity);
	KM_ASSERT(!err);
}

/* Other public values than everybody computed. */
static void false_ready(struct evils *v, struct evil *e, struct sim *s, uint8_t **data, size_t *len)
{
	uint8_t leaf[KM_MAX_BATCH][KM_HASH_SIZE];
	struct km_ready r;
	struct km_msg m;
	struct km_buf b;

	if (km_msg_parse(&m, *data + 1, *len - 1) || km_ready_get(&r, &m) || !DOES(FALSE_READY))
		return;
	memcpy(leaf, r.leaf, (size_t)km_ready_count(r.held, KM_MAX_BATCH) * KM_HASH_SIZE);
	leaf[0][0] ^= 1;
	r.leaf = leaf[0];
	km_buf_init(&b);
	km_put_u8(&b, KM_FRAME_READY);
	int err = km_ready_build(&b, (uint8_t)e->who, m.sid, &r, &sim_peer_settings(s, e->who)->identity);
	KM_ASSERT(!err);
	replace(data, len, &b);
}

static void lies_about_run(struct evils *v, struct evil *e, struct sim *s, const struct km_msg *m, struct km_addr to)
{
	struct km_buf b;
	uint32_t others = (uint32_t)km_rng_below(&e->rng, (uint64_t)1 << sim_opt(s)->n);

	km_buf_init(&b);
	if (m->round < C4 && DOES(EARLY_READY)) {
		early_ready(e, s, m, &b);
		send(s, e, to, &b);
	}
	km_buf_init(&b);
	if (DOES(ABORTS)) {
		km_put_u8(&b, KM_FRAME_ABORT);
		km_put_bytes(&b, m->sid, KM_HASH_SIZE);
		km_put_u8(&b, (uint8_t)-KM_E_DEADLINE);
		km_put_u32(&b, others);
		send(s, e, to, &b);
	}
	km_buf_init(&b);
	if (DOES(LYING_STALLS)) {
		km_put_u8(&b, KM_FRAME_STALL);
		km_put_bytes(&b, m->sid, KM_HASH_SIZE);
		km_put_u8(&b, (uint8_t)km_rng_below(&e->rng, 9));
		km_put_u32(&b, others);
		send(s, e, to, &b);
	}
	km_buf_init(&b);
	if (e->old && DOES(RELAYS_OLD)) {
		km_put_u8(&b, KM_FRAME_RELAY);
		km_put_u8(&b, 1);
		km_put_lbytes(&b, e->old, e->old_len);
		send(s, e, to, &b);
	}
	early_pass(v, e, s, m, to);
}

/* Evidence that proves nothing: two headers of one message of an honest peer, one of them with other bytes. */
static void make_up(struct evil *e)
{
	uint8_t other[KM_MSG_HEAD];
	struct km_msg a, m;
	struct km_buf b;

	if (km_msg_parse(&m, e->old, e->old_len) || m.sender == e->who)
		return;
	memcpy(other, e->old, sizeof(other));
	other[42] ^= 1; /* the root */
	a = m;
	a.raw = other;
	km_buf_init(&b);
	km_put_u8(&b, KM_FRAME_EVID);
	km_put_u8(&b, 1);
	km_evidence_begin(&b, KM_EV_EQUIVOCATION, m.sid, 2);
	km_evidence_header(&b, &m);
	km_evidence_header(&b, &a);
	e->lie = km_buf_take(&b, &e->lie_len);
	KM_ASSERT(e->lie);
}

/* It has it; and here it is, for who has asked since the last time. */
static void slander(struct evil *e, struct sim *s, struct km_addr to)
{
	uint8_t digest[KM_HASH_SIZE];
	struct km_buf b;

	if (!e->lie)
		make_up(e);
	if (!e->lie)
		return;
	km_evidence_digest(e->lie + 2, e->lie_len - 2, digest);
	km_buf_init(&b);
	km_put_u8(&b, KM_FRAME_EVID_HAVE);
	km_put_u8(&b, 1);
	km_put_bytes(&b, digest, sizeof(digest));
	send(s, e, to, &b);
	sim_inject(s, to, (struct km_addr){KM_ADDR_PEER, (uint16_t)e->who}, e->lie, e->lie_len);
}

/* An envelope on its way out; 0: it is not sent. */
static int own_envelope(struct evils *v, struct evil *e, struct sim *s, struct km_addr to, uint8_t **data, size_t *len)
{
	struct km_msg m;

	if (km_msg_parse(&m, *data + 1, *len - 1) != KM_OK)
		return 1;
	if (m.proto == KM_PROTO_SETUP && m.round == KM_SETUP_JOIN && DOES(REFUSES))
		return 0;
	if (m.proto == KM_PROTO_RECORD && DOES(NO_RECORD))
		return 0;
	if (is_open(&m) && DOES(NO_OPEN))
		return 0;
	if (m.proto == KM_PROTO_MAJORITY || m.proto == KM_PROTO_ANY)
		lies_about_run(v, e, s, &m, to);
	if (m.proto != KM_PROTO_RECORD)
		equivocate(v, e, s, &m, data, len);
	if (km_msg_parse(&m, *data + 1, *len - 1) == KM_OK)
		false_open(v, e, s, &m, data, len);
	return 1;
}

static int own_packet(struct evils *v, struct evil *e, struct sim *s, struct km_addr to, uint8_t **data, size_t *len)
{
	if (!*len)
		return 1;
	if ((*data)[0] != KM_FRAME_HELLO && DOES(WITHHOLDS))
		return 0;
	if ((*data)[0] == KM_FRAME_HEALTH && e->old && to.kind == KM_ADDR_PEER && DOES(SLANDERS))
		slander(e, s, to);
	if ((*data)[0] == KM_FRAME_SHARE)
		bad_share(v, e, data, len);
	else if ((*data)[0] == KM_FRAME_REPLY)
		bad_reply(v, e, data, len);
	else if ((*data)[0] == KM_FRAME_READY)
		false_ready(v, e, s, data, len);
	else if ((*data)[0] == KM_FRAME_ENVELOPE && !own_envelope(v, e, s, to, data, len))
		return 0;
	if (DOES(GARBLES))
		(*data)[km_rng_below(&e->rng, *len)] ^= (uint8_t)(1 + km_rng_below(&e->rng, 255));
	return 1;
}

/* ABORT, of anybody, of a run they are in; BADSIG to an honest aggregator. */
static void note_failure(struct evils *v, struct km_addr from, struct km_addr to, const uint8_t *data, size_t len)
{
	if (len > 1 + KM_HASH_SIZE && data[0] == KM_FRAME_ABORT) {
		const uint64_t *who = sim_map_find(&v->runs, data + 1);

		v->failed |= who ? (uint32_t)*who & v->set : 0;
	}
	if (len && data[0] == KM_FRAME_BADSIG && from.kind == KM_ADDR_FRONTEND && !evil_of(v, to.id))
		v->failed |= v->set;
}

static int on_packet(void *ctx, struct sim *s, struct km_addr from, struct km_addr to, uint8_t **data, size_t *len)
{
	struct evils *v = ctx;
	struct evil *e = from.kind == KM_ADDR_PEER ? evil_of(v, from.id) : NULL;

	note_failure(v, from, to, *data, *len);
	if (!v->active)
		return 1;
	if (e)
		return own_packet(v, e, s, to, data, len);
	/* what it reads, it may keep */
	e = to.kind == KM_ADDR_PEER ? evil_of(v, to.id) : NULL;
	if (e && *len > 1 && (*data)[0] == KM_FRAME_ENVELOPE && km_rng_below(&e->rng, 16) == 0) {
		free(e->old);
		e->old_len = *len - 1;
		e->old = malloc(e->old_len);
		KM_ASSERT(e->old);
		memcpy(e->old, *data + 1, e->old_len);
	}
	return 1;
}

static void after_step(void *ctx, struct sim *s, unsigned who)
{
	struct evils *v = ctx;
	struct km_peer *peer = sim_peer(s, who);
	int fresh;

	for (struct km_run *run = peer ? peer->runs : NULL; run; run = run->next) {
		/* soon enough: the first message of a run is signed when a job has come back */
		if (!run->m || run->m->ended || run->m->round > 1)
			continue;
		*sim_map_get(&v->runs, run->sid, &fresh) = run->prop.participants;
		evil_possess(v, evil_of(v, who), run->m);
	}
}

void evil_add(struct evils *v, struct sim *s, unsigned who, unsigned habits, unsigned per_mille, const uint8_t seed[KM_SEED_SIZE])
{
	struct evil *e = &v->e[v->n++];
	uint8_t id = (uint8_t)who;

	KM_ASSERT(v->n <= EVIL_MAX);
	memset(e, 0, sizeof(*e));
	e->who = who;
	e->habits = habits;
	e->per_mille = per_mille;
	km_rng_init(&e->rng, seed, "evil", &id, sizeof(id));
	v->set |= km_set_bit(who);
	sim_corrupt(s, who);
	sim_filter(s, on_packet, v);
	sim_after(s, after_step, v);
}

uint64_t evil_deeds(const struct evils *v)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < v->n; i++)
		for (unsigned k = 0; k < EVIL_N_HABITS; k++)
			n += v->e[i].deeds[k];
	return n;
}

void evil_clear(struct evils *v)
{
	for (unsigned i = 0; i < v->n; i++) {
		free(v->e[i].old);
		free(v->e[i].lie);
	}
	sim_map_clear(&v->runs);
	evil_exorcise(v);
}
