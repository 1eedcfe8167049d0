/* sim_map.h: 32-byte keys to numbers, for what the invariants remember. Never forgets. */
#ifndef KM_SIM_MAP_H
#define KM_SIM_MAP_H

#include <stddef.h>
#include <stdint.h>

struct sim_map_slot {
	uint8_t key[32];
	uint64_t value;
	int used;
};
struct sim_map {
	struct sim_map_slot *slot;
	size_t cap, n;
};

/* NULL when the key is not in. */
uint64_t *sim_map_find(const struct sim_map *m, const uint8_t key[32]);
/* The value of the key, made with value 0 when *fresh is set to 1. */
uint64_t *sim_map_get(struct sim_map *m, const uint8_t key[32], int *fresh);
void sim_map_clear(struct sim_map *m);

#endif
