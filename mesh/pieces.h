/* pieces.h: large frames between peers go in numbered pieces, so that a share never waits behind ten megabytes.
 *
 *	PIECE  0xf0 | number u32 | total u32 | offset u32 | bytes     KMD_PIECE_SIZE of them, fewer in the last piece
 *	GOT    0xf1 | number u32 | offset u32                         all bytes before offset have come
 *
 * The large frames for a peer leave one after the other, each with at most KMD_PIECES_WINDOW bytes under way: that is what a small frame, which
 * goes out at once, can find before it on the channel. No clock, no socket in here: tests and a fuzzer drive it. */
#ifndef KMD_PIECES_H
#define KMD_PIECES_H

#include <stddef.h>
#include <stdint.h>
#include "base/err.h"
#include "base/limits.h"

#define KMD_PIECE 0xf0
#define KMD_PIECE_GOT 0xf1
#define KMD_PIECE_HEAD 13
#define KMD_PIECE_SIZE 32768u
#define KMD_PIECE_MAX (KMD_PIECE_HEAD + KMD_PIECE_SIZE)
#define KMD_GOT_SIZE 9
#define KMD_PIECES_OVER 65536u                         /* larger frames go in pieces, and only these */
#define KMD_PIECES_TOTAL (KM_MAX_ENVELOPE + 1)         /* the largest: a node's frame around an envelope */
#define KMD_PIECES_WINDOW (4 * KMD_PIECE_SIZE)
#define KMD_PIECES_QUEUED (40u * 1024 * 1024)          /* waiting for one peer: two runs of engine any */
#define KMD_PIECES_STUCK_US 20000000u                  /* without progress so long a frame is given up, on either side */

struct kmd_large {
	uint8_t *block;                    /* malloc'd; data lies in it */
	const uint8_t *data;
	size_t len;
	struct kmd_large *next;
};

/* To one peer. All zero at first. */
struct kmd_pieces_out {
	struct kmd_large *head, *tail;
	size_t queued;                     /* bytes of all of them */
	uint32_t number;                   /* of the head */
	size_t sent, got;                  /* of the head */
	uint64_t moved_us;
};

/* From one peer: one frame at a time, so at most KMD_PIECES_TOTAL bytes. All zero at first. */
struct kmd_pieces_in {
	uint8_t *block;
	size_t total, have;
	uint32_t number;
	uint64_t moved_us;
};

/* Takes the block in every case. KM_E_BUSY: too much is waiting; KM_E_LIMIT: no frame for pieces; KM_E_NOMEM. */
int kmd_pieces_add(struct kmd_pieces_out *o, uint8_t *block, const uint8_t *data, size_t len, uint64_t now_us) KM_MUST;
/* Writes the next piece that may go and returns its length, 0 for none now; kmd_pieces_sent when it has gone. */
size_t kmd_pieces_next(const struct kmd_pieces_out *o, uint8_t out[KMD_PIECE_MAX]);
void kmd_pieces_sent(struct kmd_pieces_out *o, uint64_t now_us);
/* A GOT came. KM_E_ENCODING for what is none; one of a frame that was given up is KM_E_STALE. */
int kmd_pieces_on_got(struct kmd_pieces_out *o, const uint8_t *d, size_t n, uint64_t now_us) KM_MUST;
/* Gives the head up if it is stuck; returns how many were given up. */
unsigned kmd_pieces_tick(struct kmd_pieces_out *o, uint64_t now_us);
/* The channel closed: returns how many frames go with it. */
unsigned kmd_pieces_clear(struct kmd_pieces_out *o);

/* A PIECE came. 1: with it the frame is whole: *block (now the caller's) of *len bytes. 0: more is to come. In both cases *got is 1 when got_frame is
 * to be sent back. KM_E_ENCODING: garbage; KM_E_STALE: of a frame that was given up; KM_E_NOMEM. Whatever was begun stays. */
int kmd_pieces_take(struct kmd_pieces_in *i, const uint8_t *d, size_t n, uint64_t now_us, uint8_t **block, size_t *len,
		    uint8_t got_frame[KMD_GOT_SIZE], int *got) KM_MUST;
/* Gives a stuck one up: 1. */
int kmd_pieces_in_tick(struct kmd_pieces_in *i, uint64_t now_us);
void kmd_pieces_in_clear(struct kmd_pieces_in *i);

#endif
