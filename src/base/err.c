/* err.c: texts of the error codes, and the end of a program that broke its own promise. */
#include "config.h"
#include "base/err.h"

#include <stdlib.h>
#include <string.h>

const char *km_strerror(int err)
{
	switch (err) {
	case KM_OK:
		return "success";
#define KM_ERR_TEXT(name, code, text) \
	case name:                    \
		return text;
		KM_ERR_LIST(KM_ERR_TEXT)
#undef KM_ERR_TEXT
	}
	return "unknown error";
}

const char *km_errname(int err)
{
	switch (err) {
	case KM_OK:
		return "KM_OK";
#define KM_ERR_NAME(name, code, text) \
	case name:                    \
		return #name;
		KM_ERR_LIST(KM_ERR_NAME)
#undef KM_ERR_NAME
	}
	return "unknown";
}

char km_assert_message[KM_ASSERT_MESSAGE_SIZE];

static size_t append(size_t at, const char *s)
{
	size_t n = strlen(s), room = sizeof(km_assert_message) - 1 - at;

	if (n > room)
		n = room;
	memcpy(km_assert_message + at, s, n);
	return at + n;
}

/* WHY no stdio: the core has no output of its own; the daemon's SIGABRT handler prints the message. */
void km_assert_failed(const char *cond, const char *file, int line)
{
	char digits[16];
	size_t at, i = sizeof(digits) - 1;
	unsigned v = line > 0 ? (unsigned)line : 0;

	digits[i] = 0;
	do {
		digits[--i] = (char)('0' + v % 10);
		v /= 10;
	} while (v && i);
	at = append(0, file);
	at = append(at, ":");
	at = append(at, digits + i);
	at = append(at, ": broken promise: ");
	at = append(at, cond);
	km_assert_message[at] = 0;
	/* keeps the stores above in front of the abort */
	__asm__ __volatile__("" ::: "memory");
	abort();
}
