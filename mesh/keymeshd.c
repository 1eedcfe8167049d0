/* keymeshd.c: main of the daemon. */
#include "config.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/secret.h"
#include "mesh/daemon.h"
#include "mesh/log.h"
#include "mesh/sched.h"
#include "mesh/secure.h"

#define DEFAULT_CONFIG "/etc/keymesh/keymesh.conf"

enum { EXIT_USAGE = 64, EXIT_CONFIG = 78, EXIT_START = 1 };

static void usage(FILE *out)
{
	fputs("usage: keymeshd [--config FILE] [--check] [--help] [--version]\n"
	      "\n"
	      "  -c, --config FILE   configuration (default " DEFAULT_CONFIG ")\n"
	      "  -t, --check         check the configuration and the files it names, start nothing\n"
	      "  -h, --help          this text\n"
	      "  -V, --version       the version\n"
	      "\n"
	      "Runs in the foreground; SIGTERM ends it. Exit status: 0 ended by a signal, 78 the configuration is wrong,\n"
	      "1 it could not start, 64 wrong usage.\n",
	      out);
}

/* Warnings of the configuration, line by line. */
static void log_warnings(char *lines)
{
	char *line, *save = NULL;

	for (line = strtok_r(lines, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
		kmd_log(KM_LOG_WARN, "%s", line);
}

static void on_abort(int sig)
{
	size_t n = strnlen(km_assert_message, KM_ASSERT_MESSAGE_SIZE);

	if (n && write(STDERR_FILENO, km_assert_message, n) > 0)
		(void)!write(STDERR_FILENO, "\n", 1);
	/* Comes back to the default action: the process ends by SIGABRT, without a core. */
	signal(sig, SIG_DFL);
	raise(sig);
}

static int run(struct kmd_config *c)
{
	struct kmd_daemon *d;
	struct kmd_fail f;

	if (kmd_daemon_new(&d, c, &f)) {
		kmd_log(KM_LOG_ERROR, "%s", f.text);
		return EXIT_START;
	}
	if (!km_secret_locked())
		kmd_log(KM_LOG_WARN,
			"memory for secrets is not locked: raise the limit (LimitMEMLOCK= of the unit, or ulimit -l)");
	kmd_daemon_run(d);
	kmd_daemon_free(d);
	kmd_log(KM_LOG_NOTICE, "stopped");
	return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
	    {"config", required_argument, NULL, 'c'},
	    {"check", no_argument, NULL, 't'},
	    {"help", no_argument, NULL, 'h'},
	    {"version", no_argument, NULL, 'V'},
	    {NULL, 0, NULL, 0},
	};
	const char *path = DEFAULT_CONFIG;
	struct kmd_config *c;
	struct kmd_fail f;
	int opt, check = 0, status;

	while ((opt = getopt_long(argc, argv, "c:thV", options, NULL)) != -1) {
		switch (opt) {
		case 'c':
			path = optarg;
			break;
		case 't':
			check = 1;
			break;
		case 'h':
			usage(stdout);
			return EXIT_SUCCESS;
		case 'V':
			puts("keymeshd " PACKAGE_VERSION);
			return EXIT_SUCCESS;
		default:
			usage(stderr);
			return EXIT_USAGE;
		}
	}
	if (optind < argc) {
		usage(stderr);
		return EXIT_USAGE;
	}
	kmd_log_init("keymeshd", KM_LOG_NOTICE);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGABRT, on_abort);
	if (kmd_secure_process(&f)) {
		kmd_log(KM_LOG_ERROR, "%s", f.text);
		return EXIT_START;
	}
	kmd_sched_prompt();
	if (kmd_config_load(&c, path, &f)) {
		kmd_log(KM_LOG_ERROR, "%s", f.text);
		return EXIT_CONFIG;
	}
	kmd_log_init(c->self_name, (enum km_log_level)kmd_log_level_by_name(c->log_level));
	log_warnings(c->warnings);
	if (check)
		printf("%s is good: %s%s%s %s of %u peers\n", path, c->is_peer ? "peer" : "",
		       c->is_peer && c->is_frontend ? " and " : "", c->is_frontend ? "frontend" : "", c->self_name, c->settings.roster.n);
	status = check ? EXIT_SUCCESS : run(c);
	kmd_config_free(c);
	return status;
}
