/* dkg.h: distributed key generation (protocol section 1; messages section 8): rounds G1 commit, G2 open, G3 echo, G4 shares,
 * G5 ACK or complaint, G6 STORED. A km_machine. */
#ifndef KM_PROTO_DKG_H
#define KM_PROTO_DKG_H

#include "machine.h"
#include "epoch.h"

struct km_dkg_params {
	struct km_machine_params machine;  /* ops is filled in by km_dkg_new */
	char name[KM_MAX_NAME + 1];
	unsigned threshold;
	uint64_t number;                   /* epoch number all participants agreed on by the sid */
};

int km_dkg_new(struct km_machine **out, const struct km_dkg_params *p) KM_MUST;
/* Before G6 the machine emits KM_OUT_PERSIST (token KM_DKG_TOKEN_STORED) with the encoded km_share (usable = 0) followed by
 * nothing else; after KM_OUT_DONE the share is usable and is taken here (once). out->usable = 1. */
#define KM_DKG_TOKEN_STORED 1
int km_dkg_take(struct km_machine *m, struct km_share *out) KM_MUST;
/* All signed broadcasts G1-G5 (u32 len | envelope)*, for the archive a third party verifies offline. */
int km_dkg_archive(const struct km_machine *m, struct km_buf *out) KM_MUST;
/* After a drop with KM_E_MISMATCH: the signed headers (KM_MSG_HEAD bytes each, by sender) of a round as seen here, for peers of
 * the run; and what such headers from another peer show against those held here: each author that signed two is convicted
 * (KM_OUT_CONVICT, E1). KM_E_ENCODING for bytes that are no headers. */
int km_dkg_headers(const struct km_machine *m, unsigned round, struct km_buf *out) KM_MUST;
int km_dkg_g2_headers(const struct km_machine *m, struct km_buf *out) KM_MUST;
int km_dkg_compare_headers(struct km_machine *m, const uint8_t *headers, size_t len, struct km_outs *outs) KM_MUST;
/* Peers the rounds of this run, or compared headers, have convicted (a restart leaves them out). Equivocation that the machine
 * saw itself shows as KM_OUT_CONVICT only. */
uint32_t km_dkg_convicted(const struct km_machine *m);

#endif
