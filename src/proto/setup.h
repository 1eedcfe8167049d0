/* setup.h: the messages that set up every run: a signed PROPOSE of its initiator, a signed JOIN of every participant, and the sid
 * made of all of them. Pure bytes, so that a node and an offline judge come to the same sid.
 *
 *	PROPOSE body: purpose u8 | table or roster hash | participants u32 | engine u8 | B u16 | time u64 | incarnation | nonce |
 *	              key generation: name_len u8 | name, 63 bytes, zero padded | T u8 | curve u8
 *	              rows, presign: owner u8 | S u32, B of them
 *	JOIN body:    proposal id | incarnation | nonce
 *	sid         = H("sid", version, proposal id, content digests of all JOINs by sender)
 *
 * The proposal id is the content digest of PROPOSE. */
#ifndef KM_PROTO_SETUP_H
#define KM_PROTO_SETUP_H

#include "presign.h"

enum km_purpose { KM_PURPOSE_DKG = 1, KM_PURPOSE_PRESIGN = 2 };
enum km_setup_round { KM_SETUP_PROPOSE = 1, KM_SETUP_JOIN = 2 };

struct km_proposal {
	uint8_t purpose, engine;
	uint8_t hash[KM_HASH_SIZE];        /* table (presign) or roster (dkg) */
	uint32_t participants;
	uint16_t batch;
	uint64_t time_ms;
	uint8_t incarnation[KM_NONCE_SIZE], nonce[KM_NONCE_SIZE];
	char name[KM_MAX_NAME + 1];        /* dkg */
	uint8_t threshold, curve;
};

#define KM_JOIN_BODY (KM_HASH_SIZE + 2 * KM_NONCE_SIZE)
#define KM_JOIN_LEN (KM_MSG_HEAD + KM_JOIN_BODY)
#define KM_PROPOSE_HEAD (1 + KM_HASH_SIZE + 4 + 1 + 2 + 8 + 2 * KM_NONCE_SIZE)
#define KM_PROPOSE_ROW 5
/* The largest envelope of a PROPOSE. */
#define KM_PROPOSE_MAX (KM_MSG_HEAD + KM_PROPOSE_HEAD + KM_PROPOSE_ROW * KM_MAX_BATCH)

struct km_shape km_setup_propose_shape(const struct km_proposal *pr);
struct km_shape km_setup_join_shape(void);
/* Appends the body; rows: pr->batch of them, unused for a key generation. */
void km_setup_put(struct km_buf *b, const struct km_proposal *pr, const struct km_presign_row *rows);
/* Strict: one proposal has one encoding. rows has room for KM_MAX_BATCH. KM_E_ENCODING, KM_E_LIMIT, KM_E_TRUNCATED, KM_E_TRAILING. */
int km_setup_get(struct km_proposal *pr, struct km_presign_row *rows, const uint8_t *body, size_t len) KM_MUST;
/* What stands in the sid field of these two messages. */
void km_setup_propose_sid(const uint8_t *body, size_t len, uint8_t sid[KM_HASH_SIZE]);
void km_setup_join_sid(const uint8_t body[KM_JOIN_BODY], uint8_t sid[KM_HASH_SIZE]);
void km_setup_join_put(uint8_t body[KM_JOIN_BODY], const uint8_t proposal_id[KM_HASH_SIZE], const uint8_t incarnation[KM_NONCE_SIZE],
		       const uint8_t nonce[KM_NONCE_SIZE]);
/* The sid of the run. join_digest by peer id. */
void km_setup_sid(const uint8_t proposal_id[KM_HASH_SIZE], uint32_t participants, const uint8_t (*join_digest)[KM_HASH_SIZE],
		  uint8_t sid[KM_HASH_SIZE]);
#endif
