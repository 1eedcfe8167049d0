/* sim_swarm_impl.h: what the files of a swarm share.
 *
 *	sim_draw.c   the configuration of a seed      sim_swarm.c  load, safety phase, a whole seed
 *	sim_calm.c   the liveness phase               sim_blame.c  invariants 3 and 7: what corrupt peers hold, and what becomes of cheats
 */
#ifndef KM_SIM_SWARM_IMPL_H
#define KM_SIM_SWARM_IMPL_H

#include "base/rng.h"
#include "sim_swarm.h"

#define SWARM_TOKENS 512
#define DEADLINE_MS 5000u      /* of a request */

struct swarm_blame {
	uint64_t since_us;         /* of the oldest failure that nobody was suspected for yet, 0 = none */
	uint32_t culprits;
	uint64_t base, last;       /* suspicion then, and at the last look */
	uint64_t retries;
	int on;
};

struct swarm {
	struct sim *s;
	struct km_rng rng;         /* of the load and the configuration; the simulation has its own */
	uint64_t nonce;
	uint64_t token[SWARM_TOKENS];
	unsigned n_tokens;
	uint64_t keygen;
	struct evils evil;
	struct { unsigned who, habits, rate; } draft[EVIL_MAX]; /* corrupt peers, as drawn */
	unsigned n_draft;
	int evil_early;            /* corrupt already when the key is made */
	uint32_t restorable;       /* peers whose disks may come back old */
	int real_signatures;       /* Ed25519 */
	int real_ot;               /* base OTs over the group */
	struct swarm_blame blame;
	struct {
		struct km_rng rng;
		int on;
		unsigned left;     /* requests of operators still to come before the calm */
		uint64_t above;    /* the name that the last refresh has to exceed */
	} epochs;
	const char *phase;
	char why[80];              /* not settled */
};

/* sim_draw.c */
extern const int swarm_any_engine;  /* whether nodes can presign with any T peers */
unsigned swarm_pick(struct swarm *w, unsigned lo, unsigned hi);
void swarm_draw(struct swarm *w, struct sim_options *o);
void swarm_in_words(const struct swarm *w, const struct sim_options *o, char *out, size_t size);
/* sim_swarm.c */
void swarm_ask(struct swarm *w, unsigned frontend, uint32_t deadline_ms);
int swarm_usable_somewhere(struct sim *s);
void swarm_operate(struct swarm *w);
/* sim_refresh.c */
void swarm_epochs_draw(struct swarm *w, const uint8_t seed[KM_SEED_SIZE]);
void swarm_epochs_step(struct swarm *w);
void swarm_epochs_calm(struct swarm *w, void (*serve)(struct swarm *w));
/* sim_calm.c */
void swarm_liveness(struct swarm *w);
/* sim_blame.c */
void swarm_blame_start(struct swarm *w);
void swarm_blame_poll(struct swarm *w);
void swarm_check_corrupt(struct swarm *w);   /* invariant 3, at rest */

#endif
