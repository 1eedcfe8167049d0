/* A whole mesh of three peers, of which one is corrupt: what it (and a frontend) sends is changed as the input says, with its
 * signature put right where asked. Key generation, presigning by either engine, the opening of failed runs, READY, requests,
 * records of bad shares and gossip of evidence run meanwhile. Whatever the changes, nothing fails, and no honest peer is quarantined or
 * disputed by another.
 *
 * Input: see script.h. WHY a toy group and toy signatures, as in most seeds of the simulator: one mesh with the real ones takes a second,
 * and what is looked for is in the code around them. Under libFuzzer: -detect_leaks=0, see fuzz_dkg.c. */
#include "fuzz.h"
#include "lies.h"
#include "node/peer_impl.h"
#include "opening.h"
#include "proto/evidence.h"
#include "script.h"
#include "tests/lib/mesh.h"
#include "tests/sim/sim_memo.h"

const char fuzz_name[] = "node";
const unsigned fuzz_rounds = 10;

#define EVIL 2
#define SHAPES 3

static struct script_record script[SCRIPT_MAX];
static unsigned records, packets;
static uint8_t which;                 /* value of MESH */

static int read_script(const uint8_t *data, size_t size)
{
	int n = script_read(script, data, size);

	if (n < 0)
		return 0;
	records = (unsigned)n;
	packets = which = 0;
	for (unsigned i = 0; i < records; i++)
		if (script[i].what == MESH)
			which = script[i].value;
	return 1;
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

/* The packet with another header or body, under a good signature of its author. */
static void say(struct mesh *m, struct mesh_packet *k, const struct km_msg *msg, const struct km_shape *shape, const uint8_t *body)
{
	struct km_buf b;

	km_buf_init(&b);
	km_put_u8(&b, k->data[0]);
	int err = km_msg_build(&b, msg->proto, msg->round, msg->sender, msg->recipient, msg->sid, shape, body, &m->node[EVIL].s.identity);
	KM_ASSERT(!err);
	free(k->data);
	k->data = km_buf_take(&b, &k->len);
}

static int signed_of(const struct mesh_packet *k, struct km_msg *msg)
{
	return (k->data[0] == KM_FRAME_ENVELOPE || k->data[0] == KM_FRAME_READY) && km_msg_parse(msg, k->data + 1, k->len - 1) == KM_OK &&
	       msg->body_len;
}

/* FLIP_SIGN, WRITE */
static void change_and_sign(struct mesh *m, struct mesh_packet *k, const struct script_record *c)
{
	struct km_msg msg;

	if (!signed_of(k, &msg))
		return;
	uint8_t *body = k->data + 1 + KM_MSG_HEAD;
	size_t at = c->at % msg.body_len;
	if (c->what == FLIP_SIGN)
		body[at] ^= c->value | 1;
	else
		memcpy(body + at, c->bytes, c->value < msg.body_len - at ? c->value : msg.body_len - at);
	struct km_shape shape = shape_of(m, k->to.id, &msg);
	say(m, k, &msg, &shape, msg.body);
}

static void head_and_sign(struct mesh *m, struct mesh_packet *k, const struct script_record *c)
{
	struct km_msg msg;

	if (!signed_of(k, &msg))
		return;
	uint8_t *body = calloc(1, msg.body_len + 256u);
	KM_ASSERT(body);
	memcpy(body, msg.body, msg.body_len);
	switch (c->at % 5u) {
	case 0:
		msg.proto = (uint8_t)(c->value % 10u);
		break;
	case 1:
		msg.round = (uint8_t)(c->value % 12u);
		break;
	case 2:
		msg.recipient = (uint8_t)(c->value % 5u);
		break;
	case 3:
		msg.body_len -= c->value < msg.body_len ? c->value : msg.body_len;
		break;
	default:
		msg.body_len += c->value;
	}
	struct km_shape shape = {.head = msg.body_len};
	say(m, k, &msg, &shape, body);
	free(body);
}

static const struct km_run *run_of(const struct mesh *m, const uint8_t sid[KM_HASH_SIZE])
{
	for (const struct km_run *run = m->node[EVIL].peer ? m->node[EVIL].peer->runs : NULL; run; run = run->next)
		if (run->m && memcmp(run->sid, sid, KM_HASH_SIZE) == 0)
			return run;
	return NULL;
}

/* OK becomes FAIL, PASS becomes OPEN. */
static void open_instead(struct mesh *m, struct mesh_packet *k, const struct script_record *c)
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

static int tap(struct mesh *m, struct mesh_packet *k);

static void send_untapped(struct mesh *m, struct km_addr from, struct km_addr to, const void *data, size_t len)
{
	m->tap = NULL;
	mesh_send(m, from, to, data, len);
	m->tap = tap;
}

/* It has it; and here it is, for who asks. */
static void gossip(struct mesh *m, struct mesh_packet *k, const struct script_record *c)
{
	uint8_t have[2 + KM_HASH_SIZE] = {KM_FRAME_EVID_HAVE, 1};
	struct km_msg msg;
	struct km_buf b;
	int is = 1;

	km_buf_init(&b);
	km_put_u8(&b, KM_FRAME_EVID);
	if (c->what == LIE)
		km_put_bytes(&b, c->bytes, c->value);
	else
		is = lies_make(&b, EVIL, &m->node[EVIL].s.identity, m->node[1].peer, c->at, c->value);
	KM_ASSERT(!b.err);
	if (is && b.len > 2) {
		km_evidence_digest(b.data + 2, b.len - 2, have + 2);
		if (b.data[1] == 2 && km_msg_parse(&msg, b.data + 2, b.len - 2) == KM_OK)
			memcpy(have + 2, msg.digest, KM_HASH_SIZE);
		send_untapped(m, k->from, k->to, have, sizeof(have));
		send_untapped(m, k->from, k->to, b.data, b.len);
	}
	km_buf_clear(&b);
}

/* 0: the packet is lost */
static int apply(struct mesh *m, struct mesh_packet *k, const struct script_record *c)
{
	switch (c->what) {
	case FLIP:
		k->data[c->at % k->len] ^= c->value | 1;
		break;
	case FLIP_SIGN:
	case WRITE:
		change_and_sign(m, k, c);
		break;
	case HEAD:
		head_and_sign(m, k, c);
		break;
	case CUT:
		k->len = c->at < k->len ? c->at : k->len;
		break;
	case LOSE:
		return 0;
	case OPEN:
		open_instead(m, k, c);
		break;
	case TWICE:
		send_untapped(m, k->from, k->to, k->data, k->len);
		break;
	case PROOF:
	case LIE:
		gossip(m, k, c);
		break;
	case INJECT:
		send_untapped(m, k->from, (struct km_addr){KM_ADDR_PEER, 1}, c->bytes, c->value);
		break;
	default:
		send_untapped(m, (struct km_addr){KM_ADDR_FRONTEND, MESH_FRONTEND}, (struct km_addr){KM_ADDR_PEER, 1}, c->bytes, c->value);
	}
	return 1;
}

static int tap(struct mesh *m, struct mesh_packet *k)
{
	int passes = 1;

	if (k->to.kind == KM_ADDR_PEER && (k->to.id == EVIL || k->from.id == EVIL))
		lies_hear(k->data, k->len);
	/* what it tells the frontend is another target's matter */
	if (k->from.kind != KM_ADDR_PEER || k->from.id != EVIL || k->to.kind != KM_ADDR_PEER)
		return 1;
	unsigned n = packets++;
	for (unsigned i = 0; i < records; i++) {
		if (script[i].packet != n || script[i].what == MESH)
			continue;
		passes &= apply(m, k, &script[i]);
		/* a frame of no bytes does not exist on any transport */
		if (!k->len)
			return 0;
	}
	return passes;
}

/* A request to each honest peer; the frontend complains of what does not verify, and its record is asked for. */
static void ask(struct mesh *m, unsigned to, unsigned salt)
{
	const struct km_key *key = km_key_by_name(m->node[1].peer, "www");
	unsigned before = m->replies;
	struct km_table t;
	struct km_buf b;

	if (!key)
		return;
	/* a copy: what is no key yet may be gone when the answer comes */
	t = key->share->table;
	mesh_request(m, to, t.key_id, salt, 7);
	mesh_run(m, 1000000);
	if (m->replies == before || m->reply.status || mesh_verify(m, salt, t.curve, &t.x))
		return;
	struct km_badsig bad = {.n = m->reply.n};
	memcpy(bad.request_id, m->reply.request_id, KM_HASH_SIZE);
	memcpy(bad.r, m->reply.r, bad.n);
	memcpy(bad.s, m->reply.s, bad.n);
	km_buf_init(&b);
	km_badsig_encode(&b, &bad);
	KM_ASSERT(!b.err);
	send_untapped(m, (struct km_addr){KM_ADDR_FRONTEND, MESH_FRONTEND}, (struct km_addr){KM_ADDR_PEER, (uint16_t)to}, b.data, b.len);
	km_buf_clear(&b);
	mesh_run(m, 1000000);
}

static const struct { unsigned n, threshold; } shapes[SHAPES] = {{3, 2}, {3, 3}, {2, 2}};
static struct mesh_file stored[SHAPES][KM_MAX_PEERS + 1][sizeof(((struct mesh_node *)0)->file) / sizeof(struct mesh_file)];

static struct mesh_file copy_of(const struct mesh_file *f)
{
	struct mesh_file copy = *f;

	if (f->data) {
		copy.data = malloc(f->len);
		KM_ASSERT(copy.data);
		memcpy(copy.data, f->data, f->len);
	}
	return copy;
}

static void begin(struct mesh *m, unsigned shape, int real)
{
	sim_memo_begin(!real, 0, !real);
	mesh_init(m, shapes[shape].n, shapes[shape].threshold, 77);
	for (unsigned i = 1; i <= m->n; i++) {
		m->node[i].key[0].curve = real ? KM_CURVE_P256 : KM_CURVE_TOY;
		m->node[i].s.batch = 4;
		m->node[i].s.pool_target = 4;
		m->node[i].s.pool_low = 2;
	}
}

static void start(struct mesh *m)
{
	for (unsigned i = 1; i <= m->n; i++)
		mesh_start(m, i);
	mesh_run(m, 1000000);
}

/* The disks of a mesh after an honest key generation, made once. */
static void take_stored(struct mesh *m, unsigned shape)
{
	if (!stored[shape][1][0].name[0]) {
		begin(m, shape, 0);
		start(m);
		int err = mesh_keygen(m, 1, 15000000);
		KM_ASSERT(!err);
		for (unsigned i = 1; i <= m->n; i++)
			for (unsigned k = 0; k < m->node[i].n_files; k++)
				stored[shape][i][k] = copy_of(&m->node[i].file[k]);
		mesh_free(m);
	}
	begin(m, shape, 0);
	for (unsigned i = 1; i <= m->n; i++) {
		for (unsigned k = 0; stored[shape][i][k].name[0]; k++)
			m->node[i].file[m->node[i].n_files++] = copy_of(&stored[shape][i][k]);
		m->node[i].starts = 1;
	}
}

static void nobody_honest_is_blamed(const struct mesh *m)
{
	for (unsigned i = 1; i <= m->n; i += 2) {
		struct km_peer *p = m->node[i].peer;
		const struct km_key *key = km_key_by_name(p, "www");

		KM_ASSERT((p->quarantined & ~km_set_bit(EVIL)) == 0);
		KM_ASSERT((p->disputed & ~km_set_bit(EVIL)) == 0);
		KM_ASSERT(!key || (key->barred & ~km_set_bit(EVIL)) == 0);
	}
}

int fuzz_one(const uint8_t *data, size_t size)
{
	static struct mesh m;

	if (!read_script(data, size))
		return 0;
	unsigned shape = (which & SCRIPT_SHAPE) % SHAPES, damage = 0;
	int real = which & SCRIPT_REAL, with_key = !real && which & SCRIPT_STORED;

	for (unsigned i = 0; i < records; i++)
		damage += script[i].what != MESH;
	if (with_key)
		take_stored(&m, shape);
	else
		begin(&m, shape, real);
	lies_forget();
	m.tap = tap;
	start(&m);
	if (with_key)
		mesh_run(&m, 2000000);
	else
		(void)mesh_keygen(&m, 1, 15000000);
	for (unsigned i = 1; i <= m.n; i += 2)
		ask(&m, i, i);
	mesh_run(&m, 1000000);
	const struct km_key *key = km_key_by_name(m.node[1].peer, "www");
	/* left alone, the mesh does all of that */
	KM_ASSERT(damage || (key && key->share->usable && m.replies == (m.n + 1) / 2));
	nobody_honest_is_blamed(&m);
	script_packets = packets;
	mesh_free(&m);
	lies_forget();
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
	static const char *const stored_names[SHAPES] = {"stored", "stored-any", "stored-any-two"};
	static const char *const proof_names[LIES_SORTS] = {"proof-dispute", "proof-own", "proof-forged",
								"proof-pair", "proof-whole", "proof-changed"};
	const uint8_t ping[9] = {KM_FRAME_PING, 0, 0, 0, 0, 0, 0, 0, 1};
	/* nothing, as evidence of kind 1 with a context and no items */
	const uint8_t lie[1 + KM_EVIDENCE_HEAD] = {1, KM_EVIDENCE_VERSION, KM_EV_EQUIVOCATION};

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
	one(emit, ctx, "real", MESH, 0, 0, SCRIPT_REAL, NULL);
	one(emit, ctx, "real-any-two", MESH, 0, 0, SCRIPT_REAL + 2, NULL);
	for (unsigned k = 0; k < SHAPES; k++)
		one(emit, ctx, stored_names[k], MESH, 0, 0, (uint8_t)(SCRIPT_STORED + k), NULL);
	one(emit, ctx, "lie", LIE, 40, 0, sizeof(lie), lie);
	for (unsigned k = 0; k < LIES_SORTS; k++)
		one(emit, ctx, proof_names[k], PROOF, 60 + k, k + LIES_SORTS * 3, 33, NULL);
	both(emit, ctx, "proof-again", 0, PROOF, 70, 1);
	one(emit, ctx, "write", WRITE, 50, 32, sizeof(ping), ping);
	both(emit, ctx, "head-longer", 0, HEAD, 40, 4);
	both(emit, ctx, "head-round", 0, HEAD, 44, 1);
}
