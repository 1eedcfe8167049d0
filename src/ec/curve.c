/* curve.c: the table of curves (NIST SP 800-186). tests/unit/test_point.c checks every constant against Nettle. */
#include <nettle/ecc-curve.h>
#include "curve_impl.h"
#include "toy.h"
#include "../base/rules.h"

static const struct km_curve p256 = {
	.id = KM_CURVE_P256,
	.name = "P-256",
	.bits = 256,
	.n = 4,
	.size = 32,
	.p = {
		.n = 4,
		.minv = 0x0000000000000001,
		.m = { 0xffffffffffffffff, 0x00000000ffffffff, 0x0000000000000000, 0xffffffff00000001 },
		.one = { 0x0000000000000001, 0xffffffff00000000, 0xffffffffffffffff, 0x00000000fffffffe },
		.rr = { 0x0000000000000003, 0xfffffffbffffffff, 0xfffffffffffffffe, 0x00000004fffffffd },
	},
	.q = {
		.n = 4,
		.minv = 0xccd1c8aaee00bc4f,
		.m = { 0xf3b9cac2fc632551, 0xbce6faada7179e84, 0xffffffffffffffff, 0xffffffff00000000 },
		.one = { 0x0c46353d039cdaaf, 0x4319055258e8617b, 0x0000000000000000, 0x00000000ffffffff },
		.rr = { 0x83244c95be79eea2, 0x4699799c49bd6fa6, 0x2845b2392b6bec59, 0x66e12d94f3d95620 },
	},
	.b = { 0xd89cdf6229c4bddf, 0xacf005cd78843090, 0xe5a220abf7212ed6, 0xdc30061d04874834 },
	.gx = { 0x79e730d418a9143c, 0x75ba95fc5fedb601, 0x79fb732b77622510, 0x18905f76a53755c6 },
	.gy = { 0xddf25357ce95560a, 0x8b4ab8e4ba19e45c, 0xd2e88688dd21f325, 0x8571ff1825885d85 },
};

static const struct km_curve p384 = {
	.id = KM_CURVE_P384,
	.name = "P-384",
	.bits = 384,
	.n = 6,
	.size = 48,
	.p = {
		.n = 6,
		.minv = 0x0000000100000001,
		.m = { 0x00000000ffffffff, 0xffffffff00000000, 0xfffffffffffffffe, 0xffffffffffffffff,
			  0xffffffffffffffff, 0xffffffffffffffff },
		.one = { 0xffffffff00000001, 0x00000000ffffffff, 0x0000000000000001, 0x0000000000000000,
			  0x0000000000000000, 0x0000000000000000 },
		.rr = { 0xfffffffe00000001, 0x0000000200000000, 0xfffffffe00000000, 0x0000000200000000,
			  0x0000000000000001, 0x0000000000000000 },
	},
	.q = {
		.n = 6,
		.minv = 0x6ed46089e88fdc45,
		.m = { 0xecec196accc52973, 0x581a0db248b0a77a, 0xc7634d81f4372ddf, 0xffffffffffffffff,
			  0xffffffffffffffff, 0xffffffffffffffff },
		.one = { 0x1313e695333ad68d, 0xa7e5f24db74f5885, 0x389cb27e0bc8d220, 0x0000000000000000,
			  0x0000000000000000, 0x0000000000000000 },
		.rr = { 0x2d319b2419b409a9, 0xff3d81e5df1aa419, 0xbc3e483afcb82947, 0xd40d49174aab1cc5,
			  0x3fb05b7a28266895, 0x0c84ee012b39bf21 },
	},
	.b = { 0x081188719d412dcc, 0xf729add87a4c32ec, 0x77f2209b1920022e, 0xe3374bee94938ae2,
		  0xb62b21f41f022094, 0xcd08114b604fbff9 },
	.gx = { 0x3dd0756649c0b528, 0x20e378e2a0d6ce38, 0x879c3afc541b4d6e, 0x6454868459a30eff,
		  0x812ff723614ede2b, 0x4d3aadc2299e1513 },
	.gy = { 0x23043dad4b03a4fe, 0xa1bfa8bf7bb4a9ac, 0x8bade7562e83b050, 0xc6c3521968f4ffd9,
		  0xdd8002263969a840, 0x2b78abc25a15c5e9 },
};

static const struct km_curve p521 = {
	.id = KM_CURVE_P521,
	.name = "P-521",
	.bits = 521,
	.n = 9,
	.size = 66,
	.p = {
		.n = 9,
		.minv = 0x0000000000000001,
		.m = { 0xffffffffffffffff, 0xffffffffffffffff, 0xffffffffffffffff, 0xffffffffffffffff,
			  0xffffffffffffffff, 0xffffffffffffffff, 0xffffffffffffffff, 0xffffffffffffffff,
			  0x00000000000001ff },
		.one = { 0x0080000000000000, 0x0000000000000000, 0x0000000000000000, 0x0000000000000000,
			  0x0000000000000000, 0x0000000000000000, 0x0000000000000000, 0x0000000000000000,
			  0x0000000000000000 },
		.rr = { 0x0000000000000000, 0x0000400000000000, 0x0000000000000000, 0x0000000000000000,
			  0x0000000000000000, 0x0000000000000000, 0x0000000000000000, 0x0000000000000000,
			  0x0000000000000000 },
	},
	.q = {
		.n = 9,
		.minv = 0x1d2f5ccd79a995c7,
		.m = { 0xbb6fb71e91386409, 0x3bb5c9b8899c47ae, 0x7fcc0148f709a5d0, 0x51868783bf2f966b,
			  0xfffffffffffffffa, 0xffffffffffffffff, 0xffffffffffffffff, 0xffffffffffffffff,
			  0x00000000000001ff },
		.one = { 0xfb80000000000000, 0x28a2482470b763cd, 0x17e2251b23bb31dc, 0xca4019ff5b847b2d,
			  0x02d73cbc3e206834, 0x0000000000000000, 0x0000000000000000, 0x0000000000000000,
			  0x0000000000000000 },
		.rr = { 0x137cd04dcf15dd04, 0xf707badce5547ea3, 0x12a78d38794573ff, 0xd3721ef557f75e06,
			  0xdd6e23d82e49c7db, 0xcff3d142b7756e3e, 0x5bcc6d61a8e567bc, 0x2d8e03d1492d0d45,
			  0x000000000000003d },
	},
	.b = { 0x8014654fae586387, 0x78f7a28fea35a81f, 0x839ab9efc41e961a, 0xbd8b29605e9dd8df,
		  0xf0ab0c9ca8f63f49, 0xf9dc5a44c8c77884, 0x77516d392dccd98a, 0x0fc94d10d05b42a0,
		  0x000000000000004d },
	.gx = { 0xb331a16381adc101, 0x4dfcbf3f18e172de, 0x6f19a459e0c2b521, 0x947f0ee093d17fd4,
		  0xdd50a5af3bf7f3ac, 0x90fc1457b035a69e, 0x214e32409c829fda, 0xe6cf1f65b311cada,
		  0x0000000000000074 },
	.gy = { 0x28460e4a5a9e268e, 0x20445f4a3b4fe8b3, 0xb09a9e3843513961, 0x2062a85c809fd683,
		  0x164bf7394caf7a13, 0x340bd7de8b939f33, 0xeccc7aa224abcda2, 0x022e452fda163e8d,
		  0x00000000000001e0 },
};

const struct km_curve *km_curve_p256(void)
{
	return &p256;
}

const struct km_curve *km_curve_by_id(unsigned id)
{
	switch (id) {
	case KM_CURVE_P256:
		return &p256;
	case KM_CURVE_P384:
		return &p384;
	case KM_CURVE_P521:
		return &p521;
	default:
#ifdef KM_TOY_CURVE
		return km_toy_by_id(id);
#else
		return NULL;
#endif
	}
}

unsigned km_curve_id(const struct km_curve *c)
{
	return c->id;
}

const char *km_curve_name(const struct km_curve *c)
{
	return c->name;
}

unsigned km_curve_bits(const struct km_curve *c)
{
	return c->bits;
}

size_t km_curve_scalar_size(const struct km_curve *c)
{
	return c->size;
}

size_t km_curve_point_size(const struct km_curve *c)
{
	return c->size + 1;
}

size_t km_curve_wide_size(const struct km_curve *c)
{
	/* WHY: bits(q) alone, reduced, are biased by 2^-32 on P-256 (attack B28). */
	return KM_RULE(km_rule_wide_scalars) ? (c->bits + 128 + 7) / 8 : c->size;
}

const struct ecc_curve *km_curve_nettle(const struct km_curve *c)
{
	switch (c->id) {
	case KM_CURVE_P256:
		return nettle_get_secp_256r1();
	case KM_CURVE_P384:
		return nettle_get_secp_384r1();
	case KM_CURVE_P521:
		return nettle_get_secp_521r1();
	}
	KM_ASSERT(KM_IS_TOY(c));
	return NULL;
}

void km_limbs_from_bytes(mp_limb_t *r, unsigned n, const uint8_t *in, size_t size)
{
	for (unsigned i = 0; i < n; i++) {
		mp_limb_t v = 0;

		for (unsigned j = 0; j < 8; j++) {
			size_t k = 8 * (size_t)i + j;

			if (k < size)
				v |= (mp_limb_t)in[size - 1 - k] << (8 * j);
		}
		r[i] = v;
	}
}

void km_limbs_to_bytes(uint8_t *out, size_t size, const mp_limb_t *a)
{
	for (size_t k = 0; k < size; k++)
		out[size - 1 - k] = (uint8_t)(a[k / 8] >> (8 * (k % 8)));
}
