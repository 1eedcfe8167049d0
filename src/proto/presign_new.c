/* presign_new.c: what a presign run is made of: sizes of its messages, who is in which index, its memory. */
#include <stdlib.h>
#include <string.h>
#include "presign_impl.h"
#include "../base/secret.h"

/* ---- shapes */

int km_presign_shape(const struct km_presign *s, unsigned wire, unsigned sender, unsigned recipient, struct km_shape *shape)
{
	uint32_t ss = (uint32_t)s->ss, ps = (uint32_t)s->ps, own = s->own_n[sender];

	if (wire <= km_presign_wire(s, KM_PRESIGN_M3))
		return s->engine->shape(s, wire, sender, recipient, shape);
	switch (wire - s->engine->shift) {
	case KM_PRESIGN_C3:
		/* who is in no quorum proves nothing */
		*shape = (struct km_shape){ KM_HASH_SIZE + (own ? ps + ss : 0), 4 * ps + ss, own };
		return KM_OK;
	case KM_PRESIGN_OK:
		*shape = (struct km_shape){ s->engine->lists * s->n * KM_HASH_SIZE, 0, 0 };
		return KM_OK;
	case KM_PRESIGN_PASS:
		*shape = (struct km_shape){ KM_HASH_SIZE, 0, 0 };
		return KM_OK;
	case KM_PRESIGN_C4:
		*shape = (struct km_shape){ KM_HASH_SIZE, ss, own };
		return KM_OK;
	}
	return KM_E_ENCODING;
}

int km_presign_room(struct km_presign *s, unsigned round)
{
	struct km_shape shape;
	int err = km_presign_shape(s, km_presign_wire(s, round), s->m->self, 0, &shape);

	if (err)
		return err;
	free(s->body);
	s->body = calloc(1, (size_t)km_shape_size(&shape) + 1);
	return s->body ? KM_OK : KM_E_NOMEM;
}

/* ---- life */

void km_presign_free(struct km_presign *s)
{
	if (!s)
		return;
	for (unsigned o = 0; s->done && o < s->own; o++)
		km_presig_free(s->done[o]);
	if (s->engine)
		s->engine->wipe(s);
	km_secret_free(s->arena);
	free(s->index);
	free(s->lambda);
	free(s->own_pos);
	free(s->own_index);
	free(s->vandermonde);
	free(s->ri_enc);
	free(s->w);
	free(s->r);
	free(s->r_enc);
	free(s->pa);
	free(s->pc);
	free(s->pv);
	free(s->epsilon);
	free(s->tuple);
	free(s->done);
	free(s->body);
	free(s);
}

/* WHY: with another share than the table says, our own epsilon would convict us. */
static int share_ok(const struct km_presign_params *p)
{
	struct km_point x;

	km_point_mul_g(p->table->curve, &x, p->x_i);
	km_point_declassify(&x);
	return km_point_equal_var(p->table->curve, &x, &p->table->xi[p->machine.self]);
}

static int participants_ok(const struct km_presign_params *p)
{
	unsigned n = km_set_size(p->machine.participants), t = p->table->threshold;

	if (p->engine == KM_PRESIGN_ANY)
		return n == t && p->batch <= km_presign_any_batch_max(p->machine.curve, t);
	return p->engine <= KM_PRESIGN_MAJORITY && n >= 2 * t - 1;
}

static int params_ok(const struct km_presign_params *p)
{
	const struct km_machine_params *mp = &p->machine;

	if (p->table->threshold < KM_MIN_THRESHOLD || p->table->curve != mp->curve || !participants_ok(p) ||
	    (mp->participants & ~p->table->members) || !km_set_has(mp->participants, mp->self) || p->batch < 1 || p->batch > KM_MAX_BATCH)
		return 0;
	for (unsigned l = 0; l < p->batch; l++)
		if (km_set_size(p->rows[l].quorum) != p->table->threshold || (p->rows[l].quorum & ~mp->participants) ||
		    !km_set_has(p->rows[l].quorum, p->rows[l].owner))
			return 0;
	return !p->x_i || share_ok(p);
}

unsigned km_presign_any_batch_max(const struct km_curve *c, unsigned threshold)
{
	unsigned b = KM_MAX_BATCH;

	while (b && (km_any_received(c, threshold, b) > KM_PRESIGN_ANY_RECEIVED || km_any_largest(c, b) > KM_MAX_ENVELOPE - KM_MSG_HEAD))
		b--;
	return b;
}

/* Who is in which index, at which place, with which Lagrange coefficient: each distinct quorum is computed once. */
static int make_index(struct km_presign *s, const struct km_presign_params *p)
{
	uint32_t set = p->machine.participants;
	unsigned used = 0, width = s->t + 1;

	s->index = calloc(s->batch, sizeof(*s->index));
	s->own_pos = calloc(KM_MAX_PEERS + 1, sizeof(*s->own_pos));
	s->own_index = calloc(s->batch, sizeof(*s->own_index));
	s->lambda = calloc((size_t)s->batch * width, sizeof(*s->lambda));
	if (!s->index || !s->own_pos || !s->own_index || !s->lambda)
		return KM_E_NOMEM;
	for (unsigned l = 0; l < s->batch; l++) {
		struct km_presign_index *ix = &s->index[l];
		unsigned same = 0;

		ix->quorum = p->rows[l].quorum;
		ix->owner = p->rows[l].owner;
		for (unsigned j = km_set_next(set, 0); j; j = km_set_next(set, j)) {
			if (!km_set_has(ix->quorum, j))
				continue;
			if (j == p->machine.self)
				s->own_index[s->own_n[j]] = (uint16_t)l;
			s->own_pos[j][l] = (uint16_t)s->own_n[j]++;
		}
		while (same < l && s->index[same].quorum != ix->quorum)
			same++;
		if (same < l) {
			ix->lambda = s->index[same].lambda;
			continue;
		}
		ix->lambda = (uint16_t)(used * width);
		km_shamir_lagrange_all(s->curve, &s->lambda[ix->lambda], ix->quorum, 0);
		used++;
	}
	s->own = s->own_n[p->machine.self];
	return KM_OK;
}

/* The row r of the extraction: power r of every dealer's id; any n-t columns are independent. */
static int make_vandermonde(struct km_presign *s, uint32_t participants)
{
	struct km_scalar x;

	s->vandermonde = calloc((size_t)s->extracted * s->n, sizeof(*s->vandermonde));
	if (!s->vandermonde)
		return KM_E_NOMEM;
	for (unsigned d = km_set_next(participants, 0), at = 0; d; d = km_set_next(participants, d), at++) {
		km_scalar_set_u32(&x, d);
		km_scalar_set_u32(&s->vandermonde[at], 1);
		for (unsigned r = 1; r < s->extracted; r++)
			km_scalar_mul(s->curve, &s->vandermonde[r * s->n + at], &s->vandermonde[(r - 1) * s->n + at], &x);
	}
	return KM_OK;
}

static int make_arena(struct km_presign *s)
{
	/* engine any shares nothing among more than the quorum */
	size_t sharings = s->engine == &km_engine_any ? 0 : (size_t)KM_KINDS * (s->batch + 1);
	struct km_secret *at;

	s->early_len = sizeof(*s->early) + (sharings + s->own) * sizeof(*at);
	s->arena = km_secret_alloc(s->early_len + (3 * (size_t)s->own + 1) * sizeof(*at) + sizeof(*s->check));
	if (!s->arena)
		return KM_E_NOMEM;
	_Static_assert(sizeof(struct km_presign_early) % sizeof(mp_limb_t) == 0, "scalars follow it");
	s->early = (struct km_presign_early *)s->arena;
	at = (struct km_secret *)(s->early + 1);
	for (unsigned kind = 0; sharings && kind < KM_KINDS; kind++, at += s->batch + 1)
		s->sh[kind] = at;
	s->k = at;
	s->a = s->k + s->own;
	s->v = s->a + s->own;
	s->c = s->v + s->own;
	s->x_i = s->c + s->own;
	s->check = (struct km_rng *)(s->x_i + 1);
	return KM_OK;
}

static int make_public(struct km_presign *s)
{
	size_t n = (size_t)s->own + 1;

	s->ri_enc = calloc(n, s->ps);
	s->w = calloc(n, sizeof(*s->w));
	s->r = calloc(n, sizeof(*s->r));
	s->r_enc = calloc(n, s->ps);
	s->pa = calloc(n, sizeof(*s->pa));
	s->pc = calloc(n, sizeof(*s->pc));
	s->pv = calloc(n * (s->t + 1), sizeof(*s->pv));
	s->epsilon = calloc(n, sizeof(*s->epsilon));
	s->tuple = calloc(n, sizeof(*s->tuple));
	s->done = calloc(n, sizeof(*s->done));
	return s->ri_enc && s->w && s->r && s->r_enc && s->pa && s->pc && s->pv && s->epsilon && s->tuple && s->done ? KM_OK : KM_E_NOMEM;
}

/* Streams of the run: what it deals and proves by, and the verifier's own randomisers, which outlive the seed. */
static void seed_streams(struct km_presign *s)
{
	uint8_t seed[KM_SEED_SIZE];

	km_rng_bytes(&s->m->rng, seed, sizeof(seed));
	km_rng_init(&s->early->rng, seed, "presign", NULL, 0);
	km_rng_bytes(&s->m->rng, seed, sizeof(seed));
	km_rng_init(s->check, seed, "presign-check", NULL, 0);
	/* private, but no secret: a weight is drawn after what it weighs was sent, and used once, in variable time */
	km_declassify(s->check, sizeof(*s->check));
	km_wipe(seed, sizeof(seed));
}

int km_presign_new(struct km_machine **out, const struct km_presign_params *p)
{
	struct km_machine_params mp = p->machine;
	struct km_presign *s;
	int err;

	*out = NULL;
	if (!params_ok(p))
		return KM_E_INVAL;
	s = calloc(1, sizeof(*s));
	if (!s)
		return KM_E_NOMEM;
	s->engine = p->engine == KM_PRESIGN_ANY ? &km_engine_any : &km_engine_majority;
	s->replay = !p->x_i;
	s->curve = mp.curve;
	s->ss = km_curve_scalar_size(mp.curve);
	s->ps = km_curve_point_size(mp.curve);
	s->t = p->table->threshold - 1;
	s->n = km_set_size(mp.participants);
	s->batch = p->batch;
	s->extracted = s->n - s->t;
	s->groups = (s->batch + 1 + s->extracted - 1) / s->extracted;
	memcpy(s->table_hash, p->table->hash, KM_HASH_SIZE);
	memcpy(s->xi, p->table->xi, sizeof(s->xi));
	err = make_index(s, p);
	if (!err && s->engine == &km_engine_majority)
		err = make_vandermonde(s, mp.participants);
	if (!err)
		err = make_arena(s);
	if (!err)
		err = make_public(s);
	mp.ops = s->engine == &km_engine_any ? &km_presign_any_ops : &km_presign_majority_ops;
	if (!err && s->engine == &km_engine_any)
		err = km_any_new(s);
	if (!err)
		err = km_machine_new(out, &mp, s);
	if (err) {
		km_presign_free(s);
	} else {
		s->m = *out;
		if (p->x_i)
			*s->x_i = *p->x_i;
		memcpy(s->early->seed, p->machine.seed, KM_SEED_SIZE);
		seed_streams(s);
	}
	km_wipe(&mp, sizeof(mp));
	return err;
}

int km_presign_take(struct km_machine *m, struct km_presig ***out, size_t *n)
{
	struct km_presign *s = m->state;

	*out = NULL;
	*n = 0;
	if (!m->ended || !s->done)
		return KM_E_STATE;
	*out = calloc(s->own + 1, sizeof(**out));
	if (!*out)
		return KM_E_NOMEM;
	for (unsigned o = 0; o < s->own; o++)
		if (s->done[o])
			(*out)[(*n)++] = s->done[o];
	free(s->done);
	s->done = NULL;
	return KM_OK;
}
