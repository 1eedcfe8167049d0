/* open.h: the messages that open a failed presign run (messages section 7).
 *
 *	FAIL  in place of OK:    seed 32 | check u8 | index u16 | rows
 *	OPEN  in place of PASS:  seed 32 | rows
 *
 * A row of KM_MSG_HEAD bytes for every place of a message: the signed header of what the author holds there, zero bytes for nothing.
 * Places, for each round up to that of PASS: the broadcasts by sender, then the private messages to the author by sender (its own
 * place is empty). WHY whole headers and not digests: nobody needs to ask for one, and a verdict takes one flight.
 *
 * FAIL and OK share a round, and so do OPEN and PASS: both of a pair from one author is equivocation. Which one it is, is told by
 * round and length. */
#ifndef KM_PROTO_OPEN_H
#define KM_PROTO_OPEN_H

#include "msg.h"

/* What stands under `check` of a FAIL; for people, no judge looks at it. */
enum km_open_check {
	KM_CHECK_DEALING = 1,   /* shares of the dealing check */
	KM_CHECK_PRODUCTS,      /* degree of w and delta */
	KM_CHECK_C0,            /* the opening of C0 */
	KM_CHECK_DEGENERATE,    /* w = 0 or R = identity */
	KM_CHECK_PROOFS,        /* proofs of C3 */
	KM_CHECK_SUMS,          /* sum A' = wG, sum C' = wV */
	KM_CHECK_ENCODING,      /* a scalar, a point */
	KM_CHECK_LIST,          /* a private message that is not in its dealer's list */
	KM_CHECK_VIEW,          /* a prev that is not ours */
	KM_CHECK_BASE_OT,
	KM_CHECK_EXTENSION,     /* columns of the OT extension */
	KM_CHECK_OLE,           /* mu, eta */
};
#define KM_OPEN_NO_INDEX UINT16_MAX

enum km_open_kind { KM_OPEN_NONE, KM_OPEN_FAIL, KM_OPEN_OPEN };
/* Of a broadcast of a presign run by this engine (enum km_presign_engine); m's body is not looked at. */
enum km_open_kind km_open_kind(unsigned engine, unsigned participants, const struct km_msg *m);
struct km_shape km_open_shape(unsigned engine, unsigned participants, enum km_open_kind kind);

struct km_open_place {
	unsigned round, sender, recipient;  /* recipient 0: a broadcast */
};
unsigned km_open_rows(unsigned engine, unsigned participants);
/* Which place a row of an opening by `author` stands for. */
void km_open_place(unsigned engine, uint32_t participants, unsigned author, unsigned row, struct km_open_place *at);
/* The header that an opening shows in a row: 1 when there is one, of this place and run and signed by its sender. idkey: the
 * sender's. */
int km_open_header(struct km_msg *out, const uint8_t *row, uint8_t proto, const uint8_t sid[KM_HASH_SIZE], const struct km_open_place *at,
		   const uint8_t idkey[KM_IDKEY_SIZE]) KM_MUST;
/* Its rows. */
const uint8_t *km_open_row(const struct km_msg *opening, enum km_open_kind kind, unsigned row);

#endif
