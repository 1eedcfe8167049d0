/* opening.c: see opening.h. */
#include <stdlib.h>
#include <string.h>
#include "opening.h"
#include "proto/open.h"
#include "proto/presign_impl.h"

/* As an honest opening shows it. */
static void put_places(const struct km_machine *q, unsigned engine, uint8_t *out)
{
	struct km_open_place at;

	for (unsigned i = 0; i < km_open_rows(engine, q->n); i++, out += KM_MSG_HEAD) {
		km_open_place(engine, q->participants, q->self, i, &at);
		const struct km_stored *held = at.recipient ? &q->priv[at.round][at.sender] : &q->bcast[at.round][at.sender];
		if (held->raw)
			memcpy(out, held->raw, KM_MSG_HEAD);
	}
}

int opening_instead(struct km_buf *b, const struct km_machine *q, const struct km_msg *msg, const struct km_identity *id, uint8_t value,
		    int own_seed)
{
	const struct km_presign *s = q->state;

	if ((msg->proto != KM_PROTO_MAJORITY && msg->proto != KM_PROTO_ANY) || msg->recipient || msg->sender != q->self)
		return 0;
	unsigned engine = msg->proto == KM_PROTO_ANY ? KM_PRESIGN_ANY : KM_PRESIGN_MAJORITY;
	enum km_open_kind kind = msg->round == km_presign_wire(s, KM_PRESIGN_OK) ? KM_OPEN_FAIL :
				 msg->round == km_presign_wire(s, KM_PRESIGN_PASS) ? KM_OPEN_OPEN : KM_OPEN_NONE;
	if (!kind)
		return 0;
	struct km_shape shape = km_open_shape(engine, q->n, kind);
	uint8_t *body = calloc(1, (size_t)km_shape_size(&shape));

	KM_ASSERT(body);
	memset(body, value, KM_SEED_SIZE);
	if (own_seed)
		memcpy(body, s->early->seed, KM_SEED_SIZE);
	put_places(q, engine, body + shape.head);
	int err = km_msg_build(b, msg->proto, msg->round, q->self, 0, msg->sid, &shape, body, id);
	KM_ASSERT(!err);
	free(body);
	return 1;
}
