/* attack_b18_named.c: behind an honest aggregator a corrupt signer sends wrong shares, so that what is answered is no signature. That none
 * leaves the mesh is attack_b18; here who made it has to be found, by everybody. The frontend's check is where it begins: a signature that
 * nobody verified would be taken for one, and nobody would ask whose share was wrong.
 * Stopped by: the frontend verifies and tells the aggregator, which finds the share, asks its author for a record of it, and has in that, or
 * in its absence, what parts them: a proof for everybody, or a dispute. */
#include <stdlib.h>
#include "node.h"
#include "proto/ready.h"

#define N 3
#define T 2
#define EVIL 2

static unsigned shares, records;

/* A share, or a record, with another s: the same lie in both. */
static void spoil_share(uint8_t **data, size_t *len)
{
	struct km_share_msg m;
	struct km_buf b;

	assert_int_equal(km_share_msg_decode(&m, *data, *len), KM_OK);
	if (m.status)
		return;
	m.s[m.n - 1] ^= 1;
	km_buf_init(&b);
	km_share_msg_encode(&b, &m);
	free(*data);
	*data = km_buf_take(&b, len);
	shares++;
}

static void spoil_record(struct mesh *m, uint8_t **data, size_t *len)
{
	const struct km_curve *c = mesh_www(m, EVIL)->share->table.curve;
	uint8_t s[KM_SCALAR_MAX];
	struct km_record_body body;
	struct km_msg msg;
	struct km_buf b;

	assert_int_equal(km_msg_parse(&msg, *data + 1, *len - 1), KM_OK);
	assert_int_equal(km_record_get(c, &body, &msg), KM_OK);
	km_scalar_encode(c, s, &body.s);
	s[km_curve_scalar_size(c) - 1] ^= 1;
	assert_int_equal(km_scalar_decode(c, &body.s, s), KM_OK);
	km_buf_init(&b);
	km_put_u8(&b, KM_FRAME_ENVELOPE);
	assert_int_equal(km_record_build(&b, EVIL, msg.recipient, c, &body, &sim_peer_settings(m->sim, EVIL)->identity), KM_OK);
	free(*data);
	*data = km_buf_take(&b, len);
}

static int is_record(const uint8_t *d)
{
	return d[0] == KM_FRAME_ENVELOPE && d[3] == KM_PROTO_RECORD;
}

static int signs_its_lie(struct mesh *m, struct km_addr from, struct km_addr to, uint8_t **data, size_t *len)
{
	if (from.kind != KM_ADDR_PEER || from.id != EVIL)
		return 1;
	if ((*data)[0] == KM_FRAME_SHARE)
		spoil_share(data, len);
	else if (is_record(*data)) {
		spoil_record(m, data, len);
		records++;
	}
	return 1;
}

/* What it puts its name to is right. */
static int denies_it(struct mesh *m, struct km_addr from, struct km_addr to, uint8_t **data, size_t *len)
{
	if (from.kind == KM_ADDR_PEER && from.id == EVIL && (*data)[0] == KM_FRAME_SHARE)
		spoil_share(data, len);
	return 1;
}

static int keeps_silent(struct mesh *m, struct km_addr from, struct km_addr to, uint8_t **data, size_t *len)
{
	return denies_it(m, from, to, data, len) && !(from.kind == KM_ADDR_PEER && from.id == EVIL && is_record(*data));
}

/* Clients ask until a wrong share was sent; each of them has a signature. */
static struct mesh *mount(int (*tap)(struct mesh *, struct km_addr, struct km_addr, uint8_t **, size_t *))
{
	struct mesh *m = mesh_ready(18, N, T);
	uint64_t token;

	sim_corrupt(m->sim, EVIL);
	shares = records = 0;
	m->tap = tap;
	for (unsigned nonce = 1; !shares && nonce < 40; nonce++) {
		token = sim_sign(m->sim, 1, "www", nonce, 3000);
		mesh_run(m, 3000);
		assert_true(sim_result(m->sim, token)->done);
		assert_int_equal(sim_result(m->sim, token)->err, KM_OK);
	}
	assert_true(shares > 0);
	return m;
}

/* Of the honest peers: who has proof against the corrupt one, who hears of an accusation; nobody honest is accused of anything. */
static void held(struct mesh *m, uint32_t *proved, uint32_t *accused)
{
	*proved = *accused = 0;
	for (unsigned i = 1; i <= N; i++) {
		const struct km_peer *p = sim_peer(m->sim, i);

		if (i == EVIL)
			continue;
		if (p->quarantined) {
			assert_int_equal(p->quarantined, km_set_bit(EVIL));
			assert_int_equal(p->proof[EVIL]->kind, KM_EV_RECORD);
			*proved |= km_set_bit(i);
		}
		if (p->accusers[EVIL])
			*accused |= km_set_bit(i);
		assert_int_equal(p->accusers[1] | p->accusers[3], 0);
	}
}

static void test_convicted_by_its_record(void **state)
{
	struct mesh *m = mount(signs_its_lie);
	uint32_t proved, accused;

	mesh_run(m, 3000);
	assert_true(records > 0);
	held(m, &proved, &accused);
	assert_int_equal(proved, km_set_bit(1) | km_set_bit(3));
	mesh_free(m, NULL);
}

static void test_parted_without_one(void **state)
{
	static int (*const taps[])(struct mesh *, struct km_addr, struct km_addr, uint8_t **, size_t *) = {denies_it, keeps_silent};

	for (unsigned i = 0; i < 2; i++) {
		struct mesh *m = mount(taps[i]);
		uint32_t proved, accused;

		mesh_run(m, 5000);
		held(m, &proved, &accused);
		assert_int_equal(proved, 0);
		assert_int_equal(accused, km_set_bit(1) | km_set_bit(3));
		mesh_free(m, NULL);
	}
}

/* Nobody looks: a client has something that is no signature, and who made it goes on. */
static void test_without_rule(void **state)
{
	struct mesh *m = mesh_ready(18, N, T);
	uint32_t proved, accused;

	rule_off(km_rule_frontend_verify);
	sim_corrupt(m->sim, EVIL);
	shares = records = 0;
	m->tap = signs_its_lie;
	for (unsigned nonce = 1; !shares && nonce < 40; nonce++) {
		(void)sim_sign(m->sim, 1, "www", nonce, 3000);
		mesh_run(m, 3000);
	}
	assert_true(shares > 0);
	mesh_run(m, 5000);
	assert_int_equal(records, 0);
	held(m, &proved, &accused);
	assert_int_equal(proved | accused, 0);
	mesh_free(m, "invariant 2: frontend 1 gave its client a signature that does not verify");
}

KM_TESTS(cmocka_unit_test(test_convicted_by_its_record), cmocka_unit_test(test_parted_without_one), cmocka_unit_test(test_without_rule))
