/* ctime_base.c: secrets in src/base. */
#include "ctime.h"
#include "base/hash.h"
#include "base/sig.h"
#include <string.h>

static void equal(const struct km_curve *c)
{
	uint8_t a[32] = { 1 }, b[32] = { 1 };
	int r;

	(void)c;
	ctime_taint(a, sizeof(a));
	for (unsigned i = 0; i < 3; i++) {
		b[31] = (uint8_t)i;
		r = km_equal_ct(a, b, sizeof(a));
		ctime_is_secret(&r, sizeof(r));
	}
}

static void stream(const struct km_curve *c)
{
	uint8_t seed[KM_SEED_SIZE] = { 7 }, out[200];
	struct km_rng rng;
	uint64_t v;

	(void)c;
	ctime_taint(seed, sizeof(seed));
	km_rng_init(&rng, seed, "test", "context", 7);
	km_rng_bytes(&rng, out, sizeof(out));
	v = km_rng_u64(&rng);
	ctime_is_secret(out, sizeof(out));
	ctime_is_secret(&v, sizeof(v));
	km_rng_clear(&rng);
}

static void hashing(const struct km_curve *c)
{
	uint8_t secret[100] = { 7 }, out[100];
	struct km_hash h;

	(void)c;
	ctime_taint(secret, sizeof(secret));
	km_hash_init(&h, "test");
	km_hash_field(&h, secret, sizeof(secret));
	km_hash_final_wide(&h, out, sizeof(out));
	ctime_is_secret(out, sizeof(out));
	km_hmac_sha256(secret, 32, secret, sizeof(secret), out);
	ctime_is_secret(out, KM_MAC_SIZE);
	km_kdf(secret, sizeof(secret), "test", "info", 4, out, sizeof(out));
	ctime_is_secret(out, sizeof(out));
}

static void sealing(const struct km_curve *c)
{
	uint8_t key[32] = { 3 }, nonce[12] = { 0 }, plain[70] = { 4 }, sealed[86];
	int err;

	(void)c;
	ctime_taint(key, sizeof(key));
	ctime_taint(plain, sizeof(plain));
	km_aead_seal(key, nonce, "aad", 3, plain, sizeof(plain), sealed);
	ctime_is_secret(sealed, sizeof(sealed));
	/* a ciphertext travels in the open; what it opens to does not */
	km_declassify(sealed, sizeof(sealed));
	err = km_aead_open(key, nonce, "aad", 3, sealed, sizeof(sealed), plain);
	ctime_is_secret(plain, sizeof(plain));
	(void)err;
}

static void identity(const struct km_curve *c)
{
	uint8_t priv[32] = { 5 }, pub[32], sig[KM_SIG_SIZE];

	(void)c;
	km_ed25519_public(priv, pub);
	ctime_taint(priv, sizeof(priv));
	km_ed25519_sign(pub, priv, "message", 7, sig);
	ctime_is_secret(sig, sizeof(sig));
	km_declassify(sig, sizeof(sig));
	if (km_ed25519_verify(pub, "message", 7, sig))
		ctime_fail();
}

/* What a frontend and a peer share, and the key of request authenticators made of it. */
static void agreement(const struct km_curve *c)
{
	uint8_t a[32] = { 5 }, b[32] = { 6 }, pub[32], shared[32], key[32];

	(void)c;
	ctime_taint(a, sizeof(a));
	km_x25519_public(a, pub);
	ctime_is_secret(pub, sizeof(pub));
	km_x25519_public(b, pub);
	if (km_x25519(a, pub, shared))
		ctime_fail();
	ctime_is_secret(shared, sizeof(shared));
	km_kdf(shared, sizeof(shared), "test", NULL, 0, key, sizeof(key));
	ctime_is_secret(key, sizeof(key));
}

const struct ctime_case ctime_base[] = {
	{ "km_equal_ct", equal, 0 },
	{ "km_rng", stream, 0 },
	{ "km_hash, km_hmac, km_kdf", hashing, 0 },
	{ "km_aead", sealing, 0 },
	{ "km_ed25519_sign", identity, 0 },
	{ "km_x25519", agreement, 0 },
	{ NULL, NULL, 0 },
};
