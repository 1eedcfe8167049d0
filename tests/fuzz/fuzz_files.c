/* What the daemon reads from its disk: sealed files and identities. Input: kind (0 sealed, else identity) | content. */
#include "config.h"
#include "fuzz.h"
#include "base/secret.h"
#include "mesh/identity.h"
#include "mesh/seal.h"

const char fuzz_name[] = "files";
const unsigned fuzz_rounds = 3000;

static const uint8_t key[32] = {1, 2, 3}, nonce[12] = {4};
static const char plain[] = "a share";

static int sealed(const uint8_t *data, size_t size)
{
	struct kmd_fail f;
	uint8_t *out;
	size_t len;
	int err = kmd_unseal(&out, &len, key, "share", data, size, &f);

	/* only what we sealed opens */
	KM_ASSERT(err ? !out && !len : len == sizeof(plain) && !memcmp(out, plain, len));
	km_secret_free(out);
	return !err;
}

static int identity(const uint8_t *data, size_t size)
{
	struct kmd_identity id, back;
	char text[KMD_IDENTITY_TEXT], *copy = malloc(size + 1);
	struct kmd_fail f;
	int err;

	KM_ASSERT(copy);
	memcpy(copy, data, size);
	copy[size] = '\0';
	err = kmd_identity_parse(&id, copy, &f);
	free(copy);
	if (err)
		return 0;
	kmd_identity_format(text, &id);
	KM_ASSERT(!kmd_identity_parse(&back, text, &f) && !memcmp(&id, &back, sizeof(id)));
	return 1;
}

int fuzz_one(const uint8_t *data, size_t size)
{
	if (!size)
		return 0;
	return data[0] ? identity(data + 1, size - 1) : sealed(data + 1, size - 1);
}

void fuzz_seeds(fuzz_emit_fn *emit, void *ctx)
{
	struct kmd_identity id = {.channel_priv = {9}};
	char text[KMD_IDENTITY_TEXT + 1] = "\1";
	struct km_buf b;

	km_buf_init(&b);
	km_put_u8(&b, 0);
	/* kmd_seal appends, so the kind may stand before it */
	KM_ASSERT(!kmd_seal(&b, key, "share", nonce, plain, sizeof(plain)));
	emit(ctx, "sealed", b.data, b.len);
	km_buf_clear(&b);
	emit(ctx, "identity", (uint8_t *)text, 1 + kmd_identity_format(text + 1, &id));
}
