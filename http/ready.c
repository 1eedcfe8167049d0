/* ready.c: can a signature be made now? What the daemon knows from its last pings decides, so that a probe costs the mesh nothing. */
#include "config.h"
#include "http/http.h"

#include <stdio.h>
#include <string.h>

static int is_member(const json_t *key, json_int_t id)
{
	const json_t *v;
	size_t i;

	json_array_foreach(json_object_get(key, "members"), i, v)
		if (json_integer_value(v) == id)
			return 1;
	return 0;
}

static unsigned live_members(const json_t *peers, const json_t *key)
{
	unsigned n = 0;
	const json_t *p;
	size_t i;

	json_array_foreach(peers, i, p)
		n += (json_is_true(json_object_get(p, "live")) || json_is_true(json_object_get(p, "self"))) &&
		     !json_is_true(json_object_get(p, "quarantined")) && is_member(key, json_integer_value(json_object_get(p, "id")));
	return n;
}

static int enough_live(const json_t *peers, const json_t *key, char *why, size_t size)
{
	const char *name = json_string_value(json_object_get(key, "name"));
	unsigned live = live_members(peers, key), need = (unsigned)json_integer_value(json_object_get(key, "threshold"));

	if (live >= need)
		return 1;
	snprintf(why, size, "key %s: %u of the %u peers that it takes answer", name ? name : "?", live, need);
	return 0;
}

static int frontend_ready(const json_t *frontend, char *why, size_t size)
{
	const json_t *peers = json_object_get(frontend, "peers"), *keys = json_object_get(frontend, "keys"), *o;
	json_int_t ready = 0;
	size_t i;

	if (!json_array_size(keys)) {
		snprintf(why, size, "no key is known: too few peers answer, or none was made yet");
		return 0;
	}
	json_array_foreach(keys, i, o)
		if (!enough_live(peers, o, why, size))
			return 0;
	json_array_foreach(peers, i, o)
		if (json_is_true(json_object_get(o, "live")))
			ready += json_integer_value(json_object_get(o, "ready"));
	if (!ready)
		snprintf(why, size, "no peer that answers has a presignature ready");
	return ready > 0;
}

static int peer_ready(const json_t *peer, char *why, size_t size)
{
	const json_t *peers = json_object_get(peer, "peers"), *keys = json_object_get(peer, "keys"), *o;
	size_t i;

	if (!json_array_size(keys)) {
		snprintf(why, size, "this peer holds no key");
		return 0;
	}
	json_array_foreach(keys, i, o) {
		if (!enough_live(peers, o, why, size))
			return 0;
		if (json_integer_value(json_object_get(o, "ready")) > 0)
			continue;
		snprintf(why, size, "key %s: no presignature is ready at this peer", json_string_value(json_object_get(o, "name")));
		return 0;
	}
	return 1;
}

int kmh_ready(const json_t *status, char *why, size_t size)
{
	const json_t *peer = json_object_get(status, "peer"), *frontend = json_object_get(status, "frontend");

	why[0] = '\0';
	if (!peer && !frontend) {
		snprintf(why, size, "the daemon has no role");
		return 0;
	}
	return (!frontend || frontend_ready(frontend, why, size)) && (!peer || peer_ready(peer, why, size));
}
