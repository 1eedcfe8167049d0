/* reshare.c: refresh, reshare and recovery: one run in which T holders of an epoch (Q) hand the key to a committee.
 *
 *	wait for the peers -> base epoch, Q, J -> PROPOSE -> run -> candidate -> certificate -> canaries -> answer
 *
 * The committee is that of the operator's file, at every participant (attack A18). Who does not answer is left out of J, and recovered
 * later, while c members remain; a holder who does not answer is left out of Q. A run that leaves a candidate without certificate is a
 * promise that lies on disks, so the next one waits, longer each time. */
#include "peer_impl.h"

#include <stdlib.h>
#include <string.h>
#include "../base/secret.h"

#define WAIT_PEERS_US 10000000u
#define POLL_US 500000u
#define REFUSED_US 60000000u    /* how long busy participants are asked again */
#define CERTIFY_US 30000000u
#define STUCK_FIRST_MS 60000u   /* doubled for each candidate without certificate */
#define STUCK_MOST_MS 86400000u
/* Scheduled: the first of the order begins, each next one so much later if nothing has happened. */
#define TURN_S 120
#define SCHEDULED_AGAIN_US 300000000u

/* ---- what stands in the way */

static int stuck(const struct km_key *k)
{
	return k->holder && !k->wiped && !k->share->usable && k->cert.proto == KM_PROTO_RESHARE;
}

uint64_t km_reshare_not_before_ms(const struct km_peer *p, const uint8_t key_id[KM_HASH_SIZE])
{
	const struct km_key *bar = km_cert_bar((struct km_peer *)p, key_id);
	uint64_t last = 0, wait = STUCK_FIRST_MS;
	unsigned n = 0;

	for (const struct km_key *k = p->keys; k; k = k->next) {
		if (!stuck(k) || memcmp(k->share->table.key_id, key_id, KM_HASH_SIZE) != 0 || (bar && km_key_cmp(k, bar) < 0))
			continue;
		n++;
		if (k->made_ms > last)
			last = k->made_ms;
	}
	if (!n)
		return 0;
	/* WHY more than one: a vote binds to keep a share, not to a run that may never end (attack A13); WHY not any number: promises cannot
	 * be dropped, and the disk is bounded */
	if (n >= (KM_RULE(km_rule_vote_again) ? KM_STUCK_MAX : 1))
		return UINT64_MAX;
	for (unsigned i = 1; i < n && wait < STUCK_MOST_MS; i++)
		wait *= 2;
	return last + (wait < STUCK_MOST_MS ? wait : STUCK_MOST_MS);
}

/* The highest name that is here in whatever state. */
static int highest(const struct km_peer *p, const uint8_t key_id[KM_HASH_SIZE], struct km_epoch *out)
{
	int found = 0;

	for (const struct km_key *k = p->keys; k; k = k->next) {
		struct km_epoch e;

		if (memcmp(k->share->table.key_id, key_id, KM_HASH_SIZE) != 0)
			continue;
		km_epoch_of(&e, &k->share->table);
		if (!found || km_epoch_cmp(&e, out) > 0)
			*out = e;
		found = 1;
	}
	return found;
}

int km_reshare_may_vote(struct km_peer *p, const struct km_table *t)
{
	const struct km_key *bar = km_cert_bar(p, t->key_id);
	struct km_epoch e, b;

	if (!bar)
		return 1;
	km_epoch_of(&e, t);
	km_epoch_of(&b, &bar->share->table);
	return km_epoch_cmp(&e, &b) > 0;
}

static void in_words(uint32_t members, unsigned threshold, char *out, size_t size)
{
	size_t at = 0;

	km_format(out, size, "members ");
	at = strlen(out);
	for (unsigned i = km_set_next(members, 0); i && at + 8 < size; i = km_set_next(members, i)) {
		unsigned to = i;

		while (km_set_has(members, to + 1))
			to++;
		km_format(out + at, size - at, to > i + 1 ? "%s%u-%u" : to > i ? "%s%u,%u" : "%s%u", i == km_set_next(members, 0) ? "" : ",", i, to);
		at += strlen(out + at);
		i = to;
	}
	km_format(out + at, size - at, ", threshold %u", threshold);
}

/* ---- as a participant */

static int going_on(const struct km_peer *p, const char *name)
{
	for (const struct km_run *run = p->runs; run; run = run->next)
		if ((run->state == KM_RUN_JOINING || run->state == KM_RUN_ACTIVE) && run->prop.purpose == KM_PURPOSE_RESHARE &&
		    strcmp(run->prop.name, name) == 0)
			return 1;
	return 0;
}

static int approved(const struct km_peer *p, const struct km_key_policy *k, const struct km_proposal *pr, struct km_refusal *why)
{
	char file[80];

	/* WHY every participant, dealers too: members that missed an eviction would undo it (attack A18) */
	if (KM_RULE(km_rule_own_file) && (pr->members != km_policy_committee(p, k) || pr->threshold != k->threshold || pr->curve != k->curve)) {
		in_words(km_policy_committee(p, k), k->threshold, file, sizeof(file));
		why->code = KM_REFUSE_KEY;
		km_format(why->text, sizeof(why->text), "it has not approved: its configuration says %s", file);
		return 0;
	}
	if (KM_RULE(km_rule_same_roster) && pr->members & ~p->s->roster.members)
		return km_refuse(why, KM_REFUSE_ROSTER, "a new member is not in its list of peers");
	return 1;
}

static int base_ok(struct km_peer *p, unsigned from, const struct km_proposal *pr, const struct km_key_policy *policy, struct km_refusal *why)
{
	const struct km_table *t;
	const struct km_cert *cert;
	const struct km_key *k = km_key_find(p, pr->hash);
	int known = policy->pinned;

	for (const struct km_key *o = p->keys; o; o = o->next)
		known |= strcmp(o->share->table.name, pr->name) == 0;
	if (!known)
		return km_refuse(why, KM_REFUSE_KEY, "its configuration does not say which key that is: add its id to the key");
	if (!km_cert_base(p, from, pr->hash, &t, &cert))
		return km_refuse(why, KM_REFUSE_TABLE, "it does not know that epoch, or has wiped it");
	if (km_set_has(pr->dealers, p->self) && (!k || !k->share->usable))
		return km_refuse(why, KM_REFUSE_TABLE, "it has no usable share of that epoch");
	if (policy->pinned && memcmp(policy->pin, t->key_id, KM_HASH_SIZE) != 0)
		return km_refuse(why, KM_REFUSE_KEY, "its configuration has another id for that key");
	if (km_reshare_possible(pr, t, (const uint8_t(*)[KM_IDKEY_SIZE])p->idkeys))
		return km_refuse(why, KM_REFUSE_ROSTER, "dealers, new members or identities do not fit its list of peers");
	if (p->now.wall_ms < km_reshare_not_before_ms(p, t->key_id))
		return km_refuse(why, KM_REFUSE_BUSY, "an earlier reshare has no certificate yet, wait");
	return 1;
}

int km_reshare_accept(struct km_peer *p, unsigned from, const struct km_proposal *pr, struct km_refusal *why)
{
	const struct km_key_policy *k = km_settings_key(p->s, pr->name);

	if (!k) {
		why->code = KM_REFUSE_KEY;
		km_format(why->text, sizeof(why->text), "key '%s' is not in its configuration", pr->name);
		return 0;
	}
	if (!approved(p, k, pr, why) || !base_ok(p, from, pr, k, why))
		return 0;
	if (going_on(p, pr->name))
		return km_refuse(why, KM_REFUSE_BUSY, "another reshare of that key is going on");
	if (pr->participants & ~km_links_live(p))
		return km_refuse(why, KM_REFUSE_BUSY, "it does not reach all participants, wait");
	if (KM_RULE(km_rule_run_slots) && p->now.mono_us < p->link[from].refuse_until_us)
		return km_refuse(why, KM_REFUSE_BUSY, "its former run failed, wait");
	return 1;
}

static const uint8_t *key_id_of(struct km_peer *p, const struct km_run *run)
{
	const struct km_table *t;
	const struct km_cert *cert;

	return km_cert_base(p, run->initiator, run->prop.hash, &t, &cert) ? t->key_id : NULL;
}

void km_reshare_join(struct km_peer *p, const struct km_run *run, uint8_t body[KM_JOIN_RESHARE])
{
	const uint8_t *key_id = key_id_of(p, run);
	const struct km_key *bar = key_id ? km_cert_bar(p, key_id) : NULL;
	uint8_t hash[KM_HASH_SIZE];
	struct km_epoch top;
	struct km_buf b;
	int found = key_id && highest(p, key_id, &top), certified = 0;

	km_buf_init(&b);
	if (bar && km_cert_encode(&bar->cert, &b) == KM_OK) {
		km_cert_hash(b.data, b.len, hash);
		certified = 1;
	}
	km_buf_clear(&b);
	km_setup_join_put_epoch(body, found ? &top : NULL, certified ? hash : NULL);
}

static unsigned least(const struct km_keygen *g)
{
	return km_cert_quorum(km_set_size(g->members), g->threshold);
}

/* 1: the next attempt goes without these, and enough are left. They get their shares when they are back. */
static int leave_out(struct km_keygen *g, uint32_t out)
{
	if ((out & g->must) || km_set_size(g->members & ~(g->left_out | out)) < least(g))
		return 0;
	g->left_out |= out;
	return 1;
}

int km_reshare_may_join(struct km_peer *p, struct km_run *run, const struct km_msg *join)
{
	struct km_refusal why = {.code = KM_REFUSE_CLOCK};
	uint8_t cert[KM_HASH_SIZE];
	struct km_epoch top;

	km_setup_join_get_epoch(join->body, &top, cert);
	if (!km_epoch_ahead(top.number, p->now.wall_ms) || !KM_RULE(km_rule_epoch_clock))
		return 1;
	/* WHY: one that says it has stored a name of next year would give next year's to all that follow, and none to come would be taken
	 * (attack A13) */
	km_format(why.text, sizeof(why.text), "peer %u has stored an epoch from %U s ahead of its clock", (unsigned)join->sender,
		  top.number - p->now.wall_ms / 1000);
	if (run->initiator == p->self) {
		if (p->keygen.state == KM_KEYGEN_RUN && run->id == p->keygen.run_id && leave_out(&p->keygen, km_set_bit(join->sender)))
			km_keygen_again(p, why.text);
		else
			km_keygen_refused(p, run, join->sender, KM_REFUSE_CLOCK, why.text);
		run = km_run_by_proposal(p, join->body);
	} else {
		km_session_refuse(p, run->initiator, run->proposal_id, &why);
	}
	if (run)
		km_run_drop(p, run, KM_E_STALE, 0, 1);
	return 0;
}

const struct km_table *km_reshare_old(struct km_peer *p, const struct km_run *run)
{
	const struct km_key *k = km_key_find(p, run->prop.hash);
	const struct km_shown *s = p->link[run->initiator].shown;

	if (k)
		return &k->share->table;
	return s && memcmp(s->table.hash, run->prop.hash, KM_HASH_SIZE) == 0 ? &s->table : NULL;
}

int km_reshare_machine(struct km_peer *p, struct km_run *run, const struct km_machine_params *mp)
{
	const struct km_proposal *pr = &run->prop;
	struct km_reshare_params d = {.machine = *mp, .dealers = pr->dealers, .joiners = pr->joiners, .members = pr->members, .threshold = pr->threshold};
	struct km_epoch top[KM_MAX_PEERS + 1];
	const struct km_key *k = km_key_find(p, pr->hash);
	uint8_t cert[KM_HASH_SIZE];
	int err;

	if (!km_cert_base(p, run->initiator, pr->hash, &d.old, &d.cert)) {
		err = KM_E_NOTFOUND;
		goto out;
	}
	d.machine.curve = d.old->curve;
	if (km_set_has(pr->dealers, p->self)) {
		err = KM_E_STALE;
		/* wiped since it joined */
		if (!k || !k->share->usable)
			goto out;
		d.x_i = &k->share->x_i;
	}
	memset(top, 0, sizeof(top));
	for (unsigned i = km_set_next(pr->participants, 0); i; i = km_set_next(pr->participants, i))
		km_setup_join_get_epoch(run->join[i] + KM_MSG_HEAD, &top[i], cert);
	err = km_setup_number(pr, top, &d.number);
	if (!err)
		err = km_reshare_new(&run->m, &d);
out:
	km_wipe(&d, sizeof(d));
	return err;
}

/* ---- the request */

static void answer(struct km_peer *p, uint64_t token, int err, const char *text)
{
	struct km_effect *e = token ? km_effects_add(p->fx, KM_EFFECT_RESULT) : NULL;

	if (!e)
		return;
	e->token = token;
	e->err = err;
	km_format(e->text, sizeof(e->text), "%s", text);
}

static int check_request(struct km_peer *p, const struct km_request *rq, char *why, size_t size)
{
	const struct km_key_policy *k = km_settings_key(p->s, rq->name);
	const struct km_key *have = km_key_by_name(p, rq->name);
	uint32_t committee = k ? km_policy_committee(p, k) : 0;
	char file[80];

	if (!k) {
		km_format(why, size, "key '%s' is not in the configuration of this peer", rq->name);
		return KM_E_CONFIG;
	}
	in_words(committee, k->threshold, file, sizeof(file));
	if (!have || !have->share->usable) {
		km_format(why, size, "this peer has no share of key '%s': ask a peer that has one", rq->name);
		return KM_E_NOTFOUND;
	}
	if (!km_set_has(committee, p->self)) {
		km_format(why, size, "this peer is not in the new committee (%s): ask one that is", file);
		return KM_E_CONFIG;
	}
	if (rq->kind == KM_REQUEST_RESHARE && ((rq->members && rq->members != committee) || (rq->threshold && rq->threshold != k->threshold))) {
		km_format(why, size, "the configuration of this peer says %s: change members and threshold of key '%s' there first, on every peer", file,
			  rq->name);
		return KM_E_MISMATCH;
	}
	if (rq->kind == KM_REQUEST_REFRESH && (have->share->table.members != committee || have->share->table.threshold != k->threshold)) {
		km_format(why, size, "the configuration says %s, the key has others: that is a reshare; keymesh reshare %s", file, rq->name);
		return KM_E_MISMATCH;
	}
	if (rq->kind == KM_REQUEST_RECOVER && !km_set_has(committee, rq->peer)) {
		km_format(why, size, "peer %u is not in the committee of key '%s' (%s)", (unsigned)rq->peer, rq->name, file);
		return KM_E_NOTFOUND;
	}
	if (k->threshold < KM_MIN_THRESHOLD || k->threshold > km_set_size(committee)) {
		km_format(why, size, "threshold %u is not possible with %u members", (unsigned)k->threshold, km_set_size(committee));
		return KM_E_RANGE;
	}
	if (p->keygen.state != KM_KEYGEN_IDLE) {
		km_format(why, size, "a %s ('%s') is going on", p->keygen.what, p->keygen.name);
		return KM_E_BUSY;
	}
	uint64_t at = km_reshare_not_before_ms(p, have->share->table.key_id);
	if (p->now.wall_ms < at) {
		km_format(why, size, "an earlier attempt has no certificate: members that do not answer hold it up; leave them out, or try again in %U s",
			  (at - p->now.wall_ms) / 1000 + 1);
		return KM_E_BUSY;
	}
	return KM_OK;
}

static void begin(struct km_peer *p, uint64_t token, const char *name, const char *what, uint32_t must)
{
	const struct km_key_policy *k = km_settings_key(p->s, name);
	struct km_keygen *g = &p->keygen;

	memset(g, 0, sizeof(*g));
	g->state = KM_KEYGEN_WAIT_PEERS;
	g->purpose = KM_PURPOSE_RESHARE;
	g->what = what;
	g->token = token;
	km_format(g->name, sizeof(g->name), "%s", name);
	g->threshold = k->threshold;
	g->curve = k->curve;
	g->members = km_policy_committee(p, k);
	g->must = must | km_set_bit(p->self);
	g->asked_us = p->now.mono_us;
	g->until_us = p->now.mono_us + WAIT_PEERS_US;
	km_peer_wake(p, p->now.mono_us);
}

void km_reshare_request(struct km_peer *p, uint64_t token, const struct km_request *rq)
{
	static const char *const what[] = {"refresh", "reshare", "recovery"};
	char why[200];
	int err = check_request(p, rq, why, sizeof(why));

	if (err)
		answer(p, token, err, why);
	else
		begin(p, token, rq->name, what[rq->kind - KM_REQUEST_REFRESH], rq->kind == KM_REQUEST_RECOVER ? km_set_bit(rq->peer) : 0);
}

/* ---- Q, J and the base */

/* Exactly T live holders without disputes among them, self if it is one, then those with the fewest suspected links to the chosen; new
 * members before others, as they take part anyway. 0 when there are too few. */
static uint32_t choose_dealers(struct km_peer *p, const struct km_key *k, uint32_t joiners)
{
	const struct km_table *t = &k->share->table;
	uint32_t from = km_blame_reachable(p, t) & ~p->keygen.left_out, q = 0;

	for (unsigned i = km_set_next(from, 0); i; i = km_set_next(from, i))
		if (i != p->self && !km_links_has_table(p, i, t->hash))
			from &= ~km_set_bit(i);
	if (km_set_has(from, p->self))
		q = km_set_bit(p->self);
	while (km_set_size(q) < t->threshold) {
		unsigned best = 0, best_cost = UINT32_MAX;

		for (unsigned i = km_set_next(from & ~q, 0); i; i = km_set_next(from & ~q, i)) {
			uint32_t with = q | km_set_bit(i);
			unsigned cost = 2 * km_blame_cost(p, with) + !km_set_has(joiners, i);

			if (!km_dispute_within(p, with) && cost < best_cost) {
				best = i;
				best_cost = cost;
			}
		}
		if (!best)
			return 0;
		q |= km_set_bit(best);
	}
	return q;
}

/* The highest epoch that T of those who answer hold. */
static struct km_key *choose_base(struct km_peer *p, uint32_t joiners, uint32_t *dealers)
{
	struct km_key *best = NULL;

	for (struct km_key *k = p->keys; k; k = k->next) {
		if (!k->share->usable || !k->bound || strcmp(k->share->table.name, p->keygen.name) != 0 || (best && km_key_cmp(k, best) < 0))
			continue;
		uint32_t q = choose_dealers(p, k, joiners);
		if (!q)
			continue;
		best = k;
		*dealers = q;
	}
	return best;
}

static void propose(struct km_peer *p, struct km_key *base, uint32_t dealers, uint32_t joiners)
{
	struct km_keygen *g = &p->keygen;
	struct km_proposal prop = {.purpose = KM_PURPOSE_RESHARE,
				   .engine = KM_ENGINE_NONE,
				   .participants = dealers | joiners,
				   .threshold = g->threshold,
				   .curve = g->curve,
				   .dealers = dealers,
				   .joiners = joiners,
				   .members = g->members};
	struct km_run *run = NULL;
	char text[200], names[100];
	struct km_buf b;

	km_buf_init(&b);
	memcpy(prop.hash, base->share->table.hash, KM_HASH_SIZE);
	memcpy(prop.name, g->name, sizeof(prop.name));
	km_setup_committee(g->members, g->threshold, (const uint8_t(*)[KM_IDKEY_SIZE])p->idkeys, prop.committee);
	int err = km_cert_encode(&base->cert, &b);
	if (!err)
		km_cert_hash(b.data, b.len, prop.cert);
	km_buf_clear(&b);
	if (err) {
		km_keygen_end(p, err, km_strerror(err));
		return;
	}
	/* who has no share of it learns from this what is dealt from */
	for (unsigned i = km_set_next(prop.participants, 0); i; i = km_set_next(prop.participants, i))
		if (i != p->self && !km_links_has_table(p, i, prop.hash))
			km_cert_send(p, base, i);
	g->attempts++;
	g->told_round = 0;
	g->joiners = joiners;
	g->state = KM_KEYGEN_RUN;
	km_peer_names(p, joiners, names, sizeof(names));
	km_format(text, sizeof(text), "asking peers %s to take new shares of key '%s'", names, g->name);
	km_keygen_say(p, text);
	err = km_session_propose(p, &prop, NULL, NULL, &run);
	if (run)
		g->run_id = run->id;
	if (err && run)
		km_run_drop(p, run, err, 0, 1);
	else if (err)
		km_keygen_end(p, err, km_strerror(err));
}

/* Out of time: 0, and the ceremony ends with what is wrong. */
static int enough(struct km_peer *p, uint32_t want, uint32_t missing)
{
	struct km_keygen *g = &p->keygen;
	char text[200], names[100];

	km_peer_names(p, missing, names, sizeof(names));
	if (g->must & ~want)
		km_format(text, sizeof(text), "peers %s do not answer, or are quarantined", names);
	else
		km_format(text, sizeof(text), "peers %s do not answer; %u of the %u members are needed", names, least(g), km_set_size(g->members));
	if (!(g->must & ~want) && km_set_size(want) >= least(g))
		return 1;
	km_keygen_end(p, KM_E_NOQUORUM, text);
	return 0;
}

static void wait_peers(struct km_peer *p)
{
	struct km_keygen *g = &p->keygen;
	uint32_t dealers = 0, differ = 0, want, missing;
	struct km_key *base;

	g->left_out |= p->quarantined;
	want = g->members & ~g->left_out;
	missing = g->members & ~(want & km_links_live(p));
	for (unsigned i = km_set_next(want, 0); i; i = km_set_next(want, i))
		if (p->link[i].mismatch && KM_RULE(km_rule_same_roster))
			differ |= km_set_bit(i);
	want &= km_links_live(p) & ~differ;
	int late = p->now.mono_us >= g->until_us;
	if (p->now.mono_us < g->next_try_us || (!late && ((missing & ~g->left_out) || differ))) {
		km_peer_wake(p, p->now.mono_us + POLL_US);
		return;
	}
	if (differ && ((g->must & differ) || km_set_size(want) < least(g))) {
		km_keygen_differ(p, differ);
		return;
	}
	if (!enough(p, want, missing | differ))
		return;
	base = choose_base(p, want, &dealers);
	if (!base && !late) {
		km_peer_wake(p, p->now.mono_us + POLL_US);
		return;
	}
	if (base)
		propose(p, base, dealers, want);
	else
		km_keygen_end(p, KM_E_NOQUORUM, "too few holders of one epoch answer");
}

/* ---- how a run ends */

void km_reshare_refused(struct km_peer *p, struct km_run *run, unsigned by, unsigned code, const char *text)
{
	struct km_keygen *g = &p->keygen;
	char why[200];

	km_format(why, sizeof(why), "peer %u (%s): %s", by, km_peer_name(p, by), text);
	g->run_id = 0;
	if ((code == KM_REFUSE_BUSY || code == KM_REFUSE_TABLE) && p->now.mono_us - g->asked_us < REFUSED_US) {
		g->attempts = 0;
		km_keygen_again(p, why);
		/* two that are in each other's way must part */
		g->next_try_us += km_rng_below(p->rng, 2 * POLL_US);
		return;
	}
	/* WHY: no operator is there to read it, and one member that always refuses must not end refreshes for ever (attack A13) */
	if (!g->token && leave_out(g, km_set_bit(by)))
		km_keygen_again(p, why);
	else
		km_keygen_end(p, code == KM_REFUSE_CLOCK ? KM_E_STALE : KM_E_RIGHTS, why);
}

void km_reshare_dropped(struct km_peer *p, struct km_run *run, int code, uint32_t waited)
{
	struct km_keygen *g = &p->keygen;
	uint32_t out = run->convicted ? run->convicted : waited & ~km_set_bit(p->self);
	char why[160], names[100];

	km_peer_names(p, out, names, sizeof(names));
	if (run->convicted)
		km_format(why, sizeof(why), "peers proved to have cheated: %s", names);
	else if (out)
		km_format(why, sizeof(why), "no answer from peers %s", names);
	else if (run->ended_by)
		km_format(why, sizeof(why), "peer %u (%s) ended the run: %s", (unsigned)run->ended_by, km_peer_name(p, run->ended_by),
			  km_strerror(code));
	else
		km_format(why, sizeof(why), "the run was dropped: %s", km_strerror(code));
	/* silence is no proof: they are left out of this one only */
	(void)leave_out(g, out);
	km_keygen_again(p, why);
}

void km_reshare_done(struct km_peer *p, struct km_run *run)
{
	struct km_keygen *g = &p->keygen;
	struct km_table *t;

	if (g->state != KM_KEYGEN_RUN || run->id != g->run_id)
		return;
	t = calloc(1, sizeof(*t));
	if (t && km_reshare_table(run->m, t) == KM_OK)
		memcpy(g->table, t->hash, KM_HASH_SIZE);
	free(t);
	g->state = KM_KEYGEN_CERTIFY;
	g->until_us = p->now.mono_us + CERTIFY_US;
	km_keygen_say(p, "the new share is stored; waiting for those of the others");
	km_peer_wake(p, p->now.mono_us);
}

static void certify(struct km_peer *p)
{
	struct km_keygen *g = &p->keygen;
	struct km_key *k = km_key_find(p, g->table);
	char text[200], names[100];

	if (k && k->share->usable) {
		km_canary_plan(p, k);
		g->uncovered = k->cert.members & ~km_set_bit(p->self);
		return;
	}
	if (p->now.mono_us < g->until_us) {
		km_peer_wake(p, g->until_us);
		return;
	}
	km_peer_names(p, g->joiners & ~(k ? k->cert.members : 0), names, sizeof(names));
	km_format(text, sizeof(text), "peers %s have not said that they stored their new shares; the epoch counts when they do", names);
	km_keygen_end(p, KM_E_DEADLINE, text);
}

/* ---- by the clock */

/* Our place in the order of those who begin the next refresh of this epoch. */
static unsigned rank(const struct km_peer *p, const struct km_table *t)
{
	uint8_t order[KM_MAX_PEERS];
	unsigned n = km_elect_order(p->s->roster.hash, t->key_id, t->hash, t->members, order);

	for (unsigned i = 0; i < n; i++)
		if (order[i] == p->self)
			return i;
	return n;
}

static void scheduled(struct km_peer *p)
{
	for (unsigned i = 0; i < p->s->n_keys; i++) {
		const struct km_key_policy *policy = &p->s->keys[i];
		const struct km_key *k = policy->refresh_s ? km_key_by_name(p, policy->name) : NULL;

		if (!k || !k->share->usable || k != km_cert_bar(p, k->share->table.key_id) || !km_set_has(km_policy_committee(p, policy), p->self))
			continue;
		uint64_t due_s = k->share->table.number + policy->refresh_s + (uint64_t)TURN_S * rank(p, &k->share->table);
		if (p->now.wall_ms / 1000 < due_s) {
			uint64_t wait_s = due_s - p->now.wall_ms / 1000;

			/* also a clock that is set may not put it off for ever */
			km_peer_wake(p, p->now.mono_us + 1000000u * (wait_s < 600 ? wait_s : 600));
		} else if (p->now.mono_us < p->refresh_not_before_us) {
			km_peer_wake(p, p->refresh_not_before_us);
		} else if (!going_on(p, policy->name) && p->now.wall_ms >= km_reshare_not_before_ms(p, k->share->table.key_id)) {
			p->refresh_not_before_us = p->now.mono_us + SCHEDULED_AGAIN_US;
			begin(p, 0, policy->name, "scheduled refresh", 0);
			return;
		} else {
			km_peer_wake(p, p->now.mono_us + POLL_US * 20);
		}
	}
}

void km_reshare_tick(struct km_peer *p)
{
	if (p->keygen.state == KM_KEYGEN_IDLE)
		scheduled(p);
	if (p->keygen.purpose != KM_PURPOSE_RESHARE)
		return;
	if (p->keygen.state == KM_KEYGEN_WAIT_PEERS)
		wait_peers(p);
	else if (p->keygen.state == KM_KEYGEN_CERTIFY)
		certify(p);
}
