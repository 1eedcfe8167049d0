/* idmap.h: a hash table from 32-byte ids to objects that carry their id in themselves: open addressing, linear probing.
 * Ids are hashes, but an attacker may choose among them: the bucket is by a multiplier from the node's own seed. */
#ifndef KM_NODE_IDMAP_H
#define KM_NODE_IDMAP_H

#include <stddef.h>
#include <stdint.h>
#include "../base/err.h"
#include "../base/limits.h"

struct km_idmap {
	void **slot;
	size_t cap, n;     /* cap is a power of two or 0 */
	size_t offset;     /* of the id inside an object */
	uint64_t mult;     /* odd */
};

void km_idmap_init(struct km_idmap *m, size_t offset, uint64_t mult);
void km_idmap_clear(struct km_idmap *m);   /* the objects are the caller's */
void *km_idmap_find(const struct km_idmap *m, const uint8_t id[KM_HASH_SIZE]);
/* The id must not be in yet. KM_E_NOMEM. */
int km_idmap_add(struct km_idmap *m, void *object) KM_MUST;
/* Nothing happens when it is not in. */
void km_idmap_remove(struct km_idmap *m, const uint8_t id[KM_HASH_SIZE]);

#endif
