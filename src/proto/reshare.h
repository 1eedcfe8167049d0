/* reshare.h: T old holders hand a key to a new committee, X unchanged: refresh, reshare and recovery in one protocol (protocol section 5;
 * messages section 9). Rounds R1 commit, R2 open, R3 echo, R4 shares, R5 ACK or complaint. A km_machine.
 *
 *	Q  exactly T members of the old table: the dealers. Each deals g_i of degree T'-1 with g_i(0) = x_i^Q = lambda_{i,Q}(0) x_i, and must
 *	   open it with C_0 = X_i^Q, which everybody computes from the old table
 *	J  members of the new committee that take part: who receives, and promises STORED; |J| >= c
 *	participants = Q and J; everybody of them sends in every round (who deals nothing: its E and its views only)
 *
 * All of R5 must be ACK over one view (of all participants: an honest dealer signs one view, so one run makes one table; FLAW F5, attack
 * A17). Then x'_j = sum_i g_i(j) for j in J, and X'_j = sum over the commitments for every listed member, J or not: those outside J are
 * recovered later, by a run in which they are in J and not in Q. Refresh: the same committee. Nothing of a run is ever opened; a run
 * that fails is dropped and its polynomials, e and seed are wiped.
 *
 * The run ends at the candidate. Which candidates are certified, serve and are wiped is the node's (epoch.h). STORED is no round of the
 * machine: it may come at any time, also after restarts, and belongs to the candidate and not to the run.
 *
 *	machine                              node
 *	R1..R5
 *	PERSIST token, encoded km_share ->   km_share_decode; file beside the old share, with km_dkg_archive; fsync;
 *	                                     km_machine_persisted
 *	SEND STORED, DONE               ->   keeps own STORED (km_share.stored) for old and new members; km_reshare_take
 *
 * A dealer outside J has nothing to store: DONE at once; km_reshare_table says which table it saw made.
 * km_dkg_archive, km_dkg_headers, km_dkg_compare_headers and km_dkg_convicted (dkg.h) work on these machines too. */
#ifndef KM_PROTO_RESHARE_H
#define KM_PROTO_RESHARE_H

#include "dkg.h"
#include "epoch.h"
#include "setup.h"

struct km_reshare_params {
	/* participants = dealers | joiners; curve = the old table's; ops is filled in. idkeys: identities of the participants and of all new
	 * members; a dealer's is the one in the old table. */
	struct km_machine_params machine;
	const struct km_table *old;        /* copied as far as needed */
	/* Of the old table, complete: no run deals from an epoch that is not certified. WHY: a new member knows the old table only by its
	 * certificate, and is led to another key without. */
	const struct km_cert *cert;
	const struct km_secret *x_i;       /* own share of the old epoch; NULL unless self is a dealer; copied to the arena */
	uint32_t dealers, joiners, members;/* Q, J, the new committee */
	unsigned threshold;                /* T' */
	uint64_t number;                   /* of the new epoch: km_setup_number */
};

#define KM_RESHARE_TOKEN_STORED 1

/* What every honest participant checks of a proposal against the old table (named by pr->hash) and the identities it knows (by peer id,
 * of the participants and all new members), as far as it does not depend on its own file: purpose, name, curve, Q of exactly T old
 * members, J of at least c new members, T' and identities as in the committee hash, nobody with two ids or, of those in the old table,
 * another identity. The node and an offline judge use the same one. KM_E_MISMATCH (another table, key or committee), KM_E_RANGE (T', sizes
 * of the sets), KM_E_EXISTS (one identity, two ids), KM_E_ENCODING (an identity that is no key). */
int km_reshare_possible(const struct km_proposal *pr, const struct km_table *old, const uint8_t (*idkeys)[KM_IDKEY_SIZE]) KM_MUST;

/* KM_E_VERIFY: the certificate does not hold or is not complete. KM_E_MISMATCH: x_i is not the share of the old table. KM_E_RANGE: number
 * not above the old epoch's, and as above. */
int km_reshare_new(struct km_machine **out, const struct km_reshare_params *p) KM_MUST;
/* The candidate, once, after KM_OUT_DONE; for members of J. table: same key id, name, X and curve as the old one; the new number, sid,
 * threshold, members and X_j. out->usable = 0: it is the certificate that makes it usable. KM_E_STATE: none (not done, not in J, taken). */
int km_reshare_take(struct km_machine *m, struct km_share *out) KM_MUST;
/* The table that the run has made, for dealers outside J too; from KM_OUT_PERSIST or KM_OUT_DONE on. KM_E_STATE before. */
int km_reshare_table(const struct km_machine *m, struct km_table *out) KM_MUST;

#endif
