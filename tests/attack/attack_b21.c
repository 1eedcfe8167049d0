/* attack_b21.c: false blame. Peer 3 is honest; the others may say whatever they like, and sign it.
 *
 * Evidence: everything that can be shown of peer 3's right messages, with every byte of every message of another party changed and
 * signed again by its author, and every byte that nobody signs. Nobody convicts peer 3.
 * Runs: one corrupt peer (2), every byte of every message of its changed, one after the other, and signed by it. No honest peer convicts
 * another, and what they convict the corrupt one of is judged so by a stranger, too. */
#include <stdlib.h>
#include "attack.h"
#include "../lib/dkg_help.h"
#include "../lib/evid.h"
#include "base/hash.h"
#include "proto/evidence_impl.h"
#include "proto/judge_presign.h"
#include "base/sig.h"

#define HONEST EVID_CULPRIT
#define CORRUPT 2

/* ---- evidence, changed */

static unsigned accused;

static void judge(const struct evid *e, const uint8_t *ev, size_t len, const char *what)
{
	struct km_verdict v;

	evid_judge(e, ev, len, &v);
	if (v.culprit == HONEST)
		accused++;
	if (v.culprit && !km_rules_off)
		fail_msg("%s, %s: convicts %u: %s", e->name, what, v.culprit, v.why);
}

/* Signs the header at p, which is of another party, again: over this root. */
static void sign_head(const struct evid *e, uint8_t *p, const uint8_t root[KM_HASH_SIZE], const uint8_t *sid)
{
	uint8_t in[17 + KM_MSG_CONTENT];
	struct km_identity id;

	memcpy(p + 10 + KM_HASH_SIZE, root, KM_HASH_SIZE);
	if (sid)
		memcpy(p + 10, sid, KM_HASH_SIZE);
	net_identity(e->seed, p[4], &id);
	memcpy(in, "keymesh/1/message", 17);
	memcpy(in + 17, p, KM_MSG_CONTENT);
	km_ed25519_sign(id.pub, id.priv, in, sizeof(in), p + KM_MSG_CONTENT);
}

/* The root that one leaf and its path make. */
static void fold(const struct km_ev_leaf *l, uint32_t leaves, uint8_t root[KM_HASH_SIZE])
{
	uint8_t pair[1 + 2 * KM_HASH_SIZE];
	size_t at = l->leaf, n = leaves, used = 0;

	km_merkle_leaf(l->p, l->len, root);
	for (; n > 1; n = (n + 1) / 2, at /= 2) {
		if ((at ^ 1) >= n)
			continue;
		pair[0] = 1;
		memcpy(pair + 1 + (at & 1 ? KM_HASH_SIZE : 0), root, KM_HASH_SIZE);
		memcpy(pair + 1 + (at & 1 ? 0 : KM_HASH_SIZE), l->path + used++ * KM_HASH_SIZE, KM_HASH_SIZE);
		assert_int_equal(km_sha2(256, pair, sizeof(pair), root), KM_OK);
	}
}

static void setup_root(const struct km_msg *m, const uint8_t *body, uint8_t root[KM_HASH_SIZE], uint8_t sid[KM_HASH_SIZE])
{
	struct km_presign_row rows[KM_MAX_BATCH];
	struct km_shape shape = { .head = m->body_len };
	struct km_proposal pr;

	if (m->round == KM_SETUP_PROPOSE) {
		if (km_setup_get(&pr, rows, body, m->body_len) == KM_OK)
			shape = km_setup_propose_shape(&pr);
		km_setup_propose_sid(body, m->body_len, sid);
	} else {
		km_setup_join_sid(body, sid);
	}
	assert_int_equal(km_msg_root(root, &shape, body), KM_OK);
}

/* JOINs of the corrupt ones again, for the proposal as it is now. Peer 3's stays what it was. */
static void join_again(const struct evid *e, uint8_t *ev, const struct km_ev *read, const size_t *at)
{
	uint8_t root[KM_HASH_SIZE], sid[KM_HASH_SIZE];
	struct km_msg pr;

	assert_int_equal(km_msg_parse_head(&pr, ev + at[1] + 1, KM_MSG_HEAD), KM_OK);
	for (unsigned i = 1; i < read->count; i++) {
		const struct km_msg *m = &read->item[i].msg;
		uint8_t *body = ev + at[i + 1] + 1 + KM_MSG_HEAD;

		if (read->item[i].form != KM_FORM_WHOLE || m->proto != KM_PROTO_SETUP || m->sender == HONEST)
			continue;
		memcpy(body, pr.digest, KM_HASH_SIZE);
		setup_root(m, body, root, sid);
		sign_head(e, ev + at[i + 1] + 1, root, sid);
	}
}

/* A proposal with another quorum in one row, of as many members: what a change of one byte cannot make. */
static void change_quorums(const struct evid *e, const struct km_ev *read, const size_t *at)
{
	const struct km_msg *m = &read->item[0].msg;
	uint8_t *w = malloc(e->len), root[KM_HASH_SIZE], sid[KM_HASH_SIZE], *body = w + at[1] + 1 + KM_MSG_HEAD;

	for (size_t row = KM_PROPOSE_HEAD; m->body[0] == KM_PURPOSE_PRESIGN && row < m->body_len; row += KM_PROPOSE_ROW)
		for (uint8_t quorum = 3; quorum <= 6; quorum++) {
			memcpy(w, e->ev, e->len);
			body[row] = (uint8_t)km_set_next(quorum, 0);
			body[row + 4] = quorum;
			setup_root(m, body, root, sid);
			sign_head(e, w + at[1] + 1, root, sid);
			judge(e, w, e->len, "other quorums");
			join_again(e, w, read, at);
			judge(e, w, e->len, "other quorums, joined");
		}
	free(w);
}

/* A message of the set-up, changed in one byte. */
static void change_setup(const struct evid *e, const struct km_ev *read, unsigned i, const size_t *at)
{
	const struct km_msg *m = &read->item[i].msg;
	uint8_t *w = malloc(e->len), root[KM_HASH_SIZE], sid[KM_HASH_SIZE];

	for (size_t k = 0; k < m->body_len; k++) {
		uint8_t *head = w + at[i + 1] + 1;

		memcpy(w, e->ev, e->len);
		head[KM_MSG_HEAD + k] ^= (uint8_t)(1u << k % 8);
		setup_root(m, head + KM_MSG_HEAD, root, sid);
		sign_head(e, head, root, sid);
		judge(e, w, e->len, "a set-up changed");
		if (m->round != KM_SETUP_PROPOSE)
			continue;
		join_again(e, w, read, at);
		judge(e, w, e->len, "a proposal changed and joined");
	}
	free(w);
}

/* One row of somebody else, and, with its digest in the list, the view. */
static void change_row(const struct evid *e, const struct km_ev *read, unsigned i, const size_t *at)
{
	const struct km_ev_item *it = &read->item[i];
	uint8_t *w = malloc(e->len), root[KM_HASH_SIZE];
	struct km_ev_leaf l;

	km_ev_leaf(it, 0, &l);
	size_t off = (size_t)(l.p - e->ev);
	/* majority: M3 has a row for each of three indices; any: Y4, too */
	for (size_t k = 0; k < l.len; k++) {
		struct km_ev_leaf now = l;
		struct km_msg m;

		memcpy(w, e->ev, e->len);
		w[off + k] ^= (uint8_t)(1u << k % 8);
		now.p = w + off;
		fold(&now, 4, root);
		sign_head(e, w + at[i + 1] + 1, root, NULL);
		judge(e, w, e->len, "a row changed");
		assert_int_equal(km_msg_parse_head(&m, w + at[i + 1] + 1, KM_MSG_HEAD), KM_OK);
		for (unsigned d = 0; d < read->count; d++)
			for (unsigned n = 0; read->item[d].form == KM_FORM_DIGESTS && n < read->item[d].n; n++)
				if (!memcmp(read->item[d].p + n * KM_HASH_SIZE, it->msg.digest, KM_HASH_SIZE))
					memcpy(w + (read->item[d].p - e->ev) + n * KM_HASH_SIZE, m.digest, KM_HASH_SIZE);
		judge(e, w, e->len, "a row and the list changed");
	}
	free(w);
}

/* A header field of somebody else's message, signed again. */
static void change_head(const struct evid *e, unsigned i, const size_t *at)
{
	uint8_t *w = malloc(e->len);

	for (size_t k = 0; k < KM_MSG_CONTENT; k++) {
		uint8_t *head = w + at[i + 1] + 1;

		/* version and length are read before anything is believed; as another sender it signs with that one's key, if it has it */
		memcpy(w, e->ev, e->len);
		head[k] ^= (uint8_t)(1u << k % 8);
		if (head[4] != HONEST && k > 1 && (k < 6 || k > 9)) {
			uint8_t root[KM_HASH_SIZE];

			memcpy(root, head + 10 + KM_HASH_SIZE, sizeof(root));
			sign_head(e, head, root, NULL);
		}
		judge(e, w, e->len, "a header changed");
	}
	free(w);
}

/* What nobody signs: lists, rows and requests given as bytes. */
static void change_bytes(const struct evid *e, const struct km_ev *read, unsigned i)
{
	const struct km_ev_item *it = &read->item[i];
	uint8_t *w = malloc(e->len);

	memcpy(w, e->ev, e->len);
	for (size_t k = 0; k < it->len; k++) {
		size_t at = (size_t)(it->p - e->ev) + k;

		w[at] ^= (uint8_t)(1u << k % 8);
		judge(e, w, e->len, "bytes changed");
		w[at] = e->ev[at];
	}
	free(w);
}

static void change_all(const struct evid *e)
{
	struct km_ev read;
	size_t at[64];

	assert_int_equal(km_ev_read(&read, e->ev, e->len), KM_OK);
	assert_int_equal(evid_items(e->ev, e->len, at, 64), read.count + 1);
	for (unsigned i = 0; i < read.count; i++) {
		const struct km_ev_item *it = &read.item[i];

		if (it->form == KM_FORM_DIGESTS || it->form == KM_FORM_BYTES) {
			change_bytes(e, &read, i);
			continue;
		}
		if (it->msg.sender == HONEST)
			continue;
		change_head(e, i, at);
		if (it->form == KM_FORM_WHOLE && it->msg.proto == KM_PROTO_SETUP)
			change_setup(e, &read, i, at);
		else if (it->form == KM_FORM_ROWS)
			change_row(e, &read, i, at);
	}
	if (km_evidence_has_setup(e->kind))
		change_quorums(e, &read, at);
	km_ev_clear(&read);
}

/* only: of this name, or all. */
static unsigned each_honest(const char *only)
{
	unsigned shown = 0;

	accused = 0;
	for (unsigned k = 0; k < evid_count(); k++) {
		struct evid e;

		if (only && strcmp(evid_name(k), only))
			continue;
		evid_make(&e, k, 1);
		if (e.ev) {
			judge(&e, e.ev, e.len, "unchanged");
			change_all(&e);
			shown++;
		}
		evid_clear(&e);
	}
	return shown;
}

static void test_evidence(void **state)
{
	rules_all();
	assert_true(each_honest(NULL) >= 17);
	assert_int_equal(accused, 0);
}

/* The changes can convict: without what stops them, some do. */
static void test_evidence_without_rules(void **state)
{
	rules_all();
	rule_off(km_rule_judge_sid);
	(void)each_honest("e4-majority");
	assert_true(accused);
	rules_all();
	rule_off(km_rule_judge_view);
	(void)each_honest("e3-majority-tuple");
	assert_true(accused);
	rules_all();
}

/* ---- runs */

struct change {
	unsigned proto, round, recipient;   /* 0: to all */
	size_t at;
	uint64_t seed;
	const struct km_machine *author;
	struct km_shape shape;
	int done;
};

/* One byte of one message; a broadcast the same for all. */
static enum net_verdict change_tap(void *ctx, uint8_t from, uint8_t to, uint8_t **raw, size_t *len)
{
	struct change *c = ctx;
	struct km_identity id;
	uint8_t *again;

	(void)to;
	if (from != CORRUPT || (*raw)[3] != c->round || (*raw)[5] != c->recipient || km_shape_size(&c->shape) != *len - KM_MSG_HEAD)
		return NET_PASS;
	c->done = 1;
	(*raw)[KM_MSG_HEAD + c->at] ^= (uint8_t)(1u << c->at % 8);
	net_identity(c->seed, from, &id);
	again = net_resign(&id, *raw, *len, &c->shape, len);
	free(*raw);
	*raw = again;
	return NET_PASS;
}

static void nobody_framed(const struct group *g, const struct change *c)
{
	for (unsigned i = km_set_next(g->participants, 0); i; i = km_set_next(g->participants, i)) {
		const struct net_party *p = net_party(g->net, (uint8_t)i);
		struct km_verdict v;
		struct km_buf b;

		if (i == CORRUPT)
			continue;
		if (p->convicted & ~km_set_bit(CORRUPT))
			fail_msg("round %u to %u, byte %zu: %u convicts %x (kind %d)", c->round, c->recipient, c->at, i, p->convicted,
				 p->evidence_kind);
		if (!p->convicted)
			continue;
		km_buf_init(&b);
		group_wrap(g, p->evidence, p->evidence_len, &b);
		group_judge(g, b.data, b.len, &v);
		if (v.culprit != CORRUPT)
			fail_msg("round %u to %u, byte %zu: a judge finds %u: %s", c->round, c->recipient, c->at, v.culprit, v.why);
		km_buf_clear(&b);
	}
}

static void run_changed(unsigned engine, struct change *c)
{
	struct group *g = calloc(1, sizeof(*g));

	c->seed = 21;
	c->done = 0;
	if (engine == KM_PRESIGN_ANY)
		group_init_any(g, c->seed, 7, 3, 1);
	else
		group_init(g, c->seed, 7, 2, 7, 1, 6);
	assert_int_equal(km_presign_shape(g->m[CORRUPT]->state, c->round, CORRUPT, c->recipient, &c->shape), KM_OK);
	net_tap(g->net, change_tap, c);
	net_run(g->net, 1);
	assert_true(c->done);
	nobody_framed(g, c);
	group_clear(g);
	free(g);
}

/* step: every so many bytes of the head, and of the rows together as many as there are in `most`. */
static void each_byte(unsigned engine, unsigned round, unsigned recipient, size_t most)
{
	struct change c = { .round = round, .recipient = recipient };
	size_t len, step;

	run_changed(engine, &c);
	len = (size_t)km_shape_size(&c.shape);
	step = len / most + 1;
	for (c.at = 1; c.at < len; c.at += step)
		run_changed(engine, &c);
}

static void test_majority(void **state)
{
	rules_all();
	each_byte(KM_PRESIGN_MAJORITY, 1, 1, 24);
	for (unsigned round = 1; round <= 7; round++)
		each_byte(KM_PRESIGN_MAJORITY, round, 0, 24);
}

static void test_any(void **state)
{
	rules_all();
	for (unsigned round = 1; round <= 3; round++)
		each_byte(KM_PRESIGN_ANY, round, 1, 10);
	for (unsigned round = 3; round <= 8; round++)
		each_byte(KM_PRESIGN_ANY, round, 0, 10);
}

/* ---- key generations: the same by the corrupt one's own machine is in the fuzz target; here what it signs is changed on the way */

static void dkg_changed(unsigned round, size_t at, size_t *len)
{
	struct change c = { .round = round, .at = at, .seed = 21 };
	struct dkg *d = calloc(1, sizeof(*d));

	dkg_init(d, c.seed, 7, 2);
	d->corrupt = km_set_bit(CORRUPT);
	int err = d->m[CORRUPT]->ops->shape(d->m[CORRUPT], round, CORRUPT, 0,
					    round == KM_DKG_G5 ? (const uint8_t[33]){ [32] = KM_DKG_ACK } : NULL, 33, &c.shape);
	assert_int_equal(err, KM_OK);
	net_tap(d->net, change_tap, &c);
	dkg_run(d, 1);
	*len = (size_t)km_shape_size(&c.shape);
	for (unsigned i = 1; i <= 3; i += 2) {
		const struct net_party *p = dkg_party(d, i);
		struct km_judge j = { .idkeys = d->keys, .roster = d->roster };
		struct km_verdict v;
		struct km_buf b;

		if (p->convicted & ~km_set_bit(CORRUPT))
			fail_msg("round %u, byte %zu: %u convicts %x", round, at, i, p->convicted);
		if (!p->convicted)
			continue;
		km_buf_init(&b);
		assert_int_equal(km_evidence_wrap(&b, p->evidence, p->evidence_len, d->roster, &d->setup.propose, d->setup.join,
						  d->setup.n), KM_OK);
		assert_int_equal(km_evidence_judge(b.data, b.len, &j, &v), KM_OK);
		assert_int_equal(v.culprit, CORRUPT);
		km_buf_clear(&b);
	}
	dkg_clear(d);
	free(d);
}

static void test_dkg(void **state)
{
	rules_all();
	for (unsigned round = KM_DKG_G1; round <= KM_DKG_G6; round++) {
		size_t len = 1;

		for (size_t at = 0; at < len; at += len / 40 + 1)
			dkg_changed(round, at, &len);
	}
}

KM_TESTS(cmocka_unit_test(test_evidence), cmocka_unit_test(test_evidence_without_rules), cmocka_unit_test(test_majority),
	 cmocka_unit_test(test_any), cmocka_unit_test(test_dkg))
