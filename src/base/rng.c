/* rng.c: a ChaCha20 stream per (seed, label, context). */
#include "config.h"
#include "base/rng.h"

#include <string.h>
#include "base/err.h"
#include "base/hash.h"
#include "base/secret.h"

#define LABEL_MAX 64

void km_rng_init(struct km_rng *r, const uint8_t seed[KM_SEED_SIZE], const char *label, const void *context, size_t len)
{
	char purpose[4 + LABEL_MAX + 1] = "rng/";
	uint8_t key[KM_HASH_SIZE];
	static const uint8_t nonce[CHACHA_NONCE_SIZE];
	struct km_hash h;
	size_t n = strlen(label);

	KM_ASSERT(n <= LABEL_MAX);
	memcpy(purpose + 4, label, n);
	km_hash_init(&h, purpose);
	km_hash_field(&h, seed, KM_SEED_SIZE);
	km_hash_field(&h, context, len);
	km_hash_final(&h, key);
	chacha_set_key(&r->chacha, key);
	/* the 64-bit nonce of the original cipher, so the block counter has 64 bits: no stream ever wraps */
	chacha_set_nonce(&r->chacha, nonce);
	memset(r->block, 0, sizeof(r->block));
	r->used = sizeof(r->block);
	km_wipe(key, sizeof(key));
}

void km_rng_bytes(struct km_rng *r, void *out, size_t n)
{
	uint8_t *p = out;

	while (n) {
		size_t take = sizeof(r->block) - r->used;

		if (take) {
			take = take < n ? take : n;
			memcpy(p, r->block + r->used, take);
			/* what was given out is not kept */
			memset(r->block + r->used, 0, take);
			r->used += (unsigned)take;
		} else if (n >= sizeof(r->block)) {
			take = n - n % sizeof(r->block);
			memset(p, 0, take);
			chacha_crypt(&r->chacha, take, p, p);
		} else {
			memset(r->block, 0, sizeof(r->block));
			chacha_crypt(&r->chacha, sizeof(r->block), r->block, r->block);
			r->used = 0;
		}
		p += take;
		n -= take;
	}
}

uint64_t km_rng_u64(struct km_rng *r)
{
	uint8_t b[8];
	uint64_t v = 0;

	km_rng_bytes(r, b, sizeof(b));
	for (unsigned i = 0; i < 8; i++)
		v = v << 8 | b[i];
	return v;
}

uint64_t km_rng_below(struct km_rng *r, uint64_t n)
{
	uint64_t v, skip;

	KM_ASSERT(n > 0);
	/* 2^64 mod n values are too many for equal shares; refuse the lowest ones */
	skip = (0 - n) % n;
	do {
		v = km_rng_u64(r);
	} while (v < skip);
	return v % n;
}

void km_rng_clear(struct km_rng *r)
{
	km_wipe(r, sizeof(*r));
}

void km_rng_nettle(void *rng, size_t n, uint8_t *out)
{
	km_rng_bytes(rng, out, n);
}
