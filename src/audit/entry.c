/* entry.c: see entry.h. */
#include "config.h"
#include "audit/entry.h"

#include <string.h>
#include "base/hash.h"
#include "base/rules.h"

const char *km_audit_kind_name(unsigned kind)
{
	static const char *const names[] = {
		[KM_AUDIT_SHARE] = "share", [KM_AUDIT_SIGNATURE] = "signature", [KM_AUDIT_EPOCH] = "epoch",
		[KM_AUDIT_QUARANTINE] = "quarantine", [KM_AUDIT_OPERATOR] = "operator", [KM_AUDIT_PROCESS] = "process",
		[KM_AUDIT_WITNESS] = "witness",
	};

	return kind < sizeof(names) / sizeof(names[0]) ? names[kind] : NULL;
}

const char *km_audit_action_name(unsigned action)
{
	static const char *const names[] = {
		[KM_AUDIT_DO_KEYGEN] = "keygen", [KM_AUDIT_DO_CLEAR] = "clear", [KM_AUDIT_DO_REFRESH] = "refresh",
		[KM_AUDIT_DO_RESHARE] = "reshare", [KM_AUDIT_DO_BACKUP] = "backup", [KM_AUDIT_DO_RESTORE] = "restore",
		[KM_AUDIT_DO_DRILL] = "drill", [KM_AUDIT_DO_OTHER] = "other",
	};

	return action < sizeof(names) / sizeof(names[0]) ? names[action] : NULL;
}

/* ---- texts: u8 length, printable ASCII */

static void put_text(struct km_buf *b, const char *text)
{
	size_t n = strlen(text);

	km_put_u8(b, (uint8_t)n);
	km_put_bytes(b, text, n);
}

static void get_text(struct km_reader *r, char *out, size_t max)
{
	size_t n = km_get_u8(r);

	if (n > max) {
		km_reader_fail(r, KM_E_LIMIT);
		n = 0;
	}
	km_get_bytes(r, out, n);
	out[n] = 0;
	for (size_t i = 0; i < n; i++)
		if (out[i] < 0x20 || out[i] > 0x7e)
			km_reader_fail(r, KM_E_ENCODING);
}

static unsigned get_choice(struct km_reader *r, unsigned last)
{
	unsigned v = km_get_u8(r);

	if (v < 1 || v > last)
		km_reader_fail(r, KM_E_RANGE);
	return v;
}

static unsigned get_size(struct km_reader *r, size_t max)
{
	unsigned n = km_get_u8(r);

	if (n < 1 || n > max) {
		km_reader_fail(r, KM_E_LIMIT);
		return 0;
	}
	return n;
}

/* ---- bodies */

static void put_share(struct km_buf *b, const struct km_audit_share *s)
{
	km_put_bytes(b, s->presig_id, KM_HASH_SIZE);
	km_put_bytes(b, s->request_id, KM_HASH_SIZE);
	km_put_bytes(b, s->key_id, KM_HASH_SIZE);
	km_put_bytes(b, s->table, KM_HASH_SIZE);
	km_put_u64(b, s->epoch);
	km_put_u8(b, s->context);
	km_put_bytes(b, s->bytes_hash, KM_HASH_SIZE);
	km_put_u16(b, s->frontend);
	km_put_u8(b, s->owner);
	km_put_u32(b, s->quorum);
	km_put_u8(b, s->n);
	km_put_bytes(b, s->rr, s->n);
}

static void get_share(struct km_reader *r, struct km_audit_share *s)
{
	km_get_bytes(r, s->presig_id, KM_HASH_SIZE);
	km_get_bytes(r, s->request_id, KM_HASH_SIZE);
	km_get_bytes(r, s->key_id, KM_HASH_SIZE);
	km_get_bytes(r, s->table, KM_HASH_SIZE);
	s->epoch = km_get_u64(r);
	s->context = km_get_u8(r);
	km_get_bytes(r, s->bytes_hash, KM_HASH_SIZE);
	s->frontend = km_get_u16(r);
	s->owner = (uint8_t)get_choice(r, KM_MAX_PEERS);
	s->quorum = km_get_u32(r);
	s->n = (uint8_t)get_size(r, KM_POINT_MAX);
	km_get_bytes(r, s->rr, s->n);
}

static void put_signature(struct km_buf *b, const struct km_audit_signature *s)
{
	km_put_bytes(b, s->presig_id, KM_HASH_SIZE);
	km_put_bytes(b, s->request_id, KM_HASH_SIZE);
	km_put_u8(b, s->n);
	km_put_bytes(b, s->r, s->n);
	km_put_bytes(b, s->s, s->n);
}

static void get_signature(struct km_reader *r, struct km_audit_signature *s)
{
	km_get_bytes(r, s->presig_id, KM_HASH_SIZE);
	km_get_bytes(r, s->request_id, KM_HASH_SIZE);
	s->n = (uint8_t)get_size(r, KM_SCALAR_MAX);
	km_get_bytes(r, s->r, s->n);
	km_get_bytes(r, s->s, s->n);
}

static void put_epoch(struct km_buf *b, const struct km_audit_epoch *s)
{
	km_put_u8(b, s->purpose);
	km_put_u8(b, s->what);
	km_put_bytes(b, s->key_id, KM_HASH_SIZE);
	km_put_bytes(b, s->table, KM_HASH_SIZE);
	km_put_u64(b, s->epoch);
	km_put_u8(b, s->threshold);
	km_put_u32(b, s->members);
	put_text(b, s->name);
}

static void get_epoch(struct km_reader *r, struct km_audit_epoch *s)
{
	s->purpose = (uint8_t)get_choice(r, KM_AUDIT_RECOVERY);
	s->what = (uint8_t)get_choice(r, KM_AUDIT_WIPED);
	km_get_bytes(r, s->key_id, KM_HASH_SIZE);
	km_get_bytes(r, s->table, KM_HASH_SIZE);
	s->epoch = km_get_u64(r);
	s->threshold = km_get_u8(r);
	s->members = km_get_u32(r);
	get_text(r, s->name, KM_MAX_NAME);
}

static void put_witness(struct km_buf *b, const struct km_audit_witness *s)
{
	km_put_u8(b, s->what);
	km_put_u8(b, s->peer);
	km_put_u64(b, s->seen_size);
	km_put_bytes(b, s->seen_root, KM_HASH_SIZE);
	km_put_u64(b, s->said_size);
	km_put_bytes(b, s->said_root, KM_HASH_SIZE);
}

static void get_witness(struct km_reader *r, struct km_audit_witness *s)
{
	s->what = (uint8_t)get_choice(r, KM_AUDIT_NOT_PROVED);
	s->peer = (uint8_t)get_choice(r, KM_MAX_PEERS);
	s->seen_size = km_get_u64(r);
	km_get_bytes(r, s->seen_root, KM_HASH_SIZE);
	s->said_size = km_get_u64(r);
	km_get_bytes(r, s->said_root, KM_HASH_SIZE);
}

int km_audit_draft(struct km_buf *b, const struct km_audit_entry *e)
{
	if (!km_audit_kind_name(e->kind))
		return KM_E_INVAL;
	km_put_u8(b, e->kind);
	km_put_u64(b, e->time_ms);
	switch (e->kind) {
	case KM_AUDIT_SHARE:
		put_share(b, &e->u.share);
		break;
	case KM_AUDIT_SIGNATURE:
		put_signature(b, &e->u.signature);
		break;
	case KM_AUDIT_EPOCH:
		put_epoch(b, &e->u.epoch);
		break;
	case KM_AUDIT_QUARANTINE:
		km_put_u8(b, e->u.quarantine.what);
		km_put_u8(b, e->u.quarantine.peer);
		km_put_u8(b, e->u.quarantine.evidence);
		km_put_bytes(b, e->u.quarantine.digest, KM_HASH_SIZE);
		break;
	case KM_AUDIT_OPERATOR:
		km_put_u8(b, e->u.op.action);
		km_put_u32(b, e->u.op.uid);
		put_text(b, e->u.op.text);
		break;
	case KM_AUDIT_PROCESS:
		km_put_u8(b, e->u.process.what);
		put_text(b, e->u.process.text);
		break;
	default:
		put_witness(b, &e->u.witness);
	}
	return b->err;
}

static void get_body(struct km_reader *r, struct km_audit_entry *e)
{
	switch (e->kind) {
	case KM_AUDIT_SHARE:
		get_share(r, &e->u.share);
		break;
	case KM_AUDIT_SIGNATURE:
		get_signature(r, &e->u.signature);
		break;
	case KM_AUDIT_EPOCH:
		get_epoch(r, &e->u.epoch);
		break;
	case KM_AUDIT_QUARANTINE:
		e->u.quarantine.what = (uint8_t)get_choice(r, KM_AUDIT_ACCUSED);
		e->u.quarantine.peer = (uint8_t)get_choice(r, KM_MAX_PEERS);
		e->u.quarantine.evidence = km_get_u8(r);
		km_get_bytes(r, e->u.quarantine.digest, KM_HASH_SIZE);
		break;
	case KM_AUDIT_OPERATOR:
		e->u.op.action = (uint8_t)get_choice(r, KM_AUDIT_ACTIONS - 1);
		e->u.op.uid = km_get_u32(r);
		get_text(r, e->u.op.text, KM_AUDIT_TEXT_MAX);
		break;
	case KM_AUDIT_PROCESS:
		e->u.process.what = (uint8_t)get_choice(r, KM_AUDIT_ROLLBACK);
		get_text(r, e->u.process.text, KM_AUDIT_TEXT_MAX);
		break;
	case KM_AUDIT_WITNESS:
		get_witness(r, &e->u.witness);
		break;
	default:
		km_reader_fail(r, KM_E_VERSION);
	}
}

/* ---- entries */

int km_audit_entry_make(struct km_buf *b, uint64_t seq, const uint8_t prev[KM_HASH_SIZE], const uint8_t *draft, size_t len)
{
	if (len < KM_AUDIT_DRAFT)
		return KM_E_ENCODING;
	if (len - KM_AUDIT_DRAFT > KM_AUDIT_ENTRY_MAX - KM_AUDIT_HEAD)
		return KM_E_LIMIT;
	km_put_u8(b, KM_AUDIT_VERSION);
	km_put_u8(b, draft[0]);
	km_put_u64(b, seq);
	km_put_bytes(b, draft + 1, 8);
	km_put_bytes(b, prev, KM_HASH_SIZE);
	km_put_bytes(b, draft + KM_AUDIT_DRAFT, len - KM_AUDIT_DRAFT);
	return b->err;
}

static void get_head(struct km_reader *r, struct km_audit_entry *e, size_t n)
{
	memset(e, 0, sizeof(*e));
	if (n > KM_AUDIT_ENTRY_MAX)
		km_reader_fail(r, KM_E_LIMIT);
	if (km_get_u8(r) != KM_AUDIT_VERSION)
		km_reader_fail(r, KM_E_VERSION);
	e->kind = km_get_u8(r);
	e->seq = km_get_u64(r);
	e->time_ms = km_get_u64(r);
	km_get_bytes(r, e->prev, KM_HASH_SIZE);
}

int km_audit_head_decode(struct km_audit_entry *e, const uint8_t *p, size_t n)
{
	struct km_reader r;

	km_reader_init(&r, p, n);
	get_head(&r, e, n);
	if (r.err)
		memset(e, 0, sizeof(*e));
	return r.err;
}

int km_audit_decode(struct km_audit_entry *e, const uint8_t *p, size_t n)
{
	struct km_reader r;

	km_reader_init(&r, p, n);
	get_head(&r, e, n);
	if (!r.err && !km_audit_kind_name(e->kind))
		return KM_E_VERSION;
	if (!r.err)
		get_body(&r, e);
	int err = km_reader_end(&r);
	if (err)
		memset(e, 0, sizeof(*e));
	return err;
}

int km_audit_chain_next(struct km_audit_chain *c, const uint8_t *p, size_t n, uint8_t leaf[KM_HASH_SIZE])
{
	struct km_audit_entry e;
	int err = km_audit_head_decode(&e, p, n);

	if (err)
		return err;
	/* WHY both: the number says at once what is missing; the hash alone holds against who writes numbers too (attack B30) */
	if (e.seq != c->seq)
		return KM_E_STALE;
	if (memcmp(e.prev, c->prev, KM_HASH_SIZE) != 0 && KM_RULE(km_rule_log_chain))
		return KM_E_MISMATCH;
	km_merkle_leaf(p, n, leaf);
	memcpy(c->prev, leaf, KM_HASH_SIZE);
	c->seq++;
	return KM_OK;
}
