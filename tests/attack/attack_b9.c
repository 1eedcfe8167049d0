/* attack_b9.c: equivocation in each broadcast round of a presign run, N = 3..7: the corrupt participant says something else to
 * one honest peer than to the others. (With N = 2 the engine has no T it could run for.) Stopped by: every message names its
 * author's view, and the verdict is over one list of digests: all honest agree or stop. */
#include <stdlib.h>
#include "attack.h"
#include "rush.h"

struct split {
	struct group *g;
	unsigned evil, to, round;
	int clever; /* C3: another valid proof instead of a changed bit */
	int done;
};

/* The proof of all V made again with another nonce: as valid as the first. */
static void prove_again(struct km_presign *s, uint8_t *body)
{
	uint8_t *own = s->body;

	s->body = body;
	rush_prove_v(s);
	s->body = own;
}

static enum net_verdict equivocate(void *ctx, uint8_t from, uint8_t to, uint8_t **raw, size_t *len)
{
	struct split *e = ctx;
	struct km_presign *s = e->g->m[from]->state;
	struct km_identity id;
	struct km_shape shape;
	uint8_t *again;

	if (from != e->evil || to != e->to || (*raw)[3] != e->round || (*raw)[5] != 0)
		return NET_PASS;
	assert_int_equal(km_presign_shape(s, e->round, from, 0, &shape), KM_OK);
	if (e->clever)
		prove_again(s, *raw + KM_MSG_HEAD);
	else
		(*raw)[*len - 1] ^= 1;
	net_identity(e->g->d.seed, (uint8_t)from, &id);
	again = net_resign(&id, *raw, *len, &shape, len);
	free(*raw);
	*raw = again;
	e->done = 1;
	return NET_PASS;
}

static void mount(struct group *g, struct split *e, unsigned n)
{
	unsigned t = (n + 1) / 2;

	group_init(g, 90 + n, ((uint32_t)1 << n) - 1, t, ((uint32_t)1 << n) - 1, n, 0);
	e->g = g;
	e->evil = n;
	e->to = 1;
	e->done = 0;
	net_tap(g->net, equivocate, e);
	net_run(g->net, 1);
	assert_true(e->done);
}

static void agree_or_stop(struct group *g, const struct split *e, unsigned n)
{
	const struct km_machine *first = NULL;

	for (unsigned i = 1; i < n; i++) {
		const struct net_party *p = net_party(g->net, (uint8_t)i);

		assert_true(p->done || p->dropped);
		assert_int_equal(p->convicted & ~km_set_bit(e->evil), 0);
		assert_int_equal(p->err, KM_OK);
		if (!p->done)
			continue;
		/* whoever ends well has the view of every other who does */
		if (!first)
			first = g->m[i];
		for (unsigned r = KM_PRESIGN_M1; r <= KM_PRESIGN_C3; r++)
			for (unsigned j = 1; j <= n; j++)
				assert_memory_equal(first->bcast[r][j].msg.digest, g->m[i]->bcast[r][j].msg.digest, KM_HASH_SIZE);
	}
}

/* What complete presignatures of honest quorums are worth after it: they sign, or were never made. */
static void those_made_sign(struct group *g, unsigned n)
{
	struct km_sign_input in;
	struct km_scalar r, s;

	for (unsigned i = 1; i <= n; i++)
		if (!net_party(g->net, (uint8_t)i)->done)
			return;
	group_take(g);
	group_input(g, &in, "after equivocation");
	for (unsigned l = 0; l < g->batch; l++) {
		int whole = 1;

		for (unsigned i = km_set_next(g->rows[l].quorum, 0); i; i = km_set_next(g->rows[l].quorum, i))
			whole &= group_presig(g, i, l) != NULL;
		if (whole)
			assert_int_equal(group_sign(g, l, &in, &r, &s), KM_OK);
	}
}

static void test_every_round(void **state)
{
	rules_all();
	for (unsigned n = 3; n <= 7; n++) {
		for (unsigned round = KM_PRESIGN_M1; round <= KM_PRESIGN_C4; round++) {
			struct split e = {.round = round};
			struct group g;

			mount(&g, &e, n);
			agree_or_stop(&g, &e, n);
			/* before the barrier nothing that depends on the key may leave a run of two views */
			for (unsigned i = 1; round < KM_PRESIGN_PASS && i < n; i++)
				assert_null(km_machine_find(g.m[i], KM_PRESIGN_C4, i));
			those_made_sign(&g, n);
			group_clear(&g);
		}
	}
}

static void test_two_valid_proofs(void **state)
{
	struct split e = {.round = KM_PRESIGN_C3, .clever = 1};
	struct group g;

	rules_all();
	mount(&g, &e, 5);
	agree_or_stop(&g, &e, 5);
	for (unsigned i = 1; i < 5; i++) {
		assert_true(net_party(g.net, (uint8_t)i)->dropped);
		assert_int_equal(net_party(g.net, (uint8_t)i)->convicted, km_set_bit(5));
	}
	group_clear(&g);
}

/* Two views, and everybody is content. */
static void test_without_rule(void **state)
{
	struct split e = {.round = KM_PRESIGN_C3, .clever = 1};
	struct group g;

	rules_all();
	rule_off(km_rule_echo);
	mount(&g, &e, 5);
	for (unsigned i = 1; i < 5; i++)
		assert_true(net_party(g.net, (uint8_t)i)->done);
	assert_memory_not_equal(g.m[1]->bcast[KM_PRESIGN_C3][5].msg.digest, g.m[2]->bcast[KM_PRESIGN_C3][5].msg.digest,
				KM_HASH_SIZE);
	rules_all();
	group_clear(&g);
}

KM_TESTS(cmocka_unit_test(test_every_round), cmocka_unit_test(test_two_valid_proofs), cmocka_unit_test(test_without_rule))
