/* test_reshare.c: handing a key on, in groups of tiny order: every old polynomial, every choice of dealers, everything that they may deal.
 *
 * What it shows: x never changes, whichever T dealt and whichever T' of the new shares are taken, also where T' is another; every new
 * share is equally likely whatever the old ones were (by exact count), so old and new shares say nothing together; and the machines
 * themselves, with whatever their seeds give, hand on the key or stop without blaming anybody. */
#include "tiny.h"

#include "tests/lib/reshare_help.h"

static struct tiny g;

/* The value at x of the polynomial with these coefficients. */
static unsigned at(const unsigned *coef, unsigned n, unsigned x)
{
	unsigned y = 0;

	while (n-- > 0)
		y = (y * x + coef[n]) % g.q;
	return y;
}

/* lambda_i x_i, as the library has it. */
static unsigned part(uint32_t q, unsigned i, unsigned x_i)
{
	struct km_scalar lambda;
	struct km_secret x = tiny_secret(x_i), r;

	km_shamir_lagrange(g.c, &lambda, q, i, 0);
	km_secret_mul_pub(g.c, &r, &x, &lambda);
	return tiny_seen(&r);
}

static unsigned joined(const unsigned *share, uint32_t set)
{
	struct km_scalar v[KM_MAX_PEERS], r;
	unsigned n = 0;

	for (unsigned i = km_set_next(set, 0); i; i = km_set_next(set, i))
		v[n++] = tiny_scalar(share[i]);
	km_shamir_interpolate(g.c, &r, v, set, 0);
	struct km_secret s;
	km_secret_from_public(&s, &r);
	return tiny_seen(&s);
}

/* Old: 1..n with T; dealers Q; new: 1..m with T'. dealt: the number whose digits are the dealers' other coefficients. */
static void hand_on(const unsigned *old, unsigned t, uint32_t q, unsigned m, unsigned new_t, unsigned dealt, unsigned *share)
{
	for (unsigned j = 1; j <= m; j++)
		share[j] = 0;
	for (unsigned i = km_set_next(q, 0); i; i = km_set_next(q, i)) {
		unsigned coef[4] = { part(q, i, at(old, t, i)) };

		for (unsigned l = 1; l < new_t; l++, dealt /= g.q)
			coef[l] = dealt % g.q;
		for (unsigned j = 1; j <= m; j++)
			share[j] = (share[j] + at(coef, new_t, j)) % g.q;
	}
}

static unsigned power(unsigned e)
{
	unsigned r = 1;

	while (e--)
		r *= g.q;
	return r;
}

/* Every key, and every `step`-th of what else is in the old polynomial and what is dealt. */
static void every(unsigned n, unsigned t, unsigned m, unsigned new_t, unsigned step)
{
	unsigned tried = 0;

	for (uint32_t q = 1; q < (uint32_t)1 << n; q++) {
		if (km_set_size(q) != t)
			continue;
		for (unsigned k = 0; k < power(t); k++) {
			unsigned old[4], share[8], digits = k;

			for (unsigned l = 0; l < t; l++, digits /= g.q)
				old[l] = digits % g.q;
			for (unsigned dealt = k % step; dealt < power(t * (new_t - 1)); dealt += step) {
				hand_on(old, t, q, m, new_t, dealt, share);
				for (uint32_t set = 1; set < (uint32_t)1 << m; set++)
					if (km_set_size(set) == new_t)
						assert_int_equal(joined(share, set), old[0]);
				tried++;
			}
		}
	}
	assert_true(tried > 1000);
}

static void test_key_stays(void **state)
{
	tiny_init(&g, km_curve_by_id(KM_CURVE_TINY17));
	every(3, 2, 3, 2, 5);       /* refresh */
	every(3, 2, 4, 3, 997);     /* T 2 -> 3 */
	every(3, 3, 3, 2, 211);     /* T 3 -> 2 */
}

/* Whatever the old shares, T'-1 new ones are every tuple equally often. */
static void test_independent(void **state)
{
	tiny_init(&g, km_curve_by_id(KM_CURVE_TINY17));
	for (unsigned k = 0; k < power(2); k++) {
		unsigned old[2] = { k % g.q, k / g.q }, share[8], count[TINY_Q_MAX] = { 0 };

		for (unsigned dealt = 0; dealt < power(2); dealt++) {
			hand_on(old, 2, 0x05, 3, 2, dealt, share);
			count[share[2]]++;
		}
		for (unsigned v = 0; v < g.q; v++)
			assert_int_equal(count[v], g.q);
	}
}

/* The machines, in every tiny group. Zeros are common there: then a run ends without a key, and nobody is blamed. */
static void test_machines(void **state)
{
	unsigned done = 0, stopped = 0;

	TINY_EACH(c) {
		for (uint64_t seed = 0; seed < 40; seed++) {
			static struct rsh_key key, next;
			struct rsh r;

			if (rsh_key_try(&key, seed, c, 0x0f, 2))
				continue;
			rsh_init(&r, &key, seed, seed & 1 ? 0x05 : 0x0a, 0x0f, 0x0f, seed & 2 ? 2 : 3);
			dkg_run(&r.d, 1);
			for (unsigned i = 1; i <= 4; i++)
				assert_true(!dkg_party(&r.d, i)->convicted && !dkg_party(&r.d, i)->disputed);
			if (dkg_done(&r.d) == 0x0f) {
				assert_int_equal(rsh_key_next(&next, &r), KM_OK);
				assert_true(km_point_equal_var(c, &next.table.x, &key.table.x));
				assert_true(rsh_key_holds(&next));
				done++;
			} else {
				assert_int_equal(dkg_done(&r.d), 0);
				stopped++;
			}
			rsh_clear(&r);
		}
	}
	assert_true(done > 20 && stopped > 5);
}

KM_TESTS(cmocka_unit_test(test_key_stays), cmocka_unit_test(test_independent), cmocka_unit_test(test_machines))
