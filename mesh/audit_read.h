/* audit_read.h: reading a log, or a copy of one (audit_files.h), to its end and again when it has grown; every entry is checked. */
#ifndef KMD_AUDIT_READ_H
#define KMD_AUDIT_READ_H

#include "mesh/audit_files.h"

struct kmd_audit_reader {
	char *dir;
	struct kmd_audit_view view;   /* the tree as it was read; pruned parts by `roots` */
	struct km_audit_chain chain;  /* at the next entry */
	uint64_t first;		      /* the first entry that is here */
	uint64_t seg;		      /* being read, and up to where */
	size_t at;
	int started;
};

/* KM_E_NOTFOUND, KM_E_VERSION, KM_E_IO. An empty directory is an empty log. */
int kmd_audit_reader_open(struct kmd_audit_reader *r, const char *dir, struct kmd_fail *f) KM_MUST;
void kmd_audit_reader_close(struct kmd_audit_reader *r);
/* Reads on; fn sees each new entry, in order. An entry that is half there is left for the next time. KM_E_MISMATCH, KM_E_STALE ...: the
 * log was changed; f says where. */
int kmd_audit_reader_go(struct kmd_audit_reader *r, kmd_audit_fn fn, void *ctx, struct kmd_fail *f) KM_MUST;
/* The checkpoint in the directory holds for what was read. KM_E_NOTFOUND: there is none; KM_E_STALE: it covers more than is here;
 * KM_E_MISMATCH: it is of other entries; KM_E_VERIFY: not signed by this key. note (KM_NOTE_MAX) and c are filled in. */
int kmd_audit_reader_checkpoint(struct kmd_audit_reader *r, const uint8_t pub[KM_IDKEY_SIZE], struct km_checkpoint *c, char *text, size_t *len,
				struct kmd_fail *f) KM_MUST;

#endif
