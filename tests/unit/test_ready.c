/* READY and RECORD: what goes in comes out, and nothing else is taken for one. */
#include "tests/lib/test.h"

#include <string.h>
#include "base/hash.h"
#include "base/sig.h"
#include "ec/point.h"
#include "proto/ready.h"

static struct km_identity id;

static void setup(void)
{
	for (unsigned i = 0; i < 32; i++)
		id.priv[i] = (uint8_t)(i + 1);
	km_ed25519_public(id.priv, id.pub);
}

static void test_held(void **state)
{
	uint8_t held[KM_READY_HELD] = {0};

	(void)state;
	km_ready_set(held, 0);
	km_ready_set(held, 7);
	km_ready_set(held, 8);
	km_ready_set(held, KM_MAX_BATCH - 1);
	assert_true(km_ready_has(held, 7) && km_ready_has(held, 255) && !km_ready_has(held, 1) && !km_ready_has(held, 256));
	assert_int_equal(km_ready_count(held, 0), 0);
	assert_int_equal(km_ready_count(held, 7), 1);
	assert_int_equal(km_ready_count(held, 8), 2);
	assert_int_equal(km_ready_count(held, KM_MAX_BATCH), 4);
}

static void test_ready(void **state)
{
	static const uint8_t leaf[2][KM_HASH_SIZE] = {{4}, {5}};
	struct km_ready r = {{1}, {3}, leaf[0]}, back;
	uint8_t sid[KM_HASH_SIZE] = {9}, raw[KM_READY_LEN(2)];
	struct km_buf b;
	struct km_msg m;

	(void)state;
	setup();
	km_buf_init_fixed(&b, raw, sizeof(raw));
	assert_int_equal(km_ready_build(&b, 4, sid, &r, &id), KM_OK);
	assert_int_equal(b.len, KM_READY_LEN(2));
	assert_int_equal(km_msg_parse(&m, raw, sizeof(raw)), KM_OK);
	assert_int_equal(km_msg_verify_sig(&m, id.pub), KM_OK);
	assert_int_equal(km_ready_get(&back, &m), KM_OK);
	assert_memory_equal(back.table, r.table, sizeof(r.table));
	assert_memory_equal(back.held, r.held, sizeof(r.held));
	assert_memory_equal(back.leaf, leaf, sizeof(leaf));
	assert_memory_equal(km_ready_leaf(&back, 1), leaf[1], KM_HASH_SIZE);
	assert_null(km_ready_leaf(&back, 2));
	assert_memory_equal(m.sid, sid, sizeof(sid));
	assert_int_equal(m.sender, 4);
	/* another body under the same header, another protocol, round, or one recipient */
	raw[KM_MSG_HEAD] ^= 1;
	assert_int_equal(km_ready_get(&back, &m), KM_E_ENCODING);
	raw[KM_MSG_HEAD] ^= 1;
	for (unsigned at = 2; at <= 5; at++) {
		if (at == 4)
			continue;
		raw[at] ^= 1;
		assert_int_equal(km_msg_parse(&m, raw, sizeof(raw)), KM_OK);
		assert_int_equal(km_ready_get(&back, &m), KM_E_ENCODING);
		raw[at] ^= 1;
	}
	/* a hash more or less than indices */
	for (unsigned n = 1; n <= 3; n += 2) {
		struct km_shape shape = {.head = (uint32_t)(KM_READY_LEN(n) - KM_MSG_HEAD)};
		uint8_t body[KM_READY_LEN(3)] = {1}, long_raw[KM_READY_LEN(3)];

		body[KM_HASH_SIZE] = 3;
		km_buf_init_fixed(&b, long_raw, sizeof(long_raw));
		assert_int_equal(km_msg_build(&b, KM_PROTO_READY, 1, 4, 0, sid, &shape, body, &id), KM_OK);
		assert_int_equal(km_msg_parse(&m, long_raw, b.len), KM_OK);
		assert_int_equal(km_ready_get(&back, &m), KM_E_ENCODING);
	}
}

static void mul_g(const struct km_curve *c, struct km_point *p, const struct km_scalar *k)
{
	struct km_point g;

	km_point_generator(c, &g);
	km_point_mul_var(c, p, k, &g);
}

/* A presignature of quorum {2, 5}, made up. */
static void presig(struct km_presig *ps, uint8_t *enc)
{
	const struct km_curve *c = km_curve_by_id(KM_CURVE_P256);
	size_t size = km_curve_point_size(c);
	struct km_scalar k;
	struct km_point p;

	memset(ps, 0, sizeof(*ps));
	ps->index = 0x0102;
	ps->quorum = km_set_bit(2) | km_set_bit(5);
	ps->curve = c;
	ps->n = 2;
	ps->member_enc = enc;
	km_scalar_set_u32(&k, 11);
	mul_g(c, &ps->r, &k);
	km_scalar_set_u32(&ps->w, 12);
	km_scalar_set_u32(&ps->epsilon, 13);
	for (unsigned i = 0; i < 4; i++) {
		km_scalar_set_u32(&k, 20 + i);
		mul_g(c, &p, &k);
		assert_int_equal(km_point_encode_var(c, enc + i * size, &p), KM_OK);
	}
}

static void test_row(void **state)
{
	uint8_t enc[4 * KM_POINT_MAX], row[KM_READY_ROW_MAX], other[KM_READY_ROW_MAX], again[KM_POINT_MAX];
	struct km_presig ps;
	struct km_ready_row out;

	(void)state;
	presig(&ps, enc);
	size_t n = km_ready_row_size(ps.curve), point = km_curve_point_size(ps.curve);
	assert_int_equal(n, 2 + 4 + 3 * 33 + 2 * 32);
	km_ready_row_put(&ps, 5, row);
	assert_int_equal(km_ready_row_get(ps.curve, &out, row, n), KM_OK);
	assert_int_equal(out.index, 0x0102);
	assert_int_equal(out.quorum, ps.quorum);
	assert_true(km_point_equal_var(ps.curve, &out.r, &ps.r));
	assert_memory_equal(&out.w, &ps.w, sizeof(ps.w));
	assert_memory_equal(&out.epsilon, &ps.epsilon, sizeof(ps.epsilon));
	assert_int_equal(km_point_encode_var(ps.curve, again, &out.a), KM_OK);
	assert_memory_equal(again, enc + 2 * point, point);
	assert_int_equal(km_point_encode_var(ps.curve, again, &out.c), KM_OK);
	assert_memory_equal(again, enc + 3 * point, point);
	/* each member has a row of its own */
	km_ready_row_put(&ps, 2, other);
	assert_memory_not_equal(row, other, n);
	/* lengths, and what is no point or number */
	assert_int_equal(km_ready_row_get(ps.curve, &out, row, n - 1), KM_E_ENCODING);
	assert_int_equal(km_ready_row_get(ps.curve, &out, row, n + 1), KM_E_ENCODING);
	for (size_t at = 6; at < n;) {
		uint8_t keep[33];
		int number = at == 6 + point || at == 6 + point + 32;
		size_t len = number ? 32 : point;

		memcpy(keep, row + at, len);
		memset(row + at, 0xff, len);
		assert_int_equal(km_ready_row_get(ps.curve, &out, row, n), KM_E_ENCODING);
		memcpy(row + at, keep, len);
		at += len;
	}
	assert_int_equal(km_ready_row_get(ps.curve, &out, row, n), KM_OK);
}

static void test_record(void **state)
{
	const struct km_curve *c = km_curve_by_id(KM_CURVE_P256);
	struct km_record_body r = {.presig_id = {1}, .request_id = {2}, .context = 1}, back;
	struct km_scalar k;
	struct km_msg m;
	struct km_buf b;

	(void)state;
	setup();
	km_scalar_set_u32(&r.m, 5);
	km_scalar_set_u32(&r.s, 6);
	km_scalar_set_u32(&k, 7);
	mul_g(c, &r.rr, &k);
	km_buf_init(&b);
	assert_int_equal(km_record_build(&b, 3, 1, c, &r, &id), KM_OK);
	assert_int_equal(km_msg_parse(&m, b.data, b.len), KM_OK);
	assert_int_equal(km_msg_verify_sig(&m, id.pub), KM_OK);
	assert_int_equal(km_record_get(c, &back, &m), KM_OK);
	assert_memory_equal(back.presig_id, r.presig_id, KM_HASH_SIZE);
	assert_memory_equal(back.request_id, r.request_id, KM_HASH_SIZE);
	assert_int_equal(back.context, 1);
	assert_memory_equal(&back.m, &r.m, sizeof(r.m));
	assert_memory_equal(&back.s, &r.s, sizeof(r.s));
	assert_true(km_point_equal_var(c, &back.rr, &r.rr));
	/* another presignature in the sid field than in the body */
	m.sid[0] ^= 1;
	assert_int_equal(km_record_get(c, &back, &m), KM_E_MISMATCH);
	m.sid[0] ^= 1;
	b.data[b.len - 1] ^= 1;
	assert_int_equal(km_record_get(c, &back, &m), KM_E_MISMATCH);
	km_buf_clear(&b);
}

KM_TESTS(cmocka_unit_test(test_held), cmocka_unit_test(test_ready), cmocka_unit_test(test_row), cmocka_unit_test(test_record))
