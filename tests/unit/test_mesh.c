/* test_mesh.c: the small parts of mesh/: identities, files, access list, clocks, log buckets. */
#include "config.h"
#include "lib/test.h"

#include "base/secret.h"
#include "base/sig.h"
#include "lib/tempdir.h"
#include "mesh/clock.h"
#include "mesh/files.h"
#include "mesh/identity.h"
#include "mesh/log.h"
#include "mesh/zap.h"

/* ---- identity */

static void test_identity(void **state)
{
	struct kmd_identity id, back;
	char text[KMD_IDENTITY_TEXT];
	struct kmd_fail f = {""};
	uint8_t pub[32];

	kmd_identity_make(&id);
	assert_true(kmd_identity_format(text, &id) < sizeof(text));
	km_temp_write("id", text, strlen(text), 0600);
	assert_int_equal(kmd_identity_load(&back, km_temp("id"), &f), KM_OK);
	assert_memory_equal(&back, &id, sizeof(id));
	km_ed25519_public(id.sign.priv, pub);
	assert_memory_equal(pub, id.sign.pub, 32);
	km_x25519_public(id.channel_priv, pub);
	assert_memory_equal(pub, id.channel_pub, 32);
}

static void test_identity_bad(void **state)
{
	static const char zeros[] = "0000000000000000000000000000000000000000000000000000000000000000";
	struct kmd_identity id, none = {.channel_priv = {0}};
	struct kmd_fail f;
	char text[400];

	snprintf(text, sizeof(text), "version 1\ned25519 %s\n", zeros);
	assert_int_equal(kmd_identity_parse(&id, text, &f), KM_E_TRUNCATED);
	snprintf(text, sizeof(text), "version 2\ned25519 %s\nx25519 %s\n", zeros, zeros);
	assert_int_equal(kmd_identity_parse(&id, text, &f), KM_E_VERSION);
	snprintf(text, sizeof(text), "version 1\ned25519 %s\nx25519 %s1\n", zeros, zeros);
	assert_int_equal(kmd_identity_parse(&id, text, &f), KM_E_ENCODING);
	snprintf(text, sizeof(text), "version 1\ned25519 %s\ned25519 %s\nx25519 %s\n", zeros, zeros, zeros);
	assert_int_equal(kmd_identity_parse(&id, text, &f), KM_E_ENCODING);
	snprintf(text, sizeof(text), "version 1\nrsa %s\n", zeros);
	assert_int_equal(kmd_identity_parse(&id, text, &f), KM_E_ENCODING);
	assert_memory_equal(&id, &none, sizeof(id));
	snprintf(text, sizeof(text), "# c\nversion 1\ned25519 %s\nx25519 %s", zeros, zeros);
	assert_int_equal(kmd_identity_parse(&id, text, &f), KM_OK);
}

static void test_hex(void **state)
{
	uint8_t all[256], back[256];
	char hex[513], bad[3] = "00";
	unsigned i;

	for (i = 0; i < 256; i++)
		all[i] = (uint8_t)i;
	kmd_hex_encode(hex, all, 256);
	assert_int_equal(kmd_hex_decode(back, 256, hex, strlen(hex)), KM_OK);
	assert_memory_equal(all, back, 256);
	assert_int_equal(kmd_hex_decode(back, 2, "ABcd", strlen("ABcd")), KM_OK);
	assert_int_equal(back[0] << 8 | back[1], 0xabcd);
	for (i = 1; i < 256; i++) {
		int digit = (i >= '0' && i <= '9') || (i >= 'a' && i <= 'f') || (i >= 'A' && i <= 'F');

		bad[1] = (char)i;
		assert_int_equal(kmd_hex_decode(back, 1, bad, strlen(bad)), digit ? KM_OK : KM_E_ENCODING);
	}
	assert_int_equal(kmd_hex_decode(back, 2, "abc", strlen("abc")), KM_E_ENCODING);
	assert_int_equal(kmd_hex_decode(back, 1, "abc", strlen("abc")), KM_E_ENCODING);
}

/* ---- files */

static void test_replace(void **state)
{
	int dir = kmd_dir_open(km_temp("dir"), NULL);
	struct kmd_fail f;
	uint8_t *data;
	size_t len;

	assert_true(dir >= 0);
	assert_int_equal(kmd_file_replace(dir, "x", "one", 3, &f), KM_OK);
	assert_int_equal(kmd_file_replace(dir, "x", "second", 6, &f), KM_OK);
	assert_int_equal(kmd_file_read(km_temp("dir/x"), KMD_FILE_PRIVATE, 100, &data, &len, &f), KM_OK);
	assert_int_equal(len, 6);
	assert_string_equal((char *)data, "second");
	km_secret_free(data);
	assert_int_equal(kmd_file_read(km_temp("dir/x"), 0, 5, &data, &len, &f), KM_E_LIMIT);
	assert_int_not_equal(access(km_temp("dir/.tmp-x"), F_OK), 0);
	assert_int_equal(kmd_file_create(km_temp("dir/x"), 0600, "no", 2, &f), KM_E_EXISTS);
	close(dir);
}

/* ---- who may connect (attack B29) */

static void fill_settings(struct km_settings *s, struct km_frontend_entry *fe)
{
	memset(s, 0, sizeof(*s));
	memset(fe, 0, sizeof(*fe));
	s->self_peer = 1;
	s->roster.peer[1].id = 1;
	memset(s->roster.peer[1].channel, 11, 32);
	s->roster.peer[2].id = 2;
	memset(s->roster.peer[2].channel, 22, 32);
	fe->id = 300;
	memset(fe->channel, 33, 32);
	s->frontends = fe;
	s->n_frontends = 1;
}

static void test_zap(void **state)
{
	struct km_frontend_entry fe;
	struct km_settings s;
	struct km_addr who;
	uint8_t own[32], peer[32], front[32], none[32];

	fill_settings(&s, &fe);
	memset(own, 11, 32);
	memset(peer, 22, 32);
	memset(front, 33, 32);
	memset(none, 0, 32);
	assert_int_equal(kmd_zap_judge(&s, "peers", "CURVE", peer, 32, &who), KM_OK);
	assert_int_equal(who.kind, KM_ADDR_PEER);
	assert_int_equal(who.id, 2);
	/* One that was removed still gets in: the node takes CERT, HAVE and STORED of it, and nothing else. */
	s.roster.removed = 2;
	assert_int_equal(kmd_zap_judge(&s, "peers", "CURVE", peer, 32, &who), KM_OK);
	assert_int_equal(who.id, 2);
	s.roster.removed = 0;
	assert_int_equal(kmd_zap_judge(&s, "frontends", "CURVE", front, 32, &who), KM_OK);
	assert_int_equal(who.kind, KM_ADDR_FRONTEND);
	assert_int_equal(who.id, 300);
	/* Each key only at its own door. */
	assert_int_equal(kmd_zap_judge(&s, "peers", "CURVE", front, 32, &who), KM_E_AUTH);
	assert_int_equal(kmd_zap_judge(&s, "frontends", "CURVE", peer, 32, &who), KM_E_AUTH);
	/* Unused entries of the roster are zero and let nobody in; nor does the own key. */
	assert_int_equal(kmd_zap_judge(&s, "peers", "CURVE", none, 32, &who), KM_E_AUTH);
	assert_int_equal(kmd_zap_judge(&s, "peers", "CURVE", own, 32, &who), KM_E_AUTH);
	assert_int_equal(kmd_zap_judge(&s, "peers", "NULL", peer, 0, &who), KM_E_AUTH);
	assert_int_equal(kmd_zap_judge(&s, "peers", "NULL", peer, 32, &who), KM_E_AUTH);
	assert_int_equal(kmd_zap_judge(&s, "peers", "CURVE", peer, 31, &who), KM_E_AUTH);
	assert_int_equal(kmd_zap_judge(&s, "", "CURVE", peer, 32, &who), KM_E_AUTH);
	assert_int_equal(kmd_zap_judge(&s, "peer", "CURVE", peer, 32, &who), KM_E_AUTH);
	assert_int_equal(who.id, 0);
}

static void test_user_id(void **state)
{
	static const char *const bad[] = {"", "P", "P0", "P01", "P33", "F1025", "X1", "P1x", "P-1", "F 1", "p1"};
	struct km_addr who = {KM_ADDR_FRONTEND, 1024}, back;
	char text[8];
	size_t i;

	kmd_zap_user_id(text, who);
	assert_string_equal(text, "F1024");
	assert_int_equal(kmd_zap_user_parse(text, &back), KM_OK);
	assert_int_equal(back.kind, KM_ADDR_FRONTEND);
	assert_int_equal(back.id, 1024);
	assert_int_equal(kmd_zap_user_parse("P32", &back), KM_OK);
	assert_int_equal(back.id, 32);
	assert_int_equal(kmd_zap_user_parse(NULL, &back), KM_E_ENCODING);
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(kmd_zap_user_parse(bad[i], &back), KM_E_ENCODING);
}

/* ---- clocks */

static void test_clock_watch(void **state)
{
	struct kmd_clock_watch w = {0};
	int64_t s = 1000000, t = 100 * s, boot = t, real = 1700000000 * s;

	assert_null(kmd_clock_watch_update(&w, t, boot, real));
	assert_null(kmd_clock_watch_update(&w, t + s, boot + s, real + s));
	/* a slewed clock and a slow second */
	assert_null(kmd_clock_watch_update(&w, t + 5 * s, boot + 5 * s, real + 5 * s + s / 100));
	/* suspended for a minute */
	assert_non_null(kmd_clock_watch_update(&w, t + 6 * s, boot + 66 * s, real + 66 * s));
	assert_null(kmd_clock_watch_update(&w, t + 7 * s, boot + 67 * s, real + 67 * s));
	/* restored from yesterday, then the clock is set right */
	assert_non_null(kmd_clock_watch_update(&w, t + 8 * s, boot + 68 * s, real + 86468 * s));
	assert_null(kmd_clock_watch_update(&w, t + 9 * s, boot + 69 * s, real + 86469 * s));
	/* set back */
	assert_non_null(kmd_clock_watch_update(&w, t + 10 * s, boot + 70 * s, real + 70 * s));
	/* drifting by a second each second for a day is not a step */
	for (int i = 0; i < 86400; i++)
		assert_null(kmd_clock_watch_update(&w, t + (11 + i) * s, boot + (71 + i) * s, real + (71 + 2 * i) * s));
	assert_null(kmd_clock_watch_now(&(struct kmd_clock_watch){0}));
}

static void test_log_bucket(void **state)
{
	struct kmd_log_bucket b = {0};
	unsigned i, n = 0;

	for (i = 0; i < 100; i++)
		n += (unsigned)kmd_log_bucket_take(&b, 5000);
	assert_int_equal(n, KMD_LOG_BURST);
	assert_int_equal(b.left_out, 100 - KMD_LOG_BURST);
	assert_int_equal(kmd_log_bucket_take(&b, 7000), 1);
	assert_int_equal(kmd_log_bucket_take(&b, 7000), 1);
	assert_int_equal(kmd_log_bucket_take(&b, 7000), 0);
	assert_int_equal(kmd_log_bucket_take(&b, 100000), 1);
}

static void test_log_level(void **state)
{
	assert_int_equal(kmd_log_level_by_name("error"), KM_LOG_ERROR);
	assert_int_equal(kmd_log_level_by_name("debug"), KM_LOG_DEBUG);
	assert_int_equal(kmd_log_level_by_name("loud"), 0);
}

/* A name from outside cannot make a second line or move a cursor. */
static void test_log_line(void **state)
{
	int fds[2], old = dup(2);
	char line[200];
	ssize_t n;

	assert_int_equal(pipe(fds), 0);
	dup2(fds[1], 2);
	unsetenv("JOURNAL_STREAM");
	kmd_log_init("t", KM_LOG_NOTICE);
	kmd_log(KM_LOG_NOTICE, "name %s", "a\nb\033[2Jc");
	kmd_log(KM_LOG_INFO, "not written");
	dup2(old, 2);
	close(fds[1]);
	n = read(fds[0], line, sizeof(line) - 1);
	assert_true(n > 0);
	line[n] = '\0';
	assert_non_null(strstr(line, " t notice name a?b?[2Jc\n"));
	assert_null(strstr(line, "not written"));
	close(fds[0]);
	close(old);
}

KM_TESTS(cmocka_unit_test(test_identity), cmocka_unit_test(test_identity_bad), cmocka_unit_test(test_hex),
	 cmocka_unit_test(test_replace), cmocka_unit_test(test_zap), cmocka_unit_test(test_user_id),
	 cmocka_unit_test(test_clock_watch), cmocka_unit_test(test_log_bucket), cmocka_unit_test(test_log_level),
	 cmocka_unit_test(test_log_line))
