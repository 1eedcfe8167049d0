/* vole.h: random vector OLE out of oblivious transfers (DKLs23, 2023/765, protocol 5.2), one ordered pair, B indices.
 *
 * For each index Alice has (k, v), Bob gets a random chi; afterwards  cu + du = k chi,  cv + dv = v chi.
 *	gadget g_0 .. g_{xi-1}, uniform, from H("gadget", sid); Bob's bits beta_t; chi = sum_t beta_t g_t
 *	transfer t of an index: pads p0, p1 of three scalars; Alice sends p0 - p1 + (k, v, m), m random
 *	Bob: d = pad of his choice + beta_t * (what came) = p0 + beta_t (k, v, m)
 *	(cu, cv) = -sum g_t p0[0..1],  (du, dv) = sum g_t d[0..1]
 *	theta = HS(... Merkle root over all that was sent ...), two for each index; eta = m + theta . (k, v);
 *	mu = H over all p0[2] + theta . p0[0..1];  Bob wants it over d[2] + theta . d[0..1] - beta_t eta
 *
 * Soundness. xi = bits(q) + 2 * 80: chi is within 2^-80 of uniform (leftover hash) even when Alice has guessed up to 80 bits of
 * beta; rho = ceil(128 / bits(q)) check scalars: a row that carries other inputs than the rest passes with 1/q for each theta
 * asked of the hash, or where its bit beta_t was guessed to be 0 (or 1): c such rows with 2^-c, at the cost of c of the spare
 * bits. One mu for the run of a pair is one hash of everything: no row can be tried alone. */
#ifndef KM_PROTO_VOLE_H
#define KM_PROTO_VOLE_H

#include "ot_ext.h"
#include "../ec/ole_rows.h"

#define KM_VOLE_SPARE 160
#define KM_VOLE_RHO 1
_Static_assert(KM_VOLE_RHO * 256 >= 128 && KM_ROW_WIDTH == KM_ROW_INPUTS + KM_VOLE_RHO, "one check scalar on the smallest curve");
/* Pads are made eight at a time: the padding rows of the columns are what may be read beyond the last index. */
_Static_assert(KM_OT_PADS <= KM_OT_KAPPA && KM_ROW_WIDE_MAX <= KM_OT_PAD_STRIDE, "");

struct km_vole {
	const struct km_curve *c;
	struct km_ot_pair pair;
	unsigned batch, xi;
	const mp_limb_t *gadget;                 /* km_vole_gadget */
	uint8_t digest[3][KM_HASH_SIZE];         /* of Alice's Y1, Bob's Y1, Bob's Y2 */
};

unsigned km_vole_xi(const struct km_curve *c);
/* Bytes sent for one index; of mu and all eta. */
size_t km_vole_row_size(const struct km_curve *c);
size_t km_vole_head_size(const struct km_curve *c, unsigned batch);

/* xi plain and xi Montgomery scalars, flat; heap, NULL without memory. */
mp_limb_t *km_vole_gadget(const struct km_curve *c, const uint8_t sid[KM_HASH_SIZE]);
/* chi of an index. */
void km_vole_chi(const struct km_vole *v, struct km_secret *chi, const uint8_t *beta, unsigned index);

/* Alice: rows are those of Q. Fills head (mu | eta) and body; adds cu to u[l], cv to w[l]. KM_E_NOMEM. */
int km_vole_send(const struct km_vole *v, const uint8_t *rows, const uint8_t delta[KM_OT_DELTA_SIZE], const struct km_secret *k,
		 const struct km_secret *in_v, struct km_rng *rng, uint8_t *head, uint8_t *body, struct km_secret *u,
		 struct km_secret *w) KM_MUST;
/* Bob: rows are those of T. Adds du, dv. KM_E_ENCODING, KM_E_VERIFY, KM_E_NOMEM; the sums are then of no use. */
int km_vole_receive(const struct km_vole *v, const uint8_t *rows, const uint8_t *beta, const uint8_t *head, const uint8_t *body,
		    struct km_secret *u, struct km_secret *w) KM_MUST;

#endif
