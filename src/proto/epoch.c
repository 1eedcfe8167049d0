/* epoch.c: names of epochs, STORED and certificates: public bytes and their checks. */
#include "epoch.h"

#include <string.h>
#include "../base/hash.h"
#include "../base/rules.h"

void km_epoch_of(struct km_epoch *e, const struct km_table *t)
{
	e->number = t->number;
	memcpy(e->sid, t->sid, KM_HASH_SIZE);
	memcpy(e->table, t->hash, KM_HASH_SIZE);
}

int km_epoch_cmp(const struct km_epoch *a, const struct km_epoch *b)
{
	if (a->number != b->number)
		return a->number < b->number ? -1 : 1;
	int d = memcmp(a->sid, b->sid, KM_HASH_SIZE);
	return d ? d : memcmp(a->table, b->table, KM_HASH_SIZE);
}

int km_epoch_ahead(uint64_t number, uint64_t now_ms)
{
	return number > now_ms / 1000 + KM_EPOCH_AHEAD_S;
}

/* WHY the table too: two of one run, with c members each, would lend each other STOREDs, and T of neither need be left (attack A17). */
static int same_name(const struct km_epoch *a, const struct km_epoch *b)
{
	if (!KM_RULE(km_rule_full_name))
		return a->number == b->number && memcmp(a->sid, b->sid, KM_HASH_SIZE) == 0;
	return km_epoch_cmp(a, b) == 0;
}

/* ---- STORED */

void km_stored_put(uint8_t body[KM_STORED_BODY], const uint8_t prev[KM_HASH_SIZE], const struct km_epoch *e)
{
	struct km_buf b;

	km_buf_init_fixed(&b, body, KM_STORED_BODY);
	km_put_bytes(&b, prev, KM_HASH_SIZE);
	km_put_u64(&b, e->number);
	km_put_bytes(&b, e->sid, KM_HASH_SIZE);
	km_put_bytes(&b, e->table, KM_HASH_SIZE);
	KM_ASSERT(!b.err && b.len == KM_STORED_BODY);
}

static int read_stored(struct km_promise *out, struct km_msg *m, const uint8_t *raw, size_t len)
{
	const struct km_shape shape = { .head = KM_STORED_BODY };
	struct km_reader r;

	memset(out, 0, sizeof(*out));
	int err = km_msg_parse(m, raw, len);
	if (err)
		return err;
	if ((m->proto != KM_PROTO_DKG && m->proto != KM_PROTO_RESHARE) || m->round != KM_STORED_ROUND || m->recipient != 0 ||
	    m->sender < 1 || m->sender > KM_MAX_PEERS)
		return KM_E_STALE;
	err = km_msg_check_body(m, &shape);
	if (err)
		return err;
	if (memcmp(m->body + KM_HASH_SIZE + 8, m->sid, KM_HASH_SIZE) != 0)
		return KM_E_MISMATCH;
	km_reader_init(&r, m->body, m->body_len);
	km_get_bytes(&r, out->prev, KM_HASH_SIZE);
	out->epoch.number = km_get_u64(&r);
	km_get_bytes(&r, out->epoch.sid, KM_HASH_SIZE);
	km_get_bytes(&r, out->epoch.table, KM_HASH_SIZE);
	out->member = m->sender;
	out->proto = m->proto;
	return KM_OK;
}

int km_stored_read(struct km_promise *out, const uint8_t *raw, size_t len)
{
	struct km_msg m;

	return read_stored(out, &m, raw, len);
}

/* *out is set also when the signature fails, not to be used then. */
static int check_stored(struct km_promise *out, const struct km_table *t, unsigned proto, const uint8_t *raw, size_t len)
{
	struct km_epoch want;
	struct km_msg m;

	km_epoch_of(&want, t);
	int err = read_stored(out, &m, raw, len);
	if (err)
		return err;
	if (m.proto != proto || memcmp(m.sid, t->sid, KM_HASH_SIZE) != 0 || !km_set_has(t->members, m.sender))
		return KM_E_STALE;
	err = km_msg_verify_sig(&m, t->idkeys[m.sender]);
	if (err)
		return err;
	return same_name(&out->epoch, &want) ? KM_OK : KM_E_MISMATCH;
}

int km_stored_check(const struct km_table *t, unsigned proto, const uint8_t *raw, size_t len, uint8_t *sender)
{
	struct km_promise p;
	int err = check_stored(&p, t, proto, raw, len);

	*sender = err ? 0 : p.member;
	return err;
}

/* ---- certificates */

unsigned km_cert_quorum(unsigned members, unsigned threshold)
{
	unsigned c = 2 * threshold - 1;

	return members < c ? members : c;
}

unsigned km_cert_needs(const struct km_table *t, unsigned proto)
{
	unsigned n = km_set_size(t->members);

	/* WHY all: no older epoch stands behind a key generation, and a share that is missing then is missing for ever */
	if (proto == KM_PROTO_DKG)
		return n;
	return proto == KM_PROTO_RESHARE ? km_cert_quorum(n, t->threshold) : 0;
}

void km_cert_init(struct km_cert *c, unsigned proto)
{
	memset(c, 0, sizeof(*c));
	c->proto = (uint8_t)proto;
}

/* One more, whatever the signature: all of one full name and one protocol. */
static int put_stored(struct km_cert *c, const struct km_promise *p, const uint8_t *raw)
{
	if (c->proto != p->proto || (c->members && !same_name(&c->epoch, &p->epoch)))
		return KM_E_MISMATCH;
	c->epoch = p->epoch;
	if (!km_set_has(c->members, p->member))
		memcpy(c->stored[p->member - 1], raw, KM_STORED_MAX);
	c->members |= km_set_bit(p->member);
	return KM_OK;
}

int km_cert_add(struct km_cert *c, const struct km_table *t, const uint8_t *raw, size_t len)
{
	struct km_promise p;
	int err = check_stored(&p, t, c->proto, raw, len);

	return err ? err : put_stored(c, &p, raw);
}

int km_cert_complete(const struct km_cert *c, const struct km_table *t)
{
	unsigned need = km_cert_needs(t, c->proto);

	return need && km_set_size(c->members & t->members) >= need;
}

int km_cert_encode(const struct km_cert *c, struct km_buf *out)
{
	if (!c->members)
		return KM_E_INVAL;
	for (unsigned i = km_set_next(c->members, 0); i; i = km_set_next(c->members, i))
		km_put_lbytes(out, c->stored[i - 1], KM_STORED_MAX);
	return out->err;
}

static int read_cert(struct km_cert *c, const uint8_t *p, size_t n)
{
	struct km_reader r;
	unsigned last = 0;

	if (n > KM_CERT_MAX)
		return KM_E_LIMIT;
	km_reader_init(&r, p, n);
	while (km_reader_left(&r) && !r.err) {
		struct km_promise promise;
		size_t len = 0;
		const uint8_t *raw = km_get_lref(&r, &len, KM_STORED_MAX);

		if (!raw)
			return r.err ? r.err : KM_E_TRUNCATED;
		int err = km_stored_read(&promise, raw, len);
		if (!err && promise.member <= last)
			err = KM_E_ENCODING;
		if (!err && !c->members)
			c->proto = promise.proto;
		if (!err)
			err = put_stored(c, &promise, raw);
		if (err)
			return err;
		last = promise.member;
	}
	return c->members ? km_reader_end(&r) : KM_E_TRUNCATED;
}

int km_cert_decode(struct km_cert *c, const uint8_t *p, size_t n)
{
	km_cert_init(c, 0);
	int err = read_cert(c, p, n);
	if (err)
		km_cert_init(c, 0);
	return err;
}

int km_cert_verify(const struct km_cert *c, const struct km_table *t)
{
	struct km_epoch want;
	uint8_t sender;

	km_epoch_of(&want, t);
	if (!c->members || km_epoch_cmp(&c->epoch, &want) != 0)
		return KM_E_MISMATCH;
	for (unsigned i = km_set_next(c->members, 0); i; i = km_set_next(c->members, i)) {
		int err = km_stored_check(t, c->proto, c->stored[i - 1], KM_STORED_MAX, &sender);

		if (err)
			return err == KM_E_NOMEM ? err : KM_E_VERIFY;
		if (sender != i)
			return KM_E_VERIFY;
	}
	return km_cert_complete(c, t) ? KM_OK : KM_E_VERIFY;
}

void km_cert_hash(const uint8_t *enc, size_t len, uint8_t out[KM_HASH_SIZE])
{
	struct km_hash h;

	km_hash_init(&h, "certificate");
	km_hash_field(&h, enc, len);
	km_hash_final(&h, out);
}
