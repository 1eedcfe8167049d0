/* keys.c: the keys a peer holds, their files, and candidates.
 *
 * A share that was stored is a candidate until the STORED of every member is here: it signs nothing, and says its own STORED
 * again on every new channel and now and then. Who has all of them keeps them as the certificate of the epoch, and hands all of
 * them to whoever still asks. WHY all and not only its own: a corrupt member may have said its STORED to some only. */
#include "peer_impl.h"

#include <stdlib.h>
#include <string.h>
#include "../base/secret.h"

#define STORED_FIRST_US 2000000u
#define STORED_AGAIN_US 10000000u
#define CERT_MAX (KM_MAX_PEERS * (4 + KM_STORED_MAX))

struct km_key *km_key_find(struct km_peer *p, const uint8_t table[KM_HASH_SIZE])
{
	for (struct km_key *k = p->keys; k; k = k->next)
		if (memcmp(k->share->table.hash, table, KM_HASH_SIZE) == 0)
			return k;
	return NULL;
}

/* The usable epoch with the highest name. */
struct km_key *km_key_by_id(struct km_peer *p, const uint8_t key_id[KM_HASH_SIZE])
{
	struct km_key *best = NULL;

	for (struct km_key *k = p->keys; k; k = k->next)
		if (k->share->usable && memcmp(k->share->table.key_id, key_id, KM_HASH_SIZE) == 0 &&
		    (!best || k->share->table.number > best->share->table.number))
			best = k;
	return best;
}

struct km_key *km_key_by_name(struct km_peer *p, const char *name)
{
	struct km_key *found = NULL;

	for (struct km_key *k = p->keys; k; k = k->next)
		if (strcmp(k->share->table.name, name) == 0 && (!found || k->share->usable))
			found = k;
	return found;
}

static void key_free(struct km_key *k)
{
	if (k->share) {
		km_share_wipe(k->share);
		km_secret_free(k->share);
	}
	free(k->canaries);
	free(k);
}

void km_key_free_all(struct km_peer *p)
{
	for (struct km_cert_file *f; (f = p->certs);) {
		p->certs = f->next;
		free(f);
	}
	for (struct km_key *k; (k = p->keys);) {
		p->keys = k->next;
		key_free(k);
	}
}

static void forget(struct km_peer *p, struct km_key **at);

/* A participant that never says STORED must not fill our disk: of many candidates of a name the oldest goes, no promise binds it.
 */
static void bound_candidates(struct km_peer *p, const char *name)
{
	struct km_key **oldest = NULL;
	unsigned n = 0;

	for (struct km_key **at = &p->keys; *at; at = &(*at)->next) {
		if ((*at)->share->usable || strcmp((*at)->share->table.name, name) != 0)
			continue;
		if (!oldest)
			oldest = at;
		n++;
	}
	if (n > KM_CANDIDATES_MAX && p->fx)
		forget(p, oldest);
}

/* Takes a copy; at the end of the list. NULL without memory. */
struct km_key *km_key_add(struct km_peer *p, const struct km_share *share)
{
	struct km_key *k = calloc(1, sizeof(*k)), **tail;

	if (!k)
		return NULL;
	k->share = km_secret_alloc(sizeof(*k->share));
	if (!k->share) {
		free(k);
		return NULL;
	}
	*k->share = *share;
	k->policy = km_settings_key(p->s, share->table.name);
	for (tail = &p->keys; *tail; tail = &(*tail)->next)
		;
	*tail = k;
	bound_candidates(p, share->table.name);
	return k;
}

void km_key_file(const struct km_table *t, const char *ending, char *out, size_t size)
{
	const uint8_t *h = t->key_id;
	char hex[4][9];

	for (unsigned i = 0; i < 4; i++)
		km_format(hex[i], sizeof(hex[i]), "%H", h + 4 * i);
	km_format(out, size, "key-%s%s%s%s.%s", hex[0], hex[1], hex[2], hex[3], ending);
}

static int store_share(struct km_peer *p, const struct km_share *share, uint64_t token)
{
	uint8_t *mem = km_secret_alloc(KM_SHARE_ENC_MAX);
	char name[64];
	struct km_buf b;

	if (!mem)
		return KM_E_NOMEM;
	km_buf_init_fixed(&b, mem, KM_SHARE_ENC_MAX);
	int err = km_share_encode(share, &b);
	if (!err) {
		km_key_file(&share->table, "share", name, sizeof(name));
		km_peer_persist(p, name, b.data, b.len, 1, token);
	}
	km_secret_free(mem);
	return err;
}

/* Own STORED may be said. The run says it first; the timer is for when that gets lost. */
static void on_disk(struct km_peer *p, struct km_key *k)
{
	struct km_msg m;

	k->stored |= km_set_bit(p->self);
	k->say_at_us = p->now.mono_us + STORED_FIRST_US;
	if (k->share->stored_len && km_msg_parse(&m, k->share->stored, k->share->stored_len) == KM_OK)
		km_key_keep_stored(k, &m);
}

int km_key_load(struct km_peer *p, const uint8_t *data, size_t len)
{
	struct km_share *share = km_secret_alloc(sizeof(*share));
	uint8_t sender = 0;

	if (!share)
		return KM_E_NOMEM;
	int err = km_share_decode(share, data, len);
	if (!err && (share->self != p->self || memcmp(share->table.idkeys[p->self], p->idkeys[p->self], KM_IDKEY_SIZE) != 0))
		err = KM_E_MISMATCH;
	/* the table as a whole is what we once signed for: no field of it may have changed since */
	int stored = err ? err : km_stored_check(&share->table, KM_PROTO_DKG, share->stored, share->stored_len, &sender);
	/* without memory nothing is said of the file */
	if (!err && stored)
		err = stored == KM_E_NOMEM ? stored : KM_E_MISMATCH;
	else if (!err && sender != p->self)
		err = KM_E_MISMATCH;
	if (!err && !km_key_find(p, share->table.hash)) {
		struct km_key *k = km_key_add(p, share);

		if (k)
			on_disk(p, k);
		else
			err = KM_E_NOMEM;
	}
	km_share_wipe(share);
	km_secret_free(share);
	return err;
}

static void forget(struct km_peer *p, struct km_key **at)
{
	struct km_key *k = *at;
	char name[64];

	km_key_file(&k->share->table, "share", name, sizeof(name));
	km_peer_persist(p, name, NULL, 0, 0, 0);
	km_key_file(&k->share->table, "dkg", name, sizeof(name));
	km_peer_persist(p, name, NULL, 0, 0, 0);
	*at = k->next;
	key_free(k);
}

/* ---- the certificate: STORED of every member */

void km_key_keep_stored(struct km_key *k, const struct km_msg *m)
{
	if (KM_MSG_HEAD + (size_t)m->body_len != KM_STORED_MAX || !km_set_has(k->share->table.members, m->sender))
		return;
	memcpy(k->cert[m->sender], m->raw, KM_STORED_MAX);
	k->certified |= km_set_bit(m->sender);
}

static void store_cert(struct km_peer *p, const struct km_key *k)
{
	char name[64];
	struct km_buf b;

	if (k->certified != k->share->table.members)
		return;
	km_buf_init(&b);
	for (unsigned i = km_set_next(k->certified, 0); i; i = km_set_next(k->certified, i))
		km_put_lbytes(&b, k->cert[i], KM_STORED_MAX);
	km_key_file(&k->share->table, "cert", name, sizeof(name));
	if (!b.err)
		km_peer_persist(p, name, b.data, b.len, 0, 0);
	km_buf_clear(&b);
}

/* What fits our table counts, the rest does not: the file says nothing that its signatures do not. */
static void take_cert(struct km_key *k, const uint8_t *data, size_t len)
{
	struct km_reader r;
	struct km_msg m;

	km_reader_init(&r, data, len);
	while (km_reader_left(&r) && !r.err) {
		size_t n = 0;
		const uint8_t *raw = km_get_lref(&r, &n, KM_STORED_MAX);
		uint8_t sender;

		if (raw && km_stored_check(&k->share->table, KM_PROTO_DKG, raw, n, &sender) == KM_OK && km_msg_parse(&m, raw, n) == KM_OK)
			km_key_keep_stored(k, &m);
	}
}

/* Files come in any order: a certificate waits for its share. */
int km_key_load_cert(struct km_peer *p, const uint8_t *data, size_t len)
{
	struct km_cert_file *f;

	if (len > CERT_MAX)
		return KM_E_LIMIT;
	f = malloc(sizeof(*f) + len);
	if (!f)
		return KM_E_NOMEM;
	f->len = len;
	memcpy(f->data, data, len);
	f->next = p->certs;
	p->certs = f;
	return KM_OK;
}

void km_key_start(struct km_peer *p)
{
	for (struct km_cert_file *f; (f = p->certs);) {
		p->certs = f->next;
		for (struct km_key *k = p->keys; k; k = k->next) {
			take_cert(k, f->data, f->len);
			if (!k->share->usable && k->certified == k->share->table.members)
				km_key_usable(p, k);
		}
		free(f);
	}
}

/* Candidates of the same name will never be used now: nobody is bound by them. */
static void forget_candidates(struct km_peer *p, const struct km_key *usable)
{
	for (struct km_key **at = &p->keys, *k; (k = *at);) {
		if (k == usable || k->share->usable || strcmp(k->share->table.name, usable->share->table.name) != 0) {
			at = &k->next;
			continue;
		}
		forget(p, at);
	}
}

void km_key_usable(struct km_peer *p, struct km_key *k)
{
	const struct km_table *t = &k->share->table;

	k->share->usable = 1;
	if (store_share(p, k->share, 0))
		km_effects_log(p->fx, KM_LOG_ERROR, "key %s: out of memory; it counts as unusable at the next start", t->name);
	km_effects_log(p->fx, KM_LOG_NOTICE, "key %s (%s, %u of %u peers) is usable, id %H", t->name, km_curve_name(t->curve),
		       t->threshold, km_set_size(t->members), t->key_id);
	km_journal_epoch(p, KM_AUDIT_KEYGEN, KM_AUDIT_USABLE, t);
	store_cert(p, k);
	forget_candidates(p, k);
	/* others must know that we can take part in presigning */
	km_links_health_now(p);
	km_refill_soon(p, 0);
}

/* ---- STORED after the run: candidates that missed some */

static void say_stored(struct km_peer *p, const struct km_key *k, unsigned to)
{
	/* WHY: STORED promises a share on disk, so not before it is there */
	if (!k->share->stored_len || !km_set_has(k->stored, p->self))
		return;
	km_put_u8(&p->scratch, KM_FRAME_ENVELOPE);
	km_put_bytes(&p->scratch, k->share->stored, k->share->stored_len);
	km_peer_send(p, km_peer_addr(to));
}

void km_key_say_stored(struct km_peer *p, unsigned to)
{
	for (const struct km_key *k = p->keys; k; k = k->next)
		if (!k->share->usable && km_set_has(k->share->table.members, to))
			say_stored(p, k, to);
}

/* All STOREDs in one RELAY. */
static void say_cert(struct km_peer *p, const struct km_key *k, unsigned to)
{
	/* WHY: a member whom a corrupt one never told would wait for ever (attack B10) */
	if (!k->certified || !KM_RULE(km_rule_certificate))
		return;
	km_put_u8(&p->scratch, KM_FRAME_RELAY);
	km_put_u8(&p->scratch, (uint8_t)km_set_size(k->certified));
	for (unsigned i = km_set_next(k->certified, 0); i; i = km_set_next(k->certified, i))
		km_put_lbytes(&p->scratch, k->cert[i], KM_STORED_MAX);
	km_peer_send(p, km_peer_addr(to));
}

void km_key_stored(struct km_peer *p, unsigned from, int relayed, const struct km_msg *msg)
{
	struct km_key *k;
	uint8_t sender;

	for (k = p->keys; k; k = k->next)
		if (memcmp(k->share->table.sid, msg->sid, KM_HASH_SIZE) == 0)
			break;
	if (!k || (msg->sender != from && !relayed) || (k->share->usable && relayed) ||
	    km_stored_check(&k->share->table, KM_PROTO_DKG, msg->raw, KM_MSG_HEAD + (size_t)msg->body_len, &sender)) {
		km_peer_drop_frame(p, KM_DROP_STALE);
		return;
	}
	if (k->share->usable) {
		/* it asks, having missed some; once it says in HEALTH that it has the key, there is nothing more to answer */
		if (!km_links_has_table(p, from, k->share->table.hash))
			say_cert(p, k, from);
		return;
	}
	if (km_set_has(k->stored, sender))
		return;
	k->stored |= km_set_bit(sender);
	km_key_keep_stored(k, msg);
	if (!relayed)
		say_stored(p, k, from);
	if (k->stored == k->share->table.members)
		km_key_usable(p, k);
}

/* Also when the run has not waited for a slow disk. */
void km_key_persisted(struct km_peer *p, uint64_t token, int err)
{
	for (struct km_key **at = &p->keys; token && *at; at = &(*at)->next) {
		if ((*at)->persist_token != token)
			continue;
		(*at)->persist_token = 0;
		if (err)
			forget(p, at);
		else
			on_disk(p, *at);
		return;
	}
}

void km_key_tick(struct km_peer *p)
{
	for (struct km_key *k = p->keys; k; k = k->next) {
		if (k->share->usable || !k->share->stored_len)
			continue;
		if (p->now.mono_us >= k->say_at_us) {
			uint32_t to = km_links_live(p) & k->share->table.members & ~k->stored;

			for (unsigned i = km_set_next(to, 0); i; i = km_set_next(to, i))
				say_stored(p, k, i);
			k->say_at_us = p->now.mono_us + STORED_AGAIN_US;
		}
		km_peer_wake(p, k->say_at_us);
	}
}
