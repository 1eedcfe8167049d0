/* B12, the rogue key: who speaks last chooses its commitments so that the sum is a key of its own making: C_0 = x'G - the
 * others'. What stops it: every contribution is committed to before any is opened, and its constant term comes with a proof of
 * knowledge. Each of the two is enough alone; without both the attacker owns the key.
 *
 * Two peers, T = 2; peer 2 is corrupt and rushing. It deals a polynomial it does not know, but through a point it chose. */
#include "tests/attack/attack.h"
#include "tests/lib/dkg_help.h"

#define HONEST 1
#define EVIL 2

static const struct km_curve *curve;
static struct km_scalar x_mine, f_at_1;

/* f(1) as chosen, under the honest peer's key. */
static void deal_chosen(struct km_machine *m, struct km_dkg_state *st, unsigned job)
{
	struct km_dkg_link link = { EVIL, HONEST, &st->open[1], &st->open[0] };
	uint8_t dh[KM_POINT_MAX];
	struct km_secret f;
	struct km_point d;

	if (job != KM_DKG_JOB_SHARES)
		return;
	assert_int_equal(km_dkg_dh(&st->group, &st->sec->e, &st->open[0].e, &d, dh), KM_OK);
	km_secret_from_public(&f, &f_at_1);
	km_dkg_share_seal(&st->group, &link, dh, &f, st->g4 + KM_HASH_SIZE);
}

/* 1 if the honest peer ends with the key x_mine. */
static int attack(struct dkg *d)
{
	size_t ps = km_curve_point_size(curve);
	struct km_point want, c0, c1, theirs;
	struct km_secret k;
	struct km_share s;

	km_scalar_set_u32(&x_mine, 4711);
	km_scalar_set_u32(&f_at_1, 815);
	dkg_init(d, 12, 3, 2);
	dkg_corrupt(d, EVIL, deal_chosen, NULL);
	dkg_evil.rush = 1;
	dkg_run(d, 0);
	struct km_dkg_state *st = d->m[EVIL]->state;
	const uint8_t *g2 = km_machine_find(d->m[EVIL], KM_DKG_G2, HONEST)->msg.body;
	assert_int_equal(km_point_decode_var(curve, &theirs, g2 + KM_HASH_SIZE), KM_OK);
	km_secret_from_public(&k, &x_mine);
	km_point_mul_g(curve, &want, &k);
	km_point_sub(curve, &c0, &want, &theirs);
	/* C_0 + 1 C_1 = f(1) G */
	km_secret_from_public(&k, &f_at_1);
	km_point_mul_g(curve, &c1, &k);
	km_point_sub(curve, &c1, &c1, &c0);
	assert_int_equal(km_point_encode_var(curve, st->g2 + KM_HASH_SIZE, &c0), KM_OK);
	assert_int_equal(km_point_encode_var(curve, st->g2 + KM_HASH_SIZE + ps, &c1), KM_OK);
	dkg_rush_send(d, EVIL);
	dkg_run(d, 1);
	return km_dkg_take(d->m[HONEST], &s) == KM_OK && km_point_equal_var(curve, &s.table.x, &want);
}

static void fails(void)
{
	struct dkg d;

	assert_false(attack(&d));
	assert_true(dkg_all_convict(&d, km_set_bit(EVIL), KM_EV_OPENING));
	dkg_clear(&d);
}

static void test_all_rules(void **state)
{
	rules_all();
	fails();
}

static void test_commitment_alone_stops_it(void **state)
{
	rules_all();
	rule_off(km_rule_dkg_key_proof);
	fails();
}

static void test_proof_alone_stops_it(void **state)
{
	rules_all();
	rule_off(km_rule_dkg_commit);
	fails();
}

static void test_succeeds_without(void **state)
{
	struct dkg d;

	rules_all();
	rule_off(km_rule_dkg_commit);
	rule_off(km_rule_dkg_key_proof);
	assert_true(attack(&d));
	dkg_clear(&d);
}

static int setup(void **state)
{
	curve = km_curve_p256();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_rules),
		cmocka_unit_test(test_commitment_alone_stops_it),
		cmocka_unit_test(test_proof_alone_stops_it),
		cmocka_unit_test(test_succeeds_without),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, setup, NULL);
}
