/* stubkey.h: the key files that servers get: a well-formed private key without a secret.
 *
 * A stub is an EC private key in PKCS#8 (RFC 5958, RFC 5915) with the true public point of the mesh's key and, in place of
 * the secret scalar, the sentinel of its curve: the ASCII text
 *
 *	"keymesh stub, no secret in here."        32 bytes
 *
 * right-aligned, zeros before it, to the size of a scalar. It is a valid scalar (1 <= d < q: the first bytes lie below those of
 * every q), so every server loads the file. Everybody knows it: it must never be used as a key, and a signature made with
 * it does not verify under the public point, so that without the plugin a stub fails closed. */
#ifndef KM_RPC_STUBKEY_H
#define KM_RPC_STUBKEY_H

#include <stddef.h>
#include <stdint.h>
#include "../base/buf.h"
#include "../base/limits.h"

/* The sentinel as a scalar of the curve. Returns its size, 0 for an unknown curve. */
size_t km_stub_scalar(unsigned curve, uint8_t out[KM_SCALAR_MAX]);
/* 1 when the size bytes at d, big endian and possibly with zeros stripped or added in front, are the sentinel. Constant time in
 * the contents of d, which may be the secret of an ordinary key. */
int km_stub_is_scalar(const uint8_t *d, size_t size) KM_MUST;

/* Appends the DER of a stub. point: 0x04 | x | y of 1 + 2*km_rpc_scalar_size(curve) bytes. Returns KM_OK, KM_E_INVAL or the
 * sticky error of b. */
int km_stub_put_der(struct km_buf *b, unsigned curve, const uint8_t *point, size_t point_len) KM_MUST;
/* The same as a PEM file ("PRIVATE KEY"), with a line of explanation before it. */
int km_stub_put_pem(struct km_buf *b, unsigned curve, const uint8_t *point, size_t point_len) KM_MUST;
/* Recognises the DER of a stub, byte for byte as km_stub_put_der writes it. Returns KM_OK with the curve and point (by
 * reference), or KM_E_MISMATCH for anything else. */
int km_stub_get_der(const uint8_t *der, size_t len, unsigned *curve, const uint8_t **point, size_t *point_len) KM_MUST;

#endif
