/* derscan.h: a strict reader of DER (X.690): definite lengths in their shortest form, low tag numbers, nothing left over. It never
 * allocates and never recurses. Sticky error as km_reader: scan ten items, ask once.
 *
 *	struct km_derscan d, seq;
 *	km_derscan_init(&d, bytes, len);
 *	km_derscan_enter(&d, KM_DER_SEQUENCE, &seq);
 *	km_derscan_integer(&seq, &item);
 *	ok = km_derscan_end(&seq) && km_derscan_end(&d);
 */
#ifndef KM_NODE_DERSCAN_H
#define KM_NODE_DERSCAN_H

#include <stddef.h>
#include <stdint.h>
#include "../base/err.h"

enum km_der_tag {
	KM_DER_BOOLEAN = 0x01, KM_DER_INTEGER = 0x02, KM_DER_BIT_STRING = 0x03, KM_DER_OCTET_STRING = 0x04, KM_DER_NULL = 0x05,
	KM_DER_OID = 0x06, KM_DER_UTF8 = 0x0c, KM_DER_PRINTABLE = 0x13, KM_DER_TELETEX = 0x14, KM_DER_IA5 = 0x16, KM_DER_UTCTIME = 0x17,
	KM_DER_GENTIME = 0x18, KM_DER_UNIVERSAL = 0x1c, KM_DER_BMP = 0x1e, KM_DER_SEQUENCE = 0x30, KM_DER_SET = 0x31,
	KM_DER_CONTEXT_0 = 0xa0, KM_DER_CONTEXT_3 = 0xa3,
};

struct km_derscan {
	const uint8_t *p, *end;
	int bad;                 /* sticky */
};

struct km_der_item {
	uint8_t tag;             /* 0 after an error */
	const uint8_t *whole;    /* tag, length, contents */
	size_t whole_len;
	const uint8_t *p;        /* contents */
	size_t len;
};

/* Nesting that any structure here may reach; deeper input is refused. */
#define KM_DER_MAX_DEPTH 16

void km_derscan_init(struct km_derscan *d, const void *p, size_t n);
void km_derscan_fail(struct km_derscan *d);
/* 1 when nothing failed and nothing is left. */
int km_derscan_end(const struct km_derscan *d) KM_MUST;
/* 1 when more is there (and nothing failed). */
int km_derscan_more(const struct km_derscan *d);
/* Tag of the next item, 0 when there is none. */
unsigned km_derscan_peek(const struct km_derscan *d);
/* The next item, whatever it is. */
void km_derscan_any(struct km_derscan *d, struct km_der_item *out);
/* The next item, which must have this tag. */
void km_derscan_take(struct km_derscan *d, unsigned tag, struct km_der_item *out);
/* Takes an item and opens its contents; inner is failed when d is. */
void km_derscan_enter(struct km_derscan *d, unsigned tag, struct km_derscan *inner);
/* Takes with their DER rules: shortest INTEGER; OBJECT IDENTIFIER; BOOLEAN that is TRUE (FALSE is everywhere the default, and
 * defaults are left out); BIT STRING with its unused bits zero. */
void km_derscan_integer(struct km_derscan *d, struct km_der_item *out);
void km_derscan_oid(struct km_derscan *d, struct km_der_item *out);
void km_derscan_true(struct km_derscan *d);
void km_derscan_bits(struct km_derscan *d, struct km_der_item *out, unsigned *unused);
/* 1 if contents equal the n bytes. */
int km_der_item_is(const struct km_der_item *it, const void *p, size_t n);
/* 1 if the n bytes are well-formed DER items to the last byte, constructed ones inside too, primitives of universal types by their
 * rules, at most KM_DER_MAX_DEPTH deep. */
int km_derscan_well_formed(const void *p, size_t n) KM_MUST;

#endif
