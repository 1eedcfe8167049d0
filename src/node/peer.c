/* peer.c: life of a peer, dispatch of its events, and what its files share. */
#include "peer_impl.h"

#include <stdlib.h>
#include <string.h>
#include "../base/secret.h"
#include "../base/sig.h"

static int settings_ok(const struct km_settings *s)
{
	const struct km_roster *r = &s->roster;

	if (!km_set_has(r->members, s->self_peer) || r->n < KM_MIN_THRESHOLD || r->n > KM_MAX_PEERS)
		return 0;
	if (memcmp(r->peer[s->self_peer].identity, s->identity.pub, KM_IDKEY_SIZE) != 0)
		return 0;
	return s->batch >= 1 && s->batch <= KM_MAX_BATCH && s->n_frontends <= KM_MAX_FRONTENDS && s->n_keys <= KM_MAX_KEYS;
}

static int init(struct km_peer *p, const struct km_settings *s, const uint8_t seed[KM_SEED_SIZE])
{
	p->s = s;
	p->self = s->self_peer;
	uint32_t known = s->roster.members | s->roster.removed;
	for (unsigned i = km_set_next(known, 0); i; i = km_set_next(known, i))
		memcpy(p->idkeys[i], s->roster.peer[i].identity, KM_IDKEY_SIZE);
	p->wake_us = UINT64_MAX;
	p->next_token = 1;
	p->record_tail = &p->record_head;
	p->owed_tail = &p->owed;
	km_buf_init(&p->scratch);
	p->rng = km_secret_alloc(sizeof(*p->rng));
	if (!p->rng)
		return KM_E_NOMEM;
	km_rng_init(p->rng, seed, "peer", &p->self, sizeof(p->self));
	km_rng_bytes(p->rng, p->incarnation, sizeof(p->incarnation));
	km_pool_init(p, km_rng_u64(p->rng));
	km_idmap_init(&p->flights, offsetof(struct km_flight, request_id), km_rng_u64(p->rng));
	km_idmap_init(&p->queued, offsetof(struct km_queued, request_id), p->flights.mult);
	km_idmap_init(&p->records, offsetof(struct km_record, presig_id), km_rng_u64(p->rng));
	km_idmap_init(&p->spends, offsetof(struct km_spend, request_id), km_rng_u64(p->rng));
	return km_admit_init(p);
}

int km_peer_new(struct km_peer **out, const struct km_settings *s, const uint8_t seed[KM_SEED_SIZE])
{
	*out = NULL;
	if (!settings_ok(s))
		return KM_E_CONFIG;
	struct km_peer *p = calloc(1, sizeof(*p));
	if (!p)
		return KM_E_NOMEM;
	int err = init(p, s, seed);
	if (err)
		km_peer_free(p);
	else
		*out = p;
	return err;
}

/* Forgets everything that is secret or alive; keeps nothing but the empty shell. */
static void wipe(struct km_peer *p)
{
	km_aggregate_free(p);
	km_inquiry_free(p);
	km_pool_burn_all(p);
	km_run_free_all(p);
	km_signer_free(p);
	km_key_free_all(p);
	km_evidence_free(p);
	km_dispute_free(p);
	km_witness_free(p);
}

void km_peer_free(struct km_peer *p)
{
	if (!p)
		return;
	wipe(p);
	km_admit_free(p);
	km_idmap_clear(&p->presigs);
	km_idmap_clear(&p->flights);
	km_idmap_clear(&p->records);
	km_idmap_clear(&p->spends);
	km_buf_clear(&p->scratch);
	if (p->rng) {
		km_rng_clear(p->rng);
		km_secret_free(p->rng);
	}
	free(p);
}

static int ends_with(const char *s, const char *end)
{
	size_t n = strlen(s), m = strlen(end);

	return n >= m && strcmp(s + n - m, end) == 0;
}

int km_peer_load(struct km_peer *p, const char *name, const uint8_t *data, size_t len)
{
	if (strncmp(name, "key-", 4) == 0 && ends_with(name, ".share"))
		return km_key_load(p, data, len);
	if (strncmp(name, "key-", 4) == 0 && ends_with(name, ".cert"))
		return km_cert_load(p, data, len);
	if (strcmp(name, KM_QUARANTINE_FILE) == 0)
		return km_blame_load(p, data, len);
	if (strcmp(name, KM_DISPUTES_FILE) == 0)
		return km_dispute_load(p, data, len);
	if (strncmp(name, KM_PROOF_FILE, strlen(KM_PROOF_FILE)) == 0)
		return km_evidence_load(p, data, len);
	if (strcmp(name, KM_WITNESS_FILE) == 0)
		return km_witness_load(p, data, len);
	/* archives of key generations and whatever else lies in the store */
	return KM_OK;
}

/* ---- helpers of all files */

void km_peer_wake(struct km_peer *p, uint64_t at_us)
{
	if (at_us < p->wake_us)
		p->wake_us = at_us;
}

void km_peer_drop_frame(struct km_peer *p, enum km_drop_reason why)
{
	p->dropped[why]++;
}

void km_peer_send(struct km_peer *p, struct km_addr to)
{
	/* a message that memory has no room for is a lost one: every protocol here lives with that */
	if (!p->scratch.err && km_effects_send(p->fx, to, p->scratch.data, p->scratch.len))
		p->dropped[KM_DROP_LIMIT]++;
	km_buf_reset(&p->scratch);
}

void km_peer_send_set(struct km_peer *p, uint32_t set)
{
	for (unsigned i = km_set_next(set, 0); i; i = km_set_next(set, i))
		if (i != p->self && !p->scratch.err && km_effects_send(p->fx, km_peer_addr(i), p->scratch.data, p->scratch.len))
			p->dropped[KM_DROP_LIMIT]++;
	km_buf_reset(&p->scratch);
}

void km_peer_persist(struct km_peer *p, const char *name, const void *data, size_t len, int secret, uint64_t token)
{
	struct km_effect *e = km_effects_add(p->fx, KM_EFFECT_PERSIST);

	if (!e)
		return;
	km_format(e->name, sizeof(e->name), "%s", name);
	e->token = token;
	e->secret = secret;
	if (!data)
		return;
	e->data = secret ? km_secret_alloc(len) : malloc(len);
	if (!e->data) {
		/* an empty file instead of the content would destroy; nothing is said, so the one that waits for it times out */
		e->kind = KM_EFFECT_LOG;
		e->level = KM_LOG_ERROR;
		km_format(e->text, sizeof(e->text), "out of memory: %s not stored", name);
		return;
	}
	memcpy(e->data, data, len);
	e->len = len;
}

const char *km_peer_name(const struct km_peer *p, unsigned id)
{
	return id >= 1 && id <= KM_MAX_PEERS ? p->s->roster.peer[id].name : "?";
}

void km_peer_names(const struct km_peer *p, uint32_t set, char *out, size_t size)
{
	size_t at = 0;

	if (!size)
		return;
	out[0] = 0;
	for (unsigned i = km_set_next(set, 0); i && at + 1 < size; i = km_set_next(set, i)) {
		const char *name = km_peer_name(p, i);

		if (name[0])
			km_format(out + at, size - at, "%s%u (%s)", at ? ", " : "", i, name);
		else
			km_format(out + at, size - at, "%s%u", at ? ", " : "", i);
		at += strlen(out + at);
	}
}

/* A bucket of millionths of tokens; 1 if one could be taken. */
uint64_t km_bucket_take(uint64_t *micro, uint64_t *at_us, uint64_t now_us, uint64_t rate, uint64_t burst)
{
	uint64_t elapsed = now_us - *at_us;

	if (!*at_us || elapsed > 1000000000u)
		*micro = burst * 1000000u;
	else
		*micro += elapsed * rate;
	if (*micro > burst * 1000000u)
		*micro = burst * 1000000u;
	*at_us = now_us ? now_us : 1;
	if (*micro < 1000000u)
		return 0;
	*micro -= 1000000u;
	return 1;
}

/* ---- dispatch */

static void on_envelope(struct km_peer *p, unsigned from, const uint8_t *raw, size_t len)
{
	struct km_msg msg;

	/* WHY before all else: what another says in someone's name is nobody's fault but its own (attack B19) */
	if (KM_RULE(km_rule_channel_sender) && (len < KM_MSG_HEAD || raw[4] != from)) {
		km_peer_drop_frame(p, KM_DROP_SENDER);
		return;
	}
	if (len < KM_MSG_HEAD) {
		km_peer_drop_frame(p, KM_DROP_GARBAGE);
		return;
	}
	if (raw[2] == KM_PROTO_RESHARE && raw[3] == KM_STORED_ROUND) {
		km_key_stored(p, from, 0, raw, len);
		return;
	}
	if (raw[2] != KM_PROTO_SETUP && raw[2] != KM_PROTO_RECORD) {
		km_run_envelope(p, from, 0, raw, len, p->block);
		return;
	}
	if (km_msg_parse(&msg, raw, len)) {
		km_peer_drop_frame(p, KM_DROP_GARBAGE);
		return;
	}
	if (msg.proto == KM_PROTO_SETUP)
		km_session_on_setup(p, from, 0, &msg);
	else
		km_inquiry_on_record(p, from, &msg);
}

static void from_peer(struct km_peer *p, unsigned from, const uint8_t *d, size_t n)
{
	switch (d[0]) {
	case KM_FRAME_SIGN:
		km_signer_on_sign(p, from, d, n);
		break;
	case KM_FRAME_SHARE:
		km_aggregate_on_share(p, from, d, n);
		break;
	case KM_FRAME_ENVELOPE:
		on_envelope(p, from, d + 1, n - 1);
		break;
	case KM_FRAME_HELLO:
		km_links_on_hello(p, from, d, n);
		break;
	case KM_FRAME_HEALTH:
		km_links_on_health(p, from, d, n);
		break;
	case KM_FRAME_ROSTER:
		km_links_on_roster(p, from, d, n);
		break;
	case KM_FRAME_RELAY:
		km_relay_on_relay(p, from, d, n);
		break;
	case KM_FRAME_STALL:
		km_relay_on_stall(p, from, d, n);
		break;
	case KM_FRAME_ABORT:
		km_relay_on_abort(p, from, d, n);
		break;
	case KM_FRAME_HEADERS:
		km_relay_on_headers(p, from, d, n);
		break;
	case KM_FRAME_EVID_HAVE:
		km_evidence_on_have(p, from, d, n);
		break;
	case KM_FRAME_EVID_GET:
		km_evidence_on_get(p, from, d, n);
		break;
	case KM_FRAME_EVID:
		km_evidence_on_evid(p, from, d, n);
		break;
	case KM_FRAME_CHECKPOINT:
		km_witness_on_checkpoint(p, from, d, n);
		break;
	case KM_FRAME_COSIGN:
		km_witness_on_cosign(p, from, d, n);
		break;
	case KM_FRAME_READY:
		km_lot_on_ready(p, from, d, n);
		break;
	case KM_FRAME_REFUSE:
		km_session_on_refuse(p, from, d, n);
		break;
	case KM_FRAME_RECORD_ASK:
		km_signer_on_record_ask(p, from, d, n);
		break;
	case KM_FRAME_CERT:
		km_cert_on_cert(p, from, d, n);
		break;
	case KM_FRAME_HAVE:
		km_cert_on_have(p, from, d, n);
		break;
	default:
		km_peer_drop_frame(p, KM_DROP_GARBAGE);
	}
}

static void from_frontend(struct km_peer *p, unsigned from, const uint8_t *d, size_t n)
{
	switch (d[0]) {
	case KM_FRAME_REQ:
		km_aggregate_on_req(p, from, d, n);
		break;
	case KM_FRAME_BADSIG:
		km_aggregate_on_badsig(p, from, d, n);
		break;
	case KM_FRAME_PING:
		km_admit_on_ping(p, from, d, n);
		break;
	case KM_FRAME_TABLE_ASK:
		km_admit_on_table_ask(p, from, d, n);
		break;
	default:
		km_peer_drop_frame(p, KM_DROP_GARBAGE);
	}
}

static int known_peer(const struct km_peer *p, unsigned id)
{
	/* also with the rule switched off ids stay inside our arrays */
	if (!KM_RULE(km_rule_known_id) && id >= 1 && id <= KM_MAX_PEERS)
		return 1;
	return id != p->self && km_set_has(p->s->roster.members, id);
}

/* One that an operator has removed: it may tell and hear which epoch is in force, so that it wipes (attack A19), and nothing else. */
static void from_removed(struct km_peer *p, unsigned from, const uint8_t *d, size_t n)
{
	int stored = d[0] == KM_FRAME_ENVELOPE && n > KM_MSG_HEAD && d[1 + 2] == KM_PROTO_RESHARE && d[1 + 3] == KM_STORED_ROUND;

	if (d[0] == KM_FRAME_CERT || d[0] == KM_FRAME_HAVE || stored)
		from_peer(p, from, d, n);
	else
		km_peer_drop_frame(p, KM_DROP_SENDER);
}

static void on_message(struct km_peer *p, const struct km_event *ev)
{
	if (!ev->len) {
		km_peer_drop_frame(p, KM_DROP_GARBAGE);
	} else if (ev->from.kind == KM_ADDR_PEER && known_peer(p, ev->from.id)) {
		from_peer(p, ev->from.id, ev->data, ev->len);
	} else if (ev->from.kind == KM_ADDR_PEER && ev->from.id != p->self && ev->from.id <= KM_MAX_PEERS &&
		   km_set_has(p->s->roster.removed, ev->from.id)) {
		from_removed(p, ev->from.id, ev->data, ev->len);
	} else if (ev->from.kind == KM_ADDR_FRONTEND && ev->from.id <= KM_MAX_FRONTENDS && p->fe_by_id[ev->from.id]) {
		from_frontend(p, ev->from.id, ev->data, ev->len);
	} else {
		km_peer_drop_frame(p, KM_DROP_UNKNOWN_SENDER);
	}
}

static void on_rollback(struct km_peer *p, const struct km_event *ev)
{
	struct km_hash h;
	uint8_t seed[KM_SEED_SIZE];

	/* WHY all at once: what a clone or a restored image also holds must not be used by either (attack B5). A driver that has
	 * fresh randomness gives it as data; without it the two machines still differ by the time they say. */
	km_hash_init(&h, "rollback");
	km_rng_bytes(p->rng, seed, sizeof(seed));
	km_hash_field(&h, seed, sizeof(seed));
	km_hash_u64(&h, ev->now.mono_us);
	km_hash_u64(&h, ev->now.wall_ms);
	km_hash_field(&h, ev->data, ev->data ? ev->len : 0);
	km_hash_final(&h, seed);
	km_rng_init(p->rng, seed, "peer", &p->self, sizeof(p->self));
	km_wipe(seed, sizeof(seed));
	km_rng_bytes(p->rng, p->incarnation, sizeof(p->incarnation));
	for (struct km_run *run = p->runs, *next; run; run = next) {
		next = run->next;
		if (run->state == KM_RUN_JOINING || run->state == KM_RUN_ACTIVE)
			km_run_drop(p, run, KM_E_STALE, 0, 1);
	}
	/* also what is at work: the other machine may answer the same requests */
	km_aggregate_free(p);
	km_inquiry_free(p);
	if (KM_RULE(km_rule_rollback))
		km_pool_burn_all(p);
	km_journal_process(p, KM_AUDIT_ROLLBACK, "suspended, restored or cloned");
	km_effects_log(p->fx, KM_LOG_WARN, "this machine may have been suspended, restored or cloned: all presignatures dropped");
	for (unsigned i = km_set_next(p->s->roster.members, 0); i; i = km_set_next(p->s->roster.members, i))
		if (i != p->self)
			km_links_hello(p, i);
}

static void tick(struct km_peer *p)
{
	p->wake_us = UINT64_MAX;
	km_blame_tick(p);
	km_evidence_tick(p);
	km_links_tick(p);
	km_session_tick(p);
	km_run_tick(p);
	km_pool_tick(p);
	km_aggregate_tick(p);
	km_inquiry_tick(p);
	km_signer_tick(p);
	km_keygen_tick(p);
	km_key_tick(p);
	km_canary_tick(p);
	km_refill_tick(p);
}

static void dispatch(struct km_peer *p, const struct km_event *ev)
{
	switch (ev->kind) {
	case KM_EVENT_START:
		p->started = 1;
		p->started_us = p->now.mono_us;
		km_key_start(p);
		km_links_start(p);
		break;
	case KM_EVENT_MESSAGE:
		on_message(p, ev);
		break;
	case KM_EVENT_PERSISTED:
		km_evidence_persisted(p, ev->token, ev->err);
		km_witness_persisted(p, ev->token, ev->err);
		km_run_persisted(p, ev->token, ev->err);
		break;
	case KM_EVENT_WORKED:
		if (!km_evidence_worked(p, ev->job))
			km_run_worked(p, ev->job);
		break;
	case KM_EVENT_REQUEST:
		if (ev->request && ev->request->kind == KM_REQUEST_KEYGEN)
			km_keygen_request(p, ev->token, ev->request);
		else if (ev->request && ev->request->kind == KM_REQUEST_CLEAR)
			km_blame_request_clear(p, ev->token, ev->request);
		else if (ev->request && ev->request->kind >= KM_REQUEST_REFRESH && ev->request->kind <= KM_REQUEST_RECOVER)
			km_reshare_request(p, ev->token, ev->request);
		else if (ev->request && ev->request->kind == KM_REQUEST_RETIRE)
			km_retire_request(p, ev->token, ev->request);
		break;
	case KM_EVENT_CANCEL:
		km_keygen_cancel(p, ev->token);
		break;
	case KM_EVENT_UP:
		if (ev->from.kind == KM_ADDR_PEER && known_peer(p, ev->from.id)) {
			km_links_up(p, ev->from.id);
			km_run_resend(p, ev->from.id);
			km_key_say_stored(p, ev->from.id);
			km_cert_reset(p, ev->from.id);
		}
		break;
	case KM_EVENT_DOWN:
		if (ev->from.kind == KM_ADDR_PEER && known_peer(p, ev->from.id))
			km_links_down(p, ev->from.id);
		break;
	case KM_EVENT_ROLLBACK:
		on_rollback(p, ev);
		break;
	case KM_EVENT_CHECKPOINT:
		km_witness_checkpoint(p, ev);
		break;
	case KM_EVENT_PROOF:
		km_witness_proof(p, ev);
		break;
	case KM_EVENT_STOP:
		wipe(p);
		p->stopped = 1;
		break;
	case KM_EVENT_TICK:
		break;
	}
}

int km_peer_step(struct km_peer *p, const struct km_event *ev, struct km_effects *fx)
{
	/* a job that comes back late still has to be taken, so that its run can be freed */
	if ((p->stopped && ev->kind != KM_EVENT_WORKED) || (!p->started && ev->kind != KM_EVENT_START))
		return KM_E_STATE;
	uint8_t *none = NULL;

	p->now = ev->now;
	p->fx = fx;
	p->block = ev->block ? ev->block : &none;
	/* the SIGNs of the step before are on their way: now our own shares */
	if (p->owed && !p->stopped)
		km_aggregate_owed(p);
	dispatch(p, ev);
	if (p->stopped) {
		p->wake_us = UINT64_MAX;
		km_buf_clear(&p->scratch);
	} else if (p->now.mono_us >= p->wake_us) {
		tick(p);
	}
	p->fx = NULL;
	p->block = NULL;
	return KM_OK;
}

uint64_t km_peer_deadline(const struct km_peer *p)
{
	return p->owed ? p->now.mono_us : p->wake_us;
}
