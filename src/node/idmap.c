/* idmap.c: ids to objects, see idmap.h. */
#include "idmap.h"

#include <stdlib.h>
#include <string.h>

#define FIRST_CAP 64

void km_idmap_init(struct km_idmap *m, size_t offset, uint64_t mult)
{
	memset(m, 0, sizeof(*m));
	m->offset = offset;
	m->mult = mult | 1;
}

void km_idmap_clear(struct km_idmap *m)
{
	free(m->slot);
	m->slot = NULL;
	m->cap = m->n = 0;
}

static const uint8_t *id_of(const struct km_idmap *m, const void *object)
{
	return (const uint8_t *)object + m->offset;
}

static size_t home(const struct km_idmap *m, const uint8_t *id)
{
	uint64_t v;

	memcpy(&v, id, sizeof(v));
	/* WHY the highest bits: only they depend on every bit of v, so that nobody can choose ids that meet without knowing mult */
	return (size_t)((v * m->mult) >> (64 - __builtin_ctzll(m->cap)));
}

/* The slot that holds id, or the free one where it would go. */
static size_t probe(const struct km_idmap *m, const uint8_t *id)
{
	size_t i = home(m, id);

	while (m->slot[i] && memcmp(id_of(m, m->slot[i]), id, KM_HASH_SIZE) != 0)
		i = (i + 1) & (m->cap - 1);
	return i;
}

void *km_idmap_find(const struct km_idmap *m, const uint8_t id[KM_HASH_SIZE])
{
	return m->cap ? m->slot[probe(m, id)] : NULL;
}

static int grow(struct km_idmap *m)
{
	size_t old_cap = m->cap, cap = old_cap ? 2 * old_cap : FIRST_CAP;
	void **old = m->slot, **slot = calloc(cap, sizeof(*slot));

	if (!slot)
		return KM_E_NOMEM;
	m->slot = slot;
	m->cap = cap;
	for (size_t i = 0; i < old_cap; i++)
		if (old[i])
			m->slot[probe(m, id_of(m, old[i]))] = old[i];
	free(old);
	return KM_OK;
}

int km_idmap_add(struct km_idmap *m, void *object)
{
	if (4 * (m->n + 1) > 3 * m->cap) {
		int err = grow(m);
		if (err)
			return err;
	}
	size_t i = probe(m, id_of(m, object));
	KM_ASSERT(!m->slot[i]);
	m->slot[i] = object;
	m->n++;
	return KM_OK;
}

void km_idmap_remove(struct km_idmap *m, const uint8_t id[KM_HASH_SIZE])
{
	if (!m->cap)
		return;
	size_t mask = m->cap - 1, hole = probe(m, id);

	if (!m->slot[hole])
		return;
	m->n--;
	m->slot[hole] = NULL;
	/* close the gap: move back whoever could not stand in its place because of the one that left */
	for (size_t i = (hole + 1) & mask; m->slot[i]; i = (i + 1) & mask) {
		size_t h = home(m, id_of(m, m->slot[i]));

		if (((i - h) & mask) < ((i - hole) & mask))
			continue;
		m->slot[hole] = m->slot[i];
		m->slot[i] = NULL;
		hole = i;
	}
}
