/* What the audit log costs: CPU of one entry of a share in the loop and in the log's own thread, bytes for each logged signature, and how
 * long it takes to start with a log of a million entries, to verify it, and to prove one of them.
 *
 *	bench_audit [ENTRIES [DIR]]
 */
#include "config.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>
#include "base/sig.h"
#include "mesh/audit_log.h"
#include "mesh/audit_read.h"

static void die(const char *what)
{
	fprintf(stderr, "bench_audit: %s\n", what);
	exit(1);
}

static double cpu_s(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	return remove(path);
}

static size_t draft(uint8_t out[KM_AUDIT_ENTRY_MAX], unsigned kind, uint64_t n)
{
	struct km_audit_entry e = {.kind = (uint8_t)kind, .time_ms = 1700000000000 + n};
	struct km_buf b;

	if (kind == KM_AUDIT_SHARE) {
		memcpy(e.u.share.presig_id, &n, sizeof(n));
		e.u.share.context = 1;
		e.u.share.owner = 1;
		e.u.share.quorum = 7;
		e.u.share.n = 33;
	} else {
		memcpy(e.u.signature.presig_id, &n, sizeof(n));
		e.u.signature.n = 32;
	}
	km_buf_init_fixed(&b, out, KM_AUDIT_ENTRY_MAX);
	if (km_audit_draft(&b, &e))
		die("no draft");
	return b.len;
}

static struct kmd_audit *open_log(const char *dir)
{
	struct kmd_audit_params p = {.dir = dir, .flush_ms = 50};
	struct kmd_audit *a;
	struct kmd_fail f;
	size_t cut;

	if (kmd_audit_open(&a, &p, &cut, &f))
		die(f.text);
	return a;
}

int main(int argc, char **argv)
{
	unsigned long n = argc > 1 ? strtoul(argv[1], NULL, 10) : 1000000;
	char temp[] = "/tmp/keymesh-bench.XXXXXX", dir[600];
	uint8_t d[KM_AUDIT_ENTRY_MAX], priv[32] = {3}, pub[32], sig[KM_SIG_SIZE];
	struct kmd_audit_reader r;
	struct km_tree_proof proof;
	struct kmd_audit *a;
	struct kmd_fail f;
	double loop, all, start, verify, prove, ed, bytes;

	const char *top = argc > 2 ? argv[2] : mkdtemp(temp);
	if (!top || n < 1000)
		die("bench_audit [ENTRIES [DIR]]");
	snprintf(dir, sizeof(dir), "%s/audit", top);
	km_ed25519_public(priv, pub);
	ed = cpu_s(CLOCK_THREAD_CPUTIME_ID);
	for (unsigned i = 0; i < 2000; i++)
		km_ed25519_sign(pub, priv, d, 64, sig);
	ed = (cpu_s(CLOCK_THREAD_CPUTIME_ID) - ed) / 2000;

	a = open_log(dir);
	loop = cpu_s(CLOCK_THREAD_CPUTIME_ID);
	all = cpu_s(CLOCK_PROCESS_CPUTIME_ID);
	for (unsigned long i = 0; i < n; i++)
		if (kmd_audit_append(a, d, draft(d, KM_AUDIT_SHARE, i), &f))
			die(f.text);
	loop = cpu_s(CLOCK_THREAD_CPUTIME_ID) - loop;
	kmd_audit_close(a);
	all = cpu_s(CLOCK_PROCESS_CPUTIME_ID) - all;

	start = cpu_s(CLOCK_MONOTONIC);
	a = open_log(dir);
	start = cpu_s(CLOCK_MONOTONIC) - start;
	bytes = (double)kmd_audit_bytes(a);
	prove = cpu_s(CLOCK_MONOTONIC);
	for (unsigned i = 1; i <= 100; i++)
		if (kmd_audit_prove(a, n / 101 * i, n, &proof))
			die("no proof");
	prove = (cpu_s(CLOCK_MONOTONIC) - prove) / 100;
	kmd_audit_close(a);

	verify = cpu_s(CLOCK_MONOTONIC);
	if (kmd_audit_reader_open(&r, dir, &f) || kmd_audit_reader_go(&r, NULL, NULL, &f))
		die(f.text);
	if (r.chain.seq != n)
		die("entries are missing");
	kmd_audit_reader_close(&r);
	verify = cpu_s(CLOCK_MONOTONIC) - verify;

	printf("entries %lu\n", n);
	printf("append_loop_us %.2f\n", loop / (double)n * 1e6);
	printf("append_all_us %.2f\n", all / (double)n * 1e6);
	printf("ed25519_sign_us %.2f\n", ed * 1e6);
	printf("share_bytes %zu\n", draft(d, KM_AUDIT_SHARE, 0) - KM_AUDIT_DRAFT + KM_AUDIT_HEAD + 2);
	printf("signature_bytes %zu\n", draft(d, KM_AUDIT_SIGNATURE, 0) - KM_AUDIT_DRAFT + KM_AUDIT_HEAD + 2);
	printf("disk_bytes_an_entry %.1f\n", bytes / (double)n);
	printf("start_s %.3f\n", start);
	printf("verify_s %.3f\n", verify);
	printf("consistency_us %.1f\n", prove * 1e6);
	if (argc <= 2)
		(void)nftw(temp, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	return 0;
}
