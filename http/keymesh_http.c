/* keymesh_http.c: main of keymesh-http. */
#include "config.h"
#include "http/http.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "http/idem.h"
#include "mesh/log.h"
#include "mesh/notify.h"
#include "mesh/secure.h"

#define DEFAULT_CONFIG "/etc/keymesh/keymesh-http.conf"

enum { EXIT_START = 1, EXIT_USAGE = 64, EXIT_CONFIG = 78 };

static void usage(FILE *out)
{
	fputs("usage: keymesh-http [--config FILE] [--check] [--help] [--version]\n"
	      "\n"
	      "Serves metrics, health, a status page and POST /v1/sign over HTTP, for the keymeshd on this machine.\n"
	      "\n"
	      "  -c, --config FILE   configuration (default " DEFAULT_CONFIG ")\n"
	      "  -t, --check         check the configuration, serve nothing\n"
	      "  -h, --help          this text\n"
	      "  -V, --version       the version\n"
	      "\n"
	      "Runs in the foreground; SIGTERM ends it. Exit status: 0 ended by a signal, 78 the configuration is wrong,\n"
	      "1 it could not start, 64 wrong usage.\n",
	      out);
}

static int serve(struct kmh_conf *c, const sigset_t *signals)
{
	struct kmh_server *s;
	struct kmd_fail f;
	int sig = 0, err = kmh_server_open(&s, c, &f);

	if (err) {
		kmd_log(KM_LOG_ERROR, "%s", f.text);
		return err == KM_E_CONFIG ? EXIT_CONFIG : EXIT_START;
	}
	kmd_log(KM_LOG_NOTICE, "serving%s%s%s%s", c->metrics_listen ? " metrics at " : "", c->metrics_listen ? c->metrics_listen : "",
		c->sign_listen ? " signatures at " : "", c->sign_listen ? c->sign_listen : "");
	kmd_notify("READY=1\nSTATUS=serving");
	while (sigwait(signals, &sig))
		;
	kmd_notify("STOPPING=1");
	kmd_log(KM_LOG_NOTICE, "signal %s: stopping", sig == SIGTERM ? "TERM" : "INT");
	kmh_server_close(s);
	kmh_agent_drop();
	kmh_idem_end();
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
	struct kmh_conf *c;
	struct kmd_fail f;
	sigset_t signals;
	int opt, check = 0, status = EXIT_SUCCESS;

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
			puts("keymesh-http " PACKAGE_VERSION);
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
	kmd_log_init("keymesh-http", KM_LOG_NOTICE);
	signal(SIGPIPE, SIG_IGN);
	/* before any thread is made: all of them leave these to sigwait */
	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	pthread_sigmask(SIG_BLOCK, &signals, NULL);
	if (kmd_secure_process(&f)) {
		kmd_log(KM_LOG_ERROR, "%s", f.text);
		return EXIT_START;
	}
	if (kmh_conf_load(&c, path, &f)) {
		kmd_log(KM_LOG_ERROR, "%s", f.text);
		return EXIT_CONFIG;
	}
	if (check)
		printf("%s is good\n", path);
	else
		status = serve(c, &signals);
	kmh_conf_free(c);
	return status;
}
