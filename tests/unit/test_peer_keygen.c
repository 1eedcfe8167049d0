/* test_peer_keygen.c: how key generation goes wrong, and what the operator is told. */
#include <stdlib.h>
#include "lib/test.h"
#include "lib/mesh.h"
#include "node/peer_impl.h"

static struct mesh mesh;

static void init(unsigned n, unsigned t, uint64_t seed)
{
	mesh_init(&mesh, n, t, seed);
	for (unsigned i = 1; i <= n; i++) {
		mesh.node[i].s.pool_target = 4;
		mesh.node[i].s.pool_low = 2;
	}
}

static void start(uint32_t set)
{
	for (unsigned i = 1; i <= mesh.n; i++)
		if (km_set_has(set, i))
			mesh_start(&mesh, i);
	mesh_run(&mesh, 100000);
}

static struct km_peer *peer(unsigned i)
{
	return mesh.node[i].peer;
}

static void assert_text(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("\"%s\" does not say \"%s\"", text, part);
}

static void check_nobody_blamed(void)
{
	for (unsigned i = 1; i <= mesh.n; i++)
		if (peer(i))
			assert_int_equal(peer(i)->quarantined | peer(i)->disputed, 0);
}

static int usable(unsigned i)
{
	return peer(i)->keys && peer(i)->keys->share->usable;
}

static void test_unknown_key_at_one_peer(void **state)
{
	init(5, 3, 1);
	mesh.node[3].s.n_keys = 0;
	start(UINT32_MAX);
	assert_int_equal(mesh_keygen(&mesh, 1, 30000000), KM_E_RIGHTS);
	assert_text(mesh.result_text, "peer 3 (p3) refuses: key 'www' is not in its configuration");
	check_nobody_blamed();
	for (unsigned i = 1; i <= 5; i++) {
		assert_null(peer(i)->keys);
		assert_int_equal(km_run_count(peer(i), 0, KM_PURPOSE_DKG), 0);
	}
	mesh_free(&mesh);
}

static void test_other_threshold_at_one_peer(void **state)
{
	init(5, 3, 2);
	mesh.node[4].key[0].threshold = 2;
	start(UINT32_MAX);
	assert_int_equal(mesh_keygen(&mesh, 1, 30000000), KM_E_RIGHTS);
	assert_text(mesh.result_text, "peer 4 (p4) refuses: its configuration has key 'www' with threshold 2 on P-256");
	mesh_free(&mesh);
}

static void request(unsigned id, const char *name, unsigned t, unsigned curve)
{
	struct km_request rq = {.kind = KM_REQUEST_KEYGEN, .curve = (uint8_t)curve, .threshold = (uint8_t)t};
	struct km_event ev = {.kind = KM_EVENT_REQUEST, .token = 5, .request = &rq};

	strcpy(rq.name, name);
	mesh.result = 0;
	assert_int_equal(mesh_step(&mesh, id, &ev), KM_OK);
}

static void test_impossible_requests(void **state)
{
	init(5, 3, 3);
	start(UINT32_MAX);
	request(1, "nope", 3, KM_CURVE_P256);
	assert_int_equal(mesh.result_err, KM_E_CONFIG);
	request(1, "www", 2, KM_CURVE_P256);
	assert_int_equal(mesh.result_err, KM_E_MISMATCH);
	request(1, "www", 3, KM_CURVE_P384);
	assert_int_equal(mesh.result_err, KM_E_MISMATCH);
	for (unsigned i = 1; i <= 5; i++)
		mesh.node[i].key[0].threshold = 6;
	request(1, "www", 6, KM_CURVE_P256);
	assert_int_equal(mesh.result_err, KM_E_RANGE);
	for (unsigned i = 1; i <= 5; i++)
		mesh.node[i].key[0].threshold = 3;
	request(1, "www", 3, KM_CURVE_P256);
	assert_int_equal(mesh.result, 0);
	request(1, "www", 3, KM_CURVE_P256);
	assert_int_equal(mesh.result_err, KM_E_BUSY);
	mesh.result = 0;
	mesh_run(&mesh, 5000000);
	assert_int_equal(mesh.result, 1);
	assert_int_equal(mesh.result_err, KM_OK);
	request(2, "www", 3, KM_CURVE_P256);
	assert_int_equal(mesh.result_err, KM_E_EXISTS);
	mesh_free(&mesh);
}

/* B20: a skewed configuration is an error of persons, and no peer's guilt. */
static void test_roster_mismatch(void **state)
{
	init(5, 3, 4);
	mesh.node[4].s.roster.peer[2].identity[0] ^= 1;
	while (km_roster_finish(&mesh.node[4].s.roster) != KM_OK)
		mesh.node[4].s.roster.peer[2].identity[0]++;
	mesh.node[5].s.roster.peer[1].id = 0;
	assert_int_equal(km_roster_finish(&mesh.node[5].s.roster), KM_OK);
	start(UINT32_MAX);
	mesh_run(&mesh, 2000000);
	assert_text(mesh.node[1].last_error, "roster mismatch");
	assert_int_equal(mesh_keygen(&mesh, 1, 30000000), KM_E_MISMATCH);
	assert_text(mesh.result_text, "roster mismatch with peers 4 (p4)");
	check_nobody_blamed();
	mesh_free(&mesh);
}

static void test_roster_mismatch_says_what(void **state)
{
	init(3, 2, 5);
	mesh.node[3].s.roster.peer[2].channel[5] ^= 1;
	assert_int_equal(km_roster_finish(&mesh.node[3].s.roster), KM_OK);
	start(UINT32_MAX);
	mesh_run(&mesh, 3000000);
	assert_text(mesh.node[1].last_error, "peer 3 has another channel key for 2 (p2)");
	assert_text(mesh.node[3].last_error, "has another channel key for 2 (p2)");
	mesh_free(&mesh);
}

static void test_silent_peers(void **state)
{
	init(5, 3, 6);
	start(0x0f);
	assert_int_equal(mesh_keygen(&mesh, 1, 60000000), KM_E_NOQUORUM);
	assert_text(mesh.result_text, "peers 5 (p5) do not answer");
	mesh_free(&mesh);

	/* a threshold of two needs three to presign, and every operator accepts four */
	init(5, 2, 7);
	for (unsigned i = 1; i <= 5; i++)
		mesh.node[i].s.dkg_min = 4;
	start(0x0f);
	assert_int_equal(mesh_keygen(&mesh, 1, 60000000), KM_OK);
	assert_int_equal(peer(1)->keys->share->table.members, 0x0f);
	check_nobody_blamed();
	mesh_free(&mesh);
}

/* Two halves that do not hear each other, and operators who would let each of them make the key. */
static int tap_halves(struct mesh *m, struct mesh_packet *k)
{
	return k->from.kind != KM_ADDR_PEER || k->to.kind != KM_ADDR_PEER || (k->from.id <= 2) == (k->to.id <= 2);
}

static void test_halves(void **state)
{
	init(4, 2, 60);
	for (unsigned i = 1; i <= 4; i++)
		mesh.node[i].s.dkg_min = 2;
	mesh.tap = tap_halves;
	start(UINT32_MAX);
	assert_int_equal(mesh_keygen(&mesh, 1, 60000000), KM_E_NOQUORUM);
	assert_int_equal(mesh_keygen(&mesh, 3, 60000000), KM_E_NOQUORUM);
	for (unsigned i = 1; i <= 4; i++)
		assert_null(peer(i)->keys);
	/* who asks does not decide it: nobody joins so few */
	struct km_proposal pr = {.purpose = KM_PURPOSE_DKG, .time_ms = mesh.now.wall_ms, .participants = 3, .threshold = 2,
				 .curve = KM_CURVE_P256};
	struct km_refusal why = {0};
	struct km_key *key;
	strcpy(pr.name, "www");
	memcpy(pr.hash, peer(1)->s->roster.hash, KM_HASH_SIZE);
	assert_int_equal(km_accept(peer(2), 1, &pr, NULL, &key, &why), 0);
	assert_text(why.text, "fewer participants");
	pr.participants = 7;
	assert_int_equal(km_accept(peer(2), 1, &pr, NULL, &key, &why), 1);
	/* three of four are enough; and of these nobody makes a second one with the fourth */
	mesh.tap = NULL;
	mesh_kill(&mesh, 4);
	mesh_run(&mesh, 5000000);
	assert_int_equal(mesh_keygen(&mesh, 1, 60000000), KM_OK);
	assert_int_equal(peer(1)->keys->share->table.members, 7);
	pr.participants = 2 | 4 | 8;
	pr.time_ms = mesh.now.wall_ms;
	assert_int_equal(km_accept(peer(2), 4, &pr, NULL, &key, &why), 0);
	assert_text(why.text, "already has a key");
	mesh_free(&mesh);
}

static void test_clock(void **state)
{
	init(3, 2, 8);
	start(UINT32_MAX);
	/* the initiator's proposal is of another time */
	struct km_proposal pr = {.purpose = KM_PURPOSE_DKG,
				 .time_ms = mesh.now.wall_ms - 31500,
				 .participants = 7,
				 .threshold = 2,
				 .curve = KM_CURVE_P256};
	struct km_refusal why = {0};
	struct km_key *key;
	strcpy(pr.name, "www");
	memcpy(pr.hash, peer(1)->s->roster.hash, KM_HASH_SIZE);
	assert_int_equal(km_accept(peer(2), 1, &pr, NULL, &key, &why), 0);
	assert_int_equal(why.code, KM_REFUSE_CLOCK);
	assert_text(why.text, "the clocks differ by 31 s");
	pr.time_ms = mesh.now.wall_ms + 29000;
	assert_int_equal(km_accept(peer(2), 1, &pr, NULL, &key, &why), 1);
	mesh_free(&mesh);
}

/* Among how many a key is made: all of the roster, or as many as the operator wants; and with nobody who is convicted. */
static void test_who_takes_part(void **state)
{
	static const struct { unsigned min; uint32_t set, quarantined; int joins; } tries[] = {
		{0, 0xf, 0, 1}, {0, 0x7, 0, 0}, {4, 0x7, 0, 0}, {3, 0x7, 0, 1}, {3, 0xf, 0, 1}, {3, 0x3, 0, 0}, {0, 0xf, 0x8, 0}, {3, 0x7, 0x8, 1},
	};

	init(4, 2, 21);
	start(UINT32_MAX);
	struct km_proposal pr = {.purpose = KM_PURPOSE_DKG, .time_ms = mesh.now.wall_ms, .threshold = 2, .curve = KM_CURVE_P256, .name = "www"};
	struct km_refusal why;
	struct km_key *key;
	memcpy(pr.hash, peer(1)->s->roster.hash, KM_HASH_SIZE);
	for (unsigned i = 0; i < sizeof(tries) / sizeof(tries[0]); i++) {
		mesh.node[2].s.dkg_min = tries[i].min;
		peer(2)->quarantined = tries[i].quarantined;
		pr.participants = tries[i].set;
		if (km_accept(peer(2), 1, &pr, NULL, &key, &why) != tries[i].joins)
			fail_msg("try %u: %s", i, tries[i].joins ? why.text : "joined");
	}
	mesh_free(&mesh);
}

/* ---- during the run */

static unsigned mute, mute_round, muted, heal_after;

static int tap_mute(struct mesh *m, struct mesh_packet *k)
{
	if (k->from.kind == KM_ADDR_PEER && k->from.id == mute && k->data[0] == KM_FRAME_ENVELOPE && k->data[3] == KM_PROTO_DKG &&
	    k->data[4] >= mute_round && muted < heal_after) {
		muted++;
		return 0;
	}
	return k->data[0] != KM_FRAME_RELAY || muted >= heal_after;
}

static void test_silence_in_the_run(void **state)
{
	init(5, 2, 9);
	for (unsigned i = 1; i <= 5; i++)
		mesh.node[i].s.dkg_min = 4;
	start(UINT32_MAX);
	mute = 5;
	mute_round = 2;
	muted = 0;
	heal_after = 1000;
	mesh.tap = tap_mute;
	assert_int_equal(mesh_keygen(&mesh, 1, 90000000), KM_OK);
	assert_int_equal(peer(1)->keys->share->table.members, 0x0f);
	assert_null(peer(5)->keys);
	check_nobody_blamed();
	mesh_free(&mesh);
}

static void test_silence_without_a_choice(void **state)
{
	init(3, 2, 10);
	start(UINT32_MAX);
	mute = 3;
	mute_round = 4;
	muted = 0;
	heal_after = 1000;
	mesh.tap = tap_mute;
	assert_int_equal(mesh_keygen(&mesh, 1, 120000000), KM_E_DEADLINE);
	assert_text(mesh.result_text, "no answer from peers 3 (p3)");
	check_nobody_blamed();
	mesh_free(&mesh);
}

/* One peer's STORED gets lost: those who miss it say theirs again, and it answers. */
static void test_stored_lost(void **state)
{
	init(4, 2, 11);
	start(UINT32_MAX);
	mute = 4;
	mute_round = 6;
	muted = 0;
	heal_after = 3;
	mesh.tap = tap_mute;
	assert_int_equal(mesh_keygen(&mesh, 1, 40000000), KM_OK);
	assert_int_equal(muted, 3);
	for (unsigned i = 1; i <= 4; i++)
		assert_int_equal(usable(i), 1);
	mesh_free(&mesh);
}

static int tap_selective(struct mesh *m, struct mesh_packet *k)
{
	/* the STORED of 3 reaches only 1, and 1 is not heard by the others for now */
	if (k->data[0] == KM_FRAME_ENVELOPE && k->data[3] == KM_PROTO_DKG && k->data[4] == 6 && k->from.id == 3 &&
	    k->to.id != 1) {
		muted++;
		return 0;
	}
	if (k->data[0] == KM_FRAME_CERT && k->from.id == 3)
		return 0;
	return (k->data[0] != KM_FRAME_RELAY && k->data[0] != KM_FRAME_CERT) || k->from.id != 1 || !heal_after;
}

/* A corrupt member says STORED to one only, and is never heard again: the one hands it on, even after a restart. */
static void test_stored_to_one_only(void **state)
{
	init(4, 2, 16);
	start(UINT32_MAX);
	muted = 0;
	heal_after = 1;
	mesh.tap = tap_selective;
	assert_true(mesh_keygen(&mesh, 2, 2000000) < 0);
	assert_true(muted > 0);
	assert_int_equal(usable(1), 1);
	assert_int_equal(usable(2) | usable(4), 0);
	mesh_kill(&mesh, 3);
	mesh_kill(&mesh, 1);
	mesh_start(&mesh, 1);
	heal_after = 0;
	mesh_run(&mesh, 20000000);
	assert_int_equal(usable(2) & usable(4), 1);
	assert_true(peer(2)->n_presigned > 0);
	mesh_free(&mesh);
}

/* Everybody dies between storing and STORED: after the restart the candidates find each other. */
static void test_crash_before_stored(void **state)
{
	init(4, 2, 12);
	start(UINT32_MAX);
	mute = 2;
	mute_round = 6;
	muted = 0;
	heal_after = 1000;
	mesh.tap = tap_mute;
	(void)mesh_keygen(&mesh, 1, 3000000);
	mesh.tap = NULL;
	for (unsigned i = 1; i <= 4; i++)
		mesh_kill(&mesh, i);
	for (unsigned i = 1; i <= 4; i++) {
		mesh_start(&mesh, i);
		assert_non_null(peer(i)->keys);
	}
	mesh_run(&mesh, 15000000);
	for (unsigned i = 1; i <= 4; i++) {
		assert_int_equal(usable(i), 1);
		assert_memory_equal(peer(i)->keys->share->table.hash, peer(1)->keys->share->table.hash, KM_HASH_SIZE);
		assert_true(peer(i)->n_presigned > 0);
	}
	mesh_free(&mesh);
}

/* ---- a peer that says two things: named by comparing what each was sent */

static int tap_split(struct mesh *m, struct mesh_packet *k)
{
	static const struct km_shape echo = {.head = KM_HASH_SIZE};
	struct km_msg msg;
	struct km_buf b;
	uint8_t body[KM_HASH_SIZE] = {1};

	if (k->from.id != 5 || k->to.id != 2 || k->from.kind != KM_ADDR_PEER || k->data[0] != KM_FRAME_ENVELOPE ||
	    k->data[3] != KM_PROTO_DKG || k->data[4] != 1)
		return 1;
	/* another commitment for peer 2 only, properly signed */
	assert_int_equal(km_msg_parse(&msg, k->data + 1, k->len - 1), KM_OK);
	km_buf_init(&b);
	km_put_u8(&b, KM_FRAME_ENVELOPE);
	assert_int_equal(
	    km_msg_build(&b, msg.proto, msg.round, msg.sender, msg.recipient, msg.sid, &echo, body, &m->node[5].s.identity),
	    KM_OK);
	free(k->data);
	k->data = km_buf_take(&b, &k->len);
	muted++;
	return 1;
}

static void test_equivocation_stops_the_run(void **state)
{
	init(5, 3, 13);
	start(UINT32_MAX);
	muted = 0;
	mesh.tap = tap_split;
	int err = mesh_keygen(&mesh, 1, 60000000);
	assert_true(err < 0);
	assert_true(muted > 0);
	/* the one that heard something else, and those that it told so */
	assert_true(peer(1)->quarantined == km_set_bit(5) && peer(2)->quarantined == km_set_bit(5));
	assert_true(mesh.node[1].evidence == 1);
	assert_text(mesh.result_text, "not enough peers");
	for (unsigned i = 1; i <= 4; i++) {
		assert_int_equal(usable(i), 0);
		/* whoever is blamed, it is the one that did it */
		assert_int_equal((peer(i)->quarantined | peer(i)->disputed) & ~km_set_bit(5), 0);
	}
	mesh_free(&mesh);
}

static int tap_abort(struct mesh *m, struct mesh_packet *k)
{
	uint8_t abort[1 + KM_HASH_SIZE + 5] = {KM_FRAME_ABORT};

	if (k->from.id != 4 || k->to.id != 1 || k->data[0] != KM_FRAME_ENVELOPE || k->data[3] != KM_PROTO_DKG || k->data[4] != 2)
		return 1;
	memcpy(abort + 1, k->data + 1 + 10, KM_HASH_SIZE);
	abort[1 + KM_HASH_SIZE] = (uint8_t)-KM_E_MISMATCH;
	mesh_send(m, k->from, k->to, abort, sizeof(abort));
	return 0;
}

/* Whoever ends every run without a proof against it is at least named. */
static void test_abort_is_named(void **state)
{
	init(4, 2, 20);
	start(0xf);
	mesh.tap = tap_abort;
	assert_int_equal(mesh_keygen(&mesh, 1, 120000000), KM_E_DEADLINE);
	assert_text(mesh.result_text, "peer 4 (p4) ended the run");
	check_nobody_blamed();
	mesh_free(&mesh);
}

static void test_disk_refuses(void **state)
{
	init(3, 2, 14);
	start(UINT32_MAX);
	mesh.node[2].disk_err = KM_E_IO;
	assert_true(mesh_keygen(&mesh, 1, 60000000) < 0);
	for (unsigned i = 1; i <= 3; i++)
		assert_int_equal(usable(i), 0);
	assert_null(peer(2)->keys);
	check_nobody_blamed();
	mesh_free(&mesh);
}

/* ---- after the run */

static int tap_bad_share(struct mesh *m, struct mesh_packet *k)
{
	if (k->from.kind == KM_ADDR_PEER && k->from.id == 3 && k->data[0] == KM_FRAME_SHARE) {
		k->data[k->len - 1] ^= 1;
		muted++;
	}
	return 1;
}

/* A share that does not fit shows before the first handshake, and the operator hears whose. */
static void test_canary_fails(void **state)
{
	init(5, 3, 17);
	start(UINT32_MAX);
	muted = 0;
	mesh.tap = tap_bad_share;
	assert_int_equal(mesh_keygen(&mesh, 1, 90000000), KM_E_UNVERIFIED);
	assert_text(mesh.result_text, "no test signature with peers 3 (p3) succeeded");
	assert_true(muted > 0);
	/* the wrong shares part us and 3, whose records are right, and nobody else */
	for (unsigned i = 1; i <= 5; i++) {
		assert_int_equal(peer(i)->quarantined, 0);
		assert_int_equal(peer(i)->feud[1], km_set_bit(3));
		assert_int_equal(peer(i)->feud[2] | peer(i)->feud[4] | peer(i)->feud[5], 0);
	}
	for (unsigned i = 2; i <= 5; i++)
		assert_true(peer(1)->score[1][i] == 0);
	mesh_free(&mesh);
}

static void test_client_goes_away(void **state)
{
	struct km_event ev = {.kind = KM_EVENT_CANCEL, .token = 5};

	init(3, 2, 18);
	start(UINT32_MAX);
	request(1, "www", 2, KM_CURVE_P256);
	assert_int_equal(mesh_step(&mesh, 1, &ev), KM_OK);
	mesh.progress[0] = 0;
	mesh_run(&mesh, 5000000);
	/* nobody is told, but the key is there */
	assert_int_equal(mesh.result, 0);
	assert_string_equal(mesh.progress, "");
	for (unsigned i = 1; i <= 3; i++)
		assert_int_equal(usable(i), 1);
	mesh_free(&mesh);
}

/* A share file of another peer, of another identity, or damaged is refused when it is loaded. */
static void test_load(void **state)
{
	struct mesh_file *f = NULL;
	struct km_peer *p;
	uint8_t seed[KM_SEED_SIZE] = {1}, bad[KM_SHARE_ENC_MAX];

	init(3, 2, 19);
	start(UINT32_MAX);
	assert_int_equal(mesh_keygen(&mesh, 1, 30000000), KM_OK);
	for (unsigned i = 0; i < mesh.node[2].n_files; i++)
		if (strstr(mesh.node[2].file[i].name, ".share"))
			f = &mesh.node[2].file[i];
	assert_non_null(f);
	assert_int_equal(km_peer_new(&p, &mesh.node[1].s, seed), KM_OK);
	assert_int_equal(km_peer_load(p, f->name, f->data, f->len), KM_E_MISMATCH);
	assert_null(p->keys);
	km_peer_free(p);
	assert_int_equal(km_peer_new(&p, &mesh.node[2].s, seed), KM_OK);
	for (size_t cut = 0; cut < f->len; cut += 7)
		assert_true(km_peer_load(p, f->name, f->data, cut) < 0);
	/* version, self, length, table and share; the own STORED at the end is checked by who gets it */
	memcpy(bad, f->data, f->len);
	for (size_t i = 0; i < f->len - KM_STORED_MAX - 4; i++) {
		bad[i] ^= 0x10;
		assert_true(km_peer_load(p, f->name, bad, f->len) < 0);
		bad[i] ^= 0x10;
	}
	km_peer_free(p);
	assert_int_equal(km_peer_new(&p, &mesh.node[2].s, seed), KM_OK);
	assert_int_equal(km_peer_load(p, f->name, f->data, f->len), KM_OK);
	assert_int_equal(km_peer_load(p, f->name, f->data, f->len), KM_OK);
	assert_null(p->keys->next);
	assert_int_equal(km_peer_load(p, "something-else", bad, 3), KM_OK);
	assert_true(km_peer_load(p, KM_QUARANTINE_FILE, bad, 3) < 0);
	km_peer_free(p);
	mesh_free(&mesh);
}

/* Two messages of peer 4 for one place. */
static void equivocation(struct km_buf *b)
{
	const struct km_shape shape = {.head = 4};
	uint8_t sid[KM_HASH_SIZE] = {9}, body[4] = {0};

	km_buf_init(b);
	km_evidence_begin(b, KM_EV_EQUIVOCATION, peer(1)->keys->share->table.hash, 2);
	for (; body[0] < 2; body[0]++) {
		struct km_buf raw;
		struct km_msg m;

		km_buf_init(&raw);
		assert_int_equal(km_msg_build(&raw, KM_PROTO_DKG, 1, 4, 0, sid, &shape, body, &mesh.node[4].s.identity), KM_OK);
		assert_int_equal(km_msg_parse(&m, raw.data, raw.len), KM_OK);
		km_evidence_header(b, &m);
		km_buf_clear(&raw);
	}
	assert_int_equal(b->err, KM_OK);
}

static void test_conviction_outlives_a_restart(void **state)
{
	struct km_buf proof;

	init(5, 3, 15);
	start(UINT32_MAX);
	assert_int_equal(mesh_keygen(&mesh, 1, 30000000), KM_OK);
	equivocation(&proof);
	peer(1)->fx = &mesh.fx;
	km_blame_proved(peer(1), 4, KM_EV_EQUIVOCATION, NULL, proof.data, proof.len);
	peer(1)->fx = NULL;
	km_buf_clear(&proof);
	struct km_event tick = {.kind = KM_EVENT_TICK};
	assert_int_equal(mesh_step(&mesh, 1, &tick), KM_OK);
	assert_int_equal(mesh.node[1].evidence, 1);
	assert_int_equal(peer(1)->keys->held[4], 0);
	mesh_kill(&mesh, 1);
	mesh_start(&mesh, 1);
	assert_int_equal(peer(1)->quarantined, km_set_bit(4));
	mesh_free(&mesh);
}

KM_TESTS(cmocka_unit_test(test_unknown_key_at_one_peer), cmocka_unit_test(test_other_threshold_at_one_peer),
	 cmocka_unit_test(test_impossible_requests), cmocka_unit_test(test_roster_mismatch),
	 cmocka_unit_test(test_roster_mismatch_says_what), cmocka_unit_test(test_silent_peers), cmocka_unit_test(test_clock),
	 cmocka_unit_test(test_who_takes_part),
	 cmocka_unit_test(test_halves),
	 cmocka_unit_test(test_silence_in_the_run), cmocka_unit_test(test_silence_without_a_choice),
	 cmocka_unit_test(test_stored_lost), cmocka_unit_test(test_stored_to_one_only),
	 cmocka_unit_test(test_crash_before_stored), cmocka_unit_test(test_equivocation_stops_the_run),
	 cmocka_unit_test(test_abort_is_named), cmocka_unit_test(test_disk_refuses), cmocka_unit_test(test_canary_fails), cmocka_unit_test(test_client_goes_away),
	 cmocka_unit_test(test_load), cmocka_unit_test(test_conviction_outlives_a_restart))
