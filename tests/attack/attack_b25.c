/* attack_b25.c: a corrupt aggregator, as a frontend and the signers meet it. It invents a request, replays an old answer, answers
 * for other bytes, swaps r, answers nonsense, or withholds. (What it can do to signers once it owns presignatures is the peer's side.)
 * Stopped by: authenticators that only a frontend can make; verification at the frontend, which then asks the next; the hedge. */
#include "attack.h"
#include "../lib/fakemesh.h"
#include "base/sig.h"

static struct fake m;

/* ---- it invents a request */

static int invented_is_accepted(void)
{
	static const uint8_t text[] = "a transfer nobody asked for";
	struct km_req r = { .version = KM_REQ_VERSION, .frontend = 7, .context = 1, .time_ms = 1700000000000, .data = text, .len = sizeof(text) };
	uint8_t signer_priv[32] = { 8, 1 }, aggregator_priv[32] = { 8, 2 }, frontend_priv[32] = { 8, 3 }, pub[32], fpub[32];
	uint8_t key[32], guess[32], id[32], mac[32];

	km_x25519_public(frontend_priv, fpub);
	assert_int_equal(km_auth_key(signer_priv, fpub, 7, 2, key), KM_OK);
	/* the best it has: its own secret against both public keys */
	km_x25519_public(signer_priv, pub);
	assert_int_equal(km_auth_key(aggregator_priv, pub, 7, 2, guess), KM_OK);
	km_req_id(&r, id);
	km_auth_mac(guess, id, 2, mac);
	return km_auth_check(key, id, 2, mac) == KM_OK;
}

static void test_invented_request(void **state)
{
	(void)state;
	rules_all();
	assert_false(invented_is_accepted());
	rule_off(km_rule_authenticator);
	assert_true(invented_is_accepted());
}

/* The authenticator for one signer is no use at another: an aggregator's own one does not open its colleagues. */
static void test_own_authenticator_elsewhere(void **state)
{
	uint8_t key[32] = { 1 }, id[32] = { 2 }, mac[32];

	(void)state;
	rules_all();
	km_auth_mac(key, id, 1, mac);
	assert_int_equal(km_auth_check(key, id, 2, mac), KM_E_AUTH);
	rule_off(km_rule_authenticator);
	assert_int_equal(km_auth_check(key, id, 2, mac), KM_OK);
}

/* ---- it answers wrongly */

static const enum fake_does lies[] = { FAKE_REPLAY, FAKE_OTHER, FAKE_SWAP_R, FAKE_INVENT, FAKE_WRONG };
#define N_LIES (sizeof(lies) / sizeof(lies[0]))

static void mount(enum fake_does lie, uint8_t order[32])
{
	fake_init(&m, 5, 3);
	fake_run(&m, 100);
	/* everybody has signed something that can be replayed */
	for (unsigned i = 0; i < 30; i++) {
		char text[20];

		km_format(text, sizeof(text), "earlier %u", i);
		fake_sign(&m, 100 + i, text, 1000);
		fake_run(&m, 5);
	}
	(void)fake_order(&m, "now", order);
	assert_true(m.peer[order[0]].has_first);
	m.peer[order[0]].does = lie;
	fake_sign(&m, 1, "now", 2000);
	fake_run(&m, 100);
}

static void test_wrong_answers(void **state)
{
	uint8_t order[32];

	(void)state;
	for (size_t i = 0; i < N_LIES; i++) {
		rules_all();
		mount(lies[i], order);
		assert_true(fake_good(&m, fake_result(&m, 1), "now"));
		assert_int_equal(fake_result(&m, 1)->result.aggregator, order[1]);
		assert_int_equal(m.f->peer[order[0]].score, FE_SCORE_BAD);
		fake_clear(&m);
	}
}

static void test_wrong_answers_without_rule(void **state)
{
	uint8_t order[32];

	(void)state;
	for (size_t i = 0; i < N_LIES; i++) {
		rules_all();
		rule_off(km_rule_frontend_verify);
		mount(lies[i], order);
		assert_int_equal(fake_result(&m, 1)->err, KM_OK);
		assert_int_equal(fake_result(&m, 1)->result.aggregator, order[0]);
		assert_false(fake_good(&m, fake_result(&m, 1), "now"));
		fake_clear(&m);
	}
}

/* It answers in the name of a request that another peer was asked. */
static void test_answers_for_others(void **state)
{
	struct km_reply rep = { .n = 32 };
	uint8_t order[32];
	struct km_buf b;

	(void)state;
	rules_all();
	rule_off(km_rule_frontend_verify); /* so that nothing but the question "was it asked?" stands in the way */
	fake_init(&m, 5, 3);
	fake_run(&m, 100);
	(void)fake_order(&m, "other", order);
	fake_sign(&m, 1, "other", 2000);
	memcpy(rep.request_id, m.f->requests->id, 32);
	rep.r[31] = rep.s[31] = 1;
	km_buf_init(&b);
	km_reply_encode(&b, &rep);
	fake_inject(&m, order[1], b.data, b.len);
	fake_run(&m, 5);
	assert_int_equal(fake_result(&m, 1)->result.aggregator, order[0]);
	assert_true(fake_good(&m, fake_result(&m, 1), "other"));
	km_buf_clear(&b);
	fake_clear(&m);
}

/* ---- it withholds: a request costs one hedge, and before long it is asked last */

static void test_withholds(void **state)
{
	uint8_t order[32];
	unsigned slow = 0;

	(void)state;
	rules_all();
	fake_init(&m, 5, 3);
	fake_run(&m, 100);
	m.peer[2].does = FAKE_SILENT;
	for (unsigned i = 0; i < 100; i++) {
		char text[20];
		uint64_t at = m.now.mono_us;

		km_format(text, sizeof(text), "withheld %u", i);
		(void)fake_order(&m, text, order);
		fake_sign(&m, i + 1, text, 2000);
		fake_run(&m, 400);
		assert_true(fake_good(&m, fake_result(&m, i + 1), text));
		slow += fake_result(&m, i + 1)->at_us - at > 100000;
		assert_true(fake_result(&m, i + 1)->at_us - at < 252000);
	}
	assert_in_range(slow, 1, FE_SUSPECT);
	fake_clear(&m);
}

KM_TESTS(cmocka_unit_test(test_invented_request), cmocka_unit_test(test_own_authenticator_elsewhere), cmocka_unit_test(test_wrong_answers),
	 cmocka_unit_test(test_wrong_answers_without_rule), cmocka_unit_test(test_answers_for_others), cmocka_unit_test(test_withholds))
