/* ctime_dkg.c: whole key generations. The seeds of all participants and the keys they sign messages with are secret from the
 * start. */
#include "ctime.h"
#include "../lib/dkg_help.h"

#define PEERS 7u
#define THRESHOLD 2

/* The machine of one peer, from a secret seed. */
static int machine(struct dkg *d, const struct km_curve *c, unsigned id)
{
	struct km_dkg_params p = { .name = "test", .threshold = THRESHOLD, .number = 1700000000 };

	net_params(&p.machine, d->keys, d->seed, c, (uint8_t)id, PEERS);
	ctime_taint(p.machine.seed, sizeof(p.machine.seed));
	ctime_taint(p.machine.id.priv, sizeof(p.machine.id.priv));
	return km_dkg_new(&d->m[id], &p);
}

static void dkg(const struct km_curve *c)
{
	struct dkg d = { .net = net_new(1), .set = PEERS, .threshold = THRESHOLD, .seed = 1 };
	struct km_share share;

	for (unsigned i = km_set_next(PEERS, 0); i; i = km_set_next(PEERS, i)) {
		if (machine(&d, c, i)) {
			ctime_fail();
			goto out;
		}
		net_add(d.net, (uint8_t)i, d.m[i]);
	}
	dkg_run(&d, 0);
	for (unsigned i = km_set_next(PEERS, 0); i; i = km_set_next(PEERS, i)) {
		if (!dkg_party(&d, i)->done || km_dkg_take(d.m[i], &share)) {
			ctime_fail();
			goto out;
		}
		ctime_is_secret(&share.x_i, sizeof(share.x_i));
		ctime_is_secret(dkg_party(&d, i)->persisted, dkg_party(&d, i)->persisted_len);
		km_secret_wipe(&share.x_i);
	}
out:
	dkg_clear(&d);
}

/* Dealer 2 seals garbage for peer 1, whose complaint shows one DH point, and nothing else of its e. */
static void garble(struct km_machine *m, struct km_dkg_state *st, unsigned job)
{
	if (job == KM_DKG_JOB_SHARES)
		st->g4[KM_HASH_SIZE] ^= 1;
}

static void complaint(const struct km_curve *c)
{
	struct dkg d = { .net = net_new(1), .set = PEERS, .threshold = THRESHOLD, .seed = 1 };

	for (unsigned i = km_set_next(PEERS, 0); i; i = km_set_next(PEERS, i)) {
		if (machine(&d, c, i)) {
			ctime_fail();
			goto out;
		}
		net_add(d.net, (uint8_t)i, d.m[i]);
	}
	dkg_corrupt(&d, 2, garble, NULL);
	dkg_run(&d, 0);
	if (dkg_party(&d, 3)->convicted != km_set_bit(2) || dkg_party(&d, 3)->evidence_kind != KM_EV_COMPLAINT)
		ctime_fail();
out:
	dkg_clear(&d);
}

const struct ctime_case ctime_dkg[] = {
	{ "key generation", dkg, 1 },
	{ "key generation with a complaint", complaint, 1 },
	{ NULL, NULL, 0 },
};
