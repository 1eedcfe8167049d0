/* audit_log.h: the log of what this peer did, as it is written (files: audit_files.h).
 *
 * An entry is written before the share it speaks of leaves, so a crash of the process loses none; a thread of its own forces what was
 * written to the disk, many entries at once (group commit), and puts full segments away. No signature waits for a disk, unless the
 * driver waits for kmd_audit_synced. A checkpoint is of what is on the disk only: so what a crash of the machine takes is never covered
 * by one, and a log that is shorter than its last checkpoint was cut by somebody. */
#ifndef KMD_AUDIT_LOG_H
#define KMD_AUDIT_LOG_H

#include "mesh/audit_files.h"

struct kmd_audit;

struct kmd_audit_params {
	const char *dir;
	unsigned bits;		/* of a new log; 0: KMD_AUDIT_BITS */
	unsigned flush_ms;	/* entries wait so long for others to share a flush */
	const uint8_t *pub;	/* own identity: the checkpoint is held against it; NULL: not */
	const char *export_dir; /* full segments are copied there; NULL */
	const char *publish_dir; /* for checkpoints; NULL */
	uint64_t max_bytes;	/* exported segments go when the log is larger; 0: no bound */
};

/* Opens or begins the log in p->dir (made with mode 0700). Reads the last segment only. What a crash cut off within an entry is taken
 * away (*cut bytes). KM_E_VERSION: a log of another version; KM_E_MISMATCH: it is not what its checkpoint says; KM_E_IO ... */
int kmd_audit_open(struct kmd_audit **out, const struct kmd_audit_params *p, size_t *cut, struct kmd_fail *f) KM_MUST;
/* All is on the disk when this returns. */
void kmd_audit_close(struct kmd_audit *a);

/* Appends the entry of a draft. On failure it is not there, also no part of it. */
int kmd_audit_append(struct kmd_audit *a, const uint8_t *draft, size_t len, struct kmd_fail *f) KM_MUST;
/* Keeps a draft that could not be written. Without memory for it nothing settles any more before the next start. */
void kmd_audit_owe(struct kmd_audit *a, const uint8_t *draft, size_t len);
/* Writes what is owed, oldest first. KM_OK when nothing is owed (any more): only then may a share leave, also one that was made
 * long ago and is only asked for again or put together now. */
int kmd_audit_settle(struct kmd_audit *a, struct kmd_fail *f) KM_MUST;

uint64_t kmd_audit_size(const struct kmd_audit *a);   /* entries */
uint64_t kmd_audit_synced(struct kmd_audit *a);       /* of them on the disk */
uint64_t kmd_audit_bytes(struct kmd_audit *a);	      /* of the directory's segments and trees */
uint64_t kmd_audit_first(struct kmd_audit *a);	      /* the first entry that is still here */
int kmd_audit_fd(const struct kmd_audit *a);	      /* readable when kmd_audit_synced has changed; the caller reads 8 bytes */
/* Something the thread could not do (export, pruning, flushing), once each; 0: nothing to say. */
int kmd_audit_complaint(struct kmd_audit *a, struct kmd_fail *f);

/* The root over all. */
void kmd_audit_root(const struct kmd_audit *a, uint8_t root[KM_HASH_SIZE]);
/* KM_E_NOTFOUND: it takes nodes of a segment that was pruned. */
int kmd_audit_prove(struct kmd_audit *a, uint64_t old, uint64_t size, struct km_tree_proof *p) KM_MUST;
/* The checkpoint of the log := this note, when its thread comes to it; also copied to export_dir, and to publish_dir as `latest` and, once a
 * day, under the day's name. KM_E_NOMEM. */
int kmd_audit_put_checkpoint(struct kmd_audit *a, const void *note, size_t len, uint64_t now_ms) KM_MUST;

#endif
