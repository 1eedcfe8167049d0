/* ole_rows.h: the inner loops of the vector OLE (src/proto/vole.h): what is done with the scalars of one oblivious transfer.
 *
 * A row is KM_ROW_WIDTH scalars modulo q, flat, as limbs: two for Alice's inputs, one for the check. Gadget and theta come in
 * Montgomery form, so that a product costs one Montgomery product. Constant time in everything but what arrives from outside. */
#ifndef KM_EC_OLE_ROWS_H
#define KM_EC_OLE_ROWS_H

#include "scalar.h"

#define KM_ROW_INPUTS 2
#define KM_ROW_WIDTH 3
#define KM_ROW_LIMBS_MAX (KM_ROW_WIDTH * KM_LIMBS_MAX)
#define KM_ROW_BYTES_MAX (KM_ROW_WIDTH * KM_SCALAR_MAX)
#define KM_ROW_WIDE_MAX (KM_ROW_WIDTH * (KM_SCALAR_MAX + 17))

/* Limbs of one scalar of a row. */
unsigned km_row_limbs(const struct km_curve *c);
/* Plain and Montgomery form of n public or secret scalars, flat; and one back. */
void km_row_from_secret(const struct km_curve *c, mp_limb_t *out, const struct km_secret *a, unsigned n);
void km_row_to_secret(const struct km_curve *c, struct km_secret *out, const mp_limb_t *a, unsigned n);
void km_row_montgomery(const struct km_curve *c, mp_limb_t *out, const struct km_scalar *a, unsigned n);

/* row = three times km_curve_wide_size bytes of a stream, each reduced modulo q. */
void km_row_pad(const struct km_curve *c, mp_limb_t *row, const uint8_t *wide);
/* out = p0 - p1 + in, encoded: what Alice sends for one transfer. */
void km_row_send(const struct km_curve *c, uint8_t *out, const mp_limb_t *p0, const mp_limb_t *p1, const mp_limb_t *in);
/* row += bit * in. KM_E_ENCODING when a scalar of `in` is not below q. */
int km_row_receive(const struct km_curve *c, mp_limb_t *row, const uint8_t *in, unsigned bit) KM_MUST;
/* out = row[2] + theta[0] row[0] + theta[1] row[1] - bit * eta, encoded. eta: flat, may be NULL. */
void km_row_check(const struct km_curve *c, uint8_t *out, const mp_limb_t *row, const mp_limb_t *theta, const mp_limb_t *eta,
		  unsigned bit);
/* acc[0..1] += g * row[0..1] */
void km_row_sum(const struct km_curve *c, mp_limb_t *acc, const mp_limb_t *row, const mp_limb_t *g);
/* acc += bit * a (one scalar) */
void km_row_add_bit(const struct km_curve *c, mp_limb_t *acc, const mp_limb_t *a, unsigned bit);

#endif
