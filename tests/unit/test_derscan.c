/* Strict DER: lengths, tags, primitive rules, depth. */
#include "tests/lib/test.h"

#include <stdlib.h>
#include "base/rng.h"
#include "node/derscan.h"

static int one(const char *bytes, size_t n)
{
	struct km_derscan d;
	struct km_der_item it;

	km_derscan_init(&d, bytes, n);
	km_derscan_any(&d, &it);
	return km_derscan_end(&d);
}

#define GOOD(s) assert_int_equal(one(s, sizeof(s) - 1), 1)
#define BAD(s) assert_int_equal(one(s, sizeof(s) - 1), 0)
#define FORMED(s) assert_int_equal(km_derscan_well_formed(s, sizeof(s) - 1), 1)
#define UNFORMED(s) assert_int_equal(km_derscan_well_formed(s, sizeof(s) - 1), 0)

static void test_lengths(void **state)
{
	char big[3 + 128] = "\x04\x81\x80";

	(void)state;
	GOOD("\x04\x00");
	GOOD("\x04\x01x");
	BAD("");
	BAD("\x04");
	BAD("\x04\x01");
	BAD("\x04\x00x");
	BAD("\x04\x80");                 /* indefinite */
	BAD("\x30\x80\x00\x00");
	BAD("\x04\x81\x01x");            /* fits the short form */
	BAD("\x04\x82\x00\x80");         /* leading zero */
	BAD("\x04\x84\x00\x00\x00\x01x");
	BAD("\x04\x84\x01\x00\x00\x00"); /* more than anything here can be */
	BAD("\x04\xff\x01");
	BAD("\x04\x83\xff\xff\xff");
	assert_int_equal(one(big, sizeof(big)), 1);
	assert_int_equal(one(big, sizeof(big) - 1), 0);
	big[2] = 0x7f;
	assert_int_equal(one(big, sizeof(big) - 1), 0);
}

static void test_tags(void **state)
{
	struct km_derscan d, in;
	struct km_der_item it;

	(void)state;
	BAD("\x1f\x01\x00");     /* long tag form */
	BAD("\xbf\x81\x01\x00");
	BAD("\x00\x00");         /* end of contents */
	km_derscan_init(&d, "\x30\x03\x02\x01\x05", 5);
	assert_int_equal(km_derscan_peek(&d), KM_DER_SEQUENCE);
	km_derscan_enter(&d, KM_DER_SEQUENCE, &in);
	km_derscan_integer(&in, &it);
	assert_int_equal(km_der_item_is(&it, "\5", 1), 1);
	assert_int_equal(it.whole_len, 3);
	assert_int_equal(km_derscan_end(&in) && km_derscan_end(&d), 1);
	/* nothing more: sticky */
	km_derscan_any(&d, &it);
	assert_int_equal(it.tag, 0);
	assert_int_equal(km_derscan_end(&d), 0);
	/* a failed outer one fails the inner */
	km_derscan_init(&d, "\x30\x00", 2);
	km_derscan_enter(&d, KM_DER_SET, &in);
	assert_int_equal(km_derscan_more(&in), 0);
	assert_int_equal(km_derscan_end(&in), 0);
	assert_int_equal(km_derscan_peek(&in), 0);
}

static int take(void (*fn)(struct km_derscan *, struct km_der_item *), const char *p, size_t n)
{
	struct km_derscan d;
	struct km_der_item it;

	km_derscan_init(&d, p, n);
	fn(&d, &it);
	return km_derscan_end(&d);
}

#define INTEGER(s) take(km_derscan_integer, s, sizeof(s) - 1)
#define OID(s) take(km_derscan_oid, s, sizeof(s) - 1)

static int bits(const char *p, size_t n)
{
	struct km_derscan d;
	struct km_der_item it;
	unsigned unused;

	km_derscan_init(&d, p, n);
	km_derscan_bits(&d, &it, &unused);
	return km_derscan_end(&d) ? (int)unused : -1;
}
#define BITS(s) bits(s, sizeof(s) - 1)

static int boolean(const char *p, size_t n)
{
	struct km_derscan d;

	km_derscan_init(&d, p, n);
	km_derscan_true(&d);
	return km_derscan_end(&d);
}

static void test_primitives(void **state)
{
	(void)state;
	assert_int_equal(INTEGER("\x02\x01\x00"), 1);
	assert_int_equal(INTEGER("\x02\x02\x00\x80"), 1);
	assert_int_equal(INTEGER("\x02\x01\xff"), 1);
	assert_int_equal(INTEGER("\x02\x00"), 0);
	assert_int_equal(INTEGER("\x02\x02\x00\x7f"), 0);
	assert_int_equal(INTEGER("\x02\x02\xff\x80"), 0);
	assert_int_equal(OID("\x06\x03\x55\x1d\x0f"), 1);
	assert_int_equal(OID("\x06\x02\x81\x00"), 1);
	assert_int_equal(OID("\x06\x00"), 0);
	assert_int_equal(OID("\x06\x03\x55\x1d\x8f"), 0);
	assert_int_equal(OID("\x06\x02\x80\x01"), 0);
	assert_int_equal(OID("\x06\x03\x55\x80\x01"), 0);
	assert_int_equal(OID("\x06\x03\x81\x80\x01"), 1);
	assert_int_equal(BITS("\x03\x01\x00"), 0);
	assert_int_equal(BITS("\x03\x02\x07\x80"), 7);
	assert_int_equal(BITS("\x03\x00"), -1);
	assert_int_equal(BITS("\x03\x01\x01"), -1);
	assert_int_equal(BITS("\x03\x02\x08\x00"), -1);
	assert_int_equal(BITS("\x03\x02\x07\xc0"), -1);
	assert_int_equal(boolean("\x01\x01\xff", 3), 1);
	assert_int_equal(boolean("\x01\x01\x00", 3), 0);
	assert_int_equal(boolean("\x01\x01\x01", 3), 0);
	assert_int_equal(boolean("\x01\x00", 2), 0);
}

static void test_well_formed(void **state)
{
	char deep[2 * KM_DER_MAX_DEPTH];

	(void)state;
	FORMED("");
	FORMED("\x05\x00\x05\x00");
	FORMED("\x30\x00");
	FORMED("\x30\x05\x31\x00\x02\x01\x07\xa0\x02\x05\x00");
	UNFORMED("\x30\x03\x31\x02\x05");
	UNFORMED("\x30\x02\x31\x02\x05\x00");   /* the inner one leaves the outer one */
	UNFORMED("\x05\x01\x00");
	UNFORMED("\x10\x00");                   /* a primitive SEQUENCE */
	UNFORMED("\x24\x04\x04\x02xy");         /* a string in pieces */
	UNFORMED("\x1e\x01\x41");
	UNFORMED("\x30\x03\x01\x01\x02");
	FORMED("\x30\x03\x01\x01\x00");
	UNFORMED("\x30\x04\x02\x02\x00\x01");
	/* 15 inside each other are fine, 16 are not */
	for (unsigned n = KM_DER_MAX_DEPTH - 1; n <= KM_DER_MAX_DEPTH; n++) {
		for (unsigned i = 0; i < n; i++) {
			deep[2 * i] = 0x30;
			deep[2 * i + 1] = (char)(2 * (n - 1 - i));
		}
		assert_int_equal(km_derscan_well_formed(deep, 2 * (size_t)n), n < KM_DER_MAX_DEPTH);
	}
}

/* No input makes it read outside (blocks of their own, for a sanitizer) or go on for ever. */
static void test_garbage(void **state)
{
	static const uint8_t seed[KM_SEED_SIZE] = { 4 }, tags[] = { 0x30, 0x31, 0xa0, 0x04, 0x02, 0x06, 0x01, 0x81, 0x80 };
	unsigned formed = 0;
	struct km_rng rng;

	(void)state;
	km_rng_init(&rng, seed, "garbage", NULL, 0);
	for (unsigned i = 0; i < 100000; i++) {
		size_t n = (size_t)km_rng_below(&rng, 24);
		uint8_t *p = malloc(n ? n : 1);

		assert_non_null(p);
		for (size_t j = 0; j < n; j++)
			p[j] = km_rng_below(&rng, 2) ? tags[km_rng_below(&rng, sizeof(tags))] : (uint8_t)km_rng_below(&rng, 12);
		formed += (unsigned)km_derscan_well_formed(p, n);
		free(p);
	}
	/* some do get through, so the walk was walked */
	assert_in_range(formed, 100, 50000);
}

KM_TESTS(cmocka_unit_test(test_lengths), cmocka_unit_test(test_tags), cmocka_unit_test(test_primitives), cmocka_unit_test(test_well_formed),
	 cmocka_unit_test(test_garbage))
