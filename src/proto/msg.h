/* msg.h: the signed envelope every protocol message travels in.
 *
 *	version u16 | proto u8 | round u8 | sender u8 | recipient u8 (0 = all) | body_len u32 | sid 32 | root 32 | sig 64 | body
 *
 * content = the 74 bytes before sig; sig = Ed25519("keymesh/1/message" | content); digest = H("content", content).
 * WHY digests over the content and not the signature: one author can sign one content twice with different bytes; hashes
 * over those would split a view without provable equivocation (attack A22).
 * root = Merkle root over (head, row_0, row_1, ...) of the body, so that one row can be shown with its path. */
#ifndef KM_PROTO_MSG_H
#define KM_PROTO_MSG_H

#include <stddef.h>
#include <stdint.h>
#include "../base/buf.h"
#include "../base/err.h"
#include "../base/limits.h"

#define KM_MSG_VERSION 1
#define KM_MSG_CONTENT 74
#define KM_MSG_HEAD (KM_MSG_CONTENT + KM_SIG_SIZE)

enum km_proto {
	KM_PROTO_SETUP = 1,    /* round 1 PROPOSE, round 2 JOIN */
	KM_PROTO_DKG = 2,
	KM_PROTO_MAJORITY = 3, /* presign run, engine majority */
	KM_PROTO_ANY = 4,
	KM_PROTO_RESHARE = 5,
	KM_PROTO_RECORD = 6,
	KM_PROTO_DISPUTE = 7,
	KM_PROTO_READY = 8,
};

/* The shape of a body: head | rows * row. */
struct km_shape {
	uint32_t head, row, rows;
};

struct km_msg {
	uint16_t version;
	uint8_t proto, round, sender, recipient;
	uint32_t body_len;
	uint8_t sid[KM_HASH_SIZE], root[KM_HASH_SIZE], sig[KM_SIG_SIZE];
	uint8_t digest[KM_HASH_SIZE];  /* of the content */
	const uint8_t *raw;            /* the whole envelope, borrowed: KM_MSG_HEAD + body_len bytes */
	const uint8_t *body;           /* raw + KM_MSG_HEAD */
};

struct km_identity {               /* an Ed25519 signer */
	uint8_t pub[KM_IDKEY_SIZE];
	uint8_t priv[32];
};

/* Splits raw into m (borrowing raw). KM_E_TRUNCATED, KM_E_TRAILING, KM_E_VERSION, KM_E_LIMIT. Checks lengths and version only. */
int km_msg_parse(struct km_msg *m, const uint8_t *raw, size_t len) KM_MUST;
/* The same of the KM_MSG_HEAD bytes before the body alone (further bytes are not looked at): body = NULL, only digest and signature
 * can be checked. */
int km_msg_parse_head(struct km_msg *m, const uint8_t *raw, size_t len) KM_MUST;
/* KM_E_VERIFY unless sig is the author's. */
int km_msg_verify_sig(const struct km_msg *m, const uint8_t author[KM_IDKEY_SIZE]) KM_MUST;
/* KM_E_MISMATCH unless body_len is shape's length and root is the Merkle root of the body by this shape. KM_E_NOMEM. */
int km_msg_check_body(const struct km_msg *m, const struct km_shape *shape) KM_MUST;
uint64_t km_shape_size(const struct km_shape *s);

/* Appends a complete signed envelope to out (its error is sticky there; also returned). body has km_shape_size bytes. */
int km_msg_build(struct km_buf *out, uint8_t proto, uint8_t round, uint8_t sender, uint8_t recipient, const uint8_t sid[KM_HASH_SIZE],
		 const struct km_shape *shape, const uint8_t *body, const struct km_identity *id) KM_MUST;
/* Leaf 0 of a body is its head, 1 + i its row i. The path of one: at most KM_MERKLE_PATH_MAX digests, *count of them. KM_E_RANGE,
 * KM_E_NOMEM. */
int km_msg_path(uint8_t (*path)[KM_HASH_SIZE], unsigned *count, const struct km_shape *shape, const uint8_t *body, uint32_t leaf) KM_MUST;
/* KM_OK when these bytes are that leaf of the body that m's header signed, of this shape; else KM_E_VERIFY. m's body is not needed. */
int km_msg_path_check(const struct km_msg *m, const struct km_shape *shape, uint32_t leaf, const uint8_t *p, size_t len,
		      const uint8_t *path, unsigned count) KM_MUST;
/* The same in place: raw is KM_MSG_HEAD bytes to be written and then the body. */
int km_msg_seal(uint8_t *raw, uint8_t proto, uint8_t round, uint8_t sender, uint8_t recipient, const uint8_t sid[KM_HASH_SIZE],
		const struct km_shape *shape, const struct km_identity *id) KM_MUST;
/* Root of a body by its shape, without an envelope. */
int km_msg_root(uint8_t root[KM_HASH_SIZE], const struct km_shape *shape, const uint8_t *body) KM_MUST;

#endif
