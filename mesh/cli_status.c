/* cli_status.c: keymesh status. */
#include "config.h"
#include "mesh/cli.h"

#include <getopt.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct options {
	const char *socket;
	int json, watch;
};

static int parse(struct options *o, int argc, char **argv)
{
	static const struct option options[] = {
	    {"socket", required_argument, NULL, 's'},
	    {"json", no_argument, NULL, 'j'},
	    {"watch", no_argument, NULL, 'w'},
	    {NULL, 0, NULL, 0},
	};
	int opt;

	while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (opt == 's')
			o->socket = optarg;
		else if (opt == 'j')
			o->json = 1;
		else if (opt == 'w')
			o->watch = 1;
		else
			return kmd_cli_usage("status", "wrong option");
	}
	return optind < argc ? kmd_cli_usage("status", "what is %s?", argv[optind]) : KMD_EXIT_OK;
}

static const char *str(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s ? s : "?";
}

static long long num(const json_t *o, const char *key)
{
	return (long long)json_integer_value(json_object_get(o, key));
}

static int yes(const json_t *o, const char *key)
{
	return json_is_true(json_object_get(o, key));
}

/* "1,3,4" */
static const char *set(const json_t *a, char *buf, size_t size)
{
	size_t i, n = 0;

	buf[0] = '\0';
	for (i = 0; i < json_array_size(a) && n < size; i++)
		n += (size_t)snprintf(buf + n, size - n, "%s%lld", i ? "," : "",
				      (long long)json_integer_value(json_array_get(a, i)));
	return buf;
}

static const char *latency(long long us, char *buf, size_t size)
{
	if (us)
		snprintf(buf, size, "%lld.%02lld ms", us / 1000, us % 1000 / 10);
	else
		snprintf(buf, size, "-");
	return buf;
}

static const char *link_state(const json_t *p)
{
	if (yes(p, "self"))
		return "this one";
	if (yes(p, "roster_mismatch"))
		return "ROSTER DIFFERS";
	if (yes(p, "quarantined"))
		return "QUARANTINED";
	if (json_array_size(json_object_get(p, "accusers")))
		return yes(p, "live") ? "live, disputed" : "disputed";
	if (yes(p, "suspected"))
		return yes(p, "live") ? "live, suspected" : "suspected";
	return yes(p, "live") ? "live" : "not live";
}

/* "never", or how long ago. */
static const char *ago(const json_t *v, char *buf, size_t size)
{
	long long s = (long long)json_integer_value(v);

	if (!json_is_integer(v))
		snprintf(buf, size, "never");
	else if (s < 7200)
		snprintf(buf, size, "%lld min ago", s / 60);
	else if (s < 172800)
		snprintf(buf, size, "%lld h ago", s / 3600);
	else
		snprintf(buf, size, "%lld days ago", s / 86400);
	return buf;
}

/* One that serves alone has nothing to tell but its age. */
static void show_epochs(const json_t *epochs)
{
	char a[160], b[160], c[32];

	for (size_t i = 0; i < json_array_size(epochs); i++) {
		const json_t *e = json_array_get(epochs, i);

		printf("      epoch %lld (%lld of %s), made %s: ", num(e, "epoch"), num(e, "threshold"),
		       set(json_object_get(e, "members"), a, sizeof(a)), ago(json_object_get(e, "age_s"), c, sizeof(c)));
		set(json_object_get(e, "stored"), b, sizeof(b));
		if (!yes(e, "certified"))
			printf("CANDIDATE, stored by %s\n", *b ? b : "nobody");
		else if (!yes(e, "share"))
			printf("certified, NO SHARE HERE: keymesh recover, at a peer that has one\n");
		else
			printf("%s%s%s\n", yes(e, "serves") ? "serves" : "certified, does not serve", strcmp(a, b) ? ", stored by " : "",
			       strcmp(a, b) ? b : "");
	}
}

static void show_peer(const json_t *peer)
{
	const json_t *peers = json_object_get(peer, "peers"), *keys = json_object_get(peer, "keys");
	char a[160], b[32];
	size_t i, j;

	printf("\npeer %lld: %s\n  %-4s %-20s %-15s %-12s %s\n", num(peer, "id"),
	       *str(peer, "activity") ? str(peer, "activity") : "idle", "id", "name", "state", "round trip", "clock");
	for (i = 0; i < json_array_size(peers); i++) {
		const json_t *p = json_array_get(peers, i);

		printf("  %-4lld %-20s %-15s %-12s", num(p, "id"), str(p, "name"), link_state(p),
		       latency(num(p, "rtt_us"), b, sizeof(b)));
		if (yes(p, "self") || !yes(p, "live"))
			printf(" -\n");
		else
			printf(" %+lld ms%s\n", num(p, "clock_offset_ms"),
			       llabs(num(p, "clock_offset_ms")) > 10000 ? "  CLOCK FAR OFF: set it, or requests are refused"
									: "");
	}
	for (i = 0; i < json_array_size(keys); i++) {
		const json_t *k = json_array_get(keys, i), *pools = json_object_get(k, "pools");

		printf("  key %s (%s, %lld of %s, epoch %lld): %lld presignatures ready here, %lld held\n", str(k, "name"),
		       str(k, "curve"), num(k, "threshold"), set(json_object_get(k, "members"), a, sizeof(a)), num(k, "epoch"),
		       num(k, "ready"), num(k, "held"));
		for (j = 0; j < json_array_size(pools); j++) {
			const json_t *q = json_array_get(pools, j);

			printf("      quorum %-12s %5lld ready%s\n", set(json_object_get(q, "quorum"), a, sizeof(a)),
			       num(q, "ready"), yes(q, "alive") ? "" : "   (a member is not live)");
		}
		show_epochs(json_object_get(k, "epochs"));
		printf("      backed up %s; all peers' backups drilled %s\n", ago(json_object_get(k, "backup_age_s"), a, sizeof(a)),
		       ago(json_object_get(k, "drill_age_s"), b, sizeof(b)));
	}
	printf("  signed: %lld as aggregator, %lld as signer; presigned %lld (%lld by engine any) in %lld runs (%lld dropped); refused %lld, dropped "
	       "frames %lld; late shares %lld\n",
	       num(peer, "signed_as_aggregator"), num(peer, "signed_as_signer"), num(peer, "presigned"),
	       num(peer, "presigned_any"), num(peer, "runs_done"), num(peer, "runs_dropped"), num(peer, "refused"),
	       num(peer, "dropped_frames"), num(peer, "late_shares"));
	if (num(peer, "convictions") || num(peer, "disputes"))
		printf("  CONVICTIONS %lld, disputes %lld: see keymesh quarantine list\n", num(peer, "convictions"), num(peer, "disputes"));
}

static void show_frontend(const json_t *fe)
{
	const json_t *peers = json_object_get(fe, "peers"), *keys = json_object_get(fe, "keys");
	char a[160], b[32], c[32];
	size_t i;

	printf("\nfrontend %lld\n  %-4s %-20s %-15s %-12s %-12s %-8s %s\n", num(fe, "id"), "id", "name", "state", "round trip",
	       "signature", "ready", "score");
	for (i = 0; i < json_array_size(peers); i++) {
		const json_t *p = json_array_get(peers, i);

		printf("  %-4lld %-20s %-15s %-12s %-12s %-8lld %lld\n", num(p, "id"), str(p, "name"), link_state(p),
		       latency(num(p, "rtt_us"), b, sizeof(b)), latency(num(p, "reply_us"), c, sizeof(c)), num(p, "ready"),
		       num(p, "score"));
	}
	for (i = 0; i < json_array_size(keys); i++) {
		const json_t *k = json_array_get(keys, i);

		printf("  key %s (%s, %lld of %s)\n", str(k, "name"), str(k, "curve"), num(k, "threshold"),
		       set(json_object_get(k, "members"), a, sizeof(a)));
	}
	printf("  requests %lld, signatures %lld, failed %lld, hedged %lld, bad replies %lld, in flight %lld\n",
	       num(fe, "requests"), num(fe, "signatures"), num(fe, "failed"), num(fe, "hedged"), num(fe, "bad_replies"),
	       num(fe, "in_flight"));
}

static void show(const json_t *s)
{
	const json_t *rates = json_object_get(s, "rates"), *io = json_object_get(s, "io"), *mem = json_object_get(s, "memory");

	printf("%s: keymesh %s, up %lld s, roster %.8s\n", str(s, "name"), str(s, "version"), num(s, "uptime_s"),
	       str(s, "roster"));
	printf("last %lld s: %.1f signatures/s, %.1f presignatures/s\n", num(rates, "over_s"),
	       json_number_value(json_object_get(rates, "signatures")),
	       json_number_value(json_object_get(rates, "presignatures")));
	printf("secrets in memory: %lld KB, %s; refused connections %lld, failed handshakes %lld, local clients %lld\n",
	       num(mem, "secret_bytes") / 1024, yes(mem, "locked") ? "locked" : "NOT LOCKED (raise the limit of locked memory)",
	       num(io, "connections_refused"), num(io, "handshakes_failed"), num(io, "clients"));
	if (json_object_get(s, "peer"))
		show_peer(json_object_get(s, "peer"));
	if (json_object_get(s, "frontend"))
		show_frontend(json_object_get(s, "frontend"));
}

static int once(struct kmd_cli *c, const struct options *o)
{
	struct km_rpc_text text;
	json_error_t why;
	json_t *s;

	int err = kmd_cli_status(c, &text);
	if (err)
		return err;
	if (o->json) {
		printf("%.*s\n", (int)text.len, text.text);
		return fflush(stdout) ? KM_E_STATE : KM_OK;
	}
	s = json_loadb(text.text, text.len, 0, &why);
	if (!s)
		return kmd_fail(&c->fail, KM_E_STATE, "keymeshd's status is no JSON: %s", why.text);
	if (o->watch && isatty(STDOUT_FILENO))
		fputs("\033[H\033[J", stdout);
	show(s);
	json_decref(s);
	return fflush(stdout) ? KM_E_STATE : KM_OK;
}

int kmd_cmd_status(int argc, char **argv)
{
	struct options o = {NULL, 0, 0};
	struct kmd_cli c;
	int err, status = parse(&o, argc, argv);

	if (status)
		return status;
	err = kmd_cli_open(&c, o.socket);
	if (!err)
		err = once(&c, &o);
	while (!err && o.watch) {
		sleep(1);
		err = once(&c, &o);
	}
	if (err)
		status = kmd_cli_error(err, "%s", c.fail.text[0] ? c.fail.text : km_strerror(err));
	kmd_cli_close(&c);
	return status;
}
