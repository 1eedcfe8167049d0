/* cli_quarantine.c: keymesh quarantine: what a peer holds against others, and the end of it. */
#include "config.h"
#include "mesh/cli.h"

#include <getopt.h>
#include <jansson.h>
#include <string.h>
#include <time.h>

struct options {
	const char *socket, *peer;
	int json, clear;
};

static int parse(struct options *o, int argc, char **argv)
{
	static const struct option options[] = {
	    {"socket", required_argument, NULL, 's'},
	    {"json", no_argument, NULL, 'j'},
	    {NULL, 0, NULL, 0},
	};
	int opt;

	while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (opt == 's')
			o->socket = optarg;
		else if (opt == 'j')
			o->json = 1;
		else
			return kmd_cli_usage("quarantine", "wrong option");
	}
	if (optind >= argc)
		return kmd_cli_usage("quarantine", "list or clear?");
	if (!strcmp(argv[optind], "list") && optind + 1 == argc)
		return KMD_EXIT_OK;
	if (strcmp(argv[optind], "clear") || o->json)
		return kmd_cli_usage("quarantine", "list [--json], or clear PEER");
	if (optind + 2 != argc)
		return kmd_cli_usage("quarantine", "one PEER is to be named");
	o->clear = 1;
	o->peer = argv[optind + 1];
	return KMD_EXIT_OK;
}

static const char *str(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s ? s : "";
}

static int yes(const json_t *o, const char *key)
{
	return json_is_true(json_object_get(o, key));
}

static long long num(const json_t *o, const char *key)
{
	return (long long)json_integer_value(json_object_get(o, key));
}

static size_t count(const json_t *o, const char *key)
{
	return json_array_size(json_object_get(o, key));
}

/* The peers of the node's status: an array, owned by *root. */
static int get_peers(struct kmd_cli *c, json_t **root, json_t **peers)
{
	struct km_rpc_text text;
	json_error_t why;

	*root = NULL;
	int err = kmd_cli_status(c, &text);
	if (err)
		return err;
	*root = json_loadb(text.text, text.len, 0, &why);
	if (!*root)
		return kmd_fail(&c->fail, KM_E_STATE, "keymeshd's status is no JSON: %s", why.text);
	*peers = json_object_get(json_object_get(*root, "peer"), "peers");
	if (!*peers)
		return kmd_fail(&c->fail, KM_E_STATE, "this keymeshd has not the role peer; ask one that has");
	return KM_OK;
}

static const char *ids(const json_t *a, char *buf, size_t size)
{
	size_t i, n = 0;

	buf[0] = '\0';
	for (i = 0; i < json_array_size(a) && n < size; i++)
		n += (size_t)snprintf(buf + n, size - n, "%s%lld", i ? "," : "", (long long)json_integer_value(json_array_get(a, i)));
	return buf;
}

static void show(const json_t *p)
{
	char when[32] = "unknown", a[120];
	time_t t = (time_t)(num(p, "since_ms") / 1000);
	struct tm tm;

	if (t && gmtime_r(&t, &tm))
		strftime(when, sizeof(when), "%Y-%m-%d %H:%M:%S UTC", &tm);
	printf("%-3lld %-20s ", num(p, "id"), str(p, "name"));
	if (yes(p, "convicted"))
		printf("quarantined  proved to have cheated%s%s%s%.12s", *str(p, "evidence") ? ", evidence " : "", str(p, "evidence"),
		       *str(p, "digest") ? " " : "", str(p, "digest"));
	else if (*str(p, "barred_for"))
		printf("quarantined  for key %s, accused by %s", str(p, "barred_for"), ids(json_object_get(p, "accusers"), a, sizeof(a)));
	else if (count(p, "accusers"))
		printf("disputed     accused by %s", ids(json_object_get(p, "accusers"), a, sizeof(a)));
	else
		printf("suspected    late or silent (score %lld)", num(p, "suspicion"));
	if (yes(p, "convicted") || count(p, "accusers"))
		printf(", since %s", when);
	putchar('\n');
}

static int list(struct kmd_cli *c, const struct options *o)
{
	json_t *root, *peers, *out = json_array();
	size_t i;
	int err = get_peers(c, &root, &peers);

	for (i = 0; !err && i < json_array_size(peers); i++) {
		json_t *p = json_array_get(peers, i);

		if ((yes(p, "quarantined") || count(p, "accusers") || yes(p, "suspected")) && json_array_append(out, p))
			err = KM_E_NOMEM;
	}
	if (!err && o->json) {
		json_t *all = json_pack("{s:O}", "peers", out);

		if (!all || json_dumpf(all, stdout, JSON_INDENT(1)))
			err = KM_E_IO;
		putchar('\n');
		json_decref(all);
	} else if (!err) {
		for (i = 0; i < json_array_size(out); i++)
			show(json_array_get(out, i));
		if (!json_array_size(out))
			puts("nobody is quarantined, accused or suspected");
	}
	if (!err && fflush(stdout))
		err = KM_E_IO;
	json_decref(out);
	json_decref(root);
	return err;
}

/* A name, or an id. */
static int find(struct kmd_cli *c, const char *who, uint8_t *id)
{
	long number = kmd_cli_number(who, 1, KM_MAX_PEERS);
	json_t *root, *peers;
	int err = get_peers(c, &root, &peers);
	size_t i;

	*id = 0;
	for (i = 0; !err && i < json_array_size(peers); i++) {
		const json_t *p = json_array_get(peers, i);

		if (!strcmp(str(p, "name"), who) || num(p, "id") == number)
			*id = (uint8_t)num(p, "id");
	}
	json_decref(root);
	if (!err && !*id)
		err = kmd_fail(&c->fail, KM_E_NOTFOUND, "there is no peer %s", who);
	return err;
}

static int clear(struct kmd_cli *c, const struct options *o)
{
	struct km_rpc_clear m;
	struct km_rpc_frame f;
	struct km_rpc_text text;
	struct km_buf b;
	int err = find(c, o->peer, &m.peer);

	km_buf_init(&b);
	if (!err)
		err = km_rpc_encode_clear(&b, c->seq, &m);
	if (!err)
		err = kmd_cli_call(c, &b, KM_RPC_DONE, KMD_CLI_DEADLINE_MS, &f);
	if (!err)
		err = km_rpc_decode_text(&f, &text);
	if (!err)
		printf("%.*s\n", (int)text.len, text.text);
	km_buf_clear(&b);
	return err;
}

int kmd_cmd_quarantine(int argc, char **argv)
{
	struct options o = {NULL, NULL, 0, 0};
	struct kmd_cli c;
	int err, status = parse(&o, argc, argv);

	if (status)
		return status;
	err = kmd_cli_open(&c, o.socket);
	if (!err)
		err = o.clear ? clear(&c, &o) : list(&c, &o);
	if (err)
		status = kmd_cli_error(err, "%s", c.fail.text[0] ? c.fail.text : km_strerror(err));
	kmd_cli_close(&c);
	return status;
}
