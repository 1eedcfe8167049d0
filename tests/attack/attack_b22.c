/* attack_b22.c: a peer and a frontend that ask for more than anybody may, B22. Counts and lengths that no memory holds; one small
 * question that is answered with everything, a thousand times in a moment; more work than fits a queue. (Guests who say nothing and
 * floods of handshakes are met at the sockets: tests/sys/test_system_badinput.sh, tests/unit/test_local.) Stopped by: every count is
 * checked against what is there before anything is allocated, answers to peers have a rate, queues a bound; and whatever one asks, the
 * others are served meanwhile. */
#include <stdlib.h>
#include "attack.h"
#include "../lib/mesh.h"
#include "node/peer_impl.h"

#define VICTIM 1
#define EVIL 3
#define FLOOD 1000

static struct mesh mesh;
static unsigned relays, flooded;
static size_t relayed;

static int quiet(const struct mesh_packet *k)
{
	return k->from.kind == KM_ADDR_PEER && k->from.id == VICTIM && k->to.kind == KM_ADDR_PEER && k->to.id == EVIL;
}

/* Once a run is under way at the victim: a thousand STALLs for it, each asks for everything of its first round. */
static int tap_stalls(struct mesh *m, struct mesh_packet *k)
{
	struct km_buf b;

	if (quiet(k) && k->data[0] == KM_FRAME_RELAY) {
		relays++;
		relayed += k->len;
	}
	if (flooded || k->data[0] != KM_FRAME_ENVELOPE || k->data[3] != KM_PROTO_MAJORITY || k->data[4] != 2 || !quiet(k))
		return 1;
	flooded = 1;
	km_buf_init(&b);
	km_put_u8(&b, KM_FRAME_STALL);
	km_put_bytes(&b, k->data + 11, KM_HASH_SIZE);
	km_put_u8(&b, 1);
	km_put_u32(&b, 7);
	assert_int_equal(b.err, KM_OK);
	for (unsigned i = 0; i < FLOOD; i++)
		mesh_send(m, (struct km_addr){KM_ADDR_PEER, EVIL}, (struct km_addr){KM_ADDR_PEER, VICTIM}, b.data, b.len);
	km_buf_clear(&b);
	return 1;
}

#define GREEDY 4
static struct km_frontend_entry entries[1 + GREEDY];

/* The victim knows some frontends more. */
static void start(void)
{
	mesh_init(&mesh, 3, 2, 22);
	entries[0] = mesh.node[VICTIM].frontend;
	for (unsigned i = 1; i <= GREEDY; i++) {
		entries[i] = entries[0];
		entries[i].id = (uint16_t)(MESH_FRONTEND + i);
	}
	mesh.node[VICTIM].s.frontends = entries;
	mesh.node[VICTIM].s.n_frontends = 1 + GREEDY;
	for (unsigned i = 1; i <= 3; i++) {
		mesh.node[i].s.batch = 8;
		mesh.node[i].s.pool_target = 4;
		mesh.node[i].s.pool_low = 2;
		mesh_start(&mesh, i);
	}
	mesh_run(&mesh, 100000);
	assert_int_equal(mesh_keygen(&mesh, 2, 30000000), KM_OK);
	mesh_run(&mesh, 3000000);
}

static int served(unsigned by, unsigned salt)
{
	const struct km_key *k = km_key_by_name(mesh.node[by].peer, "www");

	mesh_request(&mesh, by, k->share->table.key_id, salt, 7);
	mesh_run(&mesh, 1000000);
	return mesh_verify(&mesh, salt, km_curve_p256(), &k->share->table.x);
}

static void flood(void)
{
	relays = flooded = 0;
	relayed = 0;
	start();
	mesh.tap = tap_stalls;
	/* spent presignatures are made again: a run */
	for (unsigned i = 0; i < 12 && !flooded; i++)
		assert_true(served(VICTIM, 100 + i));
	assert_true(flooded);
	mesh_run(&mesh, 2000000);
	assert_true(served(VICTIM, 200));
	assert_true(served(2, 201));
	mesh_free(&mesh);
}

static void test_answers(void **state)
{
	rules_all();
	flood();
	assert_true(relays >= 1 && relays <= 32);
}

static void test_answers_without_rule(void **state)
{
	rules_all();
	rule_off(km_rule_answer_rate);
	flood();
	assert_true(relays >= FLOOD);
	/* 39 bytes asked for this much each time */
	print_message("# %u answers, %zu bytes, to %u bytes of questions\n", relays, relayed, FLOOD * 38);
	assert_true(relayed > (size_t)FLOOD * 38 * 4);
	rules_all();
}

/* ---- counts */

static void say(unsigned kind, unsigned from, const void *data, size_t len)
{
	struct km_event ev = {
	    .kind = KM_EVENT_MESSAGE, .from = {(uint8_t)kind, (uint16_t)from}, .data = data, .len = len};

	assert_int_equal(mesh_step(&mesh, VICTIM, &ev), KM_OK);
}

static uint64_t refused(void)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < KM_DROP_REASONS; i++)
		n += mesh.node[VICTIM].peer->dropped[i];
	return n;
}

/* Every kind of frame, filled with the largest numbers, at every length: each is refused or has no effect, and nobody is blamed for
 * more than itself. */
static void test_counts(void **state)
{
	static const size_t lengths[] = {1, 2, 3, 6, 10, 38, 43, 75, 76, 138, 139, 140, 200, 512, 4096, 65536, 70000};
	static uint8_t frame[70000];
	const struct km_peer *p;

	rules_all();
	start();
	p = mesh.node[VICTIM].peer;
	for (unsigned kind = 0; kind < 256; kind++) {
		for (unsigned fill = 0; fill < 3; fill++) {
			for (unsigned i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
				memset(frame, fill == 0 ? 0xff : fill == 1 ? 0x7f : 0, sizeof(frame));
				frame[0] = (uint8_t)kind;
				say(KM_ADDR_PEER, EVIL, frame, lengths[i]);
				say(KM_ADDR_FRONTEND, MESH_FRONTEND, frame, lengths[i]);
			}
		}
	}
	assert_true(refused() > 1000);
	assert_int_equal((p->quarantined | p->disputed) & ~km_set_bit(EVIL), 0);
	assert_int_equal(p->quarantined, 0);
	mesh_run(&mesh, 2000000);
	assert_true(served(VICTIM, 300));
	assert_true(served(2, 301));
	mesh_free(&mesh);
}

/* A proposal of 65535 indices, and one of 256 whose rows are not there. */
static void test_proposals(void **state)
{
	struct km_presign_row rows[KM_MAX_BATCH];
	struct km_proposal pr = {.purpose = KM_PURPOSE_PRESIGN, .batch = 65535};
	uint8_t body[KM_PROPOSE_HEAD + 4 * KM_PROPOSE_ROW];
	struct km_buf b;

	km_buf_init_fixed(&b, body, sizeof(body));
	pr.batch = 4;
	for (unsigned i = 0; i < 4; i++)
		rows[i] = (struct km_presign_row){1, 3};
	km_setup_put(&b, &pr, rows);
	assert_int_equal(b.err, KM_OK);
	assert_int_equal(km_setup_get(&pr, rows, body, b.len), KM_OK);
	/* the batch stands after purpose, hash, participants and engine */
	for (unsigned count = 0; count < 65536; count += count < 300 ? 1 : 997) {
		body[38] = (uint8_t)(count >> 8);
		body[39] = (uint8_t)count;
		assert_true((km_setup_get(&pr, rows, body, b.len) == KM_OK) == (count == 4));
	}
}

/* ---- a full queue */

static void test_queue(void **state)
{
	struct km_peer *p;

	rules_all();
	start();
	p = mesh.node[VICTIM].peer;
	/* as if so many requests of 64 KiB were at work */
	p->flight_bytes += KM_FLIGHT_BYTES_MAX;
	mesh_request(&mesh, VICTIM, p->keys->share->table.key_id, 1, 7);
	mesh_run(&mesh, 100000);
	assert_int_equal(mesh.reply.status, KM_STATUS_BUSY);
	/* which is said at once, and the next peer asked serves */
	assert_true(served(2, 1));
	/* as signers they are as good as before */
	assert_true(served(3, 2));
	p->flight_bytes -= KM_FLIGHT_BYTES_MAX;
	assert_true(served(VICTIM, 3));
	mesh_free(&mesh);
}

/* ---- a full waiting line
 *
 * The pools are empty, and some frontends have all places of those who wait taken by requests that they never ask again; whatever becomes
 * free they take at once. It costs them no presignature. Whoever asks for one signature has it all the same, with the next presignatures. */

static unsigned told;
static uint8_t waits[KM_HASH_SIZE];

static int tap_told(struct mesh *m, struct mesh_packet *k)
{
	struct km_reply r;

	if (k->data[0] == KM_FRAME_REPLY && k->to.id == MESH_FRONTEND && !km_reply_decode(&r, k->data, k->len) &&
	    r.status == KM_STATUS_AGAIN && memcmp(r.request_id, waits, KM_HASH_SIZE) == 0)
		told++;
	return 1;
}

static void take_places(struct km_peer *p)
{
	static unsigned salt;

	p->fx = &mesh.fx;
	p->now = mesh.now;
	for (unsigned i = 0; i < KM_QUEUE_FRONTEND_MAX; i++)
		for (unsigned k = 1; k <= GREEDY; k++) {
			uint8_t id[KM_HASH_SIZE] = {(uint8_t)salt, (uint8_t)(salt >> 8), (uint8_t)(salt >> 16), 0x22};

			salt++;
			km_queue_add(p, p->keys, MESH_FRONTEND + k, id);
		}
	p->fx = NULL;
}

static void refill(struct km_peer *p, int on)
{
	p->refill_not_before_us = on ? 0 : mesh.now.mono_us + 3600000000u;
	p->refill_wanted = 0;
	p->fx = &mesh.fx;
	km_refill_soon(p, 0);
	p->fx = NULL;
}

static void test_places(void **state)
{
	uint64_t wall_ms;
	struct km_peer *p;
	unsigned status, ms = 0;

	rules_all();
	told = 0;
	start();
	mesh.tap = tap_told;
	p = mesh.node[VICTIM].peer;
	refill(p, 0);
	for (struct km_held *h; (h = km_pool_choose(p, p->keys, 0, &status));)
		km_pool_burn(p, h);
	take_places(p);
	assert_int_equal(p->queued.n, KM_QUEUE_MAX);
	wall_ms = mesh.now.wall_ms;
	mesh_request(&mesh, VICTIM, p->keys->share->table.key_id, 400, 7);
	mesh_settle(&mesh);
	assert_int_equal(mesh.reply.status, KM_STATUS_EMPTY);
	memcpy(waits, mesh.reply.request_id, KM_HASH_SIZE);
	take_places(p);
	assert_int_equal(p->queued.n, KM_QUEUE_MAX);
	assert_non_null(km_idmap_find(&p->queued, waits));
	refill(p, 1);
	for (; ms < 500 && !told; ms += 5) {
		mesh_run(&mesh, 5000);
		take_places(p);
	}
	assert_int_equal(told, 1);
	mesh.now.wall_ms = wall_ms;
	mesh_request(&mesh, VICTIM, p->keys->share->table.key_id, 400, 7);
	mesh_settle(&mesh);
	assert_true(mesh_verify(&mesh, 400, km_curve_p256(), &p->keys->share->table.x));
	/* and what the others took is free again when they stop */
	mesh_run(&mesh, KM_QUEUE_US + 10000);
	assert_int_equal(p->queued.n, 0);
	assert_null(p->queue_head);
	assert_null(p->queue_tail);
	mesh_free(&mesh);
}

KM_TESTS(cmocka_unit_test(test_places), cmocka_unit_test(test_answers), cmocka_unit_test(test_answers_without_rule), cmocka_unit_test(test_counts),
	 cmocka_unit_test(test_proposals), cmocka_unit_test(test_queue))
