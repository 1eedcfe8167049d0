/* Signed envelopes: splitting, root against a shape, signature. Input: shape (head u16, row u8, rows u16) | envelope. */
#include "fuzz.h"
#include "tests/lib/net.h"

const char fuzz_name[] = "msg";
const unsigned fuzz_rounds = 4000;

static struct km_identity id;

int fuzz_one(const uint8_t *data, size_t size)
{
	struct km_shape shape;
	struct km_reader r;
	struct km_msg m;
	size_t n;

	km_reader_init(&r, data, size);
	shape.head = km_get_u16(&r);
	shape.row = km_get_u8(&r);
	shape.rows = km_get_u16(&r);
	n = km_reader_left(&r);
	const uint8_t *raw = km_get_ref(&r, n);
	if (!raw || km_msg_parse(&m, raw, n) != KM_OK)
		return 0;
	/* what was accepted is the input, whole, and its parts lie in it */
	KM_ASSERT(m.raw == raw && n == KM_MSG_HEAD + (size_t)m.body_len && m.body == raw + KM_MSG_HEAD &&
		  m.version == KM_MSG_VERSION);
	int err = km_msg_check_body(&m, &shape);
	if (err)
		return 0;
	KM_ASSERT(km_shape_size(&shape) == m.body_len);
	net_identity(1, 1, &id);
	return km_msg_verify_sig(&m, id.pub) == KM_OK;
}

void fuzz_seeds(fuzz_emit_fn *emit, void *ctx)
{
	static const struct { const char *name; struct km_shape shape;
	} cases[] = {
	    {"head", {32, 0, 0}}, {"rows", {32, 48, 4}}, {"empty", {0, 0, 0}}, {"one", {1, 1, 1}}, {"empty-rows", {0, 0, 7}},
	};
	uint8_t body[512];

	net_identity(1, 1, &id);
	for (size_t i = 0; i < sizeof(body); i++)
		body[i] = (uint8_t)(i * 7);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const uint8_t sid[KM_HASH_SIZE] = { 9 };
		struct km_buf b;

		km_buf_init(&b);
		km_put_u16(&b, (uint16_t)cases[i].shape.head);
		km_put_u8(&b, (uint8_t)cases[i].shape.row);
		km_put_u16(&b, (uint16_t)cases[i].shape.rows);
		int err = km_msg_build(&b, KM_PROTO_DKG, 1, 1, 0, sid, &cases[i].shape, body, &id);
		KM_ASSERT(!err);
		emit(ctx, cases[i].name, b.data, b.len);
		km_buf_clear(&b);
	}
}
