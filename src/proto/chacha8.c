/* chacha8.c: ChaCha20 (Bernstein 2008) on vectors, a key in each lane. */
#include "chacha8.h"
#include "../base/secret.h"

typedef uint32_t lanes __attribute__((vector_size(4 * KM_CHACHA8_LANES)));

#define INLINE static inline __attribute__((always_inline))

#define ROTATE(x, n) ((x) << (n) | (x) >> (32 - (n)))
#define QUARTER(a, b, c, d)                                        \
	do {                                                       \
		a += b, d ^= a, d = ROTATE(d, 16);                 \
		c += d, b ^= c, b = ROTATE(b, 12);                 \
		a += b, d ^= a, d = ROTATE(d, 8);                  \
		c += d, b ^= c, b = ROTATE(b, 7);                  \
	} while (0)

static uint32_t load32(const uint8_t *in)
{
	return in[0] | (uint32_t)in[1] << 8 | (uint32_t)in[2] << 16 | (uint32_t)in[3] << 24;
}

INLINE void store32(uint8_t *out, uint32_t v)
{
	out[0] = (uint8_t)v;
	out[1] = (uint8_t)(v >> 8);
	out[2] = (uint8_t)(v >> 16);
	out[3] = (uint8_t)(v >> 24);
}

INLINE void one_block(uint8_t *out, size_t stride, const lanes in[16], uint32_t counter)
{
	lanes x[16];

	for (unsigned i = 0; i < 16; i++)
		x[i] = in[i];
	x[12] += counter;
	for (unsigned round = 0; round < 10; round++) {
		QUARTER(x[0], x[4], x[8], x[12]);
		QUARTER(x[1], x[5], x[9], x[13]);
		QUARTER(x[2], x[6], x[10], x[14]);
		QUARTER(x[3], x[7], x[11], x[15]);
		QUARTER(x[0], x[5], x[10], x[15]);
		QUARTER(x[1], x[6], x[11], x[12]);
		QUARTER(x[2], x[7], x[8], x[13]);
		QUARTER(x[3], x[4], x[9], x[14]);
	}
	for (unsigned i = 0; i < 16; i++)
		x[i] += in[i];
	x[12] += counter;
	for (unsigned lane = 0; lane < KM_CHACHA8_LANES; lane++)
		for (unsigned i = 0; i < 16; i++)
			store32(out + lane * stride + 4 * i, x[i][lane]);
	km_wipe(x, sizeof(x));
}

INLINE void streams(uint8_t *out, size_t stride, size_t blocks, const uint8_t (*keys)[32])
{
	static const uint32_t constant[4] = { 0x61707865, 0x3320646e, 0x79622d32, 0x6b206574 };
	lanes in[16] = { { 0 } };

	for (unsigned lane = 0; lane < KM_CHACHA8_LANES; lane++) {
		for (unsigned i = 0; i < 4; i++)
			in[i][lane] = constant[i];
		for (unsigned i = 0; i < 8; i++)
			in[4 + i][lane] = load32(keys[lane] + 4 * i);
	}
	for (size_t b = 0; b < blocks; b++)
		one_block(out + b * KM_CHACHA8_BLOCK, stride, in, (uint32_t)b);
	km_wipe(in, sizeof(in));
}

#ifdef __x86_64__
__attribute__((target("avx2"))) static void streams_avx2(uint8_t *out, size_t stride, size_t blocks, const uint8_t (*keys)[32])
{
	streams(out, stride, blocks, keys);
}
#endif

void km_chacha8(uint8_t *out, size_t stride, size_t blocks, const uint8_t (*keys)[32])
{
#ifdef __x86_64__
	if (__builtin_cpu_supports("avx2")) {
		streams_avx2(out, stride, blocks, keys);
		return;
	}
#endif
	streams(out, stride, blocks, keys);
}
