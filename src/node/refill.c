/* refill.c: keeps the own pools filled in the background: which quorums, how many, with whom, by which engine.
 *
 * A run serves its initiator's own shortages only. Engine majority fills all pools at once, with all live members that hold the
 * epoch, while some 2T-1 of them have no suspected link among them. Otherwise, and for T > (N+1)/2 always, engine any fills
 * one pool a run, with exactly the members of its quorum. What is short is asked of the pools whose members are all there; a
 * presignature of others stays in its pool until its age ends, and counts again when they are back. */
#include "peer_impl.h"

#include <string.h>

#define BACKOFF_MIN_US 100000u
#define BACKOFF_MAX_US 10000000u
#define IDLE_US 1000000u
/* So many own runs may fail in a row before fewer peers are asked; with these the pauses are shorter. */
#define FAILURES_MAX 3
#define BACKOFF_FEW_US 1000000u
#define BACKOFF_BUSY_US 400000u
/* So often may a run of engine majority find somebody busy before it counts as failed, and the pauses then: 10 ms, doubling to 160. */
#define BUSY_MAX 8
#define BUSY_PAUSE_US 10000u
/* Until the participants of the former run are through, too, but no longer. */
#define SETTLE_US 200000u
#define SETTLE_LOOK_US 10000u
#define ALL_AGAIN_US 60000000u
/* Engine any: below this a pool is as good as empty, and its first run is so small: a quarter of the time of a full batch. */
#define ANY_EMPTY 8
#define ANY_FIRST 32
#define ANY_SLOT_US 100000u
/* The pause after an own run by engine any, where there is some. WHY: who waits for a slot looks for one every 150 ms at the latest;
 * whoever begins again at once keeps it for itself, and the third of three owners never has a turn. */
#define ANY_TURN_US 250000u
#define ANY_SOME 64
/* Quorums that are drawn to find the one with the fewest suspected links. */
#define ANY_DRAWS 16
/* How long peers that are there are waited for to say that they hold the epoch. */
#define UNHEARD_US 3000000u

void km_refill_soon(struct km_peer *p, uint32_t delay_us)
{
	uint64_t at = p->now.mono_us + delay_us;

	if (!p->refill_wanted || at < p->refill_at_us) {
		p->refill_wanted = 1;
		/* a failed run's pause holds in any case */
		p->refill_at_us = at > p->refill_not_before_us ? at : p->refill_not_before_us;
	}
	km_peer_wake(p, p->refill_at_us);
}

/* WHY no failure: on a loaded machine somebody is always still at the last run, and three failures in a row would have engine any make
 * the presignatures, at six times the price. WHY not for ever: who always says busy would stop all presigning (attack A26). */
static int only_busy(struct km_peer *p, unsigned engine)
{
	if (engine == KM_ENGINE_ANY || p->refill_busy >= BUSY_MAX)
		return 0;
	uint64_t pause = (uint64_t)BUSY_PAUSE_US << (p->refill_busy < 4 ? p->refill_busy : 4);

	p->refill_busy++;
	p->refill_not_before_us = p->now.mono_us + pause / 2 + km_rng_below(p->rng, pause);
	p->refill_wanted = 0;
	km_refill_soon(p, 0);
	return 1;
}

void km_refill_failed(struct km_peer *p, uint64_t lasted_us, int busy, unsigned engine)
{
	uint64_t wait;

	if (busy && only_busy(p, engine))
		return;
	/* these few did not help either */
	if (p->refill_failures >= FAILURES_MAX)
		p->refill_few = 0;
	if (p->refill_failures < UINT32_MAX)
		p->refill_failures++;
	uint32_t most = p->refill_failures > FAILURES_MAX ? BACKOFF_FEW_US : BACKOFF_MAX_US;
	/* runs by engine any take turns at few slots: whoever waited long for one would find it taken again */
	if (busy && engine == KM_ENGINE_ANY)
		most = BACKOFF_BUSY_US;
	p->refill_backoff_us = p->refill_backoff_us ? 2 * p->refill_backoff_us : BACKOFF_MIN_US;
	if (p->refill_backoff_us > most)
		p->refill_backoff_us = most;
	/* others refuse us for as long as the failed run lasted; jitter lets peers that collided part */
	wait = lasted_us < KM_RUN_PENALTY_MAX_US ? lasted_us : KM_RUN_PENALTY_MAX_US;
	wait += p->refill_backoff_us / 2 + km_rng_below(p->rng, p->refill_backoff_us);
	p->refill_not_before_us = p->now.mono_us + wait;
	p->refill_wanted = 0;
	km_refill_soon(p, 0);
}

void km_refill_succeeded(struct km_peer *p, unsigned engine, uint32_t participants)
{
	p->refill_backoff_us = 0;
	p->refill_busy = 0;
	if (engine == KM_ENGINE_ANY)
		p->refill_turn_us = p->now.mono_us + ANY_TURN_US;
	if (p->refill_failures < FAILURES_MAX) {
		p->refill_failures = 0;
		p->refill_few = 0;
	} else {
		p->refill_few = participants;
		if (!p->refill_all_at_us)
			p->refill_all_at_us = p->now.mono_us + ALL_AGAIN_US;
	}
	km_refill_soon(p, 0);
}

/* So many runs have failed that whom to ask is left to chance. Not before a new key's canaries: those want everybody's share. */
static int drawing(const struct km_peer *p)
{
	return p->refill_failures >= FAILURES_MAX && p->keygen.state != KM_KEYGEN_CANARY;
}

/* The n-th peer of a set, from 0, as a set. */
static uint32_t nth(uint32_t set, unsigned n)
{
	unsigned i = km_set_next(set, 0);

	while (n--)
		i = km_set_next(set, i);
	return km_set_bit(i);
}

/* WHY: one participant can let a run fail without a trace of its own (a refusal, a wrong dealing, another view for everybody), and
 * would so use up all presignatures. Some 2T-1 peers are honest or behave; by drawing them we find them, whoever lies about whom. */
static uint32_t fewer(struct km_peer *p, uint32_t set, unsigned need)
{
	if (!drawing(p))
		return set;
	for (p->refill_few = set; km_set_size(p->refill_few) > need;) {
		uint32_t others = p->refill_few & ~km_set_bit(p->self);

		p->refill_few &= ~nth(others, (unsigned)km_rng_below(p->rng, km_set_size(others)));
	}
	return p->refill_few;
}

/* The next larger number with as many bits (Gosper). */
static uint64_t next_subset(uint64_t v)
{
	uint64_t low = v & (~v + 1), up = v + low;

	return up | (((v ^ up) / low) >> 2);
}

/* Spreads the low bits of v over the members of set. */
static uint32_t pick(uint64_t v, const uint8_t *member, unsigned n)
{
	uint32_t out = 0;

	for (unsigned i = 0; i < n; i++)
		if ((v >> i) & 1)
			out |= km_set_bit(member[i]);
	return out;
}

static uint64_t binomial(unsigned n, unsigned k)
{
	uint64_t r = 1;

	for (unsigned i = 1; i <= k; i++) {
		r = r * (n - k + i) / i;
		if (r > 1000000u)
			return r;
	}
	return r;
}

/* Quorums with us to keep filled among the usable peers: all of them if they are few, else the windows of a ring: every other
 * peer is in the same number of them. out has room for KM_WANTED_MAX. */
unsigned km_refill_wanted(const struct km_peer *p, unsigned threshold, uint32_t usable, uint32_t *out)
{
	uint8_t other[KM_MAX_PEERS];
	unsigned n = 0, t = threshold - 1, count = 0;

	usable &= ~p->disputed;
	for (unsigned i = km_set_next(usable, 0); i; i = km_set_next(usable, i))
		if (i != p->self)
			other[n++] = (uint8_t)i;
	if (n < t)
		return 0;
	if (binomial(n, t) > KM_WANTED_MAX) {
		for (unsigned at = 0; at < n && count < KM_WANTED_MAX; at++) {
			out[count] = km_set_bit(p->self);
			for (unsigned k = 0; k < t; k++)
				out[count] |= km_set_bit(other[(at + k) % n]);
			count += !km_dispute_within(p, out[count]);
		}
		return count;
	}
	for (uint64_t v = ((uint64_t)1 << t) - 1; v < (uint64_t)1 << n; v = next_subset(v)) {
		out[count] = pick(v, other, n) | km_set_bit(p->self);
		count += !km_dispute_within(p, out[count]);
	}
	return count;
}

/* Members that a run may be made with: reachable, and they hold the epoch. */
static uint32_t holders(const struct km_peer *p, const struct km_table *t)
{
	uint32_t others = km_blame_reachable(p, t), set = km_set_bit(p->self) & t->members;

	for (unsigned i = km_set_next(others, 0); i; i = km_set_next(others, i))
		if (i != p->self && km_links_has_table(p, i, t->hash))
			set |= km_set_bit(i);
	return set;
}

/* Suspected links in a set, of which `all` is there. WHY not our own when every one of them is suspected: then it was us that was slow, or
 * the machine that all of us share, and no quorum of ours is without them. T-1 corrupt peers cannot make it so: some peer is honest. */
static unsigned links_in(const struct km_peer *p, uint32_t set, uint32_t all)
{
	uint32_t others = all & ~km_set_bit(p->self);
	unsigned links = km_blame_cost(p, set);

	if (others & ~p->scored[p->self])
		return links;
	return links - km_set_size(p->scored[p->self] & set);
}

/* Engine majority: all of `all`, but those with the most suspected links while 2T-1 remain. 0 when some suspected link would be
 * left: then the engine any makes presignatures without it. WHY by chance when runs go on failing: T-1 peers that each accuse another
 * honest one, or make its link suspect, would have us leave out those, and the runs fail with them (attack A26). */
uint32_t km_refill_majority(const struct km_peer *p, const struct km_table *t, uint32_t all)
{
	unsigned need = 2 * t->threshold - 1;
	int draw = drawing(p);

	if (draw && !(p->refill_few & ~all) && km_set_size(p->refill_few) >= need && !links_in(p, p->refill_few, all))
		return p->refill_few;
	/* WHY not without them in any case: one dispute must not force the slow engine on everybody; a quorum never holds both */
	uint32_t set = km_dispute_part(p, all, need, draw);

	while (links_in(p, set, all) && km_set_size(set) > need) {
		unsigned worst = km_blame_worst(p, set, p->scored, draw);

		if (!worst)
			break;
		set &= ~km_set_bit(worst);
	}
	return km_set_size(set) < need || links_in(p, set, all) ? 0 : set;
}

static unsigned level_of(struct km_peer *p, struct km_key *key, uint32_t quorum, uint32_t usable)
{
	const struct km_pool *pool = km_pool_place(p, key, quorum, usable);

	return pool ? pool->ready + pool->waiting : UINT32_MAX;
}

/* Rows for the emptiest pools first, until the batch is full or every pool has its target. Pools with a suspected link among
 * their peers come last. WHY at all: the others may be out of reach when they are needed, and a signature prefers them anyway.
 * Returns the number of rows. */
static unsigned shortages(struct km_peer *p, struct km_key *key, uint32_t participants, struct km_presign_row *rows)
{
	uint32_t wanted[KM_WANTED_MAX];
	unsigned level[KM_WANTED_MAX], late[KM_WANTED_MAX];
	unsigned n = km_refill_wanted(p, key->share->table.threshold, participants, wanted), count = 0, low = 0;

	for (unsigned i = 0; i < n; i++) {
		level[i] = level_of(p, key, wanted[i], participants);
		late[i] = km_blame_cost(p, wanted[i]) ? p->s->pool_target : 0;
		low |= level[i] < p->s->pool_low;
	}
	if (!low)
		return 0;
	while (count < p->s->batch) {
		unsigned best = n;

		for (unsigned i = 0; i < n; i++)
			if (level[i] < p->s->pool_target && (best == n || level[i] + late[i] < level[best] + late[best]))
				best = i;
		if (best == n)
			break;
		level[best]++;
		rows[count++] = (struct km_presign_row){.owner = p->self, .quorum = wanted[best]};
	}
	return count;
}

/* Target of each of the n pools that engine any fills: what all pools of this owner would hold with every member there is shared
 * among these. WHY: the signatures that other quorums made now all come out of these few. */
static unsigned any_target(const struct km_peer *p, const struct km_table *t, unsigned n)
{
	uint64_t all = binomial(km_set_size(t->members) - 1, t->threshold - 1);
	unsigned target;

	if (all > KM_WANTED_MAX)
		all = KM_WANTED_MAX;
	target = (unsigned)(p->s->pool_target * all / n);
	if (target > KM_MAX_BATCH)
		target = KM_MAX_BATCH;
	return target > p->s->pool_target ? target : p->s->pool_target;
}

/* All that is short; but where little is left the first runs are small ones, each three times the one before. WHY: somebody waits for
 * these, and a full batch takes seconds on a small machine. WHY not small as long as the pool stays low: where more is asked for than
 * can be made, a small batch makes half as much. */
static unsigned any_batch(struct km_key *key, unsigned level, unsigned target)
{
	unsigned n = target - level;

	if (level > target / 4)
		key->any_cap = 0;
	else if (!key->any_cap)
		key->any_cap = level < ANY_EMPTY ? ANY_FIRST : 3 * ANY_FIRST;
	else if (key->any_cap < KM_MAX_BATCH)
		key->any_cap *= 3;
	return key->any_cap && n > key->any_cap ? key->any_cap : n;
}

/* Quorums that engine any fills. Where there are more than we keep pools for, and all runs fail, one that is drawn from all there are, the
 * cheapest of some, and then again, while it does not fail. WHY: T-1 peers can sit so in the ring that each of its windows has one of them
 * (every third of eight others, T = 4), and refuse (attack A26). */
static unsigned any_wanted(struct km_peer *p, const struct km_table *t, uint32_t all, uint32_t *wanted)
{
	uint32_t others = all & ~km_set_bit(p->self) & ~p->disputed;
	unsigned n = km_set_size(others), best = 0;

	if (!drawing(p) || n < t->threshold - 1 || binomial(n, t->threshold - 1) <= KM_WANTED_MAX)
		return km_refill_wanted(p, t->threshold, all, wanted);
	wanted[0] = p->refill_few;
	if (!(p->refill_few & ~all) && km_set_size(p->refill_few) == t->threshold)
		return 1;
	for (unsigned k = 0; k < ANY_DRAWS; k++) {
		uint32_t set = others;

		while (km_set_size(set) > t->threshold - 1u)
			set &= ~nth(set, (unsigned)km_rng_below(p->rng, km_set_size(set)));
		set |= km_set_bit(p->self);
		if (km_dispute_within(p, set) || (best && km_blame_cost(p, set) >= km_blame_cost(p, wanted[0])))
			continue;
		wanted[0] = set;
		best = 1;
	}
	return best;
}

/* One quorum for a run by engine any: of those with the fewest suspected links the emptiest that has half its target. WHY half: a
 * run has base OTs that cost as much as forty presignatures whatever its batch. After a failed run any of them is drawn. WHY: one
 * member can let its runs fail without a trace of its own, and must not keep us from the quorums it is not in (attack A26).
 * Returns the size of the batch. */
static unsigned any_quorum(struct km_peer *p, struct km_key *key, uint32_t all, uint32_t *quorum)
{
	const struct km_table *t = &key->share->table;
	uint32_t wanted[KM_WANTED_MAX];
	unsigned level[KM_WANTED_MAX], cost[KM_WANTED_MAX], n = any_wanted(p, t, all, wanted);
	unsigned target, least = UINT32_MAX, best = n, short_of = 0;

	if (!n)
		return 0;
	target = any_target(p, t, n);
	for (unsigned i = 0; i < n; i++) {
		level[i] = level_of(p, key, wanted[i], all);
		cost[i] = km_blame_cost(p, wanted[i]);
		if (cost[i] < least)
			least = cost[i];
	}
	for (unsigned i = 0; i < n; i++) {
		if (cost[i] != least || level[i] >= (target + 1) / 2)
			continue;
		short_of++;
		if (p->refill_failures ? !km_rng_below(p->rng, short_of) : best == n || level[i] < level[best])
			best = i;
	}
	if (best == n)
		return 0;
	unsigned some = target / 4 < ANY_SOME ? target / 4 : ANY_SOME;
	if (level[best] > some && p->now.mono_us < p->refill_turn_us) {
		km_refill_soon(p, (uint32_t)(p->refill_turn_us - p->now.mono_us));
		return 0;
	}
	*quorum = wanted[best];
	return any_batch(key, level[best], target);
}

static unsigned any_rows(struct km_peer *p, struct km_key *key, uint32_t all, struct km_presign_row *rows, uint32_t *quorum)
{
	const struct km_table *t = &key->share->table;
	unsigned most = km_presign_any_batch_max(t->curve, t->threshold), n = any_quorum(p, key, all, quorum);

	if (n > most)
		n = most;
	if (n > p->s->batch)
		n = p->s->batch;
	for (unsigned i = 0; i < n; i++)
		rows[i] = (struct km_presign_row){.owner = p->self, .quorum = *quorum};
	return n;
}

/* WHY not majority for ever: with exactly 2T-1 peers there nobody can be left out, and one that lets every run fail without a trace
 * would end all presigning; among all quorums there are some without it (attack A26). */
static int majority_hopeless(const struct km_peer *p, const struct km_table *t, uint32_t all)
{
	unsigned spare = km_set_size(all) - (2 * t->threshold - 1);

	return p->refill_failures >= (spare ? 3 * FAILURES_MAX : FAILURES_MAX);
}

/* Right after a key generation or a start peers have not yet said what they hold: engine any would be a waste. */
static int wait_for_more(struct km_peer *p, struct km_key *key, uint32_t all)
{
	const struct km_table *t = &key->share->table;
	unsigned need = 2 * t->threshold - 1;

	if (km_set_size(all) >= need || km_set_size(all | km_blame_usable(p, t)) < need) {
		key->unheard_us = 0;
		return 0;
	}
	if (!key->unheard_us)
		key->unheard_us = p->now.mono_us;
	if (p->now.mono_us - key->unheard_us >= UNHEARD_US)
		return 0;
	km_refill_soon(p, ANY_SLOT_US);
	return 1;
}

/* Suspected links of the cheapest quorum with us among those who hold the epoch; UINT_MAX: there are not T of them. */
static unsigned epoch_cost(const struct km_peer *p, const struct km_key *key)
{
	const struct km_table *t = &key->share->table;
	uint32_t wanted[KM_WANTED_MAX];
	unsigned n = km_refill_wanted(p, t->threshold, holders(p, t), wanted), best = UINT32_MAX;

	for (unsigned i = 0; i < n; i++) {
		unsigned cost = km_blame_cost(p, wanted[i]);

		if (cost < best)
			best = cost;
	}
	return best;
}

/* Of the epochs of a key only one is filled: the highest in which some quorum has no suspected link, else the cheapest. */
static int to_fill(const struct km_peer *p, const struct km_key *key)
{
	unsigned cost = 0, found = 0;

	for (const struct km_key *o = p->keys; o; o = o->next)
		found += o != key && o->share->usable && km_key_same(o, key);
	if (!found)
		return 1;
	cost = epoch_cost(p, key);
	for (const struct km_key *o = p->keys; o; o = o->next) {
		if (o == key || !o->share->usable || !km_key_same(o, key))
			continue;
		unsigned other = epoch_cost(p, o);
		if (other < cost || (other == cost && km_key_cmp(o, key) > 0))
			return 0;
	}
	return 1;
}

/* The first time that its pools are as good as full: from here on it serves, and what we own of lower epochs goes. */
static void serve(struct km_peer *p, struct km_key *key)
{
	const struct km_table *t = &key->share->table;
	uint32_t wanted[KM_WANTED_MAX], all = holders(p, t);
	unsigned n = km_refill_wanted(p, t->threshold, all, wanted), ready = 0;

	if (key->serves || !n)
		return;
	for (unsigned i = 0; i < n; i++) {
		const struct km_pool *pool = km_pool_get(key, wanted[i]);

		if (!km_blame_cost(p, wanted[i]) && (!pool || !pool->ready))
			return;
		ready += pool ? pool->ready : 0;
	}
	if (2 * ready < n * p->s->pool_low)
		return;
	key->serves = 1;
	for (struct km_key *o = p->keys; o; o = o->next)
		if (o != key && km_key_same(o, key) && km_key_cmp(o, key) < 0)
			km_pool_burn_own(p, o);
	/* others wait for that before they wipe */
	km_links_health_now(p);
}

static int refill_key(struct km_peer *p, struct km_key *key)
{
	const struct km_table *t = &key->share->table;
	struct km_presign_row rows[KM_MAX_BATCH];
	struct km_proposal prop = {.purpose = KM_PURPOSE_PRESIGN, .engine = KM_ENGINE_MAJORITY};
	struct km_run *run;
	uint32_t all;

	if (!key->share->usable || !key->policy || !to_fill(p, key))
		return 0;
	serve(p, key);
	if (p->refill_all_at_us && p->now.mono_us >= p->refill_all_at_us) {
		p->refill_all_at_us = 0;
		p->refill_failures = FAILURES_MAX - 1;
	}
	all = holders(p, t);
	if (wait_for_more(p, key, all))
		return 0;
	prop.participants = km_refill_majority(p, t, all);
	if (prop.participants && majority_hopeless(p, t, all))
		prop.participants = 0;
	if (prop.participants) {
		prop.participants = fewer(p, prop.participants, 2 * t->threshold - 1);
		prop.batch = (uint16_t)shortages(p, key, prop.participants, rows);
	} else if (km_run_any_free(p, p->self)) {
		prop.engine = KM_ENGINE_ANY;
		prop.batch = (uint16_t)any_rows(p, key, all, rows, &prop.participants);
	} else {
		km_refill_soon(p, ANY_SLOT_US / 2 + (uint32_t)km_rng_below(p->rng, ANY_SLOT_US));
	}
	if (!prop.batch)
		return 0;
	memcpy(prop.hash, t->hash, KM_HASH_SIZE);
	if (km_session_propose(p, &prop, rows, key, &run) && run)
		km_run_drop(p, run, KM_E_NOMEM, 0, 1);
	return 1;
}

/* WHY wait: who is not through with the former run would say busy, and the run is made with everybody or not at all. */
static int settles(const struct km_peer *p)
{
	const struct km_lot *last = NULL;

	for (const struct km_lot *lot = p->lots; lot; lot = lot->next)
		if (lot->helds && lot->helds->ps->owner == p->self)
			last = lot;
	return last && p->now.mono_us - last->made_us < SETTLE_US && (last->participants & ~last->ready & km_links_live(p));
}

void km_refill_tick(struct km_peer *p)
{
	if (!p->refill_wanted)
		km_refill_soon(p, IDLE_US);
	if (p->now.mono_us < p->refill_at_us) {
		km_peer_wake(p, p->refill_at_us);
		return;
	}
	p->refill_wanted = 0;
	km_refill_soon(p, IDLE_US);
	/* one run of ours at a time */
	if (km_run_count(p, p->self, KM_PURPOSE_PRESIGN))
		return;
	if (settles(p)) {
		km_refill_soon(p, SETTLE_LOOK_US);
		return;
	}
	unsigned n = 0, at;
	for (const struct km_key *k = p->keys; k; k = k->next)
		n++;
	/* keys take turns, so that a busy one does not starve the others */
	for (unsigned i = 0; i < n; i++) {
		struct km_key *key = p->keys;

		for (at = (p->refill_turn + i) % n; at; at--)
			key = key->next;
		if (refill_key(p, key)) {
			p->refill_turn = (p->refill_turn + i + 1) % n;
			return;
		}
	}
}
