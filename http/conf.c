/* conf.c: keymesh-http.conf. */
#include "config.h"
#include "http/http.h"

#include <ctype.h>
#include <libconfig.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/context.h"

struct at {
	const char *file;
	struct kmd_fail *f;
};

static int wrong(const struct at *at, const config_setting_t *s, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

static int wrong(const struct at *at, const config_setting_t *s, const char *fmt, ...)
{
	const char *file = config_setting_source_file(s);
	char text[400];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return kmd_fail(at->f, KM_E_CONFIG, "%s:%u: %s", file ? file : at->file, (unsigned)config_setting_source_line(s), text);
}

/* Refuses what no key of the list is called. */
static int known(const struct at *at, const config_setting_t *s, const char *const *keys)
{
	for (int i = 0; i < config_setting_length(s); i++) {
		const config_setting_t *e = config_setting_get_elem(s, (unsigned)i);
		const char *const *k;

		for (k = keys; *k && strcmp(*k, config_setting_name(e)); k++)
			;
		if (!*k)
			return wrong(at, e, "there is no setting %s here; keymesh-http(8) lists them", config_setting_name(e));
	}
	return KM_OK;
}

static int text(const struct at *at, const config_setting_t *s, const char *name, char **out)
{
	const config_setting_t *v = config_setting_get_member(s, name);

	if (!v)
		return KM_OK;
	if (config_setting_type(v) != CONFIG_TYPE_STRING || !*config_setting_get_string(v))
		return wrong(at, v, "%s is a string in quotes", name);
	*out = strdup(config_setting_get_string(v));
	return *out ? KM_OK : kmd_fail(at->f, KM_E_NOMEM, "out of memory");
}

static int number(const struct at *at, const config_setting_t *s, const char *name, unsigned min, unsigned max, unsigned *out)
{
	const config_setting_t *v = config_setting_get_member(s, name);
	long long n;

	if (!v)
		return KM_OK;
	n = config_setting_type(v) == CONFIG_TYPE_INT || config_setting_type(v) == CONFIG_TYPE_INT64 ? config_setting_get_int64(v) : -1;
	if (n < min || n > max)
		return wrong(at, v, "%s is a number from %u to %u", name, min, max);
	*out = (unsigned)n;
	return KM_OK;
}

static const config_setting_t *strings(const struct at *at, const config_setting_t *s, const char *name, int *err)
{
	const config_setting_t *v = config_setting_get_member(s, name);

	if (!v || !config_setting_is_array(v) || !config_setting_length(v) ||
	    config_setting_type(config_setting_get_elem(v, 0)) != CONFIG_TYPE_STRING) {
		*err = wrong(at, v ? v : s, "%s = [ \"...\" ] is needed: an array of strings", name);
		return NULL;
	}
	return v;
}

static int read_keys(const struct at *at, const config_setting_t *s, struct kmh_client *c)
{
	int err = KM_OK;
	const config_setting_t *v = strings(at, s, "keys", &err);

	if (err)
		return err;
	c->keys = calloc((size_t)config_setting_length(v), sizeof(*c->keys));
	for (int i = 0; c->keys && i < config_setting_length(v); i++) {
		const char *name = config_setting_get_string_elem(v, i);

		if (!km_rpc_name_valid(name, strlen(name)))
			return wrong(at, v, "\"%s\" is no name of a key", name);
		c->keys[i] = strdup(name);
		if (!c->keys[i])
			return kmd_fail(at->f, KM_E_NOMEM, "out of memory");
		c->n_keys++;
	}
	return c->keys ? KM_OK : kmd_fail(at->f, KM_E_NOMEM, "out of memory");
}

static int read_contexts(const struct at *at, const config_setting_t *s, struct kmh_client *c)
{
	int err = KM_OK;
	const config_setting_t *v = strings(at, s, "contexts", &err);

	for (int i = 0; !err && i < config_setting_length(v); i++) {
		unsigned context = km_context_by_name(config_setting_get_string_elem(v, i));

		if (!context || context == KM_CTX_CANARY)
			return wrong(at, v, "there is no context \"%s\"; the keys of keymesh.conf say which are allowed", config_setting_get_string_elem(v, i));
		c->contexts |= km_context_bit(context);
	}
	return err;
}

static int read_client(const struct at *at, const config_setting_t *s, struct kmh_client *c)
{
	static const char *const keys[] = { "name", "fingerprint", "keys", "contexts", "rate", NULL };
	int err;

	if (!config_setting_is_group(s))
		return wrong(at, s, "a client is a group { name = ...; fingerprint = ...; keys = [...]; contexts = [...]; }");
	err = known(at, s, keys);
	if (!err)
		err = text(at, s, "name", &c->name);
	if (!err)
		err = text(at, s, "fingerprint", &c->fingerprint);
	if (!err && (!c->name || !c->fingerprint))
		err = wrong(at, s, "a client needs name and fingerprint");
	for (char *p = err ? NULL : c->fingerprint; p && *p; p++)
		*p = (char)tolower((unsigned char)*p);
	if (!err && (strlen(c->fingerprint) != 64 || strspn(c->fingerprint, "0123456789abcdef") != 64))
		err = wrong(at, s, "fingerprint is the SHA-256 of the client's public key, 64 hex digits; keymesh-http(8) says how to get it");
	if (!err)
		err = read_keys(at, s, c);
	if (!err)
		err = read_contexts(at, s, c);
	if (!err)
		err = number(at, s, "rate", 0, 1000000, &c->rate);
	return err;
}

static int read_clients(const struct at *at, const config_setting_t *s, struct kmh_conf *c)
{
	const config_setting_t *v = config_setting_get_member(s, "clients");

	if (!v || !config_setting_is_list(v) || !config_setting_length(v))
		return wrong(at, v ? v : s, "clients = ( { ... }, ... ) is needed: who may ask, and for what");
	if (config_setting_length(v) > (int)KMH_MAX_CLIENTS)
		return wrong(at, v, "at most %u clients", KMH_MAX_CLIENTS);
	c->clients = calloc((size_t)config_setting_length(v), sizeof(*c->clients));
	if (!c->clients)
		return kmd_fail(at->f, KM_E_NOMEM, "out of memory");
	for (int i = 0; i < config_setting_length(v); i++) {
		struct kmh_client *k = &c->clients[c->n_clients++];
		int err = read_client(at, config_setting_get_elem(v, (unsigned)i), k);

		if (err)
			return err;
		for (unsigned j = 0; j + 1 < c->n_clients; j++)
			if (!strcmp(c->clients[j].fingerprint, k->fingerprint))
				return wrong(at, v, "clients %s and %s have the same fingerprint", c->clients[j].name, k->name);
	}
	return KM_OK;
}

static int read_sign(const struct at *at, const config_setting_t *s, struct kmh_conf *c)
{
	static const char *const keys[] = { "listen", "certificate", "key", "client_ca", "clients", "deadline_ms", NULL };
	int err;

	if (!config_setting_is_group(s))
		return wrong(at, s, "sign is a group { listen = ...; certificate = ...; key = ...; client_ca = ...; clients = (...); }");
	err = known(at, s, keys);
	if (!err)
		err = text(at, s, "listen", &c->sign_listen);
	if (!err)
		err = text(at, s, "certificate", &c->certificate);
	if (!err)
		err = text(at, s, "key", &c->key);
	if (!err)
		err = text(at, s, "client_ca", &c->client_ca);
	if (!err && (!c->sign_listen || !c->certificate || !c->key || !c->client_ca))
		err = wrong(at, s, "listen, certificate, key and client_ca are needed: requests come over TLS with certificates on both sides");
	if (!err)
		err = number(at, s, "deadline_ms", 10, 60000, &c->deadline_ms);
	return err ? err : read_clients(at, s, c);
}

static int read_all(const struct at *at, const config_setting_t *root, struct kmh_conf *c)
{
	static const char *const keys[] = { "socket", "metrics", "sign", "threads", "max_connections", NULL };
	static const char *const metrics_keys[] = { "listen", NULL };
	const config_setting_t *metrics = config_setting_get_member(root, "metrics"), *sign = config_setting_get_member(root, "sign");
	int err = known(at, root, keys);

	if (!err)
		err = text(at, root, "socket", &c->socket);
	if (!err)
		err = number(at, root, "threads", 1, 64, &c->threads);
	if (!err)
		err = number(at, root, "max_connections", 1, 16384, &c->max_connections);
	if (!err && metrics && !config_setting_is_group(metrics))
		err = wrong(at, metrics, "metrics is a group { listen = \"127.0.0.1:9464\"; }");
	if (!err && metrics)
		err = known(at, metrics, metrics_keys);
	if (!err && metrics)
		err = text(at, metrics, "listen", &c->metrics_listen);
	if (!err && metrics && !c->metrics_listen)
		err = wrong(at, metrics, "listen = \"ADDRESS:PORT\" is needed");
	if (!err && sign)
		err = read_sign(at, sign, c);
	if (!err && !metrics && !sign)
		err = kmd_fail(at->f, KM_E_CONFIG, "%s: nothing to serve: write metrics = { listen = \"127.0.0.1:9464\"; }; or sign = { ... };", at->file);
	return err;
}

int kmh_conf_load(struct kmh_conf **out, const char *path, struct kmd_fail *f)
{
	struct kmh_conf *c = calloc(1, sizeof(*c));
	struct at at = {path, f};
	config_t lc;
	int err;

	*out = NULL;
	if (!c)
		return kmd_fail(f, KM_E_NOMEM, "out of memory");
	pthread_mutex_init(&c->rates, NULL);
	c->threads = 8;
	c->max_connections = 512;
	c->deadline_ms = 2000;
	config_init(&lc);
	c->file = strdup(path);
	if (!c->file)
		err = kmd_fail(f, KM_E_NOMEM, "out of memory");
	else if (!config_read_file(&lc, path) && config_error_type(&lc) == CONFIG_ERR_FILE_IO)
		err = kmd_fail(f, KM_E_NOTFOUND, "%s cannot be read; give --config FILE", path);
	else if (config_error_type(&lc) != CONFIG_ERR_NONE)
		err = kmd_fail(f, KM_E_CONFIG, "%s:%d: %s", path, config_error_line(&lc), config_error_text(&lc));
	else
		err = read_all(&at, config_root_setting(&lc), c);
	config_destroy(&lc);
	if (err)
		kmh_conf_free(c);
	else
		*out = c;
	return err;
}

void kmh_conf_free(struct kmh_conf *c)
{
	if (!c)
		return;
	for (unsigned i = 0; i < c->n_clients; i++) {
		free(c->clients[i].name);
		free(c->clients[i].fingerprint);
		for (unsigned k = 0; k < c->clients[i].n_keys; k++)
			free(c->clients[i].keys[k]);
		free(c->clients[i].keys);
	}
	free(c->clients);
	free(c->file);
	free(c->socket);
	free(c->metrics_listen);
	free(c->sign_listen);
	free(c->certificate);
	free(c->key);
	free(c->client_ca);
	pthread_mutex_destroy(&c->rates);
	free(c);
}
