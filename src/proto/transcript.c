/* transcript.c: verifying the archive of a key generation or a reshare. */
#include "transcript.h"
#include "dkg_impl.h"
#include "reshare.h"

#include <stdlib.h>
#include <string.h>
#include "../base/hash.h"

#define ROUNDS KM_DKG_G5

struct slot {
	int there;
	struct km_msg m;
};

/* The archive, spread out by round and sender. */
struct hall {
	const struct km_table *table, *old;
	struct km_transcript_verdict *v;
	struct slot propose, join[KM_MAX_PEERS + 1], msg[ROUNDS + 1][KM_MAX_PEERS + 1], stored[KM_MAX_PEERS + 1];
	struct km_proposal prop;
	uint8_t idkeys[KM_MAX_PEERS + 1][KM_IDKEY_SIZE];
	struct km_dkg_over over;
	struct km_dkg_group g;
	struct km_dkg_opening open[KM_MAX_PEERS];
	struct km_presign_row rows[KM_MAX_BATCH];
};

/* What does not hold, and by whose message. Returns KM_OK: the judgement has been made. */
static int refuse(struct hall *h, const char *why, unsigned peer, unsigned round)
{
	h->v->holds = 0;
	h->v->why = why;
	h->v->peer = peer;
	h->v->round = round;
	return KM_OK;
}

/* ---- reading */

static struct slot *slot_of(struct hall *h, const struct km_msg *m)
{
	if (m->sender < 1 || m->sender > KM_MAX_PEERS || m->recipient)
		return NULL;
	if (m->proto == KM_PROTO_SETUP)
		return m->round == KM_SETUP_PROPOSE ? &h->propose : m->round == KM_SETUP_JOIN ? &h->join[m->sender] : NULL;
	if (m->proto != KM_PROTO_DKG && m->proto != KM_PROTO_RESHARE)
		return NULL;
	if (m->round == KM_STORED_ROUND)
		return &h->stored[m->sender];
	return m->round >= 1 && m->round <= ROUNDS ? &h->msg[m->round][m->sender] : NULL;
}

/* 1 when all of it could be placed. */
static int spread(struct hall *h, const uint8_t *archive, size_t len)
{
	struct km_reader r;

	km_reader_init(&r, archive, len);
	while (km_reader_left(&r)) {
		size_t n = 0;
		const uint8_t *raw = km_get_lref(&r, &n, KM_TRANSCRIPT_MAX);
		struct slot *s;
		struct km_msg m;

		if (!raw || km_msg_parse(&m, raw, n) != KM_OK)
			return 0;
		s = slot_of(h, &m);
		if (!s || s->there)
			return 0;
		/* all of one kind of run */
		if (m.proto != KM_PROTO_SETUP && h->v->proto && h->v->proto != m.proto)
			return 0;
		if (m.proto != KM_PROTO_SETUP)
			h->v->proto = m.proto;
		*s = (struct slot){ 1, m };
	}
	return h->v->proto != 0;
}

/* ---- who, and the sid */

/* Members of the table by what it says of them; who only dealt, by the old one. */
static void know_people(struct hall *h)
{
	for (unsigned i = 1; i <= KM_MAX_PEERS; i++) {
		if (km_set_has(h->table->members, i))
			memcpy(h->idkeys[i], h->table->idkeys[i], KM_IDKEY_SIZE);
		else if (h->old && km_set_has(h->old->members, i))
			memcpy(h->idkeys[i], h->old->idkeys[i], KM_IDKEY_SIZE);
	}
}

static int check_setup_message(const struct hall *h, const struct slot *s, unsigned sender, const struct km_shape *shape,
			       const uint8_t sid[KM_HASH_SIZE])
{
	if (!s->there || s->m.sender != sender || memcmp(s->m.sid, sid, KM_HASH_SIZE) != 0)
		return KM_E_MISMATCH;
	int err = km_msg_check_body(&s->m, shape);
	return err ? err : km_msg_verify_sig(&s->m, h->idkeys[sender]);
}

/* The JOINs, and the sid that they make; of a reshare also the number. */
static int check_joins(struct hall *h)
{
	uint8_t digest[KM_MAX_PEERS + 1][KM_HASH_SIZE] = {{0}}, sid[KM_HASH_SIZE], cert[KM_HASH_SIZE];
	struct km_epoch highest[KM_MAX_PEERS + 1] = {{0}};
	struct km_shape shape = km_setup_join_shape(h->prop.purpose);
	uint64_t number = h->prop.time_ms / 1000;

	for (unsigned i = km_set_next(h->prop.participants, 0); i; i = km_set_next(h->prop.participants, i)) {
		const struct km_msg *m = &h->join[i].m;

		if (!h->join[i].there || m->body_len != km_shape_size(&shape))
			return refuse(h, "its JOIN is missing or of another run", i, 0);
		km_setup_join_sid(m->body, sid);
		int err = check_setup_message(h, &h->join[i], i, &shape, sid);
		if (err == KM_E_NOMEM)
			return err;
		if (err || memcmp(m->body, h->propose.m.digest, KM_HASH_SIZE) != 0)
			return refuse(h, "its JOIN is of another run or not signed by it", i, 0);
		memcpy(digest[i], m->digest, KM_HASH_SIZE);
		if (h->prop.purpose == KM_PURPOSE_RESHARE)
			km_setup_join_get_epoch(m->body, &highest[i], cert);
	}
	for (unsigned i = 1; i <= KM_MAX_PEERS; i++)
		if (h->join[i].there && !km_set_has(h->prop.participants, i))
			return refuse(h, "it took no part in this run, but there is a JOIN of it", i, 0);
	km_setup_sid(h->propose.m.digest, h->prop.participants, (const uint8_t(*)[KM_HASH_SIZE])digest, sid);
	if (memcmp(sid, h->table->sid, KM_HASH_SIZE) != 0)
		return refuse(h, "the proposal and the joins make another run than the table names", 0, 0);
	if (h->prop.purpose == KM_PURPOSE_RESHARE && km_setup_number(&h->prop, highest, &number) != KM_OK)
		return refuse(h, "there is no number above the highest name of the joins", 0, 0);
	if (number != h->table->number)
		return refuse(h, "the table has another epoch number than follows from the joins", 0, 0);
	h->v->set_up = 1;
	h->v->time_ms = h->prop.time_ms;
	return KM_OK;
}

static int check_proposal(struct hall *h)
{
	const struct km_table *t = h->table;
	struct km_shape shape;
	uint8_t sid[KM_HASH_SIZE];
	int reshare = h->v->proto == KM_PROTO_RESHARE;

	if (km_setup_get(&h->prop, h->rows, h->propose.m.body, h->propose.m.body_len) != KM_OK ||
	    h->prop.purpose != (reshare ? KM_PURPOSE_RESHARE : KM_PURPOSE_DKG))
		return refuse(h, "the proposal is of another kind of run", 0, 0);
	shape = km_setup_propose_shape(&h->prop);
	km_setup_propose_sid(h->propose.m.body, h->propose.m.body_len, sid);
	int err = check_setup_message(h, &h->propose, h->propose.m.sender, &shape, sid);
	if (err == KM_E_NOMEM)
		return err;
	if (err || !km_set_has(h->prop.participants, h->propose.m.sender))
		return refuse(h, "the proposal is not signed by a participant", h->propose.m.sender, 0);
	if (strncmp(h->prop.name, t->name, sizeof(t->name)) != 0 || h->prop.threshold != t->threshold ||
	    h->prop.curve != km_curve_id(t->curve) || (reshare ? h->prop.members : h->prop.participants) != t->members)
		return refuse(h, "the table is of another name, curve, threshold or membership than was proposed", 0, 0);
	if (reshare && km_reshare_possible(&h->prop, h->old, (const uint8_t(*)[KM_IDKEY_SIZE])h->idkeys) != KM_OK)
		return refuse(h, "no honest peer takes part in such a reshare of the old table given", 0, 0);
	return check_joins(h);
}

/* Who takes part: the proposal says it; without one, in a key generation, all members do. */
static int find_group(struct hall *h)
{
	struct km_transcript_verdict *v = h->v;
	int reshare = v->proto == KM_PROTO_RESHARE;

	if (reshare && !h->old)
		return refuse(h, "to judge a reshare, the table that was reshared is needed", 0, 0);
	if (reshare && !h->propose.there)
		return refuse(h, "who was to deal in a reshare stands in its proposal, which was not archived", 0, 0);
	for (unsigned i = 1; i <= KM_MAX_PEERS; i++)
		if (h->join[i].there && !h->propose.there)
			return refuse(h, "there are joins of a run without its proposal", i, 0);
	if (h->propose.there) {
		int err = check_proposal(h);
		if (err || v->why)
			return err;
	}
	v->participants = v->dealers = v->receivers = h->propose.there ? h->prop.participants : h->table->members;
	h->g = (struct km_dkg_group){ .curve = h->table->curve, .sid = h->table->sid, .participants = v->participants,
				      .threshold = h->table->threshold, .idkeys = (const uint8_t(*)[KM_IDKEY_SIZE])h->idkeys };
	if (!reshare)
		return KM_OK;
	v->dealers = h->prop.dealers;
	v->receivers = h->prop.joiners;
	h->g.over = &h->over;
	return km_reshare_over(&h->over, h->old, v->dealers, v->receivers);
}

/* ---- the rounds */

static void shape_of(const struct hall *h, unsigned round, unsigned sender, struct km_shape *s)
{
	*s = (struct km_shape){ .head = KM_HASH_SIZE };
	if (round == KM_DKG_G2)
		s->head = km_dkg_opening_size(&h->g, sender);
	else if (round == KM_DKG_G4)
		km_dkg_dealing_shape(&h->g, sender, s);
	else if (round == KM_DKG_G5)
		s->head++;
}

/* All of a round: there, signed, of the right shape, over what came before; and the digests of it go into the view. */
static int check_round(struct hall *h, unsigned round, struct km_hash *view)
{
	uint32_t set = h->v->participants;
	uint8_t prev[KM_HASH_SIZE];
	struct km_hash copy = *view;

	km_hash_final(&copy, prev);
	for (unsigned i = 1; i <= KM_MAX_PEERS; i++) {
		const struct slot *s = &h->msg[round][i];
		struct km_shape shape;

		if (s->there != km_set_has(set, i))
			return refuse(h, s->there ? "it took no part in this run, but there is a message of it" : "its message is missing", i, round);
		if (!s->there)
			continue;
		shape_of(h, round, i, &shape);
		int err = km_dkg_check_envelope(&h->g, &s->m, round, i, &shape);
		if (err == KM_E_NOMEM)
			return err;
		if (err && round == KM_DKG_G5)
			return refuse(h, "it did not say that its shares are right, or not under its signature", i, round);
		if (err)
			return refuse(h, "its message is not signed by it, of another run, or of another length", i, round);
		if (round > KM_DKG_G1 && memcmp(s->m.body, prev, KM_HASH_SIZE) != 0)
			return refuse(h, "its message names another view of the rounds before", i, round);
		if (round == KM_DKG_G5 && s->m.body[KM_HASH_SIZE] != KM_DKG_ACK)
			return refuse(h, "it did not say that its shares are right", i, round);
		km_hash_field(view, s->m.digest, KM_HASH_SIZE);
	}
	return KM_OK;
}

static int check_rounds(struct hall *h)
{
	struct km_hash view;

	km_hash_init(&view, "round");
	km_hash_field(&view, h->table->sid, KM_HASH_SIZE);
	for (unsigned round = 1; round <= ROUNDS; round++) {
		int err = check_round(h, round, &view);
		if (err || h->v->why)
			return err;
	}
	return KM_OK;
}

static int check_openings(struct hall *h)
{
	unsigned pos = 0;

	for (unsigned i = km_set_next(h->v->participants, 0); i; i = km_set_next(h->v->participants, i), pos++) {
		int err = km_dkg_opening_check(&h->g, &h->msg[KM_DKG_G1][i].m, &h->msg[KM_DKG_G2][i].m, &h->open[pos]);

		if (err == KM_E_ENCODING)
			return refuse(h, "its opening holds what is no point or scalar", i, KM_DKG_G2);
		if (err == KM_E_VERIFY)
			return refuse(h, h->g.over ? "its opening is not what it committed to, a proof is false, or it hands on another share"
						   : "its opening is not what it committed to, or a proof in it is false", i, KM_DKG_G2);
		if (err)
			return err;
	}
	return KM_OK;
}

/* Is the table what was dealt? */
static int check_table(struct hall *h)
{
	const struct km_table *t = h->table;
	struct km_table *made = calloc(1, sizeof(*made));

	if (!made)
		return KM_E_NOMEM;
	int err = km_dkg_add_up(&h->g, h->open, km_set_size(h->v->participants), t->members, &made->x, made->xi);
	int same = !err && km_point_equal_var(t->curve, &made->x, &t->x);
	for (unsigned i = km_set_next(t->members, 0); same && i; i = km_set_next(t->members, i))
		same = km_point_equal_var(t->curve, &made->xi[i], &t->xi[i]);
	free(made);
	if (err == KM_E_NOMEM)
		return err;
	if (same && h->g.over && !km_point_equal_var(t->curve, &t->x, &h->old->x))
		same = 0;
	if (same && h->g.over && t->number <= h->old->number)
		return refuse(h, "the table's epoch is not above the old one", 0, 0);
	return same ? KM_OK : refuse(h, "the table is not what the dealers' commitments add up to", 0, 0);
}

static int check_stored(struct hall *h)
{
	for (unsigned i = 1; i <= KM_MAX_PEERS; i++) {
		const struct km_msg *m = &h->stored[i].m;
		uint8_t who;

		if (!h->stored[i].there)
			continue;
		int err = km_stored_check(h->table, h->v->proto, m->raw, KM_MSG_HEAD + (size_t)m->body_len, &who);
		if (err == KM_E_NOMEM)
			return err;
		if (err)
			return refuse(h, "its STORED is not for this table or not signed by it", i, KM_STORED_ROUND);
		h->v->stored |= km_set_bit(who);
	}
	return KM_OK;
}

static int verify(struct hall *h, const uint8_t *archive, size_t len)
{
	static int (*const steps[])(struct hall *) = { find_group, check_rounds, check_openings, check_table, check_stored };

	if (len > KM_TRANSCRIPT_MAX || !spread(h, archive, len))
		return refuse(h, "it is damaged, cut off, or no archive of a key generation or a reshare", 0, 0);
	know_people(h);
	for (size_t k = 0; k < sizeof(steps) / sizeof(steps[0]); k++) {
		int err = steps[k](h);
		if (err || h->v->why)
			return err;
	}
	h->v->holds = 1;
	h->v->why = h->g.over ? "the key was handed on as it was" : "the key was made by all of them together";
	return KM_OK;
}

int km_transcript_verify(const uint8_t *archive, size_t len, const struct km_table *table, const struct km_table *old,
			 struct km_transcript_verdict *v)
{
	struct hall *h = calloc(1, sizeof(*h));

	memset(v, 0, sizeof(*v));
	if (!h)
		return KM_E_NOMEM;
	h->table = table;
	h->old = old;
	h->v = v;
	int err = verify(h, archive, len);
	if (err)
		memset(v, 0, sizeof(*v));
	free(h);
	return err;
}

/* ---- files */

static int put_table(struct km_buf *b, const struct km_table *t)
{
	struct km_buf enc;

	km_buf_init(&enc);
	int err = t ? km_table_encode(t, &enc) : KM_OK;
	if (!err)
		km_put_lbytes(b, enc.data, enc.len);
	km_buf_clear(&enc);
	return err;
}

int km_transcript_file_put(struct km_buf *b, const uint8_t *archive, size_t len, const struct km_table *table,
			   const struct km_table *old)
{
	km_put_bytes(b, KM_TRANSCRIPT_MAGIC, sizeof(KM_TRANSCRIPT_MAGIC) - 1);
	km_put_lbytes(b, archive, len);
	int err = put_table(b, table);
	if (!err)
		err = put_table(b, old);
	return err ? err : b->err;
}

static int get_table(struct km_reader *r, struct km_table *t, int *there)
{
	struct km_reader in;
	size_t n = 0;
	const uint8_t *p = km_get_lref(r, &n, KM_SHARE_ENC_MAX);

	if (!p && r->err)
		return r->err;
	*there = n > 0;
	if (!n)
		return KM_OK;
	km_reader_init(&in, p, n);
	int err = km_table_decode(t, &in);
	return err ? err : km_reader_end(&in);
}

int km_transcript_file_get(struct km_transcript_file *f, const uint8_t *p, size_t n)
{
	static const char magic[] = KM_TRANSCRIPT_MAGIC;
	struct km_reader r;
	int table = 0;

	memset(f, 0, sizeof(*f));
	if (n < sizeof(magic) - 1 || memcmp(p, magic, sizeof(magic) - 1) != 0)
		return KM_E_ENCODING;
	km_reader_init(&r, p + sizeof(magic) - 1, n - (sizeof(magic) - 1));
	f->archive = km_get_lref(&r, &f->len, KM_TRANSCRIPT_MAX);
	int err = r.err;
	if (!err)
		err = get_table(&r, &f->table, &table);
	if (!err)
		err = get_table(&r, &f->old, &f->has_old);
	if (!err)
		err = km_reader_end(&r);
	if (!err && !table)
		err = KM_E_ENCODING;
	if (err)
		memset(f, 0, sizeof(*f));
	return err;
}
