/* attack_a1.c: key-offset forgery. A single corrupt member of the quorum shifts V, C' and epsilon by a d of its choice. The honest
 * members then hold shares under x + d, and what they sign for an authorised m is a signature on m + r d under x.
 * Stopped by: the proof of (a_i, c_i) in C3. */
#include "attack.h"
#include "rush.h"

#define CORRUPT 3

static struct {
	struct group g;
	struct rush rush;
	struct km_sign_input asked, forged;   /* what the honest members agree to, what the attacker wants */
	struct km_scalar offset;
} at;

/* All it needs is known after M3: R, w, its own shares, and the request to come. */
static void shift(void *ctx, struct km_presign *s)
{
	const struct km_curve *c = s->curve;
	struct km_presig p = { .curve = c, .r = s->r[0], .quorum = s->index[0].quorum };
	struct km_sign_nonce nonce;
	struct km_scalar k;
	struct km_secret off;
	struct km_point d;
	struct km_hash h;
	uint8_t *row = rush_c3_row(s, 0);

	memcpy(p.table_hash, s->table_hash, KM_HASH_SIZE);
	km_hash_init(&h, "presig");
	km_hash_field(&h, s->m->sid, KM_HASH_SIZE);
	km_hash_u32(&h, 0);
	km_hash_final(&h, p.id);
	assert_int_equal(km_sign_nonce(&p, &at.asked, &nonce), KM_OK);
	/* offset = (m' - m) / r */
	km_scalar_inv(c, &k, &nonce.r);
	km_scalar_sub(c, &at.offset, &at.forged.m, &at.asked.m);
	km_scalar_mul(c, &at.offset, &at.offset, &k);

	/* v -= d, so V -= dG and epsilon += d; C' -= w d G keeps sum C' = wV */
	km_secret_from_public(&off, &at.offset);
	km_secret_sub(c, &s->v[0], &s->v[0], &off);
	km_point_mul_g(c, &s->pv[km_set_pos(s->index[0].quorum, CORRUPT)], &s->v[0]);
	km_scalar_mul(c, &k, &s->w[0], &at.offset);
	km_point_generator(c, &d);
	km_point_mul_var(c, &d, &k, &d);
	km_point_sub(c, &s->pc[0], &s->pc[0], &d);
	assert_int_equal(km_point_encode_var(c, row + s->ps, &s->pc[0]), KM_OK);
	assert_int_equal(km_point_encode_var(c, row + 2 * s->ps, &s->pv[km_set_pos(s->index[0].quorum, CORRUPT)]), KM_OK);
	rush_prove_v(s);   /* v - d is known, so this proof is good; the one of (a, c) cannot be: log of C' to R is unknown */
}

static void mount(void)
{
	at.rush = (struct rush){ .change = { [KM_JOB_POINTS] = shift } };
	group_init(&at.g, 1, 0x1f, 3, 0x1f, 1, 7);
	group_input(&at.g, &at.asked, "harmless: 64 spaces and a transcript hash");
	group_input(&at.g, &at.forged, "evil: a certificate");
	rush_attach(&at.rush, at.g.m[CORRUPT]);
	rush_run(&at.g);
}

static void test_stopped(void **state)
{
	rules_all();
	mount();
	for (unsigned i = 1; i <= 2; i++) {
		const struct net_party *p = net_party(at.g.net, (uint8_t)i);

		assert_true(p->dropped && !p->done);
		assert_int_equal(p->convicted, km_set_bit(CORRUPT));
		assert_true(rush_evidence(p, KM_EV_C3_PROOF));
		assert_false(rush_said_ok(at.g.m[i], i));
	}
	group_clear(&at.g);
}

static void test_without_rule(void **state)
{
	struct km_scalar shares[3], s;
	struct km_sign_nonce nonce;

	rules_all();
	rule_off(km_rule_c3_proofs);
	mount();
	for (unsigned i = 1; i <= 3; i++)
		assert_true(net_party(at.g.net, (uint8_t)i)->done);
	group_take(&at.g);
	/* the honest members sign what was asked for, and nothing else */
	assert_int_equal(group_shares(&at.g, 0, &at.asked, &nonce, shares), KM_OK);
	assert_int_equal(km_sign_combine(at.g.d.curve, &s, shares, 3), KM_OK);
	assert_int_equal(km_ecdsa_verify_var(at.g.d.curve, &at.g.d.table.x, &at.asked.m, &nonce.r, &s), KM_E_VERIFY);
	assert_int_equal(km_ecdsa_verify_var(at.g.d.curve, &at.g.d.table.x, &at.forged.m, &nonce.r, &s), KM_OK);
	group_clear(&at.g);
}

KM_TESTS(cmocka_unit_test(test_stopped), cmocka_unit_test(test_without_rule))
