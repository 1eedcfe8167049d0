/* Tables and stored shares: canonical bytes, and everything a damaged or invented file can hold. */
#include "tests/lib/test.h"
#include "tests/lib/net.h"
#include "base/hash.h"
#include "base/secret.h"
#include "proto/table.h"

#include <stdlib.h>

static const struct km_curve *curve;

/* A share of a key shared by a dealer: what a DKG among set leaves at self. */
static void make_share(struct km_share *s, uint32_t set, unsigned threshold, uint8_t self)
{
	struct km_secret coef[KM_MAX_PEERS], y;
	const uint8_t seed[KM_SEED_SIZE] = { 7 };
	struct km_identity id;
	struct km_rng rng;

	memset(s, 0, sizeof(*s));
	km_rng_init(&rng, seed, "test_table", NULL, 0);
	for (unsigned l = 0; l < threshold; l++)
		km_secret_random(curve, &coef[l], &rng);
	struct km_table *t = &s->table;
	strcpy(t->name, "web-1.example");
	t->number = 0x0102030405060708;
	memset(t->sid, 0x5a, sizeof(t->sid));
	t->curve = curve;
	t->threshold = threshold;
	t->members = set;
	km_point_mul_g(curve, &t->x, &coef[0]);
	for (unsigned i = km_set_next(set, 0); i; i = km_set_next(set, i)) {
		net_identity(1, (uint8_t)i, &id);
		memcpy(t->idkeys[i], id.pub, sizeof(id.pub));
		km_shamir_eval(curve, &y, coef, threshold - 1, i);
		km_point_mul_g(curve, &t->xi[i], &y);
		if (i == self)
			s->x_i = y;
	}
	s->self = self;
	memset(s->stored, 0xab, sizeof(s->stored));
	s->stored_len = sizeof(s->stored);
	assert_int_equal(km_table_finish(t), KM_OK);
}

static void encode_table(const struct km_table *t, struct km_buf *b)
{
	km_buf_init(b);
	assert_int_equal(km_table_encode(t, b), KM_OK);
}

static int decode_table(struct km_table *t, const uint8_t *p, size_t n)
{
	struct km_reader r;

	km_reader_init(&r, p, n);
	int err = km_table_decode(t, &r);
	return err ? err : km_reader_end(&r);
}

static void test_table_round_trip(void **state)
{
	static const struct {
		uint32_t set;
		unsigned t;
	} cases[] = {{3, 2}, {0x1f, 3}, {0x80000001, 2}, {0xffffffff, 16}, {0xffffffff, 32}, {0x15, 3}};
	struct km_share s;
	struct km_table t;
	struct km_buf b, c;

	for (size_t k = 0; k < sizeof(cases) / sizeof(cases[0]); k++) {
		make_share(&s, cases[k].set, cases[k].t, (uint8_t)km_set_next(cases[k].set, 0));
		encode_table(&s.table, &b);
		assert_int_equal(decode_table(&t, b.data, b.len), KM_OK);
		assert_memory_equal(t.hash, s.table.hash, KM_HASH_SIZE);
		assert_memory_equal(t.key_id, s.table.key_id, KM_HASH_SIZE);
		assert_string_equal(t.name, s.table.name);
		encode_table(&t, &c);
		assert_int_equal(b.len, c.len);
		assert_memory_equal(b.data, c.data, b.len);
		km_buf_clear(&b);
		km_buf_clear(&c);
	}
}

/* The hash names every field: whatever changes in the bytes either does not decode or has another hash. */
static void test_table_bit_flips(void **state)
{
	struct km_share s;
	struct km_table t;
	struct km_buf b;
	size_t decoded = 0;

	make_share(&s, 0x7, 2, 1);
	encode_table(&s.table, &b);
	for (size_t bit = 0; bit < 8 * b.len; bit++) {
		b.data[bit / 8] ^= (uint8_t)(1 << (bit % 8));
		if (decode_table(&t, b.data, b.len) == KM_OK) {
			assert_memory_not_equal(t.hash, s.table.hash, KM_HASH_SIZE);
			decoded++;
		}
		b.data[bit / 8] ^= (uint8_t)(1 << (bit % 8));
	}
	/* at least number and sid are free to be anything, and most bits are not */
	assert_true(decoded >= 8 * 40 && decoded < 4 * b.len);
	km_buf_clear(&b);
}

static void test_table_lengths(void **state)
{
	uint8_t longer[KM_SHARE_ENC_MAX];
	struct km_share s;
	struct km_table t;
	struct km_buf b;

	make_share(&s, 0x1f, 3, 1);
	encode_table(&s.table, &b);
	for (size_t n = 0; n < b.len; n++)
		assert_int_not_equal(decode_table(&t, b.data, n), KM_OK);
	memcpy(longer, b.data, b.len);
	longer[b.len] = 0;
	assert_int_equal(decode_table(&t, longer, b.len + 1), KM_E_TRAILING);
	km_buf_clear(&b);
}

/* A NUL in the name would hide what stands behind it: two encodings of one table. */
static void test_table_name_with_nul(void **state)
{
	struct km_share s;
	struct km_table t;
	struct km_buf b;

	make_share(&s, 0x7, 2, 1);
	encode_table(&s.table, &b);
	assert_int_equal(b.data[1], strlen(s.table.name));
	for (size_t i = 0; i < strlen(s.table.name); i++) {
		uint8_t was = b.data[2 + i];

		b.data[2 + i] = 0;
		assert_int_not_equal(decode_table(&t, b.data, b.len), KM_OK);
		b.data[2 + i] = was;
	}
	assert_int_equal(decode_table(&t, b.data, b.len), KM_OK);
	km_buf_clear(&b);
}

static int decode_changed(struct km_share *s)
{
	struct km_table t;
	struct km_buf b;

	km_buf_init(&b);
	int err = km_table_encode(&s->table, &b);
	if (!err)
		err = decode_table(&t, b.data, b.len);
	km_buf_clear(&b);
	return err;
}

static void test_table_rejects(void **state)
{
	struct km_share s;
	struct km_secret k;
	struct km_scalar one;

	make_share(&s, 0xf, 2, 1);
	assert_int_equal(decode_changed(&s), KM_OK);
	/* a member's point off the polynomial, beyond the first T and within them */
	km_point_add(curve, &s.table.xi[4], &s.table.xi[4], &s.table.x);
	assert_int_equal(decode_changed(&s), KM_E_VERIFY);
	make_share(&s, 0xf, 2, 1);
	km_point_add(curve, &s.table.xi[1], &s.table.xi[1], &s.table.x);
	assert_int_equal(decode_changed(&s), KM_E_VERIFY);
	make_share(&s, 0xf, 2, 1);
	km_scalar_set_u32(&one, 1);
	km_secret_from_public(&k, &one);
	km_point_mul_g(curve, &s.table.x, &k);
	assert_int_equal(decode_changed(&s), KM_E_VERIFY);
	/* a smaller T than the points have */
	make_share(&s, 0xf, 3, 1);
	s.table.threshold = 2;
	assert_int_equal(decode_changed(&s), KM_E_VERIFY);
	/* identity points cannot be written */
	make_share(&s, 0xf, 2, 1);
	km_point_identity(curve, &s.table.xi[2]);
	assert_int_equal(decode_changed(&s), KM_E_IDENTITY);
	make_share(&s, 0xf, 2, 1);
	km_point_identity(curve, &s.table.x);
	assert_int_equal(km_table_finish(&s.table), KM_E_IDENTITY);
	/* T of 0, 1, over N */
	const unsigned bad_t[] = { 0, 1, 5 };
	for (size_t i = 0; i < 3; i++) {
		make_share(&s, 0xf, 2, 1);
		s.table.threshold = bad_t[i];
		assert_int_equal(decode_changed(&s), KM_E_RANGE);
	}
	/* one identity twice; an identity that is no key */
	make_share(&s, 0xf, 2, 1);
	memcpy(s.table.idkeys[2], s.table.idkeys[1], KM_IDKEY_SIZE);
	assert_int_equal(decode_changed(&s), KM_E_EXISTS);
	make_share(&s, 0xf, 2, 1);
	memset(s.table.idkeys[2], 0xff, KM_IDKEY_SIZE);
	assert_int_equal(decode_changed(&s), KM_E_ENCODING);
	/* names */
	static const char *const names[] = { "", "-x", "A", "a b", "a/b", "../x", "\xc3\xa4" };
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		make_share(&s, 0xf, 2, 1);
		memset(s.table.name, 0, sizeof(s.table.name));
		strcpy(s.table.name, names[i]);
		assert_int_equal(decode_changed(&s), KM_E_RANGE);
	}
}

static void test_key_id(void **state)
{
	struct km_share a, b;

	make_share(&a, 0xf, 2, 1);
	make_share(&b, 0x3f, 2, 2);
	/* same X, other epoch: the key id stays, the table hash does not */
	assert_memory_equal(a.table.key_id, b.table.key_id, KM_HASH_SIZE);
	assert_memory_not_equal(a.table.hash, b.table.hash, KM_HASH_SIZE);
	make_share(&b, 0xf, 3, 1);
	assert_memory_equal(a.table.key_id, b.table.key_id, KM_HASH_SIZE);
	km_point_add(curve, &b.table.x, &b.table.x, &b.table.x);
	uint8_t id[KM_HASH_SIZE];
	km_key_id(curve, &b.table.x, id);
	assert_memory_not_equal(a.table.key_id, id, KM_HASH_SIZE);
}

static void encode_share(const struct km_share *s, struct km_buf *b)
{
	km_buf_init(b);
	assert_int_equal(km_share_encode(s, b), KM_OK);
}

static void test_share_round_trip(void **state)
{
	struct km_share s, u;
	struct km_buf b;

	make_share(&s, 0x1f, 3, 4);
	s.usable = 1;
	encode_share(&s, &b);
	assert_int_equal(km_share_decode(&u, b.data, b.len), KM_OK);
	assert_int_equal(u.self, 4);
	assert_int_equal(u.usable, 1);
	assert_memory_equal(&u.x_i, &s.x_i, sizeof(u.x_i));
	assert_memory_equal(u.table.hash, s.table.hash, KM_HASH_SIZE);
	assert_int_equal(u.stored_len, s.stored_len);
	assert_memory_equal(u.stored, s.stored, s.stored_len);
	km_buf_clear(&b);
	s.stored_len = 0;
	s.usable = 0;
	encode_share(&s, &b);
	assert_int_equal(km_share_decode(&u, b.data, b.len), KM_OK);
	assert_int_equal(u.stored_len, 0);
	km_buf_clear(&b);
	/* the largest one keeps the bound that buffers are made by */
	make_share(&s, 0xffffffff, 32, 32);
	memset(s.table.name, 'n', KM_MAX_NAME);
	assert_int_equal(km_table_finish(&s.table), KM_OK);
	encode_share(&s, &b);
	assert_true(b.len <= KM_SHARE_ENC_MAX);
	assert_int_equal(km_share_decode(&u, b.data, b.len), KM_OK);
	km_buf_clear(&b);
}

static void assert_all_zero(const void *p, size_t n)
{
	const uint8_t *b = p;

	for (size_t i = 0; i < n; i++)
		assert_int_equal(b[i], 0);
}

static void test_share_truncated(void **state)
{
	struct km_share s, u;
	struct km_buf b;

	make_share(&s, 0x1f, 3, 4);
	encode_share(&s, &b);
	for (size_t n = 0; n < b.len; n++) {
		uint8_t *cut = malloc(n + !n);
		memcpy(cut, b.data, n);
		assert_int_not_equal(km_share_decode(&u, cut, n), KM_OK);
		assert_all_zero(&u, sizeof(u));
		free(cut);
	}
	km_put_u8(&b, 0);
	assert_int_equal(km_share_decode(&u, b.data, b.len), KM_E_TRAILING);
	km_buf_clear(&b);
}

/* A flipped bit is either refused, or changes what the table is; it never gives a share that does not fit its table. */
static void test_share_bit_flips(void **state)
{
	struct km_share s, u;
	struct km_point y;
	struct km_buf b;

	make_share(&s, 0x7, 2, 2);
	encode_share(&s, &b);
	size_t head = b.len - 4 - s.stored_len - km_curve_scalar_size(curve);
	for (size_t bit = 0; bit < 8 * b.len; bit++) {
		b.data[bit / 8] ^= (uint8_t)(1 << (bit % 8));
		int err = km_share_decode(&u, b.data, b.len);
		b.data[bit / 8] ^= (uint8_t)(1 << (bit % 8));
		if (err) {
			assert_all_zero(&u, sizeof(u));
			continue;
		}
		/* the secret itself has no free bit */
		assert_true(bit / 8 < head || bit / 8 >= head + km_curve_scalar_size(curve));
		km_point_mul_g(curve, &y, &u.x_i);
		assert_true(km_point_equal_var(curve, &y, &u.table.xi[u.self]));
	}
	km_buf_clear(&b);
}

/* x_i = 0, q - 1, q, all ones. */
static void test_share_scalars(void **state)
{
	uint8_t q1[KM_SCALAR_MAX], x[KM_SCALAR_MAX];
	struct km_scalar one, t;
	struct km_share s, u;
	struct km_buf b;
	size_t ss = km_curve_scalar_size(curve);

	km_scalar_set_u32(&one, 1);
	km_scalar_neg(curve, &t, &one);
	km_scalar_encode(curve, q1, &t);
	make_share(&s, 0x7, 2, 2);
	encode_share(&s, &b);
	uint8_t *at = b.data + b.len - 4 - s.stored_len - ss;
	memset(at, 0, ss);
	assert_int_equal(km_share_decode(&u, b.data, b.len), KM_E_MISMATCH);
	memcpy(at, q1, ss);
	assert_int_equal(km_share_decode(&u, b.data, b.len), KM_E_MISMATCH);
	memcpy(x, q1, ss);
	x[ss - 1]++;  /* q: the last byte of q - 1 is even */
	memcpy(at, x, ss);
	assert_int_equal(km_share_decode(&u, b.data, b.len), KM_E_ENCODING);
	memset(at, 0xff, ss);
	assert_int_equal(km_share_decode(&u, b.data, b.len), KM_E_ENCODING);
	km_buf_clear(&b);
	/* somebody else's place */
	s.self = 3;
	encode_share(&s, &b);
	assert_int_equal(km_share_decode(&u, b.data, b.len), KM_E_MISMATCH);
	km_buf_clear(&b);
	km_buf_init(&b);
	s.self = 9;
	assert_int_equal(km_share_encode(&s, &b), KM_E_INVAL);
	km_buf_clear(&b);
}

static void test_fixed_buffer(void **state)
{
	uint8_t mem[64];
	struct km_share s;
	struct km_buf b;

	make_share(&s, 0x7, 2, 2);
	km_buf_init_fixed(&b, mem, sizeof(mem));
	assert_int_equal(km_share_encode(&s, &b), KM_E_SPACE);
	km_share_wipe(&s);
	assert_all_zero(&s, sizeof(s));
}

static int setup(void **state)
{
	curve = km_curve_p256();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_table_round_trip), cmocka_unit_test(test_table_bit_flips),
	    cmocka_unit_test(test_table_lengths), cmocka_unit_test(test_table_name_with_nul),    cmocka_unit_test(test_table_rejects),
	    cmocka_unit_test(test_key_id),	     cmocka_unit_test(test_share_round_trip),
	    cmocka_unit_test(test_share_truncated),  cmocka_unit_test(test_share_bit_flips),
	    cmocka_unit_test(test_share_scalars),    cmocka_unit_test(test_fixed_buffer),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, setup, NULL);
}
