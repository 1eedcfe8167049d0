/* A peer's stored share, as it comes out of sealed storage. */
#include "fuzz.h"
#include "tests/lib/dkg_help.h"

const char fuzz_name[] = "share";
const unsigned fuzz_rounds = 600;

int fuzz_one(const uint8_t *data, size_t size)
{
	struct km_share s;
	struct km_buf b;

	if (km_share_decode(&s, data, size) != KM_OK)
		return 0;
	km_buf_init(&b);
	int err = km_share_encode(&s, &b);
	KM_ASSERT(!err && b.len == size && memcmp(b.data, data, size) == 0);
	KM_ASSERT(size <= KM_SHARE_ENC_MAX);
	km_buf_clear(&b);
	km_share_wipe(&s);
	return 1;
}

void fuzz_seeds(fuzz_emit_fn *emit, void *ctx)
{
	struct km_share s;
	struct km_buf b;
	struct dkg d;

	dkg_init(&d, 2, 7, 2);
	dkg_run(&d, 0);
	emit(ctx, "candidate", dkg_party(&d, 1)->persisted, dkg_party(&d, 1)->persisted_len);
	int err = km_dkg_take(d.m[3], &s);
	KM_ASSERT(!err);
	km_buf_init(&b);
	err = km_share_encode(&s, &b);
	KM_ASSERT(!err);
	emit(ctx, "usable", b.data, b.len);
	s.stored_len = 0;
	km_buf_reset(&b);
	err = km_share_encode(&s, &b);
	KM_ASSERT(!err);
	emit(ctx, "no-stored", b.data, b.len);
	km_buf_clear(&b);
	km_share_wipe(&s);
	dkg_clear(&d);
}
