/* sim_batch.h: seeds in several processes. */
#ifndef KM_SIM_BATCH_H
#define KM_SIM_BATCH_H

#include <stddef.h>
#include "sim_swarm.h"

#define SIM_MAX_JOBS 64

struct sim_report {
	uint64_t seed;
	double seconds;     /* of one processor, for both runs */
	int same;           /* both runs had one trace */
	size_t leaked;      /* blocks that nobody freed */
	struct swarm_outcome out;
};

/* curve: 0 = each seed's own choice. */
void sim_seed(uint64_t seed, unsigned curve, int verbose, struct sim_report *r);
/* NULL: all is well; else what is not. */
const char *sim_why(const struct sim_report *r);

struct sim_sum {
	size_t seeds;
	double cpu;
	struct sim_counters count;
	uint64_t deeds[EVIL_N_HABITS];
};
void sim_sum_add(struct sim_sum *sum, const struct sim_report *r);
/* Prints them as comments of TAP; returns how many dangerous situations never came. */
unsigned sim_sum_print(const struct sim_sum *sum, int all);

/* A seed is a test case; judge = 1: then two more, of the situations reached and of the volume. Returns an exit status. */
int sim_batch(const uint64_t *seeds, size_t n, unsigned jobs, unsigned curve, int judge);
/* Seeds from first on, until one fails or a signal comes; a line every minute. */
int sim_long(uint64_t first, unsigned jobs, unsigned curve);

#endif
