/* admit.c: what a request must fulfil before anything is spent on it, at every signer for itself; and what frontends ask beside
 * signatures. */
#include "peer_impl.h"

#include <stdlib.h>
#include <string.h>
#include "../base/secret.h"
#include "policy.h"

/* Second and further presignatures on one request count against the owner that wants them. */
#define RETRIES_A_SECOND 100
#define RETRIES_BURST 400

int km_admit_init(struct km_peer *p)
{
	p->fes = calloc(p->s->n_frontends + 1, sizeof(*p->fes));
	if (!p->fes)
		return KM_E_NOMEM;
	for (unsigned i = 0; i < p->s->n_frontends; i++) {
		const struct km_frontend_entry *e = &p->s->frontends[i];

		if (e->id < 1 || e->id > KM_MAX_FRONTENDS || p->fe_by_id[e->id])
			return KM_E_CONFIG;
		p->fes[i].entry = e;
		p->fe_by_id[e->id] = (uint16_t)(i + 1);
	}
	return KM_OK;
}

void km_admit_free(struct km_peer *p)
{
	for (unsigned i = 0; p->fes && i < p->s->n_frontends; i++) {
		km_secret_free(p->fes[i].key);
		free(p->fes[i].rate);
	}
	free(p->fes);
	p->fes = NULL;
}

static struct km_fe *fe_by_id(struct km_peer *p, unsigned id)
{
	return id <= KM_MAX_FRONTENDS && p->fe_by_id[id] ? &p->fes[p->fe_by_id[id] - 1] : NULL;
}

/* One X25519 for each frontend, when it first asks. */
static const uint8_t *fe_key(struct km_peer *p, struct km_fe *fe)
{
	if (!fe->key) {
		fe->key = km_secret_alloc(KM_MAC_SIZE);
		if (!fe->key)
			return NULL;
		if (km_auth_key(p->s->channel_priv, fe->entry->channel, fe->entry->id, p->self, fe->key)) {
			km_secret_free(fe->key);
			fe->key = NULL;
		}
	}
	return fe->key;
}

static struct km_bucket *bucket_of(struct km_peer *p, unsigned frontend, const struct km_key *key)
{
	struct km_fe *fe = fe_by_id(p, frontend);

	if (!fe || !key->policy || !key->policy->rate)
		return NULL;
	if (!fe->rate)
		fe->rate = calloc(p->s->n_keys, sizeof(*fe->rate));
	return fe->rate ? &fe->rate[key->policy - p->s->keys] : NULL;
}

static uint64_t take(const struct km_peer *p, struct km_bucket *b, uint64_t rate, uint64_t burst)
{
	return km_bucket_take(&b->micro, &b->at_us, p->now.mono_us, rate, burst);
}

/* Step 5, without changing anything. */
static unsigned rate_ok(struct km_peer *p, const struct km_req *req, const uint8_t request_id[KM_HASH_SIZE], unsigned owner,
			const struct km_key *key)
{
	const struct km_spend *spent = km_idmap_find(&p->spends, request_id);
	struct km_bucket *b = bucket_of(p, req->frontend, key), probe;

	if (spent) {
		if (spent->n >= KM_SPENDS_PER_REQUEST && KM_RULE(km_rule_spends))
			return 0;
		probe = p->link[owner].spend;
		return take(p, &probe, RETRIES_A_SECOND, RETRIES_BURST) != 0;
	}
	if (!b || !KM_RULE(km_rule_rate))
		return 1;
	probe = *b;
	return take(p, &probe, key->policy->rate, key->policy->rate) != 0;
}

unsigned km_admit_request(struct km_peer *p, const struct km_req *req, const uint8_t request_id[KM_HASH_SIZE],
			  const uint8_t mac[KM_MAC_SIZE], unsigned owner, struct km_key **key)
{
	struct km_fe *fe = fe_by_id(p, req->frontend);
	const uint8_t *auth = fe ? fe_key(p, fe) : NULL;
	uint64_t now = p->now.wall_ms, off = req->time_ms > now ? req->time_ms - now : now - req->time_ms;

	*key = NULL;
	/* 2 WHY at every signer: an aggregator must not be able to make up a request (attack B25) */
	if (!auth || km_auth_check(auth, request_id, p->self, mac))
		return KM_STATUS_BAD_MAC;
	/* 3 */
	if (off > p->s->freshness_ms && KM_RULE(km_rule_request_fresh))
		return KM_STATUS_STALE;
	/* 4 */
	struct km_key *k = km_key_by_id(p, req->key_id);
	if (!k)
		return KM_STATUS_UNKNOWN_KEY;
	if (!k->policy)
		return KM_STATUS_RIGHTS;
	if (KM_RULE(km_rule_rights) && (!km_policy_frontend_allowed(k->policy, req->frontend) ||
					!(k->policy->contexts & km_context_bit(req->context)) || req->context == KM_CTX_CANARY))
		return KM_STATUS_RIGHTS;
	/* 5 */
	if (!rate_ok(p, req, request_id, owner, k))
		return KM_STATUS_RATE;
	/* 6 */
	const struct km_table *t = &k->share->table;
	int err = km_context_check(KM_RULE(km_rule_rights) ? k->policy->contexts : UINT32_MAX, req->context, t->curve, &t->x,
				   req->data, req->len);
	if (err)
		return err == KM_E_RIGHTS ? KM_STATUS_RIGHTS : KM_STATUS_CONTEXT;
	*key = k;
	return KM_STATUS_OK;
}

int km_admit_spent(struct km_peer *p, const struct km_req *req, struct km_key *key, const uint8_t request_id[KM_HASH_SIZE],
		   unsigned owner, struct km_spend **spend)
{
	struct km_spend *s = km_idmap_find(&p->spends, request_id);
	struct km_bucket *b = bucket_of(p, req->frontend, key);

	*spend = NULL;
	if (s) {
		(void)!take(p, &p->link[owner].spend, RETRIES_A_SECOND, RETRIES_BURST);
	} else {
		s = calloc(1, sizeof(*s));
		if (!s)
			return KM_E_NOMEM;
		memcpy(s->request_id, request_id, KM_HASH_SIZE);
		int err = km_idmap_add(&p->spends, s);
		if (err) {
			free(s);
			return err;
		}
		if (b)
			(void)!take(p, b, key->policy->rate, key->policy->rate);
	}
	s->n++;
	s->records++;
	if (req->frontend)
		key->used_us = p->now.mono_us;
	*spend = s;
	return KM_OK;
}

void km_admit_unspend(struct km_peer *p, struct km_spend *spend)
{
	if (--spend->records)
		return;
	km_idmap_remove(&p->spends, spend->request_id);
	free(spend);
}

/* ---- frontends, beside signatures */

void km_admit_on_ping(struct km_peer *p, unsigned frontend, const uint8_t *d, size_t n)
{
	struct km_pong pong = {.time_ms = p->now.wall_ms, .live = km_links_live(p)};

	if (km_ping_decode(&pong.echo_us, d, n)) {
		km_peer_drop_frame(p, KM_DROP_GARBAGE);
		return;
	}
	memcpy(pong.roster, p->s->roster.hash, KM_HASH_SIZE);
	pong.keys = calloc(KM_MAX_KEYS, sizeof(*pong.keys));
	if (!pong.keys)
		return;
	for (const struct km_key *k = p->keys; k && pong.n_keys < KM_MAX_KEYS; k = k->next) {
		struct km_pong_key *out = &pong.keys[pong.n_keys];

		if (!k->share->usable || !k->policy || km_key_by_id(p, k->share->table.key_id) != k)
			continue;
		memcpy(out->key_id, k->share->table.key_id, KM_HASH_SIZE);
		memcpy(out->table, k->share->table.hash, KM_HASH_SIZE);
		memcpy(out->name, k->share->table.name, sizeof(out->name));
		for (const struct km_key *o = p->keys; o; o = o->next)
			if (o->share->usable && km_key_same(o, k))
				out->ready += km_pool_ready(o, km_blame_usable(p, &o->share->table));
		pong.n_keys++;
	}
	km_pong_encode(&p->scratch, &pong);
	free(pong.keys);
	km_peer_send(p, (struct km_addr){KM_ADDR_FRONTEND, (uint16_t)frontend});
}

void km_admit_on_table_ask(struct km_peer *p, unsigned frontend, const uint8_t *d, size_t n)
{
	uint8_t hash[KM_HASH_SIZE];

	if (km_table_ask_decode(hash, d, n)) {
		km_peer_drop_frame(p, KM_DROP_GARBAGE);
		return;
	}
	const struct km_key *k = km_key_find(p, hash);
	if (!k || !k->share->usable)
		return;
	km_put_u8(&p->scratch, KM_FRAME_TABLE);
	if (km_table_encode(&k->share->table, &p->scratch))
		km_buf_reset(&p->scratch);
	else
		km_peer_send(p, (struct km_addr){KM_ADDR_FRONTEND, (uint16_t)frontend});
}
