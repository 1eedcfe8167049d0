/* test_store_faults.c: the store on a medium that refuses steps and loses its power at any of them (lib/faultfs.h). */
#include "config.h"
#include "lib/test.h"

#include "base/secret.h"
#include "lib/faultfs.h"
#include "lib/tempdir.h"
#include "mesh/files.h"
#include "mesh/seal.h"
#include "mesh/store.h"

static const uint8_t key[32] = {1, 2, 3}, new_key[32] = {7, 8, 9};
static const char old_text[] = "the share of the epoch before", new_text[] = "the share of the next epoch, of another length";

#define NONE ((const char *)NULL)

static struct kmd_store *open_with(const uint8_t k[32], struct kmd_fail *f)
{
	struct kmd_store *s;

	return kmd_store_open(&s, km_temp("state"), k, f) ? NULL : s;
}

static void put(struct kmd_store *s, const char *name, const char *text)
{
	struct kmd_fail f;

	assert_int_equal(kmd_store_put(s, name, text, strlen(text), &f), KM_OK);
}

/* 1 when the file opens and is this; NONE: when there is none. */
static int is(struct kmd_store *s, const char *name, const char *text)
{
	struct kmd_fail f = {""};
	uint8_t *data;
	size_t len;
	int err = kmd_store_get(s, name, &data, &len, &f), same;

	same = text ? !err && len == strlen(text) && !memcmp(data, text, len) : err == KM_E_NOTFOUND;
	km_secret_free(data);
	return same;
}

/* A directory with "share" (old_text, or none), "b" and "c", watched from now on. */
static struct kmd_store *begin(const char *text)
{
	struct kmd_store *s;
	struct kmd_fail f;

	ffs_reset();
	s = open_with(key, &f);
	if (!s) { /* the test before left it under the other key, half-way perhaps */
		unsigned n;
		int err;

		s = open_with(new_key, &f);
		assert_non_null(s);
		err = kmd_store_reseal(s, key, &n, &f);
		assert_true(!err || err == KM_E_EXISTS);
	}
	assert_int_equal(kmd_store_put(s, "share", text, text ? strlen(text) : 0, &f), KM_OK);
	put(s, "b", "second file");
	put(s, "c", "third file");
	ffs_reset();
	ffs_watch(km_temp("state"));
	ffs_watch(km_temp("state/sealed"));
	return s;
}

/* ---- one put, one removal */

struct change {
	const char *from, *to;
};
static const struct change changes[] = {{NONE, new_text}, {old_text, new_text}, {old_text, NONE}};

static int do_change(struct kmd_store *s, const struct change *c, struct kmd_fail *f)
{
	return kmd_store_put(s, "share", c->to, c->to ? strlen(c->to) : 0, f);
}

/* Every medium that a cut at this step may leave has the old or the new file; when the store said it is done, the new one. */
static void check_media(const struct change *c, int done)
{
	unsigned n = ffs_unsafe_names();

	for (unsigned names = 0; names < 1u << n; names++) {
		for (int bytes = 0; bytes < FFS_BYTES_N; bytes++) {
			struct kmd_fail f = {""};
			struct kmd_store *s;

			ffs_disk(names, (enum ffs_bytes)bytes);
			s = open_with(key, &f);
			if (!s)
				print_message("# %s\n", f.text);
			assert_non_null(s);
			assert_true(is(s, "share", c->to) || (!done && is(s, "share", c->from)));
			assert_true(is(s, "b", "second file") && is(s, "c", "third file"));
			kmd_store_close(s);
		}
	}
}

static void test_cut(void **state)
{
	unsigned media = 0;

	for (unsigned i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		for (unsigned at = 0, hit = 1; hit; at++) {
			struct kmd_store *s = begin(changes[i].from);
			struct kmd_fail f;
			int err;

			ffs_arm(FFS_CUT, at);
			err = do_change(s, &changes[i], &f);
			hit = (unsigned)ffs_hit();
			kmd_store_close(s);
			ffs_arm(FFS_NONE, 0);
			assert_true(hit || !err);
			media += (1u << ffs_unsafe_names()) * FFS_BYTES_N;
			check_media(&changes[i], !err);
			assert_true(at < 100);
		}
	}
	print_message("# %u media\n", media);
	assert_true(media > 100);
}

static void test_refused(void **state)
{
	for (unsigned i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		for (unsigned at = 0, hit = 1; hit; at++) {
			struct kmd_store *s = begin(changes[i].from);
			struct kmd_fail f = {""};
			int err;

			ffs_arm(FFS_REFUSE, at);
			err = do_change(s, &changes[i], &f);
			hit = (unsigned)ffs_hit();
			ffs_arm(FFS_NONE, 0);
			assert_true(is(s, "share", changes[i].to) || (err && is(s, "share", changes[i].from)));
			assert_true(!err || strstr(f.text, "Input/output error"));
			assert_int_equal(do_change(s, &changes[i], &f), KM_OK);
			assert_true(is(s, "share", changes[i].to));
			kmd_store_close(s);
			assert_true(at < 100);
		}
	}
}

static void sealed_bytes(const char *name, uint8_t out[40])
{
	struct kmd_fail f;
	uint8_t *raw;
	size_t n;

	assert_int_equal(kmd_file_read(km_temp(name), 0, 8000, &raw, &n, &f), KM_OK);
	assert_true(n > 60);
	memcpy(out, raw + 20, 40);
	km_secret_free(raw);
}

/* The medium does not keep what was replaced or removed, when it writes in place. */
static void test_erased(void **state)
{
	uint8_t was[40];

	for (unsigned i = 1; i < sizeof(changes) / sizeof(changes[0]); i++) {
		struct kmd_store *s = begin(changes[i].from);
		struct kmd_fail f;

		sealed_bytes("state/sealed/share", was);
		assert_true(ffs_on_medium(was, sizeof(was)));
		assert_int_equal(do_change(s, &changes[i], &f), KM_OK);
		assert_false(ffs_on_medium(was, sizeof(was)));
		kmd_store_close(s);
	}
}

/* What a crash left is erased at the next start. */
static void test_leftovers_erased(void **state)
{
	static const char *const left[] = {"state/sealed/.tmp-share", "state/sealed/.gone-share", "state/.gone-reseal"};
	struct kmd_store *s = begin(old_text);
	uint8_t was[40];
	struct kmd_fail f;

	sealed_bytes("state/sealed/share", was);
	kmd_store_close(s);
	for (unsigned i = 0; i < sizeof(left) / sizeof(left[0]); i++) {
		km_temp_write(left[i], was, sizeof(was), 0600);
		ffs_reset();
		ffs_watch(km_temp("state"));
		ffs_watch(km_temp("state/sealed"));
		km_temp_write("state/sealed/share", "", 0, 0600);
		s = open_with(key, &f);
		assert_non_null(s);
		kmd_store_close(s);
		assert_int_not_equal(access(km_temp(left[i]), F_OK), 0);
	}
	kmd_store_close(begin(old_text));
}

/* ---- re-sealing */

static int is_all(struct kmd_store *s)
{
	return is(s, "share", old_text) && is(s, "b", "second file") && is(s, "c", "third file");
}

static void tag_text(char out[17], const uint8_t k[32])
{
	uint8_t tag[KMD_SEAL_TAG];

	kmd_seal_key_tag(tag, k);
	kmd_hex_encode(out, tag, sizeof(tag));
}

/* It opens with one of the two keys, all files and no trace of the other key; with the other one the error names that key. */
static unsigned one_key_opens(void)
{
	struct kmd_fail f[2] = {{""}, {""}};
	const uint8_t *keys[2] = {key, new_key};
	unsigned opens = 0;
	char tag[17];

	for (unsigned i = 0; i < 2; i++) {
		struct kmd_store *s = open_with(keys[i], &f[i]);

		if (s && is(s, "b", "second file")) {
			assert_true(is_all(s));
			assert_int_not_equal(access(km_temp("state/reseal"), F_OK), 0);
			opens |= 1u << i;
		} else if (s) {
			struct kmd_fail why;
			uint8_t *data;
			size_t len;

			assert_int_equal(kmd_store_get(s, "b", &data, &len, &why), KM_E_SEAL);
			f[i] = why;
		}
		kmd_store_close(s);
	}
	assert_true(opens == 1 || opens == 2);
	tag_text(tag, keys[opens >> 1]);
	assert_non_null(strstr(f[opens == 1].text, "it wants key"));
	assert_non_null(strstr(f[opens == 1].text, tag));
	return opens;
}

static void test_reseal_cut(void **state)
{
	unsigned seen = 0, media = 0, hit = 1;

	for (unsigned at = 0; hit; at++) {
		struct kmd_store *s = begin(old_text);
		struct kmd_fail f;
		unsigned n;
		int err;

		ffs_arm(FFS_CUT, at);
		err = kmd_store_reseal(s, new_key, &n, &f);
		hit = (unsigned)ffs_hit();
		kmd_store_close(s);
		ffs_arm(FFS_NONE, 0);
		assert_true(hit ? n <= 3 : !err && n == 3);
		for (unsigned names = 0; names < 1u << ffs_unsafe_names(); names++) {
			for (int bytes = 0; bytes < FFS_BYTES_N; bytes++, media++) {
				unsigned opens;

				ffs_disk(names, (enum ffs_bytes)bytes);
				opens = one_key_opens();
				assert_true(hit || opens == 2);
				seen |= opens;
			}
		}
		assert_true(at < 200);
	}
	print_message("# %u media\n", media);
	assert_int_equal(seen, 3);
}

static void test_reseal_refused(void **state)
{
	unsigned hit = 1, n;

	for (unsigned at = 0; hit; at++) {
		struct kmd_store *s = begin(old_text);
		struct kmd_fail f = {""};
		int err;

		ffs_arm(FFS_REFUSE, at);
		err = kmd_store_reseal(s, new_key, &n, &f);
		hit = (unsigned)ffs_hit();
		ffs_arm(FFS_NONE, 0);
		/* the daemon goes on, and the operator asks again */
		assert_true(is_all(s));
		put(s, "b", "second file");
		assert_true(is_all(s));
		if (err)
			assert_true(kmd_store_reseal(s, new_key, &n, &f) == KM_OK || strstr(f.text, "already"));
		kmd_store_close(s);
		assert_int_equal(one_key_opens(), 2);
		assert_true(at < 200);
	}
}

static void test_reseal(void **state)
{
	struct kmd_store *s = begin(old_text);
	char tag[17], want[17];
	struct kmd_fail f;
	uint8_t was[40];
	unsigned n;

	sealed_bytes("state/sealed/share", was);
	assert_int_equal(kmd_store_reseal(s, key, &n, &f), KM_E_EXISTS);
	assert_int_equal(kmd_store_reseal(s, new_key, &n, &f), KM_OK);
	assert_int_equal(n, 3);
	assert_true(is_all(s));
	kmd_store_key_tag(s, tag);
	tag_text(want, new_key);
	assert_string_equal(tag, want);
	assert_false(ffs_on_medium(was, sizeof(was)));
	put(s, "b", "second file");
	kmd_store_close(s);
	assert_int_equal(one_key_opens(), 2);
}

/* ---- the layer itself: it must see what is wrong with a careless writer */

static void careless(int sync_data, int sync_name)
{
	int dirfd = open(km_temp("state/sealed"), O_RDONLY | O_DIRECTORY), fd;

	fd = openat(dirfd, ".tmp-b", O_WRONLY | O_CREAT | O_TRUNC, 0600);
	assert_int_equal(write(fd, "a careless writer's bytes", 25), 25);
	if (sync_data)
		assert_int_equal(fsync(fd), 0);
	close(fd);
	assert_int_equal(renameat(dirfd, ".tmp-b", dirfd, "b"), 0);
	if (sync_name)
		assert_int_equal(fsync(dirfd), 0);
	close(dirfd);
}

static unsigned different_media(void)
{
	unsigned seen = 0;

	for (unsigned names = 0; names < 1u << ffs_unsafe_names(); names++) {
		for (int bytes = 0; bytes < FFS_BYTES_N; bytes++) {
			struct kmd_fail f;
			uint8_t *raw;
			size_t n;
			int err;

			ffs_disk(names, (enum ffs_bytes)bytes);
			err = kmd_file_read(km_temp("state/sealed/b"), 0, 8000, &raw, &n, &f);
			if (!err && n == 25 && !memcmp(raw, "a careless writer's bytes", n))
				seen |= 1; /* new */
			else if (!err && !memcmp(raw, "KMSEAL", 6))
				seen |= 2; /* old */
			else
				seen |= 4; /* neither */
			km_secret_free(raw);
		}
	}
	return seen;
}

static void test_layer(void **state)
{
	static const struct {
		int data, name;
		unsigned seen;
	} cases[] = {{0, 0, 7}, {0, 1, 5}, {1, 0, 3}, {1, 1, 1}};

	for (unsigned i = 0; i < 4; i++) {
		kmd_store_close(begin(old_text));
		ffs_arm(FFS_NONE, 0);
		careless(cases[i].data, cases[i].name);
		assert_int_equal(different_media(), cases[i].seen);
	}
	kmd_store_close(begin(old_text));
}

KM_TESTS(cmocka_unit_test(test_layer), cmocka_unit_test(test_cut), cmocka_unit_test(test_refused), cmocka_unit_test(test_erased),
	 cmocka_unit_test(test_leftovers_erased), cmocka_unit_test(test_reseal), cmocka_unit_test(test_reseal_cut),
	 cmocka_unit_test(test_reseal_refused))
