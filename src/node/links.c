/* links.c: who else is there: HELLO, HEALTH, liveness, round trips, restarts, clocks, and rosters that differ. */
#include "peer_impl.h"

#include <string.h>

#define CLOCK_WARN_MS 5000
#define ROSTER_AGAIN_US 60000000u
#define DIGEST 8
/* Lines a peer may cause: a few at once, then one in a second. */
#define LINES_BURST 30
/* Epochs of one key in HEALTH, the newest. */
#define EPOCHS_TOLD 4
#define SCORE_CLAIM (KM_SCORE_UNIT / 4)

/* ---- what we say */

static void send_roster(struct km_peer *p, unsigned to)
{
	const struct km_roster *r = &p->s->roster;

	km_put_u8(&p->scratch, KM_FRAME_ROSTER);
	km_put_u8(&p->scratch, (uint8_t)r->n);
	for (unsigned i = km_set_next(r->members, 0); i; i = km_set_next(r->members, i)) {
		uint8_t h[KM_HASH_SIZE];
		struct km_hash a, b;

		km_put_u8(&p->scratch, (uint8_t)i);
		km_hash_init(&a, "roster-identity");
		km_hash_field(&a, r->peer[i].identity, KM_IDKEY_SIZE);
		km_hash_final(&a, h);
		km_put_bytes(&p->scratch, h, DIGEST);
		km_hash_init(&b, "roster-channel");
		km_hash_field(&b, r->peer[i].channel, KM_CHANKEY_SIZE);
		km_hash_final(&b, h);
		km_put_bytes(&p->scratch, h, DIGEST);
	}
	km_peer_send(p, km_peer_addr(to));
}

void km_links_hello(struct km_peer *p, unsigned to)
{
	struct km_hello h = {.version = KM_MSG_VERSION, .id = p->self, .n = (uint8_t)p->s->roster.n, .time_ms = p->now.wall_ms};

	memcpy(h.incarnation, p->incarnation, sizeof(h.incarnation));
	memcpy(h.roster, p->s->roster.hash, sizeof(h.roster));
	km_hello_encode(&p->scratch, &h);
	km_peer_send(p, km_peer_addr(to));
	/* WHY with every new channel: what we said before it was up may be lost, and the next is a minute away */
	if (p->link[to].mismatch)
		send_roster(p, to);
}

static void health_to(struct km_peer *p, struct km_health *h, unsigned to)
{
	const struct km_link *l = &p->link[to];

	h->echo_us = l->echo_us;
	h->delay_us = l->echo_us ? p->now.mono_us - l->echo_at_us : 0;
	km_health_encode(&p->scratch, h);
	km_peer_send(p, km_peer_addr(to));
}

/* How many newer usable epochs there are of its key. */
static unsigned older(const struct km_peer *p, const struct km_key *k)
{
	unsigned n = 0;

	for (const struct km_key *o = p->keys; o; o = o->next)
		n += o != k && o->share->usable && km_key_same(o, k) && km_key_cmp(o, k) > 0;
	return n;
}

void km_links_health_now(struct km_peer *p)
{
	struct km_health h = {.time_ms = p->now.wall_ms, .sent_us = p->now.mono_us};
	uint32_t live = km_links_live(p);

	memcpy(h.incarnation, p->incarnation, sizeof(h.incarnation));
	memcpy(h.roster, p->s->roster.hash, sizeof(h.roster));
	for (const struct km_key *k = p->keys; k && h.n_tables < KM_HEALTH_MAX_TABLES; k = k->next) {
		if (!k->share->usable || older(p, k) >= EPOCHS_TOLD)
			continue;
		memcpy(h.table[h.n_tables], k->share->table.hash, KM_HASH_SIZE);
		h.ready[h.n_tables++] = km_pool_ready(k, live);
	}
	for (unsigned i = km_set_next(p->s->roster.members, 0); i; i = km_set_next(p->s->roster.members, i))
		if (i != p->self)
			health_to(p, &h, i);
	for (unsigned i = km_set_next(p->s->roster.members, 0); i; i = km_set_next(p->s->roster.members, i))
		if (i != p->self)
			km_evidence_health(p, i);
	/* jitter, so that peers started together do not speak at once for ever */
	p->next_health_us = p->now.mono_us + KM_HEALTH_US - KM_HEALTH_US / 8 + km_rng_below(p->rng, KM_HEALTH_US / 4);
	km_peer_wake(p, p->next_health_us);
}

void km_links_start(struct km_peer *p)
{
	for (unsigned i = km_set_next(p->s->roster.members, 0); i; i = km_set_next(p->s->roster.members, i)) {
		if (i == p->self)
			continue;
		km_links_hello(p, i);
		km_key_say_stored(p, i);
	}
	p->decay_at_us = p->now.mono_us + KM_SCORE_HALF_US;
	km_links_health_now(p);
}

/* ---- whom others have lost */

static uint32_t not_lost(const struct km_peer *p, unsigned from, uint32_t set)
{
	set &= p->s->roster.members & ~km_set_bit(p->self) & ~km_set_bit(from);
	for (unsigned i = km_set_next(set, 0); i; i = km_set_next(set, i))
		if (!p->link[i].live || (p->link[i].lost_us && p->now.mono_us - p->link[i].lost_us < KM_LIVE_US))
			set &= ~km_set_bit(i);
	return set;
}

static void claim(struct km_peer *p, unsigned from, uint32_t set, unsigned n, uint64_t until_us)
{
	struct km_link *l = &p->link[from];

	if (km_set_has(set, p->self)) {
		/* it is true if we have just told it so. WHY then nobody but who told us itself: whoever lies must not set us against
		 * those we warn, nor against those that another lie reached before us; each hearer scores the liar by its own claim */
		if (!p->told_us || p->now.mono_us - p->told_us >= KM_LIVE_US || p->told_by == from)
			km_blame_link(p, p->self, from, n * SCORE_CLAIM);
	}
	set = not_lost(p, from, set);
	if (!set)
		return;
	if (!l->claimed || until_us < l->claim_until_us)
		l->claim_until_us = until_us;
	l->claimed |= set;
	l->n_claims += n;
	km_peer_wake(p, l->claim_until_us);
}

/* WHY not at once: whose channel broke first tells the others, who may hear it before their own channel breaks. Only what stays
 * untrue is scored, on the link between the two: one of them is the reason. */
void km_links_claim(struct km_peer *p, unsigned from, uint32_t set)
{
	claim(p, from, set, 1, p->now.mono_us + KM_LIVE_US);
}

/* Takes it out of all claims. Returns how many, and the first end of their times. */
static unsigned unclaim(struct km_peer *p, unsigned id, uint64_t *until_us)
{
	unsigned n = 0;

	*until_us = UINT64_MAX;
	for (unsigned i = 1; i <= KM_MAX_PEERS; i++) {
		struct km_link *l = &p->link[i];

		if (!km_set_has(l->claimed, id))
			continue;
		n += l->n_claims;
		if (l->claim_until_us < *until_us)
			*until_us = l->claim_until_us;
		l->claimed &= ~km_set_bit(id);
		if (!l->claimed)
			l->n_claims = 0;
	}
	return n;
}

/* WHY within the same time: two that name each other in turn would else never be held to it. */
void km_links_aborted(struct km_peer *p, unsigned from, uint32_t waited)
{
	uint64_t until;
	unsigned n = unclaim(p, from, &until);

	if (n && waited)
		claim(p, from, waited, n, until);
	else if (n)
		km_blame_link(p, p->self, from, n * SCORE_CLAIM);
}

static void lost(struct km_peer *p, unsigned id)
{
	uint64_t until;

	p->link[id].lost_us = p->now.mono_us ? p->now.mono_us : 1;
	(void)unclaim(p, id, &until);
}

static void judge_claim(struct km_peer *p, unsigned from)
{
	struct km_link *l = &p->link[from];

	if (!l->claimed)
		return;
	if (p->now.mono_us < l->claim_until_us) {
		km_peer_wake(p, l->claim_until_us);
		return;
	}
	km_blame_set(p, from, l->claimed, l->n_claims * SCORE_CLAIM);
	l->claimed = 0;
	l->n_claims = 0;
}

/* ---- what we hear */

int km_links_may_log(struct km_peer *p, unsigned id)
{
	struct km_bucket *b = &p->link[id].said;

	return km_bucket_take(&b->micro, &b->at_us, p->now.mono_us, 1, LINES_BURST) != 0;
}

/* 0 when the frame is of a life before the last restart and must not count. */
static int incarnation(struct km_peer *p, unsigned from, const uint8_t now_is[KM_NONCE_SIZE])
{
	struct km_link *l = &p->link[from];

	if (l->have_incarnation && memcmp(l->incarnation, now_is, KM_NONCE_SIZE) == 0)
		return 1;
	/* Unless the present one is silent: a late frame of before two quick restarts may have been taken for the newer life, and
	 * the true one must not be locked out for ever. Coming back costs all that is shared with it, as any restart does. */
	int silent_now = !l->have_incarnation || p->now.mono_us - l->heard_us >= KM_LIVE_US;
	for (unsigned i = 0; i < KM_OLD_INCARNATIONS && i < l->n_old && !silent_now; i++) {
		if (memcmp(l->old[i], now_is, KM_NONCE_SIZE) == 0) {
			km_peer_drop_frame(p, KM_DROP_STALE);
			return 0;
		}
	}
	if (l->have_incarnation) {
		memcpy(l->old[l->n_old % KM_OLD_INCARNATIONS], l->incarnation, KM_NONCE_SIZE);
		l->n_old++;
		if (km_links_may_log(p, from))
			km_effects_log(p->fx, KM_LOG_NOTICE, "peer %u (%s) has restarted", from, km_peer_name(p, from));
		lost(p, from);
		km_run_drop_with(p, from);
		/* WHY: its presignatures are gone, and if it is a clone they are twice there (attack B5) */
		if (KM_RULE(km_rule_incarnation))
			km_pool_burn_with(p, from);
		km_aggregate_down(p, from);
		/* what it said of its tables and of times was of the former life */
		l->echo_us = 0;
		l->n_tables = 0;
		km_cert_reset(p, from);
		km_evidence_up(p, from);
		l->refuse_until_us = 0;
	}
	memcpy(l->incarnation, now_is, KM_NONCE_SIZE);
	l->have_incarnation = 1;
	return 1;
}

static uint64_t distance(uint64_t a, uint64_t b)
{
	return a > b ? a - b : b - a;
}

static void clock_of(struct km_peer *p, unsigned from, uint64_t time_ms)
{
	struct km_link *l = &p->link[from];
	uint64_t theirs = time_ms + l->rtt_us / 2000, off = distance(theirs, p->now.wall_ms);

	if (off > INT64_MAX / 2)
		off = INT64_MAX / 2;
	l->offset_ms = theirs > p->now.wall_ms ? (int64_t)off : -(int64_t)off;
	if (off > CLOCK_WARN_MS && !l->offset_warned) {
		l->offset_warned = 1;
		if (km_links_may_log(p, from))
			km_effects_log(p->fx, KM_LOG_WARN,
				       "the clock of peer %u (%s) is %U ms %s of ours; from %u ms on there are no runs together",
				       from, km_peer_name(p, from), off, l->offset_ms > 0 ? "ahead" : "behind",
				       (unsigned)KM_PROPOSE_CLOCK_MS);
	} else if (off < CLOCK_WARN_MS / 2) {
		l->offset_warned = 0;
	}
}

static void roster_of(struct km_peer *p, unsigned from, const uint8_t roster[KM_HASH_SIZE])
{
	struct km_link *l = &p->link[from];
	int differs = memcmp(roster, p->s->roster.hash, KM_HASH_SIZE) != 0;

	if (differs && (!l->mismatch || memcmp(l->roster_told, roster, KM_HASH_SIZE) != 0)) {
		memcpy(l->roster_told, roster, KM_HASH_SIZE);
		if (km_links_may_log(p, from))
			km_effects_log(
			    p->fx, KM_LOG_ERROR,
			    "roster mismatch: peer %u (%s) is configured with another list of peers; no key generation with it",
			    from, km_peer_name(p, from));
		l->roster_sent_us = 0;
		l->roster_seen_us = 0;
	} else if (!differs && l->mismatch) {
		if (km_links_may_log(p, from))
			km_effects_log(p->fx, KM_LOG_NOTICE, "peer %u (%s) has our list of peers again", from,
				       km_peer_name(p, from));
	}
	l->mismatch = differs;
	if (differs && (!l->roster_sent_us || p->now.mono_us - l->roster_sent_us > ROSTER_AGAIN_US)) {
		l->roster_sent_us = p->now.mono_us ? p->now.mono_us : 1;
		send_roster(p, from);
	}
}

static void heard(struct km_peer *p, unsigned from)
{
	struct km_link *l = &p->link[from];

	l->heard_us = p->now.mono_us;
	km_peer_wake(p, l->heard_us + KM_LIVE_US);
	if (l->live)
		return;
	l->live = 1;
	km_evidence_up(p, from);
	km_witness_up(p, from);
	if (km_links_may_log(p, from))
		km_effects_log(p->fx, KM_LOG_INFO, "peer %u (%s) is live", from, km_peer_name(p, from));
	km_refill_soon(p, 0);
}

void km_links_on_hello(struct km_peer *p, unsigned from, const uint8_t *d, size_t n)
{
	struct km_hello h;

	if (km_hello_decode(&h, d, n) || h.id != from) {
		km_peer_drop_frame(p, KM_DROP_GARBAGE);
		return;
	}
	if (h.version != KM_MSG_VERSION) {
		if (km_links_may_log(p, from))
			km_effects_log(p->fx, KM_LOG_ERROR, "peer %u (%s) speaks version %u of the protocol, we speak %u", from,
				       km_peer_name(p, from), (unsigned)h.version, (unsigned)KM_MSG_VERSION);
		return;
	}
	if (!incarnation(p, from, h.incarnation))
		return;
	clock_of(p, from, h.time_ms);
	roster_of(p, from, h.roster);
	heard(p, from);
}

static uint32_t smooth(uint32_t old, uint64_t sample)
{
	if (sample > 60000000u)
		sample = 60000000u;
	if (!sample)
		sample = 1;
	return old ? (uint32_t)(((uint64_t)old * 7 + sample) / 8) : (uint32_t)sample;
}

void km_links_on_health(struct km_peer *p, unsigned from, const uint8_t *d, size_t n)
{
	struct km_link *l = &p->link[from];
	struct km_health h;
	int news;

	if (km_health_decode(&h, d, n)) {
		km_peer_drop_frame(p, KM_DROP_GARBAGE);
		return;
	}
	if (!incarnation(p, from, h.incarnation))
		return;
	/* our own stamp came back; a lie about the delay only makes the liar's own link look slower or faster */
	if (h.echo_us && h.echo_us <= p->now.mono_us && h.delay_us <= p->now.mono_us - h.echo_us)
		l->rtt_us = smooth(l->rtt_us, p->now.mono_us - h.echo_us - h.delay_us);
	/* what we sent since the channel closed got there: it is up, even if nobody told us */
	if (h.echo_us && h.echo_us <= p->now.mono_us && h.echo_us > l->broken_us)
		l->broken_us = 0;
	l->echo_us = h.sent_us;
	l->echo_at_us = p->now.mono_us;
	clock_of(p, from, h.time_ms);
	roster_of(p, from, h.roster);
	news = h.n_tables != l->n_tables || memcmp(l->table, h.table, (size_t)h.n_tables * KM_HASH_SIZE) != 0;
	l->n_tables = h.n_tables;
	memcpy(l->table, h.table, (size_t)h.n_tables * KM_HASH_SIZE);
	memcpy(l->ready, h.ready, (size_t)h.n_tables * sizeof(h.ready[0]));
	heard(p, from);
	if (news)
		km_refill_soon(p, 0);
}

/* Their word on every entry of their roster against ours: tells the operator what to compare. */
void km_links_on_roster(struct km_peer *p, unsigned from, const uint8_t *d, size_t n)
{
	struct km_link *l = &p->link[from];
	struct km_hash h;
	struct km_reader r;
	uint32_t theirs = 0, identity = 0, channel = 0;
	char names[3][48];
	uint8_t own[KM_HASH_SIZE], got[DIGEST];

	km_reader_init(&r, d + 1, n - 1);
	for (unsigned i = 0, last = 0, count = km_get_u8(&r); i < count && !r.err; i++) {
		unsigned id = km_get_u8(&r);

		if (id <= last || id > KM_MAX_PEERS)
			km_reader_fail(&r, KM_E_ENCODING);
		last = id;
		theirs |= km_set_bit(id);
		km_hash_init(&h, "roster-identity");
		km_hash_field(&h, p->s->roster.peer[id % (KM_MAX_PEERS + 1)].identity, KM_IDKEY_SIZE);
		km_hash_final(&h, own);
		km_get_bytes(&r, got, DIGEST);
		if (memcmp(own, got, DIGEST) != 0)
			identity |= km_set_bit(id);
		km_hash_init(&h, "roster-channel");
		km_hash_field(&h, p->s->roster.peer[id % (KM_MAX_PEERS + 1)].channel, KM_CHANKEY_SIZE);
		km_hash_final(&h, own);
		km_get_bytes(&r, got, DIGEST);
		if (memcmp(own, got, DIGEST) != 0)
			channel |= km_set_bit(id);
	}
	if (km_reader_end(&r)) {
		km_peer_drop_frame(p, KM_DROP_GARBAGE);
		return;
	}
	/* only as often as we would say ours */
	if (!l->mismatch || (l->roster_seen_us && p->now.mono_us - l->roster_seen_us < ROSTER_AGAIN_US / 2))
		return;
	l->roster_seen_us = p->now.mono_us ? p->now.mono_us : 1;
	uint32_t ours = p->s->roster.members, both = ours & theirs;
	km_peer_names(p, ours & ~theirs, names[0], sizeof(names[0]));
	km_peer_names(p, both & identity, names[1], sizeof(names[1]));
	km_peer_names(p, both & channel, names[2], sizeof(names[2]));
	if (ours & ~theirs)
		km_effects_log(p->fx, KM_LOG_ERROR, "roster mismatch: peer %u does not list %s", from, names[0]);
	if (both & identity)
		km_effects_log(p->fx, KM_LOG_ERROR, "roster mismatch: peer %u has another identity key for %s", from, names[1]);
	if (both & channel)
		km_effects_log(p->fx, KM_LOG_ERROR, "roster mismatch: peer %u has another channel key for %s", from, names[2]);
	km_peer_names(p, theirs & ~ours, names[0], sizeof(names[0]));
	if (theirs & ~ours)
		km_effects_log(p->fx, KM_LOG_ERROR, "roster mismatch: peer %u also lists %s, which we do not", from, names[0]);
}

/* ---- silence */

static void silent(struct km_peer *p, unsigned id, const char *how)
{
	struct km_link *l = &p->link[id];

	l->live = 0;
	l->echo_us = 0;
	lost(p, id);
	if (km_links_may_log(p, id))
		km_effects_log(p->fx, KM_LOG_NOTICE, "peer %u (%s) %s", id, km_peer_name(p, id), how);
	km_aggregate_down(p, id);
	km_run_lost(p, id);
}

void km_links_up(struct km_peer *p, unsigned to)
{
	p->link[to].broken_us = 0;
	km_links_hello(p, to);
}

void km_links_down(struct km_peer *p, unsigned from)
{
	p->link[from].broken_us = p->now.mono_us ? p->now.mono_us : 1;
	if (p->link[from].live)
		silent(p, from, "has closed its channel");
}

void km_links_tick(struct km_peer *p)
{
	for (unsigned i = km_set_next(p->s->roster.members, 0); i; i = km_set_next(p->s->roster.members, i)) {
		struct km_link *l = &p->link[i];

		judge_claim(p, i);
		if (!l->live)
			continue;
		if (p->now.mono_us >= l->heard_us + KM_LIVE_US)
			silent(p, i, "is silent");
		else
			km_peer_wake(p, l->heard_us + KM_LIVE_US);
	}
	if (p->now.mono_us >= p->next_health_us)
		km_links_health_now(p);
	else
		km_peer_wake(p, p->next_health_us);
}

uint32_t km_links_live(const struct km_peer *p)
{
	uint32_t live = km_set_bit(p->self);

	for (unsigned i = km_set_next(p->s->roster.members, 0); i; i = km_set_next(p->s->roster.members, i))
		if (p->link[i].live && !p->link[i].broken_us)
			live |= km_set_bit(i);
	return live;
}

int km_links_has_table(const struct km_peer *p, unsigned id, const uint8_t table[KM_HASH_SIZE])
{
	const struct km_link *l = &p->link[id];

	for (unsigned i = 0; i < l->n_tables; i++)
		if (memcmp(l->table[i], table, KM_HASH_SIZE) == 0)
			return 1;
	return 0;
}

uint32_t km_links_ready(const struct km_peer *p, unsigned id, const uint8_t table[KM_HASH_SIZE])
{
	const struct km_link *l = &p->link[id];

	for (unsigned i = 0; i < l->n_tables; i++)
		if (memcmp(l->table[i], table, KM_HASH_SIZE) == 0)
			return l->ready[i];
	return 0;
}
