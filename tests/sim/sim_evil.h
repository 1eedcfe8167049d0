/* sim_evil.h: one corrupt peer in a swarm: an honest node whose packets are changed, withheld, doubled and made up on their way
 * out, signed with its own key where that helps. What it says of others it cannot sign for them. */
#ifndef KM_SIM_EVIL_H
#define KM_SIM_EVIL_H

#include "sim.h"

enum evil_habit {
	EVIL_WITHHOLDS = 1,     /* some packets to some peers */
	EVIL_GARBLES = 2,       /* a byte anywhere */
	EVIL_BAD_SHARES = 4,
	EVIL_BAD_REPLIES = 8,
	EVIL_REFUSES = 16,      /* SIGN and PROPOSE */
	EVIL_EARLY_READY = 32,  /* for runs that have not ended */
	EVIL_ABORTS = 64,       /* and says it waited for honest ones */
	EVIL_LYING_STALLS = 128,
	EVIL_EQUIVOCATES = 256, /* in rounds without rows, and in JOIN */
	EVIL_RELAYS_OLD = 512,  /* others' messages, again */
	EVIL_HABITS = 1024,
};

struct evil {
	unsigned who, habits, per_mille;
	int active;
	struct km_rng rng;
	uint8_t *old;           /* an envelope that was seen, to be relayed */
	size_t old_len;
	uint64_t deeds;
};

void evil_init(struct evil *e, struct sim *s, unsigned who, unsigned habits, unsigned per_mille,
	       const uint8_t seed[KM_SEED_SIZE]);
void evil_clear(struct evil *e);

#endif
