/* Names of epochs, STORED and certificates: the order is total, a certificate counts promises for one full name only, and every changed
 * byte of one makes it worthless. */
#include "tests/lib/test.h"
#include "tests/lib/dkg_help.h"
#include "proto/epoch.h"

#define SEED 4

static struct km_table table;

static void test_order(void **state)
{
	struct km_epoch e[4] = { { .number = 5 }, { .number = 5 }, { .number = 5 }, { .number = 6 } };

	e[1].table[31] = 1;
	e[2].sid[31] = 1;
	for (unsigned i = 0; i < 4; i++)
		for (unsigned j = 0; j < 4; j++) {
			int d = km_epoch_cmp(&e[i], &e[j]);
			assert_int_equal((d > 0) - (d < 0), (i > j) - (i < j));
		}
	/* bytes compare as unsigned ones */
	e[1].sid[0] = 0x80;
	assert_true(km_epoch_cmp(&e[1], &e[2]) > 0);
	assert_false(km_epoch_ahead(1600, 1000999));
	assert_true(km_epoch_ahead(1601, 1000999));
	assert_true(km_epoch_ahead(UINT64_MAX, 1000999));
}

static void test_quorum(void **state)
{
	for (unsigned n = 2; n <= KM_MAX_PEERS; n++)
		for (unsigned t = 2; t <= n; t++) {
			unsigned c = km_cert_quorum(n, t);

			assert_true(c >= t && c <= n);
			/* less than c is only ever enough when c is all: T honest ones keep what is certified */
			assert_true(c == n || c - (t - 1) >= t);
		}
	assert_int_equal(km_cert_quorum(5, 3), 5);
	assert_int_equal(km_cert_quorum(7, 3), 5);
	assert_int_equal(km_cert_quorum(4, 3), 4);
}

static void stored(uint8_t raw[KM_STORED_MAX], unsigned proto, unsigned by, const struct km_epoch *e)
{
	const struct km_shape shape = { .head = KM_STORED_BODY };
	uint8_t body[KM_STORED_BODY], prev[KM_HASH_SIZE] = { 9 };
	struct km_identity id;
	struct km_buf b;

	net_identity(SEED, (uint8_t)by, &id);
	km_stored_put(body, prev, e);
	km_buf_init_fixed(&b, raw, KM_STORED_MAX);
	assert_int_equal(km_msg_build(&b, (uint8_t)proto, KM_STORED_ROUND, (uint8_t)by, 0, e->sid, &shape, body, &id), KM_OK);
	assert_int_equal(b.len, KM_STORED_MAX);
}

static void make(struct km_cert *c, unsigned proto, uint32_t by)
{
	uint8_t raw[KM_STORED_MAX];
	struct km_epoch e;

	km_epoch_of(&e, &table);
	km_cert_init(c, proto);
	for (unsigned i = km_set_next(by, 0); i; i = km_set_next(by, i)) {
		stored(raw, proto, i, &e);
		assert_int_equal(km_cert_add(c, &table, raw, sizeof(raw)), KM_OK);
		assert_int_equal(km_cert_add(c, &table, raw, sizeof(raw)), KM_OK);
	}
	assert_int_equal(c->members, by);
}

static void test_cert(void **state)
{
	struct km_cert c, again;
	struct km_buf b;

	km_buf_init(&b);
	/* six members, T = 2: three promises after a reshare, all after a key generation */
	for (uint32_t by = 1; by < 64; by++)
		for (unsigned proto = KM_PROTO_DKG; proto <= KM_PROTO_RESHARE; proto += KM_PROTO_RESHARE - KM_PROTO_DKG) {
			int enough = km_set_size(by) >= (proto == KM_PROTO_DKG ? 6u : 3u);

			make(&c, proto, by);
			assert_int_equal(km_cert_complete(&c, &table), enough);
			assert_int_equal(km_cert_verify(&c, &table), enough ? KM_OK : KM_E_VERIFY);
			km_buf_reset(&b);
			assert_int_equal(km_cert_encode(&c, &b), KM_OK);
			assert_int_equal(b.len, km_set_size(by) * (4 + KM_STORED_MAX));
			assert_int_equal(km_cert_decode(&again, b.data, b.len), KM_OK);
			assert_memory_equal(&again, &c, sizeof(c));
		}
	km_cert_init(&c, KM_PROTO_RESHARE);
	assert_int_equal(km_cert_encode(&c, &b), KM_E_INVAL);
	assert_int_equal(km_cert_verify(&c, &table), KM_E_MISMATCH);
	assert_int_equal(km_cert_complete(&c, &table), 0);
	km_buf_clear(&b);
}

/* Whatever byte is changed, cut or doubled: no other certificate comes of it. */
static void test_cert_bytes(void **state)
{
	uint8_t enc[3 * (4 + KM_STORED_MAX) + 1], twice[2 * (4 + KM_STORED_MAX)], h1[KM_HASH_SIZE], h2[KM_HASH_SIZE];
	struct km_cert c;
	struct km_buf b;

	make(&c, KM_PROTO_RESHARE, 0x15);
	km_buf_init_fixed(&b, enc, sizeof(enc));
	assert_int_equal(km_cert_encode(&c, &b), KM_OK);
	km_cert_hash(enc, b.len, h1);
	for (size_t i = 0; i < b.len; i++) {
		enc[i] ^= 1;
		assert_true(km_cert_decode(&c, enc, b.len) != KM_OK || km_cert_verify(&c, &table) != KM_OK);
		assert_true(km_cert_decode(&c, enc, i) != KM_OK || km_cert_verify(&c, &table) != KM_OK);
		km_cert_hash(enc, b.len, h2);
		assert_memory_not_equal(h1, h2, sizeof(h1));
		enc[i] ^= 1;
	}
	assert_int_not_equal(km_cert_decode(&c, enc, b.len + 1), KM_OK);
	/* one member twice; members out of order */
	memcpy(twice, enc, 4 + KM_STORED_MAX);
	memcpy(twice + 4 + KM_STORED_MAX, enc, 4 + KM_STORED_MAX);
	assert_int_equal(km_cert_decode(&c, twice, sizeof(twice)), KM_E_ENCODING);
	memcpy(twice, enc + 4 + KM_STORED_MAX, 4 + KM_STORED_MAX);
	assert_int_equal(km_cert_decode(&c, twice, sizeof(twice)), KM_E_ENCODING);
	assert_int_equal(c.members, 0);
}

/* Promises for different names, of different kinds, or of strangers do not add up. */
static void test_cert_mixed(void **state)
{
	uint8_t raw[KM_STORED_MAX], enc[2 * (4 + KM_STORED_MAX)];
	struct km_table sibling = table;
	struct km_epoch e, other;
	struct km_cert c;
	struct km_buf b;

	km_epoch_of(&e, &table);
	for (unsigned what = 0; what < 3; what++) {
		make(&c, KM_PROTO_RESHARE, 3);
		other = e;
		if (what == 0)
			other.number++;
		else if (what == 1)
			other.table[0] ^= 1;
		else
			other.sid[0] ^= 1;
		stored(raw, KM_PROTO_RESHARE, 3, &other);
		assert_int_equal(km_cert_add(&c, &table, raw, sizeof(raw)), what == 2 ? KM_E_STALE : KM_E_MISMATCH);
		/* the bytes of both in one certificate */
		km_buf_init_fixed(&b, enc, sizeof(enc));
		km_put_lbytes(&b, c.stored[0], KM_STORED_MAX);
		km_put_lbytes(&b, raw, KM_STORED_MAX);
		assert_int_equal(km_cert_decode(&c, enc, b.len), KM_E_MISMATCH);
	}
	make(&c, KM_PROTO_RESHARE, 3);
	stored(raw, KM_PROTO_DKG, 3, &e);
	assert_int_equal(km_cert_add(&c, &table, raw, sizeof(raw)), KM_E_STALE);
	stored(raw, KM_PROTO_RESHARE, 7, &e);
	assert_int_equal(km_cert_add(&c, &table, raw, sizeof(raw)), KM_E_STALE);
	stored(raw, KM_PROTO_RESHARE, 3, &e);
	raw[2] = KM_PROTO_MAJORITY;
	assert_int_equal(km_cert_add(&c, &table, raw, sizeof(raw)), KM_E_STALE);
	assert_int_equal(c.members, 3);
	/* a complete one says nothing of a table with another hash */
	make(&c, KM_PROTO_RESHARE, 7);
	sibling.hash[0] ^= 1;
	assert_int_equal(km_cert_verify(&c, &sibling), KM_E_MISMATCH);
	/* nor when the table has another identity for a member */
	sibling = table;
	memcpy(sibling.idkeys[2], table.idkeys[5], KM_IDKEY_SIZE);
	assert_int_equal(km_cert_verify(&c, &sibling), KM_E_VERIFY);
}

static int setup(void **state)
{
	struct km_share s;
	struct dkg d;

	dkg_init(&d, SEED, 63, 2);
	dkg_run(&d, 0);
	int err = km_dkg_take(d.m[1], &s);
	table = s.table;
	km_share_wipe(&s);
	dkg_clear(&d);
	return err;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_order), cmocka_unit_test(test_quorum), cmocka_unit_test(test_cert),
	    cmocka_unit_test(test_cert_bytes), cmocka_unit_test(test_cert_mixed),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, setup, NULL);
}
