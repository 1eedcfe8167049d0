/* judge_presign.c: evidence about presign runs: E2, E3, E4, E6, E7. */
#include "presign_impl.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include "../base/hash.h"
#include "../base/rules.h"
#include "../ec/msm.h"
#include "../zk/dlog.h"
#include "evidence_impl.h"
#include "judge_presign.h"
#include "vole.h"

/* ---- the public side of a run: who is in which index, and with it every shape */

void km_presign_public_free(struct km_presign *s)
{
	if (!s)
		return;
	free(s->index);
	free(s->own_pos);
	free(s);
}

struct km_presign *km_presign_public(const struct km_curve *c, unsigned engine, unsigned threshold, uint32_t participants, unsigned batch,
				     const struct km_presign_row *rows)
{
	struct km_presign *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->engine = engine == KM_PRESIGN_ANY ? &km_engine_any : &km_engine_majority;
	s->curve = c;
	s->ss = km_curve_scalar_size(c);
	s->ps = km_curve_point_size(c);
	s->t = threshold - 1;
	s->n = km_set_size(participants);
	s->batch = batch;
	s->extracted = s->n - s->t;
	s->groups = (batch + s->extracted) / s->extracted;
	s->any_column = km_ot_column_size((size_t)batch * km_vole_xi(c));
	s->index = calloc(batch, sizeof(*s->index));
	s->own_pos = calloc(KM_MAX_PEERS + 1, sizeof(*s->own_pos));
	if (!s->index || !s->own_pos) {
		km_presign_public_free(s);
		return NULL;
	}
	for (unsigned l = 0; l < batch; l++) {
		s->index[l].quorum = rows[l].quorum;
		s->index[l].owner = rows[l].owner;
		for (unsigned j = km_set_next(rows[l].quorum, 0); j; j = km_set_next(rows[l].quorum, j))
			s->own_pos[j][l] = (uint16_t)s->own_n[j]++;
	}
	return s;
}

/* The index at a position among a peer's own; batch if there is none. */
static unsigned index_at(const struct km_presign *s, unsigned peer, unsigned pos)
{
	unsigned l;

	for (l = 0; l < s->batch; l++)
		if (km_set_has(s->index[l].quorum, peer) && s->own_pos[peer][l] == pos)
			break;
	return l;
}

/* Where R_i stands in a row of M3 or Y4. */
static size_t r_at(const struct km_presign *s)
{
	return s->engine == &km_engine_any ? s->ss : 2 * s->ss;
}

/* ---- judging */

/* Is it a message of this run at this place? wire 0: any. */
static int is_of(const struct km_desk *d, const struct km_presign *s, const struct km_msg *m, unsigned wire, int secret)
{
	unsigned proto = s->engine == &km_engine_any ? KM_PROTO_ANY : KM_PROTO_MAJORITY;

	if (m->proto != proto || (wire && m->round != wire) || m->round < 1 || m->round > km_presign_wire(s, KM_PRESIGN_C4) ||
	    !km_set_has(d->prop.participants, m->sender))
		return 0;
	return secret ? km_set_has(d->prop.participants, m->recipient) && m->recipient != m->sender : !m->recipient;
}

/* E2: one leaf of one message. */
static int judge_encoding(struct km_desk *d, const struct km_presign *s)
{
	static const uint8_t forms[] = {KM_FORM_ROWS, 0};
	const struct km_msg *m = &d->item[0].msg;
	struct km_shape shape;
	struct km_ev_leaf l;

	if (!km_ev_forms(d->ev, d->ev->count - d->n, forms) || d->item[0].n != 1 || !is_of(d, s, m, 0, m->recipient != 0) ||
	    km_presign_shape_of(s, m, &shape))
		return km_desk_void(d, "it does not show one row of one message of the run");
	km_ev_leaf(&d->item[0], 0, &l);
	if (!km_ev_shown(&d->item[0], &shape, l.leaf))
		return km_desk_void(d, "the row shown is not the one that was signed");
	if (km_presign_leaf_ok(s, m, l.leaf, l.p, l.len))
		return km_desk_void(d, "the row shown is encoded as it must be");
	return km_desk_convict(d, m, m->sender, UINT_MAX, "it signed a message with what is no point or scalar where one must be");
}

/* What the author of a C3 saw of one index. */
struct seen {
	uint8_t r_enc[KM_POINT_MAX], w_enc[KM_SCALAR_MAX];
	struct km_point r;
};

/* The broadcasts before C3, by round and sender, hash into its author's prev. *m3: where those of M3 stand. */
static int in_view(const struct km_desk *d, const struct km_presign *s, const struct km_ev_item *list, const uint8_t *prev,
		   const uint8_t **m3)
{
	unsigned n = (s->engine->lists - 1) * s->n;
	uint8_t want[KM_HASH_SIZE];
	struct km_hash h;

	if (list->n != n)
		return 0;
	*m3 = list->p + (size_t)(n - s->n) * KM_HASH_SIZE;
	km_hash_init(&h, "round");
	km_hash_field(&h, d->sid, KM_HASH_SIZE);
	for (unsigned i = 0; i < n; i++)
		km_hash_field(&h, list->p + (size_t)i * KM_HASH_SIZE, KM_HASH_SIZE);
	km_hash_final(&h, want);
	/* WHY: under another view of w and R an honest proof is false (attack A15) */
	return !KM_RULE(km_rule_judge_view) || memcmp(want, prev, KM_HASH_SIZE) == 0;
}

/* w and R of index l from the rows of M3 or Y4. 0 if they are not all there or give none. */
static int see(const struct km_desk *d, const struct km_presign *s, unsigned l, const uint8_t *m3, struct seen *out)
{
	struct km_scalar lambda[KM_MAX_PEERS], w, x;
	const struct km_ev_item *it = d->item + 2;
	struct km_shape shape;
	struct km_point ri;

	km_scalar_zero(&w);
	km_point_identity(s->curve, &out->r);
	km_shamir_lagrange_all(s->curve, lambda, d->prop.participants, 0);
	for (unsigned j = km_set_next(d->prop.participants, 0), at = 0; j; j = km_set_next(d->prop.participants, j), at++, it++) {
		if (it->form != KM_FORM_ROWS || !is_of(d, s, &it->msg, km_presign_wire(s, KM_PRESIGN_M3), 0) || it->msg.sender != j ||
		    memcmp(it->msg.digest, m3 + (size_t)at * KM_HASH_SIZE, KM_HASH_SIZE) != 0 || km_presign_shape_of(s, &it->msg, &shape))
			return 0;
		const uint8_t *row = km_ev_shown(it, &shape, 1 + l);
		if (!row || km_scalar_decode(s->curve, &x, row))
			return 0;
		if (s->engine == &km_engine_majority)
			km_scalar_mul(s->curve, &x, &x, &lambda[at]);
		km_scalar_add(s->curve, &w, &w, &x);
		if (!km_set_has(s->index[l].quorum, j))
			continue;
		if (km_point_decode_var(s->curve, &ri, row + r_at(s)))
			return 0;
		km_point_add(s->curve, &out->r, &out->r, &ri);
	}
	if (km_scalar_is_zero(&w) || km_point_encode_var(s->curve, out->r_enc, &out->r))
		return 0;
	km_scalar_encode(s->curve, out->w_enc, &w);
	return 1;
}

/* U + e A' + e^2 C' - z R. row: A' | C' | V | U | z. KM_E_ENCODING when it is no such row. */
static int check_proof(const struct km_desk *d, const struct km_presign *s, unsigned author, unsigned l, const struct seen *seen,
		       const uint8_t *row)
{
	struct km_point a, c, v, u;
	struct km_scalar e, ee, z, one;
	struct km_msm m;

	if (km_point_decode_var(s->curve, &a, row) || km_point_decode_var(s->curve, &c, row + s->ps) ||
	    km_point_decode_var(s->curve, &v, row + 2 * s->ps) || km_point_decode_var(s->curve, &u, row + 3 * s->ps) ||
	    km_scalar_decode(s->curve, &z, row + 4 * s->ps))
		return KM_E_ENCODING;
	km_certify_challenge(s->curve, &e, d->sid, l, author, seen->r_enc, seen->w_enc, row);
	km_scalar_mul(s->curve, &ee, &e, &e);
	km_scalar_neg(s->curve, &z, &z);
	km_scalar_set_u32(&one, 1);
	km_msm_init(&m);
	km_msm_term(&m, &one, &u);
	km_msm_term(&m, &e, &a);
	km_msm_term(&m, &ee, &c);
	km_msm_term(&m, &z, &seen->r);
	int err = km_msm_check_var(s->curve, &m);
	km_msm_clear(&m);
	return err;
}

static int judge_tuple_proof(struct km_desk *d, const struct km_presign *s)
{
	const struct km_msg *c3 = &d->item[0].msg;
	const uint8_t *head, *row, *m3;
	struct km_shape shape;
	struct km_ev_leaf leaf;
	struct seen seen;

	if (d->n != 2 + s->n || d->item[1].form != KM_FORM_DIGESTS || d->item[0].n != 2 ||
	    !is_of(d, s, c3, km_presign_wire(s, KM_PRESIGN_C3), 0) || km_presign_shape_of(s, c3, &shape))
		return km_desk_void(d, "it does not show a proof with its author's view");
	km_ev_leaf(&d->item[0], 1, &leaf);
	head = km_ev_shown(&d->item[0], &shape, 0);
	row = km_ev_shown(&d->item[0], &shape, leaf.leaf);
	if (!head || !row)
		return km_desk_void(d, "the row shown is not the one that was signed");
	unsigned l = index_at(s, c3->sender, leaf.leaf - 1);
	if (!in_view(d, s, &d->item[1], head, &m3))
		return km_desk_void(d, "the view shown is not its author's");
	if (l >= s->batch || !see(d, s, l, m3, &seen))
		return km_desk_void(d, "what the author saw of w and R is not shown");
	int err = check_proof(d, s, c3->sender, l, &seen, row);
	if (err == KM_E_VERIFY)
		return km_desk_convict(d, c3, c3->sender, l, "its proof of what it used in a presignature is false");
	return err == KM_E_NOMEM ? err : km_desk_void(d, "the proof holds");
}

/* U + sum e^l V_l - z G over all V of a C3. */
static int check_v(const struct km_desk *d, const struct km_presign *s, const struct km_msg *c3, const struct km_shape *shape)
{
	unsigned n = s->own_n[c3->sender];
	uint8_t *column = malloc(n * s->ps + 1);
	struct km_dlog_proof proof;
	struct km_scalar e, x;
	struct km_point v;
	struct km_msm m;
	struct km_hash h;
	int err = column ? km_dlog_decode(s->curve, &proof, c3->body + KM_HASH_SIZE) : KM_E_NOMEM;

	km_msm_init(&m);
	for (unsigned i = 0; i < n && !err; i++)
		memcpy(column + i * s->ps, c3->body + shape->head + (size_t)i * shape->row + 2 * s->ps, s->ps);
	if (!err) {
		km_certify_v_prefix(&h, d->sid, c3->sender);
		err = km_dlog_batch_challenge(s->curve, &e, &proof, column, n, &h);
	}
	km_scalar_set_u32(&x, 1);
	if (!err)
		km_msm_term(&m, &x, &proof.u);
	for (unsigned i = 0; i < n && !err; i++) {
		km_scalar_mul(s->curve, &x, &x, &e);
		err = km_point_decode_var(s->curve, &v, column + i * s->ps);
		km_msm_term(&m, &x, &v);
	}
	if (!err) {
		km_scalar_neg(s->curve, &x, &proof.z);
		km_msm_term_g(s->curve, &m, &x);
		err = km_msm_check_var(s->curve, &m);
	}
	km_msm_clear(&m);
	free(column);
	return err;
}

static int judge_v_proof(struct km_desk *d, const struct km_presign *s)
{
	const struct km_msg *c3 = &d->item[0].msg;
	struct km_shape shape;

	if (!is_of(d, s, c3, km_presign_wire(s, KM_PRESIGN_C3), 0) || km_presign_shape_of(s, c3, &shape) || !s->own_n[c3->sender])
		return km_desk_void(d, "it does not show a proof of the run");
	int err = km_msg_check_body(c3, &shape);
	if (err)
		return err == KM_E_NOMEM ? err : km_desk_void(d, "the body shown is not the one that was signed");
	err = check_v(d, s, c3, &shape);
	if (err == KM_E_VERIFY)
		return km_desk_convict(d, c3, c3->sender, UINT_MAX, "its proof of all its v of the run is false");
	return err == KM_E_NOMEM ? err : km_desk_void(d, "the proof holds");
}

/* E3 */
static int judge_c3(struct km_desk *d, const struct km_presign *s)
{
	if (d->n == 1 && d->item[0].form == KM_FORM_WHOLE)
		return judge_v_proof(d, s);
	if (d->item[0].form == KM_FORM_ROWS)
		return judge_tuple_proof(d, s);
	return km_desk_void(d, "it does not show a proof of the run");
}

/* E4: epsilon_j G = lambda_j X_j - V_j. */
static int judge_epsilon(struct km_desk *d, const struct km_presign *s)
{
	static const uint8_t forms[] = {KM_FORM_ROWS, KM_FORM_ROWS, 0};
	const struct km_msg *c4 = &d->item[0].msg, *c3 = &d->item[1].msg;
	const uint8_t *e_enc, *v_enc;
	struct km_scalar e, lambda, one;
	struct km_shape s4, s3;
	struct km_ev_leaf leaf;
	struct km_point v;
	struct km_msm m;

	if (!km_ev_forms(d->ev, d->ev->count - d->n, forms) || d->item[0].n != 1 || d->item[1].n != 1 ||
	    !is_of(d, s, c4, km_presign_wire(s, KM_PRESIGN_C4), 0) || !is_of(d, s, c3, km_presign_wire(s, KM_PRESIGN_C3), 0) ||
	    c3->sender != c4->sender || km_presign_shape_of(s, c4, &s4) || km_presign_shape_of(s, c3, &s3))
		return km_desk_void(d, "it does not show an epsilon and the V it belongs to");
	km_ev_leaf(&d->item[0], 0, &leaf);
	unsigned l = leaf.leaf ? index_at(s, c4->sender, leaf.leaf - 1) : s->batch;
	e_enc = km_ev_shown(&d->item[0], &s4, leaf.leaf);
	v_enc = km_ev_shown(&d->item[1], &s3, leaf.leaf);
	if (l >= s->batch || !e_enc || !v_enc || km_scalar_decode(s->curve, &e, e_enc) ||
	    km_point_decode_var(s->curve, &v, v_enc + 2 * s->ps))
		return km_desk_void(d, "the rows shown are not those that were signed");
	km_shamir_lagrange(s->curve, &lambda, s->index[l].quorum, c4->sender, 0);
	km_scalar_neg(s->curve, &lambda, &lambda);
	km_scalar_set_u32(&one, 1);
	km_msm_init(&m);
	km_msm_term_g(s->curve, &m, &e);
	km_msm_term(&m, &lambda, &d->j->table->xi[c4->sender]);
	km_msm_term(&m, &one, &v);
	int err = km_msm_check_var(s->curve, &m);
	km_msm_clear(&m);
	if (err == KM_E_VERIFY)
		return km_desk_convict(d, c4, c4->sender, l, "the epsilon it signed does not belong to its key share and its V");
	return err ? err : km_desk_void(d, "the epsilon is right");
}

/* E6 */
static int judge_list(struct km_desk *d, const struct km_presign *s)
{
	static const uint8_t forms[] = {KM_FORM_HEADER, KM_FORM_WHOLE, 0};
	const struct km_msg *m1 = &d->item[0].msg, *list = &d->item[1].msg;
	struct km_shape shape;

	if (!km_ev_forms(d->ev, d->ev->count - d->n, forms) || s->engine != &km_engine_majority || !is_of(d, s, m1, KM_PRESIGN_M1, 1) ||
	    !is_of(d, s, list, KM_PRESIGN_M1, 0) || list->sender != m1->sender || km_presign_shape_of(s, list, &shape))
		return km_desk_void(d, "it does not show a private message and its author's list");
	int err = km_msg_check_body(list, &shape);
	if (err)
		return err == KM_E_NOMEM ? err : km_desk_void(d, "the body shown is not the one that was signed");
	unsigned at = km_set_pos(d->prop.participants & ~km_set_bit(m1->sender), m1->recipient);
	if (memcmp(list->body + (size_t)at * KM_HASH_SIZE, m1->root, KM_HASH_SIZE) == 0)
		return km_desk_void(d, "the private message is the one in the list");
	return km_desk_convict(d, m1, m1->sender, UINT_MAX, "it dealt to one participant something else than it listed for all");
}

/* E7 */
static int judge_c0(struct km_desk *d, const struct km_presign *s)
{
	static const uint8_t forms[] = {KM_FORM_WHOLE, KM_FORM_WHOLE, 0};
	const struct km_msg *m2 = &d->item[0].msg, *m3 = &d->item[1].msg;
	uint8_t c0[KM_HASH_SIZE], *all;
	struct km_shape s2, s3;
	unsigned at = 0;

	if (!km_ev_forms(d->ev, d->ev->count - d->n, forms) || !is_of(d, s, m2, km_presign_wire(s, KM_PRESIGN_M2), 0) ||
	    !is_of(d, s, m3, km_presign_wire(s, KM_PRESIGN_M3), 0) || m2->sender != m3->sender || km_presign_shape_of(s, m2, &s2) ||
	    km_presign_shape_of(s, m3, &s3))
		return km_desk_void(d, "it does not show a commitment and its opening");
	int err = km_msg_check_body(m2, &s2);
	if (!err)
		err = km_msg_check_body(m3, &s3);
	if (err)
		return err == KM_E_NOMEM ? err : km_desk_void(d, "the body shown is not the one that was signed");
	all = malloc(s->own_n[m3->sender] * s->ps + 1);
	if (!all)
		return KM_E_NOMEM;
	for (unsigned l = 0; l < s->batch; l++)
		if (km_set_has(s->index[l].quorum, m3->sender))
			memcpy(all + s->ps * at++, m3->body + s3.head + (size_t)l * s3.row + r_at(s), s->ps);
	/* prev | blind in both engines */
	km_certify_c0(d->sid, m3->sender, m3->body + KM_HASH_SIZE, all, at * s->ps, c0);
	free(all);
	if (memcmp(c0, m2->body + KM_HASH_SIZE, KM_HASH_SIZE) == 0)
		return km_desk_void(d, "the opening is what was committed to");
	return km_desk_convict(d, m3, m3->sender, UINT_MAX, "the R it opened are not those it had committed to");
}

int km_judge_presign(struct km_desk *d)
{
	struct km_presign *s = km_presign_public(d->curve, d->prop.engine, d->j->table->threshold, d->prop.participants, d->prop.batch, d->rows);
	int err;

	if (!s)
		return KM_E_NOMEM;
	switch (d->ev->kind) {
	case KM_EV_ENCODING:
		err = judge_encoding(d, s);
		break;
	case KM_EV_C3_PROOF:
		err = judge_c3(d, s);
		break;
	case KM_EV_EPSILON:
		err = judge_epsilon(d, s);
		break;
	case KM_EV_LIST_ROOT:
		err = judge_list(d, s);
		break;
	case KM_EV_OPENING:
		err = judge_c0(d, s);
		break;
	default:
		err = km_desk_void(d, "this kind of evidence is about key generations");
	}
	km_presign_public_free(s);
	return err;
}
