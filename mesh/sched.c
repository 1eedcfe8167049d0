/* sched.c: see sched.h.
 *
 * WHY niceness is not enough: since Linux 6.6 a thread that wakes and has had a little more than its share must wait, even behind
 * one that is far less nice, until the scheduler looks again: at the next tick, some 4 ms later. A request wakes a dozen threads
 * one after another. So background threads ask for short slices (since 6.12), and while they work a timer makes them offer
 * the core four times in a millisecond; that costs them some five parts in a hundred. Kernels before 6.6 let the less nice thread
 * run at once; there it changes nothing. */
#include "config.h"
#include "mesh/sched.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define SLICE_NS 100000u /* the shortest there is */
#define OFFER_NS 250000
#define OFFER_SIGNAL SIGVTALRM

static _Thread_local timer_t offer_timer;
static _Thread_local int have_timer;

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

static void offer(int sig)
{
	int e = errno;

	(void)sched_yield();
	errno = e;
}

/* A signal of this thread's own; all others stay blocked as they are. Without a timer it gives way as the kernel sees fit. */
static void make_timer(void)
{
	struct sigaction sa = {.sa_handler = offer, .sa_flags = SA_RESTART};
	struct sigevent ev = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = OFFER_SIGNAL};
	sigset_t set;

	ev._sigev_un._tid = gettid(); /* glibc 2.36 has no other name for it */
	sigemptyset(&set);
	sigaddset(&set, OFFER_SIGNAL);
	have_timer = !sigaction(OFFER_SIGNAL, &sa, NULL) && !pthread_sigmask(SIG_UNBLOCK, &set, NULL) &&
		     !timer_create(CLOCK_MONOTONIC, &ev, &offer_timer);
}

static void set_timer(long every_ns)
{
	struct itimerspec t = {.it_interval.tv_nsec = every_ns, .it_value.tv_nsec = every_ns};

	if (have_timer)
		(void)timer_settime(offer_timer, 0, &t, NULL);
}

void kmd_sched_background(unsigned nice_value)
{
	struct sched_param param = {.sched_priority = 0};

	make_timer();
	if (!set(SCHED_BATCH, (int)nice_value))
		return;
	/* A filter of system calls may know only the old ones. */
	(void)sched_setscheduler(0, SCHED_BATCH, &param);
	/* On Linux this is the thread's own. */
	(void)setpriority(PRIO_PROCESS, (id_t)gettid(), (int)nice_value);
}

void kmd_sched_background_end(void)
{
	if (have_timer)
		(void)timer_delete(offer_timer);
	have_timer = 0;
}

void kmd_sched_work_begin(void)
{
	set_timer(OFFER_NS);
}

void kmd_sched_work_end(void)
{
	set_timer(0);
}
