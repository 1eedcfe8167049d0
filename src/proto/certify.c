/* certify.c: commitment to R_i, points, proofs and their batch check (protocol section 2b; messages C0, C3).
 *
 * C3 body: prev | U_v | z_v | per own index: A' | C' | V | U | z, where
 *	A' = a_i R, C' = c_i R, V = v_i G, U = u R, z = u + e a_i + e^2 c_i, e = HS("c3", sid, index, i, R, w, V, A', C', U)
 * and (U_v, z_v) is one proof of all v_i. Every check of a run is one multi-scalar multiplication. */
#include <stdlib.h>
#include <string.h>
#include "presign_impl.h"
#include "../base/rules.h"
#include "../base/secret.h"
#include "../ec/msm.h"
#include "../ec/mul_many.h"
#include "../zk/dlog.h"

/* Columns of a C3 row. */
enum { COL_A, COL_C, COL_V, COL_U, COLS };

static size_t c3_head(const struct km_presign *s)
{
	return KM_HASH_SIZE + s->ps + s->ss;
}

static size_t c3_row(const struct km_presign *s)
{
	return COLS * s->ps + s->ss;
}

static const uint8_t *c3_at(const struct km_presign *s, unsigned peer, unsigned l)
{
	return km_presign_own_row(s, km_presign_body(s, KM_PRESIGN_C3, peer), c3_head(s), c3_row(s), peer, l);
}

void km_certify_c0(const uint8_t sid[KM_HASH_SIZE], unsigned peer, const uint8_t blind[KM_HASH_SIZE], const uint8_t *r_enc, size_t len,
		   uint8_t c0[KM_HASH_SIZE])
{
	struct km_hash h;

	km_hash_init(&h, "c0");
	km_hash_field(&h, sid, KM_HASH_SIZE);
	km_hash_u8(&h, (uint8_t)peer);
	km_hash_field(&h, blind, KM_HASH_SIZE);
	km_hash_field(&h, r_enc, len);
	km_hash_final(&h, c0);
}

void km_certify_commit(const struct km_presign *s, unsigned peer, const uint8_t blind[KM_HASH_SIZE], const uint8_t *r_enc, uint8_t c0[KM_HASH_SIZE])
{
	km_certify_c0(s->m->sid, peer, blind, r_enc, s->own_n[peer] * s->ps, c0);
	km_declassify(c0, KM_HASH_SIZE);
}

/* ---- checks 3 and 4: what M3 opened about R */

/* WHY: without C0 the last speaker makes R a multiple of itself that it knows (A7). */
static int check_c0(struct km_presign *s, unsigned peer)
{
	uint8_t c0[KM_HASH_SIZE], *all = malloc(s->own_n[peer] * s->ps + 1);

	if (!all)
		return KM_E_NOMEM;
	for (unsigned l = 0; l < s->batch; l++)
		if (km_set_has(s->index[l].quorum, peer))
			memcpy(all + s->own_pos[peer][l] * s->ps, s->engine->r_enc(s, peer, l), s->ps);
	km_certify_commit(s, peer, s->engine->blind(s, peer), all, c0);
	free(all);
	if (memcmp(c0, km_presign_body(s, KM_PRESIGN_M2, peer) + KM_HASH_SIZE, KM_HASH_SIZE) != 0)
		km_presign_blame(s, peer, KM_EV_OPENING, KM_PRESIGN_M3);
	return KM_OK;
}

static int sum_r(struct km_presign *s, unsigned o)
{
	unsigned l = s->own_index[o];
	struct km_point ri;

	km_point_identity(s->curve, &s->r[o]);
	for (unsigned j = km_set_next(s->index[l].quorum, 0); j; j = km_set_next(s->index[l].quorum, j)) {
		if (km_point_decode_var(s->curve, &ri, s->engine->r_enc(s, j, l)))
			km_presign_blame(s, j, KM_EV_ENCODING, KM_PRESIGN_M3);
		else
			km_point_add(s->curve, &s->r[o], &s->r[o], &ri);
	}
	/* WHY: w = 0 or R = 0 gives no presignature, and by chance never: nobody is guilty, the run goes (B17). */
	if (km_scalar_is_zero(&s->w[o]) || km_point_is_identity_var(s->curve, &s->r[o]))
		return KM_E_DEGENERATE;
	return KM_OK;
}

int km_certify_open(struct km_presign *s)
{
	uint32_t set = s->m->participants;
	int err = KM_OK, degenerate = KM_OK;
	unsigned where = 0;

	for (unsigned j = km_set_next(set, 0); j && KM_RULE(km_rule_c0); j = km_set_next(set, j)) {
		err = check_c0(s, j);
		if (err)
			return err;
	}
	if (s->fail)
		return KM_OK;
	for (unsigned o = 0; o < s->own; o++) {
		err = sum_r(s, o);
		if (err) {
			degenerate = err;
			where = s->own_index[o];
		}
	}
	if (degenerate && KM_RULE(km_rule_degenerate))
		km_presign_fail(s, degenerate, KM_CHECK_DEGENERATE, where);
	if (s->fail || !s->own)
		return KM_OK;
	err = km_point_encode_batch_var(s->curve, s->r_enc, s->ps, s->r, s->own);
	for (unsigned o = 0; o < s->own && !err; o++)
		err = km_point_decode_var(s->curve, &s->r[o], s->r_enc + o * s->ps);   /* normalised: multiplications by it need no inversion */
	if (err == KM_E_IDENTITY) {
		km_presign_fail(s, KM_E_DEGENERATE, KM_CHECK_DEGENERATE, KM_OPEN_NO_INDEX);
		err = KM_OK;
	}
	return err;
}

/* ---- C3: make */

void km_certify_challenge(const struct km_curve *c, struct km_scalar *e, const uint8_t sid[KM_HASH_SIZE], unsigned index, unsigned peer,
			  const uint8_t *r_enc, const uint8_t *w_enc, const uint8_t *row)
{
	size_t ps = km_curve_point_size(c);
	struct km_hash h;

	km_hash_init(&h, "c3");
	km_hash_field(&h, sid, KM_HASH_SIZE);
	km_hash_u32(&h, index);
	km_hash_u8(&h, (uint8_t)peer);
	km_hash_field(&h, r_enc, ps);
	km_hash_field(&h, w_enc, km_curve_scalar_size(c));
	km_hash_field(&h, row + COL_V * ps, ps);
	km_hash_field(&h, row + COL_A * ps, ps);
	km_hash_field(&h, row + COL_C * ps, ps);
	km_hash_field(&h, row + COL_U * ps, ps);
	km_scalar_from_hash(c, e, &h);
}

static void tuple_challenge(const struct km_presign *s, struct km_scalar *e, unsigned peer, unsigned o, const uint8_t *row)
{
	uint8_t w[KM_SCALAR_MAX];

	km_scalar_encode(s->curve, w, &s->w[o]);
	km_certify_challenge(s->curve, e, s->m->sid, s->own_index[o], peer, s->r_enc + o * s->ps, w, row);
}

void km_certify_v_prefix(struct km_hash *h, const uint8_t sid[KM_HASH_SIZE], unsigned peer)
{
	km_hash_init(h, "c3v");
	km_hash_field(h, sid, KM_HASH_SIZE);
	km_hash_u8(h, (uint8_t)peer);
}

/* The V column of a peer's C3, packed. */
static void v_column(const struct km_presign *s, uint8_t *out, unsigned peer, const uint8_t *body)
{
	for (unsigned i = 0; i < s->own_n[peer]; i++)
		memcpy(out + i * s->ps, body + c3_head(s) + i * c3_row(s) + COL_V * s->ps, s->ps);
}

static int encode_column(const struct km_presign *s, const struct km_point *p, unsigned col)
{
	int err;

	if (!s->own)
		return KM_OK;
	err = km_point_encode_batch_var(s->curve, s->body + c3_head(s) + col * s->ps, c3_row(s), p, s->own);
	return err;
}

static int prove_v(struct km_presign *s, struct km_rng *rng)
{
	struct km_dlog_proof proof;
	struct km_hash h;
	uint8_t *column;
	int err = KM_E_NOMEM;

	if (!s->own)
		return KM_OK;
	column = malloc(s->own * s->ps);
	if (!column)
		return err;
	km_certify_v_prefix(&h, s->m->sid, s->m->self);
	v_column(s, column, s->m->self, s->body);
	err = km_dlog_prove_batch(s->curve, &proof, s->v, column, s->own, &h, rng);
	if (!err)
		err = km_dlog_encode(s->curve, s->body + KM_HASH_SIZE, &proof);
	free(column);
	return err;
}

/* z = u + e a + e^2 c into every row, whose points are in place. */
static void respond(struct km_presign *s, const struct km_secret *u)
{
	struct km_scalar e, ee, z;
	struct km_secret x;

	for (unsigned o = 0; o < s->own; o++) {
		uint8_t *row = s->body + c3_head(s) + o * c3_row(s);

		tuple_challenge(s, &e, s->m->self, o, row);
		km_scalar_mul(s->curve, &ee, &e, &e);
		x = u[o];
		km_secret_addmul_pub(s->curve, &x, &s->a[o], &e);
		km_secret_addmul_pub(s->curve, &x, &s->c[o], &ee);
		km_secret_declassify(&z, &x);
		km_scalar_encode(s->curve, row + COLS * s->ps, &z);
	}
	km_wipe(&x, sizeof(x));
}

/* The position of V_j among all V of own tuples. */
static struct km_point *v_of(const struct km_presign *s, unsigned o, unsigned peer)
{
	return &s->pv[o * (s->t + 1) + km_set_pos(s->index[s->own_index[o]].quorum, peer)];
}

static int make_rows(struct km_presign *s, struct km_secret *u, struct km_point *pu, struct km_point *pv, struct km_rng *rng)
{
	struct km_secret k[3];
	struct km_point p[3];
	int err;

	for (unsigned o = 0; o < s->own; o++) {
		km_secret_random(s->curve, &u[o], rng);
		k[0] = s->a[o];
		k[1] = s->c[o];
		k[2] = u[o];
		km_point_mul_many(s->curve, p, k, 3, &s->r[o]);
		s->pa[o] = p[0];
		s->pc[o] = p[1];
		pu[o] = p[2];
		km_point_mul_g(s->curve, &pv[o], &s->v[o]);
		km_point_declassify(&s->pa[o]);
		km_point_declassify(&s->pc[o]);
		km_point_declassify(&pu[o]);
		km_point_declassify(&pv[o]);
		*v_of(s, o, s->m->self) = pv[o];
	}
	km_wipe(k, sizeof(k));
	err = encode_column(s, s->pa, COL_A);
	if (!err)
		err = encode_column(s, s->pc, COL_C);
	if (!err)
		err = encode_column(s, pv, COL_V);
	if (!err)
		err = encode_column(s, pu, COL_U);
	if (!err)
		err = prove_v(s, rng);
	if (!err)
		respond(s, u);
	return err;
}

int km_certify_points(struct km_presign *s)
{
	const uint8_t *prev = km_presign_prev(s, KM_PRESIGN_C3);
	uint8_t seed[KM_SEED_SIZE];
	struct km_rng rng;
	struct km_secret *u = km_secret_alloc((s->own + 1) * sizeof(*u));
	struct km_point *pu = calloc(s->own + 1, sizeof(*pu)), *pv = calloc(s->own + 1, sizeof(*pv));
	int err = KM_E_NOMEM;

	/* WHY the transcript in the nonces: a run repeated from one seed answers no second challenge under one nonce. */
	km_rng_bytes(&s->early->rng, seed, sizeof(seed));
	km_rng_init(&rng, seed, "c3-nonce", prev, KM_HASH_SIZE);
	if (u && pu && pv)
		err = km_presign_room(s, KM_PRESIGN_C3);
	if (!err) {
		memcpy(s->body, prev, KM_HASH_SIZE);
		err = make_rows(s, u, pu, pv, &rng);
	}
	if (err == KM_E_IDENTITY) {
		km_presign_fail(s, KM_E_DEGENERATE, KM_CHECK_DEGENERATE, KM_OPEN_NO_INDEX);
		err = KM_OK;
	}
	km_rng_clear(&rng);
	km_wipe(seed, sizeof(seed));
	km_secret_free(u);
	free(pu);
	free(pv);
	return err;
}

/* ---- checks 5 and 6: what a peer's C3 says, decoded */

struct c3_peer {
	struct km_dlog_proof head;
	struct km_scalar ev;         /* challenge of the head's proof */
	struct km_point *v;          /* [own_n[peer]] all of its V */
	/* of the tuples we share, by our own position; unused where we share none */
	struct km_point *a, *c, *u;
	struct km_scalar *z, *e;
};

struct c3_view {
	struct c3_peer peer[KM_MAX_PEERS + 1];
};

static void view_free(struct c3_view *view)
{
	for (unsigned j = 0; view && j <= KM_MAX_PEERS; j++) {
		free(view->peer[j].v);
		free(view->peer[j].a);
		free(view->peer[j].z);
	}
	free(view);
}

static int view_room(const struct km_presign *s, struct c3_peer *p, unsigned j)
{
	p->v = calloc(s->own_n[j] + 1, sizeof(*p->v));
	p->a = calloc(3 * (size_t)s->own + 1, sizeof(*p->a));
	p->z = calloc(2 * (size_t)s->own + 1, sizeof(*p->z));
	if (!p->v || !p->a || !p->z)
		return KM_E_NOMEM;
	p->c = p->a + s->own;
	p->u = p->c + s->own;
	p->e = p->z + s->own;
	return KM_OK;
}

/* Decodes all V of a peer and everything of the tuples we share; the rest is checked by those whose tuples they are. */
static int view_decode(const struct km_presign *s, struct c3_peer *p, unsigned j)
{
	const uint8_t *body = km_presign_body(s, KM_PRESIGN_C3, j);
	int err = s->own_n[j] ? km_dlog_decode(s->curve, &p->head, body + KM_HASH_SIZE) : KM_OK;

	for (unsigned i = 0; i < s->own_n[j] && !err; i++)
		err = km_point_decode_var(s->curve, &p->v[i], body + c3_head(s) + i * c3_row(s) + COL_V * s->ps);
	for (unsigned o = 0; o < s->own && !err; o++) {
		const uint8_t *row;

		if (!km_set_has(s->index[s->own_index[o]].quorum, j))
			continue;
		row = c3_at(s, j, s->own_index[o]);
		err = km_point_decode_var(s->curve, &p->a[o], row + COL_A * s->ps);
		if (!err)
			err = km_point_decode_var(s->curve, &p->c[o], row + COL_C * s->ps);
		if (!err)
			err = km_point_decode_var(s->curve, &p->u[o], row + COL_U * s->ps);
		if (!err)
			err = km_scalar_decode(s->curve, &p->z[o], row + COLS * s->ps);
		if (err)
			break;
		tuple_challenge(s, &p->e[o], j, o, row);
		*v_of(s, o, j) = p->v[s->own_pos[j][s->own_index[o]]];
	}
	return err;
}

static int view_challenge_v(const struct km_presign *s, struct c3_peer *p, unsigned j)
{
	uint8_t *column;
	struct km_hash h;
	int err;

	if (!s->own_n[j])
		return KM_OK;
	column = malloc(s->own_n[j] * s->ps);
	if (!column)
		return KM_E_NOMEM;
	km_certify_v_prefix(&h, s->m->sid, j);
	v_column(s, column, j, km_presign_body(s, KM_PRESIGN_C3, j));
	err = km_dlog_batch_challenge(s->curve, &p->ev, &p->head, column, s->own_n[j], &h);
	free(column);
	return err;
}

static int view_new(struct km_presign *s, struct c3_view **out)
{
	struct c3_view *view = calloc(1, sizeof(*view));
	uint32_t others = s->m->participants & ~km_set_bit(s->m->self);
	int err = view ? KM_OK : KM_E_NOMEM;

	for (unsigned j = km_set_next(others, 0); j && !err; j = km_set_next(others, j)) {
		err = view_room(s, &view->peer[j], j);
		if (!err && view_decode(s, &view->peer[j], j))
			km_presign_blame(s, j, KM_EV_ENCODING, KM_PRESIGN_C3);
		else if (!err)
			err = view_challenge_v(s, &view->peer[j], j);
	}
	if (err) {
		view_free(view);
		view = NULL;
	}
	*out = view;
	return err;
}

/* ---- the terms of one check each; every sum must be the identity. rho weights the check. */

/* U + e A' + e^2 C' - z R. vcoef collects the coefficient of R. */
static void terms_proof(const struct km_presign *s, struct km_msm *m, const struct c3_peer *p, unsigned o, const struct km_scalar *rho,
			struct km_scalar *a, struct km_scalar *c, struct km_scalar *r)
{
	struct km_scalar x;

	km_msm_term(m, rho, &p->u[o]);
	km_scalar_mul(s->curve, &x, rho, &p->e[o]);
	km_scalar_add(s->curve, a, a, &x);
	km_scalar_mul(s->curve, &x, &x, &p->e[o]);
	km_scalar_add(s->curve, c, c, &x);
	km_scalar_mul(s->curve, &x, rho, &p->z[o]);
	km_scalar_sub(s->curve, r, r, &x);
}

/* U + sum_l e^l V_l - z G, the V weighted by vcoef[l] in addition (what the sum checks want of them). */
static void terms_v(const struct km_presign *s, struct km_msm *m, const struct c3_peer *p, unsigned j, const struct km_scalar *rho,
		    const struct km_scalar *vcoef)
{
	struct km_scalar x = *rho, k;

	km_msm_term(m, rho, &p->head.u);
	for (unsigned i = 0; i < s->own_n[j]; i++) {
		km_scalar_mul(s->curve, &x, &x, &p->ev);
		k = x;
		if (vcoef)
			km_scalar_add(s->curve, &k, &k, &vcoef[i]);
		km_msm_term(m, &k, &p->v[i]);
	}
	km_scalar_mul(s->curve, &k, rho, &p->head.z);
	km_scalar_neg(s->curve, &k, &k);
	km_msm_term_g(s->curve, m, &k);
}

/* rho (sum A' - wG) + sigma (sum C' - w sum V) of own tuple o, with the proofs of its members folded in when tau is given.
 * vcoef[j][..]: where the coefficients of the members' V go instead of being terms here (batch), or NULL. */
struct tuple_weights {
	struct km_scalar rho, sigma;
	struct km_scalar *tau;            /* by peer, or NULL: no proofs */
	struct km_scalar **vcoef;         /* by peer, or NULL */
};

static void terms_tuple(const struct km_presign *s, struct km_msm *m, const struct c3_view *view, unsigned o, const struct tuple_weights *wt)
{
	unsigned l = s->own_index[o];
	struct km_scalar vw, a, c, r, x;

	km_scalar_mul(s->curve, &vw, &s->w[o], &wt->sigma);
	km_scalar_neg(s->curve, &vw, &vw);
	km_scalar_zero(&r);
	for (unsigned j = km_set_next(s->index[l].quorum, 0); j; j = km_set_next(s->index[l].quorum, j)) {
		const struct c3_peer *p = &view->peer[j];

		if (j == s->m->self) {
			km_msm_term(m, &wt->rho, &s->pa[o]);
			km_msm_term(m, &wt->sigma, &s->pc[o]);
			km_msm_term(m, &vw, v_of(s, o, j));
			continue;
		}
		a = wt->rho;
		c = wt->sigma;
		if (wt->tau)
			terms_proof(s, m, p, o, &wt->tau[j], &a, &c, &r);
		km_msm_term(m, &a, &p->a[o]);
		km_msm_term(m, &c, &p->c[o]);
		if (wt->vcoef)
			wt->vcoef[j][s->own_pos[j][l]] = vw;
		else
			km_msm_term(m, &vw, v_of(s, o, j));
	}
	if (wt->tau)
		km_msm_term(m, &r, &s->r[o]);
	km_scalar_mul(s->curve, &x, &s->w[o], &wt->rho);
	km_scalar_neg(s->curve, &x, &x);
	km_msm_term_g(s->curve, m, &x);
}

/* All checks of the run in one sum, weighted by the verifier's private randomness. WHY private: weights that the transcript
 * determines could be solved for. */
static int check_all(struct km_presign *s, const struct c3_view *view)
{
	uint32_t others = s->m->participants & ~km_set_bit(s->m->self);
	struct km_scalar tau[KM_MAX_PEERS + 1], *vcoef[KM_MAX_PEERS + 1] = { NULL };
	struct tuple_weights wt = { .vcoef = vcoef };
	struct km_scalar *mem = calloc((size_t)s->n * s->batch, sizeof(*mem));
	struct km_msm m;
	int err = KM_E_NOMEM;

	if (!mem)
		return err;
	for (unsigned j = km_set_next(others, 0); j; j = km_set_next(others, j))
		vcoef[j] = mem + (size_t)km_set_pos(s->m->participants, j) * s->batch;
	wt.tau = KM_RULE(km_rule_c3_proofs) ? tau : NULL;
	km_msm_init(&m);
	for (unsigned o = 0; o < s->own; o++) {
		km_scalar_random128(s->curve, &wt.rho, s->check);
		km_scalar_random128(s->curve, &wt.sigma, s->check);
		/* WHY: they alone see k, v, a or psi that differ from one partner to the next (A2) */
		if (!KM_RULE(km_rule_c3_sums)) {
			km_scalar_zero(&wt.rho);
			km_scalar_zero(&wt.sigma);
		}
		for (unsigned j = km_set_next(others, 0); j; j = km_set_next(others, j))
			km_scalar_random128(s->curve, &tau[j], s->check);
		terms_tuple(s, &m, view, o, &wt);
	}
	for (unsigned j = km_set_next(others, 0); j; j = km_set_next(others, j)) {
		/* WHY the proof of V: in one round of C3 a rushing member solves the sum checks for a V whose logarithm it does not
		 * know (A11). */
		if (KM_RULE(km_rule_v_proof) && s->own_n[j]) {
			km_scalar_random128(s->curve, &tau[j], s->check);
			terms_v(s, &m, &view->peer[j], j, &tau[j], vcoef[j]);
			continue;
		}
		for (unsigned i = 0; i < s->own_n[j]; i++)
			km_msm_term(&m, &vcoef[j][i], &view->peer[j].v[i]);
	}
	err = km_msm_check_var(s->curve, &m);
	km_msm_clear(&m);
	free(mem);
	return err;
}

/* ---- one check at a time, to name who broke it */

static int check_one_proof(const struct km_presign *s, const struct c3_peer *p, unsigned o)
{
	struct km_scalar one, a, c, r;
	struct km_msm m;
	int err;

	km_scalar_set_u32(&one, 1);
	km_scalar_zero(&a);
	km_scalar_zero(&c);
	km_scalar_zero(&r);
	km_msm_init(&m);
	terms_proof(s, &m, p, o, &one, &a, &c, &r);
	km_msm_term(&m, &a, &p->a[o]);
	km_msm_term(&m, &c, &p->c[o]);
	km_msm_term(&m, &r, &s->r[o]);
	err = km_msm_check_var(s->curve, &m);
	km_msm_clear(&m);
	return err;
}

static int check_one_v(const struct km_presign *s, const struct c3_peer *p, unsigned j)
{
	struct km_scalar one;
	struct km_msm m;
	int err;

	km_scalar_set_u32(&one, 1);
	km_msm_init(&m);
	terms_v(s, &m, p, j, &one, NULL);
	err = km_msm_check_var(s->curve, &m);
	km_msm_clear(&m);
	return err;
}

/* Check 5 singly. A bad proof convicts (E3): every prev of C3 equals ours, so author and judge mean one (w, R). Check 6 alone fails
 * without telling whose share was wrong: the run is dropped. */
static int locate(struct km_presign *s, const struct c3_view *view)
{
	uint32_t others = s->m->participants & ~km_set_bit(s->m->self);

	for (unsigned j = km_set_next(others, 0); j; j = km_set_next(others, j)) {
		const struct c3_peer *p = &view->peer[j];
		int err = KM_RULE(km_rule_v_proof) && s->own_n[j] ? check_one_v(s, p, j) : KM_OK;
		unsigned l = s->batch;   /* no index: the proof of all V */

		for (unsigned o = 0; o < s->own && !err && KM_RULE(km_rule_c3_proofs); o++) {
			l = s->own_index[o];
			if (km_set_has(s->index[l].quorum, j))
				err = check_one_proof(s, p, o);
		}
		if (err == KM_E_VERIFY)
			km_presign_blame_index(s, j, KM_EV_C3_PROOF, KM_PRESIGN_C3, l);
		else if (err)
			return err;
	}
	km_presign_fail(s, KM_E_VERIFY, KM_CHECK_SUMS, KM_OPEN_NO_INDEX);
	return KM_OK;
}

int km_certify_check(struct km_presign *s)
{
	struct c3_view *view;
	int err = view_new(s, &view);

	if (err)
		return err;
	if (!s->fail) {
		err = check_all(s, view);
		if (err == KM_E_VERIFY)
			err = locate(s, view);
	}
	for (unsigned o = 0; o < s->own && !err && !s->fail; o++)
		s->tuple[o] = KM_TUPLE_CERTIFIED;
	view_free(view);
	return err;
}
