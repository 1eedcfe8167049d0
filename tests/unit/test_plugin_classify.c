/* test_plugin_classify.c: what the plugin takes for a TLS server's signature, and that every other byte string is nothing. */
#include "config.h"
#include <stdlib.h>
#include "base/context.h"
#include "plugin.h"
#include "tests/lib/test.h"

static size_t make_tls13(uint8_t *p, const char *label, size_t hash)
{
	size_t n = strlen(label) + 1;

	memset(p, 0x20, 64);
	memcpy(p + 64, label, n);
	memset(p + 64 + n, 0xab, hash);
	return 64 + n + hash;
}

static size_t make_tls12(uint8_t *p, unsigned group, size_t point, uint8_t first)
{
	memset(p, 0x5a, 64);
	p[64] = 3;
	p[65] = (uint8_t)(group >> 8);
	p[66] = (uint8_t)group;
	p[67] = (uint8_t)point;
	memset(p + 68, first, point);
	return 68 + point;
}

/* In a block of just its size. */
static unsigned classify(const uint8_t *p, size_t n)
{
	uint8_t *copy = malloc(n ? n : 1);
	unsigned context;

	memcpy(copy, p, n);
	context = kmg_classify(copy, n);
	free(copy);
	return context;
}

static void test_tls13(void **state)
{
	static const char label[] = "TLS 1.3, server CertificateVerify";
	uint8_t p[256], fixed = 64 + sizeof(label);

	for (size_t hash = 0; hash <= 64; hash++) {
		size_t n = make_tls13(p, label, hash);

		assert_int_equal(classify(p, n), hash == 32 || hash == 48 ? KM_CTX_TLS13_SERVER : 0);
	}
	make_tls13(p, label, 32);
	for (size_t i = 0; i < fixed; i++) {
		p[i] ^= 1;
		assert_int_equal(classify(p, (size_t)fixed + 32), 0);
		p[i] ^= 1;
	}
	assert_int_equal(classify(p, make_tls13(p, "TLS 1.3, client CertificateVerify", 32)), 0);
	for (size_t n = 0; n < (size_t)fixed + 32; n++) {
		make_tls13(p, label, 32);
		assert_int_equal(classify(p, n), 0);
	}
}

static void test_tls12(void **state)
{
	static const struct {
		unsigned group;
		size_t point;
		uint8_t first;
	} good[] = {
	    {23, 65, 4}, {24, 97, 4}, {25, 133, 4}, {29, 32, 0}, {30, 56, 9},
	};
	uint8_t p[512];

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		size_t n = make_tls12(p, good[i].group, good[i].point, good[i].first);

		assert_int_equal(classify(p, n), KM_CTX_TLS12_SERVER);
		p[n] = 0;
		assert_int_equal(classify(p, n + 1), 0);
		for (size_t cut = 0; cut < n; cut++)
			assert_int_equal(classify(p, cut), 0);
		p[64] = 1; /* explicit prime */
		assert_int_equal(classify(p, n), 0);
		for (size_t point = 0; point < 256; point++) {
			n = make_tls12(p, good[i].group, point, good[i].first);
			assert_int_equal(classify(p, n), point == good[i].point ? KM_CTX_TLS12_SERVER : 0);
		}
	}
	assert_int_equal(classify(p, make_tls12(p, 23, 65, 2)), 0); /* not uncompressed */
	assert_int_equal(classify(p, make_tls12(p, 22, 65, 4)), 0); /* secp256k1 */
	assert_int_equal(classify(p, make_tls12(p, 0x100 + 23, 65, 4)), 0);
}

KM_TESTS(cmocka_unit_test(test_tls13), cmocka_unit_test(test_tls12))
