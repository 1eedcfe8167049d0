/* sim_impl.h: the inside of a simulation, shared by its files.
 *
 *	sim.c        the heap, the loop, faults by the clock        sim_make.c   settings, making, freeing, look-ups
 *	sim_node.c   lives of nodes, their disks, their effects     sim_net.c    packets; clients and operators
 *	sim_check.c  the invariants                                 sim_trace.c  the trace, for machines and for people
 *	sim_disk.c   disks, and their former contents                sim_clone.c  two instances of one peer
 *	sim_log.c    audit logs                                      sim_epoch.c  what epochs must keep to
 */
#ifndef KM_SIM_IMPL_H
#define KM_SIM_IMPL_H

#include "base/hash.h"
#include "base/rng.h"
#include "base/secret.h"
#include "sim.h"
#include "sim_map.h"

enum sim_what {
	SIM_PACKET, SIM_TICK, SIM_PERSISTED, SIM_WORKED, SIM_RESTART, SIM_KILL_RANDOM, SIM_PARTITION, SIM_HEAL, SIM_UP, SIM_DOWN,
	SIM_CLOCK_STEP, SIM_ROLLBACK, SIM_CLONE, SIM_LOG, SIM_PROOF,
};

struct sim_item {
	uint64_t at_us, seq;
	enum sim_what what;
	struct km_addr to, from;
	uint32_t life;                /* of the node it is for: an item for an earlier life is void */
	uint8_t *data;
	size_t len;
	uint64_t token;               /* PACKET: number on its channel */
	struct km_job *job, *twin_job; /* twin_job: the same of the shadow */
	int clone;                    /* it is for the clone */
	int err;
};

struct sim_file {
	char name[KM_MAX_NAME + 33];
	uint8_t *data;
	size_t len;
};

/* Counters of a node that die with it. */
struct sim_harvest {
	uint64_t hedged, retries, dropped, finished;
};

struct sim_node {
	struct km_addr addr;
	struct km_settings settings;
	struct km_frontend_entry entries[SIM_MAX_FRONTENDS];
	struct km_peer *peer;
	struct km_frontend *frontend;
	struct km_peer *shadow;       /* sees and does what peer does, unheard, until it becomes the clone */
	int alive, corrupt, may_restore, restored;
	uint32_t life;                /* counts starts and deaths */
	uint32_t era;                 /* counts starts and roll-backs: what presignatures may not outlive */
	uint64_t tick_at_us;          /* earliest tick queued, UINT64_MAX none */
	uint64_t last_us;             /* monotonic time of its last step */
	unsigned ticks_here;          /* ticks at one moment: a node whose deadline does not move spins */
	struct sim_file *files, *old;  /* old: a copy of some time ago */
	size_t n_files, n_old;
	uint64_t mono_base_us;        /* no two machines booted together */
	int64_t clock_skew_ms;
	struct sim_harvest harvest;
	struct sim_log *log;          /* NULL: none is kept */
	uint8_t secret[3][KM_SCALAR_MAX]; /* what must never be seen outside: identity, channel key, share */
	size_t secret_len[3];
	uint64_t sent[2][KM_MAX_PEERS + 1], heard[2][KM_MAX_PEERS + 1]; /* by channel: numbers of packets, to see reordering */
};

struct sim_asked {
	uint8_t key_id[KM_HASH_SIZE];
	struct km_scalar m;
	uint8_t frontend;
};

/* Keys as the outside world knows them. */
struct sim_key {
	char name[KM_MAX_NAME + 1];
	uint8_t key_id[KM_HASH_SIZE];
	struct km_point x;
	int usable;                   /* somewhere, once */
};
#define SIM_MAX_KEYS 32

/* Every table that an honest peer ever stored a share of. */
struct sim_epoch {
	struct km_table table;
	uint64_t name;                /* of its share file, hashed */
	int certified;                /* somewhere, once */
};
#define SIM_REPLAY 64

struct sim {
	struct sim_options opt;
	struct sim_counters count;
	struct km_rng rng;
	uint64_t now_us, seq;
	struct sim_item *heap;
	size_t n_heap, cap_heap;
	struct sim_node peers[KM_MAX_PEERS + 1], fronts[SIM_MAX_FRONTENDS + 1];
	struct sim_node clone;        /* second instance of a peer: same address, settings of the first */
	enum sim_clone_state { SIM_CLONE_NONE, SIM_CLONE_NOTICED, SIM_CLONE_UNNOTICED } cloned; /* since there was one */
	uint32_t clone_route[2];      /* peers, frontends whose packets the clone gets, and not the first; both empty: drawn for each packet */
	struct km_key_policy policy;
	uint32_t side;                /* of a partition */
	uint64_t partition_no;
	int calm;
	uint64_t alloc_left;          /* until the next refusal */
	uint64_t trace[4];            /* of all so far */
	uint8_t trace_out[KM_HASH_SIZE];
	struct km_effects fx, shadow_fx;
	struct sim_result *results;
	size_t n_results, cap_results;
	sim_filter_fn filter;
	void *filter_ctx;
	void (*after)(void *ctx, struct sim *s, unsigned peer);
	void *after_ctx;
	char broken[200];
	struct { struct km_addr from, to; uint8_t *data; size_t len; } replay[SIM_REPLAY];
	/* the memory of the invariants */
	struct sim_map shares;        /* (peer, presig) -> share and request, hashed */
	struct sim_map spent;         /* (presig): its request, as SIGNs and REPLYs show it */
	struct sim_map r_used;        /* (key, r) -> request */
	struct sim_map audited;       /* (peer, presig) -> 1 */
	struct sim_map lives;         /* (what, peer, id) -> life */
	struct sim_map dkgs;          /* proposals of key generations */
	struct sim_map requests;      /* request id -> index of asked + 1 */
	struct sim_asked *asked;
	size_t n_asked, cap_asked;
	struct sim_key keys[SIM_MAX_KEYS];
	struct sim_epoch *epochs;
	size_t n_epochs, cap_epochs;
	unsigned n_keys;
	int any_corrupt;
};

/* sim.c */
void sim_push(struct sim *s, const struct sim_item *item);     /* takes item->data */
uint64_t sim_between(struct sim *s, uint64_t lo, uint64_t hi);
int sim_chance(struct sim *s, unsigned per_mille);             /* never once it is calm */
/* sim_make.c */
struct sim_node *sim_node(struct sim *s, struct km_addr a);
unsigned sim_nodes(const struct sim *s);
struct sim_node *sim_nth(struct sim *s, unsigned i);           /* 1..sim_nodes: peers, then frontends */
unsigned sim_number(const struct sim *s, const struct sim_node *node); /* the inverse */
void *sim_grow(void *p, size_t n, size_t *cap, size_t size);   /* room for one more */
/* sim_node.c */
int sim_step(struct sim *s, struct sim_node *node, struct km_event *ev); /* what the node returned */
int sim_step_twin(struct sim *s, struct sim_node *node, struct km_event *ev, struct km_job *twin_job);
void sim_birth(struct sim *s, struct sim_node *node);
void sim_crash(struct sim *s, struct sim_node *node);          /* and a restart later */
void sim_connect(struct sim *s, struct sim_node *a, struct sim_node *b); /* tells both of a new channel */
void sim_bury(struct sim *s, struct sim_node *node);           /* frees it; nobody is told */
void sim_harvest(struct sim *s, struct sim_node *node);
unsigned sim_runs_active(const struct sim_node *node);
int sim_job_late(const struct sim_node *node, const struct km_job *job); /* its run has ended meanwhile */
void sim_arm(struct sim *s, struct sim_node *node);
void sim_restart_later(struct sim *s, const struct sim_node *node);
/* sim_clone.c */
int sim_has_shadow(const struct sim *s, const struct sim_node *node); /* whether it is born with one */
void sim_clone_plan(struct sim *s, uint32_t after_ms);
void sim_clone_split(struct sim *s);
void sim_clone_end(struct sim *s);
int sim_is_clone(const struct sim *s, const struct sim_node *node);
/* Who reads this packet: bit 0 the first instance, bit 1 the clone. */
unsigned sim_clone_readers(struct sim *s, const struct sim_item *it);
void sim_shadow_step(struct sim *s, struct sim_node *node, const struct km_event *ev, struct km_job *job, int err);
/* The next effect of the shadow, which is the same as e; NULL without shadow. */
struct km_effect *sim_shadow_effect(struct sim *s, struct sim_node *node, const struct km_effect *e);
void sim_disk_copy(struct sim_node *to, const struct sim_node *from);
/* sim_epoch.c */
void sim_epoch_persist(struct sim *s, struct sim_node *node, const struct km_effect *e);
void sim_epoch_learn(struct sim *s, struct sim_node *node, const struct km_table *t, int usable);
/* Invariant 4 at rest: every key that ever was usable has T shares of one certified epoch on disks. */
void sim_epoch_rest(struct sim *s);
void sim_epoch_clear(struct sim *s);
/* sim_disk.c */
/* NULL: never written. data NULL: removed. */
const struct sim_file *sim_disk_find(const struct sim_node *node, const char *name);
void sim_disk_write(struct sim_node *node, const char *name, const uint8_t *data, size_t len);
void sim_disk_remember(struct sim_node *node);                 /* the copy that may come back */
void sim_disk_restore(struct sim *s, struct sim_node *node);
void sim_disk_free(struct sim_node *node);
/* sim_log.c */
void sim_log_birth(struct sim *s, struct sim_node *node);
void sim_log_free(struct sim_node *node);
void sim_log_effect(struct sim *s, struct sim_node *node, const struct km_effect *e);
void sim_log_event(struct sim *s, struct sim_node *node, const struct sim_item *it, struct km_event *ev);
/* sim_net.c */
int sim_cut(const struct sim *s, struct km_addr a, struct km_addr b);
void sim_send(struct sim *s, struct sim_node *from, struct km_addr to, const uint8_t *data, size_t len);
struct sim_result *sim_answer(struct sim *s, uint64_t token);
/* sim_trace.c */
void sim_trace(struct sim *s, const char *what, struct km_addr a, uint64_t v, const void *data, size_t len);
void sim_trace_event(struct sim *s, const struct sim_node *node, const struct km_event *ev);
void sim_trace_effect(struct sim *s, const struct sim_node *node, const struct km_effect *e);
void sim_trace_packet(struct sim *s, const char *what, struct km_addr from, struct km_addr to, const uint8_t *data, size_t len);
/* sim_check.c */
void sim_check_send(struct sim *s, struct sim_node *from, struct km_addr to, const uint8_t *data, size_t len);
void sim_check_effect(struct sim *s, struct sim_node *node, const struct km_effect *e);
void sim_check_result(struct sim *s, const struct sim_result *r);
void sim_check_life(struct sim *s, struct sim_node *node);     /* at a birth, after the files were loaded */
void sim_check_clear(struct sim *s);

#endif
