/* attack_b18.c: an unverified signature is released. The aggregator (or a signer behind it) answers with one that is not valid: a
 * server that sends it has a broken handshake, and one that was made with a fault can give the key away.
 * Stopped by: the frontend verifies every answer under the key it believes in, before it leaves. */
#include "attack.h"
#include "../lib/fakemesh.h"

static struct fake m;

/* Every peer but the one that comes last lies. */
static const struct fake_result *mount(uint8_t order[32])
{
	fake_init(&m, 5, 3);
	fake_run(&m, 100);
	(void)fake_order(&m, "handshake", order);
	for (unsigned i = 1; i <= 5; i++)
		if (i != order[4])
			m.peer[i].does = FAKE_WRONG;
	fake_sign(&m, 1, "handshake", 2000);
	fake_run(&m, 2000);
	return fake_result(&m, 1);
}

static void test_stopped(void **state)
{
	const struct fake_result *r;
	uint8_t order[32];

	(void)state;
	rules_all();
	r = mount(order);
	assert_true(fake_good(&m, r, "handshake"));
	assert_int_equal(r->result.aggregator, order[4]);
	/* each liar was told, and is known for it */
	for (unsigned i = 0; i < 4; i++) {
		assert_int_equal(m.peer[order[i]].badsigs, 1);
		assert_int_equal(m.f->peer[order[i]].score, FE_SCORE_BAD);
	}
	assert_int_equal(fake_logged(&m, "does not verify"), 4);
	fake_clear(&m);
}

static void test_without_rule(void **state)
{
	const struct fake_result *r;
	uint8_t order[32];

	(void)state;
	rules_all();
	rule_off(km_rule_frontend_verify);
	r = mount(order);
	assert_non_null(r);
	assert_int_equal(r->err, KM_OK);
	assert_int_equal(r->result.aggregator, order[0]);
	assert_false(fake_good(&m, r, "handshake"));
	fake_clear(&m);
}

KM_TESTS(cmocka_unit_test(test_stopped), cmocka_unit_test(test_without_rule))
