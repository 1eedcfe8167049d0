/* blame.c: whom to work with: scores of links, disputes, convictions.
 *
 * Silence and lateness are scored on the link between two peers, halve every ten minutes and only steer the choice of quorums. A
 * dispute is our signed word against one peer about our own channel. A conviction is evidence that anybody can check: it
 * quarantines at once, outlives a restart, and only an operator undoes it (by removing the file). */
#include "peer_impl.h"

#include <stdlib.h>
#include <string.h>

#define SCORE_MAX (64 * KM_SCORE_UNIT)
#define STATE_VERSION 1

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

static void evidence(struct km_peer *p, unsigned about, int code, const uint8_t *data, size_t len, const char *what)
{
	struct km_effect *e = km_effects_add(p->fx, KM_EFFECT_EVIDENCE);

	if (!e)
		return;
	e->to = km_peer_addr(about);
	e->err = code;
	km_format(e->text, sizeof(e->text), "%s of peer %u (%s)", what, about, km_peer_name(p, about));
	e->data = malloc(len ? len : 1);
	if (!e->data)
		return;
	memcpy(e->data, data, len);
	e->len = len;
}

/* version u8 | count u8 | (id u8, identity)*: by identity, so that a replaced peer starts clean */
static void store_quarantine(struct km_peer *p)
{
	uint8_t mem[2 + KM_MAX_PEERS * (1 + KM_IDKEY_SIZE)];
	struct km_buf b;

	km_buf_init_fixed(&b, mem, sizeof(mem));
	km_put_u8(&b, STATE_VERSION);
	km_put_u8(&b, (uint8_t)km_set_size(p->quarantined));
	for (unsigned i = km_set_next(p->quarantined, 0); i; i = km_set_next(p->quarantined, i)) {
		km_put_u8(&b, (uint8_t)i);
		km_put_bytes(&b, p->idkeys[i], KM_IDKEY_SIZE);
	}
	km_peer_persist(p, KM_QUARANTINE_FILE, b.data, b.len, 0, 0);
}

int km_blame_load(struct km_peer *p, const uint8_t *data, size_t len)
{
	struct km_reader r;
	uint8_t key[KM_IDKEY_SIZE];
	uint32_t set = 0;

	km_reader_init(&r, data, len);
	if (km_get_u8(&r) != STATE_VERSION)
		return r.err ? KM_E_ENCODING : KM_E_VERSION;
	for (unsigned n = km_get_u8(&r); n && !r.err; n--) {
		unsigned id = km_get_u8(&r);

		km_get_bytes(&r, key, sizeof(key));
		if (!r.err && km_set_has(p->s->roster.members, id) && memcmp(key, p->idkeys[id], sizeof(key)) == 0)
			set |= km_set_bit(id);
	}
	if (km_reader_end(&r))
		return KM_E_ENCODING;
	p->quarantined = set;
	return KM_OK;
}

void km_blame_convict(struct km_peer *p, unsigned peer, int kind, const uint8_t *data, size_t len)
{
	if (!km_set_has(p->s->roster.members, peer) || peer == p->self || km_set_has(p->quarantined, peer))
		return;
	p->quarantined |= km_set_bit(peer);
	p->n_convictions++;
	evidence(p, peer, kind, data, len, "conviction");
	store_quarantine(p);
	km_effects_log(p->fx, KM_LOG_ERROR,
		       "peer %u (%s) is proved to have cheated (evidence kind E%d); it is quarantined until an operator decides",
		       peer, km_peer_name(p, peer), kind);
	km_pool_burn_with(p, peer);
	km_aggregate_down(p, peer);
}

void km_blame_dispute(struct km_peer *p, unsigned peer, int code, const uint8_t *digest, size_t len)
{
	uint8_t body[2 + 4 + KM_HASH_SIZE] = {p->self, (uint8_t)peer}, sid[KM_HASH_SIZE];
	struct km_shape shape = {.head = sizeof(body)};
	struct km_hash h;
	struct km_buf b;

	/* one is enough: further ones would only fill the log */
	if (!km_set_has(p->s->roster.members, peer) || peer == p->self || km_set_has(p->disputed, peer))
		return;
	body[2] = (uint8_t)((uint32_t)code >> 24);
	body[3] = (uint8_t)((uint32_t)code >> 16);
	body[4] = (uint8_t)((uint32_t)code >> 8);
	body[5] = (uint8_t)code;
	if (len == KM_HASH_SIZE)
		memcpy(body + 6, digest, KM_HASH_SIZE);
	p->disputed |= km_set_bit(peer);
	p->n_disputes++;
	km_hash_init(&h, "dispute");
	km_hash_field(&h, body, sizeof(body));
	km_hash_final(&h, sid);
	km_buf_init(&b);
	if (km_msg_build(&b, KM_PROTO_DISPUTE, 1, p->self, 0, sid, &shape, body, &p->s->identity) == KM_OK)
		evidence(p, peer, code, b.data, b.len, "dispute");
	km_buf_clear(&b);
	km_effects_log(p->fx, KM_LOG_WARN, "dispute with peer %u (%s) over what it sent us: %s", peer, km_peer_name(p, peer),
		       km_strerror(code));
	km_pool_burn_with(p, peer);
	km_aggregate_down(p, peer);
}

uint32_t km_blame_usable(const struct km_peer *p, const struct km_table *t)
{
	uint32_t set = km_links_live(p) & t->members & ~p->quarantined & ~p->disputed, out = 0;

	/* equal keys, not equal rosters: a roster is not edited everywhere at once */
	for (unsigned i = km_set_next(set, 0); i; i = km_set_next(set, i))
		if (memcmp(t->idkeys[i], p->idkeys[i], KM_IDKEY_SIZE) == 0)
			out |= km_set_bit(i);
	return out;
}
