/* attack_a3.c: a peer opens a run for blame after, or while, others bind it to the key. Opening shows v, C4 shows x - v: T shares
 * of v beside all C4 of one index are x. Stopped by: whoever signed PASS has nothing left to open, and nobody takes C4 before
 * PASS of every participant.
 *
 * Participants 1, 2, 3, T = 2; index 0 belongs to the quorum {1, 2}; peer 2 is corrupt. Opening is played by reading the honest
 * peer's state, as an opened seed would give it. */
#include "attack.h"
#include "rush.h"

#define EVIL 2
#define QUORUM 3u

static void start(struct group *g)
{
	group_init(g, 3, 7, 2, 7, 1, QUORUM);
}

static int all_zero(const void *p, size_t n)
{
	const uint8_t *b = p;

	while (n && !*b) {
		b++;
		n--;
	}
	return !n;
}

/* Nothing that a replay could start from: seed, streams, private messages, Shamir shares of the run. */
static int nothing_to_open(const struct km_machine *m)
{
	const struct km_presign *s = m->state;
	int empty = all_zero(s->arena, s->early_len) && !s->deal;

	for (unsigned j = 1; j <= KM_MAX_PEERS; j++)
		empty &= m->priv[KM_PRESIGN_M1][j].raw == NULL;
	return empty && all_zero(&m->rng, sizeof(m->rng));
}

/* v of index 0 from what one honest peer opens and what the corrupt one knows, and epsilon of the quorum: is their sum x? */
static int key_falls_out(const struct group *g, unsigned opener, const struct km_scalar *v_evil,
			 const struct km_scalar epsilon[2])
{
	const struct km_curve *c = g->d.curve;
	const struct km_presign *s = g->m[opener]->state;
	struct km_scalar v[2], x, sum;
	uint32_t set = km_set_bit(opener) | km_set_bit(EVIL);

	v[km_set_pos(set, opener)] = rush_see(&s->sh[KM_KIND_V][0]);
	v[km_set_pos(set, EVIL)] = *v_evil;
	km_shamir_interpolate(c, &sum, v, set, 0);
	km_scalar_add(c, &sum, &sum, &epsilon[0]);
	km_scalar_add(c, &sum, &sum, &epsilon[1]);
	x = rush_see(&g->d.x);
	return km_scalar_equal(&x, &sum);
}

/* What the corrupt peer knew of v, and the epsilon_i that went over the wire. */
struct wire {
	struct group *g;
	int drop_ok_to_3;
	struct km_scalar v_evil, epsilon[2];
	uint32_t c4, pass;
	int opened_empty; /* every honest PASS was signed by a peer with nothing left */
};

static enum net_verdict watch(void *ctx, uint8_t from, uint8_t to, uint8_t **raw, size_t *len)
{
	struct wire *w = ctx;
	const struct km_presign *s = w->g->m[from]->state;
	int err;

	switch ((*raw)[3]) {
	case KM_PRESIGN_OK:
		if (from == EVIL)
			w->v_evil = rush_see(&s->sh[KM_KIND_V][0]);
		return w->drop_ok_to_3 && from == EVIL && to == 3 ? NET_DROP : NET_PASS;
	case KM_PRESIGN_PASS:
		w->pass |= km_set_bit(from);
		if (from != EVIL)
			w->opened_empty &= nothing_to_open(w->g->m[from]);
		break;
	case KM_PRESIGN_C4:
		w->c4 |= km_set_bit(from);
		if (km_set_has(QUORUM, from)) {
			err = km_scalar_decode(w->g->d.curve, &w->epsilon[from - 1], *raw + KM_MSG_HEAD + KM_HASH_SIZE);
			assert_int_equal(err, KM_OK);
		}
		break;
	default:
		break;
	}
	return NET_PASS;
}

static void mount(struct group *g, struct wire *w, int drop_ok_to_3)
{
	*w = (struct wire){.g = g, .drop_ok_to_3 = drop_ok_to_3, .opened_empty = 1};
	start(g);
	net_tap(g->net, watch, w);
	net_run(g->net, 0);
}

static void test_nothing_left_to_open(void **state)
{
	struct group g;
	struct wire w;

	rules_all();
	mount(&g, &w, 0);
	assert_int_equal(w.pass, 7);
	assert_true(w.opened_empty);
	assert_false(key_falls_out(&g, 3, &w.v_evil, w.epsilon));
	group_clear(&g);
}

static void test_open_after_pass(void **state)
{
	struct group g;
	struct wire w;

	rules_all();
	rule_off(km_rule_wipe_before_pass);
	mount(&g, &w, 0);
	assert_false(w.opened_empty);
	assert_true(key_falls_out(&g, 3, &w.v_evil, w.epsilon));
	rules_all();
	group_clear(&g);
}

/* The corrupt peer withholds its OK from 3: 1 has passed, 3 has not and may open. */
static void test_barrier(void **state)
{
	struct group g;
	struct wire w;

	rules_all();
	mount(&g, &w, 1);
	assert_int_equal(w.pass, 3);
	assert_int_equal(w.c4, 0);
	assert_false(nothing_to_open(g.m[3]));
	/* and a deadline opens nothing: all drop */
	net_run(g.net, 1);
	assert_int_equal(w.c4, 0);
	assert_true(net_party(g.net, 1)->dropped && net_party(g.net, 3)->dropped);
	group_clear(&g);
}

static void test_without_barrier(void **state)
{
	struct group g;
	struct wire w;

	rules_all();
	rule_off(km_rule_barrier);
	mount(&g, &w, 1);
	assert_int_equal(w.c4, 3);
	assert_true(key_falls_out(&g, 3, &w.v_evil, w.epsilon));
	rules_all();
	group_clear(&g);
}

KM_TESTS(cmocka_unit_test(test_nothing_left_to_open), cmocka_unit_test(test_open_after_pass), cmocka_unit_test(test_barrier),
	 cmocka_unit_test(test_without_barrier))
