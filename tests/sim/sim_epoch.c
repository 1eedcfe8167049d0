/* sim_epoch.c: what epochs of a key must keep to, seen from outside: which share lies on which disk, and which is removed when.
 *
 * A share of a key in use may go only when every honest member of some higher epoch has its share of that one on its disk, or had it and
 * has gone on to a higher one still. Disks that came back from a backup have broken their promise; they are not counted on. */
#include "config.h"
#include "sim_impl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "node/peer_impl.h"

static int compare(const struct km_table *a, const struct km_table *b)
{
	struct km_epoch ea, eb;

	km_epoch_of(&ea, a);
	km_epoch_of(&eb, b);
	return km_epoch_cmp(&ea, &eb);
}

static struct sim_epoch *epoch(struct sim *s, const struct km_table *t)
{
	for (size_t i = 0; i < s->n_epochs; i++)
		if (memcmp(s->epochs[i].table.hash, t->hash, KM_HASH_SIZE) == 0)
			return &s->epochs[i];
	s->epochs = sim_grow(s->epochs, s->n_epochs, &s->cap_epochs, sizeof(*s->epochs));
	memset(&s->epochs[s->n_epochs], 0, sizeof(*s->epochs));
	s->epochs[s->n_epochs].table = *t;
	return &s->epochs[s->n_epochs++];
}

void sim_epoch_learn(struct sim *s, struct sim_node *node, const struct km_table *t, int usable)
{
	struct sim_epoch *e;

	if (node->corrupt)
		return;
	e = epoch(s, t);
	if (usable && !e->certified && e->table.number && s->n_epochs > 1)
		s->count.epochs_certified++;
	e->certified |= usable;
}

/* Every honest member has, or had, a share of it. */
static int all_had(struct sim *s, const struct sim_epoch *e)
{
	char name[64];

	km_key_file(&e->table, "share", name, sizeof(name));
	for (unsigned i = km_set_next(e->table.members, 0); i; i = km_set_next(e->table.members, i)) {
		const struct sim_node *node = &s->peers[i];
		const struct km_key_policy *policy = &node->settings.keys[0];

		if (!node->corrupt && !node->restored && !km_set_has(policy->excluded, i) && !sim_disk_find(node, name))
			return 0;
	}
	return 1;
}

/* A share is about to go. */
static void check_wipe(struct sim *s, struct sim_node *node, const struct km_table *t)
{
	const struct sim_epoch *mine = epoch(s, t);
	int higher = 0;

	if (!mine->certified)
		return;
	s->count.shares_wiped++;
	for (size_t i = 0; i < s->n_epochs; i++) {
		const struct sim_epoch *e = &s->epochs[i];

		if (memcmp(e->table.key_id, t->key_id, KM_HASH_SIZE) == 0 && compare(&e->table, t) > 0) {
			higher = 1;
			if (all_had(s, e))
				return;
		}
	}
	sim_break(s, "invariant 4: peer %u wipes a share of %s before %s", node->addr.id, t->name,
		  higher ? "all have one of a higher epoch" : "there is a higher epoch");
}

void sim_epoch_persist(struct sim *s, struct sim_node *node, const struct km_effect *e)
{
	const struct sim_file *f = e->data || !strstr(e->name, ".share") ? NULL : sim_disk_find(node, e->name);
	struct km_share *sh = f && f->data ? km_secret_alloc(sizeof(*sh)) : NULL;

	if (sh && !node->corrupt && km_share_decode(sh, f->data, f->len) == KM_OK)
		check_wipe(s, node, &sh->table);
	if (sh)
		km_secret_free(sh);
}

/* ---- at rest */

static unsigned holders(struct sim *s, const struct sim_epoch *e)
{
	unsigned n = 0;
	char name[64];

	km_key_file(&e->table, "share", name, sizeof(name));
	for (unsigned i = 1; i <= s->opt.n; i++) {
		const struct sim_file *f = sim_disk_find(&s->peers[i], name);

		n += f && f->data;
	}
	return n;
}

void sim_epoch_rest(struct sim *s)
{
	for (unsigned j = 0; j < s->n_keys; j++) {
		unsigned best = 0, need = 0;
		int good = 0;

		if (!s->keys[j].usable)
			continue;
		for (size_t i = 0; i < s->n_epochs; i++) {
			const struct sim_epoch *e = &s->epochs[i];
			unsigned n = holders(s, e);

			if (memcmp(e->table.key_id, s->keys[j].key_id, KM_HASH_SIZE) != 0 || !e->certified)
				continue;
			if (!need || n > best) {
				best = n;
				need = e->table.threshold;
			}
			good |= n >= e->table.threshold;
		}
		if (!good)
			sim_break(s, "invariant 4: %u shares left of key %s, %u make it", best, s->keys[j].name, need);
	}
}

void sim_epoch_clear(struct sim *s)
{
	free(s->epochs);
}
