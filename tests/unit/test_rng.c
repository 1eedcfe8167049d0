/* Streams: the right cipher, apart by every input, the same in every portioning, even enough. */
#include "tests/lib/test.h"
#include "tests/lib/hex.h"
#include "tests/lib/die.h"
#include "base/rng.h"

static void seed_of(uint8_t seed[32])
{
	for (unsigned i = 0; i < 32; i++)
		seed[i] = (uint8_t)i;
}

static void start(struct km_rng *r)
{
	uint8_t seed[32];

	seed_of(seed);
	km_rng_init(r, seed, "test", "ctx", 3);
}

/* Expected bytes: ChaCha20 (counter from 0, nonce 0) under SHA-256 of the length-prefixed "keymesh/1/rng/test", seed, "ctx",
 * by another implementation. */
static void test_vector(void **state)
{
	struct km_rng r;
	uint8_t b[136];

	(void)state;
	start(&r);
	km_rng_bytes(&r, b, sizeof(b));
	km_assert_hex(b, 16, "ab3d30abc6ec7014f28cebdf4386165d");
	km_assert_hex(b + 120, 16, "5373b1fb8f25f557c7759ad98a7011b2");
	start(&r);
	assert_true(km_rng_u64(&r) == 0xab3d30abc6ec7014);
}

static void test_portions(void **state)
{
	struct km_rng a, b, how;
	uint8_t whole[5000], parts[5000], seed[32] = { 5 };

	(void)state;
	km_rng_init(&how, seed, "test", NULL, 0);
	for (unsigned round = 0; round < 50; round++) {
		size_t at = 0;

		start(&a);
		start(&b);
		km_rng_bytes(&a, whole, sizeof(whole));
		while (at < sizeof(parts)) {
			size_t n = (size_t)km_rng_below(&how, 300);

			n = n < sizeof(parts) - at ? n : sizeof(parts) - at;
			km_rng_nettle(&b, n, parts + at);
			at += n;
		}
		assert_memory_equal(whole, parts, sizeof(whole));
	}
}

static void test_streams_are_apart(void **state)
{
	struct km_rng r;
	uint8_t seed[32], out[6][32];

	(void)state;
	seed_of(seed);
	km_rng_init(&r, seed, "a", "bc", 2);
	km_rng_bytes(&r, out[0], 32);
	km_rng_init(&r, seed, "ab", "c", 1);
	km_rng_bytes(&r, out[1], 32);
	km_rng_init(&r, seed, "a", "b", 1);
	km_rng_bytes(&r, out[2], 32);
	km_rng_init(&r, seed, "a", NULL, 0);
	km_rng_bytes(&r, out[3], 32);
	seed[31] ^= 1;
	km_rng_init(&r, seed, "a", "bc", 2);
	km_rng_bytes(&r, out[4], 32);
	km_rng_bytes(&r, out[5], 32);
	for (unsigned i = 0; i < 6; i++)
		for (unsigned j = 0; j < i; j++)
			assert_memory_not_equal(out[i], out[j], 32);
}

/* What was given out must not be found in the state. */
static void test_nothing_is_kept(void **state)
{
	struct km_rng r;
	uint8_t out[20];

	(void)state;
	start(&r);
	km_rng_bytes(&r, out, sizeof(out));
	assert_int_equal(r.used, 20);
	for (unsigned i = 0; i < sizeof(out); i++)
		assert_int_equal(r.block[i], 0);
	km_rng_clear(&r);
	for (size_t i = 0; i < sizeof(r); i++)
		assert_int_equal(((uint8_t *)&r)[i], 0);
}

/* Pearson's chi-square with `cells` cells: accepted within about 5 standard deviations of its mean. */
static void assert_even(const unsigned *count, unsigned cells, unsigned total)
{
	double expected = (double)total / cells, x = 0, df = cells - 1, dev;

	for (unsigned i = 0; i < cells; i++)
		x += ((double)count[i] - expected) * ((double)count[i] - expected) / expected;
	dev = (x - df) * (x - df) / (2 * df);
	if (dev > 25)
		fail_msg("chi-square %f at %f degrees of freedom", x, df);
}

static void test_bytes_are_even(void **state)
{
	static uint8_t b[1 << 20];
	unsigned count[256] = { 0 }, bits[8] = { 0 };
	struct km_rng r;

	(void)state;
	start(&r);
	km_rng_bytes(&r, b, sizeof(b));
	for (size_t i = 0; i < sizeof(b); i++) {
		count[b[i]]++;
		for (unsigned k = 0; k < 8; k++)
			bits[k] += b[i] >> k & 1;
	}
	assert_even(count, 256, sizeof(b));
	for (unsigned k = 0; k < 8; k++)
		assert_in_range(bits[k], (1 << 19) - 2560, (1 << 19) + 2560);
}

static void test_below(void **state)
{
	static const uint64_t bounds[] = { 1, 2, 3, 7, 10, 100, 256 };
	struct km_rng r;

	(void)state;
	start(&r);
	for (size_t i = 0; i < sizeof(bounds) / sizeof(bounds[0]); i++) {
		unsigned count[256] = { 0 };

		for (unsigned k = 0; k < 100000; k++) {
			uint64_t v = km_rng_below(&r, bounds[i]);

			assert_true(v < bounds[i]);
			count[v]++;
		}
		if (bounds[i] > 1)
			assert_even(count, (unsigned)bounds[i], 100000);
	}
}

/* With n = 3 * 2^62 a reduction without rejection would fall into the lowest third twice as often. */
static void test_below_rejects(void **state)
{
	unsigned count[3] = { 0 };
	struct km_rng r;

	(void)state;
	start(&r);
	for (unsigned k = 0; k < 30000; k++)
		count[km_rng_below(&r, (uint64_t)3 << 62) >> 62]++;
	assert_even(count, 3, 30000);
}

static void below_zero(void)
{
	struct km_rng r;

	start(&r);
	(void)km_rng_below(&r, 0);
}

static void long_label(void)
{
	struct km_rng r;
	uint8_t seed[32] = { 0 };

	km_rng_init(&r, seed, "0123456789012345678901234567890123456789012345678901234567890123456789", NULL, 0);
}

static void test_misuse_aborts(void **state)
{
	(void)state;
	assert_int_equal(km_death_of(below_zero), SIGABRT);
	assert_int_equal(km_death_of(long_label), SIGABRT);
}

KM_TESTS(cmocka_unit_test(test_vector), cmocka_unit_test(test_portions), cmocka_unit_test(test_streams_are_apart),
	 cmocka_unit_test(test_nothing_is_kept), cmocka_unit_test(test_bytes_are_even), cmocka_unit_test(test_below),
	 cmocka_unit_test(test_below_rejects), cmocka_unit_test(test_misuse_aborts))
