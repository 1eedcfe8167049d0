/* keygen.c: from an operator's wish to a usable key.
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
#include "../proto/transcript.h"

#define WAIT_PEERS_US 10000000u
#define RETRY_US 500000u
#define DISK_WAIT_US 60000000u

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
	km_effects_log(p->fx, err ? KM_LOG_ERROR : KM_LOG_NOTICE, "%s of %s: %s", g->what, g->name, text);
	if (err && g->purpose == KM_PURPOSE_DKG)
		km_journal_keygen_failed(p, g->name, g->threshold);
	memset(g, 0, sizeof(*g));
}

/* ---- the request */

static int check_request(struct km_peer *p, const struct km_request *rq, char *why, size_t size)
{
	const struct km_key_policy *k = km_settings_key(p->s, rq->name);
	struct km_key *have = km_key_by_name(p, rq->name);

	if (!k) {
		km_format(why, size, "key '%s' is not in the configuration of this peer: add it there, on every peer, first",
			  rq->name);
		return KM_E_CONFIG;
	}
	if (k->threshold != rq->threshold || k->curve != rq->curve || !km_curve_by_id(rq->curve)) {
		km_format(why, size, "the configuration says threshold %u for key '%s'; threshold or curve asked for differ",
			  (unsigned)k->threshold, rq->name);
		return KM_E_MISMATCH;
	}
	if (rq->threshold < KM_MIN_THRESHOLD || rq->threshold > p->s->roster.n) {
		km_format(why, size, "threshold %u is not possible with %u peers", (unsigned)rq->threshold, p->s->roster.n);
		return KM_E_RANGE;
	}
	if (have && have->share->usable) {
		km_format(why, size, "there already is a key '%s'", rq->name);
		return KM_E_EXISTS;
	}
	if (p->keygen.state != KM_KEYGEN_IDLE) {
		km_format(why, size, "a %s ('%s') is going on", p->keygen.what, p->keygen.name);
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
	g->purpose = KM_PURPOSE_DKG;
	g->what = "key generation";
	g->members = km_policy_committee(p, km_settings_key(p->s, rq->name));
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
	return km_policy_dkg_least(p, km_settings_key(p->s, p->keygen.name));
}

/* Who could be left out without falling below the minimum: all of set or nobody. */
static int can_leave_out(const struct km_peer *p, uint32_t set)
{
	uint32_t rest = p->keygen.members & ~(p->keygen.left_out | set);

	return km_set_has(rest, p->self) && km_set_size(rest) >= minimum(p);
}

static void propose(struct km_peer *p, uint32_t participants)
{
	struct km_keygen *g = &p->keygen;
	struct km_proposal prop = {.purpose = KM_PURPOSE_DKG,
				   .engine = KM_ENGINE_NONE,
				   .participants = participants,
				   .threshold = g->threshold,
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

void km_keygen_again(struct km_peer *p, const char *why)
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
	if (g->purpose == KM_PURPOSE_RESHARE) {
		km_reshare_refused(p, run, by, code, text);
		return;
	}
	km_format(why, sizeof(why), "peer %u (%s) refuses: %s", by, km_peer_name(p, by), text);
	g->run_id = 0;
	if (code == KM_REFUSE_BUSY)
		km_keygen_again(p, why);
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
	if (g->purpose == KM_PURPOSE_RESHARE) {
		km_reshare_dropped(p, run, code, waited);
		return;
	}
	/* silence is no proof: they are left out of this key only, and only if the operator wants so few */
	if (!out && g->attempts >= 2)
		out = waited;
	km_peer_names(p, out ? out : waited, names, sizeof(names));
	if (run->convicted)
		km_format(why, sizeof(why), "peers proved to have cheated: %s", names);
	else if (waited)
		km_format(why, sizeof(why), "no answer from peers %s", names);
	else if (run->ended_by) /* an operator can ask that one's; else a peer that ends every run would stay unknown */
		km_format(why, sizeof(why), "peer %u (%s) ended the run: %s", (unsigned)run->ended_by,
			  km_peer_name(p, run->ended_by), km_strerror(code));
	else
		km_format(why, sizeof(why), "the run was dropped: %s", km_strerror(code));
	if (run->convicted && !can_leave_out(p, out)) {
		km_keygen_end(p, KM_E_NOQUORUM, why);
		return;
	}
	if (out && can_leave_out(p, out))
		g->left_out |= out;
	km_keygen_again(p, why);
}

/* ---- the run */

void km_keygen_progress(struct km_peer *p, struct km_run *run)
{
	static const char *const what[] = {"", "commitments", "commitments opened", "echo", "shares", "acknowledged", "stored"};
	struct km_keygen *g = &p->keygen;
	unsigned round = run->m->round;
	char text[120];

	if (g->state != KM_KEYGEN_RUN || run->id != g->run_id || round <= g->told_round ||
	    round >= sizeof(what) / sizeof(what[0]))
		return;
	g->told_round = round;
	km_format(text, sizeof(text), "round %u of %u: %s", round, run->m->ops->rounds, what[round]);
	km_keygen_say(p, text);
}

int km_run_transcript(const struct km_run *run, const struct km_table *table, const struct km_table *old, struct km_buf *out)
{
	struct km_shape join = km_setup_join_shape(run->prop.purpose);
	struct km_buf b;

	km_buf_init(&b);
	km_put_lbytes(&b, run->propose, run->propose_len);
	for (unsigned i = km_set_next(run->prop.participants, 0); i; i = km_set_next(run->prop.participants, i))
		km_put_lbytes(&b, run->join[i], KM_MSG_HEAD + (size_t)km_shape_size(&join));
	int err = km_dkg_archive(run->m, &b);
	if (!err)
		err = km_transcript_file_put(out, b.data, b.len, table, old);
	km_buf_clear(&b);
	return err;
}

/* The share, not only a certificate that was quicker. */
static int held(struct km_peer *p, const uint8_t table[KM_HASH_SIZE])
{
	const struct km_key *k = km_key_find(p, table);

	return k && k->holder;
}

/* The run has made a share: transcript and share must be on disk before STORED is said. */
void km_keygen_persist(struct km_peer *p, struct km_run *run, int code, const uint8_t *data, size_t len)
{
	struct km_share *share = km_secret_alloc(sizeof(*share));
	struct km_buf archive;
	char name[64];

	if (!share)
		return;
	km_buf_init(&archive);
	if (run->prop.purpose == KM_PURPOSE_RESHARE && km_share_decode(share, data, len) == KM_OK && !km_reshare_may_vote(p, &share->table)) {
		km_effects_log(p->fx, KM_LOG_NOTICE, "key %s: a higher epoch was certified meanwhile", share->table.name);
		run->persist_until_us = p->now.mono_us;
		run->persist_token = UINT64_MAX; /* nothing answers it: the next tick drops the run */
		km_peer_wake(p, p->now.mono_us);
	} else if (km_share_decode(share, data, len) != KM_OK ||
		   km_run_transcript(run, &share->table, run->prop.purpose == KM_PURPOSE_RESHARE ? km_reshare_old(p, run) : NULL, &archive) != KM_OK) {
		/* the run then waits for a STORED of ours that never comes, and ends as a candidate of others */
		km_effects_log(p->fx, KM_LOG_ERROR, "the share made by a key generation is not one");
	} else if (!held(p, share->table.hash) && !km_key_add(p, share)) {
		/* WHY not stored either: we would promise it, and then know nothing of it until the next start */
		km_effects_log(p->fx, KM_LOG_ERROR, "out of memory for key %s", share->table.name);
	} else {
		km_key_file(&share->table, run->prop.purpose == KM_PURPOSE_DKG ? "dkg" : "reshare", name, sizeof(name));
		km_peer_persist(p, name, archive.data, archive.len, 0, 0);
		run->persist_token = p->next_token++;
		run->persist_code = code;
		run->persist_until_us = p->now.mono_us + DISK_WAIT_US;
		struct km_key *k = km_key_find(p, share->table.hash);
		if (k)
			k->persist_token = run->persist_token;
		km_key_file(&share->table, "share", name, sizeof(name));
		km_peer_persist(p, name, data, len, 1, run->persist_token);
	}
	km_buf_clear(&archive);
	km_share_wipe(share);
	km_secret_free(share);
}

void km_keygen_done(struct km_peer *p, struct km_run *run)
{
	struct km_share *share = km_secret_alloc(sizeof(*share));
	struct km_keygen *g = &p->keygen;
	struct km_key *k = NULL;

	if (share && km_dkg_take(run->m, share) == KM_OK) {
		k = km_key_find(p, share->table.hash);
		if (!k)
			k = km_key_add(p, share);
	}
	for (unsigned i = km_set_next(run->prop.participants, 0); k && i; i = km_set_next(run->prop.participants, i)) {
		const struct km_stored *m = km_machine_find(run->m, run->m->ops->rounds, i);

		if (m)
			km_key_stored(p, i, 1, m->raw, KM_MSG_HEAD + (size_t)m->msg.body_len);
	}
	if (k && !k->share->usable)
		km_key_usable(p, k);
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

void km_keygen_differ(struct km_peer *p, uint32_t differ)
{
	char text[200], names[100];

	/* nobody is blamed for another file: a person has to compare them */
	km_peer_names(p, differ, names, sizeof(names));
	km_format(text, sizeof(text), "roster mismatch with peers %s: their lists of peers are not ours; the log says what differs", names);
	km_keygen_end(p, KM_E_MISMATCH, text);
}

static void wait_peers(struct km_peer *p)
{
	struct km_keygen *g = &p->keygen;
	char text[160], names[100];
	uint32_t differ = 0;

	/* also who was convicted since */
	g->left_out |= p->quarantined;
	uint32_t want = g->members & ~g->left_out, missing = want & ~km_links_live(p);
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
		km_keygen_differ(p, differ);
	} else if (can_leave_out(p, missing)) {
		g->left_out |= missing;
		km_format(text, sizeof(text), "going on without peers %s, which do not answer", names);
		km_keygen_say(p, text);
		propose(p, g->members & ~g->left_out);
	} else {
		km_format(text, sizeof(text), "peers %s do not answer", names);
		km_keygen_end(p, KM_E_NOQUORUM, text);
	}
}

void km_keygen_tick(struct km_peer *p)
{
	if (p->keygen.state == KM_KEYGEN_WAIT_PEERS && p->keygen.purpose == KM_PURPOSE_DKG)
		wait_peers(p);
	km_reshare_tick(p);
}
