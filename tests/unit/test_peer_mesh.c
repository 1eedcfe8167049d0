/* test_peer_mesh.c: whole peers in a perfect network: presigning, signing, restarts, loss of peers, bad shares. */
#include "lib/test.h"
#include "lib/mesh.h"
#include "node/peer_impl.h"

static struct mesh mesh;

/* A key and small pools: presigning is most of the time that these tests need. */
static void keygen(unsigned n, unsigned t, uint64_t seed)
{
	mesh_init(&mesh, n, t, seed);
	for (unsigned i = 1; i <= n; i++) {
		mesh.node[i].s.pool_target = 8;
		mesh.node[i].s.pool_low = 6;
		mesh_start(&mesh, i);
	}
	mesh_run(&mesh, 100000);
	int err = mesh_keygen(&mesh, 2, 30000000);
	if (err)
		print_message("# %s\n", mesh.result_text);
	assert_int_equal(err, KM_OK);
	mesh_run(&mesh, 3000000);
}

static struct km_peer *peer(unsigned i)
{
	return mesh.node[i].peer;
}

static const struct km_table *the_table(unsigned i)
{
	assert_non_null(peer(i)->keys);
	return &peer(i)->keys->share->table;
}

static void ask(unsigned aggregator, unsigned salt, uint64_t wait_us)
{
	mesh.replies = 0;
	mesh_request(&mesh, aggregator, the_table(aggregator)->key_id, salt, UINT32_MAX);
	mesh_settle(&mesh);
	mesh_run(&mesh, wait_us);
}

static void sign_by(unsigned aggregator, unsigned salt)
{
	const struct km_table *t = the_table(aggregator);

	ask(aggregator, salt, 1000);
	assert_int_equal(mesh.replies, 1);
	assert_int_equal(mesh.reply.status, KM_STATUS_OK);
	assert_true(km_set_has(mesh.reply.quorum, aggregator));
	assert_true(mesh_verify(&mesh, salt, t->curve, &t->x));
}

static unsigned held_with(unsigned i, unsigned with)
{
	unsigned n = 0;

	for (const struct km_lot *lot = peer(i)->lots; lot; lot = lot->next)
		for (const struct km_held *h = lot->helds; h; h = h->lot_next)
			n += km_set_has(h->ps->quorum, with);
	return n;
}

/* Nobody honest was blamed, and what the counters say fits the lists. */
static void check_clean(void)
{
	for (unsigned i = 1; i <= mesh.n; i++) {
		struct km_peer_status st;
		unsigned held = 0;

		if (!peer(i))
			continue;
		assert_int_equal(km_peer_status(peer(i), &st), KM_OK);
		assert_int_equal(st.convictions + st.disputes, 0);
		for (const struct km_lot *lot = peer(i)->lots; lot; lot = lot->next)
			for (const struct km_held *h = lot->helds; h; h = h->lot_next)
				held++;
		assert_int_equal(held, peer(i)->n_held);
		assert_int_equal(held, peer(i)->presigs.n);
		if (st.n_keys)
			assert_int_equal(held, st.keys[0].held);
		assert_int_equal(mesh.node[i].evidence, 0);
		km_peer_status_clear(&st);
	}
}

static void test_keygen_and_sign(void **state)
{
	mesh_init(&mesh, 5, 3, 1);
	for (unsigned i = 1; i <= 5; i++)
		mesh_start(&mesh, i);
	assert_int_equal(mesh_keygen(&mesh, 2, 30000000), KM_OK);
	mesh_run(&mesh, 3000000);
	for (unsigned i = 1; i <= 5; i++) {
		struct km_peer_status st;

		assert_int_equal(km_peer_status(peer(i), &st), KM_OK);
		assert_int_equal(st.n_keys, 1);
		assert_int_equal(st.keys[0].n_pools, 6);
		assert_true(st.keys[0].ready >= 6 * 48);
		assert_int_equal(st.runs_dropped, 0);
		km_peer_status_clear(&st);
		assert_int_equal(mesh.node[i].errors, 0);
		sign_by(i, i);
		assert_memory_equal(the_table(i)->hash, the_table(1)->hash, KM_HASH_SIZE);
	}
	/* two members of each quorum beside the owner, and the owner, logged before they answered; canaries too */
	assert_true(mesh.node[1].audits + mesh.node[2].audits + mesh.node[3].audits + mesh.node[4].audits + mesh.node[5].audits >=
		    15);
	check_clean();
	mesh_free(&mesh);
}

static void test_sizes(void **state)
{
	static const unsigned shapes[][2] = {{3, 2}, {4, 2}, {7, 4}};

	for (unsigned k = 0; k < sizeof(shapes) / sizeof(shapes[0]); k++) {
		mesh_init(&mesh, shapes[k][0], shapes[k][1], 20 + k);
		for (unsigned i = 1; i <= mesh.n; i++) {
			mesh.node[i].s.pool_target = 4;
			mesh.node[i].s.pool_low = 2;
			mesh_start(&mesh, i);
		}
		assert_int_equal(mesh_keygen(&mesh, 1, 30000000), KM_OK);
		mesh_run(&mesh, 2000000);
		for (unsigned i = 1; i <= mesh.n; i++)
			sign_by(i, i);
		check_clean();
		mesh_free(&mesh);
	}
}

static void test_restart_keeps_the_key(void **state)
{
	struct km_table before;

	keygen(5, 3, 2);
	before = *the_table(1);
	for (unsigned i = 1; i <= 5; i++)
		mesh_kill(&mesh, i);
	mesh.now.mono_us += 5000000;
	mesh.now.wall_ms += 5000;
	for (unsigned i = 1; i <= 5; i++) {
		mesh_start(&mesh, i);
		assert_int_equal(peer(i)->n_held, 0);
		assert_memory_equal(the_table(i)->hash, before.hash, KM_HASH_SIZE);
		assert_int_equal(peer(i)->keys->share->usable, 1);
	}
	mesh_run(&mesh, 5000000);
	for (unsigned i = 1; i <= 5; i++)
		sign_by(i, i);
	check_clean();
	mesh_free(&mesh);
}

static void test_two_of_five_die(void **state)
{
	unsigned ok = 0;

	keygen(5, 3, 3);
	mesh_kill(&mesh, 1);
	mesh_kill(&mesh, 4);
	unsigned pool = km_pool_ready(peer(2)->keys, km_links_live(peer(2)));
	assert_true(pool >= 6);
	for (unsigned i = 0; i < pool + 3; i++) {
		const struct km_table *t = the_table(2);

		ask(2, i, 1000);
		assert_int_equal(mesh.replies, 1);
		ok += mesh.reply.status == KM_STATUS_OK && mesh_verify(&mesh, i, t->curve, &t->x);
	}
	/* the pool is filled by the three that are left: test_peer_any.c */
	assert_int_equal(ok, pool + 3);
	/* they come back: presigning goes on */
	mesh_start(&mesh, 1);
	mesh_start(&mesh, 4);
	mesh_run(&mesh, 15000000);
	for (unsigned i = 1; i <= 5; i++)
		sign_by(i, 1000 + i);
	check_clean();
	mesh_free(&mesh);
}

/* ---- a signer that is late, or wrong */

static unsigned victim, tapped;

static int tap_lose_sign(struct mesh *m, struct mesh_packet *k)
{
	if (k->to.kind == KM_ADDR_PEER && k->to.id == victim && k->data[0] == KM_FRAME_SIGN) {
		tapped++;
		return 0;
	}
	return 1;
}

static void test_late_signer(void **state)
{
	keygen(5, 3, 4);
	victim = 3;
	mesh.tap = tap_lose_sign;
	for (unsigned i = 0; i < 6; i++) {
		tapped = 0;
		uint64_t t0 = mesh.now.mono_us;
		mesh.replies = 0;
		mesh_request(&mesh, 1, the_table(1)->key_id, i, UINT32_MAX);
		mesh_settle(&mesh);
		while (!mesh.replies && mesh.now.mono_us < t0 + 400000)
			mesh_run(&mesh, 1000);
		assert_int_equal(mesh.replies, 1);
		assert_int_equal(mesh.reply.status, KM_STATUS_OK);
		assert_true(mesh_verify(&mesh, i, the_table(1)->curve, &the_table(1)->x));
		assert_false(km_set_has(mesh.reply.quorum, 3));
		/* one retry at the most */
		assert_true(tapped <= 1);
		assert_true(mesh.now.mono_us - t0 <= 60000);
	}
	check_clean();
	mesh_free(&mesh);
}

static int tap_bad_share(struct mesh *m, struct mesh_packet *k)
{
	if (k->from.kind == KM_ADDR_PEER && k->from.id == victim && k->data[0] == KM_FRAME_SHARE) {
		k->data[k->len - 1] ^= 1;
		tapped++;
	}
	return 1;
}

static void send_badsig(unsigned to)
{
	struct km_badsig b = {.n = mesh.reply.n};
	struct km_buf buf;

	memcpy(b.request_id, mesh.reply.request_id, KM_HASH_SIZE);
	memcpy(b.r, mesh.reply.r, sizeof(b.r));
	memcpy(b.s, mesh.reply.s, sizeof(b.s));
	km_buf_init(&buf);
	km_badsig_encode(&buf, &b);
	mesh_send(&mesh, (struct km_addr){KM_ADDR_FRONTEND, MESH_FRONTEND}, (struct km_addr){KM_ADDR_PEER, (uint16_t)to},
		  buf.data, buf.len);
	km_buf_clear(&buf);
}

static void test_bad_share(void **state)
{
	const struct km_table *t;

	keygen(5, 3, 5);
	t = the_table(1);
	victim = 2;
	tapped = 0;
	mesh.tap = tap_bad_share;
	for (unsigned i = 0; i < 20 && !tapped; i++) {
		ask(1, i, 1000);
		assert_int_equal(mesh.reply.status, KM_STATUS_OK);
		if (!tapped)
			continue;
		assert_false(mesh_verify(&mesh, i, t->curve, &t->x));
		assert_true(km_set_has(mesh.reply.quorum, 2));
		send_badsig(1);
		mesh_run(&mesh, 1000);
		assert_int_equal(mesh.replies, 2);
		assert_true(mesh_verify(&mesh, i, t->curve, &t->x));
		assert_false(km_set_has(mesh.reply.quorum, 2));
	}
	assert_true(tapped);
	/* its record was right: nobody can say which of the two it meant, so the two part */
	assert_int_equal(peer(1)->disputed, km_set_bit(2));
	for (unsigned j = 3; j <= 5; j++)
		assert_int_equal(peer(1)->score[1][j], 0);
	mesh_free(&mesh);
}

static void test_false_badsig(void **state)
{
	keygen(5, 3, 6);
	ask(1, 1, 1000);
	struct km_reply first = mesh.reply;
	send_badsig(1);
	mesh_run(&mesh, 1000);
	/* a frontend's word alone blames nobody and costs nothing: the same answer again */
	assert_int_equal(mesh.replies, 2);
	assert_memory_equal(&first.presig_id, &mesh.reply.presig_id, KM_HASH_SIZE);
	for (unsigned j = 2; j <= 5; j++)
		assert_int_equal(peer(1)->score[1][j], 0);
	check_clean();
	mesh_free(&mesh);
}

static void test_same_request_again(void **state)
{
	keygen(5, 3, 7);
	ask(3, 1, 0);
	assert_int_equal(mesh.reply.status, KM_STATUS_OK);
	struct km_reply first = mesh.reply;
	uint64_t audits = mesh.node[3].audits;
	ask(3, 1, 0);
	assert_int_equal(mesh.replies, 1);
	assert_memory_equal(&first, &mesh.reply, sizeof(first));
	assert_int_equal(mesh.node[3].audits, audits);
	mesh_free(&mesh);
}

/* ---- what ends a presignature */

static int tap_no_runs(struct mesh *m, struct mesh_packet *k)
{
	return k->data[0] != KM_FRAME_ENVELOPE;
}

static void test_restart_of_a_member_burns(void **state)
{
	keygen(5, 3, 8);
	assert_true(held_with(1, 3) > 0);
	unsigned others = (unsigned)peer(1)->n_held - held_with(1, 3);
	mesh_kill(&mesh, 3);
	assert_true(held_with(1, 3) > 0); /* it may come back as it was */
	mesh.tap = tap_no_runs;
	mesh_start(&mesh, 3);
	mesh_settle(&mesh);
	assert_int_equal(held_with(1, 3), 0);
	assert_int_equal(peer(1)->n_held, others);
	mesh.tap = NULL;
	mesh_run(&mesh, 8000000);
	assert_true(held_with(1, 3) > 0);
	sign_by(3, 1);
	check_clean();
	mesh_free(&mesh);
}

static void test_old_frames_do_not_undo_a_restart(void **state)
{
	struct km_health h = {.time_ms = 1700000000000u};
	struct km_buf b;

	keygen(5, 3, 9);
	memcpy(h.incarnation, peer(3)->incarnation, KM_NONCE_SIZE);
	memcpy(h.roster, peer(3)->s->roster.hash, KM_HASH_SIZE);
	mesh_kill(&mesh, 3);
	mesh_start(&mesh, 3);
	mesh_run(&mesh, 5000000);
	unsigned with = held_with(1, 3);
	assert_true(with > 0);
	km_buf_init(&b);
	km_health_encode(&b, &h);
	mesh_send(&mesh, (struct km_addr){KM_ADDR_PEER, 3}, (struct km_addr){KM_ADDR_PEER, 1}, b.data, b.len);
	km_buf_clear(&b);
	mesh_settle(&mesh);
	assert_int_equal(held_with(1, 3), with);
	mesh_free(&mesh);
}

static void test_age(void **state)
{
	mesh_init(&mesh, 3, 2, 10);
	for (unsigned i = 1; i <= 3; i++) {
		mesh.node[i].s.presig_age_s = 20;
		mesh.node[i].s.pool_target = 8;
		mesh.node[i].s.pool_low = 6;
		mesh_start(&mesh, i);
	}
	assert_int_equal(mesh_keygen(&mesh, 1, 30000000), KM_OK);
	mesh_run(&mesh, 3000000);
	uint8_t sid[KM_HASH_SIZE];
	memcpy(sid, peer(1)->lots->sid, sizeof(sid));
	mesh_run(&mesh, 25000000);
	for (const struct km_lot *lot = peer(1)->lots; lot; lot = lot->next) {
		assert_memory_not_equal(lot->sid, sid, sizeof(sid));
		assert_true(mesh.now.mono_us - lot->made_us <= 20000000);
	}
	sign_by(1, 1);
	check_clean();
	mesh_free(&mesh);
}

static void test_rollback(void **state)
{
	struct km_event ev = {.kind = KM_EVENT_ROLLBACK};
	uint8_t before[KM_NONCE_SIZE];

	keygen(5, 3, 11);
	memcpy(before, peer(2)->incarnation, sizeof(before));
	assert_int_equal(mesh_step(&mesh, 2, &ev), KM_OK);
	assert_int_equal(peer(2)->n_held, 0);
	assert_memory_not_equal(before, peer(2)->incarnation, sizeof(before));
	mesh_settle(&mesh);
	assert_int_equal(held_with(1, 2), 0);
	mesh_run(&mesh, 5000000);
	sign_by(2, 1);
	mesh_free(&mesh);
}

static void test_stop_wipes(void **state)
{
	struct km_event ev = {.kind = KM_EVENT_STOP}, tick = {.kind = KM_EVENT_TICK};

	keygen(3, 2, 12);
	assert_int_equal(mesh_step(&mesh, 2, &ev), KM_OK);
	assert_null(peer(2)->keys);
	assert_int_equal(peer(2)->n_held, 0);
	assert_int_equal(mesh_step(&mesh, 2, &tick), KM_E_STATE);
	assert_true(km_peer_deadline(peer(2)) == UINT64_MAX);
	mesh_free(&mesh);
}

/* ---- a worse network */

static uint64_t loss;

static int tap_lossy(struct mesh *m, struct mesh_packet *k)
{
	loss = loss * 6364136223846793005u + 1442695040888963407u;
	/* one in fifty of what can be had again from others */
	return k->data[0] != KM_FRAME_ENVELOPE || k->data[6] != 0 || (loss >> 33) % 50 != 0;
}

static void test_lost_broadcasts(void **state)
{
	keygen(5, 3, 13);
	mesh.tap = tap_lossy;

	loss = 1;
	for (unsigned round = 0; round < 4; round++) {
		for (unsigned i = 1; i <= 5; i++)
			for (struct km_lot *lot = peer(i)->lots; lot; lot = lot->next)
				while (lot->helds)
					km_pool_burn(peer(i), lot->helds);
		mesh_run(&mesh, 20000000);
	}
	/* WHY not as long as messages are lost: the last runs of a peer may all have failed, and it waits before the next one */
	mesh.tap = NULL;
	mesh_run(&mesh, 30000000);
	unsigned done = 0;
	for (unsigned i = 1; i <= 5; i++) {
		done += (unsigned)peer(i)->n_runs_done;
		sign_by(i, i);
	}
	/* STALL and RELAY save most runs */
	assert_true(done > 40);
	check_clean();
	mesh_free(&mesh);
}

static int tap_double(struct mesh *m, struct mesh_packet *k)
{
	int (*tap)(struct mesh *, struct mesh_packet *) = m->tap;

	m->tap = NULL;
	mesh_send(m, k->from, k->to, k->data, k->len);
	m->tap = tap;
	return 1;
}

static void test_everything_twice(void **state)
{
	mesh_init(&mesh, 5, 3, 14);
	mesh.tap = tap_double;
	for (unsigned i = 1; i <= 5; i++) {
		mesh.node[i].s.pool_target = 8;
		mesh.node[i].s.pool_low = 6;
		mesh_start(&mesh, i);
	}
	assert_int_equal(mesh_keygen(&mesh, 4, 30000000), KM_OK);
	mesh_run(&mesh, 3000000);
	for (unsigned i = 1; i <= 5; i++) {
		const struct km_table *t = the_table(i);

		ask(i, i, 1000);
		assert_int_equal(mesh.reply.status, KM_STATUS_OK);
		assert_true(mesh_verify(&mesh, i, t->curve, &t->x));
	}
	check_clean();
	mesh_free(&mesh);
}

static void test_garbage(void **state)
{
	uint8_t junk[400];
	uint64_t x = 1;

	keygen(5, 3, 15);
	unsigned held = (unsigned)peer(1)->n_held;
	for (unsigned i = 0; i < 40000; i++) {
		size_t n = 1 + i % sizeof(junk);
		struct km_addr from = {i & 1 ? KM_ADDR_PEER : KM_ADDR_FRONTEND, (uint16_t)(i & 1   ? i % 40
											   : i & 2 ? MESH_FRONTEND
												   : i % 2000)};

		for (size_t k = 0; k < n; k++) {
			x = x * 6364136223846793005u + 1442695040888963407u;
			junk[k] = (uint8_t)(x >> 40);
		}
		junk[0] = (uint8_t)(i / 400);
		if (n > 6 && i % 3 == 0) {
			/* an envelope that almost looks right */
			junk[1] = 0;
			junk[2] = KM_MSG_VERSION;
			junk[3] = (uint8_t)(i % 8);
			junk[4] = (uint8_t)(i % 10);
			junk[5] = (uint8_t)from.id;
		}
		struct km_event ev = {.kind = KM_EVENT_MESSAGE, .from = from, .data = junk, .len = i % 100 ? n : 0};
		assert_int_equal(mesh_step(&mesh, 1, &ev), KM_OK);
	}
	mesh_run(&mesh, 1000000);
	assert_int_equal(peer(1)->n_held, held);
	assert_int_equal(peer(1)->quarantined | peer(1)->disputed, 0);
	sign_by(1, 1);
	check_clean();
	mesh_free(&mesh);
}

KM_TESTS(cmocka_unit_test(test_keygen_and_sign), cmocka_unit_test(test_sizes), cmocka_unit_test(test_restart_keeps_the_key),
	 cmocka_unit_test(test_two_of_five_die), cmocka_unit_test(test_late_signer), cmocka_unit_test(test_bad_share),
	 cmocka_unit_test(test_false_badsig), cmocka_unit_test(test_same_request_again),
	 cmocka_unit_test(test_restart_of_a_member_burns), cmocka_unit_test(test_old_frames_do_not_undo_a_restart),
	 cmocka_unit_test(test_age), cmocka_unit_test(test_rollback), cmocka_unit_test(test_stop_wipes),
	 cmocka_unit_test(test_lost_broadcasts), cmocka_unit_test(test_everything_twice), cmocka_unit_test(test_garbage))
