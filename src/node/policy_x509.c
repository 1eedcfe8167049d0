/* policy_x509.c: CertificationRequestInfo (RFC 2986) and the self-issued TBSCertificate (RFC 5280), to the last byte. */
#include "config.h"
#include "node/policy_impl.h"

#include <string.h>
#include "node/derscan.h"

#define MAX_EXTENSIONS 32

struct x509_curve {
	unsigned curve;
	const char *spki;      /* SubjectPublicKeyInfo up to and with the BIT STRING's count of unused bits */
	size_t spki_len;
	const char *sig_oid;   /* ecdsa-with-SHA-2 of the curve's strength */
};

#define EC_PUBLIC_KEY "\x06\x07\x2a\x86\x48\xce\x3d\x02\x01"
#define SPKI_P256 "\x30\x59\x30\x13" EC_PUBLIC_KEY "\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07\x03\x42\x00"
#define SPKI_P384 "\x30\x76\x30\x10" EC_PUBLIC_KEY "\x06\x05\x2b\x81\x04\x00\x22\x03\x62\x00"
#define SPKI_P521 "\x30\x81\x9b\x30\x10" EC_PUBLIC_KEY "\x06\x05\x2b\x81\x04\x00\x23\x03\x81\x86\x00"

static const struct x509_curve curves[] = {
	{ KM_CURVE_P256, SPKI_P256, sizeof(SPKI_P256) - 1, "\x2a\x86\x48\xce\x3d\x04\x03\x02" },
	{ KM_CURVE_P384, SPKI_P384, sizeof(SPKI_P384) - 1, "\x2a\x86\x48\xce\x3d\x04\x03\x03" },
	{ KM_CURVE_P521, SPKI_P521, sizeof(SPKI_P521) - 1, "\x2a\x86\x48\xce\x3d\x04\x03\x04" },
};
#define SIG_OID_SIZE 8

static const struct x509_curve *x509_curve(const struct km_curve *c)
{
	for (size_t i = 0; c && i < sizeof(curves) / sizeof(curves[0]); i++)
		if (curves[i].curve == km_curve_id(c))
			return &curves[i];
	return NULL;
}

/* The key's own SubjectPublicKeyInfo has one encoding that we sign: named curve, uncompressed. */
static void own_spki(struct km_derscan *d, const struct km_curve *c, const struct km_point *x)
{
	const struct x509_curve *xc = x509_curve(c);
	uint8_t point[1 + 2 * KM_SCALAR_MAX];
	size_t size = 1 + 2 * km_curve_scalar_size(c);
	struct km_der_item it;

	km_derscan_take(d, KM_DER_SEQUENCE, &it);
	if (d->bad || it.whole_len != xc->spki_len + size || memcmp(it.whole, xc->spki, xc->spki_len) ||
	    km_point_encode_uncompressed_var(c, point, x) || memcmp(it.whole + xc->spki_len, point, size))
		km_derscan_fail(d);
}

static int printable(uint8_t ch)
{
	return (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z') || (ch >= '0' && ch <= '9') || (ch && strchr(" '()+,-./:=?", ch));
}

/* Shortest forms only, no surrogates (RFC 3629). */
static int utf8_ok(const uint8_t *p, size_t n)
{
	static const uint32_t least[] = { 0, 0x80, 0x800, 0x10000 };

	while (n) {
		unsigned more = *p < 0x80 ? 0 : *p >> 5 == 6 ? 1 : *p >> 4 == 14 ? 2 : *p >> 3 == 30 ? 3 : 4;
		uint32_t c;

		if (more == 4 || n <= more)
			return 0;
		c = more ? *p & (0x3fu >> more) : *p;
		for (unsigned i = 1; i <= more; i++) {
			if (p[i] >> 6 != 2)
				return 0;
			c = c << 6 | (p[i] & 0x3f);
		}
		if (c < least[more] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
			return 0;
		p += more + 1;
		n -= more + 1;
	}
	return 1;
}

static int string_ok(const struct km_der_item *it)
{
	switch (it->tag) {
	case KM_DER_PRINTABLE:
		for (size_t i = 0; i < it->len; i++)
			if (!printable(it->p[i]))
				return 0;
		return 1;
	case KM_DER_IA5:
		for (size_t i = 0; i < it->len; i++)
			if (it->p[i] >= 0x80)
				return 0;
		return 1;
	case KM_DER_BMP:
		return it->len % 2 == 0;
	case KM_DER_UNIVERSAL:
		return it->len % 4 == 0;
	case KM_DER_UTF8:
		return utf8_ok(it->p, it->len);
	default:
		return it->tag == KM_DER_TELETEX;
	}
}

/* DER orders a SET OF: a shorter encoding sorts as if padded with zeros (X.690, 11.6). Returns 1 when a may stand before b. */
static int set_ordered(const struct km_der_item *a, const struct km_der_item *b)
{
	size_t n = a->whole_len < b->whole_len ? a->whole_len : b->whole_len;
	int cmp = memcmp(a->whole, b->whole, n);

	return cmp ? cmp < 0 : a->whole_len <= b->whole_len;
}

/* RDNSequence: SEQUENCE OF SET OF SEQUENCE { type, value }. May be empty. */
static void name(struct km_derscan *d, struct km_der_item *whole)
{
	struct km_derscan seq, set, attr;
	struct km_der_item it, prev;

	km_derscan_take(d, KM_DER_SEQUENCE, whole);
	km_derscan_init(&seq, whole->p, whole->len);
	while (km_derscan_more(&seq)) {
		km_derscan_enter(&seq, KM_DER_SET, &set);
		memset(&prev, 0, sizeof(prev));
		do {
			km_derscan_take(&set, KM_DER_SEQUENCE, &it);
			if (!set.bad && prev.tag && !set_ordered(&prev, &it))
				km_derscan_fail(&set);
			prev = it;
			km_derscan_init(&attr, it.p, it.len);
			km_derscan_oid(&attr, &it);
			km_derscan_any(&attr, &it);
			if (!km_derscan_end(&attr) || !string_ok(&it))
				km_derscan_fail(&set);
		} while (km_derscan_more(&set));
		if (!km_derscan_end(&set))
			km_derscan_fail(&seq);
	}
	if (!km_derscan_end(&seq))
		km_derscan_fail(d);
}

/* ---- extensions */

/* What a self-issued server certificate may carry, and nothing else: an extension we do not know could make it anything. */
static const struct {
	uint8_t len;
	const char *oid;
} self_extensions[] = {
	{ 3, "\x55\x1d\x0e" }, /* subjectKeyIdentifier */
	{ 3, "\x55\x1d\x0f" }, /* keyUsage */
	{ 3, "\x55\x1d\x11" }, /* subjectAltName */
	{ 3, "\x55\x1d\x13" }, /* basicConstraints */
	{ 3, "\x55\x1d\x23" }, /* authorityKeyIdentifier */
	{ 3, "\x55\x1d\x25" }, /* extKeyUsage */
	{ 8, "\x2b\x06\x01\x05\x05\x07\x01\x18" }, /* TLS feature, RFC 7633 */
};

static int self_extension_known(const struct km_der_item *oid)
{
	for (size_t i = 0; i < sizeof(self_extensions) / sizeof(self_extensions[0]); i++)
		if (km_der_item_is(oid, self_extensions[i].oid, self_extensions[i].len))
			return 1;
	return 0;
}

/* keyUsage: a named bit list (no trailing zero bits), without keyCertSign (5) and cRLSign (6). */
static int key_usage_ok(const struct km_der_item *value)
{
	struct km_derscan d;
	struct km_der_item it;
	unsigned unused;

	km_derscan_init(&d, value->p, value->len);
	km_derscan_bits(&d, &it, &unused);
	if (!km_derscan_end(&d) || it.len < 1 || it.len > 2)
		return 0;
	return it.p[it.len - 1] >> unused & 1 && !(it.p[0] & 0x06);
}

/* basicConstraints: not a CA. FALSE is the default and so is not written: what remains is the empty sequence. */
static int not_a_ca(const struct km_der_item *value)
{
	return value->len == 2 && !memcmp(value->p, "\x30\x00", 2);
}

static int self_extension_ok(const struct km_der_item *oid, const struct km_der_item *value)
{
	if (!self_extension_known(oid))
		return 0;
	if (km_der_item_is(oid, "\x55\x1d\x0f", 3))
		return key_usage_ok(value);
	if (km_der_item_is(oid, "\x55\x1d\x13", 3))
		return not_a_ca(value);
	return 1;
}

/* Extensions: SEQUENCE OF SEQUENCE { OID, critical DEFAULT FALSE, OCTET STRING holding one DER value }, each OID once. */
static void extensions(struct km_derscan *d, int self_issued)
{
	struct km_derscan seq, ext, inner;
	struct km_der_item seen[MAX_EXTENSIONS], value, one;
	unsigned n = 0;

	km_derscan_enter(d, KM_DER_SEQUENCE, &seq);
	do {
		if (n == MAX_EXTENSIONS) {
			km_derscan_fail(&seq);
			break;
		}
		km_derscan_enter(&seq, KM_DER_SEQUENCE, &ext);
		km_derscan_oid(&ext, &seen[n]);
		if (km_derscan_peek(&ext) == KM_DER_BOOLEAN)
			km_derscan_true(&ext);
		km_derscan_take(&ext, KM_DER_OCTET_STRING, &value);
		if (!km_derscan_end(&ext)) {
			km_derscan_fail(&seq);
			break;
		}
		km_derscan_init(&inner, value.p, value.len);
		km_derscan_any(&inner, &one);
		if (!km_derscan_end(&inner) || !km_derscan_well_formed(value.p, value.len) ||
		    (self_issued && !self_extension_ok(&seen[n], &value)))
			km_derscan_fail(&seq);
		for (unsigned i = 0; i < n; i++)
			if (km_der_item_is(&seen[i], seen[n].p, seen[n].len))
				km_derscan_fail(&seq);
		n++;
	} while (km_derscan_more(&seq));
	if (!km_derscan_end(&seq))
		km_derscan_fail(d);
}

/* ---- certification request */

static void attribute(struct km_derscan *d)
{
	static const uint8_t extension_request[] = { 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x0e };
	struct km_derscan attr, set;
	struct km_der_item oid, it;

	km_derscan_enter(d, KM_DER_SEQUENCE, &attr);
	km_derscan_oid(&attr, &oid);
	km_derscan_enter(&attr, KM_DER_SET, &set);
	if (!km_derscan_end(&attr) || !km_derscan_more(&set)) {
		km_derscan_fail(d);
		return;
	}
	if (km_der_item_is(&oid, extension_request, sizeof(extension_request)))
		extensions(&set, 0);
	else
		while (km_derscan_more(&set)) {
			km_derscan_any(&set, &it);
			if (!set.bad && !km_derscan_well_formed(it.whole, it.whole_len))
				km_derscan_fail(&set);
		}
	if (!km_derscan_end(&set))
		km_derscan_fail(d);
}

int km_policy_parse_csr(const struct km_curve *c, const struct km_point *x, const uint8_t *p, size_t n)
{
	struct km_derscan d, info, attrs;
	struct km_der_item it;

	if (!x || !x509_curve(c))
		return KM_E_CONTEXT;
	km_derscan_init(&d, p, n);
	km_derscan_enter(&d, KM_DER_SEQUENCE, &info);
	km_derscan_integer(&info, &it);
	if (!km_der_item_is(&it, "\0", 1))
		km_derscan_fail(&info);
	name(&info, &it);
	own_spki(&info, c, x);
	km_derscan_enter(&info, KM_DER_CONTEXT_0, &attrs);
	while (km_derscan_more(&attrs))
		attribute(&attrs);
	return km_derscan_end(&attrs) && km_derscan_end(&info) && km_derscan_end(&d) ? KM_OK : KM_E_CONTEXT;
}

/* ---- self-issued certificate */

static unsigned two(const uint8_t *p)
{
	return p[0] >= '0' && p[0] <= '9' && p[1] >= '0' && p[1] <= '9' ? (unsigned)(p[0] - '0') * 10 + (p[1] - '0') : 100;
}

/* UTCTime to 2049, GeneralizedTime from 2050 on, seconds and Z always (RFC 5280, 4.1.2.5). Returns YYYYMMDDhhmmss, 0 when it is none. */
static uint64_t get_time(struct km_derscan *d)
{
	static const uint8_t days[] = { 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	struct km_der_item it;
	unsigned year, f[5];
	const uint8_t *p;

	km_derscan_any(d, &it);
	p = it.p;
	if (it.tag == KM_DER_UTCTIME && it.len == 13) {
		year = two(p);
		if (year < 100)
			year += year < 50 ? 2000 : 1900;
		p += 2;
	} else if (it.tag == KM_DER_GENTIME && it.len == 15) {
		year = two(p) < 100 && two(p + 2) < 100 ? two(p) * 100 + two(p + 2) : 100;
		if (year < 2050)
			year = 100;
		p += 4;
	} else {
		goto bad;
	}
	for (unsigned i = 0; i < 5; i++)
		f[i] = two(p + 2 * i);
	if (year == 100 || f[0] < 1 || f[0] > 12 || f[1] < 1 || f[1] > days[f[0] - 1] || f[2] > 23 || f[3] > 59 || f[4] > 59 || p[10] != 'Z')
		goto bad;
	return ((((year * UINT64_C(100) + f[0]) * 100 + f[1]) * 100 + f[2]) * 100 + f[3]) * 100 + f[4];
bad:
	km_derscan_fail(d);
	return 0;
}

static void validity(struct km_derscan *d)
{
	struct km_derscan v;
	uint64_t from, to;

	km_derscan_enter(d, KM_DER_SEQUENCE, &v);
	from = get_time(&v);
	to = get_time(&v);
	if (!km_derscan_end(&v) || from > to)
		km_derscan_fail(d);
}

static void version3(struct km_derscan *d)
{
	struct km_derscan v;
	struct km_der_item it;

	km_derscan_enter(d, KM_DER_CONTEXT_0, &v);
	km_derscan_integer(&v, &it);
	if (!km_der_item_is(&it, "\2", 1) || !km_derscan_end(&v))
		km_derscan_fail(d);
}

static void serial(struct km_derscan *d)
{
	struct km_der_item it;

	km_derscan_integer(d, &it);
	/* positive and at most 20 octets (RFC 5280, 4.1.2.2) */
	if (d->bad || it.p[0] & 0x80 || it.len > 20 || (it.len == 1 && !it.p[0]))
		km_derscan_fail(d);
}

static void signature_algorithm(struct km_derscan *d, const struct km_curve *c)
{
	struct km_derscan alg;
	struct km_der_item oid;

	km_derscan_enter(d, KM_DER_SEQUENCE, &alg);
	km_derscan_oid(&alg, &oid);
	if (!km_der_item_is(&oid, x509_curve(c)->sig_oid, SIG_OID_SIZE) || !km_derscan_end(&alg))
		km_derscan_fail(d);
}

int km_policy_parse_x509_self(const struct km_curve *c, const struct km_point *x, const uint8_t *p, size_t n)
{
	struct km_derscan d, tbs, exts;
	struct km_der_item issuer, subject;

	if (!x || !x509_curve(c))
		return KM_E_CONTEXT;
	km_derscan_init(&d, p, n);
	km_derscan_enter(&d, KM_DER_SEQUENCE, &tbs);
	version3(&tbs);
	serial(&tbs);
	signature_algorithm(&tbs, c);
	name(&tbs, &issuer);
	validity(&tbs);
	name(&tbs, &subject);
	/* WHY: a certificate for somebody else under this key would make the key a CA */
	if (!km_der_item_is(&subject, issuer.p, issuer.len))
		km_derscan_fail(&tbs);
	own_spki(&tbs, c, x);
	if (km_derscan_more(&tbs)) {
		km_derscan_enter(&tbs, KM_DER_CONTEXT_3, &exts);
		extensions(&exts, 1);
		if (!km_derscan_end(&exts))
			km_derscan_fail(&tbs);
	}
	return km_derscan_end(&tbs) && km_derscan_end(&d) ? KM_OK : KM_E_CONTEXT;
}
