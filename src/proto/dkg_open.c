/* dkg_open.c: a dealer's arithmetic: layouts, openings with their proofs, and shares in transit (protocol 1, steps 1 and 2). */
#include "dkg_impl.h"

#include <string.h>
#include "../base/hash.h"
#include "../base/rules.h"
#include "../base/secret.h"
#include "../base/sig.h"

/* ---- layouts */

uint32_t km_dkg_g2_size(const struct km_curve *c, unsigned commitments)
{
	return (uint32_t)(KM_HASH_SIZE + (commitments + 1) * km_curve_point_size(c) + 2 * km_dlog_size(c) + KM_DKG_BLIND);
}

void km_dkg_g4_shape(const struct km_curve *c, unsigned n, struct km_shape *s)
{
	*s = (struct km_shape){ KM_HASH_SIZE, (uint32_t)km_curve_scalar_size(c) + KM_DKG_TAG, n - 1 };
}

uint32_t km_dkg_complaint_size(const struct km_curve *c, unsigned threshold, unsigned n)
{
	struct km_shape g4;

	km_dkg_g4_shape(c, n, &g4);
	return (uint32_t)(KM_HASH_SIZE + 2 + km_curve_point_size(c) + km_dleq_size(c) + 2 * KM_MSG_HEAD +
			  km_dkg_g2_size(c, threshold) + km_shape_size(&g4));
}

unsigned km_dkg_g4_row(uint32_t receivers, unsigned i, unsigned j)
{
	return km_set_pos(receivers & ~km_set_bit(i), j);
}

uint32_t km_dkg_dealers(const struct km_dkg_group *g)
{
	return g->over ? g->over->dealers : g->participants;
}

int km_dkg_deals(const struct km_dkg_group *g, unsigned i)
{
	return km_set_has(km_dkg_dealers(g), i);
}

uint32_t km_dkg_receivers(const struct km_dkg_group *g)
{
	return g->over ? g->over->receivers : g->participants;
}

int km_dkg_receives(const struct km_dkg_group *g, unsigned i)
{
	return km_set_has(km_dkg_receivers(g), i);
}

uint8_t km_dkg_proto(const struct km_dkg_group *g)
{
	return g->over ? KM_PROTO_RESHARE : KM_PROTO_DKG;
}

uint32_t km_dkg_opening_size(const struct km_dkg_group *g, unsigned i)
{
	if (km_dkg_deals(g, i))
		return km_dkg_g2_size(g->curve, g->threshold);
	return (uint32_t)(KM_HASH_SIZE + km_curve_point_size(g->curve) + km_dlog_size(g->curve) + KM_DKG_BLIND);
}

void km_dkg_dealing_shape(const struct km_dkg_group *g, unsigned i, struct km_shape *s)
{
	if (km_dkg_deals(g, i))
		km_dkg_g4_shape(g->curve, km_set_size(km_dkg_receivers(g) & ~km_set_bit(i)) + 1, s);
	else
		*s = (struct km_shape){ .head = KM_HASH_SIZE };
}

uint32_t km_dkg_complaint_about(const struct km_dkg_group *g, unsigned accused)
{
	/* who does not deal can only be accused falsely: one size for that, too */
	if (!km_dkg_deals(g, accused))
		accused = km_set_next(km_dkg_dealers(g), 0);
	return km_dkg_complaint_size(g->curve, g->threshold, km_set_size(km_dkg_receivers(g) & ~km_set_bit(accused)) + 1);
}

/* ---- openings */

void km_dkg_proof_hash(struct km_hash *h, const struct km_dkg_group *g, const char *role, unsigned i)
{
	km_hash_init(h, "dkg-proof");
	/* WHY: a proof is good for one run, one role and one author only (attack B14) */
	if (KM_RULE(km_rule_proof_context)) {
		km_hash_field(h, g->sid, KM_HASH_SIZE);
		km_hash_u8(h, (uint8_t)i);
	}
	km_hash_str(h, role);
}

void km_dkg_commitment(const struct km_dkg_group *g, unsigned i, const uint8_t *g2_body, uint32_t len, uint8_t out[KM_HASH_SIZE])
{
	struct km_hash h;

	km_hash_init(&h, "dkg-com");
	km_hash_field(&h, g->sid, KM_HASH_SIZE);
	km_hash_u8(&h, (uint8_t)i);
	km_hash_field(&h, g2_body + len - KM_DKG_BLIND, KM_DKG_BLIND);
	km_hash_field(&h, g2_body + KM_HASH_SIZE, len - KM_HASH_SIZE - KM_DKG_BLIND);
	km_hash_final(&h, out);
	/* public before what it hides is */
	km_declassify(out, KM_HASH_SIZE);
}

/* Commitments a G2 of this length holds: always T, except where an attack build lets more or fewer in. */
static unsigned commitments_of(const struct km_dkg_group *g, uint32_t body_len)
{
	uint32_t none = km_dkg_g2_size(g->curve, 0);

	return body_len > none ? (unsigned)((body_len - none) / km_curve_point_size(g->curve)) : 0;
}

int km_dkg_opening_decode(const struct km_dkg_group *g, const struct km_msg *g2, struct km_dkg_opening *out)
{
	size_t ps = km_curve_point_size(g->curve), pfs = km_dlog_size(g->curve);
	unsigned n = km_dkg_deals(g, g2->sender) ? commitments_of(g, g2->body_len) : 0;
	const uint8_t *p = g2->body + KM_HASH_SIZE;

	memset(out, 0, sizeof(*out));
	if (!km_dkg_deals(g, g2->sender) ? g2->body_len != km_dkg_opening_size(g, g2->sender)
					 : n < 1 || n > KM_DKG_COMMIT_MAX || km_dkg_g2_size(g->curve, n) != g2->body_len)
		return KM_E_ENCODING;
	for (unsigned l = 0; l < n; l++, p += ps)
		if (km_point_decode_var(g->curve, &out->c[l], p) != KM_OK)
			return KM_E_ENCODING;
	p += n ? pfs : 0;
	if (km_point_decode_var(g->curve, &out->e, p) != KM_OK)
		return KM_E_ENCODING;
	memcpy(out->e_enc, p, ps);
	out->commitments = n;
	return KM_OK;
}

static int check_proof(const struct km_dkg_group *g, const char *role, unsigned i, const struct km_point *y, const uint8_t *enc)
{
	struct km_dlog_proof pf;
	struct km_hash h;

	if (km_dlog_decode(g->curve, &pf, enc) != KM_OK)
		return KM_E_ENCODING;
	km_dkg_proof_hash(&h, g, role, i);
	return km_dlog_verify_var(g->curve, &pf, y, &h);
}

/* What a dealer says of its constant term. */
static int check_constant(const struct km_dkg_group *g, unsigned i, const struct km_point *c0, const uint8_t *proof)
{
	int err = check_proof(g, "a0", i, c0, proof);

	if (err == KM_E_VERIFY && !KM_RULE(km_rule_dkg_key_proof))
		err = KM_OK;
	/* WHY: a dealer that hands on anything but its share gives the new committee another key (attack A10) */
	if (!err && g->over && KM_RULE(km_rule_reshare_constant) && !km_point_equal_var(g->curve, c0, &g->over->constant[i]))
		err = KM_E_VERIFY;
	return err;
}

int km_dkg_opening_check(const struct km_dkg_group *g, const struct km_msg *g1, const struct km_msg *g2,
			 struct km_dkg_opening *out)
{
	size_t ps = km_curve_point_size(g->curve), pfs = km_dlog_size(g->curve);
	uint8_t h[KM_HASH_SIZE];
	unsigned i = g2->sender;

	int err = km_dkg_opening_decode(g, g2, out);
	if (err)
		return err;
	const uint8_t *pa = g2->body + KM_HASH_SIZE + out->commitments * ps, *pe = pa + (out->commitments ? pfs : 0) + ps;

	/* WHY: who opens last must not choose its contribution by the others' (rogue key, attack B12) */
	km_dkg_commitment(g, i, g2->body, g2->body_len, h);
	if (KM_RULE(km_rule_dkg_commit) && memcmp(h, g1->body, sizeof(h)) != 0)
		return KM_E_VERIFY;
	if (out->commitments)
		err = check_constant(g, i, &out->c[0], pa);
	if (err)
		return err;
	/* WHY: a dealer that copies another's E makes honest complaints decrypt the other's shares (attack A4) */
	err = check_proof(g, "e", i, &out->e, pe);
	if (err == KM_E_VERIFY && !KM_RULE(km_rule_dkg_e_proof))
		err = KM_OK;
	return err;
}

/* Y = xG, its encoding, and a proof of x. */
static int put_proved(const struct km_dkg_group *g, unsigned i, const char *role, const struct km_secret *x, struct km_rng *rng,
		      uint8_t *enc, uint8_t *proof)
{
	struct km_dlog_proof pf;
	struct km_point y;
	struct km_hash h;

	km_point_mul_g(g->curve, &y, x);
	km_point_declassify(&y);
	int err = km_point_encode_var(g->curve, enc, &y);
	if (err)
		return err;
	km_dkg_proof_hash(&h, g, role, i);
	err = km_dlog_prove(g->curve, &pf, x, &y, &h, rng);
	return err ? err : km_dlog_encode(g->curve, proof, &pf);
}

int km_dkg_g2_make(const struct km_dkg_group *g, unsigned i, const struct km_secret *coef, unsigned commitments,
		   const struct km_secret *e, struct km_rng *rng, uint8_t *body)
{
	size_t ps = km_curve_point_size(g->curve), pfs = km_dlog_size(g->curve);
	uint8_t *pc = body + KM_HASH_SIZE, *pa = pc + commitments * ps, *pe = pa + (commitments ? pfs : 0);
	struct km_point c;

	memset(body, 0, KM_HASH_SIZE);
	int err = commitments ? put_proved(g, i, "a0", &coef[0], rng, pc, pa) : KM_OK;
	if (!err)
		err = put_proved(g, i, "e", e, rng, pe, pe + ps);
	for (unsigned l = 1; !err && l < commitments; l++) {
		km_point_mul_g(g->curve, &c, &coef[l]);
		km_point_declassify(&c);
		err = km_point_encode_var(g->curve, pc + l * ps, &c);
	}
	km_rng_bytes(rng, pe + ps + pfs, KM_DKG_BLIND);
	return err;
}

/* ---- shares in transit */

int km_dkg_dh(const struct km_dkg_group *g, const struct km_secret *e, const struct km_point *other, struct km_point *d,
	      uint8_t *enc)
{
	km_point_mul(g->curve, d, e, other);
	/* WHY only z: whether the point is the identity (never, E is none and e is not zero) may be seen; the rest of the
	 * encoding runs in constant time. */
	km_declassify(d->z, sizeof(d->z));
	return km_point_encode_var(g->curve, enc, d);
}

static void share_key(const struct km_dkg_group *g, const struct km_dkg_link *l, const uint8_t *dh, uint8_t key[32])
{
	uint8_t info[KM_HASH_SIZE + 2];

	memcpy(info, g->sid, KM_HASH_SIZE);
	info[KM_HASH_SIZE] = (uint8_t)l->i;
	info[KM_HASH_SIZE + 1] = (uint8_t)l->j;
	km_kdf(dh, km_curve_point_size(g->curve), "dkg-share", info, sizeof(info), key, 32);
}

#define AAD_MAX (KM_HASH_SIZE + 2 + 2 * KM_POINT_MAX)

static size_t share_aad(const struct km_dkg_group *g, const struct km_dkg_link *l, uint8_t aad[AAD_MAX])
{
	size_t ps = km_curve_point_size(g->curve);

	memcpy(aad, g->sid, KM_HASH_SIZE);
	aad[KM_HASH_SIZE] = (uint8_t)l->i;
	aad[KM_HASH_SIZE + 1] = (uint8_t)l->j;
	memcpy(aad + KM_HASH_SIZE + 2, l->oi->e_enc, ps);
	memcpy(aad + KM_HASH_SIZE + 2 + ps, l->oj->e_enc, ps);
	return KM_HASH_SIZE + 2 + 2 * ps;
}

/* The key seals one share only, so one nonce does. */
static const uint8_t share_nonce[12];

void km_dkg_share_seal(const struct km_dkg_group *g, const struct km_dkg_link *l, const uint8_t *dh, const struct km_secret *f,
		       uint8_t *row)
{
	uint8_t key[32], aad[AAD_MAX], plain[KM_SCALAR_MAX];
	size_t aadlen = share_aad(g, l, aad);

	share_key(g, l, dh, key);
	km_secret_encode(g->curve, plain, f);
	km_aead_seal(key, share_nonce, aad, aadlen, plain, km_curve_scalar_size(g->curve), row);
	km_wipe(key, sizeof(key));
	km_wipe(plain, sizeof(plain));
}

int km_dkg_share_open(const struct km_dkg_group *g, const struct km_dkg_link *l, const uint8_t *dh, const uint8_t *row,
		      struct km_secret *f)
{
	uint8_t key[32], aad[AAD_MAX], plain[KM_SCALAR_MAX];
	size_t aadlen = share_aad(g, l, aad);
	struct km_point have, want;

	share_key(g, l, dh, key);
	int err = km_aead_open(key, share_nonce, aad, aadlen, row, km_curve_scalar_size(g->curve) + KM_DKG_TAG, plain);
	if (!err)
		err = km_secret_decode(g->curve, f, plain);
	km_wipe(key, sizeof(key));
	km_wipe(plain, sizeof(plain));
	if (err) {
		km_secret_zero(f);
		return KM_E_VERIFY;
	}
	err = km_feldman_eval_var(g->curve, &want, l->oi->c, l->oi->commitments - 1, l->j);
	if (err)
		return err;
	/* f G is public: everybody can compute it from the commitments */
	km_point_mul_g(g->curve, &have, f);
	km_point_declassify(&have);
	return km_point_equal_var(g->curve, &have, &want) ? KM_OK : KM_E_VERIFY;
}
