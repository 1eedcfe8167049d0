/* test_found.c: what the swarm found, told again in short. */
#include "../lib/test.h"

#include <stdlib.h>
#include "sim_impl.h"
#include "node/peer_impl.h"

static struct sim *mesh(unsigned n, unsigned t)
{
	struct sim_options o = {.seed = 7, .n = n, .threshold = t, .frontends = 1, .batch = 12, .pool_target = 2, .pool_low = 1};

	o.faults.delay_min_us = 50;
	o.faults.delay_max_us = 500;
	o.faults.job_max_us = 1000;
	o.faults.persist_max_us = 500;
	return sim_new(&o);
}

static void end(struct sim *s)
{
	if (sim_broken(s))
		fail_msg("%s", sim_broken(s));
	sim_free(s);
}

/* ---- a frame of a former life that comes after the new one's */

struct first_hello {
	uint8_t *data;
	size_t len;
};

static int keep_hello(void *ctx, struct sim *s, struct km_addr from, struct km_addr to, uint8_t **data, size_t *len)
{
	struct first_hello *h = ctx;

	if (!h->data && from.kind == KM_ADDR_PEER && from.id == 1 && to.kind == KM_ADDR_PEER && to.id == 2 &&
	    (*data)[0] == KM_FRAME_HELLO) {
		h->data = malloc(*len);
		assert_non_null(h->data);
		memcpy(h->data, *data, *len);
		h->len = *len;
	}
	return 1;
}

/* Both ends restarted, so the reader remembers nothing of the former life: the true one must come through again. */
static void test_late_frame(void **state)
{
	struct sim *s = mesh(3, 2);
	struct first_hello h = {NULL, 0};

	sim_filter(s, keep_hello, &h);
	sim_start(s);
	sim_run(s, 2000000, NULL, NULL);
	for (unsigned i = 1; i <= 2; i++)
		sim_kill(s, KM_ADDR_PEER, i);
	for (unsigned i = 1; i <= 2; i++)
		sim_restart(s, KM_ADDR_PEER, i);
	sim_run(s, 500000, NULL, NULL);
	assert_memory_equal(sim_peer(s, 2)->link[1].incarnation, sim_peer(s, 1)->incarnation, KM_NONCE_SIZE);
	assert_non_null(h.data);
	sim_inject(s, s->peers[2].addr, s->peers[1].addr, h.data, h.len);
	sim_run(s, 10000000, NULL, NULL);
	assert_memory_equal(sim_peer(s, 2)->link[1].incarnation, sim_peer(s, 1)->incarnation, KM_NONCE_SIZE);
	assert_true(sim_peer(s, 2)->link[1].live);
	free(h.data);
	end(s);
}

/* ---- STORED for some only */

static int no_stored_for_1(void *ctx, struct sim *s, struct km_addr from, struct km_addr to, uint8_t **data, size_t *len)
{
	const uint8_t *d = *data;

	return !(from.kind == KM_ADDR_PEER && from.id == 4 && to.kind == KM_ADDR_PEER && to.id == 1 && *len > 4 &&
		 d[0] == KM_FRAME_ENVELOPE && d[3] == KM_PROTO_DKG && d[4] == 6);
}

static void test_stored_for_some(void **state)
{
	struct sim *s = mesh(4, 2);

	sim_corrupt(s, 4);
	sim_filter(s, no_stored_for_1, NULL);
	sim_start(s);
	assert_true(sim_setup_key(s, "www", 1));
	assert_true(km_key_by_name(sim_peer(s, 1), "www")->share->usable);
	end(s);
}

/* ---- one that restarts into every run */

static int always_new(void *ctx, struct sim *s, struct km_addr from, struct km_addr to, uint8_t **data, size_t *len)
{
	const int *on = ctx;

	/* kind u8 | incarnation, as HEALTH has it */
	if (*on && from.kind == KM_ADDR_PEER && from.id == 4 && *len > 1 + KM_NONCE_SIZE && (*data)[0] == KM_FRAME_HEALTH)
		km_rng_bytes(sim_rng(s), *data + 1, KM_NONCE_SIZE);
	return 1;
}

static void test_restarts_for_ever(void **state)
{
	struct sim *s = mesh(4, 2);
	int on = 0;

	sim_corrupt(s, 4);
	sim_filter(s, always_new, &on);
	sim_start(s);
	assert_true(sim_setup_key(s, "www", 1));
	on = 1;
	/* the others use up what they have, and must be able to make more among themselves */
	for (unsigned i = 1; i <= 3; i++)
		km_pool_burn_all(sim_peer(s, i));
	sim_run(s, 120000000, NULL, NULL);
	for (unsigned i = 1; i <= 3; i++)
		assert_true(km_pool_ready(km_key_by_name(sim_peer(s, i), "www"), 7) > 0);
	for (unsigned k = 0; k < 10; k++) {
		uint64_t token = sim_sign(s, 1, "www", k, 3000);

		sim_run(s, 3100000, NULL, NULL);
		assert_true(sim_result(s, token)->done);
		assert_int_equal(sim_result(s, token)->err, KM_OK);
	}
	end(s);
}

/* ---- one that ends every run and says that it waited for others */

static int always_aborts(void *ctx, struct sim *s, struct km_addr from, struct km_addr to, uint8_t **data, size_t *len)
{
	const int *on = ctx;
	struct km_msg m;
	struct km_buf b;

	if (!*on || from.kind != KM_ADDR_PEER || from.id != 1 || (*data)[0] != KM_FRAME_ENVELOPE || km_msg_parse(&m, *data + 1, *len - 1) ||
	    m.proto != KM_PROTO_MAJORITY)
		return 1;
	km_buf_init(&b);
	km_put_u8(&b, KM_FRAME_ABORT);
	km_put_bytes(&b, m.sid, KM_HASH_SIZE);
	km_put_u8(&b, (uint8_t)-KM_E_DEADLINE);
	km_put_u32(&b, (uint32_t)km_rng_below(sim_rng(s), 16));
	sim_inject(s, to, from, b.data, b.len);
	km_buf_clear(&b);
	return 1;
}

/* The others must not hold it against each other, and go on without it. */
static void test_aborts_for_ever(void **state)
{
	for (unsigned seed = 1; seed <= 8; seed++) {
		struct sim *s = mesh(4, 2);
		int on = 0;

		sim_corrupt(s, 1);
		sim_filter(s, always_aborts, &on);
		sim_start(s);
		assert_true(sim_setup_key(s, "www", 1));
		/* another history for each */
		sim_run(s, 1000000 + 137000 * seed, NULL, NULL);
		on = 1;
		for (unsigned i = 2; i <= 4; i++)
			km_pool_burn_all(sim_peer(s, i));
		sim_run(s, 120000000, NULL, NULL);
		for (unsigned i = 2; i <= 4; i++) {
			assert_true(km_pool_ready(km_key_by_name(sim_peer(s, i), "www"), 14) > 0);
			assert_int_equal(sim_peer(s, i)->scored[i] & 14, 0);
		}
		end(s);
	}
}

KM_TESTS(cmocka_unit_test(test_late_frame), cmocka_unit_test(test_stored_for_some), cmocka_unit_test(test_restarts_for_ever),
	 cmocka_unit_test(test_aborts_for_ever))
