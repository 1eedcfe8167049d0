/* attack_a14.c: to make a run fail without being named for it.
 *
 * FAIL for nothing: a corrupt member says that a check failed which it alone can see (Bob's of the OLE). Who lies, it or its partner?
 * Stopped by: FAIL shows its author's seed and all it received; everybody opens, and the replay tells.
 * PASS as an alibi: it cheats, says PASS at once, and when the run is to be opened it has PASSED and cannot. Stopped by: OK of
 * everybody comes before any honest PASS, so that a PASS beside a FAIL excuses nobody.
 * Silence, for others to be blamed: if a deadline opened runs, an honest peer that waits in vain would open one without a cause that it
 * can show, as a corrupt one does. Stopped by: a deadline drops the run and opens nothing. */
#include "attack.h"
#include "rush.h"
#include "proto/any_impl.h"

#define CORRUPT 2

/* ---- FAIL for nothing */

static void fail_for_nothing(void *ctx, struct km_presign *s)
{
	km_presign_fail(s, KM_E_VERIFY, KM_CHECK_OLE, 0);
}

static void false_fail(struct group *g, struct rush *r)
{
	*r = (struct rush){ .change = { [KM_JOB_ANY_SHARES] = fail_for_nothing } };
	group_init_any(g, 14, 7, 7, 1);
	rush_attach(r, g->m[CORRUPT]);
	rush_run(g);
}

/* What the honest members say in the end about anybody. */
static void assert_said(const struct group *g, uint32_t convicted, uint32_t suspected)
{
	for (unsigned i = 1; i <= 3; i++) {
		const struct net_party *p = net_party(g->net, (uint8_t)i);

		if (i == CORRUPT)
			continue;
		assert_true(p->dropped && !p->done);
		assert_int_equal(p->convicted, convicted);
		assert_int_equal(p->suspected, suspected);
	}
}

static void test_false_fail_stopped(void **state)
{
	struct group g;
	struct rush r;

	rules_all();
	false_fail(&g, &r);
	assert_said(&g, km_set_bit(CORRUPT), 0);
	group_clear(&g);
}

static void test_false_fail_without_rule(void **state)
{
	struct group g;
	struct rush r;

	rules_all();
	rule_off(km_rule_fail_opens);
	false_fail(&g, &r);
	assert_said(&g, 0, 0);
	group_clear(&g);
}

/* ---- PASS as an alibi */

static struct group *at;

/* A wrong w: the sums of C3 fail for everybody, and do not say whose it was. */
static void wrong_w(void *ctx, struct km_presign *s)
{
	if (s->body)
		s->body[2 * KM_HASH_SIZE + 31] ^= 1;
}

/* While honest members check C3, a PASS arrives. */
static void pass_early(struct km_machine *m, struct km_job *job)
{
	const struct km_presign *s = m->state;
	struct km_shape shape = { KM_HASH_SIZE, 0, 0 };
	uint8_t body[KM_HASH_SIZE] = { 1 };
	struct km_identity id;
	struct km_outs outs;
	struct km_buf b;

	if (job->what == KM_JOB_CERTIFY && m->self != CORRUPT) {
		net_identity(at->d.seed, CORRUPT, &id);
		km_buf_init(&b);
		km_outs_init(&outs);
		assert_int_equal(km_msg_build(&b, m->ops->proto, (uint8_t)km_presign_wire(s, KM_PRESIGN_PASS), CORRUPT, 0, m->sid,
					      &shape, body, &id), KM_OK);
		assert_int_equal(km_machine_message(m, net_now(at->net), CORRUPT, 0, b.data, b.len, &outs), KM_OK);
		assert_null(outs.head);
		km_buf_clear(&b);
	}
	job->run(job);
}

static enum net_verdict opens_nothing(void *ctx, uint8_t from, uint8_t to, uint8_t **raw, size_t *len)
{
	struct km_msg m;

	assert_int_equal(km_msg_parse(&m, *raw, *len), KM_OK);
	return from == CORRUPT && km_open_kind(KM_PRESIGN_ANY, 3, &m) != KM_OPEN_NONE ? NET_DROP : NET_PASS;
}

static void alibi(struct group *g, struct rush *r)
{
	*r = (struct rush){ .change = { [KM_JOB_ANY_SHARES] = wrong_w } };
	at = g;
	group_init_any(g, 14, 7, 7, 1);
	rush_attach(r, g->m[CORRUPT]);
	net_jobs(g->net, pass_early);
	net_tap(g->net, opens_nothing, g);
	rush_run(g);
}

/* Suspected by those who hold the PASS. */
static void assert_alibi(const struct group *g, uint32_t suspected)
{
	unsigned held = 0;

	for (unsigned i = 1; i <= 3; i += 2) {
		const struct net_party *p = net_party(g->net, (uint8_t)i);

		assert_true(p->dropped && !p->done);
		assert_int_equal(p->convicted, 0);
		if (!g->m[i]->bcast[km_presign_wire(g->m[i]->state, KM_PRESIGN_PASS)][CORRUPT].raw)
			continue;
		assert_int_equal(p->suspected, suspected);
		held++;
	}
	assert_true(held);
}

static void test_alibi_stopped(void **state)
{
	struct group g;
	struct rush r;

	rules_all();
	alibi(&g, &r);
	assert_said(&g, 0, km_set_bit(CORRUPT));
	assert_alibi(&g, km_set_bit(CORRUPT));
	group_clear(&g);
}

static void test_alibi_without_rule(void **state)
{
	struct group g;
	struct rush r;

	rules_all();
	rule_off(km_rule_ok_before_pass);
	alibi(&g, &r);
	assert_alibi(&g, 0);
	group_clear(&g);
}

/* ---- silence */

static enum net_verdict silent(void *ctx, uint8_t from, uint8_t to, uint8_t **raw, size_t *len)
{
	return from == CORRUPT && (*raw)[3] == KM_ANY_Y4 ? NET_DROP : NET_PASS;
}

static void silence(struct group *g)
{
	group_init_any(g, 14, 7, 7, 1);
	net_tap(g->net, silent, g);
	net_run(g->net, 1);
}

static void test_silence_stopped(void **state)
{
	struct group g;

	rules_all();
	silence(&g);
	assert_said(&g, 0, 0);
	for (unsigned i = 1; i <= 3; i += 2)
		assert_int_equal(net_party(g.net, (uint8_t)i)->waited_for, km_set_bit(CORRUPT));
	group_clear(&g);
}

static void test_silence_without_rule(void **state)
{
	uint32_t framed = 0;
	struct group g;

	rules_all();
	rule_off(km_rule_timeout_drops);
	silence(&g);
	for (unsigned i = 1; i <= 3; i++)
		framed |= net_party(g.net, (uint8_t)i)->convicted;
	assert_true(framed & ~km_set_bit(CORRUPT));
	group_clear(&g);
}

KM_TESTS(cmocka_unit_test(test_false_fail_stopped), cmocka_unit_test(test_false_fail_without_rule), cmocka_unit_test(test_alibi_stopped),
	 cmocka_unit_test(test_alibi_without_rule), cmocka_unit_test(test_silence_stopped), cmocka_unit_test(test_silence_without_rule))
