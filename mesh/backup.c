/* backup.c: see backup.h. */
#include "config.h"
#include "mesh/backup.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/hash.h"
#include "base/secret.h"
#include "mesh/files.h"
#include "proto/epoch.h"
#include "rpc/rpc.h"

#define BACKUP_VERSION 1

static const uint8_t magic[6] = {'K', 'M', 'B', 'K', 'U', 'P'};

/* ---- the head */

static void put_line(struct km_buf *b, const char *key, const char *value, size_t len)
{
	km_put_bytes(b, key, strlen(key));
	km_put_u8(b, ' ');
	km_put_bytes(b, value, len);
	km_put_u8(b, '\n');
}

static void put_text(struct km_buf *b, const char *key, const char *value)
{
	put_line(b, key, value, strlen(value));
}

static void put_hash(struct km_buf *b, const char *key, const uint8_t h[KM_HASH_SIZE])
{
	char hex[2 * KM_HASH_SIZE + 1];

	kmd_hex_encode(hex, h, KM_HASH_SIZE);
	put_text(b, key, hex);
}

static void put_number(struct km_buf *b, const char *key, uint64_t v)
{
	char text[24];

	snprintf(text, sizeof(text), "%" PRIu64, v);
	put_text(b, key, text);
}

static int recipient_valid(const char *p, size_t n)
{
	if (n < 1 || n > KMD_BACKUP_RECIPIENT || p[0] == '-')
		return 0;
	for (size_t i = 0; i < n; i++)
		if ((unsigned char)p[i] < 0x20 || p[i] == 0x7f)
			return 0;
	return 1;
}

int kmd_backup_put_head(struct km_buf *out, struct kmd_backup_head *h, size_t payload)
{
	size_t start = out->len;
	char peer[16 + KM_MAX_NAME];

	snprintf(peer, sizeof(peer), "%u %s", h->peer, h->peer_name);
	put_number(out, "keymesh-backup", BACKUP_VERSION);
	put_hash(out, "mesh", h->mesh);
	put_text(out, "peer", peer);
	put_text(out, "key", h->key_name);
	put_hash(out, "key-id", h->key_id);
	put_number(out, "epoch", h->number);
	put_hash(out, "table", h->table);
	put_number(out, "made", h->made_ms);
	for (unsigned i = 0; i < h->n_recipients; i++) {
		if (!recipient_valid(h->recipient[i], h->recipient_len[i]))
			return KM_E_INVAL;
		put_line(out, "recipient", h->recipient[i], h->recipient_len[i]);
	}
	if (out->err || km_sha2(256, out->data + start, out->len - start, h->hash))
		return out->err ? out->err : KM_E_INVAL;
	put_number(out, "payload", payload);
	km_put_u8(out, '\n');
	return out->err;
}

struct lines {
	const char *at, *end;
	int bad;
};

/* The value of the next line, which must have this key; len 0 and bad when it has not. */
static const char *take(struct lines *l, const char *key, size_t *len)
{
	size_t k = strlen(key), left = (size_t)(l->end - l->at);
	const char *nl = left ? memchr(l->at, '\n', left) : NULL, *value;

	*len = 0;
	if (l->bad || !nl || (size_t)(nl - l->at) < k + 2 || memcmp(l->at, key, k) || l->at[k] != ' ') {
		l->bad = 1;
		return "";
	}
	value = l->at + k + 1;
	*len = (size_t)(nl - value);
	l->at = nl + 1;
	return value;
}

static void take_hash(struct lines *l, const char *key, uint8_t out[KM_HASH_SIZE])
{
	size_t n;
	const char *v = take(l, key, &n);
	char hex[2 * KM_HASH_SIZE + 1];

	if (kmd_hex_decode(out, KM_HASH_SIZE, v, n))
		l->bad = 1;
	/* one spelling: lower case */
	kmd_hex_encode(hex, out, KM_HASH_SIZE);
	if (!l->bad && memcmp(hex, v, n))
		l->bad = 1;
}

static uint64_t number(struct lines *l, const char *v, size_t n)
{
	uint64_t out = 0;

	if (n < 1 || n > 19 || (v[0] == '0' && n > 1))
		l->bad = 1;
	for (size_t i = 0; i < n && !l->bad; i++) {
		if (v[i] < '0' || v[i] > '9')
			l->bad = 1;
		else
			out = out * 10 + (uint64_t)(v[i] - '0');
	}
	return l->bad ? 0 : out;
}

static uint64_t take_number(struct lines *l, const char *key)
{
	size_t n;
	const char *v = take(l, key, &n);

	return number(l, v, n);
}

static void take_name(struct lines *l, char out[KM_MAX_NAME + 1], const char *v, size_t n)
{
	if (l->bad || !km_rpc_name_valid(v, n))
		l->bad = 1;
	else
		memcpy(out, v, n);
}

static void take_peer(struct lines *l, struct kmd_backup_head *h)
{
	size_t n;
	const char *v = take(l, "peer", &n), *blank = n ? memchr(v, ' ', n) : NULL;

	if (!blank) {
		l->bad = 1;
		return;
	}
	h->peer = (unsigned)number(l, v, (size_t)(blank - v));
	if (h->peer < 1 || h->peer > KM_MAX_PEERS)
		l->bad = 1;
	take_name(l, h->peer_name, blank + 1, n - (size_t)(blank + 1 - v));
}

static void take_recipients(struct lines *l, struct kmd_backup_head *h)
{
	while (!l->bad && l->end - l->at > 10 && !memcmp(l->at, "recipient ", 10)) {
		size_t n;
		const char *v = take(l, "recipient", &n);

		if (h->n_recipients == KMD_BACKUP_RECIPIENTS || !recipient_valid(v, n)) {
			l->bad = 1;
			return;
		}
		h->recipient[h->n_recipients] = v;
		h->recipient_len[h->n_recipients++] = n;
	}
	l->bad |= !h->n_recipients;
}

int kmd_backup_parse(struct kmd_backup_head *h, const uint8_t **payload, size_t *payload_len, const uint8_t *p, size_t n,
		     struct kmd_fail *f)
{
	struct lines l = {.at = (const char *)p, .end = (const char *)p + n};
	const char *v;
	size_t len;
	uint64_t bytes;

	memset(h, 0, sizeof(*h));
	*payload = NULL;
	*payload_len = 0;
	v = take(&l, "keymesh-backup", &len);
	if (l.bad)
		return kmd_fail(f, KM_E_ENCODING, "it does not begin with keymesh-backup: it is no backup of keymesh");
	if (len != 1 || *v != '0' + BACKUP_VERSION)
		return kmd_fail(f, KM_E_VERSION, "it has version %.*s of the backup format, this keymesh knows %d", (int)(len < 9 ? len : 9),
				v, BACKUP_VERSION);
	take_hash(&l, "mesh", h->mesh);
	take_peer(&l, h);
	v = take(&l, "key", &len);
	take_name(&l, h->key_name, v, len);
	take_hash(&l, "key-id", h->key_id);
	h->number = take_number(&l, "epoch");
	take_hash(&l, "table", h->table);
	h->made_ms = take_number(&l, "made");
	take_recipients(&l, h);
	if (!l.bad && km_sha2(256, p, (size_t)(l.at - (const char *)p), h->hash))
		l.bad = 1;
	bytes = take_number(&l, "payload");
	if (l.bad || l.at == l.end || *l.at++ != '\n')
		return kmd_fail(f, KM_E_ENCODING, "its head is damaged");
	if (bytes != (uint64_t)(l.end - l.at))
		return kmd_fail(f, KM_E_TRUNCATED, "it is truncated or damaged: %zu bytes follow the head instead of %" PRIu64,
				(size_t)(l.end - l.at), bytes);
	*payload = (const uint8_t *)l.at;
	*payload_len = (size_t)bytes;
	return KM_OK;
}

int kmd_backup_shared(const struct kmd_backup_head *a, const struct kmd_backup_head *b, char *name, size_t size)
{
	for (unsigned i = 0; i < a->n_recipients; i++)
		for (unsigned j = 0; j < b->n_recipients; j++)
			if (a->recipient_len[i] == b->recipient_len[j] &&
			    !memcmp(a->recipient[i], b->recipient[j], a->recipient_len[i])) {
				snprintf(name, size, "%.*s", (int)a->recipient_len[i], a->recipient[i]);
				return 1;
			}
	return 0;
}

/* ---- what is encrypted */

int kmd_backup_plain_encode(struct km_buf *out, const struct kmd_backup_plain *p)
{
	km_put_bytes(out, magic, sizeof(magic));
	km_put_u16(out, BACKUP_VERSION);
	km_put_bytes(out, p->head, KM_HASH_SIZE);
	km_put_bytes(out, p->ed25519, 32);
	km_put_bytes(out, p->x25519, 32);
	km_put_u8(out, (uint8_t)p->n_files);
	for (unsigned i = 0; i < p->n_files; i++) {
		km_put_lbytes(out, p->file[i].name, strlen(p->file[i].name));
		km_put_lbytes(out, p->file[i].data, p->file[i].len);
	}
	return out->err;
}

int kmd_backup_plain_decode(struct kmd_backup_plain *out, const uint8_t *p, size_t n)
{
	struct km_reader r;
	const uint8_t *m;
	unsigned version;
	int err;

	memset(out, 0, sizeof(*out));
	km_reader_init(&r, p, n);
	m = km_get_ref(&r, sizeof(magic));
	if (!m || memcmp(m, magic, sizeof(magic)))
		return KM_E_ENCODING;
	version = km_get_u16(&r);
	if (!r.err && version != BACKUP_VERSION)
		return KM_E_VERSION;
	km_get_bytes(&r, out->head, KM_HASH_SIZE);
	km_get_bytes(&r, out->ed25519, 32);
	km_get_bytes(&r, out->x25519, 32);
	out->n_files = km_get_u8(&r);
	if (out->n_files < 1 || out->n_files > KMD_BACKUP_FILES)
		km_reader_fail(&r, KM_E_RANGE);
	for (unsigned i = 0; i < out->n_files && !r.err; i++) {
		struct kmd_backup_file *f = &out->file[i];
		size_t len;

		m = km_get_lref(&r, &len, sizeof(f->name) - 1);
		if (m && len && !memchr(m, 0, len))
			memcpy(f->name, m, len);
		else
			km_reader_fail(&r, KM_E_ENCODING);
		f->data = km_get_lref(&r, &f->len, KMD_BACKUP_PLAIN_MAX);
	}
	err = km_reader_end(&r);
	if (err)
		km_wipe(out, sizeof(*out));
	return err;
}

int kmd_share_check(const struct km_share *s)
{
	struct km_promise said;
	uint8_t sender;
	int err = km_stored_read(&said, s->stored, s->stored_len);

	if (!err)
		err = km_stored_check(&s->table, said.proto, s->stored, s->stored_len, &sender);
	return !err && sender != s->self ? KM_E_MISMATCH : err;
}

int kmd_backup_open_share(struct km_share *share, const struct kmd_backup_head *h, const struct kmd_backup_plain *p,
			  struct kmd_fail *f)
{
	const struct km_table *t = &share->table;
	int err;

	memset(share, 0, sizeof(*share));
	if (memcmp(p->head, h->hash, KM_HASH_SIZE))
		return kmd_fail(f, KM_E_MISMATCH, "its head was changed after it was made: it does not belong to what is encrypted");
	err = km_share_decode(share, p->file[0].data, p->file[0].len);
	if (err) {
		err = kmd_fail(f, err, "the share in it is damaged, or is not that of its public point: %s", km_strerror(err));
		goto out;
	}
	if (memcmp(t->hash, h->table, KM_HASH_SIZE) || memcmp(t->key_id, h->key_id, KM_HASH_SIZE) || t->number != h->number ||
	    share->self != h->peer || strcmp(t->name, h->key_name)) {
		err = kmd_fail(f, KM_E_MISMATCH, "the share in it is that of peer %u of key %s, epoch %" PRIu64 ", and not what its head says",
			       share->self, t->name, t->number);
		goto out;
	}
	err = kmd_share_check(share);
	if (err)
		kmd_fail(f, err, "the share in it is not signed by peer %u: %s", share->self, km_strerror(err));
out:
	if (err)
		km_share_wipe(share);
	return err;
}
