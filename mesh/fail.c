/* fail.c: see fail.h. */
#include "config.h"
#include "mesh/fail.h"

#include <stdarg.h>
#include <stdio.h>

int kmd_fail(struct kmd_fail *f, int err, const char *fmt, ...)
{
	va_list ap;

	if (f) {
		va_start(ap, fmt);
		vsnprintf(f->text, sizeof(f->text), fmt, ap);
		va_end(ap);
	}
	return err;
}
