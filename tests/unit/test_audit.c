/* test_audit.c: the audit log without files: entries, tree, proofs, notes, checkpoints, cosignatures. */
#include "config.h"
#include "lib/test.h"

#include <stdio.h>
#include "audit/checkpoint.h"
#include "audit/entry.h"
#include "audit/tree.h"
#include "base/hash.h"
#include "base/sig.h"
#include "lib/hex.h"

/* ---- the tree */

#define MAX 130

static struct {
	uint8_t leaf[MAX][KM_HASH_SIZE], root[MAX + 1][KM_HASH_SIZE];
	uint8_t stored[2 * MAX][KM_HASH_SIZE];
} all;

/* RFC 6962, 2.1, as it stands there. */
static void naive(unsigned from, unsigned to, uint8_t out[KM_HASH_SIZE])
{
	uint8_t l[KM_HASH_SIZE], r[KM_HASH_SIZE];
	unsigned k = 1;

	if (to - from == 1) {
		memcpy(out, all.leaf[from], KM_HASH_SIZE);
		return;
	}
	while (2 * k < to - from)
		k *= 2;
	naive(from, from + k, l);
	naive(from + k, to, r);
	km_merkle_node(l, r, out);
}

static int look(void *ctx, unsigned level, uint64_t index, uint8_t out[KM_HASH_SIZE])
{
	uint64_t at = km_tree_stored(level, index);

	assert_true((index + 1) << level <= *(unsigned *)ctx);
	memcpy(out, all.stored[at], KM_HASH_SIZE);
	return KM_OK;
}

static void make_all(void)
{
	struct km_tree t;
	unsigned n = 0;

	km_tree_init(&t);
	km_tree_root(&t, all.root[0]);
	for (unsigned i = 0; i < MAX; i++) {
		uint8_t data[2] = {(uint8_t)i, 7}, done[KM_TREE_LEVELS + 1][KM_HASH_SIZE];

		km_merkle_leaf(data, sizeof(data), all.leaf[i]);
		unsigned made = km_tree_add(&t, all.leaf[i], done);

		for (unsigned k = 0; k < made; k++)
			memcpy(all.stored[n++], done[k], KM_HASH_SIZE);
		assert_int_equal(n, km_tree_stored_total(i + 1));
		km_tree_root(&t, all.root[i + 1]);
	}
}

static void test_tree_naive(void **state)
{
	make_all();
	for (unsigned n = 1; n <= MAX; n++) {
		uint8_t want[KM_HASH_SIZE], got[KM_HASH_SIZE];
		struct km_tree t;

		naive(0, n, want);
		assert_memory_equal(all.root[n], want, KM_HASH_SIZE);
		assert_int_equal(km_tree_at(&t, look, &n, n), KM_OK);
		km_tree_root(&t, got);
		assert_memory_equal(got, want, KM_HASH_SIZE);
	}
}

/* The hashes of Certificate Transparency's published test tree: leaves "", 00, 10, 2021, 3031, 40414243, 5051..57, 6061..6f. */
static void test_tree_known(void **state)
{
	static const char *const leaves[] = {"", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"};
	static const char *const roots[] = {
		"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
		"6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
		"fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
		"aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
		"d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
		"4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
		"76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
		"ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
		"5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
	};
	uint8_t bytes[16], leaf[KM_HASH_SIZE], root[KM_HASH_SIZE], want[KM_HASH_SIZE];
	struct km_tree t;

	km_tree_init(&t);
	for (unsigned i = 0; i <= 8; i++) {
		km_tree_root(&t, root);
		km_unhex(want, KM_HASH_SIZE, roots[i]);
		assert_memory_equal(root, want, KM_HASH_SIZE);
		if (i == 8)
			break;
		km_unhex(bytes, strlen(leaves[i]) / 2, leaves[i]);
		km_merkle_leaf(bytes, strlen(leaves[i]) / 2, leaf);
		km_tree_add(&t, leaf, NULL);
	}
}

/* Every proof holds for what it is about and for nothing else. */
static void test_inclusion(void **state)
{
	struct km_tree_proof p;

	make_all();
	for (unsigned n = 1; n <= MAX; n += n < 34 ? 1 : 13) {
		for (unsigned at = 0; at < n; at++) {
			assert_int_equal(km_tree_prove(&p, look, &n, at, n), KM_OK);
			for (unsigned k = 0; k < n; k++) {
				assert_int_equal(km_tree_check(&p, all.leaf[k], at, n, all.root[n]), k == at ? KM_OK : KM_E_VERIFY);
				if (k != at)
					assert_int_equal(km_tree_check(&p, all.leaf[at], k, n, all.root[n]), KM_E_VERIFY);
			}
			assert_int_equal(km_tree_check(&p, all.leaf[at], at, n, all.root[n - 1]), KM_E_VERIFY);
			for (unsigned i = 0; i < p.n; i++) {
				p.node[i][5] ^= 1;
				assert_int_equal(km_tree_check(&p, all.leaf[at], at, n, all.root[n]), KM_E_VERIFY);
				p.node[i][5] ^= 1;
			}
			p.n++;
			assert_int_equal(km_tree_check(&p, all.leaf[at], at, n, all.root[n]), KM_E_VERIFY);
			p.n -= p.n > 1 ? 2 : 1;
			if (n > 1)
				assert_int_equal(km_tree_check(&p, all.leaf[at], at, n, all.root[n]), KM_E_VERIFY);
		}
		assert_int_equal(km_tree_prove(&p, look, &n, n, n), KM_E_RANGE);
	}
}

static void test_consistency(void **state)
{
	struct km_tree_proof p;

	make_all();
	for (unsigned n = 1; n <= MAX; n += n < 34 ? 1 : 13) {
		for (unsigned m = 0; m <= n; m++) {
			assert_int_equal(km_tree_prove_consistent(&p, look, &n, m, n), KM_OK);
			assert_int_equal(km_tree_check_consistent(&p, m, all.root[m], n, all.root[n]), KM_OK);
			if (m && m < n) {
				assert_int_equal(km_tree_check_consistent(&p, m, all.root[m - 1], n, all.root[n]), KM_E_VERIFY);
				assert_int_equal(km_tree_check_consistent(&p, m, all.root[m], n, all.root[n - 1]), KM_E_VERIFY);
				assert_int_equal(km_tree_check_consistent(&p, m, all.leaf[MAX - 1], n, all.root[n]), KM_E_VERIFY);
			}
			for (unsigned i = 0; i < p.n; i++) {
				p.node[i][31] ^= 0x80;
				assert_int_equal(km_tree_check_consistent(&p, m, all.root[m], n, all.root[n]), KM_E_VERIFY);
				p.node[i][31] ^= 0x80;
			}
			p.n++;
			assert_int_equal(km_tree_check_consistent(&p, m, all.root[m], n, all.root[n]), KM_E_VERIFY);
			if (p.n < 2)
				continue;
			p.n -= 2;
			assert_int_equal(km_tree_check_consistent(&p, m, all.root[m], n, all.root[n]), KM_E_VERIFY);
		}
		assert_int_equal(km_tree_prove_consistent(&p, look, &n, n + 1, n), KM_E_RANGE);
		assert_int_equal(km_tree_check_consistent(&p, n + 1, all.root[n], n, all.root[n]), KM_E_VERIFY);
	}
}

/* ---- entries */

static void fill(struct km_audit_entry *e, unsigned kind)
{
	memset(e, 0, sizeof(*e));
	e->kind = (uint8_t)kind;
	e->time_ms = 1700000000123;
	switch (kind) {
	case KM_AUDIT_SHARE:
		memset(e->u.share.presig_id, 1, KM_HASH_SIZE);
		memset(e->u.share.request_id, 2, KM_HASH_SIZE);
		memset(e->u.share.key_id, 3, KM_HASH_SIZE);
		memset(e->u.share.table, 4, KM_HASH_SIZE);
		memset(e->u.share.bytes_hash, 5, KM_HASH_SIZE);
		e->u.share.epoch = 77;
		e->u.share.context = 1;
		e->u.share.frontend = 1024;
		e->u.share.owner = 5;
		e->u.share.quorum = 0x15;
		e->u.share.n = 33;
		memset(e->u.share.rr, 6, 33);
		break;
	case KM_AUDIT_SIGNATURE:
		memset(e->u.signature.presig_id, 1, KM_HASH_SIZE);
		memset(e->u.signature.request_id, 2, KM_HASH_SIZE);
		e->u.signature.n = 32;
		memset(e->u.signature.r, 8, 32);
		memset(e->u.signature.s, 9, 32);
		break;
	case KM_AUDIT_EPOCH:
		e->u.epoch = (struct km_audit_epoch){.purpose = KM_AUDIT_RESHARE, .what = KM_AUDIT_USABLE, .epoch = 3, .threshold = 2, .members = 7,
						     .name = "www"};
		break;
	case KM_AUDIT_QUARANTINE:
		e->u.quarantine = (struct km_audit_quarantine){.what = KM_AUDIT_CONVICTED, .peer = 3, .evidence = 5};
		break;
	case KM_AUDIT_OPERATOR:
		e->u.op = (struct km_audit_operator){.action = KM_AUDIT_DO_CLEAR, .uid = 1000, .text = "peer 3"};
		break;
	case KM_AUDIT_PROCESS:
		e->u.process = (struct km_audit_process){.what = KM_AUDIT_START, .text = "version 1"};
		break;
	default:
		e->u.witness = (struct km_audit_witness){.what = KM_AUDIT_FORKED, .peer = 2, .seen_size = 9, .said_size = 9};
	}
}

static size_t make(uint8_t out[KM_AUDIT_ENTRY_MAX], unsigned kind, uint64_t seq, const uint8_t prev[KM_HASH_SIZE])
{
	uint8_t draft[KM_AUDIT_ENTRY_MAX];
	struct km_audit_entry e;
	struct km_buf b, d;

	fill(&e, kind);
	km_buf_init_fixed(&d, draft, sizeof(draft));
	km_buf_init_fixed(&b, out, KM_AUDIT_ENTRY_MAX);
	assert_int_equal(km_audit_draft(&d, &e), KM_OK);
	assert_int_equal(km_audit_entry_make(&b, seq, prev, d.data, d.len), KM_OK);
	return b.len;
}

static void test_entries(void **state)
{
	uint8_t prev[KM_HASH_SIZE], raw[KM_AUDIT_ENTRY_MAX + 1];

	memset(prev, 0xab, sizeof(prev));
	for (unsigned kind = 1; km_audit_kind_name(kind); kind++) {
		size_t n = make(raw, kind, 41, prev);
		struct km_audit_entry want, got;

		fill(&want, kind);
		want.seq = 41;
		memcpy(want.prev, prev, sizeof(prev));
		assert_int_equal(km_audit_decode(&got, raw, n), KM_OK);
		assert_memory_equal(&got, &want, sizeof(got));
		for (size_t cut = 0; cut < n; cut++)
			assert_int_not_equal(km_audit_decode(&got, raw, cut), KM_OK);
		raw[n] = 0;
		assert_int_equal(km_audit_decode(&got, raw, n + 1), KM_E_TRAILING);
		raw[0] = 1;
		assert_int_equal(km_audit_decode(&got, raw, n), KM_E_VERSION);
	}
}

static void test_entry_bounds(void **state)
{
	uint8_t raw[KM_AUDIT_ENTRY_MAX + 1], zero[KM_HASH_SIZE] = {0}, big[KM_AUDIT_ENTRY_MAX] = {KM_AUDIT_PROCESS};
	struct km_audit_entry e;
	struct km_buf b;
	size_t n;

	/* a later version's kind: the head is known, the body is not */
	n = make(raw, KM_AUDIT_PROCESS, 0, zero);
	raw[1] = 99;
	assert_int_equal(km_audit_decode(&e, raw, n), KM_E_VERSION);
	assert_int_equal(e.time_ms, 1700000000123);
	assert_int_equal(km_audit_head_decode(&e, raw, n), KM_OK);
	/* text that is none */
	n = make(raw, KM_AUDIT_PROCESS, 0, zero);
	raw[n - 1] = '\n';
	assert_int_equal(km_audit_decode(&e, raw, n), KM_E_ENCODING);
	n = make(raw, KM_AUDIT_OPERATOR, 0, zero);
	raw[KM_AUDIT_HEAD] = KM_AUDIT_ACTIONS;
	assert_int_equal(km_audit_decode(&e, raw, n), KM_E_RANGE);
	/* drafts */
	km_buf_init_fixed(&b, raw, sizeof(raw));
	assert_int_equal(km_audit_entry_make(&b, 0, zero, big, KM_AUDIT_DRAFT - 1), KM_E_ENCODING);
	assert_int_equal(km_audit_entry_make(&b, 0, zero, big, KM_AUDIT_ENTRY_MAX - KM_AUDIT_HEAD + KM_AUDIT_DRAFT + 1), KM_E_LIMIT);
	assert_int_equal(km_audit_entry_make(&b, 0, zero, big, KM_AUDIT_ENTRY_MAX - KM_AUDIT_HEAD + KM_AUDIT_DRAFT), KM_OK);
	assert_int_equal(km_audit_head_decode(&e, raw, KM_AUDIT_ENTRY_MAX), KM_OK);
	assert_int_equal(km_audit_head_decode(&e, raw, KM_AUDIT_ENTRY_MAX + 1), KM_E_LIMIT);
	memset(&e, 0, sizeof(e));
	assert_int_equal(km_audit_draft(&b, &e), KM_E_INVAL);
}

static void test_chain(void **state)
{
	struct km_audit_chain c = {0}, other;
	uint8_t one[KM_AUDIT_ENTRY_MAX], two[KM_AUDIT_ENTRY_MAX], leaf[KM_HASH_SIZE], want[KM_HASH_SIZE];
	size_t n1 = make(one, KM_AUDIT_PROCESS, 0, c.prev), n2;

	km_merkle_leaf(one, n1, want);
	n2 = make(two, KM_AUDIT_SHARE, 1, want);
	other = c;
	assert_int_equal(km_audit_chain_next(&other, two, n2, leaf), KM_E_STALE);
	assert_int_equal(km_audit_chain_next(&c, one, n1, leaf), KM_OK);
	assert_memory_equal(leaf, want, KM_HASH_SIZE);
	/* another first entry: the second does not follow it */
	memset(&other, 0, sizeof(other));
	one[n1 - 1] ^= 1;
	assert_int_equal(km_audit_chain_next(&other, one, n1, leaf), KM_OK);
	assert_int_equal(km_audit_chain_next(&other, two, n2, leaf), KM_E_MISMATCH);
	assert_int_equal(km_audit_chain_next(&c, two, n2, leaf), KM_OK);
	assert_int_equal(c.seq, 2);
}

/* ---- notes */

/* The example of the signed-note specification: name, key and signature as published there. */
#define EXAMPLE "This is an example message.\n\n\xe2\x80\x94 example.com/foo " \
	"Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n"
#define EXAMPLE_KEY "AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"

static void test_note_known(void **state)
{
	const struct km_note_sig *s;
	uint8_t key[33], id[4];
	struct km_note note;
	size_t n;

	assert_int_equal(km_base64_get(key, sizeof(key), &n, EXAMPLE_KEY, strlen(EXAMPLE_KEY)), KM_OK);
	assert_int_equal(n, 33);
	assert_int_equal(key[0], KM_NOTE_ED25519);
	km_note_key_id("example.com/foo", 15, KM_NOTE_ED25519, key + 1, id);
	assert_memory_equal(id, "\x53\x0d\x90\x3a", 4);
	assert_int_equal(km_note_parse(&note, EXAMPLE, strlen(EXAMPLE)), KM_OK);
	s = km_note_find(&note, "example.com/foo", 15, id);
	assert_non_null(s);
	assert_int_equal(s->len, KM_SIG_SIZE);
	assert_int_equal(km_ed25519_verify(key + 1, note.text, note.len, s->sig), KM_OK);
	assert_null(km_note_find(&note, "example.com/fo", 14, id));
}

static void bad_note(const char *text, size_t n)
{
	struct km_note note;

	assert_int_not_equal(km_note_parse(&note, text, n), KM_OK);
	assert_null(note.text);
}

#define SIG "\xe2\x80\x94 a AAAAAAA=\n"

static void test_note_bad(void **state)
{
	static char big[KM_NOTE_MAX + 100];
	struct km_note note;
	size_t n;

	assert_int_equal(km_note_parse(&note, "x\n\n" SIG, strlen("x\n\n" SIG)), KM_OK);
	assert_int_equal(note.len, 2);
	assert_int_equal(km_note_parse(&note, "x\n\ny\n\n" SIG, strlen("x\n\ny\n\n" SIG)), KM_OK);
	assert_int_equal(note.len, 5);
	bad_note("", 0);
	bad_note("x\n", 2);
	bad_note("x\n\n", 3);
	bad_note("\n", 1);
	bad_note("x\n" SIG, strlen("x\n" SIG));
	bad_note("x\n\n" SIG "y", strlen("x\n\n" SIG "y"));
	bad_note("x\n\n- a AAAAAAA=\n", strlen("x\n\n- a AAAAAAA=\n"));
	bad_note("x\n\n\xe2\x80\x94 a AAAAAAA\n", strlen("x\n\n\xe2\x80\x94 a AAAAAAA\n"));
	bad_note("x\n\n\xe2\x80\x94 a AAAAAAB=\n", strlen("x\n\n\xe2\x80\x94 a AAAAAAB=\n")); /* unused bits */
	bad_note("x\n\n\xe2\x80\x94 a AAAA AA=\n", strlen("x\n\n\xe2\x80\x94 a AAAA AA=\n"));
	bad_note("x\n\n\xe2\x80\x94 a+b AAAAAAA=\n", strlen("x\n\n\xe2\x80\x94 a+b AAAAAAA=\n"));
	bad_note("x\n\n\xe2\x80\x94 a AAAA\n", strlen("x\n\n\xe2\x80\x94 a AAAA\n"));     /* no id */
	bad_note("x\ry\n\n" SIG, strlen("x\ry\n\n" SIG));
	n = (size_t)sprintf(big, "x\n\n");
	for (unsigned i = 0; i < KM_NOTE_SIGS; i++)
		n += (size_t)sprintf(big + n, SIG);
	assert_int_equal(km_note_parse(&note, big, n), KM_OK);
	n += (size_t)sprintf(big + n, SIG);
	bad_note(big, n);
	memset(big, 'x', sizeof(big));
	n = sizeof(big);
	memcpy(big + n - strlen("\n\n" SIG), "\n\n" SIG, strlen("\n\n" SIG));
	bad_note(big, n);
}

static void test_checkpoint(void **state)
{
	uint8_t priv[32] = {1}, pub[32], wpriv[32] = {2}, wpub[32], cosig[KM_COSIG_LEN];
	struct km_checkpoint c = {.size = 20852163}, got;
	struct km_note note;
	struct km_buf b;
	uint64_t when;

	km_ed25519_public(priv, pub);
	km_ed25519_public(wpriv, wpub);
	km_checkpoint_origin(c.origin, "mesh", "alice");
	assert_string_equal(c.origin, "keymesh/mesh/alice");
	memset(c.root, 0x5a, sizeof(c.root));
	km_buf_init(&b);
	km_checkpoint_sign(&b, &c, pub, priv);
	assert_int_equal(b.err, KM_OK);
	assert_memory_equal(b.data, "keymesh/mesh/alice\n20852163\nWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlo=\n\n\xe2\x80\x94 keymesh/mesh/alice ", 96);
	assert_int_equal(km_checkpoint_open(&got, &note, b.data, b.len, pub), KM_OK);
	assert_memory_equal(&got, &c, sizeof(c));
	assert_int_equal(km_checkpoint_open(&got, &note, b.data, b.len, wpub), KM_E_VERIFY);
	assert_int_equal(got.size, 0);
	/* a witness */
	assert_int_equal(km_note_parse(&note, b.data, b.len), KM_OK);
	km_cosign(cosig, note.text, note.len, 1679315147, wpub, wpriv);
	assert_int_equal(km_cosign_time(cosig), 1679315147);
	assert_int_equal(km_cosign_of(&note, "keymesh/mesh/bob", wpub, &when), KM_E_NOTFOUND);
	km_cosign_put(&b, "keymesh/mesh/bob", wpub, cosig);
	assert_int_equal(km_checkpoint_open(&got, &note, b.data, b.len, pub), KM_OK);
	assert_int_equal(note.n, 2);
	assert_int_equal(km_cosign_of(&note, "keymesh/mesh/bob", wpub, &when), KM_OK);
	assert_int_equal(when, 1679315147);
	cosig[7] ^= 1;
	assert_int_equal(km_cosign_check(cosig, note.text, note.len, wpub), KM_E_VERIFY);
	cosig[7] ^= 1;
	assert_int_equal(km_cosign_check(cosig, note.text, note.len, wpub), KM_OK);
	/* every byte of the text counts */
	for (size_t i = 0; i < note.len; i++) {
		b.data[i] ^= 1;
		assert_int_not_equal(km_checkpoint_open(&got, &note, b.data, b.len, pub), KM_OK);
		b.data[i] ^= 1;
	}
	km_buf_clear(&b);
}

static void bad_checkpoint(const char *text)
{
	struct km_checkpoint c;

	assert_int_equal(km_checkpoint_parse(&c, text, strlen(text)), KM_E_ENCODING);
}

#define ROOT "WlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlo=\n"

static void test_checkpoint_bad(void **state)
{
	struct km_checkpoint c;

	assert_int_equal(km_checkpoint_parse(&c, "a\n0\n" ROOT, 4 + strlen(ROOT)), KM_OK);
	assert_int_equal(km_checkpoint_parse(&c, "a\n0\n" ROOT "more\n", 9 + strlen(ROOT)), KM_OK);
	bad_checkpoint("a\n0\n");
	bad_checkpoint("a\n00\n" ROOT);
	bad_checkpoint("a\n-1\n" ROOT);
	bad_checkpoint("a\n+1\n" ROOT);
	bad_checkpoint("a\n\n" ROOT);
	bad_checkpoint("a\n10000000000000000000\n" ROOT);
	bad_checkpoint("\n1\n" ROOT);
	bad_checkpoint("a b\n1\n" ROOT);
	bad_checkpoint("a\n1\nWlpa\n");
	bad_checkpoint("a\n1\nWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlo\n");
}

KM_TESTS(cmocka_unit_test(test_tree_naive), cmocka_unit_test(test_tree_known), cmocka_unit_test(test_inclusion), cmocka_unit_test(test_consistency),
	 cmocka_unit_test(test_entries), cmocka_unit_test(test_entry_bounds), cmocka_unit_test(test_chain), cmocka_unit_test(test_note_known),
	 cmocka_unit_test(test_note_bad), cmocka_unit_test(test_checkpoint), cmocka_unit_test(test_checkpoint_bad))
