/* keys.c: the epochs of keys that a peer holds shares of, their files, and candidates.
 *
 * A share that was stored is a candidate until its certificate is here (certs.c): it signs nothing, and says its own STORED again
 * on every new channel and now and then. One key has any number of epochs side by side: every certified one whose share has not been
 * wiped signs (attack A21), and a candidate of a reshare is a promise that nothing but the rule for wiping ends. */
#include "peer_impl.h"

#include <stdlib.h>
#include <string.h>
#include "../base/secret.h"

#define STORED_FIRST_US 2000000u
#define STORED_AGAIN_US 10000000u
#define REMOVE_AGAIN_US 5000000u
/* Wiped epochs of one key whose tables are kept, for evidence about their runs. */
#define WIPED_KEPT 4

struct km_key *km_key_find(struct km_peer *p, const uint8_t table[KM_HASH_SIZE])
{
	for (struct km_key *k = p->keys; k; k = k->next)
		if (memcmp(k->share->table.hash, table, KM_HASH_SIZE) == 0)
			return k;
	return NULL;
}

int km_key_cmp(const struct km_key *a, const struct km_key *b)
{
	struct km_epoch ea, eb;

	km_epoch_of(&ea, &a->share->table);
	km_epoch_of(&eb, &b->share->table);
	return km_epoch_cmp(&ea, &eb);
}

int km_key_same(const struct km_key *a, const struct km_key *b)
{
	return memcmp(a->share->table.key_id, b->share->table.key_id, KM_HASH_SIZE) == 0;
}

struct km_key *km_key_by_id(struct km_peer *p, const uint8_t key_id[KM_HASH_SIZE])
{
	struct km_key *best = NULL;

	for (struct km_key *k = p->keys; k; k = k->next)
		if (k->share->usable && memcmp(k->share->table.key_id, key_id, KM_HASH_SIZE) == 0 && (!best || km_key_cmp(k, best) > 0))
			best = k;
	return best;
}

struct km_key *km_key_by_name(struct km_peer *p, const char *name)
{
	struct km_key *found = NULL;

	for (struct km_key *k = p->keys; k; k = k->next) {
		if (!k->holder || k->wiped || strcmp(k->share->table.name, name) != 0)
			continue;
		if (!found || k->share->usable > found->share->usable ||
		    (k->share->usable == found->share->usable && km_key_cmp(k, found) > 0))
			found = k;
	}
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
	for (struct km_key *k; (k = p->keys);) {
		p->keys = k->next;
		key_free(k);
	}
	for (struct km_removal *r; (r = p->removals);) {
		p->removals = r->next;
		free(r);
	}
	km_cert_free(p);
}

/* Made by a key generation: no promise binds it. */
static int of_dkg(const struct km_key *k)
{
	return k->holder && k->cert.proto == KM_PROTO_DKG;
}

static void forget(struct km_peer *p, struct km_key **at);

/* A participant that never says STORED must not fill our disk: of many candidates of a name the oldest goes, no promise binds it.
 */
static void bound_candidates(struct km_peer *p, const char *name)
{
	struct km_key **oldest = NULL;
	unsigned n = 0;

	for (struct km_key **at = &p->keys; *at; at = &(*at)->next) {
		if ((*at)->share->usable || (*at)->wiped || !of_dkg(*at) || strcmp((*at)->share->table.name, name) != 0)
			continue;
		if (!oldest)
			oldest = at;
		n++;
	}
	if (n > KM_CANDIDATES_MAX && p->fx)
		forget(p, oldest);
}

static struct km_key *key_new(struct km_peer *p, const char *name, unsigned proto)
{
	struct km_key *k = calloc(1, sizeof(*k)), **tail;

	if (!k)
		return NULL;
	k->share = km_secret_alloc(sizeof(*k->share));
	if (!k->share) {
		free(k);
		return NULL;
	}
	memset(k->share, 0, sizeof(*k->share));
	k->policy = km_settings_key(p->s, name);
	km_cert_init(&k->cert, proto);
	for (tail = &p->keys; *tail; tail = &(*tail)->next)
		;
	*tail = k;
	return k;
}

struct km_key *km_key_add(struct km_peer *p, const struct km_share *share)
{
	/* its certificate may have been quicker */
	struct km_key *k = km_key_find(p, share->table.hash);

	if (!k)
		k = key_new(p, share->table.name, share->stored_len > 2 ? share->stored[2] : KM_PROTO_DKG);
	if (!k)
		return NULL;
	*k->share = *share;
	k->holder = 1;
	k->made_ms = share->table.number * 1000;
	/* names may be ahead of the clock */
	if (p->fx && k->made_ms > p->now.wall_ms)
		k->made_ms = p->now.wall_ms;
	bound_candidates(p, share->table.name);
	return k;
}

struct km_key *km_key_add_table(struct km_peer *p, const struct km_table *t, unsigned proto)
{
	struct km_key *k = key_new(p, t->name, proto);

	if (!k)
		return NULL;
	k->share->table = *t;
	k->share->self = p->self;
	return k;
}

/* By key and epoch: two epochs of a key lie side by side. */
void km_key_file(const struct km_table *t, const char *ending, char *out, size_t size)
{
	char hex[6][9];

	for (unsigned i = 0; i < 2; i++)
		km_format(hex[i], sizeof(hex[i]), "%H", t->key_id + 4 * i);
	for (unsigned i = 0; i < 4; i++)
		km_format(hex[2 + i], sizeof(hex[i]), "%H", t->hash + 4 * i);
	km_format(out, size, "key-%s%s-%s%s%s%s.%s", hex[0], hex[1], hex[2], hex[3], hex[4], hex[5], ending);
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
	k->durable = 1;
	k->say_at_us = p->now.mono_us + STORED_FIRST_US;
	/* a share without it is one of before it was signed: it is not counted, and asks for nothing */
	if (k->share->stored_len && km_cert_add(&k->cert, &k->share->table, k->share->stored, k->share->stored_len) == KM_OK && p->fx)
		km_cert_consider(p, k);
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
	int stored = err ? err
			 : km_stored_check(&share->table, share->stored_len > 2 ? share->stored[2] : 0, share->stored, share->stored_len, &sender);
	/* without memory nothing is said of the file */
	if (!err && stored)
		err = stored == KM_E_NOMEM ? stored : KM_E_MISMATCH;
	else if (!err && sender != p->self)
		err = KM_E_MISMATCH;
	struct km_key *k = err ? NULL : km_key_find(p, share->table.hash);
	if (!err && k) {
		k->share->usable |= share->usable;
	} else if (!err) {
		k = km_key_add(p, share);
		if (k)
			on_disk(p, k);
		else
			err = KM_E_NOMEM;
	}
	km_share_wipe(share);
	km_secret_free(share);
	return err;
}

/* ---- what goes */

static void remove_file(struct km_peer *p, const struct km_key *k, const char *ending)
{
	struct km_removal *r = calloc(1, sizeof(*r));
	char name[64];

	km_key_file(&k->share->table, ending, name, sizeof(name));
	if (r) {
		memcpy(r->name, name, sizeof(r->name));
		r->token = p->next_token++;
		r->again_us = p->now.mono_us + REMOVE_AGAIN_US;
		r->next = p->removals;
		p->removals = r;
		km_peer_wake(p, r->again_us);
	}
	/* without memory it is tried once; what is left is seen again at the next start */
	km_peer_persist(p, name, NULL, 0, 0, r ? r->token : 0);
}

static void removed(struct km_peer *p, uint64_t token, int err)
{
	for (struct km_removal **at = &p->removals, *r; (r = *at); at = &r->next) {
		if (!token || r->token != token || err)
			continue;
		*at = r->next;
		free(r);
		return;
	}
}

static void remove_again(struct km_peer *p)
{
	for (struct km_removal *r = p->removals; r; r = r->next) {
		if (p->now.mono_us >= r->again_us) {
			r->again_us = p->now.mono_us + REMOVE_AGAIN_US;
			km_peer_persist(p, r->name, NULL, 0, 0, r->token);
		}
		km_peer_wake(p, r->again_us);
	}
}

static void forget(struct km_peer *p, struct km_key **at)
{
	struct km_key *k = *at;

	remove_file(p, k, "share");
	remove_file(p, k, "dkg");
	*at = k->next;
	key_free(k);
}

void km_key_wipe(struct km_peer *p, struct km_key *k)
{
	if (k->wiped)
		return;
	if (k->holder) {
		remove_file(p, k, "share");
		if (!of_dkg(k))
			remove_file(p, k, "reshare");
		km_effects_log(p->fx, KM_LOG_NOTICE, "key %s: the share of epoch %U is wiped", k->share->table.name, k->share->table.number);
	}
	if (k->holder)
		km_journal_epoch(p, KM_AUDIT_RESHARE, KM_AUDIT_WIPED, &k->share->table);
	remove_file(p, k, "cert");
	km_wipe(&k->share->x_i, sizeof(k->share->x_i));
	k->share->usable = 0;
	k->wiped = 1;
	k->bound = 0;
	km_queue_move(p, k);
	km_pool_burn_key(p, k);
	km_run_drop_key(p, k);
}

static int referred_to(const struct km_peer *p, const struct km_key *k)
{
	for (const struct km_run *run = p->runs; run; run = run->next)
		if (run->key == k)
			return 1;
	for (const struct km_flight *f = p->working.head; f; f = f->next)
		if (f->key == k)
			return 1;
	for (const struct km_flight *f = p->done.head; f; f = f->next)
		if (f->key == k)
			return 1;
	return p->keygen.key == k;
}

/* The oldest table of a wiped epoch, when there are many of that key. */
static void forget_wiped(struct km_peer *p, const struct km_key *of)
{
	struct km_key **oldest = NULL;
	unsigned n = 0;

	for (struct km_key **at = &p->keys; *at; at = &(*at)->next) {
		if (!(*at)->wiped || !km_key_same(*at, of))
			continue;
		n++;
		if (!referred_to(p, *at) && (!oldest || km_key_cmp(*at, *oldest) < 0))
			oldest = at;
	}
	if (n > WIPED_KEPT && oldest) {
		struct km_key *k = *oldest;

		*oldest = k->next;
		key_free(k);
	}
}

void km_key_start(struct km_peer *p)
{
	km_cert_start(p);
}

/* Candidates of the same name will never be used now: nobody is bound by them. */
static void forget_candidates(struct km_peer *p, const struct km_key *usable)
{
	for (struct km_key **at = &p->keys, *k; (k = *at);) {
		if (k == usable || k->share->usable || k->wiped || !of_dkg(k) || strcmp(k->share->table.name, usable->share->table.name) != 0) {
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
	if (of_dkg(k))
		km_effects_log(p->fx, KM_LOG_NOTICE, "key %s (%s, %u of %u peers) is usable, id %H", t->name, km_curve_name(t->curve),
			       t->threshold, km_set_size(t->members), t->key_id);
	else
		km_effects_log(p->fx, KM_LOG_NOTICE, "key %s: epoch %U (%u of %u peers) is certified", t->name, t->number, t->threshold,
			       km_set_size(t->members));
	km_journal_epoch(p, of_dkg(k) ? KM_AUDIT_KEYGEN : KM_AUDIT_RESHARE, KM_AUDIT_USABLE, t);
	forget_candidates(p, k);
	km_queue_move(p, k);
	/* others must know that we can take part in presigning */
	km_links_health_now(p);
	km_refill_soon(p, 0);
	/* a ceremony may wait for it */
	km_peer_wake(p, p->now.mono_us);
}

/* ---- STORED after the run: candidates that missed some */

static void say_stored(struct km_peer *p, const struct km_key *k, unsigned to)
{
	/* WHY: STORED promises a share on disk, so not before it is there */
	if (!k->share->stored_len || !k->durable)
		return;
	km_put_u8(&p->scratch, KM_FRAME_ENVELOPE);
	km_put_bytes(&p->scratch, k->share->stored, k->share->stored_len);
	km_peer_send(p, km_peer_addr(to));
}

/* For its certificate, to begin or again: a disk may have lost that alone. */
static int waits(const struct km_key *k)
{
	return k->holder && !k->wiped && k->durable && (!k->share->usable || !k->bound);
}

void km_key_say_stored(struct km_peer *p, unsigned to)
{
	for (const struct km_key *k = p->keys; k; k = k->next)
		if (waits(k) && km_set_has(k->share->table.members, to))
			say_stored(p, k, to);
}

void km_key_stored(struct km_peer *p, unsigned from, int relayed, const uint8_t *raw, size_t len)
{
	struct km_promise said;
	struct km_key *k = NULL;

	/* WHY by the table and not by the run: one run may have led a corrupt dealer's partners to two (attack A17) */
	if (km_stored_read(&said, raw, len) == KM_OK)
		k = km_key_find(p, said.epoch.table);
	if (!k || k->wiped || (said.member != from && !relayed)) {
		km_peer_drop_frame(p, KM_DROP_STALE);
		return;
	}
	if (km_set_has(k->cert.members, said.member)) {
		/* it says so again because something is missing there */
		if (!relayed && k->bound && !(km_set_has(k->answered, from) && k->have[from] == k->cert.members))
			km_cert_send(p, k, from);
		return;
	}
	if (km_cert_add(&k->cert, &k->share->table, raw, len)) {
		km_peer_drop_frame(p, KM_DROP_STALE);
		return;
	}
	if (!relayed && waits(k))
		say_stored(p, k, from);
	km_cert_consider(p, k);
}

/* Also when the run has not waited for a slow disk. */
void km_key_persisted(struct km_peer *p, uint64_t token, int err)
{
	removed(p, token, err);
	if (km_cert_persisted(p, token, err))
		return;
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
		if (!waits(k) || !k->share->stored_len)
			continue;
		if (p->now.mono_us >= k->say_at_us) {
			uint32_t to = km_links_live(p) & k->share->table.members & ~k->cert.members;

			for (unsigned i = km_set_next(to, 0); i; i = km_set_next(to, i))
				say_stored(p, k, i);
			k->say_at_us = p->now.mono_us + STORED_AGAIN_US;
		}
		km_peer_wake(p, k->say_at_us);
	}
	km_cert_tick(p);
	for (const struct km_key *k = p->keys; k; k = k->next) {
		if (k->wiped) {
			forget_wiped(p, k);
			break;
		}
	}
	remove_again(p);
}
