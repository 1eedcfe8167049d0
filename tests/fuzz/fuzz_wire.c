/* Frames between nodes that are no protocol envelopes, sign requests among them. Input: the frame. */
#include "fuzz.h"
#include "node/wire.h"

const char fuzz_name[] = "wire";
const unsigned fuzz_rounds = 3000;

static int hello(const uint8_t *p, size_t n, struct km_buf *b)
{
	struct km_hello m;
	int err = km_hello_decode(&m, p, n);

	if (!err)
		km_hello_encode(b, &m);
	return err;
}

static int health(const uint8_t *p, size_t n, struct km_buf *b)
{
	struct km_health m;
	int err = km_health_decode(&m, p, n);

	if (!err)
		km_health_encode(b, &m);
	return err;
}

static int ping(const uint8_t *p, size_t n, struct km_buf *b)
{
	uint64_t sent;
	int err = km_ping_decode(&sent, p, n);

	if (!err)
		km_ping_encode(b, sent);
	return err;
}

static int pong(const uint8_t *p, size_t n, struct km_buf *b)
{
	struct km_pong m;
	int err = km_pong_decode(&m, p, n);

	if (!err) {
		km_pong_encode(b, &m);
		km_pong_clear(&m);
	}
	return err;
}

static int req(const uint8_t *p, size_t n, struct km_buf *b)
{
	static struct km_req_macs macs;
	uint8_t id[KM_HASH_SIZE];
	struct km_req m;
	int err = km_req_decode(&m, &macs, p, n);

	if (!err) {
		KM_ASSERT(m.data >= p && m.data + m.len <= p + n && m.len <= KM_MAX_REQUEST_BYTES);
		km_req_id(&m, id);
		km_req_encode(b, &m, &macs);
	}
	return err;
}

static int sign(const uint8_t *p, size_t n, struct km_buf *b)
{
	struct km_sign m;
	int err = km_sign_decode(&m, p, n);

	if (!err) {
		KM_ASSERT(m.req.data >= p && m.req.data + m.req.len <= p + n && m.req.len <= KM_MAX_REQUEST_BYTES);
		km_sign_encode(b, &m);
	}
	return err;
}

static int share(const uint8_t *p, size_t n, struct km_buf *b)
{
	struct km_share_msg m;
	int err = km_share_msg_decode(&m, p, n);

	if (!err) {
		KM_ASSERT(m.n <= KM_SCALAR_MAX);
		km_share_msg_encode(b, &m);
	}
	return err;
}

static int reply(const uint8_t *p, size_t n, struct km_buf *b)
{
	struct km_reply m;
	int err = km_reply_decode(&m, p, n);

	if (!err) {
		KM_ASSERT(m.n <= KM_SCALAR_MAX);
		km_reply_encode(b, &m);
	}
	return err;
}

static int badsig(const uint8_t *p, size_t n, struct km_buf *b)
{
	struct km_badsig m;
	int err = km_badsig_decode(&m, p, n);

	if (!err) {
		KM_ASSERT(m.n <= KM_SCALAR_MAX);
		km_badsig_encode(b, &m);
	}
	return err;
}

static int table_ask(const uint8_t *p, size_t n, struct km_buf *b)
{
	uint8_t hash[KM_HASH_SIZE];
	int err = km_table_ask_decode(hash, p, n);

	if (!err)
		km_table_ask_encode(b, hash);
	return err;
}

typedef int codec(const uint8_t *p, size_t n, struct km_buf *b);

int fuzz_one(const uint8_t *data, size_t size)
{
	static codec *const codecs[] = { hello, health, ping, pong, req, sign, share, reply, badsig, table_ask };
	unsigned accepted = 0;

	/* every decoder is shown every frame: the kind byte alone may let it in */
	for (size_t i = 0; i < sizeof(codecs) / sizeof(codecs[0]); i++) {
		struct km_buf b;

		km_buf_init(&b);
		if (codecs[i](data, size, &b) == KM_OK) {
			accepted++;
			/* one encoding per frame */
			KM_ASSERT(!b.err && b.len == size && memcmp(b.data, data, size) == 0);
		}
		km_buf_clear(&b);
	}
	KM_ASSERT(accepted <= 1);
	return (int)accepted;
}

static void out(fuzz_emit_fn *emit, void *ctx, const char *name, struct km_buf *b)
{
	KM_ASSERT(!b->err);
	emit(ctx, name, b->data, b->len);
	km_buf_reset(b);
}

void fuzz_seeds(fuzz_emit_fn *emit, void *ctx)
{
	static struct km_req_macs macs = { .peers = 0x15 };
	struct km_hello h = { .version = 1, .id = 3, .n = 5, .time_ms = 1700000000000 };
	struct km_health health_msg = {
	    .time_ms = 1700000000000, .echo_us = 5, .delay_us = 6, .sent_us = 7, .n_tables = 2, .ready = {10, 0}};
	struct km_pong_key key = { .name = "www.example", .ready = 12 };
	struct km_pong pong_msg = { .echo_us = 1, .time_ms = 2, .live = 0x1f, .n_keys = 1, .keys = &key };
	struct km_req r = {.version = KM_REQ_VERSION,
			   .frontend = 7,
			   .context = 1,
			   .time_ms = 3,
			   .data = (const uint8_t *)"signed bytes",
			   .len = 12};
	struct km_sign s = { .req = r };
	struct km_share_msg sh = { .status = 0, .n = 32 };
	struct km_reply re = { .status = 0, .n = 32, .quorum = 7, .time_ms = 9 };
	struct km_badsig bad = { .n = 32 };
	uint8_t hash[KM_HASH_SIZE] = { 1 };
	struct km_buf b;

	km_buf_init(&b);
	memset(health_msg.table[1], 2, KM_HASH_SIZE);
	km_hello_encode(&b, &h);
	out(emit, ctx, "hello", &b);
	km_health_encode(&b, &health_msg);
	out(emit, ctx, "health", &b);
	km_ping_encode(&b, 12345);
	out(emit, ctx, "ping", &b);
	km_pong_encode(&b, &pong_msg);
	out(emit, ctx, "pong", &b);
	km_req_encode(&b, &r, &macs);
	out(emit, ctx, "req", &b);
	km_sign_encode(&b, &s);
	out(emit, ctx, "sign", &b);
	km_share_msg_encode(&b, &sh);
	out(emit, ctx, "share", &b);
	km_reply_encode(&b, &re);
	out(emit, ctx, "reply", &b);
	km_badsig_encode(&b, &bad);
	out(emit, ctx, "badsig", &b);
	km_table_ask_encode(&b, hash);
	out(emit, ctx, "table-ask", &b);
	km_buf_clear(&b);
}
