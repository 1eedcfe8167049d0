/* judge_opened.c: E8, a run that was opened (layout: replay.h). Every signed header in it is compared with what its author's machine
 * makes from the seeds. */
#include "evidence_impl.h"
#include "replay.h"

#include <limits.h>
#include <string.h>

int km_judge_opened(struct km_desk *d)
{
	struct km_replay_run run = {.curve = d->curve,
				    .engine = d->prop.engine,
				    .threshold = d->j->table->threshold,
				    .participants = d->prop.participants,
				    .batch = d->prop.batch,
				    .rows = d->rows,
				    .idkeys = d->idkeys};
	const struct km_msg *msg[2 * KM_MAX_PEERS];
	struct km_replay_memo own = {0}, *memo = d->j->replayed ? d->j->replayed : &own;

	if (d->n < 2 || d->n - 1 > 2 * KM_MAX_PEERS || d->item[0].form != KM_FORM_BYTES || d->item[0].len != 1)
		return km_desk_void(d, "the openings are not what they must be");
	unsigned accused = d->item[0].p[0];
	for (unsigned i = 1; i < d->n; i++) {
		if (d->item[i].form != KM_FORM_WHOLE)
			return km_desk_void(d, "the openings are not what they must be");
		msg[i - 1] = &d->item[i].msg;
	}
	memcpy(run.sid, d->sid, KM_HASH_SIZE);
	int err = km_replay_judge_once(&run, msg, d->n - 1, memo);
	struct km_replay_verdict rv = memo->verdict;
	if (err == KM_E_NOMEM)
		return err;
	if (err || !km_set_has(rv.culprits, accused))
		return km_desk_void(d, err ? "no such run can exist" : rv.why ? rv.why : "the replay does not show that the accused cheated");
	km_desk_convict(d, msg[0], accused, UINT_MAX, rv.why);
	d->v->round = rv.round;
	return KM_OK;
}
