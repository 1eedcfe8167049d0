/* transcript.h: the archive of a key generation or a reshare, verified by anybody, offline, without a secret (protocol section 1).
 *
 *	archive = (len u32 | envelope)*     PROPOSE and all JOINs, where they were kept; all of G1 to G5 (R1 to R5), which km_dkg_archive
 *	                                    writes; any STORED. In this order, and each by round and sender.
 *	file    = "keymesh transcript 1\n" | len u32 | archive | len u32 | table | len u32 | old table (empty: none)
 *
 * What holds then: the named peers, and nobody else, dealt the key of this table in this run: every message is there once, signed, of
 * the shape it must have and over one view; every opening is what its author had committed to, with proofs of knowledge; every
 * participant who received has said that its share is right; and the table is what the commitments add up to. In a reshare the dealers
 * opened their shares of the old table and nothing else, so X is the old X. Whether the identities are those of the right people is for
 * the reader to compare. */
#ifndef KM_PROTO_TRANSCRIPT_H
#define KM_PROTO_TRANSCRIPT_H

#include "epoch.h"

#define KM_TRANSCRIPT_MAGIC "keymesh transcript 1\n"
/* Upper bound of an archive: 32 participants, the largest curve. */
#define KM_TRANSCRIPT_MAX (4u * 1024 * 1024)

struct km_transcript_verdict {
	int holds;                 /* 1: all of it is as it must be */
	const char *why;           /* static, a clause for people */
	unsigned peer, round;      /* whose message it is about, and of which round; 0: of nobody's */
	unsigned proto;            /* KM_PROTO_DKG or KM_PROTO_RESHARE; 0: unknown */
	uint32_t participants, dealers, receivers;
	int set_up;                /* 1: PROPOSE and JOINs are in the archive and make the sid */
	uint64_t time_ms;          /* of PROPOSE, 0 = unknown */
	uint32_t stored;           /* members whose STORED is in the archive, rightly signed for this table */
};

/* Pure. old: the table that was reshared, NULL for a key generation (and for a reshare: then it cannot be judged). KM_OK with *v, also for
 * garbage; KM_E_NOMEM. */
int km_transcript_verify(const uint8_t *archive, size_t len, const struct km_table *table, const struct km_table *old,
			 struct km_transcript_verdict *v) KM_MUST;

struct km_transcript_file {
	const uint8_t *archive;    /* borrowed from the input */
	size_t len;
	struct km_table table, old;
	int has_old;
};
/* old may be NULL. */
int km_transcript_file_put(struct km_buf *b, const uint8_t *archive, size_t len, const struct km_table *table,
			   const struct km_table *old) KM_MUST;
/* KM_E_ENCODING when it is no such file. */
int km_transcript_file_get(struct km_transcript_file *f, const uint8_t *p, size_t n) KM_MUST;

#endif
