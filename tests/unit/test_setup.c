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

KM_TESTS(cmocka_unit_test(test_sid), cmocka_unit_test(test_fields))
