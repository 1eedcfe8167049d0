/* sim_main.c: runs seeds of the swarm, each twice, in a few processes, and speaks TAP.
 *
 *	sim                         seeds 1-600 in as many processes as there are processors
 *	sim --seeds A-B [--jobs N]
 *	sim ... --curve p256|toy    another group than each seed's own choice: 63 bits for volume, P-256 for fidelity
 *	sim --list FILE             the seeds named in a file, one a line, # begins a comment
 *	sim --seed N [--verbose]    one seed, with its trace
 *
 * A seed is one test case; the last two cases are: every dangerous situation was reached by some seed, and nothing leaked. */
#include "sim_alloc.h"
#include "sim_memo.h"
#include "sim_swarm.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MAX_SEEDS 1000000u
#define MAX_JOBS 64

static unsigned curve; /* 0: each seed's own choice */
/* Fewer seeds may miss a rare situation by chance. */
#define ENOUGH_SEEDS 150

struct report {
	uint64_t seed;
	double seconds;
	int same;      /* both runs had one trace */
	size_t leaked; /* blocks that nobody freed */
	struct swarm_outcome out;
};

static double now(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void run_seed(uint64_t seed, int verbose, struct report *r)
{
	struct swarm_outcome again;
	double start = now(CLOCK_PROCESS_CPUTIME_ID);
	size_t bytes, blocks;

	memset(r, 0, sizeof(*r));
	r->seed = seed;
	sim_memo_clear();
	blocks = sim_alloc_out(&bytes);
	swarm_run(seed, curve, verbose, 0, &r->out);
	swarm_run(seed, curve, 0, 1, &again);
	r->same = memcmp(again.trace, r->out.trace, KM_HASH_SIZE) == 0;
	r->seconds = now(CLOCK_PROCESS_CPUTIME_ID) - start;
	sim_memo_clear();
	r->leaked = sim_alloc_out(&bytes) - blocks;
}

static int ok(const struct report *r)
{
	return r->same && !r->leaked && !r->out.broken[0];
}

static const char *why(const struct report *r)
{
	return r->out.broken[0] ? r->out.broken : !r->same ? "two runs of this seed differ" : "memory is not given back";
}

/* ---- the batch */

struct batch {
	const uint64_t *seeds;
	size_t n;
	unsigned jobs;
	unsigned failures;
	double cpu;
	struct sim_counters sum;
	uint64_t deeds[EVIL_N_HABITS];
};

static int write_all(int fd, const void *p, size_t n)
{
	for (const char *at = p; n;) {
		ssize_t k = write(fd, at, n);

		if (k < 0 && errno == EINTR)
			continue;
		if (k <= 0)
			return -1;
		at += k;
		n -= (size_t)k;
	}
	return 0;
}

/* Returns bytes read: n, or fewer at the end. */
static size_t read_all(int fd, void *p, size_t n)
{
	size_t at = 0;

	while (at < n) {
		ssize_t k = read(fd, (char *)p + at, n - at);

		if (k < 0 && errno == EINTR)
			continue;
		if (k <= 0)
			break;
		at += (size_t)k;
	}
	return at;
}

static void worker(const struct batch *b, unsigned job, int fd)
{
	struct report r;

	for (size_t i = job; i < b->n; i += b->jobs) {
		run_seed(b->seeds[i], 0, &r);
		if (write_all(fd, &r, sizeof(r)))
			_exit(1);
	}
	_exit(0);
}

static void add_counters(struct sim_counters *sum, const struct sim_counters *c)
{
#define ADD(name) sum->name += c->name;
	SIM_COUNTERS(ADD)
	SIM_SOMETIMES(ADD)
#undef ADD
}

static void take(struct batch *b, size_t i, const struct report *r)
{
	printf("%sok %zu - seed %llu\n", ok(r) ? "" : "not ", i + 1, (unsigned long long)r->seed);
	if (!ok(r)) {
		printf("# seed %llu: %s\n#   %s\n#   again: sim --seed %llu%s --verbose\n", (unsigned long long)r->seed, why(r),
		       r->out.shape, (unsigned long long)r->seed,
		       !curve ? "" : curve == KM_CURVE_P256 ? " --curve p256" : " --curve toy");
		b->failures++;
	}
	b->cpu += r->seconds;
	add_counters(&b->sum, &r->out.count);
	for (unsigned k = 0; k < EVIL_N_HABITS; k++)
		b->deeds[k] += r->out.deeds[k];
	fflush(stdout);
}

static void run_batch(struct batch *b)
{
	int fd[MAX_JOBS][2], alive[MAX_JOBS];
	struct report r;

	for (unsigned j = 0; j < b->jobs; j++) {
		KM_ASSERT(pipe(fd[j]) == 0);
		fflush(stdout);
		pid_t pid = fork();
		KM_ASSERT(pid >= 0);
		if (pid == 0)
			worker(b, j, fd[j][1]);
		close(fd[j][1]);
		alive[j] = 1;
	}
	for (size_t i = 0; i < b->n; i++) {
		unsigned j = (unsigned)(i % b->jobs);

		if (alive[j] && read_all(fd[j][0], &r, sizeof(r)) == sizeof(r)) {
			take(b, i, &r);
			continue;
		}
		/* the first one a worker does not report is the one it died of */
		printf("not ok %zu - seed %llu\n# %s\n", i + 1, (unsigned long long)b->seeds[i],
		       alive[j] ? "the process died in it" : "not run");
		alive[j] = 0;
		b->failures++;
	}
	while (wait(NULL) > 0)
		;
}

/* What never happened was never tested. */
static unsigned never(const struct sim_counters *c)
{
	unsigned n = 0;

#define SHOW(name) printf("# %-20s %12llu\n", #name, (unsigned long long)c->name);
	SIM_COUNTERS(SHOW)
	SIM_SOMETIMES(SHOW)
#undef SHOW
#define CHECK(name)                                                                                                              \
	if (!c->name) {                                                                                                          \
		printf("# never happened: %s\n", #name);                                                                         \
		n++;                                                                                                             \
	}
	SIM_SOMETIMES(CHECK)
#undef CHECK
	return n;
}

static int batch(const uint64_t *seeds, size_t n, unsigned jobs, int judge)
{
	struct batch b = {.seeds = seeds, .n = n, .jobs = jobs < n ? jobs : (unsigned)n};
	double start = now(CLOCK_MONOTONIC);

	printf("1..%zu\n", n + (judge ? 1 : 0));
	run_batch(&b);
	unsigned missing = never(&b.sum);
	printf("# %zu seeds twice in %.1f s (%.0f ms of one processor each), %.0f simulated seconds\n", n, now(CLOCK_MONOTONIC) - start,
	       1000 * b.cpu / (double)n, (double)b.sum.simulated_us / 1e6);
	if (judge) {
		printf("%sok %zu - every dangerous situation was reached\n", missing ? "not " : "", n + 1);
		b.failures += missing != 0;
	}
	return b.failures != 0;
}

/* ---- arguments */

static size_t read_list(const char *path, uint64_t *seeds)
{
	char line[256];
	size_t n = 0;
	FILE *f = fopen(path, "r");

	if (!f) {
		fprintf(stderr, "sim: %s: %s\n", path, strerror(errno));
		exit(2);
	}
	while (fgets(line, sizeof(line), f) && n < MAX_SEEDS)
		if (isdigit((unsigned char)line[0]))
			seeds[n++] = strtoull(line, NULL, 10);
	fclose(f);
	return n;
}

static int one(uint64_t seed, int verbose)
{
	struct report r;

	run_seed(seed, verbose, &r);
	printf("# %s\n", r.out.shape);
	never(&r.out.count);
	printf("1..1\n%sok 1 - seed %llu\n", ok(&r) ? "" : "not ", (unsigned long long)seed);
	if (!ok(&r))
		printf("# %s\n", why(&r));
	printf("# %.0f ms for two runs\n", 1000 * r.seconds);
	return !ok(&r);
}

static int usage(void)
{
	fprintf(stderr, "usage: sim [--seeds A-B | --list FILE] [--jobs N] [--curve p256|toy] | sim --seed N [--verbose]\n");
	return 2;
}

static const struct sim_hooks hooks = {sim_alloc_enter, sim_alloc_leave};

int main(int argc, char **argv)
{
	unsigned long long first = 1, last = 600, single = 0;
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	unsigned jobs = cpus < 1 ? 1 : cpus > MAX_JOBS ? MAX_JOBS : (unsigned)cpus;
	int verbose = 0;
	const char *list = NULL;

	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--verbose") == 0) {
			verbose = 1;
			continue;
		}
		if (i + 1 == argc)
			return usage();
		const char *opt = argv[i], *arg = argv[++i];
		char *end = NULL;
		if (strcmp(opt, "--seeds") == 0) {
			first = last = strtoull(arg, &end, 10);
			if (*end == '-')
				last = strtoull(end + 1, &end, 10);
		} else if (strcmp(opt, "--seed") == 0) {
			single = strtoull(arg, &end, 10);
		} else if (strcmp(opt, "--jobs") == 0) {
			jobs = (unsigned)strtoul(arg, &end, 10);
		} else if (strcmp(opt, "--curve") == 0) {
			if (strcmp(arg, "p256") != 0 && strcmp(arg, "toy") != 0)
				return usage();
			curve = arg[0] == 't' ? KM_CURVE_TOY : KM_CURVE_P256;
		} else if (strcmp(opt, "--list") == 0) {
			list = arg;
		} else {
			return usage();
		}
		if (end && (end == arg || *end))
			return usage();
	}
	if (jobs < 1 || jobs > MAX_JOBS || last < first || last - first >= MAX_SEEDS)
		return usage();
	sim_hooks = &hooks;
	if (single)
		return one(single, verbose);
	uint64_t *seeds = calloc(MAX_SEEDS, sizeof(*seeds));
	size_t n = 0;

	KM_ASSERT(seeds);
	if (list)
		n = read_list(list, seeds);
	else
		for (; first + n <= last; n++)
			seeds[n] = first + n;
	if (!n) {
		printf("1..0 # SKIP no seeds in %s\n", list);
		return 0;
	}
	int err = batch(seeds, n, jobs, !list && n >= ENOUGH_SEEDS);
	free(seeds);
	return err;
}
