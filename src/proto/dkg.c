/* dkg.c: the run of a distributed key generation (protocol 1, messages 8): what is its own beside the rounds of every dealing.
 *
 *	COMMITTED -> OPENED -> ECHOED -> DEALT -> ACKED -> STORED -> usable */
#include "dkg_impl.h"

#include <string.h>
#include "../base/rules.h"
#include "../base/secret.h"

static struct km_dkg_state *state_of(const struct km_machine *m)
{
	return m->state;
}

static int stored_in(struct km_machine *m, struct km_outs *outs)
{
	struct km_dkg_state *st = state_of(m);
	const uint8_t *own = m->bcast[KM_DKG_G6][m->self].msg.body;
	uint32_t other = 0;

	for (unsigned i = km_set_next(m->participants, 0); i; i = km_set_next(m->participants, i))
		if (KM_RULE(km_rule_echo) && memcmp(m->bcast[KM_DKG_G6][i].msg.body, own, KM_DKG_STORED) != 0)
			other |= km_set_bit(i);
	if (other)
		return km_machine_drop(m, KM_E_MISMATCH, other, outs);
	st->share->usable = 1;
	return km_machine_done(m, outs);
}

static int dkg_round_done(struct km_machine *m, unsigned round, struct km_outs *outs)
{
	return round == KM_DKG_G6 ? stored_in(m, outs) : km_dkg_round_done(m, round, outs);
}

#define VIEWED (KM_ROUND_BROADCAST | KM_ROUND_PREV)

static const struct km_machine_ops dkg_ops = {
	.name = "dkg",
	.proto = KM_PROTO_DKG,
	.rounds = KM_DKG_G6,
	.flags = {0, KM_ROUND_BROADCAST, VIEWED, VIEWED, VIEWED, VIEWED, VIEWED},
	/* after the own STORED there is no deadline: the promise holds, and STORED is sent again on every connection */
	.deadline_ms = {0, KM_DKG_ROUND_MS, KM_DKG_ROUND_MS, KM_DKG_ROUND_MS, KM_DKG_ROUND_MS, KM_DKG_ROUND_MS, 0},
	.shape = km_dkg_shape,
	.start = km_dkg_start,
	.round_done = dkg_round_done,
	.worked = km_dkg_worked,
	.persisted = km_dkg_persisted,
	.timeout = km_dkg_timeout,
	.split = km_dkg_split,
	.wipe = km_dkg_wipe,
	.destroy = km_dkg_destroy,
};

/* ---- life and results */

static int check_params(const struct km_dkg_params *p)
{
	const struct km_machine_params *mp = &p->machine;
	uint32_t set = mp->participants;

	if (!mp->curve || !mp->idkeys || !km_set_has(set, mp->self))
		return KM_E_INVAL;
	if (p->threshold < KM_MIN_THRESHOLD || p->threshold > km_set_size(set))
		return KM_E_RANGE;
	if (!km_name_valid(p->name, strnlen(p->name, sizeof(p->name))))
		return KM_E_RANGE;
	if (memcmp(mp->id.pub, mp->idkeys[mp->self], KM_IDKEY_SIZE) != 0)
		return KM_E_INVAL;
	return km_dkg_check_identities(set, mp->idkeys);
}

int km_dkg_new(struct km_machine **out, const struct km_dkg_params *p)
{
	struct km_machine_params mp = p->machine;
	struct km_dkg_state *st;

	*out = NULL;
	int err = check_params(p);
	if (err)
		goto out;
	st = km_dkg_state_new(&mp, p->threshold);
	err = st ? KM_OK : KM_E_NOMEM;
	if (err)
		goto out;
	memcpy(st->name, p->name, sizeof(st->name));
	st->number = p->number;
	st->members = mp.participants;
	mp.ops = &dkg_ops;
	err = km_machine_new(out, &mp, st);
	if (err) {
		km_dkg_state_free(st);
		goto out;
	}
	st->m = *out;
	st->group = (struct km_dkg_group){ .curve = mp.curve, .sid = (*out)->sid, .participants = mp.participants, .threshold = p->threshold,
					   .idkeys = (const uint8_t(*)[KM_IDKEY_SIZE])(*out)->idkeys };
out:
	km_wipe(&mp, sizeof(mp));
	return err;
}

int km_dkg_take(struct km_machine *m, struct km_share *out)
{
	struct km_dkg_state *st = km_dkg_state(m) ? state_of(m) : NULL;

	memset(out, 0, sizeof(*out));
	if (!st || st->over || !st->share || !st->share->usable || st->taken)
		return KM_E_STATE;
	*out = *st->share;
	st->taken = 1;
	km_secret_free(st->share);
	st->share = NULL;
	return KM_OK;
}

uint32_t km_dkg_convicted(const struct km_machine *m)
{
	const struct km_dkg_state *st = km_dkg_state(m);

	return st ? st->convicted : 0;
}
