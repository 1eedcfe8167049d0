/* test_keysource.c: programs of the operator's are run without a shell and bounded; the sealing key comes from each of its sources. */
#include "config.h"
#include "lib/test.h"

#include <signal.h>
#include <time.h>
#include "base/secret.h"
#include "lib/tempdir.h"
#include "mesh/keysource.h"
#include "mesh/spawn.h"

/* echo -n "correct horse battery staple" | argon2 abcdefghijklmnop -id -t 2 -k 1024 -p 1 -l 32 -r */
#define ANSWER "\x99\xba\x24\xba\x5f\x2d\x87\xa7\xfa\xb0\xd0\x6a\xfd\xda\x93\xd6\xe3\x62\x24\x7f\x50\x0b\xc8\x5e\xf7\x72\xee\x47\x19\x2f\x29\x14"
#define HEX64 "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

static int spawn(const char *const *argv, const void *in, size_t in_len, uint8_t **out, size_t *len, struct kmd_fail *f)
{
	struct kmd_spawn s = {.argv = argv, .in = in, .in_len = in_len, .max = 300000, .timeout_s = 20};

	signal(SIGPIPE, SIG_IGN);
	f->text[0] = '\0';
	return kmd_spawn(&s, out, len, f);
}

static int shell(const char *script, struct kmd_fail *f)
{
	const char *argv[] = {"/bin/sh", "-c", script, NULL};
	uint8_t *out;
	size_t len;
	int err = spawn(argv, NULL, 0, &out, &len, f);

	assert_true(!err == !!out);
	km_secret_free(out);
	return err;
}

static void test_spawn(void **state)
{
	const char *argv[] = {"printf", "%s|%s", "a b;$(c)", "*", NULL};
	struct kmd_fail f;
	uint8_t *out;
	size_t len;

	assert_int_equal(spawn(argv, NULL, 0, &out, &len, &f), KM_OK);
	assert_int_equal(len, 10);
	assert_string_equal((char *)out, "a b;$(c)|*");
	km_secret_free(out);
	assert_int_equal(km_secret_in_use(), 0);
}

/* More than any pipe holds, through it and back. */
static void test_spawn_feed(void **state)
{
	const char *argv[] = {"/bin/cat", NULL}, *none[] = {"/bin/true", NULL};
	static uint8_t in[300000];
	struct kmd_fail f;
	uint8_t *out;
	size_t len;

	for (size_t i = 0; i < sizeof(in); i++)
		in[i] = (uint8_t)(i * 7 + i / 256);
	assert_int_equal(spawn(argv, in, sizeof(in), &out, &len, &f), KM_OK);
	assert_int_equal(len, sizeof(in));
	assert_memory_equal(out, in, len);
	km_secret_free(out);
	/* one that reads nothing is no error of ours */
	assert_int_equal(spawn(none, in, sizeof(in), &out, &len, &f), KM_OK);
	assert_int_equal(len, 0);
	km_secret_free(out);
}

static void test_spawn_fails(void **state)
{
	const char *argv[] = {"/nonexistent/tool", NULL};
	struct kmd_fail f;
	uint8_t *out;
	size_t len;

	assert_int_equal(spawn(argv, NULL, 0, &out, &len, &f), KM_E_NOTFOUND);
	assert_non_null(strstr(f.text, "/nonexistent/tool cannot be run: No such file"));
	assert_int_equal(shell("echo the vault is sealed >&2; exit 3", &f), KM_E_IO);
	assert_non_null(strstr(f.text, "/bin/sh failed with status 3: the vault is sealed"));
	assert_int_equal(shell("kill -TERM $$", &f), KM_E_IO);
	assert_non_null(strstr(f.text, "signal 15: it said nothing"));
	/* of much only the last, and no control characters */
	assert_int_equal(shell("seq 1 100000 >&2; printf 'the\\033 end' >&2; exit 1", &f), KM_E_IO);
	assert_non_null(strstr(f.text, "100000 the  end"));
	assert_true(strlen(f.text) < 500);
	assert_int_equal(shell("head -c 300001 /dev/zero", &f), KM_E_LIMIT);
	assert_non_null(strstr(f.text, "more than the 300000 bytes"));
	assert_int_equal(km_secret_in_use(), 0);
}

/* Ended when its time is over, also when it has closed all it had from us. */
static void test_spawn_timeout(void **state)
{
	static const char *const scripts[] = {"echo waiting >&2; exec sleep 1000", "exec sleep 1000 </dev/null >/dev/null 2>&1"};

	for (unsigned i = 0; i < 2; i++) {
		const char *argv[] = {"/bin/sh", "-c", scripts[i], NULL};
		struct kmd_spawn s = {.argv = argv, .max = 10, .timeout_s = 1};
		struct kmd_fail f;
		uint8_t *out;
		size_t len;

		assert_int_equal(kmd_spawn(&s, &out, &len, &f), KM_E_DEADLINE);
		assert_non_null(strstr(f.text, "ended after 1 s"));
		assert_non_null(strstr(f.text, i ? "it said nothing" : "waiting"));
	}
}

/* The daemon's blocked and ignored signals are not the program's. */
static void test_spawn_signals(void **state)
{
	struct kmd_fail f;
	sigset_t set, was;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, &was);
	assert_int_equal(shell("kill -TERM $$; exit 0", &f), KM_E_IO);
	assert_int_equal(shell("kill -PIPE $$; exit 0", &f), KM_E_IO);
	sigprocmask(SIG_SETMASK, &was, NULL);
}

/* ---- sources */

static struct kmd_config conf;

static int read_key(struct kmd_fail *f, const char *want_key)
{
	const char *key;
	int err;

	f->text[0] = '\0';
	err = kmd_keysource_read(&conf, &key, f);
	assert_string_equal(key, want_key);
	return err;
}

static void forget(void)
{
	km_secret_free(conf.seal_key);
	km_secret_free(conf.seal_pass);
	memset(&conf, 0, sizeof(conf));
	assert_int_equal(km_secret_in_use(), 0);
}

static void is_hex64(void)
{
	static const uint8_t want[4] = {0, 0x11, 0x22, 0x33};

	assert_non_null(conf.seal_key);
	assert_memory_equal(conf.seal_key, want, 4);
	assert_memory_equal(conf.seal_key + 16, want, 4);
	forget();
}

static void test_file(void **state)
{
	char path[300];
	struct kmd_fail f;

	snprintf(path, sizeof(path), "%s", km_temp("seal.key"));
	km_temp_write("seal.key", HEX64 "\n", 65, 0600);
	conf.seal_key_file = path;
	assert_int_equal(read_key(&f, "key_file"), KM_OK);
	is_hex64();
	km_temp_write("seal.key", HEX64 "0\n", 66, 0600);
	conf.seal_key_file = path;
	assert_int_equal(read_key(&f, "key_file"), KM_E_CONFIG);
	assert_non_null(strstr(f.text, "is not 64 hex digits"));
	assert_null(conf.seal_key);
	km_temp_write("seal.key", HEX64 "\n", 65, 0640);
	assert_int_equal(read_key(&f, "key_file"), KM_E_RIGHTS);
	forget();
}

static void test_credential(void **state)
{
	char name[] = "keymesh-seal", path[] = "../seal.key", dir[300];
	struct kmd_fail f;

	snprintf(dir, sizeof(dir), "%s", km_temp("credentials"));
	assert_int_equal(mkdir(dir, 0700), 0);
	/* as systemd leaves it: readable by an ACL, which shows as group bits */
	km_temp_write("credentials/keymesh-seal", HEX64, 64, 0440);
	conf.seal_credential = name;
	unsetenv("CREDENTIALS_DIRECTORY");
	assert_int_equal(read_key(&f, "credential"), KM_E_CONFIG);
	assert_non_null(strstr(f.text, "LoadCredentialEncrypted="));
	setenv("CREDENTIALS_DIRECTORY", dir, 1);
	assert_int_equal(read_key(&f, "credential"), KM_OK);
	is_hex64();
	conf.seal_credential = path;
	assert_int_equal(read_key(&f, "credential"), KM_E_CONFIG);
	forget();
	unsetenv("CREDENTIALS_DIRECTORY");
}

static int by_command(const char *script, struct kmd_fail *f)
{
	char *argv[] = {strdup("/bin/sh"), strdup("-c"), strdup(script), NULL};
	int err;

	conf.seal_command = (struct kmd_strings){.v = argv, .n = 3};
	conf.seal_command_timeout = 10;
	err = read_key(f, "command");
	for (unsigned i = 0; i < 3; i++)
		free(argv[i]);
	return err;
}

static void test_command(void **state)
{
	char relative[] = "vault", *argv[] = {relative, NULL};
	struct kmd_fail f;

	assert_int_equal(by_command("echo " HEX64, &f), KM_OK);
	is_hex64();
	assert_int_equal(by_command("echo no such secret >&2; exit 2", &f), KM_E_IO);
	assert_non_null(strstr(f.text, "status 2: no such secret"));
	assert_int_equal(by_command("echo 1234", &f), KM_E_CONFIG);
	assert_non_null(strstr(f.text, "what /bin/sh writes is not 64 hex digits"));
	assert_null(strstr(f.text, "1234"));
	assert_int_equal(by_command("yes", &f), KM_E_LIMIT);
	conf.seal_command = (struct kmd_strings){.v = argv, .n = 1};
	assert_int_equal(read_key(&f, "command"), KM_E_CONFIG);
	assert_non_null(strstr(f.text, "no path from the root"));
	memset(&conf.seal_command, 0, sizeof(conf.seal_command));
	forget();
}

static int by_passphrase(const char *text, size_t len, enum kmd_keysource_for what, struct kmd_fail *f)
{
	static char path[300], dir[300];
	int err;

	forget();
	km_temp_write("seal.pass", text, len, 0600);
	snprintf(path, sizeof(path), "%s", km_temp("seal.pass"));
	snprintf(dir, sizeof(dir), "%s", km_temp("pass-state"));
	conf.seal_passphrase_file = path;
	conf.state_dir = dir;
	err = read_key(f, "passphrase_file");
	if (err)
		return err;
	assert_null(conf.seal_key);
	return kmd_keysource_derive(&conf, what, f);
}

#define PASS "correct horse battery staple"

static void test_passphrase(void **state)
{
	uint8_t first[32];
	char kdf[200] = "";
	struct kmd_fail f;
	FILE *file;

	assert_int_equal(by_passphrase(PASS "\n", sizeof(PASS), KMD_KEY_OF_STATE, &f), KM_OK);
	memcpy(first, conf.seal_key, 32);
	/* the same without the newline; another phrase, another key */
	assert_int_equal(by_passphrase(PASS, sizeof(PASS) - 1, KMD_KEY_OF_STATE, &f), KM_OK);
	assert_memory_equal(conf.seal_key, first, 32);
	assert_int_equal(by_passphrase(PASS "!", sizeof(PASS), KMD_KEY_OF_STATE, &f), KM_OK);
	assert_memory_not_equal(conf.seal_key, first, 32);
	/* what stands in the file counts */
	snprintf(kdf, sizeof(kdf), "argon2id 2 1024 1 6162636465666768696a6b6c6d6e6f70\n");
	km_temp_write("pass-state/kdf", kdf, strlen(kdf), 0600);
	assert_int_equal(by_passphrase(PASS, sizeof(PASS) - 1, KMD_KEY_OF_STATE, &f), KM_OK);
	file = fopen(km_temp("pass-state/kdf"), "r");
	assert_non_null(file);
	assert_non_null(fgets(kdf, sizeof(kdf), file));
	fclose(file);
	assert_memory_equal(kdf, "argon2id 2 1024 1 ", 18);
	assert_memory_equal(conf.seal_key, ANSWER, 32);
	forget();
}

static void test_passphrase_bad(void **state)
{
	static const char *const bad[] = {"argon2id 0 1024 1 6162636465666768696a6b6c6d6e6f70\n",
					  "argon2id 2 99999999 1 6162636465666768696a6b6c6d6e6f70\n",
					  "argon2id 2 1024 1 6162636465666768696a6b6c6d6e6f7\n",
					  "argon2id 2 1024 1 6162636465666768696a6b6c6d6e6f70",
					  "argon2id 2 1024 1 6162636465666768696a6b6c6d6e6f70\n\n",
					  "argon2id 2 1024 6162636465666768696a6b6c6d6e6f70\n",
					  "argon2id -2 1024 1 6162636465666768696a6b6c6d6e6f70\n",
					  "scrypt 2 1024 1 6162636465666768696a6b6c6d6e6f70\n"};
	struct kmd_fail f;

	(void)mkdir(km_temp("pass-state"), 0700);
	assert_int_equal(by_passphrase("too short\n", 10, KMD_KEY_OF_STATE, &f), KM_E_CONFIG);
	assert_non_null(strstr(f.text, "12 to 1024 bytes"));
	assert_int_equal(by_passphrase("two lines of\nwords", 18, KMD_KEY_OF_STATE, &f), KM_E_CONFIG);
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		km_temp_write("pass-state/kdf", bad[i], strlen(bad[i]), 0600);
		assert_int_equal(by_passphrase(PASS, sizeof(PASS) - 1, KMD_KEY_OF_STATE, &f), KM_E_SEAL);
		assert_non_null(strstr(f.text, "damaged"));
		assert_null(conf.seal_key);
	}
	/* the salt is gone, and there is something it is needed for */
	assert_int_equal(unlink(km_temp("pass-state/kdf")), 0);
	assert_int_equal(mkdir(km_temp("pass-state/sealed"), 0700), 0);
	km_temp_write("pass-state/sealed/key-1.share", "x", 1, 0600);
	assert_int_equal(by_passphrase(PASS, sizeof(PASS) - 1, KMD_KEY_OF_STATE, &f), KM_E_NOTFOUND);
	assert_non_null(strstr(f.text, "kdf is missing, and there are sealed files"));
	assert_int_not_equal(access(km_temp("pass-state/kdf"), F_OK), 0);
	/* but when the state goes over to a passphrase it is made */
	assert_int_equal(by_passphrase(PASS, sizeof(PASS) - 1, KMD_KEY_NEW, &f), KM_OK);
	assert_int_equal(access(km_temp("pass-state/kdf"), F_OK), 0);
	forget();
}

KM_TESTS(cmocka_unit_test(test_spawn), cmocka_unit_test(test_spawn_feed), cmocka_unit_test(test_spawn_fails),
	 cmocka_unit_test(test_spawn_timeout), cmocka_unit_test(test_spawn_signals), cmocka_unit_test(test_file),
	 cmocka_unit_test(test_credential), cmocka_unit_test(test_command), cmocka_unit_test(test_passphrase),
	 cmocka_unit_test(test_passphrase_bad))
