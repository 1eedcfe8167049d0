/* requests.c: what local clients ask for, and the answers of the nodes back to them. */
#include "config.h"
#include "mesh/daemon.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/context.h"
#include "ec/curve.h"
#include "ec/point.h"

#define NO_SLOT UINT32_MAX

const uint32_t kmd_took_us[KMD_TOOK_BOUNDS] = {250,   500,    1000,	  1500,	  2500,	   5000,    10000,   25000,
					       50000, 100000, 250000, 500000, 1000000, 2500000, 10000000};

void kmd_request_init(struct kmd_daemon *d)
{
	unsigned i;

	for (i = 0; i < KMD_MAX_REQUESTS; i++)
		d->requests[i].next_free = i + 1 < KMD_MAX_REQUESTS ? i + 1 : NO_SLOT;
}

/* A token names slot and generation, so that a late answer cannot reach who has the slot now. */
static uint64_t slot_token(const struct kmd_daemon *d, unsigned slot)
{
	return (uint64_t)d->requests[slot].generation << 32 | slot;
}

static struct kmd_request *slot_by_token(struct kmd_daemon *d, uint64_t token)
{
	unsigned slot = (uint32_t)token;
	struct kmd_request *r = slot < KMD_MAX_REQUESTS ? &d->requests[slot] : NULL;

	return r && r->client && r->generation == token >> 32 ? r : NULL;
}

static unsigned slot_take(struct kmd_daemon *d, struct kmd_client *c, enum kmd_side side, uint32_t seq)
{
	unsigned slot = d->free_request;
	struct kmd_request *r;

	if (slot == NO_SLOT || *kmd_client_in_flight(c) >= KMD_MAX_CLIENT_REQUESTS)
		return NO_SLOT;
	r = &d->requests[slot];
	d->free_request = r->next_free;
	d->n_requests++;
	++*kmd_client_in_flight(c);
	r->client = c;
	r->side = side;
	r->seq = seq;
	r->since_us = kmd_mono_us();
	if (!++r->generation)
		r->generation = 1;
	return slot;
}

static void slot_free(struct kmd_daemon *d, struct kmd_request *r)
{
	--*kmd_client_in_flight(r->client);
	r->client = NULL;
	r->next_free = d->free_request;
	d->free_request = (unsigned)(r - d->requests);
	d->n_requests--;
}

/* ---- who may */

static int is_own(uid_t uid)
{
	return uid == 0 || uid == geteuid();
}

static int is_admin(const struct kmd_daemon *d, uid_t uid)
{
	unsigned i;

	for (i = 0; i < d->config->n_admin_uids; i++)
		if (d->config->admin_uids[i] == uid)
			return 1;
	return is_own(uid);
}

static int admit(void *ctx, uid_t uid)
{
	const struct kmd_daemon *d = ctx;
	unsigned i;

	for (i = 0; i < d->config->n_local_uids; i++)
		if (d->config->local_uids[i] == uid)
			return KM_OK;
	return is_admin(d, uid) ? KM_OK : KM_E_RIGHTS;
}

/* ---- answers */

static void send_error(struct kmd_client *c, uint32_t seq, int err, const char *text)
{
	struct km_buf b;

	km_buf_init(&b);
	if (!km_rpc_encode_error(&b, seq, err, text))
		kmd_client_send(c, &b);
	km_buf_clear(&b);
}

static int encode_result(struct km_buf *b, const struct kmd_request *r, const struct km_effect *e)
{
	struct km_rpc_signature sig = {.size = e->result.scalar_size,
				       .quorum = e->result.quorum,
				       .aggregator = e->result.aggregator,
				       .time = e->result.time_ms};

	if (e->kind == KM_EFFECT_PROGRESS)
		return km_rpc_encode_progress(b, r->seq, e->text);
	if (e->err)
		return km_rpc_encode_error(b, r->seq, e->err, e->text[0] ? e->text : NULL);
	if (r->side == KMD_SIDE_PEER)
		return km_rpc_encode_done(b, r->seq, e->text);
	memcpy(sig.r, e->result.r, sizeof(sig.r));
	memcpy(sig.s, e->result.s, sizeof(sig.s));
	memcpy(sig.presig, e->result.presig_id, sizeof(sig.presig));
	return km_rpc_encode_signature(b, r->seq, &sig);
}

/* At level info an operator can watch who signs. */
static void log_signature(const struct km_effect *e)
{
	char members[KM_MAX_PEERS * 3 + 1] = "";
	size_t n = 0;

	if (kmd_log_level() < KM_LOG_INFO || e->err)
		return;
	for (unsigned i = 1; i <= KM_MAX_PEERS; i++)
		if (e->result.quorum >> (i - 1) & 1)
			n += (size_t)snprintf(members + n, sizeof(members) - n, "%s%u", n ? "," : "", i);
	kmd_log(KM_LOG_INFO, "signed by peers %s, put together by peer %u", members, e->result.aggregator);
}

static void count_time(struct kmd_took *t, uint64_t us)
{
	unsigned i;

	for (i = 0; i < KMD_TOOK_BOUNDS && us > kmd_took_us[i]; i++)
		;
	if (i < KMD_TOOK_BOUNDS)
		t->n[i]++;
	t->count++;
	t->sum_us += us;
}

static void count_key(struct kmd_daemon *d, const uint8_t key_id[KM_HASH_SIZE])
{
	unsigned i;

	for (i = 0; i < d->n_served && memcmp(d->served[i].key_id, key_id, KM_HASH_SIZE); i++)
		;
	if (i == KM_MAX_KEYS)
		return;
	if (i == d->n_served) {
		memcpy(d->served[i].key_id, key_id, KM_HASH_SIZE);
		d->n_served++;
	}
	d->served[i].n++;
	d->served[i].last_ms = kmd_wall_ms();
}

void kmd_request_answer(struct kmd_daemon *d, enum kmd_side side, const struct km_effect *e)
{
	struct kmd_request *r = slot_by_token(d, e->token);
	struct km_buf b;
	int err;

	if (side == KMD_SIDE_FRONTEND && e->kind == KM_EFFECT_RESULT) {
		*(e->err ? &d->n_failed : &d->n_signed) += 1;
		log_signature(e);
	}
	if (!r || r->side != side)
		return;
	if (side == KMD_SIDE_FRONTEND && e->kind == KM_EFFECT_RESULT && !e->err) {
		count_time(&d->took, kmd_mono_us() - r->since_us);
		if (r->context == KM_CTX_TLS13_SERVER || r->context == KM_CTX_TLS12_SERVER)
			count_key(d, r->key_id);
	}
	km_buf_init(&b);
	err = encode_result(&b, r, e);
	if (!err)
		kmd_client_send(r->client, &b);
	else
		send_error(r->client, r->seq, err, NULL);
	km_buf_clear(&b);
	if (e->kind == KM_EFFECT_RESULT)
		slot_free(d, r);
}

void kmd_request_done(struct kmd_daemon *d, uint64_t token, int err, const char *text)
{
	struct kmd_request *r = slot_by_token(d, token);
	struct km_buf b;

	if (!r)
		return;
	km_buf_init(&b);
	if (err)
		send_error(r->client, r->seq, err, text);
	else if (!km_rpc_encode_done(&b, r->seq, text))
		kmd_client_send(r->client, &b);
	km_buf_clear(&b);
	slot_free(d, r);
}

/* ---- requests */

static int on_key(struct kmd_daemon *d, struct kmd_client *c, const struct km_rpc_frame *f)
{
	struct km_rpc_key_info info = {.curve = 0};
	const struct km_table *t = NULL;
	struct km_point x;
	struct km_rpc_key m;
	struct km_buf b;
	int err = km_rpc_decode_key(f, &m);

	if (err)
		return err;
	if (!d->frontend) {
		send_error(c, f->seq, KM_E_STATE, "this keymeshd has not the role frontend; ask one that has");
		return KM_OK;
	}
	if (m.by == KM_RPC_BY_NAME) {
		t = km_frontend_key_by_name(d->frontend, m.name);
	} else if (m.by == KM_RPC_BY_ID) {
		t = km_frontend_key_by_id(d->frontend, m.id);
	} else {
		const struct km_curve *curve = km_curve_by_id(km_rpc_curve_by_point_size(m.point_len));

		if (curve && !km_point_decode_uncompressed_var(curve, &x, m.point))
			t = km_frontend_key_by_point(d->frontend, &x, curve);
	}
	if (!t) {
		send_error(c, f->seq, KM_E_NOTFOUND,
			   "no such key is known here (yet); keymesh status shows the keys and which peers answer");
		return KM_OK;
	}
	memcpy(info.name, t->name, sizeof(info.name));
	memcpy(info.key_id, t->key_id, sizeof(info.key_id));
	memcpy(info.table, t->hash, sizeof(info.table));
	info.curve = (uint8_t)km_curve_id(t->curve);
	info.point_len = 1 + 2 * km_curve_scalar_size(t->curve);
	info.threshold = (uint8_t)t->threshold;
	info.peers = (uint8_t)__builtin_popcount(t->members);
	err = km_point_encode_uncompressed_var(t->curve, info.point, &t->x);
	km_buf_init(&b);
	if (!err)
		err = km_rpc_encode_key_info(&b, f->seq, &info);
	if (!err)
		kmd_client_send(c, &b);
	else
		send_error(c, f->seq, err, NULL);
	km_buf_clear(&b);
	return KM_OK;
}

static void give_request(struct kmd_daemon *d, struct kmd_client *c, enum kmd_side side, uint32_t seq,
			 const struct km_request *req)
{
	struct km_event ev = {.kind = KM_EVENT_REQUEST, .request = req};
	unsigned slot = slot_take(d, c, side, seq);

	if (slot == NO_SLOT) {
		send_error(c, seq, KM_E_BUSY, "too many requests at the same time");
		return;
	}
	memcpy(d->requests[slot].key_id, req->key_id, KM_HASH_SIZE);
	d->requests[slot].context = req->context;
	ev.token = slot_token(d, slot);
	kmd_daemon_step(d, side, &ev);
}

static int on_sign(struct kmd_daemon *d, struct kmd_client *c, const struct km_rpc_frame *f)
{
	struct km_request req = {.kind = KM_REQUEST_SIGN};
	struct km_rpc_sign m;
	int err = km_rpc_decode_sign(f, &m);

	if (err)
		return err;
	d->n_sign++;
	if (!d->frontend) {
		send_error(c, f->seq, KM_E_STATE, "this keymeshd has not the role frontend; ask one that has");
		return KM_OK;
	}
	memcpy(req.key_id, m.key_id, sizeof(req.key_id));
	memcpy(req.random, m.random, sizeof(req.random));
	req.context = m.context;
	req.deadline_ms = m.deadline_ms;
	req.data = m.data;
	req.len = m.len;
	give_request(d, c, KMD_SIDE_FRONTEND, f->seq, &req);
	return KM_OK;
}

static int on_keygen(struct kmd_daemon *d, struct kmd_client *c, const struct km_rpc_frame *f)
{
	struct km_request req = {.kind = KM_REQUEST_KEYGEN};
	struct km_rpc_keygen m;
	int err = km_rpc_decode_keygen(f, &m);

	if (err)
		return err;
	if (!is_admin(d, kmd_client_uid(c))) {
		send_error(c, f->seq, KM_E_RIGHTS, "only users in listen.admin_users of keymesh.conf may make keys");
		return KM_OK;
	}
	if (!d->peer) {
		send_error(c, f->seq, KM_E_STATE, "this keymeshd has not the role peer; ask one that has");
		return KM_OK;
	}
	memcpy(req.name, m.name, sizeof(req.name));
	req.threshold = m.threshold;
	req.curve = m.curve;
	kmd_log(KM_LOG_NOTICE, "key generation of %s asked for by user %u", req.name, (unsigned)kmd_client_uid(c));
	if (kmd_daemon_operator(d, KM_AUDIT_DO_KEYGEN, kmd_client_uid(c), req.name)) {
		send_error(c, f->seq, KM_E_IO, "this cannot be written to the audit log, so it is not done; see the log of keymeshd");
		return KM_OK;
	}
	give_request(d, c, KMD_SIDE_PEER, f->seq, &req);
	return KM_OK;
}

static int on_retire(struct kmd_daemon *d, struct kmd_client *c, const struct km_rpc_frame *f)
{
	struct km_request req = {.kind = KM_REQUEST_RETIRE};
	struct km_rpc_retire m;
	char what[KM_MAX_NAME + 32];
	int err = km_rpc_decode_retire(f, &m);

	if (err)
		return err;
	if (!is_admin(d, kmd_client_uid(c))) {
		send_error(c, f->seq, KM_E_RIGHTS, "only users in listen.admin_users of keymesh.conf may retire keys");
		return KM_OK;
	}
	if (!d->peer) {
		send_error(c, f->seq, KM_E_STATE, "this keymeshd has not the role peer; ask one that has");
		return KM_OK;
	}
	memcpy(req.name, m.name, sizeof(req.name));
	req.force = m.force;
	kmd_log(KM_LOG_NOTICE, "the end of key %s here was asked for by user %u", req.name, (unsigned)kmd_client_uid(c));
	snprintf(what, sizeof(what), "retire %s%s", m.name, m.force ? " by force" : "");
	if (kmd_daemon_operator(d, KM_AUDIT_DO_OTHER, kmd_client_uid(c), what)) {
		send_error(c, f->seq, KM_E_IO, "this cannot be written to the audit log, so it is not done; see the log of keymeshd");
		return KM_OK;
	}
	give_request(d, c, KMD_SIDE_PEER, f->seq, &req);
	return KM_OK;
}

static int on_reshare(struct kmd_daemon *d, struct kmd_client *c, const struct km_rpc_frame *f)
{
	static const struct {
		enum km_request_kind kind;
		unsigned audit;
		const char *what;
	} kinds[] = {
		[KM_RPC_REFRESH_SHARES] = {KM_REQUEST_REFRESH, KM_AUDIT_DO_REFRESH, "refresh"},
		[KM_RPC_RESHARE_KEY] = {KM_REQUEST_RESHARE, KM_AUDIT_DO_RESHARE, "reshare"},
		[KM_RPC_RECOVER_PEER] = {KM_REQUEST_RECOVER, KM_AUDIT_DO_RESHARE, "recovery"},
	};
	struct km_request req = {.force = 0};
	struct km_rpc_reshare m;
	char what[KM_MAX_NAME + 48];
	int err = km_rpc_decode_reshare(f, &m);

	if (err)
		return err;
	if (!is_admin(d, kmd_client_uid(c))) {
		send_error(c, f->seq, KM_E_RIGHTS, "only users in listen.admin_users of keymesh.conf may have new shares made");
		return KM_OK;
	}
	if (!d->peer) {
		send_error(c, f->seq, KM_E_STATE, "this keymeshd has not the role peer; ask one that has");
		return KM_OK;
	}
	req.kind = kinds[m.kind].kind;
	memcpy(req.name, m.name, sizeof(req.name));
	req.threshold = m.threshold;
	req.members = m.members;
	req.peer = m.peer;
	kmd_log(KM_LOG_NOTICE, "%s of key %s asked for by user %u", kinds[m.kind].what, req.name, (unsigned)kmd_client_uid(c));
	if (m.peer)
		snprintf(what, sizeof(what), "%s for peer %u", m.name, (unsigned)m.peer);
	else
		snprintf(what, sizeof(what), "%s", m.name);
	if (kmd_daemon_operator(d, kinds[m.kind].audit, kmd_client_uid(c), what)) {
		send_error(c, f->seq, KM_E_IO, "this cannot be written to the audit log, so it is not done; see the log of keymeshd");
		return KM_OK;
	}
	give_request(d, c, KMD_SIDE_PEER, f->seq, &req);
	return KM_OK;
}

static int on_clear(struct kmd_daemon *d, struct kmd_client *c, const struct km_rpc_frame *f)
{
	struct km_request req = {.kind = KM_REQUEST_CLEAR};
	struct km_rpc_clear m;
	char who[16];
	int err = km_rpc_decode_clear(f, &m);

	if (err)
		return err;
	if (!is_admin(d, kmd_client_uid(c))) {
		send_error(c, f->seq, KM_E_RIGHTS, "only users in listen.admin_users of keymesh.conf may clear peers");
		return KM_OK;
	}
	if (!d->peer) {
		send_error(c, f->seq, KM_E_STATE, "this keymeshd has not the role peer; ask one that has");
		return KM_OK;
	}
	req.peer = m.peer;
	kmd_log(KM_LOG_NOTICE, "clearing of peer %u asked for by user %u", (unsigned)m.peer, (unsigned)kmd_client_uid(c));
	snprintf(who, sizeof(who), "peer %u", (unsigned)m.peer);
	if (kmd_daemon_operator(d, KM_AUDIT_DO_CLEAR, kmd_client_uid(c), who)) {
		send_error(c, f->seq, KM_E_IO, "this cannot be written to the audit log, so it is not done; see the log of keymeshd");
		return KM_OK;
	}
	give_request(d, c, KMD_SIDE_PEER, f->seq, &req);
	return KM_OK;
}

/* What changes this peer's state: 1 when that user may, else it was answered. */
static int may_change(struct kmd_daemon *d, struct kmd_client *c, uint32_t seq, const char *what)
{
	char text[200];

	if (is_admin(d, kmd_client_uid(c)) && d->peer)
		return 1;
	if (d->peer)
		snprintf(text, sizeof(text), "only users in listen.admin_users of keymesh.conf may %s", what);
	else
		snprintf(text, sizeof(text), "this keymeshd has not the role peer; ask one that has");
	send_error(c, seq, d->peer ? KM_E_RIGHTS : KM_E_STATE, text);
	return 0;
}

static int on_reseal(struct kmd_daemon *d, struct kmd_client *c, const struct km_rpc_frame *f)
{
	int err = km_rpc_decode_reseal(f);
	struct kmd_fail why;
	unsigned slot;

	if (err)
		return err;
	if (!may_change(d, c, f->seq, "change the sealing key"))
		return KM_OK;
	if (kmd_daemon_operator(d, KM_AUDIT_DO_OTHER, kmd_client_uid(c), "change of the sealing key")) {
		send_error(c, f->seq, KM_E_IO, "this cannot be written to the audit log, so it is not done; see the log of keymeshd");
		return KM_OK;
	}
	slot = slot_take(d, c, KMD_SIDE_PEER, f->seq);
	if (slot == NO_SLOT) {
		send_error(c, f->seq, KM_E_BUSY, "too many requests at the same time");
		return KM_OK;
	}
	kmd_log(KM_LOG_NOTICE, "re-sealing asked for by user %u", (unsigned)kmd_client_uid(c));
	err = kmd_reseal_start(d, slot_token(d, slot), &why);
	if (err)
		kmd_request_done(d, slot_token(d, slot), err, why.text);
	return KM_OK;
}

/* The one place where a backup or a drill becomes known: for the logs. */
static void note_recovery(struct kmd_daemon *d, unsigned kind, uid_t uid, const char *text)
{
	kmd_log(KM_LOG_NOTICE, "%s, says user %u", text, (unsigned)uid);
	if (kmd_daemon_operator(d, kind == KMD_RECORD_DRILL ? KM_AUDIT_DO_DRILL : KM_AUDIT_DO_BACKUP, (unsigned)uid, text))
		kmd_log(KM_LOG_ERROR, "the audit log does not have it: %s", text);
}

static int on_record(struct kmd_daemon *d, struct kmd_client *c, const struct km_rpc_frame *f)
{
	const struct km_table *t;
	struct km_rpc_record m;
	struct kmd_record r;
	struct kmd_fail why = {""};
	char text[200];
	struct km_buf b;
	int err = km_rpc_decode_record(f, &m);

	if (err)
		return err;
	if (!may_change(d, c, f->seq, "hand in records of backups"))
		return KM_OK;
	err = kmd_record_decode(&r, m.data, m.len);
	if (err) {
		send_error(c, f->seq, err, "that is no record of a backup or drill");
		return KM_OK;
	}
	t = km_peer_table(d->peer, r.table);
	err = kmd_recovery_take(d->recovery, &r, t, kmd_now().wall_ms, &why);
	if (err) {
		send_error(c, f->seq, err, why.text);
		return KM_OK;
	}
	snprintf(text, sizeof(text), "%s of peer %u (%s) of key %s, epoch %llu: known and proved", kmd_record_kind(r.kind), r.peer,
		 d->config->settings.roster.peer[r.peer].name, t->name, (unsigned long long)r.number);
	note_recovery(d, r.kind, kmd_client_uid(c), text);
	km_buf_init(&b);
	if (!km_rpc_encode_done(&b, f->seq, text))
		kmd_client_send(c, &b);
	km_buf_clear(&b);
	return KM_OK;
}

static int on_status(struct kmd_daemon *d, struct kmd_client *c, const struct km_rpc_frame *f)
{
	int err = km_rpc_decode_status(f);
	struct km_buf b;
	char *json;

	if (err)
		return err;
	if (!is_admin(d, kmd_client_uid(c))) {
		send_error(c, f->seq, KM_E_RIGHTS, "only users in listen.admin_users of keymesh.conf may see the status");
		return KM_OK;
	}
	json = kmd_status_json(d);
	km_buf_init(&b);
	err = json ? km_rpc_encode_json(&b, f->seq, json, strlen(json)) : KM_E_NOMEM;
	if (!err)
		kmd_client_send(c, &b);
	else
		send_error(c, f->seq, err, NULL);
	km_buf_clear(&b);
	free(json);
	return KM_OK;
}

static int on_frame(void *ctx, struct kmd_client *c, const struct km_rpc_frame *f)
{
	struct kmd_daemon *d = ctx;

	switch (f->type) {
	case KM_RPC_KEY:
		return on_key(d, c, f);
	case KM_RPC_SIGN:
		return on_sign(d, c, f);
	case KM_RPC_STATUS:
		return on_status(d, c, f);
	case KM_RPC_KEYGEN:
		return on_keygen(d, c, f);
	case KM_RPC_CLEAR:
		return on_clear(d, c, f);
	case KM_RPC_RETIRE:
		return on_retire(d, c, f);
	case KM_RPC_RESHARE:
		return on_reshare(d, c, f);
	case KM_RPC_RESEAL:
		return on_reseal(d, c, f);
	case KM_RPC_RECORD:
		return on_record(d, c, f);
	default:
		/* WHY an answer and no cut: a newer client may try what this daemon does not know. */
		send_error(c, f->seq, KM_E_VERSION, "this keymeshd does not know that request");
		return KM_OK;
	}
}

static void on_closed(void *ctx, struct kmd_client *c)
{
	struct kmd_daemon *d = ctx;
	struct km_event ev = {.kind = KM_EVENT_CANCEL};
	unsigned i;

	for (i = 0; i < KMD_MAX_REQUESTS && *kmd_client_in_flight(c); i++) {
		struct kmd_request *r = &d->requests[i];

		if (r->client != c)
			continue;
		ev.token = slot_token(d, i);
		slot_free(d, r);
		kmd_daemon_step(d, r->side, &ev);
	}
}

const struct kmd_local_ops kmd_request_ops = {.admit = admit, .frame = on_frame, .closed = on_closed};
