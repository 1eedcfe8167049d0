/* run.c: runs of the protocol machines inside a peer: their life, messages, jobs and deadlines. */
#include "peer_impl.h"

#include <stdlib.h>
#include <string.h>
#include "../base/secret.h"

#define STALL_FIRST_MS 1500
/* The jobs of engine any take their time, and other peers' take theirs. */
#define STALL_ANY_MS 3000
#define STALL_AGAIN_US 1500000u
#define SCORE_NO_JOIN (KM_SCORED / 2)
/* One restart is nothing; who restarts into every run is left out of them like one that is silent. */
#define SCORE_RESTART (KM_SCORED / 3 + 1)
/* A key generation that waits for the last STORED is kept by its stored candidate; its run need not stay. */
#define STORED_WAIT_US 15000000u
#define DISK_WAIT_US 60000000u

static uint64_t ms(const struct km_peer *p)
{
	return p->now.mono_us / 1000;
}

/* ---- the list */

struct km_run *km_run_new(struct km_peer *p, unsigned initiator, const struct km_proposal *prop)
{
	struct km_run *run = calloc(1, sizeof(*run)), **tail;

	if (!run)
		return NULL;
	run->state = KM_RUN_JOINING;
	run->id = p->next_token++;
	run->initiator = (uint8_t)initiator;
	run->prop = *prop;
	run->since_us = p->now.mono_us;
	run->until_us = p->now.mono_us + KM_JOIN_US;
	km_peer_wake(p, run->until_us);
	for (tail = &p->runs; *tail; tail = &(*tail)->next)
		;
	*tail = run;
	return run;
}

int km_run_ceremony(const struct km_run *run)
{
	return run->prop.purpose == KM_PURPOSE_DKG || run->prop.purpose == KM_PURPOSE_RESHARE;
}

size_t km_run_join_len(const struct km_run *run)
{
	return KM_MSG_HEAD + km_setup_join_shape(run->prop.purpose).head;
}

int km_run_stands(const struct km_run *run)
{
	/* the last round of a reshare is one more that needs everybody */
	return run->m->round >= run->m->ops->rounds + (run->prop.purpose == KM_PURPOSE_RESHARE ? 1u : 0u);
}

int km_run_rows(struct km_run *run, const struct km_presign_row *rows)
{
	run->rows = calloc(run->prop.batch, sizeof(*run->rows));
	if (!run->rows)
		return KM_E_NOMEM;
	memcpy(run->rows, rows, run->prop.batch * sizeof(*run->rows));
	return KM_OK;
}

struct km_run *km_run_by_id(struct km_peer *p, uint64_t id)
{
	for (struct km_run *run = p->runs; run; run = run->next)
		if (run->id == id)
			return run;
	return NULL;
}

struct km_run *km_run_by_sid(struct km_peer *p, const uint8_t sid[KM_HASH_SIZE])
{
	for (struct km_run *run = p->runs; run; run = run->next)
		if ((run->state == KM_RUN_ACTIVE || run->state == KM_RUN_LINGERS) && memcmp(run->sid, sid, KM_HASH_SIZE) == 0)
			return run;
	return NULL;
}

struct km_run *km_run_by_proposal(struct km_peer *p, const uint8_t id[KM_HASH_SIZE])
{
	for (struct km_run *run = p->runs; run; run = run->next)
		if (run->state != KM_RUN_DYING && memcmp(run->proposal_id, id, KM_HASH_SIZE) == 0)
			return run;
	return NULL;
}

unsigned km_run_count(const struct km_peer *p, unsigned initiator, unsigned purpose)
{
	unsigned n = 0;

	for (const struct km_run *run = p->runs; run; run = run->next)
		if ((run->state == KM_RUN_JOINING || run->state == KM_RUN_ACTIVE) &&
		    (!initiator || run->initiator == initiator) && run->prop.purpose == purpose)
			n++;
	return n;
}

unsigned km_run_count_engine(const struct km_peer *p, unsigned engine)
{
	unsigned n = 0;

	for (const struct km_run *run = p->runs; run; run = run->next)
		if ((run->state == KM_RUN_JOINING || run->state == KM_RUN_ACTIVE) && run->prop.purpose == KM_PURPOSE_PRESIGN &&
		    run->prop.engine == engine)
			n++;
	return n;
}

static void unlink_run(struct km_peer *p, struct km_run *run)
{
	for (struct km_run **at = &p->runs; *at; at = &(*at)->next) {
		if (*at == run) {
			*at = run->next;
			break;
		}
	}
	for (unsigned i = 1; i <= KM_MAX_PEERS; i++)
		km_buf_clear(&run->said[i]);
	free(run->rows);
	free(run->propose);
	free(run);
}

/* Frees the run, or leaves it to wait for the job that is out. */
static void discard(struct km_peer *p, struct km_run *run)
{
	int busy = run->m && run->m->busy;

	km_machine_free(run->m);
	if (busy)
		run->state = KM_RUN_DYING;
	else
		unlink_run(p, run);
}

void km_run_free_all(struct km_peer *p)
{
	for (struct km_run *run = p->runs, *next; run; run = next) {
		next = run->next;
		/* at the very end (not stopped, but freed) nobody brings jobs back any more */
		if (!p->fx && run->m)
			run->m->busy = 0;
		if (run->state != KM_RUN_DYING || !p->fx)
			discard(p, run);
	}
	for (unsigned i = 1; i <= KM_MAX_PEERS; i++) {
		for (struct km_early *e; (e = p->early[i]);) {
			p->early[i] = e->next;
			km_session_early_free(e);
		}
		p->n_early[i] = 0;
	}
}

/* ---- endings */

/* Ended runs stay a little while for those who still miss a message; the oldest go first. */
static void linger(struct km_peer *p, struct km_run *run)
{
	struct km_run *oldest = NULL;
	unsigned n = 0;

	run->state = KM_RUN_LINGERS;
	run->until_us = p->now.mono_us + KM_LINGER_US;
	km_peer_wake(p, run->until_us);
	for (struct km_run *r = p->runs; r; r = r->next) {
		if (r->state != KM_RUN_LINGERS || r == run)
			continue;
		n++;
		/* by when it ended: one that began first may end last, and the caller still needs this one */
		if (!oldest || r->until_us < oldest->until_us)
			oldest = r;
	}
	if (n >= KM_RUN_LINGER)
		discard(p, oldest);
}

static void send_abort(struct km_peer *p, const uint8_t id[KM_HASH_SIZE], int code, uint32_t waited, uint32_t to)
{
	km_put_u8(&p->scratch, KM_FRAME_ABORT);
	km_put_bytes(&p->scratch, id, KM_HASH_SIZE);
	km_put_u8(&p->scratch, (uint8_t)-code);
	km_put_u32(&p->scratch, waited);
	km_peer_send_set(p, to);
}

static void log_drop(struct km_peer *p, const struct km_run *run, int code, uint32_t waited)
{
	char names[80];
	const char *what = run->prop.purpose == KM_PURPOSE_DKG ? "key generation" : km_run_ceremony(run) ? "reshare" : "presigning";
	unsigned round = run->m ? run->m->round : 0;

	if (!km_links_may_log(p, run->initiator))
		return;
	km_peer_names(p, waited, names, sizeof(names));
	km_effects_log(p->fx, KM_LOG_INFO, "%s run of peer %u dropped in round %u: %s%s%s", what, (unsigned)run->initiator, round,
		       km_strerror(code), waited ? ", waited for " : "", names);
}

void km_run_drop(struct km_peer *p, struct km_run *run, int code, uint32_t waited, int tell)
{
	uint64_t lasted = p->now.mono_us - run->since_us;
	int active = run->state == KM_RUN_ACTIVE, own = run->initiator == p->self;
	struct km_run copy;

	if (run->state != KM_RUN_ACTIVE && run->state != KM_RUN_JOINING) {
		if (run->state == KM_RUN_LINGERS)
			discard(p, run);
		return;
	}
	if (tell && active) {
		send_abort(p, run->sid, code, waited, run->prop.participants);
		p->told_us = p->now.mono_us;
		p->told_by = 0;
	} else if (tell) {
		send_abort(p, run->proposal_id, code, 0, run->prop.participants);
	}
	if (active && code == KM_E_DEADLINE)
		km_blame_set(p, p->self, waited, KM_SCORE_UNIT);
	else if (own && code == KM_E_DEADLINE)
		km_blame_set(p, p->self, waited, SCORE_NO_JOIN);
	/* WHY: an initiator whose runs fail must not keep everybody busy (attack A26). Where another one is convicted of it, that one is gone. */
	if (active && KM_RULE(km_rule_run_slots) && !(run->convicted & ~km_set_bit(run->initiator))) {
		uint64_t wait = lasted < KM_RUN_PENALTY_MAX_US ? lasted : KM_RUN_PENALTY_MAX_US;
		p->link[run->initiator].refuse_until_us = p->now.mono_us + wait;
	}
	if (active)
		p->n_runs_dropped++;
	log_drop(p, run, code, waited);
	copy = *run;
	copy.m = NULL;
	copy.rows = NULL;
	copy.propose = NULL;
	if (active && code == KM_E_MISMATCH && km_run_ceremony(run)) {
		/* who showed us another message than the others is found by showing what we have */
		km_relay_headers(p, run);
		linger(p, run);
	} else if (active && run->m && run->m->open && !run->m->busy) {
		/* whoever still waits for an opening that we have asks for it */
		linger(p, run);
	} else {
		discard(p, run);
	}
	/* only now: a retry must not find the old run in its way */
	if (km_run_ceremony(&copy))
		km_keygen_dropped(p, &copy, code, waited);
	else if (own)
		km_refill_failed(p, active ? lasted : 0, !active && code == KM_E_BUSY, copy.prop.engine);
}

void km_run_drop_with(struct km_peer *p, unsigned peer)
{
	unsigned dropped = 0;

	for (struct km_run *run = p->runs, *next; run; run = next) {
		next = run->next;
		if ((run->state != KM_RUN_ACTIVE && run->state != KM_RUN_JOINING) || !km_set_has(run->prop.participants, peer) ||
		    (run->m && run->m->open))
			continue;
		km_run_drop(p, run, KM_E_STALE, km_set_bit(peer), 1);
		dropped++;
		/* the list may have changed behind our back: start again, it is short */
		next = p->runs;
	}
	if (dropped)
		km_blame_link(p, p->self, peer, SCORE_RESTART);
}

void km_run_drop_key(struct km_peer *p, const struct km_key *key)
{
	for (struct km_run *run = p->runs, *next; run; run = next) {
		next = run->next;
		if (run->key != key || run->prop.purpose != KM_PURPOSE_PRESIGN ||
		    (run->state != KM_RUN_ACTIVE && run->state != KM_RUN_JOINING))
			continue;
		/* nobody is late by that; what is open is judged to its end */
		if (run->m && run->m->open)
			continue;
		km_run_drop(p, run, KM_E_STALE, 0, 1);
		next = p->runs;
	}
}

/* A peer is gone: runs that need more of its messages cannot end well, so why wait for their deadlines. */
void km_run_lost(struct km_peer *p, unsigned peer)
{
	for (struct km_run *run = p->runs, *next; run; run = next) {
		next = run->next;
		if ((run->state != KM_RUN_ACTIVE && run->state != KM_RUN_JOINING) || !km_set_has(run->prop.participants, peer))
			continue;
		/* what is opened is judged without it */
		if (run->m && (km_run_stands(run) || run->m->open))
			continue;
		km_run_drop(p, run, KM_E_STALE, km_set_bit(peer), 1);
		next = p->runs;
	}
}

static void done(struct km_peer *p, struct km_run *run)
{
	p->n_runs_done++;
	p->link[run->initiator].refuse_until_us = 0;
	linger(p, run);
	if (run->prop.purpose == KM_PURPOSE_DKG)
		km_keygen_done(p, run);
	else if (run->prop.purpose == KM_PURPOSE_RESHARE)
		km_reshare_done(p, run);
	else
		km_pool_take_run(p, run);
}

/* ---- what a machine wants done */

static void send_out(struct km_peer *p, const struct km_run *run, struct km_out *out)
{
	if (!out->peer) {
		km_put_u8(&p->scratch, KM_FRAME_ENVELOPE);
		km_put_bytes(&p->scratch, out->data, out->len);
		km_peer_send_set(p, run->prop.participants);
		return;
	}
	/* a private message that holds shares has its frame made in the arena; those of engine any hold nothing secret */
	struct km_effect *e = km_effects_add(p->fx, KM_EFFECT_SEND);
	if (!e)
		return;
	e->to = km_peer_addr(out->peer);
	if (out->room) {
		/* the frame is made around it, as it may be ten megabytes */
		e->room = out->room - 1;
		e->data = out->data - 1;
		e->data[0] = KM_FRAME_ENVELOPE;
		e->len = out->len + 1;
		out->data = NULL;
		return;
	}
	e->secret = out->secret;
	e->data = out->secret ? km_secret_alloc(out->len + 1) : malloc(out->len + 1);
	if (!e->data)
		return;
	e->data[0] = KM_FRAME_ENVELOPE;
	memcpy(e->data + 1, out->data, out->len);
	e->len = out->len + 1;
}

static int start_job(struct km_peer *p, const struct km_run *run, struct km_out *out, struct km_outs *outs)
{
	struct km_effect *e = km_effects_add(p->fx, KM_EFFECT_WORK);

	if (!e) {
		/* without memory for the effect: here and now, so that the run ends somehow */
		out->job->run(out->job);
		return km_machine_worked(run->m, ms(p), outs);
	}
	e->job = out->job;
	e->job->order = run->id;
	e->job->patient = run->m->open != 0;
	e->token = run->id;
	return KM_OK;
}

/* Wakes for the next deadline of the run and for its STALL. */
static void schedule(struct km_peer *p, struct km_run *run)
{
	uint64_t at = km_machine_deadline(run->m);

	if (at == UINT64_MAX)
		return;
	km_peer_wake(p, at * 1000);
	if (run->stalled_round != run->m->round) {
		run->stalled_round = run->m->round;
		run->round_live = km_links_live(p);
		run->stall_at_us = (run->m->round_since_ms + (run->prop.engine == KM_ENGINE_ANY ? STALL_ANY_MS : STALL_FIRST_MS)) *
				   1000;
	}
	km_peer_wake(p, run->stall_at_us);
}

/* Whose part of the last round did not come. Who is down is not late, as in runs that end with it; who was there when the round began, or
 * since, counts as restarted into the run. WHY: whoever keeps its C4 back would else keep its HEALTH back too, and go unmarked. */
static void blame_late(struct km_peer *p, const struct km_run *run, uint32_t set)
{
	uint32_t live = km_links_live(p), gone = run->round_live;

	for (unsigned i = km_set_next(set, 0); i; i = km_set_next(set, i))
		if (p->link[i].heard_us >= run->m->round_since_ms * 1000)
			gone |= km_set_bit(i);
	km_blame_set(p, p->self, set & live, KM_SCORE_UNIT);
	km_blame_set(p, p->self, set & gone & ~live, SCORE_RESTART);
}

/* Carries out, in order; the run may be gone afterwards. err is what the machine returned. */
void km_run_carry_out(struct km_peer *p, struct km_run *run, int err, struct km_outs *outs)
{
	struct km_out *out;
	int ended = 0, code = 0;
	uint32_t waited = 0;

	while ((out = km_outs_pop(outs))) {
		switch (out->kind) {
		case KM_OUT_SEND:
			send_out(p, run, out);
			break;
		case KM_OUT_JOB:
			if (start_job(p, run, out, outs) == KM_E_NOMEM)
				err = KM_E_NOMEM;
			break;
		case KM_OUT_PERSIST:
			km_keygen_persist(p, run, out->code, out->data, out->len);
			break;
		case KM_OUT_CONVICT:
			km_blame_convict(p, run, out->peer, out->code, out->data, out->len);
			run->convicted |= km_set_bit(out->peer);
			break;
		case KM_OUT_DISPUTE:
			km_dispute_raise(p, out->peer, out->code, out->data, out->len);
			break;
		case KM_OUT_SUSPECT:
			if (out->code == KM_E_DEADLINE)
				blame_late(p, run, out->set);
			else
				km_blame_set(p, p->self, out->set, KM_SCORE_UNIT);
			break;
		case KM_OUT_DONE:
			ended = 1;
			break;
		case KM_OUT_DROP:
			ended = -1;
			code = out->code;
			waited = out->set;
			break;
		}
		km_out_free(out);
	}
	if (err == KM_E_NOMEM && !ended) {
		ended = -1;
		code = err;
	}
	if (ended > 0) {
		done(p, run);
	} else if (ended < 0) {
		km_run_drop(p, run, code, waited, 1);
	} else {
		if (km_run_ceremony(run))
			km_keygen_progress(p, run);
		schedule(p, run);
	}
}

/* ---- begin */

static int new_machine(struct km_peer *p, struct km_run *run)
{
	struct km_machine_params mp = {.self = p->self, .participants = run->prop.participants, .id = p->s->identity};
	int err;

	memcpy(mp.sid, run->sid, KM_HASH_SIZE);
	mp.idkeys = (const uint8_t(*)[KM_IDKEY_SIZE])p->idkeys;
	km_rng_bytes(p->rng, mp.seed, sizeof(mp.seed));
	if (run->prop.purpose == KM_PURPOSE_DKG) {
		struct km_dkg_params d = {.threshold = run->prop.threshold, .number = run->prop.time_ms / 1000};

		mp.curve = km_curve_by_id(run->prop.curve);
		d.machine = mp;
		memcpy(d.name, run->prop.name, sizeof(d.name));
		err = km_dkg_new(&run->m, &d);
		km_wipe(&d, sizeof(d));
	} else if (run->prop.purpose == KM_PURPOSE_RESHARE) {
		err = km_reshare_machine(p, run, &mp);
	} else {
		const struct km_share *share = run->key->share;
		struct km_presign_params d = {
		    .table = &share->table, .x_i = &share->x_i, .batch = run->prop.batch, .rows = run->rows,
		    .engine = run->prop.engine};

		mp.curve = share->table.curve;
		d.machine = mp;
		err = km_presign_new(&run->m, &d);
		km_wipe(&d, sizeof(d));
	}
	km_wipe(&mp, sizeof(mp));
	return err;
}

void km_run_begin(struct km_peer *p, struct km_run *run)
{
	struct km_early *early = km_session_early_take(p, run->sid);
	uint64_t id = run->id;
	struct km_outs outs;

	km_outs_init(&outs);
	run->state = KM_RUN_ACTIVE;
	run->since_us = p->now.mono_us;
	int err = new_machine(p, run);
	if (err) {
		km_effects_log(p->fx, KM_LOG_ERROR, "a run could not be set up: %s", km_strerror(err));
		km_run_drop(p, run, err, 0, 1);
	} else {
		err = km_machine_start(run->m, ms(p), &outs);
		km_run_carry_out(p, run, err, &outs);
	}
	while (early) {
		struct km_early *e = early;

		early = e->next;
		if (km_run_by_id(p, id))
			km_run_envelope(p, e->raw[4], 0, e->raw, e->len, NULL);
		km_session_early_free(e);
	}
}

/* ---- messages */

void km_run_envelope(struct km_peer *p, unsigned from, int relayed, const uint8_t *raw, size_t len, uint8_t **block)
{
	struct km_outs outs;
	struct km_msg msg;

	if (len < KM_MSG_HEAD) {
		km_peer_drop_frame(p, KM_DROP_GARBAGE);
		return;
	}
	/* the sid stands behind version, proto, round, sender, recipient and length */
	struct km_run *run = km_run_by_sid(p, raw + 10);
	if (!run || run->state == KM_RUN_LINGERS) {
		if (km_msg_parse(&msg, raw, len))
			km_peer_drop_frame(p, KM_DROP_STALE);
		else if (msg.proto == KM_PROTO_DKG && msg.round == KM_STORED_ROUND)
			km_key_stored(p, from, relayed, raw, len);
		else if (!run && !relayed)
			km_session_early(p, from, &msg);
		else
			km_peer_drop_frame(p, KM_DROP_STALE);
		return;
	}
	if (!KM_RULE(km_rule_channel_sender))
		from = raw[4];
	km_outs_init(&outs);
	uint8_t *none = NULL;
	int err = km_machine_deliver(run->m, ms(p), (uint8_t)from, relayed, raw, len, block ? block : &none, &outs);
	if (err == KM_E_STALE || err == KM_E_DUPLICATE)
		km_peer_drop_frame(p, KM_DROP_STALE);
	else if (err == KM_E_AUTH)
		km_peer_drop_frame(p, KM_DROP_SIGNATURE);
	else if (err && err != KM_E_NOMEM)
		km_peer_drop_frame(p, KM_DROP_GARBAGE);
	km_run_carry_out(p, run, err, &outs);
}

void km_run_worked(struct km_peer *p, struct km_job *job)
{
	struct km_outs outs;
	struct km_run *run;

	for (run = p->runs; run; run = run->next)
		if (run->m && &run->m->job == job)
			break;
	if (!run)
		return;
	km_outs_init(&outs);
	int err = km_machine_worked(run->m, ms(p), &outs);
	if (err == 1) {
		km_outs_clear(&outs);
		unlink_run(p, run);
		return;
	}
	km_run_carry_out(p, run, err, &outs);
}

void km_run_persisted(struct km_peer *p, uint64_t token, int err)
{
	struct km_outs outs;
	struct km_run *run;

	km_key_persisted(p, token, err);
	for (run = p->runs; run; run = run->next)
		if (run->state == KM_RUN_ACTIVE && token && run->persist_token == token)
			break;
	if (!run) {
		if (err)
			km_effects_log(p->fx, KM_LOG_ERROR, "a file could not be stored: %s", km_strerror(err));
		return;
	}
	run->persist_token = 0;
	if (err) {
		km_effects_log(p->fx, KM_LOG_ERROR, "the new share could not be stored: %s", km_strerror(err));
		km_run_drop(p, run, KM_E_IO, 0, 1);
		return;
	}
	km_outs_init(&outs);
	err = km_machine_persisted(run->m, ms(p), run->persist_code, &outs);
	km_run_carry_out(p, run, err, &outs);
}

/* ---- time */

/* Whose broadcast of this round is missing. Only that can be had from others; and who has ours but not yet its ten megabytes to us
 * on the way is not late for anybody. */
static uint32_t others_have(const struct km_machine *m)
{
	uint32_t missing = km_machine_missing(m);

	if (m->open)
		return missing;
	if (m->round > m->ops->rounds || !(m->ops->flags[m->round] & KM_ROUND_BROADCAST))
		return 0;
	for (unsigned i = km_set_next(missing, 0); i; i = km_set_next(missing, i))
		if (km_machine_find(m, m->round, i))
			missing &= ~km_set_bit(i);
	return missing;
}

static void tick_active(struct km_peer *p, struct km_run *run)
{
	struct km_outs outs;

	if (run->persist_token && p->now.mono_us >= run->persist_until_us && run->prop.purpose == KM_PURPOSE_RESHARE) {
		km_run_drop(p, run, KM_E_IO, 0, 0);
		return;
	}
	if (run->persist_token)
		km_peer_wake(p, run->persist_until_us);
	if (run->prop.purpose == KM_PURPOSE_DKG && run->m->round >= run->m->ops->rounds && !run->m->busy) {
		uint64_t until = run->m->round_since_ms * 1000 + (run->persist_token ? DISK_WAIT_US : STORED_WAIT_US);

		if (p->now.mono_us >= until) {
			km_run_drop(p, run, KM_E_DEADLINE, km_machine_missing(run->m), 0);
			return;
		}
		km_peer_wake(p, until);
	}
	uint64_t deadline = km_machine_deadline(run->m);
	if (deadline == UINT64_MAX)
		return;
	if (ms(p) >= deadline) {
		km_outs_init(&outs);
		int err = km_machine_tick(run->m, ms(p), &outs);
		km_run_carry_out(p, run, err, &outs);
		return;
	}
	schedule(p, run);
	if (p->now.mono_us >= run->stall_at_us) {
		uint32_t missing = others_have(run->m);

		if (missing)
			km_relay_stall(p, run, missing);
		run->stall_at_us = p->now.mono_us + STALL_AGAIN_US;
		km_peer_wake(p, run->stall_at_us);
	}
}

void km_run_tick(struct km_peer *p)
{
	uint64_t last = 0;

	/* by ascending id: a step may remove any run and add new ones at the end */
	for (;;) {
		struct km_run *run = p->runs;

		while (run && run->id <= last)
			run = run->next;
		if (!run)
			return;
		last = run->id;
		if (run->state == KM_RUN_ACTIVE) {
			tick_active(p, run);
		} else if (run->state == KM_RUN_JOINING || run->state == KM_RUN_LINGERS) {
			if (p->now.mono_us < run->until_us)
				km_peer_wake(p, run->until_us);
			else
				km_run_drop(p, run, KM_E_DEADLINE, run->prop.participants & ~run->joined, 1);
		}
	}
}

void km_run_resend(struct km_peer *p, unsigned to)
{
	for (const struct km_run *run = p->runs; run; run = run->next) {
		if (run->state != KM_RUN_ACTIVE || run->prop.purpose != KM_PURPOSE_DKG || !km_set_has(run->prop.participants, to))
			continue;
		const struct km_stored *s = km_machine_find(run->m, run->m->ops->rounds, p->self);
		if (!s)
			continue;
		km_put_u8(&p->scratch, KM_FRAME_ENVELOPE);
		km_put_bytes(&p->scratch, s->raw, KM_MSG_HEAD + (size_t)s->msg.body_len);
		km_peer_send(p, km_peer_addr(to));
	}
}
