/* tuple_majority.c: tuples by an honest majority of the participants (protocol section 2a, rounds M1 to M3).
 * Sources: Damgard-Nielsen 2007 (double sharings, extraction); DJNPO 2020/501. */
#include <stdlib.h>
#include <string.h>
#include "presign_impl.h"
#include "../base/rules.h"
#include "../base/secret.h"

#define M1P_SEED KM_SEED_SIZE            /* head of M1p */
#define M3_BLIND KM_HASH_SIZE            /* offsets in the head of M3: after prev */
#define M3_CHECK (2 * KM_HASH_SIZE)

static unsigned kind_degree(const struct km_presign *s, unsigned kind)
{
	return kind == KM_KIND_R2 || kind == KM_KIND_Z ? 2 * s->t : s->t;
}

static size_t m1p_size(const struct km_presign *s)
{
	return M1P_SEED + (size_t)s->groups * KM_KINDS * s->ss;
}

/* Which sharing the row r of a group is: an index, the mask (= batch), or none (batch + 1). */
static unsigned sharing_of(const struct km_presign *s, unsigned group, unsigned r)
{
	unsigned at = group * s->extracted + r;

	if (at < s->batch)
		return at;
	return at == s->groups * s->extracted - 1 ? s->batch : s->batch + 1;
}

/* ---- J1: deal */

/* One group: a random polynomial of each kind, its value at every participant into that participant's body. */
static void deal_group(struct km_presign *s, unsigned group)
{
	struct km_secret coef[2 * KM_MAX_PEERS], rho, y;

	km_secret_random(s->curve, &rho, &s->early->rng);
	for (unsigned kind = 0; kind < KM_KINDS; kind++) {
		unsigned degree = kind_degree(s, kind);

		if (kind == KM_KIND_RT || kind == KM_KIND_R2)
			coef[0] = rho;
		else if (kind == KM_KIND_Z)
			km_secret_zero(&coef[0]);
		else
			km_secret_random(s->curve, &coef[0], &s->early->rng);
		for (unsigned l = 1; l <= degree; l++)
			km_secret_random(s->curve, &coef[l], &s->early->rng);
		for (unsigned p = km_set_next(s->m->participants, 0), at = 0; p; p = km_set_next(s->m->participants, p), at++) {
			km_shamir_eval(s->curve, &y, coef, degree, p);
			km_secret_encode(s->curve, s->deal + at * m1p_size(s) + M1P_SEED + (group * KM_KINDS + kind) * s->ss, &y);
		}
	}
	km_wipe(coef, sizeof(coef));
	km_wipe(&rho, sizeof(rho));
	km_wipe(&y, sizeof(y));
}

static int majority_deal(struct km_presign *s)
{
	const struct km_machine *m = s->m;
	struct km_shape shape;
	uint8_t *list;
	int err;

	s->deal_len = s->n * m1p_size(s);
	s->deal = km_secret_alloc(s->deal_len);
	if (!s->deal)
		return KM_E_NOMEM;
	for (unsigned g = 0; g < s->groups; g++)
		deal_group(s, g);
	/* Zero shares: the lower id draws the pair's seed, in this run. */
	for (unsigned j = km_set_next(m->participants, m->self); j; j = km_set_next(m->participants, j)) {
		km_rng_bytes(&s->early->rng, s->early->pair[j], KM_SEED_SIZE);
		memcpy(s->deal + km_set_pos(m->participants, j) * m1p_size(s), s->early->pair[j], KM_SEED_SIZE);
	}
	err = km_presign_room(s, KM_PRESIGN_M1);
	if (err)
		return err;
	list = s->body;
	for (unsigned j = km_set_next(m->participants, 0); j; j = km_set_next(m->participants, j)) {
		if (j == m->self)
			continue;
		err = km_presign_shape(s, KM_PRESIGN_M1, m->self, j, &shape);
		if (!err)
			err = km_msg_root(list, &shape, s->deal + km_set_pos(m->participants, j) * m1p_size(s));
		if (err)
			return err;
		list += KM_HASH_SIZE;
	}
	return KM_OK;
}

/* ---- J2: extract and hand over */

/* The signed root of a dealer's private message must stand in the list it broadcast: else both together convict it (E6). WHY: the
 * lists fix every dealt row before the dealing check's challenge is drawn from them. */
static void check_lists(struct km_presign *s)
{
	const struct km_machine *m = s->m;

	for (unsigned d = km_set_next(m->participants, 0); d; d = km_set_next(m->participants, d)) {
		if (d == m->self)
			continue;
		unsigned at = km_set_pos(m->participants & ~km_set_bit(d), m->self);
		const uint8_t *entry = km_presign_body(s, KM_PRESIGN_M1, d) + at * KM_HASH_SIZE;

		if (memcmp(entry, m->priv[KM_PRESIGN_M1][d].msg.root, KM_HASH_SIZE) != 0)
			km_presign_blame(s, d, KM_EV_LIST_ROOT, KM_PRESIGN_M1);
	}
}

/* Adds the sharings of one dealer, weighted by its Vandermonde column. KM_E_ENCODING for a non-canonical row. */
static int extract_dealer(struct km_presign *s, const uint8_t *body, unsigned column)
{
	struct km_secret y;
	int err = KM_OK;

	for (unsigned g = 0; g < s->groups && !err; g++)
		for (unsigned kind = 0; kind < KM_KINDS && !err; kind++) {
			err = km_secret_decode(s->curve, &y, body + M1P_SEED + (g * KM_KINDS + kind) * s->ss);
			for (unsigned r = 0; r < s->extracted && !err; r++) {
				unsigned l = sharing_of(s, g, r);

				if (l <= s->batch)
					km_secret_addmul_pub(s->curve, &s->sh[kind][l], &y, &s->vandermonde[r * s->n + column]);
			}
		}
	km_wipe(&y, sizeof(y));
	return err;
}

static void extract_all(struct km_presign *s)
{
	static const uint8_t zero[KM_SEED_SIZE];
	const struct km_machine *m = s->m;

	for (unsigned kind = 0; kind < KM_KINDS; kind++)
		for (unsigned l = 0; l <= s->batch; l++)
			km_secret_zero(&s->sh[kind][l]);
	for (unsigned d = km_set_next(m->participants, 0), at = 0; d; d = km_set_next(m->participants, d), at++) {
		const uint8_t *body = d == m->self ? s->deal + at * m1p_size(s) : m->priv[KM_PRESIGN_M1][d].msg.body;
		int bad = extract_dealer(s, body, at);

		if (d < m->self)
			memcpy(s->early->pair[d], body, KM_SEED_SIZE);
		else if (d > m->self)
			bad |= !km_equal_ct(body, zero, sizeof(zero));   /* one encoding per value: no seed, no bytes */
		km_declassify(&bad, sizeof(bad));
		if (bad)
			km_presign_blame(s, d, KM_EV_ENCODING, KM_PRESIGN_M1);
	}
}

/* Adds our zero share of (index, kind) over the quorum: + for the lower id of each pair, - for the higher.
 * WHY zero shares: without them corrupt peers outside the quorum hold shares that are related to ours (A5). WHY index and
 * kind in every summand: one mask over several tuples, with split messages, gives x (A12). */
static void add_zero_share(const struct km_presign *s, struct km_secret *x, unsigned l, unsigned kind)
{
	const struct km_machine *m = s->m;
	uint32_t quorum = s->index[l].quorum;
	struct km_secret z;
	struct km_hash h;

	if (!KM_RULE(km_rule_zero_shares))
		return;
	for (unsigned j = km_set_next(quorum, 0); j; j = km_set_next(quorum, j)) {
		if (j == m->self)
			continue;
		km_hash_init(&h, "zero-share");
		km_hash_field(&h, s->early->pair[j], KM_SEED_SIZE);
		km_hash_field(&h, m->sid, KM_HASH_SIZE);
		km_hash_u32(&h, KM_RULE(km_rule_zero_fresh) ? l : 0);
		km_hash_u8(&h, (uint8_t)kind);
		km_hash_u8(&h, (uint8_t)(m->self < j ? m->self : j));
		km_hash_u8(&h, (uint8_t)(m->self < j ? j : m->self));
		km_secret_from_hash(s->curve, &z, &h);
		if (m->self < j)
			km_secret_add(s->curve, x, x, &z);
		else
			km_secret_sub(s->curve, x, x, &z);
	}
	km_wipe(&z, sizeof(z));
	km_wipe(&h, sizeof(h));
}

/* x_i = lambda_i f(i) + zero share: from Shamir over the participants to additive over the quorum. */
static void hand_over(const struct km_presign *s, struct km_secret *x, const struct km_secret *share, unsigned l, unsigned kind)
{
	km_secret_mul_pub(s->curve, x, share, km_presign_lambda(s, l, s->m->self));
	add_zero_share(s, x, l, kind);
}

static int majority_extract(struct km_presign *s)
{
	struct km_point *ri;
	int err;

	check_lists(s);
	extract_all(s);
	km_secret_free(s->deal);   /* wiped: own polynomials are not needed again */
	s->deal = NULL;
	if (s->fail)
		return KM_OK;
	err = km_presign_room(s, KM_PRESIGN_M2);
	if (err)
		return err;
	ri = calloc(s->own + 1, sizeof(*ri));
	if (!ri)
		return KM_E_NOMEM;
	for (unsigned o = 0; o < s->own; o++) {
		unsigned l = s->own_index[o];

		hand_over(s, &s->k[o], &s->sh[KM_KIND_K][l], l, KM_KIND_K);
		hand_over(s, &s->a[o], &s->sh[KM_KIND_A][l], l, KM_KIND_A);
		hand_over(s, &s->v[o], &s->sh[KM_KIND_V][l], l, KM_KIND_V);
		km_point_mul_g(s->curve, &ri[o], &s->k[o]);
		km_point_declassify(&ri[o]);
	}
	if (s->own)
		err = km_point_encode_batch_var(s->curve, s->ri_enc, s->ps, ri, s->own);
	free(ri);
	if (err == KM_E_IDENTITY) {
		km_presign_fail(s, KM_E_DEGENERATE, KM_CHECK_DEGENERATE, KM_OPEN_NO_INDEX);
		return KM_OK;
	}
	km_rng_bytes(&s->early->rng, s->early->blind, KM_HASH_SIZE);
	memcpy(s->body, km_presign_prev(s, KM_PRESIGN_M2), KM_HASH_SIZE);
	km_certify_commit(s, s->m->self, s->early->blind, s->ri_enc, s->body + KM_HASH_SIZE);
	return err;
}

/* ---- J3: open */

/* Coefficient of a sharing in the dealing check, from the agreed lists of M1. Both degrees of rho share one, so that their combined
 * secrets are equal; the mask has 1. */
static void deal_challenge(const struct km_presign *s, struct km_scalar *e, unsigned kind, unsigned l)
{
	static const char *const names[KM_KINDS] = { "k", "a", "v", "rho", "rho", "z" };
	struct km_hash h;

	if (l == s->batch) {
		km_scalar_set_u32(e, 1);
		return;
	}
	km_hash_init(&h, "dealcheck");
	km_hash_field(&h, s->m->sid, KM_HASH_SIZE);
	km_hash_str(&h, names[kind]);
	km_hash_u32(&h, l / s->extracted);
	km_hash_u32(&h, l % s->extracted);
	km_hash_field(&h, km_presign_prev(s, KM_PRESIGN_M2), KM_HASH_SIZE);
	km_scalar_from_hash(s->curve, e, &h);
}

/* Our share of the combined sharing of every kind. Public: the mask, opened nowhere else, hides the rest. */
static void combine_checks(const struct km_presign *s, uint8_t *out)
{
	struct km_secret sum[KM_KINDS];
	struct km_scalar e, v;

	memset(sum, 0, sizeof(sum));
	for (unsigned l = 0; l <= s->batch; l++)
		for (unsigned kind = 0; kind < KM_KINDS; kind++) {
			if (kind != KM_KIND_R2)
				deal_challenge(s, &e, kind, l);   /* else still rho's */
			km_secret_addmul_pub(s->curve, &sum[kind], &s->sh[kind][l], &e);
		}
	for (unsigned kind = 0; kind < KM_KINDS; kind++) {
		km_secret_declassify(&v, &sum[kind]);
		km_scalar_encode(s->curve, out + kind * s->ss, &v);
	}
	km_wipe(sum, sizeof(sum));
}

/* x(i) y(i) + mask(i), public. */
static void open_product(const struct km_presign *s, uint8_t *out, const struct km_secret *x, const struct km_secret *y, const struct km_secret *mask)
{
	struct km_secret p;
	struct km_scalar v;

	km_secret_mul(s->curve, &p, x, y);
	km_secret_add(s->curve, &p, &p, mask);
	km_secret_declassify(&v, &p);
	km_scalar_encode(s->curve, out, &v);
	km_wipe(&p, sizeof(p));
}

static size_t m3_head(const struct km_presign *s)
{
	return M3_CHECK + KM_KINDS * s->ss;
}

/* Row of an index in M3: w share | delta share | R_i, or zero bytes where the author is not in the quorum. */
static size_t m3_row(const struct km_presign *s)
{
	return 2 * s->ss + s->ps;
}

static const uint8_t *majority_r_enc(const struct km_presign *s, unsigned peer, unsigned l)
{
	return km_presign_body(s, KM_PRESIGN_M3, peer) + m3_head(s) + l * m3_row(s) + 2 * s->ss;
}

static const uint8_t *majority_blind(const struct km_presign *s, unsigned peer)
{
	return km_presign_body(s, KM_PRESIGN_M3, peer) + M3_BLIND;
}

static int majority_open(struct km_presign *s)
{
	int err = km_presign_room(s, KM_PRESIGN_M3);

	if (err)
		return err;
	memcpy(s->body, km_presign_prev(s, KM_PRESIGN_M3), KM_HASH_SIZE);
	memcpy(s->body + M3_BLIND, s->early->blind, KM_HASH_SIZE);
	km_declassify(s->body + M3_BLIND, KM_HASH_SIZE);   /* opened now */
	combine_checks(s, s->body + M3_CHECK);
	for (unsigned l = 0; l < s->batch; l++) {
		uint8_t *row = s->body + m3_head(s) + l * m3_row(s);

		open_product(s, row, &s->sh[KM_KIND_A][l], &s->sh[KM_KIND_K][l], &s->sh[KM_KIND_Z][l]);
		open_product(s, row + s->ss, &s->sh[KM_KIND_A][l], &s->sh[KM_KIND_V][l], &s->sh[KM_KIND_R2][l]);
		if (km_set_has(s->index[l].quorum, s->m->self))
			memcpy(row + 2 * s->ss, s->ri_enc + s->own_pos[s->m->self][l] * s->ps, s->ps);
	}
	return KM_OK;
}

/* ---- first half of J4: what was opened */

struct opened {                          /* all public */
	struct km_scalar *w, *delta;     /* [batch][n] */
	struct km_scalar check[KM_KINDS][KM_MAX_PEERS];
};

static int decode_m3(struct km_presign *s, unsigned peer, unsigned at, struct opened *op)
{
	static const uint8_t zero[KM_POINT_MAX];
	const uint8_t *body = km_presign_body(s, KM_PRESIGN_M3, peer);
	int err = KM_OK;

	for (unsigned kind = 0; kind < KM_KINDS && !err; kind++)
		err = km_scalar_decode(s->curve, &op->check[kind][at], body + M3_CHECK + kind * s->ss);
	for (unsigned l = 0; l < s->batch && !err; l++) {
		const uint8_t *row = body + m3_head(s) + l * m3_row(s);

		err = km_scalar_decode(s->curve, &op->w[l * s->n + at], row);
		if (!err)
			err = km_scalar_decode(s->curve, &op->delta[l * s->n + at], row + s->ss);
		if (!err && !km_set_has(s->index[l].quorum, peer) && memcmp(row + 2 * s->ss, zero, s->ps) != 0)
			err = KM_E_ENCODING;
	}
	return err;
}

/* Check 1, the dealing check: degrees, a zero secret, equal secrets of both rho.
 * WHY: with n' > 2t+1 a dealing of bad degree lets a rushing peer pass the degree check of w and learn k and v (A6). */
static int dealing_ok(const struct km_presign *s, const struct opened *op)
{
	struct km_scalar z, rt, r2;
	uint32_t set = s->m->participants;

	for (unsigned kind = 0; kind < KM_KINDS; kind++)
		if (km_shamir_degree_check(s->curve, op->check[kind], set, kind_degree(s, kind)))
			return 0;
	km_shamir_interpolate(s->curve, &z, op->check[KM_KIND_Z], set, 0);
	km_shamir_interpolate(s->curve, &rt, op->check[KM_KIND_RT], set, 0);
	km_shamir_interpolate(s->curve, &r2, op->check[KM_KIND_R2], set, 0);
	return km_scalar_is_zero(&z) && km_scalar_equal(&rt, &r2);
}

/* Check 2: the shares of every w and delta lie on polynomials of degree 2t: one random combination of all of them. */
static int products_ok(const struct km_presign *s, const struct opened *op)
{
	struct km_scalar sum[KM_MAX_PEERS], rho, x;

	if (s->n <= 2 * s->t + 1)
		return 1;                /* no redundancy; the certification catches errors */
	memset(sum, 0, sizeof(sum));
	for (unsigned l = 0; l < 2 * s->batch; l++) {
		const struct km_scalar *v = (l & 1 ? op->delta : op->w) + (l >> 1) * s->n;

		km_scalar_random128(s->curve, &rho, s->check);
		for (unsigned at = 0; at < s->n; at++) {
			km_scalar_mul(s->curve, &x, &v[at], &rho);
			km_scalar_add(s->curve, &sum[at], &sum[at], &x);
		}
	}
	return km_shamir_degree_check(s->curve, sum, s->m->participants, 2 * s->t) == KM_OK;
}

static void dot(const struct km_presign *s, struct km_scalar *r, const struct km_scalar *v, const struct km_scalar *lambda)
{
	struct km_scalar x;

	km_scalar_zero(r);
	for (unsigned at = 0; at < s->n; at++) {
		km_scalar_mul(s->curve, &x, &v[at], &lambda[at]);
		km_scalar_add(s->curve, r, r, &x);
	}
}

/* w and delta at 0, and c_i = lambda_i (delta - rho_t(i)) + zero share. */
static void make_c(struct km_presign *s, const struct opened *op)
{
	struct km_scalar lambda[KM_MAX_PEERS], delta;
	struct km_secret x;

	km_shamir_lagrange_all(s->curve, lambda, s->m->participants, 0);
	for (unsigned o = 0; o < s->own; o++) {
		unsigned l = s->own_index[o];

		dot(s, &s->w[o], op->w + l * s->n, lambda);
		dot(s, &delta, op->delta + l * s->n, lambda);
		km_secret_pub_sub(s->curve, &x, &delta, &s->sh[KM_KIND_RT][l]);
		hand_over(s, &s->c[o], &x, l, KM_KIND_C);
	}
	km_wipe(&x, sizeof(x));
}

static int majority_check(struct km_presign *s)
{
	struct opened *op = calloc(1, sizeof(*op));
	uint32_t set = s->m->participants;
	int err = KM_E_NOMEM;

	if (!op)
		return KM_E_NOMEM;
	op->w = calloc((size_t)s->batch * s->n, sizeof(*op->w));
	op->delta = calloc((size_t)s->batch * s->n, sizeof(*op->delta));
	if (!op->w || !op->delta)
		goto out;
	err = KM_OK;
	for (unsigned j = km_set_next(set, 0), at = 0; j; j = km_set_next(set, j), at++)
		if (decode_m3(s, j, at, op))
			km_presign_blame(s, j, KM_EV_ENCODING, KM_PRESIGN_M3);
	if (s->fail)
		goto out;
	if (KM_RULE(km_rule_dealing_check) && !dealing_ok(s, op))
		km_presign_fail(s, KM_E_VERIFY, KM_CHECK_DEALING, KM_OPEN_NO_INDEX);
	else if (!products_ok(s, op))
		km_presign_fail(s, KM_E_VERIFY, KM_CHECK_PRODUCTS, KM_OPEN_NO_INDEX);
	else
		make_c(s, op);
out:
	free(op->w);
	free(op->delta);
	free(op);
	return err;
}

/* ---- the rounds */

static int majority_shape(const struct km_presign *s, unsigned round, unsigned sender, unsigned recipient, struct km_shape *shape)
{
	uint32_t ss = (uint32_t)s->ss, ps = (uint32_t)s->ps;

	switch (round) {
	case KM_PRESIGN_M1:
		if (recipient)
			*shape = (struct km_shape){ KM_SEED_SIZE, KM_KINDS * ss, s->groups };
		else
			*shape = (struct km_shape){ (s->n - 1) * KM_HASH_SIZE, 0, 0 };
		return KM_OK;
	case KM_PRESIGN_M2:
		*shape = (struct km_shape){ 2 * KM_HASH_SIZE, 0, 0 };
		return KM_OK;
	case KM_PRESIGN_M3:
		*shape = (struct km_shape){ 2 * KM_HASH_SIZE + KM_KINDS * ss, 2 * ss + ps, s->batch };
		return KM_OK;
	}
	return KM_E_ENCODING;
}

static int majority_start(struct km_presign *s, struct km_outs *outs)
{
	return km_presign_job(s, KM_JOB_DEAL, outs);
}

static int majority_run(struct km_presign *s, unsigned what)
{
	switch (what) {
	case KM_JOB_DEAL:
		return majority_deal(s);
	case KM_JOB_EXTRACT:
		return majority_extract(s);
	}
	return majority_open(s);
}

static int send_deal(struct km_presign *s, struct km_outs *outs)
{
	struct km_machine *m = s->m;
	struct km_shape shape;
	int err = KM_OK;

	for (unsigned j = km_set_next(m->participants, 0), at = 0; j && !err; j = km_set_next(m->participants, j), at++) {
		if (j == m->self)
			continue;
		err = km_presign_shape(s, KM_PRESIGN_M1, m->self, j, &shape);
		if (!err)
			err = km_machine_send(m, KM_PRESIGN_M1, j, &shape, s->deal + at * km_shape_size(&shape), outs);
	}
	return err ? err : km_presign_send(s, KM_PRESIGN_M1, outs);
}

static int majority_worked(struct km_presign *s, unsigned what, struct km_outs *outs)
{
	switch (what) {
	case KM_JOB_DEAL:
		return send_deal(s, outs);
	case KM_JOB_EXTRACT:
		return km_presign_send(s, KM_PRESIGN_M2, outs);
	}
	return km_presign_send(s, KM_PRESIGN_M3, outs);
}

static int majority_round_done(struct km_presign *s, unsigned round, struct km_outs *outs)
{
	return km_presign_job(s, round == KM_PRESIGN_M1 ? KM_JOB_EXTRACT : KM_JOB_OPEN, outs);
}

static void majority_wipe(struct km_presign *s)
{
	km_secret_free(s->deal);
	s->deal = NULL;
}

const struct km_engine km_engine_majority = {
	.number = KM_PRESIGN_MAJORITY,
	.last_private = KM_PRESIGN_M1,
	.lists = KM_PRESIGN_C3,
	.shape = majority_shape,
	.start = majority_start,
	.round_done = majority_round_done,
	.worked = majority_worked,
	.run = majority_run,
	.check = majority_check,
	.r_enc = majority_r_enc,
	.blind = majority_blind,
	.wipe = majority_wipe,
};
