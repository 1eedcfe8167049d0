/* sim_impl.h: the inside of a simulation, shared by its files. */
#ifndef KM_SIM_IMPL_H
#define KM_SIM_IMPL_H

#include "base/hash.h"
#include "base/rng.h"
#include "base/secret.h"
#include "sim.h"

enum sim_what { SIM_PACKET, SIM_TICK, SIM_PERSISTED, SIM_WORKED, SIM_RESTART, SIM_KILL_RANDOM, SIM_PARTITION, SIM_HEAL, SIM_UP };

struct sim_item {
	uint64_t at_us, seq;
	enum sim_what what;
	struct km_addr to, from;
	uint32_t life;                /* of the node it is for: an item for an earlier life is void */
	uint8_t *data;
	size_t len;
	uint64_t token;
	struct km_job *job;
};

struct sim_file {
	char name[KM_MAX_NAME + 33];
	uint8_t *data;
	size_t len;
};

struct sim_node {
	struct km_addr addr;
	struct km_settings settings;
	struct km_frontend_entry entries[SIM_MAX_FRONTENDS];
	struct km_peer *peer;
	struct km_frontend *frontend;
	int alive, corrupt;
	uint32_t life;                /* counts starts */
	uint64_t tick_at_us;          /* earliest tick queued, UINT64_MAX none */
	struct sim_file *files;
	size_t n_files;
	int64_t clock_skew_ms;
};

/* What the invariants remember. */
struct sim_seen {
	uint8_t peer, presig[KM_HASH_SIZE], request[KM_HASH_SIZE], s[KM_SCALAR_MAX];
};
struct sim_asked {
	uint8_t request[KM_HASH_SIZE];
	uint8_t key_id[KM_HASH_SIZE];
	struct km_scalar m;
	uint8_t frontend;
};

struct sim {
	struct sim_options opt;
	struct sim_counters count;
	struct km_rng rng;
	uint64_t now_us, seq;
	struct sim_item *heap;
	size_t n_heap, cap_heap;
	struct sim_node peers[KM_MAX_PEERS + 1], fronts[SIM_MAX_FRONTENDS + 1];
	struct km_key_policy policy;
	uint32_t side;                /* of a partition */
	int calm;
	struct km_hash trace;
	uint8_t trace_out[KM_HASH_SIZE];
	struct km_effects fx;
	struct sim_result *results;
	size_t n_results, cap_results;
	sim_filter_fn filter;
	void *filter_ctx;
	char broken[200];
	struct sim_seen *seen;
	size_t n_seen, cap_seen;
	struct sim_asked *asked;
	size_t n_asked, cap_asked;
};

struct sim_node *sim_node(struct sim *s, struct km_addr a);
void sim_push(struct sim *s, const struct sim_item *item);     /* takes item->data */
void sim_trace(struct sim *s, const char *what, struct km_addr a, uint64_t v, const void *data, size_t len);
void sim_step(struct sim *s, struct sim_node *node, struct km_event *ev);
void sim_send(struct sim *s, struct sim_node *from, struct km_addr to, const uint8_t *data, size_t len, int filtered);
/* Invariants. */
void sim_check_send(struct sim *s, struct sim_node *from, struct km_addr to, const uint8_t *data, size_t len);
void sim_check_evidence(struct sim *s, struct sim_node *node, const uint8_t *data, size_t len, uint8_t culprit);

#endif
