/* test_any.c: presign runs by engine any, among honest peers and with single faults. */
#include <stdio.h>
#include <stdlib.h>
#include "../lib/test.h"
#include "../lib/dealer.h"
#include "base/secret.h"
#include "proto/any_impl.h"

#define SET(n) ((uint32_t)(((uint64_t)1 << (n)) - 1))

static void assert_all_done(struct group *g)
{
	for (unsigned i = km_set_next(g->participants, 0); i; i = km_set_next(g->participants, i)) {
		const struct net_party *p = net_party(g->net, (uint8_t)i);

		assert_int_equal(p->drop_code, 0);
		assert_true(p->done);
		assert_int_equal(p->convicted | p->disputed, 0);
		assert_int_equal(p->err, 0);
	}
}

static void honest(uint64_t seed, uint32_t members, uint32_t quorum, unsigned batch)
{
	struct km_sign_input in;
	struct km_scalar r, s;
	struct group g;

	group_init_any(&g, seed, members, quorum, batch);
	net_run(g.net, 0);
	assert_all_done(&g);
	group_take(&g);
	for (unsigned i = km_set_next(quorum, 0); i; i = km_set_next(quorum, i))
		assert_int_equal(g.nps[i], batch);
	for (unsigned l = 0; l < batch; l++) {
		group_input(&g, &in, "message");
		assert_int_equal(group_sign(&g, l, &in, &r, &s), KM_OK);
		assert_int_equal(group_sign(&g, l, &in, &r, &s), KM_E_DEGENERATE);
	}
	group_clear(&g);
	assert_int_equal(km_secret_in_use(), 0);
}

static void test_two(void **state)
{
	honest(1, SET(2), SET(2), 1);
	honest(2, SET(2), SET(2), 5);
}

static void test_three(void **state)
{
	honest(3, SET(3), SET(3), 2);
	honest(4, SET(5), 1 | 4 | 16, 3);
}

static void test_five(void **state)
{
	honest(5, SET(6) | km_set_bit(32), SET(4) | km_set_bit(32), 2);
}

KM_TESTS(cmocka_unit_test(test_two), cmocka_unit_test(test_three), cmocka_unit_test(test_five))
