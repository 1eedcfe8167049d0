/* main.c: runs the cases under valgrind and prints a line for each: "ok NAME", "leak NAME", "blind NAME" (the taint was lost
 * on the way) or "wrong NAME" (a value came out wrong). ctime.sh makes a test of each line.
 *
 *	ctime            all cases
 *	ctime control    the deliberate leaks
 *	ctime usable     nothing; exits with 1 and says why when it cannot tell anything */
#define _GNU_SOURCE
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <valgrind/memcheck.h>
#include "ctime.h"
#include "ec/scalar.h"

static struct km_rng public_rng;
static int lost, wrong;

struct km_rng *ctime_rng(void)
{
	return &public_rng;
}

void ctime_taint(const void *p, size_t n)
{
	km_taint(p, n);
}

void ctime_is_secret(const void *p, size_t n)
{
	const uint8_t *b = p;
	uint8_t seen = 0, bits;

	for (size_t i = 0; i < n; i++)
		if (VALGRIND_GET_VBITS(b + i, &bits, 1) == 1)
			seen |= bits;
	if (!seen)
		lost = 1;
}

void ctime_fail(void)
{
	wrong = 1;
}

void ctime_secret(const struct km_curve *c, struct km_secret *r, unsigned which)
{
	struct km_scalar v;

	km_scalar_set_u32(&v, which != 0);
	if (which == 2)
		km_scalar_neg(c, &v, &v);
	km_secret_from_public(r, &v);
	if (which > 2)
		km_secret_random(c, r, &public_rng);
	km_taint(r, sizeof(r->l[0]) * ((km_curve_bits(c) + 63) / 64));
}

void ctime_point(const struct km_curve *c, struct km_point *r)
{
	struct km_scalar k;
	uint8_t b[KM_SCALAR_MAX + 17];

	km_rng_bytes(&public_rng, b, km_curve_wide_size(c));
	km_scalar_reduce(c, &k, b, km_curve_wide_size(c));
	km_point_generator(c, r);
	km_point_mul_var(c, r, &k, r);
}

static void run_case(const struct ctime_case *t, const struct km_curve *c)
{
	unsigned before = VALGRIND_COUNT_ERRORS, errors;

	lost = wrong = 0;
	t->run(c);
	errors = VALGRIND_COUNT_ERRORS - before;
	printf("%s %s%s%s\n", errors ? "leak" : wrong ? "wrong" : lost ? "blind" : "ok", t->name, t->curves ? ", " : "",
	       t->curves ? km_curve_name(c) : "");
	fflush(stdout);
}

static void run_table(const struct ctime_case *table)
{
	for (const struct ctime_case *t = table; t->name; t++) {
		run_case(t, km_curve_p256());
		for (unsigned id = 2; t->curves && km_curve_by_id(id); id++)
			run_case(t, km_curve_by_id(id));
	}
}

/* Where each library lies, so that ctime.sh can find a reported address in its file. */
static int print_base(struct dl_phdr_info *info, size_t size, void *unused)
{
	(void)size;
	(void)unused;
	if (info->dlpi_name[0])
		printf("base 0x%lx %s\n", (unsigned long)info->dlpi_addr, info->dlpi_name);
	return 0;
}

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define __SANITIZE_ADDRESS__ 1
#endif
#endif

static const char *unusable(void)
{
#ifdef __SANITIZE_ADDRESS__
	return "AddressSanitizer and valgrind exclude each other";
#elif !defined(KM_CTIME)
	return "built without KM_CTIME";
#else
	return NULL;
#endif
}

int main(int argc, char **argv)
{
	static const uint8_t seed[KM_SEED_SIZE] = { 1 };
	const char *what = argc > 1 ? argv[1] : "all";

	if (unusable()) {
		printf("%s\n", unusable());
		return 1;
	}
	if (!strcmp(what, "usable"))
		return 0;
	if (!RUNNING_ON_VALGRIND) {
		printf("not running under valgrind\n");
		return 1;
	}
	km_rng_init(&public_rng, seed, "ctime", NULL, 0);
	dl_iterate_phdr(print_base, NULL);
	if (!strcmp(what, "control")) {
		run_table(ctime_control);
		return 0;
	}
	run_table(ctime_base);
	run_table(ctime_ec);
	run_table(ctime_zk);
	run_table(ctime_dkg);
	run_table(ctime_mesh);
	run_table(ctime_proto);
	return 0;
}
