/* buf.h: the codec of every byte keymesh sends or stores: big endian, fixed width, sticky error.
 *
 * A writer or reader that failed once stays failed; so a codec writes or reads ten fields and checks once.
 *
 *	struct km_reader r;
 *	km_reader_init(&r, bytes, len);
 *	id = km_get_u8(&r);
 *	km_get_bytes(&r, hash, 32);
 *	err = km_reader_end(&r);        KM_E_TRUNCATED, KM_E_TRAILING or KM_OK
 */
#ifndef KM_BASE_BUF_H
#define KM_BASE_BUF_H

#include <stddef.h>
#include <stdint.h>
#include "err.h"

/* Growing or fixed output. */
struct km_buf {
	uint8_t *data;  /* owned when growing */
	size_t len, cap;
	int err;        /* sticky: KM_E_NOMEM, KM_E_SPACE, KM_E_LIMIT */
	int fixed;
};

void km_buf_init(struct km_buf *b);                              /* grows on the heap; km_buf_clear frees (and wipes) */
void km_buf_init_fixed(struct km_buf *b, void *mem, size_t cap); /* writes into mem, not owned */
void km_buf_clear(struct km_buf *b);
void km_buf_reset(struct km_buf *b);                             /* len = 0, error kept off, memory kept */
/* Gives the bytes away (caller frees with free) and leaves the buffer empty; NULL when it has failed. */
uint8_t *km_buf_take(struct km_buf *b, size_t *len) KM_MUST;

void km_put_u8(struct km_buf *b, uint8_t v);
void km_put_u16(struct km_buf *b, uint16_t v);
void km_put_u32(struct km_buf *b, uint32_t v);
void km_put_u64(struct km_buf *b, uint64_t v);
void km_put_bytes(struct km_buf *b, const void *p, size_t n);
/* u32 length, then the bytes. */
void km_put_lbytes(struct km_buf *b, const void *p, size_t n);
/* Room for n bytes, to be filled by the caller; NULL (and sticky error) when there is none. */
uint8_t *km_put_room(struct km_buf *b, size_t n);
/* Reserve capacity ahead. */
void km_buf_reserve(struct km_buf *b, size_t n);

struct km_reader {
	const uint8_t *p, *end;
	int err;        /* sticky: KM_E_TRUNCATED or KM_E_LIMIT */
};

void km_reader_init(struct km_reader *r, const void *p, size_t n);
uint8_t km_get_u8(struct km_reader *r);     /* 0 after an error, as all readers */
uint16_t km_get_u16(struct km_reader *r);
uint32_t km_get_u32(struct km_reader *r);
uint64_t km_get_u64(struct km_reader *r);
void km_get_bytes(struct km_reader *r, void *out, size_t n);     /* zeros after an error */
const uint8_t *km_get_ref(struct km_reader *r, size_t n);        /* into the input; NULL after an error */
/* u32 length (at most max, else KM_E_LIMIT), then that many bytes, by reference. */
const uint8_t *km_get_lref(struct km_reader *r, size_t *n, size_t max);
size_t km_reader_left(const struct km_reader *r);
void km_reader_fail(struct km_reader *r, int err);
/* KM_OK when nothing failed and nothing is left. */
int km_reader_end(const struct km_reader *r) KM_MUST;

#endif
