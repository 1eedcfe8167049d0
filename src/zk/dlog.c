/* dlog.c: Schnorr proofs, one statement or a batch. */
#include "config.h"
#include "zk/dlog.h"

#include <string.h>
#include "base/rules.h"
#include "base/secret.h"
#include "zk/fiat.h"

static int start_one(const struct km_curve *c, struct km_hash *s, const struct km_point *y, const struct km_hash *h)
{
	km_fiat_start(c, s, h, "dlog");
	return km_fiat_point(c, s, y);
}

static void start_batch(const struct km_curve *c, struct km_hash *s, const uint8_t *enc, size_t n, const struct km_hash *h)
{
	size_t size = km_curve_point_size(c);

	km_fiat_start(c, s, h, "dlog-batch");
	for (size_t i = 0; i < n; i++)
		km_hash_field(s, enc + i * size, size);
}

/* Ends the statement with U and gives e. Consumes s. */
static int challenge(const struct km_curve *c, struct km_scalar *e, struct km_hash *s, const struct km_point *u)
{
	int err = km_fiat_point(c, s, u);

	if (err)
		km_scalar_zero(e);
	else
		km_scalar_from_hash(c, e, s);
	/* WHY full-size: a challenge that can be guessed proves nothing (attack B16) */
	if (!err && !KM_RULE(km_rule_full_challenge))
		km_scalar_set_u32(e, km_scalar_is_high(c, e) ? 2 : 1);
	return err;
}

/* z = u + sum_{l=1..n} e^l x_l: n = 1 is the plain proof. Consumes the statement. */
static int prove(const struct km_curve *c, struct km_dlog_proof *out, const struct km_secret *x, size_t n, struct km_hash *s,
		 struct km_rng *rng)
{
	struct km_secret u KM_CLEANUP(km_secret_wipe), acc KM_CLEANUP(km_secret_wipe);
	struct km_scalar e;
	int err;

	km_fiat_nonce(c, &u, x, n, s, rng);
	km_secret_zero(&acc);
	km_point_mul_g(c, &out->u, &u);
	km_point_declassify(&out->u);
	err = challenge(c, &e, s, &out->u);
	if (err)
		return err;
	for (size_t l = n; l-- > 0;) {
		km_secret_add(c, &acc, &acc, &x[l]);
		km_secret_mul_pub(c, &acc, &acc, &e);
	}
	km_secret_add(c, &acc, &acc, &u);
	km_secret_declassify(&out->z, &acc);
	return KM_OK;
}

int km_dlog_prove(const struct km_curve *c, struct km_dlog_proof *out, const struct km_secret *x, const struct km_point *y,
		  const struct km_hash *h, struct km_rng *rng)
{
	struct km_hash s;
	int err = start_one(c, &s, y, h);

	if (!err)
		err = prove(c, out, x, 1, &s, rng);
	if (err)
		memset(out, 0, sizeof(*out));
	return err;
}

int km_dlog_verify_var(const struct km_curve *c, const struct km_dlog_proof *p, const struct km_point *y, const struct km_hash *h)
{
	struct km_hash s;
	struct km_scalar e;
	struct km_point g;

	/* the identity has no encoding, so neither Y nor U can be it */
	if (start_one(c, &s, y, h) || challenge(c, &e, &s, &p->u))
		return KM_E_VERIFY;
	km_point_generator(c, &g);
	return km_fiat_check_var(c, &p->z, &g, &p->u, &e, y);
}

size_t km_dlog_size(const struct km_curve *c)
{
	return km_curve_point_size(c) + km_curve_scalar_size(c);
}

int km_dlog_encode(const struct km_curve *c, uint8_t *out, const struct km_dlog_proof *p)
{
	int err = km_point_encode_var(c, out, &p->u);

	if (err)
		memset(out, 0, km_dlog_size(c));
	else
		km_scalar_encode(c, out + km_curve_point_size(c), &p->z);
	return err;
}

int km_dlog_decode(const struct km_curve *c, struct km_dlog_proof *p, const uint8_t *in)
{
	int err = km_point_decode_var(c, &p->u, in);

	if (!err)
		err = km_scalar_decode(c, &p->z, in + km_curve_point_size(c));
	if (err)
		memset(p, 0, sizeof(*p));
	return err;
}

int km_dlog_prove_batch(const struct km_curve *c, struct km_dlog_proof *out, const struct km_secret *v, const uint8_t *enc, size_t n,
			const struct km_hash *h, struct km_rng *rng)
{
	struct km_hash s;
	int err = n ? KM_OK : KM_E_INVAL;

	if (!err) {
		start_batch(c, &s, enc, n, h);
		err = prove(c, out, v, n, &s, rng);
	}
	if (err)
		memset(out, 0, sizeof(*out));
	return err;
}

int km_dlog_batch_challenge(const struct km_curve *c, struct km_scalar *e, const struct km_dlog_proof *p, const uint8_t *enc, size_t n,
			    const struct km_hash *h)
{
	struct km_hash s;

	if (!n) {
		km_scalar_zero(e);
		return KM_E_INVAL;
	}
	start_batch(c, &s, enc, n, h);
	return challenge(c, e, &s, &p->u);
}
