/* settings.c: defaults, the roster's hash, look-ups in an operator's settings. */
#include "config.h"
#include "node/settings.h"

#include <string.h>
#include "base/hash.h"
#include "base/sig.h"

void km_settings_defaults(struct km_settings *s)
{
	s->pool_target = 64;
	s->pool_low = 48;
	s->batch = 256;
	s->presig_age_s = 3600;
	s->dkg_min = 0;
	s->freshness_ms = 30000;
	s->share_timeout_ms = 250;
	memcpy(s->mesh, "mesh", 5);
}

/* A channel key that agrees on a constant with everybody would make every authenticator forgeable. */
static int channel_key_ok(const uint8_t pub[KM_CHANKEY_SIZE])
{
	static const uint8_t any[32] = { 8, [31] = 64 };
	uint8_t shared[32];

	return km_x25519(any, pub, shared) == KM_OK;
}

static int entry_ok(const struct km_roster *r, unsigned id)
{
	const struct km_roster_peer *p = &r->peer[id];

	if (p->id != id || !channel_key_ok(p->channel) || km_ed25519_check_key(p->identity))
		return 0;
	for (unsigned j = 1; j < id; j++)
		if (r->peer[j].id && (!memcmp(r->peer[j].identity, p->identity, KM_IDKEY_SIZE) ||
				      !memcmp(r->peer[j].channel, p->channel, KM_CHANKEY_SIZE)))
			return 0;
	return 1;
}

int km_roster_finish(struct km_roster *r)
{
	struct km_hash h;

	r->members = 0;
	r->n = 0;
	memset(r->hash, 0, sizeof(r->hash));
	km_hash_init(&h, "roster");
	for (unsigned id = 1; id <= KM_MAX_PEERS; id++) {
		const struct km_roster_peer *p = &r->peer[id];

		if (!p->id)
			continue;
		if (!entry_ok(r, id))
			goto bad;
		if (r->removed >> (id - 1) & 1)
			continue;
		km_hash_u8(&h, p->id);
		km_hash_field(&h, p->identity, KM_IDKEY_SIZE);
		km_hash_field(&h, p->channel, KM_CHANKEY_SIZE);
		r->members |= (uint32_t)1 << (id - 1);
		r->n++;
	}
	if (!r->n || r->peer[0].id)
		goto bad;
	km_hash_final(&h, r->hash);
	return KM_OK;
bad:
	r->members = 0;
	r->n = 0;
	return KM_E_CONFIG;
}

const struct km_key_policy *km_settings_key(const struct km_settings *s, const char *name)
{
	for (unsigned i = 0; i < s->n_keys; i++)
		if (!strcmp(s->keys[i].name, name))
			return &s->keys[i];
	return NULL;
}

int km_policy_frontend_allowed(const struct km_key_policy *k, uint16_t frontend)
{
	if (frontend < 1 || frontend > KM_MAX_FRONTENDS)
		return 0;
	return k->frontends[(frontend - 1) / 8] >> ((frontend - 1) % 8) & 1;
}

void km_policy_allow_frontend(struct km_key_policy *k, uint16_t frontend)
{
	if (frontend >= 1 && frontend <= KM_MAX_FRONTENDS)
		k->frontends[(frontend - 1) / 8] |= (uint8_t)(1u << ((frontend - 1) % 8));
}

unsigned km_settings_dkg_least(const struct km_settings *s, unsigned threshold)
{
	unsigned overlap = (s->roster.n + threshold + 1) / 2, min = s->dkg_min ? s->dkg_min : s->roster.n;

	return min > overlap ? min : overlap;
}
