/* attack_b5.c: two requests under one presignature. A corrupt owner has two handshakes of an authorised frontend signed, and
 * sends both to the signer with the same presignature. With two shares the signer's alpha and beta fall out, and with those of
 * all members the key. Stopped by: the presignature leaves the pool before anything is computed with it; a restart forgets it. */
#include <stdlib.h>
#include "attack.h"
#include "../lib/mesh.h"
#include "node/peer_impl.h"

#define OWNER 1
#define SIGNER 2

static struct mesh mesh;
static struct km_share_msg got;

static int tap(struct mesh *m, struct mesh_packet *k)
{
	if (k->data[0] == KM_FRAME_SHARE && k->from.id == SIGNER)
		assert_int_equal(km_share_msg_decode(&got, k->data, k->len), KM_OK);
	return 1;
}

static void setup(void)
{
	mesh_init(&mesh, 3, 2, 5);
	for (unsigned i = 1; i <= 3; i++) {
		mesh.node[i].s.pool_target = 4;
		mesh.node[i].s.pool_low = 2;
		mesh_start(&mesh, i);
	}
	mesh_run(&mesh, 100000);
	assert_int_equal(mesh_keygen(&mesh, 3, 30000000), KM_OK);
	mesh_run(&mesh, 3000000);
	mesh.tap = tap;
}

/* A presignature that the owner shares with the signer, as the owner has it. */
static struct km_held *victim(void)
{
	for (struct km_lot *lot = mesh.node[OWNER].peer->lots; lot; lot = lot->next)
		for (struct km_held *h = lot->helds; h; h = h->lot_next)
			if (h->ready && h->ps->quorum == (km_set_bit(OWNER) | km_set_bit(SIGNER)))
				return h;
	fail();
	return NULL;
}

/* A genuine request of the frontend, in the owner's hands; in: what a signer computes on. */
static unsigned ask(const struct km_presig *ps, unsigned salt, struct km_sign_input *in)
{
	struct km_sign m = {.req = {.version = KM_REQ_VERSION, .frontend = MESH_FRONTEND, .context = KM_CTX_TLS13_SERVER}};
	uint8_t bytes[130], key[32];
	struct km_buf b;

	memcpy(m.presig_id, ps->id, KM_HASH_SIZE);
	memcpy(m.incarnation, mesh.node[OWNER].peer->link[SIGNER].incarnation, KM_NONCE_SIZE);
	memcpy(m.req.key_id, mesh.node[OWNER].peer->keys->share->table.key_id, KM_HASH_SIZE);
	m.req.time_ms = mesh.now.wall_ms;
	m.req.random[0] = (uint8_t)salt;
	m.req.len = (uint32_t)mesh_bytes(salt, bytes);
	m.req.data = bytes;
	in->context = m.req.context;
	km_req_id(&m.req, in->request_id);
	assert_int_equal(km_sign_hash_bytes(ps->curve, &in->m, bytes, m.req.len), KM_OK);
	assert_int_equal(km_auth_key(mesh.frontend_priv, mesh.node[1].s.roster.peer[SIGNER].channel, MESH_FRONTEND, SIGNER, key),
			 KM_OK);
	km_auth_mac(key, in->request_id, SIGNER, m.mac);
	km_buf_init(&b);
	km_sign_encode(&b, &m);
	struct km_event ev = {.kind = KM_EVENT_MESSAGE, .from = {KM_ADDR_PEER, OWNER}, .data = b.data, .len = b.len};
	memset(&got, 0, sizeof(got));
	assert_int_equal(mesh_step(&mesh, SIGNER, &ev), KM_OK);
	km_buf_clear(&b);
	return got.status;
}

/* delta s = alpha m + r beta, twice: alpha = (y1 r2 - y2 r1) / (m1 r2 - m2 r1). */
static void solve(const struct km_presig *ps, const struct km_sign_input in[2], const uint8_t s[2][KM_SCALAR_MAX],
		  struct km_scalar *alpha)
{
	const struct km_curve *c = ps->curve;
	struct km_scalar y[2], up, down, t;
	struct km_sign_nonce n[2];

	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(km_sign_nonce(ps, &in[i], &n[i]), KM_OK);
		assert_int_equal(km_scalar_decode(c, &t, s[i]), KM_OK);
		km_scalar_mul(c, &y[i], &t, &n[i].delta);
	}
	km_scalar_mul(c, &up, &y[0], &n[1].r);
	km_scalar_mul(c, &t, &y[1], &n[0].r);
	km_scalar_sub(c, &up, &up, &t);
	km_scalar_mul(c, &down, &in[0].m, &n[1].r);
	km_scalar_mul(c, &t, &in[1].m, &n[0].r);
	km_scalar_sub(c, &down, &down, &t);
	km_scalar_inv(c, &down, &down);
	km_scalar_mul(c, alpha, &up, &down);
}

static struct km_presig *of_signer(const struct km_presig *ps)
{
	struct km_held *h = km_idmap_find(&mesh.node[SIGNER].peer->presigs, ps->id);

	assert_non_null(h);
	return h->ps;
}

static void test_one_share_only(void **state)
{
	struct km_sign_input in;

	rules_all();
	setup();
	const struct km_presig *ps = victim()->ps;
	assert_int_equal(ask(ps, 1, &in), KM_STATUS_OK);
	assert_null(km_idmap_find(&mesh.node[SIGNER].peer->presigs, ps->id));
	assert_int_equal(ask(ps, 2, &in), KM_STATUS_UNKNOWN_PRESIG);
	assert_int_equal(got.n, 0);
	/* also not after a restart of the signer, which remembers neither presignature nor record */
	mesh_kill(&mesh, SIGNER);
	mesh_start(&mesh, SIGNER);
	assert_int_equal(ask(ps, 2, &in), KM_STATUS_UNKNOWN_PRESIG);
	assert_int_equal(ask(ps, 1, &in), KM_STATUS_UNKNOWN_PRESIG);
	mesh_free(&mesh);
}

static void test_two_shares_are_the_secret(void **state)
{
	struct km_sign_input in[2];
	struct km_scalar alpha, true_alpha;
	uint8_t s[2][KM_SCALAR_MAX];

	rules_all();
	setup();
	rule_off(km_rule_burn_first);
	const struct km_presig *ps = victim()->ps;
	km_secret_declassify(&true_alpha, &of_signer(ps)->alpha);
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(ask(ps, 1 + i, &in[i]), KM_STATUS_OK);
		memcpy(s[i], got.s, sizeof(s[i]));
	}
	solve(ps, in, (const uint8_t(*)[KM_SCALAR_MAX])s, &alpha);
	assert_true(km_scalar_equal(&alpha, &true_alpha));
	rules_all();
	mesh_free(&mesh);
}

KM_TESTS(cmocka_unit_test(test_one_share_only), cmocka_unit_test(test_two_shares_are_the_secret))
