/* auditfile.h: what this peer has signed, one entry after the other: u32 length | entry.
 *
 * An entry is written before the share it speaks of leaves; so a crash of the process loses none. It is forced to the disk within
 * a tenth of a second by a thread of its own: no signature waits for a disk. */
#ifndef KMD_AUDITFILE_H
#define KMD_AUDITFILE_H

#include <stddef.h>
#include <stdint.h>
#include "mesh/fail.h"

struct kmd_auditfile;

/* Appends to path, made with mode 0600. What a crash of the machine cut off within an entry is taken away. */
int kmd_auditfile_open(struct kmd_auditfile **out, const char *path, struct kmd_fail *f) KM_MUST;
/* KM_E_IO: the entry is not there, also no part of it. */
int kmd_auditfile_append(struct kmd_auditfile *a, const void *entry, size_t len, struct kmd_fail *f) KM_MUST;
/* Keeps an entry that could not be written. Without memory for it nothing settles any more before the next start. */
void kmd_auditfile_owe(struct kmd_auditfile *a, const void *entry, size_t len);
/* Writes what is owed, oldest first. KM_OK when nothing is owed (any more): only then may a share leave, also one that was made
 * long ago and is only asked for again or put together now. */
int kmd_auditfile_settle(struct kmd_auditfile *a, struct kmd_fail *f) KM_MUST;
/* Goes on in a new file at the same path, when somebody has moved the old one away. On failure the old one stays in use. */
int kmd_auditfile_reopen(struct kmd_auditfile *a, struct kmd_fail *f) KM_MUST;
uint64_t kmd_auditfile_size(const struct kmd_auditfile *a);
/* All is on the disk when this returns. */
void kmd_auditfile_close(struct kmd_auditfile *a);

#endif
