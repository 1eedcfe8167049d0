/* test_plugin_settings.c: the plugin's configuration file: every key, every mistake with its line and what to write instead. */
#include "config.h"
#include <stdio.h>
#include <stdlib.h>
#include "plugin.h"
#include "tests/lib/test.h"

static int parse(struct kmg_settings *s, const char *text, char *why)
{
	/* an exact copy: reading beyond the end is seen by ASan */
	size_t n = strlen(text);
	char *copy = malloc(n ? n : 1);
	int err;

	memcpy(copy, text, n);
	kmg_settings_defaults(s);
	why[0] = '\0';
	err = kmg_settings_parse(s, copy, n, why, KMG_WHY_SIZE);
	free(copy);
	return err;
}

static void test_good(void **state)
{
	struct kmg_settings s;
	char why[KMG_WHY_SIZE];

	assert_int_equal(parse(&s, "", why), KM_OK);
	assert_int_equal(s.deadline_ms, 2000);
	assert_int_equal(s.retry_ms, 500);
	assert_int_equal(s.socket_count, 0);
	assert_true(s.daemon_uid == -1);
	assert_int_equal(parse(&s,
			       "# a comment\n\n  socket\t=  /run/a b/c.sock \r\nsocket=@mesh\ndeadline_ms=10\nretry_ms = "
			       "0\ndaemon_uid = 4294967294\nlog = syslog",
			       why),
			 KM_OK);
	assert_int_equal(s.socket_count, 2);
	assert_string_equal(s.sockets[0], "/run/a b/c.sock");
	assert_string_equal(s.sockets[1], "@mesh");
	assert_int_equal(s.deadline_ms, 10);
	assert_int_equal(s.retry_ms, 0);
	assert_true(s.daemon_uid == 4294967294);
	assert_int_equal(s.log, KMG_LOG_SYSLOG);
}

static void test_bad(void **state)
{
	static const struct {
		const char *text, *says;
	} bad[] = {
	    {"sockets = /a\n", "line 1: unknown key \"sockets\" (known: socket,"},
	    {"\n# x\ndeadline_ms\n", "line 3: \"deadline_ms\" is not of the form key = value"},
	    {"deadline_ms = 9\n", "line 1: deadline_ms = \"9\": must be 10 to 60000"},
	    {"deadline_ms = 60001\n", "must be 10 to 60000"},
	    {"deadline_ms = 99999999999999999999999999\n", "must be 10 to 60000"},
	    {"deadline_ms = -1\n", "must be 10 to 60000"},
	    {"deadline_ms = 1e3\n", "must be 10 to 60000"},
	    {"deadline_ms =\n", "must be 10 to 60000"},
	    {"deadline_ms = 10\nlog = auto\ndeadline_ms = 11\n", "line 3: deadline_ms is given twice"},
	    {"socket = relative/path\n", "an absolute path or @name"},
	    {"socket = @\n", "an absolute path or @name"},
	    {"socket = /a\nsocket = /b\nsocket = /c\nsocket = /d\nsocket = /e\n", "line 5: socket = \"/e\""},
	    {"log = nowhere\n", "must be auto, stderr or syslog"},
	    {"= 3\n", "unknown key \"\""},
	    {"daemon_uid = root\n", "the number of a user"},
	};
	struct kmg_settings s;
	char why[KMG_WHY_SIZE], line[400];

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(parse(&s, bad[i].text, why), KM_E_CONFIG);
		if (!strstr(why, bad[i].says))
			fail_msg("\"%s\" says \"%s\"", bad[i].text, why);
	}
	memset(line, 'x', sizeof(line));
	line[399] = '\0';
	assert_int_equal(parse(&s, line, why), KM_E_CONFIG);
	assert_string_equal(why, "line 1: too long, or not text");
	kmg_settings_defaults(&s);
	assert_int_equal(kmg_settings_parse(&s, "log = auto\0\n", 12, why, sizeof(why)), KM_E_CONFIG);
	snprintf(line, sizeof(line), "socket = /%0106d\n", 1);
	assert_int_equal(parse(&s, line, why), KM_OK);
	snprintf(line, sizeof(line), "socket = /%0107d\n", 1);
	assert_int_equal(parse(&s, line, why), KM_E_CONFIG);
}

KM_TESTS(cmocka_unit_test(test_good), cmocka_unit_test(test_bad))
