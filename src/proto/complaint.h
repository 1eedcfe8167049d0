/* complaint.h: what anybody can check of a DKG or reshare run from its signed messages alone: openings, complaints, evidence.
 * Pure functions of public bytes; the run itself and an offline judge use the same ones. */
#ifndef KM_PROTO_COMPLAINT_H
#define KM_PROTO_COMPLAINT_H

#include "machine.h"

/* What a reshare fixes beyond a key generation: who hands what to whom. */
struct km_dkg_over {
	uint32_t dealers, receivers;             /* Q and J; participants are both */
	struct km_point x;                       /* X of the old table */
	struct km_point constant[KM_MAX_PEERS + 1]; /* X_i^Q, by dealer: the only constant term that i may open */
};

/* What the sid of a run fixes. */
struct km_dkg_group {
	const struct km_curve *curve;
	const uint8_t *sid;                      /* KM_HASH_SIZE */
	uint32_t participants;
	unsigned threshold;
	const uint8_t (*idkeys)[KM_IDKEY_SIZE];  /* by peer id */
	const struct km_dkg_over *over;          /* NULL: a key generation, in which everybody deals to everybody */
};

/* One author's view of rounds 1 to 3: the digests of all broadcasts, by round and then by sender in ascending order. */
#define KM_DKG_VIEW_ROUNDS 3
struct km_dkg_view {
	uint8_t digest[KM_DKG_VIEW_ROUNDS][KM_MAX_PEERS][KM_HASH_SIZE];
};

enum km_dkg_verdict {
	KM_DKG_VOID = 0,    /* shows nothing: nobody is convicted */
	KM_DKG_DEALER = 1,  /* the share was bad: the accused is convicted (E7b) */
	KM_DKG_AUTHOR = 2,  /* the complaint is false: its author is convicted (E9) */
};

/* Judges one complaint (a G5 envelope; it carries the accused's G2 and G4). view is what the accused saw before it dealt: it
 * must hash into the prev of the accused's G4, and author_g2, the G2 of the complaint's author, must be in it.
 * WHY the dealer's view (FLAW F4, attack A16): a member that signs two E, one to the dealer and one to the rest, complains
 * under the second; judged there, the honest dealer's ciphertext opens to garbage.
 * KM_OK with *verdict, or KM_E_NOMEM. */
int km_dkg_judge_complaint(const struct km_dkg_group *g, const struct km_msg *complaint, const struct km_msg *author_g2,
			   const struct km_dkg_view *view, enum km_dkg_verdict *verdict) KM_MUST;

/* Evidence as a run of this protocol emits it (without set-up, see evidence.h): equivocation, encoding, opening, complaint, false
 * complaint. g is taken on trust: a judge of whole evidence makes it from PROPOSE and JOINs. *culprit is the convicted peer, 0 if it
 * shows nothing. KM_OK or KM_E_NOMEM. */
int km_dkg_judge_evidence(const struct km_dkg_group *g, const uint8_t *evidence, size_t len, unsigned *culprit) KM_MUST;

#endif
