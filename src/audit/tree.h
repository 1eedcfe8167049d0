/* tree.h: the Merkle tree of a log that only grows (RFC 6962 section 2.1, RFC 9162 section 2.1.3 and 2.1.4).
 *
 * A node is named by its level (0: leaves) and its index there; a complete one covers the 2^level leaves from index * 2^level on. All
 * proofs are made of complete nodes, so whoever can look these up can prove anything, at any size. Hashes of
 * entries: km_merkle_leaf; of nodes: km_merkle_node. */
#ifndef KM_AUDIT_TREE_H
#define KM_AUDIT_TREE_H

#include "../base/hash.h"

#define KM_TREE_LEVELS 48                 /* a log of up to 2^48 entries */
#define KM_TREE_SIZE_MAX ((uint64_t)1 << KM_TREE_LEVELS)
#define KM_TREE_PROOF_MAX (KM_TREE_LEVELS + 2)

/* The frontier: for every bit of size the complete node that ends there. All that is needed to append, and for the root. */
struct km_tree {
	uint64_t size;
	uint8_t node[KM_TREE_LEVELS + 1][KM_HASH_SIZE];
};

void km_tree_init(struct km_tree *t);
/* Appends a leaf; returns how many nodes became complete with it, the leaf included: they are at levels 0.. of that many, in
 * done (NULL: not wanted). */
unsigned km_tree_add(struct km_tree *t, const uint8_t leaf[KM_HASH_SIZE], uint8_t (*done)[KM_HASH_SIZE]);
/* Of the empty tree: SHA-256 of nothing. */
void km_tree_root(const struct km_tree *t, uint8_t root[KM_HASH_SIZE]);

/* Where a complete node stands when the nodes are written in the order in which km_tree_add completes them, of a tree whose first
 * leaf is that of index 0. A tree of n leaves has km_tree_stored_total(n) of them. */
uint64_t km_tree_stored(unsigned level, uint64_t index);
uint64_t km_tree_stored_total(uint64_t leaves);

/* Looks a complete node up. Returns KM_OK, or an error that ends the proof. */
typedef int (*km_tree_look)(void *ctx, unsigned level, uint64_t index, uint8_t out[KM_HASH_SIZE]);

struct km_tree_proof {
	unsigned n;
	uint8_t node[KM_TREE_PROOF_MAX][KM_HASH_SIZE];
};

/* The frontier, and so the root, of the first `size` leaves. */
int km_tree_at(struct km_tree *t, km_tree_look look, void *ctx, uint64_t size) KM_MUST;
/* That leaf `at` is in the tree of the first `size`. KM_E_RANGE, or what look said. */
int km_tree_prove(struct km_tree_proof *p, km_tree_look look, void *ctx, uint64_t at, uint64_t size) KM_MUST;
/* That the tree of `old` leaves is the beginning of that of `size`. old = 0 and old = size: an empty proof. */
int km_tree_prove_consistent(struct km_tree_proof *p, km_tree_look look, void *ctx, uint64_t old, uint64_t size) KM_MUST;

/* KM_OK or KM_E_VERIFY. */
int km_tree_check(const struct km_tree_proof *p, const uint8_t leaf[KM_HASH_SIZE], uint64_t at, uint64_t size,
		  const uint8_t root[KM_HASH_SIZE]) KM_MUST;
int km_tree_check_consistent(const struct km_tree_proof *p, uint64_t old, const uint8_t old_root[KM_HASH_SIZE], uint64_t size,
			     const uint8_t root[KM_HASH_SIZE]) KM_MUST;

#endif
