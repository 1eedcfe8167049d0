/* queue.c: requests that found our pools empty, those of a frontend in the order in which they came, the frontends in turn.
 *
 * A request that finds no presignature is refused with EMPTY, so that its frontend asks somebody else at once, and its id stays here. When
 * there are presignatures again, as many of those that wait are told AGAIN; the frontend asks once more, unless it has its signature from
 * somebody else. WHY told and not served: it waits at every peer that was empty, and each would spend a presignature on it.
 * As long as somebody waits who was not told, newcomers wait behind. What is not asked again within KM_QUEUE_US is forgotten: the
 * frontend alone knows the deadline, and stops asking then.
 *
 * WHY in turn: a request that waits costs its frontend nothing. One that fills its places with requests it never asks again would keep all
 * others behind them, or out, and spend no presignature on it (attack B22). The n-th that waits of a frontend is in the n-th round. */
#include "peer_impl.h"

#include <stdlib.h>
#include <string.h>

static void out(struct km_peer *p, struct km_queued *q)
{
	struct km_fe *fe = &p->fes[p->fe_by_id[q->frontend] - 1];

	if (q->prev)
		q->prev->next = q->next;
	else
		p->queue_head = q->next;
	if (q->next)
		q->next->prev = q->prev;
	else
		p->queue_tail = q->prev;
	if (q->told_us)
		q->key->n_told--;
	else
		q->key->n_queued--;
	fe->n_queued--;
	km_idmap_remove(&p->queued, q->request_id);
	free(q);
}

void km_queue_free(struct km_peer *p)
{
	while (p->queue_head)
		out(p, p->queue_head);
	km_idmap_clear(&p->queued);
}

/* All that wait for a key wait at its highest epoch. */
static struct km_key *place(struct km_peer *p, struct km_key *key)
{
	struct km_key *top = km_key_by_id(p, key->share->table.key_id);

	return top ? top : key;
}

void km_queue_move(struct km_peer *p, const struct km_key *of)
{
	for (struct km_queued *q = p->queue_head, *next; q; q = next) {
		next = q->next;
		if (!km_key_same(q->key, of))
			continue;
		struct km_key *to = place(p, q->key);
		if (to->wiped) {
			out(p, q);
			continue;
		}
		unsigned *from_n = q->told_us ? &q->key->n_told : &q->key->n_queued, *to_n = q->told_us ? &to->n_told : &to->n_queued;
		--*from_n;
		++*to_n;
		q->key = to;
	}
}

int km_queue_behind(struct km_peer *p, struct km_key *key, const uint8_t request_id[KM_HASH_SIZE])
{
	const struct km_queued *q;

	key = place(p, key);
	if (!key->n_queued)
		return 0;
	q = km_idmap_find(&p->queued, request_id);
	return !q || !q->told_us;
}

/* Of a frontend that has nothing here the round that is told now, of others the one after its last. */
static uint64_t next_round(const struct km_peer *p, const struct km_fe *fe)
{
	uint64_t first = p->queue_head ? p->queue_head->round : 0;

	return fe->n_queued && fe->round >= first ? fe->round + 1 : first;
}

static void insert(struct km_peer *p, struct km_queued *q)
{
	struct km_queued *before = p->queue_tail;

	while (before && before->round > q->round)
		before = before->prev;
	q->prev = before;
	q->next = before ? before->next : p->queue_head;
	if (q->next)
		q->next->prev = q;
	else
		p->queue_tail = q;
	if (before)
		before->next = q;
	else
		p->queue_head = q;
}

static struct km_queued *append(struct km_peer *p, struct km_key *key, unsigned frontend, const uint8_t request_id[KM_HASH_SIZE])
{
	struct km_fe *fe = &p->fes[p->fe_by_id[frontend] - 1];
	uint64_t round = next_round(p, fe);
	struct km_queued *q;

	/* WHY for each: one that asks for thousands must not have the places of all */
	if (fe->n_queued >= KM_QUEUE_FRONTEND_MAX)
		return NULL;
	/* nor some of them together: the last of whoever has the most goes */
	if (p->queued.n >= KM_QUEUE_MAX && p->queue_tail->round > round)
		out(p, p->queue_tail);
	if (p->queued.n >= KM_QUEUE_MAX)
		return NULL;
	q = calloc(1, sizeof(*q));
	if (!q)
		return NULL;
	memcpy(q->request_id, request_id, KM_HASH_SIZE);
	if (km_idmap_add(&p->queued, q)) {
		free(q);
		return NULL;
	}
	q->key = key;
	q->frontend = (uint16_t)frontend;
	q->round = fe->round = round;
	insert(p, q);
	fe->n_queued++;
	key->n_queued++;
	return q;
}

void km_queue_add(struct km_peer *p, struct km_key *key, unsigned frontend, const uint8_t request_id[KM_HASH_SIZE])
{
	struct km_queued *q = km_idmap_find(&p->queued, request_id);

	key = place(p, key);
	/* not at home in any pool, as often as it was told: it is no use to tell it again */
	if (q && q->tells >= KM_QUEUE_TELLS) {
		out(p, q);
		return;
	}
	if (!q)
		q = append(p, key, frontend, request_id);
	if (!q)
		return;
	if (q->told_us) {
		/* it was too late, but keeps its place */
		key->n_told--;
		key->n_queued++;
		q->told_us = 0;
	}
	q->until_us = p->now.mono_us + KM_QUEUE_US;
	km_peer_wake(p, q->until_us);
}

void km_queue_remove(struct km_peer *p, const uint8_t request_id[KM_HASH_SIZE])
{
	struct km_queued *q = km_idmap_find(&p->queued, request_id);

	if (q)
		out(p, q);
}

static void tell(struct km_peer *p, struct km_queued *q)
{
	struct km_reply r = {.status = KM_STATUS_AGAIN, .time_ms = p->now.wall_ms};

	memcpy(r.request_id, q->request_id, KM_HASH_SIZE);
	km_reply_encode(&p->scratch, &r);
	km_peer_send(p, (struct km_addr){KM_ADDR_FRONTEND, q->frontend});
	q->told_us = p->now.mono_us ? p->now.mono_us : 1;
	q->tells++;
	q->until_us = p->now.mono_us + KM_QUEUE_TOLD_US;
	q->key->n_queued--;
	q->key->n_told++;
}

/* Of all epochs of the key. */
static unsigned spare(const struct km_peer *p, const struct km_key *key)
{
	unsigned n = 0;

	for (const struct km_key *k = p->keys; k; k = k->next)
		if (k->share->usable && km_key_same(k, key))
			n += km_pool_ready(k, km_blame_usable(p, &k->share->table));
	return n;
}

void km_queue_tick(struct km_peer *p)
{
	if (!p->queue_head)
		return;
	for (struct km_queued *q = p->queue_head, *next; q; q = next) {
		next = q->next;
		if (p->now.mono_us >= q->until_us)
			out(p, q);
	}
	for (struct km_key *k = p->keys; k; k = k->next)
		k->spare = k->n_queued ? spare(p, k) : 0;
	for (struct km_queued *q = p->queue_head; q; q = q->next) {
		if (!q->told_us && q->key->spare > q->key->n_told)
			tell(p, q);
		km_peer_wake(p, q->until_us);
	}
}
