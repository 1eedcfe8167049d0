/* lies.c: see lies.h. */
#include "lies.h"

#include <stdlib.h>
#include <string.h>
#include "base/hash.h"
#include "node/peer_impl.h"
#include "proto/evidence.h"

#define HEARD_MAX 64
#define SETUPS_MAX 16
enum { EVIDENCE = 1, DISPUTE = 2 };

struct heard {
	uint8_t *raw;
	size_t len;
};

static struct heard heard[HEARD_MAX], setups[SETUPS_MAX];
static unsigned n_heard, n_setups;

static void keep(struct heard *list, unsigned *n, unsigned max, const uint8_t *raw, size_t len)
{
	struct heard *h = &list[(*n)++ % max];

	free(h->raw);
	h->raw = malloc(len);
	KM_ASSERT(h->raw);
	memcpy(h->raw, raw, len);
	h->len = len;
}

void lies_hear(const uint8_t *frame, size_t len)
{
	struct km_msg m;

	if ((frame[0] != KM_FRAME_ENVELOPE && frame[0] != KM_FRAME_READY) || km_msg_parse(&m, frame + 1, len - 1) != KM_OK)
		return;
	if (m.proto == KM_PROTO_SETUP)
		keep(setups, &n_setups, SETUPS_MAX, frame + 1, len - 1);
	else
		keep(heard, &n_heard, HEARD_MAX, frame + 1, len - 1);
}

static void forget(struct heard *list, unsigned *n, unsigned max)
{
	for (unsigned i = 0; i < max; i++)
		free(list[i].raw);
	memset(list, 0, max * sizeof(*list));
	*n = 0;
}

void lies_forget(void)
{
	forget(heard, &n_heard, HEARD_MAX);
	forget(setups, &n_setups, SETUPS_MAX);
}

static int recall(unsigned which, struct km_msg *m)
{
	unsigned n = n_heard < HEARD_MAX ? n_heard : HEARD_MAX;

	return n && km_msg_parse(m, heard[which % n].raw, heard[which % n].len) == KM_OK;
}

/* Of anybody, oneself and nobody among them. */
static void dispute(struct km_buf *b, unsigned self, const struct km_identity *id, unsigned at, uint8_t value)
{
	uint8_t body[2 + KM_HASH_SIZE + 8] = {(uint8_t)(value % 5u), (uint8_t)at}, sid[KM_HASH_SIZE];
	struct km_shape shape = {.head = sizeof(body)};
	struct km_hash h;

	body[sizeof(body) - 1] = value;
	km_hash_init(&h, "dispute");
	km_hash_field(&h, body, sizeof(body));
	km_hash_final(&h, sid);
	km_put_u8(b, DISPUTE);
	int err = km_msg_build(b, KM_PROTO_DISPUTE, 1, (uint8_t)self, 0, sid, &shape, body, id);
	KM_ASSERT(!err);
}

/* Another content for a place; signed as who says it only if that is oneself. */
static int equivocation(struct km_buf *b, unsigned self, const struct km_identity *id, unsigned at, uint8_t value, int own)
{
	struct km_msg m, other;
	struct km_buf again;

	if (!recall(at, &m) || !m.body_len)
		return 0;
	uint8_t *body = malloc(m.body_len);
	KM_ASSERT(body);
	memcpy(body, m.body, m.body_len);
	body[m.body_len - 1] ^= value | 1;
	struct km_shape shape = {.head = m.body_len};
	km_buf_init(&again);
	int err = km_msg_build(&again, m.proto, m.round, own ? (uint8_t)self : m.sender, m.recipient, m.sid, &shape, body, id);
	KM_ASSERT(!err);
	free(body);
	err = km_msg_parse(&other, again.data, again.len);
	KM_ASSERT(!err);
	km_put_u8(b, EVIDENCE);
	km_evidence_begin(b, KM_EV_EQUIVOCATION, m.sid, 2);
	km_evidence_header(b, &m);
	km_evidence_header(b, &other);
	km_buf_clear(&again);
	return 1;
}

/* Two headers that were heard. */
static int pair(struct km_buf *b, unsigned at, uint8_t value)
{
	struct km_msg m, other;

	if (!recall(at, &m) || !recall(value, &other))
		return 0;
	km_put_u8(b, EVIDENCE);
	km_evidence_begin(b, KM_EV_EQUIVOCATION, m.sid, 2);
	km_evidence_header(b, &m);
	km_evidence_header(b, &other);
	return 1;
}

/* Any kind of evidence, with the true set-up of the last run and messages that were heard, whole. */
static int wholes(struct km_buf *b, struct km_peer *other, unsigned at, uint8_t value)
{
	unsigned n = n_setups < SETUPS_MAX ? n_setups : SETUPS_MAX, kind = 1 + value % 10u, items = 1 + value / 64u, joins = 0;
	const struct km_key *k = km_key_by_name(other, "www");
	struct km_msg m, propose, j;

	if (!recall(at, &m))
		return 0;
	km_put_u8(b, EVIDENCE);
	size_t count = b->len + 2 + KM_HASH_SIZE;
	km_evidence_begin(b, kind, k && value & 32 ? k->share->table.hash : other->s->roster.hash, 0);
	for (unsigned i = 0; i < n; i++) {
		unsigned at_i = (n_setups - 1 - i) % SETUPS_MAX;

		if (km_msg_parse(&propose, setups[at_i].raw, setups[at_i].len) || propose.round != KM_SETUP_PROPOSE)
			continue;
		km_evidence_whole(b, &propose);
		for (unsigned sender = 1; sender <= 3; sender++)
			for (unsigned l = 0; l < n; l++)
				if (km_msg_parse(&j, setups[l].raw, setups[l].len) == KM_OK && j.round == KM_SETUP_JOIN && j.sender == sender &&
				    j.body_len >= KM_HASH_SIZE && memcmp(j.body, propose.digest, KM_HASH_SIZE) == 0) {
					km_evidence_whole(b, &j);
					joins++;
					break;
				}
		joins++;
		break;
	}
	for (unsigned i = 0; i < items; i++)
		if (recall(at + i, &m))
			km_evidence_whole(b, &m);
	KM_ASSERT(!b->err);
	b->data[count] = 0;
	b->data[count + 1] = (uint8_t)(joins + items);
	return 1;
}

/* A proof that somebody has, with a byte changed. */
static int changed(struct km_buf *b, struct km_peer *other, unsigned at, uint8_t value)
{
	for (unsigned i = 1; i <= KM_MAX_PEERS; i++) {
		const struct km_proof *pf = other->proof[i];

		if (!pf)
			continue;
		km_put_u8(b, EVIDENCE);
		km_put_bytes(b, pf->data, pf->len);
		KM_ASSERT(!b->err);
		b->data[1 + at % pf->len] ^= value;
		return 1;
	}
	return 0;
}

int lies_make(struct km_buf *b, unsigned self, const struct km_identity *id, struct km_peer *other, unsigned at, uint8_t value)
{
	unsigned sort = at % LIES_SORTS;

	at /= LIES_SORTS;
	switch (sort) {
	case 0:
		dispute(b, self, id, at, value);
		return 1;
	case 1:
		return equivocation(b, self, id, at, value, 1);
	case 2:
		return equivocation(b, self, id, at, value, 0);
	case 3:
		return pair(b, at, value);
	case 4:
		return wholes(b, other, at, value);
	default:
		return changed(b, other, at, value);
	}
}
