/* auth.c: request authenticators. WHY one per signer and not a signature: every signer must see for itself that an authorised
 * frontend asked for exactly this, at the price of one hash and not of one curve multiplication. */
#include "config.h"
#include "node/wire.h"

#include <string.h>
#include "base/hash.h"
#include "base/rules.h"
#include "base/secret.h"
#include "base/sig.h"

int km_auth_key(const uint8_t own_priv[32], const uint8_t their_pub[32], uint16_t frontend, uint8_t peer, uint8_t key[32])
{
	const uint8_t ids[3] = { (uint8_t)(frontend >> 8), (uint8_t)frontend, peer };
	uint8_t shared[32];
	int err;

	memset(key, 0, 32);
	err = km_x25519(own_priv, their_pub, shared);
	if (!err)
		km_kdf(shared, sizeof(shared), "request-auth", ids, sizeof(ids), key, 32);
	km_wipe(shared, sizeof(shared));
	return err;
}

void km_auth_mac(const uint8_t key[32], const uint8_t request_id[KM_HASH_SIZE], uint8_t peer, uint8_t mac[KM_MAC_SIZE])
{
	uint8_t said[KM_HASH_SIZE + 1];

	memcpy(said, request_id, KM_HASH_SIZE);
	said[KM_HASH_SIZE] = peer;
	km_hmac_sha256(key, 32, said, sizeof(said), mac);
}

int km_auth_check(const uint8_t key[32], const uint8_t request_id[KM_HASH_SIZE], uint8_t peer, const uint8_t mac[KM_MAC_SIZE])
{
	uint8_t want[KM_MAC_SIZE];
	int equal;

	km_auth_mac(key, request_id, peer, want);
	equal = km_equal_ct(want, mac, sizeof(want));
	km_wipe(want, sizeof(want));
	return KM_RULE(km_rule_authenticator) && !equal ? KM_E_AUTH : KM_OK;
}
