/* mesh.h: a handful of peers in one process with a trivial driver: messages are delivered at once and in order, jobs run inline,
 * the disk always works, time jumps to the next deadline. For unit tests of src/node; tests/sim is the real simulator. */
#ifndef KM_TEST_MESH_H
#define KM_TEST_MESH_H

#include "audit/checkpoint.h"
#include "audit/entry.h"
#include "audit/tree.h"
#include "node/peer.h"
#include "node/wire.h"

#define MESH_FRONTEND 7

struct mesh_packet {
	struct km_addr from, to;
	uint8_t *data;
	size_t len;
	struct mesh_packet *next;
};

struct mesh_file {
	char name[100];
	uint8_t *data;
	size_t len;
};

struct mesh_node {
	struct km_settings s;
	struct km_key_policy key[2];
	struct km_frontend_entry frontend;
	struct km_peer *peer;            /* NULL: down */
	struct mesh_file file[256];
	unsigned n_files, starts;
	int disk_err;                    /* what PERSISTED says */
	struct km_audit_chain chain;     /* the audit log: what was appended, and its tree */
	struct km_tree tree;
	uint8_t (*stored)[KM_HASH_SIZE];
	uint8_t note[KM_NOTE_MAX];       /* the last checkpoint */
	size_t note_len;
	unsigned audits, evidence, errors; /* LOG at level error */
	char last_error[200];
};

struct mesh {
	unsigned n;
	struct km_time now;
	struct mesh_node node[KM_MAX_PEERS + 1];
	struct km_effects fx;
	struct mesh_packet *head, **tail;
	uint8_t frontend_priv[32], frontend_pub[32];
	/* what came back to the frontend */
	struct km_reply reply;
	unsigned replies;
	struct km_reply again;           /* AGAIN: told to a request that had found the pools empty */
	unsigned agains;
	struct km_pong pong;
	unsigned pongs;
	uint8_t *table;
	size_t table_len;
	/* what came back to the operator */
	int result, result_err;
	char result_text[200], progress[200];
	uint64_t seed;
	int verbose;
	unsigned crash_id, crash_after;  /* mesh_crash_after; 0 = nobody */
	/* sees every packet; 0 = lose it. May change the bytes. */
	int (*tap)(struct mesh *m, struct mesh_packet *k);
	/* sees every event that a peer is given, before it is */
	void (*seen)(struct mesh *m, unsigned id, const struct km_event *ev);
};

/* n peers, key "www" with this threshold on P-256, everything allowed for tls13-server. Not started. */
void mesh_init(struct mesh *m, unsigned n, unsigned threshold, uint64_t seed);
void mesh_free(struct mesh *m);
void mesh_start(struct mesh *m, unsigned id);       /* new incarnation, stored files loaded */
void mesh_kill(struct mesh *m, unsigned id);
/* What the peer's start-th life (from 0) is seeded with. */
void mesh_seed(const struct mesh *m, unsigned id, unsigned start, uint8_t seed[KM_SEED_SIZE]);
/* That peer dies (kill -9) when it has carried out so many effects from now on: those that were to follow never happen. */
void mesh_crash_after(struct mesh *m, unsigned id, unsigned effects);
int mesh_step(struct mesh *m, unsigned id, struct km_event *ev);
/* The peer's log, as it is now, is to be cosigned. */
void mesh_checkpoint(struct mesh *m, unsigned id);
/* Delivers everything that is on its way. */
void mesh_settle(struct mesh *m);
/* Lets time pass in jumps from deadline to deadline. */
void mesh_run(struct mesh *m, uint64_t us);
/* Asks peer id for a key and runs until the answer; its err. */
int mesh_keygen(struct mesh *m, unsigned id, uint64_t max_us);
/* The same for any request of an operator. */
int mesh_operate(struct mesh *m, unsigned id, const struct km_request *rq, uint64_t max_us);
/* A tls13-server request of the frontend; with_mac: set of peers that get a right authenticator. */
void mesh_request(struct mesh *m, unsigned aggregator, const uint8_t key_id[KM_HASH_SIZE], unsigned salt, uint32_t with_mac);
/* The request bytes of a salt, and whether the reply is a signature on them under x. */
size_t mesh_bytes(unsigned salt, uint8_t out[130]);
int mesh_verify(const struct mesh *m, unsigned salt, const struct km_curve *c, const struct km_point *x);
void mesh_send(struct mesh *m, struct km_addr from, struct km_addr to, const void *data, size_t len);

#endif
