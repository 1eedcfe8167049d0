/* tbs.h: for tests: to-be-signed structures of X.509 as other software makes them (GnuTLS), and by hand. */
#ifndef KM_TEST_TBS_H
#define KM_TEST_TBS_H

#include "test.h"
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <gnutls/abstract.h>
#include "dealer.h"

struct tbs {
	uint8_t bytes[4096];
	size_t len;
};

#define TBS_OK(call) assert_int_equal(call, 0)

static inline gnutls_x509_privkey_t tbs_key(const struct dealer *d)
{
	uint8_t point[65], k[32];
	gnutls_datum_t x = { point + 1, 32 }, y = { point + 33, 32 }, s = { k, 32 };
	gnutls_x509_privkey_t key;

	TBS_OK(km_point_encode_uncompressed_var(d->curve, point, &d->table.x));
	km_secret_encode(d->curve, k, &d->x);
	TBS_OK(gnutls_x509_privkey_init(&key));
	TBS_OK(gnutls_x509_privkey_import_ecc_raw(key, GNUTLS_ECC_CURVE_SECP256R1, &x, &y, &s));
	return key;
}

/* The first item inside the outer SEQUENCE: what was signed. */
static inline void tbs_cut(struct tbs *t, const gnutls_datum_t *der)
{
	const uint8_t *p = der->data;
	size_t head = p[1] < 0x80 ? 2 : 2 + (p[1] & 0x7fu), inner;

	p += head;
	inner = p[1] < 0x80 ? 2u + p[1] : p[1] == 0x81 ? 3u + p[2] : 4u + (size_t)(p[2] << 8 | p[3]);
	assert_true(inner <= sizeof(t->bytes));
	memcpy(t->bytes, p, inner);
	t->len = inner;
}

static inline void tbs_csr(struct tbs *t, const struct dealer *d)
{
	gnutls_x509_privkey_t key = tbs_key(d);
	gnutls_x509_crq_t crq;
	gnutls_datum_t der;

	TBS_OK(gnutls_x509_crq_init(&crq));
	TBS_OK(gnutls_x509_crq_set_dn(crq, "CN=www.example.org,O=Caf\xc3\xa9,C=CZ", NULL));
	TBS_OK(gnutls_x509_crq_set_key(crq, key));
	TBS_OK(gnutls_x509_crq_set_version(crq, 1));
	TBS_OK(gnutls_x509_crq_set_subject_alt_name(crq, GNUTLS_SAN_DNSNAME, "www.example.org", 15, GNUTLS_FSAN_SET));
	TBS_OK(gnutls_x509_crq_set_key_usage(crq, GNUTLS_KEY_DIGITAL_SIGNATURE));
	TBS_OK(gnutls_x509_crq_set_challenge_password(crq, "secret"));
	TBS_OK(gnutls_x509_crq_sign2(crq, key, GNUTLS_DIG_SHA256, 0));
	TBS_OK(gnutls_x509_crq_export2(crq, GNUTLS_X509_FMT_DER, &der));
	tbs_cut(t, &der);
	gnutls_free(der.data);
	gnutls_x509_crq_deinit(crq);
	gnutls_x509_privkey_deinit(key);
}

struct tbs_cert {           /* what differs from a good self-issued certificate */
	int ca;             /* 1: CA TRUE, -1: no basicConstraints */
	unsigned usage;     /* 0: digitalSignature */
	const char *issuer; /* NULL: the subject's */
	int other_key;      /* certifies another key */
	int version1;
	gnutls_digest_algorithm_t dig; /* 0: SHA-256 */
	const char *extension; /* an OID to add, with a NULL inside */
	time_t until;       /* 0: 2027 */
};

static inline void tbs_self(struct tbs *t, const struct dealer *d, const struct dealer *other, const struct tbs_cert *w)
{
	gnutls_x509_privkey_t key = tbs_key(d), about = tbs_key(w->other_key ? other : d);
	gnutls_x509_crt_t crt, issuer;
	gnutls_datum_t der;

	TBS_OK(gnutls_x509_crt_init(&crt));
	TBS_OK(gnutls_x509_crt_init(&issuer));
	TBS_OK(gnutls_x509_crt_set_key(issuer, key));
	TBS_OK(gnutls_x509_crt_set_dn(issuer, w->issuer ? w->issuer : "CN=www.example.org", NULL));
	TBS_OK(gnutls_x509_crt_set_version(crt, w->version1 ? 1 : 3));
	TBS_OK(gnutls_x509_crt_set_serial(crt, "\x01\x02\x03", 3));
	TBS_OK(gnutls_x509_crt_set_dn(crt, "CN=www.example.org", NULL));
	TBS_OK(gnutls_x509_crt_set_key(crt, about));
	TBS_OK(gnutls_x509_crt_set_activation_time(crt, 1700000000));
	TBS_OK(gnutls_x509_crt_set_expiration_time(crt, w->until ? w->until : 1800000000));
	if (!w->version1) {
		TBS_OK(gnutls_x509_crt_set_subject_alt_name(crt, GNUTLS_SAN_DNSNAME, "www.example.org", 15, GNUTLS_FSAN_SET));
		if (w->ca >= 0)
			TBS_OK(gnutls_x509_crt_set_basic_constraints(crt, w->ca, -1));
		TBS_OK(gnutls_x509_crt_set_key_usage(crt, w->usage ? w->usage : GNUTLS_KEY_DIGITAL_SIGNATURE));
		TBS_OK(gnutls_x509_crt_set_subject_key_id(crt, "12345678901234567890", 20));
		TBS_OK(gnutls_x509_crt_set_key_purpose_oid(crt, GNUTLS_KP_TLS_WWW_SERVER, 0));
		if (w->extension)
			TBS_OK(gnutls_x509_crt_set_extension_by_oid(crt, w->extension, "\x05\x00", 2, 0));
	}
	TBS_OK(gnutls_x509_crt_sign2(crt, issuer, key, w->dig ? w->dig : GNUTLS_DIG_SHA256, 0));
	TBS_OK(gnutls_x509_crt_export2(crt, GNUTLS_X509_FMT_DER, &der));
	tbs_cut(t, &der);
	gnutls_free(der.data);
	gnutls_x509_crt_deinit(crt);
	gnutls_x509_crt_deinit(issuer);
	gnutls_x509_privkey_deinit(key);
	gnutls_x509_privkey_deinit(about);
}

static inline void tbs_tls13(struct tbs *t, unsigned hash)
{
	memset(t->bytes, 0x20, 64);
	memcpy(t->bytes + 64, "TLS 1.3, server CertificateVerify", 34);
	memset(t->bytes + 98, 0x5a, hash);
	t->len = 98 + hash;
}

static inline void tbs_tls12(struct tbs *t, unsigned group, unsigned point)
{
	memset(t->bytes, 0x77, 64 + 4 + point);
	t->bytes[64] = 3;
	t->bytes[65] = (uint8_t)(group >> 8);
	t->bytes[66] = (uint8_t)group;
	t->bytes[67] = (uint8_t)point;
	if (group <= 25)
		t->bytes[68] = 4;
	t->len = 68 + point;
}

/* A request that is also a TLS 1.2 ServerKeyExchange (attack B27): 165 bytes, of which the first 64 pass as the randoms and a name
 * in BMPString, where every character is allowed, spells "named curve, secp384r1, 97 bytes, uncompressed". The randoms of a real
 * handshake are half the client's choice; a corrupt server chooses its own half. */
static inline void tbs_two_faces(struct tbs *t, const struct dealer *d)
{
	static const uint8_t spki[] = { 0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01,
					0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00 };
	/* SEQUENCE { INTEGER 0, SEQUENCE { SET { SEQUENCE { 2.5.4.129, BMPString } } }, our key, [0] {} } */
	uint8_t *p = t->bytes;
	const unsigned total = 165, name = total - 3 - 3 - 2 - 91 - 2, value = name - 2 - 2 - 6 - 2;

	memset(p, 0, total);
	memcpy(p, "\x30\x81", 2);
	p[2] = (uint8_t)(total - 3);
	memcpy(p + 3, "\x02\x01\x00\x30", 4);
	p[7] = (uint8_t)name;
	p[8] = 0x31;
	p[9] = (uint8_t)(name - 2);
	p[10] = 0x30;
	p[11] = (uint8_t)(name - 4);
	memcpy(p + 12, "\x06\x04\x55\x04\x81\x01\x1e", 7);
	p[19] = (uint8_t)value;
	memset(p + 20, 0x41, value);
	memcpy(p + 64, "\x03\x00\x18\x61\x04", 5);
	memcpy(p + 8 + name, spki, sizeof(spki));
	TBS_OK(km_point_encode_uncompressed_var(d->curve, p + 8 + name + sizeof(spki), &d->table.x));
	memcpy(p + total - 2, "\xa0\x00", 2);
	t->len = total;
}

#endif
