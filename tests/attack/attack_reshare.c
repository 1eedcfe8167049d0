/* The attacks on what is dealt, mounted on a reshare, where what is at stake is the key that exists already: A4, A10, B10, B11, B13, B14
 * and B23. In each the corrupt peers do what the rule that is switched off lets them do, and the honest ones run the real machines. */
#include "tests/attack/attack.h"
#include "tests/lib/reshare_help.h"

static const struct km_curve *curve;

/* ---- A10: a dealer hands on something else than its share: the new committee has another key, and the old one may be wiped for it */

#define EVIL 3

static void deal_else(struct km_machine *m, struct km_dkg_state *st, unsigned job)
{
	if (job != KM_DKG_JOB_DEAL)
		return;
	km_secret_random(curve, &st->sec->coef[0], &st->sec->rng);
	assert_int_equal(km_dkg_g2_make(&st->group, m->self, st->sec->coef, st->group.threshold, &st->sec->e, &st->sec->rng, st->g2), KM_OK);
}

/* 1 when the honest peers hold shares of another key. */
static int splits_the_key(struct rsh *r)
{
	static struct rsh_key key, next;

	rsh_key_make(&key, 10, curve, 0x1f, 3);
	rsh_init(r, &key, 1, 0x07, 0x1f, 0x1f, 3);
	dkg_corrupt(&r->d, EVIL, deal_else, NULL);
	dkg_run(&r->d, 0);
	return rsh_key_next(&next, r) == KM_OK && !km_point_equal_var(curve, &next.table.x, &key.table.x);
}

static void test_constant(void **state)
{
	struct rsh r;

	rules_all();
	assert_false(splits_the_key(&r));
	assert_true(dkg_all_convict(&r.d, km_set_bit(EVIL), KM_EV_OPENING));
	rsh_clear(&r);
	rule_off(km_rule_reshare_constant);
	assert_true(splits_the_key(&r));
	rsh_clear(&r);
}

/* ---- A4, B14: dealer 3 copies dealer 1's E, its shares are garbage, and the complaints of 2 and 4 publish e_2 E_1 and e_4 E_1. These open
 * two points of g_1, whose constant is lambda x_1. With its own share that is the key. */

#define VICTIM 1

static const struct km_msg *seen(const struct rsh *r, unsigned round, unsigned sender)
{
	const struct km_stored *s = km_machine_find(r->d.m[2], round, sender);

	return s ? &s->msg : NULL;
}

static const uint8_t *shown_dh(const struct rsh *r, unsigned author)
{
	const struct km_msg *m = seen(r, KM_DKG_G5, author);

	if (!m || m->body[KM_HASH_SIZE] != KM_DKG_COMPLAINT || m->body[KM_HASH_SIZE + 1] != EVIL)
		return NULL;
	return m->body + KM_HASH_SIZE + 2;
}

/* 1 when the key came out. */
static int extracts(struct rsh *r, int copy_proof)
{
	static struct km_dkg_opening dealer, to[2];
	static struct rsh_key key;
	size_t ps = km_curve_point_size(curve), pfs = km_dlog_size(curve), e_at = KM_HASH_SIZE + 2 * ps + pfs;
	struct km_secret g1[KM_MAX_PEERS + 1] = {{{0}}}, sum;
	struct km_scalar part, lambda, x;
	struct km_dkg_over over;
	struct km_shape shape;

	rsh_key_make(&key, 4, curve, 0x0f, 2);
	rsh_init(r, &key, 4, km_set_bit(VICTIM) | km_set_bit(EVIL), 0x0f, 0x0f, 2);
	dkg_corrupt(&r->d, EVIL, NULL, NULL);
	dkg_evil.rush = 1;
	dkg_run(&r->d, 0);
	struct km_dkg_state *st = r->d.m[EVIL]->state;
	memcpy(st->g2 + e_at, km_machine_find(r->d.m[EVIL], KM_DKG_G2, VICTIM)->msg.body + e_at, ps + (copy_proof ? pfs : 0));
	dkg_rush_send(&r->d, EVIL);
	dkg_run(&r->d, 1);

	struct km_dkg_group g = rsh_group(r, &over);
	for (unsigned k = 0; k < 2; k++) {
		unsigned j = k ? 4 : 2;
		const uint8_t *dh = shown_dh(r, j);

		if (!dh)
			return 0;
		assert_int_equal(km_dkg_opening_decode(&g, seen(r, KM_DKG_G2, VICTIM), &dealer), KM_OK);
		assert_int_equal(km_dkg_opening_decode(&g, seen(r, KM_DKG_G2, j), &to[k]), KM_OK);
		const struct km_dkg_link link = { VICTIM, j, &dealer, &to[k] };
		km_dkg_dealing_shape(&g, VICTIM, &shape);
		const uint8_t *row = seen(r, KM_DKG_G4, VICTIM)->body + shape.head + (size_t)shape.row * km_dkg_g4_row(0x0f, VICTIM, j);
		if (km_dkg_share_open(&g, &link, dh, row, &g1[j]))
			return 0;
	}
	rsh_interpolate(curve, &part, g1, km_set_bit(2) | km_set_bit(4));
	/* x = lambda_1 x_1 + lambda_3 x_3 */
	km_shamir_lagrange(curve, &lambda, r->dealers, EVIL, 0);
	km_secret_mul_pub(curve, &sum, &key.x[EVIL], &lambda);
	km_secret_from_public(&g1[0], &part);
	km_secret_add(curve, &sum, &sum, &g1[0]);
	km_secret_declassify(&x, &sum);
	return rsh_is_key(&key.table, &x);
}

static void test_copied_e(void **state)
{
	struct rsh r;

	for (int copy = 0; copy <= 1; copy++) {
		rules_all();
		rule_off(km_rule_dkg_commit);
		assert_false(extracts(&r, copy));
		assert_true(dkg_all_convict(&r.d, km_set_bit(EVIL), KM_EV_OPENING));
		assert_null(seen(&r, KM_DKG_G4, VICTIM));
		rsh_clear(&r);
	}
	rule_off(km_rule_dkg_e_proof);
	assert_true(extracts(&r, 0));
	rsh_clear(&r);
	/* B14: the victim's proof serves for the copy when it is bound to no author */
	rules_all();
	rule_off(km_rule_dkg_commit);
	rule_off(km_rule_proof_context);
	assert_true(extracts(&r, 1));
	rsh_clear(&r);
	/* and with all rules the commitment is in the way before that */
	rules_all();
	assert_false(extracts(&r, 1));
	assert_true(dkg_all_convict(&r.d, km_set_bit(EVIL), KM_EV_OPENING));
	rsh_clear(&r);
}

/* B14: messages of one run are none of another's, whether of another epoch, another order of dealers or a key generation. */
struct recorder {
	uint8_t *raw[64];
	size_t len[64];
	unsigned n;
};

static enum net_verdict record(void *ctx, uint8_t from, uint8_t to, uint8_t **raw, size_t *len)
{
	struct recorder *c = ctx;

	if (c->n < 64) {
		c->raw[c->n] = malloc(*len);
		memcpy(c->raw[c->n], *raw, *len);
		c->len[c->n++] = *len;
	}
	return NET_PASS;
}

static void test_replayed(void **state)
{
	static struct rsh_key key;
	struct recorder c = { .n = 0 };
	struct km_outs outs;
	struct rsh r;

	rules_all();
	rsh_key_make(&key, 14, curve, 0x0f, 2);
	rsh_init(&r, &key, 1, 0x03, 0x0f, 0x0f, 2);
	net_tap(r.d.net, record, &c);
	dkg_run(&r.d, 0);
	rsh_clear(&r);
	assert_int_equal(c.n, 64);
	rsh_init(&r, &key, 2, 0x03, 0x0f, 0x0f, 2);
	km_outs_init(&outs);
	for (unsigned k = 0; k < c.n; k++) {
		for (unsigned i = 1; i <= 4; i++)
			assert_int_not_equal(km_machine_message(r.d.m[i], 0, c.raw[k][4], 0, c.raw[k], c.len[k], &outs), KM_OK);
		assert_null(outs.head);
		free(c.raw[k]);
	}
	dkg_run(&r.d, 0);
	assert_int_equal(dkg_done(&r.d), 0x0f);
	rsh_clear(&r);
}

/* ---- B10: all of J die where the disk should have answered */

static enum net_verdict keep_stored(void *ctx, uint8_t from, uint8_t to, uint8_t **raw, size_t *len)
{
	struct recorder *c = ctx;

	if ((*raw)[3] != KM_STORED_ROUND)
		return NET_PASS;
	return record(c, from, to, raw, len);
}

/* 1 when there is a certificate and no disk has a share. */
static int certified_without_shares(void)
{
	static struct rsh_key key;
	struct recorder c = { .n = 0 };
	struct km_cert cert;
	struct km_table t;
	struct rsh r;

	rsh_key_make(&key, 11, curve, 0x1f, 2);
	rsh_init(&r, &key, 1, 0x03, 0x1c, 0x1c, 2);
	net_tap(r.d.net, keep_stored, &c);
	for (unsigned i = 3; i <= 5; i++)
		dkg_party(&r.d, i)->crash_at_persist = 1;
	dkg_run(&r.d, 0);
	assert_int_equal(km_reshare_table(r.d.m[1], &t), KM_OK);
	km_cert_init(&cert, KM_PROTO_RESHARE);
	for (unsigned k = 0; k < c.n; k++) {
		assert_int_equal(km_cert_add(&cert, &t, c.raw[k], c.len[k]), KM_OK);
		free(c.raw[k]);
	}
	rsh_clear(&r);
	return km_cert_verify(&cert, &t) == KM_OK;
}

static void test_stored_durable(void **state)
{
	rules_all();
	assert_false(certified_without_shares());
	rule_off(km_rule_stored_durable);
	assert_true(certified_without_shares());
}

/* ---- B11: a dealer commits to T' + 1 coefficients */

#define T 3

static void pretend(struct km_machine *m, struct km_dkg_state *st, unsigned job)
{
	if (job == KM_DKG_JOB_CHECK)
		st->group.threshold = T;
}

/* 1 when the honest peers believe in a table of T whose T shares are not the key. */
static int raises_threshold(struct rsh *r)
{
	static struct rsh_key key, next;
	struct km_reshare_params p;
	struct km_scalar x;

	rsh_key_make(&key, 12, curve, 0x1f, T);
	rsh_init(r, &key, 1, 0x07, 0x1f, 0x1f, T);
	km_machine_free(r->d.m[EVIL]);
	rsh_params(r, EVIL, &p);
	p.threshold = T + 1;
	assert_int_equal(km_reshare_new(&r->d.m[EVIL], &p), KM_OK);
	net_add(r->d.net, EVIL, r->d.m[EVIL]);
	dkg_corrupt(&r->d, EVIL, NULL, pretend);
	dkg_run(&r->d, 1);
	if (rsh_key_next(&next, r))
		return 0;
	assert_int_equal(next.table.threshold, T);
	rsh_interpolate(curve, &x, next.x, 0x0b);
	if (rsh_is_key(&next.table, &x))
		return 0;
	rsh_interpolate(curve, &x, next.x, 0x1b);
	return rsh_is_key(&next.table, &x);
}

static void test_count(void **state)
{
	struct rsh r;

	rules_all();
	assert_false(raises_threshold(&r));
	for (unsigned i = 1; i <= 5; i++)
		if (i != EVIL) {
			assert_true(dkg_party(&r.d, i)->dropped && !dkg_party(&r.d, i)->convicted);
			assert_int_equal(dkg_party(&r.d, i)->disputed, km_set_bit(EVIL));
		}
	rsh_clear(&r);
	rule_off(km_rule_commit_count);
	assert_true(raises_threshold(&r));
	rsh_clear(&r);
}

/* Any other number of commitments, rightly signed, from 0 on: the dealer is named before anything is dealt. */
static enum net_verdict recount(void *ctx, uint8_t from, uint8_t to, uint8_t **raw, size_t *len)
{
	const unsigned count = *(const unsigned *)ctx;
	struct km_shape shape = { .head = km_dkg_g2_size(curve, count) };
	uint8_t body[8192] = { 0 };
	struct km_identity id;
	struct km_buf b;
	struct km_msg m;

	if (from != EVIL || (*raw)[3] != KM_DKG_G2)
		return NET_PASS;
	net_identity(13, EVIL, &id);
	km_buf_init(&b);
	assert_int_equal(km_msg_parse(&m, *raw, *len), KM_OK);
	memcpy(body, m.body, shape.head < m.body_len ? shape.head : m.body_len);
	assert_int_equal(km_msg_build(&b, KM_PROTO_RESHARE, KM_DKG_G2, EVIL, 0, m.sid, &shape, body, &id), KM_OK);
	free(*raw);
	*raw = km_buf_take(&b, len);
	return NET_PASS;
}

static void test_every_other_count(void **state)
{
	static unsigned counts[] = { 0, 1, T - 1, T + 1, 32, 33, 64 };
	static struct rsh_key key;
	struct rsh r;

	rules_all();
	rsh_key_make(&key, 13, curve, 0x1f, T);
	for (size_t k = 0; k < sizeof(counts) / sizeof(counts[0]); k++) {
		rsh_init(&r, &key, k, 0x07, 0x1f, 0x1f, T);
		r.d.corrupt = km_set_bit(EVIL);
		net_tap(r.d.net, recount, &counts[k]);
		dkg_run(&r.d, 1);
		for (unsigned i = 1; i <= 5; i++)
			if (i != EVIL) {
				assert_int_equal(dkg_party(&r.d, i)->disputed, km_set_bit(EVIL));
				assert_true(dkg_party(&r.d, i)->dropped && !dkg_party(&r.d, i)->convicted);
			}
		rsh_clear(&r);
	}
}

/* ---- B13: one signer joins behind two ids and holds T' = 2 shares */

static int start_with_twin(struct rsh *r, unsigned id, struct km_machine **m)
{
	struct km_reshare_params p;

	rsh_params(r, id, &p);
	memcpy(r->d.keys[6], r->d.keys[5], KM_IDKEY_SIZE);
	if (id == 6)
		net_identity(r->d.seed, 5, &p.machine.id);
	return km_reshare_new(m, &p);
}

static void test_twin(void **state)
{
	static struct rsh_key key, next;
	struct km_scalar x;
	struct rsh r;

	rules_all();
	rsh_key_make(&key, 15, curve, 0x0f, 2);
	rsh_init(&r, &key, 1, 0x03, 0x38, 0x38, 2);
	for (unsigned off = 0; off < 2; off++) {
		if (off)
			rule_off(km_rule_distinct_ids);
		for (unsigned i = km_set_next(r.d.set, 0); i; i = km_set_next(r.d.set, i)) {
			struct km_machine *m;

			assert_int_equal(start_with_twin(&r, i, &m), off ? KM_OK : KM_E_EXISTS);
			assert_true(!m == !off);
			if (!off)
				continue;
			km_machine_free(r.d.m[i]);
			r.d.m[i] = m;
			net_add(r.d.net, (uint8_t)i, m);
		}
	}
	dkg_run(&r.d, 0);
	km_cert_init(&next.cert, KM_PROTO_RESHARE);
	for (unsigned i = 5; i <= 6; i++) {
		struct km_share s;

		assert_int_equal(km_reshare_take(r.d.m[i], &s), KM_OK);
		next.x[i] = s.x_i;
	}
	rsh_interpolate(curve, &x, next.x, 0x30);
	assert_true(rsh_is_key(&key.table, &x));
	rsh_clear(&r);
}

/* ---- B23: t peers of one epoch and t others of the next. No rule stops it but the arithmetic, and that what is old is wiped. */

static void test_mobile(void **state)
{
	static struct rsh_key e0, e1;
	struct km_scalar x;
	struct rsh r;
	unsigned tried = 0;

	rules_all();
	rsh_key_make(&e0, 23, curve, 0x1f, 3);
	rsh_init(&r, &e0, 1, 0x07, 0x1f, 0x1f, 3);
	dkg_run(&r.d, 0);
	assert_int_equal(rsh_key_next(&e1, &r), KM_OK);
	rsh_clear(&r);
	/* every two in the one and every two others in the other, and every three and four points of those */
	for (uint32_t a = 1; a < 32; a++)
		for (uint32_t b = 1; b < 32; b++) {
			struct km_secret mix[KM_MAX_PEERS + 1];

			if ((a & b) || km_set_size(a) > 2 || km_set_size(b) > 2 || km_set_size(a | b) < 3)
				continue;
			for (unsigned i = 1; i <= 5; i++)
				mix[i] = km_set_has(a, i) ? e0.x[i] : e1.x[i];
			for (uint32_t set = a | b; set; set = (set - 1) & (a | b)) {
				rsh_interpolate(curve, &x, mix, set);
				assert_false(rsh_is_key(&e0.table, &x));
				tried++;
			}
		}
	assert_true(tried > 500);
	/* three of one epoch are the key: without the wipe the adversary has them in time */
	rsh_interpolate(curve, &x, e0.x, 0x1c);
	assert_true(rsh_is_key(&e0.table, &x));
	rsh_interpolate(curve, &x, e1.x, 0x1c);
	assert_true(rsh_is_key(&e0.table, &x));
}

static int setup(void **state)
{
	curve = km_curve_p256();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_constant),
		cmocka_unit_test(test_copied_e),
		cmocka_unit_test(test_replayed),
		cmocka_unit_test(test_stored_durable),
		cmocka_unit_test(test_count),
		cmocka_unit_test(test_every_other_count),
		cmocka_unit_test(test_twin),
		cmocka_unit_test(test_mobile),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, setup, NULL);
}
