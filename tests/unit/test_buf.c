/* The codec: round trips, every truncation, sticky errors, bounds. */
#include "tests/lib/test.h"
#include "tests/lib/hex.h"
#include "tests/lib/die.h"

#include <stdlib.h>
#include "base/buf.h"
#include "base/limits.h"
#include "base/rng.h"

static void test_encoding(void **state)
{
	struct km_buf b;

	(void)state;
	km_buf_init(&b);
	km_put_u8(&b, 0x01);
	km_put_u16(&b, 0x0203);
	km_put_u32(&b, 0x04050607);
	km_put_u64(&b, 0x08090a0b0c0d0e0f);
	km_put_bytes(&b, "ab", 2);
	km_put_lbytes(&b, "cde", 3);
	km_put_lbytes(&b, NULL, 0);
	assert_int_equal(b.err, 0);
	km_assert_hex(b.data, b.len, "0102030405060708090a0b0c0d0e0f61620000000363646500000000");
	km_buf_clear(&b);
	assert_null(b.data);
}

static void read_all(struct km_reader *r)
{
	uint8_t two[2];
	size_t n;

	(void)km_get_u8(r);
	(void)km_get_u16(r);
	(void)km_get_u32(r);
	(void)km_get_u64(r);
	km_get_bytes(r, two, 2);
	(void)km_get_lref(r, &n, 3);
}

static void test_every_length(void **state)
{
	static const uint8_t in[] = { 1, 0, 2, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 4, 'a', 'b', 0, 0, 0, 3, 'c', 'd', 'e', 0 };
	struct km_reader r;

	(void)state;
	for (size_t n = 0; n <= sizeof(in); n++) {
		/* a block of its own, so that a sanitizer sees one byte too far */
		uint8_t *copy = malloc(n ? n : 1);

		assert_non_null(copy);
		memcpy(copy, in, n);
		km_reader_init(&r, copy, n);
		read_all(&r);
		assert_int_equal(km_reader_end(&r),
				 n < sizeof(in) - 1 ? KM_E_TRUNCATED : n == sizeof(in) ? KM_E_TRAILING : KM_OK);
		free(copy);
	}
}

static void test_values(void **state)
{
	uint8_t in[17], out[2];
	struct km_reader r;
	const uint8_t *ref;

	(void)state;
	km_unhex(in, sizeof(in), "010203040506078990a0b0c0d0e0f06162");
	km_reader_init(&r, in, sizeof(in));
	assert_int_equal(km_reader_left(&r), 17);
	assert_int_equal(km_get_u8(&r), 1);
	assert_int_equal(km_get_u16(&r), 0x0203);
	assert_int_equal(km_get_u32(&r), 0x04050607);
	assert_true(km_get_u64(&r) == 0x8990a0b0c0d0e0f0);
	ref = km_get_ref(&r, 1);
	assert_ptr_equal(ref, in + 15);
	assert_int_equal(km_reader_end(&r), KM_E_TRAILING);
	assert_int_equal(km_reader_left(&r), 1);
	km_get_bytes(&r, out, 1);
	assert_int_equal(out[0], 0x62);
	assert_int_equal(km_reader_end(&r), KM_OK);
	assert_non_null(km_get_ref(&r, 0));
}

static void test_errors_stick(void **state)
{
	static const uint8_t in[] = { 9, 9, 9 };
	uint8_t out[4];
	struct km_reader r;
	size_t n = 5;

	(void)state;
	km_reader_init(&r, in, sizeof(in));
	assert_int_equal(km_get_u32(&r), 0);
	/* the bytes are there, but the reader has failed */
	assert_int_equal(km_get_u8(&r), 0);
	memset(out, 0xee, sizeof(out));
	km_get_bytes(&r, out, 2);
	assert_int_equal(out[0] | out[1], 0);
	assert_int_equal(out[2], 0xee);
	assert_null(km_get_ref(&r, 0));
	assert_null(km_get_lref(&r, &n, 10));
	assert_int_equal(n, 0);
	assert_int_equal(km_reader_left(&r), 0);
	km_reader_fail(&r, KM_E_RANGE);
	assert_int_equal(km_reader_end(&r), KM_E_TRUNCATED);
	km_reader_init(&r, in, sizeof(in));
	km_reader_fail(&r, KM_E_RANGE);
	assert_int_equal(km_get_u8(&r), 0);
	assert_int_equal(km_reader_end(&r), KM_E_RANGE);
}

static void test_lengths(void **state)
{
	static const uint8_t in[] = { 0, 0, 0, 2, 'a', 'b' }, huge[] = { 0xff, 0xff, 0xff, 0xff, 'a' };
	struct km_reader r;
	size_t n;

	(void)state;
	km_reader_init(&r, in, sizeof(in));
	assert_ptr_equal(km_get_lref(&r, &n, 2), in + 4);
	assert_int_equal(n, 2);
	km_reader_init(&r, in, sizeof(in));
	assert_null(km_get_lref(&r, &n, 1));
	assert_int_equal(km_reader_end(&r), KM_E_LIMIT);
	km_reader_init(&r, huge, sizeof(huge));
	assert_null(km_get_lref(&r, &n, SIZE_MAX));
	assert_int_equal(km_reader_end(&r), KM_E_TRUNCATED);
	km_reader_init(&r, in, sizeof(in));
	assert_null(km_get_ref(&r, SIZE_MAX));
	km_reader_init(&r, NULL, 0);
	assert_int_equal(km_reader_end(&r), KM_OK);
	assert_int_equal(km_get_u8(&r), 0);
	assert_int_equal(km_reader_end(&r), KM_E_TRUNCATED);
}

static void test_fixed(void **state)
{
	uint8_t mem[8];
	struct km_buf b;

	(void)state;
	memset(mem, 0xee, sizeof(mem));
	km_buf_init_fixed(&b, mem, 7);
	km_put_u32(&b, 1);
	km_put_u16(&b, 2);
	assert_int_equal(b.err, 0);
	km_put_u16(&b, 3);
	assert_int_equal(b.err, KM_E_SPACE);
	/* would fit, but the writer has failed */
	km_put_u8(&b, 4);
	assert_int_equal(b.len, 6);
	assert_int_equal(mem[6], 0xee);
	assert_null(km_put_room(&b, 1));
	km_buf_reset(&b);
	assert_int_equal(b.err, 0);
	km_put_bytes(&b, "1234567", 7);
	assert_int_equal(b.err, 0);
	assert_int_equal(mem[7], 0xee);
	km_buf_clear(&b);
	assert_int_equal(mem[0], '1');
}

static void test_growth(void **state)
{
	struct km_buf b;
	struct km_reader r;
	struct km_rng rng;
	uint8_t seed[32] = { 3 }, *data;
	size_t len;

	(void)state;
	km_buf_init(&b);
	for (uint32_t i = 0; i < 50000; i++)
		km_put_u32(&b, i);
	km_buf_reserve(&b, 100000);
	data = b.data;
	for (uint32_t i = 0; i < 25000; i++)
		km_put_u32(&b, i);
	assert_ptr_equal(data, b.data);
	data = km_buf_take(&b, &len);
	assert_non_null(data);
	assert_int_equal(len, 300000);
	assert_null(b.data);
	km_reader_init(&r, data, len);
	for (uint32_t i = 0; i < 50000; i++)
		assert_int_equal(km_get_u32(&r), i);
	free(data);
	km_rng_init(&rng, seed, "test", NULL, 0);
	/* room is writable to its last byte, at every size */
	for (unsigned i = 0; i < 2000; i++) {
		size_t n = (size_t)km_rng_below(&rng, 5000);
		uint8_t *room = km_put_room(&b, n);

		assert_non_null(room);
		memset(room, (int)i, n);
		if (i % 100 == 99)
			km_buf_reset(&b);
	}
	km_buf_clear(&b);
}

static void test_take_of_nothing_and_of_failure(void **state)
{
	struct km_buf b;
	uint8_t *p;
	size_t len = 7;

	(void)state;
	km_buf_init(&b);
	p = km_buf_take(&b, &len);
	assert_non_null(p);
	assert_int_equal(len, 0);
	free(p);
	km_put_u8(&b, 1);
	assert_null(km_put_room(&b, SIZE_MAX));
	assert_int_equal(b.err, KM_E_LIMIT);
	len = 7;
	assert_null(km_buf_take(&b, &len));
	assert_int_equal(len, 0);
}

static void test_limit(void **state)
{
	struct km_buf b;

	(void)state;
	km_buf_init(&b);
	km_put_u8(&b, 1);
	km_buf_reserve(&b, (size_t)4 * KM_MAX_ENVELOPE);
	assert_int_equal(b.err, KM_E_LIMIT);
	km_put_u8(&b, 1);
	assert_int_equal(b.len, 1);
	km_buf_clear(&b);
	km_put_lbytes(&b, "", SIZE_MAX);
	assert_int_equal(b.err, KM_E_LIMIT);
	assert_int_equal(b.len, 0);
	km_buf_clear(&b);
}

static void take_fixed(void)
{
	uint8_t mem[4];
	struct km_buf b;
	size_t n;

	km_buf_init_fixed(&b, mem, sizeof(mem));
	free(km_buf_take(&b, &n));
}

static void test_take_of_fixed_aborts(void **state)
{
	(void)state;
	assert_int_equal(km_death_of(take_fixed), SIGABRT);
}

KM_TESTS(cmocka_unit_test(test_encoding), cmocka_unit_test(test_every_length), cmocka_unit_test(test_values),
	 cmocka_unit_test(test_errors_stick), cmocka_unit_test(test_lengths), cmocka_unit_test(test_fixed),
	 cmocka_unit_test(test_growth), cmocka_unit_test(test_take_of_nothing_and_of_failure), cmocka_unit_test(test_limit),
	 cmocka_unit_test(test_take_of_fixed_aborts))
