/* sim.h: whole peers and frontends in one thread: virtual clock, network and disk, all faults drawn from one seed.
 *
 * A simulation is a list of events in a heap ordered by (time, number); every random choice comes from one km_rng. So a seed replays
 * exactly, and the trace hash (over every event and effect) is equal for two runs of one seed: the test of determinism. */
#ifndef KM_SIM_H
#define KM_SIM_H

#include "node/frontend.h"
#include "node/peer.h"
#include "node/wire.h"

#define SIM_MAX_FRONTENDS 4

/* What the network and the machines do wrong. Probabilities in 1/1000. */
struct sim_faults {
	unsigned drop, duplicate;
	uint32_t delay_min_us, delay_max_us;   /* random delay per packet: reorders */
	unsigned slow;                         /* chance that a packet takes 100 times as long */
	unsigned crash_at_persist;             /* a peer dies at a PERSIST, before or after the disk has it */
	uint32_t crash_every_ms;               /* mean time between kills of a random node, 0 = never */
	uint32_t restart_after_ms;
	uint32_t partition_every_ms, partition_ms; /* a random split of the nodes */
	uint32_t job_min_us, job_max_us;
	uint32_t persist_max_us;
};

struct sim_options {
	uint64_t seed;
	unsigned n, threshold, frontends;
	unsigned batch, pool_target, pool_low;
	struct sim_faults faults;
	int verbose;                           /* print the trace */
};

/* Things that happened; a batch that never reached a dangerous situation fails. */
struct sim_counters {
	uint64_t events, sent, dropped, duplicated, crashes, crashes_at_persist, restarts, partitions;
	uint64_t requests, signed_ok, failed, persists, jobs, shares_released, evidence;
	uint64_t simulated_us;
};

struct sim;

struct sim *sim_new(const struct sim_options *o);
void sim_free(struct sim *s);
/* Starts every node. */
void sim_start(struct sim *s);
/* Runs until the virtual time, or until `until` returns nonzero (checked after every event); 1 if `until` held. */
int sim_run(struct sim *s, uint64_t for_us, int (*until)(struct sim *s, void *ctx), void *ctx);
/* No more faults: heals partitions, restarts the dead, drops no packet. */
void sim_calm(struct sim *s);
struct sim_options *sim_opt(struct sim *s);
struct sim_counters *sim_count(struct sim *s);
uint64_t sim_now_us(const struct sim *s);
struct km_rng *sim_rng(struct sim *s);
const uint8_t *sim_trace_hash(struct sim *s);     /* 32 bytes; of all so far */

/* ---- acting on nodes; peers are 1..n, frontends 1..frontends */
struct km_peer *sim_peer(struct sim *s, unsigned id);          /* NULL while down */
struct km_frontend *sim_frontend(struct sim *s, unsigned id);
struct km_settings *sim_peer_settings(struct sim *s, unsigned id);
struct km_settings *sim_frontend_settings(struct sim *s, unsigned id);
void sim_kill(struct sim *s, enum km_addr_kind kind, unsigned id);
void sim_restart(struct sim *s, enum km_addr_kind kind, unsigned id);
/* Bit set of peers on the one side; 0 = whole again. Frontends reach all. */
void sim_partition(struct sim *s, uint32_t side);
/* One step of a node with an event made by a test. */
void sim_inject(struct sim *s, struct km_addr to, struct km_addr from, const uint8_t *data, size_t len);
/* An operator's key generation at a peer; the outcome shows in sim_result(token). */
uint64_t sim_keygen(struct sim *s, unsigned peer, const char *name);
/* A client's signature request at a frontend over a well-formed TLS 1.3 content made from `nonce`. */
uint64_t sim_sign(struct sim *s, unsigned frontend, const char *key, uint64_t nonce, uint32_t deadline_ms);
struct sim_result {
	int done, err;
	struct km_result result;
	char text[200];
	uint64_t asked_us, done_us;
};
const struct sim_result *sim_result(struct sim *s, uint64_t token);
/* Waits (runs) until all n peers hold the key usable and `ready` presignatures are ready in all; 1 on success. */
int sim_setup_key(struct sim *s, const char *name, unsigned ready);

/* Byzantine: a filter on every packet a node sends; may change, drop (return 0) or add packets by sim_inject. */
typedef int (*sim_filter_fn)(void *ctx, struct sim *s, struct km_addr from, struct km_addr to, uint8_t **data, size_t *len);
void sim_filter(struct sim *s, sim_filter_fn fn, void *ctx);

/* ---- invariants: checked after every step; the first broken one is kept here (NULL = none) */
const char *sim_broken(const struct sim *s);
/* For checks of the tests' own. */
void sim_break(struct sim *s, const char *fmt, ...);
/* Peers that a test runs as corrupt: not counted as honest in the invariants. */
void sim_corrupt(struct sim *s, unsigned peer);

#endif
