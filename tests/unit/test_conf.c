/* test_conf.c: keymesh.conf: what is good is read, what is wrong is named with file, line and what to write instead. */
#include "config.h"
#include "lib/test.h"

#include <pwd.h>
#include "base/secret.h"
#include "lib/tempdir.h"
#include "mesh/address.h"
#include "mesh/conf.h"
#include "mesh/files.h"
#include "mesh/identity.h"
#include "mesh/schema.h"

#define N_PEERS 3

/* libconfig's parser forgets the string it was in when the syntax is wrong; the daemon ends then anyway. */
__attribute__((visibility("default"))) const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
	return "leak:libconfig";
}

static struct kmd_identity ids[N_PEERS + 1], other;

static void hex(char *out, const uint8_t *p)
{
	kmd_hex_encode(out, p, 32);
}

static void put_identity(const char *name, const struct kmd_identity *id, unsigned mode)
{
	char text[KMD_IDENTITY_TEXT];
	size_t n = kmd_identity_format(text, id);

	km_temp_write(name, text, n, mode);
}

/* Line numbers of the good file are counted on below. */
static void make_good(char *out, size_t size)
{
	char sign[N_PEERS + 1][65], channel[N_PEERS + 1][65];
	unsigned i;

	for (i = 0; i <= N_PEERS; i++) {
		hex(sign[i], ids[i].sign.pub);
		hex(channel[i], ids[i].channel_pub);
	}
	snprintf(
	    out, size,
	    "identity = { peer_id = 1; frontend_id = 7; secret_file = \"id.secret\"; };\n" /* 1 */
	    "roles = [ \"peer\", \"frontend\" ];\n"
	    "state_dir = \"state\";\n"
	    "seal = { key_file = \"seal.key\"; };\n"
	    "listen = {\n" /* 5 */
	    "  peers = \"127.0.0.1:7101\";\n"
	    "  frontends = \"127.0.0.1:7201\";\n"
	    "  local = \"sock\";\n"
	    "  local_users = [ \"root\", \"12345\" ];\n"
	    "};\n" /* 10 */
	    "pool = { target = 100; low = 50; };\n"
	    "peers = (\n"
	    "{ id = 1; name = \"a\"; address = \"127.0.0.1:7101\"; frontend_address = \"127.0.0.1:7201\"; identity = \"%s\"; "
	    "channel = \"%s\"; },\n"
	    "{ id = 2; name = \"b\"; address = \"127.0.0.1:7102\"; frontend_address = \"127.0.0.1:7202\"; identity = \"%s\"; "
	    "channel = \"%s\"; },\n"
	    "{ id = 3; name = \"c\"; address = \"[::1]:7103\"; frontend_address = \"host.example:7203\"; identity = \"%s\"; "
	    "channel = \"%s\"; }\n" /* 15 */
	    ");\n"
	    "frontends = ( { id = 7; name = \"fe\"; channel = \"%s\"; } );\n"
	    "keys = (\n"
	    "{ name = \"www\"; threshold = 2; contexts = [ \"tls13-server\", \"csr\" ]; frontends = [ \"fe\" ]; rate = 9; }\n"
	    ");\n",
	    sign[1], channel[1], sign[2], channel[2], sign[3], channel[3], channel[1]);
}

static char good[8192];

/* `good` with the first `from` replaced by `to`. */
static void write_changed(const char *from, const char *to)
{
	char text[10000];
	const char *at = strstr(good, from);

	assert_non_null(at);
	snprintf(text, sizeof(text), "%.*s%s%s", (int)(at - good), good, to, at + strlen(from));
	km_temp_write("keymesh.conf", text, strlen(text), 0644);
}

static void prepare(void)
{
	char seal[66];
	unsigned i;

	if (good[0])
		return;
	for (i = 0; i <= N_PEERS; i++)
		kmd_identity_make(&ids[i]);
	kmd_identity_make(&other);
	make_good(good, sizeof(good));
	put_identity("id.secret", &ids[1], 0600);
	memset(seal, 'a', 64);
	seal[64] = '\n';
	km_temp_write("seal.key", seal, 65, 0600);
}

/* The changed file is refused at that line (0: any), and the message has both what is wrong and what to do. */
static void refuse(const char *from, const char *to, unsigned line, const char *wrong, const char *cure)
{
	struct kmd_config *c;
	struct kmd_fail f = {""};
	char at[400];
	int err;

	prepare();
	write_changed(from, to);
	err = kmd_config_load(&c, km_temp("keymesh.conf"), &f);
	if (!err || !strstr(f.text, wrong) || !strstr(f.text, cure))
		print_message("# \"%s\" -> \"%s\": %s\n", from, to, err ? f.text : "accepted");
	assert_int_not_equal(err, KM_OK);
	assert_null(c);
	if (line) {
		snprintf(at, sizeof(at), "%s:%u: ", km_temp("keymesh.conf"), line);
		assert_memory_equal(f.text, at, strlen(at));
	}
	assert_non_null(strstr(f.text, wrong));
	assert_non_null(strstr(f.text, cure));
}

static void test_good(void **state)
{
	struct kmd_config *c;
	struct kmd_fail f;
	size_t before;

	prepare();
	before = km_secret_in_use();
	km_temp_write("keymesh.conf", good, strlen(good), 0644);
	assert_int_equal(kmd_config_load(&c, km_temp("keymesh.conf"), &f), KM_OK);
	assert_true(c->is_peer && c->is_frontend);
	assert_string_equal(c->self_name, "a");
	assert_string_equal(c->state_dir, km_temp("state"));
	assert_string_equal(c->listen_local, km_temp("sock"));
	assert_int_equal(c->settings.self_peer, 1);
	assert_int_equal(c->settings.self_frontend, 7);
	assert_int_equal(c->settings.roster.n, 3);
	assert_int_equal(c->settings.roster.members, 7);
	assert_int_equal(c->settings.pool_target, 100);
	assert_int_equal(c->settings.batch, 256);
	assert_int_equal(c->settings.n_keys, 1);
	assert_int_equal(c->settings.keys[0].rate, 9);
	assert_int_equal(c->settings.keys[0].contexts, km_context_bit(KM_CTX_TLS13_SERVER) | km_context_bit(KM_CTX_CSR));
	assert_true(km_policy_frontend_allowed(&c->settings.keys[0], 7));
	assert_false(km_policy_frontend_allowed(&c->settings.keys[0], 1));
	assert_string_equal(c->address[3], "[::1]:7103");
	assert_int_equal(c->n_local_uids, 2);
	assert_int_equal(c->local_uids[1], 12345);
	assert_memory_equal(c->settings.identity.priv, ids[1].sign.priv, 32);
	assert_int_equal(c->seal_key[0], 0xaa);
	assert_string_equal(c->warnings, "");
	kmd_config_free(c);
	assert_int_equal(km_secret_in_use(), before);
}

/* Every threshold up to the number of peers may stand; that none may be down then is said. */
static void test_warning(void **state)
{
	struct kmd_config *c;
	struct kmd_fail f;

	prepare();
	write_changed("threshold = 2", "threshold = 3");
	assert_int_equal(kmd_config_load(&c, km_temp("keymesh.conf"), &f), KM_OK);
	assert_non_null(strstr(c->warnings, "3 of 3 peers"));
	kmd_config_free(c);
}

/* What the file says of epochs, members by name and by id. */
static void test_epochs(void **state)
{
	static const struct {
		const char *text;
		uint32_t s;
	} ages[] = {{"7d", 604800}, {"12h", 43200}, {"10m", 600}, {"3650d", 315360000}, {"0", 0}};
	struct kmd_config *c;
	struct kmd_fail f;
	char to[400], pin[65];

	prepare();
	for (size_t i = 0; i < sizeof(ages) / sizeof(ages[0]); i++) {
		snprintf(to, sizeof(to), "threshold = 2; refresh = \"%s\"", ages[i].text);
		write_changed("threshold = 2", to);
		assert_int_equal(kmd_config_load(&c, km_temp("keymesh.conf"), &f), KM_OK);
		assert_int_equal(c->settings.keys[0].refresh_s, ages[i].s);
		assert_int_equal(c->settings.keys[0].members, 0);
		assert_false(c->settings.keys[0].pinned);
		kmd_config_free(c);
	}
	memset(pin, 'b', 64);
	pin[64] = 0;
	snprintf(to, sizeof(to), "threshold = 2; members = [ \"a\", \"2\", \"c\" ]; excluded = [ \"b\" ]; pin = \"%s\"", pin);
	write_changed("threshold = 2", to);
	assert_int_equal(kmd_config_load(&c, km_temp("keymesh.conf"), &f), KM_OK);
	assert_int_equal(c->settings.keys[0].members, 7);
	assert_int_equal(c->settings.keys[0].excluded, 2);
	assert_true(c->settings.keys[0].pinned);
	assert_int_equal(c->settings.keys[0].pin[31], 0xbb);
	kmd_config_free(c);
}

static void test_bad_epochs(void **state)
{
	static const char *const no_age[] = {"7", "d", "7w", "-7d", "7.5d", " 7d", "7dd", "07d", ""};
	static const char *const out_of_bounds[] = {"9m", "3651d", "99999999999999h"};
	char to[200];

	for (size_t i = 0; i + 1 < sizeof(no_age) / sizeof(no_age[0]); i++) {
		snprintf(to, sizeof(to), "threshold = 2; refresh = \"%s\"", no_age[i]);
		refuse("threshold = 2", to, 19, "is no age", "\"12h\"");
	}
	for (size_t i = 0; i < sizeof(out_of_bounds) / sizeof(out_of_bounds[0]); i++) {
		snprintf(to, sizeof(to), "threshold = 2; refresh = \"%s\"", out_of_bounds[i]);
		refuse("threshold = 2", to, 19, "is out of bounds", "\"10m\"");
	}
	refuse("threshold = 2", "threshold = 2; members = [ \"a\", \"d\" ]", 19, "members: \"d\" is no peer", "names or ids");
	refuse("threshold = 2", "threshold = 2; members = [ \"a\", \"1\" ]", 19, "members: peer 1 is there twice", "each once");
	refuse("threshold = 2", "threshold = 3; members = [ \"a\", \"b\" ]", 19, "threshold 3 is more than the 2 members", "from 2 to 2");
	refuse("threshold = 2", "threshold = 2; excluded = [ \"a\", \"b\" ]", 19, "excluded leaves 1 members", "lost for good");
	refuse("threshold = 2", "threshold = 2; excluded = [ \"x\" ]", 19, "excluded: \"x\" is no peer", "names or ids");
	refuse("threshold = 2", "threshold = 2; pin = \"abc\"", 19, "pin has 3 characters", "the key's id");
	refuse("threshold = 2", "threshold = 2; pin = \"gggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggg\"", 19, "not 64 hex digits",
	       "keymesh status --json");
}

/* A removed peer is known, and no member. */
static void test_removed(void **state)
{
	struct kmd_config *c;
	struct kmd_fail f;
	uint8_t roster[KM_HASH_SIZE];

	prepare();
	km_temp_write("keymesh.conf", good, strlen(good), 0644);
	assert_int_equal(kmd_config_load(&c, km_temp("keymesh.conf"), &f), KM_OK);
	memcpy(roster, c->settings.roster.hash, KM_HASH_SIZE);
	kmd_config_free(c);
	write_changed("id = 3; ", "id = 3; removed = 1; ");
	assert_int_equal(kmd_config_load(&c, km_temp("keymesh.conf"), &f), KM_OK);
	assert_int_equal(c->settings.roster.members, 3);
	assert_int_equal(c->settings.roster.removed, 4);
	assert_int_equal(c->settings.roster.n, 2);
	assert_memory_not_equal(c->settings.roster.hash, roster, KM_HASH_SIZE);
	assert_int_equal(c->settings.roster.peer[3].id, 3);
	assert_string_equal(c->address[3], "[::1]:7103");
	assert_non_null(strstr(c->warnings, "2 of 2 peers"));
	kmd_config_free(c);
	refuse("id = 1; name", "id = 1; removed = 1; name", 13, "peer 1 is this node", "keeps its line");
	refuse("id = 3; ", "id = 3; removed = 2; ", 15, "removed = 2 is out of bounds", "from 0 to 1");
}

static void test_include(void **state)
{
	const char *split = strstr(good, "peers = (\n");
	struct kmd_config *c;
	struct kmd_fail f;
	char head[4096];

	prepare();
	split = strstr(good, "peers = (\n");
	snprintf(head, sizeof(head), "%.*s@include \"roster.conf\"\n", (int)(split - good), good);
	km_temp_write("keymesh.conf", head, strlen(head), 0644);
	km_temp_write("roster.conf", split, strlen(split), 0644);
	assert_int_equal(kmd_config_load(&c, km_temp("keymesh.conf"), &f), KM_OK);
	kmd_config_free(c);
	/* What is wrong in an included file is said with that file's name. */
	snprintf(head, sizeof(head), "bogus = 1;\n%s", split);
	km_temp_write("roster.conf", head, strlen(head), 0644);
	assert_int_equal(kmd_config_load(&c, km_temp("keymesh.conf"), &f), KM_E_CONFIG);
	assert_non_null(strstr(f.text, "roster.conf:1: unknown key bogus"));
}

static void test_syntax(void **state)
{
	refuse("state_dir = \"state\";", "state_dir = state;", 3, "syntax error", "strings in quotes");
	refuse("state_dir = \"state\";", "state_dir = \"a\"; state_dir = \"b\";", 3, "duplicate", "write");
}

static void test_unknown_key(void **state)
{
	refuse("pool = { target", "pool = { targte", 11, "unknown key pool.targte", "did you mean target?");
	refuse("pool = { target", "pool = { bogusbogus", 11, "unknown key pool.bogusbogus",
	       "write one of target, low, batch, max_age");
	refuse("state_dir", "workerz = 1; state_dir", 3, "unknown key workerz", "did you mean workers?");
	refuse("{ id = 2; name", "{ id = 2; nmae", 14, "unknown key peers.nmae", "did you mean name?");
}

static void test_values(void **state)
{
	refuse("pool = { target", "audit = { sync = \"never\"; }; pool = { target", 11, "unknown audit.sync", "batch or always");
	refuse("pool = { target", "audit = { mesh = \"A B\"; }; pool = { target", 11, "is not allowed", "a-z 0-9");
	refuse("target = 100", "target = \"many\"", 11, "target is a string", "write a whole number");
	refuse("target = 100", "target = 0", 11, "target = 0 is out of bounds", "from 1 to 10000");
	refuse("target = 100", "target = 5000000000L", 11, "out of bounds", "from 1 to 10000");
	refuse("target = 100", "target = 1.5", 11, "a number with a point", "whole number");
	refuse("\"state\"", "5", 3, "state_dir is a number", "a string in quotes");
	refuse("[ \"peer\", \"frontend\" ]", "\"peer\"", 2, "roles is a string", "an array of strings");
	refuse("[ \"peer\", \"frontend\" ]", "[ \"peer\", \"gateway\" ]", 2, "unknown role \"gateway\"",
	       "[\"peer\"], [\"frontend\"]");
	refuse("[ \"peer\", \"frontend\" ]", "[ ]", 2, "roles is empty", "[\"peer\"]");
	refuse("low = 50", "low = 101", 11, "low = 101 is more than pool.target = 100", "write a smaller");
	refuse("state_dir", "log_level = \"loud\"; state_dir", 3, "unknown log_level \"loud\"", "notice");
	refuse("127.0.0.1:7101\";", "127.0.0.1\";", 6, "no address", "host:port");
	refuse("127.0.0.1:7101\"; fro", "127.0.0.1:99999\"; fro", 13, "no address", "1 to 65535");
	refuse("127.0.0.1:7201\";\n", "127.0.0.1:7101\";\n", 7, "the same", "another port");
	refuse("\"12345\"", "\"no-such-user-here\"", 9, "user \"no-such-user-here\" is not known", "name or number");
}

static void test_missing(void **state)
{
	refuse("state_dir = \"state\";", "", 0, "state_dir is missing", "write state_dir =");
	refuse("threshold = 2; ", "", 19, "keys.threshold is missing", "write threshold = a number");
	refuse("peer_id = 1; ", "", 1, "identity.peer_id is missing", "write peer_id");
	refuse("frontend_id = 7; ", "", 1, "identity.frontend_id is missing", "write frontend_id");
	refuse("  peers = \"127.0.0.1:7101\";\n", "", 5, "listen.peers is missing", "host:port");
	refuse("seal = { key_file = \"seal.key\"; };", "", 0, "exactly one of seal.key_file, seal.credential", "write seal =");
	refuse("key_file = \"seal.key\";", "key_file = \"seal.key\"; credential = \"x\";", 4,
	       "exactly one of seal.key_file, seal.credential", "write seal =");
	refuse("key_file = \"seal.key\";", "credential = \"x\";", 4, "no systemd credential \"x\"", "LoadCredentialEncrypted");
}

static void test_recipients(void **state)
{
	static const char own[] = "state_dir = \"state\";", a[] = "name = \"a\";", b[] = "name = \"b\";";
	static char kept[sizeof(good)], *at;

	refuse(own, "state_dir = \"state\"; backup = { recipients = [ \"-r\" ]; };", 0, "\"-r\" is no recipient", "as age takes it");
	refuse(own, "state_dir = \"state\"; backup = { command = [ \"age\" ]; };", 0, "\"age\" is no path from the root", "/usr/bin/age");
	/* who has b's backups is to have no other's */
	memcpy(kept, good, sizeof(good));
	at = strstr(good, b);
	assert_non_null(at);
	snprintf(at, sizeof(good) - (size_t)(at - good), "recipients = [ \"age1x\", \"age1y\" ]; %s", kept + (at - good));
	refuse(own, "state_dir = \"state\"; backup = { recipients = [ \"age1z\", \"age1y\" ]; };", 0, "age1y is a recipient of peer 2",
	       "only this peer has");
	refuse(a, "recipients = [ \"age1y\" ]; name = \"a\";", 0, "age1y is a recipient of peer 1 and of peer 2", "only one of them has");
	memcpy(good, kept, sizeof(good));
}

static void test_roster(void **state)
{
	refuse("peer_id = 1", "peer_id = 4", 1, "peer_id 4 is not in peers", "add this node's line");
	refuse("frontend_id = 7", "frontend_id = 8", 1, "frontend_id 8 is not in frontends", "add this node's line");
	refuse("id = 2; name = \"b\"", "id = 1; name = \"b\"", 14, "peer id 1 is given to a already", "no other peer has");
	refuse("id = 2; name = \"b\"", "id = 33; name = \"b\"", 14, "id = 33 is out of bounds", "from 1 to 32");
	refuse("id = 2; name = \"b\"", "id = 2; name = \"a\"", 14, "have the same name", "every peer has its own");
	refuse("127.0.0.1:7102", "127.0.0.1:7101", 14, "have the same address", "every peer has its own");
	refuse("id = 2; name = \"b\"", "id = 2; name = \"B\"", 14, "name \"B\" is not allowed", "a-z 0-9");
	refuse("frontends = ( {", "frontends = ( { id = 7; name = \"x\"; channel = \"y\"; }, {", 17,
	       "channel has 1 characters instead of 64", "64 hex digits");
}

static void test_roster_keys(void **state)
{
	char a[65], b[65], bad[65];

	prepare();
	hex(a, ids[1].sign.pub);
	hex(b, ids[2].sign.pub);
	refuse(b, a, 14, "have the same identity", "every peer has its own");
	memset(bad, '0', 64);
	bad[64] = 0;
	refuse(b, bad, 14, "identity is no Ed25519 public key", "keymesh init prints");
	bad[5] = 'x';
	refuse(b, bad, 14, "identity is not 64 hex digits", "keymesh init prints");
	refuse(b, "abc", 14, "identity has 3 characters instead of 64", "64 hex digits");
	/* The own line belongs to another secret. */
	hex(b, other.sign.pub);
	refuse(a, b, 1, "are not those of peer 1 (a)", "write the identity that keymesh init printed");
	hex(a, ids[1].channel_pub);
	hex(b, other.channel_pub);
	refuse(a, b, 1, "are not those of peer 1 (a)", "write the channel that keymesh init printed");
}

static void test_keys(void **state)
{
	refuse("threshold = 2", "threshold = 1", 19, "threshold = 1 is out of bounds", "from 2 to 32");
	refuse("threshold = 2", "threshold = 4", 19, "threshold 4 is more than the 3 peers", "from 2 to 3");
	refuse("state_dir = \"state\";", "state_dir = \"state\"; dkg_min = 2;", 3, "dkg_min = 2 is too few for key \"www\"", "at least 3, or 0");
	refuse("\"csr\"", "\"anything\"", 19, "unknown context \"anything\"", "tls13-server");
	refuse("\"csr\"", "\"canary\"", 19, "unknown context \"canary\"", "tls13-server");
	refuse("[ \"tls13-server\", \"csr\" ]", "[ ]", 19, "contexts is empty", "write [");
	refuse("frontends = [ \"fe\" ]", "frontends = [ \"web\" ]", 19, "\"web\" is no name in the list frontends",
	       "add it there");
	refuse("threshold = 2", "threshold = 2; curve = \"P-255\"", 19, "unknown curve \"P-255\"", "P-256");
	refuse("rate = 9; }", "rate = 9; }, { name = \"www\"; threshold = 2; contexts = [\"csr\"]; frontends = [\"fe\"]; }", 19,
	       "key \"www\" is there twice", "each key once");
	refuse("name = \"www\"", "name = \"../www\"", 19, "name \"../www\" is not allowed", "beginning with a letter");
}

static void test_secret_files(void **state)
{
	char seal[66];

	prepare();
	put_identity("open.secret", &ids[1], 0640);
	refuse("id.secret", "open.secret", 1, "its mode is 0640", "chmod 600");
	put_identity("open.secret", &ids[1], 0604);
	refuse("id.secret", "open.secret", 1, "its mode is 0604", "chmod 600");
	refuse("id.secret", "none.secret", 1, "does not exist", "none.secret");
	refuse("id.secret", "seal.key", 1, "is no keymesh identity", "keymesh init");
	refuse("\"id.secret\"", "\"/dev\"", 1, "not a regular file", "/dev");
	km_temp_write("empty", "", 0, 0600);
	refuse("id.secret", "empty", 1, "is empty", "empty");
	memset(seal, 'a', 64);
	km_temp_write("open.key", seal, 64, 0644);
	refuse("seal.key", "open.key", 4, "its mode is 0644", "chmod 600");
	km_temp_write("short.key", seal, 63, 0600);
	refuse("seal.key", "short.key", 4, "is not 64 hex digits", "keymesh init");
	if (geteuid() == 0)
		return; /* root reads everything */
	put_identity("unreadable", &ids[1], 0000);
	refuse("id.secret", "unreadable", 1, "cannot be read", "Permission");
}

static void test_no_file(void **state)
{
	struct kmd_config *c;
	struct kmd_fail f;

	assert_int_equal(kmd_config_load(&c, km_temp("absent.conf"), &f), KM_E_NOTFOUND);
	assert_non_null(strstr(f.text, "keymesh init"));
	assert_int_not_equal(kmd_config_load(&c, "/dev", &f), KM_OK);
}

/* Whatever bytes: an error, never a crash. */
static void test_garbage(void **state)
{
	struct kmd_config *c;
	struct kmd_fail f;
	char text[8192];
	unsigned i, seed = 1;
	size_t n;

	prepare();
	n = strlen(good);
	for (i = 0; i < 300; i++) {
		memcpy(text, good, n);
		seed = seed * 1103515245 + 12345;
		text[seed / 65536 % n] = (char)(seed >> 8);
		km_temp_write("keymesh.conf", text, i % 2 ? n : seed % n, 0644);
		if (!kmd_config_load(&c, km_temp("keymesh.conf"), &f))
			kmd_config_free(c);
	}
}

/* The manual has every key of the table. */
static void test_manual(void **state)
{
	const char *top = getenv("top_srcdir");
	static char page[200000];
	char path[500], want[100];
	size_t i, n;
	FILE *in;

	snprintf(path, sizeof(path), "%s/doc/keymesh.conf.5", top ? top : ".");
	in = fopen(path, "r");
	assert_non_null(in);
	n = fread(page, 1, sizeof(page) - 1, in);
	fclose(in);
	page[n] = '\0';
	for (i = 0; i < kmd_schema_n; i++) {
		const struct kmd_schema *k = &kmd_schema[i];

		snprintf(want, sizeof(want), ".It Ic %s%s%s ", k->section, *k->section ? "." : "", k->key);
		if (!strstr(page, want))
			print_message("# keymesh.conf.5 lacks \"%s\"\n", want);
		assert_non_null(strstr(page, want));
	}
}

static void test_addresses(void **state)
{
	static const char *const bad[] = {"",	   ":1",    "a",      "a:",   "a:0", "a:65536", "a:1x",
					  "a b:1", "::1:1", "[::1:1", "a:-1", "*:1", "a:1;b:2"};
	static const char *const fine[] = {"a:1", "127.0.0.1:65535", "[::1]:7", "host.example:7100", "0.0.0.0:1"};
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(kmd_address_valid(bad[i]));
	for (i = 0; i < sizeof(fine) / sizeof(fine[0]); i++)
		assert_true(kmd_address_valid(fine[i]));
}

KM_TESTS(cmocka_unit_test(test_good), cmocka_unit_test(test_warning), cmocka_unit_test(test_include),
	 cmocka_unit_test(test_epochs), cmocka_unit_test(test_bad_epochs), cmocka_unit_test(test_removed),
	 cmocka_unit_test(test_syntax), cmocka_unit_test(test_unknown_key), cmocka_unit_test(test_values),
	 cmocka_unit_test(test_missing), cmocka_unit_test(test_recipients), cmocka_unit_test(test_roster), cmocka_unit_test(test_roster_keys),
	 cmocka_unit_test(test_keys), cmocka_unit_test(test_secret_files), cmocka_unit_test(test_no_file),
	 cmocka_unit_test(test_garbage), cmocka_unit_test(test_manual), cmocka_unit_test(test_addresses))
