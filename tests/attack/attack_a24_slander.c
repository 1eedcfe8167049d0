/* attack_a24_slander.c: t corrupt peers accuse an honest one, signed and spread by gossip, to have it thrown out everywhere. Stopped by:
 * an accusation parts its two ends and no more; it takes T accusers, one of whom is honest, to throw anybody out. */
#include <stdlib.h>
#include "attack.h"
#include "../lib/mesh.h"
#include "node/peer_impl.h"

#define N 5
#define T 3
#define VICTIM 3

static struct mesh mesh;

static void slander(unsigned liar)
{
	uint8_t body[KM_DISPUTE_BODY] = {VICTIM, (uint8_t)-KM_E_VERIFY}, sid[KM_HASH_SIZE];
	struct km_shape shape = {.head = sizeof(body)};
	struct km_event tick = {.kind = KM_EVENT_TICK};
	struct km_peer *p = mesh.node[liar].peer;
	struct km_hash h;
	struct km_buf b;

	km_hash_init(&h, "dispute");
	km_hash_field(&h, body, sizeof(body));
	km_hash_final(&h, sid);
	km_buf_init(&b);
	assert_int_equal(km_msg_build(&b, KM_PROTO_DISPUTE, 1, (uint8_t)liar, 0, sid, &shape, body, &mesh.node[liar].s.identity), KM_OK);
	p->fx = &mesh.fx;
	assert_int_equal(km_dispute_take(p, b.data, b.len), KM_OK);
	p->fx = NULL;
	km_buf_clear(&b);
	assert_int_equal(mesh_step(&mesh, liar, &tick), KM_OK);
}

/* How many of the honest peers (1, 2 and the victim itself aside) have thrown it out; and whether it is still in their quorums. */
static unsigned thrown_out(unsigned *serves)
{
	unsigned n = 0;

	mesh_init(&mesh, N, T, 2424);
	for (unsigned i = 1; i <= N; i++) {
		mesh.node[i].s.pool_target = 6;
		mesh.node[i].s.pool_low = 3;
		mesh_start(&mesh, i);
	}
	mesh_run(&mesh, 100000);
	assert_int_equal(mesh_keygen(&mesh, 1, 30000000), KM_OK);
	mesh_run(&mesh, 2000000);
	slander(4);
	slander(5);
	mesh_run(&mesh, 3000000);
	*serves = 0;
	for (unsigned i = 1; i <= 2; i++) {
		struct km_peer *p = mesh.node[i].peer;

		assert_int_equal(p->accusers[VICTIM], km_set_bit(4) | km_set_bit(5));
		n += km_set_has(km_blame_barred(p, &p->keys->share->table), VICTIM);
		for (unsigned k = 0; k < p->keys->n_pools; k++)
			*serves += km_set_has(p->keys->pool[k].quorum, VICTIM) ? p->keys->pool[k].ready : 0;
	}
	mesh_free(&mesh);
	return n;
}

static void test_t_liars_throw_nobody_out(void **state)
{
	unsigned serves;

	rules_all();
	assert_int_equal(thrown_out(&serves), 0);
	assert_true(serves > 0);
}

static void test_without_the_count_they_do(void **state)
{
	unsigned serves;

	rules_all();
	rule_off(km_rule_dispute_votes);
	assert_int_equal(thrown_out(&serves), 2);
	assert_int_equal(serves, 0);
	rules_all();
}

KM_TESTS(cmocka_unit_test(test_t_liars_throw_nobody_out), cmocka_unit_test(test_without_the_count_they_do))
