/* attack_b14.c: replay through a whole peer: proposals, messages of runs and requests of one life are sent again into the same
 * life, after the runs have ended, and into the next one. Stopped by: a sid needs a fresh nonce of every participant, and
 * everything carries its sid. */
#include "node.h"
#include "tests/sim/sim_map.h"

#define EVIL 1

/* Do honest peers ever sign two contents for one (sid, round, recipient)? Set-up has no sid of its own yet. */
static int contradiction(const struct mesh *m)
{
	struct sim_map said = {0};
	int found = 0;

	for (size_t i = 0; i < m->n; i++) {
		const struct node_packet *p = &m->packet[i];
		struct km_msg msg;
		struct km_hash h;
		uint8_t key[KM_HASH_SIZE];
		uint64_t digest;
		int fresh;

		if (p->data[0] != KM_FRAME_ENVELOPE || p->from.id == EVIL || km_msg_parse(&msg, p->data + 1, p->len - 1) ||
		    msg.sender != p->from.id || msg.proto == KM_PROTO_SETUP)
			continue;
		km_hash_init(&h, "place");
		km_hash_field(&h, msg.sid, KM_HASH_SIZE);
		km_hash_u8(&h, msg.round);
		km_hash_u8(&h, msg.sender);
		km_hash_u8(&h, msg.recipient);
		km_hash_final(&h, key);
		memcpy(&digest, msg.digest, sizeof(digest));
		uint64_t *at = sim_map_get(&said, key, &fresh);
		if (fresh)
			*at = digest;
		found |= *at != digest;
	}
	sim_map_clear(&said);
	return found;
}

static unsigned replays(struct mesh *m, unsigned to, int setup_only)
{
	size_t n = m->n;
	unsigned sent = 0;

	for (size_t i = 0; i < n && m->n < NODE_PACKETS; i++) {
		const struct node_packet *p = &m->packet[i];
		int own_setup =
		    p->data[0] == KM_FRAME_ENVELOPE && p->len > 5 && p->data[3] == KM_PROTO_SETUP && p->from.id == EVIL;

		if (p->to.kind != KM_ADDR_PEER || p->to.id != to || p->from.kind != KM_ADDR_PEER || (setup_only && !own_setup))
			continue;
		/* a channel that lives lets nothing of another life through but what its end repeats: HELLO is not replayed */
		if (p->data[0] == KM_FRAME_HELLO)
			continue;
		sim_inject(m->sim, p->to, p->from, p->data, p->len);
		sent++;
	}
	return sent;
}

/* The corrupt initiator proposes again, byte for byte, what it proposed when the key was new. */
static void propose_again(struct mesh *m)
{
	mesh_run(m, 4000);
	assert_true(replays(m, 2, 1) > 0);
	assert_true(replays(m, 3, 1) > 0);
	mesh_run(m, 3000);
}

static void test_proposals(void **state)
{
	struct mesh *m = mesh_new(14, 3, 2);

	rules_all();
	mesh_key(m);
	sim_corrupt(m->sim, EVIL);
	propose_again(m);
	assert_false(contradiction(m));
	mesh_free(m, NULL);
}

/* Without fresh nonces in the sid, honest peers sign two contents in one place: proof against themselves. */
static void test_proposals_without_rule(void **state)
{
	struct mesh *m = mesh_new(14, 3, 2);

	rules_all();
	rule_off(km_rule_fresh_sid);
	mesh_key(m);
	sim_corrupt(m->sim, EVIL);
	propose_again(m);
	assert_true(contradiction(m));
	mesh_free(m, NULL);
}

/* Everything at once, into the life it was for: nothing happens twice. */
static void test_same_life(void **state)
{
	struct mesh *m = mesh_new(14, 3, 2);

	rules_all();
	mesh_key(m);
	struct km_peer *p = sim_peer(m->sim, 2);
	uint64_t signed_before = p->n_signed, presigned = p->n_presigned;
	mesh_run(m, 4000);
	assert_true(replays(m, 2, 0) > 40);
	mesh_run(m, 10000);
	assert_int_equal(p->n_signed, signed_before);
	assert_int_equal(p->n_presigned, presigned);
	assert_int_equal(p->disputed | p->quarantined, 0);
	assert_false(contradiction(m));
	mesh_free(m, NULL);
}

/* ... and into the next one: it signs nothing, and speaks in no run of its former life. */
static void test_next_life(void **state)
{
	struct mesh *m = mesh_new(14, 3, 2);
	struct km_share_msg share;
	uint8_t mac[KM_MAC_SIZE];
	struct wish w;

	rules_all();
	mesh_key(m);
	sim_corrupt(m->sim, EVIL);
	uint8_t old[KM_HASH_SIZE];
	memcpy(old, mesh_presig(m, EVIL, 2)->id, sizeof(old));
	sim_kill(m->sim, KM_ADDR_PEER, 2);
	sim_restart(m->sim, KM_ADDR_PEER, 2);
	mesh_run(m, 1);
	assert_true(replays(m, 2, 0) > 40);
	mesh_run(m, 10000);
	assert_int_equal(sim_peer(m->sim, 2)->n_signed, 0);
	assert_int_equal(sim_peer(m->sim, 2)->disputed | sim_peer(m->sim, 2)->quarantined, 0);
	wish_make(m, &w, 1, 1);
	wish_mac(m, &w, 2, mac);
	assert_int_equal(mesh_sign(m, EVIL, 2, old, &w, mac, &share), KM_STATUS_UNKNOWN_PRESIG);
	assert_false(contradiction(m));
	mesh_free(m, NULL);
}

KM_TESTS(cmocka_unit_test(test_proposals), cmocka_unit_test(test_proposals_without_rule), cmocka_unit_test(test_same_life),
	 cmocka_unit_test(test_next_life))
