/* attack_b30.c: a peer, or who has its disk, changes its audit log after the fact: an entry edited, dropped, two swapped, the end cut
 * off, the whole told anew (a fork); numbers and hashes of what follows are made to fit as far as the attacker can.
 * Stopped by: each entry names the hash of the one before it; a checkpoint pins the root of all; a log that grew must be proved to go on
 * from what was seen before. */
#include "attack.h"
#include "audit/checkpoint.h"
#include "audit/entry.h"
#include "audit/tree.h"
#include "base/sig.h"

#define N 21
#define SEEN 13 /* what a witness saw of the honest log */

struct log {
	unsigned n;
	size_t len[N];
	uint8_t entry[N][256];
	uint8_t stored[2 * N][KM_HASH_SIZE];
	struct km_tree tree;
};

static void append(struct log *l, const struct km_audit_chain *c, uint8_t what)
{
	struct km_audit_entry e = {.kind = KM_AUDIT_QUARANTINE, .time_ms = 1000u + l->n};
	uint8_t draft[128];
	struct km_buf d, b;

	e.u.quarantine = (struct km_audit_quarantine){.what = KM_AUDIT_CONVICTED, .peer = 3, .evidence = what};
	km_buf_init_fixed(&d, draft, sizeof(draft));
	km_buf_init_fixed(&b, l->entry[l->n], sizeof(l->entry[0]));
	assert_int_equal(km_audit_draft(&d, &e), KM_OK);
	assert_int_equal(km_audit_entry_make(&b, c->seq, c->prev, d.data, d.len), KM_OK);
	l->len[l->n++] = b.len;
}

/* The tree over whatever stands there. */
static void plant(struct log *l)
{
	unsigned at = 0;

	km_tree_init(&l->tree);
	for (unsigned i = 0; i < l->n; i++) {
		uint8_t leaf[KM_HASH_SIZE], done[KM_TREE_LEVELS + 1][KM_HASH_SIZE];

		km_merkle_leaf(l->entry[i], l->len[i], leaf);
		unsigned made = km_tree_add(&l->tree, leaf, done);
		memcpy(l->stored[at], done, made * KM_HASH_SIZE);
		at += made;
	}
}

/* A log whose entry `odd` says something else than that of an honest one; N: the honest one. */
static void make(struct log *l, unsigned odd)
{
	struct km_audit_chain c = {0};
	uint8_t leaf[KM_HASH_SIZE];

	l->n = 0;
	for (unsigned i = 0; i < N; i++) {
		append(l, &c, (uint8_t)(i == odd ? 99 : i));
		assert_int_equal(km_audit_chain_next(&c, l->entry[i], l->len[i], leaf), KM_OK);
	}
	plant(l);
}

/* Who reads the log alone. */
static int walk(const struct log *l)
{
	struct km_audit_chain c = {0};
	uint8_t leaf[KM_HASH_SIZE];
	int err = KM_OK;

	for (unsigned i = 0; !err && i < l->n; i++)
		err = km_audit_chain_next(&c, l->entry[i], l->len[i], leaf);
	return err;
}

static void renumber(struct log *l)
{
	for (unsigned i = 0; i < l->n; i++)
		l->entry[i][9] = (uint8_t)i;
	plant(l);
}

static void take_out(struct log *l, unsigned at)
{
	for (unsigned i = at; i + 1 < l->n; i++) {
		memcpy(l->entry[i], l->entry[i + 1], sizeof(l->entry[0]));
		l->len[i] = l->len[i + 1];
	}
	l->n--;
	renumber(l);
}

static void swap(struct log *l, unsigned at)
{
	uint8_t keep[256];

	memcpy(keep, l->entry[at], sizeof(keep));
	memcpy(l->entry[at], l->entry[at + 1], sizeof(keep));
	memcpy(l->entry[at + 1], keep, sizeof(keep));
	renumber(l);
}

static struct log honest, bad;

static void edited(int err)
{
	make(&bad, N);
	bad.entry[5][KM_AUDIT_HEAD + 1] = 4; /* another peer convicted */
	plant(&bad);
	assert_int_equal(walk(&bad), err);
	make(&bad, N);
	take_out(&bad, 5);
	assert_int_equal(walk(&bad), err);
	make(&bad, N);
	swap(&bad, 5);
	assert_int_equal(walk(&bad), err);
}

static void test_chain(void **state)
{
	rules_all();
	make(&honest, N);
	assert_int_equal(walk(&honest), KM_OK);
	edited(KM_E_MISMATCH);
	/* not even renumbered */
	make(&bad, N);
	bad.entry[7][9] = 8;
	assert_int_equal(walk(&bad), KM_E_STALE);
}

static void test_without_chain(void **state)
{
	rules_all();
	rule_off(km_rule_log_chain);
	edited(KM_OK);
	rules_all();
}

/* ---- against who has seen a checkpoint of it */

static int look(void *ctx, unsigned level, uint64_t index, uint8_t out[KM_HASH_SIZE])
{
	const struct log *l = ctx;

	memcpy(out, l->stored[km_tree_stored(level, index)], KM_HASH_SIZE);
	return KM_OK;
}

static int goes_on(struct log *l, uint64_t forged_tail)
{
	struct km_tree_proof p;
	uint8_t seen[KM_HASH_SIZE], root[KM_HASH_SIZE];
	struct km_tree t;

	assert_int_equal(km_tree_at(&t, look, &honest, SEEN), KM_OK);
	km_tree_root(&t, seen);
	km_tree_root(&l->tree, root);
	if (km_tree_prove_consistent(&p, look, l, SEEN, l->n))
		return KM_E_RANGE;
	return km_tree_check_consistent(&p, SEEN, seen, l->n + forged_tail, root);
}

/* The whole chain told anew from an entry that was covered: it walks well, and does not go on from what was seen. */
static void test_fork(void **state)
{
	rules_all();
	make(&honest, N);
	assert_int_equal(goes_on(&honest, 0), KM_OK);
	for (unsigned odd = 0; odd < N; odd++) {
		make(&bad, odd);
		assert_int_equal(walk(&bad), KM_OK);
		assert_int_equal(goes_on(&bad, 0), odd < SEEN ? KM_E_VERIFY : KM_OK);
	}
}

static void test_without_consistency(void **state)
{
	rules_all();
	make(&honest, N);
	make(&bad, 2);
	rule_off(km_rule_log_consistency);
	assert_int_equal(goes_on(&bad, 0), KM_OK);
	rules_all();
}

/* Cut off below what was seen: no proof can be made; and a size that is a lie does not help. */
static void test_truncated(void **state)
{
	rules_all();
	make(&honest, N);
	make(&bad, N);
	bad.n = SEEN - 1;
	plant(&bad);
	assert_int_equal(walk(&bad), KM_OK);
	assert_int_equal(goes_on(&bad, 0), KM_E_RANGE);
	bad.n = SEEN;
	plant(&bad);
	assert_int_equal(goes_on(&bad, 0), KM_OK);
	assert_int_equal(goes_on(&bad, 3), KM_E_VERIFY);
}

/* A checkpoint that somebody else made, or that its author denies by another key. */
static void test_checkpoint(void **state)
{
	uint8_t priv[32] = {1}, pub[32], thief[32] = {2}, thief_pub[32];
	struct km_checkpoint c = {.origin = "keymesh/mesh/alice", .size = SEEN}, got;
	struct km_note note;
	struct km_buf b;

	rules_all();
	km_ed25519_public(priv, pub);
	km_ed25519_public(thief, thief_pub);
	km_buf_init(&b);
	km_checkpoint_sign(&b, &c, thief_pub, thief);
	assert_int_equal(km_checkpoint_open(&got, &note, b.data, b.len, pub), KM_E_VERIFY);
	km_buf_reset(&b);
	km_checkpoint_sign(&b, &c, pub, priv);
	assert_int_equal(km_checkpoint_open(&got, &note, b.data, b.len, pub), KM_OK);
	b.data[strlen(c.origin) + 2] ^= 1; /* 12 entries */
	assert_int_equal(km_checkpoint_open(&got, &note, b.data, b.len, pub), KM_E_VERIFY);
	km_buf_clear(&b);
}

KM_TESTS(cmocka_unit_test(test_chain), cmocka_unit_test(test_without_chain), cmocka_unit_test(test_fork), cmocka_unit_test(test_without_consistency),
	 cmocka_unit_test(test_truncated), cmocka_unit_test(test_checkpoint))
