/* sim.h: whole peers and frontends in one thread: virtual clock, network and disk, all faults drawn from one seed.
 *
 * A simulation is a list of events in a heap ordered by (time, number); every random choice comes from one km_rng. So a seed
 * replays exactly, and the trace hash (over every event and effect) is equal for two runs of one seed: the test of
 * determinism. */
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
	unsigned replay;                       /* a protocol packet seen earlier is put on its channel again */
	unsigned silent_death;                 /* chance that nobody is told of a death: only silence shows it */
	uint32_t skew_ms;                      /* wall clocks differ from true time by up to this */
	uint32_t clock_step_every_ms;          /* a wall clock jumps within skew_ms */
	unsigned disk_error;                   /* a PERSIST fails */
	uint32_t rollback_every_ms;            /* a peer is told that its machine may have been restored or cloned */
	uint32_t alloc_every;                  /* mean number of allocations of nodes between refusals, 0 = never */
	unsigned alloc_more;                   /* refusals that follow the first in the same step */
	unsigned clone_peer;                   /* whose memory is copied once, 0 = nobody's; without alloc_every */
	uint32_t clone_after_ms;
	unsigned old_disk;                     /* chance that a peer that restarts finds its disk as it was once */
	uint32_t job_min_us, job_max_us;
	uint32_t persist_max_us;
};

struct sim_options {
	uint64_t seed;
	unsigned curve;                        /* of the key; 0 is P-256. KM_CURVE_TOY: many more seeds in the same time */
	unsigned n, threshold, frontends;
	unsigned batch, pool_target, pool_low, dkg_min;
	struct sim_faults faults;
	uint32_t logs_ms;                      /* audit logs are kept, and cosigned so often; 0 = not */
	int verbose;                           /* print the trace */
};

/* Things that happened. A batch in which one of the dangerous ones (the second list) never happened fails: it tested less than it
 * says. */
#define SIM_COUNTERS(X)                                                                                                \
	X(events) X(simulated_us) X(sent) X(requests) X(signed_ok) X(failed) X(persists) X(jobs)                       \
	X(shares_released) X(evidence) X(replies_verified) X(results_verified) X(runs_finished) X(p256_signed) X(faults)        \
	X(evil_deeds)
#define SIM_SOMETIMES(X)                                                                                               \
	X(dropped) X(duplicated) X(reordered) X(replayed) X(slowed) X(crashes) X(silent_deaths) X(restarts)            \
	X(crashes_at_persist) X(torn_persists) X(crashes_in_run) X(crashes_in_dkg) X(partitions) X(partitions_in_run)  \
	X(clock_steps) X(hedges) X(told_again) X(retries) X(runs_dropped) X(dkg_restarted) X(ready_lost) X(share_lost) X(stalls)     \
	X(relays) X(aborts) X(refusals) X(late_jobs) X(repeated_shares) X(refused_signs) X(disk_errors) X(rollbacks)   \
	X(evil_seeds) X(evil_many) X(evil_in_dkg) X(alloc_failures) X(old_disks) X(cores) X(cheats_failed) X(failures_blamed) \
	X(corrupt_searched) X(clones_noticed) X(clones_unnoticed) X(cloned_signs) \
	X(reshares) X(reshares_failed) X(epochs_certified) X(shares_wiped) X(epochs_together) X(candidates_stuck) X(crashes_in_reshare) \
	X(shares_recovered)
struct sim_counters {
#define SIM_COUNTER_FIELD(name) uint64_t name;
	SIM_COUNTERS(SIM_COUNTER_FIELD)
	SIM_SOMETIMES(SIM_COUNTER_FIELD)
#undef SIM_COUNTER_FIELD
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

/* ---- audit logs (logs_ms) */
uint64_t sim_log_size(struct sim *s, unsigned peer);
unsigned sim_log_cosigned(struct sim *s, unsigned peer);       /* by how many peers, the last checkpoint with that size */
uint64_t sim_log_checkpoint(struct sim *s, unsigned peer);     /* its size */
/* Keeps the log aside, or puts what was kept in its place: a disk restored from a copy. */
void sim_log_keep(struct sim *s, unsigned peer);
void sim_log_put_back(struct sim *s, unsigned peer);
/* Refusals of logs of others, by that peer, in this life. */
uint64_t sim_log_refused(struct sim *s, unsigned peer);

/* ---- acting on nodes; peers are 1..n, frontends 1..frontends */
struct km_peer *sim_peer(struct sim *s, unsigned id);          /* NULL while down */
struct km_frontend *sim_frontend(struct sim *s, unsigned id);
struct km_settings *sim_peer_settings(struct sim *s, unsigned id);
struct km_settings *sim_frontend_settings(struct sim *s, unsigned id);
struct km_key_policy *sim_policy(struct sim *s);               /* of the one key, "www"; the same for all */
void sim_kill(struct sim *s, enum km_addr_kind kind, unsigned id);
/* The same without a word to the others: they see it by its silence. */
void sim_kill_silently(struct sim *s, enum km_addr_kind kind, unsigned id);
void sim_restart(struct sim *s, enum km_addr_kind kind, unsigned id);
/* Bit set of peers on the one side; 0 = whole again. Frontends reach all. */
void sim_partition(struct sim *s, uint32_t side);
/* A packet on the channel of `from`, whatever that node would send. */
void sim_inject(struct sim *s, struct km_addr to, struct km_addr from, const uint8_t *data, size_t len);
/* An operator's key generation at a peer; the outcome shows in sim_result(token). */
uint64_t sim_keygen(struct sim *s, unsigned peer, const char *name);
/* The same for any request of an operator. */
uint64_t sim_operate(struct sim *s, unsigned peer, const struct km_request *rq);
/* A client's signature request at a frontend over a well-formed TLS 1.3 content made from `nonce`. */
uint64_t sim_sign(struct sim *s, unsigned frontend, const char *key, uint64_t nonce, uint32_t deadline_ms);
/* Those bytes alone; returns their number. */
#define SIM_CONTENT_MAX 160
size_t sim_content(uint8_t *content, uint64_t nonce);
struct sim_result {
	int done, err, sign;
	struct km_addr node;                   /* who was asked, and in which of its lives */
	uint32_t life;
	uint8_t key_id[KM_HASH_SIZE];          /* SIGN: of what, for the check of the answer */
	struct km_scalar m;
	struct km_result result;
	char text[200];
	uint64_t asked_us, done_us;
};
const struct sim_result *sim_result(struct sim *s, uint64_t token);
/* 1 when the node that was asked is still in the life it was asked in: then, and only then, an answer is owed. */
int sim_result_owed(struct sim *s, uint64_t token);
/* Waits (runs) until all n peers hold the key usable and `ready` presignatures are ready in all; 1 on success. */
int sim_setup_key(struct sim *s, const char *name, unsigned ready);

/* A peer whose disk may be put back (old_disk): what it swore by then may be lost, so at most as many as a key can lose. */
void sim_may_restore(struct sim *s, unsigned peer);
int sim_restored(struct sim *s, unsigned peer);                /* it has been */

/* A peer of which two instances have lived, and neither was told; 0 = none. What it signed may convict it. */
unsigned sim_cloned(const struct sim *s);

/* Byzantine: a filter on every packet a node sends; may change, drop (return 0) or add packets by sim_inject. */
typedef int (*sim_filter_fn)(void *ctx, struct sim *s, struct km_addr from, struct km_addr to, uint8_t **data, size_t *len);
void sim_filter(struct sim *s, sim_filter_fn fn, void *ctx);

/* Around everything a node computes, if a program wants to know. enter: left counts its allocations until the next refusal, NULL for
 * none. leave: how many were refused. */
struct sim_hooks {
	void (*enter)(unsigned node, uint64_t *left, unsigned more);
	unsigned (*leave)(void);
};
extern const struct sim_hooks *sim_hooks;

/* Called after every step of a corrupt peer: what else it does with what it holds. */
void sim_after(struct sim *s, void (*fn)(void *ctx, struct sim *s, unsigned peer), void *ctx);

/* ---- invariants: checked after every step; the first broken one is kept here (NULL = none) */
const char *sim_broken(const struct sim *s);
/* For checks of the tests' own. */
void sim_break(struct sim *s, const char *fmt, ...);
/* Peers that a test runs as corrupt: not counted as honest in the invariants. */
void sim_corrupt(struct sim *s, unsigned peer);
/* What must hold at rest, checked when a test asks: bounded memory and queues, and shares on disk that make every usable key. */
void sim_check_rest(struct sim *s);

#endif
