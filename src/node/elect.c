/* elect.c: which peer aggregates a request. Rendezvous hashing: every frontend finds the same order without talking to anybody,
 * and when a peer leaves, only its own requests move. */
#include "config.h"
#include "node/wire.h"

#include <string.h>
#include "base/hash.h"

unsigned km_elect_order(const uint8_t roster[KM_HASH_SIZE], const uint8_t key_id[KM_HASH_SIZE], const uint8_t request_id[KM_HASH_SIZE], uint32_t members,
			uint8_t *out)
{
	uint8_t weight[KM_MAX_PEERS][KM_HASH_SIZE], w[KM_HASH_SIZE];
	struct km_hash common, h;
	unsigned n = 0;

	km_hash_init(&common, "elect");
	km_hash_field(&common, roster, KM_HASH_SIZE);
	km_hash_field(&common, key_id, KM_HASH_SIZE);
	km_hash_field(&common, request_id, KM_HASH_SIZE);
	for (unsigned id = 1; id <= KM_MAX_PEERS; id++) {
		unsigned at = n;

		if (!(members & (uint32_t)1 << (id - 1)))
			continue;
		h = common;
		km_hash_u8(&h, (uint8_t)id);
		km_hash_final(&h, w);
		/* insertion, highest first; at most 32 */
		while (at && memcmp(weight[at - 1], w, KM_HASH_SIZE) < 0) {
			memcpy(weight[at], weight[at - 1], KM_HASH_SIZE);
			out[at] = out[at - 1];
			at--;
		}
		memcpy(weight[at], w, KM_HASH_SIZE);
		out[at] = (uint8_t)id;
		n++;
	}
	return n;
}
