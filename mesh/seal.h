/* seal.h: how a share looks on the disk.
 *
 *	magic "KMSEAL" | version u16 = 1 | key tag 8 | nonce 12 | length u32 | ciphertext and tag, length + 16 bytes | sum 8
 *
 * ChaCha20-Poly1305 under a key derived from the sealing key and the file's name; all before the ciphertext is associated data.
 *The key tag names the sealing key, the sum is the start of a SHA-256 over all before it: neither protects, they tell the
 *operator a wrong key, a damaged file and a forged one apart. */
#ifndef KMD_SEAL_H
#define KMD_SEAL_H

#include <stddef.h>
#include <stdint.h>
#include "base/buf.h"
#include "mesh/fail.h"

#define KMD_SEAL_VERSION 1
#define KMD_SEAL_HEAD (6 + 2 + 8 + 12 + 4)
#define KMD_SEAL_OVERHEAD (KMD_SEAL_HEAD + 16 + 8)
#define KMD_SEAL_MAX (16u * 1024 * 1024)
#define KMD_SEAL_TAG 8

/* What names a sealing key to people, as hex. */
void kmd_seal_key_tag(uint8_t out[KMD_SEAL_TAG], const uint8_t key[32]);
/* 1 when a file says that it was sealed under this key. */
int kmd_seal_is_under(const uint8_t *p, size_t len, const uint8_t key[32]);

/* Appends the sealed form of data to out; nonce must be fresh. Returns out's sticky error. */
int kmd_seal(struct km_buf *out, const uint8_t key[32], const char *name, const uint8_t nonce[12], const void *data,
	     size_t len) KM_MUST;
/* Opens p. plain: in the secret arena, owned by the caller (km_secret_free). KM_E_SEAL (f says which of the cases), KM_E_VERSION,
 * KM_E_NOMEM. */
int kmd_unseal(uint8_t **plain, size_t *plain_len, const uint8_t key[32], const char *name, const uint8_t *p, size_t len,
	       struct kmd_fail *f) KM_MUST;

#endif
