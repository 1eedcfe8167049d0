/* lies.h: for fuzz_node: evidence that a corrupt peer makes of what it heard and of what it may sign itself. */
#ifndef KM_FUZZ_LIES_H
#define KM_FUZZ_LIES_H

#include "node/peer.h"

/* Every message of a run, READY and RECORD that the peer sent or was sent, frame kind included. Keeps a copy of some. */
void lies_hear(const uint8_t *frame, size_t len);
void lies_forget(void);
/* An object for an EVID frame, its kind first; 1 if there is one. at: which sort (% LIES_SORTS), and beyond that a number of its own;
 * value: of whom, or what is changed in it. other: a peer whose proofs may be repeated with a change. */
#define LIES_SORTS 6
int lies_make(struct km_buf *b, unsigned self, const struct km_identity *id, struct km_peer *other, unsigned at, uint8_t value);

#endif
