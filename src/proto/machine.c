/* machine.c: the plumbing of every run: acceptance of messages, rounds, views, timeouts, evidence of equivocation. */
#include "evidence.h"

#include <stdlib.h>
#include <string.h>
#include "../base/hash.h"
#include "../base/rules.h"
#include "../base/secret.h"

/* ---- life */

int km_machine_new(struct km_machine **out, const struct km_machine_params *p, void *state)
{
	struct km_machine *m;

	*out = NULL;
	if (!p->ops || !p->curve || !km_set_has(p->participants, p->self) || km_set_size(p->participants) < KM_MIN_THRESHOLD ||
	    p->ops->rounds > KM_MAX_ROUNDS)
		return KM_E_INVAL;
	m = km_secret_alloc(sizeof(*m));
	if (!m)
		return KM_E_NOMEM;
	m->ops = p->ops;
	m->curve = p->curve;
	memcpy(m->sid, p->sid, sizeof(m->sid));
	m->self = p->self;
	m->participants = p->participants;
	m->n = km_set_size(p->participants);
	m->id = p->id;
	memcpy(m->idkeys, p->idkeys, sizeof(m->idkeys));
	km_rng_init(&m->rng, p->seed, "run", p->sid, sizeof(p->sid));
	m->state = state;
	*out = m;
	return KM_OK;
}

static void stored_clear(struct km_stored *s, int secret)
{
	if (!s->raw)
		return;
	if (secret)
		km_secret_free(s->raw);
	else
		free(s->block ? s->block : s->raw);
	memset(s, 0, sizeof(*s));
}

/* Whether the private messages of a round live in the secret arena. */
static int private_secret(const struct km_machine *m, unsigned round)
{
	return !(m->ops->flags[round] & KM_ROUND_HEAP);
}

void km_machine_free(struct km_machine *m)
{
	if (!m)
		return;
	if (m->busy) {
		m->dying = 1;
		return;
	}
	if (m->state && m->ops->destroy)
		m->ops->destroy(m);
	for (unsigned r = 0; r <= KM_MAX_ROUNDS; r++) {
		for (unsigned i = 0; i <= KM_MAX_PEERS; i++) {
			stored_clear(&m->bcast[r][i], 0);
			stored_clear(&m->priv[r][i], private_secret(m, r));
		}
	}
	km_rng_clear(&m->rng);
	km_secret_free(m);
}

void km_machine_wipe_private(struct km_machine *m, unsigned round)
{
	for (unsigned i = 0; i <= KM_MAX_PEERS; i++)
		stored_clear(&m->priv[round][i], private_secret(m, round));
}

void km_machine_trim_private(struct km_machine *m, unsigned round, unsigned peer)
{
	struct km_stored *s = &m->priv[round][peer];
	uint8_t *head = malloc(KM_MSG_HEAD);

	KM_ASSERT(!private_secret(m, round));
	/* without memory for less it stays as it is */
	if (!head || !s->raw) {
		free(head);
		return;
	}
	memcpy(head, s->raw, KM_MSG_HEAD);
	free(s->block ? s->block : s->raw);
	s->block = NULL;
	s->raw = head;
	s->msg.raw = head;
	s->msg.body = NULL;
}

void km_machine_wipe_seed(struct km_machine *m)
{
	km_rng_clear(&m->rng);
}

/* WHY at the end and not when the machine is freed: a dropped run may linger for its messages, and nothing secret of it may. */
void km_machine_wipe(struct km_machine *m)
{
	KM_ASSERT(!m->busy);
	if (m->ops->wipe)
		m->ops->wipe(m);
	for (unsigned r = 0; r <= KM_MAX_ROUNDS; r++)
		km_machine_wipe_private(m, r);
	km_machine_wipe_seed(m);
}

/* ---- views */

const uint8_t *km_machine_prev(const struct km_machine *m, unsigned round)
{
	KM_ASSERT(round >= 1 && round <= (unsigned)m->ops->rounds + 1);
	return m->prev[round];
}

/* prev of round: all broadcasts of the rounds before it, by (round, sender). */
static void compute_prev(struct km_machine *m, unsigned round)
{
	struct km_hash h;

	km_hash_init(&h, "round");
	km_hash_field(&h, m->sid, sizeof(m->sid));
	for (unsigned r = 1; r < round; r++) {
		if (!(m->ops->flags[r] & KM_ROUND_BROADCAST))
			continue;
		for (unsigned i = km_set_next(m->participants, 0); i; i = km_set_next(m->participants, i))
			km_hash_field(&h, m->bcast[r][i].msg.digest, KM_HASH_SIZE);
	}
	km_hash_final(&h, m->prev[round]);
}

uint32_t km_machine_missing(const struct km_machine *m)
{
	uint32_t missing = 0;
	unsigned r = m->round;

	if (m->open)
		return m->participants & ~m->open_have;
	if (r < 1 || r > m->ops->rounds)
		return 0;
	for (unsigned i = km_set_next(m->participants, 0); i; i = km_set_next(m->participants, i)) {
		if ((m->ops->flags[r] & KM_ROUND_BROADCAST) && !m->bcast[r][i].raw)
			missing |= km_set_bit(i);
		if ((m->ops->flags[r] & KM_ROUND_PRIVATE) && i != m->self && !m->priv[r][i].raw)
			missing |= km_set_bit(i);
	}
	return missing;
}

unsigned km_machine_stalled(const struct km_machine *m)
{
	return m->open ? m->open_round : m->round;
}

/* The message that opened this participant's run: its verdict, or what stands where PASS would. */
static const struct km_stored *find_opening(const struct km_machine *m, unsigned sender)
{
	for (unsigned r = m->open_round; r <= m->ops->rounds; r++)
		if (m->bcast[r][sender].raw && m->ops->opens(m, &m->bcast[r][sender].msg))
			return &m->bcast[r][sender];
	return NULL;
}

const struct km_stored *km_machine_find(const struct km_machine *m, unsigned round, unsigned sender)
{
	if (m->open && round == m->open_round && km_set_has(m->participants, sender))
		return find_opening(m, sender);
	if (round < 1 || round > m->ops->rounds || !km_set_has(m->participants, sender) || !m->bcast[round][sender].raw)
		return NULL;
	return &m->bcast[round][sender];
}

/* The first participant whose message of round names another view than ours, 0 if all agree. */
static unsigned first_split(const struct km_machine *m, unsigned round)
{
	if (!(m->ops->flags[round] & KM_ROUND_PREV) || !KM_RULE(km_rule_echo))
		return 0;
	for (unsigned i = km_set_next(m->participants, 0); i; i = km_set_next(m->participants, i)) {
		const struct km_msg *msg = &m->bcast[round][i].msg;
		/* a shape with KM_ROUND_PREV always has a head of at least a hash */
		if (memcmp(msg->body, m->prev[round], KM_HASH_SIZE) != 0)
			return i;
	}
	return 0;
}

/* Closes every round that is complete, as far as handlers (and no job) carry us. */
static int advance(struct km_machine *m, uint64_t now_ms, struct km_outs *outs)
{
	m->now_ms = now_ms;
	while (!m->ended && !m->open && !m->busy && m->round <= m->ops->rounds && km_machine_missing(m) == 0) {
		unsigned r = m->round, bad = first_split(m, r);

		if (bad) {
			/* WHY before the content: a message is judged only under its author's view (attack A15) */
			if (m->ops->split)
				return m->ops->split(m, r, bad, outs);
			return km_machine_drop(m, KM_E_MISMATCH, 0, outs);
		}
		compute_prev(m, r + 1);
		m->round = r + 1;
		m->round_since_ms = now_ms;
		int err = m->ops->round_done(m, r, outs);
		if (err)
			return err;
	}
	return KM_OK;
}

int km_machine_start(struct km_machine *m, uint64_t now_ms, struct km_outs *outs)
{
	if (m->round)
		return KM_E_STATE;
	m->round = 1;
	m->round_since_ms = m->now_ms = now_ms;
	compute_prev(m, 1);
	int err = m->ops->start(m, outs);
	return err ? err : advance(m, now_ms, outs);
}

/* ---- acceptance */

static int store(struct km_stored *s, const uint8_t *raw, size_t len, int secret)
{
	s->raw = secret ? km_secret_alloc(len) : malloc(len);
	if (!s->raw)
		return KM_E_NOMEM;
	memcpy(s->raw, raw, len);
	int err = km_msg_parse(&s->msg, s->raw, len);
	KM_ASSERT(!err);
	return KM_OK;
}

static int opens(const struct km_machine *m, const struct km_msg *msg)
{
	return m->ops->opens && !msg->recipient && m->ops->opens(m, msg);
}

/* Steps 1 to 4: is this for us, from whom it says, and for a round we still hear? */
static int admit(const struct km_machine *m, uint8_t from, int relayed, const struct km_msg *msg)
{
	if (!relayed && msg->sender != from)
		return KM_E_AUTH;
	if (relayed && msg->recipient != 0)
		return KM_E_INVAL;  /* only broadcasts may be handed on */
	if (msg->proto != m->ops->proto || msg->round < 1 || msg->round > m->ops->rounds)
		return KM_E_STALE;
	if (memcmp(msg->sid, m->sid, sizeof(m->sid)) != 0)
		return KM_E_STALE;
	if (!km_set_has(m->participants, msg->sender) || msg->sender == m->self)
		return KM_E_AUTH;
	if (msg->recipient != 0 && msg->recipient != m->self)
		return KM_E_AUTH;
	if (!(m->ops->flags[msg->round] & (msg->recipient ? KM_ROUND_PRIVATE : KM_ROUND_BROADCAST)))
		return KM_E_STALE;
	if (m->open == KM_MACHINE_JUDGED || (m->open && !opens(m, msg)))
		return KM_E_STALE;
	if (msg->round > m->round + 1 && !opens(m, msg))
		return KM_E_STALE;
	return KM_OK;
}

int km_machine_message(struct km_machine *m, uint64_t now_ms, uint8_t from, int relayed, const uint8_t *raw, size_t len, struct km_outs *outs)
{
	uint8_t *none = NULL;

	return km_machine_deliver(m, now_ms, from, relayed, raw, len, &none, outs);
}

/* Keeps the message where it lies. */
static int store_block(struct km_stored *s, const struct km_msg *msg, uint8_t **block)
{
	s->block = *block;
	s->raw = *block + (msg->raw - *block);
	s->msg = *msg;
	*block = NULL;
	return KM_OK;
}

/* Step 7: the body is the one that was signed, and of the one shape it may have. */
static int check_body(const struct km_machine *m, const struct km_msg *msg)
{
	struct km_shape shape;
	int err = m->ops->shape(m, msg->round, msg->sender, msg->recipient, msg->body, msg->body_len, &shape);

	if (err)
		return err;
	/* WHY not its root: see km_machine_check_private. Nothing uses such a body before that. */
	if (msg->recipient && !private_secret(m, msg->round))
		return km_shape_size(&shape) == msg->body_len ? KM_OK : KM_E_MISMATCH;
	return km_msg_check_body(msg, &shape);
}

int km_machine_check_private(const struct km_machine *m, unsigned round, unsigned peer)
{
	const struct km_msg *msg = &m->priv[round][peer].msg;
	struct km_shape shape;
	int err = m->ops->shape(m, round, peer, m->self, msg->body, msg->body_len, &shape);

	return err ? err : km_msg_check_body(msg, &shape);
}

int km_machine_deliver(struct km_machine *m, uint64_t now_ms, uint8_t from, int relayed, const uint8_t *raw, size_t len, uint8_t **block,
		       struct km_outs *outs)
{
	struct km_msg msg;

	if (m->ended || !m->round)
		return KM_E_STALE;
	m->now_ms = now_ms;
	int err = km_msg_parse(&msg, raw, len);
	if (!err)
		err = admit(m, from, relayed, &msg);
	if (err)
		return err;

	struct km_stored *slot = msg.recipient ? &m->priv[msg.round][msg.sender] : &m->bcast[msg.round][msg.sender];
	if (slot->raw && memcmp(slot->msg.digest, msg.digest, KM_HASH_SIZE) == 0)
		return KM_E_DUPLICATE;
	if (!slot->raw && msg.round < m->round)
		return KM_E_STALE;

	/* 5 signature: garbage on the channel is the channel's end's fault, not provably the author's */
	if (km_msg_verify_sig(&msg, m->idkeys[msg.sender]) != KM_OK) {
		err = km_outs_add(outs, KM_OUT_DISPUTE, from, KM_E_VERIFY, msg.digest, KM_HASH_SIZE);
		return err ? err : KM_E_AUTH;
	}
	/* 6 two signed contents for one place: equivocation, proved by the two headers */
	if (slot->raw) {
		const struct km_msg *pair[2] = {&slot->msg, &msg};

		err = km_machine_convict(m, msg.sender, KM_EV_EQUIVOCATION, pair, 2, outs);
		return err || m->open ? err : km_machine_drop(m, KM_E_MISMATCH, 0, outs);
	}
	err = check_body(m, &msg);
	if (err == KM_E_NOMEM)
		return err;
	if (err) {
		err = km_outs_add(outs, KM_OUT_DISPUTE, from, KM_E_ENCODING, msg.digest, KM_HASH_SIZE);
		return err ? err : KM_E_ENCODING;
	}
	if (*block && msg.recipient && !private_secret(m, msg.round))
		err = store_block(slot, &msg, block);
	else
		err = store(slot, raw, len, msg.recipient && private_secret(m, msg.round));
	if (!err && opens(m, &slot->msg)) {
		m->open_have |= km_set_bit(msg.sender);
		err = m->ops->opened(m, msg.round, msg.sender, outs);
	}
	return err ? err : advance(m, now_ms, outs);
}

/* ---- jobs, persistence, time */

int km_machine_worked(struct km_machine *m, uint64_t now_ms, struct km_outs *outs)
{
	KM_ASSERT(m->busy);
	m->busy = 0;
	if (m->dying) {
		km_machine_free(m);
		return 1;
	}
	if (m->ended) {
		km_machine_wipe(m);
		return KM_OK;
	}
	/* own computing time is nobody's lateness */
	m->round_since_ms = m->now_ms = now_ms;
	int err = m->job.err == KM_E_NOMEM ? KM_E_NOMEM : m->ops->worked(m, &m->job, outs);
	return err ? err : advance(m, now_ms, outs);
}

int km_machine_persisted(struct km_machine *m, uint64_t now_ms, int token, struct km_outs *outs)
{
	if (m->ended || !m->ops->persisted)
		return KM_OK;
	int err = m->ops->persisted(m, token, outs);
	return err ? err : advance(m, now_ms, outs);
}

uint64_t km_machine_deadline(const struct km_machine *m)
{
	if (m->ended || m->busy)
		return UINT64_MAX;
	if (m->open)
		return m->open_until_ms;
	if (!m->round || m->round > m->ops->rounds || !m->ops->deadline_ms[m->round])
		return UINT64_MAX;
	return m->round_since_ms + m->ops->deadline_ms[m->round];
}

int km_machine_tick(struct km_machine *m, uint64_t now_ms, struct km_outs *outs)
{
	if (km_machine_deadline(m) > now_ms)
		return KM_OK;
	uint32_t missing = km_machine_missing(m);

	m->now_ms = now_ms;
	if (m->ops->timeout) {
		int err = m->ops->timeout(m, m->round, m->participants & ~missing, outs);
		return err ? err : advance(m, now_ms, outs);
	}
	return km_machine_drop(m, KM_E_DEADLINE, missing, outs);
}

/* ---- for the protocols */

static int note_sent(struct km_machine *m, unsigned round, unsigned recipient, const uint8_t *raw, size_t len)
{
	struct km_msg msg;
	int err = km_msg_parse(&msg, raw, len);

	if (!err)
		memcpy(m->sent[round][recipient], msg.digest, KM_HASH_SIZE);
	return err;
}

int km_machine_send(struct km_machine *m, unsigned round, unsigned recipient, const struct km_shape *shape, const uint8_t *body, struct km_outs *outs)
{
	struct km_buf b;
	int err;

	KM_ASSERT(!recipient || private_secret(m, round));
	km_buf_init(&b);
	if (recipient) {
		/* a private message holds shares: it is built and kept in the arena */
		size_t size = KM_MSG_HEAD + (size_t)km_shape_size(shape);
		uint8_t *mem = km_secret_alloc(size);
		if (!mem)
			return KM_E_NOMEM;
		km_buf_init_fixed(&b, mem, size);
		err = km_msg_build(&b, m->ops->proto, (uint8_t)round, m->self, (uint8_t)recipient, m->sid, shape, body, &m->id);
		if (!err)
			err = note_sent(m, round, recipient, b.data, b.len);
		if (!err)
			err = km_outs_add_secret(outs, KM_OUT_SEND, (uint8_t)recipient, 0, b.data, b.len);
		km_secret_free(mem);
		return err;
	}
	err = km_msg_build(&b, m->ops->proto, (uint8_t)round, m->self, 0, m->sid, shape, body, &m->id);
	if (!err)
		err = store(&m->bcast[round][m->self], b.data, b.len, 0);
	if (!err)
		err = km_outs_add(outs, KM_OUT_SEND, 0, 0, b.data, b.len);
	km_buf_clear(&b);
	return err;
}

int km_machine_seal(const struct km_machine *m, unsigned round, unsigned recipient, const struct km_shape *shape, uint8_t *block)
{
	return km_msg_seal(block + KM_OUT_ROOM, m->ops->proto, (uint8_t)round, m->self, (uint8_t)recipient, m->sid, shape, &m->id);
}

/* What was just added to the queue: a list with the new element last. */
static struct km_out *last_of(const struct km_outs *outs)
{
	struct km_out *last = outs->head;

	while (last->next)
		last = last->next;
	return last;
}

int km_machine_send_sealed(struct km_machine *m, unsigned round, unsigned recipient, const struct km_shape *shape, uint8_t *block,
			   struct km_outs *outs)
{
	size_t len = KM_MSG_HEAD + (size_t)km_shape_size(shape);
	int err = note_sent(m, round, recipient, block + KM_OUT_ROOM, len);

	if (!err)
		err = km_outs_add(outs, KM_OUT_SEND, (uint8_t)recipient, 0, NULL, 0);
	if (err) {
		free(block);
		return err;
	}
	struct km_out *last = last_of(outs);
	last->data = block + KM_OUT_ROOM;
	last->len = len;
	last->room = KM_OUT_ROOM;
	return KM_OK;
}

/* WHY the stack: a worker's outlives the run; what a job left on it would survive the wiping before PASS. */
static void run_job(struct km_job *job)
{
	job->work(job);
	km_wipe_stack();
}

int km_machine_job(struct km_machine *m, unsigned what, void (*work)(struct km_job *), struct km_outs *outs)
{
	KM_ASSERT(!m->busy);
	m->job = (struct km_job){.run = run_job, .work = work, .what = what, .state = m->state};
	int err = km_outs_add(outs, KM_OUT_JOB, 0, 0, NULL, 0);
	if (err)
		return err;
	struct km_out *last = last_of(outs);
	last->job = &m->job;
	m->busy = 1;
	return KM_OK;
}

int km_machine_persist(struct km_machine *m, int token, const void *data, size_t len, struct km_outs *outs)
{
	(void)m;
	return km_outs_add_secret(outs, KM_OUT_PERSIST, 0, token, data, len);
}

int km_machine_convict_items(struct km_machine *m, unsigned peer, enum km_evidence_kind kind, const struct km_buf *items, struct km_outs *outs)
{
	(void)m;
	if (items->err)
		return items->err;
	return km_outs_add(outs, KM_OUT_CONVICT, (uint8_t)peer, (int)kind, items->data, items->len);
}

int km_machine_convict(struct km_machine *m, unsigned peer, enum km_evidence_kind kind, const struct km_msg *const *msgs, size_t n, struct km_outs *outs)
{
	struct km_buf b;

	km_buf_init(&b);
	km_evidence_items_begin(&b, kind, (unsigned)n);
	for (size_t i = 0; i < n; i++) {
		/* bodies play no part in equivocation */
		if (kind == KM_EV_EQUIVOCATION || !msgs[i]->body)
			km_evidence_header(&b, msgs[i]);
		else
			km_evidence_whole(&b, msgs[i]);
	}
	int err = km_machine_convict_items(m, peer, kind, &b, outs);
	km_buf_clear(&b);
	return err;
}

void km_machine_open(struct km_machine *m, unsigned round, uint32_t wait_ms)
{
	m->open = KM_MACHINE_OPEN;
	m->open_round = round;
	m->open_until_ms = m->now_ms + wait_ms;
	m->open_have |= km_set_bit(m->self);
}

int km_machine_feed(struct km_machine *m, uint8_t *raw, size_t len)
{
	struct km_stored *slot;
	struct km_msg msg;
	int err = km_msg_parse(&msg, raw, len);

	KM_ASSERT(!err);
	slot = msg.recipient ? &m->priv[msg.round][msg.sender] : &m->bcast[msg.round][msg.sender];
	if (!msg.recipient || !private_secret(m, msg.round)) {
		slot->raw = raw;
		slot->msg = msg;
		return KM_OK;
	}
	err = store(slot, raw, len, 1);
	free(raw);
	return err;
}

void km_machine_enter(struct km_machine *m, unsigned round)
{
	m->round = round;
	for (unsigned r = 1; r <= round; r++)
		compute_prev(m, r);
}

static int add_set(struct km_outs *outs, enum km_out_kind kind, int code, uint32_t set)
{
	int err = km_outs_add(outs, kind, 0, code, NULL, 0);

	if (!err) {
		struct km_out *last = last_of(outs);
		last->set = set;
	}
	return err;
}

int km_machine_suspect(struct km_machine *m, uint32_t set, struct km_outs *outs)
{
	return add_set(outs, KM_OUT_SUSPECT, KM_OK, set & ~km_set_bit(m->self));
}

int km_machine_late(struct km_machine *m, uint32_t set, struct km_outs *outs)
{
	return add_set(outs, KM_OUT_SUSPECT, KM_E_DEADLINE, set & ~km_set_bit(m->self));
}

int km_machine_drop(struct km_machine *m, int code, uint32_t waited_for, struct km_outs *outs)
{
	if (m->ended)
		return KM_OK;
	m->ended = 1;
	if (!m->busy)
		km_machine_wipe(m);
	return add_set(outs, KM_OUT_DROP, code, waited_for);
}

int km_machine_done(struct km_machine *m, struct km_outs *outs)
{
	if (m->ended)
		return KM_OK;
	m->ended = 1;
	return km_outs_add(outs, KM_OUT_DONE, 0, 0, NULL, 0);
}
