/* aggregate.c: a frontend's request at the peer that it asks: SIGN to a quorum, SHAREs back, REPLY; and another try when a signer
 * is late, refuses, or was bad.
 *
 * The SIGNs leave before the own share is computed: the owed list is worked off at the next event. The signature is not verified
 * here, the frontend does that once; told of a failure we verify before anybody is suspected. */
#include "peer_impl.h"

#include <stdlib.h>
#include <string.h>

#define AVOID_MIN_US 1000000u
#define AVOID_MAX_US 30000000u
#define BADSIGS_A_SECOND 4
#define BADSIGS_BURST 32

static void finish(struct km_peer *p, struct km_flight *f, unsigned status);
static void attempt(struct km_peer *p, struct km_flight *f);

/* ---- lists */

static void list_add(struct km_flights *l, struct km_flight *f)
{
	f->next = NULL;
	f->prev = l->tail;
	if (l->tail)
		l->tail->next = f;
	else
		l->head = f;
	l->tail = f;
}

static void list_out(struct km_flights *l, struct km_flight *f)
{
	if (f->prev)
		f->prev->next = f->next;
	else
		l->head = f->next;
	if (f->next)
		f->next->prev = f->prev;
	else
		l->tail = f->prev;
}

static void not_owed(struct km_peer *p, struct km_flight *f)
{
	if (!f->owed)
		return;
	f->owed = 0;
	for (struct km_flight **at = &p->owed; *at; at = &(*at)->owed_next) {
		if (*at == f) {
			*at = f->owed_next;
			break;
		}
	}
	for (p->owed_tail = &p->owed; *p->owed_tail; p->owed_tail = &(*p->owed_tail)->owed_next)
		;
}

/* Of the presignature of its latest attempt. */
static void let_go(struct km_flight *f)
{
	km_presig_free(f->ps);
	f->ps = NULL;
	if (f->lot)
		f->lot->users--;
	f->lot = NULL;
}

static void flight_free(struct km_peer *p, struct km_flight *f)
{
	not_owed(p, f);
	list_out(f->state == KM_FLIGHT_WORKING ? &p->working : &p->done, f);
	km_idmap_remove(&p->flights, f->request_id);
	p->flight_bytes -= f->req.len;
	let_go(f);
	free(f);
}

void km_aggregate_free(struct km_peer *p)
{
	while (p->working.head)
		flight_free(p, p->working.head);
	while (p->done.head)
		flight_free(p, p->done.head);
	km_queue_free(p);
}

/* ---- replies */

static void send_reply(struct km_peer *p, const struct km_flight *f)
{
	km_reply_encode(&p->scratch, &f->reply);
	km_peer_send(p, (struct km_addr){KM_ADDR_FRONTEND, f->req.frontend});
}

static void refuse(struct km_peer *p, unsigned frontend, const uint8_t request_id[KM_HASH_SIZE], unsigned status)
{
	struct km_reply r = {.status = (uint8_t)status, .time_ms = p->now.wall_ms};

	memcpy(r.request_id, request_id, KM_HASH_SIZE);
	p->n_refused++;
	km_reply_encode(&p->scratch, &r);
	km_peer_send(p, (struct km_addr){KM_ADDR_FRONTEND, (uint16_t)frontend});
}

/* A canary is verified here, as no frontend does it. */
static void canary_done(struct km_peer *p, struct km_flight *f, unsigned status)
{
	const struct km_table *t = &f->key->share->table;
	struct km_scalar r, s;
	uint32_t culprits = 0;
	int err = km_status_to_err(status);

	if (!err && (km_scalar_decode(t->curve, &r, f->reply.r) || km_scalar_decode(t->curve, &s, f->reply.s) ||
		     km_ecdsa_verify_var(t->curve, &t->x, &f->in.m, &r, &s))) {
		err = KM_E_UNVERIFIED;
		if (km_sign_culprits_var(f->ps, &f->in, &f->nonce, f->share, &culprits))
			culprits = 0;
		if (culprits)
			km_inquiry_open(p, f, culprits);
	}
	km_canary_result(p, f, err, culprits);
}

static void finish(struct km_peer *p, struct km_flight *f, unsigned status)
{
	f->reply.status = (uint8_t)status;
	f->reply.time_ms = p->now.wall_ms;
	memcpy(f->reply.request_id, f->request_id, KM_HASH_SIZE);
	not_owed(p, f);
	list_out(&p->working, f);
	f->state = KM_FLIGHT_DONE;
	list_add(&p->done, f);
	f->until_us = p->now.mono_us + KM_FLIGHT_LINGER_US;
	km_peer_wake(p, f->until_us);
	if (status)
		p->n_refused++;
	else
		p->n_aggregated++;
	if (f->canary)
		canary_done(p, f, status);
	else
		send_reply(p, f);
	if (status == KM_STATUS_EMPTY && !f->canary)
		km_queue_add(p, f->key, f->req.frontend, f->request_id);
	/* what failed may be asked again at once and then gets a new chance */
	if (status)
		flight_free(p, f);
}

/* All shares are in. */
static void combine(struct km_peer *p, struct km_flight *f)
{
	const struct km_curve *c = f->ps->curve;
	struct km_scalar s;

	if (km_sign_combine(c, &s, f->share, f->ps->n)) {
		attempt(p, f);
		return;
	}
	f->reply.n = (uint8_t)km_curve_scalar_size(c);
	km_scalar_encode(c, f->reply.r, &f->nonce.r);
	km_scalar_encode(c, f->reply.s, &s);
	f->reply.quorum = f->ps->quorum;
	memcpy(f->reply.presig_id, f->ps->id, KM_HASH_SIZE);
	f->checked = 0;
	finish(p, f, km_journal_signature(p, &f->reply, f->request_id) ? KM_STATUS_INTERNAL : KM_STATUS_OK);
}

/* ---- one attempt */

static uint64_t share_timeout(const struct km_peer *p, uint32_t quorum)
{
	uint64_t max = (uint64_t)p->s->share_timeout_ms * 1000, worst = 0, t;

	for (unsigned i = km_set_next(quorum, 0); i; i = km_set_next(quorum, i)) {
		if (i == p->self)
			continue;
		if (p->link[i].share_us > worst)
			worst = p->link[i].share_us;
		if (p->link[i].rtt_us > worst)
			worst = p->link[i].rtt_us;
	}
	t = 4 * worst + 10000;
	if (t < KM_SHARE_TIMEOUT_MIN_US)
		t = KM_SHARE_TIMEOUT_MIN_US;
	return t < max ? t : max;
}

static void send_signs(struct km_peer *p, struct km_flight *f)
{
	struct km_sign m = {.req = f->req};

	memcpy(m.presig_id, f->ps->id, KM_HASH_SIZE);
	for (unsigned i = km_set_next(f->ps->quorum, 0); i; i = km_set_next(f->ps->quorum, i)) {
		if (i == p->self)
			continue;
		memcpy(m.incarnation, p->link[i].incarnation, KM_NONCE_SIZE);
		memcpy(m.mac, f->macs.mac[i], KM_MAC_SIZE);
		km_sign_encode(&p->scratch, &m);
		km_peer_send(p, km_peer_addr(i));
	}
}

static void launch(struct km_peer *p, struct km_flight *f, struct km_held *h)
{
	let_go(f);
	f->key = h->key;
	f->lot = h->lot;
	f->lot->users++;
	/* out of every list before anything is done with it */
	f->ps = km_pool_spend(p, h);
	f->attempts++;
	f->missing = f->ps->quorum;
	f->attempt_us = p->now.mono_us;
	f->until_us = p->now.mono_us + share_timeout(p, f->ps->quorum);
	km_peer_wake(p, f->until_us);
	send_signs(p, f);
	f->owed = 1;
	f->owed_next = NULL;
	*p->owed_tail = f;
	p->owed_tail = &f->owed_next;
}

static void attempt(struct km_peer *p, struct km_flight *f)
{
	unsigned status;
	struct km_held *h = NULL;

	not_owed(p, f);
	if (f->attempts)
		p->n_retries++;
	if (f->canary) {
		finish(p, f, f->last_status ? f->last_status : KM_STATUS_NO_QUORUM);
		return;
	}
	/* at most one for each faulty peer, and while the frontend may still be waiting */
	if (f->attempts <= p->s->roster.n && f->attempts < KM_SPENDS_PER_REQUEST &&
	    p->now.mono_us - f->started_us < KM_FLIGHT_GIVEUP_US)
		h = km_pool_choose(p, f->key, f->excluded | ~f->macs.peers, &status);
	else
		status = KM_STATUS_NO_QUORUM;
	if (h && !f->attempts)
		km_queue_remove(p, f->request_id);
	if (h)
		launch(p, f, h);
	else /* WHY not what a signer said while others could still sign: fewer than T refusals may all be lies */
		finish(p, f, f->last_status && status != KM_STATUS_EMPTY ? f->last_status : status);
}

/* The own share, once the SIGNs are out. */
static void own_share(struct km_peer *p, struct km_flight *f)
{
	unsigned pos = km_set_pos(f->ps->quorum, p->self);

	if (km_sign_nonce(f->ps, &f->in, &f->nonce)) {
		attempt(p, f);
		return;
	}
	km_sign_share(f->ps, &f->in, &f->nonce, &f->share[pos]);
	if (km_journal_share(p, &f->req, f->request_id, f->ps, &f->key->share->table, &f->nonce.rr) ||
	    !km_signer_record(p, &f->req, f->ps, &f->in, &f->nonce, &f->share[pos], f->key)) {
		finish(p, f, KM_STATUS_INTERNAL);
		return;
	}
	f->missing &= ~km_set_bit(p->self);
	if (!f->missing)
		combine(p, f);
}

void km_aggregate_owed(struct km_peer *p)
{
	struct km_flight *f;

	while ((f = p->owed)) {
		p->owed = f->owed_next;
		if (!p->owed)
			p->owed_tail = &p->owed;
		f->owed = 0;
		own_share(p, f);
	}
}

/* ---- REQ */

static struct km_flight *flight_new(struct km_peer *p, const struct km_req *req, const struct km_req_macs *macs,
				    const uint8_t request_id[KM_HASH_SIZE], struct km_key *key)
{
	struct km_flight *f;

	/* answers already given are kept for repetition only */
	while (p->done.head && (p->flights.n >= KM_FLIGHT_MAX || p->flight_bytes + req->len > KM_FLIGHT_BYTES_MAX))
		flight_free(p, p->done.head);
	if (p->flights.n >= KM_FLIGHT_MAX || p->flight_bytes + req->len > KM_FLIGHT_BYTES_MAX)
		return NULL;
	f = calloc(1, sizeof(*f) + req->len);
	if (!f)
		return NULL;
	memcpy(f->request_id, request_id, KM_HASH_SIZE);
	f->state = KM_FLIGHT_WORKING;
	f->req = *req;
	f->req.data = (const uint8_t *)(f + 1);
	memcpy(f + 1, req->data, req->len);
	if (macs)
		f->macs = *macs;
	f->key = key;
	f->started_us = p->now.mono_us;
	f->in.context = req->context;
	memcpy(f->in.request_id, request_id, KM_HASH_SIZE);
	if (km_req_scalar(key->share->table.curve, req->context, req->data, req->len, &f->in.m) || km_idmap_add(&p->flights, f)) {
		free(f);
		return NULL;
	}
	p->flight_bytes += req->len;
	list_add(&p->working, f);
	return f;
}

void km_aggregate_on_req(struct km_peer *p, unsigned frontend, const uint8_t *d, size_t n)
{
	uint8_t request_id[KM_HASH_SIZE];
	struct km_req_macs macs;
	struct km_req req;
	struct km_key *key;

	if (km_req_decode(&req, &macs, d, n)) {
		km_peer_drop_frame(p, KM_DROP_GARBAGE);
		return;
	}
	if (req.frontend != frontend && KM_RULE(km_rule_channel_sender)) {
		km_peer_drop_frame(p, KM_DROP_SENDER);
		return;
	}
	km_req_id(&req, request_id);
	struct km_flight *f = km_idmap_find(&p->flights, request_id);
	if (f) {
		/* the same question again: the same answer, or still at work */
		if (f->state == KM_FLIGHT_DONE)
			send_reply(p, f);
		return;
	}
	unsigned status = KM_STATUS_BAD_MAC;
	if (km_set_has(macs.peers, p->self))
		status = km_admit_request(p, &req, request_id, macs.mac[p->self], p->self, &key);
	if (status) {
		refuse(p, frontend, request_id, status);
		return;
	}
	/* WHY: else whoever comes at the right moment is served before those who wait, and they until their deadline */
	if (km_queue_behind(p, key, request_id)) {
		km_queue_add(p, key, frontend, request_id);
		refuse(p, frontend, request_id, KM_STATUS_EMPTY);
		return;
	}
	f = flight_new(p, &req, &macs, request_id, key);
	if (f)
		attempt(p, f);
	else
		refuse(p, frontend, request_id, KM_STATUS_BUSY);
}

int km_aggregate_canary(struct km_peer *p, struct km_key *key, uint32_t quorum)
{
	struct km_req req = {.version = KM_REQ_VERSION, .context = KM_CTX_CANARY, .time_ms = p->now.wall_ms, .len = KM_HASH_SIZE};
	uint8_t bytes[KM_HASH_SIZE], request_id[KM_HASH_SIZE];
	struct km_pool *pool = km_pool_get(key, quorum);

	if (!pool || !pool->head)
		return KM_E_EMPTY;
	int err = km_canary_once(key, quorum);
	if (err)
		return err;
	km_canary_bytes(key, quorum, bytes);
	memcpy(req.key_id, key->share->table.key_id, KM_HASH_SIZE);
	km_rng_bytes(p->rng, req.random, sizeof(req.random));
	req.data = bytes;
	km_req_id(&req, request_id);
	struct km_flight *f = flight_new(p, &req, NULL, request_id, key);
	if (!f)
		return KM_E_NOMEM;
	f->canary = 1;
	f->reply.quorum = quorum;
	launch(p, f, pool->head);
	/* nobody waits for it by the millisecond */
	f->until_us = p->now.mono_us + 2000000u;
	return KM_OK;
}

/* ---- SHARE */

static void sample(struct km_peer *p, unsigned from, uint64_t took_us)
{
	struct km_link *l = &p->link[from];
	uint32_t sample = took_us > 60000000u ? 60000000u : (uint32_t)took_us + 1;

	l->share_us = l->share_us ? (uint32_t)(((uint64_t)l->share_us * 7 + sample) / 8) : sample;
}

static void avoid(struct km_peer *p, unsigned peer)
{
	struct km_link *l = &p->link[peer];

	l->avoid_us = l->avoid_us ? 2 * l->avoid_us : AVOID_MIN_US;
	if (l->avoid_us > AVOID_MAX_US)
		l->avoid_us = AVOID_MAX_US;
	l->avoid_until_us = p->now.mono_us + l->avoid_us;
}

static void refused(struct km_peer *p, struct km_flight *f, unsigned from, unsigned status)
{
	switch (status) {
	case KM_STATUS_UNKNOWN_PRESIG:
		/* it never finished that run, or has restarted: nothing of it is of use with this member. No suspicion. */
		km_pool_unknown(p, f->lot, from);
		break;
	case KM_STATUS_DEGENERATE:
		break;
	default:
		f->last_status = (uint8_t)status;
		f->excluded |= km_set_bit(from);
		/* it refuses what we admitted: not first choice for a while. Not for what the frontend alone can spoil for it */
		if (status != KM_STATUS_BAD_MAC)
			avoid(p, from);
		/* WHY T: one of T refusals is an honest one; fewer could be the adversary's, and would stop service */
		if (++f->refusals >= f->key->share->table.threshold) {
			finish(p, f, status);
			return;
		}
	}
	attempt(p, f);
}

void km_aggregate_on_share(struct km_peer *p, unsigned from, const uint8_t *d, size_t n)
{
	struct km_share_msg m;

	if (km_share_msg_decode(&m, d, n)) {
		km_peer_drop_frame(p, KM_DROP_GARBAGE);
		return;
	}
	struct km_flight *f = km_idmap_find(&p->flights, m.request_id);
	uint64_t took = km_late_came(p, from, m.presig_id);
	if (took)
		sample(p, from, took);
	/* of an attempt given up, or of nobody's */
	if (!f || f->state != KM_FLIGHT_WORKING || memcmp(f->ps->id, m.presig_id, KM_HASH_SIZE) != 0 ||
	    !km_set_has(f->missing, from) || from == p->self) {
		km_peer_drop_frame(p, KM_DROP_STALE);
		return;
	}
	sample(p, from, p->now.mono_us - f->attempt_us);
	if (m.status) {
		refused(p, f, from, m.status);
		return;
	}
	const struct km_curve *c = f->ps->curve;
	if (m.n != km_curve_scalar_size(c) || km_scalar_decode(c, &f->share[km_set_pos(f->ps->quorum, from)], m.s)) {
		/* Not a number: as good as a wrong one, only seen at once. WHY nobody is missing any more: an inquiry may end in a dispute on
		 * the spot, which gives up whatever waits for that peer, and this flight is still in our hands. */
		f->missing = 0;
		km_inquiry_open(p, f, km_set_bit(from));
		f->excluded |= km_set_bit(from);
		attempt(p, f);
		return;
	}
	p->link[from].avoid_us = 0;
	p->link[from].avoid_until_us = 0;
	f->missing &= ~km_set_bit(from);
	if (!f->missing)
		combine(p, f);
}

/* ---- failures */

static void late(struct km_peer *p, struct km_flight *f, uint32_t who, int silent)
{
	for (unsigned i = km_set_next(who, 0); i; i = km_set_next(who, i)) {
		if (i == p->self)
			continue;
		if (silent)
			km_late_note(p, f, i);
		avoid(p, i);
		f->excluded |= km_set_bit(i);
	}
	attempt(p, f);
}

void km_aggregate_down(struct km_peer *p, unsigned peer)
{
	for (struct km_flight *f = p->working.head, *next; f; f = next) {
		next = f->next;
		if (km_set_has(f->missing, peer))
			late(p, f, km_set_bit(peer), 0);
	}
}

void km_aggregate_on_badsig(struct km_peer *p, unsigned frontend, const uint8_t *d, size_t n)
{
	struct km_badsig m;
	struct km_scalar r, s;
	uint32_t culprits = 0;
	char names[80];

	if (km_badsig_decode(&m, d, n)) {
		km_peer_drop_frame(p, KM_DROP_GARBAGE);
		return;
	}
	struct km_flight *f = km_idmap_find(&p->flights, m.request_id);
	if (!f || f->canary || f->state != KM_FLIGHT_DONE || f->req.frontend != frontend || f->reply.status || f->checked)
		return;
	/* WHY bounded: a frontend that calls everything bad would have us verify everything */
	struct km_bucket *lies = &p->fes[p->fe_by_id[frontend] - 1].badsig;
	if (!km_bucket_take(&lies->micro, &lies->at_us, p->now.mono_us, BADSIGS_A_SECOND, BADSIGS_BURST)) {
		km_peer_drop_frame(p, KM_DROP_LIMIT);
		return;
	}
	f->checked = 1;
	const struct km_table *t = &f->key->share->table;
	/* WHY verify first: a frontend's word alone blames nobody */
	if (m.n != f->reply.n || memcmp(m.r, f->reply.r, m.n) != 0 || memcmp(m.s, f->reply.s, m.n) != 0 ||
	    (!km_scalar_decode(t->curve, &r, f->reply.r) && !km_scalar_decode(t->curve, &s, f->reply.s) &&
	     !km_ecdsa_verify_var(t->curve, &t->x, &f->in.m, &r, &s))) {
		km_effects_log(p->fx, KM_LOG_WARN, "frontend %u calls a good signature bad", frontend);
		send_reply(p, f);
		return;
	}
	if (km_sign_culprits_var(f->ps, &f->in, &f->nonce, f->share, &culprits))
		culprits = 0;
	culprits &= ~km_set_bit(p->self);
	km_peer_names(p, culprits, names, sizeof(names));
	km_effects_log(p->fx, KM_LOG_WARN, "a signature failed; bad shares came from %s",
		       culprits ? names : "nobody we can name");
	km_inquiry_open(p, f, culprits);
	/* the retry does not wait for the record */
	f->excluded |= culprits;
	f->started_us = p->now.mono_us;
	list_out(&p->done, f);
	f->state = KM_FLIGHT_WORKING;
	list_add(&p->working, f);
	attempt(p, f);
}

/* ---- time */

void km_aggregate_tick(struct km_peer *p)
{
	km_late_tick(p);
	for (struct km_flight *f = p->working.head, *next; f; f = next) {
		next = f->next;
		if (p->now.mono_us >= f->until_us)
			late(p, f, f->missing, 1);
		else
			km_peer_wake(p, f->until_us);
	}
	for (struct km_flight *f; (f = p->done.head) && p->now.mono_us >= f->until_us;)
		flight_free(p, f);
	/* a little late, so that one tick clears many */
	if (p->done.head)
		km_peer_wake(p, p->done.head->until_us + 100000u);
	km_queue_tick(p);
}
