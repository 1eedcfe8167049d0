/* What a corrupt participant of a key generation can say, with its signature under it: evidence, complaints, openings, and any
 * message to a running machine. Whatever the bytes, no honest peer is convicted.
 *
 * Under libFuzzer: -detect_leaks=0, for the runs kept over all inputs live in the arena, where LeakSanitizer does not look.
 * Input: kind | run | bytes. Three peers, T = 2; peer 2 is the corrupt one, and its key signs what the input says. */
#include "fuzz.h"
#include "tests/lib/dkg_help.h"
#include "proto/evidence.h"

const char fuzz_name[] = "dkg";
const unsigned fuzz_rounds = 60;

#define EVIL 2
#define RUNS 4
enum { EVIDENCE, COMPLAINT, OPENING, MACHINE, KINDS };

static struct dkg run[RUNS];
static struct km_dkg_group group[RUNS];
static struct km_dkg_view view;       /* of run 0 */
static struct km_identity evil_id;

/* Bad share for peer 1; a false complaint about peer 1; a bad proof; no point. */
static void corrupt_0(struct km_machine *m, struct km_dkg_state *st, unsigned job)
{
	if (job == KM_DKG_JOB_SHARES)
		st->g4[KM_HASH_SIZE + 3] ^= 1;
}

static void corrupt_1(struct km_machine *m, struct km_dkg_state *st, unsigned job)
{
	uint8_t dh[KM_POINT_MAX];
	struct km_point d;

	if (job != KM_DKG_JOB_CHECK)
		return;
	int err = km_dkg_dh(&st->group, &st->sec->e, &st->open[0].e, &d, dh);
	if (!err)
		err = km_dkg_make_complaint(st, 1, &d, dh);
	KM_ASSERT(!err);
}

static void corrupt_2(struct km_machine *m, struct km_dkg_state *st, unsigned job)
{
	if (job == KM_DKG_JOB_DEAL)
		st->g2[KM_HASH_SIZE + 2 * km_curve_point_size(m->curve) + km_dlog_size(m->curve) - 1] ^= 1;
}

static void corrupt_3(struct km_machine *m, struct km_dkg_state *st, unsigned job)
{
	if (job == KM_DKG_JOB_DEAL)
		st->g2[KM_HASH_SIZE] = 0;
}

static void clear(void)
{
	for (unsigned k = 0; k < RUNS; k++)
		dkg_clear(&run[k]);
}

static void init(void)
{
	static const dkg_evil_fn corrupt[RUNS] = { corrupt_0, corrupt_1, corrupt_2, corrupt_3 };
	static int done;

	if (done)
		return;
	done = 1;
	(void)atexit(clear);
	for (unsigned k = 0; k < RUNS; k++) {
		dkg_init(&run[k], 500 + k, 7, 2);
		dkg_corrupt(&run[k], EVIL, corrupt[k], NULL);
		dkg_run(&run[k], 0);
		/* the hook serves one run at a time; judging needs the honest peers' machines only */
		run[k].m[EVIL]->ops = dkg_evil.honest;
		group[k] = dkg_group(&run[k]);
		KM_ASSERT(dkg_party(&run[k], 1)->convicted == km_set_bit(EVIL));
	}
	for (unsigned r = 1; r <= KM_DKG_VIEW_ROUNDS; r++)
		for (unsigned i = 1; i <= 3; i++)
			memcpy(view.digest[r - 1][i - 1], km_machine_find(run[0].m[1], r, i)->msg.digest, KM_HASH_SIZE);
	net_identity(500, EVIL, &evil_id);
}

static int evidence(unsigned k, const uint8_t *p, size_t n)
{
	unsigned culprit;

	int err = km_dkg_judge_evidence(&group[k], p, n, &culprit);
	KM_ASSERT(!err && (culprit == 0 || culprit == EVIL));
	return culprit != 0;
}

static uint8_t *sign(unsigned round, const uint8_t *p, size_t n, size_t size, struct km_msg *m)
{
	struct km_shape shape;
	uint8_t *body = calloc(1, size + 1), *raw;
	struct km_buf b;
	size_t len;

	KM_ASSERT(body);
	memcpy(body, p, n < size ? n : size);
	km_dkg_g4_shape(group[0].curve, 3, &shape);
	if (round != KM_DKG_G4 || km_shape_size(&shape) != size)
		shape = (struct km_shape){ .head = (uint32_t)size };
	km_buf_init(&b);
	int err = km_msg_build(&b, KM_PROTO_DKG, (uint8_t)round, EVIL, 0, group[0].sid, &shape, body, &evil_id);
	KM_ASSERT(!err);
	free(body);
	raw = km_buf_take(&b, &len);
	err = km_msg_parse(m, raw, len);
	KM_ASSERT(!err);
	return raw;
}

/* A complaint in run 0 about whomever it names. Peer 2 itself dealt a bad share there, peers 1 and 3 did not. */
static int complaint(const uint8_t *p, size_t n)
{
	const struct km_curve *c = group[0].curve;
	enum km_dkg_verdict v;
	struct km_msg m;
	uint8_t *raw = sign(KM_DKG_G5, p, n, km_dkg_complaint_size(c, 2, 3), &m);

	int err = km_dkg_judge_complaint(&group[0], &m, &km_machine_find(run[0].m[1], KM_DKG_G2, EVIL)->msg, &view, &v);
	KM_ASSERT(!err && v != KM_DKG_DEALER);
	free(raw);
	return v == KM_DKG_AUTHOR;
}

static int opening(const uint8_t *p, size_t n)
{
	static struct km_dkg_opening open;
	uint8_t h[KM_HASH_SIZE];
	struct km_msg g1, g2;

	if (n > 2048)
		return 0;
	uint8_t *raw2 = sign(KM_DKG_G2, p, n, n, &g2);
	if (n > KM_HASH_SIZE + KM_DKG_BLIND)
		km_dkg_commitment(&group[0], EVIL, raw2 + KM_MSG_HEAD, (uint32_t)n, h);
	else
		memset(h, 0, sizeof(h));
	uint8_t *raw1 = sign(KM_DKG_G1, h, sizeof(h), sizeof(h), &g1);
	int err = km_dkg_opening_check(&group[0], &g1, &g2, &open);
	KM_ASSERT(!err || err == KM_E_ENCODING || err == KM_E_VERIFY);
	free(raw1);
	free(raw2);
	return !err;
}

/* Input: round | body, to a machine that waits for exactly that round of peer 2 alone. */
static enum net_verdict hold_evil(void *ctx, uint8_t from, uint8_t to, uint8_t **raw, size_t *len)
{
	return from == EVIL && (*raw)[3] >= *(const unsigned *)ctx ? NET_DROP : NET_PASS;
}

/* Everybody's G5 is lost: the corrupt peer still has its e then. */
static enum net_verdict hold_g5(void *ctx, uint8_t from, uint8_t to, uint8_t **raw, size_t *len)
{
	return (*raw)[3] == KM_DKG_G5 ? NET_DROP : NET_PASS;
}

static int machine(const uint8_t *p, size_t n)
{
	unsigned round = n ? 1 + p[0] % 6u : 1;
	struct km_msg m;
	struct dkg d;

	if (n < 1 || n > 4096)
		return 0;
	dkg_init(&d, 500, 7, 2);
	net_tap(d.net, hold_evil, &round);
	dkg_run(&d, 0);
	uint8_t *raw = sign(round, p + 1, n - 1, n - 1, &m);
	for (uint8_t to = 1; to <= 3; to += 2)
		net_inject(d.net, EVIL, to, raw, KM_MSG_HEAD + m.body_len);
	free(raw);
	dkg_run(&d, 1);
	int accepted = 1;
	for (unsigned i = 1; i <= 3; i += 2) {
		const struct net_party *party = dkg_party(&d, i);

		KM_ASSERT((party->convicted & ~km_set_bit(EVIL)) == 0 && (party->disputed & ~km_set_bit(EVIL)) == 0 &&
			  !party->err);
		accepted &= d.m[i]->round > round;
	}
	dkg_clear(&d);
	return accepted;
}

int fuzz_one(const uint8_t *data, size_t size)
{
	init();
	if (size < 2)
		return 0;
	switch (data[0] % (unsigned)KINDS) {
	case EVIDENCE:
		return evidence(data[1] % (unsigned)RUNS, data + 2, size - 2);
	case COMPLAINT:
		return complaint(data + 2, size - 2);
	case OPENING:
		return opening(data + 2, size - 2);
	default:
		return machine(data + 2, size - 2);
	}
}

static void out(fuzz_emit_fn *emit, void *ctx, const char *name, unsigned kind, unsigned k, const uint8_t *p, size_t n)
{
	uint8_t *buf = malloc(n + 2);

	KM_ASSERT(buf);
	buf[0] = (uint8_t)kind;
	buf[1] = (uint8_t)k;
	memcpy(buf + 2, p, n);
	emit(ctx, name, buf, n + 2);
	free(buf);
}

void fuzz_seeds(fuzz_emit_fn *emit, void *ctx)
{
	static const char *const names[RUNS] = {"evidence-complaint", "evidence-false-complaint", "evidence-opening",
						"evidence-encoding"};
	uint8_t buf[2048], dh[KM_POINT_MAX];
	struct km_point point;
	struct km_buf b;
	struct dkg d;

	init();
	for (unsigned k = 0; k < RUNS; k++)
		out(emit, ctx, names[k], EVIDENCE, k, dkg_party(&run[k], 1)->evidence, dkg_party(&run[k], 1)->evidence_len);
	/* two headers of the corrupt peer */
	struct km_msg other;
	const struct km_msg *first = &km_machine_find(run[0].m[1], KM_DKG_G2, EVIL)->msg;
	uint8_t *raw = sign(KM_DKG_G2, first->body, first->body_len - 1, first->body_len, &other);
	km_buf_init(&b);
	km_evidence_items_begin(&b, KM_EV_EQUIVOCATION, 2);
	km_evidence_header(&b, first);
	km_evidence_header(&b, &other);
	out(emit, ctx, "evidence-equivocation", EVIDENCE, 0, b.data, b.len);
	km_buf_clear(&b);
	free(raw);

	/* its own machine, honest up to here: a whole false complaint, an opening, and every round's message */
	dkg_init(&d, 500, 7, 2);
	dkg_run(&d, 0);
	for (unsigned round = 1; round <= 6; round++) {
		const struct km_msg *m = &km_machine_find(d.m[1], round, EVIL)->msg;
		char name[16] = "message-0";

		name[8] = (char)('0' + round);
		buf[0] = (uint8_t)(round - 1);
		memcpy(buf + 1, m->body, m->body_len);
		out(emit, ctx, name, MACHINE, 0, buf, 1 + m->body_len);
		if (round == KM_DKG_G2)
			out(emit, ctx, "opening", OPENING, 0, m->body, m->body_len);
	}
	dkg_clear(&d);
	dkg_init(&d, 500, 7, 2);
	net_tap(d.net, hold_g5, NULL);
	dkg_run(&d, 0);
	struct km_dkg_state *st = d.m[EVIL]->state;
	int err = km_dkg_dh(&st->group, &st->sec->e, &st->open[0].e, &point, dh);
	if (!err)
		err = km_dkg_make_complaint(st, 1, &point, dh);
	KM_ASSERT(!err);
	memcpy(st->g5, km_machine_prev(d.m[EVIL], KM_DKG_G5), KM_HASH_SIZE);
	out(emit, ctx, "complaint", COMPLAINT, 0, st->g5, st->g5_len);
	buf[0] = 4;
	memcpy(buf + 1, st->g5, st->g5_len);
	out(emit, ctx, "message-5-complaint", MACHINE, 0, buf, 1 + st->g5_len);
	dkg_clear(&d);
}
