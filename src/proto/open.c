/* open.c: a presign run that fails is opened, and who made it fail is found by replay (protocol section 6; messages section 7).
 *
 *	RUNNING --a check of our own fails: FAIL--> OPEN
 *	RUNNING, OK'd --FAIL or OPEN of another, or unequal OK lists: OPEN--> OPEN --all openings in, or 10 s--> judged, dropped
 *	PASSED --FAIL or OPEN of another--> dropped
 *
 * There is no test before opening: before the barrier it costs this run alone, since an opener never signs PASS, so that nobody takes C4,
 * and the run's secrets are independent of the key and of every other run. Whoever has PASSED holds OK of everybody and has nothing left
 * to open (A3). A deadline never opens a run: silence proves nothing, and an opening without a cause convicts its author. */
#include <stdlib.h>
#include <string.h>
#include "evidence.h"
#include "presign_impl.h"
#include "../base/rules.h"
#include "../base/secret.h"

#define OPEN_WAIT_MS 10000
#define FAIL_HEAD (KM_SEED_SIZE + 1 + 2)

/* ---- what the messages look like */

static const struct km_engine *engine_of(unsigned engine)
{
	return engine == KM_PRESIGN_ANY ? &km_engine_any : &km_engine_majority;
}

static const struct km_machine_ops *ops_of(unsigned engine)
{
	return engine == KM_PRESIGN_ANY ? &km_presign_any_ops : &km_presign_majority_ops;
}

static unsigned wire(unsigned engine, unsigned round)
{
	return round + engine_of(engine)->shift;
}

/* Kinds of messages there are up to PASS: each is a row for every participant. */
static unsigned kinds(unsigned engine)
{
	const struct km_machine_ops *ops = ops_of(engine);
	unsigned n = 0;

	for (unsigned r = 1; r <= wire(engine, KM_PRESIGN_PASS); r++)
		n += !!(ops->flags[r] & KM_ROUND_BROADCAST) + !!(ops->flags[r] & KM_ROUND_PRIVATE);
	return n;
}

unsigned km_open_rows(unsigned engine, unsigned participants)
{
	return kinds(engine) * participants;
}

struct km_shape km_open_shape(unsigned engine, unsigned participants, enum km_open_kind kind)
{
	return (struct km_shape){ kind == KM_OPEN_FAIL ? FAIL_HEAD : KM_SEED_SIZE, KM_MSG_HEAD, km_open_rows(engine, participants) };
}

enum km_open_kind km_open_kind(unsigned engine, unsigned participants, const struct km_msg *m)
{
	enum km_open_kind kind = m->round == wire(engine, KM_PRESIGN_OK) ? KM_OPEN_FAIL :
				 m->round == wire(engine, KM_PRESIGN_PASS) ? KM_OPEN_OPEN : KM_OPEN_NONE;
	struct km_shape shape = km_open_shape(engine, participants, kind);

	return m->recipient == 0 && kind && m->body_len == km_shape_size(&shape) ? kind : KM_OPEN_NONE;
}

void km_open_place(unsigned engine, uint32_t participants, unsigned author, unsigned row, struct km_open_place *at)
{
	const struct km_machine_ops *ops = ops_of(engine);
	unsigned n = km_set_size(participants), kind = row / n, nth = row % n;

	at->recipient = 0;
	for (at->round = 1;; at->round++) {
		if ((ops->flags[at->round] & KM_ROUND_BROADCAST) && !kind--)
			break;
		if ((ops->flags[at->round] & KM_ROUND_PRIVATE) && !kind--) {
			at->recipient = author;
			break;
		}
	}
	for (at->sender = km_set_next(participants, 0); nth; nth--)
		at->sender = km_set_next(participants, at->sender);
}

const uint8_t *km_open_row(const struct km_msg *opening, enum km_open_kind kind, unsigned row)
{
	return opening->body + (kind == KM_OPEN_FAIL ? FAIL_HEAD : KM_SEED_SIZE) + (size_t)row * KM_MSG_HEAD;
}

int km_open_header(struct km_msg *out, const uint8_t *row, uint8_t proto, const uint8_t sid[KM_HASH_SIZE], const struct km_open_place *at,
		   const uint8_t idkey[KM_IDKEY_SIZE])
{
	return at->sender != at->recipient && !km_msg_parse_head(out, row, KM_MSG_HEAD) && out->proto == proto &&
	       out->round == at->round && out->sender == at->sender && out->recipient == at->recipient &&
	       memcmp(out->sid, sid, KM_HASH_SIZE) == 0 && km_msg_verify_sig(out, idkey) == KM_OK;
}

/* ---- making them */

static void put_rows(const struct km_presign *s, uint8_t *out)
{
	const struct km_machine *m = s->m;
	unsigned rows = km_open_rows(s->engine->number, s->n);
	struct km_open_place at;

	for (unsigned i = 0; i < rows; i++, out += KM_MSG_HEAD) {
		const struct km_stored *held;

		km_open_place(s->engine->number, m->participants, m->self, i, &at);
		held = at.recipient ? &m->priv[at.round][at.sender] : &m->bcast[at.round][at.sender];
		if (held->raw) {
			memcpy(out, held->raw, KM_MSG_HEAD);
			km_declassify(out, KM_MSG_HEAD);
		}
	}
}

static int send_opening(struct km_presign *s, enum km_open_kind kind, struct km_outs *outs)
{
	struct km_shape shape = km_open_shape(s->engine->number, s->n, kind);
	unsigned round = wire(s->engine->number, kind == KM_OPEN_FAIL ? KM_PRESIGN_OK : KM_PRESIGN_PASS);
	uint8_t *body = calloc(1, (size_t)km_shape_size(&shape));
	int err;

	/* WHY: opening shows v, others' C4 shows x - v (A3) */
	KM_ASSERT(!s->passed && !s->m->open);
	if (!body)
		return KM_E_NOMEM;
	memcpy(body, s->early->seed, KM_SEED_SIZE);
	km_declassify(body, KM_SEED_SIZE);   /* shown from here on */
	if (kind == KM_OPEN_FAIL) {
		body[KM_SEED_SIZE] = s->failed_check;
		body[KM_SEED_SIZE + 1] = (uint8_t)(s->failed_index >> 8);
		body[KM_SEED_SIZE + 2] = (uint8_t)s->failed_index;
	}
	put_rows(s, body + shape.head);
	err = km_machine_send(s->m, round, 0, &shape, body, outs);
	free(body);
	if (err)
		return err;
	km_machine_open(s->m, wire(s->engine->number, KM_PRESIGN_OK), OPEN_WAIT_MS);
	/* a job that is out owns the secrets until it comes back */
	if (!s->m->busy)
		km_machine_wipe(s->m);
	return km_open_wait(s, 0, outs);
}

int km_open_fail(struct km_presign *s, struct km_outs *outs)
{
	return send_opening(s, KM_OPEN_FAIL, outs);
}

int km_open_open(struct km_presign *s, struct km_outs *outs)
{
	return send_opening(s, KM_OPEN_OPEN, outs);
}

/* ---- hearing them */

/* We hold what everybody said; an opening that shows another signed message in the same place convicts its author. */
static int contradictions(struct km_presign *s, const struct km_msg *opening, struct km_outs *outs)
{
	struct km_machine *m = s->m;
	unsigned number = s->engine->number, rows = km_open_rows(number, s->n);
	enum km_open_kind kind = km_open_kind(number, s->n, opening);
	struct km_open_place at;
	struct km_msg shown;
	int err = KM_OK;

	for (unsigned i = 0; i < rows && !err; i++) {
		const uint8_t *row = km_open_row(opening, kind, i);
		const struct km_stored *held;

		km_open_place(number, m->participants, opening->sender, i, &at);
		held = &m->bcast[at.round][at.sender];
		if (at.recipient || !held->raw || at.sender == m->self || memcmp(held->raw, row, KM_MSG_CONTENT) == 0)
			continue;
		if (km_open_header(&shown, row, m->ops->proto, m->sid, &at, m->idkeys[at.sender])) {
			const struct km_msg *pair[2] = { &held->msg, &shown };

			err = km_machine_convict(m, at.sender, KM_EV_EQUIVOCATION, pair, 2, outs);
		}
	}
	return err;
}

int km_open_heard(struct km_presign *s, unsigned round, unsigned sender, struct km_outs *outs)
{
	int err;

	if (s->passed) {
		/* WHY no OPEN: there is nothing left to open, and nobody will take C4 without the opener's PASS (A3) */
		err = contradictions(s, &s->m->bcast[round][sender].msg, outs);
		return err ? err : km_machine_drop(s->m, KM_E_MISMATCH, 0, outs);
	}
	if (!s->m->open) {
		/* a job that is out owns what the run is judged by: then it is noted when that comes back */
		if (!s->m->busy)
			km_presign_fail(s, KM_E_VERIFY, 0, KM_OPEN_NO_INDEX);
		return km_open_open(s, outs);
	}
	return km_open_wait(s, 0, outs);
}

/* ---- the judgement */

int km_open_wait(struct km_presign *s, int late, struct km_outs *outs)
{
	struct km_machine *m = s->m;

	if (m->open != KM_MACHINE_OPEN || m->busy || (!late && m->open_have != m->participants))
		return KM_OK;
	m->open = KM_MACHINE_JUDGED;
	return km_presign_job(s, KM_JOB_JUDGE, outs);
}

/* All openings held, FAILs first, by sender. */
static unsigned openings(const struct km_presign *s, const struct km_msg *out[2 * KM_MAX_PEERS])
{
	const struct km_machine *m = s->m;
	unsigned n = 0;

	for (unsigned name = KM_PRESIGN_OK; name <= KM_PRESIGN_PASS; name++)
		for (unsigned j = km_set_next(m->participants, 0); j; j = km_set_next(m->participants, j)) {
			const struct km_stored *held = &m->bcast[wire(s->engine->number, name)][j];

			if (held->raw && km_open_kind(s->engine->number, s->n, &held->msg))
				out[n++] = &held->msg;
		}
	return n;
}

int km_open_judge(struct km_presign *s)
{
	const struct km_machine *m = s->m;
	const struct km_msg *opened[2 * KM_MAX_PEERS];
	struct km_presign_row *rows = calloc(s->batch, sizeof(*rows));
	struct km_replay_run run = { .curve = s->curve, .engine = s->engine->number, .threshold = s->t + 1,
				     .participants = m->participants, .batch = s->batch, .rows = rows, .idkeys = m->idkeys };
	unsigned n = openings(s, opened);
	int err;

	if (!rows)
		return KM_E_NOMEM;
	memcpy(run.sid, m->sid, KM_HASH_SIZE);
	for (unsigned l = 0; l < s->batch; l++)
		rows[l] = (struct km_presign_row){ s->index[l].owner, s->index[l].quorum };
	err = km_replay_judge_once(&run, opened, n, &s->judged);
	free(rows);
	return err;
}

static int convict_opened(struct km_presign *s, unsigned culprit, struct km_outs *outs)
{
	const struct km_msg *opened[2 * KM_MAX_PEERS];
	unsigned n = openings(s, opened);
	uint8_t accused = (uint8_t)culprit;
	struct km_buf b;
	int err;

	km_buf_init(&b);
	km_evidence_items_begin(&b, KM_EV_OPENED, 1 + n);
	km_evidence_bytes(&b, &accused, 1);
	for (unsigned i = 0; i < n; i++)
		km_evidence_whole(&b, opened[i]);
	err = km_machine_convict_items(s->m, culprit, KM_EV_OPENED, &b, outs);
	km_buf_clear(&b);
	return err;
}

int km_open_judged(struct km_presign *s, int err, struct km_outs *outs)
{
	uint32_t culprits = s->judged.verdict.culprits & ~km_set_bit(s->m->self), silent = s->judged.verdict.silent;
	uint32_t fresh = culprits & ~s->convicted;

	if (err)
		return km_machine_drop(s->m, err, 0, outs);
	for (unsigned j = km_set_next(fresh, 0); j && !err; j = km_set_next(fresh, j))
		err = convict_opened(s, j, outs);
	/* WHY a PASS is no excuse: OK of everybody came before it, so that who says FAIL gave no cause for one (A14) */
	if (!KM_RULE(km_rule_ok_before_pass))
		for (unsigned j = km_set_next(silent, 0); j; j = km_set_next(silent, j))
			if (s->m->bcast[wire(s->engine->number, KM_PRESIGN_PASS)][j].raw)
				silent &= ~km_set_bit(j);
	if (!err && !culprits && silent)
		err = km_machine_suspect(s->m, silent, outs);
	return err ? err : km_machine_drop(s->m, s->fail, 0, outs);
}

const struct km_replay_memo *km_presign_judged(const struct km_machine *m)
{
	const struct km_presign *s = m->state;

	return s->judged.have ? &s->judged : NULL;
}
