/* secret.h: memory for secrets, wiping, and the taint marks of the constant-time tests. */
#ifndef KM_BASE_SECRET_H
#define KM_BASE_SECRET_H

#include <stddef.h>
#include <stdint.h>
#include "err.h"

/* Overwrites n bytes with zeros in a way no compiler removes; under a constant-time build the bytes
 * are then marked undefined, so that a use after the wipe shows in tests. */
void km_wipe(void *p, size_t n);
/* Wipes the stack below the caller's frame as far down as our computations go (KM_STACK_WIPED bytes): what libraries and
 * the compiler left there of secrets (a block of a key stream, a spilled register) is not ours to wipe by name. */
#define KM_STACK_WIPED 32768
void km_wipe_stack(void);
/* 1 when the n bytes are equal, else 0. Constant time in the contents. */
int km_equal_ct(const void *a, const void *b, size_t n) KM_MUST;

/* The arena: mmap with guard pages, mlock, MADV_DONTDUMP, MADV_WIPEONFORK. Blocks are zeroed when
 * handed out and wiped when given back. Thread-safe. km_secret_free accepts NULL.
 * Returns NULL when memory is exhausted. Over the lock limit blocks are handed out unlocked: km_secret_locked says so. */
void *km_secret_alloc(size_t n) KM_MUST;
void km_secret_free(void *p);
/* Bytes now handed out, and whether every one of them is locked into memory (1) or not (0). */
size_t km_secret_in_use(void);
int km_secret_locked(void);
/* Makes GMP's and Nettle's scratch allocations wipe before they are freed. Call once at start. */
void km_secret_guard_gmp(void);

/* Taint marks: under --enable-ctime (valgrind) a marked byte that decides a branch or an address is an
 * error; in other builds they cost nothing. Declassify marks the one place where a secret becomes public. */
void km_taint(const void *p, size_t n);
void km_declassify(const void *p, size_t n);

/* For a stack object:  struct km_secret k KM_CLEANUP(km_secret_scalar_wipe); is written with this. */
#define KM_CLEANUP(fn) __attribute__((cleanup(fn)))

#endif
