/* A4: a dealer copies another's E. The honest complaints about its garbage shares then publish the DH points that open the
 * OTHER dealer's shares: e_j E_3 = e_j E_1. What stops it: the proof of knowledge of e.
 *
 * Three peers, T = 2, peer 3 corrupt and rushing, dealer 1 its victim. The commitments of G1 would stop the copying within one
 * run as well (and do, in the last test); they are switched off here so that the proof stands alone. */
#include "tests/attack/attack.h"
#include "tests/lib/dkg_help.h"

#define VICTIM 1
#define EVIL 3

static const struct km_curve *curve;

static const struct km_msg *seen(const struct dkg *d, unsigned round, unsigned sender)
{
	const struct km_stored *s = km_machine_find(d->m[2], round, sender);

	return s ? &s->msg : NULL;
}

/* What everybody sees: complaints about EVIL. Returns the DH point author shows, NULL if it did not complain about EVIL. */
static const uint8_t *shown_dh(const struct dkg *d, unsigned author)
{
	const struct km_msg *m = seen(d, KM_DKG_G5, author);

	if (!m || m->body[KM_HASH_SIZE] != KM_DKG_COMPLAINT || m->body[KM_HASH_SIZE + 1] != EVIL)
		return NULL;
	return m->body + KM_HASH_SIZE + 2;
}

/* Runs the attack; 1 if dealer 1's polynomial came out. */
static int attack(struct dkg *d, int copy_proof)
{
	size_t ps = km_curve_point_size(curve), pfs = km_dlog_size(curve), e_at;
	static struct km_dkg_opening o1, o2, o3;
	struct km_secret f[2];
	struct km_shape shape;
	struct km_scalar a0;
	struct km_point p;
	struct km_secret k;

	dkg_init(d, 4, 7, 2);
	dkg_corrupt(d, EVIL, NULL, NULL);
	dkg_evil.rush = 1;
	dkg_run(d, 0);
	/* all others' G2 are in: take E_1 */
	struct km_dkg_state *st = d->m[EVIL]->state;
	const uint8_t *g2 = km_machine_find(d->m[EVIL], KM_DKG_G2, VICTIM)->msg.body;
	e_at = KM_HASH_SIZE + 2 * ps + pfs;
	memcpy(st->g2 + e_at, g2 + e_at, ps + (copy_proof ? pfs : 0));
	dkg_rush_send(d, EVIL);
	dkg_run(d, 1);

	const uint8_t *dh2 = shown_dh(d, 2), *dh1 = shown_dh(d, 1);
	if (!dh1 || !dh2)
		return 0;
	struct km_dkg_group g = dkg_group(d);
	assert_int_equal(km_dkg_opening_decode(&g, seen(d, KM_DKG_G2, 1), &o1), KM_OK);
	assert_int_equal(km_dkg_opening_decode(&g, seen(d, KM_DKG_G2, 2), &o2), KM_OK);
	assert_int_equal(km_dkg_opening_decode(&g, seen(d, KM_DKG_G2, 3), &o3), KM_OK);
	km_dkg_g4_shape(curve, 3, &shape);
	const uint8_t *rows = seen(d, KM_DKG_G4, VICTIM)->body + shape.head;
	const struct km_dkg_link to2 = { VICTIM, 2, &o1, &o2 }, to3 = { VICTIM, EVIL, &o1, &o3 };
	/* e_2 E_3 = e_2 E_1 opens 1's share for 2; e_1 E_3 = e_1 E_1 opens the one for the attacker itself */
	if (km_dkg_share_open(&g, &to2, dh2, rows + shape.row * km_dkg_g4_row(7, VICTIM, 2), &f[0]) ||
	    km_dkg_share_open(&g, &to3, dh1, rows + shape.row * km_dkg_g4_row(7, VICTIM, EVIL), &f[1]))
		return 0;
	dkg_interpolate(&a0, f, km_set_bit(2) | km_set_bit(EVIL));
	km_secret_from_public(&k, &a0);
	km_point_mul_g(curve, &p, &k);
	return km_point_equal_var(curve, &p, &o1.c[0]);
}

static void test_proof_stops_it(void **state)
{
	for (int copy = 0; copy <= 1; copy++) {
		struct dkg d;

		rules_all();
		rule_off(km_rule_dkg_commit);
		assert_false(attack(&d, copy));
		/* ... for the reason given: the opening is refused, before any share is dealt */
		assert_true(dkg_all_convict(&d, km_set_bit(EVIL), KM_EV_OPENING));
		assert_null(seen(&d, KM_DKG_G4, VICTIM));
		dkg_clear(&d);
	}
}

static void test_succeeds_without(void **state)
{
	struct dkg d;

	rules_all();
	rule_off(km_rule_dkg_commit);
	rule_off(km_rule_dkg_e_proof);
	assert_true(attack(&d, 0));
	dkg_clear(&d);
}

static void test_all_rules(void **state)
{
	struct dkg d;

	rules_all();
	assert_false(attack(&d, 1));
	assert_true(dkg_all_convict(&d, km_set_bit(EVIL), KM_EV_OPENING));
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
		cmocka_unit_test(test_proof_stops_it),
		cmocka_unit_test(test_succeeds_without),
		cmocka_unit_test(test_all_rules),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, setup, NULL);
}
