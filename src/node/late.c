/* late.c: SHAREs that did not come in their time, and which of them count against whom.
 *
 * The timeout of an attempt follows the round trips, so that a request is tried again within a few of them: some 50 ms. That says nothing of a
 * peer: a machine under load stops any process for so long. What counts is a SHARE that does not come at all. So each link has one late SHARE at a time that is
 * waited for; it scores the link if it is not there KM_LATE_US later. */
#include "peer_impl.h"

#include <string.h>

#define SCORE_LATE (KM_SCORE_UNIT / 8)

void km_late_note(struct km_peer *p, const struct km_flight *f, unsigned from)
{
	struct km_late *l = &p->link[from].late;

	p->n_late++;
	if (l->until_us)
		return;
	memcpy(l->presig_id, f->ps->id, KM_HASH_SIZE);
	l->asked_us = f->attempt_us;
	l->until_us = p->now.mono_us + KM_LATE_US;
	km_peer_wake(p, l->until_us);
}

uint64_t km_late_came(struct km_peer *p, unsigned from, const uint8_t presig_id[KM_HASH_SIZE])
{
	struct km_late *l = &p->link[from].late;

	if (!l->until_us || memcmp(l->presig_id, presig_id, KM_HASH_SIZE) != 0)
		return 0;
	l->until_us = 0;
	return p->now.mono_us - l->asked_us;
}

void km_late_tick(struct km_peer *p)
{
	for (unsigned i = km_set_next(p->s->roster.members, 0); i; i = km_set_next(p->s->roster.members, i)) {
		struct km_late *l = &p->link[i].late;

		if (!l->until_us)
			continue;
		if (p->now.mono_us < l->until_us) {
			km_peer_wake(p, l->until_us);
			continue;
		}
		l->until_us = 0;
		/* who is down is not late */
		if (p->link[i].live)
			km_blame_link(p, p->self, i, SCORE_LATE);
	}
}
