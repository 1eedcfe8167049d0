/* ctime_ec.c: secrets in src/ec: every km_secret_* function, every multiplication by a secret, the complete addition. */
#include "ctime.h"
#include "ec/hash2curve.h"
#include "ec/mul_many.h"
#include "ec/ole_rows.h"
#include "ec/shamir.h"
#include <string.h>

static void secrets(const struct km_curve *c, struct km_secret s[CTIME_SECRETS])
{
	for (unsigned i = 0; i < CTIME_SECRETS; i++)
		ctime_secret(c, &s[i], i);
}

static void arithmetic(const struct km_curve *c)
{
	struct km_secret s[CTIME_SECRETS], r;
	struct km_scalar pub;

	secrets(c, s);
	km_scalar_set_u32(&pub, 77);
	km_scalar_neg(c, &pub, &pub);
	for (unsigned i = 0; i < CTIME_SECRETS; i++) {
		km_secret_neg(c, &r, &s[i]);
		ctime_is_secret(&r, sizeof(r));
		km_secret_mul_pub(c, &r, &s[i], &pub);
		ctime_is_secret(&r, sizeof(r));
		km_secret_add_pub(c, &r, &s[i], &pub);
		ctime_is_secret(&r, sizeof(r));
		km_secret_pub_sub(c, &r, &pub, &s[i]);
		ctime_is_secret(&r, sizeof(r));
		km_secret_addmul_pub(c, &r, &s[i], &pub);
		ctime_is_secret(&r, sizeof(r));
		for (unsigned j = 0; j < CTIME_SECRETS; j++) {
			km_secret_add(c, &r, &s[i], &s[j]);
			ctime_is_secret(&r, sizeof(r));
			km_secret_sub(c, &r, &s[i], &s[j]);
			ctime_is_secret(&r, sizeof(r));
			km_secret_mul(c, &r, &s[i], &s[j]);
			ctime_is_secret(&r, sizeof(r));
		}
		km_secret_wipe(&s[i]);
	}
}

static void inverse(const struct km_curve *c)
{
	struct km_secret s[CTIME_SECRETS], r;

	secrets(c, s);
	for (unsigned i = 0; i < CTIME_SECRETS; i++) {
		km_secret_inv(c, &r, &s[i]);
		ctime_is_secret(&r, sizeof(r));
	}
}

static void codec(const struct km_curve *c)
{
	uint8_t b[KM_SCALAR_MAX];
	struct km_secret s[CTIME_SECRETS], r;
	int err;

	secrets(c, s);
	for (unsigned i = 0; i < CTIME_SECRETS; i++) {
		km_secret_encode(c, b, &s[i]);
		ctime_is_secret(b, km_curve_scalar_size(c));
		/* whether it was in range may be known, nothing else */
		err = km_secret_decode(c, &r, b);
		if (err)
			ctime_fail();
		ctime_is_secret(&r, sizeof(r));
	}
	memset(b, 0xff, sizeof(b));
	ctime_taint(b, sizeof(b));
	err = km_secret_decode(c, &r, b);
	if (err != KM_E_ENCODING)
		ctime_fail();
}

static void sampling(const struct km_curve *c)
{
	uint8_t seed[KM_SEED_SIZE] = { 9 }, wide[2 * KM_SCALAR_MAX];
	struct km_secret r;
	struct km_rng rng;
	struct km_hash h;

	ctime_taint(seed, sizeof(seed));
	km_rng_init(&rng, seed, "secret", NULL, 0);
	km_secret_random(c, &r, &rng);
	ctime_is_secret(&r, sizeof(r));
	km_hash_init(&h, "test");
	km_hash_field(&h, seed, sizeof(seed));
	km_secret_from_hash(c, &r, &h);
	ctime_is_secret(&r, sizeof(r));
	memset(wide, 0xff, sizeof(wide));
	ctime_taint(wide, sizeof(wide));
	for (size_t n = 1; n <= 2 * km_curve_scalar_size(c); n += 7) {
		km_secret_reduce(c, &r, wide, n);
		ctime_is_secret(&r, sizeof(r));
	}
}

/* The scalar functions that are constant time although their type says public. */
static void public_type(const struct km_curve *c)
{
	struct km_secret s[CTIME_SECRETS];
	struct km_scalar a, b, r;
	int bit;

	secrets(c, s);
	for (unsigned i = 0; i < CTIME_SECRETS; i++) {
		memcpy(&a, &s[i], sizeof(a));
		memcpy(&b, &s[(i + 1) % CTIME_SECRETS], sizeof(b));
		km_scalar_add(c, &r, &a, &b);
		ctime_is_secret(&r, sizeof(r));
		km_scalar_sub(c, &r, &a, &b);
		ctime_is_secret(&r, sizeof(r));
		km_scalar_mul(c, &r, &a, &b);
		ctime_is_secret(&r, sizeof(r));
		km_scalar_neg(c, &r, &a);
		ctime_is_secret(&r, sizeof(r));
		bit = km_scalar_is_zero(&a);
		ctime_is_secret(&bit, sizeof(bit));
		bit = km_scalar_equal(&a, &b);
		ctime_is_secret(&bit, sizeof(bit));
	}
}

static void multiply_generator(const struct km_curve *c)
{
	struct km_secret s[CTIME_SECRETS];
	struct km_point r;

	secrets(c, s);
	for (unsigned i = 0; i < CTIME_SECRETS; i++) {
		km_point_mul_g(c, &r, &s[i]);
		ctime_is_secret(&r, sizeof(r));
	}
}

static void multiply(const struct km_curve *c)
{
	struct km_secret s[CTIME_SECRETS];
	struct km_point p, r;

	secrets(c, s);
	ctime_point(c, &p);
	for (unsigned i = 0; i < CTIME_SECRETS; i++) {
		km_point_mul(c, &r, &s[i], &p);
		ctime_is_secret(&r, sizeof(r));
	}
}

static void multiply_many(const struct km_curve *c)
{
	struct km_secret s[CTIME_SECRETS];
	struct km_point p, r[CTIME_SECRETS];

	secrets(c, s);
	ctime_point(c, &p);
	km_point_mul_many(c, r, s, CTIME_SECRETS, &p);
	for (unsigned i = 0; i < CTIME_SECRETS; i++)
		ctime_is_secret(&r[i], sizeof(r[i]));
}

static void addition(const struct km_curve *c)
{
	struct km_point p[4], r;
	size_t used = sizeof(mp_limb_t) * ((km_curve_bits(c) + 63) / 64);

	/* any pair, equal, opposite and the identity among them */
	ctime_point(c, &p[0]);
	ctime_point(c, &p[1]);
	km_point_neg(c, &p[2], &p[0]);
	km_point_identity(c, &p[3]);
	for (unsigned i = 0; i < 4; i++) {
		ctime_taint(p[i].x, used);
		ctime_taint(p[i].y, used);
		ctime_taint(p[i].z, used);
	}
	for (unsigned i = 0; i < 16; i++) {
		km_point_add(c, &r, &p[i / 4], &p[i % 4]);
		ctime_is_secret(&r, sizeof(r));
		km_point_sub(c, &r, &p[i / 4], &p[i % 4]);
		ctime_is_secret(&r, sizeof(r));
	}
}

static void sharing(const struct km_curve *c)
{
	struct km_secret s[CTIME_SECRETS], r;

	secrets(c, s);
	for (uint32_t x = 1; x <= 32; x += 31)
		for (unsigned degree = 0; degree < CTIME_SECRETS; degree++) {
			km_shamir_eval(c, &r, s, degree, x);
			ctime_is_secret(&r, sizeof(r));
		}
}

static void hash_to_curve(const struct km_curve *c)
{
	uint8_t msg[40] = { 1 };
	struct km_point r;

	ctime_taint(msg, sizeof(msg));
	for (unsigned i = 0; i < 4; i++) {
		msg[0]++;
		if (km_hash_to_curve(c, &r, msg, sizeof(msg), "tag", 3))
			ctime_fail();
		ctime_is_secret(&r, sizeof(r));
	}
}

static void encode_secret(const struct km_curve *c)
{
	size_t used = sizeof(mp_limb_t) * ((km_curve_bits(c) + 63) / 64);
	uint8_t enc[KM_POINT_MAX];
	struct km_point p;

	for (unsigned i = 0; i < 2; i++) {
		if (i)
			km_point_identity(c, &p);
		else
			ctime_point(c, &p);
		ctime_taint(p.x, used);
		ctime_taint(p.y, used);
		ctime_taint(p.z, used);
		km_point_encode_secret(c, enc, &p);
		ctime_is_secret(enc, km_curve_point_size(c));
	}
}

/* Rows of the vector OLE; what came from the other side is public. */
static void rows(const struct km_curve *c)
{
	mp_limb_t a[KM_ROW_LIMBS_MAX], b[KM_ROW_LIMBS_MAX], theta[KM_ROW_LIMBS_MAX], acc[KM_ROW_LIMBS_MAX] = { 0 };
	uint8_t wide[KM_ROW_WIDE_MAX], out[KM_ROW_BYTES_MAX];
	struct km_scalar pub[KM_ROW_INPUTS];
	unsigned bit = 1;

	for (unsigned i = 0; i < KM_ROW_INPUTS; i++) {
		km_scalar_set_u32(&pub[i], 1000 + i);
		km_scalar_neg(c, &pub[i], &pub[i]);
	}
	km_row_montgomery(c, theta, pub, KM_ROW_INPUTS);
	memset(wide, 0xff, sizeof(wide));
	ctime_taint(wide, sizeof(wide));
	ctime_taint(&bit, sizeof(bit));
	km_row_pad(c, a, wide);
	wide[0] ^= 1;
	km_row_pad(c, b, wide);
	km_row_sum(c, acc, a, theta);
	ctime_is_secret(acc, sizeof(acc));
	km_row_add_bit(c, acc, theta, bit);
	km_row_check(c, out, a, theta, pub[0].l, bit);
	ctime_is_secret(out, km_curve_scalar_size(c));
	km_row_send(c, out, a, b, b);
	ctime_is_secret(out, KM_ROW_WIDTH * km_curve_scalar_size(c));
	km_declassify(out, sizeof(out));
	if (km_row_receive(c, a, out, bit))
		ctime_fail();
	ctime_is_secret(a, KM_ROW_WIDTH * km_row_limbs(c) * sizeof(a[0]));
}

/* What goes through the door is public afterwards: branching on it is no error. */
static void declassify(const struct km_curve *c)
{
	static volatile unsigned sink;
	struct km_secret s;
	struct km_scalar k;
	struct km_point r;

	ctime_secret(c, &s, 3);
	km_secret_declassify(&k, &s);
	if (k.l[0] & 1)
		sink++;
	km_point_mul_g(c, &r, &s);
	km_point_declassify(&r);
	if (km_point_is_identity_var(c, &r))
		sink++;
	ctime_is_secret(&s, sizeof(s));
}

const struct ctime_case ctime_ec[] = {
	{ "km_secret arithmetic", arithmetic, 1 },
	{ "km_secret_inv", inverse, 1 },
	{ "km_secret_encode and _decode", codec, 1 },
	{ "km_secret_random, _from_hash, _reduce", sampling, 1 },
	{ "km_scalar arithmetic", public_type, 1 },
	{ "km_point_mul_g", multiply_generator, 1 },
	{ "km_point_mul", multiply, 1 },
	{ "km_point_mul_many", multiply_many, 1 },
	{ "km_point_add and _sub", addition, 1 },
	{ "km_shamir_eval", sharing, 1 },
	{ "km_hash_to_curve", hash_to_curve, 1 },
	{ "km_point_encode_secret", encode_secret, 1 },
	{ "rows of the vector OLE", rows, 1 },
	{ "declassified values are public", declassify, 1 },
	{ NULL, NULL, 0 },
};
