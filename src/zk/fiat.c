/* fiat.c: what the proofs share. */
#include "config.h"
#include "zk/fiat.h"

#include "base/secret.h"

void km_fiat_start(const struct km_curve *c, struct km_hash *s, const struct km_hash *prefix, const char *kind)
{
	*s = *prefix;
	km_hash_str(s, kind);
	km_hash_u8(s, (uint8_t)km_curve_id(c));
}

int km_fiat_point(const struct km_curve *c, struct km_hash *s, const struct km_point *p)
{
	uint8_t enc[KM_POINT_MAX];
	int err = km_point_encode_var(c, enc, p);

	if (!err)
		km_hash_field(s, enc, km_curve_point_size(c));
	return err;
}

void km_fiat_nonce(const struct km_curve *c, struct km_secret *u, const struct km_secret *x, size_t n, const struct km_hash *s,
		   struct km_rng *rng)
{
	struct km_hash copy = *s, h;
	uint8_t fresh[32], statement[KM_HASH_SIZE], enc[KM_SCALAR_MAX];

	km_hash_final(&copy, statement);
	km_rng_bytes(rng, fresh, sizeof(fresh));
	km_hash_init(&h, "nonce");
	km_hash_field(&h, fresh, sizeof(fresh));
	for (size_t i = 0; i < n; i++) {
		km_secret_encode(c, enc, &x[i]);
		km_hash_field(&h, enc, km_curve_scalar_size(c));
	}
	km_hash_field(&h, statement, sizeof(statement));
	km_secret_from_hash(c, u, &h);
	km_wipe(fresh, sizeof(fresh));
	km_wipe(enc, sizeof(enc));
}

int km_fiat_check_var(const struct km_curve *c, const struct km_scalar *z, const struct km_point *b, const struct km_point *u,
		      const struct km_scalar *e, const struct km_point *y)
{
	struct km_point left, right;

	km_point_mul_var(c, &left, z, b);
	km_point_mul_var(c, &right, e, y);
	km_point_add(c, &right, &right, u);
	return km_point_equal_var(c, &left, &right) ? KM_OK : KM_E_VERIFY;
}
