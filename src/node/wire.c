/* wire.c: the frames between nodes that carry state: HELLO, HEALTH, PING, PONG. What they have in common: nothing in them is
 * secret or signed; the channel says who sent them. */
#include "config.h"
#include "node/wire.h"

#include <stdlib.h>
#include <string.h>
#include "node/wire_impl.h"
#include "proto/table.h"

int km_status_to_err(unsigned status)
{
	static const int errs[] = {
		[KM_STATUS_OK] = KM_OK,
		[KM_STATUS_UNKNOWN_PRESIG] = KM_E_EMPTY,
		[KM_STATUS_BAD_MAC] = KM_E_AUTH,
		[KM_STATUS_STALE] = KM_E_STALE,
		[KM_STATUS_RIGHTS] = KM_E_RIGHTS,
		[KM_STATUS_RATE] = KM_E_RATE,
		[KM_STATUS_CONTEXT] = KM_E_CONTEXT,
		[KM_STATUS_EPOCH] = KM_E_STATE,
		[KM_STATUS_UNKNOWN_KEY] = KM_E_NOTFOUND,
		[KM_STATUS_EMPTY] = KM_E_EMPTY,
		[KM_STATUS_NO_QUORUM] = KM_E_NOQUORUM,
		[KM_STATUS_BUSY] = KM_E_BUSY,
		[KM_STATUS_DEGENERATE] = KM_E_DEGENERATE,
		[KM_STATUS_INTERNAL] = KM_E_STATE,
		[KM_STATUS_AGAIN] = KM_E_EMPTY,
	};

	return status < sizeof(errs) / sizeof(errs[0]) ? errs[status] : KM_E_ENCODING;
}

void km_wire_open(struct km_reader *r, enum km_frame kind, const uint8_t *p, size_t n)
{
	km_reader_init(r, p, n);
	if (km_get_u8(r) != kind)
		km_reader_fail(r, KM_E_ENCODING);
}

int km_wire_close(const struct km_reader *r, void *out, size_t size)
{
	int err = km_reader_end(r);

	if (err)
		memset(out, 0, size);
	return err;
}

void km_hello_encode(struct km_buf *b, const struct km_hello *h)
{
	km_put_u8(b, KM_FRAME_HELLO);
	km_put_u16(b, h->version);
	km_put_u8(b, h->id);
	km_put_u8(b, h->n);
	km_put_bytes(b, h->incarnation, KM_NONCE_SIZE);
	km_put_bytes(b, h->roster, KM_HASH_SIZE);
	km_put_u64(b, h->time_ms);
}

int km_hello_decode(struct km_hello *h, const uint8_t *p, size_t n)
{
	struct km_reader r;

	memset(h, 0, sizeof(*h));
	km_wire_open(&r, KM_FRAME_HELLO, p, n);
	h->version = km_get_u16(&r);
	h->id = km_get_u8(&r);
	h->n = km_get_u8(&r);
	km_get_bytes(&r, h->incarnation, KM_NONCE_SIZE);
	km_get_bytes(&r, h->roster, KM_HASH_SIZE);
	h->time_ms = km_get_u64(&r);
	if (h->id < 1 || h->id > KM_MAX_PEERS || h->n < 1 || h->n > KM_MAX_PEERS)
		km_reader_fail(&r, KM_E_RANGE);
	return km_wire_close(&r, h, sizeof(*h));
}

void km_health_encode(struct km_buf *b, const struct km_health *h)
{
	KM_ASSERT(h->n_tables <= KM_HEALTH_MAX_TABLES);
	km_put_u8(b, KM_FRAME_HEALTH);
	km_put_bytes(b, h->incarnation, KM_NONCE_SIZE);
	km_put_bytes(b, h->roster, KM_HASH_SIZE);
	km_put_u64(b, h->time_ms);
	km_put_u64(b, h->echo_us);
	km_put_u64(b, h->delay_us);
	km_put_u64(b, h->sent_us);
	km_put_u8(b, h->n_tables);
	for (unsigned i = 0; i < h->n_tables; i++) {
		km_put_bytes(b, h->table[i], KM_HASH_SIZE);
		km_put_u32(b, h->ready[i]);
	}
}

int km_health_decode(struct km_health *h, const uint8_t *p, size_t n)
{
	struct km_reader r;

	memset(h, 0, sizeof(*h));
	km_wire_open(&r, KM_FRAME_HEALTH, p, n);
	km_get_bytes(&r, h->incarnation, KM_NONCE_SIZE);
	km_get_bytes(&r, h->roster, KM_HASH_SIZE);
	h->time_ms = km_get_u64(&r);
	h->echo_us = km_get_u64(&r);
	h->delay_us = km_get_u64(&r);
	h->sent_us = km_get_u64(&r);
	h->n_tables = km_get_u8(&r);
	if (h->n_tables > KM_HEALTH_MAX_TABLES) {
		km_reader_fail(&r, KM_E_LIMIT);
		h->n_tables = 0;
	}
	for (unsigned i = 0; i < h->n_tables; i++) {
		km_get_bytes(&r, h->table[i], KM_HASH_SIZE);
		h->ready[i] = km_get_u32(&r);
	}
	return km_wire_close(&r, h, sizeof(*h));
}

void km_ping_encode(struct km_buf *b, uint64_t sent_us)
{
	km_put_u8(b, KM_FRAME_PING);
	km_put_u64(b, sent_us);
}

int km_ping_decode(uint64_t *sent_us, const uint8_t *p, size_t n)
{
	struct km_reader r;

	km_wire_open(&r, KM_FRAME_PING, p, n);
	*sent_us = km_get_u64(&r);
	return km_wire_close(&r, sent_us, sizeof(*sent_us));
}

void km_pong_encode(struct km_buf *b, const struct km_pong *p)
{
	KM_ASSERT(p->n_keys <= KM_MAX_KEYS);
	km_put_u8(b, KM_FRAME_PONG);
	km_put_u64(b, p->echo_us);
	km_put_bytes(b, p->roster, KM_HASH_SIZE);
	km_put_u64(b, p->time_ms);
	km_put_u32(b, p->live);
	km_put_u16(b, (uint16_t)p->n_keys);
	for (unsigned i = 0; i < p->n_keys; i++) {
		const struct km_pong_key *k = &p->keys[i];
		size_t len = strnlen(k->name, KM_MAX_NAME);

		km_put_bytes(b, k->key_id, KM_HASH_SIZE);
		km_put_bytes(b, k->table, KM_HASH_SIZE);
		km_put_u8(b, (uint8_t)len);
		km_put_bytes(b, k->name, len);
		km_put_u32(b, k->ready);
	}
}

static void pong_key_get(struct km_reader *r, struct km_pong_key *k)
{
	const uint8_t *name;
	size_t len;

	km_get_bytes(r, k->key_id, KM_HASH_SIZE);
	km_get_bytes(r, k->table, KM_HASH_SIZE);
	len = km_get_u8(r);
	name = km_get_ref(r, len);
	/* WHY here: a name reaches logs and status; what is not a name must not get that far */
	if (name && km_name_valid((const char *)name, len))
		memcpy(k->name, name, len);
	else
		km_reader_fail(r, KM_E_ENCODING);
	k->ready = km_get_u32(r);
}

int km_pong_decode(struct km_pong *out, const uint8_t *p, size_t n)
{
	struct km_reader r;
	int err;

	memset(out, 0, sizeof(*out));
	km_wire_open(&r, KM_FRAME_PONG, p, n);
	out->echo_us = km_get_u64(&r);
	km_get_bytes(&r, out->roster, KM_HASH_SIZE);
	out->time_ms = km_get_u64(&r);
	out->live = km_get_u32(&r);
	out->n_keys = km_get_u16(&r);
	/* WHY before the allocation: the count is the sender's claim, the bytes are the fact */
	if (out->n_keys > KM_MAX_KEYS)
		km_reader_fail(&r, KM_E_LIMIT);
	else if (km_reader_left(&r) / (2 * KM_HASH_SIZE + 6) < out->n_keys)
		km_reader_fail(&r, KM_E_TRUNCATED);
	if (!r.err && out->n_keys) {
		out->keys = calloc(out->n_keys, sizeof(*out->keys));
		if (!out->keys)
			km_reader_fail(&r, KM_E_NOMEM);
	}
	for (unsigned i = 0; !r.err && i < out->n_keys; i++)
		pong_key_get(&r, &out->keys[i]);
	err = km_reader_end(&r);
	if (err)
		km_pong_clear(out);
	return err;
}

void km_pong_clear(struct km_pong *p)
{
	free(p->keys);
	memset(p, 0, sizeof(*p));
}

void km_table_ask_encode(struct km_buf *b, const uint8_t table[KM_HASH_SIZE])
{
	km_put_u8(b, KM_FRAME_TABLE_ASK);
	km_put_bytes(b, table, KM_HASH_SIZE);
}

int km_table_ask_decode(uint8_t table[KM_HASH_SIZE], const uint8_t *p, size_t n)
{
	struct km_reader r;

	km_wire_open(&r, KM_FRAME_TABLE_ASK, p, n);
	km_get_bytes(&r, table, KM_HASH_SIZE);
	return km_wire_close(&r, table, KM_HASH_SIZE);
}
