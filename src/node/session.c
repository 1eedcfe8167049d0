/* session.c: the set-up of every run: a signed PROPOSE of its initiator, a signed JOIN of every participant, and the sid made of
 * all of them (their bytes: proto/setup.h). */
#include "peer_impl.h"

#include <stdlib.h>
#include <string.h>
#include "../base/secret.h"

#define NUDGE_US 500000u
#define PROPOSALS_A_SECOND 5
#define PROPOSALS_BURST 20

/* ---- JOIN */

static void joined(struct km_peer *p, struct km_run *run, const struct km_msg *msg)
{
	unsigned who = msg->sender;

	if (km_set_has(run->joined, who) || !km_set_has(run->prop.participants, who))
		return;
	memcpy(run->join_digest[who], msg->digest, KM_HASH_SIZE);
	memcpy(run->join[who], msg->raw, KM_MSG_HEAD + (size_t)msg->body_len);
	run->joined |= km_set_bit(who);
	if (run->joined != run->prop.participants)
		return;
	km_setup_sid(run->proposal_id, run->prop.participants, (const uint8_t (*)[KM_HASH_SIZE])run->join_digest, run->sid);
	km_run_begin(p, run);
}

static int send_join(struct km_peer *p, struct km_run *run)
{
	uint8_t body[KM_JOIN_RESHARE], nonce[KM_NONCE_SIZE], sid[KM_HASH_SIZE], own[KM_JOIN_MAX];
	struct km_shape shape = km_setup_join_shape(run->prop.purpose);
	struct km_msg msg;

	km_rng_bytes(p->rng, nonce, sizeof(nonce));
	km_setup_join_put(body, run->proposal_id, p->incarnation, nonce);
	if (run->prop.purpose == KM_PURPOSE_RESHARE)
		km_reshare_join(p, run, body);
	km_setup_join_sid(body, sid);
	km_put_u8(&p->scratch, KM_FRAME_ENVELOPE);
	int err = km_msg_build(&p->scratch, KM_PROTO_SETUP, KM_SETUP_JOIN, p->self, 0, sid, &shape, body, &p->s->identity);
	if (!err)
		err = km_msg_parse(&msg, p->scratch.data + 1, p->scratch.len - 1);
	if (err) {
		km_buf_reset(&p->scratch);
		return err;
	}
	/* the bytes are sent (and gone) before the run may begin on them */
	memcpy(own, p->scratch.data + 1, KM_MSG_HEAD + (size_t)msg.body_len);
	msg.raw = own;
	km_peer_send_set(p, run->prop.participants);
	joined(p, run, &msg);
	return KM_OK;
}

/* A JOIN for a run that is open here; steps as in the table of acceptance. */
static void take_join(struct km_peer *p, struct km_run *run, const struct km_msg *msg)
{
	const struct km_link *l = &p->link[msg->sender];
	struct km_shape shape = km_setup_join_shape(run->prop.purpose);
	uint8_t sid[KM_HASH_SIZE];

	if (run->state != KM_RUN_JOINING || !km_set_has(run->prop.participants, msg->sender) ||
	    km_set_has(run->joined, msg->sender))
		return;
	km_setup_join_sid(msg->body, sid);
	if (memcmp(sid, msg->sid, KM_HASH_SIZE) != 0 || km_msg_check_body(msg, &shape)) {
		km_peer_drop_frame(p, KM_DROP_GARBAGE);
		return;
	}
	if (!l->have_incarnation || memcmp(l->incarnation, msg->body + KM_HASH_SIZE, KM_NONCE_SIZE) != 0) {
		km_peer_drop_frame(p, KM_DROP_STALE);
		return;
	}
	if (km_msg_verify_sig(msg, p->idkeys[msg->sender])) {
		km_peer_drop_frame(p, KM_DROP_SIGNATURE);
		return;
	}
	if (run->prop.purpose == KM_PURPOSE_RESHARE && !km_reshare_may_join(p, run, msg))
		return;
	joined(p, run, msg);
}

static void on_join(struct km_peer *p, unsigned from, int relayed, const struct km_msg *msg)
{
	struct km_early_join *e;

	if (msg->body_len != KM_JOIN_BODY && msg->body_len != KM_JOIN_RESHARE) {
		km_peer_drop_frame(p, KM_DROP_GARBAGE);
		return;
	}
	struct km_run *run = km_run_by_proposal(p, msg->body);
	if (run || relayed) {
		if (run)
			take_join(p, run, msg);
		return;
	}
	/* it overtook the proposal, which comes over another channel */
	e = &p->early_join[from][p->early_join_at[from]++ % KM_EARLY_JOINS];
	e->len = KM_MSG_HEAD + (size_t)msg->body_len;
	memcpy(e->raw, msg->raw, e->len);
	e->at_us = p->now.mono_us;
}

/* The JOINs that were here before the proposal. The run may begin (and, if that fails, vanish) on the way. */
static void take_early_joins(struct km_peer *p, const uint8_t proposal[KM_HASH_SIZE])
{
	for (unsigned i = 1; i <= KM_MAX_PEERS; i++) {
		for (unsigned k = 0; k < KM_EARLY_JOINS; k++) {
			struct km_early_join *e = &p->early_join[i][k];
			struct km_run *run = km_run_by_proposal(p, proposal);
			struct km_msg msg;

			if (!run)
				return;
			if (memcmp(e->raw + KM_MSG_HEAD, proposal, KM_HASH_SIZE) == 0 && e->at_us + KM_JOIN_US > p->now.mono_us &&
			    km_msg_parse(&msg, e->raw, e->len) == KM_OK)
				take_join(p, run, &msg);
		}
	}
}

/* Kept for every run: to be sent again by its initiator, and for evidence about the run, whose judge makes the sid anew. */
static int keep_propose(struct km_run *run, const struct km_msg *msg)
{
	size_t len = KM_MSG_HEAD + (size_t)msg->body_len;

	run->propose = malloc(len);
	if (!run->propose)
		return KM_E_NOMEM;
	memcpy(run->propose, msg->raw, len);
	run->propose_len = len;
	return KM_OK;
}

/* ---- PROPOSE, sending */

int km_session_propose(struct km_peer *p, struct km_proposal *prop, const struct km_presign_row *rows, struct km_key *key,
		       struct km_run **out)
{
	struct km_shape shape = km_setup_propose_shape(prop);
	uint8_t sid[KM_HASH_SIZE];
	struct km_buf body;
	struct km_msg msg;
	int err;

	*out = NULL;
	prop->time_ms = p->now.wall_ms;
	memcpy(prop->incarnation, p->incarnation, KM_NONCE_SIZE);
	km_rng_bytes(p->rng, prop->nonce, KM_NONCE_SIZE);
	km_buf_init(&body);
	km_setup_put(&body, prop, rows);
	err = body.err;
	if (err)
		goto out;
	km_setup_propose_sid(body.data, body.len, sid);
	km_put_u8(&p->scratch, KM_FRAME_ENVELOPE);
	err = km_msg_build(&p->scratch, KM_PROTO_SETUP, KM_SETUP_PROPOSE, p->self, 0, sid, &shape, body.data, &p->s->identity);
	if (!err)
		err = km_msg_parse(&msg, p->scratch.data + 1, p->scratch.len - 1);
	if (err) {
		km_buf_reset(&p->scratch);
		goto out;
	}
	struct km_run *run = km_run_new(p, p->self, prop);
	if (!run || (rows && km_run_rows(run, rows))) {
		km_buf_reset(&p->scratch);
		err = KM_E_NOMEM;
		goto out;
	}
	memcpy(run->proposal_id, msg.digest, KM_HASH_SIZE);
	run->key = key;
	*out = run;
	err = keep_propose(run, &msg);
	if (err) {
		km_buf_reset(&p->scratch);
		goto out;
	}
	km_peer_send_set(p, prop->participants);
	err = send_join(p, run);
out:
	km_buf_clear(&body);
	return err;
}

/* ---- PROPOSE, receiving */

void km_session_refuse(struct km_peer *p, unsigned to, const uint8_t proposal[KM_HASH_SIZE], const struct km_refusal *why)
{
	size_t len = strlen(why->text);

	p->n_refused++;
	km_put_u8(&p->scratch, KM_FRAME_REFUSE);
	km_put_bytes(&p->scratch, proposal, KM_HASH_SIZE);
	km_put_u8(&p->scratch, (uint8_t)why->code);
	km_put_u8(&p->scratch, (uint8_t)len);
	km_put_bytes(&p->scratch, why->text, len);
	km_peer_send(p, km_peer_addr(to));
}

static void on_propose(struct km_peer *p, unsigned from, const struct km_msg *msg)
{
	struct km_link *l = &p->link[from];
	struct km_presign_row rows[KM_MAX_BATCH];
	uint8_t sid[KM_HASH_SIZE];
	struct km_proposal pr;
	struct km_shape shape;
	struct km_refusal why = {0};
	struct km_key *key = NULL;

	if (!km_bucket_take(&l->propose_tokens, &l->propose_at_us, p->now.mono_us, PROPOSALS_A_SECOND, PROPOSALS_BURST)) {
		km_peer_drop_frame(p, KM_DROP_LIMIT);
		return;
	}
	if (km_run_by_proposal(p, msg->digest))
		return;
	if (km_setup_get(&pr, rows, msg->body, msg->body_len)) {
		km_peer_drop_frame(p, KM_DROP_GARBAGE);
		return;
	}
	shape = km_setup_propose_shape(&pr);
	km_setup_propose_sid(msg->body, msg->body_len, sid);
	if (memcmp(sid, msg->sid, KM_HASH_SIZE) != 0 || km_msg_check_body(msg, &shape)) {
		km_peer_drop_frame(p, KM_DROP_GARBAGE);
		return;
	}
	/* a proposal of before its own restart */
	if (!l->have_incarnation || memcmp(l->incarnation, pr.incarnation, KM_NONCE_SIZE) != 0) {
		km_peer_drop_frame(p, KM_DROP_STALE);
		return;
	}
	if (km_msg_verify_sig(msg, p->idkeys[from])) {
		km_peer_drop_frame(p, KM_DROP_SIGNATURE);
		return;
	}
	if (!km_accept(p, from, &pr, rows, &key, &why)) {
		if ((why.code == KM_REFUSE_ROSTER || why.code == KM_REFUSE_CLOCK) && km_links_may_log(p, from))
			km_effects_log(p->fx, KM_LOG_WARN, "refused a run of peer %u (%s): %s", from, km_peer_name(p, from),
				       why.text);
		km_session_refuse(p, from, msg->digest, &why);
		return;
	}
	struct km_run *run = km_run_new(p, from, &pr);
	if (!run)
		return;
	memcpy(run->proposal_id, msg->digest, KM_HASH_SIZE);
	run->key = key;
	if (keep_propose(run, msg) || (pr.batch && km_run_rows(run, rows)) || send_join(p, run)) {
		km_run_drop(p, run, KM_E_NOMEM, 0, 0);
		return;
	}
	take_early_joins(p, msg->digest);
}

void km_session_on_setup(struct km_peer *p, unsigned from, int relayed, const struct km_msg *msg)
{
	if (msg->recipient != 0 || (msg->sender != from && !relayed) || msg->sender == p->self || msg->sender > KM_MAX_PEERS)
		km_peer_drop_frame(p, KM_DROP_GARBAGE);
	else if (msg->round == KM_SETUP_PROPOSE && !relayed)
		on_propose(p, from, msg);
	else if (msg->round == KM_SETUP_JOIN)
		on_join(p, msg->sender, relayed, msg);
	else
		km_peer_drop_frame(p, KM_DROP_GARBAGE);
}

void km_session_on_refuse(struct km_peer *p, unsigned from, const uint8_t *d, size_t n)
{
	struct km_reader r;
	uint8_t proposal[KM_HASH_SIZE];
	char text[KM_REFUSE_TEXT + 1] = {0};

	km_reader_init(&r, d + 1, n - 1);
	km_get_bytes(&r, proposal, sizeof(proposal));
	unsigned code = km_get_u8(&r), len = km_get_u8(&r);
	const uint8_t *t = km_get_ref(&r, len);
	if (len > KM_REFUSE_TEXT || km_reader_end(&r)) {
		km_peer_drop_frame(p, KM_DROP_GARBAGE);
		return;
	}
	/* another peer's text goes to a terminal: printable characters only */
	for (unsigned i = 0; i < len; i++)
		text[i] = t[i] >= 0x20 && t[i] < 0x7f ? (char)t[i] : '?';
	struct km_run *run = km_run_by_proposal(p, proposal);
	if (!run || run->initiator != p->self || run->state != KM_RUN_JOINING || !km_set_has(run->prop.participants, from))
		return;
	if (km_run_ceremony(run))
		km_keygen_refused(p, run, from, code, text);
	else if (code != KM_REFUSE_BUSY && code != KM_REFUSE_TABLE && km_links_may_log(p, from))
		km_effects_log(p->fx, KM_LOG_WARN, "peer %u (%s) refuses to presign with us: %s", from, km_peer_name(p, from),
			       text);
	km_run_drop(p, run, code == KM_REFUSE_BUSY ? KM_E_BUSY : KM_E_RIGHTS, 0, 1);
}

/* ---- before the sid is known */

/* First messages of a run whose last JOIN is still on its way to us: two of a sender for each run that is being set up. */
void km_session_early(struct km_peer *p, unsigned from, const struct km_msg *msg)
{
	size_t len = KM_MSG_HEAD + (size_t)msg->body_len;
	unsigned open = 0;
	struct km_early *e, **tail;

	for (const struct km_run *run = p->runs; run; run = run->next)
		if (run->state == KM_RUN_JOINING && km_set_has(run->prop.participants, from))
			open++;
	if (msg->round != 1 || !open || p->n_early[from] >= 2 * open || len > KM_EARLY_ENVELOPE) {
		km_peer_drop_frame(p, KM_DROP_STALE);
		return;
	}
	e = calloc(1, sizeof(*e));
	if (!e)
		return;
	/* private first messages hold shares, but for those of engine any (Y1: points that everybody may see) */
	e->secret = msg->recipient != 0 && msg->proto != KM_PROTO_ANY;
	e->raw = e->secret ? km_secret_alloc(len) : malloc(len);
	if (!e->raw) {
		free(e);
		return;
	}
	memcpy(e->raw, msg->raw, len);
	e->len = len;
	e->at_us = p->now.mono_us;
	for (tail = &p->early[from]; *tail; tail = &(*tail)->next)
		;
	*tail = e;
	p->n_early[from]++;
	km_peer_wake(p, p->now.mono_us + KM_JOIN_US);
}

void km_session_early_free(struct km_early *e)
{
	if (e->secret)
		km_secret_free(e->raw);
	else
		free(e->raw);
	free(e);
}

/* Detaches what came early for this sid, in the order of arrival of each sender. */
struct km_early *km_session_early_take(struct km_peer *p, const uint8_t sid[KM_HASH_SIZE])
{
	struct km_early *out = NULL, **tail = &out;

	for (unsigned i = 1; i <= KM_MAX_PEERS; i++) {
		for (struct km_early **at = &p->early[i], *e; (e = *at);) {
			/* the sid stands behind version, proto, round, sender, recipient and length */
			if (memcmp(e->raw + 10, sid, KM_HASH_SIZE) != 0) {
				at = &e->next;
				continue;
			}
			*at = e->next;
			p->n_early[i]--;
			e->next = NULL;
			*tail = e;
			tail = &e->next;
		}
	}
	return out;
}

/* A quarter of its time has passed: again to those who may have missed the proposal, and asking all for the missing JOINs. */
static void nudge(struct km_peer *p, struct km_run *run)
{
	uint32_t missing = run->prop.participants & ~run->joined;

	run->nudged = 1;
	if (run->initiator == p->self) {
		km_put_u8(&p->scratch, KM_FRAME_ENVELOPE);
		km_put_bytes(&p->scratch, run->propose, run->propose_len);
		km_peer_send_set(p, missing);
	}
	km_relay_ask(p, run->proposal_id, 0, missing, run->prop.participants);
}

void km_session_tick(struct km_peer *p)
{
	for (struct km_run *run = p->runs; run; run = run->next) {
		if (run->state != KM_RUN_JOINING || run->nudged)
			continue;
		if (p->now.mono_us >= run->since_us + NUDGE_US)
			nudge(p, run);
		else
			km_peer_wake(p, run->since_us + NUDGE_US);
	}
	for (unsigned i = 1; i <= KM_MAX_PEERS; i++) {
		for (struct km_early **at = &p->early[i], *e; (e = *at);) {
			if (p->now.mono_us < e->at_us + KM_JOIN_US) {
				km_peer_wake(p, e->at_us + KM_JOIN_US);
				at = &e->next;
				continue;
			}
			*at = e->next;
			p->n_early[i]--;
			km_session_early_free(e);
		}
	}
}
