/* hash.h: domain-separated hashing. The one place that calls Nettle's hash functions.
 *
 * H(purpose, f1, f2, ...) = SHA-256("keymesh/1/" purpose as a length-prefixed field, then every field with
 * its length as u32 before it). Injective: no two lists of fields give the same input (attack B15). */
#ifndef KM_BASE_HASH_H
#define KM_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>
#include <nettle/sha2.h>
#include "err.h"
#include "limits.h"

struct km_hash {
	struct sha256_ctx ctx;
};

void km_hash_init(struct km_hash *h, const char *purpose);
void km_hash_field(struct km_hash *h, const void *p, size_t n);
void km_hash_u8(struct km_hash *h, uint8_t v);      /* each a field of its fixed width */
void km_hash_u16(struct km_hash *h, uint16_t v);
void km_hash_u32(struct km_hash *h, uint32_t v);
void km_hash_u64(struct km_hash *h, uint64_t v);
void km_hash_str(struct km_hash *h, const char *s);
void km_hash_final(struct km_hash *h, uint8_t out[KM_HASH_SIZE]);
/* Wide output by counter: out = SHA-256(d|0) | SHA-256(d|1) ..., d the digest of the fields; any n <= 1024.
 * Scalars are reduced from bits(q)+128 bits of this (attack B28). */
void km_hash_final_wide(struct km_hash *h, uint8_t *out, size_t n);

/* Plain SHA-2 of bytes, as an external format asks for it. bits is 256, 384 or 512; out has bits/8 bytes. */
int km_sha2(unsigned bits, const void *p, size_t n, uint8_t *out) KM_MUST;
void km_hmac_sha256(const void *key, size_t keylen, const void *p, size_t n, uint8_t out[KM_MAC_SIZE]);
/* HKDF-SHA256 (RFC 5869), empty salt, info = "keymesh/1/" purpose; n <= 255*32. */
void km_kdf(const void *ikm, size_t ikmlen, const char *purpose, const void *info, size_t infolen, uint8_t *out, size_t n);

/* Merkle tree (RFC 6962 shape): leaf H(0x00|bytes), node H(0x01|l|r), plain SHA-256. */
#define KM_MERKLE_PATH_MAX 32
void km_merkle_leaf(const void *p, size_t n, uint8_t out[KM_HASH_SIZE]);
void km_merkle_node(const uint8_t left[KM_HASH_SIZE], const uint8_t right[KM_HASH_SIZE], uint8_t out[KM_HASH_SIZE]);
/* Root over n >= 1 leaf hashes; leaves (n * 32 bytes) are overwritten as scratch. */
void km_merkle_root(uint8_t *leaves, size_t n, uint8_t out[KM_HASH_SIZE]);
/* The siblings of leaf `at` < n, from the bottom up; leaves are overwritten. Returns how many: at most KM_MERKLE_PATH_MAX. */
unsigned km_merkle_path(uint8_t *leaves, size_t n, size_t at, uint8_t (*path)[KM_HASH_SIZE]);
/* KM_OK when this is leaf `at` of the n under the root, else KM_E_VERIFY. path: count * 32 bytes. */
int km_merkle_check(const uint8_t leaf[KM_HASH_SIZE], size_t at, size_t n, const uint8_t *path, unsigned count,
		    const uint8_t root[KM_HASH_SIZE]) KM_MUST;

#endif
