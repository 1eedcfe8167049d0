/* sim_evil.h: corrupt peers in a swarm. Each is an honest node of which the packets are changed, withheld, doubled and made up on their
 * way out (sim_evil.c), and the machines of its runs are lied to between a job and the signing of its message (sim_cheat.c), so
 * that its lie is consistent with everything else it says. What it signs, it signs with its own key; for others it cannot sign.
 *
 * A habit is one attack of the attack book as something that is done again and again. */
#ifndef KM_SIM_EVIL_H
#define KM_SIM_EVIL_H

#include "sim.h"
#include "sim_map.h"

#define EVIL_MAX 8

/* X(name, what): on packets, then inside presign runs, then inside key generations. */
#define EVIL_HABITS(X)                                                                                                            \
	X(WITHHOLDS, "some packets to some peers")                                                                                \
	X(GARBLES, "a byte anywhere")                                                                                             \
	X(BAD_SHARES, "wrong s_i")                                                                                                \
	X(BAD_REPLIES, "wrong signatures to frontends")                                                                           \
	X(REFUSES, "SIGN and PROPOSE")                                                                                            \
	X(EARLY_READY, "READY for runs that have not ended")                                                                      \
	X(FALSE_READY, "READY over other values")                                                                                 \
	X(ABORTS, "and says it waited for honest ones")                                                                           \
	X(LYING_STALLS, "who is late")                                                                                            \
	X(EQUIVOCATES, "another content for one reader, in every round and in JOIN")                                              \
	X(RELAYS_OLD, "others' messages, again")                                                                                  \
	X(EARLY_PASS, "an alibi before the verdict")                                                                              \
	X(NO_RECORD, "refuses to sign what it answered")                                                                          \
	X(NO_OPEN, "refuses to open")                                                                                             \
	X(FALSE_OPEN, "opens another seed")                                                                                       \
	X(SLANDERS, "forged evidence")                                                                                            \
	X(DEALS_BADLY, "a dealing of another degree (A6)")                                                                        \
	X(WRONG_C0, "a commitment to nothing (A7)")                                                                               \
	X(WRONG_W, "a wrong share of w")                                                                                          \
	X(WRONG_R, "another R_i than committed")                                                                                  \
	X(WRONG_PROOF, "C3 proof")                                                                                                \
	X(OTHER_A, "proves another a than it used (A2)")                                                                          \
	X(FALSE_FAIL, "a failing check that did not fail (A14)")                                                                  \
	X(WRONG_EPSILON, "C4 beside V")                                                                                           \
	X(ANY_BASE, "base OT")                                                                                                    \
	X(ANY_COLUMNS, "columns of the OT extension (B3), psi")                                                                   \
	X(ANY_ROWS, "a row of the vector OLE (B4)")                                                                               \
	X(DKG_PROOF, "a wrong proof in G2")                                                                                       \
	X(DKG_SHARE, "a wrong share in G4")                                                                                       \
	X(DKG_COMPLAINT, "a false complaint")

enum evil_bit {
#define EVIL_BIT(name, what) EVIL_BIT_##name,
	EVIL_HABITS(EVIL_BIT)
#undef EVIL_BIT
	EVIL_N_HABITS
};
enum evil_habit {
#define EVIL_HABIT(name, what) EVIL_##name = 1 << EVIL_BIT_##name,
	EVIL_HABITS(EVIL_HABIT)
#undef EVIL_HABIT
};

struct evil {
	unsigned who, habits, per_mille;
	struct km_rng rng;
	uint8_t *old;           /* an envelope that was seen, to be relayed */
	size_t old_len;
	uint8_t *lie;           /* evidence it made up, as a frame: offered again and again */
	size_t lie_len;
	uint64_t deeds[EVIL_N_HABITS];
};

struct puppet;

struct evils {
	struct evil e[EVIL_MAX];
	unsigned n;
	int active;
	uint32_t set;
	struct puppet *puppets; /* machines of runs that are lied to */
	/* Of invariant 7: a run with a corrupt participant ended without result, or a signature was bad. */
	struct sim_map runs;    /* sid -> participants */
	uint32_t failed;        /* whose doing it may have been, since this was last cleared */
};

/* Before sim_start. seed: of all their choices. */
void evil_add(struct evils *v, struct sim *s, unsigned who, unsigned habits, unsigned per_mille, const uint8_t seed[KM_SEED_SIZE]);
void evil_clear(struct evils *v);
uint64_t evil_deeds(const struct evils *v);
/* Whether it does this now; counted when it does. */
int evil_does(struct evils *v, struct evil *e, enum evil_bit habit);
struct evil *evil_of(struct evils *v, unsigned who);

/* sim_cheat.c: gives the machine of a run of this peer a second mind, once. */
void evil_possess(struct evils *v, struct evil *e, struct km_machine *m);
void evil_exorcise(struct evils *v);

#endif
