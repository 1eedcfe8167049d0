/* attack_b13.c: ids that are nobody's, in joining and signing: 0, beyond the roster, out of range; in the channel, in proposals
 * and in requests. Stopped by: refused at the door: only ids of the roster are heard, and what a proposal names must be members
 * of the key. */
#include "node.h"

#define EVIL 2
#define READER 1

static const uint16_t strangers[] = {0, 4, 32, 33, 255, 1024, 65535};

static void hello_from(struct mesh *m, unsigned id)
{
	struct km_hello h = {
	    .version = KM_MSG_VERSION, .id = (uint8_t)id, .n = 3, .incarnation = {1}, .time_ms = mesh_wall_ms(m, 1)};
	struct km_buf b;

	memcpy(h.roster, sim_peer_settings(m->sim, READER)->roster.hash, KM_HASH_SIZE);
	km_buf_init(&b);
	km_hello_encode(&b, &h);
	sim_inject(m->sim, peer(READER), peer(id), b.data, b.len);
	km_buf_clear(&b);
	mesh_run(m, 5);
}

static void test_channel(void **state)
{
	struct mesh *m = mesh_ready(13, 3, 2);
	struct km_peer *p = sim_peer(m->sim, READER);
	struct km_held *h = mesh_presig(m, EVIL, READER);
	uint8_t mac[KM_MAC_SIZE];
	struct wish w;

	wish_make(m, &w, 1, 1);
	wish_mac(m, &w, READER, mac);
	for (size_t k = 0; k < sizeof(strangers) / sizeof(strangers[0]); k++) {
		uint64_t before = p->dropped[KM_DROP_UNKNOWN_SENDER];

		hello_from(m, strangers[k]);
		/* true in everything but who sends it */
		assert_int_equal(mesh_sign(m, strangers[k], READER, h->id, &w, mac, NULL), -1);
		for (uint8_t kind = 0; kind < 64; kind++) {
			const uint8_t frame[] = {kind, 1, 2, 3};

			sim_inject(m->sim, peer(READER), peer(strangers[k]), frame, sizeof(frame));
			if (strangers[k] == 0 || strangers[k] > 2)
				sim_inject(m->sim, peer(READER), frontend(strangers[k]), frame, sizeof(frame));
		}
		mesh_run(m, 5);
		assert_int_equal(p->dropped[KM_DROP_UNKNOWN_SENDER] - before, 2 + 2 * 64);
	}
	assert_false(p->link[4].live);
	mesh_free(m, NULL);
}

static void test_channel_without_rule(void **state)
{
	struct mesh *m = mesh_ready(13, 3, 2);

	rule_off(km_rule_known_id);
	hello_from(m, 4);
	assert_true(sim_peer(m->sim, READER)->link[4].live);
	mesh_free(m, NULL);
}

/* ---- proposals */

static int refused(struct mesh *m, uint32_t participants, unsigned owner, uint32_t quorum)
{
	const struct km_settings *s = sim_peer_settings(m->sim, EVIL);
	const struct km_table *t = &mesh_www(m, EVIL)->share->table;
	struct km_shape shape = {.head = 0, .row = 5, .rows = 1};
	uint8_t sid[KM_HASH_SIZE], nonce[KM_NONCE_SIZE];
	struct km_buf body, b;
	struct km_hash h;

	km_buf_init(&body);
	km_buf_init(&b);
	km_put_u8(&body, KM_PURPOSE_PRESIGN);
	km_put_bytes(&body, t->hash, KM_HASH_SIZE);
	km_put_u32(&body, participants);
	km_put_u8(&body, KM_ENGINE_MAJORITY);
	km_put_u16(&body, 1);
	km_put_u64(&body, mesh_wall_ms(m, EVIL));
	km_put_bytes(&body, sim_peer(m->sim, EVIL)->incarnation, KM_NONCE_SIZE);
	km_rng_bytes(sim_rng(m->sim), nonce, sizeof(nonce));
	km_put_bytes(&body, nonce, sizeof(nonce));
	shape.head = (uint32_t)body.len;
	km_put_u8(&body, (uint8_t)owner);
	km_put_u32(&body, quorum);
	km_hash_init(&h, "propose");
	km_hash_field(&h, body.data, body.len);
	km_hash_final(&h, sid);
	km_put_u8(&b, KM_FRAME_ENVELOPE);
	assert_int_equal(km_msg_build(&b, KM_PROTO_SETUP, 1, EVIL, 0, sid, &shape, body.data, &s->identity), KM_OK);
	mesh_forget(m);
	sim_inject(m->sim, peer(READER), peer(EVIL), b.data, b.len);
	mesh_run(m, 5);
	km_buf_clear(&b);
	km_buf_clear(&body);
	/* REFUSE, and no JOIN */
	unsigned joins = 0;
	size_t at = 0;
	for (const struct node_packet *p; (p = mesh_find(m, KM_FRAME_ENVELOPE, READER, EVIL, &at));)
		joins += p->data[3] == KM_PROTO_SETUP && p->data[4] == 2;
	unsigned refusals = mesh_count(m, KM_FRAME_REFUSE, READER, EVIL);
	assert_int_equal(joins + refusals, 1);
	mesh_run(m, 3000);
	return refusals == 1;
}

static void test_proposals(void **state)
{
	struct mesh *m = mesh_ready(13, 3, 2);
	uint32_t stranger = km_set_bit(4);

	sim_corrupt(m->sim, EVIL);
	assert_true(refused(m, 7 | stranger, 2, 3));		 /* participants */
	assert_true(refused(m, 7, 2, km_set_bit(2) | stranger)); /* a quorum */
	assert_true(refused(m, 7, 0, 3));			 /* owners */
	assert_true(refused(m, 7, 4, 3));
	assert_true(refused(m, 7, 33, 3));
	assert_true(refused(m, 7, 255, 3));
	assert_true(refused(m, 7, 3, 3)); /* a member, but not of the quorum */
	assert_true(refused(m, 7, 2, 7)); /* T members, no more, no fewer */
	assert_true(refused(m, 7, 2, 2));
	assert_true(refused(m, 7, 2, 0));
	assert_true(refused(m, 3, 2, 3)); /* fewer than 2T-1 */
	assert_true(refused(m, 6, 2, 6)); /* without the one that is asked */
	/* the same proposal with nothing wrong is joined: it is not refused for another reason */
	assert_false(refused(m, 7, 2, 3));
	mesh_free(m, NULL);
}

/* ---- requests */

static void test_requests(void **state)
{
	static const uint16_t ids[] = {0, 3, 1024, 1025, 65535};
	struct mesh *m = mesh_ready(13, 3, 2);
	struct km_held *h = mesh_presig(m, EVIL, READER);
	uint8_t mac[KM_MAC_SIZE] = {0};
	struct wish w;

	sim_corrupt(m->sim, EVIL);
	for (size_t k = 0; k < sizeof(ids) / sizeof(ids[0]); k++) {
		wish_make(m, &w, 1, k);
		w.req.frontend = ids[k];
		wish_finish(&w);
		int status = mesh_sign(m, EVIL, READER, h->id, &w, mac, NULL);
		assert_true(status == -1 || status == KM_STATUS_BAD_MAC);
	}
	mesh_free(m, NULL);
}

KM_TESTS(cmocka_unit_test(test_channel), cmocka_unit_test(test_channel_without_rule), cmocka_unit_test(test_proposals),
	 cmocka_unit_test(test_requests))
