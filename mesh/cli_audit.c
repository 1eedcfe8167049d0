/* cli_audit.c: keymesh audit: reads, checks and compares the logs of peers, without a mesh, a daemon or a secret. */
#include "config.h"
#include "mesh/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <nettle/base64.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "audit/monitor.h"
#include "mesh/audit_read.h"
#include "mesh/clock.h"
#include "mesh/files.h"
#include "mesh/roster.h"

/* Exit status of verify and compare: 1 is what an operator must look into. */
enum { GOOD = 0, BAD = 1, UNREADABLE = 3 };

struct options {
	const char *dir, *roster_file, *peer, *to, *kind;
	uint64_t from, until;
	struct km_roster roster;
	int has_roster;
};

static int say(int ret, const struct kmd_fail *f)
{
	fprintf(stderr, "keymesh: %s\n", f->text);
	return ret;
}

static int status_of(int err)
{
	return err == KM_E_IO || err == KM_E_NOTFOUND || err == KM_E_VERSION || err == KM_E_NOMEM ? UNREADABLE : BAD;
}

/* ---- show */

static int show_entry(void *ctx, uint64_t seq, const uint8_t *entry, size_t len, const uint8_t leaf[KM_HASH_SIZE])
{
	const struct options *o = ctx;
	struct km_audit_entry e;
	const char *name;

	(void)!km_audit_decode(&e, entry, len);
	name = km_audit_kind_name(e.kind);
	if (seq >= o->from && seq <= o->until && (!o->kind || (name && !strcmp(name, o->kind))))
		kmd_cli_show_entry(seq, entry, len);
	return KM_OK;
}

static int cmd_show(struct options *o)
{
	struct kmd_audit_reader r;
	struct kmd_fail f;
	int err = kmd_audit_reader_open(&r, o->dir, &f);

	if (err)
		return say(status_of(err), &f);
	err = kmd_audit_reader_go(&r, show_entry, o, &f);
	kmd_audit_reader_close(&r);
	return err ? say(status_of(err), &f) : GOOD;
}

/* ---- verify */

/* Whose key: the peer named by --peer, or by the log's own name. */
static const struct km_roster_peer *whose(const struct options *o, const char *origin)
{
	const char *name = o->peer ? o->peer : strrchr(origin, '/') ? strrchr(origin, '/') + 1 : "";
	unsigned id = o->has_roster ? kmd_roster_find(&o->roster, name) : 0;

	return id ? &o->roster.peer[id] : NULL;
}

static void put_cosigners(const struct options *o, const struct km_roster_peer *self, const char *text, size_t len, const char *origin)
{
	struct km_note note;
	unsigned n = 0;

	if (km_note_parse(&note, text, len))
		return;
	for (unsigned i = 1; i <= KM_MAX_PEERS; i++) {
		const struct km_roster_peer *p = &o->roster.peer[i];
		char name[2 * KM_NOTE_NAME_MAX];
		uint64_t when;

		if (!p->id || p == self)
			continue;
		snprintf(name, sizeof(name), "%.*s/%s", (int)(strrchr(origin, '/') ? strrchr(origin, '/') - origin : 0), origin, p->name);
		if (strlen(name) > KM_NOTE_NAME_MAX)
			continue;
		int err = km_cosign_of(&note, name, p->identity, &when);
		if (err == KM_E_NOTFOUND)
			continue;
		printf("  cosigned by %s, ", name);
		kmd_cli_put_time(when * 1000);
		printf(err ? ": WRONG\n" : "\n");
		n += !err;
	}
	printf("  %u other peer%s ha%s cosigned it\n", n, n == 1 ? "" : "s", n == 1 ? "s" : "ve");
}

/* The name that the checkpoint gives the log; nothing is believed of it. */
static int origin_of(const struct kmd_audit_reader *r, char origin[KM_NOTE_NAME_MAX + 1])
{
	struct km_checkpoint c;
	struct km_note note;
	struct kmd_fail f;
	uint8_t *data;
	size_t len;
	int err = kmd_audit_slurp(r->view.dirfd, "checkpoint", &data, &len, &f);

	origin[0] = 0;
	if (err)
		return err;
	err = km_note_parse(&note, data, len);
	if (!err)
		err = km_checkpoint_parse(&c, note.text, note.len);
	if (!err)
		memcpy(origin, c.origin, sizeof(c.origin));
	free(data);
	return err;
}

static int verify_checkpoint(struct options *o, struct kmd_audit_reader *r)
{
	char origin[KM_NOTE_NAME_MAX + 1], text[KM_NOTE_MAX];
	const struct km_roster_peer *p;
	struct km_checkpoint c;
	struct kmd_fail f;
	size_t len;
	int err = origin_of(r, origin);

	if (err == KM_E_NOTFOUND) {
		printf("checkpoint: none: entries can be taken off its end unnoticed\n");
		return GOOD;
	}
	p = err ? NULL : whose(o, origin);
	if (err || !p) {
		printf("checkpoint: of %s, NOT checked: %s\n", err ? "?" : origin,
		       err ? "it is no signed note" : o->has_roster ? "the roster has no such peer; name it with --peer" : "name your roster.conf with --roster");
		return err ? BAD : GOOD;
	}
	err = kmd_audit_reader_checkpoint(r, p->identity, &c, text, &len, &f);
	if (err == KM_E_STALE && !kmd_audit_reader_go(r, NULL, NULL, &f)) /* it grew meanwhile */
		err = kmd_audit_reader_checkpoint(r, p->identity, &c, text, &len, &f);
	if (err)
		return say(status_of(err), &f);
	printf("checkpoint: of %s, signed by peer %u (%s), holds for the first %llu entries\n", c.origin, p->id, p->name, (unsigned long long)c.size);
	put_cosigners(o, p, text, len, c.origin);
	return GOOD;
}

static int cmd_verify(struct options *o)
{
	struct kmd_audit_reader r;
	uint8_t root[KM_HASH_SIZE];
	struct kmd_fail f;
	int err = kmd_audit_reader_open(&r, o->dir, &f), ret;

	if (err)
		return say(status_of(err), &f);
	err = kmd_audit_reader_go(&r, NULL, NULL, &f);
	if (err) {
		kmd_audit_reader_close(&r);
		return say(status_of(err), &f);
	}
	printf("%s: %llu entries", o->dir, (unsigned long long)r.chain.seq);
	if (r.first)
		printf(", from %llu on (those before are pruned)", (unsigned long long)r.first);
	km_tree_root(&r.view.tree, root);
	printf(", chain and tree hold\n");
	kmd_cli_put_hex("root", root, KM_HASH_SIZE);
	putchar('\n');
	ret = verify_checkpoint(o, &r);
	kmd_audit_reader_close(&r);
	return ret;
}

/* ---- prove */

struct wanted {
	uint64_t seq;
	uint8_t entry[KM_AUDIT_ENTRY_MAX], leaf[KM_HASH_SIZE];
	size_t len;
};

static int keep_entry(void *ctx, uint64_t seq, const uint8_t *entry, size_t len, const uint8_t leaf[KM_HASH_SIZE])
{
	struct wanted *w = ctx;

	if (seq == w->seq) {
		memcpy(w->entry, entry, len);
		memcpy(w->leaf, leaf, KM_HASH_SIZE);
		w->len = len;
	}
	return KM_OK;
}

static void put_base64(const char *name, const uint8_t *p, size_t n)
{
	struct km_buf b;

	km_buf_init(&b);
	km_base64_put(&b, p, n);
	printf("%s%.*s\n", name, b.err ? 0 : (int)b.len, b.err ? "" : (const char *)b.data);
	km_buf_clear(&b);
}

/* C2SP tlog-proof: the entry is the extra data, the checkpoint follows. */
static int cmd_prove(struct options *o, const char *number)
{
	struct wanted w = {.len = 0};
	struct kmd_audit_reader r;
	struct km_tree_proof p;
	struct km_checkpoint c = {.size = 0};
	struct km_note note;
	struct kmd_fail f;
	uint8_t *data;
	size_t len;
	char *end;

	errno = 0;
	w.seq = strtoull(number, &end, 10);
	if (errno || *end || end == number)
		return kmd_cli_usage("audit", "\"%s\" is no number of an entry; keymesh audit show has them", number);
	int err = kmd_audit_reader_open(&r, o->dir, &f);
	if (err)
		return say(status_of(err), &f);
	err = kmd_audit_reader_go(&r, keep_entry, &w, &f);
	if (!err && !w.len)
		err = kmd_fail(&f, KM_E_RANGE, "%s has entries %llu to %llu", o->dir, (unsigned long long)r.first, (unsigned long long)r.chain.seq - 1);
	if (!err)
		err = kmd_audit_slurp(r.view.dirfd, "checkpoint", &data, &len, &f);
	if (!err) {
		err = km_note_parse(&note, data, len);
		if (!err)
			err = km_checkpoint_parse(&c, note.text, note.len);
		if (!err && c.size <= w.seq)
			err = kmd_fail(&f, KM_E_RANGE, "the checkpoint covers %llu entries; entry %llu is in the next one", (unsigned long long)c.size,
				       (unsigned long long)w.seq);
		else if (!err)
			err = km_tree_prove(&p, kmd_audit_view_look, &r.view, w.seq, c.size);
		if (!err && km_tree_check(&p, w.leaf, w.seq, c.size, c.root))
			err = kmd_fail(&f, KM_E_MISMATCH, "%s: the checkpoint is not of these entries: the log was changed", o->dir);
		if (!err) {
			puts("c2sp.org/tlog-proof@v1");
			put_base64("extra ", w.entry, w.len);
			printf("index %llu\n", (unsigned long long)w.seq);
			for (unsigned i = 0; i < p.n; i++)
				put_base64("", p.node[i], KM_HASH_SIZE);
			printf("\n%.*s", (int)len, (const char *)data);
		}
		free(data);
	}
	kmd_audit_reader_close(&r);
	return err ? say(status_of(err), &f) : GOOD;
}

/* The next line of a text, without its newline; NULL at its end. */
static const char *line_of(const char **p, size_t *left, size_t *n)
{
	const char *at = *p, *end = memchr(at, '\n', *left);

	if (!end)
		return NULL;
	*n = (size_t)(end - at);
	*left -= *n + 1;
	*p = end + 1;
	return at;
}

/* extra: the entry. */
static int get_entry(struct wanted *w, const char *p, size_t n)
{
	struct base64_decode_ctx c;
	uint8_t raw[KM_AUDIT_ENTRY_MAX + 8];

	base64_decode_init(&c);
	w->len = sizeof(raw);
	if (BASE64_DECODE_LENGTH(n) > sizeof(raw) || !base64_decode_update(&c, &w->len, raw, n, p) || !base64_decode_final(&c) ||
	    w->len > KM_AUDIT_ENTRY_MAX)
		return KM_E_ENCODING;
	memcpy(w->entry, raw, w->len);
	km_merkle_leaf(raw, w->len, w->leaf);
	return KM_OK;
}

/* What cmd_prove writes; *note: the checkpoint. */
static int get_proof(struct wanted *w, struct km_tree_proof *proof, const char **p, size_t *left)
{
	const char *line;
	size_t n = 0, got;

	line = line_of(p, left, &n);
	if (!line || n != 22 || memcmp(line, "c2sp.org/tlog-proof@v1", n))
		return KM_E_VERSION;
	line = line_of(p, left, &n);
	if (!line || n < 6 || memcmp(line, "extra ", 6) || get_entry(w, line + 6, n - 6))
		return KM_E_ENCODING;
	line = line_of(p, left, &n);
	if (!line || n < 7 || n > 26 || memcmp(line, "index ", 6))
		return KM_E_ENCODING;
	w->seq = strtoull(line + 6, NULL, 10);
	for (proof->n = 0; (line = line_of(p, left, &n)) && n; proof->n++)
		if (proof->n == KM_TREE_PROOF_MAX || km_base64_get(proof->node[proof->n], KM_HASH_SIZE, &got, line, n) || got != KM_HASH_SIZE)
			return KM_E_ENCODING;
	return line ? KM_OK : KM_E_TRUNCATED;
}

/* Of a stranger's word: everything is checked, with the roster alone. */
static int cmd_check(struct options *o, const char *file)
{
	struct km_tree_proof proof = {.n = 0};
	struct wanted w = {.len = 0};
	const struct km_roster_peer *peer;
	struct km_checkpoint c;
	struct km_note note;
	struct kmd_fail f;
	uint8_t *data;
	size_t len;

	if (!o->has_roster)
		return kmd_cli_usage("audit", "check needs --roster FILE");
	int err = kmd_audit_slurp(AT_FDCWD, file, &data, &len, &f);
	if (err)
		return say(UNREADABLE, &f);
	const char *p = (const char *)data;
	size_t left = len;
	err = get_proof(&w, &proof, &p, &left);
	if (!err)
		err = km_note_parse(&note, p, left);
	if (!err)
		err = km_checkpoint_parse(&c, note.text, note.len);
	if (err) {
		(void)kmd_fail(&f, err, "%s is no proof that keymesh audit prove has written: %s", file, km_strerror(err));
	} else if (!(peer = whose(o, c.origin))) {
		err = kmd_fail(&f, KM_E_NOTFOUND, "the roster has no peer for the log %s; name it with --peer", c.origin);
	} else if (km_checkpoint_open(&c, &note, p, left, peer->identity)) {
		err = kmd_fail(&f, KM_E_VERIFY, "%s: the checkpoint is not signed by peer %u (%s)", file, peer->id, peer->name);
	} else if (km_tree_check(&proof, w.leaf, w.seq, c.size, c.root)) {
		err = kmd_fail(&f, KM_E_VERIFY, "%s: this entry is not the one of that number under the checkpoint", file);
	} else {
		printf("proved: entry %llu of the log %s, under its checkpoint of %llu entries\n", (unsigned long long)w.seq, c.origin,
		       (unsigned long long)c.size);
		put_cosigners(o, peer, p, left, c.origin);
		o->until = UINT64_MAX;
		(void)!show_entry(o, w.seq, w.entry, w.len, w.leaf);
	}
	free(data);
	return err ? say(BAD, &f) : GOOD;
}

/* ---- compare */

static void on_alert(void *ctx, const struct km_alert *a)
{
	const struct options *o = ctx;

	printf("%s", km_alert_name(a->kind));
	if (a->peer)
		printf(" peer=%u (%s)", a->peer, o->roster.peer[a->peer].name);
	putchar(' ');
	kmd_cli_put_time(a->time_ms);
	printf(" count=%llu", (unsigned long long)a->count);
	kmd_cli_put_hex("presignature", a->presig_id, KM_HASH_SIZE);
	kmd_cli_put_hex("key", a->key_id, KM_HASH_SIZE);
	putchar('\n');
}

struct feed {
	struct km_monitor *m;
	unsigned peer;
	int any;
};

static int feed_entry(void *ctx, uint64_t seq, const uint8_t *entry, size_t len, const uint8_t leaf[KM_HASH_SIZE])
{
	struct feed *d = ctx;
	struct km_audit_entry e;
	int err = km_audit_decode(&e, entry, len);

	if (!d->any++ && seq)
		km_monitor_begins(d->m, d->peer, e.time_ms);
	/* kinds of a later version are chained all the same */
	return err == KM_E_VERSION ? KM_OK : err ? err : km_monitor_entry(d->m, d->peer, &e);
}

/* NAME=DIR; fills the id in. */
static const char *log_of(struct options *o, const char *arg, unsigned *id)
{
	const char *eq = strchr(arg, '=');
	char name[KM_MAX_NAME + 1];

	if (!eq || (size_t)(eq - arg) >= sizeof(name))
		return NULL;
	snprintf(name, sizeof(name), "%.*s", (int)(eq - arg), arg);
	*id = kmd_roster_find(&o->roster, name);
	return *id ? eq + 1 : NULL;
}

static int cmd_compare(struct options *o, char **logs, int n)
{
	struct km_monitor_params params;
	struct km_monitor_counts counts;
	struct feed feed = {.m = NULL};
	const char *dir[KM_MAX_PEERS + 1] = {NULL};
	struct kmd_fail f;
	int ret = GOOD;

	if (!o->has_roster)
		return kmd_cli_usage("audit", "compare needs --roster FILE");
	km_monitor_defaults(&params);
	for (int i = 0; i < n; i++) {
		unsigned id = 0;
		const char *d = log_of(o, logs[i], &id);

		if (!d)
			return kmd_cli_usage("audit", "\"%s\" is not PEER=DIR with a peer of the roster", logs[i]);
		dir[id] = d;
		params.peers |= (uint32_t)1 << (id - 1);
	}
	params.open_max = 1u << 20;
	if (km_monitor_new(&feed.m, &params, on_alert, o))
		return kmd_cli_error(KM_E_NOMEM, "out of memory");
	for (unsigned id = 1; id <= KM_MAX_PEERS; id++) {
		struct kmd_audit_reader r;

		if (!dir[id])
			continue;
		feed.peer = id;
		feed.any = 0;
		int err = kmd_audit_reader_open(&r, dir[id], &f);
		if (!err) {
			err = kmd_audit_reader_go(&r, feed_entry, &feed, &f);
			kmd_audit_reader_close(&r);
		}
		if (err)
			ret = say(status_of(err), &f);
	}
	km_monitor_finish(feed.m);
	km_monitor_counts(feed.m, &counts);
	printf("%llu entries: %llu signatures in the logs of all their members, %llu attempts without a signature, %llu entries missing, %llu alerts\n",
	       (unsigned long long)counts.entries, (unsigned long long)counts.complete, (unsigned long long)counts.aborted,
	       (unsigned long long)counts.missing, (unsigned long long)counts.alerts);
	km_monitor_free(feed.m);
	return ret ? ret : counts.alerts ? BAD : GOOD;
}

/* ---- export */

static int copy(int from, int to, const char *name, struct kmd_fail *f)
{
	uint8_t *data;
	size_t len;
	int err = kmd_audit_slurp(from, name, &data, &len, f);

	if (!err)
		err = kmd_file_replace(to, name, data, len, f);
	free(data);
	return err;
}

/* Full segments that are not in the copy yet; then what may go is written down for the daemon. */
static int cmd_export(struct options *o)
{
	struct kmd_audit_reader r;
	struct kmd_fail f;
	char name[KMD_AUDIT_NAME], count[32];
	unsigned n = 0;
	int err, to = -1;

	if (!o->to)
		return kmd_cli_usage("audit", "export needs --to DIR");
	err = kmd_audit_reader_open(&r, o->dir, &f);
	if (err)
		return say(status_of(err), &f);
	/* WHY read first: a damaged log is not what should take the place of a good copy */
	err = kmd_audit_reader_go(&r, NULL, NULL, &f);
	if (!err)
		err = to = kmd_dir_open(o->to, &f);
	for (uint64_t seg = r.started ? r.first >> r.view.bits : 0; err >= 0 && r.started && seg < r.view.full; seg++) {
		kmd_audit_seg_name(name, seg, "log");
		if (!faccessat(to, name, F_OK, 0))
			continue;
		err = copy(r.view.dirfd, to, name, &f);
		kmd_audit_seg_name(name, seg, "tree");
		if (!err)
			err = copy(r.view.dirfd, to, name, &f);
		n++;
	}
	if (err >= 0 && r.started && r.view.full) {
		err = copy(r.view.dirfd, to, "roots", &f);
		snprintf(count, sizeof(count), "%llu\n", (unsigned long long)r.view.full);
		if (!err)
			err = kmd_file_replace(r.view.dirfd, "exported", count, strlen(count), &f);
	}
	if (err >= 0 && !faccessat(r.view.dirfd, "checkpoint", F_OK, 0))
		err = copy(r.view.dirfd, to, "checkpoint", &f);
	if (err >= 0)
		printf("%u segments copied; %llu entries of full segments are in %s\n", n, (unsigned long long)(r.started ? r.view.full << r.view.bits : 0), o->to);
	kmd_audit_reader_close(&r);
	if (to >= 0)
		close(to);
	return err < 0 ? say(status_of(err), &f) : GOOD;
}

/* ---- the command */

static int number(const char *text, uint64_t *v)
{
	char *end;

	errno = 0;
	*v = strtoull(text, &end, 10);
	return !errno && !*end && end != text;
}

int kmd_cmd_audit(int argc, char **argv)
{
	static const struct option options[] = {
	    {"dir", required_argument, NULL, 'd'},  {"roster", required_argument, NULL, 'r'}, {"peer", required_argument, NULL, 'p'},
	    {"from", required_argument, NULL, 'f'}, {"until", required_argument, NULL, 'u'},  {"kind", required_argument, NULL, 'k'},
	    {"to", required_argument, NULL, 't'},   {NULL, 0, NULL, 0},
	};
	static struct options o;
	struct kmd_fail f;
	int opt, ok = 1;

	memset(&o, 0, sizeof(o));
	o.dir = "/var/lib/keymesh/audit";
	o.until = UINT64_MAX;
	while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (opt) {
		case 'd': o.dir = optarg; break;
		case 'r': o.roster_file = optarg; break;
		case 'p': o.peer = optarg; break;
		case 'k': o.kind = optarg; break;
		case 't': o.to = optarg; break;
		case 'f': ok &= number(optarg, &o.from); break;
		case 'u': ok &= number(optarg, &o.until); break;
		default: return kmd_cli_usage("audit", "wrong option");
		}
	}
	if (!ok)
		return kmd_cli_usage("audit", "--from and --until take the number of an entry");
	if (optind >= argc)
		return kmd_cli_usage("audit", "verify, show, prove, check, compare or export?");
	if (o.roster_file && kmd_roster_read(&o.roster, o.roster_file, &f))
		return say(UNREADABLE, &f);
	o.has_roster = o.roster_file != NULL;
	const char *what = argv[optind++];
	if (!strcmp(what, "verify") && optind == argc)
		return cmd_verify(&o);
	if (!strcmp(what, "show") && optind == argc)
		return cmd_show(&o);
	if (!strcmp(what, "prove") && optind + 1 == argc)
		return cmd_prove(&o, argv[optind]);
	if (!strcmp(what, "check") && optind + 1 == argc)
		return cmd_check(&o, argv[optind]);
	if (!strcmp(what, "compare") && optind < argc)
		return cmd_compare(&o, argv + optind, argc - optind);
	if (!strcmp(what, "export") && optind == argc)
		return cmd_export(&o);
	return kmd_cli_usage("audit", "verify, show, prove ENTRY, check FILE, compare PEER=DIR..., or export --to DIR");
}
