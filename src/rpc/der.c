/* der.c: DER of ECDSA signatures. */
#include "config.h"
#include "rpc/der.h"

#include <string.h>

#define DER_INTEGER 0x02
#define DER_SEQUENCE 0x30

void km_der_put_head(struct km_buf *b, unsigned tag, size_t len)
{
	km_put_u8(b, (uint8_t)tag);
	if (len < 0x80) {
		km_put_u8(b, (uint8_t)len);
	} else if (len < 0x100) {
		km_put_u8(b, 0x81);
		km_put_u8(b, (uint8_t)len);
	} else {
		/* no object written here comes near 64 KiB */
		KM_ASSERT(len < 0x10000);
		km_put_u8(b, 0x82);
		km_put_u16(b, (uint16_t)len);
	}
}

/* The significant bytes of an unsigned integer, and whether a zero byte must go before them. */
static size_t skip_zeros(const uint8_t **p, size_t n, unsigned *pad)
{
	while (n > 0 && **p == 0) {
		(*p)++;
		n--;
	}
	*pad = n > 0 && (**p & 0x80);
	return n;
}

int km_der_put_signature(struct km_buf *b, const uint8_t *r, const uint8_t *s, size_t size)
{
	const uint8_t *v[2] = {r, s};
	size_t n[2], total = 0;
	unsigned pad[2];

	if (size < 1 || size > KM_SCALAR_MAX)
		return KM_E_INVAL;
	for (int i = 0; i < 2; i++) {
		n[i] = skip_zeros(&v[i], size, &pad[i]);
		if (n[i] == 0)
			return KM_E_DEGENERATE;
		total += 2 + pad[i] + n[i];
	}
	km_der_put_head(b, DER_SEQUENCE, total);
	for (int i = 0; i < 2; i++) {
		km_der_put_head(b, DER_INTEGER, pad[i] + n[i]);
		if (pad[i])
			km_put_u8(b, 0);
		km_put_bytes(b, v[i], n[i]);
	}
	return b->err;
}

/* Lengths to 255 suffice for a signature; the shortest form is the only one. */
static size_t get_head(struct km_reader *r, unsigned tag)
{
	size_t len;

	if (km_get_u8(r) != tag && !r->err)
		km_reader_fail(r, KM_E_ENCODING);
	len = km_get_u8(r);
	if (len < 0x80)
		return len;
	if (len != 0x81) {
		if (!r->err)
			km_reader_fail(r, KM_E_ENCODING);
		return 0;
	}
	len = km_get_u8(r);
	if (!r->err && len < 0x80)
		km_reader_fail(r, KM_E_ENCODING);
	return len;
}

static void get_positive(struct km_reader *r, uint8_t *out, size_t size)
{
	size_t n = get_head(r, DER_INTEGER);
	const uint8_t *p = km_get_ref(r, n);

	if (!p)
		return;
	if (n == 0 || (p[0] & 0x80) || (p[0] == 0 && (n == 1 || !(p[1] & 0x80)))) {
		km_reader_fail(r, KM_E_ENCODING);
		return;
	}
	if (p[0] == 0) {
		p++;
		n--;
	}
	if (n > size) {
		km_reader_fail(r, KM_E_RANGE);
		return;
	}
	memset(out, 0, size - n);
	memcpy(out + size - n, p, n);
}

int km_der_get_signature(const uint8_t *der, size_t len, uint8_t *r, uint8_t *s, size_t size)
{
	struct km_reader rd;
	size_t n;
	int err;

	memset(r, 0, size);
	memset(s, 0, size);
	km_reader_init(&rd, der, len);
	n = get_head(&rd, DER_SEQUENCE);
	if (!rd.err && n != km_reader_left(&rd))
		km_reader_fail(&rd, n > km_reader_left(&rd) ? KM_E_TRUNCATED : KM_E_TRAILING);
	get_positive(&rd, r, size);
	get_positive(&rd, s, size);
	err = km_reader_end(&rd);
	if (err) {
		memset(r, 0, size);
		memset(s, 0, size);
	}
	return err;
}
