/* test_backup.c: backup files and records: every byte of them that is changed or missing is seen; a record proves one share, one file, one
 * time, and nothing else. */
#include "config.h"
#include "tests/lib/net.h"
#include "tests/lib/test.h"

#include <stdio.h>
#include <stdlib.h>
#include "base/secret.h"
#include "lib/tempdir.h"
#include "mesh/backup.h"
#include "mesh/recovery.h"
#include "proto/epoch.h"

#define SEED 6
#define SELF 2

static struct km_share share;

/* What a key generation of peers 1 to 3, threshold 2, leaves at SELF. */
static void make_share(uint64_t number)
{
	const struct km_shape shape = {.head = KM_STORED_BODY};
	const struct km_curve *c = km_curve_by_id(KM_CURVE_P256);
	uint8_t body[KM_STORED_BODY], prev[KM_HASH_SIZE] = {9}, seed[KM_SEED_SIZE] = {7};
	struct km_table *t = &share.table;
	struct km_secret coef[2], y;
	struct km_identity id;
	struct km_epoch e;
	struct km_rng rng;
	struct km_buf b;

	memset(&share, 0, sizeof(share));
	km_rng_init(&rng, seed, "test_backup", NULL, 0);
	km_secret_random(c, &coef[0], &rng);
	km_secret_random(c, &coef[1], &rng);
	strcpy(t->name, "www");
	t->number = number;
	t->curve = c;
	t->threshold = 2;
	t->members = 7;
	km_point_mul_g(c, &t->x, &coef[0]);
	for (unsigned i = 1; i <= 3; i++) {
		net_identity(SEED, (uint8_t)i, &id);
		memcpy(t->idkeys[i], id.pub, sizeof(id.pub));
		km_shamir_eval(c, &y, coef, 1, i);
		km_point_mul_g(c, &t->xi[i], &y);
		if (i == SELF)
			share.x_i = y;
	}
	share.self = SELF;
	share.usable = 1;
	assert_int_equal(km_table_finish(t), KM_OK);
	km_epoch_of(&e, t);
	km_stored_put(body, prev, &e);
	net_identity(SEED, SELF, &id);
	km_buf_init_fixed(&b, share.stored, sizeof(share.stored));
	assert_int_equal(km_msg_build(&b, KM_PROTO_DKG, KM_STORED_ROUND, SELF, 0, e.sid, &shape, body, &id), KM_OK);
	share.stored_len = b.len;
}

static void make_head(struct kmd_backup_head *h)
{
	memset(h, 0, sizeof(*h));
	memset(h->mesh, 0x11, KM_HASH_SIZE);
	memcpy(h->key_id, share.table.key_id, KM_HASH_SIZE);
	memcpy(h->table, share.table.hash, KM_HASH_SIZE);
	h->peer = SELF;
	strcpy(h->peer_name, "p2");
	strcpy(h->key_name, "www");
	h->number = share.table.number;
	h->made_ms = 1700000000123;
	h->n_recipients = 2;
	h->recipient[0] = "age1example";
	h->recipient_len[0] = 11;
	h->recipient[1] = "ssh-ed25519 AAAA with blanks";
	h->recipient_len[1] = 28;
}

static void make_file(struct km_buf *b, struct kmd_backup_head *h)
{
	km_buf_init(b);
	make_head(h);
	assert_int_equal(kmd_backup_put_head(b, h, 7), KM_OK);
	km_put_bytes(b, "PAYLOAD", 7);
}

static void test_head(void **state)
{
	struct kmd_backup_head h, g;
	struct kmd_fail f = {""};
	const uint8_t *payload;
	struct km_buf b;
	size_t len;

	make_share(1700000000);
	make_file(&b, &h);
	assert_int_equal(kmd_backup_parse(&g, &payload, &len, b.data, b.len, &f), KM_OK);
	assert_int_equal(len, 7);
	assert_memory_equal(payload, "PAYLOAD", 7);
	assert_int_equal(g.peer, SELF);
	assert_string_equal(g.peer_name, "p2");
	assert_string_equal(g.key_name, "www");
	assert_true(g.number == h.number && g.made_ms == h.made_ms && g.n_recipients == 2);
	assert_memory_equal(g.recipient[1], h.recipient[1], 28);
	assert_memory_equal(g.hash, h.hash, KM_HASH_SIZE);
	assert_memory_equal(g.table, h.table, KM_HASH_SIZE);
	/* cut off anywhere */
	for (size_t n = 0; n < b.len; n++) {
		f.text[0] = '\0';
		assert_int_not_equal(kmd_backup_parse(&g, &payload, &len, b.data, n, &f), KM_OK);
		assert_true(f.text[0] && !payload);
	}
	/* every changed byte of the head is refused at once, or changes the hash that the payload repeats */
	for (size_t i = 0; i < b.len - 7; i++) {
		b.data[i] ^= 1;
		if (kmd_backup_parse(&g, &payload, &len, b.data, b.len, &f) == KM_OK)
			assert_memory_not_equal(g.hash, h.hash, KM_HASH_SIZE);
		b.data[i] ^= 1;
	}
	b.data[15] = '2';
	assert_int_equal(kmd_backup_parse(&g, &payload, &len, b.data, b.len, &f), KM_E_VERSION);
	km_buf_clear(&b);
	h.recipient[0] = "-o";
	h.recipient_len[0] = 2;
	km_buf_init(&b);
	assert_int_equal(kmd_backup_put_head(&b, &h, 7), KM_E_INVAL);
	h.recipient[0] = "a\npayload 0";
	h.recipient_len[0] = 11;
	assert_int_equal(kmd_backup_put_head(&b, &h, 7), KM_E_INVAL);
	km_buf_clear(&b);
}

static void test_shared(void **state)
{
	struct kmd_backup_head a, b;
	char who[40];

	make_share(5);
	make_head(&a);
	make_head(&b);
	assert_int_equal(kmd_backup_shared(&a, &b, who, sizeof(who)), 1);
	assert_string_equal(who, "age1example");
	b.recipient[0] = "age1exampl";
	b.recipient_len[0] = 10;
	b.n_recipients = 1;
	assert_int_equal(kmd_backup_shared(&a, &b, who, sizeof(who)), 0);
}

static void make_plain(struct km_buf *b, const struct kmd_backup_head *h, const struct km_buf *enc)
{
	struct kmd_backup_plain p = {.n_files = 2};

	memcpy(p.head, h->hash, KM_HASH_SIZE);
	memset(p.ed25519, 0xaa, 32);
	memset(p.x25519, 0xbb, 32);
	strcpy(p.file[0].name, "key-1.share");
	p.file[0].data = enc->data;
	p.file[0].len = enc->len;
	strcpy(p.file[1].name, "key-1.cert");
	p.file[1].data = (const uint8_t *)"certificate";
	p.file[1].len = 11;
	km_buf_init(b);
	assert_int_equal(kmd_backup_plain_encode(b, &p), KM_OK);
}

static int open_plain(const struct kmd_backup_head *h, const uint8_t *p, size_t n, struct kmd_fail *f)
{
	static struct kmd_backup_plain plain;
	static struct km_share out;
	int err = kmd_backup_plain_decode(&plain, p, n);

	if (err)
		return err;
	err = kmd_backup_open_share(&out, h, &plain, f);
	if (!err) {
		assert_memory_equal(out.table.hash, share.table.hash, KM_HASH_SIZE);
		assert_string_equal(plain.file[1].name, "key-1.cert");
		assert_int_equal(plain.file[1].len, 11);
	}
	return err;
}

static void test_plain(void **state)
{
	struct km_buf b, file, enc;
	struct kmd_backup_head h;
	struct kmd_fail f = {""};
	unsigned unnoticed = 0;

	make_share(1700000000);
	make_file(&file, &h);
	km_buf_init(&enc);
	assert_int_equal(km_share_encode(&share, &enc), KM_OK);
	make_plain(&b, &h, &enc);
	assert_int_equal(open_plain(&h, b.data, b.len, &f), KM_OK);
	for (size_t n = 0; n < b.len; n++)
		assert_int_not_equal(open_plain(&h, b.data, n, &f), KM_OK);
	/* a changed byte of head or share is seen (not of the keys, nor of names, which the store checks) */
	for (size_t i = 0; i < enc.len; i++) {
		enc.data[i] ^= 1;
		km_buf_clear(&b);
		make_plain(&b, &h, &enc);
		unnoticed += open_plain(&h, b.data, b.len, &f) == KM_OK;
		enc.data[i] ^= 1;
	}
	/* whether it was in use already */
	assert_int_equal(unnoticed, 1);
	km_buf_clear(&b);
	make_plain(&b, &h, &enc);
	h.hash[0] ^= 1;
	assert_int_equal(open_plain(&h, b.data, b.len, &f), KM_E_MISMATCH);
	assert_non_null(strstr(f.text, "head was changed"));
	h.hash[0] ^= 1;
	/* another head around the same share: only who can encrypt can make it, and it still does not pass */
	h.peer = 3;
	assert_int_equal(open_plain(&h, b.data, b.len, &f), KM_E_MISMATCH);
	h.peer = SELF;
	h.number++;
	assert_int_equal(open_plain(&h, b.data, b.len, &f), KM_E_MISMATCH);
	km_buf_clear(&b);
	km_buf_clear(&enc);
	km_buf_clear(&file);
}

/* ---- records */

static void make_record(struct kmd_record *r, unsigned kind, uint64_t at_ms)
{
	memset(r, 0, sizeof(*r));
	r->kind = (uint8_t)kind;
	r->at_ms = at_ms;
	r->backup_ms = 1000;
	memset(r->file, 0x77, KM_HASH_SIZE);
	assert_int_equal(kmd_record_prove(r, &share), KM_OK);
}

static void test_record(void **state)
{
	struct kmd_record r, s;
	uint8_t mem[KMD_RECORD_MAX];
	unsigned proved = 0;
	struct km_buf b;

	make_share(1700000000);
	make_record(&r, KMD_RECORD_DRILL, 5000);
	assert_int_equal(kmd_record_check(&r, &share.table), KM_OK);
	km_buf_init_fixed(&b, mem, sizeof(mem));
	assert_int_equal(kmd_record_encode(&r, &b), KM_OK);
	for (size_t n = 0; n < b.len; n++)
		assert_int_not_equal(kmd_record_decode(&s, b.data, n), KM_OK);
	for (size_t i = 0; i < b.len; i++) {
		for (unsigned bit = 0; bit < 8; bit++) {
			b.data[i] ^= (uint8_t)(1 << bit);
			proved += !kmd_record_decode(&s, b.data, b.len) && !kmd_record_check(&s, &share.table);
			b.data[i] ^= (uint8_t)(1 << bit);
		}
	}
	assert_int_equal(proved, 0);
	assert_int_equal(kmd_record_decode(&s, b.data, b.len), KM_OK);
	assert_int_equal(kmd_record_check(&s, &share.table), KM_OK);
	/* another epoch, though the shares in it were the same */
	make_share(1700000001);
	assert_int_equal(kmd_record_check(&s, &share.table), KM_E_MISMATCH);
	/* another peer's point */
	make_share(1700000000);
	s.peer = 3;
	assert_int_equal(kmd_record_check(&s, &share.table), KM_E_VERIFY);
	s.peer = 4;
	assert_int_equal(kmd_record_check(&s, &share.table), KM_E_MISMATCH);
}

static struct kmd_recovery *open_recovery(void)
{
	struct kmd_recovery *v;
	struct kmd_fail f = {""};

	assert_int_equal(kmd_recovery_open(&v, km_temp("state"), &f), KM_OK);
	return v;
}

static int known(void *ctx, const uint8_t table[KM_HASH_SIZE])
{
	return ctx && !memcmp(ctx, table, KM_HASH_SIZE);
}

static void test_recovery(void **state)
{
	struct kmd_record r, s;
	struct kmd_recovery *v;
	struct kmd_fail f;

	make_share(1700000000);
	assert_int_equal(mkdir(km_temp("state"), 0700), 0);
	v = open_recovery();
	make_record(&r, KMD_RECORD_DRILL, 5000);
	make_record(&s, KMD_RECORD_BACKUP, 4000);
	assert_int_equal(kmd_recovery_take(v, &r, NULL, 6000, &f), KM_E_NOTFOUND);
	assert_int_equal(kmd_recovery_at(v, KMD_RECORD_DRILL, SELF, share.table.hash), 0);
	assert_int_equal(kmd_recovery_take(v, &r, &share.table, 6000, &f), KM_OK);
	assert_int_equal(kmd_recovery_take(v, &s, &share.table, 6000, &f), KM_OK);
	assert_int_equal(kmd_recovery_take(v, &r, &share.table, 6000, &f), KM_E_DUPLICATE);
	make_record(&s, KMD_RECORD_DRILL, 4999);
	assert_int_equal(kmd_recovery_take(v, &s, &share.table, 6000, &f), KM_E_DUPLICATE);
	make_record(&s, KMD_RECORD_DRILL, 6000 + 600001);
	assert_int_equal(kmd_recovery_take(v, &s, &share.table, 6000, &f), KM_E_STALE);
	make_record(&s, KMD_RECORD_DRILL, 6000 + 600000);
	s.at_ms--;
	assert_int_equal(kmd_recovery_take(v, &s, &share.table, 6000, &f), KM_E_VERIFY);
	s.at_ms++;
	assert_int_equal(kmd_recovery_take(v, &s, &share.table, 6000, &f), KM_OK);
	kmd_recovery_close(v);
	/* a damaged one is passed over, the others are kept */
	km_temp_write("state/recovery/drill-9-x", "nonsense", 8, 0600);
	v = open_recovery();
	assert_int_equal(kmd_recovery_at(v, KMD_RECORD_DRILL, SELF, share.table.hash), 606000);
	assert_int_equal(kmd_recovery_at(v, KMD_RECORD_BACKUP, SELF, share.table.hash), 4000);
	assert_int_equal(kmd_recovery_at(v, KMD_RECORD_BACKUP, 1, share.table.hash), 0);
	kmd_recovery_forget(v, known, share.table.hash);
	assert_int_equal(kmd_recovery_at(v, KMD_RECORD_BACKUP, SELF, share.table.hash), 4000);
	kmd_recovery_forget(v, known, NULL);
	assert_int_equal(kmd_recovery_at(v, KMD_RECORD_BACKUP, SELF, share.table.hash), 0);
	kmd_recovery_close(v);
	v = open_recovery();
	assert_int_equal(kmd_recovery_at(v, KMD_RECORD_BACKUP, SELF, share.table.hash), 0);
	kmd_recovery_close(v);
}

KM_TESTS(cmocka_unit_test(test_head), cmocka_unit_test(test_shared), cmocka_unit_test(test_plain), cmocka_unit_test(test_record),
	 cmocka_unit_test(test_recovery))
