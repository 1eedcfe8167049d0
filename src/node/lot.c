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
	km_buf_clear(&lot->said);
	free(lot);
}

/* ---- what we say */

static int make_ready(struct km_peer *p, const struct km_run *run, struct km_lot *lot, struct km_presig *const *got, size_t n)
{
	uint8_t row[KM_READY_ROW_MAX], *leaf = malloc(n * KM_HASH_SIZE + 1);
	struct km_ready r = {.leaf = leaf};

	if (!leaf)
		return KM_E_NOMEM;
	memcpy(r.table, run->key->share->table.hash, KM_HASH_SIZE);
	/* got is in the order of the indices */
	for (size_t i = 0; i < n; i++) {
		km_ready_row_put(got[i], p->self, row);
		km_merkle_leaf(row, km_ready_row_size(got[i]->curve), leaf + i * KM_HASH_SIZE);
		km_ready_set(r.held, got[i]->index);
	}
	int err = km_ready_build(&lot->said, p->self, lot->sid, &r, &p->s->identity);
	free(leaf);
	return err;
}

/* WHY also from a member to whom nothing came: silence is held against the link. */
static int has_part(const struct km_peer *p, const struct km_run *run)
{
	for (unsigned l = 0; l < run->prop.batch; l++)
		if (km_set_has(run->rows[l].quorum, p->self))
			return 1;
	return 0;
}

struct km_lot *km_lot_new(struct km_peer *p, const struct km_run *run, struct km_presig *const *got, size_t n)
{
	struct km_lot *lot = calloc(1, sizeof(*lot));

	if (!lot)
		return NULL;
	km_buf_init(&lot->said);
	memcpy(lot->sid, run->sid, KM_HASH_SIZE);
	memcpy(lot->table, run->key->share->table.hash, KM_HASH_SIZE);
	lot->participants = run->prop.participants;
	lot->ready = km_set_bit(p->self);
	lot->made_us = p->now.mono_us;
	lot->engine = run->initiator == p->self ? run->prop.engine : KM_ENGINE_NONE;
	if (has_part(p, run) && make_ready(p, run, lot, got, n)) {
		km_lot_free(lot);
		return NULL;
	}
	return lot;
}

void km_lot_say_ready(struct km_peer *p, struct km_lot *lot)
{
	lot->ready_sent++;
	if (!lot->said.len)
		return;
	km_put_u8(&p->scratch, KM_FRAME_READY);
	km_put_bytes(&p->scratch, lot->said.data, lot->said.len);
	km_peer_send_set(p, lot->participants);
}

/* ---- what we hear */

/* Of our own presignatures with it: those that it holds too, with our values. What it holds and we do not is a C4 that never came here:
 * WHY no dispute, and nothing of the rest is lost for it: whoever withheld that C4 from us would part us from an honest peer. */
static int agree(struct km_peer *p, struct km_lot *lot, unsigned from, const struct km_ready *r, const struct km_msg *m, size_t len)
{
	struct km_lot_member *lm = calloc(1, sizeof(*lm) + len);
	uint8_t row[KM_READY_ROW_MAX], leaf[KM_HASH_SIZE];

	if (!lm)
		return KM_E_NOMEM;
	for (const struct km_held *h = lot->helds; h; h = h->lot_next) {
		const uint8_t *said = km_ready_leaf(r, h->ps->index);

		if (!said || !h->pool || !km_set_has(h->ps->quorum, from))
			continue;
		km_ready_row_put(h->ps, from, row);
		km_merkle_leaf(row, km_ready_row_size(h->ps->curve), leaf);
		if (memcmp(leaf, said, KM_HASH_SIZE) != 0) {
			/* WHY: a presignature whose member stands for other values would be bad without proof (attack A20) */
			free(lm);
			km_dispute_raise(p, from, KM_E_MISMATCH, m->digest, KM_HASH_SIZE);
			return KM_OK;
		}
		km_ready_set(lm->ready, h->ps->index);
	}
	memcpy(lm->said, m->raw, len);
	lm->len = len;
	lot->member[from] = lm;
	return KM_OK;
}

void km_lot_heard(struct km_peer *p, struct km_lot *lot, unsigned from, const uint8_t *raw, size_t len)
{
	struct km_ready r;
	struct km_msg m;

	if (km_set_has(lot->ready, from) || !km_set_has(lot->participants, from) || km_set_has(p->disputed, from))
		return;
	if (km_msg_parse(&m, raw, len) || m.sender != from) {
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
	if (err || memcmp(r.table, lot->table, KM_HASH_SIZE) != 0) {
		km_peer_drop_frame(p, KM_DROP_GARBAGE);
		km_dispute_raise(p, from, KM_E_ENCODING, m.digest, KM_HASH_SIZE);
		return;
	}
	if (lot->engine && agree(p, lot, from, &r, &m, len))
		return;
	lot->ready |= km_set_bit(from);
	if (lot->member[from])
		km_pool_promote(p, lot);
}

void km_lot_on_ready(struct km_peer *p, unsigned from, const uint8_t *d, size_t n)
{
	/* the sid stands behind version, proto, round, sender, recipient and length */
	const uint8_t *raw = d + 1, *sid = raw + 10;

	if (n < 1 + KM_READY_LEN(0) || n > 1 + KM_READY_LEN(KM_MAX_BATCH)) {
		km_peer_drop_frame(p, KM_DROP_GARBAGE);
		return;
	}
	struct km_lot *lot = km_lot_find(p, sid);
	if (lot) {
		km_lot_heard(p, lot, from, raw, n - 1);
		return;
	}
	struct km_run *run = km_run_by_sid(p, sid);
	if (run && km_set_has(run->prop.participants, from) && !km_set_has(run->ready, from)) {
		km_put_bytes(&run->said[from], raw, n - 1);
		/* without memory for it: it says it again */
		if (run->said[from].err)
			km_buf_clear(&run->said[from]);
		else
			run->ready |= km_set_bit(from);
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
	uint8_t enc[KM_READY_ROW_MAX];

	if (!lm || !km_ready_has(lm->ready, ps->index))
		return KM_E_NOTFOUND;
	int err = km_msg_parse(ready, lm->said, lm->len);
	KM_ASSERT(!err);
	km_ready_row_put(ps, member, enc);
	km_put_bytes(row, enc, km_ready_row_size(ps->curve));
	return row->err;
}
