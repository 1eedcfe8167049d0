/* reshare.c: the run of a reshare (protocol 5, messages 9): what is its own beside the rounds of every dealing: who deals what to whom, and
 * what everybody checks before it takes part.
 *
 *	COMMITTED -> OPENED -> ECHOED -> DEALT -> ACKED -> candidate on disk -> STORED said: done
 *
 * The promise that STORED is, certificates and the wiping of older shares are the node's. */
#include "reshare.h"
#include "dkg_impl.h"

#include <stdlib.h>
#include <string.h>
#include "../base/rules.h"
#include "../base/secret.h"
#include "../ec/msm.h"

/* ---- what the sid fixes */

int km_reshare_over(struct km_dkg_over *o, const struct km_table *old, uint32_t dealers, uint32_t receivers)
{
	memset(o, 0, sizeof(*o));
	o->dealers = dealers;
	o->receivers = receivers;
	o->x = old->x;
	for (unsigned i = km_set_next(dealers, 0); i; i = km_set_next(dealers, i)) {
		struct km_scalar lambda;

		km_shamir_lagrange(old->curve, &lambda, dealers, i, 0);
		int err = km_msm_var(old->curve, &o->constant[i], &lambda, &old->xi[i], 1);
		if (err)
			return err;
	}
	return KM_OK;
}

/* Everybody that either table lists: one identity, one id, and an id keeps its identity. */
static int check_people(const struct km_table *old, uint32_t dealers, uint32_t members, const uint8_t (*idkeys)[KM_IDKEY_SIZE])
{
	uint8_t all[KM_MAX_PEERS + 1][KM_IDKEY_SIZE] = {{0}};
	uint32_t both = old->members & (dealers | members);

	for (unsigned i = 1; i <= KM_MAX_PEERS; i++)
		memcpy(all[i], km_set_has(old->members, i) ? old->idkeys[i] : idkeys[i], KM_IDKEY_SIZE);
	for (unsigned i = km_set_next(both, 0); i; i = km_set_next(both, i))
		if (memcmp(all[i], idkeys[i], KM_IDKEY_SIZE) != 0)
			return KM_E_MISMATCH;
	return km_dkg_check_identities(old->members | members, (const uint8_t(*)[KM_IDKEY_SIZE])all);
}

static int check_sets(const struct km_table *old, uint32_t dealers, uint32_t joiners, uint32_t members, unsigned threshold,
		      const uint8_t (*idkeys)[KM_IDKEY_SIZE])
{
	unsigned n = km_set_size(members);

	/* more dealers only add points of failure */
	if ((dealers & ~old->members) || km_set_size(dealers) != old->threshold)
		return KM_E_RANGE;
	if (threshold < KM_MIN_THRESHOLD || threshold > n)
		return KM_E_RANGE;
	/* WHY: with fewer than c in the run, its epoch could never be certified */
	if ((joiners & ~members) || km_set_size(joiners) < km_cert_quorum(n, threshold))
		return KM_E_RANGE;
	return check_people(old, dealers, members, idkeys);
}

int km_reshare_possible(const struct km_proposal *pr, const struct km_table *old, const uint8_t (*idkeys)[KM_IDKEY_SIZE])
{
	uint8_t committee[KM_HASH_SIZE];

	if (pr->purpose != KM_PURPOSE_RESHARE || memcmp(pr->hash, old->hash, KM_HASH_SIZE) != 0 ||
	    strncmp(pr->name, old->name, sizeof(pr->name)) != 0 || pr->curve != km_curve_id(old->curve))
		return KM_E_MISMATCH;
	km_setup_committee(pr->members, pr->threshold, idkeys, committee);
	if (memcmp(committee, pr->committee, KM_HASH_SIZE) != 0)
		return KM_E_MISMATCH;
	if (pr->participants != (pr->dealers | pr->joiners))
		return KM_E_RANGE;
	return check_sets(old, pr->dealers, pr->joiners, pr->members, pr->threshold, idkeys);
}

/* ---- the machine */

#define VIEWED (KM_ROUND_BROADCAST | KM_ROUND_PREV)

static const struct km_machine_ops reshare_ops = {
	.name = "reshare",
	.proto = KM_PROTO_RESHARE,
	.rounds = KM_DKG_G5,
	.flags = {0, KM_ROUND_BROADCAST, VIEWED, VIEWED, VIEWED, VIEWED},
	.deadline_ms = {0, KM_DKG_ROUND_MS, KM_DKG_ROUND_MS, KM_DKG_ROUND_MS, KM_DKG_ROUND_MS, KM_DKG_ROUND_MS},
	.shape = km_dkg_shape,
	.start = km_dkg_start,
	.round_done = km_dkg_round_done,
	.worked = km_dkg_worked,
	.persisted = km_dkg_persisted,
	.timeout = km_dkg_timeout,
	.split = km_dkg_split,
	.wipe = km_dkg_wipe,
	.destroy = km_dkg_destroy,
};

static int is_share_of(const struct km_table *t, unsigned self, const struct km_secret *x_i)
{
	struct km_point y;

	km_point_mul_g(t->curve, &y, x_i);
	/* X_i is public, and a correct share gives just that */
	km_point_declassify(&y);
	return km_point_equal_var(t->curve, &y, &t->xi[self]);
}

static int check_params(const struct km_reshare_params *p)
{
	const struct km_machine_params *mp = &p->machine;
	unsigned self = mp->self;

	if (!p->old || !p->cert || !mp->idkeys || mp->curve != p->old->curve || !km_set_has(mp->participants, self) ||
	    mp->participants != (p->dealers | p->joiners) || !p->x_i != !km_set_has(p->dealers, self))
		return KM_E_INVAL;
	int err = check_sets(p->old, p->dealers, p->joiners, p->members, p->threshold, mp->idkeys);
	if (err)
		return err;
	if (memcmp(mp->id.pub, mp->idkeys[self], KM_IDKEY_SIZE) != 0)
		return KM_E_INVAL;
	/* WHY: names are ordered, and what is dealt from must be below what it makes (attack A13) */
	if (p->number <= p->old->number)
		return KM_E_RANGE;
	err = km_cert_verify(p->cert, p->old);
	if (err)
		return err == KM_E_NOMEM ? err : KM_E_VERIFY;
	return p->x_i && !is_share_of(p->old, self, p->x_i) ? KM_E_MISMATCH : KM_OK;
}

/* The state, with the own constant term: lambda_i x_i. */
static struct km_dkg_state *state_new(const struct km_reshare_params *p, int *err)
{
	struct km_dkg_state *st = km_dkg_state_new(&p->machine, p->threshold);
	struct km_scalar lambda;

	*err = KM_E_NOMEM;
	if (!st)
		return NULL;
	st->over = calloc(1, sizeof(*st->over));
	if (st->over)
		*err = km_reshare_over(st->over, p->old, p->dealers, p->joiners);
	if (*err) {
		km_dkg_state_free(st);
		return NULL;
	}
	memcpy(st->name, p->old->name, sizeof(st->name));
	st->number = p->number;
	st->members = p->members;
	if (p->x_i) {
		km_shamir_lagrange(p->old->curve, &lambda, p->dealers, p->machine.self, 0);
		km_secret_mul_pub(p->old->curve, &st->sec->coef[0], p->x_i, &lambda);
	}
	return st;
}

int km_reshare_new(struct km_machine **out, const struct km_reshare_params *p)
{
	struct km_machine_params mp = p->machine;
	struct km_dkg_state *st;

	*out = NULL;
	int err = check_params(p);
	if (err)
		goto out;
	st = state_new(p, &err);
	if (!st)
		goto out;
	mp.ops = &reshare_ops;
	err = km_machine_new(out, &mp, st);
	if (err) {
		km_dkg_state_free(st);
		goto out;
	}
	st->m = *out;
	st->group = (struct km_dkg_group){ .curve = mp.curve, .sid = (*out)->sid, .participants = mp.participants, .threshold = p->threshold,
					   .idkeys = (const uint8_t(*)[KM_IDKEY_SIZE])(*out)->idkeys, .over = st->over };
out:
	km_wipe(&mp, sizeof(mp));
	return err;
}

int km_reshare_take(struct km_machine *m, struct km_share *out)
{
	struct km_dkg_state *st = km_dkg_state(m) ? m->state : NULL;

	memset(out, 0, sizeof(*out));
	if (!st || !st->over || !st->share || !st->persisted || st->taken)
		return KM_E_STATE;
	*out = *st->share;
	st->taken = 1;
	/* the table stays */
	km_secret_wipe(&st->share->x_i);
	return KM_OK;
}

int km_reshare_table(const struct km_machine *m, struct km_table *out)
{
	const struct km_dkg_state *st = km_dkg_state(m);

	memset(out, 0, sizeof(*out));
	/* the secrets go when the table has been made */
	if (!st || !st->over || !st->share || st->sec)
		return KM_E_STATE;
	*out = st->share->table;
	return KM_OK;
}
