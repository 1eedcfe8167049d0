/* audit_files.h: an audit log as files in a directory; nothing in them is secret.
 *
 *	NNNNNNNNNN.log   a segment: 2^bits entries, the last one fewer: a head, then u16 length | entry (audit/entry.h)
 *	NNNNNNNNNN.tree  the nodes of the tree over a full segment, in the order of km_tree_stored
 *	roots            the nodes above: those over the roots of full segments, in that order
 *	checkpoint       the last signed note about it, with the cosignatures of other peers
 *	exported         how many segments stand in a copy elsewhere (a decimal number)
 *
 * Segments and their trees may be gone (pruned): `roots` still proves where every later entry stands. */
#ifndef KMD_AUDIT_FILES_H
#define KMD_AUDIT_FILES_H

#include "audit/checkpoint.h"
#include "audit/entry.h"
#include "audit/tree.h"
#include "mesh/fail.h"

#define KMD_AUDIT_BITS 16
#define KMD_AUDIT_SEG_HEAD 64
#define KMD_AUDIT_NAME 24

struct kmd_audit_seg {
	unsigned bits;
	uint64_t first; /* seq of its first entry */
	uint8_t prev[KM_HASH_SIZE];
};

void kmd_audit_seg_name(char name[KMD_AUDIT_NAME], uint64_t seg, const char *ending);
void kmd_audit_seg_head(uint8_t out[KMD_AUDIT_SEG_HEAD], const struct kmd_audit_seg *s);
/* KM_E_TRUNCATED, KM_E_VERSION (no segment, or of another version), KM_E_RANGE. */
int kmd_audit_seg_parse(struct kmd_audit_seg *s, const uint8_t *p, size_t n) KM_MUST;
/* The whole of a file, malloc'd. KM_E_NOTFOUND, KM_E_IO, KM_E_NOMEM. */
int kmd_audit_slurp(int dirfd, const char *name, uint8_t **data, size_t *len, struct kmd_fail *f) KM_MUST;
/* Opens a log's directory to read: KM_E_VERSION for a file of the format of before. Returns the descriptor. */
int kmd_audit_dir(const char *path, struct kmd_fail *f) KM_MUST;

/* The tree of a log, to look nodes up in (km_tree_look). */
struct kmd_audit_view {
	int dirfd;
	unsigned bits;
	uint64_t full;  /* segments in upper */
	uint8_t *upper; /* km_tree_stored_total(full) nodes */
	size_t upper_cap;
	uint8_t *nodes; /* of the segment after those, as far as it goes */
	uint64_t tail;	/* its entries */
	struct km_tree tree; /* of all */
};

int kmd_audit_view_init(struct kmd_audit_view *v, int dirfd, unsigned bits) KM_MUST; /* takes dirfd; KM_E_NOMEM */
void kmd_audit_view_clear(struct kmd_audit_view *v);
/* Reads `roots`; what a crash left of a node or of a segment's nodes does not count. */
int kmd_audit_view_roots(struct kmd_audit_view *v, struct kmd_fail *f) KM_MUST;
/* KM_E_NOMEM, then nothing changed. */
int kmd_audit_view_reserve(struct kmd_audit_view *v) KM_MUST;
/* Appends a leaf; kmd_audit_view_reserve before it. 1 when it made the segment full: it is then one of `full`. */
int kmd_audit_view_add(struct kmd_audit_view *v, const uint8_t leaf[KM_HASH_SIZE]);
int kmd_audit_view_look(void *view, unsigned level, uint64_t index, uint8_t out[KM_HASH_SIZE]) KM_MUST;

/* Goes through the bytes of one segment. fn (may be NULL) sees each good entry and ends the walk by an error. *good: the end
 * of the last good one. KM_OK at the end of the bytes; KM_E_TRUNCATED when they end within an entry; what km_audit_chain_next says. */
typedef int (*kmd_audit_fn)(void *ctx, uint64_t seq, const uint8_t *entry, size_t len, const uint8_t leaf[KM_HASH_SIZE]);
int kmd_audit_seg_walk(const uint8_t *data, size_t len, unsigned bits, struct km_audit_chain *chain, kmd_audit_fn fn, void *ctx,
		       size_t *good) KM_MUST;

/* The checkpoint in a directory; note borrows from *data (malloc'd). KM_E_NOTFOUND, KM_E_VERIFY ... */
int kmd_audit_checkpoint_read(int dirfd, const uint8_t pub[KM_IDKEY_SIZE], struct km_checkpoint *c, struct km_note *note, uint8_t **data,
			      size_t *len, struct kmd_fail *f) KM_MUST;

#endif
