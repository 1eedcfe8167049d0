/* ctime.h: the constant-time tests. Secrets are marked undefined for valgrind's memcheck, which then reports every
 * branch and every address that depends on one.
 *
 * One file per layer of src holds its cases in a table that ends with a NULL name; main.c runs them all. To add a case:
 * write a function, taint its inputs (ctime_taint, ctime_secret), call what is to be tested, say with ctime_is_secret which
 * outputs must still be secret afterwards (so that a test whose taint was lost fails), and put it into the table. */
#ifndef KM_TESTS_CTIME_H
#define KM_TESTS_CTIME_H

#include <stddef.h>
#include <stdint.h>
#include "base/rng.h"
#include "base/secret.h"
#include "ec/point.h"

struct ctime_case {
	const char *name;
	void (*run)(const struct km_curve *c);
	int curves;   /* 0: run once, 1: run for every curve */
};

extern const struct ctime_case ctime_base[], ctime_ec[], ctime_zk[], ctime_proto[], ctime_dkg[], ctime_mesh[];
/* Deliberate leaks: each must be reported. */
extern const struct ctime_case ctime_control[];

/* Public randomness, the same in every run. */
struct km_rng *ctime_rng(void);
void ctime_taint(const void *p, size_t n);
/* The case fails unless some bit of p[0..n-1] is secret. */
void ctime_is_secret(const void *p, size_t n);
/* The case fails: a value came out wrong. */
void ctime_fail(void);
/* A secret scalar: which = 0 is zero, 1 is one, 2 is q-1, others are random. */
#define CTIME_SECRETS 5
void ctime_secret(const struct km_curve *c, struct km_secret *r, unsigned which);
/* A public random point, not affine. */
void ctime_point(const struct km_curve *c, struct km_point *r);

#endif
