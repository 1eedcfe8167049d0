/* A16: a member signs two E and complains under the second. Judged there, the honest dealer's ciphertext opens to garbage and the
 * dealer is convicted. What stops it: the complaint is judged in the view its dealer names (prev of its G4).
 *
 * Peer 1 is the honest dealer, peer 2 the corrupt complainer, the judge sees signed messages only. */
#include "tests/attack/attack.h"
#include "tests/lib/dkg_help.h"
#include "proto/evidence.h"

#define DEALER 1
#define EVIL 2

static const struct km_curve *curve;

struct framing {
	struct dkg d;
	struct km_dkg_group g;
	struct km_dkg_view view;               /* what the dealer saw */
	uint8_t *g2, *complaint;               /* the second G2, and the complaint under it */
	struct km_msg g2_msg, complaint_msg;
	const struct km_msg *first_g2;         /* the one the dealer saw */
};

static uint8_t *sign_as(struct framing *f, uint8_t who, unsigned round, const uint8_t *body, uint32_t len, struct km_msg *m)
{
	struct km_shape shape = { .head = len };
	struct km_identity id;
	struct km_buf b;
	size_t n;

	net_identity(f->d.seed, who, &id);
	km_buf_init(&b);
	assert_int_equal(km_msg_build(&b, KM_PROTO_DKG, (uint8_t)round, who, 0, f->g.sid, &shape, body, &id), KM_OK);
	uint8_t *raw = km_buf_take(&b, &n);
	assert_int_equal(km_msg_parse(m, raw, n), KM_OK);
	return raw;
}

static uint8_t *sign(struct framing *f, unsigned round, const uint8_t *body, uint32_t len, struct km_msg *m)
{
	return sign_as(f, EVIL, round, body, len, m);
}

static void framing_init(struct framing *f)
{
	uint8_t g2[1024], body[4096], seed[KM_SEED_SIZE] = { 3 }, dh[KM_POINT_MAX];
	static struct km_dkg_opening dealer, second;
	struct km_secret e2, coef[2];
	struct km_dleq_proof pf;
	struct km_point dp;
	struct km_hash h;
	struct km_rng rng;

	memset(f, 0, sizeof(*f));
	dkg_init(&f->d, 16, 7, 2);
	dkg_run(&f->d, 0);
	f->g = dkg_group(&f->d);
	struct km_machine *m = f->d.m[DEALER];
	for (unsigned r = 1; r <= KM_DKG_VIEW_ROUNDS; r++)
		for (unsigned i = 1; i <= 3; i++)
			memcpy(f->view.digest[r - 1][i - 1], km_machine_find(m, r, i)->msg.digest, KM_HASH_SIZE);
	f->first_g2 = &km_machine_find(m, KM_DKG_G2, EVIL)->msg;

	/* the second E, with right proofs */
	km_rng_init(&rng, seed, "a16", NULL, 0);
	km_secret_random(curve, &e2, &rng);
	km_secret_random(curve, &coef[0], &rng);
	km_secret_random(curve, &coef[1], &rng);
	assert_int_equal(km_dkg_g2_make(&f->g, EVIL, coef, 2, &e2, &rng, g2), KM_OK);
	memcpy(g2, f->first_g2->body, KM_HASH_SIZE);
	f->g2 = sign(f, KM_DKG_G2, g2, km_dkg_g2_size(curve, 2), &f->g2_msg);
	assert_int_equal(km_dkg_opening_decode(&f->g, &f->g2_msg, &second), KM_OK);

	/* a complaint about the dealer's right share, with a true DLEQ for the second E */
	const struct km_stored *dg2 = km_machine_find(m, KM_DKG_G2, DEALER), *dg4 = km_machine_find(m, KM_DKG_G4, DEALER);
	assert_int_equal(km_dkg_opening_decode(&f->g, &dg2->msg, &dealer), KM_OK);
	assert_int_equal(km_dkg_dh(&f->g, &e2, &dealer.e, &dp, dh), KM_OK);
	km_dkg_complaint_hash(&h, &f->g, EVIL, DEALER);
	assert_int_equal(km_dleq_prove(curve, &pf, &e2, &dealer.e, &second.e, &dp, &h, &rng), KM_OK);
	uint8_t *p = body;
	size_t ps = km_curve_point_size(curve);
	memcpy(p, km_machine_prev(m, KM_DKG_G5), KM_HASH_SIZE);
	p += KM_HASH_SIZE;
	*p++ = KM_DKG_COMPLAINT;
	*p++ = DEALER;
	memcpy(p, dh, ps);
	assert_int_equal(km_dleq_encode(curve, p + ps, &pf), KM_OK);
	p += ps + km_dleq_size(curve);
	memcpy(p, dg2->raw, KM_MSG_HEAD + dg2->msg.body_len);
	p += KM_MSG_HEAD + dg2->msg.body_len;
	memcpy(p, dg4->raw, KM_MSG_HEAD + dg4->msg.body_len);
	p += KM_MSG_HEAD + dg4->msg.body_len;
	assert_int_equal(p - body, km_dkg_complaint_size(curve, 2, 3));
	f->complaint = sign(f, KM_DKG_G5, body, (uint32_t)(p - body), &f->complaint_msg);
}

static void framing_clear(struct framing *f)
{
	free(f->g2);
	free(f->complaint);
	dkg_clear(&f->d);
}

static enum km_dkg_verdict judge(struct framing *f, const struct km_msg *author_g2, const struct km_dkg_view *view)
{
	enum km_dkg_verdict v;

	assert_int_equal(km_dkg_judge_complaint(&f->g, &f->complaint_msg, author_g2, view, &v), KM_OK);
	return v;
}

/* The whole as evidence bytes, with the second G2 in its author's place. */
static unsigned judge_bytes(struct framing *f)
{
	uint8_t digests[KM_DKG_VIEW_ROUNDS * 3][KM_HASH_SIZE];
	struct km_machine *m = f->d.m[DEALER];
	unsigned culprit;
	struct km_buf b;

	km_buf_init(&b);
	km_evidence_items_begin(&b, KM_EV_COMPLAINT, 3);
	km_evidence_whole(&b, &f->complaint_msg);
	for (unsigned r = 1; r <= KM_DKG_VIEW_ROUNDS; r++)
		for (unsigned i = 1; i <= 3; i++)
			memcpy(digests[(r - 1) * 3 + i - 1],
			       r == KM_DKG_G2 && i == EVIL ? f->g2_msg.digest : km_machine_find(m, r, i)->msg.digest, KM_HASH_SIZE);
	km_evidence_digests(&b, (const uint8_t(*)[KM_HASH_SIZE])digests, 9);
	km_evidence_whole(&b, &f->g2_msg);
	assert_int_equal(km_dkg_judge_evidence(&f->g, b.data, b.len, &culprit), KM_OK);
	km_buf_clear(&b);
	return culprit;
}

static void test_dealers_view_stops_it(void **state)
{
	struct km_dkg_view lie;
	struct framing f;

	rules_all();
	framing_init(&f);
	/* the second G2 is not in the dealer's view: void */
	assert_int_equal(judge(&f, &f.g2_msg, &f.view), KM_DKG_VOID);
	/* nor does a view that holds it hash into the dealer's prev */
	lie = f.view;
	memcpy(lie.digest[KM_DKG_G2 - 1][EVIL - 1], f.g2_msg.digest, KM_HASH_SIZE);
	assert_int_equal(judge(&f, &f.g2_msg, &lie), KM_DKG_VOID);
	/* with the G2 the dealer did see, the proof is of another e: it is the complaint that is false */
	assert_int_equal(judge(&f, f.first_g2, &f.view), KM_DKG_AUTHOR);
	assert_int_equal(judge_bytes(&f), 0);
	framing_clear(&f);
}

/* A complaint that shows another G2 of its dealer than the dealer dealt under is no better: void, whoever of the two is corrupt. */
static void test_other_g2_of_the_dealer(void **state)
{
	struct framing f;
	struct km_msg g2, complaint;
	uint8_t body[4096], opening[1024], *raw, *again;
	size_t len, at;

	rules_all();
	framing_init(&f);
	/* the same opening with another blind, signed by the dealer */
	const struct km_msg *dealt = &km_machine_find(f.d.m[DEALER], KM_DKG_G2, DEALER)->msg;
	memcpy(opening, dealt->body, dealt->body_len);
	opening[dealt->body_len - 1] ^= 1;
	raw = sign_as(&f, DEALER, KM_DKG_G2, opening, dealt->body_len, &g2);
	/* in its place in the complaint: the accused's G2 and G4 stand at the end */
	len = f.complaint_msg.body_len;
	at = len - (KM_MSG_HEAD + km_machine_find(f.d.m[DEALER], KM_DKG_G4, DEALER)->msg.body_len) - (KM_MSG_HEAD + dealt->body_len);
	memcpy(body, f.complaint_msg.body, len);
	assert_memory_equal(body + at, dealt->raw, KM_MSG_HEAD + dealt->body_len);
	memcpy(body + at, g2.raw, KM_MSG_HEAD + g2.body_len);
	again = sign(&f, KM_DKG_G5, body, (uint32_t)len, &complaint);
	assert_int_equal(judge(&f, f.first_g2, &f.view), KM_DKG_AUTHOR);
	f.complaint_msg = complaint;
	assert_int_equal(judge(&f, f.first_g2, &f.view), KM_DKG_VOID);
	free(raw);
	free(again);
	framing_clear(&f);
}

/* ... and the two G2 convict their author. */
static void test_two_e_are_equivocation(void **state)
{
	struct framing f;
	unsigned culprit;
	struct km_buf b;

	rules_all();
	framing_init(&f);
	km_buf_init(&b);
	km_evidence_items_begin(&b, KM_EV_EQUIVOCATION, 2);
	km_evidence_header(&b, &f.g2_msg);
	km_evidence_header(&b, f.first_g2);
	assert_int_equal(km_dkg_judge_evidence(&f.g, b.data, b.len, &culprit), KM_OK);
	assert_int_equal(culprit, EVIL);
	km_buf_clear(&b);
	framing_clear(&f);
}

static void test_succeeds_without(void **state)
{
	struct framing f;

	rules_all();
	rule_off(km_rule_dealer_view);
	framing_init(&f);
	assert_int_equal(judge(&f, &f.g2_msg, &f.view), KM_DKG_DEALER);
	assert_int_equal(judge_bytes(&f), DEALER);
	framing_clear(&f);
}

static int setup(void **state)
{
	curve = km_curve_p256();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_dealers_view_stops_it),
		cmocka_unit_test(test_other_g2_of_the_dealer),
		cmocka_unit_test(test_two_e_are_equivocation),
		cmocka_unit_test(test_succeeds_without),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, setup, NULL);
}
