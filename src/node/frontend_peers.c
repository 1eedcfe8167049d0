/* frontend_peers.c: who is alive, whose clock and roster differ, and which keys to believe in. */
#include "config.h"
#include "node/frontend_impl.h"

#include <stdlib.h>
#include <string.h>
#include "base/hash.h"

void fe_text_append(char *out, size_t size, const char *part)
{
	size_t len = strlen(out);

	while (*part && len + 1 < size)
		out[len++] = *part++;
	out[len] = 0;
}

void fe_set_text(uint32_t set, char *out, size_t size)
{
	char one[8];

	*out = 0;
	for (unsigned id = km_set_next(set, 0); id; id = km_set_next(set, id)) {
		km_format(one, sizeof(one), *out ? " %u" : "%u", id);
		fe_text_append(out, size, one);
	}
}

int fe_live(const struct km_frontend *f, unsigned id)
{
	return f->peer[id].heard && f->now.mono_us - f->peer[id].heard_us <= FE_LIVE_US;
}

uint32_t fe_live_set(const struct km_frontend *f)
{
	uint32_t set = 0;

	for (unsigned id = km_set_next(f->s->roster.members, 0); id; id = km_set_next(f->s->roster.members, id))
		if (fe_live(f, id))
			set |= km_set_bit(id);
	return set;
}

/* ---- pings */

static const char *peer_name(const struct km_frontend *f, unsigned id)
{
	return f->s->roster.peer[id].name;
}

static void ping(struct km_frontend *f, unsigned id, struct km_effects *fx)
{
	struct fe_peer *p = &f->peer[id];
	uint8_t mem[16];
	struct km_buf b;

	km_buf_init_fixed(&b, mem, sizeof(mem));
	/* plus one: 0 marks a free place, and a clock may begin at 0 */
	km_ping_encode(&b, f->now.mono_us + 1);
	/* a ping that could not be queued is a lost one: the next comes in a second */
	if (b.err || km_effects_send(fx, (struct km_addr){ KM_ADDR_PEER, (uint16_t)id }, mem, b.len))
		return;
	p->ping[p->ping_at++ % FE_PINGS] = f->now.mono_us + 1;
}

static void say_live(struct km_frontend *f, unsigned id, struct km_effects *fx)
{
	struct fe_peer *p = &f->peer[id];
	int live = fe_live(f, id);

	if (live == p->live_said)
		return;
	p->live_said = live;
	km_effects_log(fx, live ? KM_LOG_INFO : KM_LOG_NOTICE, live ? "peer %u (%s) answers" : "peer %u (%s) does not answer", id,
		       peer_name(f, id));
}

static void table_ask(struct km_frontend *f, struct fe_table *t, struct km_effects *fx)
{
	uint8_t mem[1 + KM_HASH_SIZE];
	struct km_buf b;

	/* WHY two: what a single peer states can never be believed, so it is not worth a look */
	if (t->t || t->refused || km_set_size(t->stated) < KM_MIN_THRESHOLD)
		return;
	if (t->asked && f->now.mono_us - t->asked_us < FE_PING_US)
		return;
	do
		t->asked = t->asked % KM_MAX_PEERS + 1;
	while (!km_set_has(t->stated, t->asked));
	t->asked_us = f->now.mono_us;
	km_buf_init_fixed(&b, mem, sizeof(mem));
	km_table_ask_encode(&b, t->hash);
	if (!b.err && !km_effects_send(fx, (struct km_addr){ KM_ADDR_PEER, t->asked }, mem, b.len))
		f->peer[t->asked].tables_due++;
}

void fe_peers_tick(struct km_frontend *f, struct km_effects *fx)
{
	if (f->now.mono_us < f->next_ping_us)
		return;
	f->next_ping_us = f->now.mono_us + FE_PING_US;
	for (; f->now.mono_us - f->halve_us >= FE_SCORE_HALVE_US; f->halve_us += FE_SCORE_HALVE_US)
		for (unsigned id = 1; id <= KM_MAX_PEERS; id++)
			f->peer[id].score /= 2;
	for (unsigned id = km_set_next(f->s->roster.members, 0); id; id = km_set_next(f->s->roster.members, id)) {
		ping(f, id, fx);
		say_live(f, id, fx);
	}
	for (struct fe_table *t = f->table_list; t; t = t->next)
		table_ask(f, t, fx);
}

void fe_peer_up(struct km_frontend *f, unsigned id, struct km_effects *fx)
{
	ping(f, id, fx);
}

void fe_peer_down(struct km_frontend *f, unsigned id, struct km_effects *fx)
{
	struct fe_peer *p = &f->peer[id];

	p->heard = 0;
	p->tables_due = 0;
	memset(p->ping, 0, sizeof(p->ping));
	say_live(f, id, fx);
}

/* ---- tables */

void fe_name_id(const char *name, uint8_t out[KM_HASH_SIZE])
{
	struct km_hash h;

	km_hash_init(&h, "name");
	km_hash_str(&h, name);
	km_hash_final(&h, out);
}

struct fe_key *fe_key_find(const struct km_frontend *f, const uint8_t key_id[KM_HASH_SIZE])
{
	return km_idmap_find(&f->keys, key_id);
}

static struct fe_key *key_named(const struct km_frontend *f, const char *name)
{
	uint8_t id[KM_HASH_SIZE];
	uint8_t *at;

	fe_name_id(name, id);
	at = km_idmap_find(&f->names, id);
	return (struct fe_key *)at;
}

/* Where the same name is stated for another key, and by whom. */
static uint32_t disputed_by(const struct km_frontend *f, const struct fe_table *t)
{
	uint32_t others = 0;

	for (const struct fe_table *o = f->table_list; o; o = o->next)
		if (o != t && !strcmp(o->name, t->name) && memcmp(o->key_id, t->key_id, KM_HASH_SIZE))
			others |= o->stated;
	return others;
}

static int key_add(struct km_frontend *f, struct fe_table *t)
{
	struct fe_key *k = calloc(1, sizeof(*k));

	if (!k)
		return KM_E_NOMEM;
	memcpy(k->key_id, t->key_id, KM_HASH_SIZE);
	fe_name_id(t->name, k->name_id);
	k->table = t;
	if (km_idmap_add(&f->keys, k)) {
		free(k);
		return KM_E_NOMEM;
	}
	k->named = !km_idmap_find(&f->names, k->name_id);
	if (k->named && km_idmap_add(&f->names, k)) {
		km_idmap_remove(&f->keys, k->key_id);
		free(k);
		return KM_E_NOMEM;
	}
	k->next = f->key_list;
	f->key_list = k;
	f->n_keys++;
	return KM_OK;
}

/* The belief rule: T of its members state it, and they are the majority of those who say anything about that name.
 * WHY both: T peers hold the key, and whoever asks for a key by its name must not get the one of a loud minority. */
static int believe(struct km_frontend *f, struct fe_table *t, struct km_effects *fx)
{
	const struct km_key_policy *own = km_settings_key(f->s, t->name);
	unsigned yes = km_set_size(t->stated & t->voters);
	uint32_t others;
	struct fe_key *k;
	char us[100], them[100];
	int err;

	if (!t->t || t->refused || t->believed || yes < t->t->threshold)
		return KM_OK;
	/* WHY not an equal one: while a threshold is being changed, the file and the table differ. But fewer than our operator counts
	 * on may all be corrupt, with a key and a threshold of their own. */
	if (own && yes < own->threshold)
		return KM_OK;
	others = disputed_by(f, t);
	if (2 * yes <= km_set_size((t->stated & t->voters) | others)) {
		if (others & ~t->disputed_said) {
			fe_set_text(t->stated, us, sizeof(us));
			fe_set_text(others, them, sizeof(them));
			km_effects_log(fx, KM_LOG_ERROR, "key %s: peers %s state key %H, but peers %s another: not used", t->name, us, t->key_id, them);
			t->disputed_said |= others;
		}
		return KM_OK;
	}
	/* WHY half for the few: two liars could fill all places with tables of their own making, and no new key would find one */
	if (f->n_believed >= (2 * yes > f->s->roster.n ? FE_MAX_TABLES : FE_MAX_TABLES / 2))
		return KM_OK;
	k = fe_key_find(f, t->key_id);
	if (!k) {
		err = key_add(f, t);
		if (err)
			return err;
		km_effects_log(fx, KM_LOG_NOTICE, "key %s (%H): %u of %u peers needed, stated by %u", t->name, t->key_id, t->t->threshold,
			       km_set_size(t->t->members), yes);
	}
	t->believed = 1;
	f->n_believed++;
	return KM_OK;
}

/* Of a key's believed tables the one most members state serves. */
static void choose_tables(struct km_frontend *f)
{
	for (const struct fe_table *t = f->table_list; t; t = t->next) {
		struct fe_key *k = t->believed ? fe_key_find(f, t->key_id) : NULL;

		if (k && k->table != t && km_set_size(t->stated & t->voters) > km_set_size(k->table->stated & k->table->voters))
			k->table = (struct fe_table *)t;
	}
}

static unsigned votes(const struct fe_key *k)
{
	return km_set_size(k->table->stated & k->table->voters);
}

static void name_lost(struct km_frontend *f, struct fe_key *k)
{
	km_idmap_remove(&f->names, k->name_id);
	k->named = 0;
}

/* A key goes by the name in the table that most state, and a name to the key that most state for it. WHY not by what came first:
 * right after a start a loud few may be all that has answered yet, with another name for the key, or with a key of their own and a
 * threshold that they reach (attack B25). */
static void choose_names(struct km_frontend *f, struct km_effects *fx)
{
	uint8_t id[KM_HASH_SIZE];

	for (struct fe_key *k = f->key_list; k; k = k->next) {
		fe_name_id(k->table->name, id);
		if (memcmp(id, k->name_id, KM_HASH_SIZE)) {
			if (k->named)
				name_lost(f, k);
			memcpy(k->name_id, id, KM_HASH_SIZE);
		}
		struct fe_key *now = k->named ? NULL : km_idmap_find(&f->names, k->name_id);
		if (k->named || (now && votes(k) <= votes(now)))
			continue;
		if (now) {
			name_lost(f, now);
			km_effects_log(fx, KM_LOG_ERROR,
				       "key %s: more peers state key %H than %H, which had the name until now: some of them lie",
				       k->table->name, k->key_id, now->key_id);
		}
		/* without memory it is named at the next pong */
		k->named = !km_idmap_add(&f->names, k);
	}
}

/* Is a fetched table one that our operator's file agrees with? */
static int table_fits(const struct km_frontend *f, const struct km_table *t, uint32_t *voters, const char **why)
{
	const struct km_key_policy *k = km_settings_key(f->s, t->name);
	uint32_t both = t->members & f->s->roster.members;

	*voters = 0;
	for (unsigned id = km_set_next(both, 0); id; id = km_set_next(both, id))
		if (!memcmp(t->idkeys[id], f->s->roster.peer[id].identity, KM_IDKEY_SIZE))
			*voters |= km_set_bit(id);
	*why = NULL;
	if (km_set_size(*voters) < t->threshold)
		*why = "its members are not the peers of our configuration";
	else if (k && k->curve != km_curve_id(t->curve))
		*why = "its curve is not the one in our configuration";
	return !*why;
}

int fe_table_frame(struct km_frontend *f, unsigned from, const uint8_t *p, size_t n, struct km_effects *fx)
{
	struct km_table *t;
	struct fe_table *at;
	struct km_reader r;
	const char *why;
	int err = KM_OK;

	/* WHY only what was asked for: decoding costs curve operations, storing costs memory */
	if (!f->peer[from].tables_due)
		return KM_OK;
	t = calloc(1, sizeof(*t));
	if (!t)
		return KM_E_NOMEM;
	f->peer[from].tables_due--;
	km_reader_init(&r, p, n);
	(void)km_get_u8(&r);
	if (km_table_decode(t, &r) || km_reader_end(&r))
		goto out;
	at = km_idmap_find(&f->tables, t->hash);
	if (!at || at->t || at->refused || at->asked != from)
		goto out;
	memcpy(at->key_id, t->key_id, KM_HASH_SIZE);
	memcpy(at->name, t->name, sizeof(at->name));
	if (!table_fits(f, t, &at->voters, &why)) {
		at->refused = 1;
		km_effects_log(fx, KM_LOG_ERROR, "key %s (%H) is not used: %s", at->name, at->key_id, why);
		goto out;
	}
	at->t = t;
	t = NULL;
	err = believe(f, at, fx);
out:
	free(t);
	return err;
}

/* ---- pongs */

static void table_free(struct fe_table *t)
{
	free(t->t);
	free(t);
}

/* That of an epoch that others have taken over from: neither its key nor a request in flight needs it. */
static int superseded(const struct km_frontend *f, const struct fe_table *t)
{
	const struct fe_key *k = fe_key_find(f, t->key_id);

	if (k && k->table == t)
		return 0;
	for (const struct fe_request *r = f->requests; r; r = r->next)
		if (r->stated == t)
			return 0;
	return 1;
}

/* What nobody states any more is forgotten, but for the last believed table of a key: a peer cannot make us remember more than it says
 * at once, and refreshes cannot fill the places of believed ones. */
static void forget_unstated(struct km_frontend *f)
{
	struct fe_table **at = &f->table_list, *t;

	while ((t = *at)) {
		if (t->stated || (t->believed && !superseded(f, t))) {
			at = &t->next;
			continue;
		}
		*at = t->next;
		f->n_believed -= t->believed ? 1 : 0;
		km_idmap_remove(&f->tables, t->hash);
		f->n_tables--;
		table_free(t);
	}
}

static int state_key(struct km_frontend *f, unsigned from, const struct km_pong_key *pk, struct km_effects *fx)
{
	struct fe_table *t = km_idmap_find(&f->tables, pk->table);
	struct fe_key *k = key_named(f, pk->name);

	if (!t) {
		t = calloc(1, sizeof(*t));
		if (!t)
			return KM_E_NOMEM;
		memcpy(t->hash, pk->table, KM_HASH_SIZE);
		memcpy(t->key_id, pk->key_id, KM_HASH_SIZE);
		memcpy(t->name, pk->name, sizeof(t->name));
		if (km_idmap_add(&f->tables, t)) {
			free(t);
			return KM_E_NOMEM;
		}
		t->next = f->table_list;
		f->table_list = t;
		f->n_tables++;
	}
	t->stated |= km_set_bit(from);
	t->ready[from] = pk->ready;
	if (k && memcmp(k->key_id, pk->key_id, KM_HASH_SIZE)) {
		k->conflict |= km_set_bit(from);
		if (!(k->conflict_said & km_set_bit(from)))
			km_effects_log(fx, KM_LOG_ERROR, "key %s: peer %u (%s) states key %H, the others %H: two keys under one name", pk->name, from,
				       peer_name(f, from), pk->key_id, k->key_id);
		k->conflict_said |= km_set_bit(from);
	}
	table_ask(f, t, fx);
	return believe(f, t, fx);
}

static int statements(struct km_frontend *f, unsigned from, const struct km_pong *pong, struct km_effects *fx)
{
	int err = KM_OK;

	for (struct fe_table *t = f->table_list; t; t = t->next) {
		t->stated &= ~km_set_bit(from);
		t->ready[from] = 0;
	}
	for (struct fe_key *k = f->key_list; k; k = k->next)
		k->conflict &= ~km_set_bit(from);
	for (unsigned i = 0; i < pong->n_keys && !err; i++)
		err = state_key(f, from, &pong->keys[i], fx);
	for (struct fe_key *k = f->key_list; k; k = k->next)
		k->conflict_said &= k->conflict | ~km_set_bit(from);
	choose_tables(f);
	choose_names(f, fx);
	forget_unstated(f);
	return err;
}

static void note_clock(struct km_frontend *f, unsigned from, uint64_t time_ms, uint64_t rtt_us, struct km_effects *fx)
{
	struct fe_peer *p = &f->peer[from];
	int64_t off;
	uint64_t abs;

	p->offset_ms = (int64_t)(time_ms + rtt_us / 2000 - f->now.wall_ms);
	off = p->offset_ms;
	abs = off < 0 ? -(uint64_t)off : (uint64_t)off;
	/* warned at a third of what makes peers refuse, and once */
	if (abs > f->s->freshness_ms / 3 && !p->clock_said) {
		p->clock_said = 1;
		km_effects_log(fx, KM_LOG_WARN, "peer %u (%s): its clock is %U ms %s ours; requests are refused at %u ms", from, peer_name(f, from), abs,
			       off < 0 ? "behind" : "ahead of", f->s->freshness_ms);
	} else if (abs < f->s->freshness_ms / 6) {
		p->clock_said = 0;
	}
}

static void note_roster(struct km_frontend *f, unsigned from, const uint8_t roster[KM_HASH_SIZE], struct km_effects *fx)
{
	struct fe_peer *p = &f->peer[from];
	int differs = memcmp(roster, f->s->roster.hash, KM_HASH_SIZE) != 0;

	if (differs && !p->roster_mismatch)
		km_effects_log(fx, KM_LOG_WARN, "roster mismatch: peer %u (%s) has roster %H, we have %H: compare the peers of both configurations", from,
			       peer_name(f, from), roster, f->s->roster.hash);
	else if (!differs && p->roster_mismatch)
		km_effects_log(fx, KM_LOG_NOTICE, "peer %u (%s) has our roster again", from, peer_name(f, from));
	p->roster_mismatch = differs;
}

/* Takes the ping that echo answers; 0 when there is none: a pong comes once for each ping or not at all. */
static int take_ping(struct fe_peer *p, uint64_t echo)
{
	for (unsigned i = 0; i < FE_PINGS; i++)
		if (echo && p->ping[i] == echo) {
			p->ping[i] = 0;
			return 1;
		}
	return 0;
}

int fe_pong(struct km_frontend *f, unsigned from, const uint8_t *p, size_t n, struct km_effects *fx)
{
	struct fe_peer *peer = &f->peer[from];
	struct km_pong pong;
	uint64_t rtt;
	int err = km_pong_decode(&pong, p, n);

	if (err)
		return err == KM_E_NOMEM ? err : KM_OK;
	if (!take_ping(peer, pong.echo_us))
		goto out;
	rtt = f->now.mono_us - (pong.echo_us - 1);
	if (rtt > UINT32_MAX / 8)
		rtt = UINT32_MAX / 8;
	peer->rtt_us = peer->rtt_us ? (uint32_t)((7 * (uint64_t)peer->rtt_us + rtt) / 8) : (uint32_t)rtt;
	peer->heard = 1;
	peer->heard_us = f->now.mono_us;
	say_live(f, from, fx);
	note_clock(f, from, pong.time_ms, rtt, fx);
	note_roster(f, from, pong.roster, fx);
	err = statements(f, from, &pong, fx);
out:
	km_pong_clear(&pong);
	return err;
}

void fe_peers_free(struct km_frontend *f)
{
	struct fe_table *t;
	struct fe_key *k;

	while ((t = f->table_list)) {
		f->table_list = t->next;
		table_free(t);
	}
	while ((k = f->key_list)) {
		f->key_list = k->next;
		free(k);
	}
	km_idmap_clear(&f->tables);
	km_idmap_clear(&f->keys);
	km_idmap_clear(&f->names);
}
