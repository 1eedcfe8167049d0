/* judge_presign.h: what a presign run and its judge share; private to src/proto. */
#ifndef KM_PROTO_JUDGE_PRESIGN_H
#define KM_PROTO_JUDGE_PRESIGN_H

#include "evidence.h"
#include "presign_impl.h"

/* A run's public side as its set-up fixes it: engine, sizes, index, own_n, own_pos; enough for km_presign_shape. No machine, no
 * secrets. NULL without memory. */
struct km_presign *km_presign_public(const struct km_curve *c, unsigned engine, unsigned threshold, uint32_t participants, unsigned batch,
				     const struct km_presign_row *rows);
void km_presign_public_free(struct km_presign *s);

/* Shape of a message of this run at its place. */
int km_presign_shape_of(const struct km_presign *s, const struct km_msg *m, struct km_shape *shape) KM_MUST;
/* 1 when a leaf of this message (of the right length, of this run) is encoded as it must be. */
int km_presign_leaf_ok(const struct km_presign *s, const struct km_msg *m, uint32_t leaf, const uint8_t *p, size_t len) KM_MUST;
/* Appends KM_OUT_CONVICT for what peer signed in a round (on the wire) of this run; index: of the presignature, for E4 and for E3 of
 * one tuple (batch: the proof of all V). Without anything to show (E2 with a message that is encoded well) nobody is convicted. */
int km_presign_convict(const struct km_presign *s, unsigned peer, enum km_evidence_kind kind, unsigned wire, unsigned index, struct km_outs *outs) KM_MUST;

#endif
