/* attack_a26.c: a corrupt initiator opens run after run and never sends a message in any: slots and memory of the others fill
 * with runs that wait. Stopped by: one run per initiator, and a pause after a failed one; the others presign on. */
#include <stdlib.h>
#include "attack.h"
#include "../lib/mesh.h"
#include "node/peer_impl.h"

#define EVIL 5
#define VICTIM 1
#define TRIES 12

static struct mesh mesh;

static int tap_mute(struct mesh *m, struct mesh_packet *k)
{
	return !(k->from.kind == KM_ADDR_PEER && k->from.id == EVIL && k->data[0] == KM_FRAME_ENVELOPE &&
		 k->data[3] == KM_PROTO_MAJORITY);
}

/* The proposals are the corrupt peer's own, signed and well-formed. */
static void propose(void)
{
	struct km_peer *p = mesh.node[EVIL].peer;
	struct km_proposal prop = {.purpose = KM_PURPOSE_PRESIGN, .engine = KM_ENGINE_MAJORITY, .participants = 0x1f, .batch = 1};
	struct km_presign_row row = {.owner = EVIL, .quorum = 0x13};
	struct km_event tick = {.kind = KM_EVENT_TICK};
	struct km_run *run;

	memcpy(prop.hash, p->keys->share->table.hash, KM_HASH_SIZE);
	p->fx = &mesh.fx;
	p->now = mesh.now;
	assert_int_equal(km_session_propose(p, &prop, &row, p->keys, &run), KM_OK);
	p->fx = NULL;
	assert_int_equal(mesh_step(&mesh, EVIL, &tick), KM_OK);
	mesh_settle(&mesh);
}

/* Runs of the corrupt peer that are open at the victim at once. */
static unsigned open_runs(void)
{
	unsigned n;

	mesh_init(&mesh, 5, 3, 26);
	for (unsigned i = 1; i <= 5; i++) {
		mesh.node[i].s.pool_target = 4;
		mesh.node[i].s.pool_low = 2;
		mesh_start(&mesh, i);
	}
	mesh_run(&mesh, 100000);
	assert_int_equal(mesh_keygen(&mesh, 1, 30000000), KM_OK);
	mesh_run(&mesh, 3000000);
	mesh.tap = tap_mute;
	for (unsigned i = 0; i < TRIES; i++)
		propose();
	n = km_run_count(mesh.node[VICTIM].peer, EVIL, KM_PURPOSE_PRESIGN);
	return n;
}

static void test_one_run_each(void **state)
{
	rules_all();
	assert_int_equal(open_runs(), 1);
	/* after the failure it waits as long as the run lasted */
	for (unsigned i = 0; i < 60 && km_run_count(mesh.node[VICTIM].peer, EVIL, KM_PURPOSE_PRESIGN); i++)
		mesh_run(&mesh, 1000000);
	propose();
	assert_int_equal(km_run_count(mesh.node[VICTIM].peer, EVIL, KM_PURPOSE_PRESIGN), 0);
	/* and is left out by then: without it three of the quorums of the victim can be filled no more, but nothing hangs */
	assert_int_equal(mesh.node[VICTIM].peer->quarantined | mesh.node[VICTIM].peer->disputed, 0);
	mesh_free(&mesh);
}

static void test_without_the_rule(void **state)
{
	rules_all();
	rule_off(km_rule_run_slots);
	assert_true(open_runs() > KM_RUN_SLOTS);
	rules_all();
	mesh_free(&mesh);
}

KM_TESTS(cmocka_unit_test(test_one_run_each), cmocka_unit_test(test_without_the_rule))
