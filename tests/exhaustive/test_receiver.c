/* test_receiver.c: a receiver of many choices against the check of the OT extension (B3).
 *
 * Part one is a model in a reduced field: GF(2^4) for GF(2^128), three and four columns for 128, columns of two blocks. A
 * corrupt Bob lets column q name the choice vector c^q; the check folds a column to chi c_0 + c_1. For one chi, and Delta
 * unknown to him, the best he can answer is x = the fold that most columns have, and a guess of Delta_q in every other:
 * 2^-(columns off). Counted over all c^q, all chi, all Delta:
 *	- two different vectors have one fold for at most one chi of 2^4;
 *	- where none collide, his best chance is exactly 2^-c, c = the columns that do not name the most frequent vector;
 *	- so over chi it is at most 2^-c + pairs / 2^4: the bound of ot_ext.h with 4 for 128.
 * Part two asks the real check, 128 columns over GF(2^128): with c columns off and every guess of their bits, exactly the right
 * guess passes. */
#include "../lib/test.h"

#include <stdlib.h>
#include <string.h>
#include "base/rng.h"
#include "base/rules.h"
#include "proto/gf128.h"
#include "proto/ot_ext.h"

/* ---- the model */

#define FIELD 16

static unsigned times[FIELD][FIELD];

/* modulo x^4 + x + 1 */
static void field_init(void)
{
	for (unsigned a = 0; a < FIELD; a++)
		for (unsigned b = 0; b < FIELD; b++) {
			unsigned r = 0;

			for (unsigned i = 0; i < 4; i++)
				r ^= b >> i & 1 ? a << i : 0;
			for (unsigned i = 6; i >= 4; i--)
				r ^= r >> i & 1 ? 0x13u << (i - 4) : 0;
			times[a][b] = r;
		}
}

/* v = c_0 | c_1 << 4 */
static unsigned fold(unsigned chi, unsigned v)
{
	return times[chi][v & 15] ^ v >> 4;
}

static void test_collisions(void **state)
{
	unsigned total = 0;

	field_init();
	for (unsigned v = 1; v < 256; v++) {
		unsigned zero = 0;

		for (unsigned chi = 0; chi < FIELD; chi++)
			zero += fold(chi, v) == 0;
		assert_int_equal(zero, (v & 15) != 0);   /* the difference of two vectors; only in the last block: never */
		total += zero;
	}
	assert_int_equal(total, 240);
}

/* Passing Deltas of 2^kappa for an answer: x, and t^q off by guess_q times what x is off by. */
static unsigned passing(const unsigned *f, unsigned kappa, unsigned x, unsigned guess)
{
	unsigned good = 0;

	for (unsigned delta = 0; delta < 1u << kappa; delta++) {
		unsigned bad = 0;

		for (unsigned q = 0; q < kappa; q++) {
			unsigned off = f[q] ^ x;   /* Alice: Delta_q f_q = (t^q - T^q) + Delta_q x */

			bad |= (delta >> q & 1 ? off : 0) ^ (guess >> q & 1 ? off : 0);
		}
		good += !bad;
	}
	return good;
}

/* The best answer to folds: over all x and all guesses. */
static unsigned best(const unsigned *f, unsigned kappa)
{
	unsigned top = 0;

	for (unsigned x = 0; x < FIELD; x++)
		for (unsigned guess = 0; guess < 1u << kappa; guess++) {
			unsigned good = passing(f, kappa, x, guess);

			top = good > top ? good : top;
		}
	return top;
}

static unsigned most_frequent(const unsigned *v, unsigned n)
{
	unsigned top = 0;

	for (unsigned i = 0; i < n; i++) {
		unsigned same = 0;

		for (unsigned j = 0; j < n; j++)
			same += v[i] == v[j];
		top = same > top ? same : top;
	}
	return top;
}

static unsigned different_pairs(const unsigned *v, unsigned n)
{
	unsigned pairs = 0;

	for (unsigned i = 0; i < n; i++)
		for (unsigned j = 0; j < i; j++) {
			unsigned first = 1;

			/* distinct values only: by their first places */
			for (unsigned k = 0; k < i; k++)
				first &= v[k] != v[i];
			for (unsigned k = 0; k < j; k++)
				first &= v[k] != v[j];
			pairs += first && v[i] != v[j];
		}
	return pairs;
}

/* One choice of vectors, all chi. Adds up passing (Delta, chi). */
static void one_receiver(const unsigned *c, unsigned kappa, unsigned *memo)
{
	unsigned off = kappa - most_frequent(c, kappa), pairs = different_pairs(c, kappa), sum = 0, collided = 0;

	for (unsigned chi = 0; chi < FIELD; chi++) {
		unsigned f[4], key = 0, top;

		for (unsigned q = 0; q < kappa; q++) {
			f[q] = fold(chi, c[q]);
			key = key * FIELD + f[q];
		}
		top = memo[key] ? memo[key] : best(f, kappa);
		memo[key] = top;
		sum += top;
		if (different_pairs(f, kappa) < pairs) {
			collided++;
			continue;
		}
		assert_int_equal(top << off, 1u << kappa);   /* 2^-off of all Deltas */
	}
	assert_true(collided <= pairs);
	/* sum / (16 * 2^kappa) <= 2^-off + pairs / 16 */
	assert_true(sum <= (FIELD << (kappa - off)) + (pairs << kappa));
}

/* Column 0 names the vector 0 (only differences matter). Three columns: all others; four: all others of 16 vectors. */
static void test_model(void **state)
{
	unsigned *memo = calloc(65536, sizeof(*memo)), c[4] = { 0 };

	assert_non_null(memo);
	field_init();
	for (c[1] = 0; c[1] < 256; c[1]++)
		for (c[2] = 0; c[2] < 256; c[2]++)
			one_receiver(c, 3, memo);
	memset(memo, 0, 65536 * sizeof(*memo));
	for (c[1] = 0; c[1] < 256; c[1] += 17)
		for (c[2] = 0; c[2] < 256; c[2]++)
			for (c[3] = 0; c[3] < 256; c[3] += 15)
				one_receiver(c, 4, memo);
	free(memo);
}

/* ---- the real check */

#define BLOCKS 3
#define LEN (BLOCKS * KM_OT_BLOCK)

struct bob {
	uint8_t t[KM_OT_KAPPA * LEN], q[KM_OT_KAPPA * LEN], beta[LEN], delta[KM_OT_DELTA_SIZE], out[KM_OT_CHECK_SIZE];
	struct km_gf128 chi[BLOCKS];
};

/* Columns 0..off-1 name other vectors than the rest, each its own. Q^q = T^q + Delta_q (beta + e^q). */
static void bob_init(struct bob *b, struct km_rng *rng, unsigned off, uint8_t e[][LEN])
{
	uint8_t chi[KM_GF128_SIZE];

	km_rng_bytes(rng, b->t, sizeof(b->t));
	km_rng_bytes(rng, b->beta, sizeof(b->beta));
	km_rng_bytes(rng, b->delta, sizeof(b->delta));
	for (unsigned i = 0; i < BLOCKS; i++) {
		km_rng_bytes(rng, chi, sizeof(chi));
		b->chi[i] = i + 1 < BLOCKS ? km_gf128_load(chi) : (struct km_gf128){ 1, 0 };
	}
	for (unsigned q = 0; q < off; q++) {
		memset(e[q], 0, LEN);
		/* the smallest difference there is: one bit, of another row for each */
		e[q][q * 5 / 8] = (uint8_t)(1 << q * 5 % 8);
	}
}

static void alice(struct bob *b, unsigned off, uint8_t e[][LEN])
{
	for (unsigned q = 0; q < KM_OT_KAPPA; q++)
		for (unsigned i = 0; i < LEN; i++) {
			uint8_t named = b->beta[i] ^ (q < off ? e[q][i] : 0);

			b->q[q * LEN + i] = b->t[q * LEN + i] ^ (km_ot_bit(b->delta, q) ? named : 0);
		}
}

/* t^q with the guessed bit's error folded in. */
static void answer(struct bob *b, unsigned off, uint8_t e[][LEN], unsigned guess)
{
	km_ot_ext_prove(b->out, b->chi, b->t, b->beta, LEN);
	for (unsigned q = 0; q < off; q++) {
		uint8_t f[KM_GF128_SIZE];

		km_gf128_store(f, km_gf128_dot(b->chi, e[q], BLOCKS));
		for (unsigned i = 0; i < KM_GF128_SIZE && (guess >> q & 1); i++)
			b->out[(1 + q) * KM_OT_BLOCK + i] ^= f[i];
	}
}

static void test_real_check(void **state)
{
	static const uint8_t seed[KM_SEED_SIZE] = { 3 };
	static struct bob b;
	static uint8_t e[8][LEN];
	struct km_rng rng;

	km_rules_off = 0;
	km_rng_init(&rng, seed, "receiver", NULL, 0);
	for (unsigned off = 0; off <= 6; off++) {
		bob_init(&b, &rng, off, e);
		for (unsigned delta = 0; delta < 1u << off; delta++) {
			unsigned good = 0;

			b.delta[0] = (uint8_t)((b.delta[0] & ~((1u << off) - 1)) | delta);
			alice(&b, off, e);
			for (unsigned guess = 0; guess < 1u << off; guess++) {
				int err;

				answer(&b, off, e, guess);
				err = km_ot_ext_check(b.out, b.chi, b.q, b.delta, LEN);
				assert_int_equal(err, guess == delta ? KM_OK : KM_E_VERIFY);
				good += err == KM_OK;
			}
			assert_int_equal(good, 1);
		}
	}
}

/* Any one bit of the answer or of u's effect on Q: refused, or where Delta_q = 0 without effect. */
static void test_one_bit(void **state)
{
	static const uint8_t seed[KM_SEED_SIZE] = { 2 };
	static struct bob b;
	struct km_rng rng;

	km_rules_off = 0;
	km_rng_init(&rng, seed, "bits", NULL, 0);
	bob_init(&b, &rng, 0, NULL);
	alice(&b, 0, NULL);
	answer(&b, 0, NULL, 0);
	assert_int_equal(km_ot_ext_check(b.out, b.chi, b.q, b.delta, LEN), KM_OK);
	for (unsigned bit = 0; bit < 8 * KM_OT_CHECK_SIZE; bit++) {
		b.out[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_int_equal(km_ot_ext_check(b.out, b.chi, b.q, b.delta, LEN), KM_E_VERIFY);
		b.out[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	for (unsigned q = 0; q < KM_OT_KAPPA; q++)
		for (unsigned row = 0; row < 8 * LEN; row += 7) {
			/* u^q with another bit: Q^q changes where Delta_q is 1 */
			uint8_t *at = &b.q[q * LEN + row / 8], was = *at;

			*at ^= (uint8_t)(km_ot_bit(b.delta, q) << row % 8);
			assert_int_equal(km_ot_ext_check(b.out, b.chi, b.q, b.delta, LEN), km_ot_bit(b.delta, q) ? KM_E_VERIFY :
					 KM_OK);
			*at = was;
		}
}

KM_TESTS(cmocka_unit_test(test_collisions), cmocka_unit_test(test_model), cmocka_unit_test(test_real_check),
	 cmocka_unit_test(test_one_bit))
