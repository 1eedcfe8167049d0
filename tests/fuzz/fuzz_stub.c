/* Key files and signatures that servers hand to the plugin. Input: kind | DER. */
#include "fuzz.h"
#include "rpc/der.h"
#include "rpc/rpc.h"
#include "rpc/stubkey.h"

const char fuzz_name[] = "stub";
const unsigned fuzz_rounds = 8000;

static int stub(const uint8_t *der, size_t len)
{
	const uint8_t *point;
	size_t point_len;
	unsigned curve;
	struct km_buf b;

	if (km_stub_get_der(der, len, &curve, &point, &point_len) != KM_OK)
		return 0;
	KM_ASSERT(point >= der && point + point_len <= der + len && point_len == 1 + 2 * km_rpc_scalar_size(curve));
	km_buf_init(&b);
	int err = km_stub_put_der(&b, curve, point, point_len);
	KM_ASSERT(!err && b.len == len && memcmp(b.data, der, len) == 0);
	km_buf_clear(&b);
	return 1;
}

static int signature(const uint8_t *der, size_t len, size_t size)
{
	uint8_t r[KM_SCALAR_MAX], s[KM_SCALAR_MAX];
	struct km_buf b;

	if (km_der_get_signature(der, len, r, s, size) != KM_OK)
		return 0;
	km_buf_init(&b);
	int err = km_der_put_signature(&b, r, s, size);
	/* zero is well-formed DER, and no signature */
	KM_ASSERT(err == KM_E_DEGENERATE || (!err && b.len == len && memcmp(b.data, der, len) == 0));
	km_buf_clear(&b);
	return !err;
}

int fuzz_one(const uint8_t *data, size_t size)
{
	static const size_t sizes[] = { 32, 48, 66 };

	if (!size)
		return 0;
	if (data[0] & 1)
		return stub(data + 1, size - 1);
	return signature(data + 1, size - 1, sizes[(data[0] >> 1) % 3]);
}

void fuzz_seeds(fuzz_emit_fn *emit, void *ctx)
{
	static const char *const names[] = { "stub-P-256", "stub-P-384", "stub-P-521" };
	uint8_t point[1 + 2 * KM_SCALAR_MAX] = { 4 }, r[KM_SCALAR_MAX], s[KM_SCALAR_MAX];
	struct km_buf b;
	int err;

	memset(r, 0x91, sizeof(r));
	memset(s, 0x12, sizeof(s));
	km_buf_init(&b);
	for (unsigned curve = 1; curve <= 3; curve++) {
		km_put_u8(&b, 1);
		err = km_stub_put_der(&b, curve, point, 1 + 2 * km_rpc_scalar_size(curve));
		KM_ASSERT(!err);
		emit(ctx, names[curve - 1], b.data, b.len);
		km_buf_reset(&b);
	}
	km_put_u8(&b, 0);
	err = km_der_put_signature(&b, r, s, 32);
	KM_ASSERT(!err);
	emit(ctx, "signature-32", b.data, b.len);
	km_buf_reset(&b);
	km_put_u8(&b, 4);
	err = km_der_put_signature(&b, r, s, 66);
	KM_ASSERT(!err);
	emit(ctx, "signature-66", b.data, b.len);
	km_buf_clear(&b);
}
