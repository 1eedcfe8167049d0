/* Request ids, authenticators, and the operator's settings. */
#include "tests/lib/test.h"
#include "tests/lib/hex.h"

#include "base/hash.h"
#include "base/sig.h"
#include "node/settings.h"
#include "node/wire.h"

static const uint8_t text[] = "to be signed";

static struct km_req sample(void)
{
	struct km_req r = { .version = 1, .frontend = 3, .context = 1, .time_ms = 1700000000000, .data = text, .len = 12 };

	memset(r.key_id, 0xab, sizeof(r.key_id));
	memset(r.random, 0xcd, sizeof(r.random));
	return r;
}

/* The id is exactly SHA-256 over the length-prefixed fields, written out by hand. */
static void test_request_id_layout(void **state)
{
	static const uint8_t fixed[] = { 0, 0, 0, 17, 'k', 'e', 'y', 'm', 'e', 's', 'h', '/', '1', '/', 'r', 'e', 'q', 'u', 'e', 's', 't',
					 0, 0, 0, 2, 0, 1, 0, 0, 0, 2, 0, 3, 0, 0, 0, 32 };
	struct km_req r = sample();
	uint8_t in[256], want[32], id[32];
	size_t n = sizeof(fixed);

	(void)state;
	memcpy(in, fixed, n);
	memset(in + n, 0xab, 32);
	n += 32;
	memcpy(in + n, "\0\0\0\1\1\0\0\0\x8\0\0\x1\x8b\xcf\xe5\x68\x00\0\0\0\x10", 21);
	n += 21;
	memset(in + n, 0xcd, 16);
	n += 16;
	memcpy(in + n, "\0\0\0\x0cto be signed", 16);
	n += 16;
	assert_int_equal(km_sha2(256, in, n, want), KM_OK);
	km_req_id(&r, id);
	assert_memory_equal(id, want, 32);
}

static void test_request_id_covers_every_field(void **state)
{
	struct km_req r = sample(), q[9];
	uint8_t id[10][32];

	(void)state;
	for (unsigned i = 0; i < 9; i++)
		q[i] = r;
	q[0].version++;
	q[1].frontend++;
	q[2].key_id[31] ^= 1;
	q[3].context++;
	q[4].time_ms++;
	q[5].random[0] ^= 0x80;
	q[6].data = (const uint8_t *)"to be Signed";
	q[7].len--;
	q[8].data++;
	q[8].len--;
	km_req_id(&r, id[9]);
	for (unsigned i = 0; i < 9; i++)
		km_req_id(&q[i], id[i]);
	for (unsigned i = 0; i < 10; i++)
		for (unsigned j = 0; j < i; j++)
			assert_memory_not_equal(id[i], id[j], 32);
}

static void test_both_ends_agree(void **state)
{
	uint8_t fpriv[32] = { 1, 2, 3 }, ppriv[32] = { 9, 8, 7 }, fpub[32], ppub[32], a[32], b[32], c[32];

	(void)state;
	km_x25519_public(fpriv, fpub);
	km_x25519_public(ppriv, ppub);
	assert_int_equal(km_auth_key(fpriv, ppub, 3, 2, a), KM_OK);
	assert_int_equal(km_auth_key(ppriv, fpub, 3, 2, b), KM_OK);
	assert_memory_equal(a, b, 32);
	/* the ids are in it */
	assert_int_equal(km_auth_key(ppriv, fpub, 4, 2, c), KM_OK);
	assert_memory_not_equal(a, c, 32);
	assert_int_equal(km_auth_key(ppriv, fpub, 3, 1, c), KM_OK);
	assert_memory_not_equal(a, c, 32);
	assert_int_equal(km_auth_key(ppriv, fpub, 0x0302, 1, c), KM_OK);
	assert_memory_not_equal(a, c, 32);
	/* a key that agrees on zero with everybody */
	memset(fpub, 0, 32);
	assert_int_equal(km_auth_key(ppriv, fpub, 3, 2, c), KM_E_VERIFY);
	memset(a, 0, 32);
	assert_memory_equal(a, c, 32);
}

static void test_mac(void **state)
{
	uint8_t key[32] = { 5 }, id[32] = { 6 }, mac[32], other[32], said[33];

	(void)state;
	km_auth_mac(key, id, 4, mac);
	memcpy(said, id, 32);
	said[32] = 4;
	km_hmac_sha256(key, 32, said, 33, other);
	assert_memory_equal(mac, other, 32);
	assert_int_equal(km_auth_check(key, id, 4, mac), KM_OK);
	assert_int_equal(km_auth_check(key, id, 5, mac), KM_E_AUTH);
	for (unsigned i = 0; i < 256; i++) {
		mac[i / 8] ^= (uint8_t)(1u << (i % 8));
		assert_int_equal(km_auth_check(key, id, 4, mac), KM_E_AUTH);
		mac[i / 8] ^= (uint8_t)(1u << (i % 8));
	}
	id[0] ^= 1;
	assert_int_equal(km_auth_check(key, id, 4, mac), KM_E_AUTH);
	id[0] ^= 1;
	key[31] ^= 1;
	assert_int_equal(km_auth_check(key, id, 4, mac), KM_E_AUTH);
}

/* ---- settings */

static void entry(struct km_roster *r, uint8_t id, uint8_t seed)
{
	/* X25519 ignores the lowest bits of the first byte */
	uint8_t priv[32] = { 8, seed };

	r->peer[id].id = id;
	km_ed25519_public(priv, r->peer[id].identity);
	km_x25519_public(priv, r->peer[id].channel);
}

static void test_roster(void **state)
{
	static struct km_roster r, q;

	(void)state;
	assert_int_equal(km_roster_finish(&r), KM_E_CONFIG);
	for (uint8_t i = 1; i <= 5; i++)
		entry(&r, i == 5 ? 32 : i, i);
	assert_int_equal(km_roster_finish(&r), KM_OK);
	assert_int_equal(r.n, 5);
	assert_true(r.members == 0x8000000f);
	q = r;
	/* names are the operator's own */
	memcpy(q.peer[2].name, "other", 6);
	assert_int_equal(km_roster_finish(&q), KM_OK);
	assert_memory_equal(q.hash, r.hash, 32);
	entry(&q, 2, 99);
	assert_int_equal(km_roster_finish(&q), KM_OK);
	assert_memory_not_equal(q.hash, r.hash, 32);
}

static void test_roster_refuses(void **state)
{
	static struct km_roster r, q;

	(void)state;
	for (uint8_t i = 1; i <= 3; i++)
		entry(&r, i, i);
	q = r;
	memcpy(q.peer[2].identity, q.peer[3].identity, 32);
	assert_int_equal(km_roster_finish(&q), KM_E_CONFIG);
	assert_int_equal(q.n, 0);
	q = r;
	memcpy(q.peer[1].channel, q.peer[3].channel, 32);
	assert_int_equal(km_roster_finish(&q), KM_E_CONFIG);
	q = r;
	memset(q.peer[1].channel, 0, 32);
	assert_int_equal(km_roster_finish(&q), KM_E_CONFIG);
	q = r;
	memset(q.peer[1].identity, 0, 32);
	assert_int_equal(km_roster_finish(&q), KM_E_CONFIG);
	q = r;
	q.peer[1].id = 2;
	assert_int_equal(km_roster_finish(&q), KM_E_CONFIG);
	q = r;
	q.peer[0].id = 1;
	assert_int_equal(km_roster_finish(&q), KM_E_CONFIG);
}

static void test_policies(void **state)
{
	static struct km_key_policy k[2] = { { .name = "www" }, { .name = "mail" } };
	struct km_settings s = { .keys = k, .n_keys = 2 };

	(void)state;
	km_settings_defaults(&s);
	assert_int_equal(s.freshness_ms, 30000);
	assert_int_equal(s.share_timeout_ms, 250);
	assert_ptr_equal(km_settings_key(&s, "mail"), &k[1]);
	assert_null(km_settings_key(&s, "ww"));
	assert_null(km_settings_key(&s, ""));
	for (unsigned f = 0; f < 1100; f++)
		assert_int_equal(km_policy_frontend_allowed(&k[0], (uint16_t)f), 0);
	km_policy_allow_frontend(&k[0], 0);
	km_policy_allow_frontend(&k[0], 1025);
	km_policy_allow_frontend(&k[0], 1);
	km_policy_allow_frontend(&k[0], 8);
	km_policy_allow_frontend(&k[0], 1024);
	for (unsigned f = 0; f < 1100; f++)
		assert_int_equal(km_policy_frontend_allowed(&k[0], (uint16_t)f), f == 1 || f == 8 || f == 1024);
}

KM_TESTS(cmocka_unit_test(test_request_id_layout), cmocka_unit_test(test_request_id_covers_every_field), cmocka_unit_test(test_both_ends_agree),
	 cmocka_unit_test(test_mac), cmocka_unit_test(test_roster), cmocka_unit_test(test_roster_refuses), cmocka_unit_test(test_policies))
