/* record.c: see record.h. */
#include "config.h"
#include "mesh/record.h"

#include <string.h>
#include "base/secret.h"
#include "mesh/files.h"

#define RECORD_VERSION 1

static const uint8_t magic[5] = {'K', 'M', 'R', 'E', 'C'};

static void put_head(struct km_buf *b, const struct kmd_record *r)
{
	km_put_bytes(b, magic, sizeof(magic));
	km_put_u16(b, RECORD_VERSION);
	km_put_u8(b, r->kind);
	km_put_u8(b, r->peer);
	km_put_u8(b, r->curve);
	km_put_u64(b, r->number);
	km_put_u64(b, r->at_ms);
	km_put_u64(b, r->backup_ms);
	km_put_bytes(b, r->key_id, KM_HASH_SIZE);
	km_put_bytes(b, r->table, KM_HASH_SIZE);
	km_put_bytes(b, r->file, KM_HASH_SIZE);
}

static int statement(struct km_hash *h, const struct kmd_record *r)
{
	uint8_t mem[KMD_RECORD_HEAD];
	struct km_buf b;

	km_buf_init_fixed(&b, mem, sizeof(mem));
	put_head(&b, r);
	km_hash_init(h, "recovery-record");
	km_hash_field(h, b.data, b.len);
	return b.err;
}

int kmd_record_prove(struct kmd_record *r, const struct km_share *share)
{
	const struct km_table *t = &share->table;
	uint8_t seed[KM_SEED_SIZE];
	struct km_rng rng;
	struct km_hash h;
	int err;

	r->peer = share->self;
	r->curve = (uint8_t)km_curve_id(t->curve);
	r->number = t->number;
	memcpy(r->key_id, t->key_id, KM_HASH_SIZE);
	memcpy(r->table, t->hash, KM_HASH_SIZE);
	err = statement(&h, r);
	if (err)
		return err;
	kmd_random(seed, sizeof(seed));
	km_rng_init(&rng, seed, "recovery-record", NULL, 0);
	err = km_dlog_prove(t->curve, &r->proof, &share->x_i, &t->xi[share->self], &h, &rng);
	km_rng_clear(&rng);
	km_wipe(seed, sizeof(seed));
	return err;
}

int kmd_record_check(const struct kmd_record *r, const struct km_table *t)
{
	struct km_hash h;
	int err;

	if (memcmp(r->table, t->hash, KM_HASH_SIZE) || memcmp(r->key_id, t->key_id, KM_HASH_SIZE) || r->number != t->number ||
	    r->curve != km_curve_id(t->curve) || r->peer < 1 || r->peer > KM_MAX_PEERS || !(t->members >> (r->peer - 1) & 1))
		return KM_E_MISMATCH;
	err = statement(&h, r);
	return err ? err : km_dlog_verify_var(t->curve, &r->proof, &t->xi[r->peer], &h);
}

int kmd_record_encode(const struct kmd_record *r, struct km_buf *out)
{
	const struct km_curve *c = km_curve_by_id(r->curve);
	uint8_t *room;

	put_head(out, r);
	room = c ? km_put_room(out, km_dlog_size(c)) : NULL;
	if (!room)
		return c ? out->err : KM_E_INVAL;
	return km_dlog_encode(c, room, &r->proof);
}

int kmd_record_decode(struct kmd_record *r, const uint8_t *p, size_t n)
{
	const struct km_curve *c;
	struct km_reader in;
	const uint8_t *proof;
	int err = KM_OK;

	memset(r, 0, sizeof(*r));
	km_reader_init(&in, p, n);
	proof = km_get_ref(&in, sizeof(magic));
	if (!proof || memcmp(proof, magic, sizeof(magic)))
		return KM_E_ENCODING;
	if (km_get_u16(&in) != RECORD_VERSION)
		return in.err ? in.err : KM_E_VERSION;
	r->kind = km_get_u8(&in);
	r->peer = km_get_u8(&in);
	r->curve = km_get_u8(&in);
	r->number = km_get_u64(&in);
	r->at_ms = km_get_u64(&in);
	r->backup_ms = km_get_u64(&in);
	km_get_bytes(&in, r->key_id, KM_HASH_SIZE);
	km_get_bytes(&in, r->table, KM_HASH_SIZE);
	km_get_bytes(&in, r->file, KM_HASH_SIZE);
	c = km_curve_by_id(r->curve);
	if (!in.err && (!c || !kmd_record_kind(r->kind) || r->peer < 1 || r->peer > KM_MAX_PEERS))
		err = KM_E_RANGE;
	proof = err || in.err ? NULL : km_get_ref(&in, km_dlog_size(c));
	if (!err)
		err = km_reader_end(&in);
	if (!err)
		err = km_dlog_decode(c, &r->proof, proof);
	if (err)
		memset(r, 0, sizeof(*r));
	return err;
}

const char *kmd_record_kind(unsigned kind)
{
	return kind == KMD_RECORD_BACKUP ? "backup" : kind == KMD_RECORD_DRILL ? "drill" : NULL;
}
