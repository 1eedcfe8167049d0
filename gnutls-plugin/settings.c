/* settings.c: the plugin's few settings: lines "key = value", '#' begins a comment. */
#include "config.h"
#include "plugin.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_MAX 65536

struct kmg_settings kmg_settings;

void kmg_settings_defaults(struct kmg_settings *s)
{
	memset(s, 0, sizeof(*s));
	s->deadline_ms = 2000;
	s->retry_ms = 500;
	s->daemon_uid = -1;
	s->log = KMG_LOG_AUTO;
}

/* ---- the keys ---- */

static int set_number(const char *value, int64_t lo, int64_t hi, int64_t *out)
{
	int64_t v = 0;

	if (!*value)
		return KM_E_CONFIG;
	for (; *value; value++) {
		if (*value < '0' || *value > '9' || v > hi)
			return KM_E_CONFIG;
		v = 10 * v + (*value - '0');
	}
	if (v < lo || v > hi)
		return KM_E_CONFIG;
	*out = v;
	return KM_OK;
}

static int set_socket(struct kmg_settings *s, const char *value)
{
	size_t n = strlen(value);

	if ((value[0] != '/' && value[0] != '@') || n < 2 || n >= KMG_SOCKET_SIZE || s->socket_count == KMG_MAX_SOCKETS)
		return KM_E_CONFIG;
	memcpy(s->sockets[s->socket_count++], value, n + 1);
	return KM_OK;
}

static int set_deadline(struct kmg_settings *s, const char *value)
{
	int64_t v;
	int err = set_number(value, 10, KM_RPC_MAX_DEADLINE_MS, &v);

	if (!err)
		s->deadline_ms = (uint32_t)v;
	return err;
}

static int set_retry(struct kmg_settings *s, const char *value)
{
	int64_t v;
	int err = set_number(value, 0, KM_RPC_MAX_DEADLINE_MS, &v);

	if (!err)
		s->retry_ms = (uint32_t)v;
	return err;
}

/* A number: after setuid and chroot there is no user database to ask. */
static int set_daemon_uid(struct kmg_settings *s, const char *value)
{
	return set_number(value, 0, UINT32_MAX - 1, &s->daemon_uid);
}

static int set_log(struct kmg_settings *s, const char *value)
{
	static const char *const names[] = {"auto", "stderr", "syslog"};

	for (unsigned i = 0; i < 3; i++) {
		if (strcmp(value, names[i]) == 0) {
			s->log = (enum kmg_log_to)i;
			return KM_OK;
		}
	}
	return KM_E_CONFIG;
}

static const struct {
	const char *key, *env, *wants;
	int (*set)(struct kmg_settings *s, const char *value);
	int many;
} keys[] = {
    {"socket", "KEYMESH_SOCKET", "an absolute path or @name (abstract), at most 4 of them, each under 108 bytes", set_socket, 1},
    {"deadline_ms", "KEYMESH_DEADLINE_MS", "10 to 60000", set_deadline, 0},
    {"retry_ms", "KEYMESH_RETRY_MS", "0 to 60000", set_retry, 0},
    {"daemon_uid", "KEYMESH_DAEMON_UID", "the number of a user", set_daemon_uid, 0},
    {"log", "KEYMESH_LOG", "auto, stderr or syslog", set_log, 0},
};
#define KEYS (sizeof(keys) / sizeof(keys[0]))

/* ---- the file ---- */

/* Cuts blanks off both ends, in place. */
static char *trim(char *p)
{
	size_t n;

	while (*p == ' ' || *p == '\t')
		p++;
	n = strlen(p);
	while (n > 0 && (p[n - 1] == ' ' || p[n - 1] == '\t' || p[n - 1] == '\r'))
		p[--n] = '\0';
	return p;
}

static int parse_line(struct kmg_settings *s, char *line, unsigned *seen, char *why, size_t why_size)
{
	char *value, *key = trim(line);
	unsigned i;

	if (*key == '\0' || *key == '#')
		return KM_OK;
	value = strchr(key, '=');
	if (!value) {
		snprintf(why, why_size, "\"%.40s\" is not of the form key = value", key);
		return KM_E_CONFIG;
	}
	*value++ = '\0';
	key = trim(key);
	value = trim(value);
	for (i = 0; i < KEYS && strcmp(key, keys[i].key) != 0; i++)
		;
	if (i == KEYS) {
		snprintf(why, why_size, "unknown key \"%.40s\" (known: socket, deadline_ms, retry_ms, daemon_uid, log)", key);
		return KM_E_CONFIG;
	}
	if (!keys[i].many && (*seen & (1u << i))) {
		snprintf(why, why_size, "%s is given twice", keys[i].key);
		return KM_E_CONFIG;
	}
	*seen |= 1u << i;
	if (keys[i].set(s, value) != KM_OK) {
		snprintf(why, why_size, "%s = \"%.40s\": must be %s", keys[i].key, value, keys[i].wants);
		return KM_E_CONFIG;
	}
	return KM_OK;
}

int kmg_settings_parse(struct kmg_settings *s, const char *text, size_t len, char *why, size_t why_size)
{
	char line[256], what[192];
	unsigned number = 0, seen = 0;
	const char *end = text + len, *nl;
	size_t n;

	for (; text < end; text = nl + 1) {
		number++;
		nl = memchr(text, '\n', (size_t)(end - text));
		if (!nl)
			nl = end;
		n = (size_t)(nl - text);
		if (n >= sizeof(line) || memchr(text, '\0', n)) {
			snprintf(why, why_size, "line %u: too long, or not text", number);
			return KM_E_CONFIG;
		}
		memcpy(line, text, n);
		line[n] = '\0';
		if (parse_line(s, line, &seen, what, sizeof(what)) != KM_OK) {
			snprintf(why, why_size, "line %u: %s", number, what);
			return KM_E_CONFIG;
		}
	}
	return KM_OK;
}

/* ---- from the system ---- */

static void refuse_all(const char *where, const char *why)
{
	snprintf(kmg_settings.broken, sizeof(kmg_settings.broken), "%.100s: %.140s", where, why);
}

static void load_file(const char *path, int must_exist)
{
	char *text = NULL, why[224];
	struct stat st;
	ssize_t n = -1;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

	if (fd < 0) {
		if (must_exist || errno != ENOENT)
			refuse_all(path, strerror(errno));
		return;
	}
	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || st.st_size > FILE_MAX) {
		refuse_all(path, "not a small regular file");
	} else if (st.st_mode & S_IWOTH) {
		refuse_all(path, "everybody may write it: chmod o-w");
	} else {
		text = malloc((size_t)st.st_size + 1);
		n = text ? read(fd, text, (size_t)st.st_size) : -1;
		if (n != st.st_size)
			refuse_all(path, "cannot be read");
		else if (kmg_settings_parse(&kmg_settings, text, (size_t)n, why, sizeof(why)) != KM_OK)
			refuse_all(path, why);
	}
	free(text);
	close(fd);
}

void kmg_settings_load(void)
{
	const char *path = secure_getenv("KEYMESH_CONFIG"), *value;
	char why[192];

	kmg_settings_defaults(&kmg_settings);
	load_file(path ? path : KMG_DEFAULT_CONFIG, path != NULL);
	for (unsigned i = 0; i < KEYS; i++) {
		value = secure_getenv(keys[i].env);
		if (!value)
			continue;
		if (keys[i].many)
			kmg_settings.socket_count = 0;
		if (keys[i].set(&kmg_settings, value) != KM_OK) {
			snprintf(why, sizeof(why), "\"%.60s\": must be %s", value, keys[i].wants);
			refuse_all(keys[i].env, why);
		}
	}
	if (kmg_settings.socket_count == 0)
		(void)!set_socket(&kmg_settings, KMG_DEFAULT_SOCKET);
}
