/* Large frames in pieces, both ends. Input: records of 12 bytes
 *
 *	what u8 | number u8 | total u32 | offset u32 | n u16
 *
 * what % 3 = 0: a PIECE of these with n bytes; 1: a GOT of number and offset; 2: our own next piece goes out and is heard back.
 * Accepted: no record was garbage. */
#include "fuzz.h"
#include "mesh/pieces.h"

const char fuzz_name[] = "pieces";
const unsigned fuzz_rounds = 3000;

#define RECORD 12
#define OWN 150000

struct ends {
	struct kmd_pieces_out out;
	struct kmd_pieces_in in, back;
	uint64_t now;
	unsigned garbage;
};

static void take(struct ends *e, struct kmd_pieces_in *in, const uint8_t *d, size_t n)
{
	uint8_t got_frame[KMD_GOT_SIZE], *block;
	size_t len;
	int got, err = kmd_pieces_take(in, d, n, e->now, &block, &len, got_frame, &got);

	e->garbage += err == KM_E_ENCODING;
	KM_ASSERT((err == 1) == (block != NULL));
	KM_ASSERT(!in->block || (in->have > 0 && in->have < in->total && in->total <= KMD_PIECES_TOTAL));
	if (err == 1) {
		KM_ASSERT(len > KMD_PIECES_OVER && len <= KMD_PIECES_TOTAL);
		/* every byte of it was written */
		for (size_t i = 0; i < len; i += 4096)
			KM_ASSERT(block[i] == 0 && block[len - 1] == 0);
		free(block);
	}
	if (got && in == &e->back && kmd_pieces_on_got(&e->out, got_frame, sizeof(got_frame), e->now) == KM_E_ENCODING)
		e->garbage++;
}

static void record(struct ends *e, const uint8_t *r)
{
	static uint8_t piece[KMD_PIECE_HEAD + 65536];
	size_t n = (size_t)r[10] << 8 | r[11];

	memset(piece, 0, KMD_PIECE_HEAD + n);
	piece[0] = r[0] % 3 == 1 ? KMD_PIECE_GOT : KMD_PIECE;
	piece[4] = r[1];
	if (r[0] % 3 == 1) {
		memcpy(piece + 5, r + 6, 4);
		e->garbage += kmd_pieces_on_got(&e->out, piece, KMD_GOT_SIZE, e->now) == KM_E_ENCODING;
	} else if (r[0] % 3 == 0) {
		memcpy(piece + 5, r + 2, 8);
		take(e, &e->in, piece, KMD_PIECE_HEAD + n);
	} else if ((n = kmd_pieces_next(&e->out, piece))) {
		kmd_pieces_sent(&e->out, e->now);
		take(e, &e->back, piece, n);
	}
	KM_ASSERT(!e->out.head || (e->out.got <= e->out.sent && e->out.sent <= e->out.head->len));
}

int fuzz_one(const uint8_t *data, size_t size)
{
	struct ends e = {.now = 1};
	size_t records = size / RECORD;

	for (unsigned i = 0; i < 2; i++) {
		uint8_t *own = calloc(1, OWN);

		KM_ASSERT(own);
		int err = kmd_pieces_add(&e.out, own, own, OWN, e.now);
		KM_ASSERT(!err);
	}
	for (size_t i = 0; i < records && i < 256; i++) {
		e.now += data[i * RECORD] >= 250 ? KMD_PIECES_STUCK_US : 1;
		(void)kmd_pieces_tick(&e.out, e.now);
		(void)kmd_pieces_in_tick(&e.in, e.now);
		record(&e, data + i * RECORD);
	}
	(void)kmd_pieces_clear(&e.out);
	KM_ASSERT(!e.out.queued && !e.out.tail);
	kmd_pieces_in_clear(&e.in);
	kmd_pieces_in_clear(&e.back);
	return records && !(size % RECORD) && !e.garbage;
}

void fuzz_seeds(fuzz_emit_fn *emit, void *ctx)
{
	static const uint8_t whole[] = {
	    0, 1, 0, 1, 0x86, 0xa0, 0, 0, 0x00, 0x00, 0x80, 0x00, /* 100000 bytes: 32768 of them */
	    0, 1, 0, 1, 0x86, 0xa0, 0, 0, 0x80, 0x00, 0x80, 0x00, 0, 1, 0, 1, 0x86, 0xa0, 0, 1, 0x00, 0x00, 0x80, 0x00,
	    0, 1, 0, 1, 0x86, 0xa0, 0, 1, 0x80, 0x00, 0x06, 0xa0, /* 1696 */
	};
	uint8_t own[14 * RECORD] = {0};

	emit(ctx, "whole", whole, sizeof(whole));
	for (unsigned i = 0; i < 14; i++)
		own[i * RECORD] = 2;
	emit(ctx, "own", own, sizeof(own));
	/* given up half-way, then the next */
	own[3 * RECORD] = 251;
	emit(ctx, "stuck", own, sizeof(own));
}
