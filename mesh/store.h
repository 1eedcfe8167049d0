/* store.h: the state directory: sealed files that survive a crash at any point.
 *
 *	state_dir/          0700
 *	  lock              held while the daemon runs
 *	  sealed/NAME       see seal.h; ".tmp-NAME" and ".gone-NAME" are what a crash may leave, ignored and erased at the next start
 *	  reseal            while files are re-sealed: the old key, sealed under the new one
 *	  evidence/HASH     convictions
 *
 * What is replaced or removed is overwritten on the medium, as far as it lets us. Thread-safe.
 */
#ifndef KMD_STORE_H
#define KMD_STORE_H

#include <stddef.h>
#include <stdint.h>
#include "mesh/fail.h"

struct kmd_store;

/* key (32 bytes) is copied. KM_E_BUSY when another process has the directory. */
int kmd_store_open(struct kmd_store **out, const char *state_dir, const uint8_t key[32], struct kmd_fail *f) KM_MUST;
/* For reading only, also beside a running daemon. */
int kmd_store_open_reader(struct kmd_store **out, const char *state_dir, const uint8_t key[32], struct kmd_fail *f) KM_MUST;
void kmd_store_close(struct kmd_store *s);
/* NAME := data, sealed and durable when this returns; data NULL removes. name: 1..96 of [a-z0-9._-], not starting with a dot. */
int kmd_store_put(struct kmd_store *s, const char *name, const void *data, size_t len, struct kmd_fail *f) KM_MUST;
/* KM_E_NOTFOUND, KM_E_SEAL ... data in the secret arena, owned by the caller. */
int kmd_store_get(struct kmd_store *s, const char *name, uint8_t **data, size_t *len, struct kmd_fail *f) KM_MUST;
/* Calls fn for every file, opened, in the order of names. Stops at the first error, which it returns. */
int kmd_store_each(struct kmd_store *s,
		   int (*fn)(void *ctx, const char *name, const uint8_t *data, size_t len, struct kmd_fail *f), void *ctx,
		   struct kmd_fail *f) KM_MUST;
/* Seals all files anew under key (32 bytes, copied), one by one: others may use the store meanwhile. From its first step on the
 * state opens with the new key only, until then with the old one only; who stops half-way goes on at the next kmd_store_open, or
 * when called again with the same key. KM_E_EXISTS: all is sealed under it already. *n: files sealed anew. */
int kmd_store_reseal(struct kmd_store *s, const uint8_t key[32], unsigned *n, struct kmd_fail *f) KM_MUST;
/* Hex of kmd_seal_key_tag of the present key. */
void kmd_store_key_tag(struct kmd_store *s, char out[17]);
/* Keeps a piece of evidence (public bytes), named by its hash. */
int kmd_store_evidence(struct kmd_store *s, const uint8_t *data, size_t len, struct kmd_fail *f) KM_MUST;

#endif
