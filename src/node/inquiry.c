/* inquiry.c: a share was wrong: its author is asked to put its name to what it did (RECORD).
 *
 * The request itself does not wait: it is tried again at once, without the suspect. Here only the blame is settled. A record that is
 * wrong convicts (E5): it, the READY of its author and the request are all it takes. One that is right is not what was sent, and none
 * at all within the time is no answer to a wrong share: a dispute. WHY no mercy for silence here: the wrong share came on our own
 * channel, and no honest peer sends one; a timeout alone never parts anybody. */
#include "peer_impl.h"

#include <stdlib.h>
#include <string.h>

#define INQUIRIES_MAX 32
#define ANSWER_US 2000000u
#define SCORE_BAD (8 * KM_SCORE_UNIT)

static void inquiry_free(struct km_inquiry *q)
{
	if (q->lot)
		q->lot->users--;
	km_presig_free(q->ps);
	free(q);
}

static void accuse(struct km_peer *p, struct km_inquiry *q, unsigned who, int code, const uint8_t *digest)
{
	q->suspects &= ~km_set_bit(who);
	km_dispute_raise(p, who, code, digest, digest ? KM_HASH_SIZE : 0);
}

/* Nothing that is still open stays without a consequence. */
static void close_first(struct km_peer *p)
{
	struct km_inquiry *q = p->inquiries;

	p->inquiries = q->next;
	p->n_inquiries--;
	for (unsigned i = km_set_next(q->suspects, 0); i; i = km_set_next(q->suspects, i))
		accuse(p, q, i, KM_E_UNVERIFIED, NULL);
	inquiry_free(q);
}

void km_inquiry_open(struct km_peer *p, struct km_flight *f, uint32_t suspects)
{
	struct km_inquiry *q, **at;

	suspects &= f->ps->quorum & ~km_set_bit(p->self) & ~p->quarantined;
	for (unsigned i = km_set_next(suspects, 0); i; i = km_set_next(suspects, i))
		km_blame_link(p, p->self, i, SCORE_BAD);
	if (!suspects)
		return;
	q = calloc(1, sizeof(*q) + f->req.len);
	if (!q) {
		for (unsigned i = km_set_next(suspects, 0); i; i = km_set_next(suspects, i))
			km_dispute_raise(p, i, KM_E_UNVERIFIED, NULL, 0);
		return;
	}
	while (p->n_inquiries >= INQUIRIES_MAX)
		close_first(p);
	q->suspects = suspects;
	q->until_us = p->now.mono_us + ANSWER_US;
	q->req = f->req;
	memcpy(q->data, f->req.data, f->req.len);
	q->req.data = q->data;
	memcpy(q->request_id, f->request_id, KM_HASH_SIZE);
	memcpy(q->share, f->share, sizeof(q->share));
	/* the flight goes on with another presignature */
	q->ps = f->ps;
	q->lot = f->lot;
	f->ps = NULL;
	f->lot = NULL;
	for (at = &p->inquiries; *at; at = &(*at)->next)
		;
	*at = q;
	p->n_inquiries++;
	for (unsigned i = km_set_next(suspects, 0); i; i = km_set_next(suspects, i)) {
		km_put_u8(&p->scratch, KM_FRAME_RECORD_ASK);
		km_put_bytes(&p->scratch, q->ps->id, KM_HASH_SIZE);
		km_put_bytes(&p->scratch, q->request_id, KM_HASH_SIZE);
		km_peer_send(p, km_peer_addr(i));
	}
	km_peer_wake(p, q->until_us);
}

/* RECORD, READY with the row, and the request: whoever reads them needs the table only. */
static int convicts(struct km_peer *p, const struct km_inquiry *q, const struct km_msg *record)
{
	struct km_msg ready;
	struct km_buf b, row, req;
	int done = 0;

	km_buf_init(&b);
	km_buf_init(&row);
	km_buf_init(&req);
	km_req_put(&req, &q->req);
	if (!req.err && km_lot_show(q->lot, record->sender, q->ps, &ready, &row) == KM_OK) {
		km_evidence_begin(&b, KM_EV_RECORD, q->ps->table_hash, 4);
		km_evidence_whole(&b, record);
		km_evidence_whole(&b, &ready);
		km_evidence_bytes(&b, row.data, row.len);
		km_evidence_bytes(&b, req.data, req.len);
		if (!b.err)
			done = km_evidence_take(p, p->self, b.data, b.len) > 0;
	}
	km_buf_clear(&b);
	km_buf_clear(&row);
	km_buf_clear(&req);
	return done;
}

void km_inquiry_on_record(struct km_peer *p, unsigned from, const struct km_msg *m)
{
	struct km_inquiry *q = p->inquiries;

	if (m->sender != from || m->recipient != p->self) {
		km_peer_drop_frame(p, KM_DROP_GARBAGE);
		return;
	}
	while (q && (memcmp(q->ps->id, m->sid, KM_HASH_SIZE) != 0 || !km_set_has(q->suspects, from)))
		q = q->next;
	if (!q) {
		km_peer_drop_frame(p, KM_DROP_STALE);
		return;
	}
	if (km_msg_verify_sig(m, p->idkeys[from])) {
		km_peer_drop_frame(p, KM_DROP_SIGNATURE);
		accuse(p, q, from, KM_E_VERIFY, m->digest);
		return;
	}
	if (convicts(p, q, m))
		q->suspects &= ~km_set_bit(from);
	else
		/* its record is right, or of something else: what it sent was not what it stands for */
		accuse(p, q, from, KM_E_UNVERIFIED, m->digest);
}

void km_inquiry_tick(struct km_peer *p)
{
	for (struct km_inquiry **at = &p->inquiries, *q; (q = *at);) {
		if (q->suspects && p->now.mono_us < q->until_us) {
			km_peer_wake(p, q->until_us);
			at = &q->next;
			continue;
		}
		for (unsigned i = km_set_next(q->suspects, 0); i; i = km_set_next(q->suspects, i))
			accuse(p, q, i, KM_E_UNVERIFIED, NULL);
		*at = q->next;
		p->n_inquiries--;
		inquiry_free(q);
	}
}

void km_inquiry_free(struct km_peer *p)
{
	for (struct km_inquiry *q; (q = p->inquiries);) {
		p->inquiries = q->next;
		inquiry_free(q);
	}
	p->n_inquiries = 0;
}
