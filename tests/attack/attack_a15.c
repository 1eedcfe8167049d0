/* attack_a15.c: framing under a split view. A corrupt member shows two honest ones different w shares. Each honest proof of C3 is
 * right under its author's (R, w) and wrong under the other's: judged there, it convicts an honest peer.
 * Stopped by: every message names its author's view (prev), and a message is judged in no other. */
#include <stdlib.h>
#include "attack.h"
#include "rush.h"

#define CORRUPT 3
#define OTHER_VIEW 2

/* The M3 for peer 2 says another w share of index 0; signed as well as the one for the rest. */
static enum net_verdict split(void *ctx, uint8_t from, uint8_t to, uint8_t **raw, size_t *len)
{
	struct group *g = ctx;
	struct km_identity id;
	struct km_shape shape;
	uint8_t *again;

	if (from != CORRUPT || to != OTHER_VIEW || (*raw)[3] != KM_PRESIGN_M3)
		return NET_PASS;
	assert_int_equal(km_presign_shape(g->m[from]->state, KM_PRESIGN_M3, from, 0, &shape), KM_OK);
	rush_m3_share(g->m[from]->state, *raw + KM_MSG_HEAD, 0, 0)[31] ^= 1;
	net_identity(g->d.seed, CORRUPT, &id);
	again = net_resign(&id, *raw, *len, &shape, len);
	free(*raw);
	*raw = again;
	return NET_PASS;
}

static void mount(struct group *g)
{
	group_init(g, 15, 0x1f, 3, 0x1f, 1, 7);
	net_tap(g->net, split, g);
	net_run(g->net, 1);
}

static void test_stopped(void **state)
{
	struct group g;

	rules_all();
	mount(&g);
	for (unsigned i = 1; i <= 5; i++) {
		assert_true(net_party(g.net, (uint8_t)i)->dropped);
		/* what they opened shows both headers */
		if (i != CORRUPT)
			assert_int_equal(net_party(g.net, (uint8_t)i)->convicted, km_set_bit(CORRUPT));
	}
	group_clear(&g);
}

static void test_without_rule(void **state)
{
	uint32_t framed = 0;
	struct group g;

	rules_all();
	rule_off(km_rule_echo);
	mount(&g);
	/* the honest one that judges first convicts an honest one */
	for (unsigned i = 1; i <= 5; i++)
		framed |= net_party(g.net, (uint8_t)i)->convicted & ~km_set_bit(CORRUPT);
	assert_true(framed);
	group_clear(&g);
}

/* ---- the same before a judge who was not there: peer 2's right proof, shown with a w share that peer 2 has never seen */

#define HONEST 2

/* Digests of the broadcasts before C3 as peer 2 saw them, but for the M3 of the corrupt one. */
static unsigned list(const struct km_machine *m, const struct km_msg *other, uint8_t digest[][KM_HASH_SIZE])
{
	unsigned n = 0;

	for (unsigned r = KM_PRESIGN_M1; r <= KM_PRESIGN_M3; r++)
		for (unsigned j = km_set_next(m->participants, 0); j; j = km_set_next(m->participants, j))
			memcpy(digest[n++], r == KM_PRESIGN_M3 && j == CORRUPT ? other->digest : m->bcast[r][j].msg.digest, KM_HASH_SIZE);
	return n;
}

/* listed: the M3 shown stands in the list; otherwise the list is peer 2's own. */
static void judged(struct km_verdict *v, int listed)
{
	struct group *g = calloc(1, sizeof(*g));
	uint8_t digest[4 * KM_MAX_PEERS][KM_HASH_SIZE], *again, *raw;
	const uint32_t c3_leaf[2] = { 0, 1 }, m3_leaf = 1;
	struct km_shape shape;
	struct km_identity id;
	struct km_msg other;
	struct km_buf b;
	size_t len;

	group_init(g, 15, 0x1f, 3, 0x1f, 1, 7);
	net_run(g->net, 0);
	const struct km_machine *m = g->m[HONEST];
	const struct km_msg *m3 = &m->bcast[KM_PRESIGN_M3][CORRUPT].msg;
	raw = malloc(KM_MSG_HEAD + m3->body_len);
	memcpy(raw, m3->raw, KM_MSG_HEAD + m3->body_len);
	assert_int_equal(km_presign_shape(m->state, KM_PRESIGN_M3, CORRUPT, 0, &shape), KM_OK);
	raw[KM_MSG_HEAD + shape.head + 31] ^= 1;
	net_identity(g->d.seed, CORRUPT, &id);
	again = net_resign(&id, raw, KM_MSG_HEAD + m3->body_len, &shape, &len);
	assert_int_equal(km_msg_parse(&other, again, len), KM_OK);

	km_buf_init(&b);
	km_evidence_begin(&b, KM_EV_C3_PROOF, g->d.table.hash, 1 + g->setup.n + 2 + m->n);
	km_evidence_whole(&b, &g->setup.propose);
	for (unsigned i = 0; i < g->setup.n; i++)
		km_evidence_whole(&b, &g->setup.join[i]);
	assert_int_equal(km_presign_shape(m->state, KM_PRESIGN_C3, HONEST, 0, &shape), KM_OK);
	km_evidence_rows(&b, &m->bcast[KM_PRESIGN_C3][HONEST].msg, &shape, c3_leaf, 2);
	km_evidence_digests(&b, (const uint8_t(*)[KM_HASH_SIZE])digest, list(m, listed ? &other : m3, digest));
	assert_int_equal(km_presign_shape(m->state, KM_PRESIGN_M3, CORRUPT, 0, &shape), KM_OK);
	for (unsigned j = 1; j <= m->n; j++)
		km_evidence_rows(&b, j == CORRUPT ? &other : &m->bcast[KM_PRESIGN_M3][j].msg, &shape, &m3_leaf, 1);
	assert_int_equal(b.err, 0);
	group_judge(g, b.data, b.len, v);
	km_buf_clear(&b);
	free(again);
	free(raw);
	group_clear(g);
	free(g);
}

static void test_judge(void **state)
{
	struct km_verdict v;

	rules_all();
	judged(&v, 1);
	assert_int_equal(v.culprit, 0);
	assert_string_equal(v.why, "the view shown is not its author's");
}

/* Peer 2's view as it was, and a row out of another message. */
static void test_row_outside_the_view(void **state)
{
	struct km_verdict v;

	rules_all();
	judged(&v, 0);
	assert_int_equal(v.culprit, 0);
	assert_string_equal(v.why, "what the author saw of w and R is not shown");
}

static void test_judge_without_rule(void **state)
{
	struct km_verdict v;

	rules_all();
	rule_off(km_rule_judge_view);
	judged(&v, 1);
	assert_int_equal(v.culprit, HONEST);
	assert_int_equal(v.kind, KM_EV_C3_PROOF);
}

KM_TESTS(cmocka_unit_test(test_stopped), cmocka_unit_test(test_without_rule), cmocka_unit_test(test_judge),
	 cmocka_unit_test(test_row_outside_the_view), cmocka_unit_test(test_judge_without_rule))
