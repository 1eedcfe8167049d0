/* table.c: the public table of an epoch and a peer's stored share: canonical bytes and the checks of who reads them.
 *
 *	table: version u8 | name_len u8 | name | number u64 | sid 32 | curve u8 | T u8 | members u32 | X | (idkey 32 | X_i) by id
 *	share: version u8 | self u8 | usable u8 | u32 len | table | x_i | u32 len | STORED envelope */
#include "table.h"

#include <string.h>
#include "../base/hash.h"
#include "../base/rules.h"
#include "../base/secret.h"
#include "../base/sig.h"
#include "../ec/msm.h"

#define TABLE_VERSION 1
#define SHARE_VERSION 1
#define TABLE_MAX                                                                                                                \
	(1 + 1 + KM_MAX_NAME + 8 + KM_HASH_SIZE + 1 + 1 + 4 + KM_POINT_MAX + KM_MAX_PEERS * (KM_IDKEY_SIZE + KM_POINT_MAX))

_Static_assert(3 + 4 + TABLE_MAX + KM_SCALAR_MAX + 4 + KM_STORED_MAX <= KM_SHARE_ENC_MAX, "a share fits its bound");

int km_name_valid(const char *name, size_t len)
{
	if (len < 1 || len > KM_MAX_NAME)
		return 0;
	for (size_t i = 0; i < len; i++) {
		char c = name[i];
		int word = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');

		if (!word && (i == 0 || (c != '.' && c != '_' && c != '-')))
			return 0;
	}
	return 1;
}

void km_key_id(const struct km_curve *c, const struct km_point *x, uint8_t out[KM_HASH_SIZE])
{
	uint8_t enc[KM_POINT_MAX];
	struct km_hash h;

	/* the identity has no encoding and no key: it hashes as zeros, which are no point */
	if (km_point_encode_var(c, enc, x) != KM_OK)
		memset(enc, 0, sizeof(enc));
	km_hash_init(&h, "key");
	km_hash_u8(&h, (uint8_t)km_curve_id(c));
	km_hash_field(&h, enc, km_curve_point_size(c));
	km_hash_final(&h, out);
}

static void put_point(struct km_buf *b, const struct km_curve *c, const struct km_point *p)
{
	uint8_t enc[KM_POINT_MAX];
	int err = km_point_encode_var(c, enc, p);

	if (err && !b->err)
		b->err = err;
	km_put_bytes(b, enc, km_curve_point_size(c));
}

static void get_point(struct km_reader *r, const struct km_curve *c, struct km_point *p)
{
	const uint8_t *enc = km_get_ref(r, km_curve_point_size(c));

	memset(p, 0, sizeof(*p));
	if (!enc)
		return;
	int err = km_point_decode_var(c, p, enc);
	if (err)
		km_reader_fail(r, err);
}

/* What needs no arithmetic. WHY distinct identities: one signer behind two ids would hold two shares of T. */
static int check_fields(const struct km_table *t)
{
	size_t len = strnlen(t->name, sizeof(t->name));

	if (!t->curve || !km_name_valid(t->name, len))
		return KM_E_RANGE;
	if (t->threshold < KM_MIN_THRESHOLD || t->threshold > km_set_size(t->members))
		return KM_E_RANGE;
	for (unsigned i = km_set_next(t->members, 0); i; i = km_set_next(t->members, i)) {
		if (km_ed25519_check_key(t->idkeys[i]) != KM_OK)
			return KM_E_ENCODING;
		for (unsigned j = km_set_next(t->members, i); j; j = km_set_next(t->members, j))
			if (KM_RULE(km_rule_distinct_ids) && memcmp(t->idkeys[i], t->idkeys[j], KM_IDKEY_SIZE) == 0)
				return KM_E_EXISTS;
	}
	return KM_OK;
}

/* The first T members in ascending order. */
static uint32_t first_members(const struct km_table *t)
{
	uint32_t set = 0;
	unsigned n = 0;

	for (unsigned i = km_set_next(t->members, 0); i && n < t->threshold; i = km_set_next(t->members, i), n++)
		set |= km_set_bit(i);
	return set;
}

/* Is the point at x0 (0: X) the value of the polynomial through the first T members' X_i? */
static int check_point(const struct km_table *t, uint32_t base, unsigned x0, const struct km_point *want)
{
	struct km_scalar lambda[KM_MAX_PEERS];
	struct km_point p[KM_MAX_PEERS], sum;
	unsigned n = 0;

	km_shamir_lagrange_all(t->curve, lambda, base, x0);
	for (unsigned i = km_set_next(base, 0); i; i = km_set_next(base, i))
		p[n++] = t->xi[i];
	int err = km_msm_var(t->curve, &sum, lambda, p, n);
	if (err)
		return err;
	return km_point_equal_var(t->curve, &sum, want) ? KM_OK : KM_E_VERIFY;
}

/* WHY: a table whose X_i do not interpolate to X would make quorums that can never sign, and blame honest signers for it. */
static int check_degree(const struct km_table *t)
{
	uint32_t base = first_members(t);
	int err = check_point(t, base, 0, &t->x);

	for (unsigned i = km_set_next(t->members, 0); !err && i; i = km_set_next(t->members, i))
		if (!km_set_has(base, i))
			err = check_point(t, base, i, &t->xi[i]);
	return err;
}

int km_table_encode(const struct km_table *t, struct km_buf *out)
{
	size_t len = strnlen(t->name, sizeof(t->name));
	int err = check_fields(t);

	if (err)
		return err;
	km_put_u8(out, TABLE_VERSION);
	km_put_u8(out, (uint8_t)len);
	km_put_bytes(out, t->name, len);
	km_put_u64(out, t->number);
	km_put_bytes(out, t->sid, KM_HASH_SIZE);
	km_put_u8(out, (uint8_t)km_curve_id(t->curve));
	km_put_u8(out, (uint8_t)t->threshold);
	km_put_u32(out, t->members);
	put_point(out, t->curve, &t->x);
	for (unsigned i = km_set_next(t->members, 0); i; i = km_set_next(t->members, i)) {
		km_put_bytes(out, t->idkeys[i], KM_IDKEY_SIZE);
		put_point(out, t->curve, &t->xi[i]);
	}
	return out->err;
}

int km_table_finish(struct km_table *t)
{
	uint8_t mem[TABLE_MAX];
	struct km_buf b;
	struct km_hash h;

	km_buf_init_fixed(&b, mem, sizeof(mem));
	int err = km_table_encode(t, &b);
	if (err) {
		memset(t->hash, 0, sizeof(t->hash));
		memset(t->key_id, 0, sizeof(t->key_id));
		return err;
	}
	km_key_id(t->curve, &t->x, t->key_id);
	km_hash_init(&h, "table");
	km_hash_field(&h, b.data, b.len);
	km_hash_final(&h, t->hash);
	return KM_OK;
}

static int read_table(struct km_table *t, struct km_reader *r)
{
	if (km_get_u8(r) != TABLE_VERSION)
		return r->err ? r->err : KM_E_VERSION;
	size_t len = km_get_u8(r);
	if (len > KM_MAX_NAME)
		return KM_E_LIMIT;
	km_get_bytes(r, t->name, len);
	/* WHY: a NUL inside would give one name two encodings */
	if (!r->err && strnlen(t->name, len) != len)
		return KM_E_ENCODING;
	t->number = km_get_u64(r);
	km_get_bytes(r, t->sid, sizeof(t->sid));
	t->curve = km_curve_by_id(km_get_u8(r));
	t->threshold = km_get_u8(r);
	t->members = km_get_u32(r);
	if (r->err)
		return r->err;
	if (!t->curve)
		return KM_E_RANGE;
	get_point(r, t->curve, &t->x);
	for (unsigned i = km_set_next(t->members, 0); i && !r->err; i = km_set_next(t->members, i)) {
		km_get_bytes(r, t->idkeys[i], KM_IDKEY_SIZE);
		get_point(r, t->curve, &t->xi[i]);
	}
	return r->err;
}

int km_table_decode(struct km_table *t, struct km_reader *r)
{
	memset(t, 0, sizeof(*t));
	int err = read_table(t, r);
	if (!err)
		err = check_fields(t);
	if (!err)
		err = check_degree(t);
	if (!err)
		err = km_table_finish(t);
	if (err)
		memset(t, 0, sizeof(*t));
	return err;
}

/* ---- shares */

int km_share_encode(const struct km_share *s, struct km_buf *out)
{
	uint8_t mem[TABLE_MAX], x[KM_SCALAR_MAX];
	const struct km_table *t = &s->table;
	struct km_buf b;

	km_buf_init_fixed(&b, mem, sizeof(mem));
	int err = km_table_encode(t, &b);
	if (err)
		return err;
	if (!km_set_has(t->members, s->self) || s->stored_len > sizeof(s->stored))
		return KM_E_INVAL;
	km_put_u8(out, SHARE_VERSION);
	km_put_u8(out, s->self);
	km_put_u8(out, s->usable ? 1 : 0);
	km_put_lbytes(out, b.data, b.len);
	km_secret_encode(t->curve, x, &s->x_i);
	km_put_bytes(out, x, km_curve_scalar_size(t->curve));
	km_wipe(x, sizeof(x));
	km_put_lbytes(out, s->stored, s->stored_len);
	return out->err;
}

/* x_i G = X_i: a share that does not fit its table would make every signature it joins fail. */
static int check_share(const struct km_share *s)
{
	struct km_point y;

	km_point_mul_g(s->table.curve, &y, &s->x_i);
	/* X_i is public, and a correct share gives just that */
	km_point_declassify(&y);
	return km_point_equal_var(s->table.curve, &y, &s->table.xi[s->self]) ? KM_OK : KM_E_MISMATCH;
}

static int read_share(struct km_share *s, struct km_reader *r)
{
	struct km_reader tr;
	size_t len = 0;

	if (km_get_u8(r) != SHARE_VERSION)
		return r->err ? r->err : KM_E_VERSION;
	s->self = km_get_u8(r);
	uint8_t usable = km_get_u8(r);
	if (usable > 1)
		return KM_E_ENCODING;
	s->usable = usable;
	const uint8_t *p = km_get_lref(r, &len, TABLE_MAX);
	if (!p)
		return r->err ? r->err : KM_E_TRUNCATED;
	km_reader_init(&tr, p, len);
	int err = km_table_decode(&s->table, &tr);
	if (!err)
		err = km_reader_end(&tr);
	if (err)
		return err;
	if (!km_set_has(s->table.members, s->self))
		return KM_E_RANGE;
	p = km_get_ref(r, km_curve_scalar_size(s->table.curve));
	if (!p)
		return r->err;
	err = km_secret_decode(s->table.curve, &s->x_i, p);
	if (err)
		return err;
	p = km_get_lref(r, &len, sizeof(s->stored));
	if (p && len) {
		memcpy(s->stored, p, len);
		s->stored_len = len;
	}
	return km_reader_end(r);
}

int km_share_decode(struct km_share *s, const uint8_t *p, size_t n)
{
	struct km_reader r;

	memset(s, 0, sizeof(*s));
	km_reader_init(&r, p, n);
	int err = read_share(s, &r);
	if (!err)
		err = check_share(s);
	if (err)
		km_share_wipe(s);
	return err;
}

void km_share_wipe(struct km_share *s)
{
	km_wipe(s, sizeof(*s));
}
