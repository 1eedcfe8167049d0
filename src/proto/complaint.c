/* complaint.c: judging the messages of a DKG or reshare run: complaints in the dealer's view, and evidence of every kind that these
 * protocols emit. */
#include "dkg_impl.h"
#include "evidence_impl.h"

#include <stdlib.h>
#include <string.h>
#include "../base/hash.h"
#include "../base/rules.h"
#include "../base/secret.h"

void km_dkg_complaint_hash(struct km_hash *h, const struct km_dkg_group *g, unsigned author, unsigned accused)
{
	km_hash_init(h, "dkg-complaint");
	km_hash_field(h, g->sid, KM_HASH_SIZE);
	km_hash_u8(h, (uint8_t)author);
	km_hash_u8(h, (uint8_t)accused);
}

/* A header of this run at this place, signed by whom it names. */
int km_dkg_check_header(const struct km_dkg_group *g, const struct km_msg *m, unsigned round, unsigned sender)
{
	if (m->proto != km_dkg_proto(g) || m->round != round || m->sender != sender || m->recipient != 0 ||
	    memcmp(m->sid, g->sid, KM_HASH_SIZE) != 0 || !km_set_has(g->participants, sender))
		return KM_E_STALE;
	return km_msg_verify_sig(m, g->idkeys[sender]);
}

int km_dkg_check_envelope(const struct km_dkg_group *g, const struct km_msg *m, unsigned round, unsigned sender,
			  const struct km_shape *shape)
{
	int err = km_dkg_check_header(g, m, round, sender);

	return err ? err : km_msg_check_body(m, shape);
}

int km_dkg_complaint_split(const struct km_dkg_group *g, const struct km_msg *complaint, struct km_msg *g2, struct km_msg *g4)
{
	uint32_t s2 = KM_MSG_HEAD + km_dkg_g2_size(g->curve, g->threshold);
	unsigned accused = complaint->body_len > KM_HASH_SIZE + 1 ? complaint->body[KM_HASH_SIZE + 1] : 0;
	struct km_shape shape;

	if (!km_dkg_deals(g, accused) ||
	    complaint->body_len != km_dkg_complaint_about(g, accused))
		return KM_E_ENCODING;
	km_dkg_dealing_shape(g, accused, &shape);
	size_t s4 = KM_MSG_HEAD + (size_t)km_shape_size(&shape);
	const uint8_t *end = complaint->body + complaint->body_len;
	if (km_msg_parse(g2, end - s4 - s2, s2) != KM_OK || km_msg_parse(g4, end - s4, s4) != KM_OK)
		return KM_E_ENCODING;
	return KM_OK;
}

/* What a complaint says, taken apart. */
struct complaint {
	unsigned author, accused;
	struct km_point d;
	uint8_t d_enc[KM_POINT_MAX];
	struct km_dleq_proof proof;
	struct km_msg g2, g4;      /* of the accused */
};

/* KM_E_ENCODING or KM_E_VERIFY: the author signed what no honest peer signs. */
static int read_complaint(const struct km_dkg_group *g, const struct km_msg *m, struct complaint *out)
{
	size_t ps = km_curve_point_size(g->curve);
	const uint8_t *p = m->body + KM_HASH_SIZE + 1;
	struct km_shape s2 = { .head = km_dkg_g2_size(g->curve, g->threshold) }, s4;

	memset(out, 0, sizeof(*out));
	out->author = m->sender;
	out->accused = *p++;
	if (!km_dkg_deals(g, out->accused) || out->accused == out->author ||
	    !km_dkg_receives(g, out->author))
		return KM_E_ENCODING;
	memcpy(out->d_enc, p, ps);
	if (km_point_decode_var(g->curve, &out->d, p) != KM_OK || km_dleq_decode(g->curve, &out->proof, p + ps) != KM_OK)
		return KM_E_ENCODING;
	int err = km_dkg_complaint_split(g, m, &out->g2, &out->g4);
	if (err)
		return err;
	km_dkg_dealing_shape(g, out->accused, &s4);
	err = km_dkg_check_envelope(g, &out->g2, KM_DKG_G2, out->accused, &s2);
	if (!err)
		err = km_dkg_check_envelope(g, &out->g4, KM_DKG_G4, out->accused, &s4);
	return err;
}

/* Does the view hash into the accused's prev, and hold the accused's G2 and the author's? */
static int in_dealers_view(const struct km_dkg_group *g, const struct complaint *c, const struct km_msg *author_g2,
			   const struct km_dkg_view *view)
{
	uint8_t prev[KM_HASH_SIZE];
	struct km_hash h;

	km_hash_init(&h, "round");
	km_hash_field(&h, g->sid, KM_HASH_SIZE);
	for (unsigned r = 0; r < KM_DKG_VIEW_ROUNDS; r++)
		for (unsigned i = 0; i < km_set_size(g->participants); i++)
			km_hash_field(&h, view->digest[r][i], KM_HASH_SIZE);
	km_hash_final(&h, prev);
	const uint8_t(*g2s)[KM_HASH_SIZE] = view->digest[KM_DKG_G2 - 1];
	return memcmp(prev, c->g4.body, KM_HASH_SIZE) == 0 &&
	       memcmp(g2s[km_set_pos(g->participants, c->accused)], c->g2.digest, KM_HASH_SIZE) == 0 &&
	       memcmp(g2s[km_set_pos(g->participants, c->author)], author_g2->digest, KM_HASH_SIZE) == 0;
}

/* Both openings are of the dealer's view: who lied about the share? */
static enum km_dkg_verdict judge_share(const struct km_dkg_group *g, const struct complaint *c,
				       const struct km_dkg_opening *dealer, const struct km_dkg_opening *author)
{
	struct km_dkg_link link = { c->accused, c->author, dealer, author };
	struct km_shape shape;
	struct km_secret f;
	struct km_hash h;

	km_dkg_complaint_hash(&h, g, c->author, c->accused);
	/* an honest author has signed one E in this run, and shows d = e E_i for it */
	if (km_dleq_verify_var(g->curve, &c->proof, &dealer->e, &author->e, &c->d, &h) != KM_OK)
		return KM_DKG_AUTHOR;
	km_dkg_dealing_shape(g, c->accused, &shape);
	const uint8_t *row = c->g4.body + shape.head + (size_t)shape.row * km_dkg_g4_row(km_dkg_receivers(g), c->accused, c->author);
	int err = km_dkg_share_open(g, &link, c->d_enc, row, &f);
	km_secret_wipe(&f);
	return err ? KM_DKG_DEALER : KM_DKG_AUTHOR;
}

int km_dkg_judge_complaint(const struct km_dkg_group *g, const struct km_msg *complaint, const struct km_msg *author_g2,
			   const struct km_dkg_view *view, enum km_dkg_verdict *verdict)
{
	struct km_shape shape = { .head = complaint->body_len }, s2;
	struct km_dkg_opening *open;
	struct complaint c;

	*verdict = KM_DKG_VOID;
	if (complaint->body_len <= KM_HASH_SIZE + 1 ||
	    complaint->body_len != km_dkg_complaint_about(g, complaint->body[KM_HASH_SIZE + 1]))
		return KM_OK;
	int err = km_dkg_check_envelope(g, complaint, KM_DKG_G5, complaint->sender, &shape);
	if (err || complaint->body[KM_HASH_SIZE] != KM_DKG_COMPLAINT)
		return err == KM_E_NOMEM ? err : KM_OK;
	err = read_complaint(g, complaint, &c);
	if (err == KM_E_NOMEM)
		return err;
	if (err) {
		*verdict = KM_DKG_AUTHOR;
		return KM_OK;
	}
	/* the presenter's part: what it cannot show right convicts nobody */
	s2 = (struct km_shape){ .head = km_dkg_opening_size(g, c.author) };
	err = km_dkg_check_envelope(g, author_g2, KM_DKG_G2, c.author, &s2);
	if (err)
		return err == KM_E_NOMEM ? err : KM_OK;
	if (KM_RULE(km_rule_dealer_view) && !in_dealers_view(g, &c, author_g2, view))
		return KM_OK;
	open = calloc(2, sizeof(*open));
	if (!open)
		return KM_E_NOMEM;
	if (km_dkg_opening_decode(g, &c.g2, &open[0]) != KM_OK)
		*verdict = KM_DKG_DEALER;
	else if (km_dkg_opening_decode(g, author_g2, &open[1]) != KM_OK)
		*verdict = KM_DKG_AUTHOR;
	else
		*verdict = judge_share(g, &c, &open[0], &open[1]);
	free(open);
	return KM_OK;
}

/* ---- evidence */

static int judge_equivocation(const struct km_dkg_group *g, const struct km_msg *a, const struct km_msg *b, unsigned *culprit)
{
	if (km_dkg_check_header(g, a, a->round, a->sender) == KM_OK && km_dkg_check_header(g, b, a->round, a->sender) == KM_OK &&
	    memcmp(a->digest, b->digest, KM_HASH_SIZE) != 0)
		*culprit = a->sender;
	return KM_OK;
}

static int judge_opening(const struct km_dkg_group *g, int kind, const struct km_msg *g1, const struct km_msg *g2, unsigned *culprit)
{
	struct km_shape s1 = { .head = KM_HASH_SIZE }, s2 = { .head = km_dkg_opening_size(g, g1->sender) };
	struct km_dkg_opening *open;

	int err = km_dkg_check_envelope(g, g1, KM_DKG_G1, g1->sender, &s1);
	if (!err)
		err = km_dkg_check_envelope(g, g2, KM_DKG_G2, g1->sender, &s2);
	if (err)
		return err == KM_E_NOMEM ? err : KM_OK;
	open = calloc(1, sizeof(*open));
	if (!open)
		return KM_E_NOMEM;
	err = km_dkg_opening_check(g, g1, g2, open);
	if (err == (kind == KM_EV_ENCODING ? KM_E_ENCODING : KM_E_VERIFY))
		*culprit = g1->sender;
	free(open);
	return err == KM_E_NOMEM ? err : KM_OK;
}

/* The complaint, the digests of the dealer's view, the author's G2. */
static int judge_complaint(const struct km_dkg_group *g, int kind, const struct km_ev_item *it, unsigned *culprit)
{
	unsigned peers = km_set_size(g->participants), author = it[0].msg.sender;
	enum km_dkg_verdict verdict;
	struct km_dkg_view *view;
	struct km_msg g2, g4;

	if (it[1].n != KM_DKG_VIEW_ROUNDS * peers || !km_set_has(g->participants, author))
		return KM_OK;
	view = calloc(1, sizeof(*view));
	if (!view)
		return KM_E_NOMEM;
	for (unsigned r = 0; r < KM_DKG_VIEW_ROUNDS; r++)
		memcpy(view->digest[r], it[1].p + (size_t)r * peers * KM_HASH_SIZE, (size_t)peers * KM_HASH_SIZE);
	int err = km_dkg_judge_complaint(g, &it[0].msg, &it[2].msg, view, &verdict);
	free(view);
	if (err)
		return err;
	if (verdict == KM_DKG_AUTHOR && kind == KM_EV_FALSE_COMPLAINT)
		*culprit = author;
	if (verdict == KM_DKG_DEALER && kind == KM_EV_COMPLAINT && km_dkg_complaint_split(g, &it[0].msg, &g2, &g4) == KM_OK)
		*culprit = g4.sender;
	return KM_OK;
}

int km_dkg_judge_items(const struct km_dkg_group *g, int kind, const struct km_ev_item *it, unsigned n, unsigned *culprit)
{
	*culprit = 0;
	switch (kind) {
	case KM_EV_EQUIVOCATION:
		if (n != 2 || it[0].form != KM_FORM_HEADER || it[1].form != KM_FORM_HEADER)
			return KM_OK;
		return judge_equivocation(g, &it[0].msg, &it[1].msg, culprit);
	case KM_EV_ENCODING:
	case KM_EV_OPENING:
		if (n != 2 || it[0].form != KM_FORM_WHOLE || it[1].form != KM_FORM_WHOLE)
			return KM_OK;
		return judge_opening(g, kind, &it[0].msg, &it[1].msg, culprit);
	case KM_EV_COMPLAINT:
	case KM_EV_FALSE_COMPLAINT:
		if (n != 3 || it[0].form != KM_FORM_WHOLE || it[1].form != KM_FORM_DIGESTS || it[2].form != KM_FORM_WHOLE)
			return KM_OK;
		return judge_complaint(g, kind, it, culprit);
	}
	return KM_OK;
}

int km_dkg_judge_evidence(const struct km_dkg_group *g, const uint8_t *evidence, size_t len, unsigned *culprit)
{
	struct km_ev ev;

	*culprit = 0;
	int err = km_ev_read_machine(&ev, evidence, len);
	if (err)
		return err == KM_E_NOMEM ? err : KM_OK;   /* not evidence at all */
	err = km_dkg_judge_items(g, ev.kind, ev.item, ev.count, culprit);
	km_ev_clear(&ev);
	return err;
}
