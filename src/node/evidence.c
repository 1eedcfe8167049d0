/* evidence.c: proofs and disputes as objects that peers hold and hand on.
 *
 *	EVID-HAVE  count u8 <= 32 | digests          with HEALTH when what we hold has changed, and on a new channel
 *	EVID-GET   digest                            one a second and peer
 *	EVID       kind u8 (1 evidence, 2 dispute) | the object
 *
 * Nothing of this is believed for its sender: evidence is judged by the same pure function as at a third party's, before it has any
 * effect, a dispute is its author's signature. One proof for each culprit and one dispute for each pair is kept: more would prove no
 * more. What is handed on is durable here first. */
#include "peer_impl.h"

#include <stdlib.h>
#include <string.h>

#define STATE_VERSION 1
#define HAVE_MAX 32
#define HAVE_AGAIN_US 30000000u
#define HAVES_A_SECOND 4
#define HAVES_BURST 64
#define GETS_BURST 8
#define ASKED_US 10000000u
#define SCORE_GARBAGE (2 * KM_SCORE_UNIT)
/* Heavy proofs that wait for their turn: of our own, and of each other peer. */
#define OWN_WAITING_MAX 32
#define WAITING_MAX 1
#define HEAVY_PAUSE_US 60000000u

enum { OBJECT_EVIDENCE = 1, OBJECT_DISPUTE = 2 };

/* A proof that is being judged by a worker. */
struct km_judging {
	struct km_job job;
	struct km_judge judge;
	struct km_verdict verdict;
	struct km_replay_memo replayed; /* of a copy of its own: a job shares nothing */
	struct km_table table;
	uint8_t idkeys[KM_MAX_PEERS + 1][KM_IDKEY_SIZE];
	uint8_t roster[KM_HASH_SIZE];
	unsigned from;
	int has_table, out;
	struct km_judging *next;       /* waits its turn */
	size_t len;
	uint8_t data[];
};

/* ---- what we know of */

static int in_list(const uint8_t (*list)[KM_HASH_SIZE], unsigned n, const uint8_t digest[KM_HASH_SIZE])
{
	for (unsigned i = 0; i < n; i++)
		if (memcmp(list[i], digest, KM_HASH_SIZE) == 0)
			return 1;
	return 0;
}

static int overruled(const struct km_peer *p, const uint8_t digest[KM_HASH_SIZE])
{
	return in_list((const uint8_t (*)[KM_HASH_SIZE])p->overruled, p->n_overruled, digest);
}

static int known(const struct km_peer *p, const uint8_t digest[KM_HASH_SIZE])
{
	for (unsigned i = 1; i <= KM_MAX_PEERS; i++) {
		const struct km_proof *pf = p->proof[i];

		if (pf && (memcmp(pf->digest, digest, KM_HASH_SIZE) == 0 ||
			   in_list((const uint8_t (*)[KM_HASH_SIZE])pf->also, pf->n_also, digest)))
			return 1;
	}
	for (const struct km_dispute *d = p->disputes; d; d = d->next)
		if (memcmp(d->digest, digest, KM_HASH_SIZE) == 0)
			return 1;
	return overruled(p, digest) || in_list((const uint8_t (*)[KM_HASH_SIZE])p->unfit, KM_UNFIT_MAX, digest);
}

/* Not asked for again soon. */
static void unfit(struct km_peer *p, const uint8_t digest[KM_HASH_SIZE])
{
	memcpy(p->unfit[p->unfit_at++ % KM_UNFIT_MAX], digest, KM_HASH_SIZE);
}

void km_evidence_overrule(struct km_peer *p, const uint8_t digest[KM_HASH_SIZE])
{
	if (overruled(p, digest))
		return;
	/* the oldest goes: gossip about it has long ended */
	if (p->n_overruled == KM_OVERRULED_MAX) {
		memmove(p->overruled[0], p->overruled[1], (KM_OVERRULED_MAX - 1) * KM_HASH_SIZE);
		p->n_overruled--;
	}
	memcpy(p->overruled[p->n_overruled++], digest, KM_HASH_SIZE);
}

/* ---- the store */

static void file_name(unsigned culprit, char *out, size_t size)
{
	km_format(out, size, KM_PROOF_FILE "%u.state", culprit);
}

static void proof_free(struct km_proof *pf)
{
	if (!pf)
		return;
	free(pf->data);
	free(pf);
}

static struct km_proof *proof_new(const uint8_t *data, size_t len, unsigned kind, uint64_t since_ms)
{
	struct km_proof *pf = calloc(1, sizeof(*pf));

	if (!pf)
		return NULL;
	pf->kind = kind;
	pf->since_ms = since_ms;
	pf->len = len;
	pf->data = malloc(len ? len : 1);
	if (!pf->data) {
		free(pf);
		return NULL;
	}
	memcpy(pf->data, data, len);
	km_evidence_digest(data, len, pf->digest);
	return pf;
}

/* version u8 | culprit u8 | its identity | kind u8 | since u64 | evidence */
static void save(struct km_peer *p, unsigned culprit)
{
	struct km_proof *pf = p->proof[culprit];
	char name[KM_MAX_NAME];
	struct km_buf b;

	file_name(culprit, name, sizeof(name));
	km_buf_init(&b);
	km_put_u8(&b, STATE_VERSION);
	km_put_u8(&b, (uint8_t)culprit);
	km_put_bytes(&b, p->idkeys[culprit], KM_IDKEY_SIZE);
	km_put_u8(&b, (uint8_t)pf->kind);
	km_put_u64(&b, pf->since_ms);
	km_put_bytes(&b, pf->data, pf->len);
	pf->token = p->next_token++;
	if (!b.err)
		km_peer_persist(p, name, b.data, b.len, 0, pf->token);
	km_buf_clear(&b);
}

int km_evidence_load(struct km_peer *p, const uint8_t *data, size_t len)
{
	uint8_t key[KM_IDKEY_SIZE];
	struct km_reader r;

	km_reader_init(&r, data, len);
	if (km_get_u8(&r) != STATE_VERSION)
		return r.err ? KM_E_ENCODING : KM_E_VERSION;
	unsigned culprit = km_get_u8(&r);
	km_get_bytes(&r, key, sizeof(key));
	unsigned kind = km_get_u8(&r);
	uint64_t since = km_get_u64(&r);
	size_t n = km_reader_left(&r);
	if (r.err || n > KM_EVIDENCE_MAX)
		return KM_E_ENCODING;
	/* another identity: another peer */
	if (!km_set_has(p->s->roster.members, culprit) || culprit == p->self || memcmp(key, p->idkeys[culprit], sizeof(key)) != 0)
		return KM_OK;
	proof_free(p->proof[culprit]);
	p->proof[culprit] = proof_new(r.p, n, kind, since);
	if (!p->proof[culprit])
		return KM_E_NOMEM;
	p->proof[culprit]->durable = 1;
	p->evidence_version++;
	p->quarantined |= km_set_bit(culprit);
	return KM_OK;
}

void km_evidence_persisted(struct km_peer *p, uint64_t token, int err)
{
	if (!token || km_dispute_persisted(p, token, err))
		return;
	for (unsigned i = 1; i <= KM_MAX_PEERS; i++) {
		struct km_proof *pf = p->proof[i];

		if (!pf || pf->token != token)
			continue;
		pf->token = 0;
		pf->durable = !err;
		if (!err)
			km_evidence_announce(p);
	}
}

/* With the key's table and our roster, so that a stranger can judge it; what is no evidence (a dispute) as it is. */
static void put_file(struct km_peer *p, struct km_buf *b, const uint8_t *data, size_t len)
{
	struct km_evidence_peer peer[KM_MAX_PEERS];
	uint8_t context[KM_HASH_SIZE];
	enum km_evidence_kind kind;
	const struct km_key *k;
	unsigned n = 0;

	if (km_evidence_peek(data, len, &kind, context)) {
		km_put_bytes(b, data, len);
		return;
	}
	for (unsigned i = km_set_next(p->s->roster.members, 0); i; i = km_set_next(p->s->roster.members, i), n++) {
		peer[n].id = (uint8_t)i;
		memcpy(peer[n].identity, p->s->roster.peer[i].identity, KM_IDKEY_SIZE);
		memcpy(peer[n].channel, p->s->roster.peer[i].channel, KM_CHANKEY_SIZE);
	}
	k = km_key_find(p, context);
	int err = km_evidence_file_put(b, data, len, k ? &k->share->table : NULL, peer, n);
	if (err && !b->err)
		b->err = err;
}

/* A copy for people and third parties. */
void km_evidence_export(struct km_peer *p, unsigned about, int code, const uint8_t *data, size_t len, const char *what)
{
	struct km_effect *e = km_effects_add(p->fx, KM_EFFECT_EVIDENCE);
	struct km_buf b;

	if (!e)
		return;
	e->to = km_peer_addr(about);
	e->err = code;
	km_format(e->text, sizeof(e->text), "%s of peer %u (%s)", what, about, km_peer_name(p, about));
	km_buf_init(&b);
	put_file(p, &b, data, len);
	e->data = km_buf_take(&b, &e->len);
}

void km_evidence_keep(struct km_peer *p, unsigned culprit, unsigned kind, const uint8_t *data, size_t len)
{
	if (p->proof[culprit])
		return;
	p->proof[culprit] = proof_new(data, len, kind, p->now.wall_ms);
	if (p->proof[culprit])
		save(p, culprit);
	km_evidence_export(p, culprit, (int)kind, data, len, "conviction");
}

/* Forgets the proof, and every other one of the same culprit that we have heard of, for good. */
void km_evidence_clear(struct km_peer *p, unsigned culprit)
{
	struct km_proof *pf = p->proof[culprit];
	char name[KM_MAX_NAME];

	if (!pf)
		return;
	km_evidence_overrule(p, pf->digest);
	for (unsigned i = 0; i < pf->n_also; i++)
		km_evidence_overrule(p, pf->also[i]);
	proof_free(pf);
	p->proof[culprit] = NULL;
	file_name(culprit, name, sizeof(name));
	km_peer_persist(p, name, NULL, 0, 0, 0);
}

static void waiting_free(struct km_peer *p)
{
	for (struct km_judging *jg; (jg = p->judging);) {
		p->judging = jg->next;
		free(jg);
	}
}

void km_evidence_free(struct km_peer *p)
{
	for (unsigned i = 1; i <= KM_MAX_PEERS; i++) {
		proof_free(p->proof[i]);
		p->proof[i] = NULL;
	}
	/* the job that is out comes back, except at the very end */
	if (!p->fx)
		waiting_free(p);
}

/* ---- verdicts */

/* Kinds whose check takes more than a few multiplications. */
static int heavy(unsigned kind)
{
	return kind == KM_EV_C3_PROOF || kind == KM_EV_OPENED;
}

static struct km_judging *judging_new(struct km_peer *p, unsigned from, const uint8_t *ev, size_t len)
{
	struct km_judging *jg = calloc(1, sizeof(*jg) + len);
	uint8_t context[KM_HASH_SIZE];
	enum km_evidence_kind kind;

	if (!jg)
		return NULL;
	jg->from = from;
	jg->len = len;
	memcpy(jg->data, ev, len);
	memcpy(jg->idkeys, p->idkeys, sizeof(jg->idkeys));
	memcpy(jg->roster, p->s->roster.hash, KM_HASH_SIZE);
	jg->judge.idkeys = (const uint8_t (*)[KM_IDKEY_SIZE])jg->idkeys;
	jg->judge.roster = jg->roster;
	jg->replayed = p->replayed;
	jg->judge.replayed = &jg->replayed;
	if (km_evidence_peek(ev, len, &kind, context) == KM_OK) {
		const struct km_key *k = km_key_find(p, context);

		if (k) {
			jg->table = k->share->table;
			jg->judge.table = &jg->table;
			jg->has_table = 1;
		}
	}
	return jg;
}

static void judge_work(struct km_job *job)
{
	struct km_judging *jg = (struct km_judging *)job;   /* the first member */

	job->err = km_evidence_judge(jg->data, jg->len, &jg->judge, &jg->verdict);
}

static void verdict(struct km_peer *p, const struct km_judging *jg)
{
	const struct km_verdict *v = &jg->verdict;
	uint8_t digest[KM_HASH_SIZE];
	struct km_proof *pf;

	km_evidence_digest(jg->data, jg->len, digest);
	if (jg->job.err || known(p, digest))
		return;
	if (!v->culprit || v->culprit == p->self || !km_set_has(p->s->roster.members, v->culprit)) {
		unfit(p, digest);
		km_peer_drop_frame(p, KM_DROP_GARBAGE);
		if (km_links_may_log(p, jg->from))
			km_effects_log(p->fx, KM_LOG_WARN, "evidence from peer %u (%s) proves nothing: %s", jg->from,
				       km_peer_name(p, jg->from), v->why ? v->why : "?");
		/* WHY not always: without its table, or under another list of peers, honest evidence proves nothing here (attack B20) */
		if (!KM_RULE(km_rule_skew_blames_nobody) || (jg->has_table && !p->link[jg->from].mismatch))
			km_blame_link(p, p->self, jg->from, SCORE_GARBAGE);
		if (jg->out)
			p->link[jg->from].heavy_after_us = p->now.mono_us + HEAVY_PAUSE_US;
		return;
	}
	/* what an operator has forgiven is not found again in older evidence */
	if (v->time_ms && v->time_ms <= p->cleared_ms[v->culprit]) {
		km_evidence_overrule(p, digest);
		km_blame_save(p);
		return;
	}
	pf = p->proof[v->culprit];
	if (pf && pf->n_also < KM_MAX_PEERS)
		memcpy(pf->also[pf->n_also++], digest, KM_HASH_SIZE);
	else if (pf)
		unfit(p, digest);
	else
		km_blame_proved(p, v->culprit, v->kind, v->why, jg->data, jg->len);
}

/* Gives out the first of those that wait. */
static void start(struct km_peer *p)
{
	struct km_judging *jg = p->judging;
	struct km_effect *e = km_effects_add(p->fx, KM_EFFECT_WORK);

	if (!e) {
		waiting_free(p);
		return;
	}
	jg->job.run = judge_work;
	jg->job.patient = 1;
	jg->out = 1;
	e->job = &jg->job;
}

/* One at a time; the others wait. WHY a bound for each source: who keeps us judging must not make us forget what we hold against it. */
static int hand_out(struct km_peer *p, struct km_judging *jg)
{
	struct km_judging **at;
	unsigned n = 0;

	for (at = &p->judging; *at; at = &(*at)->next)
		n += at != &p->judging && (*at)->from == jg->from;
	if (n >= (jg->from == p->self ? OWN_WAITING_MAX : WAITING_MAX)) {
		free(jg);
		return KM_E_BUSY;
	}
	*at = jg;
	if (at == &p->judging)
		start(p);
	return KM_OK;
}

/* WHY before a dear proof is judged: one culprit can make any number of true ones about itself, and of false ones, to keep our worker
 * from presigning. KM_OK: it is worth it. */
static int worth_judging(struct km_peer *p, unsigned from, const uint8_t *ev, size_t len)
{
	uint8_t digest[KM_HASH_SIZE];
	unsigned accused;

	if (from == p->self)
		return KM_OK;
	if (p->now.mono_us < p->link[from].heavy_after_us)
		return KM_E_BUSY;
	int err = km_evidence_accused(ev, len, &accused);
	if (err || accused < 1 || accused > KM_MAX_PEERS || !p->proof[accused])
		return err;
	km_evidence_digest(ev, len, digest);
	unfit(p, digest);
	return KM_E_DUPLICATE;
}

/* Judges what came from a peer, or (from = self) what we put together ourselves. 1 when it convicts at once. */
int km_evidence_take(struct km_peer *p, unsigned from, const uint8_t *ev, size_t len)
{
	uint8_t context[KM_HASH_SIZE];
	enum km_evidence_kind kind;

	if (km_evidence_peek(ev, len, &kind, context)) {
		km_peer_drop_frame(p, KM_DROP_GARBAGE);
		km_blame_link(p, p->self, from, SCORE_GARBAGE);
		return 0;
	}
	int err = heavy(kind) ? worth_judging(p, from, ev, len) : KM_OK;
	if (err)
		return err == KM_E_DUPLICATE ? 0 : err;
	struct km_judging *jg = judging_new(p, from, ev, len);
	if (!jg)
		return KM_E_NOMEM;
	if (heavy(kind))
		return hand_out(p, jg);
	judge_work(&jg->job);
	verdict(p, jg);
	unsigned culprit = jg->job.err ? 0 : jg->verdict.culprit;
	free(jg);
	return culprit != 0;
}

int km_evidence_worked(struct km_peer *p, struct km_job *job)
{
	struct km_judging *jg = p->judging;

	if (!jg || &jg->job != job)
		return 0;
	p->judging = jg->next;
	if (p->stopped)
		waiting_free(p);
	else if (p->judging)
		start(p);
	if (!p->stopped) {
		verdict(p, jg);
		/* the next can be asked for */
		km_peer_wake(p, p->now.mono_us);
	}
	free(jg);
	return 1;
}

/* ---- gossip */

static void say_have(struct km_peer *p, unsigned to)
{
	struct km_link *l = &p->link[to];
	uint8_t digest[HAVE_MAX][KM_HASH_SIZE];
	const struct km_dispute *d = p->disputes;
	unsigned i = 1, n;

	l->have_version = p->evidence_version;
	l->have_us = p->now.mono_us;
	do {
		n = 0;
		for (; i <= KM_MAX_PEERS && n < HAVE_MAX; i++)
			if (p->proof[i] && p->proof[i]->durable)
				memcpy(digest[n++], p->proof[i]->digest, KM_HASH_SIZE);
		for (; d && n < HAVE_MAX; d = d->next)
			if (d->durable)
				memcpy(digest[n++], d->digest, KM_HASH_SIZE);
		if (!n)
			return;
		km_put_u8(&p->scratch, KM_FRAME_EVID_HAVE);
		km_put_u8(&p->scratch, (uint8_t)n);
		km_put_bytes(&p->scratch, digest, (size_t)n * KM_HASH_SIZE);
		km_peer_send(p, km_peer_addr(to));
	} while (n == HAVE_MAX);
}

void km_evidence_health(struct km_peer *p, unsigned to)
{
	struct km_link *l = &p->link[to];

	/* once in a while all the same: a message may be lost */
	if (l->live && (l->have_version != p->evidence_version || p->now.mono_us - l->have_us >= HAVE_AGAIN_US))
		say_have(p, to);
}

void km_evidence_up(struct km_peer *p, unsigned to)
{
	/* said with the next HEALTH: what is sent before the channel is up both ways would be lost */
	p->link[to].have_version = 0;
}

void km_evidence_announce(struct km_peer *p)
{
	p->evidence_version++;
	/* WHY now and not with the next HEALTH: every second that a cheat is not known, it costs others a retry */
	for (unsigned i = km_set_next(p->s->roster.members, 0); i; i = km_set_next(p->s->roster.members, i))
		if (i != p->self)
			km_evidence_health(p, i);
}

static void ask_next(struct km_peer *p, unsigned from)
{
	struct km_link *l = &p->link[from];

	if (l->asking && p->now.mono_us - l->asked_us < ASKED_US) {
		km_peer_wake(p, l->asked_us + ASKED_US);
		return;
	}
	l->asking = 0;
	while (l->n_want && known(p, l->want[0]))
		memmove(l->want[0], l->want[1], --l->n_want * KM_HASH_SIZE);
	/* one heavy proof at a time: the next is asked for when it is judged */
	if (!l->n_want || !l->live || p->judging)
		return;
	if (!km_bucket_take(&l->gets.micro, &l->gets.at_us, p->now.mono_us, 1, GETS_BURST)) {
		km_peer_wake(p, p->now.mono_us + 1000000u);
		return;
	}
	l->asking = 1;
	l->asked_us = p->now.mono_us;
	memcpy(l->asked, l->want[0], KM_HASH_SIZE);
	memmove(l->want[0], l->want[1], --l->n_want * KM_HASH_SIZE);
	km_put_u8(&p->scratch, KM_FRAME_EVID_GET);
	km_put_bytes(&p->scratch, l->asked, KM_HASH_SIZE);
	km_peer_send(p, km_peer_addr(from));
}

void km_evidence_on_have(struct km_peer *p, unsigned from, const uint8_t *d, size_t n)
{
	struct km_link *l = &p->link[from];
	uint8_t digest[KM_HASH_SIZE];
	struct km_reader r;

	km_reader_init(&r, d + 1, n - 1);
	unsigned count = km_get_u8(&r);
	if (count < 1 || count > HAVE_MAX || km_reader_left(&r) != (size_t)count * KM_HASH_SIZE) {
		km_peer_drop_frame(p, KM_DROP_GARBAGE);
		return;
	}
	if (!km_bucket_take(&l->haves.micro, &l->haves.at_us, p->now.mono_us, HAVES_A_SECOND, HAVES_BURST)) {
		km_peer_drop_frame(p, KM_DROP_LIMIT);
		return;
	}
	while (count--) {
		km_get_bytes(&r, digest, sizeof(digest));
		if (known(p, digest) || in_list((const uint8_t (*)[KM_HASH_SIZE])l->want, l->n_want, digest) ||
		    (l->asking && memcmp(l->asked, digest, KM_HASH_SIZE) == 0))
			continue;
		/* what finds no room is said again */
		if (l->n_want < KM_EVID_WANT_MAX)
			memcpy(l->want[l->n_want++], digest, KM_HASH_SIZE);
	}
	ask_next(p, from);
}

void km_evidence_on_get(struct km_peer *p, unsigned from, const uint8_t *d, size_t n)
{
	struct km_link *l = &p->link[from];

	if (n != 1 + KM_HASH_SIZE) {
		km_peer_drop_frame(p, KM_DROP_GARBAGE);
		return;
	}
	/* up to 4 MiB for 33 bytes: not more often than an honest peer asks */
	if (!km_bucket_take(&l->gives.micro, &l->gives.at_us, p->now.mono_us, 1, GETS_BURST)) {
		km_peer_drop_frame(p, KM_DROP_LIMIT);
		return;
	}
	km_put_u8(&p->scratch, KM_FRAME_EVID);
	for (unsigned i = 1; i <= KM_MAX_PEERS; i++) {
		const struct km_proof *pf = p->proof[i];

		if (pf && pf->durable && memcmp(pf->digest, d + 1, KM_HASH_SIZE) == 0) {
			km_put_u8(&p->scratch, OBJECT_EVIDENCE);
			km_put_bytes(&p->scratch, pf->data, pf->len);
			km_peer_send(p, km_peer_addr(from));
			return;
		}
	}
	for (const struct km_dispute *di = p->disputes; di; di = di->next) {
		if (di->durable && memcmp(di->digest, d + 1, KM_HASH_SIZE) == 0) {
			km_put_u8(&p->scratch, OBJECT_DISPUTE);
			km_put_bytes(&p->scratch, di->raw, KM_DISPUTE_LEN);
			km_peer_send(p, km_peer_addr(from));
			return;
		}
	}
	km_buf_reset(&p->scratch);
}

static void take_dispute(struct km_peer *p, unsigned from, const uint8_t digest[KM_HASH_SIZE], const uint8_t *raw, size_t len)
{
	int err = km_dispute_take(p, raw, len);

	if (err == KM_E_NOMEM)
		return;
	if (err) {
		km_peer_drop_frame(p, KM_DROP_GARBAGE);
		/* WHY not always: under another list of peers a true signature is none here (attack B20) */
		if (!p->link[from].mismatch || !KM_RULE(km_rule_skew_blames_nobody))
			km_blame_link(p, p->self, from, SCORE_GARBAGE);
	}
	/* a second one of the same pair is no news either */
	if (!known(p, digest))
		unfit(p, digest);
}

void km_evidence_on_evid(struct km_peer *p, unsigned from, const uint8_t *d, size_t n)
{
	struct km_link *l = &p->link[from];
	uint8_t digest[KM_HASH_SIZE] = {0};
	struct km_msg m;

	/* only what was asked for, and only once */
	if (!l->asking || n < 3 || n > 2 + KM_EVIDENCE_MAX) {
		km_peer_drop_frame(p, KM_DROP_STALE);
		return;
	}
	if (d[1] == OBJECT_EVIDENCE)
		km_evidence_digest(d + 2, n - 2, digest);
	else if (d[1] == OBJECT_DISPUTE && km_msg_parse(&m, d + 2, n - 2) == KM_OK)
		memcpy(digest, m.digest, KM_HASH_SIZE);
	if (memcmp(digest, l->asked, KM_HASH_SIZE) != 0) {
		km_peer_drop_frame(p, KM_DROP_GARBAGE);
		return;
	}
	l->asking = 0;
	if (d[1] == OBJECT_DISPUTE)
		take_dispute(p, from, digest, d + 2, n - 2);
	else
		(void)km_evidence_take(p, from, d + 2, n - 2);
	ask_next(p, from);
}

void km_evidence_tick(struct km_peer *p)
{
	for (unsigned i = km_set_next(p->s->roster.members, 0); i; i = km_set_next(p->s->roster.members, i))
		if (p->link[i].n_want || p->link[i].asking)
			ask_next(p, i);
}
