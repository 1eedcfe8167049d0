/* judge_dkg.c: evidence about key generations: E2, E7, E7b, E9. The run's own functions judge, on what the sid fixes. */
#include "dkg_impl.h"
#include "evidence_impl.h"

#include <limits.h>

int km_judge_dkg(struct km_desk *d)
{
	struct km_dkg_group g = {.curve = d->curve,
				 .sid = d->sid,
				 .participants = d->prop.participants,
				 .threshold = d->prop.threshold,
				 .idkeys = d->idkeys};
	unsigned n = km_set_size(g.participants), culprit = 0;
	const char *why = "";

	if (g.threshold < KM_MIN_THRESHOLD || g.threshold > n)
		return km_desk_void(d, "no honest peer joins such a run");
	int err = km_dkg_judge_items(&g, d->ev->kind, d->item, d->n, &culprit);
	if (err)
		return err;
	if (!culprit)
		return km_desk_void(d, "the messages shown break no rule, or not the rule that is named");
	switch (d->ev->kind) {
	case KM_EV_ENCODING:
		why = "in the key generation it opened a commitment with what is no point or scalar";
		break;
	case KM_EV_OPENING:
		why = "in the key generation its opening is not what it had committed to, or a proof in it is false";
		break;
	case KM_EV_COMPLAINT:
		why = "in the key generation it dealt a share that is not the one it had committed to";
		break;
	default:
		why = "in the key generation it complained of a share that was right";
	}
	/* who dealt a bad share is convicted by its G2 and G4 inside the complaint */
	km_desk_convict(d, &d->item[0].msg, culprit, UINT_MAX, why);
	if (d->v->culprit && d->ev->kind == KM_EV_COMPLAINT)
		d->v->round = KM_DKG_G4;
	else if (d->v->culprit && d->ev->kind != KM_EV_FALSE_COMPLAINT)
		d->v->round = KM_DKG_G2;
	return KM_OK;
}
