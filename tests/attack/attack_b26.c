/* attack_b26.c: a frontend outside its rights: another's key, another context, a blind digest, more than its rate. It asks an
 * honest aggregator, and with a corrupt aggregator's help the signers directly. Stopped by: the policy of the key at every
 * signer. */
#include "node.h"

#define EVIL 1 /* a corrupt aggregator that passes everything on */
#define SIGNER 2
#define STRANGER 2 /* the frontend that the key does not list */
#define RATE 5

static struct mesh *mesh_with_policy(void)
{
	struct mesh *m = mesh_new(26, 3, 2);

	rules_all();
	memset(sim_policy(m->sim)->frontends, 0, sizeof(sim_policy(m->sim)->frontends));
	km_policy_allow_frontend(sim_policy(m->sim), 1);
	sim_policy(m->sim)->rate = RATE;
	mesh_key(m);
	mesh_forget(m);
	sim_corrupt(m->sim, EVIL);
	return m;
}

/* Status at a signer behind the corrupt aggregator, which adds what the frontend gave it. */
static int behind_aggregator(struct mesh *m, const struct wish *w)
{
	uint8_t mac[KM_MAC_SIZE];

	wish_mac(m, w, SIGNER, mac);
	return mesh_sign(m, EVIL, SIGNER, mesh_presig(m, EVIL, SIGNER)->id, w, mac, NULL);
}

static void both_refuse(struct mesh *m, const struct wish *w, int status)
{
	assert_int_equal(mesh_req(m, w->req.frontend, 3, w, NULL), status);
	assert_int_equal(behind_aggregator(m, w), status);
}

static void test_not_listed(void **state)
{
	struct mesh *m = mesh_with_policy();
	struct wish w;

	wish_make(m, &w, STRANGER, 1);
	both_refuse(m, &w, KM_STATUS_RIGHTS);
	rule_off(km_rule_rights);
	assert_int_equal(behind_aggregator(m, &w), KM_STATUS_OK);
	mesh_free(m, NULL);
}

static void test_in_anothers_name(void **state)
{
	struct mesh *m = mesh_with_policy();
	struct km_req_macs macs = {.peers = 7};
	struct km_buf b;
	struct wish w;

	/* frontend 2 says it is 1, with the authenticators it can make */
	wish_make(m, &w, 1, 2);
	km_buf_init(&b);
	km_req_encode(&b, &w.req, &macs);
	sim_inject(m->sim, peer(3), frontend(STRANGER), b.data, b.len);
	km_buf_clear(&b);
	mesh_run(m, 50);
	assert_int_equal(mesh_count(m, KM_FRAME_REPLY, 3, 0), 0);
	assert_int_equal(mesh_count(m, KM_FRAME_SIGN, 3, 0), 0);
	assert_true(sim_peer(m->sim, 3)->dropped[KM_DROP_SENDER] > 0);
	mesh_free(m, NULL);
}

static void test_other_key(void **state)
{
	struct mesh *m = mesh_with_policy();
	struct wish w;

	wish_make(m, &w, 1, 3);
	w.req.key_id[0] ^= 1;
	wish_finish(&w);
	both_refuse(m, &w, KM_STATUS_UNKNOWN_KEY);
	mesh_free(m, NULL);
}

static void test_contexts(void **state)
{
	struct mesh *m = mesh_with_policy();
	struct wish w;

	for (unsigned context = 1; context <= KM_CTX_DIGEST; context++) {
		if (sim_policy(m->sim)->contexts & km_context_bit(context))
			continue;
		wish_make(m, &w, 1, 10 + context);
		w.req.context = (uint8_t)context;
		wish_finish(&w);
		both_refuse(m, &w, KM_STATUS_RIGHTS);
	}
	/* an allowed context with bytes that are not of it */
	wish_make(m, &w, 1, 4);
	w.content[64] ^= 1;
	wish_finish(&w);
	both_refuse(m, &w, KM_STATUS_CONTEXT);
	wish_make(m, &w, 1, 5);
	w.req.context = KM_CTX_TLS12_SERVER;
	wish_finish(&w);
	both_refuse(m, &w, KM_STATUS_CONTEXT);
	mesh_free(m, NULL);
}

static void test_context_without_rule(void **state)
{
	struct mesh *m = mesh_with_policy();
	struct wish w;

	sim_policy(m->sim)->contexts = km_context_bit(KM_CTX_TLS12_SERVER);
	wish_make(m, &w, 1, 8);
	both_refuse(m, &w, KM_STATUS_RIGHTS);
	rule_off(km_rule_rights);
	assert_int_equal(behind_aggregator(m, &w), KM_STATUS_OK);
	mesh_free(m, NULL);
}

/* A hash of something nobody showed: off unless the operator wants it. */
static void test_blind_digest(void **state)
{
	struct mesh *m = mesh_with_policy();
	struct wish w;

	wish_make(m, &w, 1, 6);
	w.req.context = KM_CTX_DIGEST;
	w.req.len = KM_HASH_SIZE;
	wish_finish(&w);
	both_refuse(m, &w, KM_STATUS_RIGHTS);
	/* not even then: nothing here parses a bare hash */
	rule_off(km_rule_rights);
	assert_int_equal(behind_aggregator(m, &w), KM_STATUS_CONTEXT);
	mesh_free(m, NULL);
}

/* The context of test signatures, which carry no authenticator, is nobody's to ask for. */
static void test_canary_by_frontend(void **state)
{
	struct mesh *m = mesh_with_policy();
	struct wish w;

	wish_make(m, &w, 1, 7);
	w.req.context = KM_CTX_CANARY;
	w.req.len = KM_HASH_SIZE;
	wish_finish(&w);
	assert_int_equal(mesh_req(m, 1, 3, &w, NULL), KM_STATUS_RIGHTS);
	/* and nobody's text but the one of key and quorum */
	assert_int_equal(behind_aggregator(m, &w), KM_STATUS_CONTEXT);
	km_canary_bytes(mesh_www(m, EVIL), mesh_presig(m, EVIL, SIGNER)->ps->quorum, w.content);
	wish_finish(&w);
	assert_int_equal(behind_aggregator(m, &w), KM_STATUS_CONTEXT);
	mesh_free(m, NULL);
}

static unsigned burst(struct mesh *m, unsigned first, unsigned n)
{
	unsigned ok = 0;
	struct wish w;

	for (unsigned i = 0; i < n; i++) {
		uint8_t mac[KM_MAC_SIZE];
		struct km_held *h = mesh_presig(m, EVIL, SIGNER);

		wish_make(m, &w, 1, 100 + first + i);
		wish_mac(m, &w, SIGNER, mac);
		int status = mesh_sign(m, EVIL, SIGNER, h->id, &w, mac, NULL);
		assert_true(status == KM_STATUS_OK || status == KM_STATUS_RATE);
		ok += status == KM_STATUS_OK;
		if (status == KM_STATUS_OK)
			km_pool_burn(sim_peer(m->sim, EVIL), h);
	}
	return ok;
}

static void test_rate(void **state)
{
	struct mesh *m = mesh_with_policy();

	mesh_run(m, 5000);
	assert_int_equal(burst(m, 0, RATE), RATE);
	assert_int_equal(burst(m, 20, 6), 0);
	mesh_run(m, 1100);
	assert_in_range(burst(m, 40, 2), 1, 2);
	mesh_free(m, NULL);
}

static void test_rate_without_rule(void **state)
{
	struct mesh *m = mesh_with_policy();

	mesh_run(m, 5000);
	assert_int_equal(burst(m, 0, RATE), RATE);
	mesh_run(m, 500);
	rule_off(km_rule_rate);
	sim_policy(m->sim)->rate = 1;
	assert_int_equal(burst(m, 20, 4), 4);
	mesh_free(m, NULL);
}

KM_TESTS(cmocka_unit_test(test_not_listed), cmocka_unit_test(test_in_anothers_name), cmocka_unit_test(test_other_key),
	 cmocka_unit_test(test_contexts), cmocka_unit_test(test_context_without_rule), cmocka_unit_test(test_blind_digest),
	 cmocka_unit_test(test_canary_by_frontend), cmocka_unit_test(test_rate), cmocka_unit_test(test_rate_without_rule))
