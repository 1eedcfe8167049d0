/* ctime_mesh.c: secrets that the daemon itself handles: keys as hex digits in files, sealed shares. */
#include "ctime.h"
#include <string.h>
#include "mesh/files.h"
#include "mesh/seal.h"

static void hex(const struct km_curve *c)
{
	uint8_t key[32] = {1, 0x9a, 0xff}, back[32];
	char text[65];

	(void)c;
	ctime_taint(key, sizeof(key));
	kmd_hex_encode(text, key, sizeof(key));
	ctime_is_secret(text, 64);
	if (kmd_hex_decode(back, sizeof(back), text, 64))
		ctime_fail();
	ctime_is_secret(back, sizeof(back));
	km_declassify(key, sizeof(key));
	km_declassify(back, sizeof(back));
	if (memcmp(key, back, sizeof(key)))
		ctime_fail();
}

static void sealed_file(const struct km_curve *c)
{
	uint8_t key[32] = {3}, nonce[12] = {0}, plain[70] = {4}, *out;
	struct kmd_fail f;
	struct km_buf b;
	size_t len;

	(void)c;
	ctime_taint(key, sizeof(key));
	ctime_taint(plain, sizeof(plain));
	km_buf_init(&b);
	if (kmd_seal(&b, key, "share", nonce, plain, sizeof(plain)))
		ctime_fail();
	/* what is on the disk is not secret */
	km_declassify(b.data, b.len);
	if (kmd_unseal(&out, &len, key, "share", b.data, b.len, &f))
		ctime_fail();
	else
		ctime_is_secret(out, len);
	km_secret_free(out);
	km_buf_clear(&b);
}

const struct ctime_case ctime_mesh[] = {
    {"kmd_hex", hex, 0},
    {"kmd_seal", sealed_file, 0},
    {NULL, NULL, 0},
};
