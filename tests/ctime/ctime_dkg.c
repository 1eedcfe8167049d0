/* ctime_dkg.c: whole key generations and reshares. The seeds of all participants and the keys they sign messages with are secret from the
 * start, and so are the shares that are handed on. */
#include "ctime.h"
#include "../lib/reshare_help.h"

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

/* The garbled row is 3's, who deals nothing: its complaint shows one DH point too. */
static void reshare_run(const struct km_curve *c, int garbled)
{
	static struct rsh_key key;
	struct km_reshare_params p;
	struct km_share share;
	struct rsh r;

	rsh_key_make(&key, 1, c, PEERS, THRESHOLD);
	rsh_init(&r, &key, 1, 3, 14, 14, THRESHOLD);
	for (unsigned i = 1; i <= 4; i++) {
		km_machine_free(r.d.m[i]);
		rsh_params(&r, i, &p);
		ctime_taint(p.machine.seed, sizeof(p.machine.seed));
		ctime_taint(p.machine.id.priv, sizeof(p.machine.id.priv));
		if (p.x_i)
			ctime_taint(&key.x[i], sizeof(key.x[i]));
		r.d.m[i] = NULL;
		if (km_reshare_new(&r.d.m[i], &p)) {
			ctime_fail();
			goto out;
		}
		net_add(r.d.net, (uint8_t)i, r.d.m[i]);
	}
	if (garbled)
		dkg_corrupt(&r.d, 2, garble, NULL);
	dkg_run(&r.d, 0);
	if (garbled && (dkg_party(&r.d, 4)->convicted != km_set_bit(2) || dkg_party(&r.d, 4)->evidence_kind != KM_EV_COMPLAINT))
		ctime_fail();
	for (unsigned i = 2; !garbled && i <= 4; i++) {
		if (!dkg_party(&r.d, i)->done || km_reshare_take(r.d.m[i], &share)) {
			ctime_fail();
			goto out;
		}
		ctime_is_secret(&share.x_i, sizeof(share.x_i));
		ctime_is_secret(dkg_party(&r.d, i)->persisted, dkg_party(&r.d, i)->persisted_len);
		km_secret_wipe(&share.x_i);
	}
out:
	memset(key.x, 0, sizeof(key.x));
	rsh_clear(&r);
}

static void reshare(const struct km_curve *c)
{
	reshare_run(c, 0);
}

static void reshare_complaint(const struct km_curve *c)
{
	reshare_run(c, 1);
}

const struct ctime_case ctime_dkg[] = {
	{ "reshare", reshare, 1 },
	{ "reshare with a complaint", reshare_complaint, 1 },
	{ "key generation", dkg, 1 },
	{ "key generation with a complaint", complaint, 1 },
	{ NULL, NULL, 0 },
};
