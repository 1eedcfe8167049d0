/* accept.c: whether this peer joins a run that another proposes; a no comes with a reason for the other's operator. */
#include "peer_impl.h"

#include <string.h>

int km_refuse(struct km_refusal *why, enum km_refuse code, const char *text)
{
	why->code = code;
	km_format(why->text, sizeof(why->text), "%s", text);
	return 0;
}

static int may_join_dkg(struct km_peer *p, unsigned from, const struct km_proposal *pr, struct km_refusal *why)
{
	const struct km_key_policy *k = km_settings_key(p->s, pr->name);

	if (KM_RULE(km_rule_same_roster) && memcmp(pr->hash, p->s->roster.hash, KM_HASH_SIZE) != 0)
		return km_refuse(why, KM_REFUSE_ROSTER, "roster mismatch: its list of peers is another one");
	why->code = KM_REFUSE_KEY;
	if (!k) {
		km_format(why->text, sizeof(why->text), "key '%s' is not in its configuration", pr->name);
		return 0;
	}
	if (k->threshold != pr->threshold || k->curve != pr->curve) {
		const struct km_curve *c = km_curve_by_id(k->curve);

		km_format(why->text, sizeof(why->text), "its configuration has key '%s' with threshold %u on %s", pr->name,
			  (unsigned)k->threshold, c ? km_curve_name(c) : "an unknown curve");
		return 0;
	}
	if (!km_curve_by_id(pr->curve) || pr->threshold < KM_MIN_THRESHOLD || pr->threshold > km_set_size(pr->participants))
		return km_refuse(why, KM_REFUSE_KEY, "threshold or curve out of range");
	if (km_set_size(pr->participants) < km_policy_dkg_least(p, k) || (pr->participants & ~km_policy_committee(p, k)))
		return km_refuse(why, KM_REFUSE_KEY, "fewer participants than its configuration wants");
	struct km_key *have = km_key_by_name(p, pr->name);
	if (have && have->share->usable) {
		km_format(why->text, sizeof(why->text), "it already has a key '%s'", pr->name);
		return 0;
	}
	if (km_run_count(p, 0, KM_PURPOSE_DKG))
		return km_refuse(why, KM_REFUSE_BUSY, "another key generation is going on");
	return 1;
}

/* A peer has its own background refill, so with few slots five peers would wait for each other all the time; a majority run is about
 * a megabyte. Engine any has slots of its own, two, as a run of it receives up to 48 MiB: 96 MiB a peer, and as much again at the
 * most for what is being made and sent; see doc/protocol.md. The last slot of each kind is for initiators without a scored
 * link to us. WHY: stalled runs must not fill all of them (attack A26). */
static int slot_free(const struct km_peer *p, unsigned from, unsigned engine, unsigned slots)
{
	return km_run_count_engine(p, engine) < (km_set_has(p->scored[p->self], from) ? slots - 1 : slots);
}

int km_run_any_free(const struct km_peer *p, unsigned from)
{
	return slot_free(p, from, KM_ENGINE_ANY, KM_ANY_SLOTS);
}

static int run_slot_free(const struct km_peer *p, unsigned from, unsigned engine)
{
	return engine == KM_ENGINE_ANY ? km_run_any_free(p, from) : slot_free(p, from, engine, KM_RUN_SLOTS);
}

/* Majority among 2T-1 or more, any among exactly T (so that every row's quorum, of T participants, is all of them). */
static int engine_ok(const struct km_proposal *pr, const struct km_table *t)
{
	unsigned n = km_set_size(pr->participants);

	if (pr->engine == KM_ENGINE_ANY)
		return n == t->threshold && pr->batch <= km_presign_any_batch_max(t->curve, t->threshold);
	return pr->engine == KM_ENGINE_MAJORITY && n >= 2 * t->threshold - 1;
}

static int rows_ok(const struct km_peer *p, unsigned from, const struct km_proposal *pr, const struct km_presign_row *rows,
		   const struct km_table *t, uint32_t barred)
{
	for (unsigned i = 0; i < pr->batch; i++) {
		uint32_t s = rows[i].quorum;

		if (km_set_size(s) != t->threshold || !km_set_has(s, rows[i].owner) || (s & ~pr->participants))
			return 0;
		/* WHY: what it made for another would fill that one's quota, with quorums of its own choice (attack A26) */
		if (rows[i].owner != from && KM_RULE(km_rule_run_slots))
			return 0;
		/* WHY: of two that accuse each other one lies; their presignatures would be bad for sure, or without proof */
		if (km_dispute_within(p, s) || (s & barred))
			return 0;
	}
	return 1;
}

static int may_join_presign(struct km_peer *p, unsigned from, const struct km_proposal *pr, const struct km_presign_row *rows,
			    struct km_key **key, struct km_refusal *why)
{
	struct km_key *k = *key = km_key_find(p, pr->hash);
	unsigned more[KM_MAX_PEERS + 1] = {0};
	unsigned quota = 2 * KM_WANTED_MAX * p->s->pool_target;

	if (quota < KM_HELD_PER_OWNER)
		quota = KM_HELD_PER_OWNER;
	if (!k || !k->share->usable)
		return km_refuse(why, KM_REFUSE_TABLE, "it has no usable share of that key and epoch");
	const struct km_table *t = &k->share->table;
	if (!k->policy)
		return km_refuse(why, KM_REFUSE_KEY, "the key is not in its configuration");
	if (!engine_ok(pr, t))
		return km_refuse(why, KM_REFUSE_ENGINE, "so many participants, or so large a batch, are not for that engine");
	if (pr->participants & ~t->members)
		return km_refuse(why, KM_REFUSE_TABLE, "a participant is no member of the key");
	for (unsigned i = km_set_next(pr->participants, 0); i; i = km_set_next(pr->participants, i))
		if (memcmp(t->idkeys[i], p->idkeys[i], KM_IDKEY_SIZE) != 0)
			return km_refuse(why, KM_REFUSE_ROSTER, "a participant is not in its configuration with that identity");
	if (pr->participants & km_blame_barred(p, t))
		return km_refuse(why, KM_REFUSE_QUARANTINE, "a participant is quarantined");
	if (!rows_ok(p, from, pr, rows, t, km_blame_barred(p, t)))
		return km_refuse(why, KM_REFUSE_ROWS, "a quorum is not possible");
	for (unsigned i = 0; i < pr->batch; i++)
		if (km_set_has(rows[i].quorum, p->self))
			more[rows[i].owner]++;
	for (unsigned i = 1; i <= KM_MAX_PEERS; i++)
		if (more[i] && k->held[i] + more[i] > quota)
			return km_refuse(why, KM_REFUSE_QUOTA, "too many presignatures for one owner");
	/* WHY: a run in which one private message is lost ends at its deadline, with the blame on whoever waited for it */
	if (pr->participants & ~km_links_live(p))
		return km_refuse(why, KM_REFUSE_BUSY, "it does not reach all participants, wait");
	if (KM_RULE(km_rule_run_slots)) {
		if (km_run_count(p, from, KM_PURPOSE_PRESIGN))
			return km_refuse(why, KM_REFUSE_BUSY, "its former run is still going on here");
		if (p->now.mono_us < p->link[from].refuse_until_us)
			return km_refuse(why, KM_REFUSE_BUSY, "its former run failed, wait");
		if (!run_slot_free(p, from, pr->engine))
			return km_refuse(why, KM_REFUSE_BUSY, "all run slots are taken");
	}
	return 1;
}

int km_accept(struct km_peer *p, unsigned from, const struct km_proposal *pr, const struct km_presign_row *rows,
	      struct km_key **key, struct km_refusal *why)
{
	uint64_t off = pr->time_ms > p->now.wall_ms ? pr->time_ms - p->now.wall_ms : p->now.wall_ms - pr->time_ms;

	if (off > KM_PROPOSE_CLOCK_MS) {
		why->code = KM_REFUSE_CLOCK;
		km_format(why->text, sizeof(why->text), "the clocks differ by %U s", off / 1000);
		return 0;
	}
	if (!km_set_has(pr->participants, from) || !km_set_has(pr->participants, p->self) ||
	    (pr->participants & ~p->s->roster.members))
		return km_refuse(why, KM_REFUSE_ROSTER, "a participant is not in its configuration");
	if (pr->participants & p->quarantined)
		return km_refuse(why, KM_REFUSE_QUARANTINE, "a participant is quarantined");
	if (pr->purpose == KM_PURPOSE_DKG)
		return may_join_dkg(p, from, pr, why);
	if (pr->purpose == KM_PURPOSE_RESHARE)
		return km_reshare_accept(p, from, pr, why);
	return may_join_presign(p, from, pr, rows, key, why);
}
