/* record.h: what is known of a backup: that it was made, or that it was opened in a drill.
 *
 *	"KMREC" | version u16 = 1 | kind u8 | peer u8 | curve u8 | epoch number u64 | time u64 (unix ms) | backup made u64 (unix ms) |
 *	key id 32 | table hash 32 | SHA-256 of the backup file 32 | proof
 *
 * The proof is one of knowledge of the share x_i with X_i = x_i G (zk/dlog.h), over all before it: only who had the share can make it, it
 * tells nothing of it, and whoever has the public table checks it. So a custodian proves that a backup opens without showing anybody what
 * is in it, and without a second share near it. As text: "keymesh-record " and hex. */
#ifndef KMD_RECORD_H
#define KMD_RECORD_H

#include "mesh/fail.h"
#include "proto/table.h"
#include "zk/dlog.h"

#define KMD_RECORD_HEAD (5 + 2 + 3 + 3 * 8 + 3 * KM_HASH_SIZE)
#define KMD_RECORD_MAX (KMD_RECORD_HEAD + KM_POINT_MAX + KM_SCALAR_MAX)
#define KMD_RECORD_PREFIX "keymesh-record "

enum kmd_record_kind { KMD_RECORD_BACKUP = 1, KMD_RECORD_DRILL = 2 };

struct kmd_record {
	uint8_t kind, peer, curve;
	uint64_t number, at_ms, backup_ms;
	uint8_t key_id[KM_HASH_SIZE], table[KM_HASH_SIZE], file[KM_HASH_SIZE];
	struct km_dlog_proof proof;
};

/* Fills in peer, curve, number, key_id, table and proof; the rest is set. KM_E_NOMEM and the like. */
int kmd_record_prove(struct kmd_record *r, const struct km_share *share) KM_MUST;
/* KM_E_MISMATCH: not of this table or of no member of it; KM_E_VERIFY: the proof is none. */
int kmd_record_check(const struct kmd_record *r, const struct km_table *t) KM_MUST;
int kmd_record_encode(const struct kmd_record *r, struct km_buf *out) KM_MUST;
int kmd_record_decode(struct kmd_record *r, const uint8_t *p, size_t n) KM_MUST;
/* "backup" or "drill". */
const char *kmd_record_kind(unsigned kind);

#endif
