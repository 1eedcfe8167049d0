/* sign.c: a signature share from a presignature, and what is made of the shares (protocol section 3). Pure. */
#include <string.h>
#include "sign.h"
#include "../base/rules.h"
#include "../base/secret.h"
#include "../ec/msm.h"

/* WHY delta: it keeps R' unpredictable for whoever chooses messages without knowing R (Groth-Shoup 2021/1330); it covers everything
 * that must not be exchanged between two signings. */
static int rerandomiser(const struct km_presig *p, const struct km_sign_input *in, struct km_scalar *delta)
{
	uint8_t enc[KM_POINT_MAX], m[KM_SCALAR_MAX];
	struct km_hash h;
	int err = km_point_encode_var(p->curve, enc, &p->r);

	if (err)
		return err;
	km_scalar_encode(p->curve, m, &in->m);
	km_hash_init(&h, "rerandomise");
	km_hash_field(&h, p->table_hash, KM_HASH_SIZE);
	km_hash_field(&h, p->id, KM_HASH_SIZE);
	km_hash_u32(&h, p->quorum);
	km_hash_field(&h, enc, km_curve_point_size(p->curve));
	km_hash_u8(&h, in->context);
	km_hash_field(&h, m, km_curve_scalar_size(p->curve));
	km_hash_field(&h, in->request_id, KM_HASH_SIZE);
	km_scalar_from_hash(p->curve, delta, &h);
	if (!KM_RULE(km_rule_delta))
		km_scalar_set_u32(delta, 1);
	return KM_OK;
}

/* WHY every signer computes R' for itself: one that took r from the aggregator would let it forge. */
int km_sign_nonce(const struct km_presig *p, const struct km_sign_input *in, struct km_sign_nonce *out)
{
	int err = rerandomiser(p, in, &out->delta);

	if (err || km_scalar_is_zero(&out->delta))
		goto bad;
	km_scalar_inv(p->curve, &out->delta_inv, &out->delta);
	/* in variable time: r = x(R') is published with the signature */
	km_point_mul_var(p->curve, &out->rr, &out->delta, &p->r);
	/* WHY: with r = 0 the share would be alpha_i m alone, and k follows from s (B17) */
	if (km_point_x_mod_q_var(p->curve, &out->r, &out->rr) || (KM_RULE(km_rule_degenerate) && km_scalar_is_zero(&out->r)))
		goto bad;
	return KM_OK;
bad:
	memset(out, 0, sizeof(*out));
	return KM_E_DEGENERATE;
}

void km_sign_share(struct km_presig *p, const struct km_sign_input *in, const struct km_sign_nonce *nonce, struct km_scalar *s_i)
{
	struct km_secret alpha = p->alpha, beta = p->beta;

	/* WHY wiped before the computation: nothing that happens from here on can spend it twice (B5). */
	km_secret_wipe(&p->alpha);
	km_secret_wipe(&p->beta);
	km_secret_mul_pub(p->curve, &alpha, &alpha, &in->m);
	km_secret_mul_pub(p->curve, &beta, &beta, &nonce->r);
	km_secret_add(p->curve, &alpha, &alpha, &beta);
	km_secret_mul_pub(p->curve, &alpha, &alpha, &nonce->delta_inv);
	km_secret_declassify(s_i, &alpha);
	km_wipe(&alpha, sizeof(alpha));
	km_wipe(&beta, sizeof(beta));
}

int km_sign_combine(const struct km_curve *c, struct km_scalar *s, const struct km_scalar *shares, size_t n)
{
	km_scalar_zero(s);
	for (size_t i = 0; i < n; i++)
		km_scalar_add(c, s, s, &shares[i]);
	if (KM_RULE(km_rule_degenerate) && km_scalar_is_zero(s))
		return KM_E_DEGENERATE;
	if (km_scalar_is_high(c, s))
		km_scalar_neg(c, s, s);
	return KM_OK;
}

/* s_j R' - m A_j - r B_j with A_j = A'_j / w, B_j = (epsilon A'_j + C'_j) / w: KM_OK if it is the identity. */
static int check_share(const struct km_presig *p, const struct km_sign_nonce *nonce, const struct km_scalar *mw, const struct km_scalar *rw,
		       unsigned at, const struct km_scalar *share)
{
	const uint8_t *enc = p->member_enc + at * 2 * km_curve_point_size(p->curve);
	struct km_point a, c;
	struct km_scalar k;
	struct km_msm m;
	int err = km_point_decode_var(p->curve, &a, enc);

	if (!err)
		err = km_point_decode_var(p->curve, &c, enc + km_curve_point_size(p->curve));
	if (err)
		return err;
	km_msm_init(&m);
	km_msm_term(&m, share, &nonce->rr);
	km_scalar_mul(p->curve, &k, rw, &p->epsilon);
	km_scalar_add(p->curve, &k, &k, mw);
	km_scalar_neg(p->curve, &k, &k);
	km_msm_term(&m, &k, &a);
	km_scalar_neg(p->curve, &k, rw);
	km_msm_term(&m, &k, &c);
	err = km_msm_check_var(p->curve, &m);
	km_msm_clear(&m);
	return err;
}

int km_sign_culprits_var(const struct km_presig *p, const struct km_sign_input *in, const struct km_sign_nonce *nonce, const struct km_scalar *shares,
			 uint32_t *culprits)
{
	struct km_scalar mw, rw;
	unsigned at = 0;

	*culprits = 0;
	km_scalar_inv(p->curve, &rw, &p->w);
	km_scalar_mul(p->curve, &mw, &rw, &in->m);
	km_scalar_mul(p->curve, &rw, &rw, &nonce->r);
	for (unsigned j = km_set_next(p->quorum, 0); j; j = km_set_next(p->quorum, j), at++) {
		int err = check_share(p, nonce, &mw, &rw, at, &shares[at]);

		if (err && err != KM_E_VERIFY) {
			*culprits = 0;
			return err;
		}
		if (err)
			*culprits |= km_set_bit(j);
	}
	return KM_OK;
}
