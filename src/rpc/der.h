/* der.h: the little DER that keymesh writes itself: an ECDSA signature and the integers in it. */
#ifndef KM_RPC_DER_H
#define KM_RPC_DER_H

#include <stddef.h>
#include <stdint.h>
#include "../base/buf.h"
#include "../base/limits.h"

/* The largest signature: SEQUENCE of two INTEGERs of 66 bytes, each with a zero byte before it. */
#define KM_DER_SIGNATURE_MAX (3 + 2 * (2 + 1 + KM_SCALAR_MAX))

/* A tag and a definite length in its shortest form; the caller writes the contents. */
void km_der_put_head(struct km_buf *b, unsigned tag, size_t len);
/* Ecdsa-Sig-Value (RFC 3279 2.2.3): appends SEQUENCE { INTEGER r, INTEGER s }, r and s big endian of size bytes each.
 * Returns KM_OK, KM_E_DEGENERATE when r or s is zero (never a signature), KM_E_INVAL for a size of 0 or over
 * KM_SCALAR_MAX, or the sticky error of b. */
int km_der_put_signature(struct km_buf *b, const uint8_t *r, const uint8_t *s, size_t size) KM_MUST;
/* The reverse, strict DER only. Returns KM_OK, KM_E_ENCODING, KM_E_TRUNCATED, KM_E_TRAILING, or KM_E_RANGE when r or s does
 * not fit size bytes; outputs zeroed on failure. */
int km_der_get_signature(const uint8_t *der, size_t len, uint8_t *r, uint8_t *s, size_t size) KM_MUST;

#endif
