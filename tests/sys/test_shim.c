/* test_shim.c: preloaded into keymeshd by system tests, changes what it is told by the system.
 *
 *	TEST_CLOCK_MS=N       the wall clock is N ms ahead (negative: behind)
 *	TEST_ZAP=refuse       the address of the access handler cannot be bound
 *	TEST_ZAP=open         it seems bound and is not: what a daemon without its access handler would let in
 */
#include "config.h"
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define ZAP_ADDRESS "inproc://zeromq.zap.01"

#define SEEN __attribute__((visibility("default")))

SEEN int zmq_bind(void *socket, const char *address);

SEEN int clock_gettime(clockid_t id, struct timespec *ts)
{
	const char *shift = getenv("TEST_CLOCK_MS");
	long ms = shift ? atol(shift) : 0;
	int ret = (int)syscall(SYS_clock_gettime, id, ts);

	if (ret == 0 && id == CLOCK_REALTIME)
		ts->tv_sec += ms / 1000;
	return ret;
}

int zmq_bind(void *socket, const char *address)
{
	int (*next)(void *, const char *);
	const char *mode = getenv("TEST_ZAP");

	if (mode && !strcmp(address, ZAP_ADDRESS)) {
		errno = EADDRINUSE;
		return strcmp(mode, "open") ? -1 : 0;
	}
	*(void **)&next = dlsym(RTLD_NEXT, "zmq_bind");
	return next(socket, address);
}
