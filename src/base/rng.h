/* rng.h: deterministic randomness. Everything random in the core expands from a 32-byte seed by ChaCha20
 * (key = H("rng/<label>", seed, fields), nonce 0): the simulator and blame by replay depend on it. */
#ifndef KM_BASE_RNG_H
#define KM_BASE_RNG_H

#include <stddef.h>
#include <stdint.h>
#include <nettle/chacha.h>
#include "limits.h"

struct km_rng {
	struct chacha_ctx chacha;
	uint8_t block[64];
	unsigned used;   /* bytes of block already given out */
};

/* label names the stream; context bytes (may be NULL, 0) are bound in. Same arguments, same stream. */
void km_rng_init(struct km_rng *r, const uint8_t seed[KM_SEED_SIZE], const char *label, const void *context, size_t len);
void km_rng_bytes(struct km_rng *r, void *out, size_t n);
uint64_t km_rng_u64(struct km_rng *r);
/* Uniform in 0..n-1, n > 0, by rejection (public use only). */
uint64_t km_rng_below(struct km_rng *r, uint64_t n);
void km_rng_clear(struct km_rng *r);
/* nettle_random_func over a struct km_rng. */
void km_rng_nettle(void *rng, size_t n, uint8_t *out);

#endif
