/* The public table of an epoch, as a peer gets it over the wire. */
#include "fuzz.h"
#include "tests/lib/dkg_help.h"

const char fuzz_name[] = "table";
const unsigned fuzz_rounds = 600;

int fuzz_one(const uint8_t *data, size_t size)
{
	struct km_table t;
	struct km_reader r;
	struct km_buf b;

	km_reader_init(&r, data, size);
	if (km_table_decode(&t, &r) != KM_OK || km_reader_end(&r) != KM_OK)
		return 0;
	/* one encoding per table */
	km_buf_init(&b);
	int err = km_table_encode(&t, &b);
	KM_ASSERT(!err && b.len == size && memcmp(b.data, data, size) == 0);
	km_buf_clear(&b);
	return 1;
}

static void one(fuzz_emit_fn *emit, void *ctx, const char *name, uint32_t set, unsigned threshold)
{
	struct km_share s;
	struct km_buf b;
	struct dkg d;

	dkg_init(&d, 1, set, threshold);
	dkg_run(&d, 0);
	int err = km_dkg_take(d.m[km_set_next(set, 0)], &s);
	km_buf_init(&b);
	if (!err)
		err = km_table_encode(&s.table, &b);
	KM_ASSERT(!err);
	emit(ctx, name, b.data, b.len);
	km_buf_clear(&b);
	km_share_wipe(&s);
	dkg_clear(&d);
}

void fuzz_seeds(fuzz_emit_fn *emit, void *ctx)
{
	one(emit, ctx, "2of2", 3, 2);
	one(emit, ctx, "3of5", 0x1f, 3);
	one(emit, ctx, "sparse", 0x80008001, 2);
}
