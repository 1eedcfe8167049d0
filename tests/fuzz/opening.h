/* opening.h: for fuzz_node: FAIL and OPEN in place of a verdict, by who may say neither. */
#ifndef KM_FUZZ_OPENING_H
#define KM_FUZZ_OPENING_H

#include "proto/machine.h"

/* Appends, when msg is the OK or PASS of a presign run q, the FAIL or OPEN in its place: with the headers that q holds, and the seed of
 * the run (as far as it is still there) or 32 bytes of this value. 1 if it did. */
int opening_instead(struct km_buf *b, const struct km_machine *q, const struct km_msg *msg, const struct km_identity *id, uint8_t value,
		    int own_seed);

#endif
