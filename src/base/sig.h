/* sig.h: Ed25519 identities, X25519 agreement, AEAD. The one strict verification rule of the mesh. */
#ifndef KM_BASE_SIG_H
#define KM_BASE_SIG_H

#include <stddef.h>
#include <stdint.h>
#include "err.h"
#include "limits.h"

void km_ed25519_public(const uint8_t priv[32], uint8_t pub[32]);
void km_ed25519_sign(const uint8_t pub[32], const uint8_t priv[32], const void *msg, size_t n, uint8_t sig[KM_SIG_SIZE]);
/* KM_OK or KM_E_VERIFY. Cofactorless, s < L, canonical A and R. WHY one rule for all: evidence must be true for
 * every judge or for none (attack A22). */
int km_ed25519_verify(const uint8_t pub[32], const void *msg, size_t n, const uint8_t sig[KM_SIG_SIZE]) KM_MUST;
/* KM_OK if the key is canonical, on the curve and not of small order, else KM_E_ENCODING. */
int km_ed25519_check_key(const uint8_t pub[32]) KM_MUST;

void km_x25519_public(const uint8_t priv[32], uint8_t pub[32]);
/* KM_E_VERIFY when the shared value is all zero (low-order public key). */
int km_x25519(const uint8_t priv[32], const uint8_t pub[32], uint8_t shared[32]) KM_MUST;

/* ChaCha20-Poly1305, 12-byte nonce, 16-byte tag after the ciphertext: out has n+16 bytes (seal), n-16 (open).
 * open: KM_E_SEAL on a wrong tag, output zeroed. */
void km_aead_seal(const uint8_t key[32], const uint8_t nonce[12], const void *aad, size_t aadlen, const void *in, size_t n, uint8_t *out);
int km_aead_open(const uint8_t key[32], const uint8_t nonce[12], const void *aad, size_t aadlen, const void *in, size_t n, uint8_t *out) KM_MUST;

#endif
