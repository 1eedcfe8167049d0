/* presign.c: a presign run as a machine: shapes, the order of rounds, verdict, what is wiped when (messages section 4).
 *
 * Opening a failed run for blame is not here yet: a failing check drops the run. FAIL will be a second shape of round OK, OPEN one
 * of round PASS; nothing else of the order below changes with them. */
#include <stdlib.h>
#include <string.h>
#include "presign_impl.h"
#include "../base/rules.h"
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

static int shape_op(const struct km_machine *m, unsigned round, unsigned sender, unsigned recipient, const uint8_t *body, uint32_t body_len,
		    struct km_shape *shape)
{
	return km_presign_shape(m->state, round, sender, recipient, shape);
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

const uint8_t *km_presign_prev(const struct km_presign *s, unsigned round)
{
	return km_machine_prev(s->m, km_presign_wire(s, round));
}

void km_presign_blame_wire(struct km_presign *s, unsigned peer, enum km_evidence_kind kind, unsigned wire)
{
	if (!s->guilty[peer]) {
		s->guilty[peer] = (uint8_t)kind;
		s->guilty_round[peer] = (uint8_t)wire;
	}
	if (!s->fail)
		s->fail = KM_E_VERIFY;
}

void km_presign_blame(struct km_presign *s, unsigned peer, enum km_evidence_kind kind, unsigned round)
{
	km_presign_blame_wire(s, peer, kind, km_presign_wire(s, round));
}

int km_presign_send(struct km_presign *s, unsigned round, struct km_outs *outs)
{
	struct km_shape shape;
	int err = km_presign_shape(s, km_presign_wire(s, round), s->m->self, 0, &shape);

	if (!err)
		err = km_machine_send(s->m, km_presign_wire(s, round), 0, &shape, s->body, outs);
	free(s->body);
	s->body = NULL;
	return err;
}

/* ---- endings */

static void wipe_early(struct km_presign *s)
{
	km_wipe(s->arena, s->early_len);
	s->engine->wipe(s);
	for (unsigned round = 1; round <= s->engine->last_private; round++)
		km_machine_wipe_private(s->m, round);
	km_machine_wipe_seed(s->m);
}

/* A run that ends without result leaves nothing; it is never opened by a timeout. */
static void wipe_op(struct km_machine *m)
{
	struct km_presign *s = m->state;

	wipe_early(s);
	for (unsigned o = 0; o < s->own; o++) {
		km_secret_wipe(&s->a[o]);
		km_secret_wipe(&s->v[o]);
		km_secret_wipe(&s->c[o]);
		s->tuple[o] = KM_TUPLE_DROPPED;
		km_presig_free(s->done[o]);
		s->done[o] = NULL;
	}
	km_secret_wipe(s->x_i);
}

/* Convicts everybody the last job found guilty, with the envelopes that show it. */
static int convict(struct km_presign *s, struct km_outs *outs)
{
	struct km_machine *m = s->m;
	int err = KM_OK;

	for (unsigned j = 1; j <= KM_MAX_PEERS && !err; j++) {
		const struct km_msg *msgs[1 + 3 * KM_MAX_PEERS];
		enum km_evidence_kind kind = s->guilty[j];
		unsigned round = s->guilty_round[j];   /* on the wire */
		size_t n = 0;

		if (!kind)
			continue;
		msgs[n++] = round <= s->engine->last_private ? &m->priv[round][j].msg : &m->bcast[round][j].msg;
		if (kind == KM_EV_LIST_ROOT)
			msgs[n++] = &m->bcast[KM_PRESIGN_M1][j].msg;
		else if (kind == KM_EV_OPENING)
			msgs[n++] = &m->bcast[km_presign_wire(s, KM_PRESIGN_M2)][j].msg;
		else if (kind == KM_EV_EPSILON)
			msgs[n++] = &m->bcast[km_presign_wire(s, KM_PRESIGN_C3)][j].msg;
		else if (kind == KM_EV_C3_PROOF)
			/* WHY all rounds: a judge sees (R, w) in M3, and by the author's prev that these M3 are the author's */
			for (unsigned r = 1; r <= km_presign_wire(s, KM_PRESIGN_M3); r++)
				for (unsigned p = km_set_next(m->participants, 0); p; p = km_set_next(m->participants, p))
					if (m->ops->flags[r] & KM_ROUND_BROADCAST)
						msgs[n++] = &m->bcast[r][p].msg;
		err = km_machine_convict(m, j, kind, msgs, n, outs);
		s->guilty[j] = 0;
	}
	return err;
}

/* ---- verdict: OK, PASS, C4 */

static int send_ok(struct km_presign *s, struct km_outs *outs)
{
	const struct km_machine *m = s->m;
	int err = km_presign_room(s, KM_PRESIGN_OK);
	uint8_t *out = s->body;

	if (err)
		return err;
	for (unsigned r = 1; r <= km_presign_wire(s, KM_PRESIGN_C3); r++) {
		if (!(m->ops->flags[r] & KM_ROUND_BROADCAST))
			continue;
		for (unsigned j = km_set_next(m->participants, 0); j; j = km_set_next(m->participants, j), out += KM_HASH_SIZE)
			memcpy(out, m->bcast[r][j].msg.digest, KM_HASH_SIZE);
	}
	return km_presign_send(s, KM_PRESIGN_OK, outs);
}

/* Participants of `in` whose body of round begins with other bytes than ours. */
static uint32_t differing(const struct km_presign *s, unsigned round, uint32_t in, const uint8_t *head, size_t len)
{
	uint32_t set = 0;

	if (!KM_RULE(km_rule_echo))
		return 0;
	for (unsigned j = km_set_next(in, 0); j; j = km_set_next(in, j))
		if (memcmp(km_presign_body(s, round, j), head, len) != 0)
			set |= km_set_bit(j);
	return set;
}

/* BARRIER: here PASS of every participant is in. WHY: opening shows v, C4 shows x - v (A3). */
static int send_c4(struct km_presign *s, struct km_outs *outs)
{
	int err;

	if (KM_RULE(km_rule_barrier) && differing(s, KM_PRESIGN_PASS, s->m->participants, s->oklist_hash, KM_HASH_SIZE))
		return km_machine_drop(s->m, KM_E_MISMATCH, 0, outs);
	err = km_bind_epsilon(s, s->table_hash, s->x_i);
	if (!err)
		err = km_presign_room(s, KM_PRESIGN_C4);
	if (err)
		return err;
	km_secret_wipe(s->x_i);
	memcpy(s->body, s->oklist_hash, KM_HASH_SIZE);
	for (unsigned o = 0; o < s->own; o++)
		km_scalar_encode(s->curve, s->body + KM_HASH_SIZE + o * s->ss, &s->epsilon[o]);
	return km_presign_send(s, KM_PRESIGN_C4, outs);
}

static int send_pass(struct km_presign *s, struct km_outs *outs)
{
	const uint8_t *list = km_presign_body(s, KM_PRESIGN_OK, s->m->self);
	size_t len = (size_t)s->engine->lists * s->n * KM_HASH_SIZE;
	struct km_hash h;
	int err;

	if (differing(s, KM_PRESIGN_OK, s->m->participants, list, len))
		return km_machine_drop(s->m, KM_E_MISMATCH, 0, outs);
	/* WHY before PASS: after PASS others release x - v; whoever could still open v would give x away (A3, A14). */
	if (KM_RULE(km_rule_wipe_before_pass))
		wipe_early(s);
	km_hash_init(&h, "oklist");
	km_hash_field(&h, s->m->sid, KM_HASH_SIZE);
	km_hash_field(&h, list, len);
	km_hash_final(&h, s->oklist_hash);
	err = km_presign_room(s, KM_PRESIGN_PASS);
	if (err)
		return err;
	memcpy(s->body, s->oklist_hash, KM_HASH_SIZE);
	err = km_presign_send(s, KM_PRESIGN_PASS, outs);
	return err || KM_RULE(km_rule_barrier) ? err : send_c4(s, outs);
}

/* ---- jobs */

static int run_points(struct km_presign *s)
{
	int err = s->engine->check(s);

	if (!err && !s->fail)
		err = km_certify_open(s);
	if (!err && !s->fail)
		err = km_certify_points(s);
	return err;
}

static int run_bind(struct km_presign *s)
{
	int err = km_bind_check(s);

	return err ? err : km_bind_finish(s);
}

static void run_job(struct km_job *job)
{
	struct km_presign *s = job->state;

	switch (job->what) {
	case KM_JOB_POINTS:
		job->err = run_points(s);
		break;
	case KM_JOB_CERTIFY:
		job->err = km_certify_check(s);
		break;
	case KM_JOB_BIND:
		job->err = run_bind(s);
		break;
	default:
		job->err = s->engine->run(s, job->what);
	}
}

int km_presign_job(struct km_presign *s, unsigned what, struct km_outs *outs)
{
	return km_machine_job(s->m, what, run_job, outs);
}

static int start_op(struct km_machine *m, struct km_outs *outs)
{
	struct km_presign *s = m->state;

	return s->engine->start(s, outs);
}

static int worked_op(struct km_machine *m, struct km_job *job, struct km_outs *outs)
{
	struct km_presign *s = m->state;
	int err = job->err;

	if (err)
		return km_machine_drop(s->m, err, 0, outs);
	err = convict(s, outs);
	if (err)
		return err;
	if (s->fail && job->what != KM_JOB_BIND)
		return km_machine_drop(s->m, s->fail, 0, outs);
	switch (job->what) {
	case KM_JOB_POINTS:
		return km_presign_send(s, KM_PRESIGN_C3, outs);
	case KM_JOB_CERTIFY:
		return send_ok(s, outs);
	case KM_JOB_BIND:
		return km_machine_done(m, outs);   /* with the tuples that are whole */
	}
	return s->engine->worked(s, job->what, outs);
}

static int bind_job(struct km_presign *s, uint32_t have, struct km_outs *outs)
{
	/* a C4 over another list is not of this view: its author's tuples are as if it were missing */
	s->c4_have = have & ~differing(s, KM_PRESIGN_C4, have, s->oklist_hash, KM_HASH_SIZE);
	return km_machine_job(s->m, KM_JOB_BIND, run_job, outs);
}

/* All of a round are in, and every prev of it equals ours. */
static int round_done_op(struct km_machine *m, unsigned round, struct km_outs *outs)
{
	struct km_presign *s = m->state;

	if (round < km_presign_wire(s, KM_PRESIGN_M3))
		return s->engine->round_done(s, round, outs);
	switch (round - s->engine->shift) {
	case KM_PRESIGN_M3:
		return km_machine_job(m, KM_JOB_POINTS, run_job, outs);
	case KM_PRESIGN_C3:
		return km_machine_job(m, KM_JOB_CERTIFY, run_job, outs);
	case KM_PRESIGN_OK:
		return send_pass(s, outs);
	case KM_PRESIGN_PASS:
		return KM_RULE(km_rule_barrier) ? send_c4(s, outs) : KM_OK;
	}
	return bind_job(s, m->participants, outs);
}

static int timeout_op(struct km_machine *m, unsigned round, uint32_t have, struct km_outs *outs)
{
	struct km_presign *s = m->state;

	if (round == km_presign_wire(s, KM_PRESIGN_C4))
		return bind_job(s, have, outs);
	return km_machine_drop(s->m, KM_E_DEADLINE, m->participants & ~have, outs);
}

static int split_op(struct km_machine *m, unsigned round, unsigned peer, struct km_outs *outs)
{
	return km_machine_drop(m, KM_E_MISMATCH, 0, outs);
}

/* ---- life */

static void presign_free(struct km_presign *s)
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

static void destroy_op(struct km_machine *m)
{
	presign_free(m->state);
	m->state = NULL;
}

static const struct km_machine_ops majority_ops = {
	.name = "presign",
	.proto = KM_PROTO_MAJORITY,
	.rounds = KM_PRESIGN_C4,
	.flags = { 0, KM_ROUND_BROADCAST | KM_ROUND_PRIVATE, KM_ROUND_BROADCAST | KM_ROUND_PREV, KM_ROUND_BROADCAST | KM_ROUND_PREV,
		   KM_ROUND_BROADCAST | KM_ROUND_PREV, KM_ROUND_BROADCAST, KM_ROUND_BROADCAST | KM_ROUND_OKPREV,
		   KM_ROUND_BROADCAST | KM_ROUND_OKPREV },
	/* WHY so long for milliseconds of work: it runs at low priority on machines that may be busy; the dead are noticed otherwise */
	.deadline_ms = { 0, 20000, 20000, 20000, 20000, 20000, 30000, 30000 },
	.shape = shape_op,
	.start = start_op,
	.round_done = round_done_op,
	.worked = worked_op,
	.timeout = timeout_op,
	.split = split_op,
	.wipe = wipe_op,
	.destroy = destroy_op,
};

static const struct km_machine_ops any_ops = {
	.name = "presign-any",
	.proto = KM_PROTO_ANY,
	.rounds = KM_PRESIGN_C4 + 1,
	.flags = { 0, KM_ROUND_PRIVATE | KM_ROUND_HEAP, KM_ROUND_PRIVATE | KM_ROUND_HEAP,
		   KM_ROUND_PRIVATE | KM_ROUND_HEAP | KM_ROUND_BROADCAST | KM_ROUND_PREV, KM_ROUND_BROADCAST | KM_ROUND_PREV,
		   KM_ROUND_BROADCAST | KM_ROUND_PREV, KM_ROUND_BROADCAST, KM_ROUND_BROADCAST | KM_ROUND_OKPREV,
		   KM_ROUND_BROADCAST | KM_ROUND_OKPREV },
	/* as long, and a minute for ten megabytes to each partner */
	.deadline_ms = { 0, 20000, 20000, 60000, 20000, 20000, 20000, 30000, 30000 },
	.shape = shape_op,
	.start = start_op,
	.round_done = round_done_op,
	.worked = worked_op,
	.timeout = timeout_op,
	.split = split_op,
	.wipe = wipe_op,
	.destroy = destroy_op,
};

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
	return share_ok(p);
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
	mp.ops = s->engine == &km_engine_any ? &any_ops : &majority_ops;
	if (!err && s->engine == &km_engine_any)
		err = km_any_new(s);
	if (!err)
		err = km_machine_new(out, &mp, s);
	if (err) {
		presign_free(s);
	} else {
		s->m = *out;
		*s->x_i = *p->x_i;
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
