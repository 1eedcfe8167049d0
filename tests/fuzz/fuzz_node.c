/* A whole mesh of three peers, of which one is corrupt: what it (and a frontend) sends is changed as the input says, with its
 * signature put right where asked. Key generation, presigning by either engine, the opening of failed runs, READY, requests and
 * records of bad shares run meanwhile. Whatever the changes, nothing fails, and no honest peer is quarantined or disputed by another.
 *
 * Input: records of 6 bytes: what u8 | packet u16 | at u16 | value u8; for INJECT and ASK value bytes of a frame follow.
 * Under libFuzzer: -detect_leaks=0, see fuzz_dkg.c. */
#include "fuzz.h"
#include "node/peer_impl.h"
#include "opening.h"
#include "tests/lib/mesh.h"

const char fuzz_name[] = "node";
const unsigned fuzz_rounds = 1;

#define EVIL 2
#define RECORDS_MAX 16

enum what {
	FLIP,      /* a byte of the packet */
	FLIP_SIGN, /* a byte of the body of an envelope, which is signed again */
	CUT,       /* to `at` bytes */
	LOSE,
	TWICE,
	INJECT,    /* frame, besides the packet */
	ASK,       /* the same, from the frontend */
	MESH,      /* no packet: value % 3 = T is 2 of 3 (engine majority), 3 of 3 or 2 of 2 (engine any) */
	OPEN,      /* a verdict of a presign run: FAIL or OPEN instead, with the seed of the run (at even) or another */
	WHATS
};

struct record {
	unsigned what, packet, at;
	uint8_t value;
	const uint8_t *frame;
};

static struct record script[RECORDS_MAX];
static unsigned records, packets, meshes;

static int read_script(const uint8_t *data, size_t size)
{
	struct km_reader r;

	records = packets = meshes = 0;
	km_reader_init(&r, data, size);
	while (km_reader_left(&r) && !r.err) {
		struct record *c = &script[records];

		if (++records > RECORDS_MAX)
			return 0;
		c->what = km_get_u8(&r) % (unsigned)WHATS;
		c->packet = km_get_u16(&r);
		c->at = km_get_u16(&r);
		c->value = km_get_u8(&r);
		c->frame = c->what == INJECT || c->what == ASK ? km_get_ref(&r, c->value) : NULL;
		if (c->what == MESH)
			meshes = c->value % 3u;
	}
	if (r.err)
		records = 0;
	return !r.err;
}

/* The shape that the recipient's run gives this message; setup messages have one of their own. */
static struct km_shape shape_of(const struct mesh *m, unsigned to, const struct km_msg *msg)
{
	struct km_shape shape = {.head = msg->body_len}, right;
	const struct km_peer *p = to <= m->n ? m->node[to].peer : NULL;

	for (const struct km_run *run = p ? p->runs : NULL; run; run = run->next)
		if (run->m && memcmp(run->sid, msg->sid, KM_HASH_SIZE) == 0 && msg->round >= 1 &&
		    msg->round <= run->m->ops->rounds &&
		    run->m->ops->shape(run->m, msg->round, EVIL, msg->recipient, msg->body, msg->body_len, &right) == KM_OK &&
		    km_shape_size(&right) == msg->body_len)
			shape = right;
	return shape;
}

static void flip_and_sign(struct mesh *m, struct mesh_packet *k, const struct record *c)
{
	struct km_msg msg;
	struct km_shape shape;
	struct km_buf b;

	if ((k->data[0] != KM_FRAME_ENVELOPE && k->data[0] != KM_FRAME_READY) || km_msg_parse(&msg, k->data + 1, k->len - 1) != KM_OK ||
	    !msg.body_len)
		return;
	k->data[1 + KM_MSG_HEAD + c->at % msg.body_len] ^= c->value | 1;
	shape = shape_of(m, k->to.id, &msg);
	km_buf_init(&b);
	km_put_u8(&b, k->data[0]);
	int err = km_msg_build(&b, msg.proto, msg.round, msg.sender, msg.recipient, msg.sid, &shape, msg.body,
			       &m->node[EVIL].s.identity);
	KM_ASSERT(!err);
	free(k->data);
	k->data = km_buf_take(&b, &k->len);
}

static const struct km_run *run_of(const struct mesh *m, const uint8_t sid[KM_HASH_SIZE])
{
	for (const struct km_run *run = m->node[EVIL].peer ? m->node[EVIL].peer->runs : NULL; run; run = run->next)
		if (run->m && memcmp(run->sid, sid, KM_HASH_SIZE) == 0)
			return run;
	return NULL;
}

/* OK becomes FAIL, PASS becomes OPEN. */
static void open_instead(struct mesh *m, struct mesh_packet *k, const struct record *c)
{
	struct km_msg msg;
	struct km_buf b;

	if (k->data[0] != KM_FRAME_ENVELOPE || km_msg_parse(&msg, k->data + 1, k->len - 1) != KM_OK)
		return;
	const struct km_run *run = run_of(m, msg.sid);
	km_buf_init(&b);
	km_put_u8(&b, KM_FRAME_ENVELOPE);
	if (run && opening_instead(&b, run->m, &msg, &m->node[EVIL].s.identity, c->value, !(c->at & 1))) {
		free(k->data);
		k->data = km_buf_take(&b, &k->len);
	}
	km_buf_clear(&b);
}

static int tap(struct mesh *m, struct mesh_packet *k)
{
	int passes = 1;

	/* what it tells the frontend is another target's matter */
	if (k->from.kind != KM_ADDR_PEER || k->from.id != EVIL || k->to.kind != KM_ADDR_PEER)
		return 1;
	unsigned n = packets++;
	for (unsigned i = 0; i < records; i++) {
		const struct record *c = &script[i];

		if (c->packet != n || c->what == MESH)
			continue;
		switch (c->what) {
		case FLIP:
			k->data[c->at % k->len] ^= c->value | 1;
			break;
		case FLIP_SIGN:
			flip_and_sign(m, k, c);
			break;
		case CUT:
			k->len = c->at < k->len ? c->at : k->len;
			break;
		case LOSE:
			passes = 0;
			break;
		case OPEN:
			open_instead(m, k, c);
			break;
		case TWICE:
			m->tap = NULL;
			mesh_send(m, k->from, k->to, k->data, k->len);
			m->tap = tap;
			break;
		default:
			m->tap = NULL;
			mesh_send(m, c->what == ASK ? (struct km_addr){KM_ADDR_FRONTEND, MESH_FRONTEND} : k->from,
				  (struct km_addr){KM_ADDR_PEER, 1}, c->frame, c->value);
			m->tap = tap;
		}
		/* a frame of no bytes does not exist on any transport */
		if (!k->len)
			return 0;
	}
	return passes;
}

/* A request to each honest peer; the frontend complains of what does not verify, and its record is asked for. */
static void ask(struct mesh *m, const struct km_key *key, unsigned to, unsigned salt)
{
	const struct km_table *t = &key->share->table;
	unsigned before = m->replies;
	struct km_buf b;

	mesh_request(m, to, t->key_id, salt, 7);
	mesh_run(m, 1000000);
	if (m->replies == before || m->reply.status || mesh_verify(m, salt, t->curve, &t->x))
		return;
	struct km_badsig bad = {.n = m->reply.n};
	memcpy(bad.request_id, m->reply.request_id, KM_HASH_SIZE);
	memcpy(bad.r, m->reply.r, bad.n);
	memcpy(bad.s, m->reply.s, bad.n);
	km_buf_init(&b);
	km_badsig_encode(&b, &bad);
	KM_ASSERT(!b.err);
	m->tap = NULL;
	mesh_send(m, (struct km_addr){KM_ADDR_FRONTEND, MESH_FRONTEND}, (struct km_addr){KM_ADDR_PEER, (uint16_t)to}, b.data, b.len);
	m->tap = tap;
	km_buf_clear(&b);
	mesh_run(m, 1000000);
}

int fuzz_one(const uint8_t *data, size_t size)
{
	static const struct { unsigned n, threshold; } shapes[] = {{3, 2}, {3, 3}, {2, 2}};
	static struct mesh m;

	if (!read_script(data, size))
		return 0;
	unsigned n = shapes[meshes].n, damage = 0;

	for (unsigned i = 0; i < records; i++)
		damage += script[i].what != MESH;
	mesh_init(&m, n, shapes[meshes].threshold, 77);
	for (unsigned i = 1; i <= n; i++) {
		m.node[i].s.batch = 4;
		m.node[i].s.pool_target = 4;
		m.node[i].s.pool_low = 2;
	}
	m.tap = tap;
	for (unsigned i = 1; i <= n; i++)
		mesh_start(&m, i);
	mesh_run(&m, 1000000);
	(void)mesh_keygen(&m, 1, 15000000);
	const struct km_key *key = km_key_by_name(m.node[1].peer, "www");
	if (key)
		for (unsigned i = 1; i <= n; i += 2)
			ask(&m, key, i, i);
	mesh_run(&m, 1000000);
	/* left alone, the mesh does all of that */
	KM_ASSERT(damage || (key && key->share->usable && m.replies == (n + 1) / 2));
	for (unsigned i = 1; i <= n; i += 2) {
		const struct km_peer *p = m.node[i].peer;

		KM_ASSERT((p->quarantined & ~km_set_bit(EVIL)) == 0);
		KM_ASSERT((p->disputed & ~km_set_bit(EVIL)) == 0);
	}
	mesh_free(&m);
	return 1;
}

static void put(struct km_buf *b, unsigned what, unsigned packet, unsigned at, uint8_t value, const void *frame)
{
	km_put_u8(b, (uint8_t)what);
	km_put_u16(b, (uint16_t)packet);
	km_put_u16(b, (uint16_t)at);
	km_put_u8(b, value);
	if (frame)
		km_put_bytes(b, frame, value);
}

static void one(fuzz_emit_fn *emit, void *ctx, const char *name, unsigned what, unsigned packet, unsigned at, uint8_t value,
		const void *frame)
{
	struct km_buf b;

	km_buf_init(&b);
	put(&b, what, packet, at, value, frame);
	emit(ctx, name, b.data, b.len);
	km_buf_clear(&b);
}

/* In a mesh of this kind, the same to two packets that follow each other: what it says to both others. */
static void both(fuzz_emit_fn *emit, void *ctx, const char *name, unsigned kind, unsigned what, unsigned packet, unsigned at)
{
	struct km_buf b;

	km_buf_init(&b);
	put(&b, MESH, 0, 0, (uint8_t)kind, NULL);
	put(&b, what, packet, at, 1, NULL);
	put(&b, what, packet + 1, at, 1, NULL);
	emit(ctx, name, b.data, b.len);
	km_buf_clear(&b);
}

/* The numbers of packets are those of today's order of messages; with another order a seed says something else. */
void fuzz_seeds(fuzz_emit_fn *emit, void *ctx)
{
	const uint8_t ping[9] = {KM_FRAME_PING, 0, 0, 0, 0, 0, 0, 0, 1};

	emit(ctx, "honest", (const uint8_t *)"", 0);
	one(emit, ctx, "honest-any", MESH, 0, 0, 1, NULL);
	one(emit, ctx, "honest-any-two", MESH, 0, 0, 2, NULL);
	one(emit, ctx, "flip-hello", FLIP, 0, 10, 1, NULL);
	one(emit, ctx, "sign-changed", FLIP_SIGN, 20, 5, 1, NULL);
	one(emit, ctx, "sign-changed-late", FLIP_SIGN, 40, 50, 1, NULL);
	one(emit, ctx, "cut", CUT, 12, 60, 0, NULL);
	one(emit, ctx, "lose", LOSE, 30, 0, 0, NULL);
	one(emit, ctx, "twice", TWICE, 25, 0, 0, NULL);
	one(emit, ctx, "inject", INJECT, 5, 0, sizeof(ping), ping);
	one(emit, ctx, "ask", ASK, 5, 0, sizeof(ping), ping);
	both(emit, ctx, "c3-changed", 0, FLIP_SIGN, 53, 100);
	both(emit, ctx, "fail-own-seed", 0, OPEN, 59, 0);
	both(emit, ctx, "fail-other-seed", 0, OPEN, 59, 1);
	one(emit, ctx, "fail-to-one", OPEN, 59, 0, 1, NULL);
	both(emit, ctx, "open", 0, OPEN, 65, 1);
	one(emit, ctx, "ready-changed", FLIP_SIGN, 77, 40, 1, NULL);
	one(emit, ctx, "share-changed", FLIP, 83, 80, 1, NULL);
	both(emit, ctx, "any-columns", 1, FLIP_SIGN, 30, 9000);
	both(emit, ctx, "any-payload", 1, FLIP_SIGN, 32, 9000);
	both(emit, ctx, "any-w", 1, FLIP_SIGN, 36, 70);
	both(emit, ctx, "any-fail", 1, OPEN, 40, 0);
	both(emit, ctx, "any-open", 1, OPEN, 42, 1);
	both(emit, ctx, "any-two-fail", 2, OPEN, 25, 0);
}
