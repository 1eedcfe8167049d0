/* What a key may sign: the parsers of every context. Input: context u8 | bytes.
 * The seeds csr and x509-self of the corpus are to-be-signed structures made by GnuTLS for the key below. */
#include "fuzz.h"
#include "node/policy.h"

const char fuzz_name[] = "context";
const unsigned fuzz_rounds = 20000;

#define CONTEXTS 10

/* X = 4711 G on P-256: the point that the X.509 seeds carry. */
static const struct km_point *key(void)
{
	static struct km_point x;
	static int done;
	struct km_scalar s;
	struct km_secret k;

	if (!done) {
		km_scalar_set_u32(&s, 4711);
		km_secret_from_public(&k, &s);
		km_point_mul_g(km_curve_p256(), &x, &k);
		done = 1;
	}
	return &x;
}

int fuzz_one(const uint8_t *data, size_t size)
{
	const struct km_curve *c = km_curve_p256();
	uint32_t all = 0;
	unsigned fits = 0;

	if (!size)
		return 0;
	unsigned context = data[0];
	int parsed = km_context_parse(context, c, key(), data + 1, size - 1) == KM_OK;
	for (unsigned i = 1; i <= CONTEXTS; i++) {
		fits += km_context_parse(i, c, key(), data + 1, size - 1) == KM_OK;
		all |= km_context_bit(i);
	}
	/* bytes that fit two contexts are refused under both */
	int checked = km_context_check(all, context, c, key(), data + 1, size - 1) == KM_OK;
	KM_ASSERT(!checked || (parsed && fits == 1));
	KM_ASSERT(km_context_check(all & ~km_context_bit(context), context, c, key(), data + 1, size - 1) != KM_OK);
	KM_ASSERT(km_context_check(0, context, c, key(), data + 1, size - 1) != KM_OK);
	return checked;
}

static void tls12(fuzz_emit_fn *emit, void *ctx, const char *name, uint8_t group, uint8_t len)
{
	uint8_t buf[1 + 64 + 4 + 133] = { KM_CTX_TLS12_SERVER };

	memset(buf + 1, 0x77, 64);
	buf[65] = 3;
	buf[67] = group;
	buf[68] = len;
	buf[69] = 4;
	emit(ctx, name, buf, 69 + (size_t)len);
}

void fuzz_seeds(fuzz_emit_fn *emit, void *ctx)
{
	static const char said[] = "TLS 1.3, server CertificateVerify";
	static const char *const names[] = { "tls13-sha256", "tls13-sha384", "tls13-sha512" };
	uint8_t buf[1 + 64 + sizeof(said) + 64] = { KM_CTX_TLS13_SERVER };

	memset(buf + 1, 0x20, 64);
	memcpy(buf + 65, said, sizeof(said));
	for (unsigned i = 0; i < 3; i++)
		emit(ctx, names[i], buf, 65 + sizeof(said) + 32 + 16 * i);
	tls12(emit, ctx, "tls12-p256", 23, 65);
	tls12(emit, ctx, "tls12-x25519", 29, 32);
}
