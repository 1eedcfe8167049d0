/* blame.c: whom to work with: scores of links, disputes, convictions.
 *
 * Silence and lateness are scored on the link between two peers, halve every ten minutes and only steer the choice of quorums
 * (disputes: dispute.c). A conviction is evidence that anybody can check: it quarantines at once, outlives a restart, and only an
 * operator undoes it, each for its own peer. */
#include "peer_impl.h"

#include <stdlib.h>
#include <string.h>

#define SCORE_MAX (64 * KM_SCORE_UNIT)
#define STATE_VERSION 2

static void refresh(struct km_peer *p, unsigned a, unsigned b)
{
	if (p->score[a][b] >= KM_SCORED) {
		p->scored[a] |= km_set_bit(b);
		p->scored[b] |= km_set_bit(a);
	} else {
		p->scored[a] &= ~km_set_bit(b);
		p->scored[b] &= ~km_set_bit(a);
	}
}

static void add(struct km_peer *p, unsigned a, unsigned b, uint32_t amount)
{
	uint32_t v = p->score[a][b] + amount;

	p->score[a][b] = p->score[b][a] = v > SCORE_MAX ? SCORE_MAX : v;
	refresh(p, a, b);
}

void km_blame_link(struct km_peer *p, unsigned a, unsigned b, uint32_t amount)
{
	uint32_t all = p->s->roster.members;

	if (a == b || !km_set_has(all, a) || !km_set_has(all, b))
		return;
	if (KM_RULE(km_rule_link_scores)) {
		/* WHY the link: a score on the peer would let t liars mark honest ones and steer owners into quorums of
		 * their own (attack A24) */
		add(p, a, b, amount);
		return;
	}
	for (unsigned i = km_set_next(all, 0); i; i = km_set_next(all, i))
		if (i != b)
			add(p, i, b, amount);
}

void km_blame_forget(struct km_peer *p, unsigned a, unsigned b)
{
	p->score[a][b] = p->score[b][a] = 0;
	refresh(p, a, b);
}

void km_blame_set(struct km_peer *p, unsigned a, uint32_t set, uint32_t amount)
{
	for (unsigned i = km_set_next(set, 0); i; i = km_set_next(set, i))
		km_blame_link(p, a, i, amount);
}

unsigned km_blame_cost(const struct km_peer *p, uint32_t set)
{
	unsigned cost = 0;

	for (unsigned i = km_set_next(set, 0); i; i = km_set_next(set, i))
		cost += km_set_size(p->scored[i] & set);
	return cost / 2;
}

unsigned km_blame_worst(const struct km_peer *p, uint32_t set, const uint32_t *links, int draw)
{
	unsigned worst = 0, most = 0, seen = 0;

	for (unsigned i = km_set_next(set, 0); i; i = km_set_next(set, i)) {
		unsigned n = km_set_size(links[i] & set);

		if (i == p->self || !n)
			continue;
		if (draw ? !km_rng_below(p->rng, ++seen) : n > most) {
			most = n;
			worst = i;
		}
	}
	return worst;
}

void km_blame_tick(struct km_peer *p)
{
	if (p->now.mono_us >= p->decay_at_us) {
		for (unsigned a = 1; a <= KM_MAX_PEERS; a++) {
			for (unsigned b = a + 1; b <= KM_MAX_PEERS; b++) {
				p->score[a][b] /= 2;
				p->score[b][a] = p->score[a][b];
				refresh(p, a, b);
			}
		}
		p->decay_at_us = p->now.mono_us + KM_SCORE_HALF_US;
		km_refill_soon(p, 0);
	}
	km_peer_wake(p, p->decay_at_us);
}

/* ---- quarantine
 *
 * quarantine.state: version u8 | count u8 | (id u8, identity, since u64)* | count u8 | (id u8, identity, cleared u64)* |
 * overruled u16 | digests. By identity, so that a replaced peer starts clean. Version 1 has the first list alone, without times. */

static void put_peers(struct km_buf *b, const struct km_peer *p, uint32_t set, const uint64_t *when)
{
	km_put_u8(b, (uint8_t)km_set_size(set));
	for (unsigned i = km_set_next(set, 0); i; i = km_set_next(set, i)) {
		km_put_u8(b, (uint8_t)i);
		km_put_bytes(b, p->idkeys[i], KM_IDKEY_SIZE);
		km_put_u64(b, when[i]);
	}
}

void km_blame_save(struct km_peer *p)
{
	uint32_t cleared = 0;
	struct km_buf b;

	for (unsigned i = km_set_next(p->s->roster.members, 0); i; i = km_set_next(p->s->roster.members, i))
		if (p->cleared_ms[i])
			cleared |= km_set_bit(i);
	km_buf_init(&b);
	km_put_u8(&b, STATE_VERSION);
	put_peers(&b, p, p->quarantined, p->quarantined_ms);
	put_peers(&b, p, cleared, p->cleared_ms);
	km_put_u16(&b, (uint16_t)p->n_overruled);
	km_put_bytes(&b, p->overruled, (size_t)p->n_overruled * KM_HASH_SIZE);
	if (!b.err)
		km_peer_persist(p, KM_QUARANTINE_FILE, b.data, b.len, 0, 0);
	km_buf_clear(&b);
}

static uint32_t get_peers(struct km_reader *r, const struct km_peer *p, uint64_t *when)
{
	uint8_t key[KM_IDKEY_SIZE];
	uint32_t set = 0;

	for (unsigned n = km_get_u8(r); n && !r->err; n--) {
		unsigned id = km_get_u8(r);

		km_get_bytes(r, key, sizeof(key));
		uint64_t at = when ? km_get_u64(r) : 0;
		if (r->err || !km_set_has(p->s->roster.members, id) || memcmp(key, p->idkeys[id], sizeof(key)) != 0)
			continue;
		set |= km_set_bit(id);
		if (when)
			when[id] = at;
	}
	return set;
}

int km_blame_load(struct km_peer *p, const uint8_t *data, size_t len)
{
	struct km_reader r;

	km_reader_init(&r, data, len);
	unsigned version = km_get_u8(&r);
	if (version != 1 && version != STATE_VERSION)
		return r.err ? KM_E_ENCODING : KM_E_VERSION;
	uint32_t set = get_peers(&r, p, version == 1 ? NULL : p->quarantined_ms);
	if (version != 1) {
		(void)get_peers(&r, p, p->cleared_ms);
		p->n_overruled = km_get_u16(&r);
		if (p->n_overruled > KM_OVERRULED_MAX)
			km_reader_fail(&r, KM_E_LIMIT);
		else
			km_get_bytes(&r, p->overruled, (size_t)p->n_overruled * KM_HASH_SIZE);
	}
	if (km_reader_end(&r)) {
		p->n_overruled = 0;
		return KM_E_ENCODING;
	}
	p->quarantined |= set;
	return KM_OK;
}

/* No more runs, quorums or presignatures with it. */
static void quarantine(struct km_peer *p, unsigned peer, unsigned kind, const char *why)
{
	p->quarantined |= km_set_bit(peer);
	p->quarantined_ms[peer] = p->now.wall_ms;
	p->n_convictions++;
	km_effects_log(p->fx, KM_LOG_ERROR, "peer %u (%s) is proved to have cheated (%s%s%s); it is quarantined until an operator decides",
		       peer, km_peer_name(p, peer), km_evidence_name((enum km_evidence_kind)kind), why ? ": " : "", why ? why : "");
	km_journal_quarantine(p, KM_AUDIT_CONVICTED, peer, kind, p->proof[peer] ? p->proof[peer]->digest : NULL);
	km_pool_burn_with(p, peer);
	km_aggregate_down(p, peer);
	km_refill_soon(p, 0);
}

void km_blame_proved(struct km_peer *p, unsigned peer, unsigned kind, const char *why, const uint8_t *ev, size_t len)
{
	if (!km_set_has(p->s->roster.members, peer) || peer == p->self)
		return;
	int news = !km_set_has(p->quarantined, peer);
	/* WHY first: what has an effect must outlive a crash, and be there for others to judge */
	km_evidence_keep(p, peer, kind, ev, len);
	if (!news)
		return;
	quarantine(p, peer, kind, why);
	km_blame_save(p);
}

void km_blame_convict(struct km_peer *p, const struct km_run *run, unsigned peer, int kind, const uint8_t *items, size_t len)
{
	struct km_msg propose, join[KM_MAX_PEERS];
	unsigned n = 0;
	struct km_buf b;
	int err = KM_E_NOTFOUND;

	if (!km_set_has(p->s->roster.members, peer) || peer == p->self || km_set_has(p->quarantined, peer))
		return;
	km_buf_init(&b);
	if (!run->propose || km_msg_parse(&propose, run->propose, run->propose_len))
		goto out;
	for (unsigned i = km_set_next(run->joined, 0); i; i = km_set_next(run->joined, i))
		if (km_msg_parse(&join[n++], run->join[i], km_run_join_len(run)))
			goto out;
	/* what the run itself has replayed is not replayed again for its evidence */
	if (kind == KM_EV_OPENED && km_presign_judged(run->m))
		p->replayed = *km_presign_judged(run->m);
	err = km_evidence_wrap(&b, items, len, run->prop.hash, &propose, join, n);
	/* the judge everybody uses has the word, not our machine: what it calls void would be worth nothing elsewhere */
	if (!err)
		err = km_evidence_take(p, p->self, b.data, b.len);
	if (!err && !p->judging)
		err = KM_E_VERIFY;
	if (err > 0)
		err = KM_OK;
out:
	if (err)
		km_effects_log(p->fx, KM_LOG_ERROR, "no evidence against peer %u (%s), kind %s: %s", peer, km_peer_name(p, peer),
			       km_evidence_name((enum km_evidence_kind)kind), km_strerror(err));
	if (err)
		km_blame_link(p, p->self, peer, SCORE_MAX / 4);
	km_buf_clear(&b);
}

int km_blame_clear(struct km_peer *p, unsigned peer)
{
	unsigned was = km_set_has(p->quarantined, peer);

	was += km_dispute_clear(p, peer) + km_witness_forget(p, peer);
	km_evidence_clear(p, peer);
	p->quarantined &= ~km_set_bit(peer);
	p->quarantined_ms[peer] = 0;
	for (unsigned i = 1; i <= KM_MAX_PEERS; i++) {
		was += p->score[peer][i] >= KM_SCORED;
		km_blame_forget(p, peer, i);
	}
	if (!was)
		return KM_E_NOTFOUND;
	p->cleared_ms[peer] = p->now.wall_ms;
	km_journal_quarantine(p, KM_AUDIT_CLEARED, peer, 0, NULL);
	km_blame_save(p);
	km_effects_log(p->fx, KM_LOG_NOTICE, "an operator has cleared peer %u (%s): what was held against it here is forgotten", peer,
		       km_peer_name(p, peer));
	km_refill_soon(p, 0);
	return KM_OK;
}

void km_blame_request_clear(struct km_peer *p, uint64_t token, const struct km_request *rq)
{
	unsigned peer = rq->peer;
	struct km_effect *e;
	int err = KM_E_INVAL;

	if (km_set_has(p->s->roster.members, peer) && peer != p->self)
		err = km_blame_clear(p, peer);
	e = km_effects_add(p->fx, KM_EFFECT_RESULT);
	if (!e)
		return;
	e->token = token;
	e->err = err;
	if (err == KM_E_INVAL)
		km_format(e->text, sizeof(e->text), "%u is no other peer of this mesh", peer);
	else if (err)
		km_format(e->text, sizeof(e->text), "nothing is held against peer %u (%s) here", peer, km_peer_name(p, peer));
	else
		km_format(e->text, sizeof(e->text), "peer %u (%s) is cleared at this peer", peer, km_peer_name(p, peer));
}

uint32_t km_blame_barred(const struct km_peer *p, const struct km_table *t)
{
	return p->quarantined | km_dispute_barred(p, t);
}

/* Members of the table that a run may ask now; those disputed with us among them. */
uint32_t km_blame_reachable(const struct km_peer *p, const struct km_table *t)
{
	uint32_t set = km_links_live(p) & t->members & ~km_blame_barred(p, t), out = 0;

	/* equal keys, not equal rosters: a roster is not edited everywhere at once */
	for (unsigned i = km_set_next(set, 0); i; i = km_set_next(set, i))
		if (memcmp(t->idkeys[i], p->idkeys[i], KM_IDKEY_SIZE) == 0)
			out |= km_set_bit(i);
	return out;
}

uint32_t km_blame_usable(const struct km_peer *p, const struct km_table *t)
{
	return km_blame_reachable(p, t) & ~p->disputed;
}
