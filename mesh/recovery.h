/* recovery.h: what the daemon knows of backups and drills, for its status and metrics. */
#ifndef KMD_RECOVERY_H
#define KMD_RECOVERY_H

#include "mesh/record.h"

struct kmd_recovery;

int kmd_recovery_open(struct kmd_recovery **out, const char *state_dir, struct kmd_fail *f) KM_MUST;
void kmd_recovery_close(struct kmd_recovery *v);
/* A record from anywhere; t: the table it names, NULL when it is not known here. Checked, and durable when this returns. KM_E_NOTFOUND,
 * KM_E_MISMATCH, KM_E_VERIFY, KM_E_STALE, KM_E_DUPLICATE, KM_E_IO; f says why. */
int kmd_recovery_take(struct kmd_recovery *v, const struct kmd_record *r, const struct km_table *t, uint64_t now_ms,
		      struct kmd_fail *f) KM_MUST;
/* Unix ms of the newest record, 0: none. */
uint64_t kmd_recovery_at(const struct kmd_recovery *v, unsigned kind, unsigned peer, const uint8_t table[KM_HASH_SIZE]);
/* Forgets what is of epochs that are not known (any more). */
void kmd_recovery_forget(struct kmd_recovery *v, int (*known)(void *ctx, const uint8_t table[KM_HASH_SIZE]), void *ctx);

#endif
