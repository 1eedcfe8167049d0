/* attack_a15.c: framing under a split view. A corrupt member shows two honest ones different w shares. Each honest proof of C3 is
 * right under its author's (R, w) and wrong under the other's: judged there, it convicts an honest peer.
 * Stopped by: every message names its author's view (prev), and a message is judged in no other. */
#include <stdlib.h>
#include "attack.h"
#include "rush.h"

#define CORRUPT 3
#define OTHER_VIEW 2

/* The M3 for peer 2 says another w share of index 0; signed as well as the one for the rest. */
static enum net_verdict split(void *ctx, uint8_t from, uint8_t to, uint8_t **raw, size_t *len)
{
	struct group *g = ctx;
	struct km_identity id;
	struct km_shape shape;
	uint8_t *again;

	if (from != CORRUPT || to != OTHER_VIEW || (*raw)[3] != KM_PRESIGN_M3)
		return NET_PASS;
	assert_int_equal(km_presign_shape(g->m[from]->state, KM_PRESIGN_M3, from, 0, &shape), KM_OK);
	rush_m3_share(g->m[from]->state, *raw + KM_MSG_HEAD, 0, 0)[31] ^= 1;
	net_identity(g->d.seed, CORRUPT, &id);
	again = net_resign(&id, *raw, *len, &shape, len);
	free(*raw);
	*raw = again;
	return NET_PASS;
}

static void mount(struct group *g)
{
	group_init(g, 15, 0x1f, 3, 0x1f, 1, 7);
	net_tap(g->net, split, g);
	net_run(g->net, 1);
}

static void test_stopped(void **state)
{
	struct group g;

	rules_all();
	mount(&g);
	for (unsigned i = 1; i <= 5; i++) {
		assert_true(net_party(g.net, (uint8_t)i)->dropped);
		/* what they opened shows both headers */
		if (i != CORRUPT)
			assert_int_equal(net_party(g.net, (uint8_t)i)->convicted, km_set_bit(CORRUPT));
	}
	group_clear(&g);
}

static void test_without_rule(void **state)
{
	uint32_t framed = 0;
	struct group g;

	rules_all();
	rule_off(km_rule_echo);
	mount(&g);
	/* the honest one that judges first convicts an honest one */
	for (unsigned i = 1; i <= 5; i++)
		framed |= net_party(g.net, (uint8_t)i)->convicted & ~km_set_bit(CORRUPT);
	assert_true(framed);
	group_clear(&g);
}

KM_TESTS(cmocka_unit_test(test_stopped), cmocka_unit_test(test_without_rule))
