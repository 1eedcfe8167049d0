/* judge_dkg.c: evidence about key generations and reshares: E2, E7, E7b, E9. The run's own functions judge, on what the sid fixes. */
#include "dkg_impl.h"
#include "evidence_impl.h"
#include "reshare.h"

#include <limits.h>
#include <stdlib.h>

/* What was proved, in a key generation and in a reshare. */
static const char *words(enum km_evidence_kind kind, int reshare)
{
	switch (kind) {
	case KM_EV_ENCODING:
		return reshare ? "in the reshare it opened a commitment with what is no point or scalar"
			       : "in the key generation it opened a commitment with what is no point or scalar";
	case KM_EV_OPENING:
		return reshare ? "in the reshare its opening is not what it had committed to, or a proof in it is false"
			       : "in the key generation its opening is not what it had committed to, or a proof in it is false";
	case KM_EV_COMPLAINT:
		return reshare ? "in the reshare it dealt a share that is not the one it had committed to"
			       : "in the key generation it dealt a share that is not the one it had committed to";
	default:
		return reshare ? "in the reshare it complained of a share that was right"
			       : "in the key generation it complained of a share that was right";
	}
}

/* Did the opening's author hand on something else than its share? */
static int hands_on_else(const struct km_dkg_group *g, const struct km_msg *g2)
{
	struct km_point c0;

	return g->over && km_dkg_deals(g, g2->sender) && g2->body_len >= KM_HASH_SIZE + km_curve_point_size(g->curve) &&
	       km_point_decode_var(g->curve, &c0, g2->body + KM_HASH_SIZE) == KM_OK &&
	       !km_point_equal_var(g->curve, &c0, &g->over->constant[g2->sender]);
}

static int judge_items(struct km_desk *d, const struct km_dkg_group *g)
{
	unsigned culprit = 0;
	int err = km_dkg_judge_items(g, d->ev->kind, d->item, d->n, &culprit);

	if (err)
		return err;
	if (!culprit)
		return km_desk_void(d, "the messages shown break no rule, or not the rule that is named");
	const char *why = words(d->ev->kind, g->over != NULL);
	if (d->ev->kind == KM_EV_OPENING && hands_on_else(g, &d->item[1].msg))
		why = "in the reshare it handed on something else than its share of the key";
	/* who dealt a bad share is convicted by its G2 and G4 inside the complaint */
	km_desk_convict(d, &d->item[0].msg, culprit, UINT_MAX, why);
	if (d->v->culprit && d->ev->kind == KM_EV_COMPLAINT)
		d->v->round = KM_DKG_G4;
	else if (d->v->culprit && d->ev->kind != KM_EV_FALSE_COMPLAINT)
		d->v->round = KM_DKG_G2;
	return KM_OK;
}

int km_judge_dkg(struct km_desk *d)
{
	struct km_dkg_group g = {.curve = d->curve,
				 .sid = d->sid,
				 .participants = d->prop.participants,
				 .threshold = d->prop.threshold,
				 .idkeys = d->idkeys};

	if (g.threshold < KM_MIN_THRESHOLD || g.threshold > km_set_size(g.participants))
		return km_desk_void(d, "no honest peer joins such a run");
	return judge_items(d, &g);
}

int km_judge_reshare(struct km_desk *d)
{
	const struct km_table *old = d->j->table;
	struct km_dkg_over *over;

	if (!old || km_reshare_possible(&d->prop, old, d->idkeys) != KM_OK)
		return km_desk_void(d, "no honest peer joins such a run, or the roster given has other new members");
	over = calloc(1, sizeof(*over));
	if (!over)
		return KM_E_NOMEM;
	int err = km_reshare_over(over, old, d->prop.dealers, d->prop.joiners);
	d->curve = old->curve;
	struct km_dkg_group g = {.curve = old->curve,
				 .sid = d->sid,
				 .participants = d->prop.participants,
				 .threshold = d->prop.threshold,
				 .idkeys = d->idkeys,
				 .over = over};
	if (!err)
		err = judge_items(d, &g);
	free(over);
	return err;
}
