/* attack_b3.c: polychromatic receiver. A corrupt Bob names another choice in ten columns of one row of u, so that in this row
 * Alice's pads hang on ten bits of Delta alone. He tries all 1,024 against mu in her payload: the one that fits is Delta.
 * Stopped by: the check of the extension, which he passes with 2^-10; Alice then sends no payload at all. */
#include "any.h"

#define COLUMNS 10

static struct {
	struct group g;
	struct rush rush;
	uint8_t delta[KM_OT_DELTA_SIZE], both[KM_OT_KAPPA][2][KM_OT_KEY_SIZE], *beta, digest[3][KM_HASH_SIZE];
	uint8_t *payload;        /* body of Alice's Y3 */
	size_t len;
} at;

static void paint(void *ctx, struct km_presign *s)
{
	const struct km_any_link *link = s->any->link[HONEST];
	const struct km_presign *alice = any_of(&at.g, HONEST);

	for (unsigned q = 0; q < COLUMNS; q++)
		any_u(s, s->any->body)[q * s->any->len] ^= 1;
	any_prove_again(s);
	at.len = s->any->len;
	at.beta = malloc(at.len);
	memcpy(at.beta, link->beta, at.len);
	memcpy(at.both, link->both, sizeof(at.both));
	memcpy(at.digest[0], s->m->priv[KM_ANY_Y1][HONEST].msg.digest, KM_HASH_SIZE);
	memcpy(at.digest[1], s->m->sent[KM_ANY_Y1][HONEST], KM_HASH_SIZE);
	memcpy(at.delta, alice->any->link[CORRUPT]->delta, sizeof(at.delta));
}

static enum net_verdict tap(void *ctx, uint8_t from, uint8_t to, uint8_t **raw, size_t *len)
{
	struct km_msg msg;

	if (from == CORRUPT && (*raw)[3] == KM_ANY_Y2) {
		assert_int_equal(km_msg_parse(&msg, *raw, *len), KM_OK);
		memcpy(at.digest[2], msg.digest, KM_HASH_SIZE);
	}
	if (from == HONEST && (*raw)[3] == KM_ANY_Y3 && (*raw)[5] == CORRUPT) {
		at.payload = malloc(*len);
		memcpy(at.payload, *raw + KM_MSG_HEAD, *len - KM_MSG_HEAD);
	}
	return NET_PASS;
}

static void mount(void)
{
	memset(&at, 0, sizeof(at));
	at.rush = (struct rush){ .change = { [KM_JOB_ANY_EXTEND] = paint } };
	group_init_any(&at.g, 31, PAIR, PAIR, 1);
	rush_attach(&at.rush, at.g.m[CORRUPT]);
	net_tap(at.g.net, tap, NULL);
	rush_run(&at.g);
}

static void unmount(void)
{
	group_clear(&at.g);
	free(at.beta);
	free(at.payload);
}

static void test_stopped(void **state)
{
	rules_all();
	mount();
	assert_int_equal(net_party(at.g.net, HONEST)->drop_code, KM_E_VERIFY);
	assert_null(at.payload);
	unmount();
}

/* How many guesses of the ten bits fit mu, and the last that did. */
static unsigned search(unsigned *found)
{
	const struct km_curve *c = at.g.d.curve;
	mp_limb_t *gadget = km_vole_gadget(c, at.g.m[CORRUPT]->sid);
	struct km_vole v = {
	    .c = c, .pair = {at.g.m[CORRUPT]->sid, HONEST, CORRUPT}, .batch = 1, .xi = km_vole_xi(c), .gadget = gadget};
	uint8_t *t = malloc(KM_OT_KAPPA * at.len), *rows = malloc(KM_OT_KAPPA * at.len);
	unsigned fits = 0;

	memcpy(v.digest, at.digest, sizeof(v.digest));
	km_ot_ext_bob(t, NULL, (const uint8_t(*)[2][KM_OT_KEY_SIZE])at.both, NULL, at.len);
	km_ot_transpose(rows, t, at.len);
	for (unsigned guess = 0; guess < 1u << COLUMNS; guess++) {
		struct km_secret u = { { 0 } }, w = { { 0 } };

		rows[0] ^= (uint8_t)guess;
		rows[1] ^= (uint8_t)(guess >> 8);
		if (km_vole_receive(&v, rows, at.beta, at.payload, at.payload + km_vole_head_size(c, 1), &u, &w) == KM_OK) {
			*found = guess;
			fits++;
		}
		rows[0] ^= (uint8_t)guess;
		rows[1] ^= (uint8_t)(guess >> 8);
	}
	free(gadget);
	free(t);
	free(rows);
	return fits;
}

static void test_without_rule(void **state)
{
	unsigned found = 0;

	rules_all();
	rule_off(km_rule_ot_check);
	mount();
	assert_non_null(at.payload);
	assert_int_equal(search(&found), 1);
	assert_int_equal(found, (at.delta[0] | at.delta[1] << 8) & ((1u << COLUMNS) - 1));
	/* the run that failed names Bob; what it took it has */
	assert_int_equal(net_party(at.g.net, HONEST)->convicted & km_set_bit(HONEST), 0);
	unmount();
}

KM_TESTS(cmocka_unit_test(test_stopped), cmocka_unit_test(test_without_rule))
