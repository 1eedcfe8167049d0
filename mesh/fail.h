/* fail.h: an error with a sentence for the operator: what is wrong and what to do about it. */
#ifndef KMD_FAIL_H
#define KMD_FAIL_H

#include "base/err.h"

struct kmd_fail {
	char text[600];
};

/* Fills f (may be NULL) and returns err. */
int kmd_fail(struct kmd_fail *f, int err, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

#endif
