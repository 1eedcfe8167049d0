/* dealer.h: for tests: a key whose shares a trusted dealer makes (plain Shamir), and a group of presign machines over it. Nothing
 * here may be near production: the dealer knows x. */
#ifndef KM_TEST_DEALER_H
#define KM_TEST_DEALER_H

#include "net.h"
#include "proto/evidence.h"
#include "proto/presign.h"
#include "proto/sign.h"

struct dealer {
	uint64_t seed;
	const struct km_curve *curve;
	struct km_table table;
	struct km_secret x, share[KM_MAX_PEERS + 1];
};
/* Identities are those of net_identity(seed, id). */
void dealer_init(struct dealer *d, uint64_t seed, const struct km_curve *curve, uint32_t members, unsigned threshold);

/* The same, unless the table cannot be written: KM_E_IDENTITY when x or a share is zero, as in a tiny group it may be. */
int dealer_make(struct dealer *d, uint64_t seed, const struct km_curve *curve, uint32_t members, unsigned threshold) KM_MUST;

struct group {
	struct dealer d;
	uint32_t participants;
	unsigned batch;
	struct km_presign_row rows[KM_MAX_BATCH];
	struct net_setup setup;
	uint8_t keys[KM_MAX_PEERS + 1][KM_IDKEY_SIZE];
	struct net *net;
	struct km_machine *m[KM_MAX_PEERS + 1];
	struct km_presig **ps[KM_MAX_PEERS + 1];   /* after group_take, by own position */
	size_t nps[KM_MAX_PEERS + 1];
};
/* Machines for all participants, the quorums of the rows going round all subsets of T participants (owner: round the members).
 * quorum != 0: this one in every row, its lowest member the owner. */
void group_init(struct group *g, uint64_t seed, uint32_t members, unsigned threshold, uint32_t participants, unsigned batch, uint32_t quorum);
/* The same by engine any: participants are a quorum, of as many as the threshold. */
void group_init_any(struct group *g, uint64_t seed, uint32_t members, uint32_t quorum, unsigned batch);
/* The same with an engine (enum km_presign_engine). */
void group_init_engine(struct group *g, unsigned engine, uint64_t seed, uint32_t members, unsigned threshold, uint32_t participants, unsigned batch,
		       uint32_t quorum);
/* The same over a curve; KM_E_IDENTITY as dealer_make, with nothing to clear. */
int group_make(struct group *g, const struct km_curve *curve, unsigned engine, uint64_t seed, uint32_t members, unsigned threshold,
	       uint32_t participants, unsigned batch, uint32_t quorum) KM_MUST;
void group_clear(struct group *g);
/* What a party convicted another of, as its node would store it; and the verdict over such bytes of somebody who knows the table. */
void group_wrap(const struct group *g, const uint8_t *from_machine, size_t len, struct km_buf *out);
void group_judge(const struct group *g, const uint8_t *ev, size_t len, struct km_verdict *v);
/* The results of every machine that is done. */
void group_take(struct group *g);
/* The presignature of this index that peer holds, NULL if none. */
struct km_presig *group_presig(const struct group *g, unsigned peer, unsigned index);
/* A signing input for a text. */
void group_input(const struct group *g, struct km_sign_input *in, const char *text);
/* All shares of the quorum, by ascending member, and the nonce. KM_E_EMPTY when a member lacks the presignature. */
int group_shares(struct group *g, unsigned index, const struct km_sign_input *in, struct km_sign_nonce *nonce, struct km_scalar *shares) KM_MUST;
/* Signs by the presignature and verifies under X. */
int group_sign(struct group *g, unsigned index, const struct km_sign_input *in, struct km_scalar *r, struct km_scalar *s) KM_MUST;

#endif
