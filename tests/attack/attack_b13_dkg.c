/* B13, key generation: one signer behind two ids gets two shares, and T of T + 1 "peers" are one. Further: ids 0, 33, unknown
 * ones and other peers' on the wire and in complaints. What stops it: identities are distinct, and ids are checked at the door.
 */
#include "tests/attack/attack.h"
#include "tests/lib/dkg_help.h"

static const struct km_curve *curve;

/* Peers 2 and 3 have one Ed25519 key. */
static int machine_with_twin(struct dkg *d, unsigned id, struct km_machine **out)
{
	struct km_dkg_params p = { .name = "test", .threshold = 2, .number = 1 };

	net_params(&p.machine, d->keys, 13, curve, (uint8_t)id, 7);
	memcpy(d->keys[3], d->keys[2], KM_IDKEY_SIZE);
	if (id == 3)
		net_identity(13, 2, &p.machine.id);
	return km_dkg_new(out, &p);
}

static void test_distinct_identities(void **state)
{
	struct km_machine *m;
	struct dkg d;

	rules_all();
	for (unsigned id = 1; id <= 3; id++) {
		assert_int_equal(machine_with_twin(&d, id, &m), KM_E_EXISTS);
		assert_null(m);
	}
}

static void test_succeeds_without(void **state)
{
	struct km_secret y[2], k;
	struct km_scalar x;
	struct km_share s;
	struct km_point p;
	struct dkg d = { .set = 7, .seed = 13, .threshold = 2 };

	rules_all();
	rule_off(km_rule_distinct_ids);
	d.net = net_new(13);
	for (unsigned i = 1; i <= 3; i++) {
		assert_int_equal(machine_with_twin(&d, i, &d.m[i]), KM_OK);
		net_add(d.net, (uint8_t)i, d.m[i]);
	}
	dkg_run(&d, 0);
	for (unsigned i = 2; i <= 3; i++) {
		assert_int_equal(km_dkg_take(d.m[i], &s), KM_OK);
		y[i - 2] = s.x_i;
	}
	dkg_interpolate(&x, y, 6);
	km_secret_from_public(&k, &x);
	km_point_mul_g(curve, &p, &k);
	assert_true(km_point_equal_var(curve, &p, &s.table.x));
	dkg_clear(&d);
}

/* Every id in the header that is not the channel's, or not a participant's, is dropped before anything is looked at. */
static void test_ids_on_the_wire(void **state)
{
	static const uint8_t ids[] = { 0, 1, 3, 4, 32, 33, 255 };
	struct km_shape shape = { .head = KM_HASH_SIZE };
	uint8_t body[KM_HASH_SIZE] = { 0 };
	struct km_identity id;
	struct km_outs outs;
	struct dkg d;

	rules_all();
	dkg_init(&d, 13, 7, 2);
	km_outs_init(&outs);
	assert_int_equal(km_machine_start(d.m[1], 0, &outs), KM_OK);
	km_outs_clear(&outs);
	net_identity(13, 2, &id);
	for (size_t k = 0; k < sizeof(ids); k++) {
		for (int relayed = 0; relayed <= 1; relayed++) {
			struct km_buf b;

			/* as 2, claiming another sender; and from 2, to somebody else */
			km_buf_init(&b);
			assert_int_equal(km_msg_build(&b, KM_PROTO_DKG, KM_DKG_G1, ids[k], 0, d.m[1]->sid, &shape, body, &id),
					 KM_OK);
			assert_int_equal(km_machine_message(d.m[1], 0, 2, relayed, b.data, b.len, &outs), KM_E_AUTH);
			/* a forged author shows on the relayer's channel */
			if (outs.head) {
				assert_true(relayed && outs.head->kind == KM_OUT_DISPUTE && outs.head->peer == 2 &&
					    !outs.head->next);
				assert_true(ids[k] == 3);
			}
			km_outs_clear(&outs);
			km_buf_reset(&b);
			if (ids[k]) {
				assert_int_equal(
				    km_msg_build(&b, KM_PROTO_DKG, KM_DKG_G1, 2, ids[k], d.m[1]->sid, &shape, body, &id), KM_OK);
				assert_int_not_equal(km_machine_message(d.m[1], 0, 2, relayed, b.data, b.len, &outs), KM_OK);
				assert_null(outs.head);
			}
			km_buf_clear(&b);
		}
	}
	for (unsigned i = 1; i <= 3; i++)
		assert_true(i == 1 || !km_machine_find(d.m[1], KM_DKG_G1, i));
	/* the job that start asked for never ran */
	d.m[1]->busy = 0;
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
		cmocka_unit_test(test_distinct_identities),
		cmocka_unit_test(test_succeeds_without),
		cmocka_unit_test(test_ids_on_the_wire),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, setup, NULL);
}
