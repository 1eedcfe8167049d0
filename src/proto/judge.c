/* judge.c: evidence of every kind comes here first: the frame, whose signatures, the run it is about. Then the kind's own judge.
 *
 * A judge has no secret, no clock, no memory of a run: what is not in the evidence does not exist. It convicts nobody unless every step
 * holds; evidence that is wrong anywhere is void and says nothing about who made it. */
#include "evidence_impl.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include "../base/rules.h"

int km_desk_void(struct km_desk *d, const char *why)
{
	d->v->culprit = 0;
	d->v->why = why;
	return KM_OK;
}

int km_desk_convict(struct km_desk *d, const struct km_msg *wrong, unsigned culprit, unsigned index, const char *why)
{
	const struct km_judge *j = d->j;

	/* the peer of this id here may be another than the one who signed */
	if (j->idkeys && memcmp(j->idkeys[culprit], d->idkeys[culprit], KM_IDKEY_SIZE) != 0)
		return km_desk_void(d, "the culprit's identity is not the one of this roster");
	d->v->culprit = culprit;
	d->v->proto = wrong->proto;
	d->v->round = wrong->round;
	d->v->index = index;
	memcpy(d->v->sid, wrong->sid, KM_HASH_SIZE);
	d->v->why = why;
	return KM_OK;
}

/* ---- signatures */

static int nobody(const uint8_t key[KM_IDKEY_SIZE])
{
	static const uint8_t zero[KM_IDKEY_SIZE];

	return memcmp(key, zero, KM_IDKEY_SIZE) == 0;
}

/* Every header in the evidence is signed by whom it names. */
static int all_signed(const struct km_desk *d)
{
	for (unsigned i = 0; i < d->ev->count; i++) {
		const struct km_ev_item *it = &d->ev->item[i];
		const struct km_msg *m = &it->msg;

		if (it->form == KM_FORM_DIGESTS || it->form == KM_FORM_BYTES)
			continue;
		if (m->sender < 1 || m->sender > KM_MAX_PEERS || nobody(d->idkeys[m->sender]) ||
		    km_msg_verify_sig(m, d->idkeys[m->sender]) != KM_OK)
			return 0;
	}
	return 1;
}

/* ---- the run: PROPOSE, all JOINs, and the sid they make */

static int read_propose(struct km_desk *d, const struct km_ev_item *it)
{
	uint8_t sid[KM_HASH_SIZE];
	struct km_shape shape;

	if (it->form != KM_FORM_WHOLE || it->msg.proto != KM_PROTO_SETUP || it->msg.round != KM_SETUP_PROPOSE || it->msg.recipient)
		return KM_E_ENCODING;
	int err = km_setup_get(&d->prop, d->rows, it->msg.body, it->msg.body_len);
	if (err)
		return err;
	shape = km_setup_propose_shape(&d->prop);
	km_setup_propose_sid(it->msg.body, it->msg.body_len, sid);
	if (memcmp(sid, it->msg.sid, KM_HASH_SIZE) != 0)
		return KM_E_MISMATCH;
	return km_msg_check_body(&it->msg, &shape);
}

static int read_join(const struct km_ev_item *it, unsigned purpose, unsigned sender, const uint8_t proposal[KM_HASH_SIZE])
{
	struct km_shape shape = km_setup_join_shape(purpose);
	uint8_t sid[KM_HASH_SIZE];

	if (it->form != KM_FORM_WHOLE || it->msg.proto != KM_PROTO_SETUP || it->msg.round != KM_SETUP_JOIN || it->msg.recipient ||
	    it->msg.sender != sender)
		return KM_E_ENCODING;
	int err = km_msg_check_body(&it->msg, &shape);
	if (err)
		return err;
	km_setup_join_sid(it->msg.body, sid);
	if (KM_RULE(km_rule_judge_sid) && memcmp(it->msg.body, proposal, KM_HASH_SIZE) != 0)
		return KM_E_MISMATCH;
	return memcmp(sid, it->msg.sid, KM_HASH_SIZE) == 0 ? KM_OK : KM_E_MISMATCH;
}

/* KM_E_MISMATCH when what follows is not of the run that PROPOSE and JOINs make. */
static int read_setup(struct km_desk *d)
{
	const struct km_ev *ev = d->ev;
	uint8_t join[KM_MAX_PEERS + 1][KM_HASH_SIZE] = {{0}};
	unsigned at = 1;

	int err = read_propose(d, &ev->item[0]);
	uint32_t set = d->prop.participants;
	for (unsigned i = km_set_next(set, 0); !err && i; i = km_set_next(set, i), at++) {
		err = at < ev->count ? read_join(&ev->item[at], d->prop.purpose, i, ev->item[0].msg.digest) : KM_E_TRUNCATED;
		if (!err)
			memcpy(join[i], ev->item[at].msg.digest, KM_HASH_SIZE);
	}
	if (err || at >= ev->count)
		return err ? err : KM_E_TRUNCATED;
	d->item = ev->item + at;
	d->n = ev->count - at;
	km_setup_sid(ev->item[0].msg.digest, set, (const uint8_t(*)[KM_HASH_SIZE])join, d->sid);
	for (unsigned i = 0; i < d->n; i++) {
		if (d->item[i].form == KM_FORM_DIGESTS || d->item[i].form == KM_FORM_BYTES)
			continue;
		/* WHY: who is in an index's quorum, and so what is right, stands in the proposal and nowhere else. With a proposal of the
		 * accuser's choice an honest message "fails" (attack A25). */
		if (!KM_RULE(km_rule_judge_sid))
			memcpy(d->sid, d->item[i].msg.sid, KM_HASH_SIZE);
		if (memcmp(d->item[i].msg.sid, d->sid, KM_HASH_SIZE) != 0)
			return KM_E_MISMATCH;
	}
	return KM_OK;
}

/* What every honest participant checks before it joins, as far as it decides what is right in the run. */
static int presign_possible(const struct km_desk *d)
{
	const struct km_proposal *pr = &d->prop;
	unsigned n = km_set_size(pr->participants), t = d->j->table->threshold;

	if (pr->participants & ~d->j->table->members)
		return 0;
	if (pr->engine == KM_PRESIGN_ANY ? n != t || pr->batch > km_presign_any_batch_max(d->j->table->curve, t)
					 : pr->engine != KM_PRESIGN_MAJORITY || n < 2 * t - 1)
		return 0;
	for (unsigned l = 0; l < pr->batch; l++)
		if (km_set_size(d->rows[l].quorum) != t || (d->rows[l].quorum & ~pr->participants) ||
		    !km_set_has(d->rows[l].quorum, d->rows[l].owner))
			return 0;
	return 1;
}

/* ---- E1 */

/* PROPOSE, JOIN and DISPUTE name their content in their sid field, and a peer may sign many of them; gossip is not signed. */
static int exclusive(unsigned proto)
{
	return proto == KM_PROTO_DKG || proto == KM_PROTO_RESHARE || proto == KM_PROTO_MAJORITY || proto == KM_PROTO_ANY ||
	       proto == KM_PROTO_READY || proto == KM_PROTO_RECORD;
}

static int judge_equivocation(struct km_desk *d)
{
	static const uint8_t two[] = {KM_FORM_HEADER, KM_FORM_HEADER, 0};
	const struct km_msg *a = &d->item[0].msg, *b = &d->item[1].msg;

	if (!km_ev_forms(d->ev, 0, two))
		return km_desk_void(d, "equivocation is shown by two signed headers");
	if (!exclusive(a->proto))
		return km_desk_void(d, "of this kind of message a peer may sign any number");
	if (a->proto != b->proto || a->round != b->round || a->sender != b->sender || memcmp(a->sid, b->sid, KM_HASH_SIZE) != 0)
		return km_desk_void(d, "the two messages have different places in the protocol");
	/* a record is signed again for whoever owns the presignature; what it says is the same each time */
	if (a->proto == KM_PROTO_RECORD) {
		if (memcmp(a->root, b->root, KM_HASH_SIZE) == 0)
			return km_desk_void(d, "the two records say the same");
		return km_desk_convict(d, b, b->sender, UINT_MAX, "it signed two different shares made of one presignature");
	}
	if (a->recipient != b->recipient)
		return km_desk_void(d, "the two messages have different recipients");
	if (memcmp(a->digest, b->digest, KM_HASH_SIZE) == 0)
		return km_desk_void(d, "both messages have the same content");
	return km_desk_convict(d, b, b->sender, UINT_MAX, "it signed two different messages for one place in one run");
}

/* ---- dispatch */

static int with_run(struct km_desk *d)
{
	const struct km_judge *j = d->j;

	int err = read_setup(d);
	if (err == KM_E_NOMEM)
		return err;
	if (err)
		return km_desk_void(d, err == KM_E_MISMATCH ? "the messages are not of the run that the proposal and the joins make"
							    : "the proposal and the joins are not complete");
	d->v->participants = d->prop.participants;
	d->v->time_ms = d->prop.time_ms;
	memcpy(d->v->sid, d->sid, KM_HASH_SIZE);
	if (memcmp(d->prop.hash, d->ev->context, KM_HASH_SIZE) != 0)
		return km_desk_void(d, "the run is of another key or roster than the evidence names");
	if (d->prop.purpose == KM_PURPOSE_DKG) {
		if (j->roster && memcmp(j->roster, d->ev->context, KM_HASH_SIZE) != 0)
			return km_desk_void(d, "the roster given is not the one the evidence names");
		d->curve = km_curve_by_id(d->prop.curve);
		return d->curve ? km_judge_dkg(d) : km_desk_void(d, "no such curve");
	}
	if (d->prop.purpose == KM_PURPOSE_RESHARE)
		return km_judge_reshare(d);
	if (!j->table || !presign_possible(d))
		return km_desk_void(d, "no honest peer joins such a run");
	d->curve = j->table->curve;
	return d->ev->kind == KM_EV_OPENED ? km_judge_opened(d) : km_judge_presign(d);
}

/* Old members are whom their table says, new ones whom the roster says; which of them is a new member, PROPOSE says. */
static void with_joiners(struct km_desk *d)
{
	const struct km_judge *j = d->j;

	memcpy(d->people, j->table->idkeys, sizeof(d->people));
	for (unsigned i = 1; j->idkeys && i <= KM_MAX_PEERS; i++)
		if (!km_set_has(j->table->members, i))
			memcpy(d->people[i], j->idkeys[i], KM_IDKEY_SIZE);
	d->idkeys = (const uint8_t(*)[KM_IDKEY_SIZE])d->people;
}

static int judge(struct km_desk *d)
{
	const struct km_judge *j = d->j;
	const struct km_ev *ev = d->ev;
	int named = j->table && memcmp(j->table->hash, ev->context, KM_HASH_SIZE) == 0;
	int shown = km_evidence_has_setup(ev->kind) && ev->item[0].form == KM_FORM_WHOLE && ev->item[0].msg.body_len;
	int purpose = shown ? ev->item[0].msg.body[0] : 0;
	/* a key generation has no table yet */
	int needs = ev->kind == KM_EV_RECORD || purpose == KM_PURPOSE_PRESIGN || purpose == KM_PURPOSE_RESHARE;

	if (needs && !named)
		return km_desk_void(d, j->table ? "the table given is not the one the evidence names" : "a table is needed to judge this");
	d->idkeys = named ? j->table->idkeys : j->idkeys;
	if (named && (purpose == KM_PURPOSE_RESHARE || (ev->kind == KM_EV_EQUIVOCATION && ev->item[0].msg.proto == KM_PROTO_RESHARE)))
		with_joiners(d);
	if (!d->idkeys)
		return km_desk_void(d, "identities are needed to judge this");
	if (!all_signed(d))
		return km_desk_void(d, "a signature in it is not the named peer's");
	if (km_evidence_has_setup(ev->kind))
		return with_run(d);
	return ev->kind == KM_EV_RECORD ? km_judge_record(d) : judge_equivocation(d);
}

int km_evidence_judge(const uint8_t *p, size_t len, const struct km_judge *j, struct km_verdict *v)
{
	struct km_ev ev;
	struct km_desk *d;

	memset(v, 0, sizeof(*v));
	v->index = UINT_MAX;
	v->why = "it is damaged, cut off, or no evidence at all";
	int err = km_ev_read(&ev, p, len);
	if (err)
		return err == KM_E_NOMEM ? err : KM_OK;
	v->kind = ev.kind;
	d = calloc(1, sizeof(*d));
	err = KM_E_NOMEM;
	if (d) {
		d->j = j;
		d->ev = &ev;
		d->v = v;
		d->item = ev.item;
		d->n = ev.count;
		err = judge(d);
	}
	if (err)
		v->culprit = 0;
	free(d);
	km_ev_clear(&ev);
	return err;
}

int km_evidence_accused(const uint8_t *p, size_t len, unsigned *accused)
{
	struct km_ev ev;
	int err = km_ev_read(&ev, p, len);

	*accused = 0;
	if (err)
		return err == KM_E_NOMEM ? err : KM_OK;
	for (unsigned i = 0; i < ev.count && !*accused; i++) {
		const struct km_ev_item *it = &ev.item[i];

		if (ev.kind == KM_EV_OPENED && it->form == KM_FORM_BYTES && it->len == 1)
			*accused = it->p[0];
		else if (ev.kind == KM_EV_C3_PROOF && (it->form == KM_FORM_WHOLE || it->form == KM_FORM_ROWS) &&
			 it->msg.proto != KM_PROTO_SETUP)
			*accused = it->msg.sender;
	}
	km_ev_clear(&ev);
	return KM_OK;
}
