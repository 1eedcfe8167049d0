/* Ed25519 under one strict rule (A22), X25519, AEAD. Vectors that are not of an RFC come from another implementation. */
#include "tests/lib/test.h"
#include "tests/lib/hex.h"

#include <nettle/eddsa.h>
#include "base/edpoint.h"
#include "base/rng.h"
#include "base/sig.h"

static void test_rfc8032(void **state)
{
	uint8_t priv[32], pub[32], sig[64];

	(void)state;
	km_unhex(priv, 32, "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60");
	km_ed25519_public(priv, pub);
	km_assert_hex(pub, 32, "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a");
	km_ed25519_sign(pub, priv, NULL, 0, sig);
	km_assert_hex(sig, 64, "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46b"
			       "d25bf5f0595bbe24655141438e7a100b");
	assert_int_equal(km_ed25519_verify(pub, NULL, 0, sig), KM_OK);
	assert_int_equal(km_ed25519_verify(pub, "x", 1, sig), KM_E_VERIFY);
}

static void test_every_bit_counts(void **state)
{
	struct km_rng r;
	uint8_t priv[32], pub[32], sig[64], msg[40], seed[32] = { 8 };

	(void)state;
	km_rng_init(&r, seed, "test", NULL, 0);
	km_rng_bytes(&r, priv, sizeof(priv));
	km_rng_bytes(&r, msg, sizeof(msg));
	km_ed25519_public(priv, pub);
	km_ed25519_sign(pub, priv, msg, sizeof(msg), sig);
	assert_int_equal(km_ed25519_verify(pub, msg, sizeof(msg), sig), KM_OK);
	for (unsigned i = 0; i < 8 * 64; i++) {
		sig[i / 8] ^= (uint8_t)(1 << i % 8);
		assert_int_equal(km_ed25519_verify(pub, msg, sizeof(msg), sig), KM_E_VERIFY);
		sig[i / 8] ^= (uint8_t)(1 << i % 8);
	}
	for (unsigned i = 0; i < 8 * 32; i++) {
		pub[i / 8] ^= (uint8_t)(1 << i % 8);
		assert_int_equal(km_ed25519_verify(pub, msg, sizeof(msg), sig), KM_E_VERIFY);
		pub[i / 8] ^= (uint8_t)(1 << i % 8);
	}
	for (unsigned i = 0; i < 8 * sizeof(msg); i += 7) {
		msg[i / 8] ^= (uint8_t)(1 << i % 8);
		assert_int_equal(km_ed25519_verify(pub, msg, sizeof(msg), sig), KM_E_VERIFY);
		msg[i / 8] ^= (uint8_t)(1 << i % 8);
	}
	assert_int_equal(km_ed25519_verify(pub, msg, sizeof(msg) - 1, sig), KM_E_VERIFY);
}

/* ---- A22: each signature below satisfies s B = R + h A for the value its bytes are read as (or eight times that
 * equation); only the rule about encodings decides. */
static const char strict_key[] = "bdc41211ba1a24cfbf259963bfcf075855da2a660adbb2a5f8a0fb1c5e4ebb1d";

static int strict(const char *key, const void *msg, size_t n, const char *r, const char *s)
{
	uint8_t pub[32], sig[64];

	km_unhex(pub, 32, key);
	km_unhex(sig, 32, r);
	km_unhex(sig + 32, 32, s);
	return km_ed25519_verify(pub, msg, n, sig);
}

static void test_s_is_below_l(void **state)
{
	static const uint8_t l[32] = { 0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14,
				       [31] = 0x10 };
	uint8_t pub[32], sig[64];

	(void)state;
	km_unhex(pub, 32, strict_key);
	km_unhex(sig, 64, "13ee927d942d91219bfd08449bc68eb5f4ad8b633fb2a23461e95a5a553e4b4a"
			  "b4dd1ec59bf44e125f83587287858b909ef944d00859488b275a99b1fcbb5108");
	assert_int_equal(km_ed25519_verify(pub, "strict", 6, sig), KM_OK);
	/* s + L, s + 2L, ... as long as they fit 32 bytes */
	for (unsigned k = 1; k <= 14; k++) {
		unsigned carry = 0;

		for (unsigned i = 0; i < 32; i++) {
			carry += (unsigned)sig[32 + i] + l[i];
			sig[32 + i] = (uint8_t)carry;
			carry >>= 8;
		}
		assert_int_equal(carry, 0);
		assert_int_equal(km_ed25519_verify(pub, "strict", 6, sig), KM_E_VERIFY);
	}
	/* our own checks by themselves: Nettle 3.8 happens to refuse the same, another version may not */
	assert_int_equal(km_edscalar_canonical(l), 0);
	memcpy(sig, l, 32);
	sig[0]--;
	assert_int_equal(km_edscalar_canonical(sig), 1);
	sig[0] += 2;
	assert_int_equal(km_edscalar_canonical(sig), 0);
	memset(sig, 0xff, 32);
	assert_int_equal(km_edscalar_canonical(sig), 0);
	memset(sig, 0, 32);
	assert_int_equal(km_edscalar_canonical(sig), 1);
}

static void test_r_is_canonical(void **state)
{
	(void)state;
	/* R the identity, as it is written: a valid equation, and accepted, so the refusals below are about the encoding */
	assert_int_equal(strict(strict_key, "strict", 6, "0100000000000000000000000000000000000000000000000000000000000000",
				"ccaaace03fe0b6ede4e126d4a249b22c458cdc852dabba61b739c4a9a33a110e"),
			 KM_OK);
	assert_int_equal(strict(strict_key, "strict", 6, "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
				"5dd65d3ce8d19c00ae8381767852453c82d64631174403530ccbf06524e9fb07"),
			 KM_E_VERIFY);
	assert_int_equal(strict(strict_key, "strict", 6, "0100000000000000000000000000000000000000000000000000000000000080",
				"a37eeef677beb52c3cb98ccf3220a11c74b39194e076150e33da46312b852a0c"),
			 KM_E_VERIFY);
	assert_int_equal(strict(strict_key, "strict", 6, "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
				"4b7eb02992c9ba996eb43e364bd89c5e6a7daa1a3385dce16a577a0dd177ea05"),
			 KM_E_VERIFY);
}

/* With the identity as key, (rB, r) signs everything: again only the encoding of the key differs. */
static void test_a_is_canonical(void **state)
{
	static const char r[] = "13ee927d942d91219bfd08449bc68eb5f4ad8b633fb2a23461e95a5a553e4b4a";
	static const char s[] = "47b80fb1219510b5f8611f635c43dd667cbe4f186869c8de00a7906569879b07";

	(void)state;
	assert_int_equal(strict("0100000000000000000000000000000000000000000000000000000000000000", "any", 3, r, s), KM_OK);
	assert_int_equal(strict("eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", "any", 3, r, s), KM_E_VERIFY);
	assert_int_equal(strict("0100000000000000000000000000000000000000000000000000000000000080", "any", 3, r, s), KM_E_VERIFY);
	assert_int_equal(strict("eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff", "any", 3, r, s), KM_E_VERIFY);
}

/* R = rB + T with T of order 8: true only after multiplication by the cofactor. */
static void test_no_cofactor(void **state)
{
	uint8_t msg = 14;

	(void)state;
	assert_int_equal(strict(strict_key, "strict", 6, "5a0bf69d6ee5e5326f3a2594d751386d41aa4b5a9104fc3902e66d8891fb058e",
				"5d4bbaf0b15b5e076c60bb8e0a7949db464b8cd4b68c87736968dfe7deff2106"),
			 KM_E_VERIFY);
	/* a key with a torsion part signs where the equation holds exactly */
	assert_int_equal(strict("0872b647dc915b468ff4377dd37067ae66ba657d94d372049107f4d8a0ef332e", &msg, 1,
				"13ee927d942d91219bfd08449bc68eb5f4ad8b633fb2a23461e95a5a553e4b4a",
				"6c49d9cd5bd87d8ea5fc312db50141ab8f7a1a7577a3f6e9e4c2e435578e1f00"),
			 KM_OK);
}

static const char *torsion[8] = {
	"0100000000000000000000000000000000000000000000000000000000000000",
	"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
	"0000000000000000000000000000000000000000000000000000000000000080",
	"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
	"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
	"0000000000000000000000000000000000000000000000000000000000000000",
	"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
};

/* That each listed key has small order is shown by Nettle, not by the list: (rB, r) verifies under A for every
 * message with h A = 0, and for a small order that is at least one message in eight. */
static void test_small_order_keys(void **state)
{
	uint8_t pub[32], sig[64];

	(void)state;
	km_unhex(sig, 32, "13ee927d942d91219bfd08449bc68eb5f4ad8b633fb2a23461e95a5a553e4b4a");
	km_unhex(sig + 32, 32, "47b80fb1219510b5f8611f635c43dd667cbe4f186869c8de00a7906569879b07");
	for (unsigned i = 0; i < 8; i++) {
		unsigned verified = 0;

		km_unhex(pub, 32, torsion[i]);
		for (unsigned m = 0; m < 256; m++) {
			uint8_t msg = (uint8_t)m;

			verified += ed25519_sha512_verify(pub, 1, &msg, sig) != 0;
		}
		assert_in_range(verified, 10, 256);
		assert_int_equal(km_edpoint_canonical(pub), 1);
		assert_int_equal(km_edpoint_on_curve(pub), 1);
		assert_int_equal(km_edpoint_small_order(pub), 1);
		assert_int_equal(km_ed25519_check_key(pub), KM_E_ENCODING);
	}
}

static void test_real_keys_pass(void **state)
{
	struct km_rng r;
	uint8_t priv[32], pub[32], seed[32] = { 9 };

	(void)state;
	km_rng_init(&r, seed, "test", NULL, 0);
	for (unsigned i = 0; i < 100; i++) {
		km_rng_bytes(&r, priv, sizeof(priv));
		km_ed25519_public(priv, pub);
		assert_int_equal(km_ed25519_check_key(pub), KM_OK);
	}
}

static void test_keys_off_the_curve(void **state)
{
	uint8_t pub[32], on[32];

	(void)state;
	/* bit y is set when a point with this y exists */
	km_unhex(on, 32, "7bc6ad7fab1dd9f74a68f00e729091832bace1006758b5884b1b763608f5c4dd");
	for (unsigned y = 0; y < 256; y++) {
		int expected = on[y / 8] >> (y % 8) & 1;

		memset(pub, 0, sizeof(pub));
		pub[0] = (uint8_t)y;
		assert_int_equal(km_edpoint_on_curve(pub), expected);
		if (y >= 2)
			assert_int_equal(km_ed25519_check_key(pub), expected ? KM_OK : KM_E_ENCODING);
	}
}

static void test_keys_not_canonical(void **state)
{
	uint8_t pub[32];

	(void)state;
	/* y = p .. p + 18 fit 255 bits */
	for (unsigned low = 0xed; low <= 0xff; low++) {
		memset(pub, 0xff, sizeof(pub));
		pub[0] = (uint8_t)low;
		assert_int_equal(km_ed25519_check_key(pub), KM_E_ENCODING);
		assert_int_equal(km_edpoint_canonical(pub), 0);
		pub[31] = 0x7f;
		assert_int_equal(km_ed25519_check_key(pub), KM_E_ENCODING);
		assert_int_equal(km_edpoint_canonical(pub), 0);
	}
	/* x = 0 has no sign: y = 1 and y = -1 */
	memset(pub, 0, sizeof(pub));
	pub[0] = 1;
	pub[31] = 0x80;
	assert_int_equal(km_edpoint_canonical(pub), 0);
	memset(pub, 0xff, sizeof(pub));
	pub[0] = 0xec;
	assert_int_equal(km_edpoint_canonical(pub), 0);
	pub[31] = 0x7f;
	assert_int_equal(km_edpoint_canonical(pub), 1);
	/* y = p - 2 is a canonical number */
	memset(pub, 0xff, sizeof(pub));
	pub[0] = 0xeb;
	assert_int_equal(km_edpoint_canonical(pub), 1);
}

static void test_x25519(void **state)
{
	uint8_t a[32], b[32], ap[32], bp[32], s[32], t[32];

	(void)state;
	/* RFC 7748, section 5.2 */
	km_unhex(a, 32, "a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4");
	km_unhex(bp, 32, "e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c");
	assert_int_equal(km_x25519(a, bp, s), KM_OK);
	km_assert_hex(s, 32, "c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552");
	memset(a, 1, 32);
	memset(b, 2, 32);
	km_x25519_public(a, ap);
	km_assert_hex(ap, 32, "a4e09292b651c278b9772c569f5fa9bb13d906b46ab68c9df9dc2b4409f8a209");
	km_x25519_public(b, bp);
	assert_int_equal(km_x25519(a, bp, s), KM_OK);
	assert_int_equal(km_x25519(b, ap, t), KM_OK);
	assert_memory_equal(s, t, 32);
	km_assert_hex(s, 32, "2ed76ab549b1e73c031eb49c9448f0798aea81b698279a0c3dc3e49fbfc4b953");
}

static void test_x25519_low_order(void **state)
{
	static const char *low[] = {
		"0000000000000000000000000000000000000000000000000000000000000000",
		"0100000000000000000000000000000000000000000000000000000000000000",
		"e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
		"5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
		"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	};
	uint8_t priv[32], pub[32], s[32];

	(void)state;
	memset(priv, 0x42, 32);
	for (size_t i = 0; i < sizeof(low) / sizeof(low[0]); i++) {
		km_unhex(pub, 32, low[i]);
		assert_int_equal(km_x25519(priv, pub, s), KM_E_VERIFY);
	}
	memset(pub, 0, 32);
	pub[0] = 9;
	assert_int_equal(km_x25519(priv, pub, s), KM_OK);
}

static void test_aead(void **state)
{
	static const char text[] = "Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, "
				   "sunscreen would be it.";
	uint8_t key[32], nonce[12], aad[12], out[114 + 16], back[114];

	(void)state;
	/* RFC 8439, section 2.8.2 */
	for (unsigned i = 0; i < 32; i++)
		key[i] = (uint8_t)(0x80 + i);
	km_unhex(nonce, 12, "070000004041424344454647");
	km_unhex(aad, 12, "50515253c0c1c2c3c4c5c6c7");
	km_aead_seal(key, nonce, aad, 12, text, 114, out);
	km_assert_hex(out, 16, "d31a8d34648e60db7b86afbc53ef7ec2");
	km_assert_hex(out + 114, 16, "1ae10b594f09e26a7e902ecbd0600691");
	assert_int_equal(km_aead_open(key, nonce, aad, 12, out, sizeof(out), back), KM_OK);
	assert_memory_equal(back, text, 114);
	for (unsigned i = 0; i < 8 * sizeof(out); i += 3) {
		static const uint8_t zero[114];

		out[i / 8] ^= (uint8_t)(1 << i % 8);
		memset(back, 0xee, sizeof(back));
		assert_int_equal(km_aead_open(key, nonce, aad, 12, out, sizeof(out), back), KM_E_SEAL);
		assert_memory_equal(back, zero, sizeof(back));
		out[i / 8] ^= (uint8_t)(1 << i % 8);
	}
	assert_int_equal(km_aead_open(key, nonce, aad, 11, out, sizeof(out), back), KM_E_SEAL);
	assert_int_equal(km_aead_open(key, nonce, aad, 12, out, sizeof(out) - 1, back), KM_E_SEAL);
	assert_int_equal(km_aead_open(key, nonce, aad, 12, out, 15, back), KM_E_SEAL);
	/* in place */
	assert_int_equal(km_aead_open(key, nonce, aad, 12, out, sizeof(out), out), KM_OK);
	assert_memory_equal(out, text, 114);
}

static void test_aead_of_nothing(void **state)
{
	uint8_t key[32] = { 1 }, nonce[12] = { 0 }, out[16];

	(void)state;
	km_aead_seal(key, nonce, NULL, 0, NULL, 0, out);
	assert_int_equal(km_aead_open(key, nonce, NULL, 0, out, 16, NULL), KM_OK);
	out[3] ^= 1;
	assert_int_equal(km_aead_open(key, nonce, NULL, 0, out, 16, NULL), KM_E_SEAL);
}

KM_TESTS(cmocka_unit_test(test_rfc8032), cmocka_unit_test(test_every_bit_counts), cmocka_unit_test(test_s_is_below_l),
	 cmocka_unit_test(test_r_is_canonical), cmocka_unit_test(test_a_is_canonical), cmocka_unit_test(test_no_cofactor),
	 cmocka_unit_test(test_small_order_keys), cmocka_unit_test(test_real_keys_pass), cmocka_unit_test(test_keys_off_the_curve),
	 cmocka_unit_test(test_keys_not_canonical), cmocka_unit_test(test_x25519), cmocka_unit_test(test_x25519_low_order),
	 cmocka_unit_test(test_aead), cmocka_unit_test(test_aead_of_nothing))
