/* attack_b25_refuse.c: t corrupt signers refuse every request, each with a reason that would be final if it were true.
 * Stopped by: only T refusals, of which one is honest, are an answer; and who refuses what we admitted is asked last for a while. */
#include "attack.h"
#include "../lib/mesh.h"
#include "node/peer_impl.h"

#define AGGREGATOR 1
#define T 4
#define LIARS 0x70u /* 5 to 7 */
#define REQUESTS 10

static struct mesh mesh;
static unsigned lies, reason;

static int tap(struct mesh *m, struct mesh_packet *k)
{
	struct km_share_msg s;
	struct km_buf b;

	if (k->from.kind != KM_ADDR_PEER || !km_set_has(LIARS, k->from.id) || k->data[0] != KM_FRAME_SHARE)
		return 1;
	assert_int_equal(km_share_msg_decode(&s, k->data, k->len), KM_OK);
	s.status = (uint8_t)reason;
	s.n = 0;
	km_buf_init(&b);
	km_share_msg_encode(&b, &s);
	assert_true(b.len <= k->len);
	memcpy(k->data, b.data, b.len);
	k->len = b.len;
	km_buf_clear(&b);
	lies++;
	return 1;
}

static void setup(void)
{
	rules_all();
	lies = 0;
	mesh_init(&mesh, 2 * T - 1, T, 25);
	for (unsigned i = 1; i <= mesh.n; i++) {
		mesh.node[i].s.pool_target = 12;
		mesh.node[i].s.pool_low = 8;
		mesh_start(&mesh, i);
	}
	mesh_run(&mesh, 100000);
	assert_int_equal(mesh_keygen(&mesh, 1, 60000000), KM_OK);
	mesh_run(&mesh, 10000000);
	mesh.tap = tap;
	/* the liars are the nearest */
	for (unsigned i = 2; i <= 4; i++)
		mesh.node[AGGREGATOR].peer->link[i].rtt_us = 100000 * i;
}

static unsigned ask(unsigned salt)
{
	struct km_key *k = mesh.node[AGGREGATOR].peer->keys;

	mesh.replies = 0;
	mesh_request(&mesh, AGGREGATOR, k->share->table.key_id, salt, UINT32_MAX);
	mesh_settle(&mesh);
	mesh_run(&mesh, 1000);
	assert_int_equal(mesh.replies, 1);
	return mesh.reply.status;
}

static void test_served(void **state)
{
	static const unsigned reasons[] = {KM_STATUS_RIGHTS, KM_STATUS_BAD_MAC};

	for (unsigned i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++) {
		setup();
		reason = reasons[i];
		assert_int_equal(ask(1), KM_STATUS_OK);
		assert_true(lies > 0);
		/* and not every request pays for it again */
		lies = 0;
		for (unsigned k = 0; k < REQUESTS; k++)
			assert_int_equal(ask(2 + k), KM_STATUS_OK);
		/* but for a wrong authenticator, which may be the frontend's doing */
		assert_true(lies < REQUESTS || reason == KM_STATUS_BAD_MAC);
		assert_int_equal(mesh.node[AGGREGATOR].peer->disputed | mesh.node[AGGREGATOR].peer->quarantined, 0);
		mesh_free(&mesh);
	}
}

KM_TESTS(cmocka_unit_test(test_served))
