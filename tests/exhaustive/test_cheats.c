/* test_cheats.c: runs of engine majority in a group of 17 elements, and everything that one member can say wrong in them.
 *
 * Real machines make tuples. When a member is about to judge a round, every other value is put in the place of every field that
 * one other member sent: shares, commitments, points, proofs, epsilon. In a tiny group a proof holds for a wrong statement with
 * 1/17; so what must come out is told by schoolbook algebra over the logarithms:
 *	- all equations hold: accepted, nobody named;
 *	- one does not: never accepted; named is exactly who sent a proof that fails, or nobody where only a sum is off;
 *	- several do not: the private randomisers, here below 17 instead of 2^128, let some slip: as many as they must, and when
 *	  asked again with others, the same members are named, and only they.
 * After every good run all messages are signed, by every quorum. */
#include "run.h"

#include <stdlib.h>
#include "zk/dlog.h"

static struct tiny g;
static struct tally did;
static unsigned v_step;   /* which v of a proved lie are tried */

/* ---- C3 by the schoolbook; one index in a run */

struct claim {
	unsigned a, c, v, u, uv;   /* logarithms to the base G */
	unsigned z, zv, e, ev;
};

#define HEAD KM_HASH_SIZE           /* U_v | z_v, then A' | C' | V | U | z */
#define ROW (HEAD + 3)
enum { AT_UV = HEAD, AT_ZV = HEAD + 2, AT_A = ROW, AT_C = ROW + 2, AT_V = ROW + 4, AT_U = ROW + 6, AT_Z = ROW + 8 };

static unsigned log_at(const uint8_t *enc)
{
	for (unsigned k = 1; k < g.q; k++)
		if (memcmp(enc, g.enc[k], 2) == 0)
			return k;
	fail_msg("not a point");
	return 0;
}

static unsigned hash_scalar(struct km_hash *h)
{
	struct km_scalar e;

	km_scalar_from_hash(g.c, &e, h);
	return tiny_value(&e);
}

/* e = HS("c3", sid, index, i, R, w, V, A', C', U) */
static unsigned challenge(const struct km_presign *s, unsigned j, const uint8_t *body)
{
	uint8_t w = (uint8_t)tiny_value(&s->w[0]);
	struct km_hash h;

	km_hash_init(&h, "c3");
	km_hash_field(&h, s->m->sid, KM_HASH_SIZE);
	km_hash_u32(&h, 0);
	km_hash_u8(&h, (uint8_t)j);
	km_hash_field(&h, s->r_enc, 2);
	km_hash_field(&h, &w, 1);
	km_hash_field(&h, body + AT_V, 2);
	km_hash_field(&h, body + AT_A, 2);
	km_hash_field(&h, body + AT_C, 2);
	km_hash_field(&h, body + AT_U, 2);
	return hash_scalar(&h);
}

static unsigned challenge_v(const struct km_presign *s, unsigned j, const uint8_t *body)
{
	struct km_dlog_proof p;
	struct km_scalar e;
	struct km_hash h;

	km_hash_init(&h, "c3v");
	km_hash_field(&h, s->m->sid, KM_HASH_SIZE);
	km_hash_u8(&h, (uint8_t)j);
	assert_int_equal(km_dlog_decode(g.c, &p, body + HEAD), KM_OK);
	assert_int_equal(km_dlog_batch_challenge(g.c, &e, &p, body + AT_V, 1, &h), KM_OK);
	return tiny_value(&e);
}

static void read_claim(const struct km_presign *s, struct claim *cl, unsigned j)
{
	const uint8_t *body = tiny_body(s, KM_PRESIGN_C3, j);

	cl->a = log_at(body + AT_A);
	cl->c = log_at(body + AT_C);
	cl->v = log_at(body + AT_V);
	cl->u = log_at(body + AT_U);
	cl->uv = log_at(body + AT_UV);
	cl->z = body[AT_Z];
	cl->zv = body[AT_ZV];
	cl->e = challenge(s, j, body);
	cl->ev = challenge_v(s, j, body);
}

/* Equations that do not hold; *liars: whose proofs. */
static unsigned broken(const struct km_presign *s, uint32_t *liars)
{
	unsigned r = log_at(s->r_enc), w = tiny_value(&s->w[0]), sum_a = 0, sum_c = 0, sum_v = 0, n = 0;
	uint32_t quorum = s->index[0].quorum;

	*liars = 0;
	for (unsigned j = km_set_next(quorum, 0); j; j = km_set_next(quorum, j)) {
		struct claim cl;
		unsigned bad;

		read_claim(s, &cl, j);
		sum_a += cl.a;
		sum_c += cl.c;
		sum_v += cl.v;
		if (j == s->m->self)
			continue;
		bad = cl.z * r % g.q != (cl.u + cl.e * cl.a + cl.e * cl.e * cl.c) % g.q;
		bad += cl.zv != (cl.uv + cl.ev * cl.v) % g.q;
		n += bad;
		*liars |= bad ? km_set_bit(j) : 0;
	}
	n += sum_a % g.q != w;
	n += sum_c % g.q != w * sum_v % g.q;
	return n;
}

/* ---- one judgement against it */

static void assert_named(const struct km_presign *s, uint32_t want, enum km_evidence_kind kind)
{
	assert_int_not_equal(s->fail, KM_OK);
	assert_int_equal(tiny_guilty(s), want);
	for (unsigned j = km_set_next(want, 0); j; j = km_set_next(want, j))
		assert_int_equal(s->guilty[j], kind);
	did.named += want != 0;
	did.dropped += want == 0;
}

/* Randomisers other than the last time's, until the cheat does not slip through. */
static void judge(struct km_presign *s, unsigned n, uint32_t liars, enum km_evidence_kind kind, int (*check)(struct km_presign *),
		  enum km_tuple_state state, int always)
{
	for (unsigned again = 0;; again++) {
		assert_true(again < 100);
		tiny_forget(s, state);
		assert_int_equal(check(s), KM_OK);
		did.trials++;
		did.many += n > 1;
		if (n == 0) {
			assert_int_equal(s->fail, KM_OK);
			assert_int_equal(tiny_guilty(s), 0);
			did.exact++;
			return;
		}
		if (s->fail) {
			assert_named(s, liars, kind);
			return;
		}
		assert_true(n > 1 && !always);
		did.slipped++;
	}
}

static void judge_c3(struct km_presign *s)
{
	uint32_t liars;
	unsigned n = broken(s, &liars);

	judge(s, n, liars, KM_EV_C3_PROOF, km_certify_check, KM_TUPLE_RAW, 0);
}

/* ---- every other value of every field of one C3 */

static void each_point(struct km_presign *s, uint8_t *at)
{
	uint8_t was[2];

	memcpy(was, at, 2);
	for (unsigned k = 1; k < g.q; k++)
		if (memcmp(was, g.enc[k], 2) != 0) {
			memcpy(at, g.enc[k], 2);
			judge_c3(s);
		}
	memcpy(at, was, 2);
}

static void each_scalar(struct km_presign *s, uint8_t *at)
{
	uint8_t was = *at;

	for (unsigned z = 0; z < g.q; z++)
		if (z != was) {
			*at = (uint8_t)z;
			judge_c3(s);
		}
	*at = was;
}

/* Both responses of one member: its two proofs fail together, by amounts it chooses. WHY: with weights that it could know, or one
 * weight for both, they would cancel. */
static void each_pair_of_responses(struct km_presign *s, uint8_t *body)
{
	uint8_t z = body[AT_Z], zv = body[AT_ZV];

	for (unsigned v = 0; v < g.q * g.q; v++) {
		body[AT_Z] = (uint8_t)(v / g.q);
		body[AT_ZV] = (uint8_t)(v % g.q);
		judge_c3(s);
	}
	body[AT_Z] = z;
	body[AT_ZV] = zv;
}

/* Bytes that are no point, or no scalar: exactly their author. */
static void each_non_value(struct km_presign *s, unsigned j, uint8_t *at, unsigned width)
{
	uint8_t was[2];

	memcpy(was, at, width);
	for (unsigned v = 0; v < 256; v++)
		for (unsigned first = 0; first < (width == 2 ? 6 : 1); first++) {
			struct km_point p;

			at[0] = (uint8_t)(width == 2 ? first : v);
			if (width == 2)
				at[1] = (uint8_t)v;
			if (width == 2 ? km_point_decode_var(g.c, &p, at) == KM_OK : v < g.q)
				continue;
			tiny_forget(s, KM_TUPLE_RAW);
			assert_int_equal(km_certify_check(s), KM_OK);
			assert_named(s, km_set_bit(j), KM_EV_ENCODING);
		}
	memcpy(at, was, width);
}

/* a', c', v' as the liar likes, with proofs that are true of them: the sums alone can tell. */
static void each_proved_lie(struct km_presign *s, unsigned j, uint8_t *body)
{
	unsigned r = log_at(s->r_enc), u = 5, e;
	uint8_t was[ROW + 9];

	memcpy(was, body, sizeof(was));
	memcpy(body + AT_U, g.enc[u * r % g.q], 2);
	memcpy(body + AT_UV, g.enc[u], 2);
	for (unsigned v = 1; v < g.q; v += v_step)
		for (unsigned a = 1; a < g.q; a++)
			for (unsigned c = 1; c < g.q; c++) {
				memcpy(body + AT_A, g.enc[a * r % g.q], 2);
				memcpy(body + AT_C, g.enc[c * r % g.q], 2);
				memcpy(body + AT_V, g.enc[v], 2);
				e = challenge(s, j, body);
				body[AT_Z] = (uint8_t)((u + e * a + e * e * c) % g.q);
				body[AT_ZV] = (uint8_t)((u + challenge_v(s, j, body) * v) % g.q);
				judge_c3(s);
				assert_int_equal(tiny_guilty(s), 0);
			}
	memcpy(body, was, sizeof(was));
}

static void cheat_c3(struct km_presign *s)
{
	uint32_t others = s->index[0].quorum & ~km_set_bit(s->m->self);

	judge_c3(s);
	assert_int_equal(s->fail, KM_OK);
	for (unsigned j = km_set_next(others, 0); j; j = km_set_next(others, j)) {
		uint8_t *body = tiny_body(s, KM_PRESIGN_C3, j);

		for (unsigned at = AT_A; at <= AT_U; at += 2) {
			each_point(s, body + at);
			each_non_value(s, j, body + at, 2);
		}
		each_point(s, body + AT_UV);
		each_non_value(s, j, body + AT_UV, 2);
		each_scalar(s, body + AT_Z);
		each_non_value(s, j, body + AT_Z, 1);
		each_scalar(s, body + AT_ZV);
		each_non_value(s, j, body + AT_ZV, 1);
		each_pair_of_responses(s, body);
		each_proved_lie(s, j, body);
	}
	tiny_forget(s, KM_TUPLE_RAW);
}

/* ---- C4: every epsilon of one member, and of two at once */

static void judge_c4(struct km_presign *s, const uint8_t *good)
{
	uint32_t quorum = s->index[0].quorum, liars = 0;
	unsigned n = 0;

	for (unsigned j = km_set_next(quorum, 0); j; j = km_set_next(quorum, j))
		if (tiny_body(s, KM_PRESIGN_C4, j)[KM_HASH_SIZE] != good[j]) {
			liars |= km_set_bit(j);
			n++;
		}
	judge(s, n, liars, KM_EV_EPSILON, km_bind_check, KM_TUPLE_BOUND, 0);
	assert_int_equal(s->tuple[0], n ? KM_TUPLE_DROPPED : KM_TUPLE_BOUND);
}

static void cheat_c4(struct km_presign *s)
{
	uint32_t others = s->index[0].quorum & ~km_set_bit(s->m->self);
	uint8_t good[KM_MAX_PEERS + 1] = { 0 };

	for (unsigned j = km_set_next(s->index[0].quorum, 0); j; j = km_set_next(s->index[0].quorum, j))
		good[j] = tiny_body(s, KM_PRESIGN_C4, j)[KM_HASH_SIZE];
	for (unsigned j = km_set_next(others, 0); j; j = km_set_next(others, j)) {
		uint8_t *e = tiny_body(s, KM_PRESIGN_C4, j) + KM_HASH_SIZE;

		for (unsigned v = 0; v < g.q; v++) {
			*e = (uint8_t)v;
			judge_c4(s, good);
			/* another one beside it */
			for (unsigned k = km_set_next(others, j); k; k = km_set_next(others, k))
				for (unsigned v2 = 0; v2 < g.q; v2++) {
					tiny_body(s, KM_PRESIGN_C4, k)[KM_HASH_SIZE] = (uint8_t)v2;
					judge_c4(s, good);
					tiny_body(s, KM_PRESIGN_C4, k)[KM_HASH_SIZE] = good[k];
				}
		}
		for (unsigned v = g.q; v < 256; v++) {
			*e = (uint8_t)v;
			tiny_forget(s, KM_TUPLE_BOUND);
			assert_int_equal(km_bind_check(s), KM_OK);
			assert_named(s, km_set_bit(j), KM_EV_ENCODING);
			assert_int_equal(s->tuple[0], KM_TUPLE_DROPPED);
		}
		*e = good[j];
	}
	tiny_forget(s, KM_TUPLE_BOUND);
}

/* ---- M3: w, delta, R_i, the blind and the opened combinations */

static int open_m3(struct km_presign *s)
{
	int err = s->engine->check(s);

	return err || s->fail ? err : km_certify_open(s);
}

/* kind 0: the run goes, nobody is named. */
static void stops(struct km_presign *s, unsigned j, unsigned kind)
{
	tiny_forget(s, KM_TUPLE_RAW);
	assert_int_equal(open_m3(s), KM_OK);
	assert_named(s, kind ? km_set_bit(j) : 0, kind);
	did.trials++;
}

static void each_m3_scalar(struct km_presign *s, unsigned j, uint8_t *at, int redundant)
{
	uint8_t was = *at;

	for (unsigned v = 0; v < 256; v++) {
		if (v == was)
			continue;
		*at = (uint8_t)v;
		if (v >= g.q) {
			stops(s, j, KM_EV_ENCODING);
		} else if (redundant) {
			stops(s, j, 0);
		} else {
			/* another w or delta, which the points of C3 contradict (below): here nobody may be named */
			tiny_forget(s, KM_TUPLE_RAW);
			assert_int_equal(open_m3(s), KM_OK);
			assert_int_equal(tiny_guilty(s), 0);
			did.trials++;
		}
	}
	*at = was;
}

static void cheat_m3(struct km_presign *s)
{
	uint32_t others = s->m->participants & ~km_set_bit(s->m->self);
	int redundant = s->n > 2 * s->t + 1;

	for (unsigned j = km_set_next(others, 0); j; j = km_set_next(others, j)) {
		uint8_t *body = tiny_body(s, KM_PRESIGN_M3, j), *row = body + 2 * KM_HASH_SIZE + KM_KINDS, was[2];

		for (unsigned kind = 0; kind < KM_KINDS; kind++)
			each_m3_scalar(s, j, body + 2 * KM_HASH_SIZE + kind, 1);
		each_m3_scalar(s, j, row, redundant);
		each_m3_scalar(s, j, row + 1, redundant);
		memcpy(was, row + 2, 2);
		for (unsigned v = 0; v < 6 * 256; v++) {
			row[2] = (uint8_t)(v >> 8);
			row[3] = (uint8_t)v;
			if (memcmp(was, row + 2, 2) != 0)
				stops(s, j, km_set_has(s->index[0].quorum, j) ? KM_EV_OPENING : KM_EV_ENCODING);
		}
		memcpy(row + 2, was, 2);
		for (unsigned bit = 0; bit < 8 * KM_HASH_SIZE; bit++) {
			body[KM_HASH_SIZE + bit / 8] ^= (uint8_t)(1 << bit % 8);
			stops(s, j, KM_EV_OPENING);
			body[KM_HASH_SIZE + bit / 8] ^= (uint8_t)(1 << bit % 8);
		}
	}
	tiny_forget(s, KM_TUPLE_RAW);
}

static void hook(struct km_presign *s, unsigned what)
{
	if (s->fail || !s->own)
		return;
	/* what a run degenerates to is judged at its own end */
	if (what == KM_JOB_POINTS && open_m3(s) == KM_OK && !s->fail)
		cheat_m3(s);
	else if (what == KM_JOB_CERTIFY)
		cheat_c3(s);
	else if (what == KM_JOB_BIND)
		cheat_c4(s);
	if (what == KM_JOB_POINTS)
		tiny_forget(s, KM_TUPLE_RAW);
}

/* ---- what a good run is good for */

static void signs_everything(struct group *gr, uint32_t quorum)
{
	unsigned alpha = 0, beta = 0, x = tiny_seen(&gr->d.x), k = 0, failures = 0;
	struct km_secret keep[2][KM_MAX_PEERS + 1];

	for (unsigned i = km_set_next(quorum, 0); i; i = km_set_next(quorum, i)) {
		struct km_presig *p = group_presig(gr, i, 0);

		assert_non_null(p);
		k = tiny_log(&g, &p->r);
		alpha += tiny_seen(&p->alpha);
		beta += tiny_seen(&p->beta);
		keep[0][i] = p->alpha;
		keep[1][i] = p->beta;
	}
	assert_int_equal(alpha % g.q * k % g.q, 1);
	assert_int_equal(beta % g.q * k % g.q, x);
	for (unsigned m = 0; m < g.q; m++) {
		struct km_sign_input in = { .context = KM_CTX_TLS13_SERVER, .m = tiny_scalar(m) };
		struct km_scalar r, sig;
		int err;

		for (unsigned i = km_set_next(quorum, 0); i; i = km_set_next(quorum, i)) {
			group_presig(gr, i, 0)->alpha = keep[0][i];
			group_presig(gr, i, 0)->beta = keep[1][i];
		}
		err = group_sign(gr, 0, &in, &r, &sig);
		assert_true(err == KM_OK || err == KM_E_DEGENERATE);
		failures += err != KM_OK;
	}
	/* delta = 0, r = 0 and s = 0 have 1/17, 2/17 and 1/17 */
	assert_true(failures < g.q - 3);
}

/* Runs of this quorum until one is good. */
static void one_quorum(uint64_t seed, uint32_t members, unsigned threshold, uint32_t quorum)
{
	for (unsigned good = 0; !good; seed++) {
		struct group gr;

		if (group_make(&gr, g.c, KM_PRESIGN_MAJORITY, seed, members, threshold, members, 1, quorum))
			continue;
		net_jobs(gr.net, tiny_job);
		tiny_hook = hook;
		net_run(gr.net, 1);
		good = (unsigned)tiny_ended(&gr, &did);
		if (good) {
			group_take(&gr);
			signs_everything(&gr, quorum);
		}
		group_clear(&gr);
	}
}

static void every_quorum(unsigned n, unsigned threshold, unsigned step)
{
	memset(&did, 0, sizeof(did));
	v_step = step;
	km_rules_off = 0;
	tiny_init(&g, km_curve_by_id(KM_CURVE_TINY17));
	for (uint32_t set = (1u << threshold) - 1; set; set = tiny_next_subset(set, n))
		one_quorum(1000 * set, (1u << n) - 1, threshold, set);
	print_message("# %u of %u: %u runs, %u degenerate; %lu judgements, %lu good, %lu named, %lu dropped\n", threshold, n,
		      did.runs, did.degenerate, did.trials, did.exact, did.named, did.dropped);
	print_message("# several lies at once %lu, slipped %lu\n", did.many, did.slipped);
	/* several broken sums cancel for one in 16 of the values of the last randomiser, which is not zero */
	assert_in_range(did.slipped * (g.q - 1) * 100 / did.many, 85, 115);
	assert_true(did.named && did.dropped && did.exact);
}

static void test_2_of_3(void **state)
{
	every_quorum(3, 2, 1);
}

/* One share more than the products need: every wrong w and delta is seen at once. */
static void test_2_of_4(void **state)
{
	every_quorum(4, 2, 4);
}

static void test_3_of_5(void **state)
{
	every_quorum(5, 3, 7);
}

KM_TESTS(cmocka_unit_test(test_2_of_3), cmocka_unit_test(test_2_of_4), cmocka_unit_test(test_3_of_5))
