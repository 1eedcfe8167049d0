/* attack_b27.c: context confusion. A frontend that may ask for TLS 1.2 signatures (but for no certification request) hands in
 * "randoms" that spell one: 165 bytes that are a ServerKeyExchange for secp384r1 and at the same time a CertificationRequestInfo for
 * the mesh's key, under a name of the attacker's choice. One signature serves as both.
 * Stopped by: bytes that parse under two contexts enabled for the key are refused under each of them. */
#include "attack.h"
#include "../lib/fakemesh.h"
#include "../lib/tbs.h"
#include "node/policy.h"

static struct fake m;

/* Wraps the bytes and the signature into a request and lets GnuTLS judge it. */
static int request_verifies(const struct tbs *t, const struct km_reply *rep)
{
	uint8_t sig[80], der[512] = { 0x30, 0x82 };
	struct km_scalar r, s;
	gnutls_datum_t all = { der, 0 };
	gnutls_x509_crq_t crq;
	size_t n = 4, siglen;
	int ok;

	assert_int_equal(km_scalar_decode(m.dealer.curve, &r, rep->r), KM_OK);
	assert_int_equal(km_scalar_decode(m.dealer.curve, &s, rep->s), KM_OK);
	siglen = km_ecdsa_der(m.dealer.curve, sig, &r, &s);
	memcpy(der + n, t->bytes, t->len);
	n += t->len;
	memcpy(der + n, "\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x02\x03", 13);
	n += 13;
	der[n++] = (uint8_t)(siglen + 1);
	der[n++] = 0;
	memcpy(der + n, sig, siglen);
	n += siglen;
	der[2] = (uint8_t)((n - 4) >> 8);
	der[3] = (uint8_t)(n - 4);
	all.size = (unsigned)n;
	TBS_OK(gnutls_x509_crq_init(&crq));
	TBS_OK(gnutls_x509_crq_import(crq, &all, GNUTLS_X509_FMT_DER));
	ok = gnutls_x509_crq_verify(crq, 0) == 0;
	gnutls_x509_crq_deinit(crq);
	return ok;
}

/* What a signer does: check, then sign. 1 when the attacker leaves with a certification request. */
static int mount(uint32_t allowed)
{
	struct km_reply rep = { 0 };
	struct tbs t;
	int got = 0;

	fake_init(&m, 5, 3);
	tbs_two_faces(&t, &m.dealer);
	assert_int_equal(t.bytes[64], 3);
	if (!km_context_check(allowed, KM_CTX_TLS12_SERVER, m.dealer.curve, &m.dealer.table.x, t.bytes, t.len)) {
		fake_ecdsa(&m, &m.dealer, t.bytes, t.len, &rep);
		got = request_verifies(&t, &rep);
	}
	fake_clear(&m);
	return got;
}

static const uint32_t both = 1u << KM_CTX_TLS12_SERVER | 1u << KM_CTX_CSR;

static void test_stopped(void **state)
{
	(void)state;
	rules_all();
	assert_int_equal(mount(both), 0);
}

static void test_without_rule(void **state)
{
	(void)state;
	rules_all();
	rule_off(km_rule_one_context);
	assert_int_equal(mount(both), 1);
}

/* What honest software makes has one reading only: the rule costs nobody anything. */
static void test_honest_structures_pass(void **state)
{
	static const struct {
		unsigned group, point;
	} groups[] = { { 23, 65 }, { 24, 97 }, { 25, 133 }, { 29, 32 }, { 30, 56 } };
	struct tbs_cert plain = { 0 };
	struct tbs t;

	(void)state;
	rules_all();
	fake_init(&m, 5, 3);
	for (unsigned i = 0; i < 5; i++) {
		tbs_tls12(&t, groups[i].group, groups[i].point);
		assert_int_equal(km_context_check(UINT32_MAX, KM_CTX_TLS12_SERVER, m.dealer.curve, &m.dealer.table.x, t.bytes, t.len), KM_OK);
	}
	tbs_tls13(&t, 32);
	assert_int_equal(km_context_check(UINT32_MAX, KM_CTX_TLS13_SERVER, m.dealer.curve, &m.dealer.table.x, t.bytes, t.len), KM_OK);
	tbs_csr(&t, &m.dealer);
	assert_int_equal(km_context_check(UINT32_MAX, KM_CTX_CSR, m.dealer.curve, &m.dealer.table.x, t.bytes, t.len), KM_OK);
	tbs_self(&t, &m.dealer, &m.other, &plain);
	assert_int_equal(km_context_check(UINT32_MAX, KM_CTX_X509_SELF, m.dealer.curve, &m.dealer.table.x, t.bytes, t.len), KM_OK);
	fake_clear(&m);
}

KM_TESTS(cmocka_unit_test(test_stopped), cmocka_unit_test(test_without_rule), cmocka_unit_test(test_honest_structures_pass))
