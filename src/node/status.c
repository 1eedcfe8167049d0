/* status.c: what an operator sees of a peer. */
#include "peer_impl.h"

#include <stdlib.h>
#include <string.h>

static void status_blame(const struct km_peer *p, unsigned i, struct km_status_peer *s)
{
	const struct km_proof *pf = p->proof[i];

	s->convicted = km_set_has(p->quarantined, i);
	s->since_ms = p->quarantined_ms[i];
	if (pf) {
		km_format(s->evidence, sizeof(s->evidence), "%s", km_evidence_name((enum km_evidence_kind)pf->kind));
		memcpy(s->digest, pf->digest, KM_HASH_SIZE);
		s->since_ms = pf->since_ms;
	}
	s->accusers = p->accusers[i];
	s->parted = p->feud[i];
	for (const struct km_dispute *d = p->disputes; d; d = d->next)
		if (d->accused == i && (!s->since_ms || (!s->convicted && d->since_ms < s->since_ms)))
			s->since_ms = d->since_ms;
	for (const struct km_key *k = p->keys; k; k = k->next)
		if (k->share->usable && km_set_has(km_dispute_barred(p, &k->share->table), i))
			memcpy(s->barred, k->share->table.name, sizeof(s->barred));
	s->quarantined = s->convicted || s->barred[0];
	s->suspected = p->score[p->self][i] >= KM_SCORED;
}

static void status_peers(const struct km_peer *p, struct km_peer_status *out)
{
	const struct km_roster *r = &p->s->roster;

	for (unsigned i = km_set_next(r->members, 0); i; i = km_set_next(r->members, i)) {
		struct km_status_peer *s = &out->peers[out->n_peers++];
		const struct km_link *l = &p->link[i];

		s->id = (uint8_t)i;
		memcpy(s->name, r->peer[i].name, sizeof(s->name));
		s->live = i == p->self || l->live;
		s->roster_mismatch = l->mismatch;
		status_blame(p, i, s);
		s->rtt_us = l->rtt_us;
		s->clock_offset_ms = l->offset_ms;
		s->suspicion = p->score[p->self][i];
	}
}

/* Every epoch of which there is a share or a certificate here, the highest first. */
static void status_epochs(const struct km_peer *p, const struct km_key *key, struct km_status_key *out)
{
	for (const struct km_key *k = p->keys; k; k = k->next) {
		const struct km_table *t = &k->share->table;
		unsigned at = out->n_epochs;

		if (k->wiped || !km_key_same(k, key))
			continue;
		for (; at && out->epochs[at - 1].number < t->number; at--)
			out->epochs[at] = out->epochs[at - 1];
		out->epochs[at] = (struct km_status_epoch){.number = t->number,
							   .threshold = t->threshold,
							   .members = t->members,
							   .stored = k->cert.members,
							   .share = k->holder,
							   .certified = k->share->usable || k->bound,
							   .serves = k->serves};
		memcpy(out->epochs[at].table, t->hash, KM_HASH_SIZE);
		out->n_epochs++;
	}
}

static void status_pools(const struct km_peer *p, const struct km_key *k, struct km_status_key *out)
{
	uint32_t usable = km_blame_usable(p, &k->share->table);

	for (unsigned i = 1; i <= KM_MAX_PEERS; i++)
		out->held += k->held[i];
	for (unsigned i = 0; i < k->n_pools; i++) {
		const struct km_pool *pool = &k->pool[i];

		if (!pool->ready && (pool->quorum & ~usable))
			continue;
		out->pools[out->n_pools++] = (struct km_status_pool){pool->quorum, pool->ready, !(pool->quorum & ~usable)};
		out->ready += pool->ready;
	}
}

static int status_key(const struct km_peer *p, const struct km_key *k, struct km_status_key *out)
{
	const struct km_table *t = &k->share->table;
	unsigned epochs = 0, pools = 0;

	memcpy(out->name, t->name, sizeof(out->name));
	memcpy(out->key_id, t->key_id, KM_HASH_SIZE);
	memcpy(out->table, t->hash, KM_HASH_SIZE);
	out->epoch = t->number;
	out->threshold = t->threshold;
	out->members = t->members;
	out->curve = t->curve;
	out->x = t->x;
	for (const struct km_key *o = p->keys; o; o = o->next) {
		epochs += km_key_same(o, k);
		pools += km_key_same(o, k) ? o->n_pools : 0;
	}
	out->pools = calloc(pools + 1, sizeof(*out->pools));
	out->epochs = calloc(epochs + 1, sizeof(*out->epochs));
	if (!out->pools || !out->epochs)
		return KM_E_NOMEM;
	for (const struct km_key *o = p->keys; o; o = o->next)
		if (km_key_same(o, k) && o->share->usable)
			status_pools(p, o, out);
	status_epochs(p, k, out);
	return KM_OK;
}

static int shown(const struct km_peer *p, const struct km_key *k)
{
	return k->share->usable && km_key_by_id((struct km_peer *)p, k->share->table.key_id) == k;
}

static void activity(const struct km_peer *p, struct km_peer_status *out)
{
	const struct km_run *dkg = NULL;
	unsigned presigning = 0;

	for (const struct km_run *run = p->runs; run; run = run->next) {
		if (run->state != KM_RUN_JOINING && run->state != KM_RUN_ACTIVE)
			continue;
		out->runs_active++;
		if (km_run_ceremony(run))
			dkg = run;
		else
			presigning++;
	}
	if (dkg)
		km_format(out->activity, sizeof(out->activity), "%s of %s: round %u of %u",
			  dkg->prop.purpose == KM_PURPOSE_DKG ? "key generation" : "reshare", dkg->prop.name, dkg->m ? dkg->m->round : 0,
			  dkg->prop.purpose == KM_PURPOSE_DKG ? 6u : 5u);
	else if (p->keygen.state == KM_KEYGEN_CANARY)
		km_format(out->activity, sizeof(out->activity), "first signatures of %s", p->keygen.name);
	else if (presigning)
		km_format(out->activity, sizeof(out->activity), "presigning, %u run%s", presigning, presigning == 1 ? "" : "s");
	else
		km_format(out->activity, sizeof(out->activity), "idle");
}

const struct km_table *km_peer_table(const struct km_peer *p, const uint8_t table[KM_HASH_SIZE])
{
	for (const struct km_key *k = p->keys; k; k = k->next)
		if (memcmp(k->share->table.hash, table, KM_HASH_SIZE) == 0)
			return &k->share->table;
	return NULL;
}

int km_peer_status(const struct km_peer *p, struct km_peer_status *out)
{
	unsigned n = 0;

	memset(out, 0, sizeof(*out));
	out->self = p->self;
	memcpy(out->incarnation, p->incarnation, KM_NONCE_SIZE);
	memcpy(out->roster, p->s->roster.hash, KM_HASH_SIZE);
	status_peers(p, out);
	for (const struct km_key *k = p->keys; k; k = k->next)
		n += (unsigned)shown(p, k);
	out->keys = calloc(n + 1, sizeof(*out->keys));
	if (!out->keys)
		return KM_E_NOMEM;
	for (const struct km_key *k = p->keys; k; k = k->next) {
		if (!shown(p, k))
			continue;
		if (status_key(p, k, &out->keys[out->n_keys++])) {
			km_peer_status_clear(out);
			return KM_E_NOMEM;
		}
	}
	out->signed_as_aggregator = p->n_aggregated;
	out->signed_as_signer = p->n_signed;
	out->presigned = p->n_presigned;
	out->presigned_any = p->n_presigned_any;
	out->late_shares = p->n_late;
	out->runs_done = p->n_runs_done;
	out->runs_dropped = p->n_runs_dropped;
	out->refused = p->n_refused;
	out->retries = p->n_retries;
	out->convictions = p->n_convictions;
	out->disputes = p->n_disputes;
	for (unsigned i = 0; i < KM_DROP_REASONS; i++)
		out->dropped_frames += p->dropped[i];
	activity(p, out);
	return KM_OK;
}

void km_peer_status_clear(struct km_peer_status *s)
{
	for (unsigned i = 0; s->keys && i < s->n_keys; i++) {
		free(s->keys[i].pools);
		free(s->keys[i].epochs);
	}
	free(s->keys);
	s->keys = NULL;
	s->n_keys = 0;
}
