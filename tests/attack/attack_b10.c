/* attack_b10.c: the end of a key generation, B10: a final STORED that some see and some do not, and a crash at every step of it.
 * A corrupt member says STORED to one peer only and is never heard again: that peer uses a key that the others never finish. And a
 * peer that says STORED before its share is on the disk dies in between: the others use a key with a share less than they think.
 * Stopped by: who holds STORED of all keeps it as a certificate and hands it on; STORED is said when the disk has the share. */
#include <stdlib.h>
#include "attack.h"
#include "../lib/dkg_help.h"
#include "../lib/mesh.h"
#include "node/peer_impl.h"

#define EVIL 3

static struct mesh mesh;
static int alone; /* the one that was told is not heard by the others yet */

static int tap_selective(struct mesh *m, struct mesh_packet *k)
{
	if (k->data[0] == KM_FRAME_ENVELOPE && k->data[3] == KM_PROTO_DKG && k->data[4] == KM_DKG_G6 && k->from.id == EVIL && k->to.id != 1)
		return 0;
	if (k->data[0] == KM_FRAME_CERT && k->from.id == EVIL)
		return 0;
	return (k->data[0] != KM_FRAME_RELAY && k->data[0] != KM_FRAME_CERT) || k->from.id != 1 || !alone;
}

static int usable(unsigned id)
{
	const struct km_key *k = mesh.node[id].peer->keys;

	return k && k->share->usable;
}

/* 1 when 1, 2 and 4 end with the same usable key. */
static int all_have_it(void)
{
	mesh_init(&mesh, 4, 2, 16);
	for (unsigned i = 1; i <= 4; i++)
		mesh_start(&mesh, i);
	mesh_run(&mesh, 100000);
	alone = 1;
	mesh.tap = tap_selective;
	assert_true(mesh_keygen(&mesh, 2, 2000000) < 0);
	assert_true(usable(1) && !usable(2) && !usable(4));
	mesh_kill(&mesh, EVIL);
	mesh_kill(&mesh, 1);
	mesh_start(&mesh, 1);
	alone = 0;
	mesh_run(&mesh, 20000000);
	int all = usable(1) && usable(2) && usable(4);
	if (all)
		for (unsigned i = 2; i <= 4; i += 2)
			assert_memory_equal(mesh.node[i].peer->keys->share->table.hash, mesh.node[1].peer->keys->share->table.hash,
					    KM_HASH_SIZE);
	mesh_free(&mesh);
	return all;
}

static void test_handed_on(void **state)
{
	rules_all();
	assert_true(all_have_it());
}

static void test_not_handed_on(void **state)
{
	rules_all();
	rule_off(km_rule_certificate);
	assert_false(all_have_it());
	rules_all();
}

/* ---- a crash instead of the disk's answer; N = T, so that every share is needed */

static uint32_t used_without(unsigned dead)
{
	struct dkg d;

	dkg_init(&d, 10, 7, 3);
	net_party(d.net, (uint8_t)dead)->crash_at_persist = 1;
	dkg_run(&d, 0);
	uint32_t done = dkg_done(&d);
	dkg_clear(&d);
	return done;
}

static void test_durable(void **state)
{
	rules_all();
	for (unsigned i = 1; i <= 3; i++)
		assert_int_equal(used_without(i), 0);
}

static void test_not_durable(void **state)
{
	rules_all();
	rule_off(km_rule_stored_durable);
	for (unsigned i = 1; i <= 3; i++)
		assert_int_equal(used_without(i), 7 & ~km_set_bit(i));
	rules_all();
}

/* ---- an ACK for one that the other does not see as it is */

static enum net_verdict split_ack(void *ctx, uint8_t from, uint8_t to, uint8_t **raw, size_t *len)
{
	if (from != EVIL || to != 2 || (*raw)[3] != KM_DKG_G5)
		return NET_PASS;
	(*raw)[KM_MSG_HEAD] ^= 1; /* of its view */
	dkg_resign(ctx, EVIL, raw, len);
	return NET_PASS;
}

/* Who has both ACKs stores and says so; who has not never does: a key that one could use and the other not is no key at either. */
static void test_split_ack(void **state)
{
	struct dkg d;

	rules_all();
	dkg_init(&d, 11, 7, 2);
	d.corrupt = km_set_bit(EVIL);
	net_tap(d.net, split_ack, &d);
	dkg_run(&d, 1);
	for (unsigned i = 1; i <= 2; i++) {
		assert_false(dkg_party(&d, i)->done);
		assert_int_equal((dkg_party(&d, i)->convicted | dkg_party(&d, i)->disputed) & ~km_set_bit(EVIL), 0);
	}
	dkg_clear(&d);
}

/* ---- whole peers, one of which dies after its n-th effect, for every n; then it starts again with what its disk has */

/* 1 if the crash came before the end of the key generation. */
static int crash_at(unsigned victim, unsigned effect)
{
	const uint8_t *hash = NULL;
	int crashed;

	mesh_init(&mesh, 3, 2, 10);
	for (unsigned i = 1; i <= 3; i++) {
		mesh.node[i].s.pool_target = 2;
		mesh.node[i].s.pool_low = 1;
		mesh.node[i].s.batch = 4;
		mesh_start(&mesh, i);
	}
	mesh_run(&mesh, 100000);
	mesh_crash_after(&mesh, victim, effect);
	(void)mesh_keygen(&mesh, 1, 1000000);
	crashed = !mesh.node[victim].peer;
	mesh.crash_id = 0;
	if (crashed)
		mesh_start(&mesh, victim);
	for (unsigned i = 0; i < 15 && !(usable(1) && usable(2) && usable(3)); i++)
		mesh_run(&mesh, 2000000);
	/* all have one and the same key, or nobody has one and the next attempt makes it */
	if (!usable(1) || !usable(2) || !usable(3)) {
		for (unsigned i = 1; i <= 3; i++)
			assert_false(usable(i));
		assert_int_equal(mesh_keygen(&mesh, 1, 60000000), KM_OK);
	}
	mesh_run(&mesh, 5000000);
	for (unsigned i = 1; i <= 3; i++) {
		const struct km_key *k = km_key_by_name(mesh.node[i].peer, "www");

		assert_non_null(k);
		assert_true(k->share->usable);
		if (!hash)
			hash = k->share->table.hash;
		assert_memory_equal(k->share->table.hash, hash, KM_HASH_SIZE);
		assert_int_equal(mesh.node[i].peer->quarantined | mesh.node[i].peer->disputed, 0);
	}
	/* and it signs */
	for (unsigned i = 1; i <= 3; i++) {
		mesh_request(&mesh, i, km_key_by_name(mesh.node[i].peer, "www")->share->table.key_id, effect + i, 7);
		mesh_run(&mesh, 500000);
		assert_true(mesh_verify(&mesh, effect + i, km_curve_p256(), &mesh.node[1].peer->keys->share->table.x));
	}
	mesh_free(&mesh);
	return crashed;
}

static void test_crash_everywhere(void **state)
{
	rules_all();
	/* the one who was asked, at every third step; one of the others, at every eighth. (All of them: the simulator.) */
	for (unsigned victim = 1; victim <= 2; victim++) {
		unsigned n = 0, step = victim == 1 ? 3 : 8;

		while (n < 400 && crash_at(victim, n))
			n += step;
		print_message("# peer %u: a crash after its effects, to the %uth\n", victim, n);
		/* twelve messages to two others, a file, its archive, jobs */
		assert_true(n > 20 && n < 400);
	}
}

KM_TESTS(cmocka_unit_test(test_handed_on), cmocka_unit_test(test_not_handed_on), cmocka_unit_test(test_durable),
	 cmocka_unit_test(test_not_durable), cmocka_unit_test(test_split_ack), cmocka_unit_test(test_crash_everywhere))
