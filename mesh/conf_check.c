/* conf_check.c: what goes beyond one value of keymesh.conf: the roster, the policies, the files it names. */
#include "config.h"
#include "mesh/conf.h"

#include <ctype.h>
#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/secret.h"
#include "base/sig.h"
#include "ec/curve.h"
#include "mesh/address.h"
#include "mesh/backup.h"
#include "mesh/conf_impl.h"
#include "mesh/files.h"
#include "mesh/identity.h"
#include "mesh/keysource.h"
#include "mesh/log.h"
#include "rpc/rpc.h"

/* A path of the file becomes one relative to its directory. */
static int resolve_path(const struct kmd_conf_at *at, const char *file, char **path)
{
	const char *slash = strrchr(file, '/');
	char *full;

	if (!*path || **path == '/' || !slash)
		return KM_OK;
	if (asprintf(&full, "%.*s/%s", (int)(slash - file), file, *path) < 0)
		return kmd_fail(at->f, KM_E_NOMEM, "out of memory");
	free(*path);
	*path = full;
	return KM_OK;
}

static int check_name(const struct kmd_conf_at *at, const config_setting_t *s, const char *name)
{
	if (!km_rpc_name_valid(name, strlen(name)))
		return kmd_conf_error(
		    at, s, "name", "name \"%s\" is not allowed; write 1 to 63 of a-z 0-9 . _ - beginning with a letter or digit",
		    name);
	return KM_OK;
}

static int check_address(const struct kmd_conf_at *at, const config_setting_t *s, const char *key, const char *address)
{
	if (address && !kmd_address_valid(address))
		return kmd_conf_error(at, s, key,
				      "%s \"%s\" is no address; write host:port or [IPv6]:port with a port from 1 to 65535", key,
				      address);
	return KM_OK;
}

/* ---- roles */

static int check_roles(struct kmd_config *c, const struct kmd_conf_at *at, const config_setting_t *root)
{
	const config_setting_t *id = config_setting_get_member(root, "identity"),
			       *listen = config_setting_get_member(root, "listen");
	unsigned i;

	for (i = 0; i < c->roles.n; i++) {
		if (!strcmp(c->roles.v[i], "peer"))
			c->is_peer = 1;
		else if (!strcmp(c->roles.v[i], "frontend"))
			c->is_frontend = 1;
		else
			return kmd_conf_error(at, root, "roles",
					      "unknown role \"%s\"; write [\"peer\"], [\"frontend\"] or [\"peer\", \"frontend\"]",
					      c->roles.v[i]);
	}
	if (!c->is_peer && !c->is_frontend)
		return kmd_conf_error(at, root, "roles",
				      "roles is empty; write [\"peer\"], [\"frontend\"] or [\"peer\", \"frontend\"]");
	if (c->is_peer && !c->peer_id)
		return kmd_conf_error(at, id, NULL,
				      "identity.peer_id is missing for role peer; write peer_id = this node's id in peers");
	if (c->is_frontend && !c->frontend_id)
		return kmd_conf_error(
		    at, id, NULL,
		    "identity.frontend_id is missing for role frontend; write frontend_id = this node's id in frontends");
	if (c->is_peer && !c->state_dir)
		return kmd_conf_error(
		    at, root, NULL,
		    "state_dir is missing; write state_dir = \"/var/lib/keymesh\": a peer keeps its shares there");
	if (c->is_peer && (!c->listen_peers || !c->listen_frontends))
		return kmd_conf_error(at, listen, NULL, "listen.%s is missing; write %s = \"host:port\"",
				      c->listen_peers ? "frontends" : "peers", c->listen_peers ? "frontends" : "peers");
	if (c->is_peer && !!c->seal_key_file + !!c->seal_credential + !!c->seal_passphrase_file + !!c->seal_command.n != 1)
		return kmd_conf_error(at, root, "seal",
				      "a peer needs exactly one of seal.key_file, seal.credential, seal.passphrase_file and seal.command; "
				      "write seal = { key_file = \"/etc/keymesh/seal.key\"; }");
	if (c->listen_peers && c->listen_frontends && !strcmp(c->listen_peers, c->listen_frontends))
		return kmd_conf_error(at, listen, "frontends",
				      "listen.peers and listen.frontends are the same; write another port for frontends");
	return KM_OK;
}

static int check_listen(const struct kmd_config *c, const struct kmd_conf_at *at, const config_setting_t *root)
{
	const config_setting_t *listen = config_setting_get_member(root, "listen");
	int err = check_address(at, listen, "peers", c->listen_peers);

	if (!err)
		err = check_address(at, listen, "frontends", c->listen_frontends);
	if (!err && strlen(c->listen_local) > 107)
		err = kmd_conf_error(at, listen, "local",
				     "the whole path %s has %zu characters; write one of at most 107, the limit of unix sockets",
				     c->listen_local, strlen(c->listen_local));
	return err;
}

/* ---- roster */

static int check_hex_key(const struct kmd_conf_at *at, const config_setting_t *s, const char *key, const char *hex,
			 uint8_t out[32])
{
	static const uint8_t any_secret[32] = {8, [31] = 64};
	uint8_t shared[32];

	if (kmd_hex_decode(out, 32, hex, strlen(hex)))
		return kmd_conf_error(at, s, key, "%s is not 64 hex digits; copy it from the line that keymesh init prints", key);
	if (!strcmp(key, "identity") && km_ed25519_check_key(out))
		return kmd_conf_error(at, s, key,
				      "identity is no Ed25519 public key; copy it from the line that keymesh init prints");
	/* WHY: who knows no secret at all would pass for the owner of a key of small order */
	if (!strcmp(key, "channel") && km_x25519(any_secret, out, shared))
		return kmd_conf_error(at, s, key,
				      "channel is no X25519 public key; copy it from the line that keymesh init prints");
	return KM_OK;
}

static int check_peer(struct kmd_config *c, const struct kmd_conf_at *at, const config_setting_t *s,
		      const struct kmd_conf_peer *p)
{
	struct km_roster_peer *r = &c->settings.roster.peer[p->id];
	int err;

	if (r->id)
		return kmd_conf_error(at, s, "id", "peer id %u is given to %s already; write a number that no other peer has",
				      p->id, r->name);
	err = check_name(at, s, p->name);
	if (!err)
		err = check_address(at, s, "address", p->address);
	if (!err)
		err = check_address(at, s, "frontend_address", p->frontend_address);
	if (!err)
		err = check_hex_key(at, s, "identity", p->identity, r->identity);
	if (!err)
		err = check_hex_key(at, s, "channel", p->channel, r->channel);
	if (err)
		return err;
	r->id = (uint8_t)p->id;
	if (p->removed)
		c->settings.roster.removed |= (uint32_t)1 << (p->id - 1);
	snprintf(r->name, sizeof(r->name), "%s", p->name);
	c->address[p->id] = p->address;
	c->frontend_address[p->id] = p->frontend_address;
	return KM_OK;
}

static int check_roster(struct kmd_config *c, const struct kmd_conf_at *at, const config_setting_t *root)
{
	const config_setting_t *list = config_setting_get_member(root, "peers");
	unsigned i, j, own = 0;
	int err;

	for (i = 0; i < c->n_peers; i++) {
		const struct kmd_conf_peer *p = &c->peers[i];
		const config_setting_t *s = config_setting_get_elem(list, i);

		err = check_peer(c, at, s, p);
		if (err)
			return err;
		if (p->id == c->peer_id)
			own = i;
		for (j = 0; j < i; j++) {
			const struct kmd_conf_peer *q = &c->peers[j];
			const char *key = !strcmp(p->name, q->name)			      ? "name"
					  : !strcasecmp(p->identity, q->identity)	      ? "identity"
					  : !strcasecmp(p->channel, q->channel)		      ? "channel"
					  : !strcmp(p->address, q->address)		      ? "address"
					  : !strcmp(p->frontend_address, q->frontend_address) ? "frontend_address"
											      : NULL;

			if (key)
				return kmd_conf_error(
				    at, s, key,
				    "peers %u and %u have the same %s; every peer has its own, copy its line from keymesh init",
				    q->id, p->id, key);
		}
	}
	if (c->is_peer && !c->settings.roster.peer[c->peer_id].id)
		return kmd_conf_error(at, config_setting_get_member(root, "identity"), "peer_id",
				      "peer_id %u is not in peers; add this node's line, or write the id it has there",
				      c->peer_id);
	if (c->is_peer && c->settings.roster.removed >> (c->peer_id - 1) & 1)
		return kmd_conf_error(at, config_setting_get_elem(list, own), "removed",
				      "peer %u is this node; in its own file a removed peer keeps its line as it was, until keymesh status shows no share of "
				      "its keys; then stop it", c->peer_id);
	if (__builtin_popcount(c->settings.roster.removed) + KM_MIN_THRESHOLD > (int)c->n_peers)
		return kmd_conf_error(at, list, NULL, "%d of %u peers are marked removed; %d must remain",
				      __builtin_popcount(c->settings.roster.removed), c->n_peers, KM_MIN_THRESHOLD);
	err = km_roster_finish(&c->settings.roster);
	if (err)
		return kmd_conf_error(at, list, NULL, "the roster is not usable: %s", km_strerror(err));
	return KM_OK;
}

static int check_frontends(struct kmd_config *c, const struct kmd_conf_at *at, const config_setting_t *root)
{
	const config_setting_t *list = config_setting_get_member(root, "frontends");
	unsigned i, j, own = 0;

	c->settings.frontends = calloc(c->n_frontends + 1, sizeof(*c->settings.frontends));
	if (!c->settings.frontends)
		return kmd_fail(at->f, KM_E_NOMEM, "out of memory");
	for (i = 0; i < c->n_frontends; i++) {
		const struct kmd_conf_frontend *f = &c->frontends[i];
		struct km_frontend_entry *e = &c->settings.frontends[i];
		const config_setting_t *s = config_setting_get_elem(list, i);
		int err = check_name(at, s, f->name);

		if (!err)
			err = check_hex_key(at, s, "channel", f->channel, e->channel);
		if (err)
			return err;
		for (j = 0; j < i; j++) {
			const struct kmd_conf_frontend *g = &c->frontends[j];
			const char *key = f->id == g->id			? "id"
					  : !strcmp(f->name, g->name)		? "name"
					  : !strcasecmp(f->channel, g->channel) ? "channel"
										: NULL;

			if (key)
				return kmd_conf_error(at, s, key, "frontends %s and %s have the same %s; write one of its own",
						      g->name, f->name, key);
		}
		e->id = (uint16_t)f->id;
		snprintf(e->name, sizeof(e->name), "%s", f->name);
		own |= f->id == c->frontend_id;
	}
	c->settings.n_frontends = c->n_frontends;
	if (c->is_frontend && !own)
		return kmd_conf_error(at, config_setting_get_member(root, "identity"), "frontend_id",
				      "frontend_id %u is not in frontends; add this node's line, or write the id it has there",
				      c->frontend_id);
	return KM_OK;
}

/* ---- keys */

static unsigned curve_by_name(const char *name)
{
	unsigned id;

	for (id = KM_CURVE_P256; id <= KM_CURVE_P521; id++)
		if (km_curve_by_id(id) && !strcmp(km_curve_name(km_curve_by_id(id)), name))
			return id;
	return 0;
}

static int check_key_lists(struct kmd_config *c, const struct kmd_conf_at *at, const config_setting_t *s,
			   const struct kmd_conf_key *k, struct km_key_policy *out)
{
	unsigned i, j;

	for (i = 0; i < k->contexts.n; i++) {
		unsigned ctx = km_context_by_name(k->contexts.v[i]);

		if (!ctx || ctx == KM_CTX_CANARY)
			return kmd_conf_error(at, s, "contexts",
					      "unknown context \"%s\"; write some of tls13-server, tls12-server, csr, x509-self",
					      k->contexts.v[i]);
		out->contexts |= km_context_bit(ctx);
	}
	if (!out->contexts)
		return kmd_conf_error(
		    at, s, "contexts",
		    "contexts is empty: the key could sign nothing; write [\"tls13-server\", \"tls12-server\"]");
	for (i = 0; i < k->frontends.n; i++) {
		for (j = 0; j < c->n_frontends; j++)
			if (!strcmp(k->frontends.v[i], c->frontends[j].name))
				break;
		if (j == c->n_frontends)
			return kmd_conf_error(at, s, "frontends",
					      "\"%s\" is no name in the list frontends; add it there, or write a name from there",
					      k->frontends.v[i]);
		km_policy_allow_frontend(out, (uint16_t)c->frontends[j].id);
	}
	return KM_OK;
}

static int check_key(struct kmd_config *c, const struct kmd_conf_at *at, const config_setting_t *s, const struct kmd_conf_key *k,
		     struct km_key_policy *out)
{
	int err = check_name(at, s, k->name);
	unsigned peers;
	size_t n;

	if (err)
		return err;
	if (km_settings_key(&c->settings, k->name))
		return kmd_conf_error(at, s, "name", "key \"%s\" is there twice; write each key once", k->name);
	err = kmd_config_check_epochs(c, at, s, k, out);
	if (err)
		return err;
	peers = out->members ? (unsigned)__builtin_popcount(out->members) : c->settings.roster.n;
	out->curve = (uint8_t)curve_by_name(k->curve);
	if (!out->curve)
		return kmd_conf_error(at, s, "curve", "unknown curve \"%s\"; write \"P-256\"", k->curve);
	if (k->replaces && (!km_rpc_name_valid(k->replaces, strlen(k->replaces)) || !strcmp(k->replaces, k->name)))
		return kmd_conf_error(at, s, "replaces", "replaces = \"%s\" in key \"%s\"; write the name of another key, whose place this one takes",
				      k->replaces, k->name);
	n = strlen(c->warnings);
	if (k->threshold == peers)
		snprintf(c->warnings + n, sizeof(c->warnings) - n,
			 "key %s: threshold %u of %u peers: while any one of them is down, nothing is signed\n", k->name,
			 k->threshold, peers);
	snprintf(out->name, sizeof(out->name), "%s", k->name);
	out->threshold = (uint8_t)k->threshold;
	out->rate = k->rate;
	unsigned least = km_settings_dkg_least(&c->settings, k->threshold);
	if (c->dkg_min && c->dkg_min < least)
		return kmd_conf_error(at, config_root_setting(at->lc), "dkg_min",
				      "dkg_min = %u is too few for key \"%s\" with threshold %u: two key generations of that name could have no "
				      "honest peer in common; write at least %u, or 0 for all peers",
				      c->dkg_min, k->name, k->threshold, least);
	return check_key_lists(c, at, s, k, out);
}

static int check_keys(struct kmd_config *c, const struct kmd_conf_at *at, const config_setting_t *root)
{
	const config_setting_t *list = config_setting_get_member(root, "keys");
	unsigned i;
	int err = KM_OK;

	c->settings.keys = calloc(c->n_keys + 1, sizeof(*c->settings.keys));
	if (!c->settings.keys)
		return kmd_fail(at->f, KM_E_NOMEM, "out of memory");
	c->settings.dkg_min = c->dkg_min;
	for (i = 0; i < c->n_keys && !err; i++) {
		err = check_key(c, at, config_setting_get_elem(list, i), &c->keys[i], &c->settings.keys[i]);
		c->settings.n_keys = i + 1;
	}
	return err;
}

/* ---- backups */

static const char *in_both(const struct kmd_strings *a, const struct kmd_strings *b)
{
	for (unsigned i = 0; i < a->n; i++)
		for (unsigned j = 0; j < b->n; j++)
			if (!strcmp(a->v[i], b->v[j]))
				return a->v[i];
	return NULL;
}

/* WHY: who can open two peers' backups is two of the threshold in one person, and may not even know it. */
static int check_recipients(const struct kmd_config *c, const struct kmd_conf_at *at, const config_setting_t *root)
{
	const config_setting_t *list = config_setting_get_member(root, "peers");
	const char *who;
	unsigned i, j;

	for (i = 0; i < c->n_peers; i++) {
		const struct kmd_conf_peer *p = &c->peers[i];

		for (j = 0; j < i; j++)
			if ((who = in_both(&p->recipients, &c->peers[j].recipients)))
				return kmd_conf_error(at, config_setting_get_elem(list, i), "recipients",
						      "%.80s is a recipient of peer %u and of peer %u; write one that only one of them has", who,
						      c->peers[j].id, p->id);
		if (p->id != c->peer_id && (who = in_both(&c->backup_recipients, &p->recipients)))
			return kmd_conf_error(at, config_setting_get_member(root, "backup"), "recipients",
					      "%.80s is a recipient of peer %u; write one that only this peer has", who, p->id);
	}
	return KM_OK;
}

static int check_backup(struct kmd_config *c, const struct kmd_conf_at *at, const config_setting_t *root)
{
	const config_setting_t *s = config_setting_get_member(root, "backup");
	unsigned i;

	if (c->backup_recipients.n > KMD_BACKUP_RECIPIENTS)
		return kmd_conf_error(at, s, "recipients", "%u recipients; write at most %d", c->backup_recipients.n, KMD_BACKUP_RECIPIENTS);
	for (i = 0; i < c->backup_recipients.n; i++)
		if (c->backup_recipients.v[i][0] == '-' || strpbrk(c->backup_recipients.v[i], "\r\n\t"))
			return kmd_conf_error(at, s, "recipients", "\"%.80s\" is no recipient; write one as age takes it after -r",
					      c->backup_recipients.v[i]);
	if (c->backup_command.n && c->backup_command.v[0][0] != '/')
		return kmd_conf_error(at, s, "command", "\"%s\" is no path from the root; write where the program lies, such as /usr/bin/age",
				      c->backup_command.v[0]);
	if (c->backup_command.n > KMD_BACKUP_COMMAND)
		return kmd_conf_error(at, s, "command", "the command has %u words; write at most %d", c->backup_command.n, KMD_BACKUP_COMMAND);
	return check_recipients(c, at, root);
}

/* ---- users and files */

static int resolve_users(const struct kmd_conf_at *at, const config_setting_t *listen, const char *key,
			 const struct kmd_strings *names, uid_t **out, unsigned *n)
{
	unsigned i;

	*out = calloc(names->n + 1, sizeof(**out));
	if (!*out)
		return kmd_fail(at->f, KM_E_NOMEM, "out of memory");
	for (i = 0; i < names->n; i++) {
		const char *name = names->v[i];
		char *end;
		unsigned long uid = strtoul(name, &end, 10);
		const struct passwd *pw;

		if (!isdigit((unsigned char)name[0]) || *end) {
			pw = getpwnam(name);
			if (!pw)
				return kmd_conf_error(at, listen, key,
						      "user \"%s\" is not known on this machine; write a user's name or number",
						      name);
			uid = pw->pw_uid;
		}
		(*out)[(*n)++] = (uid_t)uid;
	}
	return KM_OK;
}

static int own_keys_match(const struct kmd_config *c, const struct kmd_conf_at *at, const config_setting_t *root,
			  const struct kmd_identity *id)
{
	const config_setting_t *s = config_setting_get_member(root, "identity");
	unsigned i;

	if (c->is_peer) {
		const struct km_roster_peer *p = &c->settings.roster.peer[c->peer_id];

		if (memcmp(p->identity, id->sign.pub, 32) || memcmp(p->channel, id->channel_pub, 32))
			return kmd_conf_error(at, s, "secret_file",
					      "the keys in %s are not those of peer %u (%s) in peers; write the %s that keymesh "
					      "init printed for it",
					      c->secret_file, c->peer_id, p->name,
					      memcmp(p->identity, id->sign.pub, 32) ? "identity" : "channel");
	}
	for (i = 0; c->is_frontend && i < c->n_frontends; i++)
		if (c->frontends[i].id == c->frontend_id && memcmp(c->settings.frontends[i].channel, id->channel_pub, 32))
			return kmd_conf_error(at, s, "secret_file",
					      "the channel key in %s is not that of frontend %u in frontends; write the channel "
					      "that keymesh init printed for it",
					      c->secret_file, c->frontend_id);
	return KM_OK;
}

static int load_identity(struct kmd_config *c, const struct kmd_conf_at *at, const config_setting_t *root)
{
	struct kmd_fail why = {""};
	struct kmd_identity id;
	int err = kmd_identity_load(&id, c->secret_file, &why);

	if (err) {
		(void)kmd_conf_error(at, config_setting_get_member(root, "identity"), "secret_file", "%s", why.text);
		return err;
	}
	err = own_keys_match(c, at, root, &id);
	c->settings.identity = id.sign;
	memcpy(c->settings.channel_priv, id.channel_priv, 32);
	kmd_identity_wipe(&id);
	return err;
}

static int load_seal_key(struct kmd_config *c, const struct kmd_conf_at *at, const config_setting_t *root)
{
	struct kmd_fail why = {""};
	const char *key;
	int err = kmd_keysource_read(c, &key, &why);

	if (err)
		(void)kmd_conf_error(at, config_setting_get_member(root, "seal"), key, "%s", why.text);
	return err;
}

static int check_files(struct kmd_config *c, const struct kmd_conf_at *at, const config_setting_t *root)
{
	const config_setting_t *listen = config_setting_get_member(root, "listen");
	int err = resolve_users(at, listen, "local_users", &c->local_users, &c->local_uids, &c->n_local_uids);

	if (!err)
		err = resolve_users(at, listen, "admin_users", &c->admin_users, &c->admin_uids, &c->n_admin_uids);
	if (!err)
		err = load_identity(c, at, root);
	if (!err && c->is_peer)
		err = load_seal_key(c, at, root);
	return err;
}

static void fill_settings(struct kmd_config *c)
{
	unsigned i;

	c->settings.self_peer = c->is_peer ? (uint8_t)c->peer_id : 0;
	c->settings.self_frontend = c->is_frontend ? (uint16_t)c->frontend_id : 0;
	c->settings.pool_target = c->pool_target;
	c->settings.pool_low = c->pool_low;
	c->settings.batch = c->pool_batch;
	c->settings.presig_age_s = c->pool_max_age;
	if (c->is_peer)
		snprintf(c->self_name, sizeof(c->self_name), "%s", c->settings.roster.peer[c->peer_id].name);
	for (i = 0; !c->is_peer && i < c->n_frontends; i++)
		if (c->frontends[i].id == c->frontend_id)
			snprintf(c->self_name, sizeof(c->self_name), "%s", c->frontends[i].name);
}

int kmd_config_check(struct kmd_config *c, const struct kmd_conf_at *at)
{
	const config_setting_t *root = config_root_setting(at->lc);
	char **paths[] = {&c->secret_file, &c->state_dir, &c->seal_key_file, &c->seal_passphrase_file, &c->backup_directory, &c->state_counter,
			  &c->listen_local, &c->audit_export_dir, &c->audit_publish_dir};
	int err = KM_OK;
	size_t i;

	km_settings_defaults(&c->settings);
	for (i = 0; i < sizeof(paths) / sizeof(paths[0]) && !err; i++)
		err = resolve_path(at, c->file, paths[i]);
	if (!err)
		err = check_roles(c, at, root);
	if (!err)
		err = check_listen(c, at, root);
	if (!err && !kmd_log_level_by_name(c->log_level))
		err = kmd_conf_error(at, root, "log_level", "unknown log_level \"%s\"; write error, warn, notice, info or debug",
				     c->log_level);
	if (!err && strcmp(c->audit_sync, "batch") && strcmp(c->audit_sync, "always"))
		err = kmd_conf_error(at, config_setting_get_member(root, "audit"), "sync", "unknown audit.sync \"%s\"; write batch or always",
				     c->audit_sync);
	if (!err)
		err = check_name(at, config_setting_get_member(root, "audit"), c->audit_mesh);
	if (!err && c->pool_low > c->pool_target)
		err = kmd_conf_error(at, config_setting_get_member(root, "pool"), "low",
				     "pool.low = %u is more than pool.target = %u; write a smaller number", c->pool_low,
				     c->pool_target);
	if (!err)
		err = check_roster(c, at, root);
	if (!err && c->dkg_min > c->settings.roster.n)
		err = kmd_conf_error(at, root, "dkg_min", "dkg_min = %u is more than the %u peers there are; write at most %u",
				     c->dkg_min, c->settings.roster.n, c->settings.roster.n);
	if (!err)
		err = check_frontends(c, at, root);
	if (!err)
		err = check_keys(c, at, root);
	if (!err && c->is_peer)
		err = check_backup(c, at, root);
	if (!err)
		err = check_files(c, at, root);
	if (!err)
		fill_settings(c);
	if (!err)
		memcpy(c->settings.mesh, c->audit_mesh, strlen(c->audit_mesh) + 1);
	return err;
}
