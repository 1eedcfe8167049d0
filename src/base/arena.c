/* arena.c: memory for secrets.
 *
 * A chunk is one mapping, guard | data | guard, the guards without any access. Blocks of up to KM_ARENA_MAX_BLOCK bytes
 * share chunks, one size class (a power of two) to a chunk; a larger block has a chunk of its own and ends at the
 * second guard. What is known about a chunk (which blocks are out) is kept outside of it, so that an
 * overrun damages no list, and a double or foreign free is always seen. */
#include "config.h"
#include "base/arena.h"
#include "base/secret.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define MAX_BLOCKS (KM_ARENA_CHUNK / KM_ARENA_MIN_BLOCK)
#define GUARD KM_ARENA_CHUNK

struct chunk {
	struct chunk *next;
	uint8_t *map;
	size_t map_size;
	uint8_t *data;      /* first block */
	size_t block;       /* bytes of a block */
	unsigned blocks, out;
	int locked;
	uint64_t used[MAX_BLOCKS / 64];
};

static struct {
	atomic_flag lock;
	struct chunk *chunks;
	size_t in_use, unlocked;   /* bytes out; bytes out that are not locked into memory */
} arena = { .lock = ATOMIC_FLAG_INIT };

/* WHY a spin lock: the core knows no threads, and a section here is a few hundred instructions: mapping, locking and
 * wiping a large block happen outside of it. */
static void enter(void)
{
	while (atomic_flag_test_and_set_explicit(&arena.lock, memory_order_acquire))
		;
}

static void leave(void)
{
	atomic_flag_clear_explicit(&arena.lock, memory_order_release);
}

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

static void chunk_unlink(const struct chunk *c)
{
	struct chunk **at = &arena.chunks;

	while (*at != c)
		at = &(*at)->next;
	*at = c->next;
}

static uint8_t *block_take(struct chunk *c)
{
	unsigned w = 0, i;
	uint8_t *p;

	while (c->used[w] == UINT64_MAX)
		w++;
	i = w * 64 + (unsigned)__builtin_ctzll(~c->used[w]);
	KM_ASSERT(i < c->blocks);
	c->used[w] |= (uint64_t)1 << (i % 64);
	c->out++;
	p = c->data + (size_t)i * c->block;
	arena.in_use += c->block;
	if (!c->locked)
		arena.unlocked += c->block;
	return p;
}

static struct chunk *chunk_with_room(size_t block)
{
	for (struct chunk *c = arena.chunks; c; c = c->next)
		if (c->block == block && c->out < c->blocks)
			return c;
	return NULL;
}

void *km_secret_alloc(size_t n)
{
	size_t block = KM_ARENA_MIN_BLOCK;
	unsigned blocks = 1;
	struct chunk *c = NULL;
	uint8_t *p = NULL;

	if (n > SIZE_MAX / 4)
		return NULL;
	if (n > KM_ARENA_MAX_BLOCK) {
		block = round_up(n, KM_ARENA_MIN_BLOCK);
	} else {
		while (block < n)
			block *= 2;
		blocks = (unsigned)(KM_ARENA_CHUNK / block);
		enter();
		c = chunk_with_room(block);
		if (c)
			p = block_take(c);
		leave();
	}
	if (!c) {
		/* two threads may both get here: then there are two chunks, which is as good */
		c = chunk_new(block, blocks);
		if (!c)
			return NULL;
		enter();
		c->next = arena.chunks;
		arena.chunks = c;
		p = block_take(c);
		leave();
	}
	memset(p, 0, block);
	return p;
}

/* The chunk whose data holds p; its block number in *i. */
static struct chunk *find(const uint8_t *p, unsigned *i)
{
	for (struct chunk *c = arena.chunks; c; c = c->next) {
		size_t at;

		if ((uintptr_t)p < (uintptr_t)c->data || (uintptr_t)p >= (uintptr_t)c->data + c->block * c->blocks)
			continue;
		at = (size_t)(p - c->data);
		KM_ASSERT(at % c->block == 0);
		*i = (unsigned)(at / c->block);
		return c;
	}
	return NULL;
}

void km_secret_free(void *p)
{
	unsigned i = 0;
	struct chunk *c;
	uint64_t bit;
	int alone;

	if (!p)
		return;
	enter();
	c = find(p, &i);
	KM_ASSERT(c && "a foreign pointer");
	bit = (uint64_t)1 << (i % 64);
	KM_ASSERT((c->used[i / 64] & bit) && "freed twice");
	alone = c->block > KM_ARENA_MAX_BLOCK;
	if (alone)
		chunk_unlink(c);
	else
		km_wipe(p, c->block);
	c->used[i / 64] &= ~bit;
	c->out--;
	arena.in_use -= c->block;
	if (!c->locked)
		arena.unlocked -= c->block;
	leave();
	if (alone) {
		km_wipe(p, c->block);
		chunk_free(c);
	}
}

size_t km_secret_in_use(void)
{
	size_t n;

	enter();
	n = arena.in_use;
	leave();
	return n;
}

int km_secret_locked(void)
{
	size_t n;

	enter();
	n = arena.unlocked;
	leave();
	return n == 0;
}
