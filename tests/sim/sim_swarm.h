/* sim_swarm.h: one seed of the swarm: a mesh, its faults, its corrupt peers and its load drawn from the seed; a safety phase in
 * which anything may break, then calm, in which everything asked must be served. */
#ifndef KM_SIM_SWARM_H
#define KM_SIM_SWARM_H

#include "sim_evil.h"

struct swarm_outcome {
	char broken[240];             /* empty: all invariants held */
	char shape[320];              /* the configuration in words */
	uint8_t trace[KM_HASH_SIZE];
	struct sim_counters count;
	uint64_t deeds[EVIL_N_HABITS];
};

/* Same seed and curve (0: the seed's own choice), same outcome, to the last bit of the trace. again = 1: the seed that ran just
 * before, which may use what was remembered of it. */
void swarm_run(uint64_t seed, unsigned curve, int verbose, int again, struct swarm_outcome *out);

#endif
