/* control.c: what memcheck must report. Were one of these silent, silence elsewhere would mean nothing. */
#include "ctime.h"

static volatile unsigned sink;

static void leaky_branch(const struct km_curve *c)
{
	struct km_secret k;

	ctime_secret(c, &k, 3);
	if (k.l[0] & 1)
		sink++;
}

static void leaky_index(const struct km_curve *c)
{
	static volatile const uint8_t table[256] = { 1, 2, 3 };
	struct km_secret k;

	ctime_secret(c, &k, 3);
	sink += table[k.l[0] & 255];
}

/* A secret through functions for public values. */
static void leaky_multiplication(const struct km_curve *c)
{
	struct km_scalar k;
	struct km_secret s;
	struct km_point r;

	ctime_secret(c, &s, 3);
	for (unsigned i = 0; i < KM_LIMBS_MAX; i++)
		k.l[i] = s.l[i];
	km_point_generator(c, &r);
	km_point_mul_var(c, &r, &k, &r);
}

static void leaky_encoding(const struct km_curve *c)
{
	uint8_t out[KM_POINT_MAX];
	struct km_secret s;
	struct km_point r;

	ctime_secret(c, &s, 3);
	km_point_mul_g(c, &r, &s);
	if (km_point_encode_var(c, out, &r))
		sink++;
}

/* Memory is undefined after a wipe: whoever decides by it is reported. */
static void use_after_wipe(const struct km_curve *c)
{
	struct km_secret s;

	ctime_secret(c, &s, 1);
	km_declassify(&s, sizeof(s));
	km_secret_wipe(&s);
	if (s.l[0])
		sink++;
}

const struct ctime_case ctime_control[] = {
	{ "branch on a secret", leaky_branch, 0 },
	{ "table index from a secret", leaky_index, 0 },
	{ "secret scalar in km_point_mul_var", leaky_multiplication, 1 },
	{ "secret point in km_point_encode_var", leaky_encoding, 1 },
	{ "use after a wipe", use_after_wipe, 0 },
	{ NULL, NULL, 0 },
};
