/* ot_base.h: 128 random oblivious transfers over the group, in one flight each way at the same time: endemic OT of Masny and
 * Rindal (2019/706), section 4, over the curve.
 *
 * For one ordered pair, Alice (who receives; in the OT extension and the OLE on top of it she is the sender) and Bob:
 *	Bob:   y random, A = yG
 *	Alice: for each position, choice bit b: x random, r_{1-b} a random point, r_b = xG - H_b(r_{1-b})
 *	Bob's keys K_e = KDF(y (r_e + H_e(r_{1-e}))) for e = 0, 1;  Alice's key K_b = KDF(x A)
 * H_e hashes to the group (hash2curve.h) under (sid, Alice, Bob, position, e).
 *
 * Security (their theorem 4.3, random oracle): r_0, r_1 are both uniform whatever b, so Bob learns nothing at all about b; to
 * know both keys Alice must solve computational Diffie-Hellman for A and a hash value, 128 bits on P-256. Each end may choose
 * its keys ("endemic"): the extension hashes them and asks for no more.
 * WHY fresh in every run: a kept set-up leaks a bit of Delta for each aborted check (B1), and opened for one run it opens the
 * others. */
#ifndef KM_PROTO_OT_BASE_H
#define KM_PROTO_OT_BASE_H

#include "../ec/point.h"

#define KM_OT_KAPPA 128                  /* transfers of a pair, and bits of Delta */
#define KM_OT_KEY_SIZE 32
#define KM_OT_DELTA_SIZE (KM_OT_KAPPA / 8)

struct km_ot_pair {                      /* whose transfers these are: part of every hash */
	const uint8_t *sid;
	uint8_t alice, bob;
};

static inline unsigned km_ot_bit(const uint8_t *bits, size_t i)
{
	return bits[i / 8] >> (i % 8) & 1;
}

/* Bob: y and the encoded A. */
int km_ot_base_offer(const struct km_curve *c, struct km_secret *y, uint8_t *a_enc, struct km_rng *rng) KM_MUST;
/* Alice: x[128] and r_0 | r_1 of each position, encoded; straight-line in delta. KM_E_NOMEM, KM_E_IDENTITY (never by chance). */
int km_ot_base_choose(const struct km_curve *c, const struct km_ot_pair *pair, const uint8_t delta[KM_OT_DELTA_SIZE],
		      struct km_secret *x, uint8_t *r_enc, struct km_rng *rng) KM_MUST;
/* Bob: both keys of each position, from what Alice sent. KM_E_ENCODING for a bad point, KM_E_VERIFY for one that gives a known
 * key. */
int km_ot_base_keys_both(const struct km_curve *c, const struct km_ot_pair *pair, const struct km_secret *y, const uint8_t *a_enc,
			 const uint8_t *r_enc, uint8_t (*keys)[2][KM_OT_KEY_SIZE]) KM_MUST;
/* Alice: the key of her choice for each position, from Bob's A. KM_E_ENCODING, KM_E_NOMEM. */
int km_ot_base_keys_chosen(const struct km_curve *c, const struct km_ot_pair *pair, const struct km_secret *x,
			   const uint8_t delta[KM_OT_DELTA_SIZE], const uint8_t *a_enc, const uint8_t *r_enc,
			   uint8_t (*keys)[KM_OT_KEY_SIZE]) KM_MUST;

#endif
