/* B14, key generation: replay. A dealer presents the constant term of somebody else's earlier contribution, with its old proof,
 * as its own. What stops it: proofs are bound to sid, role and author. Whole messages of another run are not heard at all.
 *
 * Two peers, T = 2. In run A peer 2 sees the honest peer's G2; in run B it opens that C_0 as its own, having committed to it. */
#include "tests/attack/attack.h"
#include "tests/lib/dkg_help.h"

#define HONEST 1
#define EVIL 2

static const struct km_curve *curve;
static uint8_t old_g2[1024];
static struct km_scalar f_at_1;

static void replay(struct km_machine *m, struct km_dkg_state *st, unsigned job)
{
	size_t ps = km_curve_point_size(curve);
	struct km_dkg_link link = { EVIL, HONEST, &st->open[1], &st->open[0] };
	struct km_point c0, c1, d;
	uint8_t dh[KM_POINT_MAX];
	struct km_secret k;

	if (job == KM_DKG_JOB_DEAL) {
		/* C_0 and the proof of a_0 as they were; C_1 so that f(1) is known */
		memcpy(st->g2 + KM_HASH_SIZE, old_g2 + KM_HASH_SIZE, ps);
		memcpy(st->g2 + KM_HASH_SIZE + 2 * ps, old_g2 + KM_HASH_SIZE + 2 * ps, km_dlog_size(curve));
		assert_int_equal(km_point_decode_var(curve, &c0, st->g2 + KM_HASH_SIZE), KM_OK);
		km_scalar_set_u32(&f_at_1, 99);
		km_secret_from_public(&k, &f_at_1);
		km_point_mul_g(curve, &c1, &k);
		km_point_sub(curve, &c1, &c1, &c0);
		assert_int_equal(km_point_encode_var(curve, st->g2 + KM_HASH_SIZE + ps, &c1), KM_OK);
	} else if (job == KM_DKG_JOB_SHARES) {
		assert_int_equal(km_dkg_dh(&st->group, &st->sec->e, &st->open[0].e, &d, dh), KM_OK);
		km_secret_from_public(&k, &f_at_1);
		km_dkg_share_seal(&st->group, &link, dh, &k, st->g4 + KM_HASH_SIZE);
	}
}

/* 1 if the honest peer ends with a key half of which is its own old constant term. */
static int attack(struct dkg *b)
{
	struct km_point old, own, sum;
	struct km_share s;
	struct dkg a;

	dkg_init(&a, 140, 3, 2);
	dkg_run(&a, 0);
	const struct km_msg *g2 = &km_machine_find(a.m[EVIL], KM_DKG_G2, HONEST)->msg;
	memcpy(old_g2, g2->body, g2->body_len);
	dkg_clear(&a);

	dkg_init(b, 141, 3, 2);
	dkg_corrupt(b, EVIL, replay, NULL);
	dkg_run(b, 1);
	if (km_dkg_take(b->m[HONEST], &s) != KM_OK)
		return 0;
	assert_int_equal(km_point_decode_var(curve, &old, old_g2 + KM_HASH_SIZE), KM_OK);
	assert_int_equal(
	    km_point_decode_var(curve, &own, km_machine_find(b->m[HONEST], KM_DKG_G2, HONEST)->msg.body + KM_HASH_SIZE), KM_OK);
	km_point_add(curve, &sum, &old, &own);
	return km_point_equal_var(curve, &sum, &s.table.x);
}

static void test_context_stops_it(void **state)
{
	struct dkg d;

	rules_all();
	assert_false(attack(&d));
	assert_true(dkg_all_convict(&d, km_set_bit(EVIL), KM_EV_OPENING));
	dkg_clear(&d);
}

static void test_succeeds_without(void **state)
{
	struct dkg d;

	rules_all();
	rule_off(km_rule_proof_context);
	assert_true(attack(&d));
	dkg_clear(&d);
}

/* The proof of e does not serve as one of a_0: the role is in it. */
static void swap_roles(struct km_machine *m, struct km_dkg_state *st, unsigned job)
{
	size_t ps = km_curve_point_size(curve), pfs = km_dlog_size(curve);

	if (job != KM_DKG_JOB_DEAL)
		return;
	memcpy(st->g2 + KM_HASH_SIZE, st->g2 + KM_HASH_SIZE + 2 * ps + pfs, ps);
	memcpy(st->g2 + KM_HASH_SIZE + 2 * ps, st->g2 + KM_HASH_SIZE + 3 * ps + pfs, pfs);
}

static void test_role(void **state)
{
	struct dkg d;

	rules_all();
	dkg_init(&d, 142, 3, 2);
	dkg_corrupt(&d, EVIL, swap_roles, NULL);
	dkg_run(&d, 1);
	assert_true(dkg_all_convict(&d, km_set_bit(EVIL), KM_EV_OPENING));
	dkg_clear(&d);
}

/* Every message of one run, delivered into another among the same peers, in every round: not heard, nobody blamed. And within one
 * run: as another round's, as another sender's. */
static void test_messages(void **state)
{
	struct km_outs outs;
	struct dkg a, b;

	rules_all();
	dkg_init(&a, 143, 7, 2);
	dkg_init(&b, 144, 7, 2);
	memcpy(b.keys, a.keys, sizeof(b.keys));
	/* same identities, other sid */
	for (unsigned i = 1; i <= 3; i++)
		memcpy(b.m[1]->idkeys[i], a.m[1]->idkeys[i], KM_IDKEY_SIZE);
	dkg_run(&a, 0);
	km_outs_init(&outs);
	for (unsigned round = 1; round <= 6; round++) {
		b.m[1]->round = round;
		for (unsigned r = 1; r <= 6; r++) {
			for (unsigned i = 2; i <= 3; i++) {
				const struct km_stored *s = km_machine_find(a.m[1], r, i);
				assert_int_equal(
				    km_machine_message(b.m[1], 0, (uint8_t)i, 0, s->raw, KM_MSG_HEAD + s->msg.body_len, &outs),
				    KM_E_STALE);
				assert_int_equal(
				    km_machine_message(b.m[1], 0, 3, 1, s->raw, KM_MSG_HEAD + s->msg.body_len, &outs),
				    KM_E_STALE);
				assert_null(outs.head);
			}
		}
	}
	dkg_clear(&a);
	dkg_clear(&b);

	/* the round and the sender are signed */
	dkg_init(&a, 145, 7, 2);
	for (unsigned i = 1; i <= 3; i++)
		assert_int_equal(km_machine_start(a.m[i], 0, &outs), KM_OK);
	struct km_out *out;
	uint8_t *g1 = NULL;
	size_t len = 0;
	unsigned turn = 0;
	while ((out = km_outs_pop(&outs))) {
		if (out->kind == KM_OUT_JOB && ++turn) {
			out->job->run(out->job);
			assert_int_equal(km_machine_worked(a.m[turn], 0, &outs), KM_OK);
		} else if (out->kind == KM_OUT_SEND && !g1 && out->data[4] == 2) {
			g1 = malloc(out->len);
			memcpy(g1, out->data, len = out->len);
		}
		km_out_free(out);
	}
	assert_non_null(g1);
	static const struct {
		size_t at;
		uint8_t to;
		int err;
	} cases[] = {{3, 2, KM_E_AUTH}, {4, 3, KM_E_AUTH}, {10, 0, KM_E_STALE}};
	for (size_t k = 0; k < 3; k++) {
		uint8_t was = g1[cases[k].at];

		g1[cases[k].at] = k == 2 ? (uint8_t)(was ^ 1) : cases[k].to;
		assert_int_equal(km_machine_message(a.m[1], 0, k == 1 ? 3 : 2, 0, g1, len, &outs), cases[k].err);
		g1[cases[k].at] = was;
		km_outs_clear(&outs);
	}
	assert_int_equal(km_machine_message(a.m[1], 0, 2, 0, g1, len, &outs), KM_OK);
	free(g1);
	dkg_clear(&a);
}

static int setup(void **state)
{
	curve = km_curve_p256();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_context_stops_it),
		cmocka_unit_test(test_succeeds_without),
		cmocka_unit_test(test_role),
		cmocka_unit_test(test_messages),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, setup, NULL);
}
