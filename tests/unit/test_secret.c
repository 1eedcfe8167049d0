/* The arena, wiping and constant-time comparison. */
#include "tests/lib/test.h"
#include "tests/lib/die.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <gmp.h>
#include "base/buf.h"
#include "base/rng.h"
#include "base/secret.h"

/* AddressSanitizer replaces mlock by a function that does nothing and says it did. */
#if defined(__SANITIZE_ADDRESS__)
#define LOCKS_ARE_REAL 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define LOCKS_ARE_REAL 0
#endif
#endif
#ifndef LOCKS_ARE_REAL
#define LOCKS_ARE_REAL 1
#endif

/* cmocka's skip() comes out as "not ok # SKIP", which automake counts as a failure. */
#define NOT_CHECKED(why)                               \
	do {                                           \
		(void)printf("# not checked: %s\n", why); \
		return;                                \
	} while (0)

static int all_zero(const void *p, size_t n)
{
	const uint8_t *b = p;

	for (size_t i = 0; i < n; i++)
		if (b[i])
			return 0;
	return 1;
}

static void test_wipe(void **state)
{
	uint8_t b[67];

	(void)state;
	memset(b, 0xaa, sizeof(b));
	km_wipe(b + 1, sizeof(b) - 2);
	assert_true(all_zero(b + 1, sizeof(b) - 2));
	assert_int_equal(b[0], 0xaa);
	assert_int_equal(b[66], 0xaa);
	km_wipe(b, 0);
	km_wipe(NULL, 0);
	assert_int_equal(b[0], 0xaa);
}

static void test_equal(void **state)
{
	uint8_t a[33], b[33];

	(void)state;
	for (unsigned i = 0; i < sizeof(a); i++)
		a[i] = b[i] = (uint8_t)(i * 7);
	assert_int_equal(km_equal_ct(a, b, sizeof(a)), 1);
	assert_int_equal(km_equal_ct(a, b, 0), 1);
	for (unsigned bit = 0; bit < 8 * sizeof(a); bit++) {
		b[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_int_equal(km_equal_ct(a, b, sizeof(a)), 0);
		b[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
}

static void test_blocks_are_zero_and_wiped(void **state)
{
	static const size_t sizes[] = { 0, 1, 63, 64, 65, 200, 4095, 4096, 4097, 65536, 300001 };

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		uint8_t *p = km_secret_alloc(sizes[i]);

		assert_non_null(p);
		assert_int_equal((uintptr_t)p % 16, 0);
		assert_true(all_zero(p, sizes[i]));
		memset(p, 0xff, sizes[i]);
		km_secret_free(p);
		/* shared chunks stay mapped: the freed block can be looked at */
		if (sizes[i] <= 4096)
			assert_true(all_zero(p, sizes[i]));
	}
	assert_int_equal(km_secret_in_use(), 0);
	km_secret_free(NULL);
}

static void test_freed_blocks_are_used_again(void **state)
{
	void *p = km_secret_alloc(200), *q;

	(void)state;
	km_secret_free(p);
	q = km_secret_alloc(200);
	assert_ptr_equal(p, q);
	km_secret_free(q);
}

struct item {
	uint8_t *p;
	size_t n;
	uint8_t mark;
};

static void check_and_free(struct item *it)
{
	for (size_t i = 0; i < it->n; i++)
		assert_int_equal(it->p[i], it->mark);
	km_secret_free(it->p);
	it->p = NULL;
}

/* Blocks in any order of sizes and lives never overlap, and the count comes back to zero. */
static void test_random_use(void **state)
{
	static struct item items[400];
	struct km_rng rng;
	uint8_t seed[32] = { 1 };
	size_t asked = 0;

	(void)state;
	km_rng_init(&rng, seed, "test", NULL, 0);
	for (unsigned step = 0; step < 20000; step++) {
		struct item *it = &items[km_rng_below(&rng, 400)];

		if (it->p) {
			asked -= it->n;
			check_and_free(it);
		} else {
			it->n = (size_t)km_rng_below(&rng, step % 50 ? 700 : 40000);
			it->mark = (uint8_t)(1 + step % 250);
			it->p = km_secret_alloc(it->n);
			assert_non_null(it->p);
			assert_true(all_zero(it->p, it->n));
			memset(it->p, it->mark, it->n);
			asked += it->n;
		}
		assert_true(km_secret_in_use() >= asked);
	}
	for (unsigned i = 0; i < 400; i++)
		if (items[i].p)
			check_and_free(&items[i]);
	assert_int_equal(km_secret_in_use(), 0);
	assert_int_equal(km_secret_locked(), 1);
}

static void free_twice(void)
{
	void *p = km_secret_alloc(100);

	km_secret_free(p);
	km_secret_free(p);
}

static void free_large_twice(void)
{
	void *p = km_secret_alloc(100000);

	km_secret_free(p);
	km_secret_free(p);
}

static void free_foreign(void)
{
	char local[100];

	km_secret_free(local);
}

static void free_inside(void)
{
	uint8_t *p = km_secret_alloc(100);

	km_secret_free(p + 16);
}

static void test_wrong_frees_abort(void **state)
{
	(void)state;
	assert_int_equal(km_death_of(free_twice), SIGABRT);
	assert_int_equal(km_death_of(free_large_twice), SIGABRT);
	assert_int_equal(km_death_of(free_foreign), SIGABRT);
	assert_int_equal(km_death_of(free_inside), SIGABRT);
}

static void run_over(void)
{
	volatile uint8_t *p = km_secret_alloc(8192);

	p[8191] = 1;
	p[8192] = 1;
}

static void run_under(void)
{
	volatile uint8_t *p = km_secret_alloc(8192);

	p[0] = 1;
	*(p - 65536) = 1;
}

static void stay_inside(void)
{
	volatile uint8_t *p = km_secret_alloc(8192);

	p[0] = 1;
	p[8191] = 1;
}

static void test_guards(void **state)
{
	(void)state;
	assert_int_equal(km_death_of(stay_inside), 0);
	assert_int_equal(km_death_of(run_over), SIGSEGV);
	assert_int_equal(km_death_of(run_under), SIGSEGV);
}

/* The lines of smaps that describe the mapping of p; 0 when the kernel shows none. */
static int vm_flags(const void *p, char *out, size_t n)
{
	FILE *f = fopen("/proc/self/smaps", "r");
	char line[512];
	int inside = 0, found = 0;

	if (!f)
		return 0;
	while (fgets(line, sizeof(line), f)) {
		unsigned long from, to;

		if (sscanf(line, "%lx-%lx ", &from, &to) == 2)
			inside = (uintptr_t)p >= from && (uintptr_t)p < to;
		else if (inside && !strncmp(line, "VmFlags:", 8)) {
			(void)snprintf(out, n, "%s", line);
			found = 1;
		}
	}
	(void)fclose(f);
	return found;
}

static void test_kernel_flags(void **state)
{
	char flags[512];
	void *p[2] = { km_secret_alloc(100), km_secret_alloc(100000) };

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		if (!vm_flags(p[i], flags, sizeof(flags))) {
			for (unsigned k = i; k < 2; k++)
				km_secret_free(p[k]);
			NOT_CHECKED("the kernel shows no smaps");
		}
		assert_non_null(strstr(flags, " dd"));
		assert_non_null(strstr(flags, " wf"));
		if (LOCKS_ARE_REAL && km_secret_locked())
			assert_non_null(strstr(flags, " lo"));
		km_secret_free(p[i]);
	}
}

static uint8_t *inherited;

static void look_in_child(void)
{
	if (!all_zero(inherited, 100))
		abort();
}

static void test_wiped_on_fork(void **state)
{
	(void)state;
	inherited = km_secret_alloc(100);
	memset(inherited, 0x55, 100);
	assert_int_equal(km_death_of(look_in_child), 0);
	assert_int_equal(inherited[0], 0x55);
	km_secret_free(inherited);
}

static void no_lock_budget(void)
{
	struct rlimit none = { 0, 0 };
	void *p;

	/* root may lock beyond any limit */
	if (setrlimit(RLIMIT_MEMLOCK, &none) || (geteuid() == 0 && setuid(65534)))
		raise(SIGUSR2);
	p = km_secret_alloc(100000);
	if (!p || km_secret_locked())
		abort();
	km_secret_free(p);
	if (!km_secret_locked())
		abort();
}

static void test_without_lock_budget(void **state)
{
	int died;

	(void)state;
	if (!LOCKS_ARE_REAL)
		NOT_CHECKED("mlock is replaced by the sanitizer");
	died = km_death_of(no_lock_budget);
	if (died == SIGUSR2)
		NOT_CHECKED("this process may not give up its locking rights");
	assert_int_equal(died, 0);
}

static void test_absurd_size(void **state)
{
	(void)state;
	assert_null(km_secret_alloc(SIZE_MAX));
	assert_null(km_secret_alloc(SIZE_MAX / 4));
	assert_int_equal(km_secret_in_use(), 0);
}

static void *hammer(void *arg)
{
	uint8_t mark = *(uint8_t *)arg;
	uint8_t *p[16] = { NULL };
	uintptr_t bad = 0;

	for (unsigned i = 0; i < 20000; i++) {
		unsigned k = i * 7 % 16;
		size_t n = 1 + (i * 37) % 500;

		if (p[k]) {
			bad |= p[k][0] != mark;
			km_secret_free(p[k]);
		}
		p[k] = km_secret_alloc(n);
		bad |= !p[k] || !all_zero(p[k], n);
		if (!p[k])
			break;
		memset(p[k], mark, n);
	}
	for (unsigned k = 0; k < 16; k++)
		km_secret_free(p[k]);
	return (void *)bad;
}

static void test_threads(void **state)
{
	pthread_t t[4];
	uint8_t marks[4] = { 1, 2, 3, 4 };

	(void)state;
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&t[i], NULL, hammer, &marks[i]), 0);
	for (unsigned i = 0; i < 4; i++) {
		void *bad;

		assert_int_equal(pthread_join(t[i], &bad), 0);
		assert_null(bad);
	}
	assert_int_equal(km_secret_in_use(), 0);
}

/* Blocks small and large that one thread takes and another gives back, as the daemon's threads do. */
static uint8_t *passed_on[64];

static void *pass_on(void *arg)
{
	struct km_rng rng;
	uint8_t seed[32] = { *(uint8_t *)arg };
	uintptr_t bad = 0;

	km_rng_init(&rng, seed, "test", NULL, 0);
	for (unsigned i = 0; i < 8000 && !bad; i++) {
		size_t n = 1 + (size_t)km_rng_below(&rng, i % 40 ? 2000 : 20000);
		uint8_t *p = km_secret_alloc(n);

		bad |= !p || !all_zero(p, n);
		if (p)
			memset(p, 0x77, n);
		km_secret_free(__atomic_exchange_n(&passed_on[km_rng_below(&rng, 64)], p, __ATOMIC_ACQ_REL));
	}
	return (void *)bad;
}

static void test_passed_between_threads(void **state)
{
	pthread_t t[4];
	uint8_t marks[4] = { 1, 2, 3, 4 };

	(void)state;
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&t[i], NULL, pass_on, &marks[i]), 0);
	for (unsigned i = 0; i < 4; i++) {
		void *bad;

		assert_int_equal(pthread_join(t[i], &bad), 0);
		assert_null(bad);
	}
	for (unsigned i = 0; i < 64; i++)
		km_secret_free(passed_on[i]);
	assert_int_equal(km_secret_in_use(), 0);
}

/* The linker sends every free() of this program through here (--wrap), so a block can be looked at as it is given back. */
void __real_free(void *p);
void __wrap_free(void *p);

static const uint8_t *watched;
static size_t watched_size;
static int watched_was_zero;

void __wrap_free(void *p)
{
	if (p && p == watched) {
		watched_was_zero = all_zero(p, watched_size);
		watched = NULL;
	}
	__real_free(p);
}

static void watch(const void *p, size_t n)
{
	watched = p;
	watched_size = n;
	watched_was_zero = -1;
}

static void test_buffers_are_wiped(void **state)
{
	struct km_buf b;

	(void)state;
	km_buf_init(&b);
	memset(km_put_room(&b, 200), 0x66, 200);
	watch(b.data, 200);
	memset(km_put_room(&b, 2000), 0x66, 2000);
	assert_int_equal(watched_was_zero, 1);
	watch(b.data, b.len);
	km_buf_clear(&b);
	assert_int_equal(watched_was_zero, 1);
}

static void test_gmp_is_guarded(void **state)
{
	void *(*alloc)(size_t);
	void *(*re)(void *, size_t, size_t);
	void (*release)(void *, size_t);
	/* volatile: else the compiler drops a store before a free() it knows */
	void (*volatile plain_free)(void *) = free;
	uint8_t *p, *q;
	mpz_t a, b;

	(void)state;
	mp_get_memory_functions(&alloc, &re, &release);
	p = (uint8_t *)alloc;
	km_secret_guard_gmp();
	mp_get_memory_functions(&alloc, &re, &release);
	assert_ptr_not_equal(p, (uint8_t *)alloc);
	p = alloc(64);
	memset(p, 0x77, 64);
	watch(p, 64);
	q = re(p, 64, 1000);
	assert_int_equal(watched_was_zero, 1);
	for (unsigned i = 0; i < 64; i++)
		assert_int_equal(q[i], 0x77);
	q = re(q, 1000, 8);
	assert_int_equal(q[7], 0x77);
	watch(q, 8);
	release(q, 8);
	assert_int_equal(watched_was_zero, 1);
	/* the watch itself sees what is not wiped */
	p = malloc(8);
	assert_non_null(p);
	memset(p, 0x77, 8);
	watch(p, 8);
	plain_free(p);
	assert_int_equal(watched_was_zero, 0);
	release(NULL, 0);
	mpz_init_set_ui(a, 3);
	mpz_init(b);
	mpz_pow_ui(b, a, 5000);
	mpz_mod_ui(a, b, 1000);
	assert_int_equal(mpz_get_ui(a), 1);
	mpz_clears(a, b, NULL);
}

KM_TESTS(cmocka_unit_test(test_wipe), cmocka_unit_test(test_equal), cmocka_unit_test(test_blocks_are_zero_and_wiped),
	 cmocka_unit_test(test_freed_blocks_are_used_again), cmocka_unit_test(test_random_use),
	 cmocka_unit_test(test_wrong_frees_abort), cmocka_unit_test(test_guards), cmocka_unit_test(test_kernel_flags),
	 cmocka_unit_test(test_wiped_on_fork), cmocka_unit_test(test_without_lock_budget), cmocka_unit_test(test_absurd_size),
	 cmocka_unit_test(test_threads),
		cmocka_unit_test(test_passed_between_threads), cmocka_unit_test(test_buffers_are_wiped), cmocka_unit_test(test_gmp_is_guarded))
