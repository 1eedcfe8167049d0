/* settings.h: what a node is told by its operator: roster, frontends, keys and their policies, tuning. Plain data, made by the
 * daemon from its configuration file or by the simulator. */
#ifndef KM_NODE_SETTINGS_H
#define KM_NODE_SETTINGS_H

#include "../base/context.h"
#include "../base/limits.h"
#include "../base/err.h"
#include "../proto/msg.h"

struct km_roster_peer {
	uint8_t id;                           /* 1..32, 0 = unused entry */
	char name[KM_MAX_NAME + 1];
	uint8_t identity[KM_IDKEY_SIZE];      /* Ed25519 */
	uint8_t channel[KM_CHANKEY_SIZE];     /* X25519, also the CurveZMQ key */
};

struct km_roster {
	struct km_roster_peer peer[KM_MAX_PEERS + 1];  /* by id */
	uint32_t members;
	uint32_t removed;                     /* entries that are no members any more: they hear CERT, and say STORED and HAVE */
	unsigned n;                           /* of members */
	uint8_t hash[KM_HASH_SIZE];           /* over ids, identities and channel keys; names are local */
};

struct km_frontend_entry {
	uint16_t id;                          /* 1..1024 */
	char name[KM_MAX_NAME + 1];
	uint8_t channel[KM_CHANKEY_SIZE];
};

/* What one key may sign and for whom. A peer refuses a key generation for a name that its operator did not list. */
struct km_key_policy {
	char name[KM_MAX_NAME + 1];
	uint8_t curve;                        /* enum km_curve_id */
	uint8_t threshold;
	uint32_t contexts;                    /* bits: km_context_bit */
	uint8_t frontends[KM_MAX_FRONTENDS / 8]; /* bit id-1: may ask */
	uint32_t rate;                        /* requests a second and frontend, 0 = no limit */
	uint32_t members;                     /* the committee, 0 = the whole roster */
	uint32_t excluded;                    /* of it: lost for good, old shares are wiped without their STORED */
	int pinned;
	uint8_t pin[KM_HASH_SIZE];            /* id of the key that a peer without a share of it expects */
	uint32_t refresh_s;                   /* age of an epoch at which it is refreshed, 0 = only when an operator asks */
};

struct km_settings {
	uint8_t self_peer;                    /* own peer id, 0 if not a peer */
	uint16_t self_frontend;               /* own frontend id, 0 if not a frontend */
	struct km_identity identity;          /* peers */
	uint8_t channel_priv[32];             /* X25519 secret of the own channel key */
	struct km_roster roster;
	struct km_frontend_entry *frontends;  /* owned by whoever made the settings */
	unsigned n_frontends;
	struct km_key_policy *keys;
	unsigned n_keys;
	unsigned pool_target;                 /* presignatures wanted per (own, quorum) pool */
	unsigned pool_low;                    /* refill starts below this */
	unsigned batch;                       /* B of a presign run, 1..256 */
	uint32_t presig_age_s;                /* maximum age of a presignature */
	unsigned dkg_min;                     /* participants a DKG needs, 0 = all of the roster; see km_settings_dkg_least */
	uint32_t freshness_ms;                /* clock tolerance of requests, 30000 */
	uint32_t share_timeout_ms;            /* upper bound for a SHARE, 250 */
	char mesh[KM_MAX_NAME + 1];           /* audit logs are named after it; "mesh" */
};

/* Sets defaults of the tuning fields: 64, 48, 256, 3600, 0, 30000, 250. */
void km_settings_defaults(struct km_settings *s);
/* Fills roster.members, n, hash; KM_E_CONFIG if a key is malformed or two peers share one. */
int km_roster_finish(struct km_roster *r) KM_MUST;
const struct km_key_policy *km_settings_key(const struct km_settings *s, const char *name);
/* Participants that a key generation with this threshold needs: what the operator wants, and never fewer than (peers + threshold) / 2.
 * WHY: any two sets of so many have T peers in common, one of them honest, and that one joins none for a name it has a key of. */
unsigned km_settings_dkg_least(const struct km_settings *s, unsigned threshold);
int km_policy_frontend_allowed(const struct km_key_policy *k, uint16_t frontend);
void km_policy_allow_frontend(struct km_key_policy *k, uint16_t frontend);

#endif
