/* gf128.h: the field of 2^128 elements, for the universal hash of the OT extension: polynomials modulo x^128 + x^7 + x^2 + x + 1,
 * 16 bytes little endian, bit i the coefficient of x^i. Constant time in everything. */
#ifndef KM_PROTO_GF128_H
#define KM_PROTO_GF128_H

#include <stddef.h>
#include <stdint.h>

#define KM_GF128_SIZE 16

struct km_gf128 {
	uint64_t lo, hi;
};

struct km_gf128 km_gf128_load(const uint8_t in[KM_GF128_SIZE]);
void km_gf128_store(uint8_t out[KM_GF128_SIZE], struct km_gf128 a);

/* sum over i < n of a[i] * b_i, the b_i encoded one after the other; reduced once. By the processor's carry-less product where it
 * has one, else portably. */
struct km_gf128 km_gf128_dot(const struct km_gf128 *a, const uint8_t *b, size_t n);
/* The portable way, always there. */
struct km_gf128 km_gf128_dot_portable(const struct km_gf128 *a, const uint8_t *b, size_t n);

#endif
