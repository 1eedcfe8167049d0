/* show_secrets.c: what a state directory hides, for tests that look for it elsewhere. Prints secrets: never for real keys.
 *
 *	show_secrets DIR        DIR as made by keymesh init; its daemon must be stopped
 *
 * Prints a line NAME HEX for each: share (one for every key), sealing-key, ed25519, x25519. */
#include "config.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/secret.h"
#include "ec/curve.h"
#include "ec/scalar.h"
#include "mesh/files.h"
#include "mesh/identity.h"
#include "mesh/store.h"
#include "proto/table.h"

static void die(const struct kmd_fail *f)
{
	fprintf(stderr, "show_secrets: %s\n", f->text);
	exit(1);
}

static void say(const char *name, const uint8_t *p, size_t n)
{
	char hex[2 * KM_SCALAR_MAX + 1];

	kmd_hex_encode(hex, p, n);
	printf("%s %s\n", name, hex);
}

static int each(void *ctx, const char *name, const uint8_t *data, size_t len, struct kmd_fail *f)
{
	const char *end = strrchr(name, '.');
	uint8_t scalar[KM_SCALAR_MAX];
	struct km_share share;
	int err;

	if (!end || strcmp(end, ".share"))
		return KM_OK;
	err = km_share_decode(&share, data, len);
	if (err)
		return kmd_fail(f, err, "%s: %s", name, km_strerror(err));
	km_secret_encode(share.table.curve, scalar, &share.x_i);
	say("share", scalar, km_curve_scalar_size(share.table.curve));
	return KM_OK;
}

int main(int argc, char **argv)
{
	struct kmd_store *store;
	struct kmd_identity id;
	struct kmd_fail f;
	char path[4096];
	uint8_t *text, key[32];
	size_t len;

	if (argc != 2)
		return 64;
	snprintf(path, sizeof(path), "%s/identity.secret", argv[1]);
	if (kmd_identity_load(&id, path, &f))
		die(&f);
	say("ed25519", id.sign.priv, 32);
	say("x25519", id.channel_priv, 32);
	snprintf(path, sizeof(path), "%s/seal.key", argv[1]);
	if (kmd_file_read(path, KMD_FILE_PRIVATE, 256, &text, &len, &f))
		die(&f);
	if (kmd_hex_decode(key, 32, (char *)text, len < 64 ? len : 64))
		return 1;
	say("sealing-key", key, 32);
	snprintf(path, sizeof(path), "%s/state", argv[1]);
	if (kmd_store_open(&store, path, key, &f) || kmd_store_each(store, each, NULL, &f))
		die(&f);
	kmd_store_close(store);
	return 0;
}
