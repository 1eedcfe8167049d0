/* attack_b4.c: an OLE sender who knows theta before she makes her rows. Alice adds d_t to the first scalar of twelve rows and
 * takes theta d_t from the check scalar: Bob's check still holds, and his share is off by sum g_t beta_t d_t. With
 * d_t = 2^t / g_t that is a number of twelve bits, which w and the points of C3 show her: twelve of Bob's choices.
 * Stopped by: theta covers the whole payload, so that it is another one for other rows. */
#include "any.h"

#define ROWS 12

static struct {
	struct group g;
	struct rush rush;
	struct km_scalar a;          /* own */
	unsigned choices;            /* Bob's first bits, as they are */
} at;

static void theta0(const struct km_presign *s, struct km_scalar *theta)
{
	const struct km_machine *m = s->m;
	struct km_hash h;

	km_hash_init(&h, "theta");
	km_hash_field(&h, m->sid, KM_HASH_SIZE);
	km_hash_u8(&h, CORRUPT);
	km_hash_u8(&h, HONEST);
	km_hash_field(&h, m->sent[KM_ANY_Y1][HONEST], KM_HASH_SIZE);
	km_hash_field(&h, m->priv[KM_ANY_Y1][HONEST].msg.digest, KM_HASH_SIZE);
	km_hash_field(&h, m->priv[KM_ANY_Y2][HONEST].msg.digest, KM_HASH_SIZE);
	if (KM_RULE(km_rule_ole_theta)) {
		/* the root over the payload as it still is: one leaf */
		uint8_t leaf[KM_HASH_SIZE];

		km_merkle_leaf(s->any->body + km_vole_head_size(s->curve, 1), km_vole_row_size(s->curve), leaf);
		km_hash_field(&h, leaf, KM_HASH_SIZE);
	}
	km_hash_u32(&h, 0);
	km_hash_u8(&h, 0);
	km_scalar_from_hash(s->curve, theta, &h);
}

static void shift(const struct km_curve *c, uint8_t *at_enc, const struct km_scalar *d, int minus)
{
	struct km_scalar x;

	assert_int_equal(km_scalar_decode(c, &x, at_enc), KM_OK);
	if (minus)
		km_scalar_sub(c, &x, &x, d);
	else
		km_scalar_add(c, &x, &x, d);
	km_scalar_encode(c, at_enc, &x);
}

static void craft(void *ctx, struct km_presign *s)
{
	const struct km_curve *c = s->curve;
	const struct km_any_link *bob = any_of(&at.g, HONEST)->any->link[CORRUPT];
	unsigned n = km_row_limbs(c);
	struct km_scalar theta, d, g, x;

	theta0(s, &theta);
	at.a = rush_see(&s->a[0]);
	at.choices = (bob->beta[0] | (unsigned)bob->beta[1] << 8) & ((1u << ROWS) - 1);
	for (unsigned t = 0; t < ROWS; t++) {
		uint8_t *row = s->any->body + km_vole_head_size(c, 1) + t * KM_ROW_WIDTH * s->ss;

		memset(&g, 0, sizeof(g));
		memcpy(g.l, s->any->gadget + t * n, n * sizeof(g.l[0]));
		km_scalar_inv(c, &g, &g);
		km_scalar_set_u32(&d, 1u << t);
		km_scalar_mul(c, &d, &d, &g);
		shift(c, row, &d, 0);
		km_scalar_mul(c, &x, &d, &theta);
		shift(c, row + KM_ROW_INPUTS * s->ss, &x, 1);
	}
}

static void mount(void)
{
	memset(&at, 0, sizeof(at));
	at.rush = (struct rush){ .change = { [KM_JOB_ANY_PAYLOAD] = craft } };
	any_run(&at.g, &at.rush, 41);
}

static void test_stopped(void **state)
{
	rules_all();
	mount();
	assert_int_not_equal(at.choices, 0);
	assert_int_equal(net_party(at.g.net, HONEST)->drop_code, KM_E_VERIFY);
	assert_null(at.g.m[HONEST]->bcast[KM_ANY_Y4][HONEST].raw);
	group_clear(&at.g);
}

/* w - a k as a multiple of G: wG - A'_1 - a_2 R. */
static unsigned read_choices(void)
{
	const struct km_presign *s = any_of(&at.g, CORRUPT);
	const struct km_curve *c = s->curve;
	const uint8_t *c3 = at.g.m[HONEST]->bcast[KM_ANY_Y4 + 1][HONEST].msg.body;
	struct km_point e, p, g;
	unsigned k;

	assert_non_null(c3);
	km_point_generator(c, &g);
	km_point_mul_var(c, &e, &s->w[0], &g);
	assert_int_equal(km_point_decode_var(c, &p, c3 + KM_HASH_SIZE + s->ps + s->ss), KM_OK);
	km_point_sub(c, &e, &e, &p);
	km_point_mul_var(c, &p, &at.a, &s->r[0]);
	km_point_sub(c, &e, &e, &p);
	km_point_identity(c, &p);
	for (k = 0; k < 1u << ROWS && !km_point_equal_var(c, &p, &e); k++)
		km_point_add(c, &p, &p, &g);
	return k;
}

static void test_without_rule(void **state)
{
	rules_all();
	rule_off(km_rule_ole_theta);
	mount();
	assert_int_equal(read_choices(), at.choices);
	group_clear(&at.g);
}

KM_TESTS(cmocka_unit_test(test_stopped), cmocka_unit_test(test_without_rule))
