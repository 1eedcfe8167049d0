/* stubkey.c: writes and recognises key files without a secret, see stubkey.h. */
#include "config.h"
#include "rpc/stubkey.h"

#include <string.h>
#include <nettle/base64.h>
#include "rpc/der.h"
#include "rpc/rpc.h"

#define SENTINEL "keymesh stub, no secret in here."
#define SENTINEL_SIZE (sizeof(SENTINEL) - 1)
_Static_assert(SENTINEL_SIZE == 32, "the sentinel fills a scalar of the smallest curve");

/* AlgorithmIdentifier { id-ecPublicKey, namedCurve }, whole, by enum km_curve_id (RFC 5480 2.1.1). */
static const uint8_t algorithm_p256[] = {0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01,
					 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07};
static const uint8_t algorithm_p384[] = {0x30, 0x10, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d,
					 0x02, 0x01, 0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x22};
static const uint8_t algorithm_p521[] = {0x30, 0x10, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d,
					 0x02, 0x01, 0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x23};

static const struct {
	const uint8_t *p;
	size_t n;
} algorithms[] = {
    {NULL, 0},
    {algorithm_p256, sizeof(algorithm_p256)},
    {algorithm_p384, sizeof(algorithm_p384)},
    {algorithm_p521, sizeof(algorithm_p521)},
};

size_t km_stub_scalar(unsigned curve, uint8_t out[KM_SCALAR_MAX])
{
	size_t size = km_rpc_scalar_size(curve);

	if (size == 0)
		return 0;
	memset(out, 0, size);
	memcpy(out + size - SENTINEL_SIZE, SENTINEL, SENTINEL_SIZE);
	return size;
}

/* WHY no early exit: d is the secret of whatever key a server loaded. */
int km_stub_is_scalar(const uint8_t *d, size_t size)
{
	static const char sentinel[] = SENTINEL;
	unsigned diff = 0;
	size_t i;

	if (size < SENTINEL_SIZE)
		return 0;
	for (i = 0; i < size - SENTINEL_SIZE; i++)
		diff |= d[i];
	for (i = 0; i < SENTINEL_SIZE; i++)
		diff |= d[size - SENTINEL_SIZE + i] ^ (uint8_t)sentinel[i];
	return diff == 0;
}

static size_t with_head(size_t n)
{
	return n + (n < 0x80 ? 2 : n < 0x100 ? 3 : 4);
}

/*	PrivateKeyInfo ::= SEQUENCE { 0, AlgorithmIdentifier, OCTET STRING of
 *		ECPrivateKey ::= SEQUENCE { 1, OCTET STRING d, [1] { BIT STRING point } } }
 */
int km_stub_put_der(struct km_buf *b, unsigned curve, const uint8_t *point, size_t point_len)
{
	uint8_t d[KM_SCALAR_MAX];
	size_t size = km_stub_scalar(curve, d), bits, tagged, inner, outer;

	if (size == 0 || point_len != 1 + 2 * size || point[0] != 0x04)
		return KM_E_INVAL;
	bits = 1 + point_len;
	tagged = with_head(bits);
	inner = 3 + with_head(size) + with_head(tagged);
	outer = 3 + algorithms[curve].n + with_head(with_head(inner));
	km_der_put_head(b, 0x30, outer);
	km_put_bytes(b, "\x02\x01\x00", 3);
	km_put_bytes(b, algorithms[curve].p, algorithms[curve].n);
	km_der_put_head(b, 0x04, with_head(inner));
	km_der_put_head(b, 0x30, inner);
	km_put_bytes(b, "\x02\x01\x01", 3);
	km_der_put_head(b, 0x04, size);
	km_put_bytes(b, d, size);
	km_der_put_head(b, 0xa1, tagged);
	km_der_put_head(b, 0x03, bits);
	km_put_u8(b, 0);
	km_put_bytes(b, point, point_len);
	return b->err;
}

int km_stub_put_pem(struct km_buf *b, unsigned curve, const uint8_t *point, size_t point_len)
{
	static const char head[] = "A key of keymesh: no secret in this file, the mesh signs (libgnutls-keymesh.so).\n"
				   "-----BEGIN PRIVATE KEY-----\n";
	static const char tail[] = "-----END PRIVATE KEY-----\n";
	uint8_t mem[512];
	char line[BASE64_ENCODE_RAW_LENGTH(48)];
	struct km_buf der;
	size_t at, n;
	int err;

	km_buf_init_fixed(&der, mem, sizeof(mem));
	err = km_stub_put_der(&der, curve, point, point_len);
	if (err)
		return err;
	km_put_bytes(b, head, sizeof(head) - 1);
	for (at = 0; at < der.len; at += n) {
		n = der.len - at < 48 ? der.len - at : 48;
		base64_encode_raw(line, n, mem + at);
		km_put_bytes(b, line, BASE64_ENCODE_RAW_LENGTH(n));
		km_put_u8(b, '\n');
	}
	km_put_bytes(b, tail, sizeof(tail) - 1);
	return b->err;
}

/* The point is the tail of the file; so: write the stub of that point and compare. */
int km_stub_get_der(const uint8_t *der, size_t len, unsigned *curve, const uint8_t **point, size_t *point_len)
{
	uint8_t mem[512];
	struct km_buf b;

	*point = NULL;
	*point_len = 0;
	for (*curve = 1; km_rpc_scalar_size(*curve) != 0; (*curve)++) {
		size_t n = 1 + 2 * km_rpc_scalar_size(*curve);

		if (len < n)
			continue;
		km_buf_init_fixed(&b, mem, sizeof(mem));
		if (km_stub_put_der(&b, *curve, der + len - n, n) == KM_OK && b.len == len && memcmp(mem, der, len) == 0) {
			*point = der + len - n;
			*point_len = n;
			return KM_OK;
		}
	}
	*curve = 0;
	return KM_E_MISMATCH;
}
