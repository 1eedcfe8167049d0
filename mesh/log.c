/* log.c: see log.h. */
#include "config.h"
#include "mesh/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include "mesh/clock.h"

static char log_name[KM_MAX_NAME + 1] = "keymeshd";
static enum km_log_level log_max = KM_LOG_NOTICE;
static int log_journal;

static const struct {
	const char *name;
	enum km_log_level level;
} levels[] = {
    {"error", KM_LOG_ERROR}, {"warn", KM_LOG_WARN}, {"notice", KM_LOG_NOTICE}, {"info", KM_LOG_INFO}, {"debug", KM_LOG_DEBUG},
};
#define N_LEVELS (sizeof(levels) / sizeof(levels[0]))

unsigned kmd_log_level_by_name(const char *name)
{
	size_t i;

	for (i = 0; i < N_LEVELS; i++)
		if (!strcmp(name, levels[i].name))
			return levels[i].level;
	return 0;
}

static const char *level_name(enum km_log_level level)
{
	size_t i;

	for (i = 0; i < N_LEVELS; i++)
		if (levels[i].level == level)
			return levels[i].name;
	return "?";
}

/* JOURNAL_STREAM is "device:inode" of the stream that the journal reads; anything else on stderr is a person. */
static int stderr_is_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	char own[64];
	struct stat st;

	if (!stream || fstat(STDERR_FILENO, &st))
		return 0;
	snprintf(own, sizeof(own), "%llu:%llu", (unsigned long long)st.st_dev, (unsigned long long)st.st_ino);
	return !strcmp(own, stream);
}

void kmd_log_init(const char *name, enum km_log_level level)
{
	snprintf(log_name, sizeof(log_name), "%s", name);
	log_max = level;
	log_journal = stderr_is_journal();
}

enum km_log_level kmd_log_level(void)
{
	return log_max;
}

static size_t put_prefix(char *line, size_t size, enum km_log_level level)
{
	uint64_t wall = kmd_wall_ms();
	time_t s = (time_t)(wall / 1000);
	struct tm tm;
	int n;

	if (log_journal) {
		n = snprintf(line, size, "<%d>", (int)level);
	} else {
		gmtime_r(&s, &tm);
		n = snprintf(line, size, "%04d-%02d-%02dT%02d:%02d:%02d.%03uZ %s %-6s ", tm.tm_year + 1900, tm.tm_mon + 1,
			     tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, (unsigned)(wall % 1000), log_name, level_name(level));
	}
	return n > 0 ? (size_t)n : 0;
}

static void log_line(enum km_log_level level, const char *fmt, va_list ap)
{
	char line[1024];
	size_t i, start, n;
	int m;

	if (level > log_max)
		return;
	n = start = put_prefix(line, sizeof(line), level);
	m = vsnprintf(line + n, sizeof(line) - n - 1, fmt, ap);
	if (m < 0)
		return;
	n += (size_t)m;
	if (n > sizeof(line) - 2)
		n = sizeof(line) - 2;
	/* WHY: names and texts of others come by here; a line must stay one line and print nothing to a terminal. */
	for (i = start; i < n; i++)
		if ((unsigned char)line[i] < 0x20 || (unsigned char)line[i] >= 0x7f)
			line[i] = '?';
	line[n++] = '\n';
	/* One write, so that lines of threads do not mix. Nobody can be told when it fails. */
	if (write(STDERR_FILENO, line, n) < 0)
		return;
}

void kmd_log(enum km_log_level level, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_line(level, fmt, ap);
	va_end(ap);
}

int kmd_log_bucket_take(struct kmd_log_bucket *b, uint64_t now_ms)
{
	uint64_t refill = (now_ms - b->since_ms) / 1000;

	if (refill) {
		b->used = refill >= b->used ? 0 : b->used - (unsigned)refill;
		b->since_ms = now_ms;
	}
	if (b->used < KMD_LOG_BURST) {
		b->used++;
		return 1;
	}
	b->left_out++;
	return 0;
}

void kmd_log_from_bucket(struct kmd_log_bucket *b, enum km_log_level level, const char *fmt, ...)
{
	va_list ap;

	if (level > log_max || !kmd_log_bucket_take(b, kmd_mono_us() / 1000))
		return;
	if (b->left_out) {
		kmd_log(level, "(%u lines like the next were left out)", b->left_out);
		b->left_out = 0;
	}
	va_start(ap, fmt);
	log_line(level, fmt, ap);
	va_end(ap);
}
