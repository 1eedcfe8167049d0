/* node.c: attacks on whole nodes: the mesh and the attacker's pen. */
#include "node.h"

#include <stdlib.h>

static int dull(const uint8_t *d, size_t len)
{
	return !len || d[0] == KM_FRAME_HEALTH || d[0] == KM_FRAME_PING || d[0] == KM_FRAME_PONG;
}

static int record(void *ctx, struct sim *s, struct km_addr from, struct km_addr to, uint8_t **data, size_t *len)
{
	struct mesh *m = ctx;

	if (!dull(*data, *len) && m->n < NODE_PACKETS) {
		struct node_packet *p = &m->packet[m->n++];

		*p = (struct node_packet){from, to, malloc(*len), *len, sim_now_us(s)};
		assert_non_null(p->data);
		memcpy(p->data, *data, *len);
	}
	return m->tap ? m->tap(m, from, to, data, len) : 1;
}

struct mesh *mesh_new(uint64_t seed, unsigned n, unsigned t)
{
	struct sim_options o = {
	    .seed = seed, .n = n, .threshold = t, .frontends = 2, .batch = 16, .pool_target = 6, .pool_low = 4};
	struct mesh *m = calloc(1, sizeof(*m));

	assert_non_null(m);
	o.faults.delay_min_us = 50;
	o.faults.delay_max_us = 200;
	o.faults.job_min_us = 100;
	o.faults.job_max_us = 500;
	o.faults.persist_max_us = 1000;
	m->sim = sim_new(&o);
	sim_filter(m->sim, record, m);
	return m;
}

void mesh_key(struct mesh *m)
{
	sim_start(m->sim);
	if (!sim_setup_key(m->sim, "www", 3))
		fail_msg("no key: %s", sim_broken(m->sim) ? sim_broken(m->sim) : "the mesh never got ready");
	mesh_run(m, 5000);
}

struct mesh *mesh_ready(uint64_t seed, unsigned n, unsigned t)
{
	struct mesh *m = mesh_new(seed, n, t);

	rules_all();
	mesh_key(m);
	mesh_forget(m);
	return m;
}

void mesh_forget(struct mesh *m)
{
	for (size_t i = 0; i < m->n; i++)
		free(m->packet[i].data);
	m->n = 0;
}

void mesh_free(struct mesh *m, const char *broken)
{
	const char *is = sim_broken(m->sim);

	if (!broken && is)
		fail_msg("%s", is);
	if (broken && (!is || strncmp(is, broken, strlen(broken)) != 0))
		fail_msg("expected '%s', got '%s'", broken, is ? is : "no broken invariant");
	mesh_forget(m);
	sim_free(m->sim);
	free(m);
	rules_all();
}

void mesh_run(struct mesh *m, unsigned ms)
{
	sim_run(m->sim, 1000ull * ms, NULL, NULL);
}

const struct node_packet *mesh_find(const struct mesh *m, uint8_t kind, unsigned from_peer, unsigned to_peer, size_t *at)
{
	for (; *at < m->n; ++*at) {
		const struct node_packet *p = &m->packet[*at];

		if (p->data[0] != kind || (from_peer && (p->from.kind != KM_ADDR_PEER || p->from.id != from_peer)) ||
		    (to_peer && (p->to.kind != KM_ADDR_PEER || p->to.id != to_peer)))
			continue;
		++*at;
		return p;
	}
	return NULL;
}

unsigned mesh_count(const struct mesh *m, uint8_t kind, unsigned from_peer, unsigned to_peer)
{
	unsigned n = 0;

	for (size_t at = 0; mesh_find(m, kind, from_peer, to_peer, &at);)
		n++;
	return n;
}

/* ---- insides */

struct km_key *mesh_www(struct mesh *m, unsigned id)
{
	struct km_key *k = km_key_by_name(sim_peer(m->sim, id), "www");

	assert_non_null(k);
	return k;
}

struct km_held *mesh_presig(struct mesh *m, unsigned owner, unsigned with)
{
	struct km_key *k = mesh_www(m, owner);

	for (unsigned i = 0; i < k->n_pools; i++)
		if (k->pool[i].head && (!with || km_set_has(k->pool[i].quorum, with)))
			return k->pool[i].head;
	fail_msg("peer %u has no presignature ready", owner);
	return NULL;
}

uint64_t mesh_wall_ms(struct mesh *m, unsigned id)
{
	return sim_peer(m->sim, id)->now.wall_ms;
}

/* ---- requests */

void wish_finish(struct wish *w)
{
	km_req_id(&w->req, w->id);
}

void wish_make(struct mesh *m, struct wish *w, unsigned frontend_id, uint64_t nonce)
{
	memset(w, 0, sizeof(*w));
	w->req = (struct km_req){.version = KM_REQ_VERSION,
				 .frontend = (uint16_t)frontend_id,
				 .context = KM_CTX_TLS13_SERVER,
				 .time_ms = mesh_wall_ms(m, 1),
				 .data = w->content};
	w->req.len = (uint32_t)sim_content(w->content, nonce);
	memcpy(w->req.key_id, mesh_www(m, 1)->share->table.key_id, KM_HASH_SIZE);
	memcpy(w->req.random, w->content + w->req.len - KM_NONCE_SIZE, KM_NONCE_SIZE);
	wish_finish(w);
}

void wish_mac(struct mesh *m, const struct wish *w, unsigned signer, uint8_t mac[KM_MAC_SIZE])
{
	const struct km_settings *fs = sim_frontend_settings(m->sim, w->req.frontend);
	uint8_t key[32];

	assert_int_equal(km_auth_key(fs->channel_priv, fs->roster.peer[signer].channel, w->req.frontend, (uint8_t)signer, key),
			 KM_OK);
	km_auth_mac(key, w->id, (uint8_t)signer, mac);
}

int mesh_sign(struct mesh *m, unsigned owner, unsigned signer, const uint8_t presig_id[KM_HASH_SIZE], const struct wish *w,
	      const uint8_t mac[KM_MAC_SIZE], struct km_share_msg *share)
{
	struct km_sign sg = {.req = w->req};
	struct km_share_msg got;
	struct km_buf b;
	size_t at = m->n;

	memcpy(sg.presig_id, presig_id, KM_HASH_SIZE);
	memcpy(sg.incarnation, sim_peer(m->sim, signer)->incarnation, KM_NONCE_SIZE);
	memcpy(sg.mac, mac, KM_MAC_SIZE);
	km_buf_init(&b);
	km_sign_encode(&b, &sg);
	assert_int_equal(b.err, KM_OK);
	sim_inject(m->sim, peer(signer), peer(owner), b.data, b.len);
	km_buf_clear(&b);
	mesh_run(m, 5);
	for (const struct node_packet *p; (p = mesh_find(m, KM_FRAME_SHARE, signer, 0, &at));) {
		assert_int_equal(km_share_msg_decode(&got, p->data, p->len), KM_OK);
		if (memcmp(got.presig_id, presig_id, KM_HASH_SIZE) != 0 || memcmp(got.request_id, w->id, KM_HASH_SIZE) != 0)
			continue;
		if (share)
			*share = got;
		return got.status;
	}
	return -1;
}

int mesh_req(struct mesh *m, unsigned frontend_id, unsigned aggregator, const struct wish *w, struct km_reply *reply)
{
	struct km_req_macs macs = {.peers = sim_frontend_settings(m->sim, frontend_id)->roster.members};
	struct km_reply got;
	struct km_buf b;
	size_t at = m->n;

	for (unsigned i = km_set_next(macs.peers, 0); i; i = km_set_next(macs.peers, i))
		wish_mac(m, w, i, macs.mac[i]);
	km_buf_init(&b);
	km_req_encode(&b, &w->req, &macs);
	assert_int_equal(b.err, KM_OK);
	sim_inject(m->sim, peer(aggregator), frontend(frontend_id), b.data, b.len);
	km_buf_clear(&b);
	mesh_run(m, 50);
	for (const struct node_packet *p; (p = mesh_find(m, KM_FRAME_REPLY, aggregator, 0, &at));) {
		assert_int_equal(km_reply_decode(&got, p->data, p->len), KM_OK);
		if (memcmp(got.request_id, w->id, KM_HASH_SIZE) != 0)
			continue;
		if (reply)
			*reply = got;
		return got.status;
	}
	return -1;
}
