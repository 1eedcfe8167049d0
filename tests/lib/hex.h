/* hex.h: bytes written as hexadecimal text, for test vectors. */
#ifndef KM_TEST_HEX_H
#define KM_TEST_HEX_H

#include "test.h"

static inline uint8_t km_hex_digit(char c)
{
	const char *digits = "0123456789abcdef", *at = c ? strchr(digits, c) : NULL;

	assert_non_null(at);
	return (uint8_t)(at - digits);
}

/* hex must hold exactly n bytes. */
static inline void km_unhex(uint8_t *out, size_t n, const char *hex)
{
	assert_int_equal(strlen(hex), 2 * n);
	for (size_t i = 0; i < n; i++)
		out[i] = (uint8_t)(km_hex_digit(hex[2 * i]) << 4 | km_hex_digit(hex[2 * i + 1]));
}

static inline void km_assert_hex(const void *p, size_t n, const char *hex)
{
	const uint8_t *b = p;

	assert_int_equal(strlen(hex), 2 * n);
	for (size_t i = 0; i < n; i++)
		if (b[i] != (km_hex_digit(hex[2 * i]) << 4 | km_hex_digit(hex[2 * i + 1])))
			fail_msg("byte %zu of %zu is %02x, expected %s", i, n, b[i], hex);
}

#endif
