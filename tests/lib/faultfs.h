/* faultfs.h: a file layer that fails, for tests that link with --wrap (see FFS_WRAPS in tests/unit/Makefile.inc).
 *
 * What is done in watched directories is done for real, and in a model of the medium: bytes are safe once their file was fsynced, names
 * once their directory was. The nth step (an open that makes or cuts a file, write, fsync, rename, unlink) can be refused, or the power
 * cut at it; then ffs_disk lays down what a medium may hold: any of the names that were not safe, and of the bytes that were not safe
 * none, all, or a torn half. */
#ifndef KM_TEST_FAULTFS_H
#define KM_TEST_FAULTFS_H

#include <stddef.h>
#include <stdint.h>

enum ffs_fault { FFS_NONE, FFS_REFUSE, FFS_CUT };
enum ffs_bytes { FFS_BYTES_SAFE, FFS_BYTES_ALL, FFS_BYTES_TORN, FFS_BYTES_N };

/* Forgets all. */
void ffs_reset(void);
/* The directory as it is counts as safe. */
void ffs_watch(const char *dir);
/* From now on: the fault comes at step n, counted from 0. After a cut every step fails. */
void ffs_arm(enum ffs_fault fault, unsigned n);
/* Steps seen since ffs_arm, and whether the fault has come. */
unsigned ffs_steps(void);
int ffs_hit(void);
/* Steps on names that were not safe at the cut (or now, without one). */
unsigned ffs_unsafe_names(void);
/* Lays the medium down: the directories are emptied and filled again. names: bit i = unsafe step i on names got to the medium. */
void ffs_disk(unsigned names, enum ffs_bytes bytes);
/* 1 when some file, also a removed one, holds these bytes on the medium. */
int ffs_on_medium(const void *p, size_t n);

#endif
