/* attack_b16.c: weak challenges. Who can guess the challenge of a Fiat-Shamir proof picks z first and solves for U: a proof about a
 * logarithm that nobody knows. And who has one challenge for several statements trades one against the next. Stopped by:
 * challenges are full-size scalars over the whole statement, and every statement of a batch has a power of its own. */
#include "attack.h"
#include "base/hash.h"
#include "zk/dlog.h"

#define TRIES 64

static const struct km_curve *c;

static void prefix(struct km_hash *h)
{
	km_hash_init(h, "attack-b16");
	km_hash_u8(h, 1);
}

/* A point whose logarithm the attacker is not told. */
static void nobodys(struct km_point *y, unsigned number)
{
	uint8_t msg[4] = {(uint8_t)number};
	struct km_hash h;
	struct km_scalar k;

	km_hash_init(&h, "nobodys");
	km_hash_field(&h, msg, sizeof(msg));
	km_scalar_from_hash(c, &k, &h);
	km_point_generator(c, y);
	km_point_mul_var(c, y, &k, y);
}

/* z at random, U = zG - e'Y for a guess e'. */
static int guessed(const struct km_point *y)
{
	struct km_dlog_proof p;
	struct km_point g, t;
	struct km_scalar e;
	struct km_hash h;

	km_point_generator(c, &g);
	for (unsigned i = 0; i < TRIES; i++) {
		km_scalar_set_u32(&p.z, 1000 + i);
		km_scalar_set_u32(&e, 1 + i % 2);
		km_point_mul_var(c, &p.u, &p.z, &g);
		km_point_mul_var(c, &t, &e, y);
		km_point_sub(c, &p.u, &p.u, &t);
		prefix(&h);
		if (km_dlog_verify_var(c, &p, y, &h) == KM_OK)
			return 1;
	}
	return 0;
}

static void test_guess(void **state)
{
	struct km_point y;

	rules_all();
	for (unsigned n = 0; n < 4; n++) {
		nobodys(&y, n);
		assert_false(guessed(&y));
	}
}

static void test_guess_without_rule(void **state)
{
	struct km_point y;

	rules_all();
	rule_off(km_rule_full_challenge);
	nobodys(&y, 1);
	assert_true(guessed(&y));
	rules_all();
}

/* U + sum_l e^l V_l = zG, as the machine of a presign run weighs it. */
static int batch_holds(const struct km_dlog_proof *p, const struct km_point v[2], const uint8_t *enc)
{
	struct km_point left, right, t;
	struct km_scalar e, power;
	struct km_hash h;

	prefix(&h);
	assert_int_equal(km_dlog_batch_challenge(c, &e, p, enc, 2, &h), KM_OK);
	power = e;
	right = p->u;
	for (unsigned l = 0; l < 2; l++) {
		km_point_mul_var(c, &t, &power, &v[l]);
		km_point_add(c, &right, &right, &t);
		km_scalar_mul(c, &power, &power, &e);
	}
	km_point_generator(c, &left);
	km_point_mul_var(c, &left, &p->z, &left);
	return km_point_equal_var(c, &left, &right);
}

/* V_1 + D and V_2 - D, D nobody's: an honest proof of v_1 and v_2 is none of these two. With a challenge that can be foreseen
 * (e = 1, where all powers are one) it is. */
static int split(void)
{
	uint8_t enc[2 * KM_POINT_MAX], seed[KM_SEED_SIZE] = {16};
	size_t ps = km_curve_point_size(c);
	struct km_secret x[2];
	struct km_point v[2], d;
	struct km_dlog_proof p;
	struct km_hash h;
	struct km_rng rng;

	km_rng_init(&rng, seed, "attack", NULL, 0);
	for (unsigned n = 0; n < TRIES; n++) {
		nobodys(&d, n);
		for (unsigned l = 0; l < 2; l++) {
			km_secret_random(c, &x[l], &rng);
			km_point_mul_g(c, &v[l], &x[l]);
			if (l)
				km_point_sub(c, &v[l], &v[l], &d);
			else
				km_point_add(c, &v[l], &v[l], &d);
			assert_int_equal(km_point_encode_var(c, enc + l * ps, &v[l]), KM_OK);
		}
		prefix(&h);
		assert_int_equal(km_dlog_prove_batch(c, &p, x, enc, 2, &h, &rng), KM_OK);
		if (batch_holds(&p, v, enc))
			return 1;
	}
	return 0;
}

static void test_split(void **state)
{
	rules_all();
	assert_false(split());
}

static void test_split_without_rule(void **state)
{
	rules_all();
	rule_off(km_rule_full_challenge);
	assert_true(split());
	rules_all();
}

static int setup(void **state)
{
	c = km_curve_p256();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_guess),
		cmocka_unit_test(test_guess_without_rule),
		cmocka_unit_test(test_split),
		cmocka_unit_test(test_split_without_rule),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, setup, NULL);
}
