/* sig.c: Ed25519, X25519 and ChaCha20-Poly1305 over Nettle. */
#include "config.h"
#include "base/sig.h"

#include <string.h>
#include <nettle/chacha-poly1305.h>
#include <nettle/curve25519.h>
#include <nettle/eddsa.h>
#include <nettle/version.h>
#include "base/edpoint.h"
#include "base/secret.h"

#define TAG 16

static const uint8_t nothing[1];

void km_ed25519_public(const uint8_t priv[32], uint8_t pub[32])
{
	ed25519_sha512_public_key(pub, priv);
}

void km_ed25519_sign(const uint8_t pub[32], const uint8_t priv[32], const void *msg, size_t n, uint8_t sig[KM_SIG_SIZE])
{
	ed25519_sha512_sign(pub, priv, n, n ? msg : nothing, sig);
}

/* Libraries differ in what they accept beyond the honest signature; whatever is refused here is refused before Nettle
 * sees it, so the rule does not move with its version. */
int km_ed25519_verify(const uint8_t pub[32], const void *msg, size_t n, const uint8_t sig[KM_SIG_SIZE])
{
	if (!km_edpoint_canonical(pub) || !km_edpoint_canonical(sig) || !km_edscalar_canonical(sig + 32))
		return KM_E_VERIFY;
	return ed25519_sha512_verify(pub, n, n ? msg : nothing, sig) ? KM_OK : KM_E_VERIFY;
}

int km_ed25519_check_key(const uint8_t pub[32])
{
	if (!km_edpoint_canonical(pub) || !km_edpoint_on_curve(pub) || km_edpoint_small_order(pub))
		return KM_E_ENCODING;
	return KM_OK;
}

void km_x25519_public(const uint8_t priv[32], uint8_t pub[32])
{
	curve25519_mul_g(pub, priv);
}

int km_x25519(const uint8_t priv[32], const uint8_t pub[32], uint8_t shared[32])
{
	static const uint8_t zero[32];
	int degenerate;

	curve25519_mul(shared, priv, pub);
	degenerate = km_equal_ct(shared, zero, 32);
	/* depends on the public key alone: only a low-order one gives zero */
	km_declassify(&degenerate, sizeof(degenerate));
	return degenerate ? KM_E_VERIFY : KM_OK;
}

static void aead_start(struct chacha_poly1305_ctx *c, const uint8_t key[32], const uint8_t nonce[12], const void *aad, size_t aadlen)
{
	chacha_poly1305_set_key(c, key);
	chacha_poly1305_set_nonce(c, nonce);
	if (aadlen)
		chacha_poly1305_update(c, aadlen, aad);
}

static void aead_tag(struct chacha_poly1305_ctx *c, uint8_t tag[TAG])
{
#if NETTLE_VERSION_MAJOR >= 4
	chacha_poly1305_digest(c, tag);
#else
	chacha_poly1305_digest(c, TAG, tag);
#endif
	km_wipe(c, sizeof(*c));
}

void km_aead_seal(const uint8_t key[32], const uint8_t nonce[12], const void *aad, size_t aadlen, const void *in, size_t n, uint8_t *out)
{
	struct chacha_poly1305_ctx c;

	aead_start(&c, key, nonce, aad, aadlen);
	if (n)
		chacha_poly1305_encrypt(&c, n, out, in);
	aead_tag(&c, out + n);
}

int km_aead_open(const uint8_t key[32], const uint8_t nonce[12], const void *aad, size_t aadlen, const void *in, size_t n, uint8_t *out)
{
	struct chacha_poly1305_ctx c;
	uint8_t tag[TAG], given[TAG];
	int same;

	if (n < TAG)
		return KM_E_SEAL;
	n -= TAG;
	/* taken first: out may be the same memory as in */
	memcpy(given, (const uint8_t *)in + n, TAG);
	aead_start(&c, key, nonce, aad, aadlen);
	if (n)
		chacha_poly1305_decrypt(&c, n, out, in);
	aead_tag(&c, tag);
	same = km_equal_ct(tag, given, TAG);
	km_declassify(&same, sizeof(same));
	km_wipe(tag, sizeof(tag));
	if (same)
		return KM_OK;
	if (n)
		memset(out, 0, n);
	return KM_E_SEAL;
}
