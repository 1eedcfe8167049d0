/* replay.c: the judge of opened runs.
 *
 * Why no honest participant is convicted, whoever shows which openings and whatever the others' openings say. An honest h signs one
 * message for a place, opens once, shows every header it holds, holds only what it verified, and signs nothing of the run after it.
 *
 *	two messages for one place, FAIL and OPEN by one author   h signs neither.
 *	OPEN without a cause    h opens because of another's FAIL or OPEN or of unequal OK lists, all of which it shows.
 *	a message that differs from the replay    Let r be the first round with a difference, in a message that is shown and signed by h.
 *		Some seed is missing: only r = 1 is compared, whose messages follow from h's own seed.
 *		All seeds are there: h's opening is among them, unless it is withheld. What h says in round r follows from its seed and
 *		what it received in rounds before r, all of which it had before it said it and so shows. None of that differs from
 *		the replay, r being the first. So h's message does not either.
 *		The verdict is a message like the others: OK and FAIL follow from rounds up to C3 alone. A FAIL of h (which no deadline and no
 *		second content for one place makes, but only a check over what it shows) is a FAIL of the replay.
 *
 * Why a failed run that everybody opened names a culprit: some opening came first. A FAIL over checks that all hold differs from the
 * replay; over one that fails there too, everybody having done as it should, w = 0 or R = 0 by chance, nobody is guilty. An OPEN
 * needs a cause: OK lists that differ differ from the replay; of an OPEN or FAIL the same is asked (a header names what it follows, so
 * there is a first one), and if that FAIL is not shown, its author did not open it, but something else: FAIL and OPEN. Where
 * somebody did not open, it is suspected, and what depends on it is not judged. */
#include "replay.h"

#include <stdlib.h>
#include <string.h>
#include "presign_impl.h"
#include "../base/hash.h"
#include "../base/rules.h"
#include "../base/sig.h"

#define ROUNDS (KM_PRESIGN_PASS + 1)   /* on the wire, of both engines */

struct opener {
	const struct km_msg *opening;    /* NULL: has not opened, or not so that it counts */
	enum km_open_kind kind;
	struct km_machine *m;
	struct km_outs sent;             /* by the replay, in the present round */
};

struct judge {
	const struct km_replay_run *run;
	struct km_replay_verdict *v;
	uint8_t proto;
	unsigned n, ok_round, last_round;
	uint32_t openers;
	struct opener peer[KM_MAX_PEERS + 1];
	const uint8_t *shown[ROUNDS + 1][KM_MAX_PEERS + 1][KM_MAX_PEERS + 1];  /* headers by round, sender, recipient */
	uint64_t made[ROUNDS + 1][KM_MAX_PEERS + 1];                          /* by the replay: bits of recipients */
	uint32_t differs[ROUNDS + 1];                                         /* authors */
	struct km_identity pen[KM_MAX_PEERS + 1];                             /* of the replay, of no worth */
	uint8_t pens[KM_MAX_PEERS + 1][KM_IDKEY_SIZE];
};

static void convict(struct judge *j, uint32_t culprits, unsigned round, const char *why)
{
	if (!culprits)
		return;
	if (!j->v->culprits) {
		j->v->round = round;
		j->v->why = why;
	}
	j->v->culprits |= culprits;
}

/* ---- what is shown */

static enum km_open_kind kind_of(const struct judge *j, const uint8_t *header)
{
	struct km_msg m;

	if (km_msg_parse_head(&m, header, KM_MSG_HEAD))
		return KM_OPEN_NONE;
	return km_open_kind(j->run->engine, j->n, &m);
}

/* Notes a header that is signed by its sender. */
static void note(struct judge *j, const struct km_open_place *at, const uint8_t *header)
{
	const uint8_t **slot = &j->shown[at->round][at->sender][at->recipient];

	if (!*slot)
		*slot = header;
	else if (memcmp(*slot, header, KM_MSG_CONTENT) != 0)
		convict(j, km_set_bit(at->sender), at->round, "signed two different messages for one place of the run");
}

/* The header in a row, NULL if it counts for nothing. */
static const uint8_t *row_header(struct judge *j, const struct opener *o, unsigned row, struct km_open_place *at)
{
	const uint8_t *header = km_open_row(o->opening, o->kind, row), *known;
	struct km_msg m;

	km_open_place(j->run->engine, j->run->participants, o->opening->sender, row, at);
	known = j->shown[at->round][at->sender][at->recipient];
	if (known && memcmp(known, header, KM_MSG_HEAD) == 0)
		return header;
	return km_open_header(&m, header, j->proto, j->run->sid, at, j->run->idkeys[at->sender]) ? header : NULL;
}

/* Notes all rows. Returns whether they give a cause to open. */
static int note_rows(struct judge *j, const struct opener *o)
{
	unsigned rows = km_open_rows(j->run->engine, j->n), author = o->opening->sender;
	const uint8_t *ok = NULL;
	struct km_open_place at;
	int cause = 0;

	for (unsigned i = 0; i < rows; i++) {
		const uint8_t *header = row_header(j, o, i, &at);

		if (!header)
			continue;
		note(j, &at, header);
		if (at.round < j->ok_round)
			continue;
		if (kind_of(j, header) != KM_OPEN_NONE) {
			cause |= at.sender != author;
		} else if (at.round == j->ok_round) {
			/* OK is the list alone: equal lists have equal roots */
			cause |= ok && memcmp(ok + KM_MSG_CONTENT - KM_HASH_SIZE, header + KM_MSG_CONTENT - KM_HASH_SIZE,
					      KM_HASH_SIZE) != 0;
			ok = header;
		}
	}
	return cause;
}

/* Whether this is an opening of this run. KM_E_VERIFY if not. */
static int admit(const struct judge *j, const struct km_msg *m)
{
	enum km_open_kind kind = km_open_kind(j->run->engine, j->n, m);
	struct km_shape shape = km_open_shape(j->run->engine, j->n, kind);
	int err;

	if (m->proto != j->proto || !kind || !m->body || !km_set_has(j->run->participants, m->sender) ||
	    memcmp(m->sid, j->run->sid, KM_HASH_SIZE) != 0 || km_msg_verify_sig(m, j->run->idkeys[m->sender]) != KM_OK)
		return KM_E_VERIFY;
	err = km_msg_check_body(m, &shape);
	return err && err != KM_E_NOMEM ? KM_E_VERIFY : err;
}

static int collect(struct judge *j, const struct km_msg *const *opened, unsigned n)
{
	uint32_t excused = 0;

	for (unsigned i = 0; i < n; i++) {
		const struct km_msg *m = opened[i];
		int err = admit(j, m);

		if (err == KM_E_NOMEM)
			return err;
		if (err)
			continue;
		note(j, &(struct km_open_place){ m->round, m->sender, 0 }, m->raw);
		/* WHY FAIL shows the seed as OPEN does: else nobody could tell a false FAIL from a true one (A14) */
		if (!KM_RULE(km_rule_fail_opens) && m->round == j->ok_round) {
			excused |= km_set_bit(m->sender);
			continue;
		}
		if (!j->peer[m->sender].opening) {
			j->peer[m->sender].opening = m;
			j->peer[m->sender].kind = km_open_kind(j->run->engine, j->n, m);
			j->openers |= km_set_bit(m->sender);
		}
	}
	j->v->silent = j->run->participants & ~j->openers & ~excused;
	return KM_OK;
}

/* Everything that convicts without a replay. */
static void judge_shown(struct judge *j)
{
	for (unsigned i = km_set_next(j->openers, 0); i; i = km_set_next(j->openers, i)) {
		int cause = note_rows(j, &j->peer[i]);

		if (j->peer[i].kind == KM_OPEN_OPEN && !cause)
			convict(j, km_set_bit(i), j->last_round, "opened the run without a cause");
	}
	for (unsigned i = km_set_next(j->run->participants, 0); i; i = km_set_next(j->run->participants, i)) {
		const uint8_t *verdict = j->shown[j->ok_round][i][0], *last = j->shown[j->last_round][i][0];

		if (verdict && last && kind_of(j, verdict) == KM_OPEN_FAIL && kind_of(j, last) == KM_OPEN_OPEN)
			convict(j, km_set_bit(i), j->last_round, "opened the run twice, by FAIL and by OPEN");
	}
}

/* ---- what the replay makes */

static void made(void *ctx, const uint8_t *header)
{
	struct judge *j = ctx;
	const uint8_t *shown;
	struct km_msg m;
	int err = km_msg_parse_head(&m, header, KM_MSG_HEAD);

	KM_ASSERT(!err && m.round <= ROUNDS);
	j->made[m.round][m.sender] |= (uint64_t)1 << m.recipient;
	shown = j->shown[m.round][m.sender][m.recipient];
	if (!shown)
		return;
	if (m.round == j->ok_round && kind_of(j, header) == KM_OPEN_FAIL) {
		/* in place of the verdict a FAIL is a FAIL */
		if (kind_of(j, shown) != KM_OPEN_FAIL)
			j->differs[m.round] |= km_set_bit(m.sender);
	} else if (memcmp(shown, header, KM_MSG_CONTENT) != 0) {
		j->differs[m.round] |= km_set_bit(m.sender);
	}
}

/* Carries out what machine i wants; what it sends is kept for the next round. */
static int settle(struct judge *j, unsigned i, struct km_outs *outs)
{
	struct opener *o = &j->peer[i];
	struct km_out *out;
	int err = KM_OK;

	while ((out = km_outs_pop(outs))) {
		if (out->kind == KM_OUT_JOB && !err) {
			out->job->run(out->job);
			err = km_machine_worked(o->m, 0, outs);
		} else if (out->kind == KM_OUT_SEND && !err) {
			made(j, out->data);
			*o->sent.tail = out;
			o->sent.tail = &out->next;
			continue;
		}
		km_out_free(out);
	}
	return err;
}

/* One message to everybody it is for. A verdict ends the replay of its author: nobody hears it. */
static int deliver(struct judge *j, unsigned from, const struct km_out *out)
{
	struct km_outs outs;
	int err = KM_OK;

	if (out->data[3] >= j->ok_round)
		return KM_OK;
	km_outs_init(&outs);
	for (unsigned i = km_set_next(j->openers, 0); i && !err; i = km_set_next(j->openers, i)) {
		if (i == from || (out->peer && out->peer != i))
			continue;
		err = km_machine_message(j->peer[i].m, 0, (uint8_t)from, 0, out->data, out->len, &outs);
		if (err != KM_E_NOMEM)
			err = settle(j, i, &outs);
		km_outs_clear(&outs);
	}
	return err;
}

/* Delivers what was sent in a round, until nothing more is. */
static int run_rounds(struct judge *j)
{
	int more = 1, err = KM_OK;

	while (more && !err) {
		struct km_outs round[KM_MAX_PEERS + 1];
		struct km_out *out;

		more = 0;
		for (unsigned i = 1; i <= KM_MAX_PEERS; i++) {
			round[i] = j->peer[i].sent;
			if (!round[i].head)
				km_outs_init(&round[i]);
			km_outs_init(&j->peer[i].sent);
		}
		for (unsigned i = 1; i <= KM_MAX_PEERS; i++)
			while ((out = km_outs_pop(&round[i]))) {
				if (!err)
					err = deliver(j, i, out);
				more = 1;
				km_out_free(out);
			}
	}
	return err;
}

static int start_all(struct judge *j)
{
	struct km_outs outs;
	int err = KM_OK;

	km_outs_init(&outs);
	for (unsigned i = km_set_next(j->openers, 0); i && !err; i = km_set_next(j->openers, i)) {
		err = km_machine_start(j->peer[i].m, 0, &outs);
		if (!err)
			err = settle(j, i, &outs);
		km_outs_clear(&outs);
	}
	return err;
}

static struct km_presign *state_of(const struct judge *j, unsigned i)
{
	return j->peer[i].m->state;
}

/* Rounds Y1 to Y3 of engine any, then Y4 as if the machines had come so far. *stopped: a check failed on the way. */
static int run_pairs(struct judge *j, int *stopped)
{
	struct km_outs outs;
	int err = KM_OK;

	*stopped = 0;
	for (unsigned a = km_set_next(j->openers, 0); a; a = km_set_next(j->openers, a))
		for (unsigned b = km_set_next(j->openers, a); b && !err && !*stopped; b = km_set_next(j->openers, b)) {
			err = km_any_replay_pair(state_of(j, a), state_of(j, b), made, j);
			*stopped = state_of(j, a)->fail || state_of(j, b)->fail;
		}
	km_outs_init(&outs);
	for (unsigned i = km_set_next(j->openers, 0); i && !err && !*stopped; i = km_set_next(j->openers, i)) {
		err = km_any_replay_commit(state_of(j, i), &outs);
		if (!err)
			err = settle(j, i, &outs);
		km_outs_clear(&outs);
	}
	return err;
}

/* Everybody's C0 to everybody, then Y4. */
static int run_commits(struct judge *j)
{
	struct km_outs outs;
	int err = KM_OK;

	for (unsigned i = km_set_next(j->openers, 0); i; i = km_set_next(j->openers, i)) {
		struct km_out *out = km_outs_pop(&j->peer[i].sent);

		for (unsigned k = km_set_next(j->openers, 0); k && !err; k = km_set_next(j->openers, k)) {
			uint8_t *copy = k == i ? NULL : malloc(out->len);

			if (k == i)
				continue;
			if (copy)
				memcpy(copy, out->data, out->len);
			err = copy ? km_machine_feed(j->peer[k].m, copy, out->len) : KM_E_NOMEM;
		}
		km_out_free(out);
	}
	km_outs_init(&outs);
	for (unsigned i = km_set_next(j->openers, 0); i && !err; i = km_set_next(j->openers, i)) {
		err = km_any_replay_open(state_of(j, i), &outs);
		if (!err)
			err = settle(j, i, &outs);
		km_outs_clear(&outs);
	}
	return err;
}

/* ---- the judgement */

static int make_machine(struct judge *j, unsigned i, const struct km_table *table)
{
	const struct km_replay_run *run = j->run;
	struct km_presign_params p = { .engine = run->engine, .table = table, .batch = run->batch, .rows = run->rows };

	p.machine.curve = run->curve;
	memcpy(p.machine.sid, run->sid, KM_HASH_SIZE);
	p.machine.self = (uint8_t)i;
	p.machine.participants = run->participants;
	p.machine.id = j->pen[i];
	p.machine.idkeys = (const uint8_t(*)[KM_IDKEY_SIZE])j->pens;
	memcpy(p.machine.seed, j->peer[i].opening->body, KM_SEED_SIZE);
	return km_presign_new(&j->peer[i].m, &p);
}

/* Machines of all openers, writing with pens of their own: digests are over contents. */
static int make_machines(struct judge *j)
{
	struct km_table *table = calloc(1, sizeof(*table));
	int err = table ? KM_OK : KM_E_NOMEM;

	for (unsigned i = km_set_next(j->run->participants, 0); i; i = km_set_next(j->run->participants, i)) {
		memset(j->pen[i].priv, (int)i, sizeof(j->pen[i].priv));
		km_ed25519_public(j->pen[i].priv, j->pen[i].pub);
		memcpy(j->pens[i], j->pen[i].pub, KM_IDKEY_SIZE);
	}
	if (table) {
		table->curve = j->run->curve;
		table->threshold = j->run->threshold;
		table->members = j->run->participants;
	}
	for (unsigned i = km_set_next(j->openers, 0); i && !err; i = km_set_next(j->openers, i))
		err = make_machine(j, i, table);
	free(table);
	return err;
}

/* What is shown where the replay made nothing. */
static void compare_rest(struct judge *j)
{
	uint32_t set = j->run->participants;

	for (unsigned r = 1; r <= j->ok_round; r++)
		for (unsigned i = km_set_next(set, 0); i; i = km_set_next(set, i))
			for (unsigned k = 0; k <= KM_MAX_PEERS; k++)
				if (j->shown[r][i][k] && !(j->made[r][i] >> k & 1))
					j->differs[r] |= km_set_bit(i);
}

static void judge_first(struct judge *j, unsigned upto)
{
	for (unsigned r = 1; r <= upto; r++)
		if (j->differs[r]) {
			convict(j, j->differs[r], r,
				r < j->ok_round ? "signed a message that its seed and what it received do not give" :
						  "gave a verdict that its own checks do not give");
			return;
		}
}

static int judge_replay(struct judge *j)
{
	int whole = j->openers == j->run->participants, stopped = 0;
	int any = j->run->engine == KM_PRESIGN_ANY, err;

	err = make_machines(j);
	if (err)
		return err;
	if (!whole) {
		/* WHY no further: what depends on a seed that is not there cannot be told from what its owner made of it */
		err = start_all(j);
		if (!err)
			judge_first(j, 1);
		j->v->why = j->v->culprits ? j->v->why : "not everybody opened, and what the others said first is right";
		return err;
	}
	err = any ? run_pairs(j, &stopped) : start_all(j);
	for (unsigned r = 1; r < j->ok_round; r++)
		stopped |= j->differs[r] != 0;
	if (!err && any && !stopped)
		err = run_commits(j);
	if (!err && !stopped)
		err = run_rounds(j);
	if (err)
		return err;
	if (!stopped)
		compare_rest(j);
	judge_first(j, j->ok_round);
	j->v->why = j->v->culprits ? j->v->why : "everybody did as it should; w or R was zero by chance";
	return KM_OK;
}

static void judge_free(struct judge *j)
{
	for (unsigned i = 1; i <= KM_MAX_PEERS; i++) {
		if (j->peer[i].sent.head)
			km_outs_clear(&j->peer[i].sent);
		km_machine_free(j->peer[i].m);
	}
	free(j);
}

int km_replay_judge(const struct km_replay_run *run, const struct km_msg *const *opened, unsigned n, struct km_replay_verdict *v)
{
	struct judge *j;
	int err;

	*v = (struct km_replay_verdict){ .why = "nobody opened" };
	if (run->engine != KM_PRESIGN_MAJORITY && run->engine != KM_PRESIGN_ANY)
		return KM_E_INVAL;
	j = calloc(1, sizeof(*j));
	if (!j)
		return KM_E_NOMEM;
	j->run = run;
	j->v = v;
	j->n = km_set_size(run->participants);
	j->proto = run->engine == KM_PRESIGN_ANY ? KM_PROTO_ANY : KM_PROTO_MAJORITY;
	j->ok_round = KM_PRESIGN_OK + (run->engine == KM_PRESIGN_ANY ? km_engine_any.shift : 0);
	j->last_round = j->ok_round + 1;
	for (unsigned i = 0; i <= KM_MAX_PEERS; i++)
		km_outs_init(&j->peer[i].sent);
	err = collect(j, opened, n);
	if (!err)
		judge_shown(j);
	if (!err && !v->culprits && j->openers)
		err = judge_replay(j);
	judge_free(j);
	if (err)
		*v = (struct km_replay_verdict){ .why = "could not be judged" };
	return err;
}

static void input_of(const struct km_replay_run *run, const struct km_msg *const *opened, unsigned n, uint8_t out[KM_HASH_SIZE])
{
	struct km_hash h;

	km_hash_init(&h, "replay-input");
	km_hash_u8(&h, (uint8_t)km_curve_id(run->curve));
	km_hash_u32(&h, run->engine);
	km_hash_u32(&h, run->threshold);
	km_hash_field(&h, run->sid, KM_HASH_SIZE);
	km_hash_u32(&h, run->participants);
	for (unsigned i = km_set_next(run->participants, 0); i; i = km_set_next(run->participants, i))
		km_hash_field(&h, run->idkeys[i], KM_IDKEY_SIZE);
	km_hash_u32(&h, run->batch);
	for (unsigned l = 0; l < run->batch; l++) {
		km_hash_u8(&h, run->rows[l].owner);
		km_hash_u32(&h, run->rows[l].quorum);
	}
	km_hash_u32(&h, n);
	for (unsigned i = 0; i < n; i++)
		km_hash_field(&h, opened[i]->raw, KM_MSG_HEAD + (size_t)opened[i]->body_len);
	km_hash_final(&h, out);
}

int km_replay_judge_once(const struct km_replay_run *run, const struct km_msg *const *opened, unsigned n, struct km_replay_memo *memo)
{
	uint8_t input[KM_HASH_SIZE];
	int err;

	input_of(run, opened, n, input);
	if (memo->have && memcmp(memo->input, input, KM_HASH_SIZE) == 0)
		return KM_OK;
	err = km_replay_judge(run, opened, n, &memo->verdict);
	memo->have = !err;
	memcpy(memo->input, input, KM_HASH_SIZE);
	return err;
}
