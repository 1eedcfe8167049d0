/* log.h: lines for people on standard error; with priorities where the journal reads them. Never a secret.
 *
 *	kmd_log(KM_LOG_NOTICE, "listening on %s", address);
 *	kmd_log_limited(KM_LOG_WARN, "refused %s", address);      at most a few a second from one place in the source
 */
#ifndef KMD_LOG_H
#define KMD_LOG_H

#include <stdarg.h>
#include <stdint.h>
#include "node/step.h"

/* A bucket of lines: burst at once, then one per second; says afterwards how many were left out. */
struct kmd_log_bucket {
	uint64_t since_ms;
	unsigned used, left_out;
};
#define KMD_LOG_BURST 10

/* name goes into each line; level is the highest (least important) that is written. */
void kmd_log_init(const char *name, enum km_log_level level);
enum km_log_level kmd_log_level(void);
/* "error", "warn", "notice", "info", "debug" -> level, 0 for none of them. */
unsigned kmd_log_level_by_name(const char *name);
void kmd_log(enum km_log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* 1 when a line may be written now. */
int kmd_log_bucket_take(struct kmd_log_bucket *b, uint64_t now_ms) KM_MUST;
void kmd_log_from_bucket(struct kmd_log_bucket *b, enum km_log_level level, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

#define kmd_log_limited(level, ...)                                                                                              \
	do {                                                                                                                     \
		static struct kmd_log_bucket bucket_;                                                                            \
		kmd_log_from_bucket(&bucket_, (level), __VA_ARGS__);                                                             \
	} while (0)

#endif
