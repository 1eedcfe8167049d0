/* signer.c: one share of one signature. The order of the steps is that of the protocol's section on signing; the numbers are its.
 *
 * Steps 1 to 7 change nothing. At 8 the presignature is gone from memory for every other purpose, whatever happens after: a
 * repeated SIGN gets the recorded share, never a second computation. */
#include "peer_impl.h"

#include <stdlib.h>
#include <string.h>

#define ASKS_A_SECOND 8

/* ---- records */

static void record_out(struct km_peer *p)
{
	struct km_record *r = p->record_head;

	p->record_head = r->next;
	if (!p->record_head)
		p->record_tail = &p->record_head;
	p->n_records--;
	km_idmap_remove(&p->records, r->presig_id);
	km_admit_unspend(p, r->spend);
	free(r);
}

/* Keeps what was signed. Without memory the share is not repeated, and the presignature is gone all the same. */
struct km_record *km_signer_record(struct km_peer *p, const struct km_req *req, const struct km_presig *ps,
				   const struct km_sign_input *in, const struct km_sign_nonce *nonce, const struct km_scalar *s_i,
				   struct km_key *key)
{
	struct km_record *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	while (p->n_records >= KM_MAX_RECORDS)
		record_out(p);
	memcpy(r->presig_id, ps->id, KM_HASH_SIZE);
	memcpy(r->request_id, in->request_id, KM_HASH_SIZE);
	r->at_us = p->now.mono_us;
	r->context = in->context;
	r->owner = ps->owner;
	r->curve = ps->curve;
	r->scalar_size = (uint8_t)km_curve_scalar_size(ps->curve);
	km_scalar_encode(ps->curve, r->s, s_i);
	km_scalar_encode(ps->curve, r->m, &in->m);
	r->rr = nonce->rr;
	if (km_admit_spent(p, req, key, in->request_id, ps->owner, &r->spend))
		goto fail;
	if (km_idmap_find(&p->records, r->presig_id) || km_idmap_add(&p->records, r)) {
		km_admit_unspend(p, r->spend);
		goto fail;
	}
	*p->record_tail = r;
	p->record_tail = &r->next;
	p->n_records++;
	return r;
fail:
	free(r);
	return NULL;
}

void km_signer_tick(struct km_peer *p)
{
	while (p->record_head && p->now.mono_us - p->record_head->at_us >= KM_RECORD_US)
		record_out(p);
	/* a few seconds late is early enough, and one tick then clears many */
	if (p->record_head)
		km_peer_wake(p, p->record_head->at_us + KM_RECORD_US + 2000000u);
}

void km_signer_free(struct km_peer *p)
{
	while (p->record_head)
		record_out(p);
}

/* ---- SIGN */

static void reply(struct km_peer *p, unsigned to, const uint8_t *presig_id, const uint8_t *request_id, unsigned status,
		  const struct km_record *r)
{
	struct km_share_msg s = {.status = (uint8_t)status};

	memcpy(s.presig_id, presig_id, KM_HASH_SIZE);
	memcpy(s.request_id, request_id, KM_HASH_SIZE);
	if (r) {
		s.n = r->scalar_size;
		memcpy(s.s, r->s, r->scalar_size);
	}
	if (status)
		p->n_refused++;
	km_share_msg_encode(&p->scratch, &s);
	km_peer_send(p, km_peer_addr(to));
}

/* The epoch that a presignature is of: any that is certified and not wiped. WHY not the highest alone: T live peers that share an older
 * one would serve nothing (attack A21). */
static struct km_key *epoch_of(struct km_peer *p, const struct km_sign *m, const struct km_held *h)
{
	struct km_key *top = km_key_by_id(p, m->req.key_id);

	if (!top || !h || !h->key->share->usable || !km_key_same(h->key, top) || !KM_RULE(km_rule_any_epoch))
		return top;
	return h->key;
}

/* Steps 2 to 6 of a canary, which no frontend asks for: the text is the one of this key and quorum, and it is the first time. */
static unsigned admit_canary(struct km_peer *p, const struct km_sign *m, const struct km_held *h, struct km_key **key)
{
	struct km_key *k = epoch_of(p, m, h);
	uint8_t want[KM_HASH_SIZE];

	*key = k;
	if (!km_key_by_id(p, m->req.key_id))
		return KM_STATUS_UNKNOWN_KEY;
	if (!h || !k)
		return KM_STATUS_UNKNOWN_PRESIG;
	km_canary_bytes(k, h->ps->quorum, want);
	if (m->req.frontend || m->req.len != sizeof(want) || memcmp(m->req.data, want, sizeof(want)) != 0)
		return KM_STATUS_CONTEXT;
	return KM_STATUS_OK;
}

/* Step 7. */
static unsigned presig_ok(const struct km_peer *p, const struct km_sign *m, const struct km_held *h, const struct km_key *key,
			  unsigned from)
{
	uint32_t members = p->s->roster.members;

	if (!h || !km_set_has(h->ps->quorum, p->self))
		return KM_STATUS_UNKNOWN_PRESIG;
	if (h->ps->owner != from && KM_RULE(km_rule_presig_owner))
		return KM_STATUS_UNKNOWN_PRESIG;
	if (h->key != key)
		return KM_STATUS_EPOCH;
	/* the owner thinks of an earlier life of ours: it may hold presignatures that we forgot (attack B5) */
	if (memcmp(m->incarnation, p->incarnation, KM_NONCE_SIZE) != 0 && KM_RULE(km_rule_incarnation))
		return KM_STATUS_UNKNOWN_PRESIG;
	if ((h->ps->quorum & ~members) || (h->ps->quorum & km_blame_barred(p, &key->share->table)))
		return KM_STATUS_EPOCH;
	if (p->now.mono_us - h->lot->made_us >= (uint64_t)p->s->presig_age_s * 1000000u)
		return KM_STATUS_UNKNOWN_PRESIG;
	return KM_STATUS_OK;
}

/* Steps 8 to 13. */
static void sign(struct km_peer *p, unsigned from, const struct km_sign *m, const uint8_t request_id[KM_HASH_SIZE],
		 struct km_held *h, struct km_key *key)
{
	struct km_sign_input in = {.context = m->req.context};
	struct km_sign_nonce nonce;
	struct km_scalar s_i;
	struct km_presig *ps, copy;
	unsigned status = KM_STATUS_INTERNAL;

	/* 8 WHY before anything is computed: two requests under one presignature are the key (attack B5) */
	if (KM_RULE(km_rule_burn_first)) {
		ps = km_pool_spend(p, h);
	} else {
		copy = *h->ps;
		ps = &copy;
	}
	/* 9 WHY here and not taken from the aggregator: with its r it could have us sign something else (attack B25) */
	memcpy(in.request_id, request_id, KM_HASH_SIZE);
	int err = km_req_scalar(ps->curve, in.context, m->req.data, m->req.len, &in.m);
	if (!err)
		err = km_sign_nonce(ps, &in, &nonce);
	if (err) {
		status = err == KM_E_DEGENERATE ? KM_STATUS_DEGENERATE : KM_STATUS_INTERNAL;
		goto out;
	}
	/* 10; then 12 before 11: a share that cannot be logged must not be repeated from a record either */
	km_sign_share(ps, &in, &nonce, &s_i);
	if (km_journal_share(p, &m->req, request_id, ps, &key->share->table, &nonce.rr))
		goto out;
	struct km_record *r = km_signer_record(p, &m->req, ps, &in, &nonce, &s_i, key), once;
	if (!r && !KM_RULE(km_rule_burn_first)) {
		/* a second share under one presignature has no place among the records */
		memset(&once, 0, sizeof(once));
		once.scalar_size = (uint8_t)km_curve_scalar_size(ps->curve);
		km_scalar_encode(ps->curve, once.s, &s_i);
		r = &once;
	}
	if (!r)
		goto out;
	/* 13 */
	p->n_signed++;
	reply(p, from, m->presig_id, request_id, KM_STATUS_OK, r);
	goto free_out;
out:
	reply(p, from, m->presig_id, request_id, status, NULL);
free_out:
	if (KM_RULE(km_rule_burn_first))
		km_presig_free(ps);
}

void km_signer_on_sign(struct km_peer *p, unsigned from, const uint8_t *d, size_t n)
{
	uint8_t request_id[KM_HASH_SIZE];
	struct km_sign m;
	struct km_key *key;

	/* 1 */
	if (km_sign_decode(&m, d, n)) {
		km_peer_drop_frame(p, KM_DROP_GARBAGE);
		return;
	}
	km_req_id(&m.req, request_id);
	struct km_held *h = km_idmap_find(&p->presigs, m.presig_id);
	struct km_record *rec = km_idmap_find(&p->records, m.presig_id);
	int again = rec && memcmp(rec->request_id, request_id, KM_HASH_SIZE) == 0 && rec->owner == from;
	/* 2 to 6 */
	unsigned status;
	if (m.req.context == KM_CTX_CANARY && again)
		status = KM_STATUS_OK;
	else if (m.req.context == KM_CTX_CANARY)
		status = admit_canary(p, &m, h, &key);
	else
		status = km_admit_request(p, &m.req, request_id, m.mac, from, &key);
	if (!status && !again && m.req.context != KM_CTX_CANARY)
		key = epoch_of(p, &m, h);
	if (again && (status == KM_STATUS_OK || status == KM_STATUS_RATE)) {
		reply(p, from, m.presig_id, request_id, KM_STATUS_OK, rec);
		return;
	}
	/* 7 */
	if (!status && rec && KM_RULE(km_rule_burn_first))
		status = KM_STATUS_UNKNOWN_PRESIG;
	if (!status)
		status = presig_ok(p, &m, h, key, from);
	if (!status && m.req.context == KM_CTX_CANARY && km_canary_once(key, h->ps->quorum))
		status = KM_STATUS_RATE;
	if (status)
		reply(p, from, m.presig_id, request_id, status, NULL);
	else
		sign(p, from, &m, request_id, h, key);
}

/* ---- RECORD: what a signer puts its name to when its share is called bad */

void km_signer_on_record_ask(struct km_peer *p, unsigned from, const uint8_t *d, size_t n)
{
	struct km_link *l = &p->link[from];
	struct km_record_body body;

	if (n != 1 + 2 * KM_HASH_SIZE) {
		km_peer_drop_frame(p, KM_DROP_GARBAGE);
		return;
	}
	const struct km_record *r = km_idmap_find(&p->records, d + 1);
	const uint8_t *asked = d + 1 + KM_HASH_SIZE;
	/* WHY: its signature under another request than the one it signed would frame it (attack A9) */
	if (!r || r->owner != from || (KM_RULE(km_rule_record_names) && memcmp(r->request_id, asked, KM_HASH_SIZE) != 0))
		return;
	if (!km_bucket_take(&l->relay_tokens, &l->relay_at_us, p->now.mono_us, ASKS_A_SECOND, 2 * ASKS_A_SECOND))
		return;
	memcpy(body.presig_id, r->presig_id, KM_HASH_SIZE);
	memcpy(body.request_id, KM_RULE(km_rule_record_names) ? r->request_id : asked, KM_HASH_SIZE);
	body.context = r->context;
	body.rr = r->rr;
	if (km_scalar_decode(r->curve, &body.m, r->m) || km_scalar_decode(r->curve, &body.s, r->s))
		return;
	km_put_u8(&p->scratch, KM_FRAME_ENVELOPE);
	if (km_record_build(&p->scratch, p->self, (uint8_t)from, r->curve, &body, &p->s->identity))
		km_buf_reset(&p->scratch);
	else
		km_peer_send(p, km_peer_addr(from));
}
