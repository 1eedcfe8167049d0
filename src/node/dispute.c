/* dispute.c: signed accusations between two peers about what one sent the other on their own channel.
 *
 *	DISPUTE envelope (KM_PROTO_DISPUTE, round 1, to all, sid = H("dispute", body)), 180 bytes in all
 *	body: accused u8 | code u8 (a KM_E_* without its sign) | digest of the message 32 | unix time u64, ms
 *
 * It proves nothing about the accused, so it parts the two and no more: they share no quorum, here and, by gossip, everywhere. At most t
 * members of a table are corrupt, so T members that accuse one peer quarantine it for that table. WHY per table: another key's
 * threshold says nothing about this one. One dispute is kept for each pair. */
#include "peer_impl.h"

#include <stdlib.h>
#include <string.h>

#define STATE_VERSION 1

/* ---- sets */

/* Parted at present, by whichever of the two said so; and who accuses whom. */
static void recount(struct km_peer *p)
{
	memset(p->feud, 0, sizeof(p->feud));
	memset(p->accusers, 0, sizeof(p->accusers));
	for (const struct km_dispute *d = p->disputes; d; d = d->next) {
		p->feud[d->accuser] |= km_set_bit(d->accused);
		p->feud[d->accused] |= km_set_bit(d->accuser);
		p->accusers[d->accused] |= km_set_bit(d->accuser);
	}
	p->disputed = p->feud[p->self];
}

int km_dispute_within(const struct km_peer *p, uint32_t set)
{
	for (unsigned i = km_set_next(set, 0); i; i = km_set_next(set, i))
		if (p->feud[i] & set)
			return 1;
	return 0;
}

uint32_t km_dispute_barred(const struct km_peer *p, const struct km_table *t)
{
	uint32_t out = 0;

	if (!p->disputes)
		return 0;
	for (unsigned i = km_set_next(t->members, 0); i; i = km_set_next(t->members, i))
		/* WHY T: one of them is honest, and an honest peer accuses nobody honest; T-1 may all lie (slander) */
		if (km_set_size(p->accusers[i] & t->members & ~p->quarantined) >= (KM_RULE(km_rule_dispute_votes) ? t->threshold : 1))
			out |= km_set_bit(i);
	return out;
}

uint32_t km_dispute_part(const struct km_peer *p, uint32_t set, unsigned need, int draw)
{
	while (km_set_size(set) > need && km_dispute_within(p, set)) {
		unsigned worst = km_blame_worst(p, set, p->feud, draw);

		if (!worst)
			break;
		set &= ~km_set_bit(worst);
	}
	return set;
}

/* What a new dispute ends here: presignatures of both, and, when it was the one too many, those with the accused. */
static void act(struct km_peer *p, unsigned accuser, unsigned accused)
{
	uint32_t pair = km_set_bit(accuser) | km_set_bit(accused);

	if (km_set_has(pair, p->self)) {
		unsigned other = accuser == p->self ? accused : accuser;

		km_pool_burn_with(p, other);
		km_aggregate_down(p, other);
	} else {
		km_pool_burn_own_of(p, pair);
	}
	for (struct km_key *k = p->keys; k; k = k->next) {
		uint32_t barred = km_dispute_barred(p, &k->share->table), new = barred & ~k->barred;

		k->barred = barred;
		for (unsigned i = km_set_next(new, 0); i; i = km_set_next(new, i)) {
			char names[80];

			km_peer_names(p, p->accusers[i], names, sizeof(names));
			km_effects_log(p->fx, KM_LOG_ERROR, "peer %u (%s) is accused by %s: it is quarantined for key '%s' until an operator decides",
				       i, km_peer_name(p, i), names, k->share->table.name);
			km_pool_burn_with(p, i);
			km_aggregate_down(p, i);
		}
	}
	km_refill_soon(p, 0);
}

/* ---- the store */

static struct km_dispute *find(const struct km_peer *p, unsigned accuser, unsigned accused)
{
	struct km_dispute *d = p->disputes;

	while (d && (d->accuser != accuser || d->accused != accused))
		d = d->next;
	return d;
}

static int parse(const struct km_peer *p, const uint8_t *raw, size_t len, struct km_msg *m)
{
	struct km_shape shape = {.head = KM_DISPUTE_BODY};
	uint8_t sid[KM_HASH_SIZE];
	struct km_hash h;

	if (len != KM_DISPUTE_LEN || km_msg_parse(m, raw, len) || m->proto != KM_PROTO_DISPUTE || m->round != 1 || m->recipient ||
	    km_msg_check_body(m, &shape))
		return KM_E_ENCODING;
	km_hash_init(&h, "dispute");
	km_hash_field(&h, m->body, KM_DISPUTE_BODY);
	km_hash_final(&h, sid);
	if (memcmp(sid, m->sid, sizeof(sid)) != 0 || !km_set_has(p->s->roster.members, m->sender) ||
	    !km_set_has(p->s->roster.members, m->body[0]) || m->body[0] == m->sender)
		return KM_E_ENCODING;
	return km_msg_verify_sig(m, p->idkeys[m->sender]);
}

static struct km_dispute *add(struct km_peer *p, const struct km_msg *m, uint64_t since_ms)
{
	struct km_dispute *d = calloc(1, sizeof(*d)), **at;

	if (!d)
		return NULL;
	memcpy(d->raw, m->raw, KM_DISPUTE_LEN);
	memcpy(d->digest, m->digest, KM_HASH_SIZE);
	d->accuser = m->sender;
	d->accused = m->body[0];
	d->code = -(int)m->body[1];
	d->since_ms = since_ms;
	for (at = &p->disputes; *at; at = &(*at)->next)
		;
	*at = d;
	recount(p);
	return d;
}

static void save(struct km_peer *p)
{
	struct km_buf b;
	unsigned n = 0;

	for (const struct km_dispute *d = p->disputes; d; d = d->next)
		n++;
	km_buf_init(&b);
	km_put_u8(&b, STATE_VERSION);
	km_put_u16(&b, (uint16_t)n);
	for (const struct km_dispute *d = p->disputes; d; d = d->next) {
		km_put_u64(&b, d->since_ms);
		km_put_bytes(&b, d->raw, KM_DISPUTE_LEN);
	}
	p->disputes_token = p->next_token++;
	if (!b.err)
		km_peer_persist(p, KM_DISPUTES_FILE, b.data, b.len, 0, p->disputes_token);
	km_buf_clear(&b);
}

int km_dispute_load(struct km_peer *p, const uint8_t *data, size_t len)
{
	struct km_reader r;
	struct km_msg m;

	km_reader_init(&r, data, len);
	if (km_get_u8(&r) != STATE_VERSION)
		return r.err ? KM_E_ENCODING : KM_E_VERSION;
	for (unsigned n = km_get_u16(&r); n && !r.err; n--) {
		uint64_t since = km_get_u64(&r);
		const uint8_t *raw = km_get_ref(&r, KM_DISPUTE_LEN);

		/* of a peer that has gone, or has another identity now: it starts clean */
		if (!raw || parse(p, raw, KM_DISPUTE_LEN, &m) || find(p, m.sender, m.body[0]))
			continue;
		struct km_dispute *d = add(p, &m, since);
		if (!d)
			return KM_E_NOMEM;
		d->durable = 1;
		p->evidence_version++;
	}
	return km_reader_end(&r) ? KM_E_ENCODING : KM_OK;
}

/* 1 when the token was this file's. WHY gossip waits for it: what others act upon must not be forgotten here by a crash. */
int km_dispute_persisted(struct km_peer *p, uint64_t token, int err)
{
	if (!token || token != p->disputes_token)
		return 0;
	p->disputes_token = 0;
	for (struct km_dispute *d = p->disputes; d && !err; d = d->next)
		d->durable = 1;
	if (!err)
		km_evidence_announce(p);
	return 1;
}

/* ---- ours, and those of others */

void km_dispute_raise(struct km_peer *p, unsigned peer, int code, const uint8_t *digest, size_t len)
{
	uint8_t body[KM_DISPUTE_BODY] = {(uint8_t)peer, (uint8_t)-code}, sid[KM_HASH_SIZE];
	struct km_shape shape = {.head = sizeof(body)};
	struct km_hash h;
	struct km_buf b;
	struct km_msg m;

	/* one is enough: further ones would only fill the log */
	if (!km_set_has(p->s->roster.members, peer) || peer == p->self || find(p, p->self, peer))
		return;
	if (len == KM_HASH_SIZE)
		memcpy(body + 2, digest, KM_HASH_SIZE);
	for (unsigned i = 0; i < 8; i++)
		body[2 + KM_HASH_SIZE + i] = (uint8_t)(p->now.wall_ms >> (56 - 8 * i));
	km_hash_init(&h, "dispute");
	km_hash_field(&h, body, sizeof(body));
	km_hash_final(&h, sid);
	km_buf_init(&b);
	if (km_msg_build(&b, KM_PROTO_DISPUTE, 1, p->self, 0, sid, &shape, body, &p->s->identity) == KM_OK &&
	    km_msg_parse(&m, b.data, b.len) == KM_OK && add(p, &m, p->now.wall_ms)) {
		p->n_disputes++;
		km_evidence_export(p, peer, code, b.data, b.len, "dispute");
		save(p);
	}
	km_buf_clear(&b);
	km_effects_log(p->fx, KM_LOG_WARN, "dispute with peer %u (%s) over what it sent us: %s", peer, km_peer_name(p, peer),
		       km_strerror(code));
	/* WHY: what the score kept out of quorums the dispute does now, and it must not cost runs of many their participants as well */
	km_blame_forget(p, p->self, peer);
	act(p, p->self, peer);
}

/* KM_E_ENCODING, KM_E_VERIFY: it is nothing anybody honest hands on. */
int km_dispute_take(struct km_peer *p, const uint8_t *raw, size_t len)
{
	struct km_msg m;
	int err = parse(p, raw, len, &m);

	if (err)
		return err;
	/* its own word: what it forgot with its disk it may learn again */
	if (find(p, m.sender, m.body[0]))
		return KM_OK;
	if (!add(p, &m, p->now.wall_ms))
		return KM_E_NOMEM;
	save(p);
	if (km_links_may_log(p, m.sender))
		km_effects_log(p->fx, KM_LOG_WARN, "peer %u (%s) accuses peer %u (%s): %s", (unsigned)m.sender, km_peer_name(p, m.sender),
			       (unsigned)m.body[0], km_peer_name(p, m.body[0]), km_strerror(-(int)m.body[1]));
	act(p, m.sender, m.body[0]);
	return KM_OK;
}

/* Forgets every dispute that names the peer, whoever said it, for good. */
unsigned km_dispute_clear(struct km_peer *p, unsigned peer)
{
	unsigned n = 0;

	for (struct km_dispute **at = &p->disputes, *d; (d = *at);) {
		if (d->accused != peer && d->accuser != peer) {
			at = &d->next;
			continue;
		}
		km_evidence_overrule(p, d->digest);
		*at = d->next;
		free(d);
		n++;
	}
	if (!n)
		return 0;
	recount(p);
	for (struct km_key *k = p->keys; k; k = k->next)
		k->barred = km_dispute_barred(p, &k->share->table);
	save(p);
	return n;
}

void km_dispute_free(struct km_peer *p)
{
	for (struct km_dispute *d; (d = p->disputes);) {
		p->disputes = d->next;
		free(d);
	}
}
