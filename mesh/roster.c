/* roster.c: see roster.h. */
#include "config.h"
#include "mesh/roster.h"

#include <libconfig.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "mesh/files.h"

static int entry_of(struct km_roster *r, const config_setting_t *e)
{
	const char *name = "", *identity = NULL, *channel = NULL;
	int id = 0, removed = 0;

	if (config_setting_lookup_int(e, "id", &id) != CONFIG_TRUE || id < 1 || id > KM_MAX_PEERS || r->peer[id].id ||
	    config_setting_lookup_string(e, "identity", &identity) != CONFIG_TRUE ||
	    config_setting_lookup_string(e, "channel", &channel) != CONFIG_TRUE)
		return 0;
	(void)config_setting_lookup_string(e, "name", &name);
	if (config_setting_lookup_int(e, "removed", &removed) == CONFIG_TRUE && removed)
		r->removed |= (uint32_t)1 << (id - 1);
	r->peer[id].id = (uint8_t)id;
	snprintf(r->peer[id].name, sizeof(r->peer[id].name), "%s", name);
	return !kmd_hex_decode(r->peer[id].identity, KM_IDKEY_SIZE, identity, strlen(identity)) &&
	       !kmd_hex_decode(r->peer[id].channel, KM_CHANKEY_SIZE, channel, strlen(channel));
}

int kmd_roster_read(struct km_roster *r, const char *path, struct kmd_fail *f)
{
	char dir[PATH_MAX];
	const config_setting_t *list;
	config_t lc;
	int err = KM_OK;

	memset(r, 0, sizeof(*r));
	config_init(&lc);
	snprintf(dir, sizeof(dir), "%s", path);
	char *slash = strrchr(dir, '/');
	if (slash) {
		slash[slash == dir] = 0;
		config_set_include_dir(&lc, dir);
	}
	if (config_read_file(&lc, path) != CONFIG_TRUE) {
		err = config_error_type(&lc) == CONFIG_ERR_FILE_IO
			  ? kmd_fail(f, KM_E_IO, "%s: cannot be read", path)
			  : kmd_fail(f, KM_E_CONFIG, "%s:%d: %s", path, config_error_line(&lc), config_error_text(&lc));
		goto out;
	}
	list = config_lookup(&lc, "peers");
	for (int i = 0; list && !err && i < config_setting_length(list); i++)
		if (!entry_of(r, config_setting_get_elem(list, (unsigned)i)))
			err = kmd_fail(f, KM_E_CONFIG, "%s: entry %d of peers is not as keymesh init prints it", path, i + 1);
	if (!err && (!list || km_roster_finish(r)))
		err = kmd_fail(f, KM_E_CONFIG, "%s: %s", path,
			       list ? "its list of peers is none (a key is wrong, or there twice)" : "it has no list of peers");
out:
	config_destroy(&lc);
	return err;
}

unsigned kmd_roster_find(const struct km_roster *r, const char *name)
{
	char *end;
	unsigned long id = strtoul(name, &end, 10);

	for (unsigned i = 1; i <= KM_MAX_PEERS; i++)
		if (r->peer[i].id && !strcmp(r->peer[i].name, name))
			return i;
	return !*end && id >= 1 && id <= KM_MAX_PEERS && r->peer[id].id ? (unsigned)id : 0;
}
