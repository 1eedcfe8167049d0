/* test_ole.c: the vector OLE over the field of 17 elements, on ideal oblivious transfers (the base OTs refuse the identity,
 * which in a tiny group is everywhere); and whole runs of engine any in the toy group of 63 bits.
 *
 * What it shows: for every k, v and a the shares of k a and v a add up. Alice lies in one of the 165 rows, by every value in
 * each of its three scalars, and answers the check as well as it can be answered: Bob accepts exactly when he did not use the
 * row, and then his shares are right, or when theta, which she does not know before, happens to hide the lie: 1/q (B4). Where
 * she bets on his bit she learns it, at the price of being caught when she is wrong. */
#include "tiny.h"

#include <stdlib.h>
#include "base/rules.h"
#include "base/secret.h"
#include "../lib/dealer.h"
#include "proto/vole.h"

static struct tiny g;
static uint8_t sid[KM_HASH_SIZE] = { 7 };

struct ole {
	struct km_vole v;
	size_t len;
	uint8_t delta[KM_OT_DELTA_SIZE], *beta, *q, *t, *head, *body;
	mp_limb_t *gadget;
	struct km_secret k, in, u[2], w[2];
	struct km_rng rng;
};

static void ole_init(struct ole *o)
{
	static const uint8_t seed[KM_SEED_SIZE] = { 8 };

	memset(o, 0, sizeof(*o));
	km_rng_init(&o->rng, seed, "ole", NULL, 0);
	o->gadget = km_vole_gadget(g.c, sid);
	o->v = (struct km_vole){ .c = g.c, .pair = { sid, 4, 9 }, .batch = 1, .xi = km_vole_xi(g.c), .gadget = o->gadget };
	assert_int_equal(o->v.xi, 165);
	o->len = km_ot_column_size(o->v.xi);
	o->beta = malloc(o->len);
	o->q = malloc(KM_OT_KAPPA * o->len);
	o->t = malloc(KM_OT_KAPPA * o->len);
	o->head = malloc(km_vole_head_size(g.c, 1));
	o->body = malloc(km_vole_row_size(g.c));
	assert_true(o->gadget && o->beta && o->q && o->t && o->head && o->body);
}

static void ole_free(struct ole *o)
{
	free(o->gadget);
	free(o->beta);
	free(o->q);
	free(o->t);
	free(o->head);
	free(o->body);
}

/* What an ideal OT extension deals: Q_j = T_j + beta_j Delta. */
static void deal(struct ole *o)
{
	km_rng_bytes(&o->rng, o->delta, sizeof(o->delta));
	km_rng_bytes(&o->rng, o->beta, o->len);
	km_rng_bytes(&o->rng, o->t, KM_OT_KAPPA * o->len);
	for (size_t j = 0; j < 8 * o->len; j++)
		for (unsigned b = 0; b < KM_OT_BLOCK; b++)
			o->q[j * KM_OT_BLOCK + b] = o->t[j * KM_OT_BLOCK + b] ^ (km_ot_bit(o->beta, j) ? o->delta[b] : 0);
}

static void send(struct ole *o, unsigned k, unsigned v)
{
	o->k = tiny_secret(k);
	o->in = tiny_secret(v);
	km_secret_zero(&o->u[0]);
	km_secret_zero(&o->w[0]);
	assert_int_equal(km_vole_send(&o->v, o->q, o->delta, &o->k, &o->in, &o->rng, o->head, o->body, &o->u[0], &o->w[0]),
			 KM_OK);
}

static int receive(struct ole *o)
{
	km_secret_zero(&o->u[1]);
	km_secret_zero(&o->w[1]);
	return km_vole_receive(&o->v, o->t, o->beta, o->head, o->body, &o->u[1], &o->w[1]);
}

static unsigned chi_of(const struct ole *o)
{
	struct km_secret chi;

	km_vole_chi(&o->v, &chi, o->beta, 0);
	return tiny_seen(&chi);
}

/* All k, v, a: Bob's a = chi + psi, psi public. */
static void test_products(void **state)
{
	unsigned hit[TINY_Q_MAX] = { 0 };
	struct ole o;

	tiny_init(&g, km_curve_by_id(KM_CURVE_TINY17));
	ole_init(&o);
	for (unsigned k = 0; k < g.q; k++)
		for (unsigned v = 0; v < g.q; v++) {
			deal(&o);
			send(&o, k, v);
			assert_int_equal(receive(&o), KM_OK);
			unsigned u = tiny_seen(&o.u[0]) + tiny_seen(&o.u[1]), w = tiny_seen(&o.w[0]) + tiny_seen(&o.w[1]),
				chi = chi_of(&o);
			hit[chi]++;
			for (unsigned a = 0; a < g.q; a++) {
				unsigned psi = (a + g.q - chi) % g.q;

				assert_int_equal((u + k * psi) % g.q, k * a % g.q);
				assert_int_equal((w + v * psi) % g.q, v * a % g.q);
			}
		}
	for (unsigned chi = 0; chi < g.q; chi++)
		assert_true(hit[chi] > 4);
	ole_free(&o);
}

/* ---- a lying Alice */

static void theta_of(const struct ole *o, unsigned *theta)
{
	uint8_t leaf[KM_HASH_SIZE];

	km_merkle_leaf(o->body, km_vole_row_size(g.c), leaf);
	for (unsigned i = 0; i < KM_ROW_INPUTS; i++) {
		struct km_scalar s;
		struct km_hash h;

		km_hash_init(&h, "theta");
		km_hash_field(&h, sid, KM_HASH_SIZE);
		km_hash_u8(&h, 4);
		km_hash_u8(&h, 9);
		for (unsigned d = 0; d < 3; d++)
			km_hash_field(&h, o->v.digest[d], KM_HASH_SIZE);
		km_hash_field(&h, leaf, KM_HASH_SIZE);
		km_hash_u32(&h, 0);
		km_hash_u8(&h, (uint8_t)i);
		km_scalar_from_hash(g.c, &s, &h);
		theta[i] = tiny_value(&s);
	}
}

/* Row by row the pad of choice 0, as Alice has it. */
static void pads(const struct ole *o, unsigned (*p0)[KM_ROW_WIDTH])
{
	size_t size = KM_ROW_WIDTH * km_curve_wide_size(g.c);
	struct km_ot_pads keys;

	km_ot_pads_init(&keys, &o->v.pair);
	for (unsigned t = 0; t < o->v.xi; t += KM_OT_PADS) {
		uint8_t wide[KM_OT_PADS * KM_OT_PAD_STRIDE];
		uint32_t number[KM_OT_PADS];

		for (unsigned i = 0; i < KM_OT_PADS; i++)
			number[i] = t + i;
		km_ot_pad(&keys, wide, size, number, (const uint8_t(*)[KM_OT_BLOCK])(o->q + t * KM_OT_BLOCK));
		for (unsigned i = 0; i < KM_OT_PADS && t + i < o->v.xi; i++) {
			mp_limb_t row[KM_ROW_LIMBS_MAX];

			km_row_pad(g.c, row, wide + i * KM_OT_PAD_STRIDE);
			for (unsigned s = 0; s < KM_ROW_WIDTH; s++)
				p0[t + i][s] = (unsigned)row[s];
		}
	}
}

/* mu and eta for the payload as it is now, as if it were honest; in the line of row `bet` as it would be if Bob's bit there
 * were 1. */
static void answer(struct ole *o, unsigned (*p0)[KM_ROW_WIDTH], unsigned m, int bet, unsigned off)
{
	uint8_t line[256];
	unsigned theta[KM_ROW_INPUTS];
	struct km_hash h;

	theta_of(o, theta);
	for (unsigned t = 0; t < o->v.xi; t++)
		line[t] = (uint8_t)((p0[t][2] + theta[0] * p0[t][0] + theta[1] * p0[t][1]) % g.q);
	if (bet >= 0)
		line[bet] = (uint8_t)((line[bet] + theta[0] * off) % g.q);
	km_hash_init(&h, "mu");
	km_hash_field(&h, sid, KM_HASH_SIZE);
	km_hash_u8(&h, 4);
	km_hash_u8(&h, 9);
	km_hash_field(&h, line, o->v.xi);
	km_hash_final(&h, o->head);
	o->head[KM_HASH_SIZE] = (uint8_t)((m + theta[0] * tiny_seen(&o->k) + theta[1] * tiny_seen(&o->in)) % g.q);
}

static unsigned total(const struct ole *o, int second)
{
	const struct km_secret *s = second ? o->w : o->u;

	return (tiny_seen(&s[0]) + tiny_seen(&s[1])) % g.q;
}

struct lie {
	struct ole o;
	unsigned p0[256][KM_ROW_WIDTH], m, chi;
	unsigned tried, unused, slipped, caught;
};

/* Alice's mask m, from her own eta. */
static void lie_init(struct lie *l)
{
	unsigned theta[KM_ROW_INPUTS];

	tiny_init(&g, km_curve_by_id(KM_CURVE_TINY17));
	memset(l, 0, sizeof(*l));
	ole_init(&l->o);
	deal(&l->o);
	send(&l->o, 11, 5);
	assert_int_equal(receive(&l->o), KM_OK);
	l->chi = chi_of(&l->o);
	pads(&l->o, l->p0);
	theta_of(&l->o, theta);
	l->m = (l->o.head[KM_HASH_SIZE] + g.q * g.q * 2 - theta[0] * 11 - theta[1] * 5) % g.q;
	uint8_t head[KM_HASH_SIZE + 1];
	memcpy(head, l->o.head, sizeof(head));
	answer(&l->o, l->p0, l->m, -1, 0);
	assert_memory_equal(head, l->o.head, sizeof(head));   /* the liar's arithmetic is right */
}

static void one_lie(struct lie *l, unsigned t, unsigned s, unsigned off)
{
	struct ole *o = &l->o;
	uint8_t *at = o->body + t * KM_ROW_WIDTH + s, was = *at;
	unsigned theta[KM_ROW_INPUTS], used = km_ot_bit(o->beta, t), hidden;
	int err;

	*at = (uint8_t)((was + off) % g.q);
	answer(o, l->p0, l->m, -1, 0);
	theta_of(o, theta);
	hidden = (s == 2 ? off : theta[s] * off) % g.q == 0;
	err = receive(o);
	assert_int_equal(err, used && !hidden ? KM_E_VERIFY : KM_OK);
	if (!used) {
		assert_int_equal(total(o, 0), 11 * l->chi % g.q);
		assert_int_equal(total(o, 1), 5 * l->chi % g.q);
	}
	l->tried++;
	l->unused += !used;
	l->slipped += used && hidden;
	l->caught += used && !hidden;
	*at = was;
}

/* Every row, every scalar in it, every other value. */
static void test_single_rows(void **state)
{
	struct lie l;

	lie_init(&l);
	for (unsigned t = 0; t < l.o.v.xi; t++)
		for (unsigned s = 0; s < KM_ROW_WIDTH; s++)
			for (unsigned off = 1; off < g.q; off++)
				one_lie(&l, t, s, off);
	print_message("# %u lies: %u in rows not used, %u caught, %u hidden by theta\n", l.tried, l.unused, l.caught, l.slipped);
	assert_int_equal(l.tried, 165 * 3 * 16);
	/* a lie in the check scalar alone is never hidden; the others by theta = 0, one in 17 */
	assert_in_range(l.slipped * 17 * 100 / ((l.caught + l.slipped) * 2 / 3), 70, 130);
	ole_free(&l.o);
}

/* She bets on his bit and makes the line of that row for it: passes if and only if he used the row; his share is then off by
 * g_t. */
static void test_bets(void **state)
{
	struct lie l;

	lie_init(&l);
	for (unsigned t = 0; t < l.o.v.xi; t++)
		for (unsigned off = 1; off < g.q; off++) {
			uint8_t *at = l.o.body + t * KM_ROW_WIDTH, was = *at;
			unsigned theta[KM_ROW_INPUTS], used = km_ot_bit(l.o.beta, t);

			*at = (uint8_t)((was + off) % g.q);
			theta_of(&l.o, theta);
			answer(&l.o, l.p0, l.m, (int)t, off);
			assert_int_equal(receive(&l.o), used || theta[0] == 0 ? KM_OK : KM_E_VERIFY);
			if (used)
				assert_int_equal(total(&l.o, 0), (11 * l.chi + off * (unsigned)l.o.gadget[t]) % g.q);
			*at = was;
		}
	ole_free(&l.o);
}

/* What is changed without the check being made anew does not pass: each scalar of the payload, each byte of mu, each eta. Two
 * theta of 17 values each are the same for one other payload in 289: then the lie is as good as one that was answered. */
static void test_channel(void **state)
{
	unsigned theta[KM_ROW_INPUTS], again[KM_ROW_INPUTS], same = 0;
	struct lie l;

	lie_init(&l);
	theta_of(&l.o, theta);
	for (unsigned i = 0; i < km_vole_row_size(g.c) + km_vole_head_size(g.c, 1); i++) {
		uint8_t *at = i < km_vole_row_size(g.c) ? l.o.body + i : l.o.head + (i - km_vole_row_size(g.c)), was = *at;
		int mu = i >= km_vole_row_size(g.c) && i < km_vole_row_size(g.c) + KM_HASH_SIZE;

		for (unsigned v = 0; v < 256; v++) {
			if (v == was)
				continue;
			*at = (uint8_t)v;
			theta_of(&l.o, again);
			if (v < g.q && i < km_vole_row_size(g.c) && memcmp(theta, again, sizeof(theta)) == 0) {
				same++;
				assert_true(receive(&l.o) == KM_OK || km_ot_bit(l.o.beta, i / KM_ROW_WIDTH));
				continue;
			}
			assert_int_equal(receive(&l.o), mu || v < g.q ? KM_E_VERIFY : KM_E_ENCODING);
		}
		*at = was;
	}
	assert_int_equal(receive(&l.o), KM_OK);
	assert_in_range(same, 1, 7920 / 289 * 2);
	ole_free(&l.o);
}

/* ---- engine any, whole, in the toy group: every quorum of 2 of 2, 2 of 3 and 3 of 4 */

static void test_engine_any(void **state)
{
	static const unsigned sizes[][2] = { { 2, 2 }, { 3, 2 }, { 4, 3 } };
	const struct km_curve *c = km_curve_by_id(KM_CURVE_TOY);

	km_rules_off = 0;
	for (unsigned i = 0; i < 3; i++)
		for (uint32_t set = (1u << sizes[i][1]) - 1; set; set = tiny_next_subset(set, sizes[i][0])) {
			struct km_sign_input in;
			struct km_scalar r, s;
			struct group gr;

			assert_int_equal(group_make(&gr, c, KM_PRESIGN_ANY, 100 + set, (1u << sizes[i][0]) - 1, sizes[i][1],
						    set, 3, 0), KM_OK);
			net_run(gr.net, 1);
			for (unsigned j = km_set_next(set, 0); j; j = km_set_next(set, j))
				assert_true(net_party(gr.net, (uint8_t)j)->done);
			group_take(&gr);
			for (unsigned l = 0; l < 3; l++) {
				group_input(&gr, &in, "toy");
				assert_int_equal(group_sign(&gr, l, &in, &r, &s), KM_OK);
			}
			group_clear(&gr);
		}
}

KM_TESTS(cmocka_unit_test(test_products), cmocka_unit_test(test_single_rows), cmocka_unit_test(test_bets),
	 cmocka_unit_test(test_channel),
	 cmocka_unit_test(test_engine_any))
