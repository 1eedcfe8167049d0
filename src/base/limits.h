/* limits.h: every bound of keymesh in one place. */
#ifndef KM_BASE_LIMITS_H
#define KM_BASE_LIMITS_H

#include <gmp.h>

#define KM_MAX_PEERS 32             /* N, and peer ids 1..32 */
#define KM_MIN_THRESHOLD 2          /* T */
#define KM_MAX_BATCH 256            /* B: indices of one presign run */
#define KM_MAX_FRONTENDS 1024
#define KM_MAX_KEYS 256             /* keys of one mesh */
#define KM_MAX_NAME 63              /* a peer's, key's or frontend's name, bytes without NUL */
#define KM_MAX_REQUEST_BYTES 65536  /* bytes to be signed in one request */
#define KM_MAX_ENVELOPE (16u * 1024 * 1024 + 4096)
#define KM_MAX_RECORDS 65536        /* signing records kept at once */

#define KM_HASH_SIZE 32
#define KM_SEED_SIZE 32
#define KM_NONCE_SIZE 16
#define KM_SIG_SIZE 64              /* Ed25519 */
#define KM_IDKEY_SIZE 32            /* Ed25519 public key */
#define KM_CHANKEY_SIZE 32          /* X25519 (CurveZMQ) key */
#define KM_MAC_SIZE 32

/* Sizes by the largest curve the tables are ready for (P-521). */
#define KM_LIMBS_MAX ((521 + GMP_NUMB_BITS - 1) / GMP_NUMB_BITS)
#define KM_SCALAR_MAX 66            /* encoded scalar */
#define KM_POINT_MAX 67             /* encoded compressed point */

#endif
