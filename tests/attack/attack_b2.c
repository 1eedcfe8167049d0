/* attack_b2.c: base OT points of the receiver's liking.
 * First: a corrupt Alice sends two points whose logarithms she knows. If nothing was hashed to she has both keys of each
 * position, so u shows her Bob's choices, his chi, and by psi his share a: the run goes on and nobody notices.
 * Stopped by: of the two points of a position one is the hash of the other's, so its logarithm is unknown.
 * Second: r_0 = -H_0(r_1), so that Bob's key is y times the identity, which everybody on the wire knows.
 * Stopped by: that sum may not be the identity. Points off the curve and the identity have no encoding (test_ot, test_any). */
#include "any.h"
#include "base/hash.h"
#include "ec/hash2curve.h"

static struct {
	struct km_secret x[KM_OT_KAPPA][2];
	uint8_t both[KM_OT_KAPPA][2][KM_OT_KEY_SIZE];   /* what Bob has */
	uint8_t beta[4096], found[4096];
	size_t len;
	uint8_t mine[KM_OT_KAPPA][2][KM_OT_KEY_SIZE];   /* what Alice computes from both logarithms */
	struct km_scalar a, guess;                      /* Bob's a, and what Alice takes for it */
} at;

static void key(const struct km_presign *s, uint8_t out[KM_OT_KEY_SIZE], unsigned p, unsigned e, const uint8_t *a_enc,
		const uint8_t *r_enc, const struct km_point *shared)
{
	uint8_t enc[KM_POINT_MAX];
	struct km_hash h;

	km_point_encode_secret(s->curve, enc, shared);
	km_hash_init(&h, "ot-key");
	km_hash_field(&h, s->m->sid, KM_HASH_SIZE);
	km_hash_u8(&h, CORRUPT);
	km_hash_u8(&h, HONEST);
	km_hash_u8(&h, (uint8_t)p);
	km_hash_u8(&h, (uint8_t)e);
	km_hash_field(&h, a_enc, s->ps);
	km_hash_field(&h, r_enc, 2 * s->ps);
	km_hash_field(&h, enc, s->ps);
	km_hash_final(&h, out);
}

/* ---- both logarithms known */

static void known_logs(void *ctx, struct km_presign *s)
{
	struct km_any_link *link = s->any->link[HONEST];
	uint8_t seed[KM_SEED_SIZE] = { 5 };
	struct km_point r;
	struct km_rng rng;

	km_rng_init(&rng, seed, "attack", NULL, 0);
	for (unsigned p = 0; p < KM_OT_KAPPA; p++) {
		for (unsigned e = 0; e < 2; e++) {
			km_secret_random(s->curve, &at.x[p][e], &rng);
			km_point_mul_g(s->curve, &r, &at.x[p][e]);
			assert_int_equal(km_point_encode_var(s->curve, link->r_enc + (2 * p + e) * s->ps, &r), KM_OK);
		}
		link->x[p] = at.x[p][km_ot_bit(link->delta, p)];
	}
	memcpy(s->any->body + s->ps, link->r_enc, 2 * KM_OT_KAPPA * s->ps);
}

static void remember(void *ctx, struct km_presign *s)
{
	const struct km_presign *bob = any_of(ctx, HONEST);
	const struct km_any_link *link = bob->any->link[CORRUPT];

	at.len = bob->any->len;
	assert_true(at.len <= sizeof(at.beta));
	memcpy(at.beta, link->beta, at.len);
	memcpy(at.both, link->both, sizeof(at.both));
	at.a = rush_see(&bob->a[0]);
}

static void both_keys(void *ctx, struct km_presign *s)
{
	const uint8_t *y1 = s->m->priv[KM_ANY_Y1][HONEST].msg.body;
	const struct km_any_link *link = s->any->link[HONEST];
	struct km_point a, shared;

	assert_int_equal(km_point_decode_var(s->curve, &a, y1), KM_OK);
	for (unsigned p = 0; p < KM_OT_KAPPA; p++)
		for (unsigned e = 0; e < 2; e++) {
			km_point_mul(s->curve, &shared, &at.x[p][e], &a);
			key(s, at.mine[p][e], p, e, y1, link->r_enc + 2 * p * s->ps, &shared);
		}
}

/* Keys that are Bob's, of 256. */
static unsigned right_keys(void)
{
	unsigned right = 0;

	for (unsigned i = 0; i < 2 * KM_OT_KAPPA; i++)
		right += memcmp(at.mine[i / 2][i % 2], at.both[i / 2][i % 2], KM_OT_KEY_SIZE) == 0;
	return right;
}

/* With both keys of column 0: beta = u + PRG(K_0) + PRG(K_1), then chi, then a = psi + chi. */
static void read_choices(void *ctx, struct km_presign *s)
{
	const uint8_t *y2 = s->m->priv[KM_ANY_Y2][HONEST].msg.body;
	struct km_vole v = { .c = s->curve, .xi = s->any->xi, .gadget = s->any->gadget };
	struct km_scalar chi;
	struct km_secret x;
	uint8_t *t, *u;

	remember(ctx, s);
	t = malloc(2 * KM_OT_KAPPA * at.len);
	u = t + KM_OT_KAPPA * at.len;
	memset(at.found, 0, at.len);
	km_ot_ext_bob(t, u, (const uint8_t(*)[2][KM_OT_KEY_SIZE])at.mine, at.found, at.len);
	for (size_t i = 0; i < at.len; i++)
		at.found[i] = u[i] ^ any_u(s, (uint8_t *)(uintptr_t)y2)[i];
	km_vole_chi(&v, &x, at.found, 0);
	chi = rush_see(&x);
	assert_int_equal(km_scalar_decode(s->curve, &at.guess, y2 + KM_OT_CHECK_SIZE), KM_OK);
	km_scalar_add(s->curve, &at.guess, &at.guess, &chi);
	free(t);
}

/* Honest peers' keys exist as soon as their Y2 is made. */
static enum net_verdict y2_tap(void *ctx, uint8_t from, uint8_t to, uint8_t **raw, size_t *len)
{
	const struct group *g = ctx;

	if (from == HONEST && (*raw)[3] == KM_ANY_Y2)
		memcpy(at.both, any_of(g, HONEST)->any->link[CORRUPT]->both, sizeof(at.both));
	return NET_PASS;
}

static void mount(struct group *g, struct rush *r)
{
	memset(&at, 0, sizeof(at));
	*r = (struct rush){
	    .change = {[KM_JOB_ANY_BASE] = known_logs, [KM_JOB_ANY_EXTEND] = both_keys, [KM_JOB_ANY_PAYLOAD] = read_choices},
	    .ctx = g};
	group_init_any(g, 2, PAIR, PAIR, 1);
	rush_attach(r, g->m[CORRUPT]);
	net_tap(g->net, y2_tap, g);
	rush_run(g);
}

static void test_logs_stopped(void **state)
{
	struct group g;
	struct rush r;

	rules_all();
	mount(&g, &r);
	/* she has no key of Bob's at all, so her own check of his columns fails and there is no payload to hide behind */
	assert_int_equal(right_keys(), 0);
	assert_int_equal(net_party(g.net, CORRUPT)->drop_code, KM_E_VERIFY);
	assert_false(net_party(g.net, HONEST)->done);
	assert_null(g.m[HONEST]->bcast[KM_ANY_Y4][HONEST].raw);
	group_clear(&g);
}

static void test_logs_without_rule(void **state)
{
	struct group g;
	struct rush r;

	rules_all();
	rule_off(km_rule_ot_uniform);
	mount(&g, &r);
	assert_true(net_party(g.net, HONEST)->done);
	assert_int_equal(right_keys(), 2 * KM_OT_KAPPA);
	assert_memory_equal(at.found, at.beta, at.len);
	assert_true(km_scalar_equal(&at.guess, &at.a));
	group_clear(&g);
}

/* ---- a key that everybody knows */

static uint8_t public_key[KM_OT_KEY_SIZE];

static void cancel(void *ctx, struct km_presign *s)
{
	struct km_any_link *link = s->any->link[HONEST];
	uint8_t d[KM_HASH_SIZE];
	struct km_point h;
	struct km_hash hash;

	/* position 0, choice 0: r_1 as it is, r_0 = -H_0(r_1), x = 0 */
	link->delta[0] &= 0xfe;
	km_hash_init(&hash, "ot-point");
	km_hash_field(&hash, s->m->sid, KM_HASH_SIZE);
	km_hash_u8(&hash, CORRUPT);
	km_hash_u8(&hash, HONEST);
	km_hash_u8(&hash, 0);
	km_hash_u8(&hash, 0);
	km_hash_field(&hash, link->r_enc + s->ps, s->ps);
	km_hash_final(&hash, d);
	assert_int_equal(km_hash_to_curve(s->curve, &h, d, sizeof(d), "keymesh/1/ot-base", 17), KM_OK);
	km_point_neg(s->curve, &h, &h);
	assert_int_equal(km_point_encode_var(s->curve, link->r_enc, &h), KM_OK);
	memcpy(s->any->body + s->ps, link->r_enc, s->ps);
	km_secret_zero(&link->x[0]);
}

/* Anybody who reads the wire: no secret goes in. */
static void compute(void *ctx, struct km_presign *s)
{
	const uint8_t *y1 = s->m->priv[KM_ANY_Y1][HONEST].msg.body;
	struct km_point none;

	km_point_identity(s->curve, &none);
	key(s, public_key, 0, 0, y1, s->any->link[HONEST]->r_enc, &none);
}

static void mount_cancel(struct group *g, struct rush *r)
{
	memset(&at, 0, sizeof(at));
	*r = (struct rush){ .change = { [KM_JOB_ANY_BASE] = cancel, [KM_JOB_ANY_EXTEND] = compute }, .ctx = g };
	group_init_any(g, 3, PAIR, PAIR, 1);
	rush_attach(r, g->m[CORRUPT]);
	net_tap(g->net, y2_tap, g);
	rush_run(g);
}

static void test_identity_stopped(void **state)
{
	struct group g;
	struct rush r;

	rules_all();
	mount_cancel(&g, &r);
	assert_int_equal(net_party(g.net, HONEST)->drop_code, KM_E_VERIFY);
	assert_null(g.m[CORRUPT]->priv[KM_ANY_Y2][HONEST].raw);
	group_clear(&g);
}

static void test_identity_without_rule(void **state)
{
	struct group g;
	struct rush r;

	rules_all();
	rule_off(km_rule_ot_identity);
	mount_cancel(&g, &r);
	assert_true(net_party(g.net, HONEST)->done);
	assert_memory_equal(public_key, at.both[0][0], KM_OT_KEY_SIZE);
	group_clear(&g);
}

KM_TESTS(cmocka_unit_test(test_logs_stopped), cmocka_unit_test(test_logs_without_rule), cmocka_unit_test(test_identity_stopped),
	 cmocka_unit_test(test_identity_without_rule))
