/* setup.h: the messages that set up every run: a signed PROPOSE of its initiator, a signed JOIN of every participant, and the sid
 * made of all of them. Pure bytes, so that a node and an offline judge come to the same sid.
 *
 *	PROPOSE body: purpose u8 | table or roster hash | participants u32 | engine u8 | B u16 | time u64 | incarnation | nonce |
 *	              key generation: name_len u8 | name, 63 bytes, zero padded | T u8 | curve u8
 *	              reshare: the same three, of the new table | Q u32 | J u32 | new members u32 | committee hash | certificate hash
 *	              rows, presign: owner u8 | S u32, B of them
 *	JOIN body:    proposal id | incarnation | nonce
 *	              reshare: highest stored name (number u64 | sid | table hash; zeros: none) | hash of the newest certificate (zeros: none)
 *	sid         = H("sid", version, proposal id, content digests of all JOINs by sender)
 *
 * The proposal id is the content digest of PROPOSE. */
#ifndef KM_PROTO_SETUP_H
#define KM_PROTO_SETUP_H

#include "epoch.h"
#include "presign.h"

enum km_purpose { KM_PURPOSE_DKG = 1, KM_PURPOSE_PRESIGN = 2, KM_PURPOSE_RESHARE = 3 };
enum km_setup_round { KM_SETUP_PROPOSE = 1, KM_SETUP_JOIN = 2 };

struct km_proposal {
	uint8_t purpose, engine;
	uint8_t hash[KM_HASH_SIZE];        /* table (presign), old table (reshare) or roster (dkg) */
	uint32_t participants;
	uint16_t batch;
	uint64_t time_ms;
	uint8_t incarnation[KM_NONCE_SIZE], nonce[KM_NONCE_SIZE];
	char name[KM_MAX_NAME + 1];        /* dkg, reshare */
	uint8_t threshold, curve;          /* of the table to be made */
	/* reshare: participants = dealers | joiners. Q: exactly T old members, who deal. J: who receives and promises. members: the whole new
	 * committee, J and those to be recovered later. */
	uint32_t dealers, joiners, members;
	uint8_t committee[KM_HASH_SIZE];   /* km_setup_committee: T' and the identities of members */
	uint8_t cert[KM_HASH_SIZE];        /* km_cert_hash of the old table's certificate, as the initiator has it */
};

#define KM_JOIN_BODY (KM_HASH_SIZE + 2 * KM_NONCE_SIZE)
#define KM_JOIN_LEN (KM_MSG_HEAD + KM_JOIN_BODY)
/* A JOIN of a reshare. The first KM_JOIN_BODY bytes are as in every JOIN. */
#define KM_JOIN_RESHARE (KM_JOIN_BODY + 8 + 3 * KM_HASH_SIZE)
#define KM_JOIN_MAX (KM_MSG_HEAD + KM_JOIN_RESHARE)
#define KM_PROPOSE_HEAD (1 + KM_HASH_SIZE + 4 + 1 + 2 + 8 + 2 * KM_NONCE_SIZE)
#define KM_PROPOSE_ROW 5
/* The largest envelope of a PROPOSE. */
#define KM_PROPOSE_MAX (KM_MSG_HEAD + KM_PROPOSE_HEAD + KM_PROPOSE_ROW * KM_MAX_BATCH)

struct km_shape km_setup_propose_shape(const struct km_proposal *pr);
/* purpose: of the run that is joined. */
struct km_shape km_setup_join_shape(unsigned purpose);
/* Appends the body; rows: pr->batch of them, unused but for presigning. */
void km_setup_put(struct km_buf *b, const struct km_proposal *pr, const struct km_presign_row *rows);
/* Strict: one proposal has one encoding. rows has room for KM_MAX_BATCH. KM_E_ENCODING, KM_E_LIMIT, KM_E_TRUNCATED, KM_E_TRAILING. */
int km_setup_get(struct km_proposal *pr, struct km_presign_row *rows, const uint8_t *body, size_t len) KM_MUST;
/* What stands in the sid field of these two messages. */
void km_setup_propose_sid(const uint8_t *body, size_t len, uint8_t sid[KM_HASH_SIZE]);
void km_setup_join_sid(const uint8_t body[KM_JOIN_BODY], uint8_t sid[KM_HASH_SIZE]);
void km_setup_join_put(uint8_t body[KM_JOIN_BODY], const uint8_t proposal_id[KM_HASH_SIZE], const uint8_t incarnation[KM_NONCE_SIZE],
		       const uint8_t nonce[KM_NONCE_SIZE]);
/* The rest of a JOIN of a reshare: the highest name this peer has stored a share under, certified or not, and the hash of the newest
 * certificate it holds. NULL: none. */
void km_setup_join_put_epoch(uint8_t body[KM_JOIN_RESHARE], const struct km_epoch *highest, const uint8_t *cert);
void km_setup_join_get_epoch(const uint8_t body[KM_JOIN_RESHARE], struct km_epoch *highest, uint8_t cert[KM_HASH_SIZE]);
/* The number of the epoch a reshare makes: max(seconds of PROPOSE's time, 1 + highest number in the JOINs). highest by peer id. A function
 * of the set of JOINs alone, so that all participants and every judge have the same. KM_E_RANGE when there is none above the highest. */
int km_setup_number(const struct km_proposal *pr, const struct km_epoch *highest, uint64_t *number) KM_MUST;
/* H("committee", T', ids and identities of the members): what the sid of a reshare fixes of the operator's file. idkeys by peer id. */
void km_setup_committee(uint32_t members, unsigned threshold, const uint8_t (*idkeys)[KM_IDKEY_SIZE], uint8_t out[KM_HASH_SIZE]);
/* The sid of the run. join_digest by peer id. */
void km_setup_sid(const uint8_t proposal_id[KM_HASH_SIZE], uint32_t participants, const uint8_t (*join_digest)[KM_HASH_SIZE],
		  uint8_t sid[KM_HASH_SIZE]);
#endif
