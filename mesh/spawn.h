/* spawn.h: runs a program of the operator's and takes what it says: no shell, bounded in time and size. */
#ifndef KMD_SPAWN_H
#define KMD_SPAWN_H

#include <stddef.h>
#include <stdint.h>
#include "mesh/fail.h"

struct kmd_spawn {
	const char *const *argv; /* NULL at the end; argv[0] with a slash is taken as it is, else it is looked for in $PATH */
	const void *in;		 /* its standard input */
	size_t in_len;
	size_t max;		 /* bytes of its standard output at most */
	unsigned timeout_s;
};

/* Runs it and waits for its end; SIGPIPE must be ignored. out: its standard output, in the secret arena, a zero byte after it; the caller's (km_secret_free).
 * KM_E_NOTFOUND: no such program; KM_E_DEADLINE, KM_E_LIMIT; KM_E_IO: it failed, f has its exit status and the last of what it said
 * on standard error. */
int kmd_spawn(const struct kmd_spawn *s, uint8_t **out, size_t *len, struct kmd_fail *f) KM_MUST;

#endif
