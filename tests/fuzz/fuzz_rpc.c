/* The stream between plugin or CLI and the daemon: the frame splitter and every message. Input: direction | stream. */
#include "fuzz.h"
#include "rpc/rpc.h"

const char fuzz_name[] = "rpc";
const unsigned fuzz_rounds = 6000;

union any {
	struct km_rpc_key key;
	struct km_rpc_sign sign;
	struct km_rpc_keygen keygen;
	struct km_rpc_clear clear;
	struct km_rpc_retire retire;
	struct km_rpc_reshare reshare;
	struct km_rpc_record record;
	struct km_rpc_key_info info;
	struct km_rpc_signature sig;
	struct km_rpc_text text;
};

static int decode(const struct km_rpc_frame *f, union any *m)
{
	switch (f->type) {
	case KM_RPC_KEY:
		return km_rpc_decode_key(f, &m->key);
	case KM_RPC_SIGN:
		return km_rpc_decode_sign(f, &m->sign);
	case KM_RPC_STATUS:
		return km_rpc_decode_status(f);
	case KM_RPC_KEYGEN:
		return km_rpc_decode_keygen(f, &m->keygen);
	case KM_RPC_CLEAR:
		return km_rpc_decode_clear(f, &m->clear);
	case KM_RPC_RETIRE:
		return km_rpc_decode_retire(f, &m->retire);
	case KM_RPC_RESHARE:
		return km_rpc_decode_reshare(f, &m->reshare);
	case KM_RPC_RESEAL:
		return km_rpc_decode_reseal(f);
	case KM_RPC_RECORD:
		return km_rpc_decode_record(f, &m->record);
	case KM_RPC_KEY_INFO:
		return km_rpc_decode_key_info(f, &m->info);
	case KM_RPC_SIGNATURE:
		return km_rpc_decode_signature(f, &m->sig);
	case KM_RPC_JSON:
	case KM_RPC_PROGRESS:
	case KM_RPC_DONE:
	case KM_RPC_ERROR:
		return km_rpc_decode_text(f, &m->text);
	}
	return KM_E_INVAL;
}

/* The texts are handed on by reference without a terminator, and made printable by their encoders. */
static int encode_text(struct km_buf *b, const struct km_rpc_frame *f, const struct km_rpc_text *t)
{
	char *s = calloc(1, t->len + 1);

	KM_ASSERT(s);
	memcpy(s, t->text, t->len);
	int err = KM_E_INVAL;
	if (f->type == KM_RPC_JSON)
		err = km_rpc_encode_json(b, f->seq, t->text, t->len);
	else if (f->type == KM_RPC_PROGRESS)
		err = km_rpc_encode_progress(b, f->seq, s);
	else if (f->type == KM_RPC_DONE)
		err = km_rpc_encode_done(b, f->seq, s);
	else if (f->type == KM_RPC_ERROR)
		err = km_rpc_encode_error(b, f->seq, t->err, s);
	free(s);
	return err;
}

static int encode(struct km_buf *b, const struct km_rpc_frame *f, const union any *m)
{
	switch (f->type) {
	case KM_RPC_KEY:
		return km_rpc_encode_key(b, f->seq, &m->key);
	case KM_RPC_SIGN:
		return km_rpc_encode_sign(b, f->seq, &m->sign);
	case KM_RPC_STATUS:
		return km_rpc_encode_status(b, f->seq);
	case KM_RPC_KEYGEN:
		return km_rpc_encode_keygen(b, f->seq, &m->keygen);
	case KM_RPC_CLEAR:
		return km_rpc_encode_clear(b, f->seq, &m->clear);
	case KM_RPC_RETIRE:
		return km_rpc_encode_retire(b, f->seq, &m->retire);
	case KM_RPC_RESHARE:
		return km_rpc_encode_reshare(b, f->seq, &m->reshare);
	case KM_RPC_RESEAL:
		return km_rpc_encode_reseal(b, f->seq);
	case KM_RPC_RECORD:
		return km_rpc_encode_record(b, f->seq, &m->record);
	case KM_RPC_KEY_INFO:
		return km_rpc_encode_key_info(b, f->seq, &m->info);
	case KM_RPC_SIGNATURE:
		return km_rpc_encode_signature(b, f->seq, &m->sig);
	}
	return encode_text(b, f, &m->text);
}

int fuzz_one(const uint8_t *data, size_t size)
{
	struct km_rpc_frame f;
	int ret, frames = 0;
	size_t used;

	if (!size)
		return 0;
	size_t max = data[0] & 1 ? KM_RPC_MAX_TO_CLIENT : KM_RPC_MAX_TO_DAEMON;
	data++;
	size--;
	while ((ret = km_rpc_frame_next(data, size, max, &used, &f)) > 0) {
		struct km_buf b;
		union any m;

		KM_ASSERT(used <= size && used >= KM_RPC_HEAD_SIZE && f.len <= used - KM_RPC_HEAD_SIZE);
		if (decode(&f, &m) != KM_OK)
			return 0;
		/* one encoding per message */
		km_buf_init(&b);
		int err = encode(&b, &f, &m);
		KM_ASSERT(!err && b.len == used && memcmp(b.data, data, used) == 0);
		km_buf_clear(&b);
		data += used;
		size -= used;
		frames++;
	}
	KM_ASSERT(ret < 0 || used > size);
	return ret == 0 && size == 0 && frames > 0;
}

static void out(fuzz_emit_fn *emit, void *ctx, const char *name, struct km_buf *b, int err)
{
	KM_ASSERT(!err);
	emit(ctx, name, b->data, b->len);
	km_buf_reset(b);
	km_put_u8(b, 1);
}

void fuzz_seeds(fuzz_emit_fn *emit, void *ctx)
{
	struct km_rpc_key key = { .by = KM_RPC_BY_NAME, .name = "www.example" };
	struct km_rpc_sign sign = { .context = 1, .deadline_ms = 2000, .data = (const uint8_t *)"to be signed", .len = 12 };
	struct km_rpc_keygen keygen = { .name = "www", .threshold = 3, .curve = 1 };
	struct km_rpc_clear clear = { .peer = 3 };
	struct km_rpc_retire retire = { .name = "www", .force = 1 };
	struct km_rpc_reshare reshare = { .name = "www", .kind = KM_RPC_RESHARE_KEY, .threshold = 3, .members = 7 };
	struct km_rpc_record record = { .data = (const uint8_t *)"a record", .len = 8 };
	struct km_rpc_key_info info = { .name = "www", .curve = 1, .point_len = 65, .threshold = 3, .peers = 5 };
	struct km_rpc_signature sig = { .size = 32, .quorum = 7, .aggregator = 1, .time = 1700000000000 };
	struct km_buf b;

	km_buf_init(&b);
	km_put_u8(&b, 1);
	out(emit, ctx, "key-name", &b, km_rpc_encode_key(&b, 1, &key));
	memset(&key, 0, sizeof(key));
	key.by = KM_RPC_BY_POINT;
	key.point[0] = 4;
	key.point_len = 65;
	out(emit, ctx, "key-point", &b, km_rpc_encode_key(&b, 2, &key));
	memset(&key, 0, sizeof(key));
	key.by = KM_RPC_BY_ID;
	out(emit, ctx, "key-id", &b, km_rpc_encode_key(&b, 3, &key));
	out(emit, ctx, "sign", &b, km_rpc_encode_sign(&b, 4, &sign));
	out(emit, ctx, "status", &b, km_rpc_encode_status(&b, 5));
	out(emit, ctx, "keygen", &b, km_rpc_encode_keygen(&b, 6, &keygen));
	out(emit, ctx, "clear", &b, km_rpc_encode_clear(&b, 6, &clear));
	out(emit, ctx, "retire", &b, km_rpc_encode_retire(&b, 6, &retire));
	out(emit, ctx, "reshare", &b, km_rpc_encode_reshare(&b, 6, &reshare));
	out(emit, ctx, "reseal", &b, km_rpc_encode_reseal(&b, 6));
	out(emit, ctx, "record", &b, km_rpc_encode_record(&b, 6, &record));
	info.point[0] = 4;
	out(emit, ctx, "key-info", &b, km_rpc_encode_key_info(&b, 7, &info));
	memset(sig.r, 0x11, 32);
	memset(sig.s, 0x22, 32);
	out(emit, ctx, "signature", &b, km_rpc_encode_signature(&b, 8, &sig));
	out(emit, ctx, "json", &b, km_rpc_encode_json(&b, 9, "{\"a\": [1, 2]}", 13));
	out(emit, ctx, "progress", &b, km_rpc_encode_progress(&b, 10, "round 2 of 6"));
	out(emit, ctx, "error", &b, km_rpc_encode_error(&b, 11, KM_E_RATE, NULL));
	int err = km_rpc_encode_progress(&b, 12, "half way");
	out(emit, ctx, "two-frames", &b, err ? err : km_rpc_encode_done(&b, 12, "done"));
	km_buf_clear(&b);
}
