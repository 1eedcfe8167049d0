/* sim_memo.h: what costly pure functions said, for one seed; forgotten between seeds, so that memory stays bounded. */
#ifndef KM_SIM_MEMO_H
#define KM_SIM_MEMO_H

/* How the next seed computes. toy_signatures: messages are signed by a hash under the public key instead of Ed25519 (nobody here
 * forges one). ideal_ot: the keys of the base OTs are hashes of what was sent, without group elements. remember: points too; worth it
 * where a multiplication costs more than a look-up. For volume, or for fidelity. */
void sim_memo_begin(int toy_signatures, int remember, int ideal_ot);
void sim_memo_clear(void);

#endif
