/* pool.c: the presignatures a peer holds: its own by quorum, and those of others as a member. Memory only, never on disk.
 *
 * An own presignature is used only after every member of its quorum has said READY for its run: until then some member may
 * never have finished. Members say it more than once, for a message may be lost. */
#include "peer_impl.h"

#include <stdlib.h>
#include <string.h>

/* Round trips are compared in powers of two, from this on: noise must not drain one pool. */
#define RTT_CLASS_FIRST_US 512u

void km_pool_init(struct km_peer *p, uint64_t mult)
{
	km_idmap_init(&p->presigs, offsetof(struct km_held, id), mult);
	p->lots_tail = &p->lots;
}

/* ---- lists */

static void list_out(struct km_held *h)
{
	struct km_pool *pool = h->pool;

	if (!pool)
		return;
	if (!h->ready) {
		pool->waiting--;
		return;
	}
	if (h->prev)
		h->prev->next = h->next;
	else
		pool->head = h->next;
	if (h->next)
		h->next->prev = h->prev;
	else
		pool->tail = h->prev;
	pool->ready--;
	h->ready = 0;
}

static void list_ready(struct km_held *h)
{
	struct km_pool *pool = h->pool;

	h->ready = 1;
	h->next = NULL;
	h->prev = pool->tail;
	if (pool->tail)
		pool->tail->next = h;
	else
		pool->head = h;
	pool->tail = h;
	pool->ready++;
	pool->waiting--;
}

struct km_presig *km_pool_spend(struct km_peer *p, struct km_held *h)
{
	struct km_presig *ps = h->ps;

	km_idmap_remove(&p->presigs, h->id);
	list_out(h);
	if (h->lot_prev)
		h->lot_prev->lot_next = h->lot_next;
	else
		h->lot->helds = h->lot_next;
	if (h->lot_next)
		h->lot_next->lot_prev = h->lot_prev;
	h->key->held[ps->owner]--;
	p->n_held--;
	if (h->pool && km_pool_low(p, h->pool))
		km_refill_soon(p, 1000);
	free(h);
	return ps;
}

void km_pool_burn(struct km_peer *p, struct km_held *h)
{
	km_presig_free(km_pool_spend(p, h));
}

static void burn_if(struct km_peer *p, struct km_lot *lot, uint32_t members, int own_waiting_only)
{
	for (struct km_held *h = lot->helds, *next; h; h = next) {
		next = h->lot_next;
		if (!(h->ps->quorum & members))
			continue;
		if (!own_waiting_only || (h->pool && !h->ready))
			km_pool_burn(p, h);
	}
}

void km_pool_burn_with(struct km_peer *p, unsigned peer)
{
	for (struct km_lot *lot = p->lots; lot; lot = lot->next)
		burn_if(p, lot, km_set_bit(peer), 0);
}

void km_pool_burn_own_of(struct km_peer *p, uint32_t pair)
{
	for (struct km_lot *lot = p->lots; lot; lot = lot->next) {
		for (struct km_held *h = lot->helds, *next; h; h = next) {
			next = h->lot_next;
			if (h->pool && !(pair & ~h->ps->quorum))
				km_pool_burn(p, h);
		}
	}
}

void km_pool_burn_all(struct km_peer *p)
{
	struct km_lot **at = &p->lots;

	for (struct km_lot *lot; (lot = *at);) {
		burn_if(p, lot, UINT32_MAX, 0);
		if (lot->users) { /* requests at work still need it; the next tick frees it */
			at = &lot->next;
			continue;
		}
		*at = lot->next;
		km_lot_free(lot);
	}
	p->lots_tail = at;
}

void km_pool_burn_key(struct km_peer *p, const struct km_key *key)
{
	for (struct km_lot *lot = p->lots; lot; lot = lot->next) {
		for (struct km_held *h = lot->helds, *next; h; h = next) {
			next = h->lot_next;
			if (h->key == key)
				km_pool_burn(p, h);
		}
	}
}

void km_pool_burn_own(struct km_peer *p, const struct km_key *key)
{
	for (struct km_lot *lot = p->lots; lot; lot = lot->next) {
		for (struct km_held *h = lot->helds, *next; h; h = next) {
			next = h->lot_next;
			if (h->key == key && h->pool)
				km_pool_burn(p, h);
		}
	}
}

struct km_pool *km_pool_get(struct km_key *key, uint32_t quorum)
{
	struct km_pool *empty = NULL;

	for (unsigned i = 0; i < key->n_pools; i++) {
		struct km_pool *pool = &key->pool[i];

		if (pool->quorum == quorum)
			return pool;
		if (!pool->ready && !pool->waiting)
			empty = pool;
	}
	if (key->n_pools < KM_POOLS_MAX)
		empty = &key->pool[key->n_pools++];
	if (empty)
		*empty = (struct km_pool){.quorum = quorum};
	return empty;
}

struct km_pool *km_pool_place(struct km_peer *p, struct km_key *key, uint32_t quorum, uint32_t usable)
{
	struct km_pool *pool = km_pool_get(key, quorum), *least = NULL;

	if (pool)
		return pool;
	for (unsigned i = 0; i < key->n_pools; i++) {
		struct km_pool *o = &key->pool[i];

		if ((o->quorum & ~usable) && (!least || o->ready + o->waiting < least->ready + least->waiting))
			least = o;
	}
	if (!least)
		return NULL;
	for (struct km_lot *lot = p->lots; lot; lot = lot->next) {
		for (struct km_held *h = lot->helds, *next; h; h = next) {
			next = h->lot_next;
			if (h->pool == least)
				km_pool_burn(p, h);
		}
	}
	return km_pool_get(key, quorum);
}

int km_pool_low(const struct km_peer *p, const struct km_pool *pool)
{
	return pool->ready + pool->waiting < p->s->pool_low;
}

unsigned km_pool_ready(const struct km_key *key, uint32_t usable)
{
	unsigned n = 0;

	for (unsigned i = 0; i < key->n_pools; i++)
		if (!(key->pool[i].quorum & ~usable))
			n += key->pool[i].ready;
	return n;
}

/* ---- what a run gave */

void km_pool_promote(struct km_peer *p, struct km_lot *lot)
{
	int more = 0;

	for (struct km_held *h = lot->helds; h; h = h->lot_next) {
		if (h->pool && !h->ready && km_lot_complete(lot, h->ps)) {
			list_ready(h);
			more = 1;
		}
	}
	if (!more)
		return;
	km_peer_wake(p, p->now.mono_us); /* canaries may be waiting */
	if (!lot->useful)
		km_refill_succeeded(p, lot->engine, lot->participants);
	lot->useful = 1;
}

static int hold(struct km_peer *p, struct km_key *key, struct km_lot *lot, struct km_presig *ps)
{
	struct km_held *h = calloc(1, sizeof(*h));

	if (!h)
		return KM_E_NOMEM;
	ps->made_ms = p->now.mono_us / 1000;
	memcpy(h->id, ps->id, KM_HASH_SIZE);
	h->ps = ps;
	h->key = key;
	h->lot = lot;
	if (ps->owner == p->self) {
		h->pool = km_pool_get(key, ps->quorum);
		if (!h->pool)
			goto fail;
	}
	if (km_idmap_find(&p->presigs, h->id) || km_idmap_add(&p->presigs, h))
		goto fail;
	if (h->pool)
		h->pool->waiting++;
	h->lot_next = lot->helds;
	if (lot->helds)
		lot->helds->lot_prev = h;
	lot->helds = h;
	key->held[ps->owner]++;
	p->n_held++;
	return KM_OK;
fail:
	free(h);
	return KM_E_NOMEM;
}

void km_pool_take_run(struct km_peer *p, struct km_run *run)
{
	struct km_presig **got = NULL;
	struct km_lot *lot = NULL;
	size_t n = 0, kept = 0;

	if (km_presign_take(run->m, &got, &n))
		return;
	lot = km_lot_new(p, run, got, n);
	uint32_t barred = km_blame_barred(p, &run->key->share->table);
	/* newest last: the list of a lot is built from its end */
	for (size_t i = n; i-- > 0;) {
		if (!lot || (got[i]->quorum & barred) || km_dispute_within(p, got[i]->quorum) || hold(p, run->key, lot, got[i]))
			km_presig_free(got[i]);
		else
			kept++;
	}
	free(got);
	if (!lot)
		return;
	p->n_presigned += kept;
	if (run->prop.engine == KM_ENGINE_ANY)
		p->n_presigned_any += kept;
	*p->lots_tail = lot;
	p->lots_tail = &lot->next;
	for (unsigned i = km_set_next(run->ready, 0); i; i = km_set_next(run->ready, i))
		km_lot_heard(p, lot, i, run->said[i].data, run->said[i].len);
	km_lot_say_ready(p, lot);
	km_peer_wake(p, p->now.mono_us + 1000000u);
	if (run->initiator == p->self && !kept)
		km_refill_failed(p, 0, 0, lot->engine);
	km_effects_log(p->fx, KM_LOG_DEBUG, "presigned %u with peer %u as initiator", (unsigned)kept, (unsigned)run->initiator);
}

/* A participant dropped the run: what we hold together of it is not complete there. */
void km_pool_abort(struct km_peer *p, unsigned from, const uint8_t sid[KM_HASH_SIZE])
{
	struct km_lot *lot = km_lot_find(p, sid);

	if (lot && km_set_has(lot->participants, from) && !km_set_has(lot->ready, from))
		burn_if(p, lot, km_set_bit(from), 0);
}

static int is_followed(const struct km_peer *p, const struct km_key *key)
{
	for (const struct km_key *k = p->keys; k; k = k->next)
		if (k->share->usable && km_key_same(k, key) && km_key_cmp(k, key) > 0)
			return 1;
	return 0;
}

void km_pool_unknown(struct km_peer *p, struct km_lot *lot, unsigned member)
{
	const struct km_key *key = km_key_find(p, lot->table);

	if (!key || !is_followed(p, key)) {
		burn_if(p, lot, km_set_bit(member), 0);
		return;
	}
	/* WHY all of the epoch: a member that has wiped its share of it knows none of them, and each further try would be a spend of this
	 * request at all others. A lie costs only what that member could refuse one by one. */
	for (struct km_lot *l = p->lots; l; l = l->next)
		if (l->engine != KM_ENGINE_NONE && memcmp(l->table, lot->table, KM_HASH_SIZE) == 0)
			burn_if(p, l, km_set_bit(member), 0);
}

/* ---- time */

/* WHY: a member that says no READY lets a run end well of which nothing can be used. One that says READY to less than we hold is not
 * scored: a third one may have kept a C4 from it. */
static void waited_for_ready(struct km_peer *p, struct km_lot *lot)
{
	uint32_t silent = 0;

	for (const struct km_held *h = lot->helds; h; h = h->lot_next)
		if (h->pool)
			silent |= h->ps->quorum & ~lot->ready;
	lot->waited = 1;
	km_blame_set(p, p->self, silent & km_links_live(p), KM_SCORE_UNIT);
	burn_if(p, lot, UINT32_MAX, 1);
	if (lot->engine && !lot->useful)
		km_refill_failed(p, 0, 0, lot->engine);
}

static int lot_is_old(const struct km_peer *p, const struct km_lot *lot)
{
	return p->now.mono_us - lot->made_us >= (uint64_t)p->s->presig_age_s * 1000000u;
}

void km_pool_tick(struct km_peer *p)
{
	for (struct km_lot **at = &p->lots, *lot; (lot = *at);) {
		uint64_t age = p->now.mono_us - lot->made_us;

		if (lot_is_old(p, lot))
			burn_if(p, lot, UINT32_MAX, 0);
		else if (age >= KM_READY_WAIT_US && !lot->waited)
			waited_for_ready(p, lot);
		if (!lot->helds && !lot->users) {
			*at = lot->next;
			if (!*at)
				p->lots_tail = at;
			km_lot_free(lot);
			continue;
		}
		if (lot->ready_sent < KM_READY_TIMES && age >= (uint64_t)1000000u * lot->ready_sent * lot->ready_sent)
			km_lot_say_ready(p, lot);
		if (lot->ready_sent < KM_READY_TIMES)
			km_peer_wake(p, lot->made_us + (uint64_t)1000000u * lot->ready_sent * lot->ready_sent);
		if (age < KM_READY_WAIT_US)
			km_peer_wake(p, lot->made_us + KM_READY_WAIT_US);
		km_peer_wake(p, lot->made_us + (uint64_t)p->s->presig_age_s * 1000000u);
		at = &lot->next;
	}
}

/* ---- choice */

static unsigned rtt_class(const struct km_peer *p, uint32_t quorum)
{
	uint32_t worst = 0;
	unsigned class = 0;

	for (unsigned i = km_set_next(quorum, 0); i; i = km_set_next(quorum, i))
		if (i != p->self && p->link[i].rtt_us > worst)
			worst = p->link[i].rtt_us;
	for (uint32_t limit = RTT_CLASS_FIRST_US; limit <= worst && class < 20; limit *= 2)
		class ++;
	return class;
}

static uint32_t avoided(const struct km_peer *p, uint32_t set)
{
	uint32_t out = 0;

	for (unsigned i = km_set_next(set, 0); i; i = km_set_next(set, i))
		if (p->link[i].avoid_until_us > p->now.mono_us)
			out |= km_set_bit(i);
	return out;
}

/* Cheapest in scored links and recent lateness, then fastest, then fullest. */
static struct km_held *choose_of(struct km_peer *p, struct km_key *key, uint32_t excluded, unsigned *status, unsigned *cost_of)
{
	uint32_t usable = km_blame_usable(p, &key->share->table) & ~excluded, late = avoided(p, usable);
	struct km_pool *best = NULL;
	unsigned best_cost = 0, best_class = 0;

	if (km_set_size(usable) >= key->share->table.threshold)
		*status = KM_STATUS_EMPTY;
	for (unsigned i = 0; i < key->n_pools; i++) {
		struct km_pool *pool = &key->pool[i];

		/* heads are the oldest: what is over its age is left for the next tick to burn */
		if (!pool->ready || (pool->quorum & ~usable) || lot_is_old(p, pool->head->lot))
			continue;
		unsigned cost = km_blame_cost(p, pool->quorum) + km_set_size(pool->quorum & late);
		unsigned class = rtt_class(p, pool->quorum);
		if (!best || cost < best_cost ||
		    (cost == best_cost && (class < best_class || (class == best_class && pool->ready > best->ready)))) {
			best = pool;
			best_cost = cost;
			best_class = class;
		}
	}
	*cost_of = best_cost;
	return best ? best->head : NULL;
}

/* Is a's presignature to be taken before b's? Cheaper links first; then the highest epoch whose pools have been filled, and else the
 * lowest: what is made in a new epoch stays there until it serves. */
static int epoch_before(const struct km_key *a, unsigned cost_a, const struct km_key *b, unsigned cost_b)
{
	if (cost_a != cost_b)
		return cost_a < cost_b;
	if (a->serves != b->serves)
		return a->serves;
	return a->serves ? km_key_cmp(a, b) > 0 : km_key_cmp(a, b) < 0;
}

struct km_held *km_pool_choose(struct km_peer *p, struct km_key *key, uint32_t excluded, unsigned *status)
{
	const struct km_key *from = NULL;
	struct km_held *best = NULL;
	unsigned best_cost = 0;

	*status = KM_STATUS_NO_QUORUM;
	for (struct km_key *k = p->keys; k; k = k->next) {
		unsigned cost = 0;
		struct km_held *h = k->share->usable && km_key_same(k, key) ? choose_of(p, k, excluded, status, &cost) : NULL;

		if (h && (!best || epoch_before(k, cost, from, best_cost))) {
			best = h;
			best_cost = cost;
			from = k;
		}
	}
	return best;
}
