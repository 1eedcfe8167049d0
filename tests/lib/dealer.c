/* dealer.c: a dealt key and presign machines over it. */
#include "dealer.h"

#include <stdlib.h>
#include <string.h>
#include "base/hash.h"
#include "base/secret.h"

int dealer_make(struct dealer *d, uint64_t seed, const struct km_curve *curve, uint32_t members, unsigned threshold)
{
	struct km_secret coef[KM_MAX_PEERS];
	uint8_t s[KM_SEED_SIZE] = { 0 };
	struct km_identity id;
	struct km_rng rng;

	memset(d, 0, sizeof(*d));
	memcpy(s, &seed, sizeof(seed));
	km_rng_init(&rng, s, "test-dealer", NULL, 0);
	d->seed = seed;
	d->curve = curve;
	for (unsigned l = 0; l < threshold; l++)
		km_secret_random(curve, &coef[l], &rng);
	d->x = coef[0];
	d->table.curve = curve;
	d->table.threshold = threshold;
	d->table.members = members;
	d->table.number = 1700000000;
	memcpy(d->table.name, "test", 5);
	km_rng_bytes(&rng, d->table.sid, KM_HASH_SIZE);
	km_point_mul_g(curve, &d->table.x, &d->x);
	for (unsigned i = km_set_next(members, 0); i; i = km_set_next(members, i)) {
		km_shamir_eval(curve, &d->share[i], coef, threshold - 1, i);
		km_point_mul_g(curve, &d->table.xi[i], &d->share[i]);
		net_identity(seed, (uint8_t)i, &id);
		memcpy(d->table.idkeys[i], id.pub, KM_IDKEY_SIZE);
	}
	return km_table_finish(&d->table);
}

void dealer_init(struct dealer *d, uint64_t seed, const struct km_curve *curve, uint32_t members, unsigned threshold)
{
	int err = dealer_make(d, seed, curve, members, threshold);

	KM_ASSERT(!err);
}

/* The next larger number with as many bits. */
static uint32_t next_subset(uint32_t x)
{
	uint32_t low = x & -x, up = x + low;

	return up ? up | ((x ^ up) / low >> 2) : 0;
}

/* Subsets of T positions, mapped to the participants in ascending order. */
static void make_rows(struct group *g, unsigned threshold)
{
	unsigned n = km_set_size(g->participants);
	uint32_t first = threshold == 32 ? UINT32_MAX : ((uint32_t)1 << threshold) - 1, pick = first;

	for (unsigned l = 0; l < g->batch; l++) {
		uint32_t set = 0;

		for (unsigned i = km_set_next(g->participants, 0), at = 0; i; i = km_set_next(g->participants, i), at++)
			if (pick >> at & 1)
				set |= km_set_bit(i);
		g->rows[l].quorum = set;
		for (unsigned skip = l % threshold + 1; skip; skip--)
			g->rows[l].owner = (uint8_t)km_set_next(set, g->rows[l].owner);
		pick = next_subset(pick);
		if (!pick || (n < 32 && pick >> n))
			pick = first;
	}
}

void group_init(struct group *g, uint64_t seed, uint32_t members, unsigned threshold, uint32_t participants, unsigned batch, uint32_t quorum)
{
	group_init_engine(g, KM_PRESIGN_MAJORITY, seed, members, threshold, participants, batch, quorum);
}

void group_init_any(struct group *g, uint64_t seed, uint32_t members, uint32_t quorum, unsigned batch)
{
	group_init_engine(g, KM_PRESIGN_ANY, seed, members, km_set_size(quorum), quorum, batch, 0);
}

void group_init_engine(struct group *g, unsigned engine, uint64_t seed, uint32_t members, unsigned threshold, uint32_t participants, unsigned batch,
		       uint32_t quorum)
{
	int err = group_make(g, km_curve_p256(), engine, seed, members, threshold, participants, batch, quorum);

	KM_ASSERT(!err);
}

int group_make(struct group *g, const struct km_curve *curve, unsigned engine, uint64_t seed, uint32_t members, unsigned threshold,
	       uint32_t participants, unsigned batch, uint32_t quorum)
{
	memset(g, 0, sizeof(*g));
	int err = dealer_make(&g->d, seed, curve, members, threshold);
	if (err)
		return err;
	g->participants = participants;
	g->batch = batch;
	make_rows(g, threshold);
	for (unsigned l = 0; quorum && l < batch; l++)
		g->rows[l] = (struct km_presign_row){ (uint8_t)km_set_next(quorum, 0), quorum };
	struct km_proposal pr = { .purpose = KM_PURPOSE_PRESIGN, .engine = (uint8_t)engine, .participants = participants, .batch = (uint16_t)batch };
	memcpy(pr.hash, g->d.table.hash, KM_HASH_SIZE);
	net_setup_make(&g->setup, seed, &pr, g->rows);
	g->net = net_new(seed);
	for (unsigned i = km_set_next(participants, 0); i; i = km_set_next(participants, i)) {
		struct km_presign_params p = { .table = &g->d.table, .x_i = &g->d.share[i], .engine = engine, .batch = batch, .rows = g->rows };

		net_params(&p.machine, g->keys, seed, g->d.curve, (uint8_t)i, participants);
		memcpy(p.machine.sid, g->setup.sid, KM_HASH_SIZE);
		err = km_presign_new(&g->m[i], &p);
		KM_ASSERT(!err);
		net_add(g->net, (uint8_t)i, g->m[i]);
	}
	return KM_OK;
}

void group_clear(struct group *g)
{
	for (unsigned i = 1; i <= KM_MAX_PEERS; i++) {
		for (size_t k = 0; k < g->nps[i]; k++)
			km_presig_free(g->ps[i][k]);
		free(g->ps[i]);
		km_machine_free(g->m[i]);
	}
	net_free(g->net);
}

void group_wrap(const struct group *g, const uint8_t *from_machine, size_t len, struct km_buf *out)
{
	int err = km_evidence_wrap(out, from_machine, len, g->d.table.hash, &g->setup.propose, g->setup.join, g->setup.n);

	KM_ASSERT(!err);
}

void group_judge(const struct group *g, const uint8_t *ev, size_t len, struct km_verdict *v)
{
	struct km_judge j = { .idkeys = g->d.table.idkeys, .table = &g->d.table };
	int err = km_evidence_judge(ev, len, &j, v);

	KM_ASSERT(!err);
}

void group_take(struct group *g)
{
	for (unsigned i = km_set_next(g->participants, 0); i; i = km_set_next(g->participants, i)) {
		int err = km_presign_take(g->m[i], &g->ps[i], &g->nps[i]);

		KM_ASSERT(!err);
	}
}

struct km_presig *group_presig(const struct group *g, unsigned peer, unsigned index)
{
	uint8_t id[KM_HASH_SIZE];
	struct km_hash h;

	km_hash_init(&h, "presig");
	km_hash_field(&h, g->m[peer]->sid, KM_HASH_SIZE);
	km_hash_u32(&h, index);
	km_hash_final(&h, id);
	for (size_t k = 0; k < g->nps[peer]; k++)
		if (memcmp(g->ps[peer][k]->id, id, KM_HASH_SIZE) == 0)
			return g->ps[peer][k];
	return NULL;
}

void group_input(const struct group *g, struct km_sign_input *in, const char *text)
{
	struct km_hash h;
	int err;

	memset(in, 0, sizeof(*in));
	in->context = KM_CTX_TLS13_SERVER;
	km_hash_init(&h, "test-request");
	km_hash_str(&h, text);
	km_hash_final(&h, in->request_id);
	err = km_sign_hash_bytes(g->d.curve, &in->m, text, strlen(text));
	KM_ASSERT(!err);
}

int group_shares(struct group *g, unsigned index, const struct km_sign_input *in, struct km_sign_nonce *nonce, struct km_scalar *shares)
{
	uint32_t quorum = g->rows[index].quorum;

	for (unsigned i = km_set_next(quorum, 0), at = 0; i; i = km_set_next(quorum, i), at++) {
		struct km_presig *p = group_presig(g, i, index);
		int err = p ? km_sign_nonce(p, in, nonce) : KM_E_EMPTY;

		if (err)
			return err;
		km_sign_share(p, in, nonce, &shares[at]);
	}
	return KM_OK;
}

int group_sign(struct group *g, unsigned index, const struct km_sign_input *in, struct km_scalar *r, struct km_scalar *s)
{
	struct km_scalar shares[KM_MAX_PEERS];
	struct km_sign_nonce nonce;
	int err = group_shares(g, index, in, &nonce, shares);

	if (!err)
		err = km_sign_combine(g->d.curve, s, shares, g->d.table.threshold);
	if (err)
		return err;
	*r = nonce.r;
	return km_ecdsa_verify_var(g->d.curve, &g->d.table.x, &in->m, r, s);
}
