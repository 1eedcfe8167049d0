/* ready.h: the two messages a signer puts its name to after a run. Together they show whether a share was right, by its own words
 * alone: nobody can be framed by another's false message, and no run has to be kept.
 *
 * READY (KM_PROTO_READY, round 1, to all, sid of the run): "these presignatures I hold, with these public values".
 *	body: table hash 32 | held 32, bit l % 8 of byte l / 8 = index l of the run | a hash of 32 for every index held, ascending
 *	hash: km_merkle_leaf of the row: index u16 | S u32 | R pt | w sc | epsilon sc | A' pt | C' pt of the author
 * Rows are not sent: every member of an index's quorum can compute those of the others. held stands there because who misses a C4
 * completes fewer. WHY a hash for each and no root over all: what a corrupt third one withholds from one of two honest members would
 * make their roots differ, and so spoil everything they share, in quorums too that the third one is not in.
 *
 * RECORD (KM_PROTO_RECORD, round 1, to the owner who asks, sid = presignature id): "for this request I answered this".
 *	body: presignature id 32 | request id 32 | context u8 | m sc | R' pt | s_i sc
 *
 * Right is: R' = delta R with delta of what RECORD names, m the hash of the request's bytes, and
 * s_i R' = m A_i + r B_i with A_i = A'_i / w, B_i = (epsilon A'_i + C'_i) / w.
 *
 * As evidence (E5), behind the frame that all kinds share, four items:
 *	WHOLE   the RECORD
 *	WHOLE   the READY of the same author; presignature id = H("presig", its sid, index of the row), its table = the context
 *	BYTES   the row
 *	BYTES   the request, as km_req_put writes it: its id and context are RECORD's, its bytes give m */
#ifndef KM_PROTO_READY_H
#define KM_PROTO_READY_H

#include "sign.h"

#define KM_READY_HELD (KM_MAX_BATCH / 8)
/* of the whole message, by how many indices are held */
#define KM_READY_LEN(n) (KM_MSG_HEAD + KM_HASH_SIZE + KM_READY_HELD + (size_t)(n) * KM_HASH_SIZE)
#define KM_READY_ROW_MAX (2 + 4 + 3 * KM_POINT_MAX + 2 * KM_SCALAR_MAX)

struct km_ready {
	uint8_t table[KM_HASH_SIZE], held[KM_READY_HELD];
	const uint8_t *leaf;               /* borrowed: the hashes */
};

static inline int km_ready_has(const uint8_t held[KM_READY_HELD], unsigned index)
{
	return index < KM_MAX_BATCH && (held[index / 8] >> (index % 8) & 1);
}
static inline void km_ready_set(uint8_t held[KM_READY_HELD], unsigned index) { held[index / 8] |= (uint8_t)(1u << index % 8); }
/* How many indices below `end` are held: the place of index `end` among the hashes; with KM_MAX_BATCH their number. */
unsigned km_ready_count(const uint8_t held[KM_READY_HELD], unsigned end);
/* The hash of an index, NULL if it is not held. */
static inline const uint8_t *km_ready_leaf(const struct km_ready *r, unsigned index)
{
	return km_ready_has(r->held, index) ? r->leaf + (size_t)km_ready_count(r->held, index) * KM_HASH_SIZE : NULL;
}

/* Appends the signed envelope. */
int km_ready_build(struct km_buf *out, uint8_t self, const uint8_t sid[KM_HASH_SIZE], const struct km_ready *r,
		   const struct km_identity *id) KM_MUST;
/* The body of a parsed message, borrowed; its root is checked, its signature is not. KM_E_ENCODING, KM_E_NOMEM. */
int km_ready_get(struct km_ready *r, const struct km_msg *m) KM_MUST;

struct km_ready_row {
	unsigned index;
	uint32_t quorum;
	struct km_point r, a, c;
	struct km_scalar w, epsilon;
};
size_t km_ready_row_size(const struct km_curve *c);
/* The row of a member of the presignature's quorum, row_size bytes. */
void km_ready_row_put(const struct km_presig *ps, unsigned member, uint8_t *out);
int km_ready_row_get(const struct km_curve *c, struct km_ready_row *row, const uint8_t *p, size_t n) KM_MUST;

struct km_record_body {
	uint8_t presig_id[KM_HASH_SIZE], request_id[KM_HASH_SIZE];
	uint8_t context;
	struct km_scalar m, s;
	struct km_point rr;
};
struct km_shape km_record_shape(const struct km_curve *c);
int km_record_build(struct km_buf *out, uint8_t self, uint8_t to, const struct km_curve *c, const struct km_record_body *r,
		    const struct km_identity *id) KM_MUST;
/* The body of a parsed message; its root is checked, its signature is not. KM_E_MISMATCH when length, root or the presignature id
 * in the sid field do not fit; KM_E_ENCODING for what is no number or point; KM_E_NOMEM. */
int km_record_get(const struct km_curve *c, struct km_record_body *r, const struct km_msg *m) KM_MUST;

#endif
