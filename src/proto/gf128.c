/* gf128.c: sums of products in GF(2^128). */
#include "gf128.h"

#if defined(__x86_64__)
#define KM_GF128_PCLMUL 1
#include <immintrin.h>
#endif

static uint64_t load64(const uint8_t *in)
{
	uint64_t v = 0;

	for (unsigned i = 8; i-- > 0;)
		v = v << 8 | in[i];
	return v;
}

struct km_gf128 km_gf128_load(const uint8_t in[KM_GF128_SIZE])
{
	return (struct km_gf128){ load64(in), load64(in + 8) };
}

void km_gf128_store(uint8_t out[KM_GF128_SIZE], struct km_gf128 a)
{
	for (unsigned i = 0; i < 8; i++) {
		out[i] = (uint8_t)(a.lo >> (8 * i));
		out[8 + i] = (uint8_t)(a.hi >> (8 * i));
	}
}

/* w[0] + w[1] x^64 + w[2] x^128 + w[3] x^192: x^128 = x^7 + x^2 + x + 1, twice, since the first time carries 7 bits over. */
static struct km_gf128 reduce(const uint64_t w[4])
{
	uint64_t h0 = w[2], h1 = w[3], over, lo, hi;

	over = h1 >> 63 ^ h1 >> 62 ^ h1 >> 57;
	h0 ^= over;
	lo = w[0] ^ h0 ^ h0 << 1 ^ h0 << 2 ^ h0 << 7;
	hi = w[1] ^ h1 ^ h1 << 1 ^ h1 << 2 ^ h1 << 7 ^ h0 >> 63 ^ h0 >> 62 ^ h0 >> 57;
	return (struct km_gf128){ lo, hi };
}

/* The low 64 bits of a carry-less product, by integer products over every fourth bit: at most 16 terms meet in a place, so sums
 * stay below the next bit in use (Pornin's bmul64). */
static uint64_t low_half(uint64_t x, uint64_t y)
{
	const uint64_t m = 0x1111111111111111;
	uint64_t r = 0;

	for (unsigned k = 0; k < 4; k++) {
		uint64_t z = 0;

		for (unsigned i = 0; i < 4; i++)
			z ^= (x & m << i) * (y & m << ((k - i) & 3));
		r |= z & m << k;
	}
	return r;
}

static uint64_t reverse(uint64_t v)
{
	v = (v & 0x5555555555555555) << 1 | (v >> 1 & 0x5555555555555555);
	v = (v & 0x3333333333333333) << 2 | (v >> 2 & 0x3333333333333333);
	v = (v & 0x0f0f0f0f0f0f0f0f) << 4 | (v >> 4 & 0x0f0f0f0f0f0f0f0f);
	v = (v & 0x00ff00ff00ff00ff) << 8 | (v >> 8 & 0x00ff00ff00ff00ff);
	v = (v & 0x0000ffff0000ffff) << 16 | (v >> 16 & 0x0000ffff0000ffff);
	return v << 32 | v >> 32;
}

/* The high half is the low half of the product of the reversed factors. */
static void add_product(uint64_t w[2], uint64_t x, uint64_t y)
{
	w[0] ^= low_half(x, y);
	w[1] ^= reverse(low_half(reverse(x), reverse(y))) >> 1;
}

struct km_gf128 km_gf128_dot_portable(const struct km_gf128 *a, const uint8_t *b, size_t n)
{
	uint64_t lo[2] = { 0 }, hi[2] = { 0 }, mid[2] = { 0 };

	/* Karatsuba, gathered over all terms */
	for (size_t i = 0; i < n; i++, b += KM_GF128_SIZE) {
		struct km_gf128 y = km_gf128_load(b);

		add_product(lo, a[i].lo, y.lo);
		add_product(hi, a[i].hi, y.hi);
		add_product(mid, a[i].lo ^ a[i].hi, y.lo ^ y.hi);
	}
	mid[0] ^= lo[0] ^ hi[0];
	mid[1] ^= lo[1] ^ hi[1];
	return reduce((const uint64_t[4]){ lo[0], lo[1] ^ mid[0], hi[0] ^ mid[1], hi[1] });
}

#ifdef KM_GF128_PCLMUL
__attribute__((target("pclmul,sse2"))) static struct km_gf128 dot_pclmul(const struct km_gf128 *a, const uint8_t *b, size_t n)
{
	__m128i lo = _mm_setzero_si128(), hi = lo, mid = lo;
	uint64_t l[2], h[2], m[2];

	for (size_t i = 0; i < n; i++, b += KM_GF128_SIZE) {
		__m128i x = _mm_set_epi64x((long long)a[i].hi, (long long)a[i].lo);
		__m128i y = _mm_loadu_si128((const __m128i *)(const void *)b);

		lo = _mm_xor_si128(lo, _mm_clmulepi64_si128(x, y, 0x00));
		hi = _mm_xor_si128(hi, _mm_clmulepi64_si128(x, y, 0x11));
		mid = _mm_xor_si128(mid, _mm_clmulepi64_si128(x, y, 0x01));
		mid = _mm_xor_si128(mid, _mm_clmulepi64_si128(x, y, 0x10));
	}
	_mm_storeu_si128((__m128i *)(void *)l, lo);
	_mm_storeu_si128((__m128i *)(void *)h, hi);
	_mm_storeu_si128((__m128i *)(void *)m, mid);
	return reduce((const uint64_t[4]){ l[0], l[1] ^ m[0], h[0] ^ m[1], h[1] });
}
#endif

struct km_gf128 km_gf128_dot(const struct km_gf128 *a, const uint8_t *b, size_t n)
{
#ifdef KM_GF128_PCLMUL
	if (__builtin_cpu_supports("pclmul"))
		return dot_pclmul(a, b, n);
#endif
	return km_gf128_dot_portable(a, b, n);
}
