/* sched.c: see sched.h.
 *
 * WHY slices and not niceness alone: since Linux 6.6 the thread that runs keeps the core for its slice (some 3 ms) also when one
 * that is far less nice wakes up, and a request wakes a dozen threads one after another. So background threads say that they need
 * but a short slice, and then give way to every thread that wakes, to those of the TLS servers too (since 6.12; kernels
 * before 6.6 let the less nice thread run at once, and ignore the slice). */
#include "config.h"
#include "mesh/sched.h"

#include <sched.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#define SLICE_NS 100000u /* the shortest there is */

/* The first version of what the kernel calls struct sched_attr; glibc 2.36 has neither it nor the call. */
struct attributes {
	uint32_t size, policy;
	uint64_t flags;
	int32_t nice_value;
	uint32_t priority;
	uint64_t slice_ns, deadline_ns, period_ns;
};

static int set(int policy, int nice_value)
{
	struct attributes a = {.size = sizeof(a), .policy = (uint32_t)policy, .nice_value = nice_value, .slice_ns = SLICE_NS};

	return (int)syscall(SYS_sched_setattr, 0, &a, 0);
}

void kmd_sched_prompt(void)
{
	/* Who was put into a class of its own by the operator stays there. */
	if (sched_getscheduler(0) == SCHED_OTHER)
		(void)set(SCHED_OTHER, getpriority(PRIO_PROCESS, 0));
}

void kmd_sched_background(unsigned nice_value)
{
	struct sched_param param = {.sched_priority = 0};

	if (!set(SCHED_BATCH, (int)nice_value))
		return;
	/* A filter of system calls may know only the old ones. */
	(void)sched_setscheduler(0, SCHED_BATCH, &param);
	/* On Linux this is the thread's own. */
	(void)setpriority(PRIO_PROCESS, (id_t)gettid(), (int)nice_value);
}
