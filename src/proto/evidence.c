/* evidence.c: bytes of evidence: making, taking apart, wrapping, files. */
#include "evidence_impl.h"

#include <stdlib.h>
#include <string.h>
#include "../base/hash.h"

/* ---- making */

void km_evidence_items_begin(struct km_buf *b, enum km_evidence_kind kind, unsigned items)
{
	km_put_u8(b, (uint8_t)kind);
	km_put_u16(b, (uint16_t)items);
}

void km_evidence_begin(struct km_buf *b, enum km_evidence_kind kind, const uint8_t context[KM_HASH_SIZE], unsigned items)
{
	km_put_u8(b, KM_EVIDENCE_VERSION);
	km_put_u8(b, (uint8_t)kind);
	km_put_bytes(b, context, KM_HASH_SIZE);
	km_put_u16(b, (uint16_t)items);
}

void km_evidence_header(struct km_buf *b, const struct km_msg *m)
{
	km_put_u8(b, KM_FORM_HEADER);
	km_put_bytes(b, m->raw, KM_MSG_HEAD);
}

void km_evidence_whole(struct km_buf *b, const struct km_msg *m)
{
	km_put_u8(b, KM_FORM_WHOLE);
	km_put_bytes(b, m->raw, KM_MSG_HEAD);
	km_put_bytes(b, m->body, m->body_len);
}

void km_evidence_rows(struct km_buf *b, const struct km_msg *m, const struct km_shape *shape, const uint32_t *leaf, unsigned n)
{
	km_put_u8(b, KM_FORM_ROWS);
	km_put_bytes(b, m->raw, KM_MSG_HEAD);
	km_put_u16(b, (uint16_t)n);
	for (unsigned i = 0; i < n && !b->err; i++) {
		size_t len = leaf[i] ? shape->row : shape->head;
		size_t at = leaf[i] ? shape->head + (size_t)(leaf[i] - 1) * shape->row : 0;
		uint8_t path[KM_MERKLE_PATH_MAX][KM_HASH_SIZE];
		unsigned count;

		int err = km_msg_path(path, &count, shape, m->body, leaf[i]);
		if (err)
			b->err = err;
		km_put_u32(b, leaf[i]);
		km_put_lbytes(b, m->body + at, len);
		km_put_u8(b, (uint8_t)count);
		km_put_bytes(b, path, (size_t)count * KM_HASH_SIZE);
	}
}

void km_evidence_digests(struct km_buf *b, const uint8_t (*digest)[KM_HASH_SIZE], unsigned n)
{
	km_put_u8(b, KM_FORM_DIGESTS);
	km_put_u16(b, (uint16_t)n);
	km_put_bytes(b, digest, (size_t)n * KM_HASH_SIZE);
}

void km_evidence_bytes(struct km_buf *b, const void *p, size_t n)
{
	km_put_u8(b, KM_FORM_BYTES);
	km_put_lbytes(b, p, n);
}

int km_evidence_has_setup(enum km_evidence_kind kind)
{
	return kind != KM_EV_EQUIVOCATION && kind != KM_EV_RECORD;
}

int km_evidence_wrap(struct km_buf *out, const uint8_t *from_machine, size_t len, const uint8_t context[KM_HASH_SIZE],
		     const struct km_msg *propose, const struct km_msg *joins, unsigned n_joins)
{
	struct km_reader r;

	km_reader_init(&r, from_machine, len);
	enum km_evidence_kind kind = km_get_u8(&r);
	unsigned count = km_get_u16(&r);
	unsigned more = km_evidence_has_setup(kind) ? 1 + n_joins : 0;
	if (r.err)
		return KM_E_ENCODING;
	if (count + more > KM_EVIDENCE_ITEMS || len > KM_EVIDENCE_MAX)
		return KM_E_LIMIT;
	km_evidence_begin(out, kind, context, count + more);
	if (more)
		km_evidence_whole(out, propose);
	for (unsigned i = 0; more && i < n_joins; i++)
		km_evidence_whole(out, &joins[i]);
	len = km_reader_left(&r);
	km_put_bytes(out, km_get_ref(&r, len), len);
	return out->err;
}

void km_evidence_digest(const uint8_t *ev, size_t len, uint8_t out[KM_HASH_SIZE])
{
	struct km_hash h;

	km_hash_init(&h, "evidence");
	km_hash_field(&h, ev, len);
	km_hash_final(&h, out);
}

const char *km_evidence_name(enum km_evidence_kind kind)
{
	static const char *const name[] = {
		[KM_EV_EQUIVOCATION] = "E1", [KM_EV_ENCODING] = "E2", [KM_EV_C3_PROOF] = "E3", [KM_EV_EPSILON] = "E4",
		[KM_EV_RECORD] = "E5", [KM_EV_LIST_ROOT] = "E6", [KM_EV_OPENING] = "E7", [KM_EV_COMPLAINT] = "E7b",
		[KM_EV_FALSE_COMPLAINT] = "E9", [KM_EV_OPENED] = "E8",
	};

	return (unsigned)kind < sizeof(name) / sizeof(name[0]) && name[kind] ? name[kind] : "?";
}

/* ---- taking apart */

static void get_rows(struct km_reader *r, struct km_ev_item *it)
{
	uint32_t before = 0;

	it->n = km_get_u16(r);
	it->p = r->p;
	if (it->n < 1 || it->n > KM_EVIDENCE_LEAVES)
		km_reader_fail(r, KM_E_LIMIT);
	for (unsigned i = 0; i < it->n && !r->err; i++) {
		uint32_t leaf = km_get_u32(r);
		size_t len;

		km_get_lref(r, &len, KM_EVIDENCE_MAX);
		unsigned count = km_get_u8(r);
		if (count > KM_MERKLE_PATH_MAX)
			km_reader_fail(r, KM_E_LIMIT);
		km_get_ref(r, (size_t)count * KM_HASH_SIZE);
		/* one order, one encoding */
		if (i && leaf <= before)
			km_reader_fail(r, KM_E_ENCODING);
		before = leaf;
	}
	it->len = r->err ? 0 : (size_t)(r->p - it->p);
}

static void get_msg(struct km_reader *r, struct km_ev_item *it)
{
	const uint8_t *raw = r->p;
	int err = km_get_ref(r, KM_MSG_HEAD) ? km_msg_parse_head(&it->msg, raw, KM_MSG_HEAD) : KM_E_TRUNCATED;

	if (err)
		km_reader_fail(r, err);
	else if (it->form == KM_FORM_WHOLE)
		it->msg.body = km_get_ref(r, it->msg.body_len);
	else if (it->form == KM_FORM_ROWS)
		get_rows(r, it);
}

static void get_item(struct km_reader *r, struct km_ev_item *it)
{
	it->form = km_get_u8(r);
	switch (it->form) {
	case KM_FORM_HEADER:
	case KM_FORM_WHOLE:
	case KM_FORM_ROWS:
		get_msg(r, it);
		return;
	case KM_FORM_DIGESTS:
		it->n = km_get_u16(r);
		it->len = (size_t)it->n * KM_HASH_SIZE;
		it->p = km_get_ref(r, it->len);
		return;
	case KM_FORM_BYTES:
		it->p = km_get_lref(r, &it->len, KM_EVIDENCE_MAX);
		return;
	}
	km_reader_fail(r, KM_E_ENCODING);
}

static int get_items(struct km_ev *ev, struct km_reader *r)
{
	ev->count = km_get_u16(r);
	if (r->err)
		return r->err;
	if (ev->count < 1 || ev->count > KM_EVIDENCE_ITEMS)
		return KM_E_LIMIT;
	ev->item = calloc(ev->count, sizeof(*ev->item));
	if (!ev->item)
		return KM_E_NOMEM;
	for (unsigned i = 0; i < ev->count && !r->err; i++)
		get_item(r, &ev->item[i]);
	int err = km_reader_end(r);
	if (err)
		km_ev_clear(ev);
	return err;
}

static int kind_ok(unsigned kind)
{
	return kind >= KM_EV_EQUIVOCATION && kind <= KM_EV_OPENED;
}

static int get_frame(struct km_ev *ev, struct km_reader *r)
{
	unsigned version = km_get_u8(r);

	ev->kind = km_get_u8(r);
	ev->context = km_get_ref(r, KM_HASH_SIZE);
	if (r->err)
		return r->err;
	if (version != KM_EVIDENCE_VERSION)
		return KM_E_VERSION;
	return kind_ok(ev->kind) ? KM_OK : KM_E_ENCODING;
}

int km_ev_read(struct km_ev *ev, const uint8_t *p, size_t len)
{
	struct km_reader r;

	memset(ev, 0, sizeof(*ev));
	if (len > KM_EVIDENCE_MAX)
		return KM_E_LIMIT;
	km_reader_init(&r, p, len);
	int err = get_frame(ev, &r);
	return err ? err : get_items(ev, &r);
}

int km_ev_read_machine(struct km_ev *ev, const uint8_t *p, size_t len)
{
	struct km_reader r;

	memset(ev, 0, sizeof(*ev));
	if (len > KM_EVIDENCE_MAX)
		return KM_E_LIMIT;
	km_reader_init(&r, p, len);
	ev->kind = km_get_u8(&r);
	if (r.err || !kind_ok(ev->kind))
		return KM_E_ENCODING;
	return get_items(ev, &r);
}

void km_ev_clear(struct km_ev *ev)
{
	free(ev->item);
	memset(ev, 0, sizeof(*ev));
}

int km_evidence_peek(const uint8_t *p, size_t len, enum km_evidence_kind *kind, uint8_t context[KM_HASH_SIZE])
{
	struct km_reader r;
	struct km_ev ev = {0};

	*kind = 0;
	memset(context, 0, KM_HASH_SIZE);
	if (len > KM_EVIDENCE_MAX)
		return KM_E_LIMIT;
	km_reader_init(&r, p, len);
	int err = get_frame(&ev, &r);
	if (err)
		return err;
	*kind = ev.kind;
	memcpy(context, ev.context, KM_HASH_SIZE);
	return KM_OK;
}

void km_ev_leaf(const struct km_ev_item *it, unsigned k, struct km_ev_leaf *out)
{
	struct km_reader r;

	KM_ASSERT(it->form == KM_FORM_ROWS && k < it->n);
	km_reader_init(&r, it->p, it->len);
	for (unsigned i = 0; i <= k; i++) {
		out->leaf = km_get_u32(&r);
		out->p = km_get_lref(&r, &out->len, KM_EVIDENCE_MAX);
		out->count = km_get_u8(&r);
		out->path = km_get_ref(&r, (size_t)out->count * KM_HASH_SIZE);
	}
	KM_ASSERT(!r.err);
}

const uint8_t *km_ev_shown(const struct km_ev_item *it, const struct km_shape *shape, uint32_t leaf)
{
	struct km_ev_leaf l;

	if (it->form != KM_FORM_ROWS)
		return NULL;
	for (unsigned k = 0; k < it->n; k++) {
		km_ev_leaf(it, k, &l);
		if (l.leaf == leaf)
			return km_msg_path_check(&it->msg, shape, leaf, l.p, l.len, l.path, l.count) == KM_OK ? l.p : NULL;
	}
	return NULL;
}

int km_ev_forms(const struct km_ev *ev, unsigned at, const uint8_t *forms)
{
	for (; *forms; forms++, at++)
		if (at >= ev->count || ev->item[at].form != *forms)
			return 0;
	return at == ev->count;
}

/* ---- files */

int km_evidence_file_put(struct km_buf *b, const uint8_t *ev, size_t len, const struct km_table *table,
			 const struct km_evidence_peer *peer, unsigned n_peers)
{
	struct km_buf t;
	int err = KM_OK;

	km_buf_init(&t);
	if (table)
		err = km_table_encode(table, &t);
	if (err || n_peers > KM_MAX_PEERS) {
		km_buf_clear(&t);
		return err ? err : KM_E_LIMIT;
	}
	km_put_bytes(b, KM_EVIDENCE_MAGIC, sizeof(KM_EVIDENCE_MAGIC) - 1);
	km_put_lbytes(b, ev, len);
	km_put_lbytes(b, t.data, t.len);
	km_buf_clear(&t);
	km_put_u8(b, (uint8_t)n_peers);
	for (unsigned i = 0; i < n_peers; i++) {
		km_put_u8(b, peer[i].id);
		km_put_bytes(b, peer[i].identity, KM_IDKEY_SIZE);
		km_put_bytes(b, peer[i].channel, KM_CHANKEY_SIZE);
	}
	return b->err;
}

static void get_table(struct km_evidence_file *f, struct km_reader *r)
{
	struct km_reader t;
	size_t len;
	const uint8_t *p = km_get_lref(r, &len, KM_SHARE_ENC_MAX);

	f->has_table = !r->err && len;
	if (!f->has_table)
		return;
	km_reader_init(&t, p, len);
	int err = km_table_decode(&f->table, &t);
	if (!err)
		err = km_reader_end(&t);
	if (err)
		km_reader_fail(r, err);
}

static void get_peers(struct km_evidence_file *f, struct km_reader *r)
{
	struct km_hash h;

	f->n_peers = km_get_u8(r);
	if (f->n_peers > KM_MAX_PEERS)
		km_reader_fail(r, KM_E_LIMIT);
	/* as a node names its roster */
	km_hash_init(&h, "roster");
	for (unsigned i = 0; i < f->n_peers && !r->err; i++) {
		struct km_evidence_peer *e = &f->peer[i];

		e->id = km_get_u8(r);
		km_get_bytes(r, e->identity, KM_IDKEY_SIZE);
		km_get_bytes(r, e->channel, KM_CHANKEY_SIZE);
		if (e->id < 1 || e->id > KM_MAX_PEERS || (i && e->id <= f->peer[i - 1].id))
			km_reader_fail(r, KM_E_ENCODING);
		km_hash_u8(&h, e->id);
		km_hash_field(&h, e->identity, KM_IDKEY_SIZE);
		km_hash_field(&h, e->channel, KM_CHANKEY_SIZE);
	}
	km_hash_final(&h, f->roster);
}

int km_evidence_file_get(struct km_evidence_file *f, const uint8_t *p, size_t n)
{
	struct km_reader r;

	memset(f, 0, sizeof(*f));
	km_reader_init(&r, p, n);
	const uint8_t *magic = km_get_ref(&r, sizeof(KM_EVIDENCE_MAGIC) - 1);
	if (!magic || memcmp(magic, KM_EVIDENCE_MAGIC, sizeof(KM_EVIDENCE_MAGIC) - 1) != 0)
		return KM_E_VERSION;
	f->ev = km_get_lref(&r, &f->len, KM_EVIDENCE_MAX);
	get_table(f, &r);
	get_peers(f, &r);
	int err = km_reader_end(&r);
	if (err)
		memset(f, 0, sizeof(*f));
	return err;
}
