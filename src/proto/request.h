/* request.h: a frontend's request as every signer sees it, and as whoever judges a signer later sees it again.
 *
 *	version u16 | frontend u16 | key id 32 | context u8 | time u64 | random 16 | len u32 | the bytes to be signed
 *
 * request id = H("request", all these fields). */
#ifndef KM_PROTO_REQUEST_H
#define KM_PROTO_REQUEST_H

#include "../base/buf.h"
#include "../base/limits.h"
#include "../ec/scalar.h"

#define KM_REQ_VERSION 1
#define KM_REQ_MAX (96 + KM_MAX_REQUEST_BYTES)

struct km_req {
	uint16_t version;
	uint16_t frontend;               /* 0: a canary, which is nobody's request */
	uint8_t key_id[KM_HASH_SIZE];
	uint8_t context;
	uint64_t time_ms;
	uint8_t random[KM_NONCE_SIZE];
	const uint8_t *data;             /* borrowed */
	uint32_t len;
};

void km_req_put(struct km_buf *b, const struct km_req *r);
/* data points into the reader's input. Failures are sticky in the reader. */
void km_req_get(struct km_reader *r, struct km_req *out);
void km_req_id(const struct km_req *r, uint8_t out[KM_HASH_SIZE]);
/* What is signed, as the curve takes it: the hash of the bytes, or the bytes themselves in the context of bare hashes. */
int km_req_scalar(const struct km_curve *c, unsigned context, const uint8_t *bytes, size_t len, struct km_scalar *m) KM_MUST;

#endif
