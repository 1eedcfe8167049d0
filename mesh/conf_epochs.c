/* conf_epochs.c: what keymesh.conf says of the epochs of a key: committee, excluded peers, pinned key, refresh by the clock. */
#include "config.h"
#include "mesh/conf.h"

#include <stdlib.h>
#include <string.h>
#include "mesh/conf_impl.h"
#include "mesh/files.h"

#define REFRESH_MIN_S 600u
#define REFRESH_MAX_S (3650u * 86400u)

/* Names or ids of the list peers. */
static int check_set(const struct kmd_config *c, const struct kmd_conf_at *at, const config_setting_t *s, const char *key,
		     const struct kmd_strings *list, uint32_t *out)
{
	*out = 0;
	for (unsigned i = 0; i < list->n; i++) {
		const char *who = list->v[i];
		unsigned id = 0;

		for (unsigned j = 0; j < c->n_peers; j++) {
			char number[12];

			snprintf(number, sizeof(number), "%u", c->peers[j].id);
			if (!strcmp(who, c->peers[j].name) || (!id && !strcmp(who, number)))
				id = c->peers[j].id;
		}
		if (!id)
			return kmd_conf_error(at, s, key, "%s: \"%.80s\" is no peer; write names or ids from the list peers", key, who);
		if (*out >> (id - 1) & 1)
			return kmd_conf_error(at, s, key, "%s: peer %u is there twice; write each once", key, id);
		*out |= (uint32_t)1 << (id - 1);
	}
	return KM_OK;
}

static unsigned size_of(uint32_t set)
{
	return (unsigned)__builtin_popcount(set);
}

static int check_members(const struct kmd_config *c, const struct kmd_conf_at *at, const config_setting_t *s, const struct kmd_conf_key *k,
			 struct km_key_policy *out)
{
	uint32_t removed, committee;
	int err = check_set(c, at, s, "members", &k->members, &out->members);

	if (!err)
		err = check_set(c, at, s, "excluded", &k->excluded, &out->excluded);
	if (err)
		return err;
	removed = out->members & c->settings.roster.removed;
	if (removed)
		return kmd_conf_error(at, s, "members", "members: peer %d is marked removed in peers; take it out of one of the two",
				      __builtin_ffs((int)removed));
	committee = out->members ? out->members : c->settings.roster.members;
	if (k->threshold > size_of(committee))
		return kmd_conf_error(at, s, "threshold", "threshold %u is more than the %u %s; write a number from 2 to %u", k->threshold,
				      size_of(committee), out->members ? "members of this key" : "peers there are", size_of(committee));
	/* WHY: shares are wiped without word from who is excluded; the rest must be able to sign */
	if (k->threshold > size_of(committee & ~out->excluded))
		return kmd_conf_error(at, s, "excluded",
				      "excluded leaves %u members, fewer than the threshold %u; only peers that are lost for good belong there",
				      size_of(committee & ~out->excluded), k->threshold);
	return KM_OK;
}

/* "7d", "12h", "90m"; "0" is never. */
static int check_refresh(const struct kmd_conf_at *at, const config_setting_t *s, const char *text, uint32_t *out)
{
	unsigned long n, unit;
	char *end;

	*out = 0;
	if (!text || !strcmp(text, "0"))
		return KM_OK;
	n = text[0] >= '1' && text[0] <= '9' ? strtoul(text, &end, 10) : 0;
	unit = !n || strlen(end) != 1 ? 0 : *end == 'd' ? 86400 : *end == 'h' ? 3600 : *end == 'm' ? 60 : 0;
	if (!unit)
		return kmd_conf_error(at, s, "refresh", "refresh = \"%.40s\" is no age; write \"7d\", \"12h\", \"90m\", or \"0\" for never", text);
	if (n > REFRESH_MAX_S / unit || n * unit < REFRESH_MIN_S)
		return kmd_conf_error(at, s, "refresh", "refresh = \"%.40s\" is out of bounds; write \"10m\" to \"3650d\", or \"0\" for never", text);
	*out = (uint32_t)(n * unit);
	return KM_OK;
}

int kmd_config_check_epochs(const struct kmd_config *c, const struct kmd_conf_at *at, const config_setting_t *s,
			    const struct kmd_conf_key *k, struct km_key_policy *out)
{
	int err = check_members(c, at, s, k, out);

	if (!err)
		err = check_refresh(at, s, k->refresh, &out->refresh_s);
	if (err || !k->pin)
		return err;
	if (kmd_hex_decode(out->pin, KM_HASH_SIZE, k->pin, strlen(k->pin)))
		return kmd_conf_error(at, s, "pin", "pin is not 64 hex digits; copy key_id from keymesh status --json of a peer that has the key");
	out->pinned = 1;
	return KM_OK;
}
