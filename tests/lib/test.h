/* test.h: what every unit test program includes: cmocka, speaking TAP.
 *
 *	static void test_zero(void **state) { (void)state; assert_int_equal(f(0), 0); }
 *	KM_TESTS(cmocka_unit_test(test_zero))        the program's main
 *
 * With KM_TEST_CASE=test_zero in the environment a program runs that case alone.
 */
#ifndef KM_TEST_H
#define KM_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

__attribute__((constructor)) static void km_test_case(void)
{
	const char *only = getenv("KM_TEST_CASE");

	if (only)
		cmocka_set_test_filter(only);
}

#define KM_TESTS(...)                                                      \
	int main(void)                                                     \
	{                                                                  \
		const struct CMUnitTest tests[] = { __VA_ARGS__ };         \
		cmocka_set_message_output(CM_OUTPUT_TAP);                  \
		return cmocka_run_group_tests(tests, NULL, NULL);          \
	}

#endif
