/* retire.c: the end of a key at this peer, by the word of its own operator: every share of it that is here is wiped.
 *
 * WHY each peer for itself: a request that others could pass on would let one of them end a key. A key is gone when fewer peers than
 * its threshold have kept theirs. */
#include "peer_impl.h"

#include <string.h>

#define IDLE_US 600000000u

static int here(const struct km_key *k, const char *name)
{
	return k->holder && !k->wiped && strcmp(k->share->table.name, name) == 0;
}

void km_retire_request(struct km_peer *p, uint64_t token, const struct km_request *rq)
{
	struct km_effect *e = km_effects_add(p->fx, KM_EFFECT_RESULT);
	uint64_t used = p->started_us;
	unsigned n = 0;

	if (!e)
		return;
	e->token = token;
	for (const struct km_key *k = p->keys; k; k = k->next) {
		if (!here(k, rq->name))
			continue;
		n++;
		if (k->used_us > used)
			used = k->used_us;
	}
	if (!n) {
		e->err = KM_E_NOTFOUND;
		km_format(e->text, sizeof(e->text), "this peer holds no share of key '%s'", rq->name);
		return;
	}
	/* WHY also after a start: what was signed before it is not known */
	if (!rq->force && p->now.mono_us - used < IDLE_US) {
		e->err = KM_E_BUSY;
		km_format(e->text, sizeof(e->text), "key '%s' may be in use: %s %U s ago; take it from the servers first, or say --force", rq->name,
			  used == p->started_us ? "this peer was started" : "it signed", (p->now.mono_us - used) / 1000000u);
		return;
	}
	for (struct km_key *k = p->keys; k; k = k->next)
		if (here(k, rq->name))
			km_key_wipe(p, k);
	km_links_health_now(p);
	km_format(e->text, sizeof(e->text), "key '%s' is retired here: its share is wiped; take it out of the configuration of this peer", rq->name);
}
