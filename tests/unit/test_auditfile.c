/* test_auditfile.c: entries are whole or not there; after a crash, on a full disk, when the file is moved away. */
#include "config.h"
#include "lib/test.h"

#include <signal.h>
#include <sys/resource.h>
#include "lib/tempdir.h"
#include "mesh/auditfile.h"

static struct kmd_auditfile *open_log(const char *name)
{
	struct kmd_auditfile *a;
	struct kmd_fail f = {""};
	int err = kmd_auditfile_open(&a, km_temp(name), &f);

	if (err)
		print_message("# %s\n", f.text);
	assert_int_equal(err, KM_OK);
	return a;
}

static void append(struct kmd_auditfile *a, const char *entry)
{
	struct kmd_fail f;

	assert_int_equal(kmd_auditfile_append(a, entry, strlen(entry), &f), KM_OK);
}

static void expect(const char *name, const char *want, size_t len)
{
	char got[200];
	FILE *in = fopen(km_temp(name), "r");
	size_t n;

	assert_non_null(in);
	n = fread(got, 1, sizeof(got), in);
	fclose(in);
	assert_int_equal(n, len);
	assert_memory_equal(got, want, len);
}

#define ONE "\0\0\0\3one"
#define TWO "\0\0\0\0"
#define THREE "\0\0\0\5three"

static void test_append(void **state)
{
	struct kmd_auditfile *a = open_log("a");
	struct stat st;

	append(a, "one");
	append(a, "");
	/* there at once: a killed process loses nothing */
	expect("a", ONE TWO, 11);
	kmd_auditfile_close(a);
	a = open_log("a");
	assert_int_equal(kmd_auditfile_size(a), 11);
	append(a, "three");
	kmd_auditfile_close(a);
	expect("a", ONE TWO THREE, 20);
	assert_int_equal(stat(km_temp("a"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
}

/* The machine crashed in the midst of an entry: every length is cut back to the whole ones. */
static void test_cut(void **state)
{
	size_t n;

	for (n = 0; n <= 20; n++) {
		struct kmd_auditfile *a;

		km_temp_write("cut", ONE TWO THREE, n, 0600);
		a = open_log("cut");
		assert_int_equal(kmd_auditfile_size(a), n < 7 ? 0 : n < 11 ? 7 : n < 20 ? 11 : 20);
		kmd_auditfile_close(a);
	}
}

static void test_damaged(void **state)
{
	struct kmd_auditfile *a;
	struct kmd_fail f;

	km_temp_write("damaged", "\xff\0\0\0xxxx", 8, 0600);
	assert_int_equal(kmd_auditfile_open(&a, km_temp("damaged"), &f), KM_E_ENCODING);
	assert_non_null(strstr(f.text, "move it away"));
	assert_null(a);
	assert_int_equal(kmd_auditfile_open(&a, km_temp("none/audit"), &f), KM_E_IO);
	assert_int_equal(kmd_auditfile_open(&a, "/dev/null", &f), KM_E_IO);
}

static void test_reopen(void **state)
{
	struct kmd_auditfile *a = open_log("r");
	struct kmd_fail f;

	append(a, "one");
	assert_int_equal(rename(km_temp("r"), km_temp("r.1")), 0);
	append(a, "");
	assert_int_equal(kmd_auditfile_reopen(a, &f), KM_OK);
	append(a, "three");
	expect("r.1", ONE TWO, 11);
	expect("r", THREE, 9);
	kmd_auditfile_close(a);
}

/* No space: the entry is refused and leaves no trace; with space again it goes on. */
static void test_full(void **state)
{
	struct kmd_auditfile *a = open_log("full");
	struct rlimit old, small = {9, RLIM_INFINITY};
	struct kmd_fail f;

	append(a, "one");
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	small.rlim_max = old.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	assert_int_equal(kmd_auditfile_append(a, "three", 5, &f), KM_E_IO);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	expect("full", ONE, 7);
	append(a, "three");
	expect("full", ONE THREE, 16);
	kmd_auditfile_close(a);
}

/* What could not be written is owed, and nothing is settled before all of it stands in its order; also over a reopening, and at the
 * end. */
static void test_owed(void **state)
{
	struct kmd_auditfile *a = open_log("owed");
	struct rlimit old, small = {9, RLIM_INFINITY};
	struct kmd_fail f;

	append(a, "one");
	assert_int_equal(kmd_auditfile_settle(a, &f), KM_OK);
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	small.rlim_max = old.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	kmd_auditfile_owe(a, "three", 5);
	kmd_auditfile_owe(a, "one", 3);
	assert_int_equal(kmd_auditfile_settle(a, &f), KM_E_IO);
	assert_int_equal(kmd_auditfile_reopen(a, &f), KM_OK);
	assert_int_equal(kmd_auditfile_settle(a, &f), KM_E_IO);
	expect("owed", ONE, 7);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	assert_int_equal(kmd_auditfile_settle(a, &f), KM_OK);
	expect("owed", ONE THREE ONE, 23);
	assert_int_equal(kmd_auditfile_settle(a, &f), KM_OK);
	kmd_auditfile_owe(a, "three", 5);
	kmd_auditfile_close(a);
	expect("owed", ONE THREE ONE THREE, 32);
}

KM_TESTS(cmocka_unit_test(test_append), cmocka_unit_test(test_cut), cmocka_unit_test(test_damaged), cmocka_unit_test(test_reopen),
	 cmocka_unit_test(test_full), cmocka_unit_test(test_owed))
