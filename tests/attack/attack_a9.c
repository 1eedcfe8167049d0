/* attack_a9.c: framing with a true share: what a signer released for one request is shown against another, where it is wrong.
 * Stopped by: a share is nobody's word; what a signer puts its name to is a record that names request, m and R'. It gives one to
 * the owner only, and only about the request it signed.
 *
 * The judge of such records is played here: it is what a third party computes from the record and the points of the run. */
#include "node.h"

#define EVIL 1
#define HONEST 2

struct record {
	uint8_t presig[KM_HASH_SIZE], request[KM_HASH_SIZE], context;
	struct km_scalar m, s;
	struct km_point rr;
};

static const struct km_msg *ask(struct mesh *mesh, unsigned as, const uint8_t *presig, const uint8_t *request, struct km_msg *msg)
{
	uint8_t frame[1 + 2 * KM_HASH_SIZE] = {KM_FRAME_RECORD_ASK};
	size_t at;

	memcpy(frame + 1, presig, KM_HASH_SIZE);
	memcpy(frame + 1 + KM_HASH_SIZE, request, KM_HASH_SIZE);
	mesh_forget(mesh);
	sim_inject(mesh->sim, peer(HONEST), peer(as), frame, sizeof(frame));
	mesh_run(mesh, 5);
	at = 0;
	for (const struct node_packet *p; (p = mesh_find(mesh, KM_FRAME_ENVELOPE, HONEST, 0, &at));)
		if (km_msg_parse(msg, p->data + 1, p->len - 1) == KM_OK && msg->proto == KM_PROTO_RECORD)
			return msg;
	return NULL;
}

static void read_record(const struct km_curve *c, struct record *r, const struct km_msg *msg)
{
	struct km_reader rd;
	size_t ss = km_curve_scalar_size(c), ps = km_curve_point_size(c);

	km_reader_init(&rd, msg->body, msg->body_len);
	km_get_bytes(&rd, r->presig, KM_HASH_SIZE);
	km_get_bytes(&rd, r->request, KM_HASH_SIZE);
	r->context = km_get_u8(&rd);
	const uint8_t *m = km_get_ref(&rd, ss), *point = km_get_ref(&rd, ps), *s = km_get_ref(&rd, ss);
	assert_int_equal(km_reader_end(&rd), KM_OK);
	assert_int_equal(km_scalar_decode(c, &r->m, m), KM_OK);
	assert_int_equal(km_point_decode_var(c, &r->rr, point), KM_OK);
	assert_int_equal(km_scalar_decode(c, &r->s, s), KM_OK);
}

/* Is the honest peer's share wrong for this request, by the equation s R' = m A + r B? */
static int share_is_bad(const struct km_presig *ps, const struct wish *w, const struct km_scalar *s_i)
{
	const struct km_curve *c = ps->curve;
	struct km_sign_input in = {.context = w->req.context};
	struct km_presig own;
	struct km_sign_nonce nonce;
	struct km_scalar s[2];
	uint32_t culprits;

	memcpy(in.request_id, w->id, KM_HASH_SIZE);
	assert_int_equal(km_sign_hash_bytes(c, &in.m, w->req.data, w->req.len), KM_OK);
	assert_int_equal(km_sign_nonce(ps, &in, &nonce), KM_OK);
	own = *ps;
	km_sign_share(&own, &in, &nonce, &s[0]);
	s[1] = *s_i;
	assert_int_equal(km_sign_culprits_var(ps, &in, &nonce, s, &culprits), KM_OK);
	assert_int_equal(culprits & ~km_set_bit(HONEST), 0);
	return culprits != 0;
}

/* A third party's verdict on the accusation "it signed this record for that request, and the share is wrong". */
static int convicted(const struct km_presig *ps, const struct record *r, const struct wish *accused_of)
{
	if (memcmp(r->request, accused_of->id, KM_HASH_SIZE) != 0)
		return 0;
	return share_is_bad(ps, accused_of, &r->s);
}

static void test_framing(void **state)
{
	struct mesh *m = mesh_ready(9, 3, 2);
	struct km_held *h = mesh_presig(m, EVIL, HONEST);
	struct km_share_msg share;
	struct wish asked, other;
	uint8_t mac[KM_MAC_SIZE];
	struct km_sign_nonce nonce;
	struct km_sign_input in = {.context = KM_CTX_TLS13_SERVER};
	struct record r;
	struct km_msg msg;

	sim_corrupt(m->sim, EVIL);
	wish_make(m, &asked, 1, 1);
	wish_make(m, &other, 1, 2);
	wish_mac(m, &asked, HONEST, mac);
	assert_int_equal(mesh_sign(m, EVIL, HONEST, h->id, &asked, mac, &share), KM_STATUS_OK);

	/* nobody but the owner gets its word, and nobody about a request that it did not sign */
	assert_null(ask(m, 3, h->id, asked.id, &msg));
	assert_null(ask(m, EVIL, h->id, other.id, &msg));
	assert_non_null(ask(m, EVIL, h->id, asked.id, &msg));
	assert_int_equal(km_msg_verify_sig(&msg, sim_peer_settings(m->sim, HONEST)->identity.pub), KM_OK);
	assert_int_equal(msg.sender, HONEST);
	assert_memory_equal(msg.sid, h->id, KM_HASH_SIZE);

	/* it says all that the judgement needs */
	read_record(h->ps->curve, &r, &msg);
	assert_memory_equal(r.presig, h->id, KM_HASH_SIZE);
	assert_memory_equal(r.request, asked.id, KM_HASH_SIZE);
	memcpy(in.request_id, asked.id, KM_HASH_SIZE);
	assert_int_equal(km_sign_hash_bytes(h->ps->curve, &in.m, asked.req.data, asked.req.len), KM_OK);
	assert_int_equal(km_sign_nonce(h->ps, &in, &nonce), KM_OK);
	assert_true(km_scalar_equal(&r.m, &in.m) && r.context == in.context);
	assert_true(km_point_equal_var(h->ps->curve, &r.rr, &nonce.rr));

	assert_false(convicted(h->ps, &r, &asked));
	assert_false(convicted(h->ps, &r, &other));

	/* a signer that lets the owner say what it was about: honest, and "proved" guilty */
	rule_off(km_rule_record_names);
	assert_non_null(ask(m, EVIL, h->id, other.id, &msg));
	assert_int_equal(km_msg_verify_sig(&msg, sim_peer_settings(m->sim, HONEST)->identity.pub), KM_OK);
	read_record(h->ps->curve, &r, &msg);
	assert_true(convicted(h->ps, &r, &other));
	mesh_free(m, NULL);
}

KM_TESTS(cmocka_unit_test(test_framing))
