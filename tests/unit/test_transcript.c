/* Archives of key generations and reshares, verified by who was not there: what is whole holds, and no message, byte, table or run may be
 * another. */
#include "tests/lib/test.h"
#include "tests/lib/reshare_help.h"
#include "proto/transcript.h"

static const struct km_curve *curve;

struct record {
	struct km_buf b;            /* with set-up and STORED */
	size_t setup, archive;      /* bytes of PROPOSE and JOINs, and up to the end of round 5 */
	struct km_table table, old;
	int has_old;
};

static void put_setup(struct km_buf *b, const struct net_setup *s)
{
	km_put_lbytes(b, s->propose.raw, KM_MSG_HEAD + (size_t)s->propose.body_len);
	for (unsigned i = 0; i < s->n; i++)
		km_put_lbytes(b, s->join[i].raw, KM_MSG_HEAD + (size_t)s->join[i].body_len);
}

static void record_dkg(struct record *r, uint32_t set, unsigned threshold)
{
	struct km_share s;
	struct dkg d;

	memset(r, 0, sizeof(*r));
	km_buf_init(&r->b);
	dkg_init(&d, 50, set, threshold);
	dkg_run(&d, 0);
	put_setup(&r->b, &d.setup);
	r->setup = r->b.len;
	assert_int_equal(km_dkg_archive(d.m[km_set_next(set, 0)], &r->b), KM_OK);
	r->archive = r->b.len;
	for (unsigned i = km_set_next(set, 0); i; i = km_set_next(set, i)) {
		assert_int_equal(km_dkg_take(d.m[i], &s), KM_OK);
		km_put_lbytes(&r->b, s.stored, s.stored_len);
	}
	r->table = s.table;
	dkg_clear(&d);
}

static uint64_t run_number = 1;   /* another: the same people, another sid */

static void record_reshare(struct record *r, uint32_t dealers, uint32_t joiners, uint32_t members, unsigned threshold)
{
	static struct rsh_key key, next;
	struct rsh run;

	memset(r, 0, sizeof(*r));
	km_buf_init(&r->b);
	rsh_key_make(&key, 51, curve, 0x1f, 3);
	rsh_init(&run, &key, run_number, dealers, joiners, members, threshold);
	dkg_run(&run.d, 0);
	put_setup(&r->b, &run.d.setup);
	r->setup = r->b.len;
	assert_int_equal(km_dkg_archive(run.d.m[km_set_next(dealers, 0)], &r->b), KM_OK);
	r->archive = r->b.len;
	assert_int_equal(rsh_key_next(&next, &run), KM_OK);
	for (unsigned i = km_set_next(joiners, 0); i; i = km_set_next(joiners, i))
		km_put_lbytes(&r->b, next.cert.stored[i - 1], KM_STORED_MAX);
	r->table = next.table;
	r->old = key.table;
	r->has_old = 1;
	rsh_clear(&run);
}

static int holds(const struct record *r, const uint8_t *p, size_t n, struct km_transcript_verdict *v)
{
	assert_int_equal(km_transcript_verify(p, n, &r->table, r->has_old ? &r->old : NULL, v), KM_OK);
	assert_non_null(v->why);
	return v->holds;
}

static void test_whole(void **state)
{
	struct km_transcript_verdict v;
	struct record r;

	record_dkg(&r, 0x16, 2);
	assert_true(holds(&r, r.b.data, r.b.len, &v));
	assert_int_equal(v.proto, KM_PROTO_DKG);
	assert_true(v.set_up && v.participants == 0x16 && v.dealers == 0x16 && v.receivers == 0x16 && v.stored == 0x16);
	assert_true(v.time_ms == 1700000000000);
	assert_true(holds(&r, r.b.data, r.archive, &v));
	assert_int_equal(v.stored, 0);
	/* without the set-up the table's word is taken for the run */
	assert_true(holds(&r, r.b.data + r.setup, r.archive - r.setup, &v));
	assert_true(!v.set_up && v.participants == 0x16);
	km_buf_clear(&r.b);

	record_reshare(&r, 0x07, 0x3e, 0x7e, 3);
	assert_true(holds(&r, r.b.data, r.b.len, &v));
	assert_int_equal(v.proto, KM_PROTO_RESHARE);
	assert_true(v.set_up && v.participants == 0x3f && v.dealers == 0x07 && v.receivers == 0x3e && v.stored == 0x3e);
	/* who deals stands in the proposal alone */
	assert_false(holds(&r, r.b.data + r.setup, r.archive - r.setup, &v));
	assert_int_equal(km_transcript_verify(r.b.data, r.b.len, &r.table, NULL, &v), KM_OK);
	assert_false(v.holds);
	km_buf_clear(&r.b);
}

/* No byte may be another, and no message may be missing, be there twice or come from elsewhere. */
static void spoil(const struct record *r, size_t step)
{
	uint8_t *p = malloc(2 * r->b.len);
	struct km_transcript_verdict v;
	struct km_reader rd;
	size_t at = 0;

	memcpy(p, r->b.data, r->b.len);
	for (size_t i = 0; i < r->b.len; i += step) {
		p[i] ^= 1;
		assert_false(holds(r, p, r->b.len, &v));
		p[i] ^= 1;
	}
	km_reader_init(&rd, r->b.data, r->b.len);
	while (km_reader_left(&rd)) {
		size_t n, whole;

		assert_non_null(km_get_lref(&rd, &n, KM_TRANSCRIPT_MAX));
		whole = n + 4;
		/* left out; the STOREDs need not be there */
		memcpy(p, r->b.data, at);
		memcpy(p + at, r->b.data + at + whole, r->b.len - at - whole);
		assert_int_equal(holds(r, p, r->b.len - whole, &v), at >= r->archive);
		/* twice */
		memcpy(p, r->b.data, r->b.len);
		memcpy(p + r->b.len, r->b.data + at, whole);
		assert_false(holds(r, p, r->b.len + whole, &v));
		/* cut off behind it */
		at += whole;
		if (at < r->archive)
			assert_false(holds(r, r->b.data, at, &v));
		assert_false(holds(r, r->b.data, at - 1, &v));
	}
	free(p);
}

static void test_spoilt(void **state)
{
	struct record r;

	record_dkg(&r, 0x07, 2);
	spoil(&r, 37);
	km_buf_clear(&r.b);
	record_reshare(&r, 0x07, 0x1f, 0x1f, 3);
	spoil(&r, 173);
	km_buf_clear(&r.b);
}

/* Another table than the one that was made: every field of it. */
static void test_other_table(void **state)
{
	struct km_transcript_verdict v;
	struct record r, s;

	for (unsigned what = 0; what < 9; what++) {
		record_reshare(&r, 0x07, 0x1f, 0x1f, 3);
		assert_true(holds(&r, r.b.data, r.b.len, &v));
		switch (what) {
		case 0: r.table.number++; break;
		case 1: r.table.sid[0] ^= 1; break;
		case 2: r.table.name[0] = 'x'; break;
		case 3: r.table.threshold = 2; break;
		case 4: r.table.members &= ~1u; break;
		case 5: memcpy(r.table.idkeys[4], r.table.idkeys[3], KM_IDKEY_SIZE); break;
		case 6: r.table.xi[4] = r.table.xi[3]; break;
		case 7: r.table.x = r.table.xi[1]; break;
		case 8: r.old.xi[2] = r.old.xi[1]; break;
		}
		int err = km_table_finish(&r.table);
		assert_true(err == KM_OK || what == 5);
		assert_int_equal(km_table_finish(&r.old), KM_OK);
		/* not even without the STOREDs, which name the table's hash */
		assert_false(holds(&r, r.b.data, r.archive, &v));
		km_buf_clear(&r.b);
	}
	record_dkg(&r, 0x07, 2);
	record_dkg(&s, 0x0f, 2);
	r.table = s.table;
	assert_false(holds(&r, r.b.data, r.b.len, &v));
	km_buf_clear(&r.b);
	km_buf_clear(&s.b);
}

/* The set-up of another run of the same people does not stand for this one's. */
static void test_other_run(void **state)
{
	struct km_transcript_verdict v;
	struct record r, other;
	struct km_buf b;

	record_reshare(&r, 0x07, 0x1f, 0x1f, 3);
	run_number = 2;
	record_reshare(&other, 0x07, 0x1f, 0x1f, 3);
	run_number = 1;
	for (unsigned k = 0; k < 2; k++) {
		const struct record *set_up = k ? &r : &other;

		km_buf_init(&b);
		km_put_bytes(&b, set_up->b.data, set_up->setup);
		km_put_bytes(&b, r.b.data + r.setup, r.archive - r.setup);
		assert_int_equal(holds(&r, b.data, b.len, &v), k);
		km_buf_clear(&b);
	}
	km_buf_clear(&r.b);
	km_buf_clear(&other.b);
}

/* What a run without result left behind shows no key, even with a table made to it. */
static void garble(struct km_machine *m, struct km_dkg_state *st, unsigned job)
{
	if (job == KM_DKG_JOB_SHARES)
		st->g4[KM_HASH_SIZE] ^= 1;
}

static void test_complaint_in_it(void **state)
{
	struct km_transcript_verdict v;
	struct record r;
	struct dkg d;

	record_dkg(&r, 0x07, 2);
	km_buf_clear(&r.b);
	dkg_init(&d, 50, 0x07, 2);
	dkg_corrupt(&d, 2, garble, NULL);
	dkg_run(&d, 0);
	put_setup(&r.b, &d.setup);
	assert_int_equal(km_dkg_archive(d.m[1], &r.b), KM_OK);
	assert_false(holds(&r, r.b.data, r.b.len, &v));
	assert_int_equal(v.peer, 1);
	assert_int_equal(v.round, KM_DKG_G5);
	km_buf_clear(&r.b);
	dkg_clear(&d);
}

/* The last message of a member, rightly signed, names another view of the run than all others do. */
static void test_other_view(void **state)
{
	struct km_shape shape = { .head = KM_HASH_SIZE + 1 };
	struct km_transcript_verdict v;
	struct km_identity id;
	struct km_reader rd;
	struct record r;
	unsigned seen = 0;

	record_dkg(&r, 0x07, 2);
	net_identity(50, 2, &id);
	km_reader_init(&rd, r.b.data, r.archive);
	while (km_reader_left(&rd)) {
		size_t n, len;
		uint8_t *raw = (uint8_t *)(uintptr_t)km_get_lref(&rd, &n, KM_TRANSCRIPT_MAX), *again;

		if (raw[2] != KM_PROTO_DKG || raw[3] != KM_DKG_G5 || raw[4] != 2)
			continue;
		for (unsigned k = 0; k < 2; k++) {
			/* as it was, then with another view */
			raw[KM_MSG_HEAD] ^= k;
			again = net_resign(&id, raw, n, &shape, &len);
			assert_int_equal(len, n);
			memcpy(raw, again, n);
			free(again);
			assert_int_equal(holds(&r, r.b.data, r.archive, &v), !k);
		}
		assert_int_equal(v.peer, 2);
		assert_int_equal(v.round, KM_DKG_G5);
		seen++;
	}
	assert_int_equal(seen, 1);
	km_buf_clear(&r.b);
}

static void test_file(void **state)
{
	static struct km_transcript_file f;
	struct km_transcript_verdict v;
	struct record r;
	struct km_buf b;

	for (unsigned reshare = 0; reshare < 2; reshare++) {
		if (reshare)
			record_reshare(&r, 0x07, 0x1f, 0x1f, 3);
		else
			record_dkg(&r, 0x07, 2);
		km_buf_init(&b);
		assert_int_equal(km_transcript_file_put(&b, r.b.data, r.b.len, &r.table, reshare ? &r.old : NULL), KM_OK);
		assert_int_equal(km_transcript_file_get(&f, b.data, b.len), KM_OK);
		assert_int_equal(f.has_old, reshare);
		assert_int_equal(km_transcript_verify(f.archive, f.len, &f.table, f.has_old ? &f.old : NULL, &v), KM_OK);
		assert_true(v.holds);
		for (size_t n = 0; n < b.len; n += 61)
			assert_int_not_equal(km_transcript_file_get(&f, b.data, n), KM_OK);
		b.data[3] ^= 1;
		assert_int_equal(km_transcript_file_get(&f, b.data, b.len), KM_E_ENCODING);
		km_buf_clear(&b);
		km_buf_clear(&r.b);
	}
}

static int setup(void **state)
{
	curve = km_curve_p256();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_whole), cmocka_unit_test(test_spoilt), cmocka_unit_test(test_other_table),
	    cmocka_unit_test(test_complaint_in_it), cmocka_unit_test(test_other_view), cmocka_unit_test(test_other_run), cmocka_unit_test(test_file),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, setup, NULL);
}
