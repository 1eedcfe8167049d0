/* test_der.c: DER of signatures: the shortest form only, checked against GnuTLS's own encoder. */
#include "config.h"
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include "rpc/der.h"
#include "tests/lib/test.h"

static int put(struct km_buf *b, const uint8_t *r, const uint8_t *s, size_t size)
{
	km_buf_init(b);
	return km_der_put_signature(b, r, s, size);
}

/* Many shapes: top bit set or not, leading zeros of every number; both encoders agree, and the decoder comes back. */
static void test_as_gnutls(void **state)
{
	static const size_t sizes[] = {32, 48, 66};
	uint8_t r[66], s[66], r2[66], s2[66];

	for (unsigned i = 0; i < 3000; i++) {
		size_t size = sizes[i % 3], zr = i / 3 % size, zs = i / 7 % size;
		gnutls_datum_t dr = {r, (unsigned)size}, ds = {s, (unsigned)size}, der;
		struct km_buf b;

		assert_int_equal(gnutls_rnd(GNUTLS_RND_NONCE, r, size), 0);
		assert_int_equal(gnutls_rnd(GNUTLS_RND_NONCE, s, size), 0);
		memset(r, 0, zr);
		memset(s, 0, zs);
		r[size - 1] |= 1;
		s[size - 1] |= 1;
		assert_int_equal(put(&b, r, s, size), KM_OK);
		assert_true(b.len <= KM_DER_SIGNATURE_MAX);
		assert_int_equal(gnutls_encode_rs_value(&der, &dr, &ds), 0);
		assert_int_equal(der.size, b.len);
		assert_memory_equal(der.data, b.data, b.len);
		assert_int_equal(km_der_get_signature(b.data, b.len, r2, s2, size), KM_OK);
		assert_memory_equal(r, r2, size);
		assert_memory_equal(s, s2, size);
		gnutls_free(der.data);
		km_buf_clear(&b);
	}
}

static void test_edges(void **state)
{
	uint8_t zero[66] = {0}, one[66] = {0}, full[66];
	struct km_buf b;

	one[65] = 1;
	memset(full, 0xff, sizeof(full));
	assert_int_equal(put(&b, zero, one, 66), KM_E_DEGENERATE);
	assert_int_equal(put(&b, one, zero, 66), KM_E_DEGENERATE);
	assert_int_equal(put(&b, one, one, 0), KM_E_INVAL);
	assert_int_equal(put(&b, one, one, 67), KM_E_INVAL);
	assert_int_equal(b.len, 0);
	assert_int_equal(put(&b, one, one, 66), KM_OK);
	assert_int_equal(b.len, 8);
	assert_memory_equal(b.data, "\x30\x06\x02\x01\x01\x02\x01\x01", 8);
	km_buf_clear(&b);
	assert_int_equal(put(&b, full, full, 66), KM_OK);
	assert_int_equal(b.len, KM_DER_SIGNATURE_MAX);
	km_buf_clear(&b);
}

static void test_decoder_refuses(void **state)
{
	static const struct {
		const char *der;
		size_t n;
		int err;
	} bad[] = {
	    {"", 0, KM_E_TRUNCATED},
	    {"\x31\x06\x02\x01\x01\x02\x01\x01", 8, KM_E_ENCODING},
	    {"\x30\x06\x03\x01\x01\x02\x01\x01", 8, KM_E_ENCODING},
	    {"\x30\x06\x02\x01\x81\x02\x01\x01", 8, KM_E_ENCODING},	     /* negative */
	    {"\x30\x07\x02\x02\x00\x01\x02\x01\x01", 9, KM_E_ENCODING},	     /* zero byte for nothing */
	    {"\x30\x06\x02\x01\x00\x02\x01\x01", 8, KM_E_ENCODING},	     /* zero */
	    {"\x30\x05\x02\x00\x02\x01\x01", 7, KM_E_ENCODING},		     /* empty integer */
	    {"\x30\x81\x06\x02\x01\x01\x02\x01\x01", 9, KM_E_ENCODING},	     /* long form for a short length */
	    {"\x30\x80\x02\x01\x01\x02\x01\x01\x00\x00", 10, KM_E_ENCODING}, /* indefinite */
	    {"\x30\x06\x02\x01\x01\x02\x01\x01\x00", 9, KM_E_TRAILING},
	    {"\x30\x09\x02\x01\x01\x02\x01\x01\x02\x01\x01", 11, KM_E_TRAILING},
	    {"\x30\x06\x02\x01\x01\x02\x01", 7, KM_E_TRUNCATED},
	    {"\x30\x03\x02\x01\x01", 5, KM_E_TRUNCATED},
	    {"\x30\x09\x02\x04\x01\x01\x01\x01\x02\x01\x01", 11, KM_E_RANGE}, /* four bytes for size 3 */
	};
	uint8_t r[3], s[3];

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		memset(r, 0xee, 3);
		assert_int_equal(km_der_get_signature((const uint8_t *)bad[i].der, bad[i].n, r, s, 3), bad[i].err);
		assert_memory_equal(r, "\0\0\0", 3);
		assert_memory_equal(s, "\0\0\0", 3);
	}
}

KM_TESTS(cmocka_unit_test(test_as_gnutls), cmocka_unit_test(test_edges), cmocka_unit_test(test_decoder_refuses))
