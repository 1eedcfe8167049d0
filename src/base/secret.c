/* secret.c: wiping, comparing, taint marks, and GMP's scratch memory. The arena is in arena.c. */
#include "config.h"
#include "base/secret.h"

#include <stdlib.h>
#include <string.h>
#include <gmp.h>
#ifdef KM_CTIME
#include <valgrind/memcheck.h>
#endif

void km_wipe(void *p, size_t n)
{
	if (!n)
		return;
	memset(p, 0, n);
	/* the compiler must believe that somebody reads the zeros */
	__asm__ __volatile__("" : : "r"(p) : "memory");
#ifdef KM_CTIME
	(void)VALGRIND_MAKE_MEM_UNDEFINED(p, n);
#endif
}

__attribute__((noinline)) void km_wipe_stack(void)
{
	uint8_t below[KM_STACK_WIPED];

	km_wipe(below, sizeof(below));
}

int km_equal_ct(const void *a, const void *b, size_t n)
{
	const volatile uint8_t *x = a, *y = b;
	uint32_t d = 0;

	for (size_t i = 0; i < n; i++)
		d |= (uint32_t)(x[i] ^ y[i]);
	return (int)((d - 1) >> 31);
}

void km_taint(const void *p, size_t n)
{
#ifdef KM_CTIME
	(void)VALGRIND_MAKE_MEM_UNDEFINED(p, n);
#else
	(void)p;
	(void)n;
#endif
}

void km_declassify(const void *p, size_t n)
{
#ifdef KM_CTIME
	(void)VALGRIND_MAKE_MEM_DEFINED(p, n);
#else
	(void)p;
	(void)n;
#endif
}

static void *guarded_alloc(size_t n)
{
	void *p = malloc(n ? n : 1);

	/* GMP knows no failed allocation */
	KM_ASSERT(p);
	return p;
}

static void guarded_free(void *p, size_t n)
{
	if (!p)
		return;
	km_wipe(p, n);
	free(p);
}

static void *guarded_realloc(void *p, size_t old, size_t n)
{
	void *q = guarded_alloc(n);

	if (p) {
		memcpy(q, p, old < n ? old : n);
		guarded_free(p, old);
	}
	return q;
}

void km_secret_guard_gmp(void)
{
	mp_set_memory_functions(guarded_alloc, guarded_realloc, guarded_free);
}
