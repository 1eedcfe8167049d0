/* derscan.c: strict DER. WHY strict: what we sign must have one reading; every byte a lenient parser skips is a byte in which another
 * structure can hide. */
#include "config.h"
#include "node/derscan.h"

#include <string.h>
#include "base/limits.h"

void km_derscan_init(struct km_derscan *d, const void *p, size_t n)
{
	d->p = p;
	d->end = d->p ? d->p + n : NULL;
	d->bad = 0;
}

void km_derscan_fail(struct km_derscan *d)
{
	d->bad = 1;
	d->p = d->end;
}

int km_derscan_end(const struct km_derscan *d)
{
	return !d->bad && d->p == d->end;
}

int km_derscan_more(const struct km_derscan *d)
{
	return !d->bad && d->p != d->end;
}

unsigned km_derscan_peek(const struct km_derscan *d)
{
	return km_derscan_more(d) ? *d->p : 0;
}

/* The length after a tag: short form, or the fewest bytes of a long form. */
static int get_length(struct km_derscan *d, size_t *out)
{
	size_t len, bytes;

	if (d->p == d->end)
		return 0;
	len = *d->p++;
	if (len >= 0x80) {
		bytes = len & 0x7f;
		/* 0x80 is the indefinite form; nothing here needs more than three bytes of length */
		if (bytes < 1 || bytes > 3 || (size_t)(d->end - d->p) < bytes || !d->p[0])
			return 0;
		for (len = 0; bytes; bytes--)
			len = len << 8 | *d->p++;
		if (len < 0x80)
			return 0;
	}
	*out = len;
	return len <= (size_t)(d->end - d->p);
}

void km_derscan_any(struct km_derscan *d, struct km_der_item *out)
{
	size_t len;

	memset(out, 0, sizeof(*out));
	if (!km_derscan_more(d)) {
		km_derscan_fail(d);
		return;
	}
	out->whole = d->p;
	out->tag = *d->p++;
	/* a tag number of 31 opens the long form, which nothing here has; tag 0 is "end of contents" of the indefinite form */
	if ((out->tag & 0x1f) == 0x1f || !out->tag || !get_length(d, &len)) {
		memset(out, 0, sizeof(*out));
		km_derscan_fail(d);
		return;
	}
	out->p = d->p;
	out->len = len;
	d->p += len;
	out->whole_len = (size_t)(d->p - out->whole);
}

void km_derscan_take(struct km_derscan *d, unsigned tag, struct km_der_item *out)
{
	km_derscan_any(d, out);
	if (out->tag != tag) {
		memset(out, 0, sizeof(*out));
		km_derscan_fail(d);
	}
}

void km_derscan_enter(struct km_derscan *d, unsigned tag, struct km_derscan *inner)
{
	struct km_der_item it;

	km_derscan_take(d, tag, &it);
	km_derscan_init(inner, it.p, it.len);
	inner->bad = d->bad;
}

int km_der_item_is(const struct km_der_item *it, const void *p, size_t n)
{
	return it->tag && it->len == n && !memcmp(it->p, p, n);
}

static int integer_ok(const struct km_der_item *it)
{
	if (!it->len)
		return 0;
	return it->len == 1 || !((it->p[0] == 0 && it->p[1] < 0x80) || (it->p[0] == 0xff && it->p[1] >= 0x80));
}

static int oid_ok(const struct km_der_item *it)
{
	if (!it->len || it->p[it->len - 1] & 0x80)
		return 0;
	for (size_t i = 0; i < it->len; i++)
		/* 0x80 first in a subidentifier is a leading zero */
		if (it->p[i] == 0x80 && (!i || !(it->p[i - 1] & 0x80)))
			return 0;
	return 1;
}

static int bits_ok(const struct km_der_item *it)
{
	if (!it->len || it->p[0] > 7)
		return 0;
	if (it->len == 1)
		return it->p[0] == 0;
	return !(it->p[it->len - 1] & ((1u << it->p[0]) - 1));
}

void km_derscan_integer(struct km_derscan *d, struct km_der_item *out)
{
	km_derscan_take(d, KM_DER_INTEGER, out);
	if (!d->bad && !integer_ok(out))
		km_derscan_fail(d);
}

void km_derscan_oid(struct km_derscan *d, struct km_der_item *out)
{
	km_derscan_take(d, KM_DER_OID, out);
	if (!d->bad && !oid_ok(out))
		km_derscan_fail(d);
}

void km_derscan_true(struct km_derscan *d)
{
	struct km_der_item it;

	km_derscan_take(d, KM_DER_BOOLEAN, &it);
	if (!km_der_item_is(&it, "\xff", 1))
		km_derscan_fail(d);
}

void km_derscan_bits(struct km_derscan *d, struct km_der_item *out, unsigned *unused)
{
	*unused = 0;
	km_derscan_take(d, KM_DER_BIT_STRING, out);
	if (d->bad || !bits_ok(out)) {
		km_derscan_fail(d);
		return;
	}
	*unused = out->p[0];
	out->p++;
	out->len--;
}

static int primitive_ok(const struct km_der_item *it)
{
	switch (it->tag) {
	case KM_DER_BOOLEAN:
		return it->len == 1 && (it->p[0] == 0 || it->p[0] == 0xff);
	case KM_DER_INTEGER:
		return integer_ok(it);
	case KM_DER_BIT_STRING:
		return bits_ok(it);
	case KM_DER_OID:
		return oid_ok(it);
	case KM_DER_NULL:
		return it->len == 0;
	case KM_DER_BMP:
		return it->len % 2 == 0;
	case KM_DER_UNIVERSAL:
		return it->len % 4 == 0;
	case 0x10: /* SEQUENCE and SET are always constructed */
	case 0x11:
		return 0;
	default:
		return 1;
	}
}

int km_derscan_well_formed(const void *p, size_t n)
{
	const uint8_t *end[KM_DER_MAX_DEPTH];
	struct km_derscan d;
	struct km_der_item it;
	unsigned depth = 0;

	km_derscan_init(&d, p, n);
	end[0] = d.end;
	for (;;) {
		while (d.p == end[depth]) {
			if (!depth)
				return !d.bad;
			depth--;
		}
		d.end = end[depth];
		km_derscan_any(&d, &it);
		if (d.bad)
			return 0;
		if (!(it.tag & 0x20)) {
			if (!primitive_ok(&it))
				return 0;
			continue;
		}
		/* a universal type that is constructed is SEQUENCE, SET, EXTERNAL or a string in pieces: the last two are not DER here */
		if (it.tag < 0x40 && it.tag != KM_DER_SEQUENCE && it.tag != KM_DER_SET)
			return 0;
		if (++depth == KM_DER_MAX_DEPTH)
			return 0;
		end[depth] = it.p + it.len;
		d.p = it.p;
	}
}
