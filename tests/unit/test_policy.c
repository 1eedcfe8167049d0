/* What a key may sign: exact grammars, structures made by GnuTLS, every truncation and every bit changed, two readings (B27). */
#include "tests/lib/test.h"
#include "tests/lib/tbs.h"

#include <stdlib.h>
#include "node/policy.h"

static struct dealer d, other;

static int setup(void **state)
{
	(void)state;
	dealer_init(&d, 1, km_curve_p256(), 7, 2);
	dealer_init(&other, 2, km_curve_p256(), 7, 2);
	return 0;
}

/* In a block of its own, so that a sanitizer sees one byte too far. */
static int parse(unsigned context, const uint8_t *p, size_t n)
{
	uint8_t *copy = malloc(n ? n : 1);
	int err;

	assert_non_null(copy);
	memcpy(copy, p, n);
	err = km_context_parse(context, d.curve, &d.table.x, copy, n);
	free(copy);
	assert_true(err == KM_OK || err == KM_E_CONTEXT);
	return err;
}

static void test_tls13(void **state)
{
	struct tbs t;

	(void)state;
	for (unsigned hash = 0; hash <= 70; hash++) {
		tbs_tls13(&t, hash);
		assert_int_equal(parse(KM_CTX_TLS13_SERVER, t.bytes, t.len), hash == 32 || hash == 48 || hash == 64 ? KM_OK : KM_E_CONTEXT);
	}
	tbs_tls13(&t, 32);
	for (unsigned at = 0; at < 98; at++)
		for (unsigned bit = 0; bit < 8; bit++) {
			t.bytes[at] ^= (uint8_t)(1u << bit);
			assert_int_equal(parse(KM_CTX_TLS13_SERVER, t.bytes, t.len), KM_E_CONTEXT);
			t.bytes[at] ^= (uint8_t)(1u << bit);
		}
	t.bytes[100] ^= 0xff;
	assert_int_equal(parse(KM_CTX_TLS13_SERVER, t.bytes, t.len), KM_OK);
	memcpy(t.bytes + 64, "TLS 1.3, client CertificateVerify", 34);
	assert_int_equal(parse(KM_CTX_TLS13_SERVER, t.bytes, t.len), KM_E_CONTEXT);
	assert_int_equal(parse(KM_CTX_TLS13_SERVER, t.bytes, 0), KM_E_CONTEXT);
	assert_int_equal(km_context_parse(KM_CTX_TLS13_SERVER, d.curve, NULL, NULL, 130), KM_E_CONTEXT);
}

static void test_tls12(void **state)
{
	static const struct {
		unsigned group, point;
	} groups[] = { { 23, 65 }, { 24, 97 }, { 25, 133 }, { 29, 32 }, { 30, 56 } };
	struct tbs t;

	(void)state;
	for (unsigned i = 0; i < 5; i++)
		for (unsigned group = 0; group < 300; group++) {
			tbs_tls12(&t, group, groups[i].point);
			if (group > 25)
				t.bytes[68] = 4;
			assert_int_equal(parse(KM_CTX_TLS12_SERVER, t.bytes, t.len), group == groups[i].group ? KM_OK : KM_E_CONTEXT);
		}
	for (unsigned i = 0; i < 5; i++) {
		tbs_tls12(&t, groups[i].group, groups[i].point);
		for (size_t n = 0; n < t.len; n++)
			assert_int_equal(parse(KM_CTX_TLS12_SERVER, t.bytes, n), KM_E_CONTEXT);
		t.bytes[t.len] = 0;
		assert_int_equal(parse(KM_CTX_TLS12_SERVER, t.bytes, t.len + 1), KM_E_CONTEXT);
		t.bytes[64] = 2; /* explicit_char2 */
		assert_int_equal(parse(KM_CTX_TLS12_SERVER, t.bytes, t.len), KM_E_CONTEXT);
		t.bytes[64] = 3;
		t.bytes[67]--;
		assert_int_equal(parse(KM_CTX_TLS12_SERVER, t.bytes, t.len), KM_E_CONTEXT);
		t.bytes[67]++;
		t.bytes[68] = 2; /* compressed: only where the first byte says so */
		assert_int_equal(parse(KM_CTX_TLS12_SERVER, t.bytes, t.len), groups[i].group <= 25 ? KM_E_CONTEXT : KM_OK);
	}
}

/* Every length but the whole is refused; a changed bit may give another well-formed structure but never a crash, and never where
 * what is left is not DER or not our key. */
static unsigned mutate(unsigned context, struct tbs *t)
{
	unsigned accepted = 0;

	assert_int_equal(parse(context, t->bytes, t->len), KM_OK);
	for (size_t n = 0; n < t->len; n++)
		assert_int_equal(parse(context, t->bytes, n), KM_E_CONTEXT);
	t->bytes[t->len] = 0;
	assert_int_equal(parse(context, t->bytes, t->len + 1), KM_E_CONTEXT);
	for (size_t at = 0; at < t->len; at++)
		for (unsigned v = 1; v < 256; v++) {
			t->bytes[at] ^= (uint8_t)v;
			accepted += parse(context, t->bytes, t->len) == KM_OK;
			t->bytes[at] ^= (uint8_t)v;
		}
	return accepted;
}

/* The bytes of the key cannot be changed at all. */
static void key_is_fixed(unsigned context, struct tbs *t)
{
	uint8_t point[65];
	size_t at = 0;

	assert_int_equal(km_point_encode_uncompressed_var(d.curve, point, &d.table.x), KM_OK);
	while (memcmp(t->bytes + at, point, 65) != 0)
		assert_true(++at + 65 <= t->len);
	for (size_t i = at - 26; i < at + 65; i++)
		for (unsigned v = 1; v < 256; v++) {
			t->bytes[i] ^= (uint8_t)v;
			assert_int_equal(parse(context, t->bytes, t->len), KM_E_CONTEXT);
			t->bytes[i] ^= (uint8_t)v;
		}
}

static void test_csr(void **state)
{
	struct tbs t, foreign;

	(void)state;
	tbs_csr(&t, &d);
	/* only characters of names and values are free */
	assert_in_range(mutate(KM_CTX_CSR, &t), 1, t.len * 255 / 2);
	key_is_fixed(KM_CTX_CSR, &t);
	tbs_csr(&foreign, &other);
	assert_int_equal(parse(KM_CTX_CSR, foreign.bytes, foreign.len), KM_E_CONTEXT);
	assert_int_equal(km_context_parse(KM_CTX_CSR, d.curve, NULL, t.bytes, t.len), KM_E_CONTEXT);
	assert_int_equal(parse(KM_CTX_X509_SELF, t.bytes, t.len), KM_E_CONTEXT);
}

/* Strings of names: what is no UTF-8, or no PrintableString, is no name. */
static void test_strings(void **state)
{
	static const struct {
		const char *bytes;
		int err;
	} rows[] = { { "Caf\xc3\xa9", KM_OK }, { "Cafxx", KM_OK }, { "Caf\xc3x", KM_E_CONTEXT }, { "Cafx\xc3", KM_E_CONTEXT }, { "Caf\xa9\xa9", KM_E_CONTEXT },
		     { "Caf\xc0\xaf", KM_E_CONTEXT }, { "Ca\xe2\x82\xac", KM_OK }, { "Ca\xe0\x82\xac", KM_E_CONTEXT }, { "Ca\xed\xa0\x80", KM_E_CONTEXT },
		     { "C\xf0\x9f\x98\x80", KM_OK }, { "C\xf0\x8f\x98\x80", KM_E_CONTEXT }, { "C\xf4\x90\x80\x80", KM_E_CONTEXT },
		     { "C\xf8\x88\x80\x80", KM_E_CONTEXT } };
	struct tbs t;
	size_t at = 0;

	(void)state;
	tbs_csr(&t, &d);
	while (memcmp(t.bytes + at, "Caf\xc3\xa9", 5) != 0)
		at++;
	assert_int_equal(t.bytes[at - 2], 0x0c);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		memcpy(t.bytes + at, rows[i].bytes, 5);
		assert_int_equal(parse(KM_CTX_CSR, t.bytes, t.len), rows[i].err);
	}
	memcpy(t.bytes + at, "Cafxx", 5);
	t.bytes[at - 2] = 0x13;
	assert_int_equal(parse(KM_CTX_CSR, t.bytes, t.len), KM_OK);
	t.bytes[at] = '@';
	assert_int_equal(parse(KM_CTX_CSR, t.bytes, t.len), KM_E_CONTEXT);
	t.bytes[at - 2] = 0x16;
	assert_int_equal(parse(KM_CTX_CSR, t.bytes, t.len), KM_OK);
	t.bytes[at] = 0x80;
	assert_int_equal(parse(KM_CTX_CSR, t.bytes, t.len), KM_E_CONTEXT);
	t.bytes[at - 2] = 0x04;
	assert_int_equal(parse(KM_CTX_CSR, t.bytes, t.len), KM_E_CONTEXT);
}

static int self_parse(const struct tbs_cert *w)
{
	struct tbs t;

	tbs_self(&t, &d, &other, w);
	return parse(KM_CTX_X509_SELF, t.bytes, t.len);
}

static void test_x509_self(void **state)
{
	struct tbs_cert good = { 0 };
	struct tbs t;

	(void)state;
	tbs_self(&t, &d, &other, &good);
	/* the two names hold each other, so less is free than in a request */
	assert_in_range(mutate(KM_CTX_X509_SELF, &t), 1, t.len * 255 / 2);
	key_is_fixed(KM_CTX_X509_SELF, &t);
	assert_int_equal(parse(KM_CTX_CSR, t.bytes, t.len), KM_E_CONTEXT);
	assert_int_equal(self_parse(&(struct tbs_cert){ .ca = -1 }), KM_OK);
	assert_int_equal(self_parse(&(struct tbs_cert){ .usage = GNUTLS_KEY_DIGITAL_SIGNATURE | GNUTLS_KEY_KEY_AGREEMENT }), KM_OK);
	assert_int_equal(self_parse(&(struct tbs_cert){ .until = 2600000000 }), KM_OK); /* 2052: GeneralizedTime */
}

static void test_x509_self_refuses(void **state)
{
	(void)state;
	assert_int_equal(self_parse(&(struct tbs_cert){ .ca = 1 }), KM_E_CONTEXT);
	assert_int_equal(self_parse(&(struct tbs_cert){ .usage = GNUTLS_KEY_KEY_CERT_SIGN }), KM_E_CONTEXT);
	assert_int_equal(self_parse(&(struct tbs_cert){ .usage = GNUTLS_KEY_DIGITAL_SIGNATURE | GNUTLS_KEY_CRL_SIGN }), KM_E_CONTEXT);
	assert_int_equal(self_parse(&(struct tbs_cert){ .issuer = "CN=Some CA" }), KM_E_CONTEXT);
	assert_int_equal(self_parse(&(struct tbs_cert){ .issuer = "CN=www.example.com" }), KM_E_CONTEXT);
	assert_int_equal(self_parse(&(struct tbs_cert){ .other_key = 1 }), KM_E_CONTEXT);
	assert_int_equal(self_parse(&(struct tbs_cert){ .version1 = 1 }), KM_E_CONTEXT);
	assert_int_equal(self_parse(&(struct tbs_cert){ .dig = GNUTLS_DIG_SHA384 }), KM_E_CONTEXT);
	assert_int_equal(self_parse(&(struct tbs_cert){ .extension = "2.5.29.30" }), KM_E_CONTEXT); /* nameConstraints */
	assert_int_equal(self_parse(&(struct tbs_cert){ .extension = "1.2.3.4" }), KM_E_CONTEXT);
	assert_int_equal(self_parse(&(struct tbs_cert){ .until = 1600000000 }), KM_E_CONTEXT); /* ends before it begins */
}

static void test_others_parse_nothing(void **state)
{
	static const unsigned none[] = { 0, KM_CTX_X509, KM_CTX_CRL, KM_CTX_OCSP, KM_CTX_SCT, KM_CTX_DIGEST, KM_CTX_CANARY, 11, 31, 255 };
	struct tbs t;

	(void)state;
	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
		tbs_tls13(&t, 32);
		assert_int_equal(parse(none[i], t.bytes, t.len), KM_E_CONTEXT);
		tbs_csr(&t, &d);
		assert_int_equal(parse(none[i], t.bytes, t.len), KM_E_CONTEXT);
		assert_int_equal(parse(none[i], t.bytes, 32), KM_E_CONTEXT);
	}
}

static int check(uint32_t allowed, unsigned context, const struct tbs *t)
{
	return km_context_check(allowed, context, d.curve, &d.table.x, t->bytes, t->len);
}

static void test_check(void **state)
{
	const uint32_t tls = km_context_bit(KM_CTX_TLS13_SERVER) | km_context_bit(KM_CTX_TLS12_SERVER), all = UINT32_MAX;
	struct tbs t;

	(void)state;
	tbs_tls13(&t, 48);
	assert_int_equal(check(tls, KM_CTX_TLS13_SERVER, &t), KM_OK);
	assert_int_equal(check(all, KM_CTX_TLS13_SERVER, &t), KM_OK);
	assert_int_equal(check(tls, KM_CTX_TLS12_SERVER, &t), KM_E_CONTEXT);
	assert_int_equal(check(tls, KM_CTX_CSR, &t), KM_E_RIGHTS);
	assert_int_equal(check(0, KM_CTX_TLS13_SERVER, &t), KM_E_RIGHTS);
	assert_int_equal(check(all, KM_CTX_CANARY, &t), KM_E_RIGHTS);
	assert_int_equal(check(all, 0, &t), KM_E_RIGHTS);
	assert_int_equal(check(all, 31, &t), KM_E_RIGHTS);
	assert_int_equal(check(all, 300, &t), KM_E_RIGHTS);
	tbs_csr(&t, &d);
	assert_int_equal(check(all, KM_CTX_CSR, &t), KM_OK);
}

/* It can be done: a request whose first 64 bytes pass as the randoms. Each context alone would sign it, both together do not. */
static void test_two_readings(void **state)
{
	const uint32_t csr = km_context_bit(KM_CTX_CSR), tls12 = km_context_bit(KM_CTX_TLS12_SERVER);
	struct tbs t;

	(void)state;
	tbs_two_faces(&t, &d);
	assert_int_equal(parse(KM_CTX_CSR, t.bytes, t.len), KM_OK);
	assert_int_equal(parse(KM_CTX_TLS12_SERVER, t.bytes, t.len), KM_OK);
	assert_int_equal(check(csr, KM_CTX_CSR, &t), KM_OK);
	assert_int_equal(check(tls12, KM_CTX_TLS12_SERVER, &t), KM_OK);
	assert_int_equal(check(csr | tls12, KM_CTX_CSR, &t), KM_E_CONTEXT);
	assert_int_equal(check(csr | tls12, KM_CTX_TLS12_SERVER, &t), KM_E_CONTEXT);
}

#define T(f) cmocka_unit_test_setup(f, setup)
KM_TESTS(T(test_tls13), T(test_tls12), T(test_csr), T(test_strings), T(test_x509_self), T(test_x509_self_refuses), T(test_others_parse_nothing), T(test_check),
	 T(test_two_readings))
