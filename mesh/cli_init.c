/* cli_init.c: keymesh init. */
#include "config.h"
#include "mesh/cli.h"

#include <fcntl.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/secret.h"
#include "mesh/address.h"
#include "mesh/conf.h"
#include "mesh/files.h"
#include "mesh/identity.h"
#include "mesh/schema.h"

struct init {
	const char *dir, *name, *address, *frontend_address, *local;
	long peer_id, frontend_id;
};

static int parse(struct init *o, int argc, char **argv)
{
	static const struct option options[] = {
	    {"dir", required_argument, NULL, 'd'},     {"name", required_argument, NULL, 'n'},
	    {"peer-id", required_argument, NULL, 'p'}, {"frontend-id", required_argument, NULL, 'f'},
	    {"address", required_argument, NULL, 'a'}, {"frontend-address", required_argument, NULL, 'b'},
	    {"local", required_argument, NULL, 'l'},   {NULL, 0, NULL, 0},
	};
	int opt;

	while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (opt) {
		case 'd':
			o->dir = optarg;
			break;
		case 'n':
			o->name = optarg;
			break;
		case 'p':
			o->peer_id = kmd_cli_number(optarg, 1, KM_MAX_PEERS);
			break;
		case 'f':
			o->frontend_id = kmd_cli_number(optarg, 1, KM_MAX_FRONTENDS);
			break;
		case 'a':
			o->address = optarg;
			break;
		case 'b':
			o->frontend_address = optarg;
			break;
		case 'l':
			o->local = optarg;
			break;
		default:
			return kmd_cli_usage("init", "wrong option");
		}
	}
	if (optind < argc)
		return kmd_cli_usage("init", "what is %s?", argv[optind]);
	if (!o->dir || !o->name)
		return kmd_cli_usage("init", "--dir and --name are needed");
	if (!km_rpc_name_valid(o->name, strlen(o->name)))
		return kmd_cli_usage("init", "name %s is not allowed; 1 to 63 of a-z 0-9 . _ - beginning with a letter or digit",
				     o->name);
	if (o->peer_id < 0 || o->frontend_id < 0 || (!o->peer_id && !o->frontend_id))
		return kmd_cli_usage("init", "--peer-id 1..%d, --frontend-id 1..%d or both are needed", KM_MAX_PEERS,
				     KM_MAX_FRONTENDS);
	if (o->peer_id && (!o->address || !o->frontend_address))
		return kmd_cli_usage("init", "a peer needs --address and --frontend-address");
	if (o->peer_id && (!kmd_address_valid(o->address) || !kmd_address_valid(o->frontend_address) ||
			   !strcmp(o->address, o->frontend_address)))
		return kmd_cli_usage("init", "--address and --frontend-address are two different HOST:PORT");
	if (strpbrk(o->local, "\"\\\n"))
		return kmd_cli_usage("init", "the path of --local has a character that cannot stand in a configuration");
	return KMD_EXIT_OK;
}

/* Prints into a growing buffer. */
static void say(struct km_buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void say(struct km_buf *b, const char *fmt, ...)
{
	char line[2048];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	KM_ASSERT(n >= 0 && (size_t)n < sizeof(line));
	km_put_bytes(b, line, (size_t)n);
}

static void peer_entry(struct km_buf *b, const struct init *o, const struct kmd_identity *id)
{
	char sign[65], channel[65];

	kmd_hex_encode(sign, id->sign.pub, 32);
	kmd_hex_encode(channel, id->channel_pub, 32);
	say(b, "{ id = %ld; name = \"%s\"; address = \"%s\"; frontend_address = \"%s\"; identity = \"%s\"; channel = \"%s\"; }\n",
	    o->peer_id, o->name, o->address, o->frontend_address, sign, channel);
}

static void frontend_entry(struct km_buf *b, const struct init *o, const struct kmd_identity *id)
{
	char channel[65];

	kmd_hex_encode(channel, id->channel_pub, 32);
	say(b, "{ id = %ld; name = \"%s\"; channel = \"%s\"; }\n", o->frontend_id, o->name, channel);
}

/* What is optional stands there as a comment, with its default and its meaning, from the table. */
static void comment_optional(struct km_buf *b, const char *section, const char *indent)
{
	size_t i;

	for (i = 0; i < kmd_schema_n; i++) {
		const struct kmd_schema *k = &kmd_schema[i];

		if (strcmp(k->section, section) || (k->flags & KMD_REQUIRED) || !k->def)
			continue;
		if (k->kind == KMD_KIND_STRING)
			say(b, "%s# %s = \"%s\";    %s\n", indent, k->key, k->def, k->help);
		else
			say(b, "%s# %s = %s;    %s\n", indent, k->key, k->def, k->help);
	}
}

static void skeleton(struct km_buf *b, const struct init *o)
{
	say(b, "# Configuration of keymeshd on %s. Every key is explained in keymesh.conf(5).\n", o->name);
	say(b, "# Check it with: keymeshd --check --config THIS_FILE\n# Paths without a slash in front are relative to this "
	       "file.\n\n");
	say(b, "identity = {\n");
	if (o->peer_id)
		say(b, "\tpeer_id = %ld;\n", o->peer_id);
	if (o->frontend_id)
		say(b, "\tfrontend_id = %ld;\n", o->frontend_id);
	say(b, "\tsecret_file = \"identity.secret\";\n};\n");
	say(b, "roles = [ %s%s%s ];\n", o->peer_id ? "\"peer\"" : "", o->peer_id && o->frontend_id ? ", " : "",
	    o->frontend_id ? "\"frontend\"" : "");
	if (o->peer_id)
		say(b, "# state_counter = \"/somewhere/else/keymesh-counter\";    on another disk: shows when state_dir was put back\n"
		       "# backup = { recipients = [ \"age1...\" ]; directory = \"/var/backups/keymesh\"; };    for keymesh backup\n");
	if (o->peer_id)
		say(b, "state_dir = \"state\";\n\n# Or credential = \"NAME\" for a systemd credential. Keep the sealing key "
		       "apart from backups of state_dir.\nseal = { key_file = \"seal.key\"; };\n");
	say(b, "\nlisten = {\n");
	if (o->peer_id)
		say(b, "\tpeers = \"%s\";\n\tfrontends = \"%s\";\n", o->address, o->frontend_address);
	say(b, "\tlocal = \"%s\";\n", o->local);
	say(b, "\t# abstract = \"keymesh\";    for servers in a chroot\n");
	comment_optional(b, "listen", "\t");
	say(b, "};\n\npool = {\n");
	comment_optional(b, "pool", "\t");
	say(b, "};\n\n");
	comment_optional(b, "", "");
	say(b, "\n# The roster: the same file on every node.\n@include \"roster.conf\"\n");
}

static void roster(struct km_buf *b, const struct init *o, const struct kmd_identity *id)
{
	say(b, "# The same on every node: peers, frontends, and what each key may sign. Fill in the entries of the other nodes\n"
	       "# (keymesh init prints them), with commas between them.\n\npeers = (\n");
	if (o->peer_id)
		peer_entry(b, o, id);
	say(b, ");\n\nfrontends = (\n");
	if (o->frontend_id)
		frontend_entry(b, o, id);
	say(b,
	    ");\n\nkeys = (\n"
	    "# { name = \"www\"; threshold = 3; contexts = [ \"tls13-server\", \"tls12-server\", \"csr\", \"x509-self\" ]; "
	    "frontends = [ \"%s\" ]; }\n"
	    ");\n",
	    o->frontend_id ? o->name : "NAME");
}

static int put_file(const struct init *o, const char *name, unsigned mode, const struct km_buf *b)
{
	char path[4096];

	if (b->err || snprintf(path, sizeof(path), "%s/%s", o->dir, name) >= (int)sizeof(path))
		return kmd_cli_error(KM_E_NOMEM, "%s cannot be made", name);
	return kmd_cli_write(path, mode, b->data, b->len);
}

static int put_text(const struct init *o, const char *name,
		    void (*fill)(struct km_buf *, const struct init *, const struct kmd_identity *),
		    const struct kmd_identity *id, int show)
{
	struct km_buf b;
	int status;

	km_buf_init(&b);
	fill(&b, o, id);
	status = put_file(o, name, 0644, &b);
	if (!status && show)
		fwrite(b.data, 1, b.len, stdout);
	km_buf_clear(&b);
	return status;
}

static void fill_conf(struct km_buf *b, const struct init *o, const struct kmd_identity *id)
{
	skeleton(b, o);
}

static int put_secrets(const struct init *o, const struct kmd_identity *id)
{
	char text[KMD_IDENTITY_TEXT], hex[66];
	struct km_buf b;
	uint8_t key[32];
	int status;

	km_buf_init_fixed(&b, text, sizeof(text));
	b.len = kmd_identity_format(text, id);
	status = put_file(o, "identity.secret", 0600, &b);
	km_wipe(text, sizeof(text));
	if (status || !o->peer_id)
		return status;
	kmd_random(key, sizeof(key));
	kmd_hex_encode(hex, key, sizeof(key));
	hex[64] = '\n';
	km_buf_init_fixed(&b, hex, sizeof(hex));
	b.len = 65;
	status = put_file(o, "seal.key", 0600, &b);
	km_wipe(key, sizeof(key));
	km_wipe(hex, sizeof(hex));
	return status;
}

int kmd_cmd_init(int argc, char **argv)
{
	struct init o = {.local = "/run/keymesh/keymesh.sock"};
	struct kmd_identity id;
	struct kmd_fail f;
	int status = parse(&o, argc, argv), fd;

	if (status)
		return status;
	umask(022);
	fd = kmd_dir_open(o.dir, &f);
	if (fd < 0)
		return kmd_cli_error(KM_E_STATE, "%s", f.text);
	close(fd);
	kmd_identity_make(&id);
	status = put_secrets(&o, &id);
	if (!status)
		status = put_text(&o, "keymesh.conf", fill_conf, &id, 0);
	if (!status)
		status = put_text(&o, "roster.conf", roster, &id, 0);
	if (!status && o.peer_id) {
		printf("# for the list peers of roster.conf on every node\n");
		status = put_text(&o, "peer.entry", peer_entry, &id, 1);
	}
	if (!status && o.frontend_id) {
		printf("# for the list frontends of roster.conf on every node\n");
		status = put_text(&o, "frontend.entry", frontend_entry, &id, 1);
	}
	kmd_identity_wipe(&id);
	return status;
}
