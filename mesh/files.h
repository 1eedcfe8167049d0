/* files.h: reading and writing files that hold secrets. */
#ifndef KMD_FILES_H
#define KMD_FILES_H

#include <stddef.h>
#include <stdint.h>
#include "mesh/fail.h"

enum kmd_file_flags {
	KMD_FILE_PRIVATE = 1, /* refuse when group or others may read or write it */
};

/* The whole of a regular file of 1..max bytes into the secret arena, a zero byte after it. KM_E_NOTFOUND, KM_E_RIGHTS,
 * KM_E_LIMIT, KM_E_IO, KM_E_NOMEM. Owns: caller, km_secret_free. */
int kmd_file_read(const char *path, unsigned flags, size_t max, uint8_t **out, size_t *len, struct kmd_fail *f) KM_MUST;
/* Writes a file of mode 0600 so that after a crash either the old or the new one is there: temporary name, fsync, rename, fsync
 * of the directory. dirfd is the open directory, name has no slash. */
int kmd_file_replace(int dirfd, const char *name, const void *data, size_t len, struct kmd_fail *f) KM_MUST;
/* The same, and what was there before is overwritten on the medium, as far as it lets us. */
int kmd_file_replace_secret(int dirfd, const char *name, const void *data, size_t len, struct kmd_fail *f) KM_MUST;
/* Overwrites and removes; after a crash the file is there as it was, or not at all, or only as ".gone-NAME", to be erased again.
 * None there: KM_OK. */
int kmd_file_erase(int dirfd, const char *name, struct kmd_fail *f) KM_MUST;
/* Creates path with mode and data; KM_E_EXISTS if there is one. */
int kmd_file_create(const char *path, unsigned mode, const void *data, size_t len, struct kmd_fail *f) KM_MUST;
/* Opens a directory, made (mode 0700) if it is missing. KM_E_RIGHTS when group or others have access to it. Returns the fd. */
int kmd_dir_open(const char *path, struct kmd_fail *f) KM_MUST;

/* n bytes of randomness from the kernel; aborts when there is none. */
void kmd_random(void *out, size_t n);
/* Lower-case hex; out has 2n+1 bytes. */
void kmd_hex_encode(char *out, const uint8_t *p, size_t n);
/* KM_E_ENCODING unless hex is 2n hex digits. Constant time in the digits. */
int kmd_hex_decode(uint8_t *out, size_t n, const char *hex, size_t len) KM_MUST;

#endif
