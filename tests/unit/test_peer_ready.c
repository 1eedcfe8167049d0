/* test_peer_ready.c: what a run gave is used where its members agree, and only there: who keeps something back spoils the quorums it is
 * in, and no others. */
#include <stdlib.h>
#include "lib/test.h"
#include "lib/mesh.h"
#include "node/peer_impl.h"

#define N 5
#define T 3
#define OWNER 1
#define EVIL 3
#define C4 7

static struct mesh mesh;

static struct km_peer *peer(unsigned i)
{
	return mesh.node[i].peer;
}

static void setup(uint64_t seed)
{
	mesh_init(&mesh, N, T, seed);
	for (unsigned i = 1; i <= N; i++) {
		mesh.node[i].s.pool_target = 6;
		mesh.node[i].s.pool_low = 3;
		mesh_start(&mesh, i);
	}
	mesh_run(&mesh, 100000);
	assert_int_equal(mesh_keygen(&mesh, OWNER, 30000000), KM_OK);
	mesh_run(&mesh, 3000000);
	assert_true(km_pool_ready(peer(OWNER)->keys, UINT32_MAX) > 0);
}

/* Ready ones of the owner with the peer in their quorum, and without. */
static unsigned ready(unsigned with, unsigned without)
{
	const struct km_key *k = peer(OWNER)->keys;
	unsigned n = 0;

	for (unsigned i = 0; i < k->n_pools; i++)
		if ((!with || km_set_has(k->pool[i].quorum, with)) && (!without || !km_set_has(k->pool[i].quorum, without)))
			n += k->pool[i].ready;
	return n;
}

static void blames_nobody(void)
{
	for (unsigned i = 1; i <= N; i++)
		assert_int_equal(peer(i)->n_convictions + peer(i)->n_disputes, 0);
}

/* From here on, what is made is all there is. */
static void start_over(int (*tap)(struct mesh *, struct mesh_packet *))
{
	mesh.tap = tap;
	km_pool_burn_all(peer(OWNER));
	assert_int_equal(ready(0, 0), 0);
}

/* C4 of the corrupt peer comes to everybody but the owner, and when others would hand it on it is too late. */
static int no_c4(struct mesh *m, struct mesh_packet *k)
{
	if (k->to.kind != KM_ADDR_PEER || k->to.id != OWNER)
		return 1;
	if (k->data[0] == KM_FRAME_RELAY)
		return 0;
	return k->from.id != EVIL || k->data[0] != KM_FRAME_ENVELOPE || k->data[3] != KM_PROTO_MAJORITY || k->data[4] != C4;
}

static void test_c4_withheld(void **state)
{
	setup(1);
	start_over(no_c4);
	mesh_run(&mesh, 45000000);
	assert_int_equal(ready(EVIL, 0), 0);
	assert_true(ready(0, EVIL) >= 9);
	blames_nobody();
	mesh_free(&mesh);
}

/* Signs another READY over the one that the corrupt peer says: with an index more, without its last one, or with another hash for that. */
enum other { MORE, LESS, OTHER };

static int other_ready(struct mesh *m, struct mesh_packet *k, enum other what)
{
	static uint8_t leaf[KM_MAX_BATCH][KM_HASH_SIZE];
	struct km_ready r;
	struct km_msg msg;
	struct km_buf b;

	if (k->from.kind != KM_ADDR_PEER || k->from.id != EVIL || k->to.id != OWNER || k->data[0] != KM_FRAME_READY)
		return 1;
	assert_int_equal(km_msg_parse(&msg, k->data + 1, k->len - 1), KM_OK);
	assert_int_equal(km_ready_get(&r, &msg), KM_OK);
	unsigned n = km_ready_count(r.held, KM_MAX_BATCH);
	memcpy(leaf, r.leaf, (size_t)n * KM_HASH_SIZE);
	r.leaf = leaf[0];
	unsigned last = KM_MAX_BATCH - 1;
	while (!km_ready_has(r.held, last))
		last--;
	if (what == MORE)
		km_ready_set(r.held, KM_MAX_BATCH - 1);
	else if (what == LESS)
		r.held[last / 8] &= (uint8_t)~(1u << last % 8);
	else
		leaf[n - 1][3] ^= 1;
	km_buf_init(&b);
	km_put_u8(&b, KM_FRAME_READY);
	assert_int_equal(km_ready_build(&b, EVIL, msg.sid, &r, &m->node[EVIL].s.identity), KM_OK);
	free(k->data);
	k->data = km_buf_take(&b, &k->len);
	return 1;
}

/* It names what nobody holds: what is right of it counts. */
static int boasts(struct mesh *m, struct mesh_packet *k)
{
	return other_ready(m, k, MORE);
}

static void test_boasts(void **state)
{
	setup(2);
	start_over(boasts);
	mesh_run(&mesh, 3000000);
	assert_true(ready(EVIL, 0) >= 9);
	blames_nobody();
	mesh_free(&mesh);
}

static unsigned waiting(void)
{
	unsigned n = 0;

	for (const struct km_held *h = peer(OWNER)->lots->helds; h; h = h->lot_next)
		n += h->pool && !h->ready;
	return n;
}

/* It does not hold one: that one is not used, the rest is. */
static int holds_less(struct mesh *m, struct mesh_packet *k)
{
	return other_ready(m, k, LESS);
}

static void test_holds_less(void **state)
{
	setup(7);
	start_over(holds_less);
	mesh_run(&mesh, 3000000);
	assert_true(ready(EVIL, 0) >= 9);
	assert_int_equal(waiting(), 1);
	blames_nobody();
	mesh_free(&mesh);
}

/* Other values under its own name: only they are a cause to part. */
static int lies(struct mesh *m, struct mesh_packet *k)
{
	return other_ready(m, k, OTHER);
}

static void test_lies(void **state)
{
	setup(3);
	start_over(lies);
	mesh_run(&mesh, 3000000);
	assert_int_equal(peer(OWNER)->disputed, km_set_bit(EVIL));
	assert_int_equal(ready(EVIL, 0), 0);
	assert_true(ready(0, EVIL) >= 9);
	mesh_free(&mesh);
}

/* Who never says READY is held to it, on its links alone; who has nothing to say it of says so. */
static int no_ready(struct mesh *m, struct mesh_packet *k)
{
	return k->from.kind != KM_ADDR_PEER || k->from.id != EVIL || k->data[0] != KM_FRAME_READY;
}

static void test_silent(void **state)
{
	setup(4);
	start_over(no_ready);
	mesh_run(&mesh, 17000000);
	assert_true(ready(0, EVIL) >= 9);
	assert_int_equal(ready(EVIL, 0), 0);
	for (unsigned i = 1; i <= N; i++)
		assert_int_equal(km_set_has(peer(OWNER)->scored[i], EVIL), i == OWNER);
	blames_nobody();
	mesh_free(&mesh);
}

/* All but the owner are kept from READY: a run of which nothing can be used is no success. */
static int no_ready_at_all(struct mesh *m, struct mesh_packet *k)
{
	return k->data[0] != KM_FRAME_READY || k->to.id != OWNER;
}

static void test_useless_run_failed(void **state)
{
	setup(5);
	start_over(no_ready_at_all);
	assert_int_equal(peer(OWNER)->refill_failures, 0);
	mesh_run(&mesh, 16000000);
	assert_true(peer(OWNER)->refill_failures > 0);
	mesh.tap = NULL;
	mesh_run(&mesh, 10000000);
	assert_int_equal(peer(OWNER)->refill_failures, 0);
	assert_true(ready(0, 0) >= 9);
	mesh_free(&mesh);
}

/* With its C4 the corrupt peer keeps back everything else, for as long as it is waited for. */
static uint64_t quiet_us;
static unsigned quiet;

static int goes_quiet(struct mesh *m, struct mesh_packet *k)
{
	if (k->from.kind != KM_ADDR_PEER || k->from.id != EVIL)
		return 1;
	if (k->data[0] == KM_FRAME_ENVELOPE && k->data[3] == KM_PROTO_MAJORITY && k->data[4] == C4 && m->now.mono_us > quiet_us) {
		quiet_us = m->now.mono_us + 31000000;
		quiet++;
	}
	return m->now.mono_us > quiet_us;
}

static void test_quiet_since_c4(void **state)
{
	setup(6);
	quiet_us = 0;
	quiet = 0;
	start_over(goes_quiet);
	mesh_run(&mesh, 29000000);
	assert_int_equal(quiet, 1);
	assert_false(peer(OWNER)->link[EVIL].live);
	assert_int_equal(peer(OWNER)->score[OWNER][EVIL], 0);
	/* once may be a crash */
	mesh_run(&mesh, 3000000);
	assert_true(peer(OWNER)->score[OWNER][EVIL] > 0);
	assert_false(km_set_has(peer(OWNER)->scored[OWNER], EVIL));
	while (quiet < 3)
		mesh_run(&mesh, 1000000);
	mesh_run(&mesh, 32000000);
	assert_true(km_set_has(peer(OWNER)->scored[OWNER], EVIL));
	for (unsigned i = 1; i <= N; i++)
		if (i != EVIL)
			assert_int_equal(peer(i)->scored[i] & ~km_set_bit(EVIL), 0);
	blames_nobody();
	mesh_free(&mesh);
}

KM_TESTS(cmocka_unit_test(test_c4_withheld), cmocka_unit_test(test_boasts), cmocka_unit_test(test_holds_less),
	 cmocka_unit_test(test_lies), cmocka_unit_test(test_silent),
	 cmocka_unit_test(test_useless_run_failed), cmocka_unit_test(test_quiet_since_c4))
