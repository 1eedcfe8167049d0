/* clock.c: see clock.h. */
#include "config.h"
#include "mesh/clock.h"

#include <stdlib.h>
#include <time.h>

static int64_t read_us(clockid_t id)
{
	struct timespec ts;

	if (clock_gettime(id, &ts))
		abort();
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

uint64_t kmd_mono_us(void)
{
	return (uint64_t)read_us(CLOCK_MONOTONIC);
}

uint64_t kmd_wall_ms(void)
{
	return (uint64_t)(read_us(CLOCK_REALTIME) / 1000);
}

struct km_time kmd_now(void)
{
	struct km_time now = {.mono_us = kmd_mono_us(), .wall_ms = kmd_wall_ms()};

	return now;
}

static int far(int64_t a, int64_t b, int64_t bound)
{
	return a - b > bound || b - a > bound;
}

const char *kmd_clock_watch_update(struct kmd_clock_watch *w, int64_t mono_us, int64_t boot_us, int64_t real_us)
{
	int64_t suspended = boot_us - mono_us, offset = real_us - boot_us;
	const char *what = NULL;

	if (w->started && far(suspended, w->suspended_us, KMD_CLOCK_SUSPEND_US))
		what = "the machine was suspended";
	else if (w->started && far(offset, w->offset_us, KMD_CLOCK_STEP_US))
		what = "the clock was set by more than 10 s: the machine may be a restored or cloned one";
	/* WHY the offset follows: a clock that is slewed for days must not add up to a step. */
	w->suspended_us = suspended;
	w->offset_us = offset;
	w->started = 1;
	return what;
}

const char *kmd_clock_watch_now(struct kmd_clock_watch *w)
{
	int64_t mono, boot, real;
	unsigned tries = 0;

	/* WHY again: put off the core between two of them, we would see a step that was none. */
	do {
		mono = read_us(CLOCK_MONOTONIC);
		boot = read_us(CLOCK_BOOTTIME);
		real = read_us(CLOCK_REALTIME);
	} while (read_us(CLOCK_MONOTONIC) - mono > KMD_CLOCK_SUSPEND_US / 10 && ++tries < 10);
	return kmd_clock_watch_update(w, mono, boot, real);
}
