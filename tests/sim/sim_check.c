/* sim_check.c: the invariants, checked on everything a node lets out, and on its inside where a bound is meant.
 *
 *  1 one honest peer releases two shares under one presignature over all its lives; two messages complete under one R
 *  2 a signature verifies that no authorised frontend asked for; one that does not verify reaches a client
 *  3 what T-1 corrupt peers hold in memory and on disk has the key, another's share, or makes a signature: at rest, in
 *    sim_blame.c of the swarm; their shares of a request are 1 and 2
 *  4 a key changes; a share is wiped before all members of a higher epoch have stored theirs (sim_epoch.c); crashes leave no T usable shares
 *    of one epoch (at rest)
 *  5 a run mixes lives of its participants; a presignature is used in another life than the one that made it
 *  6 an honest peer is convicted or disputed by an honest one. Not meant: one of which two instances live and know nothing (sim_clone.c);
 *    as an owner it may also ask for two requests under one presignature, of which one completes
 *  7 a cheat that made a run or a signature fail shows nowhere: polled while all but the corrupt is calm, in sim_blame.c
 *  8 requests stop being served, or one dead peer costs one of them more than one retry: the liveness phase, in sim_calm.c
 *  9 a share leaves before its audit entry exists. What a checkpoint covers is the audit log's own test
 * 10 a secret of a node is seen outside; a queue grows without bound
 *
 * 1, 2, 5, 6, 9 and the secrets of 10 are checked after every step, on every effect of it; bounds and disks at rest. */
#include "config.h"
#include "sim_impl.h"
#include "tests/lib/evid_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "node/frontend_impl.h"
#include "node/peer_impl.h"
#include "proto/sign.h"

static void name_of(uint8_t out[KM_HASH_SIZE], const char *what, unsigned peer, const void *p, size_t n)
{
	struct km_hash h;

	km_hash_init(&h, "sim/name");
	km_hash_str(&h, what);
	km_hash_u32(&h, peer);
	km_hash_field(&h, p, n);
	km_hash_final(&h, out);
}

/* Remembers v under a name, or compares with what is remembered; 0 when it was another. */
static int same_as_ever(struct sim_map *m, const char *what, unsigned peer, const void *p, size_t n, uint64_t v)
{
	uint8_t key[KM_HASH_SIZE];
	int fresh;

	name_of(key, what, peer, p, n);
	uint64_t *at = sim_map_get(m, key, &fresh);
	if (fresh)
		*at = v;
	return *at == v;
}

/* 64 bits of a hash, as a value of the maps; never 0. */
static uint64_t mark(const uint8_t h[KM_HASH_SIZE])
{
	uint64_t v;

	memcpy(&v, h, sizeof(v));
	return v | 1;
}

/* Two instances of a peer, neither of which knows: they may ask for two things under one presignature, and be convicted. Not so the others,
 * each of which gives one share; and those of the two are the same. */
static int two_unknown(const struct sim *s, unsigned id)
{
	return s->cloned == SIM_CLONE_UNNOTICED && s->clone.addr.id == id;
}

/* ---- 1, 5, 9: shares */

static void check_share(struct sim *s, struct sim_node *from, const uint8_t *data, size_t len)
{
	struct km_share_msg sh;
	uint8_t all[KM_HASH_SIZE + KM_SCALAR_MAX], key[KM_HASH_SIZE];
	unsigned id = from->addr.id;
	int fresh;

	if (km_share_msg_decode(&sh, data, len) != KM_OK)
		return;
	if (sh.status != KM_STATUS_OK) {
		s->count.refused_signs++;
		return;
	}
	memcpy(all, sh.request_id, KM_HASH_SIZE);
	memcpy(all + KM_HASH_SIZE, sh.s, KM_SCALAR_MAX);
	name_of(key, "share", id, all, KM_HASH_SIZE + sh.n);
	uint64_t v = mark(key);
	name_of(key, "share of", id, sh.presig_id, KM_HASH_SIZE);
	uint64_t *at = sim_map_get(&s->shares, key, &fresh);
	if (fresh) {
		*at = v;
		s->count.shares_released++;
	} else {
		s->count.repeated_shares++;
	}
	if (*at != v)
		sim_break(s, "invariant 1: peer %u released two shares under one presignature", id);
	/* the same share again is only a record repeated, which may outlive a roll-back */
	if (!fresh)
		return;
	name_of(key, "audit", id, sh.presig_id, KM_HASH_SIZE);
	if (!sim_map_find(&s->audited, key))
		sim_break(s, "invariant 9: a share of peer %u left before its audit entry", id);
	name_of(key, "made", id, sh.presig_id, KM_HASH_SIZE);
	uint64_t *life = sim_map_find(&s->lives, key);
	if (!life || *life != from->era)
		sim_break(s, "invariant 5: peer %u uses a presignature of %s", id,
			  life ? "an earlier life" : "a run it never reported");
}

/* An owner asks one thing under one presignature. */
static void check_sign(struct sim *s, struct sim_node *from, const uint8_t *data, size_t len)
{
	struct km_sign sg;
	uint8_t id[KM_HASH_SIZE];

	if (km_sign_decode(&sg, data, len) != KM_OK)
		return;
	km_req_id(&sg.req, id);
	if (two_unknown(s, from->addr.id)) {
		/* what comes of it is seen in REPLY */
		if (!same_as_ever(&s->spent, "cloned", 0, sg.presig_id, KM_HASH_SIZE, mark(id)))
			s->count.cloned_signs++;
		return;
	}
	if (!same_as_ever(&s->spent, "presig", 0, sg.presig_id, KM_HASH_SIZE, mark(id)))
		sim_break(s, "invariant 1: peer %u spends one presignature on two requests", from->addr.id);
}

/* An audit entry names its presignature somewhere in its bytes; entries are few and short. */
static void check_audit(struct sim *s, struct sim_node *node, const struct km_effect *e)
{
	uint8_t key[KM_HASH_SIZE];
	int fresh;

	for (size_t i = 0; i + KM_HASH_SIZE <= e->len; i++) {
		name_of(key, "audit", node->addr.id, e->data + i, KM_HASH_SIZE);
		*sim_map_get(&s->audited, key, &fresh) = 1;
	}
}

/* ---- 2: requests and signatures */

static void note_request(struct sim *s, struct sim_node *from, const uint8_t *data, size_t len)
{
	struct km_req req;
	struct km_req_macs *macs = calloc(1, sizeof(*macs));
	uint8_t id[KM_HASH_SIZE];
	int fresh;

	KM_ASSERT(macs);
	int err = km_req_decode(&req, macs, data, len);
	free(macs);
	if (err) {
		sim_break(s, "frontend %u sends a request that does not decode: %s", from->addr.id, km_strerror(err));
		return;
	}
	km_req_id(&req, id);
	uint64_t *at = sim_map_get(&s->requests, id, &fresh);
	if (!fresh)
		return;
	s->asked = sim_grow(s->asked, s->n_asked, &s->cap_asked, sizeof(*s->asked));
	struct sim_asked *a = &s->asked[s->n_asked++];
	memset(a, 0, sizeof(*a));
	memcpy(a->key_id, req.key_id, sizeof(a->key_id));
	a->frontend = (uint8_t)from->addr.id;
	err = km_sign_hash_bytes(km_curve_by_id(s->policy.curve), &a->m, req.data, req.len);
	KM_ASSERT(!err);
	*at = s->n_asked;
}

/* The key of an id, as the first honest table had it. NULL: nobody has it. */
static const struct sim_key *key_of(struct sim *s, const uint8_t key_id[KM_HASH_SIZE])
{
	for (unsigned i = 0; i < s->n_keys; i++)
		if (memcmp(s->keys[i].key_id, key_id, KM_HASH_SIZE) == 0)
			return &s->keys[i];
	return NULL;
}

static int verifies(struct sim *s, const uint8_t key_id[KM_HASH_SIZE], const struct km_scalar *m, const uint8_t *r,
		    const uint8_t *sig_s)
{
	const struct km_curve *c = km_curve_by_id(s->policy.curve);
	const struct sim_key *k = key_of(s, key_id);
	struct km_scalar rs, ss;

	return k && km_scalar_decode(c, &rs, r) == KM_OK && km_scalar_decode(c, &ss, sig_s) == KM_OK &&
	       km_ecdsa_verify_var(c, &k->x, m, &rs, &ss) == KM_OK;
}

static void check_reply(struct sim *s, struct sim_node *from, struct km_addr to, const uint8_t *data, size_t len)
{
	struct km_reply re;
	unsigned id = from->addr.id;

	if (km_reply_decode(&re, data, len) != KM_OK)
		return;
	s->count.told_again += re.status == KM_STATUS_AGAIN;
	if (re.status != KM_STATUS_OK)
		return;
	const uint64_t *at = sim_map_find(&s->requests, re.request_id);
	if (!at || s->asked[*at - 1].frontend != to.id) {
		sim_break(s, "invariant 2: peer %u answered a request that frontend %u never made", id, to.id);
		return;
	}
	const struct sim_asked *a = &s->asked[*at - 1];
	if (!verifies(s, a->key_id, &a->m, re.r, re.s)) {
		/* an honest aggregator adds what it gets: the frontend is the one that verifies */
		if (!s->any_corrupt)
			sim_break(s, "invariant 2: peer %u made a signature that does not verify", id);
		return;
	}
	s->count.replies_verified++;
	if (!same_as_ever(&s->r_used, "r", 0, re.r, re.n, *at))
		sim_break(s, "invariant 1: two messages complete under one R");
	if (!same_as_ever(&s->spent, "presig", 0, re.presig_id, KM_HASH_SIZE, mark(re.request_id)))
		sim_break(s, "invariant 1: two requests complete under one presignature");
}

void sim_check_result(struct sim *s, const struct sim_result *r)
{
	if (r->err)
		return;
	if (!verifies(s, r->key_id, &r->m, r->result.r, r->result.s))
		sim_break(s, "invariant 2: frontend %u gave its client a signature that does not verify", r->node.id);
	s->count.results_verified++;
}

/* ---- 4, 5: keys and lives */

static void learn_key(struct sim *s, const struct km_table *t, int usable)
{
	for (unsigned i = 0; i < s->n_keys; i++) {
		if (memcmp(s->keys[i].key_id, t->key_id, KM_HASH_SIZE) != 0)
			continue;
		if (!km_point_equal_var(t->curve, &s->keys[i].x, &t->x))
			sim_break(s, "invariant 4: one key id, two keys");
		s->keys[i].usable |= usable;
		return;
	}
	if (s->n_keys == SIM_MAX_KEYS) {
		sim_break(s, "invariant 4: more than %u key generations", SIM_MAX_KEYS);
		return;
	}
	struct sim_key *k = &s->keys[s->n_keys++];
	memcpy(k->name, t->name, sizeof(k->name));
	memcpy(k->key_id, t->key_id, KM_HASH_SIZE);
	k->x = t->x;
	k->usable = usable;
}

/* What a node says of itself in one run, it says in one life. STORED is a promise over all lives. */
static void check_envelope(struct sim *s, struct sim_node *from, const uint8_t *data, size_t len)
{
	struct km_msg m;
	unsigned id = from->addr.id;
	int fresh;

	if (km_msg_parse(&m, data + 1, len - 1) != KM_OK || m.sender != id)
		return;
	if (m.proto == KM_PROTO_SETUP && m.round == 1 && m.body_len && m.body[0] == KM_PURPOSE_DKG) {
		sim_map_get(&s->dkgs, m.digest, &fresh);
		if (fresh && s->dkgs.n > 1)
			s->count.dkg_restarted++;
	}
	if (m.proto == KM_PROTO_SETUP && m.round == 2 && m.body_len >= KM_HASH_SIZE + KM_NONCE_SIZE &&
	    !same_as_ever(&s->lives, "incarnation", 0, m.body + KM_HASH_SIZE, KM_NONCE_SIZE, (uint64_t)from->era << 8 | id))
		sim_break(s, "invariant 5: peer %u joins under an incarnation of another life", id);
	if ((m.proto == KM_PROTO_MAJORITY || m.proto == KM_PROTO_ANY ||
	     ((m.proto == KM_PROTO_DKG || m.proto == KM_PROTO_RESHARE) && m.round < KM_STORED_ROUND)) &&
	    !same_as_ever(&s->lives, "run", id, m.sid, KM_HASH_SIZE, from->era))
		sim_break(s, "invariant 5: peer %u speaks in one run from two lives", id);
}

/* READY: from here on the presignatures of the run may be used in this life. */
static void note_ready(struct sim *s, struct sim_node *from, const uint8_t *data, size_t len)
{
	uint8_t id[KM_HASH_SIZE];
	struct km_ready r;
	struct km_msg m;

	if (km_msg_parse(&m, data + 1, len - 1) || km_ready_get(&r, &m)) {
		sim_break(s, "peer %u says something else as READY", from->addr.id);
		return;
	}
	if (!same_as_ever(&s->lives, "run", from->addr.id, m.sid, KM_HASH_SIZE, from->era))
		sim_break(s, "invariant 5: peer %u reports a run of another life", from->addr.id);
	for (unsigned l = 0; l < KM_MAX_BATCH; l++) {
		if (!km_ready_has(r.held, l))
			continue;
		km_presig_name(m.sid, l, id);
		if (!same_as_ever(&s->lives, "made", from->addr.id, id, KM_HASH_SIZE, from->era))
			sim_break(s, "invariant 5: peer %u holds a presignature in two lives", from->addr.id);
	}
}

void sim_check_life(struct sim *s, struct sim_node *node)
{
	if (!node->peer)
		return;
	if (!same_as_ever(&s->lives, "incarnation", 0, node->peer->incarnation, KM_NONCE_SIZE,
			  (uint64_t)node->era << 8 | node->addr.id))
		sim_break(s, "invariant 5: peer %u starts under an incarnation that was there before", node->addr.id);
	if (node->peer->n_held)
		sim_break(s, "invariant 5: peer %u starts with presignatures", node->addr.id);
}

/* ---- 10: secrets and bounds */

static void learn_share(struct sim *s, struct sim_node *node, const struct km_effect *e)
{
	struct km_share *sh = km_secret_alloc(sizeof(*sh));

	KM_ASSERT(sh);
	if (e->data && km_share_decode(sh, e->data, e->len) == KM_OK) {
		node->secret_len[2] = km_curve_scalar_size(sh->table.curve);
		km_secret_encode(sh->table.curve, node->secret[2], &sh->x_i);
		learn_key(s, &sh->table, sh->usable);
		sim_epoch_learn(s, node, &sh->table, sh->usable);
	}
	km_secret_free(sh);
}

static void look_for_secrets(struct sim *s, const struct sim_node *node, const void *p, size_t n)
{
	static const char *const what[] = {"identity", "channel key", "share"};

	for (unsigned k = 0; k < 3; k++)
		if (node->secret_len[k] && n >= node->secret_len[k] && memmem(p, n, node->secret[k], node->secret_len[k]))
			sim_break(s, "invariant 10: the %s of node %u shows", what[k], node->addr.id);
}

/* Texts are for people: a secret would stand there as digits. */
static void look_in_text(struct sim *s, const struct sim_node *node, const char *text)
{
	char hex[2 * 8 + 1];

	if (!text[0])
		return;
	for (unsigned k = 0; k < 3; k++) {
		for (unsigned i = 0; i < 8; i++)
			snprintf(hex + 2 * i, 3, "%02x", node->secret[k][i]);
		if (node->secret_len[k] && strstr(text, hex))
			sim_break(s, "invariant 10: a text of node %u shows a secret", node->addr.id);
	}
}

void sim_check_effect(struct sim *s, struct sim_node *node, const struct km_effect *e)
{
	if (e->kind == KM_EFFECT_PERSIST)
		sim_epoch_persist(s, node, e);
	if (e->kind == KM_EFFECT_PERSIST && e->secret) {
		learn_share(s, node, e);
		return;
	}
	if (e->data && e->len)
		look_for_secrets(s, node, e->data, e->len);
	look_in_text(s, node, e->text);
	if (node->corrupt)
		return;
	if (e->kind == KM_EFFECT_AUDIT)
		check_audit(s, node, e);
	if (e->kind == KM_EFFECT_EVIDENCE && e->to.id >= 1 && e->to.id <= s->opt.n) {
		s->count.evidence++;
		if (!s->peers[e->to.id].corrupt && !two_unknown(s, e->to.id))
			sim_break(s, "invariant 6: peer %u against honest peer %u: %s", node->addr.id, e->to.id, e->text);
		const char *why;
		if (!strncmp(e->text, "conviction", 10) && e->data && evid_file_culprit(e->data, e->len, &why) != e->to.id)
			sim_break(s, "invariant 6: peer %u keeps a proof against peer %u that convinces nobody: %s", node->addr.id, e->to.id, why);
	}
}

void sim_check_send(struct sim *s, struct sim_node *from, struct km_addr to, const uint8_t *data, size_t len)
{
	if (!len || from->corrupt)
		return;
	switch (data[0]) {
	case KM_FRAME_ENVELOPE:
		check_envelope(s, from, data, len);
		break;
	case KM_FRAME_READY:
		note_ready(s, from, data, len);
		break;
	case KM_FRAME_SIGN:
		check_sign(s, from, data, len);
		break;
	case KM_FRAME_SHARE:
		check_share(s, from, data, len);
		break;
	case KM_FRAME_REQ:
		note_request(s, from, data, len);
		break;
	case KM_FRAME_REPLY:
		check_reply(s, from, to, data, len);
		break;
	default:
		break;
	}
}

/* ---- at rest */

static void check_bounds(struct sim *s, const struct sim_node *node)
{
	const struct km_peer *p = node->peer;
	unsigned runs = 0, early = 0;

	for (const struct km_run *r = p->runs; r; r = r->next)
		runs++;
	for (unsigned i = 1; i <= KM_MAX_PEERS; i++)
		early += p->n_early[i];
	if (runs > KM_RUN_SLOTS + KM_RUN_LINGER + s->opt.n + 2)
		sim_break(s, "invariant 10: peer %u holds %u runs", node->addr.id, runs);
	if (early > 64 * s->opt.n)
		sim_break(s, "invariant 10: peer %u holds %u early messages", node->addr.id, early);
	if (p->flights.n > KM_FLIGHT_MAX || p->n_records > KM_MAX_RECORDS)
		sim_break(s, "invariant 10: peer %u holds %zu requests, %zu records", node->addr.id, p->flights.n, p->n_records);
}

void sim_check_rest(struct sim *s)
{
	for (unsigned i = 1; i <= s->opt.n; i++)
		if (s->peers[i].alive)
			check_bounds(s, &s->peers[i]);
	for (unsigned i = 1; i <= s->opt.frontends; i++)
		if (s->fronts[i].alive && s->fronts[i].frontend->in_flight)
			sim_break(s, "invariant 10: frontend %u still has %u requests", i, s->fronts[i].frontend->in_flight);
	sim_epoch_rest(s);
}

void sim_check_clear(struct sim *s)
{
	sim_map_clear(&s->shares);
	sim_map_clear(&s->spent);
	sim_map_clear(&s->r_used);
	sim_map_clear(&s->audited);
	sim_map_clear(&s->lives);
	sim_map_clear(&s->dkgs);
	sim_map_clear(&s->requests);
	sim_epoch_clear(s);
	free(s->asked);
}
