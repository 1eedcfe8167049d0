/* cli_drill.c: keymesh drill: a custodian proves that a backup opens and holds the share of the public table. */
#include "config.h"
#include "mesh/cli_recovery.h"

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <string.h>
#include "base/hash.h"
#include "mesh/clock.h"
#include "mesh/files.h"
#include "mesh/secure.h"

struct options {
	const char *socket, *record;
	struct kmd_opener how;
	int report;
};

static int parse(struct options *o, int argc, char **argv)
{
	static const struct option options[] = {
	    {"socket", required_argument, NULL, 's'}, {"identity", required_argument, NULL, 'i'}, {"gpg", no_argument, NULL, 'g'},
	    {"record", required_argument, NULL, 'r'}, {"report", no_argument, NULL, 'R'},	  {NULL, 0, NULL, 0},
	};
	int opt;

	while ((opt = getopt_long(argc, argv, "i:", options, NULL)) != -1) {
		if (opt == 's')
			o->socket = optarg;
		else if (opt == 'i')
			o->how.identity = optarg;
		else if (opt == 'g')
			o->how.gpg = 1;
		else if (opt == 'r')
			o->record = optarg;
		else if (opt == 'R')
			o->report = 1;
		else
			return kmd_cli_usage("drill", "wrong option");
	}
	if (optind >= argc)
		return kmd_cli_usage("drill", "which files?");
	if (o->report ? o->how.gpg || o->how.identity || o->record : !o->how.gpg == !o->how.identity)
		return kmd_cli_usage("drill", "one of --identity FILE, --gpg and --report is needed");
	return KMD_EXIT_OK;
}

static int append(const char *path, const struct kmd_record *r)
{
	FILE *f = fopen(path, "a");

	if (!f)
		return kmd_cli_error(KM_E_STATE, "%s cannot be written: %s", path, strerror(errno));
	kmd_cli_put_record(f, r);
	return fclose(f) ? kmd_cli_error(KM_E_STATE, "%s cannot be written: %s", path, strerror(errno)) : KMD_EXIT_OK;
}

/* WHY no daemon is no failure: the custodian's machine need not be one of the mesh, and had better not be. */
static int deliver(const struct options *o, const struct kmd_record *r)
{
	struct kmd_fail f;
	int err;

	if (o->record)
		return append(o->record, r);
	err = kmd_cli_hand_in(o->socket, r, &f);
	if (!err)
		return printf("  %s\n", f.text) < 0 ? KMD_EXIT_FAILED : KMD_EXIT_OK;
	if (err != KM_E_IO || o->socket)
		return kmd_cli_error(err == KM_E_IO ? KM_E_STATE : err, "the record was not taken: %s", f.text);
	printf("  no keymeshd answers here; hand in this line at any peer, with keymesh drill --report:\n");
	kmd_cli_put_record(stdout, r);
	return KMD_EXIT_OK;
}

static int drill(const struct options *o, const char *path)
{
	struct kmd_record r = {.kind = KMD_RECORD_DRILL, .at_ms = kmd_now().wall_ms};
	struct kmd_opened b;
	struct kmd_fail f;
	int err = kmd_opened_read(&b, path, &o->how, &f);

	if (err)
		return kmd_cli_error(KM_E_STATE, "%s", f.text);
	r.backup_ms = b.head.made_ms;
	err = km_sha2(256, b.raw, b.raw_len, r.file);
	if (!err)
		err = kmd_record_prove(&r, b.share);
	if (err)
		err = kmd_cli_error(err, "%s: %s", path, km_strerror(err));
	else
		printf("%s: the share of peer %u (%s) of key %s, epoch %" PRIu64 ", opens and is that of its public point\n", path, b.head.peer,
		       b.head.peer_name, b.head.key_name, b.head.number);
	kmd_opened_clear(&b);
	return err ? err : deliver(o, &r);
}

/* Lines that begin with the prefix are records, others do not matter: they may stand in a mail. */
static int report(const struct options *o, const char *path)
{
	FILE *in = !strcmp(path, "-") ? stdin : fopen(path, "r");
	char line[2 * KMD_RECORD_MAX + 64];
	unsigned found = 0;
	int status = KMD_EXIT_OK;

	if (!in)
		return kmd_cli_error(KM_E_STATE, "%s cannot be read: %s", path, strerror(errno));
	while (!status && fgets(line, sizeof(line), in)) {
		size_t skip = strlen(KMD_RECORD_PREFIX), n = strlen(line);
		uint8_t bytes[KMD_RECORD_MAX];
		struct kmd_record r;
		struct kmd_fail f;
		int err;

		while (n && isspace((unsigned char)line[n - 1]))
			n--;
		if (n <= skip || memcmp(line, KMD_RECORD_PREFIX, skip))
			continue;
		n -= skip;
		found++;
		err = n / 2 > sizeof(bytes) ? KM_E_LIMIT : kmd_hex_decode(bytes, n / 2, line + skip, n);
		if (!err)
			err = kmd_record_decode(&r, bytes, n / 2);
		if (err) {
			status = kmd_cli_error(KM_E_STATE, "%s: record %u is damaged: %s", path, found, km_strerror(err));
			break;
		}
		err = kmd_cli_hand_in(o->socket, &r, &f);
		if (err)
			status = kmd_cli_error(err, "%s: record %u was not taken: %s", path, found, f.text);
		else
			printf("%s\n", f.text);
	}
	if (in != stdin)
		fclose(in);
	return status || found ? status : kmd_cli_error(KM_E_STATE, "%s has no line that begins with " KMD_RECORD_PREFIX, path);
}

int kmd_cmd_drill(int argc, char **argv)
{
	struct options o = {0};
	struct kmd_fail f;
	int status = parse(&o, argc, argv), i;

	if (status)
		return status;
	if (kmd_secure_process(&f))
		return kmd_cli_error(KM_E_STATE, "%s", f.text);
	/* each of them, also after one that failed: the operator wants to know of all */
	for (i = optind; i < argc; i++) {
		int one = o.report ? report(&o, argv[i]) : drill(&o, argv[i]);

		if (one)
			status = one;
	}
	return status;
}
