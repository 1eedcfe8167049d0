/* hash.c: the one place that calls Nettle's hash functions. */
#include "config.h"
#include "base/hash.h"

#include <string.h>
#include <nettle/hmac.h>
#include <nettle/version.h>
#include "base/err.h"
#include "base/secret.h"

/* Nettle 4 took the length off every digest function. */
#if NETTLE_VERSION_MAJOR >= 4
#define DIGEST(fn, ctx, n, out) fn(ctx, out)
#else
#define DIGEST(fn, ctx, n, out) fn(ctx, n, out)
#endif

#define PREFIX "keymesh/1/"

static void put_u32(uint8_t out[4], uint32_t v)
{
	for (unsigned i = 0; i < 4; i++)
		out[i] = (uint8_t)(v >> (24 - 8 * i));
}

/* Nettle's update may hand a NULL of no bytes to memcpy */
static void absorb(struct km_hash *h, const void *p, size_t n)
{
	if (n)
		sha256_update(&h->ctx, n, p);
}

static void absorb_length(struct km_hash *h, size_t n)
{
	uint8_t len[4];

	KM_ASSERT(n <= UINT32_MAX);
	put_u32(len, (uint32_t)n);
	absorb(h, len, sizeof(len));
}

void km_hash_init(struct km_hash *h, const char *purpose)
{
	size_t n = strlen(purpose);

	sha256_init(&h->ctx);
	absorb_length(h, sizeof(PREFIX) - 1 + n);
	absorb(h, PREFIX, sizeof(PREFIX) - 1);
	absorb(h, purpose, n);
}

void km_hash_field(struct km_hash *h, const void *p, size_t n)
{
	absorb_length(h, n);
	absorb(h, p, n);
}

static void field_be(struct km_hash *h, uint64_t v, unsigned n)
{
	uint8_t b[8];

	for (unsigned i = 0; i < n; i++)
		b[i] = (uint8_t)(v >> (8 * (n - 1 - i)));
	km_hash_field(h, b, n);
}

void km_hash_u8(struct km_hash *h, uint8_t v)
{
	field_be(h, v, 1);
}

void km_hash_u16(struct km_hash *h, uint16_t v)
{
	field_be(h, v, 2);
}

void km_hash_u32(struct km_hash *h, uint32_t v)
{
	field_be(h, v, 4);
}

void km_hash_u64(struct km_hash *h, uint64_t v)
{
	field_be(h, v, 8);
}

void km_hash_str(struct km_hash *h, const char *s)
{
	km_hash_field(h, s, strlen(s));
}

void km_hash_final(struct km_hash *h, uint8_t out[KM_HASH_SIZE])
{
	DIGEST(sha256_digest, &h->ctx, KM_HASH_SIZE, out);
	/* fields may have been secret */
	km_wipe(h, sizeof(*h));
}

void km_hash_final_wide(struct km_hash *h, uint8_t *out, size_t n)
{
	struct sha256_ctx ctx;
	uint8_t d[KM_HASH_SIZE], block[KM_HASH_SIZE], counter[4];

	KM_ASSERT(n <= 1024);
	km_hash_final(h, d);
	for (uint32_t i = 0; n; i++) {
		size_t take = n < sizeof(block) ? n : sizeof(block);

		put_u32(counter, i);
		sha256_init(&ctx);
		sha256_update(&ctx, sizeof(d), d);
		sha256_update(&ctx, sizeof(counter), counter);
		DIGEST(sha256_digest, &ctx, KM_HASH_SIZE, block);
		memcpy(out, block, take);
		out += take;
		n -= take;
	}
	km_wipe(&ctx, sizeof(ctx));
	km_wipe(d, sizeof(d));
	km_wipe(block, sizeof(block));
}

int km_sha2(unsigned bits, const void *p, size_t n, uint8_t *out)
{
	static const uint8_t nothing[1];
	const uint8_t *in = p ? p : nothing;

	if (bits == 256) {
		struct sha256_ctx c;

		sha256_init(&c);
		sha256_update(&c, n, in);
		DIGEST(sha256_digest, &c, 32, out);
	} else if (bits == 384) {
		struct sha384_ctx c;

		sha384_init(&c);
		sha384_update(&c, n, in);
		DIGEST(sha384_digest, &c, 48, out);
	} else if (bits == 512) {
		struct sha512_ctx c;

		sha512_init(&c);
		sha512_update(&c, n, in);
		DIGEST(sha512_digest, &c, 64, out);
	} else {
		return KM_E_INVAL;
	}
	return KM_OK;
}

static void hmac_start(struct hmac_sha256_ctx *c, const void *key, size_t keylen)
{
	static const uint8_t nothing[1];

	hmac_sha256_set_key(c, keylen, keylen ? key : nothing);
}

void km_hmac_sha256(const void *key, size_t keylen, const void *p, size_t n, uint8_t out[KM_MAC_SIZE])
{
	struct hmac_sha256_ctx c;

	hmac_start(&c, key, keylen);
	if (n)
		hmac_sha256_update(&c, n, p);
	DIGEST(hmac_sha256_digest, &c, KM_MAC_SIZE, out);
	km_wipe(&c, sizeof(c));
}

void km_kdf(const void *ikm, size_t ikmlen, const char *purpose, const void *info, size_t infolen, uint8_t *out, size_t n)
{
	struct hmac_sha256_ctx c;
	uint8_t prk[32], block[32];
	uint8_t salt[32] = { 0 };

	KM_ASSERT(n <= 255 * sizeof(block));
	km_hmac_sha256(salt, sizeof(salt), ikm, ikmlen, prk);
	for (unsigned i = 1; n; i++) {
		size_t take = n < sizeof(block) ? n : sizeof(block);
		uint8_t counter = (uint8_t)i, len[4];

		put_u32(len, (uint32_t)(sizeof(PREFIX) - 1 + strlen(purpose)));
		hmac_start(&c, prk, sizeof(prk));
		if (i > 1)
			hmac_sha256_update(&c, sizeof(block), block);
		/* the purpose is length-prefixed, so that no info bytes can move it */
		hmac_sha256_update(&c, sizeof(len), len);
		hmac_sha256_update(&c, sizeof(PREFIX) - 1, (const uint8_t *)PREFIX);
		hmac_sha256_update(&c, strlen(purpose), (const uint8_t *)purpose);
		if (infolen)
			hmac_sha256_update(&c, infolen, info);
		hmac_sha256_update(&c, 1, &counter);
		DIGEST(hmac_sha256_digest, &c, sizeof(block), block);
		memcpy(out, block, take);
		out += take;
		n -= take;
	}
	km_wipe(&c, sizeof(c));
	km_wipe(prk, sizeof(prk));
	km_wipe(block, sizeof(block));
}

static void merkle(uint8_t tag, const void *a, size_t an, const void *b, size_t bn, uint8_t out[KM_HASH_SIZE])
{
	struct sha256_ctx c;

	sha256_init(&c);
	sha256_update(&c, 1, &tag);
	if (an)
		sha256_update(&c, an, a);
	if (bn)
		sha256_update(&c, bn, b);
	DIGEST(sha256_digest, &c, KM_HASH_SIZE, out);
	/* a leaf may be a row of a private message: its last bytes stay in the block */
	km_wipe(&c, sizeof(c));
}

void km_merkle_leaf(const void *p, size_t n, uint8_t out[KM_HASH_SIZE])
{
	merkle(0, p, n, NULL, 0, out);
}

void km_merkle_node(const uint8_t left[KM_HASH_SIZE], const uint8_t right[KM_HASH_SIZE], uint8_t out[KM_HASH_SIZE])
{
	merkle(1, left, KM_HASH_SIZE, right, KM_HASH_SIZE, out);
}

/* Level by level, an odd last node moves up unchanged: the same tree as RFC 6962's split at the largest power of two
 * below n, without its recursion. */
void km_merkle_root(uint8_t *leaves, size_t n, uint8_t out[KM_HASH_SIZE])
{
	const size_t w = KM_HASH_SIZE;

	KM_ASSERT(n >= 1);
	while (n > 1) {
		size_t i;

		for (i = 0; i + 1 < n; i += 2)
			merkle(1, leaves + i * w, w, leaves + (i + 1) * w, w, leaves + i / 2 * w);
		if (i < n)
			memmove(leaves + i / 2 * w, leaves + i * w, w);
		n = (n + 1) / 2;
	}
	memcpy(out, leaves, w);
}

unsigned km_merkle_path(uint8_t *leaves, size_t n, size_t at, uint8_t (*path)[KM_HASH_SIZE])
{
	const size_t w = KM_HASH_SIZE;
	unsigned count = 0;

	KM_ASSERT(at < n);
	while (n > 1) {
		size_t i, beside = at ^ 1;

		/* a last node without a neighbour moves up and adds nothing to the path */
		if (beside < n)
			memcpy(path[count++], leaves + beside * w, w);
		for (i = 0; i + 1 < n; i += 2)
			merkle(1, leaves + i * w, w, leaves + (i + 1) * w, w, leaves + i / 2 * w);
		if (i < n)
			memmove(leaves + i / 2 * w, leaves + i * w, w);
		n = (n + 1) / 2;
		at /= 2;
	}
	return count;
}

int km_merkle_check(const uint8_t leaf[KM_HASH_SIZE], size_t at, size_t n, const uint8_t *path, unsigned count,
		    const uint8_t root[KM_HASH_SIZE])
{
	uint8_t node[KM_HASH_SIZE];

	if (at >= n)
		return KM_E_VERIFY;
	memcpy(node, leaf, sizeof(node));
	for (; n > 1; n = (n + 1) / 2, at /= 2) {
		if ((at ^ 1) >= n)
			continue;
		if (!count)
			return KM_E_VERIFY;
		if (at & 1)
			merkle(1, path, KM_HASH_SIZE, node, KM_HASH_SIZE, node);
		else
			merkle(1, node, KM_HASH_SIZE, path, KM_HASH_SIZE, node);
		path += KM_HASH_SIZE;
		count--;
	}
	return !count && memcmp(node, root, KM_HASH_SIZE) == 0 ? KM_OK : KM_E_VERIFY;
}
