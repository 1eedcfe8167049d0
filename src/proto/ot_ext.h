/* ot_ext.h: the OT extension: n transfers out of KM_OT_KAPPA base OTs (Ishai, Kilian, Nissim, Petrank 2003), with the consistency
 * check of Roy's SoftSpokenOT (2022/192) for the repetition code over one bit (k = 1).
 *
 * Columns q = 0..127 of n bits, Bob's choice bits beta: T^q = PRG(K_0^q), u^q = T^q + PRG(K_1^q) + beta; Alice has
 * Q^q = PRG(K_{Delta_q}^q) + Delta_q u^q. Then row by row Q_j = T_j + beta_j Delta: Alice's pads H(j, Q_j), H(j, Q_j + Delta), of
 * which Bob knows the one of his choice, H(j, T_j).
 *
 * The check. A hash over GF(2^128) folds each column of n/128 blocks: fold(c) = sum_b chi_b c_b + c_last; chi independent, from
 * H(sid, i, j, both Y1, u). Bob shows x = fold(beta), t^q = fold(T^q); Alice wants fold(Q^q) = t^q + Delta_q x for all q.
 * Soundness (Roy, theorem on the repetition code; checked with 128-bit sums):
 *	- columns that do not name one beta collide under chi with at most 2^-128 for each challenge asked of the hash, so with
 *	  2^64 hash queries the chance is below 2^-64 that two different vectors are taken for one; a query costs a whole new u;
 *	- else the check passes only where Bob guessed Delta_q in every column that is off: c bits with 2^-c, and he then knows
 *	  those c bits: what is left of Delta has 128 - c bits. No other leak, and Delta lives for one run (B1).
 * The last block is spent: its rows carry no transfer, and hide beta and T in x and t. */
#ifndef KM_PROTO_OT_EXT_H
#define KM_PROTO_OT_EXT_H

#include "chacha8.h"
#include "ot_base.h"

#define KM_OT_BLOCK 16                                       /* bytes of 128 rows of a column */
#define KM_OT_CHECK_SIZE ((1 + KM_OT_KAPPA) * KM_OT_BLOCK)   /* x | t^0 .. t^127 */

struct km_gf128;

/* Bytes of a column for m transfers: whole blocks, one of padding. */
static inline size_t km_ot_column_size(size_t m)
{
	return ((m + KM_OT_KAPPA - 1) / KM_OT_KAPPA + 1) * KM_OT_BLOCK;
}

/* Bob: t = T's columns one after the other (128 * len bytes); u likewise unless NULL. beta: len bytes. */
void km_ot_ext_bob(uint8_t *t, uint8_t *u, const uint8_t (*keys)[2][KM_OT_KEY_SIZE], const uint8_t *beta, size_t len);
/* Alice: Q's columns. */
void km_ot_ext_alice(uint8_t *q, const uint8_t (*keys)[KM_OT_KEY_SIZE], const uint8_t delta[KM_OT_DELTA_SIZE], const uint8_t *u,
		     size_t len);

/* chi for len bytes a column, from the digests of both Y1 of the pair (Alice's, Bob's) and u. Heap; NULL without memory. */
struct km_gf128 *km_ot_ext_challenge(const struct km_ot_pair *pair, const uint8_t y1[2][KM_HASH_SIZE], const uint8_t *u,
				     size_t len);
/* Bob's x and t. */
void km_ot_ext_prove(uint8_t out[KM_OT_CHECK_SIZE], const struct km_gf128 *chi, const uint8_t *t, const uint8_t *beta,
		     size_t len);
/* Alice: KM_OK or KM_E_VERIFY. */
int km_ot_ext_check(const uint8_t in[KM_OT_CHECK_SIZE], const struct km_gf128 *chi, const uint8_t *q,
		    const uint8_t delta[KM_OT_DELTA_SIZE], size_t len) KM_MUST;

/* Columns to rows: rows has 8*len rows of 16 bytes. */
void km_ot_transpose(uint8_t *rows, const uint8_t *cols, size_t len);

/* Pads: n bytes of ChaCha20 keyed by H("ot-pad", sid, i, j, row number, row). WHY the row number: equal rows may not give equal
 * pads. */
struct km_ot_pads {
	struct km_hash prefix;
};
void km_ot_pads_init(struct km_ot_pads *p, const struct km_ot_pair *pair);
/* Eight pads at once, KM_OT_PAD_STRIDE bytes apart, each of n <= KM_OT_PAD_STRIDE bytes. */
#define KM_OT_PADS KM_CHACHA8_LANES
#define KM_OT_PAD_STRIDE 256
void km_ot_pad(const struct km_ot_pads *p, uint8_t *out, size_t n, const uint32_t row[KM_OT_PADS],
	       const uint8_t (*q)[KM_OT_BLOCK]);

#endif
