/* fuzz.h: what a fuzz target is. Each target file gives a name, one function over bytes, and seeds that are known to be good.
 *
 * With --enable-fuzz (clang) a target is linked with libFuzzer; without, with replay.c, which runs in `make check`: every file of
 * corpus/<name>/ as it is, cut short, and with changes drawn from a fixed seed.
 *
 *	tests/fuzz/fuzz_<name> --write DIR      writes the seeds as DIR/ok-*: how the files in corpus/ were made */
#ifndef KM_FUZZ_H
#define KM_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "base/err.h"

extern const char fuzz_name[];
/* Changes to try for each seed: fewer for slow targets. */
extern const unsigned fuzz_rounds;
/* 1 when the bytes were accepted, 0 when they were refused. Everything else is a bug, found by KM_ASSERT or a sanitizer. */
int fuzz_one(const uint8_t *data, size_t size);

typedef void fuzz_emit_fn(void *ctx, const char *name, const uint8_t *data, size_t size);
/* Calls emit for every seed: inputs that fuzz_one accepts. */
void fuzz_seeds(fuzz_emit_fn *emit, void *ctx);

#endif
