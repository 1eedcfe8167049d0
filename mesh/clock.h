/* clock.h: the clocks of the daemon, and the signs that the machine was suspended or restored. */
#ifndef KMD_CLOCK_H
#define KMD_CLOCK_H

#include <stdint.h>
#include "node/step.h"

uint64_t kmd_mono_us(void);
uint64_t kmd_wall_ms(void);
struct km_time kmd_now(void);

/* Watches the differences between clocks that only a suspend, a restore or a clock step changes. */
struct kmd_clock_watch {
	int64_t suspended_us; /* boottime - monotonic: grows by a suspend only */
	int64_t offset_us;    /* realtime - boottime: jumps when a restored machine's clock is set right */
	int started;
};
#define KMD_CLOCK_SUSPEND_US 1000000
#define KMD_CLOCK_STEP_US 10000000

/* Looks at given readings (microseconds). Returns NULL, or what happened since the last look, in words. Pure. */
const char *kmd_clock_watch_update(struct kmd_clock_watch *w, int64_t mono_us, int64_t boot_us, int64_t real_us);
const char *kmd_clock_watch_now(struct kmd_clock_watch *w);

#endif
