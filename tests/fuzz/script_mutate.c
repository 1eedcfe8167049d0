/* script_mutate.c: libFuzzer's mutator for fuzz_node. It changes a list of changes; bytes of frames are left to libFuzzer. */
#include "fuzz.h"
#include "script.h"

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed);
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max);

#define FRAME_MAX 255

static uint64_t state;

static unsigned draw(unsigned n)
{
	state = state * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)((state >> 33) % n);
}

static void invent(struct script_record *r, uint8_t *bytes, unsigned room)
{
	r->what = draw(WHATS);
	r->packet = draw((script_packets ? script_packets : 100) + 4);
	r->at = draw(4) ? draw(draw(2) ? 260 : 12000) : draw(65536);
	r->value = (uint8_t)draw(256);
	r->bytes = NULL;
	if (!script_has_bytes(r->what))
		return;
	if (r->value > room)
		r->value = (uint8_t)room;
	if (r->value > 64 && draw(4))
		r->value = (uint8_t)(1 + draw(64));
	for (unsigned i = 0; i < r->value; i++)
		bytes[i] = draw(3) ? (uint8_t)draw(256) : 0;
	/* a frame begins with its kind */
	if (r->value && r->what != WRITE)
		bytes[0] = (uint8_t)(1 + draw(draw(2) ? 24 : 255));
	r->bytes = bytes;
}

static void change(struct script_record *r, uint8_t *bytes)
{
	switch (draw(5)) {
	case 0:
		r->packet = draw((script_packets ? script_packets : 100) + 4);
		break;
	case 1:
		r->packet += draw(2) ? 1u : 0xffffu;
		r->packet &= 0xffff;
		break;
	case 2:
		r->at = draw(2) ? (r->at + draw(129) - 64) & 0xffff : draw(12000);
		break;
	default:
		if (!r->bytes) {
			r->value = (uint8_t)draw(256);
			return;
		}
		memcpy(bytes, r->bytes, r->value);
		r->value = (uint8_t)LLVMFuzzerMutate(bytes, r->value, FRAME_MAX);
		r->bytes = bytes;
	}
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed)
{
	static uint8_t copy[1 << 16], bytes[4][FRAME_MAX + 1];
	struct script_record r[SCRIPT_MAX];

	if (size > sizeof(copy))
		return 0;
	state = seed;
	memcpy(copy, data, size);
	int known = script_read(r, copy, size);
	unsigned n = known < 0 ? 0 : (unsigned)known;
	for (unsigned k = 0, rounds = 1 + draw(3); k < rounds; k++) {
		unsigned i = n ? draw(n) : 0, how = draw(8);

		if (!n || (how < 3 && n < SCRIPT_MAX)) {
			/* what is said to both others counts */
			if (n && n < SCRIPT_MAX && draw(2)) {
				r[n] = r[i];
				r[n++].packet++;
			} else {
				invent(&r[n++], bytes[k], FRAME_MAX);
			}
		} else if (how < 4 && n > 1) {
			r[i] = r[--n];
		} else {
			change(&r[i], bytes[k]);
		}
		for (i = 0; i < n; i++)
			if (r[i].what == MESH)
				r[i].value &= (uint8_t)~SCRIPT_REAL;
	}
	return script_write(r, n, data, max);
}
