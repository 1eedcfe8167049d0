/* attack_a25.c: evidence with a false quorum. Peer 3 has done everything right in two runs that differ in their quorums. An accuser shows
 * its epsilon of the one run under the proposal and the joins of the other: with those Lagrange coefficients it "fails".
 * Stopped by: the judge makes the sid anew from PROPOSE and JOINs, before it looks at anything else. */
#include <stdlib.h>
#include "attack.h"
#include "../lib/dealer.h"
#include "proto/presign_impl.h"

#define HONEST 3

/* Runs one index with that quorum; members 1 to 3, T = 2. */
static void run(struct group *g, uint32_t quorum)
{
	group_init(g, 25, 7, 2, 7, 1, quorum);
	net_run(g->net, 0);
	for (uint8_t i = 1; i <= 3; i++)
		assert_true(net_party(g->net, i)->done);
}

/* E4 of peer 3's messages in `of`, under the set-up of `under`. */
static void accuse(const struct group *of, const struct group *under, struct km_verdict *v)
{
	const struct km_machine *m = of->m[1];
	const struct km_msg *c3 = &m->bcast[KM_PRESIGN_C3][HONEST].msg, *c4 = &m->bcast[KM_PRESIGN_C4][HONEST].msg;
	const uint32_t leaf = 1;
	struct km_shape shape;
	struct km_buf b;

	km_buf_init(&b);
	km_evidence_begin(&b, KM_EV_EPSILON, under->d.table.hash, 1 + under->setup.n + 2);
	km_evidence_whole(&b, &under->setup.propose);
	for (unsigned i = 0; i < under->setup.n; i++)
		km_evidence_whole(&b, &under->setup.join[i]);
	assert_int_equal(km_presign_shape(m->state, KM_PRESIGN_C4, HONEST, 0, &shape), KM_OK);
	km_evidence_rows(&b, c4, &shape, &leaf, 1);
	assert_int_equal(km_presign_shape(m->state, KM_PRESIGN_C3, HONEST, 0, &shape), KM_OK);
	km_evidence_rows(&b, c3, &shape, &leaf, 1);
	assert_int_equal(b.err, 0);
	group_judge(under, b.data, b.len, v);
	km_buf_clear(&b);
}

static void mount(struct km_verdict *v)
{
	struct group *one = calloc(1, sizeof(*one)), *other = calloc(1, sizeof(*other));

	run(one, 5);
	run(other, 6);
	assert_memory_equal(one->d.table.hash, other->d.table.hash, KM_HASH_SIZE);
	accuse(one, one, v);
	assert_int_equal(v->culprit, 0);
	assert_string_equal(v->why, "the epsilon is right");
	accuse(one, other, v);
	group_clear(one);
	group_clear(other);
	free(one);
	free(other);
}

static void test_stopped(void **state)
{
	struct km_verdict v;

	rules_all();
	mount(&v);
	assert_int_equal(v.culprit, 0);
	assert_string_equal(v.why, "the messages are not of the run that the proposal and the joins make");
}

static void test_without_rule(void **state)
{
	struct km_verdict v;

	rules_all();
	rule_off(km_rule_judge_sid);
	mount(&v);
	assert_int_equal(v.culprit, HONEST);
	assert_int_equal(v.kind, KM_EV_EPSILON);
}

KM_TESTS(cmocka_unit_test(test_stopped), cmocka_unit_test(test_without_rule))
