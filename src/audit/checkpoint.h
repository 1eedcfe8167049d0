/* checkpoint.h: what a log was at one moment, signed (C2SP tlog-checkpoint), and the word of others that it goes on from what they
 * saw before (C2SP tlog-cosignature, Ed25519). The text of one:
 *
 *	keymesh/MESH/PEER        the log's name, its *origin*
 *	1234                     how many entries
 *	BASE64                   the root of the tree over them
 *
 * It is signed with the peer's identity key. No protocol message begins with such letters: they start with a version of two bytes. */
#ifndef KM_AUDIT_CHECKPOINT_H
#define KM_AUDIT_CHECKPOINT_H

#include "note.h"
#include "../base/hash.h"

struct km_checkpoint {
	char origin[KM_NOTE_NAME_MAX + 1];
	uint64_t size;
	uint8_t root[KM_HASH_SIZE];
};

#define KM_COSIG_LEN (8 + KM_SIG_SIZE)  /* unix seconds u64 | signature */

/* "keymesh/MESH/PEER" */
void km_checkpoint_origin(char out[KM_NOTE_NAME_MAX + 1], const char *mesh, const char *peer);
/* Appends the note of a checkpoint with the log's own signature. */
void km_checkpoint_sign(struct km_buf *b, const struct km_checkpoint *c, const uint8_t pub[KM_IDKEY_SIZE], const uint8_t priv[32]);
/* The text of a note. KM_E_ENCODING: not in the one form km_checkpoint_sign makes (other lines may follow the root). */
int km_checkpoint_parse(struct km_checkpoint *c, const char *text, size_t n) KM_MUST;
/* A whole note: parses it and checks the log's signature. KM_E_ENCODING, KM_E_LIMIT, KM_E_VERIFY. */
int km_checkpoint_open(struct km_checkpoint *c, struct km_note *note, const void *p, size_t n, const uint8_t pub[KM_IDKEY_SIZE]) KM_MUST;

/* The cosignature of a note's text by somebody else. */
void km_cosign(uint8_t sig[KM_COSIG_LEN], const char *text, size_t n, uint64_t time_s, const uint8_t pub[KM_IDKEY_SIZE], const uint8_t priv[32]);
int km_cosign_check(const uint8_t sig[KM_COSIG_LEN], const char *text, size_t n, const uint8_t pub[KM_IDKEY_SIZE]) KM_MUST;
uint64_t km_cosign_time(const uint8_t sig[KM_COSIG_LEN]);
/* Appends its line. */
void km_cosign_put(struct km_buf *b, const char *name, const uint8_t pub[KM_IDKEY_SIZE], const uint8_t sig[KM_COSIG_LEN]);
/* KM_OK when the note has a good cosignature of that name and key; KM_E_NOTFOUND, KM_E_VERIFY. */
int km_cosign_of(const struct km_note *note, const char *name, const uint8_t pub[KM_IDKEY_SIZE], uint64_t *time_s) KM_MUST;

#endif
