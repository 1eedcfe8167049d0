/* audit_impl.h: private to audit_log.c (the loop's thread) and audit_keep.c (the log's own thread). */
#ifndef KMD_AUDIT_IMPL_H
#define KMD_AUDIT_IMPL_H

#include <pthread.h>
#include "mesh/audit_log.h"

struct kmd_audit_owed {
	struct kmd_audit_owed *next;
	size_t len;
	uint8_t data[];
};

/* A full segment on its way to its place. */
struct kmd_audit_full {
	struct kmd_audit_full *next;
	uint64_t seg;
	int fd;
	uint8_t *nodes;
	unsigned n_upper; /* nodes to append to `roots` */
	uint8_t upper[KM_TREE_LEVELS + 1][KM_HASH_SIZE];
};

struct kmd_audit {
	/* the loop's */
	char *dir, *export_dir, *publish_dir;
	struct kmd_audit_view view;
	struct km_audit_chain chain;
	int fd; /* -1: the next entry begins a segment */
	uint64_t seg_bytes;
	int torn, sealed_at_open, lost;
	struct kmd_audit_owed *owed, **owed_tail;
	unsigned flush_ms;
	uint64_t max_bytes;
	int event_fd;
	/* the thread's */
	int roots_fd;
	uint64_t first_log, first_tree, bytes; /* bytes: of full segments */
	pthread_t thread;
	int running;
	/* both, under the lock */
	pthread_mutex_t lock;
	pthread_cond_t wake;
	int sync_fd, new_name, dirty, stopping, failed;
	uint64_t written, synced, size_of_full, first_entry, tail_bytes;
	struct kmd_audit_full *full, **full_tail;
	uint8_t *note; /* a checkpoint to be put down, or NULL */
	size_t note_len;
	uint64_t note_ms;
	struct kmd_fail complaint;
};

/* audit_keep.c */
int kmd_audit_keep_open(struct kmd_audit *a, struct kmd_fail *f) KM_MUST;
int kmd_audit_thread_start(struct kmd_audit *a, struct kmd_fail *f) KM_MUST;
void kmd_audit_thread_stop(struct kmd_audit *a);
/* Entries go to fd from now on. */
void kmd_audit_current(struct kmd_audit *a, int fd);
/* An entry was written; full: its segment is. */
void kmd_audit_wrote(struct kmd_audit *a, int full);
int kmd_audit_flush_failed(struct kmd_audit *a);
/* While opening: the segment just read is full. */
int kmd_audit_put_away_now(struct kmd_audit *a, struct kmd_fail *f) KM_MUST;

#endif
