/* ctime_proto.c: whole presign runs and signing shares. The seeds of all participants and their shares of the key are secret from the
 * start; everything that leaves a machine in public must have passed a named declassification. */
#include <stdlib.h>
#include "ctime.h"
#include "../lib/dealer.h"
#include "proto/sign.h"

#define BATCH 2

/* T = 2: one run of the n participants, then a signature by the first presignature. */
static void run(const struct km_curve *c, unsigned engine, unsigned n, const struct km_presign_row *rows)
{
	uint8_t keys[KM_MAX_PEERS + 1][KM_IDKEY_SIZE];
	struct km_machine *m[4] = { NULL };
	struct km_scalar shares[2], s;
	struct km_sign_nonce nonce;
	struct km_sign_input in = { .context = KM_CTX_TLS13_SERVER };
	struct dealer d;
	struct net *net = net_new(1);

	dealer_init(&d, 1, c, 7, 2);
	for (unsigned i = 1; i <= n; i++) {
		struct km_presign_params p = { .table = &d.table, .x_i = &d.share[i], .engine = engine, .batch = BATCH, .rows = rows };

		net_params(&p.machine, keys, 1, c, (uint8_t)i, n == 2 ? 3 : 7);
		ctime_taint(p.machine.seed, sizeof(p.machine.seed));
		ctime_taint(p.machine.id.priv, sizeof(p.machine.id.priv));
		ctime_taint(d.share[i].l, (km_curve_bits(c) + 63) / 64 * sizeof(d.share[i].l[0]));
		if (km_presign_new(&m[i], &p)) {
			ctime_fail();
			return;
		}
		net_add(net, (uint8_t)i, m[i]);
	}
	net_run(net, 0);
	km_scalar_set_u32(&in.m, 12345);
	for (unsigned i = 1; i <= n; i++) {
		struct km_presig **ps;
		size_t made;

		if (!net_party(net, (uint8_t)i)->done || km_presign_take(m[i], &ps, &made) || !made) {
			ctime_fail();
			return;
		}
		ctime_is_secret(&ps[0]->alpha, sizeof(ps[0]->alpha));
		ctime_is_secret(&ps[0]->beta, sizeof(ps[0]->beta));
		if (i <= 2) {
			if (km_sign_nonce(ps[0], &in, &nonce))
				ctime_fail();
			km_sign_share(ps[0], &in, &nonce, &shares[i - 1]);
		}
		for (size_t k = 0; k < made; k++)
			km_presig_free(ps[k]);
		free(ps);
	}
	if (km_sign_combine(c, &s, shares, 2) || km_ecdsa_verify_var(c, &d.table.x, &in.m, &nonce.r, &s))
		ctime_fail();
	for (unsigned i = 1; i <= n; i++)
		km_machine_free(m[i]);
	net_free(net);
}

/* A stored share, written and read again. */
static void share(const struct km_curve *c)
{
	uint8_t mem[KM_SHARE_ENC_MAX];
	struct km_share s = { .self = 2 }, back;
	struct dealer d;
	struct km_buf b;

	dealer_init(&d, 2, c, 7, 2);
	s.table = d.table;
	s.x_i = d.share[2];
	ctime_taint(s.x_i.l, (km_curve_bits(c) + 63) / 64 * sizeof(s.x_i.l[0]));
	km_buf_init_fixed(&b, mem, sizeof(mem));
	if (km_share_encode(&s, &b) || km_share_decode(&back, b.data, b.len)) {
		ctime_fail();
		return;
	}
	ctime_is_secret(b.data, b.len);
	ctime_is_secret(&back.x_i, sizeof(back.x_i));
	km_share_wipe(&s);
	km_share_wipe(&back);
	km_wipe(mem, sizeof(mem));
}

static void presign(const struct km_curve *c)
{
	run(c, KM_PRESIGN_MAJORITY, 3, (const struct km_presign_row[BATCH]){ { 1, 3 }, { 2, 6 } });
}

static void presign_any(const struct km_curve *c)
{
	run(c, KM_PRESIGN_ANY, 2, (const struct km_presign_row[BATCH]){ { 1, 3 }, { 2, 3 } });
}

const struct ctime_case ctime_proto[] = {
	{ "presign run and km_sign_share", presign, 1 },
	{ "km_share", share, 1 },
	{ "presign run by engine any", presign_any, 0 },
	{ NULL, NULL, 0 },
};
