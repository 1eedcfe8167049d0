/* test_vole.c: rows of scalars, and the vector OLE over ideal oblivious transfers. */
#include <stdlib.h>
#include "../lib/test.h"
#include "ec_help.h"
#include "base/secret.h"
#include "proto/vole.h"

#define B 2

static uint8_t sid[KM_HASH_SIZE] = { 3 };

/* ---- rows, against the arithmetic of scalars */

static void assert_flat(const struct km_curve *c, const mp_limb_t *a, const struct km_secret *want)
{
	struct km_secret got;

	km_row_to_secret(c, &got, a, 1);
	assert_memory_equal(&got, want, sizeof(got));
}

static void test_rows(void **state)
{
	struct km_rng rng;

	ec_rng(&rng, "rows");
	EC_EACH_CURVE(c) {
		unsigned n = km_row_limbs(c);
		size_t ss = km_curve_scalar_size(c), wide = km_curve_wide_size(c);

		for (unsigned round = 0; round < 20; round++) {
			uint8_t bytes[2][KM_ROW_WIDE_MAX], out[KM_ROW_BYTES_MAX], enc[KM_SCALAR_MAX];
			mp_limb_t p0[KM_ROW_LIMBS_MAX], p1[KM_ROW_LIMBS_MAX], in[KM_ROW_LIMBS_MAX], mont[KM_ROW_LIMBS_MAX],
			    acc[KM_ROW_LIMBS_MAX] = {0};
			struct km_secret x[2][KM_ROW_WIDTH], k[KM_ROW_WIDTH], t, want;
			struct km_scalar theta[KM_ROW_INPUTS], eta;

			km_rng_bytes(&rng, bytes, sizeof(bytes));
			if (round < 2)
				memset(bytes, round ? 0xff : 0, sizeof(bytes));
			for (unsigned b = 0; b < 2; b++)
				for (unsigned i = 0; i < KM_ROW_WIDTH; i++)
					km_secret_reduce(c, &x[b][i], bytes[b] + i * wide, wide);
			km_row_pad(c, p0, bytes[0]);
			km_row_pad(c, p1, bytes[1]);
			for (unsigned i = 0; i < KM_ROW_WIDTH; i++) {
				assert_flat(c, p0 + i * n, &x[0][i]);
				assert_flat(c, p1 + i * n, &x[1][i]);
				km_secret_random(c, &k[i], &rng);
			}
			/* p0 - p1 + k */
			km_row_from_secret(c, in, k, KM_ROW_WIDTH);
			km_row_send(c, out, p0, p1, in);
			for (unsigned i = 0; i < KM_ROW_WIDTH; i++) {
				km_secret_sub(c, &want, &x[0][i], &x[1][i]);
				km_secret_add(c, &want, &want, &k[i]);
				km_secret_encode(c, enc, &want);
				assert_memory_equal(enc, out + i * ss, ss);
			}
			/* p1 + bit * that = p1, or p0 + k */
			for (unsigned bit = 0; bit < 2; bit++) {
				mp_limb_t d[KM_ROW_LIMBS_MAX];

				memcpy(d, p1, sizeof(d));
				assert_int_equal(km_row_receive(c, d, out, bit), KM_OK);
				for (unsigned i = 0; i < KM_ROW_WIDTH; i++) {
					want = x[1][i];
					if (bit)
						km_secret_add(c, &want, &x[0][i], &k[i]);
					assert_flat(c, d + i * n, &want);
				}
			}
			/* the check value and the sum */
			for (unsigned i = 0; i < KM_ROW_INPUTS; i++) {
				km_secret_random(c, &t, &rng);
				km_secret_declassify(&theta[i], &t);
			}
			km_secret_random(c, &t, &rng);
			km_secret_declassify(&eta, &t);
			km_row_montgomery(c, mont, theta, KM_ROW_INPUTS);
			for (unsigned bit = 0; bit < 3; bit++) {
				want = x[0][2];
				km_secret_addmul_pub(c, &want, &x[0][0], &theta[0]);
				km_secret_addmul_pub(c, &want, &x[0][1], &theta[1]);
				if (bit == 1)
					km_secret_sub(c, &want, &want, &t);
				km_secret_encode(c, enc, &want);
				km_row_check(c, out, p0, mont, bit == 2 ? NULL : eta.l, bit == 1);
				assert_memory_equal(enc, out, ss);
			}
			km_row_sum(c, acc, p0, mont);
			km_row_sum(c, acc, p1, mont + n);
			for (unsigned i = 0; i < KM_ROW_INPUTS; i++) {
				km_secret_mul_pub(c, &want, &x[0][i], &theta[0]);
				km_secret_addmul_pub(c, &want, &x[1][i], &theta[1]);
				assert_flat(c, acc + i * n, &want);
			}
		}
	}
}

static void test_row_encoding(void **state)
{
	EC_EACH_CURVE(c) {
		size_t ss = km_curve_scalar_size(c);
		mp_limb_t d[KM_ROW_LIMBS_MAX] = { 0 };
		mpz_t q;

		mpz_init(q);
		ec_order(c, q);
		for (unsigned i = 0; i < KM_ROW_WIDTH; i++) {
			uint8_t in[KM_ROW_BYTES_MAX] = { 0 };

			ec_bytes(in + i * ss, ss, q);
			assert_int_equal(km_row_receive(c, d, in, 0), KM_E_ENCODING);
			in[(i + 1) * ss - 1]--;
			assert_int_equal(km_row_receive(c, d, in, 0), KM_OK);
		}
		mpz_clear(q);
	}
}

/* ---- the OLE */

struct ole {
	struct km_vole v;
	size_t len;
	uint8_t delta[KM_OT_DELTA_SIZE], *beta, *q, *t, *head, *body;
	mp_limb_t *gadget;
	struct km_secret k[B], in[B], u[2][B], w[2][B];
	struct km_rng rng;
};

static void ole_init(struct ole *o, const struct km_curve *c)
{
	memset(o, 0, sizeof(*o));
	ec_rng(&o->rng, "ole");
	o->gadget = km_vole_gadget(c, sid);
	o->v = (struct km_vole){ .c = c, .pair = { sid, 4, 9 }, .batch = B, .xi = km_vole_xi(c), .gadget = o->gadget };
	assert_int_equal(o->v.xi, km_curve_bits(c) + 160);
	o->len = km_ot_column_size((size_t)B * o->v.xi);
	o->beta = malloc(o->len);
	o->q = malloc(KM_OT_KAPPA * o->len);
	o->t = malloc(KM_OT_KAPPA * o->len);
	o->head = malloc(km_vole_head_size(c, B));
	o->body = malloc(B * km_vole_row_size(c));
	km_rng_bytes(&o->rng, o->delta, sizeof(o->delta));
	km_rng_bytes(&o->rng, o->beta, o->len);
	km_rng_bytes(&o->rng, o->t, KM_OT_KAPPA * o->len);
	for (size_t j = 0; j < 8 * o->len; j++)
		for (unsigned b = 0; b < KM_OT_BLOCK; b++)
			o->q[j * KM_OT_BLOCK + b] = o->t[j * KM_OT_BLOCK + b] ^ (km_ot_bit(o->beta, j) ? o->delta[b] : 0);
	for (unsigned l = 0; l < B; l++) {
		km_secret_random(c, &o->k[l], &o->rng);
		km_secret_random(c, &o->in[l], &o->rng);
	}
	assert_int_equal(km_vole_send(&o->v, o->q, o->delta, o->k, o->in, &o->rng, o->head, o->body, o->u[0], o->w[0]), KM_OK);
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

static int receive(struct ole *o)
{
	memset(o->u[1], 0, sizeof(o->u[1]));
	memset(o->w[1], 0, sizeof(o->w[1]));
	return km_vole_receive(&o->v, o->t, o->beta, o->head, o->body, o->u[1], o->w[1]);
}

static void test_ole(void **state)
{
	EC_EACH_CURVE(c) {
		struct ole o;

		ole_init(&o, c);
		assert_int_equal(receive(&o), KM_OK);
		for (unsigned l = 0; l < B; l++) {
			struct km_secret chi, sum, want;

			km_vole_chi(&o.v, &chi, o.beta, l);
			km_secret_mul(c, &want, &chi, &o.k[l]);
			km_secret_add(c, &sum, &o.u[0][l], &o.u[1][l]);
			assert_memory_equal(&sum, &want, sizeof(sum));
			km_secret_mul(c, &want, &chi, &o.in[l]);
			km_secret_add(c, &sum, &o.w[0][l], &o.w[1][l]);
			assert_memory_equal(&sum, &want, sizeof(sum));
		}
		ole_free(&o);
	}
}

/* Any byte changed: refused, even where the bit of the row is 0, since theta is another then. */
static void test_ole_changed(void **state)
{
	const struct km_curve *c = km_curve_p256();
	size_t head = km_vole_head_size(c, B), body = B * km_vole_row_size(c);
	struct ole o;

	ole_init(&o, c);
	for (unsigned i = 0; i < 40; i++) {
		uint8_t *at = i < 20 ? o.head + i * (head - 1) / 19 : o.body + (size_t)(i - 20) * (body - 1) / 19;

		*at ^= 1;
		assert_true(receive(&o) == KM_E_VERIFY);
		*at ^= 1;
	}
	for (unsigned d = 0; d < 3; d++) {
		o.v.digest[d][4] ^= 1;
		assert_int_equal(receive(&o), KM_E_VERIFY);
		o.v.digest[d][4] ^= 1;
	}
	memset(o.body + 32 * 100, 0xff, 32);
	assert_int_equal(receive(&o), KM_E_ENCODING);
	memset(o.head + KM_HASH_SIZE, 0xff, 32);
	assert_int_equal(receive(&o), KM_E_ENCODING);
	ole_free(&o);
}

/* A pad of the last index changed: theta of the first, whose rows are as they were, is another one too. It shows in eta = m + theta . (k, v). */
static void test_theta_covers_all(void **state)
{
	const struct km_curve *c = km_curve_p256();
	size_t head = km_vole_head_size(c, B), body = B * km_vole_row_size(c), ss = km_curve_scalar_size(c);
	uint8_t *first = malloc(head), *rows = malloc(body);
	struct ole o;

	ole_init(&o, c);
	const struct km_rng rng = o.rng;
	for (unsigned changed = 0; changed < 2; changed++) {
		o.q[((size_t)B * o.v.xi - 1) * KM_OT_BLOCK] ^= (uint8_t)changed;
		o.rng = rng;
		assert_int_equal(km_vole_send(&o.v, o.q, o.delta, o.k, o.in, &o.rng, o.head, o.body, o.u[0], o.w[0]), KM_OK);
		if (!changed) {
			memcpy(first, o.head, head);
			memcpy(rows, o.body, body);
		}
	}
	assert_memory_equal(rows, o.body, (B - 1) * km_vole_row_size(c));
	assert_memory_not_equal(rows + (B - 1) * km_vole_row_size(c), o.body + (B - 1) * km_vole_row_size(c), km_vole_row_size(c));
	for (unsigned l = 0; l < B; l++)
		assert_memory_not_equal(first + KM_HASH_SIZE + l * ss, o.head + KM_HASH_SIZE + l * ss, ss);
	free(first);
	free(rows);
	ole_free(&o);
}

/* The gadget is a function of the sid alone, and no two of its elements are equal. */
static void test_gadget(void **state)
{
	const struct km_curve *c = km_curve_p256();
	uint8_t other[KM_HASH_SIZE] = { 4 };
	mp_limb_t *a = km_vole_gadget(c, sid), *b = km_vole_gadget(c, sid), *d = km_vole_gadget(c, other);
	unsigned n = km_row_limbs(c), xi = km_vole_xi(c);

	assert_memory_equal(a, b, 2 * xi * n * sizeof(*a));
	for (unsigned t = 0; t < xi; t++) {
		assert_memory_not_equal(a + t * n, d + t * n, n * sizeof(*a));
		for (unsigned o = 0; o < t; o++)
			assert_memory_not_equal(a + t * n, a + o * n, n * sizeof(*a));
	}
	free(a);
	free(b);
	free(d);
}

KM_TESTS(cmocka_unit_test(test_rows), cmocka_unit_test(test_row_encoding), cmocka_unit_test(test_ole),
	 cmocka_unit_test(test_ole_changed), cmocka_unit_test(test_theta_covers_all), cmocka_unit_test(test_gadget))
