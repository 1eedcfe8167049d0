/* test_sim.c: the simulator itself: one seed is one history, and every invariant it checks can fail. The checks are shown frames
 * and effects that no honest node makes; most are made by hand, as the nodes here are honest. */
#include "../lib/test.h"

#include <stdio.h>
#include <stdlib.h>
#include "sim_impl.h"
#include "node/peer_impl.h"

static struct sim *mesh(uint64_t seed)
{
	struct sim_options o = {
	    .seed = seed, .n = 3, .threshold = 2, .frontends = 1, .batch = 6, .pool_target = 1, .pool_low = 1};

	o.faults.delay_min_us = 50;
	o.faults.delay_max_us = 3000;
	o.faults.drop = 5;
	o.faults.duplicate = 20;
	o.faults.job_max_us = 2000;
	o.faults.persist_max_us = 500;
	return sim_new(&o);
}

static void broken(struct sim *s, const char *what)
{
	const char *is = sim_broken(s);

	if (!is || strncmp(is, what, strlen(what)) != 0)
		fail_msg("expected '%s', got '%s'", what, is ? is : "nothing broken");
	sim_free(s);
}

/* ---- one seed, one history */

static void history(uint64_t seed, uint8_t hash[KM_HASH_SIZE])
{
	struct sim *s = mesh(seed);

	sim_start(s);
	sim_run(s, 1500000, NULL, NULL);
	sim_keygen(s, 1, "www");
	sim_run(s, 4000000, NULL, NULL);
	sim_kill(s, KM_ADDR_PEER, 2);
	sim_restart(s, KM_ADDR_PEER, 2);
	sim_run(s, 4000000, NULL, NULL);
	sim_sign(s, 1, "www", 1, 1000);
	sim_run(s, 2000000, NULL, NULL);
	assert_null(sim_broken(s));
	memcpy(hash, sim_trace_hash(s), KM_HASH_SIZE);
	sim_free(s);
}

static void test_replay(void **state)
{
	uint8_t a[KM_HASH_SIZE], b[KM_HASH_SIZE], c[KM_HASH_SIZE];

	history(1, a);
	history(1, b);
	history(2, c);
	assert_memory_equal(a, b, sizeof(a));
	assert_memory_not_equal(a, c, sizeof(a));
}

static void test_heap_order(void **state)
{
	struct sim *s = mesh(3);
	uint64_t last = 0, last_seq = 0;

	for (unsigned i = 0; i < 1000; i++)
		sim_push(s, &(struct sim_item){.at_us = km_rng_below(&s->rng, 50), .what = SIM_HEAL, .token = UINT64_MAX});
	while (s->n_heap) {
		struct sim_item it = s->heap[0];

		assert_true(it.at_us > last || (it.at_us == last && it.seq >= last_seq));
		last = it.at_us;
		last_seq = it.seq;
		/* runs exactly the earliest moment */
		sim_run(s, it.at_us - s->now_us, NULL, NULL);
		assert_true(!s->n_heap || s->heap[0].at_us > it.at_us);
	}
	sim_free(s);
}

/* ---- frames by hand */

static void say(struct sim *s, unsigned from, struct km_addr to, struct km_buf *b)
{
	assert_int_equal(b->err, KM_OK);
	sim_check_send(s, &s->peers[from], to, b->data, b->len);
	km_buf_clear(b);
}

static const uint8_t sid[KM_HASH_SIZE] = {5};
static const struct km_addr to_peer = {KM_ADDR_PEER, 2}, to_frontend = {KM_ADDR_FRONTEND, 1};

static void presig_id(unsigned index, uint8_t id[KM_HASH_SIZE])
{
	km_presig_name(sid, index, id);
}

static void say_ready(struct sim *s, unsigned from)
{
	static const struct km_identity id;
	static const uint8_t leaf[KM_MAX_BATCH][KM_HASH_SIZE];
	struct km_ready r = {.leaf = leaf[0]};
	struct km_buf b;

	km_buf_init(&b);
	km_put_u8(&b, KM_FRAME_READY);
	memset(r.held, 0xff, sizeof(r.held));
	assert_int_equal(km_ready_build(&b, (uint8_t)from, sid, &r, &id), KM_OK);
	say(s, from, to_peer, &b);
}

static void audit(struct sim *s, unsigned who, unsigned index)
{
	uint8_t entry[100] = {1};
	struct km_effect e = {.kind = KM_EFFECT_AUDIT, .data = entry, .len = sizeof(entry)};

	presig_id(index, entry + 17);
	sim_check_effect(s, &s->peers[who], &e);
}

static void share(struct sim *s, unsigned from, unsigned index, uint8_t request, uint8_t value)
{
	struct km_share_msg m = {.request_id = {request}, .n = 32, .s = {value}};
	struct km_buf b;

	presig_id(index, m.presig_id);
	km_buf_init(&b);
	km_share_msg_encode(&b, &m);
	say(s, from, to_peer, &b);
}

static struct sim *honest_share(void)
{
	struct sim *s = mesh(1);

	say_ready(s, 1);
	audit(s, 1, 0);
	share(s, 1, 0, 7, 1);
	share(s, 1, 0, 7, 1); /* the same one again */
	assert_null(sim_broken(s));
	return s;
}

static void test_1_two_requests(void **state)
{
	struct sim *s = honest_share();

	share(s, 1, 0, 8, 1);
	broken(s, "invariant 1");
}

static void test_1_two_shares(void **state)
{
	struct sim *s = honest_share();

	share(s, 1, 0, 7, 2);
	broken(s, "invariant 1");
}

static void test_1_in_two_lives(void **state)
{
	struct sim *s = honest_share();

	s->peers[1].era++;
	share(s, 1, 0, 8, 1);
	broken(s, "invariant 1");
}

static void test_1_owner(void **state)
{
	struct sim *s = mesh(1);

	for (uint8_t k = 1; k <= 2; k++) {
		struct km_sign m = {.presig_id = {3},
				    .req = {.version = KM_REQ_VERSION, .frontend = 1, .context = 1, .data = &k, .len = 1}};
		struct km_buf b;

		assert_null(sim_broken(s));
		km_buf_init(&b);
		km_sign_encode(&b, &m);
		say(s, 1, to_peer, &b);
	}
	broken(s, "invariant 1");
}

static void reply(struct sim *s, uint8_t request)
{
	struct km_reply m = {.request_id = {request}, .n = 32, .r = {1}, .s = {1}};
	struct km_buf b;

	km_buf_init(&b);
	km_reply_encode(&b, &m);
	say(s, 1, to_frontend, &b);
}

static void test_2_nobody_asked(void **state)
{
	struct sim *s = mesh(1);

	reply(s, 1);
	broken(s, "invariant 2: peer 1 answered a request");
}

static void test_2_not_a_signature(void **state)
{
	struct sim *s = mesh(1);
	struct sim_result r = {.sign = 1, .node = to_frontend, .result = {.r = {1}, .s = {1}}};

	sim_check_result(s, &r);
	broken(s, "invariant 2: frontend 1 gave its client");
}

static void test_4_shares_lost(void **state)
{
	struct sim *s = mesh(4);

	s->opt.faults.drop = 0;
	sim_start(s);
	assert_true(sim_setup_key(s, "www", 1));
	sim_run(s, 10000000, NULL, NULL);
	sim_check_rest(s);
	assert_null(sim_broken(s));
	for (unsigned i = 1; i <= 2; i++) {
		for (size_t k = 0; k < s->peers[i].n_files; k++) {
			free(s->peers[i].files[k].data);
			s->peers[i].files[k].data = NULL;
		}
	}
	sim_check_rest(s);
	broken(s, "invariant 4: 1 shares left");
}

static void envelope(struct sim *s, unsigned from, uint8_t proto, uint8_t round, const uint8_t *body, uint32_t len)
{
	struct km_shape shape = {.head = len};
	struct km_buf b;

	km_buf_init(&b);
	km_put_u8(&b, KM_FRAME_ENVELOPE);
	assert_int_equal(km_msg_build(&b, proto, round, (uint8_t)from, 0, sid, &shape, body, &s->peers[from].settings.identity),
			 KM_OK);
	say(s, from, to_peer, &b);
}

static void test_5_run_in_two_lives(void **state)
{
	struct sim *s = mesh(1);
	uint8_t body[64] = {1};

	envelope(s, 1, KM_PROTO_MAJORITY, 2, body, sizeof(body));
	envelope(s, 2, KM_PROTO_MAJORITY, 2, body, sizeof(body));
	assert_null(sim_broken(s));
	s->peers[1].era++;
	envelope(s, 1, KM_PROTO_MAJORITY, 3, body, sizeof(body));
	broken(s, "invariant 5: peer 1 speaks");
}

/* STORED is the one promise that outlives its author. */
static void test_5_stored(void **state)
{
	struct sim *s = mesh(1);
	uint8_t body[104] = {1};

	envelope(s, 1, KM_PROTO_DKG, 5, body, sizeof(body));
	s->peers[1].era++;
	envelope(s, 1, KM_PROTO_DKG, 6, body, sizeof(body));
	assert_null(sim_broken(s));
	envelope(s, 1, KM_PROTO_DKG, 5, body, sizeof(body));
	broken(s, "invariant 5: peer 1 speaks");
}

static void test_5_incarnation(void **state)
{
	struct sim *s = mesh(1);
	uint8_t body[64] = {1};

	envelope(s, 1, KM_PROTO_SETUP, 2, body, sizeof(body));
	s->peers[1].era++;
	envelope(s, 1, KM_PROTO_SETUP, 2, body, sizeof(body));
	broken(s, "invariant 5: peer 1 joins");
}

static void test_5_old_presignature(void **state)
{
	struct sim *s = mesh(1);

	say_ready(s, 1);
	audit(s, 1, 0);
	s->peers[1].era++;
	share(s, 1, 0, 7, 1);
	broken(s, "invariant 5: peer 1 uses a presignature of an earlier life");
}

static void test_5_unknown_presignature(void **state)
{
	struct sim *s = mesh(1);

	audit(s, 1, 0);
	share(s, 1, 0, 7, 1);
	broken(s, "invariant 5: peer 1 uses a presignature of a run it never reported");
}

static void test_6_framing(void **state)
{
	struct sim *s = mesh(1);
	struct km_effect e = {.kind = KM_EFFECT_EVIDENCE, .to = to_peer};

	sim_corrupt(s, 3);
	e.to.id = 3;
	sim_check_effect(s, &s->peers[1], &e);
	assert_null(sim_broken(s));
	/* what a corrupt one says of others counts for nothing */
	e.to.id = 2;
	sim_check_effect(s, &s->peers[3], &e);
	assert_null(sim_broken(s));
	sim_check_effect(s, &s->peers[1], &e);
	broken(s, "invariant 6");
}

static void test_9_no_audit(void **state)
{
	struct sim *s = mesh(1);

	say_ready(s, 1);
	audit(s, 1, 1);
	share(s, 1, 0, 7, 1);
	broken(s, "invariant 9");
}

static void test_10_secret_in_data(void **state)
{
	struct sim *s = mesh(1);
	uint8_t data[80] = {0};
	struct km_effect e = {.kind = KM_EFFECT_SEND, .to = to_peer, .data = data, .len = sizeof(data)};

	memcpy(data + 31, s->peers[1].settings.channel_priv, 32);
	sim_check_effect(s, &s->peers[1], &e);
	broken(s, "invariant 10: the channel key");
}

static void test_10_secret_in_text(void **state)
{
	struct sim *s = mesh(1);
	struct km_effect e = {.kind = KM_EFFECT_LOG};
	const uint8_t *k = s->peers[1].settings.identity.priv;

	snprintf(e.text, sizeof(e.text), "my key is %02x%02x%02x%02x%02x%02x%02x%02x", k[0], k[1], k[2], k[3], k[4], k[5], k[6],
		 k[7]);
	sim_check_effect(s, &s->peers[1], &e);
	broken(s, "invariant 10: a text");
}

/* The share is a secret from the moment it is stored. */
static void test_10_share(void **state)
{
	struct sim *s = mesh(4);
	uint8_t data[80] = {0};
	struct km_effect e = {.kind = KM_EFFECT_SEND, .to = to_peer, .data = data, .len = sizeof(data)};

	s->opt.faults.drop = 0;
	sim_start(s);
	assert_true(sim_setup_key(s, "www", 1));
	assert_int_equal(s->peers[2].secret_len[2], 32);
	memcpy(data, s->peers[2].secret[2], 32);
	sim_check_effect(s, &s->peers[2], &e);
	broken(s, "invariant 10: the share");
}

KM_TESTS(cmocka_unit_test(test_replay), cmocka_unit_test(test_heap_order), cmocka_unit_test(test_1_two_requests),
	 cmocka_unit_test(test_1_two_shares), cmocka_unit_test(test_1_in_two_lives), cmocka_unit_test(test_1_owner),
	 cmocka_unit_test(test_2_nobody_asked), cmocka_unit_test(test_2_not_a_signature), cmocka_unit_test(test_4_shares_lost),
	 cmocka_unit_test(test_5_run_in_two_lives), cmocka_unit_test(test_5_stored), cmocka_unit_test(test_5_incarnation),
	 cmocka_unit_test(test_5_old_presignature), cmocka_unit_test(test_5_unknown_presignature),
	 cmocka_unit_test(test_6_framing), cmocka_unit_test(test_9_no_audit), cmocka_unit_test(test_10_secret_in_data),
	 cmocka_unit_test(test_10_secret_in_text), cmocka_unit_test(test_10_share))
