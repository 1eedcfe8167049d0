/* node.h: for attacks on whole nodes: a simulated mesh without faults, frames written by hand in the name of a corrupt node, and
 * a look at what honest nodes answer. The simulator's own invariants run along. */
#ifndef KM_ATTACK_NODE_H
#define KM_ATTACK_NODE_H

#include "attack.h"
#include "node/peer_impl.h"
#include "tests/sim/sim.h"

#define NODE_PACKETS 4096

struct node_packet {
	struct km_addr from, to;
	uint8_t *data;
	size_t len;
	uint64_t at_us;
};

struct mesh {
	struct sim *sim;
	struct node_packet packet[NODE_PACKETS];   /* everything sent but HEALTH, PING and PONG, in order */
	size_t n;
	/* what to do with a packet on its way; NULL: let it pass. 0 = it is lost. */
	int (*tap)(struct mesh *m, struct km_addr from, struct km_addr to, uint8_t **data, size_t *len);
	void *ctx;
};

static inline struct km_addr peer(unsigned id) { return (struct km_addr){KM_ADDR_PEER, (uint16_t)id}; }
static inline struct km_addr frontend(unsigned id) { return (struct km_addr){KM_ADDR_FRONTEND, (uint16_t)id}; }

/* n peers, two frontends, no key yet. */
struct mesh *mesh_new(uint64_t seed, unsigned n, unsigned t);
/* Key "www" with presignatures. Which rules are off at that time is the caller's choice. */
void mesh_key(struct mesh *m);
/* Both, all rules on. */
struct mesh *mesh_ready(uint64_t seed, unsigned n, unsigned t);
/* Checks that no invariant broke, unless `broken` is the beginning of the one expected. */
void mesh_free(struct mesh *m, const char *broken);
void mesh_run(struct mesh *m, unsigned ms);
/* Forgets recorded packets. */
void mesh_forget(struct mesh *m);
/* The first packet of a kind from one to another (id 0: any) at or after index *at; NULL if there is none. */
const struct node_packet *mesh_find(const struct mesh *m, uint8_t kind, unsigned from_peer, unsigned to_peer, size_t *at);
unsigned mesh_count(const struct mesh *m, uint8_t kind, unsigned from_peer, unsigned to_peer);

/* An own, ready presignature of a peer; of a quorum with `with` if not 0. */
struct km_held *mesh_presig(struct mesh *m, unsigned owner, unsigned with);
struct km_key *mesh_www(struct mesh *m, unsigned id);
uint64_t mesh_wall_ms(struct mesh *m, unsigned id);

/* A request of a frontend over the content of sim_content(nonce); data is kept in the struct. */
struct wish {
	struct km_req req;
	uint8_t content[SIM_CONTENT_MAX];
	uint8_t id[KM_HASH_SIZE];
};
void wish_make(struct mesh *m, struct wish *w, unsigned frontend_id, uint64_t nonce);
/* After a change of w->req. */
void wish_finish(struct wish *w);
/* The authenticator only that frontend (or that signer) can make. */
void wish_mac(struct mesh *m, const struct wish *w, unsigned signer, uint8_t mac[KM_MAC_SIZE]);

/* `owner` sends SIGN for this presignature to `signer`, with a MAC; runs; returns the status of the SHARE, -1 for none. share
 * (may be NULL) is what came. */
int mesh_sign(struct mesh *m, unsigned owner, unsigned signer, const uint8_t presig_id[KM_HASH_SIZE], const struct wish *w,
	      const uint8_t mac[KM_MAC_SIZE], struct km_share_msg *share);
/* A frontend's REQ with all MACs to one aggregator; status of the REPLY, -1 for none. */
int mesh_req(struct mesh *m, unsigned frontend_id, unsigned aggregator, const struct wish *w, struct km_reply *reply);

#endif
