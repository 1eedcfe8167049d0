/* certs.c: certificates of epochs, who is bound by one, and when lower shares go.
 *
 *	CERT  u32 len | table | certificate      HAVE  table hash | members u32: whose STORED the sender has of it
 *
 * Every STORED that comes is kept with its epoch. Enough of them are a certificate (epoch.h), which is fsynced before anything follows
 * from it: no vote below it, signing under it, and, once nobody's STORED is missing, the end of all lower shares. It is shown to every peer,
 * removed ones too, until that has answered with all that we have. */
#include "peer_impl.h"

#include <stdlib.h>
#include <string.h>

#define WRITE_AGAIN_US 2000000u
/* STOREDs come from their authors a moment after another: one CERT then says all. */
#define SAY_FIRST_US 1000000u
#define SAY_AGAIN_US 10000000u
/* How long old shares are kept for peers whose new pools are empty. */
#define SERVE_WAIT_US 60000000u
#define CERTS_A_SECOND 2
#define CERTS_BURST 32
#define FILE_MAX (4 + KM_SHARE_ENC_MAX + KM_CERT_MAX)

/* ---- whom it binds */

uint32_t km_policy_committee(const struct km_peer *p, const struct km_key_policy *k)
{
	return k && k->members ? k->members : p->s->roster.members;
}

unsigned km_policy_dkg_least(const struct km_peer *p, const struct km_key_policy *k)
{
	/* a committee that was named takes part whole */
	if (k && k->members)
		return km_set_size(k->members);
	return km_settings_dkg_least(p->s, k ? k->threshold : KM_MAX_PEERS);
}

/* Committee, identities and T are those of our operator's file. */
static int file_agrees(const struct km_peer *p, const struct km_table *t)
{
	const struct km_key_policy *k = km_settings_key(p->s, t->name);

	if (!k || t->threshold != k->threshold || km_curve_id(t->curve) != k->curve || t->members != km_policy_committee(p, k))
		return 0;
	for (unsigned i = km_set_next(t->members, 0); i; i = km_set_next(t->members, i))
		if (memcmp(t->idkeys[i], p->idkeys[i], KM_IDKEY_SIZE) != 0)
			return 0;
	return 1;
}

/* WHY not any that verifies: T'-1 corrupt peers and their tables of themselves would have everybody wipe (attack A23). */
static int binds(const struct km_peer *p, const struct km_key *k)
{
	return (k->holder && k->durable) || file_agrees(p, &k->share->table) || !KM_RULE(km_rule_cert_binds);
}

/* A key that we know, or that our operator's file names by its id. WHY: else whoever is first with a certificate of its own making
 * decides which key a new member joins. */
static int key_known(struct km_peer *p, const struct km_table *t)
{
	const struct km_key_policy *policy = km_settings_key(p->s, t->name);

	for (const struct km_key *k = p->keys; k; k = k->next)
		if (memcmp(k->share->table.key_id, t->key_id, KM_HASH_SIZE) == 0)
			return 1;
	return policy && policy->pinned && memcmp(policy->pin, t->key_id, KM_HASH_SIZE) == 0;
}

struct km_key *km_cert_bar(struct km_peer *p, const uint8_t key_id[KM_HASH_SIZE])
{
	struct km_key *best = NULL;

	for (struct km_key *k = p->keys; k; k = k->next)
		if (k->bound && memcmp(k->share->table.key_id, key_id, KM_HASH_SIZE) == 0 && (!best || km_key_cmp(k, best) > 0))
			best = k;
	return best;
}

int km_cert_base(struct km_peer *p, unsigned from, const uint8_t table[KM_HASH_SIZE], const struct km_table **t, const struct km_cert **cert)
{
	const struct km_key *k = km_key_find(p, table);
	const struct km_shown *s = p->link[from].shown;

	if (k && !k->wiped && k->bound) {
		*t = &k->share->table;
		*cert = &k->cert;
		return 1;
	}
	if (s && memcmp(s->table.hash, table, KM_HASH_SIZE) == 0) {
		*t = &s->table;
		*cert = &s->cert;
		return 1;
	}
	return 0;
}

/* ---- to the disk */

static int put_file(struct km_buf *b, const struct km_key *k)
{
	uint8_t mem[KM_SHARE_ENC_MAX];
	struct km_buf t;

	km_buf_init_fixed(&t, mem, sizeof(mem));
	int err = km_table_encode(&k->share->table, &t);
	if (err)
		return err;
	km_put_lbytes(b, t.data, t.len);
	return km_cert_encode(&k->cert, b);
}

static void write_cert(struct km_peer *p, struct km_key *k)
{
	char name[64];
	struct km_buf b;

	km_buf_init(&b);
	k->cert_writing = k->cert.members;
	k->cert_token = p->next_token++;
	k->cert_again_us = p->now.mono_us + WRITE_AGAIN_US;
	km_peer_wake(p, k->cert_again_us);
	km_key_file(&k->share->table, "cert", name, sizeof(name));
	if (put_file(&b, k) == KM_OK)
		km_peer_persist(p, name, b.data, b.len, 0, k->cert_token);
	km_buf_clear(&b);
}

void km_cert_consider(struct km_peer *p, struct km_key *k)
{
	if (k->wiped || !km_cert_complete(&k->cert, &k->share->table) || !binds(p, k))
		return;
	/* STORED of everybody needs no disk of ours: nothing lower is there to be lost */
	if (k->holder && k->durable && !k->share->usable && k->cert.proto == KM_PROTO_DKG)
		km_key_usable(p, k);
	if (k->cert.members != (k->cert_token ? k->cert_writing : k->cert_disk))
		write_cert(p, k);
}

/* It is on the disk. */
static void bound(struct km_peer *p, struct km_key *k)
{
	k->bound = 1;
	k->cert_at_us = p->now.mono_us + SAY_FIRST_US;
	km_peer_wake(p, k->cert_at_us);
	if (k->holder && k->durable && !k->share->usable)
		km_key_usable(p, k);
	else if (!k->holder && km_set_has(k->share->table.members, p->self) && !k->told)
		km_effects_log(p->fx, KM_LOG_WARN, "key %s: epoch %U is certified, and this peer has no share of it; recover it: keymesh recover %s --peer %u",
			       k->share->table.name, k->share->table.number, k->share->table.name, (unsigned)p->self);
	k->told = 1;
	km_peer_wake(p, p->now.mono_us);
}

int km_cert_persisted(struct km_peer *p, uint64_t token, int err)
{
	for (struct km_key *k = p->keys; k && token; k = k->next) {
		if (k->cert_token != token)
			continue;
		k->cert_token = 0;
		if (!err && !k->wiped) {
			k->cert_disk = k->cert_writing;
			bound(p, k);
		}
		return 1;
	}
	return 0;
}

/* ---- from the disk. Files come in any order: a certificate waits for its share. */

int km_cert_load(struct km_peer *p, const uint8_t *data, size_t len)
{
	struct km_cert_file *f;

	if (len > FILE_MAX)
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

/* What fits the table counts, the rest does not: the file says nothing that its signatures do not. */
static void add_all(struct km_key *k, const struct km_cert *c)
{
	for (unsigned i = km_set_next(c->members, 0); i; i = km_set_next(c->members, i)) {
		int err = km_set_has(k->cert.members, i) ? 0 : km_cert_add(&k->cert, &k->share->table, c->stored[i - 1], KM_STORED_MAX);

		(void)err; /* not a member's word, or no memory to tell: it comes again */
	}
}

/* A run that still waits for one of them ends by it. */
static void tell_run(struct km_peer *p, unsigned from, const struct km_cert *c)
{
	for (unsigned i = km_set_next(c->members, 0); i; i = km_set_next(c->members, i)) {
		const struct km_run *run = km_run_by_sid(p, c->epoch.sid);

		if (run && run->state == KM_RUN_ACTIVE && c->proto == KM_PROTO_DKG)
			km_run_envelope(p, from, 1, c->stored[i - 1], KM_STORED_MAX, NULL);
	}
}

/* Strict: u32 len | table | certificate. */
static int read_both(const uint8_t *data, size_t len, const uint8_t **table, size_t *table_len, struct km_cert *c)
{
	struct km_reader r;

	km_reader_init(&r, data, len);
	*table = km_get_lref(&r, table_len, KM_SHARE_ENC_MAX);
	if (!*table)
		return r.err ? r.err : KM_E_TRUNCATED;
	size_t left = km_reader_left(&r);
	const uint8_t *rest = km_get_ref(&r, left);
	return rest ? km_cert_decode(c, rest, left) : r.err;
}

static int read_table(struct km_table *t, const uint8_t *table, size_t len)
{
	struct km_reader r;

	km_reader_init(&r, table, len);
	int err = km_table_decode(t, &r);
	return err ? err : km_reader_end(&r);
}

static void load_one(struct km_peer *p, const struct km_cert_file *f)
{
	struct km_shown *s = calloc(1, sizeof(*s));
	const uint8_t *table;
	size_t len = 0;

	if (!s)
		return;
	if (read_both(f->data, f->len, &table, &len, &s->cert) == KM_OK) {
		struct km_key *k = km_key_find(p, s->cert.epoch.table);

		if (!k && read_table(&s->table, table, len) == KM_OK && memcmp(s->table.hash, s->cert.epoch.table, KM_HASH_SIZE) == 0)
			k = km_key_add_table(p, &s->table, s->cert.proto);
		if (k) {
			add_all(k, &s->cert);
			if (km_cert_complete(&k->cert, &k->share->table)) {
				k->cert_disk = s->cert.members & k->cert.members;
				bound(p, k);
			}
		}
	}
	free(s);
}

void km_cert_start(struct km_peer *p)
{
	for (struct km_cert_file *f; (f = p->certs);) {
		p->certs = f->next;
		load_one(p, f);
		free(f);
	}
	for (struct km_key *k = p->keys; k; k = k->next)
		km_cert_consider(p, k);
}

/* ---- to others */

void km_cert_send(struct km_peer *p, const struct km_key *k, unsigned to)
{
	/* WHY: a member whom a corrupt one never told would wait for ever (attack B10) */
	if (!k->cert.members || !KM_RULE(km_rule_certificate))
		return;
	km_put_u8(&p->scratch, KM_FRAME_CERT);
	if (put_file(&p->scratch, k))
		km_buf_reset(&p->scratch);
	else
		km_peer_send(p, km_peer_addr(to));
}

static void send_have(struct km_peer *p, unsigned to, const uint8_t table[KM_HASH_SIZE], uint32_t members)
{
	km_put_u8(&p->scratch, KM_FRAME_HAVE);
	km_put_bytes(&p->scratch, table, KM_HASH_SIZE);
	km_put_u32(&p->scratch, members);
	km_peer_send(p, km_peer_addr(to));
}

/* Old and new members, and whoever else is in the file: all of them have to know which epoch is in force. */
static uint32_t lack_it(const struct km_peer *p, const struct km_key *k)
{
	uint32_t set = (p->s->roster.members | p->s->roster.removed) & ~km_set_bit(p->self);

	for (unsigned i = km_set_next(set, 0); i; i = km_set_next(set, i)) {
		if (km_set_has(k->answered, i) ? !(k->cert.members & ~k->have[i])
					      /* who says in HEALTH that it can use a key just made has STORED of all */
					      : k->cert.proto == KM_PROTO_DKG && km_links_has_table(p, i, k->share->table.hash))
			set &= ~km_set_bit(i);
	}
	return set;
}

static uint32_t reached(const struct km_peer *p)
{
	uint32_t set = km_links_live(p);

	for (unsigned i = km_set_next(p->s->roster.removed, 0); i; i = km_set_next(p->s->roster.removed, i))
		if (!p->link[i].broken_us)
			set |= km_set_bit(i);
	return set;
}

static void say(struct km_peer *p, struct km_key *k)
{
	if (!k->cert_at_us)
		return;
	if (p->now.mono_us < k->cert_at_us) {
		km_peer_wake(p, k->cert_at_us);
		return;
	}
	uint32_t to = lack_it(p, k);
	if (!to) {
		k->cert_at_us = 0;
		return;
	}
	to &= reached(p);
	for (unsigned i = km_set_next(to, 0); i; i = km_set_next(to, i))
		km_cert_send(p, k, i);
	k->cert_at_us = p->now.mono_us + SAY_AGAIN_US;
	km_peer_wake(p, k->cert_at_us);
}

void km_cert_reset(struct km_peer *p, unsigned peer)
{
	for (struct km_key *k = p->keys; k; k = k->next) {
		k->answered &= ~km_set_bit(peer);
		if (k->bound && (!k->cert_at_us || k->cert_at_us > p->now.mono_us + SAY_FIRST_US))
			k->cert_at_us = p->now.mono_us + SAY_FIRST_US;
		if (k->cert_at_us)
			km_peer_wake(p, k->cert_at_us);
	}
}

/* ---- from others */

static void show(struct km_peer *p, unsigned from, struct km_shown **s)
{
	free(p->link[from].shown);
	p->link[from].shown = *s;
	*s = NULL;
}

/* An epoch that is not among ours. */
static struct km_key *news(struct km_peer *p, unsigned from, const uint8_t *table, size_t len, struct km_shown **s)
{
	struct km_shown *now = *s;
	struct km_key *bar;
	struct km_epoch e;

	if (read_table(&now->table, table, len) || memcmp(now->table.hash, now->cert.epoch.table, KM_HASH_SIZE) != 0 ||
	    !key_known(p, &now->table) || km_cert_verify(&now->cert, &now->table)) {
		km_peer_drop_frame(p, KM_DROP_GARBAGE);
		return NULL;
	}
	bar = km_cert_bar(p, now->table.key_id);
	if (bar)
		km_epoch_of(&e, &bar->share->table);
	/* WHY kept also below what is in force: of that one fewer than T may be left, and then the lower one is what is dealt from */
	if ((bar && km_epoch_cmp(&now->cert.epoch, &e) < 0) || (!file_agrees(p, &now->table) && KM_RULE(km_rule_cert_binds))) {
		show(p, from, s);
		return NULL;
	}
	return km_key_add_table(p, &now->table, now->cert.proto);
}

void km_cert_on_cert(struct km_peer *p, unsigned from, const uint8_t *d, size_t n)
{
	struct km_link *l = &p->link[from];
	const uint8_t *table;
	size_t len = 0;

	/* WHY: a table costs many curve operations (attack B22) */
	if (!km_bucket_take(&l->certs.micro, &l->certs.at_us, p->now.mono_us, CERTS_A_SECOND, CERTS_BURST)) {
		km_peer_drop_frame(p, KM_DROP_LIMIT);
		return;
	}
	struct km_shown *s = calloc(1, sizeof(*s));
	if (!s)
		return;
	if (read_both(d + 1, n - 1, &table, &len, &s->cert)) {
		km_peer_drop_frame(p, KM_DROP_GARBAGE);
		free(s);
		return;
	}
	uint8_t hash[KM_HASH_SIZE];
	uint32_t theirs = s->cert.members;
	memcpy(hash, s->cert.epoch.table, sizeof(hash));
	struct km_key *k = km_key_find(p, hash);
	tell_run(p, from, &s->cert);
	if (k && !k->wiped)
		add_all(k, &s->cert);
	else if (!k)
		k = news(p, from, table, len, &s);
	if (k && !k->wiped) {
		if (s)
			add_all(k, &s->cert);
		km_cert_consider(p, k);
		/* what it has not, it gets in turn */
		k->have[from] = theirs & k->cert.members;
		k->answered |= km_set_bit(from);
		if (k->bound && (k->cert.members & ~theirs) && !k->cert_at_us) {
			k->cert_at_us = p->now.mono_us + SAY_FIRST_US;
			km_peer_wake(p, k->cert_at_us);
		}
	}
	/* also of what is nothing to us, so that it stops; not of what is on its way to our disk */
	send_have(p, from, hash, k && !k->wiped ? (k->bound ? k->cert_disk : 0) : UINT32_MAX);
	free(s);
}

void km_cert_on_have(struct km_peer *p, unsigned from, const uint8_t *d, size_t n)
{
	struct km_reader r;
	uint8_t table[KM_HASH_SIZE];

	km_reader_init(&r, d + 1, n - 1);
	km_get_bytes(&r, table, sizeof(table));
	uint32_t members = km_get_u32(&r);
	if (km_reader_end(&r)) {
		km_peer_drop_frame(p, KM_DROP_GARBAGE);
		return;
	}
	struct km_key *k = km_key_find(p, table);
	if (!k || k->wiped)
		return;
	k->have[from] = members;
	k->answered |= km_set_bit(from);
}

/* ---- the end of lower shares */

/* Live members fill their own pools in it before what is lower goes: no request has to wait. One that never does holds us up for a while. */
static int all_serve(const struct km_peer *p, const struct km_key *k)
{
	uint32_t live = km_links_live(p) & k->share->table.members;

	if (!k->serves)
		return 0;
	for (unsigned i = km_set_next(live, 0); i; i = km_set_next(live, i))
		if (i != p->self && !km_links_ready(p, i, k->share->table.hash))
			return 0;
	return 1;
}

static int has_lower(struct km_peer *p, const struct km_key *k)
{
	for (const struct km_key *l = p->keys; l; l = l->next)
		if (l != k && !l->wiped && km_key_same(l, k) && km_key_cmp(l, k) < 0)
			return 1;
	return 0;
}

static void wipe_rule(struct km_peer *p, struct km_key *k)
{
	const struct km_table *t = &k->share->table;
	uint32_t missing = t->members & ~k->cert_disk & ~(k->policy ? k->policy->excluded : 0);

	/* who is listed and has no share keeps what it has: it is what it signs with until it is recovered */
	if (!k->bound || (km_set_has(t->members, p->self) ? !k->share->usable : !KM_RULE(km_rule_wipe_unlisted)) || !has_lower(p, k))
		return;
	/* WHY everybody: whose share this would be is no longer one of the T that are left (attacks A10, A13) */
	if (missing && KM_RULE(km_rule_wipe_all)) {
		k->full_us = 0;
		return;
	}
	if (!k->full_us)
		k->full_us = p->now.mono_us ? p->now.mono_us : 1;
	if (km_set_has(t->members, p->self) && !all_serve(p, k) && p->now.mono_us - k->full_us < SERVE_WAIT_US) {
		km_peer_wake(p, k->full_us + SERVE_WAIT_US);
		return;
	}
	for (struct km_key *l = p->keys; l; l = l->next)
		if (l != k && km_key_same(l, k) && km_key_cmp(l, k) < 0)
			km_key_wipe(p, l);
}

void km_cert_tick(struct km_peer *p)
{
	for (struct km_key *k = p->keys; k; k = k->next) {
		if (k->wiped)
			continue;
		if (k->cert_again_us && p->now.mono_us >= k->cert_again_us) {
			/* the disk refused, or there was no memory to ask it */
			k->cert_again_us = 0;
			if (k->cert.members & ~k->cert_disk) {
				k->cert_token = 0;
				km_cert_consider(p, k);
			}
		}
		if (k->cert_again_us)
			km_peer_wake(p, k->cert_again_us);
		say(p, k);
		wipe_rule(p, k);
	}
}

void km_cert_free(struct km_peer *p)
{
	for (struct km_cert_file *f; (f = p->certs);) {
		p->certs = f->next;
		free(f);
	}
	for (unsigned i = 0; i <= KM_MAX_PEERS; i++) {
		free(p->link[i].shown);
		p->link[i].shown = NULL;
	}
}
