/* store.h: the state directory: sealed files that survive a crash at any point.
 *
 *	state_dir/          0700
 *	  lock              held while the daemon runs
 *	  sealed/NAME       see seal.h; ".tmp-NAME" is what a crash may leave, ignored and removed at the next start
 *	  evidence/HASH     convictions
 */
#ifndef KMD_STORE_H
#define KMD_STORE_H

#include <stddef.h>
#include <stdint.h>
#include "mesh/fail.h"

struct kmd_store;

/* key (32 bytes) is copied. KM_E_BUSY when another process has the directory. */
int kmd_store_open(struct kmd_store **out, const char *state_dir, const uint8_t key[32], struct kmd_fail *f) KM_MUST;
void kmd_store_close(struct kmd_store *s);
/* NAME := data, sealed and durable when this returns; data NULL removes. name: 1..96 of [a-z0-9._-], not starting with a dot. */
int kmd_store_put(struct kmd_store *s, const char *name, const void *data, size_t len, struct kmd_fail *f) KM_MUST;
/* KM_E_NOTFOUND, KM_E_SEAL ... data in the secret arena, owned by the caller. */
int kmd_store_get(struct kmd_store *s, const char *name, uint8_t **data, size_t *len, struct kmd_fail *f) KM_MUST;
/* Calls fn for every file, opened, in the order of names. Stops at the first error, which it returns. */
int kmd_store_each(struct kmd_store *s,
		   int (*fn)(void *ctx, const char *name, const uint8_t *data, size_t len, struct kmd_fail *f), void *ctx,
		   struct kmd_fail *f) KM_MUST;
/* Keeps a piece of evidence (public bytes), named by its hash. */
int kmd_store_evidence(struct kmd_store *s, const uint8_t *data, size_t len, struct kmd_fail *f) KM_MUST;

#endif
