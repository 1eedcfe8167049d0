/* test_dkg_transcript.c: what the hashes and keys of a key generation cover, told a second time from the protocol's text and held
 * against what an honest run and an honest complaint put on the wire. P-256, so a point has 33 bytes and a scalar 32. */
#include "../lib/test.h"
#include "../lib/dkg_help.h"
#include "base/hash.h"
#include "base/sig.h"

#define SET 7u
#define T 2

static const struct km_curve *curve;

/* G2: prev | C_0 C_1 | proof of a_0 | E | proof of e | blind */
enum { AT_C = 32, AT_PA = AT_C + T * 33, AT_E = AT_PA + 65, AT_PE = AT_E + 33, AT_BLIND = AT_PE + 65, G2_LEN = AT_BLIND + 32 };

static const struct km_msg *sent(const struct dkg *d, unsigned round, unsigned from)
{
	const struct km_stored *s = km_machine_find(d->m[from], round, from);

	assert_non_null(s);
	return &s->msg;
}

static void commitment(const struct dkg *d, unsigned i)
{
	const uint8_t *g2 = sent(d, KM_DKG_G2, i)->body;
	uint8_t com[KM_HASH_SIZE];
	struct km_hash h;

	assert_int_equal(sent(d, KM_DKG_G2, i)->body_len, G2_LEN);
	km_hash_init(&h, "dkg-com");
	km_hash_field(&h, d->m[i]->sid, KM_HASH_SIZE);
	km_hash_u8(&h, (uint8_t)i);
	km_hash_field(&h, g2 + AT_BLIND, 32);
	km_hash_field(&h, g2 + AT_C, AT_BLIND - AT_C);
	km_hash_final(&h, com);
	assert_memory_equal(com, sent(d, KM_DKG_G1, i)->body, KM_HASH_SIZE);
}

/* H(round, sid, digests of G1 .. the round before, by sender) */
static void view(const struct dkg *d, unsigned round, unsigned i)
{
	uint8_t prev[KM_HASH_SIZE];
	struct km_hash h;

	km_hash_init(&h, "round");
	km_hash_field(&h, d->m[i]->sid, KM_HASH_SIZE);
	for (unsigned r = 1; r < round; r++)
		for (unsigned j = km_set_next(SET, 0); j; j = km_set_next(SET, j))
			km_hash_field(&h, sent(d, r, j)->digest, KM_HASH_SIZE);
	km_hash_final(&h, prev);
	assert_memory_equal(prev, sent(d, round, i)->body, KM_HASH_SIZE);
}

/* z B = U + e Y with e = HS(prefix, "dlog", curve, Y, U) */
static void proof(const struct dkg *d, unsigned i, const char *role, const uint8_t *y, const uint8_t *pf)
{
	struct km_point py, pu, left, right;
	struct km_scalar e, z;
	struct km_hash h;

	km_hash_init(&h, "dkg-proof");
	km_hash_field(&h, d->m[i]->sid, KM_HASH_SIZE);
	km_hash_u8(&h, (uint8_t)i);
	km_hash_str(&h, role);
	km_hash_str(&h, "dlog");
	km_hash_u8(&h, KM_CURVE_P256);
	km_hash_field(&h, y, 33);
	km_hash_field(&h, pf, 33);
	km_scalar_from_hash(curve, &e, &h);
	assert_int_equal(km_point_decode_var(curve, &py, y), KM_OK);
	assert_int_equal(km_point_decode_var(curve, &pu, pf), KM_OK);
	assert_int_equal(km_scalar_decode(curve, &z, pf + 33), KM_OK);
	km_point_generator(curve, &left);
	km_point_mul_var(curve, &left, &z, &left);
	km_point_mul_var(curve, &right, &e, &py);
	km_point_add(curve, &right, &right, &pu);
	assert_true(km_point_equal_var(curve, &left, &right));
}

/* The row from i to j opens under KDF(DH, sid, i, j) with AAD (sid, i, j, E_i, E_j), to f_i(j). */
static void row(const struct dkg *d, const uint8_t *dh, unsigned i, unsigned j)
{
	uint8_t info[34], aad[34 + 66], key[32], plain[32], nonce[12] = { 0 };
	const uint8_t *g4 = sent(d, KM_DKG_G4, i)->body + KM_HASH_SIZE;
	struct km_point c[T], want, have;
	struct km_secret f;

	memcpy(info, d->m[i]->sid, 32);
	info[32] = (uint8_t)i;
	info[33] = (uint8_t)j;
	memcpy(aad, info, 34);
	memcpy(aad + 34, sent(d, KM_DKG_G2, i)->body + AT_E, 33);
	memcpy(aad + 67, sent(d, KM_DKG_G2, j)->body + AT_E, 33);
	km_kdf(dh, 33, "dkg-share", info, sizeof(info), key, sizeof(key));
	assert_int_equal(km_aead_open(key, nonce, aad, sizeof(aad), g4 + (j - 1 - (j > i)) * 48, 48, plain), KM_OK);
	assert_int_equal(km_secret_decode(curve, &f, plain), KM_OK);
	for (unsigned l = 0; l < T; l++)
		assert_int_equal(km_point_decode_var(curve, &c[l], sent(d, KM_DKG_G2, i)->body + AT_C + l * 33), KM_OK);
	assert_int_equal(km_feldman_eval_var(curve, &want, c, T - 1, j), KM_OK);
	km_point_mul_g(curve, &have, &f);
	assert_true(km_point_equal_var(curve, &have, &want));
}

/* e_i of every participant, as long as it lives. */
static struct km_secret e_of[4];

static void keep_e(struct km_machine *m, struct km_job *job)
{
	const struct km_dkg_state *st = m->state;

	job->run(job);
	if (job->what == KM_DKG_JOB_DEAL)
		e_of[m->self] = st->sec->e;
}

static void rows(const struct dkg *d, unsigned i)
{
	struct km_point p;
	uint8_t dh[33];

	for (unsigned j = km_set_next(SET, 0); j; j = km_set_next(SET, j)) {
		if (j == i)
			continue;
		assert_int_equal(km_point_decode_var(curve, &p, sent(d, KM_DKG_G2, j)->body + AT_E), KM_OK);
		km_point_mul(curve, &p, &e_of[i], &p);
		assert_int_equal(km_point_encode_var(curve, dh, &p), KM_OK);
		row(d, dh, i, j);
	}
}

static void test_honest(void **state)
{
	struct dkg d;

	curve = km_curve_p256();
	dkg_init(&d, 61, SET, T);
	net_jobs(d.net, keep_e);
	dkg_run(&d, 0);
	for (unsigned i = km_set_next(SET, 0); i; i = km_set_next(SET, i)) {
		const uint8_t *g2 = sent(&d, KM_DKG_G2, i)->body;

		assert_true(dkg_party(&d, i)->done);
		commitment(&d, i);
		proof(&d, i, "a0", g2 + AT_C, g2 + AT_PA);
		proof(&d, i, "e", g2 + AT_E, g2 + AT_PE);
		rows(&d, i);
		for (unsigned r = KM_DKG_G2; r <= KM_DKG_G6; r++)
			view(&d, r, i);
	}
	dkg_clear(&d);
}

/* ---- a complaint: its proof that D = e_j E_i is for this run, author and accused */

static void garble(struct km_machine *m, struct km_dkg_state *st, unsigned job)
{
	if (job == KM_DKG_JOB_SHARES)
		st->g4[KM_HASH_SIZE] ^= 1;      /* from 2 to 1 */
}

static void equation(const uint8_t *base, const uint8_t *u, const struct km_scalar *z, const struct km_scalar *e, const uint8_t *y)
{
	struct km_point b, pu, py;

	assert_int_equal(km_point_decode_var(curve, &pu, u), KM_OK);
	assert_int_equal(km_point_decode_var(curve, &py, y), KM_OK);
	if (base)
		assert_int_equal(km_point_decode_var(curve, &b, base), KM_OK);
	else
		km_point_generator(curve, &b);
	km_point_mul_var(curve, &b, z, &b);
	km_point_mul_var(curve, &py, e, &py);
	km_point_add(curve, &py, &py, &pu);
	assert_true(km_point_equal_var(curve, &b, &py));
}

static void test_complaint(void **state)
{
	struct km_scalar e, z;
	struct km_hash h;
	struct dkg d;

	curve = km_curve_p256();
	dkg_init(&d, 62, SET, T);
	dkg_corrupt(&d, 2, garble, NULL);
	dkg_run(&d, 0);
	/* prev | 2 | accused | D | U1 | U2 | z | ... */
	const uint8_t *g5 = sent(&d, KM_DKG_G5, 1)->body + KM_HASH_SIZE, *dh = g5 + 2, *u1 = dh + 33, *u2 = u1 + 33;
	const uint8_t *e1 = sent(&d, KM_DKG_G2, 1)->body + AT_E, *e2 = sent(&d, KM_DKG_G2, 2)->body + AT_E;

	assert_int_equal(g5[0], KM_DKG_COMPLAINT);
	assert_int_equal(g5[1], 2);
	km_hash_init(&h, "dkg-complaint");
	km_hash_field(&h, d.m[1]->sid, KM_HASH_SIZE);
	km_hash_u8(&h, 1);
	km_hash_u8(&h, 2);
	km_hash_str(&h, "dleq");
	km_hash_u8(&h, KM_CURVE_P256);
	km_hash_field(&h, e2, 33);
	km_hash_field(&h, e1, 33);
	km_hash_field(&h, dh, 33);
	km_hash_field(&h, u1, 33);
	km_hash_field(&h, u2, 33);
	km_scalar_from_hash(curve, &e, &h);
	assert_int_equal(km_scalar_decode(curve, &z, u2 + 33), KM_OK);
	equation(NULL, u1, &z, &e, e1);
	equation(e2, u2, &z, &e, dh);
	dkg_clear(&d);
}

/* ---- a run that ends when all is computed and nothing is agreed: peer 2 signs a second G1 */

static enum net_verdict no_g6(void *ctx, uint8_t from, uint8_t to, uint8_t **raw, size_t *len)
{
	return (*raw)[3] == KM_DKG_G6 ? NET_DROP : NET_PASS;
}

static void test_nothing_left(void **state)
{
	static const struct km_rng zero;
	const struct km_shape shape = { .head = KM_HASH_SIZE };
	const uint8_t body[KM_HASH_SIZE] = { 1 };
	const struct km_dkg_state *st;
	struct km_identity id;
	struct km_outs outs;
	struct km_buf b;
	struct dkg d;

	dkg_init(&d, 63, SET, T);
	net_tap(d.net, no_g6, NULL);
	dkg_run(&d, 0);
	st = d.m[1]->state;
	assert_non_null(st->share);
	km_buf_init(&b);
	km_outs_init(&outs);
	net_identity(d.seed, 2, &id);
	assert_int_equal(km_msg_build(&b, KM_PROTO_DKG, KM_DKG_G1, 2, 0, d.m[1]->sid, &shape, body, &id), KM_OK);
	assert_int_equal(km_machine_message(d.m[1], 2000, 2, 0, b.data, b.len, &outs), KM_OK);
	assert_true(d.m[1]->ended);
	assert_null(st->share);
	assert_null(st->sec);
	assert_memory_equal(&d.m[1]->rng, &zero, sizeof(zero));
	km_outs_clear(&outs);
	km_buf_clear(&b);
	dkg_clear(&d);
}

/* STORED is a promise to keep the share: it is signed, and not sent before the share is durable. */
static void test_stored_waits(void **state)
{
	struct km_outs outs;
	struct dkg d;

	dkg_init(&d, 64, SET, T);
	dkg_party(&d, 1)->crash_at_persist = 1;
	dkg_run(&d, 0);
	assert_non_null(dkg_party(&d, 1)->persisted);
	assert_null(km_machine_find(d.m[1], KM_DKG_G6, 1));
	km_outs_init(&outs);
	assert_int_equal(km_machine_persisted(d.m[1], 2000, KM_DKG_TOKEN_STORED + 1, &outs), KM_OK);
	assert_null(outs.head);
	assert_int_equal(km_machine_persisted(d.m[1], 2000, KM_DKG_TOKEN_STORED, &outs), KM_OK);
	assert_true(outs.head && outs.head->kind == KM_OUT_SEND);
	assert_non_null(km_machine_find(d.m[1], KM_DKG_G6, 1));
	km_outs_clear(&outs);
	dkg_clear(&d);
}

KM_TESTS(cmocka_unit_test(test_honest), cmocka_unit_test(test_complaint), cmocka_unit_test(test_nothing_left),
	 cmocka_unit_test(test_stored_waits))
