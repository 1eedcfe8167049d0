/* notify.h: tells systemd how the service is (sd_notify), and nothing when it was not started by systemd. */
#ifndef KMD_NOTIFY_H
#define KMD_NOTIFY_H

#include <stdint.h>

/* One or more "NAME=value" lines, such as "READY=1\nSTATUS=serving". */
void kmd_notify(const char *lines);
/* Microseconds between two "WATCHDOG=1", 0 when there is no watchdog. */
uint64_t kmd_notify_watchdog_us(void);

#endif
