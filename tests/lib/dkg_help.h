/* dkg_help.h: a DKG among machines of a test network, some of them corrupt. For unit and attack tests.
 *
 *	struct dkg d;
 *	dkg_init(&d, seed, participants, threshold);
 *	dkg_corrupt(&d, id, before, after);        that peer computes as everybody, then its bodies are changed
 *	dkg_run(&d, timeouts);
 *	dkg_clear(&d);
 */
#ifndef KM_TEST_DKG_HELP_H
#define KM_TEST_DKG_HELP_H

#include <stdlib.h>
#include <string.h>
#include "base/secret.h"
#include "net.h"
#include "proto/dkg_impl.h"

/* A corrupt peer's turn, before or after the honest code sends what the job (KM_DKG_JOB_*) has made. */
typedef void (*dkg_evil_fn)(struct km_machine *m, struct km_dkg_state *st, unsigned job);

struct dkg {
	struct net *net;
	uint32_t set, corrupt;
	unsigned threshold;
	uint64_t seed;
	struct net_setup setup;
	uint8_t roster[KM_HASH_SIZE];
	uint8_t keys[KM_MAX_PEERS + 1][KM_IDKEY_SIZE];
	struct km_machine *m[KM_MAX_PEERS + 1];
};

static struct {
	struct km_machine_ops ops;
	const struct km_machine_ops *honest;
	dkg_evil_fn before, after;
	int rush;   /* holds its G2 back until dkg_rush_send */
} dkg_evil;

static int dkg_evil_worked(struct km_machine *m, struct km_job *job, struct km_outs *outs)
{
	unsigned what = job->what;

	if (dkg_evil.before)
		dkg_evil.before(m, m->state, what);
	int err = dkg_evil.honest->worked(m, job, outs);
	if (dkg_evil.after)
		dkg_evil.after(m, m->state, what);
	return err;
}

static int dkg_evil_round_done(struct km_machine *m, unsigned round, struct km_outs *outs)
{
	if (dkg_evil.rush && round == KM_DKG_G1)
		return KM_OK;
	return dkg_evil.honest->round_done(m, round, outs);
}

static inline int dkg_machine(struct dkg *d, unsigned id, struct km_machine **out)
{
	struct km_dkg_params p = { .name = "test", .threshold = d->threshold, .number = 1700000000 };

	net_params(&p.machine, d->keys, d->seed, km_curve_p256(), (uint8_t)id, d->set);
	memcpy(p.machine.sid, d->setup.sid, KM_HASH_SIZE);
	return km_dkg_new(out, &p);
}

/* order decides the sequence of deliveries only; everything else follows from seed. */
static inline void dkg_init_order(struct dkg *d, uint64_t seed, uint64_t order, uint32_t set, unsigned threshold)
{
	memset(d, 0, sizeof(*d));
	d->seed = seed;
	d->set = set;
	d->threshold = threshold;
	struct km_proposal pr = { .purpose = KM_PURPOSE_DKG, .participants = set, .threshold = (uint8_t)threshold, .name = "test" };
	pr.curve = (uint8_t)km_curve_id(km_curve_p256());
	net_roster(seed, set, d->roster);
	memcpy(pr.hash, d->roster, KM_HASH_SIZE);
	net_setup_make(&d->setup, seed, &pr, NULL);
	d->net = net_new(order);
	for (unsigned i = km_set_next(set, 0); i; i = km_set_next(set, i)) {
		int err = dkg_machine(d, i, &d->m[i]);
		KM_ASSERT(!err);
		net_add(d->net, (uint8_t)i, d->m[i]);
	}
}

static inline void dkg_init(struct dkg *d, uint64_t seed, uint32_t set, unsigned threshold)
{
	dkg_init_order(d, seed, seed, set, threshold);
}

static inline void dkg_corrupt(struct dkg *d, unsigned id, dkg_evil_fn before, dkg_evil_fn after)
{
	dkg_evil.honest = d->m[id]->ops;
	dkg_evil.ops = *d->m[id]->ops;
	dkg_evil.ops.worked = dkg_evil_worked;
	dkg_evil.ops.round_done = dkg_evil_round_done;
	dkg_evil.rush = 0;
	dkg_evil.before = before;
	dkg_evil.after = after;
	d->m[id]->ops = &dkg_evil.ops;
	d->corrupt |= km_set_bit(id);
}

static inline void dkg_run(struct dkg *d, int timeouts)
{
	net_run(d->net, timeouts);
}

/* The rushing peer has seen all other G2 and sends its own, as it stands in its state now. */
static inline void dkg_rush_send(struct dkg *d, unsigned id)
{
	struct km_outs outs;
	struct km_out *out;

	km_outs_init(&outs);
	int err = dkg_evil.honest->round_done(d->m[id], KM_DKG_G1, &outs);
	KM_ASSERT(!err);
	while ((out = km_outs_pop(&outs))) {
		for (unsigned j = km_set_next(d->set, 0); j; j = km_set_next(d->set, j))
			if (j != id)
				net_inject(d->net, (uint8_t)id, (uint8_t)j, out->data, out->len);
		km_out_free(out);
	}
}

static inline void dkg_clear(struct dkg *d)
{
	for (unsigned i = 1; i <= KM_MAX_PEERS; i++)
		km_machine_free(d->m[i]);
	net_free(d->net);
}

static inline struct net_party *dkg_party(const struct dkg *d, unsigned id)
{
	return net_party(d->net, (uint8_t)id);
}

static inline uint32_t dkg_honest(const struct dkg *d)
{
	return d->set & ~d->corrupt;
}

/* 1 if every honest peer convicted exactly these and dropped. */
static inline int dkg_all_convict(const struct dkg *d, uint32_t culprits, int kind)
{
	for (unsigned i = km_set_next(dkg_honest(d), 0); i; i = km_set_next(dkg_honest(d), i)) {
		const struct net_party *p = dkg_party(d, i);
		if (p->convicted != culprits || p->evidence_kind != kind || !p->dropped || p->done || p->disputed)
			return 0;
	}
	return 1;
}

static inline uint32_t dkg_done(const struct dkg *d)
{
	uint32_t set = 0;

	for (unsigned i = km_set_next(d->set, 0); i; i = km_set_next(d->set, i))
		if (dkg_party(d, i)->done)
			set |= km_set_bit(i);
	return set;
}

static inline struct km_dkg_group dkg_group(const struct dkg *d)
{
	struct km_machine *m = d->m[km_set_next(d->set, 0)];

	return (struct km_dkg_group){ .curve = m->curve, .sid = m->sid, .participants = d->set, .threshold = d->threshold,
				      .idkeys = (const uint8_t(*)[KM_IDKEY_SIZE])m->idkeys };
}

/* f(0) through the points (id, y) of a set; y by ascending member. What an attacker with these shares computes. */
static inline void dkg_interpolate(struct km_scalar *out, const struct km_secret *y, uint32_t set)
{
	struct km_scalar v[KM_MAX_PEERS];

	for (unsigned i = 0; i < km_set_size(set); i++)
		km_secret_declassify(&v[i], &y[i]);
	km_shamir_interpolate(km_curve_p256(), out, v, set, 0);
}

/* Re-signs an envelope whose body was changed in place, as a Byzantine author would. */
static inline void dkg_resign(const struct dkg *d, unsigned author, uint8_t **raw, size_t *len)
{
	struct km_machine *m = d->m[author];
	struct km_msg msg;
	struct km_shape shape;
	struct km_identity id;

	int err = km_msg_parse(&msg, *raw, *len);
	KM_ASSERT(!err);
	err = m->ops->shape(m, msg.round, msg.sender, 0, msg.body, msg.body_len, &shape);
	KM_ASSERT(!err);
	net_identity(d->seed, (uint8_t)author, &id);
	uint8_t *out = net_resign(&id, *raw, *len, &shape, len);
	free(*raw);
	*raw = out;
}

#endif
