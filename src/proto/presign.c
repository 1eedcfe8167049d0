/* presign.c: a presign run as a machine: the order of rounds, verdict, what is wiped when (messages section 4). What a run is made of
 * stands in presign_new.c, how a failed one is opened in open.c. */
#include <stdlib.h>
#include <string.h>
#include "judge_presign.h"
#include "presign_impl.h"
#include "../base/rules.h"
#include "../base/secret.h"

/* ---- messages */

static int shape_op(const struct km_machine *m, unsigned round, unsigned sender, unsigned recipient, const uint8_t *body, uint32_t body_len,
		    struct km_shape *shape)
{
	const struct km_presign *s = m->state;
	struct km_msg msg = { .round = (uint8_t)round, .recipient = (uint8_t)recipient, .body_len = body_len };
	enum km_open_kind kind = km_open_kind(s->engine->number, s->n, &msg);

	if (kind) {
		*shape = km_open_shape(s->engine->number, s->n, kind);
		return KM_OK;
	}
	return km_presign_shape(s, round, sender, recipient, shape);
}

static int opens_op(const struct km_machine *m, const struct km_msg *msg)
{
	const struct km_presign *s = m->state;

	return km_open_kind(s->engine->number, s->n, msg) != KM_OPEN_NONE;
}

static int opened_op(struct km_machine *m, unsigned round, unsigned sender, struct km_outs *outs)
{
	return km_open_heard(m->state, round, sender, outs);
}

const uint8_t *km_presign_prev(const struct km_presign *s, unsigned round)
{
	return km_machine_prev(s->m, km_presign_wire(s, round));
}

void km_presign_fail(struct km_presign *s, int code, enum km_open_check check, unsigned index)
{
	if (s->fail)
		return;
	s->fail = code;
	s->failed_check = (uint8_t)check;
	s->failed_index = (uint16_t)index;
}

void km_presign_blame_wire(struct km_presign *s, unsigned peer, enum km_evidence_kind kind, unsigned wire)
{
	static const uint8_t checks[] = {
		[KM_EV_ENCODING] = KM_CHECK_ENCODING, [KM_EV_C3_PROOF] = KM_CHECK_PROOFS, [KM_EV_EPSILON] = 0,
		[KM_EV_LIST_ROOT] = KM_CHECK_LIST,    [KM_EV_OPENING] = KM_CHECK_C0,
	};

	if (!s->guilty[peer]) {
		s->guilty[peer] = (uint8_t)kind;
		s->guilty_round[peer] = (uint8_t)wire;
		s->guilty_index[peer] = (uint16_t)s->batch;
	}
	km_presign_fail(s, KM_E_VERIFY, checks[kind], KM_OPEN_NO_INDEX);
}

void km_presign_blame(struct km_presign *s, unsigned peer, enum km_evidence_kind kind, unsigned round)
{
	km_presign_blame_wire(s, peer, kind, km_presign_wire(s, round));
}

void km_presign_blame_index(struct km_presign *s, unsigned peer, enum km_evidence_kind kind, unsigned round, unsigned index)
{
	int first = !s->guilty[peer];

	km_presign_blame(s, peer, kind, round);
	if (first)
		s->guilty_index[peer] = (uint16_t)index;
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

/* A run that ends without result leaves nothing, an opened one nothing but what it showed. */
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

/* Convicts everybody the last job found guilty, with what shows it. */
static int convict(struct km_presign *s, struct km_outs *outs)
{
	int err = KM_OK;

	for (unsigned j = 1; j <= KM_MAX_PEERS && !err; j++) {
		struct km_out **end = outs->tail;

		if (!s->guilty[j])
			continue;
		err = km_presign_convict(s, j, s->guilty[j], s->guilty_round[j], s->guilty_index[j], outs);
		s->guilty[j] = 0;
		if (outs->tail != end)
			s->convicted |= km_set_bit(j);
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
	uint32_t other = 0;
	int err;

	if (KM_RULE(km_rule_barrier))
		other = differing(s, KM_PRESIGN_PASS, s->m->participants, s->oklist_hash, KM_HASH_SIZE);
	if (other) {
		err = km_machine_suspect(s->m, other, outs);
		return err ? err : km_machine_drop(s->m, KM_E_MISMATCH, 0, outs);
	}
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

	if (differing(s, KM_PRESIGN_OK, s->m->participants, list, len)) {
		km_presign_fail(s, KM_E_MISMATCH, KM_CHECK_VIEW, KM_OPEN_NO_INDEX);
		return km_open_open(s, outs);
	}
	KM_ASSERT(!s->replay);
	s->passed = 1;
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
	case KM_JOB_JUDGE:
		job->err = km_open_judge(s);
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

	if (job->what == KM_JOB_JUDGE)
		return km_open_judged(s, err, outs);
	if (m->open) {
		/* opened while this job was out: what it made no longer matters */
		km_presign_fail(s, KM_E_VERIFY, 0, KM_OPEN_NO_INDEX);
		km_machine_wipe(m);
		return km_open_wait(s, 0, outs);
	}
	if (err)
		return km_machine_drop(s->m, err, 0, outs);
	if (s->spoiled) {
		const struct km_stored *got = &m->priv[m->round - 1][s->spoiled];

		err = km_outs_add(outs, KM_OUT_DISPUTE, s->spoiled, KM_E_ENCODING, got->msg.digest, KM_HASH_SIZE);
		return err ? err : km_machine_drop(m, KM_E_ENCODING, 0, outs);
	}
	err = convict(s, outs);
	if (err)
		return err;
	if (s->fail && job->what != KM_JOB_BIND)
		return km_open_fail(s, outs);
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
	uint32_t other = differing(s, KM_PRESIGN_C4, have, s->oklist_hash, KM_HASH_SIZE);
	int err = other ? km_machine_suspect(s->m, other, outs) : KM_OK;

	s->c4_have = have & ~other;
	return err ? err : km_machine_job(s->m, KM_JOB_BIND, run_job, outs);
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

	if (m->open)
		return km_open_wait(s, 1, outs);
	if (round == km_presign_wire(s, KM_PRESIGN_C4)) {
		/* WHY: who keeps its C4 back costs everybody half a minute, and its run still counts as a success */
		int err = km_machine_late(m, m->participants & ~have, outs);

		return err ? err : bind_job(s, have, outs);
	}
	/* WHY not OPEN: silence proves nothing, and who opens without a cause is convicted of it */
	if (!KM_RULE(km_rule_timeout_drops) && !s->passed)
		return km_open_open(s, outs);
	return km_machine_drop(s->m, KM_E_DEADLINE, m->participants & ~have, outs);
}

static int split_op(struct km_machine *m, unsigned round, unsigned peer, struct km_outs *outs)
{
	struct km_presign *s = m->state;

	km_presign_fail(s, KM_E_MISMATCH, KM_CHECK_VIEW, KM_OPEN_NO_INDEX);
	return km_open_fail(s, outs);
}

/* ---- life */

static void destroy_op(struct km_machine *m)
{
	km_presign_free(m->state);
	m->state = NULL;
}

const struct km_machine_ops km_presign_majority_ops = {
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
	.opens = opens_op,
	.opened = opened_op,
	.split = split_op,
	.wipe = wipe_op,
	.destroy = destroy_op,
};

const struct km_machine_ops km_presign_any_ops = {
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
	.opens = opens_op,
	.opened = opened_op,
	.split = split_op,
	.wipe = wipe_op,
	.destroy = destroy_op,
};

