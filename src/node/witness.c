/* witness.c: checkpoints of the own audit log, cosigned by other peers, and the other way round.
 *
 * The owner of a log sends its new checkpoint with a proof that the log goes on from what the witness saw of it last. A witness that
 * finds it so writes down what it saw, and only then answers with its cosignature. What does not go on is refused, logged and told to
 * people on both sides: a log that was cut, restored from a copy or told in two ways is noticed by the first witness that it meets. */
#include "peer_impl.h"

#include <stdlib.h>
#include <string.h>
#include "../audit/tree.h"

#define STATE_VERSION 1
#define ASKS_A_SECOND 1
#define ASKS_BURST 8
#define LATE_US 600000000u         /* a frame older by less than that than the last one was only late */
#define TRIES 4                    /* proofs for one witness and checkpoint */

enum answer { COSIGNED = 0, FROM_ELSEWHERE = 1, REFUSED = 2 };

struct km_witness {
	/* our log */
	struct km_checkpoint own;
	uint8_t note[KM_NOTE_MAX];
	size_t len, text_len;
	uint64_t stamp;                   /* of the last frame: microseconds, about */
	uint64_t known[KM_MAX_PEERS + 1]; /* what that witness saw of our log last; 0: not known */
	unsigned tries[KM_MAX_PEERS + 1];
	uint32_t cosigned;
	uint8_t cosig[KM_MAX_PEERS + 1][KM_COSIG_LEN];
	/* those of others */
	struct km_checkpoint seen[KM_MAX_PEERS + 1]; /* size 0: nothing yet */
	uint64_t stamp_of[KM_MAX_PEERS + 1]; /* of the last frame from there */
	uint64_t token[KM_MAX_PEERS + 1]; /* of the state with it on its way to the disk; then it is answered */
	uint8_t said[KM_MAX_PEERS + 1][KM_COSIG_LEN];
	uint8_t refused[KM_MAX_PEERS + 1][KM_HASH_SIZE]; /* root that was refused last: logged once */
	struct km_bucket asks[KM_MAX_PEERS + 1];
};

static struct km_witness *get(struct km_peer *p)
{
	if (!p->witness)
		p->witness = calloc(1, sizeof(*p->witness));
	return p->witness;
}

void km_witness_free(struct km_peer *p)
{
	free(p->witness);
	p->witness = NULL;
}

static void origin_of(const struct km_peer *p, unsigned id, char out[KM_NOTE_NAME_MAX + 1])
{
	char number[8];
	const char *name = km_peer_name(p, id);

	km_format(number, sizeof(number), "%u", id);
	km_checkpoint_origin(out, p->s->mesh[0] ? p->s->mesh : "mesh", name[0] ? name : number);
}

/* ---- our own log */

/* CHECKPOINT: kind | stamp u64, growing | size u64 of what the witness saw | count u8 | hashes | the note. */
static void send_checkpoint(struct km_peer *p, unsigned to, uint64_t old, const uint8_t *proof, size_t n)
{
	struct km_witness *w = p->witness;

	w->stamp = w->stamp + 1 > p->now.wall_ms * 1000 ? w->stamp + 1 : p->now.wall_ms * 1000;
	km_put_u8(&p->scratch, KM_FRAME_CHECKPOINT);
	km_put_u64(&p->scratch, w->stamp);
	km_put_u64(&p->scratch, old);
	km_put_u8(&p->scratch, (uint8_t)n);
	km_put_bytes(&p->scratch, proof, n * KM_HASH_SIZE);
	km_put_bytes(&p->scratch, w->note, w->len);
	km_peer_send(p, km_peer_addr(to));
}

static void ask(struct km_peer *p, unsigned to)
{
	struct km_witness *w = p->witness;
	struct km_effect *e;

	if (!w || !w->own.size || km_set_has(w->cosigned, to) || !p->link[to].live || w->tries[to] >= TRIES)
		return;
	w->tries[to]++;
	if (!w->known[to] || w->known[to] >= w->own.size) {
		send_checkpoint(p, to, w->known[to], NULL, 0);
		return;
	}
	e = km_effects_add(p->fx, KM_EFFECT_PROVE);
	if (!e)
		return;
	e->to = km_peer_addr(to);
	e->prove.old = w->known[to];
	e->prove.size = w->own.size;
}

/* The note with the cosignatures there are, for the driver to keep and publish. */
static void publish(struct km_peer *p)
{
	struct km_effect *e = km_effects_add(p->fx, KM_EFFECT_CHECKPOINT);
	struct km_witness *w = p->witness;
	struct km_buf b;

	if (!e)
		return;
	km_buf_init(&b);
	km_put_bytes(&b, w->note, w->len);
	for (unsigned i = km_set_next(w->cosigned, 0); i; i = km_set_next(w->cosigned, i)) {
		char name[KM_NOTE_NAME_MAX + 1];

		origin_of(p, i, name);
		km_cosign_put(&b, name, p->s->roster.peer[i].identity, w->cosig[i]);
	}
	e->data = km_buf_take(&b, &e->len);
	km_buf_clear(&b);
}

void km_witness_checkpoint(struct km_peer *p, const struct km_event *ev)
{
	struct km_witness *w = get(p);
	struct km_reader r;
	struct km_note note;
	struct km_buf b;

	if (!w)
		return;
	km_reader_init(&r, ev->data, ev->len);
	memset(&w->own, 0, sizeof(w->own));
	w->own.size = km_get_u64(&r);
	km_get_bytes(&r, w->own.root, KM_HASH_SIZE);
	origin_of(p, p->self, w->own.origin);
	km_buf_init_fixed(&b, w->note, sizeof(w->note));
	km_checkpoint_sign(&b, &w->own, p->s->identity.pub, p->s->identity.priv);
	if (km_reader_end(&r) || b.err || km_note_parse(&note, b.data, b.len)) {
		memset(&w->own, 0, sizeof(w->own));
		return;
	}
	w->len = b.len;
	w->text_len = note.len;
	w->cosigned = 0;
	memset(w->tries, 0, sizeof(w->tries));
	publish(p);
	for (unsigned i = km_set_next(p->s->roster.members, 0); i; i = km_set_next(p->s->roster.members, i))
		if (i != p->self)
			ask(p, i);
}

void km_witness_up(struct km_peer *p, unsigned peer)
{
	if (p->witness && peer != p->self) {
		p->witness->tries[peer] = 0;
		ask(p, peer);
	}
}

void km_witness_proof(struct km_peer *p, const struct km_event *ev)
{
	struct km_witness *w = p->witness;
	unsigned to = ev->from.id;

	if (!w || to < 1 || to > KM_MAX_PEERS || ev->token != w->known[to] || km_set_has(w->cosigned, to))
		return;
	if (ev->err || ev->len % KM_HASH_SIZE || ev->len > KM_TREE_PROOF_MAX * KM_HASH_SIZE) {
		km_effects_log(p->fx, KM_LOG_WARN, "our audit log cannot be proved to go on from its %U entries that peer %u (%s) has seen: %s",
			       w->known[to], to, km_peer_name(p, to), km_strerror(ev->err));
		return;
	}
	send_checkpoint(p, to, w->known[to], ev->data, ev->len / KM_HASH_SIZE);
}

/* COSIGN: kind | answer u8 | size u64 and root of what the witness holds | the cosignature when it gave one. */
void km_witness_on_cosign(struct km_peer *p, unsigned from, const uint8_t *d, size_t n)
{
	struct km_witness *w = p->witness;
	uint8_t root[KM_HASH_SIZE], sig[KM_COSIG_LEN];
	struct km_reader r;

	km_reader_init(&r, d + 1, n - 1);
	unsigned answer = km_get_u8(&r);
	uint64_t size = km_get_u64(&r);
	km_get_bytes(&r, root, sizeof(root));
	memset(sig, 0, sizeof(sig));
	if (answer == COSIGNED)
		km_get_bytes(&r, sig, sizeof(sig));
	if (km_reader_end(&r) || answer > REFUSED) {
		km_peer_drop_frame(p, KM_DROP_GARBAGE);
		return;
	}
	if (!w || !w->own.size || km_set_has(w->cosigned, from))
		return;
	if (answer == COSIGNED) {
		/* of an older checkpoint: the one of today is asked for already */
		if (size != w->own.size || km_cosign_check(sig, (const char *)w->note, w->text_len, p->s->roster.peer[from].identity))
			return;
		w->known[from] = size;
		w->cosigned |= km_set_bit(from);
		memcpy(w->cosig[from], sig, sizeof(sig));
		publish(p);
	} else if (answer == FROM_ELSEWHERE && size <= w->own.size) {
		w->known[from] = size;
		ask(p, from);
	} else if (km_links_may_log(p, from)) {
		km_effects_log(p->fx, KM_LOG_ERROR,
			       "peer %u (%s) has seen %U entries of our audit log and does not cosign its %U: either it lies, or our log was cut, "
			       "changed or restored from a copy", from, km_peer_name(p, from), size, w->own.size);
	}
}

/* ---- logs of others */

static void answer(struct km_peer *p, unsigned to, enum answer what)
{
	const struct km_witness *w = p->witness;

	km_put_u8(&p->scratch, KM_FRAME_COSIGN);
	km_put_u8(&p->scratch, (uint8_t)what);
	km_put_u64(&p->scratch, w->seen[to].size);
	km_put_bytes(&p->scratch, w->seen[to].root, KM_HASH_SIZE);
	if (what == COSIGNED)
		km_put_bytes(&p->scratch, w->said[to], KM_COSIG_LEN);
	km_peer_send(p, km_peer_addr(to));
}

static void refuse(struct km_peer *p, unsigned from, enum km_audit_witness_what what, const struct km_checkpoint *said)
{
	static const char *const words[] = {
		[KM_AUDIT_SHRUNK] = "has fewer", [KM_AUDIT_FORKED] = "has other", [KM_AUDIT_NOT_PROVED] = "does not go on from the",
	};
	struct km_witness *w = p->witness;

	/* WHY once: what a corrupt peer repeats must not fill our log */
	if (memcmp(w->refused[from], said->root, KM_HASH_SIZE) != 0) {
		memcpy(w->refused[from], said->root, KM_HASH_SIZE);
		km_journal_witness(p, what, from, &w->seen[from], said);
		km_effects_log(p->fx, KM_LOG_ERROR,
			       "AUDIT: the log of peer %u (%s) %s entries than the %U of it that it signed and we saw (it says %U now): "
			       "it was cut, changed or told in two ways; ask its operator", from, km_peer_name(p, from), words[what], w->seen[from].size,
			       said->size);
	}
	p->n_log_forks++;
	answer(p, from, REFUSED);
}

static void save(struct km_peer *p, uint64_t token)
{
	const struct km_witness *w = p->witness;
	struct km_buf b;

	km_buf_init(&b);
	km_put_u8(&b, STATE_VERSION);
	for (unsigned i = 1; i <= KM_MAX_PEERS; i++) {
		if (!w->seen[i].size)
			continue;
		km_put_u8(&b, (uint8_t)i);
		km_put_u64(&b, w->seen[i].size);
		km_put_bytes(&b, w->seen[i].root, KM_HASH_SIZE);
		km_put_lbytes(&b, w->seen[i].origin, strlen(w->seen[i].origin));
	}
	if (!b.err)
		km_peer_persist(p, KM_WITNESS_FILE, b.data, b.len, 0, token);
	km_buf_clear(&b);
}

unsigned km_witness_forget(struct km_peer *p, unsigned peer)
{
	static const uint8_t none[KM_HASH_SIZE];
	struct km_witness *w = p->witness;

	if (!w || memcmp(w->refused[peer], none, sizeof(none)) == 0)
		return 0;
	memset(w->refused[peer], 0, KM_HASH_SIZE);
	memset(&w->seen[peer], 0, sizeof(w->seen[peer]));
	w->token[peer] = 0;
	save(p, p->next_token++);
	return 1;
}

int km_witness_load(struct km_peer *p, const uint8_t *data, size_t len)
{
	struct km_witness *w = get(p);
	struct km_reader r;

	if (!w)
		return KM_E_NOMEM;
	km_reader_init(&r, data, len);
	if (km_get_u8(&r) != STATE_VERSION)
		return KM_E_VERSION;
	while (km_reader_left(&r)) {
		unsigned id = km_get_u8(&r);
		struct km_checkpoint c;
		size_t n;

		memset(&c, 0, sizeof(c));
		c.size = km_get_u64(&r);
		km_get_bytes(&r, c.root, KM_HASH_SIZE);
		const uint8_t *origin = km_get_lref(&r, &n, KM_NOTE_NAME_MAX);
		if (r.err || id < 1 || id > KM_MAX_PEERS || !c.size)
			return r.err ? r.err : KM_E_RANGE;
		memcpy(c.origin, origin, n);
		w->seen[id] = c;
	}
	return km_reader_end(&r);
}

/* It goes on: written down first, answered when that is on the disk. */
static void take(struct km_peer *p, unsigned from, const struct km_checkpoint *c, const struct km_note *note)
{
	struct km_witness *w = p->witness;

	km_cosign(w->said[from], note->text, note->len, p->now.wall_ms / 1000, p->s->identity.pub, p->s->identity.priv);
	if (w->seen[from].size == c->size && !w->token[from]) {
		answer(p, from, COSIGNED);
		return;
	}
	w->seen[from] = *c;
	w->token[from] = p->next_token++;
	save(p, w->token[from]);
}

void km_witness_persisted(struct km_peer *p, uint64_t token, int err)
{
	struct km_witness *w = p->witness;

	for (unsigned i = 1; w && token && i <= KM_MAX_PEERS; i++) {
		if (w->token[i] != token)
			continue;
		w->token[i] = 0;
		if (!err)
			answer(p, i, COSIGNED);
	}
}

void km_witness_on_checkpoint(struct km_peer *p, unsigned from, const uint8_t *d, size_t n)
{
	struct km_witness *w = get(p);
	struct km_tree_proof proof = {.n = 0};
	const struct km_checkpoint *seen;
	struct km_checkpoint c;
	struct km_note note;
	struct km_reader r;

	if (!w)
		return;
	seen = &w->seen[from];
	km_reader_init(&r, d + 1, n - 1);
	uint64_t stamp = km_get_u64(&r), old = km_get_u64(&r);
	proof.n = km_get_u8(&r);
	if (proof.n > KM_TREE_PROOF_MAX)
		km_reader_fail(&r, KM_E_LIMIT);
	else
		km_get_bytes(&r, proof.node, (size_t)proof.n * KM_HASH_SIZE);
	/* WHY: a frame that comes late or twice shows an older log, and no honest peer is to be called a liar for it */
	if (!r.err && stamp <= w->stamp_of[from] && w->stamp_of[from] - stamp < LATE_US)
		return;
	/* WHY a bucket: each costs us two signatures */
	if (r.err || !km_bucket_take(&w->asks[from].micro, &w->asks[from].at_us, p->now.mono_us, ASKS_A_SECOND, ASKS_BURST) ||
	    km_checkpoint_open(&c, &note, r.p, km_reader_left(&r), p->s->roster.peer[from].identity) || !c.size) {
		km_peer_drop_frame(p, KM_DROP_GARBAGE);
		return;
	}
	w->stamp_of[from] = stamp;
	if (seen->size && strcmp(seen->origin, c.origin) != 0) {
		/* another name would be another log, of which nothing was seen yet */
		refuse(p, from, KM_AUDIT_FORKED, &c);
	} else if (c.size < seen->size) {
		refuse(p, from, KM_AUDIT_SHRUNK, &c);
	} else if (c.size == seen->size && memcmp(c.root, seen->root, KM_HASH_SIZE) != 0) {
		refuse(p, from, KM_AUDIT_FORKED, &c);
	} else if (c.size > seen->size && old != seen->size) {
		answer(p, from, FROM_ELSEWHERE);
	} else if (c.size > seen->size && km_tree_check_consistent(&proof, seen->size, seen->root, c.size, c.root)) {
		refuse(p, from, KM_AUDIT_NOT_PROVED, &c);
	} else {
		take(p, from, &c, &note);
	}
}
