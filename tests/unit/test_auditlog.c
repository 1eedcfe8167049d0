/* test_auditlog.c: the audit log on a disk: entries are whole or not there; after a crash at any byte and at any step, on a full disk;
 * a log that is not what its checkpoint says is refused; what is exported can go, and proofs stay. */
#include "config.h"
#include "lib/test.h"

#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include "base/sig.h"
#include "lib/tempdir.h"
#include "mesh/audit_log.h"

#define BITS 3

/* ---- a process that dies at the nth step it takes on files (linked with --wrap) */

static atomic_int steps_left = -1;

ssize_t __real_write(int fd, const void *p, size_t n);
ssize_t __wrap_write(int fd, const void *p, size_t n);
ssize_t __real_pwrite64(int fd, const void *p, size_t n, off_t at);
ssize_t __wrap_pwrite64(int fd, const void *p, size_t n, off_t at);
ssize_t __real_pwrite(int fd, const void *p, size_t n, off_t at);
ssize_t __wrap_pwrite(int fd, const void *p, size_t n, off_t at);
int __real_fdatasync(int fd);
int __wrap_fdatasync(int fd);
int __real_fsync(int fd);
int __wrap_fsync(int fd);
int __real_renameat(int a, const char *from, int b, const char *to);
int __wrap_renameat(int a, const char *from, int b, const char *to);
int __real_unlinkat(int fd, const char *name, int flags);
int __wrap_unlinkat(int fd, const char *name, int flags);

static int last_step(void)
{
	return steps_left >= 0 && atomic_fetch_sub(&steps_left, 1) == 0;
}

/* What is written at the end is torn. */
ssize_t __wrap_write(int fd, const void *p, size_t n)
{
	if (last_step()) {
		(void)!__real_write(fd, p, n / 2);
		_exit(0);
	}
	return __real_write(fd, p, n);
}

ssize_t __wrap_pwrite(int fd, const void *p, size_t n, off_t at)
{
	if (last_step()) {
		(void)!__real_pwrite(fd, p, n / 2, at);
		_exit(0);
	}
	return __real_pwrite(fd, p, n, at);
}

ssize_t __wrap_pwrite64(int fd, const void *p, size_t n, off_t at)
{
	if (last_step()) {
		(void)!__real_pwrite64(fd, p, n / 2, at);
		_exit(0);
	}
	return __real_pwrite64(fd, p, n, at);
}

int __wrap_fdatasync(int fd)
{
	if (last_step())
		_exit(0);
	return __real_fdatasync(fd);
}

int __wrap_fsync(int fd)
{
	if (last_step())
		_exit(0);
	return __real_fsync(fd);
}

int __wrap_renameat(int a, const char *from, int b, const char *to)
{
	if (last_step())
		_exit(0);
	return __real_renameat(a, from, b, to);
}

int __wrap_unlinkat(int fd, const char *name, int flags)
{
	if (last_step())
		_exit(0);
	return __real_unlinkat(fd, name, flags);
}

/* ---- help */

static uint8_t priv[32] = {9}, pub[32];

static struct kmd_audit *open_with(const struct kmd_audit_params *p, int want)
{
	struct kmd_fail f = {""};
	struct kmd_audit *a;
	size_t cut;
	int err = kmd_audit_open(&a, p, &cut, &f);

	if (err != want)
		print_message("# %s\n", f.text);
	assert_int_equal(err, want);
	assert_int_equal(!a, want != 0);
	if (want)
		assert_true(strlen(f.text) > 20);
	return a;
}

static struct kmd_audit *open_log(const char *name)
{
	km_ed25519_public(priv, pub);
	return open_with(&(struct kmd_audit_params){.dir = km_temp(name), .bits = BITS, .pub = pub}, KM_OK);
}

static size_t draft(uint8_t out[256], unsigned n)
{
	struct km_audit_entry e = {.kind = KM_AUDIT_OPERATOR, .time_ms = 1000 + n};
	struct km_buf b;

	e.u.op.action = KM_AUDIT_DO_OTHER;
	e.u.op.uid = n;
	memset(e.u.op.text, 'a' + (int)(n % 26), n % 40);
	km_buf_init_fixed(&b, out, 256);
	assert_int_equal(km_audit_draft(&b, &e), KM_OK);
	return b.len;
}

static int append(struct kmd_audit *a, unsigned n)
{
	uint8_t d[256];
	struct kmd_fail f;

	return kmd_audit_append(a, d, draft(d, n), &f);
}

static void fill(struct kmd_audit *a, unsigned from, unsigned to)
{
	for (unsigned i = from; i < to; i++)
		assert_int_equal(append(a, i), KM_OK);
}

static void wait_synced(struct kmd_audit *a)
{
	struct pollfd p = {.fd = kmd_audit_fd(a), .events = POLLIN};
	uint64_t beats;

	while (kmd_audit_synced(a) < kmd_audit_size(a)) {
		assert_int_equal(poll(&p, 1, 10000), 1);
		assert_int_equal(read(p.fd, &beats, sizeof(beats)), sizeof(beats));
	}
}

/* What the log must be after n appends: made without files. */
static void want_root(unsigned n, uint8_t root[KM_HASH_SIZE])
{
	struct km_audit_chain c = {0};
	struct km_tree t;

	km_tree_init(&t);
	for (unsigned i = 0; i < n; i++) {
		uint8_t d[256], mem[KM_AUDIT_ENTRY_MAX], leaf[KM_HASH_SIZE];
		struct km_buf b;

		km_buf_init_fixed(&b, mem, sizeof(mem));
		assert_int_equal(km_audit_entry_make(&b, c.seq, c.prev, d, draft(d, i)), KM_OK);
		assert_int_equal(km_audit_chain_next(&c, b.data, b.len, leaf), KM_OK);
		km_tree_add(&t, leaf, NULL);
	}
	km_tree_root(&t, root);
}

static void expect(struct kmd_audit *a, unsigned n)
{
	uint8_t root[KM_HASH_SIZE], want[KM_HASH_SIZE];

	assert_int_equal(kmd_audit_size(a), n);
	kmd_audit_root(a, root);
	want_root(n, want);
	assert_memory_equal(root, want, KM_HASH_SIZE);
}

static void checkpoint(struct kmd_audit *a)
{
	struct pollfd p = {.fd = kmd_audit_fd(a), .events = POLLIN};
	uint64_t beats;
	struct km_checkpoint c = {.origin = "keymesh/mesh/a", .size = kmd_audit_size(a)};
	struct km_buf b;

	wait_synced(a);
	kmd_audit_root(a, c.root);
	km_buf_init(&b);
	km_checkpoint_sign(&b, &c, pub, priv);
	(void)!read(p.fd, &beats, sizeof(beats));
	assert_int_equal(kmd_audit_put_checkpoint(a, b.data, b.len, 1700000000000), KM_OK);
	assert_int_equal(poll(&p, 1, 10000), 1);
	km_buf_clear(&b);
}

/* ---- the tests */

static void test_append(void **state)
{
	struct kmd_audit *a = open_log("a");
	struct km_tree_proof p;
	uint8_t old[60][KM_HASH_SIZE];
	struct stat st;

	for (unsigned n = 0; n < 60; n++) {
		expect(a, n);
		kmd_audit_root(a, old[n]);
		if (n % 7 == 3) {
			kmd_audit_close(a);
			a = open_log("a");
			expect(a, n);
		}
		fill(a, n, n + 1);
	}
	wait_synced(a);
	for (unsigned n = 1; n < 60; n++) {
		for (unsigned m = 0; m <= n; m++) {
			assert_int_equal(kmd_audit_prove(a, m, n, &p), KM_OK);
			assert_int_equal(km_tree_check_consistent(&p, m, old[m], n, old[n]), KM_OK);
		}
	}
	assert_int_equal(kmd_audit_prove(a, 3, 61, &p), KM_E_RANGE);
	assert_true(kmd_audit_bytes(a) > 60 * KM_AUDIT_HEAD);
	kmd_audit_close(a);
	assert_int_equal(stat(km_temp("a/0000000007.log"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(stat(km_temp("a/0000000006.tree"), &st), 0);
	assert_int_equal(st.st_size, 15 * 32);
	assert_int_equal(stat(km_temp("a/roots"), &st), 0);
	assert_int_equal(st.st_size, 11 * 32);
}

static size_t load(const char *name, uint8_t *out, size_t max)
{
	int fd = open(km_temp(name), O_RDONLY);
	ssize_t n = read(fd, out, max);

	assert_true(n >= 0);
	close(fd);
	return (size_t)n;
}

/* The machine crashed in the midst of an entry: every length of the last segment, and of the roots. */
static void test_cut(void **state)
{
	static uint8_t seg[4096], roots[4096];
	struct kmd_audit *a = open_log("cut");
	size_t n, n_roots, whole = 0;
	unsigned entries = 8;

	fill(a, 0, 13);
	kmd_audit_close(a);
	n = load("cut/0000000001.log", seg, sizeof(seg));
	n_roots = load("cut/roots", roots, sizeof(roots));
	assert_int_equal(n_roots, 32);
	for (size_t len = 0; len <= n; len++) {
		if (len >= KMD_AUDIT_SEG_HEAD + 2 && len == whole + 2 + ((size_t)seg[whole] << 8 | seg[whole + 1])) {
			entries++;
			whole = len;
		} else if (len <= KMD_AUDIT_SEG_HEAD) {
			whole = KMD_AUDIT_SEG_HEAD;
		}
		km_temp_write("cut/0000000001.log", seg, len, 0600);
		a = open_log("cut");
		expect(a, entries);
		/* and goes on */
		fill(a, entries, 14);
		kmd_audit_close(a);
		a = open_log("cut");
		expect(a, 14);
		kmd_audit_close(a);
	}
	assert_int_equal(entries, 13);
	km_temp_write("cut/0000000001.log", seg, n, 0600);
	for (size_t len = 0; len < n_roots; len++) {
		km_temp_write("cut/roots", roots, len, 0600);
		a = open_log("cut");
		expect(a, 13);
		kmd_audit_close(a);
	}
	/* garbage behind the last entry, as a file system may leave it */
	memset(seg + n, 0, 100);
	km_temp_write("cut/0000000001.log", seg, n + 100, 0600);
	a = open_log("cut");
	expect(a, 13);
	kmd_audit_close(a);
}

/* What a checkpoint covers cannot go, nor change. */
static void test_covered(void **state)
{
	static uint8_t seg[4096], bad[4096];
	struct kmd_audit_params p = {.dir = km_temp("cov"), .bits = BITS, .pub = pub};
	struct kmd_audit *a = open_log("cov");
	size_t n, all;

	fill(a, 0, 11);
	checkpoint(a);
	kmd_audit_close(a);
	n = load("cov/0000000001.log", seg, sizeof(seg));
	a = open_log("cov");
	fill(a, 11, 13);
	kmd_audit_close(a);
	all = load("cov/0000000001.log", seg, sizeof(seg));
	for (size_t at = KMD_AUDIT_SEG_HEAD; at < n; at++) {
		p.dir = km_temp("cov");
		memcpy(bad, seg, all);
		bad[at] ^= 1;
		km_temp_write("cov/0000000001.log", bad, all, 0600);
		(void)open_with(&p, KM_E_MISMATCH);
	}
	for (size_t len = KMD_AUDIT_SEG_HEAD; len < n; len++) {
		p.dir = km_temp("cov");
		km_temp_write("cov/0000000001.log", seg, len, 0600);
		(void)open_with(&p, KM_E_MISMATCH);
	}
	p.dir = km_temp("cov");
	km_temp_write("cov/0000000001.log", seg, n, 0600);
	kmd_audit_close(open_with(&p, KM_OK));
	/* all of it away */
	assert_int_equal(unlink(km_temp("cov/0000000001.log")), 0);
	(void)open_with(&p, KM_E_MISMATCH);
	/* an edited tree of a full segment */
	km_temp_write("cov/0000000001.log", seg, n, 0600);
	n = load("cov/roots", bad, sizeof(bad));
	bad[1] ^= 1;
	km_temp_write("cov/roots", bad, n, 0600);
	(void)open_with(&p, KM_E_MISMATCH);
}

static void test_refused(void **state)
{
	struct kmd_audit_params p = {.dir = km_temp("old"), .pub = pub};
	struct kmd_fail f;
	struct kmd_audit *a;
	size_t cut;

	km_temp_write("old", "\0\0\0\3one", 7, 0600);
	assert_int_equal(kmd_audit_open(&a, &p, &cut, &f), KM_E_VERSION);
	assert_non_null(strstr(f.text, "earlier version"));
	p.dir = km_temp("none/audit");
	(void)open_with(&p, KM_E_IO);
	kmd_audit_close(open_log("ver"));
	km_temp_write("ver/0000000000.log", "keymesh-audit 3\n................................................", 64, 0600);
	p.dir = km_temp("ver");
	(void)open_with(&p, KM_E_VERSION);
	kmd_audit_close(open_log("bits"));
	p.bits = 4;
	p.dir = km_temp("bits");
	a = open_log("bits");
	fill(a, 0, 1);
	kmd_audit_close(a);
	(void)open_with(&p, KM_E_MISMATCH);
}

/* No space: the entry is refused and leaves no trace; what is owed comes first, and in its order. */
static void test_full(void **state)
{
	struct kmd_audit *a = open_log("full");
	struct rlimit old, small;
	uint8_t d[256];
	struct stat st;
	struct kmd_fail f;

	fill(a, 0, 1);
	wait_synced(a);
	assert_int_equal(stat(km_temp("full/0000000000.log"), &st), 0);
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	small.rlim_cur = (rlim_t)st.st_size + 20;
	small.rlim_max = old.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	assert_int_equal(append(a, 1), KM_E_IO);
	expect(a, 1);
	kmd_audit_owe(a, d, draft(d, 1));
	kmd_audit_owe(a, d, draft(d, 2));
	assert_int_equal(kmd_audit_settle(a, &f), KM_E_IO);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	assert_int_equal(stat(km_temp("full/0000000000.log"), &st), 0);
	assert_int_equal(st.st_size, small.rlim_cur - 20);
	assert_int_equal(kmd_audit_settle(a, &f), KM_OK);
	expect(a, 3);
	/* nor for the next segment */
	fill(a, 3, 8);
	small.rlim_cur = 10;
	wait_synced(a);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	assert_int_equal(append(a, 8), KM_E_IO);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	fill(a, 8, 9);
	kmd_audit_owe(a, d, draft(d, 9));
	kmd_audit_close(a);
	a = open_log("full");
	expect(a, 10);
	kmd_audit_close(a);
}

/* kill -9 at every step on files. What append returned for is there; what is there is what was appended. */
static void test_killed(void **state)
{
	unsigned told = 0, had = 0, rounds = 0;
	int ends = 0;

	for (int at = 0; !ends; at++, rounds++) {
		struct kmd_audit *a;
		int fds[2], status;
		unsigned n = 0;
		char name[32];
		uint8_t byte;
		pid_t pid;

		snprintf(name, sizeof(name), "kill%d", at);
		assert_int_equal(pipe(fds), 0);
		a = open_log(name);
		fill(a, 0, 5);
		kmd_audit_close(a);
		pid = fork();
		assert_true(pid >= 0);
		if (!pid) {
			close(fds[0]);
			a = open_log(name);
			steps_left = at;
			for (unsigned i = 5; i < 20; i++) {
				if (append(a, i))
					_exit(3);
				if (__real_write(fds[1], "", 1) != 1)
					_exit(4);
			}
			kmd_audit_close(a);
			_exit(steps_left >= 0 ? 7 : 0);
		}
		close(fds[1]);
		while (read(fds[0], &byte, 1) == 1)
			n++;
		close(fds[0]);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFEXITED(status));
		ends = WEXITSTATUS(status) == 7;
		assert_true(ends || WEXITSTATUS(status) == 0);
		a = open_log(name);
		assert_in_range(kmd_audit_size(a), 5 + n, 5 + n + 1);
		expect(a, (unsigned)kmd_audit_size(a));
		told += n;
		had += (unsigned)kmd_audit_size(a) - 5;
		fill(a, (unsigned)kmd_audit_size(a), 33);
		kmd_audit_close(a);
		a = open_log(name);
		expect(a, 33);
		kmd_audit_close(a);
	}
	print_message("# killed at %u steps; %u entries were told, %u were there\n", rounds, told, had);
	assert_true(rounds > 20);
}

/* What has a copy elsewhere goes when there is too much; roots stay, and with them the proofs at the ends of segments. */
static void test_export(void **state)
{
	struct kmd_audit_params p = {.dir = km_temp("exp"), .bits = BITS, .pub = pub, .export_dir = km_temp("copy"), .publish_dir = km_temp("copy"), .max_bytes = 3000};
	struct km_tree_proof proof;
	uint8_t root[KM_HASH_SIZE], want[KM_HASH_SIZE], one[4096];
	struct kmd_audit *a;
	struct kmd_fail f;
	struct stat st;

	assert_int_equal(mkdir(km_temp("copy"), 0700), 0);
	km_ed25519_public(priv, pub);
	a = open_with(&p, KM_OK);
	for (unsigned n = 0; n < 100; n += 4) {
		fill(a, n, n + 4);
		wait_synced(a);
	}
	checkpoint(a);
	assert_int_equal(stat(km_temp("copy/latest"), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0644);
	assert_int_equal(stat(km_temp("copy/checkpoint-2023-11-14"), &st), 0);
	assert_false(kmd_audit_complaint(a, &f));
	assert_true(kmd_audit_bytes(a) < 3000 + 1000);
	assert_true(kmd_audit_first(a) > 0);
	assert_int_equal(kmd_audit_first(a) % 8, 0);
	expect(a, 100);
	assert_int_equal(stat(km_temp("exp/0000000000.log"), &st), -1);
	for (unsigned m = 8; m < 100; m += 8) {
		assert_int_equal(kmd_audit_prove(a, m, 100, &proof), KM_OK);
		want_root(m, want);
		kmd_audit_root(a, root);
		assert_int_equal(km_tree_check_consistent(&proof, m, want, 100, root), KM_OK);
	}
	kmd_audit_close(a);
	/* the copy is a log by itself */
	assert_true(load("copy/0000000000.log", one, sizeof(one)) > KMD_AUDIT_SEG_HEAD);
	a = open_with(&p, KM_OK);
	expect(a, 100);
	kmd_audit_close(a);
	/* nowhere to export to: nothing goes, and somebody is told */
	p.dir = km_temp("keep");
	p.export_dir = p.publish_dir = NULL;
	a = open_with(&p, KM_OK);
	fill(a, 0, 100);
	wait_synced(a);
	assert_true(kmd_audit_complaint(a, &f));
	assert_non_null(strstr(f.text, "keymesh audit export"));
	assert_false(kmd_audit_complaint(a, &f));
	assert_int_equal(kmd_audit_first(a), 0);
	assert_true(kmd_audit_bytes(a) > 3000);
	kmd_audit_close(a);
}

KM_TESTS(cmocka_unit_test(test_append), cmocka_unit_test(test_cut), cmocka_unit_test(test_covered), cmocka_unit_test(test_refused),
	 cmocka_unit_test(test_full), cmocka_unit_test(test_killed), cmocka_unit_test(test_export))
