/* relay.c: helpers against selective delivery. STALL says what is missing here, RELAY hands on broadcasts of others, ABORT says that
 * we have dropped a run, HEADERS shows what we were sent when the views of a key generation differ. */
#include "peer_impl.h"

#include <string.h>

#define RELAY_MAX 32
#define RELAYS_A_SECOND 8
#define SCORE_STALL (KM_SCORE_UNIT / 4)
#define DKG_ECHO 3

/* Round 0 of a proposal: its JOINs. */
void km_relay_ask(struct km_peer *p, const uint8_t id[KM_HASH_SIZE], unsigned round, uint32_t missing, uint32_t to)
{
	km_put_u8(&p->scratch, KM_FRAME_STALL);
	km_put_bytes(&p->scratch, id, KM_HASH_SIZE);
	km_put_u8(&p->scratch, (uint8_t)round);
	km_put_u32(&p->scratch, missing);
	km_peer_send_set(p, to);
}

void km_relay_stall(struct km_peer *p, struct km_run *run, uint32_t missing)
{
	km_relay_ask(p, run->sid, km_machine_stalled(run->m), missing, run->prop.participants);
}

/* Puts the message of `sender` behind the frame; 0 when it is not here. */
static int put_held(struct km_peer *p, const struct km_run *run, unsigned round, unsigned sender, int count_only)
{
	const struct km_stored *s;

	if (!round) {
		if (!km_set_has(run->joined, sender))
			return 0;
		if (!count_only)
			km_put_lbytes(&p->scratch, run->join[sender], km_run_join_len(run));
		return 1;
	}
	s = run->m ? km_machine_find(run->m, round, sender) : NULL;
	if (s && !count_only)
		km_put_lbytes(&p->scratch, s->raw, KM_MSG_HEAD + (size_t)s->msg.body_len);
	return s != NULL;
}

void km_relay_on_stall(struct km_peer *p, unsigned from, const uint8_t *d, size_t n)
{
	struct km_link *l = &p->link[from];
	struct km_reader r;
	uint8_t sid[KM_HASH_SIZE];
	unsigned found = 0;

	km_reader_init(&r, d + 1, n - 1);
	km_get_bytes(&r, sid, sizeof(sid));
	unsigned round = km_get_u8(&r);
	uint32_t missing = km_get_u32(&r);
	if (km_reader_end(&r)) {
		km_peer_drop_frame(p, KM_DROP_GARBAGE);
		return;
	}
	struct km_run *run = round ? km_run_by_sid(p, sid) : km_run_by_proposal(p, sid);
	if (!run || !km_set_has(run->prop.participants, from))
		return;
	/* WHY: 38 bytes are answered with up to a megabyte (attack B22) */
	if (!km_bucket_take(&l->relay_tokens, &l->relay_at_us, p->now.mono_us, RELAYS_A_SECOND, 2 * RELAYS_A_SECOND) &&
	    KM_RULE(km_rule_answer_rate)) {
		km_peer_drop_frame(p, KM_DROP_LIMIT);
		return;
	}
	missing &= run->prop.participants & ~km_set_bit(from);
	for (unsigned i = km_set_next(missing, 0); i; i = km_set_next(missing, i))
		found += (unsigned)put_held(p, run, round, i, 1);
	if (!found)
		return;
	km_put_u8(&p->scratch, KM_FRAME_RELAY);
	km_put_u8(&p->scratch, (uint8_t)found);
	for (unsigned i = km_set_next(missing, 0); i; i = km_set_next(missing, i))
		/* its link to the one it waits for did not carry what ours did */
		if (put_held(p, run, round, i, 0) && i != p->self)
			km_blame_link(p, from, i, SCORE_STALL);
	km_peer_send(p, km_peer_addr(from));
}

void km_relay_on_relay(struct km_peer *p, unsigned from, const uint8_t *d, size_t n)
{
	struct km_reader r;

	km_reader_init(&r, d + 1, n - 1);
	unsigned count = km_get_u8(&r);
	if (count > RELAY_MAX)
		km_reader_fail(&r, KM_E_LIMIT);
	for (unsigned i = 0; i < count && !r.err; i++) {
		size_t len = 0;
		const uint8_t *raw = km_get_lref(&r, &len, KM_MAX_ENVELOPE);

		if (raw && len <= KM_JOIN_MAX && len >= KM_MSG_HEAD && raw[2] == KM_PROTO_SETUP) {
			struct km_msg msg;

			if (km_msg_parse(&msg, raw, len) == KM_OK)
				km_session_on_setup(p, from, 1, &msg);
		} else if (raw) {
			km_run_envelope(p, from, 1, raw, len, NULL);
		}
	}
	if (km_reader_end(&r))
		km_peer_drop_frame(p, KM_DROP_GARBAGE);
}

/* Drops the run for what `from` said. The next hears from us who told us: a claim of our own would be held against us. */
static void pass_on(struct km_peer *p, struct km_run *run, unsigned from, uint32_t waited)
{
	km_put_u8(&p->scratch, KM_FRAME_ABORT);
	km_put_bytes(&p->scratch, run->sid, KM_HASH_SIZE);
	km_put_u8(&p->scratch, (uint8_t)-KM_E_STALE);
	km_put_u32(&p->scratch, km_set_bit(from));
	km_peer_send_set(p, run->prop.participants);
	p->told_us = p->now.mono_us;
	p->told_by = (uint8_t)from;
	km_run_drop(p, run, KM_E_STALE, waited, 0);
}

void km_relay_on_abort(struct km_peer *p, unsigned from, const uint8_t *d, size_t n)
{
	struct km_reader r;
	uint8_t id[KM_HASH_SIZE];

	km_reader_init(&r, d + 1, n - 1);
	km_get_bytes(&r, id, sizeof(id));
	int code = -(int)km_get_u8(&r);
	uint32_t waited = km_get_u32(&r);
	if (km_reader_end(&r)) {
		km_peer_drop_frame(p, KM_DROP_GARBAGE);
		return;
	}
	km_links_aborted(p, from, waited);
	km_pool_abort(p, from, id);
	struct km_run *run = km_run_by_proposal(p, id);
	if (run && (run->state == KM_RUN_JOINING || (run->state == KM_RUN_ACTIVE && run->m->round == 1 && !run->m->open)) &&
	    km_set_has(run->prop.participants, from)) {
		/* it never saw all JOINs: nobody is late by that */
		run->ended_by = (uint8_t)from;
		km_run_drop(p, run, KM_E_STALE, 0, 0);
		return;
	}
	run = km_run_by_sid(p, id);
	if (!run || run->state != KM_RUN_ACTIVE || !km_set_has(run->prop.participants, from))
		return;
	/* WHY: who made an opened run fail must not end its judgement; the others end it when they have judged */
	if (run->m->open)
		return;
	if (code == KM_E_DEADLINE)
		km_blame_set(p, from, waited & run->prop.participants, SCORE_STALL);
	/* in the last round everybody's part stands for itself: what is complete stays */
	if (km_run_stands(run))
		return;
	run->ended_by = (uint8_t)from;
	if (code == KM_E_MISMATCH) {
		km_run_drop(p, run, code, 0, 1);
		return;
	}
	if (code == KM_E_STALE && waited) {
		/* it lost others, or passes on that they dropped the run */
		km_links_claim(p, from, waited);
		pass_on(p, run, from, waited & run->prop.participants);
		return;
	}
	if (code != KM_E_DEADLINE)
		km_blame_link(p, p->self, from, SCORE_STALL);
	/* it will not come back. What is missing here counts as late only if it had its time: else a lying ABORT would mark links
	 * between others, ours to whom we wait for among them */
	uint32_t missing = km_machine_missing(run->m) & ~km_set_bit(p->self);
	uint64_t deadline = km_machine_deadline(run->m), since = run->m->round_since_ms;
	if (deadline != UINT64_MAX && p->now.mono_us / 1000 - since >= (deadline - since) / 2)
		km_run_drop(p, run, KM_E_DEADLINE, missing, 1);
	else
		pass_on(p, run, from, 0);
}

/* ---- HEADERS */

void km_relay_headers(struct km_peer *p, struct km_run *run)
{
	km_put_u8(&p->scratch, KM_FRAME_HEADERS);
	km_put_bytes(&p->scratch, run->sid, KM_HASH_SIZE);
	/* views differ by what came before the echo */
	for (unsigned r = 1; r <= DKG_ECHO; r++) {
		if (km_dkg_headers(run->m, r, &p->scratch)) {
			km_buf_reset(&p->scratch);
			return;
		}
	}
	km_peer_send_set(p, run->prop.participants);
}

/* Two signed headers of one author that differ convict it, whoever shows them. */
void km_relay_on_headers(struct km_peer *p, unsigned from, const uint8_t *d, size_t n)
{
	struct km_outs outs;
	struct km_out *out;

	if (n < 1 + KM_HASH_SIZE || n - 1 - KM_HASH_SIZE > DKG_ECHO * KM_MAX_PEERS * KM_MSG_HEAD) {
		km_peer_drop_frame(p, KM_DROP_GARBAGE);
		return;
	}
	struct km_run *run = km_run_by_sid(p, d + 1);
	if (!run || !km_run_ceremony(run) || !km_set_has(run->prop.participants, from) || run->m->busy ||
	    km_set_has(run->shown, from)) {
		km_peer_drop_frame(p, KM_DROP_STALE);
		return;
	}
	run->shown |= km_set_bit(from);
	km_outs_init(&outs);
	d += 1 + KM_HASH_SIZE;
	n -= 1 + KM_HASH_SIZE;
	while (n) {
		size_t part = n < KM_MAX_PEERS * KM_MSG_HEAD ? n : KM_MAX_PEERS * KM_MSG_HEAD;

		if (km_dkg_compare_headers(run->m, d, part, &outs)) {
			km_peer_drop_frame(p, KM_DROP_GARBAGE);
			break;
		}
		d += part;
		n -= part;
	}
	while ((out = km_outs_pop(&outs))) {
		if (out->kind == KM_OUT_CONVICT)
			km_blame_convict(p, run, out->peer, out->code, out->data, out->len);
		km_out_free(out);
	}
}
