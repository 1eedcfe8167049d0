/* B9, key generation: a dealer deals two whole contributions, one to each half of the honest peers, and both halves end with a
 * key of their own under one name. What stops it: every message names its author's view, and a round of two views ends the run.
 *
 * Three peers, T = 2; peer 3 is corrupt and runs twice: one face for peer 1, one for peer 2. */
#include "tests/attack/attack.h"
#include "tests/lib/dkg_help.h"

#define EVIL 3

static const struct km_curve *curve;

/* Envelopes for peer 3, to be shown to its second face as well. */
struct copies {
	struct { uint8_t from; uint8_t *raw; size_t len; } e[64];
	size_t n;
};

static enum net_verdict two_faces(void *ctx, uint8_t from, uint8_t to, uint8_t **raw, size_t *len)
{
	struct copies *c = ctx;

	if (to == EVIL) {
		assert_true(c->n < 64);
		c->e[c->n].from = from;
		c->e[c->n].raw = malloc(*len);
		memcpy(c->e[c->n].raw, *raw, *len);
		c->e[c->n++].len = *len;
	}
	/* what the first face says is not for peer 2 */
	return from == EVIL && to == 2 ? NET_DROP : NET_PASS;
}

/* The honest shares for peer 3 are sealed for one face; the other says ACK without looking. */
static void ack_always(struct km_machine *m, struct km_dkg_state *st, unsigned job)
{
	if (job != KM_DKG_JOB_CHECK)
		return;
	st->g5[KM_HASH_SIZE] = KM_DKG_ACK;
	st->g5_len = KM_HASH_SIZE + 1;
}

static void second_face_out(struct dkg *d, struct km_machine *m, struct km_outs *outs)
{
	struct km_out *out;
	int err = KM_OK;

	while ((out = km_outs_pop(outs))) {
		if (out->kind == KM_OUT_SEND) {
			net_inject(d->net, EVIL, 2, out->data, out->len);
		} else if (out->kind == KM_OUT_JOB) {
			out->job->run(out->job);
			err = km_machine_worked(m, 0, outs);
		} else if (out->kind == KM_OUT_PERSIST) {
			err = km_machine_persisted(m, 0, out->code, outs);
		}
		assert_int_equal(err, KM_OK);
		km_out_free(out);
	}
}

/* 1 if peers 1 and 2 both end with a key, and not the same one. */
static int attack(struct dkg *d)
{
	uint8_t keys[KM_MAX_PEERS + 1][KM_IDKEY_SIZE];
	struct km_dkg_params p = { .name = "test", .threshold = 2, .number = 1700000000 };
	struct km_share s1, s2;
	struct km_machine *face;
	struct copies c = { .n = 0 };
	struct km_outs outs;

	dkg_init(d, 9, 7, 2);
	dkg_corrupt(d, EVIL, ack_always, NULL);
	net_params(&p.machine, keys, d->seed, curve, EVIL, 7);
	memcpy(p.machine.sid, d->setup.sid, KM_HASH_SIZE);
	p.machine.seed[0] ^= 1;
	assert_int_equal(km_dkg_new(&face, &p), KM_OK);
	face->ops = &dkg_evil.ops;
	net_tap(d->net, two_faces, &c);
	km_outs_init(&outs);
	dkg_run(d, 0);
	assert_int_equal(km_machine_start(face, 0, &outs), KM_OK);
	second_face_out(d, face, &outs);
	for (size_t at = 0; ; ) {
		dkg_run(d, 0);
		if (at == c.n)
			break;
		for (; at < c.n; at++) {
			int err = km_machine_message(face, 0, c.e[at].from, 0, c.e[at].raw, c.e[at].len, &outs);
			assert_true(err == KM_OK || err == KM_E_STALE);
			second_face_out(d, face, &outs);
			free(c.e[at].raw);
		}
	}
	dkg_run(d, 1);
	km_machine_free(face);
	if (km_dkg_take(d->m[1], &s1) || km_dkg_take(d->m[2], &s2))
		return 0;
	return !km_point_equal_var(curve, &s1.table.x, &s2.table.x);
}

static void test_echo_stops_it(void **state)
{
	struct dkg d;

	rules_all();
	assert_false(attack(&d));
	for (unsigned i = 1; i <= 2; i++) {
		const struct net_party *p = dkg_party(&d, i);

		/* ... for the reason given, before a share is dealt, and without blaming the other honest one */
		assert_true(p->dropped && !p->done);
		assert_int_equal(p->convicted & ~km_set_bit(EVIL), 0);
		assert_null(km_machine_find(d.m[i], KM_DKG_G4, i));
	}
	assert_int_equal(dkg_party(&d, 1)->drop_code, KM_E_MISMATCH);
	assert_int_equal(dkg_party(&d, 2)->drop_code, KM_E_MISMATCH);
	dkg_clear(&d);
}

static void test_succeeds_without(void **state)
{
	struct dkg d;

	rules_all();
	rule_off(km_rule_echo);
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
		cmocka_unit_test(test_echo_stops_it),
		cmocka_unit_test(test_succeeds_without),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, setup, NULL);
}
