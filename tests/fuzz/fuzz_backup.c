/* What comes from people's hands at a recovery: backup files, what is encrypted in them, records of drills. Input: kind (0 file, 1 content,
 * else record) | bytes. */
#include "config.h"
#include "fuzz.h"
#include "base/secret.h"
#include "mesh/backup.h"
#include "mesh/record.h"

const char fuzz_name[] = "backup";
const unsigned fuzz_rounds = 4000;

/* One encoding of everything. */
static int same(struct km_buf *b, int err, const uint8_t *data, size_t size)
{
	KM_ASSERT(!err && b->len <= size && !memcmp(b->data, data, b->len));
	err = b->len == size;
	km_buf_clear(b);
	return err;
}

static int file(const uint8_t *data, size_t size)
{
	struct kmd_backup_head h, g;
	const uint8_t *payload;
	struct kmd_fail f;
	struct km_buf b;
	size_t len;

	if (kmd_backup_parse(&h, &payload, &len, data, size, &f)) {
		KM_ASSERT(!payload && !len);
		return 0;
	}
	KM_ASSERT(payload + len == data + size && h.n_recipients >= 1 && h.n_recipients <= KMD_BACKUP_RECIPIENTS);
	g = h;
	km_buf_init(&b);
	int err = kmd_backup_put_head(&b, &g, len);
	KM_ASSERT(b.len + len == size && !memcmp(g.hash, h.hash, KM_HASH_SIZE));
	(void)same(&b, err, data, size);
	return 1;
}

static int content(const uint8_t *data, size_t size)
{
	static struct kmd_backup_plain p;
	struct km_buf b;

	if (kmd_backup_plain_decode(&p, data, size))
		return 0;
	km_buf_init(&b);
	return same(&b, kmd_backup_plain_encode(&b, &p), data, size);
}

static int record(const uint8_t *data, size_t size)
{
	struct kmd_record r;
	struct km_buf b;

	if (kmd_record_decode(&r, data, size))
		return 0;
	km_buf_init(&b);
	return same(&b, kmd_record_encode(&r, &b), data, size);
}

int fuzz_one(const uint8_t *data, size_t size)
{
	if (!size)
		return 0;
	return data[0] == 0 ? file(data + 1, size - 1) : data[0] == 1 ? content(data + 1, size - 1) : record(data + 1, size - 1);
}

void fuzz_seeds(fuzz_emit_fn *emit, void *ctx)
{
	struct kmd_backup_head h = {.peer = 3, .peer_name = "p3", .key_name = "www", .number = 1700000000, .made_ms = 1700000000123,
				    .n_recipients = 2, .recipient = {"age1abc", "ssh-ed25519 AAAA b"}, .recipient_len = {7, 18}};
	struct kmd_backup_plain p = {.n_files = 2,
				     .file = {{.name = "key-1.share", .data = (const uint8_t *)"share", .len = 5},
					      {.name = "key-1.cert", .data = (const uint8_t *)"certificate", .len = 11}}};
	struct kmd_record r = {.kind = KMD_RECORD_DRILL, .peer = 3, .curve = KM_CURVE_P256, .number = 5, .at_ms = 7, .backup_ms = 6};
	const struct km_curve *c = km_curve_by_id(KM_CURVE_P256);
	uint8_t one[KM_SCALAR_MAX] = {[31] = 1};
	struct km_secret x;
	struct km_buf b;

	km_buf_init(&b);
	km_put_u8(&b, 0);
	/* the head's hash begins at what is there: so it is made by itself */
	struct km_buf head;
	km_buf_init(&head);
	KM_ASSERT(!kmd_backup_put_head(&head, &h, 4));
	km_put_bytes(&b, head.data, head.len);
	km_put_bytes(&b, "AGE!", 4);
	emit(ctx, "file", b.data, b.len);
	km_buf_clear(&head);
	km_buf_reset(&b);
	km_put_u8(&b, 1);
	KM_ASSERT(!kmd_backup_plain_encode(&b, &p));
	emit(ctx, "content", b.data, b.len);
	km_buf_reset(&b);
	km_put_u8(&b, 2);
	KM_ASSERT(!km_secret_decode(c, &x, one) && !km_scalar_decode(c, &r.proof.z, one));
	km_point_mul_g(c, &r.proof.u, &x);
	KM_ASSERT(!kmd_record_encode(&r, &b));
	emit(ctx, "record", b.data, b.len);
	km_buf_clear(&b);
}
