/* Set-up: what a sid is made of, made again here from fields, and what changes it. */
#include <string.h>
#include "../lib/test.h"
#include "base/hash.h"
#include "proto/setup.h"

static void fill(uint8_t *p, size_t n, unsigned with)
{
	for (size_t i = 0; i < n; i++)
		p[i] = (uint8_t)(with * 31 + i);
}

static void test_sid(void **state)
{
	uint8_t proposal[KM_HASH_SIZE], join[KM_MAX_PEERS + 1][KM_HASH_SIZE], sid[KM_HASH_SIZE], want[KM_HASH_SIZE], other[KM_HASH_SIZE];
	const uint32_t set = 0x80000015; /* 1, 3, 5, 32 */
	struct km_hash h;

	fill(proposal, sizeof(proposal), 1);
	for (unsigned i = 0; i <= KM_MAX_PEERS; i++)
		fill(join[i], KM_HASH_SIZE, 100 + i);
	km_setup_sid(proposal, set, (const uint8_t(*)[KM_HASH_SIZE])join, sid);
	km_hash_init(&h, "sid");
	km_hash_u16(&h, KM_MSG_VERSION);
	km_hash_field(&h, proposal, KM_HASH_SIZE);
	km_hash_field(&h, join[1], KM_HASH_SIZE);
	km_hash_field(&h, join[3], KM_HASH_SIZE);
	km_hash_field(&h, join[5], KM_HASH_SIZE);
	km_hash_field(&h, join[32], KM_HASH_SIZE);
	km_hash_final(&h, want);
	assert_memory_equal(sid, want, sizeof(sid));
	/* every JOIN of a participant counts, no other does, and so does the proposal */
	for (unsigned i = 1; i <= KM_MAX_PEERS; i++) {
		join[i][31] ^= 1;
		km_setup_sid(proposal, set, (const uint8_t(*)[KM_HASH_SIZE])join, other);
		assert_true((memcmp(sid, other, sizeof(sid)) != 0) == !!km_set_has(set, i));
		join[i][31] ^= 1;
	}
	proposal[0] ^= 1;
	km_setup_sid(proposal, set, (const uint8_t(*)[KM_HASH_SIZE])join, other);
	assert_memory_not_equal(sid, other, sizeof(sid));
	proposal[0] ^= 1;
	km_setup_sid(proposal, set & ~1u, (const uint8_t(*)[KM_HASH_SIZE])join, other);
	assert_memory_not_equal(sid, other, sizeof(sid));
}

static void test_fields(void **state)
{
	uint8_t body[KM_JOIN_BODY], id[KM_HASH_SIZE], life[KM_NONCE_SIZE], nonce[KM_NONCE_SIZE], sid[KM_HASH_SIZE], want[KM_HASH_SIZE];
	struct km_hash h;

	/* a JOIN's own sid field holds its nonce, not its life: who has restarted and joins again contradicts nobody */
	fill(id, sizeof(id), 2);
	fill(life, sizeof(life), 3);
	fill(nonce, sizeof(nonce), 4);
	km_setup_join_put(body, id, life, nonce);
	assert_memory_equal(body, id, sizeof(id));
	assert_memory_equal(body + KM_HASH_SIZE, life, sizeof(life));
	assert_memory_equal(body + KM_HASH_SIZE + KM_NONCE_SIZE, nonce, sizeof(nonce));
	km_setup_join_sid(body, sid);
	km_hash_init(&h, "join");
	km_hash_field(&h, id, sizeof(id));
	km_hash_field(&h, nonce, sizeof(nonce));
	km_hash_final(&h, want);
	assert_memory_equal(sid, want, sizeof(sid));
	km_setup_propose_sid(body, sizeof(body), sid);
	km_hash_init(&h, "propose");
	km_hash_field(&h, body, sizeof(body));
	km_hash_final(&h, want);
	assert_memory_equal(sid, want, sizeof(sid));
}

/* A proposal of a reshare comes back from its bytes, and has no second encoding. */
static void test_reshare(void **state)
{
	struct km_proposal pr = { .purpose = KM_PURPOSE_RESHARE, .participants = 0x3f, .name = "www", .threshold = 3, .curve = 1,
				  .dealers = 0x07, .joiners = 0x3e, .members = 0x7e, .time_ms = 1700000000999 }, back;
	struct km_presign_row rows[KM_MAX_BATCH];
	uint8_t body[KM_PROPOSE_MAX];
	struct km_buf b;

	fill(pr.committee, KM_HASH_SIZE, 3);
	fill(pr.cert, KM_HASH_SIZE, 4);
	km_buf_init_fixed(&b, body, sizeof(body));
	km_setup_put(&b, &pr, NULL);
	struct km_shape shape = km_setup_propose_shape(&pr);
	assert_int_equal(b.len, km_shape_size(&shape));
	assert_int_equal(km_setup_get(&back, rows, body, b.len), KM_OK);
	assert_memory_equal(&back, &pr, sizeof(pr));
	assert_int_not_equal(km_setup_get(&back, rows, body, b.len - 1), KM_OK);
	assert_int_not_equal(km_setup_get(&back, rows, body, b.len + 1), KM_OK);
	/* every bit of it is either said again by the proposal, or makes it none */
	for (size_t i = 0; i < b.len; i++) {
		body[i] ^= 4;
		if (km_setup_get(&back, rows, body, b.len) == KM_OK) {
			uint8_t twice[KM_PROPOSE_MAX];
			struct km_buf c;

			km_buf_init_fixed(&c, twice, sizeof(twice));
			km_setup_put(&c, &back, rows);
			assert_int_equal(c.len, b.len);
			assert_memory_equal(twice, body, b.len);
		}
		body[i] ^= 4;
	}
	/* sets that contradict each other; an engine, a batch */
	for (unsigned what = 0; what < 4; what++) {
		back = pr;
		if (what == 0)
			back.participants = 0x7f;
		else if (what == 1)
			back.members = 0x3c;
		else if (what == 2)
			back.engine = 1;
		else
			back.batch = 1;
		km_buf_reset(&b);
		km_setup_put(&b, &back, NULL);
		assert_int_equal(km_setup_get(&back, rows, body, shape.head), KM_E_ENCODING);
	}
}

/* The number of an epoch is above every name that a participant has stored. */
static void test_number(void **state)
{
	struct km_proposal pr = { .participants = 0x15, .time_ms = 5999 };
	struct km_epoch e[KM_MAX_PEERS + 1] = { { 0 } }, back;
	uint8_t body[KM_JOIN_RESHARE] = { 0 }, cert[KM_HASH_SIZE], read[KM_HASH_SIZE];
	uint64_t n;

	assert_int_equal(km_setup_number(&pr, e, &n), KM_OK);
	assert_int_equal(n, 5);
	e[3].number = 4;
	assert_int_equal(km_setup_number(&pr, e, &n), KM_OK);
	assert_int_equal(n, 5);
	e[5].number = 5;
	assert_int_equal(km_setup_number(&pr, e, &n), KM_OK);
	assert_int_equal(n, 6);
	e[2].number = 100;  /* no participant */
	assert_int_equal(km_setup_number(&pr, e, &n), KM_OK);
	assert_int_equal(n, 6);
	e[1].number = UINT64_MAX;
	assert_int_equal(km_setup_number(&pr, e, &n), KM_E_RANGE);
	assert_int_equal(n, 0);

	fill(cert, sizeof(cert), 5);
	fill(e[5].sid, KM_HASH_SIZE, 6);
	fill(e[5].table, KM_HASH_SIZE, 7);
	km_setup_join_put_epoch(body, &e[5], cert);
	km_setup_join_get_epoch(body, &back, read);
	assert_int_equal(km_epoch_cmp(&back, &e[5]), 0);
	assert_memory_equal(read, cert, sizeof(cert));
	km_setup_join_put_epoch(body, NULL, NULL);
	km_setup_join_get_epoch(body, &back, read);
	assert_int_equal(km_epoch_cmp(&back, &e[0]), 0);
	struct km_shape plain = km_setup_join_shape(KM_PURPOSE_DKG), more = km_setup_join_shape(KM_PURPOSE_RESHARE);
	assert_int_equal(km_shape_size(&plain), KM_JOIN_BODY);
	assert_int_equal(km_shape_size(&more), KM_JOIN_RESHARE);
}

/* Every id, every identity and T are in a committee's hash. */
static void test_committee(void **state)
{
	uint8_t keys[KM_MAX_PEERS + 1][KM_IDKEY_SIZE], h[KM_HASH_SIZE], other[KM_HASH_SIZE];

	for (unsigned i = 0; i <= KM_MAX_PEERS; i++)
		fill(keys[i], KM_IDKEY_SIZE, i);
	km_setup_committee(0x15, 2, (const uint8_t(*)[KM_IDKEY_SIZE])keys, h);
	km_setup_committee(0x15, 3, (const uint8_t(*)[KM_IDKEY_SIZE])keys, other);
	assert_memory_not_equal(h, other, sizeof(h));
	km_setup_committee(0x17, 2, (const uint8_t(*)[KM_IDKEY_SIZE])keys, other);
	assert_memory_not_equal(h, other, sizeof(h));
	for (unsigned i = 1; i <= KM_MAX_PEERS; i++) {
		keys[i][31] ^= 1;
		km_setup_committee(0x15, 2, (const uint8_t(*)[KM_IDKEY_SIZE])keys, other);
		assert_int_equal(memcmp(h, other, sizeof(h)) != 0, km_set_has(0x15, i));
		keys[i][31] ^= 1;
	}
}

KM_TESTS(cmocka_unit_test(test_sid), cmocka_unit_test(test_fields), cmocka_unit_test(test_reshare), cmocka_unit_test(test_number),
	 cmocka_unit_test(test_committee))
