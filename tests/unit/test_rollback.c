/* test_rollback.c: a state that was put back to an earlier time is refused, whatever was between; a crash is not taken for one. */
#include "config.h"
#include "lib/test.h"

#include <stdio.h>
#include "lib/tempdir.h"
#include "mesh/rollback.h"

static const uint8_t key[32] = {1};
static struct kmd_config conf;
static char dir[300], file[300];

static int start(int *warn, struct kmd_fail *f)
{
	struct kmd_store *s;
	int err = kmd_store_open(&s, dir, key, f);

	assert_int_equal(err, KM_OK);
	err = kmd_rollback_start(s, &conf, warn, f);
	kmd_store_close(s);
	return err;
}

static void with_store(int (*fn)(struct kmd_store *s, const struct kmd_config *c, struct kmd_fail *f))
{
	struct kmd_store *s;
	struct kmd_fail f;

	assert_int_equal(kmd_store_open(&s, dir, key, &f), KM_OK);
	assert_int_equal(fn(s, &conf, &f), KM_OK);
	kmd_store_close(s);
}

static void copy(const char *from, const char *to)
{
	uint8_t data[300];
	FILE *f = fopen(from, "r");
	size_t n;

	assert_non_null(f);
	n = fread(data, 1, sizeof(data), f);
	fclose(f);
	f = fopen(to, "w");
	assert_non_null(f);
	assert_int_equal(fwrite(data, 1, n, f), n);
	fclose(f);
	assert_int_equal(chmod(to, 0600), 0);
}

static char inner[300], was[300], outer_was[300];

static int prepare(void **state)
{
	memset(&conf, 0, sizeof(conf));
	snprintf(dir, sizeof(dir), "%s", km_temp("state"));
	snprintf(file, sizeof(file), "%s", km_temp("counter"));
	snprintf(inner, sizeof(inner), "%s", km_temp("state/sealed/counter"));
	snprintf(was, sizeof(was), "%s", km_temp("was"));
	snprintf(outer_was, sizeof(outer_was), "%s", km_temp("outer-was"));
	conf.state_dir = dir;
	conf.state_counter = file;
	conf.settings.identity.pub[0] = 0xab;
	(void)unlink(file);
	(void)unlink(inner);
	return 0;
}

static void test_starts(void **state)
{
	struct kmd_fail f = {""};
	int warn;

	for (unsigned i = 0; i < 5; i++) {
		assert_int_equal(start(&warn, &f), KM_OK);
		assert_int_equal(warn, 0);
	}
	copy(inner, was);
	copy(file, outer_was);
	assert_int_equal(start(&warn, &f), KM_OK);
	/* the state goes back by one start: refused, again and again */
	copy(was, inner);
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(start(&warn, &f), KM_E_STALE);
		assert_non_null(strstr(f.text, "older than it was: it counts 5"));
		assert_non_null(strstr(f.text, "counts 6"));
	}
	/* both go back: nothing can be seen */
	copy(outer_was, file);
	assert_int_equal(start(&warn, &f), KM_OK);
	assert_int_equal(warn, 0);
}

/* Also without a start in between. */
static void test_share(void **state)
{
	struct kmd_fail f = {""};
	int warn;

	assert_int_equal(start(&warn, &f), KM_OK);
	copy(inner, was);
	with_store(kmd_rollback_count);
	copy(was, inner);
	assert_int_equal(start(&warn, &f), KM_E_STALE);
	/* an empty disk too, until the operator says that he means it */
	assert_int_equal(unlink(inner), 0);
	assert_int_equal(start(&warn, &f), KM_E_STALE);
	with_store(kmd_rollback_accept);
	assert_int_equal(start(&warn, &f), KM_OK);
}

static void test_crash(void **state)
{
	struct kmd_fail f = {""};
	int warn;

	assert_int_equal(start(&warn, &f), KM_OK);
	copy(file, outer_was);
	assert_int_equal(start(&warn, &f), KM_OK);
	/* between the two */
	copy(outer_was, file);
	assert_int_equal(start(&warn, &f), KM_OK);
	assert_int_equal(warn, 0);
	/* the file itself went back further, or is gone */
	copy(outer_was, file);
	assert_int_equal(start(&warn, &f), KM_OK);
	assert_int_equal(warn, 1);
	assert_int_equal(unlink(file), 0);
	assert_int_equal(start(&warn, &f), KM_OK);
	assert_int_equal(warn, 1);
}

static void test_files(void **state)
{
	static const char *const bad[] = {"hello", "keymesh-counter ab00000000000000 \n", "keymesh-counter ab00000000000000 0\n",
					  "keymesh-counter ab00000000000000 7", "keymesh-counter ab00000000000000 7x\n"};
	struct kmd_fail f = {""};
	int warn;

	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		km_temp_write("counter", bad[i], strlen(bad[i]), 0600);
		assert_int_equal(start(&warn, &f), KM_E_ENCODING);
	}
	km_temp_write("counter", "keymesh-counter ac00000000000000 7\n", 35, 0600);
	assert_int_equal(start(&warn, &f), KM_E_ENCODING);
	assert_non_null(strstr(f.text, "counts for another peer"));
	conf.state_counter = NULL;
	assert_int_equal(start(&warn, &f), KM_OK);
	assert_int_not_equal(access(inner, F_OK), 0);
}

KM_TESTS(cmocka_unit_test_setup(test_starts, prepare), cmocka_unit_test_setup(test_share, prepare),
	 cmocka_unit_test_setup(test_crash, prepare), cmocka_unit_test_setup(test_files, prepare))
