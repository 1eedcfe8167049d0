/* canary.c: the first signatures of a new key. Quorums that together cover all its members sign a text of their own context, once
 * each: a share that does not fit shows here and not in a handshake. The text says nothing to anybody else. */
#include "peer_impl.h"

#include <stdlib.h>
#include <string.h>

#define CANARY_WAIT_US 60000000u
#define CANARY_POLL_US 200000u
#define CANARIES_MAX 4096

void km_canary_bytes(const struct km_key *key, uint32_t quorum, uint8_t out[KM_HASH_SIZE])
{
	struct km_hash h;

	km_hash_init(&h, "canary");
	km_hash_field(&h, key->share->table.sid, KM_HASH_SIZE);
	km_hash_u32(&h, quorum);
	km_hash_final(&h, out);
}

/* KM_E_DUPLICATE the second time. WHY: a fixed text signed at will would be an oracle that costs presignatures. */
int km_canary_once(struct km_key *key, uint32_t quorum)
{
	for (size_t i = 0; i < key->n_canaries; i++)
		if (key->canaries[i] == quorum)
			return KM_E_DUPLICATE;
	if (key->n_canaries >= CANARIES_MAX)
		return KM_E_LIMIT;
	if (key->n_canaries == key->cap_canaries) {
		size_t cap = key->cap_canaries ? 2 * key->cap_canaries : 16;
		uint32_t *more = realloc(key->canaries, cap * sizeof(*more));

		if (!more)
			return KM_E_NOMEM;
		key->canaries = more;
		key->cap_canaries = cap;
	}
	key->canaries[key->n_canaries++] = quorum;
	return KM_OK;
}

void km_canary_plan(struct km_peer *p, struct km_key *key)
{
	struct km_keygen *g = &p->keygen;

	g->state = KM_KEYGEN_CANARY;
	g->key = key;
	g->uncovered = key->share->table.members & ~km_set_bit(p->self);
	g->until_us = p->now.mono_us + CANARY_WAIT_US;
	km_keygen_say(p, "every peer has stored its share; making the first presignatures");
	km_peer_wake(p, p->now.mono_us);
}

static int tried(const struct km_keygen *g, uint32_t quorum)
{
	for (unsigned i = 0; i < g->n_tried; i++)
		if (g->tried[i] == quorum)
			return 1;
	return 0;
}

/* The ready quorum that covers most of what is left, 0 for none. */
static uint32_t next_quorum(const struct km_peer *p, const struct km_keygen *g)
{
	uint32_t best = 0, usable = km_blame_usable(p, &g->key->share->table);
	unsigned covers = 0;

	for (unsigned i = 0; i < g->key->n_pools; i++) {
		const struct km_pool *pool = &g->key->pool[i];
		unsigned n = km_set_size(pool->quorum & g->uncovered);

		if (pool->ready && !(pool->quorum & ~usable) && n > covers && !tried(g, pool->quorum)) {
			best = pool->quorum;
			covers = n;
		}
	}
	return best;
}

static void give_up(struct km_peer *p)
{
	struct km_keygen *g = &p->keygen;
	char text[200], names[100];

	km_peer_names(p, g->uncovered, names, sizeof(names));
	if (g->purpose == KM_PURPOSE_RESHARE) {
		/* its shares are proved by the table; who is suspected here makes no presignatures with us for now */
		km_format(text, sizeof(text), "the new epoch of key '%s' is in use; no test signature with peers %s yet", g->name, names);
		km_keygen_end(p, KM_OK, text);
		return;
	}
	km_format(text, sizeof(text), "key '%s' was made, but no test signature with peers %s succeeded within %u s", g->name,
		  names, CANARY_WAIT_US / 1000000u);
	km_keygen_end(p, KM_E_UNVERIFIED, text);
}

void km_canary_tick(struct km_peer *p)
{
	struct km_keygen *g = &p->keygen;

	if (g->state != KM_KEYGEN_CANARY)
		return;
	if (p->now.mono_us >= g->until_us) {
		give_up(p);
		return;
	}
	km_peer_wake(p, g->until_us);
	if (g->flying)
		return;
	uint32_t quorum = next_quorum(p, g);
	if (quorum && g->n_tried < KM_CANARY_TRIES) {
		g->tried[g->n_tried++] = quorum;
		g->flying = 1;
		if (km_aggregate_canary(p, g->key, quorum))
			g->flying = 0;
		return;
	}
	km_peer_wake(p, p->now.mono_us + CANARY_POLL_US);
}

void km_canary_result(struct km_peer *p, struct km_flight *f, int err, uint32_t culprits)
{
	struct km_keygen *g = &p->keygen;
	uint32_t quorum = f->reply.quorum;
	char text[200], names[100];

	if (g->state != KM_KEYGEN_CANARY || g->key != f->key || !g->flying)
		return;
	g->flying = 0;
	km_peer_wake(p, p->now.mono_us);
	km_peer_names(p, culprits ? culprits : quorum, names, sizeof(names));
	if (err) {
		km_format(text, sizeof(text), "test signature by peers %s failed: %s", names, km_strerror(err));
		km_keygen_say(p, text);
		km_effects_log(p->fx, KM_LOG_WARN, "key %s: %s", g->name, text);
		return;
	}
	g->uncovered &= ~quorum;
	km_format(text, sizeof(text), "test signature by peers %s is good", names);
	km_keygen_say(p, text);
	if (g->uncovered)
		return;
	const struct km_table *t = &g->key->share->table;
	km_format(text, sizeof(text), "key '%s' is ready: %s, any %u of %u peers, epoch %U, id %H", g->name,
		  km_curve_name(t->curve), t->threshold, km_set_size(t->members), t->number, t->key_id);
	km_keygen_end(p, KM_OK, text);
}
