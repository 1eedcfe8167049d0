/* dkg_after.c: what is asked of a DKG or reshare run beside its rounds: the archive, and the headers that settle a split view. */
#include "dkg_impl.h"

#include <stdlib.h>
#include <string.h>
#include "../base/secret.h"

int km_dkg_archive(const struct km_machine *m, struct km_buf *out)
{
	if (!km_dkg_state(m))
		return KM_E_INVAL;
	for (unsigned r = KM_DKG_G1; r <= KM_DKG_G5; r++) {
		for (unsigned i = km_set_next(m->participants, 0); i; i = km_set_next(m->participants, i)) {
			const struct km_stored *s = km_machine_find(m, r, i);
			if (s)
				km_put_lbytes(out, s->raw, KM_MSG_HEAD + (size_t)s->msg.body_len);
		}
	}
	return out->err;
}

int km_dkg_headers(const struct km_machine *m, unsigned round, struct km_buf *out)
{
	if (!km_dkg_state(m) || round < KM_DKG_G1 || round > KM_DKG_G6)
		return KM_E_INVAL;
	for (unsigned i = km_set_next(m->participants, 0); i; i = km_set_next(m->participants, i)) {
		const struct km_stored *s = km_machine_find(m, round, i);
		if (s)
			km_put_bytes(out, s->raw, KM_MSG_HEAD);
	}
	return out->err;
}

int km_dkg_g2_headers(const struct km_machine *m, struct km_buf *out)
{
	return km_dkg_headers(m, KM_DKG_G2, out);
}

int km_dkg_compare_headers(struct km_machine *m, const uint8_t *headers, size_t len, struct km_outs *outs)
{
	struct km_dkg_state *st = m->state;
	int err = KM_OK;

	if (!km_dkg_state(m))
		return KM_E_INVAL;
	if (len % KM_MSG_HEAD || len / KM_MSG_HEAD > KM_MAX_PEERS)
		return KM_E_ENCODING;
	for (; !err && len; len -= KM_MSG_HEAD, headers += KM_MSG_HEAD) {
		const struct km_stored *held;
		struct km_msg shown;

		err = km_msg_parse_head(&shown, headers, KM_MSG_HEAD);
		if (err)
			return err;
		held = km_machine_find(m, shown.round, shown.sender);
		if (held && !km_set_has(st->convicted, shown.sender) &&
		    memcmp(held->msg.digest, shown.digest, KM_HASH_SIZE) != 0 &&
		    km_dkg_check_header(&st->group, &shown, shown.round, shown.sender) == KM_OK) {
			const struct km_msg *pair[2] = { &held->msg, &shown };

			st->convicted |= km_set_bit(shown.sender);
			err = km_machine_convict(m, shown.sender, KM_EV_EQUIVOCATION, pair, 2, outs);
		}
	}
	return err;
}
