/* arena.c: memory for secrets.
 *
 * A chunk is one mapping, guard | data | guard, the guards without any access. Blocks of up to KM_ARENA_MAX_BLOCK bytes
 * share chunks, one size class (a power of two) to a chunk; a larger block has a chunk of its own and ends at the
 * second guard. What is known about a chunk (which blocks are out) is kept outside of it, so that an
 * overrun damages no list, and a double or foreign free is always seen.
 *
 * WHY without a lock: threads of very different niceness share the arena. One that is put off the core while it holds a lock
 * would stop the thread that signs until the machine has time for presigning again; measured, that was the longest wait of all.
 * Shared chunks are never given back, so their lists only grow; a block is taken and given back by one bit. A chunk of one
 * block stands in a table slot, by the block's address; only who has the block touches its chunk. */
#include "config.h"
#include "base/arena.h"
#include "base/secret.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define MAX_BLOCKS (KM_ARENA_CHUNK / KM_ARENA_MIN_BLOCK)
#define GUARD KM_ARENA_CHUNK
#define CLASSES 7 /* 64 to 4096 */
#define SLOTS 256
/* Marks a slot that is being filled; no block is there. */
#define FILLING 1

struct chunk {
	struct chunk *next;
	uint8_t *map;
	size_t map_size;
	uint8_t *data; /* first block */
	size_t block;  /* bytes of a block */
	unsigned blocks;
	int locked;
	_Atomic uint64_t used[MAX_BLOCKS / 64];
};

/* data is the block's address, 0 in a free slot. */
struct slot {
	atomic_uintptr_t data;
	struct chunk *chunk;
};

struct slots {
	struct slot slot[SLOTS];
	struct slots *_Atomic next;
};

static struct {
	struct chunk *_Atomic shared[CLASSES];
	struct slots large;
	atomic_size_t in_use, unlocked; /* bytes out; bytes out that are not locked into memory */
} arena;

static size_t round_up(size_t n, size_t unit)
{
	return (n + unit - 1) / unit * unit;
}

/* A chunk of `blocks` blocks of `block` bytes, all free, not in the list yet. NULL when there is no memory. */
static struct chunk *chunk_new(size_t block, unsigned blocks)
{
	size_t size = block * blocks, span = round_up(size, GUARD);
	struct chunk *c = calloc(1, sizeof(*c));
	uint8_t *data;

	if (!c)
		return NULL;
	c->map_size = span + 2 * GUARD;
	c->map = mmap(NULL, c->map_size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (c->map == MAP_FAILED)
		goto fail;
	data = c->map + GUARD;
	/* the kernel rounds the length up to its pages; the rest up to the span stays without access */
	size = round_up(size, 4096);
	if (mprotect(data, size, PROT_READ | PROT_WRITE) != 0)
		goto fail_map;
	c->locked = mlock(data, size) == 0;
	/* Hardening only: an old kernel or an emulator may refuse, and the memory is as good without. */
	(void)madvise(data, size, MADV_DONTDUMP);
	(void)madvise(data, size, MADV_WIPEONFORK);
	c->data = data + (size - block * blocks);
	c->block = block;
	c->blocks = blocks;
	return c;

fail_map:
	munmap(c->map, c->map_size);
fail:
	free(c);
	return NULL;
}

static void chunk_free(struct chunk *c)
{
	munmap(c->map, c->map_size);
	free(c);
}

static void count_out(const struct chunk *c)
{
	atomic_fetch_add_explicit(&arena.in_use, c->block, memory_order_relaxed);
	if (!c->locked)
		atomic_fetch_add_explicit(&arena.unlocked, c->block, memory_order_relaxed);
}

static void count_back(const struct chunk *c)
{
	atomic_fetch_sub_explicit(&arena.in_use, c->block, memory_order_relaxed);
	if (!c->locked)
		atomic_fetch_sub_explicit(&arena.unlocked, c->block, memory_order_relaxed);
}

/* ---- blocks of shared chunks */

/* A free block of the chunk, NULL when there is none. */
static uint8_t *block_take(struct chunk *c)
{
	for (unsigned first = 0; first < c->blocks; first += 64) {
		_Atomic uint64_t *word = &c->used[first / 64];
		uint64_t v = atomic_load_explicit(word, memory_order_relaxed);

		while (v != UINT64_MAX) {
			unsigned i = first + (unsigned)__builtin_ctzll(~v);

			if (i >= c->blocks)
				break;
			/* acquire: the wipe of who had it before is through */
			if (atomic_compare_exchange_weak_explicit(word, &v, v | (uint64_t)1 << (i % 64), memory_order_acquire,
								  memory_order_relaxed))
				return c->data + (size_t)i * c->block;
		}
	}
	return NULL;
}

static void *shared_alloc(size_t n)
{
	size_t block = KM_ARENA_MIN_BLOCK;
	unsigned class = 0;
	struct chunk *c;
	uint8_t *p = NULL;

	for (; block < n; class ++)
		block *= 2;
	c = atomic_load_explicit(&arena.shared[class], memory_order_acquire);
	for (; c && !(p = block_take(c)); c = c->next)
		;
	if (!c) {
		/* two threads may both get here: then there are two chunks, which is as good */
		c = chunk_new(block, (unsigned)(KM_ARENA_CHUNK / block));
		if (!c)
			return NULL;
		p = block_take(c);
		c->next = atomic_load_explicit(&arena.shared[class], memory_order_relaxed);
		while (!atomic_compare_exchange_weak_explicit(&arena.shared[class], &c->next, c, memory_order_release,
							      memory_order_relaxed))
			;
	}
	count_out(c);
	memset(p, 0, block);
	return p;
}

/* 0 when p is in no shared chunk. */
static int shared_free(uint8_t *p)
{
	for (unsigned class = 0; class < CLASSES; class ++) {
		for (struct chunk *c = atomic_load_explicit(&arena.shared[class], memory_order_acquire); c; c = c->next) {
			if ((uintptr_t)p < (uintptr_t)c->data || (uintptr_t)p >= (uintptr_t)c->data + c->block * c->blocks)
				continue;
			size_t at = (size_t)(p - c->data), i = at / c->block;
			uint64_t bit = (uint64_t)1 << (i % 64);

			KM_ASSERT(at % c->block == 0);
			KM_ASSERT((atomic_load_explicit(&c->used[i / 64], memory_order_relaxed) & bit) && "freed twice");
			km_wipe(p, c->block);
			count_back(c);
			/* release: who takes it next finds it wiped */
			uint64_t was = atomic_fetch_and_explicit(&c->used[i / 64], ~bit, memory_order_release);
			KM_ASSERT((was & bit) && "freed twice");
			return 1;
		}
	}
	return 0;
}

/* ---- large blocks */

static int slot_fill(struct chunk *c)
{
	for (struct slots *s = &arena.large;;) {
		for (unsigned i = 0; i < SLOTS; i++) {
			uintptr_t none = 0;

			if (atomic_load_explicit(&s->slot[i].data, memory_order_relaxed) ||
			    !atomic_compare_exchange_strong_explicit(&s->slot[i].data, &none, FILLING, memory_order_acquire,
								     memory_order_relaxed))
				continue;
			s->slot[i].chunk = c;
			atomic_store_explicit(&s->slot[i].data, (uintptr_t)c->data, memory_order_release);
			return KM_OK;
		}
		struct slots *next = atomic_load_explicit(&s->next, memory_order_acquire);
		if (!next) {
			struct slots *fresh = calloc(1, sizeof(*fresh));

			if (!fresh)
				return KM_E_NOMEM;
			/* another thread may have been first */
			if (atomic_compare_exchange_strong_explicit(&s->next, &next, fresh, memory_order_acq_rel,
								    memory_order_acquire))
				next = fresh;
			else
				free(fresh);
		}
		s = next;
	}
}

static void *large_alloc(size_t n)
{
	/* a fresh mapping is zero */
	struct chunk *c = chunk_new(round_up(n, KM_ARENA_MIN_BLOCK), 1);

	if (!c)
		return NULL;
	if (slot_fill(c)) {
		chunk_free(c);
		return NULL;
	}
	count_out(c);
	return c->data;
}

/* 0 when no large block is at p. */
static int large_free(uint8_t *p)
{
	for (struct slots *s = &arena.large; s; s = atomic_load_explicit(&s->next, memory_order_acquire)) {
		for (unsigned i = 0; i < SLOTS; i++) {
			uintptr_t at = (uintptr_t)p;

			if (atomic_load_explicit(&s->slot[i].data, memory_order_acquire) != at)
				continue;
			struct chunk *c = s->slot[i].chunk;
			int first = atomic_compare_exchange_strong_explicit(&s->slot[i].data, &at, 0, memory_order_acq_rel,
									    memory_order_relaxed);

			KM_ASSERT(first && "freed twice");
			count_back(c);
			km_wipe(p, c->block);
			chunk_free(c);
			return 1;
		}
	}
	return 0;
}

void *km_secret_alloc(size_t n)
{
	if (n > SIZE_MAX / 4)
		return NULL;
	return n > KM_ARENA_MAX_BLOCK ? large_alloc(n) : shared_alloc(n);
}

void km_secret_free(void *p)
{
	if (!p)
		return;
	int found = shared_free(p) || large_free(p);
	KM_ASSERT(found && "a foreign pointer");
}

size_t km_secret_in_use(void)
{
	return atomic_load_explicit(&arena.in_use, memory_order_relaxed);
}

int km_secret_locked(void)
{
	return atomic_load_explicit(&arena.unlocked, memory_order_relaxed) == 0;
}
