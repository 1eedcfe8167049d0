/* sim_memo.c: remembers what costly pure functions said. All peers of a run verify the same broadcasts, and every seed runs
 * twice: that is most of the cost of a swarm. Linked by --wrap; what is returned is always what the real function gave for the
 * same bytes. */
#include "sim_memo.h"

#include <stdlib.h>
#include <string.h>
#include "base/hash.h"
#include "base/sig.h"
#include "ec/point.h"
#include "sim_map.h"

/* Output of a call, behind its error. */
struct answer {
	int err;
	uint8_t out[];
};

static struct sim_map memo;
static struct answer **answers;
static size_t n_answers, cap_answers;

int __real_km_ed25519_verify(const uint8_t pub[32], const void *msg, size_t n, const uint8_t sig[KM_SIG_SIZE]);
int __wrap_km_ed25519_verify(const uint8_t pub[32], const void *msg, size_t n, const uint8_t sig[KM_SIG_SIZE]) KM_MUST;
void __real_km_ed25519_sign(const uint8_t pub[32], const uint8_t priv[32], const void *msg, size_t n, uint8_t sig[KM_SIG_SIZE]);
void __wrap_km_ed25519_sign(const uint8_t pub[32], const uint8_t priv[32], const void *msg, size_t n, uint8_t sig[KM_SIG_SIZE]);
void __real_km_point_mul_g(const struct km_curve *c, struct km_point *r, const struct km_secret *k);
void __wrap_km_point_mul_g(const struct km_curve *c, struct km_point *r, const struct km_secret *k);
void __real_km_point_mul(const struct km_curve *c, struct km_point *r, const struct km_secret *k, const struct km_point *p);
void __wrap_km_point_mul(const struct km_curve *c, struct km_point *r, const struct km_secret *k, const struct km_point *p);

void sim_memo_clear(void)
{
	for (size_t i = 0; i < n_answers; i++)
		free(answers[i]);
	free(answers);
	answers = NULL;
	n_answers = cap_answers = 0;
	sim_map_clear(&memo);
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

int __wrap_km_ed25519_verify(const uint8_t pub[32], const void *msg, size_t n, const uint8_t sig[KM_SIG_SIZE])
{
	struct km_hash h;
	int fresh;

	km_hash_init(&h, "memo/verify");
	km_hash_field(&h, pub, 32);
	km_hash_field(&h, msg, n);
	km_hash_field(&h, sig, KM_SIG_SIZE);
	struct answer *a = look_up(&h, 0, &fresh);
	if (fresh)
		a->err = __real_km_ed25519_verify(pub, msg, n, sig);
	return a->err;
}

void __wrap_km_ed25519_sign(const uint8_t pub[32], const uint8_t priv[32], const void *msg, size_t n, uint8_t sig[KM_SIG_SIZE])
{
	struct km_hash h;
	int fresh;

	km_hash_init(&h, "memo/sign");
	km_hash_field(&h, pub, 32);
	km_hash_field(&h, priv, 32);
	km_hash_field(&h, msg, n);
	struct answer *a = look_up(&h, KM_SIG_SIZE, &fresh);
	if (fresh)
		__real_km_ed25519_sign(pub, priv, msg, n, a->out);
	memcpy(sig, a->out, KM_SIG_SIZE);
}

void __wrap_km_point_mul_g(const struct km_curve *c, struct km_point *r, const struct km_secret *k)
{
	struct km_hash h;
	int fresh;

	km_hash_init(&h, "memo/mul_g");
	km_hash_u32(&h, km_curve_id(c));
	km_hash_field(&h, k, sizeof(*k));
	struct answer *a = look_up(&h, sizeof(*r), &fresh);
	if (fresh) {
		__real_km_point_mul_g(c, r, k);
		memcpy(a->out, r, sizeof(*r));
	}
	memcpy(r, a->out, sizeof(*r));
}

void __wrap_km_point_mul(const struct km_curve *c, struct km_point *r, const struct km_secret *k, const struct km_point *p)
{
	struct km_hash h;
	int fresh;

	km_hash_init(&h, "memo/mul");
	km_hash_u32(&h, km_curve_id(c));
	km_hash_field(&h, k, sizeof(*k));
	km_hash_field(&h, p, sizeof(*p));
	struct answer *a = look_up(&h, sizeof(*r), &fresh);
	if (fresh) {
		__real_km_point_mul(c, r, k, p);
		memcpy(a->out, r, sizeof(*r));
	}
	memcpy(r, a->out, sizeof(*r));
}
