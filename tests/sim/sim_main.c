/* sim_main.c: runs seeds of the swarm, each twice, in a few processes, and speaks TAP.
 *
 *	sim                         seeds 1-2000 in as many processes as there are processors
 *	sim --seeds A-B [--jobs N]
 *	sim ... --curve p256|toy    another group than each seed's own choice: 63 bits for volume, P-256 for fidelity
 *	sim --list FILE             the seeds named in a file, one a line, # begins a comment
 *	sim --seed N [--verbose]    one seed, with its trace
 *	sim --long [--from N]       seeds that never ran before, until one fails or a signal comes
 *
 * A seed is one test case; the last two cases are: every dangerous situation was reached by some seed, and the volume was. */
#include "sim_alloc.h"
#include "sim_batch.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define MAX_SEEDS 1000000u
/* Fewer seeds may miss a rare situation by chance. */
#define ENOUGH_SEEDS 1000

static unsigned curve; /* 0: each seed's own choice */

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
	static struct sim_report r;
	struct sim_sum sum = {0};

	sim_seed(seed, curve, verbose, &r);
	printf("# %s\n", r.out.shape);
	sim_sum_add(&sum, &r);
	sim_sum_print(&sum, 1);
	printf("1..1\n%sok 1 - seed %llu\n", sim_why(&r) ? "not " : "", (unsigned long long)seed);
	if (sim_why(&r))
		printf("# %s\n", sim_why(&r));
	printf("# %.0f ms for two runs\n", 1000 * r.seconds);
	return sim_why(&r) != NULL;
}

static int usage(void)
{
	fprintf(stderr, "usage: sim [--seeds A-B | --list FILE] [--jobs N] [--curve p256|toy] | sim --seed N [--verbose] |\n       sim --long [--from N]\n");
	return 2;
}

static const struct sim_hooks hooks = {sim_alloc_enter, sim_alloc_leave};

int main(int argc, char **argv)
{
	unsigned long long first = 1, last = 2000, single = 0;
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	unsigned jobs = cpus < 1 ? 1 : cpus > SIM_MAX_JOBS ? SIM_MAX_JOBS : (unsigned)cpus;
	int verbose = 0, endless = 0;
	const char *list = NULL;

	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--verbose") == 0) {
			verbose = 1;
			continue;
		}
		if (strcmp(argv[i], "--long") == 0) {
			endless = 1;
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
		} else if (strcmp(opt, "--from") == 0) {
			first = strtoull(arg, &end, 10);
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
	/* seconds of the year, and room for a thousand seeds in each */
	if (endless && first == 1)
		first = (unsigned long long)time(NULL) % 31536000u * 1000u + 1000000u;
	if (endless)
		last = first;
	if (jobs < 1 || jobs > SIM_MAX_JOBS || last < first || last - first >= MAX_SEEDS)
		return usage();
	sim_hooks = &hooks;
	if (endless)
		return sim_long(first, jobs, curve);
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
	int err = sim_batch(seeds, n, jobs, curve, !list && n >= ENOUGH_SEEDS);
	free(seeds);
	return err;
}
