/* attack_b7.c: split view. A corrupt owner shows its signers different requests for one presignature: other frontends, other
 * contexts, other times, other messages. Each of them sees one request in order and signs once. The attacker wants a signature
 * that stands in nobody's audit log as what it is: here the same message under two requests (two frontends, so that each pays and
 * answers for half). Stopped by: delta covers request id and context, so that shares for two requests do not combine; and shares for two
 * messages never do, by the zero shares. */
#include "attack.h"
#include "../lib/dealer.h"

#define OWNER 1
#define QUORUM 7u

static struct group g;

static void start(void)
{
	group_init(&g, 7, 0x1f, 3, 0x1f, 4, QUORUM);
	net_run(g.net, 0);
	group_take(&g);
}

/* 2 signs the one, 3 the other, the owner both; does any mixture verify, for either message, with either r? */
static int combined(unsigned index, const struct km_sign_input in[2])
{
	const struct km_curve *c = g.d.curve;
	struct km_presig *p[3], own = *group_presig(&g, OWNER, index), copy;
	struct km_scalar share[2], mine, s;
	struct km_sign_nonce n[2];
	int ok = 0;

	for (unsigned i = 0; i < 2; i++) {
		p[i] = group_presig(&g, 2 + i, index);
		assert_int_equal(km_sign_nonce(p[i], &in[i], &n[i]), KM_OK);
		km_sign_share(p[i], &in[i], &n[i], &share[i]);
	}
	for (unsigned mine_for = 0; mine_for < 2; mine_for++) {
		copy = own;
		km_sign_share(&copy, &in[mine_for], &n[mine_for], &mine);
		/* as they are, and each of the others' moved from its own delta to the other one */
		for (unsigned moved = 0; moved < 4; moved++) {
			struct km_scalar all[3] = {mine, share[0], share[1]};

			for (unsigned i = 0; i < 2; i++) {
				if (!(moved >> i & 1))
					continue;
				km_scalar_mul(c, &all[1 + i], &all[1 + i], &n[i].delta);
				km_scalar_mul(c, &all[1 + i], &all[1 + i], &n[!i].delta_inv);
			}
			assert_int_equal(km_sign_combine(c, &s, all, 3), KM_OK);
			for (unsigned i = 0; i < 4; i++)
				ok |= km_ecdsa_verify_var(c, &g.d.table.x, &in[i & 1].m, &n[i >> 1].r, &s) == KM_OK;
		}
	}
	return ok;
}

static void inputs(struct km_sign_input in[2], const char *other)
{
	group_input(&g, &in[0], "one text");
	group_input(&g, &in[1], other);
	memset(in[1].request_id, 0x77, sizeof(in[1].request_id));
}

static void test_stopped(void **state)
{
	struct km_sign_input in[2];

	rules_all();
	start();
	inputs(in, "one text");
	assert_true(km_scalar_equal(&in[0].m, &in[1].m));
	assert_false(combined(0, in));
	inputs(in, "another text");
	assert_false(combined(1, in));
	inputs(in, "one text");
	memcpy(in[1].request_id, in[0].request_id, sizeof(in[0].request_id));
	in[1].context = KM_CTX_TLS12_SERVER;
	assert_false(combined(2, in));
	group_clear(&g);
}

static void test_without_rule(void **state)
{
	struct km_sign_input in[2];

	rules_all();
	rule_off(km_rule_delta);
	start();
	inputs(in, "one text");
	assert_true(combined(0, in));
	/* two messages: also without delta the zero shares keep them apart */
	inputs(in, "another text");
	assert_false(combined(1, in));
	rules_all();
	group_clear(&g);
}

/* One request for all: the same computation finds a signature. */
static void test_one_request(void **state)
{
	struct km_sign_input in[2];

	rules_all();
	start();
	inputs(in, "one text");
	in[1] = in[0];
	assert_true(combined(0, in));
	group_clear(&g);
}

KM_TESTS(cmocka_unit_test(test_stopped), cmocka_unit_test(test_without_rule), cmocka_unit_test(test_one_request))
