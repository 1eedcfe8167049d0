/* mesh.c: peers in one process, driven in the simplest way. */
#define _GNU_SOURCE
#include "mesh.h"
#include "evid_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/hash.h"
#include "base/secret.h"
#include "base/sig.h"

static void derive(uint64_t seed, const char *what, unsigned id, unsigned more, uint8_t out[32])
{
	struct km_hash h;

	km_hash_init(&h, "test/mesh");
	km_hash_u64(&h, seed);
	km_hash_str(&h, what);
	km_hash_u32(&h, id);
	km_hash_u32(&h, more);
	km_hash_final(&h, out);
}

void mesh_init(struct mesh *m, unsigned n, unsigned threshold, uint64_t seed)
{
	struct km_roster roster;

	memset(m, 0, sizeof(*m));
	memset(&roster, 0, sizeof(roster));
	m->n = n;
	m->seed = seed;
	m->tail = &m->head;
	m->now = (struct km_time){1000000, 1700000000000u};
	km_effects_init(&m->fx);
	derive(seed, "frontend", 0, 0, m->frontend_priv);
	km_x25519_public(m->frontend_priv, m->frontend_pub);
	for (unsigned i = 1; i <= n; i++) {
		struct mesh_node *nd = &m->node[i];
		struct km_roster_peer *p = &roster.peer[i];

		derive(seed, "identity", i, 0, nd->s.identity.priv);
		km_ed25519_public(nd->s.identity.priv, nd->s.identity.pub);
		derive(seed, "channel", i, 0, nd->s.channel_priv);
		p->id = (uint8_t)i;
		snprintf(p->name, sizeof(p->name), "p%u", i);
		memcpy(p->identity, nd->s.identity.pub, KM_IDKEY_SIZE);
		km_x25519_public(nd->s.channel_priv, p->channel);
	}
	KM_ASSERT(km_roster_finish(&roster) == KM_OK);
	for (unsigned i = 1; i <= n; i++) {
		struct mesh_node *nd = &m->node[i];

		km_settings_defaults(&nd->s);
		nd->s.self_peer = (uint8_t)i;
		nd->s.roster = roster;
		nd->frontend.id = MESH_FRONTEND;
		memcpy(nd->frontend.channel, m->frontend_pub, KM_CHANKEY_SIZE);
		nd->s.frontends = &nd->frontend;
		nd->s.n_frontends = 1;
		snprintf(nd->key[0].name, sizeof(nd->key[0].name), "www");
		nd->key[0].curve = KM_CURVE_P256;
		nd->key[0].threshold = (uint8_t)threshold;
		nd->key[0].contexts = km_context_bit(KM_CTX_TLS13_SERVER);
		km_policy_allow_frontend(&nd->key[0], MESH_FRONTEND);
		nd->s.keys = nd->key;
		nd->s.n_keys = 1;
	}
}

static void packets_clear(struct mesh *m)
{
	for (struct mesh_packet *k; (k = m->head);) {
		m->head = k->next;
		free(k->data);
		free(k);
	}
	m->tail = &m->head;
}

void mesh_free(struct mesh *m)
{
	packets_clear(m);
	for (unsigned i = 1; i <= m->n; i++) {
		km_peer_free(m->node[i].peer);
		for (unsigned k = 0; k < m->node[i].n_files; k++)
			free(m->node[i].file[k].data);
		free(m->node[i].stored);
	}
	km_effects_clear(&m->fx);
	km_pong_clear(&m->pong);
	free(m->table);
}

void mesh_send(struct mesh *m, struct km_addr from, struct km_addr to, const void *data, size_t len)
{
	struct mesh_packet *k = calloc(1, sizeof(*k));

	KM_ASSERT(k);
	k->from = from;
	k->to = to;
	k->data = malloc(len ? len : 1);
	KM_ASSERT(k->data);
	memcpy(k->data, data, len);
	k->len = len;
	if (m->tap && !m->tap(m, k)) {
		free(k->data);
		free(k);
		return;
	}
	*m->tail = k;
	m->tail = &k->next;
}

static void persist(struct mesh_node *nd, const struct km_effect *e)
{
	struct mesh_file *f = NULL;

	for (unsigned i = 0; i < nd->n_files; i++)
		if (strcmp(nd->file[i].name, e->name) == 0)
			f = &nd->file[i];
	if (!f) {
		KM_ASSERT(nd->n_files < 16);
		f = &nd->file[nd->n_files++];
		snprintf(f->name, sizeof(f->name), "%s", e->name);
	}
	free(f->data);
	f->data = NULL;
	f->len = 0;
	if (e->data) {
		f->data = malloc(e->len);
		KM_ASSERT(f->data);
		memcpy(f->data, e->data, e->len);
		f->len = e->len;
	}
}

void mesh_crash_after(struct mesh *m, unsigned id, unsigned effects)
{
	m->crash_id = id;
	m->crash_after = effects;
}

/* 1: the peer is dead, and what it was about to do with it. Jobs that are out are brought back, or nobody could free them. */
static int crash(struct mesh *m, unsigned id)
{
	struct km_effect *e;

	if (m->crash_id != id || m->crash_after--)
		return 0;
	m->crash_id = 0;
	while ((e = km_effects_pop(&m->fx))) {
		if (e->kind == KM_EFFECT_WORK) {
			struct km_event ev = {.now = m->now, .kind = KM_EVENT_WORKED, .job = e->job, .token = e->token};

			e->job->run(e->job);
			KM_ASSERT(km_peer_step(m->node[id].peer, &ev, &m->fx) == KM_OK);
		}
		km_effects_recycle(&m->fx, e);
	}
	mesh_kill(m, id);
	return 1;
}

/* Whoever convicts keeps what convinces a stranger. */
static void judge_file(const struct km_effect *e)
{
	const char *why;

	/* without memory there is none */
	if (strncmp(e->text, "conviction", 10) != 0 || !e->data)
		return;
	if (evid_file_culprit(e->data, e->len, &why) != e->to.id)
		printf("# %s: %s\n", e->text, why);
	KM_ASSERT(evid_file_culprit(e->data, e->len, &why) == e->to.id);
}

/* ---- the audit log */

#define MAX_LOG 4096

static void append(struct mesh_node *nd, const struct km_effect *e)
{
	uint8_t mem[KM_AUDIT_ENTRY_MAX], leaf[KM_HASH_SIZE];
	struct km_audit_entry entry;
	struct km_buf b;

	/* without memory it is empty */
	if (!e->len)
		return;
	if (!nd->stored)
		nd->stored = calloc(2 * MAX_LOG, KM_HASH_SIZE);
	if (nd->tree.size >= MAX_LOG || !nd->stored)
		return;
	km_buf_init_fixed(&b, mem, sizeof(mem));
	KM_ASSERT(km_audit_entry_make(&b, nd->chain.seq, nd->chain.prev, e->data, e->len) == KM_OK);
	KM_ASSERT(km_audit_decode(&entry, b.data, b.len) == KM_OK);
	KM_ASSERT(km_audit_chain_next(&nd->chain, b.data, b.len, leaf) == KM_OK);
	(void)km_tree_add(&nd->tree, leaf, nd->stored + km_tree_stored_total(nd->tree.size));
}

static int look(void *ctx, unsigned level, uint64_t index, uint8_t out[KM_HASH_SIZE])
{
	const struct mesh_node *nd = ctx;

	memcpy(out, nd->stored[km_tree_stored(level, index)], KM_HASH_SIZE);
	return KM_OK;
}

static void prove(struct mesh *m, unsigned id, const struct km_effect *e)
{
	struct km_event ev = {.now = m->now, .kind = KM_EVENT_PROOF, .from = e->to, .token = e->prove.old};
	struct km_tree_proof p;

	ev.err = km_tree_prove_consistent(&p, look, &m->node[id], e->prove.old, e->prove.size);
	ev.data = p.node[0];
	ev.len = p.n * KM_HASH_SIZE;
	KM_ASSERT(km_peer_step(m->node[id].peer, &ev, &m->fx) == KM_OK);
}

void mesh_checkpoint(struct mesh *m, unsigned id)
{
	uint8_t data[8 + KM_HASH_SIZE];
	struct km_event ev = {.kind = KM_EVENT_CHECKPOINT, .data = data, .len = sizeof(data)};
	struct km_buf b;

	km_buf_init_fixed(&b, data, 8);
	km_put_u64(&b, m->node[id].tree.size);
	km_tree_root(&m->node[id].tree, data + 8);
	KM_ASSERT(mesh_step(m, id, &ev) == KM_OK);
}

static void carry_out(struct mesh *m, unsigned id)
{
	struct mesh_node *nd = &m->node[id];
	struct km_effect *e;

	while (m->fx.head && !crash(m, id) && (e = km_effects_pop(&m->fx))) {
		struct km_event ev = {.now = m->now};

		switch (e->kind) {
		case KM_EFFECT_SEND:
			mesh_send(m, (struct km_addr){KM_ADDR_PEER, (uint16_t)id}, e->to, e->data, e->len);
			break;
		case KM_EFFECT_PERSIST:
			if (!nd->disk_err)
				persist(nd, e);
			ev.err = nd->disk_err;
			ev.kind = KM_EVENT_PERSISTED;
			ev.token = e->token;
			if (m->seen)
				m->seen(m, id, &ev);
			KM_ASSERT(km_peer_step(nd->peer, &ev, &m->fx) == KM_OK);
			break;
		case KM_EFFECT_WORK:
			e->job->run(e->job);
			ev.kind = KM_EVENT_WORKED;
			ev.job = e->job;
			ev.token = e->token;
			KM_ASSERT(km_peer_step(nd->peer, &ev, &m->fx) == KM_OK);
			break;
		case KM_EFFECT_RESULT:
			m->result = 1;
			m->result_err = e->err;
			memcpy(m->result_text, e->text, sizeof(m->result_text));
			break;
		case KM_EFFECT_PROGRESS:
			memcpy(m->progress, e->text, sizeof(m->progress));
			break;
		case KM_EFFECT_AUDIT:
			nd->audits++;
			append(nd, e);
			break;
		case KM_EFFECT_CHECKPOINT:
			KM_ASSERT(e->len <= sizeof(nd->note));
			memcpy(nd->note, e->data, e->len);
			nd->note_len = e->len;
			break;
		case KM_EFFECT_PROVE:
			prove(m, id, e);
			break;
		case KM_EFFECT_EVIDENCE:
			nd->evidence++;
			judge_file(e);
			break;
		case KM_EFFECT_LOG:
			if (e->level <= KM_LOG_ERROR) {
				nd->errors++;
				memcpy(nd->last_error, e->text, sizeof(nd->last_error));
			}
			break;
		}
		if (m->verbose && e->text[0])
			printf("# %9.3f peer %u: %s\n", (double)m->now.mono_us / 1e6, id, e->text);
		km_effects_recycle(&m->fx, e);
	}
}

void mesh_seed(const struct mesh *m, unsigned id, unsigned start, uint8_t seed[KM_SEED_SIZE])
{
	derive(m->seed, "start", id, start, seed);
}

int mesh_step(struct mesh *m, unsigned id, struct km_event *ev)
{
	ev->now = m->now;
	if (m->seen)
		m->seen(m, id, ev);
	int err = km_peer_step(m->node[id].peer, ev, &m->fx);
	carry_out(m, id);
	return err;
}

void mesh_start(struct mesh *m, unsigned id)
{
	struct mesh_node *nd = &m->node[id];
	struct km_event ev = {.kind = KM_EVENT_START};
	uint8_t seed[KM_SEED_SIZE];

	mesh_seed(m, id, nd->starts++, seed);
	KM_ASSERT(km_peer_new(&nd->peer, &nd->s, seed) == KM_OK);
	for (unsigned i = 0; i < nd->n_files; i++)
		if (nd->file[i].data)
			KM_ASSERT(km_peer_load(nd->peer, nd->file[i].name, nd->file[i].data, nd->file[i].len) == KM_OK);
	KM_ASSERT(mesh_step(m, id, &ev) == KM_OK);
	for (unsigned i = 1; i <= m->n; i++) {
		struct km_event up = {.kind = KM_EVENT_UP, .from = {KM_ADDR_PEER, (uint16_t)id}};

		if (i != id && m->node[i].peer)
			KM_ASSERT(mesh_step(m, i, &up) == KM_OK);
	}
}

void mesh_kill(struct mesh *m, unsigned id)
{
	km_peer_free(m->node[id].peer);
	m->node[id].peer = NULL;
	for (unsigned i = 1; i <= m->n; i++) {
		struct km_event down = {.kind = KM_EVENT_DOWN, .from = {KM_ADDR_PEER, (uint16_t)id}};

		if (m->node[i].peer)
			KM_ASSERT(mesh_step(m, i, &down) == KM_OK);
	}
}

static void to_frontend(struct mesh *m, const struct mesh_packet *k)
{
	if (k->data[0] == KM_FRAME_REPLY) {
		struct km_reply r;

		KM_ASSERT(km_reply_decode(&r, k->data, k->len) == KM_OK);
		if (r.status == KM_STATUS_AGAIN) {
			/* no answer: it says that now it is worth asking */
			m->again = r;
			m->agains++;
			return;
		}
		m->reply = r;
		m->replies++;
	} else if (k->data[0] == KM_FRAME_PONG) {
		km_pong_clear(&m->pong);
		KM_ASSERT(km_pong_decode(&m->pong, k->data, k->len) == KM_OK);
		m->pongs++;
	} else if (k->data[0] == KM_FRAME_TABLE) {
		free(m->table);
		m->table = malloc(k->len - 1);
		KM_ASSERT(m->table);
		memcpy(m->table, k->data + 1, k->len - 1);
		m->table_len = k->len - 1;
	}
}

static void owed_ticks(struct mesh *m)
{
	for (unsigned i = 1; i <= m->n; i++) {
		struct km_event ev = {.kind = KM_EVENT_TICK};

		while (m->node[i].peer && km_peer_deadline(m->node[i].peer) <= m->now.mono_us)
			KM_ASSERT(mesh_step(m, i, &ev) == KM_OK);
	}
}

void mesh_settle(struct mesh *m)
{
	struct mesh_packet *k;

	owed_ticks(m);
	while ((k = m->head)) {
		m->head = k->next;
		if (!m->head)
			m->tail = &m->head;
		if (k->to.kind == KM_ADDR_FRONTEND) {
			to_frontend(m, k);
		} else if (k->to.id <= m->n && m->node[k->to.id].peer) {
			struct km_event ev = {.kind = KM_EVENT_MESSAGE, .from = k->from, .data = k->data, .len = k->len};

			KM_ASSERT(mesh_step(m, k->to.id, &ev) == KM_OK);
		}
		free(k->data);
		free(k);
		if (!m->head)
			owed_ticks(m);
	}
}

void mesh_run(struct mesh *m, uint64_t us)
{
	uint64_t end = m->now.mono_us + us;

	for (;;) {
		uint64_t next = end;

		mesh_settle(m);
		for (unsigned i = 1; i <= m->n; i++)
			if (m->node[i].peer && km_peer_deadline(m->node[i].peer) < next)
				next = km_peer_deadline(m->node[i].peer);
		if (next > m->now.mono_us) {
			m->now.wall_ms += next / 1000 - m->now.mono_us / 1000;
			m->now.mono_us = next;
		}
		if (next >= end)
			break;
	}
}

int mesh_keygen(struct mesh *m, unsigned id, uint64_t max_us)
{
	struct km_request rq = {.kind = KM_REQUEST_KEYGEN, .name = "www", .curve = m->node[id].key[0].curve};

	rq.threshold = m->node[id].key[0].threshold;
	return mesh_operate(m, id, &rq, max_us);
}

int mesh_operate(struct mesh *m, unsigned id, const struct km_request *rq, uint64_t max_us)
{
	struct km_event ev = {.kind = KM_EVENT_REQUEST, .token = 99, .request = rq};

	m->result = 0;
	KM_ASSERT(mesh_step(m, id, &ev) == KM_OK);
	for (uint64_t t = 0; t < max_us && !m->result; t += 100000)
		mesh_run(m, 100000);
	return m->result ? m->result_err : KM_E_DEADLINE;
}

size_t mesh_bytes(unsigned salt, uint8_t out[130])
{
	static const char text[] = "TLS 1.3, server CertificateVerify";

	memset(out, 0x20, 64);
	memcpy(out + 64, text, sizeof(text));
	derive(salt, "transcript", salt, 0, out + 64 + sizeof(text));
	return 64 + sizeof(text) + 32;
}

void mesh_request(struct mesh *m, unsigned aggregator, const uint8_t key_id[KM_HASH_SIZE], unsigned salt, uint32_t with_mac)
{
	struct km_req req = {
	    .version = KM_REQ_VERSION, .frontend = MESH_FRONTEND, .context = KM_CTX_TLS13_SERVER, .time_ms = m->now.wall_ms};
	struct km_req_macs macs = {0};
	uint8_t bytes[130], id[KM_HASH_SIZE], key[32];
	struct km_buf b;

	memcpy(req.key_id, key_id, KM_HASH_SIZE);
	memcpy(req.random, &salt, sizeof(salt));
	req.len = (uint32_t)mesh_bytes(salt, bytes);
	req.data = bytes;
	km_req_id(&req, id);
	for (unsigned i = 1; i <= m->n; i++) {
		KM_ASSERT(km_auth_key(m->frontend_priv, m->node[1].s.roster.peer[i].channel, MESH_FRONTEND, (uint8_t)i, key) ==
			  KM_OK);
		km_auth_mac(key, id, (uint8_t)i, macs.mac[i]);
		if (!(with_mac >> (i - 1) & 1))
			macs.mac[i][0] ^= 1;
		macs.peers |= km_set_bit(i);
	}
	km_buf_init(&b);
	km_req_encode(&b, &req, &macs);
	KM_ASSERT(!b.err);
	mesh_send(m, (struct km_addr){KM_ADDR_FRONTEND, MESH_FRONTEND}, (struct km_addr){KM_ADDR_PEER, (uint16_t)aggregator},
		  b.data, b.len);
	km_buf_clear(&b);
}

int mesh_verify(const struct mesh *m, unsigned salt, const struct km_curve *c, const struct km_point *x)
{
	struct km_scalar r, s, h;
	uint8_t bytes[130];
	size_t n = mesh_bytes(salt, bytes);

	return m->reply.status == KM_STATUS_OK && km_sign_hash_bytes(c, &h, bytes, n) == KM_OK &&
	       km_scalar_decode(c, &r, m->reply.r) == KM_OK && km_scalar_decode(c, &s, m->reply.s) == KM_OK &&
	       km_ecdsa_verify_var(c, x, &h, &r, &s) == KM_OK;
}
