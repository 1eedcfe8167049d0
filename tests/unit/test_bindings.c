/* What the hashes of a presign run bind, made again here from their fields: a field that is left out on both sides changes nothing
 * between honest peers, and everything for somebody who wants to use a proof or commitment a second time. And what must differ from
 * peer to peer, or from partner to partner, does. */
#include <stdlib.h>
#include "../lib/test.h"
#include "../lib/dealer.h"
#include "base/sig.h"
#include "proto/any_impl.h"

static const struct km_curve *c;

static void fill(uint8_t *p, size_t n, unsigned with)
{
	for (size_t i = 0; i < n; i++)
		p[i] = (uint8_t)(with * 41 + i);
}

static void test_c0(void **state)
{
	uint8_t sid[KM_HASH_SIZE], blind[KM_HASH_SIZE], r[3 * 33], c0[KM_HASH_SIZE], want[KM_HASH_SIZE];
	struct km_hash h;

	fill(sid, sizeof(sid), 1);
	fill(blind, sizeof(blind), 2);
	fill(r, sizeof(r), 3);
	km_certify_c0(sid, 5, blind, r, sizeof(r), c0);
	km_hash_init(&h, "c0");
	km_hash_field(&h, sid, sizeof(sid));
	km_hash_u8(&h, 5);
	km_hash_field(&h, blind, sizeof(blind));
	km_hash_field(&h, r, sizeof(r));
	km_hash_final(&h, want);
	assert_memory_equal(c0, want, sizeof(c0));
}

static void test_c3(void **state)
{
	uint8_t sid[KM_HASH_SIZE], r[33], w[32], row[4 * 33];
	struct km_scalar e, want;
	struct km_hash h, v;
	uint8_t a[KM_HASH_SIZE], b[KM_HASH_SIZE];

	fill(sid, sizeof(sid), 1);
	fill(r, sizeof(r), 2);
	fill(w, sizeof(w), 3);
	fill(row, sizeof(row), 4);
	km_certify_challenge(c, &e, sid, 7, 5, r, w, row);
	km_hash_init(&h, "c3");
	km_hash_field(&h, sid, sizeof(sid));
	km_hash_u32(&h, 7);
	km_hash_u8(&h, 5);
	km_hash_field(&h, r, sizeof(r));
	km_hash_field(&h, w, sizeof(w));
	/* V, A', C', U; a row begins with A' | C' | V | U */
	km_hash_field(&h, row + 2 * 33, 33);
	km_hash_field(&h, row, 33);
	km_hash_field(&h, row + 33, 33);
	km_hash_field(&h, row + 3 * 33, 33);
	km_scalar_from_hash(c, &want, &h);
	assert_true(km_scalar_equal(&e, &want));
	km_certify_v_prefix(&v, sid, 5);
	km_hash_final(&v, a);
	km_hash_init(&h, "c3v");
	km_hash_field(&h, sid, sizeof(sid));
	km_hash_u8(&h, 5);
	km_hash_final(&h, b);
	assert_memory_equal(a, b, sizeof(a));
}

static void test_names(void **state)
{
	uint8_t sid[KM_HASH_SIZE], name[KM_HASH_SIZE], want[KM_HASH_SIZE];
	struct km_hash h;

	fill(sid, sizeof(sid), 9);
	km_presig_name(sid, 77, name);
	km_hash_init(&h, "presig");
	km_hash_field(&h, sid, sizeof(sid));
	km_hash_u32(&h, 77);
	km_hash_final(&h, want);
	assert_memory_equal(name, want, sizeof(name));
}

/* A signature of this purpose is one of no other: the bytes under it begin with what they are. */
static void test_signature(void **state)
{
	static const char prefix[] = "keymesh/1/message";
	uint8_t in[sizeof(prefix) - 1 + KM_MSG_CONTENT], sid[KM_HASH_SIZE], body[5] = "body";
	const struct km_shape shape = {.head = sizeof(body)};
	struct km_identity id;
	struct km_msg m;
	struct km_buf b;

	fill(sid, sizeof(sid), 7);
	net_identity(1, 3, &id);
	km_buf_init(&b);
	assert_int_equal(km_msg_build(&b, KM_PROTO_RECORD, 1, 3, 2, sid, &shape, body, &id), KM_OK);
	memcpy(in, prefix, sizeof(prefix) - 1);
	memcpy(in + sizeof(prefix) - 1, b.data, KM_MSG_CONTENT);
	assert_int_equal(km_ed25519_verify(id.pub, in, sizeof(in), b.data + KM_MSG_CONTENT), KM_OK);
	assert_int_equal(km_msg_parse(&m, b.data, b.len), KM_OK);
	assert_int_equal(km_msg_verify_sig(&m, id.pub), KM_OK);
	in[0] ^= 1;
	assert_int_equal(km_ed25519_verify(id.pub, in, sizeof(in), b.data + KM_MSG_CONTENT), KM_E_VERIFY);
	km_buf_clear(&b);
}

/* WHY: an attacker who knows the weights of a check solves for them. */
static void test_weights(void **state)
{
	for (unsigned engine = KM_PRESIGN_MAJORITY; engine <= KM_PRESIGN_ANY; engine++) {
		struct group g;

		if (engine == KM_PRESIGN_ANY)
			group_init_any(&g, 5, 7, 7, 2);
		else
			group_init(&g, 5, 7, 2, 7, 2, 0);
		for (unsigned i = 1; i <= 3; i++) {
			const struct km_presign *s = g.m[i]->state;
			struct km_scalar mine, other;
			struct km_rng copy = *s->check, again;

			km_scalar_random128(c, &mine, &copy);
			for (unsigned j = i + 1; j <= 3; j++) {
				copy = *((const struct km_presign *)g.m[j]->state)->check;
				km_scalar_random128(c, &other, &copy);
				assert_false(km_scalar_equal(&mine, &other));
			}
			/* nor made of the sid alone */
			km_rng_init(&again, s->m->sid, "presign-check", NULL, 0);
			km_scalar_random128(c, &other, &again);
			assert_false(km_scalar_equal(&mine, &other));
		}
		group_clear(&g);
	}
}

/* All of the 128 bits are drawn. */
static void test_width(void **state)
{
	const uint8_t seed[KM_SEED_SIZE] = {1};
	uint8_t ones[32] = {0}, b[32];
	struct km_scalar k;
	struct km_rng rng;

	km_rng_init(&rng, seed, "width", NULL, 0);
	for (unsigned i = 0; i < 64; i++) {
		km_scalar_random128(c, &k, &rng);
		km_scalar_encode(c, b, &k);
		for (unsigned n = 0; n < 32; n++)
			ones[n] |= b[n];
	}
	for (unsigned n = 0; n < 32; n++)
		assert_int_equal(ones[n], n < 16 ? 0 : 0xff);
}

/* Engine any: Alice's choices, and the keys that follow, are others with every partner. */
static struct group any;
static unsigned seen;

static enum net_verdict links_tap(void *ctx, uint8_t from, uint8_t to, uint8_t **raw, size_t *len)
{
	const struct km_presign *s = any.m[from]->state;
	const struct km_any_link *l[3];
	unsigned n = 0;

	(void)ctx;
	(void)len;
	if ((*raw)[3] != KM_ANY_Y2 || to != (from == 1 ? 2 : 1))
		return NET_PASS;
	for (unsigned j = 1; j <= 3; j++)
		if (s->any && s->any->link[j])
			l[n++] = s->any->link[j];
	assert_int_equal(n, 2);
	assert_memory_not_equal(l[0]->delta, l[1]->delta, sizeof(l[0]->delta));
	assert_memory_not_equal(l[0]->a_enc, l[1]->a_enc, 33);
	assert_memory_not_equal(l[0]->beta, l[1]->beta, 16);
	seen++;
	return NET_PASS;
}

static void test_links(void **state)
{
	group_init_any(&any, 6, 7, 7, 1);
	net_tap(any.net, links_tap, NULL);
	net_run(any.net, 0);
	assert_int_equal(seen, 3);
	for (unsigned i = 1; i <= 3; i++)
		assert_true(net_party(any.net, (uint8_t)i)->done);
	group_clear(&any);
}

static int setup(void **state)
{
	c = km_curve_p256();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_c0),    cmocka_unit_test(test_c3),    cmocka_unit_test(test_names),
		cmocka_unit_test(test_signature),
		cmocka_unit_test(test_weights), cmocka_unit_test(test_width), cmocka_unit_test(test_links),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, setup, NULL);
}
