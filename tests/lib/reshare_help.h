/* reshare_help.h: a reshare among machines of a test network, from a key that a trusted dealer made or that an earlier reshare left. For
 * unit and attack tests. What is in d works with everything in dkg_help.h: dkg_corrupt, dkg_run, dkg_party, dkg_resign.
 *
 *	struct rsh_key k;  rsh_key_make(&k, seed, curve, members, T);
 *	struct rsh r;      rsh_init(&r, &k, run, Q, J, members, T');
 *	dkg_run(&r.d, timeouts);
 *	rsh_key_next(&next, &r, &k);          the key as the run left it, with its certificate
 *	rsh_clear(&r);
 */
#ifndef KM_TEST_RESHARE_HELP_H
#define KM_TEST_RESHARE_HELP_H

#include "dealer.h"
#include "dkg_help.h"
#include "proto/reshare.h"

#define RSH_TIME_S 1700000000u  /* of every proposal: net_setup_make */

struct rsh_key {
	uint64_t seed;                         /* of identities */
	struct km_table table;
	struct km_secret x[KM_MAX_PEERS + 1];  /* shares of `have` */
	uint32_t have;
	struct km_cert cert;
};

struct rsh {
	struct dkg d;                          /* d.set: Q and J */
	const struct rsh_key *old;
	uint32_t dealers, joiners, members;
	unsigned threshold;
	uint64_t number;
	struct km_proposal prop;
};

/* The signed STORED of a peer for a table. */
static inline void rsh_stored(uint64_t seed, unsigned by, unsigned proto, const struct km_table *t, uint8_t raw[KM_STORED_MAX])
{
	const struct km_shape shape = { .head = KM_STORED_BODY };
	uint8_t body[KM_STORED_BODY], prev[KM_HASH_SIZE] = { 0 };
	struct km_identity id;
	struct km_epoch e;
	struct km_buf b;

	km_epoch_of(&e, t);
	net_identity(seed, (uint8_t)by, &id);
	km_stored_put(body, prev, &e);
	km_buf_init_fixed(&b, raw, KM_STORED_MAX);
	int err = km_msg_build(&b, (uint8_t)proto, KM_STORED_ROUND, (uint8_t)by, 0, t->sid, &shape, body, &id);
	KM_ASSERT(!err);
}

/* KM_E_IDENTITY as dealer_make. */
static inline int rsh_key_try(struct rsh_key *k, uint64_t seed, const struct km_curve *curve, uint32_t members, unsigned threshold)
{
	uint8_t raw[KM_STORED_MAX];
	struct dealer d;

	memset(k, 0, sizeof(*k));
	k->seed = seed;
	int err = dealer_make(&d, seed, curve, members, threshold);
	if (err)
		return err;
	k->table = d.table;
	k->have = members;
	km_cert_init(&k->cert, KM_PROTO_DKG);
	for (unsigned i = km_set_next(members, 0); i; i = km_set_next(members, i)) {
		k->x[i] = d.share[i];
		rsh_stored(seed, i, KM_PROTO_DKG, &k->table, raw);
		err = km_cert_add(&k->cert, &k->table, raw, sizeof(raw));
		KM_ASSERT(!err);
	}
	return KM_OK;
}

static inline void rsh_key_make(struct rsh_key *k, uint64_t seed, const struct km_curve *curve, uint32_t members, unsigned threshold)
{
	int err = rsh_key_try(k, seed, curve, members, threshold);
	KM_ASSERT(!err);
}

/* What peer id would start with; keys is r->d.keys. */
static inline void rsh_params(struct rsh *r, unsigned id, struct km_reshare_params *p)
{
	memset(p, 0, sizeof(*p));
	net_params(&p->machine, r->d.keys, r->d.seed, r->old->table.curve, (uint8_t)id, r->d.set | r->members | 0xff);
	p->machine.participants = r->d.set;
	memcpy(p->machine.sid, r->d.setup.sid, KM_HASH_SIZE);
	/* fresh randomness in every run */
	for (unsigned i = 0; i < KM_HASH_SIZE; i++)
		p->machine.seed[i] ^= r->d.setup.sid[i];
	p->old = &r->old->table;
	p->cert = &r->old->cert;
	p->x_i = km_set_has(r->dealers, id) ? &r->old->x[id] : NULL;
	p->dealers = r->dealers;
	p->joiners = r->joiners;
	p->members = r->members;
	p->threshold = r->threshold;
	p->number = r->number;
}

/* run: makes the sid, the seeds and the order of delivery another. */
static inline void rsh_init(struct rsh *r, const struct rsh_key *old, uint64_t run, uint32_t dealers, uint32_t joiners, uint32_t members,
			    unsigned threshold)
{
	struct km_reshare_params p;
	struct km_machine_params mp;
	const struct km_table *t = &old->table;

	memset(r, 0, sizeof(*r));
	r->old = old;
	r->dealers = dealers;
	r->joiners = joiners;
	r->members = members;
	r->threshold = threshold;
	r->d.seed = old->seed;
	r->d.set = dealers | joiners;
	r->d.threshold = threshold;
	r->prop = (struct km_proposal){ .purpose = KM_PURPOSE_RESHARE, .participants = r->d.set, .threshold = (uint8_t)threshold,
					.curve = (uint8_t)km_curve_id(t->curve), .dealers = dealers, .joiners = joiners, .members = members };
	memcpy(r->prop.hash, t->hash, KM_HASH_SIZE);
	memcpy(r->prop.name, t->name, sizeof(r->prop.name));
	r->prop.cert[0] = (uint8_t)run;
	r->prop.cert[1] = (uint8_t)(run >> 8);
	net_params(&mp, r->d.keys, old->seed, t->curve, (uint8_t)km_set_next(dealers, 0), dealers | joiners | members | 0xff);
	km_setup_committee(members, threshold, (const uint8_t(*)[KM_IDKEY_SIZE])r->d.keys, r->prop.committee);
	for (unsigned i = km_set_next(dealers, 0); i; i = km_set_next(dealers, i))
		km_epoch_of(&r->d.setup.highest[i], t);
	net_setup_make(&r->d.setup, old->seed, &r->prop, NULL);
	int err = km_setup_number(&r->prop, r->d.setup.highest, &r->number);
	KM_ASSERT(!err);
	r->d.net = net_new(run);
	for (unsigned i = km_set_next(r->d.set, 0); i; i = km_set_next(r->d.set, i)) {
		rsh_params(r, i, &p);
		err = km_reshare_new(&r->d.m[i], &p);
		KM_ASSERT(!err);
		net_add(r->d.net, (uint8_t)i, r->d.m[i]);
	}
}

static inline void rsh_clear(struct rsh *r)
{
	dkg_clear(&r->d);
}

/* What the run fixes, as a judge makes it. over is storage. */
static inline struct km_dkg_group rsh_group(const struct rsh *r, struct km_dkg_over *over)
{
	struct km_machine *m = r->d.m[km_set_next(r->d.set, 0)];
	int err = km_reshare_over(over, &r->old->table, r->dealers, r->joiners);

	KM_ASSERT(!err);
	return (struct km_dkg_group){ .curve = m->curve, .sid = m->sid, .participants = r->d.set, .threshold = r->threshold,
				      .idkeys = (const uint8_t(*)[KM_IDKEY_SIZE])m->idkeys, .over = over };
}

/* The shares and promises of all of J that are done. KM_E_EMPTY when nobody is. */
static inline int rsh_key_next(struct rsh_key *k, struct rsh *r)
{
	memset(k, 0, sizeof(*k));
	k->seed = r->d.seed;
	km_cert_init(&k->cert, KM_PROTO_RESHARE);
	for (unsigned i = km_set_next(r->joiners, 0); i; i = km_set_next(r->joiners, i)) {
		struct km_share *s = km_secret_alloc(sizeof(*s));
		int err = s ? km_reshare_take(r->d.m[i], s) : KM_E_NOMEM;

		if (!err) {
			k->table = s->table;
			k->x[i] = s->x_i;
			k->have |= km_set_bit(i);
			err = km_cert_add(&k->cert, &s->table, s->stored, s->stored_len);
			KM_ASSERT(!err);
		}
		km_secret_free(s);
	}
	return k->have ? KM_OK : KM_E_EMPTY;
}

/* f(0) through the shares of a set, over any curve. What an attacker who has them computes. */
static inline void rsh_interpolate(const struct km_curve *c, struct km_scalar *out, const struct km_secret *x, uint32_t set)
{
	struct km_scalar v[KM_MAX_PEERS];
	unsigned n = 0;

	for (unsigned i = km_set_next(set, 0); i; i = km_set_next(set, i))
		km_secret_declassify(&v[n++], &x[i]);
	km_shamir_interpolate(c, out, v, set, 0);
}

/* Is x the key of the table? */
static inline int rsh_is_key(const struct km_table *t, const struct km_scalar *x)
{
	struct km_secret s;
	struct km_point p;

	km_secret_from_public(&s, x);
	km_point_mul_g(t->curve, &p, &s);
	return km_point_equal_var(t->curve, &p, &t->x);
}

/* Does every set of T of the shares give the key, and is every share its X_j? */
static inline int rsh_key_holds(const struct rsh_key *k)
{
	const struct km_table *t = &k->table;
	struct km_scalar x;
	struct km_point p;

	for (unsigned i = km_set_next(k->have, 0); i; i = km_set_next(k->have, i)) {
		km_point_mul_g(t->curve, &p, &k->x[i]);
		if (!km_point_equal_var(t->curve, &p, &t->xi[i]))
			return 0;
	}
	for (uint32_t set = k->have; set; set = (set - 1) & k->have) {
		if (km_set_size(set) != t->threshold)
			continue;
		rsh_interpolate(t->curve, &x, k->x, set);
		if (!rsh_is_key(t, &x))
			return 0;
	}
	return 1;
}

#endif
