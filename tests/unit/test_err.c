/* Names and texts of the error codes; what a broken promise leaves behind. */
#include "tests/lib/test.h"
#include "tests/lib/die.h"
#include "base/err.h"

static const int codes[] = {
#define X(name, code, text) name,
	KM_ERR_LIST(X)
#undef X
};
#define COUNT (sizeof(codes) / sizeof(codes[0]))

static void test_codes_are_negative_and_distinct(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT; i++) {
		assert_true(codes[i] < 0);
		for (size_t j = 0; j < i; j++) {
			assert_int_not_equal(codes[i], codes[j]);
			assert_string_not_equal(km_strerror(codes[i]), km_strerror(codes[j]));
			assert_string_not_equal(km_errname(codes[i]), km_errname(codes[j]));
		}
	}
}

static void test_texts(void **state)
{
	(void)state;
	assert_string_equal(km_errname(KM_E_RANGE), "KM_E_RANGE");
	assert_string_equal(km_strerror(KM_E_RANGE), "value out of range");
	assert_string_equal(km_errname(KM_OK), "KM_OK");
	assert_string_equal(km_strerror(KM_OK), "success");
}

static void test_unknown_codes(void **state)
{
	static const int unknown[] = { 1, 1000, -1000, INT32_MAX, INT32_MIN };

	(void)state;
	for (size_t i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++) {
		assert_string_equal(km_strerror(unknown[i]), "unknown error");
		assert_string_equal(km_errname(unknown[i]), "unknown");
	}
}

/* What the handler saw is told by the signal it ends with. */
static void on_abort(int sig)
{
	int good = strstr(km_assert_message, "test_err.c:") && strstr(km_assert_message, "broken promise: 1 + 1 == 3");

	(void)sig;
	(void)signal(SIGABRT, SIG_DFL);
	(void)raise(good ? SIGUSR1 : SIGUSR2);
}

static void break_promise(void)
{
	(void)signal(SIGABRT, on_abort);
	KM_ASSERT(1 + 1 == 3);
}

static void keep_promise(void)
{
	KM_ASSERT(1 + 1 == 2);
}

static void test_assert_aborts_with_a_message(void **state)
{
	(void)state;
	assert_int_equal(km_death_of(break_promise), SIGUSR1);
}

static void test_assert_holds(void **state)
{
	(void)state;
	assert_int_equal(km_death_of(keep_promise), 0);
	assert_int_equal(km_assert_message[0], 0);
}

static void long_promise(void)
{
	char text[4096];

	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = 0;
	km_assert_failed(text, text, 2147483647);
}

static void test_long_message_is_cut(void **state)
{
	(void)state;
	assert_int_equal(km_death_of(long_promise), SIGABRT);
}

KM_TESTS(cmocka_unit_test(test_codes_are_negative_and_distinct), cmocka_unit_test(test_texts), cmocka_unit_test(test_unknown_codes),
	 cmocka_unit_test(test_assert_aborts_with_a_message), cmocka_unit_test(test_assert_holds),
	 cmocka_unit_test(test_long_message_is_cut))
