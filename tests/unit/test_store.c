/* test_store.c: sealed files: every damage is refused and told apart; a crash at any point leaves the old or the new file. */
#include "config.h"
#include "lib/test.h"

#include "base/hash.h"
#include "base/secret.h"
#include "lib/tempdir.h"
#include "mesh/seal.h"
#include "mesh/store.h"

static const uint8_t key[32] = {1, 2, 3}, wrong_key[32] = {1, 2, 4}, nonce[12] = {9};
static const char secret[] = "the share of peer three, thirty-two";

static void seal(struct km_buf *b, const char *name)
{
	km_buf_init(b);
	assert_int_equal(kmd_seal(b, key, name, nonce, secret, sizeof(secret)), KM_OK);
	assert_int_equal(b->len, sizeof(secret) + KMD_SEAL_OVERHEAD);
}

static int unseal(const uint8_t k[32], const char *name, const uint8_t *p, size_t n, struct kmd_fail *f)
{
	uint8_t *out;
	size_t len;
	int err = kmd_unseal(&out, &len, k, name, p, n, f);

	if (!err) {
		assert_int_equal(len, sizeof(secret));
		assert_memory_equal(out, secret, len);
	} else {
		assert_null(out);
		assert_int_equal(len, 0);
	}
	km_secret_free(out);
	return err;
}

static void test_seal(void **state)
{
	struct kmd_fail f;
	struct km_buf b;

	seal(&b, "a");
	assert_int_equal(unseal(key, "a", b.data, b.len, &f), KM_OK);
	assert_null(memmem(b.data, b.len, secret, 8));
	km_buf_clear(&b);
}

static void test_seal_empty(void **state)
{
	struct kmd_fail f;
	struct km_buf b;
	uint8_t *out;
	size_t len;

	km_buf_init(&b);
	assert_int_equal(kmd_seal(&b, key, "a", nonce, "", 0), KM_OK);
	assert_int_equal(kmd_unseal(&out, &len, key, "a", b.data, b.len, &f), KM_OK);
	assert_int_equal(len, 0);
	km_secret_free(out);
	km_buf_clear(&b);
}

static void test_wrong_key(void **state)
{
	struct kmd_fail f;
	struct km_buf b;

	seal(&b, "a");
	assert_int_equal(unseal(wrong_key, "a", b.data, b.len, &f), KM_E_SEAL);
	assert_non_null(strstr(f.text, "sealed under another key"));
	km_buf_clear(&b);
}

/* The content of one file in the place of another. */
static void test_wrong_name(void **state)
{
	struct kmd_fail f;
	struct km_buf b;

	seal(&b, "a");
	assert_int_equal(unseal(key, "b", b.data, b.len, &f), KM_E_SEAL);
	assert_non_null(strstr(f.text, "b does not authenticate"));
	km_buf_clear(&b);
}

static void test_every_truncation(void **state)
{
	struct kmd_fail f;
	struct km_buf b;
	size_t n;

	seal(&b, "a");
	for (n = 0; n < b.len; n++) {
		assert_int_equal(unseal(key, "a", b.data, n, &f), KM_E_SEAL);
		assert_non_null(strstr(f.text, "truncated"));
	}
	km_put_u8(&b, 0);
	assert_int_equal(unseal(key, "a", b.data, b.len, &f), KM_E_SEAL);
	assert_non_null(strstr(f.text, "damaged"));
	km_buf_clear(&b);
}

static void test_every_bit(void **state)
{
	struct kmd_fail f;
	struct km_buf b;
	size_t bit;

	seal(&b, "a");
	for (bit = 0; bit < b.len * 8; bit++) {
		int err;

		b.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
		err = unseal(key, "a", b.data, b.len, &f);
		assert_true(err == KM_E_SEAL || err == KM_E_VERSION);
		assert_null(strstr(f.text, "another key"));
		b.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	assert_int_equal(unseal(key, "a", b.data, b.len, &f), KM_OK);
	km_buf_clear(&b);
}

/* Who can also make the sum right still does not get past the tag. */
static void test_forged(void **state)
{
	struct kmd_fail f;
	struct km_buf b;
	uint8_t digest[32];
	size_t i;

	seal(&b, "a");
	for (i = 16; i < b.len - 8; i++) {
		if (i >= 28 && i < 32)
			continue; /* the length: truncated or damaged */
		b.data[i] ^= 1;
		assert_int_equal(km_sha2(256, b.data, b.len - 8, digest), KM_OK);
		memcpy(b.data + b.len - 8, digest, 8);
		assert_int_equal(unseal(key, "a", b.data, b.len, &f), KM_E_SEAL);
		assert_non_null(strstr(f.text, "does not authenticate"));
		b.data[i] ^= 1;
	}
	km_buf_clear(&b);
}

/* ---- the directory */

static struct kmd_store *open_store(const char *dir, const uint8_t k[32])
{
	struct kmd_store *s;
	struct kmd_fail f = {""};
	int err = kmd_store_open(&s, km_temp(dir), k, &f);

	if (err)
		print_message("# %s\n", f.text);
	assert_int_equal(err, KM_OK);
	return s;
}

static void expect(struct kmd_store *s, const char *name, const char *want)
{
	struct kmd_fail f = {""};
	uint8_t *data;
	size_t len;

	assert_int_equal(kmd_store_get(s, name, &data, &len, &f), KM_OK);
	assert_int_equal(len, strlen(want));
	assert_memory_equal(data, want, len);
	km_secret_free(data);
}

static void test_put_get(void **state)
{
	struct kmd_store *s = open_store("one", key);
	struct kmd_fail f;
	uint8_t *data;
	struct stat st;
	size_t len;

	assert_int_equal(kmd_store_get(s, "share", &data, &len, &f), KM_E_NOTFOUND);
	assert_int_equal(kmd_store_put(s, "share", "old", 3, &f), KM_OK);
	expect(s, "share", "old");
	assert_int_equal(kmd_store_put(s, "share", "newer", 5, &f), KM_OK);
	expect(s, "share", "newer");
	assert_int_equal(stat(km_temp("one/sealed/share"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(stat(km_temp("one/sealed"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	kmd_store_close(s);
	s = open_store("one", key);
	expect(s, "share", "newer");
	assert_int_equal(kmd_store_put(s, "share", NULL, 0, &f), KM_OK);
	assert_int_equal(kmd_store_get(s, "share", &data, &len, &f), KM_E_NOTFOUND);
	assert_int_equal(kmd_store_put(s, "share", NULL, 0, &f), KM_OK);
	kmd_store_close(s);
}

static void test_names(void **state)
{
	static const char *const bad[] = {"", ".", "..", ".hidden", "a/b", "A", "a b", "../x", "a\n"};
	struct kmd_store *s = open_store("names", key);
	struct kmd_fail f;
	uint8_t *data;
	size_t i, len;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(kmd_store_put(s, bad[i], "x", 1, &f), KM_E_INVAL);
		assert_int_equal(kmd_store_get(s, bad[i], &data, &len, &f), KM_E_INVAL);
	}
	kmd_store_close(s);
}

/* What a crash before the rename leaves: the old file counts, the rest is cleared away. */
static void test_crash(void **state)
{
	struct kmd_store *s = open_store("crash", key);
	struct kmd_fail f;

	assert_int_equal(kmd_store_put(s, "share", "old", 3, &f), KM_OK);
	km_temp_write("crash/sealed/.tmp-share", "half of a n", 11, 0600);
	expect(s, "share", "old");
	kmd_store_close(s);
	s = open_store("crash", key);
	assert_int_not_equal(access(km_temp("crash/sealed/.tmp-share"), F_OK), 0);
	expect(s, "share", "old");
	/* A left temporary file does not stand in the way of the next write either. */
	km_temp_write("crash/sealed/.tmp-share", "half", 4, 0600);
	assert_int_equal(kmd_store_put(s, "share", "new", 3, &f), KM_OK);
	expect(s, "share", "new");
	kmd_store_close(s);
}

struct seen {
	char names[200];
};

static int see(void *ctx, const char *name, const uint8_t *data, size_t len, struct kmd_fail *f)
{
	struct seen *s = ctx;

	snprintf(s->names + strlen(s->names), sizeof(s->names) - strlen(s->names), "%s=%.*s ", name, (int)len,
		 (const char *)data);
	return KM_OK;
}

static void test_each(void **state)
{
	struct kmd_store *s = open_store("each", key);
	struct seen seen = {""};
	struct kmd_fail f;

	assert_int_equal(kmd_store_put(s, "b", "2", 1, &f), KM_OK);
	assert_int_equal(kmd_store_put(s, "a", "1", 1, &f), KM_OK);
	assert_int_equal(kmd_store_each(s, see, &seen, &f), KM_OK);
	assert_string_equal(seen.names, "a=1 b=2 ");
	km_temp_write("each/sealed/b", "short", 5, 0600);
	assert_int_equal(kmd_store_each(s, see, &seen, &f), KM_E_SEAL);
	assert_non_null(strstr(f.text, "b is truncated"));
	km_temp_write("each/sealed/b", "", 0, 0600);
	assert_int_equal(kmd_store_each(s, see, &seen, &f), KM_E_SEAL);
	assert_non_null(strstr(f.text, "empty"));
	kmd_store_close(s);
	s = open_store("each", wrong_key);
	assert_int_equal(kmd_store_each(s, see, &seen, &f), KM_E_SEAL);
	assert_non_null(strstr(f.text, "a was sealed under another key"));
	kmd_store_close(s);
}

static void test_modes(void **state)
{
	struct kmd_store *s = open_store("modes", key);
	struct kmd_fail f;
	uint8_t *data;
	size_t len;

	assert_int_equal(kmd_store_put(s, "a", "1", 1, &f), KM_OK);
	assert_int_equal(chmod(km_temp("modes/sealed/a"), 0644), 0);
	assert_int_equal(kmd_store_get(s, "a", &data, &len, &f), KM_E_RIGHTS);
	kmd_store_close(s);
	assert_int_equal(chmod(km_temp("modes"), 0755), 0);
	assert_int_equal(kmd_store_open(&s, km_temp("modes"), key, &f), KM_E_RIGHTS);
	assert_non_null(strstr(f.text, "chmod 700"));
	assert_null(s);
}

static void test_lock(void **state)
{
	struct kmd_store *s = open_store("lock", key), *t;
	struct kmd_fail f;

	assert_int_equal(kmd_store_open(&t, km_temp("lock"), key, &f), KM_E_BUSY);
	assert_non_null(strstr(f.text, "another keymeshd"));
	kmd_store_close(s);
	t = open_store("lock", key);
	kmd_store_close(t);
}

static void test_evidence(void **state)
{
	struct kmd_store *s = open_store("ev", key);
	struct kmd_fail f;

	assert_int_equal(kmd_store_evidence(s, (const uint8_t *)"abc", 3, &f), KM_OK);
	assert_int_equal(access(km_temp("ev/evidence/ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"), F_OK),
			 0);
	kmd_store_close(s);
}

KM_TESTS(cmocka_unit_test(test_seal), cmocka_unit_test(test_seal_empty), cmocka_unit_test(test_wrong_key),
	 cmocka_unit_test(test_wrong_name), cmocka_unit_test(test_every_truncation), cmocka_unit_test(test_every_bit),
	 cmocka_unit_test(test_forged), cmocka_unit_test(test_put_get), cmocka_unit_test(test_names),
	 cmocka_unit_test(test_crash), cmocka_unit_test(test_each), cmocka_unit_test(test_modes), cmocka_unit_test(test_lock),
	 cmocka_unit_test(test_evidence))
