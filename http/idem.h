/* idem.h: signatures kept for requests that are asked again with the same Idempotency-Key.
 *
 * A fixed table, one place for each hash: who is pushed out by another gets a fresh signature, which is as good. Kept ten minutes,
 * in memory only. */
#ifndef KMH_IDEM_H
#define KMH_IDEM_H

#include "http/http.h"

/* key: hash over client and Idempotency-Key; request: hash over all that decides what is signed.
 * KM_OK and the signature; KM_E_NOTFOUND; KM_E_MISMATCH: the key was used for another request. */
int kmh_idem_find(const uint8_t key[KM_HASH_SIZE], const uint8_t request[KM_HASH_SIZE], uint64_t now_us, struct km_rpc_signature *sig) KM_MUST;
void kmh_idem_keep(const uint8_t key[KM_HASH_SIZE], const uint8_t request[KM_HASH_SIZE], uint64_t now_us, const struct km_rpc_signature *sig);
void kmh_idem_end(void);

#endif
