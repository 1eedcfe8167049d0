/* sim_batch.c: seeds in several processes, each seed twice; their counters, and what must be among them. */
#include "sim_batch.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "sim_alloc.h"
#include "sim_memo.h"

/* What a whole batch amounts to. */
#define WHOLE_SEEDS 2000
#define WHOLE_FAULTS 200000
#define WHOLE_P256 10000
#define MINUTE 60.0

static double now(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

void sim_seed(uint64_t seed, unsigned curve, int verbose, struct sim_report *r)
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

const char *sim_why(const struct sim_report *r)
{
	if (r->out.broken[0])
		return r->out.broken;
	return !r->same ? "two runs of this seed differ" : r->leaked ? "memory is not given back" : NULL;
}

/* ---- counters */

void sim_sum_add(struct sim_sum *sum, const struct sim_report *r)
{
	sum->seeds++;
	sum->cpu += r->seconds;
#define ADD(name) sum->count.name += r->out.count.name;
	SIM_COUNTERS(ADD)
	SIM_SOMETIMES(ADD)
#undef ADD
	for (unsigned k = 0; k < EVIL_N_HABITS; k++)
		sum->deeds[k] += r->out.deeds[k];
}

static unsigned never(const char *name, uint64_t v, int say)
{
	if (!v && say)
		printf("# never happened: %s\n", name);
	return !v;
}

/* What never happened was never tested. */
unsigned sim_sum_print(const struct sim_sum *sum, int all)
{
	static const char *const habit[] = {
#define NAME(name, what) #name,
	    EVIL_HABITS(NAME)
#undef NAME
	};
	unsigned n = 0;

#define SHOW(name)                                                                                                                \
	if (all)                                                                                                                  \
		printf("# %-20s %12llu\n", #name, (unsigned long long)sum->count.name);
	SIM_COUNTERS(SHOW)
	SIM_SOMETIMES(SHOW)
#undef SHOW
	for (unsigned k = 0; all && k < EVIL_N_HABITS; k++)
		printf("# cheat %-14s %12llu\n", habit[k], (unsigned long long)sum->deeds[k]);
#define CHECK(name) n += never(#name, sum->count.name, sum->seeds > 1);
	SIM_SOMETIMES(CHECK)
#undef CHECK
	for (unsigned k = 0; k < EVIL_N_HABITS; k++)
		n += never(habit[k], sum->deeds[k], sum->seeds > 1);
	return n;
}

/* ---- processes */

struct crew {
	unsigned jobs, curve;
	int fd[SIM_MAX_JOBS];
	pid_t pid[SIM_MAX_JOBS];
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

/* Process j runs the seeds from, from + jobs, ...: of a list, or without end from first on. */
static void worker(const struct crew *crew, const uint64_t *seeds, size_t n, uint64_t first, size_t from, int fd)
{
	static struct sim_report r;

	for (size_t i = from; !seeds || i < n; i += crew->jobs) {
		sim_seed(seeds ? seeds[i] : first + i, crew->curve, 0, &r);
		if (write_all(fd, &r, sizeof(r)))
			_exit(1);
	}
	_exit(0);
}

static void hire(struct crew *crew, const uint64_t *seeds, size_t n, uint64_t first, size_t from)
{
	unsigned j = (unsigned)(from % crew->jobs);
	int fd[2];
	int err = pipe(fd);

	KM_ASSERT(err == 0);
	fflush(stdout);
	crew->pid[j] = fork();
	KM_ASSERT(crew->pid[j] >= 0);
	if (crew->pid[j] == 0)
		worker(crew, seeds, n, first, from, fd[1]);
	close(fd[1]);
	crew->fd[j] = fd[0];
}

static void print_failure(const struct sim_report *r, unsigned curve)
{
	printf("# seed %llu: %s\n#   %s\n#   again: make sim SEED=%llu, or sim --seed %llu%s --verbose\n", (unsigned long long)r->seed,
	       sim_why(r), r->out.shape, (unsigned long long)r->seed, (unsigned long long)r->seed,
	       !curve ? "" : curve == KM_CURVE_P256 ? " --curve p256" : " --curve toy");
}

/* ---- a batch */

static unsigned run_batch(struct crew *crew, const uint64_t *seeds, size_t n, struct sim_sum *sum)
{
	static struct sim_report r;
	unsigned failures = 0;

	for (unsigned j = 0; j < crew->jobs; j++)
		hire(crew, seeds, n, 0, j);
	for (size_t i = 0; i < n; i++) {
		unsigned j = (unsigned)(i % crew->jobs);

		if (read_all(crew->fd[j], &r, sizeof(r)) == sizeof(r)) {
			printf("%sok %zu - seed %llu\n", sim_why(&r) ? "not " : "", i + 1, (unsigned long long)r.seed);
			if (sim_why(&r)) {
				print_failure(&r, crew->curve);
				failures++;
			}
			sim_sum_add(sum, &r);
			fflush(stdout);
			continue;
		}
		/* the first one a worker does not report is the one it died of; another goes on behind it */
		printf("not ok %zu - seed %llu\n# the process died in it\n#   again: make sim SEED=%llu\n", i + 1,
		       (unsigned long long)seeds[i], (unsigned long long)seeds[i]);
		close(crew->fd[j]);
		waitpid(crew->pid[j], NULL, 0);
		hire(crew, seeds, n, 0, i + crew->jobs);
		failures++;
	}
	for (unsigned j = 0; j < crew->jobs; j++)
		waitpid(crew->pid[j], NULL, 0);
	return failures;
}

/* Of less than a whole batch, its part. */
static int enough(const struct sim_sum *sum)
{
	return sum->count.faults * WHOLE_SEEDS >= (uint64_t)WHOLE_FAULTS * sum->seeds &&
	       sum->count.p256_signed * WHOLE_SEEDS >= (uint64_t)WHOLE_P256 * sum->seeds;
}

int sim_batch(const uint64_t *seeds, size_t n, unsigned jobs, unsigned curve, int judge)
{
	struct crew crew = {.jobs = jobs < n ? jobs : (unsigned)n, .curve = curve};
	double start = now(CLOCK_MONOTONIC);
	struct sim_sum sum = {0};

	printf("1..%zu\n", n + (judge ? 2 : 0));
	unsigned failures = run_batch(&crew, seeds, n, &sum), missing = sim_sum_print(&sum, 1);
	printf("# %zu seeds twice in %.1f s (%.0f ms of one processor each), %.2f simulated hours, %llu faults, %llu signatures, %llu of "
	       "them P-256\n",
	       n, now(CLOCK_MONOTONIC) - start, 1000 * sum.cpu / (double)n, (double)sum.count.simulated_us / 3.6e9,
	       (unsigned long long)sum.count.faults, (unsigned long long)sum.count.signed_ok,
	       (unsigned long long)sum.count.p256_signed);
	if (judge) {
		printf("%sok %zu - every dangerous situation was reached\n", missing ? "not " : "", n + 1);
		printf("%sok %zu - faults and P-256 signatures enough\n", enough(&sum) ? "" : "not ", n + 2);
		failures += (missing != 0) + !enough(&sum);
	}
	return failures != 0;
}

/* ---- without end */

static volatile sig_atomic_t stopped;

static void stop(int sig)
{
	(void)sig;
	stopped = 1;
}

static void print_line(const struct sim_sum *sum, double seconds)
{
	printf("%8.0f s: %zu seeds (%.1f/s), %.1f simulated hours, %llu faults, %llu signatures, %llu of them P-256\n", seconds,
	       sum->seeds, (double)sum->seeds / seconds, (double)sum->count.simulated_us / 3.6e9,
	       (unsigned long long)sum->count.faults, (unsigned long long)sum->count.signed_ok,
	       (unsigned long long)sum->count.p256_signed);
	fflush(stdout);
}

/* Takes what the workers have to say; 1 to end. */
static int listen_once(struct crew *crew, struct sim_sum *sum, uint64_t first, uint64_t *next, int timeout_ms)
{
	static struct sim_report r;
	struct pollfd p[SIM_MAX_JOBS];

	for (unsigned j = 0; j < crew->jobs; j++)
		p[j] = (struct pollfd){.fd = crew->fd[j], .events = POLLIN};
	if (poll(p, crew->jobs, timeout_ms) <= 0)
		return 0;
	for (unsigned j = 0; j < crew->jobs; j++) {
		if (!p[j].revents)
			continue;
		if (read_all(p[j].fd, &r, sizeof(r)) != sizeof(r)) {
			if (stopped)
				return 1;
			printf("# the process died in seed %llu\n#   again: make sim SEED=%llu\n",
			       (unsigned long long)(first + next[j]), (unsigned long long)(first + next[j]));
			return 2;
		}
		next[j] += crew->jobs;
		sim_sum_add(sum, &r);
		if (sim_why(&r)) {
			print_failure(&r, crew->curve);
			return 2;
		}
	}
	return 0;
}

int sim_long(uint64_t first, unsigned jobs, unsigned curve)
{
	struct crew crew = {.jobs = jobs, .curve = curve};
	struct sigaction sa = {.sa_handler = stop};
	double start = now(CLOCK_MONOTONIC), said = start;
	uint64_t next[SIM_MAX_JOBS];
	struct sim_sum sum = {0};
	int end = 0;

	printf("seeds from %llu on, %u processes; stop with ^C\n", (unsigned long long)first, jobs);
	for (unsigned j = 0; j < jobs; j++)
		hire(&crew, NULL, 0, first, j);
	sigaction(SIGINT, &sa, NULL);
	sigaction(SIGTERM, &sa, NULL);
	for (unsigned j = 0; j < jobs; j++)
		next[j] = j;
	while (!end && !stopped) {
		end = listen_once(&crew, &sum, first, next, 1000);
		if (now(CLOCK_MONOTONIC) - said >= MINUTE) {
			said = now(CLOCK_MONOTONIC);
			print_line(&sum, said - start);
		}
	}
	for (unsigned j = 0; j < jobs; j++)
		kill(crew.pid[j], SIGKILL);
	for (unsigned j = 0; j < jobs; j++)
		waitpid(crew.pid[j], NULL, 0);
	sim_sum_print(&sum, 1);
	print_line(&sum, now(CLOCK_MONOTONIC) - start);
	return end == 2;
}
