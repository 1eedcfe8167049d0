/* test_sign.c: threshold signing with presignatures; the signatures as GnuTLS and Nettle see them. */
#include <stdio.h>
#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>
#include <nettle/ecc-curve.h>
#include <nettle/ecc.h>
#include <nettle/ecdsa.h>
#include "../lib/test.h"
#include "../lib/dealer.h"
#include "base/hash.h"

static struct group g;
static const struct km_curve *c;

static int setup(void **state)
{
	group_init(&g, 500, 0x1f, 3, 0x1f, 40, 0);
	net_run(g.net, 0);
	group_take(&g);
	c = g.d.curve;
	return 0;
}

static int teardown(void **state)
{
	group_clear(&g);
	return 0;
}

static unsigned used;      /* indices are spent from 0 up */

/* ---- others verify */

static void gnutls_verifies(const char *text, const struct km_scalar *r, const struct km_scalar *s)
{
	uint8_t q[65], der[2 * KM_SCALAR_MAX + 9];
	gnutls_datum_t x = { q + 1, 32 }, y = { q + 33, 32 }, data = { (uint8_t *)(uintptr_t)text, (unsigned)strlen(text) };
	gnutls_datum_t sig = { der, (unsigned)km_ecdsa_der(c, der, r, s) };
	gnutls_pubkey_t key;

	assert_int_equal(km_point_encode_uncompressed_var(c, q, &g.d.table.x), KM_OK);
	assert_int_equal(gnutls_pubkey_init(&key), 0);
	assert_int_equal(gnutls_pubkey_import_ecc_raw(key, GNUTLS_ECC_CURVE_SECP256R1, &x, &y), 0);
	assert_true(gnutls_pubkey_verify_data2(key, GNUTLS_SIGN_ECDSA_SHA256, 0, &data, &sig) >= 0);
	der[sig.size - 1] ^= 1;
	assert_true(gnutls_pubkey_verify_data2(key, GNUTLS_SIGN_ECDSA_SHA256, 0, &data, &sig) < 0);
	gnutls_pubkey_deinit(key);
}

static void to_mpz(mpz_t z, const uint8_t *b, size_t n)
{
	mpz_import(z, n, 1, 1, 1, 0, b);
}

static void nettle_verifies(const char *text, const struct km_scalar *r, const struct km_scalar *s)
{
	uint8_t q[65], b[32], digest[32];
	struct ecc_point pub;
	struct dsa_signature sig;
	mpz_t x, y;

	assert_int_equal(km_point_encode_uncompressed_var(c, q, &g.d.table.x), KM_OK);
	assert_int_equal(km_sha2(256, text, strlen(text), digest), KM_OK);
	mpz_inits(x, y, NULL);
	to_mpz(x, q + 1, 32);
	to_mpz(y, q + 33, 32);
	ecc_point_init(&pub, nettle_get_secp_256r1());
	assert_true(ecc_point_set(&pub, x, y));
	dsa_signature_init(&sig);
	km_scalar_encode(c, b, r);
	to_mpz(sig.r, b, 32);
	km_scalar_encode(c, b, s);
	to_mpz(sig.s, b, 32);
	assert_true(ecdsa_verify(&pub, 32, digest, &sig));
	digest[0] ^= 1;
	assert_false(ecdsa_verify(&pub, 32, digest, &sig));
	dsa_signature_clear(&sig);
	ecc_point_clear(&pub);
	mpz_clears(x, y, NULL);
}

static void test_others_verify(void **state)
{
	char text[64];
	struct km_sign_input in;
	struct km_scalar r, s;

	for (unsigned i = 0; i < 8; i++) {
		snprintf(text, sizeof(text), "to be signed, number %u", i);
		group_input(&g, &in, text);
		assert_int_equal(group_sign(&g, used++, &in, &r, &s), KM_OK);
		assert_false(km_scalar_is_high(c, &s));
		gnutls_verifies(text, &r, &s);
		nettle_verifies(text, &r, &s);
	}
}

/* ---- the share */

static void test_spent(void **state)
{
	static const struct km_secret zero;
	struct km_sign_input in;
	struct km_sign_nonce nonce;
	struct km_scalar s;
	unsigned l = used++;
	struct km_presig *p = group_presig(&g, (unsigned)km_set_next(g.rows[l].quorum, 0), l);

	group_input(&g, &in, "spent");
	assert_int_equal(km_sign_nonce(p, &in, &nonce), KM_OK);
	assert_memory_not_equal(&p->alpha, &zero, sizeof(zero));
	km_sign_share(p, &in, &nonce, &s);
	assert_memory_equal(&p->alpha, &zero, sizeof(zero));
	assert_memory_equal(&p->beta, &zero, sizeof(zero));
	assert_false(km_scalar_is_zero(&s));
}

/* Everything that must not be exchanged changes R'. */
static void test_nonce_binds(void **state)
{
	struct km_sign_input in, other;
	struct km_sign_nonce a, b;
	unsigned l = used++;
	struct km_presig *p = group_presig(&g, (unsigned)km_set_next(g.rows[l].quorum, 0), l);
	struct km_scalar one;

	group_input(&g, &in, "binding");
	assert_int_equal(km_sign_nonce(p, &in, &a), KM_OK);
#define DIFFERS(change)                                              \
	do {                                                         \
		struct km_presig was = *p;                           \
		other = in;                                          \
		change;                                              \
		assert_int_equal(km_sign_nonce(p, &other, &b), KM_OK); \
		assert_false(km_scalar_equal(&a.delta, &b.delta));   \
		assert_false(km_scalar_equal(&a.r, &b.r));           \
		*p = was;                                            \
	} while (0)
	km_scalar_set_u32(&one, 1);
	DIFFERS(other.context = KM_CTX_TLS12_SERVER);
	DIFFERS(other.request_id[31] ^= 1);
	DIFFERS(km_scalar_add(c, &other.m, &other.m, &one));
	DIFFERS(p->id[0] ^= 1);
	DIFFERS(p->quorum ^= 8);
	DIFFERS(p->table_hash[7] ^= 1);
	DIFFERS(km_point_add(c, &p->r, &p->r, &p->r));
	assert_int_equal(km_sign_nonce(p, &in, &b), KM_OK);
	assert_true(km_scalar_equal(&a.r, &b.r));
	/* R' = delta R, and delta_inv is its inverse */
	km_scalar_mul(c, &one, &a.delta, &a.delta_inv);
	km_scalar_set_u32(&b.r, 1);
	assert_true(km_scalar_equal(&one, &b.r));
}

static void test_degenerate(void **state)
{
	struct km_sign_input in;
	struct km_sign_nonce nonce;
	struct km_scalar sh[2], s;
	struct km_presig *p;
	unsigned l = used++;

	/* s = 0 is never a signature */
	km_scalar_set_u32(&sh[0], 5);
	km_scalar_neg(c, &sh[1], &sh[0]);
	assert_int_equal(km_sign_combine(c, &s, sh, 2), KM_E_DEGENERATE);
	assert_int_equal(km_sign_combine(c, &s, sh, 0), KM_E_DEGENERATE);
	/* -5 is high and comes back low */
	assert_int_equal(km_sign_combine(c, &s, sh + 1, 1), KM_OK);
	assert_true(km_scalar_equal(&s, &sh[0]));
	/* a presignature without R */
	p = group_presig(&g, (unsigned)km_set_next(g.rows[l].quorum, 0), l);
	group_input(&g, &in, "x");
	km_point_identity(c, &p->r);
	assert_int_equal(km_sign_nonce(p, &in, &nonce), KM_E_DEGENERATE);
	assert_true(km_scalar_is_zero(&nonce.r));
}

/* m = 0 is a hash like any other. */
static void test_zero_message(void **state)
{
	struct km_sign_input in;
	struct km_scalar r, s;

	group_input(&g, &in, "zero");
	km_scalar_zero(&in.m);
	assert_int_equal(group_sign(&g, used++, &in, &r, &s), KM_OK);
}

/* ---- culprits */

static void test_culprits(void **state)
{
	struct km_sign_input in;
	struct km_sign_nonce nonce;
	struct km_scalar shares[3], bad[3], one, s;
	uint32_t quorum = g.rows[used].quorum, culprits;
	struct km_presig *p = group_presig(&g, g.rows[used].owner, used);

	group_input(&g, &in, "who?");
	assert_int_equal(group_shares(&g, used, &in, &nonce, shares), KM_OK);
	km_scalar_set_u32(&one, 1);
	for (unsigned mask = 0; mask < 8; mask++) {
		uint32_t want = 0;

		memcpy(bad, shares, sizeof(bad));
		for (unsigned j = km_set_next(quorum, 0), at = 0; j; j = km_set_next(quorum, j), at++)
			if (mask >> at & 1) {
				km_scalar_add(c, &bad[at], &bad[at], &one);
				want |= km_set_bit(j);
			}
		assert_int_equal(km_sign_culprits_var(p, &in, &nonce, bad, &culprits), KM_OK);
		assert_int_equal(culprits, want);
		assert_int_equal(km_sign_combine(c, &s, bad, 3), KM_OK);
		assert_int_equal(km_ecdsa_verify_var(c, &g.d.table.x, &in.m, &nonce.r, &s), mask ? KM_E_VERIFY : KM_OK);
	}
	/* two errors that cancel: the signature is good, and still both are named */
	memcpy(bad, shares, sizeof(bad));
	km_scalar_add(c, &bad[0], &bad[0], &one);
	km_scalar_sub(c, &bad[2], &bad[2], &one);
	assert_int_equal(km_sign_combine(c, &s, bad, 3), KM_OK);
	assert_int_equal(km_ecdsa_verify_var(c, &g.d.table.x, &in.m, &nonce.r, &s), KM_OK);
	assert_int_equal(km_sign_culprits_var(p, &in, &nonce, bad, &culprits), KM_OK);
	assert_int_equal(km_set_size(culprits), 2);
	/* a zero share is as wrong as any */
	memcpy(bad, shares, sizeof(bad));
	km_scalar_zero(&bad[1]);
	assert_int_equal(km_sign_culprits_var(p, &in, &nonce, bad, &culprits), KM_OK);
	assert_int_equal(km_set_size(culprits), 1);
	used++;
}

/* Shares of one presignature for two requests do not combine, for either (B7). */
static void test_split_requests(void **state)
{
	struct km_sign_input in[2];
	struct km_sign_nonce nonce[2];
	struct km_scalar shares[3], s;
	unsigned l = used++, at = 0;
	uint32_t quorum = g.rows[l].quorum;

	group_input(&g, &in[0], "one");
	group_input(&g, &in[1], "two");
	for (unsigned j = km_set_next(quorum, 0); j; j = km_set_next(quorum, j), at++) {
		struct km_presig *p = group_presig(&g, j, l);

		for (unsigned i = 0; i < 2; i++)
			assert_int_equal(km_sign_nonce(p, &in[i], &nonce[i]), KM_OK);
		km_sign_share(p, &in[at == 0], &nonce[at == 0], &shares[at]);
	}
	assert_int_equal(km_sign_combine(c, &s, shares, 3), KM_OK);
	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(km_ecdsa_verify_var(c, &g.d.table.x, &in[i].m, &nonce[i].r, &s), KM_E_VERIFY);
}

/* A presignature of another quorum is of no use in this one. */
static void test_mixed_presignatures(void **state)
{
	struct km_sign_input in;
	struct km_sign_nonce nonce;
	struct km_scalar shares[3], s;
	unsigned l = used, other = used + 1, at = 0;

	while (g.rows[other].quorum != g.rows[l].quorum)
		other++;
	group_input(&g, &in, "mixed");
	for (unsigned j = km_set_next(g.rows[l].quorum, 0); j; j = km_set_next(g.rows[l].quorum, j), at++) {
		struct km_presig *p = group_presig(&g, j, at == 2 ? other : l);

		assert_int_equal(km_sign_nonce(group_presig(&g, j, l), &in, &nonce), KM_OK);
		km_sign_share(p, &in, &nonce, &shares[at]);
	}
	assert_int_equal(km_sign_combine(c, &s, shares, 3), KM_OK);
	assert_int_equal(km_ecdsa_verify_var(c, &g.d.table.x, &in.m, &nonce.r, &s), KM_E_VERIFY);
}

/* A pooled presignature takes at most 2 KB. */
static void test_size(void **state)
{
	assert_true(sizeof(struct km_presig) + 3 * 2 * 33 <= 2048);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_others_verify), cmocka_unit_test(test_spent),	      cmocka_unit_test(test_nonce_binds),
		cmocka_unit_test(test_degenerate),    cmocka_unit_test(test_zero_message),    cmocka_unit_test(test_culprits),
		cmocka_unit_test(test_split_requests), cmocka_unit_test(test_mixed_presignatures), cmocka_unit_test(test_size),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, setup, teardown);
}
