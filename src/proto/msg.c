/* msg.c: building, splitting and checking signed envelopes. */
#include "msg.h"

#include <stdlib.h>
#include <string.h>
#include "../base/hash.h"
#include "../base/rules.h"
#include "../base/secret.h"
#include "../base/sig.h"

static const char sign_prefix[] = "keymesh/1/message";

/* WHY not over the signature: one author can sign one content twice, and two digests of one message would split a view
 * without a proof (attack A22). */
static void content_digest(const uint8_t raw[KM_MSG_HEAD], uint8_t out[KM_HASH_SIZE])
{
	struct km_hash h;

	km_hash_init(&h, "content");
	km_hash_field(&h, raw, KM_RULE(km_rule_content_digest) ? KM_MSG_CONTENT : KM_MSG_HEAD);
	km_hash_final(&h, out);
}

static void get_head(struct km_msg *m, struct km_reader *r)
{
	m->version = km_get_u16(r);
	m->proto = km_get_u8(r);
	m->round = km_get_u8(r);
	m->sender = km_get_u8(r);
	m->recipient = km_get_u8(r);
	m->body_len = km_get_u32(r);
	km_get_bytes(r, m->sid, sizeof(m->sid));
	km_get_bytes(r, m->root, sizeof(m->root));
	km_get_bytes(r, m->sig, sizeof(m->sig));
}

static int parsed(struct km_msg *m, const uint8_t *raw, int err)
{
	if (!err && m->version != KM_MSG_VERSION)
		err = KM_E_VERSION;
	if (err) {
		memset(m, 0, sizeof(*m));
		return err;
	}
	m->raw = raw;
	content_digest(raw, m->digest);
	return KM_OK;
}

int km_msg_parse(struct km_msg *m, const uint8_t *raw, size_t len)
{
	struct km_reader r;

	memset(m, 0, sizeof(*m));
	if (len > KM_MAX_ENVELOPE)
		return KM_E_LIMIT;
	km_reader_init(&r, raw, len);
	get_head(m, &r);
	m->body = km_get_ref(&r, m->body_len);
	return parsed(m, raw, km_reader_end(&r));
}

int km_msg_parse_head(struct km_msg *m, const uint8_t *raw, size_t len)
{
	struct km_reader r;

	memset(m, 0, sizeof(*m));
	if (len < KM_MSG_HEAD)
		return KM_E_TRUNCATED;
	km_reader_init(&r, raw, KM_MSG_HEAD);
	get_head(m, &r);
	return parsed(m, raw, m->body_len > KM_MAX_ENVELOPE - KM_MSG_HEAD ? KM_E_LIMIT : km_reader_end(&r));
}

static void sign_input(uint8_t out[sizeof(sign_prefix) - 1 + KM_MSG_CONTENT], const uint8_t content[KM_MSG_CONTENT])
{
	memcpy(out, sign_prefix, sizeof(sign_prefix) - 1);
	memcpy(out + sizeof(sign_prefix) - 1, content, KM_MSG_CONTENT);
}

int km_msg_verify_sig(const struct km_msg *m, const uint8_t author[KM_IDKEY_SIZE])
{
	uint8_t in[sizeof(sign_prefix) - 1 + KM_MSG_CONTENT];

	sign_input(in, m->raw);
	return km_ed25519_verify(author, in, sizeof(in), m->sig);
}

uint64_t km_shape_size(const struct km_shape *s)
{
	return s->head + (uint64_t)s->row * s->rows;
}

static uint8_t *leaves_of(const struct km_shape *shape, const uint8_t *body)
{
	size_t n = (size_t)shape->rows + 1;
	uint8_t *leaves = calloc(n, KM_HASH_SIZE);

	if (!leaves)
		return NULL;
	km_merkle_leaf(body, shape->head, leaves);
	for (size_t i = 1; i < n; i++)
		km_merkle_leaf(body + shape->head + (i - 1) * shape->row, shape->row, leaves + i * KM_HASH_SIZE);
	return leaves;
}

int km_msg_root(uint8_t root[KM_HASH_SIZE], const struct km_shape *shape, const uint8_t *body)
{
	uint8_t *leaves = leaves_of(shape, body);

	if (!leaves)
		return KM_E_NOMEM;
	km_merkle_root(leaves, (size_t)shape->rows + 1, root);
	/* of a secret body, too: the root stands in the clear part of the envelope */
	km_declassify(root, KM_HASH_SIZE);
	free(leaves);
	return KM_OK;
}

int km_msg_path(uint8_t (*path)[KM_HASH_SIZE], unsigned *count, const struct km_shape *shape, const uint8_t *body, uint32_t leaf)
{
	*count = 0;
	if (leaf > shape->rows)
		return KM_E_RANGE;
	uint8_t *leaves = leaves_of(shape, body);
	if (!leaves)
		return KM_E_NOMEM;
	*count = km_merkle_path(leaves, (size_t)shape->rows + 1, leaf, path);
	free(leaves);
	return KM_OK;
}

int km_msg_path_check(const struct km_msg *m, const struct km_shape *shape, uint32_t leaf, const uint8_t *p, size_t len,
		      const uint8_t *path, unsigned count)
{
	uint8_t hash[KM_HASH_SIZE];

	if (km_shape_size(shape) != m->body_len || leaf > shape->rows || len != (leaf ? shape->row : shape->head))
		return KM_E_VERIFY;
	km_merkle_leaf(p, len, hash);
	return km_merkle_check(hash, leaf, (size_t)shape->rows + 1, path, count, m->root);
}

int km_msg_check_body(const struct km_msg *m, const struct km_shape *shape)
{
	uint8_t root[KM_HASH_SIZE];

	if (km_shape_size(shape) != m->body_len)
		return KM_E_MISMATCH;
	int err = km_msg_root(root, shape, m->body);
	if (err)
		return err;
	return memcmp(root, m->root, sizeof(root)) == 0 ? KM_OK : KM_E_MISMATCH;
}

/* The signed header of a body. */
static int make_head(uint8_t out[KM_MSG_HEAD], uint8_t proto, uint8_t round, uint8_t sender, uint8_t recipient, const uint8_t sid[KM_HASH_SIZE],
		     const struct km_shape *shape, const uint8_t *body, const struct km_identity *id)
{
	uint8_t root[KM_HASH_SIZE], in[sizeof(sign_prefix) - 1 + KM_MSG_CONTENT];
	uint64_t size = km_shape_size(shape);
	struct km_buf b;

	if (size > KM_MAX_ENVELOPE - KM_MSG_HEAD)
		return KM_E_LIMIT;
	int err = km_msg_root(root, shape, body);
	if (err)
		return err;
	km_buf_init_fixed(&b, out, KM_MSG_CONTENT);
	km_put_u16(&b, KM_MSG_VERSION);
	km_put_u8(&b, proto);
	km_put_u8(&b, round);
	km_put_u8(&b, sender);
	km_put_u8(&b, recipient);
	km_put_u32(&b, (uint32_t)size);
	km_put_bytes(&b, sid, KM_HASH_SIZE);
	km_put_bytes(&b, root, sizeof(root));
	KM_ASSERT(!b.err && b.len == KM_MSG_CONTENT);

	sign_input(in, out);
	km_ed25519_sign(id->pub, id->priv, in, sizeof(in), out + KM_MSG_CONTENT);
	km_declassify(out + KM_MSG_CONTENT, KM_SIG_SIZE);
	return KM_OK;
}

int km_msg_seal(uint8_t *raw, uint8_t proto, uint8_t round, uint8_t sender, uint8_t recipient, const uint8_t sid[KM_HASH_SIZE],
		const struct km_shape *shape, const struct km_identity *id)
{
	return make_head(raw, proto, round, sender, recipient, sid, shape, raw + KM_MSG_HEAD, id);
}

int km_msg_build(struct km_buf *out, uint8_t proto, uint8_t round, uint8_t sender, uint8_t recipient, const uint8_t sid[KM_HASH_SIZE],
		 const struct km_shape *shape, const uint8_t *body, const struct km_identity *id)
{
	uint8_t head[KM_MSG_HEAD];
	int err = make_head(head, proto, round, sender, recipient, sid, shape, body, id);

	if (err)
		return err;
	km_buf_reserve(out, KM_MSG_HEAD + (size_t)km_shape_size(shape));
	km_put_bytes(out, head, sizeof(head));
	km_put_bytes(out, body, (size_t)km_shape_size(shape));
	return out->err;
}
