/* evid.h: for tests: evidence of every kind, made by honest machines of runs in which peer 3 cheats in one way each; and honest runs of
 * the same shape, whose messages are right. */
#ifndef KM_TEST_EVID_H
#define KM_TEST_EVID_H

#include "dealer.h"
#include "proto/evidence.h"

#define EVID_CULPRIT 3

/* A piece of evidence and what a judge of it knows. */
struct evid {
	const char *name;           /* "e3-majority-tuple" */
	enum km_evidence_kind kind;
	uint64_t seed;              /* identities are net_identity(seed, id) */
	uint8_t *ev;                /* owned */
	size_t len;
	int has_table;
	struct km_table table;
	uint8_t idkeys[KM_MAX_PEERS + 1][KM_IDKEY_SIZE];
	uint8_t roster[KM_HASH_SIZE];
};

unsigned evid_count(void);
const char *evid_name(unsigned which);
/* which < evid_count(); evid_clear it. honest: peer 3 does nothing wrong, and the evidence shows its right messages in the place of the
 * wrong ones (for kinds where there is such a thing; else ev = NULL). */
void evid_make(struct evid *e, unsigned which, int honest);
void evid_clear(struct evid *e);
/* Judges bytes as whoever knows e's table or roster would. */
void evid_judge(const struct evid *e, const uint8_t *ev, size_t len, struct km_verdict *v);
/* Evidence cut into the frame and its items: at[0] = 0, at[1] = first item, ... at[n] = len; returns n, at most max - 1. */
unsigned evid_items(const uint8_t *ev, size_t len, size_t *at, unsigned max);
/* The bytes of a file about it, as a node writes one. */
void evid_file(const struct evid *e, struct km_buf *out);

#endif
