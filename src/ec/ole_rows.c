/* ole_rows.c: rows of the vector OLE. One entry per limb count, so that the loops unroll. */
#include <string.h>
#include "ole_rows.h"
#include "curve_impl.h"
#include "toy.h"
#include "../base/secret.h"

#define BY_SIZE(c, call)       \
	do {                   \
		switch ((c)->n) { \
		KM_TOY_CASE(call(1)) \
		case 4:        \
			call(4);  \
			break; \
		case 6:        \
			call(6);  \
			break; \
		default:       \
			call(9);  \
		}              \
	} while (0)

unsigned km_row_limbs(const struct km_curve *c)
{
	return c->n;
}

void km_row_from_secret(const struct km_curve *c, mp_limb_t *out, const struct km_secret *a, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		memcpy(out + i * c->n, a[i].l, c->n * sizeof(*out));
}

void km_row_to_secret(const struct km_curve *c, struct km_secret *out, const mp_limb_t *a, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		memset(&out[i], 0, sizeof(out[i]));
		memcpy(out[i].l, a + i * c->n, c->n * sizeof(*a));
	}
}

void km_row_montgomery(const struct km_curve *c, mp_limb_t *out, const struct km_scalar *a, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		km_mod_to(&c->q, out + i * c->n, a[i].l);
}

KM_INLINE mp_limb_t load_be(const uint8_t *in)
{
	mp_limb_t v = 0;

#pragma GCC unroll 8
	for (unsigned i = 0; i < 8; i++)
		v = v << 8 | in[i];
	return v;
}

KM_INLINE void store_be(uint8_t *out, mp_limb_t v)
{
#pragma GCC unroll 8
	for (unsigned i = 0; i < 8; i++)
		out[i] = (uint8_t)(v >> (56 - 8 * i));
}

/* Big endian, whole limbs for P-256 and P-384. */
KM_INLINE void load_n(const struct km_curve *c, mp_limb_t *r, const uint8_t *in, const unsigned n)
{
	if (n == 9 || KM_TOY_LIMBS(n)) {
		km_limbs_from_bytes(r, n, in, c->size);
		return;
	}
#pragma GCC unroll 6
	for (unsigned i = 0; i < n; i++)
		r[i] = load_be(in + 8 * (n - 1 - i));
}

KM_INLINE void store_n(const struct km_curve *c, uint8_t *out, const mp_limb_t *a, const unsigned n)
{
	if (n == 9 || KM_TOY_LIMBS(n)) {
		km_limbs_to_bytes(out, c->size, a);
		return;
	}
#pragma GCC unroll 6
	for (unsigned i = 0; i < n; i++)
		store_be(out + 8 * (n - 1 - i), a[i]);
}

/* hi*R + lo modulo q for 128 bits more than a scalar. For P-256 and P-384, whose q has its top bit set, lo < 2q. */
KM_INLINE void pad_n(const struct km_curve *c, mp_limb_t *row, const uint8_t *wide, const unsigned n)
{
	mp_limb_t hi[KM_LIMBS_MAX], lo[KM_LIMBS_MAX];
	size_t size = n == 9 || KM_TOY_LIMBS(n) ? km_curve_wide_size(c) : 8 * n + 16;

	for (unsigned i = 0; i < KM_ROW_WIDTH; i++, wide += size, row += n) {
		if (KM_TOY_LIMBS(n)) {
			row[0] = km_toy_reduce(&c->q, wide, size);
			continue;
		}
		if (n == 9) {
			km_limbs_from_bytes(hi, n, wide, size - 8 * n);
			km_limbs_from_bytes(lo, n, wide + (size - 8 * n), 8 * n);
			km_mod_to(&c->q, lo, lo);
			km_mod_from(&c->q, lo, lo);
		} else {
			memset(hi, 0, n * sizeof(hi[0]));
			hi[1] = load_be(wide);
			hi[0] = load_be(wide + 8);
			load_n(c, lo, wide + 16, n);
			km_fe_reduce_once_n(lo, 0, lo, c->q.m, n);
		}
		km_fe_mul_n(hi, hi, c->q.rr, &c->q, n);
		km_fe_add_n(row, hi, lo, c->q.m, n);
	}
}

void km_row_pad(const struct km_curve *c, mp_limb_t *row, const uint8_t *wide)
{
#define CALL(n) pad_n(c, row, wide, n)
	BY_SIZE(c, CALL);
#undef CALL
}

KM_INLINE void send_n(const struct km_curve *c, uint8_t *out, const mp_limb_t *p0, const mp_limb_t *p1, const mp_limb_t *in,
		      const unsigned n)
{
	mp_limb_t t[KM_LIMBS_MAX];

	for (unsigned i = 0; i < KM_ROW_WIDTH; i++) {
		km_fe_sub_n(t, p0 + i * n, p1 + i * n, c->q.m, n);
		km_fe_add_n(t, t, in + i * n, c->q.m, n);
		store_n(c, out + i * c->size, t, n);
	}
}

void km_row_send(const struct km_curve *c, uint8_t *out, const mp_limb_t *p0, const mp_limb_t *p1, const mp_limb_t *in)
{
#define CALL(n) send_n(c, out, p0, p1, in, n)
	BY_SIZE(c, CALL);
#undef CALL
}

KM_INLINE void add_bit_n(const struct km_curve *c, mp_limb_t *acc, const mp_limb_t *a, mp_limb_t mask, const unsigned n)
{
	mp_limb_t t[KM_LIMBS_MAX];

#pragma GCC unroll 9
	for (unsigned i = 0; i < n; i++)
		t[i] = a[i] & mask;
	km_fe_add_n(acc, acc, t, c->q.m, n);
}

KM_INLINE int receive_n(const struct km_curve *c, mp_limb_t *row, const uint8_t *in, mp_limb_t mask, const unsigned n)
{
	mp_limb_t a[KM_LIMBS_MAX], t[KM_LIMBS_MAX], below = 1;

	for (unsigned i = 0; i < KM_ROW_WIDTH; i++) {
		load_n(c, a, in + i * c->size, n);
		below &= km_limbs_sub_n(t, a, c->q.m, n);
		add_bit_n(c, row + i * n, a, mask, n);
	}
	return below ? KM_OK : KM_E_ENCODING;
}

int km_row_receive(const struct km_curve *c, mp_limb_t *row, const uint8_t *in, unsigned bit)
{
	mp_limb_t mask = km_ct_mask(bit);
	int err = KM_E_ENCODING;

#define CALL(n) err = receive_n(c, row, in, mask, n)
	BY_SIZE(c, CALL);
#undef CALL
	return err;
}

KM_INLINE void check_n(const struct km_curve *c, uint8_t *out, const mp_limb_t *row, const mp_limb_t *theta, const mp_limb_t *eta,
		       mp_limb_t mask, const unsigned n)
{
	mp_limb_t sum[KM_LIMBS_MAX], t[KM_LIMBS_MAX];

	memcpy(sum, row + KM_ROW_INPUTS * n, n * sizeof(sum[0]));
	for (unsigned i = 0; i < KM_ROW_INPUTS; i++) {
		km_fe_mul_n(t, row + i * n, theta + i * n, &c->q, n);
		km_fe_add_n(sum, sum, t, c->q.m, n);
	}
	if (eta) {
#pragma GCC unroll 9
		for (unsigned i = 0; i < n; i++)
			t[i] = eta[i] & mask;
		km_fe_sub_n(sum, sum, t, c->q.m, n);
	}
	store_n(c, out, sum, n);
}

void km_row_check(const struct km_curve *c, uint8_t *out, const mp_limb_t *row, const mp_limb_t *theta, const mp_limb_t *eta,
		  unsigned bit)
{
	mp_limb_t mask = km_ct_mask(bit);

#define CALL(n) check_n(c, out, row, theta, eta, mask, n)
	BY_SIZE(c, CALL);
#undef CALL
}

KM_INLINE void sum_n(const struct km_curve *c, mp_limb_t *acc, const mp_limb_t *row, const mp_limb_t *g, const unsigned n)
{
	mp_limb_t t[KM_LIMBS_MAX];

	for (unsigned i = 0; i < KM_ROW_INPUTS; i++) {
		km_fe_mul_n(t, row + i * n, g, &c->q, n);
		km_fe_add_n(acc + i * n, acc + i * n, t, c->q.m, n);
	}
}

void km_row_sum(const struct km_curve *c, mp_limb_t *acc, const mp_limb_t *row, const mp_limb_t *g)
{
#define CALL(n) sum_n(c, acc, row, g, n)
	BY_SIZE(c, CALL);
#undef CALL
}

void km_row_add_bit(const struct km_curve *c, mp_limb_t *acc, const mp_limb_t *a, unsigned bit)
{
	mp_limb_t mask = km_ct_mask(bit);

#define CALL(n) add_bit_n(c, acc, a, mask, n)
	BY_SIZE(c, CALL);
#undef CALL
}
