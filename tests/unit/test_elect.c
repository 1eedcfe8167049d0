/* Rendezvous election: everybody finds the same order, load is even, a peer that leaves moves only its own requests. */
#include "tests/lib/test.h"

#include "node/wire.h"

static const uint8_t roster[32] = { 1 }, key[32] = { 2 };

static void request(uint8_t id[32], unsigned i)
{
	memset(id, 0, 32);
	memcpy(id, &i, sizeof(i));
}

static void test_permutation(void **state)
{
	uint8_t id[32], out[32];

	(void)state;
	for (unsigned i = 0; i < 200; i++) {
		uint32_t members = 2654435761u * (i + 1), seen = 0;
		unsigned n;

		if (i == 0)
			members = UINT32_MAX;
		request(id, i);
		n = km_elect_order(roster, key, id, members, out);
		assert_int_equal(n, __builtin_popcount(members));
		for (unsigned j = 0; j < n; j++) {
			assert_true(out[j] >= 1 && out[j] <= 32);
			seen |= (uint32_t)1 << (out[j] - 1);
		}
		assert_true(seen == members);
	}
	assert_int_equal(km_elect_order(roster, key, id, 0, out), 0);
}

/* The order of a subset is the order of the whole with the others left out. */
static void test_agreement_on_subsets(void **state)
{
	uint8_t id[32], all[32], some[32];

	(void)state;
	for (unsigned i = 0; i < 500; i++) {
		uint32_t members = 2654435761u * (i + 7);
		unsigned n, m, at = 0;

		request(id, i);
		n = km_elect_order(roster, key, id, UINT32_MAX, all);
		m = km_elect_order(roster, key, id, members, some);
		for (unsigned j = 0; j < n; j++)
			if (members >> (all[j] - 1) & 1)
				assert_int_equal(all[j], some[at++]);
		assert_int_equal(at, m);
	}
}

/* 20,000 requests over 5 peers: chi-square with 4 degrees of freedom below 23.5 (p > 0.0001), for every place in the order. */
static void test_uniform(void **state)
{
	unsigned count[5][5] = { { 0 } };
	uint8_t id[32], out[32];

	(void)state;
	for (unsigned i = 0; i < 20000; i++) {
		request(id, i);
		(void)km_elect_order(roster, key, id, 0x1f, out);
		for (unsigned place = 0; place < 5; place++)
			count[place][out[place] - 1]++;
	}
	for (unsigned place = 0; place < 5; place++) {
		long chi = 0;

		for (unsigned p = 0; p < 5; p++)
			chi += ((long)count[place][p] - 4000) * ((long)count[place][p] - 4000);
		assert_true(chi < 235 * 400);
	}
}

static void test_every_input_counts(void **state)
{
	uint8_t a[32], b[32], id[32];
	unsigned differ[3] = { 0 };
	uint8_t roster2[32] = { 3 }, key2[32] = { 4 }, id2[32];

	(void)state;
	for (unsigned i = 0; i < 50; i++) {
		request(id, i);
		request(id2, i + 1000);
		(void)km_elect_order(roster, key, id, UINT32_MAX, a);
		(void)km_elect_order(roster2, key, id, UINT32_MAX, b);
		differ[0] += memcmp(a, b, 32) != 0;
		(void)km_elect_order(roster, key2, id, UINT32_MAX, b);
		differ[1] += memcmp(a, b, 32) != 0;
		(void)km_elect_order(roster, key, id2, UINT32_MAX, b);
		differ[2] += memcmp(a, b, 32) != 0;
		(void)km_elect_order(roster, key, id, UINT32_MAX, b);
		assert_memory_equal(a, b, 32);
	}
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(differ[i], 50);
}

KM_TESTS(cmocka_unit_test(test_permutation), cmocka_unit_test(test_agreement_on_subsets), cmocka_unit_test(test_uniform),
	 cmocka_unit_test(test_every_input_counts))
