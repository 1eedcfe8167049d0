/* Hashing: vectors by another implementation, and injectivity of the encoding (B15). */
#include "tests/lib/test.h"
#include "tests/lib/hex.h"
#include "tests/lib/die.h"

#include <stdlib.h>
#include "base/hash.h"
#include "base/rng.h"

static void test_fields(void **state)
{
	struct km_hash h;
	uint8_t d[32];

	(void)state;
	km_hash_init(&h, "test");
	km_hash_field(&h, "abc", 3);
	km_hash_field(&h, NULL, 0);
	km_hash_u8(&h, 1);
	km_hash_u16(&h, 2);
	km_hash_u32(&h, 3);
	km_hash_u64(&h, 4);
	km_hash_str(&h, "str");
	km_hash_final(&h, d);
	km_assert_hex(d, 32, "25a1fc7a5865fa8ecd48307a924c9c0c9f7b9f9837cef69ffa005982a4ecee16");
	for (size_t i = 0; i < sizeof(h); i++)
		assert_int_equal(((uint8_t *)&h)[i], 0);
}

static void test_wide(void **state)
{
	static const char *expected = "791892016c2e2ffc8bdf0c21840f60eff6e4ccc46f92a1c94e36df036242b934"
				      "6ffc24fd04a26a7381f280a35d4e82fd94e58164cafe5414591bbdd0a9b24c18"
				      "91f842cc8c3ddc744ad0cf5b1751c10e";
	struct km_hash h;
	uint8_t full[80], part[81], most[1024];

	(void)state;
	km_unhex(full, sizeof(full), expected);
	for (size_t n = 0; n <= 80; n++) {
		memset(part, 0xee, sizeof(part));
		km_hash_init(&h, "wide");
		km_hash_str(&h, "x");
		km_hash_final_wide(&h, part, n);
		assert_memory_equal(part, full, n);
		assert_int_equal(part[n], 0xee);
	}
	km_hash_init(&h, "wide");
	km_hash_str(&h, "x");
	km_hash_final_wide(&h, most, sizeof(most));
	assert_memory_equal(most, full, 80);
}

static void too_wide(void)
{
	static uint8_t out[1025];
	struct km_hash h;

	km_hash_init(&h, "wide");
	km_hash_final_wide(&h, out, sizeof(out));
}

static void test_too_wide_aborts(void **state)
{
	(void)state;
	assert_int_equal(km_death_of(too_wide), SIGABRT);
}

/* ---- B15: one text of bytes cut into fields in many ways; no two cuts may have the same digest. */

#define TEXT 12
#define CUTS 3000

struct cut {
	unsigned purpose, len[8], fields;   /* the first `purpose` bytes are the purpose, the rest fields */
	uint8_t digest[32], naive[32];
};

static int by_digest(const void *a, const void *b)
{
	return memcmp(((const struct cut *)a)->digest, ((const struct cut *)b)->digest, 32);
}

static int by_naive(const void *a, const void *b)
{
	return memcmp(((const struct cut *)a)->naive, ((const struct cut *)b)->naive, 32);
}

static int same_cut(const struct cut *a, const struct cut *b)
{
	return a->purpose == b->purpose && a->fields == b->fields && !memcmp(a->len, b->len, a->fields * sizeof(a->len[0]));
}

static void make_cut(struct cut *c, const char *text, struct km_rng *r)
{
	char purpose[TEXT + 1] = "";
	unsigned at;
	struct km_hash h;

	memset(c, 0, sizeof(*c));
	c->purpose = (unsigned)km_rng_below(r, 4);
	memcpy(purpose, text, c->purpose);
	at = c->purpose;
	km_hash_init(&h, purpose);
	/* the last field takes the rest, so the text is the same in all cuts; empty fields are fields */
	c->fields = 1 + (unsigned)km_rng_below(r, 8);
	for (unsigned i = 0; i < c->fields; i++) {
		unsigned n = i + 1 == c->fields ? TEXT - at : (unsigned)km_rng_below(r, TEXT - at + 1);

		c->len[i] = n;
		km_hash_field(&h, text + at, n);
		at += n;
	}
	km_hash_final(&h, c->digest);
	assert_int_equal(km_sha2(256, text, TEXT, c->naive), KM_OK);
}

static unsigned collisions(struct cut *c, size_t n, int (*order)(const void *, const void *))
{
	unsigned found = 0;

	qsort(c, n, sizeof(*c), order);
	for (size_t i = 1; i < n; i++)
		if (!order(&c[i - 1], &c[i]) && !same_cut(&c[i - 1], &c[i]))
			found++;
	return found;
}

static void test_no_two_field_lists_collide(void **state)
{
	/* bytes that look like the lengths of fields invite a confusion */
	static const char *texts[] = { "\0\0\0\1\0\0\0\1\0\0\0\1", "\0\0\0\0\0\0\0\0\0\0\0\0", "keymesh/1/xy" };
	static struct cut cuts[CUTS];
	uint8_t seed[32] = { 15 };
	struct km_rng r;

	(void)state;
	km_rng_init(&r, seed, "test", NULL, 0);
	for (unsigned t = 0; t < 3; t++) {
		for (unsigned i = 0; i < CUTS; i++)
			make_cut(&cuts[i], texts[t], &r);
		assert_int_equal(collisions(cuts, CUTS, by_digest), 0);
		/* the same lists collide when bytes are only joined: this test can fail */
		assert_true(collisions(cuts, CUTS, by_naive) > CUTS / 2);
	}
}

static void test_widths_are_fields(void **state)
{
	struct km_hash h;
	uint8_t d[4][32];

	(void)state;
	km_hash_init(&h, "w");
	km_hash_u16(&h, 1);
	km_hash_final(&h, d[0]);
	km_hash_init(&h, "w");
	km_hash_u8(&h, 0);
	km_hash_u8(&h, 1);
	km_hash_final(&h, d[1]);
	km_hash_init(&h, "w");
	km_hash_u32(&h, 1);
	km_hash_final(&h, d[2]);
	km_hash_init(&h, "w");
	km_hash_u64(&h, 1);
	km_hash_final(&h, d[3]);
	for (unsigned i = 0; i < 4; i++)
		for (unsigned j = 0; j < i; j++)
			assert_memory_not_equal(d[i], d[j], 32);
}

static void test_sha2(void **state)
{
	uint8_t d[64];

	(void)state;
	assert_int_equal(km_sha2(256, "abc", 3, d), KM_OK);
	km_assert_hex(d, 32, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	assert_int_equal(km_sha2(384, "abc", 3, d), KM_OK);
	km_assert_hex(d, 48, "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed8086072ba1e7cc2358baeca134c825a7");
	assert_int_equal(km_sha2(512, "abc", 3, d), KM_OK);
	km_assert_hex(d, 64, "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
			     "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f");
	assert_int_equal(km_sha2(256, NULL, 0, d), KM_OK);
	km_assert_hex(d, 32, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
	assert_int_equal(km_sha2(1, "abc", 3, d), KM_E_INVAL);
	assert_int_equal(km_sha2(160, "abc", 3, d), KM_E_INVAL);
}

static void test_hmac(void **state)
{
	uint8_t d[32];

	(void)state;
	/* RFC 4231, case 2 */
	km_hmac_sha256("Jefe", 4, "what do ya want for nothing?", 28, d);
	km_assert_hex(d, 32, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
	km_hmac_sha256(NULL, 0, NULL, 0, d);
	km_assert_hex(d, 32, "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
}

static void test_kdf(void **state)
{
	uint8_t a[70], b[70];

	(void)state;
	km_kdf("ikm", 3, "seal", "info", 4, a, sizeof(a));
	km_assert_hex(a, sizeof(a), "48f82a74ff834966924b225ed9f7f4307b9c488d485c75a85499172875c1522e"
				    "70182980a0d7cd6e89bd36473e534b7557997266fbc0633234edc74e7a9d125f0fe18e115682");
	km_kdf("ikm", 3, "seali", "nfo", 3, b, sizeof(b));
	assert_memory_not_equal(a, b, 32);
	km_kdf("ikm", 3, "seal", NULL, 0, b, sizeof(b));
	assert_memory_not_equal(a, b, 32);
	km_kdf("ikm", 3, "seal", "info", 4, b, 33);
	assert_memory_equal(a, b, 33);
}

static void test_merkle(void **state)
{
	static const struct {
		unsigned n;
		const char *root;
	} v[] = {
		{ 1, "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7" },
		{ 2, "a20bf9a7cc2dc8a08f5f415a71b19f6ac427bab54d24eec868b5d3103449953a" },
		{ 3, "3b6cccd7e3e023ff393006f030315ee7ad9eb111b022b41fba7e5b7a3973f688" },
		{ 5, "b855b42d6c30f5b087e05266783fbd6e394f7b926013ccaa67700a8b0c5a596f" },
		{ 6, "bb36e7d3d4cee5720cbd323d02fab15962e2ba1dadf5f8fc6eeef4fd6ad056a8" },
		{ 7, "3560191803028444b232018ac047fdb561c09c23a7a6876c85e08b5e4d48e9f3" },
		{ 8, "ef7f49b620f6c7ea9b963a214da34b5021c6ded8ed57734380a311ab726aa907" },
		{ 13, "df5ee130e5a247600d190c31074458de3c0dc58f0b0d8a6a2b3dd4fd7e569501" },
		{ 33, "1ef78c0bde9f58143b0600eb015b6b7c76e89b6af0ca70d80be3c56e3289de97" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(v) / sizeof(v[0]); i++) {
		uint8_t leaves[33 * 32], root[32];

		for (unsigned k = 0; k < v[i].n; k++) {
			uint8_t b = (uint8_t)k;

			km_merkle_leaf(&b, 1, leaves + k * 32);
		}
		km_merkle_root(leaves, v[i].n, root);
		km_assert_hex(root, 32, v[i].root);
	}
}

/* Every leaf of every small tree has a path, and no other place, length, node or root takes it. */
static void test_merkle_paths(void **state)
{
	uint8_t leaf[20][32], leaves[20 * 32], root[32], path[KM_MERKLE_PATH_MAX][32] = { { 0 } };

	(void)state;
	for (unsigned k = 0; k < 20; k++) {
		uint8_t b = (uint8_t)k;

		km_merkle_leaf(&b, 1, leaf[k]);
	}
	for (unsigned n = 1; n <= 20; n++) {
		memcpy(leaves, leaf, sizeof(leaves));
		km_merkle_root(leaves, n, root);
		for (unsigned at = 0; at < n; at++) {
			memcpy(leaves, leaf, sizeof(leaves));
			unsigned count = km_merkle_path(leaves, n, at, path);

			assert_int_equal(km_merkle_check(leaf[at], at, n, path[0], count, root), KM_OK);
			for (unsigned other = 0; other < n + 2; other++)
				if (other != at)
					assert_int_equal(km_merkle_check(leaf[at], other, n, path[0], count, root), KM_E_VERIFY);
			assert_int_equal(km_merkle_check(leaf[(at + 1) % 20], at, n, path[0], count, root), KM_E_VERIFY);
			if (count)
				assert_int_equal(km_merkle_check(leaf[at], at, n, path[0], count - 1, root), KM_E_VERIFY);
			assert_int_equal(km_merkle_check(leaf[at], at, n, path[0], count + 1, root), KM_E_VERIFY);
			root[0] ^= 1;
			assert_int_equal(km_merkle_check(leaf[at], at, n, path[0], count, root), KM_E_VERIFY);
			root[0] ^= 1;
		}
	}
}

KM_TESTS(cmocka_unit_test(test_fields), cmocka_unit_test(test_wide), cmocka_unit_test(test_too_wide_aborts),
	 cmocka_unit_test(test_no_two_field_lists_collide), cmocka_unit_test(test_widths_are_fields), cmocka_unit_test(test_sha2),
	 cmocka_unit_test(test_hmac), cmocka_unit_test(test_kdf), cmocka_unit_test(test_merkle),
	 cmocka_unit_test(test_merkle_paths))
