/* attack_epochs.c: what several epochs of a key are good for, to those who want the key or its end: A10, A13, A18, A19, A21, A23.
 * Whole peers; each attack fails, and succeeds without its one rule. */
#include <stdlib.h>
#include "attack.h"
#include "../lib/mesh.h"
#include "ec/msm.h"
#include "node/peer_impl.h"

static struct mesh mesh;

static struct km_peer *peer(unsigned i)
{
	return mesh.node[i].peer;
}

static struct km_key_policy *policy(unsigned i)
{
	return &mesh.node[i].key[0];
}

static void setup(unsigned n, unsigned t, uint64_t seed)
{
	rules_all();
	mesh_init(&mesh, n, t, seed);
	for (unsigned i = 1; i <= n; i++) {
		mesh.node[i].s.pool_target = 2;
		mesh.node[i].s.pool_low = 1;
		mesh.node[i].s.batch = 12;
		mesh_start(&mesh, i);
	}
	mesh_run(&mesh, 100000);
	assert_int_equal(mesh_keygen(&mesh, 1, 30000000), KM_OK);
	mesh_run(&mesh, 5000000);
}

static const struct km_table *table(unsigned i)
{
	const struct km_key *k = km_key_by_name(peer(i), "www");

	return k && k->share->usable ? &k->share->table : NULL;
}

static unsigned shares(unsigned i)
{
	unsigned n = 0;

	for (const struct km_key *k = peer(i)->keys; k; k = k->next)
		n += k->holder && !k->wiped;
	return n;
}

static int refresh(unsigned at, enum km_request_kind kind)
{
	struct km_request rq = {.kind = kind, .name = "www"};

	return mesh_operate(&mesh, at, &rq, 120000000);
}

static int signs(unsigned i, unsigned salt)
{
	mesh.replies = 0;
	mesh_request(&mesh, i, table(i)->key_id, salt, UINT32_MAX);
	mesh_run(&mesh, 3000000);
	return mesh.replies && mesh.reply.status == KM_STATUS_OK;
}

/* A member is cut off while the others refresh, and comes back with its old share alone. 1 if it can sign with them then. */
static int stranded(void)
{
	mesh_kill(&mesh, 3);
	assert_int_equal(refresh(1, KM_REQUEST_REFRESH), KM_OK);
	mesh_run(&mesh, 90000000);
	assert_true(signs(1, 1));
	mesh_start(&mesh, 3);
	mesh_run(&mesh, 20000000);
	int good = signs(3, 3);
	mesh_free(&mesh);
	rules_all();
	return good;
}

static void test_a21(void **state)
{
	setup(5, 2, 1);
	assert_true(stranded());
	setup(5, 2, 1);
	rule_off(km_rule_any_epoch);
	assert_false(stranded());
}

/* Old shares that go when c have stored, and not all: who has not is alone with its share. */
static void test_a10_a13(void **state)
{
	setup(5, 2, 2);
	assert_true(stranded());
	setup(5, 2, 2);
	rule_off(km_rule_wipe_all);
	assert_false(stranded());
}

/* 5 is to be evicted: the others' files say so, and it asks for a refresh of the old committee before they do. 1 if it succeeds. */
static int undone(void)
{
	for (unsigned i = 1; i <= 4; i++)
		policy(i)->members = 0xf;
	uint64_t old = table(5)->number;
	int err = refresh(5, KM_REQUEST_REFRESH);
	int back = !err && table(5)->number > old && km_set_has(table(1)->members, 5) && table(1)->number > old;
	mesh_free(&mesh);
	rules_all();
	return back;
}

static void test_a18(void **state)
{
	setup(5, 3, 3);
	assert_false(undone());
	setup(5, 3, 3);
	rule_off(km_rule_own_file);
	assert_true(undone());
}

/* 4 is removed by everybody, itself too. How many shares it still has. */
static unsigned kept(void)
{
	for (unsigned i = 1; i <= 5; i++)
		policy(i)->members = 0x17;
	assert_int_equal(refresh(1, KM_REQUEST_RESHARE), KM_OK);
	mesh_run(&mesh, 90000000);
	assert_int_equal(shares(1), 1);
	unsigned n = shares(4);
	mesh_free(&mesh);
	rules_all();
	return n;
}

static void test_a19(void **state)
{
	setup(5, 3, 4);
	assert_int_equal(kept(), 0);
	setup(5, 3, 4);
	rule_off(km_rule_wipe_unlisted);
	assert_int_equal(kept(), 1);
}

/* 4 and 5 invent a table of themselves that any two of them make: X is right, and the X_i lie on a line through it. */
static void invent(struct km_table *t)
{
	const struct km_curve *c = table(1)->curve;
	struct km_scalar lambda[KM_MAX_PEERS], inv, minus, f[2];
	struct km_point p[2];

	*t = *table(1);
	t->number++;
	memset(t->sid, 7, sizeof(t->sid));
	t->threshold = 2;
	t->members = km_set_bit(4) | km_set_bit(5);
	km_point_generator(c, &t->xi[5]);
	km_shamir_lagrange_all(c, lambda, t->members, 0);
	/* X_4 = (X - lambda_5 X_5) / lambda_4 */
	km_scalar_inv(c, &inv, &lambda[0]);
	km_scalar_mul(c, &minus, &lambda[1], &inv);
	km_scalar_neg(c, &minus, &minus);
	p[0] = t->x;
	p[1] = t->xi[5];
	f[0] = inv;
	f[1] = minus;
	assert_int_equal(km_msm_var(c, &t->xi[4], f, p, 2), KM_OK);
	assert_int_equal(km_table_finish(t), KM_OK);
}

/* 1 if the honest ones lose their shares to it. */
static int wiped(void)
{
	struct km_table *t = calloc(1, sizeof(*t));
	const struct km_shape shape = {.head = KM_STORED_BODY};
	uint8_t body[KM_STORED_BODY], prev[KM_HASH_SIZE] = {0};
	struct km_buf frame, enc;
	struct km_epoch e;

	assert_non_null(t);
	invent(t);
	km_epoch_of(&e, t);
	km_stored_put(body, prev, &e);
	km_buf_init(&frame);
	km_buf_init(&enc);
	assert_int_equal(km_table_encode(t, &enc), KM_OK);
	km_put_u8(&frame, KM_FRAME_CERT);
	km_put_lbytes(&frame, enc.data, enc.len);
	for (unsigned i = 4; i <= 5; i++) {
		km_buf_reset(&enc);
		assert_int_equal(km_msg_build(&enc, KM_PROTO_RESHARE, KM_STORED_ROUND, (uint8_t)i, 0, t->sid, &shape, body, &mesh.node[i].s.identity),
				 KM_OK);
		km_put_lbytes(&frame, enc.data, enc.len);
	}
	for (unsigned i = 1; i <= 3; i++)
		mesh_send(&mesh, (struct km_addr){KM_ADDR_PEER, 5}, (struct km_addr){KM_ADDR_PEER, (uint16_t)i}, frame.data, frame.len);
	mesh_run(&mesh, 90000000);
	int lost = !shares(1) && !shares(2) && !shares(3);
	if (!lost)
		assert_true(signs(1, 1));
	km_buf_clear(&frame);
	km_buf_clear(&enc);
	free(t);
	mesh_free(&mesh);
	rules_all();
	return lost;
}

static void test_a23(void **state)
{
	setup(5, 3, 5);
	assert_false(wiped());
	setup(5, 3, 5);
	rule_off(km_rule_cert_binds);
	assert_true(wiped());
}

KM_TESTS(cmocka_unit_test(test_a21), cmocka_unit_test(test_a10_a13), cmocka_unit_test(test_a18), cmocka_unit_test(test_a19),
	 cmocka_unit_test(test_a23))
