/* judge_record.c: E5, a signer's record of a share that is wrong (layout: ready.h).
 *
 * Everything that decides stands under the signer's own name: the record says what it answered to which request, its READY says what
 * it held for that. WHY only its own: with R, w, epsilon or the points from others, one false message of theirs makes a right share
 * look wrong (attack A20). */
#include "evidence_impl.h"

#include <string.h>
#include "../base/hash.h"
#include "../base/rules.h"
#include "../ec/msm.h"
#include "ready.h"
#include "request.h"

/* The row must be one that the READY has the hash of. */
static int row_of(const struct km_desk *d, const struct km_ready *ready, struct km_ready_row *row)
{
	const struct km_ev_item *it = &d->item[2];
	const uint8_t *said;
	uint8_t leaf[KM_HASH_SIZE];

	if (km_ready_row_get(d->curve, row, it->p, it->len))
		return 0;
	said = km_ready_leaf(ready, row->index);
	km_merkle_leaf(it->p, it->len, leaf);
	return said && memcmp(said, leaf, KM_HASH_SIZE) == 0;
}

/* s R' - (m A' + r (epsilon A' + C')) / w */
static int share_right(const struct km_desk *d, const struct km_record_body *rec, const struct km_ready_row *row,
		       const struct km_scalar *r)
{
	struct km_scalar winv, k, x;
	struct km_msm m;

	km_scalar_inv(d->curve, &winv, &row->w);
	km_scalar_mul(d->curve, &k, r, &row->epsilon);
	km_scalar_add(d->curve, &k, &k, &rec->m);
	km_scalar_mul(d->curve, &k, &k, &winv);
	km_scalar_neg(d->curve, &k, &k);
	km_scalar_mul(d->curve, &x, r, &winv);
	km_scalar_neg(d->curve, &x, &x);
	km_msm_init(&m);
	km_msm_term(&m, &rec->s, &rec->rr);
	km_msm_term(&m, &k, &row->a);
	km_msm_term(&m, &x, &row->c);
	int err = km_msm_check_var(d->curve, &m);
	km_msm_clear(&m);
	return err;
}

/* The request that the record names: its bytes, and so m, cannot be another's. 1 if the record goes with it, 0 if it does not, -1 if
 * it is no request, or not the one named. */
static int fits_request(struct km_desk *d, const struct km_record_body *rec)
{
	uint8_t id[KM_HASH_SIZE];
	struct km_reader r;
	struct km_req req;
	struct km_scalar m;

	km_reader_init(&r, d->item[3].p, d->item[3].len);
	km_req_get(&r, &req);
	if (km_reader_end(&r))
		return -1;
	km_req_id(&req, id);
	if (memcmp(id, rec->request_id, KM_HASH_SIZE) != 0)
		return -1;
	d->v->time_ms = req.time_ms;
	if (req.context != rec->context || memcmp(req.key_id, d->j->table->key_id, KM_HASH_SIZE) != 0)
		return 0;
	if (km_req_scalar(d->curve, req.context, req.data, req.len, &m))
		return -1;
	return km_scalar_equal(&m, &rec->m);
}

static int nonce_of(const struct km_desk *d, const struct km_record_body *rec, const struct km_ready_row *row, struct km_sign_nonce *nonce)
{
	struct km_presig ps = {.quorum = row->quorum, .curve = d->curve, .r = row->r};
	struct km_sign_input in = {.context = rec->context, .m = rec->m};

	memcpy(ps.id, rec->presig_id, KM_HASH_SIZE);
	memcpy(ps.table_hash, d->j->table->hash, KM_HASH_SIZE);
	memcpy(in.request_id, rec->request_id, KM_HASH_SIZE);
	return km_sign_nonce(&ps, &in, nonce);
}

static int judge_share(struct km_desk *d, const struct km_record_body *rec, const struct km_ready_row *row)
{
	const struct km_msg *m = &d->item[0].msg;
	struct km_sign_nonce nonce;
	int fits = fits_request(d, rec);

	if (fits < 0)
		return km_desk_void(d, "the request shown is not the one that the record names");
	if (!fits)
		return km_desk_convict(d, m, m->sender, row->index, "it signed something else than the request it names asks for");
	if (km_scalar_is_zero(&row->w))
		return km_desk_void(d, "no presignature has w = 0");
	/* r = 0: whoever signs burns the presignature */
	if (nonce_of(d, rec, row, &nonce))
		return km_desk_convict(d, m, m->sender, row->index, "it made a share where no share can be made");
	if (!km_point_equal_var(d->curve, &nonce.rr, &rec->rr))
		return km_desk_convict(d, m, m->sender, row->index, "it made a share with a nonce that is not the one of this request");
	int err = share_right(d, rec, row, &nonce.r);
	if (err == KM_E_VERIFY)
		return km_desk_convict(d, m, m->sender, row->index, "its share of the signature is wrong");
	return err ? err : km_desk_void(d, "the share is right");
}

int km_judge_record(struct km_desk *d)
{
	static const uint8_t forms[] = {KM_FORM_WHOLE, KM_FORM_WHOLE, KM_FORM_BYTES, KM_FORM_BYTES, 0};
	const struct km_msg *m = &d->item[0].msg, *rm = &d->item[1].msg;
	uint8_t name[KM_HASH_SIZE];
	struct km_record_body rec;
	struct km_ready_row row;
	struct km_ready ready;

	if (!km_ev_forms(d->ev, 0, forms))
		return km_desk_void(d, "a bad share is shown by a record, a READY, its row, and the request");
	d->curve = d->j->table->curve;
	int err = km_ready_get(&ready, rm);
	if (err == KM_E_NOMEM)
		return err;
	if (err || memcmp(ready.table, d->ev->context, KM_HASH_SIZE) != 0)
		return km_desk_void(d, "the READY is none of this key");
	if (KM_RULE(km_rule_judge_own_ready) && rm->sender != m->sender)
		return km_desk_void(d, "the READY is another peer's");
	if (!km_set_has(d->j->table->members, m->sender))
		return km_desk_void(d, "the signer is no member of the table");
	if (!row_of(d, &ready, &row) || !km_set_has(row.quorum, m->sender))
		return km_desk_void(d, "the row is none of the READY");
	memcpy(d->v->sid, rm->sid, KM_HASH_SIZE);
	km_presig_name(rm->sid, row.index, name);
	err = km_record_get(d->curve, &rec, m);
	if (err == KM_E_NOMEM)
		return err;
	/* no honest signer signs a record that is none */
	if (err == KM_E_ENCODING && m->body_len >= KM_HASH_SIZE && memcmp(m->body, name, KM_HASH_SIZE) == 0)
		return km_desk_convict(d, m, m->sender, row.index, "it signed a record with what is no point or scalar");
	if (err || memcmp(rec.presig_id, name, KM_HASH_SIZE) != 0)
		return km_desk_void(d, "the record is none of this presignature");
	return judge_share(d, &rec, &row);
}
