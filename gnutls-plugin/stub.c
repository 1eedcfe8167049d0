/* stub.c: is the key that a server loaded a stub? */
#include "config.h"
#include "plugin.h"

#include <string.h>
#include <gnutls/x509.h>
#include "base/secret.h"
#include "rpc/stubkey.h"

static unsigned curve_of(gnutls_ecc_curve_t curve)
{
	switch (curve) {
	case GNUTLS_ECC_CURVE_SECP256R1:
		return 1;
	case GNUTLS_ECC_CURVE_SECP384R1:
		return 2;
	case GNUTLS_ECC_CURVE_SECP521R1:
		return 3;
	default:
		return 0;
	}
}

/* GnuTLS puts a zero byte in front, or leaves zeros out. Returns 0 when the number is too large. */
static int right_align(uint8_t *out, size_t size, const gnutls_datum_t *d)
{
	size_t skip = 0;

	while (skip < d->size && d->data[skip] == 0)
		skip++;
	if (d->size - skip > size)
		return 0;
	memset(out, 0, size);
	if (d->size > skip)
		memcpy(out + size - (d->size - skip), d->data + skip, d->size - skip);
	return 1;
}

int kmg_stub_recognise(gnutls_x509_privkey_t key, struct km_rpc_key_info *info)
{
	gnutls_datum_t x = {NULL, 0}, y = {NULL, 0}, d = {NULL, 0};
	gnutls_ecc_curve_t curve;
	size_t size;
	int is = 0;

	memset(info, 0, sizeof(*info));
	if (!key || gnutls_x509_privkey_get_pk_algorithm(key) != GNUTLS_PK_ECDSA)
		return 0;
	if (gnutls_x509_privkey_export_ecc_raw(key, &curve, &x, &y, &d) < 0)
		return 0;
	info->curve = (uint8_t)curve_of(curve);
	size = km_rpc_scalar_size(info->curve);
	if (size != 0 && km_stub_is_scalar(d.data, d.size) && right_align(info->point + 1, size, &x) &&
	    right_align(info->point + 1 + size, size, &y)) {
		info->point[0] = 0x04;
		info->point_len = 1 + 2 * size;
		is = 1;
	}
	/* an ordinary key's secret was here for the comparison only */
	if (d.data)
		km_wipe(d.data, d.size);
	gnutls_free(d.data);
	gnutls_free(x.data);
	gnutls_free(y.data);
	if (!is)
		memset(info, 0, sizeof(*info));
	return is;
}
