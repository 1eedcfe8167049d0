/* keygen.c: from an operator's wish to a usable key, and the keys a peer holds.
 *
 *	wait for the peers -> PROPOSE -> run -> stored -> STORED of all -> usable -> canaries -> answer
 *
 * A run that fails is tried again with fresh everything, without those it convicted, and without the silent while the configured
 * minimum of peers remains. What was stored but never became usable is a candidate: it signs nothing, says its STORED again on
 * every new channel, and goes when a later key of its name is usable. */
#include "peer_impl.h"

#include <stdlib.h>
#include <string.h>
#include "../base/secret.h"

#define WAIT_PEERS_US 10000000u
#define RETRY_US 500000u
#define STORED_FIRST_US 2000000u
#define STORED_AGAIN_US 10000000u

/* ---- the keys */

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
	for (struct km_key *k; (k = p->keys);) {
		p->keys = k->next;
		key_free(k);
	}
}

static void forget(struct km_peer *p, struct km_key **at);

/* A participant that never says STORED must not fill our disk: of many candidates of a name the oldest goes, no promise binds it. */
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
static struct km_key *key_add(struct km_peer *p, const struct km_share *share)
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

static void file_name(const struct km_table *t, const char *ending, char *out, size_t size)
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
		file_name(&share->table, "share", name, sizeof(name));
		km_peer_persist(p, name, b.data, b.len, 1, token);
	}
	km_secret_free(mem);
	return err;
}

int km_keygen_load(struct km_peer *p, const uint8_t *data, size_t len)
{
	struct km_share *share = km_secret_alloc(sizeof(*share));

	if (!share)
		return KM_E_NOMEM;
	int err = km_share_decode(share, data, len);
	if (!err && (share->self != p->self || memcmp(share->table.idkeys[p->self], p->idkeys[p->self], KM_IDKEY_SIZE) != 0))
		err = KM_E_MISMATCH;
	if (!err && !km_key_find(p, share->table.hash)) {
		struct km_key *k = key_add(p, share);

		if (k)
			k->stored = km_set_bit(p->self);
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

	file_name(&k->share->table, "share", name, sizeof(name));
	km_peer_persist(p, name, NULL, 0, 0, 0);
	file_name(&k->share->table, "dkg", name, sizeof(name));
	km_peer_persist(p, name, NULL, 0, 0, 0);
	*at = k->next;
	key_free(k);
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

static void made_usable(struct km_peer *p, struct km_key *k)
{
	const struct km_table *t = &k->share->table;

	k->share->usable = 1;
	if (store_share(p, k->share, 0))
		km_effects_log(p->fx, KM_LOG_ERROR, "key %s: out of memory; it counts as unusable at the next start", t->name);
	km_effects_log(p->fx, KM_LOG_NOTICE, "key %s (%s, %u of %u peers) is usable, id %H", t->name, km_curve_name(t->curve), t->threshold,
		       km_set_size(t->members), t->key_id);
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

void km_keygen_say_stored(struct km_peer *p, unsigned to)
{
	for (const struct km_key *k = p->keys; k; k = k->next)
		if (!k->share->usable && km_set_has(k->share->table.members, to))
			say_stored(p, k, to);
}

void km_keygen_stored(struct km_peer *p, unsigned from, const struct km_msg *msg)
{
	struct km_key *k;
	uint8_t sender;

	for (k = p->keys; k; k = k->next)
		if (memcmp(k->share->table.sid, msg->sid, KM_HASH_SIZE) == 0)
			break;
	if (!k || msg->sender != from || km_dkg_stored_check(&k->share->table, msg->raw, KM_MSG_HEAD + (size_t)msg->body_len, &sender)) {
		km_peer_drop_frame(p, KM_DROP_STALE);
		return;
	}
	if (k->share->usable) {
		/* it asks, having missed ours; once it says in HEALTH that it has the key, there is nothing more to answer */
		if (!km_links_has_table(p, from, k->share->table.hash))
			say_stored(p, k, from);
		return;
	}
	if (km_set_has(k->stored, sender))
		return;
	k->stored |= km_set_bit(sender);
	say_stored(p, k, from);
	if (k->stored == k->share->table.members)
		made_usable(p, k);
}

/* ---- what the operator hears */

void km_keygen_say(struct km_peer *p, const char *text)
{
	struct km_effect *e;

	if (!p->keygen.token)
		return;
	e = km_effects_add(p->fx, KM_EFFECT_PROGRESS);
	if (!e)
		return;
	e->token = p->keygen.token;
	km_format(e->text, sizeof(e->text), "%s", text);
}

static void answer(struct km_peer *p, uint64_t token, int err, const char *text)
{
	struct km_effect *e = token ? km_effects_add(p->fx, KM_EFFECT_RESULT) : NULL;

	if (!e)
		return;
	e->token = token;
	e->err = err;
	km_format(e->text, sizeof(e->text), "%s", text);
}

void km_keygen_end(struct km_peer *p, int err, const char *text)
{
	struct km_keygen *g = &p->keygen;

	answer(p, g->token, err, text);
	km_effects_log(p->fx, err ? KM_LOG_ERROR : KM_LOG_NOTICE, "key generation of %s: %s", g->name, text);
	memset(g, 0, sizeof(*g));
}

/* ---- the request */

static int check_request(struct km_peer *p, const struct km_request *rq, char *why, size_t size)
{
	const struct km_key_policy *k = km_settings_key(p->s, rq->name);
	struct km_key *have = km_key_by_name(p, rq->name);

	if (!k) {
		km_format(why, size, "key '%s' is not in the configuration of this peer: add it there, on every peer, first", rq->name);
		return KM_E_CONFIG;
	}
	if (k->threshold != rq->threshold || k->curve != rq->curve || !km_curve_by_id(rq->curve)) {
		km_format(why, size, "the configuration says threshold %u for key '%s'; threshold or curve asked for differ", (unsigned)k->threshold,
			  rq->name);
		return KM_E_MISMATCH;
	}
	if (rq->threshold < KM_MIN_THRESHOLD || rq->threshold > p->s->roster.n) {
		km_format(why, size, "threshold %u is not possible with %u peers", (unsigned)rq->threshold, p->s->roster.n);
		return KM_E_RANGE;
	}
	if (2u * rq->threshold - 1 > p->s->roster.n) {
		km_format(why, size, "threshold %u needs %u peers to presign in this version, there are %u", (unsigned)rq->threshold,
			  2u * rq->threshold - 1, p->s->roster.n);
		return KM_E_RANGE;
	}
	if (have && have->share->usable) {
		km_format(why, size, "there already is a key '%s'", rq->name);
		return KM_E_EXISTS;
	}
	if (p->keygen.state != KM_KEYGEN_IDLE) {
		km_format(why, size, "a key generation ('%s') is going on", p->keygen.name);
		return KM_E_BUSY;
	}
	return KM_OK;
}

void km_keygen_request(struct km_peer *p, uint64_t token, const struct km_request *rq)
{
	struct km_keygen *g = &p->keygen;
	char why[160];
	int err = check_request(p, rq, why, sizeof(why));

	if (err) {
		answer(p, token, err, why);
		return;
	}
	memset(g, 0, sizeof(*g));
	g->state = KM_KEYGEN_WAIT_PEERS;
	g->token = token;
	km_format(g->name, sizeof(g->name), "%s", rq->name);
	g->threshold = rq->threshold;
	g->curve = rq->curve;
	g->left_out = p->quarantined;
	g->until_us = p->now.mono_us + WAIT_PEERS_US;
	km_peer_wake(p, p->now.mono_us);
}

void km_keygen_cancel(struct km_peer *p, uint64_t token)
{
	/* the key is made anyway: half a ceremony helps nobody */
	if (p->keygen.token == token)
		p->keygen.token = 0;
}

static unsigned minimum(const struct km_peer *p)
{
	unsigned min = p->s->dkg_min ? p->s->dkg_min : p->s->roster.n, need = 2u * p->keygen.threshold - 1;

	return min > need ? min : need;
}

/* Who could be left out without falling below the minimum: all of set or nobody. */
static int can_leave_out(const struct km_peer *p, uint32_t set)
{
	uint32_t rest = p->s->roster.members & ~(p->keygen.left_out | set);

	return km_set_has(rest, p->self) && km_set_size(rest) >= minimum(p);
}

static void propose(struct km_peer *p, uint32_t participants)
{
	struct km_keygen *g = &p->keygen;
	struct km_proposal prop = {.purpose = KM_PURPOSE_DKG, .engine = KM_ENGINE_NONE, .participants = participants, .threshold = g->threshold,
				   .curve = g->curve};
	struct km_run *run;
	char text[160], names[100];

	memcpy(prop.hash, p->s->roster.hash, KM_HASH_SIZE);
	memcpy(prop.name, g->name, sizeof(prop.name));
	g->attempts++;
	g->told_round = 0;
	g->state = KM_KEYGEN_RUN;
	km_peer_names(p, participants, names, sizeof(names));
	km_format(text, sizeof(text), "asking peers %s to make key '%s'", names, g->name);
	km_keygen_say(p, text);
	int err = km_session_propose(p, &prop, NULL, NULL, &run);
	if (run)
		g->run_id = run->id;
	if (err && run)
		km_run_drop(p, run, err, 0, 1);
	else if (err)
		km_keygen_end(p, err, km_strerror(err));
}

static void try_again(struct km_peer *p, const char *why)
{
	struct km_keygen *g = &p->keygen;
	char text[200];

	if (g->attempts >= KM_DKG_RESTARTS) {
		km_format(text, sizeof(text), "given up after %u attempts: %s", g->attempts, why);
		km_keygen_end(p, KM_E_DEADLINE, text);
		return;
	}
	km_format(text, sizeof(text), "%s; trying again", why);
	km_keygen_say(p, text);
	g->state = KM_KEYGEN_WAIT_PEERS;
	g->run_id = 0;
	g->next_try_us = p->now.mono_us + RETRY_US;
	g->until_us = g->next_try_us + WAIT_PEERS_US;
	km_peer_wake(p, g->next_try_us);
}

void km_keygen_refused(struct km_peer *p, struct km_run *run, unsigned by, unsigned code, const char *text)
{
	struct km_keygen *g = &p->keygen;
	char why[200];

	if (g->state != KM_KEYGEN_RUN || run->id != g->run_id)
		return;
	km_format(why, sizeof(why), "peer %u (%s) refuses: %s", by, km_peer_name(p, by), text);
	g->run_id = 0;
	if (code == KM_REFUSE_BUSY)
		try_again(p, why);
	else
		km_keygen_end(p, KM_E_RIGHTS, why);
}

void km_keygen_dropped(struct km_peer *p, struct km_run *run, int code, uint32_t waited)
{
	struct km_keygen *g = &p->keygen;
	char why[160], names[100];
	uint32_t out = run->convicted;

	if (g->state != KM_KEYGEN_RUN || run->id != g->run_id)
		return;
	/* silence is no proof: they are left out of this key only, and only if the operator wants so few */
	if (!out && g->attempts >= 2)
		out = waited;
	km_peer_names(p, out ? out : waited, names, sizeof(names));
	if (run->convicted)
		km_format(why, sizeof(why), "peers proved to have cheated: %s", names);
	else if (waited)
		km_format(why, sizeof(why), "no answer from peers %s", names);
	else
		km_format(why, sizeof(why), "the run was dropped: %s", km_strerror(code));
	if (run->convicted && !can_leave_out(p, out)) {
		km_keygen_end(p, KM_E_NOQUORUM, why);
		return;
	}
	if (out && can_leave_out(p, out))
		g->left_out |= out;
	try_again(p, why);
}

/* ---- the run */

void km_keygen_progress(struct km_peer *p, struct km_run *run)
{
	static const char *const what[] = {"", "commitments", "commitments opened", "echo", "shares", "acknowledged", "stored"};
	struct km_keygen *g = &p->keygen;
	unsigned round = run->m->round;
	char text[120];

	if (g->state != KM_KEYGEN_RUN || run->id != g->run_id || round <= g->told_round || round >= sizeof(what) / sizeof(what[0]))
		return;
	g->told_round = round;
	km_format(text, sizeof(text), "round %u of 6: %s", round, what[round]);
	km_keygen_say(p, text);
}

/* The run has made a share: archive and share must be on disk before STORED is said. */
void km_keygen_persist(struct km_peer *p, struct km_run *run, int code, const uint8_t *data, size_t len)
{
	struct km_share *share = km_secret_alloc(sizeof(*share));
	struct km_buf archive;
	char name[64];

	if (!share)
		return;
	km_buf_init(&archive);
	if (km_share_decode(share, data, len) == KM_OK && km_dkg_archive(run->m, &archive) == KM_OK) {
		file_name(&share->table, "dkg", name, sizeof(name));
		km_peer_persist(p, name, archive.data, archive.len, 0, 0);
		if (!km_key_find(p, share->table.hash) && !key_add(p, share))
			km_effects_log(p->fx, KM_LOG_ERROR, "out of memory for key %s", share->table.name);
		run->persist_token = p->next_token++;
		run->persist_code = code;
		memcpy(run->persist_table, share->table.hash, KM_HASH_SIZE);
		file_name(&share->table, "share", name, sizeof(name));
		km_peer_persist(p, name, data, len, 1, run->persist_token);
	} else {
		/* the run then waits for a STORED of ours that never comes, and ends as a candidate of others */
		km_effects_log(p->fx, KM_LOG_ERROR, "the share made by a key generation is not one");
	}
	km_buf_clear(&archive);
	km_share_wipe(share);
	km_secret_free(share);
}

void km_keygen_persisted(struct km_peer *p, const uint8_t table[KM_HASH_SIZE], int err)
{
	for (struct km_key **at = &p->keys; *at; at = &(*at)->next) {
		if (memcmp((*at)->share->table.hash, table, KM_HASH_SIZE) != 0)
			continue;
		if (err)
			forget(p, at);
		else
			(*at)->stored |= km_set_bit(p->self);
		/* the run says it first; this is for when that got lost */
		if (!err)
			(*at)->say_at_us = p->now.mono_us + STORED_FIRST_US;
		return;
	}
}

void km_keygen_done(struct km_peer *p, struct km_run *run)
{
	struct km_share *share = km_secret_alloc(sizeof(*share));
	struct km_keygen *g = &p->keygen;
	struct km_key *k = NULL;

	if (share && km_dkg_take(run->m, share) == KM_OK) {
		k = km_key_find(p, share->table.hash);
		if (!k)
			k = key_add(p, share);
	}
	if (k)
		made_usable(p, k);
	if (share) {
		km_share_wipe(share);
		km_secret_free(share);
	}
	if (g->state != KM_KEYGEN_RUN || run->id != g->run_id)
		return;
	if (k)
		km_canary_plan(p, k);
	else
		km_keygen_end(p, KM_E_NOMEM, "out of memory for the new key");
}

/* ---- time */

static void wait_peers(struct km_peer *p)
{
	struct km_keygen *g = &p->keygen;
	char text[160], names[100];
	uint32_t differ = 0;

	/* also who was convicted since */
	g->left_out |= p->quarantined;
	uint32_t want = p->s->roster.members & ~g->left_out, missing = want & ~km_links_live(p);
	if (!can_leave_out(p, 0)) {
		km_keygen_end(p, KM_E_NOQUORUM, "not enough peers are left for the configured minimum");
		return;
	}
	for (unsigned i = km_set_next(want, 0); i; i = km_set_next(want, i))
		if (p->link[i].mismatch && KM_RULE(km_rule_same_roster))
			differ |= km_set_bit(i);
	if (!missing && !differ) {
		if (p->now.mono_us >= g->next_try_us)
			propose(p, want);
		else
			km_peer_wake(p, g->next_try_us);
		return;
	}
	if (p->now.mono_us < g->until_us) {
		km_peer_wake(p, g->until_us);
		km_peer_wake(p, p->now.mono_us + RETRY_US);
		return;
	}
	km_peer_names(p, differ ? differ : missing, names, sizeof(names));
	if (differ) {
		/* nobody is blamed for another file: a person has to compare them */
		km_format(text, sizeof(text), "roster mismatch with peers %s: their lists of peers are not ours; the log says what differs", names);
		km_keygen_end(p, KM_E_MISMATCH, text);
	} else if (can_leave_out(p, missing)) {
		g->left_out |= missing;
		km_format(text, sizeof(text), "going on without peers %s, which do not answer", names);
		km_keygen_say(p, text);
		propose(p, p->s->roster.members & ~g->left_out);
	} else {
		km_format(text, sizeof(text), "peers %s do not answer", names);
		km_keygen_end(p, KM_E_NOQUORUM, text);
	}
}

void km_keygen_tick(struct km_peer *p)
{
	if (p->keygen.state == KM_KEYGEN_WAIT_PEERS)
		wait_peers(p);
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
