/* Frames between nodes: round trips, every truncation, one byte too many, fields out of bounds, statuses. */
#include "tests/lib/test.h"
#include "tests/lib/hex.h"

#include <stdlib.h>
#include "base/rng.h"
#include "node/wire.h"

static struct km_rng rng;

static int setup(void **state)
{
	static const uint8_t seed[KM_SEED_SIZE] = { 9 };

	(void)state;
	km_rng_init(&rng, seed, "test-wire", NULL, 0);
	return 0;
}

/* ---- samples of every frame, and a decoder that encodes again what it read */

static const uint8_t text[] = "bytes to be signed";

static struct km_req sample_req(void)
{
	struct km_req r = { .version = KM_REQ_VERSION, .frontend = 1024, .context = 2, .time_ms = 0x0102030405060708, .data = text, .len = sizeof(text) };

	km_rng_bytes(&rng, r.key_id, sizeof(r.key_id));
	km_rng_bytes(&rng, r.random, sizeof(r.random));
	return r;
}

static void put_hello(struct km_buf *b)
{
	struct km_hello h = { .version = 1, .id = 32, .n = 5, .time_ms = 77 };

	km_rng_bytes(&rng, h.incarnation, sizeof(h.incarnation));
	km_rng_bytes(&rng, h.roster, sizeof(h.roster));
	km_hello_encode(b, &h);
}

static int again_hello(const uint8_t *p, size_t n, struct km_buf *b)
{
	struct km_hello h;
	int err = km_hello_decode(&h, p, n);

	if (!err)
		km_hello_encode(b, &h);
	return err;
}

static void put_health(struct km_buf *b)
{
	struct km_health h = { .time_ms = 1, .echo_us = 2, .delay_us = 3, .sent_us = 4, .n_tables = KM_HEALTH_MAX_TABLES };

	for (unsigned i = 0; i < KM_HEALTH_MAX_TABLES; i++) {
		km_rng_bytes(&rng, h.table[i], KM_HASH_SIZE);
		h.ready[i] = i;
	}
	km_health_encode(b, &h);
}

static int again_health(const uint8_t *p, size_t n, struct km_buf *b)
{
	struct km_health h;
	int err = km_health_decode(&h, p, n);

	if (!err)
		km_health_encode(b, &h);
	return err;
}

static void put_ping(struct km_buf *b)
{
	km_ping_encode(b, 0xfedcba9876543210);
}

static int again_ping(const uint8_t *p, size_t n, struct km_buf *b)
{
	uint64_t v;
	int err = km_ping_decode(&v, p, n);

	if (!err)
		km_ping_encode(b, v);
	return err;
}

static void put_pong(struct km_buf *b)
{
	struct km_pong_key k[2] = { { .name = "www", .ready = 3 }, { .name = "a.long-name_9", .ready = 0 } };
	struct km_pong p = { .echo_us = 5, .time_ms = 6, .live = 0x80000001, .n_keys = 2, .keys = k };

	km_rng_bytes(&rng, k[0].key_id, KM_HASH_SIZE);
	km_rng_bytes(&rng, k[1].table, KM_HASH_SIZE);
	km_pong_encode(b, &p);
}

static int again_pong(const uint8_t *p, size_t n, struct km_buf *b)
{
	struct km_pong v;
	int err = km_pong_decode(&v, p, n);

	if (!err)
		km_pong_encode(b, &v);
	else
		assert_null(v.keys);
	km_pong_clear(&v);
	return err;
}

static void put_req(struct km_buf *b)
{
	struct km_req r = sample_req();
	struct km_req_macs macs = { .peers = 0x80000005 };

	km_rng_bytes(&rng, macs.mac[1], KM_MAC_SIZE);
	km_rng_bytes(&rng, macs.mac[3], KM_MAC_SIZE);
	km_rng_bytes(&rng, macs.mac[32], KM_MAC_SIZE);
	km_req_encode(b, &r, &macs);
}

static int again_req(const uint8_t *p, size_t n, struct km_buf *b)
{
	struct km_req r;
	struct km_req_macs macs;
	int err = km_req_decode(&r, &macs, p, n);

	if (!err)
		km_req_encode(b, &r, &macs);
	return err;
}

static void put_sign(struct km_buf *b)
{
	struct km_sign s = { .req = sample_req() };

	km_rng_bytes(&rng, s.presig_id, sizeof(s.presig_id));
	km_rng_bytes(&rng, s.incarnation, sizeof(s.incarnation));
	km_rng_bytes(&rng, s.mac, sizeof(s.mac));
	km_sign_encode(b, &s);
}

static int again_sign(const uint8_t *p, size_t n, struct km_buf *b)
{
	struct km_sign s;
	int err = km_sign_decode(&s, p, n);

	if (!err)
		km_sign_encode(b, &s);
	return err;
}

static void put_share(struct km_buf *b)
{
	struct km_share_msg s = { .status = KM_STATUS_OK, .n = 66 };

	km_rng_bytes(&rng, s.presig_id, sizeof(s.presig_id));
	km_rng_bytes(&rng, s.s, s.n);
	km_share_msg_encode(b, &s);
}

static int again_share(const uint8_t *p, size_t n, struct km_buf *b)
{
	struct km_share_msg s;
	int err = km_share_msg_decode(&s, p, n);

	if (!err)
		km_share_msg_encode(b, &s);
	return err;
}

static void put_reply(struct km_buf *b)
{
	struct km_reply r = { .status = KM_STATUS_OK, .n = 32, .quorum = 7, .time_ms = 99 };

	km_rng_bytes(&rng, r.r, 32);
	km_rng_bytes(&rng, r.s, 32);
	km_reply_encode(b, &r);
}

static int again_reply(const uint8_t *p, size_t n, struct km_buf *b)
{
	struct km_reply r;
	int err = km_reply_decode(&r, p, n);

	if (!err)
		km_reply_encode(b, &r);
	return err;
}

static void put_badsig(struct km_buf *b)
{
	struct km_badsig s = { .n = 48 };

	km_rng_bytes(&rng, s.r, 48);
	km_badsig_encode(b, &s);
}

static int again_badsig(const uint8_t *p, size_t n, struct km_buf *b)
{
	struct km_badsig s;
	int err = km_badsig_decode(&s, p, n);

	if (!err)
		km_badsig_encode(b, &s);
	return err;
}

static void put_table_ask(struct km_buf *b)
{
	uint8_t h[KM_HASH_SIZE];

	km_rng_bytes(&rng, h, sizeof(h));
	km_table_ask_encode(b, h);
}

static int again_table_ask(const uint8_t *p, size_t n, struct km_buf *b)
{
	uint8_t h[KM_HASH_SIZE];
	int err = km_table_ask_decode(h, p, n);

	if (!err)
		km_table_ask_encode(b, h);
	return err;
}

static const struct codec {
	void (*put)(struct km_buf *b);
	int (*again)(const uint8_t *p, size_t n, struct km_buf *b);
	size_t size;
} codecs[] = {
	{ put_hello, again_hello, 1 + 2 + 1 + 1 + 16 + 32 + 8 },
	{ put_health, again_health, 1 + 16 + 32 + 4 * 8 + 1 + KM_HEALTH_MAX_TABLES * 36 },
	{ put_ping, again_ping, 9 },
	{ put_pong, again_pong, 1 + 8 + 32 + 8 + 4 + 2 + 2 * (64 + 1 + 4) + 3 + 13 },
	{ put_req, again_req, 1 + 65 + sizeof(text) + 4 + 3 * 32 },
	{ put_sign, again_sign, 1 + 32 + 16 + 65 + sizeof(text) + 32 + 1 },
	{ put_share, again_share, 1 + 64 + 2 + 66 },
	{ put_reply, again_reply, 1 + 32 + 2 + 64 + 4 + 32 + 8 },
	{ put_badsig, again_badsig, 1 + 32 + 1 + 96 },
	{ put_table_ask, again_table_ask, 33 },
};
#define N_CODECS (sizeof(codecs) / sizeof(codecs[0]))

/* a block of its own for every length, so that a sanitizer sees one byte too far */
static int again(const struct codec *c, const uint8_t *p, size_t n, struct km_buf *out)
{
	uint8_t *copy = malloc(n ? n : 1);
	int err;

	assert_non_null(copy);
	memcpy(copy, p, n);
	err = c->again(copy, n, out);
	free(copy);
	return err;
}

static void test_round_trips(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_CODECS; i++) {
		struct km_buf b, two;

		km_buf_init(&b);
		km_buf_init(&two);
		codecs[i].put(&b);
		assert_int_equal(b.err, 0);
		assert_int_equal(b.len, codecs[i].size);
		assert_int_equal(again(&codecs[i], b.data, b.len, &two), KM_OK);
		assert_int_equal(two.len, b.len);
		assert_memory_equal(two.data, b.data, b.len);
		km_buf_clear(&b);
		km_buf_clear(&two);
	}
}

static void test_every_length(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_CODECS; i++) {
		struct km_buf b, two;

		km_buf_init(&b);
		km_buf_init(&two);
		codecs[i].put(&b);
		for (size_t n = 0; n < b.len; n++)
			assert_int_not_equal(again(&codecs[i], b.data, n, &two), KM_OK);
		km_put_u8(&b, 0);
		assert_int_equal(again(&codecs[i], b.data, b.len, &two), KM_E_TRAILING);
		km_buf_clear(&b);
		km_buf_clear(&two);
	}
}

/* Whatever decodes, decodes to something that encodes to the same bytes: one encoding per value. */
static void test_every_byte_changed(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_CODECS; i++) {
		struct km_buf b, two;

		km_buf_init(&b);
		km_buf_init(&two);
		codecs[i].put(&b);
		for (size_t at = 0; at < b.len; at++)
			for (unsigned bit = 0; bit < 8; bit++) {
				b.data[at] ^= (uint8_t)(1u << bit);
				km_buf_reset(&two);
				if (!again(&codecs[i], b.data, b.len, &two)) {
					assert_int_not_equal(at, 0);
					assert_int_equal(two.len, b.len);
					assert_memory_equal(two.data, b.data, b.len);
				}
				b.data[at] ^= (uint8_t)(1u << bit);
			}
		km_buf_clear(&b);
		km_buf_clear(&two);
	}
}

static void test_kinds(void **state)
{
	struct km_buf b, two;

	(void)state;
	for (size_t i = 0; i < N_CODECS; i++)
		for (size_t j = 0; j < N_CODECS; j++) {
			km_buf_init(&b);
			km_buf_init(&two);
			codecs[i].put(&b);
			assert_int_equal(again(&codecs[j], b.data, b.len, &two) == KM_OK, i == j);
			km_buf_clear(&b);
			km_buf_clear(&two);
		}
}

static void test_hello_bounds(void **state)
{
	static const struct {
		uint8_t id, n;
		int err;
	} rows[] = { { 0, 5, KM_E_RANGE }, { 33, 5, KM_E_RANGE }, { 1, 0, KM_E_RANGE }, { 1, 33, KM_E_RANGE }, { 1, 32, KM_OK } };

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct km_hello h = { .version = 1, .id = rows[i].id, .n = rows[i].n }, out;
		struct km_buf b;

		km_buf_init(&b);
		km_hello_encode(&b, &h);
		assert_int_equal(km_hello_decode(&out, b.data, b.len), rows[i].err);
		km_buf_clear(&b);
	}
}

static void test_health_count(void **state)
{
	uint8_t frame[1 + 16 + 32 + 32 + 1 + (KM_HEALTH_MAX_TABLES + 1) * 36] = { KM_FRAME_HEALTH };
	struct km_health h;

	(void)state;
	frame[81] = KM_HEALTH_MAX_TABLES + 1;
	assert_int_equal(km_health_decode(&h, frame, sizeof(frame)), KM_E_LIMIT);
	assert_int_equal(h.n_tables, 0);
	frame[81] = KM_HEALTH_MAX_TABLES;
	assert_int_equal(km_health_decode(&h, frame, sizeof(frame) - 36), KM_OK);
}

static void test_pong_counts_and_names(void **state)
{
	uint8_t frame[1 + 8 + 32 + 8 + 4 + 2 + 69 + 63] = { KM_FRAME_PONG };
	struct km_pong p;

	(void)state;
	/* 257 keys claimed: refused before any memory is asked for */
	frame[53] = 1;
	frame[54] = 1;
	assert_int_equal(km_pong_decode(&p, frame, sizeof(frame)), KM_E_LIMIT);
	/* 256 claimed, room for one */
	frame[54] = 0;
	assert_int_equal(km_pong_decode(&p, frame, sizeof(frame)), KM_E_TRUNCATED);
	frame[53] = 0;
	frame[54] = 1;
	frame[55 + 64] = 63;
	memset(frame + 55 + 65, 'x', 63);
	assert_int_equal(km_pong_decode(&p, frame, sizeof(frame)), KM_OK);
	assert_int_equal(strlen(p.keys[0].name), 63);
	km_pong_clear(&p);
	frame[55 + 65 + 5] = '\n';
	assert_int_equal(km_pong_decode(&p, frame, sizeof(frame)), KM_E_ENCODING);
	frame[55 + 65 + 5] = 0;
	assert_int_equal(km_pong_decode(&p, frame, sizeof(frame)), KM_E_ENCODING);
}

static int req_error(struct km_req *r)
{
	struct km_req_macs macs = { 0 }, got;
	struct km_req out;
	struct km_buf b;
	int err;

	km_buf_init(&b);
	km_req_encode(&b, r, &macs);
	assert_int_equal(b.err, 0);
	err = km_req_decode(&out, &got, b.data, b.len);
	if (err)
		assert_null(out.data);
	km_buf_clear(&b);
	return err;
}

static void test_req_bounds(void **state)
{
	static const uint8_t big[KM_MAX_REQUEST_BYTES + 1];
	struct km_req r = sample_req();

	(void)state;
	assert_int_equal(req_error(&r), KM_OK);
	r.frontend = 0;
	assert_int_equal(req_error(&r), KM_E_RANGE);
	r.frontend = KM_MAX_FRONTENDS + 1;
	assert_int_equal(req_error(&r), KM_E_RANGE);
	r.frontend = 1;
	r.version = KM_REQ_VERSION + 1;
	assert_int_equal(req_error(&r), KM_E_VERSION);
	r.version = KM_REQ_VERSION;
	r.len = 0;
	assert_int_equal(req_error(&r), KM_E_RANGE);
	r.data = big;
	r.len = KM_MAX_REQUEST_BYTES;
	assert_int_equal(req_error(&r), KM_OK);
	r.len++;
	assert_int_equal(req_error(&r), KM_E_LIMIT);
}

static void test_scalars_and_statuses(void **state)
{
	static const uint8_t sizes[] = { 0, 1, 31, 32, 33, 47, 48, 49, 65, 66 };

	(void)state;
	for (size_t i = 0; i < sizeof(sizes); i++)
		for (unsigned status = 0; status < 3; status++) {
			struct km_share_msg s = { .status = (uint8_t)status, .n = sizes[i] }, out;
			struct km_reply r = { .status = (uint8_t)status, .n = sizes[i] }, rout;
			int good = status ? sizes[i] == 0 : sizes[i] == 32 || sizes[i] == 48 || sizes[i] == 66;
			struct km_buf b;

			km_buf_init(&b);
			km_share_msg_encode(&b, &s);
			assert_int_equal(km_share_msg_decode(&out, b.data, b.len), good ? KM_OK : KM_E_ENCODING);
			km_buf_reset(&b);
			km_reply_encode(&b, &r);
			assert_int_equal(km_reply_decode(&rout, b.data, b.len), good ? KM_OK : KM_E_ENCODING);
			km_buf_clear(&b);
		}
	assert_int_equal(km_status_to_err(KM_STATUS_OK), KM_OK);
	assert_int_equal(km_status_to_err(KM_STATUS_RATE), KM_E_RATE);
	for (unsigned status = 1; status <= KM_STATUS_AGAIN; status++)
		assert_true(km_status_to_err(status) < 0 && km_status_to_err(status) != KM_E_ENCODING);
	assert_int_equal(km_status_to_err(KM_STATUS_AGAIN + 1), KM_E_ENCODING);
	assert_int_equal(km_status_to_err(255), KM_E_ENCODING);
}

static void test_reserved_byte(void **state)
{
	struct km_sign s = { .req = sample_req(), .macs_of_retry = 1 }, out;
	struct km_buf b;

	(void)state;
	km_buf_init(&b);
	km_sign_encode(&b, &s);
	assert_int_equal(km_sign_decode(&out, b.data, b.len), KM_E_ENCODING);
	km_buf_clear(&b);
}

#define T(f) cmocka_unit_test_setup(f, setup)
KM_TESTS(T(test_round_trips), T(test_every_length), T(test_every_byte_changed), T(test_kinds), T(test_hello_bounds), T(test_health_count),
	 T(test_pong_counts_and_names), T(test_req_bounds), T(test_scalars_and_statuses), T(test_reserved_byte))
