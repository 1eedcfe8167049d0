/* net.h: an in-process network for protocol machines: no node layer, no clock but a counter, delivery in an order drawn from a
 * seed, jobs run inline. For unit and attack tests of one protocol; whole peers are driven by tests/sim.
 *
 *	struct net *net = net_new(seed);
 *	for each party: net_add(net, id, machine);           net owns nothing of the machine
 *	net_tap(net, fn, ctx);                               see (and change or drop) every envelope on the way
 *	net_run(net);                                        until nothing moves
 *	net_party(net, id)->done, ->dropped, ->convicted ... what came out
 */
#ifndef KM_TEST_NET_H
#define KM_TEST_NET_H

#include "proto/machine.h"
#include "proto/setup.h"

struct net_party {
	struct km_machine *m;
	int present, done, dropped, drop_code;
	uint32_t waited_for;          /* of the drop */
	uint32_t convicted, disputed, suspected; /* sets of peers */
	int evidence_kind;            /* of the last conviction */
	uint8_t *evidence;            /* its bytes, owned */
	size_t evidence_len;
	uint8_t *persisted;           /* bytes of the last KM_OUT_PERSIST, owned (secret arena) */
	size_t persisted_len;
	unsigned jobs, sent;
	uint64_t sent_bytes;
	uint64_t cpu_ns;              /* thread CPU time spent in this party's steps and jobs */
	int err;                      /* last negative return of the machine that is an operating error */
	int crash_at_persist;         /* set: the party vanishes instead of persisting */
};

struct net;

/* What a tap may do with an envelope from `from` to `to` (each recipient of a broadcast is asked separately). */
enum net_verdict { NET_PASS, NET_DROP };
/* *raw is a malloc'd envelope the tap may change in place or replace (free and malloc). */
typedef enum net_verdict (*net_tap_fn)(void *ctx, uint8_t from, uint8_t to, uint8_t **raw, size_t *len);
/* Runs the job of machine m in some other way than inline. */
typedef void (*net_job_fn)(struct km_machine *m, struct km_job *job);

struct net *net_new(uint64_t seed);
void net_free(struct net *net);
void net_add(struct net *net, uint8_t id, struct km_machine *m);
struct net_party *net_party(struct net *net, uint8_t id);
void net_tap(struct net *net, net_tap_fn fn, void *ctx);
void net_jobs(struct net *net, net_job_fn fn);
/* Puts an envelope on the wire as if sent by channel `from`. */
void net_inject(struct net *net, uint8_t from, uint8_t to, const uint8_t *raw, size_t len);
/* Starts machines not yet started and runs until no message is left. Then, if `timeouts`, lets deadlines pass (now jumps) until
 * every machine has ended or none has a deadline. */
void net_run(struct net *net, int timeouts);
uint64_t net_now(const struct net *net);

/* Identities for tests: Ed25519 keys derived from (seed, id). */
void net_identity(uint64_t seed, uint8_t id, struct km_identity *out);
/* A channel key, and the hash of the roster of all these peers. */
void net_channel(uint64_t seed, uint8_t id, uint8_t pub[KM_CHANKEY_SIZE]);
void net_roster(uint64_t seed, uint32_t members, uint8_t hash[KM_HASH_SIZE]);
/* Fills everything of params but ops: sid and seed from `seed`, identities by net_identity for all of participants. keys is storage
 * for params->idkeys. */
void net_params(struct km_machine_params *params, uint8_t keys[KM_MAX_PEERS + 1][KM_IDKEY_SIZE], uint64_t seed, const struct km_curve *curve, uint8_t self,
		uint32_t participants);
/* PROPOSE and all JOINs of a run, by the identities of (seed, id), and the sid that they make. Not to be copied: it points into
 * itself. */
struct net_setup {
	uint8_t raw[KM_PROPOSE_MAX], join_raw[KM_MAX_PEERS][KM_JOIN_MAX];
	struct km_msg propose, join[KM_MAX_PEERS];   /* joins by sender, n of them */
	struct km_epoch highest[KM_MAX_PEERS + 1];   /* reshare: what the JOINs say, by sender; to be set before */
	unsigned n;
	uint8_t sid[KM_HASH_SIZE];
};
/* pr: what the run is; time, incarnation and nonce are filled in. The lowest participant proposes. */
void net_setup_make(struct net_setup *s, uint64_t seed, struct km_proposal *pr, const struct km_presign_row *rows);
/* Re-signs a changed body (body bytes already in raw) as its author: a Byzantine peer's pen. Returns a new malloc'd envelope. */
uint8_t *net_resign(const struct km_identity *id, const uint8_t *raw, size_t len, const struct km_shape *shape, size_t *out_len);

#endif
