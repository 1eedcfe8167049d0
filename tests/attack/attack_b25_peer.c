/* attack_b25_peer.c: a corrupt aggregator against the signers, who hold presignatures with it: it invents a request, keeps one
 * for later, spends presignature after presignature on one, asks with a presignature that is another's, and two things under one
 * presignature. Stopped by: every signer checks the frontend's authenticator, the age of the request, whose the presignature is,
 * how many one request may cost, and takes the presignature out of its pool before it computes. (Its lies to frontends:
 * attack_b25.) */
#include "node.h"
#include "base/secret.h"

#define EVIL 1
#define SIGNER 2
#define OTHER 3

/* Does the share of the signer complete a signature of the key on what the wish says? The owner adds its own. */
static int forged(struct mesh *m, const struct km_held *h, const struct wish *w, const struct km_share_msg *share)
{
	const struct km_table *t = &mesh_www(m, EVIL)->share->table;
	struct km_sign_input in = {.context = w->req.context};
	struct km_presig *own = km_secret_alloc(sizeof(*own));
	struct km_sign_nonce nonce;
	struct km_scalar s[2], sum;

	assert_non_null(own);
	*own = *h->ps;
	memcpy(in.request_id, w->id, KM_HASH_SIZE);
	assert_int_equal(km_sign_hash_bytes(t->curve, &in.m, w->req.data, w->req.len), KM_OK);
	assert_int_equal(km_sign_nonce(own, &in, &nonce), KM_OK);
	km_sign_share(own, &in, &nonce, &s[0]);
	km_secret_free(own);
	assert_int_equal(km_scalar_decode(t->curve, &s[1], share->s), KM_OK);
	assert_int_equal(km_sign_combine(t->curve, &sum, s, 2), KM_OK);
	return km_ecdsa_verify_var(t->curve, &t->x, &in.m, &nonce.r, &sum) == KM_OK;
}

static struct mesh *evil_mesh(void)
{
	struct mesh *m = mesh_ready(25, 3, 2);

	sim_corrupt(m->sim, EVIL);
	return m;
}

/* ---- it makes up a request */

static void test_invented(void **state)
{
	struct mesh *m = evil_mesh();
	struct km_held *h = mesh_presig(m, EVIL, SIGNER);
	uint8_t mac[KM_MAC_SIZE] = {1};
	struct km_share_msg share;
	struct wish w;

	wish_make(m, &w, 1, 1);
	assert_int_equal(mesh_sign(m, EVIL, SIGNER, h->id, &w, mac, &share), KM_STATUS_BAD_MAC);
	/* the authenticator for itself is no use elsewhere */
	wish_mac(m, &w, EVIL, mac);
	assert_int_equal(mesh_sign(m, EVIL, SIGNER, h->id, &w, mac, &share), KM_STATUS_BAD_MAC);
	rule_off(km_rule_authenticator);
	assert_int_equal(mesh_sign(m, EVIL, SIGNER, h->id, &w, mac, &share), KM_STATUS_OK);
	assert_true(forged(m, h, &w, &share));
	mesh_free(m, NULL);
}

/* A true authenticator does not cover other bytes. */
static void test_other_bytes(void **state)
{
	struct mesh *m = evil_mesh();
	struct km_held *h = mesh_presig(m, EVIL, SIGNER);
	uint8_t mac[KM_MAC_SIZE];
	struct wish w;

	wish_make(m, &w, 1, 2);
	wish_mac(m, &w, SIGNER, mac);
	w.content[w.req.len - 1] ^= 1;
	wish_finish(&w);
	assert_int_equal(mesh_sign(m, EVIL, SIGNER, h->id, &w, mac, NULL), KM_STATUS_BAD_MAC);
	mesh_free(m, NULL);
}

/* ---- it keeps a request for later */

static void test_replayed_later(void **state)
{
	struct mesh *m = evil_mesh();
	uint8_t mac[KM_MAC_SIZE];
	struct km_share_msg share;
	struct wish w;

	wish_make(m, &w, 1, 3);
	wish_mac(m, &w, SIGNER, mac);
	mesh_run(m, 31000);
	struct km_held *h = mesh_presig(m, EVIL, SIGNER);
	assert_int_equal(mesh_sign(m, EVIL, SIGNER, h->id, &w, mac, &share), KM_STATUS_STALE);
	rule_off(km_rule_request_fresh);
	assert_int_equal(mesh_sign(m, EVIL, SIGNER, h->id, &w, mac, &share), KM_STATUS_OK);
	assert_true(forged(m, h, &w, &share));
	mesh_free(m, NULL);
}

/* ---- one request, all presignatures */

static unsigned spend_all(struct mesh *m, const struct wish *w, const uint8_t *mac, unsigned n)
{
	unsigned ok = 0;

	for (unsigned i = 0; i < n; i++) {
		struct km_held *h = mesh_presig(m, EVIL, SIGNER);

		ok += mesh_sign(m, EVIL, SIGNER, h->id, w, mac, NULL) == KM_STATUS_OK;
		/* its own half is worth nothing any more: its pool is refilled by ordinary runs */
		km_pool_burn(sim_peer(m->sim, EVIL), h);
		mesh_run(m, 2500);
	}
	return ok;
}

static void test_spends(void **state)
{
	struct mesh *m = evil_mesh();
	uint8_t mac[KM_MAC_SIZE];
	struct wish w;

	wish_make(m, &w, 1, 4);
	wish_mac(m, &w, SIGNER, mac);
	assert_int_equal(spend_all(m, &w, mac, KM_SPENDS_PER_REQUEST + 2), KM_SPENDS_PER_REQUEST);
	rule_off(km_rule_spends);
	assert_int_equal(spend_all(m, &w, mac, 1), 1);
	mesh_free(m, NULL);
}

/* ---- a presignature of somebody else's */

static void test_not_the_owner(void **state)
{
	struct mesh *m = mesh_ready(25, 3, 2);
	struct km_held *h = mesh_presig(m, EVIL, SIGNER);
	uint8_t mac[KM_MAC_SIZE], none[KM_HASH_SIZE] = {9};
	struct wish w;

	sim_corrupt(m->sim, OTHER);
	wish_make(m, &w, 1, 5);
	wish_mac(m, &w, SIGNER, mac);
	assert_int_equal(mesh_sign(m, OTHER, SIGNER, none, &w, mac, NULL), KM_STATUS_UNKNOWN_PRESIG);
	assert_int_equal(mesh_sign(m, OTHER, SIGNER, h->id, &w, mac, NULL), KM_STATUS_UNKNOWN_PRESIG);
	/* what is not a member's own is not even there */
	h = mesh_presig(m, SIGNER, EVIL);
	assert_int_equal(mesh_sign(m, EVIL, OTHER, h->id, &w, mac, NULL), KM_STATUS_BAD_MAC);
	wish_mac(m, &w, OTHER, mac);
	assert_int_equal(mesh_sign(m, EVIL, OTHER, h->id, &w, mac, NULL), KM_STATUS_UNKNOWN_PRESIG);
	rule_off(km_rule_presig_owner);
	wish_mac(m, &w, SIGNER, mac);
	h = mesh_presig(m, EVIL, SIGNER);
	assert_int_equal(mesh_sign(m, OTHER, SIGNER, h->id, &w, mac, NULL), KM_STATUS_OK);
	mesh_free(m, NULL);
}

/* ---- two requests under one presignature */

static int ask_twice(struct mesh *m, struct km_held *h)
{
	uint8_t mac[KM_MAC_SIZE];
	struct wish w;

	wish_make(m, &w, 1, 6);
	wish_mac(m, &w, SIGNER, mac);
	assert_int_equal(mesh_sign(m, EVIL, SIGNER, h->id, &w, mac, NULL), KM_STATUS_OK);
	wish_make(m, &w, 1, 7);
	wish_mac(m, &w, SIGNER, mac);
	return mesh_sign(m, EVIL, SIGNER, h->id, &w, mac, NULL);
}

static void test_two_requests(void **state)
{
	struct mesh *m = evil_mesh();
	struct km_held *h = mesh_presig(m, EVIL, SIGNER);
	struct km_share_msg first, again;
	uint8_t mac[KM_MAC_SIZE];
	struct wish w;

	assert_int_equal(ask_twice(m, h), KM_STATUS_UNKNOWN_PRESIG);
	/* the first one again is answered by the record, byte for byte */
	wish_make(m, &w, 1, 6);
	w.req.time_ms = mesh_wall_ms(m, 1);
	wish_finish(&w);
	km_pool_burn(sim_peer(m->sim, EVIL), h);
	h = mesh_presig(m, EVIL, SIGNER);
	wish_mac(m, &w, SIGNER, mac);
	assert_int_equal(mesh_sign(m, EVIL, SIGNER, h->id, &w, mac, &first), KM_STATUS_OK);
	assert_int_equal(mesh_sign(m, EVIL, SIGNER, h->id, &w, mac, &again), KM_STATUS_OK);
	assert_memory_equal(&first, &again, sizeof(first));
	mesh_free(m, NULL);
}

static void test_two_requests_without_rule(void **state)
{
	struct mesh *m = evil_mesh();

	rule_off(km_rule_burn_first);
	assert_int_equal(ask_twice(m, mesh_presig(m, EVIL, SIGNER)), KM_STATUS_OK);
	mesh_free(m, "invariant 1: peer 2 released two shares under one presignature");
}

KM_TESTS(cmocka_unit_test(test_invented), cmocka_unit_test(test_other_bytes), cmocka_unit_test(test_replayed_later),
	 cmocka_unit_test(test_spends), cmocka_unit_test(test_not_the_owner), cmocka_unit_test(test_two_requests),
	 cmocka_unit_test(test_two_requests_without_rule))
