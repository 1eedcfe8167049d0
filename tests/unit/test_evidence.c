/* Evidence: every kind out of a real run proves what it says; and whatever is changed in it, nobody else is convicted. */
#include <stdlib.h>
#include "../lib/test.h"
#include "../lib/evid.h"
#include "proto/evidence_impl.h"
#include "proto/presign_impl.h"
#include "proto/ready.h"

static void check(const struct evid *e, const uint8_t *ev, size_t len, const char *what)
{
	struct km_verdict v;

	evid_judge(e, ev, len, &v);
	assert_non_null(v.why);
	if (v.culprit && v.culprit != EVID_CULPRIT)
		fail_msg("%s, %s: convicts %u (%s)", e->name, what, v.culprit, v.why);
}

static void test_proves(void **state)
{
	(void)state;
	for (unsigned k = 0; k < evid_count(); k++) {
		enum km_evidence_kind kind;
		uint8_t context[KM_HASH_SIZE];
		struct km_verdict v;
		struct evid e;

		evid_make(&e, k, 0);
		evid_judge(&e, e.ev, e.len, &v);
		if (v.culprit != EVID_CULPRIT)
			fail_msg("%s: %s", e.name, v.why);
		assert_int_equal(v.kind, e.kind);
		assert_int_equal(km_evidence_peek(e.ev, e.len, &kind, context), KM_OK);
		assert_int_equal(kind, e.kind);
		if (e.has_table)
			assert_memory_equal(context, e.table.hash, KM_HASH_SIZE);
		if (km_evidence_has_setup(kind) || kind == KM_EV_RECORD)
			assert_true(v.time_ms == 1700000000000 || v.time_ms == 1700000001000);
		evid_clear(&e);
	}
}

/* The same shown of somebody who did everything right. */
static void test_honest(void **state)
{
	unsigned shown = 0;

	(void)state;
	for (unsigned k = 0; k < evid_count(); k++) {
		struct km_verdict v;
		struct evid e;

		evid_make(&e, k, 1);
		if (e.ev) {
			evid_judge(&e, e.ev, e.len, &v);
			if (v.culprit)
				fail_msg("%s: convicts %u: %s", e.name, v.culprit, v.why);
			shown++;
		}
		evid_clear(&e);
	}
	assert_true(shown >= 17);
}

/* One bit of what is shown of honest work is another: of every byte of a record and what belongs to it, of sixty bytes of the rest. */
static void test_honest_flips(void **state)
{
	(void)state;
	for (unsigned k = 0; k < evid_count(); k++) {
		struct km_verdict v;
		struct evid e;

		evid_make(&e, k, 1);
		size_t step = e.kind == KM_EV_RECORD ? 1 : e.len / 60 + 1;
		for (size_t at = 0; e.ev && at < e.len; at += step) {
			e.ev[at] ^= (uint8_t)(1u << at % 8);
			evid_judge(&e, e.ev, e.len, &v);
			e.ev[at] ^= (uint8_t)(1u << at % 8);
			if (v.culprit)
				fail_msg("%s, byte %zu: convicts %u: %s", e.name, at, v.culprit, v.why);
		}
		evid_clear(&e);
	}
}

/* Twice the right share, with half the nonce: the two fit each other. The nonce of the request decides. */
static void test_nonce_that_fits(void **state)
{
	unsigned tried = 0;

	(void)state;
	for (unsigned k = 0; k < evid_count(); k++) {
		struct km_record_body rec;
		struct km_scalar half;
		struct km_identity id;
		struct km_buf record, b;
		struct km_verdict v;
		struct km_msg m;
		struct evid e;
		struct km_ev ev;

		evid_make(&e, k, 1);
		if (!e.ev || e.kind != KM_EV_RECORD) {
			evid_clear(&e);
			continue;
		}
		assert_int_equal(km_ev_read(&ev, e.ev, e.len), KM_OK);
		assert_int_equal(km_record_get(e.table.curve, &rec, &ev.item[0].msg), KM_OK);
		km_scalar_set_u32(&half, 2);
		km_scalar_mul(e.table.curve, &rec.s, &rec.s, &half);
		km_scalar_inv(e.table.curve, &half, &half);
		km_point_mul_var(e.table.curve, &rec.rr, &half, &rec.rr);
		net_identity(e.seed, EVID_CULPRIT, &id);
		km_buf_init(&record);
		assert_int_equal(km_record_build(&record, EVID_CULPRIT, ev.item[0].msg.recipient, e.table.curve, &rec, &id), KM_OK);
		assert_int_equal(km_msg_parse(&m, record.data, record.len), KM_OK);
		km_buf_init(&b);
		km_evidence_begin(&b, KM_EV_RECORD, ev.context, 4);
		km_evidence_whole(&b, &m);
		km_evidence_whole(&b, &ev.item[1].msg);
		km_evidence_bytes(&b, ev.item[2].p, ev.item[2].len);
		km_evidence_bytes(&b, ev.item[3].p, ev.item[3].len);
		assert_int_equal(b.err, 0);
		evid_judge(&e, b.data, b.len, &v);
		if (v.culprit != EVID_CULPRIT)
			fail_msg("%s: convicts %u: %s", e.name, v.culprit, v.why);
		tried++;
		km_buf_clear(&b);
		km_buf_clear(&record);
		km_ev_clear(&ev);
		evid_clear(&e);
	}
	assert_true(tried >= 1);
}

/* What is dear to judge says beforehand whom it is about. */
static void test_accused(void **state)
{
	unsigned dear = 0;

	(void)state;
	for (unsigned k = 0; k < evid_count(); k++) {
		unsigned accused;
		struct evid e;

		evid_make(&e, k, 0);
		assert_int_equal(km_evidence_accused(e.ev, e.len, &accused), KM_OK);
		if (e.kind == KM_EV_C3_PROOF || e.kind == KM_EV_OPENED) {
			assert_int_equal(accused, EVID_CULPRIT);
			dear++;
		}
		assert_int_equal(km_evidence_accused(e.ev, e.len - 1, &accused), KM_OK);
		assert_int_equal(accused, 0);
		evid_clear(&e);
	}
	assert_true(dear >= 4);
}

/* One bit of every byte (of the long ones, of four hundred bytes). */
static void test_flips(void **state)
{
	(void)state;
	for (unsigned k = 0; k < evid_count(); k++) {
		struct evid e;

		evid_make(&e, k, 0);
		size_t step = e.len / 400 + 1;
		for (size_t at = 0; at < e.len; at += step) {
			uint8_t was = e.ev[at];

			e.ev[at] ^= (uint8_t)(1u << at % 8);
			check(&e, e.ev, e.len, "a flipped bit");
			e.ev[at] = was;
		}
		evid_clear(&e);
	}
}

static void test_lengths(void **state)
{
	(void)state;
	for (unsigned k = 0; k < evid_count(); k++) {
		struct km_verdict v;
		struct evid e;

		evid_make(&e, k, 0);
		uint8_t *longer = malloc(e.len + 1);
		memcpy(longer, e.ev, e.len);
		longer[e.len] = 0;
		for (size_t n = 0; n <= e.len + 1; n += n < 300 || n > e.len - 300 ? 1 : e.len / 500 + 1) {
			uint8_t *copy = malloc(n ? n : 1);

			memcpy(copy, longer, n);
			evid_judge(&e, copy, n, &v);
			if (n != e.len)
				assert_int_equal(v.culprit, 0);
			free(copy);
		}
		free(longer);
		evid_clear(&e);
	}
}

/* Under another kind, about another key, and with items left out, doubled, exchanged. */
static void test_frames(void **state)
{
	(void)state;
	for (unsigned k = 0; k < evid_count(); k++) {
		size_t at[64];
		struct evid e;

		evid_make(&e, k, 0);
		uint8_t *w = malloc(2 * e.len);
		for (unsigned kind = 0; kind < 256; kind++) {
			struct km_verdict v;

			memcpy(w, e.ev, e.len);
			w[1] = (uint8_t)kind;
			evid_judge(&e, w, e.len, &v);
			assert_int_equal(v.culprit, kind == (unsigned)e.kind ? EVID_CULPRIT : 0);
		}
		memcpy(w, e.ev, e.len);
		w[2] ^= 1;
		check(&e, w, e.len, "another context");
		unsigned n = evid_items(e.ev, e.len, at, 64);
		assert_true(n >= 3);
		for (unsigned i = 1; i < n; i++) {
			size_t len = at[i + 1] - at[i];

			memcpy(w, e.ev, at[i]);
			memcpy(w + at[i], e.ev + at[i + 1], e.len - at[i + 1]);
			w[KM_EVIDENCE_HEAD - 1]--;
			check(&e, w, e.len - len, "an item less");
			memcpy(w, e.ev, at[i + 1]);
			memcpy(w + at[i + 1], e.ev + at[i], e.len - at[i]);
			w[KM_EVIDENCE_HEAD - 1] = (uint8_t)(e.ev[KM_EVIDENCE_HEAD - 1] + 1);
			check(&e, w, e.len + len, "an item twice");
			for (unsigned j = i + 1; j < n; j++) {
				size_t other = at[j + 1] - at[j], to = at[i];

				memcpy(w, e.ev, e.len);
				memcpy(w + to, e.ev + at[j], other);
				to += other;
				memcpy(w + to, e.ev + at[i + 1], at[j] - at[i + 1]);
				to += at[j] - at[i + 1];
				memcpy(w + to, e.ev + at[i], len);
				check(&e, w, e.len, "items exchanged");
			}
		}
		free(w);
		evid_clear(&e);
	}
}

/* Who has another roster or table, or none. */
static void test_knowledge(void **state)
{
	(void)state;
	for (unsigned k = 0; k < evid_count(); k++) {
		struct km_verdict v;
		struct km_judge j;
		struct evid e, other;

		evid_make(&e, k, 0);
		j = (struct km_judge){ .idkeys = e.idkeys, .table = e.has_table ? &e.table : NULL };
		assert_int_equal(km_evidence_judge(e.ev, e.len, &j, &v), KM_OK);
		assert_int_equal(v.culprit, EVID_CULPRIT);
		j.idkeys = NULL;
		assert_int_equal(km_evidence_judge(e.ev, e.len, &j, &v), KM_OK);
		assert_int_equal(v.culprit, e.has_table ? EVID_CULPRIT : 0);
		/* the culprit's id belongs to somebody else here */
		j.idkeys = e.idkeys;
		e.idkeys[EVID_CULPRIT][0] ^= 1;
		assert_int_equal(km_evidence_judge(e.ev, e.len, &j, &v), KM_OK);
		assert_int_equal(v.culprit, 0);
		e.idkeys[EVID_CULPRIT][0] ^= 1;
		/* a bystander's does */
		e.idkeys[2][0] ^= 1;
		assert_int_equal(km_evidence_judge(e.ev, e.len, &j, &v), KM_OK);
		assert_true(v.culprit == 0 || v.culprit == EVID_CULPRIT);
		e.idkeys[2][0] ^= 1;
		j.table = NULL;
		assert_int_equal(km_evidence_judge(e.ev, e.len, &j, &v), KM_OK);
		assert_true(v.culprit == 0 || !e.has_table || e.kind == KM_EV_EQUIVOCATION);
		evid_make(&other, (k + 1) % 10, 0);
		j.table = &other.table;
		assert_int_equal(km_evidence_judge(e.ev, e.len, &j, &v), KM_OK);
		assert_true(v.culprit == 0 || !e.has_table || e.kind == KM_EV_EQUIVOCATION || k == (k + 1) % 10);
		if (!e.has_table) {
			e.roster[0] ^= 1;
			j = (struct km_judge){ .idkeys = e.idkeys, .roster = e.roster };
			assert_int_equal(km_evidence_judge(e.ev, e.len, &j, &v), KM_OK);
			assert_int_equal(v.culprit, e.kind == KM_EV_EQUIVOCATION ? EVID_CULPRIT : 0);
		}
		evid_clear(&other);
		evid_clear(&e);
	}
}

/* The table of another key of the same peers decides nothing: with it the shares, proofs and tuples of the honest are wrong. */
static void test_other_key(void **state)
{
	unsigned tried = 0;

	(void)state;
	for (unsigned k = 0; k < evid_count(); k++) {
		for (int honest = 0; honest < 2; honest++) {
			struct km_verdict v;
			struct km_judge j;
			struct evid e;

			evid_make(&e, k, honest);
			if (e.ev && e.has_table && e.kind != KM_EV_EQUIVOCATION) {
				e.table.hash[0] ^= 1;
				j = (struct km_judge){ .idkeys = e.idkeys, .table = &e.table };
				assert_int_equal(km_evidence_judge(e.ev, e.len, &j, &v), KM_OK);
				if (v.culprit)
					fail_msg("%s, honest %d: convicts %u: %s", e.name, honest, v.culprit, v.why);
				tried += !honest + (honest && e.kind == KM_EV_RECORD);
			}
			evid_clear(&e);
		}
	}
	assert_true(tried >= 8);
}

static void test_files(void **state)
{
	(void)state;
	for (unsigned k = 0; k < evid_count(); k++) {
		struct km_evidence_file *f = malloc(sizeof(*f));
		struct km_buf b;
		struct evid e;

		evid_make(&e, k, 0);
		km_buf_init(&b);
		evid_file(&e, &b);
		assert_int_equal(km_evidence_file_get(f, b.data, b.len), KM_OK);
		assert_int_equal(f->len, e.len);
		assert_memory_equal(f->ev, e.ev, e.len);
		assert_int_equal(f->has_table, e.has_table);
		assert_int_equal(f->n_peers, 3);
		if (!e.has_table)
			assert_memory_equal(f->roster, e.roster, KM_HASH_SIZE);
		for (size_t n = 0; n < b.len; n += n > 64 && n < e.len ? 31 : 1)
			assert_int_not_equal(km_evidence_file_get(f, b.data, n), KM_OK);
		km_put_u8(&b, 0);
		assert_int_equal(km_evidence_file_get(f, b.data, b.len), KM_E_TRAILING);
		km_buf_clear(&b);
		evid_clear(&e);
		free(f);
	}
}

/* ---- honest messages put together wrongly: of two authors, of two recipients, of a kind that may be signed many times */

static struct {
	uint8_t *raw[4][4];     /* private M1 of an honest run, [sender][recipient] */
	size_t len[4][4];
} deals;

static enum net_verdict keep_deals(void *ctx, uint8_t from, uint8_t to, uint8_t **raw, size_t *len)
{
	(void)ctx;
	if ((*raw)[3] == KM_PRESIGN_M1 && (*raw)[5]) {
		free(deals.raw[from][to]);
		deals.raw[from][to] = malloc(*len);
		memcpy(deals.raw[from][to], *raw, *len);
		deals.len[from][to] = *len;
	}
	return NET_PASS;
}

static void begin(struct group *g, struct km_buf *b, enum km_evidence_kind kind, unsigned items)
{
	km_buf_init(b);
	km_evidence_begin(b, kind, g->d.table.hash, (km_evidence_has_setup(kind) ? 1 + g->setup.n : 0) + items);
	if (!km_evidence_has_setup(kind))
		return;
	km_evidence_whole(b, &g->setup.propose);
	for (unsigned i = 0; i < g->setup.n; i++)
		km_evidence_whole(b, &g->setup.join[i]);
}

static void is_void(struct group *g, struct km_buf *b, const char *what)
{
	struct km_verdict v;

	assert_int_equal(b->err, 0);
	group_judge(g, b->data, b->len, &v);
	if (v.culprit)
		fail_msg("%s convicts %u: %s", what, v.culprit, v.why);
	km_buf_clear(b);
}

static const struct km_msg *said(const struct group *g, unsigned round, unsigned who)
{
	return &g->m[1]->bcast[round][who].msg;
}

static void twice(struct group *g, const struct km_msg *one, const struct km_msg *other, const char *what)
{
	struct km_buf b;

	begin(g, &b, KM_EV_EQUIVOCATION, 2);
	km_evidence_header(&b, one);
	km_evidence_header(&b, other);
	is_void(g, &b, what);
}

/* Two contents that peer 3 signed for one place: whom they convict. */
static void one_place(struct group *g, unsigned proto, unsigned round, unsigned culprit)
{
	static const struct km_shape shape = { .head = 1 };
	const uint8_t sid[KM_HASH_SIZE] = { 5 };
	struct km_identity id;
	struct km_verdict v;
	struct km_buf raw[2], b;
	struct km_msg m[2];

	net_identity(70, 3, &id);
	for (unsigned i = 0; i < 2; i++) {
		const uint8_t body = (uint8_t)i;

		km_buf_init(&raw[i]);
		assert_int_equal(km_msg_build(&raw[i], (uint8_t)proto, (uint8_t)round, 3, 0, sid, &shape, &body, &id), KM_OK);
		assert_int_equal(km_msg_parse(&m[i], raw[i].data, raw[i].len), KM_OK);
	}
	begin(g, &b, KM_EV_EQUIVOCATION, 2);
	km_evidence_header(&b, &m[0]);
	km_evidence_header(&b, &m[1]);
	assert_int_equal(b.err, 0);
	group_judge(g, b.data, b.len, &v);
	if (v.culprit != culprit)
		fail_msg("protocol %u, round %u: convicts %u: %s", proto, round, v.culprit, v.why);
	km_buf_clear(&b);
	km_buf_clear(&raw[0]);
	km_buf_clear(&raw[1]);
}

static void rows_of(struct group *g, struct km_buf *b, unsigned round, unsigned who, uint32_t leaf)
{
	struct km_shape shape;

	assert_int_equal(km_presign_shape(g->m[1]->state, round, who, 0, &shape), KM_OK);
	km_evidence_rows(b, said(g, round, who), &shape, &leaf, 1);
}

static void test_composed(void **state)
{
	static const uint8_t once[] = { KM_PROTO_DKG,   KM_PROTO_RESHARE, KM_PROTO_MAJORITY,
					KM_PROTO_ANY,   KM_PROTO_READY,   KM_PROTO_RECORD };
	struct group *g = calloc(1, sizeof(*g));
	struct km_msg deal[4][4];
	struct km_proposal again;
	struct net_setup *other = calloc(1, sizeof(*other));
	struct km_buf b;

	(void)state;
	group_init(g, 70, 7, 2, 7, 3, 7 & 6);
	net_tap(g->net, keep_deals, NULL);
	net_run(g->net, 0);
	for (unsigned i = 1; i <= 3; i++)
		for (unsigned j = 1; j <= 3; j++)
			if (i != j)
				assert_int_equal(km_msg_parse(&deal[i][j], deals.raw[i][j], deals.len[i][j]), KM_OK);

	twice(g, &deal[3][1], &deal[3][2], "what two recipients got");
	twice(g, said(g, KM_PRESIGN_M1, 3), &deal[3][1], "a broadcast and a private message");
	twice(g, said(g, KM_PRESIGN_M2, 2), said(g, KM_PRESIGN_M2, 3), "two authors");
	twice(g, said(g, KM_PRESIGN_M2, 3), said(g, KM_PRESIGN_M3, 3), "two rounds");
	/* a second proposal and its joins, by the same peers */
	again = (struct km_proposal){ .purpose = KM_PURPOSE_PRESIGN, .engine = 1, .participants = 7, .batch = 1 };
	net_setup_make(other, 70, &again, g->rows);
	twice(g, &g->setup.propose, &other->propose, "two proposals");
	for (unsigned i = 0; i < 3; i++)
		twice(g, &g->setup.join[i], &other->join[i], "two joins");

	/* kinds of message that any number may be signed of, even where somebody wrote them down under one sid */
	one_place(g, KM_PROTO_SETUP, KM_SETUP_PROPOSE, 0);
	one_place(g, KM_PROTO_SETUP, KM_SETUP_JOIN, 0);
	one_place(g, KM_PROTO_DISPUTE, 1, 0);
	for (size_t k = 0; k < sizeof(once) / sizeof(once[0]); k++)
		one_place(g, once[k], 2, 3);

	/* quorum {2, 3}: the V of another member, the list of another dealer, the commitment of another */
	begin(g, &b, KM_EV_EPSILON, 2);
	rows_of(g, &b, KM_PRESIGN_C4, 3, 1);
	rows_of(g, &b, KM_PRESIGN_C3, 2, 1);
	is_void(g, &b, "another member's V");
	begin(g, &b, KM_EV_EPSILON, 2);
	rows_of(g, &b, KM_PRESIGN_C4, 3, 1);
	rows_of(g, &b, KM_PRESIGN_C3, 3, 2);
	is_void(g, &b, "another index's V");
	for (unsigned to = 1; to <= 2; to++) {
		begin(g, &b, KM_EV_LIST_ROOT, 2);
		km_evidence_header(&b, &deal[3][to]);
		km_evidence_whole(&b, said(g, KM_PRESIGN_M1, 3 - to));
		is_void(g, &b, "another dealer's list");
		begin(g, &b, KM_EV_LIST_ROOT, 2);
		km_evidence_header(&b, &deal[3][to]);
		km_evidence_whole(&b, said(g, KM_PRESIGN_M1, 3));
		is_void(g, &b, "what was listed");
	}
	begin(g, &b, KM_EV_OPENING, 2);
	km_evidence_whole(&b, said(g, KM_PRESIGN_M2, 2));
	km_evidence_whole(&b, said(g, KM_PRESIGN_M3, 3));
	is_void(g, &b, "another's commitment");
	/* who is in no quorum proves nothing */
	begin(g, &b, KM_EV_C3_PROOF, 1);
	km_evidence_whole(&b, said(g, KM_PRESIGN_C3, 1));
	is_void(g, &b, "no proof");
	for (unsigned i = 1; i <= 3; i++)
		for (unsigned j = 1; j <= 3; j++)
			free(deals.raw[i][j]);
	memset(&deals, 0, sizeof(deals));
	group_clear(g);
	free(other);
	free(g);
}

static void test_names(void **state)
{
	(void)state;
	assert_string_equal(km_evidence_name(KM_EV_OPENED), "E8");
	assert_string_equal(km_evidence_name(KM_EV_COMPLAINT), "E7b");
	assert_string_equal(km_evidence_name((enum km_evidence_kind)0), "?");
	assert_string_equal(km_evidence_name((enum km_evidence_kind)99), "?");
}

KM_TESTS(cmocka_unit_test(test_proves), cmocka_unit_test(test_honest), cmocka_unit_test(test_honest_flips),
	 cmocka_unit_test(test_nonce_that_fits), cmocka_unit_test(test_accused), cmocka_unit_test(test_flips), cmocka_unit_test(test_lengths),
	 cmocka_unit_test(test_frames), cmocka_unit_test(test_knowledge), cmocka_unit_test(test_other_key), cmocka_unit_test(test_files),
	 cmocka_unit_test(test_composed), cmocka_unit_test(test_names))
