/* sim_blame.c: invariants 7 and 3.
 *
 * 7: while all is calm, what a corrupt peer did to a run or to a signature must show at some honest peer within SHOWS_US: a
 * conviction, a dispute, or a suspected link of it. 3: what corrupt peers hold, in memory and on disk, contains no secret of others,
 * and does not make the key. */
#include "config.h"
#include "sim_swarm_impl.h"

#include <string.h>
#include "ec/shamir.h"
#include "node/peer_impl.h"
#include "sim_alloc.h"
#include "sim_impl.h"

#define SHOWS_US 15000000u
/* After calm begins, what was broken before still ends. */
#define QUIET_US 35000000u

/* ---- 7 */

/* How much honest peers hold against these. */
static uint64_t suspicion(struct swarm *w, uint32_t whom)
{
	uint64_t sum = 0;

	for (unsigned i = 1; i <= sim_opt(w->s)->n; i++) {
		const struct km_peer *p = sim_peer(w->s, i);

		if (!p || km_set_has(w->evil.set, i))
			continue;
		sum += (uint64_t)km_set_size((p->quarantined | p->disputed) & whom) << 32;
		for (unsigned a = km_set_next(whom, 0); a; a = km_set_next(whom, a)) {
			sum += p->link[a].avoid_until_us > p->now.mono_us ? 1 : 0;
			for (unsigned b = 1; b <= sim_opt(w->s)->n; b++)
				sum += p->score[a][b];
		}
	}
	return sum;
}

static uint64_t retries(struct swarm *w)
{
	uint64_t n = 0;

	for (unsigned i = 1; i <= sim_opt(w->s)->n; i++)
		if (sim_peer(w->s, i) && !km_set_has(w->evil.set, i))
			n += sim_peer(w->s, i)->n_retries;
	return n;
}

void swarm_blame_start(struct swarm *w)
{
	if (!w->evil.n)
		return;
	memset(&w->blame, 0, sizeof(w->blame));
	w->blame.on = 1;
	w->blame.since_us = 0;
	w->blame.base = sim_now_us(w->s) + QUIET_US;
}

void swarm_blame_poll(struct swarm *w)
{
	struct swarm_blame *b = &w->blame;
	uint64_t now = sim_now_us(w->s);

	if (!b->on || sim_broken(w->s))
		return;
	if (b->on == 1) {
		if (now < b->base)
			return;
		b->on = 2;
		w->evil.failed = 0;
		b->retries = retries(w);
	}
	uint64_t r = retries(w);
	if (r != b->retries)
		w->evil.failed |= w->evil.set;
	b->retries = r;
	if (w->evil.failed && !b->since_us) {
		b->since_us = now;
		b->culprits = w->evil.failed;
		sim_count(w->s)->cheats_failed++;
	}
	w->evil.failed = 0;
	if (!b->since_us)
		return;
	if (suspicion(w, b->culprits)) {
		sim_count(w->s)->failures_blamed++;
		b->since_us = 0;
	} else if (now - b->since_us > SHOWS_US) {
		sim_break(w->s, "invariant 7: what peers %#x did to a run or a signature shows nowhere", (unsigned)b->culprits);
	}
}

/* ---- 3 */

struct look {
	struct swarm *w;
	const uint8_t *secret;
	size_t len;
	unsigned whose;       /* 0: the key */
	unsigned where;
};

static void look_at(void *ctx, const uint8_t *p, size_t n)
{
	struct look *l = ctx;

	if (n < l->len || !memmem(p, n, l->secret, l->len))
		return;
	if (l->whose)
		sim_break(l->w->s, "invariant 3: corrupt peer %u holds the share of peer %u", l->where, l->whose);
	else
		sim_break(l->w->s, "invariant 3: corrupt peer %u holds the key", l->where);
}

/* In memory as limbs or as bytes, on disk as bytes. */
static void look_for(struct swarm *w, unsigned where, unsigned whose, const struct km_curve *c, const struct km_secret *x)
{
	uint8_t enc[KM_SCALAR_MAX];
	struct look bytes = {w, enc, km_curve_scalar_size(c), whose, where};
	struct look limbs = {w, (const uint8_t *)x, km_curve_scalar_size(c), whose, where};
	const struct sim_node *node = &w->s->peers[where];

	km_secret_encode(c, enc, x);
	sim_alloc_each(where, look_at, &bytes);
	sim_alloc_each(where, look_at, &limbs);
	for (size_t i = 0; i < node->n_files; i++)
		if (node->files[i].data)
			look_at(&bytes, node->files[i].data, node->files[i].len);
}

/* What T-1 shares say of the key: nothing, so that interpolating them gives another one. */
static void check_interpolation(struct swarm *w, const struct km_table *t, const struct km_secret *share, uint32_t set)
{
	struct km_scalar v[KM_MAX_PEERS], x;
	struct km_secret sx;
	struct km_point p;
	unsigned n = 0;

	for (unsigned i = km_set_next(set, 0); i; i = km_set_next(set, i))
		km_secret_declassify(&v[n++], &share[i]);
	if (!n)
		return;
	km_shamir_interpolate(t->curve, &x, v, set, 0);
	km_secret_from_public(&sx, &x);
	km_point_mul_g(t->curve, &p, &sx);
	if (km_point_equal_var(t->curve, &p, &t->x))
		sim_break(w->s, "invariant 3: the shares of %#x make the key", (unsigned)set);
}

/* The shares of the key, from the disks of everybody. Returns whose there are. */
static uint32_t gather(struct swarm *w, const struct km_table *t, struct km_secret *share)
{
	struct km_share *sh = km_secret_alloc(sizeof(*sh));
	uint32_t have = 0;

	KM_ASSERT(sh);
	for (unsigned i = 1; i <= sim_opt(w->s)->n; i++) {
		const struct sim_node *node = &w->s->peers[i];

		for (size_t k = 0; k < node->n_files; k++) {
			if (!node->files[k].data || km_share_decode(sh, node->files[k].data, node->files[k].len) != KM_OK ||
			    memcmp(sh->table.hash, t->hash, KM_HASH_SIZE) != 0)
				continue;
			share[i] = sh->x_i;
			have |= km_set_bit(i);
		}
	}
	km_secret_free(sh);
	return have;
}

void swarm_check_corrupt(struct swarm *w)
{
	struct km_secret share[KM_MAX_PEERS + 1], x, term;
	struct km_scalar lambda[KM_MAX_PEERS];
	const struct km_table *t = NULL;
	uint32_t quorum = 0;

	for (unsigned i = 1; i <= sim_opt(w->s)->frontends && !t; i++)
		t = sim_frontend(w->s, i) ? km_frontend_key_by_name(sim_frontend(w->s, i), "www") : NULL;
	if (!t || !w->evil.set)
		return;
	uint32_t have = gather(w, t, share);
	for (unsigned i = km_set_next(have, 0); i && km_set_size(quorum) < t->threshold; i = km_set_next(have, i))
		quorum |= km_set_bit(i);
	if (km_set_size(quorum) < t->threshold)
		return;
	km_shamir_lagrange_all(t->curve, lambda, quorum, 0);
	km_secret_zero(&x);
	for (unsigned i = km_set_next(quorum, 0), at = 0; i; i = km_set_next(quorum, i), at++) {
		km_secret_mul_pub(t->curve, &term, &share[i], &lambda[at]);
		km_secret_add(t->curve, &x, &x, &term);
	}
	for (unsigned c = km_set_next(w->evil.set, 0); c; c = km_set_next(w->evil.set, c)) {
		look_for(w, c, 0, t->curve, &x);
		for (unsigned i = km_set_next(have, 0); i; i = km_set_next(have, i))
			if (i != c)
				look_for(w, c, i, t->curve, &share[i]);
	}
	check_interpolation(w, t, share, have & w->evil.set);
	sim_count(w->s)->corrupt_searched++;
	km_wipe(share, sizeof(share));
	km_wipe(&x, sizeof(x));
	km_wipe(&term, sizeof(term));
}
