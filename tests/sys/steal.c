/* steal.c: what the shares of stolen state directories give, for tests: never for real keys.
 *
 *	steal DIR...        DIRs as made by keymesh init, with their sealing keys; their daemons must be stopped
 *
 * Interpolates at 0 every set of the shares of each epoch, of each size, and compares with the public key. Prints "key NAME: N sets of M shares,
 * the key: found" or "not found"; exit 0 when some key was found, 1 when none was, 2 for errors. */
#include "config.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/secret.h"
#include "ec/curve.h"
#include "ec/shamir.h"
#include "mesh/files.h"
#include "mesh/store.h"
#include "proto/table.h"

#define MAX 64

static struct km_share *share[MAX];
static unsigned n_shares;

static void die(const char *what, const char *why)
{
	fprintf(stderr, "steal: %s: %s\n", what, why);
	exit(2);
}

static int each(void *ctx, const char *name, const uint8_t *data, size_t len, struct kmd_fail *f)
{
	const char *end = strrchr(name, '.');
	int err;

	if (!end || strcmp(end, ".share"))
		return KM_OK;
	if (n_shares == MAX || !(share[n_shares] = km_secret_alloc(sizeof(**share))))
		return kmd_fail(f, KM_E_LIMIT, "too many shares");
	err = km_share_decode(share[n_shares++], data, len);
	return err ? kmd_fail(f, err, "%s: %s", name, km_strerror(err)) : KM_OK;
}

static void take(const char *dir)
{
	struct kmd_store *store;
	struct kmd_fail f;
	char path[4096];
	uint8_t *text, key[32];
	size_t len;

	snprintf(path, sizeof(path), "%s/seal.key", dir);
	if (kmd_file_read(path, 0, 256, &text, &len, &f) || kmd_hex_decode(key, 32, (char *)text, len < 64 ? len : 64))
		die(path, "no sealing key");
	km_secret_free(text);
	snprintf(path, sizeof(path), "%s/state", dir);
	if (kmd_store_open_reader(&store, path, key, &f) || kmd_store_each(store, each, NULL, &f))
		die(path, f.text);
	kmd_store_close(store);
}

/* x = sum of lambda_i x_i over the set; is it the key's? */
static int is_key(const unsigned *of, unsigned n, uint32_t pick)
{
	const struct km_table *t = &share[of[0]]->table;
	struct km_secret x, y;
	struct km_scalar lambda;
	struct km_point p;
	uint32_t ids = 0;
	int first = 1;

	for (unsigned i = 0; i < n; i++)
		if (pick >> i & 1)
			ids |= 1u << (share[of[i]]->self - 1);
	for (unsigned i = 0; i < n; i++) {
		if (!(pick >> i & 1))
			continue;
		km_shamir_lagrange(t->curve, &lambda, ids, share[of[i]]->self, 0);
		km_secret_mul_pub(t->curve, &y, &share[of[i]]->x_i, &lambda);
		if (first)
			x = y;
		else
			km_secret_add(t->curve, &x, &x, &y);
		first = 0;
	}
	km_point_mul_g(t->curve, &p, &x);
	return km_point_equal_var(t->curve, &p, &t->x);
}

int main(int argc, char **argv)
{
	int found_any = 0;

	for (int i = 1; i < argc; i++)
		take(argv[i]);
	for (unsigned i = 0; i < n_shares; i++) {
		unsigned of[MAX], n = 0, sets = 0, found = 0, seen = 0;

		for (unsigned j = 0; j < n_shares; j++) {
			if (memcmp(share[j]->table.hash, share[i]->table.hash, KM_HASH_SIZE))
				continue;
			seen |= j < i;
			of[n++] = j;
		}
		if (seen || n > 16)
			continue;
		for (uint32_t pick = 1; pick < 1u << n; pick++, sets++)
			found += (unsigned)is_key(of, n, pick);
		printf("key %s: %u sets of %u shares, the key: %sfound\n", share[i]->table.name, sets, n, found ? "" : "not ");
		found_any |= found != 0;
	}
	return !n_shares ? 2 : !found_any;
}
