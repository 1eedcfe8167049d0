/* test_pieces.c: large frames in pieces: order, windows, bounds, loss, restarts, and what a corrupt peer sends. */
#include <stdlib.h>
#include <string.h>
#include "lib/test.h"
#include "mesh/pieces.h"

static uint64_t now;

static uint8_t *filled(size_t len, unsigned salt)
{
	uint8_t *p = malloc(len);

	assert_non_null(p);
	for (size_t k = 0; k < len; k++)
		p[k] = (uint8_t)(k * 31 + (k >> 13) + salt);
	return p;
}

static void queue(struct kmd_pieces_out *o, size_t len, unsigned salt)
{
	uint8_t *p = filled(len, salt);

	assert_int_equal(kmd_pieces_add(o, p, p, len, now), KM_OK);
}

static int is_frame(const uint8_t *p, size_t len, size_t want, unsigned salt)
{
	uint8_t *q = filled(want, salt);
	int same = len == want && memcmp(p, q, want) == 0;

	free(q);
	return same;
}

/* One piece over; 1 when it made a frame whole. lose: 1 its GOT. */
static int step(struct kmd_pieces_out *o, struct kmd_pieces_in *i, uint8_t **block, size_t *len, int lose)
{
	uint8_t piece[KMD_PIECE_MAX], got_frame[KMD_GOT_SIZE];
	size_t n = kmd_pieces_next(o, piece);
	int got, whole;

	assert_true(n > 0);
	kmd_pieces_sent(o, now);
	whole = kmd_pieces_take(i, piece, n, now, block, len, got_frame, &got);
	assert_true(whole >= 0);
	if (got && !lose)
		assert_int_equal(kmd_pieces_on_got(o, got_frame, sizeof(got_frame), now), KM_OK);
	return whole;
}

static void test_sizes(void **state)
{
	static const size_t sizes[] = {KMD_PIECES_OVER + 1, 2 * KMD_PIECE_SIZE + 1, 3 * KMD_PIECE_SIZE - 1, 3 * KMD_PIECE_SIZE, 3 * KMD_PIECE_SIZE + 1,
				       1000003, KMD_PIECES_TOTAL};
	struct kmd_pieces_out o = {0};
	struct kmd_pieces_in i = {0};

	for (unsigned k = 0; k < sizeof(sizes) / sizeof(sizes[0]); k++) {
		uint8_t *block = NULL;
		size_t len = 0;
		unsigned pieces = 1;

		queue(&o, sizes[k], k);
		while (!step(&o, &i, &block, &len, 0))
			pieces++;
		assert_int_equal(pieces, (sizes[k] + KMD_PIECE_SIZE - 1) / KMD_PIECE_SIZE);
		assert_true(is_frame(block, len, sizes[k], k));
		free(block);
		assert_null(o.head);
		assert_int_equal(o.queued, 0);
		assert_null(i.block);
	}
}

static void test_one_after_the_other(void **state)
{
	struct kmd_pieces_out o = {0};
	struct kmd_pieces_in i = {0};
	uint8_t *block;
	size_t len;

	for (unsigned k = 0; k < 5; k++)
		queue(&o, 100000 + k, k);
	for (unsigned k = 0; k < 5; k++) {
		while (!step(&o, &i, &block, &len, 0))
			;
		assert_true(is_frame(block, len, 100000 + k, k));
		free(block);
	}
	assert_null(o.head);
}

/* No more than a window is under way, whatever waits. */
static void test_window(void **state)
{
	struct kmd_pieces_out o = {0};
	uint8_t piece[KMD_PIECE_MAX], got[KMD_GOT_SIZE] = {KMD_PIECE_GOT};
	unsigned n = 0;

	queue(&o, 1000000, 0);
	while (kmd_pieces_next(&o, piece)) {
		kmd_pieces_sent(&o, now);
		n++;
	}
	assert_int_equal(n * KMD_PIECE_SIZE, KMD_PIECES_WINDOW);
	got[7] = KMD_PIECE_SIZE >> 8;
	assert_int_equal(kmd_pieces_on_got(&o, got, sizeof(got), now), KM_OK);
	assert_true(kmd_pieces_next(&o, piece) > 0);
	kmd_pieces_sent(&o, now);
	assert_int_equal(kmd_pieces_next(&o, piece), 0);
	/* the same again, more than was sent, of another frame, of another length */
	assert_int_equal(kmd_pieces_on_got(&o, got, sizeof(got), now), KM_E_ENCODING);
	got[6] = 0x7f;
	assert_int_equal(kmd_pieces_on_got(&o, got, sizeof(got), now), KM_E_ENCODING);
	got[4] = 1;
	assert_int_equal(kmd_pieces_on_got(&o, got, sizeof(got), now), KM_E_STALE);
	assert_int_equal(kmd_pieces_on_got(&o, got, sizeof(got) - 1, now), KM_E_ENCODING);
	assert_int_equal(kmd_pieces_next(&o, piece), 0);
	assert_int_equal(kmd_pieces_clear(&o), 1);
}

static void test_queue_bound(void **state)
{
	struct kmd_pieces_out o = {0};
	size_t each = 4u << 20;
	unsigned n = 0;
	uint8_t *p;

	for (;;) {
		p = malloc(each);
		assert_non_null(p);
		if (kmd_pieces_add(&o, p, p, each, now))
			break;
		n++;
	}
	assert_int_equal(n, KMD_PIECES_QUEUED / each);
	assert_true(o.queued <= KMD_PIECES_QUEUED);
	p = malloc(KMD_PIECES_OVER);
	assert_int_equal(kmd_pieces_add(&o, p, p, KMD_PIECES_OVER, now), KM_E_LIMIT);
	p = malloc(1);
	assert_int_equal(kmd_pieces_add(&o, p, p, (size_t)KMD_PIECES_TOTAL + 1, now), KM_E_LIMIT);
	assert_int_equal(kmd_pieces_clear(&o), n);
	assert_int_equal(o.queued, 0);
}

/* The other side says nothing any more: the frame is given up, and the next one has its turn under another number. */
static void test_stuck(void **state)
{
	struct kmd_pieces_out o = {0};
	struct kmd_pieces_in i = {0};
	uint8_t *block;
	size_t len;

	now = 1000000;
	queue(&o, 200000, 1);
	queue(&o, 300000, 2);
	for (unsigned k = 0; k < KMD_PIECES_WINDOW / KMD_PIECE_SIZE; k++)
		assert_int_equal(step(&o, &i, &block, &len, 1), 0);
	now += KMD_PIECES_STUCK_US - 1;
	assert_int_equal(kmd_pieces_tick(&o, now) + (unsigned)kmd_pieces_in_tick(&i, now), 0);
	now++;
	assert_int_equal(kmd_pieces_tick(&o, now), 1);
	/* the begun one is given up by the first piece of the next */
	assert_non_null(i.block);
	while (!step(&o, &i, &block, &len, 0))
		;
	assert_true(is_frame(block, len, 300000, 2));
	free(block);
	/* half of one, and no more */
	queue(&o, 200000, 3);
	assert_int_equal(step(&o, &i, &block, &len, 0), 0);
	now += KMD_PIECES_STUCK_US;
	assert_int_equal(kmd_pieces_in_tick(&i, now), 1);
	assert_null(i.block);
	assert_int_equal(kmd_pieces_clear(&o), 1);
}

/* A new channel begins in the middle of nothing. */
static void test_channel_closed(void **state)
{
	struct kmd_pieces_out o = {0};
	struct kmd_pieces_in i = {0};
	uint8_t *block;
	size_t len;

	queue(&o, 200000, 1);
	queue(&o, 200000, 2);
	assert_int_equal(step(&o, &i, &block, &len, 0), 0);
	assert_int_equal(kmd_pieces_clear(&o), 2);
	queue(&o, 150000, 4);
	while (!step(&o, &i, &block, &len, 0))
		;
	assert_true(is_frame(block, len, 150000, 4));
	free(block);
}

static int raw(struct kmd_pieces_in *i, uint32_t number, uint32_t total, uint32_t offset, size_t n)
{
	uint8_t d[KMD_PIECE_MAX + 1] = {KMD_PIECE}, got_frame[KMD_GOT_SIZE], *block;
	uint32_t v[3] = {number, total, offset};
	size_t len;
	int got;

	for (unsigned k = 0; k < 12; k++)
		d[1 + k] = (uint8_t)(v[k / 4] >> (24 - 8 * (k % 4)));
	int err = kmd_pieces_take(i, d, KMD_PIECE_HEAD + n, now, &block, &len, got_frame, &got);
	assert_null(block);
	return err;
}

static void test_garbage(void **state)
{
	struct kmd_pieces_in i = {0};

	assert_int_equal(raw(&i, 1, 100000, KMD_PIECE_SIZE, KMD_PIECE_SIZE), KM_E_STALE);
	assert_int_equal(raw(&i, 1, KMD_PIECES_OVER, 0, KMD_PIECE_SIZE), KM_E_ENCODING);
	assert_int_equal(raw(&i, 1, KMD_PIECES_TOTAL + 1, 0, KMD_PIECE_SIZE), KM_E_ENCODING);
	assert_int_equal(raw(&i, 1, UINT32_MAX, 0, KMD_PIECE_SIZE), KM_E_ENCODING);
	assert_int_equal(raw(&i, 1, 100000, 0, KMD_PIECE_SIZE - 1), KM_E_ENCODING);
	assert_int_equal(raw(&i, 1, 100000, 0, KMD_PIECE_SIZE + 1), KM_E_ENCODING);
	assert_int_equal(raw(&i, 1, 100000, 0, 0), KM_E_ENCODING);
	assert_null(i.block);
	assert_int_equal(raw(&i, 1, 100000, 0, KMD_PIECE_SIZE), 0);
	/* another frame's, another length's, twice, too early, behind the end, cut: none harms what was begun */
	assert_int_equal(raw(&i, 2, 100000, KMD_PIECE_SIZE, KMD_PIECE_SIZE), KM_E_STALE);
	assert_int_equal(raw(&i, 1, 100001, KMD_PIECE_SIZE, KMD_PIECE_SIZE), KM_E_STALE);
	assert_int_equal(raw(&i, 1, 100000, 2 * KMD_PIECE_SIZE, KMD_PIECE_SIZE), KM_E_STALE);
	assert_int_equal(raw(&i, 1, 100000, 4 * KMD_PIECE_SIZE, KMD_PIECE_SIZE), KM_E_ENCODING);
	assert_int_equal(raw(&i, 1, 100000, KMD_PIECE_SIZE + 1, KMD_PIECE_SIZE), KM_E_ENCODING);
	assert_int_equal(raw(&i, 1, 100000, KMD_PIECE_SIZE, 100), KM_E_ENCODING);
	assert_int_equal(raw(&i, 1, 100000, KMD_PIECE_SIZE, KMD_PIECE_SIZE), 0);
	assert_int_equal(i.have, 2 * KMD_PIECE_SIZE);
	assert_int_equal(raw(&i, 1, 100000, KMD_PIECE_SIZE, KMD_PIECE_SIZE), KM_E_STALE);
	kmd_pieces_in_clear(&i);
}

/* Random bytes, sizes and orders: never more memory than one frame, never a crash. */
static void test_random(void **state)
{
	struct kmd_pieces_out o = {0};
	struct kmd_pieces_in i = {0};
	uint64_t x = 7;

	queue(&o, 500000, 0);
	for (unsigned k = 0; k < 20000; k++) {
		uint8_t d[64], got_frame[KMD_GOT_SIZE], *block;
		size_t n = 1 + k % sizeof(d), len;
		int got;

		for (size_t j = 0; j < n; j++) {
			x = x * 6364136223846793005u + 1442695040888963407u;
			d[j] = (uint8_t)(x >> 40) & (j ? 0x81 : 0xff);
		}
		d[0] = k & 1 ? KMD_PIECE : KMD_PIECE_GOT;
		int err = kmd_pieces_take(&i, d, n, now, &block, &len, got_frame, &got);
		assert_true(err <= 0);
		err = kmd_pieces_on_got(&o, d, n, now);
		assert_true(err == KM_E_ENCODING || err == KM_E_STALE);
	}
	assert_int_equal(kmd_pieces_clear(&o), 1);
	kmd_pieces_in_clear(&i);
}

KM_TESTS(cmocka_unit_test(test_sizes), cmocka_unit_test(test_one_after_the_other), cmocka_unit_test(test_window),
	 cmocka_unit_test(test_queue_bound), cmocka_unit_test(test_stuck), cmocka_unit_test(test_channel_closed),
	 cmocka_unit_test(test_garbage), cmocka_unit_test(test_random))
