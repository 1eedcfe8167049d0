/* table.h: the public table of a key's epoch, and a peer's stored share of it. */
#ifndef KM_PROTO_TABLE_H
#define KM_PROTO_TABLE_H

#include "../ec/shamir.h"
#include "../base/buf.h"
#include "msg.h"

struct km_table {
	uint8_t key_id[KM_HASH_SIZE];    /* H("key", curve, X): so a key id pins the public key */
	char name[KM_MAX_NAME + 1];
	uint64_t number;                 /* epoch number: unix seconds at its making, or higher */
	uint8_t sid[KM_HASH_SIZE];       /* the run that made it */
	const struct km_curve *curve;
	unsigned threshold;              /* T */
	uint32_t members;
	uint8_t idkeys[KM_MAX_PEERS + 1][KM_IDKEY_SIZE]; /* identities of the members, by id */
	struct km_point x;               /* X */
	struct km_point xi[KM_MAX_PEERS + 1];            /* X_i, by id */
	uint8_t hash[KM_HASH_SIZE];      /* of the canonical encoding: names the epoch */
};

/* 1 for a name of 1..KM_MAX_NAME characters [a-z0-9._-] that starts with a letter or digit. */
int km_name_valid(const char *name, size_t len) KM_MUST;
void km_key_id(const struct km_curve *c, const struct km_point *x, uint8_t out[KM_HASH_SIZE]);
/* Canonical bytes (public). encode also is what the hash covers. decode checks everything: name, sizes, T, points, that
 * identities are distinct, that all X_i interpolate to X with degree T-1, and fills key_id and hash. */
int km_table_encode(const struct km_table *t, struct km_buf *out) KM_MUST;
int km_table_decode(struct km_table *t, struct km_reader *r) KM_MUST;
/* Fills key_id and hash of a table whose other fields are set. */
int km_table_finish(struct km_table *t) KM_MUST;

/* Bytes of a STORED envelope: the head, then prev, number, sid, table hash. */
#define KM_STORED_MAX (KM_MSG_HEAD + 3 * KM_HASH_SIZE + 8)

/* A peer's stored state for one epoch: table, own share, and the own signed STORED.
 * The encoding holds the secret share: it goes to sealed storage only. */
struct km_share {
	struct km_table table;
	struct km_secret x_i;
	uint8_t self;
	int usable;                      /* STORED of every participant was seen */
	uint8_t stored[KM_STORED_MAX];   /* own signed STORED: sent again byte for byte after a restart (promise, protocol 5) */
	size_t stored_len;               /* 0 = none */
};
/* Upper bound of an encoded share. */
#define KM_SHARE_ENC_MAX 4096
int km_share_encode(const struct km_share *s, struct km_buf *out) KM_MUST;
/* Also checks x_i G = X_i. KM_E_MISMATCH if not. */
int km_share_decode(struct km_share *s, const uint8_t *p, size_t n) KM_MUST;
void km_share_wipe(struct km_share *s);

#endif
