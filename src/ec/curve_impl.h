/* curve_impl.h: the curve table's entry; private to src/ec. */
#ifndef KM_EC_CURVE_IMPL_H
#define KM_EC_CURVE_IMPL_H

#include "curve.h"
#include "field.h"

struct km_curve {
	unsigned id;     /* enum km_curve_id, or a toy's */
	const char *name;
	unsigned bits;   /* of q, and of p: the same on all three curves */
	unsigned n;      /* limbs of p and of q */
	size_t size;     /* bytes of an encoded coordinate or scalar */
	struct km_mod p, q;
	/* Montgomery form modulo p: the curve's b and the generator. */
	mp_limb_t b[KM_LIMBS_MAX], gx[KM_LIMBS_MAX], gy[KM_LIMBS_MAX];
};

/* Big-endian bytes to n limbs and back; size <= 8*n. */
void km_limbs_from_bytes(mp_limb_t *r, unsigned n, const uint8_t *in, size_t size);
void km_limbs_to_bytes(uint8_t *out, size_t size, const mp_limb_t *a);

#endif
