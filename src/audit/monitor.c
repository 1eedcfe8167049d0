/* monitor.c: see monitor.h. */
#include "config.h"
#include "audit/monitor.h"

#include <stdlib.h>
#include <string.h>
#include "base/context.h"

#define KEYS_MAX 256
#define NONE UINT32_MAX

struct open_sig {
	uint8_t presig_id[KM_HASH_SIZE], request_id[KM_HASH_SIZE], key_id[KM_HASH_SIZE], bytes_hash[KM_HASH_SIZE];
	uint32_t quorum, logged;        /* peers */
	uint8_t owner, have_share, have_signature, used;
	uint64_t time_ms;
	uint32_t next, prev;            /* in order of their coming, oldest first */
	uint32_t chain;                 /* of the same bucket; also of the free ones */
};

struct key_rate {
	uint8_t key_id[KM_HASH_SIZE];
	uint64_t window, now, before;
	uint8_t told;
};

struct km_monitor {
	struct km_monitor_params p;
	km_alert_fn fn;
	void *ctx;
	struct open_sig *sigs;
	uint32_t *bucket, n_buckets, free, first, last;
	uint64_t log_time[KM_MAX_PEERS + 1];    /* of a log's last entry */
	uint64_t moved_ms[KM_MAX_PEERS + 1];    /* when it last went on, by our clock */
	uint64_t end_ms[KM_MAX_PEERS + 1];      /* when it was last read to its end */
	uint64_t begins_ms[KM_MAX_PEERS + 1];   /* 0: it is whole */
	uint8_t silent[KM_MAX_PEERS + 1];
	uint64_t now_ms, aborts_window, aborts_now;
	struct key_rate rates[KEYS_MAX];
	unsigned n_rates;
	struct km_monitor_counts n;
};

const char *km_alert_name(unsigned kind)
{
	static const char *const names[] = {
		[KM_ALERT_MISSING] = "missing-entry", [KM_ALERT_REUSED] = "presignature-reused", [KM_ALERT_ABORTS] = "abort-storm",
		[KM_ALERT_BLIND] = "blind-digest", [KM_ALERT_RATE] = "unusual-rate", [KM_ALERT_SILENT] = "silent-log",
		[KM_ALERT_WITNESS] = "log-refused-by-a-peer", [KM_ALERT_QUARANTINE] = "conviction", [KM_ALERT_FULL] = "not-checked",
		[KM_ALERT_SIGNATURE] = "signature-without-share",
	};

	return kind < sizeof(names) / sizeof(names[0]) ? names[kind] : NULL;
}

void km_monitor_defaults(struct km_monitor_params *p)
{
	memset(p, 0, sizeof(*p));
	p->grace_ms = 60000;
	p->silent_ms = 600000;
	p->open_max = 1u << 18;
	p->aborts = 100;
	p->rate_floor = 1000;
	p->rate_times = 10;
	p->window_ms = 60000;
}

static void alert(struct km_monitor *m, enum km_alert_kind kind, unsigned peer, const struct open_sig *s, uint64_t time_ms, uint64_t count)
{
	struct km_alert a = {.kind = kind, .peer = (uint8_t)peer, .time_ms = time_ms, .count = count};

	if (s) {
		memcpy(a.presig_id, s->presig_id, KM_HASH_SIZE);
		memcpy(a.key_id, s->key_id, KM_HASH_SIZE);
	}
	m->n.alerts++;
	m->fn(m->ctx, &a);
}

/* ---- open signatures */

static uint32_t *bucket_of(struct km_monitor *m, const uint8_t id[KM_HASH_SIZE])
{
	/* ids are hashes: any four bytes will do */
	uint32_t v = (uint32_t)id[0] << 24 | (uint32_t)id[1] << 16 | (uint32_t)id[2] << 8 | id[3];

	return &m->bucket[v & (m->n_buckets - 1)];
}

static struct open_sig *find(struct km_monitor *m, const uint8_t id[KM_HASH_SIZE])
{
	for (uint32_t i = *bucket_of(m, id); i != NONE; i = m->sigs[i].chain)
		if (memcmp(m->sigs[i].presig_id, id, KM_HASH_SIZE) == 0)
			return &m->sigs[i];
	return NULL;
}

static void take_out(struct km_monitor *m, struct open_sig *s)
{
	uint32_t at = (uint32_t)(s - m->sigs), *p = bucket_of(m, s->presig_id);

	while (*p != at)
		p = &m->sigs[*p].chain;
	*p = s->chain;
	*(s->prev == NONE ? &m->first : &m->sigs[s->prev].next) = s->next;
	*(s->next == NONE ? &m->last : &m->sigs[s->next].prev) = s->prev;
	m->n.open -= !s->used;
	memset(s, 0, sizeof(*s));
	s->chain = m->free;
	m->free = at;
}

/* WHY it is kept while there is room: the same presignature under another request must be noticed also then. */
static void done(struct km_monitor *m, struct open_sig *s)
{
	s->used = 1;
	m->n.open--;
}

static struct open_sig *add(struct km_monitor *m, const uint8_t id[KM_HASH_SIZE], uint64_t time_ms)
{
	struct open_sig *s;
	uint32_t at, *b;

	if (m->free == NONE) {
		s = &m->sigs[m->first];
		if (!s->used)
			alert(m, KM_ALERT_FULL, 0, s, s->time_ms, 1);
		take_out(m, s);
	}
	at = m->free;
	s = &m->sigs[at];
	m->free = s->chain;
	memset(s, 0, sizeof(*s));
	memcpy(s->presig_id, id, KM_HASH_SIZE);
	s->time_ms = time_ms;
	b = bucket_of(m, id);
	s->chain = *b;
	*b = at;
	s->prev = m->last;
	s->next = NONE;
	*(m->last == NONE ? &m->first : &m->sigs[m->last].next) = at;
	m->last = at;
	m->n.open++;
	return s;
}

static uint32_t bit(unsigned peer)
{
	return (uint32_t)1 << (peer - 1);
}

/* Whose logs can be asked about that time. */
static uint32_t followed(const struct km_monitor *m, uint64_t time_ms)
{
	uint32_t set = m->p.peers;

	for (unsigned i = 1; i <= KM_MAX_PEERS; i++)
		if (m->begins_ms[i] && time_ms < m->begins_ms[i] + m->p.grace_ms)
			set &= ~bit(i);
	return set;
}

/* Whose entry is still awaited, of those whose logs we have. */
static uint32_t awaited(const struct km_monitor *m, const struct open_sig *s)
{
	return s->quorum & followed(m, s->time_ms) & ~s->logged;
}

static void count_abort(struct km_monitor *m, const struct open_sig *s)
{
	uint64_t window = s->time_ms / m->p.window_ms;

	m->n.aborted++;
	if (window != m->aborts_window) {
		m->aborts_window = window;
		m->aborts_now = 0;
	}
	if (++m->aborts_now == m->p.aborts)
		alert(m, KM_ALERT_ABORTS, s->owner, s, s->time_ms, m->aborts_now);
}

/* Who has to have logged it by now: its log went on past that time, or was read to its end long after it. */
static uint32_t overdue(const struct km_monitor *m, const struct open_sig *s, int all)
{
	uint32_t late = 0;

	for (unsigned i = 1; i <= KM_MAX_PEERS; i++)
		if (all || m->log_time[i] > s->time_ms + m->p.grace_ms || m->end_ms[i] > s->time_ms + m->p.silent_ms)
			late |= bit(i);
	return late;
}

static void judge(struct km_monitor *m, struct open_sig *s, uint32_t late)
{
	uint32_t missing = awaited(m, s) & late;

	for (unsigned i = 1; i <= KM_MAX_PEERS; i++)
		if (missing & bit(i)) {
			m->n.missing++;
			alert(m, KM_ALERT_MISSING, i, s, s->time_ms, 1);
		}
}

/* 1 when it is done with. */
static int settle(struct km_monitor *m, struct open_sig *s, int all)
{
	uint32_t late = overdue(m, s, all);
	int owner_followed = s->owner && (followed(m, s->time_ms) & bit(s->owner));

	if (s->have_share && s->have_signature && !awaited(m, s)) {
		m->n.complete++;
		return 1;
	}
	/* a log that we do not follow cannot say that it became a signature: then all shares have to do */
	if (s->have_share && !owner_followed && !awaited(m, s)) {
		m->n.complete++;
		return 1;
	}
	if (s->have_signature && !s->have_share && (late & bit(s->owner))) {
		if (owner_followed)
			alert(m, KM_ALERT_SIGNATURE, s->owner, s, s->time_ms, 1);
		return 1;
	}
	if (s->have_share && s->have_signature && !(awaited(m, s) & ~late)) {
		judge(m, s, late);
		return 1;
	}
	if (!s->have_signature && (!owner_followed || (late & bit(s->owner)))) {
		count_abort(m, s);
		return 1;
	}
	return 0;
}

/* ---- entries */

static void count_rate(struct km_monitor *m, const struct km_audit_share *s, uint64_t time_ms)
{
	uint64_t window = time_ms / m->p.window_ms;
	struct key_rate *r = NULL;

	for (unsigned i = 0; i < m->n_rates && !r; i++)
		if (memcmp(m->rates[i].key_id, s->key_id, KM_HASH_SIZE) == 0)
			r = &m->rates[i];
	if (!r && m->n_rates < KEYS_MAX) {
		r = &m->rates[m->n_rates++];
		memcpy(r->key_id, s->key_id, KM_HASH_SIZE);
		r->window = window;
	}
	if (!r)
		return;
	if (window > r->window) {
		r->before = window == r->window + 1 ? r->now : 0;
		r->now = 0;
		r->told = 0;
		r->window = window;
	}
	if (window == r->window && ++r->now > m->p.rate_floor && r->now > m->p.rate_times * r->before && !r->told) {
		struct open_sig dummy = {.used = 0};

		memcpy(dummy.key_id, s->key_id, KM_HASH_SIZE);
		r->told = 1;
		alert(m, KM_ALERT_RATE, 0, &dummy, time_ms, r->now);
	}
}

static void on_share(struct km_monitor *m, unsigned peer, const struct km_audit_entry *e)
{
	const struct km_audit_share *a = &e->u.share;
	struct open_sig *s = find(m, a->presig_id);

	if (!s)
		s = add(m, a->presig_id, e->time_ms);
	if (s->have_share && (memcmp(s->request_id, a->request_id, KM_HASH_SIZE) != 0 || memcmp(s->bytes_hash, a->bytes_hash, KM_HASH_SIZE) != 0 ||
			      s->quorum != a->quorum || s->owner != a->owner))
		alert(m, KM_ALERT_REUSED, peer, s, e->time_ms, 1);
	else if (s->logged & bit(peer))
		alert(m, KM_ALERT_REUSED, peer, s, e->time_ms, 2);
	if (!s->have_share) {
		/* a signature that came first knows only its aggregator */
		memcpy(s->request_id, a->request_id, KM_HASH_SIZE);
		memcpy(s->key_id, a->key_id, KM_HASH_SIZE);
		memcpy(s->bytes_hash, a->bytes_hash, KM_HASH_SIZE);
		s->quorum = a->quorum;
		s->owner = a->owner;
		s->have_share = 1;
		count_rate(m, a, e->time_ms);
		if (a->context == KM_CTX_DIGEST)
			alert(m, KM_ALERT_BLIND, a->owner, s, e->time_ms, 1);
	}
	s->logged |= bit(peer);
	if (!s->used && settle(m, s, 0))
		done(m, s);
}

static void on_signature(struct km_monitor *m, unsigned peer, const struct km_audit_entry *e)
{
	struct open_sig *s = find(m, e->u.signature.presig_id);

	if (!s) {
		s = add(m, e->u.signature.presig_id, e->time_ms);
		memcpy(s->request_id, e->u.signature.request_id, KM_HASH_SIZE);
		s->owner = (uint8_t)peer;
	}
	s->have_signature = 1;
	if (!s->used && settle(m, s, 0))
		done(m, s);
}

int km_monitor_entry(struct km_monitor *m, unsigned peer, const struct km_audit_entry *e)
{
	if (peer < 1 || peer > KM_MAX_PEERS)
		return KM_E_RANGE;
	m->n.entries++;
	if (e->time_ms > m->log_time[peer])
		m->log_time[peer] = e->time_ms;
	m->moved_ms[peer] = m->now_ms;
	m->silent[peer] = 0;
	if (e->kind == KM_AUDIT_SHARE)
		on_share(m, peer, e);
	else if (e->kind == KM_AUDIT_SIGNATURE)
		on_signature(m, peer, e);
	else if (e->kind == KM_AUDIT_WITNESS)
		alert(m, KM_ALERT_WITNESS, e->u.witness.peer, NULL, e->time_ms, e->u.witness.said_size);
	else if (e->kind == KM_AUDIT_QUARANTINE && e->u.quarantine.what == KM_AUDIT_CONVICTED)
		alert(m, KM_ALERT_QUARANTINE, e->u.quarantine.peer, NULL, e->time_ms, e->u.quarantine.evidence);
	return KM_OK;
}

/* ---- time */

void km_monitor_begins(struct km_monitor *m, unsigned peer, uint64_t time_ms)
{
	if (peer >= 1 && peer <= KM_MAX_PEERS)
		m->begins_ms[peer] = time_ms;
}

void km_monitor_at_end(struct km_monitor *m, unsigned peer, uint64_t now_ms)
{
	if (peer >= 1 && peer <= KM_MAX_PEERS)
		m->end_ms[peer] = now_ms;
}

static void sweep(struct km_monitor *m, int all)
{
	uint32_t at = m->first;

	while (at != NONE) {
		struct open_sig *s = &m->sigs[at];

		at = s->next;
		if (!s->used && settle(m, s, all))
			done(m, s);
	}
}

void km_monitor_tick(struct km_monitor *m, uint64_t now_ms)
{
	uint32_t named = 0;

	m->now_ms = now_ms;
	for (uint32_t at = m->first; at != NONE; at = m->sigs[at].next)
		named |= m->sigs[at].used ? 0 : awaited(m, &m->sigs[at]);
	for (unsigned i = 1; i <= KM_MAX_PEERS; i++) {
		if (!m->moved_ms[i])
			m->moved_ms[i] = now_ms;
		if (!(named & bit(i)) || m->silent[i] || now_ms - m->moved_ms[i] < m->p.silent_ms)
			continue;
		m->silent[i] = 1;
		alert(m, KM_ALERT_SILENT, i, NULL, m->log_time[i], 1);
	}
	sweep(m, 0);
}

void km_monitor_finish(struct km_monitor *m)
{
	sweep(m, 1);
}

void km_monitor_counts(const struct km_monitor *m, struct km_monitor_counts *out)
{
	*out = m->n;
}

int km_monitor_new(struct km_monitor **out, const struct km_monitor_params *p, km_alert_fn fn, void *ctx)
{
	struct km_monitor *m = calloc(1, sizeof(*m));

	*out = NULL;
	if (!m || p->open_max < 1 || p->open_max > (1u << 30) || !p->window_ms) {
		free(m);
		return m ? KM_E_RANGE : KM_E_NOMEM;
	}
	m->p = *p;
	m->fn = fn;
	m->ctx = ctx;
	for (m->n_buckets = 16; m->n_buckets < p->open_max; m->n_buckets *= 2)
		;
	m->sigs = calloc(p->open_max, sizeof(*m->sigs));
	m->bucket = malloc(m->n_buckets * sizeof(*m->bucket));
	if (!m->sigs || !m->bucket) {
		km_monitor_free(m);
		return KM_E_NOMEM;
	}
	memset(m->bucket, 0xff, m->n_buckets * sizeof(*m->bucket));
	for (uint32_t i = 0; i < p->open_max; i++)
		m->sigs[i].chain = i + 1 < p->open_max ? i + 1 : NONE;
	m->first = m->last = NONE;
	*out = m;
	return KM_OK;
}

void km_monitor_free(struct km_monitor *m)
{
	if (!m)
		return;
	free(m->sigs);
	free(m->bucket);
	free(m);
}
