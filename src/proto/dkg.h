/* dkg.h: distributed key generation (protocol section 1; messages section 8): rounds G1 commit, G2 open, G3 echo, G4 shares,
 * G5 ACK or complaint, G6 STORED. A km_machine. */
#ifndef KM_PROTO_DKG_H
#define KM_PROTO_DKG_H

#include "machine.h"
#include "table.h"

struct km_dkg_params {
	struct km_machine_params machine;  /* ops is filled in by km_dkg_new */
	char name[KM_MAX_NAME + 1];
	unsigned threshold;
	uint64_t number;                   /* epoch number all participants agreed on by the sid */
};

int km_dkg_new(struct km_machine **out, const struct km_dkg_params *p) KM_MUST;
/* Before G6 the machine emits KM_OUT_PERSIST (token KM_DKG_TOKEN_STORED) with the encoded km_share (usable = 0) followed by nothing
 * else; after KM_OUT_DONE the share is usable and is taken here (once). out->usable = 1. */
#define KM_DKG_TOKEN_STORED 1
int km_dkg_take(struct km_machine *m, struct km_share *out) KM_MUST;
/* All signed broadcasts G1-G5 (u32 len | envelope)*, for the archive a third party verifies offline. */
int km_dkg_archive(const struct km_machine *m, struct km_buf *out) KM_MUST;
/* Peers this run has convicted (a restart leaves them out). */
uint32_t km_dkg_convicted(const struct km_machine *m);

#endif
