/* attack_a22.c: one content signed twice. Ed25519 lets an author choose the nonce, so one content has many valid signatures; and
 * a library that takes s >= L lets anybody make a second one. If digests covered the signature, peers would hold different
 * digests of one message: a split view that no evidence explains. Stopped by: digests over the content, one strict rule of
 * verification. */
#include <gmp.h>
#include <stdlib.h>
#include "attack.h"
#include "rush.h"
#include "base/sig.h"

#define EVIL 3
#define SPLIT_TO 2

static void get_le(mpz_t r, const uint8_t *p, size_t n)
{
	mpz_import(r, n, -1, 1, 0, 0, p);
}

static void put_le(uint8_t out[32], const mpz_t v)
{
	size_t n = 0;

	memset(out, 0, 32);
	mpz_export(out, &n, -1, 1, 0, 0, v);
}

static void group_order(mpz_t q)
{
	mpz_set_str(q, "27742317777372353535851937790883648493", 10);
	mpz_t top;

	mpz_init(top);
	mpz_ui_pow_ui(top, 2, 252);
	mpz_add(q, q, top);
	mpz_clear(top);
}

/* The secret scalar behind a key: SHA-512 of it, clamped. */
static void clamped(mpz_t r, const uint8_t priv[32])
{
	uint8_t h[64];

	assert_int_equal(km_sha2(512, priv, 32, h), KM_OK);
	h[0] &= 0xf8;
	h[31] = (uint8_t)((h[31] & 0x7f) | 0x40);
	get_le(r, h, 32);
}

/* A valid signature on what raw's signature is on, with another nonce. */
static void sign_again(uint8_t *raw, const struct km_identity *id)
{
	static const char prefix[] = "keymesh/1/message";
	uint8_t nonce[32] = {7}, in[64 + sizeof(prefix) - 1 + KM_MSG_CONTENT], h[64];
	mpz_t q, r, a, e;

	mpz_inits(q, r, a, e, NULL);
	group_order(q);
	clamped(r, nonce);
	clamped(a, id->priv);
	km_ed25519_public(nonce, raw + KM_MSG_CONTENT); /* R */
	memcpy(in, raw + KM_MSG_CONTENT, 32);
	memcpy(in + 32, id->pub, 32);
	memcpy(in + 64, prefix, sizeof(prefix) - 1);
	memcpy(in + 64 + sizeof(prefix) - 1, raw, KM_MSG_CONTENT);
	assert_int_equal(km_sha2(512, in, sizeof(in), h), KM_OK);
	get_le(e, h, 64);
	mpz_mul(e, e, a);
	mpz_add(e, e, r);
	mpz_mod(e, e, q);
	put_le(raw + KM_MSG_CONTENT + 32, e);
	mpz_clears(q, r, a, e, NULL);
}

static enum net_verdict two_signatures(void *ctx, uint8_t from, uint8_t to, uint8_t **raw, size_t *len)
{
	struct group *g = ctx;
	struct km_identity id;
	struct km_msg before, after;
	uint8_t old[KM_SIG_SIZE];

	if (from != EVIL || to != SPLIT_TO || (*raw)[3] != KM_PRESIGN_M2)
		return NET_PASS;
	net_identity(g->d.seed, EVIL, &id);
	assert_int_equal(km_msg_parse(&before, *raw, *len), KM_OK);
	memcpy(old, before.sig, sizeof(old));
	sign_again(*raw, &id);
	assert_int_equal(km_msg_parse(&after, *raw, *len), KM_OK);
	assert_memory_not_equal(old, after.sig, sizeof(old));
	assert_int_equal(km_msg_verify_sig(&after, id.pub), KM_OK);
	return NET_PASS;
}

static void mount(struct group *g)
{
	group_init(g, 22, 7, 2, 7, 2, 0);
	net_tap(g->net, two_signatures, g);
	net_run(g->net, 1);
}

static void test_stopped(void **state)
{
	struct group g;

	rules_all();
	mount(&g);
	for (unsigned i = 1; i <= 3; i++) {
		assert_true(net_party(g.net, (uint8_t)i)->done);
		assert_int_equal(net_party(g.net, (uint8_t)i)->convicted | net_party(g.net, (uint8_t)i)->disputed, 0);
	}
	group_clear(&g);
}

/* The run dies of different views. It is opened, and as views are made of digests, which now follow the pen and not the content, the
 * honest are convicted of what their seeds "do not give". */
static void test_without_rule(void **state)
{
	uint32_t framed = 0;
	struct group g;

	rules_all();
	rule_off(km_rule_content_digest);
	mount(&g);
	for (unsigned i = 1; i <= 3; i++) {
		const struct net_party *p = net_party(g.net, (uint8_t)i);

		assert_true(p->dropped && !p->done);
		if (i != EVIL)
			framed |= p->convicted & ~km_set_bit(EVIL);
	}
	assert_true(framed != 0);
	rules_all();
	group_clear(&g);
}

/* s + L in place of s: made by anybody, taken by nobody. */
static void test_third_party(void **state)
{
	const struct km_shape shape = {.head = 4};
	struct km_identity id;
	struct km_msg m;
	struct km_buf b;
	uint8_t sid[KM_HASH_SIZE] = {1}, sum[33] = {0};
	mpz_t s, q;

	rules_all();
	net_identity(22, 1, &id);
	km_buf_init(&b);
	assert_int_equal(km_msg_build(&b, KM_PROTO_MAJORITY, 2, 1, 0, sid, &shape, (const uint8_t *)"body", &id), KM_OK);
	assert_int_equal(km_msg_parse(&m, b.data, b.len), KM_OK);
	assert_int_equal(km_msg_verify_sig(&m, id.pub), KM_OK);
	mpz_inits(s, q, NULL);
	group_order(q);
	get_le(s, m.sig + 32, 32);
	mpz_add(s, s, q);
	put_le(sum, s);
	memcpy(b.data + KM_MSG_CONTENT + 32, sum, 32);
	assert_int_equal(km_msg_parse(&m, b.data, b.len), KM_OK);
	assert_int_equal(km_msg_verify_sig(&m, id.pub), KM_E_VERIFY);
	mpz_clears(s, q, NULL);
	km_buf_clear(&b);
}

KM_TESTS(cmocka_unit_test(test_stopped), cmocka_unit_test(test_without_rule), cmocka_unit_test(test_third_party))
