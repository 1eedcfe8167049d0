/* ctime_zk.c: the witnesses of src/zk's proofs. */
#include "ctime.h"
#include "zk/dleq.h"
#include "zk/dlog.h"

/* A secret stream, as nonces are drawn from. */
static void secret_rng(struct km_rng *rng)
{
	uint8_t seed[KM_SEED_SIZE] = { 5 };

	ctime_taint(seed, sizeof(seed));
	km_rng_init(rng, seed, "witness", NULL, 0);
}

static void dlog(const struct km_curve *c)
{
	struct km_dlog_proof proof;
	struct km_secret x;
	struct km_point y;
	struct km_rng rng;
	struct km_hash h;

	secret_rng(&rng);
	ctime_secret(c, &x, 3);
	km_point_mul_g(c, &y, &x);
	km_point_declassify(&y);
	km_hash_init(&h, "test");
	/* a proof is public: its result may be looked at */
	if (km_dlog_prove(c, &proof, &x, &y, &h, &rng) || km_dlog_verify_var(c, &proof, &y, &h))
		ctime_fail();
	ctime_is_secret(&x, sizeof(x));
}

static void dlog_batch(const struct km_curve *c)
{
	enum { N = 4 };
	uint8_t enc[N * KM_POINT_MAX];
	struct km_dlog_proof proof;
	struct km_secret v[N];
	struct km_point p;
	struct km_rng rng;
	struct km_hash h;

	secret_rng(&rng);
	for (unsigned i = 0; i < N; i++) {
		ctime_secret(c, &v[i], 3);
		km_point_mul_g(c, &p, &v[i]);
		km_point_declassify(&p);
		if (km_point_encode_var(c, enc + i * km_curve_point_size(c), &p))
			ctime_fail();
	}
	km_hash_init(&h, "test");
	if (km_dlog_prove_batch(c, &proof, v, enc, N, &h, &rng) || km_scalar_is_zero(&proof.z))
		ctime_fail();
	ctime_is_secret(v, sizeof(v));
}

static void dleq(const struct km_curve *c)
{
	struct km_dleq_proof proof;
	struct km_secret x;
	struct km_point p, y, d;
	struct km_rng rng;
	struct km_hash h;

	secret_rng(&rng);
	ctime_secret(c, &x, 3);
	ctime_point(c, &p);
	km_point_mul_g(c, &y, &x);
	km_point_mul(c, &d, &x, &p);
	km_point_declassify(&y);
	km_point_declassify(&d);
	km_hash_init(&h, "test");
	if (km_dleq_prove(c, &proof, &x, &p, &y, &d, &h, &rng) || km_dleq_verify_var(c, &proof, &p, &y, &d, &h))
		ctime_fail();
	ctime_is_secret(&x, sizeof(x));
}

const struct ctime_case ctime_zk[] = {
	{ "km_dlog_prove", dlog, 1 },
	{ "km_dlog_prove_batch", dlog_batch, 1 },
	{ "km_dleq_prove", dleq, 1 },
	{ NULL, NULL, 0 },
};
