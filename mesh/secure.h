/* secure.h: what a process that holds shares gives up before it reads them. */
#ifndef KMD_SECURE_H
#define KMD_SECURE_H

#include "mesh/fail.h"

/* No core dumps, no ptrace, no new privileges, umask 077, the lock limit as high as it may be, wiping allocators. Call first in
 * main. */
int kmd_secure_process(struct kmd_fail *f) KM_MUST;

#endif
