/* policy.c: which bytes a context allows. The TLS contexts here, the X.509 ones in policy_x509.c. */
#include "config.h"
#include "node/policy.h"

#include <string.h>
#include "base/rules.h"
#include "node/policy_impl.h"

/* RFC 8446, 4.4.3: 64 spaces, the server's context string, a zero byte, the transcript hash. */
static int parse_tls13_server(const uint8_t *p, size_t n)
{
	static const char said[] = "TLS 1.3, server CertificateVerify"; /* its terminator is the separator */
	const size_t head = 64 + sizeof(said);

	if (n != head + 32 && n != head + 48 && n != head + 64)
		return KM_E_CONTEXT;
	for (size_t i = 0; i < 64; i++)
		if (p[i] != 0x20)
			return KM_E_CONTEXT;
	return memcmp(p + 64, said, sizeof(said)) ? KM_E_CONTEXT : KM_OK;
}

/* RFC 8422, 5.4: both randoms, then ECParameters (named curve) and the ECPoint of the server's ephemeral key. */
static int parse_tls12_server(const uint8_t *p, size_t n)
{
	static const struct {
		uint16_t group;
		uint8_t point;
	} groups[] = {
		{ 23, 65 }, { 24, 97 }, { 25, 133 }, /* secp256r1, secp384r1, secp521r1: uncompressed */
		{ 29, 32 }, { 30, 56 },              /* x25519, x448 */
	};
	uint16_t group;

	if (n < 68 || p[64] != 3)
		return KM_E_CONTEXT;
	group = (uint16_t)(p[65] << 8 | p[66]);
	for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++) {
		if (groups[i].group != group)
			continue;
		if (p[67] != groups[i].point || n != 68 + (size_t)groups[i].point)
			return KM_E_CONTEXT;
		return group <= 25 && p[68] != 4 ? KM_E_CONTEXT : KM_OK;
	}
	return KM_E_CONTEXT;
}

int km_context_parse(unsigned context, const struct km_curve *c, const struct km_point *x, const uint8_t *bytes, size_t len)
{
	if (!bytes || !len || len > KM_MAX_REQUEST_BYTES)
		return KM_E_CONTEXT;
	switch (context) {
	case KM_CTX_TLS13_SERVER:
		return parse_tls13_server(bytes, len);
	case KM_CTX_TLS12_SERVER:
		return parse_tls12_server(bytes, len);
	case KM_CTX_CSR:
		return km_policy_parse_csr(c, x, bytes, len);
	case KM_CTX_X509_SELF:
		return km_policy_parse_x509_self(c, x, bytes, len);
	default:
		return KM_E_CONTEXT;
	}
}

int km_context_check(uint32_t allowed, unsigned context, const struct km_curve *c, const struct km_point *x, const uint8_t *bytes, size_t len)
{
	/* a canary is made by the peers for themselves and never on request */
	if (context == KM_CTX_CANARY || !km_context_name(context) || !(allowed & km_context_bit(context)))
		return KM_E_RIGHTS;
	if (km_context_parse(context, c, x, bytes, len))
		return KM_E_CONTEXT;
	for (unsigned other = 1; other <= 31; other++) {
		if (other == context || !(allowed & km_context_bit(other)))
			continue;
		/* WHY: bytes with two readings are asked for under the harmless one and used under the other (attack B27) */
		if (KM_RULE(km_rule_one_context) && !km_context_parse(other, c, x, bytes, len))
			return KM_E_CONTEXT;
	}
	return KM_OK;
}
