/* attack_b1.c: selective abort, repeated. A corrupt Bob changes one bit of one column of u: Alice's check fails where Delta has
 * that bit and passes where not, so each run tells him a bit of Delta. Sixteen runs give sixteen bits of the next Delta, if it is kept.
 * Stopped by: base OTs, and so Delta, fresh in every run: what was learned is of no use. And a run that fails is opened: the first bit
 * learned costs its place in the mesh. */
#include "any.h"

#define BITS 16

static unsigned column;
static uint8_t delta[KM_OT_DELTA_SIZE];      /* of the honest Alice in the last run */

static void flip(void *ctx, struct km_presign *s)
{
	const struct group *g = ctx;

	any_u(s, s->any->body)[column * s->any->len] ^= 1;
	any_prove_again(s);
	memcpy(delta, any_of(g, HONEST)->any->link[CORRUPT]->delta, sizeof(delta));
}

/* The bit that Alice's reaction shows. */
static unsigned probe(uint64_t seed)
{
	struct group g;
	struct rush r = { .change = { [KM_JOB_ANY_EXTEND] = flip }, .ctx = &g };
	unsigned bit;

	any_run(&g, &r, seed);
	bit = !net_party(g.net, HONEST)->done;
	if (bit)
		assert_int_equal(net_party(g.net, HONEST)->drop_code, KM_E_VERIFY);
	/* and there is no second run with it: the one that failed names it */
	assert_int_equal(net_party(g.net, HONEST)->convicted, bit ? km_set_bit(CORRUPT) : 0);
	assert_int_equal(bit, km_ot_bit(delta, column));
	group_clear(&g);
	return bit;
}

/* How many of the bits learned are those of the next run. */
static unsigned mount(void)
{
	unsigned learned[BITS], right = 0;

	for (column = 0; column < BITS; column++)
		learned[column] = probe(100 + column);
	probe(999);
	for (unsigned i = 0; i < BITS; i++)
		right += learned[i] == km_ot_bit(delta, i);
	return right;
}

static void test_stopped(void **state)
{
	rules_all();
	assert_true(mount() < BITS);
}

static void test_without_rule(void **state)
{
	rules_all();
	rule_off(km_rule_ot_fresh);
	assert_int_equal(mount(), BITS);
}

KM_TESTS(cmocka_unit_test(test_stopped), cmocka_unit_test(test_without_rule))
