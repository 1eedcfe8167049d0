/* any.h: what the attacks on engine any share: two peers, T = 2, one index; peer 2 is corrupt. */
#ifndef KM_ATTACK_ANY_H
#define KM_ATTACK_ANY_H

#include <stdlib.h>
#include "attack.h"
#include "rush.h"
#include "base/secret.h"
#include "proto/any_impl.h"
#include "proto/gf128.h"

#define HONEST 1
#define CORRUPT 2
#define PAIR 3u

static inline struct km_presign *any_of(const struct group *g, unsigned peer)
{
	return g->m[peer]->state;
}

static inline void any_run(struct group *g, struct rush *r, uint64_t seed)
{
	group_init_any(g, seed, PAIR, PAIR, 1);
	rush_attach(r, g->m[CORRUPT]);
	rush_run(g);
}

/* Where the columns of u stand in the body of Y2. */
static inline uint8_t *any_u(const struct km_presign *s, uint8_t *y2)
{
	return y2 + KM_OT_CHECK_SIZE + s->batch * s->ss;
}

/* Corrupt Bob makes his check again after he has changed u: as good as it gets. */
static inline void any_prove_again(struct km_presign *s)
{
	struct km_any_link *link = s->any->link[HONEST];
	const struct km_ot_pair pair = { s->m->sid, HONEST, CORRUPT };
	uint8_t y1[2][KM_HASH_SIZE], *t = malloc(KM_OT_KAPPA * s->any->len);
	struct km_gf128 *chi;

	memcpy(y1[0], s->m->priv[KM_ANY_Y1][HONEST].msg.digest, KM_HASH_SIZE);
	memcpy(y1[1], s->m->sent[KM_ANY_Y1][HONEST], KM_HASH_SIZE);
	km_ot_ext_bob(t, NULL, (const uint8_t(*)[2][KM_OT_KEY_SIZE])link->both, NULL, s->any->len);
	chi = km_ot_ext_challenge(&pair, (const uint8_t(*)[KM_HASH_SIZE])y1, any_u(s, s->any->body), s->any->len);
	km_ot_ext_prove(s->any->body, chi, t, link->beta, s->any->len);
	free(chi);
	free(t);
}

#endif
