/* journal.c: what this peer writes into its audit log, as drafts (audit/entry.h). An effect that memory has no room for stays empty and
 * does no harm; whoever asked for it must not let out what it was about. */
#include "peer_impl.h"

#include <string.h>
#include "../audit/entry.h"

static int put(struct km_peer *p, const struct km_audit_entry *e)
{
	struct km_effect *fx = km_effects_add(p->fx, KM_EFFECT_AUDIT);
	struct km_buf b;

	if (!fx)
		return KM_E_NOMEM;
	km_buf_init(&b);
	km_buf_reserve(&b, 384);
	int err = km_audit_draft(&b, e);
	fx->data = km_buf_take(&b, &fx->len);
	km_buf_clear(&b);
	return fx->data ? err : KM_E_NOMEM;
}

int km_journal_share(struct km_peer *p, const struct km_req *req, const uint8_t request_id[KM_HASH_SIZE], const struct km_presig *ps,
		     const struct km_table *t, const struct km_point *rr)
{
	struct km_audit_entry e = {.kind = KM_AUDIT_SHARE, .time_ms = p->now.wall_ms};
	struct km_audit_share *s = &e.u.share;

	int err = km_sha2(256, req->data, req->len, s->bytes_hash);
	KM_ASSERT(!err);
	memcpy(s->presig_id, ps->id, KM_HASH_SIZE);
	memcpy(s->request_id, request_id, KM_HASH_SIZE);
	memcpy(s->key_id, t->key_id, KM_HASH_SIZE);
	memcpy(s->table, t->hash, KM_HASH_SIZE);
	s->epoch = t->number;
	s->context = req->context;
	s->frontend = req->frontend;
	s->owner = ps->owner;
	s->quorum = ps->quorum;
	s->n = (uint8_t)km_curve_point_size(ps->curve);
	err = km_point_encode_var(ps->curve, s->rr, rr);
	return err ? err : put(p, &e);
}

int km_journal_signature(struct km_peer *p, const struct km_reply *r, const uint8_t request_id[KM_HASH_SIZE])
{
	struct km_audit_entry e = {.kind = KM_AUDIT_SIGNATURE, .time_ms = p->now.wall_ms};
	struct km_audit_signature *s = &e.u.signature;

	memcpy(s->presig_id, r->presig_id, KM_HASH_SIZE);
	memcpy(s->request_id, request_id, KM_HASH_SIZE);
	s->n = r->n;
	memcpy(s->r, r->r, r->n);
	memcpy(s->s, r->s, r->n);
	return put(p, &e);
}

void km_journal_epoch(struct km_peer *p, enum km_audit_purpose purpose, enum km_audit_epoch_what what, const struct km_table *t)
{
	struct km_audit_entry e = {.kind = KM_AUDIT_EPOCH, .time_ms = p->now.wall_ms};
	struct km_audit_epoch *s = &e.u.epoch;

	s->purpose = (uint8_t)purpose;
	s->what = (uint8_t)what;
	memcpy(s->key_id, t->key_id, KM_HASH_SIZE);
	memcpy(s->table, t->hash, KM_HASH_SIZE);
	s->epoch = t->number;
	s->threshold = (uint8_t)t->threshold;
	s->members = t->members;
	memcpy(s->name, t->name, sizeof(s->name));
	(void)!put(p, &e);
}

void km_journal_keygen_failed(struct km_peer *p, const char *name, unsigned threshold)
{
	struct km_audit_entry e = {.kind = KM_AUDIT_EPOCH, .time_ms = p->now.wall_ms};

	e.u.epoch.purpose = KM_AUDIT_KEYGEN;
	e.u.epoch.what = KM_AUDIT_FAILED;
	e.u.epoch.threshold = (uint8_t)threshold;
	km_format(e.u.epoch.name, sizeof(e.u.epoch.name), "%s", name);
	(void)!put(p, &e);
}

void km_journal_quarantine(struct km_peer *p, enum km_audit_quarantine_what what, unsigned peer, unsigned evidence, const uint8_t *digest)
{
	struct km_audit_entry e = {.kind = KM_AUDIT_QUARANTINE, .time_ms = p->now.wall_ms};

	e.u.quarantine.what = (uint8_t)what;
	e.u.quarantine.peer = (uint8_t)peer;
	e.u.quarantine.evidence = (uint8_t)evidence;
	if (digest)
		memcpy(e.u.quarantine.digest, digest, KM_HASH_SIZE);
	(void)!put(p, &e);
}

void km_journal_process(struct km_peer *p, enum km_audit_process_what what, const char *text)
{
	struct km_audit_entry e = {.kind = KM_AUDIT_PROCESS, .time_ms = p->now.wall_ms};

	e.u.process.what = (uint8_t)what;
	km_format(e.u.process.text, sizeof(e.u.process.text), "%s", text);
	(void)!put(p, &e);
}

void km_journal_witness(struct km_peer *p, enum km_audit_witness_what what, unsigned peer, const struct km_checkpoint *seen,
			const struct km_checkpoint *said)
{
	struct km_audit_entry e = {.kind = KM_AUDIT_WITNESS, .time_ms = p->now.wall_ms};
	struct km_audit_witness *s = &e.u.witness;

	s->what = (uint8_t)what;
	s->peer = (uint8_t)peer;
	s->seen_size = seen->size;
	memcpy(s->seen_root, seen->root, KM_HASH_SIZE);
	s->said_size = said->size;
	memcpy(s->said_root, said->root, KM_HASH_SIZE);
	(void)!put(p, &e);
}
