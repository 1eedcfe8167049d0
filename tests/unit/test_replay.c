/* test_replay.c: the judge of opened runs: who is convicted by which openings, and that no honest participant ever is. */
#include <stdlib.h>
#include "../lib/test.h"
#include "../lib/dealer.h"
#include "base/hash.h"
#include "base/secret.h"
#include "base/sig.h"
#include "proto/any_impl.h"

#define SET(n) ((uint32_t)(((uint64_t)1 << (n)) - 1))
#define MAJORITY KM_PRESIGN_MAJORITY
#define ANY KM_PRESIGN_ANY

static unsigned wire(unsigned engine, unsigned round)
{
	return round + (engine == ANY);
}

static uint64_t dice_state;

static uint32_t dice(uint32_t n)
{
	dice_state = dice_state * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)((dice_state >> 33) % n);
}

/* ---- one corrupt peer: what it makes is changed before it is signed, or what it sends on the way, and signed anew */

enum fault {
	FAULT_NONE,
	FAULT_MADE,      /* in a body, before it is signed: the author's own view has it, too */
	FAULT_SENT,      /* on the way to `to` */
	FAULT_SPOILED,   /* on the way to `to`, and not signed anew */
	FAULT_LOST,      /* not sent to `to` */
	FAULT_TWICE,     /* sent as it should be, and changed as well */
	FAULT_FAIL,      /* FAIL for nothing */
	FAULT_OPEN,      /* OPEN for nothing */
	FAULT_SEED,      /* another seed in whatever it opens */
	FAULTS,
};

struct evil {
	struct group *g;
	unsigned engine, self;
	enum fault fault;
	unsigned round, secret;      /* which message */
	unsigned job;
	uint32_t to, at;
	uint8_t value;
	int second;                  /* its openings are changed (1) or lost (2), too */
	unsigned done;
	const struct km_machine_ops *honest;
	struct km_machine_ops ops;
	/* openings on the wire, the first of each author */
	uint8_t *raw[KM_MAX_PEERS + 1];
	size_t len[KM_MAX_PEERS + 1];
};

static struct evil *now;

static void change_made(struct km_presign *s, unsigned job)
{
	/* the message that each job makes, and whether it is private */
	static const uint8_t round[KM_JOB_LAST + 1] = { [KM_JOB_DEAL] = 1, [KM_JOB_EXTRACT] = 2, [KM_JOB_OPEN] = 3, [KM_JOB_ANY_BASE] = 1,
							[KM_JOB_ANY_EXTEND] = 2, [KM_JOB_ANY_PAYLOAD] = 3, [KM_JOB_ANY_SHARES] = 4 };
	unsigned r = job == KM_JOB_POINTS ? wire(now->engine, KM_PRESIGN_C3) : round[job];
	uint8_t *secret = s->any ? s->any->body : NULL, *body = secret ? secret : s->body;
	struct km_shape shape;

	if (!body || !r || km_presign_shape(s, r, now->self, secret ? s->any->at : 0, &shape))
		return;
	body[now->at % km_shape_size(&shape)] ^= now->value;
	if (secret)
		assert_int_equal(km_any_seal(s, job), KM_OK);
	now->done++;
}

static int evil_worked(struct km_machine *m, struct km_job *job, struct km_outs *outs)
{
	struct km_presign *s = m->state;

	if (m->open || job->what != now->job)
		return now->honest->worked(m, job, outs);
	switch (now->fault) {
	case FAULT_MADE:
		change_made(s, job->what);
		break;
	case FAULT_SEED:
		s->early->seed[now->at % KM_SEED_SIZE] ^= now->value;
		/* fall through */
	case FAULT_FAIL:
		km_presign_fail(s, KM_E_VERIFY, KM_CHECK_VIEW, 0);
		now->done++;
		break;
	case FAULT_OPEN:
		now->done++;
		return km_open_open(s, outs);
	default:
		break;
	}
	return now->honest->worked(m, job, outs);
}

/* Changes a byte and signs anew. */
static void change_sent(uint8_t **raw, size_t *len, uint32_t at, uint8_t value)
{
	struct km_machine *m = now->g->m[now->self];
	struct km_identity id;
	struct km_shape shape;
	struct km_msg msg;
	uint8_t *again;

	assert_int_equal(km_msg_parse(&msg, *raw, *len), KM_OK);
	assert_int_equal(m->ops->shape(m, msg.round, msg.sender, msg.recipient, msg.body, msg.body_len, &shape), KM_OK);
	(*raw)[KM_MSG_HEAD + at % msg.body_len] ^= value;
	net_identity(now->g->d.seed, (uint8_t)now->self, &id);
	again = net_resign(&id, *raw, *len, &shape, len);
	free(*raw);
	*raw = again;
}

static enum net_verdict evil_tap(void *ctx, uint8_t from, uint8_t to, uint8_t **raw, size_t *len)
{
	unsigned n = km_set_size(now->g->participants);
	struct km_msg msg;
	int opens;

	assert_int_equal(km_msg_parse(&msg, *raw, *len), KM_OK);
	opens = km_open_kind(now->engine, n, &msg) != KM_OPEN_NONE;
	if (from == now->self && opens && now->second == 2)
		return NET_DROP;
	if (from == now->self && opens && now->second == 1)
		change_sent(raw, len, now->at, now->value);
	if (opens && !now->raw[from]) {
		now->raw[from] = malloc(*len);
		memcpy(now->raw[from], *raw, *len);
		now->len[from] = *len;
	}
	if (from != now->self || opens || msg.round != now->round || (msg.recipient != 0) != now->secret || !km_set_has(now->to, to))
		return NET_PASS;
	switch (now->fault) {
	case FAULT_LOST:
		now->done++;
		return NET_DROP;
	case FAULT_TWICE:
		net_inject(now->g->net, from, to, *raw, *len);
		{
			/* net_inject appended behind the packet that this tap looks at: change a copy and put that there too */
			uint8_t *copy = malloc(*len);
			size_t copy_len = *len;

			memcpy(copy, *raw, *len);
			change_sent(&copy, &copy_len, now->at, now->value);
			net_inject(now->g->net, from, to, copy, copy_len);
			free(copy);
		}
		now->done++;
		return NET_PASS;
	case FAULT_SPOILED:
		now->done++;
		(*raw)[KM_MSG_HEAD + now->at % (*len - KM_MSG_HEAD)] ^= now->value;
		return NET_PASS;
	case FAULT_SENT:
		now->done++;
		change_sent(raw, len, now->at, now->value);
		return NET_PASS;
	default:
		return NET_PASS;
	}
}

static void mount(struct group *g, struct evil *e)
{
	now = e;
	e->g = g;
	e->honest = g->m[e->self]->ops;
	e->ops = *e->honest;
	e->ops.worked = evil_worked;
	g->m[e->self]->ops = &e->ops;
	net_tap(g->net, evil_tap, e);
	net_run(g->net, 1);
}

static void unmount(struct group *g, struct evil *e)
{
	for (unsigned i = 0; i <= KM_MAX_PEERS; i++)
		free(e->raw[i]);
	group_clear(g);
}

/* ---- the judge by itself, on the openings of a run */

static struct km_replay_run run_of(const struct group *g, unsigned engine)
{
	struct km_replay_run run = { .curve = g->d.curve, .engine = engine, .threshold = g->d.table.threshold,
				     .participants = g->participants, .batch = g->batch, .rows = g->rows,
				     .idkeys = (const uint8_t(*)[KM_IDKEY_SIZE])g->keys };

	memcpy(run.sid, g->m[1]->sid, KM_HASH_SIZE);
	return run;
}

static struct km_replay_verdict judge(const struct group *g, unsigned engine, uint8_t *const raw[], const size_t len[], uint32_t set)
{
	struct km_replay_run run = run_of(g, engine);
	struct km_msg msg[KM_MAX_PEERS + 1];
	const struct km_msg *opened[KM_MAX_PEERS + 1];
	struct km_replay_verdict v;
	unsigned n = 0;

	for (unsigned i = km_set_next(set, 0); i; i = km_set_next(set, i)) {
		if (!raw[i])
			continue;
		assert_int_equal(km_msg_parse(&msg[n], raw[i], len[i]), KM_OK);
		opened[n] = &msg[n];
		n++;
	}
	assert_int_equal(km_replay_judge(&run, opened, n, &v), KM_OK);
	return v;
}

static void make(struct group *g, unsigned engine, uint64_t seed, unsigned batch)
{
	if (engine == ANY)
		group_init_any(g, seed, SET(3), SET(3), batch);
	else
		group_init(g, seed, SET(5), 3, SET(5), batch, 0);
}

/* A wrong w share: all openings together convict who said it, fewer say nothing, and name those that are missing. */
static void test_subsets(void **state)
{
	for (unsigned engine = MAJORITY; engine <= ANY; engine++) {
		struct group g;
		struct evil e = { .engine = engine, .self = 2, .fault = FAULT_MADE, .job = engine == ANY ? KM_JOB_ANY_SHARES : KM_JOB_OPEN,
				  .at = engine == ANY ? 95 : 64 + 6 * 32 + 31, .value = 1 };

		make(&g, engine, 400, 2);
		mount(&g, &e);
		assert_int_equal(e.done, 1);
		for (uint32_t set = 0; set <= g.participants; set++) {
			struct km_replay_verdict v = judge(&g, engine, e.raw, e.len, set);

			assert_int_equal(v.culprits, set == g.participants ? km_set_bit(2) : 0);
			assert_int_equal(v.silent, g.participants & ~set);
			assert_int_equal(v.round, set == g.participants ? wire(engine, KM_PRESIGN_M3) : 0);
			assert_non_null(v.why);
		}
		unmount(&g, &e);
	}
	assert_int_equal(km_secret_in_use(), 0);
}

/* A judgement made before stands for the same bytes, and for nothing else. */
static void test_memo(void **state)
{
	enum { MARK = 77 };
	struct km_replay_memo memo = { 0 };
	struct km_presign_row rows[2];
	struct km_replay_run run;
	struct group g;
	struct evil e = { .engine = MAJORITY, .self = 2, .fault = FAULT_MADE, .job = KM_JOB_OPEN, .at = 64 + 6 * 32 + 31, .value = 1 };
	const struct km_msg *opened[5];
	struct km_msg msg[5];

	make(&g, MAJORITY, 440, 2);
	mount(&g, &e);
	run = run_of(&g, MAJORITY);
	memcpy(rows, run.rows, sizeof(rows));
	for (unsigned i = 0; i < 5; i++) {
		assert_int_equal(km_msg_parse(&msg[i], e.raw[i + 1], e.len[i + 1]), KM_OK);
		opened[i] = &msg[i];
	}
	assert_int_equal(km_replay_judge_once(&run, opened, 5, &memo), KM_OK);
	assert_int_equal(memo.verdict.culprits, km_set_bit(2));
	/* the mark shows whether it was computed again */
	memo.verdict.round = MARK;
	assert_int_equal(km_replay_judge_once(&run, opened, 5, &memo), KM_OK);
	assert_int_equal(memo.verdict.round, MARK);
	for (unsigned what = 0; what < 6; what++) {
		struct km_replay_run other = run;
		struct km_replay_memo copy = memo;
		unsigned n = 5;
		int err;

		other.rows = rows;
		if (what == 0)
			other.sid[31] ^= 1;
		if (what == 1)
			other.batch = 1;
		if (what == 2)
			rows[1].quorum ^= rows[1].quorum == 7 ? 0x0c : 0x06;
		if (what == 3)
			other.participants &= ~km_set_bit(5);
		if (what == 4)
			n = 4;
		if (what == 5)
			e.raw[1][KM_MSG_HEAD - 1] ^= 1;
		err = km_replay_judge_once(&other, opened, n, &copy);
		assert_true(err || copy.verdict.round != MARK);
		assert_int_equal(copy.have, !err);
		memcpy(rows, run.rows, sizeof(rows));
	}
	e.raw[1][KM_MSG_HEAD - 1] ^= 1;
	unmount(&g, &e);
}

/* What was wrong in the first round is proved by its author's opening and its victim's alone. */
static void test_first_round(void **state)
{
	for (unsigned engine = MAJORITY; engine <= ANY; engine++) {
		struct group g;
		struct evil e = { .engine = engine, .self = 2, .fault = FAULT_SENT, .round = 1, .secret = 1, .to = km_set_bit(3),
				  .at = engine == ANY ? 33 : KM_SEED_SIZE + 31, .value = 1 };

		make(&g, engine, 410, 1);
		mount(&g, &e);
		assert_int_equal(e.done, 1);
		for (uint32_t set = 0; set <= g.participants; set++) {
			struct km_replay_verdict v = judge(&g, engine, e.raw, e.len, set);
			uint32_t both = km_set_bit(2) | km_set_bit(3);

			assert_int_equal(v.culprits, (set & both) == both ? km_set_bit(2) : 0);
		}
		unmount(&g, &e);
	}
}

/* ---- rows that are no proof */

/* Puts a header into the row of the accuser's opening for this place, and signs the opening anew. */
static void put_row(struct evil *e, const struct km_open_place *want, const uint8_t header[KM_MSG_HEAD])
{
	unsigned n = km_set_size(e->g->participants);
	enum km_open_kind kind;
	struct km_shape shape;
	struct km_identity id;
	struct km_open_place at;
	struct km_msg msg;
	unsigned row = 0;
	uint8_t *again;

	assert_int_equal(km_msg_parse(&msg, e->raw[e->self], e->len[e->self]), KM_OK);
	kind = km_open_kind(e->engine, n, &msg);
	do {
		km_open_place(e->engine, e->g->participants, e->self, row++, &at);
	} while (at.round != want->round || at.sender != want->sender || at.recipient != want->recipient);
	memcpy((uint8_t *)(uintptr_t)km_open_row(&msg, kind, row - 1), header, KM_MSG_HEAD);
	shape = km_open_shape(e->engine, n, kind);
	net_identity(e->g->d.seed, (uint8_t)e->self, &id);
	again = net_resign(&id, e->raw[e->self], e->len[e->self], &shape, &e->len[e->self]);
	free(e->raw[e->self]);
	e->raw[e->self] = again;
}

/* A header of this content, signed by this id. */
static void forge(const struct evil *e, unsigned signer, const struct km_open_place *at, uint8_t sid_xor, uint8_t *out)
{
	struct km_shape shape = { 32, 0, 0 };
	uint8_t sid[KM_HASH_SIZE], body[32] = { 7 };
	struct km_identity id;
	struct km_buf b;

	memcpy(sid, e->g->m[1]->sid, sizeof(sid));
	sid[0] ^= sid_xor;
	net_identity(e->g->d.seed, (uint8_t)signer, &id);
	km_buf_init(&b);
	assert_int_equal(km_msg_build(&b, e->engine == ANY ? KM_PROTO_ANY : KM_PROTO_MAJORITY, (uint8_t)at->round, (uint8_t)at->sender,
				      (uint8_t)at->recipient, sid, &shape, body, &id), KM_OK);
	memcpy(out, b.data, KM_MSG_HEAD);
	km_buf_clear(&b);
}

/* 2 says FAIL for nothing and shows, as if received, headers that honest 3 never signed for this place: convicted itself, 3 not. */
static void test_foreign_rows(void **state)
{
	for (unsigned engine = MAJORITY; engine <= ANY; engine++)
		for (unsigned how = 0; how < 6; how++) {
			struct km_open_place at = { wire(engine, KM_PRESIGN_M2), 3, 0 }, from = at;
			const struct km_stored *m2;
			uint8_t header[KM_MSG_HEAD];
			struct km_replay_verdict v;
			struct group g;
			struct evil e = { .engine = engine, .self = 2, .fault = FAULT_FAIL, .job = KM_JOB_POINTS };

			make(&g, engine, 420, 1);
			mount(&g, &e);
			m2 = &g.m[1]->bcast[from.round][3];
			memcpy(header, m2->raw, KM_MSG_HEAD);
			switch (how) {
			case 0:          /* its C0 where its M3 is due */
				at.round++;
				break;
			case 1:          /* as if 1 had said it */
				at.sender = 1;
				break;
			case 2:          /* signed by nobody */
				header[KM_MSG_CONTENT + 5] ^= 1;
				break;
			case 3:          /* other content under the signature */
				header[KM_MSG_CONTENT - 1] ^= 1;
				break;
			case 4:          /* signed by 2 in the name of 3 */
				forge(&e, 2, &at, 0, header);
				break;
			default:         /* truly signed by 3, in another run */
				forge(&e, 3, &at, 1, header);
			}
			put_row(&e, &at, header);
			v = judge(&g, engine, e.raw, e.len, g.participants);
			assert_int_equal(v.culprits, km_set_bit(2));
			/* this one is a proof: 3 said two things */
			forge(&e, 3, &from, 0, header);
			put_row(&e, &from, header);
			v = judge(&g, engine, e.raw, e.len, g.participants);
			assert_true(km_set_has(v.culprits, 3));
			unmount(&g, &e);
		}
}

/* Openings that are not of this run, not signed, cut or twice count for nothing. */
static void test_foreign_openings(void **state)
{
	struct km_replay_run run;
	struct km_replay_verdict v;
	struct group g;
	struct evil e = { .engine = MAJORITY, .self = 2, .fault = FAULT_FAIL, .job = KM_JOB_POINTS };
	const struct km_msg *opened[3];
	struct km_msg msg[3];
	uint8_t *bad;

	make(&g, MAJORITY, 430, 1);
	mount(&g, &e);
	run = run_of(&g, MAJORITY);
	bad = malloc(e.len[2]);
	for (unsigned i = 0; i < 3; i++) {
		memcpy(bad, e.raw[2], e.len[2]);
		if (i == 0)
			bad[20] ^= 1;                          /* sid: and so not signed */
		else
			bad[i == 1 ? KM_MSG_HEAD - 1 : KM_MSG_HEAD] ^= 1;   /* signature; body */
		assert_int_equal(km_msg_parse(&msg[0], bad, e.len[2]), KM_OK);
		opened[0] = &msg[0];
		assert_int_equal(km_replay_judge(&run, opened, 1, &v), KM_OK);
		assert_int_equal(v.culprits, 0);
		assert_int_equal(v.silent, g.participants);
	}
	assert_int_equal(km_msg_parse(&msg[0], e.raw[2], e.len[2]), KM_OK);
	assert_int_equal(km_msg_parse(&msg[1], e.raw[1], e.len[1]), KM_OK);
	opened[0] = opened[1] = &msg[0];
	opened[2] = &msg[1];
	assert_int_equal(km_replay_judge(&run, opened, 3, &v), KM_OK);
	assert_int_equal(v.culprits, 0);
	assert_int_equal(v.silent, g.participants & ~3u);
	/* of another run */
	run.sid[9] ^= 1;
	assert_int_equal(km_replay_judge(&run, opened, 3, &v), KM_OK);
	assert_int_equal(v.silent, g.participants);
	/* runs that cannot be */
	run = run_of(&g, MAJORITY);
	run.threshold = 4;
	assert_int_equal(km_replay_judge(&run, opened, 3, &v), KM_E_INVAL);
	run.threshold = 3;
	run.engine = 3;
	assert_int_equal(km_replay_judge(&run, opened, 3, &v), KM_E_INVAL);
	free(bad);
	unmount(&g, &e);
}

/* ---- OK over a check that fails */

/* 2 sees what 1 and 3 see (3 sent a w share that makes no sense), and says OK. */
static int (*inner_worked)(struct km_machine *m, struct km_job *job, struct km_outs *outs);

static int content_worked(struct km_machine *m, struct km_job *job, struct km_outs *outs)
{
	struct km_presign *s = m->state;

	if (job->what == KM_JOB_CERTIFY)
		s->fail = KM_OK;
	return inner_worked(m, job, outs);
}

static void test_false_ok(void **state)
{
	for (unsigned engine = MAJORITY; engine <= ANY; engine++)
		for (unsigned twice = 0; twice < 2; twice++) {
			struct km_machine_ops ops;
			struct group g;
			struct evil e = { .engine = engine, .self = 3, .fault = twice ? FAULT_MADE : FAULT_NONE,
					  .job = engine == ANY ? KM_JOB_ANY_SHARES : KM_JOB_OPEN,
					  .at = engine == ANY ? 95 : 64 + 6 * 32 + 31, .value = 1 };

			make(&g, engine, 440, 1);
			inner_worked = g.m[2]->ops->worked;
			ops = *g.m[2]->ops;
			ops.worked = content_worked;
			g.m[2]->ops = &ops;
			mount(&g, &e);
			for (unsigned i = km_set_next(g.participants, 0); i; i = km_set_next(g.participants, i)) {
				const struct net_party *p = net_party(g.net, (uint8_t)i);

				if (i == 2 || i == 3)
					continue;
				if (!twice) {
					assert_true(p->done);
					continue;
				}
				/* the first to be wrong; what 2 says follows from it */
				assert_int_equal(p->convicted, km_set_bit(3));
			}
			unmount(&g, &e);
		}
}

/* ---- any single fault of one corrupt peer, drawn at random */

static void draw(struct evil *e, unsigned n)
{
	static const unsigned jobs[2][5] = {
		{ KM_JOB_DEAL, KM_JOB_EXTRACT, KM_JOB_OPEN, KM_JOB_POINTS, KM_JOB_CERTIFY },
		{ KM_JOB_ANY_BASE, KM_JOB_ANY_PAYLOAD, KM_JOB_ANY_SHARES, KM_JOB_POINTS, KM_JOB_CERTIFY },
	};

	e->self = 1 + dice(n);
	e->fault = (enum fault)(1 + dice(FAULTS - 1));
	e->round = 1 + dice(wire(e->engine, KM_PRESIGN_C4));
	e->secret = e->round <= (e->engine == ANY ? 3u : 1u) && dice(2);
	if (e->engine == ANY && e->round <= 2)
		e->secret = 1;
	e->job = jobs[e->engine - MAJORITY][dice(5)];
	e->to = 1 + dice(SET(n));
	e->at = dice(1 << 30);
	/* in front, where prev, lists and heads are, as often as anywhere */
	if (dice(2))
		e->at %= 200;
	e->value = (uint8_t)(1 + dice(255));
	e->second = dice(4) ? 0 : 1 + (int)dice(2);
}

static void one_fault(unsigned engine, unsigned case_no, unsigned counts[FAULTS])
{
	unsigned n = engine == ANY ? 2 + dice(2) : 3 + 2 * dice(2);
	uint32_t blamed = 0, failed = 0;
	struct group g;
	struct evil e = { .engine = engine };

	draw(&e, n);
	if (engine == ANY)
		group_init_any(&g, 500 + case_no, SET(n), SET(n), 1);
	else
		group_init(&g, 500 + case_no, SET(n), (n + 1) / 2, SET(n), 2, 0);
	mount(&g, &e);
	for (unsigned i = 1; i <= n; i++) {
		const struct net_party *p = net_party(g.net, (uint8_t)i);

		if (i == e.self)
			continue;
		if (p->convicted & ~km_set_bit(e.self))
			fail_msg("engine %u case %u: honest convicted: %x", engine, case_no, p->convicted);
		assert_int_equal(p->disputed & ~km_set_bit(e.self), 0);
		assert_true(p->done || p->dropped);
		assert_int_equal(p->err, KM_OK);
		failed |= p->dropped;
		blamed |= p->convicted | p->suspected | p->disputed | p->waited_for;
	}
	/* a cheat that makes a run fail is convicted, disputed or suspected by somebody */
	if (failed && !km_set_has(blamed, e.self))
		fail_msg("engine %u case %u: fault %d in round %u: nobody is blamed", engine, case_no, (int)e.fault, e.round);
	if (!e.done && failed)
		fail_msg("engine %u case %u: an honest run fails", engine, case_no);
	/* whatever part of the openings is shown to whomever */
	for (uint32_t set = 1; set <= g.participants; set += 1 + dice(5)) {
		struct km_replay_verdict v = judge(&g, engine, e.raw, e.len, set);

		if (v.culprits & ~km_set_bit(e.self))
			fail_msg("engine %u case %u openings %x: honest convicted: %x", engine, case_no, set, v.culprits);
	}
	if (e.done)
		counts[e.fault]++;
	unmount(&g, &e);
}

static void any_fault(unsigned engine, unsigned cases)
{
	unsigned counts[FAULTS] = { 0 };

	dice_state = 4711 + engine;
	for (unsigned i = 0; i < cases; i++)
		one_fault(engine, i, counts);
	/* every kind happened */
	for (unsigned f = 1; f < FAULTS; f++)
		if (!counts[f])
			fail_msg("engine %u: fault %u never happened", engine, f);
	assert_int_equal(km_secret_in_use(), 0);
}

static void test_any_fault_majority(void **state)
{
	const char *more = getenv("KM_REPLAY_CASES");

	any_fault(MAJORITY, more ? (unsigned)atoi(more) : 60);
}

static void test_any_fault_any(void **state)
{
	const char *more = getenv("KM_REPLAY_CASES");

	any_fault(ANY, more ? (unsigned)atoi(more) : 24);
}

KM_TESTS(cmocka_unit_test(test_subsets), cmocka_unit_test(test_memo), cmocka_unit_test(test_first_round), cmocka_unit_test(test_foreign_rows),
	 cmocka_unit_test(test_foreign_openings), cmocka_unit_test(test_false_ok), cmocka_unit_test(test_any_fault_majority), cmocka_unit_test(test_any_fault_any))
