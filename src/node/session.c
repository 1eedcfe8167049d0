/* session.c: the set-up of every run: a signed PROPOSE of its initiator, a signed JOIN of every participant, and the sid made of
 * all of them.
 *
 *	PROPOSE body: purpose u8 | table or roster hash | participants u32 | engine u8 | B u16 | time u64 | incarnation | nonce |
 *	              key generation: name_len u8 | name, 63 bytes, zero padded | T u8 | curve u8
 *	              rows, presign: owner u8 | S u32, B of them
 *	JOIN body:    proposal id | incarnation | nonce
 *	sid         = H("sid", version, proposal id, content digests of all JOINs by sender)
 *
 * WHY a JOIN of everybody: an initiator alone could repeat a sid after a restart of another, make an honest peer contradict
 *itself and replay old verdicts. WHY a JOIN's own sid field holds its nonce: a peer that restarted and joins a replayed proposal
 *again must not look like one that equivocates. */
#include "peer_impl.h"

#include <stdlib.h>
#include <string.h>
#include "../base/secret.h"

#define PROPOSE_HEAD (1 + KM_HASH_SIZE + 4 + 1 + 2 + 8 + 2 * KM_NONCE_SIZE)
#define PROPOSE_DKG (PROPOSE_HEAD + 1 + KM_MAX_NAME + 2)
#define PROPOSE_ROW 5
#define JOIN_BODY (KM_HASH_SIZE + 2 * KM_NONCE_SIZE)
#define NUDGE_US 500000u
#define PROPOSALS_A_SECOND 5
#define PROPOSALS_BURST 20

/* ---- bytes */

static struct km_shape propose_shape(const struct km_proposal *pr)
{
	if (pr->purpose == KM_PURPOSE_DKG)
		return (struct km_shape){PROPOSE_DKG, 0, 0};
	return (struct km_shape){PROPOSE_HEAD, PROPOSE_ROW, pr->batch};
}

static void put_proposal(struct km_buf *b, const struct km_proposal *pr, const struct km_presign_row *rows)
{
	km_put_u8(b, pr->purpose);
	km_put_bytes(b, pr->hash, KM_HASH_SIZE);
	km_put_u32(b, pr->participants);
	km_put_u8(b, pr->engine);
	km_put_u16(b, pr->batch);
	km_put_u64(b, pr->time_ms);
	km_put_bytes(b, pr->incarnation, KM_NONCE_SIZE);
	km_put_bytes(b, pr->nonce, KM_NONCE_SIZE);
	if (pr->purpose == KM_PURPOSE_DKG) {
		km_put_u8(b, (uint8_t)strlen(pr->name));
		km_put_bytes(b, pr->name, KM_MAX_NAME);
		km_put_u8(b, pr->threshold);
		km_put_u8(b, pr->curve);
		return;
	}
	for (unsigned i = 0; i < pr->batch; i++) {
		km_put_u8(b, rows[i].owner);
		km_put_u32(b, rows[i].quorum);
	}
}

/* rows has room for KM_MAX_BATCH. */
static int get_proposal(struct km_proposal *pr, struct km_presign_row *rows, const uint8_t *body, size_t len)
{
	struct km_reader r;

	memset(pr, 0, sizeof(*pr));
	km_reader_init(&r, body, len);
	pr->purpose = km_get_u8(&r);
	km_get_bytes(&r, pr->hash, KM_HASH_SIZE);
	pr->participants = km_get_u32(&r);
	pr->engine = km_get_u8(&r);
	pr->batch = km_get_u16(&r);
	pr->time_ms = km_get_u64(&r);
	km_get_bytes(&r, pr->incarnation, KM_NONCE_SIZE);
	km_get_bytes(&r, pr->nonce, KM_NONCE_SIZE);
	if (pr->purpose == KM_PURPOSE_DKG) {
		size_t n = km_get_u8(&r);

		km_get_bytes(&r, pr->name, KM_MAX_NAME);
		pr->threshold = km_get_u8(&r);
		pr->curve = km_get_u8(&r);
		/* one name, one encoding */
		if (strlen(pr->name) != n || !km_name_valid(pr->name, n) || pr->batch)
			km_reader_fail(&r, KM_E_ENCODING);
		for (size_t i = n; i < KM_MAX_NAME; i++)
			if (pr->name[i])
				km_reader_fail(&r, KM_E_ENCODING);
	} else if (pr->purpose == KM_PURPOSE_PRESIGN) {
		if (pr->batch < 1 || pr->batch > KM_MAX_BATCH)
			return KM_E_LIMIT;
		for (unsigned i = 0; i < pr->batch; i++) {
			rows[i].owner = km_get_u8(&r);
			rows[i].quorum = km_get_u32(&r);
		}
	} else {
		km_reader_fail(&r, KM_E_ENCODING);
	}
	return km_reader_end(&r);
}

static void tagged(const char *purpose, const uint8_t *a, size_t a_len, const uint8_t *b, size_t b_len, uint8_t out[KM_HASH_SIZE])
{
	struct km_hash h;

	km_hash_init(&h, purpose);
	km_hash_field(&h, a, a_len);
	if (b)
		km_hash_field(&h, b, b_len);
	km_hash_final(&h, out);
}

/* ---- JOIN */

static void make_sid(struct km_run *run)
{
	struct km_hash h;

	km_hash_init(&h, "sid");
	km_hash_u16(&h, KM_MSG_VERSION);
	km_hash_field(&h, run->proposal_id, KM_HASH_SIZE);
	for (unsigned i = km_set_next(run->prop.participants, 0); i; i = km_set_next(run->prop.participants, i))
		if (KM_RULE(km_rule_fresh_sid))
			km_hash_field(&h, run->join_digest[i], KM_HASH_SIZE);
	km_hash_final(&h, run->sid);
}

static void joined(struct km_peer *p, struct km_run *run, const struct km_msg *msg)
{
	unsigned who = msg->sender;

	if (km_set_has(run->joined, who) || !km_set_has(run->prop.participants, who))
		return;
	memcpy(run->join_digest[who], msg->digest, KM_HASH_SIZE);
	memcpy(run->join[who], msg->raw, KM_JOIN_LEN);
	run->joined |= km_set_bit(who);
	if (run->joined != run->prop.participants)
		return;
	make_sid(run);
	km_run_begin(p, run);
}

static int send_join(struct km_peer *p, struct km_run *run)
{
	uint8_t body[JOIN_BODY], nonce[KM_NONCE_SIZE], sid[KM_HASH_SIZE], own[KM_JOIN_LEN];
	struct km_shape shape = {.head = JOIN_BODY};
	struct km_msg msg;

	km_rng_bytes(p->rng, nonce, sizeof(nonce));
	memcpy(body, run->proposal_id, KM_HASH_SIZE);
	memcpy(body + KM_HASH_SIZE, p->incarnation, KM_NONCE_SIZE);
	memcpy(body + KM_HASH_SIZE + KM_NONCE_SIZE, nonce, KM_NONCE_SIZE);
	tagged("join", run->proposal_id, KM_HASH_SIZE, nonce, sizeof(nonce), sid);
	km_put_u8(&p->scratch, KM_FRAME_ENVELOPE);
	int err = km_msg_build(&p->scratch, KM_PROTO_SETUP, 2, p->self, 0, sid, &shape, body, &p->s->identity);
	if (!err)
		err = km_msg_parse(&msg, p->scratch.data + 1, p->scratch.len - 1);
	if (err) {
		km_buf_reset(&p->scratch);
		return err;
	}
	/* the bytes are sent (and gone) before the run may begin on them */
	memcpy(own, p->scratch.data + 1, KM_JOIN_LEN);
	msg.raw = own;
	km_peer_send_set(p, run->prop.participants);
	joined(p, run, &msg);
	return KM_OK;
}

/* A JOIN for a run that is open here; steps as in the table of acceptance. */
static void take_join(struct km_peer *p, struct km_run *run, const struct km_msg *msg)
{
	const struct km_link *l = &p->link[msg->sender];
	struct km_shape shape = {.head = JOIN_BODY};
	uint8_t sid[KM_HASH_SIZE];

	if (run->state != KM_RUN_JOINING || !km_set_has(run->prop.participants, msg->sender) ||
	    km_set_has(run->joined, msg->sender))
		return;
	tagged("join", msg->body, KM_HASH_SIZE, msg->body + KM_HASH_SIZE + KM_NONCE_SIZE, KM_NONCE_SIZE, sid);
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
	joined(p, run, msg);
}

static void on_join(struct km_peer *p, unsigned from, int relayed, const struct km_msg *msg)
{
	struct km_early_join *e;

	if (msg->body_len != JOIN_BODY) {
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
	memcpy(e->raw, msg->raw, sizeof(e->raw));
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
			    km_msg_parse(&msg, e->raw, sizeof(e->raw)) == KM_OK)
				take_join(p, run, &msg);
		}
	}
}

/* ---- PROPOSE, sending */

int km_session_propose(struct km_peer *p, struct km_proposal *prop, const struct km_presign_row *rows, struct km_key *key,
		       struct km_run **out)
{
	struct km_shape shape = propose_shape(prop);
	uint8_t sid[KM_HASH_SIZE];
	struct km_buf body;
	struct km_msg msg;
	int err;

	*out = NULL;
	prop->time_ms = p->now.wall_ms;
	memcpy(prop->incarnation, p->incarnation, KM_NONCE_SIZE);
	km_rng_bytes(p->rng, prop->nonce, KM_NONCE_SIZE);
	km_buf_init(&body);
	put_proposal(&body, prop, rows);
	err = body.err;
	if (err)
		goto out;
	tagged("propose", body.data, body.len, NULL, 0, sid);
	km_put_u8(&p->scratch, KM_FRAME_ENVELOPE);
	err = km_msg_build(&p->scratch, KM_PROTO_SETUP, 1, p->self, 0, sid, &shape, body.data, &p->s->identity);
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
	run->propose = malloc(p->scratch.len);
	if (run->propose) {
		memcpy(run->propose, p->scratch.data, p->scratch.len);
		run->propose_len = p->scratch.len;
	}
	km_peer_send_set(p, prop->participants);
	*out = run;
	err = send_join(p, run);
out:
	km_buf_clear(&body);
	return err;
}

/* ---- PROPOSE, receiving */

static void send_refuse(struct km_peer *p, unsigned to, const uint8_t proposal[KM_HASH_SIZE], const struct km_refusal *why)
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
	if (get_proposal(&pr, rows, msg->body, msg->body_len)) {
		km_peer_drop_frame(p, KM_DROP_GARBAGE);
		return;
	}
	shape = propose_shape(&pr);
	tagged("propose", msg->body, msg->body_len, NULL, 0, sid);
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
		send_refuse(p, from, msg->digest, &why);
		return;
	}
	struct km_run *run = km_run_new(p, from, &pr);
	if (!run)
		return;
	memcpy(run->proposal_id, msg->digest, KM_HASH_SIZE);
	run->key = key;
	if ((pr.batch && km_run_rows(run, rows)) || send_join(p, run)) {
		km_run_drop(p, run, KM_E_NOMEM, 0, 0);
		return;
	}
	take_early_joins(p, msg->digest);
}

void km_session_on_setup(struct km_peer *p, unsigned from, int relayed, const struct km_msg *msg)
{
	if (msg->recipient != 0 || (msg->sender != from && !relayed) || msg->sender == p->self || msg->sender > KM_MAX_PEERS)
		km_peer_drop_frame(p, KM_DROP_GARBAGE);
	else if (msg->round == 1 && !relayed)
		on_propose(p, from, msg);
	else if (msg->round == 2)
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
	if (run->prop.purpose == KM_PURPOSE_DKG)
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
	e->secret = msg->recipient != 0;
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
	if (run->propose) {
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
