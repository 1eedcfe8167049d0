/* wire_sign.c: the frames of a signature: REQ, SIGN, SHARE, REPLY, BADSIG. */
#include "config.h"
#include "node/wire.h"

#include <string.h>
#include "node/wire_impl.h"

void km_req_encode(struct km_buf *b, const struct km_req *r, const struct km_req_macs *macs)
{
	km_buf_reserve(b, 80 + (size_t)r->len + (size_t)__builtin_popcount(macs->peers) * KM_MAC_SIZE);
	km_put_u8(b, KM_FRAME_REQ);
	km_req_put(b, r);
	km_put_u32(b, macs->peers);
	for (unsigned i = 1; i <= KM_MAX_PEERS; i++)
		if (macs->peers & (uint32_t)1 << (i - 1))
			km_put_bytes(b, macs->mac[i], KM_MAC_SIZE);
}

int km_req_decode(struct km_req *r, struct km_req_macs *macs, const uint8_t *p, size_t n)
{
	struct km_reader rd;
	int err;

	memset(r, 0, sizeof(*r));
	memset(macs, 0, sizeof(*macs));
	km_wire_open(&rd, KM_FRAME_REQ, p, n);
	km_req_get(&rd, r);
	macs->peers = km_get_u32(&rd);
	for (unsigned i = 1; i <= KM_MAX_PEERS; i++)
		if (macs->peers & (uint32_t)1 << (i - 1))
			km_get_bytes(&rd, macs->mac[i], KM_MAC_SIZE);
	err = km_wire_close(&rd, r, sizeof(*r));
	if (err)
		memset(macs, 0, sizeof(*macs));
	return err;
}

void km_sign_encode(struct km_buf *b, const struct km_sign *s)
{
	km_put_u8(b, KM_FRAME_SIGN);
	km_put_bytes(b, s->presig_id, KM_HASH_SIZE);
	km_put_bytes(b, s->incarnation, KM_NONCE_SIZE);
	km_req_put(b, &s->req);
	km_put_bytes(b, s->mac, KM_MAC_SIZE);
	km_put_u8(b, s->macs_of_retry);
}

int km_sign_decode(struct km_sign *s, const uint8_t *p, size_t n)
{
	struct km_reader r;

	memset(s, 0, sizeof(*s));
	km_wire_open(&r, KM_FRAME_SIGN, p, n);
	km_get_bytes(&r, s->presig_id, KM_HASH_SIZE);
	km_get_bytes(&r, s->incarnation, KM_NONCE_SIZE);
	km_req_get(&r, &s->req);
	km_get_bytes(&r, s->mac, KM_MAC_SIZE);
	s->macs_of_retry = km_get_u8(&r);
	if (s->macs_of_retry)
		km_reader_fail(&r, KM_E_ENCODING);
	return km_wire_close(&r, s, sizeof(*s));
}

static int is_scalar_size(unsigned n)
{
#ifdef KM_TOY_CURVE
	if (n == 8 || n == 1)
		return 1;
#endif
	return n == 32 || n == 48 || n == KM_SCALAR_MAX;
}

/* A scalar's length is the curve's: one of three, and zero exactly where there is none to send. */
static void scalar_size_check(struct km_reader *r, unsigned n, unsigned status)
{
	if (status == KM_STATUS_OK ? !is_scalar_size(n) : n != 0)
		km_reader_fail(r, KM_E_ENCODING);
}

void km_share_msg_encode(struct km_buf *b, const struct km_share_msg *s)
{
	KM_ASSERT(s->n <= KM_SCALAR_MAX);
	km_put_u8(b, KM_FRAME_SHARE);
	km_put_bytes(b, s->presig_id, KM_HASH_SIZE);
	km_put_bytes(b, s->request_id, KM_HASH_SIZE);
	km_put_u8(b, s->status);
	km_put_u8(b, s->n);
	km_put_bytes(b, s->s, s->n);
}

int km_share_msg_decode(struct km_share_msg *s, const uint8_t *p, size_t n)
{
	struct km_reader r;

	memset(s, 0, sizeof(*s));
	km_wire_open(&r, KM_FRAME_SHARE, p, n);
	km_get_bytes(&r, s->presig_id, KM_HASH_SIZE);
	km_get_bytes(&r, s->request_id, KM_HASH_SIZE);
	s->status = km_get_u8(&r);
	s->n = km_get_u8(&r);
	scalar_size_check(&r, s->n, s->status);
	if (!r.err)
		km_get_bytes(&r, s->s, s->n);
	return km_wire_close(&r, s, sizeof(*s));
}

void km_reply_encode(struct km_buf *b, const struct km_reply *r)
{
	KM_ASSERT(r->n <= KM_SCALAR_MAX);
	km_put_u8(b, KM_FRAME_REPLY);
	km_put_bytes(b, r->request_id, KM_HASH_SIZE);
	km_put_u8(b, r->status);
	km_put_u8(b, r->n);
	km_put_bytes(b, r->r, r->n);
	km_put_bytes(b, r->s, r->n);
	km_put_u32(b, r->quorum);
	km_put_bytes(b, r->presig_id, KM_HASH_SIZE);
	km_put_u64(b, r->time_ms);
}

int km_reply_decode(struct km_reply *r, const uint8_t *p, size_t n)
{
	struct km_reader rd;

	memset(r, 0, sizeof(*r));
	km_wire_open(&rd, KM_FRAME_REPLY, p, n);
	km_get_bytes(&rd, r->request_id, KM_HASH_SIZE);
	r->status = km_get_u8(&rd);
	r->n = km_get_u8(&rd);
	scalar_size_check(&rd, r->n, r->status);
	if (!rd.err) {
		km_get_bytes(&rd, r->r, r->n);
		km_get_bytes(&rd, r->s, r->n);
	}
	r->quorum = km_get_u32(&rd);
	km_get_bytes(&rd, r->presig_id, KM_HASH_SIZE);
	r->time_ms = km_get_u64(&rd);
	return km_wire_close(&rd, r, sizeof(*r));
}

void km_badsig_encode(struct km_buf *b, const struct km_badsig *s)
{
	KM_ASSERT(s->n <= KM_SCALAR_MAX);
	km_put_u8(b, KM_FRAME_BADSIG);
	km_put_bytes(b, s->request_id, KM_HASH_SIZE);
	km_put_u8(b, s->n);
	km_put_bytes(b, s->r, s->n);
	km_put_bytes(b, s->s, s->n);
}

int km_badsig_decode(struct km_badsig *s, const uint8_t *p, size_t n)
{
	struct km_reader r;

	memset(s, 0, sizeof(*s));
	km_wire_open(&r, KM_FRAME_BADSIG, p, n);
	km_get_bytes(&r, s->request_id, KM_HASH_SIZE);
	s->n = km_get_u8(&r);
	scalar_size_check(&r, s->n, KM_STATUS_OK);
	if (!r.err) {
		km_get_bytes(&r, s->r, s->n);
		km_get_bytes(&r, s->s, s->n);
	}
	return km_wire_close(&r, s, sizeof(*s));
}
