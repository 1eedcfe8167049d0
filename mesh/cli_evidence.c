/* cli_evidence.c: keymesh evidence: judges a piece of evidence without a mesh, a daemon or a secret, and says in words what it proves. */
#include "config.h"
#include "mesh/cli.h"

#include <dirent.h>
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include "mesh/files.h"
#include "mesh/roster.h"
#include "node/settings.h"
#include "proto/evidence.h"
#include "proto/presign.h"
#include "proto/setup.h"

/* Exit status of keymesh evidence verify; its own, for scripts. */
enum { PROVED = 0, VOID = 1, USAGE = 2, UNREADABLE = 3 };

#define FILE_MAX (KM_EVIDENCE_MAX + 65536u)

struct options {
	const char *file, *table, *roster, *state;
};

static int usage(const char *what)
{
	fprintf(stderr, "keymesh: evidence: %s; see keymesh evidence --help\n", what);
	return USAGE;
}

/* ---- reading */

static int unreadable(const char *path, const char *why)
{
	fprintf(stderr, "keymesh: %s: %s\n", path, why);
	return UNREADABLE;
}

uint8_t *kmd_cli_read_file(const char *path, size_t *len)
{
	FILE *f = strcmp(path, "-") ? fopen(path, "rb") : stdin;
	uint8_t *p = malloc(FILE_MAX + 1);
	struct stat st;

	*len = 0;
	if (!f || !p || fstat(fileno(f), &st)) {
		unreadable(path, p ? strerror(errno) : "out of memory");
	} else if (S_ISDIR(st.st_mode)) {
		unreadable(path, "is a directory; name one file of it");
	} else {
		*len = fread(p, 1, FILE_MAX + 1, f);
		if (ferror(f))
			unreadable(path, strerror(errno));
		else if (!*len)
			unreadable(path, "is empty");
		else if (*len > FILE_MAX)
			unreadable(path, "is too long for such a file");
		else
			goto out;
	}
	free(p);
	p = NULL;
out:
	if (f && f != stdin)
		fclose(f);
	return p;
}

int kmd_cli_read_roster(struct km_roster *r, const char *path)
{
	struct kmd_fail f;

	if (!kmd_roster_read(r, path, &f))
		return 0;
	fprintf(stderr, "keymesh: %s\n", f.text);
	return UNREADABLE;
}

int kmd_cli_read_table(struct km_table *t, const char *path)
{
	struct km_evidence_file *f = calloc(1, sizeof(*f));
	struct km_reader r;
	size_t len;
	uint8_t *p = kmd_cli_read_file(path, &len);
	int ret = UNREADABLE;

	if (p && f && km_evidence_file_get(f, p, len) == KM_OK && f->has_table) {
		*t = f->table;
		ret = 0;
	} else if (p) {
		km_reader_init(&r, p, len);
		ret = km_table_decode(t, &r) || km_reader_end(&r) ? unreadable(path, "is no table of a key") : 0;
	}
	free(p);
	free(f);
	return ret;
}

/* ---- saying it */

struct subject {
	const struct options *o;
	struct km_evidence_file *f;     /* what the file brings */
	struct km_table table;
	int has_table, has_roster;
	struct km_roster roster;
	uint8_t idkeys[KM_MAX_PEERS + 1][KM_IDKEY_SIZE];
	int has_idkeys;
};

static void print_hex(const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		printf("%02x", p[i]);
}

static void print_peer(const struct subject *s, unsigned id)
{
	printf("peer %u", id);
	if (s->has_roster && s->roster.peer[id].id)
		printf(" (%s)", s->roster.peer[id].name);
}

static const char *round_name(unsigned proto, unsigned round)
{
	static const char *const dkg[] = {"G1", "G2", "G3", "G4", "G5", "G6"};
	static const char *const reshare[] = {"R1", "R2", "R3", "R4", "R5", "STORED"};
	static const char *const majority[] = {"M1", "M2", "M3", "C3", "OK", "PASS", "C4"};
	static const char *const any[] = {"Y1", "Y2", "Y3", "Y4", "C3", "OK", "PASS", "C4"};
	size_t at = round - 1u;

	if (proto == KM_PROTO_DKG && at < 6)
		return dkg[at];
	if (proto == KM_PROTO_RESHARE && at < 6)
		return reshare[at];
	if (proto == KM_PROTO_MAJORITY && at < 7)
		return majority[at];
	if (proto == KM_PROTO_ANY && at < 8)
		return any[at];
	return proto == KM_PROTO_RECORD ? "RECORD" : proto == KM_PROTO_READY ? "READY" : "?";
}

static void print_run(const struct subject *s, const struct km_verdict *v)
{
	static const char *const runs[] = {[KM_PROTO_DKG] = "a key generation", [KM_PROTO_RESHARE] = "a reshare",
					   [KM_PROTO_MAJORITY] = "a presigning run (engine majority)",
					   [KM_PROTO_ANY] = "a presigning run (engine any)", [KM_PROTO_RECORD] = "a request to sign",
					   [KM_PROTO_READY] = "the end of a presigning run"};
	const char *run = v->proto < sizeof(runs) / sizeof(runs[0]) && runs[v->proto] ? runs[v->proto] : "a run";
	time_t at = (time_t)(v->time_ms / 1000);
	char when[64];
	struct tm tm;

	printf("when:      in %s, message %s", run, round_name(v->proto, v->round));
	if (v->index != UINT_MAX)
		printf(", presignature %u of the run", v->index);
	if (v->time_ms && gmtime_r(&at, &tm) && strftime(when, sizeof(when), "%Y-%m-%d %H:%M:%S UTC", &tm))
		printf("; asked for at %s", when);
	printf("\n");
	if (v->participants) {
		printf("among:    ");
		for (unsigned i = km_set_next(v->participants, 0); i; i = km_set_next(v->participants, i)) {
			printf(" ");
			print_peer(s, i);
			printf(km_set_next(v->participants, i) ? "," : "\n");
		}
	}
	printf("run:       ");
	print_hex(v->sid, KM_HASH_SIZE);
	printf("\n");
}

/* Whose identities the verdict stands on, and whether they are the operator's. */
static void print_trust(const struct subject *s, const struct km_verdict *v)
{
	uint32_t set = v->participants ? v->participants | km_set_bit(v->culprit) : s->has_table ? s->table.members : km_set_bit(v->culprit);
	unsigned others = 0;

	printf(s->has_roster ? "compared with %s:\n"
			     : "This holds if the identities below are those of your mesh; compare them, or name your roster.conf with --roster%s:\n",
	       s->has_roster ? s->o->roster : "");
	for (unsigned i = km_set_next(set, 0); i; i = km_set_next(set, i)) {
		/* a new member of a reshare is not in the table yet */
		const uint8_t *id = s->has_table && km_set_has(s->table.members, i) ? s->table.idkeys[i] : s->idkeys[i];
		const char *same = "";

		if (s->has_roster && !s->roster.peer[i].id)
			same = "  not in the roster";
		else if (s->has_roster)
			same = memcmp(id, s->roster.peer[i].identity, KM_IDKEY_SIZE) ? "  ANOTHER than in the roster" : "  as in the roster";
		others += same[0] && same[2] != 'a';
		printf("  ");
		print_peer(s, i);
		printf("  ");
		print_hex(id, KM_IDKEY_SIZE);
		printf("%s\n", same);
	}
	if (others)
		printf("The culprit is the one of your roster; others of that run are not (any more).\n");
}

static int say(const struct subject *s, const struct km_verdict *v, const uint8_t context[KM_HASH_SIZE])
{
	if (!v->culprit) {
		printf("void: this proves nothing against anybody\nwhy:       %s\n", v->why);
		return VOID;
	}
	printf("proved: ");
	print_peer(s, v->culprit);
	printf(" has cheated\nwhat:      %s (%s)\n", v->why, km_evidence_name(v->kind));
	print_run(s, v);
	if (s->has_table && !memcmp(s->table.hash, context, KM_HASH_SIZE))
		printf("key:       %s, %u of %u, table ", s->table.name, s->table.threshold, km_set_size(s->table.members));
	else
		printf("roster:    ");
	print_hex(context, KM_HASH_SIZE);
	printf("\n");
	print_trust(s, v);
	return PROVED;
}

/* ---- verify */

/* Whose identities: the operator's roster, else what the file says of the roster it was made under. */
static void choose_identities(struct subject *s, struct km_judge *j, const uint8_t context[KM_HASH_SIZE])
{
	const struct km_evidence_file *f = s->f;

	for (unsigned i = 1; s->has_roster && i <= KM_MAX_PEERS; i++)
		memcpy(s->idkeys[i], s->roster.peer[i].identity, KM_IDKEY_SIZE);
	for (unsigned i = 0; !s->has_roster && i < f->n_peers; i++)
		memcpy(s->idkeys[f->peer[i].id], f->peer[i].identity, KM_IDKEY_SIZE);
	s->has_idkeys = s->has_roster || f->n_peers;
	j->table = s->has_table ? &s->table : NULL;
	if (s->has_idkeys)
		j->idkeys = (const uint8_t(*)[KM_IDKEY_SIZE])s->idkeys;
	/* an edited roster has another hash; identities are what counts */
	if (s->has_roster && !s->has_table && memcmp(s->roster.hash, context, KM_HASH_SIZE))
		printf("note: the evidence was made under another roster than %s\n", s->o->roster);
	else if (!s->has_roster && !s->has_table)
		j->roster = f->roster;
}

static int judge(struct subject *s, const uint8_t *ev, size_t len)
{
	uint8_t context[KM_HASH_SIZE];
	enum km_evidence_kind kind;
	struct km_judge j = {0};
	struct km_verdict v;

	if (km_evidence_peek(ev, len, &kind, context))
		return unreadable(s->o->file, "is no evidence that this version knows");
	choose_identities(s, &j, context);
	if (km_evidence_judge(ev, len, &j, &v))
		return unreadable(s->o->file, "out of memory");
	return say(s, &v, context);
}

static int is_dispute(const uint8_t *p, size_t len)
{
	struct km_msg m;

	return km_msg_parse(&m, p, len) == KM_OK && m.proto == KM_PROTO_DISPUTE;
}

static int verify_bytes(struct subject *s, const uint8_t *p, size_t len)
{
	static const char magic[] = KM_EVIDENCE_MAGIC;
	enum km_evidence_kind kind;
	uint8_t context[KM_HASH_SIZE];

	if (len >= sizeof(magic) - 1 && !memcmp(p, magic, sizeof(magic) - 1)) {
		int err = km_evidence_file_get(s->f, p, len);

		if (err)
			return unreadable(s->o->file, err == KM_E_TRUNCATED ? "is cut off" : "is damaged");
		if (!s->o->table && s->f->has_table) {
			s->table = s->f->table;
			s->has_table = 1;
		}
		return judge(s, s->f->ev, s->f->len);
	}
	if (km_evidence_peek(p, len, &kind, context) == KM_OK)
		return judge(s, p, len);
	if (is_dispute(p, len)) {
		printf("void: this is a dispute\nwhy:       one peer's signed word against another about their own channel; nobody else can check it\n");
		return VOID;
	}
	return unreadable(s->o->file, "is no evidence file");
}

static int verify(const struct options *o)
{
	struct subject *s = calloc(1, sizeof(*s));
	struct km_evidence_file *f = calloc(1, sizeof(*f));
	uint8_t *p = NULL;
	size_t len;
	int ret = UNREADABLE;

	if (!s || !f) {
		fprintf(stderr, "keymesh: out of memory\n");
		goto out;
	}
	s->o = o;
	s->f = f;
	if (o->table && kmd_cli_read_table(&s->table, o->table))
		goto out;
	s->has_table = o->table != NULL;
	if (o->roster && kmd_cli_read_roster(&s->roster, o->roster))
		goto out;
	s->has_roster = o->roster != NULL;
	p = kmd_cli_read_file(o->file, &len);
	if (p)
		ret = verify_bytes(s, p, len);
out:
	free(p);
	free(f);
	free(s);
	return ret;
}

/* ---- list */

static int not_dot(const struct dirent *e)
{
	return e->d_name[0] != '.';
}

static void list_one(const char *dir, const char *name)
{
	struct km_evidence_file *f = calloc(1, sizeof(*f));
	char path[PATH_MAX];
	uint8_t context[KM_HASH_SIZE], *p;
	enum km_evidence_kind kind;
	struct km_judge j = {0};
	struct km_verdict v;
	size_t len;

	if (snprintf(path, sizeof(path), "%s/%s", dir, name) >= (int)sizeof(path))
		goto out;
	p = kmd_cli_read_file(path, &len);
	if (!p || !f)
		goto out;
	if (is_dispute(p, len)) {
		printf("%.16s  dispute\n", name);
	} else if (km_evidence_file_get(f, p, len) || km_evidence_peek(f->ev, f->len, &kind, context)) {
		printf("%.16s  not readable\n", name);
	} else {
		uint8_t ids[KM_MAX_PEERS + 1][KM_IDKEY_SIZE] = {{0}};

		for (unsigned i = 0; i < f->n_peers; i++)
			memcpy(ids[f->peer[i].id], f->peer[i].identity, KM_IDKEY_SIZE);
		j.idkeys = (const uint8_t(*)[KM_IDKEY_SIZE])ids;
		j.table = f->has_table ? &f->table : NULL;
		if (!km_evidence_judge(f->ev, f->len, &j, &v) && v.culprit)
			printf("%.16s  %-4s peer %u: %s\n", name, km_evidence_name(kind), v.culprit, v.why);
		else
			printf("%.16s  %-4s void: %s\n", name, km_evidence_name(kind), v.why);
	}
	free(p);
out:
	free(f);
}

static int list(const struct options *o)
{
	char dir[PATH_MAX];
	struct dirent **names;

	if (snprintf(dir, sizeof(dir), "%s/evidence", o->state) >= (int)sizeof(dir))
		return usage("that path is too long");
	int n = scandir(dir, &names, not_dot, alphasort);
	if (n < 0)
		return unreadable(dir, strerror(errno));
	for (int i = 0; i < n; i++) {
		list_one(dir, names[i]->d_name);
		free(names[i]);
	}
	free(names);
	return 0;
}

int kmd_cmd_evidence(int argc, char **argv)
{
	static const struct option options[] = {
	    {"table", required_argument, NULL, 't'},
	    {"roster", required_argument, NULL, 'r'},
	    {"state", required_argument, NULL, 's'},
	    {NULL, 0, NULL, 0},
	};
	struct options o = {.state = "/var/lib/keymesh"};
	int opt, state = 0;

	if (argc < 2)
		return usage("say verify or list");
	const char *what = argv[1];
	argc--;
	argv++;
	while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (opt == 't')
			o.table = optarg;
		else if (opt == 'r')
			o.roster = optarg;
		else if (opt == 's')
			o.state = optarg, state = 1;
		else
			return usage("wrong option");
	}
	if (!strcmp(what, "list") && optind == argc && !o.table && !o.roster)
		return list(&o);
	if (strcmp(what, "verify"))
		return usage(strcmp(what, "list") ? "say verify or list" : "list takes --state DIR and nothing else");
	if (state || argc - optind != 1)
		return usage("verify takes one FILE");
	o.file = argv[optind];
	return verify(&o);
}
