/* arena.h: private to src/base: the block allocator under km_secret_alloc. */
#ifndef KM_BASE_ARENA_H
#define KM_BASE_ARENA_H

#include <stddef.h>

/* Smallest and largest block that shares a mapping with others; larger ones get a mapping of their own. */
#define KM_ARENA_MIN_BLOCK 64
#define KM_ARENA_MAX_BLOCK 4096
/* Data bytes of a shared mapping, and the width of every guard: a multiple of any page size in use. */
#define KM_ARENA_CHUNK 65536

#endif
