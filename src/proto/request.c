/* request.c: the codec and the name of a request. */
#include "request.h"

#include <string.h>
#include "sign.h"
#include "../base/hash.h"
#include "../base/rules.h"

void km_req_put(struct km_buf *b, const struct km_req *r)
{
	km_put_u16(b, r->version);
	km_put_u16(b, r->frontend);
	km_put_bytes(b, r->key_id, KM_HASH_SIZE);
	km_put_u8(b, r->context);
	km_put_u64(b, r->time_ms);
	km_put_bytes(b, r->random, KM_NONCE_SIZE);
	km_put_lbytes(b, r->data, r->len);
}

void km_req_get(struct km_reader *r, struct km_req *out)
{
	size_t len;

	out->version = km_get_u16(r);
	out->frontend = km_get_u16(r);
	km_get_bytes(r, out->key_id, KM_HASH_SIZE);
	out->context = km_get_u8(r);
	out->time_ms = km_get_u64(r);
	km_get_bytes(r, out->random, KM_NONCE_SIZE);
	out->data = km_get_lref(r, &len, KM_MAX_REQUEST_BYTES);
	out->len = (uint32_t)len;
	if (out->version != KM_REQ_VERSION)
		km_reader_fail(r, KM_E_VERSION);
	/* nobody's request is a canary, and only that */
	if ((out->frontend < 1 && out->context != KM_CTX_CANARY) || out->frontend > KM_MAX_FRONTENDS || !len)
		km_reader_fail(r, KM_E_RANGE);
}

void km_req_id(const struct km_req *r, uint8_t out[KM_HASH_SIZE])
{
	struct km_hash h;

	km_hash_init(&h, "request");
	/* WHY every field: what the id leaves out, an aggregator may change under a valid authenticator (attack B15) */
	if (KM_RULE(km_rule_request_id)) {
		km_hash_u16(&h, r->version);
		km_hash_u16(&h, r->frontend);
		km_hash_field(&h, r->key_id, KM_HASH_SIZE);
		km_hash_u8(&h, r->context);
		km_hash_u64(&h, r->time_ms);
	}
	km_hash_field(&h, r->random, KM_NONCE_SIZE);
	km_hash_field(&h, r->data, r->len);
	km_hash_final(&h, out);
}

int km_req_scalar(const struct km_curve *c, unsigned context, const uint8_t *bytes, size_t len, struct km_scalar *m)
{
	if (context != KM_CTX_DIGEST)
		return km_sign_hash_bytes(c, m, bytes, len);
	km_ecdsa_digest_to_scalar(c, m, bytes, len);
	return KM_OK;
}
