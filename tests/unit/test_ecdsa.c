/* test_ecdsa.c: the plain ECDSA parts: digests, verification, DER. */
#include "../lib/test.h"
#include "../lib/hex.h"
#include "proto/sign.h"

static const struct km_curve *c;

static void scalar(struct km_scalar *r, const char *hex)
{
	uint8_t b[KM_SCALAR_MAX];
	size_t n = km_curve_scalar_size(c);

	assert_int_equal(strlen(hex), 2 * n);
	km_unhex(b, n, hex);
	assert_int_equal(km_scalar_decode(c, r, b), KM_OK);
}

struct vector {
	struct km_point x;
	struct km_scalar m, r, s;
};

/* RFC 6979, A.2.5: P-256, SHA-256, "sample". */
static void rfc6979(struct vector *v)
{
	uint8_t x[65];

	c = km_curve_p256();
	km_unhex(x, 65, "0460fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb67903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299");
	assert_int_equal(km_point_decode_uncompressed_var(c, &v->x, x), KM_OK);
	assert_int_equal(km_sign_hash_bytes(c, &v->m, "sample", 6), KM_OK);
	scalar(&v->r, "efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716");
	scalar(&v->s, "f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8");
}

static void test_verify(void **state)
{
	struct vector v;
	struct km_scalar z, neg;
	struct km_point o;

	rfc6979(&v);
	assert_int_equal(km_ecdsa_verify_var(c, &v.x, &v.m, &v.r, &v.s), KM_OK);
	km_scalar_neg(c, &neg, &v.s);
	assert_int_equal(km_ecdsa_verify_var(c, &v.x, &v.m, &v.r, &neg), KM_OK);     /* both halves of s are ECDSA */
	km_scalar_neg(c, &neg, &v.r);
	assert_int_equal(km_ecdsa_verify_var(c, &v.x, &v.m, &neg, &v.s), KM_E_VERIFY);
	assert_int_equal(km_ecdsa_verify_var(c, &v.x, &v.m, &v.s, &v.r), KM_E_VERIFY);
	km_scalar_set_u32(&z, 1);
	km_scalar_add(c, &z, &z, &v.m);
	assert_int_equal(km_ecdsa_verify_var(c, &v.x, &z, &v.r, &v.s), KM_E_VERIFY);
	km_scalar_zero(&z);
	assert_int_equal(km_ecdsa_verify_var(c, &v.x, &z, &v.r, &v.s), KM_E_VERIFY);
	assert_int_equal(km_ecdsa_verify_var(c, &v.x, &v.m, &z, &v.s), KM_E_VERIFY);
	assert_int_equal(km_ecdsa_verify_var(c, &v.x, &v.m, &v.r, &z), KM_E_VERIFY);
	assert_int_equal(km_ecdsa_verify_var(c, &v.x, &z, &z, &z), KM_E_VERIFY);
	km_point_identity(c, &o);
	assert_int_equal(km_ecdsa_verify_var(c, &o, &v.m, &v.r, &v.s), KM_E_VERIFY);
	km_point_generator(c, &o);
	assert_int_equal(km_ecdsa_verify_var(c, &o, &v.m, &v.r, &v.s), KM_E_VERIFY);
}

/* u1 G + u2 X = O: r = -m/x, any s; X = xG with x = 2. */
static void test_verify_infinity(void **state)
{
	struct km_scalar m, r, s, two;
	struct km_point x;

	c = km_curve_p256();
	km_point_generator(c, &x);
	km_point_add(c, &x, &x, &x);
	km_scalar_set_u32(&two, 2);
	km_scalar_set_u32(&m, 12345);
	km_scalar_inv(c, &r, &two);
	km_scalar_mul(c, &r, &r, &m);
	km_scalar_neg(c, &r, &r);
	km_scalar_set_u32(&s, 7);
	assert_int_equal(km_ecdsa_verify_var(c, &x, &m, &r, &s), KM_E_VERIFY);
}

static void digest_is(const struct km_curve *curve, const uint8_t *digest, size_t len, const char *hex)
{
	uint8_t got[KM_SCALAR_MAX], want[KM_SCALAR_MAX];
	struct km_scalar m;
	size_t n = km_curve_scalar_size(curve);

	km_ecdsa_digest_to_scalar(curve, &m, digest, len);
	km_scalar_encode(curve, got, &m);
	km_unhex(want, n, hex);
	assert_memory_equal(got, want, n);
}

static void test_digest(void **state)
{
	uint8_t d[70];

	for (unsigned i = 0; i < sizeof(d); i++)
		d[i] = (uint8_t)(i + 1);
	c = km_curve_p256();
	/* shorter, equal and longer than q: the leftmost bits count */
	digest_is(c, d, 20, "0000000000000000000000000102030405060708090a0b0c0d0e0f1011121314");
	digest_is(c, d, 32, "0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20");
	digest_is(c, d, 64, "0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20");
	digest_is(c, d, 0, "0000000000000000000000000000000000000000000000000000000000000000");
	/* above q: reduced. ff..ff - q */
	memset(d, 0xff, 32);
	digest_is(c, d, 32, "00000000ffffffff00000000000000004319055258e8617b0c46353d039cdaae");
	/* q itself is 0 */
	km_unhex(d, 32, "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551");
	digest_is(c, d, 32, "0000000000000000000000000000000000000000000000000000000000000000");
	/* P-521: 521 bits out of 528, seven shifted off */
	memset(d, 0, sizeof(d));
	d[65] = 0x80;
	d[64] = 0x01;
	digest_is(km_curve_by_id(KM_CURVE_P521), d, 66,
		  "000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000003");
}

static void der_is(const char *r_hex, const char *s_hex, const char *der_hex)
{
	uint8_t got[2 * KM_SCALAR_MAX + 9], want[2 * KM_SCALAR_MAX + 9];
	struct km_scalar r, s;
	size_t n = strlen(der_hex) / 2;

	scalar(&r, r_hex);
	scalar(&s, s_hex);
	km_unhex(want, n, der_hex);
	assert_int_equal(km_ecdsa_der(c, got, &r, &s), n);
	assert_memory_equal(got, want, n);
}

static void test_der(void **state)
{
	c = km_curve_p256();
	der_is("0000000000000000000000000000000000000000000000000000000000000001", "0000000000000000000000000000000000000000000000000000000000000080",
	       "300702010102020080");
	der_is("efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716", "07cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8",
	       "3045022100efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716"
	       "022007cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8");
	der_is("0000000000000000000000000000000000000000000000000000000000000000", "00000000000000000000000000000000000000000000000000000000000000ff",
	       "3007020100020200ff");
}

KM_TESTS(cmocka_unit_test(test_verify), cmocka_unit_test(test_verify_infinity), cmocka_unit_test(test_digest), cmocka_unit_test(test_der))
