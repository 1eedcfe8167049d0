/* rpc.c: the local protocol, see rpc.h. */
#include "config.h"
#include "rpc/rpc.h"

#include <string.h>
#include "base/context.h"

static const uint8_t scalar_sizes[] = {0, 32, 48, 66}; /* by enum km_curve_id */

size_t km_rpc_scalar_size(unsigned curve)
{
	return curve < sizeof(scalar_sizes) ? scalar_sizes[curve] : 0;
}

unsigned km_rpc_curve_by_point_size(size_t len)
{
	unsigned i;

	for (i = 1; i < sizeof(scalar_sizes); i++)
		if (len == 1 + 2 * (size_t)scalar_sizes[i])
			return i;
	return 0;
}

static int is_alnum(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

/* WHY the first character is special: "." and ".." must not name a file, "-x" must not look like an option. */
int km_rpc_name_valid(const char *name, size_t len)
{
	size_t i;

	if (len < 1 || len > KM_MAX_NAME || !is_alnum(name[0]))
		return 0;
	for (i = 1; i < len; i++)
		if (!is_alnum(name[i]) && name[i] != '.' && name[i] != '_' && name[i] != '-')
			return 0;
	return 1;
}

static int point_valid(const uint8_t *point, size_t len, unsigned curve)
{
	return curve != 0 && km_rpc_curve_by_point_size(len) == curve && point[0] == 0x04;
}

/* Text for a person ends in logs and terminals: no control characters. JSON may have its white space. */
static int text_valid(const char *text, size_t len, int json)
{
	size_t i;

	for (i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];

		if (c == 0x7f || (c < 0x20 && !(json && (c == '\n' || c == '\r' || c == '\t'))))
			return 0;
	}
	return 1;
}

/* ---- frames ---- */

int km_rpc_frame_next(const void *p, size_t n, size_t max, size_t *used, struct km_rpc_frame *frame)
{
	struct km_reader r;
	uint32_t len;

	memset(frame, 0, sizeof(*frame));
	*used = KM_RPC_HEAD_SIZE;
	if (n < 4)
		return 0;
	km_reader_init(&r, p, n);
	len = km_get_u32(&r);
	if (len > max)
		return KM_E_LIMIT;
	if (len < KM_RPC_HEAD_SIZE - 4)
		return KM_E_ENCODING;
	if (n > 4 && km_get_u8(&r) != KM_RPC_VERSION)
		return KM_E_VERSION;
	*used = 4 + (size_t)len;
	if (n < *used)
		return 0;
	frame->type = km_get_u8(&r);
	frame->seq = km_get_u32(&r);
	frame->len = len - (KM_RPC_HEAD_SIZE - 4);
	frame->body = km_get_ref(&r, frame->len);
	return 1;
}

/* The body's size is known before it is written, so the frame needs no patching afterwards. */
static void put_head(struct km_buf *b, unsigned type, uint32_t seq, size_t body)
{
	km_buf_reserve(b, KM_RPC_HEAD_SIZE + body);
	km_put_u32(b, (uint32_t)(KM_RPC_HEAD_SIZE - 4 + body));
	km_put_u8(b, KM_RPC_VERSION);
	km_put_u8(b, (uint8_t)type);
	km_put_u32(b, seq);
}

static int open_body(const struct km_rpc_frame *f, unsigned type, struct km_reader *r)
{
	if (f->type != type)
		return KM_E_INVAL;
	km_reader_init(r, f->body, f->len);
	return KM_OK;
}

/* ---- fields ---- */

static void get_name(struct km_reader *r, char name[KM_MAX_NAME + 1])
{
	size_t n;
	const uint8_t *p = km_get_lref(r, &n, KM_MAX_NAME);

	if (!p)
		return;
	if (!km_rpc_name_valid((const char *)p, n)) {
		km_reader_fail(r, KM_E_ENCODING);
		return;
	}
	memcpy(name, p, n);
	name[n] = '\0';
}

/* curve 0: any. */
static void get_point(struct km_reader *r, unsigned curve, uint8_t *point, size_t *len)
{
	size_t n;
	const uint8_t *p = km_get_lref(r, &n, KM_RPC_POINT_MAX);

	if (!p)
		return;
	if (!point_valid(p, n, curve ? curve : km_rpc_curve_by_point_size(n))) {
		km_reader_fail(r, KM_E_ENCODING);
		return;
	}
	memcpy(point, p, n);
	*len = n;
}

static unsigned get_ranged(struct km_reader *r, unsigned lo, unsigned hi)
{
	unsigned v = km_get_u8(r);

	if (!r->err && (v < lo || v > hi))
		km_reader_fail(r, KM_E_RANGE);
	return v;
}

static int name_in_bounds(const char name[KM_MAX_NAME + 1])
{
	return km_rpc_name_valid(name, strnlen(name, KM_MAX_NAME + 1));
}

static int threshold_in_bounds(unsigned threshold, unsigned peers)
{
	return threshold >= KM_MIN_THRESHOLD && threshold <= peers && peers <= KM_MAX_PEERS;
}

/* ---- requests ---- */

int km_rpc_encode_key(struct km_buf *b, uint32_t seq, const struct km_rpc_key *m)
{
	switch (m->by) {
	case KM_RPC_BY_NAME:
		if (!name_in_bounds(m->name))
			return KM_E_INVAL;
		put_head(b, KM_RPC_KEY, seq, 1 + 4 + strlen(m->name));
		km_put_u8(b, m->by);
		km_put_lbytes(b, m->name, strlen(m->name));
		break;
	case KM_RPC_BY_POINT:
		if (!point_valid(m->point, m->point_len, km_rpc_curve_by_point_size(m->point_len)))
			return KM_E_INVAL;
		put_head(b, KM_RPC_KEY, seq, 1 + 4 + m->point_len);
		km_put_u8(b, m->by);
		km_put_lbytes(b, m->point, m->point_len);
		break;
	case KM_RPC_BY_ID:
		put_head(b, KM_RPC_KEY, seq, 1 + KM_HASH_SIZE);
		km_put_u8(b, m->by);
		km_put_bytes(b, m->id, KM_HASH_SIZE);
		break;
	default:
		return KM_E_INVAL;
	}
	return b->err;
}

int km_rpc_decode_key(const struct km_rpc_frame *f, struct km_rpc_key *m)
{
	struct km_reader r;
	int err;

	memset(m, 0, sizeof(*m));
	err = open_body(f, KM_RPC_KEY, &r);
	if (err)
		return err;
	m->by = (uint8_t)get_ranged(&r, KM_RPC_BY_NAME, KM_RPC_BY_ID);
	if (m->by == KM_RPC_BY_NAME)
		get_name(&r, m->name);
	else if (m->by == KM_RPC_BY_POINT)
		get_point(&r, 0, m->point, &m->point_len);
	else if (m->by == KM_RPC_BY_ID)
		km_get_bytes(&r, m->id, KM_HASH_SIZE);
	err = km_reader_end(&r);
	if (err)
		memset(m, 0, sizeof(*m));
	return err;
}

/* WHY not the canary: it is signed by the mesh for itself, a request for it is an attack. */
static int context_on_request(unsigned context)
{
	return km_context_name(context) != NULL && context != KM_CTX_CANARY;
}

int km_rpc_encode_sign(struct km_buf *b, uint32_t seq, const struct km_rpc_sign *m)
{
	if (!context_on_request(m->context) || m->deadline_ms < 1 || m->deadline_ms > KM_RPC_MAX_DEADLINE_MS || !m->data ||
	    m->len < 1 || m->len > KM_MAX_REQUEST_BYTES)
		return KM_E_INVAL;
	put_head(b, KM_RPC_SIGN, seq, KM_HASH_SIZE + 1 + 4 + KM_NONCE_SIZE + 4 + m->len);
	km_put_bytes(b, m->key_id, KM_HASH_SIZE);
	km_put_u8(b, m->context);
	km_put_u32(b, m->deadline_ms);
	km_put_bytes(b, m->random, KM_NONCE_SIZE);
	km_put_lbytes(b, m->data, m->len);
	return b->err;
}

int km_rpc_decode_sign(const struct km_rpc_frame *f, struct km_rpc_sign *m)
{
	struct km_reader r;
	int err;

	memset(m, 0, sizeof(*m));
	err = open_body(f, KM_RPC_SIGN, &r);
	if (err)
		return err;
	km_get_bytes(&r, m->key_id, KM_HASH_SIZE);
	m->context = km_get_u8(&r);
	m->deadline_ms = km_get_u32(&r);
	km_get_bytes(&r, m->random, KM_NONCE_SIZE);
	m->data = km_get_lref(&r, &m->len, KM_MAX_REQUEST_BYTES);
	err = km_reader_end(&r);
	if (!err &&
	    (!context_on_request(m->context) || m->deadline_ms < 1 || m->deadline_ms > KM_RPC_MAX_DEADLINE_MS || m->len < 1))
		err = KM_E_RANGE;
	if (err)
		memset(m, 0, sizeof(*m));
	return err;
}

int km_rpc_encode_status(struct km_buf *b, uint32_t seq)
{
	put_head(b, KM_RPC_STATUS, seq, 0);
	return b->err;
}

int km_rpc_decode_status(const struct km_rpc_frame *f)
{
	struct km_reader r;
	int err = open_body(f, KM_RPC_STATUS, &r);

	return err ? err : km_reader_end(&r);
}

int km_rpc_encode_keygen(struct km_buf *b, uint32_t seq, const struct km_rpc_keygen *m)
{
	if (!name_in_bounds(m->name) || !threshold_in_bounds(m->threshold, KM_MAX_PEERS) || !km_rpc_scalar_size(m->curve))
		return KM_E_INVAL;
	put_head(b, KM_RPC_KEYGEN, seq, 4 + strlen(m->name) + 2);
	km_put_lbytes(b, m->name, strlen(m->name));
	km_put_u8(b, m->threshold);
	km_put_u8(b, m->curve);
	return b->err;
}

int km_rpc_decode_keygen(const struct km_rpc_frame *f, struct km_rpc_keygen *m)
{
	struct km_reader r;
	int err;

	memset(m, 0, sizeof(*m));
	err = open_body(f, KM_RPC_KEYGEN, &r);
	if (err)
		return err;
	get_name(&r, m->name);
	m->threshold = (uint8_t)get_ranged(&r, KM_MIN_THRESHOLD, KM_MAX_PEERS);
	m->curve = (uint8_t)get_ranged(&r, 1, sizeof(scalar_sizes) - 1);
	err = km_reader_end(&r);
	if (err)
		memset(m, 0, sizeof(*m));
	return err;
}

int km_rpc_encode_retire(struct km_buf *b, uint32_t seq, const struct km_rpc_retire *m)
{
	if (!name_in_bounds(m->name) || m->force > 1)
		return KM_E_INVAL;
	put_head(b, KM_RPC_RETIRE, seq, 4 + strlen(m->name) + 1);
	km_put_lbytes(b, m->name, strlen(m->name));
	km_put_u8(b, m->force);
	return b->err;
}

int km_rpc_decode_retire(const struct km_rpc_frame *f, struct km_rpc_retire *m)
{
	struct km_reader r;
	int err;

	memset(m, 0, sizeof(*m));
	err = open_body(f, KM_RPC_RETIRE, &r);
	if (err)
		return err;
	get_name(&r, m->name);
	m->force = (uint8_t)get_ranged(&r, 0, 1);
	err = km_reader_end(&r);
	if (err)
		memset(m, 0, sizeof(*m));
	return err;
}

static int reshare_in_bounds(const struct km_rpc_reshare *m)
{
	switch (m->kind) {
	case KM_RPC_REFRESH_SHARES:
		return !m->threshold && !m->members && !m->peer;
	case KM_RPC_RESHARE_KEY:
		return (!m->threshold || threshold_in_bounds(m->threshold, KM_MAX_PEERS)) && !m->peer;
	case KM_RPC_RECOVER_PEER:
		return !m->threshold && !m->members && m->peer >= 1 && m->peer <= KM_MAX_PEERS;
	}
	return 0;
}

int km_rpc_encode_reshare(struct km_buf *b, uint32_t seq, const struct km_rpc_reshare *m)
{
	if (!name_in_bounds(m->name) || !reshare_in_bounds(m))
		return KM_E_INVAL;
	put_head(b, KM_RPC_RESHARE, seq, 4 + strlen(m->name) + 7);
	km_put_lbytes(b, m->name, strlen(m->name));
	km_put_u8(b, m->kind);
	km_put_u8(b, m->threshold);
	km_put_u32(b, m->members);
	km_put_u8(b, m->peer);
	return b->err;
}

int km_rpc_decode_reshare(const struct km_rpc_frame *f, struct km_rpc_reshare *m)
{
	struct km_reader r;
	int err;

	memset(m, 0, sizeof(*m));
	err = open_body(f, KM_RPC_RESHARE, &r);
	if (err)
		return err;
	get_name(&r, m->name);
	m->kind = (uint8_t)get_ranged(&r, KM_RPC_REFRESH_SHARES, KM_RPC_RECOVER_PEER);
	m->threshold = (uint8_t)get_ranged(&r, 0, KM_MAX_PEERS);
	m->members = km_get_u32(&r);
	m->peer = (uint8_t)get_ranged(&r, 0, KM_MAX_PEERS);
	err = km_reader_end(&r);
	if (!err && !reshare_in_bounds(m))
		err = KM_E_RANGE;
	if (err)
		memset(m, 0, sizeof(*m));
	return err;
}

int km_rpc_encode_clear(struct km_buf *b, uint32_t seq, const struct km_rpc_clear *m)
{
	if (m->peer < 1 || m->peer > KM_MAX_PEERS)
		return KM_E_INVAL;
	put_head(b, KM_RPC_CLEAR, seq, 1);
	km_put_u8(b, m->peer);
	return b->err;
}

int km_rpc_decode_clear(const struct km_rpc_frame *f, struct km_rpc_clear *m)
{
	struct km_reader r;
	int err;

	memset(m, 0, sizeof(*m));
	err = open_body(f, KM_RPC_CLEAR, &r);
	if (err)
		return err;
	m->peer = (uint8_t)get_ranged(&r, 1, KM_MAX_PEERS);
	err = km_reader_end(&r);
	if (err)
		memset(m, 0, sizeof(*m));
	return err;
}

int km_rpc_encode_reseal(struct km_buf *b, uint32_t seq)
{
	put_head(b, KM_RPC_RESEAL, seq, 0);
	return b->err;
}

int km_rpc_decode_reseal(const struct km_rpc_frame *f)
{
	struct km_reader r;
	int err = open_body(f, KM_RPC_RESEAL, &r);

	return err ? err : km_reader_end(&r);
}

int km_rpc_encode_record(struct km_buf *b, uint32_t seq, const struct km_rpc_record *m)
{
	if (m->len < 1 || m->len > KM_RPC_MAX_RECORD)
		return KM_E_INVAL;
	put_head(b, KM_RPC_RECORD, seq, m->len);
	km_put_bytes(b, m->data, m->len);
	return b->err;
}

int km_rpc_decode_record(const struct km_rpc_frame *f, struct km_rpc_record *m)
{
	struct km_reader r;
	int err = open_body(f, KM_RPC_RECORD, &r);

	memset(m, 0, sizeof(*m));
	if (err)
		return err;
	if (f->len < 1 || f->len > KM_RPC_MAX_RECORD)
		return f->len ? KM_E_LIMIT : KM_E_TRUNCATED;
	m->data = f->body;
	m->len = f->len;
	return KM_OK;
}

/* ---- answers ---- */

int km_rpc_encode_key_info(struct km_buf *b, uint32_t seq, const struct km_rpc_key_info *m)
{
	if (!name_in_bounds(m->name) || !point_valid(m->point, m->point_len, m->curve) ||
	    !threshold_in_bounds(m->threshold, m->peers))
		return KM_E_INVAL;
	put_head(b, KM_RPC_KEY_INFO, seq, 4 + strlen(m->name) + KM_HASH_SIZE + 1 + 4 + m->point_len + 2 + KM_HASH_SIZE);
	km_put_lbytes(b, m->name, strlen(m->name));
	km_put_bytes(b, m->key_id, KM_HASH_SIZE);
	km_put_u8(b, m->curve);
	km_put_lbytes(b, m->point, m->point_len);
	km_put_u8(b, m->threshold);
	km_put_u8(b, m->peers);
	km_put_bytes(b, m->table, KM_HASH_SIZE);
	return b->err;
}

int km_rpc_decode_key_info(const struct km_rpc_frame *f, struct km_rpc_key_info *m)
{
	struct km_reader r;
	int err;

	memset(m, 0, sizeof(*m));
	err = open_body(f, KM_RPC_KEY_INFO, &r);
	if (err)
		return err;
	get_name(&r, m->name);
	km_get_bytes(&r, m->key_id, KM_HASH_SIZE);
	m->curve = (uint8_t)get_ranged(&r, 1, sizeof(scalar_sizes) - 1);
	get_point(&r, m->curve, m->point, &m->point_len);
	m->threshold = km_get_u8(&r);
	m->peers = km_get_u8(&r);
	km_get_bytes(&r, m->table, KM_HASH_SIZE);
	err = km_reader_end(&r);
	if (!err && !threshold_in_bounds(m->threshold, m->peers))
		err = KM_E_RANGE;
	if (err)
		memset(m, 0, sizeof(*m));
	return err;
}

static int scalar_size_valid(size_t n)
{
	return km_rpc_curve_by_point_size(1 + 2 * n) != 0;
}

static int peer_valid(unsigned id)
{
	return id >= 1 && id <= KM_MAX_PEERS;
}

int km_rpc_encode_signature(struct km_buf *b, uint32_t seq, const struct km_rpc_signature *m)
{
	if (m->size > KM_SCALAR_MAX || !scalar_size_valid(m->size) || !peer_valid(m->aggregator))
		return KM_E_INVAL;
	put_head(b, KM_RPC_SIGNATURE, seq, 2 * (4 + m->size) + 4 + KM_HASH_SIZE + 1 + 8);
	km_put_lbytes(b, m->r, m->size);
	km_put_lbytes(b, m->s, m->size);
	km_put_u32(b, m->quorum);
	km_put_bytes(b, m->presig, KM_HASH_SIZE);
	km_put_u8(b, m->aggregator);
	km_put_u64(b, m->time);
	return b->err;
}

int km_rpc_decode_signature(const struct km_rpc_frame *f, struct km_rpc_signature *m)
{
	struct km_reader r;
	const uint8_t *pr, *ps;
	size_t nr, ns;
	int err;

	memset(m, 0, sizeof(*m));
	err = open_body(f, KM_RPC_SIGNATURE, &r);
	if (err)
		return err;
	pr = km_get_lref(&r, &nr, KM_SCALAR_MAX);
	ps = km_get_lref(&r, &ns, KM_SCALAR_MAX);
	m->quorum = km_get_u32(&r);
	km_get_bytes(&r, m->presig, KM_HASH_SIZE);
	m->aggregator = km_get_u8(&r);
	m->time = km_get_u64(&r);
	err = km_reader_end(&r);
	if (!err && (nr != ns || !scalar_size_valid(nr)))
		err = KM_E_ENCODING;
	if (!err && !peer_valid(m->aggregator))
		err = KM_E_RANGE;
	if (err) {
		memset(m, 0, sizeof(*m));
		return err;
	}
	memcpy(m->r, pr, nr);
	memcpy(m->s, ps, ns);
	m->size = nr;
	return KM_OK;
}

int km_rpc_encode_json(struct km_buf *b, uint32_t seq, const char *text, size_t len)
{
	if (len > KM_RPC_MAX_JSON || !text_valid(text, len, 1))
		return KM_E_INVAL;
	put_head(b, KM_RPC_JSON, seq, 4 + len);
	km_put_lbytes(b, text, len);
	return b->err;
}

static void put_text(struct km_buf *b, const char *text, size_t len)
{
	uint8_t *p;
	size_t i;

	km_put_u32(b, (uint32_t)len);
	p = km_put_room(b, len);
	if (!p)
		return;
	for (i = 0; i < len; i++)
		p[i] = text_valid(text + i, 1, 0) ? (uint8_t)text[i] : '?';
}

int km_rpc_encode_progress(struct km_buf *b, uint32_t seq, const char *text)
{
	size_t len = strnlen(text, KM_RPC_MAX_TEXT);

	put_head(b, KM_RPC_PROGRESS, seq, 4 + len);
	put_text(b, text, len);
	return b->err;
}

int km_rpc_encode_done(struct km_buf *b, uint32_t seq, const char *text)
{
	size_t len = strnlen(text, KM_RPC_MAX_TEXT);

	put_head(b, KM_RPC_DONE, seq, 4 + len);
	put_text(b, text, len);
	return b->err;
}

int km_rpc_encode_error(struct km_buf *b, uint32_t seq, int err, const char *text)
{
	size_t len;

	if (err >= 0)
		return KM_E_INVAL;
	if (!text)
		text = km_strerror(err);
	len = strnlen(text, KM_RPC_MAX_TEXT);
	put_head(b, KM_RPC_ERROR, seq, 4 + 4 + len);
	km_put_u32(b, (uint32_t)err);
	put_text(b, text, len);
	return b->err;
}

int km_rpc_decode_text(const struct km_rpc_frame *f, struct km_rpc_text *m)
{
	int err, json = f->type == KM_RPC_JSON;
	struct km_reader r;

	memset(m, 0, sizeof(*m));
	if (!json && f->type != KM_RPC_PROGRESS && f->type != KM_RPC_DONE && f->type != KM_RPC_ERROR)
		return KM_E_INVAL;
	km_reader_init(&r, f->body, f->len);
	if (f->type == KM_RPC_ERROR) {
		uint32_t code = km_get_u32(&r);

		/* Two's complement by hand: the cast of a large u32 to int is the compiler's to define. */
		if (code > 0x80000000u)
			m->err = -(int)(~code + 1u);
		else if (!r.err)
			km_reader_fail(&r, KM_E_RANGE);
	}
	m->text = (const char *)km_get_lref(&r, &m->len, json ? KM_RPC_MAX_JSON : KM_RPC_MAX_TEXT);
	err = km_reader_end(&r);
	if (!err && !text_valid(m->text, m->len, json))
		err = KM_E_ENCODING;
	if (err)
		memset(m, 0, sizeof(*m));
	return err;
}
