/* test_machine.c: the plumbing of a run by itself, under a protocol of two rounds (and a third that is never begun): what is
 * heard and what is not, jobs that are out while the run ends, and that an ended run holds nothing secret.
 *
 *	round 1: everybody says a byte to all and a byte to each; then a job
 *	round 2: prev; then done */
#include <stdlib.h>
#include "../lib/test.h"
#include "../lib/net.h"
#include "base/secret.h"

#define SELF 1
#define ALL 7u

struct toy {
	unsigned rounds_done, worked, wiped, destroyed;
	int job_out;         /* a job has begun and not ended: nobody may wipe what it reads */
};

static int toy_shape(const struct km_machine *m, unsigned round, unsigned sender, unsigned recipient, const uint8_t *body,
		     uint32_t body_len, struct km_shape *shape)
{
	*shape = (struct km_shape){ .head = round == 1 ? 1 : KM_HASH_SIZE };
	return KM_OK;
}

static int toy_start(struct km_machine *m, struct km_outs *outs)
{
	static const struct km_shape shape = { .head = 1 };
	const uint8_t body = SELF;
	int err = km_machine_send(m, 1, 0, &shape, &body, outs);

	for (unsigned j = 2; !err && j <= 3; j++)
		err = km_machine_send(m, 1, j, &shape, &body, outs);
	return err;
}

static void toy_job(struct km_job *job)
{
	struct toy *t = job->state;

	t->worked++;
}

static int toy_round_done(struct km_machine *m, unsigned round, struct km_outs *outs)
{
	struct toy *t = m->state;

	t->rounds_done++;
	if (round == 2)
		return km_machine_done(m, outs);
	t->job_out = 1;
	return km_machine_job(m, 5, toy_job, outs);
}

static int toy_worked(struct km_machine *m, struct km_job *job, struct km_outs *outs)
{
	static const struct km_shape shape = { .head = KM_HASH_SIZE };

	assert_int_equal(job->what, 5);
	return km_machine_send(m, 2, 0, &shape, km_machine_prev(m, 2), outs);
}

static void toy_wipe(struct km_machine *m)
{
	struct toy *t = m->state;

	assert_false(t->job_out);
	t->wiped++;
}

static void toy_destroy(struct km_machine *m)
{
	struct toy *t = m->state;

	assert_false(t->job_out);
	t->destroyed++;
}

static const struct km_machine_ops toy_ops = {
	.name = "toy",
	.proto = KM_PROTO_MAJORITY,
	.rounds = 3,
	.flags = { 0, KM_ROUND_BROADCAST | KM_ROUND_PRIVATE, KM_ROUND_BROADCAST | KM_ROUND_PREV, KM_ROUND_BROADCAST },
	.deadline_ms = { 0, 100, 100 },
	.shape = toy_shape,
	.start = toy_start,
	.round_done = toy_round_done,
	.worked = toy_worked,
	.wipe = toy_wipe,
	.destroy = toy_destroy,
};

static struct toy toy;
static struct km_machine *m;
static struct km_outs outs;
static uint8_t sid[KM_HASH_SIZE];

static int setup(void **state)
{
	static uint8_t keys[KM_MAX_PEERS + 1][KM_IDKEY_SIZE];
	struct km_machine_params p;

	memset(&toy, 0, sizeof(toy));
	net_params(&p, keys, 1, km_curve_p256(), SELF, ALL);
	p.ops = &toy_ops;
	memcpy(sid, p.sid, sizeof(sid));
	km_outs_init(&outs);
	return km_machine_new(&m, &p, &toy) || km_machine_start(m, 1000, &outs);
}

static int teardown(void **state)
{
	km_outs_clear(&outs);
	return km_secret_in_use() != 0;
}

/* An envelope of this run, signed by its sender; head bytes of `body`. */
static int deliver(uint8_t from, int relayed, uint8_t round, uint8_t sender, uint8_t recipient, const void *body, uint32_t head)
{
	const struct km_shape shape = { .head = head };
	struct km_identity id;
	struct km_buf b;
	int err;

	net_identity(1, sender, &id);
	km_buf_init(&b);
	assert_int_equal(km_msg_build(&b, KM_PROTO_MAJORITY, round, sender, recipient, sid, &shape, body, &id), KM_OK);
	err = km_machine_message(m, 1001, from, relayed, b.data, b.len, &outs);
	km_buf_clear(&b);
	return err;
}

static int say(uint8_t sender, uint8_t recipient, uint8_t what)
{
	return deliver(sender, 0, 1, sender, recipient, &what, 1);
}

/* The one output of this kind; how many there are in *n. All are taken. */
static int outputs(enum km_out_kind kind, unsigned *n)
{
	struct km_out *out;
	int peer = 0;

	*n = 0;
	while ((out = km_outs_pop(&outs))) {
		if (out->kind == kind) {
			++*n;
			peer = out->peer;
		}
		km_out_free(out);
	}
	return peer;
}

static struct km_job *job_of(void)
{
	struct km_job *job = NULL;
	struct km_out *out;

	while ((out = km_outs_pop(&outs))) {
		if (out->kind == KM_OUT_JOB)
			job = out->job;
		km_out_free(out);
	}
	assert_non_null(job);
	return job;
}

static struct km_job *to_the_job(void)
{
	for (uint8_t j = 2; j <= 3; j++) {
		assert_int_equal(say(j, 0, j), KM_OK);
		assert_int_equal(say(j, SELF, j), KM_OK);
	}
	return job_of();
}

static int job_back(struct km_job *job)
{
	job->run(job);
	toy.job_out = 0;
	return km_machine_worked(m, 1002, &outs);
}

static int nothing_secret(void)
{
	static const struct km_rng zero;
	int none = memcmp(&m->rng, &zero, sizeof(zero)) == 0;

	for (unsigned j = 1; j <= KM_MAX_PEERS; j++)
		none &= !m->priv[1][j].raw;
	return none && toy.wiped == 1;
}

/* ---- what is heard */

static void test_plain(void **state)
{
	struct km_job *job = to_the_job();
	unsigned n;

	assert_int_equal(job_back(job), KM_OK);
	for (uint8_t j = 2; j <= 3; j++)
		assert_int_equal(deliver(j, 0, 2, j, 0, km_machine_prev(m, 2), KM_HASH_SIZE), KM_OK);
	outputs(KM_OUT_DONE, &n);
	assert_int_equal(n, 1);
	assert_int_equal(toy.wiped, 0);
	km_machine_free(m);
	assert_int_equal(toy.destroyed, 1);
}

static void test_not_heard(void **state)
{
	unsigned n;

	/* on the channel of another who does not say that it hands it on; of another run */
	assert_int_equal(deliver(3, 0, 1, 2, 0, "x", 1), KM_E_AUTH);
	sid[0] ^= 1;
	assert_int_equal(deliver(2, 0, 1, 2, 0, "x", 1), KM_E_STALE);
	sid[0] ^= 1;
	sid[31] ^= 0x80;
	assert_int_equal(deliver(2, 0, 1, 2, 0, "x", 1), KM_E_STALE);
	sid[31] ^= 0x80;
	/* handed on by another: broadcasts only; for others; of a round after the next; of a kind the round has not */
	assert_int_equal(deliver(3, 1, 1, 2, SELF, "x", 1), KM_E_INVAL);
	assert_int_equal(deliver(2, 0, 1, 2, 3, "x", 1), KM_E_AUTH);
	assert_int_equal(deliver(2, 0, 3, 2, 0, sid, KM_HASH_SIZE), KM_E_STALE);
	assert_int_equal(deliver(2, 0, 4, 2, 0, sid, KM_HASH_SIZE), KM_E_STALE);
	assert_int_equal(deliver(2, 0, 0, 2, 0, "x", 1), KM_E_STALE);
	assert_int_equal(deliver(2, 0, 2, 2, SELF, sid, KM_HASH_SIZE), KM_E_STALE);
	for (unsigned r = 0; r <= KM_MAX_ROUNDS; r++)
		for (unsigned j = 2; j <= KM_MAX_PEERS; j++)
			assert_true(!m->bcast[r][j].raw && !m->priv[r][j].raw);
	outputs(KM_OUT_DISPUTE, &n);
	assert_int_equal(n, 0);
	assert_int_equal(deliver(3, 1, 1, 2, 0, "x", 1), KM_OK);
	km_machine_free(m);
}

/* A private message that was wiped is of a past round: it is not taken in again, nor is one that never came. */
static void test_past_round(void **state)
{
	struct km_job *job = to_the_job();

	km_machine_wipe_private(m, 1);
	assert_int_equal(say(2, SELF, 2), KM_E_STALE);
	assert_int_equal(say(2, SELF, 9), KM_E_STALE);
	assert_null(m->priv[1][2].raw);
	assert_int_equal(job_back(job), KM_OK);
	km_machine_free(m);
}

/* One round ahead is kept, and waits for the job. */
static void test_round_ahead(void **state)
{
	struct km_job *job = to_the_job();

	for (uint8_t j = 2; j <= 3; j++)
		assert_int_equal(deliver(j, 0, 2, j, 0, km_machine_prev(m, 2), KM_HASH_SIZE), KM_OK);
	assert_int_equal(toy.rounds_done, 1);
	assert_int_equal(job_back(job), KM_OK);
	assert_int_equal(toy.rounds_done, 2);
	assert_true(m->ended);
	assert_int_equal(say(2, 0, 9), KM_E_STALE);
	km_machine_free(m);
}

/* Another view than ours, of whomever: the run ends before its content is looked at, and nobody is guilty. */
static void test_split(void **state)
{
	uint8_t other[KM_HASH_SIZE];
	unsigned n;

	for (uint8_t who = 2; who <= 3; who++) {
		struct km_job *job = to_the_job();

		assert_int_equal(job_back(job), KM_OK);
		memcpy(other, km_machine_prev(m, 2), sizeof(other));
		other[31] ^= 1;
		for (uint8_t j = 2; j <= 3; j++)
			assert_int_equal(deliver(j, 0, 2, j, 0, j == who ? other : km_machine_prev(m, 2), KM_HASH_SIZE), KM_OK);
		assert_true(m->ended);
		assert_int_equal(toy.rounds_done, 1);
		outputs(KM_OUT_CONVICT, &n);
		assert_int_equal(n, 0);
		assert_true(nothing_secret());
		km_machine_free(m);
		if (who == 2)
			assert_int_equal(setup(state), 0);
	}
}

/* A body that is not the signed one was put there by whose channel it came over: never a reason against its author. */
static void test_changed_body(void **state)
{
	const struct km_shape shape = { .head = 1 };
	struct km_identity id;
	struct km_buf b;
	unsigned n;

	net_identity(1, 2, &id);
	for (uint8_t from = 2; from <= 3; from++) {
		km_buf_init(&b);
		assert_int_equal(km_msg_build(&b, KM_PROTO_MAJORITY, 1, 2, 0, sid, &shape, (const uint8_t *)"x", &id), KM_OK);
		b.data[b.len - 1] ^= 1;
		assert_int_equal(km_machine_message(m, 1001, from, from == 3, b.data, b.len, &outs), KM_E_ENCODING);
		assert_int_equal(outputs(KM_OUT_DISPUTE, &n), from);
		assert_int_equal(n, 1);
		/* the same for a signature that is none */
		b.data[b.len - 1] ^= 1;
		b.data[KM_MSG_CONTENT] ^= 1;
		assert_int_equal(km_machine_message(m, 1001, from, from == 3, b.data, b.len, &outs), KM_E_AUTH);
		assert_int_equal(outputs(KM_OUT_DISPUTE, &n), from);
		assert_int_equal(n, 1);
		assert_null(m->bcast[1][2].raw);
		km_buf_clear(&b);
	}
	km_machine_free(m);
}

/* ---- ends */

static void test_equivocation_wipes(void **state)
{
	unsigned n;

	assert_int_equal(say(2, SELF, 2), KM_OK);
	assert_int_equal(say(2, SELF, 3), KM_OK);
	assert_true(m->ended);
	assert_true(nothing_secret());
	assert_int_equal(outputs(KM_OUT_CONVICT, &n), 2);
	assert_int_equal(n, 1);
	km_machine_free(m);
}

/* While a job is out it owns the state: the run ends at once, the wiping waits; no handler is called any more. */
static void test_equivocation_under_a_job(void **state)
{
	struct km_job *job = to_the_job();
	unsigned n;

	assert_int_equal(say(3, 0, 77), KM_OK);
	assert_true(m->ended);
	assert_int_equal(toy.wiped, 0);
	assert_non_null(m->priv[1][2].raw);
	assert_int_equal(say(3, 0, 78), KM_E_STALE);
	assert_int_equal(km_machine_tick(m, 100000, &outs), KM_OK);
	outputs(KM_OUT_DROP, &n);
	assert_int_equal(n, 1);
	assert_int_equal(job_back(job), KM_OK);
	assert_true(nothing_secret());
	assert_null(m->bcast[2][SELF].raw);
	outputs(KM_OUT_SEND, &n);
	assert_int_equal(n, 0);
	km_machine_free(m);
	assert_int_equal(toy.destroyed, 1);
}

static void test_freed_under_a_job(void **state)
{
	struct km_job *job = to_the_job();

	km_machine_free(m);
	assert_int_equal(toy.destroyed, 0);
	assert_int_equal(job_back(job), 1);
	assert_int_equal(toy.destroyed, 1);
}

/* Own computing time is nobody's lateness. */
static void test_no_deadline_under_a_job(void **state)
{
	struct km_job *job;

	assert_int_equal(km_machine_deadline(m), 1100);
	job = to_the_job();
	assert_int_equal(km_machine_deadline(m), UINT64_MAX);
	assert_int_equal(km_machine_tick(m, 100000, &outs), KM_OK);
	assert_false(m->ended);
	assert_int_equal(job_back(job), KM_OK);
	assert_int_equal(km_machine_deadline(m), 1102);
	km_machine_free(m);
}

static void test_deadline(void **state)
{
	struct km_out *out;

	assert_int_equal(say(2, 0, 2), KM_OK);
	assert_int_equal(say(2, SELF, 2), KM_OK);
	assert_int_equal(say(3, 0, 2), KM_OK);
	km_outs_clear(&outs);
	assert_int_equal(km_machine_tick(m, 1099, &outs), KM_OK);
	assert_null(outs.head);
	assert_int_equal(km_machine_tick(m, 1100, &outs), KM_OK);
	out = km_outs_pop(&outs);
	assert_true(out && out->kind == KM_OUT_DROP && out->code == KM_E_DEADLINE && out->set == km_set_bit(3));
	km_out_free(out);
	assert_true(nothing_secret());
	/* once is enough */
	assert_int_equal(km_machine_tick(m, 5000, &outs), KM_OK);
	assert_int_equal(km_machine_drop(m, KM_E_STALE, 0, &outs), KM_OK);
	assert_int_equal(km_machine_done(m, &outs), KM_OK);
	assert_null(outs.head);
	assert_int_equal(toy.wiped, 1);
	km_machine_free(m);
}

#define CASE(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
KM_TESTS(CASE(test_plain), CASE(test_not_heard), CASE(test_past_round), CASE(test_round_ahead), CASE(test_split),
	 CASE(test_changed_body),
	 CASE(test_equivocation_wipes), CASE(test_equivocation_under_a_job), CASE(test_freed_under_a_job),
	 CASE(test_no_deadline_under_a_job), CASE(test_deadline))
