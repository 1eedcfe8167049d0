/* keymesh_audit.c: keymesh-audit: follows the logs of all peers (directories that are synced from them), holds them against each other
 * and against their checkpoints, and says what is wrong. It needs the roster and no secret, and runs best where no peer does. */
#include "config.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "audit/monitor.h"
#include "mesh/audit_read.h"
#include "mesh/clock.h"
#include "mesh/files.h"
#include "mesh/log.h"
#include "mesh/roster.h"

enum { GOOD = 0, ALERTS = 1, FAILED = 3, USAGE = 64 };

struct followed {
	const char *dir;
	struct kmd_audit_reader r;
	int open, any;
	uint64_t fed;		   /* entries given to the monitor: a log that is read again is not new */
	struct km_checkpoint seen; /* the last good one: size 0, none */
	char said[600];		   /* what is wrong with this log now; "" = nothing */
};

struct service {
	struct km_roster roster;
	struct km_monitor_params params;
	struct km_monitor *monitor;
	struct followed log[KM_MAX_PEERS + 1];
	const char *state;
	int state_fd;
	unsigned interval_s;
	uint64_t alerts;
	unsigned feeding;
};

/* ---- alerts: one line each */

static void alert(struct service *s, const char *kind, unsigned peer, const char *fmt, ...) __attribute__((format(printf, 4, 5)));

static void alert(struct service *s, const char *kind, unsigned peer, const char *fmt, ...)
{
	char text[1000];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	s->alerts++;
	if (peer)
		kmd_log(KM_LOG_ERROR, "ALERT %s peer=%u (%s) %s", kind, peer, s->roster.peer[peer].name, text);
	else
		kmd_log(KM_LOG_ERROR, "ALERT %s %s", kind, text);
}

static void on_alert(void *ctx, const struct km_alert *a)
{
	char presig[2 * KM_HASH_SIZE + 1], key[2 * KM_HASH_SIZE + 1], when[40] = "?";
	time_t t = (time_t)(a->time_ms / 1000);
	struct tm tm;

	kmd_hex_encode(presig, a->presig_id, KM_HASH_SIZE);
	kmd_hex_encode(key, a->key_id, KM_HASH_SIZE);
	if (gmtime_r(&t, &tm))
		(void)!strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%SZ", &tm);
	alert(ctx, km_alert_name(a->kind), a->peer, "at %s, count %llu, presignature %s, key %s", when, (unsigned long long)a->count, presig, key);
}

/* A log is wrong in one way until it is wrong in another. */
static void wrong(struct service *s, unsigned id, const char *kind, const char *text)
{
	struct followed *l = &s->log[id];

	if (strcmp(l->said, text)) {
		snprintf(l->said, sizeof(l->said), "%s", text);
		alert(s, kind, id, "%s", text);
	}
}

/* ---- one log */

static int feed(void *ctx, uint64_t seq, const uint8_t *entry, size_t len, const uint8_t leaf[KM_HASH_SIZE])
{
	struct service *s = ctx;
	struct km_audit_entry e;
	struct followed *l = &s->log[s->feeding];
	int err;

	if (seq < l->fed)
		return KM_OK;
	l->fed = seq + 1;
	err = km_audit_decode(&e, entry, len);
	if (!l->any++ && seq)
		km_monitor_begins(s->monitor, s->feeding, e.time_ms);
	/* kinds of a later version are chained all the same */
	return err == KM_E_VERSION ? KM_OK : err ? err : km_monitor_entry(s->monitor, s->feeding, &e);
}

static void state_name(const struct service *s, unsigned id, char out[KM_MAX_NAME + 20])
{
	snprintf(out, KM_MAX_NAME + 20, "%s.checkpoint", s->roster.peer[id].name);
}

/* What this service saw of the log before its last start. */
static void load_seen(struct service *s, unsigned id)
{
	char name[KM_MAX_NAME + 20];
	struct km_note note;
	struct kmd_fail f;
	uint8_t *data;
	size_t len;

	state_name(s, id, name);
	if (s->state_fd < 0 || kmd_audit_slurp(s->state_fd, name, &data, &len, &f))
		return;
	if (km_checkpoint_open(&s->log[id].seen, &note, data, len, s->roster.peer[id].identity))
		kmd_log(KM_LOG_WARN, "%s/%s is not a checkpoint of %s; it is begun anew", s->state, name, s->roster.peer[id].name);
	free(data);
}

static void save_seen(struct service *s, unsigned id, const char *note, size_t len)
{
	char name[KM_MAX_NAME + 20];
	struct kmd_fail f;

	state_name(s, id, name);
	if (s->state_fd >= 0 && kmd_file_replace(s->state_fd, name, note, len, &f))
		kmd_log(KM_LOG_ERROR, "%s: %s", s->state, f.text);
}

/* What was seen of the log once is still its beginning. */
static int still_goes_on(struct service *s, unsigned id)
{
	struct followed *l = &s->log[id];
	uint8_t root[KM_HASH_SIZE];
	struct km_tree t;
	char text[200];

	if (!l->seen.size)
		return 1;
	if (l->r.chain.seq < l->seen.size) {
		snprintf(text, sizeof(text), "has %llu entries, and a checkpoint of %llu was seen: it was cut, or its copy is old",
			 (unsigned long long)l->r.chain.seq, (unsigned long long)l->seen.size);
		wrong(s, id, "fork", text);
		return 0;
	}
	int err = km_tree_at(&t, kmd_audit_view_look, &l->r.view, l->seen.size);
	km_tree_root(&t, root);
	if (err == KM_E_NOTFOUND)
		return 1;
	if (!err && memcmp(root, l->seen.root, KM_HASH_SIZE) == 0)
		return 1;
	snprintf(text, sizeof(text), "its first %llu entries are not those of a checkpoint that it signed: the log was changed or forked",
		 (unsigned long long)l->seen.size);
	wrong(s, id, "fork", text);
	return 0;
}

static void check_checkpoint(struct service *s, unsigned id)
{
	struct followed *l = &s->log[id];
	char text[KM_NOTE_MAX];
	struct km_checkpoint c;
	struct kmd_fail f;
	size_t len;
	int err = kmd_audit_reader_checkpoint(&l->r, s->roster.peer[id].identity, &c, text, &len, &f);

	if (err == KM_E_NOTFOUND)
		return;
	/* a copy in the making: entries follow; for too long it is a cut */
	if (err == KM_E_STALE && c.size > l->seen.size) {
		struct kmd_fail again;

		s->feeding = id;
		if (!kmd_audit_reader_go(&l->r, feed, s, &again))
			err = kmd_audit_reader_checkpoint(&l->r, s->roster.peer[id].identity, &c, text, &len, &f);
	}
	if (err) {
		wrong(s, id, err == KM_E_STALE ? "cut" : "fork", f.text);
	} else if (c.size < l->seen.size) {
		wrong(s, id, "fork", "its checkpoint covers less than one before: it was restored from a copy");
	} else {
		if (c.size > l->seen.size) {
			l->seen = c;
			save_seen(s, id, text, len);
		}
		l->said[0] = 0;
	}
}

static void follow(struct service *s, unsigned id, uint64_t now_ms)
{
	struct followed *l = &s->log[id];
	struct kmd_fail f = {""};
	int err = l->open ? KM_OK : kmd_audit_reader_open(&l->r, l->dir, &f);

	if (!err)
		l->open = 1;
	s->feeding = id;
	if (!err)
		err = kmd_audit_reader_go(&l->r, feed, s, &f);
	if (err) {
		/* read from its beginning the next time: it may be a copy that was half made */
		if (l->open)
			kmd_audit_reader_close(&l->r);
		l->open = 0;
		wrong(s, id, err == KM_E_IO || err == KM_E_NOTFOUND ? "unreadable" : "changed", f.text);
		return;
	}
	km_monitor_at_end(s->monitor, id, now_ms);
	if (still_goes_on(s, id))
		check_checkpoint(s, id);
}

/* ---- the whole */

static void round_of(struct service *s)
{
	uint64_t now = kmd_wall_ms();

	for (unsigned id = 1; id <= KM_MAX_PEERS; id++)
		if (s->log[id].dir)
			follow(s, id, now);
	km_monitor_tick(s->monitor, now);
}

static void summary(struct service *s)
{
	struct km_monitor_counts c;

	km_monitor_counts(s->monitor, &c);
	kmd_log(KM_LOG_NOTICE, "%llu entries: %llu signatures in the logs of all their members, %llu attempts without, %llu entries missing, %llu open",
		(unsigned long long)c.entries, (unsigned long long)c.complete, (unsigned long long)c.aborted, (unsigned long long)c.missing,
		(unsigned long long)c.open);
}

/* Until SIGTERM or SIGINT; SIGHUP: a summary. */
static void serve(struct service *s, const sigset_t *signals)
{
	const struct timespec wait = {.tv_sec = s->interval_s};
	int sig = 0;

	do {
		round_of(s);
		sig = sigtimedwait(signals, NULL, &wait);
		if (sig == SIGHUP)
			summary(s);
	} while (sig != SIGTERM && sig != SIGINT);
	summary(s);
}

static int usage(const char *what)
{
	fprintf(stderr,
		"keymesh-audit: %s\n"
		"usage: keymesh-audit --roster FILE [--state DIR] [--interval SECONDS] [--grace SECONDS] [--once] PEER=DIR ...\n", what);
	return USAGE;
}

static int parse_log(struct service *s, const char *arg)
{
	const char *eq = strchr(arg, '=');
	char name[KM_MAX_NAME + 1];
	unsigned id;

	if (!eq || (size_t)(eq - arg) >= sizeof(name))
		return 0;
	snprintf(name, sizeof(name), "%.*s", (int)(eq - arg), arg);
	id = kmd_roster_find(&s->roster, name);
	if (!id || s->log[id].dir)
		return 0;
	s->log[id].dir = eq + 1;
	s->params.peers |= (uint32_t)1 << (id - 1);
	return 1;
}

static int number(const char *text, unsigned max, unsigned *out)
{
	char *end;
	unsigned long v = strtoul(text, &end, 10);

	*out = (unsigned)v;
	return !*end && end != text && v >= 1 && v <= max;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
	    {"roster", required_argument, NULL, 'r'}, {"state", required_argument, NULL, 's'}, {"interval", required_argument, NULL, 'i'},
	    {"grace", required_argument, NULL, 'g'},  {"once", no_argument, NULL, 'o'},		{NULL, 0, NULL, 0},
	};
	static struct service s;
	const char *roster = NULL;
	unsigned grace = 60, once = 0;
	struct kmd_fail f;
	sigset_t signals;
	int opt;

	s.interval_s = 10;
	s.state_fd = -1;
	while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1) {
		int ok = 1;

		switch (opt) {
		case 'r': roster = optarg; break;
		case 's': s.state = optarg; break;
		case 'i': ok = number(optarg, 86400, &s.interval_s); break;
		case 'g': ok = number(optarg, 864000, &grace); break;
		case 'o': once = 1; break;
		default: return usage("wrong option");
		}
		if (!ok)
			return usage("--interval and --grace take seconds");
	}
	kmd_log_init("keymesh-audit", KM_LOG_INFO);
	if (!roster || optind == argc)
		return usage("--roster and at least one PEER=DIR are needed");
	if (kmd_roster_read(&s.roster, roster, &f)) {
		fprintf(stderr, "keymesh-audit: %s\n", f.text);
		return FAILED;
	}
	km_monitor_defaults(&s.params);
	s.params.grace_ms = (uint64_t)grace * 1000;
	if (s.params.silent_ms < 2 * s.params.grace_ms)
		s.params.silent_ms = 2 * s.params.grace_ms;
	for (; optind < argc; optind++)
		if (!parse_log(&s, argv[optind]))
			return usage("each log is PEER=DIR, once, with a peer of the roster");
	if (s.state && (s.state_fd = kmd_dir_open(s.state, &f)) < 0) {
		fprintf(stderr, "keymesh-audit: %s\n", f.text);
		return FAILED;
	}
	if (km_monitor_new(&s.monitor, &s.params, on_alert, &s))
		return FAILED;
	for (unsigned id = 1; id <= KM_MAX_PEERS; id++)
		if (s.log[id].dir)
			load_seen(&s, id);
	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGHUP);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	if (once) {
		round_of(&s);
		km_monitor_finish(s.monitor);
		summary(&s);
	} else {
		serve(&s, &signals);
	}
	for (unsigned id = 1; id <= KM_MAX_PEERS; id++)
		if (s.log[id].open)
			kmd_audit_reader_close(&s.log[id].r);
	km_monitor_free(s.monitor);
	if (s.state_fd >= 0)
		close(s.state_fd);
	return s.alerts && once ? ALERTS : GOOD;
}
