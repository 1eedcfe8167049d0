/* cli_transcript.c: keymesh transcript: takes the record of a key generation or a reshare out of a peer's store, and verifies it without a
 * mesh, a daemon or a secret, saying in words what it shows. */
#include "config.h"
#include "mesh/cli.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "mesh/cli_recovery.h"
#include "mesh/conf.h"
#include "mesh/keysource.h"
#include "mesh/secure.h"
#include "mesh/store.h"
#include "node/settings.h"
#include "proto/transcript.h"

/* Exit status of keymesh transcript verify; its own, for scripts. */
enum { HOLDS = 0, FAILS = 1, USAGE = 2, UNREADABLE = 3 };

struct subject {
	const char *file, *roster_file, *table_file, *old_file;
	struct km_transcript_file f;
	struct km_roster roster;
};

static int usage(const char *what)
{
	fprintf(stderr, "keymesh: transcript: %s; see keymesh transcript --help\n", what);
	return USAGE;
}

static void print_hex(const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		printf("%02x", p[i]);
}

static void print_peer(const struct subject *s, unsigned id)
{
	printf("peer %u", id);
	if (s->roster_file && s->roster.peer[id].id)
		printf(" (%s)", s->roster.peer[id].name);
}

static void print_set(const struct subject *s, const char *what, uint32_t set)
{
	printf("%-11s", what);
	for (unsigned i = km_set_next(set, 0); i; i = km_set_next(set, i)) {
		print_peer(s, i);
		printf(km_set_next(set, i) ? ", " : "\n");
	}
}

/* The number of identities that are not the roster's. */
static unsigned print_people(const struct subject *s, const struct km_transcript_verdict *v)
{
	uint32_t set = v->participants | s->f.table.members;
	unsigned others = 0;

	printf(s->roster_file ? "compared with %s:\n"
			      : "This holds if the identities below are those of your mesh; compare them, or name your roster.conf with --roster%s:\n",
	       s->roster_file ? s->roster_file : "");
	for (unsigned i = km_set_next(set, 0); i; i = km_set_next(set, i)) {
		const uint8_t *id = km_set_has(s->f.table.members, i) ? s->f.table.idkeys[i] : s->f.old.idkeys[i];
		int same = s->roster_file && s->roster.peer[i].id && memcmp(id, s->roster.peer[i].identity, KM_IDKEY_SIZE) == 0;

		printf("  ");
		print_peer(s, i);
		printf("  ");
		print_hex(id, KM_IDKEY_SIZE);
		printf("%s\n", !s->roster_file ? "" : same ? "  as in the roster" :
				s->roster.peer[i].id ? "  ANOTHER than in the roster" : "  not in the roster");
		others += s->roster_file && !same;
	}
	return others;
}

static const char *round_name(const struct km_transcript_verdict *v)
{
	static const char *const dkg[] = {"G1", "G2", "G3", "G4", "G5", "STORED"};
	static const char *const reshare[] = {"R1", "R2", "R3", "R4", "R5", "STORED"};

	return v->proto == KM_PROTO_RESHARE ? reshare[v->round - 1] : dkg[v->round - 1];
}

static int say(const struct subject *s, const struct km_transcript_verdict *v)
{
	const struct km_table *t = &s->f.table;
	time_t at = (time_t)(v->time_ms / 1000);
	char when[64];
	struct tm tm;

	if (!v->holds) {
		printf("it does not hold\nwhy:       %s\n", v->why);
		if (v->peer) {
			printf("whose:     ");
			print_peer(s, v->peer);
			printf(v->round ? ", message %s\n" : "\n", v->round ? round_name(v) : "");
		}
		return FAILS;
	}
	printf("it holds: %s\n", v->why);
	printf("what:      %s\n", v->proto == KM_PROTO_RESHARE ? "a reshare" : "a key generation");
	printf("key:       %s, %u of %u, epoch %llu, table ", t->name, t->threshold, km_set_size(t->members), (unsigned long long)t->number);
	print_hex(t->hash, KM_HASH_SIZE);
	printf("\nkey id:    ");
	print_hex(t->key_id, KM_HASH_SIZE);
	printf("\nrun:       ");
	print_hex(t->sid, KM_HASH_SIZE);
	if (v->set_up && gmtime_r(&at, &tm) && strftime(when, sizeof(when), "%Y-%m-%d %H:%M:%S UTC", &tm))
		printf("\nproposed:  %s, joined by all of them\n", when);
	else
		printf("\nproposed:  the proposal and the joins were not kept; the table's word for the run is taken\n");
	print_set(s, "dealt by:", v->dealers);
	print_set(s, "members:", t->members);
	if (t->members & ~v->receivers)
		print_set(s, "no share:", t->members & ~v->receivers);
	if (v->stored)
		print_set(s, "stored by:", v->stored);
	if (print_people(s, v)) {
		printf("it does not hold for your roster: these are not all peers of yours\n");
		return FAILS;
	}
	return HOLDS;
}

static int verify_bytes(struct subject *s, const uint8_t *p, size_t len)
{
	struct km_transcript_verdict v;

	if (km_transcript_file_get(&s->f, p, len)) {
		/* an archive as a peer keeps it has no head */
		if (!s->table_file || (len >= 7 && memcmp(p, KM_TRANSCRIPT_MAGIC, 7) == 0)) {
			fprintf(stderr, "keymesh: %s: is no transcript, or damaged%s\n", s->file,
				s->table_file ? "" : "; an archive alone needs --table");
			return UNREADABLE;
		}
		s->f.archive = p;
		s->f.len = len;
	}
	if (s->table_file && kmd_cli_read_table(&s->f.table, s->table_file))
		return UNREADABLE;
	if (s->old_file) {
		if (kmd_cli_read_table(&s->f.old, s->old_file))
			return UNREADABLE;
		s->f.has_old = 1;
	}
	if (km_transcript_verify(s->f.archive, s->f.len, &s->f.table, s->f.has_old ? &s->f.old : NULL, &v)) {
		fprintf(stderr, "keymesh: out of memory\n");
		return UNREADABLE;
	}
	return say(s, &v);
}

/* ---- export */

struct export {
	const char *config, *out, *name;
	struct km_transcript_file f;
	struct km_buf newest;
	uint64_t number;
};

/* Every file of the store that is a transcript, whatever its name. */
static int newest(void *ctx, const char *name, const uint8_t *data, size_t len, struct kmd_fail *f)
{
	struct export *x = ctx;

	if (km_transcript_file_get(&x->f, data, len) || strcmp(x->f.table.name, x->name) || (x->newest.len && x->f.table.number <= x->number))
		return KM_OK;
	km_buf_reset(&x->newest);
	km_put_bytes(&x->newest, data, len);
	x->number = x->f.table.number;
	return x->newest.err ? kmd_fail(f, x->newest.err, "out of memory at %s", name) : KM_OK;
}

static int take_out(struct export *x, struct kmd_fail *f)
{
	struct kmd_config *c = NULL;
	struct kmd_store *store = NULL;
	int err = kmd_secure_process(f);

	if (!err)
		err = kmd_config_load(&c, x->config, f);
	if (!err && !c->is_peer)
		err = kmd_fail(f, KM_E_CONFIG, "%s: this node is no peer; it keeps no transcripts", x->config);
	if (!err)
		err = kmd_keysource_derive(c, KMD_KEY_OF_STATE, f);
	if (!err)
		err = kmd_store_open_reader(&store, c->state_dir, c->seal_key, f);
	if (!err)
		err = kmd_store_each(store, newest, x, f);
	if (!err && !x->newest.len)
		err = kmd_fail(f, KM_E_NOTFOUND, "there is no transcript of %s in %s (a peer keeps one of what it took part in)", x->name, c->state_dir);
	kmd_store_close(store);
	kmd_config_free(c);
	return err;
}

static int export(const char *name, const char *config, const char *out)
{
	struct export *x = calloc(1, sizeof(*x));
	struct kmd_fail f;
	int status;

	if (!x)
		return kmd_cli_error(KM_E_NOMEM, "out of memory");
	x->name = name;
	x->config = config ? config : "/etc/keymesh/keymesh.conf";
	x->out = out;
	km_buf_init(&x->newest);
	int err = take_out(x, &f);
	if (err)
		status = kmd_cli_error(err == KM_E_IO ? KM_E_STATE : err, "%s", f.text);
	else
		status = kmd_cli_write(x->out, 0644, x->newest.data, x->newest.len);
	km_buf_clear(&x->newest);
	free(x);
	return status;
}

int kmd_cmd_transcript(int argc, char **argv)
{
	static const struct option options[] = {
	    {"table", required_argument, NULL, 't'},
	    {"old-table", required_argument, NULL, 'b'},
	    {"roster", required_argument, NULL, 'r'},
	    {"config", required_argument, NULL, 'c'},
	    {NULL, 0, NULL, 0},
	};
	const char *config = NULL, *out = NULL;
	struct subject *s = NULL;
	uint8_t *p = NULL;
	int opt, ret = UNREADABLE, take;
	size_t len;

	if (argc < 2 || (strcmp(argv[1], "verify") && strcmp(argv[1], "export")))
		return usage("say verify or export");
	take = !strcmp(argv[1], "export");
	argc--;
	argv++;
	s = calloc(1, sizeof(*s));
	if (!s) {
		fprintf(stderr, "keymesh: out of memory\n");
		return UNREADABLE;
	}
	while ((opt = getopt_long(argc, argv, "c:o:", options, NULL)) != -1) {
		if (opt == 'c' && take) {
			config = optarg;
		} else if (opt == 'o' && take) {
			out = optarg;
		} else if (take) {
			ret = usage("wrong option");
			goto out;
		} else if (opt == 't') {
			s->table_file = optarg;
		} else if (opt == 'b') {
			s->old_file = optarg;
		} else if (opt == 'r') {
			s->roster_file = optarg;
		} else {
			ret = usage("wrong option");
			goto out;
		}
	}
	if (argc - optind != 1) {
		ret = usage(take ? "export takes the NAME of one key" : "verify takes one FILE");
		goto out;
	}
	if (take) {
		ret = export(argv[optind], config, out);
		goto out;
	}
	s->file = argv[optind];
	if (s->roster_file && kmd_cli_read_roster(&s->roster, s->roster_file))
		goto out;
	p = kmd_cli_read_file(s->file, &len);
	if (p)
		ret = verify_bytes(s, p, len);
out:
	free(p);
	free(s);
	return ret;
}
