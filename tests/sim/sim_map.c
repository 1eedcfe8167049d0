/* sim_map.c: open addressing; keys are hashes already. */
#include "sim_map.h"

#include <stdlib.h>
#include <string.h>
#include "base/err.h"

static struct sim_map_slot *place(const struct sim_map *m, const uint8_t key[32])
{
	uint64_t h;

	memcpy(&h, key, sizeof(h));
	for (size_t i = (size_t)h & (m->cap - 1);; i = (i + 1) & (m->cap - 1))
		if (!m->slot[i].used || memcmp(m->slot[i].key, key, 32) == 0)
			return &m->slot[i];
}

static void grow(struct sim_map *m)
{
	struct sim_map old = *m;

	m->cap = old.cap ? 2 * old.cap : 256;
	m->slot = calloc(m->cap, sizeof(*m->slot));
	KM_ASSERT(m->slot);
	for (size_t i = 0; i < old.cap; i++)
		if (old.slot[i].used)
			*place(m, old.slot[i].key) = old.slot[i];
	free(old.slot);
}

uint64_t *sim_map_find(const struct sim_map *m, const uint8_t key[32])
{
	if (!m->cap)
		return NULL;
	struct sim_map_slot *s = place(m, key);
	return s->used ? &s->value : NULL;
}

uint64_t *sim_map_get(struct sim_map *m, const uint8_t key[32], int *fresh)
{
	if (4 * (m->n + 1) > 3 * m->cap)
		grow(m);
	struct sim_map_slot *s = place(m, key);

	*fresh = !s->used;
	if (!s->used) {
		memcpy(s->key, key, 32);
		s->used = 1;
		m->n++;
	}
	return &s->value;
}

void sim_map_clear(struct sim_map *m)
{
	free(m->slot);
	memset(m, 0, sizeof(*m));
}
