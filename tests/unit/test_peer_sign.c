/* test_peer_sign.c: what a signer and an aggregator accept, in the order of the protocol, and what each refusal leaves behind. */
#include <stdlib.h>
#include "base/secret.h"
#include "lib/test.h"
#include "lib/mesh.h"
#include "node/peer_impl.h"

static struct mesh mesh;

static struct km_peer *peer(unsigned i)
{
	return mesh.node[i].peer;
}

static const struct km_table *table(void)
{
	return &peer(1)->keys->share->table;
}

static void setup(unsigned rate, unsigned owner_pool)
{
	mesh_init(&mesh, 5, 3, 77);
	for (unsigned i = 1; i <= 5; i++) {
		mesh.node[i].s.pool_target = owner_pool;
		mesh.node[i].s.pool_low = owner_pool / 2;
		mesh.node[i].key[0].rate = rate;
		mesh_start(&mesh, i);
	}
	mesh_run(&mesh, 100000);
	assert_int_equal(mesh_keygen(&mesh, 1, 30000000), KM_OK);
	mesh_run(&mesh, 3000000);
}

/* ---- a SIGN of owner 1 to signer 2, made by hand */

static struct {
	struct km_sign m;
	uint8_t bytes[130];
	struct km_presig *ps;
} by_hand;
static struct km_share_msg got;
static unsigned n_got;

static int tap_share(struct mesh *m, struct mesh_packet *k)
{
	if (k->data[0] == KM_FRAME_SHARE && k->from.id == 2) {
		assert_int_equal(km_share_msg_decode(&got, k->data, k->len), KM_OK);
		n_got++;
	}
	return 1;
}

static struct km_held *held_by(unsigned i, unsigned owner, unsigned also)
{
	for (struct km_lot *lot = peer(i)->lots; lot; lot = lot->next)
		for (struct km_held *h = lot->helds; h; h = h->lot_next)
			if (h->ps->owner == owner && km_set_has(h->ps->quorum, also))
				return h;
	fail();
	return NULL;
}

static void authenticate(void)
{
	uint8_t id[KM_HASH_SIZE], key[32];

	km_req_id(&by_hand.m.req, id);
	assert_int_equal(km_auth_key(mesh.frontend_priv, mesh.node[1].s.roster.peer[2].channel, MESH_FRONTEND, 2, key), KM_OK);
	km_auth_mac(key, id, 2, by_hand.m.mac);
}

static void prepare(unsigned salt)
{
	struct km_req *r = &by_hand.m.req;

	memset(&by_hand, 0, sizeof(by_hand));
	r->version = KM_REQ_VERSION;
	r->frontend = MESH_FRONTEND;
	memcpy(r->key_id, table()->key_id, KM_HASH_SIZE);
	r->context = KM_CTX_TLS13_SERVER;
	r->time_ms = mesh.now.wall_ms;
	memcpy(r->random, &salt, sizeof(salt));
	r->len = (uint32_t)mesh_bytes(salt, by_hand.bytes);
	r->data = by_hand.bytes;
	memcpy(by_hand.m.incarnation, peer(2)->incarnation, KM_NONCE_SIZE);
	memcpy(by_hand.m.presig_id, held_by(2, 1, 2)->id, KM_HASH_SIZE);
	authenticate();
	mesh.tap = tap_share;
}

static unsigned send_from(unsigned from)
{
	struct km_buf b;

	n_got = 0;
	memset(&got, 0, sizeof(got));
	km_buf_init(&b);
	km_sign_encode(&b, &by_hand.m);
	struct km_event ev = {.kind = KM_EVENT_MESSAGE, .from = {KM_ADDR_PEER, (uint16_t)from}, .data = b.data, .len = b.len};
	assert_int_equal(mesh_step(&mesh, 2, &ev), KM_OK);
	km_buf_clear(&b);
	return got.status;
}

/* A refusal of steps 1 to 7 changes nothing. */
static void refused(unsigned status)
{
	size_t held = peer(2)->n_held, records = peer(2)->n_records;
	unsigned audits = mesh.node[2].audits;
	uint64_t spends = peer(2)->spends.n;

	assert_int_equal(send_from(1), status);
	assert_int_equal(n_got, 1);
	assert_int_equal(got.n, 0);
	assert_int_equal(peer(2)->n_held, held);
	assert_int_equal(peer(2)->n_records, records);
	assert_int_equal(peer(2)->spends.n, spends);
	assert_int_equal(mesh.node[2].audits, audits);
}

static void test_signer_signs_once(void **state)
{
	struct km_share_msg first;

	setup(0, 4);
	prepare(1);
	size_t held = peer(2)->n_held;
	unsigned audits = mesh.node[2].audits;
	assert_int_equal(send_from(1), KM_STATUS_OK);
	assert_int_equal(peer(2)->n_held, held - 1);
	assert_null(km_idmap_find(&peer(2)->presigs, by_hand.m.presig_id));
	assert_int_equal(mesh.node[2].audits, audits + 1);
	first = got;
	/* the same again: the same bytes, nothing computed, nothing logged */
	assert_int_equal(send_from(1), KM_STATUS_OK);
	assert_memory_equal(&first, &got, sizeof(got));
	assert_int_equal(mesh.node[2].audits, audits + 1);
	/* another request under it: no */
	prepare(2);
	memcpy(by_hand.m.presig_id, first.presig_id, KM_HASH_SIZE);
	refused(KM_STATUS_UNKNOWN_PRESIG);
	/* the same request by somebody else */
	prepare(1);
	memcpy(by_hand.m.presig_id, first.presig_id, KM_HASH_SIZE);
	assert_int_equal(send_from(3), KM_STATUS_UNKNOWN_PRESIG);
	mesh_free(&mesh);
}

static void test_signer_refuses(void **state)
{
	setup(0, 4);
	/* 2 authenticator */
	prepare(1);
	by_hand.m.mac[3] ^= 1;
	refused(KM_STATUS_BAD_MAC);
	prepare(1);
	by_hand.bytes[120] ^= 1; /* other bytes under an authenticator of these */
	refused(KM_STATUS_BAD_MAC);
	prepare(1);
	by_hand.m.req.frontend = 8;
	authenticate();
	refused(KM_STATUS_BAD_MAC);
	/* 3 time */
	prepare(1);
	by_hand.m.req.time_ms -= 30001;
	authenticate();
	refused(KM_STATUS_STALE);
	prepare(1);
	by_hand.m.req.time_ms += 30001 + 2000;
	authenticate();
	refused(KM_STATUS_STALE);
	/* 4 rights */
	prepare(1);
	by_hand.m.req.context = KM_CTX_TLS12_SERVER;
	authenticate();
	refused(KM_STATUS_RIGHTS);
	prepare(1);
	by_hand.m.req.key_id[0] ^= 1;
	authenticate();
	refused(KM_STATUS_UNKNOWN_KEY);
	prepare(1);
	by_hand.m.req.context = KM_CTX_CANARY;
	authenticate();
	refused(KM_STATUS_CONTEXT);
	memset(mesh.node[2].key[0].frontends, 0, sizeof(mesh.node[2].key[0].frontends));
	prepare(1);
	refused(KM_STATUS_RIGHTS);
	km_policy_allow_frontend(&mesh.node[2].key[0], MESH_FRONTEND);
	/* 6 context */
	prepare(1);
	by_hand.bytes[64] ^= 1;
	authenticate();
	refused(KM_STATUS_CONTEXT);
	/* 7 presignature */
	prepare(1);
	by_hand.m.presig_id[0] ^= 1;
	refused(KM_STATUS_UNKNOWN_PRESIG);
	prepare(1);
	memcpy(by_hand.m.presig_id, held_by(2, 3, 2)->id, KM_HASH_SIZE); /* owned by 3 */
	refused(KM_STATUS_UNKNOWN_PRESIG);
	prepare(1);
	by_hand.m.incarnation[0] ^= 1;
	refused(KM_STATUS_UNKNOWN_PRESIG);
	/* made for another key or epoch: what is asked under one key must not be signed with another */
	prepare(1);
	struct km_held *h = held_by(2, 1, 2);
	struct km_key *key = h->key, other = *key;
	struct km_share *share = km_secret_alloc(sizeof(*share));
	assert_non_null(share);
	*share = *key->share;
	share->table.key_id[0] ^= 1;
	other.share = share;
	h->key = &other;
	refused(KM_STATUS_EPOCH);
	h->key = key;
	km_secret_free(share);
	/* a member is quarantined */
	prepare(1);
	peer(2)->quarantined = h->ps->quorum & ~(km_set_bit(1) | km_set_bit(2));
	refused(KM_STATUS_EPOCH);
	peer(2)->quarantined = 0;
	/* and nothing of all that was held against anybody, nor used up */
	prepare(1);
	assert_int_equal(send_from(1), KM_STATUS_OK);
	mesh_free(&mesh);
}

/* Asked after the end of its time, but before any tick has cleared it away. */
static void test_signer_refuses_the_old(void **state)
{
	setup(0, 4);
	prepare(1);
	mesh.now.mono_us = held_by(2, 1, 2)->lot->made_us + (uint64_t)mesh.node[2].s.presig_age_s * 1000000u;
	assert_int_equal(send_from(1), KM_STATUS_UNKNOWN_PRESIG);
	assert_int_equal(got.n, 0);
	/* nor does its owner take one for a request of its own */
	unsigned status;
	peer(1)->now.mono_us = mesh.now.mono_us - 60000000u;
	assert_non_null(km_pool_choose(peer(1), peer(1)->keys, 0, &status));
	peer(1)->now.mono_us = mesh.now.mono_us + 60000000u;
	assert_null(km_pool_choose(peer(1), peer(1)->keys, 0, &status));
	mesh_free(&mesh);
}

static void test_presignatures_of_one_request(void **state)
{
	unsigned ok = 0;

	setup(0, 16);
	for (unsigned i = 0; i < KM_SPENDS_PER_REQUEST + 3; i++) {
		prepare(5);
		ok += send_from(1) == KM_STATUS_OK;
		assert_true(got.status == KM_STATUS_OK || got.status == KM_STATUS_RATE);
	}
	assert_int_equal(ok, KM_SPENDS_PER_REQUEST);
	mesh_free(&mesh);
}

static void test_rate(void **state)
{
	unsigned ok = 0;

	setup(10, 16);
	for (unsigned i = 0; i < 30; i++) {
		prepare(100 + i);
		ok += send_from(1) == KM_STATUS_OK;
	}
	assert_int_equal(ok, 10);
	mesh_run(&mesh, 500000);
	for (unsigned i = 0; i < 30; i++) {
		prepare(200 + i);
		ok += send_from(1) == KM_STATUS_OK;
	}
	assert_int_equal(ok, 15);
	mesh_free(&mesh);
}

static void test_canary_once(void **state)
{
	setup(0, 4);
	struct km_held *h = held_by(2, 1, 2);
	uint8_t bytes[KM_HASH_SIZE];
	unsigned known = 0;

	/* key generation had the canaries of the quorums that cover all; take one that was not asked for */
	for (struct km_lot *lot = peer(2)->lots; lot; lot = lot->next) {
		for (struct km_held *at = lot->helds; at; at = at->lot_next) {
			known = 0;
			for (size_t k = 0; k < at->key->n_canaries; k++)
				known |= at->key->canaries[k] == at->ps->quorum;
			if (at->ps->owner == 1 && !known)
				h = at;
		}
	}
	uint32_t quorum = h->ps->quorum;
	prepare(1);
	memcpy(by_hand.m.presig_id, h->id, KM_HASH_SIZE);
	by_hand.m.req.frontend = 0;
	by_hand.m.req.context = KM_CTX_CANARY;
	by_hand.m.req.data = bytes;
	by_hand.m.req.len = sizeof(bytes);
	memset(by_hand.m.mac, 0, sizeof(by_hand.m.mac));
	memset(bytes, 7, sizeof(bytes));
	refused(KM_STATUS_CONTEXT);
	/* the text of another quorum is not this one's */
	km_canary_bytes(peer(2)->keys, quorum ^ 0xc, bytes);
	refused(KM_STATUS_CONTEXT);
	km_canary_bytes(peer(2)->keys, quorum, bytes);
	assert_int_equal(send_from(1), KM_STATUS_OK);
	assert_int_equal(send_from(1), KM_STATUS_OK); /* repeated, from the record */
	/* a second presignature of the quorum does not get a second canary */
	for (struct km_lot *lot = peer(2)->lots; lot; lot = lot->next)
		for (struct km_held *at = lot->helds; at; at = at->lot_next)
			if (at->ps->owner == 1 && at->ps->quorum == quorum)
				memcpy(by_hand.m.presig_id, at->id, KM_HASH_SIZE);
	refused(KM_STATUS_RATE);
	mesh_free(&mesh);
}

/* ---- the aggregator */

static void test_aggregator_refuses(void **state)
{
	setup(0, 4);
	size_t held = peer(1)->n_held;
	mesh_request(&mesh, 1, table()->key_id, 1, ~km_set_bit(1));
	mesh_settle(&mesh);
	assert_int_equal(mesh.reply.status, KM_STATUS_BAD_MAC);
	assert_int_equal(peer(1)->n_held, held);
	/* right for the aggregator, wrong for every signer: refused there, and no endless retries */
	mesh.replies = 0;
	mesh_request(&mesh, 1, table()->key_id, 2, km_set_bit(1));
	mesh_settle(&mesh);
	assert_int_equal(mesh.replies, 1);
	assert_int_equal(mesh.reply.status, KM_STATUS_BAD_MAC);
	assert_true(peer(1)->n_held >= held - 3);
	uint8_t nobody[KM_HASH_SIZE] = {1};
	mesh_request(&mesh, 1, nobody, 3, UINT32_MAX);
	mesh_settle(&mesh);
	assert_int_equal(mesh.reply.status, KM_STATUS_UNKNOWN_KEY);
	mesh_free(&mesh);
}

static int told_badsig(unsigned frontend)
{
	const struct km_flight *f = km_idmap_find(&peer(1)->flights, mesh.reply.request_id);
	struct km_badsig m = {.n = mesh.reply.n};
	struct km_buf b;

	assert_non_null(f);
	memcpy(m.request_id, mesh.reply.request_id, KM_HASH_SIZE);
	memcpy(m.r, mesh.reply.r, m.n);
	memcpy(m.s, mesh.reply.s, m.n);
	km_buf_init(&b);
	km_badsig_encode(&b, &m);
	struct km_event ev = {.kind = KM_EVENT_MESSAGE, .from = {KM_ADDR_FRONTEND, (uint16_t)frontend}, .data = b.data, .len = b.len};
	assert_int_equal(mesh_step(&mesh, 1, &ev), KM_OK);
	km_buf_clear(&b);
	return f->checked;
}

/* Only who got the answer may call it bad, and once. */
static void test_whose_badsig(void **state)
{
	setup(0, 4);
	mesh_request(&mesh, 1, table()->key_id, 1, UINT32_MAX);
	mesh_settle(&mesh);
	mesh_run(&mesh, 1000);
	assert_int_equal(mesh.reply.status, KM_STATUS_OK);
	/* another frontend that the peer knows */
	peer(1)->fe_by_id[MESH_FRONTEND + 1] = peer(1)->fe_by_id[MESH_FRONTEND];
	assert_int_equal(told_badsig(MESH_FRONTEND + 1), 0);
	mesh.replies = 0;
	assert_int_equal(told_badsig(MESH_FRONTEND), 1);
	mesh_settle(&mesh);
	/* it is good, and said again; after that nothing more is worked for it */
	assert_int_equal(mesh.replies, 1);
	assert_int_equal(told_badsig(MESH_FRONTEND), 1);
	mesh_settle(&mesh);
	assert_int_equal(mesh.replies, 1);
	mesh_free(&mesh);
}

/* ---- requests that find the pools empty */

#define WAITING 40

static struct {
	uint8_t id[WAITING][KM_HASH_SIZE];
	unsigned order[WAITING], n;
	uint64_t wall_ms;
} queue;

static int tap_again(struct mesh *m, struct mesh_packet *k)
{
	struct km_reply r;

	if (k->data[0] != KM_FRAME_REPLY || km_reply_decode(&r, k->data, k->len) || r.status != KM_STATUS_AGAIN)
		return 1;
	for (unsigned i = 0; i < WAITING; i++)
		if (memcmp(queue.id[i], r.request_id, KM_HASH_SIZE) == 0 && queue.n < WAITING)
			queue.order[queue.n++] = i;
	return 1;
}

/* Asks for the i-th request, which is the same one each time. */
static unsigned asked(unsigned i)
{
	uint64_t wall_ms = mesh.now.wall_ms;
	unsigned replies = mesh.replies;

	mesh.now.wall_ms = queue.wall_ms;
	mesh_request(&mesh, 1, table()->key_id, 1000 + i, 0x1f);
	mesh.now.wall_ms = wall_ms;
	mesh_settle(&mesh);
	assert_int_equal(mesh.replies, replies + 1);
	memcpy(queue.id[i], mesh.reply.request_id, KM_HASH_SIZE);
	return mesh.reply.status;
}

static void drain(void)
{
	unsigned status;

	for (struct km_held *h; (h = km_pool_choose(peer(1), peer(1)->keys, 0, &status));)
		km_pool_burn(peer(1), h);
}

/* Refill by hand: until then there is none. */
static void hold_refill(int held)
{
	peer(1)->refill_not_before_us = held ? mesh.now.mono_us + 3600000000u : 0;
	peer(1)->refill_wanted = 0;
	peer(1)->fx = &mesh.fx;
	km_refill_soon(peer(1), 0);
	peer(1)->fx = NULL;
}

static void empty_queue(void)
{
	setup(0, 2);
	memset(&queue, 0, sizeof(queue));
	queue.wall_ms = mesh.now.wall_ms;
	mesh.tap = tap_again;
	hold_refill(1);
	drain();
	for (unsigned i = 0; i < WAITING; i++)
		assert_int_equal(asked(i), KM_STATUS_EMPTY);
	assert_int_equal(peer(1)->queued.n, WAITING);
	assert_int_equal(peer(1)->keys->n_queued, WAITING);
	/* asked once more it keeps its place */
	assert_int_equal(asked(0), KM_STATUS_EMPTY);
	assert_int_equal(peer(1)->queued.n, WAITING);
	assert_int_equal(mesh.agains, 0);
}

/* As many are told as can be served, those who came first before all others; who comes now waits behind. */
static void test_queue_in_order(void **state)
{
	empty_queue();
	hold_refill(0);
	for (unsigned i = 0; i < 100 && !queue.n; i++)
		mesh_run(&mesh, 5000);
	unsigned ready = km_pool_ready(peer(1)->keys, 0x1f), told = queue.n;
	assert_true(told > 0 && told <= ready && told < WAITING);
	for (unsigned i = 0; i < told; i++)
		assert_int_equal(queue.order[i], i);
	mesh_request(&mesh, 1, table()->key_id, 5000, 0x1f);
	mesh_settle(&mesh);
	assert_int_equal(mesh.reply.status, KM_STATUS_EMPTY);
	assert_int_equal(asked(WAITING - 1), KM_STATUS_EMPTY);
	assert_int_equal(km_pool_ready(peer(1)->keys, 0x1f), ready);
	/* who was told is served; who was told and does not come makes room for the next */
	assert_int_equal(asked(1), KM_STATUS_OK);
	assert_int_equal(peer(1)->queued.n, WAITING);
	mesh_run(&mesh, KM_QUEUE_TOLD_US + 10000);
	assert_true(queue.n > told);
	for (unsigned i = told; i < queue.n; i++)
		assert_int_equal(queue.order[i], i);
	mesh_free(&mesh);
}

/* What nobody asks for any more is forgotten, and one frontend has not all the places. */
static void test_queue_is_bounded(void **state)
{
	empty_queue();
	mesh_run(&mesh, KM_QUEUE_US + 10000);
	assert_int_equal(peer(1)->queued.n, 0);
	assert_null(peer(1)->queue_head);
	assert_int_equal(peer(1)->keys->n_queued + peer(1)->keys->n_told, 0);
	peer(1)->fx = &mesh.fx;
	for (unsigned i = 0; i < KM_QUEUE_FRONTEND_MAX + 10; i++) {
		uint8_t id[KM_HASH_SIZE] = {(uint8_t)i, (uint8_t)(i >> 8), 1};

		km_queue_add(peer(1), peer(1)->keys, MESH_FRONTEND, id);
	}
	peer(1)->fx = NULL;
	assert_int_equal(peer(1)->queued.n, KM_QUEUE_FRONTEND_MAX);
	mesh_run(&mesh, KM_QUEUE_US + 10000);
	assert_int_equal(peer(1)->queued.n, 0);
	mesh_free(&mesh);
}

/* ---- late SHAREs */

static struct {
	int held;                          /* the next SHARE of peer 2 is kept back */
	uint8_t *data;
	size_t len;
} slow;

static int tap_slow(struct mesh *m, struct mesh_packet *k)
{
	if (!slow.held || k->data[0] != KM_FRAME_SHARE || k->from.id != 2 || k->to.id != 5)
		return 1;
	slow.held = 0;
	slow.data = malloc(k->len);
	KM_ASSERT(slow.data);
	memcpy(slow.data, k->data, k->len);
	slow.len = k->len;
	return 0;
}

/* A request of peer 5 whose SHARE from peer 2 does not come in time; it is answered all the same. */
static void late_share(unsigned salt)
{
	slow.held = 1;
	mesh.tap = tap_slow;
	for (unsigned i = 0; i < 20 && slow.held; i++) {
		mesh_request(&mesh, 5, table()->key_id, salt + i, 0x1f);
		mesh_settle(&mesh);
	}
	assert_int_equal(slow.held, 0);
	unsigned replies = mesh.replies;
	mesh_run(&mesh, 300000);
	assert_int_equal(mesh.replies, replies + 1);
	assert_int_equal(mesh.reply.status, KM_STATUS_OK);
	assert_false(km_set_has(mesh.reply.quorum, 2));
}

/* One that comes late is no sign of anything but load; one that does not come at all is scored, once a second at the most. */
static void test_late_share(void **state)
{
	setup(0, 8);
	late_share(1);
	assert_int_equal(peer(5)->n_late, 1);
	assert_true(peer(5)->link[2].avoid_until_us > 0);
	mesh_send(&mesh, km_peer_addr(2), km_peer_addr(5), slow.data, slow.len);
	free(slow.data);
	mesh_settle(&mesh);
	assert_true(peer(5)->link[2].share_us >= 300000 / 8);
	mesh_run(&mesh, 2 * KM_LATE_US);
	assert_int_equal(peer(5)->score[5][2], 0);
	late_share(100);
	uint64_t until = peer(5)->link[2].late.until_us;
	assert_true(until > mesh.now.mono_us);
	/* a second one meanwhile does not count for itself */
	free(slow.data);
	peer(5)->link[2].avoid_until_us = 0;
	late_share(200);
	free(slow.data);
	assert_int_equal(peer(5)->n_late, 3);
	assert_int_equal(peer(5)->link[2].late.until_us, until);
	mesh_run(&mesh, 2 * KM_LATE_US);
	assert_int_equal(peer(5)->score[5][2], KM_SCORE_UNIT / 8);
	assert_int_equal(peer(5)->scored[5], 0);
	mesh_free(&mesh);
}

static void test_ping_and_table(void **state)
{
	struct km_reader r;
	struct km_table t;
	struct km_buf b;

	setup(0, 4);
	km_buf_init(&b);
	km_ping_encode(&b, 4711);
	mesh_send(&mesh, (struct km_addr){KM_ADDR_FRONTEND, MESH_FRONTEND}, (struct km_addr){KM_ADDR_PEER, 3}, b.data, b.len);
	mesh_settle(&mesh);
	assert_int_equal(mesh.pongs, 1);
	assert_int_equal(mesh.pong.echo_us, 4711);
	assert_int_equal(mesh.pong.live, 0x1f);
	assert_int_equal(mesh.pong.n_keys, 1);
	assert_string_equal(mesh.pong.keys[0].name, "www");
	assert_int_equal(mesh.pong.keys[0].ready, 24);
	km_buf_reset(&b);
	km_table_ask_encode(&b, mesh.pong.keys[0].table);
	mesh_send(&mesh, (struct km_addr){KM_ADDR_FRONTEND, MESH_FRONTEND}, (struct km_addr){KM_ADDR_PEER, 3}, b.data, b.len);
	mesh_settle(&mesh);
	km_buf_clear(&b);
	assert_non_null(mesh.table);
	km_reader_init(&r, mesh.table, mesh.table_len);
	assert_int_equal(km_table_decode(&t, &r), KM_OK);
	assert_memory_equal(t.hash, table()->hash, KM_HASH_SIZE);
	mesh_free(&mesh);
}

/* Presignatures go to the fastest quorum, in classes, and evenly inside a class. */
static void test_choice_by_speed(void **state)
{
	unsigned status, with4 = 0, n = 0;
	uint32_t used = 0;

	setup(0, 8);
	struct km_peer *p = peer(5); /* peer 1 had the canaries */
	for (unsigned i = 1; i <= 4; i++)
		p->link[i].rtt_us = 20000 + 100 * i;
	p->link[4].rtt_us = 90000;
	for (; n < 24; n++) {
		struct km_held *h = km_pool_choose(p, p->keys, 0, &status);
		with4 += km_set_has(h->ps->quorum, 4);
		used |= h->ps->quorum;
		km_pool_burn(p, h);
	}
	/* three of the six quorums are without 4, eight of each */
	assert_int_equal(with4, 0);
	assert_int_equal(used, 0x17);
	assert_non_null(km_pool_choose(p, p->keys, 0, &status));
	assert_null(km_pool_choose(p, p->keys, km_set_bit(4), &status));
	assert_int_equal(status, KM_STATUS_EMPTY);
	assert_null(km_pool_choose(p, p->keys, 0x0e, &status));
	assert_int_equal(status, KM_STATUS_NO_QUORUM);
	mesh_free(&mesh);
}

static void test_choice_by_suspicion(void **state)
{
	unsigned status;

	setup(0, 4);
	struct km_peer *p = peer(5); /* peer 1 had the canaries */
	km_blame_link(p, 2, 3, KM_SCORE_UNIT);
	for (unsigned n = 0; n < 20; n++) {
		struct km_held *h = km_pool_choose(p, p->keys, 0, &status);
		assert_false(km_set_has(h->ps->quorum, 2) && km_set_has(h->ps->quorum, 3));
		km_pool_burn(p, h);
	}
	/* better a suspected link than no signature */
	assert_non_null(km_pool_choose(p, p->keys, 0, &status));
	assert_int_equal(km_blame_cost(p, 0x06), 1);
	/* the score fades */
	p->now.mono_us += 2 * KM_SCORE_HALF_US;
	p->fx = &mesh.fx;
	km_blame_tick(p);
	km_blame_tick(p);
	assert_int_equal(km_blame_cost(p, 0x06), 1); /* one halving for one tick that is due */
	p->now.mono_us += KM_SCORE_HALF_US;
	km_blame_tick(p);
	p->fx = NULL;
	assert_int_equal(km_blame_cost(p, 0x06), 0);
	mesh_free(&mesh);
}

static void test_wanted_quorums(void **state)
{
	uint32_t out[KM_WANTED_MAX];
	unsigned in[KM_MAX_PEERS + 1] = {0};

	mesh_init(&mesh, 16, 8, 78);
	mesh_start(&mesh, 3);
	/* few: all of them */
	assert_int_equal(km_refill_wanted(peer(3), 3, 0x1f, out), 6);
	for (unsigned i = 0; i < 6; i++) {
		assert_int_equal(km_set_size(out[i]), 3);
		assert_true(km_set_has(out[i], 3) && !(out[i] & ~0x1fu));
		for (unsigned j = 0; j < i; j++)
			assert_int_not_equal(out[i], out[j]);
	}
	assert_int_equal(km_refill_wanted(peer(3), 3, 0x06, out), 0);
	/* many: windows, everybody in the same number of them */
	unsigned n = km_refill_wanted(peer(3), 8, 0xffff, out);
	assert_int_equal(n, 15);
	for (unsigned i = 0; i < n; i++) {
		assert_int_equal(km_set_size(out[i]), 8);
		for (unsigned j = km_set_next(out[i], 0); j; j = km_set_next(out[i], j))
			in[j]++;
	}
	for (unsigned j = 1; j <= 16; j++)
		assert_int_equal(in[j], j == 3 ? 15 : 7);
	mesh_free(&mesh);
}

KM_TESTS(cmocka_unit_test(test_queue_in_order), cmocka_unit_test(test_queue_is_bounded), cmocka_unit_test(test_late_share),
	 cmocka_unit_test(test_signer_signs_once), cmocka_unit_test(test_signer_refuses),
	 cmocka_unit_test(test_signer_refuses_the_old),
	 cmocka_unit_test(test_presignatures_of_one_request), cmocka_unit_test(test_rate), cmocka_unit_test(test_canary_once),
	 cmocka_unit_test(test_aggregator_refuses), cmocka_unit_test(test_whose_badsig),
	 cmocka_unit_test(test_ping_and_table), cmocka_unit_test(test_choice_by_speed),
	 cmocka_unit_test(test_choice_by_suspicion), cmocka_unit_test(test_wanted_quorums))
