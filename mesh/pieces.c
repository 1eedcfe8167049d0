/* pieces.c: see pieces.h. */
#include "config.h"
#include "mesh/pieces.h"

#include <stdlib.h>
#include <string.h>

static void put32(uint8_t *out, uint32_t v)
{
	out[0] = (uint8_t)(v >> 24);
	out[1] = (uint8_t)(v >> 16);
	out[2] = (uint8_t)(v >> 8);
	out[3] = (uint8_t)v;
}

static uint32_t get32(const uint8_t *in)
{
	return (uint32_t)in[0] << 24 | (uint32_t)in[1] << 16 | (uint32_t)in[2] << 8 | in[3];
}

/* ---- out */

int kmd_pieces_add(struct kmd_pieces_out *o, uint8_t *block, const uint8_t *data, size_t len, uint64_t now_us)
{
	struct kmd_large *l;
	int err = len <= KMD_PIECES_OVER || len > KMD_PIECES_TOTAL ? KM_E_LIMIT : o->queued + len > KMD_PIECES_QUEUED ? KM_E_BUSY : KM_OK;

	l = err ? NULL : calloc(1, sizeof(*l));
	if (!l) {
		free(block);
		return err ? err : KM_E_NOMEM;
	}
	*l = (struct kmd_large){.block = block, .data = data, .len = len};
	if (o->tail)
		o->tail->next = l;
	else
		o->head = l;
	if (!o->tail)
		o->moved_us = now_us;
	o->tail = l;
	o->queued += len;
	return KM_OK;
}

/* The head is done with, whole or not; the next one has a number of its own. */
static void drop_head(struct kmd_pieces_out *o, uint64_t now_us)
{
	struct kmd_large *l = o->head;

	o->head = l->next;
	if (!o->head)
		o->tail = NULL;
	o->queued -= l->len;
	o->number++;
	o->sent = o->got = 0;
	o->moved_us = now_us;
	free(l->block);
	free(l);
}

static size_t piece_size(const struct kmd_pieces_out *o)
{
	size_t left = o->head->len - o->sent;

	return left < KMD_PIECE_SIZE ? left : KMD_PIECE_SIZE;
}

size_t kmd_pieces_next(const struct kmd_pieces_out *o, uint8_t out[KMD_PIECE_MAX])
{
	size_t n;

	if (!o->head || o->sent == o->head->len || o->sent - o->got >= KMD_PIECES_WINDOW)
		return 0;
	n = piece_size(o);
	out[0] = KMD_PIECE;
	put32(out + 1, o->number);
	put32(out + 5, (uint32_t)o->head->len);
	put32(out + 9, (uint32_t)o->sent);
	memcpy(out + KMD_PIECE_HEAD, o->head->data + o->sent, n);
	return KMD_PIECE_HEAD + n;
}

void kmd_pieces_sent(struct kmd_pieces_out *o, uint64_t now_us)
{
	if (!o->sent)
		o->moved_us = now_us;
	o->sent += piece_size(o);
}

int kmd_pieces_on_got(struct kmd_pieces_out *o, const uint8_t *d, size_t n, uint64_t now_us)
{
	size_t offset;

	if (n != KMD_GOT_SIZE || d[0] != KMD_PIECE_GOT)
		return KM_E_ENCODING;
	if (!o->head || get32(d + 1) != o->number)
		return KM_E_STALE;
	offset = get32(d + 5);
	/* more than was sent, or nothing new: who says that says nothing */
	if (offset > o->sent || offset <= o->got)
		return KM_E_ENCODING;
	o->got = offset;
	o->moved_us = now_us;
	if (o->got == o->head->len)
		drop_head(o, now_us);
	return KM_OK;
}

unsigned kmd_pieces_tick(struct kmd_pieces_out *o, uint64_t now_us)
{
	if (!o->head || now_us - o->moved_us < KMD_PIECES_STUCK_US)
		return 0;
	drop_head(o, now_us);
	return 1;
}

unsigned kmd_pieces_clear(struct kmd_pieces_out *o)
{
	unsigned n = 0;

	while (o->head) {
		drop_head(o, 0);
		n++;
	}
	return n;
}

/* ---- in */

void kmd_pieces_in_clear(struct kmd_pieces_in *i)
{
	free(i->block);
	*i = (struct kmd_pieces_in){0};
}

int kmd_pieces_in_tick(struct kmd_pieces_in *i, uint64_t now_us)
{
	if (!i->block || now_us - i->moved_us < KMD_PIECES_STUCK_US)
		return 0;
	kmd_pieces_in_clear(i);
	return 1;
}

/* Lengths that fit each other, and a size that is one of a large frame. */
static int piece_ok(size_t total, size_t offset, size_t n)
{
	size_t left;

	if (total <= KMD_PIECES_OVER || total > KMD_PIECES_TOTAL || offset >= total || offset % KMD_PIECE_SIZE)
		return 0;
	left = total - offset;
	return n == (left < KMD_PIECE_SIZE ? left : KMD_PIECE_SIZE);
}

int kmd_pieces_take(struct kmd_pieces_in *i, const uint8_t *d, size_t n, uint64_t now_us, uint8_t **block, size_t *len,
		    uint8_t got_frame[KMD_GOT_SIZE], int *got)
{
	size_t total, offset;
	uint32_t number;

	*block = NULL;
	*got = 0;
	if (n <= KMD_PIECE_HEAD || d[0] != KMD_PIECE)
		return KM_E_ENCODING;
	number = get32(d + 1);
	total = get32(d + 5);
	offset = get32(d + 9);
	n -= KMD_PIECE_HEAD;
	if (!piece_ok(total, offset, n))
		return KM_E_ENCODING;
	if (!offset) {
		/* what was begun before is given up: its sender has, too. Memory is touched as bytes come, and not at a word. */
		kmd_pieces_in_clear(i);
		i->block = malloc(total);
		if (!i->block)
			return KM_E_NOMEM;
		i->total = total;
		i->number = number;
	} else if (!i->block || number != i->number || total != i->total || offset != i->have) {
		return KM_E_STALE;
	}
	memcpy(i->block + offset, d + KMD_PIECE_HEAD, n);
	i->have += n;
	i->moved_us = now_us;
	/* every other piece is enough to keep the window open */
	*got = i->have == i->total || !(i->have / KMD_PIECE_SIZE % 2);
	got_frame[0] = KMD_PIECE_GOT;
	put32(got_frame + 1, number);
	put32(got_frame + 5, (uint32_t)i->have);
	if (i->have < i->total)
		return 0;
	*block = i->block;
	*len = i->total;
	*i = (struct kmd_pieces_in){0};
	return 1;
}
