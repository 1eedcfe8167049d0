/* wire_impl.h: private to the codecs of src/node. */
#ifndef KM_NODE_WIRE_IMPL_H
#define KM_NODE_WIRE_IMPL_H

#include "wire.h"

/* A reader behind the kind byte; failed when the kind is another. */
void km_wire_open(struct km_reader *r, enum km_frame kind, const uint8_t *p, size_t n);
/* km_reader_end; zeroes the output on failure. */
int km_wire_close(const struct km_reader *r, void *out, size_t size) KM_MUST;

#endif
