/* tuple_any.c: tuples by exactly the members of the quorum, T-1 of which may be corrupt (protocol section 2a; rounds Y1 to Y4).
 * Source: DKLs23 (2023/765), with the OLE of vole.h.
 *
 *	Y1  base OTs of both directions            private
 *	Y2  OT extension, psi = a_j - chi          private, from Bob j to Alice i
 *	Y3  OLE payload, private, from Alice i to Bob j; C0, broadcast
 *	Y4  w_i, R_i                               broadcast
 *
 * w_i = k_i (a_i + sum_j psi_j) + cu of all pairs as Alice + du of all pairs as Bob; c_i likewise with v. So sum w_i = a k and
 * sum c_i = a v. A peer that used different k, a, v or psi with different partners makes one of these sums wrong, and the sum
 * checks of C3 see it (A2). */
#include <stdlib.h>
#include <string.h>
#include "any_impl.h"
#include "../base/rules.h"
#include "../base/secret.h"

/* ---- sizes */

static size_t y1_size(const struct km_presign *s)
{
	return s->ps * (1 + 2 * KM_OT_KAPPA);
}

static size_t y2_head(const struct km_presign *s)
{
	return KM_OT_CHECK_SIZE + s->batch * s->ss;
}

static size_t y4_row(const struct km_presign *s)
{
	return s->ss + s->ps;
}

static uint64_t y3_size(const struct km_curve *c, unsigned batch)
{
	return km_vole_head_size(c, batch) + (uint64_t)batch * km_vole_row_size(c);
}

uint64_t km_any_largest(const struct km_curve *c, unsigned batch)
{
	return y3_size(c, batch);
}

uint64_t km_any_received(const struct km_curve *c, unsigned threshold, unsigned batch)
{
	uint64_t ps = km_curve_point_size(c), ss = km_curve_scalar_size(c);
	uint64_t y1 = ps * (1 + 2 * KM_OT_KAPPA);
	uint64_t y2 = KM_OT_CHECK_SIZE + batch * ss + KM_OT_KAPPA * km_ot_column_size((size_t)batch * km_vole_xi(c));

	return (threshold - 1) * (y1 + y2 + y3_size(c, batch) + 3 * KM_MSG_HEAD);
}

static int any_shape(const struct km_presign *s, unsigned round, unsigned sender, unsigned recipient, struct km_shape *shape)
{
	(void)sender;
	switch (round) {
	case KM_ANY_Y1:
		*shape = (struct km_shape){ (uint32_t)s->ps, 2 * (uint32_t)s->ps, KM_OT_KAPPA };
		return recipient ? KM_OK : KM_E_ENCODING;
	case KM_ANY_Y2:
		*shape = (struct km_shape){ (uint32_t)y2_head(s), (uint32_t)s->any_column, KM_OT_KAPPA };
		return recipient ? KM_OK : KM_E_ENCODING;
	case KM_ANY_Y3:
		if (recipient)
			*shape = (struct km_shape){(uint32_t)km_vole_head_size(s->curve, s->batch),
						   (uint32_t)km_vole_row_size(s->curve), s->batch};
		else
			*shape = (struct km_shape){ 2 * KM_HASH_SIZE, 0, 0 };
		return KM_OK;
	case KM_ANY_Y4:
		*shape = (struct km_shape){ 2 * KM_HASH_SIZE, (uint32_t)y4_row(s), s->batch };
		return KM_OK;
	}
	return KM_E_ENCODING;
}

/* ---- life */

static void any_wipe(struct km_presign *s)
{
	struct km_any *any = s->any;

	if (!any)
		return;
	for (unsigned j = 0; j <= KM_MAX_PEERS; j++)
		km_secret_free(any->link[j]);
	km_secret_free(any->w);
	free(any->gadget);
	free(any->block);
	free(any);
	s->any = NULL;
}

int km_any_new(struct km_presign *s)
{
	struct km_any *any = s->any = calloc(1, sizeof(*any));

	if (!any)
		return KM_E_NOMEM;
	any->xi = km_vole_xi(s->curve);
	any->len = s->any_column = km_ot_column_size((size_t)s->batch * any->xi);
	any->w = km_secret_alloc(s->batch * sizeof(*any->w));
	return any->w ? KM_OK : KM_E_NOMEM;
}

static uint32_t partners(const struct km_presign *s)
{
	return s->m->participants & ~km_set_bit(s->m->self);
}

static struct km_ot_pair pair_of(const struct km_presign *s, unsigned alice, unsigned bob)
{
	return (struct km_ot_pair){ s->m->sid, (uint8_t)alice, (uint8_t)bob };
}

/* Room for the private message of a round to the partner. */
static int private_room(struct km_presign *s, unsigned round)
{
	struct km_shape shape;
	int err = any_shape(s, round, s->m->self, s->any->at, &shape);

	if (err)
		return err;
	free(s->any->block);
	s->any->block = calloc(1, KM_OUT_ROOM + KM_MSG_HEAD + (size_t)km_shape_size(&shape));
	if (!s->any->block)
		return KM_E_NOMEM;
	s->any->body = s->any->block + KM_OUT_ROOM + KM_MSG_HEAD;
	return KM_OK;
}

int km_any_seal(struct km_presign *s, unsigned job)
{
	static const uint8_t makes[KM_JOB_LAST + 1] = {
	    [KM_JOB_ANY_BASE] = KM_ANY_Y1, [KM_JOB_ANY_EXTEND] = KM_ANY_Y2, [KM_JOB_ANY_PAYLOAD] = KM_ANY_Y3};
	struct km_shape shape;
	int err;

	if (!makes[job] || !s->any || !s->any->block)
		return KM_OK;
	err = any_shape(s, makes[job], s->m->self, s->any->at, &shape);
	return err ? err : km_machine_seal(s->m, makes[job], s->any->at, &shape, s->any->block);
}

static int private_send(struct km_presign *s, unsigned round, struct km_outs *outs)
{
	struct km_shape shape;
	int err = any_shape(s, round, s->m->self, s->any->at, &shape);

	if (err)
		return err;
	err = km_machine_send_sealed(s->m, round, s->any->at, &shape, s->any->block, outs);
	s->any->block = s->any->body = NULL;
	return err;
}

/* ---- Y1 */

/* k, a, v of every index, and the start of w_i = k a, c_i = v a. */
static int draw_inputs(struct km_presign *s)
{
	struct km_point *ri = calloc(s->own + 1, sizeof(*ri));
	int err;

	s->any->gadget = km_vole_gadget(s->curve, s->m->sid);
	if (!ri || !s->any->gadget) {
		free(ri);
		return KM_E_NOMEM;
	}
	for (unsigned l = 0; l < s->batch; l++) {
		km_secret_random(s->curve, &s->k[l], &s->early->rng);
		km_secret_random(s->curve, &s->a[l], &s->early->rng);
		km_secret_random(s->curve, &s->v[l], &s->early->rng);
		km_secret_mul(s->curve, &s->any->w[l], &s->k[l], &s->a[l]);
		km_secret_mul(s->curve, &s->c[l], &s->v[l], &s->a[l]);
		km_point_mul_g(s->curve, &ri[l], &s->k[l]);
		km_point_declassify(&ri[l]);
	}
	err = km_point_encode_batch_var(s->curve, s->ri_enc, s->ps, ri, s->own);
	free(ri);
	if (err == KM_E_IDENTITY) {
		km_presign_fail(s, KM_E_DEGENERATE, KM_CHECK_DEGENERATE, KM_OPEN_NO_INDEX);
		err = KM_OK;
	}
	km_rng_bytes(&s->early->rng, s->early->blind, KM_HASH_SIZE);
	return err;
}

/* WHY from the run's randomness: a kept Delta loses a bit with each aborted check, until all of it is known (B1). */
static void draw_delta(struct km_presign *s, struct km_any_link *link, unsigned j)
{
	struct km_hash h;
	uint8_t d[KM_HASH_SIZE];

	km_rng_bytes(&link->rng, link->delta, sizeof(link->delta));
	if (KM_RULE(km_rule_ot_fresh))
		return;
	/* as if kept from a first run */
	km_hash_init(&h, "kept-set-up");
	km_hash_u8(&h, s->m->self);
	km_hash_u8(&h, (uint8_t)j);
	km_hash_final(&h, d);
	memcpy(link->delta, d, sizeof(link->delta));
}

static int run_base(struct km_presign *s)
{
	struct km_any *any = s->any;
	unsigned j = any->at;
	struct km_ot_pair pair = pair_of(s, s->m->self, j);
	uint8_t seed[KM_SEED_SIZE];
	struct km_any_link *link;
	int err = any->gadget ? KM_OK : draw_inputs(s);

	if (err || s->fail)
		return err;
	link = any->link[j] = km_secret_alloc(sizeof(*link) + any->len);
	if (!link)
		return KM_E_NOMEM;
	km_rng_bytes(&s->early->rng, seed, sizeof(seed));
	km_rng_init(&link->rng, seed, "any-link", NULL, 0);
	km_wipe(seed, sizeof(seed));
	draw_delta(s, link, j);
	km_rng_bytes(&link->rng, link->beta, any->len);
	err = private_room(s, KM_ANY_Y1);
	if (!err)
		err = km_ot_base_offer(s->curve, &link->y, link->a_enc, &link->rng);
	if (!err)
		err = km_ot_base_choose(s->curve, &pair, link->delta, link->x, link->r_enc, &link->rng);
	if (!err) {
		memcpy(any->body, link->a_enc, s->ps);
		memcpy(any->body + s->ps, link->r_enc, y1_size(s) - s->ps);
		km_declassify(any->body, y1_size(s));
		err = km_any_seal(s, KM_JOB_ANY_BASE);
	}
	if (err == KM_E_IDENTITY) {
		km_presign_fail(s, KM_E_DEGENERATE, KM_CHECK_DEGENERATE, KM_OPEN_NO_INDEX);
		err = KM_OK;
	}
	return err;
}

/* ---- Y2 */

/* The keys of both directions, from the partner's Y1. */
static int base_keys(struct km_presign *s, struct km_any_link *link, unsigned j)
{
	const uint8_t *y1 = s->m->priv[KM_ANY_Y1][j].msg.body;
	struct km_ot_pair as_alice = pair_of(s, s->m->self, j), as_bob = pair_of(s, j, s->m->self);
	int err = km_ot_base_keys_chosen(s->curve, &as_alice, link->x, link->delta, y1, link->r_enc, link->chosen);

	if (!err)
		err = km_ot_base_keys_both(s->curve, &as_bob, &link->y, link->a_enc, y1 + s->ps, link->both);
	km_wipe(link->x, sizeof(link->x));
	km_wipe(&link->y, sizeof(link->y));
	return err;
}

/* The challenge of a pair's check: Alice's Y1 first. */
static struct km_gf128 *challenge(const struct km_presign *s, unsigned alice, unsigned bob, const uint8_t *u)
{
	struct km_ot_pair pair = pair_of(s, alice, bob);
	unsigned other = alice == s->m->self ? bob : alice;
	uint8_t y1[2][KM_HASH_SIZE];

	memcpy(y1[alice == other ? 0 : 1], s->m->priv[KM_ANY_Y1][other].msg.digest, KM_HASH_SIZE);
	memcpy(y1[alice == other ? 1 : 0], s->m->sent[KM_ANY_Y1][other], KM_HASH_SIZE);
	return km_ot_ext_challenge(&pair, (const uint8_t(*)[KM_HASH_SIZE])y1, u, s->any->len);
}

static void vole_of(const struct km_presign *s, struct km_vole *v, unsigned alice, unsigned bob)
{
	const struct km_machine *m = s->m;
	unsigned self = m->self;

	*v = (struct km_vole){
	    .c = s->curve, .pair = pair_of(s, alice, bob), .batch = s->batch, .xi = s->any->xi, .gadget = s->any->gadget};
	memcpy(v->digest[0], alice == self ? m->sent[KM_ANY_Y1][bob] : m->priv[KM_ANY_Y1][alice].msg.digest, KM_HASH_SIZE);
	memcpy(v->digest[1], bob == self ? m->sent[KM_ANY_Y1][alice] : m->priv[KM_ANY_Y1][bob].msg.digest, KM_HASH_SIZE);
	memcpy(v->digest[2], bob == self ? m->sent[KM_ANY_Y2][alice] : m->priv[KM_ANY_Y2][bob].msg.digest, KM_HASH_SIZE);
}

/* psi = a - chi: nothing about beta, since a is uniform and unseen. */
static void make_psi(struct km_presign *s, const struct km_any_link *link, unsigned j, uint8_t *out)
{
	struct km_secret chi;
	struct km_scalar psi;
	struct km_vole v;

	vole_of(s, &v, j, s->m->self);
	for (unsigned l = 0; l < s->batch; l++, out += s->ss) {
		km_vole_chi(&v, &chi, link->beta, l);
		km_secret_sub(s->curve, &chi, &s->a[l], &chi);
		km_secret_declassify(&psi, &chi);
		km_scalar_encode(s->curve, out, &psi);
	}
	km_wipe(&chi, sizeof(chi));
}

static int run_extend(struct km_presign *s)
{
	struct km_any *any = s->any;
	unsigned j = any->at;
	struct km_any_link *link = any->link[j];
	struct km_gf128 *chi = NULL;
	uint8_t *t, *u;
	int err = base_keys(s, link, j);

	if (err == KM_E_ENCODING)
		km_presign_blame_wire(s, j, KM_EV_ENCODING, KM_ANY_Y1);
	else if (err == KM_E_VERIFY)
		km_presign_fail(s, err, KM_CHECK_BASE_OT, KM_OPEN_NO_INDEX);
	else if (err)
		return err;
	if (err)
		return KM_OK;
	t = km_secret_alloc(KM_OT_KAPPA * any->len);
	err = t ? private_room(s, KM_ANY_Y2) : KM_E_NOMEM;
	if (err)
		goto out;
	u = any->body + y2_head(s);
	km_ot_ext_bob(t, u, (const uint8_t(*)[2][KM_OT_KEY_SIZE])link->both, link->beta, any->len);
	chi = challenge(s, j, s->m->self, u);
	if (!chi) {
		err = KM_E_NOMEM;
		goto out;
	}
	km_ot_ext_prove(any->body, chi, t, link->beta, any->len);
	make_psi(s, link, j, any->body + KM_OT_CHECK_SIZE);
	err = km_any_seal(s, KM_JOB_ANY_EXTEND);
out:
	km_secret_free(t);
	free(chi);
	return err;
}

/* ---- Y3 */

/* w_i += k_i psi, c_i += v_i psi. */
static int add_psi(struct km_presign *s, unsigned j, const uint8_t *in)
{
	struct km_scalar psi;

	for (unsigned l = 0; l < s->batch; l++, in += s->ss) {
		if (km_scalar_decode(s->curve, &psi, in)) {
			km_presign_blame_wire(s, j, KM_EV_ENCODING, KM_ANY_Y2);
			return KM_E_ENCODING;
		}
		km_secret_addmul_pub(s->curve, &s->any->w[l], &s->k[l], &psi);
		km_secret_addmul_pub(s->curve, &s->c[l], &s->v[l], &psi);
	}
	return KM_OK;
}

/* Q as rows, checked; NULL: *err says why. WHY the check before the payload: no pad meets a u that was not checked. */
static uint8_t *checked_rows(struct km_presign *s, const struct km_any_link *link, unsigned j, int *err)
{
	const uint8_t *y2 = s->m->priv[KM_ANY_Y2][j].msg.body, *u = y2 + y2_head(s);
	size_t size = KM_OT_KAPPA * s->any->len;
	struct km_gf128 *chi = challenge(s, s->m->self, j, u);
	uint8_t *q = km_secret_alloc(size), *rows = km_secret_alloc(size);

	*err = chi && q && rows ? KM_OK : KM_E_NOMEM;
	if (!*err) {
		km_ot_ext_alice(q, (const uint8_t(*)[KM_OT_KEY_SIZE])link->chosen, link->delta, u, s->any->len);
		*err = km_ot_ext_check(y2, chi, q, link->delta, s->any->len);
	}
	if (!*err)
		km_ot_transpose(rows, q, s->any->len);
	free(chi);
	km_secret_free(q);
	if (*err) {
		km_secret_free(rows);
		rows = NULL;
	}
	return rows;
}

static int make_c0(struct km_presign *s)
{
	int err = km_presign_room(s, KM_PRESIGN_M2);

	if (err)
		return err;
	memcpy(s->body, km_presign_prev(s, KM_PRESIGN_M2), KM_HASH_SIZE);
	km_certify_commit(s, s->m->self, s->early->blind, s->ri_enc, s->body + KM_HASH_SIZE);
	return KM_OK;
}

static int run_payload(struct km_presign *s)
{
	struct km_any *any = s->any;
	unsigned j = any->at;
	struct km_any_link *link = any->link[j];
	struct km_vole v;
	int err;
	uint8_t *rows = checked_rows(s, link, j, &err);

	if (err == KM_E_VERIFY) {
		km_presign_fail(s, err, KM_CHECK_EXTENSION, KM_OPEN_NO_INDEX);
		return KM_OK;
	}
	if (!err && add_psi(s, j, s->m->priv[KM_ANY_Y2][j].msg.body + KM_OT_CHECK_SIZE))
		goto out;
	if (!err)
		err = private_room(s, KM_ANY_Y3);
	if (!err) {
		vole_of(s, &v, s->m->self, j);
		err = km_vole_send(&v, rows, link->delta, s->k, s->v, &link->rng, any->body,
				   any->body + km_vole_head_size(s->curve, s->batch), any->w, s->c);
	}
	if (!err)
		err = km_any_seal(s, KM_JOB_ANY_PAYLOAD);
out:
	km_secret_free(rows);
	return err;
}

/* ---- Y4 */

static int make_open(struct km_presign *s)
{
	int err = km_presign_room(s, KM_PRESIGN_M3);
	uint8_t *row = s->body + 2 * KM_HASH_SIZE;

	if (err)
		return err;
	memcpy(s->body, km_presign_prev(s, KM_PRESIGN_M3), KM_HASH_SIZE);
	memcpy(s->body + KM_HASH_SIZE, s->early->blind, KM_HASH_SIZE);
	km_declassify(s->body + KM_HASH_SIZE, KM_HASH_SIZE);
	for (unsigned l = 0; l < s->batch; l++, row += y4_row(s)) {
		struct km_scalar w;

		km_secret_declassify(&w, &s->any->w[l]);
		km_scalar_encode(s->curve, row, &w);
		memcpy(row + s->ss, s->ri_enc + l * s->ps, s->ps);
	}
	return KM_OK;
}

static int run_shares(struct km_presign *s)
{
	struct km_any *any = s->any;
	unsigned j = any->at;
	struct km_any_link *link = any->link[j];
	const uint8_t *y3 = s->m->priv[KM_ANY_Y3][j].msg.body;
	size_t size = KM_OT_KAPPA * any->len;
	uint8_t *t = km_secret_alloc(size), *rows = km_secret_alloc(size);
	struct km_vole v;
	int err = t && rows ? KM_OK : KM_E_NOMEM;

	if (!err) {
		km_ot_ext_bob(t, NULL, (const uint8_t(*)[2][KM_OT_KEY_SIZE])link->both, NULL, any->len);
		km_ot_transpose(rows, t, any->len);
		vole_of(s, &v, j, s->m->self);
		err = km_vole_receive(&v, rows, link->beta, y3, y3 + km_vole_head_size(s->curve, s->batch), any->w, s->c);
	}
	km_secret_free(t);
	km_secret_free(rows);
	if (err == KM_E_ENCODING) {
		km_presign_blame_wire(s, j, KM_EV_ENCODING, KM_ANY_Y3);
		return KM_OK;
	}
	if (err == KM_E_VERIFY) {
		km_presign_fail(s, err, KM_CHECK_OLE, KM_OPEN_NO_INDEX);
		return KM_OK;
	}
	return err;
}

/* All w_i; the quorum is everybody. */
static int any_check(struct km_presign *s)
{
	uint32_t set = s->m->participants;
	struct km_scalar w;

	for (unsigned l = 0; l < s->batch; l++)
		km_scalar_zero(&s->w[l]);
	for (unsigned j = km_set_next(set, 0); j; j = km_set_next(set, j)) {
		const uint8_t *row = km_presign_body(s, KM_PRESIGN_M3, j) + 2 * KM_HASH_SIZE;

		for (unsigned l = 0; l < s->batch; l++, row += y4_row(s)) {
			if (km_scalar_decode(s->curve, &w, row)) {
				km_presign_blame(s, j, KM_EV_ENCODING, KM_PRESIGN_M3);
				break;
			}
			km_scalar_add(s->curve, &s->w[l], &s->w[l], &w);
		}
	}
	return KM_OK;
}

static const uint8_t *any_r_enc(const struct km_presign *s, unsigned peer, unsigned l)
{
	return km_presign_body(s, KM_PRESIGN_M3, peer) + 2 * KM_HASH_SIZE + l * y4_row(s) + s->ss;
}

static const uint8_t *any_blind(const struct km_presign *s, unsigned peer)
{
	return km_presign_body(s, KM_PRESIGN_M3, peer) + KM_HASH_SIZE;
}

/* ---- the rounds: the jobs of a round run for one partner after the other, each message leaves as soon as it is made */

static int first_job(struct km_presign *s, unsigned what, struct km_outs *outs)
{
	s->any->at = km_set_next(partners(s), 0);
	return km_presign_job(s, what, outs);
}

static int any_start(struct km_presign *s, struct km_outs *outs)
{
	return first_job(s, KM_JOB_ANY_BASE, outs);
}

static int any_round_done(struct km_presign *s, unsigned round, struct km_outs *outs)
{
	static const unsigned jobs[] = {
	    [KM_ANY_Y1] = KM_JOB_ANY_EXTEND, [KM_ANY_Y2] = KM_JOB_ANY_PAYLOAD, [KM_ANY_Y3] = KM_JOB_ANY_SHARES};

	return first_job(s, jobs[round], outs);
}

/* WHY nothing is opened for it: what came over the channel of its author and is not what that signed is seen by nobody else. */
static int check_received(struct km_presign *s, unsigned round)
{
	int err = km_machine_check_private(s->m, round, s->any->at);

	if (err != KM_E_MISMATCH)
		return err;
	s->spoiled = (uint8_t)s->any->at;
	return KM_OK;
}

static int any_run(struct km_presign *s, unsigned what)
{
	static const uint8_t uses[KM_JOB_LAST + 1] = {
	    [KM_JOB_ANY_EXTEND] = KM_ANY_Y1, [KM_JOB_ANY_PAYLOAD] = KM_ANY_Y2, [KM_JOB_ANY_SHARES] = KM_ANY_Y3};
	unsigned more = km_set_next(partners(s), s->any->at);
	int err = uses[what] ? check_received(s, uses[what]) : KM_OK;

	if (err || s->spoiled)
		return err;
	switch (what) {
	case KM_JOB_ANY_BASE:
		return run_base(s);
	case KM_JOB_ANY_EXTEND:
		return run_extend(s);
	case KM_JOB_ANY_PAYLOAD:
		err = run_payload(s);
		return err || s->fail || more ? err : make_c0(s);
	}
	err = run_shares(s);
	return err || s->fail || more ? err : make_open(s);
}

static int any_worked(struct km_presign *s, unsigned what, struct km_outs *outs)
{
	struct km_any *any = s->any;
	int err = KM_OK;

	switch (what) {
	case KM_JOB_ANY_BASE:
		err = private_send(s, KM_ANY_Y1, outs);
		break;
	case KM_JOB_ANY_EXTEND:
		err = private_send(s, KM_ANY_Y2, outs);
		break;
	case KM_JOB_ANY_PAYLOAD:
		err = private_send(s, KM_ANY_Y3, outs);
		km_machine_trim_private(s->m, KM_ANY_Y2, any->at);
		break;
	default:
		km_machine_trim_private(s->m, KM_ANY_Y3, any->at);
	}
	any->at = km_set_next(partners(s), any->at);
	if (err || any->at)
		return err ? err : km_presign_job(s, what, outs);
	if (what == KM_JOB_ANY_PAYLOAD)
		return km_presign_send(s, KM_PRESIGN_M2, outs);
	return what == KM_JOB_ANY_SHARES ? km_presign_send(s, KM_PRESIGN_M3, outs) : KM_OK;
}

/* ---- replay: one pair after the other, so that one body at a time lies in memory. A pair's messages depend on its two members' seeds
 * alone; sums over the partners do not depend on their order, and everybody meets its partners in ascending order as in a run. */

static int replay_hand(struct km_presign *from, struct km_presign *to, unsigned round, km_any_made_fn made, void *ctx)
{
	struct km_outs outs;
	struct km_out *out;
	uint8_t *raw;
	size_t len;

	km_outs_init(&outs);
	from->any->at = to->m->self;
	int err = private_send(from, round, &outs);
	if (err) {
		km_outs_clear(&outs);
		return err;
	}
	out = km_outs_pop(&outs);
	/* what is fed lies at the beginning of its allocation */
	raw = out->data - out->room;
	len = out->len;
	memmove(raw, out->data, len);
	out->data = NULL;
	km_out_free(out);
	made(ctx, raw);
	return km_machine_feed(to->m, raw, len);
}

static int replay_step(struct km_presign *from, struct km_presign *to, unsigned round, int (*run)(struct km_presign *), km_any_made_fn made,
		       void *ctx)
{
	from->any->at = to->m->self;
	int err = run(from);

	return err || from->fail ? err : replay_hand(from, to, round, made, ctx);
}

/* Both Y1, both Y2. */
static int replay_extend(struct km_presign *a, struct km_presign *b, km_any_made_fn made, void *ctx)
{
	int err = replay_step(a, b, KM_ANY_Y1, run_base, made, ctx);

	if (!err && !a->fail)
		err = replay_step(b, a, KM_ANY_Y1, run_base, made, ctx);
	if (!err && !a->fail && !b->fail)
		err = replay_step(a, b, KM_ANY_Y2, run_extend, made, ctx);
	if (!err && !a->fail && !b->fail)
		err = replay_step(b, a, KM_ANY_Y2, run_extend, made, ctx);
	return err;
}

/* Y3 from Alice, and what Bob does with it. */
static int replay_payload(struct km_presign *alice, struct km_presign *bob, km_any_made_fn made, void *ctx)
{
	int err = replay_step(alice, bob, KM_ANY_Y3, run_payload, made, ctx);

	km_machine_trim_private(alice->m, KM_ANY_Y2, bob->m->self);
	if (err || alice->fail)
		return err;
	bob->any->at = alice->m->self;
	err = run_shares(bob);
	km_machine_trim_private(bob->m, KM_ANY_Y3, alice->m->self);
	return err;
}

int km_any_replay_pair(struct km_presign *a, struct km_presign *b, km_any_made_fn made, void *ctx)
{
	int err = replay_extend(a, b, made, ctx);

	if (!err && !a->fail && !b->fail)
		err = replay_payload(a, b, made, ctx);
	if (!err && !a->fail && !b->fail)
		err = replay_payload(b, a, made, ctx);
	km_machine_trim_private(a->m, KM_ANY_Y1, b->m->self);
	km_machine_trim_private(b->m, KM_ANY_Y1, a->m->self);
	km_secret_free(a->any->link[b->m->self]);
	km_secret_free(b->any->link[a->m->self]);
	a->any->link[b->m->self] = NULL;
	b->any->link[a->m->self] = NULL;
	return err;
}

int km_any_replay_commit(struct km_presign *s, struct km_outs *outs)
{
	km_machine_enter(s->m, KM_ANY_Y3);
	int err = make_c0(s);

	return err ? err : km_presign_send(s, KM_PRESIGN_M2, outs);
}

int km_any_replay_open(struct km_presign *s, struct km_outs *outs)
{
	km_machine_enter(s->m, KM_ANY_Y4);
	int err = make_open(s);

	return err ? err : km_presign_send(s, KM_PRESIGN_M3, outs);
}

const struct km_engine km_engine_any = {
	.number = KM_PRESIGN_ANY,
	.shift = KM_ANY_Y4 - KM_PRESIGN_M3,
	.last_private = KM_ANY_Y3,
	.lists = 3,
	.shape = any_shape,
	.start = any_start,
	.round_done = any_round_done,
	.worked = any_worked,
	.run = any_run,
	.check = any_check,
	.r_enc = any_r_enc,
	.blind = any_blind,
	.wipe = any_wipe,
};
