/* evidence.h: proofs of misbehaviour that anybody can check offline (protocol section 6; messages section 11).
 *
 *	evidence = version u8 (1) | kind u8 | context hash 32 (table hash; roster hash for key generations) | count u16 | items
 *	item     = form u8 | ...
 *	  HEADER   signed header, KM_MSG_HEAD bytes
 *	  WHOLE    signed header | body_len bytes of body
 *	  ROWS     signed header | n u16 | (leaf u32 (0 = head of the body, 1 + i = row i) | len u32 | bytes | path u8 count | 32 each)*
 *	           leaves ascending, at least one
 *	  DIGESTS  n u16 | 32 each: the list under a prev
 *	  BYTES    len u32 | bytes
 *
 * Evidence about a run starts with PROPOSE (WHOLE) and all JOINs (WHOLE, by sender): the judge recomputes the sid, and with it S,
 * own(i), layout and index, before anything else. WHY: otherwise the accuser supplies a false S (attack A25).
 * A judge uses only messages of the culprit and broadcasts that hash into the culprit's own view (attack A15). Every signed header in
 * evidence must carry a valid signature of its sender; one that does not makes all of it void.
 *
 * What the kinds hold behind the frame (*: behind PROPOSE and JOINs). X, Y: messages of the culprit.
 *
 *	E1  HEADER, HEADER                       one proto, round, sid, sender, recipient; two contents. Not PROPOSE, JOIN, DISPUTE.
 *	                                         RECORD: two bodies for one presignature, whoever asked.
 *	G1 to G5 of a key generation are R1 to R5 of a reshare, which is judged with the old table, the evidence's context.
 *	E2* WHOLE G1, WHOLE G2                   key generation: a G2 with what is no point or scalar
 *	    ROWS (one leaf)                      presigning: a leaf with what is no point, scalar, or zero where it must be
 *	E3* ROWS C3 (leaf 1 + position of the index among the author's own), DIGESTS, one ROWS for every participant by sender
 *	                                         the tuple proof fails. DIGESTS: all broadcasts of the rounds before C3, by round and sender,
 *	                                         which hash into the prev of C3, whose leaf 0 is also shown. ROWS: (w, R_i) of the index,
 *	                                         in M3 or Y4: leaf 1 + index
 *	    WHOLE C3                             the proof of all V fails
 *	E4* ROWS C4, ROWS C3                     row of one index each: epsilon_j G is not X_j^S - V_j
 *	E5  WHOLE RECORD, WHOLE READY, BYTES row, BYTES request                     (see ready.h)
 *	E6* HEADER M1 (private), WHOLE M1 (list)
 *	E7* WHOLE G1, WHOLE G2                   key generation: G2 does not open G1, or a proof in it fails; reshare: also C_0 other than X_i^Q
 *	    WHOLE M2, WHOLE M3                   presigning: the R_i of M3 are not what C0 committed to (any: Y3, Y4)
 *	E7b* WHOLE G5 (complaint), DIGESTS, WHOLE G2 of its author      DIGESTS: all of G1, G2, G3 by round and sender, which hash into the
 *	                                         prev of the accused's G4; the complaint holds that G4. Convicts the accused.
 *	E9* the same                             convicts the author of the complaint
 *	E8* BYTES the accused's id, WHOLE of all FAIL and OPEN          (see replay.h)
 */
#ifndef KM_PROTO_EVIDENCE_H
#define KM_PROTO_EVIDENCE_H

#include "machine.h"
#include "table.h"

#define KM_EVIDENCE_VERSION 1
#define KM_EVIDENCE_ITEMS 1024
#define KM_EVIDENCE_LEAVES 512           /* of one item */
#define KM_EVIDENCE_MAX (4u * 1024 * 1024)
#define KM_EVIDENCE_HEAD (1 + 1 + KM_HASH_SIZE + 2)

enum km_evidence_form { KM_FORM_HEADER = 1, KM_FORM_WHOLE, KM_FORM_ROWS, KM_FORM_DIGESTS, KM_FORM_BYTES };

/* ---- making: appends to a km_buf (sticky error). A node makes whole evidence with begin. */
void km_evidence_begin(struct km_buf *b, enum km_evidence_kind kind, const uint8_t context[KM_HASH_SIZE], unsigned items);
void km_evidence_header(struct km_buf *b, const struct km_msg *m);
void km_evidence_whole(struct km_buf *b, const struct km_msg *m);
/* leaves ascending */
void km_evidence_rows(struct km_buf *b, const struct km_msg *m, const struct km_shape *shape, const uint32_t *leaf, unsigned n);
void km_evidence_digests(struct km_buf *b, const uint8_t (*digest)[KM_HASH_SIZE], unsigned n);
void km_evidence_bytes(struct km_buf *b, const void *p, size_t n);

/* What a machine emits in KM_OUT_CONVICT is kind u8 | count u16 | items, without context and set-up, which a machine does not know. It
 * starts with this instead of begin, and hands the buffer to km_machine_convict_items. */
void km_evidence_items_begin(struct km_buf *b, enum km_evidence_kind kind, unsigned items);
/* 1 for kinds that start with PROPOSE and JOINs. */
int km_evidence_has_setup(enum km_evidence_kind kind);
/* A node wraps it: context, PROPOSE and JOINs (ascending; unused for kinds without), and then those items. out is appended to.
 * KM_E_ENCODING, KM_E_LIMIT, KM_E_NOMEM. */
int km_evidence_wrap(struct km_buf *out, const uint8_t *from_machine, size_t len, const uint8_t context[KM_HASH_SIZE],
		     const struct km_msg *propose, const struct km_msg *joins, unsigned n_joins) KM_MUST;

/* ---- judging */
struct km_replay_memo;

struct km_judge {
	/* Identities by peer id, zero = no such peer. With a table signatures are checked under its identities, and who is convicted must
	 * have the same one here; new members of a reshare are known from here alone. NULL: as in the table. */
	const uint8_t (*idkeys)[KM_IDKEY_SIZE];
	const struct km_table *table;            /* the one whose hash the evidence names; NULL: only kinds without a table can be judged */
	const uint8_t *roster;                   /* roster hash, for key generations; NULL: not compared */
	struct km_replay_memo *replayed;         /* an opened run that was replayed here; NULL: none, and none is kept */
};
struct km_verdict {
	unsigned culprit;          /* 0: void, proves nothing */
	enum km_evidence_kind kind;
	unsigned proto, round;     /* of the message that was wrong */
	unsigned index;            /* presignature of the run, UINT_MAX if none */
	uint32_t participants;     /* of the run; 0 = unknown */
	uint64_t time_ms;          /* of the proposal or the request, 0 = unknown */
	uint8_t sid[KM_HASH_SIZE]; /* of the run; for RECORDs the presignature id */
	const char *why;           /* static, a clause for people: what was proved, or why it is void */
};
/* Which kind, about which context; strict about the frame only. KM_E_ENCODING, KM_E_LIMIT, KM_E_VERSION. */
int km_evidence_peek(const uint8_t *ev, size_t len, enum km_evidence_kind *kind, uint8_t context[KM_HASH_SIZE]) KM_MUST;
/* Whom evidence of a kind that is dear to judge (E3, E8) would convict, if anybody; 0: it does not say. KM_OK, KM_E_NOMEM. */
int km_evidence_accused(const uint8_t *ev, size_t len, unsigned *accused) KM_MUST;
/* Pure. KM_OK with *v (also for garbage: void), or KM_E_NOMEM. */
int km_evidence_judge(const uint8_t *ev, size_t len, const struct km_judge *j, struct km_verdict *v) KM_MUST;
/* Names it in gossip: H("evidence", bytes). */
void km_evidence_digest(const uint8_t *ev, size_t len, uint8_t out[KM_HASH_SIZE]);
/* "E1", "E7b"; "?" for no kind. */
const char *km_evidence_name(enum km_evidence_kind kind);

/* ---- files: evidence and what a stranger needs to judge it
 *
 *	"keymesh evidence 1\n" | len u32 | evidence | len u32 | table (its encoding; empty: none) | n u8 | (id u8 | identity 32 | channel 32)*
 *
 * The list is the roster, in ascending order; its hash is that of the context of a key generation. Nobody signs it or the table: who
 * reads a file compares identities with a list of his own. */
#define KM_EVIDENCE_MAGIC "keymesh evidence 1\n"
struct km_evidence_peer {
	uint8_t id;
	uint8_t identity[KM_IDKEY_SIZE], channel[KM_CHANKEY_SIZE];
};
struct km_evidence_file {
	const uint8_t *ev;         /* borrowed from the input */
	size_t len;
	int has_table;
	struct km_table table;
	unsigned n_peers;
	struct km_evidence_peer peer[KM_MAX_PEERS];
	uint8_t roster[KM_HASH_SIZE];   /* of peer[] */
};
/* table may be NULL. */
int km_evidence_file_put(struct km_buf *b, const uint8_t *ev, size_t len, const struct km_table *table,
			 const struct km_evidence_peer *peer, unsigned n_peers) KM_MUST;
int km_evidence_file_get(struct km_evidence_file *f, const uint8_t *p, size_t n) KM_MUST;

#endif
