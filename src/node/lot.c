/* lot.c: what one run gave, and READY: the signed word of every member on the values it will sign with.
 *
 * An owner takes a presignature into use only after READY, with the values that it computed itself, from everybody else in its
 * quorum. WHY signed: a share that later does not fit these values convicts its author, with its own messages and nobody else's
 * (attack A20). Who is no owner of anything in a run only learns that the others have finished. */
#include "peer_impl.h"

#include <stdlib.h>
#include <string.h>

struct km_lot *km_lot_find(struct km_peer *p, const uint8_t sid[KM_HASH_SIZE])
{
	for (struct km_lot *lot = p->lots; lot; lot = lot->next)
		if (memcmp(lot->sid, sid, KM_HASH_SIZE) == 0)
			return lot;
	return NULL;
}

void km_lot_free(struct km_lot *lot)
{
	if (!lot)
		return;
	for (unsigned i = 1; i <= KM_MAX_PEERS; i++)
		free(lot->member[i]);
	free(lot);
}

/* ---- rows */

/* The leaves of a member's rows among what we got, which is in the order of the indices. */
static struct km_lot_member *member_new(struct km_presig *const *got, size_t n, unsigned member)
{
	uint8_t row[KM_READY_ROW_MAX];
	struct km_lot_member *lm;
	size_t count = 0;

	for (size_t i = 0; i < n; i++)
		count += km_set_has(got[i]->quorum, member);
	lm = calloc(1, sizeof(*lm) + count * KM_HASH_SIZE);
	if (!lm)
		return NULL;
	for (size_t i = 0; i < n; i++) {
		if (!km_set_has(got[i]->quorum, member))
			continue;
		km_ready_row_put(got[i], member, row);
		km_merkle_leaf(row, km_ready_row_size(got[i]->curve), lm->leaf + (size_t)lm->n_leaves++ * KM_HASH_SIZE);
		km_ready_set(lm->made, got[i]->index);
	}
	return lm;
}

/* The leaves of the indices in `held`, all of which are made; malloc'd, in their order. */
static uint8_t *leaves_of(const struct km_lot_member *lm, const uint8_t held[KM_READY_HELD], unsigned *n)
{
	uint8_t *out = malloc((size_t)lm->n_leaves * KM_HASH_SIZE + 1);
	unsigned at = 0;

	*n = 0;
	for (unsigned i = 0; out && i < KM_MAX_BATCH; i++) {
		if (!km_ready_has(lm->made, i))
			continue;
		if (km_ready_has(held, i))
			memcpy(out + (size_t)(*n)++ * KM_HASH_SIZE, lm->leaf + (size_t)at * KM_HASH_SIZE, KM_HASH_SIZE);
		at++;
	}
	return out;
}

/* ---- what we say */

static int make_ready(struct km_peer *p, const struct km_run *run, struct km_lot *lot, struct km_presig *const *got, size_t n)
{
	struct km_lot_member *own = member_new(got, n, p->self);
	struct km_ready r;
	struct km_buf b;
	int err = KM_E_NOMEM;

	if (!own)
		return err;
	if (own->n_leaves) {
		memcpy(r.table, run->key->share->table.hash, KM_HASH_SIZE);
		memcpy(r.held, own->made, sizeof(r.held));
		km_merkle_root(own->leaf, own->n_leaves, r.root);
		km_buf_init_fixed(&b, lot->said, sizeof(lot->said));
		err = km_ready_build(&b, p->self, lot->sid, &r, &p->s->identity);
	} else {
		err = KM_OK;
	}
	free(own);
	return err;
}

struct km_lot *km_lot_new(struct km_peer *p, const struct km_run *run, struct km_presig *const *got, size_t n)
{
	struct km_lot *lot = calloc(1, sizeof(*lot));
	uint32_t others = 0;

	if (!lot)
		return NULL;
	memcpy(lot->sid, run->sid, KM_HASH_SIZE);
	lot->participants = run->prop.participants;
	lot->ready = km_set_bit(p->self);
	lot->made_us = p->now.mono_us;
	for (size_t i = 0; i < n; i++)
		if (got[i]->owner == p->self)
			others |= got[i]->quorum & ~km_set_bit(p->self);
	int err = make_ready(p, run, lot, got, n);
	for (unsigned i = km_set_next(others, 0); i && !err; i = km_set_next(others, i)) {
		lot->member[i] = member_new(got, n, i);
		if (!lot->member[i])
			err = KM_E_NOMEM;
	}
	if (err) {
		km_lot_free(lot);
		return NULL;
	}
	return lot;
}

void km_lot_say_ready(struct km_peer *p, struct km_lot *lot)
{
	lot->ready_sent++;
	/* byte 2 is the protocol: 0 where there was nothing to sign */
	if (!lot->said[2])
		return;
	km_put_u8(&p->scratch, KM_FRAME_READY);
	km_put_bytes(&p->scratch, lot->said, KM_READY_LEN);
	km_peer_send_set(p, lot->participants);
}

/* ---- what we hear */

/* Of our own presignatures with it: those that it holds too, with our values. */
static void agree(struct km_peer *p, struct km_lot *lot, unsigned from, const struct km_ready *r, const struct km_msg *m)
{
	struct km_lot_member *lm = lot->member[from];
	uint8_t root[KM_HASH_SIZE];
	unsigned n;

	for (unsigned i = 0; i < KM_READY_HELD; i++) {
		/* It completed what we did not: a C4 that never came here. Of the whole we can say nothing, so none of it is used;
		 * WHY no dispute: whoever withheld that C4 from us would make us accuse an honest peer. */
		if (r->held[i] & ~lm->made[i]) {
			km_effects_log(p->fx, KM_LOG_INFO, "peer %u (%s) completed presignatures that we did not", from, km_peer_name(p, from));
			return;
		}
	}
	uint8_t *leaves = leaves_of(lm, r->held, &n);
	if (!leaves || !n) {
		free(leaves);
		return;
	}
	km_merkle_root(leaves, n, root);
	free(leaves);
	if (memcmp(root, r->root, KM_HASH_SIZE) != 0) {
		/* WHY: a presignature whose member stands for other values would be bad without proof (attack A20) */
		km_dispute_raise(p, from, KM_E_MISMATCH, m->digest, KM_HASH_SIZE);
		return;
	}
	memcpy(lm->ready, r->held, sizeof(lm->ready));
	memcpy(lm->said, m->raw, KM_READY_LEN);
	km_pool_promote(p, lot);
}

void km_lot_heard(struct km_peer *p, struct km_lot *lot, unsigned from, const uint8_t raw[KM_READY_LEN])
{
	struct km_ready r;
	struct km_msg m;

	if (km_set_has(lot->ready, from) || !km_set_has(lot->participants, from) || km_set_has(p->disputed, from))
		return;
	if (km_msg_parse(&m, raw, KM_READY_LEN) || m.sender != from) {
		km_peer_drop_frame(p, KM_DROP_GARBAGE);
		return;
	}
	int err = km_msg_verify_sig(&m, p->idkeys[from]);
	if (err == KM_E_NOMEM)
		return; /* it says it again, and nobody is to blame */
	if (err) {
		km_peer_drop_frame(p, KM_DROP_SIGNATURE);
		km_dispute_raise(p, from, KM_E_VERIFY, m.digest, KM_HASH_SIZE);
		return;
	}
	/* what it signed itself and is no READY of this run: as bad as other values */
	err = km_ready_get(&r, &m);
	if (err == KM_E_NOMEM)
		return;
	if (err || (lot->said[2] && memcmp(r.table, lot->said + KM_MSG_HEAD, KM_HASH_SIZE) != 0)) {
		km_peer_drop_frame(p, KM_DROP_GARBAGE);
		km_dispute_raise(p, from, KM_E_ENCODING, m.digest, KM_HASH_SIZE);
		return;
	}
	lot->ready |= km_set_bit(from);
	if (lot->member[from])
		agree(p, lot, from, &r, &m);
}

void km_lot_on_ready(struct km_peer *p, unsigned from, const uint8_t *d, size_t n)
{
	/* the sid stands behind version, proto, round, sender, recipient and length */
	const uint8_t *raw = d + 1, *sid = raw + 10;

	if (n != 1 + KM_READY_LEN) {
		km_peer_drop_frame(p, KM_DROP_GARBAGE);
		return;
	}
	struct km_lot *lot = km_lot_find(p, sid);
	if (lot) {
		km_lot_heard(p, lot, from, raw);
		return;
	}
	struct km_run *run = km_run_by_sid(p, sid);
	if (run && km_set_has(run->prop.participants, from) && !km_set_has(run->ready, from)) {
		run->ready |= km_set_bit(from);
		memcpy(run->said[from], raw, KM_READY_LEN);
	}
}

int km_lot_complete(const struct km_lot *lot, const struct km_presig *ps)
{
	for (unsigned i = km_set_next(ps->quorum, 0); i; i = km_set_next(ps->quorum, i))
		if (i != ps->self && (!lot->member[i] || !km_ready_has(lot->member[i]->ready, ps->index)))
			return 0;
	return 1;
}

/* ---- evidence */

int km_lot_show(const struct km_lot *lot, unsigned member, const struct km_presig *ps, struct km_msg *ready, struct km_buf *row)
{
	const struct km_lot_member *lm = lot->member[member];
	uint8_t path[KM_MERKLE_PATH_MAX][KM_HASH_SIZE], enc[KM_READY_ROW_MAX];
	unsigned n;

	if (!lm || !km_ready_has(lm->ready, ps->index))
		return KM_E_NOTFOUND;
	int err = km_msg_parse(ready, lm->said, KM_READY_LEN);
	KM_ASSERT(!err);
	uint8_t *leaves = leaves_of(lm, lm->ready, &n);
	if (!leaves)
		return KM_E_NOMEM;
	unsigned count = km_merkle_path(leaves, n, km_ready_count(lm->ready, ps->index), path);
	free(leaves);
	km_ready_row_put(ps, member, enc);
	km_put_bytes(row, enc, km_ready_row_size(ps->curve));
	km_put_bytes(row, path, (size_t)count * KM_HASH_SIZE);
	return row->err;
}
