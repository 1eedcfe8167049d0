/* ready.c: READY and RECORD. */
#include "ready.h"

#include <string.h>
#include "../base/rules.h"

unsigned km_ready_count(const uint8_t held[KM_READY_HELD], unsigned end)
{
	unsigned n = 0;

	for (unsigned i = 0; i < end / 8; i++)
		n += km_set_size(held[i]);
	return end % 8 ? n + km_set_size(held[end / 8] & ((1u << end % 8) - 1)) : n;
}

int km_ready_build(struct km_buf *out, uint8_t self, const uint8_t sid[KM_HASH_SIZE], const struct km_ready *r,
		   const struct km_identity *id)
{
	unsigned n = km_ready_count(r->held, KM_MAX_BATCH);
	struct km_shape shape = {.head = (uint32_t)(KM_READY_LEN(n) - KM_MSG_HEAD)};
	uint8_t body[KM_READY_LEN(KM_MAX_BATCH) - KM_MSG_HEAD];

	memcpy(body, r->table, KM_HASH_SIZE);
	memcpy(body + KM_HASH_SIZE, r->held, KM_READY_HELD);
	if (n)
		memcpy(body + KM_HASH_SIZE + KM_READY_HELD, r->leaf, (size_t)n * KM_HASH_SIZE);
	return km_msg_build(out, KM_PROTO_READY, 1, self, 0, sid, &shape, body, id);
}

int km_ready_get(struct km_ready *r, const struct km_msg *m)
{
	struct km_shape shape = {.head = m->body_len};

	memset(r, 0, sizeof(*r));
	if (m->proto != KM_PROTO_READY || m->round != 1 || m->recipient || m->body_len < KM_READY_LEN(0) - KM_MSG_HEAD)
		return KM_E_ENCODING;
	if (m->body_len != KM_READY_LEN(km_ready_count(m->body + KM_HASH_SIZE, KM_MAX_BATCH)) - KM_MSG_HEAD)
		return KM_E_ENCODING;
	int err = km_msg_check_body(m, &shape);
	if (err)
		return err == KM_E_NOMEM ? err : KM_E_ENCODING;
	memcpy(r->table, m->body, KM_HASH_SIZE);
	memcpy(r->held, m->body + KM_HASH_SIZE, KM_READY_HELD);
	r->leaf = m->body + KM_HASH_SIZE + KM_READY_HELD;
	return KM_OK;
}

size_t km_ready_row_size(const struct km_curve *c)
{
	return 2 + 4 + 3 * km_curve_point_size(c) + 2 * km_curve_scalar_size(c);
}

void km_ready_row_put(const struct km_presig *ps, unsigned member, uint8_t *out)
{
	size_t point = km_curve_point_size(ps->curve), scalar = km_curve_scalar_size(ps->curve);
	struct km_buf b;
	uint8_t *p;

	KM_ASSERT(km_set_has(ps->quorum, member));
	km_buf_init_fixed(&b, out, km_ready_row_size(ps->curve));
	km_put_u16(&b, ps->index);
	km_put_u32(&b, ps->quorum);
	p = km_put_room(&b, point);
	/* R of a presignature that was made is no identity */
	KM_ASSERT(p && km_point_encode_var(ps->curve, p, &ps->r) == KM_OK);
	p = km_put_room(&b, scalar);
	KM_ASSERT(p);
	km_scalar_encode(ps->curve, p, &ps->w);
	p = km_put_room(&b, scalar);
	KM_ASSERT(p);
	km_scalar_encode(ps->curve, p, &ps->epsilon);
	km_put_bytes(&b, ps->member_enc + km_set_pos(ps->quorum, member) * 2 * point, 2 * point);
	KM_ASSERT(!b.err && b.len == b.cap);
}

int km_ready_row_get(const struct km_curve *c, struct km_ready_row *row, const uint8_t *p, size_t n)
{
	size_t point = km_curve_point_size(c), scalar = km_curve_scalar_size(c);
	struct km_reader r;

	memset(row, 0, sizeof(*row));
	if (n != km_ready_row_size(c))
		return KM_E_ENCODING;
	km_reader_init(&r, p, n);
	row->index = km_get_u16(&r);
	row->quorum = km_get_u32(&r);
	p += 2 + 4;
	if (km_point_decode_var(c, &row->r, p) || km_scalar_decode(c, &row->w, p + point) ||
	    km_scalar_decode(c, &row->epsilon, p + point + scalar) || km_point_decode_var(c, &row->a, p + point + 2 * scalar) ||
	    km_point_decode_var(c, &row->c, p + 2 * point + 2 * scalar)) {
		memset(row, 0, sizeof(*row));
		return KM_E_ENCODING;
	}
	return KM_OK;
}

/* ---- RECORD */

#define RECORD_NAMES (2 * KM_HASH_SIZE + 1)
#define RECORD_MAX (RECORD_NAMES + 2 * KM_SCALAR_MAX + KM_POINT_MAX)

struct km_shape km_record_shape(const struct km_curve *c)
{
	return (struct km_shape){.head = (uint32_t)(RECORD_NAMES + 2 * km_curve_scalar_size(c) + km_curve_point_size(c))};
}

int km_record_build(struct km_buf *out, uint8_t self, uint8_t to, const struct km_curve *c, const struct km_record_body *r,
		    const struct km_identity *id)
{
	size_t scalar = km_curve_scalar_size(c);
	struct km_shape shape = km_record_shape(c);
	uint8_t body[RECORD_MAX];

	memcpy(body, r->presig_id, KM_HASH_SIZE);
	memcpy(body + KM_HASH_SIZE, r->request_id, KM_HASH_SIZE);
	body[2 * KM_HASH_SIZE] = r->context;
	km_scalar_encode(c, body + RECORD_NAMES, &r->m);
	int err = km_point_encode_var(c, body + RECORD_NAMES + scalar, &r->rr);
	if (err)
		return err;
	km_scalar_encode(c, body + shape.head - scalar, &r->s);
	return km_msg_build(out, KM_PROTO_RECORD, 1, self, to, r->presig_id, &shape, body, id);
}

int km_record_get(const struct km_curve *c, struct km_record_body *r, const struct km_msg *m)
{
	size_t scalar = km_curve_scalar_size(c);
	struct km_shape shape = km_record_shape(c);

	memset(r, 0, sizeof(*r));
	if (m->proto != KM_PROTO_RECORD || m->round != 1)
		return KM_E_MISMATCH;
	int err = km_msg_check_body(m, &shape);
	if (err || memcmp(m->sid, m->body, KM_HASH_SIZE) != 0)
		return err == KM_E_NOMEM ? err : KM_E_MISMATCH;
	memcpy(r->presig_id, m->body, KM_HASH_SIZE);
	memcpy(r->request_id, m->body + KM_HASH_SIZE, KM_HASH_SIZE);
	r->context = m->body[2 * KM_HASH_SIZE];
	if (km_scalar_decode(c, &r->m, m->body + RECORD_NAMES) || km_point_decode_var(c, &r->rr, m->body + RECORD_NAMES + scalar) ||
	    km_scalar_decode(c, &r->s, m->body + shape.head - scalar)) {
		memset(r, 0, sizeof(*r));
		return KM_E_ENCODING;
	}
	return KM_OK;
}
