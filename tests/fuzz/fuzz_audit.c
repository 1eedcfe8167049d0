/* Everything of an audit log that comes from outside. The first byte says what the rest is: 0 an entry, 1 a segment, 2 a checkpoint of
 * the key in `priv`, 3 a proof (u64 old, u64 size, two roots, hashes). */
#include "fuzz.h"
#include "audit/checkpoint.h"
#include "audit/entry.h"
#include "audit/tree.h"
#include "base/sig.h"
#include "mesh/audit_files.h"

const char fuzz_name[] = "audit";
const unsigned fuzz_rounds = 1500;

static const uint8_t priv[32] = {5};

static int one_entry(const uint8_t *p, size_t n)
{
	uint8_t draft[KM_AUDIT_ENTRY_MAX], again[KM_AUDIT_ENTRY_MAX];
	struct km_audit_entry e;
	struct km_buf d, b;

	if (km_audit_decode(&e, p, n))
		return 0;
	/* one encoding for each value */
	km_buf_init_fixed(&d, draft, sizeof(draft));
	km_buf_init_fixed(&b, again, sizeof(again));
	KM_ASSERT(km_audit_draft(&d, &e) == KM_OK);
	KM_ASSERT(km_audit_entry_make(&b, e.seq, e.prev, d.data, d.len) == KM_OK);
	KM_ASSERT(b.len == n && memcmp(again, p, n) == 0);
	return 1;
}

static int count(void *ctx, uint64_t seq, const uint8_t *entry, size_t len, const uint8_t leaf[KM_HASH_SIZE])
{
	KM_ASSERT(seq == (*(uint64_t *)ctx)++);
	return KM_OK;
}

static int one_segment(const uint8_t *p, size_t n)
{
	struct km_audit_chain c = {0};
	struct kmd_audit_seg s;
	uint64_t seen;
	size_t good;

	if (kmd_audit_seg_parse(&s, p, n) || s.first > ((uint64_t)1 << 60))
		return 0;
	seen = c.seq = s.first;
	memcpy(c.prev, s.prev, KM_HASH_SIZE);
	int err = kmd_audit_seg_walk(p, n, s.bits, &c, count, &seen, &good);

	KM_ASSERT(good <= n && good >= KMD_AUDIT_SEG_HEAD && seen == c.seq && (err || good == n));
	return !err;
}

static int one_checkpoint(const uint8_t *p, size_t n)
{
	struct km_checkpoint c;
	struct km_note note;
	uint8_t pub[32];

	km_ed25519_public(priv, pub);
	if (km_checkpoint_open(&c, &note, p, n, pub)) {
		KM_ASSERT(c.size == 0);
		return 0;
	}
	KM_ASSERT(note.len < n && note.n >= 1);
	return 1;
}

static int one_proof(const uint8_t *p, size_t n)
{
	struct km_tree_proof proof = {.n = 0};
	uint8_t from[KM_HASH_SIZE], to[KM_HASH_SIZE];
	struct km_reader r;

	km_reader_init(&r, p, n);
	uint64_t old = km_get_u64(&r), size = km_get_u64(&r);
	km_get_bytes(&r, from, sizeof(from));
	km_get_bytes(&r, to, sizeof(to));
	while (!r.err && km_reader_left(&r) && proof.n < KM_TREE_PROOF_MAX)
		km_get_bytes(&r, proof.node[proof.n++], KM_HASH_SIZE);
	if (km_reader_end(&r))
		return 0;
	(void)!km_tree_check(&proof, from, old, size, to);
	return km_tree_check_consistent(&proof, old, from, size, to) == KM_OK;
}

int fuzz_one(const uint8_t *data, size_t size)
{
	if (!size)
		return 0;
	switch (data[0]) {
	case 0: return one_entry(data + 1, size - 1);
	case 1: return one_segment(data + 1, size - 1);
	case 2: return one_checkpoint(data + 1, size - 1);
	case 3: return one_proof(data + 1, size - 1);
	default: return 0;
	}
}

/* ---- seeds */

static uint8_t stored[16][KM_HASH_SIZE];

static int look(void *ctx, unsigned level, uint64_t index, uint8_t out[KM_HASH_SIZE])
{
	memcpy(out, stored[km_tree_stored(level, index)], KM_HASH_SIZE);
	return KM_OK;
}

void fuzz_seeds(fuzz_emit_fn *emit, void *ctx)
{
	struct kmd_audit_seg head = {.bits = 4};
	struct km_audit_chain chain = {0};
	struct km_checkpoint c = {.origin = "keymesh/mesh/a", .size = 7};
	struct km_tree_proof proof;
	struct km_tree tree, half;
	uint8_t pub[32], cosig[KM_COSIG_LEN], root[KM_HASH_SIZE];
	struct km_buf seg, b;
	unsigned at = 0;

	km_ed25519_public(priv, pub);
	km_buf_init(&seg);
	km_buf_init(&b);
	km_put_u8(&seg, 1);
	kmd_audit_seg_head(km_put_room(&seg, KMD_AUDIT_SEG_HEAD), &head);
	km_tree_init(&tree);
	km_tree_init(&half);
	for (unsigned kind = 1; km_audit_kind_name(kind); kind++) {
		struct km_audit_entry e = {.kind = (uint8_t)kind, .time_ms = 1700000000000};
		uint8_t draft[KM_AUDIT_ENTRY_MAX], mem[1 + KM_AUDIT_ENTRY_MAX], leaf[KM_HASH_SIZE];
		char name[20] = "entry-0";
		struct km_buf d, one;

		switch (kind) {
		case KM_AUDIT_SHARE: e.u.share.owner = 1; e.u.share.n = 33; break;
		case KM_AUDIT_SIGNATURE: e.u.signature.n = 32; break;
		case KM_AUDIT_EPOCH: e.u.epoch.purpose = e.u.epoch.what = 1; memcpy(e.u.epoch.name, "www", 4); break;
		case KM_AUDIT_QUARANTINE: e.u.quarantine.what = e.u.quarantine.peer = 1; break;
		case KM_AUDIT_OPERATOR: e.u.op.action = 1; memcpy(e.u.op.text, "www", 4); break;
		case KM_AUDIT_PROCESS: e.u.process.what = 1; break;
		default: e.u.witness.what = e.u.witness.peer = 1; break;
		}
		km_buf_init_fixed(&d, draft, sizeof(draft));
		km_buf_init_fixed(&one, mem, sizeof(mem));
		km_put_u8(&one, 0);
		KM_ASSERT(km_audit_draft(&d, &e) == KM_OK);
		KM_ASSERT(km_audit_entry_make(&one, chain.seq, chain.prev, d.data, d.len) == KM_OK);
		KM_ASSERT(km_audit_chain_next(&chain, one.data + 1, one.len - 1, leaf) == KM_OK);
		name[6] = (char)('0' + kind);
		emit(ctx, name, one.data, one.len);
		km_put_u16(&seg, (uint16_t)(one.len - 1));
		km_put_bytes(&seg, one.data + 1, one.len - 1);
		at += km_tree_add(&tree, leaf, &stored[at]);
		if (kind <= 3)
			(void)km_tree_add(&half, leaf, NULL);
	}
	emit(ctx, "segment", seg.data, seg.len);
	km_put_u8(&b, 2);
	km_tree_root(&tree, c.root);
	struct km_buf note;
	km_buf_init(&note);
	km_checkpoint_sign(&note, &c, pub, priv);
	struct km_note parsed;
	KM_ASSERT(km_note_parse(&parsed, note.data, note.len) == KM_OK);
	km_cosign(cosig, parsed.text, parsed.len, 1700000000, pub, priv);
	km_cosign_put(&note, "keymesh/mesh/b", pub, cosig);
	km_put_bytes(&b, note.data, note.len);
	emit(ctx, "checkpoint", b.data, b.len);
	km_buf_reset(&b);
	km_put_u8(&b, 3);
	km_put_u64(&b, 3);
	km_put_u64(&b, tree.size);
	km_tree_root(&half, root);
	km_put_bytes(&b, root, sizeof(root));
	km_put_bytes(&b, c.root, KM_HASH_SIZE);
	KM_ASSERT(km_tree_prove_consistent(&proof, look, NULL, 3, tree.size) == KM_OK);
	km_put_bytes(&b, proof.node, (size_t)proof.n * KM_HASH_SIZE);
	emit(ctx, "proof", b.data, b.len);
	km_buf_clear(&note);
	km_buf_clear(&seg);
	km_buf_clear(&b);
}
