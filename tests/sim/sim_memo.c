/* sim_memo.c: remembers what costly pure functions said. All peers of a run verify the same broadcasts, and every seed runs
 * twice: that is most of the cost of a swarm. Linked by --wrap; what is returned is what the real function gave for the same bytes,
 * or, for a signature that was just made, what it must give (asked every now and then). */
#include "sim_memo.h"

#include <stdlib.h>
#include <string.h>
#include "base/hash.h"
#include "base/rng.h"
#include "base/sig.h"
#include "ec/msm.h"
#include "ec/mul_many.h"
#include "proto/ot_base.h"
#include "sim_alloc.h"
#include "sim_map.h"

#define ASK_AGAIN 64

/* Output of a call, behind its error. */
struct answer {
	int err;
	_Alignas(16) uint8_t out[];
};

static struct sim_map memo;
static struct answer **answers;
static size_t n_answers, cap_answers;
static int toy, forgetful, ideal;
static unsigned n_signed;

int __real_km_ed25519_verify(const uint8_t pub[32], const void *msg, size_t n, const uint8_t sig[KM_SIG_SIZE]);
int __wrap_km_ed25519_verify(const uint8_t pub[32], const void *msg, size_t n, const uint8_t sig[KM_SIG_SIZE]) KM_MUST;
void __real_km_ed25519_sign(const uint8_t pub[32], const uint8_t priv[32], const void *msg, size_t n, uint8_t sig[KM_SIG_SIZE]);
void __wrap_km_ed25519_sign(const uint8_t pub[32], const uint8_t priv[32], const void *msg, size_t n, uint8_t sig[KM_SIG_SIZE]);
int __real_km_ed25519_check_key(const uint8_t pub[32]);
int __wrap_km_ed25519_check_key(const uint8_t pub[32]) KM_MUST;
void __real_km_point_mul_g(const struct km_curve *c, struct km_point *r, const struct km_secret *k);
void __wrap_km_point_mul_g(const struct km_curve *c, struct km_point *r, const struct km_secret *k);
void __real_km_point_mul(const struct km_curve *c, struct km_point *r, const struct km_secret *k, const struct km_point *p);
void __wrap_km_point_mul(const struct km_curve *c, struct km_point *r, const struct km_secret *k, const struct km_point *p);
void __real_km_point_mul_many(const struct km_curve *c, struct km_point *r, const struct km_secret *k, size_t n,
			      const struct km_point *p);
void __wrap_km_point_mul_many(const struct km_curve *c, struct km_point *r, const struct km_secret *k, size_t n,
			      const struct km_point *p);
int __real_km_msm_check_var(const struct km_curve *c, struct km_msm *m);
int __wrap_km_msm_check_var(const struct km_curve *c, struct km_msm *m) KM_MUST;
int __real_km_msm_var(const struct km_curve *c, struct km_point *r, const struct km_scalar *k, const struct km_point *p, size_t n);
int __wrap_km_msm_var(const struct km_curve *c, struct km_point *r, const struct km_scalar *k, const struct km_point *p,
		      size_t n) KM_MUST;

int __real_km_ot_base_choose(const struct km_curve *c, const struct km_ot_pair *pair, const uint8_t delta[KM_OT_DELTA_SIZE],
			     struct km_secret *x, uint8_t *r_enc, struct km_rng *rng);
int __wrap_km_ot_base_choose(const struct km_curve *c, const struct km_ot_pair *pair, const uint8_t delta[KM_OT_DELTA_SIZE],
			     struct km_secret *x, uint8_t *r_enc, struct km_rng *rng) KM_MUST;
int __real_km_ot_base_keys_both(const struct km_curve *c, const struct km_ot_pair *pair, const struct km_secret *y,
				const uint8_t *a_enc, const uint8_t *r_enc, uint8_t (*keys)[2][KM_OT_KEY_SIZE]);
int __wrap_km_ot_base_keys_both(const struct km_curve *c, const struct km_ot_pair *pair, const struct km_secret *y,
				const uint8_t *a_enc, const uint8_t *r_enc, uint8_t (*keys)[2][KM_OT_KEY_SIZE]) KM_MUST;
int __real_km_ot_base_keys_chosen(const struct km_curve *c, const struct km_ot_pair *pair, const struct km_secret *x,
				  const uint8_t delta[KM_OT_DELTA_SIZE], const uint8_t *a_enc, const uint8_t *r_enc,
				  uint8_t (*keys)[KM_OT_KEY_SIZE]);
int __wrap_km_ot_base_keys_chosen(const struct km_curve *c, const struct km_ot_pair *pair, const struct km_secret *x,
				  const uint8_t delta[KM_OT_DELTA_SIZE], const uint8_t *a_enc, const uint8_t *r_enc,
				  uint8_t (*keys)[KM_OT_KEY_SIZE]) KM_MUST;

void sim_memo_clear(void)
{
	for (size_t i = 0; i < n_answers; i++)
		free(answers[i]);
	free(answers);
	answers = NULL;
	n_answers = cap_answers = 0;
	sim_map_clear(&memo);
}

void sim_memo_begin(int toy_signatures, int remember, int ideal_ot)
{
	sim_memo_clear();
	toy = toy_signatures;
	forgetful = !remember;
	ideal = ideal_ot;
}

/* The answer to the call that h names; *fresh: it is still to be filled in. */
static struct answer *look_up(struct km_hash *h, size_t size, int *fresh)
{
	uint8_t key[KM_HASH_SIZE];

	km_hash_final(h, key);
	uint64_t *at = sim_map_get(&memo, key, fresh);
	if (!*fresh)
		return answers[*at];
	if (n_answers == cap_answers) {
		cap_answers = cap_answers ? 2 * cap_answers : 1024;
		answers = realloc(answers, cap_answers * sizeof(struct answer *));
		KM_ASSERT(answers);
	}
	*at = n_answers;
	answers[n_answers] = calloc(1, sizeof(struct answer) + size);
	KM_ASSERT(answers[n_answers]);
	return answers[n_answers++];
}

/* ---- messages */

static void toy_signature(const uint8_t pub[32], const void *msg, size_t n, uint8_t sig[KM_SIG_SIZE])
{
	struct km_hash h;

	km_hash_init(&h, "sim/signature");
	km_hash_field(&h, pub, 32);
	km_hash_field(&h, msg, n);
	km_hash_final(&h, sig);
	memset(sig + KM_HASH_SIZE, 0x5a, KM_SIG_SIZE - KM_HASH_SIZE);
}

static struct answer *verdict(const uint8_t pub[32], const void *msg, size_t n, const uint8_t sig[KM_SIG_SIZE], int *fresh)
{
	struct km_hash h;

	km_hash_init(&h, "memo/verify");
	km_hash_field(&h, pub, 32);
	km_hash_field(&h, msg, n);
	km_hash_field(&h, sig, KM_SIG_SIZE);
	return look_up(&h, 0, fresh);
}

int __wrap_km_ed25519_verify(const uint8_t pub[32], const void *msg, size_t n, const uint8_t sig[KM_SIG_SIZE])
{
	uint8_t good[KM_SIG_SIZE];
	int fresh;

	if (toy) {
		toy_signature(pub, msg, n, good);
		return memcmp(good, sig, sizeof(good)) == 0 ? KM_OK : KM_E_VERIFY;
	}
	sim_alloc_pause();
	struct answer *a = verdict(pub, msg, n, sig, &fresh);
	if (fresh)
		a->err = __real_km_ed25519_verify(pub, msg, n, sig);
	sim_alloc_resume();
	return a->err;
}

void __wrap_km_ed25519_sign(const uint8_t pub[32], const uint8_t priv[32], const void *msg, size_t n, uint8_t sig[KM_SIG_SIZE])
{
	struct km_hash h;
	int fresh;

	if (toy) {
		toy_signature(pub, msg, n, sig);
		return;
	}
	sim_alloc_pause();
	km_hash_init(&h, "memo/sign");
	km_hash_field(&h, pub, 32);
	km_hash_field(&h, priv, 32);
	km_hash_field(&h, msg, n);
	struct answer *a = look_up(&h, KM_SIG_SIZE, &fresh);
	if (fresh) {
		__real_km_ed25519_sign(pub, priv, msg, n, a->out);
		int err = n_signed++ % ASK_AGAIN ? KM_OK : __real_km_ed25519_verify(pub, msg, n, a->out);
		KM_ASSERT(!err);
		verdict(pub, msg, n, a->out, &fresh)->err = KM_OK;
	}
	memcpy(sig, a->out, KM_SIG_SIZE);
	sim_alloc_resume();
}

/* Of every identity in every table that is read. */
int __wrap_km_ed25519_check_key(const uint8_t pub[32])
{
	struct km_hash h;
	int fresh;

	sim_alloc_pause();
	km_hash_init(&h, "memo/key");
	km_hash_field(&h, pub, 32);
	struct answer *a = look_up(&h, 0, &fresh);
	if (fresh)
		a->err = __real_km_ed25519_check_key(pub);
	sim_alloc_resume();
	return a->err;
}

/* ---- points */

static void start(struct km_hash *h, const char *what, const struct km_curve *c)
{
	sim_alloc_pause();
	km_hash_init(h, what);
	km_hash_u32(h, km_curve_id(c));
}

void __wrap_km_point_mul_g(const struct km_curve *c, struct km_point *r, const struct km_secret *k)
{
	struct km_hash h;
	int fresh;

	if (forgetful) {
		__real_km_point_mul_g(c, r, k);
		return;
	}
	start(&h, "memo/mul_g", c);
	km_hash_field(&h, k, sizeof(*k));
	struct answer *a = look_up(&h, sizeof(*r), &fresh);
	if (fresh) {
		__real_km_point_mul_g(c, r, k);
		memcpy(a->out, r, sizeof(*r));
	}
	memcpy(r, a->out, sizeof(*r));
	sim_alloc_resume();
}

void __wrap_km_point_mul(const struct km_curve *c, struct km_point *r, const struct km_secret *k, const struct km_point *p)
{
	struct km_hash h;
	int fresh;

	if (forgetful) {
		__real_km_point_mul(c, r, k, p);
		return;
	}
	start(&h, "memo/mul", c);
	km_hash_field(&h, k, sizeof(*k));
	km_hash_field(&h, p, sizeof(*p));
	struct answer *a = look_up(&h, sizeof(*r), &fresh);
	if (fresh) {
		__real_km_point_mul(c, r, k, p);
		memcpy(a->out, r, sizeof(*r));
	}
	memcpy(r, a->out, sizeof(*r));
	sim_alloc_resume();
}

void __wrap_km_point_mul_many(const struct km_curve *c, struct km_point *r, const struct km_secret *k, size_t n,
			      const struct km_point *p)
{
	struct km_hash h;
	int fresh;

	if (forgetful) {
		__real_km_point_mul_many(c, r, k, n, p);
		return;
	}
	start(&h, "memo/mul_many", c);
	km_hash_field(&h, k, n * sizeof(*k));
	km_hash_field(&h, p, sizeof(*p));
	struct answer *a = look_up(&h, n * sizeof(*r), &fresh);
	if (fresh) {
		__real_km_point_mul_many(c, r, k, n, p);
		memcpy(a->out, r, n * sizeof(*r));
	}
	memcpy(r, a->out, n * sizeof(*r));
	sim_alloc_resume();
}

/* Both sums: the check calls the other one inside its own file. */
int __wrap_km_msm_var(const struct km_curve *c, struct km_point *r, const struct km_scalar *k, const struct km_point *p, size_t n)
{
	struct km_hash h;
	int fresh;

	if (forgetful)
		return __real_km_msm_var(c, r, k, p, n);
	start(&h, "memo/msm", c);
	km_hash_field(&h, k, n * sizeof(*k));
	km_hash_field(&h, p, n * sizeof(*p));
	struct answer *a = look_up(&h, sizeof(*r), &fresh);
	if (fresh) {
		a->err = __real_km_msm_var(c, r, k, p, n);
		memcpy(a->out, r, sizeof(*r));
	}
	memcpy(r, a->out, sizeof(*r));
	sim_alloc_resume();
	return a->err;
}

int __wrap_km_msm_check_var(const struct km_curve *c, struct km_msm *m)
{
	struct km_hash h;
	int fresh;

	if (forgetful || m->err)
		return __real_km_msm_check_var(c, m);
	start(&h, "memo/check", c);
	km_hash_field(&h, m->k, m->n * sizeof(*m->k));
	km_hash_field(&h, m->p, m->n * sizeof(*m->p));
	km_hash_field(&h, &m->g, sizeof(m->g));
	struct answer *a = look_up(&h, 0, &fresh);
	if (fresh)
		a->err = __real_km_msm_check_var(c, m);
	sim_alloc_resume();
	return a->err;
}

/* ---- base OTs: hundreds of points each, most of the cost of a small run. The ideal ones give Alice the keys of her choice and Bob both,
 * and both ends other keys when anything of what was sent differs. */

static void start_pair(struct km_hash *h, const char *what, const struct km_curve *c, const struct km_ot_pair *pair)
{
	km_hash_init(h, what);
	km_hash_u32(h, km_curve_id(c));
	km_hash_field(h, pair->sid, KM_HASH_SIZE);
	km_hash_u8(h, pair->alice);
	km_hash_u8(h, pair->bob);
}

/* A key of a pair whose offer has been hashed already: `from` is copied, hundreds begin the same. */
static void ideal_key(const struct km_hash *from, const uint8_t *r_enc, size_t ps, unsigned e, uint8_t key[KM_OT_KEY_SIZE])
{
	struct km_hash h = *from;

	km_hash_field(&h, r_enc, 2 * ps);
	km_hash_u8(&h, (uint8_t)e);
	km_hash_final(&h, key);
}

static struct km_hash ideal_pair(const struct km_curve *c, const struct km_ot_pair *pair, const uint8_t *a_enc)
{
	struct km_hash h;

	start_pair(&h, "sim/ot", c, pair);
	km_hash_field(&h, a_enc, km_curve_point_size(c));
	return h;
}

/* The real choice, with the state of the stream behind it. */
struct choice {
	struct km_rng rng;
	struct km_secret x[KM_OT_KAPPA];
	uint8_t r_enc[];
};

static int choose(const struct km_curve *c, const struct km_ot_pair *pair, const uint8_t delta[KM_OT_DELTA_SIZE], struct km_secret *x,
		  uint8_t *r_enc, struct km_rng *rng)
{
	size_t enc = 2 * KM_OT_KAPPA * km_curve_point_size(c);
	struct km_hash h;
	int fresh;

	sim_alloc_pause();
	start_pair(&h, "memo/ot-choose", c, pair);
	km_hash_field(&h, delta, KM_OT_DELTA_SIZE);
	km_hash_field(&h, rng, sizeof(*rng));
	struct answer *a = look_up(&h, sizeof(struct choice) + enc, &fresh);
	struct choice *ch = (struct choice *)(void *)a->out;
	if (fresh) {
		a->err = __real_km_ot_base_choose(c, pair, delta, x, r_enc, rng);
		ch->rng = *rng;
		memcpy(ch->x, x, sizeof(ch->x));
		memcpy(ch->r_enc, r_enc, enc);
	} else {
		*rng = ch->rng;
		memcpy(x, ch->x, sizeof(ch->x));
		memcpy(r_enc, ch->r_enc, enc);
	}
	sim_alloc_resume();
	return a->err;
}

int __wrap_km_ot_base_choose(const struct km_curve *c, const struct km_ot_pair *pair, const uint8_t delta[KM_OT_DELTA_SIZE],
			     struct km_secret *x, uint8_t *r_enc, struct km_rng *rng)
{
	size_t ps = km_curve_point_size(c);

	if (!ideal)
		return choose(c, pair, delta, x, r_enc, rng);
	km_rng_bytes(rng, r_enc, 2 * KM_OT_KAPPA * ps);
	for (unsigned i = 0; i < 2 * KM_OT_KAPPA; i++)
		r_enc[i * ps] = 2;
	memset(x, 0, KM_OT_KAPPA * sizeof(*x));
	return KM_OK;
}

int __wrap_km_ot_base_keys_both(const struct km_curve *c, const struct km_ot_pair *pair, const struct km_secret *y,
				const uint8_t *a_enc, const uint8_t *r_enc, uint8_t (*keys)[2][KM_OT_KEY_SIZE])
{
	size_t ps = km_curve_point_size(c), size = 2 * KM_OT_KAPPA * KM_OT_KEY_SIZE;
	struct km_hash h;
	int fresh;

	if (ideal) {
		h = ideal_pair(c, pair, a_enc);
		for (unsigned p = 0; p < KM_OT_KAPPA; p++, r_enc += 2 * ps) {
			if (r_enc[0] != 2 || r_enc[ps] != 2)
				return KM_E_ENCODING;
			ideal_key(&h, r_enc, ps, 0, keys[p][0]);
			ideal_key(&h, r_enc, ps, 1, keys[p][1]);
		}
		return KM_OK;
	}
	sim_alloc_pause();
	start_pair(&h, "memo/ot-both", c, pair);
	km_hash_field(&h, y, sizeof(*y));
	km_hash_field(&h, a_enc, ps);
	km_hash_field(&h, r_enc, 2 * KM_OT_KAPPA * ps);
	struct answer *a = look_up(&h, size, &fresh);
	if (fresh) {
		a->err = __real_km_ot_base_keys_both(c, pair, y, a_enc, r_enc, keys);
		memcpy(a->out, keys, size);
	}
	memcpy(keys, a->out, size);
	sim_alloc_resume();
	return a->err;
}

int __wrap_km_ot_base_keys_chosen(const struct km_curve *c, const struct km_ot_pair *pair, const struct km_secret *x,
				  const uint8_t delta[KM_OT_DELTA_SIZE], const uint8_t *a_enc, const uint8_t *r_enc,
				  uint8_t (*keys)[KM_OT_KEY_SIZE])
{
	size_t ps = km_curve_point_size(c), size = KM_OT_KAPPA * KM_OT_KEY_SIZE;
	struct km_hash h;
	int fresh;

	if (ideal) {
		h = ideal_pair(c, pair, a_enc);
		for (unsigned p = 0; p < KM_OT_KAPPA; p++, r_enc += 2 * ps)
			ideal_key(&h, r_enc, ps, km_ot_bit(delta, p), keys[p]);
		return a_enc[0] == 2 || a_enc[0] == 3 ? KM_OK : KM_E_ENCODING;
	}
	sim_alloc_pause();
	start_pair(&h, "memo/ot-chosen", c, pair);
	km_hash_field(&h, x, KM_OT_KAPPA * sizeof(*x));
	km_hash_field(&h, delta, KM_OT_DELTA_SIZE);
	km_hash_field(&h, a_enc, ps);
	km_hash_field(&h, r_enc, 2 * KM_OT_KAPPA * ps);
	struct answer *a = look_up(&h, size, &fresh);
	if (fresh) {
		a->err = __real_km_ot_base_keys_chosen(c, pair, x, delta, a_enc, r_enc, keys);
		memcpy(a->out, keys, size);
	}
	memcpy(keys, a->out, size);
	sim_alloc_resume();
	return a->err;
}
