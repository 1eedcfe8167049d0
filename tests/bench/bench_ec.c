/* bench_ec: time per call of what src/ec does. Built by name (make tests/bench/bench_ec), prints a table. */
#define _POSIX_C_SOURCE 200809L
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <nettle/ecc.h>
#include "ec/curve_impl.h"
#include "ec/msm.h"
#include "ec/shamir.h"
#include "base/rng.h"

#define MSM_MAX 2500

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void row(const struct km_curve *c, const char *what, double ns)
{
	printf("%-6s %-28s %12.1f ns\n", km_curve_name(c), what, ns);
}

/* The fastest of five rounds: other programs only ever add to the time. */
#define TIME(c, what, times, body)                                         \
	do {                                                               \
		double best = 1e18;                                        \
		for (int round_ = 0; round_ < 5; round_++) {               \
			double t0_ = now(), t_;                            \
			for (size_t i = 0; i < (size_t)(times); i++)       \
				body;                                      \
			t_ = (now() - t0_) / (times);                      \
			best = t_ < best ? t_ : best;                      \
		}                                                          \
		row(c, what, best);                                        \
	} while (0)

static struct km_scalar ks[MSM_MAX];
static struct km_point ps[MSM_MAX];

static void must(int err)
{
	if (err)
		abort();
}

static void bench_field(const struct km_curve *c)
{
	mp_limb_t a[KM_LIMBS_MAX], b[KM_LIMBS_MAX];

	memcpy(a, ps[0].x, sizeof(a));
	memcpy(b, ps[0].y, sizeof(b));
	TIME(c, "field mul (chained)", 100000, km_mod_mul(&c->p, a, a, b));
	TIME(c, "field sqr (chained)", 100000, km_mod_sqr(&c->p, a, a));
	TIME(c, "field add (chained)", 100000, km_mod_add(&c->p, a, a, b));
	TIME(c, "field inv", 100, km_mod_inv(&c->p, a, a));
	TIME(c, "field sqrt", 100, km_mod_sqrt(&c->p, a, a));
}

static void bench_scalar(const struct km_curve *c)
{
	uint8_t wide[KM_SCALAR_MAX + 17] = { 1 };
	struct km_secret s, t;

	km_secret_from_public(&s, &ks[0]);
	TIME(c, "secret_mul", 100000, km_secret_mul(c, &s, &s, &s));
	TIME(c, "secret_addmul_pub", 100000, km_secret_addmul_pub(c, &s, &s, &ks[0]));
	TIME(c, "secret_inv", 100, km_secret_inv(c, &s, &s));
	TIME(c, "secret_reduce (wide)", 10000, km_secret_reduce(c, &t, wide, km_curve_wide_size(c)));
	TIME(c, "scalar_inv_batch, each of 100", 1, must(km_scalar_inv_batch(c, ks, ks, 100)));
}

static void bench_point(const struct km_curve *c)
{
	uint8_t b[KM_POINT_MAX * 100];
	struct km_point r = ps[1], t;
	struct km_secret s;

	km_secret_from_public(&s, &ks[1]);
	TIME(c, "point_add (complete)", 10000, km_point_add(c, &r, &r, &ps[0]));
	TIME(c, "point_mul_g", 100, km_point_mul_g(c, &r, &s));
	TIME(c, "point_mul", 100, km_point_mul(c, &r, &s, &ps[0]));
	TIME(c, "point_mul_var", 100, km_point_mul_var(c, &r, &ks[1], &ps[0]));
	km_point_add(c, &t, &r, &ps[0]);
	TIME(c, "point_encode", 100, must(km_point_encode_var(c, b, &t)));
	TIME(c, "point_decode", 100, must(km_point_decode_var(c, &r, b)));
	TIME(c, "encode_batch of 100", 10, must(km_point_encode_batch_var(c, b, KM_POINT_MAX, ps, 100)));
}

/* Nettle alone, for comparison. */
static void bench_nettle(const struct km_curve *c)
{
	mp_limb_t k[KM_LIMBS_MAX], out[2 * KM_LIMBS_MAX];
	struct ecc_scalar s = { km_curve_nettle(c), k };
	struct ecc_point r = { km_curve_nettle(c), out };

	memcpy(k, ks[1].l, sizeof(k));
	TIME(c, "ecc_point_mul_g (Nettle)", 100, ecc_point_mul_g(&r, &s));
	TIME(c, "ecc_point_mul (Nettle)", 100, ecc_point_mul(&r, &s, &r));
}

static void bench_msm(const struct km_curve *c)
{
	static const size_t n[] = { 1, 2, 3, 5, 10, 20, 50, 100, 300, 1000, 2500 };
	struct km_point r;
	char what[40];

	for (size_t j = 0; j < sizeof(n) / sizeof(n[0]); j++) {
		snprintf(what, sizeof(what), "msm of %zu", n[j]);
		TIME(c, what, (n[j] < 100 ? 20 : 1), must(km_msm_var(c, &r, ks, ps, n[j])));
	}
}

static void bench_shamir(const struct km_curve *c)
{
	struct km_scalar v[32];
	struct km_point r;

	TIME(c, "lagrange_all, 5 of 5", 100, km_shamir_lagrange_all(c, v, 0x1f, 0));
	TIME(c, "lagrange_all, 16 of 32", 100, km_shamir_lagrange_all(c, v, 0xaaaaaaaa, 0));
	TIME(c, "degree_check, 5 values", 100, (void)!km_shamir_degree_check(c, ks, 0x1f, 2));
	TIME(c, "degree_check, 32 values", 100, (void)!km_shamir_degree_check(c, ks, 0xffffffff, 16));
	TIME(c, "feldman_eval, degree 4, x=32", 10, must(km_feldman_eval_var(c, &r, ps, 4, 32)));
}

/* Every fourth scalar is short, as in the batch checks. */
static void prepare(const struct km_curve *c)
{
	static const uint8_t seed[KM_SEED_SIZE];
	struct km_rng rng;
	uint8_t wide[KM_SCALAR_MAX + 17];
	struct km_point g;

	km_rng_init(&rng, seed, "bench", NULL, 0);
	km_point_generator(c, &g);
	for (size_t i = 0; i < MSM_MAX; i++) {
		km_rng_bytes(&rng, wide, sizeof(wide));
		km_scalar_reduce(c, &ks[i], wide, km_curve_wide_size(c));
		km_point_mul_var(c, &ps[i], &ks[i], &g);
		km_rng_bytes(&rng, wide, sizeof(wide));
		km_scalar_reduce(c, &ks[i], wide, km_curve_wide_size(c));
		if (i % 4 == 3)
			km_scalar_random128(c, &ks[i], &rng);
	}
}

int main(int argc, char **argv)
{
	unsigned only = argc > 1 ? (unsigned)atoi(argv[1]) : 0;

	for (unsigned id = 1; km_curve_by_id(id); id++) {
		const struct km_curve *c = km_curve_by_id(id);

		if (only && only != id)
			continue;
		prepare(c);
		bench_field(c);
		bench_point(c);
		bench_nettle(c);
		bench_msm(c);
		bench_shamir(c);
		bench_scalar(c);
	}
	return 0;
}
