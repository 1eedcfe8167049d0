/* test_rpc.c: the local protocol: every message there and back, every cut, every field out of its bounds. */
#include "config.h"
#include <stdlib.h>
#include "base/context.h"
#include "rpc/rpc.h"
#include "tests/lib/test.h"

#define MAX_CLIENT KM_RPC_MAX_TO_CLIENT

static void fill(uint8_t *p, size_t n, uint8_t first)
{
	for (size_t i = 0; i < n; i++)
		p[i] = (uint8_t)(first + i);
}

static struct km_rpc_frame one_frame(const struct km_buf *b)
{
	struct km_rpc_frame f;
	size_t used;

	assert_int_equal(km_rpc_frame_next(b->data, b->len, MAX_CLIENT, &used, &f), 1);
	assert_int_equal(used, b->len);
	return f;
}

/* Every decoder by type, so that the tests below can run over all messages. */
static int decode_any(const struct km_rpc_frame *f)
{
	union {
		struct km_rpc_key key;
		struct km_rpc_sign sign;
		struct km_rpc_keygen keygen;
		struct km_rpc_clear clear;
		struct km_rpc_retire retire;
		struct km_rpc_reshare reshare;
		struct km_rpc_key_info info;
		struct km_rpc_signature sig;
		struct km_rpc_text text;
	} m;

	switch (f->type) {
	case KM_RPC_KEY:
		return km_rpc_decode_key(f, &m.key);
	case KM_RPC_SIGN:
		return km_rpc_decode_sign(f, &m.sign);
	case KM_RPC_STATUS:
		return km_rpc_decode_status(f);
	case KM_RPC_KEYGEN:
		return km_rpc_decode_keygen(f, &m.keygen);
	case KM_RPC_CLEAR:
		return km_rpc_decode_clear(f, &m.clear);
	case KM_RPC_RETIRE:
		return km_rpc_decode_retire(f, &m.retire);
	case KM_RPC_RESHARE:
		return km_rpc_decode_reshare(f, &m.reshare);
	case KM_RPC_KEY_INFO:
		return km_rpc_decode_key_info(f, &m.info);
	case KM_RPC_SIGNATURE:
		return km_rpc_decode_signature(f, &m.sig);
	default:
		return km_rpc_decode_text(f, &m.text);
	}
}

static struct km_rpc_key sample_key(uint8_t by)
{
	struct km_rpc_key m = {.by = by};

	if (by == KM_RPC_BY_NAME) {
		strcpy(m.name, "www.example-1");
	} else if (by == KM_RPC_BY_POINT) {
		m.point_len = 65;
		fill(m.point, 65, 4);
	} else {
		fill(m.id, 32, 100);
	}
	return m;
}

static struct km_rpc_sign sample_sign(void)
{
	static const uint8_t data[] = "to be signed";
	struct km_rpc_sign m = {.context = KM_CTX_TLS13_SERVER, .deadline_ms = 2000, .data = data, .len = sizeof(data)};

	fill(m.key_id, 32, 1);
	fill(m.random, 16, 50);
	return m;
}

static struct km_rpc_key_info sample_info(unsigned curve)
{
	struct km_rpc_key_info m = {.name = "web", .curve = (uint8_t)curve, .threshold = 3, .peers = 5};

	m.point_len = 1 + 2 * km_rpc_scalar_size(curve);
	fill(m.point, m.point_len, 4);
	fill(m.key_id, 32, 7);
	fill(m.table, 32, 90);
	return m;
}

static struct km_rpc_signature sample_signature(size_t size)
{
	struct km_rpc_signature m = {.size = size, .quorum = 0x15, .aggregator = 3, .time = 0x0123456789abcdefu};

	fill(m.r, size, 1);
	fill(m.s, size, 2);
	fill(m.presig, 32, 3);
	return m;
}

static void encode_sample(struct km_buf *b, unsigned which)
{
	struct km_rpc_key key;
	struct km_rpc_sign sign = sample_sign();
	struct km_rpc_keygen gen = {.name = "web", .threshold = 3, .curve = 1};
	struct km_rpc_clear clear = {.peer = 3};
	struct km_rpc_retire retire = {.name = "web", .force = 1};
	struct km_rpc_reshare reshare = {.name = "web", .kind = KM_RPC_RESHARE_KEY, .threshold = 3, .members = 0x1f};
	struct km_rpc_key_info info = sample_info(1);
	struct km_rpc_signature sig = sample_signature(32);
	int err = -1;

	switch (which) {
	case 0:
		key = sample_key(KM_RPC_BY_NAME);
		err = km_rpc_encode_key(b, 1, &key);
		break;
	case 1:
		key = sample_key(KM_RPC_BY_POINT);
		err = km_rpc_encode_key(b, 2, &key);
		break;
	case 2:
		key = sample_key(KM_RPC_BY_ID);
		err = km_rpc_encode_key(b, 3, &key);
		break;
	case 3:
		err = km_rpc_encode_sign(b, 4, &sign);
		break;
	case 4:
		err = km_rpc_encode_status(b, 5);
		break;
	case 5:
		err = km_rpc_encode_keygen(b, 6, &gen);
		break;
	case 6:
		err = km_rpc_encode_key_info(b, 7, &info);
		break;
	case 7:
		err = km_rpc_encode_signature(b, 8, &sig);
		break;
	case 8:
		err = km_rpc_encode_json(b, 9, "{\n\t\"a\": 1\r\n}", 12);
		break;
	case 9:
		err = km_rpc_encode_progress(b, 10, "round 2 of 5");
		break;
	case 10:
		err = km_rpc_encode_done(b, 11, "made");
		break;
	case 11:
		err = km_rpc_encode_error(b, 0xffffffffu, KM_E_NOQUORUM, NULL);
		break;
	case 12:
		err = km_rpc_encode_clear(b, 12, &clear);
		break;
	case 13:
		err = km_rpc_encode_retire(b, 13, &retire);
		break;
	case 14:
		err = km_rpc_encode_reshare(b, 14, &reshare);
		break;
	}
	assert_int_equal(err, KM_OK);
}

#define SAMPLES 15

static void test_round_trip_requests(void **state)
{
	struct km_buf b;
	struct km_rpc_frame f;
	struct km_rpc_key key, key2;
	struct km_rpc_sign sign = sample_sign(), sign2;
	struct km_rpc_keygen gen = {.name = "a", .threshold = 32, .curve = 3}, gen2;

	for (uint8_t by = KM_RPC_BY_NAME; by <= KM_RPC_BY_ID; by++) {
		km_buf_init(&b);
		key = sample_key(by);
		assert_int_equal(km_rpc_encode_key(&b, 77, &key), KM_OK);
		f = one_frame(&b);
		assert_int_equal(f.seq, 77);
		assert_int_equal(km_rpc_decode_key(&f, &key2), KM_OK);
		assert_memory_equal(&key, &key2, sizeof(key));
		km_buf_clear(&b);
	}
	km_buf_init(&b);
	assert_int_equal(km_rpc_encode_sign(&b, 5, &sign), KM_OK);
	f = one_frame(&b);
	assert_int_equal(km_rpc_decode_sign(&f, &sign2), KM_OK);
	assert_memory_equal(sign.key_id, sign2.key_id, 32);
	assert_memory_equal(sign.random, sign2.random, 16);
	assert_int_equal(sign2.context, sign.context);
	assert_int_equal(sign2.deadline_ms, 2000);
	assert_int_equal(sign2.len, sign.len);
	assert_memory_equal(sign2.data, sign.data, sign.len);
	km_buf_clear(&b);
	km_buf_init(&b);
	assert_int_equal(km_rpc_encode_keygen(&b, 5, &gen), KM_OK);
	f = one_frame(&b);
	assert_int_equal(km_rpc_decode_keygen(&f, &gen2), KM_OK);
	assert_memory_equal(&gen, &gen2, sizeof(gen));
	km_buf_clear(&b);
	struct km_rpc_retire retire = {.name = "a"}, retire2;
	for (retire.force = 0; retire.force < 3; retire.force++) {
		km_buf_init(&b);
		assert_int_equal(km_rpc_encode_retire(&b, 5, &retire), retire.force < 2 ? KM_OK : KM_E_INVAL);
		if (retire.force < 2) {
			f = one_frame(&b);
			assert_int_equal(km_rpc_decode_retire(&f, &retire2), KM_OK);
			assert_memory_equal(&retire, &retire2, sizeof(retire));
		}
		km_buf_clear(&b);
	}
	static const struct {
		struct km_rpc_reshare m;
		int ok;
	} reshares[] = {
		{{.name = "a", .kind = KM_RPC_REFRESH_SHARES}, 1},
		{{.name = "a", .kind = KM_RPC_REFRESH_SHARES, .members = 3}, 0},
		{{.name = "a", .kind = KM_RPC_REFRESH_SHARES, .threshold = 2}, 0},
		{{.name = "a", .kind = KM_RPC_REFRESH_SHARES, .peer = 1}, 0},
		{{.name = "a", .kind = KM_RPC_RESHARE_KEY}, 1},
		{{.name = "a", .kind = KM_RPC_RESHARE_KEY, .threshold = 2, .members = 0x80000001}, 1},
		{{.name = "a", .kind = KM_RPC_RESHARE_KEY, .threshold = 1}, 0},
		{{.name = "a", .kind = KM_RPC_RESHARE_KEY, .threshold = KM_MAX_PEERS + 1}, 0},
		{{.name = "a", .kind = KM_RPC_RESHARE_KEY, .peer = 1}, 0},
		{{.name = "a", .kind = KM_RPC_RECOVER_PEER, .peer = KM_MAX_PEERS}, 1},
		{{.name = "a", .kind = KM_RPC_RECOVER_PEER}, 0},
		{{.name = "a", .kind = KM_RPC_RECOVER_PEER, .peer = KM_MAX_PEERS + 1}, 0},
		{{.name = "a", .kind = 0}, 0},
		{{.name = "a", .kind = 4}, 0},
	};
	for (size_t i = 0; i < sizeof(reshares) / sizeof(reshares[0]); i++) {
		struct km_rpc_reshare reshare2;

		km_buf_init(&b);
		assert_int_equal(km_rpc_encode_reshare(&b, 5, &reshares[i].m), reshares[i].ok ? KM_OK : KM_E_INVAL);
		assert_int_equal(b.len != 0, reshares[i].ok);
		if (reshares[i].ok) {
			f = one_frame(&b);
			assert_int_equal(km_rpc_decode_reshare(&f, &reshare2), KM_OK);
			assert_memory_equal(&reshares[i].m, &reshare2, sizeof(reshare2));
			/* what no encoder writes: a peer to recover in a refresh, none in a recovery */
			b.data[b.len - 1] = reshares[i].m.kind == KM_RPC_RECOVER_PEER ? 0 : 1;
			f = one_frame(&b);
			assert_int_equal(km_rpc_decode_reshare(&f, &reshare2), KM_E_RANGE);
		}
		km_buf_clear(&b);
	}
	struct km_rpc_clear clear = {.peer = KM_MAX_PEERS}, clear2;
	km_buf_init(&b);
	assert_int_equal(km_rpc_encode_clear(&b, 5, &clear), KM_OK);
	f = one_frame(&b);
	assert_int_equal(km_rpc_decode_clear(&f, &clear2), KM_OK);
	assert_int_equal(clear2.peer, KM_MAX_PEERS);
	km_buf_clear(&b);
	for (unsigned bad = 0; bad < 2; bad++) {
		clear.peer = bad ? KM_MAX_PEERS + 1 : 0;
		km_buf_init(&b);
		assert_int_equal(km_rpc_encode_clear(&b, 5, &clear), KM_E_INVAL);
		km_buf_clear(&b);
	}
}

static void test_round_trip_answers(void **state)
{
	struct km_buf b;
	struct km_rpc_frame f;

	for (unsigned curve = 1; curve <= 3; curve++) {
		struct km_rpc_key_info info = sample_info(curve), info2;
		struct km_rpc_signature sig = sample_signature(km_rpc_scalar_size(curve)), sig2;

		km_buf_init(&b);
		assert_int_equal(km_rpc_encode_key_info(&b, 1, &info), KM_OK);
		f = one_frame(&b);
		assert_int_equal(km_rpc_decode_key_info(&f, &info2), KM_OK);
		assert_memory_equal(&info, &info2, sizeof(info));
		km_buf_clear(&b);
		km_buf_init(&b);
		assert_int_equal(km_rpc_encode_signature(&b, 1, &sig), KM_OK);
		f = one_frame(&b);
		assert_int_equal(km_rpc_decode_signature(&f, &sig2), KM_OK);
		assert_memory_equal(sig.r, sig2.r, KM_SCALAR_MAX);
		assert_memory_equal(sig.s, sig2.s, KM_SCALAR_MAX);
		assert_memory_equal(sig.presig, sig2.presig, 32);
		assert_int_equal(sig2.size, sig.size);
		assert_int_equal(sig2.quorum, 0x15);
		assert_int_equal(sig2.aggregator, 3);
		assert_true(sig2.time == sig.time);
		km_buf_clear(&b);
	}
}

static void test_texts(void **state)
{
	struct km_rpc_frame f;
	struct km_rpc_text t;
	struct km_buf b;
	char *big = malloc(3000);

	km_buf_init(&b);
	assert_int_equal(km_rpc_encode_error(&b, 1, KM_E_DEADLINE, "line\none\x1b[2J"), KM_OK);
	f = one_frame(&b);
	assert_int_equal(km_rpc_decode_text(&f, &t), KM_OK);
	assert_int_equal(t.err, KM_E_DEADLINE);
	assert_int_equal(t.len, 12);
	assert_memory_equal(t.text, "line?one?[2J", 12);
	km_buf_reset(&b);
	memset(big, 'x', 2999);
	big[2999] = 0;
	assert_int_equal(km_rpc_encode_done(&b, 1, big), KM_OK);
	f = one_frame(&b);
	assert_int_equal(km_rpc_decode_text(&f, &t), KM_OK);
	assert_int_equal(t.len, KM_RPC_MAX_TEXT);
	assert_int_equal(t.err, 0);
	km_buf_reset(&b);
	assert_int_equal(km_rpc_encode_error(&b, 1, KM_OK, "no error"), KM_E_INVAL);
	assert_int_equal(km_rpc_encode_error(&b, 1, 5, "no error"), KM_E_INVAL);
	assert_int_equal(km_rpc_encode_json(&b, 1, "a\0b", 3), KM_E_INVAL);
	assert_int_equal(b.len, 0);
	/* a control character on the wire is refused, an escape sequence must not reach a terminal */
	assert_int_equal(km_rpc_encode_done(&b, 1, "abc"), KM_OK);
	b.data[b.len - 1] = 0x1b;
	f = one_frame(&b);
	assert_int_equal(km_rpc_decode_text(&f, &t), KM_E_ENCODING);
	assert_null(t.text);
	km_buf_clear(&b);
	free(big);
}

static void test_error_code_on_the_wire(void **state)
{
	static const uint32_t bad[] = {0, 1, 0x7fffffffu, 0x80000000u};
	struct km_rpc_frame f;
	struct km_rpc_text t;
	struct km_buf b;

	km_buf_init(&b);
	assert_int_equal(km_rpc_encode_error(&b, 1, -2147483647, "x"), KM_OK);
	f = one_frame(&b);
	assert_int_equal(km_rpc_decode_text(&f, &t), KM_OK);
	assert_int_equal(t.err, -2147483647);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		for (unsigned k = 0; k < 4; k++)
			b.data[KM_RPC_HEAD_SIZE + k] = (uint8_t)(bad[i] >> (24 - 8 * k));
		f = one_frame(&b);
		assert_int_equal(km_rpc_decode_text(&f, &t), KM_E_RANGE);
	}
	km_buf_clear(&b);
}

/* Every message: cut anywhere the decoder says truncated, one byte more it says trailing. */
static void test_cut_and_trailing(void **state)
{
	uint8_t copy[512];

	for (unsigned i = 0; i < SAMPLES; i++) {
		struct km_rpc_frame f;
		struct km_buf b;

		km_buf_init(&b);
		encode_sample(&b, i);
		f = one_frame(&b);
		assert_int_equal(decode_any(&f), KM_OK);
		assert_true(f.len < sizeof(copy));
		memcpy(copy, f.body, f.len);
		copy[f.len] = 0;
		f.body = copy;
		f.len++;
		assert_int_equal(decode_any(&f), KM_E_TRAILING);
		f.len--;
		while (f.len > 0) {
			f.len--;
			assert_int_equal(decode_any(&f), KM_E_TRUNCATED);
		}
		km_buf_clear(&b);
	}
}

static void test_wrong_type(void **state)
{
	struct km_rpc_frame f = {.type = 200};
	struct km_rpc_key key;
	struct km_rpc_sign sign;

	assert_int_equal(decode_any(&f), KM_E_INVAL);
	assert_int_equal(km_rpc_decode_key(&f, &key), KM_E_INVAL);
	f.type = KM_RPC_KEY;
	assert_int_equal(km_rpc_decode_sign(&f, &sign), KM_E_INVAL);
	assert_int_equal(km_rpc_decode_status(&f), KM_E_INVAL);
}

static void test_splitter_byte_by_byte(void **state)
{
	struct km_rpc_frame f;
	struct km_buf b;
	size_t used, at = 0, end[SAMPLES];

	km_buf_init(&b);
	for (unsigned i = 0; i < SAMPLES; i++) {
		encode_sample(&b, i);
		end[i] = b.len;
	}
	for (unsigned i = 0; i < SAMPLES; i++) {
		/* an exact copy, so that reading one byte beyond is seen by ASan */
		for (size_t n = 0; n <= end[i] - at; n++) {
			uint8_t *part = malloc(n ? n : 1);
			int ret;

			memcpy(part, b.data + at, n);
			ret = km_rpc_frame_next(part, n, MAX_CLIENT, &used, &f);
			assert_int_equal(ret, n == end[i] - at);
			if (!ret)
				assert_true(used > n);
			else
				assert_int_equal(used, n);
			free(part);
		}
		/* and with all that follows behind it */
		assert_int_equal(km_rpc_frame_next(b.data + at, b.len - at, MAX_CLIENT, &used, &f), 1);
		assert_int_equal(used, end[i] - at);
		assert_int_equal(decode_any(&f), KM_OK);
		at += used;
	}
	km_buf_clear(&b);
}

static void test_splitter_refuses(void **state)
{
	struct km_rpc_frame f;
	size_t used;
	const uint8_t too_long[] = {0x00, 0x01, 0x10, 0x01}, longest[] = {0x00, 0x01, 0x10, 0x00};
	const uint8_t too_short[] = {0, 0, 0, 5}, version[] = {0, 0, 0, 6, 2}, smallest[] = {0, 0, 0, 6, 1, 3, 0, 0, 0, 9};

	assert_int_equal(km_rpc_frame_next(too_long, 4, KM_RPC_MAX_TO_DAEMON, &used, &f), KM_E_LIMIT);
	assert_int_equal(km_rpc_frame_next(longest, 4, KM_RPC_MAX_TO_DAEMON, &used, &f), 0);
	assert_int_equal(used, 4 + KM_RPC_MAX_TO_DAEMON);
	assert_int_equal(km_rpc_frame_next(too_short, 4, KM_RPC_MAX_TO_DAEMON, &used, &f), KM_E_ENCODING);
	assert_int_equal(km_rpc_frame_next(version, 5, KM_RPC_MAX_TO_DAEMON, &used, &f), KM_E_VERSION);
	assert_int_equal(km_rpc_frame_next(NULL, 0, KM_RPC_MAX_TO_DAEMON, &used, &f), 0);
	assert_int_equal(km_rpc_frame_next(smallest, 10, KM_RPC_MAX_TO_DAEMON, &used, &f), 1);
	assert_int_equal(f.type, KM_RPC_STATUS);
	assert_int_equal(f.seq, 9);
	assert_int_equal(f.len, 0);
}

static void test_largest_request_fits(void **state)
{
	struct km_rpc_sign m = sample_sign(), m2;
	uint8_t *data = calloc(1, KM_MAX_REQUEST_BYTES + 1);
	struct km_rpc_frame f;
	struct km_buf b;
	size_t used;

	km_buf_init(&b);
	m.data = data;
	m.len = KM_MAX_REQUEST_BYTES;
	assert_int_equal(km_rpc_encode_sign(&b, 1, &m), KM_OK);
	assert_int_equal(km_rpc_frame_next(b.data, b.len, KM_RPC_MAX_TO_DAEMON, &used, &f), 1);
	assert_int_equal(km_rpc_decode_sign(&f, &m2), KM_OK);
	assert_int_equal(m2.len, KM_MAX_REQUEST_BYTES);
	km_buf_reset(&b);
	m.len++;
	assert_int_equal(km_rpc_encode_sign(&b, 1, &m), KM_E_INVAL);
	km_buf_clear(&b);
	free(data);
}

static void test_sign_bounds(void **state)
{
	static const struct {
		unsigned at;
		uint8_t value[4];
		unsigned n;
		int err;
	} bad[] = {
	    {32, {0}, 1, KM_E_RANGE}, /* no context */
	    {32, {KM_CTX_CANARY}, 1, KM_E_RANGE},
	    {32, {11}, 1, KM_E_RANGE},
	    {33, {0, 0, 0, 0}, 4, KM_E_RANGE},	     /* no deadline */
	    {33, {0, 0, 0xea, 0x61}, 4, KM_E_RANGE}, /* 60001 ms */
	    {53, {0, 1, 0, 1}, 4, KM_E_LIMIT},	     /* 65537 bytes */
	    {53, {0, 0, 0, 0}, 4, KM_E_TRAILING},
	};
	struct km_rpc_sign m = sample_sign(), zero = {0};
	struct km_buf b;
	struct km_rpc_frame f;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		km_buf_init(&b);
		m = sample_sign();
		assert_int_equal(km_rpc_encode_sign(&b, 1, &m), KM_OK);
		memcpy(b.data + KM_RPC_HEAD_SIZE + bad[i].at, bad[i].value, bad[i].n);
		f = one_frame(&b);
		assert_int_equal(km_rpc_decode_sign(&f, &m), bad[i].err);
		assert_memory_equal(&m, &zero, sizeof(m));
		km_buf_clear(&b);
	}
	km_buf_init(&b);
	m = sample_sign();
	m.context = KM_CTX_CANARY;
	assert_int_equal(km_rpc_encode_sign(&b, 1, &m), KM_E_INVAL);
	m = sample_sign();
	m.deadline_ms = 0;
	assert_int_equal(km_rpc_encode_sign(&b, 1, &m), KM_E_INVAL);
	m = sample_sign();
	m.len = 0;
	assert_int_equal(km_rpc_encode_sign(&b, 1, &m), KM_E_INVAL);
	assert_int_equal(b.len, 0);
	km_buf_clear(&b);
}

static void test_names(void **state)
{
	static const char *const good[] = {"a", "0", "web", "www.example.com", "a_b-c.d", "x-", "x."};
	static const char *const bad[] = {"", ".", "..", ".a", "-a", "_a", "A", "a b", "a/b", "a\n", "\xc3\xa9", "a:"};
	char longest[KM_MAX_NAME + 2];

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		assert_true(km_rpc_name_valid(good[i], strlen(good[i])));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(km_rpc_name_valid(bad[i], strlen(bad[i])));
	assert_false(km_rpc_name_valid("a\0b", 3));
	memset(longest, 'a', sizeof(longest));
	assert_true(km_rpc_name_valid(longest, KM_MAX_NAME));
	assert_false(km_rpc_name_valid(longest, KM_MAX_NAME + 1));
}

static void test_key_bounds(void **state)
{
	struct km_rpc_key m = sample_key(KM_RPC_BY_POINT), out;
	struct km_rpc_frame f;
	struct km_buf b;

	km_buf_init(&b);
	m.point[0] = 2;
	assert_int_equal(km_rpc_encode_key(&b, 1, &m), KM_E_INVAL);
	m.point[0] = 4;
	m.point_len = 64;
	assert_int_equal(km_rpc_encode_key(&b, 1, &m), KM_E_INVAL);
	m.by = 4;
	assert_int_equal(km_rpc_encode_key(&b, 1, &m), KM_E_INVAL);
	m = sample_key(KM_RPC_BY_NAME);
	memset(m.name, 'a', sizeof(m.name)); /* not terminated */
	assert_int_equal(km_rpc_encode_key(&b, 1, &m), KM_E_INVAL);
	m = sample_key(KM_RPC_BY_POINT);
	assert_int_equal(km_rpc_encode_key(&b, 1, &m), KM_OK);
	b.data[KM_RPC_HEAD_SIZE + 5] = 3;
	f = one_frame(&b);
	assert_int_equal(km_rpc_decode_key(&f, &out), KM_E_ENCODING);
	b.data[KM_RPC_HEAD_SIZE] = 4;
	assert_int_equal(km_rpc_decode_key(&f, &out), KM_E_RANGE);
	km_buf_reset(&b);
	m = sample_key(KM_RPC_BY_NAME);
	assert_int_equal(km_rpc_encode_key(&b, 1, &m), KM_OK);
	b.data[KM_RPC_HEAD_SIZE + 5] = '/';
	f = one_frame(&b);
	assert_int_equal(km_rpc_decode_key(&f, &out), KM_E_ENCODING);
	km_buf_clear(&b);
}

static void test_answer_bounds(void **state)
{
	struct km_rpc_keygen gen = {.name = "web", .threshold = 1, .curve = 1};
	struct km_rpc_key_info info = sample_info(1);
	struct km_rpc_signature sig = sample_signature(32);
	struct km_rpc_frame f;
	struct km_buf b;

	km_buf_init(&b);
	assert_int_equal(km_rpc_encode_keygen(&b, 1, &gen), KM_E_INVAL);
	gen.threshold = 33;
	assert_int_equal(km_rpc_encode_keygen(&b, 1, &gen), KM_E_INVAL);
	gen.threshold = 3;
	gen.curve = 4;
	assert_int_equal(km_rpc_encode_keygen(&b, 1, &gen), KM_E_INVAL);
	info.threshold = 6;
	assert_int_equal(km_rpc_encode_key_info(&b, 1, &info), KM_E_INVAL);
	info = sample_info(1);
	info.curve = 2; /* P-384 with a P-256 point */
	assert_int_equal(km_rpc_encode_key_info(&b, 1, &info), KM_E_INVAL);
	sig.size = 33;
	assert_int_equal(km_rpc_encode_signature(&b, 1, &sig), KM_E_INVAL);
	sig.size = 1000;
	assert_int_equal(km_rpc_encode_signature(&b, 1, &sig), KM_E_INVAL);
	sig = sample_signature(32);
	sig.aggregator = 0;
	assert_int_equal(km_rpc_encode_signature(&b, 1, &sig), KM_E_INVAL);
	sig.aggregator = 33;
	assert_int_equal(km_rpc_encode_signature(&b, 1, &sig), KM_E_INVAL);
	assert_int_equal(b.len, 0);
	info = sample_info(1);
	assert_int_equal(km_rpc_encode_key_info(&b, 1, &info), KM_OK);
	b.data[KM_RPC_HEAD_SIZE + 4 + 3 + 32] = 2;
	f = one_frame(&b);
	assert_int_equal(km_rpc_decode_key_info(&f, &info), KM_E_ENCODING);
	km_buf_clear(&b);
}

/* Any change of one byte of any message: decodes or is refused, and what decodes encodes to the same bytes. */
static void test_one_encoding(void **state)
{
	for (unsigned i = 0; i < SAMPLES; i++) {
		struct km_buf b, again;
		size_t used;

		km_buf_init(&b);
		encode_sample(&b, i);
		for (size_t at = 4; at < b.len; at++) {
			for (unsigned v = 0; v < 256; v++) {
				uint8_t old = b.data[at];
				struct km_rpc_frame f;
				struct km_rpc_sign sign;
				struct km_rpc_text t;

				b.data[at] = (uint8_t)v;
				if (km_rpc_frame_next(b.data, b.len, MAX_CLIENT, &used, &f) == 1) {
					km_buf_init(&again);
					if (f.type == KM_RPC_SIGN && !km_rpc_decode_sign(&f, &sign)) {
						assert_int_equal(km_rpc_encode_sign(&again, f.seq, &sign), KM_OK);
						assert_int_equal(again.len, b.len);
						assert_memory_equal(again.data, b.data, b.len);
					} else if (f.type == KM_RPC_JSON && !km_rpc_decode_text(&f, &t)) {
						assert_int_equal(km_rpc_encode_json(&again, f.seq, t.text, t.len), KM_OK);
						assert_memory_equal(again.data, b.data, b.len);
					} else {
						(void)decode_any(&f);
					}
					km_buf_clear(&again);
				}
				b.data[at] = old;
			}
		}
		km_buf_clear(&b);
	}
}

KM_TESTS(cmocka_unit_test(test_round_trip_requests), cmocka_unit_test(test_round_trip_answers), cmocka_unit_test(test_texts),
	 cmocka_unit_test(test_error_code_on_the_wire), cmocka_unit_test(test_cut_and_trailing),
	 cmocka_unit_test(test_wrong_type), cmocka_unit_test(test_splitter_byte_by_byte), cmocka_unit_test(test_splitter_refuses),
	 cmocka_unit_test(test_largest_request_fits), cmocka_unit_test(test_sign_bounds), cmocka_unit_test(test_names),
	 cmocka_unit_test(test_key_bounds), cmocka_unit_test(test_answer_bounds), cmocka_unit_test(test_one_encoding))
