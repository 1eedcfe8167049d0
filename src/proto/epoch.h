/* epoch.h: names of epochs, the promise STORED, and the certificate that makes an epoch count (protocol section 5, messages 9).
 *
 *	name        = (number, sid, table hash), compared in this order
 *	STORED body = prev 32 | number u64 | sid 32 | table hash 32      signed by a member, in its own envelope
 *	certificate = (len u32 | STORED envelope)*, by member ascending, all over one full name
 *
 * A key generation and a reshare end with the same STORED; which of the two made the epoch shows in the envelope's protocol. The
 * certificate of a key generation has STORED of all members, that of a reshare of c = min(N', T' + t') of them.
 * WHY c: any two certificates of siblings share an honest member, and after the wipe of lower names T of the certified one are left. */
#ifndef KM_PROTO_EPOCH_H
#define KM_PROTO_EPOCH_H

#include "table.h"

/* The full name of an epoch. WHY the table hash: a corrupt dealer may lead one run to two tables (attack A17). */
struct km_epoch {
	uint64_t number;
	uint8_t sid[KM_HASH_SIZE], table[KM_HASH_SIZE];
};

/* How far ahead of one's own clock the highest name in a JOIN may be; checked at JOIN only. */
#define KM_EPOCH_AHEAD_S 600

void km_epoch_of(struct km_epoch *e, const struct km_table *t);
/* < 0, 0, > 0: a total order. */
int km_epoch_cmp(const struct km_epoch *a, const struct km_epoch *b) KM_MUST;
/* 1 when a name of this number is too far ahead of the clock. */
int km_epoch_ahead(uint64_t number, uint64_t now_ms) KM_MUST;

/* ---- STORED */

#define KM_STORED_BODY (KM_STORED_MAX - KM_MSG_HEAD)
#define KM_STORED_ROUND 6

struct km_promise {                /* what a STORED says */
	struct km_epoch epoch;
	uint8_t prev[KM_HASH_SIZE];
	uint8_t member, proto;     /* KM_PROTO_DKG or KM_PROTO_RESHARE */
};

void km_stored_put(uint8_t body[KM_STORED_BODY], const uint8_t prev[KM_HASH_SIZE], const struct km_epoch *e);
/* Form only: no signature is checked, nothing but the bytes is looked at. KM_E_STALE for an envelope of another kind, the errors of
 * km_msg_parse and km_msg_check_body; KM_E_MISMATCH when the sid in the body is not the header's. */
int km_stored_read(struct km_promise *out, const uint8_t *raw, size_t len) KM_MUST;
/* Is this envelope the STORED of a member (*sender) for exactly this table, signed by the identity the table has for it? proto: how the
 * table was made, KM_PROTO_DKG or KM_PROTO_RESHARE. KM_E_VERIFY, KM_E_MISMATCH, KM_E_STALE and the errors of km_stored_read. */
int km_stored_check(const struct km_table *t, unsigned proto, const uint8_t *raw, size_t len, uint8_t *sender) KM_MUST;

/* ---- certificates */

/* c = min(N, T + t), t = T - 1. */
unsigned km_cert_quorum(unsigned members, unsigned threshold) KM_MUST;

struct km_cert {
	struct km_epoch epoch;     /* of what is in it */
	uint8_t proto;             /* how the epoch was made: KM_PROTO_DKG or KM_PROTO_RESHARE */
	uint32_t members;          /* whose STORED is in it */
	uint8_t stored[KM_MAX_PEERS][KM_STORED_MAX]; /* by id - 1, whole envelopes */
};
/* Upper bound of an encoded certificate. */
#define KM_CERT_MAX (KM_MAX_PEERS * (4 + KM_STORED_MAX))

/* Empty. proto: how the epoch was made (of the own STORED: km_stored_read). */
void km_cert_init(struct km_cert *c, unsigned proto);
/* Adds a STORED for exactly this table; one that is there already changes nothing. The errors of km_stored_check; KM_E_MISMATCH when
 * what is in there already is of another epoch. */
int km_cert_add(struct km_cert *c, const struct km_table *t, const uint8_t *raw, size_t len) KM_MUST;
/* STORED that a certificate for this table needs: of all after a key generation, else c. 0: no such protocol. */
unsigned km_cert_needs(const struct km_table *t, unsigned proto) KM_MUST;
/* 1 when enough are in. For certificates made by km_cert_add or checked by km_cert_verify. */
int km_cert_complete(const struct km_cert *c, const struct km_table *t) KM_MUST;
int km_cert_encode(const struct km_cert *c, struct km_buf *out) KM_MUST;
/* Form only: one full name, ascending members, at least one. *c is empty on failure. KM_E_ENCODING, KM_E_MISMATCH, KM_E_LIMIT and the
 * errors of km_stored_read. */
int km_cert_decode(struct km_cert *c, const uint8_t *p, size_t n) KM_MUST;
/* Everything, for a certificate from anywhere: of this table, every signature of the table's member, and enough of them.
 * KM_E_MISMATCH (another table), KM_E_VERIFY (a signature, or too few). Whether it has effect here is the node's to say: only who stored a
 * candidate of this name, or whose operator's file has this committee, is bound by it (attack A23). */
int km_cert_verify(const struct km_cert *c, const struct km_table *t) KM_MUST;
/* Names the bytes of a certificate in PROPOSE, JOIN and GET: H("certificate", encoding). */
void km_cert_hash(const uint8_t *enc, size_t len, uint8_t out[KM_HASH_SIZE]);

#endif
