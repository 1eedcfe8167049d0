/* accuse.c: what a presign run shows of whom it convicts, in the form that its judge (judge_presign.c) wants; and what is an encoding, the
 * same for both: a run convicts of what a judge will see. */
#include "presign_impl.h"

#include <stdlib.h>
#include <string.h>
#include "any_impl.h"
#include "evidence_impl.h"
#include "judge_presign.h"

int km_presign_shape_of(const struct km_presign *s, const struct km_msg *m, struct km_shape *shape)
{
	return km_presign_shape(s, m->round, m->sender, m->recipient, shape);
}

/* ---- encodings: what every leaf of every message must be */

struct cursor {
	const struct km_curve *c;
	const uint8_t *p;
	size_t left;
	int bad;
};

static const uint8_t *take(struct cursor *k, size_t n)
{
	const uint8_t *p = k->p;

	if (k->left < n) {
		k->bad = 1;
		k->left = 0;
		return NULL;
	}
	k->p += n;
	k->left -= n;
	return p;
}

static void points(struct cursor *k, unsigned n)
{
	struct km_point x;

	while (n--) {
		const uint8_t *p = take(k, km_curve_point_size(k->c));
		k->bad |= !p || km_point_decode_var(k->c, &x, p) != KM_OK;
	}
}

static void scalars(struct cursor *k, size_t n)
{
	struct km_scalar x;

	while (n-- && !k->bad) {
		const uint8_t *p = take(k, km_curve_scalar_size(k->c));
		k->bad |= !p || km_scalar_decode(k->c, &x, p) != KM_OK;
	}
}

static void zeros(struct cursor *k, size_t n)
{
	const uint8_t *p = take(k, n);

	for (size_t i = 0; p && i < n; i++)
		k->bad |= p[i] != 0;
}

static void any_leaf(const struct km_presign *s, struct cursor *k, unsigned wire, int secret, uint32_t leaf)
{
	if (wire == KM_ANY_Y1) {
		points(k, leaf ? 2 : 1);
	} else if (wire == KM_ANY_Y2 && !leaf) {
		take(k, KM_OT_CHECK_SIZE);
		scalars(k, s->batch);
	} else if (wire == KM_ANY_Y3 && secret) {
		if (!leaf)
			take(k, KM_HASH_SIZE);
		scalars(k, leaf ? k->left / s->ss : s->batch);
	} else if (wire == KM_ANY_Y4 && leaf) {
		scalars(k, 1);
		points(k, 1);
	}
}

static void majority_leaf(const struct km_presign *s, struct cursor *k, unsigned wire, const struct km_msg *m, uint32_t leaf)
{
	if (wire == KM_PRESIGN_M1 && m->recipient) {
		if (leaf)
			scalars(k, KM_KINDS);
		else if (m->sender > m->recipient)
			zeros(k, KM_SEED_SIZE);   /* the lower id draws the pair's seed */
	} else if (wire == KM_PRESIGN_M3 && !leaf) {
		take(k, 2 * KM_HASH_SIZE);
		scalars(k, KM_KINDS);
	} else if (wire == KM_PRESIGN_M3) {
		scalars(k, 2);
		if (km_set_has(s->index[leaf - 1].quorum, m->sender))
			points(k, 1);
		else
			zeros(k, s->ps);
	}
}

int km_presign_leaf_ok(const struct km_presign *s, const struct km_msg *m, uint32_t leaf, const uint8_t *p, size_t len)
{
	struct cursor k = {.c = s->curve, .p = p, .left = len};

	if (m->round <= km_presign_wire(s, KM_PRESIGN_M3)) {
		if (s->engine == &km_engine_any)
			any_leaf(s, &k, m->round, m->recipient != 0, leaf);
		else
			majority_leaf(s, &k, m->round, m, leaf);
		return !k.bad;
	}
	switch (m->round - s->engine->shift) {
	case KM_PRESIGN_C3:
		if (!leaf)
			take(&k, KM_HASH_SIZE);
		if (leaf || s->own_n[m->sender]) {
			points(&k, leaf ? 4 : 1);
			scalars(&k, 1);
		}
		break;
	case KM_PRESIGN_C4:
		if (leaf)
			scalars(&k, 1);
		break;
	}
	return !k.bad;
}

/* ---- making */

/* The first leaf that is not encoded as it must be; UINT32_MAX if all are. */
static uint32_t bad_leaf(const struct km_presign *s, const struct km_msg *m, const struct km_shape *shape)
{
	for (uint32_t leaf = 0; m->body && leaf <= shape->rows; leaf++) {
		size_t len = leaf ? shape->row : shape->head, at = leaf ? shape->head + (size_t)(leaf - 1) * shape->row : 0;

		if (!km_presign_leaf_ok(s, m, leaf, m->body + at, len))
			return leaf;
	}
	return UINT32_MAX;
}

static unsigned put_tuple_proof(const struct km_presign *s, struct km_buf *b, unsigned peer, unsigned l)
{
	const struct km_machine *m = s->m;
	unsigned c3 = km_presign_wire(s, KM_PRESIGN_C3), m3 = km_presign_wire(s, KM_PRESIGN_M3), n = 0;
	uint32_t leaf[2] = {0, 1 + s->own_pos[peer][l]};
	uint8_t digest[4 * KM_MAX_PEERS][KM_HASH_SIZE];
	struct km_shape shape;

	int err = km_presign_shape_of(s, &m->bcast[c3][peer].msg, &shape);
	KM_ASSERT(!err);
	km_evidence_rows(b, &m->bcast[c3][peer].msg, &shape, leaf, 2);
	for (unsigned r = 1; r < c3; r++)
		for (unsigned j = km_set_next(m->participants, 0); j && m->ops->flags[r] & KM_ROUND_BROADCAST; j = km_set_next(m->participants, j))
			memcpy(digest[n++], m->bcast[r][j].msg.digest, KM_HASH_SIZE);
	km_evidence_digests(b, (const uint8_t(*)[KM_HASH_SIZE])digest, n);
	leaf[0] = 1 + l;
	for (unsigned j = km_set_next(m->participants, 0); j; j = km_set_next(m->participants, j)) {
		err = km_presign_shape_of(s, &m->bcast[m3][j].msg, &shape);
		KM_ASSERT(!err);
		km_evidence_rows(b, &m->bcast[m3][j].msg, &shape, leaf, 1);
	}
	return 2 + m->n;
}

static void put_row(const struct km_presign *s, struct km_buf *b, const struct km_msg *m, uint32_t leaf)
{
	struct km_shape shape;
	int err = km_presign_shape_of(s, m, &shape);

	KM_ASSERT(!err);
	km_evidence_rows(b, m, &shape, &leaf, 1);
}

/* The items; returns their number, 0 when there is nothing to show. */
static unsigned put_items(const struct km_presign *s, struct km_buf *b, unsigned peer, enum km_evidence_kind kind, unsigned wire, unsigned l)
{
	const struct km_machine *m = s->m;
	const struct km_msg *wrong = wire <= s->engine->last_private ? &m->priv[wire][peer].msg : &m->bcast[wire][peer].msg;
	struct km_shape shape;
	uint32_t leaf;

	switch (kind) {
	case KM_EV_ENCODING:
		leaf = km_presign_shape_of(s, wrong, &shape) ? UINT32_MAX : bad_leaf(s, wrong, &shape);
		if (leaf == UINT32_MAX)
			return 0;
		km_evidence_rows(b, wrong, &shape, &leaf, 1);
		return 1;
	case KM_EV_C3_PROOF:
		if (l < s->batch)
			return put_tuple_proof(s, b, peer, l);
		km_evidence_whole(b, wrong);
		return 1;
	case KM_EV_EPSILON:
		put_row(s, b, wrong, 1 + s->own_pos[peer][l]);
		put_row(s, b, &m->bcast[km_presign_wire(s, KM_PRESIGN_C3)][peer].msg, 1 + s->own_pos[peer][l]);
		return 2;
	case KM_EV_LIST_ROOT:
		km_evidence_header(b, wrong);
		km_evidence_whole(b, &m->bcast[KM_PRESIGN_M1][peer].msg);
		return 2;
	case KM_EV_OPENING:
		km_evidence_whole(b, &m->bcast[km_presign_wire(s, KM_PRESIGN_M2)][peer].msg);
		km_evidence_whole(b, wrong);
		return 2;
	default:
		return 0;
	}
}

int km_presign_convict(const struct km_presign *s, unsigned peer, enum km_evidence_kind kind, unsigned wire, unsigned index, struct km_outs *outs)
{
	struct km_buf b;

	km_buf_init(&b);
	km_evidence_items_begin(&b, kind, 0);
	unsigned n = put_items(s, &b, peer, kind, wire, index);
	if (!b.err) {
		b.data[1] = (uint8_t)(n >> 8);
		b.data[2] = (uint8_t)n;
	}
	int err = n || b.err ? km_machine_convict_items(s->m, peer, kind, &b, outs) : KM_OK;
	km_buf_clear(&b);
	return err;
}
