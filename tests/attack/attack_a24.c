/* attack_a24.c: t corrupt peers say in every run that the honest ones are late, so that an honest owner turns to quorums in which
 * it is alone with them. Stopped by: lateness is scored on the link between the two, never on a peer. */
#include <stdlib.h>
#include "attack.h"
#include "../lib/mesh.h"
#include "node/peer_impl.h"

#define OWNER 1
#define HONEST 0x06u /* 2 and 3 */
#define LIARS 0x18u  /* 4 and 5: t of them, T = 3 */
#define POOL 12

static struct mesh mesh;
static unsigned lies;

static void lie(struct mesh *m, unsigned liar, const uint8_t *sid)
{
	struct km_buf b;

	km_buf_init(&b);
	km_put_u8(&b, KM_FRAME_STALL);
	km_put_bytes(&b, sid, KM_HASH_SIZE);
	km_put_u8(&b, 1);
	km_put_u32(&b, HONEST);
	mesh_send(m, (struct km_addr){KM_ADDR_PEER, (uint16_t)liar}, (struct km_addr){KM_ADDR_PEER, OWNER}, b.data, b.len);
	km_buf_clear(&b);
	lies++;
}

/* Once the owner holds all of the first round, it is told three times that 2 and 3 said nothing. */
static int tap(struct mesh *m, struct mesh_packet *k)
{
	if (k->to.kind == KM_ADDR_PEER && k->to.id == OWNER && (k->from.id == 4 || k->from.id == 5) &&
	    k->data[0] == KM_FRAME_ENVELOPE && k->data[3] == KM_PROTO_MAJORITY && k->data[4] == 3)
		for (unsigned i = 0; i < 3; i++)
			lie(m, k->from.id, k->data + 1 + 10);
	return 1;
}

/* Of ten presignatures that the owner would take: how many share a quorum with an honest peer. */
static unsigned with_honest(void)
{
	struct km_peer *p;
	unsigned n = 0, status;

	mesh_init(&mesh, 5, 3, 24);
	for (unsigned i = 1; i <= 5; i++) {
		mesh.node[i].s.pool_target = POOL;
		mesh.node[i].s.pool_low = POOL / 2;
		mesh_start(&mesh, i);
	}
	mesh_run(&mesh, 100000);
	assert_int_equal(mesh_keygen(&mesh, 2, 30000000), KM_OK);
	mesh_run(&mesh, 3000000);
	p = mesh.node[OWNER].peer;
	/* pools go down, a run of the owner fills them again, and meanwhile it is lied to */
	for (unsigned i = 0; i < 6 * POOL / 2 + 6; i++)
		km_pool_burn(p, km_pool_choose(p, p->keys, 0, &status));
	lies = 0;
	mesh.tap = tap;
	mesh_run(&mesh, 5000000);
	mesh.tap = NULL;
	assert_true(lies >= 6);
	for (unsigned i = 0; i < 10; i++) {
		struct km_held *h = km_pool_choose(p, p->keys, 0, &status);

		assert_non_null(h);
		n += (h->ps->quorum & HONEST) != 0;
		km_pool_burn(p, h);
	}
	assert_int_equal(p->quarantined | p->disputed, 0);
	mesh_free(&mesh);
	return n;
}

static void test_lies_mark_the_liars_links(void **state)
{
	rules_all();
	/* 1, 2, 3 among themselves are as good as ever */
	assert_true(with_honest() >= 4);
}

static void test_scored_peers_steer_the_owner(void **state)
{
	rules_all();
	rule_off(km_rule_link_scores);
	/* alone with the liars every time */
	assert_int_equal(with_honest(), 0);
	rules_all();
}

KM_TESTS(cmocka_unit_test(test_lies_mark_the_liars_links), cmocka_unit_test(test_scored_peers_steer_the_owner))
