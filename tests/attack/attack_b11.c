/* B11: a dealer commits to more than T coefficients: the threshold of the key rises unseen, and no quorum of T can sign. Fewer,
 * none, or a trailing identity are the same lie. What stops it: exactly T commitments; whoever sends others is named. */
#include "tests/attack/attack.h"
#include "tests/lib/dkg_help.h"

#define EVIL 4
#define T 2

static const struct km_curve *curve;

/* For the table, the corrupt peer pretends to the right T again. */
static void pretend(struct km_machine *m, struct km_dkg_state *st, unsigned job)
{
	if (job == KM_DKG_JOB_CHECK)
		st->group.threshold = T;
}

static void run(struct dkg *d)
{
	dkg_init(d, 11, 15, T);
	km_machine_free(d->m[EVIL]);
	/* peer 4 works as if the threshold were T + 1 */
	d->threshold = T + 1;
	assert_int_equal(dkg_machine(d, EVIL, &d->m[EVIL]), KM_OK);
	d->threshold = T;
	net_add(d->net, EVIL, d->m[EVIL]);
	dkg_corrupt(d, EVIL, NULL, pretend);
	dkg_run(d, 1);
}

static void test_count_stops_it(void **state)
{
	struct dkg d;

	rules_all();
	run(&d);
	for (unsigned i = 1; i <= 3; i++) {
		const struct net_party *p = dkg_party(&d, i);

		assert_true(p->dropped && !p->done && !p->convicted);
		assert_int_equal(p->disputed, km_set_bit(EVIL));
		assert_int_equal(p->waited_for, km_set_bit(EVIL));
	}
	dkg_clear(&d);
}

static void test_succeeds_without(void **state)
{
	struct km_secret y[3];
	struct km_scalar x;
	struct km_share s;
	struct km_secret k;
	struct km_point p, want;
	struct dkg d;

	rules_all();
	rule_off(km_rule_commit_count);
	run(&d);
	for (unsigned i = 1; i <= 3; i++) {
		/* every honest peer holds a key it believes in */
		assert_true(dkg_party(&d, i)->done);
		assert_int_equal(km_dkg_take(d.m[i], &s), KM_OK);
		assert_int_equal(s.table.threshold, T);
		y[i - 1] = s.x_i;
		want = s.table.x;
	}
	/* but T of them do not have it, T + 1 do */
	dkg_interpolate(&x, y, 3);
	km_secret_from_public(&k, &x);
	km_point_mul_g(curve, &p, &k);
	assert_false(km_point_equal_var(curve, &p, &want));
	dkg_interpolate(&x, y, 7);
	km_secret_from_public(&k, &x);
	km_point_mul_g(curve, &p, &k);
	assert_true(km_point_equal_var(curve, &p, &want));
	dkg_clear(&d);
}

/* G2 of any number of commitments, rightly signed. */
static enum net_verdict recount(void *ctx, uint8_t from, uint8_t to, uint8_t **raw, size_t *len)
{
	const unsigned count = *(const unsigned *)ctx;
	size_t ps = km_curve_point_size(curve);
	uint8_t body[8192];

	if (from != EVIL || (*raw)[3] != KM_DKG_G2)
		return NET_PASS;
	struct km_shape shape = { .head = km_dkg_g2_size(curve, count) };
	const uint8_t *old = *raw + KM_MSG_HEAD;
	uint8_t *p = body;
	struct km_identity id;
	struct km_buf b;

	memcpy(p, old, KM_HASH_SIZE);
	p += KM_HASH_SIZE;
	for (unsigned l = 0; l < count; l++, p += ps)
		memcpy(p, old + KM_HASH_SIZE + (l < T ? l : T - 1) * ps, ps);
	memcpy(p, old + KM_HASH_SIZE + T * ps, *len - KM_MSG_HEAD - KM_HASH_SIZE - T * ps);
	net_identity(11, EVIL, &id);
	km_buf_init(&b);
	struct km_msg m;
	assert_int_equal(km_msg_parse(&m, *raw, *len), KM_OK);
	assert_int_equal(km_msg_build(&b, KM_PROTO_DKG, KM_DKG_G2, EVIL, 0, m.sid, &shape, body, &id), KM_OK);
	free(*raw);
	*raw = km_buf_take(&b, len);
	return NET_PASS;
}

static void test_every_other_count(void **state)
{
	static unsigned counts[] = { 0, 1, T - 1, T + 1, 31, 32, 33, 64 };
	struct dkg d;

	rules_all();
	for (size_t k = 0; k < sizeof(counts) / sizeof(counts[0]); k++) {
		dkg_init(&d, 11, 15, T);
		d.corrupt = km_set_bit(EVIL);
		net_tap(d.net, recount, &counts[k]);
		dkg_run(&d, 1);
		for (unsigned i = 1; i <= 3; i++) {
			assert_int_equal(dkg_party(&d, i)->disputed, km_set_bit(EVIL));
			assert_true(dkg_party(&d, i)->dropped && !dkg_party(&d, i)->convicted);
		}
		dkg_clear(&d);
	}
}

static void trailing_identity(struct km_machine *m, struct km_dkg_state *st, unsigned job)
{
	size_t ps = km_curve_point_size(curve);

	if (job == KM_DKG_JOB_DEAL)
		memset(st->g2 + KM_HASH_SIZE + (T - 1) * ps, 0, ps);
}

static void test_trailing_identity(void **state)
{
	struct dkg d;

	rules_all();
	dkg_init(&d, 11, 15, T);
	dkg_corrupt(&d, EVIL, trailing_identity, NULL);
	dkg_run(&d, 1);
	assert_true(dkg_all_convict(&d, km_set_bit(EVIL), KM_EV_ENCODING));
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
		cmocka_unit_test(test_count_stops_it),
		cmocka_unit_test(test_succeeds_without),
		cmocka_unit_test(test_every_other_count),
		cmocka_unit_test(test_trailing_identity),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, setup, NULL);
}
