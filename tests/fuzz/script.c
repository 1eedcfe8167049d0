/* script.c: see script.h. */
#include "script.h"

#include <string.h>
#include "base/buf.h"

#define HEAD_LEN 6

unsigned script_packets;

int script_has_bytes(unsigned what)
{
	return what == INJECT || what == ASK || what == WRITE || what == LIE;
}

int script_read(struct script_record *out, const uint8_t *data, size_t size)
{
	struct km_reader r;
	int n = 0;

	km_reader_init(&r, data, size);
	while (km_reader_left(&r) && !r.err) {
		struct script_record *c = &out[n];

		if (++n > SCRIPT_MAX)
			return -1;
		c->what = km_get_u8(&r) % (unsigned)WHATS;
		c->packet = km_get_u16(&r);
		c->at = km_get_u16(&r);
		c->value = km_get_u8(&r);
		c->bytes = script_has_bytes(c->what) ? km_get_ref(&r, c->value) : NULL;
	}
	return r.err ? -1 : n;
}

size_t script_write(const struct script_record *r, unsigned n, uint8_t *data, size_t room)
{
	size_t at = 0;

	for (unsigned i = 0; i < n; i++) {
		size_t more = script_has_bytes(r[i].what) ? r[i].value : 0;

		if (at + HEAD_LEN + more > room)
			continue;
		data[at] = (uint8_t)r[i].what;
		data[at + 1] = (uint8_t)(r[i].packet >> 8);
		data[at + 2] = (uint8_t)r[i].packet;
		data[at + 3] = (uint8_t)(r[i].at >> 8);
		data[at + 4] = (uint8_t)r[i].at;
		data[at + 5] = r[i].value;
		if (more)
			memcpy(data + at + HEAD_LEN, r[i].bytes, more);
		at += HEAD_LEN + more;
	}
	return at;
}
