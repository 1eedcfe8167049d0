/* status.c: the state of the daemon as JSON, for keymesh status and for programs. */
#include "config.h"
#include "mesh/daemon.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/secret.h"
#include "mesh/files.h"

/* jansson's _set_new and _append_new take the value also when they fail, and fail for a NULL value: so nothing leaks, and
 * whoever sees NULL in the end has no status. */
static void put(json_t *o, const char *key, json_t *v, int *bad)
{
	if (json_object_set_new(o, key, v))
		*bad = 1;
}

static void put_int(json_t *o, const char *key, uint64_t v, int *bad)
{
	put(o, key, json_integer((json_int_t)v), bad);
}

static void put_hex(json_t *o, const char *key, const uint8_t *p, size_t n, int *bad)
{
	char hex[2 * KM_HASH_SIZE + 1];

	kmd_hex_encode(hex, p, n);
	put(o, key, json_string(hex), bad);
}

static json_t *id_set(uint32_t set, int *bad)
{
	json_t *a = json_array();
	unsigned i;

	for (i = 1; i <= KM_MAX_PEERS; i++)
		if (set >> (i - 1) & 1 && json_array_append_new(a, json_integer(i)))
			*bad = 1;
	return a;
}

static json_t *peer_links(const struct km_peer_status *s, int *bad)
{
	json_t *a = json_array();
	unsigned i;

	for (i = 0; i < s->n_peers; i++) {
		const struct km_status_peer *p = &s->peers[i];
		json_t *o = json_object();

		put_int(o, "id", p->id, bad);
		put(o, "name", json_string(p->name), bad);
		put(o, "self", json_boolean(p->id == s->self), bad);
		put(o, "live", json_boolean(p->live), bad);
		put(o, "roster_mismatch", json_boolean(p->roster_mismatch), bad);
		put(o, "quarantined", json_boolean(p->quarantined), bad);
		put_int(o, "rtt_us", p->rtt_us, bad);
		put(o, "clock_offset_ms", json_integer((json_int_t)p->clock_offset_ms), bad);
		put_int(o, "suspicion", p->suspicion, bad);
		put(o, "suspected", json_boolean(p->suspected), bad);
		put(o, "convicted", json_boolean(p->convicted), bad);
		put(o, "evidence", json_string(p->evidence), bad);
		if (p->evidence[0])
			put_hex(o, "digest", p->digest, KM_HASH_SIZE, bad);
		put_int(o, "since_ms", p->since_ms, bad);
		put(o, "accusers", id_set(p->accusers, bad), bad);
		put(o, "disputed_with", id_set(p->parted, bad), bad);
		if (p->barred[0])
			put(o, "barred_for", json_string(p->barred), bad);
		if (json_array_append_new(a, o))
			*bad = 1;
	}
	return a;
}

static json_t *age(uint64_t at_ms)
{
	uint64_t now = kmd_now().wall_ms;

	return at_ms ? json_integer((json_int_t)(now > at_ms ? (now - at_ms) / 1000 : 0)) : json_null();
}

/* The ages: of this peer's last backup, and of the drill that is longest ago, of all members'; null when there was none. */
static void recovery_part(const struct kmd_daemon *d, unsigned self, const struct km_status_key *k, json_t *o, int *bad)
{
	uint64_t oldest = UINT64_MAX;
	json_t *a = json_array();

	for (unsigned i = 1; i <= KM_MAX_PEERS; i++) {
		uint64_t drill = kmd_recovery_at(d->recovery, KMD_RECORD_DRILL, i, k->table);
		json_t *p;

		if (!(k->members >> (i - 1) & 1))
			continue;
		p = json_object();
		put_int(p, "peer", i, bad);
		put_int(p, "backup_ms", kmd_recovery_at(d->recovery, KMD_RECORD_BACKUP, i, k->table), bad);
		put_int(p, "drill_ms", drill, bad);
		if (json_array_append_new(a, p))
			*bad = 1;
		oldest = drill < oldest ? drill : oldest;
	}
	put(o, "recovery", a, bad);
	put(o, "backup_age_s", age(kmd_recovery_at(d->recovery, KMD_RECORD_BACKUP, self, k->table)), bad);
	put(o, "drill_age_s", age(oldest == UINT64_MAX ? 0 : oldest), bad);
}

/* Highest first; what is not certified is a candidate. */
static json_t *epochs(const struct km_status_key *k, int *bad)
{
	json_t *a = json_array();

	for (unsigned i = 0; i < k->n_epochs; i++) {
		const struct km_status_epoch *e = &k->epochs[i];
		json_t *o = json_object();

		put_int(o, "epoch", e->number, bad);
		put(o, "age_s", age(e->number * 1000), bad);
		put_hex(o, "table", e->table, KM_HASH_SIZE, bad);
		put_int(o, "threshold", e->threshold, bad);
		put(o, "members", id_set(e->members, bad), bad);
		put(o, "stored", id_set(e->stored, bad), bad);
		put(o, "share", json_boolean(e->share), bad);
		put(o, "certified", json_boolean(e->certified), bad);
		put(o, "serves", json_boolean(e->serves), bad);
		if (json_array_append_new(a, o))
			*bad = 1;
	}
	return a;
}

static json_t *peer_keys(const struct kmd_daemon *d, const struct km_peer_status *s, int *bad)
{
	json_t *a = json_array();
	unsigned i, j;

	for (i = 0; i < s->n_keys; i++) {
		const struct km_status_key *k = &s->keys[i];
		json_t *o = json_object(), *pools = json_array();

		put(o, "name", json_string(k->name), bad);
		put_hex(o, "key_id", k->key_id, KM_HASH_SIZE, bad);
		put_hex(o, "table", k->table, KM_HASH_SIZE, bad);
		put(o, "curve", json_string(km_curve_name(k->curve)), bad);
		put_int(o, "epoch", k->epoch, bad);
		put_int(o, "threshold", k->threshold, bad);
		put(o, "members", id_set(k->members, bad), bad);
		put_int(o, "ready", k->ready, bad);
		put_int(o, "held", k->held, bad);
		for (j = 0; j < k->n_pools; j++) {
			json_t *q = json_object();

			put(q, "quorum", id_set(k->pools[j].quorum, bad), bad);
			put_int(q, "ready", k->pools[j].ready, bad);
			put(q, "alive", json_boolean(k->pools[j].alive), bad);
			if (json_array_append_new(pools, q))
				*bad = 1;
		}
		put(o, "pools", pools, bad);
		put(o, "epochs", epochs(k, bad), bad);
		recovery_part(d, s->self, k, o, bad);
		if (json_array_append_new(a, o))
			*bad = 1;
	}
	return a;
}

static json_t *peer_part(const struct kmd_daemon *d, int *bad)
{
	struct km_peer_status s;
	char tag[17];
	json_t *o;

	if (km_peer_status(d->peer, &s))
		return NULL;
	o = json_object();
	put_int(o, "id", s.self, bad);
	put_hex(o, "roster", s.roster, KM_HASH_SIZE, bad);
	put_hex(o, "incarnation", s.incarnation, KM_NONCE_SIZE, bad);
	put(o, "activity", json_string(s.activity), bad);
	put(o, "peers", peer_links(&s, bad), bad);
	put(o, "keys", peer_keys(d, &s, bad), bad);
	put_int(o, "signed_as_aggregator", s.signed_as_aggregator, bad);
	put_int(o, "signed_as_signer", s.signed_as_signer, bad);
	put_int(o, "presigned", s.presigned, bad);
	put_int(o, "presigned_any", s.presigned_any, bad);
	put_int(o, "late_shares", s.late_shares, bad);
	put_int(o, "runs_active", s.runs_active, bad);
	put_int(o, "runs_done", s.runs_done, bad);
	put_int(o, "runs_dropped", s.runs_dropped, bad);
	put_int(o, "refused", s.refused, bad);
	put_int(o, "retries", s.retries, bad);
	put_int(o, "convictions", s.convictions, bad);
	put_int(o, "disputes", s.disputes, bad);
	put_int(o, "dropped_frames", s.dropped_frames, bad);
	kmd_store_key_tag(d->store, tag);
	put(o, "sealed_under", json_string(tag), bad);
	put_int(o, "jobs", d->workers ? kmd_workers_pending(d->workers) : 0, bad);
	put_int(o, "audit_bytes", d->audit ? kmd_audit_bytes(d->audit) : 0, bad);
	put_int(o, "audit_entries", d->audit ? kmd_audit_size(d->audit) : 0, bad);
	put_int(o, "audit_checkpoint", d->checkpointed, bad);
	put_int(o, "audit_synced", d->audit ? kmd_audit_synced(d->audit) : 0, bad);
	km_peer_status_clear(&s);
	return o;
}

static void put_served(json_t *o, const struct kmd_daemon *d, const uint8_t key_id[KM_HASH_SIZE], int *bad)
{
	const struct kmd_served *found = NULL;

	for (unsigned i = 0; i < d->n_served; i++)
		if (!memcmp(d->served[i].key_id, key_id, KM_HASH_SIZE))
			found = &d->served[i];
	put_int(o, "handshakes", found ? found->n : 0, bad);
	put_int(o, "last_handshake_ms", found ? found->last_ms : 0, bad);
}

/* The keys that the operator's file lists, made or not. */
static json_t *configured(const struct kmd_config *c, int *bad)
{
	json_t *a = json_array();

	for (unsigned i = 0; i < c->n_keys; i++) {
		json_t *o = json_object();

		put(o, "name", json_string(c->keys[i].name), bad);
		put_int(o, "threshold", c->keys[i].threshold, bad);
		if (c->keys[i].replaces)
			put(o, "replaces", json_string(c->keys[i].replaces), bad);
		if (json_array_append_new(a, o))
			*bad = 1;
	}
	return a;
}

static json_t *frontend_keys(const struct kmd_daemon *d, const struct km_frontend_status *s, int *bad)
{
	json_t *a = json_array();
	unsigned i;

	for (i = 0; i < s->n_keys; i++) {
		json_t *o = json_object();

		put(o, "name", json_string(s->keys[i]->name), bad);
		put_hex(o, "key_id", s->keys[i]->key_id, KM_HASH_SIZE, bad);
		put(o, "curve", json_string(km_curve_name(s->keys[i]->curve)), bad);
		put_int(o, "epoch", s->keys[i]->number, bad);
		put_int(o, "threshold", s->keys[i]->threshold, bad);
		put(o, "members", id_set(s->keys[i]->members, bad), bad);
		put_served(o, d, s->keys[i]->key_id, bad);
		if (json_array_append_new(a, o))
			*bad = 1;
	}
	return a;
}

static json_t *frontend_part(const struct kmd_daemon *d, int *bad)
{
	struct km_frontend_status s;
	json_t *o, *a;
	unsigned i;

	if (km_frontend_status(d->frontend, &s))
		return NULL;
	o = json_object();
	a = json_array();
	for (i = 0; i < s.n_peers; i++) {
		const struct km_status_upstream *u = &s.peers[i];
		json_t *p = json_object();

		put_int(p, "id", u->id, bad);
		put(p, "name", json_string(u->name), bad);
		put(p, "live", json_boolean(u->live), bad);
		put(p, "roster_mismatch", json_boolean(u->roster_mismatch), bad);
		put_int(p, "rtt_us", u->rtt_us, bad);
		put_int(p, "reply_us", u->reply_us, bad);
		put(p, "clock_offset_ms", json_integer((json_int_t)u->clock_offset_ms), bad);
		put_int(p, "ready", u->ready, bad);
		put_int(p, "score", u->score, bad);
		if (json_array_append_new(a, p))
			*bad = 1;
	}
	put_int(o, "id", s.self, bad);
	put(o, "peers", a, bad);
	put(o, "keys", frontend_keys(d, &s, bad), bad);
	put_int(o, "requests", s.requests, bad);
	put_int(o, "signatures", s.signatures, bad);
	put_int(o, "failed", s.failed, bad);
	put_int(o, "hedged", s.hedged, bad);
	put_int(o, "bad_replies", s.bad_replies, bad);
	put_int(o, "in_flight", s.in_flight, bad);
	km_frontend_status_clear(&s);
	return o;
}

static json_t *io_part(const struct kmd_daemon *d, int *bad)
{
	struct kmd_transport_stats t;
	struct kmd_local_stats l;
	json_t *o = json_object();

	kmd_transport_stats(d->transport, &t);
	kmd_local_stats(d->local, &l);
	put_int(o, "frames_sent", t.sent, bad);
	put_int(o, "frames_received", t.received, bad);
	put_int(o, "frames_not_sent", t.not_sent, bad);
	put_int(o, "frames_malformed", t.malformed, bad);
	put_int(o, "connections_refused", t.refused, bad);
	put_int(o, "handshakes_failed", t.failed_handshakes, bad);
	put_int(o, "clients", l.clients, bad);
	put_int(o, "clients_accepted", l.accepted, bad);
	put_int(o, "clients_refused", l.refused, bad);
	put_int(o, "clients_malformed", l.malformed, bad);
	put_int(o, "clients_cut_off", l.cut_off, bad);
	put_int(o, "requests_in_flight", d->n_requests, bad);
	return o;
}

/* Per second, over the last up to KMD_RATE_SECONDS seconds; tenths are enough. */
static json_t *rate(uint64_t now, uint64_t before, unsigned seconds)
{
	return json_real(seconds ? (double)((now - before) * 10 / seconds) / 10.0 : 0.0);
}

static json_t *rates_part(const struct kmd_daemon *d, int *bad)
{
	unsigned size = KMD_RATE_SECONDS + 1, n = d->n_samples < size ? d->n_samples : size;
	const struct kmd_sample *last = &d->samples[(d->n_samples + size - 1) % size],
				*first = &d->samples[(d->n_samples + size - n) % size];
	json_t *o = json_object();
	unsigned s = n ? n - 1 : 0;

	put_int(o, "over_s", s, bad);
	put(o, "requests", rate(last->requests, first->requests, s), bad);
	put(o, "signatures", rate(last->signatures, first->signatures, s), bad);
	put(o, "presignatures", rate(last->presigned, first->presigned, s), bad);
	return o;
}

static json_t *took_part(const struct kmd_took *t, int *bad)
{
	json_t *o = json_object(), *le = json_array(), *n = json_array();

	for (unsigned i = 0; i < KMD_TOOK_BOUNDS; i++)
		if (json_array_append_new(le, json_integer(kmd_took_us[i])) || json_array_append_new(n, json_integer((json_int_t)t->n[i])))
			*bad = 1;
	put(o, "le", le, bad);
	put(o, "n", n, bad);
	put_int(o, "count", t->count, bad);
	put_int(o, "sum", t->sum_us, bad);
	return o;
}

char *kmd_status_json(struct kmd_daemon *d)
{
	json_t *o = json_object(), *mem = json_object();
	char *text = NULL;
	int bad = !o || !mem;

	put(o, "version", json_string(PACKAGE_VERSION), &bad);
	put(o, "name", json_string(d->config->self_name), &bad);
	put_int(o, "pid", (uint64_t)getpid(), &bad);
	put_int(o, "uptime_s", (kmd_mono_us() - d->started_us) / 1000000, &bad);
	put_int(o, "rollbacks", d->rollbacks, &bad);
	put_hex(o, "roster", d->config->settings.roster.hash, KM_HASH_SIZE, &bad);
	put_int(mem, "secret_bytes", km_secret_in_use(), &bad);
	put(mem, "locked", json_boolean(km_secret_locked()), &bad);
	put(o, "memory", mem, &bad);
	put(o, "rates", rates_part(d, &bad), &bad);
	put(o, "sign_us", took_part(&d->took, &bad), &bad);
	put(o, "io", io_part(d, &bad), &bad);
	put(o, "configured", configured(d->config, &bad), &bad);
	if (d->peer)
		put(o, "peer", peer_part(d, &bad), &bad);
	if (d->frontend)
		put(o, "frontend", frontend_part(d, &bad), &bad);
	if (!bad)
		text = json_dumps(o, JSON_INDENT(1) | JSON_PRESERVE_ORDER | JSON_REAL_PRECISION(6));
	json_decref(o);
	return text;
}
