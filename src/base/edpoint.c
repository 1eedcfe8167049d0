/* edpoint.c: the encodings of edwards25519, -x^2 + y^2 = 1 + d x^2 y^2 over p = 2^255 - 19 (RFC 8032). Public input only. */
#include "config.h"
#include "base/edpoint.h"

#include <string.h>
#include <gmp.h>

#define N (256 / GMP_NUMB_BITS)

struct fe {
	mp_limb_t l[N];
};

/* p, L = 2^252 + 27742317777372353535851937790883648493 and d = -121665/121666, little endian */
static const uint8_t P[32] = {
	0xed, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
	0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f,
};
static const uint8_t L[32] = {
	0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14,
	0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x10,
};
static const uint8_t D[32] = {
	0xa3, 0x78, 0x59, 0x13, 0xca, 0x4d, 0xeb, 0x75, 0xab, 0xd8, 0x41, 0x41, 0x4d, 0x0a, 0x70, 0x00,
	0x98, 0xe8, 0x79, 0x77, 0x79, 0x40, 0xc7, 0x8c, 0x73, 0xfe, 0x6f, 0x2b, 0xee, 0x6c, 0x03, 0x52,
};

static int below(const uint8_t a[32], const uint8_t bound[32])
{
	for (unsigned i = 32; i-- > 0;)
		if (a[i] != bound[i])
			return a[i] < bound[i];
	return 0;
}

static struct fe load(const uint8_t b[32])
{
	struct fe r;

	memset(&r, 0, sizeof(r));
	for (unsigned i = 0; i < 32; i++)
		r.l[i / sizeof(mp_limb_t)] |= (mp_limb_t)b[i] << (8 * (i % sizeof(mp_limb_t)));
	return r;
}

/* y without the sign bit of x */
static struct fe load_y(const uint8_t enc[32])
{
	uint8_t b[32];

	memcpy(b, enc, 32);
	b[31] &= 0x7f;
	return load(b);
}

static struct fe mul(const struct fe *a, const struct fe *b)
{
	struct fe r, p = load(P);
	mp_limb_t t[2 * N], q[N + 1];

	mpn_mul_n(t, a->l, b->l, N);
	mpn_tdiv_qr(q, r.l, 0, t, 2 * N, p.l, N);
	return r;
}

static struct fe add_small(const struct fe *a, mp_limb_t v)
{
	struct fe r, p = load(P);

	/* 2p < 2^256: no carry is lost */
	mpn_add_1(r.l, a->l, N, v);
	if (mpn_cmp(r.l, p.l, N) >= 0)
		mpn_sub_n(r.l, r.l, p.l, N);
	return r;
}

static struct fe sub_one(const struct fe *a)
{
	struct fe r, p = load(P);

	if (mpn_zero_p(a->l, N))
		mpn_sub_1(r.l, p.l, N, 1);
	else
		mpn_sub_1(r.l, a->l, N, 1);
	return r;
}

static int is_zero(const struct fe *a)
{
	return mpn_zero_p(a->l, N) != 0;
}

/* x = 0 exactly for y = 1 and y = -1 */
static int x_is_zero(const struct fe *y)
{
	struct fe yy = mul(y, y), u = sub_one(&yy);

	return is_zero(&u);
}

int km_edpoint_canonical(const uint8_t enc[32])
{
	uint8_t b[32];
	struct fe y;

	memcpy(b, enc, 32);
	b[31] &= 0x7f;
	if (!below(b, P))
		return 0;
	y = load(b);
	return !(enc[31] >> 7) || !x_is_zero(&y);
}

/* x^2 = u/v with u = y^2 - 1, v = d y^2 + 1 (never 0: -1 is a square and d is not). A point exists iff u/v, so uv, is a
 * square: Euler's (uv)^((p-1)/2) is 0 or 1. */
int km_edpoint_on_curve(const uint8_t enc[32])
{
	struct fe y = load_y(enc), d = load(D);
	struct fe yy = mul(&y, &y), u = sub_one(&yy), v = mul(&d, &yy), w, r;

	v = add_small(&v, 1);
	w = mul(&u, &v);
	if (is_zero(&w))
		return 1;
	/* (p-1)/2 = 2^254 - 10: bits 253..4 all ones, then 0110 */
	r = w;
	for (unsigned bit = 253; bit-- > 0;) {
		r = mul(&r, &r);
		if (bit >= 4 || bit == 2 || bit == 1)
			r = mul(&r, &w);
	}
	r = sub_one(&r);
	return is_zero(&r);
}

/* Order 1 and 2: y = 1, -1. Order 4: y = 0. Order 8: twice the point has y = 0, so y^2 = -x^2, and with the curve's
 * equation d y^4 + 2 y^2 - 1 = 0. */
int km_edpoint_small_order(const uint8_t enc[32])
{
	struct fe y = load_y(enc), d = load(D), yy, e;

	if (is_zero(&y) || x_is_zero(&y))
		return 1;
	yy = mul(&y, &y);
	e = mul(&d, &yy);
	e = add_small(&e, 2);
	e = mul(&e, &yy);
	e = sub_one(&e);
	return is_zero(&e);
}

int km_edscalar_canonical(const uint8_t enc[32])
{
	return below(enc, L);
}
