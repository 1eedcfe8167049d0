/* frontend_sign.c: a local request on its way to a signature: elect, ask, hedge, verify, answer. */
#include "config.h"
#include "node/frontend_impl.h"

#include <stdlib.h>
#include <string.h>
#include "base/hash.h"
#include "base/rules.h"
#include "node/policy.h"

/* ---- whom to ask */

static unsigned elect(const struct km_frontend *f, const struct fe_request *r, uint32_t from, uint8_t *out)
{
	return km_elect_order(f->s->roster.hash, r->table->key_id, r->id, from, out);
}

/* The rendezvous order, four times: live with presignatures, live without, live but suspect, not live. WHY the rest too: liveness
 * is a belief, and asking costs one frame. */
static void make_order(const struct km_frontend *f, struct fe_request *r)
{
	uint32_t all = r->table->members & f->s->roster.members & ~r->refused, live = fe_live_set(f), ready = 0, suspect = 0;

	/* who answered wrong is asked again only when nobody else is left */
	if (all & ~r->wrong)
		all &= ~r->wrong;
	for (unsigned id = km_set_next(all, 0); id; id = km_set_next(all, id)) {
		if (r->stated->ready[id])
			ready |= km_set_bit(id);
		if (f->peer[id].score >= FE_SUSPECT)
			suspect |= km_set_bit(id);
	}
	r->n_order = elect(f, r, all & live & ~suspect & ready, r->order);
	r->n_order += elect(f, r, all & live & ~suspect & ~ready, r->order + r->n_order);
	r->n_order += elect(f, r, all & live & suspect, r->order + r->n_order);
	r->n_order += elect(f, r, all & ~live, r->order + r->n_order);
	r->at = 0;
	r->offers = 0;
	memset(r->offered, 0, sizeof(r->offered));
}

/* Twice the p99 of that aggregator, within bounds. */
static uint64_t hedge_us(const struct km_frontend *f, unsigned id)
{
	uint64_t us = 2 * (uint64_t)f->peer[id].p99_us, floor = (uint64_t)f->s->share_timeout_ms * 1000;

	if (us < FE_HEDGE_MIN_US)
		us = FE_HEDGE_MIN_US;
	if (us > FE_HEDGE_MAX_US)
		us = FE_HEDGE_MAX_US;
	/* never below the share timeout: the aggregator must have its one retry */
	return us < floor ? floor : us;
}

/* p99 by steps: up by 99 parts when a sample is above, down by one when below; it rests where one sample in a hundred is above. */
static void sample(struct fe_peer *p, uint64_t us)
{
	uint32_t step = p->p99_us / 1024 + 1;

	if (us > FE_HEDGE_MAX_US)
		us = FE_HEDGE_MAX_US;
	if (us > p->p99_us)
		p->p99_us += 99 * step < FE_HEDGE_MAX_US - p->p99_us ? 99 * step : FE_HEDGE_MAX_US - p->p99_us;
	else if (p->p99_us > step)
		p->p99_us -= step;
	p->reply_us = p->reply_us ? (uint32_t)((7 * (uint64_t)p->reply_us + us) / 8) : (uint32_t)us;
}

static void score_up(struct fe_peer *p, uint32_t by)
{
	p->score = p->score + by < FE_SCORE_MAX ? p->score + by : FE_SCORE_MAX;
}

/* To go on at `at`, and be there for every deadline before. */
static void wake_at(struct km_frontend *f, struct fe_request *r, uint64_t at)
{
	r->go_on_us = at;
	r->next_us = at < r->deadline_us ? at : r->deadline_us;
	for (const struct fe_waiter *w = r->waiters; w; w = w->next)
		if (w->deadline_us < r->next_us)
			r->next_us = w->deadline_us;
	fe_timer_moved(f, r);
}

/* Asks a peer. A frame that cannot be queued counts as a lost one. Who is believed dead is not waited for when somebody alive
 * was asked before. WHY: while the pools of those alive are empty, a request would spend its time on the dead and hear of new
 * presignatures seconds late. */
static void ask(struct km_frontend *f, struct fe_request *r, unsigned id, struct km_effects *fx)
{
	int brief = !fe_live(f, id) && (fe_live_set(f) & r->asked);

	r->last = (uint8_t)id;
	/* its lateness says nothing new */
	r->how[id] = brief ? FE_LATE : FE_WAITING;
	r->sent_us[id] = f->now.mono_us;
	r->asked |= km_set_bit(id);
	r->waiting |= km_set_bit(id);
	if (km_effects_send(fx, (struct km_addr){ KM_ADDR_PEER, (uint16_t)id }, r->frame, r->frame_len))
		r->how[id] = FE_LOST;
	wake_at(f, r, f->now.mono_us + (brief ? FE_BRIEF_US : hedge_us(f, id)));
}

/* On to who has presignatures again, or to the next; when all were asked, again from the top after a pause. */
static void go_on(struct km_frontend *f, struct fe_request *r, struct km_effects *fx)
{
	uint64_t pause = (uint64_t)FE_PASS_US << (r->pass < 3 ? r->pass : 3);
	unsigned id = km_set_next(r->offers, 0);

	if (id) {
		r->offers &= ~km_set_bit(id);
		ask(f, r, id, fx);
	} else if (r->at < r->n_order) {
		ask(f, r, r->order[r->at++], fx);
	} else {
		wake_at(f, r, f->now.mono_us + pause);
	}
}

/* ---- a new request */

static uint64_t deadline_of(const struct km_frontend *f, const struct km_request *q)
{
	uint32_t ms = q->deadline_ms < 1 ? 1 : q->deadline_ms > FE_MAX_DEADLINE_MS ? FE_MAX_DEADLINE_MS : q->deadline_ms;

	return f->now.mono_us + (uint64_t)ms * 1000;
}

static void idem_id(const struct km_request *q, uint8_t out[KM_HASH_SIZE])
{
	struct km_hash h;

	km_hash_init(&h, "idempotency");
	km_hash_field(&h, q->key_id, KM_HASH_SIZE);
	km_hash_u8(&h, q->context);
	km_hash_field(&h, q->random, KM_NONCE_SIZE);
	km_hash_field(&h, q->data, q->len);
	km_hash_final(&h, out);
}

static int refuse_unknown_key(const struct km_frontend *f, uint64_t token, const struct km_request *q, struct km_effects *fx)
{
	uint32_t live = fe_live_set(f), silent = f->s->roster.members & ~live;
	char text[200], asked[100], none[100];

	fe_set_text(live, asked, sizeof(asked));
	fe_set_text(silent, none, sizeof(none));
	if (!live)
		km_format(text, sizeof(text), "no peer has answered yet (asked: %s)", none);
	else
		km_format(text, sizeof(text), "no key %H on this mesh: peers %s were asked%s%s", q->key_id, asked, silent ? ", no answer from " : "", none);
	return fe_answer(fx, token, live ? KM_E_NOTFOUND : KM_E_NOQUORUM, NULL, text);
}

/* What no signer would accept is refused here, and needs no reason from five peers. */
static int check_local(const struct km_table *t, const struct km_request *q, char *text, size_t size)
{
	*text = 0;
	if (!q->data || !q->len || q->len > KM_MAX_REQUEST_BYTES) {
		km_format(text, size, "1 to %u bytes can be signed at once", (unsigned)KM_MAX_REQUEST_BYTES);
		return KM_E_LIMIT;
	}
	if (km_context_parse(q->context, t->curve, &t->x, q->data, q->len)) {
		km_format(text, size, "the bytes are not a well-formed %s", km_context_name(q->context) ? km_context_name(q->context) : "context");
		return KM_E_CONTEXT;
	}
	return KM_OK;
}

static int make_frame(const struct km_frontend *f, struct fe_request *r, const struct km_req *req)
{
	struct km_req_macs *macs = calloc(1, sizeof(*macs));
	struct km_buf b;

	if (!macs)
		return KM_E_NOMEM;
	macs->peers = f->s->roster.members;
	for (unsigned id = km_set_next(macs->peers, 0); id; id = km_set_next(macs->peers, id))
		km_auth_mac(f->peer[id].key, r->id, (uint8_t)id, macs->mac[id]);
	km_buf_init(&b);
	km_req_encode(&b, req, macs);
	r->frame = km_buf_take(&b, &r->frame_len);
	free(macs);
	return r->frame ? KM_OK : KM_E_NOMEM;
}

static int request_new(struct km_frontend *f, const struct fe_key *k, const struct km_request *q, struct fe_request **out)
{
	struct km_req req = { .version = KM_REQ_VERSION, .frontend = f->s->self_frontend, .context = q->context, .time_ms = f->now.wall_ms,
			      .data = q->data, .len = (uint32_t)q->len };
	struct fe_request *r = calloc(1, sizeof(*r));
	int err;

	*out = r;
	if (!r)
		return KM_E_NOMEM;
	memcpy(req.key_id, k->key_id, KM_HASH_SIZE);
	memcpy(req.random, q->random, KM_NONCE_SIZE);
	km_req_id(&req, r->id);
	idem_id(q, r->idem);
	r->stated = k->table;
	r->table = k->table->t;
	r->deadline_us = deadline_of(f, q);
	r->next_us = r->deadline_us;
	err = km_sign_hash_bytes(r->table->curve, &r->m, q->data, q->len);
	return err ? err : make_frame(f, r, &req);
}

/* From here on the request is found by id, content, clients and time. */
static int request_enter(struct km_frontend *f, struct fe_request *r, uint64_t token)
{
	int err;

	/* the same content in the same millisecond has the same id, but then also the same idem id, and joined */
	if (km_idmap_find(&f->by_id, r->id))
		return KM_E_STATE;
	err = km_idmap_add(&f->by_id, r);
	if (err)
		return err;
	err = km_idmap_add(&f->by_idem, r);
	if (err) {
		km_idmap_remove(&f->by_id, r->id);
		return err;
	}
	err = fe_waiter_add(f, r, token, r->deadline_us);
	if (err) {
		km_idmap_remove(&f->by_id, r->id);
		km_idmap_remove(&f->by_idem, r->idem);
		return err;
	}
	fe_timer_add(f, r);
	r->next = f->requests;
	if (r->next)
		r->next->prev = r;
	f->requests = r;
	f->bytes += r->frame_len;
	f->in_flight++;
	return KM_OK;
}

static int sign_new(struct km_frontend *f, const struct fe_key *k, uint64_t token, const struct km_request *q, struct km_effects *fx)
{
	struct fe_request *r;
	int err;

	if (f->in_flight >= FE_MAX_IN_FLIGHT || f->bytes + q->len > FE_MAX_BYTES)
		return fe_answer(fx, token, KM_E_BUSY, NULL, "too many requests under way");
	err = request_new(f, k, q, &r);
	if (!err)
		err = request_enter(f, r, token);
	if (err) {
		if (r)
			free(r->frame);
		free(r);
		return err == KM_E_NOMEM ? err : fe_answer(fx, token, err, NULL, km_strerror(err));
	}
	make_order(f, r);
	go_on(f, r, fx);
	return KM_OK;
}

int fe_sign(struct km_frontend *f, uint64_t token, const struct km_request *q, struct km_effects *fx)
{
	uint8_t tid[KM_HASH_SIZE], idem[KM_HASH_SIZE];
	char text[100];
	const struct fe_record *rec;
	struct fe_request *same;
	const struct fe_key *k;
	int err;

	fe_token_id(token, tid);
	if (km_idmap_find(&f->by_token, tid))
		return KM_OK; /* the same event twice */
	f->requests_seen++;
	k = fe_key_find(f, q->key_id);
	if (!k)
		return refuse_unknown_key(f, token, q, fx);
	err = check_local(k->table->t, q, text, sizeof(text));
	if (err)
		return fe_answer(fx, token, err, NULL, text);
	fe_records_expire(f, FE_MAX_RECORDS);
	idem_id(q, idem);
	rec = km_idmap_find(&f->records, idem);
	if (rec)
		return fe_answer(fx, token, KM_OK, &rec->result, "answer repeated");
	same = km_idmap_find(&f->by_idem, idem);
	if (!same)
		return sign_new(f, k, token, q, fx);
	err = fe_waiter_add(f, same, token, deadline_of(f, q));
	if (!err)
		wake_at(f, same, same->go_on_us);
	return err == KM_E_BUSY ? fe_answer(fx, token, err, NULL, "too many clients wait") : err;
}

/* ---- replies */

static int signature_ok(const struct fe_request *r, const struct km_reply *rep)
{
	const struct km_curve *c = r->table->curve;
	struct km_scalar sr, ss;

	if (rep->n != km_curve_scalar_size(c) || km_scalar_decode(c, &sr, rep->r) || km_scalar_decode(c, &ss, rep->s))
		return 0;
	if (km_scalar_is_zero(&sr) || km_scalar_is_zero(&ss))
		return 0;
	/* WHY here and nowhere else on the fast path: whoever made it, nothing leaves that does not verify (attack B18) */
	return !KM_RULE(km_rule_frontend_verify) || !km_ecdsa_verify_var(c, &r->table->x, &r->m, &sr, &ss);
}

static void send_badsig(struct km_effects *fx, unsigned to, const struct km_reply *rep)
{
	struct km_badsig s;
	uint8_t mem[2 + KM_HASH_SIZE + 2 * KM_SCALAR_MAX];
	struct km_buf b;
	int err;

	memset(&s, 0, sizeof(s));
	memcpy(s.request_id, rep->request_id, KM_HASH_SIZE);
	s.n = rep->n;
	memcpy(s.r, rep->r, sizeof(s.r));
	memcpy(s.s, rep->s, sizeof(s.s));
	km_buf_init_fixed(&b, mem, sizeof(mem));
	km_badsig_encode(&b, &s);
	err = b.err ? b.err : km_effects_send(fx, (struct km_addr){ KM_ADDR_PEER, (uint16_t)to }, mem, b.len);
	/* it only helps the aggregator to name a culprit: when lost, nothing else is */
	(void)err;
}

static int wrong_signature(struct km_frontend *f, struct fe_request *r, unsigned from, const struct km_reply *rep, struct km_effects *fx)
{
	struct fe_peer *p = &f->peer[from];

	f->bad_replies++;
	score_up(p, FE_SCORE_BAD);
	if (!p->wrong_said_us || f->now.mono_us - p->wrong_said_us >= FE_SAY_AGAIN_US) {
		p->wrong_said_us = f->now.mono_us;
		km_effects_log(fx, KM_LOG_WARN, "key %s: peer %u (%s) answered with a signature that does not verify (request %H)",
			       r->table->name, from, f->s->roster.peer[from].name, r->id);
	}
	send_badsig(fx, from, rep);
	r->wrong |= km_set_bit(from);
	r->waiting &= ~km_set_bit(from);
	r->how[from] = FE_WRONG;
	if (from == r->last || !r->waiting)
		go_on(f, r, fx);
	return KM_OK;
}

static int good_signature(struct km_frontend *f, struct fe_request *r, unsigned from, const struct km_reply *rep, struct km_effects *fx)
{
	struct fe_peer *p = &f->peer[from];
	struct km_result result;

	memset(&result, 0, sizeof(result));
	memcpy(result.r, rep->r, rep->n);
	memcpy(result.s, rep->s, rep->n);
	result.scalar_size = rep->n;
	result.quorum = rep->quorum;
	result.aggregator = (uint8_t)from;
	memcpy(result.presig_id, rep->presig_id, KM_HASH_SIZE);
	result.time_ms = rep->time_ms;
	sample(p, f->now.mono_us - r->sent_us[from]);
	if (p->score)
		p->score--;
	fe_record_answer(f, r, &result);
	return fe_finish(f, r, KM_OK, &result, "", fx);
}

static int is_refusal(unsigned status)
{
	return status == KM_STATUS_BAD_MAC || status == KM_STATUS_STALE || status == KM_STATUS_RIGHTS || status == KM_STATUS_RATE ||
	       status == KM_STATUS_CONTEXT || status == KM_STATUS_UNKNOWN_KEY;
}

static int is_waited_for(const struct fe_request *r)
{
	return r->last && km_set_has(r->waiting, r->last) && r->how[r->last] == FE_WAITING;
}

/* Who was empty has presignatures again. WHY bounded, and not from the suspect: who always says so and then does not sign would be asked all
 * the time, and nobody else. While somebody works at the request it is remembered. */
static void offer(struct km_frontend *f, struct fe_request *r, unsigned from, struct km_effects *fx)
{
	if (r->how[from] != FE_STATUS + KM_STATUS_EMPTY || r->offered[from] >= FE_MAX_OFFERS || f->peer[from].score >= FE_SUSPECT)
		return;
	r->stated->ready[from] += !r->stated->ready[from];
	r->offered[from]++;
	r->offers |= km_set_bit(from);
	if (!is_waited_for(r))
		go_on(f, r, fx);
}

static int error_reply(struct km_frontend *f, struct fe_request *r, unsigned from, unsigned status, struct km_effects *fx)
{
	uint32_t can = r->table->members & f->s->roster.members;

	if (status == KM_STATUS_AGAIN)
		offer(f, r, from, fx);
	if (status == KM_STATUS_AGAIN || !km_set_has(r->waiting, from))
		return KM_OK;
	r->waiting &= ~km_set_bit(from);
	/* newcomers ask the others first, until its next pong */
	if (status == KM_STATUS_EMPTY)
		r->stated->ready[from] = 0;
	r->how[from] = (uint8_t)(FE_STATUS + (status < 200 ? status : 200));
	if (is_refusal(status)) {
		r->refused |= km_set_bit(from);
		r->refused_err = km_status_to_err(status);
		/* WHY T: one of T refusals is an honest one; fewer could be the adversary's, and would stop service */
		if (km_set_size(r->refused & can) >= r->table->threshold || !(can & ~r->refused))
			return fe_finish_tried(f, r, r->refused_err, "refused", fx);
	}
	if (from == r->last || !r->waiting)
		go_on(f, r, fx);
	return KM_OK;
}

int fe_reply(struct km_frontend *f, unsigned from, const uint8_t *p, size_t n, struct km_effects *fx)
{
	struct fe_request *r;
	struct km_reply rep;

	if (km_reply_decode(&rep, p, n))
		return KM_OK;
	r = km_idmap_find(&f->by_id, rep.request_id);
	/* late, repeated, or of somebody who was not asked */
	if (!r || !km_set_has(r->asked, from))
		return KM_OK;
	if (rep.status != KM_STATUS_OK)
		return error_reply(f, r, from, rep.status, fx);
	if (r->verified[from] >= FE_MAX_VERIFY)
		return KM_OK;
	r->verified[from]++;
	return signature_ok(r, &rep) ? good_signature(f, r, from, &rep, fx) : wrong_signature(f, r, from, &rep, fx);
}

/* ---- time */

static int wake(struct km_frontend *f, struct fe_request *r, struct km_effects *fx)
{
	unsigned last = r->last;
	int ended = fe_expire_waiters(f, r, fx);

	if (ended)
		return ended < 0 ? ended : KM_OK;
	if (f->now.mono_us < r->go_on_us) {
		wake_at(f, r, r->go_on_us);
		return KM_OK;
	}
	if (is_waited_for(r)) {
		/* it may still answer; but the next is asked, and what we know of this one is that it takes longer than that */
		r->how[last] = FE_LATE;
		f->hedged++;
		score_up(&f->peer[last], FE_SCORE_LATE);
		sample(&f->peer[last], f->now.mono_us - r->sent_us[last]);
	}
	if (r->at == r->n_order && !r->offers) {
		r->pass++;
		make_order(f, r);
	}
	go_on(f, r, fx);
	return KM_OK;
}

int fe_requests_tick(struct km_frontend *f, struct km_effects *fx)
{
	struct fe_request *r;
	int err;

	while ((r = fe_timer_first(f)) && r->next_us <= f->now.mono_us) {
		err = wake(f, r, fx);
		if (err)
			return err;
	}
	fe_records_expire(f, FE_MAX_RECORDS);
	return KM_OK;
}

int fe_requests_lost(struct km_frontend *f, unsigned id, struct km_effects *fx)
{
	for (struct fe_request *r = f->requests; r; r = r->next) {
		if (!km_set_has(r->waiting, id))
			continue;
		r->waiting &= ~km_set_bit(id);
		r->how[id] = FE_LOST;
		if (r->last == id)
			go_on(f, r, fx);
	}
	return KM_OK;
}
