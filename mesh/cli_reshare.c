/* cli_reshare.c: keymesh refresh, reshare and recover: new shares of a key that stays what it is. */
#include "config.h"
#include "mesh/cli.h"

#include <getopt.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

struct options {
	const char *socket, *members, *peer;
	struct km_rpc_reshare m;
};

static int parse(struct options *o, int argc, char **argv, const char *allowed)
{
	static const struct option options[] = {
	    {"socket", required_argument, NULL, 's'},
	    {"members", required_argument, NULL, 'm'},
	    {"threshold", required_argument, NULL, 't'},
	    {"peer", required_argument, NULL, 'p'},
	    {NULL, 0, NULL, 0},
	};
	long threshold;
	int opt;

	while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (opt == '?' || !strchr(allowed, opt))
			return kmd_cli_usage(argv[0], "wrong option");
		switch (opt) {
		case 's':
			o->socket = optarg;
			break;
		case 'm':
			o->members = optarg;
			break;
		case 'p':
			o->peer = optarg;
			break;
		default:
			threshold = kmd_cli_number(optarg, KM_MIN_THRESHOLD, KM_MAX_PEERS);
			if (threshold < 0)
				return kmd_cli_usage(argv[0], "--threshold is a number from %d to %d", KM_MIN_THRESHOLD, KM_MAX_PEERS);
			o->m.threshold = (uint8_t)threshold;
		}
	}
	if (optind + 1 != argc || !km_rpc_name_valid(argv[optind], strlen(argv[optind])))
		return kmd_cli_usage(argv[0], "one NAME of a key is needed");
	memcpy(o->m.name, argv[optind], strlen(argv[optind]));
	return KMD_EXIT_OK;
}

/* ---- peers by name or id */

/* The list of peers of the daemon's status; a reference of the caller's. */
static int get_peers(struct kmd_cli *c, json_t **peers)
{
	struct km_rpc_text text;
	int err = kmd_cli_status(c, &text);
	json_t *root = err ? NULL : json_loadb(text.text, text.len, 0, NULL);

	*peers = json_incref(json_object_get(json_object_get(root, "peer"), "peers"));
	json_decref(root);
	if (!err && !*peers)
		err = kmd_fail(&c->fail, KM_E_STATE, "this keymeshd has not the role peer; ask one that has");
	return err;
}

static unsigned find(const json_t *peers, const char *who)
{
	long number = kmd_cli_number(who, 1, KM_MAX_PEERS);

	for (size_t i = 0; i < json_array_size(peers); i++) {
		const json_t *p = json_array_get(peers, i);
		const char *name = json_string_value(json_object_get(p, "name"));
		json_int_t id = json_integer_value(json_object_get(p, "id"));

		if (id >= 1 && id <= KM_MAX_PEERS && ((name && !strcmp(name, who)) || id == number))
			return (unsigned)id;
	}
	return 0;
}

/* Names or ids, with commas between. */
static int find_members(struct kmd_cli *c, const json_t *peers, const char *list, uint32_t *out)
{
	char word[KM_MAX_NAME + 1];

	*out = 0;
	for (const char *at = list, *end;; at = end + 1) {
		end = at + strcspn(at, ",");
		size_t n = (size_t)(end - at);
		unsigned id = 0;

		if (n && n < sizeof(word)) {
			memcpy(word, at, n);
			word[n] = 0;
			id = find(peers, word);
		}
		if (!id)
			return kmd_fail(&c->fail, KM_E_NOTFOUND, "--members: there is no peer \"%.*s\"; keymesh status lists them", (int)n, at);
		if (*out >> (id - 1) & 1)
			return kmd_fail(&c->fail, KM_E_RANGE, "--members: peer %u is there twice", id);
		*out |= 1u << (id - 1);
		if (!*end)
			return KM_OK;
	}
}

static int resolve(struct kmd_cli *c, struct options *o)
{
	json_t *peers = NULL;
	int err = KM_OK;

	if (o->members || o->peer)
		err = get_peers(c, &peers);
	if (!err && o->members)
		err = find_members(c, peers, o->members, &o->m.members);
	if (!err && o->peer) {
		o->m.peer = (uint8_t)find(peers, o->peer);
		if (!o->m.peer)
			err = kmd_fail(&c->fail, KM_E_NOTFOUND, "--peer: there is no peer \"%s\"; keymesh status lists them", o->peer);
	}
	json_decref(peers);
	return err;
}

/* ---- the commands */

static int run(struct options *o, const char *what)
{
	struct km_rpc_frame f;
	struct km_rpc_text text;
	struct kmd_cli c;
	struct km_buf b;
	int status = KMD_EXIT_OK;

	km_buf_init(&b);
	int err = kmd_cli_open(&c, o->socket);
	if (!err)
		err = resolve(&c, o);
	if (!err)
		err = km_rpc_encode_reshare(&b, c.seq, &o->m);
	if (!err)
		err = kmd_cli_call(&c, &b, KM_RPC_DONE, KMD_CLI_RESHARE_MS, &f);
	if (!err)
		err = km_rpc_decode_text(&f, &text);
	if (err)
		status = kmd_cli_error(err, "%s of key %s: %s", what, o->m.name, c.fail.text[0] ? c.fail.text : km_strerror(err));
	else
		printf("%.*s\n", (int)text.len, text.text);
	kmd_cli_close(&c);
	km_buf_clear(&b);
	return status;
}

int kmd_cmd_refresh(int argc, char **argv)
{
	struct options o = {.m.kind = KM_RPC_REFRESH_SHARES};
	int status = parse(&o, argc, argv, "s");

	return status ? status : run(&o, "refresh");
}

int kmd_cmd_reshare(int argc, char **argv)
{
	struct options o = {.m.kind = KM_RPC_RESHARE_KEY};
	int status = parse(&o, argc, argv, "smt");

	return status ? status : run(&o, "reshare");
}

int kmd_cmd_recover(int argc, char **argv)
{
	struct options o = {.m.kind = KM_RPC_RECOVER_PEER};
	int status = parse(&o, argc, argv, "sp");

	if (status)
		return status;
	if (!o.peer)
		return kmd_cli_usage("recover", "--peer PEER is needed");
	return run(&o, "recovery");
}
