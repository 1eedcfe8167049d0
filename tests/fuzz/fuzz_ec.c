/* Scalars, points and proofs from bytes. Input: kind | bytes. What is accepted must encode to the same bytes. */
#include "fuzz.h"
#include "ec/point.h"
#include "zk/dleq.h"

const char fuzz_name[] = "ec";
const unsigned fuzz_rounds = 3000;

enum { SCALAR, SECRET, POINT, UNCOMPRESSED, DLOG, DLEQ, KINDS };

static size_t size_of(const struct km_curve *c, unsigned kind)
{
	switch (kind) {
	case SCALAR:
	case SECRET:
		return km_curve_scalar_size(c);
	case POINT:
		return km_curve_point_size(c);
	case UNCOMPRESSED:
		return 1 + 2 * (km_curve_point_size(c) - 1);
	case DLOG:
		return km_dlog_size(c);
	default:
		return km_dleq_size(c);
	}
}

/* decode, then encode into out */
static int there_and_back(const struct km_curve *c, unsigned kind, const uint8_t *in, uint8_t *out)
{
	struct km_dlog_proof dlog;
	struct km_dleq_proof dleq;
	struct km_scalar s;
	struct km_secret k;
	struct km_point p;
	int err;

	switch (kind) {
	case SCALAR:
		err = km_scalar_decode(c, &s, in);
		if (!err)
			km_scalar_encode(c, out, &s);
		return err;
	case SECRET:
		err = km_secret_decode(c, &k, in);
		if (!err)
			km_secret_encode(c, out, &k);
		return err;
	case POINT:
		err = km_point_decode_var(c, &p, in);
		return err ? err : km_point_encode_var(c, out, &p);
	case UNCOMPRESSED:
		err = km_point_decode_uncompressed_var(c, &p, in);
		return err ? err : km_point_encode_uncompressed_var(c, out, &p);
	case DLOG:
		err = km_dlog_decode(c, &dlog, in);
		return err ? err : km_dlog_encode(c, out, &dlog);
	default:
		err = km_dleq_decode(c, &dleq, in);
		return err ? err : km_dleq_encode(c, out, &dleq);
	}
}

int fuzz_one(const uint8_t *data, size_t size)
{
	uint8_t out[2 * KM_POINT_MAX + KM_SCALAR_MAX];

	if (size < 2)
		return 0;
	const struct km_curve *c = km_curve_by_id(1 + data[0] % 3u);
	unsigned kind = data[1] % (unsigned)KINDS;
	if (!c || size - 2 != size_of(c, kind))
		return 0;
	int err = there_and_back(c, kind, data + 2, out);
	if (err) {
		KM_ASSERT(err == KM_E_ENCODING);
		return 0;
	}
	KM_ASSERT(memcmp(out, data + 2, size - 2) == 0);
	return 1;
}

static void one(fuzz_emit_fn *emit, void *ctx, const struct km_curve *c, unsigned kind, const char *name)
{
	uint8_t buf[2 + 2 * KM_POINT_MAX + KM_SCALAR_MAX] = { (uint8_t)(km_curve_id(c) - 1), (uint8_t)kind };
	uint8_t *p = buf + 2;
	struct km_scalar s;
	struct km_secret k;
	struct km_point g;
	char full[64];

	km_scalar_set_u32(&s, 0xdeadbeef);
	km_scalar_mul(c, &s, &s, &s);
	km_secret_from_public(&k, &s);
	km_point_mul_g(c, &g, &k);
	const struct km_dlog_proof dlog = { g, s };
	const struct km_dleq_proof dleq = { g, g, s };
	int err = KM_OK;
	if (kind == SCALAR || kind == SECRET)
		km_scalar_encode(c, p, &s);
	else if (kind == POINT)
		err = km_point_encode_var(c, p, &g);
	else if (kind == UNCOMPRESSED)
		err = km_point_encode_uncompressed_var(c, p, &g);
	else if (kind == DLOG)
		err = km_dlog_encode(c, p, &dlog);
	else
		err = km_dleq_encode(c, p, &dleq);
	KM_ASSERT(!err);
	strcpy(full, name);
	strcat(full, "-");
	strcat(full, km_curve_name(c));
	emit(ctx, full, buf, 2 + size_of(c, kind));
}

void fuzz_seeds(fuzz_emit_fn *emit, void *ctx)
{
	static const char *const names[KINDS] = { "scalar", "secret", "point", "uncompressed", "dlog", "dleq" };

	for (unsigned id = 1; id <= 3; id++)
		for (unsigned kind = 0; kind < KINDS; kind++)
			one(emit, ctx, km_curve_by_id(id), kind, names[kind]);
}
