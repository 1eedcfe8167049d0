/* sim_check.c: the invariants, checked on everything a node lets out.
 *
 * 1 one honest peer releases two shares under one presignature, or two messages complete under one R
 * 2 a signature verifies that no authorised frontend asked for
 * 6 an honest peer is convicted */
#include "sim_impl.h"

#include <stdlib.h>
#include <string.h>
#include "proto/sign.h"

static void *grow(void *p, size_t n, size_t *cap, size_t size)
{
	if (n < *cap)
		return p;
	*cap = *cap ? 2 * *cap : 256;
	p = realloc(p, *cap * size);
	KM_ASSERT(p);
	return p;
}

/* Invariant 1: over all lives of a peer. */
static void check_share(struct sim *s, struct sim_node *from, const uint8_t *data, size_t len)
{
	struct km_share_msg sh;

	if (from->corrupt || km_share_msg_decode(&sh, data, len) != KM_OK || sh.status != KM_STATUS_OK)
		return;
	s->count.shares_released++;
	for (size_t i = 0; i < s->n_seen; i++) {
		const struct sim_seen *e = &s->seen[i];

		if (e->peer != from->addr.id || memcmp(e->presig, sh.presig_id, KM_HASH_SIZE) != 0)
			continue;
		if (memcmp(e->request, sh.request_id, KM_HASH_SIZE) != 0 || memcmp(e->s, sh.s, sh.n) != 0)
			sim_break(s, "invariant 1: peer %u released two shares under one presignature", from->addr.id);
		return;
	}
	s->seen = grow(s->seen, s->n_seen, &s->cap_seen, sizeof(*s->seen));
	struct sim_seen *e = &s->seen[s->n_seen++];
	memset(e, 0, sizeof(*e));
	e->peer = (uint8_t)from->addr.id;
	memcpy(e->presig, sh.presig_id, KM_HASH_SIZE);
	memcpy(e->request, sh.request_id, KM_HASH_SIZE);
	memcpy(e->s, sh.s, sh.n);
}

/* What honest frontends asked for. */
static void note_request(struct sim *s, struct sim_node *from, const uint8_t *data, size_t len)
{
	struct km_req req;
	struct km_req_macs *macs = calloc(1, sizeof(*macs));
	uint8_t id[KM_HASH_SIZE];

	KM_ASSERT(macs);
	int err = km_req_decode(&req, macs, data, len);
	free(macs);
	if (err)
		return;
	km_req_id(&req, id);
	for (size_t i = 0; i < s->n_asked; i++)
		if (memcmp(s->asked[i].request, id, sizeof(id)) == 0)
			return;
	s->asked = grow(s->asked, s->n_asked, &s->cap_asked, sizeof(*s->asked));
	struct sim_asked *a = &s->asked[s->n_asked++];
	memset(a, 0, sizeof(*a));
	memcpy(a->request, id, sizeof(id));
	memcpy(a->key_id, req.key_id, sizeof(a->key_id));
	a->frontend = (uint8_t)from->addr.id;
	err = km_sign_hash_bytes(km_curve_p256(), &a->m, req.data, req.len);
	KM_ASSERT(!err);
}

/* Invariant 2 at the place where signatures leave the mesh. */
static void check_reply(struct sim *s, struct sim_node *from, struct km_addr to, const uint8_t *data, size_t len)
{
	struct km_reply re;

	if (km_reply_decode(&re, data, len) != KM_OK || re.status != KM_STATUS_OK || from->corrupt)
		return;
	for (size_t i = 0; i < s->n_asked; i++)
		if (memcmp(s->asked[i].request, re.request_id, KM_HASH_SIZE) == 0 && s->asked[i].frontend == to.id)
			return;
	sim_break(s, "invariant 2: peer %u answered a request nobody made", from->addr.id);
}

void sim_check_send(struct sim *s, struct sim_node *from, struct km_addr to, const uint8_t *data, size_t len)
{
	if (!len)
		return;
	switch (data[0]) {
	case KM_FRAME_SHARE:
		check_share(s, from, data, len);
		break;
	case KM_FRAME_REQ:
		if (from->addr.kind == KM_ADDR_FRONTEND)
			note_request(s, from, data, len);
		break;
	case KM_FRAME_REPLY:
		check_reply(s, from, to, data, len);
		break;
	default:
		break;
	}
}

void sim_check_evidence(struct sim *s, struct sim_node *node, const uint8_t *data, size_t len, uint8_t culprit)
{
	(void)data;
	(void)len;
	if (!node->corrupt && culprit >= 1 && culprit <= s->opt.n && !s->peers[culprit].corrupt)
		sim_break(s, "invariant 6: peer %u convicts honest peer %u", node->addr.id, culprit);
}
