/* attack_a20.c: a second, wrong C4 frames an honest signer: with an epsilon that includes another peer's false part, the signer's right
 * share "fails". The accuser has everything else right: R, w and the points of the signer, and a READY of its own to hold them.
 * Stopped by: the judge takes what was held from the signer's own READY, and from nobody else's. */
#include <stdlib.h>
#include "attack.h"
#include "../lib/dealer.h"
#include "base/context.h"
#include "base/hash.h"
#include "proto/ready.h"
#include "proto/request.h"

#define HONEST 3
#define LIAR 1
#define INDEX 1         /* its quorum is 1 and 3 */

static const char text[] = "asked for by a frontend";

/* A READY over this one row. */
static void ready(const struct group *g, unsigned author, const uint8_t *row, struct km_buf *b, struct km_msg *m)
{
	uint8_t leaf[KM_HASH_SIZE];
	struct km_ready r = {.leaf = leaf};
	struct km_identity id;

	memcpy(r.table, g->d.table.hash, KM_HASH_SIZE);
	km_ready_set(r.held, INDEX);
	km_merkle_leaf(row, km_ready_row_size(g->d.curve), leaf);
	net_identity(g->d.seed, (uint8_t)author, &id);
	assert_int_equal(km_ready_build(b, (uint8_t)author, g->setup.sid, &r, &id), KM_OK);
	assert_int_equal(km_msg_parse(m, b->data, b->len), KM_OK);
}

/* What peer 3 rightly answers, and signs. */
static void answer(struct group *g, struct km_req *req, struct km_buf *b, struct km_msg *m)
{
	struct km_scalar share[KM_MAX_PEERS];
	struct km_sign_input in = { .context = KM_CTX_TLS13_SERVER };
	struct km_sign_nonce nonce;
	struct km_record_body rec;
	struct km_identity id;

	*req = (struct km_req){ .version = KM_REQ_VERSION, .frontend = 1, .context = KM_CTX_TLS13_SERVER, .time_ms = 1,
				.data = (const uint8_t *)text, .len = sizeof(text) - 1 };
	memcpy(req->key_id, g->d.table.key_id, KM_HASH_SIZE);
	km_req_id(req, in.request_id);
	assert_int_equal(km_req_scalar(g->d.curve, req->context, req->data, req->len, &in.m), KM_OK);
	assert_int_equal(group_shares(g, INDEX, &in, &nonce, share), KM_OK);
	memset(&rec, 0, sizeof(rec));
	memcpy(rec.presig_id, group_presig(g, HONEST, INDEX)->id, KM_HASH_SIZE);
	memcpy(rec.request_id, in.request_id, KM_HASH_SIZE);
	rec.context = in.context;
	rec.m = in.m;
	rec.rr = nonce.rr;
	rec.s = share[1];
	net_identity(g->d.seed, HONEST, &id);
	assert_int_equal(km_record_build(b, HONEST, LIAR, g->d.curve, &rec, &id), KM_OK);
	assert_int_equal(km_msg_parse(m, b->data, b->len), KM_OK);
}

/* E5 against peer 3 by this author's READY, with epsilon changed in it or not. */
static void accuse(struct group *g, unsigned author, int lie, struct km_verdict *v)
{
	size_t size = km_ready_row_size(g->d.curve), at = 2 + 4 + 33 + 32 + 31;
	uint8_t row[KM_READY_ROW_MAX];
	struct km_buf rec_b, ready_b, req_b, b;
	struct km_msg rec_m, ready_m;
	struct km_req req;

	km_buf_init(&rec_b);
	km_buf_init(&ready_b);
	km_buf_init(&req_b);
	km_buf_init(&b);
	km_ready_row_put(group_presig(g, HONEST, INDEX), HONEST, row);
	/* the liar's C4 said one more */
	row[at] = (uint8_t)(row[at] ^ lie);
	ready(g, author, row, &ready_b, &ready_m);
	answer(g, &req, &rec_b, &rec_m);
	km_req_put(&req_b, &req);
	km_evidence_begin(&b, KM_EV_RECORD, g->d.table.hash, 4);
	km_evidence_whole(&b, &rec_m);
	km_evidence_whole(&b, &ready_m);
	km_evidence_bytes(&b, row, size);
	km_evidence_bytes(&b, req_b.data, req_b.len);
	assert_int_equal(b.err, 0);
	group_judge(g, b.data, b.len, v);
	km_buf_clear(&rec_b);
	km_buf_clear(&ready_b);
	km_buf_clear(&req_b);
	km_buf_clear(&b);
}

static void mount(unsigned author, int lie, struct km_verdict *v)
{
	struct group *g = calloc(1, sizeof(*g));

	group_init(g, 20, 7, 2, 7, 2, 0);
	assert_int_equal(g->rows[INDEX].quorum, 5);
	net_run(g->net, 0);
	group_take(g);
	accuse(g, author, lie, v);
	group_clear(g);
	free(g);
}

static void test_stopped(void **state)
{
	struct km_verdict v;

	rules_all();
	mount(LIAR, 1, &v);
	assert_int_equal(v.culprit, 0);
	assert_string_equal(v.why, "the READY is another peer's");
	/* under its own READY it is right */
	mount(HONEST, 0, &v);
	assert_int_equal(v.culprit, 0);
	assert_string_equal(v.why, "the share is right");
}

static void test_without_rule(void **state)
{
	struct km_verdict v;

	rules_all();
	rule_off(km_rule_judge_own_ready);
	mount(LIAR, 1, &v);
	assert_int_equal(v.culprit, HONEST);
	assert_int_equal(v.kind, KM_EV_RECORD);
}

/* Who signs two READY of one run, to have one for each purpose, is convicted by them. */
static void test_two_ready(void **state)
{
	struct group *g = calloc(1, sizeof(*g));
	uint8_t row[KM_READY_ROW_MAX];
	struct km_buf one, other, b;
	struct km_msg ma, mb;
	struct km_verdict v;

	rules_all();
	group_init(g, 20, 7, 2, 7, 2, 0);
	net_run(g->net, 0);
	group_take(g);
	km_buf_init(&one);
	km_buf_init(&other);
	km_buf_init(&b);
	km_ready_row_put(group_presig(g, LIAR, INDEX), LIAR, row);
	ready(g, LIAR, row, &one, &ma);
	row[2 + 4 + 33 + 32 + 31] ^= 1;
	ready(g, LIAR, row, &other, &mb);
	km_evidence_begin(&b, KM_EV_EQUIVOCATION, g->d.table.hash, 2);
	km_evidence_header(&b, &ma);
	km_evidence_header(&b, &mb);
	group_judge(g, b.data, b.len, &v);
	assert_int_equal(v.culprit, LIAR);
	km_buf_clear(&one);
	km_buf_clear(&other);
	km_buf_clear(&b);
	group_clear(g);
	free(g);
}

KM_TESTS(cmocka_unit_test(test_stopped), cmocka_unit_test(test_without_rule), cmocka_unit_test(test_two_ready))
