/* What a corrupt participant of a reshare can say, with its signature under it, and what else comes from outside about one: any message
 * to a running machine, evidence, certificates, proposals, transcripts. Whatever the bytes, no honest peer is convicted, and what is
 * read is written the same.
 *
 * Under libFuzzer: -detect_leaks=0, for the run kept over all inputs lives in the arena, where LeakSanitizer does not look.
 * Input: kind | bytes. Old members 1..3, T = 2; 1 and 2 deal, 2, 3 and 4 receive; 2 is the corrupt one. */
#include "fuzz.h"
#include "tests/lib/reshare_help.h"
#include "proto/evidence.h"
#include "proto/transcript.h"

const char fuzz_name[] = "reshare";
const unsigned fuzz_rounds = 60;

#define EVIL 2
#define HONEST 0x0du
enum { EVIDENCE, MACHINE, CERT, PROPOSAL, TRANSCRIPT, KINDS };

static struct rsh_key key, next;
static struct rsh lied, kept;             /* a run with a bad share for 4; an honest one */
static struct km_dkg_over over;
static struct km_dkg_group group;
static struct km_identity evil_id;
static struct km_buf archive;

static void corrupt(struct km_machine *m, struct km_dkg_state *st, unsigned job)
{
	if (job == KM_DKG_JOB_SHARES)
		st->g4[KM_HASH_SIZE + 48 + 3] ^= 1;
}

static void clear(void)
{
	rsh_clear(&lied);
	rsh_clear(&kept);
	km_buf_clear(&archive);
}

static void begin(struct rsh *r, uint64_t run)
{
	rsh_init(r, &key, run, 0x03, 0x0e, 0x0e, 2);
}

static void init(void)
{
	static int done;

	if (done)
		return;
	done = 1;
	(void)atexit(clear);
	rsh_key_make(&key, 600, km_curve_p256(), 0x07, 2);
	net_identity(600, EVIL, &evil_id);
	begin(&lied, 1);
	dkg_corrupt(&lied.d, EVIL, corrupt, NULL);
	dkg_run(&lied.d, 0);
	lied.d.m[EVIL]->ops = dkg_evil.honest;
	group = rsh_group(&lied, &over);
	KM_ASSERT(dkg_party(&lied.d, 1)->convicted == km_set_bit(EVIL));
	begin(&kept, 2);
	dkg_run(&kept.d, 0);
	km_buf_init(&archive);
	km_put_lbytes(&archive, kept.d.setup.propose.raw, KM_MSG_HEAD + (size_t)kept.d.setup.propose.body_len);
	for (unsigned i = 0; i < kept.d.setup.n; i++)
		km_put_lbytes(&archive, kept.d.setup.join[i].raw, KM_MSG_HEAD + (size_t)kept.d.setup.join[i].body_len);
	int err = km_dkg_archive(kept.d.m[1], &archive);
	KM_ASSERT(!err);
	err = rsh_key_next(&next, &kept);
	KM_ASSERT(!err);
}

static int evidence(const uint8_t *p, size_t n)
{
	struct km_judge j = { .idkeys = (const uint8_t(*)[KM_IDKEY_SIZE])lied.d.keys, .table = &key.table };
	struct km_verdict v;
	unsigned culprit;

	int err = km_dkg_judge_evidence(&group, p, n, &culprit);
	KM_ASSERT(!err && (culprit == 0 || culprit == EVIL));
	err = km_evidence_judge(p, n, &j, &v);
	KM_ASSERT(!err && (v.culprit == 0 || v.culprit == EVIL));
	return culprit || v.culprit;
}

/* Input: round | body, to machines that wait for exactly that round of peer 2 alone. */
static enum net_verdict hold_evil(void *ctx, uint8_t from, uint8_t to, uint8_t **raw, size_t *len)
{
	return from == EVIL && (*raw)[3] >= *(const unsigned *)ctx ? NET_DROP : NET_PASS;
}

static int machine(const uint8_t *p, size_t n)
{
	unsigned round = n ? 1 + p[0] % 6u : 1;
	struct km_shape shape = { .head = (uint32_t)(n - 1) }, dealing;
	struct km_buf b;
	struct rsh r;

	if (n < 1 || n > 4096)
		return 0;
	begin(&r, 3);
	net_tap(r.d.net, hold_evil, &round);
	dkg_run(&r.d, 0);
	km_dkg_dealing_shape(&group, EVIL, &dealing);
	if (round == KM_DKG_G4 && km_shape_size(&dealing) == n - 1)
		shape = dealing;
	km_buf_init(&b);
	int err = km_msg_build(&b, KM_PROTO_RESHARE, (uint8_t)round, EVIL, 0, r.d.setup.sid, &shape, p + 1, &evil_id);
	KM_ASSERT(!err);
	for (unsigned to = km_set_next(HONEST, 0); to; to = km_set_next(HONEST, to))
		net_inject(r.d.net, EVIL, (uint8_t)to, b.data, b.len);
	km_buf_clear(&b);
	dkg_run(&r.d, 1);
	int accepted = 1;
	for (unsigned i = km_set_next(HONEST, 0); i; i = km_set_next(HONEST, i)) {
		const struct net_party *party = dkg_party(&r.d, i);

		KM_ASSERT((party->convicted & ~km_set_bit(EVIL)) == 0 && (party->disputed & ~km_set_bit(EVIL)) == 0 && !party->err);
		accepted &= r.d.m[i]->round > round;
	}
	rsh_clear(&r);
	return accepted;
}

static int cert(const uint8_t *p, size_t n)
{
	static struct km_cert c;
	struct km_buf b;

	if (km_cert_decode(&c, p, n))
		return 0;
	km_buf_init(&b);
	int err = km_cert_encode(&c, &b);
	KM_ASSERT(!err && b.len == n && memcmp(b.data, p, n) == 0);
	km_buf_clear(&b);
	return km_cert_verify(&c, &next.table) == KM_OK;
}

static int proposal(const uint8_t *p, size_t n)
{
	static struct km_presign_row rows[KM_MAX_BATCH];
	struct km_proposal pr;
	struct km_buf b;

	if (km_setup_get(&pr, rows, p, n))
		return 0;
	km_buf_init(&b);
	km_setup_put(&b, &pr, rows);
	KM_ASSERT(!b.err && b.len == n && memcmp(b.data, p, n) == 0);
	km_buf_clear(&b);
	return km_reshare_possible(&pr, &key.table, (const uint8_t(*)[KM_IDKEY_SIZE])kept.d.keys) == KM_OK;
}

/* Any change of an archive that still holds changes only what it does not sign: nothing. */
static int transcript(const uint8_t *p, size_t n)
{
	static struct km_transcript_file f;
	struct km_transcript_verdict v;

	int file = km_transcript_file_get(&f, p, n) == KM_OK;
	KM_ASSERT(!file || f.archive);
	int err = km_transcript_verify(p, n, &next.table, &key.table, &v);
	KM_ASSERT(!err && v.why);
	return v.holds;
}

int fuzz_one(const uint8_t *data, size_t size)
{
	init();
	if (size < 2)
		return 0;
	switch (data[0] % (unsigned)KINDS) {
	case EVIDENCE:
		return evidence(data + 1, size - 1);
	case MACHINE:
		return machine(data + 1, size - 1);
	case CERT:
		return cert(data + 1, size - 1);
	case PROPOSAL:
		return proposal(data + 1, size - 1);
	default:
		return transcript(data + 1, size - 1);
	}
}

static void out(fuzz_emit_fn *emit, void *ctx, const char *name, unsigned kind, const uint8_t *p, size_t n)
{
	uint8_t *buf = malloc(n + 1);

	KM_ASSERT(buf);
	buf[0] = (uint8_t)kind;
	memcpy(buf + 1, p, n);
	emit(ctx, name, buf, n + 1);
	free(buf);
}

void fuzz_seeds(fuzz_emit_fn *emit, void *ctx)
{
	const struct net_party *victim;
	struct km_buf b;
	uint8_t buf[2048];
	struct rsh r;

	init();
	victim = dkg_party(&lied.d, 1);
	out(emit, ctx, "evidence-machine", EVIDENCE, victim->evidence, victim->evidence_len);
	km_buf_init(&b);
	int err = km_evidence_wrap(&b, victim->evidence, victim->evidence_len, key.table.hash, &lied.d.setup.propose, lied.d.setup.join,
				   lied.d.setup.n);
	KM_ASSERT(!err);
	out(emit, ctx, "evidence", EVIDENCE, b.data, b.len);
	km_buf_reset(&b);
	err = km_cert_encode(&next.cert, &b);
	KM_ASSERT(!err);
	out(emit, ctx, "certificate", CERT, b.data, b.len);
	km_buf_clear(&b);
	out(emit, ctx, "proposal", PROPOSAL, kept.d.setup.propose.body, kept.d.setup.propose.body_len);
	out(emit, ctx, "transcript", TRANSCRIPT, archive.data, archive.len);
	begin(&r, 3);
	dkg_run(&r.d, 0);
	for (unsigned round = 1; round <= 5; round++) {
		const struct km_msg *m = &km_machine_find(r.d.m[1], round, EVIL)->msg;
		char name[16] = "message-0";

		name[8] = (char)('0' + round);
		buf[0] = (uint8_t)(round - 1);
		memcpy(buf + 1, m->body, m->body_len);
		out(emit, ctx, name, MACHINE, buf, 1 + m->body_len);
	}
	rsh_clear(&r);
}
