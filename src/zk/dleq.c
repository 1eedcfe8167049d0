/* dleq.c: one x behind two points. */
#include "config.h"
#include "zk/dleq.h"

#include <string.h>
#include "base/secret.h"
#include "zk/fiat.h"

static int start(const struct km_curve *c, struct km_hash *s, const struct km_point *p, const struct km_point *y,
		 const struct km_point *d, const struct km_hash *h)
{
	int err;

	km_fiat_start(c, s, h, "dleq");
	err = km_fiat_point(c, s, p);
	if (!err)
		err = km_fiat_point(c, s, y);
	if (!err)
		err = km_fiat_point(c, s, d);
	return err;
}

/* e from the statement and both commitments. Consumes s. */
static int challenge(const struct km_curve *c, struct km_scalar *e, struct km_hash *s, const struct km_dleq_proof *pf)
{
	int err = km_fiat_point(c, s, &pf->u1);

	if (!err)
		err = km_fiat_point(c, s, &pf->u2);
	if (err)
		km_scalar_zero(e);
	else
		km_scalar_from_hash(c, e, s);
	return err;
}

int km_dleq_prove(const struct km_curve *c, struct km_dleq_proof *out, const struct km_secret *x, const struct km_point *p,
		  const struct km_point *y, const struct km_point *d, const struct km_hash *h, struct km_rng *rng)
{
	struct km_secret u KM_CLEANUP(km_secret_wipe);
	struct km_scalar e;
	struct km_hash s;
	int err;

	km_secret_zero(&u);
	err = start(c, &s, p, y, d, h);
	if (err)
		goto out;
	km_fiat_nonce(c, &u, x, 1, &s, rng);
	km_point_mul_g(c, &out->u1, &u);
	km_point_mul(c, &out->u2, &u, p);
	km_point_declassify(&out->u1);
	km_point_declassify(&out->u2);
	err = challenge(c, &e, &s, out);
	if (err)
		goto out;
	km_secret_addmul_pub(c, &u, x, &e);
	km_secret_declassify(&out->z, &u);
out:
	if (err)
		memset(out, 0, sizeof(*out));
	return err;
}

int km_dleq_verify_var(const struct km_curve *c, const struct km_dleq_proof *pf, const struct km_point *p, const struct km_point *y,
		       const struct km_point *d, const struct km_hash *h)
{
	struct km_hash s;
	struct km_scalar e;
	struct km_point g;

	/* the identity has no encoding, so none of the five points can be it */
	if (start(c, &s, p, y, d, h) || challenge(c, &e, &s, pf))
		return KM_E_VERIFY;
	km_point_generator(c, &g);
	if (km_fiat_check_var(c, &pf->z, &g, &pf->u1, &e, y))
		return KM_E_VERIFY;
	return km_fiat_check_var(c, &pf->z, p, &pf->u2, &e, d);
}

size_t km_dleq_size(const struct km_curve *c)
{
	return 2 * km_curve_point_size(c) + km_curve_scalar_size(c);
}

int km_dleq_encode(const struct km_curve *c, uint8_t *out, const struct km_dleq_proof *p)
{
	size_t size = km_curve_point_size(c);
	int err = km_point_encode_var(c, out, &p->u1);

	if (!err)
		err = km_point_encode_var(c, out + size, &p->u2);
	if (err)
		memset(out, 0, km_dleq_size(c));
	else
		km_scalar_encode(c, out + 2 * size, &p->z);
	return err;
}

int km_dleq_decode(const struct km_curve *c, struct km_dleq_proof *p, const uint8_t *in)
{
	size_t size = km_curve_point_size(c);
	int err = km_point_decode_var(c, &p->u1, in);

	if (!err)
		err = km_point_decode_var(c, &p->u2, in + size);
	if (!err)
		err = km_scalar_decode(c, &p->z, in + 2 * size);
	if (err)
		memset(p, 0, sizeof(*p));
	return err;
}
