/* conf.c: keymesh.conf by the schema table. What goes beyond one value is checked in conf_check.c. */
#include "config.h"
#include "mesh/conf.h"

#include <errno.h>
#include <libgen.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/secret.h"
#include "mesh/conf_impl.h"
#include "mesh/schema.h"

int kmd_conf_error(const struct kmd_conf_at *at, const config_setting_t *s, const char *key, const char *fmt, ...)
{
	const config_setting_t *where = key ? config_setting_get_member(s, key) : s;
	const char *file;
	char text[512];
	va_list ap;

	if (!where)
		where = s;
	file = config_setting_source_file(where);
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return kmd_fail(at->f, KM_E_CONFIG, "%s:%u: %s", file ? file : at->file, (unsigned)config_setting_source_line(where),
			text);
}

static const char *type_name(const config_setting_t *s)
{
	switch (config_setting_type(s)) {
	case CONFIG_TYPE_INT:
	case CONFIG_TYPE_INT64:
		return "a number";
	case CONFIG_TYPE_FLOAT:
		return "a number with a point";
	case CONFIG_TYPE_STRING:
		return "a string";
	case CONFIG_TYPE_BOOL:
		return "true or false";
	case CONFIG_TYPE_ARRAY:
		return "an array [ ]";
	case CONFIG_TYPE_LIST:
		return "a list ( )";
	default:
		return "a group { }";
	}
}

static int wrong_type(const struct kmd_conf_at *at, const config_setting_t *s, const struct kmd_schema *k, const char *want)
{
	return kmd_conf_error(at, s, NULL, "%s is %s; write %s: %s", k->key, type_name(s), want, k->help);
}

static int read_int(const struct kmd_conf_at *at, const config_setting_t *s, const struct kmd_schema *k, void *obj)
{
	int type = config_setting_type(s);
	long long v;

	if (type != CONFIG_TYPE_INT && type != CONFIG_TYPE_INT64)
		return wrong_type(at, s, k, "a whole number");
	v = config_setting_get_int64(s);
	if (v < k->min || v > k->max)
		return kmd_conf_error(at, s, NULL, "%s = %lld is out of bounds; write a number from %ld to %ld: %s", k->key, v,
				      k->min, k->max, k->help);
	*(unsigned *)((char *)obj + k->offset) = (unsigned)v;
	return KM_OK;
}

static int copy_string(const struct kmd_conf_at *at, const config_setting_t *s, const struct kmd_schema *k, char **out)
{
	const char *v = config_setting_get_string(s);
	size_t n = strlen(v);

	if (n < (size_t)k->min || n > (size_t)k->max) {
		if (k->min == k->max)
			return kmd_conf_error(at, s, NULL, "%s has %zu characters instead of %ld; write %s", k->key, n, k->max,
					      k->help);
		return kmd_conf_error(at, s, NULL, "%s has %zu characters; write %ld to %ld: %s", k->key, n, k->min, k->max,
				      k->help);
	}
	*out = strdup(v);
	return *out ? KM_OK : kmd_fail(at->f, KM_E_NOMEM, "out of memory");
}

static int read_string(const struct kmd_conf_at *at, const config_setting_t *s, const struct kmd_schema *k, void *obj)
{
	if (config_setting_type(s) != CONFIG_TYPE_STRING)
		return wrong_type(at, s, k, "a string in quotes");
	return copy_string(at, s, k, (char **)(void *)((char *)obj + k->offset));
}

static int read_strings(const struct kmd_conf_at *at, const config_setting_t *s, const struct kmd_schema *k, void *obj)
{
	struct kmd_strings *out = (struct kmd_strings *)(void *)((char *)obj + k->offset);
	int i, n, err = KM_OK;

	if (config_setting_type(s) != CONFIG_TYPE_ARRAY && config_setting_type(s) != CONFIG_TYPE_LIST)
		return wrong_type(at, s, k, "an array of strings [\"a\", \"b\"]");
	n = config_setting_length(s);
	out->v = calloc((size_t)n + 1, sizeof(*out->v));
	if (!out->v)
		return kmd_fail(at->f, KM_E_NOMEM, "out of memory");
	for (i = 0; i < n && !err; i++) {
		const config_setting_t *e = config_setting_get_elem(s, (unsigned)i);

		if (config_setting_type(e) != CONFIG_TYPE_STRING)
			return wrong_type(at, e, k, "strings in quotes into it");
		err = copy_string(at, e, k, &out->v[out->n]);
		if (!err)
			out->n++;
	}
	return err;
}

static int read_object(const struct kmd_conf_at *at, const config_setting_t *s, const char *section, void *obj);

/* The three lists of the file: room for all entries is made by the caller's element size. */
static int read_list(const struct kmd_conf_at *at, const config_setting_t *s, const struct kmd_schema *k, struct kmd_config *c)
{
	size_t size;
	unsigned i, n, *count;
	void **array;
	int err = KM_OK;

	if (config_setting_type(s) != CONFIG_TYPE_LIST)
		return wrong_type(at, s, k, "a list of groups ( { ... }, { ... } )");
	n = (unsigned)config_setting_length(s);
	if ((long)n < k->min || (long)n > k->max)
		return kmd_conf_error(at, s, NULL, "%s has %u entries; write %ld to %ld: %s", k->key, n, k->min, k->max, k->help);
	if (!strcmp(k->key, "peers")) {
		array = (void **)&c->peers, count = &c->n_peers, size = sizeof(*c->peers);
	} else if (!strcmp(k->key, "frontends")) {
		array = (void **)&c->frontends, count = &c->n_frontends, size = sizeof(*c->frontends);
	} else {
		array = (void **)&c->keys, count = &c->n_keys, size = sizeof(*c->keys);
	}
	*array = calloc(n + 1, size);
	if (!*array)
		return kmd_fail(at->f, KM_E_NOMEM, "out of memory");
	for (i = 0; i < n && !err; i++) {
		const config_setting_t *e = config_setting_get_elem(s, i);

		*count = i + 1;
		if (!config_setting_is_group(e))
			return wrong_type(at, e, k, "groups { ... } into it");
		err = read_object(at, e, k->key, (char *)*array + i * size);
	}
	return err;
}

static int read_value(const struct kmd_conf_at *at, const config_setting_t *s, const struct kmd_schema *k, void *obj)
{
	switch (k->kind) {
	case KMD_KIND_INT:
		return read_int(at, s, k, obj);
	case KMD_KIND_STRING:
		return read_string(at, s, k, obj);
	case KMD_KIND_STRINGS:
		return read_strings(at, s, k, obj);
	case KMD_KIND_LIST:
		return read_list(at, s, k, obj);
	default:
		if (!config_setting_is_group(s))
			return wrong_type(at, s, k, "a group { ... }");
		return read_object(at, s, k->key, obj);
	}
}

static int unknown_key(const struct kmd_conf_at *at, const config_setting_t *s, const char *section, const char *key)
{
	const char *near = kmd_schema_nearest(section, key);
	char all[320] = "";
	size_t i, n = 0;

	if (near)
		return kmd_conf_error(at, s, NULL, "unknown key %s%s%s; did you mean %s?", section, *section ? "." : "", key,
				      near);
	for (i = 0; i < kmd_schema_n; i++)
		if (!strcmp(kmd_schema[i].section, section) && n < sizeof(all))
			n += (size_t)snprintf(all + n, sizeof(all) - n, "%s%s", n ? ", " : "", kmd_schema[i].key);
	return kmd_conf_error(at, s, NULL, "unknown key %s%s%s; write one of %s", section, *section ? "." : "", key, all);
}

static int fill_default(const struct kmd_conf_at *at, const config_setting_t *s, const struct kmd_schema *k, void *obj)
{
	if (k->flags & KMD_REQUIRED)
		return kmd_conf_error(at, s, NULL, "%s%s%s is missing; write %s = %s: %s", k->section, *k->section ? "." : "",
				      k->key, k->key,
				      k->kind == KMD_KIND_INT	    ? "a number"
				      : k->kind == KMD_KIND_STRING  ? "\"...\""
				      : k->kind == KMD_KIND_STRINGS ? "[\"...\"]"
				      : k->kind == KMD_KIND_GROUP   ? "{ ... }"
								    : "( { ... } )",
				      k->help);
	if (k->kind == KMD_KIND_INT && k->def)
		*(unsigned *)((char *)obj + k->offset) = (unsigned)strtoul(k->def, NULL, 10);
	if (k->kind == KMD_KIND_STRING && k->def) {
		char **out = (char **)(void *)((char *)obj + k->offset);

		*out = strdup(k->def);
		if (!*out)
			return kmd_fail(at->f, KM_E_NOMEM, "out of memory");
	}
	return KM_OK;
}

/* A group that is not there still has the defaults of its keys. */
static int fill_section(const struct kmd_conf_at *at, const config_setting_t *s, const char *section, void *obj)
{
	int err = KM_OK;
	size_t i;

	for (i = 0; i < kmd_schema_n && !err; i++)
		if (!strcmp(kmd_schema[i].section, section) && !(kmd_schema[i].flags & KMD_REQUIRED))
			err = fill_default(at, s, &kmd_schema[i], obj);
	return err;
}

/* Depth is bounded by the table: only its groups and lists are entered. */
static int read_object(const struct kmd_conf_at *at, const config_setting_t *s, const char *section, void *obj)
{
	int i, n = config_setting_length(s), err = KM_OK;
	size_t k;

	for (i = 0; i < n && !err; i++) {
		const config_setting_t *e = config_setting_get_elem(s, (unsigned)i);

		if (!kmd_schema_find(section, config_setting_name(e)))
			err = unknown_key(at, e, section, config_setting_name(e));
	}
	for (k = 0; k < kmd_schema_n && !err; k++) {
		const struct kmd_schema *sk = &kmd_schema[k];
		const config_setting_t *e;

		if (strcmp(sk->section, section))
			continue;
		e = config_setting_get_member(s, sk->key);
		if (e)
			err = read_value(at, e, sk, obj);
		else if (!(err = fill_default(at, s, sk, obj)) && sk->kind == KMD_KIND_GROUP)
			err = fill_section(at, s, sk->key, obj);
	}
	return err;
}

static int parse_file(struct kmd_config *c, config_t *lc, struct kmd_fail *f)
{
	char dir[4096];
	const char *slash = strrchr(c->file, '/');

	snprintf(dir, sizeof(dir), "%.*s", slash ? (int)(slash - c->file + (slash == c->file)) : 1, slash ? c->file : ".");
	config_set_include_dir(lc, dir);
	if (access(c->file, R_OK))
		return kmd_fail(f, errno == EACCES ? KM_E_RIGHTS : KM_E_NOTFOUND,
				"%s: cannot be read: %s; make one with keymesh init, or name another with --config", c->file,
				strerror(errno));
	if (config_read_file(lc, c->file) == CONFIG_TRUE)
		return KM_OK;
	if (config_error_type(lc) == CONFIG_ERR_FILE_IO)
		return kmd_fail(f, KM_E_IO, "%s: cannot be read; is it a plain file?", c->file);
	return kmd_fail(f, KM_E_CONFIG, "%s:%d: %s; write  name = value;  with strings in quotes, groups in { }, lists in ( )",
			config_error_file(lc) ? config_error_file(lc) : c->file, config_error_line(lc), config_error_text(lc));
}

int kmd_config_load(struct kmd_config **out, const char *path, struct kmd_fail *f)
{
	struct kmd_config *c = km_secret_alloc(sizeof(*c));
	struct kmd_conf_at at;
	config_t lc;
	int err;

	*out = NULL;
	if (!c)
		return kmd_fail(f, KM_E_NOMEM, "no locked memory for the configuration (see ulimit -l)");
	config_init(&lc);
	c->file = strdup(path);
	if (!c->file) {
		err = kmd_fail(f, KM_E_NOMEM, "out of memory");
		goto out;
	}
	at = (struct kmd_conf_at){.file = c->file, .lc = &lc, .f = f};
	err = parse_file(c, &lc, f);
	if (!err)
		err = read_object(&at, config_root_setting(&lc), "", c);
	if (!err)
		err = kmd_config_check(c, &at);
out:
	config_destroy(&lc);
	if (err)
		kmd_config_free(c);
	else
		*out = c;
	return err;
}

static void strings_free(struct kmd_strings *s)
{
	unsigned i;

	for (i = 0; i < s->n; i++)
		free(s->v[i]);
	free(s->v);
}

/* Frees what the table put into an object. */
static void object_free(const char *section, void *obj)
{
	size_t i;

	for (i = 0; i < kmd_schema_n; i++) {
		const struct kmd_schema *k = &kmd_schema[i];
		char *member = (char *)obj + k->offset;

		if (strcmp(k->section, section))
			continue;
		if (k->kind == KMD_KIND_STRING)
			free(*(char **)(void *)member);
		else if (k->kind == KMD_KIND_STRINGS)
			strings_free((struct kmd_strings *)(void *)member);
		else if (k->kind == KMD_KIND_GROUP)
			object_free(k->key, obj);
	}
}

void kmd_config_free(struct kmd_config *c)
{
	unsigned i;

	if (!c)
		return;
	object_free("", c);
	for (i = 0; i < c->n_peers; i++)
		object_free("peers", &c->peers[i]);
	for (i = 0; i < c->n_frontends; i++)
		object_free("frontends", &c->frontends[i]);
	for (i = 0; i < c->n_keys; i++)
		object_free("keys", &c->keys[i]);
	free(c->peers);
	free(c->frontends);
	free(c->keys);
	free(c->file);
	free(c->local_uids);
	free(c->admin_uids);
	free(c->settings.frontends);
	free(c->settings.keys);
	km_secret_free(c->seal_key);
	km_secret_free(c->seal_pass);
	km_secret_free(c);
}
