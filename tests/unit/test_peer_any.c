/* test_peer_any.c: whole peers that presign by engine any: where no majority can, where some are gone, where links are suspected;
 * who takes part, in how many runs at once, and what becomes of presignatures whose members are out of reach. */
#include "lib/test.h"
#include "lib/mesh.h"
#include "node/peer_impl.h"

static struct mesh mesh;
static unsigned begun[3];          /* PROPOSEs seen, by engine */
static unsigned batches[8], n_batches; /* of peer 2 by engine any */
static uint32_t begun_sets;        /* participants of the last one */

static int tap_count(struct mesh *m, struct mesh_packet *k)
{
	const uint8_t *body = k->data + 1 + KM_MSG_HEAD;

	/* PROPOSE: purpose, hash, participants, engine; once for all its recipients */
	if (k->data[0] != KM_FRAME_ENVELOPE || k->data[3] != KM_PROTO_SETUP || k->data[4] != 1 || body[0] != KM_PURPOSE_PRESIGN)
		return 1;
	uint32_t set = (uint32_t)body[33] << 24 | (uint32_t)body[34] << 16 | (uint32_t)body[35] << 8 | body[36];
	unsigned first = km_set_next(set, 0);

	if (first == k->from.id)
		first = km_set_next(set, first);
	if (k->to.id == first && body[37] <= KM_ENGINE_ANY) {
		begun[body[37]]++;
		if (body[37] == KM_ENGINE_ANY && k->from.id == 2 && n_batches < 8)
			batches[n_batches++] = (unsigned)body[38] << 8 | body[39];
	}
	begun_sets = set;
	return 1;
}

static void start(unsigned n, unsigned t, unsigned target, uint64_t seed)
{
	mesh_init(&mesh, n, t, seed);
	mesh.tap = tap_count;
	memset(begun, 0, sizeof(begun));
	for (unsigned i = 1; i <= n; i++) {
		mesh.node[i].s.pool_target = target;
		mesh.node[i].s.pool_low = target > 2 ? target - 2 : 1;
		mesh_start(&mesh, i);
	}
	mesh_run(&mesh, 100000);
	int err = mesh_keygen(&mesh, 1, 60000000);
	if (err)
		print_message("# %s\n", mesh.result_text);
	assert_int_equal(err, KM_OK);
	mesh_run(&mesh, 3000000);
}

static struct km_peer *peer(unsigned i)
{
	return mesh.node[i].peer;
}

static unsigned ask(unsigned aggregator, unsigned salt)
{
	const struct km_table *t = &peer(aggregator)->keys->share->table;

	mesh.replies = 0;
	mesh_request(&mesh, aggregator, t->key_id, salt, UINT32_MAX);
	mesh_settle(&mesh);
	mesh_run(&mesh, 1000);
	assert_int_equal(mesh.replies, 1);
	if (mesh.reply.status == KM_STATUS_OK)
		assert_true(mesh_verify(&mesh, salt, t->curve, &t->x));
	return mesh.reply.status;
}

static unsigned ready(unsigned i, uint32_t quorum)
{
	return km_pool_get(peer(i)->keys, quorum)->ready;
}

static void check_clean(void)
{
	for (unsigned i = 1; i <= mesh.n; i++) {
		if (!peer(i))
			continue;
		assert_int_equal(peer(i)->n_convictions + peer(i)->n_disputes, 0);
		assert_int_equal(mesh.node[i].evidence, 0);
		assert_int_equal(mesh.node[i].errors, 0);
	}
}

/* ---- where only this engine can */

static void small(unsigned n, unsigned t, uint64_t seed)
{
	start(n, t, 4, seed);
	assert_int_equal(begun[KM_ENGINE_MAJORITY], 0);
	assert_true(begun[KM_ENGINE_ANY] > 0);
	for (unsigned i = 1; i <= n; i++) {
		assert_true(km_pool_ready(peer(i)->keys, UINT32_MAX) >= 2);
		assert_int_equal(ask(i, i), KM_STATUS_OK);
		assert_int_equal(km_set_size(mesh.reply.quorum), t);
	}
	/* more than was there at the beginning: pools are filled again */
	for (unsigned k = 0; k < 12; k++) {
		assert_int_equal(ask(1 + k % n, 100 + k), KM_STATUS_OK);
		mesh_run(&mesh, 1500000);
	}
	check_clean();
	mesh_free(&mesh);
}

static void test_2_of_2(void **state)
{
	small(2, 2, 31);
}

static void test_3_of_3(void **state)
{
	small(3, 3, 32);
}

static void test_4_of_5(void **state)
{
	small(5, 4, 33);
}

/* ---- where some are gone */

/* Everything there is is signed away, and more: with two of five dead the rest presigns on. */
static void test_two_of_five_die(void **state)
{
	unsigned status, ok = 0;

	start(5, 3, 4, 34);
	assert_int_equal(begun[KM_ENGINE_ANY], 0);
	mesh_kill(&mesh, 1);
	mesh_kill(&mesh, 4);
	for (unsigned i = 2; i <= 5; i += i == 3 ? 2 : 1)
		for (struct km_held *h; (h = km_pool_choose(peer(i), peer(i)->keys, 0, &status));)
			km_pool_burn(peer(i), h);
	memset(begun, 0, sizeof(begun));
	for (unsigned k = 0; k < 60; k++) {
		ok += ask(k % 3 == 0 ? 2 : k % 3 == 1 ? 3 : 5, k) == KM_STATUS_OK;
		mesh_run(&mesh, 200000);
	}
	assert_int_equal(begun[KM_ENGINE_MAJORITY], 0);
	assert_int_equal(begun_sets, 0x16);
	/* the first few find nothing yet */
	assert_true(ok >= 54);
	/* one quorum now does for all six of an owner: its pool is as large as theirs together */
	assert_true(ready(2, 0x16) > 4 && ready(2, 0x16) <= 6 * 4);
	/* they come back: majority again */
	mesh_start(&mesh, 1);
	mesh_start(&mesh, 4);
	mesh_run(&mesh, 3000000);
	memset(begun, 0, sizeof(begun));
	mesh_run(&mesh, 10000000);
	assert_int_equal(begun[KM_ENGINE_ANY], 0);
	assert_true(ready(2, 0x0b) >= 2);
	assert_int_equal(ask(4, 1000), KM_STATUS_OK);
	check_clean();
	mesh_free(&mesh);
}

/* Empty pools get few soon, then more; what is only low gets all it lacks at once. */
static void test_batches(void **state)
{
	unsigned status;

	start(3, 2, 4, 43);
	/* one quorum of two is left: a target of 2 * 80; only peer 2 wants something */
	mesh.node[2].s.pool_target = 80;
	mesh_kill(&mesh, 1);
	for (struct km_held *h; (h = km_pool_choose(peer(2), peer(2)->keys, 0, &status));)
		km_pool_burn(peer(2), h);
	n_batches = 0;
	mesh_run(&mesh, 10000000);
	assert_int_equal(n_batches, 2);
	assert_int_equal(batches[0], 32);
	assert_int_equal(batches[1], 96);
	assert_int_equal(ready(2, 0x6), 128);
	/* more than half is there: nothing; less: all of it, as a quarter is left */
	while (ready(2, 0x6) > 80)
		km_pool_burn(peer(2), km_pool_get(peer(2)->keys, 0x6)->head);
	mesh_run(&mesh, 3000000);
	assert_int_equal(n_batches, 2);
	while (ready(2, 0x6) > 60)
		km_pool_burn(peer(2), km_pool_get(peer(2)->keys, 0x6)->head);
	mesh_run(&mesh, 3000000);
	assert_int_equal(n_batches, 3);
	assert_int_equal(batches[2], 100);
	check_clean();
	mesh_free(&mesh);
}

/* A peer that cannot be reached takes nothing with it: what was made with it waits, is not counted, and is used when it is back. */
static uint32_t cut;

static int tap_cut(struct mesh *m, struct mesh_packet *k)
{
	if (k->from.kind == KM_ADDR_PEER && k->to.kind == KM_ADDR_PEER &&
	    km_set_has(cut, k->from.id) != km_set_has(cut, k->to.id))
		return 0;
	return tap_count(m, k);
}

static void test_stranded(void **state)
{
	start(5, 3, 4, 35);
	unsigned with = ready(2, 0x07), stranded = (unsigned)peer(2)->n_held;
	assert_true(with > 0);
	cut = km_set_bit(1) | km_set_bit(4);
	mesh.tap = tap_cut;
	mesh_run(&mesh, 30000000);
	assert_int_equal(km_links_live(peer(2)), 0x16);
	/* kept, never chosen, and what is alive was filled beside it */
	assert_int_equal(ready(2, 0x07), with);
	assert_true(peer(2)->n_held > stranded);
	for (unsigned k = 0; k < 40; k++) {
		if (ask(2, k) == KM_STATUS_OK)
			assert_int_equal(mesh.reply.quorum, 0x16);
		mesh_run(&mesh, 500000);
	}
	assert_int_equal(ready(2, 0x07), with);
	/* back, the same process: used again */
	cut = 0;
	mesh_run(&mesh, 10000000);
	while (ready(2, 0x16))
		km_pool_burn(peer(2), km_pool_get(peer(2)->keys, 0x16)->head);
	/* without any new run */
	cut = 0;
	for (unsigned k = 0; k < 3; k++) {
		assert_int_equal(ask(2, 100 + k), KM_STATUS_OK);
		assert_int_not_equal(mesh.reply.quorum & (km_set_bit(1) | km_set_bit(4)), 0);
	}
	for (unsigned i = 1; i <= 5; i++)
		assert_int_equal(peer(i)->quarantined | peer(i)->disputed, 0);
	mesh_free(&mesh);
}

/* ... until its age ends. */
static void test_stranded_ages(void **state)
{
	start(3, 2, 4, 36);
	for (unsigned i = 1; i <= 3; i++)
		mesh.node[i].s.presig_age_s = 60;
	assert_true(ready(1, 0x3) > 0);
	cut = km_set_bit(2);
	mesh.tap = tap_cut;
	mesh_run(&mesh, 40000000);
	assert_true(ready(1, 0x3) > 0);
	mesh_run(&mesh, 25000000);
	assert_int_equal(ready(1, 0x3), 0);
	assert_true(ready(1, 0x5) > 0);
	assert_int_equal(ask(1, 1), KM_STATUS_OK);
	mesh_free(&mesh);
}

/* So many quorums have stranded presignatures that there is no place left: the one with the least makes room for what lives. */
static void test_stranded_everywhere(void **state)
{
	start(3, 2, 4, 44);
	struct km_key *key = peer(1)->keys;
	unsigned with = ready(1, 0x3), others = ready(1, 0x5), held = (unsigned)peer(1)->n_held;

	assert_true(with > 1 && others > 0);
	/* places that are taken, by more than there is of 1 and 2 */
	while (key->n_pools < KM_POOLS_MAX) {
		key->pool[key->n_pools] = (struct km_pool){.quorum = 0x100u + key->n_pools, .waiting = with + 1};
		key->n_pools++;
	}
	assert_null(km_pool_get(key, 0x9));
	/* while all are there nothing is given up */
	assert_null(km_pool_place(peer(1), key, 0x9, UINT32_MAX));
	assert_int_equal(ready(1, 0x3), with);
	peer(1)->fx = &mesh.fx;
	assert_non_null(km_pool_place(peer(1), key, 0x9, ~(uint32_t)0x2));
	peer(1)->fx = NULL;
	assert_int_equal(km_pool_get(key, 0x9)->ready, 0);
	assert_int_equal(ready(1, 0x5), others);
	assert_int_equal(peer(1)->n_held, held - with);
	mesh_free(&mesh);
}

/* ---- where links are suspected */

static void test_suspected_link(void **state)
{
	unsigned status;

	start(5, 3, 4, 37);
	/* at all of them, as HEALTH does not carry it: 2 and 3 fail each other */
	for (unsigned i = 1; i <= 5; i++) {
		km_blame_link(peer(i), 2, 3, KM_SCORE_UNIT);
		for (struct km_held *h; (h = km_pool_choose(peer(i), peer(i)->keys, 0, &status));)
			km_pool_burn(peer(i), h);
	}
	memset(begun, 0, sizeof(begun));
	mesh_run(&mesh, 20000000);
	/* with five peers, majority would need them both */
	assert_int_equal(begun[KM_ENGINE_MAJORITY], 0);
	assert_true(begun[KM_ENGINE_ANY] > 0);
	for (unsigned i = 1; i <= 5; i++) {
		for (unsigned k = 0; k < peer(i)->keys->n_pools; k++) {
			const struct km_pool *pool = &peer(i)->keys->pool[k];

			if ((pool->quorum & 0x06) == 0x06)
				assert_int_equal(pool->ready + pool->waiting, 0);
		}
		assert_int_equal(ask(i, i), KM_STATUS_OK);
		assert_int_not_equal(mesh.reply.quorum & 0x06, 0x06);
	}
	check_clean();
	mesh_free(&mesh);
}

/* With a peer to spare the link is left out instead. */
static void test_suspected_link_with_one_to_spare(void **state)
{
	start(4, 2, 4, 38);
	assert_int_equal(km_refill_majority(peer(1), &peer(1)->keys->share->table, 0xf), 0xf);
	km_blame_link(peer(1), 3, 4, KM_SCORE_UNIT);
	assert_int_equal(km_set_size(km_refill_majority(peer(1), &peer(1)->keys->share->table, 0xf)), 3);
	km_blame_link(peer(1), 1, 2, KM_SCORE_UNIT);
	assert_int_equal(km_refill_majority(peer(1), &peer(1)->keys->share->table, 0xf), 0);
	assert_int_equal(km_refill_majority(peer(1), &peer(1)->keys->share->table, 0x3), 0);
	mesh_free(&mesh);
}

/* Every link of ours is suspected: that is us, and no reason for the engine that costs six times as much. */
static void test_all_own_links_suspected(void **state)
{
	start(5, 3, 4, 39);
	for (unsigned i = 2; i <= 4; i++)
		km_blame_link(peer(1), 1, i, KM_SCORE_UNIT);
	assert_int_equal(km_refill_majority(peer(1), &peer(1)->keys->share->table, 0x1f), 0);
	km_blame_link(peer(1), 1, 5, KM_SCORE_UNIT);
	assert_int_equal(km_refill_majority(peer(1), &peer(1)->keys->share->table, 0x1f), 0x1f);
	km_blame_link(peer(1), 4, 5, KM_SCORE_UNIT);
	assert_int_equal(km_refill_majority(peer(1), &peer(1)->keys->share->table, 0x1f), 0);
	mesh_free(&mesh);
}

/* Who is busy now and then makes nobody change the engine; who always is counts as one that lets runs fail. */
static void test_busy_is_no_failure(void **state)
{
	start(5, 3, 4, 40);
	struct km_peer *p = peer(1);
	uint64_t waited = 0;
	unsigned n = 0;

	p->fx = &mesh.fx;
	p->refill_failures = 0;
	p->refill_busy = 0;
	for (; !p->refill_failures; n++) {
		assert_true(n < 20);
		km_refill_failed(p, 0, 1, KM_ENGINE_MAJORITY);
		waited += p->refill_not_before_us - p->now.mono_us;
	}
	assert_int_equal(n, 9);
	assert_true(waited < 2000000);
	km_refill_succeeded(p, KM_ENGINE_MAJORITY, 0x1f);
	assert_int_equal(p->refill_failures, 0);
	km_refill_failed(p, 0, 1, KM_ENGINE_MAJORITY);
	assert_int_equal(p->refill_failures, 0);
	km_refill_failed(p, 0, 0, KM_ENGINE_MAJORITY);
	assert_int_equal(p->refill_failures, 1);
	p->fx = NULL;
	mesh_free(&mesh);
}

/* ---- who may begin what */

static unsigned refused;

static int tap_refused(struct mesh *m, struct mesh_packet *k)
{
	if (k->data[0] == KM_FRAME_REFUSE && k->to.id == 5)
		refused = k->data[1 + KM_HASH_SIZE];
	/* its runs never go on */
	return k->data[0] != KM_FRAME_ENVELOPE || k->data[3] != KM_PROTO_ANY;
}

/* What peer 1 says to a proposal of `from`. */
static unsigned propose(unsigned from, uint32_t participants, uint32_t quorum, unsigned batch)
{
	struct km_peer *p = peer(from);
	struct km_proposal prop = {
	    .purpose = KM_PURPOSE_PRESIGN, .engine = KM_ENGINE_ANY, .participants = participants, .batch = (uint16_t)batch};
	struct km_presign_row rows[KM_MAX_BATCH];
	struct km_event tick = {.kind = KM_EVENT_TICK};
	struct km_run *run;

	for (unsigned i = 0; i < batch; i++)
		rows[i] = (struct km_presign_row){.owner = (uint8_t)from, .quorum = quorum};
	refused = 0;
	memcpy(prop.hash, p->keys->share->table.hash, KM_HASH_SIZE);
	p->fx = &mesh.fx;
	p->now = mesh.now;
	assert_int_equal(km_session_propose(p, &prop, rows, p->keys, &run), KM_OK);
	p->fx = NULL;
	assert_int_equal(mesh_step(&mesh, from, &tick), KM_OK);
	mesh_settle(&mesh);
	return refused;
}

static void test_what_is_joined(void **state)
{
	start(5, 3, 4, 39);
	mesh.tap = tap_refused;
	assert_int_equal(propose(5, 0x1f, 0x13, 1), KM_REFUSE_ENGINE);
	mesh_run(&mesh, 3000000);
	assert_int_equal(propose(5, 0x1b, 0x13, 1), KM_REFUSE_ENGINE);
	mesh_run(&mesh, 3000000);
	assert_int_equal(propose(5, 0x11, 0x11, 1), KM_REFUSE_ENGINE);
	mesh_run(&mesh, 3000000);
	/* a quorum that is not all of them */
	assert_int_equal(propose(5, 0x13, 0x19, 1), KM_REFUSE_ROWS);
	mesh_run(&mesh, 3000000);
	assert_int_equal(propose(5, 0x13, 0x13, KM_MAX_BATCH), 0);
	assert_int_equal(km_run_count_engine(peer(1), KM_ENGINE_ANY), 1);
	mesh_free(&mesh);
}

static void test_batch_bound(void **state)
{
	/* seven of seven: 48 MiB are reached before 256 presignatures */
	start(7, 7, 2, 40);
	unsigned most = km_presign_any_batch_max(peer(1)->keys->share->table.curve, 7);

	assert_true(most > 32 && most < KM_MAX_BATCH);
	mesh_run(&mesh, 3000000);
	mesh.tap = tap_refused;
	assert_int_equal(propose(5, 0x7f, 0x7f, most + 1), KM_REFUSE_ENGINE);
	mesh_run(&mesh, 3000000);
	assert_int_equal(propose(5, 0x7f, 0x7f, most), 0);
	assert_int_equal(km_run_count_engine(peer(1), KM_ENGINE_ANY), 1);
	mesh_free(&mesh);
}

/* Two at once, the second only for whom no link to us is suspected of. */
static void test_slots(void **state)
{
	start(5, 3, 2, 41);
	mesh.tap = tap_refused;
	assert_int_equal(propose(4, 0x0b, 0x0b, 1), 0);
	assert_int_equal(propose(4, 0x0b, 0x0b, 1), 0);
	assert_int_equal(km_run_count_engine(peer(1), KM_ENGINE_ANY), 1);
	km_blame_link(peer(1), 1, 5, KM_SCORE_UNIT);
	assert_int_equal(propose(5, 0x13, 0x13, 1), KM_REFUSE_BUSY);
	assert_int_equal(propose(3, 0x07, 0x07, 1), 0);
	assert_int_equal(km_run_count_engine(peer(1), KM_ENGINE_ANY), KM_ANY_SLOTS);
	assert_false(km_run_any_free(peer(1), 2));
	mesh_free(&mesh);
}

KM_TESTS(cmocka_unit_test(test_2_of_2), cmocka_unit_test(test_3_of_3), cmocka_unit_test(test_4_of_5),
	 cmocka_unit_test(test_two_of_five_die), cmocka_unit_test(test_batches), cmocka_unit_test(test_stranded), cmocka_unit_test(test_stranded_ages), cmocka_unit_test(test_stranded_everywhere),
	 cmocka_unit_test(test_suspected_link), cmocka_unit_test(test_suspected_link_with_one_to_spare), cmocka_unit_test(test_all_own_links_suspected),
	 cmocka_unit_test(test_busy_is_no_failure),
	 cmocka_unit_test(test_what_is_joined), cmocka_unit_test(test_batch_bound), cmocka_unit_test(test_slots))
