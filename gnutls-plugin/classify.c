/* classify.c: the two things a TLS server signs. Strict: the signers parse the bytes again and refuse what does not fit,
 * so a mistake here costs a handshake, never a signature. */
#include "config.h"
#include "plugin.h"

#include <string.h>
#include "base/context.h"

/* RFC 8446 4.4.3: 64 spaces, the context string, a zero byte, the transcript hash (SHA-256 or SHA-384). */
static int is_tls13_server(const uint8_t *p, size_t n)
{
	static const char label[] = "TLS 1.3, server CertificateVerify"; /* its NUL is the zero byte */
	size_t i;

	if (n != 64 + sizeof(label) + 32 && n != 64 + sizeof(label) + 48)
		return 0;
	for (i = 0; i < 64; i++)
		if (p[i] != 0x20)
			return 0;
	return memcmp(p + 64, label, sizeof(label)) == 0;
}

/* RFC 8422 5.4: client random, server random, ECParameters (named curve), ECPoint. */
static int is_tls12_server(const uint8_t *p, size_t n)
{
	static const struct {
		uint16_t group;
		uint8_t point; /* bytes */
		uint8_t sec1;  /* begins with 04 */
	} groups[] = {{23, 65, 1}, {24, 97, 1}, {25, 133, 1}, {29, 32, 0}, {30, 56, 0}};
	struct km_reader r;
	unsigned group;
	size_t len, i;

	km_reader_init(&r, p, n);
	km_get_ref(&r, 64);
	if (km_get_u8(&r) != 3)
		return 0;
	group = km_get_u16(&r);
	len = km_get_u8(&r);
	if (r.err || km_reader_left(&r) != len)
		return 0;
	for (i = 0; i < sizeof(groups) / sizeof(groups[0]); i++)
		if (groups[i].group == group)
			return groups[i].point == len && (!groups[i].sec1 || km_get_u8(&r) == 0x04);
	return 0;
}

unsigned kmg_classify(const uint8_t *data, size_t len)
{
	if (is_tls13_server(data, len))
		return KM_CTX_TLS13_SERVER;
	if (is_tls12_server(data, len))
		return KM_CTX_TLS12_SERVER;
	return 0;
}
