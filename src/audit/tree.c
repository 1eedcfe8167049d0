/* tree.c: see tree.h. */
#include "config.h"
#include "audit/tree.h"

#include <string.h>
#include "base/rules.h"

void km_tree_init(struct km_tree *t)
{
	memset(t, 0, sizeof(*t));
}

unsigned km_tree_add(struct km_tree *t, const uint8_t leaf[KM_HASH_SIZE], uint8_t (*done)[KM_HASH_SIZE])
{
	uint8_t node[KM_HASH_SIZE];
	unsigned level = 0;

	KM_ASSERT(t->size < KM_TREE_SIZE_MAX);
	memcpy(node, leaf, sizeof(node));
	if (done)
		memcpy(done[0], node, sizeof(node));
	for (; t->size >> level & 1; level++) {
		km_merkle_node(t->node[level], node, node);
		if (done)
			memcpy(done[level + 1], node, sizeof(node));
	}
	memcpy(t->node[level], node, sizeof(node));
	t->size++;
	return level + 1;
}

void km_tree_root(const struct km_tree *t, uint8_t root[KM_HASH_SIZE])
{
	int have = 0;

	for (unsigned level = 0; level <= KM_TREE_LEVELS; level++) {
		if (!(t->size >> level & 1))
			continue;
		if (have)
			km_merkle_node(t->node[level], root, root);
		else
			memcpy(root, t->node[level], KM_HASH_SIZE);
		have = 1;
	}
	if (!have) {
		int err = km_sha2(256, NULL, 0, root);

		KM_ASSERT(!err);
	}
}

/* ---- where nodes stand */

uint64_t km_tree_stored_total(uint64_t leaves)
{
	/* each bit of the size is a complete tree of 2^b leaves with 2^(b+1) - 1 nodes */
	return 2 * leaves - (uint64_t)__builtin_popcountll(leaves);
}

uint64_t km_tree_stored(unsigned level, uint64_t index)
{
	/* it is completed by its last leaf, level places behind that */
	return km_tree_stored_total(((index + 1) << level) - 1) + level;
}

/* ---- proofs */

static unsigned top_level(uint64_t n)
{
	unsigned level = 0;

	while (level < KM_TREE_LEVELS && (uint64_t)2 << level <= n)
		level++;
	return level;
}

/* The largest power of two below n >= 2. */
static uint64_t split(uint64_t n)
{
	return (uint64_t)1 << top_level(n - 1);
}

/* The hash over leaves [from, to): from is a multiple of the power of two above their number, so the parts are complete nodes. */
static int range(km_tree_look look, void *ctx, uint64_t from, uint64_t to, uint8_t out[KM_HASH_SIZE])
{
	uint8_t part[KM_TREE_LEVELS + 1][KM_HASH_SIZE];
	unsigned n = 0;

	for (; from < to && n <= KM_TREE_LEVELS; n++) {
		unsigned level = top_level(to - from);
		int err = look(ctx, level, from >> level, part[n]);

		if (err)
			return err;
		from += (uint64_t)1 << level;
	}
	KM_ASSERT(n && from == to);
	memcpy(out, part[n - 1], KM_HASH_SIZE);
	for (n--; n; n--)
		km_merkle_node(part[n - 1], out, out);
	return KM_OK;
}

static int add_range(struct km_tree_proof *p, km_tree_look look, void *ctx, uint64_t from, uint64_t to)
{
	KM_ASSERT(p->n < KM_TREE_PROOF_MAX);
	return range(look, ctx, from, to, p->node[p->n++]);
}

/* Found from the root down, sent from the leaf up. */
static int turn(struct km_tree_proof *p, int err)
{
	uint8_t swap[KM_HASH_SIZE];

	if (err) {
		memset(p, 0, sizeof(*p));
		return err;
	}
	for (unsigned i = 0; i < p->n / 2; i++) {
		memcpy(swap, p->node[i], sizeof(swap));
		memcpy(p->node[i], p->node[p->n - 1 - i], sizeof(swap));
		memcpy(p->node[p->n - 1 - i], swap, sizeof(swap));
	}
	return KM_OK;
}

int km_tree_at(struct km_tree *t, km_tree_look look, void *ctx, uint64_t size)
{
	int err = size > KM_TREE_SIZE_MAX ? KM_E_RANGE : KM_OK;

	km_tree_init(t);
	for (unsigned level = KM_TREE_LEVELS + 1; !err && level--;)
		if (size >> level & 1)
			err = look(ctx, level, (size >> level) - 1, t->node[level]);
	if (err)
		km_tree_init(t);
	else
		t->size = size;
	return err;
}

int km_tree_prove(struct km_tree_proof *p, km_tree_look look, void *ctx, uint64_t at, uint64_t size)
{
	uint64_t from = 0, to = size;
	int err = at < size && size <= KM_TREE_SIZE_MAX ? KM_OK : KM_E_RANGE;

	memset(p, 0, sizeof(*p));
	while (!err && to - from > 1) {
		uint64_t middle = from + split(to - from);

		if (at < middle) {
			err = add_range(p, look, ctx, middle, to);
			to = middle;
		} else {
			err = add_range(p, look, ctx, from, middle);
			from = middle;
		}
	}
	return turn(p, err);
}

int km_tree_prove_consistent(struct km_tree_proof *p, km_tree_look look, void *ctx, uint64_t old, uint64_t size)
{
	uint64_t from = 0, to = size;
	int err = old <= size && size <= KM_TREE_SIZE_MAX ? KM_OK : KM_E_RANGE;

	memset(p, 0, sizeof(*p));
	if (!old || old == size)
		return err;
	while (!err && old < to) {
		uint64_t middle = from + split(to - from);

		if (old <= middle) {
			err = add_range(p, look, ctx, middle, to);
			to = middle;
		} else {
			err = add_range(p, look, ctx, from, middle);
			from = middle;
		}
	}
	/* the checker knows the old root, but not a part of it */
	if (!err && from)
		err = add_range(p, look, ctx, from, to);
	return turn(p, err);
}

int km_tree_check(const struct km_tree_proof *p, const uint8_t leaf[KM_HASH_SIZE], uint64_t at, uint64_t size,
		  const uint8_t root[KM_HASH_SIZE])
{
	if (size > KM_TREE_SIZE_MAX || p->n > KM_TREE_PROOF_MAX)
		return KM_E_VERIFY;
	return km_merkle_check(leaf, at, size, p->node[0], p->n, root);
}

/* RFC 9162 section 2.1.4.2: the two roots are built side by side from the same nodes. */
int km_tree_check_consistent(const struct km_tree_proof *p, uint64_t old, const uint8_t old_root[KM_HASH_SIZE], uint64_t size,
			     const uint8_t root[KM_HASH_SIZE])
{
	uint64_t fn = old - 1, sn = size - 1;
	uint8_t fr[KM_HASH_SIZE], sr[KM_HASH_SIZE];
	unsigned i = 0;

	if (old > size || size > KM_TREE_SIZE_MAX || p->n > KM_TREE_PROOF_MAX)
		return KM_E_VERIFY;
	if (!old)
		return p->n ? KM_E_VERIFY : KM_OK;
	if (old == size)
		return !p->n && memcmp(old_root, root, KM_HASH_SIZE) == 0 ? KM_OK : KM_E_VERIFY;
	for (; fn & 1; fn >>= 1)
		sn >>= 1;
	if (fn) {
		if (!p->n)
			return KM_E_VERIFY;
		memcpy(fr, p->node[i++], sizeof(fr));
	} else {
		/* the old tree is one complete node */
		memcpy(fr, old_root, sizeof(fr));
	}
	memcpy(sr, fr, sizeof(sr));
	for (; i < p->n; i++) {
		if (!sn)
			return KM_E_VERIFY;
		if (fn & 1 || fn == sn) {
			km_merkle_node(p->node[i], fr, fr);
			km_merkle_node(p->node[i], sr, sr);
			for (; fn && !(fn & 1); fn >>= 1)
				sn >>= 1;
		} else {
			km_merkle_node(sr, p->node[i], sr);
		}
		fn >>= 1;
		sn >>= 1;
	}
	if (sn || memcmp(sr, root, KM_HASH_SIZE) != 0)
		return KM_E_VERIFY;
	/* WHY both: a proof that only gives the new root shows nothing of what was there before (attack B30) */
	return memcmp(fr, old_root, KM_HASH_SIZE) == 0 || !KM_RULE(km_rule_log_consistency) ? KM_OK : KM_E_VERIFY;
}
