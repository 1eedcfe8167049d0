/* sim_alloc.c: every block has a head in front of it, in one ring of all that are out. */
#include "sim_alloc.h"

#include <stdlib.h>
#include <string.h>
#include "base/err.h"
#include "base/secret.h"

#define MAGIC 0x6b6d626cu
#define FREED 0x66726565u

struct head {
	struct head *next, *prev;
	size_t size;
	uint32_t magic;
	uint16_t owner;
	uint16_t secret;
};
_Static_assert(sizeof(struct head) == 32, "what follows is aligned as malloc does it");

static struct head ring = {&ring, &ring, 0, 0, 0, 0};
static size_t n_out, bytes_out, secret_out;
static struct {
	unsigned owner, more, refused, paused;
	uint64_t *left;
} now;

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void __real_free(void *p);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t n);
void *__wrap_reallocarray(void *p, size_t n, size_t size);
void __wrap_free(void *p);
void *__wrap_km_secret_alloc(size_t n);
void __wrap_km_secret_free(void *p);
size_t __wrap_km_secret_in_use(void);

void sim_alloc_enter(unsigned owner, uint64_t *left, unsigned more)
{
	now.owner = owner;
	now.left = left;
	now.more = more;
	now.refused = 0;
}

unsigned sim_alloc_leave(void)
{
	unsigned refused = now.refused;

	now.owner = 0;
	now.left = NULL;
	now.refused = 0;
	return refused;
}

void sim_alloc_pause(void)
{
	now.paused++;
}

void sim_alloc_resume(void)
{
	now.paused--;
}

static int refuse(void)
{
	if (!now.left || now.paused)
		return 0;
	if (*now.left > 1) {
		--*now.left;
		return 0;
	}
	/* who sets the next count does so after the step: till then a few more, as a machine without memory would */
	if (now.refused > now.more)
		return 0;
	now.refused++;
	return 1;
}

static void *out(struct head *h, size_t n, int secret)
{
	if (!h)
		return NULL;
	h->size = n;
	h->magic = MAGIC;
	h->owner = now.paused ? 0 : (uint16_t)now.owner;
	h->secret = (uint16_t)secret;
	h->next = &ring;
	h->prev = ring.prev;
	ring.prev->next = h;
	ring.prev = h;
	n_out++;
	bytes_out += n;
	secret_out += secret ? n : 0;
	return h + 1;
}

static struct head *back(void *p)
{
	struct head *h = (struct head *)p - 1;

	KM_ASSERT(h->magic == MAGIC && "not a block, or freed twice");
	h->magic = FREED;
	h->next->prev = h->prev;
	h->prev->next = h->next;
	n_out--;
	bytes_out -= h->size;
	secret_out -= h->secret ? h->size : 0;
	return h;
}

void *__wrap_malloc(size_t n)
{
	if (n > SIZE_MAX / 4 || refuse())
		return NULL;
	return out(__real_malloc(sizeof(struct head) + n), n, 0);
}

void *__wrap_calloc(size_t n, size_t size)
{
	if ((size && n > SIZE_MAX / 4 / size) || refuse())
		return NULL;
	return out(__real_calloc(1, sizeof(struct head) + n * size), n * size, 0);
}

void __wrap_free(void *p)
{
	if (!p)
		return;
	struct head *h = back(p);

	KM_ASSERT(!h->secret && "from the arena: would not be wiped");
	__real_free(h);
}

void *__wrap_realloc(void *p, size_t n)
{
	void *q = __wrap_malloc(n);

	if (p && q) {
		size_t old = ((struct head *)p - 1)->size;

		memcpy(q, p, old < n ? old : n);
		__wrap_free(p);
	}
	return q;
}

void *__wrap_reallocarray(void *p, size_t n, size_t size)
{
	return size && n > SIZE_MAX / 4 / size ? NULL : __wrap_realloc(p, n * size);
}

void *__wrap_km_secret_alloc(size_t n)
{
	if (n > SIZE_MAX / 4 || refuse())
		return NULL;
	return out(__real_calloc(1, sizeof(struct head) + n), n, 1);
}

void __wrap_km_secret_free(void *p)
{
	if (!p)
		return;
	struct head *h = back(p);

	KM_ASSERT(h->secret && "not from the arena");
	km_wipe(p, h->size);
	__real_free(h);
}

size_t __wrap_km_secret_in_use(void)
{
	return secret_out;
}

size_t sim_alloc_out(size_t *bytes)
{
	*bytes = bytes_out;
	return n_out;
}

void sim_alloc_each(unsigned owner, void (*fn)(void *ctx, const uint8_t *p, size_t n), void *ctx)
{
	for (const struct head *h = ring.next; h != &ring; h = h->next)
		if (h->owner == owner)
			fn(ctx, (const uint8_t *)(h + 1), h->size);
}
