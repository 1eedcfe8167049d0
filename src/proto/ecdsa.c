/* ecdsa.c: the plain ECDSA around threshold signing: digests, verification, DER. All public. */
#include <string.h>
#include "sign.h"
#include "../ec/msm.h"

void km_ecdsa_digest_to_scalar(const struct km_curve *c, struct km_scalar *m, const uint8_t *digest, size_t len)
{
	uint8_t left[KM_SCALAR_MAX];
	unsigned bits = km_curve_bits(c), shift;
	size_t n = (bits + 7) / 8;

	if (len <= n && 8 * len <= bits) {
		km_scalar_reduce(c, m, digest, len);
		return;
	}
	/* The leftmost bits(q) bits: whole bytes, then what the last one has too many. */
	KM_ASSERT(n <= sizeof(left));
	if (len < n)
		n = len;
	shift = (unsigned)(8 * n) - bits;
	for (size_t i = n; i-- > 0;)
		left[i] = (uint8_t)(digest[i] >> shift | (i && shift ? digest[i - 1] << (8 - shift) : 0));
	km_scalar_reduce(c, m, left, n);
}

int km_sign_hash_bytes(const struct km_curve *c, struct km_scalar *m, const void *bytes, size_t len)
{
	uint8_t digest[64];
	unsigned bits = km_curve_bits(c) <= 256 ? 256 : km_curve_bits(c) <= 384 ? 384 : 512;
	int err = km_sha2(bits, bytes, len, digest);

	if (err)
		km_scalar_zero(m);
	else
		km_ecdsa_digest_to_scalar(c, m, digest, bits / 8);
	return err;
}

/* SEC1 4.1.4: x(u1 G + u2 X) = r, u1 = m/s, u2 = r/s. */
int km_ecdsa_verify_var(const struct km_curve *c, const struct km_point *x, const struct km_scalar *m, const struct km_scalar *r, const struct km_scalar *s)
{
	struct km_scalar si, u[2], v;
	struct km_point p[2], sum;

	if (km_scalar_is_zero(r) || km_scalar_is_zero(s) || km_point_is_identity_var(c, x))
		return KM_E_VERIFY;
	km_scalar_inv(c, &si, s);
	km_scalar_mul(c, &u[0], m, &si);
	km_scalar_mul(c, &u[1], r, &si);
	km_point_generator(c, &p[0]);
	p[1] = *x;
	if (km_msm_var(c, &sum, u, p, 2))
		return KM_E_NOMEM;
	if (km_point_x_mod_q_var(c, &v, &sum) || !km_scalar_equal(&v, r))
		return KM_E_VERIFY;
	return KM_OK;
}

static size_t der_integer(const struct km_curve *c, uint8_t *out, const struct km_scalar *v)
{
	uint8_t b[KM_SCALAR_MAX];
	size_t n = km_curve_scalar_size(c), i = 0, pad;

	km_scalar_encode(c, b, v);
	while (i < n - 1 && b[i] == 0)
		i++;
	pad = b[i] >> 7;                 /* a leading one bit would make it negative */
	out[0] = 0x02;
	out[1] = (uint8_t)(n - i + pad);
	out[2] = 0;
	memcpy(out + 2 + pad, b + i, n - i);
	return 2 + pad + n - i;
}

size_t km_ecdsa_der(const struct km_curve *c, uint8_t *out, const struct km_scalar *r, const struct km_scalar *s)
{
	uint8_t body[2 * (KM_SCALAR_MAX + 3)];
	size_t n = der_integer(c, body, r), head = 2;

	n += der_integer(c, body + n, s);
	out[0] = 0x30;
	if (n < 0x80) {
		out[1] = (uint8_t)n;
	} else {                         /* P-521 only: at most 138 bytes */
		out[1] = 0x81;
		out[2] = (uint8_t)n;
		head = 3;
	}
	memcpy(out + head, body, n);
	return head + n;
}
