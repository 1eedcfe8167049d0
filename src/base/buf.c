/* buf.c: the codec of bytes. */
#include "config.h"
#include "base/buf.h"

#include <stdlib.h>
#include <string.h>
#include "base/limits.h"
#include "base/secret.h"

/* WHY a bound: a growing buffer never holds more than one envelope and its wrapping; anything beyond is a bug or
 * an attack, and must not become an allocation. */
#define BUF_MAX ((size_t)4 * KM_MAX_ENVELOPE)

void km_buf_init(struct km_buf *b)
{
	memset(b, 0, sizeof(*b));
}

void km_buf_init_fixed(struct km_buf *b, void *mem, size_t cap)
{
	memset(b, 0, sizeof(*b));
	b->data = mem;
	b->cap = cap;
	b->fixed = 1;
}

void km_buf_clear(struct km_buf *b)
{
	if (!b->fixed && b->data) {
		km_wipe(b->data, b->cap);
		free(b->data);
	}
	memset(b, 0, sizeof(*b));
}

void km_buf_reset(struct km_buf *b)
{
	b->len = 0;
	b->err = 0;
}

uint8_t *km_buf_take(struct km_buf *b, size_t *len)
{
	uint8_t *data;

	KM_ASSERT(!b->fixed);
	*len = 0;
	if (b->err) {
		km_buf_clear(b);
		return NULL;
	}
	/* an empty buffer gives a block too: NULL means failure and nothing else */
	if (!b->data)
		km_buf_reserve(b, 1);
	data = b->data;
	if (data)
		*len = b->len;
	memset(b, 0, sizeof(*b));
	return data;
}

static void fail(struct km_buf *b, int err)
{
	if (!b->err)
		b->err = err;
}

void km_buf_reserve(struct km_buf *b, size_t n)
{
	size_t cap;
	uint8_t *data;

	if (b->err || n <= b->cap - b->len)
		return;
	if (b->fixed) {
		fail(b, KM_E_SPACE);
		return;
	}
	if (n > BUF_MAX || b->len > BUF_MAX - n) {
		fail(b, KM_E_LIMIT);
		return;
	}
	cap = b->cap ? b->cap : 256;
	while (cap < b->len + n)
		cap *= 2;
	/* not realloc: the old bytes may be secret and must be wiped */
	data = malloc(cap);
	if (!data) {
		fail(b, KM_E_NOMEM);
		return;
	}
	if (b->data) {
		memcpy(data, b->data, b->len);
		km_wipe(b->data, b->cap);
		free(b->data);
	}
	b->data = data;
	b->cap = cap;
}

uint8_t *km_put_room(struct km_buf *b, size_t n)
{
	uint8_t *p;

	km_buf_reserve(b, n ? n : !b->data && !b->fixed);
	if (b->err)
		return NULL;
	p = b->data + b->len;
	b->len += n;
	return p;
}

static void put_be(struct km_buf *b, uint64_t v, unsigned n)
{
	uint8_t *p = km_put_room(b, n);

	if (!p)
		return;
	for (unsigned i = 0; i < n; i++)
		p[i] = (uint8_t)(v >> (8 * (n - 1 - i)));
}

void km_put_u8(struct km_buf *b, uint8_t v)
{
	put_be(b, v, 1);
}

void km_put_u16(struct km_buf *b, uint16_t v)
{
	put_be(b, v, 2);
}

void km_put_u32(struct km_buf *b, uint32_t v)
{
	put_be(b, v, 4);
}

void km_put_u64(struct km_buf *b, uint64_t v)
{
	put_be(b, v, 8);
}

void km_put_bytes(struct km_buf *b, const void *p, size_t n)
{
	uint8_t *room;

	if (!n)
		return;
	room = km_put_room(b, n);
	if (room)
		memcpy(room, p, n);
}

void km_put_lbytes(struct km_buf *b, const void *p, size_t n)
{
	if (n > BUF_MAX) {
		fail(b, KM_E_LIMIT);
		return;
	}
	km_put_u32(b, (uint32_t)n);
	km_put_bytes(b, p, n);
}

void km_reader_init(struct km_reader *r, const void *p, size_t n)
{
	static const uint8_t nothing[1];

	/* NULL with n = 0 is an empty input, without arithmetic on NULL */
	r->p = p ? p : nothing;
	r->end = r->p + (p ? n : 0);
	r->err = 0;
}

size_t km_reader_left(const struct km_reader *r)
{
	return r->err ? 0 : (size_t)(r->end - r->p);
}

void km_reader_fail(struct km_reader *r, int err)
{
	KM_ASSERT(err < 0);
	if (!r->err)
		r->err = err;
}

const uint8_t *km_get_ref(struct km_reader *r, size_t n)
{
	const uint8_t *p = r->p;

	if (r->err)
		return NULL;
	if (n > (size_t)(r->end - r->p)) {
		km_reader_fail(r, KM_E_TRUNCATED);
		return NULL;
	}
	r->p += n;
	return p;
}

static uint64_t get_be(struct km_reader *r, unsigned n)
{
	const uint8_t *p = km_get_ref(r, n);
	uint64_t v = 0;

	if (!p)
		return 0;
	for (unsigned i = 0; i < n; i++)
		v = v << 8 | p[i];
	return v;
}

uint8_t km_get_u8(struct km_reader *r)
{
	return (uint8_t)get_be(r, 1);
}

uint16_t km_get_u16(struct km_reader *r)
{
	return (uint16_t)get_be(r, 2);
}

uint32_t km_get_u32(struct km_reader *r)
{
	return (uint32_t)get_be(r, 4);
}

uint64_t km_get_u64(struct km_reader *r)
{
	return get_be(r, 8);
}

void km_get_bytes(struct km_reader *r, void *out, size_t n)
{
	const uint8_t *p = km_get_ref(r, n);

	if (!n)
		return;
	if (p)
		memcpy(out, p, n);
	else
		memset(out, 0, n);
}

const uint8_t *km_get_lref(struct km_reader *r, size_t *n, size_t max)
{
	uint32_t len = km_get_u32(r);
	const uint8_t *p;

	*n = 0;
	if (!r->err && len > max)
		km_reader_fail(r, KM_E_LIMIT);
	p = km_get_ref(r, len);
	if (p)
		*n = len;
	return p;
}

int km_reader_end(const struct km_reader *r)
{
	if (r->err)
		return r->err;
	return r->p == r->end ? KM_OK : KM_E_TRAILING;
}
