/* test_hash2curve.c: the test vectors of RFC 9380, appendix J, and what they do not reach. */
#include "../lib/hex.h"
#include "ec_help.h"
#include "ec/hash2curve.h"
#include <stdio.h>

static const struct {
	unsigned curve;
	const char *dst, *msg;   /* msg: 'q' and 'a' stand for the long ones */
	const char *x, *y;
} vectors[] = {
#define DST256 "QUUX-V01-CS02-with-P256_XMD:SHA-256_SSWU_RO_"
	{ KM_CURVE_P256, DST256, "", "2c15230b26dbc6fc9a37051158c95b79656e17a1a920b11394ca91c44247d3e4",
	  "8a7a74985cc5c776cdfe4b1f19884970453912e9d31528c060be9ab5c43e8415" },
	{ KM_CURVE_P256, DST256, "abc", "0bb8b87485551aa43ed54f009230450b492fead5f1cc91658775dac4a3388a0f",
	  "5c41b3d0731a27a7b14bc0bf0ccded2d8751f83493404c84a88e71ffd424212e" },
	{ KM_CURVE_P256, DST256, "abcdef0123456789", "65038ac8f2b1def042a5df0b33b1f4eca6bff7cb0f9c6c1526811864e544ed80",
	  "cad44d40a656e7aff4002a8de287abc8ae0482b5ae825822bb870d6df9b56ca3" },
	{ KM_CURVE_P256, DST256, "q", "4be61ee205094282ba8a2042bcb48d88dfbb609301c49aa8b078533dc65a0b5d",
	  "98f8df449a072c4721d241a3b1236d3caccba603f916ca680f4539d2bfb3c29e" },
	{ KM_CURVE_P256, DST256, "a", "457ae2981f70ca85d8e24c308b14db22f3e3862c5ea0f652ca38b5e49cd64bc5",
	  "ecb9f0eadc9aeed232dabc53235368c1394c78de05dd96893eefa62b0f4757dc" },
#define DST384 "QUUX-V01-CS02-with-P384_XMD:SHA-384_SSWU_RO_"
	{ KM_CURVE_P384, DST384, "", "eb9fe1b4f4e14e7140803c1d99d0a93cd823d2b024040f9c067a8eca1f5a2eeac9ad604973527a356f3fa3aeff0e4d83",
	  "0c21708cff382b7f4643c07b105c2eaec2cead93a917d825601e63c8f21f6abd9abc22c93c2bed6f235954b25048bb1a" },
	{ KM_CURVE_P384, DST384, "abc", "e02fc1a5f44a7519419dd314e29863f30df55a514da2d655775a81d413003c4d4e7fd59af0826dfaad4200ac6f60abe1",
	  "01f638d04d98677d65bef99aef1a12a70a4cbb9270ec55248c04530d8bc1f8f90f8a6a859a7c1f1ddccedf8f96d675f6" },
	{ KM_CURVE_P384, DST384, "abcdef0123456789",
	  "bdecc1c1d870624965f19505be50459d363c71a699a496ab672f9a5d6b78676400926fbceee6fcd1780fe86e62b2aa89",
	  "57cf1f99b5ee00f3c201139b3bfe4dd30a653193778d89a0accc5e0f47e46e4e4b85a0595da29c9494c1814acafe183c" },
	{ KM_CURVE_P384, DST384, "q", "03c3a9f401b78c6c36a52f07eeee0ec1289f178adf78448f43a3850e0456f5dd7f7633dd31676d990eda32882ab486c0",
	  "cc183d0d7bdfd0a3af05f50e16a3f2de4abbc523215bf57c848d5ea662482b8c1f43dc453a93b94a8026db58f3f5d878" },
	{ KM_CURVE_P384, DST384, "a", "7b18d210b1f090ac701f65f606f6ca18fb8d081e3bc6cbd937c5604325f1cdea4c15c10a54ef303aabf2ea58bd9947a4",
	  "ea857285a33abb516732915c353c75c576bf82ccc96adb63c094dde580021eddeafd91f8c0bfee6f636528f3d0c47fd2" },
#define DST521 "QUUX-V01-CS02-with-P521_XMD:SHA-512_SSWU_RO_"
	{ KM_CURVE_P521, DST521, "",
	  "00fd767cebb2452030358d0e9cf907f525f50920c8f607889a6a35680727f64f4d66b161fafeb2654bea0d35086bec0a10b30b14adef3556ed9f7f1bc23cecc9c088",
	  "0169ba78d8d851e930680322596e39c78f4fe31b97e57629ef6460ddd68f8763fd7bd767a4e94a80d3d21a3c2ee98347e024fc73ee1c27166dc3fe5eeef782be411d" },
	{ KM_CURVE_P521, DST521, "abc",
	  "002f89a1677b28054b50d15e1f81ed6669b5a2158211118ebdef8a6efc77f8ccaa528f698214e4340155abc1fa08f8f613ef14a043717503d57e267d57155cf784a4",
	  "010e0be5dc8e753da8ce51091908b72396d3deed14ae166f66d8ebf0a4e7059ead169ea4bead0232e9b700dd380b316e9361cfdba55a08c73545563a80966ecbb86d" },
	{ KM_CURVE_P521, DST521, "abcdef0123456789",
	  "006e200e276a4a81760099677814d7f8794a4a5f3658442de63c18d2244dcc957c645e94cb0754f95fcf103b2aeaf94411847c24187b89fb7462ad3679066337cbc4",
	  "001dd8dfa9775b60b1614f6f169089d8140d4b3e4012949b52f98db2deff3e1d97bf73a1fa4d437d1dcdf39b6360cc518d8ebcc0f899018206fded7617b654f6b168" },
	{ KM_CURVE_P521, DST521, "q",
	  "01b264a630bd6555be537b000b99a06761a9325c53322b65bdc41bf196711f9708d58d34b3b90faf12640c27b91c70a507998e55940648caa8e71098bf2bc8d24664",
	  "01ea9f445bee198b3ee4c812dcf7b0f91e0881f0251aab272a12201fd89b1a95733fd2a699c162b639e9acdcc54fdc2f6536129b6beb0432be01aa8da02df5e59aaa" },
	{ KM_CURVE_P521, DST521, "a",
	  "00c12bc3e28db07b6b4d2a2b1167ab9e26fc2fa85c7b0498a17b0347edf52392856d7e28b8fa7a2dd004611159505835b687ecf1a764857e27e9745848c436ef3925",
	  "01cd287df9a50c22a9231beb452346720bb163344a41c5f5a24e8335b6ccc595fd436aea89737b1281aecb411eb835f0b939073fdd1dd4d5a2492e91ef4a3c55bcbd" },
};

static size_t message(char *out, const char *msg)
{
	size_t n = strlen(msg);

	memcpy(out, msg, n);
	if (!strcmp(msg, "q") || !strcmp(msg, "a")) {
		size_t times = *msg == 'q' ? 128 : 512;

		n = (size_t)sprintf(out, "%c%zu_", *msg, times);
		memset(out + n, *msg, times);
		n += times;
	}
	return n;
}

static void test_vectors(void **state)
{
	for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
		const struct km_curve *c = km_curve_by_id(vectors[i].curve);
		size_t size = km_curve_scalar_size(c), n;
		uint8_t out[1 + 2 * KM_SCALAR_MAX];
		struct km_point p;
		char msg[1024];

		n = message(msg, vectors[i].msg);
		assert_int_equal(km_hash_to_curve(c, &p, msg, n, vectors[i].dst, strlen(vectors[i].dst)), KM_OK);
		assert_int_equal(km_point_encode_uncompressed_var(c, out, &p), KM_OK);
		km_assert_hex(out + 1, size, vectors[i].x);
		km_assert_hex(out + 1 + size, size, vectors[i].y);
	}
}

/* Every result lies on the curve, and differs for other messages and other tags. */
static void test_on_curve(void **state)
{
	EC_EACH_CURVE(c) {
		uint8_t enc[64][KM_POINT_MAX];
		struct km_point p, again;

		for (uint8_t i = 0; i < 64; i++) {
			uint8_t msg[2] = { i / 2, 7 };

			assert_int_equal(km_hash_to_curve(c, &p, msg, 2, i & 1 ? "one" : "two", 3), KM_OK);
			assert_int_equal(km_point_encode_var(c, enc[i], &p), KM_OK);
			assert_int_equal(km_point_decode_var(c, &again, enc[i]), KM_OK);
			assert_true(km_point_equal_var(c, &p, &again));
			for (unsigned j = 0; j < i; j++)
				assert_memory_not_equal(enc[i], enc[j], km_curve_point_size(c));
		}
	}
}

static void test_limits(void **state)
{
	static const uint8_t bytes[KM_HASH2CURVE_MSG_MAX + 1];
	const struct km_curve *c = km_curve_p256();
	struct km_point p;

	assert_int_equal(km_hash_to_curve(c, &p, bytes, KM_HASH2CURVE_MSG_MAX, bytes, KM_HASH2CURVE_DST_MAX), KM_OK);
	assert_int_equal(km_hash_to_curve(c, &p, bytes, KM_HASH2CURVE_MSG_MAX + 1, "d", 1), KM_E_LIMIT);
	assert_int_equal(km_hash_to_curve(c, &p, bytes, 1, bytes, KM_HASH2CURVE_DST_MAX + 1), KM_E_LIMIT);
	assert_int_equal(km_hash_to_curve(c, &p, bytes, 1, bytes, 0), KM_E_LIMIT);
	assert_int_equal(km_hash_to_curve(c, &p, NULL, 0, "d", 1), KM_OK);
}

KM_TESTS(cmocka_unit_test(test_vectors), cmocka_unit_test(test_on_curve), cmocka_unit_test(test_limits))
