/* seal.c: see seal.h. */
#include "config.h"
#include "mesh/seal.h"

#include <string.h>
#include "base/hash.h"
#include "base/secret.h"
#include "base/sig.h"
#include "mesh/files.h"

static const uint8_t magic[6] = {'K', 'M', 'S', 'E', 'A', 'L'};

/* WHY the name is in the key: a file put in the place of another must not open there. */
static void file_key(uint8_t out[32], const uint8_t key[32], const char *name)
{
	km_kdf(key, 32, "seal", name, strlen(name), out, 32);
}

void kmd_seal_key_tag(uint8_t out[KMD_SEAL_TAG], const uint8_t key[32])
{
	km_kdf(key, 32, "seal-tag", NULL, 0, out, KMD_SEAL_TAG);
	km_declassify(out, KMD_SEAL_TAG);
}

int kmd_seal_is_under(const uint8_t *p, size_t len, const uint8_t key[32])
{
	uint8_t tag[KMD_SEAL_TAG];

	kmd_seal_key_tag(tag, key);
	return len >= KMD_SEAL_OVERHEAD && !memcmp(p + 8, tag, sizeof(tag));
}

static int sum(uint8_t out[8], const uint8_t *p, size_t len)
{
	uint8_t digest[32];
	int err = km_sha2(256, p, len, digest);

	memcpy(out, digest, 8);
	return err;
}

int kmd_seal(struct km_buf *out, const uint8_t key[32], const char *name, const uint8_t nonce[12], const void *data, size_t len)
{
	size_t start = out->len;
	uint8_t fk[32], tag[8], *room;

	if (len > KMD_SEAL_MAX)
		return KM_E_LIMIT;
	kmd_seal_key_tag(tag, key);
	km_put_bytes(out, magic, sizeof(magic));
	km_put_u16(out, KMD_SEAL_VERSION);
	km_put_bytes(out, tag, sizeof(tag));
	km_put_bytes(out, nonce, 12);
	km_put_u32(out, (uint32_t)len);
	room = km_put_room(out, len + 16);
	if (!room)
		return out->err;
	file_key(fk, key, name);
	km_aead_seal(fk, nonce, out->data + start, KMD_SEAL_HEAD, data, len, room);
	km_wipe(fk, sizeof(fk));
	if (sum(tag, out->data + start, KMD_SEAL_HEAD + len + 16))
		return KM_E_INVAL;
	km_put_bytes(out, tag, sizeof(tag));
	return out->err;
}

static int unseal_check(const uint8_t key[32], const char *name, const uint8_t *p, size_t len, size_t *plain_len,
			struct kmd_fail *f)
{
	char wanted[2 * KMD_SEAL_TAG + 1], given[2 * KMD_SEAL_TAG + 1];
	uint8_t tag[8];
	struct km_reader r;
	unsigned version;

	km_reader_init(&r, p, len);
	if (len < KMD_SEAL_OVERHEAD)
		return kmd_fail(f, KM_E_SEAL, "%s is truncated: %zu bytes, less than any sealed file; restore it from a backup",
				name, len);
	if (memcmp(km_get_ref(&r, sizeof(magic)), magic, sizeof(magic)))
		return kmd_fail(f, KM_E_SEAL,
				"%s is damaged or no sealed file: it does not begin with KMSEAL; restore it from a backup", name);
	version = km_get_u16(&r);
	if (version != KMD_SEAL_VERSION)
		return kmd_fail(f, KM_E_VERSION, "%s has version %u of the sealed format, this keymesh knows %u", name, version,
				KMD_SEAL_VERSION);
	(void)km_get_ref(&r, 8 + 12);
	*plain_len = km_get_u32(&r);
	if (len - KMD_SEAL_OVERHEAD < *plain_len)
		return kmd_fail(f, KM_E_SEAL, "%s is truncated: %zu of %zu bytes; restore it from a backup", name, len,
				*plain_len + KMD_SEAL_OVERHEAD);
	if (sum(tag, p, len - 8) || len - KMD_SEAL_OVERHEAD != *plain_len || memcmp(tag, p + len - 8, 8))
		return kmd_fail(f, KM_E_SEAL,
				"%s is damaged: its bytes changed since they were written; restore it from a backup", name);
	kmd_seal_key_tag(tag, key);
	if (memcmp(tag, p + 8, 8)) {
		kmd_hex_encode(wanted, p + 8, 8);
		kmd_hex_encode(given, tag, 8);
		return kmd_fail(f, KM_E_SEAL,
				"%s was sealed under another key: it wants key %s, the one given is %s; give keymeshd the sealing key "
				"that this state was made with (for another one: start with that one, then keymesh reseal)",
				name, wanted, given);
	}
	return KM_OK;
}

int kmd_unseal(uint8_t **plain, size_t *plain_len, const uint8_t key[32], const char *name, const uint8_t *p, size_t len,
	       struct kmd_fail *f)
{
	uint8_t fk[32], *out;
	size_t n = 0;
	int err;

	*plain = NULL;
	*plain_len = 0;
	err = unseal_check(key, name, p, len, &n, f);
	if (err)
		return err;
	out = km_secret_alloc(n + 1);
	if (!out)
		return kmd_fail(f, KM_E_NOMEM, "%s: no locked memory for its %zu bytes (see ulimit -l)", name, n);
	file_key(fk, key, name);
	err = km_aead_open(fk, p + 16, p, KMD_SEAL_HEAD, p + KMD_SEAL_HEAD, n + 16, out);
	km_wipe(fk, sizeof(fk));
	if (err) {
		km_secret_free(out);
		return kmd_fail(f, KM_E_SEAL,
				"%s does not authenticate: it is another file's content or was forged; restore it from a backup",
				name);
	}
	*plain = out;
	*plain_len = n;
	return KM_OK;
}
