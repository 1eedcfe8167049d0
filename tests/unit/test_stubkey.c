/* test_stubkey.c: stubs load in GnuTLS as ordinary keys, hold the sentinel and the true point, and sign nothing that verifies. */
#include "config.h"
#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include "rpc/rpc.h"
#include "rpc/stubkey.h"
#include "tests/lib/test.h"

static const struct {
	unsigned curve;
	gnutls_ecc_curve_t gnutls;
	gnutls_sign_algorithm_t sign;
} curves[] = {
    {1, GNUTLS_ECC_CURVE_SECP256R1, GNUTLS_SIGN_ECDSA_SHA256},
    {2, GNUTLS_ECC_CURVE_SECP384R1, GNUTLS_SIGN_ECDSA_SHA384},
    {3, GNUTLS_ECC_CURVE_SECP521R1, GNUTLS_SIGN_ECDSA_SHA512},
};

static void right_align(uint8_t *out, size_t size, gnutls_datum_t *d)
{
	memset(out, 0, size);
	if (d->size > size)
		memcpy(out, d->data + d->size - size, size);
	else
		memcpy(out + size - d->size, d->data, d->size);
	gnutls_free(d->data);
}

/* A real key's point, and the key itself for those who want to compare. */
static size_t make_point(unsigned i, uint8_t *point)
{
	gnutls_datum_t x, y, k;
	gnutls_ecc_curve_t curve;
	gnutls_privkey_t key;
	size_t size = km_rpc_scalar_size(curves[i].curve);

	assert_int_equal(gnutls_privkey_init(&key), 0);
	assert_int_equal(gnutls_privkey_generate(key, GNUTLS_PK_EC, GNUTLS_CURVE_TO_BITS(curves[i].gnutls), 0), 0);
	assert_int_equal(gnutls_privkey_export_ecc_raw(key, &curve, &x, &y, &k), 0);
	point[0] = 4;
	right_align(point + 1, size, &x);
	right_align(point + 1 + size, size, &y);
	assert_false(km_stub_is_scalar(k.data, k.size));
	gnutls_free(k.data);
	gnutls_privkey_deinit(key);
	return 1 + 2 * size;
}

static void check_loaded(gnutls_x509_privkey_t key, unsigned i, const uint8_t *point)
{
	uint8_t want[KM_SCALAR_MAX], got[KM_SCALAR_MAX];
	size_t size = km_stub_scalar(curves[i].curve, want);
	gnutls_datum_t x, y, k, sig, data = {(uint8_t *)(uintptr_t) "test text", 9};
	gnutls_ecc_curve_t curve;
	gnutls_privkey_t priv;
	gnutls_pubkey_t pub;

	assert_int_equal(gnutls_x509_privkey_export_ecc_raw(key, &curve, &x, &y, &k), 0);
	assert_int_equal(curve, curves[i].gnutls);
	assert_true(km_stub_is_scalar(k.data, k.size));
	right_align(got, size, &k);
	assert_memory_equal(got, want, size);
	right_align(got, size, &x);
	assert_memory_equal(got, point + 1, size);
	right_align(got, size, &y);
	assert_memory_equal(got, point + 1 + size, size);

	/* fails closed: the sentinel's signature is not of this point */
	assert_int_equal(gnutls_privkey_init(&priv), 0);
	assert_int_equal(gnutls_pubkey_init(&pub), 0);
	assert_int_equal(gnutls_privkey_import_x509(priv, key, 0), 0);
	assert_int_equal(gnutls_privkey_sign_data2(priv, curves[i].sign, 0, &data, &sig), 0);
	assert_int_equal(gnutls_pubkey_import_privkey(pub, priv, 0, 0), 0);
	assert_int_equal(gnutls_pubkey_verify_data2(pub, curves[i].sign, 0, &data, &sig), GNUTLS_E_PK_SIG_VERIFY_FAILED);
	gnutls_free(sig.data);
	gnutls_pubkey_deinit(pub);
	gnutls_privkey_deinit(priv);
}

static void test_loads_in_gnutls(void **state)
{
	for (unsigned i = 0; i < 3; i++) {
		uint8_t point[KM_RPC_POINT_MAX];
		size_t n = make_point(i, point);
		gnutls_x509_privkey_t key;
		struct km_buf der, pem;
		gnutls_datum_t d;

		km_buf_init(&der);
		km_buf_init(&pem);
		assert_int_equal(km_stub_put_der(&der, curves[i].curve, point, n), KM_OK);
		assert_int_equal(km_stub_put_pem(&pem, curves[i].curve, point, n), KM_OK);
		for (int as_pem = 0; as_pem < 2; as_pem++) {
			d.data = as_pem ? pem.data : der.data;
			d.size = (unsigned)(as_pem ? pem.len : der.len);
			assert_int_equal(gnutls_x509_privkey_init(&key), 0);
			assert_int_equal(
			    gnutls_x509_privkey_import2(key, &d, as_pem ? GNUTLS_X509_FMT_PEM : GNUTLS_X509_FMT_DER, NULL, 0), 0);
			check_loaded(key, i, point);
			gnutls_x509_privkey_deinit(key);
		}
		km_buf_clear(&der);
		km_buf_clear(&pem);
	}
}

static void test_recognised(void **state)
{
	for (unsigned i = 0; i < 3; i++) {
		uint8_t point[KM_RPC_POINT_MAX];
		size_t n = make_point(i, point), got_n;
		const uint8_t *got;
		unsigned curve;
		struct km_buf b;

		km_buf_init(&b);
		assert_int_equal(km_stub_put_der(&b, curves[i].curve, point, n), KM_OK);
		assert_int_equal(km_stub_get_der(b.data, b.len, &curve, &got, &got_n), KM_OK);
		assert_int_equal(curve, curves[i].curve);
		assert_int_equal(got_n, n);
		assert_memory_equal(got, point, n);
		/* any other byte before the point is another file; the coordinates are free */
		for (size_t at = 0; at < b.len - n + 1; at++) {
			b.data[at] ^= 1;
			assert_int_equal(km_stub_get_der(b.data, b.len, &curve, &got, &got_n), KM_E_MISMATCH);
			assert_null(got);
			b.data[at] ^= 1;
		}
		for (size_t len = 0; len < b.len; len++)
			assert_int_equal(km_stub_get_der(b.data, len, &curve, &got, &got_n), KM_E_MISMATCH);
		km_buf_clear(&b);
	}
}

static void test_sentinel(void **state)
{
	uint8_t d[KM_SCALAR_MAX + 1];
	size_t size;

	assert_int_equal(km_stub_scalar(0, d), 0);
	assert_int_equal(km_stub_scalar(4, d), 0);
	for (unsigned curve = 1; curve <= 3; curve++) {
		size = km_stub_scalar(curve, d);
		assert_int_equal(size, km_rpc_scalar_size(curve));
		assert_true(km_stub_is_scalar(d, size));
		/* below every q: q begins with ff, or 01 ff for P-521 */
		assert_true(d[0] < 0xff && (curve != 3 || d[0] == 0));
		for (size_t i = 0; i < size; i++) {
			d[i] ^= 0x80;
			assert_false(km_stub_is_scalar(d, size));
			d[i] ^= 0x80;
		}
		assert_false(km_stub_is_scalar(d, size - 1));
	}
	assert_false(km_stub_is_scalar(NULL, 0));
	/* GnuTLS exports with a leading zero byte, or without those that are there */
	size = km_stub_scalar(1, d + 1);
	d[0] = 0;
	assert_true(km_stub_is_scalar(d, size + 1));
	d[0] = 1;
	assert_false(km_stub_is_scalar(d, size + 1));
}

static void test_bad_points(void **state)
{
	uint8_t point[KM_RPC_POINT_MAX] = {4};
	struct km_buf b;

	km_buf_init(&b);
	assert_int_equal(km_stub_put_der(&b, 1, point, 64), KM_E_INVAL);
	assert_int_equal(km_stub_put_der(&b, 2, point, 65), KM_E_INVAL);
	assert_int_equal(km_stub_put_der(&b, 0, point, 1), KM_E_INVAL);
	point[0] = 2;
	assert_int_equal(km_stub_put_der(&b, 1, point, 65), KM_E_INVAL);
	assert_int_equal(km_stub_put_pem(&b, 1, point, 65), KM_E_INVAL);
	assert_int_equal(b.len, 0);
}

KM_TESTS(cmocka_unit_test(test_loads_in_gnutls), cmocka_unit_test(test_recognised), cmocka_unit_test(test_sentinel),
	 cmocka_unit_test(test_bad_points))
