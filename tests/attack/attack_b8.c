/* attack_b8.c: a message chosen after R is known. A presignature's R is public to its quorum for up to an hour. For any c the
 * attacker computes r' = x(cR), and has the mesh sign m = m' r / r' where m' is what it really wants: s = (m + r x) / k, times
 * r' / (r c), is a signature on m' with nonce ck. (The digest is free here, as with a blind hash; with hashed messages the same is
 * a birthday problem in three lists.) Stopped by: delta moves R with the message, the request and the quorum, so that r is not
 * known before m is. */
#include "attack.h"
#include "../lib/dealer.h"

#define QUORUM 7u
#define TRIES 8

static struct group g;

static void start(void)
{
	group_init(&g, 8, 0x1f, 3, 0x1f, TRIES, QUORUM);
	net_run(g.net, 0);
	group_take(&g);
}

/* r of cR. */
static void r_of(const struct km_presig *p, unsigned times, struct km_scalar *r)
{
	struct km_scalar k;
	struct km_point rr;

	km_scalar_set_u32(&k, times);
	km_point_mul_var(p->curve, &rr, &k, &p->r);
	assert_int_equal(km_point_x_mod_q_var(p->curve, r, &rr), KM_OK);
}

/* What the mesh signs is harmless, and good. Is what the attacker makes of it a signature on what it wants? */
static int forged(unsigned index, unsigned times)
{
	const struct km_presig *p = group_presig(&g, 1, index);
	const struct km_curve *c = p->curve;
	struct km_scalar r1, r2, k, s, signed_r, shares[3];
	struct km_sign_input want, asked;
	struct km_sign_nonce nonce;

	group_input(&g, &want, "evil: a certificate");
	group_input(&g, &asked, "harmless");
	r_of(p, 1, &r1);
	r_of(p, times, &r2);
	km_scalar_inv(c, &k, &r2);
	km_scalar_mul(c, &asked.m, &want.m, &r1);
	km_scalar_mul(c, &asked.m, &asked.m, &k);
	assert_int_equal(group_shares(&g, index, &asked, &nonce, shares), KM_OK);
	assert_int_equal(km_sign_combine(c, &s, shares, 3), KM_OK);
	assert_int_equal(km_ecdsa_verify_var(c, &g.d.table.x, &asked.m, &nonce.r, &s), KM_OK);
	signed_r = nonce.r;
	/* s' = s r' / (r c), with the r that was signed under and with the one that was foreseen */
	int ok = 0;
	for (unsigned i = 0; i < 2; i++) {
		struct km_scalar t, by;

		km_scalar_set_u32(&by, times);
		km_scalar_mul(c, &by, &by, i ? &signed_r : &r1);
		km_scalar_inv(c, &by, &by);
		km_scalar_mul(c, &t, &s, &r2);
		km_scalar_mul(c, &t, &t, &by);
		ok |= km_ecdsa_verify_var(c, &g.d.table.x, &want.m, &r2, &t) == KM_OK;
	}
	return ok;
}

static void test_stopped(void **state)
{
	rules_all();
	start();
	for (unsigned i = 0; i < TRIES; i++)
		assert_false(forged(i, i + 2));
	group_clear(&g);
}

static void test_without_rule(void **state)
{
	rules_all();
	rule_off(km_rule_delta);
	start();
	for (unsigned i = 0; i < TRIES; i++)
		assert_true(forged(i, i + 2));
	rules_all();
	group_clear(&g);
}

KM_TESTS(cmocka_unit_test(test_stopped), cmocka_unit_test(test_without_rule))
