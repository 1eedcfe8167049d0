/* sim_swarm.h: one seed of the swarm: a mesh, its faults and its load drawn from the seed; a safety phase in which anything may
 * break, then calm, in which everything asked must be served. */
#ifndef KM_SIM_SWARM_H
#define KM_SIM_SWARM_H

#include "sim.h"

struct swarm_outcome {
	char broken[240];             /* empty: all invariants held */
	char shape[240];              /* the configuration in words */
	uint8_t trace[KM_HASH_SIZE];
	struct sim_counters count;
};

/* Same seed and curve (0 is P-256), same outcome, to the last bit of the trace. The mesh, its faults and its load do not depend on the
 * curve. */
void swarm_run(uint64_t seed, unsigned curve, int verbose, struct swarm_outcome *out);

#endif
