/* idem.c: answers kept for requests that are asked again with the same Idempotency-Key: see idem.h. */
#include "config.h"
#include "http/idem.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define SLOTS 8192u
#define KEEP_US (600u * 1000000u)

struct entry {
	uint8_t key[KM_HASH_SIZE], request[KM_HASH_SIZE];
	uint64_t at_us;
	int used;
	struct km_rpc_signature sig;
};

static struct entry *table;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static struct entry *slot(const uint8_t key[KM_HASH_SIZE])
{
	if (!table)
		table = calloc(SLOTS, sizeof(*table));
	return table ? &table[(key[0] | key[1] << 8) % SLOTS] : NULL;
}

int kmh_idem_find(const uint8_t key[KM_HASH_SIZE], const uint8_t request[KM_HASH_SIZE], uint64_t now_us, struct km_rpc_signature *sig)
{
	int ret = KM_E_NOTFOUND;
	struct entry *e;

	pthread_mutex_lock(&lock);
	e = slot(key);
	if (e && e->used && now_us - e->at_us < KEEP_US && !memcmp(e->key, key, KM_HASH_SIZE)) {
		ret = memcmp(e->request, request, KM_HASH_SIZE) ? KM_E_MISMATCH : KM_OK;
		if (!ret)
			*sig = e->sig;
	}
	pthread_mutex_unlock(&lock);
	return ret;
}

void kmh_idem_keep(const uint8_t key[KM_HASH_SIZE], const uint8_t request[KM_HASH_SIZE], uint64_t now_us, const struct km_rpc_signature *sig)
{
	struct entry *e;

	pthread_mutex_lock(&lock);
	e = slot(key);
	if (e) {
		memcpy(e->key, key, KM_HASH_SIZE);
		memcpy(e->request, request, KM_HASH_SIZE);
		e->at_us = now_us;
		e->sig = *sig;
		e->used = 1;
	}
	pthread_mutex_unlock(&lock);
}

void kmh_idem_end(void)
{
	free(table);
	table = NULL;
}
